/*
 * Devices (RFC 8628): codes, who may answer, and what is redeemed once.
 */
#include "authorization_fixture.h"

#include "oauth/device.h"

#define CHARS(text) ((struct str){ (text), DEVICE_USER_CODE_CHARS })

enum { DEVICE_GRANTS = 1u << GRANT_TYPE_DEVICE_CODE | 1u << GRANT_TYPE_REFRESH_TOKEN };

static int device_set_up(void **state)
{
    struct oauth_fixture *fixture;

    authorization_set_up(state);
    fixture = *state;
    add_registered(fixture,
                   (struct client){ .client_id = STR("tv"),
                                    .secret_hash = hash_of(fixture, "tv-secret", false),
                                    .grant_types = DEVICE_GRANTS,
                                    .scope = STR("openid read") },
                   "{\"redirect_uris\":[\"https://tv.example/cb\"]," ES256_ID_TOKENS "}");
    add_registered(fixture,
                   (struct client){ .client_id = STR("player"),
                                    .type = CLIENT_PUBLIC,
                                    .grant_types = DEVICE_GRANTS,
                                    .scope = STR("read") },
                   "{\"redirect_uris\":[\"https://tv.example/cb\"]," ES256_ID_TOKENS "}");
    assert_int_equal(catalog_find_client(fixture->room->catalog, STR("nobody"), true,
                                         &(struct catalog_client *){ NULL }),
                     RC_NOT_FOUND);
    return 0;
}

#define WITH_TV(test) cmocka_unit_test_setup_teardown(test, device_set_up, oauth_tear_down)
#define AS_TV         .client = "tv", .secret = "tv-secret"

struct codes {
    enum rc rc;
    enum oauth_error error;
    int64_t retry_after_s;
    char device_code[64];
    char user_code[16];
};

static struct codes ask_codes_as(struct oauth_fixture *fixture, struct ask ask,
                                 const char *form_text)
{
    struct asking *asking = asking_new(fixture, &ask);
    struct form form;
    struct json_document *document;
    struct codes codes = { 0 };

    assert_int_equal(form_parse(str_of(form_text), &asking->arena, &form), RC_OK);
    codes.rc = device_request_answer(&asking->call, &asking->credentials, &form, &asking->json);
    codes.error = asking->call.refusal.error;
    codes.retry_after_s = asking->call.refusal.retry_after_s;
    if (codes.rc == RC_OK) {
        assert_int_equal(json_parse(buffer_str(&asking->json), &document), RC_OK);
        take_string(json_root(document), STR("device_code"), codes.device_code);
        take_string(json_root(document), STR("user_code"), codes.user_code);
        json_document_free(document);
    }
    arena_deinit(&asking->arena);
    free(asking);
    return codes;
}

static struct codes ask_codes(struct oauth_fixture *fixture, const char *form_text)
{
    return ask_codes_as(fixture, (struct ask){ AS_TV }, form_text);
}

static struct outcome poll(struct oauth_fixture *fixture, const char *device_code)
{
    struct ask ask = { AS_TV };
    struct asking *asking = asking_new(fixture, &ask);
    struct str grant_type = grant_type_format(GRANT_TYPE_DEVICE_CODE);
    struct secret code = secret_of(device_code);
    struct token_request request = { .grant_type = &grant_type,
                                     .credentials = asking->credentials,
                                     .code_value = &code,
                                     .profile = &token_profile_standard };

    return asking_end(asking, token_request_answer(&asking->call, &request, &asking->json));
}

/* A person finds a request and answers it. */
static enum rc answer(struct oauth_fixture *fixture, const struct person *person,
                      const char *user_code, bool is_allowed)
{
    struct ask ask = { 0 };
    struct asking *asking = asking_new(fixture, &ask);
    struct device device;
    enum rc rc = device_find(&asking->call, &person->account, str_of(user_code), &device);

    if (rc == RC_OK) {
        rc = is_allowed ? device_allow(&asking->call, &device, &person->at_browser)
                        : device_deny(&asking->call, &device, &person->at_browser);
        device_put(&device);
    }
    arena_deinit(&asking->arena);
    free(asking);
    return rc;
}

static void dv_01_codes_are_folded(void **state)
{
    static const char *const good[] = { "WDJB-MJHT", "wdjbmjht", " WdJb mJhT ", "w.d.j.b-mjht",
                                        "W-D-J-B-M-J-H-T" };
    static const char *const bad[] = { "",          "WDJB-MJH",   "WDJB-MJHTT", "WDJB-MJHA",
                                       "WDJB-MJH0", "WDJB-MJHT1", "--------" };
    char code[DEVICE_USER_CODE_CHARS];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(device_user_code_fold(str_of(good[i]), code), RC_OK);
        assert_true(str_equal(CHARS(code), STR("WDJBMJHT")));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(device_user_code_fold(str_of(bad[i]), code), RC_INVALID);
}

/* Each of the twenty letters is drawn about as often as the others. */
static void dv_01_codes_have_no_bias(void **state)
{
    struct oauth_fixture *fixture = *state;
    unsigned counts[256] = { 0 };
    enum { DRAW_COUNT = 150, EXPECTED = DRAW_COUNT * DEVICE_USER_CODE_CHARS / 20 };

    for (int i = 0; i < DRAW_COUNT; i++) {
        struct codes codes = ask_codes(fixture, "scope=read");

        assert_int_equal(codes.rc, RC_OK);
        assert_int_equal(codes.user_code[4], '-');
        for (size_t at = 0; at < DEVICE_USER_CODE_BYTES; at++)
            counts[(unsigned char)codes.user_code[at]]++;
    }
    for (const char *letter = DEVICE_USER_CODE_LETTERS; *letter != '\0'; letter++)
        assert_in_range(counts[(unsigned char)*letter], EXPECTED / 3, EXPECTED * 2);
}

static void dv_02_the_tenth_try_has_to_wait(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct person *person = person_new(fixture, "alice");
    struct codes codes = ask_codes(fixture, "scope=read");

    for (int i = 0; i < THROTTLE_GUESS_COUNT_MAX; i++)
        assert_int_equal(answer(fixture, person, "BBBB-BBBB", true), RC_NOT_FOUND);
    assert_int_equal(answer(fixture, person, codes.user_code, true), RC_REFUSED);
    assert_refused(poll(fixture, codes.device_code), OAUTH_AUTHORIZATION_PENDING);
    fixture->now += THROTTLE_GUESS_S + 1;
    assert_int_equal(answer(fixture, person, codes.user_code, true), RC_OK);
}

/* Nobody has proven who they are: what an address has kept is bounded, but not for clients that
 * have a secret. */
static void test_requests_of_public_clients_are_counted(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct ask as_player = { .client = "player" };
    struct codes codes = ask_codes_as(fixture, as_player, "scope=read");

    assert_int_equal(codes.rc, RC_OK);
    count_requests(fixture, THROTTLE_REQUEST_COUNT_MAX - 2);
    assert_int_equal(ask_codes_as(fixture, as_player, "scope=read").rc, RC_OK);
    codes = ask_codes_as(fixture, as_player, "scope=read");
    assert_int_equal(codes.rc, RC_REFUSED);
    assert_int_equal(codes.error, OAUTH_TOO_MANY_REQUESTS);
    assert_int_equal(codes.retry_after_s, THROTTLE_REQUEST_S);
    assert_int_equal(ask_codes(fixture, "scope=read").rc, RC_OK);
    fixture->now += THROTTLE_REQUEST_S;
    assert_int_equal(ask_codes_as(fixture, as_player, "scope=read").rc, RC_OK);
}

static void dv_03_polls(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct codes codes = ask_codes(fixture, "scope=read");
    int64_t began = fixture->now;

    assert_refused(poll(fixture, codes.device_code), OAUTH_AUTHORIZATION_PENDING);
    fixture->now += DEVICE_INTERVAL_S;
    assert_refused(poll(fixture, codes.device_code), OAUTH_AUTHORIZATION_PENDING);
    fixture->now += 1;
    assert_refused(poll(fixture, codes.device_code), OAUTH_SLOW_DOWN);
    fixture->now += DEVICE_INTERVAL_S; /* as before is too soon now */
    assert_refused(poll(fixture, codes.device_code), OAUTH_SLOW_DOWN);
    fixture->now += 3 * DEVICE_INTERVAL_S;
    assert_refused(poll(fixture, codes.device_code), OAUTH_AUTHORIZATION_PENDING);
    fixture->now = began + DEVICE_LIFETIME_S - 1;
    assert_refused(poll(fixture, codes.device_code), OAUTH_AUTHORIZATION_PENDING);
    fixture->now = began + DEVICE_LIFETIME_S;
    assert_refused(poll(fixture, codes.device_code), OAUTH_EXPIRED_TOKEN);
}

static void dv_03_denied(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct person *person = person_new(fixture, "alice");
    struct codes codes = ask_codes(fixture, "scope=read");

    assert_int_equal(answer(fixture, person, codes.user_code, false), RC_OK);
    assert_refused(poll(fixture, codes.device_code), OAUTH_ACCESS_DENIED);
    assert_int_equal(answer(fixture, person, codes.user_code, true), RC_NOT_FOUND);
    assert_refused(poll(fixture, codes.device_code), OAUTH_ACCESS_DENIED);
}

static void dv_04_redeemed_once(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct person *person = person_new(fixture, "alice");
    struct codes codes = ask_codes(fixture, "scope=openid+read");
    struct outcome outcome;

    assert_int_equal(answer(fixture, person, codes.user_code, true), RC_OK);
    outcome = poll(fixture, codes.device_code);
    assert_int_equal(outcome.rc, RC_OK);
    assert_int_equal(outcome.issued_by, GRANT_TYPE_DEVICE_CODE);
    assert_non_null(strstr(outcome.json, "\"id_token\":\""));
    assert_true(is_active(fixture, outcome.access) && outcome.refresh[0] != '\0');
    assert_refused(poll(fixture, codes.device_code), OAUTH_INVALID_GRANT);
    assert_refused(poll(fixture, "unknown"), OAUTH_INVALID_GRANT);
}

static void dv_06_what_was_allowed_must_still_stand(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct person *person = person_new(fixture, "alice");
    struct codes codes = ask_codes(fixture, "scope=read");
    struct codes later = ask_codes(fixture, "scope=read");
    struct client client = client_of(fixture, "tv");
    struct store_unit unit;

    assert_int_equal(answer(fixture, person, codes.user_code, true), RC_OK);
    assert_int_equal(answer(fixture, person, later.user_code, true), RC_OK);
    client.scope = STR("openid");
    update_client(fixture, &client);
    assert_refused(poll(fixture, codes.device_code), OAUTH_INVALID_GRANT);
    client.scope = STR("openid read");
    update_client(fixture, &client);
    set_disabled(fixture, "alice", true);
    assert_refused(poll(fixture, codes.device_code), OAUTH_ACCESS_DENIED);
    set_disabled(fixture, "alice", false); /* her sessions have ended with that */
    assert_refused(poll(fixture, codes.device_code), OAUTH_ACCESS_DENIED);
    store_unit_init(&unit);
    store_delete_browser_session(&unit, person->session.id);
    commit(fixture, &unit);
    assert_refused(poll(fixture, later.device_code), OAUTH_ACCESS_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dv_01_codes_are_folded),
        WITH_TV(dv_01_codes_have_no_bias),
        WITH_TV(dv_02_the_tenth_try_has_to_wait),
        WITH_TV(test_requests_of_public_clients_are_counted),
        WITH_TV(dv_03_polls),
        WITH_TV(dv_03_denied),
        WITH_TV(dv_04_redeemed_once),
        WITH_TV(dv_06_what_was_allowed_must_still_stand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
