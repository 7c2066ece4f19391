/*
 * dialect/identity.h: the headers by which a reverse proxy learns whose request it passes on.
 *
 * Both forward-auth endpoints answer with them: the generic one (web/forward_auth_endpoint.c) and
 * Spectrum's.
 */
#ifndef JETON_DIALECT_IDENTITY_H
#define JETON_DIALECT_IDENTITY_H

#include "http/http.h"
#include "token/token_room.h"

/* Texts that are empty have no header. */
struct identity {
    struct str username;
    struct str subject;
    struct str client_id;
    struct str scope;
    struct str audience;
    int64_t expires_at; /* 0: no header */
};

/* Views into the token's grant: for as long as the view of it is held. */
struct identity identity_of_token(const struct token_view *view);

/*
 * Adds Remote-User, X-Auth-Subject, X-Auth-Client, X-Auth-Scope, X-Auth-Audience and
 * X-Auth-Expires. A name that is not plain ASCII, or holds '%' or a comma, is percent-encoded. A
 * scope or audience that is too long for a header is left out.
 */
void identity_add_headers(struct http_exchange *exchange, const struct identity *identity);

#endif
