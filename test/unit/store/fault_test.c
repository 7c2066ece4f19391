/*
 * The world breaks: kill -9 under load, a disk that is full, an fsync that fails, a write that
 * fails at every possible moment (LG-06; figures 6 and 8 of the security list). Whatever was
 * acknowledged stays, and nothing is acknowledged that is not on disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "fixture.h"

/* ---- the injector: these take the place of libc's for the engine's library ------------------ */

enum injection { INJECT_NOTHING, INJECT_NTH_CALL, INJECT_WRITES, INJECT_SYNCS };

static struct {
    _Atomic int injection;
    _Atomic int calls_left; /* INJECT_NTH_CALL: that many succeed before one fails */
    _Atomic int error;
    _Atomic int injected_count;
} injector;

static void inject(enum injection injection, int error, int calls_left)
{
    atomic_store(&injector.error, error);
    atomic_store(&injector.calls_left, calls_left);
    atomic_store(&injector.injected_count, 0);
    atomic_store(&injector.injection, injection);
}

static bool must_fail(enum injection kind)
{
    int injection = atomic_load(&injector.injection);
    bool fails = injection == (int)kind ||
                 (injection == INJECT_NTH_CALL && atomic_fetch_sub(&injector.calls_left, 1) == 0);

    if (!fails)
        return false;
    atomic_fetch_add(&injector.injected_count, 1);
    errno = atomic_load(&injector.error);
    return true;
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t offset)
{
    return must_fail(INJECT_WRITES) ? -1 : syscall(SYS_pwrite64, fd, bytes, len, offset);
}

int fdatasync(int fd)
{
    return must_fail(INJECT_SYNCS) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return must_fail(INJECT_SYNCS) ? -1 : (int)syscall(SYS_fsync, fd);
}

int ftruncate64(int fd, off64_t len)
{
    return must_fail(INJECT_WRITES) ? -1 : (int)syscall(SYS_ftruncate, fd, len);
}

static enum rc insert_one(struct fixture *fixture, int64_t *out_id)
{
    struct token token = { .issued_at = fixture->now };
    enum rc rc = store_next_id(fixture->store, SEQUENCE_TOKEN, &token.id);

    *out_id = token.id;
    return rc == RC_OK ? COMMIT_ONE(fixture, store_insert_token, &token) : rc;
}

static bool token_is_there(struct fixture *fixture, int64_t id)
{
    struct token found;

    return store_find_token(fixture->store, id, &found) == RC_OK;
}

/* ---- kill -9 -------------------------------------------------------------------------------- */

enum { KILL_COUNT = 30, ACKNOWLEDGED_PER_KILL_COUNT = 700, LOAD_THREAD_COUNT = 16 };

/* What the child tells: facts that were acknowledged. One write each, so never a torn one. */
struct fact {
    int64_t id;
    int64_t is_revoked;
};

static struct fixture *load_fixture;
static int load_fd;

static void *load_main(void *context)
{
    (void)context;
    for (;;) {
        struct token token = sample_token(load_fixture, 5, false);
        struct event event = { .at = load_fixture->now,
                               .kind = EVENT_TOKEN_ISSUED,
                               .token_id = token.id,
                               .detail = STR("") };
        struct fact fact = { .id = token.id };
        struct store_unit unit;

        store_unit_init(&unit);
        store_insert_token(&unit, &token);
        store_insert_event(&unit, &event);
        if (store_commit(load_fixture->store, &unit) != RC_OK ||
            write(load_fd, &fact, sizeof(fact)) != sizeof(fact))
            _exit(1);
        if (token.id % 3 != 0)
            continue;
        fact.is_revoked = 1;
        if (COMMIT_ONE(load_fixture, store_revoke_token, token.id, load_fixture->now,
                       token.expires_at) != RC_OK ||
            write(load_fd, &fact, sizeof(fact)) != sizeof(fact))
            _exit(1);
    }
    return NULL;
}

static void child_under_load(struct fixture *fixture, int fd)
{
    pthread_t threads[LOAD_THREAD_COUNT];
    int index;

    fixture->store = NULL;
    if (fixture_try_open(fixture, false, &fixture->store) != RC_OK)
        _exit(2);
    load_fixture = fixture;
    load_fd = fd;
    for (index = 0; index < LOAD_THREAD_COUNT; index++) {
        if (pthread_create(&threads[index], NULL, load_main, NULL) != 0)
            _exit(3);
    }
    for (;;)
        pause();
}

/* Kills a child in the middle of its work; answers how many facts it had acknowledged. */
static size_t kill_one(struct fixture *fixture, struct fact *facts, size_t max)
{
    size_t target = ACKNOWLEDGED_PER_KILL_COUNT;
    size_t count = 0;
    int ends[2];
    int status;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        child_under_load(fixture, ends[1]);
    }
    close(ends[1]);
    while (count < max && read(ends[0], &facts[count], sizeof(*facts)) == sizeof(*facts)) {
        if (++count == target)
            kill(child, SIGKILL);
    }
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return count;
}

static void expect_facts(struct fixture *fixture, const struct fact *facts, size_t count)
{
    size_t index;

    for (index = 0; index < count; index++) {
        struct token found;

        assert_int_equal(store_find_token(fixture->store, facts[index].id, &found), RC_OK);
        assert_true(found.is_revoked || facts[index].is_revoked == 0);
    }
}

static void test_kill_9_loses_nothing_acknowledged(void **state)
{
    enum { FACT_COUNT_MAX = 200000 };
    struct fixture *fixture = *state;
    struct fact *facts = calloc(FACT_COUNT_MAX, sizeof(*facts));
    size_t known_count = 0;
    size_t count = 0;
    int round;

    assert_non_null(facts);
    for (round = 0; round < KILL_COUNT; round++) {
        count += kill_one(fixture, facts + count, FACT_COUNT_MAX - count);
        assert_true(count >= (size_t)(round + 1) * ACKNOWLEDGED_PER_KILL_COUNT);
        fixture_open(fixture);
        expect_facts(fixture, facts + known_count, count - known_count);
        known_count = count;
        store_close(fixture->store);
        fixture->store = NULL;
    }
    fixture_open(fixture);
    expect_facts(fixture, facts, count);
    free(facts);
}

/* ---- full disk ------------------------------------------------------------------------------ */

static void wait_until_writable(struct fixture *fixture)
{
    int64_t deadline_ms = clock_monotonic_ms() + 20 * 1000;

    while (!store_is_writable(fixture->store) && clock_monotonic_ms() < deadline_ms)
        usleep(2000);
    assert_true(store_is_writable(fixture->store));
}

static void test_full_disk_refuses_and_recovers_by_itself(void **state)
{
    struct fixture *fixture = *state;
    int64_t before;
    int64_t during;
    int64_t after;

    assert_int_equal(insert_one(fixture, &before), RC_OK);
    inject(INJECT_WRITES, ENOSPC, 0);
    assert_int_equal(insert_one(fixture, &during), RC_UNAVAILABLE);
    assert_false(store_is_writable(fixture->store));
    assert_true(token_is_there(fixture, before));
    assert_false(token_is_there(fixture, during));
    inject(INJECT_NOTHING, 0, 0);
    /* Nobody writes: the store finds out alone. */
    wait_until_writable(fixture);
    assert_int_equal(insert_one(fixture, &after), RC_OK);
    fixture_reopen(fixture);
    assert_true(token_is_there(fixture, before) && token_is_there(fixture, after));
    assert_false(token_is_there(fixture, during));
}

static int fill_small_disk(struct fixture *fixture)
{
    char path[192];
    int64_t last = 0;
    int64_t refused = 0;
    int64_t id;
    int fd;

    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return 77;
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", fixture->dir, "tmpfs", 0, "size=2m,mode=0700") != 0)
        return 77;
    if (fixture_try_open(fixture, false, &fixture->store) != RC_OK)
        return 1;
    /* Something else takes all room but a little. */
    snprintf(path, sizeof(path), "%s/ballast", fixture->dir);
    fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    for (id = 1024 * 1024; id > 0 && fd >= 0; id /= 2) {
        while (posix_fallocate(fd, lseek(fd, 0, SEEK_END), id) == 0)
            lseek(fd, 0, SEEK_END);
    }
    while (insert_one(fixture, &id) == RC_OK && last < 100000)
        last = id;
    refused = id;
    if (store_is_writable(fixture->store) || (refused != 0 && token_is_there(fixture, refused)) ||
        (last != 0 && !token_is_there(fixture, last)))
        return 2;
    if (close(fd) != 0 || unlink(path) != 0)
        return 3;
    for (id = clock_monotonic_ms() + 20 * 1000; !store_is_writable(fixture->store);) {
        if (clock_monotonic_ms() > id)
            return 4;
        usleep(2000);
    }
    if (insert_one(fixture, &id) != RC_OK || !token_is_there(fixture, id) ||
        (refused != 0 && token_is_there(fixture, refused)) ||
        (last != 0 && !token_is_there(fixture, last)))
        return 5;
    store_close(fixture->store);
    return 0;
}

static void test_full_tmpfs_refuses_and_recovers_by_itself(void **state)
{
    struct fixture *fixture = *state;
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        _exit(fill_small_disk(fixture));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WIFSIGNALED(status) ? WTERMSIG(status) : 0, 0);
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- fsync ---------------------------------------------------------------------------------- */

static void test_failed_fsync_stops_all_writing_until_restart(void **state)
{
    struct fixture *fixture = *state;
    struct account account = sample_account(fixture, "ada");
    int64_t before;
    int64_t during;
    int64_t after;

    assert_int_equal(insert_one(fixture, &before), RC_OK);
    fixture->change_count = 0;
    inject(INJECT_SYNCS, EIO, 0);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_account, &account), RC_UNAVAILABLE);
    assert_int_equal(fixture->change_count, 0); /* nobody is told of what is not stored */
    inject(INJECT_NOTHING, 0, 0);
    assert_false(store_is_writable(fixture->store));
    assert_int_equal(insert_one(fixture, &during), RC_UNAVAILABLE);
    assert_false(token_is_there(fixture, during));
    assert_true(token_is_there(fixture, before));
    fixture_reopen(fixture);
    assert_true(store_is_writable(fixture->store));
    assert_true(token_is_there(fixture, before));
    assert_int_equal(insert_one(fixture, &after), RC_OK);
}

/* ---- the n-th call fails -------------------------------------------------------------------- */

enum { UNITS_PER_RUN_COUNT = 4, CALL_COUNT_MAX = 400 };

/* One life of a store in which one call fails; false when there was no n-th call any more. */
static bool live_through(struct fixture *fixture, int calls_left, int error)
{
    int64_t acknowledged[UNITS_PER_RUN_COUNT];
    int64_t spent = 0;
    int count = 0;
    int index;
    bool was_injected;

    inject(INJECT_NTH_CALL, error, calls_left);
    if (fixture_try_open(fixture, false, &fixture->store) == RC_OK) {
        for (index = 0; index < UNITS_PER_RUN_COUNT; index++) {
            struct token token = { .issued_at = fixture->now };
            struct store_unit unit;

            if (store_next_id(fixture->store, SEQUENCE_TOKEN, &token.id) != RC_OK)
                continue;
            store_unit_init(&unit);
            store_spend_token(&unit, token.id, 1, token.id, fixture->now, 0);
            store_insert_token(&unit, &token);
            if (store_commit(fixture->store, &unit) == RC_OK)
                acknowledged[count++] = spent = token.id;
        }
        store_close(fixture->store);
        fixture->store = NULL;
    }
    was_injected = atomic_load(&injector.injected_count) > 0;
    inject(INJECT_NOTHING, 0, 0);
    fixture_open(fixture);
    for (index = 0; index < count; index++) {
        assert_true(token_is_there(fixture, acknowledged[index]));
        assert_int_equal(
            COMMIT_ONE(fixture, store_spend_token, acknowledged[index], 1, 9, fixture->now, 0),
            RC_SPENT);
    }
    store_close(fixture->store);
    fixture->store = NULL;
    return was_injected;
}

static void fail_each_call(struct fixture *fixture, int error)
{
    struct grant family = { .id = 1, .is_family = true };
    int nth = 0;

    fixture_open(fixture);
    assert_int_equal(COMMIT_ONE(fixture, store_insert_grant, &family), RC_OK);
    store_close(fixture->store);
    fixture->store = NULL;
    while (nth < CALL_COUNT_MAX && live_through(fixture, nth, error))
        nth++;
    assert_true(nth > 20); /* there were calls to fail */
    assert_true(nth < CALL_COUNT_MAX);
}

static void test_eio_at_every_call_loses_nothing_acknowledged(void **state)
{
    fail_each_call(*state, EIO);
}

static void test_enospc_at_every_call_loses_nothing_acknowledged(void **state)
{
    fail_each_call(*state, ENOSPC);
}

#define ON_FOLDER(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
#define ON_STORE(test)  cmocka_unit_test_setup_teardown(test, fixture_setup_open, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_FOLDER(test_kill_9_loses_nothing_acknowledged),
        ON_STORE(test_full_disk_refuses_and_recovers_by_itself),
        ON_FOLDER(test_full_tmpfs_refuses_and_recovers_by_itself),
        ON_STORE(test_failed_fsync_stops_all_writing_until_restart),
        ON_FOLDER(test_eio_at_every_call_loses_nothing_acknowledged),
        ON_FOLDER(test_enospc_at_every_call_loses_nothing_acknowledged),
    };

    if (fixture_is_shared())
        return FIXTURE_SKIPPED; /* of files */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
