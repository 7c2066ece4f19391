/* Certificates that clients show: whole names, times to the second, and chains that end in a trust.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "crypto/certificate.h"
#include "crypto/digest.h"

enum { DAY_S = 24 * 3600 };

/* What a certificate is to say; NULL: it says nothing of it. */
struct wish {
    const char *common_name;
    const char *alternative; /* as the library's configuration writes it */
    const char *constraints;
    const char *purpose;
    int64_t from_s, until_s; /* from now; both 0: a day about it */
};

/* One that signs, or is signed, with its key. */
struct made {
    EVP_PKEY *key;
    X509 *certificate;
    unsigned char *der;
    struct str view;
};

static int64_t now;

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *words)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    if (words == NULL)
        return;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, words);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static void add_name(X509 *certificate, const char *common_name)
{
    X509_NAME *name = X509_get_subject_name(certificate);

    if (common_name == NULL)
        return;
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
                                                (const unsigned char *)"Example, Ltd", -1, -1, 0),
                     1);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                                (const unsigned char *)common_name, -1, -1, 0),
                     1);
}

/* Signed by itself where there is no issuer. */
static struct made make(const struct wish *wish, const struct made *issuer)
{
    struct made made = { .key = EVP_EC_gen("P-256"), .certificate = X509_new() };
    X509 *signer = issuer == NULL ? made.certificate : issuer->certificate;
    bool has_times = wish->from_s != 0 || wish->until_s != 0;
    int len;

    assert_true(made.key != NULL && made.certificate != NULL);
    X509_set_version(made.certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), issuer == NULL ? 1 : 2);
    X509_gmtime_adj(X509_getm_notBefore(made.certificate), has_times ? wish->from_s : -DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(made.certificate), has_times ? wish->until_s : DAY_S);
    add_name(made.certificate, wish->common_name);
    X509_set_issuer_name(made.certificate, X509_get_subject_name(signer));
    X509_set_pubkey(made.certificate, made.key);
    add_extension(made.certificate, signer, NID_subject_alt_name, wish->alternative);
    add_extension(made.certificate, signer, NID_basic_constraints, wish->constraints);
    add_extension(made.certificate, signer, NID_ext_key_usage, wish->purpose);
    assert_true(X509_sign(made.certificate, issuer == NULL ? made.key : issuer->key, EVP_sha256()) >
                0);
    len = i2d_X509(made.certificate, &made.der);
    assert_true(len > 0);
    made.view = (struct str){ (const char *)made.der, (size_t)len };
    return made;
}

static void drop(struct made *made)
{
    EVP_PKEY_free(made->key);
    X509_free(made->certificate);
    OPENSSL_free(made->der);
}

/* ---- names ---------------------------------------------------------------------------------- */

static void assert_names(struct str der, enum certificate_name kind, const char *const *names,
                         bool expected)
{
    for (; *names != NULL; names++)
        if (certificate_has_name(der, kind, str_of(*names)) != expected)
            fail_msg("%d %s: %d expected", kind, *names, expected);
}

static void test_names_are_whole(void **state)
{
    const struct wish wish = { .common_name = "Ada",
                               .alternative = "DNS:Client.Example,email:Ada@Mail.Example,"
                                              "URI:spiffe://example/Ada,IP:192.0.2.7,"
                                              "IP:2001:db8::1" };
    struct made made = make(&wish, NULL);

    (void)state;
    assert_names(made.view, CERTIFICATE_SUBJECT,
                 (const char *const[]){ "CN=Ada,O=Example\\, Ltd", NULL }, true);
    assert_names(made.view, CERTIFICATE_SUBJECT,
                 (const char *const[]){ "", "CN=Ada", "CN=ada,O=Example\\, Ltd", "Ada",
                                        "O=Example\\, Ltd,CN=Ada", "CN=Ada,O=Example\\, Ltd,",
                                        NULL },
                 false);
    assert_names(made.view, CERTIFICATE_SAN_DNS,
                 (const char *const[]){ "client.example", "CLIENT.EXAMPLE", NULL }, true);
    assert_names(made.view, CERTIFICATE_SAN_DNS,
                 (const char *const[]){ "", "example", "*.example", "a.client.example",
                                        "client.example.", "192.0.2.7", NULL },
                 false);
    assert_names(made.view, CERTIFICATE_SAN_EMAIL,
                 (const char *const[]){ "Ada@Mail.Example", "Ada@mail.example", NULL }, true);
    assert_names(made.view, CERTIFICATE_SAN_EMAIL,
                 (const char *const[]){ "ada@mail.example", "Ada", "Ada@", "Ada@mail.exampl",
                                        "Adaxmail.example", "@mail.example.com", NULL },
                 false);
    assert_names(made.view, CERTIFICATE_SAN_URI,
                 (const char *const[]){ "spiffe://example/Ada", NULL }, true);
    assert_names(made.view, CERTIFICATE_SAN_URI,
                 (const char *const[]){ "spiffe://example/ada", "spiffe://example", NULL }, false);
    assert_names(made.view, CERTIFICATE_SAN_IP,
                 (const char *const[]){ "192.0.2.7", "2001:db8::1", "2001:DB8:0::0:1", NULL },
                 true);
    assert_names(made.view, CERTIFICATE_SAN_IP,
                 (const char *const[]){ "192.0.2.8", "192.0.2", "::ffff:192.0.2.7", "2001:db8::2",
                                        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
                                        "client.example", NULL },
                 false);
    drop(&made);
}

/* No name in it is no name at all, and not the empty one. */
static void test_without_names(void **state)
{
    struct made made = make(&(const struct wish){ .common_name = NULL }, NULL);

    (void)state;
    for (int kind = CERTIFICATE_SUBJECT; kind <= CERTIFICATE_SAN_IP; kind++) {
        assert_false(certificate_has_name(made.view, (enum certificate_name)kind, STR("")));
        assert_false(certificate_has_name(made.view, (enum certificate_name)kind, STR("a")));
    }
    drop(&made);
}

/* An address with a length that none has. */
static void test_odd_address(void **state)
{
    static const unsigned char bytes[] = { 192, 0, 2, 7, 0, 0 };
    struct made made = make(&(const struct wish){ .common_name = "Ada" }, NULL);
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_OCTET_STRING *address = ASN1_OCTET_STRING_new();
    unsigned char *der = NULL;
    int len;

    (void)state;
    assert_int_equal(ASN1_OCTET_STRING_set(address, bytes, sizeof(bytes)), 1);
    GENERAL_NAME_set0_value(name, GEN_IPADD, address);
    assert_true(sk_GENERAL_NAME_push(names, name) > 0);
    assert_int_equal(X509_add1_ext_i2d(made.certificate, NID_subject_alt_name, names, 0, 0), 1);
    assert_true(X509_sign(made.certificate, made.key, EVP_sha256()) > 0);
    len = i2d_X509(made.certificate, &der);
    assert_true(len > 0);
    assert_false(certificate_has_name((struct str){ (const char *)der, (size_t)len },
                                      CERTIFICATE_SAN_IP, STR("192.0.2.7")));
    OPENSSL_free(der);
    GENERAL_NAMES_free(names);
    drop(&made);
}

/* ---- bytes and times ------------------------------------------------------------------------ */

static void test_its_time(void **state)
{
    struct made made = make(&(const struct wish){ .common_name = "Ada" }, NULL);

    (void)state;
    assert_true(certificate_is_current(made.view, now));
    assert_true(certificate_is_current(made.view, now + DAY_S - 60));
    assert_false(certificate_is_current(made.view, now + DAY_S + 60));
    assert_false(certificate_is_current(made.view, now - DAY_S - 60));
    drop(&made);
}

/* RFC 8705 2: one certificate, to its last byte. */
static void test_bytes_that_are_none(void **state)
{
    static const char longest[CERTIFICATE_BYTES_MAX + 1];
    struct made made = make(&(const struct wish){ .common_name = "Ada" }, NULL);
    char *longer = malloc(made.view.len + 1);

    (void)state;
    assert_non_null(longer);
    memcpy(longer, made.view.at, made.view.len);
    longer[made.view.len] = '\0';
    for (size_t len = 0; len < made.view.len; len += 7)
        assert_false(certificate_is_current((struct str){ longer, len }, now));
    assert_true(certificate_is_current((struct str){ longer, made.view.len }, now));
    assert_false(certificate_is_current((struct str){ longer, made.view.len + 1 }, now));
    assert_false(certificate_is_current((struct str){ longest, sizeof(longest) }, now));
    assert_false(certificate_has_name((struct str){ longer, made.view.len + 1 },
                                      CERTIFICATE_SUBJECT, STR("CN=Ada,O=Example\\, Ltd")));
    free(longer);
    drop(&made);
}

/* ---- trust ---------------------------------------------------------------------------------- */

static void write_file(const char *path, const struct made *made)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    if (made == NULL)
        fputs("no certificate\n", file);
    else
        assert_int_equal(PEM_write_X509(file, made->certificate), 1);
    assert_int_equal(fclose(file), 0);
}

/* An authority, another one, and a file with the first. */
struct authorities {
    char path[64];
    struct made ours, other;
    struct certificate_trust *trust;
    char error[256];
    struct buffer words;
};

static int set_up(void **state)
{
    static const struct wish wish = { .common_name = "Authority",
                                      .constraints = "critical,CA:TRUE" };
    struct authorities *all = calloc(1, sizeof(*all));
    int fd;

    assert_non_null(all);
    all->ours = make(&wish, NULL);
    all->other = make(&wish, NULL); /* of the same name */
    snprintf(all->path, sizeof(all->path), "/tmp/jeton-certificate-XXXXXX");
    fd = mkstemp(all->path);
    assert_true(fd >= 0);
    close(fd);
    all->words = buffer_over(all->error, sizeof(all->error));
    write_file(all->path, &all->ours);
    assert_int_equal(certificate_trust_new(all->path, &all->trust, &all->words), RC_OK);
    *state = all;
    return 0;
}

static int tear_down(void **state)
{
    struct authorities *all = *state;

    certificate_trust_free(all->trust);
    unlink(all->path);
    drop(&all->ours);
    drop(&all->other);
    free(all);
    return 0;
}

static void assert_trusted(struct authorities *all, const struct wish *wish,
                           const struct made *issuer, bool expected)
{
    struct made made = make(wish, issuer);

    assert_int_equal(certificate_is_trusted(all->trust, made.view), expected);
    drop(&made);
}

static void test_who_is_trusted(void **state)
{
    struct authorities *all = *state;
    const struct wish client = { .common_name = "Ada", .purpose = "clientAuth" };
    struct made middle, made;

    assert_trusted(all, &client, &all->ours, true);
    assert_trusted(all, &(const struct wish){ .common_name = "Ada" }, &all->ours, true);
    assert_trusted(all, &client, &all->other, false); /* another key of the same name */
    assert_trusted(all, &client, NULL, false);
    assert_trusted(all, &(const struct wish){ .common_name = "Ada", .purpose = "serverAuth" },
                   &all->ours, false);
    assert_trusted(
        all, &(const struct wish){ .common_name = "Ada", .from_s = -2 * DAY_S, .until_s = -DAY_S },
        &all->ours, false);
    assert_trusted(
        all, &(const struct wish){ .common_name = "Ada", .from_s = DAY_S, .until_s = 2 * DAY_S },
        &all->ours, false);
    /* Who may not sign for others does not, and intermediates are not there. */
    middle = make(&client, &all->ours);
    made = make(&client, &middle);
    assert_false(certificate_is_trusted(all->trust, made.view));
    assert_false(certificate_is_trusted(all->trust, (struct str){ made.view.at, 20 }));
    drop(&made);
    drop(&middle);
}

static void test_a_file_is_read_again(void **state)
{
    struct authorities *all = *state;
    const struct wish client = { .common_name = "Ada" };
    X509_STORE *kept = certificate_trust_store(all->trust);

    write_file(all->path, &all->other);
    assert_trusted(all, &client, &all->ours, true); /* not before it is asked for */
    assert_int_equal(certificate_trust_reload(all->trust, &all->words), RC_OK);
    assert_trusted(all, &client, &all->ours, false);
    assert_trusted(all, &client, &all->other, true);
    write_file(all->path, NULL);
    assert_int_equal(certificate_trust_reload(all->trust, &all->words), RC_INVALID);
    assert_true(str_starts_with(buffer_str(&all->words), STR("TLS: /tmp/jeton-certificate-")));
    assert_trusted(all, &client, &all->other, true); /* what it said before stays */
    X509_STORE_free(kept);                           /* as a connection does that still had it */
}

static void test_files_that_are_none(void **state)
{
    struct authorities *all = *state;
    struct certificate_trust *trust = NULL;

    write_file(all->path, NULL);
    assert_int_equal(certificate_trust_new(all->path, &trust, &all->words), RC_INVALID);
    unlink(all->path);
    assert_int_equal(certificate_trust_new(all->path, &trust, &all->words), RC_INVALID);
    assert_null(trust);
    certificate_trust_free(NULL);
}

static int begin(void **state)
{
    (void)state;
    crypto_init();
    now = (int64_t)time(NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_whole),
        cmocka_unit_test(test_without_names),
        cmocka_unit_test(test_odd_address),
        cmocka_unit_test(test_its_time),
        cmocka_unit_test(test_bytes_that_are_none),
        cmocka_unit_test_setup_teardown(test_who_is_trusted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_is_read_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files_that_are_none, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, begin, NULL);
}
