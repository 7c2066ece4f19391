#include "account/invitation.h"
#include "account/password_policy.h"
#include "mail/address.h"
#include "web/admin_acts.h"
#include "web/api_admin.h"

/* Accounts, by the administration API: they are made, looked at and changed. */

#define FIELD(name, type, may, member)                                                             \
    {                                                                                              \
        name, type, may, offsetof(struct account, member)                                          \
    }

static const struct api_field rows[] = {
    FIELD("name", API_TEXT, API_MAKE, name),
    FIELD("full_name", API_TEXT, API_MAKE | API_CHANGE, full_name),
    FIELD("email", API_TEXT, API_MAKE | API_CHANGE, email),
    FIELD("admin", API_FLAG, API_MAKE | API_CHANGE, is_admin),
    FIELD("disabled", API_FLAG, API_CHANGE, is_disabled),
    FIELD("second_factor", API_FLAG, API_READ, has_second_factor),
    FIELD("email_verified_at", API_TIME, API_READ, email_verified_at),
    FIELD("created_at", API_TIME, API_READ, created_at),
};

static const struct api_fields fields = { rows, sizeof(rows) / sizeof(rows[0]), { "password", 8 } };

static enum rc format(struct api_admin *api, const void *noun, struct json_out *json)
{
    const struct account *account = noun;

    json_member_string(json, STR("id"), arena_format(&api->arena, "%lld", (long long)account->id));
    api_fields_format(&fields, account, json);
    json_member_bool(json, STR("has_password"), account->password_hash.len > 0);
    return api_member_owner(api, MANAGED_ACCOUNT, account->id, json);
}

/* The account as it is now. */
static enum rc answer(struct api_admin *api, int status, int64_t id)
{
    struct account account;
    enum rc rc = account_find(api->store, id, &api->arena, &account);

    if (rc != RC_OK)
        return rc;
    if (status == 201)
        api->location = arena_format(&api->arena, "/api/v1/admin/accounts/%lld", (long long)id);
    return api_answer(api, status, format, &account, STR(""));
}

static enum rc list(struct api_admin *api)
{
    struct account *found = arena_alloc(&api->arena, (API_ROW_COUNT_MAX + 1) * sizeof(*found));
    struct api_list page;
    size_t count;
    enum rc rc;

    if (!api_list_begin(api, "accounts", STR("q"), &page))
        return RC_OK;
    rc = admin_search_accounts(api->store, api_filter(api, STR("q")), page.before_id, &api->arena,
                               found, page.limit + 1, &count);
    return rc == RC_OK ? api_list_answer(api, &page, format, found, sizeof(*found), count,
                                         offsetof(struct account, id))
                       : rc;
}

/* ---- what is wrong --------------------------------------------------------------------------- */

static bool refuse(struct api_admin *api, const char *field, const char *detail)
{
    api_answer_field(api->call, field, STR(""), detail);
    return false;
}

static bool check_texts(struct api_admin *api, const struct account *account)
{
    if (account->full_name.len > ACCOUNT_FULL_NAME_BYTES_MAX || str_has_control(account->full_name))
        return refuse(api, "full_name", "it is too long, or has control characters");
    if (!profile_is_email(account->email))
        return refuse(api, "email", "this is no e-mail address");
    return true;
}

static enum rc refuse_name(struct api_admin *api, enum rc rc)
{
    (void)refuse(api, "name",
                 rc == RC_EXISTS
                     ? "the name is taken"
                     : "a name has 1 to 255 bytes, no ':', control characters or blanks around it");
    return RC_OK;
}

static enum rc refuse_email(struct api_admin *api)
{
    (void)refuse(api, "email", "this address is another account's");
    return RC_OK;
}

/* out_has: there is one. False: the answer is written. */
static bool read_password(struct api_admin *api, const struct account *account,
                          struct secret *password, bool *out_has)
{
    const struct password_owner owner = { .name = account->name,
                                          .email = account->email,
                                          .has_second_factor = account->has_second_factor };
    const struct json_value *value = json_find(api->body, STR("password"));
    struct str text;

    *out_has = value != NULL && !json_is_null(value);
    if (!*out_has)
        return true;
    if (json_get_string(value, &text) != RC_OK || secret_set(password, text) != RC_OK)
        return refuse(api, "password", "this has to be a text, and not too long");
    if (password_judge(password, &owner) != PASSWORD_GOOD)
        return refuse(api, "password",
                      "it is too short, is common, is the account's name, or cannot be read");
    return true;
}

/* ---- a new one ------------------------------------------------------------------------------- */

static enum rc create_with(struct api_admin *api, struct account *draft,
                           const struct secret *password)
{
    const struct oauth *oauth = api->call->oauth.oauth;
    char bytes[256];
    struct buffer why = buffer_over(bytes, sizeof(bytes));
    const struct act_note note = admin_note(&api->admin, "added");
    enum rc rc =
        account_create(api->store, draft, password, oauth->door->cost, &note, &draft->id, &why);

    if (rc == RC_OK)
        rc = admin_forgive_name(api->store, oauth->door->throttle, draft->name, api->admin.now);
    return rc;
}

/* Without a password: whoever it is for chooses one, by a link in a mail. */
static enum rc invite(struct api_admin *api, struct account *draft)
{
    struct letter_head head = web_letter_head(api->call->web);
    __attribute__((cleanup(secret_cleanup))) struct secret value = { 0 };
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    char bytes[256];
    struct buffer why = buffer_over(bytes, sizeof(bytes));
    struct link link;
    enum rc rc = invitation_draft(api->store, draft, &link, &value);

    head.now = api->admin.now;
    if (rc == RC_OK)
        rc = letter_write_link(&head, &link, draft->name, &value, &letter);
    if (rc == RC_OK)
        rc = invitation_send(api->store, api->call->oauth.oauth->door->throttle, &api->admin, draft,
                             &link, letter.row, &why);
    return rc;
}

static enum rc create(struct api_admin *api)
{
    struct account draft = { .created_at = api->admin.now };
    __attribute__((cleanup(secret_cleanup))) struct secret password = { 0 };
    char bytes[256];
    struct buffer why = buffer_over(bytes, sizeof(bytes));
    bool has_password;
    enum rc rc;

    if (!api_fields_read(api, &fields, API_MAKE, &draft))
        return RC_OK;
    if (account_name_check(draft.name, &why) != RC_OK)
        return refuse_name(api, RC_INVALID);
    if (!check_texts(api, &draft) || !read_password(api, &draft, &password, &has_password))
        return RC_OK;
    if (!has_password &&
        (api->call->web->outbox == NULL || mail_address_check(draft.email) != RC_OK)) {
        (void)refuse(api, "password",
                     "without one an e-mail address is needed, and a server that sends mail");
        return RC_OK;
    }
    rc = has_password ? create_with(api, &draft, &password) : invite(api, &draft);
    if (rc == RC_REFUSED)
        return refuse_email(api);
    if (rc == RC_EXISTS || rc == RC_INVALID)
        return refuse_name(api, rc);
    return rc == RC_OK ? answer(api, 201, draft.id) : rc;
}

const struct api_resource api_accounts_resource = {
    .get = list, .post = create, .bodies = METHOD_POST, .hashes = true, .in_parts = true
};

/* ---- one account ----------------------------------------------------------------------------- */

static enum rc show(struct api_admin *api)
{
    struct account account;
    enum rc rc = api_account_find(api, &account);

    if (rc == RC_OK)
        return api_answer(api, 200, format, &account, STR(""));
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

static enum rc change_texts(struct api_admin *api, const struct account *before,
                            const struct account *after)
{
    struct admin_account_change change = { .full_name = after->full_name,
                                           .email = after->email,
                                           .is_admin = after->is_admin };
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    enum rc rc = RC_OK;

    if (str_equal(before->full_name, after->full_name) && str_equal(before->email, after->email) &&
        before->is_admin == after->is_admin)
        return RC_OK;
    if (!str_equal(before->email, after->email))
        rc = api_tell(api, before, NEWS_EMAIL, STR(""), &letter);
    change.notice = letter.row;
    return rc == RC_OK ? admin_change_account(api->store, &api->admin, before, &change) : rc;
}

static enum rc change_state(struct api_admin *api, const struct account *before,
                            const struct account *after)
{
    struct account expected = *after; /* its texts are written by now */

    expected.is_disabled = before->is_disabled;
    /* Also where it is already: a fault may have left grants that had not ended yet. */
    if (after->is_disabled && json_find(api->body, STR("disabled")) != NULL)
        return admin_act_disable_account(api->call, &api->admin, before->id, &expected);
    if (before->is_disabled == after->is_disabled)
        return RC_OK;
    return admin_enable(api->store, api->call->oauth.oauth->door->throttle, &api->admin, before,
                        &expected);
}

static enum rc change_password(struct api_admin *api, const struct account *account,
                               const struct secret *password)
{
    const struct grants_filter filter = { .account_id = account->id };
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    struct act_note note = admin_note(&api->admin, "password changed");
    char bytes[256];
    struct buffer why = buffer_over(bytes, sizeof(bytes));
    enum rc rc = api_tell(api, account, NEWS_PASSWORD, STR(""), &letter);

    note.notice = letter.row;
    if (rc == RC_OK)
        rc = account_change_password(api->store, account->id, password,
                                     api->call->oauth.oauth->door->cost, &note, &why);
    return rc == RC_OK ? admin_act_end_grants(api->call, &api->admin, &filter) : rc; /* RT-10 */
}

/* Nobody shuts themselves out, as in the pages. */
static bool is_for_self(struct api_admin *api, const struct account *after)
{
    if (after->id != api->account.id || (after->is_admin && !after->is_disabled))
        return false;
    api_answer_problem(api->call, 403, STR("forbidden"),
                       STR("nobody takes this away from themselves"));
    return true;
}

static enum rc change(struct api_admin *api, const struct account *before,
                      const struct account *after, const struct secret *password)
{
    enum rc rc = change_texts(api, before, after);

    if (rc == RC_EXISTS)
        return refuse_email(api);
    if (rc == RC_REFUSED)
        return api_answer_conflict(api, "this is the last administrator who may sign in");
    if (rc == RC_OK && password != NULL)
        rc = change_password(api, after, password);
    if (rc == RC_OK)
        rc = change_state(api, before, after);
    if (rc == RC_SPENT)
        return api_answer_overtaken(api);
    if (rc == RC_NOT_FOUND)
        return api_answer_missing(api);
    return rc == RC_OK ? answer(api, 200, before->id) : rc;
}

static enum rc patch(struct api_admin *api)
{
    __attribute__((cleanup(secret_cleanup))) struct secret password = { 0 };
    struct account before;
    struct account after;
    bool has_password;
    enum rc rc = api_account_find(api, &before);

    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    after = before;
    if (!api_is_match(api, format, &before) || !api_fields_read(api, &fields, API_CHANGE, &after) ||
        !check_texts(api, &after) || !read_password(api, &after, &password, &has_password) ||
        is_for_self(api, &after))
        return RC_OK;
    return change(api, &before, &after, has_password ? &password : NULL);
}

const struct api_resource api_account_resource = {
    .get = show, .patch = patch, .bodies = API_METHOD_PATCH, .hashes = true
};

/* ---- acts ------------------------------------------------------------------------------------ */

static enum rc unlock(struct api_admin *api)
{
    struct account account;
    enum rc rc = api_account_find(api, &account);

    if (rc == RC_OK)
        return api_answer_done(api, admin_unlock(api->store, api->call->oauth.oauth->door->throttle,
                                                 &api->admin, &account));
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

const struct api_resource api_account_unlock_resource = { .post = unlock };
