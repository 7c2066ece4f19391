/* Second factors: RFC 6238 with an injected clock, recovery codes, and the sign-in that asks for
 * them (PW-10, PW-11, PW-13, CA-12). */
#include "two_factor.h"

#include <pthread.h>
#include <stdatomic.h>

/* A check of a code alone, with its commit. */
static enum rc check_code(struct fixture *fixture, int64_t account_id, const char *code,
                          int64_t now)
{
    struct store_unit unit;
    enum rc rc;

    store_unit_init(&unit);
    rc = factor_check(&fixture->door.factor_keys, fixture->store, account_id, str_of(code), NULL,
                      now, &unit);
    return rc == RC_OK ? store_commit(fixture->store, &unit) : rc;
}

static enum sign_in_verdict sign_in(struct fixture *fixture, const char *password, const char *code,
                                    int64_t now)
{
    return enter(
        fixture,
        (struct entry){ .name = "ada", .password = password, .code = code, .from = 7, .now = now },
        NULL);
}

/* ---- enrolment ---- */

static void test_enrolment(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = make_account(fixture, "Ada Lovelace & co", "right", false);
    struct authenticator made;
    struct factor rows[FACTOR_COUNT_MAX];
    struct str uri;
    size_t count;

    assert_false(read_account(fixture, id).has_second_factor);
    made = enrol(fixture, id);
    uri = (struct str){ made.uri, made.uri_bytes };
    assert_true(
        str_starts_with(uri, STR("otpauth://totp/Jeton:Ada%20Lovelace%20%26%20co?secret=")));
    assert_true(str_equal(uri_parameter(uri, "issuer"), STR("Jeton")));
    assert_true(str_equal(uri_parameter(uri, "algorithm"), STR("SHA1")));
    assert_true(str_equal(uri_parameter(uri, "digits"), STR("6")));
    assert_true(str_equal(uri_parameter(uri, "period"), STR("30")));
    assert_true(read_account(fixture, id).has_second_factor);
    assert_int_equal(last_event(fixture).kind, EVENT_FACTOR_CHANGED);
    assert_int_equal(last_event(fixture).account_id, id);

    assert_int_equal(store_list_factors(fixture->store, id, &fixture->arena, rows, &count), RC_OK);
    assert_int_equal(count, 1);
    assert_true(str_equal(rows[0].name, STR("phone")));
    for (size_t i = 0; i + TOTP_SECRET_BYTES <= rows[0].sealed.len; i++)
        assert_memory_not_equal(rows[0].sealed.at + i, made.secret, TOTP_SECRET_BYTES);
}

static void test_enrolment_has_an_end(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = make_account(fixture, "ada", "right", false);
    struct account account = read_account(fixture, id);
    char bytes[FACTOR_URI_BYTES_MAX];
    struct buffer uri = buffer_over(bytes, sizeof(bytes));
    struct authenticator first = enrol(fixture, id);
    struct authenticator last = { 0 };

    for (int i = 1; i < FACTOR_COUNT_MAX; i++)
        last = enrol(fixture, id);
    assert_int_equal(factor_enrol_totp(&fixture->door.factor_keys, fixture->store, &account,
                                       STR("Jeton"), STR("one more"),
                                       &(struct act_note){ .detail = STR("enrolled"), .now = NOON },
                                       &uri),
                     RC_EXISTS);
    assert_int_equal(uri.len, 0);
    /* Any of them will do. */
    assert_int_equal(check_code(fixture, id, authenticator_code(&first, NOON).text, NOON), RC_OK);
    assert_int_equal(check_code(fixture, id, authenticator_code(&last, NOON).text, NOON), RC_OK);
}

/* The longest that the command line lets through. */
static void test_longest_uri_fits(void **state)
{
    struct fixture *fixture = *state;
    char name[ACCOUNT_NAME_BYTES_MAX + 1] = { 0 };
    char issuer[128];
    char bytes[FACTOR_URI_BYTES_MAX];
    struct buffer uri = buffer_over(bytes, sizeof(bytes));
    struct account account;

    memset(name, '&', ACCOUNT_NAME_BYTES_MAX);
    memset(issuer, '&', sizeof(issuer));
    account = read_account(fixture, make_account(fixture, name, "right", false));
    assert_int_equal(factor_enrol_totp(&fixture->door.factor_keys, fixture->store, &account,
                                       (struct str){ issuer, sizeof(issuer) }, STR(""),
                                       &(struct act_note){ .detail = STR("enrolled"), .now = NOON },
                                       &uri),
                     RC_OK);
    assert_false(uri.overflow);
}

/* One factor's sealed secret does not pass for another's, nor under another key. */
static void test_secret_is_sealed_for_its_factor(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);
    int64_t bob = make_account(fixture, "bob", "right", false);
    struct authenticator made = enrol(fixture, ada);
    struct factor rows[FACTOR_COUNT_MAX];
    struct store_unit unit;
    size_t count;

    assert_int_equal(store_list_factors(fixture->store, ada, &fixture->arena, rows, &count), RC_OK);
    assert_int_equal(store_next_id(fixture->store, SEQUENCE_NOUN, &rows[0].id), RC_OK);
    rows[0].account_id = bob;
    store_unit_init(&unit);
    store_insert_factor(&unit, &rows[0]);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    assert_int_equal(check_code(fixture, bob, authenticator_code(&made, NOON).text, NOON),
                     RC_CORRUPT);
    fixture->master_key[0] ^= 1;
    assert_int_equal(check_code(fixture, ada, authenticator_code(&made, NOON).text, NOON),
                     RC_CORRUPT);
}

/* ---- codes and the clock ---- */

/* PW-10; RFC 6238 5.2: one step of drift to either side, and not two. */
static void test_window(void **state)
{
    static const struct {
        int64_t step; /* whose code is shown, from the step of `now` */
        enum rc rc;
    } rows[] = {
        { -3, RC_REFUSED }, { -2, RC_REFUSED }, { -1, RC_OK },     { 0, RC_OK },
        { 1, RC_OK },       { 2, RC_REFUSED },  { 3, RC_REFUSED },
    };
    static const int64_t seconds[] = { 0, 1, 15, 29 };
    struct fixture *fixture = *state;
    int64_t day = 0;

    for (size_t second = 0; second < sizeof(seconds) / sizeof(seconds[0]); second++) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            int64_t now = NOON / TOTP_STEP_S * TOTP_STEP_S + day++ * 86400 + seconds[second];
            char name[16];
            struct authenticator made;
            struct shown_code shown;
            int64_t id;

            snprintf(name, sizeof(name), "name-%lld", (long long)day);
            id = make_account(fixture, name, "right", false);
            made = enrol(fixture, id);
            shown = authenticator_code(&made, now + rows[i].step * TOTP_STEP_S);
            /* Six digits are the code of another near step by chance once in 300,000 times. */
            if (rows[i].rc == RC_REFUSED) {
                bool is_chance = false;

                for (int64_t drift = -1; drift <= 1; drift++) {
                    struct shown_code near = authenticator_code(&made, now + drift * TOTP_STEP_S);

                    is_chance |= strcmp(near.text, shown.text) == 0;
                }
                if (is_chance)
                    continue;
            }
            assert_int_equal(check_code(fixture, id, shown.text, now), rows[i].rc);
        }
    }
}

/* RFC 6238 5.2: a step is used once, and those before it with it. */
static void test_replay(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = make_account(fixture, "ada", "right", false);
    struct authenticator made = enrol(fixture, id);
    struct shown_code before = authenticator_code(&made, NOON - TOTP_STEP_S);
    struct shown_code at = authenticator_code(&made, NOON);
    struct shown_code after = authenticator_code(&made, NOON + TOTP_STEP_S);

    assert_int_equal(check_code(fixture, id, at.text, NOON), RC_OK);
    assert_int_equal(check_code(fixture, id, at.text, NOON), RC_REFUSED);
    assert_int_equal(check_code(fixture, id, at.text, NOON + TOTP_STEP_S), RC_REFUSED);
    assert_int_equal(check_code(fixture, id, before.text, NOON), RC_REFUSED);
    fixture_restart(fixture);
    assert_int_equal(check_code(fixture, id, at.text, NOON), RC_REFUSED);
    assert_int_equal(check_code(fixture, id, after.text, NOON), RC_OK);
    assert_int_equal(check_code(fixture, id, after.text, NOON), RC_REFUSED);
}

/* A code is used up by its commit, not by its check. */
static void test_unit_that_is_not_committed_uses_nothing(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = make_account(fixture, "ada", "right", false);
    struct authenticator made = enrol(fixture, id);
    struct shown_code code = authenticator_code(&made, NOON);
    struct store_unit first;
    struct store_unit second;

    store_unit_init(&first);
    store_unit_init(&second);
    assert_int_equal(factor_check(&fixture->door.factor_keys, fixture->store, id, str_of(code.text),
                                  NULL, NOON, &first),
                     RC_OK);
    assert_int_equal(factor_check(&fixture->door.factor_keys, fixture->store, id, str_of(code.text),
                                  NULL, NOON, &second),
                     RC_OK);
    assert_int_equal(first.step_count, 1);
    assert_int_equal(store_commit(fixture->store, &second), RC_OK);
    assert_int_equal(store_commit(fixture->store, &first), RC_SPENT);
}

static void test_forms_of_a_code(void **state)
{
    static const char *const wrong[] = {
        "",       " ",        "12345",  "1234567",   "12345a",       "-12345",
        "+12345", "12-34-56", "123456", "1 2 3 4 5", "０１２３４５", "123456\n",
    };
    struct fixture *fixture = *state;
    int64_t id = make_account(fixture, "ada", "right", false);
    struct authenticator made = enrol(fixture, id);
    struct shown_code code = authenticator_code(&made, NOON);
    char text[80];

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (strcmp(wrong[i], code.text) != 0)
            assert_int_equal(check_code(fixture, id, wrong[i], NOON), RC_REFUSED);
    }
    snprintf(text, sizeof(text), "%.3s-%.3s", code.text, code.text + 3);
    assert_int_equal(check_code(fixture, id, text, NOON), RC_REFUSED);
    snprintf(text, sizeof(text), "%65s", code.text);
    assert_int_equal(check_code(fixture, id, text, NOON), RC_REFUSED);
    snprintf(text, sizeof(text), " %.3s %.3s ", code.text, code.text + 3);
    assert_int_equal(check_code(fixture, id, text, NOON), RC_OK);
}

static void test_other_accounts_codes_are_wrong(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);
    int64_t bob = make_account(fixture, "bob", "right", false);
    struct authenticator made = enrol(fixture, ada);
    struct shown_code code = authenticator_code(&made, NOON);

    assert_int_equal(check_code(fixture, bob, code.text, NOON), RC_REFUSED);
    (void)enrol(fixture, bob);
    if (strcmp(code.text, "000000") != 0)
        assert_int_equal(check_code(fixture, ada, code.text, NOON), RC_OK);
}

struct race {
    struct fixture *fixture;
    const char *code;
    _Atomic unsigned winners;
    _Atomic unsigned losers;
};

static void *use_code(void *context)
{
    struct race *race = context;
    enum sign_in_verdict verdict = sign_in(race->fixture, "right", race->code, NOON);

    race->winners += verdict == SIGN_IN_OK;
    race->losers += verdict == SIGN_IN_CODE_WRONG;
    return NULL;
}

/* PW-10: 64 sign-ins with one code, one winner; the commit decides. */
static void run_race(struct fixture *fixture, const char *code)
{
    struct race race = { .fixture = fixture, .code = code };
    pthread_t threads[64];

    for (size_t i = 0; i < 64; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_code, &race), 0);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(race.winners, 1);
    assert_int_equal(race.losers, 63);
}

static void test_one_code_in_parallel(void **state)
{
    struct fixture *fixture = *state;
    struct authenticator made = enrol(fixture, make_account(fixture, "ada", "right", false));

    run_race(fixture, authenticator_code(&made, NOON).text);
}

/* ---- recovery codes ---- */

struct recovery {
    char text[1024];
    char codes[RECOVERY_CODE_COUNT][RECOVERY_CODE_TEXT_BYTES + 1];
};

static struct recovery make_recovery(struct fixture *fixture, int64_t id)
{
    struct recovery made = { 0 };
    struct buffer text = buffer_over(made.text, sizeof(made.text));

    assert_int_equal(
        factor_make_recovery_codes(&fixture->door.factor_keys, fixture->store, id,
                                   &(struct act_note){ .detail = STR("made"), .now = NOON }, &text),
        RC_OK);
    assert_int_equal(text.len, RECOVERY_CODE_COUNT * (RECOVERY_CODE_TEXT_BYTES + 1));
    for (size_t i = 0; i < RECOVERY_CODE_COUNT; i++) {
        const char *line = made.text + i * (RECOVERY_CODE_TEXT_BYTES + 1);

        assert_int_equal(line[RECOVERY_CODE_TEXT_BYTES], '\n');
        memcpy(made.codes[i], line, RECOVERY_CODE_TEXT_BYTES);
        for (size_t j = 0; j < RECOVERY_CODE_TEXT_BYTES; j++) {
            bool is_dash = j % 6 == 5 && j < 24;

            assert_int_equal(made.codes[i][j] == '-', is_dash);
            assert_true(is_dash || strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", made.codes[i][j]));
        }
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(made.codes[i], made.codes[j]);
    }
    return made;
}

/* PW-11: each once, in any spelling that a person would use; new ones replace the old. */
static void test_recovery_codes(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = make_account(fixture, "ada", "right", false);
    struct recovery made = make_recovery(fixture, id);
    char spelling[64] = { 0 };
    size_t count;

    assert_int_equal(last_event(fixture).kind, EVENT_FACTOR_CHANGED);
    assert_int_equal(check_code(fixture, id, made.codes[0], NOON), RC_OK);
    assert_int_equal(last_event(fixture).kind, EVENT_FACTOR_CHANGED);
    assert_true(str_equal(last_event(fixture).detail, STR("a recovery code was used")));
    assert_int_equal(check_code(fixture, id, made.codes[0], NOON), RC_REFUSED);
    assert_int_equal(store_count_recovery_codes(fixture->store, id, &count), RC_OK);
    assert_int_equal(count, RECOVERY_CODE_COUNT - 1);
    for (size_t i = 0, len = 0; i < RECOVERY_CODE_TEXT_BYTES; i++) {
        char byte = made.codes[1][i];

        if (byte != '-')
            spelling[len++] = (char)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte);
        if (i % 4 == 0)
            spelling[len++] = ' ';
    }
    assert_int_equal(check_code(fixture, id, spelling, NOON), RC_OK);
    made.codes[2][0] = made.codes[2][0] == 'A' ? 'B' : 'A';
    assert_int_equal(check_code(fixture, id, made.codes[2], NOON), RC_REFUSED);
    made.codes[3][RECOVERY_CODE_TEXT_BYTES - 1] = '\0';
    assert_int_equal(check_code(fixture, id, made.codes[3], NOON), RC_REFUSED);
    (void)make_recovery(fixture, id);
    assert_int_equal(check_code(fixture, id, made.codes[4], NOON), RC_REFUSED);
    assert_int_equal(store_count_recovery_codes(fixture->store, id, &count), RC_OK);
    assert_int_equal(count, RECOVERY_CODE_COUNT);
}

static void test_recovery_codes_are_their_owners(void **state)
{
    struct fixture *fixture = *state;
    struct recovery made = make_recovery(fixture, make_account(fixture, "ada", "right", false));
    int64_t bob = make_account(fixture, "bob", "right", false);

    assert_int_equal(check_code(fixture, bob, made.codes[0], NOON), RC_REFUSED);
}

static void test_one_recovery_code_in_parallel(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = make_account(fixture, "ada", "right", false);
    struct recovery made = make_recovery(fixture, id);

    (void)enrol(fixture, id);
    run_race(fixture, made.codes[0]);
}

static void test_removal(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = make_account(fixture, "ada", "right", false);
    struct authenticator made = enrol(fixture, id);
    struct recovery codes = make_recovery(fixture, id);

    assert_int_equal(sign_in(fixture, "right", NULL, NOON), SIGN_IN_CODE_MISSING);
    assert_int_equal(factor_remove_all(fixture->store, id,
                                       &(struct act_note){ .detail = STR("removed"), .now = NOON }),
                     RC_OK);
    assert_int_equal(last_event(fixture).kind, EVENT_FACTOR_CHANGED);
    assert_false(read_account(fixture, id).has_second_factor);
    assert_int_equal(check_code(fixture, id, authenticator_code(&made, NOON).text, NOON),
                     RC_REFUSED);
    assert_int_equal(check_code(fixture, id, codes.codes[0], NOON), RC_REFUSED);
    assert_int_equal(sign_in(fixture, "right", NULL, NOON), SIGN_IN_OK);
    assert_int_equal(sign_in(fixture, "right", "123456", NOON), SIGN_IN_OK);
}

/* ---- the sign-in ---- */

/* PW-13: the password first, then the code; whoever lacks the password learns nothing. */
static void test_sign_in(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = make_account(fixture, "ada", "right", false);
    struct authenticator made = enrol(fixture, id);
    struct recovery recovery = make_recovery(fixture, id);
    struct shown_code right = authenticator_code(&made, NOON);
    struct shown_code wrong = wrong_code(&made, NOON);
    struct event event;

    assert_int_equal(sign_in(fixture, "wrong", NULL, NOON), SIGN_IN_WRONG);
    assert_int_equal(sign_in(fixture, "wrong", right.text, NOON), SIGN_IN_WRONG);
    assert_int_equal(sign_in(fixture, "right", NULL, NOON), SIGN_IN_CODE_MISSING);
    assert_int_equal(last_event(fixture).kind, EVENT_PASSWORD_FAILED); /* that of before */
    assert_int_equal(sign_in(fixture, "right", wrong.text, NOON + 5), SIGN_IN_CODE_WRONG);
    event = last_event(fixture);
    assert_int_equal(event.kind, EVENT_FACTOR_FAILED);
    assert_int_equal(event.account_id, id);
    assert_int_equal(event.at, NOON + 5);
    assert_memory_equal(event.address, address_v4(7).bytes, 16);
    assert_int_equal(sign_in(fixture, "right", right.text, NOON), SIGN_IN_OK);
    assert_int_equal(sign_in(fixture, "right", right.text, NOON), SIGN_IN_CODE_WRONG);
    assert_int_equal(sign_in(fixture, "right", recovery.codes[0], NOON), SIGN_IN_OK);
    assert_int_equal(sign_in(fixture, "right", recovery.codes[0], NOON), SIGN_IN_CODE_WRONG);
}

/* CA-12: a door that cannot ask refuses like a wrong password, in all that it leaves behind. */
static void test_door_that_cannot_ask(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = make_account(fixture, "ada", "right", false);
    struct authenticator made = enrol(fixture, id);
    struct shown_code code = authenticator_code(&made, NOON);
    struct entry entry = {
        .name = "ada", .password = "right", .is_dumb = true, .from = 7, .now = NOON
    };
    const char *why;

    for (unsigned i = 0; i < THROTTLE_FREE_COUNT; i++) {
        entry.code = i == 0 ? code.text : NULL;
        assert_int_equal(enter(fixture, entry, &why), SIGN_IN_WRONG);
        assert_non_null(strstr(why, "second factor, which this door cannot ask for"));
        assert_int_equal(last_event(fixture).kind, EVENT_PASSWORD_FAILED);
    }
    assert_int_equal(enter(fixture, entry, &why), SIGN_IN_WRONG);
    assert_string_equal(why, "the name is held up by failed tries");
    assert_int_equal(sign_in(fixture, "right", code.text, NOON), SIGN_IN_WRONG);
    assert_int_equal(sign_in(fixture, "right", code.text, NOON + 1), SIGN_IN_OK);
}

/* A missing code counts for nothing: it neither adds to a row of failures nor ends one. */
static void test_missing_code_counts_as_nothing(void **state)
{
    struct fixture *fixture = *state;

    (void)enrol(fixture, make_account(fixture, "ada", "right", false));
    for (int i = 0; i < 20; i++)
        assert_int_equal(sign_in(fixture, "right", NULL, NOON), SIGN_IN_CODE_MISSING);
    for (int i = 0; i < THROTTLE_FREE_COUNT; i++) {
        assert_int_equal(sign_in(fixture, "right", NULL, NOON), SIGN_IN_CODE_MISSING);
        assert_int_equal(sign_in(fixture, "wrong", NULL, NOON), SIGN_IN_WRONG);
    }
    assert_int_equal(sign_in(fixture, "right", NULL, NOON), SIGN_IN_WRONG);
}

/* PW-10: codes have a counter of their own, which survives a restart, and which success ends. */
static void test_wrong_codes_are_held_up(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = make_account(fixture, "ada", "right", false);
    struct authenticator made = enrol(fixture, id);
    struct shown_code wrong = wrong_code(&made, NOON);
    struct shown_code right = authenticator_code(&made, NOON);
    struct store_unit unit;

    for (int i = 0; i < THROTTLE_FREE_COUNT; i++)
        assert_int_equal(sign_in(fixture, "right", wrong.text, NOON), SIGN_IN_CODE_WRONG);
    fixture_restart(fixture);
    assert_int_equal(sign_in(fixture, "right", right.text, NOON), SIGN_IN_CODE_WRONG);
    assert_true(
        str_equal(last_event(fixture).detail, STR("the second factor is held up by failed tries")));
    assert_int_equal(sign_in(fixture, "right", NULL, NOON), SIGN_IN_CODE_MISSING);
    assert_int_equal(sign_in(fixture, "right", right.text, NOON + 1), SIGN_IN_OK);
    for (int i = 0; i < THROTTLE_FREE_COUNT; i++)
        assert_int_equal(sign_in(fixture, "right", wrong.text, NOON + 1), SIGN_IN_CODE_WRONG);
    right = authenticator_code(&made, NOON + TOTP_STEP_S);
    assert_int_equal(sign_in(fixture, "right", right.text, NOON + 1), SIGN_IN_CODE_WRONG);
    /* An administrator forgives codes by their own name. */
    store_unit_init(&unit);
    throttle_unlock(fixture->book, factor_throttle_name(&fixture->arena, id), NOON + 1, &unit);
    assert_int_equal(store_commit(fixture->store, &unit), RC_OK);
    assert_int_equal(sign_in(fixture, "right", right.text, NOON + 1), SIGN_IN_OK);
}

struct guesser {
    struct fixture *fixture;
    const char *wrong;
    const char *right;
    _Atomic unsigned evaluated;
};

static void *guess(void *context)
{
    struct guesser *guesser = context;
    struct entry entry = { .name = "ada", .password = "right", .from = 7, .now = NOON };
    const char *why;

    entry.code = guesser->wrong;
    for (int i = 0; i < 50; i++) {
        assert_int_equal(enter(guesser->fixture, entry, &why), SIGN_IN_CODE_WRONG);
        guesser->evaluated += strstr(why, "held up") == NULL;
    }
    entry.code = guesser->right;
    assert_int_equal(enter(guesser->fixture, entry, NULL), SIGN_IN_CODE_WRONG);
    return NULL;
}

/* PW-10: 400 codes at once, no more than 100 looked at, and the right one comes too late. */
static void test_parallel_codes(void **state)
{
    struct fixture *fixture = *state;
    struct authenticator made = enrol(fixture, make_account(fixture, "ada", "right", false));
    struct shown_code wrong = wrong_code(&made, NOON);
    struct shown_code right = authenticator_code(&made, NOON);
    struct guesser guesser = { fixture, wrong.text, right.text, 0 };
    pthread_t threads[4];

    /* Each try costs a failure of the address too: 4 times 51 stay below its limit. */
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, guess, &guesser), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(guesser.evaluated >= THROTTLE_FREE_COUNT);
    assert_true(guesser.evaluated <= THROTTLE_FAILURE_COUNT_MAX);
}

/* The address has its limit at the code too, and the password is not betrayed by it. */
static void test_address_is_told_to_wait_at_the_code(void **state)
{
    struct fixture *fixture = *state;
    struct authenticator made = enrol(fixture, make_account(fixture, "ada", "right", false));
    struct shown_code right = authenticator_code(&made, NOON);
    struct entry entry = { .password = "guess", .from = 7, .now = NOON };
    char name[32];

    for (int i = 0; i < THROTTLE_ADDRESS_FREE_COUNT; i++) {
        snprintf(name, sizeof(name), "name-%d", i);
        entry.name = name;
        assert_int_equal(enter(fixture, entry, NULL), SIGN_IN_WRONG);
    }
    assert_int_equal(sign_in(fixture, "right", right.text, NOON), SIGN_IN_WAIT);
    assert_int_equal(sign_in(fixture, "right", right.text, NOON + THROTTLE_ADDRESS_WINDOW_S),
                     SIGN_IN_CODE_WRONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_enrolment),
        WITH_STORE(test_enrolment_has_an_end),
        WITH_STORE(test_longest_uri_fits),
        WITH_STORE(test_secret_is_sealed_for_its_factor),
        WITH_STORE(test_window),
        WITH_STORE(test_replay),
        WITH_STORE(test_unit_that_is_not_committed_uses_nothing),
        WITH_STORE(test_forms_of_a_code),
        WITH_STORE(test_other_accounts_codes_are_wrong),
        WITH_STORE(test_one_code_in_parallel),
        WITH_STORE(test_recovery_codes),
        WITH_STORE(test_recovery_codes_are_their_owners),
        WITH_STORE(test_one_recovery_code_in_parallel),
        WITH_STORE(test_removal),
        WITH_STORE(test_sign_in),
        WITH_STORE(test_door_that_cannot_ask),
        WITH_STORE(test_missing_code_counts_as_nothing),
        WITH_STORE(test_wrong_codes_are_held_up),
        WITH_STORE(test_parallel_codes),
        WITH_STORE(test_address_is_told_to_wait_at_the_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
