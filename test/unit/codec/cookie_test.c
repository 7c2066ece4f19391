#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/cookie.h"

static void assert_cookie(const char *line, const char *name, const char *wanted)
{
    struct str value = STR("untouched");

    assert_true(cookie_find(str_of(line), str_of(name), &value));
    assert_true(str_equal(value, str_of(wanted)));
}

static void assert_none(const char *line, const char *name)
{
    struct str value = STR("untouched");

    assert_false(cookie_find(str_of(line), str_of(name), &value));
    assert_true(str_equal(value, STR("untouched")));
}

/* RFC 6265 4.2.1, 5.4 */
static void lines(void **state)
{
    (void)state;
    assert_cookie("a=b; c=d", "a", "b");
    assert_cookie("a=b; c=d", "c", "d");
    assert_cookie("spectrum.authentication.token=eyJ.x.y; SESSION=1", "SESSION", "1");
    assert_cookie("spectrum.authentication.token=eyJ.x.y; SESSION=1",
                  "spectrum.authentication.token", "eyJ.x.y");
    /* Only the first of a name, and only the first '=' parts. */
    assert_cookie("a=1; a=2", "a", "1");
    assert_cookie("a=b=c==", "a", "b=c==");
    assert_cookie("a=", "a", "");
}

static void tolerance(void **state)
{
    (void)state;
    assert_cookie("a=b;c=d", "c", "d");
    assert_cookie("a=b ;\t c = d  ", "c", "d");
    assert_cookie(";; ; c=d;", "c", "d");
    /* RFC 6265 4.1.1; a Java client of RFC 2109's time */
    assert_cookie("$Version=\"1\"; SESSION=\"x y\"; $Path=\"/\"", "SESSION", "x y");
    assert_cookie("a=\"b\"", "a", "b");
    assert_cookie("a=\"\"", "a", "");
    assert_cookie("a=\"", "a", "\"");
    assert_cookie("a=\"b", "a", "\"b");
    assert_cookie("noise; c=d", "c", "d");
}

static void names_are_exact(void **state)
{
    (void)state;
    assert_none("session=1; Session=2", "SESSION");
    assert_none("XSESSION=1; SESSIONX=2; SESSION", "SESSION");
    assert_none("spectrum-authentication-token=1", "spectrum.authentication.token");
    assert_none("a=SESSION=1", "SESSION");
    assert_none("\"SESSION\"=1", "SESSION");
    assert_none("", "SESSION");
    assert_cookie("session=1; SESSION=2", "SESSION", "2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(tolerance),
        cmocka_unit_test(names_are_exact),
    };

    return cmocka_run_group_tests_name("codec/cookie", tests, NULL, NULL);
}
