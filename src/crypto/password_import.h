/*
 * crypto/password_import.h: password hashes that other servers made.
 *
 * crypt(3) strings: bcrypt ($2a$, $2b$, $2y$), SHA-crypt ($5$, $6$) and yescrypt ($y$); PHC strings
 * (with "i=", "ln=" and so on) of PBKDF2 with SHA-256 or SHA-512, and of scrypt; salted SHA of
 * LDAP ({SSHA}, {SSHA256}, {SSHA512}), which is no more than a digest. They are checked,
 * never made, and replaced at the next login. Costs that would hold up the server are refused. Used
 * by crypto/password.c only.
 */
#ifndef JETON_CRYPTO_PASSWORD_IMPORT_H
#define JETON_CRYPTO_PASSWORD_IMPORT_H

#include "base/rc.h"
#include "base/secret.h"
#include "base/str.h"

/*
 * Checks a password against an imported hash.
 *
 * stored_hash  shorter than PASSWORD_HASH_BYTES_MAX
 *
 * Answers: RC_OK it matches · RC_REFUSED it does not, or the hash is of no known kind or too dear
 * Faults:  RC_CRYPTO no memory
 * Source:  RFC 8018 5.2 (PBKDF2); RFC 7914 (scrypt); crypt(5)
 */
enum rc password_import_verify(const struct secret *password, struct str stored_hash) MUST_CHECK;

/* Whether that could ever be RC_OK: of a known kind, whole, and not too dear. */
bool password_import_is_known(struct str stored_hash);

#endif
