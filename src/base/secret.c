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
    const volatile unsigned char *left = a;
    const volatile unsigned char *right = b;
    unsigned char difference = 0;

    for (size_t i = 0; i < len; i++)
        difference = (unsigned char)(difference | (left[i] ^ right[i]));
    return difference == 0;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
    return a->len == b->len && secret_bytes_equal(a->bytes, b->bytes, a->len);
}
