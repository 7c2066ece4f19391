/* How a browser's session was proven, and which sign-in it goes back to. */
#include "two_factor.h"

#include "account/browser_sign_in.h"
#include "account/profile.h"

#define RIGHT "the right password"
#define NEXT  "quite another password"

static const struct address home = { { [15] = 9 } };

static struct browser browser_at(int64_t now)
{
    return (struct browser){ .address = home.bytes, .device = STR("Agent/1.0"), .now = now };
}

static struct browser_result sign_in(struct fixture *fixture, const char *name,
                                     const struct browser_session *replaces, int64_t now)
{
    struct browser browser = browser_at(now);
    struct secret password = secret_of(RIGHT);
    struct browser_result result;

    assert_int_equal(browser_sign_in(&fixture->door, &browser, str_of(name), &password, replaces,
                                     &fixture->arena, &result),
                     RC_OK);
    secret_wipe(&password);
    return result;
}

static struct browser_result enter_code(struct fixture *fixture, const struct browser_result *from,
                                        const struct authenticator *authenticator, int64_t now)
{
    struct browser browser = browser_at(now);
    struct account account = read_account(fixture, from->session.account_id);
    struct shown_code code = authenticator_code(authenticator, now);
    struct browser_result result;

    assert_int_equal(browser_sign_in_code(&fixture->door, &browser, &from->session, &account,
                                          str_of(code.text), &fixture->arena, &result),
                     RC_OK);
    assert_int_equal(result.verdict, SIGN_IN_OK);
    return result;
}

static struct browser_result prove(struct fixture *fixture, const struct browser_result *from,
                                   const struct authenticator *authenticator, int64_t now)
{
    struct browser browser = browser_at(now);
    struct account account = read_account(fixture, from->session.account_id);
    struct secret password = secret_of(RIGHT);
    struct shown_code shown = { 0 };
    struct str code;
    struct browser_result result;

    if (authenticator != NULL)
        shown = authenticator_code(authenticator, now);
    code = str_of(shown.text);
    assert_int_equal(browser_prove(&fixture->door, &browser, &from->session, &account, &password,
                                   authenticator == NULL ? NULL : &code, &fixture->arena, &result),
                     RC_OK);
    assert_int_equal(result.verdict, SIGN_IN_OK);
    secret_wipe(&password);
    return result;
}

/* As the store has it: the session of a result. */
static void expect(struct fixture *fixture, const struct browser_result *result, int64_t login_id,
                   unsigned methods)
{
    struct browser_session saved;

    assert_int_equal(
        store_find_browser_session(fixture->store, result->session.digest, &fixture->arena, &saved),
        RC_OK);
    assert_int_equal(saved.login_id, login_id);
    assert_int_equal(saved.methods, methods);
    assert_int_equal(result->session.login_id, login_id);
    assert_int_equal(result->session.methods, methods);
}

static void test_password_alone_begins_a_login_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    struct browser_result first;
    struct browser_result second;

    make_account(fixture, "ada", RIGHT, false);
    first = sign_in(fixture, "ada", NULL, NOON);
    second = sign_in(fixture, "ada", NULL, NOON);
    expect(fixture, &first, first.session.id, METHOD_PASSWORD);
    expect(fixture, &second, second.session.id, METHOD_PASSWORD);
}

static void test_code_is_joined_to_the_password(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", RIGHT, false);
    struct authenticator phone = enrol(fixture, ada);
    struct browser_result waiting = sign_in(fixture, "ada", NULL, NOON);
    struct browser_result done;

    assert_int_equal(waiting.verdict, SIGN_IN_CODE_MISSING);
    expect(fixture, &waiting, waiting.session.id, METHOD_PASSWORD);
    done = enter_code(fixture, &waiting, &phone, NOON);
    expect(fixture, &done, waiting.session.id, METHOD_PASSWORD | METHOD_CODE);
}

static void test_step_up_goes_on_with_its_login(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", RIGHT, false);
    struct browser_result first = sign_in(fixture, "ada", NULL, NOON);
    struct browser_result proved = prove(fixture, &first, NULL, NOON + 1);
    struct authenticator phone;
    struct browser_result stronger;

    expect(fixture, &proved, first.session.id, METHOD_PASSWORD);
    assert_int_equal(proved.session.proved_at, NOON + 1);
    phone = enrol(fixture, ada); /* ends sessions, as it does */
    first = sign_in(fixture, "ada", NULL, NOON + 40);
    first = enter_code(fixture, &first, &phone, NOON + 40);
    stronger = prove(fixture, &first, &phone, NOON + 80);
    expect(fixture, &stronger, first.session.login_id, METHOD_PASSWORD | METHOD_CODE);
}

/* A code that came along where none was asked for proves nothing. */
static void test_code_without_a_factor_is_none(void **state)
{
    struct fixture *fixture = *state;
    struct authenticator nobodys = { .secret = "12345678901234567890" };
    struct browser_result first;
    struct browser_result proved;

    make_account(fixture, "ada", RIGHT, false);
    first = sign_in(fixture, "ada", NULL, NOON);
    proved = prove(fixture, &first, &nobodys, NOON + 1);
    expect(fixture, &proved, first.session.id, METHOD_PASSWORD);
}

static void test_same_account_signs_in_anew_as_the_same_login(void **state)
{
    struct fixture *fixture = *state;
    struct browser_session passkey = { .id = 0 };
    struct browser_result first;
    struct browser_result again;
    struct browser_result other;

    make_account(fixture, "ada", RIGHT, false);
    make_account(fixture, "bob", RIGHT, false);
    first = sign_in(fixture, "ada", NULL, NOON);
    passkey = first.session;
    passkey.methods |= METHOD_PASSKEY; /* what was proven before is not proven by this sign-in */
    again = sign_in(fixture, "ada", &passkey, NOON + 1);
    expect(fixture, &again, first.session.id, METHOD_PASSWORD);
    other = sign_in(fixture, "bob", &again.session, NOON + 2);
    expect(fixture, &other, other.session.id, METHOD_PASSWORD);
}

/* Also over the page that asks for the code. */
static void test_login_is_kept_while_the_code_is_waited_for(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", RIGHT, false);
    struct authenticator phone = enrol(fixture, ada);
    struct browser_result first = sign_in(fixture, "ada", NULL, NOON);
    struct browser_result again;

    first = enter_code(fixture, &first, &phone, NOON);
    again = sign_in(fixture, "ada", &first.session, NOON + 40);
    again = enter_code(fixture, &again, &phone, NOON + 40);
    expect(fixture, &again, first.session.login_id, METHOD_PASSWORD | METHOD_CODE);
}

static void test_new_password_keeps_the_login_of_its_browser(void **state)
{
    struct fixture *fixture = *state;
    int64_t ada = make_account(fixture, "ada", RIGHT, false);
    struct account account = read_account(fixture, ada);
    struct browser browser = browser_at(NOON + 1);
    struct secret current = secret_of(RIGHT);
    struct secret wanted = secret_of(NEXT);
    struct browser_result first = sign_in(fixture, "ada", NULL, NOON);
    struct password_change change = { .current = &current,
                                      .wanted = &wanted,
                                      .session = &first.session };
    struct password_change_result result;
    struct browser_session saved;
    struct account found;

    first.session.methods |= METHOD_PASSKEY; /* as if it had been proven so, too */
    assert_int_equal(profile_change_password(&fixture->door, &browser, &account, &change,
                                             &fixture->arena, &result),
                     RC_OK);
    assert_int_equal(result.verdict, SIGN_IN_OK);
    assert_int_equal(browser_session_find(fixture->store,
                                          (struct str){ result.value, BROWSER_VALUE_BYTES },
                                          NOON + 1, &fixture->arena, &saved, &found),
                     RC_OK);
    assert_int_equal(saved.login_id, first.session.id);
    assert_int_equal(saved.methods, METHOD_PASSWORD | METHOD_PASSKEY);
    secret_wipe(&current);
    secret_wipe(&wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_password_alone_begins_a_login_of_its_own),
        WITH_STORE(test_code_is_joined_to_the_password),
        WITH_STORE(test_step_up_goes_on_with_its_login),
        WITH_STORE(test_code_without_a_factor_is_none),
        WITH_STORE(test_same_account_signs_in_anew_as_the_same_login),
        WITH_STORE(test_login_is_kept_while_the_code_is_waited_for),
        WITH_STORE(test_new_password_keeps_the_login_of_its_browser),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
