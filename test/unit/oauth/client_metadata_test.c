/* What clients may be registered with (RFC 7591 2, OpenID Connect Registration 1.0 2). */
#include "fixture.h"

#include "oauth/client_metadata.h"

enum { ARENA_BYTES = 1024 * 1024 };

#define POINT                                                                                      \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","      \
    "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\""
#define JWKS "{\"keys\":[{" POINT ",\"kid\":\"1\"}]}"

struct trial {
    struct arena arena;
    struct client client;
    struct metadata_problem problem;
    struct client_metadata metadata;
};

static struct trial *trial_new(void)
{
    struct trial *trial = calloc(1, sizeof(*trial));

    assert_non_null(trial);
    arena_init(&trial->arena, ARENA_BYTES);
    trial->client = (struct client){ .client_id = STR("app"), .name = STR("app") };
    return trial;
}

static void trial_free(struct trial *trial)
{
    arena_deinit(&trial->arena);
    free(trial);
}

static enum rc apply(struct trial *trial, const char *json, bool is_operator)
{
    return client_metadata_apply(str_of(json), is_operator, &trial->arena, &trial->client,
                                 &trial->problem);
}

/* Applies and reads back what was kept. */
static void accept(struct trial *trial, const char *json)
{
    if (apply(trial, json, true) != RC_OK)
        fail_msg("%s: %.*s: %.*s", json, STR_ARGS(trial->problem.member),
                 STR_ARGS(trial->problem.sentence));
    assert_int_equal(client_metadata_read(&trial->client, &trial->arena, &trial->metadata), RC_OK);
}

static void refuse(const char *json, bool is_operator, const char *member)
{
    struct trial *trial = trial_new();
    enum rc rc = apply(trial, json, is_operator);

    if (rc != RC_REFUSED || !str_equal(trial->problem.member, str_of(member)))
        fail_msg("%s: %d, %.*s", json, (int)rc, STR_ARGS(trial->problem.member));
    assert_int_equal(trial->problem.error, strcmp(member, "redirect_uris") == 0
                                               ? OAUTH_INVALID_REDIRECT_URI
                                               : OAUTH_INVALID_CLIENT_METADATA);
    assert_true(trial->client.metadata.len == 0 && trial->client.grant_types == 0);
    trial_free(trial);
}

static const char everything[] =
    "{\"client_name\":\"An app\",\"redirect_uris\":[\"https://app.example/cb\"],"
    "\"grant_types\":[\"authorization_code\",\"refresh_token\"],\"response_types\":[\"code\"],"
    "\"scope\":\"openid read\",\"token_endpoint_auth_method\":\"private_key_jwt\","
    "\"token_endpoint_auth_signing_alg\":\"PS256\",\"jwks\":" JWKS ","
    "\"require_pushed_authorization_requests\":true,\"dpop_bound_access_tokens\":true,"
    "\"subject_type\":\"pairwise\",\"id_token_signed_response_alg\":\"EdDSA\","
    "\"userinfo_signed_response_alg\":\"ES256\",\"default_max_age\":600,"
    "\"require_auth_time\":true,\"default_acr_values\":[\"urn:a\",\"urn:b\"],"
    "\"post_logout_redirect_uris\":[\"https://app.example/out\",\"https://app.example/2\"],"
    "\"backchannel_logout_uri\":\"https://app.example/bye?x=1\","
    "\"backchannel_logout_session_required\":true,\"contacts\":[\"a@app.example\"],"
    "\"client_uri\":\"https://app.example/\",\"logo_uri\":\"http://app.example/l.png\","
    "\"authorization_details_types\":[\"payment\"],\"response_modes\":[\"query\"],"
    "\"software_id\":\"s\",\"jeton_exchange_audiences\":[\"api.example\"],"
    "\"unknown\":{\"ignored\":[1,2]},\"client_name#de\":\"Eine App\"}";

static void test_everything_is_kept_and_shown(void **state)
{
    struct trial *trial = trial_new();
    char *memory = arena_alloc(&trial->arena, CLIENT_METADATA_BYTES_MAX);
    struct buffer text = buffer_over(memory, CLIENT_METADATA_BYTES_MAX);
    struct json_out json = json_out_over(&text);
    struct client again = { .client_id = STR("app"), .name = STR("app") };
    const struct client_metadata *metadata = &trial->metadata;

    (void)state;
    accept(trial, everything);
    assert_true(str_equal(trial->client.name, STR("An app")));
    assert_true(str_equal(trial->client.scope, STR("openid read")));
    assert_int_equal(trial->client.type, CLIENT_CONFIDENTIAL);
    assert_int_equal(trial->client.auth_method, AUTH_PRIVATE_KEY_JWT);
    assert_int_equal(trial->client.grant_types,
                     1u << GRANT_TYPE_AUTHORIZATION_CODE | 1u << GRANT_TYPE_REFRESH_TOKEN);
    assert_int_equal(trial->client.policy,
                     CLIENT_REQUIRES_PUSHED | CLIENT_BINDS_DPOP | CLIENT_IS_PAIRWISE);
    assert_true(client_is_fapi(&trial->client) && !client_has_secret(&trial->client));
    assert_true(str_equal(metadata->jwks, STR(JWKS)));
    assert_true(metadata->has_assertion_alg && metadata->assertion_alg == ALG_PS256);
    assert_true(metadata->has_id_token_alg && metadata->id_token_alg == ALG_EDDSA);
    assert_true(metadata->has_userinfo_alg && metadata->userinfo_alg == ALG_ES256);
    assert_false(metadata->has_introspection_alg || metadata->has_request_alg);
    assert_int_equal(metadata->default_max_age_s, 600);
    assert_true(metadata->require_auth_time && !metadata->is_native);
    assert_true(str_equal(metadata->default_acr_values, STR("urn:a urn:b")));
    assert_true(str_equal(metadata->post_logout_redirect_uris,
                          STR("https://app.example/out\nhttps://app.example/2")));
    assert_true(str_equal(metadata->exchange_audiences, STR("api.example")));

    /* What is shown is what would register the same once more. */
    json_begin_object(&json);
    assert_int_equal(client_metadata_format(&trial->client, &trial->arena, &json), RC_OK);
    json_end_object(&json);
    assert_int_equal(
        client_metadata_apply(buffer_str(&text), true, &trial->arena, &again, &trial->problem),
        RC_OK);
    assert_true(str_equal(again.metadata, trial->client.metadata));
    assert_true(again.policy == trial->client.policy &&
                again.grant_types == trial->client.grant_types &&
                str_equal(again.redirect_uris, trial->client.redirect_uris));
    trial_free(trial);
}

static void test_defaults(void **state)
{
    struct trial *trial = trial_new();

    (void)state;
    accept(trial, "{\"redirect_uris\":[\"https://app.example/cb\"]}");
    assert_int_equal(trial->client.grant_types, 1u << GRANT_TYPE_AUTHORIZATION_CODE);
    assert_true(client_has_secret(&trial->client));
    assert_int_equal(trial->client.metadata.len, 0);
    assert_int_equal(trial->metadata.default_max_age_s, -1);
    assert_int_equal(trial->metadata.id_token_alg, ALG_RS256);
    assert_false(trial->metadata.has_id_token_alg);
    trial_free(trial);
}

/* Members that are not named stay; null takes one back. */
static void test_changes_leave_the_rest(void **state)
{
    struct trial *trial = trial_new();

    (void)state;
    accept(trial, everything);
    accept(trial, "{\"client_uri\":null,\"scope\":\"read\",\"dpop_bound_access_tokens\":false,"
                  "\"tls_client_certificate_bound_access_tokens\":true}");
    assert_int_equal(trial->metadata.client_uri.len, 0);
    assert_true(trial->metadata.logo_uri.len > 0 && trial->metadata.jwks.len > 0);
    assert_true(str_equal(trial->client.scope, STR("read")));
    assert_int_equal(trial->client.policy,
                     CLIENT_REQUIRES_PUSHED | CLIENT_BINDS_TLS | CLIENT_IS_PAIRWISE);
    /* Fault class 39: what could not be registered cannot be reached by a change. */
    assert_int_equal(apply(trial, "{\"jwks\":null}", true), RC_REFUSED);
    assert_int_equal(apply(trial, "{\"redirect_uris\":[\"javascript:alert(1)\"]}", true),
                     RC_REFUSED);
    assert_int_equal(client_metadata_read(&trial->client, &trial->arena, &trial->metadata), RC_OK);
    assert_true(trial->metadata.jwks.len > 0);
    trial_free(trial);
}

/* CA-03: another method makes the old secret good for nothing. */
static void test_ca_03_another_method_forgets_the_secret(void **state)
{
    struct trial *trial = trial_new();

    (void)state;
    trial->client.grant_types = 1u << GRANT_TYPE_CLIENT_CREDENTIALS;
    trial->client.secret_hash = STR("hash");
    trial->client.previous_secret_hash = STR("old");
    trial->client.previous_secret_until = 7;
    accept(trial, "{\"client_name\":\"other\"}");
    assert_int_equal(trial->client.secret_hash.len, 4);
    accept(trial, "{\"token_endpoint_auth_method\":\"private_key_jwt\",\"jwks\":" JWKS "}");
    assert_int_equal(trial->client.secret_hash.len, 0);
    assert_int_equal(trial->client.previous_secret_hash.len, 0);
    assert_int_equal(trial->client.previous_secret_until, 0);
    trial_free(trial);
}

/* AZ-03. RFC 9700 2.6; RFC 8252 7 */
static void test_az_03_redirect_uris(void **state)
{
    static const char *const sound[] = { "https://app.example/cb", "HTTPS://app.example/cb?x=1",
                                         "http://127.0.0.1/cb", "http://[::1]:8080/cb",
                                         "com.example.app:/cb" };
    static const char *const unsound[] = { "javascript:alert(1)",
                                           "JavaScript:alert(1)",
                                           "data:text/html,x",
                                           "DATA:text/html,x",
                                           "vbscript:x",
                                           "VBScript:x",
                                           "app:/cb",
                                           "http://app.example/cb",
                                           "http://127.0.0.1.evil.example/cb",
                                           "http://localhost.evil.example/cb",
                                           "https://app.example/cb#x",
                                           "https://user@app.example/cb",
                                           "https:///cb",
                                           "https://app.example/a b",
                                           "https://app.example\\\\@evil.example/",
                                           "https://\\u00e4pp.example/",
                                           "//app.example/cb",
                                           "/cb",
                                           "file:///etc/passwd",
                                           "" };
    char json[512];

    (void)state;
    for (size_t i = 0; i < sizeof(sound) / sizeof(sound[0]); i++) {
        struct trial *trial = trial_new();

        snprintf(json, sizeof(json), "{\"redirect_uris\":[\"%s\"]}", sound[i]);
        accept(trial, json);
        assert_true(str_equal(trial->client.redirect_uris, str_of(sound[i])));
        assert_int_equal(trial->metadata.is_native, i >= 2);
        trial_free(trial);
    }
    for (size_t i = 0; i < sizeof(unsound) / sizeof(unsound[0]); i++) {
        snprintf(json, sizeof(json), "{\"redirect_uris\":[\"https://app.example/cb\",\"%s\"]}",
                 unsound[i]);
        refuse(json, true, "redirect_uris");
        snprintf(json, sizeof(json),
                 "{\"redirect_uris\":[\"https://a.example/\"],\"post_logout_redirect_uris\":"
                 "[\"%s\"]}",
                 unsound[i]);
        refuse(json, true, "post_logout_redirect_uris");
    }
    /* AZ-02: not for a client that says that it is a web application. */
    for (size_t i = 2; i < sizeof(sound) / sizeof(sound[0]); i++) {
        snprintf(json, sizeof(json), "{\"application_type\":\"web\",\"redirect_uris\":[\"%s\"]}",
                 sound[i]);
        refuse(json, true, "redirect_uris");
    }
}

#define AT "\"redirect_uris\":[\"https://a.example/\"]"

static const struct {
    const char *json;
    const char *member;
} unsound_cases[] = {
    { "[]", "" },
    { "{", "" },
    { "{" AT "," AT "}", "" },
    { "{}", "redirect_uris" },
    { "{\"redirect_uris\":\"https://a.example/\"}", "redirect_uris" },
    { "{" AT ",\"client_name\":7}", "client_name" },
    { "{" AT ",\"client_name\":\"a\\u0007b\"}", "client_name" },
    { "{" AT ",\"grant_types\":[\"implicit\"]}", "grant_types" },
    { "{" AT ",\"grant_types\":\"authorization_code\"}", "grant_types" },
    { "{" AT ",\"grant_types\":[\"refresh_token\"]}", "grant_types" },
    { "{\"token_endpoint_auth_method\":\"none\",\"grant_types\":[\"client_credentials\"]}",
      "grant_types" },
    { "{" AT ",\"response_types\":[\"token\"]}", "response_types" },
    { "{" AT ",\"response_types\":[\"code id_token\"]}", "response_types" },
    { "{\"grant_types\":[\"client_credentials\"],\"response_types\":[\"code\"]}",
      "response_types" },
    { "{" AT ",\"scope\":\"a  b\"}", "scope" },
    { "{" AT ",\"token_endpoint_auth_method\":\"client_secret_jwt\"}",
      "token_endpoint_auth_method" },
    { "{" AT ",\"token_endpoint_auth_method\":\"private_key_jwt\"}", "jwks" },
    { "{" AT ",\"token_endpoint_auth_method\":\"self_signed_tls_client_auth\"}", "jwks" },
    { "{" AT ",\"token_endpoint_auth_method\":\"tls_client_auth\"}", "tls_client_auth_subject_dn" },
    { "{" AT ",\"tls_client_auth_subject_dn\":\"CN=a\",\"tls_client_auth_san_dns\":\"a\"}",
      "tls_client_auth_subject_dn" },
    { "{" AT ",\"tls_client_auth_san_ip\":\"a\"}", "tls_client_auth_san_ip" },
    { "{" AT ",\"require_signed_request_object\":true}", "jwks" },
    { "{" AT ",\"jwks\":" JWKS ",\"jwks_uri\":\"https://a.example/k\"}", "jwks" },
    { "{" AT ",\"jwks\":{\"keys\":[{" POINT ",\"d\":\"AA\"}]}}", "jwks" },
    { "{" AT ",\"jwks\":{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}}", "jwks" },
    { "{" AT ",\"jwks\":{\"keys\":{}}}", "jwks" },
    { "{" AT ",\"jwks\":\""
      "{}"
      "\"}",
      "jwks" },
    { "{" AT ",\"jwks\":{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
      "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
      "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}}",
      "jwks" },
    { "{" AT ",\"jwks_uri\":\"http://a.example/k\"}", "jwks_uri" },
    { "{" AT ",\"jwks_uri\":\"\"}", "jwks_uri" },
    { "{" AT ",\"sector_identifier_uri\":\"http://a.example/k\"}", "sector_identifier_uri" },
    { "{" AT ",\"backchannel_logout_uri\":\"https://a.example/#x\"}", "backchannel_logout_uri" },
    { "{" AT ",\"client_uri\":\"javascript:alert(1)\"}", "client_uri" },
    { "{" AT ",\"logo_uri\":\"data:image/png;base64,AA\"}", "logo_uri" },
    { "{" AT ",\"contacts\":[7]}", "contacts" },
    { "{" AT ",\"contacts\":[\"a\\nb\"]}", "contacts" },
    { "{" AT ",\"application_type\":\"other\"}", "application_type" },
    { "{" AT ",\"id_token_signed_response_alg\":\"none\"}", "id_token_signed_response_alg" },
    { "{" AT ",\"id_token_signed_response_alg\":\"HS256\"}", "id_token_signed_response_alg" },
    { "{" AT ",\"id_token_signed_response_alg\":\"PS256\"}", "id_token_signed_response_alg" },
    { "{" AT ",\"request_object_signing_alg\":\"none\"}", "request_object_signing_alg" },
    { "{" AT ",\"token_endpoint_auth_signing_alg\":\"ES256K\"}",
      "token_endpoint_auth_signing_alg" },
    { "{" AT ",\"default_max_age\":-5}", "default_max_age" },
    { "{" AT ",\"default_max_age\":\"5\"}", "default_max_age" },
    { "{" AT ",\"require_auth_time\":\"true\"}", "require_auth_time" },
    { "{" AT ",\"default_acr_values\":[\"a b\"]}", "default_acr_values" },
    { "{" AT ",\"response_modes\":[\"fragment\"]}", "response_modes" }, /* AZ-10 */
    { "{" AT ",\"dpop_bound_access_tokens\":1}", "dpop_bound_access_tokens" },
    { "{" AT ",\"subject_type\":\"other\"}", "subject_type" },
    { "{\"redirect_uris\":[\"https://a.example/\",\"https://b.example/\"],"
      "\"subject_type\":\"pairwise\"}",
      "sector_identifier_uri" },
    /* KY-03: FAPI 2.0 Security Profile 5.4.1 */
    { "{" AT ",\"require_pushed_authorization_requests\":true,"
      "\"dpop_bound_access_tokens\":true,\"id_token_signed_response_alg\":\"RS256\"}",
      "id_token_signed_response_alg" },
};

static void test_what_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(unsound_cases) / sizeof(unsound_cases[0]); i++)
        refuse(unsound_cases[i].json, true, unsound_cases[i].member);
    /* What only an operator may give. */
    refuse("{" AT ",\"jeton_trusted\":true}", false, "jeton_trusted");
    refuse("{" AT ",\"jeton_exchange_audiences\":[\"api\"]}", false, "jeton_exchange_audiences");
    refuse("{" AT ",\"grant_types\":[\"password\"]}", false, "grant_types");
    refuse("{" AT ",\"grant_types\":[\"urn:ietf:params:oauth:grant-type:token-exchange\"]}", false,
           "grant_types");
    refuse("{" AT ",\"grant_types\":[\"urn:ietf:params:oauth:grant-type:jwt-bearer\"]}", false,
           "grant_types");
}

#undef AT

/* KY-03: keys under 2048 bits, or none of ours at all. */
static void test_ky_03_weak_keys(void **state)
{
    static const char weak[] =
        "{\"redirect_uris\":[\"https://a.example/\"],\"jwks\":{\"keys\":[{\"kty\":\"RSA\","
        "\"e\":\"AQAB\",\"n\":\"%.171s\"}]}}";
    char json[1024];
    char digits[172];

    (void)state;
    memset(digits, 'x', sizeof(digits) - 1);
    digits[sizeof(digits) - 1] = '\0';
    digits[170] = 'w'; /* 1024 bits and nothing behind them */
    snprintf(json, sizeof(json), weak, digits);
    refuse(json, true, "jwks");
}

static void test_fapi_has_no_rs256_by_default(void **state)
{
    struct trial *trial = trial_new();

    (void)state;
    accept(trial, "{\"redirect_uris\":[\"https://a.example/\"],"
                  "\"require_pushed_authorization_requests\":true,"
                  "\"tls_client_certificate_bound_access_tokens\":true}");
    assert_true(trial->metadata.has_id_token_alg && trial->metadata.id_token_alg == ALG_ES256);
    trial_free(trial);
}

static void test_stored_nonsense_is_a_fault(void **state)
{
    static const char *const stored[] = { "{", "{\"jwks\":7}", "{\"require_auth_time\":\"x\"}" };
    struct trial *trial = trial_new();

    (void)state;
    for (size_t i = 0; i < sizeof(stored) / sizeof(stored[0]); i++) {
        trial->client.metadata = str_of(stored[i]);
        assert_int_equal(client_metadata_read(&trial->client, &trial->arena, &trial->metadata),
                         RC_CORRUPT);
    }
    trial_free(trial);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_is_kept_and_shown),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_changes_leave_the_rest),
        cmocka_unit_test(test_ca_03_another_method_forgets_the_secret),
        cmocka_unit_test(test_az_03_redirect_uris),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_ky_03_weak_keys),
        cmocka_unit_test(test_fapi_has_no_rs256_by_default),
        cmocka_unit_test(test_stored_nonsense_is_a_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
