/* Every message is read back by a reader of its own, line by line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "codec/base64url.h"
#include "mail/message.h"

static struct mail_message usual;

static int set_usual(void **state)
{
    (void)state;
    usual = (struct mail_message){
        .sender = { STR("Jeton"), STR("noreply@example.org") },
        .recipient = STR("ada@example.org"),
        .subject = STR("Reset your password"),
        .text = STR("Hello\n\nhttps://tokens.example.org/reset?token=abc\n"),
        .at = 1751367157,
        .id = STR("0123abcd"),
        .host = STR("tokens.example.org"),
    };
    return 0;
}

static char memory[MAIL_MESSAGE_BYTES_MAX];

static struct str format(const struct mail_message *message)
{
    struct buffer text = buffer_over(memory, sizeof(memory));

    assert_int_equal(mail_message_format(message, &text), RC_OK);
    return buffer_str(&text);
}

/* The headers, unfolded (RFC 5322 2.2.3), and where the body begins. */
struct reading {
    char heads[4096];
    size_t head_count;
    struct str body;
};

/* RFC 5322 2.1.1, RFC 2045 6.7: 7-bit, CR LF, no long line. */
static void expect_lines(struct str text)
{
    size_t column = 0;

    for (size_t i = 0; i < text.len; i++) {
        assert_true((text.at[i] >= ' ' && text.at[i] <= '~') || text.at[i] == '\r' ||
                    text.at[i] == '\n' || text.at[i] == '\t');
        if (text.at[i] == '\r')
            assert_true(i + 1 < text.len && text.at[i + 1] == '\n');
        if (text.at[i] == '\n') {
            assert_true(i > 0 && text.at[i - 1] == '\r');
            column = 0;
        } else if (text.at[i] != '\r') {
            assert_true(++column <= 78);
        }
    }
    assert_true(str_ends_with(text, STR("\r\n")));
}

static void read_message(struct str text, struct reading *out)
{
    struct buffer heads = buffer_over(out->heads, sizeof(out->heads));

    expect_lines(text);
    out->head_count = 0;
    for (;;) {
        size_t len = str_index_of(text, '\n');
        struct str line = { text.at, len - 1 };

        text = str_from(text, len + 1);
        if (line.len == 0)
            break;
        if (line.at[0] == ' ') {
            buffer_append_str(&heads, line);
            continue;
        }
        if (out->head_count++ > 0)
            buffer_append_byte(&heads, '\n');
        buffer_append_str(&heads, line);
    }
    buffer_append(&heads, "\n", 2);
    assert_false(heads.overflow);
    out->body = text;
}

static struct str find_head(const struct reading *reading, const char *name)
{
    struct str rest = str_of(reading->heads);
    struct str found = { NULL, 0 };

    while (rest.len > 0) {
        size_t len = str_index_of(rest, '\n');
        struct str line = { rest.at, len };

        if (str_starts_with(line, str_of(name)) && line.at[strlen(name)] == ':') {
            assert_null(found.at); /* once */
            found = str_from(line, strlen(name) + 2);
        }
        rest = str_from(rest, len + 1);
    }
    assert_non_null(found.at);
    return found;
}

static int hex(char byte)
{
    return byte >= 'A' ? byte - 'A' + 10 : byte - '0';
}

/* RFC 2045 6.7 */
static struct str read_quoted(struct str body)
{
    static char plain[2 * MAIL_TEXT_BYTES_MAX];
    struct buffer out = buffer_over(plain, sizeof(plain));

    while (body.len > 0) {
        if (str_starts_with(body, STR("=\r\n"))) {
            body = str_from(body, 3);
        } else if (body.at[0] == '=') {
            buffer_append_byte(&out, (char)(hex(body.at[1]) << 4 | hex(body.at[2])));
            body = str_from(body, 3);
        } else {
            if (body.at[0] != '\r')
                buffer_append_byte(&out, body.at[0]);
            body = str_from(body, 1);
        }
    }
    return buffer_str(&out);
}

/* RFC 4648 4; RFC 2047 6.2: white space between two encoded words is none. */
static struct str read_words(struct str words)
{
    static char plain[1024];
    struct buffer out = buffer_over(plain, sizeof(plain));

    while (str_starts_with(words, STR("=?UTF-8?B?"))) {
        size_t len;

        words = str_from(words, 10);
        len = str_index_of(words, '?');
        assert_true(10 + len + 2 <= 75);
        assert_int_equal(base64_decode((struct str){ words.at, len }, &out), RC_OK);
        assert_true(str_is_utf8(buffer_str(&out))); /* whole characters in every word */
        words = str_trim(str_from(words, len + 2));
    }
    buffer_append_str(&out, words);
    return buffer_str(&out);
}

/* RFC 5322 3.3, 3.6, RFC 5322 3.6.4; RFC 3834 5 */
static void test_the_usual_message(void **state)
{
    struct reading reading;

    (void)state;
    read_message(format(&usual), &reading);
    assert_int_equal(reading.head_count, 9);
    assert_true(str_equal(find_head(&reading, "Date"), STR("Tue, 1 Jul 2025 10:52:37 +0000")));
    assert_true(str_equal(find_head(&reading, "From"), STR("\"Jeton\" <noreply@example.org>")));
    assert_true(str_equal(find_head(&reading, "To"), STR("<ada@example.org>")));
    assert_true(str_equal(find_head(&reading, "Message-ID"), STR("<0123abcd@tokens.example.org>")));
    assert_true(str_equal(find_head(&reading, "Subject"), usual.subject));
    assert_true(str_equal(find_head(&reading, "Auto-Submitted"), STR("auto-generated")));
    assert_true(str_equal(find_head(&reading, "MIME-Version"), STR("1.0")));
    assert_true(str_equal(find_head(&reading, "Content-Type"), STR("text/plain; charset=utf-8")));
    assert_true(
        str_equal(find_head(&reading, "Content-Transfer-Encoding"), STR("quoted-printable")));
    assert_true(str_equal(read_quoted(reading.body), usual.text));
}

/* RFC 2047 2, 5 */
static void test_subjects_come_back(void **state)
{
    static const char *const rows[] = {
        "x",
        "Passwort zur\xc3\xbc"
        "cksetzen",
        "=?UTF-8?B?QmNjOiBib2I=?= not one of ours",
        "a subject that is so long that it cannot stand in one line and has no odd letter in it",
        "\xe5\xaf\x86\xe7\xa0\x81\xe9\x87\x8d\xe7\xbd\xae\xe5\xaf\x86\xe7\xa0\x81\xe9\x87\x8d\xe7"
        "\xbd\xae\xe5\xaf\x86\xe7\xa0\x81\xe9\x87\x8d\xe7\xbd\xae\xe5\xaf\x86\xe7\xa0\x81\xe9\x87"
        "\x8d\xe7\xbd\xae",
        "\xf0\x9f\x94\x91\xf0\x9f\x94\x91\xf0\x9f\x94\x91\xf0\x9f\x94\x91\xf0\x9f\x94\x91\xf0\x9f"
        "\x94\x91\xf0\x9f\x94\x91\xf0\x9f\x94\x91\xf0\x9f\x94\x91\xf0\x9f\x94\x91\xf0\x9f\x94\x91",
        "\"quoted\", <angled>; Bcc: bob@example.org",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mail_message message = usual;
        struct reading reading;

        message.subject = str_of(rows[i]);
        read_message(format(&message), &reading);
        assert_int_equal(reading.head_count, 9);
        assert_true(str_equal(read_words(find_head(&reading, "Subject")), message.subject));
    }
}

/* RFC 5322 3.2.4 */
static void test_names_come_back(void **state)
{
    static const char *const rows[][2] = {
        { "", "<noreply@example.org>" },
        { "Jeton, Inc.", "\"Jeton, Inc.\" <noreply@example.org>" },
        { "a \"b\" \\c", "=?UTF-8?B?YSAiYiIgXGM=?= <noreply@example.org>" },
        { "x> <y", "\"x> <y\" <noreply@example.org>" },
        { "J\xc3\xa9ton", "=?UTF-8?B?SsOpdG9u?= <noreply@example.org>" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mail_message message = usual;
        struct reading reading;

        message.sender.name = str_of(rows[i][0]);
        read_message(format(&message), &reading);
        assert_true(str_equal(find_head(&reading, "From"), str_of(rows[i][1])));
    }
}

/* RFC 2045 6.7, RFC 5321 4.5.2 */
static void test_texts_come_back(void **state)
{
    static const char *const rows[] = {
        "x", /* no line feed at the end */
        ".\n..\n.\r\n",
        "From here\nFrom there\n",
        "blank at the end \n\ttab at the end\t\n",
        "a=b&c==\n",
        "=\n=0D=0A\n",
        "\n\n\n",
        "Gr\xc3\xbc\xc3\x9f"
        "e \xe5\xaf\x86\xe7\xa0\x81 \xf0\x9f\x94\x91\n",
        "https://tokens.example.org/"
        "reset?token=0123456789012345678901234567890123456789012345678901"
        "23456789012345678901234567890123456789012345678901234567890123456789&name=\n",
        "a carriage\rreturn\n",
        "\r\nSubject: other\r\n\r\nother text\r\n.\r\nMAIL FROM:<x@y>\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mail_message message = usual;
        char wanted[512];
        struct buffer plain = buffer_over(wanted, sizeof(wanted));
        struct reading reading;
        struct str found;

        message.text = str_of(rows[i]);
        read_message(format(&message), &reading);
        assert_int_equal(reading.head_count, 9);
        /* No line is a dot alone, or begins with one: nothing ends the message early. */
        for (size_t j = 0; j < reading.body.len; j++)
            assert_false((j == 0 || reading.body.at[j - 1] == '\n') && reading.body.at[j] == '.');
        for (size_t j = 0; j < message.text.len; j++) {
            if (message.text.at[j] != '\r' || message.text.at[j + 1] != '\n')
                buffer_append_byte(&plain, message.text.at[j]);
        }
        if (!str_ends_with(message.text, STR("\n")))
            buffer_append_byte(&plain, '\n');
        found = read_quoted(reading.body);
        assert_true(str_equal(found, buffer_str(&plain)));
    }
}

/* Every length around the places where a line is broken. */
static void test_texts_of_every_length(void **state)
{
    static char text[400];
    static const char *const pieces[] = { "a", " ", "=", ".", "\xc3\xa9", "\xf0\x9f\x94\x91" };

    (void)state;
    for (size_t piece = 0; piece < sizeof(pieces) / sizeof(pieces[0]); piece++) {
        struct buffer plain = buffer_over(text, sizeof(text));

        while (plain.len < 320) {
            struct mail_message message = usual;
            struct reading reading;

            buffer_append_str(&plain, str_of(pieces[piece]));
            message.text = buffer_str(&plain);
            read_message(format(&message), &reading);
            assert_true(str_starts_with(read_quoted(reading.body), message.text));
        }
    }
}

static void test_the_largest_text_has_room(void **state)
{
    static char text[MAIL_TEXT_BYTES_MAX + 1];
    struct mail_message message = usual;

    (void)state;
    memset(text, '=', sizeof(text));
    message.text = (struct str){ text, MAIL_TEXT_BYTES_MAX };
    expect_lines(format(&message));
    message.text.len++;
    assert_int_equal(mail_content_check(message.recipient, message.subject, message.text),
                     RC_INVALID);
}

static void expect_refused(const struct mail_message *message)
{
    struct buffer text = buffer_over(memory, sizeof(memory));

    assert_int_equal(mail_message_format(message, &text), RC_INVALID);
    assert_int_equal(text.len, 0);
}

/* Nothing adds a header, a line or a recipient. */
static void test_injection_is_refused(void **state)
{
    const struct str rows[] = {
        STR("x\r\nBcc: bob@example.org"),
        STR("x\nBcc: bob@example.org"),
        STR("x\rBcc: bob@example.org"),
        STR("x\0y"),
        STR("x\x7f"),
        STR("x\xff"),
        STR("x\xc3"),
        STR("x\xed\xa0\x80"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mail_message message = usual;

        message.subject = rows[i];
        expect_refused(&message);
        message = usual;
        message.sender.name = rows[i];
        expect_refused(&message);
        message = usual;
        message.recipient = rows[i];
        expect_refused(&message);
        message = usual;
        message.sender.address = rows[i];
        expect_refused(&message);
        message = usual;
        message.host = rows[i];
        expect_refused(&message);
        message = usual;
        message.id = rows[i];
        expect_refused(&message);
    }
    for (size_t i = 3; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mail_message message = usual;

        message.text = rows[i];
        expect_refused(&message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_usual_message),
        cmocka_unit_test(test_subjects_come_back),
        cmocka_unit_test(test_names_come_back),
        cmocka_unit_test(test_texts_come_back),
        cmocka_unit_test(test_texts_of_every_length),
        cmocka_unit_test(test_the_largest_text_has_room),
        cmocka_unit_test(test_injection_is_refused),
    };

    return cmocka_run_group_tests(tests, set_usual, NULL);
}
