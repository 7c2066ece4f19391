#include "daemon/doctor.h"

#include "base/clock.h"
#include "daemon/house.h"
#include "store/shared.h"
#include "store/trail.h"

enum {
    ERROR_BYTES = 512,
    ARENA_BYTES = 1024 * 1024,
    KEY_COUNT = 64,
    CLOCK_SLACK_S = 5, /* as servers of one database may differ */
    UNSEALED_S = 60,   /* each second has its checkpoint while a server runs */
    MAIL_COUNT_GOOD = 100
};

static const char *format_time(int64_t at, char out_text[static SINK_TIME_BYTES])
{
    sink_time_format(at, out_text);
    return out_text;
}

static void look_at_schema(struct doctor *doctor, struct store *store)
{
    struct store_schema_view view;

    store_view_schema(store, &view);
    if (view.version == view.known_version)
        doctor_say(doctor, FINDING_OK, "schema", "%lld, of %s", (long long)view.version,
                   store_is_shared(store) ? "PostgreSQL" : "SQLite");
    else
        doctor_say(doctor, FINDING_WARN, "schema",
                   view.version < view.known_version
                       ? "%lld; this program's is %lld, and its next start brings it there: make a "
                         "backup before"
                       : "%lld is newer than this program's, %lld: update it",
                   (long long)view.version, (long long)view.known_version);
}

static void look_at_rows(struct doctor *doctor, struct store *store)
{
    char bytes[ERROR_BYTES];
    struct buffer words = buffer_over(bytes, sizeof(bytes));

    if (!doctor->is_deep)
        return;
    if (store_verify(store, &words) == RC_OK)
        doctor_say(doctor, FINDING_OK, "integrity", "%.*s", STR_ARGS(buffer_str(&words)));
    else
        doctor_say(doctor, FINDING_FAIL, "integrity", "%.*s: restore a backup",
                   STR_ARGS(buffer_str(&words)));
}

static void look_at_past(struct doctor *doctor, struct store *store)
{
    struct store_restored restored = store_restored(store);
    char taken[SINK_TIME_BYTES];
    char at[SINK_TIME_BYTES];

    if (restored.at != 0)
        doctor_say(doctor, FINDING_WARN, "restored",
                   "at %s, from a backup of %s: what was made or revoked in between is not known",
                   format_time(restored.at, at), format_time(restored.taken_at, taken));
}

/* *out_event has id 0 where there is none. */
static enum rc find_newest(struct store *store, struct arena *arena, struct event *out_event)
{
    size_t count = 0;

    *out_event = (struct event){ .id = 0 };
    return store_list_events(store, INT64_MAX, arena, out_event, 1, &count);
}

static void look_at_clock(struct doctor *doctor, const struct event *newest)
{
    long long ahead_s = (long long)(newest->at - clock_now_s());
    char now[SINK_TIME_BYTES];

    if (newest->id != 0 && ahead_s > CLOCK_SLACK_S)
        doctor_say(doctor, FINDING_FAIL, "clock",
                   "it is %s here, and the newest event is %lld s ahead: one of the two was wrong",
                   format_time(clock_now_s(), now), ahead_s);
    else
        doctor_say(doctor, FINDING_OK, "clock", "it is %s here, and no event is newer",
                   format_time(clock_now_s(), now));
}

static void look_at_trail(struct doctor *doctor, struct store *store, const struct event *newest)
{
    struct checkpoint last = { .number = 0 };
    char at[SINK_TIME_BYTES];
    enum rc rc = store_find_last_checkpoint(store, &last);

    if (rc != RC_OK && rc != RC_NOT_FOUND) {
        doctor_say(doctor, FINDING_FAIL, "audit trail", "%s", rc_words(rc));
        return;
    }
    if (newest->id > last.last_event_id && newest->at < clock_now_s() - UNSEALED_S &&
        doctor->server_pid > 0)
        doctor_say(
            doctor, FINDING_FAIL, "audit trail",
            "events of a minute ago and older are under no checkpoint: see the server's log");
    else if (rc == RC_NOT_FOUND)
        doctor_say(doctor, FINDING_OK, "audit trail", "has no checkpoint yet");
    else
        doctor_say(doctor, FINDING_OK, "audit trail",
                   "the last checkpoint is of %s; 'jeton audit verify' checks all of them",
                   format_time(last.at, at));
}

static void look_at_keys(struct doctor *doctor, struct store *store, struct arena *arena)
{
    struct key *rows = arena_alloc(arena, KEY_COUNT * sizeof(*rows));
    char at[SINK_TIME_BYTES];
    int64_t newest_at = 0;
    size_t count = 0;
    enum rc rc = store_list_keys(store, arena, rows, KEY_COUNT, &count);

    for (size_t i = 0; rc == RC_OK && i < count; i++) {
        if (rows[i].created_at > newest_at)
            newest_at = rows[i].created_at;
    }
    if (rc != RC_OK)
        doctor_say(doctor, FINDING_FAIL, "signing keys", "%s", rc_words(rc));
    else if (count == 0)
        doctor_say(doctor, FINDING_OK, "signing keys", "none yet: the first start makes them");
    else
        doctor_say(doctor, FINDING_OK, "signing keys", "%zu, the newest of %s", count,
                   format_time(newest_at, at));
}

static void look_at_mails(struct doctor *doctor, struct store *store)
{
    size_t count = 0;
    enum rc rc = store_count_mails(store, &count);

    if (rc != RC_OK)
        doctor_say(doctor, FINDING_FAIL, "mails", "%s", rc_words(rc));
    else
        doctor_say(doctor, count > MAIL_COUNT_GOOD ? FINDING_WARN : FINDING_OK, "mails",
                   "%zu wait to be sent", count);
}

static void look_inside(struct doctor *doctor, struct store *store)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct event newest;
    enum rc rc;

    arena_init(&arena, ARENA_BYTES);
    look_at_schema(doctor, store);
    look_at_rows(doctor, store);
    look_at_past(doctor, store);
    rc = find_newest(store, &arena, &newest);
    if (rc != RC_OK) {
        doctor_say(doctor, FINDING_FAIL, "store", "%s", rc_words(rc));
        return;
    }
    look_at_clock(doctor, &newest);
    look_at_trail(doctor, store, &newest);
    look_at_keys(doctor, store, &arena);
    look_at_mails(doctor, store);
}

void doctor_look_at_store(struct doctor *doctor)
{
    const struct settings *settings = &doctor->settings;
    const struct house_config config = {
        .data = settings->data,
        .database = settings->database_settings.uri.len > 0 ? &settings->database : NULL,
        .master_key_file = settings->master_key_file,
    };
    char bytes[ERROR_BYTES];
    struct buffer error = buffer_over(bytes, sizeof(bytes));
    struct store *store;
    enum rc rc = house_open_to_read(&config, &store, &error);

    if (rc == RC_NOT_FOUND) {
        doctor_say(doctor, FINDING_OK, "store", "is not there yet: the first start makes it");
        return;
    }
    if (rc != RC_OK) {
        doctor_say(doctor, FINDING_FAIL, "store", "%.*s", STR_ARGS(buffer_str(&error)));
        return;
    }
    look_inside(doctor, store);
    store_close(store);
}
