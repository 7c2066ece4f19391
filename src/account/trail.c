#include "account/trail.h"

#include "crypto/seal.h"

enum { STATEMENT_BYTES = 128 };

static const struct str head_name = { "audit-head", 10 };

static void append_number(struct buffer *to, int64_t number)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        buffer_append_byte(to, (char)(unsigned char)((uint64_t)number >> shift));
}

static struct str bytes_str(const unsigned char *bytes, size_t len)
{
    return (struct str){ (const char *)bytes, len };
}

/* ---- the key ---- */

enum rc trail_key_open(const unsigned char *master_key, struct trail_key *out_key)
{
    unsigned char seed[32];
    struct public_key public_key;
    struct signer *signer;
    enum rc rc;

    hkdf_sha256(bytes_str(master_key, SEAL_KEY_BYTES), STR("audit"), seed);
    rc = signer_import_private(SIGNER_EDDSA, bytes_str(seed, sizeof(seed)), &signer);
    explicit_bzero(seed, sizeof(seed));
    if (rc != RC_OK)
        return rc;
    signer_public(signer, &public_key);
    out_key->signer = signer;
    out_key->master_key = master_key;
    memcpy(out_key->public_bytes, public_key.x, sizeof(out_key->public_bytes));
    return RC_OK;
}

void trail_key_close(struct trail_key *key)
{
    if (key->signer != NULL)
        signer_free(key->signer);
    key->signer = NULL;
}

/* ---- the digest ---- */

struct digest_stream *trail_digest_begin(int64_t number,
                                         const unsigned char previous[static DIGEST_BYTES])
{
    struct digest_stream *stream = digest_stream_new();
    char bytes[8];
    struct buffer text = buffer_over(bytes, sizeof(bytes));

    append_number(&text, number);
    digest_stream_add(stream, STR("jeton audit events 1\n"));
    digest_stream_add(stream, buffer_str(&text));
    digest_stream_add(stream, bytes_str(previous, DIGEST_BYTES));
    return stream;
}

static void add_text(struct digest_stream *stream, struct str text)
{
    char bytes[8];
    struct buffer length = buffer_over(bytes, sizeof(bytes));

    append_number(&length, (int64_t)text.len);
    digest_stream_add(stream, str_from(buffer_str(&length), 4));
    digest_stream_add(stream, text);
}

void trail_digest_add(struct digest_stream *stream, const struct trail_event *event)
{
    char bytes[48];
    struct buffer numbers = buffer_over(bytes, sizeof(bytes));

    append_number(&numbers, event->id);
    append_number(&numbers, event->at);
    append_number(&numbers, event->kind);
    append_number(&numbers, event->account_id);
    append_number(&numbers, event->client_id);
    append_number(&numbers, event->token_id);
    digest_stream_add(stream, buffer_str(&numbers));
    add_text(stream, event->address);
    add_text(stream, event->detail);
}

/* ---- the signature ---- */

static void append_statement(const struct checkpoint *checkpoint, struct buffer *to)
{
    buffer_append_str(to, STR("jeton audit checkpoint 1\n"));
    append_number(to, checkpoint->number);
    append_number(to, checkpoint->last_event_id);
    append_number(to, checkpoint->event_count);
    append_number(to, checkpoint->at);
    buffer_append_str(to, bytes_str(checkpoint->digest, DIGEST_BYTES));
}

enum rc trail_sign(const struct trail_key *key, struct checkpoint *checkpoint)
{
    unsigned char signature[SIGNER_SIGNATURE_BYTES_MAX];
    char bytes[STATEMENT_BYTES];
    struct buffer statement = buffer_over(bytes, sizeof(bytes));
    size_t len;
    enum rc rc;

    append_statement(checkpoint, &statement);
    rc = signer_sign(key->signer, buffer_str(&statement), signature, &len);
    if (rc != RC_OK)
        return rc;
    ASSERT(len == TRAIL_SIGNATURE_BYTES);
    memcpy(checkpoint->signature, signature, TRAIL_SIGNATURE_BYTES);
    memcpy(checkpoint->public_key, key->public_bytes, TRAIL_KEY_BYTES);
    return RC_OK;
}

enum rc trail_verify(const unsigned char public_bytes[static TRAIL_KEY_BYTES],
                     const struct checkpoint *checkpoint)
{
    struct public_key public_key = { .kind = SIGNER_EDDSA };
    char bytes[STATEMENT_BYTES];
    struct buffer statement = buffer_over(bytes, sizeof(bytes));
    struct verifier *verifier;
    enum rc rc;

    if (memcmp(public_bytes, checkpoint->public_key, TRAIL_KEY_BYTES) != 0) /* tidy: public */
        return RC_REFUSED;
    memcpy(public_key.x, public_bytes, TRAIL_KEY_BYTES);
    rc = verifier_new(&public_key, &verifier);
    if (rc != RC_OK)
        return rc == RC_INVALID ? RC_REFUSED : rc;
    append_statement(checkpoint, &statement);
    rc = verifier_verify(verifier, buffer_str(&statement),
                         bytes_str(checkpoint->signature, TRAIL_SIGNATURE_BYTES));
    verifier_free(verifier);
    return rc;
}

/* ---- the head ---- */

enum rc trail_head_put(const struct trail_key *key, const struct checkpoint *checkpoint,
                       char sealed[static TRAIL_HEAD_BYTES], struct store_unit *unit)
{
    char bytes[8 + DIGEST_BYTES];
    struct buffer plain = buffer_over(bytes, sizeof(bytes));
    struct buffer to = buffer_over(sealed, TRAIL_HEAD_BYTES);
    enum rc rc;

    append_number(&plain, checkpoint->number);
    buffer_append_str(&plain, bytes_str(checkpoint->digest, DIGEST_BYTES));
    rc = seal(key->master_key, head_name, buffer_str(&plain), &to);
    if (rc == RC_OK)
        store_put_sealed_value(unit, head_name, buffer_str(&to));
    return rc;
}

enum rc trail_head_find(struct store *store, const struct trail_key *key,
                        struct trail_head *out_head)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    unsigned char bytes[8 + DIGEST_BYTES];
    struct buffer plain = buffer_over(bytes, sizeof(bytes));
    uint64_t number = 0;
    struct str sealed;
    enum rc rc;

    arena_init(&arena, 4096);
    rc = store_find_sealed_value(store, head_name, &arena, &sealed);
    if (rc == RC_OK)
        rc = unseal(key->master_key, head_name, sealed, &plain);
    if (rc == RC_OK && plain.len != sizeof(bytes))
        rc = RC_INVALID;
    if (rc != RC_OK)
        return rc == RC_TOO_LARGE ? RC_INVALID : rc;
    for (size_t i = 0; i < 8; i++)
        number = number << 8 | bytes[i];
    out_head->number = (int64_t)number;
    memcpy(out_head->digest, bytes + 8, DIGEST_BYTES);
    return RC_OK;
}
