#include "web/page_writer.h"

#include "base/clock.h"
#include "codec/html.h"

enum { QUALITY_MAX = 1000, MARK_MAX = 8 };

static const int64_t time_max = 253402300799; /* the last second of 9999 */

void page_number_render(int64_t number, struct buffer *to)
{
    buffer_append_format(to, "%lld", (long long)number);
}

/* "2026-11-22T06:13:28.042Z": the date has 10 bytes, the time of day begins after 11. */
static void format_time(int64_t at, char out_text[static CLOCK_TEXT_BYTES])
{
    int64_t shown = at < 0 ? 0 : at > time_max ? time_max : at;

    clock_format_utc(shown * 1000, out_text);
}

static void append_minutes(const char *text, struct buffer *to)
{
    buffer_append(to, text, 10);
    BUFFER_APPEND_LITERAL(to, " ");
    buffer_append(to, text + 11, 5);
    BUFFER_APPEND_LITERAL(to, " UTC");
}

void page_time_render(int64_t at, struct str instead, struct buffer *to)
{
    char text[CLOCK_TEXT_BYTES];

    if (at == 0) {
        buffer_append_str(to, instead);
        return;
    }
    format_time(at, text);
    BUFFER_APPEND_LITERAL(to, "<time datetime=\"");
    buffer_append(to, text, 19);
    BUFFER_APPEND_LITERAL(to, "Z\">");
    append_minutes(text, to);
    BUFFER_APPEND_LITERAL(to, "</time>");
}

void page_plain_time_render(int64_t at, struct str instead, struct buffer *to)
{
    char text[CLOCK_TEXT_BYTES];

    if (at == 0) {
        buffer_append_str(to, instead);
        return;
    }
    format_time(at, text);
    append_minutes(text, to);
}

void page_plain_render(struct str text, struct buffer *to)
{
    while (text.len > 0) {
        unsigned char byte = (unsigned char)text.at[0];
        size_t len = str_utf8_sequence(text);

        if (len == 0 || byte < 0x20 || byte == 0x7f)
            BUFFER_APPEND_LITERAL(to, "\xef\xbf\xbd");
        else
            buffer_append(to, text.at, len);
        text = str_from(text, len == 0 ? 1 : len);
    }
}

void page_mail_split(struct str mail, struct str *out_subject, struct str *out_text)
{
    size_t end = str_index_of(mail, '\n');

    *out_subject = (struct str){ mail.at, end };
    while (end < mail.len && mail.at[end] == '\n')
        end++;
    *out_text = str_from(mail, end);
}

void page_secret_render(const struct secret *secret, struct buffer *to)
{
    if (secret != NULL)
        html_escape(secret_expose(secret), to);
}

void page_lines_render(struct str text, struct buffer *to)
{
    while (text.len > 0) {
        struct str line = { text.at, str_index_of(text, '\n') };
        bool is_last = line.len == text.len;

        html_escape(str_ends_with(line, STR("\r")) ? (struct str){ line.at, line.len - 1 } : line,
                    to);
        if (!is_last)
            buffer_append_byte(to, '\n');
        text = str_from(text, is_last ? text.len : line.len + 1);
    }
}

static void piece_render(const struct page_piece *piece, struct buffer *to)
{
    switch (piece->kind) {
    case PAGE_PIECE_TEXT:
        html_escape(piece->text, to);
        break;
    case PAGE_PIECE_NAME:
        BUFFER_APPEND_LITERAL(to, "<bdi>");
        html_escape(piece->text, to);
        BUFFER_APPEND_LITERAL(to, "</bdi>");
        break;
    case PAGE_PIECE_NUMBER:
        page_number_render(piece->number, to);
        break;
    case PAGE_PIECE_TIME:
        page_time_render(piece->number, STR("\xe2\x80\x93"), to);
        break;
    case PAGE_PIECE_PLAIN_TEXT:
        page_plain_render(piece->text, to);
        break;
    case PAGE_PIECE_PLAIN_TIME:
        page_plain_time_render(piece->number, STR("\xe2\x80\x93"), to);
        break;
    }
}

void page_text_render(struct str text, const struct page_piece *pieces, size_t piece_count,
                      struct buffer *to)
{
    size_t begin = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.at[i];

        if (byte == 0 || byte > MARK_MAX)
            continue;
        buffer_append(to, text.at + begin, i - begin);
        if (byte <= piece_count)
            piece_render(&pieces[byte - 1], to);
        begin = i + 1;
    }
    buffer_append_str(to, str_from(text, begin));
}

/* "q=0.8" as 800; what is malformed counts as not wanted (RFC 9110 12.4.2). */
static unsigned quality_of(struct str parameter)
{
    unsigned quality, unit = QUALITY_MAX;

    parameter = str_trim(parameter);
    if (parameter.len == 0)
        return QUALITY_MAX;
    if (parameter.len < 3 || parameter.len > 7 || !str_equal_nocase_bytes(parameter.at, "q=", 2) ||
        (parameter.at[2] != '0' && parameter.at[2] != '1') ||
        (parameter.len > 3 && parameter.at[3] != '.'))
        return 0;
    quality = parameter.at[2] == '1' ? QUALITY_MAX : 0;
    for (size_t i = 4; i < parameter.len; i++) {
        if (parameter.at[i] < '0' || parameter.at[i] > '9')
            return 0;
        unit /= 10;
        quality += unit * (unsigned)(parameter.at[i] - '0');
    }
    return quality > QUALITY_MAX ? 0 : quality;
}

/* By the primary subtag: "de-CH" is served by "de" (RFC 9110 12.5.4). */
static const struct page_language *language_with(struct str range)
{
    struct str primary = { range.at, str_index_of(range, '-') };

    for (size_t i = 0; i < page_language_count; i++)
        if (str_equal_nocase(primary, page_languages[i].code))
            return &page_languages[i];
    return NULL;
}

const struct page_language *page_language_find(struct str wanted)
{
    const struct page_language *best = &page_languages[0];
    unsigned best_quality = 0;

    while (wanted.len > 0) {
        struct str element = { wanted.at, str_index_of(wanted, ',') };
        size_t end = str_index_of(element, ';');
        struct str range = str_trim((struct str){ element.at, end });
        unsigned quality = quality_of(str_from(element, end == element.len ? end : end + 1));
        const struct page_language *language = language_with(range);

        wanted = str_from(wanted, element.len == wanted.len ? element.len : element.len + 1);
        if (language != NULL && quality > best_quality) {
            best = language;
            best_quality = quality;
        }
    }
    return best;
}

const struct page_language *page_language_find_listed(struct str wanted)
{
    const struct page_language *language = NULL;
    struct str tag;

    while (language == NULL && str_next_word(&wanted, &tag))
        language = language_with(tag);
    return language;
}
