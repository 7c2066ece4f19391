/* What clients may be that no operator made (RFC 7591, Client ID Metadata Documents), and how many
 * of them there are. */
#include "fixture.h"

#include "oauth/admission.h"
#include "oauth/client_find.h"
#include "store/authorized.h"

#define URIS "\"redirect_uris\":[\"https://app.example/cb\"]"

struct visit {
    struct oauth_fixture *fixture;
    struct client_admission admission;
    struct arena arena;
    struct oauth_call call;
    struct metadata_problem problem;
};

static struct visit *visit_new(void **state)
{
    struct visit *visit = calloc(1, sizeof(*visit));

    assert_non_null(visit);
    visit->fixture = *state;
    visit->admission = (struct client_admission){ .registration = REGISTRATION_OPEN,
                                                  .takes_documents = true,
                                                  .service_ids = STR("api.example"),
                                                  .hosts = STR("app.example"),
                                                  .count_max = 3 };
    arena_init(&visit->arena, ADMISSION_ARENA_BYTES);
    visit->fixture->oauth.admission = &visit->admission;
    visit->call = (struct oauth_call){ .oauth = &visit->fixture->oauth,
                                       .arena = &visit->arena,
                                       .now = visit->fixture->now,
                                       .may_block = true,
                                       .may_hash = true };
    return visit;
}

static void visit_free(struct visit *visit)
{
    visit->fixture->oauth.admission = NULL;
    arena_deinit(&visit->arena);
    free(visit);
}

static enum rc judge(struct visit *visit, const char *json, enum client_policy policy,
                     struct client *client)
{
    return admission_judge(&visit->call, str_of(json), policy, &visit->arena, client,
                           &visit->problem);
}

/* ---- policy --------------------------------------------------------------------------------- */

static void test_defaults(void **state)
{
    struct visit *visit = visit_new(state);
    struct client client = { .client_id = STR("id"), .created_at = 7 };

    assert_int_equal(judge(visit, "{" URIS "}", CLIENT_IS_REGISTERED, &client), RC_OK);
    assert_int_equal(client.grant_types, 1u << GRANT_TYPE_AUTHORIZATION_CODE);
    assert_int_equal(client.policy, CLIENT_IS_REGISTERED);
    assert_true(client.type == CLIENT_CONFIDENTIAL && client.auth_method == AUTH_SECRET_BASIC);
    assert_true(str_equal(client.scope, STR("openid profile email offline_access")));
    assert_true(str_equal(client.service_ids, STR("api.example")));
    assert_true(client.created_at == 7 && client.refresh_lifetime_s > 0);
    visit_free(visit);
}

static void test_a_scope_is_all_there_is(void **state)
{
    struct visit *visit = visit_new(state);
    struct client client = { .client_id = STR("id") };

    assert_int_equal(
        judge(visit, "{" URIS ",\"scope\":\"openid api.read\"}", CLIENT_IS_REGISTERED, &client),
        RC_OK);
    assert_true(str_equal(client.scope, STR("openid api.read")) && client.service_ids.len == 0);
    visit_free(visit);
}

/* Fault class 39: the same for a registration and for what is registered already. */
static void fc_39_nothing_is_gained_by_a_change(void **state)
{
    static const char *const wrong[] = {
        "{" URIS ",\"grant_types\":[\"client_credentials\"]}",
        "{" URIS ",\"grant_types\":[\"password\"]}",
        "{" URIS ",\"grant_types\":[\"urn:ietf:params:oauth:grant-type:jwt-bearer\"]}",
        "{" URIS ",\"scope\":\"jwt.read\"}",
        "{" URIS ",\"scope\":\"jeton:register\"}",
        "{" URIS ",\"scope\":\"jeton:tokens\"}",
        "{" URIS ",\"scope\":\"nobodys\"}",
        "{" URIS ",\"jeton_trusted\":true}",
        "{\"redirect_uris\":[\"http://app.example/cb\"]}",
        "{\"redirect_uris\":[\"javascript:alert(1)\"]}",
        "{}",
        "[]",
    };
    struct visit *visit = visit_new(state);

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct client fresh = { .client_id = STR("id") };
        struct client trusted = { .client_id = STR("id"),
                                  .policy = CLIENT_IS_REGISTERED | CLIENT_IS_TRUSTED,
                                  .grant_types = ALL_GRANTS,
                                  .scope = STR("jwt.read") };

        assert_int_equal(judge(visit, wrong[i], CLIENT_IS_REGISTERED, &fresh), RC_REFUSED);
        assert_int_equal(judge(visit, wrong[i], CLIENT_IS_REGISTERED, &trusted), RC_REFUSED);
        assert_true(fresh.grant_types == 0 && trusted.grant_types == ALL_GRANTS);
        arena_reset(&visit->arena);
    }
    visit_free(visit);
}

static void test_what_an_operator_gave_is_gone(void **state)
{
    struct visit *visit = visit_new(state);
    struct client client = { .client_id = STR("id"),
                             .secret_hash = STR("hmac:x"),
                             .registration_digest = STR("digest"),
                             .policy = CLIENT_IS_REGISTERED | CLIENT_IS_TRUSTED,
                             .grant_types = ALL_GRANTS };

    assert_int_equal(judge(visit, "{" URIS "}", CLIENT_IS_REGISTERED, &client), RC_OK);
    assert_int_equal(client.policy, CLIENT_IS_REGISTERED);
    assert_true(client.secret_hash.len > 0 && client.registration_digest.len > 0);
    assert_int_equal(judge(visit, "{" URIS ",\"token_endpoint_auth_method\":\"none\"}",
                           CLIENT_IS_REGISTERED, &client),
                     RC_OK);
    assert_int_equal(client.secret_hash.len, 0); /* CA-03 */
    visit_free(visit);
}

static void test_documents_share_no_secret(void **state)
{
    static const struct {
        const char *json;
        enum rc rc;
    } rows[] = {
        { "{" URIS "}", RC_OK },
        { "{" URIS ",\"token_endpoint_auth_method\":\"none\"}", RC_OK },
        { "{" URIS ",\"token_endpoint_auth_method\":\"private_key_jwt\","
          "\"jwks_uri\":\"https://app.example/keys\"}",
          RC_OK },
        { "{" URIS ",\"token_endpoint_auth_method\":\"private_key_jwt\"}", RC_REFUSED },
        { "{" URIS ",\"token_endpoint_auth_method\":\"client_secret_basic\"}", RC_REFUSED },
        { "{" URIS ",\"token_endpoint_auth_method\":\"client_secret_post\"}", RC_REFUSED },
        { "{" URIS ",\"token_endpoint_auth_method\":\"tls_client_auth\","
          "\"tls_client_auth_san_dns\":\"app.example\"}",
          RC_REFUSED },
    };
    struct visit *visit = visit_new(state);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct client client = { .client_id = STR("https://app.example/c") };

        assert_int_equal(judge(visit, rows[i].json, CLIENT_IS_DOCUMENT, &client), rows[i].rc);
    }
    visit_free(visit);
}

static void test_client_ids_that_are_documents(void **state)
{
    static const struct {
        const char *text;
        bool is_document;
    } rows[] = {
        { "https://app.example/client.json", true },
        { "https://app.example:8443/c", true },
        { "https://app.example/a/b/", true },
        { "https://app.example", false },
        { "https://app.example/", false },
        { "http://app.example/c", false },
        { "https://app.example/c#x", false },
        { "https://app.example/c?x", false },
        { "https://app.example/c?", false },
        { "https://a@app.example/c", false },
        { "https://app.example/./c", false },
        { "https://app.example/a/../c", false },
        { "https://app.example/%2e%2e/c", false },
        { "https://APP.example/c", false },
        { "HTTPS://app.example/c", false },
        { "https://app.example:443/c", false },
        { "https:///c", false },
        { "https://app.example/%63", false },
        { "web", false },
        { "", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (client_id_is_document(str_of(rows[i].text)) != rows[i].is_document)
            fail_msg("%s", rows[i].text);
}

/* ---- how many there are --------------------------------------------------------------------- */

static enum rc insert(struct visit *visit, const char *client_id, int64_t created_at,
                      struct client *out_client)
{
    *out_client = (struct client){ .client_id = str_of(client_id),
                                   .name = str_of(client_id),
                                   .policy = CLIENT_IS_REGISTERED,
                                   .created_at = created_at };
    return admission_insert(&visit->call, out_client, STR("test"));
}

static bool is_there(struct visit *visit, const struct client *client)
{
    struct client found;

    return store_find_client(visit->fixture->room->store, client->id, &visit->arena, &found) ==
           RC_OK;
}

/* One that somebody was asked about. */
static void use(struct visit *visit, const struct client *client)
{
    struct consent consent = {
        .account_id = 1, .client_id = client->id, .scope = STR("openid"), .at = visit->call.now
    };
    struct store_unit unit;

    assert_int_equal(store_next_id(visit->fixture->room->store, SEQUENCE_NOUN, &consent.id), RC_OK);
    store_unit_init(&unit);
    store_put_consent(&unit, &consent);
    commit(visit->fixture, &unit);
}

static void test_there_is_a_bound(void **state)
{
    struct visit *visit = visit_new(state);
    int64_t now = visit->call.now;
    struct client clients[5];

    assert_int_equal(insert(visit, "a", now - ADMISSION_UNUSED_S - 1, &clients[0]), RC_OK);
    assert_int_equal(insert(visit, "b", now, &clients[1]), RC_OK);
    assert_int_equal(insert(visit, "c", now, &clients[2]), RC_OK);
    use(visit, &clients[0]);
    assert_int_equal(insert(visit, "d", now, &clients[3]), RC_TOO_LARGE);
    assert_true(is_there(visit, &clients[0])); /* old, but used */
    visit->call.now = now + ADMISSION_UNUSED_S + 1;
    assert_int_equal(insert(visit, "d", visit->call.now, &clients[3]), RC_OK);
    assert_true(!is_there(visit, &clients[1]) && is_there(visit, &clients[0]));
    assert_int_equal(insert(visit, "a", visit->call.now, &clients[4]), RC_EXISTS);
    visit_free(visit);
}

static void test_the_unused_leave_in_time(void **state)
{
    struct visit *visit = visit_new(state);
    int64_t now = visit->call.now;
    struct client old, used, young, next;

    assert_int_equal(insert(visit, "old", now - ADMISSION_IDLE_S - 1, &old), RC_OK);
    assert_true(is_there(visit, &old));
    use(visit, &old);
    used = old;
    assert_int_equal(insert(visit, "old2", now - ADMISSION_IDLE_S - 1, &old), RC_OK);
    assert_int_equal(insert(visit, "young", now - ADMISSION_IDLE_S + 60, &young), RC_OK);
    assert_true(!is_there(visit, &old) && is_there(visit, &used));
    assert_int_equal(insert(visit, "next", now, &next), RC_OK);
    assert_true(is_there(visit, &young) && is_there(visit, &next));
    visit_free(visit);
}

/* What was decided about a client holds only as long as nobody has disabled it meanwhile. */
static void test_a_change_does_not_enable(void **state)
{
    struct visit *visit = visit_new(state);
    struct client client, disabled;
    struct store_unit unit;

    assert_int_equal(insert(visit, "app", visit->call.now, &client), RC_OK);
    disabled = client;
    disabled.is_disabled = true;
    store_unit_init(&unit);
    store_update_client(&unit, &disabled);
    commit(visit->fixture, &unit);
    assert_int_equal(admission_update(&visit->call, &client, STR("test")), RC_NOT_FOUND);
    disabled.is_disabled = false;
    disabled.registration_digest = STR("another");
    store_unit_init(&unit);
    store_update_client(&unit, &disabled);
    commit(visit->fixture, &unit);
    assert_int_equal(admission_update(&visit->call, &client, STR("test")), RC_NOT_FOUND);
    client.registration_digest = STR("another");
    assert_int_equal(admission_update(&visit->call, &client, STR("test")), RC_OK);
    visit_free(visit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_OAUTH(test_defaults),
        WITH_OAUTH(test_a_scope_is_all_there_is),
        WITH_OAUTH(fc_39_nothing_is_gained_by_a_change),
        WITH_OAUTH(test_what_an_operator_gave_is_gone),
        WITH_OAUTH(test_documents_share_no_secret),
        WITH_OAUTH(test_there_is_a_bound),
        WITH_OAUTH(test_the_unused_leave_in_time),
        WITH_OAUTH(test_a_change_does_not_enable),
        cmocka_unit_test(test_client_ids_that_are_documents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
