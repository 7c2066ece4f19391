/*
 * account/challenge.h: the challenges of passkey ceremonies that are under way (PW-12; WebAuthn
 * 13.4.3).
 *
 * A challenge is 32 random bytes, good for five minutes and for one answer, right or wrong. It
 * belongs to the browser that asked for it: its owner is the digest of the id of a browser session
 * or of a login transaction, whatever the cookie says, so that an answer made for one browser is
 * worth nothing in another. For each use an owner has one challenge, the newest.
 *
 * The book is memory, for one node: a restart, or a ceremony that is answered at another node, ends
 * in "try again", and never in a challenge that counts twice. Behind the same three calls a store
 * could keep the rows instead (owner, use, challenge, expires_at; consume is one conditional
 * delete), which is why consuming may answer a fault.
 *
 * It is bounded: CHALLENGE_COUNT_MAX challenges in sets of a few, chosen by bits of the owner. In a
 * full set the address that has most of it gives way, the one that asks counted in, and of its
 * challenges the oldest. So whoever opens very many login transactions pushes out their own, and
 * makes nobody else try again. Any thread.
 */
#ifndef JETON_ACCOUNT_CHALLENGE_H
#define JETON_ACCOUNT_CHALLENGE_H

#include "base/rc.h"
#include "model/nouns.h"

enum {
    CHALLENGE_BYTES = 32, /* WebAuthn 13.4.3: at least 16 */
    CHALLENGE_LIFETIME_S = 300,
    CHALLENGE_COUNT_MAX = 16 * 1024
};

/* A challenge for one use is none for another. */
enum challenge_use { CHALLENGE_REGISTRATION, CHALLENGE_SIGN_IN, CHALLENGE_STEP_UP };

struct challenge_book;

/* Aborts when there is no memory. */
struct challenge_book *challenge_book_new(void);

/* Wipes what is in it; takes NULL too. */
void challenge_book_free(struct challenge_book *book);

/* A fresh challenge for a browser at an address (16 bytes, as struct http_address); the one that
 * this owner had for this use is no longer good. */
void challenge_issue(struct challenge_book *book, const unsigned char owner[static DIGEST_BYTES],
                     const unsigned char address[static 16], enum challenge_use use, int64_t now,
                     unsigned char out_challenge[static CHALLENGE_BYTES]);

/*
 * Takes the challenge out of the book, to be compared with the one in an answer. To be called
 * before anything of the answer is looked at, so that no wrong answer leaves it there.
 *
 * Answers: RC_OK · RC_NOT_FOUND none was asked for, it has expired, or it was used already
 * Faults:  none of this book's; a store's in its place
 */
enum rc challenge_consume(struct challenge_book *book,
                          const unsigned char owner[static DIGEST_BYTES], enum challenge_use use,
                          int64_t now,
                          unsigned char out_challenge[static CHALLENGE_BYTES]) MUST_CHECK;

/* Takes out all of an owner's: its session has ended. */
void challenge_revoke(struct challenge_book *book, const unsigned char owner[static DIGEST_BYTES]);

#endif
