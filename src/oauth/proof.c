#include "oauth/proof.h"

#include <stdlib.h>

#include "codec/base64url.h"
#include "codec/json.h"
#include "oauth/proof_check.h"
#include "store/authorized.h"

enum rc proof_book_new(const unsigned char *master_key, bool asks_nonce, int64_t restored_at,
                       struct proof_book **out_book)
{
    struct proof_book *book = calloc(1, sizeof(*book));
    unsigned char key[SEAL_KEY_BYTES];

    ASSERT(book != NULL);
    hkdf_sha256((struct str){ (const char *)master_key, SEAL_KEY_BYTES }, STR("jeton dpop nonces"),
                key);
    book->nonce_key = hmac_key_new(key);
    book->asks_nonce = asks_nonce;
    book->restored_at = restored_at;
    explicit_bzero(key, sizeof(key));
    *out_book = book;
    return RC_OK;
}

void proof_book_free(struct proof_book *book)
{
    if (book == NULL)
        return;
    hmac_key_free(book->nonce_key);
    free(book);
}

/* ---- bindings -------------------------------------------------------------------------------- */

void proof_certificate_thumbprint(struct str der, unsigned char out_thumbprint[static DIGEST_BYTES])
{
    digest_sha256(der, out_thumbprint); /* RFC 8705 3.1 */
}

bool binding_equal(const struct binding *a, const struct binding *b)
{
    if (a->kind != b->kind)
        return false;
    return a->kind == BINDING_NONE ||
           secret_bytes_equal(a->thumbprint, b->thumbprint, DIGEST_BYTES);
}

void binding_format(const struct binding *binding, struct json_out *json)
{
    char memory[BASE64URL_TEXT_BYTES(DIGEST_BYTES)];
    struct buffer text = buffer_over(memory, sizeof(memory));

    json_name(json, STR("cnf"));
    if (binding->kind == BINDING_NONE) {
        json_raw(json, STR("null"));
        return;
    }
    base64url_encode((struct str){ (const char *)binding->thumbprint, DIGEST_BYTES }, &text);
    json_begin_object(json);
    json_member_string(json, binding->kind == BINDING_DPOP ? STR("jkt") : STR("x5t#S256"),
                       buffer_str(&text));
    json_end_object(json);
}

/* ---- for new tokens -------------------------------------------------------------------------- */

enum rc proof_require(struct oauth_call *call, unsigned policy)
{
    if ((policy & CLIENT_BINDS_DPOP) != 0 && call->proof.proof_count == 0) { /* RFC 9449 5.2 */
        proof_offer_nonce(call);
        return oauth_refuse(call, OAUTH_INVALID_PROOF, "this client has to send a DPoP proof",
                            NULL);
    }
    if ((policy & CLIENT_BINDS_TLS) != 0 && !call->proof.has_certificate) /* RFC 8705 3.4 */
        return oauth_refuse(call, OAUTH_INVALID_REQUEST,
                            "this client has to present its TLS certificate", NULL);
    return RC_OK;
}

/* RFC 9449 11.1 */
static void add_seen(struct oauth_call *call, const struct proof *proof, struct store_unit *unit)
{
    call->proof_step = unit->step_count + 1;
    store_insert_seen(unit, proof->seen_digest, proof->seen_until);
}

enum rc proof_read(struct oauth_call *call, bool binds_tls, struct store_unit *unit,
                   struct binding *out_binding)
{
    struct binding binding = { .kind = BINDING_NONE };
    struct proof proof;
    enum rc rc;

    if (call->proof.proof_count > 0) {
        rc = proof_check(call, &(struct proof_demand){ .token = NULL }, &proof);
        if (rc != RC_OK)
            return rc;
        add_seen(call, &proof, unit);
        binding.kind = BINDING_DPOP;
        memcpy(binding.thumbprint, proof.thumbprint, DIGEST_BYTES);
    } else if (binds_tls && call->proof.has_certificate) {
        binding.kind = BINDING_TLS;
        proof_certificate_thumbprint(call->proof.certificate, binding.thumbprint);
    }
    *out_binding = binding;
    return RC_OK;
}

enum rc proof_refuse_replay(struct oauth_call *call)
{
    return oauth_refuse(call, OAUTH_INVALID_PROOF, "the DPoP proof was used before",
                        "jti replayed");
}

enum rc proof_settle(struct oauth_call *call, const struct store_unit *unit, enum rc rc)
{
    bool is_replay =
        rc == RC_SPENT && call->proof_step > 0 && unit->answered_step == call->proof_step - 1;

    return is_replay ? proof_refuse_replay(call) : rc;
}

enum rc proof_commit(struct oauth_call *call, struct store_unit *unit)
{
    enum rc rc = store_commit(call->oauth->store, unit);

    return rc == RC_SPENT ? proof_refuse_replay(call) : rc;
}

enum rc proof_take(struct oauth_call *call, struct binding *out_binding)
{
    UNINITIALIZED struct store_unit unit;
    struct binding binding;
    enum rc rc;

    store_unit_init(&unit);
    rc = proof_read(call, false, &unit, &binding);
    if (rc == RC_OK)
        rc = proof_commit(call, &unit);
    if (rc == RC_OK)
        *out_binding = binding;
    return rc;
}

/* ---- for tokens that are presented ----------------------------------------------------------- */

static enum rc refuse_token(struct oauth_call *call, const char *description)
{
    return oauth_refuse(call, OAUTH_INVALID_TOKEN, description, NULL);
}

static enum rc check_key(struct oauth_call *call, const struct binding *binding, struct str token)
{
    struct proof_demand demand = { .token = &token, .thumbprint = binding->thumbprint };
    UNINITIALIZED struct store_unit unit;
    struct proof proof;
    enum rc rc;

    if (call->proof.proof_count == 0) {
        proof_offer_nonce(call);
        return oauth_refuse(call, OAUTH_INVALID_PROOF, "the header DPoP is missing", NULL);
    }
    if (!call->may_block)
        return RC_WOULD_BLOCK;
    rc = proof_check(call, &demand, &proof);
    if (rc != RC_OK)
        return rc;
    store_unit_init(&unit);
    add_seen(call, &proof, &unit);
    return proof_commit(call, &unit);
}

static enum rc check_certificate(struct oauth_call *call, const struct binding *binding)
{
    unsigned char thumbprint[DIGEST_BYTES];

    if (!call->proof.has_certificate)
        return refuse_token(call, "the token is bound to a TLS certificate");
    proof_certificate_thumbprint(call->proof.certificate, thumbprint);
    if (!secret_bytes_equal(thumbprint, binding->thumbprint, DIGEST_BYTES))
        return refuse_token(call, "the token is bound to another TLS certificate");
    return RC_OK;
}

enum rc proof_check_holder(struct oauth_call *call, const struct binding *binding,
                           bool scheme_is_dpop, struct str token)
{
    switch (binding->kind) {
    case BINDING_NONE: /* RFC 9449 7.1 */
        return scheme_is_dpop ? refuse_token(call, "the token is not bound to a key: use Bearer")
                              : RC_OK;
    case BINDING_DPOP: /* RFC 9449 7.2 */
        return scheme_is_dpop ? check_key(call, binding, token)
                              : refuse_token(call, "the token is bound to a key: use DPoP");
    case BINDING_TLS: /* RFC 8705 3 */
        return scheme_is_dpop ? refuse_token(call, "the token is not bound to a key: use Bearer")
                              : check_certificate(call, binding);
    case BINDING_KIND_COUNT:
        break;
    }
    ASSERT(false);
    return RC_SYSTEM;
}
