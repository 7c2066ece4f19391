#include "crypto/signer.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <sodium.h>
#include <stdlib.h>

#include "crypto/digest.h"
#include "crypto/library.h"
#include "crypto/random.h"

enum {
    P256_BYTES = 32, /* a coordinate, r, or s */
    P256_SIGNATURE_BYTES = 2 * P256_BYTES,
    P256_DER_BYTES_MAX = 72, /* SEQUENCE of two INTEGERs of 33 bytes */
    RSA_BITS_MIN = 2048,     /* RFC 7518 3.3 */
    RSA_BITS_MAX = 4096,     /* bounds the time of a check and the size of a signature */
    RSA_EXPONENT_MIN = 65537 /* FIPS 186-5 5.4: above 2^16 */
};

/*
 * A signer and a verifier hold an OpenSSL context that was made ready once and is never used
 * itself: each call works on its own duplicate, so that both may be shared by threads, and nothing
 * of a key stays in a thread when its signer is gone. Ed25519 needs no context.
 */
struct signer {
    enum signer_kind kind;
    EVP_PKEY_CTX *ready;           /* ES256, RS256, PS256 */
    EVP_PKEY *pkey;                /* ES256, RS256, PS256 */
    unsigned char *ed25519_secret; /* EdDSA: seed and public key, guarded */
    struct public_key public_key;
};

struct verifier {
    enum signer_kind kind;
    EVP_PKEY_CTX *ready;
    EVP_PKEY *pkey;
    unsigned char ed25519[crypto_sign_ed25519_PUBLICKEYBYTES];
};

static bool make_ready(EVP_PKEY *pkey, enum signer_kind kind, int (*init)(EVP_PKEY_CTX *),
                       EVP_PKEY_CTX **out_ready)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool is_ready = context != NULL && init(context) == 1;

    /* RFC 7518 3.5: MGF1 and a salt of the digest's length. */
    if (is_ready && kind == SIGNER_PS256)
        is_ready = EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
                   EVP_PKEY_CTX_set_signature_md(context, library_algorithms()->sha256) == 1 &&
                   EVP_PKEY_CTX_set_rsa_mgf1_md(context, library_algorithms()->sha256) == 1 &&
                   EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
    if (is_ready && kind == SIGNER_RS256)
        is_ready = EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
                   EVP_PKEY_CTX_set_signature_md(context, library_algorithms()->sha256) == 1;
    if (!is_ready) {
        EVP_PKEY_CTX_free(context);
        return false;
    }
    *out_ready = context;
    return true;
}

/* ---- making signers ---- */

/* Reads one number of a key; with exact_bytes it is padded to that size. */
static bool read_number(const EVP_PKEY *pkey, const char *name, size_t exact_bytes,
                        unsigned char *out_bytes, size_t max_bytes, size_t *out_len)
{
    BIGNUM *number = NULL;
    size_t len;
    bool is_read;

    if (EVP_PKEY_get_bn_param(pkey, name, &number) != 1)
        return false;
    len = exact_bytes != 0 ? exact_bytes : (size_t)BN_num_bytes(number);
    is_read = len <= max_bytes && BN_bn2binpad(number, out_bytes, (int)len) == (int)len;
    BN_clear_free(number);
    if (is_read)
        *out_len = len;
    return is_read;
}

static bool read_public(const EVP_PKEY *pkey, enum signer_kind kind, struct public_key *out_public)
{
    struct public_key key = { .kind = kind };
    size_t len;
    bool is_read;

    if (kind == SIGNER_ES256)
        is_read =
            read_number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, P256_BYTES, key.x, sizeof(key.x), &len) &&
            read_number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, P256_BYTES, key.y, sizeof(key.y), &len);
    else
        is_read = read_number(pkey, OSSL_PKEY_PARAM_RSA_N, 0, key.n, sizeof(key.n), &key.n_bytes) &&
                  read_number(pkey, OSSL_PKEY_PARAM_RSA_E, 0, key.e, sizeof(key.e), &key.e_bytes);
    if (is_read)
        *out_public = key;
    return is_read;
}

/* Takes the key over, also on failure. */
static enum rc signer_over(EVP_PKEY *pkey, enum signer_kind kind, struct signer **out_signer)
{
    struct signer *signer = OPENSSL_zalloc(sizeof(*signer));

    ASSERT(signer != NULL);
    signer->kind = kind;
    signer->pkey = pkey;
    if (!read_public(pkey, kind, &signer->public_key) ||
        !make_ready(pkey, kind, EVP_PKEY_sign_init, &signer->ready)) {
        signer_free(signer);
        ERR_clear_error();
        return RC_CRYPTO;
    }
    *out_signer = signer;
    return RC_OK;
}

static struct signer *ed25519_signer(const unsigned char seed[static crypto_sign_ed25519_SEEDBYTES])
{
    struct signer *signer = OPENSSL_zalloc(sizeof(*signer));
    unsigned char secret[crypto_sign_ed25519_SECRETKEYBYTES];

    ASSERT(signer != NULL);
    signer->kind = SIGNER_EDDSA;
    signer->public_key.kind = SIGNER_EDDSA;
    ASSERT(crypto_sign_ed25519_seed_keypair(signer->public_key.x, secret, seed) == 0);
    signer->ed25519_secret = guarded_copy(secret, sizeof(secret));
    explicit_bzero(secret, sizeof(secret));
    return signer;
}

enum rc signer_generate(enum signer_kind kind, struct signer **out_signer)
{
    unsigned char seed[crypto_sign_ed25519_SEEDBYTES];
    EVP_PKEY *pkey;

    if (kind == SIGNER_EDDSA) {
        random_bytes(seed, sizeof(seed));
        *out_signer = ed25519_signer(seed);
        explicit_bzero(seed, sizeof(seed));
        return RC_OK;
    }
    pkey = kind == SIGNER_ES256 ? EVP_EC_gen("P-256") : EVP_RSA_gen(SIGNER_RSA_BITS);
    if (pkey == NULL) {
        ERR_clear_error();
        return RC_CRYPTO;
    }
    return signer_over(pkey, kind, out_signer);
}

static EVP_PKEY *parse_pkcs8(struct str der)
{
    const unsigned char *at = str_bytes(der);
    PKCS8_PRIV_KEY_INFO *info = NULL;
    EVP_PKEY *pkey = NULL;

    if (der.len <= SIGNER_PRIVATE_BYTES_MAX)
        info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)der.len);
    if (info != NULL && at == str_bytes(der) + der.len)
        pkey = EVP_PKCS82PKEY(info);
    PKCS8_PRIV_KEY_INFO_free(info);
    return pkey;
}

/* The public half passes verifier_new's rules, and what the private half signs it verifies. */
static bool is_sound_pair(const struct signer *signer)
{
    struct str message = STR("a key pair that fits together");
    unsigned char signature[SIGNER_SIGNATURE_BYTES_MAX];
    struct verifier *verifier = NULL;
    size_t len = 0;
    bool is_sound = false;

    if (verifier_new(&signer->public_key, &verifier) == RC_OK &&
        signer_sign(signer, message, signature, &len) == RC_OK)
        is_sound = verifier_verify(verifier, message,
                                   (struct str){ (const char *)signature, len }) == RC_OK;
    verifier_free(verifier);
    return is_sound;
}

enum rc signer_import_private(enum signer_kind kind, struct str private_bytes,
                              struct signer **out_signer)
{
    struct signer *signer = NULL;
    EVP_PKEY *pkey;
    bool is_kind;

    if (kind == SIGNER_EDDSA) {
        if (private_bytes.len != crypto_sign_ed25519_SEEDBYTES)
            return RC_INVALID;
        *out_signer = ed25519_signer(str_bytes(private_bytes));
        return RC_OK;
    }
    pkey = parse_pkcs8(private_bytes);
    is_kind = pkey != NULL && EVP_PKEY_is_a(pkey, kind == SIGNER_ES256 ? "EC" : "RSA") == 1;
    if (!is_kind) {
        EVP_PKEY_free(pkey);
        ERR_clear_error();
        return RC_INVALID;
    }
    if (signer_over(pkey, kind, &signer) != RC_OK || !is_sound_pair(signer)) {
        signer_free(signer);
        ERR_clear_error();
        return RC_INVALID;
    }
    *out_signer = signer;
    return RC_OK;
}

static enum rc export_pkcs8(const EVP_PKEY *pkey, struct buffer *out_private)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey);
    unsigned char *der = NULL;
    int len = info == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, &der);

    PKCS8_PRIV_KEY_INFO_free(info);
    if (len < 0) {
        ERR_clear_error();
        return RC_CRYPTO;
    }
    buffer_append(out_private, der, (size_t)len);
    OPENSSL_clear_free(der, (size_t)len);
    return out_private->overflow ? RC_TOO_LARGE : RC_OK;
}

enum rc signer_export_private(const struct signer *signer, struct buffer *out_private)
{
    if (signer->kind != SIGNER_EDDSA)
        return export_pkcs8(signer->pkey, out_private);
    buffer_append(out_private, signer->ed25519_secret, crypto_sign_ed25519_SEEDBYTES);
    return out_private->overflow ? RC_TOO_LARGE : RC_OK;
}

void signer_free(struct signer *signer)
{
    if (signer == NULL)
        return;
    EVP_PKEY_CTX_free(signer->ready);
    EVP_PKEY_free(signer->pkey); /* OpenSSL wipes the private numbers */
    guarded_free(signer->ed25519_secret);
    OPENSSL_free(signer);
}

void signer_public(const struct signer *signer, struct public_key *out_public)
{
    *out_public = signer->public_key;
}

enum signer_kind signer_kind(const struct signer *signer)
{
    return signer->kind;
}

/* ---- signing ---- */

/* RFC 7518 3.4: r and s as 32 bytes each, not OpenSSL's DER. */
static bool raw_from_der(const unsigned char *der, size_t der_bytes,
                         unsigned char out_raw[static P256_SIGNATURE_BYTES])
{
    ECDSA_SIG *numbers = d2i_ECDSA_SIG(NULL, &der, (long)der_bytes);
    bool is_raw =
        numbers != NULL &&
        BN_bn2binpad(ECDSA_SIG_get0_r(numbers), out_raw, P256_BYTES) == P256_BYTES &&
        BN_bn2binpad(ECDSA_SIG_get0_s(numbers), out_raw + P256_BYTES, P256_BYTES) == P256_BYTES;

    ECDSA_SIG_free(numbers);
    return is_raw;
}

static bool der_from_raw(const unsigned char *raw, unsigned char out_der[static P256_DER_BYTES_MAX],
                         size_t *out_der_bytes)
{
    ECDSA_SIG *numbers = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, P256_BYTES, NULL);
    BIGNUM *s = BN_bin2bn(raw + P256_BYTES, P256_BYTES, NULL);
    int len;

    ASSERT(numbers != NULL && r != NULL && s != NULL);
    ASSERT(ECDSA_SIG_set0(numbers, r, s) == 1);
    len = i2d_ECDSA_SIG(numbers, &out_der);
    ECDSA_SIG_free(numbers);
    if (len <= 0)
        return false;
    *out_der_bytes = (size_t)len;
    return true;
}

enum rc signer_sign(const struct signer *signer, struct str message,
                    unsigned char out_signature[static SIGNER_SIGNATURE_BYTES_MAX],
                    size_t *out_signature_bytes)
{
    unsigned char digest[SHA256_BYTES];
    unsigned char signature[SIGNER_SIGNATURE_BYTES_MAX];
    size_t len = sizeof(signature);
    EVP_PKEY_CTX *context;
    bool is_signed;

    if (signer->kind == SIGNER_EDDSA) {
        ASSERT(crypto_sign_ed25519_detached(out_signature, NULL, str_bytes(message), message.len,
                                            signer->ed25519_secret) == 0);
        *out_signature_bytes = crypto_sign_ed25519_BYTES;
        return RC_OK;
    }
    digest_sha256(message, digest);
    context = EVP_PKEY_CTX_dup(signer->ready);
    is_signed =
        context != NULL && EVP_PKEY_sign(context, signature, &len, digest, sizeof(digest)) == 1;
    EVP_PKEY_CTX_free(context);
    if (is_signed && signer->kind == SIGNER_ES256) {
        is_signed = raw_from_der(signature, len, out_signature);
        len = P256_SIGNATURE_BYTES;
    } else if (is_signed) {
        memcpy(out_signature, signature, len);
    }
    if (!is_signed) {
        ERR_clear_error();
        return RC_CRYPTO;
    }
    *out_signature_bytes = len;
    return RC_OK;
}

/* ---- verifying ---- */

static EVP_PKEY *pkey_from_params(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;

    ASSERT(context != NULL);
    if (EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(context);
    return pkey;
}

static EVP_PKEY *p256_pkey(const struct public_key *key)
{
    char group[] = "prime256v1";
    unsigned char point[1 + 2 * P256_BYTES] = { POINT_CONVERSION_UNCOMPRESSED };
    OSSL_PARAM params[] = {
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group) - 1),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
        OSSL_PARAM_END,
    };

    memcpy(point + 1, key->x, P256_BYTES);
    memcpy(point + 1 + P256_BYTES, key->y, P256_BYTES);
    /* Reading the point checks that it lies on the curve (RFC 8725 3.4); the cofactor is 1. */
    return pkey_from_params("EC", params);
}

/* Moduli made by the faulty generator of CVE-2017-15361 are powers of 65537 modulo every small
 * prime; an honest one passes for such by a chance of less than one in a hundred million. */
static bool is_roca_modulus(const BIGNUM *modulus)
{
    static const unsigned char primes[] = { 11, 13, 17,  19,  37,  53,  61,  71, 73,
                                            79, 97, 103, 107, 109, 127, 151, 157 };

    for (size_t i = 0; i < sizeof(primes); i++) {
        BN_ULONG residue = BN_mod_word(modulus, primes[i]);
        BN_ULONG power = 1;
        bool is_power = false;

        for (unsigned step = 0; step < primes[i] && !is_power; step++) {
            is_power = power == residue;
            power = power * 65537 % primes[i];
        }
        if (!is_power)
            return false;
    }
    return true;
}

static bool is_sound_rsa(const BIGNUM *modulus, const BIGNUM *exponent)
{
    int bits = BN_num_bits(modulus);

    /* RFC 7518 3.3; an exponent of more than 64 bits only burns time. */
    return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX && BN_is_odd(modulus) &&
           BN_is_odd(exponent) && BN_num_bits(exponent) <= 64 &&
           BN_get_word(exponent) >= RSA_EXPONENT_MIN && !is_roca_modulus(modulus);
}

static void native_order(const BIGNUM *number, unsigned char *out_bytes, size_t len)
{
    ASSERT(BN_bn2nativepad(number, out_bytes, (int)len) == (int)len);
}

static EVP_PKEY *rsa_pkey(const struct public_key *key)
{
    unsigned char n[sizeof(key->n)], e[sizeof(key->e)];
    OSSL_PARAM params[] = {
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, n, key->n_bytes),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, e, key->e_bytes),
        OSSL_PARAM_END,
    };
    BIGNUM *modulus, *exponent;
    bool is_sound;

    if (key->n_bytes > sizeof(n) || key->e_bytes > sizeof(e))
        return NULL;
    modulus = BN_bin2bn(key->n, (int)key->n_bytes, NULL);
    exponent = BN_bin2bn(key->e, (int)key->e_bytes, NULL);
    ASSERT(modulus != NULL && exponent != NULL);
    is_sound = is_sound_rsa(modulus, exponent);
    native_order(modulus, n, key->n_bytes);
    native_order(exponent, e, key->e_bytes);
    BN_free(modulus);
    BN_free(exponent);
    return is_sound ? pkey_from_params("RSA", params) : NULL;
}

static EVP_PKEY *ed25519_pkey(const struct public_key *key)
{
    return EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, key->x, sizeof(key->x));
}

enum rc public_key_format_pem(const struct public_key *public_key, struct buffer *out_pem)
{
    struct verifier *verifier = NULL;
    BIO *memory = BIO_new(BIO_s_mem());
    EVP_PKEY *pkey = NULL;
    char *text = NULL;
    long len = 0;
    enum rc rc;

    ASSERT(memory != NULL);
    rc = verifier_new(public_key, &verifier);
    if (rc == RC_OK) {
        pkey = public_key->kind == SIGNER_EDDSA ? ed25519_pkey(public_key) : verifier->pkey;
        ASSERT(pkey != NULL && PEM_write_bio_PUBKEY(memory, pkey) == 1);
        len = BIO_get_mem_data(memory, &text);
        buffer_append(out_pem, text, (size_t)len);
    }
    if (public_key->kind == SIGNER_EDDSA)
        EVP_PKEY_free(pkey);
    BIO_free(memory);
    verifier_free(verifier);
    return rc;
}

enum rc verifier_new(const struct public_key *public_key, struct verifier **out_verifier)
{
    struct verifier *verifier = OPENSSL_zalloc(sizeof(*verifier));
    bool is_sound;

    ASSERT(verifier != NULL);
    verifier->kind = public_key->kind;
    if (public_key->kind == SIGNER_EDDSA) {
        memcpy(verifier->ed25519, public_key->x, sizeof(verifier->ed25519));
        /* Canonical, on the curve, and in the main subgroup. */
        is_sound = crypto_core_ed25519_is_valid_point(public_key->x) == 1;
    } else {
        verifier->pkey =
            public_key->kind == SIGNER_ES256 ? p256_pkey(public_key) : rsa_pkey(public_key);
        is_sound = verifier->pkey != NULL && make_ready(verifier->pkey, verifier->kind,
                                                        EVP_PKEY_verify_init, &verifier->ready);
    }
    if (!is_sound) {
        verifier_free(verifier);
        ERR_clear_error();
        return RC_INVALID;
    }
    *out_verifier = verifier;
    return RC_OK;
}

void verifier_free(struct verifier *verifier)
{
    if (verifier == NULL)
        return;
    EVP_PKEY_CTX_free(verifier->ready);
    EVP_PKEY_free(verifier->pkey);
    OPENSSL_free(verifier);
}

enum signer_kind verifier_kind(const struct verifier *verifier)
{
    return verifier->kind;
}

static bool is_signed_by(const struct verifier *verifier, struct str message,
                         const unsigned char *signature, size_t signature_bytes)
{
    unsigned char digest[SHA256_BYTES];
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_dup(verifier->ready);
    bool is_signed;

    ASSERT(context != NULL);
    digest_sha256(message, digest);
    is_signed = EVP_PKEY_verify(context, signature, signature_bytes, digest, sizeof(digest)) == 1;
    EVP_PKEY_CTX_free(context);
    return is_signed;
}

enum rc verifier_verify(const struct verifier *verifier, struct str message, struct str signature)
{
    unsigned char der[P256_DER_BYTES_MAX];
    size_t der_bytes = 0;
    bool is_signed = false;

    switch (verifier->kind) {
    case SIGNER_EDDSA:
        is_signed = signature.len == crypto_sign_ed25519_BYTES &&
                    crypto_sign_ed25519_verify_detached(str_bytes(signature), str_bytes(message),
                                                        message.len, verifier->ed25519) == 0;
        break;
    case SIGNER_ES256:
        /* RFC 7518 3.4: exactly 64 bytes. */
        is_signed = signature.len == P256_SIGNATURE_BYTES &&
                    der_from_raw(str_bytes(signature), der, &der_bytes) &&
                    is_signed_by(verifier, message, der, der_bytes);
        break;
    case SIGNER_RS256:
    case SIGNER_PS256:
        is_signed = signature.len == (size_t)EVP_PKEY_get_size(verifier->pkey) &&
                    is_signed_by(verifier, message, str_bytes(signature), signature.len);
        break;
    }
    if (!is_signed)
        ERR_clear_error();
    return is_signed ? RC_OK : RC_REFUSED;
}
