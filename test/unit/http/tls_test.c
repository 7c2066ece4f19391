/*
 * TLS: versions, ALPN, keys and certificates, and their renewal while the server runs (HT-05;
 * RFC 9325 3.1; RFC 7301 3.2).
 */
#include "harness.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

static char folder[] = "/tmp/jeton-tls-XXXXXX";
static char certificate_file[64];
static char key_file[64];

static void write_pem(const char *file, mode_t mode, X509 *certificate, EVP_PKEY *key)
{
    int fd = open(file, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, mode);
    FILE *out = fdopen(fd, "w");

    assert_non_null(out);
    assert_int_equal(fchmod(fd, mode), 0);
    if (certificate != NULL)
        assert_int_equal(PEM_write_X509(out, certificate), 1);
    else
        assert_int_equal(PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(out), 0);
}

/* A self-signed certificate with that serial number, and its key, in the two files. */
static void write_identity(long serial)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();

    assert_non_null(key);
    assert_non_null(certificate);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)"localhost", -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    write_pem(certificate_file, 0644, certificate, NULL);
    write_pem(key_file, 0600, NULL, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(certificate_file, sizeof(certificate_file), "%s/certificate", folder);
    snprintf(key_file, sizeof(key_file), "%s/key", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(certificate_file);
    unlink(key_file);
    return rmdir(folder);
}

static const struct http_listener TLS_LISTENERS[] = {
    { .address = { "127.0.0.1:0", 11 }, .is_tls = true, .tag = 1 },
    { .address = { "127.0.0.1:0", 11 }, .is_tls = false, .tag = 2 }
};

static struct http_config tls_config(void)
{
    struct http_config config = plain_config();

    config.listeners = TLS_LISTENERS;
    config.listener_count = 2;
    config.tls_certificate_file = certificate_file;
    config.tls_key_file = key_file;
    return config;
}

struct tls_client {
    SSL_CTX *context;
    SSL *ssl;
    int fd;
    bool has_connected;
};

/* versions 0: whatever the library offers. alpn: in wire form, or NULL. */
static struct tls_client tls_connect(const struct running *running, int version,
                                     const char *ciphers, const char *alpn)
{
    struct tls_client client = { .context = SSL_CTX_new(TLS_client_method()) };

    assert_non_null(client.context);
    SSL_CTX_set_security_level(client.context, 0); /* the server is tested, not the client */
    SSL_CTX_set_min_proto_version(client.context, version);
    SSL_CTX_set_max_proto_version(client.context, version);
    if (ciphers != NULL)
        assert_int_equal(SSL_CTX_set_cipher_list(client.context, ciphers), 1);
    if (alpn != NULL)
        SSL_CTX_set_alpn_protos(client.context, (const unsigned char *)alpn,
                                (unsigned)strlen(alpn));
    client.fd = client_connect(running);
    client.ssl = SSL_new(client.context);
    SSL_set_fd(client.ssl, client.fd);
    client.has_connected = SSL_connect(client.ssl) == 1;
    ERR_clear_error();
    return client;
}

static void tls_disconnect(struct tls_client *client)
{
    SSL_shutdown(client->ssl); /* a session that broke off is not taken up again */
    ERR_clear_error();
    SSL_free(client->ssl);
    SSL_CTX_free(client->context);
    close(client->fd);
}

/* Sends and reads until the text ends with `end`. */
static void tls_talk(struct tls_client *client, struct str request, const char *end)
{
    size_t len = 0;

    assert_int_equal(SSL_write(client->ssl, request.at, (int)request.len), request.len);
    while (!str_ends_with((struct str){ answer.text, len }, str_of(end))) {
        int got = SSL_read(client->ssl, answer.text + len, (int)(sizeof(answer.text) - len));

        assert_true(got > 0);
        len += (size_t)got;
    }
    answer.text[len] = '\0';
}

static void test_versions_and_ciphers(void **state)
{
    static const struct {
        int version;
        const char *ciphers;
        bool is_welcome;
    } CASES[] = {
        { TLS1_VERSION, NULL, false },
        { TLS1_1_VERSION, NULL, false },
        { TLS1_2_VERSION, NULL, true },
        { TLS1_3_VERSION, NULL, true },
        { TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", true },
        { TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", true },
        { TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", false }, /* CBC */
        { TLS1_2_VERSION, "AES128-GCM-SHA256", false },         /* no forward secrecy */
        { TLS1_2_VERSION, "DHE-RSA-AES128-GCM-SHA256", false },
    };
    struct http_config config = tls_config();
    struct running running;
    unsigned welcome = 0;

    (void)state;
    write_identity(1);
    start(&running, &config);
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct tls_client client = tls_connect(&running, CASES[i].version, CASES[i].ciphers, NULL);

        assert_int_equal(client.has_connected, CASES[i].is_welcome);
        if (client.has_connected) {
            welcome++;
            tls_talk(&client, STR("GET /client HTTP/1.1\r\nHost: a\r\n\r\n"), "127.0.0.1 tls 1");
        }
        tls_disconnect(&client);
    }
    AWAIT(counts_of(&running).tls_handshakes == welcome);
    AWAIT(counts_of(&running).tls_handshake_failures == sizeof(CASES) / sizeof(CASES[0]) - welcome);
    stop(&running);
}

static void test_requests_over_tls(void **state)
{
    struct http_config config = tls_config();
    struct running running;
    struct tls_client client;
    const unsigned char *protocol;
    unsigned protocol_len;
    char body[HTTP_BODY_BYTES_MAX + 200];
    struct buffer request = buffer_over(body, sizeof(body));

    (void)state;
    write_identity(1);
    start(&running, &config);
    client = tls_connect(&running, 0, NULL, "\x08http/1.1");
    assert_true(client.has_connected);
    SSL_get0_alpn_selected(client.ssl, &protocol, &protocol_len);
    assert_int_equal(protocol_len, 8);
    assert_memory_equal(protocol, "http/1.1", 8);
    /* Several requests in one record, over all lanes, and the last one in two records. */
    tls_talk(&client,
             STR("GET /work/1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
                 "GET /both HTTP/1.1\r\nHost: a\r\n\r\nGET /4 HTTP/1.1\r\nHo"),
             "/both");
    tls_talk(&client, STR("st: a\r\n\r\n"), "/4");
    /* A body and an answer of many records. */
    buffer_append_format(&request, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n",
                         HTTP_BODY_BYTES_MAX);
    for (size_t i = 0; i < HTTP_BODY_BYTES_MAX; i++)
        buffer_append_byte(&request, i + 3 < HTTP_BODY_BYTES_MAX ? 'b' : 'e');
    tls_talk(&client, buffer_str(&request), "beee");
    tls_talk(&client, STR("GET /big?262144 HTTP/1.1\r\nHost: a\r\n\r\n"),
             "yzabcdefghijklmnopqrstuvwxyzab");
    tls_talk(&client, STR("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), "/");
    while (SSL_read(client.ssl, body, sizeof(body)) > 0)
        continue;
    assert_int_equal(SSL_get_shutdown(client.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
    tls_disconnect(&client);

    client = tls_connect(&running, 0, NULL, "\x02h2"); /* RFC 7301 3.2 */
    assert_false(client.has_connected);
    tls_disconnect(&client);
    client = tls_connect(&running, 0, NULL, "\x02h2\x08http/1.1");
    assert_true(client.has_connected);
    tls_disconnect(&client);
    stop(&running);
}

/* HT-05: the client cannot make the server work twice for one connection. */
static void test_no_renegotiation(void **state)
{
    struct http_config config = tls_config();
    struct running running;
    struct tls_client client;
    char byte;

    (void)state;
    write_identity(1);
    start(&running, &config);
    client = tls_connect(&running, TLS1_2_VERSION, NULL, NULL);
    assert_true(client.has_connected);
    assert_int_equal(SSL_renegotiate(client.ssl), 1);
    assert_true(SSL_do_handshake(client.ssl) != 1 || SSL_read(client.ssl, &byte, 1) <= 0);
    assert_int_equal(counts_of(&running).tls_handshakes, 1);
    tls_disconnect(&client);
    stop(&running);
}

static long serial_of(const struct running *running)
{
    struct tls_client client = tls_connect(running, 0, NULL, NULL);
    X509 *certificate;
    long serial;

    assert_true(client.has_connected);
    certificate = SSL_get1_peer_certificate(client.ssl);
    assert_non_null(certificate);
    serial = ASN1_INTEGER_get(X509_get0_serialNumber(certificate));
    X509_free(certificate);
    tls_disconnect(&client);
    return serial;
}

static void assert_reload(struct running *running, enum rc expected, const char *words)
{
    char memory[300] = { 0 };
    struct buffer error = buffer_over(memory, sizeof(memory) - 1);

    assert_int_equal(http_server_reload_tls(running->server, &error), expected);
    if (strstr(memory, words) == NULL)
        print_error("%s\n", memory);
    assert_non_null(strstr(memory, words));
}

static void test_reload(void **state)
{
    struct http_config config = tls_config();
    struct running running;
    struct tls_client old;

    (void)state;
    write_identity(1);
    start(&running, &config);
    old = tls_connect(&running, 0, NULL, NULL);
    assert_int_equal(serial_of(&running), 1);
    write_identity(2);
    assert_reload(&running, RC_OK, "");
    assert_int_equal(serial_of(&running), 2);
    /* Connections of before live on. */
    tls_talk(&old, STR("GET /old HTTP/1.1\r\nHost: a\r\n\r\n"), "/old");
    tls_disconnect(&old);

    /* Bad files change nothing. */
    assert_int_equal(chmod(key_file, 0604), 0);
    assert_reload(&running, RC_INVALID, "everyone may read");
    assert_int_equal(chmod(key_file, 0640), 0);
    assert_reload(&running, RC_OK, "");
    assert_int_equal(truncate(key_file, 50), 0);
    assert_reload(&running, RC_INVALID, key_file);
    assert_int_equal(unlink(key_file), 0);
    assert_reload(&running, RC_INVALID, "No such file");
    assert_int_equal(serial_of(&running), 2);
    stop(&running);
}

/* True when the session was taken up again; a full handshake works in any case. */
static bool resumes(const struct running *running, int version, SSL_SESSION *session)
{
    struct tls_client client = { .context = SSL_CTX_new(TLS_client_method()) };
    bool is_reused;

    SSL_CTX_set_min_proto_version(client.context, version);
    SSL_CTX_set_max_proto_version(client.context, version);
    client.fd = client_connect(running);
    client.ssl = SSL_new(client.context);
    SSL_set_fd(client.ssl, client.fd);
    assert_int_equal(SSL_set_session(client.ssl, session), 1);
    assert_int_equal(SSL_connect(client.ssl), 1);
    tls_talk(&client, STR("GET /again HTTP/1.1\r\nHost: a\r\n\r\n"), "/again");
    is_reused = SSL_session_reused(client.ssl) == 1;
    tls_disconnect(&client);
    return is_reused;
}

/* RFC 9325 3.4: tickets work, and the keys that seal them go with a reload. */
static void test_resumption(void **state)
{
    static const int VERSIONS[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    struct http_config config = tls_config();
    struct running running;

    (void)state;
    write_identity(1);
    start(&running, &config);
    for (size_t i = 0; i < 2; i++) {
        struct tls_client client = tls_connect(&running, VERSIONS[i], NULL, NULL);
        SSL_SESSION *session;

        assert_true(client.has_connected);
        tls_talk(&client, STR("GET /first HTTP/1.1\r\nHost: a\r\n\r\n"), "/first");
        session = SSL_get1_session(client.ssl);
        assert_non_null(session);
        tls_disconnect(&client);
        assert_true(resumes(&running, VERSIONS[i], session));
        assert_reload(&running, RC_OK, "");
        assert_false(resumes(&running, VERSIONS[i], session));
        SSL_SESSION_free(session);
    }
    stop(&running);
}

static void assert_open_refused(const struct http_config *config, const char *words)
{
    struct http_server *server = NULL;
    char memory[300] = { 0 };
    struct buffer error = buffer_over(memory, sizeof(memory) - 1);

    assert_int_equal(http_server_open(config, &server, &error), RC_INVALID);
    assert_null(server);
    if (strstr(memory, words) == NULL)
        print_error("%s\n", memory);
    assert_non_null(strstr(memory, words));
}

static void test_bad_files(void **state)
{
    struct http_config config = tls_config();
    EVP_PKEY *other = EVP_EC_gen("P-256");

    (void)state;
    config.serve = handler_serve;
    write_identity(1);
    write_pem(key_file, 0600, NULL, other);
    assert_open_refused(&config, "does not fit");
    EVP_PKEY_free(other);
    write_identity(1);
    config.tls_key_file = certificate_file;
    assert_open_refused(&config, "everyone may read");
    config.tls_key_file = NULL;
    assert_open_refused(&config, "are needed");
    config.tls_key_file = key_file;
    assert_int_equal(truncate(certificate_file, 0), 0);
    assert_open_refused(&config, "no certificate chain");
}

/* Plain HTTP, junk and silence on a TLS port. */
static void test_no_tls_spoken(void **state)
{
    struct http_config config = tls_config();
    struct running running;
    char bytes[512];
    int fd;

    (void)state;
    write_identity(1);
    config.handshake_timeout_ms = 150;
    start(&running, &config);
    fd = client_connect(&running);
    client_send(fd, STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    while (recv(fd, bytes, sizeof(bytes), 0) > 0)
        continue;
    close(fd);
    assert_int_equal(counts_of(&running).tls_handshake_failures, 1);
    fd = client_connect(&running);
    assert_closed(fd);
    close(fd);
    assert_int_equal(counts_of(&running).timeouts, 1);
    fd = client_connect_port(http_server_port(running.server, 1));
    client_get(fd, "/client");
    assert_body(STR("127.0.0.1 2"));
    close(fd);
    stop(&running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions_and_ciphers), cmocka_unit_test(test_requests_over_tls),
        cmocka_unit_test(test_no_renegotiation),     cmocka_unit_test(test_reload),
        cmocka_unit_test(test_resumption),           cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_no_tls_spoken),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
