/*
 * account/challenge.h: the challenges of passkey ceremonies that are under way (PW-12; WebAuthn
 * 13.4.3).
 *
 * A challenge is good for five minutes and for one answer, right or wrong. It belongs to the
 * browser that asked for it: its owner is the digest of the id of a browser session or of a login
 * transaction, whatever the cookie says, so that an answer made for one browser is worth nothing in
 * another.
 *
 * Nothing is kept of those that are under way: a challenge is the time, a random part and a MAC
 * over both, owner and use, under a key that all nodes have. So a ceremony may begin at one node
 * and end at another, goes on over a restart, and however many sign-in pages are asked for, they
 * push out nobody's. What is kept, in the store, is which were answered, until they have expired.
 */
#ifndef JETON_ACCOUNT_CHALLENGE_H
#define JETON_ACCOUNT_CHALLENGE_H

#include "crypto/digest.h"
#include "store/store.h"

enum {
    CHALLENGE_BYTES = 32, /* WebAuthn 13.4.3: at least 16; 12 are random, 16 a MAC */
    CHALLENGE_LIFETIME_S = 300
};

/* A challenge for one use is none for another. */
enum challenge_use { CHALLENGE_REGISTRATION, CHALLENGE_SIGN_IN, CHALLENGE_STEP_UP };

/* A fresh challenge for a browser. */
void challenge_issue(const struct hmac_key *key, const unsigned char owner[static DIGEST_BYTES],
                     enum challenge_use use, int64_t now,
                     unsigned char out_challenge[static CHALLENGE_BYTES]);

/*
 * Uses up the challenge that an answer names, by a commit. To be called before anything else of the
 * answer is looked at, so that no wrong answer leaves it there.
 *
 * challenge   as it came
 *
 * Answers: RC_OK · RC_NOT_FOUND it was not issued to this owner for this use, has expired, or was
 * used already.  Faults: the store's
 */
enum rc challenge_consume(const struct hmac_key *key, struct store *store,
                          const unsigned char owner[static DIGEST_BYTES], enum challenge_use use,
                          int64_t now, struct str challenge) MUST_CHECK;

#endif
