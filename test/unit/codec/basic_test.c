#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../vector_file.h"
#include "codec/basic.h"
#include "codec/form.h"
#include "codec/json.h"

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 64 * 1024);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

static void assert_pair(struct str header, struct str user, struct str password)
{
    struct str got_user;
    struct str got_password;

    assert_int_equal(basic_parse(header, &arena, &got_user, &got_password), RC_OK);
    assert_true(str_equal(got_user, user));
    assert_true(str_equal(got_password, password));
}

static void assert_basic_rc(struct str header, enum rc expected)
{
    struct str user = STR("untouched");
    struct str password = STR("untouched");

    assert_int_equal(basic_parse(header, &arena, &user, &password), expected);
    assert_true(str_equal(user, STR("untouched")));
    assert_true(str_equal(password, STR("untouched")));
}

static void pairs(void **state)
{
    (void)state;
    /* RFC 7617 2 and 2.1 */
    assert_pair(STR("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), STR("Aladdin"), STR("open sesame"));
    assert_pair(STR("Basic dGVzdDoxMjPCow=="), STR("test"), STR("123\xc2\xa3"));
    assert_pair(STR("bAsIc dGVzdDoxMjPCow"), STR("test"), STR("123\xc2\xa3"));
    assert_pair(STR("Basic   YTpi"), STR("a"), STR("b"));
    /* The first colon parts; nothing is percent-decoded. */
    assert_pair(STR("Basic YTpiOmM="), STR("a"), STR("b:c"));
    assert_pair(STR("Basic YSUyMDpiKw=="), STR("a%20"), STR("b+"));
    assert_pair(STR("Basic dXRvcGlhLXBsdWdpbjo="), STR("utopia-plugin"), STR(""));
    assert_pair(STR("Basic OnB3"), STR(""), STR("pw"));
    assert_pair(STR("Basic Og=="), STR(""), STR(""));
}

static void latin1_is_read_when_utf8_is_not(void **state)
{
    (void)state;
    /* "jörg:£" as a Java client of old sends it */
    assert_pair(STR("Basic avZyZzqj"), STR("j\xc3\xb6rg"), STR("\xc2\xa3"));
    /* "jörg:£" in UTF-8 */
    assert_pair(STR("Basic asO2cmc6wqM="), STR("j\xc3\xb6rg"), STR("\xc2\xa3"));
}

/* RFC 9110 11.1 schemes; RFC 7617 2 */
static void basic_refuses(void **state)
{
    (void)state;
    assert_basic_rc(STR("Bearer abc"), RC_NOT_FOUND);
    assert_basic_rc(STR("Basically YTpi"), RC_NOT_FOUND);
    assert_basic_rc(STR(""), RC_NOT_FOUND);
    assert_basic_rc((struct str){ NULL, 0 }, RC_NOT_FOUND);
    assert_basic_rc(STR(" Basic YTpi"), RC_NOT_FOUND);
    assert_basic_rc(STR("Basic\tYTpi"), RC_NOT_FOUND);
    assert_basic_rc(STR("Basic"), RC_INVALID);
    assert_basic_rc(STR("Basic "), RC_INVALID);
    assert_basic_rc(STR("Basic !!!!"), RC_INVALID);
    assert_basic_rc(STR("Basic YTpi YTpi"), RC_INVALID);
    assert_basic_rc(STR("Basic YTpi,"), RC_INVALID);
    assert_basic_rc(STR("Basic ===="), RC_INVALID);
    assert_basic_rc(STR("Basic YWJj"), RC_INVALID);     /* no colon */
    assert_basic_rc(STR("Basic YTpiAA=="), RC_INVALID); /* NUL */
    assert_basic_rc(STR("Basic YQo6Yg=="), RC_INVALID); /* line feed */
    assert_basic_rc(STR("Basic YTp/"), RC_INVALID);     /* DEL */
}

/* Client authentication: the pair is form-encoded before Basic (RFC 6749 2.3.1). */
static enum rc parse_client(struct str header, struct str *out_id, struct str *out_secret)
{
    enum rc rc = basic_parse(header, &arena, out_id, out_secret);

    if (rc == RC_OK)
        rc = form_decode(*out_id, &arena, out_id);
    if (rc == RC_OK)
        rc = form_decode(*out_secret, &arena, out_secret);
    return rc;
}

static struct str member(const struct json_value *object, const char *name)
{
    struct str text;

    assert_int_equal(json_get_string(json_find(object, str_of(name)), &text), RC_OK);
    return text;
}

static void client_secret_basic_vectors(void **state)
{
    struct str file = vector_file_read("rfc/client_secret_basic.json");
    const struct json_value *cases;
    struct json_document *document;
    struct str id;
    struct str secret;

    (void)state;
    assert_int_equal(json_parse(file, &document), RC_OK);
    cases = json_find(json_root(document), STR("cases"));
    assert_int_equal(json_count(cases), 5);
    for (size_t i = 0; i < json_count(cases); i++) {
        const struct json_value *each = json_item(cases, i);

        assert_int_equal(parse_client(member(each, "header"), &id, &secret), RC_OK);
        assert_true(str_equal(id, member(each, "client_id")));
        assert_true(str_equal(secret, member(each, "client_secret")));
    }
    cases = json_find(json_root(document), STR("reject"));
    assert_int_equal(json_count(cases), 6);
    for (size_t i = 0; i < json_count(cases); i++)
        assert_int_equal(parse_client(member(json_item(cases, i), "header"), &id, &secret),
                         RC_INVALID);
    json_document_free(document);
    free((void *)(uintptr_t)file.at);
}

/* RFC 6750 2.1 */
static void bearer_tokens(void **state)
{
    static const char *const good[] = { "Bearer mF_9.B5f-4.1JqM", "bearer mF_9.B5f-4.1JqM",
                                        "BEARER  mF_9.B5f-4.1JqM" };
    struct str token;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(bearer_parse(str_of(good[i]), &token), RC_OK);
        assert_true(str_equal(token, STR("mF_9.B5f-4.1JqM")));
    }
    assert_int_equal(bearer_parse(STR("Bearer aA0-._~+/=="), &token), RC_OK);
    assert_true(str_equal(token, STR("aA0-._~+/==")));
}

static void bearer_refuses(void **state)
{
    struct str token = STR("untouched");

    (void)state;
    assert_int_equal(bearer_parse(STR("Basic YTpi"), &token), RC_NOT_FOUND);
    assert_int_equal(bearer_parse(STR(""), &token), RC_NOT_FOUND);
    assert_int_equal(bearer_parse(STR("Bearer"), &token), RC_INVALID);
    assert_int_equal(bearer_parse(STR("Bearer "), &token), RC_INVALID);
    assert_int_equal(bearer_parse(STR("Bearer =="), &token), RC_INVALID);
    assert_int_equal(bearer_parse(STR("Bearer a=b"), &token), RC_INVALID);
    assert_int_equal(bearer_parse(STR("Bearer a b"), &token), RC_INVALID);
    assert_int_equal(bearer_parse(STR("Bearer a,b"), &token), RC_INVALID);
    assert_int_equal(bearer_parse(STR("Bearer a\0"), &token), RC_INVALID);
    assert_int_equal(bearer_parse(STR("Bearer \"a\""), &token), RC_INVALID);
    assert_int_equal(bearer_parse(STR("Bearer \xc3\xa9"), &token), RC_INVALID);
    assert_true(str_equal(token, STR("untouched")));
}

/* RFC 9449 7.1 */
static void access_tokens_of_both_schemes(void **state)
{
    struct str token = STR("");
    bool is_dpop = true;

    (void)state;
    assert_int_equal(access_token_parse(STR("bearer abc"), &token, &is_dpop), RC_OK);
    assert_false(is_dpop);
    assert_true(str_equal(token, STR("abc")));
    assert_int_equal(access_token_parse(STR("dPoP  abc=="), &token, &is_dpop), RC_OK);
    assert_true(is_dpop);
    assert_true(str_equal(token, STR("abc==")));
    assert_int_equal(access_token_parse(STR("Bearer a b"), &token, &is_dpop), RC_INVALID);
    assert_int_equal(access_token_parse(STR("DPoP"), &token, &is_dpop), RC_INVALID);
    assert_int_equal(access_token_parse(STR("DPoP a,b"), &token, &is_dpop), RC_INVALID);
    assert_int_equal(access_token_parse(STR("DPoPabc"), &token, &is_dpop), RC_NOT_FOUND);
    assert_int_equal(access_token_parse(STR("Basic abc"), &token, &is_dpop), RC_NOT_FOUND);
    assert_int_equal(bearer_parse(STR("DPoP abc"), &token), RC_NOT_FOUND);
    assert_true(is_dpop && str_equal(token, STR("abc==")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs),
        cmocka_unit_test(latin1_is_read_when_utf8_is_not),
        cmocka_unit_test(basic_refuses),
        cmocka_unit_test(client_secret_basic_vectors),
        cmocka_unit_test(bearer_tokens),
        cmocka_unit_test(bearer_refuses),
        cmocka_unit_test(access_tokens_of_both_schemes),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
