/*
 * oauth/answered.h: requests that may be sent again: the same key and the same request get the same
 * answer, and nothing is done twice.
 *
 * The key is noted before anything is done. A request that fell in between (the server stopped, the
 * store went away) has no answer for as long as its key is remembered: whether it was done is not
 * known, and it is not done again unseen. Answers may hold secrets, so they are sealed.
 *
 * Source: draft-ietf-httpapi-idempotency-key-header. Threads: any that may block.
 */
#ifndef JETON_OAUTH_ANSWERED_H
#define JETON_OAUTH_ANSWERED_H

#include "store/answered.h"

enum {
    ANSWERED_S = 24 * 3600,       /* a key is remembered */
    ANSWERED_KEY_BYTES_MAX = 255, /* of a key            */
    ANSWERED_PLAIN_BYTES_MAX = 320 * 1024
};

struct answered_desk {
    struct store *store;
    const unsigned char *seal_key; /* SEAL_KEY_BYTES; the same on all nodes */
    struct arena *arena;           /* for what was sealed, twice            */
    int64_t now;
};

/* What is asked. */
struct answered_request {
    struct str caller;                   /* whose key it is */
    struct str key;                      /* as sent         */
    unsigned char request[DIGEST_BYTES]; /* SHA-256 of the request */
};

/* What was answered. */
struct answered_answer {
    int64_t status;
    struct str text; /* as it was kept */
};

/*
 * Notes a request. answered_finish or answered_forget comes afterwards.
 *
 * out_id      RC_OK
 * out_answer  RC_EXISTS
 *
 * Answers: RC_OK it is new · RC_EXISTS it was answered · RC_BUSY it is under way, or nobody knows
 * what became of it · RC_SPENT the key came with another request
 * Faults:  the store's (RC_UNAVAILABLE where its queue is full)
 */
enum rc answered_begin(const struct answered_desk *desk, const struct answered_request *request,
                       int64_t *out_id, struct answered_answer *out_answer) MUST_CHECK;

/* Keeps the answer. */
enum rc answered_finish(const struct answered_desk *desk, int64_t id,
                        const struct answered_answer *answer) MUST_CHECK;

/* Nothing was done: the key is free again. */
enum rc answered_forget(const struct answered_desk *desk, int64_t id) MUST_CHECK;

#endif
