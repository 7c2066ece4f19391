/*
 * mail/message.h: a message as it goes to the SMTP server (RFC 5322, with MIME).
 *
 * Text for people in UTF-8, as quoted-printable: 7-bit ASCII lines of at most 76 characters on the
 * wire, whatever the text was. Nothing that is put in can add a header, a line or a part: words of
 * headers are refused when they hold a control character and are encoded when they hold anything
 * but plain letters, and addresses have passed mail/address.h.
 */
#ifndef JETON_MAIL_MESSAGE_H
#define JETON_MAIL_MESSAGE_H

#include "mail/address.h"

enum {
    MAIL_SUBJECT_BYTES_MAX = 255,
    MAIL_TEXT_BYTES_MAX = 16 * 1024,
    /* Every byte as "=XX", a soft break in each line, and the headers. */
    MAIL_MESSAGE_BYTES_MAX = MAIL_TEXT_BYTES_MAX * 10 / 3 + 8 * 1024
};

struct mail_message {
    struct mail_sender sender;
    struct str recipient; /* an address                                                 */
    struct str subject;   /* UTF-8, at most MAIL_SUBJECT_BYTES_MAX                      */
    struct str text;      /* UTF-8, lines end in LF or CR LF, at most MAIL_TEXT_BYTES_MAX */
    int64_t at;           /* when it was written                                        */
    struct str id;        /* letters and digits, the same whenever this message is sent */
    struct str host;      /* of the issuer: what stands behind the @ of the Message-ID  */
};

/* RC_OK, or RC_INVALID: a recipient, subject or text that cannot be sent. */
enum rc mail_content_check(struct str recipient, struct str subject, struct str text) MUST_CHECK;

/*
 * Appends the message.
 *
 * Answers: RC_OK · RC_INVALID · RC_TOO_LARGE no room (MAIL_MESSAGE_BYTES_MAX is enough)
 * Source:  RFC 5322 2.1.1, 2.3, 3.6; RFC 2045 6.7; RFC 2047 2, 4.1, 5; RFC 3834 5
 */
enum rc mail_message_format(const struct mail_message *message, struct buffer *out_text) MUST_CHECK;

#endif
