/* Signing in: every reason for a no, one public answer, and the second factor (CA-12, PW-10). */
#include <pthread.h>

#include "fixture.h"

enum { CODE_LINE_BYTES = RECOVERY_CODE_TEXT_BYTES + 1, PARTY_COUNT = 6 };

/* A door that can ask for a code. */
static const struct token_profile asking_profile = { .format = token_answer_format,
                                                     .asks_code = true };

/* Gives alice a second factor; her recovery codes stand for it here. */
static void enrol(struct oauth_fixture *fixture,
                  char out_codes[static RECOVERY_CODE_COUNT * CODE_LINE_BYTES + 1])
{
    struct account alice = account_of(fixture, "alice");
    char uri_bytes[FACTOR_URI_BYTES_MAX];
    struct buffer uri = buffer_over(uri_bytes, sizeof(uri_bytes));
    struct buffer codes = buffer_over(out_codes, RECOVERY_CODE_COUNT * CODE_LINE_BYTES);

    assert_int_equal(
        factor_enrol_totp(&fixture->door.factor_keys, fixture->room->store, &alice, STR("Jeton"),
                          STR("phone"),
                          &(struct act_note){ .detail = STR("test"), .now = fixture->now }, &uri),
        RC_OK);
    assert_int_equal(factor_make_recovery_codes(
                         &fixture->door.factor_keys, fixture->room->store, alice.id,
                         &(struct act_note){ .detail = STR("test"), .now = fixture->now }, &codes),
                     RC_OK);
    assert_false(codes.overflow);
    for (size_t i = 0; i < codes.len; i++)
        if (out_codes[i] == '\n')
            out_codes[i] = '\0';
}

static struct outcome sign_in_with(struct oauth_fixture *fixture,
                                   const struct token_profile *profile, const char *password,
                                   const char *code)
{
    return ask_token(fixture, (struct ask){ AS_WEB, .profile = profile, .grant_type = "password",
                                            .username = "alice", .password = password, .code = code,
                                            .scope = "read" });
}

static void assert_same_words(struct outcome outcome, enum refusal_reason reason)
{
    assert_refused_for(outcome, OAUTH_INVALID_GRANT, reason);
    assert_string_equal(outcome.description, "the user name or the password is wrong");
    assert_true(outcome.is_recorded);
    assert_non_null(outcome.why);
}

/* PW-07: whatever the reason, the public words are those of a wrong password. */
static void test_pw_07_reasons_share_their_words(void **state)
{
    struct oauth_fixture *fixture = *state;

    assert_same_words(sign_in_with(fixture, NULL, "wrong", NULL), REASON_WRONG_PASSWORD);
    assert_same_words(sign_in_with(fixture, NULL, "", NULL), REASON_WRONG_PASSWORD);
    assert_same_words(
        ask_token(fixture, (struct ask){ AS_WEB, .grant_type = "password", .username = "eve",
                                         .password = "x", .scope = "read" }),
        REASON_WRONG_PASSWORD);
    set_disabled(fixture, "alice", true);
    assert_same_words(sign_in_with(fixture, NULL, "alice-password", NULL), REASON_ACCOUNT_DISABLED);
    assert_same_words(sign_in_with(fixture, NULL, "wrong", NULL), REASON_WRONG_PASSWORD);
}

/* CA-12: a door that cannot ask refuses like a wrong password, whatever it is sent. */
static void test_ca_12_second_factor_is_never_skipped(void **state)
{
    struct oauth_fixture *fixture = *state;
    char codes[RECOVERY_CODE_COUNT * CODE_LINE_BYTES + 1] = { 0 };
    struct outcome nobody;

    enrol(fixture, codes);
    assert_same_words(sign_in_with(fixture, NULL, "alice-password", NULL), REASON_WRONG_PASSWORD);
    assert_same_words(sign_in_with(fixture, NULL, "alice-password", codes), REASON_WRONG_PASSWORD);
    nobody = ask_token(fixture, (struct ask){ .grant_type = "password",
                                              .username = "alice",
                                              .password = "alice-password",
                                              .code = codes,
                                              .profile = &asking_profile,
                                              .scope = "service_id=api.example" });
    assert_same_words(nobody, REASON_WRONG_PASSWORD);
    /* It was not used up by doors that cannot ask. */
    assert_int_equal(sign_in_with(fixture, &asking_profile, "alice-password", codes).rc, RC_OK);
}

static void test_pw_10_code_is_asked_for_after_the_password(void **state)
{
    struct oauth_fixture *fixture = *state;
    char codes[RECOVERY_CODE_COUNT * CODE_LINE_BYTES + 1] = { 0 };
    struct outcome right;

    enrol(fixture, codes);
    assert_same_words(sign_in_with(fixture, &asking_profile, "wrong", codes),
                      REASON_WRONG_PASSWORD);
    assert_same_words(sign_in_with(fixture, &asking_profile, "alice-password", NULL),
                      REASON_CODE_MISSING);
    assert_same_words(sign_in_with(fixture, &asking_profile, "alice-password", ""),
                      REASON_CODE_MISSING);
    assert_same_words(sign_in_with(fixture, &asking_profile, "alice-password", "000000"),
                      REASON_CODE_WRONG);
    right = sign_in_with(fixture, &asking_profile, "alice-password", codes);
    assert_int_equal(right.rc, RC_OK);
    assert_int_equal(right.issued_by, GRANT_TYPE_PASSWORD);
    /* Used once, used up; and a refresh asks for none (contracts 3.5). */
    assert_same_words(sign_in_with(fixture, &asking_profile, "alice-password", codes),
                      REASON_CODE_WRONG);
    assert_int_equal(ask_token(fixture, (struct ask){ AS_WEB, .profile = &asking_profile,
                                                      .grant_type = "refresh_token",
                                                      .refresh_token = right.refresh })
                         .rc,
                     RC_OK);
}

static struct event last_event(struct oauth_fixture *fixture)
{
    struct event event;
    size_t count;

    assert_int_equal(store_list_events(fixture->room->store, INT64_MAX, &fixture->room->arena,
                                       &event, 1, &count),
                     RC_OK);
    assert_int_equal(count, 1);
    return event;
}

/* LG-03: that somebody had the password but no code is a denial like others. */
static void test_lg_03_missing_code_is_on_record(void **state)
{
    struct oauth_fixture *fixture = *state;
    char codes[RECOVERY_CODE_COUNT * CODE_LINE_BYTES + 1] = { 0 };
    struct event event;

    enrol(fixture, codes);
    assert_same_words(sign_in_with(fixture, &asking_profile, "alice-password", NULL),
                      REASON_CODE_MISSING);
    event = last_event(fixture);
    assert_int_equal(event.kind, EVENT_DENIED);
    assert_int_equal(event.client_id, client_of(fixture, "web").id);
    assert_true(
        str_equal(event.detail, STR("invalid_grant: the code of the second factor is missing")));
}

/* A code for an account that has no second factor changes nothing. */
static void test_code_of_nothing_is_ignored(void **state)
{
    struct oauth_fixture *fixture = *state;

    assert_int_equal(sign_in_with(fixture, &asking_profile, "alice-password", "123456").rc, RC_OK);
}

/* ---- one code, two sign-ins at once ---------------------------------------------------------- */

static enum rc sign_in_to(struct asking *asking, const char *code, struct store_unit *unit,
                          struct account *out_account)
{
    struct secret password = secret_of("alice-password");
    struct str text = str_of(code);

    store_unit_init(unit);
    return oauth_sign_in(&asking->call, STR("alice"), &password, &text, true, unit, out_account);
}

/* The commit decides: both were checked before either was stored, and one of them is told no. */
static void test_code_is_spent_by_the_commit(void **state)
{
    struct oauth_fixture *fixture = *state;
    char codes[RECOVERY_CODE_COUNT * CODE_LINE_BYTES + 1] = { 0 };
    struct client web = client_of(fixture, "web");
    struct asking *asking[2];
    struct store_unit units[2];
    struct account accounts[2];
    enum rc issued[2];

    enrol(fixture, codes);
    for (int i = 0; i < 2; i++) {
        asking[i] = asking_new(fixture, &(struct ask){ 0 });
        assert_int_equal(sign_in_to(asking[i], codes, &units[i], &accounts[i]), RC_OK);
        assert_true(str_equal(asking[i]->call.log_username, STR("alice")));
    }
    for (int i = 0; i < 2; i++) {
        struct issue_plan plan = { .grant_type = GRANT_TYPE_PASSWORD,
                                   .client = &web,
                                   .account = &accounts[i],
                                   .permission = { .scope = STR("read"),
                                                   .audience = STR(""),
                                                   .shape = { .lifetime_s = 60 } } };
        struct token_answer answer;

        issued[i] = token_issue(&asking[i]->call, &plan, &units[i], &answer);
    }
    assert_int_equal(issued[0], RC_OK);
    assert_true(asking_end(asking[0], RC_OK).has_issued);
    assert_int_equal(issued[1], RC_SPENT);
    assert_refused_for(asking_end(asking[1], oauth_refuse_spent_code(&asking[1]->call)),
                       OAUTH_INVALID_GRANT, REASON_CODE_WRONG);
}

/* CA-12: a factor that was enrolled while the password was looked at is not skipped. */
static void test_ca_12_factor_enrolled_during_a_sign_in(void **state)
{
    struct oauth_fixture *fixture = *state;
    char codes[RECOVERY_CODE_COUNT * CODE_LINE_BYTES + 1] = { 0 };
    struct client web = client_of(fixture, "web");
    struct asking *asking = asking_new(fixture, &(struct ask){ 0 });
    struct account account;
    struct issue_plan plan = {
        .grant_type = GRANT_TYPE_PASSWORD,
        .client = &web,
        .account = &account,
        .permission = { .scope = STR("read"), .audience = STR(""), .shape = { .lifetime_s = 60 } }
    };
    struct token_answer answer;
    struct store_unit unit;

    assert_int_equal(sign_in_to(asking, "", &unit, &account), RC_OK);
    enrol(fixture, codes);
    assert_refused(asking_end(asking, token_issue(&asking->call, &plan, &unit, &answer)),
                   OAUTH_INVALID_GRANT);
    assert_int_equal(sign_in_with(fixture, &asking_profile, "alice-password", codes).rc, RC_OK);
}

struct party {
    struct oauth_fixture *fixture;
    pthread_barrier_t *start;
    const char *code;
    struct outcome outcome;
};

static void *sign_in_once(void *context)
{
    struct party *party = context;

    pthread_barrier_wait(party->start);
    party->outcome = sign_in_with(party->fixture, &asking_profile, "alice-password", party->code);
    return NULL;
}

/* However many come at once with one code, one of them gets a token. */
static void test_one_code_one_token(void **state)
{
    struct oauth_fixture *fixture = *state;
    char codes[RECOVERY_CODE_COUNT * CODE_LINE_BYTES + 1] = { 0 };
    struct party *parties = calloc(PARTY_COUNT, sizeof(*parties));
    pthread_t threads[PARTY_COUNT];
    pthread_barrier_t start;
    int right_count = 0;

    enrol(fixture, codes);
    pthread_barrier_init(&start, NULL, PARTY_COUNT);
    for (size_t i = 0; i < PARTY_COUNT; i++) {
        parties[i].fixture = fixture;
        parties[i].start = &start;
        parties[i].code = codes;
        assert_int_equal(pthread_create(&threads[i], NULL, sign_in_once, &parties[i]), 0);
    }
    for (size_t i = 0; i < PARTY_COUNT; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
    for (size_t i = 0; i < PARTY_COUNT; i++) {
        right_count += parties[i].outcome.rc == RC_OK;
        if (parties[i].outcome.rc != RC_OK)
            assert_refused(parties[i].outcome, OAUTH_INVALID_GRANT);
    }
    assert_int_equal(right_count, 1);
    free(parties);
}

/* Off the hash lane nothing is tried and nothing is counted. */
static void test_sign_in_belongs_on_the_hash_lane(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct asking *asking = asking_new(fixture, &(struct ask){ .is_barred = true });
    struct secret password = secret_of("wrong");
    struct store_counts before;
    struct store_counts after;
    struct store_unit unit;
    struct account account;
    enum rc rc;

    store_counts(fixture->room->store, &before);
    store_unit_init(&unit);
    rc = oauth_sign_in(&asking->call, STR("alice"), &password, NULL, false, &unit, &account);
    assert_int_equal(asking_end(asking, rc).rc, RC_NEEDS_HASH);
    store_counts(fixture->room->store, &after);
    assert_int_equal(before.units, after.units);
}

/* An address that must wait is told so, with the time. */
static void test_address_that_must_wait(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome outcome = { .rc = RC_REFUSED, .error = OAUTH_INVALID_GRANT };
    char name[16];

    for (int i = 0; outcome.error == OAUTH_INVALID_GRANT; i++) {
        assert_true(i < 2000);
        snprintf(name, sizeof(name), "user%d", i);
        outcome = ask_token(fixture, (struct ask){ .grant_type = "password",
                                                   .username = name,
                                                   .password = "x",
                                                   .scope = "service_id=api.example" });
    }
    assert_refused_for(outcome, OAUTH_TOO_MANY_REQUESTS, REASON_NONE);
    assert_false(outcome.is_recorded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_OAUTH(test_pw_07_reasons_share_their_words),
        WITH_OAUTH(test_ca_12_second_factor_is_never_skipped),
        WITH_OAUTH(test_pw_10_code_is_asked_for_after_the_password),
        WITH_OAUTH(test_code_of_nothing_is_ignored),
        WITH_OAUTH(test_lg_03_missing_code_is_on_record),
        WITH_OAUTH(test_ca_12_factor_enrolled_during_a_sign_in),
        WITH_OAUTH(test_code_is_spent_by_the_commit),
        WITH_OAUTH(test_one_code_one_token),
        WITH_OAUTH(test_sign_in_belongs_on_the_hash_lane),
        WITH_OAUTH(test_address_that_must_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
