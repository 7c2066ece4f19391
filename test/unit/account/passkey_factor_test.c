/*
 * Passkeys of accounts, from the options to the session (PW-12, PW-13): what is stored, what is
 * refused, and what is left behind. The recorded ceremonies of test/vectors cannot be used here, as
 * their challenges are theirs: an authenticator of software answers what was asked.
 */
#include "account/profile.h"
#include "passkey_guest.h"

/* ---- the usual ------------------------------------------------------------------------------- */

struct scene {
    struct guest guest;
    struct device device;
    int64_t alice;
};

/* Alice with a passkey, signed in. */
static struct scene *scene_open(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));

    assert_non_null(scene);
    guest_init(&scene->guest, *state);
    device_init(&scene->device, 'a');
    scene->alice = make_account(*state, "alice", PASSWORD, false);
    guest_enter(&scene->guest, scene->alice, STAGE_SIGNED_IN);
    must_make(&scene->guest, &scene->device);
    return scene;
}

static void scene_close(struct scene *scene)
{
    signer_free(scene->device.signer);
    guest_deinit(&scene->guest);
    free(scene);
}

static void test_registration_stores_factor_and_record(void **state)
{
    struct scene *scene = scene_open(state);
    struct guest *guest = &scene->guest;
    struct credential_record record = record_of(guest, &scene->device);
    struct factor rows[FACTOR_COUNT_MAX];
    struct account account = read_account(*state, scene->alice);
    size_t count;

    assert_int_equal(store_list_factors(guest->fixture->store, scene->alice, &guest->fixture->arena,
                                        rows, &count),
                     RC_OK);
    assert_int_equal(count, 1);
    assert_true(rows[0].kind == FACTOR_PASSKEY && rows[0].id == record.id);
    assert_true(str_equal(rows[0].name, STR("phone")) && rows[0].last_used_at == 0);
    assert_int_equal(record.account_id, scene->alice);
    assert_int_equal(record.sign_count, 5);
    assert_true(record.is_user_verified && !record.is_backup_eligible && !record.is_backed_up);
    assert_true(str_equal(record.transports, STR("internal hybrid")));
    assert_true(str_equal(record.public_key, scene->device.key));
    assert_int_equal(record.user_handle.len, PASSKEY_USER_HANDLE_BYTES);
    assert_true(account.has_second_factor && !account.has_code_factor);
    assert_int_equal(last_event(*state).kind, EVENT_FACTOR_CHANGED);
    scene_close(scene);
}

static void test_registration_ends_other_sessions(void **state)
{
    struct scene *scene = scene_open(state);
    struct browser_session found;
    struct browser_session first;
    struct device second;

    device_init(&second, 'b');
    first = scene->guest.session;
    guest_enter(&scene->guest, scene->alice, STAGE_SIGNED_IN);
    must_make(&scene->guest, &second);
    assert_int_equal(store_find_browser_session(scene->guest.fixture->store, first.digest,
                                                &scene->guest.fixture->arena, &found),
                     RC_NOT_FOUND);
    assert_int_equal(store_find_browser_session(scene->guest.fixture->store,
                                                scene->guest.session.digest,
                                                &scene->guest.fixture->arena, &found),
                     RC_OK);
    signer_free(second.signer);
    scene_close(scene);
}

/* WebAuthn 7.1 step 26, and excludeCredentials */
static void test_credential_is_registered_once_in_the_whole_server(void **state)
{
    struct scene *scene = scene_open(state);
    struct guest *guest = &scene->guest;
    const char *why = "";

    assert_int_equal(ask_new(guest), RC_OK);
    assert_int_equal(count_credentials(guest), 1);
    assert_int_equal(make(guest, &scene->device, &why), RC_REFUSED);
    assert_string_equal(why, "the credential is registered already");
    guest_enter(guest, make_account(*state, "bob", PASSWORD, false), STAGE_SIGNED_IN);
    assert_int_equal(ask_new(guest), RC_OK);
    assert_int_equal(count_credentials(guest), 0);
    assert_int_equal(make(guest, &scene->device, &why), RC_REFUSED);
    assert_string_equal(why, "the credential is registered already");
    assert_int_equal(record_of(guest, &scene->device).account_id, scene->alice);
    assert_false(read_account(*state, guest->account.id).has_second_factor);
    scene_close(scene);
}

static void test_registration_answers_are_good_once(void **state)
{
    struct scene *scene = scene_open(state);
    struct guest *guest = &scene->guest;
    struct device second;
    struct texts texts;
    struct passkey_new answer;
    const char *why = "";

    device_init(&second, 'b');
    assert_int_equal(ask_new(guest), RC_OK);
    answer = new_of(guest, &second, &texts);
    answer.attestation_object = STR("!");
    assert_int_equal(send_new(guest, &answer, &why), RC_REFUSED);
    assert_string_equal(why, "not base64url, or too long");
    answer = new_of(guest, &second, &texts); /* right, for a challenge that is used up */
    assert_int_equal(send_new(guest, &answer, &why), RC_REFUSED);
    assert_string_equal(why, "no challenge was open");
    /* One for signing in is none for this. */
    assert_int_equal(ask(guest), RC_OK);
    assert_int_equal(send_new(guest, &answer, &why), RC_REFUSED);
    assert_string_equal(why, "no challenge was open");
    signer_free(second.signer);
    scene_close(scene);
}

static void test_registration_needs_a_verified_user(void **state)
{
    struct scene *scene = scene_open(state);
    struct device second;
    const char *why = "";

    device_init(&second, 'b');
    second.flags = SOFT_UP;
    assert_int_equal(make(&scene->guest, &second, &why), RC_REFUSED);
    assert_string_equal(why, "user not verified");
    assert_true(str_equal(
        option_text(&scene->guest, "\"authenticatorSelection\":", "\"userVerification\":\""),
        STR("required")));
    signer_free(second.signer);
    scene_close(scene);
}

static void test_registration_after_a_new_password_is_refused(void **state)
{
    struct scene *scene = scene_open(state);
    struct guest *guest = &scene->guest;
    struct secret password = secret_of("another long password");
    struct device second;
    struct texts texts;
    struct passkey_new answer;
    const char *why = "";

    device_init(&second, 'b');
    assert_int_equal(ask_new(guest), RC_OK);
    answer = new_of(guest, &second, &texts);
    assert_int_equal(
        account_change_password(guest->fixture->store, scene->alice, &password, CHEAP,
                                &(struct act_note){ .detail = STR("changed"), .now = NOON },
                                &guest->fixture->error_text),
        RC_OK);
    assert_int_equal(send_new(guest, &answer, &why), RC_REFUSED);
    assert_string_equal(why, "the account was changed meanwhile");
    signer_free(second.signer);
    scene_close(scene);
}

static void test_factors_are_counted(void **state)
{
    struct scene *scene = scene_open(state);
    struct device more;

    for (int i = 1; i < FACTOR_COUNT_MAX; i++) {
        device_init(&more, (char)('a' + i));
        must_make(&scene->guest, &more);
        signer_free(more.signer);
    }
    assert_int_equal(ask_new(&scene->guest), RC_EXISTS);
    assert_int_equal(ask(&scene->guest), RC_OK);
    assert_int_equal(count_credentials(&scene->guest), FACTOR_COUNT_MAX);
    scene_close(scene);
}

/* ---- signing in ------------------------------------------------------------------------------ */

static void test_passkey_alone_is_a_whole_sign_in(void **state)
{
    struct scene *scene = scene_open(state);
    struct guest *guest = &scene->guest;
    struct browser_result result;
    struct factor rows[FACTOR_COUNT_MAX];
    size_t count;

    guest_leave(guest);
    assert_int_equal(ask(guest), RC_OK);
    assert_int_equal(count_credentials(guest), 0);
    assert_true(str_equal(option_text(guest, "{", "\"userVerification\":\""), STR("required")));
    result = use(guest, &scene->device);
    assert_int_equal(result.verdict, SIGN_IN_OK);
    assert_int_equal(result.session.stage, STAGE_SIGNED_IN);
    assert_int_equal(result.session.account_id, scene->alice);
    assert_int_equal(result.session.proved_at, NOON);
    assert_int_equal(result.session.methods, METHOD_PASSKEY);
    assert_int_equal(result.session.login_id, result.session.id);
    assert_int_equal(record_of(guest, &scene->device).sign_count, 6);
    assert_int_equal(store_list_factors(guest->fixture->store, scene->alice, &guest->fixture->arena,
                                        rows, &count),
                     RC_OK);
    assert_int_equal(rows[0].last_used_at, NOON);
    assert_int_equal(last_event(*state).kind, EVENT_SIGNED_IN);
    scene_close(scene);
}

static void test_passkey_after_the_password(void **state)
{
    struct scene *scene = scene_open(state);
    struct guest *guest = &scene->guest;
    struct browser_session waiting;
    struct browser_session found;
    struct browser_result result;

    guest_enter(guest, scene->alice, STAGE_NEEDS_CODE);
    guest->session.methods = METHOD_PASSWORD;
    waiting = guest->session;
    assert_int_equal(ask(guest), RC_OK);
    assert_int_equal(count_credentials(guest), 1);
    result = use(guest, &scene->device);
    assert_int_equal(result.verdict, SIGN_IN_OK);
    assert_int_equal(result.session.methods, METHOD_PASSWORD | METHOD_PASSKEY);
    assert_int_equal(result.session.login_id, waiting.login_id);
    assert_int_equal(store_find_browser_session(guest->fixture->store, waiting.digest,
                                                &guest->fixture->arena, &found),
                     RC_NOT_FOUND);
    /* The waiting one has ended: what began with it cannot be finished any more. */
    result = use(guest, &scene->device);
    assert_int_equal(result.verdict, SIGN_IN_WRONG);
    scene_close(scene);
}

static void test_account_without_passkeys_has_nothing_to_ask_for(void **state)
{
    struct scene *scene = scene_open(state);

    guest_enter(&scene->guest, make_account(*state, "bob", PASSWORD, false), STAGE_SIGNED_IN);
    assert_int_equal(ask(&scene->guest), RC_NOT_FOUND);
    scene_close(scene);
}

/* WebAuthn 7.2 step 6 */
static void test_passkey_of_another_account(void **state)
{
    struct scene *scene = scene_open(state);
    struct guest *guest = &scene->guest;
    int64_t bob = make_account(*state, "bob", PASSWORD, false);
    struct device his;
    struct browser_result result;

    device_init(&his, 'b');
    guest_enter(guest, bob, STAGE_SIGNED_IN);
    must_make(guest, &his);
    assert_memory_not_equal(his.handle, scene->device.handle, sizeof(his.handle));
    guest_enter(guest, scene->alice, STAGE_NEEDS_CODE);
    result = use(guest, &his);
    assert_refused(&result, "credential of another account");
    /* Nor with her handle, nor step-up; nor hers for him, alone. */
    memcpy(his.handle, scene->device.handle, sizeof(his.handle));
    result = use(guest, &his);
    assert_refused(&result, "credential of another account");
    guest_enter(guest, scene->alice, STAGE_SIGNED_IN);
    result = use(guest, &his);
    assert_refused(&result, "credential of another account");
    guest_leave(guest);
    result = use(guest, &his);
    assert_refused(&result, "credential of another account");
    assert_int_equal(count_events(*state, EVENT_SIGNED_IN), 0);
    signer_free(his.signer);
    scene_close(scene);
}

static void test_sign_in_answers_are_good_once(void **state)
{
    struct scene *scene = scene_open(state);
    struct guest *guest = &scene->guest;
    struct texts texts;
    struct passkey_answer answer;
    struct browser_result result;

    guest_leave(guest);
    assert_int_equal(ask(guest), RC_OK);
    scene->device.count++;
    answer = answer_of(guest, &scene->device, &texts);
    result = send(guest, &answer);
    assert_int_equal(result.verdict, SIGN_IN_OK);
    result = send(guest, &answer);
    assert_refused(&result, "no challenge was open");
    assert_int_equal(ask(guest), RC_OK);
    result = send(guest, &answer);
    assert_refused(&result, "no challenge was open");
    scene_close(scene);
}

/* A challenge belongs to one browser, one use and five minutes. */
static void test_challenges_of_others(void **state)
{
    struct scene *scene = scene_open(state);
    struct guest *guest = &scene->guest;
    struct texts texts;
    struct passkey_answer answer;
    struct browser_result result;

    guest_leave(guest);
    assert_int_equal(ask(guest), RC_OK);
    scene->device.count++;
    answer = answer_of(guest, &scene->device, &texts);
    guest->visitor.owner[0] ^= 1;
    result = send(guest, &answer);
    assert_refused(&result, "no challenge was open");
    assert_int_equal(ask(guest), RC_OK); /* one of its own */
    result = send(guest, &answer);
    assert_refused(&result, "no challenge was open");
    guest->visitor.owner[0] ^= 1;
    guest_enter(guest, scene->alice, STAGE_SIGNED_IN); /* step-up is another use */
    memset(guest->visitor.owner, 1, DIGEST_BYTES);
    result = send(guest, &answer);
    assert_refused(&result, "no challenge was open");
    guest_leave(guest);
    memset(guest->visitor.owner, 1, DIGEST_BYTES);
    guest->visitor.browser.now += CHALLENGE_LIFETIME_S + 1;
    result = send(guest, &answer);
    assert_refused(&result, "no challenge was open");
    scene_close(scene);
}

static void test_removed_passkey(void **state)
{
    struct scene *scene = scene_open(state);
    struct guest *guest = &scene->guest;
    struct credential_record record = record_of(guest, &scene->device);
    const struct factor_removal removal = { .account_id = scene->alice,
                                            .factor_id = record.id,
                                            .session_id = guest->session.id };
    struct factor_removal_result removed;
    struct secret password = secret_of(PASSWORD);
    struct browser_result result;

    /* The last one is not removed without a word. */
    assert_int_equal(factor_remove(guest->fixture->store, &removal, NOON), RC_NOT_FOUND);
    assert_true(read_account(*state, scene->alice).has_second_factor);
    assert_int_equal(profile_remove_last_factor(&guest->fixture->door, &guest->visitor.browser,
                                                &guest->account, &password, &removal,
                                                &guest->fixture->arena, &removed),
                     RC_OK);
    assert_int_equal(removed.verdict, SIGN_IN_OK);
    assert_false(removed.is_password_short);
    assert_false(read_account(*state, scene->alice).has_second_factor);
    assert_int_equal(ask(guest), RC_NOT_FOUND);
    guest_leave(guest);
    result = use(guest, &scene->device);
    assert_refused(&result, "no such passkey");
    assert_int_equal(last_event(*state).kind, EVENT_FACTOR_FAILED);
    /* It may be registered anew. */
    guest_enter(guest, scene->alice, STAGE_SIGNED_IN);
    must_make(guest, &scene->device);
    assert_int_equal(factor_remove_all(guest->fixture->store, scene->alice,
                                       &(struct act_note){ .detail = STR("all"), .now = NOON }),
                     RC_OK);
    guest_leave(guest);
    result = use(guest, &scene->device);
    assert_refused(&result, "no such passkey");
    scene_close(scene);
}

static void test_disabled_account(void **state)
{
    struct scene *scene = scene_open(state);
    struct guest *guest = &scene->guest;
    struct store_unit unit;
    struct browser_result result;

    store_unit_init(&unit);
    store_disable_account(&unit, scene->alice);
    assert_int_equal(store_commit(guest->fixture->store, &unit), RC_OK);
    guest_leave(guest);
    result = use(guest, &scene->device);
    assert_refused(&result, "the account is disabled");
    scene_close(scene);
}

static void test_counter_has_to_grow(void **state)
{
    struct scene *scene = scene_open(state);
    struct guest *guest = &scene->guest;
    struct browser_result result;

    guest_leave(guest);
    result = use(guest, &scene->device);
    assert_int_equal(result.verdict, SIGN_IN_OK);
    scene->device.count -= 1; /* use() adds it again: the same as before */
    result = use(guest, &scene->device);
    assert_refused(&result, "signature counter has not grown");
    assert_true(str_equal(last_event(*state).detail, STR("signature counter has not grown")));
    scene_close(scene);
}

/* Two that were checked against one counter: one is stored. */
static void test_counter_is_spent_once(void **state)
{
    struct scene *scene = scene_open(state);
    struct credential_record record = record_of(&scene->guest, &scene->device);
    struct store_unit unit;

    store_unit_init(&unit);
    store_spend_passkey(&unit, &record, 9, false, NOON);
    assert_int_equal(store_commit(scene->guest.fixture->store, &unit), RC_OK);
    store_unit_init(&unit);
    store_spend_passkey(&unit, &record, 9, false, NOON);
    assert_int_equal(store_commit(scene->guest.fixture->store, &unit), RC_SPENT);
    assert_int_equal(record_of(&scene->guest, &scene->device).sign_count, 9);
    scene_close(scene);
}

/* Her password at a door that can ask for a passkey. */
static enum sign_in_verdict enter_password(struct fixture *fixture)
{
    struct secret secret = secret_of(PASSWORD);
    struct address from = address_v4(9);
    struct sign_in sign_in = { .name = STR("alice"),
                               .password = &secret,
                               .asks_code = true,
                               .asks_passkey = true,
                               .address = from.bytes,
                               .now = NOON };
    struct sign_in_result result;
    struct store_unit unit;

    store_unit_init(&unit);
    assert_int_equal(
        account_authenticate(&fixture->door, &sign_in, &fixture->arena, &unit, &result), RC_OK);
    return result.verdict;
}

static void test_wrong_answers_hold_up_the_credential_alone(void **state)
{
    struct scene *scene = scene_open(state);
    struct guest *guest = &scene->guest;
    struct device stranger;
    struct browser_result result;

    guest_leave(guest);
    device_init(&stranger, 'a'); /* the same id, another key */
    memcpy(stranger.handle, scene->device.handle, sizeof(stranger.handle));
    stranger.count = 100;
    for (int i = 0; i < THROTTLE_FREE_COUNT; i++) {
        result = use(guest, &stranger);
        assert_refused(&result, "wrong signature");
    }
    result = use(guest, &scene->device);
    assert_refused(&result, "the passkey is held up by failed tries");
    /* The account is not. */
    assert_int_equal(enter_password(*state), SIGN_IN_CODE_MISSING);
    guest->visitor.browser.now += 60;
    result = use(guest, &scene->device);
    assert_int_equal(result.verdict, SIGN_IN_OK);
    signer_free(stranger.signer);
    scene_close(scene);
}

static void test_doors_that_cannot_ask(void **state)
{
    struct scene *scene = scene_open(state);
    struct fixture *fixture = *state;
    struct entry entry = { .name = "alice", .password = PASSWORD, .from = 9, .now = NOON };
    char uri_bytes[FACTOR_URI_BYTES_MAX];
    struct buffer uri = buffer_over(uri_bytes, sizeof(uri_bytes));

    assert_int_equal(enter_password(*state), SIGN_IN_CODE_MISSING);
    assert_int_equal(enter(*state, entry, NULL), SIGN_IN_WRONG);
    entry.code = "123456";
    assert_int_equal(enter(*state, entry, NULL), SIGN_IN_WRONG);
    entry.is_dumb = true;
    assert_int_equal(enter(*state, entry, NULL), SIGN_IN_WRONG);
    /* With an app besides, a door that asks for codes does. */
    assert_int_equal(factor_enrol_totp(&fixture->door.factor_keys, fixture->store,
                                       &scene->guest.account, STR("Jeton"), STR("app"),
                                       &(struct act_note){ .detail = STR("added"), .now = NOON },
                                       &uri),
                     RC_OK);
    entry.is_dumb = false;
    entry.code = NULL;
    assert_int_equal(enter(*state, entry, NULL), SIGN_IN_CODE_MISSING);
    entry.code = "12345";
    assert_int_equal(enter(*state, entry, NULL), SIGN_IN_CODE_WRONG);
    scene_close(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_registration_stores_factor_and_record),
        WITH_STORE(test_registration_ends_other_sessions),
        WITH_STORE(test_credential_is_registered_once_in_the_whole_server),
        WITH_STORE(test_registration_answers_are_good_once),
        WITH_STORE(test_registration_needs_a_verified_user),
        WITH_STORE(test_registration_after_a_new_password_is_refused),
        WITH_STORE(test_factors_are_counted),
        WITH_STORE(test_passkey_alone_is_a_whole_sign_in),
        WITH_STORE(test_passkey_after_the_password),
        WITH_STORE(test_account_without_passkeys_has_nothing_to_ask_for),
        WITH_STORE(test_passkey_of_another_account),
        WITH_STORE(test_sign_in_answers_are_good_once),
        WITH_STORE(test_challenges_of_others),
        WITH_STORE(test_removed_passkey),
        WITH_STORE(test_disabled_account),
        WITH_STORE(test_counter_has_to_grow),
        WITH_STORE(test_counter_is_spent_once),
        WITH_STORE(test_wrong_answers_hold_up_the_credential_alone),
        WITH_STORE(test_doors_that_cannot_ask),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
