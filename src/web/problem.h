/*
 * web/problem.h: what is wrong with a call of the API, as JSON (RFC 9457). For this room only.
 *
 * The type is about:blank, so the title is the status's phrase. Members of ours: `error`, a word
 * for programs; `field`, the member of the request that is wrong; `value`, the part of it that is.
 */
#ifndef JETON_WEB_PROBLEM_H
#define JETON_WEB_PROBLEM_H

#include "oauth/permanent.h"
#include "web/endpoint.h"

struct problem {
    int status;
    struct str error;
    struct str detail; /* for a developer; empty: none */
    struct str field;  /* empty: none */
    struct str value;  /* UTF-8; empty: none */
};

/* Writes the answer, and forgets what was written so far. */
void problem_answer(struct http_exchange *exchange, const struct problem *problem);

/* The call's refusal or fault, with a challenge where a Bearer token is missing or not good enough
 * (RFC 6750 3). */
void problem_answer_refusal(struct web_call *call);

#endif
