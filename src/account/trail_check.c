#include "account/trail.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

enum {
    EVENTS_PER_READ = 256,
    CHECKPOINTS_PER_READ = 64,
    ARENA_BYTES = 1024 * 1024,
    TIME_BYTES = 24,
    TRIM_S = 3600
};

struct check {
    struct store *store;
    const struct trail_key *key;
    const struct trail_head *expected;
    bool has_seen_expected;
    bool has_seen_head;
    struct trail_head head; /* number 0: none */
    struct arena arena;
    struct trail_event *events; /* EVENTS_PER_READ */
    struct checkpoint before;   /* the one before: number 0 and zeros for the first */
    int64_t before_at;          /* the last event that was seen */
    int64_t before_id;
    int64_t trimmed_number; /* the last checkpoint whose events were removed */
    int64_t trimmed_id;     /* and its last event's id */
    int64_t told_number;    /* the last that an event says so of */
    struct trail_report *report;
    struct buffer *findings;
};

static const char *time_text(int64_t at, char out_text[static TIME_BYTES])
{
    time_t seconds = (time_t)at;
    struct tm parts;

    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(out_text, TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        memcpy(out_text, "?", 2);
    return out_text;
}

__attribute__((format(printf, 2, 3))) static void find(struct check *check, const char *format, ...)
{
    char line[320];
    va_list args;

    if (check->report->finding_count++ >= TRAIL_FINDING_COUNT_MAX)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof(line) - 1, format, args);
    va_end(args);
    buffer_append_str(check->findings, str_of(line));
    buffer_append_byte(check->findings, '\n');
}

static bool is_same_digest(const unsigned char *a, const unsigned char *b)
{
    return memcmp(a, b, DIGEST_BYTES) == 0; /* tidy: public */
}

/* ---- events ---- */

/* What the events of a checkpoint come to. */
struct sum {
    unsigned char digest[DIGEST_BYTES];
    int64_t count;
    int64_t first_id, first_at;
    int64_t last_id, last_at;
};

static void take_event(struct check *check, struct sum *sum, const struct trail_event *event)
{
    if (sum->count++ == 0) {
        sum->first_id = event->id;
        sum->first_at = event->at;
    }
    sum->last_id = event->id;
    sum->last_at = event->at;
    if (event->kind == EVENT_AUDIT_TRIMMED && event->token_id > check->told_number)
        check->told_number = event->token_id;
}

static enum rc sum_events(struct check *check, const struct checkpoint *checkpoint,
                          struct sum *out_sum)
{
    struct digest_stream *stream = trail_digest_begin(checkpoint->number, check->before.digest);
    int64_t after_id = check->before.number == 0 ? INT64_MIN : check->before.last_event_id;
    struct sum sum = { .count = 0 };
    size_t count;
    enum rc rc;

    do {
        arena_reset(&check->arena);
        rc = store_list_trail(check->store, after_id, checkpoint->last_event_id, &check->arena,
                              check->events, EVENTS_PER_READ, &count);
        for (size_t i = 0; rc == RC_OK && i < count; i++) {
            trail_digest_add(stream, &check->events[i]);
            take_event(check, &sum, &check->events[i]);
            after_id = check->events[i].id;
        }
    } while (rc == RC_OK && count > 0);
    digest_stream_end(stream, sum.digest);
    if (rc == RC_OK)
        *out_sum = sum;
    return rc;
}

/* A server may have trimmed it since it was read. */
static enum rc read_again(struct check *check, struct checkpoint *checkpoint)
{
    size_t count;
    struct checkpoint now;
    enum rc rc = store_list_checkpoints(check->store, checkpoint->number - 1, &now, 1, &count);

    /* It may be gone itself: then the first that is there says that events before it are. */
    if (rc == RC_OK && count == 1 && now.number >= checkpoint->number)
        checkpoint->trimmed_at = now.trimmed_at;
    return rc;
}

static void blame_events(struct check *check, const struct checkpoint *checkpoint,
                         const struct sum *sum)
{
    char from[TIME_BYTES];
    char to[TIME_BYTES];
    long long count = (long long)sum->count;
    long long expected = (long long)checkpoint->event_count;
    const char *what = count < expected   ? "events were removed"
                       : count > expected ? "events were added"
                                          : "an event was changed";

    find(check,
         "checkpoint %lld: %s: it covers %lld events, %lld are there, behind event %lld (%s) up to "
         "event %lld (%s)",
         (long long)checkpoint->number, what, expected, count,
         (long long)check->before.last_event_id,
         check->before_at == 0 ? "the beginning" : time_text(check->before_at, from),
         (long long)checkpoint->last_event_id, time_text(checkpoint->at, to));
}

static enum rc check_events(struct check *check, struct checkpoint *checkpoint)
{
    struct sum sum;
    bool is_good;
    enum rc rc = sum_events(check, checkpoint, &sum);

    if (rc != RC_OK)
        return rc;
    is_good =
        is_same_digest(sum.digest, checkpoint->digest) && sum.count == checkpoint->event_count;
    if (!is_good)
        rc = read_again(check, checkpoint);
    if (rc != RC_OK || checkpoint->trimmed_at > 0)
        return rc;
    if (is_good)
        check->report->event_count += sum.count;
    else
        blame_events(check, checkpoint, &sum);
    return RC_OK;
}

/* ---- checkpoints ---- */

static void compare_noted(struct check *check, const struct checkpoint *checkpoint)
{
    if (check->expected != NULL && check->expected->number == checkpoint->number) {
        check->has_seen_expected = true;
        if (!is_same_digest(check->expected->digest, checkpoint->digest))
            find(check, "checkpoint %lld is another one than was noted",
                 (long long)checkpoint->number);
    }
    if (check->head.number == checkpoint->number) {
        check->has_seen_head = true;
        if (!is_same_digest(check->head.digest, checkpoint->digest))
            find(check, "checkpoint %lld is another one than the server's last",
                 (long long)checkpoint->number);
    }
}

static enum rc check_checkpoint(struct check *check, struct checkpoint *checkpoint)
{
    long long number = (long long)checkpoint->number;
    enum rc rc;

    /* Before one without events none is needed: what follows goes on from its digest alone. */
    if (checkpoint->number != check->before.number + 1 && checkpoint->trimmed_at == 0)
        find(check, "checkpoints %lld to %lld are missing", (long long)check->before.number + 1,
             number - 1);
    if (checkpoint->last_event_id <= check->before.last_event_id)
        find(check, "checkpoint %lld ends before the one before it", number);
    rc = trail_verify(check->key->public_bytes, checkpoint);
    if (rc == RC_REFUSED)
        find(check, "checkpoint %lld is not signed with this server's key, or was changed", number);
    else if (rc != RC_OK)
        return rc;
    compare_noted(check, checkpoint);
    rc = checkpoint->trimmed_at == 0 ? check_events(check, checkpoint) : RC_OK;
    if (rc == RC_OK && checkpoint->trimmed_at > 0) {
        check->trimmed_number = checkpoint->number;
        check->trimmed_id = checkpoint->last_event_id;
        check->report->trimmed_at = checkpoint->trimmed_at;
        check->report->trimmed_until = checkpoint->at;
    }
    check->before = *checkpoint;
    check->before_at = checkpoint->at;
    check->report->checkpoint_count++;
    check->report->last = *checkpoint;
    return rc;
}

static enum rc check_checkpoints(struct check *check)
{
    struct checkpoint rows[CHECKPOINTS_PER_READ];
    int64_t open_number = 0;
    int64_t after = 0;
    size_t count;
    enum rc rc;

    do {
        rc = store_list_checkpoints(check->store, after, rows, CHECKPOINTS_PER_READ, &count);
        for (size_t i = 0; rc == RC_OK && i < count; i++) {
            after = rows[i].number;
            if (open_number > 0)
                find(check, "checkpoint %lld is empty", (long long)open_number);
            open_number = rows[i].is_open ? rows[i].number : 0;
            if (!rows[i].is_open)
                rc = check_checkpoint(check, &rows[i]);
        }
    } while (rc == RC_OK && count > 0);
    return rc;
}

/* ---- the whole ---- */

static enum rc read_head(struct check *check)
{
    enum rc rc = trail_head_find(check->store, check->key, &check->head);

    if (rc == RC_INVALID)
        find(check, "the sealed head of the trail was changed");
    return rc == RC_INVALID || rc == RC_NOT_FOUND ? RC_OK : rc;
}

static enum rc count_later(struct check *check)
{
    int64_t after_id = check->before.last_event_id;
    struct sum sum = { .count = 0 };
    size_t count;
    enum rc rc;

    do {
        arena_reset(&check->arena);
        rc = store_list_trail(check->store, after_id, INT64_MAX, &check->arena, check->events,
                              EVENTS_PER_READ, &count);
        for (size_t i = 0; rc == RC_OK && i < count; i++) {
            take_event(check, &sum, &check->events[i]);
            after_id = check->events[i].id;
        }
    } while (rc == RC_OK && count > 0);
    check->report->later_count = sum.count;
    check->report->later_since = sum.first_at;
    return rc;
}

/* What was removed is gone soon after it was marked. */
static enum rc check_trimmed(struct check *check)
{
    size_t count = 0;
    enum rc rc;

    if (check->trimmed_number == 0 || check->report->trimmed_at > clock_now_s() - TRIM_S)
        return RC_OK;
    arena_reset(&check->arena);
    rc = store_list_trail(check->store, INT64_MIN, check->trimmed_id, &check->arena, check->events,
                          1, &count);
    if (rc == RC_OK && count > 0)
        find(check, "event %lld stands among those that were removed",
             (long long)check->events[0].id);
    return rc;
}

static void conclude(struct check *check)
{
    const struct trail_report *report = check->report;

    if (check->head.number > 0 && !check->has_seen_head)
        find(check,
             "the end was cut off: checkpoint %lld was the last one once, and the last one that "
             "is there is %lld",
             (long long)check->head.number, (long long)report->last.number);
    if (check->head.number == 0 && report->last.number > 0 && report->finding_count == 0)
        find(check, "the sealed head of the trail is missing");
    if (check->expected != NULL && !check->has_seen_expected)
        find(check,
             check->expected->number < check->trimmed_number
                 ? "checkpoint %lld, which was noted, was removed with its events: note a newer one"
                 : "checkpoint %lld, which was noted, is missing",
             (long long)check->expected->number);
    if (check->trimmed_number > check->told_number)
        find(check, "checkpoint %lld says that its events were removed, and no event tells of it",
             (long long)check->trimmed_number);
}

enum rc trail_check(struct store *store, const struct trail_key *key,
                    const struct trail_head *expected, struct trail_report *out_report,
                    struct buffer *out_findings)
{
    struct trail_report report = { .event_count = 0 };
    struct check check = { .store = store,
                           .key = key,
                           .expected = expected,
                           .report = &report,
                           .findings = out_findings };
    enum rc rc;

    arena_init(&check.arena, ARENA_BYTES);
    check.events = calloc(EVENTS_PER_READ, sizeof(*check.events));
    ASSERT(check.events != NULL);
    rc = read_head(&check);
    if (rc == RC_OK)
        rc = check_checkpoints(&check);
    if (rc == RC_OK)
        rc = count_later(&check);
    if (rc == RC_OK)
        rc = check_trimmed(&check);
    free(check.events);
    arena_deinit(&check.arena);
    if (rc != RC_OK)
        return rc;
    conclude(&check);
    *out_report = report;
    return report.finding_count > 0 ? RC_REFUSED : RC_OK;
}
