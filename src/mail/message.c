#include "mail/message.h"

#include <time.h>

enum {
    LINE_BYTES_MAX = 76,        /* RFC 2045 6.7, RFC 2047 2 */
    PLAIN_WORDS_BYTES_MAX = 65, /* beside the longest name of a header, within 78: RFC 5322 2.1.1 */
    WORD_BYTES_MAX = 39 /* of UTF-8 in one encoded word: 64 characters, also behind a name */
};

static bool is_plain(struct str words)
{
    for (size_t i = 0; i < words.len; i++) {
        if (words.at[i] < ' ' || words.at[i] > '~')
            return false;
    }
    return words.len <= PLAIN_WORDS_BYTES_MAX;
}

static bool has_encoded_word(struct str words)
{
    for (size_t i = 0; i + 1 < words.len; i++) {
        if (words.at[i] == '=' && words.at[i + 1] == '?')
            return true;
    }
    return false;
}

/* RFC 4648 4, with padding. */
static void put_base64(struct str bytes, struct buffer *to)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t len = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t bits = 0;

        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (j < len ? (unsigned char)bytes.at[i + j] : 0);
        buffer_append_byte(to, alphabet[bits >> 18]);
        buffer_append_byte(to, alphabet[bits >> 12 & 0x3f]);
        buffer_append_byte(to, len > 1 ? alphabet[bits >> 6 & 0x3f] : '=');
        buffer_append_byte(to, len > 2 ? alphabet[bits & 0x3f] : '=');
    }
}

/* Whole characters alone, one word in each line (RFC 2047 2, 5). */
static void put_encoded_words(struct str words, struct buffer *to)
{
    while (words.len > 0) {
        struct str rest = words;
        size_t len = 0;

        while (rest.len > 0 && len + str_utf8_sequence(rest) <= WORD_BYTES_MAX) {
            len += str_utf8_sequence(rest);
            rest = str_from(words, len);
        }
        BUFFER_APPEND_LITERAL(to, "=?UTF-8?B?");
        put_base64((struct str){ words.at, len }, to);
        BUFFER_APPEND_LITERAL(to, "?=");
        words = rest;
        if (words.len > 0)
            BUFFER_APPEND_LITERAL(to, "\r\n ");
    }
}

static void put_subject(struct str subject, struct buffer *to)
{
    BUFFER_APPEND_LITERAL(to, "Subject: ");
    if (is_plain(subject) && !has_encoded_word(subject))
        buffer_append_str(to, subject);
    else
        put_encoded_words(subject, to);
    BUFFER_APPEND_LITERAL(to, "\r\n");
}

/* A quoted string (RFC 5322 3.2.4) where nothing in it has to be quoted, or else encoded words. */
static void put_name(struct str name, struct buffer *to)
{
    if (!is_plain(name) || str_index_of(name, '"') < name.len ||
        str_index_of(name, '\\') < name.len) {
        put_encoded_words(name, to);
        return;
    }
    buffer_append_byte(to, '"');
    buffer_append_str(to, name);
    buffer_append_byte(to, '"');
}

static void put_sender(const struct mail_sender *sender, struct buffer *to)
{
    BUFFER_APPEND_LITERAL(to, "From: ");
    if (sender->name.len > 0) {
        put_name(sender->name, to);
        BUFFER_APPEND_LITERAL(to, "\r\n <");
    } else {
        buffer_append_byte(to, '<');
    }
    buffer_append_str(to, sender->address);
    BUFFER_APPEND_LITERAL(to, ">\r\n");
}

/* RFC 5322 3.3 */
static void put_date(int64_t at, struct buffer *to)
{
    static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    const time_t seconds = (time_t)at;
    struct tm parts;

    ASSERT(gmtime_r(&seconds, &parts) != NULL);
    buffer_append_format(to, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[parts.tm_wday],
                         parts.tm_mday, months[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour,
                         parts.tm_min, parts.tm_sec);
}

static void put_head(const struct mail_message *message, struct buffer *to)
{
    put_date(message->at, to);
    put_sender(&message->sender, to);
    BUFFER_APPEND_LITERAL(to, "To: <");
    buffer_append_str(to, message->recipient);
    BUFFER_APPEND_LITERAL(to, ">\r\nMessage-ID: <");
    buffer_append_str(to, message->id);
    buffer_append_byte(to, '@');
    buffer_append_str(to, message->host);
    BUFFER_APPEND_LITERAL(to, ">\r\n");
    put_subject(message->subject, to);
    BUFFER_APPEND_LITERAL(to, "Auto-Submitted: auto-generated\r\n" /* RFC 3834 5 */
                              "MIME-Version: 1.0\r\n"
                              "Content-Type: text/plain; charset=utf-8\r\n"
                              "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
}

/* Where a line of the text ends: at CR LF, or LF. */
static size_t break_bytes(struct str text)
{
    if (str_starts_with(text, STR("\r\n")))
        return 2;
    return str_starts_with(text, STR("\n")) ? 1 : 0;
}

/*
 * RFC 2045 6.7. Beyond what must be encoded: a dot and "From" at the beginning of a line, so that
 * nothing on the way has a reason to change the line (RFC 5321 4.5.2), and blanks at its end.
 */
static bool must_encode(struct str rest, size_t column)
{
    char byte = rest.at[0];

    if (byte == ' ' || byte == '\t')
        return rest.len == 1 || break_bytes(str_from(rest, 1)) > 0;
    if (column == 0 && (byte == '.' || byte == 'F'))
        return true;
    return byte < '!' || byte > '~' || byte == '=';
}

static void put_text(struct str text, struct buffer *to)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t column = 0;

    while (text.len > 0) {
        size_t line_break = break_bytes(text);
        unsigned char byte = (unsigned char)text.at[0];
        size_t width = line_break > 0 || !must_encode(text, column) ? 1 : 3;

        if (line_break == 0 && column + width > LINE_BYTES_MAX - 1) {
            BUFFER_APPEND_LITERAL(to, "=\r\n");
            column = 0;
            continue; /* it stands at the beginning of a line now */
        }
        if (line_break > 0) {
            BUFFER_APPEND_LITERAL(to, "\r\n");
            column = 0;
        } else if (width == 1) {
            buffer_append_byte(to, (char)byte);
            column++;
        } else {
            const char code[] = { '=', digits[byte >> 4], digits[byte & 0xf] };

            buffer_append(to, code, sizeof(code));
            column += width;
        }
        text = str_from(text, line_break > 0 ? line_break : 1);
    }
    if (column > 0)
        BUFFER_APPEND_LITERAL(to, "\r\n");
}

/* A text may have line feeds and tabs; NUL and the like are nobody's honest wish. */
static bool is_text(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.at[i];

        if ((byte < ' ' && byte != '\n' && byte != '\r' && byte != '\t') || byte == 0x7f)
            return false;
    }
    return text.len > 0 && text.len <= MAIL_TEXT_BYTES_MAX && str_is_utf8(text);
}

enum rc mail_content_check(struct str recipient, struct str subject, struct str text)
{
    if (mail_address_check(recipient) != RC_OK || subject.len == 0 ||
        subject.len > MAIL_SUBJECT_BYTES_MAX || str_has_control(subject) || !str_is_utf8(subject) ||
        !is_text(text))
        return RC_INVALID;
    return RC_OK;
}

static bool is_id(struct str id)
{
    for (size_t i = 0; i < id.len; i++) {
        char byte = id.at[i];

        if (!(byte >= '0' && byte <= '9') && !(byte >= 'a' && byte <= 'z') &&
            !(byte >= 'A' && byte <= 'Z'))
            return false;
    }
    return id.len > 0;
}

/* A name, or an address in brackets (RFC 5322 3.6.4: id-right). */
static bool is_host(struct str host)
{
    for (size_t i = 0; i < host.len; i++) {
        if (host.at[i] <= ' ' || host.at[i] > '~' || strchr("<>@()\",;\\", host.at[i]) != NULL)
            return false;
    }
    return host.len > 0;
}

enum rc mail_message_format(const struct mail_message *message, struct buffer *out_text)
{
    if (mail_content_check(message->recipient, message->subject, message->text) != RC_OK ||
        mail_address_check(message->sender.address) != RC_OK ||
        str_has_control(message->sender.name) || !str_is_utf8(message->sender.name) ||
        !is_id(message->id) || !is_host(message->host))
        return RC_INVALID;
    put_head(message, out_text);
    put_text(message->text, out_text);
    return out_text->overflow ? RC_TOO_LARGE : RC_OK;
}
