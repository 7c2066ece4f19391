/*
 * web/page_writer.h: what the functions that tools/pages.py makes from pages/ write with.
 *
 * A page's text is a translated one, in the language of the call; its values are escaped. Texts of
 * a language are HTML already, with the bytes 1 to 8 where a value stands. Nothing here fails: the
 * buffer's overflow flag is looked at when a page is complete. Threads: all data is constant.
 */
#ifndef JETON_WEB_PAGE_WRITER_H
#define JETON_WEB_PAGE_WRITER_H

#include "base/buffer.h"
#include "base/secret.h"

struct page_language {
    struct str code;         /* "de" */
    struct str name;         /* "Deutsch" */
    const struct str *texts; /* by the number that the build gave each */
};

/* English is the first. */
extern const struct page_language page_languages[];
extern const size_t page_language_count;

/* A file that is served as it is. */
struct page_file {
    struct str type;    /* for Content-Type */
    struct str version; /* of its content; pages ask for /NAME?v=VERSION */
    struct str bytes;
};

enum page_piece_kind {
    PAGE_PIECE_TEXT,
    PAGE_PIECE_NAME, /* text in an element <bdi> */
    PAGE_PIECE_NUMBER,
    PAGE_PIECE_TIME,
    PAGE_PIECE_PLAIN_TEXT, /* these two for mails, which hold no HTML */
    PAGE_PIECE_PLAIN_TIME
};

/* A value inside a translated text. */
struct page_piece {
    enum page_piece_kind kind;
    struct str text;
    int64_t number;
};

/*
 * The language that fits best, or English.
 *
 * wanted    an Accept-Language header's value, or a language's code alone
 *
 * Source: RFC 9110 12.5.4
 */
const struct page_language *page_language_find(struct str wanted);

/*
 * The first of a list that there is, or NULL.
 *
 * wanted    language tags with spaces between them, the most wanted first
 *
 * Source: OpenID Connect Core 1.0 3.1.2.1 ui_locales
 */
const struct page_language *page_language_find_listed(struct str wanted);

/* A text with a value for each of its marks. */
void page_text_render(struct str text, const struct page_piece *pieces, size_t piece_count,
                      struct buffer *to);

void page_number_render(int64_t number, struct buffer *to);

/* Text of several lines, which stay lines. */
void page_lines_render(struct str text, struct buffer *to);

/* The moment as an element <time>, or instead, which is HTML, for 0. */
void page_time_render(int64_t at, struct str instead, struct buffer *to);

/* As text of a mail: on one line, with U+FFFD for control bytes and broken UTF-8. */
void page_plain_render(struct str text, struct buffer *to);

/* The moment as text of a mail, or instead for 0. */
void page_plain_time_render(int64_t at, struct str instead, struct buffer *to);

/* Splits a mail that was rendered: its first line is the subject, what is below the text. */
void page_mail_split(struct str mail, struct str *out_subject, struct str *out_text);

/* The secret to the one who may have it; nothing for NULL. */
void page_secret_render(const struct secret *secret, struct buffer *to);

#endif
