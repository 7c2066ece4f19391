#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../vectors.h"
#include "crypto/cbor_view.h"

static enum rc parse(const char *hex, struct cbor_view *out_view)
{
    struct bytes bytes = hex_decode(hex);
    enum rc rc = cbor_view_parse(bytes_str(bytes), out_view);

    free(bytes.at);
    return rc;
}

/* RFC 8949 3, appendix A */
static void test_numbers(void **state)
{
    static const struct {
        const char *hex;
        int64_t number;
    } rows[] = {
        { "00", 0 },
        { "17", 23 },
        { "1818", 24 },
        { "18ff", 255 },
        { "190100", 256 },
        { "1a00010000", 65536 },
        { "1affffffff", 4294967295 },
        { "1b0000000100000000", 4294967296 },
        { "1b7fffffffffffffff", INT64_MAX },
        { "20", -1 },
        { "37", -24 },
        { "3818", -25 },
        { "3863", -100 },
        { "3903e7", -1000 },
        { "3a00010000", -65537 },
        { "3b7fffffffffffffff", INT64_MIN },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cbor_view view;

        assert_int_equal(parse(rows[i].hex, &view), RC_OK);
        assert_int_equal(view.kind, CBOR_VIEW_NUMBER);
        assert_true(view.number == rows[i].number);
    }
}

static void test_other_kinds(void **state)
{
    struct cbor_view view;

    (void)state;
    assert_int_equal(parse("f4", &view), RC_OK);
    assert_true(view.kind == CBOR_VIEW_BOOL && view.number == 0);
    assert_int_equal(parse("f5", &view), RC_OK);
    assert_true(view.kind == CBOR_VIEW_BOOL && view.number == 1);
    assert_int_equal(parse("f6", &view), RC_OK);
    assert_int_equal(view.kind, CBOR_VIEW_NULL);
    assert_int_equal(parse("40", &view), RC_OK);
    assert_true(view.kind == CBOR_VIEW_BYTES && view.inside.len == 0);
    assert_int_equal(parse("8301820203820405", &view), RC_OK);
    assert_true(view.kind == CBOR_VIEW_ARRAY && view.number == 3 && view.inside.len == 7);
    assert_int_equal(parse("a0", &view), RC_OK);
    assert_true(view.kind == CBOR_VIEW_MAP && view.number == 0);
}

/* WebAuthn 2, CTAP 2.1 8 */
static void test_what_authenticators_must_not_write(void **state)
{
    static const char *const rows[] = {
        "",
        "1c",                     /* reserved */
        "ff",                     /* a break of nothing */
        "0000",                   /* left over */
        "18",                     /* cut */
        "4261",                   /* cut */
        "6361",                   /* cut */
        "8201",                   /* cut */
        "a101",                   /* cut */
        "1800",                   /* longer than need be */
        "1817",                   /* the same */
        "190001",                 /* the same */
        "1a0000ffff",             /* the same */
        "1b00000000ffffffff",     /* the same */
        "3800",                   /* the same */
        "580161",                 /* the same, of bytes */
        "780161",                 /* the same, of text */
        "9800",                   /* the same, of an array */
        "b800",                   /* the same, of a map */
        "1b8000000000000000",     /* more than can be kept */
        "3bffffffffffffffff",     /* the same */
        "5fff",                   /* without a length */
        "7fff",                   /* the same */
        "9fff",                   /* the same */
        "bfff",                   /* the same */
        "5f4161ff",               /* the same */
        "c000",                   /* a tag */
        "d9d9f700",               /* a tag */
        "f7",                     /* undefined */
        "f93c00",                 /* a float */
        "fa47c35000",             /* a float */
        "fb3ff199999999999a",     /* a float */
        "e0",                     /* a simple value */
        "f8ff",                   /* a simple value */
        "a201000100",             /* a key twice */
        "a2613101613102",         /* a key twice */
        "a30100020001f6",         /* a key twice, apart */
        "a1a0a201000100",         /* a key twice, deep down */
        "8181a201000100",         /* the same */
        "a1f500",                 /* a key that is no number or text */
        "a1410000",               /* the same */
        "a1a000",                 /* the same */
        "8181818181",             /* cut, too deep */
        "818181818100",           /* too deep */
        "a101a101a101a101a10101", /* too deep */
        "9bffffffffffffffff",     /* a count that lies */
        "9b7fffffffffffffff",     /* the same */
        "9a7fffffff00",           /* the same */
        "ba7fffffff0000",         /* the same */
        "5bffffffffffffffff61",   /* a length that lies */
        "7bffffffffffffffff61",   /* the same */
        "5a7fffffff61",           /* the same */
        "5b7fffffffffffffff61",   /* the same */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cbor_view view = { .number = 4711 };

        assert_int_equal(parse(rows[i], &view), RC_INVALID);
        assert_int_equal(view.number, 4711);
    }
}

static void test_depth_and_pairs_have_a_maximum(void **state)
{
    char hex[8 + 6 * 64 + 1] = "81818181";
    struct cbor_view view;

    (void)state;
    memcpy(hex + 8, "00", 3);
    assert_int_equal(parse(hex, &view), RC_OK);
    for (unsigned count = 31; count <= 33; count++) {
        int len = snprintf(hex, sizeof(hex), "b8%02x", count);

        for (unsigned i = 0; i < count; i++)
            len += snprintf(hex + len, sizeof(hex) - (size_t)len, "18%02xf6", 100 + i);
        assert_int_equal(parse(hex, &view), count <= CBOR_VIEW_PAIR_COUNT_MAX ? RC_OK : RC_INVALID);
    }
}

/* {1: 2, "a": h'0102', -1: {"b": true}} and more behind it */
static void test_finding_and_what_is_left(void **state)
{
    struct bytes bytes = hex_decode("a30102616142010220a16162f5"
                                    "00");
    struct str rest = bytes_str(bytes);
    struct cbor_view map, value = { .number = 4711 };

    (void)state;
    assert_int_equal(cbor_view_parse(rest, &map), RC_INVALID);
    assert_int_equal(cbor_view_read(&rest, &map), RC_OK);
    assert_int_equal(rest.len, 1);
    assert_int_equal(map.encoded.len, bytes.len - 1);
    assert_int_equal(map.inside.len, bytes.len - 2);
    assert_false(cbor_view_find_text(&map, STR("b"), CBOR_VIEW_BOOL, &value));
    assert_false(cbor_view_find_text(&map, STR("a"), CBOR_VIEW_TEXT, &value));
    assert_false(cbor_view_find_number(&map, 2, CBOR_VIEW_NUMBER, &value));
    assert_int_equal(value.number, 4711);
    assert_true(cbor_view_find_number(&map, 1, CBOR_VIEW_NUMBER, &value));
    assert_int_equal(value.number, 2);
    assert_true(cbor_view_find_text(&map, STR("a"), CBOR_VIEW_BYTES, &value));
    assert_true(str_equal(value.inside, STR("\1\2")));
    assert_true(cbor_view_find_number(&map, -1, CBOR_VIEW_MAP, &value));
    map = value;
    assert_true(cbor_view_find_text(&map, STR("b"), CBOR_VIEW_BOOL, &value));
    assert_int_equal(value.number, 1);
    free(bytes.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_other_kinds),
        cmocka_unit_test(test_what_authenticators_must_not_write),
        cmocka_unit_test(test_depth_and_pairs_have_a_maximum),
        cmocka_unit_test(test_finding_and_what_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
