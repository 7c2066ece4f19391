#include "http/address.h"
#include "web/admin_acts.h"
#include "web/api_admin.h"

/* How accounts are signed in, by the administration API: their sessions, and their second factors
 * with the recovery codes. */

/* A session or factor is named by its account, too: "17-4711". Numbers are of one sequence. */
static struct str part_name(struct api_admin *api, int64_t account_id, int64_t id)
{
    return arena_format(&api->arena, "%lld-%lld", (long long)account_id, (long long)id);
}

/* RC_NOT_FOUND: the answer is written. */
static enum rc find_part(struct api_admin *api, struct account *out_account, int64_t *out_id)
{
    struct str text = api->call->rest;
    size_t at = str_index_of(text, '-');
    uint64_t id;

    if (at == text.len || !str_parse_u64(str_from(text, at + 1), INT64_MAX - 1, &id)) {
        (void)!api_answer_missing(api);
        return RC_NOT_FOUND;
    }
    api->call->rest.len = at;
    *out_id = (int64_t)id;
    return api_account_find(api, out_account);
}

static struct browser browser_of(const struct api_admin *api)
{
    return (struct browser){ .address = api->admin.address, .now = api->admin.now };
}

enum rc api_tell(struct api_admin *api, const struct account *account, enum letter_news news,
                 struct str factor, struct letter *out_letter)
{
    const struct letter_change change = {
        .news = news, .username = account->name, .recipient = account->email, .factor = factor
    };
    struct letter_head head = web_letter_head(api->call->web);

    head.now = api->admin.now;
    if (head.outbox == NULL || account->email_verified_at == 0)
        return RC_OK;
    return letter_write_change(&head, &change, out_letter);
}

/* ---- sessions -------------------------------------------------------------------------------- */

/* One of a browser, or one that a token is tied to. */
struct any_session {
    int64_t id;
    int64_t account_id;
    bool is_browser;
    struct str device;
    const unsigned char *address;
    int64_t created_at;
    int64_t last_active_at;
};

static enum rc format_session(struct api_admin *api, const void *noun, struct json_out *json)
{
    const struct any_session *session = noun;
    struct http_address from = { 0 };
    char text[HTTP_ADDRESS_TEXT_BYTES];

    memcpy(from.bytes, session->address, sizeof(from.bytes));
    json_member_string(json, STR("id"), part_name(api, session->account_id, session->id));
    json_member_string(json, STR("kind"), session->is_browser ? STR("browser") : STR("token"));
    json_member_string(json, STR("device"), session->device);
    json_member_string(json, STR("address"), http_address_format(&from, text));
    json_member_number(json, STR("created_at"), session->created_at);
    json_member_number(json, STR("last_active_at"), session->last_active_at);
    return RC_OK;
}

/* Both kinds have ids of one sequence: merged, the newest first. */
static size_t merge(const struct browser_session *browsers, size_t browser_count,
                    const struct session *others, size_t other_count, struct any_session *out_rows)
{
    size_t b = 0, o = 0, count = 0;

    while (b < browser_count || o < other_count) {
        bool is_browser = o == other_count || (b < browser_count && browsers[b].id > others[o].id);
        const struct browser_session *browser = &browsers[b];
        const struct session *other = &others[o];

        out_rows[count++] =
            is_browser
                ? (struct any_session){ browser->id,
                                        browser->account_id,
                                        true,
                                        browser->device,
                                        browser->address,
                                        browser->created_at,
                                        browser->last_active_at }
                : (struct any_session){
                      other->id,         other->account_id,    false, other->device, other->address,
                      other->created_at, other->last_active_at
                  };
        if (is_browser)
            b++;
        else
            o++;
    }
    return count;
}

/* Those with an id below that, of both kinds; at most `max` of each. */
static enum rc read_sessions(struct api_admin *api, int64_t account_id, int64_t before_id,
                             size_t max, struct any_session *out_rows, size_t *out_count)
{
    struct browser_session *browsers = arena_alloc(&api->arena, max * sizeof(*browsers));
    struct session *others = arena_alloc(&api->arena, max * sizeof(*others));
    size_t browser_count, other_count;
    enum rc rc = profile_list_browser_sessions(api->store, account_id, before_id, api->admin.now,
                                               &api->arena, browsers, max, &browser_count);

    if (rc == RC_OK)
        rc = profile_list_sessions(api->store, account_id, before_id, api->admin.now, &api->arena,
                                   others, max, &other_count);
    if (rc == RC_OK)
        *out_count = merge(browsers, browser_count, others, other_count, out_rows);
    return rc;
}

static enum rc list_sessions(struct api_admin *api)
{
    enum { MAX = API_ROW_COUNT_MAX + 1 };
    struct any_session *found = arena_alloc(&api->arena, (2 * MAX + 1) * sizeof(*found));
    size_t count;
    struct account account;
    struct api_list page;
    enum rc rc = api_account_list_begin(api, "sessions", STR(""), &account, &page);

    if (rc != RC_OK)
        return rc == RC_REFUSED ? RC_OK : rc;
    rc = read_sessions(api, account.id, page.before_id, page.limit + 1, found, &count);
    return rc == RC_OK ? api_list_answer(api, &page, format_session, found, sizeof(*found), count,
                                         offsetof(struct any_session, id))
                       : rc;
}

static enum rc end_sessions(struct api_admin *api)
{
    const struct browser browser = browser_of(api);
    struct account account;
    enum rc rc = api_account_find(api, &account);

    if (rc == RC_OK)
        return api_answer_done(
            api, admin_act_end_sessions(api->call, &api->admin, &browser, account.id));
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

const struct api_resource api_account_sessions_resource = { .get = list_sessions,
                                                            .remove = end_sessions };

/* One that is there: what has ended is not found, and is no event. */
static enum rc end_session(struct api_admin *api)
{
    const struct browser browser = browser_of(api);
    struct str detail = admin_detail(&api->admin, "a session ended");
    struct any_session found[2];
    struct account account;
    size_t count = 0;
    int64_t id;
    enum rc rc = find_part(api, &account, &id);

    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    rc = read_sessions(api, account.id, id + 1, 1, found, &count);
    if (rc == RC_OK && (count == 0 || found[0].id != id))
        rc = RC_NOT_FOUND;
    else if (rc == RC_OK && found[0].is_browser)
        rc = logout_session(&api->call->oauth, &browser, account.id, id, detail);
    else if (rc == RC_OK)
        rc = profile_end_session(api->store, &browser, account.id, id, detail);
    return api_answer_done(api, rc);
}

const struct api_resource api_session_resource = { .remove = end_session };

/* ---- second factors -------------------------------------------------------------------------- */

static enum rc format_factor(struct api_admin *api, const void *noun, struct json_out *json)
{
    const struct factor *factor = noun;

    json_member_string(json, STR("id"), part_name(api, factor->account_id, factor->id));
    json_member_string(json, STR("kind"),
                       factor->kind == FACTOR_TOTP ? STR("totp") : STR("passkey"));
    json_member_string(json, STR("name"), factor->name);
    json_member_number(json, STR("created_at"), factor->created_at);
    api_member_time(json, "last_used_at", factor->last_used_at);
    return RC_OK;
}

static enum rc list_factors(struct api_admin *api)
{
    struct factor factors[FACTOR_COUNT_MAX];
    struct account account;
    struct api_list page;
    size_t count;
    enum rc rc = api_account_list_begin(api, "factors", STR(""), &account, &page);

    if (rc != RC_OK)
        return rc == RC_REFUSED ? RC_OK : rc;
    page.limit = FACTOR_COUNT_MAX; /* all of them: they are few */
    rc = profile_list_factors(api->store, account.id, &api->arena, factors, &count);
    return rc == RC_OK ? api_list_answer(api, &page, format_factor, factors, sizeof(factors[0]),
                                         count, offsetof(struct factor, id))
                       : rc;
}

/* A member of the body: a text that may stand in a key's URI. False: the answer is written. */
static bool read_word(struct api_admin *api, const char *name, struct str *text)
{
    const struct json_value *value = json_find(api->body, str_of(name));

    if (value == NULL || (json_get_string(value, text) == RC_OK && text->len > 0 &&
                          text->len <= FACTOR_NAME_BYTES_MAX / 2 && !str_has_control(*text) &&
                          str_index_of(*text, ':') == text->len))
        return true;
    api_answer_field(api->call, name, STR(""),
                     "a short text without a colon and control characters");
    return false;
}

/* The host that people know the server by. */
static struct str host_of(const struct api_admin *api)
{
    struct str root = api->call->web->root;
    size_t at = str_index_of(root, '/');

    root = at + 2 <= root.len ? str_from(root, at + 2) : root;
    root.len = str_index_of(root, ':'); /* it parts issuer and name in the URI */
    return root;
}

static enum rc answer_full(struct api_admin *api)
{
    return api_answer_conflict(api, "there are as many second factors as there may be");
}

/* The URI holds the key: it is shown this once. */
static enum rc enrol(struct api_admin *api, const struct account *account, struct str issuer,
                     struct str name)
{
    const struct browser browser = browser_of(api);
    struct act_note note = admin_note(&api->admin, "authenticator enrolled");
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    struct buffer uri =
        buffer_over(arena_alloc(&api->arena, FACTOR_URI_BYTES_MAX), FACTOR_URI_BYTES_MAX);
    struct json_out json = json_out_over(&api->call->exchange->response.body);
    struct factor factors[FACTOR_COUNT_MAX];
    size_t count;
    enum rc rc = profile_list_factors(api->store, account->id, &api->arena, factors, &count);

    if (rc == RC_OK && count >= FACTOR_COUNT_MAX)
        return answer_full(api);
    if (rc == RC_OK)
        rc = api_tell(api, account, NEWS_FACTOR_ADDED, name, &letter);
    note.notice = letter.row;
    /* First, while it is known which there are: their clients are told, their grants end. */
    if (rc == RC_OK)
        rc = admin_act_end_sessions(api->call, &api->admin, &browser, account->id);
    if (rc == RC_OK)
        rc = factor_enrol_totp(&api->call->oauth.oauth->door->factor_keys, api->store, account,
                               issuer, name, &note, &uri);
    if (rc == RC_EXISTS)
        return answer_full(api);
    if (rc != RC_OK)
        return rc;
    ASSERT(!uri.overflow);
    answer_json(api->call->exchange, 201);
    json_begin_object(&json);
    json_member_string(&json, STR("uri"), buffer_str(&uri));
    json_end_object(&json);
    return RC_OK;
}

static enum rc make_factor(struct api_admin *api)
{
    struct str issuer = host_of(api);
    struct str name = STR("authenticator");
    struct account account;
    enum rc rc = api_account_find(api, &account);

    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    if (!api_has_only(api->call, api->body, STR("name issuer")) || !read_word(api, "name", &name) ||
        !read_word(api, "issuer", &issuer))
        return RC_OK;
    return enrol(api, &account, issuer, name);
}

static enum rc remove_all(struct api_admin *api, const struct account *account)
{
    const struct browser browser = browser_of(api);
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    enum rc rc = api_tell(api, account, NEWS_FACTORS_REMOVED, STR(""), &letter);

    if (rc == RC_OK)
        rc = admin_act_reset_factors(api->call, &api->admin, &browser, account->id, letter.row);
    return rc;
}

static enum rc reset_factors(struct api_admin *api)
{
    struct account account;
    enum rc rc = api_account_find(api, &account);

    if (rc == RC_NOT_FOUND)
        return RC_OK;
    return api_answer_done(api, rc == RC_OK ? remove_all(api, &account) : rc);
}

const struct api_resource api_account_factors_resource = { .get = list_factors,
                                                           .post = make_factor,
                                                           .remove = reset_factors,
                                                           .bodies = METHOD_POST,
                                                           .in_parts = true };

static enum rc remove_one(struct api_admin *api, const struct account *account,
                          const struct factor *factor)
{
    const struct browser browser = browser_of(api);
    struct factor_removal removal = { .account_id = account->id,
                                      .factor_id = factor->id,
                                      .address = api->admin.address,
                                      .detail =
                                          admin_detail(&api->admin, "a second factor removed") };
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    enum rc rc = api_tell(api, account, NEWS_FACTOR_REMOVED, factor->name, &letter);

    removal.notice = letter.row;
    if (rc == RC_OK) /* SE-06; first, as for a new one */
        rc = admin_act_end_sessions(api->call, &api->admin, &browser, account->id);
    return rc == RC_OK ? factor_remove(api->store, &removal, api->admin.now) : rc;
}

/* With the last one the recovery codes go: alone they would be a second password. */
static enum rc remove_factor(struct api_admin *api)
{
    struct factor factors[FACTOR_COUNT_MAX];
    struct account account;
    size_t count = 0, i = 0;
    int64_t id;
    enum rc rc = find_part(api, &account, &id);

    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    rc = profile_list_factors(api->store, account.id, &api->arena, factors, &count);
    while (i < count && factors[i].id != id)
        i++;
    if (rc == RC_OK && i == count)
        rc = RC_NOT_FOUND;
    else if (rc == RC_OK)
        rc = count == 1 ? remove_all(api, &account) : remove_one(api, &account, &factors[i]);
    return api_answer_done(api, rc);
}

const struct api_resource api_factor_resource = { .remove = remove_factor };

/* ---- recovery codes -------------------------------------------------------------------------- */

/* codes: lines, or empty */
static void write_codes(struct api_admin *api, size_t left_count, struct str codes)
{
    struct json_out json = json_out_over(&api->call->exchange->response.body);

    answer_json(api->call->exchange, 200);
    json_begin_object(&json);
    json_member_number(&json, STR("left"), (int64_t)left_count);
    if (codes.len > 0) {
        json_name(&json, STR("codes"));
        json_begin_array(&json);
    }
    for (struct str rest = codes; rest.len > 0;) {
        size_t len = str_index_of(rest, '\n');

        json_text(&json, (struct str){ rest.at, len });
        rest = str_from(rest, len < rest.len ? len + 1 : len);
    }
    if (codes.len > 0)
        json_end_array(&json);
    json_end_object(&json);
}

static enum rc count_codes(struct api_admin *api)
{
    struct account account;
    size_t count;
    enum rc rc = api_account_find(api, &account);

    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    rc = profile_count_recovery_codes(api->store, account.id, &count);
    if (rc == RC_OK)
        write_codes(api, count, STR(""));
    return rc;
}

static enum rc make_codes(struct api_admin *api)
{
    enum { BYTES = RECOVERY_CODE_COUNT * (RECOVERY_CODE_TEXT_BYTES + 2) };
    struct act_note note = admin_note(&api->admin, "recovery codes made");
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    struct buffer codes = buffer_over(arena_alloc(&api->arena, BYTES), BYTES);
    struct account account;
    enum rc rc = api_account_find(api, &account);

    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    if (!account.has_second_factor)
        return api_answer_conflict(api, "there is no second factor that they could stand in for");
    rc = api_tell(api, &account, NEWS_RECOVERY_CODES, STR(""), &letter);
    note.notice = letter.row;
    if (rc == RC_OK)
        rc = factor_make_recovery_codes(&api->call->oauth.oauth->door->factor_keys, api->store,
                                        account.id, &note, &codes);
    if (rc != RC_OK)
        return rc;
    ASSERT(!codes.overflow);
    write_codes(api, RECOVERY_CODE_COUNT, buffer_str(&codes));
    return RC_OK;
}

const struct api_resource api_account_recovery_resource = { .get = count_codes,
                                                            .post = make_codes };
