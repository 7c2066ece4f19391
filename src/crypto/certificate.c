#include "crypto/certificate.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

/* A store is never changed while somebody looks at it: another takes its place. */
struct current {
    pthread_mutex_t mutex;
    X509_STORE *store;
};

struct certificate_trust {
    struct current *current;
    char *file;
};

static X509 *parse(struct str der)
{
    const unsigned char *at = (const unsigned char *)der.at;
    X509 *certificate = NULL;

    if (der.len > 0 && der.len <= CERTIFICATE_BYTES_MAX)
        certificate = d2i_X509(NULL, &at, (long)der.len);
    if (certificate != NULL && at != (const unsigned char *)der.at + der.len) {
        X509_free(certificate);
        certificate = NULL;
    }
    ERR_clear_error();
    return certificate;
}

/* RFC 4514: attributes from the last to the first, what is special escaped, UTF-8 as it is. */
static bool has_subject(const X509 *certificate, struct str wanted)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *text = NULL;
    bool is_same = false;

    ASSERT(memory != NULL);
    if (X509_NAME_print_ex(memory, X509_get_subject_name(certificate), 0,
                           XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0) {
        long len = BIO_get_mem_data(memory, &text);

        is_same = len > 0 && str_equal((struct str){ text, (size_t)len }, wanted);
    }
    BIO_free(memory);
    return is_same;
}

/* A mailbox: its domain without regard to case (RFC 5280 4.2.1.6). */
static bool is_same_email(struct str a, struct str b)
{
    size_t at = str_index_of(a, '@');

    return at < a.len && a.len == b.len &&
           str_equal((struct str){ a.at, at }, (struct str){ b.at, at }) &&
           str_equal_nocase(str_from(a, at), str_from(b, at));
}

static bool is_same_address(struct str bytes, struct str text)
{
    unsigned char address[16];
    char copy[INET6_ADDRSTRLEN];
    int family = bytes.len == 4 ? AF_INET : AF_INET6;

    if ((bytes.len != 4 && bytes.len != 16) || text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    return inet_pton(family, copy, address) == 1 &&
           str_equal(bytes, (struct str){ (const char *)address, bytes.len });
}

static bool is_same_name(const GENERAL_NAME *name, enum certificate_name kind, struct str wanted)
{
    static const int types[] = { [CERTIFICATE_SUBJECT] = -1,
                                 [CERTIFICATE_SAN_DNS] = GEN_DNS,
                                 [CERTIFICATE_SAN_EMAIL] = GEN_EMAIL,
                                 [CERTIFICATE_SAN_URI] = GEN_URI,
                                 [CERTIFICATE_SAN_IP] = GEN_IPADD };
    int type = 0;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    struct str text;

    if (type != types[kind] || value == NULL)
        return false;
    text = (struct str){ (const char *)ASN1_STRING_get0_data(value),
                         (size_t)ASN1_STRING_length(value) };
    if (kind == CERTIFICATE_SAN_DNS)
        return str_equal_nocase(text, wanted);
    if (kind == CERTIFICATE_SAN_EMAIL)
        return is_same_email(text, wanted);
    if (kind == CERTIFICATE_SAN_IP)
        return is_same_address(text, wanted);
    return str_equal(text, wanted);
}

static bool has_alternative(const X509 *certificate, enum certificate_name kind, struct str wanted)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    bool has = false;

    for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names) && !has; i++)
        has = is_same_name(sk_GENERAL_NAME_value(names, i), kind, wanted);
    GENERAL_NAMES_free(names);
    return has;
}

bool certificate_has_name(struct str der, enum certificate_name kind, struct str name)
{
    X509 *certificate = parse(der);
    bool has;

    if (certificate == NULL || name.len == 0) {
        X509_free(certificate);
        return false;
    }
    has = kind == CERTIFICATE_SUBJECT ? has_subject(certificate, name)
                                      : has_alternative(certificate, kind, name);
    X509_free(certificate);
    ERR_clear_error();
    return has;
}

bool certificate_is_current(struct str der, int64_t now)
{
    X509 *certificate = parse(der);
    time_t moment = (time_t)now;
    bool is_current;

    is_current = certificate != NULL &&
                 X509_cmp_time(X509_get0_notBefore(certificate), &moment) < 0 &&
                 X509_cmp_time(X509_get0_notAfter(certificate), &moment) > 0;
    X509_free(certificate);
    ERR_clear_error();
    return is_current;
}

/* NULL and one line in out_error when that is no such file. */
static X509_STORE *read_store(const char *file, struct buffer *out_error)
{
    X509_STORE *store;

    ERR_clear_error();
    store = X509_STORE_new();
    ASSERT(store != NULL);
    if (X509_STORE_load_file(store, file) == 1)
        return store;
    ERR_clear_error();
    X509_STORE_free(store);
    buffer_append_format(out_error, "TLS: %s: no file of certificates in PEM", file);
    return NULL;
}

enum rc certificate_trust_new(const char *file, struct certificate_trust **out_trust,
                              struct buffer *out_error)
{
    X509_STORE *store = read_store(file, out_error);
    struct certificate_trust *trust;

    if (store == NULL)
        return RC_INVALID;
    trust = calloc(1, sizeof(*trust));
    ASSERT(trust != NULL);
    trust->file = strdup(file);
    trust->current = calloc(1, sizeof(*trust->current));
    ASSERT(trust->file != NULL && trust->current != NULL);
    pthread_mutex_init(&trust->current->mutex, NULL);
    trust->current->store = store;
    *out_trust = trust;
    return RC_OK;
}

enum rc certificate_trust_reload(struct certificate_trust *trust, struct buffer *out_error)
{
    X509_STORE *fresh = read_store(trust->file, out_error);
    X509_STORE *stale;

    if (fresh == NULL)
        return RC_INVALID;
    pthread_mutex_lock(&trust->current->mutex);
    stale = trust->current->store;
    trust->current->store = fresh;
    pthread_mutex_unlock(&trust->current->mutex);
    X509_STORE_free(stale);
    return RC_OK;
}

void certificate_trust_free(struct certificate_trust *trust)
{
    if (trust == NULL)
        return;
    X509_STORE_free(trust->current->store);
    pthread_mutex_destroy(&trust->current->mutex);
    free(trust->current);
    free(trust->file);
    free(trust);
}

struct x509_store_st *certificate_trust_store(const struct certificate_trust *trust)
{
    X509_STORE *store;

    pthread_mutex_lock(&trust->current->mutex);
    store = trust->current->store;
    ASSERT(X509_STORE_up_ref(store) == 1);
    pthread_mutex_unlock(&trust->current->mutex);
    return store;
}

bool certificate_is_trusted(const struct certificate_trust *trust, struct str der)
{
    X509 *certificate = parse(der);
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509_STORE *store = certificate_trust_store(trust);
    bool is_trusted;

    ASSERT(context != NULL);
    is_trusted =
        certificate != NULL && X509_STORE_CTX_init(context, store, certificate, NULL) == 1 &&
        X509_STORE_CTX_set_default(context, "ssl_client") == 1 && X509_verify_cert(context) == 1;
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    X509_free(certificate);
    ERR_clear_error();
    return is_trusted;
}
