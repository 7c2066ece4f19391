/* What has to happen before a code is issued: OI-02, OI-03, AZ-17, fault class 12. */
#include "authorization_fixture.h"

enum { NO_ONE = 1, TWO_FACTORS = 2, ASKED = 4, ANSWERED = 8 };

struct step_case {
    const char *name;
    const char *query;
    unsigned what; /* bits of the above */
    enum rc rc;
    enum authorization_step step; /* RC_OK */
    enum oauth_error error;       /* RC_REFUSED */
};

static void arrange(struct oauth_fixture *fixture, unsigned what, struct person *person)
{
    person->session.methods = METHOD_PASSWORD | ((what & TWO_FACTORS) != 0 ? METHOD_CODE : 0u);
    if ((what & (ASKED | ANSWERED)) != 0)
        person->at_browser.asked_at = fixture->now - 10;
    if ((what & ANSWERED) != 0)
        person->session.proved_at = fixture->now - 5;
    if ((what & NO_ONE) != 0)
        person->at_browser = (struct authorization_person){ .asked_at = 0 };
}

static void assert_step(struct oauth_fixture *fixture, const struct step_case *row)
{
    struct person *person = person_new(fixture, "alice");
    struct visit *visit = visit_begin(fixture, row->query);
    enum authorization_step step = STEP_NONE;
    enum rc rc;

    arrange(fixture, row->what, person);
    assert_int_equal(visit->rc, RC_OK);
    rc = authorization_next(&visit->call, &visit->request, &person->at_browser, &step);
    if (rc != row->rc || (rc == RC_OK && step != row->step) ||
        (rc == RC_REFUSED && visit->call.refusal.error != row->error))
        fail_msg("%s: rc %d, step %d, error %d", row->name, (int)rc, (int)step,
                 (int)visit->call.refusal.error);
    visit_end(visit);
}

#define ESSENTIAL                                                                                  \
    "&claims={\"id_token\":{\"acr\":{\"essential\":true,\"value\":\"urn:jeton:acr:2fa\"}}}"

/* OpenID Connect Core 3.1.2.1, 3.1.2.3, 3.1.2.6; RFC 9470. */
static void test_oi_02_oi_03_steps(void **state)
{
    static const struct step_case rows[] = {
        { "nobody", RP_OK, NO_ONE, RC_OK, STEP_SIGN_IN, 0 },
        { "nobody, silently", RP_OK "&prompt=none", NO_ONE, RC_REFUSED, 0, OAUTH_LOGIN_REQUIRED },
        { "somebody", RP_OK, 0, RC_OK, STEP_CONSENT, 0 },
        { "somebody, silently", RP_OK "&prompt=none", 0, RC_REFUSED, 0, OAUTH_CONSENT_REQUIRED },
        { "login", RP_OK "&prompt=login", 0, RC_OK, STEP_SIGN_IN_AGAIN, 0 },
        { "login, sent but not answered", RP_OK "&prompt=login", ASKED, RC_OK, STEP_SIGN_IN_AGAIN,
          0 },
        { "login, answered", RP_OK "&prompt=login", ANSWERED, RC_OK, STEP_CONSENT, 0 },
        { "max_age kept", RP_OK "&max_age=100", 0, RC_OK, STEP_CONSENT, 0 },
        { "max_age over", RP_OK "&max_age=99", 0, RC_OK, STEP_SIGN_IN_AGAIN, 0 },
        { "max_age over, silently", RP_OK "&max_age=99&prompt=none", 0, RC_REFUSED, 0,
          OAUTH_LOGIN_REQUIRED },
        { "max_age 0", RP_OK "&max_age=0", 0, RC_OK, STEP_SIGN_IN_AGAIN, 0 },
        { "max_age 0, answered", RP_OK "&max_age=0", ANSWERED, RC_OK, STEP_CONSENT, 0 },
        { "select_account", RP_OK "&prompt=select_account", 0, RC_OK, STEP_SIGN_IN, 0 },
        { "select_account, answered", RP_OK "&prompt=select_account", ANSWERED, RC_OK, STEP_CONSENT,
          0 },
        { "create", RP_OK "&prompt=create", 0, RC_OK, STEP_SIGN_IN, 0 },
        { "acr of one factor", RP_OK "&acr_values=urn:jeton:acr:1fa", 0, RC_OK, STEP_CONSENT, 0 },
        { "acr that she has", RP_OK "&acr_values=urn:jeton:acr:2fa", TWO_FACTORS, RC_OK,
          STEP_CONSENT, 0 },
        { "acr that she cannot reach", RP_OK "&acr_values=urn:jeton:acr:2fa", 0, RC_OK,
          STEP_CONSENT, 0 },
        { "essential acr that she cannot reach", RP_OK ESSENTIAL, 0, RC_REFUSED, 0,
          OAUTH_UNMET_AUTHENTICATION },
        { "essential acr that she has", RP_OK ESSENTIAL, TWO_FACTORS, RC_OK, STEP_CONSENT, 0 },
        { "another person is meant",
          RP_OK "&claims={\"id_token\":{\"sub\":{\"value\":\"account:1\"}}}", 0, RC_OK,
          STEP_SIGN_IN, 0 },
        { "another person is meant, and did not come",
          RP_OK "&claims={\"id_token\":{\"sub\":{\"value\":\"account:1\"}}}", ANSWERED, RC_REFUSED,
          0, OAUTH_LOGIN_REQUIRED },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_step(*state, &rows[i]);
}

/* RFC 9470 5: who has a second factor is asked for it. */
static void test_step_up(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct factor factor = { .account_id = account_of(fixture, "alice").id,
                             .kind = FACTOR_TOTP,
                             .name = STR("phone"),
                             .sealed = STR("x"),
                             .created_at = 1 };
    struct store_unit unit;

    assert_int_equal(store_next_id(fixture->room->store, SEQUENCE_NOUN, &factor.id), RC_OK);
    store_unit_init(&unit);
    store_insert_factor(&unit, &factor);
    commit(fixture, &unit);
    assert_step(fixture, &(struct step_case){ "voluntary", RP_OK "&acr_values=urn:jeton:acr:2fa", 0,
                                              RC_OK, STEP_STEP_UP, 0 });
    assert_step(fixture,
                &(struct step_case){ "essential", RP_OK ESSENTIAL, 0, RC_OK, STEP_STEP_UP, 0 });
    assert_step(fixture, &(struct step_case){ "a passkey, which she has not",
                                              RP_OK "&acr_values=phr", 0, RC_OK, STEP_CONSENT, 0 });
    assert_step(fixture, &(struct step_case){ "silently", RP_OK ESSENTIAL "&prompt=none", 0,
                                              RC_REFUSED, 0, OAUTH_UNMET_AUTHENTICATION });
}

/* AZ-17: remembered for a client that authenticates, for what was allowed and no more. */
static void test_az_17_consent_is_remembered(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct person *person = person_new(fixture, "alice");
    struct oauth_call call = { .oauth = &fixture->oauth,
                               .arena = &fixture->room->arena,
                               .now = fixture->now,
                               .may_block = true };
    const char *query = RP_OK "&scope=openid+read";

    assert_int_equal(allow(fixture, query, person, false).error, OAUTH_CONSENT_REQUIRED);
    assert_int_equal(allow(fixture, query, person, true).rc, RC_OK);
    assert_step(fixture, &(struct step_case){ "the same", query, 0, RC_OK, STEP_NONE, 0 });
    assert_step(fixture,
                &(struct step_case){ "less", RP_OK "&scope=read", 0, RC_OK, STEP_NONE, 0 });
    assert_step(fixture, &(struct step_case){ "more", RP_OK "&scope=openid+write", 0, RC_OK,
                                              STEP_CONSENT, 0 });
    assert_step(fixture, &(struct step_case){ "asked for", RP_OK "&scope=read&prompt=consent", 0,
                                              RC_OK, STEP_CONSENT, 0 });
    assert_step(fixture, &(struct step_case){ "in detail",
                                              RP_OK "&scope=read&authorization_details="
                                                    "[{\"type\":\"payment\"}]",
                                              0, RC_OK, STEP_CONSENT, 0 });
    assert_int_equal(allow(fixture, query, person, false).rc, RC_OK);
    assert_int_equal(application_revoke(&call, person->account.id, client_of(fixture, "rp").id),
                     RC_OK);
    assert_step(fixture, &(struct step_case){ "revoked", query, 0, RC_OK, STEP_CONSENT, 0 });
}

/* AZ-17: anybody may call themselves a public client. */
static void test_az_17_never_silent_for_public_clients(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct person *person = person_new(fixture, "alice");
    const char *query =
        "client_id=native&redirect_uri=http://127.0.0.1:1/cb&response_type=code&scope=read" PKCE;
    struct client client;

    assert_int_equal(allow(fixture, query, person, true).rc, RC_OK);
    assert_step(fixture, &(struct step_case){ "again", query, 0, RC_OK, STEP_CONSENT, 0 });
    client = client_of(fixture, "native");
    client.policy |= CLIENT_IS_TRUSTED;
    update_client(fixture, &client);
    assert_step(fixture, &(struct step_case){ "trusted", query, 0, RC_OK, STEP_NONE, 0 });
}

/* Fault class 12: a yes without what has to come first. */
static void test_yes_without_proof(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct person *person = person_new(fixture, "alice");
    struct allowed allowed = allow(fixture, RP_OK "&prompt=login", person, true);

    assert_int_equal(allowed.rc, RC_REFUSED);
    assert_int_equal(allowed.error, OAUTH_CONSENT_REQUIRED);
    person->at_browser = (struct authorization_person){ .asked_at = 1 };
    assert_int_equal(allow(fixture, RP_OK, person, true).rc, RC_REFUSED);
}

static void test_deny_is_on_record(void **state)
{
    struct oauth_fixture *fixture = *state;
    struct person *person = person_new(fixture, "alice");
    struct visit *visit = visit_begin(fixture, RP_OK);
    struct event events[1];
    size_t count;

    assert_int_equal(authorization_deny(&visit->call, &visit->request, &person->at_browser),
                     RC_REFUSED);
    assert_int_equal(visit->call.refusal.error, OAUTH_ACCESS_DENIED);
    assert_int_equal(store_list_events(fixture->room->store, INT64_MAX, &fixture->room->arena,
                                       events, 1, &count),
                     RC_OK);
    assert_int_equal(events[0].kind, EVENT_CONSENT_DENIED);
    visit_end(visit);
}

static void test_classes_are_ordered(void **state)
{
    (void)state;
    assert_true(str_equal(acr_of(METHOD_PASSKEY), STR("phr")));
    assert_true(str_equal(acr_of(METHOD_PASSWORD | METHOD_CODE), STR("urn:jeton:acr:2fa")));
    assert_int_equal(acr_of(0).len, 0);
    assert_true(acr_reaches(STR("phr"), STR("urn:jeton:acr:1fa")));
    assert_true(acr_reaches(STR("urn:jeton:acr:2fa"), STR("urn:jeton:acr:2fa")));
    assert_false(acr_reaches(STR("urn:jeton:acr:2fa"), STR("phr")));
    assert_false(acr_reaches(STR("phr"), STR("urn:other")));
    assert_false(acr_reaches(STR(""), STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RPS(test_oi_02_oi_03_steps),
        WITH_RPS(test_step_up),
        WITH_RPS(test_az_17_consent_is_remembered),
        WITH_RPS(test_az_17_never_silent_for_public_clients),
        WITH_RPS(test_yes_without_proof),
        WITH_RPS(test_deny_is_on_record),
        cmocka_unit_test(test_classes_are_ordered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
