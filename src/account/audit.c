#include "account/audit.h"

#include <time.h>

#include "account/trail.h"
#include "store/shared.h"

enum {
    EVENTS_PER_READ = 16,
    EVENT_BYTES_MAX = 16 * 1024, /* the longest detail that the store has */
    ACCOUNT_BYTES_MAX = 4 * 1024,
    NAMES_BYTES_MAX = CLIENT_TEXTS_BYTES_MAX + SCOPE_BYTES_MAX + ACCOUNT_BYTES_MAX
};

/* ---- from names to numbers ------------------------------------------------------------------- */

static enum rc find_client_id(struct catalog *catalog, struct str text, int64_t *out_id)
{
    struct catalog_client *client;
    struct catalog_service *service;
    enum rc rc = catalog_find_client(catalog, text, true, &client);

    if (rc == RC_OK) {
        *out_id = client->client.id;
        catalog_client_put(client);
    } else if (rc == RC_NOT_FOUND) {
        rc = catalog_find_service(catalog, text, true, &service);
        if (rc == RC_OK) {
            *out_id = service->service.id;
            catalog_service_put(service);
        }
    }
    return rc;
}

static enum rc read_query(struct store *store, struct catalog *catalog,
                          const struct audit_query *query, struct event_filter *filter)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct account account;
    enum rc rc = RC_OK;

    *filter = (struct event_filter){ .kind = query->kind,
                                     .has_address = query->address != NULL,
                                     .since = query->since,
                                     .until = query->until };
    if (query->address != NULL)
        memcpy(filter->address, query->address, sizeof(filter->address));
    if (query->client.len > 0)
        rc = find_client_id(catalog, query->client, &filter->client_id);
    if (rc != RC_OK || query->account.len == 0)
        return rc;
    arena_init(&arena, ACCOUNT_BYTES_MAX);
    rc = store_find_account_by_name(store, query->account, &arena, &account);
    if (rc == RC_OK)
        filter->account_id = account.id;
    return rc;
}

/* ---- from numbers to names ------------------------------------------------------------------- */

static enum rc name_account(struct store *store, int64_t id, struct arena *arena,
                            struct str *out_name)
{
    struct account account;
    enum rc rc = store_find_account(store, id, arena, &account);

    if (rc == RC_OK)
        *out_name = account.name;
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

static enum rc name_client(struct store *store, int64_t id, struct arena *arena,
                           struct str *out_name)
{
    struct client client;
    struct service service;
    enum rc rc = store_find_client(store, id, arena, &client);

    if (rc == RC_OK) {
        *out_name = client.client_id;
        return RC_OK;
    }
    if (rc == RC_NOT_FOUND) {
        rc = store_find_service(store, id, arena, &service);
        if (rc == RC_OK)
            *out_name = service.service_id;
    }
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

static struct str cut(struct str text)
{
    if (text.len <= AUDIT_DETAIL_BYTES_MAX)
        return text;
    text.len = AUDIT_DETAIL_BYTES_MAX;
    while (!str_is_utf8(text))
        text.len--;
    return text;
}

static enum rc fill_row(struct store *store, const struct event *event, struct arena *arena,
                        struct audit_row *out_row)
{
    __attribute__((cleanup(arena_deinit))) struct arena names = { 0 };
    struct str account = STR("");
    struct str client = STR("");
    enum rc rc = RC_OK;

    arena_init(&names, NAMES_BYTES_MAX);
    if (event->account_id != 0)
        rc = name_account(store, event->account_id, &names, &account);
    if (rc == RC_OK && event->client_id != 0)
        rc = name_client(store, event->client_id, &names, &client);
    if (rc != RC_OK)
        return rc;
    *out_row = (struct audit_row){ .event = *event,
                                   .account = arena_copy(arena, account),
                                   .client = arena_copy(arena, client) };
    out_row->event.detail = arena_copy(arena, cut(event->detail));
    return RC_OK;
}

/* ---- the way back ---------------------------------------------------------------------------- */

/* Where what was written until then begins, by halves: ids and times grow together. */
static enum rc skip_newer(struct store *store, int64_t until, int64_t *before_id)
{
    int64_t at = until < INT64_MAX - AUDIT_CLOCK_S ? until + AUDIT_CLOCK_S : INT64_MAX;
    struct event event;
    int64_t low = 0;
    enum rc rc = store_find_event_back(store, *before_id, 0, &event);

    if (rc != RC_OK || event.at <= at)
        return rc;
    *before_id = event.id;
    while (*before_id - low > 1) {
        int64_t middle = low + (*before_id - low) / 2;

        rc = store_find_event_back(store, middle + 1, 0, &event);
        if (rc != RC_OK && rc != RC_NOT_FOUND)
            return rc;
        if (rc == RC_OK && event.at > at)
            *before_id = event.id;
        else
            low = middle;
    }
    return RC_OK;
}

static bool is_narrow(const struct event_filter *filter)
{
    return filter->kind != 0 || filter->account_id != 0 || filter->client_id != 0 ||
           filter->has_address || filter->since != 0 || filter->until != 0;
}

/* out_end: the last event that is looked at; its id is 0 where that is the first of all. */
static enum rc find_end(struct store *store, struct event_filter *filter, struct audit_walk *walk,
                        struct event *out_end)
{
    enum rc rc = RC_OK;

    *out_end = (struct event){ .id = 0 };
    if (!is_narrow(filter))
        return RC_OK;
    if (filter->until != 0)
        rc = skip_newer(store, filter->until, &walk->before_id);
    if (rc == RC_OK)
        rc = store_find_event_back(store, walk->before_id, AUDIT_WALK_COUNT - 1, out_end);
    if (rc == RC_OK)
        filter->after_id = out_end->id - 1;
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

static enum rc list_rows(struct store *store, const struct event_filter *filter, int64_t before_id,
                         struct arena *arena, struct audit_row *out_rows, size_t max,
                         size_t *out_count)
{
    __attribute__((cleanup(arena_deinit))) struct arena read = { 0 };
    struct event events[EVENTS_PER_READ];
    size_t total = 0;
    size_t count = 1;
    enum rc rc = RC_OK;

    arena_init(&read, (size_t)EVENTS_PER_READ * EVENT_BYTES_MAX);
    while (rc == RC_OK && count > 0 && total < max) {
        size_t left = max - total;

        arena_reset(&read);
        rc = store_search_events(store, filter, before_id, &read, events,
                                 left < EVENTS_PER_READ ? left : EVENTS_PER_READ, &count);
        for (size_t i = 0; rc == RC_OK && i < count; i++) {
            rc = fill_row(store, &events[i], arena, &out_rows[total + i]);
            before_id = events[i].id;
        }
        total += rc == RC_OK ? count : 0;
    }
    if (rc == RC_OK)
        *out_count = total;
    return rc;
}

enum rc audit_list(struct store *store, struct catalog *catalog, const struct audit_query *query,
                   struct audit_walk *walk, struct arena *arena, struct audit_row *out_rows,
                   size_t max, size_t *out_count)
{
    struct event_filter filter;
    struct event end = { .id = 0 };
    size_t count = 0;
    enum rc rc = read_query(store, catalog, query, &filter);

    if (rc == RC_OK)
        rc = find_end(store, &filter, walk, &end);
    if (rc == RC_OK)
        rc = list_rows(store, &filter, walk->before_id, arena, out_rows, max, &count);
    if (rc != RC_OK && rc != RC_NOT_FOUND)
        return rc;
    *walk = (struct audit_walk){ .before_id = 0 };
    if (count == max)
        walk->before_id = out_rows[max - 1].event.id;
    else if (end.id > 0 && end.at >= filter.since - AUDIT_CLOCK_S)
        *walk = (struct audit_walk){ .before_id = end.id, .looked_back_until = end.at };
    *out_count = count;
    return RC_OK;
}

/* ---- times ----------------------------------------------------------------------------------- */

enum { TIME_BYTES = sizeof("2026-11-22T06:13:28Z") };

static const char time_format[] = "%Y-%m-%dT%H:%M:%SZ";

static enum rc read_second(struct str text, int64_t *out_at)
{
    char bytes[TIME_BYTES];
    char again[TIME_BYTES];
    struct tm parts = { 0 };
    uint64_t seconds;
    time_t at;

    if (str_parse_u64(text, INT32_MAX * (uint64_t)64, &seconds)) {
        *out_at = (int64_t)seconds;
        return RC_OK;
    }
    if (text.len != TIME_BYTES - 1)
        return RC_INVALID;
    memcpy(bytes, text.at, text.len);
    bytes[text.len] = '\0';
    if (strptime(bytes, time_format, &parts) == NULL)
        return RC_INVALID;
    at = timegm(&parts);
    /* timegm has made a time of whatever it was */
    if (strftime(again, sizeof(again), time_format, &parts) != sizeof(again) - 1 ||
        strcmp(bytes, again) != 0) /* the 31st of February, and whatever else is no time */
        return RC_INVALID;
    *out_at = at;
    return RC_OK;
}

enum rc audit_time_read(struct str text, int64_t *out_at)
{
    enum { SECOND_BYTES = TIME_BYTES - 2, FRACTION_BYTES_MAX = 9 };
    char whole[TIME_BYTES];
    struct buffer second = buffer_over(whole, sizeof(whole));
    struct str rest;

    if (text.len <= SECOND_BYTES || text.at[SECOND_BYTES] != '.')
        return read_second(text, out_at);
    rest = str_from(text, SECOND_BYTES + 1);
    if (rest.len < 2 || rest.len > FRACTION_BYTES_MAX + 1)
        return RC_INVALID;
    for (size_t i = 0; i + 1 < rest.len; i++) {
        if (rest.at[i] < '0' || rest.at[i] > '9')
            return RC_INVALID;
    }
    buffer_append(&second, text.at, SECOND_BYTES);
    buffer_append_byte(&second, rest.at[rest.len - 1]);
    return read_second(buffer_str(&second), out_at);
}

/* ---- what seals it --------------------------------------------------------------------------- */

/* Their numbers have no gap: the rows before one are those behind a smaller one, turned around.
 * Only the first ones may have left. */
enum rc audit_list_checkpoints(struct store *store, int64_t before_number,
                               struct checkpoint *out_rows, size_t max, size_t *out_count)
{
    struct checkpoint last;
    enum rc rc = store_find_last_checkpoint(store, &last);
    int64_t end;
    size_t count;

    if (rc == RC_NOT_FOUND) {
        *out_count = 0;
        return RC_OK;
    }
    if (rc != RC_OK)
        return rc;
    end = before_number <= last.number ? before_number : last.number + 1;
    if (end - 1 < (int64_t)max)
        max = end > 1 ? (size_t)(end - 1) : 0;
    rc = max == 0 ? RC_NOT_FOUND
                  : store_list_checkpoints(store, end - 1 - (int64_t)max, out_rows, max, &count);
    if (rc != RC_OK && rc != RC_NOT_FOUND)
        return rc;
    count = rc == RC_OK ? count : 0;
    while (count > 0 && out_rows[count - 1].number >= end)
        count--;
    for (size_t i = 0; i < count / 2; i++) {
        struct checkpoint other = out_rows[i];

        out_rows[i] = out_rows[count - 1 - i];
        out_rows[count - 1 - i] = other;
    }
    *out_count = count;
    return RC_OK;
}

static struct str copy_bytes(struct arena *arena, const unsigned char *bytes, size_t count)
{
    return arena_copy(arena, (struct str){ (const char *)bytes, count });
}

enum rc audit_list_sealed(struct store *store, int64_t before_number, struct arena *arena,
                          struct audit_checkpoint *out_rows, size_t max, size_t *out_count)
{
    struct checkpoint *rows = arena_alloc(arena, (max + 1) * sizeof(*rows));
    size_t count, total = 0;
    enum rc rc = audit_list_checkpoints(store, before_number, rows, max + 1, &count);

    if (rc != RC_OK)
        return rc;
    for (size_t i = 0; i < count && total < max; i++) {
        const struct checkpoint *row = &rows[i];

        if (row->is_open)
            continue;
        out_rows[total++] = (struct audit_checkpoint){
            .number = row->number,
            .at = row->at,
            .last_event_id = row->last_event_id,
            .event_count = row->event_count,
            .trimmed_at = row->trimmed_at,
            .digest = copy_bytes(arena, row->digest, sizeof(row->digest)),
            .public_key = copy_bytes(arena, row->public_key, sizeof(row->public_key)),
            .signature = copy_bytes(arena, row->signature, sizeof(row->signature))
        };
    }
    *out_count = total;
    return RC_OK;
}

/* The head was read before the checkpoint: a server that seals meanwhile is not to blame. */
static enum rc judge_seal(const unsigned char *master_key, const struct trail_head *head,
                          const struct checkpoint *last, bool *out_is_broken)
{
    struct trail_key key;
    enum rc rc;

    *out_is_broken = head->number > last->number ||
                     (head->number == last->number && head->number > 0 &&
                      memcmp(head->digest, last->digest, DIGEST_BYTES) != 0); /* tidy: public */
    if (last->number == 0 || *out_is_broken)
        return RC_OK;
    rc = trail_key_open(master_key, &key);
    if (rc != RC_OK)
        return rc;
    rc = trail_verify(key.public_bytes, last);
    trail_key_close(&key);
    *out_is_broken = rc == RC_REFUSED;
    return rc == RC_REFUSED ? RC_OK : rc;
}

static enum rc find_head(struct store *store, const unsigned char *master_key,
                         struct trail_head *out_head, bool *out_is_broken)
{
    const struct trail_key key = { .master_key = master_key };
    enum rc rc = trail_head_find(store, &key, out_head);

    *out_is_broken = rc == RC_INVALID;
    if (rc == RC_INVALID || rc == RC_NOT_FOUND)
        out_head->number = 0;
    return rc == RC_INVALID || rc == RC_NOT_FOUND ? RC_OK : rc;
}

static enum rc find_kept_since(struct store *store, int64_t *out_at)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct checkpoint trimmed;
    struct trail_event first;
    size_t count = 0;
    enum rc rc = store_find_trimmed_checkpoint(store, &trimmed);

    if (rc == RC_OK)
        *out_at = trimmed.at;
    if (rc != RC_NOT_FOUND)
        return rc;
    arena_init(&arena, 2 * (size_t)EVENT_BYTES_MAX);
    rc = store_list_trail(store, INT64_MIN, INT64_MAX, &arena, &first, 1, &count);
    if (rc == RC_OK)
        *out_at = count > 0 ? first.at : 0;
    return rc;
}

enum rc audit_find_seal(struct store *store, const unsigned char *master_key,
                        struct audit_seal *out_seal)
{
    struct audit_seal seal = { .number = 0 };
    struct checkpoint last = { .number = 0 };
    struct checkpoint rows[2]; /* the newest may be open */
    struct trail_head head = { .number = 0 };
    bool is_head_broken = false;
    size_t count = 0;
    enum rc rc = find_head(store, master_key, &head, &is_head_broken);

    if (rc == RC_OK)
        rc = audit_list_checkpoints(store, INT64_MAX, rows, 2, &count);
    for (size_t i = 0; rc == RC_OK && last.number == 0 && i < count; i++) {
        if (!rows[i].is_open)
            last = rows[i];
    }
    if (rc == RC_OK)
        rc = judge_seal(master_key, &head, &last, &seal.is_broken);
    if (rc == RC_OK)
        rc = find_kept_since(store, &seal.kept_since);
    if (rc != RC_OK)
        return rc;
    seal.is_broken = seal.is_broken || is_head_broken;
    seal.number = last.number;
    seal.at = last.at;
    *out_seal = seal;
    return RC_OK;
}

struct audit_restoration audit_restoration_of(const struct store *store)
{
    struct store_restored restored = store_restored(store);

    return (struct audit_restoration){ .taken_at = restored.taken_at, .at = restored.at };
}
