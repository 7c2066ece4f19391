/* Sessions in browsers: SE-01, SE-05, SE-06. */
#include "two_factor.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "account/browser_session.h"

/* Far from now, so that the store's own sweep never comes near. */
#define START ((int64_t)4000000000)

/* The disk that takes nothing any more: in the place of libc's for the engine's library. */
static _Atomic bool disk_is_broken;

int fdatasync(int fd)
{
    if (atomic_load(&disk_is_broken)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

struct opened {
    char value[BROWSER_VALUE_BYTES];
    struct browser_session session;
};

static enum rc try_begin(struct fixture *fixture, struct browser_begin begin,
                         struct opened *out_opened)
{
    struct address from = address_v4(9);
    struct store_unit unit;

    begin.address = from.bytes;
    begin.device = STR("Agent/1.0");
    store_unit_init(&unit);
    assert_int_equal(browser_session_begin(fixture->store, &begin, &unit, out_opened->value,
                                           &out_opened->session),
                     RC_OK);
    assert_true(unit.step_count <= 3);
    return store_commit(fixture->store, &unit);
}

static struct opened begin_session(struct fixture *fixture, int64_t account_id,
                                   enum session_stage stage, int64_t now)
{
    struct browser_begin begin = { .account_id = account_id, .stage = stage, .now = now };
    struct opened opened;

    assert_int_equal(try_begin(fixture, begin, &opened), RC_OK);
    return opened;
}

static struct str value_of(const struct opened *opened)
{
    return (struct str){ opened->value, BROWSER_VALUE_BYTES };
}

static enum rc find(struct fixture *fixture, const struct opened *opened, int64_t now)
{
    struct browser_session session;
    struct account account;

    return browser_session_find(fixture->store, value_of(opened), now, &fixture->arena, &session,
                                &account);
}

static int64_t saved_last_active_at(struct fixture *fixture, const struct opened *opened)
{
    struct browser_session saved;

    assert_int_equal(
        store_find_browser_session(fixture->store, opened->session.digest, &fixture->arena, &saved),
        RC_OK);
    return saved.last_active_at;
}

static void test_session_is_found_by_its_value(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);
    struct opened opened = begin_session(fixture, ada, STAGE_SIGNED_IN, START);
    struct opened second = begin_session(fixture, ada, STAGE_SIGNED_IN, START);
    struct browser_session session;
    struct account account;
    struct address from = address_v4(9);
    unsigned char digest[DIGEST_BYTES];

    assert_memory_not_equal(opened.value, second.value, BROWSER_VALUE_BYTES);
    assert_int_equal(browser_session_find(fixture->store, value_of(&opened), START + 1,
                                          &fixture->arena, &session, &account),
                     RC_OK);
    assert_int_equal(session.id, opened.session.id);
    assert_int_equal(session.stage, STAGE_SIGNED_IN);
    assert_memory_equal(session.address, from.bytes, sizeof(session.address));
    assert_true(str_equal(session.device, STR("Agent/1.0")));
    assert_true(session.created_at == START && session.proved_at == START);
    assert_int_equal(session.expires_at, START + BROWSER_LIFETIME_S);
    assert_int_equal(account.id, ada);
    assert_true(str_equal(account.name, STR("ada")));
    /* The store knows the digest and no more. */
    digest_sha256(value_of(&opened), digest);
    assert_memory_equal(session.digest, digest, DIGEST_BYTES);
    /* It outlives a restart. */
    fixture_restart(fixture);
    assert_int_equal(find(fixture, &opened, START + 2), RC_OK);
}

static void test_only_the_very_value_is_good(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);
    struct opened opened = begin_session(fixture, ada, STAGE_SIGNED_IN, START);
    char bytes[BROWSER_VALUE_BYTES + 1] = { 0 };
    const struct str wrong[] = { STR(""),
                                 { bytes, BROWSER_VALUE_BYTES - 1 },
                                 { bytes, BROWSER_VALUE_BYTES + 1 },
                                 { (const char *)opened.session.digest, DIGEST_BYTES } };
    struct browser_session session = { .id = 5 };
    struct account account = { .id = 6 };

    memcpy(bytes, opened.value, BROWSER_VALUE_BYTES);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(browser_session_find(fixture->store, wrong[i], START, &fixture->arena,
                                              &session, &account),
                         RC_NOT_FOUND);
    for (size_t i = 0; i < BROWSER_VALUE_BYTES; i++) {
        struct opened forged = opened;

        forged.value[i] = forged.value[i] == 'A' ? 'B' : 'A';
        assert_int_equal(find(fixture, &forged, START), RC_NOT_FOUND);
    }
    assert_true(session.id == 5 && account.id == 6); /* untouched */
    assert_int_equal(find(fixture, &opened, START), RC_OK);
}

/* ---- SE-05 ---------------------------------------------------------------------------------- */

static void test_se_05_idle_session_is_over(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);
    struct opened opened = begin_session(fixture, ada, STAGE_SIGNED_IN, START);
    int64_t now = START;

    for (int index = 0; index < 3; index++) {
        now += BROWSER_IDLE_S - 1;
        assert_int_equal(find(fixture, &opened, now), RC_OK);
    }
    assert_int_equal(find(fixture, &opened, now + BROWSER_IDLE_S), RC_NOT_FOUND);
    assert_int_equal(saved_last_active_at(fixture, &opened), now); /* which is no use of it */
}

static void test_se_05_session_is_over_at_the_latest_after_a_day(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);
    struct opened opened = begin_session(fixture, ada, STAGE_SIGNED_IN, START);
    int64_t now;

    for (now = START; now < START + BROWSER_LIFETIME_S; now += BROWSER_IDLE_S / 2)
        assert_int_equal(find(fixture, &opened, now), RC_OK);
    assert_int_equal(find(fixture, &opened, START + BROWSER_LIFETIME_S - 1), RC_OK);
    assert_int_equal(find(fixture, &opened, START + BROWSER_LIFETIME_S), RC_NOT_FOUND);
}

static void test_unfinished_sign_in_is_over_soon(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);
    struct opened opened = begin_session(fixture, ada, STAGE_NEEDS_CODE, START);

    assert_int_equal(opened.session.proved_at, 0);
    assert_true(browser_session_needs_proof(&opened.session, START));
    assert_int_equal(find(fixture, &opened, START + BROWSER_CODE_S - 1), RC_OK);
    assert_int_equal(find(fixture, &opened, START + BROWSER_CODE_S), RC_NOT_FOUND);
}

static void test_proof_grows_old(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);
    struct opened opened = begin_session(fixture, ada, STAGE_SIGNED_IN, START);

    assert_false(browser_session_needs_proof(&opened.session, START));
    assert_false(browser_session_needs_proof(&opened.session, START + BROWSER_PROOF_S));
    assert_true(browser_session_needs_proof(&opened.session, START + BROWSER_PROOF_S + 1));
    opened.session.stage = STAGE_NEEDS_CODE;
    assert_true(browser_session_needs_proof(&opened.session, START));
}

static void test_use_is_noted_once_a_minute(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);
    struct opened opened = begin_session(fixture, ada, STAGE_SIGNED_IN, START);
    struct browser_session session;
    struct account account;
    struct store_counts before;
    struct store_counts after;

    store_counts(fixture->store, &before);
    for (int index = 0; index < 50; index++)
        assert_int_equal(find(fixture, &opened, START + BROWSER_TOUCH_S - 1), RC_OK);
    store_counts(fixture->store, &after);
    assert_int_equal(after.units, before.units);
    assert_int_equal(saved_last_active_at(fixture, &opened), START);
    for (int index = 0; index < 50; index++)
        assert_int_equal(browser_session_find(fixture->store, value_of(&opened),
                                              START + BROWSER_TOUCH_S, &fixture->arena, &session,
                                              &account),
                         RC_OK);
    store_counts(fixture->store, &after);
    assert_int_equal(after.units, before.units + 1);
    assert_int_equal(session.last_active_at, START + BROWSER_TOUCH_S);
    assert_int_equal(saved_last_active_at(fixture, &opened), START + BROWSER_TOUCH_S);
    /* A clock that is set back takes nothing away. */
    assert_int_equal(find(fixture, &opened, START - 100), RC_OK);
    assert_int_equal(saved_last_active_at(fixture, &opened), START + BROWSER_TOUCH_S);
}

/* ---- SE-01 ---------------------------------------------------------------------------------- */

static void test_se_01_renewal_ends_the_old_value(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);
    struct opened half = begin_session(fixture, ada, STAGE_NEEDS_CODE, START);
    struct browser_begin begin = { .account_id = ada,
                                   .stage = STAGE_SIGNED_IN,
                                   .now = START + 20,
                                   .replaces_id = half.session.id };
    struct opened whole;
    struct opened twin;

    assert_int_equal(try_begin(fixture, begin, &whole), RC_OK);
    assert_memory_not_equal(half.value, whole.value, BROWSER_VALUE_BYTES);
    assert_int_equal(find(fixture, &half, START + 20), RC_NOT_FOUND);
    assert_int_equal(find(fixture, &whole, START + 20), RC_OK);
    /* A second answer to the same question gives nothing. */
    assert_int_equal(try_begin(fixture, begin, &twin), RC_NOT_FOUND);
    assert_int_equal(find(fixture, &twin, START + 20), RC_NOT_FOUND);
    assert_int_equal(find(fixture, &whole, START + 20), RC_OK);
}

/* ---- SE-06 ---------------------------------------------------------------------------------- */

/* What ends all sessions of an account. */
static void change_password(struct fixture *fixture, int64_t account_id)
{
    struct secret password = secret_of("another");

    assert_int_equal(
        account_change_password(fixture->store, account_id, &password, CHEAP,
                                &(struct act_note){ .detail = STR("changed"), .now = START },
                                &fixture->error_text),
        RC_OK);
}

static void disable(struct fixture *fixture, int64_t account_id)
{
    struct store_unit unit;

    store_unit_init(&unit);
    store_disable_account(&unit, account_id);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
}

static void enrol_another(struct fixture *fixture, int64_t account_id)
{
    struct authenticator made = enrol(fixture, account_id);

    assert_true(made.uri_bytes > 0);
}

static void remove_factors(struct fixture *fixture, int64_t account_id)
{
    assert_int_equal(
        factor_remove_all(fixture->store, account_id,
                          &(struct act_note){ .detail = STR("removed"), .now = START }),
        RC_OK);
}

/* A hundred wrong passwords, each from where nothing is held up. */
static void lock_out(struct fixture *fixture, int64_t account_id)
{
    fixture_set_lockout(fixture, LOCKOUT_DISABLE, 0);
    for (int index = 0; index < 100; index++) {
        struct entry entry = { .name = "ada",
                               .password = "wrong",
                               .from = (unsigned char)(index + 1),
                               .now = NOON + index * (int64_t)86400 };

        assert_int_equal(enter(fixture, entry, NULL), SIGN_IN_WRONG);
    }
    assert_true(read_account(fixture, account_id).is_disabled);
}

static void test_se_06_what_ends_sessions_ends_unfinished_ones_too(void **state)
{
    struct fixture *fixture = *state;
    void (*const acts[])(struct fixture *, int64_t) = { enrol_another, change_password,
                                                        remove_factors, lock_out, disable };
    int64_t ada = make_account(fixture, "ada", "right", false);
    int64_t bob = make_account(fixture, "bob", "right", false);
    struct opened foreign = begin_session(fixture, bob, STAGE_SIGNED_IN, START);

    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        struct opened whole;
        struct opened half;
        struct opened late;
        struct store_unit unit;

        store_unit_init(&unit);
        store_enable_account(&unit, ada);
        assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
        whole = begin_session(fixture, ada, STAGE_SIGNED_IN, START);
        half = begin_session(fixture, ada, STAGE_NEEDS_CODE, START);
        acts[i](fixture, ada);
        store_unit_init(&unit);
        store_enable_account(&unit, ada); /* which brings none of them back */
        assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
        assert_int_equal(find(fixture, &whole, START + 1), RC_NOT_FOUND);
        assert_int_equal(find(fixture, &half, START + 1), RC_NOT_FOUND);
        /* Nor does the code that comes now finish the sign-in. */
        assert_int_equal(try_begin(fixture,
                                   (struct browser_begin){ .account_id = ada,
                                                           .stage = STAGE_SIGNED_IN,
                                                           .now = START + 1,
                                                           .replaces_id = half.session.id },
                                   &late),
                         RC_NOT_FOUND);
        assert_int_equal(find(fixture, &late, START + 1), RC_NOT_FOUND);
    }
    assert_int_equal(find(fixture, &foreign, START + 1), RC_OK);
}

/* A sign-in takes as long as its hash: what was changed meanwhile counts. */
static void test_se_06_password_that_was_changed_meanwhile_signs_nobody_in(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);
    struct browser_begin begin = { .account_id = ada,
                                   .stage = STAGE_SIGNED_IN,
                                   .password_hash = read_account(fixture, ada).password_hash,
                                   .now = START };
    struct opened opened;

    assert_int_equal(try_begin(fixture, begin, &opened), RC_OK);
    change_password(fixture, ada);
    assert_int_equal(try_begin(fixture, begin, &opened), RC_NOT_FOUND);
    begin.password_hash = read_account(fixture, ada).password_hash;
    assert_int_equal(try_begin(fixture, begin, &opened), RC_OK);
    disable(fixture, ada);
    assert_int_equal(try_begin(fixture, begin, &opened), RC_NOT_FOUND);
    begin.password_hash = STR("");
    assert_int_equal(try_begin(fixture, begin, &opened), RC_NOT_FOUND);
}

/* ---- when the store cannot write ------------------------------------------------------------ */

static void test_use_that_cannot_be_noted_turns_nobody_away(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);
    struct opened opened = begin_session(fixture, ada, STAGE_SIGNED_IN, START);
    struct browser_begin begin = { .account_id = ada, .stage = STAGE_SIGNED_IN, .now = START };
    struct opened late;
    enum rc rc;

    if (fixture->cluster.conn != NULL)
        skip(); /* of files */
    atomic_store(&disk_is_broken, true);
    rc = find(fixture, &opened, START + BROWSER_IDLE_S - 1);
    assert_int_equal(rc, RC_OK);
    /* What was not noted does not prolong it; and nothing is begun that is not on disk. */
    assert_int_equal(find(fixture, &opened, START + BROWSER_IDLE_S), RC_NOT_FOUND);
    assert_true(rc_is_fault(try_begin(fixture, begin, &late)));
    atomic_store(&disk_is_broken, false);
    fixture_restart(fixture);
    assert_int_equal(find(fixture, &late, START), RC_NOT_FOUND);
    assert_int_equal(find(fixture, &opened, START), RC_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_session_is_found_by_its_value),
        WITH_STORE(test_only_the_very_value_is_good),
        WITH_STORE(test_se_05_idle_session_is_over),
        WITH_STORE(test_se_05_session_is_over_at_the_latest_after_a_day),
        WITH_STORE(test_unfinished_sign_in_is_over_soon),
        WITH_STORE(test_proof_grows_old),
        WITH_STORE(test_use_is_noted_once_a_minute),
        WITH_STORE(test_se_01_renewal_ends_the_old_value),
        WITH_STORE(test_se_06_what_ends_sessions_ends_unfinished_ones_too),
        WITH_STORE(test_se_06_password_that_was_changed_meanwhile_signs_nobody_in),
        WITH_STORE(test_use_that_cannot_be_noted_turns_nobody_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
