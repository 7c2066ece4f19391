/* The texts of what is registered, and the numbers that stand in stores. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "model/registry.h"

#define ASSERT_STR(view, text) assert_true(str_equal(view, str_of(text)))

/* A service chooses between two formats; the others have a text, but come with a dialect. */
static void test_formats_have_a_text_and_two_can_be_chosen(void **state)
{
    static const struct {
        const char *text;
        int number;
        enum rc rc;
    } cases[] = { { "opaque", 0, RC_OK },
                  { "jwt", 1, RC_OK },
                  { "jwe", 2, RC_NOT_FOUND },
                  { "spring-jwt", 3, RC_NOT_FOUND } };
    size_t index;

    (void)state;
    assert_int_equal(TOKEN_FORMAT_COUNT, sizeof(cases) / sizeof(cases[0]));
    for (index = 0; index < TOKEN_FORMAT_COUNT; index++) {
        enum token_format format = TOKEN_FORMAT_COUNT;

        ASSERT_STR(token_format_format((enum token_format)cases[index].number), cases[index].text);
        assert_int_equal(token_format_parse(str_of(cases[index].text), &format), cases[index].rc);
        assert_int_equal(format,
                         cases[index].rc == RC_OK ? cases[index].number : (int)TOKEN_FORMAT_COUNT);
    }
}

static void test_what_is_no_format_is_not_found(void **state)
{
    static const char *const texts[] = { "", "JWT", "jwt ", "opaqu", "opaque2" };
    enum token_format format;
    size_t index;

    (void)state;
    for (index = 0; index < sizeof(texts) / sizeof(texts[0]); index++)
        assert_int_equal(token_format_parse(str_of(texts[index]), &format), RC_NOT_FOUND);
}

static void test_event_kinds_have_the_number_and_the_text_they_were_given(void **state)
{
    static const char *const texts[] = { [0] = "unknown",
                                         [1] = "token_issued",
                                         [2] = "token_refreshed",
                                         [3] = "token_revoked",
                                         [4] = "refresh_token_reused",
                                         [5] = "password_failed",
                                         [6] = "client_authentication_failed",
                                         [7] = "grant_ended",
                                         [8] = "account_changed",
                                         [9] = "client_changed",
                                         [10] = "service_changed",
                                         [11] = "key_changed",
                                         [12] = "denied",
                                         [13] = "session_begun",
                                         [14] = "factor_changed",
                                         [15] = "factor_failed",
                                         [16] = "account_locked",
                                         [17] = "signed_in",
                                         [18] = "signed_out",
                                         [19] = "permanent_changed",
                                         [20] = "consent_given",
                                         [21] = "consent_denied",
                                         [22] = "authorization_code_reused",
                                         [23] = "restored",
                                         [24] = "audit_trimmed",
                                         [25] = "unknown" };
    size_t index;

    (void)state;
    for (index = 0; index < sizeof(texts) / sizeof(texts[0]); index++)
        ASSERT_STR(event_kind_format((enum event_kind)index), texts[index]);
    ASSERT_STR(event_kind_format((enum event_kind)9999), "unknown");
}

/* The numbers stand in clients' rows, the texts come from the outside. */
static void test_grant_types_have_the_number_and_the_text_they_were_given(void **state)
{
    static const char *const texts[] = { "password",
                                         "client_credentials",
                                         "refresh_token",
                                         "authorization_code",
                                         "urn:ietf:params:oauth:grant-type:device_code",
                                         "urn:ietf:params:oauth:grant-type:token-exchange",
                                         "urn:ietf:params:oauth:grant-type:jwt-bearer" };
    size_t index;

    (void)state;
    assert_int_equal(GRANT_TYPE_COUNT, sizeof(texts) / sizeof(texts[0]));
    for (index = 0; index < GRANT_TYPE_COUNT; index++)
        ASSERT_STR(grant_type_format((enum grant_type)index), texts[index]);
}

static void test_bindings_are_members_of_cnf(void **state)
{
    (void)state;
    assert_int_equal(BINDING_KIND_COUNT, 3);
    ASSERT_STR(binding_kind_format(BINDING_NONE), "");
    ASSERT_STR(binding_kind_format(BINDING_DPOP), "jkt");
    ASSERT_STR(binding_kind_format(BINDING_TLS), "x5t#S256");
}

static void test_grant_types_and_algorithms_are_read_as_written(void **state)
{
    int number;

    (void)state;
    for (number = 0; number < GRANT_TYPE_COUNT; number++) {
        enum grant_type type = GRANT_TYPE_COUNT;

        assert_int_equal(grant_type_parse(grant_type_format((enum grant_type)number), &type),
                         RC_OK);
        assert_int_equal(type, number);
    }
    for (number = 0; number < ALG_COUNT; number++) {
        enum signing_alg alg = ALG_COUNT;

        assert_int_equal(signing_alg_parse(signing_alg_format((enum signing_alg)number), &alg),
                         RC_OK);
        assert_int_equal(alg, number);
    }
}

/* RFC 7591 2, but for the one that is ours. */
static void test_authentication_methods_are_read_as_written(void **state)
{
    static const char *const texts[AUTH_METHOD_COUNT] = {
        "client_secret",   "client_secret_basic", "client_secret_post",
        "private_key_jwt", "tls_client_auth",     "self_signed_tls_client_auth",
    };
    enum client_auth_method method;

    (void)state;
    for (int number = 0; number < AUTH_METHOD_COUNT; number++) {
        struct str text = client_auth_method_format((enum client_auth_method)number);

        assert_true(str_equal(text, str_of(texts[number])));
        assert_int_equal(client_auth_method_parse(text, &method), RC_OK);
        assert_int_equal(method, number);
    }
    assert_int_equal(client_auth_method_parse(STR("none"), &method), RC_NOT_FOUND);
    assert_int_equal(client_auth_method_parse(STR(""), &method), RC_NOT_FOUND);
}

static void test_token_kinds_have_a_letter(void **state)
{
    int number;

    (void)state;
    for (number = 0; number < TOKEN_KIND_COUNT; number++)
        assert_int_equal("arp"[number], token_kind_letter((enum token_kind)number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats_have_a_text_and_two_can_be_chosen),
        cmocka_unit_test(test_what_is_no_format_is_not_found),
        cmocka_unit_test(test_event_kinds_have_the_number_and_the_text_they_were_given),
        cmocka_unit_test(test_grant_types_have_the_number_and_the_text_they_were_given),
        cmocka_unit_test(test_authentication_methods_are_read_as_written),
        cmocka_unit_test(test_bindings_are_members_of_cnf),
        cmocka_unit_test(test_grant_types_and_algorithms_are_read_as_written),
        cmocka_unit_test(test_token_kinds_have_a_letter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
