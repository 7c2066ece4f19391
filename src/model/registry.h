/*
 * model/registry.h: enumerations whose texts are registered somewhere, and the texts.
 *
 * The numbers are written to the store: they never change and are never used again.
 */
#ifndef JETON_MODEL_REGISTRY_H
#define JETON_MODEL_REGISTRY_H

#include "base/rc.h"
#include "base/str.h"

/* RFC 6749 section 4 and its extensions; the text is the grant_type parameter. */
enum grant_type {
    GRANT_TYPE_PASSWORD = 0,
    GRANT_TYPE_CLIENT_CREDENTIALS = 1,
    GRANT_TYPE_REFRESH_TOKEN = 2,
    GRANT_TYPE_AUTHORIZATION_CODE = 3,
    GRANT_TYPE_DEVICE_CODE = 4,    /* urn:ietf:params:oauth:grant-type:device_code (RFC 8628)    */
    GRANT_TYPE_TOKEN_EXCHANGE = 5, /* urn:ietf:params:oauth:grant-type:token-exchange (RFC 8693) */
    GRANT_TYPE_JWT_BEARER = 6,     /* urn:ietf:params:oauth:grant-type:jwt-bearer (RFC 7523)     */
    GRANT_TYPE_COUNT
};

/* RFC 6749 2.1. */
enum client_type {
    CLIENT_CONFIDENTIAL = 0,
    CLIENT_PUBLIC = 1,      /* identifies itself by client_id alone                       */
    CLIENT_EMPTY_SECRET = 2 /* authenticates with a secret that is the empty string (3DM) */
};

/* How a confidential client authenticates (RFC 7591 2, token_endpoint_auth_method). */
enum client_auth_method {
    AUTH_SECRET = 0, /* client_secret_basic or client_secret_post, as it likes */
    AUTH_SECRET_BASIC = 1,
    AUTH_SECRET_POST = 2,
    AUTH_PRIVATE_KEY_JWT = 3,
    AUTH_TLS = 4,             /* tls_client_auth (RFC 8705 2.1) */
    AUTH_TLS_SELF_SIGNED = 5, /* self_signed_tls_client_auth (RFC 8705 2.2) */
    AUTH_METHOD_COUNT
};

/* What holds for a client beyond the rules for all. */
enum client_policy {
    CLIENT_IS_TRUSTED = 1u << 0,      /* the operator's own: nobody is asked for consent        */
    CLIENT_REQUIRES_PUSHED = 1u << 1, /* require_pushed_authorization_requests (RFC 9126 6)     */
    CLIENT_REQUIRES_SIGNED = 1u << 2, /* require_signed_request_object (RFC 9101 10.5)          */
    CLIENT_BINDS_DPOP = 1u << 3,      /* dpop_bound_access_tokens (RFC 9449 5.2)                */
    CLIENT_BINDS_TLS = 1u << 4,     /* tls_client_certificate_bound_access_tokens (RFC 8705 3.4) */
    CLIENT_IS_PAIRWISE = 1u << 5,   /* subject_type (OpenID Connect Core 8)                   */
    CLIENT_IS_REGISTERED = 1u << 6, /* by itself (RFC 7591)                                   */
    CLIENT_IS_DOCUMENT = 1u << 7,   /* its client_id is the URL of its metadata               */
    CLIENT_POLICY_BITS = (1u << 8) - 1
};

/* The letter after "jt" in an opaque value. */
enum token_kind {
    TOKEN_ACCESS = 0,    /* a */
    TOKEN_REFRESH = 1,   /* r */
    TOKEN_PERMANENT = 2, /* p */
    TOKEN_KIND_COUNT
};

enum token_format {
    TOKEN_OPAQUE = 0,
    TOKEN_JWT = 1,        /* RFC 9068 */
    TOKEN_JWE = 2,        /* RFC 7516, "dir" with A128CBC-HS256 (Spectrum) */
    TOKEN_SPRING_JWT = 3, /* the claims of Spring Security OAuth, RS256 (3DM) */
    TOKEN_FORMAT_COUNT
};

/* What a link in a mail is good for. */
enum link_purpose { LINK_RESET = 0, LINK_VERIFY = 1, LINK_REGISTER = 2, LINK_INVITATION = 3 };

/* How far a browser's session has come. */
enum session_stage {
    STAGE_NEEDS_CODE = 0, /* the password was right, a second factor is asked for */
    STAGE_SIGNED_IN = 1
};

/* How a person was authenticated in a browser (RFC 8176 has the words). */
enum sign_in_method {
    METHOD_PASSWORD = 1u << 0, /* pwd */
    METHOD_CODE = 1u << 1,     /* otp: a TOTP or recovery code */
    METHOD_PASSKEY = 1u << 2   /* hwk, with user verification */
};

/* What a token is bound to (RFC 7800 3.1); the holder has to prove it. */
enum binding_kind {
    BINDING_NONE = 0,
    BINDING_DPOP = 1, /* jkt: a public key (RFC 9449 6.1)          */
    BINDING_TLS = 2,  /* x5t#S256: a certificate (RFC 8705 3.1)    */
    BINDING_KIND_COUNT
};

/* How far a device's request has come (RFC 8628). */
enum device_state { DEVICE_WAITING = 0, DEVICE_ALLOWED = 1, DEVICE_DENIED = 2, DEVICE_SPENT = 3 };

/* What a second factor is. */
enum factor_kind { FACTOR_TOTP = 0, FACTOR_PASSKEY = 1 };

/* RFC 7518 3.1 and RFC 8037. */
enum signing_alg {
    ALG_ES256 = 0,
    ALG_EDDSA = 1,
    ALG_RS256 = 2,
    ALG_COUNT,            /* of those that we sign with */
    ALG_PS256 = ALG_COUNT /* clients may, we do not; never in a column of its own */
};

enum event_kind {
    EVENT_TOKEN_ISSUED = 1,
    EVENT_TOKEN_REFRESHED = 2,
    EVENT_TOKEN_REVOKED = 3,
    EVENT_REFRESH_REUSED = 4, /* a family was ended */
    EVENT_PASSWORD_FAILED = 5,
    EVENT_CLIENT_FAILED = 6,
    EVENT_GRANT_ENDED = 7,
    EVENT_ACCOUNT_CHANGED = 8,
    EVENT_CLIENT_CHANGED = 9,
    EVENT_SERVICE_CHANGED = 10,
    EVENT_KEY_CHANGED = 11,
    EVENT_DENIED = 12, /* any other refusal at the token endpoint */
    EVENT_SESSION_BEGUN = 13,
    EVENT_FACTOR_CHANGED = 14,
    EVENT_FACTOR_FAILED = 15,
    EVENT_ACCOUNT_LOCKED = 16, /* too many failures in a row disabled it */
    EVENT_SIGNED_IN = 17,
    EVENT_SIGNED_OUT = 18,
    EVENT_PERMANENT_CHANGED = 19, /* made, renamed, rotated; revoking is EVENT_GRANT_ENDED */
    EVENT_CONSENT_GIVEN = 20,     /* a person allowed a client something */
    EVENT_CONSENT_DENIED = 21,
    EVENT_CODE_REUSED = 22,  /* an authorization code came twice; its grant was ended */
    EVENT_RESTORED = 23,     /* the store comes from a backup from here on */
    EVENT_AUDIT_TRIMMED = 24 /* old events were removed; token_id: the last checkpoint's number */
};

struct str grant_type_format(enum grant_type type);
enum rc grant_type_parse(struct str text, enum grant_type *out_type) MUST_CHECK;

/* token_endpoint_auth_method (RFC 7591 2; RFC 8705 2); "client_secret" for AUTH_SECRET, a word of
 * ours that nobody has registered. "none" is a type of client. */
struct str client_auth_method_format(enum client_auth_method method);
enum rc client_auth_method_parse(struct str text, enum client_auth_method *out_method) MUST_CHECK;

/* The member of cnf: "jkt", "x5t#S256"; empty for BINDING_NONE. */
struct str binding_kind_format(enum binding_kind kind);

struct str token_format_format(enum token_format format);
/* Only the formats that a service may choose: "opaque" and "jwt". */
enum rc token_format_parse(struct str text, enum token_format *out_format) MUST_CHECK;

struct str signing_alg_format(enum signing_alg alg);
enum rc signing_alg_parse(struct str text, enum signing_alg *out_alg) MUST_CHECK;
/* The same of what clients may sign with: PS256 as well. */
enum rc signing_alg_parse_client(struct str text, enum signing_alg *out_alg) MUST_CHECK;

/* "token_issued"; "unknown" for a number that a newer version wrote. */
struct str event_kind_format(enum event_kind kind);

/* "access", "refresh", "permanent": for people. */
struct str token_kind_format(enum token_kind kind);

char token_kind_letter(enum token_kind kind);

#endif
