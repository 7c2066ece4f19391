#include "oauth/device.h"

#include "codec/base64url.h"
#include "codec/json.h"
#include "crypto/digest.h"
#include "crypto/random.h"
#include "oauth/proof.h"
#include "store/authorized.h"

enum {
    CODE_RANDOM_BYTES = 32,
    LETTER_COUNT = sizeof(DEVICE_USER_CODE_LETTERS) - 1,
    DRAW_COUNT_MAX = 8 /* of user codes; a second one is a rarity */
};

_Static_assert((int)LETTER_COUNT == 20, "RFC 8628 6.1");

/* ---- codes ----------------------------------------------------------------------------------- */

/* Without a bias: of 256 values of a byte, 240 are a whole number of times the letters. */
static void draw_user_code(char out_code[static DEVICE_USER_CODE_CHARS])
{
    size_t count = 0;

    while (count < DEVICE_USER_CODE_CHARS) {
        unsigned char byte;

        random_bytes(&byte, sizeof(byte));
        if (byte < 256 / LETTER_COUNT * LETTER_COUNT)
            out_code[count++] = DEVICE_USER_CODE_LETTERS[byte % LETTER_COUNT];
    }
}

static void show_user_code(const char code[static DEVICE_USER_CODE_CHARS],
                           char out_text[static DEVICE_USER_CODE_BYTES])
{
    memcpy(out_text, code, DEVICE_USER_CODE_CHARS / 2);
    out_text[DEVICE_USER_CODE_CHARS / 2] = '-';
    memcpy(out_text + DEVICE_USER_CODE_CHARS / 2 + 1, code + DEVICE_USER_CODE_CHARS / 2,
           DEVICE_USER_CODE_CHARS / 2);
}

enum rc device_user_code_fold(struct str typed, char out_code[static DEVICE_USER_CODE_CHARS])
{
    char code[DEVICE_USER_CODE_CHARS];
    size_t count = 0;

    if (typed.len > DEVICE_USER_CODE_BYTES_MAX)
        return RC_INVALID;
    for (size_t i = 0; i < typed.len; i++) {
        char c = typed.at[i];

        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if ((c < 'A' || c > 'Z') && (c < '0' || c > '9'))
            continue; /* RFC 8628 6.1: punctuation is removed */
        if (count == sizeof(code) || memchr(DEVICE_USER_CODE_LETTERS, c, LETTER_COUNT) == NULL)
            return RC_INVALID;
        code[count++] = c;
    }
    if (count < sizeof(code))
        return RC_INVALID;
    memcpy(out_code, code, sizeof(code));
    return RC_OK;
}

/* Keyed: whoever reads the store cannot try all codes that there are. */
static void digest_user_code(const struct oauth_call *call,
                             const char code[static DEVICE_USER_CODE_CHARS],
                             unsigned char out_digest[static DIGEST_BYTES])
{
    hmac_sha256(call->oauth->subject_key, STR("device user code:"),
                (struct str){ code, DEVICE_USER_CODE_CHARS }, out_digest);
}

/* ---- the device's own endpoint --------------------------------------------------------------- */

/* A request that is being made. */
struct making {
    struct oauth_call *call;
    const struct client *client;
    const struct form *parameters;
    struct permission permission;
    struct device_request row;
    struct store_unit unit;
    char device_code[DEVICE_CODE_BYTES];
    char user_code[DEVICE_USER_CODE_CHARS];
};

static const struct str *find(const struct making *making, struct str name)
{
    const struct str *value = form_find(making->parameters, name);

    return value == NULL || value->len == 0 ? NULL : value; /* RFC 6749 3.2 */
}

static enum rc read_scope(struct making *making)
{
    struct oauth_call *call = making->call;
    struct scope_demand demand = { .scope = find(making, STR("scope")), .has_person = true };
    enum rc rc = form_join(making->parameters, STR("resource"), call->arena, &demand.resources);

    if (rc == RC_INVALID || demand.resources.len > SCOPE_BYTES_MAX) /* RFC 8707 2 */
        return oauth_refuse(call, OAUTH_INVALID_TARGET, "a resource is malformed", NULL);
    if (rc == RC_OK)
        rc = scope_permit_demand(call, making->client, &demand, &making->permission);
    making->row.scope = making->permission.scope;
    making->row.audience = making->permission.audience;
    return rc;
}

static enum rc read_details(struct making *making)
{
    const struct str *details = find(making, STR("authorization_details"));
    struct client_metadata metadata;
    enum rc rc;

    if (details == NULL)
        return RC_OK;
    rc = client_metadata_read(making->client, making->call->arena, &metadata);
    return rc == RC_OK ? details_check(making->call, &metadata, *details, &making->row.details)
                       : rc;
}

static enum rc draw_codes(struct making *making)
{
    unsigned char bytes[CODE_RANDOM_BYTES];
    struct buffer text = buffer_over(making->device_code, sizeof(making->device_code));

    random_bytes(bytes, sizeof(bytes));
    base64url_encode((struct str){ (const char *)bytes, sizeof(bytes) }, &text);
    explicit_bzero(bytes, sizeof(bytes));
    digest_sha256(buffer_str(&text), making->row.digest);
    draw_user_code(making->user_code);
    digest_user_code(making->call, making->user_code, making->row.user_digest);
    return store_next_id(making->call->oauth->store, SEQUENCE_NOUN, &making->row.id);
}

/* RC_EXISTS: the user code is another request's. */
static enum rc try_commit(struct making *making)
{
    struct oauth_call *call = making->call;
    bool binds_tls = (making->client->policy & CLIENT_BINDS_TLS) != 0;
    enum rc rc;

    store_unit_init(&making->unit);
    rc = proof_read(call, binds_tls, &making->unit, &making->row.binding);
    if (rc == RC_OK)
        rc = draw_codes(making);
    if (rc != RC_OK)
        return rc;
    store_insert_device_request(&making->unit, &making->row);
    return proof_settle(call, &making->unit,
                        oauth_commit_request(call, making->client, &making->unit));
}

static enum rc commit(struct making *making)
{
    enum rc rc = RC_EXISTS;

    for (int i = 0; i < DRAW_COUNT_MAX && rc == RC_EXISTS; i++)
        rc = try_commit(making);
    return rc == RC_EXISTS ? RC_BUSY : rc;
}

/* RFC 8628 3.2 */
static void format(const struct making *making, struct buffer *out_json)
{
    const struct oauth *oauth = making->call->oauth;
    struct json_out json = json_out_over(out_json);
    char shown[DEVICE_USER_CODE_BYTES];
    struct str uri =
        arena_format(making->call->arena, "%.*s" DEVICE_PAGE_PATH, STR_ARGS(oauth->root));

    show_user_code(making->user_code, shown);
    json_begin_object(&json);
    json_member_string(&json, STR("device_code"),
                       (struct str){ making->device_code, sizeof(making->device_code) });
    json_member_string(&json, STR("user_code"), (struct str){ shown, sizeof(shown) });
    json_member_string(&json, STR("verification_uri"), uri);
    json_member_string(&json, STR("verification_uri_complete"),
                       arena_format(making->call->arena, "%.*s?user_code=%.*s", STR_ARGS(uri),
                                    (int)sizeof(shown), shown));
    json_member_number(&json, STR("expires_in"), DEVICE_LIFETIME_S);
    json_member_number(&json, STR("interval"), DEVICE_INTERVAL_S);
    json_end_object(&json);
}

static enum rc answer_client(struct making *making, struct buffer *out_json)
{
    struct oauth_call *call = making->call;
    enum rc rc;

    if ((making->client->grant_types & 1u << GRANT_TYPE_DEVICE_CODE) == 0) /* ASVS 10.4.4 */
        return oauth_refuse_for(call, OAUTH_UNAUTHORIZED_CLIENT, REASON_GRANT_TYPE_NOT_ALLOWED,
                                "the client is not registered for this grant type", NULL);
    rc = proof_require(call, making->client->policy);
    if (rc == RC_OK)
        rc = read_scope(making);
    if (rc == RC_OK)
        rc = read_details(making);
    if (rc == RC_OK)
        rc = commit(making);
    if (rc == RC_OK)
        format(making, out_json);
    return rc;
}

enum rc device_request_answer(struct oauth_call *call, const struct client_credentials *credentials,
                              const struct form *parameters, struct buffer *out_json)
{
    struct catalog_client *client;
    struct making *making;
    enum rc rc;

    if (!call->may_block)
        return RC_WOULD_BLOCK;
    rc = client_require(call, credentials, &client);
    if (rc != RC_OK)
        return rc;
    call->log_client_id = arena_copy(call->arena, client->client.client_id);
    making = arena_alloc(call->arena, sizeof(*making));
    making->call = call;
    making->client = &client->client;
    making->parameters = parameters;
    making->row = (struct device_request){ .client_id = client->client.id,
                                           .state = DEVICE_WAITING,
                                           .interval_s = DEVICE_INTERVAL_S,
                                           .expires_at = call->now + DEVICE_LIFETIME_S };
    rc = answer_client(making, out_json);
    if (rc == RC_REFUSED && client->client.type == CLIENT_CONFIDENTIAL)
        rc = oauth_record_refusal(call, client->client.id);
    explicit_bzero(making->device_code, sizeof(making->device_code));
    catalog_client_put(client);
    return client_auth_finish(call, rc);
}

/* ---- the person's page ----------------------------------------------------------------------- */

static enum rc find_waiting(struct oauth_call *call, const char code[static DEVICE_USER_CODE_CHARS],
                            struct device *out_device)
{
    const struct oauth *oauth = call->oauth;
    unsigned char digest[DIGEST_BYTES];
    struct device device;
    enum rc rc;

    digest_user_code(call, code, digest);
    rc = store_find_device_request_by_user_code(oauth->store, digest, call->now, call->arena,
                                                &device.request);
    if (rc == RC_OK && device.request.state != DEVICE_WAITING)
        return RC_NOT_FOUND;
    if (rc == RC_OK)
        rc = catalog_find_client_by_id(oauth->catalog, device.request.client_id, true,
                                       &device.client);
    if (rc != RC_OK)
        return rc;
    rc = device.client->client.is_disabled
             ? RC_NOT_FOUND
             : client_metadata_read(&device.client->client, call->arena, &device.metadata);
    if (rc != RC_OK) {
        catalog_client_put(device.client);
        return rc;
    }
    show_user_code(code, device.user_code);
    *out_device = device;
    return RC_OK;
}

static enum rc count_try(struct oauth_call *call, const struct account *account)
{
    struct str whose = arena_format(call->arena, "%lld", (long long)account->id);
    UNINITIALIZED struct store_unit unit;
    enum rc rc;

    store_unit_init(&unit);
    throttle_count_guess(call->oauth->door->throttle, whose, call->address, call->now, &unit);
    rc = store_commit(call->oauth->store, &unit);
    if (rc != RC_TOO_LARGE)
        return rc;
    rc = oauth_refuse(call, OAUTH_TOO_MANY_REQUESTS, "too many user codes were tried", NULL);
    call->refusal.retry_after_s = THROTTLE_GUESS_S;
    return rc;
}

enum rc device_find(struct oauth_call *call, const struct account *account, struct str typed,
                    struct device *out_device)
{
    char code[DEVICE_USER_CODE_CHARS];
    enum rc rc = device_user_code_fold(typed, code);

    if (rc != RC_OK)
        return RC_NOT_FOUND; /* it stands for nothing, so it is no try either */
    rc = count_try(call, account);
    return rc == RC_OK ? find_waiting(call, code, out_device) : rc;
}

enum rc device_find_again(struct oauth_call *call, int64_t id, struct str user_code,
                          struct device *out_device)
{
    char code[DEVICE_USER_CODE_CHARS];
    struct device device;
    enum rc rc = device_user_code_fold(user_code, code);

    if (rc != RC_OK)
        return RC_NOT_FOUND;
    rc = find_waiting(call, code, &device);
    if (rc != RC_OK)
        return rc;
    if (device.request.id != id) {
        device_put(&device);
        return RC_NOT_FOUND;
    }
    *out_device = device;
    return RC_OK;
}

void device_put(struct device *device)
{
    catalog_client_put(device->client);
}

static enum rc commit_answer(struct oauth_call *call, const struct device *device,
                             const struct authorization_person *person, enum event_kind kind,
                             struct store_unit *unit)
{
    struct event event = { .kind = kind,
                           .account_id = person->account->id,
                           .client_id = device->request.client_id,
                           .detail = STR("for a device") };
    enum rc rc;

    oauth_add_event(call, event, unit);
    call->log_username = person->account->name;
    call->log_client_id = arena_copy(call->arena, device->client->client.client_id);
    rc = store_commit(call->oauth->store, unit);
    return rc == RC_SPENT ? RC_NOT_FOUND : rc;
}

enum rc device_allow(struct oauth_call *call, const struct device *device,
                     const struct authorization_person *person)
{
    const struct device_request *request = &device->request;
    const struct client *client = &device->client->client;
    struct authorization authorization;
    UNINITIALIZED struct store_unit unit;
    enum rc rc = authorization_draft(call, client, &device->metadata, person,
                                     request->expires_at - call->now, &authorization);

    if (rc != RC_OK)
        return rc;
    authorization.details = request->details;
    store_unit_init(&unit);
    store_answer_device_request(&unit, request->id, authorization.id, call->now);
    store_insert_authorization(&unit, &authorization);
    rc = consent_remember(call, client, person->account->id, request->scope, request->details,
                          &unit);
    return rc == RC_OK ? commit_answer(call, device, person, EVENT_CONSENT_GIVEN, &unit) : rc;
}

enum rc device_deny(struct oauth_call *call, const struct device *device,
                    const struct authorization_person *person)
{
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    store_answer_device_request(&unit, device->request.id, 0, call->now);
    return commit_answer(call, device, person, EVENT_CONSENT_DENIED, &unit);
}
