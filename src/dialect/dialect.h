/*
 * dialect/dialect.h: the wire formats of three older services, mapped onto oauth, account and
 * token.
 *
 * A dialect is a file with handlers and one way of saying no; the web room's endpoint table has a
 * row for each of its paths, and settings.def its settings. Nothing below this room knows of it. A
 * wire format is HTTP in its details (challenges, several Cookie lines, Accept, CORS), so a handler
 * is given the exchange itself.
 *
 * A handler answers as oauth's entry points do: RC_OK with the answer written, RC_REFUSED with
 * oauth->refusal set, RC_WOULD_BLOCK, RC_NEEDS_HASH, or a fault, which is turned into a refusal
 * with server_error or temporarily_unavailable. A refusal is then written by the dialect.
 */
#ifndef JETON_DIALECT_DIALECT_H
#define JETON_DIALECT_DIALECT_H

#include "http/http.h"
#include "oauth/oauth.h"

enum { DIALECT_LIST_COUNT_MAX = 16 };

/* A setting that may be given several times. */
struct dialect_texts {
    const char *at[DIALECT_LIST_COUNT_MAX];
    size_t count;
};

/* The settings; texts must outlive their users. Switches are bools, choices indexes. */
struct dialect_settings {
#define SWITCH(member, name, standard, words)                 bool member;
#define NUMBER(member, name, standard, min, max, unit, words) int64_t member;
#define TEXT(member, name, standard, argument, words)         struct str member;
#define TEXTS(member, name, argument, words)                  struct dialect_texts member;
#define CHOICE(member, name, standard, choices, words)        unsigned member;
#include "dialect/settings.def"
};

/* What holds when nothing is said. */
extern const struct dialect_settings dialect_settings_default;

/* The choices of spectrum-address-binding, spectrum-soap-binding, spectrum-namespace and
 * 3dm-client-error. */
enum { BINDING_EXACT, BINDING_PREFIX, BINDING_OFF };
enum { SOAP_BINDING_SESSION, SOAP_BINDING_NONE };
enum { NAMESPACE_PRECISELY, NAMESPACE_PB };
enum { CLIENT_ERROR_OAUTH, CLIENT_ERROR_BOOT };

/* One request to a dialect. */
struct dialect_call {
    struct oauth_call *oauth;
    struct http_exchange *exchange;
    const struct dialect_settings *settings;
    struct str rest; /* of the path, behind that of a row which stands for all below it */
};

typedef enum rc dialect_handler(struct dialect_call *call);

/* Which of them, and where its switch, prefix and host are. */
struct dialect {
    const char *name;
    bool (*is_on)(const struct dialect_settings *settings);
    struct str (*prefix)(const struct dialect_settings *settings); /* "" or "/path" */
    struct str (*host)(const struct dialect_settings *settings);   /* "": any       */
    /* Writes the answer to oauth->refusal; the response is empty but for X-Request-Id. NULL where
     * the dialect has no handlers. */
    void (*answer_refusal)(struct dialect_call *call);
};

/*
 * Whether a request is this dialect's: switched on, to its host, below its prefix.
 *
 * out_path  the path without the prefix
 */
bool dialect_claims(const struct dialect *dialect, const struct dialect_settings *settings,
                    const struct http_request *request, struct str *out_path);

/*
 * Checks settings that could be wrong together or in their form: a prefix begins with a slash and
 * ends without, an origin is one.
 *
 * out_error   on RC_INVALID: one line that begins with the setting's name
 */
enum rc dialect_settings_check(const struct dialect_settings *settings,
                               struct buffer *out_error) MUST_CHECK;

/* "https://host:port" as the client sees this server: forwarded scheme and host where a trusted
 * proxy says so (the web room's issuer is not asked: WADL and WSDL name the address that was used).
 * In the arena. */
struct str dialect_base_url(const struct dialect_call *call);

/* ---- the dialects -------------------------------------------------------------------------- */

extern const struct dialect dialect_uauth;
extern const struct dialect dialect_spectrum;
extern const struct dialect dialect_3dm;

/* u-Auth's answer; its handler is the standard token endpoint (docs/ARCHITECTURE.md). */
extern const struct token_profile uauth_profile;

dialect_handler spectrum_session_token;      /* GET  /security/rest/token/access/session/{ttl} */
dialect_handler spectrum_open_token;         /* GET  /security/rest/token/access/{ttl}         */
dialect_handler spectrum_logout;             /* GET  /security/rest/token/logout               */
dialect_handler spectrum_wadl;               /* GET  /security/rest?_wadl                      */
dialect_handler spectrum_soap_token_manager; /* POST /security/TokenManagerService, GET ?wsdl  */
dialect_handler spectrum_soap_token_logout;  /* POST /security/TokenLogoutService, GET ?wsdl   */
dialect_handler spectrum_forward_auth;       /* for a gateway before a Spectrum service        */
dialect_handler spectrum_not_found;          /* whatever else is below /security               */

dialect_handler threedm_token;       /* POST /oauth/oauth/token       */
dialect_handler threedm_check_token; /* POST /oauth/oauth/check_token */
dialect_handler threedm_token_key;   /* GET  /oauth/oauth/token_key   */

/*
 * The token of a request as Spectrum's clients send it: the Authorization header's Bearer, else the
 * cookie spectrum.authentication.token; and the SESSION cookie, of all Cookie lines. Views into the
 * request.
 *
 * Answers: RC_OK · RC_NOT_FOUND no token at all · RC_INVALID a malformed or repeated Authorization
 */
enum rc spectrum_presented(const struct http_request *request,
                           struct token_presented *out_presented) MUST_CHECK;

#endif
