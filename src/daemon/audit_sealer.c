#include "daemon/audit_sealer.h"

#include <stdlib.h>

#include "account/trail.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/audit_line.h"
#include "daemon/audit_syslog.h"
#include "daemon/round.h"
#include "daemon/sink.h"
#include "store/shared.h"

enum {
    PERIOD_MS = 1000,
    FAULT_PERIOD_MS = 5000,
    CLAIM_S = 10,
    TELL_INTERVAL_MS = 60 * 1000,   /* of checkpoints, in the log */
    TRIM_INTERVAL_MS = 3600 * 1000, /* it looks through all checkpoints that are kept */
    TRIM_ROUND_COUNT = 50,          /* deletions in a row */
    DAY_S = 24 * 3600,
    EVENTS_PER_READ = 64,
    ARENA_BYTES = 512 * 1024
};

struct audit_sealer {
    struct store *store;
    const struct audit_settings *settings;
    struct trail_key key;
    struct arena arena;
    char *line;             /* AUDIT_LINE_BYTES, for syslog; NULL */
    int64_t told_number;    /* of the last checkpoint that was told of in the log */
    struct checkpoint last; /* that this server completed */
    int64_t tell_at_ms;
    int64_t trim_at_ms;
    int64_t lost_count; /* events that syslog did not take */
    bool is_failing;
    struct round round;
};

/* ---- elsewhere ---- */

static void write_to_log(const struct trail_event *event)
{
    char at[SINK_TIME_BYTES];
    char from[AUDIT_ADDRESS_BYTES];

    sink_time_format(event->at, at);
    log_event(LOG_INFO, "audit", LOG_INT("id", event->id), LOG_TEXT("audit_at", at),
              LOG_STR("audit_event", event_kind_format((enum event_kind)event->kind)),
              LOG_INT("account_id", event->account_id), LOG_INT("client_id", event->client_id),
              LOG_INT("token_id", event->token_id),
              LOG_STR("address", audit_address_text(event->address, from)),
              LOG_STR("detail", event->detail));
}

static void write_to_syslog(struct audit_sealer *sealer, const struct trail_event *event)
{
    struct buffer text = buffer_over(sealer->line, AUDIT_LINE_BYTES);
    struct json_out json = json_out_over(&text);

    json_begin_object(&json);
    audit_line_members(event, &json);
    json_end_object(&json);
    if (!audit_syslog_write(buffer_str(&text)))
        sealer->lost_count++;
}

static void write_elsewhere(struct audit_sealer *sealer, const struct trail_event *event)
{
    if (sealer->settings->log == AUDIT_LOG_LOG)
        write_to_log(event);
    if (sealer->settings->log == AUDIT_LOG_SYSLOG)
        write_to_syslog(sealer, event);
}

static void tell(struct audit_sealer *sealer, bool is_last)
{
    char bytes[2 * DIGEST_BYTES];
    struct buffer digest = buffer_over(bytes, sizeof(bytes));
    int64_t now_ms = clock_monotonic_ms();

    if (sealer->last.number == sealer->told_number || (!is_last && now_ms < sealer->tell_at_ms))
        return;
    sealer->tell_at_ms = now_ms + TELL_INTERVAL_MS;
    sealer->told_number = sealer->last.number;
    audit_hex_append(sealer->last.digest, DIGEST_BYTES, &digest);
    log_event(LOG_INFO, "audit_checkpoint", LOG_INT("number", sealer->last.number),
              LOG_STR("digest", buffer_str(&digest)));
}

/* ---- sealing ---- */

static bool is_something_new(struct audit_sealer *sealer, const struct checkpoint *last,
                             enum rc *out_rc)
{
    struct trail_event event;
    size_t count = 0;

    arena_reset(&sealer->arena);
    *out_rc = store_list_trail(sealer->store, last->last_event_id, INT64_MAX, &sealer->arena,
                               &event, 1, &count);
    return *out_rc == RC_OK && count > 0;
}

/* RC_NOT_FOUND: there is nothing to seal. RC_SPENT: another server does. */
static enum rc open_next(struct audit_sealer *sealer, struct checkpoint *out_open)
{
    struct checkpoint last = { .number = 0 };
    int64_t now = clock_now_s();
    struct store_unit unit;
    enum rc rc = store_find_last_checkpoint(sealer->store, &last);

    if (rc != RC_OK && rc != RC_NOT_FOUND)
        return rc;
    if (!last.is_open && !is_something_new(sealer, &last, &rc))
        return rc == RC_OK ? RC_NOT_FOUND : rc;
    store_unit_init(&unit);
    if (store_is_shared(sealer->store))
        store_claim_job(&unit, sealer->store, STORE_JOB_SEAL, now, now + CLAIM_S);
    store_open_checkpoint(&unit, now);
    rc = store_commit(sealer->store, &unit);
    if (rc == RC_OK)
        rc = store_find_last_checkpoint(sealer->store, &last);
    if (rc == RC_OK && !last.is_open)
        return RC_SPENT;
    if (rc == RC_OK)
        *out_open = last;
    return rc;
}

static enum rc sum_events(struct audit_sealer *sealer, const struct checkpoint *before,
                          struct checkpoint *open)
{
    struct trail_event events[EVENTS_PER_READ];
    struct digest_stream *stream = trail_digest_begin(open->number, before->digest);
    int64_t after_id = before->last_event_id;
    int64_t event_count = 0;
    size_t count;
    enum rc rc;

    do {
        arena_reset(&sealer->arena);
        rc = store_list_trail(sealer->store, after_id, open->last_event_id, &sealer->arena, events,
                              EVENTS_PER_READ, &count);
        for (size_t i = 0; rc == RC_OK && i < count; i++) {
            trail_digest_add(stream, &events[i]);
            write_elsewhere(sealer, &events[i]);
            after_id = events[i].id;
            event_count++;
        }
    } while (rc == RC_OK && count > 0);
    digest_stream_end(stream, open->digest);
    if (sealer->lost_count > 0)
        log_event(LOG_ERROR, "audit_syslog_lost", LOG_INT("events", sealer->lost_count));
    sealer->lost_count = 0;
    if (rc == RC_OK && event_count != open->event_count)
        log_event(LOG_ERROR, "audit_events_lost", LOG_INT("checkpoint", open->number),
                  LOG_INT("events", open->event_count), LOG_INT("left", event_count));
    return rc;
}

static enum rc find_before(struct audit_sealer *sealer, int64_t number,
                           struct checkpoint *out_before)
{
    struct checkpoint before = { .number = 0 };
    size_t count = 0;
    enum rc rc = RC_OK;

    if (number > 1)
        rc = store_list_checkpoints(sealer->store, number - 2, &before, 1, &count);
    if (rc == RC_OK)
        *out_before = before;
    return rc;
}

static enum rc complete(struct audit_sealer *sealer, struct checkpoint *open)
{
    char sealed[TRAIL_HEAD_BYTES];
    struct checkpoint before;
    struct store_unit unit;
    enum rc rc = find_before(sealer, open->number, &before);

    if (rc == RC_OK)
        rc = sum_events(sealer, &before, open);
    if (rc == RC_OK)
        rc = trail_sign(&sealer->key, open);
    if (rc != RC_OK)
        return rc;
    store_unit_init(&unit);
    store_complete_checkpoint(&unit, open);
    rc = trail_head_put(&sealer->key, open, sealed, &unit);
    if (rc == RC_OK)
        rc = store_commit(sealer->store, &unit);
    if (rc == RC_OK)
        sealer->last = *open;
    return rc;
}

/* ---- retention ---- */

static enum rc mark_old(struct audit_sealer *sealer, int64_t now)
{
    char text[SINK_TIME_BYTES];
    struct checkpoint old;
    struct store_unit unit;
    struct event event = { .at = now, .kind = EVENT_AUDIT_TRIMMED };
    enum rc rc = store_find_old_checkpoint(sealer->store,
                                           now - sealer->settings->retention_days * DAY_S, &old);

    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    sink_time_format(old.at, text);
    event.token_id = old.number;
    event.detail = str_of(text);
    store_unit_init(&unit);
    store_insert_event(&unit, &event);
    store_trim_checkpoints(&unit, old.number, now);
    return store_commit(sealer->store, &unit);
}

/* Whether events or checkpoints are left of those that were marked. */
static enum rc find_rest(struct audit_sealer *sealer, const struct checkpoint *trimmed,
                         bool *out_has_rest)
{
    struct trail_event oldest;
    struct checkpoint first;
    size_t count;
    size_t first_count = 0;
    enum rc rc;

    arena_reset(&sealer->arena);
    rc = store_list_trail(sealer->store, 0, trimmed->last_event_id, &sealer->arena, &oldest, 1,
                          &count);
    if (rc == RC_OK)
        rc = store_list_checkpoints(sealer->store, 0, &first, 1, &first_count);
    if (rc == RC_OK)
        *out_has_rest = count > 0 || (first_count > 0 && first.number < trimmed->number);
    return rc;
}

static enum rc trim(struct audit_sealer *sealer)
{
    struct checkpoint trimmed;
    enum rc rc = mark_old(sealer, clock_now_s());

    if (rc == RC_OK)
        rc = store_find_trimmed_checkpoint(sealer->store, &trimmed);
    for (unsigned round = 0; rc == RC_OK && round < TRIM_ROUND_COUNT; round++) {
        struct store_unit unit;
        bool has_rest = false;

        rc = find_rest(sealer, &trimmed, &has_rest);
        if (rc != RC_OK || !has_rest)
            return rc;
        store_unit_init(&unit);
        store_trim_events(&unit, trimmed.last_event_id);
        store_drop_checkpoints(&unit, trimmed.number);
        rc = store_commit(sealer->store, &unit);
        sealer->trim_at_ms = 0; /* there may be more */
    }
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

/* ---- the thread ---- */

static enum rc work(struct audit_sealer *sealer)
{
    struct checkpoint open;
    int64_t now_ms = clock_monotonic_ms();
    enum rc rc;

    /* More than one where a store is from before, or there is much to tell; but not because of what
     * was written meanwhile, or a server that is always busy would do nothing else. */
    do {
        rc = open_next(sealer, &open);
        if (rc == RC_OK)
            rc = complete(sealer, &open);
    } while (rc == RC_OK && open.event_count == STORE_CHECKPOINT_EVENT_COUNT);
    if (rc == RC_NOT_FOUND)
        rc = RC_OK;
    if (rc == RC_OK && sealer->settings->retention_days > 0 && now_ms >= sealer->trim_at_ms) {
        sealer->trim_at_ms = now_ms + TRIM_INTERVAL_MS;
        rc = trim(sealer);
        if (rc != RC_OK)
            sealer->trim_at_ms = 0;
    }
    return rc;
}

static void report(struct audit_sealer *sealer, enum rc rc)
{
    if (rc == RC_SPENT)
        rc = RC_OK;
    if (rc != RC_OK && !sealer->is_failing)
        log_event(LOG_ERROR, "audit_seal_fault", LOG_TEXT("fault", rc_name(rc)));
    sealer->is_failing = rc != RC_OK;
}

/* The next server need not wait for this one's time to be over. */
static void release(struct audit_sealer *sealer)
{
    int64_t now = clock_now_s();
    struct store_unit unit;

    if (!store_is_shared(sealer->store))
        return;
    store_unit_init(&unit);
    store_claim_job(&unit, sealer->store, STORE_JOB_SEAL, now, now);
    report(sealer, store_commit(sealer->store, &unit));
}

static void *sealer_main(void *context)
{
    struct audit_sealer *sealer = context;
    enum rc rc = RC_OK;

    do {
        rc = work(sealer);
        report(sealer, rc);
        tell(sealer, false);
    } while (round_wait(&sealer->round, rc == RC_OK ? PERIOD_MS : FAULT_PERIOD_MS));
    report(sealer, work(sealer));
    tell(sealer, true);
    release(sealer);
    return NULL;
}

static struct audit_sealer *sealer_new(struct store *store, const struct audit_settings *settings)
{
    struct audit_sealer *sealer = calloc(1, sizeof(*sealer));

    ASSERT(sealer != NULL);
    sealer->store = store;
    sealer->settings = settings;
    arena_init(&sealer->arena, ARENA_BYTES);
    if (settings->log == AUDIT_LOG_SYSLOG) {
        sealer->line = malloc(AUDIT_LINE_BYTES);
        ASSERT(sealer->line != NULL);
        audit_syslog_open();
    }
    return sealer;
}

static void sealer_free(struct audit_sealer *sealer)
{
    trail_key_close(&sealer->key);
    arena_deinit(&sealer->arena);
    free(sealer->line);
    free(sealer);
}

enum rc audit_sealer_start(struct store *store, const struct audit_settings *settings,
                           const unsigned char *master_key, struct audit_sealer **out_sealer)
{
    struct audit_sealer *sealer = sealer_new(store, settings);
    enum rc rc = trail_key_open(master_key, &sealer->key);

    if (rc == RC_OK)
        rc = round_start(&sealer->round, sealer_main, sealer);
    if (rc != RC_OK) {
        sealer_free(sealer);
        return rc;
    }
    *out_sealer = sealer;
    return RC_OK;
}

void audit_sealer_stop(struct audit_sealer *sealer)
{
    if (sealer == NULL)
        return;
    round_stop(&sealer->round);
    sealer_free(sealer);
}
