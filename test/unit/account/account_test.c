/* Names, passwords, and the check of both with a real store (PW-01, PW-02, PW-04, PW-05, PW-07). */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

/* A sign-in by name and password. */
static enum sign_in_verdict check(struct fixture *fixture, const char *name, const char *password,
                                  int64_t now, const char **out_why)
{
    return enter(fixture,
                 (struct entry){ .name = name, .password = password, .from = 7, .now = now },
                 out_why);
}

static void set_disabled(struct fixture *fixture, int64_t id)
{
    struct store_unit unit;

    store_unit_init(&unit);
    store_disable_account(&unit, id);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
}

static void test_names(void **state)
{
    static const struct {
        const char *name;
        enum rc rc;
    } rows[] = {
        { "a", RC_OK },
        { "ada.lovelace@example.org", RC_OK },
        { "Ada Lovelace", RC_OK },
        { "Émile", RC_OK },
        { "日本語", RC_OK },
        { "", RC_INVALID },
        { " ada", RC_INVALID },
        { "ada ", RC_INVALID },
        { "a:b", RC_INVALID }, /* RFC 7617 2 */
        { "a\nb", RC_INVALID },
        { "a\x7f", RC_INVALID },
        { "\xc3", RC_INVALID },
        { "\xed\xa0\x80", RC_INVALID },
    };
    char text[ACCOUNT_NAME_BYTES_MAX + 1];
    char error[256];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buffer words = buffer_over(error, sizeof(error));

        assert_int_equal(account_name_check(str_of(rows[i].name), &words), rows[i].rc);
        assert_true((words.len > 0) == (rows[i].rc != RC_OK));
    }
    memset(text, 'a', sizeof(text));
    for (size_t len = ACCOUNT_NAME_BYTES_MAX; len <= sizeof(text); len++) {
        struct buffer words = buffer_over(error, sizeof(error));

        assert_int_equal(account_name_check((struct str){ text, len }, &words),
                         len <= ACCOUNT_NAME_BYTES_MAX ? RC_OK : RC_INVALID);
    }
}

/* PW-01, PW-02: length in characters, no composition, nothing cut. */
static void test_password_policy(void **state)
{
    static const struct {
        const char *password;
        enum rc text;
        enum rc policy;
    } rows[] = {
        { "", RC_INVALID, RC_INVALID },
        { "a", RC_OK, RC_INVALID },
        { "aaaaaaaaaaaaaa", RC_OK, RC_INVALID },
        { "aaaaaaaaaaaaaaa", RC_OK, RC_OK },
        { "éééééééééééééé", RC_OK, RC_INVALID },
        { "ééééééééééééééé", RC_OK, RC_OK },
        { "with spaces and \"'<> it", RC_OK, RC_OK },
        { "a line\nbreak and more", RC_INVALID, RC_INVALID },
        { "broken \xff utf-8 sequence", RC_INVALID, RC_INVALID },
    };
    char error[256];
    struct secret longest;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct secret secret = secret_of(rows[i].password);
        struct buffer words = buffer_over(error, sizeof(error));

        assert_int_equal(account_password_check_text(&secret, &words), rows[i].text);
        words.len = 0;
        assert_int_equal(account_password_check(&secret, &words), rows[i].policy);
        assert_true((words.len > 0) == (rows[i].policy != RC_OK));
    }
    memset(longest.bytes, 'x', PASSWORD_BYTES_MAX);
    longest.len = PASSWORD_BYTES_MAX;
    assert_int_equal(
        account_password_check(&longest, &(struct buffer){ .at = error, .max_bytes = 256 }), RC_OK);
}

/* PW-01: the 73rd byte matters, and the last of a kilobyte. */
static void test_no_byte_of_a_password_is_cut(void **state)
{
    struct fixture *fixture = *state;
    char password[PASSWORD_BYTES_MAX + 1];

    for (size_t len = 73; len <= PASSWORD_BYTES_MAX; len += PASSWORD_BYTES_MAX - 73) {
        char name[16];

        memset(password, 'x', len);
        password[len] = '\0';
        snprintf(name, sizeof(name), "name%zu", len);
        make_account(fixture, name, password, false);
        assert_int_equal(check(fixture, name, password, NOON, NULL), SIGN_IN_OK);
        password[len - 1] = 'y';
        assert_int_equal(check(fixture, name, password, NOON, NULL), SIGN_IN_WRONG);
        password[len - 1] = '\0';
        assert_int_equal(check(fixture, name, password, NOON, NULL), SIGN_IN_WRONG);
    }
}

static void test_create(void **state)
{
    struct fixture *fixture = *state;
    struct account draft = { .name = STR("ADA"), .created_at = NOON };
    const struct act_note added = { .detail = STR("added"), .now = NOON };
    struct secret password = secret_of("right");
    struct secret empty = { 0 };
    struct account found;
    int64_t id = make_account(fixture, "ada", "right", false);
    int64_t other = -1;

    assert_int_equal(store_find_account(fixture->store, id, &fixture->arena, &found), RC_OK);
    assert_true(str_starts_with(found.password_hash, STR("$argon2id$")));
    assert_int_equal(last_event(fixture).kind, EVENT_ACCOUNT_CHANGED);
    assert_int_equal(last_event(fixture).account_id, id);
    assert_int_equal(account_create(fixture->store, &draft, &password, CHEAP, &added, &other,
                                    &fixture->error_text),
                     RC_EXISTS);
    draft.name = STR("bob");
    assert_int_equal(
        account_create(fixture->store, &draft, &empty, CHEAP, &added, &other, &fixture->error_text),
        RC_INVALID);
    draft.name = STR("b:b");
    assert_int_equal(account_create(fixture->store, &draft, &password, CHEAP, &added, &other,
                                    &fixture->error_text),
                     RC_INVALID);
    assert_int_equal(other, -1);
    assert_int_equal(check(fixture, "Ada", "right", NOON, NULL), SIGN_IN_OK);
}

/* PW-07: one record for every reason; only the log's word differs, and a verdict that nobody gets
 * without the password. */
static void test_every_failure_looks_the_same(void **state)
{
    struct fixture *fixture = *state;
    int64_t disabled = make_account(fixture, "disabled", "right", false);
    const struct {
        const char *name;
        const char *password;
        const char *why;
        enum sign_in_verdict verdict;
    } rows[] = {
        { "nobody", "right", "no such account", SIGN_IN_WRONG },
        { "ada", "wrong", "the password was wrong", SIGN_IN_WRONG },
        { "ada", "", "the password was empty", SIGN_IN_WRONG },
        { "disabled", "right", "the account is disabled", SIGN_IN_DISABLED },
        { "disabled", "wrong", "the account is disabled", SIGN_IN_WRONG },
        { "nobody", "", "no such account", SIGN_IN_WRONG },
        { "no:name", "right", "no such account", SIGN_IN_WRONG },
        { "", "", "no such account", SIGN_IN_WRONG },
    };

    make_account(fixture, "ada", "right", false);
    set_disabled(fixture, disabled);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *why;
        struct event event;

        assert_int_equal(check(fixture, rows[i].name, rows[i].password, NOON + (int64_t)i, &why),
                         rows[i].verdict);
        assert_string_equal(why, rows[i].why);
        event = last_event(fixture);
        assert_int_equal(event.kind, EVENT_PASSWORD_FAILED);
        assert_int_equal(event.at, NOON + (int64_t)i);
        assert_memory_equal(event.address, address_v4(7).bytes, 16);
    }
}

/* PW-05, PW-07: a name that nobody has is held up as one that somebody has, and on disk. */
static void test_unknown_names_are_throttled_alike(void **state)
{
    static const char *const names[] = { "ada", "nobody" };
    struct fixture *fixture = *state;
    const char *why;

    make_account(fixture, "ada", "right", false);
    for (size_t i = 0; i < 2; i++) {
        for (int count = 0; count < THROTTLE_FREE_COUNT; count++)
            assert_int_equal(check(fixture, names[i], "wrong", NOON, NULL), SIGN_IN_WRONG);
    }
    fixture_restart(fixture);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(check(fixture, names[i], "right", NOON, &why), SIGN_IN_WRONG);
        assert_string_equal(why, "the name is held up by failed tries");
        assert_int_equal(last_event(fixture).kind, EVENT_PASSWORD_FAILED);
    }
    assert_int_equal(check(fixture, "ada", "right", NOON + 1, NULL), SIGN_IN_OK);
}

/* PW-04: a hash of too low a cost is replaced when its owner comes. */
static void test_hash_is_upgraded(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = make_account(fixture, "ada", "right", false);
    struct account before;
    struct account after;

    assert_int_equal(store_find_account(fixture->store, id, &fixture->arena, &before), RC_OK);
    fixture->door.cost = DEARER;
    assert_int_equal(check(fixture, "ada", "wrong", NOON, NULL), SIGN_IN_WRONG);
    assert_int_equal(store_find_account(fixture->store, id, &fixture->arena, &after), RC_OK);
    assert_true(str_equal(before.password_hash, after.password_hash));
    assert_int_equal(check(fixture, "ada", "right", NOON, NULL), SIGN_IN_OK);
    assert_int_equal(store_find_account(fixture->store, id, &fixture->arena, &after), RC_OK);
    assert_false(str_equal(before.password_hash, after.password_hash));
    assert_false(password_needs_upgrade(after.password_hash, DEARER));
    assert_int_equal(check(fixture, "ada", "right", NOON, NULL), SIGN_IN_OK);
    assert_int_equal(store_find_account(fixture->store, id, &fixture->arena, &before), RC_OK);
    assert_true(str_equal(before.password_hash, after.password_hash));
}

static void test_password_change(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = make_account(fixture, "ada", "right", false);
    struct secret new_password = secret_of("new");
    struct secret empty = { 0 };

    assert_int_equal(
        account_change_password(fixture->store, id, &empty, CHEAP,
                                &(struct act_note){ .detail = STR("changed"), .now = NOON },
                                &fixture->error_text),
        RC_INVALID);
    assert_int_equal(
        account_change_password(fixture->store, 999999, &new_password, CHEAP,
                                &(struct act_note){ .detail = STR("changed"), .now = NOON },
                                &fixture->error_text),
        RC_NOT_FOUND);
    assert_int_equal(check(fixture, "ada", "right", NOON, NULL), SIGN_IN_OK);
    assert_int_equal(
        account_change_password(fixture->store, id, &new_password, CHEAP,
                                &(struct act_note){ .detail = STR("changed"), .now = NOON },
                                &fixture->error_text),
        RC_OK);
    assert_int_equal(check(fixture, "ada", "right", NOON, NULL), SIGN_IN_WRONG);
    assert_int_equal(check(fixture, "ada", "new", NOON, NULL), SIGN_IN_OK);
}

struct guesser {
    struct fixture *fixture;
    _Atomic unsigned evaluated;
    _Atomic unsigned succeeded;
};

static void *guess(void *context)
{
    struct guesser *guesser = context;
    const char *why;

    for (int i = 0; i < 125; i++) {
        /* The clock stands still: the worst case for a rule of delays is that none has passed. */
        if (check(guesser->fixture, "ada", i == 124 ? "right" : "wrong", NOON, &why) == SIGN_IN_OK)
            guesser->succeeded++;
        else if (strcmp(why, "the password was wrong") == 0)
            guesser->evaluated++;
    }
    return NULL;
}

/* PW-05: 1,000 parallel guesses, at most 100 evaluated, and the right one comes too late. */
static void test_parallel_guesses(void **state)
{
    struct guesser guesser = { .fixture = *state };
    pthread_t threads[8];

    make_account(guesser.fixture, "ada", "right", false);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, guess, &guesser), 0);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(guesser.evaluated <= THROTTLE_FAILURE_COUNT_MAX);
    assert_true(guesser.evaluated >= THROTTLE_FREE_COUNT);
    assert_int_equal(guesser.succeeded, 0);
}

/* The address over all names may be told to wait, before anything is hashed. */
static void test_address_is_refused(void **state)
{
    struct fixture *fixture = *state;
    char name[32];

    for (int i = 0; i < THROTTLE_ADDRESS_FREE_COUNT; i++) {
        snprintf(name, sizeof(name), "name-%d", i);
        assert_int_equal(check(fixture, name, "guess", NOON, NULL), SIGN_IN_WRONG);
    }
    assert_int_equal(check(fixture, "one more", "guess", NOON, NULL), SIGN_IN_WAIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_password_policy),
        WITH_STORE(test_no_byte_of_a_password_is_cut),
        WITH_STORE(test_create),
        WITH_STORE(test_every_failure_looks_the_same),
        WITH_STORE(test_unknown_names_are_throttled_alike),
        WITH_STORE(test_hash_is_upgraded),
        WITH_STORE(test_password_change),
        WITH_STORE(test_parallel_guesses),
        WITH_STORE(test_address_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
