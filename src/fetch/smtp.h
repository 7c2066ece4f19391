/*
 * fetch/smtp.h: one message to one SMTP server, in the helper's process. It and fetch/https.h alone
 * use libcurl.
 *
 * The server's certificate is verified, and TLS is not left out except towards this very machine.
 * Nothing is kept from one message to the next.
 */
#ifndef JETON_FETCH_SMTP_H
#define JETON_FETCH_SMTP_H

#include "fetch/wire.h"

/* Where mail goes; from FETCH_SETUP. Views of memory that stays. */
struct smtp_setup {
    const char *url;     /* as fetch/smtp_url.h has it                              */
    struct str greeting; /* the domain of EHLO (RFC 5321 4.1.1.1)                   */
    const char *user;    /* NULL: no sign-in                                        */
    const char *password;
    const char *ca_file; /* NULL: the system's                                      */
};

struct smtp_mail {
    const char *sender; /* an address without brackets, checked by who asks         */
    const char *recipient;
    struct str message; /* RFC 5322, lines end in CR LF                             */
};

struct smtp_result {
    enum fetch_outcome outcome;
    int32_t code;
    char words[WIRE_WORDS_BYTES_MAX + 1];
};

/* Before the first. */
void smtp_init(void);

void smtp_send(const struct smtp_setup *setup, const struct smtp_mail *mail,
               struct smtp_result *out_result);

#endif
