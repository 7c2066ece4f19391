/*
 * fetch/wire.h: what the server and its helper jeton-fetch say to each other.
 *
 * A frame is a head (kind, id, length of the body; codec/field.h) and a body of at most
 * WIRE_BODY_BYTES_MAX. The server sends FETCH_SETUP first and once, which has no answer. Then it
 * sends one request at a time, and the helper answers each with a FETCH_RESULT of the same id; also
 * one whose kind it does not know. Either side ends the talk by closing its end.
 *
 *     FETCH_SETUP    SMTP URL, name to greet with, user, password, file of CA certificates;
 * networks that documents may come from although they are private, and a file of CA certificates
 * for them FETCH_MAIL     sender, recipient, message (RFC 5322) FETCH_GET      URL FETCH_POST URL,
 * form FETCH_RESULT   outcome (number), code (number), words, content: of FETCH_GET alone
 *
 * A code is the SMTP server's reply code (RFC 5321 4.2) or the status of HTTP, or one of enum
 * fetch_trouble where no reply says what is wrong. Words are for whoever asked for this one try;
 * they are never logged, as a server's reply may name the recipient.
 */
#ifndef JETON_FETCH_WIRE_H
#define JETON_FETCH_WIRE_H

#include "base/buffer.h"
#include "base/rc.h"

enum fetch_kind {
    FETCH_SETUP = 1,
    FETCH_MAIL = 2,
    FETCH_GET = 3,
    FETCH_POST = 4,
    FETCH_RESULT = 0x80
};

enum fetch_outcome {
    FETCH_DONE = 0,  /* the SMTP server has taken the message; HTTP: 2xx                */
    FETCH_LATER = 1, /* it may take this message later (RFC 5321 4.2.1: 4yz); 5xx       */
    FETCH_NEVER = 2, /* it will not take this message (5yz); 3xx, 4xx                   */
    FETCH_AWAY = 3   /* nothing was said of this message: no server, no TLS, no sign-in */
};

enum fetch_trouble {
    TROUBLE_HELPER = -1,  /* the helper is not there or broke off */
    TROUBLE_CONNECT = -2, /* no name, no route, refused           */
    TROUBLE_TLS = -3,     /* not offered, or not to be trusted    */
    TROUBLE_LOGIN = -4,
    TROUBLE_TIMEOUT = -5,
    TROUBLE_PROTOCOL = -6,   /* something else went wrong on the way */
    TROUBLE_CLOSED_OFF = -7, /* an address that may not be asked     */
    TROUBLE_TOO_LARGE = -8
};

enum {
    WIRE_FD = 3, /* the helper's end */
    WIRE_HEAD_BYTES = 12,
    WIRE_BODY_BYTES_MAX = 256 * 1024,
    WIRE_WORDS_BYTES_MAX = 255,
    FETCH_TIMEOUT_MS = 30 * 1000,         /* of one message, from the first packet   */
    FETCH_REPLY_TIMEOUT_MS = 20 * 1000,   /* of one reply, the good-bye's among them */
    FETCH_DOCUMENT_TIMEOUT_MS = 5 * 1000, /* of one document, names and TLS included */
    FETCH_DOCUMENT_BYTES_MAX = 64 * 1024,
    /* After that the helper hangs, and is ended. */
    FETCH_DOCUMENT_PATIENCE_MS = FETCH_DOCUMENT_TIMEOUT_MS + 3 * 1000,
    FETCH_PATIENCE_MS = FETCH_TIMEOUT_MS + FETCH_REPLY_TIMEOUT_MS + 5 * 1000,
};

struct wire_head {
    uint32_t kind;
    uint32_t id;
    uint32_t len;
};

/* How long to wait for the other end. */
struct wire_wait {
    int64_t deadline_ms; /* of clock_monotonic_ms; INT64_MAX: for ever                   */
    int stop_fd;         /* -1: none. When it is readable, no longer than `stop_ms` more */
    int64_t stop_ms;
};

/* Writes a frame. False when the other end has gone or does not take it in time. */
bool wire_write(int fd, uint32_t kind, uint32_t id, struct str body, struct wire_wait wait);

/* Reads a frame into a body of WIRE_BODY_BYTES_MAX; false as well when it would be larger. */
bool wire_read(int fd, struct wire_head *out_head, char *out_body, struct wire_wait wait);

/* "451", "no connection": a code as an operator reads it. Written to memory of 16 bytes if need be.
 */
struct str fetch_code_format(int64_t code, char memory[static 16]);

#endif
