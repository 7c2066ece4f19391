/* An authenticator that its owner sets up: what is confirmed, by whom, and until when. */
#include "two_factor.h"

struct draft {
    char bytes[FACTOR_ENROLMENT_BYTES_MAX];
    size_t len;
    struct authenticator app;
};

/* Scans the key as the app would. */
static enum rc show(struct fixture *fixture, int64_t account_id, struct str enrolment, int64_t now,
                    struct authenticator *out_app)
{
    struct account account = read_account(fixture, account_id);
    char key_bytes[FACTOR_KEY_TEXT_BYTES];
    struct buffer uri = buffer_over(out_app->uri, sizeof(out_app->uri));
    struct buffer key = buffer_over(key_bytes, sizeof(key_bytes));
    struct buffer secret = buffer_over(out_app->secret, sizeof(out_app->secret));
    enum rc rc = factor_show_draft(&fixture->door.factor_keys, &account, STR("Jeton"), enrolment,
                                   now, &uri, &key);

    if (rc != RC_OK)
        return rc;
    assert_true(str_equal(uri_parameter(buffer_str(&uri), "secret"), buffer_str(&key)));
    assert_int_equal(base32_decode(buffer_str(&key), &secret), RC_OK);
    return RC_OK;
}

static struct draft begin(struct fixture *fixture, int64_t account_id)
{
    struct account account = read_account(fixture, account_id);
    struct draft draft = { 0 };
    struct buffer text = buffer_over(draft.bytes, sizeof(draft.bytes));

    assert_int_equal(factor_draft_totp(&fixture->door.factor_keys, &account, NOON, &text), RC_OK);
    assert_false(text.overflow);
    draft.len = text.len;
    assert_int_equal(show(fixture, account_id, buffer_str(&text), NOON, &draft.app), RC_OK);
    return draft;
}

static enum rc confirm(struct fixture *fixture, int64_t account_id, const struct draft *draft,
                       const char *code, int64_t now)
{
    struct factor_confirmation confirmation = { .account_id = account_id,
                                                .enrolment = { draft->bytes, draft->len },
                                                .name = STR("phone"),
                                                .code = str_of(code) };

    return factor_confirm_totp(&fixture->door.factor_keys, fixture->store, &confirmation, now);
}

static void test_a_right_code_stores_it_once(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = make_account(fixture, "ada", "right", false);
    struct draft draft = begin(fixture, id);
    struct shown_code wrong = wrong_code(&draft.app, NOON);
    struct shown_code right = authenticator_code(&draft.app, NOON);
    struct factor rows[FACTOR_COUNT_MAX];
    size_t count;

    assert_int_equal(confirm(fixture, id, &draft, wrong.text, NOON), RC_REFUSED);
    assert_int_equal(confirm(fixture, id, &draft, "", NOON), RC_REFUSED);
    assert_false(read_account(fixture, id).has_second_factor);
    for (int i = 0; i < 2; i++) /* the form was sent twice */
        assert_int_equal(confirm(fixture, id, &draft, right.text, NOON), RC_OK);
    assert_int_equal(store_list_factors(fixture->store, id, &fixture->arena, rows, &count), RC_OK);
    assert_int_equal(count, 1);
}

static void test_a_draft_is_its_accounts(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", "right", false);
    int64_t bob = make_account(fixture, "bob", "right", false);
    struct draft draft = begin(fixture, ada);
    struct shown_code right = authenticator_code(&draft.app, NOON);
    struct authenticator seen = { 0 };

    assert_int_equal(confirm(fixture, bob, &draft, right.text, NOON), RC_NOT_FOUND);
    assert_int_equal(show(fixture, bob, (struct str){ draft.bytes, draft.len }, NOON, &seen),
                     RC_NOT_FOUND);
    for (size_t i = 0; i < draft.len; i++) {
        char byte = draft.bytes[i];

        draft.bytes[i] = byte == 'A' ? 'B' : 'A';
        assert_int_equal(confirm(fixture, ada, &draft, right.text, NOON), RC_NOT_FOUND);
        draft.bytes[i] = byte;
    }
    draft.len = 0;
    assert_int_equal(confirm(fixture, ada, &draft, right.text, NOON), RC_NOT_FOUND);
}

static void test_a_draft_has_its_time(void **state)
{
    struct fixture *fixture = *state;
    int64_t id = make_account(fixture, "ada", "right", false);
    struct draft draft = begin(fixture, id);
    int64_t end = NOON + FACTOR_DRAFT_S;
    struct shown_code late = authenticator_code(&draft.app, end + 1);
    struct shown_code last = authenticator_code(&draft.app, end);

    assert_int_equal(confirm(fixture, id, &draft, late.text, end + 1), RC_NOT_FOUND);
    assert_int_equal(confirm(fixture, id, &draft, last.text, end), RC_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_a_right_code_stores_it_once),
        WITH_STORE(test_a_draft_is_its_accounts),
        WITH_STORE(test_a_draft_has_its_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
