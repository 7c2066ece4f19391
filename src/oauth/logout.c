#include "oauth/logout.h"

#include "codec/uuid.h"
#include "crypto/random.h"

enum {
    SESSIONS_PER_READ = 16,
    GRANTS_PER_UNIT = 8,        /* a step each, and one event */
    PAGE_BYTES_MAX = 256 * 1024 /* a page of grants, or one client with what it was allowed */
};

_Static_assert(PAGE_BYTES_MAX > GRANTS_PER_UNIT * (2 * SCOPE_BYTES_MAX + 1024), "a page fits");
_Static_assert(PAGE_BYTES_MAX > 2 * (CLIENT_METADATA_BYTES_MAX + 2 * TOKEN_VALUE_BYTES_MAX),
               "a client fits, and all that was allowed it");
_Static_assert((int)GRANTS_PER_UNIT < (int)STORE_UNIT_STEP_COUNT_MAX, "an event must fit too");

/* ---- which sign-ins -------------------------------------------------------------------------- */

static void note(struct logout *logout, int64_t login_id)
{
    for (size_t i = 0; i < logout->count; i++)
        if (logout->login_ids[i] == login_id)
            return;
    if (login_id != 0 && logout->count < LOGOUT_SIGN_IN_COUNT_MAX)
        logout->login_ids[logout->count++] = login_id;
}

enum rc logout_note(struct oauth_call *call, int64_t account_id, int64_t session_id,
                    int64_t kept_id, struct logout *out_logout)
{
    __attribute__((cleanup(arena_deinit))) struct arena read = { 0 };
    struct browser_session rows[SESSIONS_PER_READ];
    int64_t before_id = session_id == 0 ? INT64_MAX : session_id + 1;
    size_t found = SESSIONS_PER_READ;

    out_logout->count = 0;
    arena_init(&read, PAGE_BYTES_MAX);
    while (found == SESSIONS_PER_READ && out_logout->count < LOGOUT_SIGN_IN_COUNT_MAX) {
        enum rc rc;

        arena_reset(&read);
        rc = store_list_browser_sessions(call->oauth->store, account_id, before_id, &read, rows,
                                         session_id == 0 ? SESSIONS_PER_READ : 1, &found);
        if (rc != RC_OK)
            return rc;
        for (size_t i = 0; i < found; i++) {
            before_id = rows[i].id;
            if (rows[i].id != kept_id && (session_id == 0 || rows[i].id == session_id))
                note(out_logout, rows[i].login_id);
        }
    }
    return RC_OK;
}

/* ---- telling clients ------------------------------------------------------------------------- */

/* What a token will say of whose sign-in it was; the rest is known when it is made. */
static struct str format_content(struct oauth_call *call, const struct client *client,
                                 const struct client_metadata *metadata,
                                 const struct authorization *authorization, struct arena *arena)
{
    enum { CONTENT_BYTES_MAX = 1024 };
    struct buffer content = buffer_over(arena_alloc(arena, CONTENT_BYTES_MAX), CONTENT_BYTES_MAX);
    struct json_out json = json_out_over(&content);
    struct str subject = authorization->subject;

    if (subject.len == 0)
        subject = subject_of(call, client, metadata, authorization->account_id);
    json_begin_object(&json);
    json_member_string(&json, STR("sub"), subject);
    json_member_string(&json, STR("sid"), authorization->sid);
    json_end_object(&json);
    ASSERT(!content.overflow);
    return buffer_str(&content);
}

static enum rc queue(struct oauth_call *call, const struct client *client,
                     const struct authorization *authorization, struct arena *arena)
{
    struct client_metadata metadata;
    UNINITIALIZED struct store_unit unit;
    struct delivery delivery = { .client_id = client->id,
                                 .at = call->now,
                                 .next_at = call->now,
                                 .until = call->now + LOGOUT_PATIENCE_S };
    enum rc rc = client_metadata_read(client, arena, &metadata);

    if (rc != RC_OK || metadata.backchannel_logout_uri.len == 0 || client->is_disabled)
        return rc;
    rc = store_next_id(call->oauth->store, SEQUENCE_NOUN, &delivery.id);
    if (rc != RC_OK)
        return rc;
    delivery.uri = metadata.backchannel_logout_uri;
    delivery.content = format_content(call, client, &metadata, authorization, arena);
    store_unit_init(&unit);
    store_insert_delivery(&unit, &delivery);
    return store_commit(call->oauth->store, &unit);
}

/* Back-Channel Logout 2.5: all that were authorized since, whatever became of their grants. */
static enum rc tell_clients(struct oauth_call *call, int64_t login_id, struct arena *arena)
{
    struct authorization authorization = { .client_id = 0 };
    enum rc rc;

    do {
        struct catalog_client *entry;

        arena_reset(arena);
        rc = store_find_authorization_of_login(call->oauth->store, login_id,
                                               authorization.client_id, arena, &authorization);
        if (rc != RC_OK)
            break;
        rc = catalog_find_client_by_id(call->oauth->catalog, authorization.client_id, true, &entry);
        if (rc == RC_NOT_FOUND) { /* it has gone meanwhile */
            rc = RC_OK;
            continue;
        }
        if (rc != RC_OK)
            break;
        rc = queue(call, &entry->client, &authorization, arena);
        catalog_client_put(entry);
    } while (rc == RC_OK);
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

/* ---- ending grants --------------------------------------------------------------------------- */

static enum rc end_page(struct oauth_call *call, const struct grant *grants, size_t count)
{
    const struct event event = { .kind = EVENT_GRANT_ENDED,
                                 .account_id = grants[0].account_id,
                                 .client_id = grants[0].client_id,
                                 .detail = STR("its sign-in ended") };
    UNINITIALIZED struct store_unit unit;
    size_t ended_count = 0;

    store_unit_init(&unit);
    for (size_t i = 0; i < count; i++) {
        /* Back-Channel Logout 2.7 */
        if (str_has_word(grants[i].scope, STR("offline_access")))
            continue;
        store_end_grant(&unit, grants[i].id, call->now);
        ended_count++;
    }
    if (ended_count == 0)
        return RC_OK;
    oauth_add_event(call, event, &unit);
    return store_commit(call->oauth->store, &unit);
}

static enum rc end_grants(struct oauth_call *call, int64_t login_id, struct arena *arena)
{
    struct grant rows[GRANTS_PER_UNIT];
    int64_t after_id = 0;
    size_t found;

    do {
        enum rc rc;

        arena_reset(arena);
        rc = store_list_grants_of_login(call->oauth->store, login_id, after_id, arena, rows,
                                        GRANTS_PER_UNIT, &found);
        if (rc != RC_OK)
            return rc;
        if (found > 0) {
            after_id = rows[found - 1].id;
            rc = end_page(call, rows, found);
        }
        if (rc != RC_OK)
            return rc;
    } while (found == GRANTS_PER_UNIT);
    return RC_OK;
}

static enum rc end_sign_ins(struct oauth_call *call, const struct logout *logout, bool tells)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    enum rc rc = RC_OK;

    arena_init(&arena, PAGE_BYTES_MAX);
    for (size_t i = 0; rc == RC_OK && i < logout->count; i++) {
        if (tells)
            rc = tell_clients(call, logout->login_ids[i], &arena);
        if (rc == RC_OK)
            rc = end_grants(call, logout->login_ids[i], &arena);
    }
    return rc;
}

enum rc logout_finish(struct oauth_call *call, const struct logout *logout)
{
    return end_sign_ins(call, logout, true);
}

/* ---- sessions and what hangs on them --------------------------------------------------------- */

static enum rc begin(struct oauth_call *call, int64_t account_id, int64_t session_id,
                     int64_t kept_id, struct logout *out_logout)
{
    enum rc rc = logout_note(call, account_id, session_id, kept_id, out_logout);

    return rc == RC_OK ? end_sign_ins(call, out_logout, true) : rc;
}

/* A code that was redeemed while the session ended has been granted before that, and is found now;
 * from now on none can be (store_expect_login). */
static enum rc end(struct oauth_call *call, const struct logout *logout, enum rc rc)
{
    return rc == RC_OK ? end_sign_ins(call, logout, false) : rc;
}

enum rc logout_browser(struct oauth_call *call, const struct browser *browser,
                       const struct browser_session *session)
{
    struct logout logout;
    enum rc rc = begin(call, session->account_id, session->id, 0, &logout);

    if (rc == RC_OK)
        rc = browser_sign_out(call->oauth->store, browser, session);
    return end(call, &logout, rc);
}

enum rc logout_session(struct oauth_call *call, const struct browser *browser, int64_t account_id,
                       int64_t session_id, struct str detail)
{
    struct logout logout;
    enum rc rc = begin(call, account_id, session_id, 0, &logout);

    if (rc == RC_OK)
        rc = profile_end_browser_session(call->oauth->store, browser, account_id, session_id,
                                         detail);
    return end(call, &logout, rc);
}

enum rc logout_other_sessions(struct oauth_call *call, const struct browser *browser,
                              int64_t account_id, int64_t kept_id)
{
    struct logout logout;
    enum rc rc = begin(call, account_id, 0, kept_id, &logout);

    if (rc == RC_OK)
        rc = profile_end_other_sessions(call->oauth->store, browser, account_id, kept_id);
    return end(call, &logout, rc);
}

enum rc logout_account(struct oauth_call *call, const struct browser *browser, int64_t account_id,
                       int64_t kept_id, struct str detail)
{
    struct logout logout;
    enum rc rc = begin(call, account_id, 0, kept_id, &logout);

    if (rc == RC_OK)
        rc = profile_end_sessions(call->oauth->store, browser, account_id, kept_id, detail);
    return end(call, &logout, rc);
}

/* ---- a token --------------------------------------------------------------------------------- */

enum {
    FORM_BYTES_MAX = TOKEN_VALUE_BYTES_MAX + 32,
    CLAIMS_TEXT_BYTES_MAX = TOKEN_VALUE_BYTES_MAX * 11 / 16
};

/* Back-Channel Logout 2.4; no nonce, so that nobody takes it for an ID token. */
static enum rc format_claims(const struct oauth *oauth, const struct client *client,
                             struct str content, int64_t now, struct buffer *to)
{
    unsigned char jti[UUID_BYTES];
    char jti_text[UUID_TEXT_BYTES];
    struct json_out json = json_out_over(to);
    struct json_document *document;
    struct str subject, sid;
    enum rc rc = json_parse(content, &document);

    if (rc != RC_OK)
        return rc == RC_INVALID ? RC_CORRUPT : rc;
    random_bytes(jti, sizeof(jti));
    uuid_mark_random(jti);
    uuid_format(jti, jti_text);
    json_begin_object(&json);
    json_member_string(&json, STR("iss"), oauth->issuer);
    if (json_get_string(json_find(json_root(document), STR("sub")), &subject) == RC_OK)
        json_member_string(&json, STR("sub"), subject);
    json_member_string(&json, STR("aud"), client->client_id);
    json_member_number(&json, STR("iat"), now);
    json_member_number(&json, STR("exp"), now + LOGOUT_TOKEN_S);
    json_member_string(&json, STR("jti"), (struct str){ jti_text, sizeof(jti_text) });
    if (json_get_string(json_find(json_root(document), STR("sid")), &sid) == RC_OK && sid.len > 0)
        json_member_string(&json, STR("sid"), sid);
    json_name(&json, STR("events"));
    json_raw(&json, STR("{\"http://schemas.openid.net/event/backchannel-logout\":{}}"));
    json_end_object(&json);
    json_document_free(document);
    return RC_OK;
}

static enum rc make_form(const struct oauth *oauth, const struct client *client,
                         const struct delivery *delivery, int64_t now, struct arena *arena,
                         struct str *out_form)
{
    struct buffer claims =
        buffer_over(arena_alloc(arena, CLAIMS_TEXT_BYTES_MAX), CLAIMS_TEXT_BYTES_MAX);
    struct buffer form = buffer_over(arena_alloc(arena, FORM_BYTES_MAX), FORM_BYTES_MAX);
    struct client_metadata metadata;
    enum rc rc = client_metadata_read(client, arena, &metadata);

    if (rc != RC_OK)
        return rc;
    if (client->is_disabled || metadata.backchannel_logout_uri.len == 0)
        return RC_NOT_FOUND;
    rc = format_claims(oauth, client, delivery->content, now, &claims);
    if (rc != RC_OK)
        return rc;
    ASSERT(!claims.overflow);
    BUFFER_APPEND_LITERAL(&form, "logout_token="); /* a JWT needs no escapes */
    rc = token_sign(oauth->tokens, metadata.id_token_alg, STR("logout+jwt"), buffer_str(&claims),
                    now, &form);
    if (rc == RC_OK)
        *out_form = buffer_str(&form);
    return rc;
}

enum rc logout_form_make(const struct oauth *oauth, const struct delivery *delivery, int64_t now,
                         struct arena *arena, struct str *out_client_id, struct str *out_form)
{
    struct catalog_client *entry;
    enum rc rc = catalog_find_client_by_id(oauth->catalog, delivery->client_id, true, &entry);

    if (rc != RC_OK)
        return rc;
    *out_client_id = arena_copy(arena, entry->client.client_id);
    rc = make_form(oauth, &entry->client, delivery, now, arena, out_form);
    catalog_client_put(entry);
    return rc;
}
