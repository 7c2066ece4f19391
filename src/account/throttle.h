/*
 * account/throttle.h: how often guessing is allowed (NIST SP 800-63B-4 3.2.2; PW-05, PW-06).
 *
 * Two keys are counted for each try: the account's name (folded, so that case and spelling of an
 * alias share one counter, and whether it exists or not), and the client address (IPv6 by /64).
 * Counters are keyed by an HMAC, so the store holds no names, and survive restarts.
 *
 * A name: the first THROTTLE_FREE_COUNT consecutive failures cost nothing; then each further try
 * must wait, doubling from one second to fifteen minutes; after THROTTLE_FAILURE_COUNT_MAX the name
 * is locked until an administrator unlocks it or its owner succeeds from a known address. Tries
 * under way count as failures against the maximum, so parallel guessing buys nothing, at however
 * many nodes: where one process writes to the store, they are counted in its memory, which costs no
 * commit; where several do, each is counted in the store before it is evaluated, and given back
 * when it ends (store/tries.h).
 *
 * A row of failures may also end in a lock (enum lockout_mode). Then nobody is known by an address:
 * there is one counter for a name, over all doors. Tries may run side by side, but those that end
 * when others have filled the row are told nothing. An administrator is never locked, but held up
 * as above, known addresses and all.
 *
 * A known address: one from which this account authenticated successfully in the last 30 days. It
 * has a counter of its own and is not held up by failures from elsewhere (PW-06).
 *
 * An address alone, over all names: THROTTLE_ADDRESS_FREE_COUNT failures in ten minutes, then
 * tries from it are refused with a time to wait. This one may be told to the client (429), as it
 * says nothing of any account. A reverse proxy that is not trusted makes all its users one
 * address: the documents say so.
 */
#ifndef JETON_ACCOUNT_THROTTLE_H
#define JETON_ACCOUNT_THROTTLE_H

#include "crypto/digest.h"
#include "store/tries.h"

enum {
    THROTTLE_DELAY_S_MAX = 900,
    THROTTLE_KNOWN_ADDRESS_S = 30 * 24 * 3600,
    THROTTLE_FREE_COUNT = 5,
    THROTTLE_FAILURE_COUNT_MAX = 100,
    THROTTLE_ADDRESS_FREE_COUNT = 300,
    THROTTLE_ADDRESS_WINDOW_S = 600,
    THROTTLE_LOCK_S_MAX = 30 * 24 * 3600 /* the store keeps a row of failures no longer */
};

/* What THROTTLE_FREE_COUNT failures in a row lead to. */
enum lockout_mode {
    LOCKOUT_THROTTLE, /* the delays above */
    LOCKOUT_TIMED,    /* no try is evaluated for a while, then the row begins anew */
    /* The account is disabled until an administrator enables it (Spectrum), and tries go on to be
     * held up by the delays above: else they would tell the password of a disabled account. */
    LOCKOUT_DISABLE
};

struct lockout {
    enum lockout_mode mode;
    int64_t duration_s; /* LOCKOUT_TIMED: 1 to THROTTLE_LOCK_S_MAX */
};

struct throttle_book;

/* store and key must outlive the book. Aborts when there is no memory. Usable from any thread. */
struct throttle_book *throttle_book_new(struct store *store, const struct hmac_key *key);

/* Before the book is used: other books count in the same store. As it is for a shared one. */
void throttle_set_shared(struct throttle_book *book);

/* Before the book is used; LOCKOUT_THROTTLE until then. */
void throttle_set_lockout(struct throttle_book *book, struct lockout lockout);
void throttle_book_free(struct throttle_book *book);

/* How tries ended, for the metrics. */
struct throttle_counts {
    uint64_t right;
    uint64_t wrong;
    uint64_t held_up;     /* not evaluated: the name was throttled or locked */
    uint64_t turned_away; /* not begun: the address was over its limit       */
};

void throttle_book_counts(const struct throttle_book *book, struct throttle_counts *out_counts);

/* What counts as one address: an IPv4 address, or the /64 that one host has to choose from. */
void throttle_fold_address(const unsigned char address[static 16],
                           unsigned char out_folded[static 16]);

/* One try under way; begun before hashing, ended or cancelled exactly once after it. */
struct throttle_try {
    unsigned char keys[THROTTLE_KEY_COUNT][DIGEST_BYTES];
    bool is_known_address;  /* then name and address are charged together, else the name */
    bool is_known_stale;    /* the known address's mark is missing or over a day old */
    bool has_name_failures; /* there is something to forget on success               */
    bool has_pair_failures;
    bool is_forgiven; /* the stored failures count no more: older than an unlock, or than the end of
                         a timed lock */
    bool is_exempt;   /* of lockouts */
    bool is_begun;
    bool is_refused; /* it may not be evaluated, and has not ended either */
    bool is_late; /* set by throttle_end and throttle_cancel: a lock came between beginning and end,
                     so whatever came out of the try is to be answered as RC_SPENT is; a success
                     has left everything as it was */
    int64_t begun_count; /* failures in a row when it began */
    bool is_locked_out;  /* set by throttle_end: this failure was the last of a row, and the mode is
                            LOCKOUT_DISABLE: the caller disables the account */
    int64_t minute;      /* it is counted in, where other processes count as well */
    int64_t begun_ms;    /* monotonic */
};

/*
 * Asks whether a try may be evaluated.
 *
 * name         as presented; folded here
 * address      16 bytes, as struct http_address
 * is_exempt    no lockout for this name, only delays: an administrator's, or no person's
 * out_wait_s   on RC_REFUSED for the address: seconds until the next try
 *
 * Answers: RC_OK evaluate it · RC_SPENT the name is throttled or locked: do the same work, but
 * treat the password as wrong (PW-07); both are to be ended · RC_REFUSED the address is over its
 * limit: say 429.  Faults: the store's
 */
enum rc throttle_begin(struct throttle_book *book, struct str name,
                       const unsigned char address[static 16], bool is_exempt, int64_t now,
                       struct throttle_try *out_try, int64_t *out_wait_s) MUST_CHECK;

/*
 * Ends a try that was begun, or was not to be evaluated and so has failed. At most three steps are
 * added to `unit`, which the caller commits together with the event or the tokens that the try led
 * to.
 *
 * Faults: the store's; RC_UNAVAILABLE also when it took longer than THROTTLE_TRY_S on a store that
 * is shared. Nothing is to be told of it then.
 */
enum rc throttle_end(struct throttle_book *book, struct throttle_try *try, bool has_succeeded,
                     int64_t now, struct store_unit *unit) MUST_CHECK;

/* Ends a try that was not evaluated (a fault), or of which nothing comes: it counts as nothing.
 * Faults: as above */
enum rc throttle_cancel(struct throttle_book *book, struct throttle_try *try,
                        int64_t now) MUST_CHECK;

enum {
    THROTTLE_MAIL_S = 3600,
    THROTTLE_MAIL_COUNT_MAX = 3,         /* that anybody can have sent to one person in that time */
    THROTTLE_MAIL_ADDRESS_COUNT_MAX = 30 /* that one address can ask for */
};

/*
 * Counts a mail that somebody who is not known asks for: two steps. Who asked for as many as may be
 * has to wait until an hour after the last one. The commit answers RC_TOO_LARGE when the address
 * has to wait, which may be told to it (THROTTLE_MAIL_S), and RC_SPENT when it is `whom`, which may
 * not.
 *
 * whom   whoever gets the mail, or would if there were such a one
 */
void throttle_count_mail(struct throttle_book *book, struct str whom,
                         const unsigned char address[static 16], int64_t now,
                         struct store_unit *unit);

enum {
    THROTTLE_GUESS_S = 300,
    THROTTLE_GUESS_COUNT_MAX = 9,           /* user codes that one person may try in that time */
    THROTTLE_GUESS_ADDRESS_COUNT_MAX = 100, /* and all persons at one address */
    THROTTLE_GUESS_OVERALL_COUNT_MAX = 2000 /* and everybody */
};

/*
 * Counts a try of a short code that anybody might guess, a device's (RFC 8628 5.1, DV-02): three
 * steps, before it is known whether the code is one. Right ones count as well: whoever has one of
 * their own must not win tries by it. The commit answers RC_TOO_LARGE to whoever has to wait until
 * THROTTLE_GUESS_S after the last one.
 *
 * whose   the account that is signed in
 */
void throttle_count_guess(struct throttle_book *book, struct str whose,
                          const unsigned char address[static 16], int64_t now,
                          struct store_unit *unit);

enum {
    THROTTLE_REGISTRATION_S = 3600,
    THROTTLE_REGISTRATION_COUNT_MAX = 60 /* tries to register a client, from one address */
};

/* Counts a client that somebody registers who is not known: one step. The commit answers
 * RC_TOO_LARGE when the address has to wait, until an hour after the last one. */
void throttle_count_registration(struct throttle_book *book, const unsigned char address[static 16],
                                 int64_t now, struct store_unit *unit);

enum {
    THROTTLE_REQUEST_S = 60,
    THROTTLE_REQUEST_COUNT_MAX = 1000 /* from one address in that time */
};

/*
 * Counts a request that is kept for a while though nobody has proven who asks: a public client's,
 * for a device or pushed. One step. What an address can have kept is bounded by it; a gateway with
 * many people behind it does not come near. The commit answers RC_TOO_LARGE to whoever has to wait,
 * at most THROTTLE_REQUEST_S.
 */
void throttle_count_request(struct throttle_book *book, const unsigned char address[static 16],
                            int64_t now, struct store_unit *unit);

/*
 * Forgets the failures of a name, those from its known addresses included (an administrator's
 * unlock). Adds at most two steps to `unit`.
 */
void throttle_unlock(struct throttle_book *book, struct str name, int64_t now,
                     struct store_unit *unit);

#endif
