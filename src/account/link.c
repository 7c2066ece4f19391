#include "account/link.h"

#include "codec/base64url.h"
#include "crypto/digest.h"
#include "crypto/random.h"

enum { RANDOM_BYTES = 32 };

_Static_assert((int)LINK_VALUE_BYTES == BASE64URL_TEXT_BYTES((int)RANDOM_BYTES), "the same bytes");

static int64_t lifetime_s_of(enum link_purpose purpose)
{
    switch (purpose) {
    case LINK_RESET:
        return LINK_RESET_S;
    case LINK_INVITATION:
        return LINK_INVITATION_S;
    case LINK_VERIFY:
    case LINK_REGISTER:
        break;
    }
    return LINK_VERIFY_S;
}

enum rc link_draft(struct store *store, struct link *link, bool is_for_one, int64_t now,
                   struct secret *out_value)
{
    unsigned char random[RANDOM_BYTES];
    char text[LINK_VALUE_BYTES];
    struct buffer value = buffer_over(text, sizeof(text));
    enum rc rc = store_next_id(store, SEQUENCE_NOUN, &link->id);

    if (rc != RC_OK)
        return rc;
    random_bytes(random, sizeof(random));
    base64url_encode((struct str){ (const char *)random, sizeof(random) }, &value);
    ASSERT(!value.overflow && secret_set(out_value, buffer_str(&value)) == RC_OK);
    digest_sha256(buffer_str(&value), link->digest);
    explicit_bzero(random, sizeof(random));
    explicit_bzero(text, sizeof(text));
    link->expires_at = now + (is_for_one ? lifetime_s_of(link->purpose) : 0);
    return RC_OK;
}

void link_add(const struct link *link, struct store_unit *unit)
{
    store_delete_links(unit, link->account_id, link->purpose);
    store_insert_link(unit, link);
}

enum rc link_find(struct store *store, const struct secret *value, int64_t now, struct arena *arena,
                  struct link *out_link)
{
    unsigned char digest[DIGEST_BYTES];

    if (value->len != LINK_VALUE_BYTES)
        return RC_NOT_FOUND;
    digest_sha256(secret_expose(value), digest);
    return store_find_link(store, digest, now, arena, out_link);
}
