/* Which language is shown of those that are asked for. */
#include "web/page_writer.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

static const char *code_of(const struct page_language *language)
{
    return language == NULL ? "none" : language->code.at;
}

/* OpenID Connect Core 1.0 3.1.2.1 ui_locales: in order of preference, and no error when none fits
 */
static void test_first_of_a_list_that_there_is(void **state)
{
    static const struct {
        const char *wanted, *code;
    } rows[] = {
        { "de", "de" },       { "fr de", "fr" }, { "xx de fr", "de" }, { "fr-CA en", "fr" },
        { "ES", "es" },       { "en", "en" },    { "", "none" },       { "  de  ", "de" },
        { "xx", "none" },     { "deu", "none" }, { "d", "none" },      { "de,fr", "none" },
        { "de;q=1", "none" }, { "-de", "none" }, { "\xff", "none" },   { "xx-de", "none" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(code_of(page_language_find_listed(str_of(rows[i].wanted))),
                            rows[i].code);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_first_of_a_list_that_there_is) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
