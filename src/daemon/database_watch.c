#include "daemon/database_watch.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/round.h"
#include "store/shared.h"

enum { RETRY_S = 1, LOOK_INTERVAL_MS = 250, FAULTS_INTERVAL_MS = 10 * 1000 };

/* ---- at the start ---- */

enum rc database_await_house(const struct house_config *config, const sigset_t *stop_signals,
                             struct house *out_house, struct buffer *out_error)
{
    const struct timespec pause = { .tv_sec = RETRY_S };
    int64_t until_ms = clock_monotonic_ms() + DATABASE_WAIT_S * INT64_C(1000);
    bool has_waited = false;
    enum rc rc;

    for (;;) {
        rc = house_open(config, out_house, out_error);
        if (rc != RC_UNAVAILABLE || config->database == NULL || clock_monotonic_ms() >= until_ms)
            break;
        if (!has_waited)
            log_event(
                LOG_WARN, "waiting_for_database", LOG_TEXT("database", config->database->place),
                LOG_STR("why", buffer_str(out_error)), LOG_INT("seconds_at_most", DATABASE_WAIT_S));
        has_waited = true;
        if (sigtimedwait(stop_signals, NULL, &pause) > 0)
            return RC_SPENT;
        out_error->len = 0;
    }
    if (rc == RC_OK && has_waited)
        log_event(LOG_INFO, "database_found", LOG_TEXT("database", config->database->place));
    if (rc == RC_OK && out_house->remark[0] != '\0')
        log_event(LOG_WARN, "database_remark", LOG_TEXT("database", config->database->place),
                  LOG_TEXT("remark", out_house->remark));
    return rc;
}

/* ---- later ---- */

struct database_watch {
    struct store *store;
    const char *place;
    int64_t lost_at_ms; /* monotonic; 0: it is there */
    uint64_t fault_count;
    int64_t faults_due_ms; /* monotonic: when they may be told again */
    bool is_clock_off;
    struct round round;
};

static void look_at_store(struct database_watch *watch)
{
    bool is_there = store_is_writable(watch->store) && store_is_trusted(watch->store);
    char memory[STORE_ERROR_BYTES];
    struct buffer why = buffer_over(memory, sizeof(memory));
    int64_t now_ms = clock_monotonic_ms();

    if (is_there == (watch->lost_at_ms == 0))
        return;
    if (is_there) {
        log_event(LOG_INFO, "database_back", LOG_TEXT("database", watch->place),
                  LOG_INT("away_ms", now_ms - watch->lost_at_ms));
        watch->lost_at_ms = 0;
        return;
    }
    watch->lost_at_ms = now_ms;
    store_last_error(watch->store, &why);
    log_event(LOG_ERROR, "database_lost", LOG_TEXT("database", watch->place),
              LOG_STR("why", buffer_str(&why)));
}

/* Commits that failed while it was there, or in between two looks. */
static void look_at_faults(struct database_watch *watch)
{
    char memory[STORE_ERROR_BYTES];
    struct buffer why = buffer_over(memory, sizeof(memory));
    int64_t now_ms = clock_monotonic_ms();
    struct store_counts counts;

    if (now_ms < watch->faults_due_ms)
        return;
    store_counts(watch->store, &counts);
    if (counts.faults > watch->fault_count && watch->lost_at_ms == 0) {
        store_last_error(watch->store, &why);
        log_event(LOG_WARN, "database_faults", LOG_TEXT("database", watch->place),
                  LOG_INT("count", (int64_t)(counts.faults - watch->fault_count)),
                  LOG_STR("why", buffer_str(&why)));
        watch->faults_due_ms = now_ms + FAULTS_INTERVAL_MS;
    }
    watch->fault_count = counts.faults;
}

/* Nobody can serve well by a clock that is wrong: tokens would end early or late (0014). */
static void look_at_clock(struct database_watch *watch)
{
    struct store_feed_view view;
    bool is_off;

    store_view_feed(watch->store, &view);
    is_off = view.clock_offset_ms > STORE_CLOCK_OFFSET_MS_MAX ||
             view.clock_offset_ms < -STORE_CLOCK_OFFSET_MS_MAX;
    if (is_off == watch->is_clock_off)
        return;
    watch->is_clock_off = is_off;
    if (is_off)
        log_event(LOG_ERROR, "clock_off", LOG_TEXT("database", watch->place),
                  LOG_INT("database_ahead_ms", view.clock_offset_ms),
                  LOG_TEXT("advice", "this server is not ready until the clocks agree: see that "
                                     "both follow a time server"));
    else
        log_event(LOG_INFO, "clock_right", LOG_TEXT("database", watch->place));
}

static void *watch_main(void *context)
{
    struct database_watch *watch = context;

    do {
        look_at_store(watch);
        look_at_faults(watch);
        look_at_clock(watch);
    } while (round_wait(&watch->round, LOOK_INTERVAL_MS));
    return NULL;
}

enum rc database_watch_start(struct store *store, const char *place,
                             struct database_watch **out_watch)
{
    struct database_watch *watch;

    *out_watch = NULL;
    if (!store_is_shared(store))
        return RC_OK;
    watch = calloc(1, sizeof(*watch));
    ASSERT(watch != NULL);
    *watch = (struct database_watch){ .store = store, .place = place };
    if (round_start(&watch->round, watch_main, watch) != RC_OK) {
        free(watch);
        return RC_SYSTEM;
    }
    *out_watch = watch;
    return RC_OK;
}

void database_watch_stop(struct database_watch *watch)
{
    if (watch == NULL)
        return;
    round_stop(&watch->round);
    free(watch);
}
