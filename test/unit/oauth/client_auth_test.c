/* Client authentication (RFC 6749 2.3): every kind of client with every way to ask. */
#include "fixture.h"

static enum rc authenticate(struct oauth_fixture *fixture, const struct ask *ask,
                            struct outcome *out_outcome)
{
    struct asking *asking = asking_new(fixture, ask);
    struct catalog_client *client;
    enum rc rc = client_authenticate(&asking->call, &asking->credentials, &client);

    if (rc == RC_OK) {
        assert_true(str_equal(client->client.client_id, str_of(ask->client)));
        catalog_client_put(client);
    }
    *out_outcome = asking_end(asking, rc);
    return rc;
}

/* CA-03 and CA-10: only the way that the client was registered for. */
static void test_ca_03_only_the_registered_method_works(void **state)
{
    struct oauth_fixture *fixture = *state;
    static const struct {
        struct ask ask;
        bool is_right;
    } tries[] = {
        { { .client = "web", .secret = "web-secret", .is_basic = true }, true },
        { { .client = "web", .secret = "web-secret" }, true },
        { { .client = "web", .secret = "Web-secret" }, false },
        { { .client = "web", .secret = "web-secre" }, false },
        { { .client = "web", .secret = "" }, false },
        { { .client = "web" }, false },
        { { .client = "other", .secret = "other-secret" }, true },
        { { .client = "other", .secret = "other-secret", .is_basic = true }, true },
        { { .client = "other", .secret = "web-secret" }, false },
        { { .client = "spa" }, true },
        { { .client = "spa", .secret = "" }, true },
        { { .client = "spa", .secret = "x" }, false },
        { { .client = "spa", .secret = "x", .is_basic = true }, false },
        { { .client = "plugin", .secret = "", .is_basic = true }, true },
        { { .client = "plugin", .secret = "x", .is_basic = true }, false },
        { { .client = "plugin" }, true }, /* RFC 6749 2.3.1: an empty secret may be left out */
        { { .client = "nobody" }, false },
        { { .client = "nobody", .secret = "x" }, false },
        { { .client = "api.example", .secret = "api-secret" }, false }, /* a service is none */
        { { .client = "", .secret = "" }, false },
    };

    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        struct outcome outcome;
        enum rc rc = authenticate(fixture, &tries[i].ask, &outcome);

        if (rc != (tries[i].is_right ? RC_OK : RC_REFUSED))
            fail_msg("%s with %s: %d", tries[i].ask.client,
                     tries[i].ask.secret == NULL ? "nothing" : tries[i].ask.secret, (int)rc);
        if (rc == RC_REFUSED)
            assert_refused_for(outcome, OAUTH_INVALID_CLIENT, REASON_WRONG_CLIENT);
    }
}

/* CA-02: one method in a request (RFC 6749 2.3). */
static void test_ca_02_two_methods_are_refused(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct ask basic = { .client = "web", .secret = "web-secret", .is_basic = true };
    struct secret secret = secret_of("web-secret");
    struct catalog_client *client;
    struct asking *asking = asking_new(fixture, &basic);

    asking->credentials.body_secret = &secret;
    assert_refused(
        asking_end(asking, client_authenticate(&asking->call, &asking->credentials, &client)),
        OAUTH_INVALID_REQUEST);

    /* The same id in the body is harmless, another one is not. */
    asking = asking_new(fixture, &basic);
    asking->credentials.has_body_id = true;
    asking->credentials.body_id = STR("web");
    assert_int_equal(client_authenticate(&asking->call, &asking->credentials, &client), RC_OK);
    catalog_client_put(client);
    /* Also where both methods were used: which client is meant is the first question. */
    asking->credentials.body_id = STR("other");
    asking->credentials.body_secret = &secret;
    assert_refused_for(
        asking_end(asking, client_authenticate(&asking->call, &asking->credentials, &client)),
        OAUTH_INVALID_REQUEST, REASON_CLIENT_MISMATCH);

    /* RFC 6749 3.2: a parameter without a value is none. */
    asking = asking_new(fixture, &basic);
    secret_wipe(&secret);
    asking->credentials.body_secret = &secret;
    assert_int_equal(client_authenticate(&asking->call, &asking->credentials, &client), RC_OK);
    catalog_client_put(client);
    asking_end(asking, RC_OK);

    asking = asking_new(fixture, &(struct ask){ .secret = "web-secret" });
    assert_refused_for(
        asking_end(asking, client_authenticate(&asking->call, &asking->credentials, &client)),
        OAUTH_INVALID_REQUEST, REASON_NO_CLIENT);
    asking = asking_new(fixture, &(struct ask){ 0 });
    assert_int_equal(client_authenticate(&asking->call, &asking->credentials, &client),
                     RC_NOT_FOUND);
    asking_end(asking, RC_NOT_FOUND);
}

/*
 * CA-05: whoever fails goes the same way, to the hash lane, whether the client exists or not and
 * of whatever kind it is; and who sends no secret is told at once, existing or not.
 */
static void test_ca_05_every_wrong_secret_costs_a_hash(void **state)
{
    struct oauth_fixture *fixture = *state;
    static const char *const ids[] = { "nobody", "web", "other", "machine", "spa", "plugin" };
    struct outcome outcome;

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        struct ask ask = { .client = ids[i], .secret = "wrong", .is_barred = true };

        assert_int_equal(authenticate(fixture, &ask, &outcome), RC_NEEDS_HASH);
        ask.is_barred = false;
        assert_int_equal(authenticate(fixture, &ask, &outcome), RC_REFUSED);
        assert_int_equal(outcome.error, OAUTH_INVALID_CLIENT);
    }
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(
            authenticate(fixture, &(struct ask){ .client = ids[i], .is_barred = true }, &outcome),
            RC_REFUSED);
}

/* A chosen secret costs one hash, then it is remembered; a wrong one never is. */
static void test_chosen_secret_is_remembered(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct ask ask = { .client = "web", .secret = "web-secret", .is_barred = true };
    struct outcome outcome;

    assert_int_equal(authenticate(fixture, &ask, &outcome), RC_NEEDS_HASH);
    ask.is_barred = false;
    assert_int_equal(authenticate(fixture, &ask, &outcome), RC_OK);
    ask.is_barred = true;
    assert_int_equal(authenticate(fixture, &ask, &outcome), RC_OK);
    ask.secret = "wrong";
    assert_int_equal(authenticate(fixture, &ask, &outcome), RC_NEEDS_HASH);
}

/* PW-05 for clients: guessing is slowed down, and what the client sends itself is not. */
static void test_guessing_is_throttled(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct ask right = { AS_WEB };
    struct ask wrong = { .client = "web", .secret = "wrong" };
    struct outcome outcome;
    bool is_throttled = false;

    for (int i = 0; i < 12; i++) {
        assert_int_equal(authenticate(fixture, &wrong, &outcome), RC_REFUSED);
        is_throttled |= strcmp(outcome.why, "client throttled") == 0;
    }
    assert_true(is_throttled);
    assert_int_equal(authenticate(fixture, &right, &outcome), RC_REFUSED);
    /* A secret that was made by us is not guessable, and not held up. */
    wrong.client = "other";
    for (int i = 0; i < 12; i++)
        assert_int_equal(authenticate(fixture, &wrong, &outcome), RC_REFUSED);
    assert_int_equal(authenticate(fixture,
                                  &(struct ask){ .client = "other", .secret = "other-secret" },
                                  &outcome),
                     RC_OK);
}

/* No lockout for clients: guessing at one slows it down, but it comes back by itself. */
static void test_lockouts_are_not_for_clients(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct outcome outcome;

    throttle_set_lockout(fixture->door.throttle, (struct lockout){ .mode = LOCKOUT_DISABLE });
    for (int i = 0; i < 12; i++)
        assert_int_equal(
            authenticate(fixture, &(struct ask){ .client = "web", .secret = "wrong" }, &outcome),
            RC_REFUSED);
    assert_false(client_of(fixture, "web").is_disabled);
    fixture->now += 24 * 3600;
    assert_int_equal(authenticate(fixture, &(struct ask){ AS_WEB }, &outcome), RC_OK);
}

/* An id that is longer than any takes no more room in log, throttle and audit trail. */
static void test_endless_id_is_nobodys(void **state)
{
    struct oauth_fixture *fixture = *state;
    char *id = arena_alloc(&fixture->room->arena, HTTP_BODY_BYTES_MAX);
    struct event event;
    struct outcome outcome;
    size_t count;

    memset(id, 'a', HTTP_BODY_BYTES_MAX - 1);
    assert_int_equal(
        authenticate(fixture, &(struct ask){ .client = id, .secret = "wrong" }, &outcome),
        RC_REFUSED);
    assert_int_equal(store_list_events(fixture->room->store, INT64_MAX, &fixture->room->arena,
                                       &event, 1, &count),
                     RC_OK);
    assert_int_equal(count, 1);
    assert_int_equal(event.kind, EVENT_CLIENT_FAILED);
    assert_int_equal(event.detail.len, CLIENT_ID_BYTES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_OAUTH(test_ca_02_two_methods_are_refused),
        WITH_OAUTH(test_ca_03_only_the_registered_method_works),
        WITH_OAUTH(test_ca_05_every_wrong_secret_costs_a_hash),
        WITH_OAUTH(test_chosen_secret_is_remembered),
        WITH_OAUTH(test_guessing_is_throttled),
        WITH_OAUTH(test_lockouts_are_not_for_clients),
        WITH_OAUTH(test_endless_id_is_nobodys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
