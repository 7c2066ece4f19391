/*
 * web/permanent_view.h: permanent tokens as pages and the API show them. For this room only.
 */
#ifndef JETON_WEB_PERMANENT_VIEW_H
#define JETON_WEB_PERMANENT_VIEW_H

#include "http/http.h"
#include "oauth/permanent.h"

enum {
    PERMANENT_SOON_S = 7 * 24 * 3600, /* it is said so long before that a token will expire */
    PERMANENT_ROW_COUNT = 20,         /* rows of a page of a list: what an arena certainly holds */
    PERMANENT_DAYS_DEFAULT = 90,      /* of life, where nobody says for how long */
    PERMANENT_DAYS_MAX = 36500        /* what a number of days may be at all */
};

enum permanent_state {
    PERMANENT_ACTIVE,
    PERMANENT_EXPIRES_SOON,
    PERMANENT_REPLACED, /* it has a successor, and is good nevertheless */
    PERMANENT_EXPIRED,
    PERMANENT_REVOKED
};

enum permanent_state permanent_state_of(const struct permanent *permanent, int64_t now);

/* Good for nothing any more. */
bool permanent_is_over(enum permanent_state state);

/* The address of the last use, in the arena; empty when it was never used or nobody said. */
struct str permanent_last_used_from(const struct permanent *permanent, struct arena *arena);

/* A word of a scope as people see and type it: a service by its name alone. */
struct str permanent_word_shown(struct str word);

/* Days that a token lives when nobody says how many, under a policy (0: no limit). */
int64_t permanent_days_default(int64_t days_max);

#endif
