/*
 * crypto/random.h: random bytes from the kernel.
 *
 * getrandom(2): no state in the process, safe after fork, no lock. A kernel that cannot answer
 * aborts the process: there is no token without randomness.
 */
#ifndef JETON_CRYPTO_RANDOM_H
#define JETON_CRYPTO_RANDOM_H

#include <stddef.h>

void random_bytes(void *out_bytes, size_t len);

#endif
