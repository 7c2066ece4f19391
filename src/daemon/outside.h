/*
 * daemon/outside.h: what the server asks other servers for, and whom it believes about its clients:
 * documents by the helper program, and clients' certificates.
 */
#ifndef JETON_DAEMON_OUTSIDE_H
#define JETON_DAEMON_OUTSIDE_H

#include "crypto/certificate.h"
#include "dialect/dialect.h"
#include "oauth/fetcher.h"

enum { OUTSIDE_HEADER_BYTES_MAX = 64, OUTSIDE_NETWORKS_BYTES_MAX = 1024 };

/* As jeton.yaml(5) has them; texts end with a NUL. */
struct outside_settings {
    struct dialect_texts client_listens; /* tls-client-listen             */
    struct str client_ca;                /* tls-client-ca                 */
    struct str certificate_header;       /* tls-client-certificate-header */
    struct dialect_texts networks;       /* fetch-network                 */
    struct str fetch_ca;                 /* fetch-ca-file                 */
};

struct outside {
    struct fetcher *fetcher;               /* NULL: nothing can be fetched */
    struct certificate_trust *trust;       /* NULL: no client CA           */
    char header[OUTSIDE_HEADER_BYTES_MAX]; /* in lower case; empty: none */
};

/*
 * Reads the files, and gets ready to fetch. A missing helper program is logged, and no reason not
 * to serve.
 *
 * out_outside   to be closed in any case
 *
 * Answers: RC_OK · RC_INVALID with one line in out_error
 */
enum rc outside_open(const struct outside_settings *settings, struct outside *out_outside,
                     struct buffer *out_error) MUST_CHECK;
void outside_close(struct outside *outside);

#endif
