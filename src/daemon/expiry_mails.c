#include "daemon/expiry_mails.h"

#include "account/notice.h"
#include "oauth/permanent.h"

enum { DAY_S = 24 * 3600, WARNING_COUNT = 2 };

/* How long before the end the first one comes, and the second. */
static const int64_t margins_s[WARNING_COUNT] = { 14 * DAY_S, 1 * DAY_S };

enum {
    ARENA_BYTES = LETTER_EXPIRY_COUNT_MAX * (int)PERMANENT_TEXT_BYTES_MAX +
                  2 * (ACCOUNT_NAME_BYTES_MAX + ACCOUNT_FULL_NAME_BYTES_MAX +
                       ACCOUNT_EMAIL_BYTES_MAX + PASSWORD_HASH_BYTES_MAX)
};

_Static_assert((int)LETTER_EXPIRY_COUNT_MAX + 1 <= (int)STORE_UNIT_STEP_COUNT_MAX,
               "a mail and what it tells of fit");

/* Those of the first account of a list that is ordered by accounts. */
static size_t count_first(const struct permanent *rows, size_t count)
{
    size_t first_count = 0;

    while (first_count < count && rows[first_count].account_id == rows[0].account_id)
        first_count++;
    return first_count;
}

static enum rc queue(struct store *store, const struct letter_head *head,
                     const struct account *account, const struct permanent *tokens, size_t count,
                     int64_t warning)
{
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    UNINITIALIZED struct store_unit unit;
    enum rc rc = letter_write_expiry(head, account, tokens, count, &letter);

    if (rc != RC_OK)
        return rc;
    store_unit_init(&unit);
    for (size_t i = 0; i < count; i++)
        store_count_warning(&unit, tokens[i].id, warning);
    notice_add(letter.row, &unit);
    rc = store_commit(store, &unit);
    return rc == RC_SPENT ? RC_OK : rc; /* another node was quicker */
}

static enum rc queue_warning(struct store *store, const struct letter_head *head, int64_t warning)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct permanent rows[LETTER_EXPIRY_COUNT_MAX];
    struct account account;
    size_t count;
    enum rc rc;

    arena_init(&arena, ARENA_BYTES);
    rc = store_list_expiring(store, head->now, margins_s[warning - 1], warning, &arena, rows,
                             LETTER_EXPIRY_COUNT_MAX, &count);
    if (rc == RC_OK && count == 0)
        return RC_NOT_FOUND;
    if (rc == RC_OK)
        rc = store_find_account(store, rows[0].account_id, &arena, &account);
    if (rc == RC_NOT_FOUND)
        return RC_OK; /* it has just gone */
    return rc == RC_OK ? queue(store, head, &account, rows, count_first(rows, count), warning) : rc;
}

enum rc expiry_mails_queue_next(struct store *store, const struct letter_head *head, int64_t now)
{
    struct letter_head today = *head;
    enum rc rc = RC_NOT_FOUND;

    today.now = now;
    /* The last one first: after a long pause one mail is enough. */
    for (int64_t warning = WARNING_COUNT; warning > 0 && rc == RC_NOT_FOUND; warning--)
        rc = queue_warning(store, &today, warning);
    return rc;
}
