#include "account/browser_sign_in.h"

void browser_add_event(const struct browser *browser, enum event_kind kind, int64_t account_id,
                       struct str detail, struct store_unit *unit)
{
    struct event event = {
        .at = browser->now, .kind = kind, .account_id = account_id, .detail = detail
    };

    memcpy(event.address, browser->address, sizeof(event.address));
    store_insert_event(unit, &event);
}

/* Nobody is signed in: the account, its password or the session before was changed meanwhile, or
 * the code was used a moment before. */
static void undo(struct browser_result *result, enum sign_in_verdict verdict, const char *why)
{
    result->verdict = verdict;
    result->why = why;
    explicit_bzero(result->value, sizeof(result->value));
}

/* Begins what the verdict allows in the unit, and commits it. */
static enum rc commit_session(const struct account_door *door, const struct browser_begin *begin,
                              const struct browser *browser, struct str detail,
                              struct store_unit *unit, struct browser_result *result)
{
    enum rc rc = browser_session_begin(door->store, begin, unit, result->value, &result->session);

    if (rc != RC_OK)
        return rc;
    if (begin->stage == STAGE_SIGNED_IN)
        browser_add_event(browser, EVENT_SIGNED_IN, begin->account_id, detail, unit);
    rc = store_commit(door->store, unit);
    if (rc == RC_SPENT)
        undo(result, SIGN_IN_CODE_WRONG, "the code was used a moment before");
    else if (rc == RC_NOT_FOUND)
        undo(result, SIGN_IN_WRONG, "account or session changed meanwhile");
    return rc == RC_SPENT || rc == RC_NOT_FOUND ? RC_OK : rc;
}

static struct browser_begin begin_of(const struct browser *browser, const struct account *account,
                                     enum session_stage stage, unsigned methods)
{
    return (struct browser_begin){ .account_id = account->id,
                                   .stage = stage,
                                   .address = browser->address,
                                   .device = browser->device,
                                   .password_hash = account->password_hash,
                                   .now = browser->now,
                                   .methods = methods };
}

/* Takes the place of a session, whose sign-in goes on: what was proven there counts, too. */
static void follow(const struct browser_session *session, struct browser_begin *begin)
{
    begin->replaces_id = session->id;
    begin->login_id = session->login_id;
    begin->methods |= session->methods;
}

static struct browser_result result_of(const struct sign_in_result *checked)
{
    return (struct browser_result){ .verdict = checked->verdict,
                                    .why = checked->why,
                                    .wait_s = checked->wait_s };
}

enum rc browser_sign_in(const struct account_door *door, const struct browser *browser,
                        struct str name, const struct secret *password,
                        const struct browser_session *replaces, struct arena *arena,
                        struct browser_result *out_result)
{
    struct sign_in sign_in = { .name = name,
                               .password = password,
                               .asks_code = true,
                               .asks_passkey = true,
                               .address = browser->address,
                               .now = browser->now };
    bool needs_code;
    struct sign_in_result checked;
    struct browser_begin begin;
    UNINITIALIZED struct store_unit unit;
    enum rc rc;

    store_unit_init(&unit);
    rc = account_authenticate(door, &sign_in, arena, &unit, &checked);
    if (rc != RC_OK)
        return rc;
    *out_result = result_of(&checked);
    needs_code = checked.verdict == SIGN_IN_CODE_MISSING;
    if (checked.verdict != SIGN_IN_OK && !needs_code)
        return RC_OK;
    if (needs_code)
        store_unit_init(&unit); /* what the check left there is not to be committed */
    begin = begin_of(browser, &checked.account, needs_code ? STAGE_NEEDS_CODE : STAGE_SIGNED_IN,
                     METHOD_PASSWORD);
    /* A session of another that has ended meanwhile must not stop this one. */
    if (replaces != NULL)
        store_delete_browser_session(&unit, replaces->id);
    if (replaces != NULL && replaces->account_id == checked.account.id)
        begin.login_id = replaces->login_id;
    return commit_session(door, &begin, browser, STR("in a browser, with a password"), &unit,
                          out_result);
}

enum rc browser_sign_in_code(const struct account_door *door, const struct browser *browser,
                             const struct browser_session *waiting, const struct account *account,
                             struct str code, struct arena *arena,
                             struct browser_result *out_result)
{
    struct sign_in sign_in = { .code = &code, .address = browser->address, .now = browser->now };
    struct browser_begin begin = begin_of(browser, account, STAGE_SIGNED_IN, METHOD_CODE);
    struct sign_in_result checked;
    UNINITIALIZED struct store_unit unit;
    enum rc rc;

    store_unit_init(&unit);
    rc = account_authenticate_code(door, &sign_in, account, arena, &unit, &checked);
    if (rc != RC_OK)
        return rc;
    *out_result = result_of(&checked);
    if (checked.verdict != SIGN_IN_OK)
        return RC_OK;
    follow(waiting, &begin);
    return commit_session(door, &begin, browser, STR("in a browser, with a password and a code"),
                          &unit, out_result);
}

enum rc browser_prove(const struct account_door *door, const struct browser *browser,
                      const struct browser_session *session, const struct account *account,
                      const struct secret *password, const struct str *code, struct arena *arena,
                      struct browser_result *out_result)
{
    struct sign_in sign_in = { .name = account->name,
                               .password = password,
                               .code = code,
                               .asks_code = true,
                               .asks_passkey = true,
                               .address = browser->address,
                               .now = browser->now };
    struct sign_in_result checked;
    struct browser_begin begin;
    UNINITIALIZED struct store_unit unit;
    enum rc rc;

    store_unit_init(&unit);
    rc = account_authenticate(door, &sign_in, arena, &unit, &checked);
    if (rc != RC_OK)
        return rc;
    *out_result = result_of(&checked);
    if (checked.verdict != SIGN_IN_OK)
        return RC_OK;
    begin = begin_of(browser, &checked.account, STAGE_SIGNED_IN, METHOD_PASSWORD);
    if (checked.account.has_second_factor) /* then the code was asked for, and right */
        begin.methods |= METHOD_CODE;
    follow(session, &begin);
    return commit_session(door, &begin, browser, STR("in a browser, once more"), &unit, out_result);
}

enum rc browser_sign_out(struct store *store, const struct browser *browser,
                         const struct browser_session *session)
{
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    store_delete_browser_session(&unit, session->id);
    if (session->stage == STAGE_SIGNED_IN)
        browser_add_event(browser, EVENT_SIGNED_OUT, session->account_id, STR("by its owner"),
                          &unit);
    return store_commit(store, &unit);
}
