/*
 * account/factor.h: second factors: TOTP (RFC 6238) and recovery codes. Passkeys are factors too,
 * with names and times from here, but are made and checked in account/passkey_factor.h.
 *
 * A TOTP secret is made here, shown once as an otpauth URI, and kept sealed under the master key. A
 * code is good for its own time step and its two neighbours, and a step once used is used up, also
 * for the codes before it (RFC 6238 5.2). Recovery codes are ten random texts of 130 bits, kept as
 * keyed hashes, each good once in place of a code (PW-11).
 *
 * All calls may come from any thread; none hashes a password.
 */
#ifndef JETON_ACCOUNT_FACTOR_H
#define JETON_ACCOUNT_FACTOR_H

#include "account/notice.h"
#include "crypto/digest.h"
#include "store/store.h"

/* Both must outlive their users. */
struct factor_keys {
    const unsigned char *master_key; /* SEAL_KEY_BYTES: seals the secrets         */
    const struct hmac_key *code_key; /* hashes recovery codes, makes user handles */
};

enum {
    FACTOR_URI_BYTES_MAX = 2048,
    FACTOR_KEY_TEXT_BYTES = 32, /* 160 bits as base 32 */
    FACTOR_ENROLMENT_BYTES_MAX = 80,
    FACTOR_DRAFT_S = 900, /* to find the device and scan */
    /* Of a key that was made elsewhere: RFC 4226 4, R6; the block of HMAC-SHA-1. */
    FACTOR_SECRET_BYTES_MIN = 16,
    FACTOR_SECRET_BYTES_MAX = 64,
    /* "ABCDE-FGHIJ-…": 26 letters and digits of base 32 in groups of five or six, and dashes. */
    RECOVERY_CODE_TEXT_BYTES = 30
};

/*
 * Enrols a new TOTP factor, and ends the account's browser sessions (SE-06).
 *
 * issuer    what an authenticator shows above the name
 * out_uri   appended: otpauth://totp/ISSUER:NAME?secret=…&issuer=…, to be shown once; a secret.
 *           (Key URI format of authenticator programs: SHA1, 6 digits, 30 seconds are its defaults
 *           and named all the same.)
 *
 * Answers: RC_OK · RC_EXISTS the account has FACTOR_COUNT_MAX factors.  Faults: store, RC_CRYPTO
 */
enum rc factor_enrol_totp(const struct factor_keys *keys, struct store *store,
                          const struct account *account, struct str issuer, struct str name,
                          const struct act_note *note, struct buffer *out_uri) MUST_CHECK;

/* A TOTP key that was made elsewhere (SHA-1, 6 digits, 30 seconds): its bytes. */
struct factor_secret {
    struct str name;
    struct str secret; /* FACTOR_SECRET_BYTES_MIN to FACTOR_SECRET_BYTES_MAX */
};

/*
 * Puts one into the unit that its account is made in. Takes one step of it.
 *
 * arena    what the unit refers to is put there: reset it only after store_commit
 */
enum rc factor_put_totp(const struct factor_keys *keys, struct store *store, int64_t account_id,
                        const struct factor_secret *totp, int64_t now, struct arena *arena,
                        struct store_unit *unit) MUST_CHECK;

/*
 * Begins an enrolment by the owner: nothing is stored until a first code has proved that the app
 * works. The form carries the secret, sealed for this account.
 *
 * out_enrolment   appended: letters, digits, '-' and '_'; FACTOR_ENROLMENT_BYTES_MAX
 */
enum rc factor_draft_totp(const struct factor_keys *keys, const struct account *account,
                          int64_t now, struct buffer *out_enrolment) MUST_CHECK;

/*
 * What the owner has to see of it: out_uri as above, and out_key, the key's letters alone
 * (FACTOR_KEY_TEXT_BYTES); both appended, both secrets.
 *
 * Answers: RC_OK · RC_NOT_FOUND not ours, not this account's, or older than FACTOR_DRAFT_S
 */
enum rc factor_show_draft(const struct factor_keys *keys, const struct account *account,
                          struct str issuer, struct str enrolment, int64_t now,
                          struct buffer *out_uri, struct buffer *out_key) MUST_CHECK;

struct factor_confirmation {
    int64_t account_id;
    int64_t session_id; /* the one browser session that goes on */
    struct str enrolment;
    struct str name;
    struct str code;
    const unsigned char *address; /* as of struct act_note, and so are those below */
    const struct mail *notice;
};

/*
 * Stores the factor when the code is right, and ends the account's other browser sessions (SE-06).
 * The same again is fine, and stores nothing.
 *
 * Answers: RC_OK · RC_NOT_FOUND as above · RC_REFUSED the code is wrong · RC_EXISTS as above
 */
enum rc factor_confirm_totp(const struct factor_keys *keys, struct store *store,
                            const struct factor_confirmation *confirmation, int64_t now) MUST_CHECK;

struct factor_removal {
    int64_t account_id;
    int64_t factor_id;
    int64_t session_id; /* the one browser session that goes on; 0: none */
    const unsigned char *address;
    const struct mail *notice;
    struct str detail; /* the event's; empty: by its owner */
};

/* Removes one of several factors, and ends the account's browser sessions but one (SE-06).
 * RC_NOT_FOUND when it is not this account's, or the only one left: that is for
 * profile_remove_last_factor. */
enum rc factor_remove(struct store *store, const struct factor_removal *removal,
                      int64_t now) MUST_CHECK;

/* RC_NOT_FOUND when it is not this account's. */
enum rc factor_rename(struct store *store, int64_t account_id, int64_t factor_id, struct str name,
                      const unsigned char *address, int64_t now) MUST_CHECK;

/*
 * Replaces an account's recovery codes.
 *
 * out_codes   appended: RECOVERY_CODE_COUNT lines; secrets, to be shown once
 */
enum rc factor_make_recovery_codes(const struct factor_keys *keys, struct store *store,
                                   int64_t account_id, const struct act_note *note,
                                   struct buffer *out_codes) MUST_CHECK;

/* Removes every second factor and every recovery code of an account, with an event, and ends its
 * browser sessions (SE-06). */
enum rc factor_remove_all(struct store *store, int64_t account_id,
                          const struct act_note *note) MUST_CHECK;

/*
 * Checks a code against the account's factors, then against its recovery codes. Digits may have
 * spaces between them; recovery codes are read without regard to case, spaces and dashes.
 *
 * unit   on RC_OK gets the one step that uses the code up: its commit answers RC_SPENT when
 *        somebody else was quicker; and an event where it was a recovery code
 *
 * Answers: RC_OK · RC_REFUSED wrong, too early, too late, or used.  Faults: store, RC_CRYPTO,
 * RC_CORRUPT a secret cannot be unsealed
 */
enum rc factor_check(const struct factor_keys *keys, struct store *store, int64_t account_id,
                     struct str code, const unsigned char *address, int64_t now,
                     struct store_unit *unit) MUST_CHECK;

/* The name under which wrong codes are counted (account/throttle.h): account names hold no colon,
 * so it is no account's. In the arena. */
struct str factor_throttle_name(struct arena *arena, int64_t account_id);

#endif
