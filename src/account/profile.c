#include "account/profile.h"

#include "account/notice.h"

enum {
    SESSIONS_PER_UNIT = 8,
    SESSIONS_PER_READ = 64, /* the store keeps those that are over for a while */
    SESSION_BYTES_MAX = DEVICE_BYTES_MAX + 64
};

_Static_assert((int)SESSIONS_PER_UNIT + 2 <= (int)STORE_UNIT_STEP_COUNT_MAX, "events must fit too");

/* ---- names ----------------------------------------------------------------------------------- */

bool profile_is_email(struct str text)
{
    size_t at = str_index_of(text, '@');
    struct str domain = str_from(text, at < text.len ? at + 1 : at);
    size_t dot = str_index_of(domain, '.');

    if (text.len == 0)
        return true;
    if (!str_is_utf8(text) || str_has_control(text) || str_index_of(text, ' ') < text.len ||
        text.len > ACCOUNT_EMAIL_BYTES_MAX)
        return false;
    return at > 0 && str_index_of(domain, '@') == domain.len && dot > 0 && dot + 1 < domain.len;
}

enum rc profile_update(struct store *store, const struct browser *browser, int64_t account_id,
                       struct str full_name, struct str email)
{
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    store_update_profile(&unit, account_id, full_name, email);
    browser_add_event(browser, EVENT_ACCOUNT_CHANGED, account_id,
                      STR("name or address, by its owner"), &unit);
    return store_commit(store, &unit);
}

/* ---- the password ---------------------------------------------------------------------------- */

/* All in one: only if the password still is what was checked, and with a new session for this
 * browser. */
static enum rc commit_change(const struct account_door *door, const struct browser *browser,
                             const struct account *account, const struct password_change *change,
                             struct str new_hash, struct store_unit *unit,
                             struct password_change_result *result)
{
    const struct browser_begin begin = { .account_id = account->id,
                                         .stage = STAGE_SIGNED_IN,
                                         .address = browser->address,
                                         .device = browser->device,
                                         .now = browser->now,
                                         .replaces_id = change->session->id,
                                         .login_id = change->session->login_id,
                                         .methods = change->session->methods | METHOD_PASSWORD };
    struct browser_session session;
    enum rc rc;

    store_update_password_hash(unit, account->id, account->password_hash, new_hash);
    store_delete_all_links(unit, account->id);
    notice_add(change->notice, unit);
    rc = browser_session_begin(door->store, &begin, unit, result->value, &session);
    if (rc != RC_OK)
        return rc;
    if (change->ends_sessions)
        store_delete_browser_sessions(unit, account->id, session.id);
    else
        store_delete_waiting_sessions(unit, account->id);
    browser_add_event(browser, EVENT_ACCOUNT_CHANGED, account->id, STR("password, by its owner"),
                      unit);
    rc = store_commit(door->store, unit);
    if (rc != RC_NOT_FOUND)
        return rc;
    explicit_bzero(result->value, sizeof(result->value));
    result->verdict = SIGN_IN_WRONG;
    result->why = "account or session changed meanwhile";
    return RC_OK;
}

enum rc profile_change_password(const struct account_door *door, const struct browser *browser,
                                const struct account *account, const struct password_change *change,
                                struct arena *arena, struct password_change_result *out_result)
{
    const struct password_owner owner = { .name = account->name,
                                          .email = account->email,
                                          .has_second_factor = account->has_second_factor };
    struct sign_in sign_in = { .name = account->name,
                               .password = change->current,
                               .asks_code = true,
                               .asks_passkey = true,
                               .address = browser->address,
                               .now = browser->now };
    char hash[PASSWORD_HASH_BYTES_MAX];
    struct sign_in_result checked;
    UNINITIALIZED struct store_unit unit;
    enum rc rc;

    store_unit_init(&unit);
    rc = account_authenticate(door, &sign_in, arena, &unit, &checked);
    if (rc != RC_OK)
        return rc;
    *out_result = (struct password_change_result){ .verdict = checked.verdict,
                                                   .why = checked.why,
                                                   .wait_s = checked.wait_s };
    if (checked.verdict != SIGN_IN_OK && checked.verdict != SIGN_IN_CODE_MISSING)
        return RC_OK;
    if (checked.verdict == SIGN_IN_CODE_MISSING) {
        store_unit_init(&unit); /* what the check left there is not to be committed */
        out_result->verdict = SIGN_IN_OK;
    }
    out_result->is_same = secret_equal(change->current, change->wanted);
    out_result->wanted = password_judge(change->wanted, &owner);
    if (out_result->is_same || out_result->wanted != PASSWORD_GOOD)
        return RC_OK;
    rc = password_hash(change->wanted, door->cost, hash);
    return rc == RC_OK ? commit_change(door, browser, &checked.account, change, str_of(hash), &unit,
                                       out_result)
                       : rc;
}

/* ---- second factors -------------------------------------------------------------------------- */

/* RC_NOT_FOUND also when the password was changed since it was checked. */
static enum rc commit_last_removal(const struct account_door *door, const struct browser *browser,
                                   const struct account *account,
                                   const struct factor_removal *removal)
{
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    store_expect_password_hash(&unit, account->id, account->password_hash);
    store_delete_factor(&unit, removal->factor_id, account->id);
    store_delete_recovery_codes(&unit, account->id);
    store_delete_browser_sessions(&unit, account->id, removal->session_id); /* SE-06 */
    browser_add_event(browser, EVENT_FACTOR_CHANGED, account->id,
                      STR("the last second factor was removed by its owner"), &unit);
    notice_add(removal->notice, &unit);
    return store_commit(door->store, &unit);
}

enum rc profile_remove_last_factor(const struct account_door *door, const struct browser *browser,
                                   const struct account *account, const struct secret *password,
                                   const struct factor_removal *removal, struct arena *arena,
                                   struct factor_removal_result *out_result)
{
    struct password_owner alone = { .name = account->name, .email = account->email };
    struct sign_in sign_in = { .name = account->name,
                               .password = password,
                               .asks_code = true,
                               .asks_passkey = true,
                               .address = browser->address,
                               .now = browser->now };
    struct factor_removal_result result = { 0 };
    struct sign_in_result checked;
    UNINITIALIZED struct store_unit unit; /* what the check leaves there is not to be committed */
    enum rc rc;

    store_unit_init(&unit);
    rc = account_authenticate(door, &sign_in, arena, &unit, &checked);
    if (rc != RC_OK)
        return rc;
    result.verdict = checked.verdict;
    result.why = checked.why;
    result.wait_s = checked.wait_s;
    if (checked.verdict == SIGN_IN_CODE_MISSING) {
        result.verdict = SIGN_IN_OK;
        result.is_password_short = password_judge(password, &alone) == PASSWORD_SHORT; /* PW-01 */
        if (!result.is_password_short)
            rc = commit_last_removal(door, browser, &checked.account, removal);
    } else if (checked.verdict == SIGN_IN_OK) {
        rc = RC_NOT_FOUND; /* no second factor is left */
    }
    if (rc == RC_OK)
        *out_result = result;
    return rc;
}

enum rc profile_list_factors(struct store *store, int64_t account_id, struct arena *arena,
                             struct factor out_rows[static FACTOR_COUNT_MAX], size_t *out_count)
{
    return store_list_factors(store, account_id, arena, out_rows, out_count);
}

enum rc profile_count_recovery_codes(struct store *store, int64_t account_id, size_t *out_count)
{
    return store_count_recovery_codes(store, account_id, out_count);
}

/* ---- sessions -------------------------------------------------------------------------------- */

enum rc profile_list_browser_sessions(struct store *store, int64_t account_id, int64_t before_id,
                                      int64_t now, struct arena *arena,
                                      struct browser_session *out_rows, size_t max,
                                      size_t *out_count)
{
    __attribute__((cleanup(arena_deinit))) struct arena read = { 0 };
    struct browser_session rows[SESSIONS_PER_READ];
    size_t found = SESSIONS_PER_READ;
    size_t count = 0;

    arena_init(&read, (size_t)SESSIONS_PER_READ * SESSION_BYTES_MAX);
    while (count < max && found == SESSIONS_PER_READ) {
        enum rc rc;

        arena_reset(&read);
        rc = store_list_browser_sessions(store, account_id, before_id, &read, rows,
                                         SESSIONS_PER_READ, &found);
        if (rc != RC_OK)
            return rc;
        for (size_t i = 0; i < found && count < max; i++) {
            before_id = rows[i].id;
            if (now >= rows[i].expires_at || now - rows[i].last_active_at >= BROWSER_IDLE_S)
                continue;
            out_rows[count] = rows[i];
            out_rows[count++].device = arena_copy(arena, rows[i].device);
        }
    }
    *out_count = count;
    return RC_OK;
}

enum rc profile_list_sessions(struct store *store, int64_t account_id, int64_t before_id,
                              int64_t now, struct arena *arena, struct session *out_rows,
                              size_t max, size_t *out_count)
{
    __attribute__((cleanup(arena_deinit))) struct arena read = { 0 };
    struct session rows[SESSIONS_PER_READ];
    size_t found = SESSIONS_PER_READ;
    size_t count = 0;

    arena_init(&read, (size_t)SESSIONS_PER_READ * SESSION_BYTES_MAX);
    while (count < max && found == SESSIONS_PER_READ) {
        enum rc rc;

        arena_reset(&read);
        rc = store_list_sessions(store, account_id, before_id, &read, rows, SESSIONS_PER_READ,
                                 &found);
        if (rc != RC_OK)
            return rc;
        for (size_t i = 0; i < found && count < max; i++) {
            before_id = rows[i].id;
            if (now - rows[i].last_active_at >= rows[i].idle_s)
                continue;
            out_rows[count] = rows[i];
            out_rows[count++].device = arena_copy(arena, rows[i].device);
        }
    }
    *out_count = count;
    return RC_OK;
}

enum rc profile_end_browser_session(struct store *store, const struct browser *browser,
                                    int64_t account_id, int64_t session_id, struct str detail)
{
    UNINITIALIZED struct store_unit unit;

    store_unit_init(&unit);
    store_delete_browser_session(&unit, session_id);
    browser_add_event(browser, EVENT_SIGNED_OUT, account_id, detail, &unit);
    return store_commit(store, &unit);
}

enum rc profile_end_session(struct store *store, const struct browser *browser, int64_t account_id,
                            int64_t session_id, struct str detail)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct session session;
    UNINITIALIZED struct store_unit unit;
    enum rc rc;

    arena_init(&arena, SESSION_BYTES_MAX);
    rc = store_find_session(store, session_id, &arena, &session);
    if (rc == RC_NOT_FOUND || (rc == RC_OK && session.account_id != account_id))
        return RC_OK;
    if (rc != RC_OK)
        return rc;
    store_unit_init(&unit);
    store_end_grant(&unit, session_id, browser->now);
    browser_add_event(browser, EVENT_GRANT_ENDED, account_id, detail, &unit);
    return store_commit(store, &unit);
}

/* except_id: of a browser, 0: none. */
static enum rc end_sessions(struct store *store, const struct browser *browser, int64_t account_id,
                            int64_t except_id, struct str browsers, struct str others)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct session rows[SESSIONS_PER_UNIT];
    UNINITIALIZED struct store_unit unit;
    size_t count;
    enum rc rc;

    arena_init(&arena, (size_t)SESSIONS_PER_UNIT * SESSION_BYTES_MAX);
    store_unit_init(&unit);
    store_delete_browser_sessions(&unit, account_id, except_id);
    browser_add_event(browser, EVENT_SIGNED_OUT, account_id, browsers, &unit);
    rc = store_commit(store, &unit);
    while (rc == RC_OK) {
        arena_reset(&arena);
        /* Those of the page before live no more, so the first page is always the next one. */
        rc = store_list_sessions(store, account_id, INT64_MAX, &arena, rows, SESSIONS_PER_UNIT,
                                 &count);
        if (rc != RC_OK || count == 0)
            return rc;
        store_unit_init(&unit);
        for (size_t i = 0; i < count; i++)
            store_end_grant(&unit, rows[i].id, browser->now);
        browser_add_event(browser, EVENT_GRANT_ENDED, account_id, others, &unit);
        rc = store_commit(store, &unit);
    }
    return rc;
}

enum rc profile_end_other_sessions(struct store *store, const struct browser *browser,
                                   int64_t account_id, int64_t session_id)
{
    return end_sessions(store, browser, account_id, session_id,
                        STR("all other browsers, by its owner"), STR("all sessions, by its owner"));
}

enum rc profile_end_sessions(struct store *store, const struct browser *browser, int64_t account_id,
                             int64_t session_id, struct str detail)
{
    return end_sessions(store, browser, account_id, session_id, detail, detail);
}
