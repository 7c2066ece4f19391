#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "codec/form.h"

#define BYTES(literal)                                                                             \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }

static struct arena arena;
static struct form form;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 256 * 1024);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

static void assert_value(const char *name, struct str expected)
{
    const struct str *value = form_find(&form, str_of(name));

    assert_non_null(value);
    assert_true(str_equal(*value, expected));
}

/* The documented u-Auth request, with '=' in the scope raw (curl) and encoded. */
static void uauth_requests(void **state)
{
    static const char *const bodies[] = {
        "grant_type=password&username=test&password=testpassword"
        "&scope=service_id=uslicer.iponweb.com",
        "grant_type=password&username=test&password=testpassword"
        "&scope=service_id%3Duslicer.iponweb.com",
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(form_parse(str_of(bodies[i]), &arena, &form), RC_OK);
        assert_int_equal(form.field_count, 4);
        assert_false(form.has_duplicate);
        assert_value("grant_type", STR("password"));
        assert_value("username", STR("test"));
        assert_value("password", STR("testpassword"));
        assert_value("scope", STR("service_id=uslicer.iponweb.com"));
        assert_null(form_find(&form, STR("Scope")));
        assert_null(form_find(&form, STR("scop")));
    }
}

/* The multi-line curl of the documentation sends its backslash and line feed as they stand. */
static void line_continuations_stay(void **state)
{
    (void)state;
    assert_int_equal(form_parse(STR("grant_type=password \\\n&username=test \\\n"), &arena, &form),
                     RC_OK);
    assert_value("grant_type", STR("password \\\n"));
    assert_value("username", STR("test \\\n"));
}

/* RFC 6749 appendix B */
static void decoding(void **state)
{
    (void)state;
    assert_int_equal(
        form_parse(STR("a=+%25%26%2B%C2%A3%E2%82%AC&b%3d=%2b+&c=%3D%3d"), &arena, &form), RC_OK);
    assert_value("a", STR(" %&+\xc2\xa3\xe2\x82\xac"));
    assert_value("b=", STR("+ "));
    assert_value("c", STR("=="));
    /* UTF-8 that was not encoded is taken as it is. */
    assert_int_equal(form_parse(STR("username=j\xc3\xb6rg"), &arena, &form), RC_OK);
    assert_value("username", STR("j\xc3\xb6rg"));
}

static void values_without_escapes_are_views(void **state)
{
    struct str body = STR("token=abc&hint=a%20b");
    size_t used_before = arena.used_bytes;
    struct str text;

    (void)state;
    assert_int_equal(form_parse(body, &arena, &form), RC_OK);
    assert_ptr_equal(form.fields[0].name.at, body.at);
    assert_ptr_equal(form.fields[0].value.at, body.at + 6);
    assert_int_equal(arena.used_bytes, used_before + 16);
    assert_int_equal(form_decode(body, &arena, &text), RC_OK);
    assert_true(str_equal(text, STR("token=abc&hint=a b")));
    assert_int_equal(form_decode(STR("plain"), &arena, &text), RC_OK);
    assert_true(str_equal(text, STR("plain")));
    assert_int_equal(form_decode((struct str){ NULL, 0 }, &arena, &text), RC_OK);
    assert_int_equal(text.len, 0);
}

static void odd_pairs(void **state)
{
    (void)state;
    assert_int_equal(form_parse(STR(""), &arena, &form), RC_OK);
    assert_int_equal(form.field_count, 0);
    assert_int_equal(form_parse((struct str){ NULL, 0 }, &arena, &form), RC_OK);
    assert_int_equal(form.field_count, 0);
    assert_int_equal(form_parse(STR("&&"), &arena, &form), RC_OK);
    assert_int_equal(form.field_count, 0);
    assert_int_equal(form_parse(STR("&a=1&&b&c=&=d&"), &arena, &form), RC_OK);
    assert_int_equal(form.field_count, 4);
    assert_value("a", STR("1"));
    assert_value("b", STR(""));
    assert_value("c", STR(""));
    assert_value("", STR("d"));
    /* ';' separates nothing. */
    assert_int_equal(form_parse(STR("a=1;b=2"), &arena, &form), RC_OK);
    assert_int_equal(form.field_count, 1);
    assert_value("a", STR("1;b=2"));
}

/* RFC 6749 3.1 and 3.2: parameters must not be included more than once. */
static void duplicates_are_marked(void **state)
{
    (void)state;
    assert_int_equal(form_parse(STR("a=1&scope=x&scop%65=y&a=2"), &arena, &form), RC_OK);
    assert_true(form.has_duplicate);
    assert_true(str_equal(form.duplicate_name, STR("scope")));
    assert_int_equal(form.field_count, 4);
    assert_value("scope", STR("x"));
    assert_int_equal(form_parse(STR("scope=x&Scope=y"), &arena, &form), RC_OK);
    assert_false(form.has_duplicate);
}

/* A name that may be repeated does not excuse another that may not. */
static void repeated_names(void **state)
{
    (void)state;
    assert_int_equal(form_parse(STR("resource=a&x=1&resource=b"), &arena, &form), RC_OK);
    assert_false(form_has_repeated(&form, STR("audience resource")));
    assert_true(form_has_repeated(&form, STR("audience")));
    assert_true(form_has_repeated(&form, STR("")));
    assert_int_equal(form_parse(STR("resource=a&x=1&resource=b&x=1"), &arena, &form), RC_OK);
    assert_true(form_has_repeated(&form, STR("resource")));
    assert_false(form_has_repeated(&form, STR("resource x")));
    assert_int_equal(form_parse(STR("a=1&b=1"), &arena, &form), RC_OK);
    assert_false(form_has_repeated(&form, STR("")));
}

static void values_of_one_name(void **state)
{
    struct str joined = STR("untouched");

    (void)state;
    assert_int_equal(form_parse(STR("r=a&x=1&r=&r=b&R=c"), &arena, &form), RC_OK);
    assert_int_equal(form_join(&form, STR("r"), &arena, &joined), RC_OK);
    assert_true(str_equal(joined, STR("a b")));
    assert_int_equal(form_join(&form, STR("nothing"), &arena, &joined), RC_OK);
    assert_int_equal(joined.len, 0);
    /* A value with a space in it would be two. */
    assert_int_equal(form_parse(STR("r=a&r=b+c"), &arena, &form), RC_OK);
    joined = STR("untouched");
    assert_int_equal(form_join(&form, STR("r"), &arena, &joined), RC_INVALID);
    assert_true(str_equal(joined, STR("untouched")));
}

static void form_refuses(void **state)
{
    static const struct str bad[] = {
        BYTES("a=%"),         BYTES("a=%2"),        BYTES("a=%zz"),         BYTES("a=%2g"),
        BYTES("a=%g2"),       BYTES("%=1"),         BYTES("a=%00"),         BYTES("%00=1"),
        BYTES("a=b\0c"),      BYTES("a\0=b"),       BYTES("a=%ff"),         BYTES("a=\xff"),
        BYTES("a=%c0%80"),    BYTES("a=%ed%a0%80"), BYTES("a=\xc3&b=\xa9"), BYTES("a=%C3\xc3"),
        BYTES("ok=1&b=%2&c"), BYTES("a=%/1"),       BYTES("a=%1/"),         BYTES("a=%:1"),
        BYTES("a=%@1"),       BYTES("a=%`1"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(form_parse(STR("left=over&left=over"), &arena, &form), RC_OK);
        assert_int_equal(form_parse(bad[i], &arena, &form), RC_INVALID);
        assert_int_equal(form.field_count, 0);
        assert_false(form.has_duplicate);
    }
}

static void too_many_fields(void **state)
{
    char body[4 * (FORM_FIELD_COUNT_MAX + 1)];
    size_t len = 0;

    (void)state;
    for (size_t i = 0; i <= FORM_FIELD_COUNT_MAX; i++) {
        body[len++] = (char)('a' + i / 26);
        body[len++] = (char)('a' + i % 26);
        body[len++] = '=';
        body[len++] = '&';
    }
    assert_int_equal(form_parse((struct str){ body, len - 4 }, &arena, &form), RC_OK);
    assert_int_equal(form.field_count, FORM_FIELD_COUNT_MAX);
    assert_false(form.has_duplicate);
    assert_int_equal(form_parse((struct str){ body, len }, &arena, &form), RC_TOO_LARGE);
    assert_int_equal(form.field_count, 0);
}

static void json_bodies(void **state)
{
    (void)state;
    assert_int_equal(
        form_parse_json(STR("{\"grant_type\": \"password\", \"username\": \"j\\u00f6rg\","
                            "\"scope\": \"service_id=uslicer.iponweb.com\", \"password\":\"a+%20\","
                            "\"ttl\": 3600, \"less\": -5, \"part\": 0.1, \"many\": 1e3,"
                            "\"yes\": true, \"no\": false, \"nothing\": null, \"\": \"empty\"}"),
                        &arena, &form),
        RC_OK);
    assert_int_equal(form.field_count, 11);
    assert_false(form.has_duplicate);
    assert_value("grant_type", STR("password"));
    assert_value("username", STR("j\xc3\xb6rg"));
    assert_value("scope", STR("service_id=uslicer.iponweb.com"));
    assert_value("password", STR("a+%20"));
    assert_value("ttl", STR("3600"));
    assert_value("less", STR("-5"));
    assert_value("part", STR("0.1"));
    assert_value("many", STR("1000"));
    assert_value("yes", STR("true"));
    assert_value("no", STR("false"));
    assert_value("", STR("empty"));
    assert_null(form_find(&form, STR("nothing")));
    assert_int_equal(form_parse_json(STR("{}"), &arena, &form), RC_OK);
    assert_int_equal(form.field_count, 0);
}

static void json_bodies_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "\"a\"",
        "null",
        "{\"a\":[]}",
        "{\"a\":{}}",
        "{\"a\":\"b\",\"c\":[\"d\"]}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":1}",
        "{\"a\":\"\\u0000\"}",
        "{\"a\":1}{",
        "a=1",
    };
    char body[16 * (FORM_FIELD_COUNT_MAX + 1)] = "{";

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(form_parse_json(str_of(bad[i]), &arena, &form), RC_INVALID);
        assert_int_equal(form.field_count, 0);
    }
    for (size_t i = 0; i <= FORM_FIELD_COUNT_MAX; i++)
        snprintf(body + strlen(body), 16, "\"n%zu\":1,", i);
    body[strlen(body) - 1] = '}';
    assert_int_equal(form_parse_json(str_of(body), &arena, &form), RC_TOO_LARGE);
    assert_int_equal(form.field_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uauth_requests), cmocka_unit_test(line_continuations_stay),
        cmocka_unit_test(decoding),       cmocka_unit_test(values_without_escapes_are_views),
        cmocka_unit_test(odd_pairs),      cmocka_unit_test(duplicates_are_marked),
        cmocka_unit_test(form_refuses),   cmocka_unit_test(too_many_fields),
        cmocka_unit_test(json_bodies),    cmocka_unit_test(json_bodies_refused),
        cmocka_unit_test(repeated_names), cmocka_unit_test(values_of_one_name),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
