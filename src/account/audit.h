/*
 * account/audit.h: the audit trail as people read it: filtered, with the names behind the numbers.
 */
#ifndef JETON_ACCOUNT_AUDIT_H
#define JETON_ACCOUNT_AUDIT_H

#include "store/catalog.h"
#include "store/trail.h"

enum {
    AUDIT_WALK_COUNT = 20000,      /* events that one call looks at */
    AUDIT_CLOCK_S = 3600,          /* that clocks were wrong or set back, at most */
    AUDIT_DETAIL_BYTES_MAX = 1024, /* what is shown of a detail */
    /* What a row takes from the arena. */
    AUDIT_ROW_BYTES_MAX = AUDIT_DETAIL_BYTES_MAX + ACCOUNT_NAME_BYTES_MAX + CLIENT_ID_BYTES_MAX + 64
};

/* What is asked for; what is empty or 0 says nothing. */
struct audit_query {
    enum event_kind kind;
    struct str account;           /* a name */
    struct str client;            /* the id of a client or service */
    const unsigned char *address; /* 16 bytes, as struct http_address; NULL */
    int64_t since, until;
};

struct audit_row {
    struct event event;
    struct str account; /* empty: none, or gone */
    struct str client;  /* a service's id stands where a client's does */
};

/* A way back through the trail, a part of it at a time. */
struct audit_walk {
    int64_t before_id; /* INT64_MAX: from the newest on; afterwards where it goes on, 0: nowhere */
    int64_t looked_back_until; /* out: it was broken off at events of that time, for so many were
                                  looked at; 0: it was not */
};

/*
 * Newest first, with id < before_id. An account or client that there is not has no events. At most
 * AUDIT_WALK_COUNT events are looked at, so that what is rare is found in several calls; times are
 * found by the order of events, in which they are right but for AUDIT_CLOCK_S.
 *
 * out_count   rows; fewer than `max` where walk->before_id is not 0: it was broken off
 */
enum rc audit_list(struct store *store, struct catalog *catalog, const struct audit_query *query,
                   struct audit_walk *walk, struct arena *arena, struct audit_row *out_rows,
                   size_t max, size_t *out_count) MUST_CHECK;

/* "2026-11-22T06:13:28Z", or Unix seconds. A fraction of a second, as the log has it, is left out.
 * RC_INVALID */
enum rc audit_time_read(struct str text, int64_t *out_at) MUST_CHECK;

/* ---- what seals it --------------------------------------------------------------------------- */

/* Newest first, with number < before_number; an open one has no digest yet. */
enum rc audit_list_checkpoints(struct store *store, int64_t before_number,
                               struct checkpoint *out_rows, size_t max,
                               size_t *out_count) MUST_CHECK;

/* A complete one, as it is shown. */
struct audit_checkpoint {
    int64_t number;
    int64_t at;
    int64_t last_event_id;
    int64_t event_count;
    int64_t trimmed_at; /* its events were removed then; 0: they are there */
    struct str digest;  /* bytes, in the arena, as are: */
    struct str public_key;
    struct str signature;
};

/* The complete ones of those. */
enum rc audit_list_sealed(struct store *store, int64_t before_number, struct arena *arena,
                          struct audit_checkpoint *out_rows, size_t max,
                          size_t *out_count) MUST_CHECK;

/* What is seen of the seal without reading the whole trail (account/trail.h does that). */
struct audit_seal {
    int64_t number;     /* of the last complete checkpoint; 0: nothing is sealed */
    int64_t at;         /* its time */
    int64_t kept_since; /* of the oldest event, or when those before were removed as configured */
    bool is_broken;     /* that checkpoint is not what this server sealed last, or later */
};
enum rc audit_find_seal(struct store *store, const unsigned char *master_key,
                        struct audit_seal *out_seal) MUST_CHECK;

/* Where the store comes from a backup: when that was taken, and when it was restored; 0, 0: it does
 * not. */
struct audit_restoration {
    int64_t taken_at;
    int64_t at;
};
struct audit_restoration audit_restoration_of(const struct store *store);

#endif
