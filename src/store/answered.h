/*
 * store/answered.h: requests that came with a key of their own (Idempotency-Key), and what they
 * were answered, for a while. A part of store/store.h.
 *
 * A row is inserted before the act, without an answer, and gets it afterwards. Of two requests of
 * one key, on whatever node, one inserts it.
 */
#ifndef JETON_STORE_ANSWERED_H
#define JETON_STORE_ANSWERED_H

#include "store/store.h"

struct answered {
    int64_t id;
    unsigned char digest[DIGEST_BYTES];  /* SHA-256 of who asks, and the key */
    unsigned char request[DIGEST_BYTES]; /* SHA-256 of what was asked        */
    int64_t status;                      /* 0: there is no answer yet        */
    struct str sealed;                   /* bytes: the answer                */
    int64_t until;
};

/* Without an answer. RC_EXISTS when there is one of that digest whose time is not over; one insert
 * that a uniqueness rule lets win decides. */
void store_insert_answered(struct store_unit *unit, const struct answered *answered, int64_t now);

/* The answer: status and sealed text. */
void store_finish_answered(struct store_unit *unit, const struct answered *answered);

/* Nothing was done: whoever asks again begins anew. */
void store_delete_answered(struct store_unit *unit, int64_t id);

/* RC_NOT_FOUND also when its time is over. */
enum rc store_find_answered(struct store *store, const unsigned char digest[static DIGEST_BYTES],
                            int64_t now, struct arena *arena,
                            struct answered *out_answered) MUST_CHECK;

#endif
