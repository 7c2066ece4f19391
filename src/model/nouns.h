/*
 * model/nouns.h: the nouns as plain structs. No I/O, no memory of their own.
 *
 * Every struct str in a noun lives where the function that filled the noun says: usually an arena.
 * Numbers named id are ours, 64 bits, never shown outside; names such as client_id are the text
 * that the outside knows. Times are Unix seconds, UTC; 0 means never or not yet.
 */
#ifndef JETON_MODEL_NOUNS_H
#define JETON_MODEL_NOUNS_H

#include "base/str.h"
#include "model/registry.h"

enum { DIGEST_BYTES = 32 }; /* SHA-256, and HMAC-SHA-256 */

/* The resource owner's record (RFC 6749 1.1). */
struct account {
    int64_t id;      /* > 0; also 3DM's userid and, in decimal, the subject of its tokens */
    struct str name; /* as registered; found without regard to case of letters            */
    struct str full_name;
    struct str email;
    int64_t email_verified_at; /* when it was known to be the account's; 0: it is only claimed */
    struct str password_hash;  /* "$argon2id$…"; empty: no password sign-in */
    bool is_admin;
    bool is_disabled;
    bool has_second_factor; /* read only; of any kind */
    bool has_code_factor;   /* read only; one that shows codes: TOTP */
    int64_t created_at;
};

/* What an account proves itself with beside its password. */
struct factor {
    int64_t id;
    int64_t account_id;
    enum factor_kind kind;
    struct str name;   /* the owner's own word for it */
    struct str sealed; /* bytes: its secret, under the master key; empty for a passkey */
    int64_t created_at;
    int64_t last_step; /* TOTP: the newest time step that was used; RFC 6238 5.2 */
    int64_t last_used_at;
};

/* What is known of a passkey beside its name and times, which are its factor's: WebAuthn's
 * credential record (WebAuthn 4). */
struct credential_record {
    int64_t id; /* that of its factor */
    int64_t account_id;
    struct str credential_id; /* bytes, unique in the whole server */
    struct str user_handle;   /* bytes, of the account when it was made */
    struct str public_key;    /* COSE_Key */
    struct str transports;    /* words, as the browser told at its registration */
    int64_t sign_count;
    bool is_user_verified;
    bool is_backup_eligible;
    bool is_backed_up;
};

/* A resource server that tokens are for. */
struct service {
    int64_t id;
    struct str service_id; /* "uslicer.iponweb.com"; one namespace with client ids         */
    struct str name;       /* for people */
    struct str scope;      /* the scope words it owns */
    struct str
        secret_hash; /* for introspection (account/secret_check.h); empty: cannot introspect */
    enum token_format format;
    enum signing_alg alg; /* of its JWTs */
    int64_t lifetime_s;   /* of access tokens for it */
    bool allows_password; /* the password grant without client authentication, as u-Auth has it */
    bool expires_in_as_string; /* u-Auth's documented variant */
    bool is_disabled;
    int64_t created_at;
};

struct client {
    int64_t id;
    struct str client_id;
    struct str name;
    enum client_type type;
    enum client_auth_method auth_method; /* CLIENT_CONFIDENTIAL only */
    struct str secret_hash;              /* of methods with a secret  */
    struct str previous_secret_hash;     /* the secret before, good until a moment */
    int64_t previous_secret_until;
    unsigned grant_types;       /* bits 1u << enum grant_type */
    unsigned policy;            /* bits of enum client_policy */
    struct str scope;           /* what it may be granted beyond its services' words */
    struct str service_ids;     /* space-separated: services whose whole scope it may be granted */
    struct str redirect_uris;   /* newline-separated, compared exactly */
    int64_t refresh_lifetime_s; /* absolute, of a family */
    int64_t refresh_idle_lifetime_s; /* of one refresh token  */
    struct str metadata; /* JSON with the names of RFC 7591, of what has no member here; or empty */
    struct str registration_digest; /* base64url, SHA-256 of its registration access token (RFC
                                       7592); empty: it has none */
    bool is_disabled;
    int64_t created_at;
};

/* The key or certificate that a holder has to prove. */
struct binding {
    enum binding_kind kind;
    unsigned char thumbprint[DIGEST_BYTES]; /* SHA-256: RFC 7638 of the key; of the certificate */
};

/*
 * One act of a person: what they allowed a client at the authorization endpoint or for a device
 * (RFC 6749 1.3), and how they were authenticated then. Codes, devices' requests and grants refer
 * to it; it stays as long as one of them does.
 */
struct authorization {
    int64_t id;
    int64_t account_id;
    int64_t client_id;
    int64_t login_id;   /* of the browser session where it was allowed */
    struct str subject; /* sub as this client knows it; empty: as everybody does     */
    struct str sid;     /* of ID and logout tokens; empty: none                      */
    struct str acr;     /* empty: none */
    struct str amr;     /* words of RFC 8176, space-separated */
    struct str nonce;   /* of the first ID token */
    struct str claims;  /* JSON, the claims parameter (OpenID Connect Core 5.5); or empty */
    struct str details; /* JSON array (RFC 9396), as it was allowed; or empty */
    struct str actor;   /* JSON object, the claim act (RFC 8693 4.1); or empty */
    int64_t auth_time;
    int64_t created_at;
    int64_t expires_at; /* may leave the store then, unless a grant refers to it */
};

/* An authorization code (RFC 6749 4.1). */
struct code {
    int64_t id;
    unsigned char digest[DIGEST_BYTES]; /* SHA-256 of its value */
    int64_t client_id;
    int64_t authorization_id;
    struct str redirect_uri;
    struct str challenge; /* code_challenge of S256 (RFC 7636 4.2): 43 characters */
    struct str scope;
    struct str audience;
    struct binding binding; /* dpop_jkt (RFC 9449 10); the redeemer must prove it */
    int64_t expires_at;
    int64_t spent_at; /* read only */
    int64_t grant_id; /* read only: what it was redeemed for */
};

/* A pushed authorization request (RFC 9126). */
struct pushed_request {
    int64_t id;
    unsigned char digest[DIGEST_BYTES]; /* SHA-256 of the random part of its request_uri */
    int64_t client_id;
    struct str parameters; /* as application/x-www-form-urlencoded, checked */
    int64_t expires_at;
};

/* A device's request for authorization (RFC 8628). */
struct device_request {
    int64_t id;
    unsigned char digest[DIGEST_BYTES];      /* of the device_code */
    unsigned char user_digest[DIGEST_BYTES]; /* of the user_code, folded; unique while it lives */
    int64_t client_id;
    int64_t authorization_id; /* DEVICE_ALLOWED, DEVICE_SPENT */
    enum device_state state;
    struct str scope;
    struct str audience;
    struct str details;
    struct binding binding;
    int64_t interval_s;
    int64_t polled_at;
    int64_t expires_at;
};

/* What an account allowed a client, remembered: nobody is asked twice for the same. One row of an
 * account and a client. */
struct consent {
    int64_t id;
    int64_t account_id;
    int64_t client_id;
    struct str scope;   /* every word that was ever allowed and not revoked */
    struct str details; /* authorization_details, likewise */
    int64_t at;
};

/* A logout token that a client has to be told (OpenID Connect Back-Channel Logout 1.0). */
struct delivery {
    int64_t id;
    int64_t client_id;
    struct str uri;
    struct str content; /* whose sign-in ended, JSON: what the token says (oauth/logout.h) */
    int64_t at;
    int64_t until;        /* when it is given up            */
    int64_t next_at;      /* not tried before               */
    int64_t leased_until; /* see struct mail */
    int64_t attempt_count;
};

/*
 * What an account allowed a client, or a client itself: every token descends from one. Ending a
 * grant ends all its tokens. A standing grant is shared by all tokens of the same account, client,
 * scope and audience that have no refresh token; a family has one of its own.
 */
struct grant {
    int64_t id;
    int64_t authorization_id; /* the struct authorization that it rests on; 0: none */
    struct binding binding;   /* of its access tokens; a grant with one is never a standing one */
    int64_t account_id;       /* 0: the client itself (RFC 6749 4.4) */
    int64_t client_id;        /* struct client.id                    */
    struct str scope;         /* as granted, in the order granted    */
    struct str audience;      /* space-separated service ids; empty: the issuer */
    bool is_family;
    bool is_permanent; /* a family whose token is a permanent one; see struct permanent */
    bool is_session;   /* its tokens are good only together with the session of the same id */
    int64_t parent_id; /* the grant that this one ends with: a family that was narrowed, or that of
                          a token that was exchanged; 0: none */
    int64_t created_at;
    int64_t expires_at;   /* when its last token has expired for certain and the record may leave
                             the store; 0: never, as for standing grants */
    int64_t ended_at;     /* its own end or its parent's */
    int64_t last_used_at; /* read only: when tokens were issued under it, noted now and then */
};

/*
 * A session that a token is tied to (Spectrum): whoever presents the token has to present the
 * session's id too, from the same computer, and often enough.
 */
struct session {
    int64_t id; /* that of its grant */
    int64_t account_id;
    unsigned char digest[DIGEST_BYTES]; /* SHA-256 of the id that the outside knows */
    unsigned char address[16];          /* where it began, as struct http_address   */
    unsigned address_bits; /* how many leading bits of the address must be the same; 0: none */
    struct str device;     /* the User-Agent of its beginning, cut                  */
    int64_t idle_s;        /* it ends when it was not used for so long              */
    int64_t created_at;
    int64_t last_active_at;
};

/* A person's session in a browser, from the password on. */
struct browser_session {
    int64_t id;
    int64_t account_id;
    unsigned char digest[DIGEST_BYTES]; /* SHA-256 of the cookie's value */
    enum session_stage stage;
    int64_t login_id;          /* of the sign-in it goes back to, which a step-up does not change;
                                  an id of ours, unlike the session's own the same for its life */
    unsigned methods;          /* bits of enum sign_in_method, of the last full proof */
    unsigned char address[16]; /* of its beginning, as struct http_address */
    struct str device;         /* its User-Agent, cut */
    int64_t created_at;
    int64_t proved_at; /* when its person last proved who they are, in full */
    int64_t last_active_at;
    int64_t expires_at; /* at the latest */
};

/*
 * A permanent token: what its owner knows of it. The token hangs on a grant of its own, of the same
 * id; it lives, is checked and ends like any other.
 */
struct permanent {
    int64_t id; /* that of its grant */
    int64_t account_id;
    int64_t token_id;
    struct str name;
    struct str scope;     /* as granted */
    struct str addresses; /* space-separated networks that may use it; empty: any */
    int64_t created_at;
    int64_t expires_at;  /* 0: never */
    int64_t revoked_at;  /* read only: when its grant was ended, by whatever act */
    int64_t replaced_by; /* the permanent token that a rotation made; 0: none */
    int64_t last_used_at;
    unsigned char last_used_address[16];
};

struct token {
    int64_t id; /* grows; see token/value.h for the two ranges */
    int64_t grant_id;
    enum token_kind kind;
    enum token_format format;
    int64_t issued_at;
    int64_t expires_at;                 /* 0: never */
    unsigned char digest[DIGEST_BYTES]; /* SHA-256 of the secret, or of a whole JWT */
    bool is_revoked;                    /* read only */
    bool is_spent;                      /* read only; a refresh token that was rotated */
};

/* A signing key. The private half is sealed under the master key. */
struct key {
    int64_t id;
    struct str kid;
    enum signing_alg alg;
    struct str public_jwk; /* JSON */
    struct str sealed;     /* bytes */
    int64_t created_at;    /* published in the JWKS from here on   */
    int64_t signs_from;    /* it signs from here on                */
    int64_t retires_at;    /* 0: current; else leaves the JWKS then */
};

/* One line of the audit trail. */
struct event {
    int64_t id;
    int64_t at;
    enum event_kind kind;
    int64_t account_id; /* 0: none */
    int64_t client_id;
    int64_t token_id;
    unsigned char address[16]; /* as struct http_address */
    struct str detail;         /* a few words, no secret */
};

/* What a link in a mail stands for. The link's value is a secret; the store knows its digest. */
struct link {
    int64_t id;
    unsigned char digest[DIGEST_BYTES]; /* SHA-256 of its value */
    enum link_purpose purpose;
    int64_t account_id; /* 0: of an account that is still to be made */
    struct str email;   /* where it was sent */
    /* LINK_REGISTER: what the account is made of. */
    struct str name;
    struct str full_name;
    struct str password_hash;
    int64_t expires_at;
};

/* A mail that waits to be sent. Whom it is for and what it says is sealed; see mail/outbox.h. */
struct mail {
    int64_t id;
    int64_t at;            /* when it was queued                                      */
    int64_t until;         /* when it is given up                                     */
    int64_t next_at;       /* not tried before                                        */
    int64_t leased_until;  /* somebody is trying, at most until then; 0: nobody       */
    int64_t attempt_count; /* begun so far                                            */
    int64_t last_code;     /* how the last one ended, see fetch/wire.h; 0: none ended */
    struct str sealed;     /* bytes */
};

/* Failed authentications in a row, by a keyed hash of what is throttled. */
struct throttle {
    unsigned char key[DIGEST_BYTES];
    int64_t failure_count;
    int64_t last_failure_at;
    /* Tries under way, where several processes write to the store (store/tries.h). */
    int64_t minute; /* that the two are of */
    int64_t under_way_count;
    int64_t under_way_before_count; /* begun in the minute before */
};

#endif
