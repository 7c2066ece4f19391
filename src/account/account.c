#include "account/account.h"

enum { PAGE_ARENA_BYTES = 16 * 1024 };

/* ---- names and passwords ---- */

static enum rc refuse(struct buffer *out_error, struct str words)
{
    buffer_append_str(out_error, words);
    return RC_INVALID;
}

enum rc account_name_check(struct str name, struct buffer *out_error)
{
    if (name.len == 0)
        return refuse(out_error, STR("a name may not be empty"));
    if (name.len > ACCOUNT_NAME_BYTES_MAX)
        return refuse(out_error, STR("a name may have at most 255 bytes"));
    if (!str_is_utf8(name) || str_has_control(name))
        return refuse(out_error, STR("a name must be UTF-8 without control characters"));
    if (name.at[0] == ' ' || name.at[name.len - 1] == ' ')
        return refuse(out_error, STR("a name may not begin or end with a space"));
    if (str_index_of(name, ':') < name.len) /* RFC 7617 2 */
        return refuse(out_error, STR("a name may not hold a colon: Basic authentication ends the "
                                     "name there"));
    return RC_OK;
}

enum rc account_password_check_text(const struct secret *password, struct buffer *out_error)
{
    struct str text = secret_expose(password);

    if (text.len == 0)
        return refuse(out_error, STR("a password may not be empty"));
    if (text.len > PASSWORD_BYTES_MAX)
        return refuse(out_error, STR("a password may have at most 1024 bytes"));
    if (!str_is_utf8(text) || str_has_control(text))
        return refuse(out_error, STR("a password must be UTF-8 without control characters"));
    return RC_OK;
}

enum rc account_password_check(const struct secret *password, struct buffer *out_error)
{
    size_t character_count = 0;
    enum rc rc;

    rc = account_password_check_text(password, out_error);
    if (rc != RC_OK)
        return rc;
    /* Every byte but the continuations begins a character. */
    for (size_t i = 0; i < password->len; i++)
        character_count += (password->bytes[i] & 0xc0) != 0x80;
    if (character_count < ACCOUNT_PASSWORD_CHARACTERS_MIN) /* NIST SP 800-63B-4 3.1.1.2 */
        return refuse(out_error, STR("a password must have at least 15 characters"));
    return RC_OK;
}

/* ---- changes ---- */

static void add_event(struct store_unit *unit, int64_t account_id, int64_t at, struct str detail)
{
    struct event event = {
        .at = at, .kind = EVENT_ACCOUNT_CHANGED, .account_id = account_id, .detail = detail
    };

    store_insert_event(unit, &event);
}

enum rc account_create(struct store *store, const struct account *draft,
                       const struct secret *password, struct password_cost cost, struct str detail,
                       int64_t *out_id, struct buffer *out_error)
{
    char hash[PASSWORD_HASH_BYTES_MAX];
    struct store_unit unit;
    struct account account = *draft;
    enum rc rc;

    rc = account_name_check(draft->name, out_error);
    if (rc != RC_OK)
        return rc;
    rc = account_password_check_text(password, out_error);
    if (rc != RC_OK)
        return rc;
    rc = store_next_id(store, SEQUENCE_NOUN, &account.id);
    if (rc != RC_OK)
        return rc;
    rc = password_hash(password, cost, hash);
    if (rc != RC_OK)
        return rc;
    account.password_hash = str_of(hash);
    store_unit_init(&unit);
    store_insert_account(&unit, &account);
    add_event(&unit, account.id, account.created_at, detail);
    rc = store_commit(store, &unit);
    if (rc == RC_EXISTS)
        buffer_append_str(out_error, STR("an account of that name exists already"));
    if (rc == RC_OK)
        *out_id = account.id;
    return rc;
}

enum rc account_change_password(struct store *store, int64_t account_id,
                                const struct secret *password, struct password_cost cost,
                                struct str detail, int64_t now, struct buffer *out_error)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    char hash[PASSWORD_HASH_BYTES_MAX];
    struct store_unit unit;
    struct account account;
    enum rc rc;

    rc = account_password_check_text(password, out_error);
    if (rc != RC_OK)
        return rc;
    rc = password_hash(password, cost, hash);
    if (rc != RC_OK)
        return rc;
    arena_init(&arena, PAGE_ARENA_BYTES);
    rc = store_find_account(store, account_id, &arena, &account);
    if (rc != RC_OK)
        return rc;
    account.password_hash = str_of(hash);
    store_unit_init(&unit);
    store_update_account(&unit, &account);
    add_event(&unit, account_id, now, detail);
    return store_commit(store, &unit);
}

/* ---- the check ---- */

/*
 * Hashes once, whatever is known of the account, and says how it went: RC_OK, RC_NOT_FOUND with
 * *out_why, or a fault. may_succeed false: the answer is no, at the same cost (PW-07).
 */
static enum rc evaluate(const struct account_door *door, const struct account *account,
                        const struct secret *password, bool may_succeed, const char **out_why)
{
    bool has_hash = account != NULL && account->password_hash.len > 0;
    enum rc rc = RC_REFUSED;

    if (has_hash && password->len > 0)
        rc = password_verify(password, account->password_hash);
    else
        password_verify_nothing(password, door->cost);
    if (rc_is_fault(rc))
        return rc;
    if (!may_succeed)
        *out_why = "the name is held up by failed tries";
    else if (account == NULL)
        *out_why = "no such account";
    else if (account->is_disabled)
        *out_why = "the account is disabled";
    else if (!has_hash)
        *out_why = "the account has no password";
    else if (rc != RC_OK)
        *out_why = password->len == 0 ? "the password was empty" : "the password was wrong";
    else
        return RC_OK;
    return RC_NOT_FOUND;
}

/* Commits what a failed try leaves behind: RC_NOT_FOUND, or a fault. */
static enum rc commit_failure(const struct account_door *door, struct throttle_try *try,
                              int64_t account_id, const unsigned char address[static 16],
                              int64_t now, const char *why)
{
    struct store_unit unit;
    struct event event = { .at = now, .kind = EVENT_PASSWORD_FAILED, .account_id = account_id };
    enum rc rc;

    store_unit_init(&unit);
    if (try->is_begun)
        throttle_end(door->throttle, try, false, now, &unit);
    event.detail = str_of(why);
    memcpy(event.address, address, sizeof(event.address));
    store_insert_event(&unit, &event);
    rc = store_commit(door->store, &unit);
    return rc == RC_OK ? RC_NOT_FOUND : rc;
}

/* A hash of too low a cost gives way while the password is at hand (PW-04). */
static enum rc upgrade_hash(const struct account_door *door, struct account *account,
                            const struct secret *password, struct arena *arena)
{
    char *hash;
    struct store_unit unit;
    enum rc rc;

    if (!password_needs_upgrade(account->password_hash, door->cost))
        return RC_OK;
    hash = arena_alloc(arena, PASSWORD_HASH_BYTES_MAX);
    rc = password_hash(password, door->cost, hash);
    if (rc != RC_OK)
        return rc;
    store_unit_init(&unit);
    store_update_password_hash(&unit, account->id, account->password_hash, str_of(hash));
    rc = store_commit(door->store, &unit);
    if (rc == RC_NOT_FOUND) {
        /* Another sign-in upgraded it first, or the password was changed: what stands now decides.
         */
        rc = store_find_account(door->store, account->id, arena, account);
        if (rc != RC_OK)
            return rc;
        return password_verify(password, account->password_hash);
    }
    if (rc == RC_OK)
        account->password_hash = str_of(hash);
    return rc;
}

enum rc account_authenticate(const struct account_door *door, struct str name,
                             const struct secret *password, const unsigned char address[static 16],
                             int64_t now, struct arena *arena, struct store_unit *unit,
                             struct account *out_account, const char **out_why, int64_t *out_wait_s)
{
    struct throttle_try try;
    struct account account;
    bool is_found;
    enum rc begun;
    enum rc rc;

    begun = throttle_begin(door->throttle, name, address, now, &try, out_wait_s);
    if (begun != RC_OK && begun != RC_SPENT)
        return begun;
    rc = store_find_account_by_name(door->store, name, arena, &account);
    is_found = rc == RC_OK;
    if (rc == RC_OK || rc == RC_NOT_FOUND)
        rc = evaluate(door, is_found ? &account : NULL, password, begun == RC_OK, out_why);
    if (rc == RC_OK)
        rc = upgrade_hash(door, &account, password, arena);
    if (rc == RC_REFUSED) {
        *out_why = "the password was changed meanwhile";
        rc = RC_NOT_FOUND;
    }
    if (rc == RC_NOT_FOUND)
        return commit_failure(door, &try, is_found ? account.id : 0, address, now, *out_why);
    if (rc != RC_OK) {
        if (try.is_begun)
            throttle_cancel(door->throttle, &try);
        return rc;
    }
    throttle_end(door->throttle, &try, true, now, unit);
    *out_why = "ok";
    *out_account = account;
    return RC_OK;
}
