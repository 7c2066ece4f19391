/*
 * account/link.h: links in mails, which prove that whoever opens one reads the mail of an address
 * (NIST SP 800-63B-4 4.2; OWASP ASVS 6.4.3; PW-09).
 *
 * A link's value is 32 random bytes as base64url; the store keeps their digest. It is good once,
 * for one purpose, for a while, and only until a newer one of the same account and purpose is made.
 * Asking for its page uses nothing up: mail programs open links, too. What it leads to is done by
 * the form of that page, in the transaction that uses the link up.
 */
#ifndef JETON_ACCOUNT_LINK_H
#define JETON_ACCOUNT_LINK_H

#include "base/secret.h"
#include "store/store.h"

enum {
    LINK_VALUE_BYTES = 43, /* base64url of 32 bytes */
    LINK_RESET_S = 30 * 60,
    LINK_VERIFY_S = 24 * 3600, /* LINK_REGISTER, too */
    LINK_INVITATION_S = 7 * 24 * 3600
};

/*
 * Drafts a link, so that the mail with its value can be written before the act that stores both.
 *
 * link         purpose, account_id, email and, for LINK_REGISTER, what the account is made of; it
 *              is given the rest
 * is_for_one   false: the same work for nobody, and the link is good for nothing
 * out_value    a secret, good once the act is committed
 *
 * Answers: RC_OK.  Faults: the store's
 */
enum rc link_draft(struct store *store, struct link *link, bool is_for_one, int64_t now,
                   struct secret *out_value) MUST_CHECK;

/* Adds a drafted link: two steps. The older ones of its account and purpose end. */
void link_add(const struct link *link, struct store_unit *unit);

/* The link of a value; RC_NOT_FOUND when there is none, or none any more.  Faults: the store's */
enum rc link_find(struct store *store, const struct secret *value, int64_t now, struct arena *arena,
                  struct link *out_link) MUST_CHECK;

#endif
