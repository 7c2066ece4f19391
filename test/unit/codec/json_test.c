#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../vector_file.h"
#include "base/limits.h"
#include "codec/base64url.h"
#include "codec/json.h"

static char memory[1024];

static void assert_document_rc(struct str text, enum rc expected)
{
    struct json_document *document = NULL;

    assert_int_equal(json_parse(text, &document), expected);
    assert_true((document != NULL) == (expected == RC_OK));
    json_document_free(document);
}

/* ---- reading ---- */

static struct str line_member(const struct json_value *line, const char *name)
{
    struct str text;

    assert_int_equal(json_get_string(json_find(line, str_of(name)), &text), RC_OK);
    return text;
}

/* The bytes of one case, as long as the result needs. */
static struct str case_bytes(const struct json_value *line, char **out_memory)
{
    const struct json_value *repeat = json_find(line, STR("repeat"));
    struct str unit = STR("[");
    struct str text;
    int64_t count;
    struct buffer bytes;

    if (repeat == NULL) {
        text = line_member(line, "b64");
        *out_memory = malloc(text.len + 1);
        bytes = buffer_over(*out_memory, text.len + 1);
        assert_int_equal(base64_decode(text, &bytes), RC_OK);
        return buffer_str(&bytes);
    }
    assert_int_equal(json_get_string(json_item(repeat, 0), &text), RC_OK);
    assert_int_equal(json_get_number(json_item(repeat, 1), &count), RC_OK);
    if (str_equal(text, STR("5b7b22223a")))
        unit = STR("[{\"\":");
    else
        assert_true(str_equal(text, STR("5b")));
    *out_memory = malloc(unit.len * (size_t)count);
    bytes = buffer_over(*out_memory, unit.len * (size_t)count);
    while (count-- > 0)
        buffer_append_str(&bytes, unit);
    assert_false(bytes.overflow);
    return buffer_str(&bytes);
}

/* Legal JSON that json.h refuses with intent: members that stand twice, and NUL in strings. */
static bool is_refused_with_intent(struct str name)
{
    return str_equal(name, STR("y_object_duplicated_key.json")) ||
           str_equal(name, STR("y_object_duplicated_key_and_value.json")) ||
           str_equal(name, STR("y_object_escaped_null_in_key.json")) ||
           str_equal(name, STR("y_string_null_escape.json"));
}

/* JSON that the corpus leaves open: only numbers too small for a double (they are 0) pass. */
static bool is_taken_of_the_open_ones(struct str name)
{
    return str_equal(name, STR("i_number_double_huge_neg_exp.json")) ||
           str_equal(name, STR("i_number_real_underflow.json"));
}

static void run_case(const struct json_value *line)
{
    struct str name = line_member(line, "name");
    struct str expect = line_member(line, "expect");
    struct json_document *document = NULL;
    char *bytes_memory;
    struct str bytes = case_bytes(line, &bytes_memory);
    bool is_taken = json_parse(bytes, &document) == RC_OK;
    bool is_expected = str_equal(expect, STR("accept"));

    if (str_equal(expect, STR("either")))
        is_expected = is_taken_of_the_open_ones(name);
    else if (is_refused_with_intent(name))
        is_expected = false;
    if (is_taken != is_expected)
        fail_msg("%.*s", STR_ARGS(name));
    json_document_free(document);
    free(bytes_memory);
}

static void parsing_corpus(void **state)
{
    struct str file = vector_file_read("json-parsing/cases.jsonl");
    struct str rest = file;
    size_t case_count = 0;

    (void)state;
    while (rest.len > 0) {
        struct str line = { rest.at, str_index_of(rest, '\n') };
        struct json_document *document;

        rest = str_from(rest, line.len < rest.len ? line.len + 1 : line.len);
        assert_int_equal(json_parse(line, &document), RC_OK);
        run_case(json_root(document));
        json_document_free(document);
        case_count++;
    }
    assert_int_equal(case_count, 318);
    free((void *)(uintptr_t)file.at);
}

static void depth_is_bounded(void **state)
{
    char text[4 * JSON_DEPTH_MAX + 8];

    (void)state;
    memset(text, '[', sizeof(text));
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    assert_document_rc((struct str){ text, 2 * JSON_DEPTH_MAX }, RC_OK);
    memset(text + JSON_DEPTH_MAX, '[', 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    assert_document_rc((struct str){ text, 2 * JSON_DEPTH_MAX + 2 }, RC_INVALID);
    /* Brackets in strings and brackets side by side are not depth. */
    assert_document_rc(STR("[\"[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[\"]"), RC_OK);
    assert_document_rc(STR("[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],{}]"), RC_OK);
}

/* JT-03, RFC 8259 4, RFC 8725 2.4: a member that stands twice is refused, however it is spelt. */
static void duplicate_members_are_refused(void **state)
{
    (void)state;
    assert_document_rc(STR("{\"alg\":\"ES256\",\"alg\":\"none\"}"), RC_INVALID);
    assert_document_rc(STR("{\"alg\":\"ES256\",\"\\u0061lg\":\"none\"}"), RC_INVALID);
    assert_document_rc(STR("{\"a\":{\"b\":1,\"c\":2,\"b\":1}}"), RC_INVALID);
    assert_document_rc(STR("{\"a\":{\"b\":1},\"b\":{\"a\":1}}"), RC_OK);
}

static void whole_text_only(void **state)
{
    (void)state;
    assert_document_rc(STR("{}x"), RC_INVALID);
    assert_document_rc(STR("{} {}"), RC_INVALID);
    assert_document_rc(STR("{}\0"), RC_INVALID);
    assert_document_rc(STR("1\0"), RC_INVALID);
    assert_document_rc(STR("1\0junk"), RC_INVALID);
    assert_document_rc(STR(" {} \r\n\t"), RC_OK);
    assert_document_rc((struct str){ NULL, 0 }, RC_INVALID);
    assert_document_rc(STR("\xef\xbb\xbf{}"), RC_INVALID);
}

static void values_by_type(void **state)
{
    struct str text = STR("{\"s\":\"a\\u20acb\",\"e\":\"\",\"n\":-9223372036854775808,"
                          "\"r\":1.5e3,\"f\":1.5,\"big\":1e300,\"t\":true,\"z\":null,"
                          "\"a\":[1,\"x\"],\"o\":{\"k\":\"v\"},\"\":\"no name\"}");
    struct json_document *document;
    const struct json_value *root;
    const struct json_value *each;
    struct str got = STR("untouched");
    int64_t number = 0;
    bool flag = false;

    (void)state;
    assert_int_equal(json_parse(text, &document), RC_OK);
    root = json_root(document);
    assert_true(json_is_object(root));
    assert_int_equal(json_count(root), 11);

    assert_int_equal(json_get_string(json_find(root, STR("n")), &got), RC_INVALID);
    assert_int_equal(json_get_string(json_find(root, STR("absent")), &got), RC_NOT_FOUND);
    assert_true(str_equal(got, STR("untouched")));
    assert_int_equal(json_get_string(json_find(root, STR("s")), &got), RC_OK);
    assert_true(str_equal(got, STR("a\xe2\x82\xac"
                                   "b")));
    assert_int_equal(json_get_string(json_find(root, STR("e")), &got), RC_OK);
    assert_int_equal(got.len, 0);
    assert_int_equal(json_get_string(json_find(root, STR("")), &got), RC_OK);
    assert_true(str_equal(got, STR("no name")));

    assert_int_equal(json_get_number(json_find(root, STR("n")), &number), RC_OK);
    assert_true(number == INT64_MIN);
    assert_int_equal(json_get_number(json_find(root, STR("r")), &number), RC_OK);
    assert_int_equal(number, 1500);
    assert_int_equal(json_get_number(json_find(root, STR("f")), &number), RC_INVALID);
    assert_int_equal(json_get_number(json_find(root, STR("big")), &number), RC_INVALID);
    assert_int_equal(json_get_number(json_find(root, STR("s")), &number), RC_INVALID);
    assert_int_equal(json_get_number(NULL, &number), RC_NOT_FOUND);
    assert_int_equal(number, 1500);

    assert_int_equal(json_get_bool(json_find(root, STR("t")), &flag), RC_OK);
    assert_true(flag);
    assert_int_equal(json_get_bool(json_find(root, STR("n")), &flag), RC_INVALID);
    assert_int_equal(json_get_bool(NULL, &flag), RC_NOT_FOUND);

    each = json_find(root, STR("a"));
    assert_true(json_is_array(each) && !json_is_object(each));
    assert_int_equal(json_count(each), 2);
    assert_true(json_is_string(json_item(each, 1)));
    assert_null(json_item(each, 2));
    assert_null(json_item(root, 0));
    assert_null(json_find(each, STR("a")));
    assert_null(json_find(NULL, STR("a")));
    assert_true(json_is_null(json_find(root, STR("z"))));
    assert_false(json_is_null(json_find(root, STR("absent"))));
    assert_int_equal(json_count(json_find(root, STR("s"))), 0);
    assert_int_equal(json_count(NULL), 0);
    json_document_free(document);
}

static void members_keep_their_order(void **state)
{
    static const char *const names[] = { "token_type", "scope", "access_token", "expires_in", "a" };
    struct json_document *document;
    struct str name;

    (void)state;
    assert_int_equal(json_parse(STR("{\"token_type\":1,\"scope\":2,\"access_token\":3,"
                                    "\"expires_in\":4,\"a\":5}"),
                                &document),
                     RC_OK);
    for (size_t i = 0; i < 5; i++) {
        int64_t number;
        const struct json_value *value = json_member(json_root(document), i, &name);

        assert_int_equal(json_get_number(value, &number), RC_OK);
        assert_int_equal(number, i + 1);
        assert_true(str_equal(name, str_of(names[i])));
    }
    assert_null(json_member(json_root(document), 5, &name));
    assert_null(json_member(NULL, 0, &name));
    json_document_free(document);
}

static void scalars_as_text(void **state)
{
    static const char *const texts[] = {
        "0", "-7", "0.1", "1.5", "true", "false", "0.30000000000000004", "1e+300"
    };
    struct json_document *document;
    struct arena arena;
    struct str text;

    (void)state;
    arena_init(&arena, 4096);
    assert_int_equal(json_parse(STR("[0,-7,0.1,1.5,true,false,0.30000000000000004,1e300,"
                                    "\"s\",null,[],{}]"),
                                &document),
                     RC_OK);
    for (size_t i = 0; i < 12; i++) {
        enum rc rc = json_format_scalar(json_item(json_root(document), i), &arena, &text);

        assert_int_equal(rc, i < 8 ? RC_OK : RC_INVALID);
        if (i < 8)
            assert_true(str_equal(text, str_of(texts[i])));
    }
    assert_int_equal(json_format_scalar(NULL, &arena, &text), RC_INVALID);
    json_document_free(document);
    arena_deinit(&arena);
}

/* ---- writing ---- */

static void commas(void **state)
{
    struct buffer to = buffer_over(memory, sizeof(memory));
    struct json_out json = json_out_over(&to);

    (void)state;
    json_begin_object(&json);
    json_member_string(&json, STR("token_type"), STR("Bearer"));
    json_member_number(&json, STR("expires_in"), 3600);
    json_member_bool(&json, STR("active"), true);
    json_member_words(&json, STR("scope"), STR(" read  write "));
    json_member_words(&json, STR("none"), STR(""));
    json_name(&json, STR("keys"));
    json_begin_array(&json);
    json_begin_object(&json);
    json_end_object(&json);
    json_begin_object(&json);
    json_name(&json, STR("k"));
    json_raw(&json, STR("{\"raw\":null}"));
    json_end_object(&json);
    json_number(&json, INT64_MIN);
    json_number(&json, INT64_MAX);
    json_bool(&json, false);
    json_text(&json, STR(""));
    json_raw(&json, STR("1.5"));
    json_end_array(&json);
    json_member_number(&json, STR("last"), 0);
    json_end_object(&json);
    assert_true(str_equal(
        buffer_str(&to),
        STR("{\"token_type\":\"Bearer\",\"expires_in\":3600,\"active\":true,"
            "\"scope\":[\"read\",\"write\"],\"none\":[],"
            "\"keys\":[{},{\"k\":{\"raw\":null}},-9223372036854775808,9223372036854775807,false,"
            "\"\",1.5],\"last\":0}")));
    assert_document_rc(buffer_str(&to), RC_OK);
}

/* Every ASCII character and some others come back from the reader as they were written. */
static void strings_come_back(void **state)
{
    char text[127 + 8];
    struct buffer to = buffer_over(memory, sizeof(memory));
    struct json_document *document;
    struct str back;

    (void)state;
    for (int i = 0; i < 127; i++)
        text[i] = (char)(i + 1);
    memcpy(text + 127, "\xc3\xa9\xf0\x9f\x94\x91\xc2\x80", 8);
    json_escape((struct str){ text, sizeof(text) }, &to);
    assert_int_equal(json_parse(buffer_str(&to), &document), RC_OK);
    assert_int_equal(json_get_string(json_root(document), &back), RC_OK);
    assert_int_equal(back.len, sizeof(text));
    assert_memory_equal(back.at, text, sizeof(text));
    json_document_free(document);
}

static void assert_escaped(struct str text, struct str expected)
{
    struct buffer to = buffer_over(memory, sizeof(memory));

    json_escape(text, &to);
    assert_true(str_equal(buffer_str(&to), expected));
}

/* RFC 8259 7; and nothing that could end a script element or begin markup. */
static void strings_are_escaped(void **state)
{
    (void)state;
    assert_escaped(STR("a\"\\/\b\f\n\r\t"), STR("\"a\\\"\\\\/\\b\\f\\n\\r\\t\""));
    assert_escaped(STR("\0\x1f\x7f"), STR("\"\\u0000\\u001f\\u007f\""));
    assert_escaped(STR("</script>&amp;'"), STR("\"\\u003c/script\\u003e\\u0026amp;'\""));
    assert_escaped(STR("\xff\xc3\"\xed\xa0\x80"),
                   STR("\"\xef\xbf\xbd\xef\xbf\xbd\\\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""));
}

static void overflow_is_said(void **state)
{
    char small[8];
    struct buffer to = buffer_over(small, sizeof(small));
    struct json_out json = json_out_over(&to);

    (void)state;
    json_begin_object(&json);
    json_member_string(&json, STR("a"), STR("bcd"));
    json_end_object(&json);
    assert_true(to.overflow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parsing_corpus),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(duplicate_members_are_refused),
        cmocka_unit_test(whole_text_only),
        cmocka_unit_test(values_by_type),
        cmocka_unit_test(members_keep_their_order),
        cmocka_unit_test(scalars_as_text),
        cmocka_unit_test(commas),
        cmocka_unit_test(strings_come_back),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(overflow_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
