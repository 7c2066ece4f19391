#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/base64url.h"

#define BYTES(literal)                                                                             \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }

static char memory[1024];

struct pair {
    struct str bytes;
    struct str text;
};

/* RFC 4648 10 without padding, RFC 7515 appendix C; test/vectors/rfc/base64url.json. */
static const struct pair pairs[] = {
    { BYTES(""), BYTES("") },
    { BYTES("f"), BYTES("Zg") },
    { BYTES("fo"), BYTES("Zm8") },
    { BYTES("foo"), BYTES("Zm9v") },
    { BYTES("foob"), BYTES("Zm9vYg") },
    { BYTES("fooba"), BYTES("Zm9vYmE") },
    { BYTES("foobar"), BYTES("Zm9vYmFy") },
    { BYTES("\xfb\xff\xbf"), BYTES("-_-_") },
    { BYTES("\x03\xec\xff\xe0\xc1"), BYTES("A-z_4ME") },
};

static const struct str refused[] = {
    BYTES("Zg=="),       BYTES("Zm8="),      BYTES("+/+/"), BYTES("Zg "),
    BYTES("Zm\n9v"),     BYTES("Z"),         BYTES("Zh"),   BYTES("Zm9"),
    BYTES("Zm9vY"),      BYTES("A-z_4MF"),   BYTES("Äbcd"), BYTES("Zm9v."),
    BYTES("Zm9v\0"),     BYTES("Zm9v\0AAA"), BYTES("="),    BYTES("===="),
    BYTES("A==="),       BYTES("Zm9v="),     BYTES("Z=g="), BYTES("\x80\x80\x80\x80"),
    BYTES("Zm9vZm\x7f"),
};

static void url_round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct buffer text = buffer_over(memory, sizeof(memory));
        char decoded[16];
        struct buffer bytes = buffer_over(decoded, sizeof(decoded));

        base64url_encode(pairs[i].bytes, &text);
        assert_true(str_equal(buffer_str(&text), pairs[i].text));
        assert_int_equal(BASE64URL_TEXT_BYTES(pairs[i].bytes.len), pairs[i].text.len);
        assert_int_equal(base64url_decode(pairs[i].text, &bytes), RC_OK);
        assert_true(str_equal(buffer_str(&bytes), pairs[i].bytes));
    }
}

/* RFC 7515 2: no padding, no line breaks, no other characters; RFC 4648 3.5: no stray bits. */
static void url_refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct buffer bytes = buffer_over(memory, sizeof(memory));

        buffer_append_byte(&bytes, '!');
        assert_int_equal(base64url_decode(refused[i], &bytes), RC_INVALID);
        assert_int_equal(bytes.len, 1);
        assert_false(bytes.overflow);
    }
}

/* Each of the 256 bytes at each place: 64 are members, and no two mean the same. */
static void url_alphabet_is_exact(void **state)
{
    (void)state;
    for (size_t place = 0; place < 4; place++) {
        bool seen[64] = { false };
        size_t member_count = 0;

        for (unsigned byte = 0; byte < 256; byte++) {
            char text[4] = { 'A', 'A', 'A', 'A' };
            unsigned char out[3];
            struct buffer bytes = buffer_over(out, sizeof(out));
            unsigned value;

            text[place] = (char)byte;
            if (base64url_decode((struct str){ text, 4 }, &bytes) != RC_OK)
                continue;
            value = (unsigned)(out[0] << 16 | out[1] << 8 | out[2]) >> (18 - 6 * place);
            assert_in_range(value, 0, 63);
            assert_false(seen[value]);
            seen[value] = true;
            member_count++;
        }
        assert_int_equal(member_count, 64);
    }
}

static void room_is_kept(void **state)
{
    char small[6] = "......";
    struct buffer buffer = buffer_over(small, 5);

    (void)state;
    assert_int_equal(base64url_decode(STR("Zm9vYmFy"), &buffer), RC_TOO_LARGE);
    assert_int_equal(buffer.len, 0);
    assert_int_equal(base64url_decode(STR("Zm9vYmE"), &buffer), RC_OK);
    assert_true(str_equal(buffer_str(&buffer), STR("fooba")));
    assert_int_equal(small[5], '.');
    assert_int_equal(base64url_decode(STR(""), &buffer), RC_OK);

    buffer = buffer_over(small, 5);
    base64url_encode(STR("foob"), &buffer);
    assert_true(buffer.overflow);
    assert_int_equal(buffer.len, 0);
    assert_int_equal(base64url_decode(STR("Zg"), &buffer), RC_TOO_LARGE);
}

static void plain_base64(void **state)
{
    static const struct pair good[] = {
        { BYTES(""), BYTES("") },
        { BYTES("f"), BYTES("Zg==") },
        { BYTES("f"), BYTES("Zg") },
        { BYTES("fo"), BYTES("Zm8=") },
        { BYTES("fo"), BYTES("Zm8") },
        { BYTES("foobar"), BYTES("Zm9vYmFy") },
        { BYTES("\xfb\xff\xbf"), BYTES("+/+/") },
    };
    static const struct str bad[] = {
        BYTES("Zg="),  BYTES("Zg==="),    BYTES("Z==="),   BYTES("===="),  BYTES("="),
        BYTES("=="),   BYTES("Zm8=="),    BYTES("-_-_"),   BYTES("Zh=="),  BYTES("Zm9="),
        BYTES("Z"),    BYTES("Zg==Zg=="), BYTES("Zm9v\n"), BYTES("Zm9v "), BYTES(" Zm9"),
        BYTES("Zm=v"), BYTES("!!!!"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct buffer bytes = buffer_over(memory, sizeof(memory));

        assert_int_equal(base64_decode(good[i].text, &bytes), RC_OK);
        assert_true(str_equal(buffer_str(&bytes), good[i].bytes));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct buffer bytes = buffer_over(memory, sizeof(memory));

        assert_int_equal(base64_decode(bad[i], &bytes), RC_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(url_round_trip),        cmocka_unit_test(url_refuses),
        cmocka_unit_test(url_alphabet_is_exact), cmocka_unit_test(room_is_kept),
        cmocka_unit_test(plain_base64),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
