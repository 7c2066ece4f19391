/*
 * crypto/password.h: password hashes (Argon2id, RFC 9106; PHC string format).
 *
 * Each call takes tens of milliseconds and `memory_kib` of memory: call it on the hash lane only.
 */
#ifndef JETON_CRYPTO_PASSWORD_H
#define JETON_CRYPTO_PASSWORD_H

#include "base/rc.h"
#include "base/secret.h"
#include "base/str.h"

enum { PASSWORD_HASH_BYTES_MAX = 256 };

/* What a hash may ask for, our own or an imported one: about two seconds of one core. */
enum {
    PASSWORD_MEMORY_KIB_MAX = 256 * 1024,
    PASSWORD_PASSES_MAX = 32,
    PASSWORD_WORK_KIB_MAX = 1024 * 1024 /* memory times passes */
};

struct password_cost {
    unsigned memory_kib; /* 19456 or more in production, at most PASSWORD_MEMORY_KIB_MAX */
    unsigned passes;     /* 2 or more in production, at most PASSWORD_PASSES_MAX         */
};

/* OWASP's floor and our default: 19 MiB, 2 passes, 1 lane. */
#define PASSWORD_COST_DEFAULT ((struct password_cost){ 19456, 2 })

/*
 * A new hash with a random salt, as a NUL-terminated PHC string.
 *
 * Faults: RC_CRYPTO no memory, or a cost beyond the limits
 * Source: RFC 9106; OWASP Password Storage
 */
enum rc password_hash(const struct secret *password, struct password_cost cost,
                      char out_hash[static PASSWORD_HASH_BYTES_MAX]) MUST_CHECK;

/*
 * Checks a password against a stored hash: Argon2id, or one that crypto/password_import.h names.
 *
 * Answers: RC_OK it matches · RC_REFUSED it does not, or the hash is of no known kind or too dear
 * Faults:  RC_CRYPTO
 */
enum rc password_verify(const struct secret *password, struct str stored_hash) MUST_CHECK;

/* Whether password_verify could ever say yes to it. */
bool password_is_known(struct str stored_hash);

/* Does the same work as password_verify for an account that does not exist (PW-07), with the cost
 * that new hashes have. */
void password_verify_nothing(const struct secret *password, struct password_cost cost);

/* True when the stored hash is of another kind or weaker than cost: hash again at login. */
bool password_needs_upgrade(struct str stored_hash, struct password_cost cost);

#endif
