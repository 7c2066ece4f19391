/* Which passwords people may choose (PW-01 to PW-03; NIST SP 800-63B-4 3.1.1.2). */
#include <stdio.h>
#include <stdlib.h>

#include "account/password_policy.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

static enum password_verdict judge(const char *text, bool has_second_factor)
{
    const struct password_owner owner = { .name = STR("Ada Lovelace the 1st"),
                                          .email = STR("countess.of.lovelace@mail.example"),
                                          .has_second_factor = has_second_factor };
    AUTO(secret) password = { 0 };

    assert_int_equal(secret_set(&password, str_of(text)), RC_OK);
    return password_judge(&password, &owner);
}

static void test_length(void **state)
{
    (void)state;
    assert_int_equal(judge("", false), PASSWORD_SHORT);
    assert_int_equal(judge("fourteen chars", false), PASSWORD_SHORT);
    assert_int_equal(judge("fifteen chars!!", false), PASSWORD_GOOD);
    assert_int_equal(judge("seven c", true), PASSWORD_SHORT);
    assert_int_equal(judge("eight ch", true), PASSWORD_GOOD);
    /* Characters, not bytes. */
    assert_int_equal(judge("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa8", true),
                     PASSWORD_SHORT);
    assert_int_equal(
        judge("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa8\xc3\xa9", true),
        PASSWORD_GOOD);
}

static void test_text(void **state)
{
    (void)state;
    assert_int_equal(judge("with a\ttab in it", false), PASSWORD_MALFORMED);
    assert_int_equal(judge("not \xff UTF-8 at all", false), PASSWORD_MALFORMED);
    assert_int_equal(judge("with a delete \x7f in it", false), PASSWORD_MALFORMED);
}

/* The list as it was compiled, against the list as it was written: every word of it and, between
 * them, words that are none. */
static void test_list(void **state)
{
    const struct password_owner owner = { .has_second_factor = true };
    const char *root = getenv("JETON_SOURCE_ROOT");
    char path[1024];
    char line[COMMON_PASSWORD_BYTES_MAX + 3];
    size_t count = 0;
    FILE *list;

    (void)state;
    snprintf(path, sizeof(path), "%s/src/account/common_passwords/list.txt",
             root == NULL ? "." : root);
    list = fopen(path, "r");
    assert_non_null(list);
    while (fgets(line, sizeof(line), list) != NULL) {
        AUTO(secret) password = { 0 };

        line[strcspn(line, "\n")] = '\0';
        assert_int_equal(secret_set(&password, str_of(line)), RC_OK);
        assert_int_equal(password_judge(&password, &owner), PASSWORD_COMMON);
        memcpy(line + strlen(line), "~", 2);
        assert_int_equal(judge(line, true), PASSWORD_GOOD);
        count++;
    }
    fclose(list);
    assert_true(count >= common_passwords.count && common_passwords.count > 10000);
    assert_int_equal(judge("!!!!!!!1", true), PASSWORD_GOOD);
    assert_int_equal(judge("~~zzzzzz9", true), PASSWORD_GOOD);
    assert_int_equal(judge("PassWord1", true), PASSWORD_COMMON);
    assert_int_equal(judge("passwordpassword", false), PASSWORD_COMMON);
    assert_int_equal(judge("abcabcabcabcabc", false), PASSWORD_COMMON);
    assert_int_equal(judge("aaaaaaaaaaaaaaaa", false), PASSWORD_COMMON);
    assert_int_equal(judge("passwordpassworx", false), PASSWORD_GOOD);
}

static void test_own_names(void **state)
{
    (void)state;
    assert_int_equal(judge("ada lovelace the 1st", false), PASSWORD_PERSONAL);
    assert_int_equal(judge("Countess.Of.Lovelace@mail.example", false), PASSWORD_PERSONAL);
    assert_int_equal(judge("countess.of.lovelace", false), PASSWORD_PERSONAL);
    assert_int_equal(judge("countess.of.lovelace!", false), PASSWORD_GOOD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_own_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
