/*
 * token/token_room.h: the token room: draft, find, revoke.
 *
 * Draft: token_draft_… makes a value and its row, with nothing stored; the caller puts the row into
 * its unit, commits, and calls token_enter, so that the fast lane knows the token before its holder
 * does. Find: token_find answers whether a value is an active access token, from memory where it
 * can. The room listens to the change feed, keeps the signing keys, and fills the live-token table
 * behind a starting server.
 *
 * Token values are secrets: they live in the request arena, which is wiped after the answer, and go
 * nowhere but into the answer.
 *
 * Threads: everything from any thread.
 */
#ifndef JETON_TOKEN_TOKEN_ROOM_H
#define JETON_TOKEN_TOKEN_ROOM_H

#include "crypto/digest.h"
#include "jose/jose.h"
#include "token/grants.h"
#include "token/inactive.h"
#include "token/keys.h"
#include "token/live.h"
#include "token/value.h"

struct token_room;

struct token_room_config {
    struct store *store;
    struct catalog *catalog;
    const unsigned char *master_key; /* SEAL_KEY_BYTES; must outlive the room */
    struct str issuer;               /* must outlive the room; at most TOKEN_ISSUER_BYTES_MAX */
    size_t live_bytes_max;           /* 0: TOKEN_LIVE_BYTES_DEFAULT */
};

#define TOKEN_LIVE_BYTES_DEFAULT ((size_t)1 << 30)

/*
 * Reads keys, listens to the feed, starts the room's own thread.
 *
 * Answers: RC_OK · RC_INVALID the issuer is too long.  Faults: the store's, RC_CORRUPT the master
 * key is not the store's
 */
enum rc token_room_open(const struct token_room_config *config,
                        struct token_room **out_room) MUST_CHECK;
/* Every grant has been given back. The room itself saves the last uses. */
void token_room_close(struct token_room *room);

struct grant_book *token_room_grants(struct token_room *room);
struct key_ring *token_room_keys(struct token_room *room);
struct live_table *token_room_live(struct token_room *room);

/* What the keys that seal answers of the token endpoint are derived with; from the master key. */
const struct hmac_key *token_room_replay_key(struct token_room *room);

/* How a token is to look and how long it is to live. */
struct token_shape {
    enum token_format format;
    enum signing_alg alg;
    int64_t lifetime_s;            /* 0: no expiry of its own */
    const struct account *account; /* TOKEN_SPRING_JWT: whose names its claims carry, or NULL */
    struct str session_id;         /* TOKEN_JWE: the claim sid, or empty                      */
};

struct token_draft {
    struct token row;
    struct str value;         /* in the arena */
    struct str jti;           /* in the arena; as its claims and introspection show it */
    struct live_grant *grant; /* the caller's reference, not counted here */
    struct live_epoch epoch;  /* of the table when it was drafted         */
};

/*
 * An access token. It lives for shape.lifetime_s, but not longer than its grant's record:
 * out_draft->row.expires_at says.
 *
 * Answers: RC_OK · RC_TOO_LARGE its claims do not fit a JWT of TOKEN_VALUE_BYTES_MAX
 * Faults:  the store's (ids, a first RSA key), RC_CRYPTO
 */
enum rc token_draft_access(struct token_room *room, struct live_grant *grant,
                           struct token_shape shape, int64_t now, struct arena *arena,
                           struct token_draft *out_draft) MUST_CHECK;

/* A permanent token: the same, but of its own kind, for a grant that is tied to one. */
enum rc token_draft_permanent(struct token_room *room, struct live_grant *grant,
                              struct token_shape shape, int64_t now, struct arena *arena,
                              struct token_draft *out_draft) MUST_CHECK;

/* A refresh token: always opaque; its life is bounded in the same way. */
enum rc token_draft_refresh(struct token_room *room, struct live_grant *grant, int64_t expires_at,
                            int64_t now, struct arena *arena,
                            struct token_draft *out_draft) MUST_CHECK;

/*
 * Signs claims with the key that signs now: ID tokens, logout tokens, signed answers.
 *
 * typ  empty: none
 *
 * Answers: RC_OK · RC_TOO_LARGE.  Faults: the store's, RC_CRYPTO
 */
enum rc token_sign(struct token_room *room, enum signing_alg alg, struct str typ, struct str claims,
                   int64_t now, struct buffer *out_jwt) MUST_CHECK;

/*
 * Checks the signature of a JWT that one of our keys made, also of one that has been retired but is
 * still in the store. What its claims say is the caller's to judge, typ as well (RFC 8725 3.11).
 *
 * out_jws  views of the text and the arena
 *
 * Answers: RC_OK · RC_NOT_FOUND not ours, or changed.  Faults: the store's.  Blocks.
 */
enum rc token_verify_own(struct token_room *room, struct str jwt, int64_t now, struct arena *arena,
                         struct jws *out_jws) MUST_CHECK;

/* After the commit: puts a token into the live-token table. */
void token_enter(struct token_room *room, const struct token_draft *draft, int64_t now);

/* An active access token. */
struct token_view {
    int64_t id;
    struct live_view live;                    /* live.grant is held: token_view_put */
    unsigned char handle[TOKEN_HANDLE_BYTES]; /* jti carries it */
};

/* A token as somebody presents it. What is not known stays empty: then a token that asks for it is
 * not active. */
struct token_presented {
    struct str value;
    struct str session;           /* the session's id */
    const unsigned char *address; /* of whoever uses the token, as struct http_address; or NULL */
};

/*
 * Whether a presented value is an active access token. One that is tied to a session is so only
 * with its session, from its computer, and within its idle time; a permanent one that is limited to
 * networks only from there. To be found is no use: see token_use.
 *
 * out_why  set on RC_NOT_FOUND; whatever it is, the holder of a wrong value only ever gets
 *          TOKEN_UNKNOWN
 *
 * Answers: RC_OK · RC_NOT_FOUND whatever the reason · RC_WOULD_BLOCK only when !may_block
 * Faults:  the store's
 */
enum rc token_find(struct token_room *room, const struct token_presented *presented, int64_t now,
                   bool may_block, struct token_view *out_view,
                   enum token_inactive *out_why) MUST_CHECK;
void token_view_put(struct token_room *room, struct token_view *view);

/*
 * Counts the use of a token that was found, before the answer that lets its holder in and after all
 * that may refuse it: moves the idle time of its session on (now and then with a commit, so only
 * where that may be waited for), or notes when and from where a permanent token was used.
 *
 * address  as it was presented; NULL: not known
 *
 * Answers: RC_OK, always for tokens without either · RC_WOULD_BLOCK only when !may_block
 * Faults:  the store's: the use does not count, and is not to be let in
 */
enum rc token_use(struct token_room *room, const struct token_view *view,
                  const unsigned char *address, int64_t now, bool may_block) MUST_CHECK;

/* When and from where a permanent token was used last, as far as memory knows: what the store has
 * may be a minute older. */
struct last_use {
    int64_t at;
    unsigned char address[16]; /* zeros: not known */
};

/* False: memory knows of no use. Never blocks. */
bool token_last_use(struct token_room *room, int64_t grant_id, struct last_use *out_use);

/*
 * Tokens of an account's grant are being issued with this unit: memory notes it, and once in
 * GRANT_USE_SAVED_S the unit tells the store, in a step more.
 */
enum { GRANT_USE_SAVED_S = 3600 };
void token_note_issue(struct live_grant *grant, int64_t now, struct store_unit *unit);

/* When a token of a grant was issued or used last, as far as memory knows; 0: it does not. Never
 * blocks. What the store has is up to GRANT_USE_SAVED_S and a token's life older. */
int64_t token_grant_last_use(struct token_room *room, int64_t grant_id);

/* A presented value as a row of the store, of any kind and state, its secret verified. What the
 * live-token table knows as living is not read: whoever acts on it commits, and that decides. */
struct token_record {
    struct token row;
    struct live_grant *grant; /* held: grant_put */
};

/* Answers: RC_OK · RC_NOT_FOUND not ours, wrong secret, or gone.  Faults: the store's.  Blocks. */
enum rc token_read(struct token_room *room, struct str value,
                   struct token_record *out_record) MUST_CHECK;

/* jti of a token: the handle as base64url, 22 characters; or, as 3DM has it, as a UUID of 36. */
enum { TOKEN_JTI_BYTES = 22, TOKEN_JTI_BYTES_MAX = 36 };
struct str token_jti_format(const unsigned char handle[static TOKEN_HANDLE_BYTES],
                            enum token_format format, char out_text[static TOKEN_JTI_BYTES_MAX]);

/* The jti of an opaque token's row: the name by which the outside may know it. */
struct str token_jti_of(struct token_room *room, struct token_handle handle,
                        char out_text[static TOKEN_JTI_BYTES_MAX]);

/* The id and kind that a jti or a handle's text stands for; RC_INVALID. For the command line. */
enum rc token_jti_parse(struct token_room *room, struct str text,
                        struct token_handle *out_handle) MUST_CHECK;

/* Permanent tokens that are neither ended nor expired, for the metrics: counted a minute ago, or
 * longer where counting takes long. False: not counted yet. Never blocks. */
bool token_room_count_permanents(const struct token_room *room, size_t *out_count);

/* True when the table has been filled from the store after the start. */
bool token_room_is_filled(const struct token_room *room);

#endif
