/*
 * token/room.h: the inside of struct token_room, for the files of this room only.
 */
#ifndef JETON_TOKEN_ROOM_H
#define JETON_TOKEN_ROOM_H

#include <pthread.h>

#include "jose/jwe.h"
#include "token/token_room.h"

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

    pthread_t keeper; /* fills the table, tends the keys */
    bool has_keeper;
    pthread_mutex_t keeper_lock;
    pthread_cond_t keeper_wake;
    bool is_stopping;    /* guarded by keeper_lock */
    bool has_key_change; /* guarded by keeper_lock */
    _Atomic bool is_filled;
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

/*
 * Whether a session-bound grant's token is presented as its session asks: its id, its address, in
 * time, looked at in this order. RC_OK is a use of the session and moves its idle time on.
 *
 * The store learns of uses so far apart as a thirtieth of the idle time, a second at least and a
 * minute at most, by the commit of whoever comes first; the others do not wait for it. So a session
 * that is read from the store again (a restart, another node) may seem unused for so much longer
 * than it was, never shorter. A commit that fails harms nobody as long as what the store has would
 * still do; from then on the fault is the answer, and the use does not count.
 *
 * A clock that goes back makes no use earlier than one before it and ends nothing.
 *
 * grant    with a session
 * out_why  set on RC_NOT_FOUND
 *
 * Answers: RC_OK · RC_NOT_FOUND · RC_WOULD_BLOCK the store must be asked or told, and !may_block
 * Faults:  the store's
 */
enum rc session_use(struct store *store, const struct live_grant *grant,
                    const struct token_presented *presented, int64_t now, bool may_block,
                    enum token_inactive *out_why) MUST_CHECK;

#endif
