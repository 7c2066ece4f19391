#include "base/log.h"
#include "codec/basic.h"
#include "codec/cookie.h"
#include "dialect/spectrum.h"
#include "oauth/introspection.h"
#include "oauth/revocation.h"

/* ---- who asks ---------------------------------------------------------------------------------
 */

static enum rc refuse_user(struct dialect_call *call, const char *log_detail)
{
    return oauth_refuse_for(call->oauth, OAUTH_INVALID_GRANT, REASON_WRONG_PASSWORD,
                            "the user name or the password is wrong", log_detail);
}

/* With nothing but Basic in the header (RFC 7617), read raw. The password is in the arena. */
static enum rc read_basic(struct dialect_call *call, struct str *out_user,
                          const struct secret **out_password)
{
    const struct http_request *request = &call->exchange->request;
    const struct http_header *header = http_find_header(request, STR("authorization"));
    struct secret *secret;
    struct str user;
    struct str password;

    if (header == NULL)
        return refuse_user(call, "no Authorization header");
    if (http_count_headers(request, STR("authorization")) > 1 ||
        basic_parse(header->value, call->exchange->arena, &user, &password) != RC_OK)
        return refuse_user(call, "the Authorization header is not one Basic");
    secret = arena_alloc(call->exchange->arena, sizeof(*secret));
    if (secret_set(secret, password) != RC_OK)
        return refuse_user(call, "the password is longer than any");
    *out_user = user;
    *out_password = secret;
    return RC_OK;
}

enum rc spectrum_sign_in(struct dialect_call *call, struct account *out_account)
{
    UNINITIALIZED struct store_unit unit;
    const struct secret *password;
    struct str user;
    enum rc rc = read_basic(call, &user, &password);

    if (rc != RC_OK)
        return rc;
    if (!call->oauth->may_hash)
        return RC_NEEDS_HASH;
    store_unit_init(&unit);
    rc = oauth_sign_in(call->oauth, user, password, NULL, false, &unit, out_account);
    if (rc != RC_OK)
        return rc;
    rc = store_commit(call->oauth->oauth->store, &unit);
    return rc == RC_SPENT ? oauth_refuse_spent_code(call->oauth) : rc;
}

enum rc spectrum_permit(struct dialect_call *call, struct catalog_client **out_client,
                        struct permission *out_permission)
{
    struct oauth_call *oauth = call->oauth;
    struct catalog_client *client;
    enum rc rc = catalog_find_client(oauth->oauth->catalog, STR(OAUTH_SPECTRUM_CLIENT_ID),
                                     oauth->may_block, &client);

    if (rc == RC_NOT_FOUND)
        return RC_CORRUPT; /* it was made when the server started */
    if (rc != RC_OK)
        return rc;
    if (client->client.is_disabled)
        rc = oauth_refuse_for(oauth, OAUTH_UNAUTHORIZED_CLIENT, REASON_WRONG_CLIENT,
                              "tokens are not given here", "the built-in client is disabled");
    else
        rc = scope_permit_all(oauth, &client->client, out_permission);
    if (rc == RC_OK)
        *out_client = client;
    else
        catalog_client_put(client);
    return rc;
}

/* ---- issuing ----------------------------------------------------------------------------------
 */

static unsigned address_bits(const struct dialect_call *call)
{
    static const unsigned char ipv4_prefix[12] = { [10] = 0xff, [11] = 0xff };
    bool is_ipv4 = memcmp(call->oauth->address, ipv4_prefix, sizeof(ipv4_prefix)) == 0;

    switch (call->settings->spectrum_binding) {
    case BINDING_OFF:
        return 0;
    case BINDING_PREFIX:
        return is_ipv4 ? 96 + 24 : 64;
    case BINDING_EXACT:
    default:
        return 128;
    }
}

/* The User-Agent, cut between characters; what is no UTF-8 in it becomes question marks. */
static struct str device_name(const struct dialect_call *call)
{
    const struct http_header *header =
        http_find_header(&call->exchange->request, STR("user-agent"));
    struct str text = header == NULL ? STR("") : header->value;
    struct buffer name =
        buffer_over(arena_alloc(call->exchange->arena, DEVICE_BYTES_MAX), DEVICE_BYTES_MAX);

    while (text.len > 0 && !name.overflow) {
        size_t bytes = str_utf8_sequence(text);

        buffer_append(&name, bytes == 0 ? "?" : text.at, bytes == 0 ? 1 : bytes);
        text = str_from(text, bytes == 0 ? 1 : bytes);
    }
    return buffer_str(&name);
}

static enum rc issue_plan(struct dialect_call *call, struct issue_plan *plan, int64_t ttl_minutes,
                          struct store_unit *unit, struct token_answer *out_answer)
{
    enum rc rc;

    /* Whatever the services say: clients know this one form, and the ttl is theirs to choose. */
    plan->permission.shape = (struct token_shape){ .format = TOKEN_JWE,
                                                   .alg = plan->permission.shape.alg,
                                                   .lifetime_s = ttl_minutes * 60 };
    plan->grant_type = GRANT_TYPE_PASSWORD;
    rc = token_issue(call->oauth, plan, unit, out_answer);
    if (rc == RC_SPENT)
        return oauth_refuse_spent_code(call->oauth);
    /* The documents of Spectrum warn of them too: nothing but a logout ever ends such a token. */
    if (rc == RC_OK && ttl_minutes == 0 && plan->session == NULL)
        log_event(LOG_WARN, "endless_open_token",
                  LOG_TEXT("request_id", call->exchange->request.id),
                  LOG_STR("username", plan->account->name),
                  LOG_INT("token_id", call->oauth->log_token_id));
    return rc;
}

static enum rc sign_in_and_issue(struct dialect_call *call, struct issue_plan *plan,
                                 int64_t ttl_minutes, struct str user,
                                 const struct secret *password, struct token_answer *out_answer)
{
    struct account *account = arena_alloc(call->exchange->arena, sizeof(*account));
    UNINITIALIZED struct store_unit unit;
    enum rc rc;

    store_unit_init(&unit);
    rc = oauth_sign_in(call->oauth, user, password, NULL, false, &unit, account);
    if (rc != RC_OK)
        return rc;
    plan->account = account;
    return issue_plan(call, plan, ttl_minutes, &unit, out_answer);
}

enum rc spectrum_issue(struct dialect_call *call, int64_t ttl_minutes, bool has_session,
                       struct token_answer *out_answer)
{
    struct session session = { .address_bits = address_bits(call),
                               .idle_s = call->settings->spectrum_idle_s };
    struct issue_plan plan = { .session = has_session ? &session : NULL };
    struct catalog_client *client = NULL;
    const struct secret *password = NULL;
    struct str user = { 0 };
    enum rc rc;

    if (ttl_minutes == 0 && !has_session && !call->settings->spectrum_endless)
        return oauth_refuse(call->oauth, OAUTH_INVALID_REQUEST,
                            "open tokens need an end here: ask for 1 or more minutes",
                            "spectrum-endless-open-tokens is off");
    rc = read_basic(call, &user, &password);
    if (rc != RC_OK)
        return rc;
    if (!call->oauth->may_hash)
        return RC_NEEDS_HASH;
    memcpy(session.address, call->oauth->address, sizeof(session.address));
    session.device = device_name(call);
    rc = spectrum_permit(call, &client, &plan.permission);
    if (rc != RC_OK)
        return rc;
    plan.client = &client->client;
    rc = sign_in_and_issue(call, &plan, ttl_minutes, user, password, out_answer);
    catalog_client_put(client);
    return rc;
}

/* The ttl of a path: digits, and perhaps a slash. RC_NOT_FOUND for anything else, as for a path
 * that is not there; RC_INVALID beyond xs:int. */
static enum rc parse_ttl(struct str rest, int64_t *out_minutes)
{
    uint64_t minutes;

    if (rest.len > 1 && rest.at[rest.len - 1] == '/')
        rest.len--;
    if (rest.len == 0)
        return RC_NOT_FOUND;
    for (size_t i = 0; i < rest.len; i++)
        if (rest.at[i] < '0' || rest.at[i] > '9')
            return RC_NOT_FOUND;
    if (!str_parse_u64(rest, SPECTRUM_TTL_MINUTES_MAX, &minutes))
        return RC_INVALID;
    *out_minutes = (int64_t)minutes;
    return RC_OK;
}

static enum rc answer_token(struct dialect_call *call, bool has_session)
{
    struct token_answer answer;
    int64_t ttl_minutes = 0;
    enum rc rc = parse_ttl(call->rest, &ttl_minutes);

    if (rc == RC_NOT_FOUND)
        return spectrum_not_found(call);
    if (spectrum_begin(call, SPECTRUM_GET_POST))
        return RC_OK;
    if (rc != RC_OK) {
        spectrum_answer_message(call, 400, STR("ttlInMinutes is out of range"));
        return RC_OK;
    }
    rc = spectrum_issue(call, ttl_minutes, has_session, &answer);
    if (rc != RC_OK)
        return rc;
    spectrum_answer_token(call, &answer);
    if (answer.session_id.len > 0)
        spectrum_add_session_cookie(call, answer.session_id);
    return RC_OK;
}

enum rc spectrum_session_token(struct dialect_call *call)
{
    return answer_token(call, true);
}

enum rc spectrum_open_token(struct dialect_call *call)
{
    return answer_token(call, false);
}

enum rc spectrum_not_found(struct dialect_call *call)
{
    if (!spectrum_cors(call))
        spectrum_answer_message(call, 404, STR("Not Found"));
    return RC_OK;
}

/* ---- presenting -------------------------------------------------------------------------------
 */

/* The first of that name in all Cookie lines: old clients send one line for each cookie. */
static struct str find_cookie(const struct http_request *request, struct str name)
{
    struct str value;

    for (size_t i = 0; i < request->header_count; i++)
        if (str_equal_nocase(request->headers[i].name, STR("cookie")) &&
            cookie_find(request->headers[i].value, name, &value))
            return value;
    return STR("");
}

enum rc spectrum_presented(const struct http_request *request,
                           struct token_presented *out_presented)
{
    const struct http_header *header = http_find_header(request, STR("authorization"));
    struct token_presented presented = { .session = find_cookie(request, STR("SESSION")),
                                         .address = request->client.bytes };
    enum rc rc = RC_NOT_FOUND;

    /* What clients send that have a token without a session (contracts 1.4). */
    if (str_equal(presented.session, STR("null")))
        presented.session = STR("");
    if (http_count_headers(request, STR("authorization")) > 1)
        return RC_INVALID;
    if (header != NULL)
        rc = bearer_parse(header->value, &presented.value);
    if (rc == RC_NOT_FOUND) {
        presented.value = find_cookie(request, STR("spectrum.authentication.token"));
        rc = presented.value.len > 0 ? RC_OK : RC_NOT_FOUND;
    }
    if (rc == RC_OK)
        *out_presented = presented;
    return rc;
}

/* ---- logging out ------------------------------------------------------------------------------
 */

static enum rc end_token(struct dialect_call *call, struct str value)
{
    const struct oauth *oauth = call->oauth->oauth;
    struct token_record record;
    bool has_session;
    enum rc rc = token_read(oauth->tokens, value, &record);

    if (rc == RC_NOT_FOUND) /* it has gone since it was checked */
        return oauth_refuse(call->oauth, OAUTH_INVALID_TOKEN, "the token is not active", NULL);
    if (rc != RC_OK)
        return rc;
    has_session = record.grant->session != NULL;
    rc = revocation_end(call->oauth, &record);
    grant_put(token_room_grants(oauth->tokens), record.grant);
    if (rc == RC_OK && has_session)
        spectrum_add_session_removal(call);
    return rc;
}

enum rc spectrum_end_presented(struct dialect_call *call)
{
    const struct bearer_demand demand = { .service_id = STR("") };
    struct token_presented presented;
    struct token_view view;
    enum rc rc = spectrum_presented(&call->exchange->request, &presented);

    if (rc != RC_OK)
        return oauth_refuse(call->oauth, OAUTH_INVALID_TOKEN, "there is no token", NULL);
    if (!call->oauth->may_block)
        return RC_WOULD_BLOCK;
    rc = bearer_check(call->oauth, &presented, &demand, &view);
    if (rc != RC_OK)
        return rc;
    token_view_put(call->oauth->oauth->tokens, &view);
    return end_token(call, presented.value);
}

enum rc spectrum_logout(struct dialect_call *call)
{
    enum rc rc;

    if (spectrum_begin(call, SPECTRUM_GET_POST))
        return RC_OK;
    rc = spectrum_end_presented(call);
    if (rc == RC_OK)
        spectrum_answer(call, 200, STR(""));
    return rc;
}
