#include "account/browser_session.h"

#include "codec/base64url.h"
#include "crypto/digest.h"
#include "crypto/random.h"

enum { RANDOM_BYTES = 32 };

_Static_assert((int)BASE64URL_TEXT_BYTES(RANDOM_BYTES) == (int)BROWSER_VALUE_BYTES, "the cookie");

/* OWASP ASVS 5.0 7.2.3: at least 128 bits of randomness. */
static void make_value(char out_value[static BROWSER_VALUE_BYTES])
{
    char random[RANDOM_BYTES];
    struct buffer text = buffer_over(out_value, BROWSER_VALUE_BYTES);

    random_bytes(random, sizeof(random));
    base64url_encode((struct str){ random, sizeof(random) }, &text);
    ASSERT(!text.overflow && text.len == BROWSER_VALUE_BYTES);
    explicit_bzero(random, sizeof(random));
}

enum rc browser_session_begin(struct store *store, const struct browser_begin *begin,
                              struct store_unit *unit, char out_value[static BROWSER_VALUE_BYTES],
                              struct browser_session *out_session)
{
    bool is_signed_in = begin->stage == STAGE_SIGNED_IN;
    struct browser_session session = {
        .account_id = begin->account_id,
        .stage = begin->stage,
        .methods = begin->methods,
        .device = begin->device,
        .created_at = begin->now,
        .proved_at = is_signed_in ? begin->now : 0,
        .last_active_at = begin->now,
        .expires_at = begin->now + (is_signed_in ? BROWSER_LIFETIME_S : BROWSER_CODE_S),
    };
    enum rc rc = store_next_id(store, SEQUENCE_NOUN, &session.id);

    if (rc != RC_OK)
        return rc;
    session.login_id = begin->login_id != 0 ? begin->login_id : session.id;
    make_value(out_value);
    digest_sha256((struct str){ out_value, BROWSER_VALUE_BYTES }, session.digest);
    memcpy(session.address, begin->address, sizeof(session.address));
    if (begin->replaces_id != 0) /* OWASP ASVS 5.0 7.2.4 */
        store_replace_browser_session(unit, begin->replaces_id);
    if (begin->password_hash.len > 0)
        store_expect_password_hash(unit, begin->account_id, begin->password_hash);
    store_insert_browser_session(unit, &session);
    *out_session = session;
    return RC_OK;
}

static bool is_over(const struct browser_session *session, int64_t now)
{
    return now >= session->expires_at || now - session->last_active_at >= BROWSER_IDLE_S;
}

/* A use that cannot be noted turns nobody away: at worst the session is over sooner. */
static void touch(struct store *store, struct browser_session *session, int64_t now)
{
    UNINITIALIZED struct store_unit unit;

    if (now - session->last_active_at < BROWSER_TOUCH_S)
        return;
    store_unit_init(&unit);
    store_touch_browser_session(&unit, session->id, now);
    if (store_commit(store, &unit) == RC_OK)
        session->last_active_at = now;
}

enum rc browser_session_find(struct store *store, struct str value, int64_t now,
                             struct arena *arena, struct browser_session *out_session,
                             struct account *out_account)
{
    unsigned char digest[DIGEST_BYTES];
    struct browser_session session;
    struct account account;
    enum rc rc;

    if (value.len != BROWSER_VALUE_BYTES)
        return RC_NOT_FOUND;
    digest_sha256(value, digest);
    rc = store_find_browser_session(store, digest, arena, &session);
    if (rc != RC_OK)
        return rc;
    if (is_over(&session, now)) /* OWASP ASVS 5.0 7.3.1, 7.3.2 */
        return RC_NOT_FOUND;
    rc = store_find_account(store, session.account_id, arena, &account);
    if (rc != RC_OK)
        return rc;
    if (account.is_disabled) /* OWASP ASVS 5.0 7.4.2 */
        return RC_NOT_FOUND;
    touch(store, &session, now);
    *out_session = session;
    *out_account = account;
    return RC_OK;
}

bool browser_session_needs_proof(const struct browser_session *session, int64_t now)
{
    return session->stage != STAGE_SIGNED_IN || now - session->proved_at > BROWSER_PROOF_S;
}
