/*
 * token/grants.h: the grants that living tokens descend from, in memory.
 *
 * A live_grant is what the fast lane needs to answer about a token without asking the store: the
 * texts of its grant, the member texts of an introspection answer made ready, and whether the grant
 * has ended. It is counted, and immutable but for `is_ended` and `is_forgotten`, which only ever
 * turn true, and for when it, its session or its permanent token was used last.
 *
 * The book finds the live_grant of an id, and the living standing grant of a (client, account,
 * scope, audience). It holds no reference of its own: a live_grant that nobody holds is forgotten.
 *
 * Threads: everything from any thread.
 */
#ifndef JETON_TOKEN_GRANTS_H
#define JETON_TOKEN_GRANTS_H

#include <stdatomic.h>

#include "codec/json.h"
#include "codec/network.h"
#include "store/catalog.h"
#include "store/store.h"

struct grant_book;

enum {
    TOKEN_ISSUER_BYTES_MAX = 512,
    /* Of live_grant.claims: authorization_details of 8 KiB (oauth/authorization.h), an actor of 4
     * KiB, the rest below 2. */
    TOKEN_CLAIMS_BYTES_MAX = 14 * 1024
};

/* The session that a grant's tokens are tied to; see struct session. Only the two times change. */
struct live_session {
    unsigned char digest[DIGEST_BYTES];
    unsigned char address[16];
    unsigned address_bits;
    int64_t idle_s;
    _Atomic int64_t last_active_at;
    _Atomic int64_t saved_at; /* last_active_at as the store has it */
};

/*
 * What limits a permanent token, and its last use; see struct permanent. The use is told at once
 * and saved a while later.
 */
struct live_permanent {
    _Atomic int64_t used_at;       /* 0: never */
    _Atomic uint64_t used_from[2]; /* the bytes of the address; zeros: not known */
    bool is_noted;                 /* its last use waits to be saved */
    struct live_grant *next_noted;
    unsigned network_count; /* 0: any address will do */
    struct network networks[];
};

/* What a grant of its own rests on, and what its tokens are tied to: at most one of session and
 * permanent. */
struct grant_tie {
    const struct session *session;
    const struct permanent *permanent;
    const struct authorization *authorization;
};

struct live_grant {
    int64_t id;
    int64_t account_id;
    int64_t client_id;
    bool is_family;
    int64_t created_at;
    int64_t expires_at; /* of the record: no token may outlive it; 0: never */
    struct str scope;
    struct str audience;
    struct str client_name;   /* client_id, the text */
    struct str username;      /* empty when the client itself is the subject */
    struct str subject;       /* "account:17", a pairwise one, or the client_id */
    struct str introspection; /* members from "scope" to "iss", each with its comma */
    struct str claims;        /* of JWTs and introspection alike: cnf, act, auth_time, acr,
                                 authorization_details; each with its comma; or empty */
    int64_t authorization_id;
    struct binding binding;
    struct live_session *session;     /* NULL: none is asked for */
    struct live_permanent *permanent; /* NULL: its tokens are no permanent ones */
    struct str acr;                   /* of the authorization; empty: none */
    int64_t auth_time;                /* likewise; 0: not known */
    struct live_grant *parent;        /* the grant that this one ends with: the family of a narrowed
                                         one, the subject's of an exchanged token; or NULL */
    _Atomic int64_t used_at;          /* when a token was issued or used last, as far as known */
    _Atomic int64_t use_saved_at;     /* what the store may know of that */
    _Atomic bool is_ended;
    _Atomic bool is_forgotten; /* the book does not know it: it will not hear of its end */
    _Atomic unsigned reference_count;
    size_t own_bytes; /* of this struct and its texts */
    struct live_grant *next_by_id;
    struct live_grant *next_standing;
};

enum rc grant_book_new(struct store *store, struct catalog *catalog, struct str issuer,
                       struct grant_book **out_book) MUST_CHECK;
void grant_book_free(struct grant_book *book);

/* store_is_trusted of the book's store. */
bool grant_book_is_trusted(const struct grant_book *book);

/*
 * Finds or loads a grant. An ended grant is found with is_ended set.
 *
 * Answers: RC_OK, release with grant_put · RC_NOT_FOUND · RC_WOULD_BLOCK not in memory and
 * !may_block.  Faults: the store's, and RC_UNAVAILABLE as live_find
 */
enum rc grant_find(struct grant_book *book, int64_t id, bool may_block,
                   struct live_grant **out_grant) MUST_CHECK;

/*
 * The living standing grant like this one, made if there is none (with a commit of its own: it
 * comes before the tokens that need it). Blocks.
 */
enum rc grant_find_standing(struct grant_book *book, const struct grant *like, int64_t now,
                            struct live_grant **out_grant) MUST_CHECK;

/*
 * A grant of its own: for a family, a narrowed child of one (parent_id), a session or a permanent
 * token. Only drafted: the caller's unit gets the insert, and the live_grant is good once that is
 * committed. Its texts are the unit's, so it is held until then.
 *
 * like  its id is drawn here unless it was drawn before
 * tie   NULL: none.
 *       session: its row is added as well; id and account_id are set here, created_at and
 *       last_active_at are now.
 *       permanent: its addresses are read here. Its row is the caller's to add, who knows the token
 *       authorization: sets like's authorization_id. Its row is the caller's to add, too, where the
 *       store does not have it yet. NULL: the one that like names is read, and a child's is its
 *       parent's where like names none
 *
 * Answers: RC_OK · RC_EXISTS a grant of that id is in memory; the unit's commit may say so as well
 * · RC_TOO_LARGE actor and details do not fit TOKEN_CLAIMS_BYTES_MAX · RC_NOT_FOUND the
 * authorization has left the store
 * Faults:  the store's, RC_CORRUPT the addresses are no networks
 */
enum rc grant_draft_family(struct grant_book *book, const struct grant *like,
                           const struct grant_tie *tie, int64_t now, struct store_unit *unit,
                           struct live_grant **out_grant) MUST_CHECK;

struct live_grant *grant_hold(struct live_grant *grant);
void grant_put(struct grant_book *book, struct live_grant *grant);

static inline bool grant_is_ended(const struct live_grant *grant)
{
    for (; grant != NULL; grant = grant->parent)
        if (atomic_load_explicit(&grant->is_ended, memory_order_acquire))
            return true;
    return false;
}

/* Whether this one, or one that it ends with, will not hear of its end: good for the request that
 * holds it, and to be kept nowhere. */
static inline bool grant_is_forgotten(const struct live_grant *grant)
{
    for (; grant != NULL; grant = grant->parent)
        if (atomic_load_explicit(&grant->is_forgotten, memory_order_acquire))
            return true;
    return false;
}

/* The member "aud" of a JWT or an introspection answer: the issuer where no service is named. */
void grant_format_audience(struct str audience, struct str issuer, struct json_out *json);

/* The feed's word that a grant has ended. Never blocks. */
void grant_mark_ended(struct grant_book *book, int64_t id);

/* The feed's word that nobody knows which have ended: the next who asks loads it anew; who holds
 * one keeps it. Never blocks. */
void grant_forget(struct grant_book *book);

/* Grants in memory now, for the metrics, and the bytes that they take. */
size_t grant_book_count(struct grant_book *book);
size_t grant_book_bytes(const struct grant_book *book);

#endif
