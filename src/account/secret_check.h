/*
 * account/secret_check.h: secrets of clients and services (RFC 6749 2.3.1).
 *
 * Two forms are stored. "hmac:<64 hex digits>": a secret that Jeton made itself (128 random bits or
 * more), kept as a keyed hash. "$argon2id$…": a secret that an operator chose; it is checked with
 * Argon2id once. A secret of either form that was right is remembered as a keyed hash in the
 * catalog's entry (struct secret_memory), so that later checks cost a fraction of a microsecond.
 *
 * Every failed check costs one password hash, whether the client exists or not (CA-05): a check
 * that would fail off the hash lane answers RC_WOULD_BLOCK, and the caller moves there.
 */
#ifndef JETON_ACCOUNT_SECRET_CHECK_H
#define JETON_ACCOUNT_SECRET_CHECK_H

#include "base/secret.h"
#include "crypto/digest.h"
#include "crypto/password.h"
#include "store/catalog.h"

struct secret_checker {
    const struct hmac_key *memory_key; /* random per process: for struct secret_memory     */
    const struct hmac_key *stored_key; /* from the store's sealed values: for "hmac:" forms */
    struct password_cost cost;
};

/* A stored form, and the catalog entry's memory of it; NULL where there is no entry. */
struct secret_form {
    struct str stored_hash;
    struct secret_memory *memory;
};

/*
 * Checks a presented secret against a stored form. stored_hash empty (unknown or secretless
 * client): fails, at the same cost.
 *
 * memory         the catalog entry's; NULL when there is no entry
 * may_hash       true on the hash lane (or in a test)
 *
 * Answers: RC_OK · RC_REFUSED wrong (only when may_hash) · RC_WOULD_BLOCK ask again where hashing
 * may be done.  Faults: RC_CRYPTO
 */
enum rc secret_check(const struct secret_checker *checker, const struct secret *presented,
                     struct str stored_hash, struct secret_memory *memory,
                     bool may_hash) MUST_CHECK;

/*
 * The same where the secret before is good for a while yet. At most one of the two may be the form
 * of a chosen secret (secret_may_overlap), so that a wrong one costs one hash here as well.
 *
 * previous    an empty stored_hash: there is none
 */
enum rc secret_check_either(const struct secret_checker *checker, const struct secret *presented,
                            const struct secret_form *current, const struct secret_form *previous,
                            bool may_hash) MUST_CHECK;

/* Whether the stored form is a chosen secret's, which takes a password hash to check. */
bool secret_is_chosen(struct str stored_hash);

/* Whether the two may be good at the same time: not both are chosen (CA-05). */
bool secret_may_overlap(struct str stored_hash, struct str previous_hash);

/* The name under which failures of a client or service are counted (account/throttle.h): account
 * names hold no colon, so the two never meet. In the arena. */
struct str secret_throttle_name(struct arena *arena, struct str id);

/* The stored form of a secret that Jeton made: "hmac:…" and a NUL. */
void secret_store_made(const struct secret_checker *checker, const struct secret *secret,
                       char out_hash[static PASSWORD_HASH_BYTES_MAX]);

#endif
