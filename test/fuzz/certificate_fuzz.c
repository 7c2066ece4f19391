/*
 * Any bytes as a client's certificate, and any text as the name that it should have: the last bytes
 * of the input, as many as its first byte says; the second says of which kind.
 */
#include "crypto/certificate.h"
#include "crypto/digest.h"
#include "fuzz.h"

enum { SOME_TIME = 1800000000 };

/* What a certificate is said to be called, that text must say as a whole. */
static void check_name(struct str der, enum certificate_name kind, struct str name)
{
    char longer[256];

    if (name.len + 1 > sizeof(longer) || !certificate_has_name(der, kind, name))
        return;
    ASSERT(name.len > 0 && memchr(name.at, '\0', name.len) == NULL);
    memcpy(longer, name.at, name.len);
    longer[name.len] = 'x';
    ASSERT(kind == CERTIFICATE_SAN_IP ||
           !certificate_has_name(der, kind, (struct str){ longer, name.len + 1 }) ||
           !certificate_is_current(der, SOME_TIME));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str name = { NULL, size < 2 ? 0 : data[0] };
    struct str der;

    crypto_init();
    if (size < 2 || name.len > size - 2)
        return 0;
    der = fuzz_input(data + 2, size - 2 - name.len);
    name.at = der.at + der.len;
    (void)certificate_is_current(der, SOME_TIME);
    check_name(der, (enum certificate_name)(data[1] % (CERTIFICATE_SAN_IP + 1)), name);
    return 0;
}
