/*
 * account/account.h: resource owners (RFC 6749 1.1): their names, passwords, and the check of both.
 *
 * What it does: says which names and passwords are allowed, makes accounts, changes passwords, and
 * checks a name with a password and, where the account has one, a second factor (account/factor.h).
 * What it does not: sessions, tokens.
 *
 * Everything that hashes takes tens of milliseconds and belongs on the hash lane (LANE_HASH of
 * http/http.h) or in the command line. All calls may come from any thread.
 */
#ifndef JETON_ACCOUNT_ACCOUNT_H
#define JETON_ACCOUNT_ACCOUNT_H

#include "account/factor.h"
#include "account/throttle.h"
#include "crypto/password.h"
#include "store/store.h"

/*
 * A name: 1 to ACCOUNT_NAME_BYTES_MAX bytes of UTF-8, no control characters, no space at either
 * end, no ':' (RFC 7617 2). RC_INVALID otherwise, with the reason in out_error.
 */
enum rc account_name_check(struct str name, struct buffer *out_error) MUST_CHECK;

/* An account by its id; RC_NOT_FOUND.  Faults: the store's */
enum rc account_find(struct store *store, int64_t account_id, struct arena *arena,
                     struct account *out_account) MUST_CHECK;

enum { ACCOUNT_PASSWORD_CHARACTERS_MIN = 15 }; /* without a second factor; PW-01 */

/*
 * What every password must be, whoever sets it: 1 to PASSWORD_BYTES_MAX bytes of UTF-8 without
 * control characters. An operator is held to no more. RC_INVALID otherwise, with the reason.
 */
enum rc account_password_check_text(const struct secret *password,
                                    struct buffer *out_error) MUST_CHECK;

/*
 * The policy for passwords that people choose for themselves: the above, and at least
 * ACCOUNT_PASSWORD_CHARACTERS_MIN characters; no rules of composition.
 *
 * Answers: RC_OK · RC_INVALID with the reason
 * Source:  NIST SP 800-63B-4 3.1.1.2
 */
enum rc account_password_check(const struct secret *password, struct buffer *out_error) MUST_CHECK;

/*
 * Makes an account with a hashed password, and an event. On a thread that may hash.
 *
 * draft        name, full_name, email, is_admin and created_at are read. Whoever calls vouches for
 *              the address
 * note         what the event says; its notice is not read
 *
 * Answers: RC_OK · RC_EXISTS the name is taken · RC_REFUSED the address is known to be another
 * account's · RC_INVALID; with out_error.  Faults: store, RC_CRYPTO
 */
enum rc account_create(struct store *store, const struct account *draft,
                       const struct secret *password, struct password_cost cost,
                       const struct act_note *note, int64_t *out_id,
                       struct buffer *out_error) MUST_CHECK;

/*
 * Replaces the password and ends the account's browser sessions, unfinished sign-ins too (SE-06).
 * Its living grants are the caller's to end (RT-10). On a thread that may hash.
 *
 * Answers: RC_OK · RC_NOT_FOUND · RC_INVALID with out_error.  Faults: store, RC_CRYPTO
 */
enum rc account_change_password(struct store *store, int64_t account_id,
                                const struct secret *password, struct password_cost cost,
                                const struct act_note *note, struct buffer *out_error) MUST_CHECK;

/* What a check needs. */
struct account_door {
    struct store *store;
    struct throttle_book *throttle;
    struct password_cost cost;
    struct factor_keys factor_keys;
};

/* Who wants to sign in, and with what. */
struct sign_in {
    struct str name;
    const struct secret *password;
    const struct str *code; /* of a second factor; NULL: none was sent */
    /* Whether this door can ask for a code as the second factor. A door that can ask for none of
     * those that an account has refuses it, like a wrong password. Recovery codes alone do not
     * count: they are in place of something that was lost. */
    bool asks_code;
    bool asks_passkey;            /* whether it can ask for a passkey as the second factor, too */
    const unsigned char *address; /* 16 bytes, as struct http_address */
    int64_t now;
};

/* Whatever comes after SIGN_IN_WRONG is only ever said to whoever knows the password. */
enum sign_in_verdict {
    SIGN_IN_OK,
    SIGN_IN_WAIT, /* the address must wait */
    SIGN_IN_WRONG,
    SIGN_IN_DISABLED, /* and so is this door's business to tell or not */
    SIGN_IN_CODE_MISSING,
    SIGN_IN_CODE_WRONG
};

struct sign_in_result {
    enum sign_in_verdict verdict;
    struct account account; /* SIGN_IN_OK, SIGN_IN_CODE_MISSING */
    const char *why;        /* static text, for the log alone */
    int64_t wait_s;         /* SIGN_IN_WAIT */
};

/*
 * Checks a sign-in; on the hash lane only.
 *
 * Unknown, wrong, locked, throttled, disabled and empty all do one hash's work and one commit
 * (PW-07). On a failure the counters and an event are committed here. On SIGN_IN_OK at most ten
 * steps are added to `unit`, which the caller has begun and commits: a commit that answers RC_SPENT
 * means that the same code was used a moment before, and is to be treated as SIGN_IN_CODE_WRONG. A
 * hash of too low a cost has been replaced already (PW-04). After any other verdict the unit is not
 * to be committed.
 *
 * Failures are counted under one name for all doors; those of codes under a name of their own
 * (PW-10), but against the same rules. Under LOCKOUT_DISABLE the last of a row disables the account
 * here and ends its browser sessions and grants, but never an administrator's.
 *
 * arena   for the account's strings
 *
 * Answers: RC_OK with out_result filled.  Faults: store, RC_CRYPTO
 */
enum rc account_authenticate(const struct account_door *door, const struct sign_in *sign_in,
                             struct arena *arena, struct store_unit *unit,
                             struct sign_in_result *out_result) MUST_CHECK;

/*
 * Checks the code alone, for an account whose password was right a while before: sign_in->code is
 * read, address and now. Unit and out_result as above; SIGN_IN_OK, _WAIT, _CODE_WRONG or
 * _CODE_MISSING. No hashing.
 *
 * Answers: RC_OK with out_result filled.  Faults: store, RC_CRYPTO
 */
enum rc account_authenticate_code(const struct account_door *door, const struct sign_in *sign_in,
                                  const struct account *account, struct arena *arena,
                                  struct store_unit *unit,
                                  struct sign_in_result *out_result) MUST_CHECK;

/* The failures of the name are forgotten, as somebody has signed in without its password just now;
 * unless others' failures hold it up. At most four steps are added to `unit`. */
enum rc account_forget_failures(const struct account_door *door, const struct account *account,
                                const unsigned char *address, int64_t now,
                                struct store_unit *unit) MUST_CHECK;

#endif
