/*
 * DPoP proofs as a client makes them, and as it should not.
 */
#ifndef JETON_TEST_PROOF_FIXTURE_H
#define JETON_TEST_PROOF_FIXTURE_H

#include "fixture.h"

#include "codec/base64url.h"

enum { PROOF_TEXT_BYTES_MAX = 8192 };

/* A key of the client's, and its public half as the members of a JWK. */
struct holder {
    struct signer *signer;
    enum signer_kind kind;
    char jwk[1024];
    char thumbprint[JWK_THUMBPRINT_TEXT_BYTES + 1];
};

static inline void holder_init(struct holder *holder, enum signer_kind kind)
{
    char memory[2048];
    struct buffer json = buffer_over(memory, sizeof(memory));
    struct public_key key;

    crypto_init();
    holder->kind = kind;
    assert_int_equal(signer_generate(kind, &holder->signer), RC_OK);
    signer_public(holder->signer, &key);
    jwk_format_public(&key, STR("k"), &json);
    assert_true(json.len < sizeof(holder->jwk));
    memcpy(holder->jwk, memory, json.len);
    holder->jwk[json.len] = '\0';
    jwk_thumbprint(&key, holder->thumbprint);
    holder->thumbprint[JWK_THUMBPRINT_TEXT_BYTES] = '\0';
}

static inline void holder_deinit(struct holder *holder)
{
    signer_free(holder->signer);
}

/* Signs any header and any claims. */
static inline void proof_sign(const struct holder *holder, const char *header, const char *claims,
                              char out_text[static PROOF_TEXT_BYTES_MAX])
{
    struct buffer text = buffer_over(out_text, PROOF_TEXT_BYTES_MAX - 1);
    unsigned char signature[SIGNER_SIGNATURE_BYTES_MAX];
    size_t signature_bytes;

    base64url_encode(str_of(header), &text);
    buffer_append_byte(&text, '.');
    base64url_encode(str_of(claims), &text);
    assert_int_equal(signer_sign(holder->signer, buffer_str(&text), signature, &signature_bytes),
                     RC_OK);
    buffer_append_byte(&text, '.');
    base64url_encode((struct str){ (const char *)signature, signature_bytes }, &text);
    assert_false(text.overflow);
    out_text[text.len] = '\0';
}

/* Of what a good proof is made; NULL: as it should be. */
struct proof_parts {
    const char *header; /* the whole of it */
    const char *htm;
    const char *htu;
    const char *jti;    /* one that no other has */
    const char *nonce;  /* none */
    const char *access; /* ath of it; none */
    const char *more;   /* members, each with its comma before it */
    int64_t iat_from_now_s;
};

static inline void append_ath(const char *access, struct buffer *claims)
{
    unsigned char digest[SHA256_BYTES];

    digest_sha256(str_of(access), digest);
    BUFFER_APPEND_LITERAL(claims, ",\"ath\":\"");
    base64url_encode((struct str){ (const char *)digest, sizeof(digest) }, claims);
    BUFFER_APPEND_LITERAL(claims, "\"");
}

static inline const char *either(const char *text, const char *standard)
{
    return text == NULL ? standard : text;
}

/* In static memory of the thread, good until the next one. */
static inline const char *proof_make(const struct holder *holder, int64_t now,
                                     struct proof_parts parts)
{
    static _Thread_local char text[PROOF_TEXT_BYTES_MAX];
    static _Atomic unsigned count;
    char header[2048], jti[32], memory[4096];
    struct buffer claims = buffer_over(memory, sizeof(memory) - 1);

    snprintf(jti, sizeof(jti), "jti-%u", atomic_fetch_add(&count, 1));
    snprintf(header, sizeof(header), "{\"typ\":\"dpop+jwt\",\"alg\":\"%.*s\",\"jwk\":%s}",
             STR_ARGS(jose_alg_format(holder->kind)), holder->jwk);
    buffer_append_format(&claims, "{\"jti\":\"%s\",\"htm\":\"%s\",\"htu\":\"%s\",\"iat\":%lld",
                         either(parts.jti, jti), either(parts.htm, "POST"),
                         either(parts.htu, TOKEN_URI), (long long)(now + parts.iat_from_now_s));
    if (parts.nonce != NULL)
        buffer_append_format(&claims, ",\"nonce\":\"%s\"", parts.nonce);
    if (parts.access != NULL)
        append_ath(parts.access, &claims);
    buffer_append_format(&claims, "%s}", either(parts.more, ""));
    memory[claims.len] = '\0';
    proof_sign(holder, either(parts.header, header), memory, text);
    return text;
}

/* What a request without anything to grant would be told of its proof. */
static inline struct outcome ask_proof(struct oauth_fixture *fixture, const char *proof,
                                       struct binding *out_binding)
{
    struct asking *asking = asking_new(fixture, &(struct ask){ .proof = proof });

    return asking_end(asking, proof_take(&asking->call, out_binding));
}

/* How a token is presented to a resource of ours. */
struct use {
    const char *access;
    const char *proof;
    const char *certificate;
    bool is_dpop;
    bool is_barred;
};

static inline struct outcome use_token(struct oauth_fixture *fixture, struct use use)
{
    struct asking *asking = asking_new(fixture, &(struct ask){ .proof = use.proof,
                                                               .certificate = use.certificate,
                                                               .is_barred = use.is_barred });
    struct token_presented presented = { .value = str_of(use.access) };
    struct bearer_demand demand = { .scheme_is_dpop = use.is_dpop };
    struct token_view view;
    enum rc rc = bearer_check(&asking->call, &presented, &demand, &view);

    if (rc == RC_OK)
        token_view_put(fixture->room->room, &view);
    return asking_end(asking, rc);
}

#endif
