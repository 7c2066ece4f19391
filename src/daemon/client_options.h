/*
 * daemon/client_options.h: how a client is registered, as options of the command line.
 *
 * Each option is a member of RFC 7591's metadata by a shorter name; --metadata has the others, as
 * one JSON object. Both are judged together (oauth/client_metadata.h).
 */
#ifndef JETON_DAEMON_CLIENT_OPTIONS_H
#define JETON_DAEMON_CLIENT_OPTIONS_H

#include "daemon/command.h"

/* Rows of a table of options. */
#define CLIENT_OPTIONS                                                                             \
    { "metadata", "JSON", "members of its metadata (RFC 7591 2), as one object", false },          \
        { "auth-method", "METHOD",                                                                 \
          "client_secret (default, however it is sent), client_secret_basic, private_key_jwt ...", \
          false },                                                                                 \
        { "jwks", "JSON", "its public keys, a JWK Set", false },                                   \
        { "jwks-uri", "URL", "where it publishes them instead", false },                           \
        { "tls-subject", "DN", "its certificate's subject, as RFC 4514 writes it", false },        \
        { "post-logout-uri", "URI", "where a person may go after signing out", true },             \
        { "back-channel-logout-uri", "URL", "where it is told that a person signed out", false },  \
        { "id-token-alg", "ALG", "of its ID tokens: ES256, EdDSA or RS256 (default)", false },     \
        { "trusted", NULL, "ours: nobody is asked for consent", false },                           \
        { "require-pushed", NULL, "authorization requests have to be pushed (RFC 9126)", false },  \
        { "require-signed", NULL, "and signed (RFC 9101)", false },                                \
        { "bind-dpop", NULL, "its tokens are bound to a key (RFC 9449)", false },                  \
        { "bind-tls", NULL, "its tokens are bound to its certificate (RFC 8705)", false },         \
    {                                                                                              \
        "pairwise", NULL, "its people have subjects of their own (OpenID Connect 8)", false        \
    }

/*
 * Judges the options of a command together with what a client is already, and changes the client.
 *
 * An exit status; the line has been written.
 */
int client_options_apply(struct command_context *context, const struct options *options,
                         struct client *client);

#endif
