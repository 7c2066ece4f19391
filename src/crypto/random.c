#include "crypto/random.h"

#include <errno.h>
#include <sys/random.h>

#include "base/rc.h"

void random_bytes(void *out_bytes, size_t len)
{
    unsigned char *at = out_bytes;

    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);

        if (got < 0 && errno == EINTR)
            continue;
        ASSERT(got > 0);
        at += got;
        len -= (size_t)got;
    }
}
