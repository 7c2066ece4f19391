/*
 * A shared engine that stands still, goes away and lies as a test wants: SQLite's driver, told to
 * be one. What other processes write comes through a connection of the test's own, as texts.
 *
 * Defines driver_choose, so a program that includes it has no other engine.
 */
#ifndef JETON_TEST_STORE_STAND_IN_H
#define JETON_TEST_STORE_STAND_IN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "../waiting.h"
#include "store/room.h"

static struct {
    _Atomic bool is_down;           /* nothing is answered, nobody can connect          */
    _Atomic bool is_feed_held;      /* the feed is not read any further                 */
    _Atomic int64_t clock_ahead_ms; /* of this machine's                                */
    _Atomic bool is_writer_away;    /* the writer has seen that it is down              */
    _Atomic unsigned feed_count;    /* connections that were made for the feed          */
    _Atomic unsigned query_count;   /* of the feed                                      */
    _Atomic unsigned begin_count;   /* transactions                                     */
    struct driver_session *_Atomic feed;
} stand_in;

static struct driver stand_in_driver;

static inline void stand_in_pause(int64_t milliseconds)
{
    const struct timespec pause = { .tv_sec = milliseconds / 1000,
                                    .tv_nsec = milliseconds % 1000 * 1000000 };

    nanosleep(&pause, NULL);
}

static enum rc stand_in_open(const struct store_config *config, enum session_role role,
                             struct driver_session **out_session, struct buffer *out_error)
{
    bool is_feed = role == SESSION_FEED;
    enum rc rc;

    if (atomic_load(&stand_in.is_down)) {
        buffer_append_str(out_error, STR("nobody answers"));
        return RC_UNAVAILABLE;
    }
    rc = driver_sqlite.open(config, is_feed ? SESSION_READER : role, out_session, out_error);
    if (rc == RC_OK && is_feed) {
        atomic_store(&stand_in.feed, *out_session);
        atomic_fetch_add(&stand_in.feed_count, 1);
    }
    return rc;
}

static enum rc stand_in_begin(struct driver_session *session, enum gate gate, int64_t deadline_ns)
{
    atomic_fetch_add(&stand_in.begin_count, 1);
    if (atomic_load(&stand_in.is_down)) {
        atomic_store(&stand_in.is_writer_away, true);
        return RC_UNAVAILABLE;
    }
    return driver_sqlite.begin(session, gate, deadline_ns);
}

static enum rc stand_in_commit(struct driver_session *session, struct driver_run *changes,
                               size_t count)
{
    enum rc rc = driver_sqlite.commit(session, changes, count);

    if (rc == RC_OK)
        atomic_store(&stand_in.is_writer_away, false);
    return rc;
}

static enum driver_health stand_in_health(const struct driver_session *session)
{
    return atomic_load(&stand_in.is_writer_away) ? HEALTH_AWAY : driver_sqlite.health(session);
}

static enum rc stand_in_query(struct driver_session *session, enum statement statement,
                              const struct store_param *params, unsigned param_count)
{
    bool is_feed = session == atomic_load(&stand_in.feed);

    while (is_feed && atomic_load(&stand_in.is_feed_held))
        stand_in_pause(1);
    if (is_feed)
        atomic_fetch_add(&stand_in.query_count, 1);
    if (atomic_load(&stand_in.is_down))
        return RC_UNAVAILABLE;
    return driver_sqlite.query(session, statement, params, param_count);
}

static void stand_in_finish(struct driver_session *session)
{
    /* Also after a query that never began. */
    if (!atomic_load(&stand_in.is_down))
        driver_sqlite.finish(session);
}

static enum rc stand_in_wait(struct driver_session *session, int timeout_ms)
{
    (void)session;
    stand_in_pause(timeout_ms);
    return atomic_load(&stand_in.is_down) ? RC_UNAVAILABLE : RC_OK;
}

static void stand_in_set_limit(struct driver_session *session, int64_t limit_ns)
{
    (void)session;
    (void)limit_ns;
}

static enum rc stand_in_read_clock(struct driver_session *session, int64_t *out_now_ms)
{
    (void)session;
    *out_now_ms = clock_now_ms() + atomic_load(&stand_in.clock_ahead_ms);
    return RC_OK;
}

static struct str stand_in_last_error(const struct driver_session *session)
{
    return atomic_load(&stand_in.is_down) ? STR("nobody answers")
                                          : driver_sqlite.last_error(session);
}

enum rc driver_choose(const struct store_config *config, const struct driver **out_driver,
                      struct buffer *out_error)
{
    (void)config;
    (void)out_error;
    stand_in_driver = driver_sqlite;
    stand_in_driver.is_shared = true;
    stand_in_driver.open = stand_in_open;
    stand_in_driver.begin = stand_in_begin;
    stand_in_driver.commit = stand_in_commit;
    stand_in_driver.health = stand_in_health;
    stand_in_driver.query = stand_in_query;
    stand_in_driver.finish = stand_in_finish;
    stand_in_driver.wait_for_change = stand_in_wait;
    stand_in_driver.set_limit = stand_in_set_limit;
    stand_in_driver.read_clock = stand_in_read_clock;
    stand_in_driver.last_error = stand_in_last_error;
    *out_driver = &stand_in_driver;
    return RC_OK;
}

static inline void stand_in_reset(void)
{
    atomic_store(&stand_in.is_down, false);
    atomic_store(&stand_in.is_feed_held, false);
    atomic_store(&stand_in.clock_ahead_ms, 0);
    atomic_store(&stand_in.is_writer_away, false);
}

/* Another process commits a text. */
static inline void stand_in_write(const char *folder, const char *text)
{
    char path[256];
    char *words = NULL;
    sqlite3 *db;

    snprintf(path, sizeof(path), "%s/jeton.db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    if (sqlite3_exec(db, text, NULL, NULL, &words) != SQLITE_OK)
        print_message("%s: %s\n", text, words);
    assert_null(words);
    sqlite3_close(db);
}

/* What another process commits, and its row of the feed. */
static inline void stand_in_change(const char *folder, enum store_change_kind kind, int64_t key)
{
    char text[160];

    snprintf(text, sizeof(text), "INSERT INTO change (at, kind, key) VALUES (%lld, %d, %lld)",
             (long long)clock_now_s(), (int)kind, (long long)key);
    stand_in_write(folder, text);
}

#endif
