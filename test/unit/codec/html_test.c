#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/html.h"

static void assert_escaped(struct str text, struct str expected)
{
    char memory[128];
    struct buffer to = buffer_over(memory, sizeof(memory));

    html_escape(text, &to);
    assert_true(str_equal(buffer_str(&to), expected));
}

static void markup_is_escaped(void **state)
{
    (void)state;
    assert_escaped(STR(""), STR(""));
    assert_escaped(STR("plain text"), STR("plain text"));
    assert_escaped(STR("<b a=\"c\" d='e'>&amp;"),
                   STR("&lt;b a=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp;"));
    assert_escaped(STR("caf\xc3\xa9 \xf0\x9f\x94\x91"), STR("caf\xc3\xa9 \xf0\x9f\x94\x91"));
}

static void what_is_no_text_is_replaced(void **state)
{
    (void)state;
    assert_escaped(STR("a\0b\x1b\x7f"), STR("a\xef\xbf\xbd"
                                            "b\xef\xbf\xbd\xef\xbf\xbd"));
    /* A broken sequence must not swallow the quote behind it. */
    assert_escaped(STR("\xc3\""), STR("\xef\xbf\xbd&quot;"));
    assert_escaped(STR("\xf0\x9f<"), STR("\xef\xbf\xbd\xef\xbf\xbd&lt;"));
    assert_escaped(STR("\xc0\xbc"), STR("\xef\xbf\xbd\xef\xbf\xbd"));
}

static void overflow_is_said(void **state)
{
    char memory[8];
    struct buffer to = buffer_over(memory, sizeof(memory));

    (void)state;
    html_escape(STR("ab\"\""), &to);
    assert_true(to.overflow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(markup_is_escaped),
        cmocka_unit_test(what_is_no_text_is_replaced),
        cmocka_unit_test(overflow_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
