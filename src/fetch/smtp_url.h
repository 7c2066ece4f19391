/*
 * fetch/smtp_url.h: the address of the SMTP server that takes our mail.
 */
#ifndef JETON_FETCH_SMTP_URL_H
#define JETON_FETCH_SMTP_URL_H

#include "base/rc.h"
#include "base/str.h"

struct smtp_url {
    bool is_tls_from_start; /* smtps (RFC 8314 3.3)                                        */
    bool needs_starttls;    /* smtp to any other machine than this one: never in clear     */
};

/*
 * smtp://HOST[:PORT] or smtps://HOST[:PORT], and nothing else: no user, path, query or fragment.
 *
 * Answers: RC_OK · RC_INVALID
 */
enum rc smtp_url_parse(struct str text, struct smtp_url *out_url) MUST_CHECK;

#endif
