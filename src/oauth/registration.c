#include "oauth/registration.h"

#include "codec/base64url.h"
#include "codec/json.h"
#include "codec/uuid.h"
#include "crypto/random.h"
#include "oauth/introspection.h"
#include "store/newcomers.h"
#include "store/shared.h"

enum {
    VALUE_BYTES = 32, /* of secrets and registration access tokens */
    GRANTS_PER_READ = 16,
    GRANT_BYTES_MAX = 3 * SCOPE_BYTES_MAX + 1024
};

/* One on its way. */
struct registering {
    struct oauth_call *call;
    struct arena arena; /* what is registered may be larger than a request's has room for */
    struct client client;
    const struct secret *token;
    struct secret secret; /* made now; empty: none */
    struct store_unit unit;
};

static enum rc refuse_metadata(struct oauth_call *call, const char *description)
{
    return oauth_refuse(call, OAUTH_INVALID_CLIENT_METADATA, description, NULL);
}

/* RFC 7592 2.1: also where there is no such client, so that nobody learns which there are. */
static enum rc refuse_token(struct oauth_call *call, const char *why)
{
    return oauth_refuse(call, OAUTH_INVALID_TOKEN,
                        "the registration access token is missing or not this client's", why);
}

/* ---- values ---------------------------------------------------------------------------------- */

static void make_value(struct secret *out_value)
{
    unsigned char random[VALUE_BYTES];
    struct buffer text = buffer_over(out_value->bytes, sizeof(out_value->bytes));

    random_bytes(random, sizeof(random));
    base64url_encode((struct str){ (const char *)random, sizeof(random) }, &text);
    ASSERT(!text.overflow);
    out_value->len = text.len;
    explicit_bzero(random, sizeof(random));
}

static struct str digest_of(struct str token, struct arena *arena)
{
    unsigned char digest[SHA256_BYTES];
    size_t bytes = BASE64URL_TEXT_BYTES(SHA256_BYTES);
    struct buffer text = buffer_over(arena_alloc(arena, bytes), bytes);

    digest_sha256(token, digest);
    base64url_encode((struct str){ (const char *)digest, sizeof(digest) }, &text);
    return buffer_str(&text);
}

static struct str make_id(struct arena *arena)
{
    unsigned char bytes[UUID_BYTES];
    char *text = arena_alloc(arena, UUID_TEXT_BYTES);

    random_bytes(bytes, sizeof(bytes));
    uuid_mark_random(bytes);
    uuid_format(bytes, text);
    return (struct str){ text, UUID_TEXT_BYTES };
}

static void make_secret(struct registering *one)
{
    char *hash = arena_alloc(&one->arena, PASSWORD_HASH_BYTES_MAX);

    make_value(&one->secret);
    secret_store_made(one->call->oauth->secrets, &one->secret, hash);
    one->client.secret_hash = str_of(hash);
}

/* ---- what is asked --------------------------------------------------------------------------- */

/* Members that are no metadata. RFC 7591 2.3: we know nobody whose statements we would believe. */
static enum rc check_members(struct oauth_call *call, const struct json_value *root,
                             const struct client *current)
{
    /* RFC 7592 2.2 */
    static const struct str ours[] = { { "registration_access_token", 25 },
                                       { "registration_client_uri", 23 },
                                       { "client_secret_expires_at", 24 },
                                       { "client_id_issued_at", 19 } };
    struct str id;

    if (json_find(root, STR("software_statement")) != NULL)
        return oauth_refuse(call, OAUTH_UNAPPROVED_STATEMENT,
                            "software statements are not accepted here", NULL);
    if (current == NULL)
        return RC_OK;
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (json_find(root, ours[i]) != NULL)
            return refuse_metadata(call, "a change must not name registration_access_token, "
                                         "registration_client_uri, client_secret_expires_at or "
                                         "client_id_issued_at");
    if (json_get_string(json_find(root, STR("client_id")), &id) != RC_OK ||
        !str_equal(id, current->client_id))
        return refuse_metadata(call, "client_id must be that of the client");
    return RC_OK;
}

/* RFC 7592 2.2: it may be repeated, and not chosen. */
static enum rc check_secret(struct oauth_call *call, const struct json_value *root,
                            const struct client *current)
{
    const struct json_value *value = json_find(root, STR("client_secret"));
    AUTO(secret) secret = { 0 };
    struct str text;
    enum rc rc = RC_REFUSED;

    if (value == NULL || current == NULL)
        return RC_OK; /* RFC 7591 2: at a registration it means nothing */
    if (json_get_string(value, &text) == RC_OK && secret_set(&secret, text) == RC_OK &&
        current->secret_hash.len > 0)
        rc =
            secret_check(call->oauth->secrets, &secret, current->secret_hash, NULL, call->may_hash);
    if (rc == RC_WOULD_BLOCK)
        return RC_NEEDS_HASH;
    return rc == RC_REFUSED ? refuse_metadata(call, "client_secret is not the client's") : rc;
}

/* current: as the client is registered; NULL: it is not yet */
static enum rc read_request(struct oauth_call *call, struct str json, const struct client *current)
{
    struct json_document *document = NULL;
    enum rc rc = json_parse(json, &document);

    if (rc_is_fault(rc))
        return rc;
    if (rc != RC_OK || !json_is_object(json_root(document)))
        rc = refuse_metadata(
            call, "the body must be one JSON object, no name twice in it, at most 16 levels deep");
    else
        rc = check_members(call, json_root(document), current);
    if (rc == RC_OK)
        rc = check_secret(call, json_root(document), current);
    json_document_free(document);
    return rc;
}

static enum rc judge(struct registering *one, struct str json)
{
    struct metadata_problem problem;
    enum rc rc =
        admission_judge(one->call, json, CLIENT_IS_REGISTERED, &one->arena, &one->client, &problem);
    struct str words;

    if (rc != RC_REFUSED)
        return rc;
    words = arena_format(one->call->arena, "%.*s%s%.*s", STR_ARGS(problem.member),
                         problem.member.len > 0 ? ": " : "", STR_ARGS(problem.sentence));
    rc = oauth_refuse(one->call, problem.error, "", NULL);
    one->call->refusal.description = words;
    return rc;
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* RFC 7591 3.2.1; RFC 7592 3 */
static enum rc format(struct registering *one, struct buffer *out_json)
{
    const struct client *client = &one->client;
    struct json_out json = json_out_over(out_json);
    struct str root = one->call->oauth->root;
    enum rc rc;

    json_begin_object(&json);
    json_member_string(&json, STR("client_id"), client->client_id);
    json_member_number(&json, STR("client_id_issued_at"), client->created_at);
    if (one->secret.len > 0)
        json_member_string(&json, STR("client_secret"), secret_expose(&one->secret));
    if (client_has_secret(client)) /* it never expires */
        json_member_number(&json, STR("client_secret_expires_at"), 0);
    json_member_string(&json, STR("registration_client_uri"),
                       arena_format(one->call->arena, "%.*s" REGISTRATION_PATH "/%.*s",
                                    STR_ARGS(root), STR_ARGS(client->client_id)));
    json_member_string(&json, STR("registration_access_token"), secret_expose(one->token));
    rc = client_metadata_format(client, &one->arena, &json);
    json_end_object(&json);
    return rc;
}

static void begin(struct registering *one, struct oauth_call *call)
{
    *one = (struct registering){ .call = call };
    arena_init(&one->arena, ADMISSION_ARENA_BYTES);
}

static void end(struct registering *one)
{
    secret_wipe(&one->secret);
    arena_deinit(&one->arena);
}

/* ---- registering ----------------------------------------------------------------------------- */

/* The word is an administrator's to give: to a client when it was made, or as their own token. */
static enum rc check_client(struct oauth_call *call, int64_t client_id)
{
    struct catalog_client *client;
    enum rc rc =
        catalog_find_client_by_id(call->oauth->catalog, client_id, call->may_block, &client);
    bool may_give;

    if (rc != RC_OK)
        return rc;
    may_give = str_has_word(client->client.scope, STR(ADMISSION_WORD));
    catalog_client_put(client);
    return may_give ? RC_OK
                    : oauth_refuse(call, OAUTH_INSUFFICIENT_SCOPE,
                                   "the client may let no clients register any more",
                                   "initial access token of a client that lost the scope");
}

/* Whose token it is has to be allowed to give it today. */
static enum rc check_giver(struct oauth_call *call, int64_t account_id, int64_t client_id)
{
    struct account account;
    enum rc rc;

    if (account_id == 0)
        return check_client(call, client_id);
    rc = store_find_account(call->oauth->store, account_id, call->arena, &account);
    if (rc != RC_OK && rc != RC_NOT_FOUND)
        return rc;
    if (rc == RC_NOT_FOUND || account.is_disabled || !account.is_admin)
        return oauth_refuse(call, OAUTH_INSUFFICIENT_SCOPE,
                            "only administrators can let clients register",
                            "initial access token of no administrator");
    call->log_username = account.name;
    return RC_OK;
}

/* RFC 7591 3: an initial access token, which is an access token of ours. */
static enum rc check_initial(struct oauth_call *call, const struct registration_token *token)
{
    struct token_presented presented = { .value = token->value, .address = call->address };
    struct bearer_demand demand = { .scope = STR(ADMISSION_WORD),
                                    .scheme_is_dpop = token->is_dpop };
    struct token_view view;
    int64_t account_id, client_id;
    bool is_ours;
    enum rc rc;

    if (call->oauth->admission->registration == REGISTRATION_OPEN && token->value.len == 0)
        return RC_OK;
    if (token->value.len == 0)
        return oauth_refuse(call, OAUTH_INVALID_TOKEN, "", "no initial access token");
    rc = bearer_check(call, &presented, &demand, &view);
    if (rc != RC_OK)
        return rc;
    is_ours = view.live.grant->audience.len == 0;
    account_id = view.live.grant->account_id;
    client_id = view.live.grant->client_id;
    token_view_put(call->oauth->tokens, &view);
    if (!is_ours)
        return oauth_refuse(call, OAUTH_INVALID_TOKEN, "the token is not for this endpoint", NULL);
    return check_giver(call, account_id, client_id);
}

/* Without a token anybody may register, but not as often as they like. */
static enum rc count_try(struct oauth_call *call, const struct registration_token *token)
{
    struct store_unit unit;
    enum rc rc;

    if (token->value.len > 0)
        return RC_OK;
    store_unit_init(&unit);
    throttle_count_registration(call->oauth->door->throttle, call->address, call->now, &unit);
    rc = store_commit(call->oauth->store, &unit);
    if (rc != RC_TOO_LARGE)
        return rc;
    rc = oauth_refuse(call, OAUTH_TOO_MANY_REQUESTS, "too many registrations from this address",
                      NULL);
    call->refusal.retry_after_s = THROTTLE_REGISTRATION_S;
    return rc;
}

static enum rc create(struct registering *one, struct str json, struct buffer *out_json)
{
    struct oauth_call *call = one->call;
    enum rc rc;

    one->client.client_id = make_id(&one->arena);
    one->client.created_at = call->now;
    one->client.registration_digest = digest_of(secret_expose(one->token), &one->arena);
    rc = judge(one, json);
    if (rc != RC_OK)
        return rc;
    if (client_has_secret(&one->client))
        make_secret(one);
    rc = admission_insert(call, &one->client, STR("registered itself"));
    if (rc == RC_TOO_LARGE)
        return oauth_refuse(call, OAUTH_TEMPORARILY_UNAVAILABLE,
                            "there are too many registered clients", NULL);
    if (rc != RC_OK)
        return rc;
    call->log_client_id = arena_copy(call->arena, one->client.client_id);
    return format(one, out_json);
}

enum rc registration_create(struct oauth_call *call, const struct registration_token *token,
                            struct str json, struct buffer *out_json)
{
    AUTO(secret) own_token = { 0 };
    UNINITIALIZED struct registering one;
    enum rc rc = check_initial(call, token);

    if (rc == RC_OK)
        rc = count_try(call, token);
    if (rc == RC_OK)
        rc = read_request(call, json, NULL);
    if (rc != RC_OK)
        return rc;
    make_value(&own_token);
    begin(&one, call);
    one.token = &own_token;
    rc = create(&one, json, out_json);
    end(&one);
    return rc;
}

/* ---- managing -------------------------------------------------------------------------------- */

/* One that registered at another node a moment before. */
static enum rc find_newcomer(struct oauth_call *call, struct str client_id,
                             struct catalog_client **out_entry)
{
    enum rc rc = store_catch_up(call->oauth->store);

    return rc == RC_OK ? catalog_find_client(call->oauth->catalog, client_id, true, out_entry) : rc;
}

/* The client as it is stored. */
static enum rc find(struct registering *one, struct str client_id,
                    const struct registration_token *token)
{
    struct oauth_call *call = one->call;
    struct catalog_client *entry;
    struct str digest;
    int64_t id;
    enum rc rc;

    if (token->value.len == 0)
        return oauth_refuse(call, OAUTH_INVALID_TOKEN, "", "no registration access token");
    rc = catalog_find_client(call->oauth->catalog, client_id, true, &entry);
    if (rc == RC_NOT_FOUND)
        rc = find_newcomer(call, client_id, &entry);
    if (rc == RC_NOT_FOUND)
        return refuse_token(call, "no such client");
    if (rc != RC_OK)
        return rc;
    id = entry->client.id;
    catalog_client_put(entry);
    rc = store_find_client(call->oauth->store, id, &one->arena, &one->client);
    if (rc == RC_NOT_FOUND)
        return refuse_token(call, "the client has gone");
    if (rc != RC_OK)
        return rc;
    digest = digest_of(token->value, &one->arena);
    if (token->is_dpop || digest.len != one->client.registration_digest.len ||
        !secret_bytes_equal(digest.at, one->client.registration_digest.at, digest.len))
        return refuse_token(call, "wrong registration access token");
    if (one->client.is_disabled)
        return refuse_token(call, "the client is disabled");
    call->log_client_id = arena_copy(call->arena, client_id);
    return RC_OK;
}

static enum rc begin_managing(struct registering *one, struct oauth_call *call,
                              struct str client_id, const struct registration_token *token,
                              struct secret *own_token)
{
    if (secret_set(own_token, token->value) != RC_OK)
        own_token->len = 0; /* no value of ours is as long: find refuses it */
    begin(one, call);
    one->token = own_token;
    return find(one, client_id, token);
}

enum rc registration_read(struct oauth_call *call, struct str client_id,
                          const struct registration_token *token, struct buffer *out_json)
{
    AUTO(secret) own_token = { 0 };
    UNINITIALIZED struct registering one;
    enum rc rc = begin_managing(&one, call, client_id, token, &own_token);

    if (rc == RC_OK)
        rc = format(&one, out_json);
    end(&one);
    return rc;
}

/* RFC 7592 2.2: what is not named is as if it were registered anew. */
static enum rc update(struct registering *one, struct str json, struct buffer *out_json)
{
    struct oauth_call *call = one->call;
    enum rc rc = read_request(call, json, &one->client);

    if (rc == RC_OK)
        rc = judge(one, json);
    if (rc != RC_OK)
        return rc;
    if (client_has_secret(&one->client) && one->client.secret_hash.len == 0)
        make_secret(one);
    rc = admission_update(call, &one->client, STR("changed by itself"));
    if (rc == RC_NOT_FOUND)
        return refuse_token(call, "the client was disabled or has gone");
    return rc == RC_OK ? format(one, out_json) : rc;
}

enum rc registration_update(struct oauth_call *call, struct str client_id,
                            const struct registration_token *token, struct str json,
                            struct buffer *out_json)
{
    AUTO(secret) own_token = { 0 };
    UNINITIALIZED struct registering one;
    enum rc rc = begin_managing(&one, call, client_id, token, &own_token);

    if (rc == RC_OK)
        rc = update(&one, json, out_json);
    end(&one);
    return rc;
}

static enum rc end_grants(struct oauth_call *call, const struct grant *grants, size_t count)
{
    struct event event = { .kind = EVENT_GRANT_ENDED,
                           .account_id = grants[0].account_id,
                           .client_id = grants[0].client_id,
                           .detail = STR("its client was deleted") };
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    for (size_t i = 0; i < count; i++)
        store_end_grant(&unit, grants[i].id, call->now);
    oauth_add_event(call, event, &unit);
    return store_commit(call->oauth->store, &unit);
}

/* RFC 7592 2.3: what it was granted ends with it. */
static enum rc end_all_grants(struct oauth_call *call, int64_t client_id)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct grant grants[GRANTS_PER_READ];
    size_t count;
    enum rc rc;

    arena_init(&arena, (size_t)GRANTS_PER_READ * GRANT_BYTES_MAX);
    do {
        arena_reset(&arena);
        rc = store_list_grants(call->oauth->store, 0, client_id, INT64_MAX, &arena, grants,
                               GRANTS_PER_READ, &count);
        if (rc == RC_OK && count > 0)
            rc = end_grants(call, grants, count);
    } while (rc == RC_OK && count > 0);
    return rc;
}

/* The client goes first: nothing is granted to it any more, and nobody believes a grant without
 * its client, should this end between the two. */
static enum rc delete (struct registering *one) {
    struct oauth_call *call = one->call;
    struct event event = { .kind = EVENT_CLIENT_CHANGED,
                           .client_id = one->client.id,
                           .detail = STR("deleted by itself") };
    enum rc rc;

    store_unit_init(&one->unit);
    store_expect_registration(&one->unit, one->client.id, one->client.registration_digest);
    store_delete_client(&one->unit, one->client.id);
    oauth_add_event(call, event, &one->unit);
    rc = store_commit(call->oauth->store, &one->unit);
    if (rc == RC_NOT_FOUND) return refuse_token(call, "the client was disabled or has gone");
    return rc == RC_OK ? end_all_grants(call, one->client.id) : rc;
}

enum rc registration_delete(struct oauth_call *call, struct str client_id,
                            const struct registration_token *token)
{
    AUTO(secret) own_token = { 0 };
    UNINITIALIZED struct registering one;
    enum rc rc = begin_managing(&one, call, client_id, token, &own_token);

    if (rc == RC_OK)
        rc = delete (&one);
    end(&one);
    return rc;
}
