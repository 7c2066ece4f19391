/*
 * account/audit.h: the audit trail as people read it: filtered, with the names behind the numbers.
 */
#ifndef JETON_ACCOUNT_AUDIT_H
#define JETON_ACCOUNT_AUDIT_H

#include "store/catalog.h"
#include "store/store.h"

enum {
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
};

struct audit_row {
    struct event event;
    struct str account; /* empty: none, or gone */
    struct str client;  /* a service's id stands where a client's does */
};

/*
 * Newest first, with id < before_id. An account or client that there is not has no events.
 *
 * out_count   rows; `max` of them: there may be more
 */
enum rc audit_list(struct store *store, struct catalog *catalog, const struct audit_query *query,
                   int64_t before_id, struct arena *arena, struct audit_row *out_rows, size_t max,
                   size_t *out_count) MUST_CHECK;

#endif
