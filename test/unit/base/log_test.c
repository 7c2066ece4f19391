/* LG-02: control characters are escaped, one event is one line, and JSON lines are JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"

static char captured_memory[4 * LOG_LINE_BYTES_MAX];
static int kept_stderr = -1;
static int capture_file = -1;

static void capture_begin(void)
{
    kept_stderr = dup(STDERR_FILENO);
    capture_file = memfd_create("log", MFD_CLOEXEC);
    assert_true(kept_stderr >= 0 && capture_file >= 0);
    assert_true(dup2(capture_file, STDERR_FILENO) >= 0);
}

static struct str capture_end(void)
{
    ssize_t len = pread(capture_file, captured_memory, sizeof(captured_memory), 0);

    dup2(kept_stderr, STDERR_FILENO);
    close(kept_stderr);
    close(capture_file);
    assert_true(len >= 0);
    return (struct str){ captured_memory, (size_t)len };
}

static struct str log_value(enum log_format format, struct str value)
{
    log_init(LOG_INFO, format);
    capture_begin();
    log_event(LOG_WARN, "client_refused", LOG_STR("client_id", value), LOG_INT("status", 401));
    return capture_end();
}

/* The part of a line after its time stamp, which is as long in each. */
static void assert_json_value(struct str value, const char *escaped)
{
    struct str line = log_value(LOG_FORMAT_JSON, value);
    char expected[LOG_LINE_BYTES_MAX];
    int len = snprintf(expected, sizeof(expected),
                       "\",\"level\":\"warn\",\"event\":\"client_refused\",\"client_id\":\"%s\""
                       ",\"status\":401}\n",
                       escaped);

    assert_true(str_starts_with(line, STR("{\"at\":\"20")));
    assert_true(str_ends_with(line, (struct str){ expected, (size_t)len }));
    assert_int_equal(line.len, sizeof("{\"at\":\"2026-11-22T06:13:28.042Z") - 1 + (size_t)len);
}

static void values_are_escaped(void **state)
{
    (void)state;
    assert_json_value(STR("plain"), "plain");
    assert_json_value(STR("a\"b\\c"), "a\\\"b\\\\c");
    assert_json_value(STR("x\r\n{\"event\":\"forged\"}"),
                      "x\\u000d\\u000a{\\\"event\\\":\\\"forged\\\"}");
    assert_json_value(STR("nul\0tab\tdel\x7f"), "nul\\u0000tab\\u0009del\\u007f");
    assert_json_value(STR("\x1b[2J"), "\\u001b[2J");
    assert_json_value(STR("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\x91"),
                      "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\x91");
}

static void empty_text_is_left_out(void **state)
{
    struct str line = log_value(LOG_FORMAT_JSON, STR(""));

    (void)state;
    assert_true(str_ends_with(line, STR(",\"event\":\"client_refused\",\"status\":401}\n")));
}

/* What a terminal or a reader takes for a control or a line end, though it is no ASCII. */
static void unicode_controls_are_escaped(void **state)
{
    (void)state;
    assert_json_value(STR("\xc2\x85\xc2\x9b"), "\\u0085\\u009b");
    assert_json_value(STR("\xc2\xa0"), "\xc2\xa0");
    assert_json_value(STR("\xe2\x80\xa8\xe2\x80\xa9"), "\\u2028\\u2029");
    assert_json_value(STR("\xe2\x80\xae\xe2\x81\xa6"), "\\u202e\\u2066");
    assert_json_value(STR("\xe2\x80\xa7\xe2\x80\xaf"), "\xe2\x80\xa7\xe2\x80\xaf");
}

static void broken_utf8_is_shown_by_byte(void **state)
{
    (void)state;
    assert_json_value(STR("\xff\xc3\xa9\xc3"), "\\u00ff\xc3\xa9\\u00c3");
    assert_json_value(STR("\xed\xa0\x80"), "\\u00ed\\u00a0\\u0080");
}

static void long_values_are_cut_between_characters(void **state)
{
    char value[LOG_VALUE_BYTES_MAX + 8];
    char expected[LOG_VALUE_BYTES_MAX + 1] = { 0 };

    (void)state;
    memset(value, 'a', sizeof(value));
    memset(expected, 'a', LOG_VALUE_BYTES_MAX);
    assert_json_value((struct str){ value, sizeof(value) }, expected);
    assert_json_value((struct str){ value, LOG_VALUE_BYTES_MAX }, expected);
    /* U+20AC begins two bytes before the limit: all of it goes. */
    memcpy(value + LOG_VALUE_BYTES_MAX - 2, "\xe2\x82\xac", 3);
    expected[LOG_VALUE_BYTES_MAX - 2] = '\0';
    assert_json_value((struct str){ value, sizeof(value) }, expected);
}

static void long_lines_lose_whole_fields(void **state)
{
    char value[LOG_VALUE_BYTES_MAX];
    struct str text = { value, sizeof(value) };
    struct str line;

    (void)state;
    memset(value, '\n', sizeof(value));
    log_init(LOG_INFO, LOG_FORMAT_JSON);
    capture_begin();
    log_event(LOG_ERROR, "many", LOG_STR("first", text), LOG_STR("second", text));
    line = capture_end();
    assert_true(line.len < LOG_LINE_BYTES_MAX);
    assert_true(str_ends_with(line, STR("\\u000a\"}\n")));
    assert_int_equal(str_index_of(line, '\n'), line.len - 1);
}

static void text_lines_are_one_line_too(void **state)
{
    struct str line = log_value(LOG_FORMAT_TEXT, STR("x\n2026-01-01 error forged\x1b[0m"));

    (void)state;
    assert_true(str_ends_with(line, STR("Z warn  client_refused client_id=\"x\\u000a2026-01-01 "
                                        "error forged\\u001b[0m\" status=401\n")));
    assert_int_equal(str_index_of(line, '\n'), line.len - 1);
}

static void no_terminal_means_json(void **state)
{
    (void)state;
    assert_int_equal(log_value(LOG_FORMAT_AUTO, STR("x")).at[0], '{');
}

static void levels_below_the_least_are_silent(void **state)
{
    struct str lines;

    (void)state;
    log_init(LOG_WARN, LOG_FORMAT_JSON);
    assert_false(log_is_on(LOG_INFO));
    assert_true(log_is_on(LOG_WARN));
    capture_begin();
    log_event(LOG_INFO, "quiet", LOG_TEXT("why", "below"));
    log_event(LOG_ERROR, "loud", LOG_INT("number", -5));
    lines = capture_end();
    assert_true(
        str_ends_with(lines, STR("\"level\":\"error\",\"event\":\"loud\",\"number\":-5}\n")));
    assert_int_equal(str_index_of(lines, '\n'), lines.len - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_escaped),
        cmocka_unit_test(empty_text_is_left_out),
        cmocka_unit_test(unicode_controls_are_escaped),
        cmocka_unit_test(broken_utf8_is_shown_by_byte),
        cmocka_unit_test(long_values_are_cut_between_characters),
        cmocka_unit_test(long_lines_lose_whole_fields),
        cmocka_unit_test(text_lines_are_one_line_too),
        cmocka_unit_test(no_terminal_means_json),
        cmocka_unit_test(levels_below_the_least_are_silent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
