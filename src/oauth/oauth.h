/*
 * oauth/oauth.h: the OAuth 2.0 core: who asks, what may be granted, and the answer.
 *
 * What it does: client authentication, the checks of a request, one file per grant, introspection,
 * revocation, metadata. What it does not: HTTP. The web room hands it typed requests and gets JSON
 * or a refusal back.
 *
 * Every entry point takes an oauth_call and returns
 *   RC_OK           answered
 *   RC_REFUSED      call->refusal says what to answer
 *   RC_WOULD_BLOCK  ask again where waiting is allowed (only when !call->may_block)
 *   RC_NEEDS_HASH   ask again on the hash lane        (only when !call->may_hash)
 *   a fault         the world broke; nothing was granted
 * Asking again starts from the beginning: until its one commit a request changes nothing.
 */
#ifndef JETON_OAUTH_OAUTH_H
#define JETON_OAUTH_OAUTH_H

#include "account/account.h"
#include "account/secret_check.h"
#include "base/arena.h"
#include "crypto/seal.h"
#include "oauth/error.h"
#include "store/catalog.h"
#include "token/token_room.h"

/* The clients that tokens belong to when nobody authenticates as one: u-Auth's password grant, and
 * Spectrum. */
#define OAUTH_PUBLIC_CLIENT_ID   "public_client"
#define OAUTH_SPECTRUM_CLIENT_ID "spectrum_client"

enum {
    OAUTH_LIFETIME_DEFAULT_S = 3600, /* of access tokens whose audience is the issuer */
    OAUTH_REFRESH_REPLAY_S = 10,     /* a lost answer may be asked for again this long */

    /* A success response of the token endpoint: an access token and an ID token, what was allowed
     * in detail, a scope and names that may need escaping, and what is short. */
    OAUTH_ANSWER_BYTES_MAX =
        2 * TOKEN_VALUE_BYTES_MAX + 8192 +
        6 * (SCOPE_BYTES_MAX + ACCOUNT_NAME_BYTES_MAX + ACCOUNT_FULL_NAME_BYTES_MAX) + 1024,

    /* A DPoP proof: an RSA key of 4096 bits and an address of 1 KiB make one of 3 KiB. It is taken
     * apart in the arena. */
    OAUTH_PROOF_BYTES_MAX = 6144,
    OAUTH_PROOF_ARENA_BYTES_MAX = OAUTH_PROOF_BYTES_MAX * 3 / 2 + 256,

    /* How a client is registered (twice: as it authenticates, and for what it asks), and a JWT that
     * it signed with the keys that it publishes; see oauth/client_keys.h. */
    OAUTH_CLIENT_ARENA_BYTES_MAX =
        2 * (32 * 1024 + 1024) + TOKEN_VALUE_BYTES_MAX * 2 + 64 * 1024 + 22 * 1024,

    /*
     * What one call takes from the arena at the most. A refresh takes most: scope and audience of
     * the family and of what is asked for, the account before and after, an access token and its
     * claims, the unit, and two sealed answers, as it may lose the race to another and read that
     * one's; then names for log, throttle and event. (Where scope takes more, for what a client is
     * registered for, there is no answer to seal.)
     */
    OAUTH_ARENA_BYTES_MAX = 2 * 2 * SCOPE_BYTES_MAX + 2 * 2048 + TOKEN_VALUE_BYTES_MAX * 7 / 4 +
                            (int)sizeof(struct store_unit) +
                            2 * (OAUTH_ANSWER_BYTES_MAX + SEAL_OVERHEAD_BYTES) +
                            OAUTH_PROOF_ARENA_BYTES_MAX + OAUTH_CLIENT_ARENA_BYTES_MAX + 4096
};

struct fetcher;           /* oauth/fetcher.h */
struct proof_book;        /* oauth/proof.h   */
struct client_admission;  /* oauth/admission.h */
struct certificate_trust; /* crypto/certificate.h */

/* How a request proves the holder of a key (oauth/proof.h). All empty: not at all. */
struct proof_presented {
    struct str method;           /* "POST" */
    struct str uri;              /* as the client sees it: root, path, without query */
    size_t proof_count;          /* of headers DPoP */
    struct str proof;            /* the first of them */
    bool has_certificate;        /* the client's, of this TLS connection or from a trusted proxy */
    struct str certificate;      /* DER */
    bool is_certificate_trusted; /* this connection's handshake ended in the operator's client CA;
                                    one from a proxy is looked at when it is used */
};

struct oauth {
    struct store *store;
    struct catalog *catalog;
    struct token_room *tokens;
    const struct secret_checker *secrets;
    const struct account_door *door;
    struct str issuer;
    struct str root;         /* the issuer without its path: where endpoints stand */
    struct fetcher *fetcher; /* NULL: nothing can be fetched */
    const struct certificate_trust *client_trust; /* of clients' certificates; NULL: none */
    struct proof_book *proofs;
    const struct client_admission *admission; /* of clients that no operator made; NULL: none */
    const struct hmac_key *subject_key; /* of pairwise subjects and sid; from the master key */
    struct str details_types; /* of authorization_details (RFC 9396) that every client may use,
                                 space-separated; may be empty */
};

struct oauth_call {
    const struct oauth *oauth;
    struct arena *arena; /* the request's: OAUTH_ARENA_BYTES_MAX */
    int64_t now;
    bool may_block;
    bool may_hash;
    unsigned char address[16]; /* of the client, as struct http_address */
    struct refusal refusal;    /* set with RC_REFUSED */
    struct proof_presented proof;
    struct str dpop_nonce; /* out: a header DPoP-Nonce of the answer, whatever it is (RFC 9449 8.2);
                              empty: none. In the arena */
    unsigned proof_step;   /* of the unit that proof_read added one to: its index and 1; 0: none */
    bool is_fapi;          /* the client that authenticated, or the token's; by client_is_fapi */

    /* An assertion that authenticated the client and is not on record yet: see oauth_commit. */
    bool has_assertion;
    unsigned char assertion_digest[DIGEST_BYTES];
    int64_t assertion_until;

    /* For the log: who and what, as far as it is known. */
    struct str log_client_id;
    struct str log_username;
    int64_t log_token_id;
    bool is_recorded; /* the refusal has its audit event already */
    bool has_issued;  /* for the metrics: a token, by this grant type */
    enum grant_type issued_by;
};

/* struct oauth's root, of a sound issuer. */
struct str oauth_root_of(struct str issuer);

/* Makes the built-in clients of a new store. Call once before serving. */
enum rc oauth_prepare(const struct oauth *oauth) MUST_CHECK;

/* Whether requests should come here, and what is in the way. */
enum oauth_readiness {
    OAUTH_READY,
    OAUTH_STORE_NOT_WRITABLE,
    OAUTH_FEED_BEHIND, /* of a shared store: memory may not be relied upon */
    OAUTH_CLOCK_OFF    /* of a shared store: tokens would end early or late */
};

enum oauth_readiness oauth_check_ready(const struct oauth *oauth);

/* Numbers of the store, for the metrics. */
struct oauth_store_meters {
    uint64_t commits;
    uint64_t units; /* transactions that shared them */
    uint64_t unit_refusals;
    uint64_t faults;
    uint64_t swept_rows;
    uint64_t queue_depth;
    uint64_t commit_ns; /* sum over commits */
    uint64_t retries;
    uint64_t connections;
    uint64_t disk_free_bytes; /* 0 and 0: of no disk of ours */
    uint64_t disk_bytes;
};

struct oauth_store_meters oauth_read_store_meters(const struct oauth *oauth);

/* Likewise, of the change feed of a store that is shared. */
struct oauth_feed_meters {
    bool is_shared;
    int64_t age_ms;
    int64_t clock_offset_ms; /* the database's clock is ahead by so much */
    uint64_t changes;
    uint64_t losses; /* how often it was away for too long */
};

struct oauth_feed_meters oauth_read_feed_meters(const struct oauth *oauth);

/* Sets the refusal and answers RC_REFUSED. */
enum rc oauth_refuse(struct oauth_call *call, enum oauth_error error, const char *description,
                     const char *log_detail) MUST_CHECK;

/* The same with the rule that said no. */
enum rc oauth_refuse_for(struct oauth_call *call, enum oauth_error error,
                         enum refusal_reason reason, const char *description,
                         const char *log_detail) MUST_CHECK;

/*
 * account_authenticate for a door: sets log_username and, when it says no, the refusal:
 * invalid_grant with a reason, in the same words whatever the reason, or too_many_requests. RC_OK:
 * the unit holds the steps that the caller has to commit with what it grants; RC_SPENT of that
 * commit is for oauth_refuse_spent_code.
 *
 * Answers: RC_OK · RC_REFUSED · RC_NEEDS_HASH
 */
enum rc oauth_sign_in(struct oauth_call *call, struct str name, const struct secret *password,
                      const struct str *code, bool asks_code, struct store_unit *unit,
                      struct account *out_account) MUST_CHECK;
enum rc oauth_refuse_spent_code(struct oauth_call *call) MUST_CHECK;

/*
 * Commits what a client wants to be kept until a person comes: as oauth_commit, and what a public
 * client asks for is counted for its address (throttle_count_request), in the same unit.
 *
 * Answers: those of oauth_commit · RC_REFUSED temporarily_unavailable: too many from the address
 */
enum rc oauth_commit_request(struct oauth_call *call, const struct client *client,
                             struct store_unit *unit) MUST_CHECK;

/*
 * Commits a unit of a call, and with it what makes the client's assertion good once (RFC 7523 3):
 * in the place of store_commit wherever a client was authenticated. What is left over in the end is
 * committed by client_auth_finish.
 *
 * Answers: those of store_commit · RC_REFUSED invalid_client: the assertion came before
 */
enum rc oauth_commit(struct oauth_call *call, struct store_unit *unit) MUST_CHECK;

/* Adds an audit event to a unit; its time and address are the call's. */
void oauth_add_event(const struct oauth_call *call, struct event event, struct store_unit *unit);

/*
 * Puts a refusal of an authenticated client on record: an audit event, committed, unless it has
 * one. Refusals of nobody are for the log alone: they must not fill the disk.
 *
 * Answers: RC_REFUSED.  Faults: the store's
 */
enum rc oauth_record_refusal(struct oauth_call *call, int64_t client_id) MUST_CHECK;

#endif
