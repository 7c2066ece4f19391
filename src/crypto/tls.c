#include "crypto/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "crypto/random.h"

enum {
    TICKET_NAME_BYTES = 16,
    TICKET_KEY_BYTES = 32,
    TICKET_KEY_LIFETIME_S = 12 * 3600 /* then it opens tickets for as long again */
};

/* What session tickets are sealed with: lives in memory only. */
struct ticket_key {
    unsigned char name[TICKET_NAME_BYTES];
    unsigned char cipher_key[TICKET_KEY_BYTES];
    unsigned char mac_key[TICKET_KEY_BYTES];
    int64_t made_at_ms; /* monotonic; 0: no key */
};

/* Belongs to an SSL_CTX, which lives on in its streams when the context has been replaced. */
struct ticket_keys {
    pthread_mutex_t mutex;
    struct ticket_key current;
    struct ticket_key previous;
};

struct tls_context {
    SSL_CTX *ssl_ctx; /* each stream holds a reference of its own */
};

static pthread_once_t index_once = PTHREAD_ONCE_INIT;
static int ticket_keys_index;

struct tls_stream {
    SSL *ssl;
};

/* One line that names the file; the library's own words at its end when it has some. */
static enum rc fail(struct buffer *out_error, const char *file, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);

    buffer_append_format(out_error, "TLS: %s: %s", file, what);
    if (reason != NULL)
        buffer_append_format(out_error, " (%s)", reason);
    ERR_clear_error();
    return RC_INVALID;
}

/* Without this, the library would ask for a passphrase on the terminal. */
static int no_passphrase(char *out_text, int size, int is_writing, void *context)
{
    (void)out_text;
    (void)size;
    (void)is_writing;
    (void)context;
    return -1;
}

static enum rc read_key(const char *file, EVP_PKEY **out_key, struct buffer *out_error)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    struct stat status;
    EVP_PKEY *key = NULL;
    BIO *bio;

    if (fd < 0 || fstat(fd, &status) != 0) {
        buffer_append_format(out_error, "TLS: %s: %s", file, strerror(errno));
        if (fd >= 0)
            close(fd);
        return RC_INVALID;
    }
    if ((status.st_mode & (S_IROTH | S_IWOTH)) != 0) {
        close(fd);
        return fail(out_error, file, "everyone may read or write this key: chmod o-rw it");
    }
    bio = BIO_new_fd(fd, BIO_CLOSE);
    if (bio == NULL)
        close(fd);
    else
        key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    if (key == NULL)
        return fail(out_error, file, "no private key in PEM without a passphrase");
    *out_key = key;
    return RC_OK;
}

static bool is_fresh(const struct ticket_key *key, int64_t now_ms, int64_t lifetime_s)
{
    return key->made_at_ms != 0 && now_ms - key->made_at_ms < lifetime_s * 1000;
}

/* The key to seal with; a new one when the old one has served its time. */
static struct ticket_key sealing_key(struct ticket_keys *keys)
{
    int64_t now_ms = clock_monotonic_ms();
    struct ticket_key key;

    pthread_mutex_lock(&keys->mutex);
    if (!is_fresh(&keys->current, now_ms, TICKET_KEY_LIFETIME_S)) {
        keys->previous = keys->current;
        random_bytes(&keys->current, sizeof(keys->current));
        keys->current.made_at_ms = now_ms;
    }
    key = keys->current;
    pthread_mutex_unlock(&keys->mutex);
    return key;
}

/* False when no key of that name is in use; *out_is_old asks for a new ticket. */
static bool find_opening_key(struct ticket_keys *keys, const unsigned char *name,
                             struct ticket_key *out_key, bool *out_is_old)
{
    int64_t now_ms = clock_monotonic_ms();
    bool is_found = false;

    pthread_mutex_lock(&keys->mutex);
    for (int old = 0; old < 2 && !is_found; old++) {
        const struct ticket_key *key = old == 0 ? &keys->current : &keys->previous;

        is_found = is_fresh(key, now_ms, 2 * (int64_t)TICKET_KEY_LIFETIME_S) &&
                   memcmp(key->name, name, TICKET_NAME_BYTES) == 0;
        if (is_found) {
            *out_key = *key;
            *out_is_old = !is_fresh(key, now_ms, TICKET_KEY_LIFETIME_S);
        }
    }
    pthread_mutex_unlock(&keys->mutex);
    return is_found;
}

/* RFC 9325 3.4: ticket keys are changed, or forward secrecy ends with the process. */
static int seal_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                       EVP_MAC_CTX *mac, int is_sealing)
{
    struct ticket_keys *keys = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ticket_keys_index);
    char digest[] = "SHA256";
    struct ticket_key key;
    OSSL_PARAM params[3];
    bool is_old = false;
    bool is_set;

    if (is_sealing) {
        key = sealing_key(keys);
        memcpy(name, key.name, TICKET_NAME_BYTES);
        random_bytes(iv, (size_t)EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()));
    } else if (!find_opening_key(keys, name, &key, &is_old)) {
        return 0; /* a full handshake */
    }
    params[0] =
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac_key, TICKET_KEY_BYTES);
    params[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
    params[2] = OSSL_PARAM_construct_end();
    is_set =
        EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher_key, iv, is_sealing) == 1 &&
        EVP_MAC_CTX_set_params(mac, params) == 1;
    OPENSSL_cleanse(&key, sizeof(key));
    if (!is_set)
        return -1;
    return is_old ? 2 : 1;
}

static void free_ticket_keys(void *parent, void *keys_pointer, CRYPTO_EX_DATA *data, int index,
                             long argument, void *context)
{
    struct ticket_keys *keys = keys_pointer;

    (void)parent;
    (void)data;
    (void)index;
    (void)argument;
    (void)context;
    if (keys == NULL)
        return;
    pthread_mutex_destroy(&keys->mutex);
    explicit_bzero(keys, sizeof(*keys));
    free(keys);
}

static void make_index(void)
{
    ticket_keys_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_ticket_keys);
    ASSERT(ticket_keys_index >= 0);
}

static bool set_up_tickets(SSL_CTX *ssl_ctx)
{
    struct ticket_keys *keys = calloc(1, sizeof(*keys));

    ASSERT(keys != NULL);
    pthread_once(&index_once, make_index);
    pthread_mutex_init(&keys->mutex, NULL);
    if (SSL_CTX_set_ex_data(ssl_ctx, ticket_keys_index, keys) != 1) {
        free(keys);
        return false;
    }
    return SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl_ctx, seal_ticket) == 1 &&
           SSL_CTX_set_num_tickets(ssl_ctx, 1) == 1;
}

/* RFC 7301 3.2: the one protocol spoken here, or a fatal no_application_protocol. */
static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *context)
{
    static const unsigned char OURS[] = "\x08http/1.1";
    unsigned char *chosen;

    (void)ssl;
    (void)context;
    if (SSL_select_next_proto(&chosen, out_len, OURS, sizeof(OURS) - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/*
 * RFC 8705 2.2: a certificate may be one that signed itself, so that none ends the handshake. The
 * verdict on the chain stands in the context, from where the library takes it into the session.
 */
static int judge_chain(X509_STORE_CTX *chain, void *context)
{
    (void)context;
    (void)X509_verify_cert(chain);
    ERR_clear_error();
    return 1;
}

/* RFC 9325 3.1, 3.3, 3.5, 4.1: versions, no compression or renegotiation, forward secrecy, AEAD. */
static bool set_up(SSL_CTX *ssl_ctx)
{
    static const unsigned char SESSION_CONTEXT[] = "jeton";
    char groups[] = "X25519:P-256:P-384"; /* the macro takes no const */

    SSL_CTX_set_options(ssl_ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ssl_ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_OFF); /* tickets only */
    SSL_CTX_set_alpn_select_cb(ssl_ctx, select_protocol, NULL);
    SSL_CTX_set_default_passwd_cb(ssl_ctx, no_passphrase);
    SSL_CTX_set_cert_verify_callback(ssl_ctx, judge_chain, NULL);
    SSL_CTX_set_max_cert_list(ssl_ctx, 2 * CERTIFICATE_BYTES_MAX);
    SSL_CTX_set_read_ahead(ssl_ctx, 1); /* one recv for a record, not one for its header too */
    return SSL_CTX_set_min_proto_version(ssl_ctx, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ssl_ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
           SSL_CTX_set_ciphersuites(ssl_ctx, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                             "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
           SSL_CTX_set1_groups_list(ssl_ctx, groups) == 1 && set_up_tickets(ssl_ctx) &&
           SSL_CTX_set_session_id_context(ssl_ctx, SESSION_CONTEXT, sizeof(SESSION_CONTEXT) - 1) ==
               1;
}

static enum rc load(SSL_CTX *ssl_ctx, const char *certificate_file, const char *key_file,
                    struct buffer *out_error)
{
    EVP_PKEY *key;
    enum rc rc;
    bool fits;

    if (!set_up(ssl_ctx))
        return fail(out_error, certificate_file, "the crypto library refuses our settings");
    if (access(certificate_file, R_OK) != 0) {
        buffer_append_format(out_error, "TLS: %s: %s", certificate_file, strerror(errno));
        return RC_INVALID;
    }
    if (SSL_CTX_use_certificate_chain_file(ssl_ctx, certificate_file) != 1)
        return fail(out_error, certificate_file, "no certificate chain in PEM");
    rc = read_key(key_file, &key, out_error);
    if (rc != RC_OK)
        return rc;
    fits = SSL_CTX_use_PrivateKey(ssl_ctx, key) == 1 && SSL_CTX_check_private_key(ssl_ctx) == 1;
    EVP_PKEY_free(key);
    return fits ? RC_OK : fail(out_error, key_file, "the key does not fit the certificate");
}

enum rc tls_context_new(const char *certificate_file, const char *key_file,
                        struct tls_context **out_context, struct buffer *out_error)
{
    struct tls_context *context = calloc(1, sizeof(*context));
    enum rc rc;

    ASSERT(context != NULL);
    ERR_clear_error();
    context->ssl_ctx = SSL_CTX_new(TLS_server_method());
    if (context->ssl_ctx == NULL)
        rc = fail(out_error, certificate_file, "no TLS context");
    else
        rc = load(context->ssl_ctx, certificate_file, key_file, out_error);
    if (rc != RC_OK) {
        tls_context_free(context);
        return rc;
    }
    *out_context = context;
    return RC_OK;
}

int64_t tls_context_expires_at(const struct tls_context *context)
{
    const X509 *certificate = SSL_CTX_get0_certificate(context->ssl_ctx);
    struct tm at = { 0 };

    if (certificate == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &at) != 1)
        return 0;
    return timegm(&at);
}

void tls_context_trust(struct tls_context *context, const struct certificate_trust *trust)
{
    /* The context takes over what this owns. */
    ASSERT(SSL_CTX_set0_verify_cert_store(context->ssl_ctx, certificate_trust_store(trust)) == 1);
}

void tls_context_free(struct tls_context *context)
{
    if (context == NULL)
        return;
    SSL_CTX_free(context->ssl_ctx);
    free(context);
}

enum rc tls_stream_new(struct tls_context *context, int fd, struct tls_stream **out_stream)
{
    struct tls_stream *stream = calloc(1, sizeof(*stream));

    ASSERT(stream != NULL);
    stream->ssl = SSL_new(context->ssl_ctx);
    if (stream->ssl == NULL || SSL_set_fd(stream->ssl, fd) != 1) {
        tls_stream_free(stream);
        ERR_clear_error();
        return RC_CRYPTO;
    }
    SSL_set_accept_state(stream->ssl);
    *out_stream = stream;
    return RC_OK;
}

void tls_stream_free(struct tls_stream *stream)
{
    if (stream == NULL)
        return;
    SSL_free(stream->ssl);
    free(stream);
}

static enum tls_progress progress_of(struct tls_stream *stream, int result)
{
    if (result > 0)
        return TLS_DONE;
    switch (SSL_get_error(stream->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return TLS_WANTS_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANTS_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_CLOSED;
    default:
        ERR_clear_error();
        return TLS_FAILED;
    }
}

void tls_stream_ask_certificate(struct tls_stream *stream)
{
    /* Tickets of listeners that do not ask are good for nothing here. */
    static const unsigned char SESSION_CONTEXT[] = "jeton clients";

    SSL_set_verify(stream->ssl, SSL_VERIFY_PEER, NULL);
    ASSERT(SSL_set_session_id_context(stream->ssl, SESSION_CONTEXT, sizeof(SESSION_CONTEXT) - 1) ==
           1);
}

enum rc tls_stream_certificate(const struct tls_stream *stream, struct buffer *out_der,
                               bool *out_is_trusted)
{
    X509 *certificate = SSL_get0_peer_certificate(stream->ssl);
    unsigned char *at = (unsigned char *)out_der->at + out_der->len;
    int len = certificate == NULL ? 0 : i2d_X509(certificate, NULL);

    if (certificate == NULL)
        return RC_NOT_FOUND;
    if (len <= 0 || (size_t)len > out_der->max_bytes - out_der->len)
        return RC_TOO_LARGE;
    ASSERT(i2d_X509(certificate, &at) == len);
    out_der->len += (size_t)len;
    *out_is_trusted = SSL_get_verify_result(stream->ssl) == X509_V_OK;
    return RC_OK;
}

enum tls_progress tls_handshake(struct tls_stream *stream)
{
    ERR_clear_error();
    return progress_of(stream, SSL_do_handshake(stream->ssl));
}

enum tls_progress tls_read(struct tls_stream *stream, void *out_bytes, size_t max, size_t *out_len)
{
    enum tls_progress progress;
    size_t len = 0;

    ERR_clear_error();
    progress = progress_of(stream, SSL_read_ex(stream->ssl, out_bytes, max, &len));
    if (progress == TLS_DONE)
        *out_len = len;
    return progress;
}

enum tls_progress tls_write(struct tls_stream *stream, const void *bytes, size_t len,
                            size_t *out_len)
{
    enum tls_progress progress;
    size_t written = 0;

    ERR_clear_error();
    progress = progress_of(stream, SSL_write_ex(stream->ssl, bytes, len, &written));
    if (progress == TLS_DONE)
        *out_len = written;
    return progress;
}

bool tls_has_pending(const struct tls_stream *stream)
{
    return SSL_has_pending(stream->ssl) == 1;
}

void tls_shutdown(struct tls_stream *stream)
{
    ERR_clear_error();
    if (SSL_is_init_finished(stream->ssl))
        SSL_shutdown(stream->ssl);
    ERR_clear_error();
}
