#include "base/secret.h"

#include <string.h>

enum rc secret_set(struct secret *secret, struct str view)
{
    if (view.len > SECRET_BYTES_MAX)
        return RC_TOO_LARGE;
    if (view.len > 0)
        memcpy(secret->bytes, view.at, view.len);
    secret->len = view.len;
    return RC_OK;
}

void secret_wipe(struct secret *secret)
{
    /* All of it: a longer value may have stood here before. */
    explicit_bzero(secret->bytes, sizeof(secret->bytes));
    secret->len = 0;
}

bool secret_bytes_equal(const void *a, const void *b, size_t len)
{
    const unsigned char *left = a;
    const unsigned char *right = b;
    uint64_t difference = 0;

    for (; len >= sizeof(uint64_t); len -= sizeof(uint64_t)) {
        uint64_t x;
        uint64_t y;

        memcpy(&x, left, sizeof(x));
        memcpy(&y, right, sizeof(y));
        left += sizeof(x);
        right += sizeof(y);
        difference |= x ^ y;
        /* Keeps the compiler from leaving early once a difference is known. */
        __asm__ volatile("" : "+r"(difference));
    }
    for (; len > 0; len--) {
        difference |= (uint64_t)(*left++ ^ *right++);
        __asm__ volatile("" : "+r"(difference));
    }
    return difference == 0;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
    return a->len == b->len && secret_bytes_equal(a->bytes, b->bytes, a->len);
}
