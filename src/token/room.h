/*
 * token/room.h: the inside of struct token_room, for the files of this room only.
 */
#ifndef JETON_TOKEN_ROOM_H
#define JETON_TOKEN_ROOM_H

#include <pthread.h>

#include "jose/jwe.h"
#include "token/token_room.h"

/* The permanent tokens whose last use waits to be saved. */
struct last_use_list {
    pthread_mutex_t lock;     /* guards is_noted and next_noted of every live_permanent, and that
                                 time and address of its use change together */
    struct live_grant *first; /* each is held */
};

struct token_room {
    struct store *store;
    struct catalog *catalog;
    struct str issuer;
    struct value_codec codec;
    struct grant_book *grants;
    struct live_table *live;
    struct key_ring *keys;
    struct hmac_key *replay_key;
    unsigned char jwe_key[JWE_KEY_BYTES];
    struct last_use_list last_uses;

    pthread_t keeper; /* fills the table, tends the keys, saves last uses */
    bool has_keeper;
    pthread_mutex_t keeper_lock;
    pthread_cond_t keeper_wake;
    bool is_stopping;    /* guarded by keeper_lock */
    bool has_key_change; /* guarded by keeper_lock */
    _Atomic bool is_filled;
    _Atomic int64_t permanent_count; /* counted by the keeper; -1: not yet */
};

/* The first bytes of every JWT's payload: "jti" comes first, so that its place is fixed. */
#define JWT_PAYLOAD_START "{\"jti\":\""

/* A presented value, taken apart: which token it claims to be, and the digest that must match. */
struct claim {
    struct token_handle handle;
    unsigned char handle_bytes[TOKEN_HANDLE_BYTES];
    unsigned char digest[DIGEST_BYTES];
};

/* Reads a value of any format: at most one SHA-256, and never a signature or a decryption.
 * RC_INVALID when it is none of ours. Nothing is proven yet. */
enum rc claim_read(const struct value_codec *codec, struct str value,
                   struct claim *out_claim) MUST_CHECK;

/* ---- what a grant is tied to ---------------------------------------------------------------- */

/* The row of a tie, with what it points to. */
struct tie_rows {
    struct grant_tie tie;
    struct session session;
    struct permanent permanent;         /* its texts are in the arena */
    struct authorization authorization; /* likewise */
};

/* What is read from the texts of a tie. */
struct tie_limits {
    unsigned network_count;
    struct network networks[PERMANENT_NETWORK_COUNT_MAX];
};

/* RC_OK also when the row is gone: tie_is_missing. */
enum rc tie_find(struct store *store, const struct grant *row, struct arena *arena,
                 struct tie_rows *out_rows) MUST_CHECK;

/* Nothing can say any more who may use the grant's tokens: it is good for nothing. */
bool tie_is_missing(const struct grant *row, const struct grant_tie *tie);

/* RC_CORRUPT: the addresses are no networks. */
enum rc tie_read(const struct grant_tie *tie, struct tie_limits *out_limits) MUST_CHECK;

/* How much a tie takes behind its grant, and puts it there. */
size_t tie_bytes(const struct grant_tie *tie, const struct tie_limits *limits);
void tie_init(struct live_grant *grant, const struct grant_tie *tie,
              const struct tie_limits *limits);

/* ---- the texts of a grant -------------------------------------------------------------------- */

/* What a live_grant says that its row does not; in an arena. */
struct grant_texts {
    struct str client;        /* client_id */
    struct str username;      /* empty when the client itself is the subject */
    struct str subject;       /* see struct live_grant, as the next two */
    struct str introspection; /* members */
    struct str claims;        /* members */
};

struct grant_texts_source {
    struct store *store;
    struct catalog *catalog;
    struct str issuer;
};

/*
 * Finds and formats the texts of a grant's row. Blocks.
 *
 * authorization   that the row rests on; NULL: none
 *
 * Answers: RC_OK · RC_NOT_FOUND client or account has left · RC_TOO_LARGE the claims do not fit
 * TOKEN_CLAIMS_BYTES_MAX.  Faults: the store's
 */
enum rc grant_texts_make(const struct grant_texts_source *source, const struct grant *row,
                         const struct authorization *authorization, struct arena *arena,
                         struct grant_texts *out_texts) MUST_CHECK;

/* ---- sessions ------------------------------------------------------------------------------- */

/*
 * Whether a session-bound grant's token is presented as its session asks: its id, its address, in
 * time, looked at in this order.
 *
 * grant    with a session
 * out_why  set on RC_NOT_FOUND
 *
 * Answers: RC_OK · RC_NOT_FOUND · RC_WOULD_BLOCK the store must be asked, and !may_block
 * Faults:  the store's
 */
enum rc session_check(struct store *store, const struct live_grant *grant,
                      const struct token_presented *presented, int64_t now, bool may_block,
                      enum token_inactive *out_why) MUST_CHECK;

/*
 * Moves the idle time of a session on.
 *
 * The store learns of uses so far apart as a thirtieth of the idle time, a second at least and a
 * minute at most, by the commit of whoever comes first; the others do not wait for it. So a session
 * that is read from the store again (a restart, another node) may seem unused for so much longer
 * than it was, never shorter. A commit that fails harms nobody as long as what the store has would
 * still do; from then on the fault is the answer, and the use does not count.
 *
 * A clock that goes back makes no use earlier than one before it and ends nothing.
 *
 * Answers: RC_OK · RC_WOULD_BLOCK the store must be told, and !may_block
 * Faults:  the store's
 */
enum rc session_use(struct store *store, const struct live_grant *grant, int64_t now,
                    bool may_block) MUST_CHECK;

/* ---- making keys ---------------------------------------------------------------------------- */

enum { KEYS_ARENA_BYTES = KEY_COUNT_MAX * 16 * 1024 }; /* for all keys' rows */

enum signer_kind signer_kind_of(enum signing_alg alg);

/* Who made a key, for the audit trail. */
struct key_actor {
    struct str by;
    const unsigned char *address; /* 16 bytes, as struct http_address */
};

/*
 * key_rotate for a key whose alg, created_at and signs_from are set.
 *
 * actor   NULL: nobody's act, or it is said elsewhere
 */
enum rc key_make(struct store *store, const unsigned char *master_key, struct key key,
                 int64_t overlap_s, const struct key_actor *actor,
                 char out_kid[static KEY_ID_BYTES + 1]) MUST_CHECK;

/* The same, by nobody; RC_SPENT when there is one that was made after newest_at. */
enum rc key_make_next(struct store *store, const unsigned char *master_key, struct key key,
                      int64_t overlap_s, int64_t newest_at,
                      char out_kid[static KEY_ID_BYTES + 1]) MUST_CHECK;

/* ---- permanent tokens ----------------------------------------------------------------------- */

/* Whether a permanent token may be used from an address; NULL: not known. */
bool permanent_admits(const struct live_permanent *permanent, const unsigned char *address);

/* Whether a permanent JWT lives that was issued in a period: whoever checks it by its signature
 * needs the key that made it. Reads all permanent tokens. */
enum rc permanent_jwt_lives(struct store *store, int64_t issued_from, int64_t issued_until,
                            int64_t now, bool *out_lives) MUST_CHECK;

/* Notes a use of a grant's token in memory. */
void grant_note_use(struct live_grant *grant, int64_t now);

void last_use_init(struct last_use_list *list);
/* Drops the notes that could not be saved. */
void last_use_deinit(struct last_use_list *list, struct grant_book *grants);

/* Notes a use of a permanent token; never an earlier one than was noted before. */
void last_use_note(struct last_use_list *list, struct live_grant *grant,
                   const unsigned char *address, int64_t now);

/* Saves all that is noted, several in a commit. What could not be saved stays noted. */
enum rc last_use_save(struct last_use_list *list, struct store *store,
                      struct grant_book *grants) MUST_CHECK;

#endif
