/*
 * mail/address.h: mail addresses, as many forms of them as mail is sent to and from.
 *
 * A narrow part of RFC 5321's grammar: a local part of atoms and dots, and a domain of letters,
 * digits and hyphens; ASCII alone. Quoted local parts, address literals and comments are refused:
 * hardly anybody has one, and each has been a way to smuggle something past a check.
 */
#ifndef JETON_MAIL_ADDRESS_H
#define JETON_MAIL_ADDRESS_H

#include "base/buffer.h"
#include "base/rc.h"

enum { MAIL_NAME_BYTES_MAX = 100 };

/* RC_OK, or RC_INVALID.  Source: RFC 5321 4.1.2, 4.5.3.1; RFC 5322 3.2.3 */
enum rc mail_address_check(struct str address) MUST_CHECK;

/* Who sends: "ADDRESS" or "NAME <ADDRESS>". */
struct mail_sender {
    struct str name; /* as people read it, at most MAIL_NAME_BYTES_MAX; may be empty */
    struct str address;
};

/* Views of the text. RC_INVALID also for a name with control characters or broken UTF-8. */
enum rc mail_sender_parse(struct str text, struct mail_sender *out_sender) MUST_CHECK;

#endif
