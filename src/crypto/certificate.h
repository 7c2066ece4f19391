/*
 * crypto/certificate.h: certificates that clients show (RFC 5280), as far as a token server asks.
 *
 * A certificate is DER bytes. Whether its chain is to be trusted is for a trust, which is read from
 * the operator's file of authorities; the questions about names and times can be asked of any.
 *
 * Threads: everything from any thread.
 */
#ifndef JETON_CRYPTO_CERTIFICATE_H
#define JETON_CRYPTO_CERTIFICATE_H

#include "base/buffer.h"
#include "base/rc.h"

enum { CERTIFICATE_BYTES_MAX = 16 * 1024 }; /* of DER */

enum certificate_name {
    CERTIFICATE_SUBJECT, /* the whole DN, as RFC 4514 writes it */
    CERTIFICATE_SAN_DNS, /* compared without case, as the next one's domain is not */
    CERTIFICATE_SAN_EMAIL,
    CERTIFICATE_SAN_URI,
    CERTIFICATE_SAN_IP /* the address, in any spelling */
};

/* Whether a certificate has exactly this name, whole and without patterns. */
bool certificate_has_name(struct str der, enum certificate_name kind, struct str name);

/* Whether it is one certificate, read to its last byte, in its time at `now` (RFC 5280 4.1.2.5). */
bool certificate_is_current(struct str der, int64_t now);

struct certificate_trust;

/*
 * Reads the authorities of a PEM file.
 *
 * out_error  one line that names the file
 *
 * Answers: RC_OK · RC_INVALID
 */
enum rc certificate_trust_new(const char *file, struct certificate_trust **out_trust,
                              struct buffer *out_error) MUST_CHECK;
/*
 * Reads the file again; what it says counts for every question from now on. When it is bad, what it
 * said before stays.
 *
 * Answers: as certificate_trust_new
 */
enum rc certificate_trust_reload(struct certificate_trust *trust,
                                 struct buffer *out_error) MUST_CHECK;
/* Takes NULL too. */
void certificate_trust_free(struct certificate_trust *trust);

/*
 * Whether a client's certificate ends in one of the authorities: signatures, times, constraints,
 * and a purpose that lets it authenticate clients (RFC 5280 4.2.1.12, 6). Without intermediates
 * beside those in the file.
 */
bool certificate_is_trusted(const struct certificate_trust *trust, struct str der);

/* The library's own store, for TLS: the one that counts now, which the caller releases with
 * X509_STORE_free. */
struct x509_store_st;
struct x509_store_st *certificate_trust_store(const struct certificate_trust *trust);

#endif
