/*
 * daemon/expiry_mails.h: mails to people whose permanent tokens expire soon.
 *
 * Fourteen days before a token expires and one day before, once each: what was told is noted in the
 * unit that queues the mail, so neither a restart nor a second node tells it again. A token that is
 * revoked, or was rotated, is not spoken of, nor one that never lived for longer than the time
 * before its end that a warning comes. Whoever has no address that is known to be theirs is told by
 * the page of tokens alone.
 */
#ifndef JETON_DAEMON_EXPIRY_MAILS_H
#define JETON_DAEMON_EXPIRY_MAILS_H

#include "web/letter.h"

/*
 * Queues the next of those mails that is due.
 *
 * head    without `now`
 *
 * Answers: RC_OK one was queued, there may be more · RC_NOT_FOUND none is due.  Faults: the
 * store's, RC_CRYPTO
 */
enum rc expiry_mails_queue_next(struct store *store, const struct letter_head *head,
                                int64_t now) MUST_CHECK;

#endif
