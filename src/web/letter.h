/*
 * web/letter.h: mails to people: rendered, and sealed for the outbox.
 *
 * A letter is the row of a mail with the memory that it stands in. It is written before the act
 * that it tells of, which puts the row into its own unit (account/notice.h). Its links begin with
 * the issuer's host, whatever a request says that ours is (PW-09).
 *
 * Lifetimes: a letter is deinitialized after the act. Threads: any.
 */
#ifndef JETON_WEB_LETTER_H
#define JETON_WEB_LETTER_H

#include "account/link.h"
#include "mail/outbox.h"

struct page_language;

struct letter_head {
    const struct outbox *outbox;
    struct str brand;
    struct str root; /* the issuer, without its path: where pages stand */
    const struct page_language *language;
    int64_t now;
};

struct letter {
    struct arena arena;
    struct mail mail;
    const struct mail *row; /* of `mail`; NULL: nobody is written to */
};

/* For __attribute__((cleanup)) over a zeroed letter; again is fine. */
void letter_deinit(struct letter *letter);

/*
 * The mail that takes a drafted link to its address.
 *
 * username   whose account it is about
 *
 * Answers: RC_OK · RC_INVALID no mail can be sent to that address.  Faults: the store's, RC_CRYPTO
 */
enum rc letter_write_link(const struct letter_head *head, const struct link *link,
                          struct str username, const struct secret *value,
                          struct letter *out_letter) MUST_CHECK;

/* The mail to somebody who wanted to register and has an account already. Answers as above. */
enum rc letter_write_registered(const struct letter_head *head, const struct account *account,
                                struct letter *out_letter) MUST_CHECK;

enum letter_news {
    NEWS_PASSWORD,
    NEWS_EMAIL,
    NEWS_FACTOR_ADDED,
    NEWS_FACTOR_REMOVED,
    NEWS_FACTORS_REMOVED, /* all of them, by an administrator */
    NEWS_RECOVERY_CODES
};

struct letter_change {
    enum letter_news news;
    struct str username;
    struct str recipient;
    struct str factor;  /* NEWS_FACTOR_…: its name */
    struct str address; /* from where, as text; empty: by an administrator of the server */
};

/* Tells somebody what was changed about their account. A recipient that no mail can be sent to gets
 * none: the row is NULL. */
enum rc letter_write_change(const struct letter_head *head, const struct letter_change *change,
                            struct letter *out_letter) MUST_CHECK;

enum { LETTER_EXPIRY_COUNT_MAX = 10 };

/* Tells an account's owner which of its permanent tokens expire soon: at most
 * LETTER_EXPIRY_COUNT_MAX of them. As letter_write_change. */
enum rc letter_write_expiry(const struct letter_head *head, const struct account *account,
                            const struct permanent *tokens, size_t count,
                            struct letter *out_letter) MUST_CHECK;

#endif
