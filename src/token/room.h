/*
 * token/room.h: the inside of struct token_room, for the files of this room only.
 */
#ifndef JETON_TOKEN_ROOM_H
#define JETON_TOKEN_ROOM_H

#include <pthread.h>

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

#endif
