/*
 * mail/outbox.h: mails on their way, kept in the store until an SMTP server has taken them.
 *
 * A mail is queued in the transaction of what it tells of: both are there or neither. It is sealed
 * under the master key, recipient, subject and text together, for it may hold a link that resets a
 * password; its row shows only when it was queued and how it goes. Sending is the daemon's: claim,
 * open, try, and then sent, postponed or given up. Whoever claims has the mail to himself until the
 * lease ends; after a crash another attempt is made then, so that a mail may arrive twice and never
 * not at all. A second copy has the same Message-ID.
 *
 * Threads: any; all state is in the store.
 */
#ifndef JETON_MAIL_OUTBOX_H
#define JETON_MAIL_OUTBOX_H

#include <stdatomic.h>

#include "mail/message.h"
#include "store/store.h"

enum {
    OUTBOX_LIFETIME_S = 3 * 24 * 3600,
    OUTBOX_LEASE_S = 120,  /* longer than any attempt takes */
    OUTBOX_BACKOFF_S = 30, /* after the first failure; doubles each time           */
    OUTBOX_BACKOFF_S_MAX = 24 * 3600,
    OUTBOX_ID_BYTES = 32, /* of a Message-ID's left part                          */
    OUTBOX_CONTENT_BYTES_MAX = MAIL_TEXT_BYTES_MAX + 1024
};

/* Lives as long as the store. */
struct outbox {
    struct store *store;
    const unsigned char *master_key; /* SEAL_KEY_BYTES */
};

/* A mail to be queued; see struct mail_message. */
struct mail_draft {
    struct str recipient;
    struct str subject;
    struct str text;
    int64_t until; /* worth nothing after that (its link has expired); 0: OUTBOX_LIFETIME_S */
};

/*
 * Makes the row of a mail, due at once, which whoever has the act's unit puts into it
 * (account/notice.h).
 *
 * arena    what the row refers to is put there: reset it only after store_commit
 *
 * Answers: RC_OK · RC_INVALID mail_content_check.  Faults: the store's, RC_CRYPTO
 */
enum rc outbox_draft(const struct outbox *outbox, const struct mail_draft *draft, int64_t now,
                     struct arena *arena, struct mail *out_mail) MUST_CHECK;

/*
 * The same, queued in the caller's unit. Takes one step of it.
 *
 * arena    what the unit refers to is put there: reset it only after store_commit
 *
 * Answers: RC_OK · RC_INVALID mail_content_check.  Faults: the store's, RC_CRYPTO
 */
enum rc outbox_insert(const struct outbox *outbox, const struct mail_draft *draft, int64_t now,
                      struct arena *arena, struct store_unit *unit) MUST_CHECK;

/* What a mail says, opened; views of the memory that was given. */
struct mail_content {
    struct str recipient;
    struct str subject;
    struct str text;
    char id[OUTBOX_ID_BYTES]; /* for the Message-ID: always the same for one mail, and says nothing
                               */
};

/*
 * Opens a claimed mail. The memory is secret and the caller's to wipe.
 *
 * Answers: RC_OK · RC_INVALID not sealed under this key, for this row, or by a version we know
 */
enum rc outbox_open(const struct outbox *outbox, const struct mail *mail,
                    char memory[static OUTBOX_CONTENT_BYTES_MAX],
                    struct mail_content *out_content) MUST_CHECK;

/* When to try again after so many attempts: doubling, up to a day, a quarter more or less by
 * chance, so that mails that failed together do not come together again. */
int64_t outbox_next_at(int64_t now, int64_t attempt_count);

/* A message that says that it is a test. */
struct mail_draft mail_test_draft(struct str recipient);

/* Queues a mail that tells of nothing else. Answers as outbox_insert. */
enum rc outbox_send(const struct outbox *outbox, const struct mail_draft *draft, int64_t now,
                    struct arena *arena) MUST_CHECK;

/* Has all that wait tried again now. */
enum rc outbox_hasten(struct store *store, int64_t now) MUST_CHECK;

/* Those that wait, oldest first, with id > after_id; as store_list_mails. */
enum rc outbox_list(struct store *store, int64_t after_id, struct arena *arena,
                    struct mail *out_rows, size_t max, size_t *out_count) MUST_CHECK;

/* Numbers for the metrics. */
struct mail_meters {
    _Atomic uint64_t sent;
    _Atomic uint64_t failed; /* attempts that will be repeated */
    _Atomic uint64_t given_up;
    _Atomic uint64_t queued; /* now, as last looked at         */
};

#endif
