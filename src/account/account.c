#include "account/account.h"

enum { TAKEN_ARENA_BYTES = 8 * 1024 }; /* a row of an account */

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

enum rc account_find(struct store *store, int64_t account_id, struct arena *arena,
                     struct account *out_account)
{
    return store_find_account(store, account_id, arena, out_account);
}

/* ---- changes ---- */

static void add_event(struct store_unit *unit, int64_t account_id, const struct act_note *note)
{
    const struct event event = note_event(note, EVENT_ACCOUNT_CHANGED, account_id);

    store_insert_event(unit, &event);
}

/* RC_EXISTS of a new account is its name's or its address's: RC_REFUSED. */
static enum rc tell_taken(struct store *store, const struct account *draft,
                          struct buffer *out_error)
{
    __attribute__((cleanup(arena_deinit))) struct arena arena = { 0 };
    struct account found;
    enum rc rc;

    arena_init(&arena, TAKEN_ARENA_BYTES);
    rc = store_find_account_by_name(store, draft->name, &arena, &found);
    if (rc != RC_OK && rc != RC_NOT_FOUND)
        return rc;
    buffer_append_str(out_error, rc == RC_OK ? STR("an account of that name exists already")
                                             : STR("the address is another account's"));
    return rc == RC_OK ? RC_EXISTS : RC_REFUSED;
}

enum rc account_create(struct store *store, const struct account *draft,
                       const struct secret *password, struct password_cost cost,
                       const struct act_note *note, int64_t *out_id, struct buffer *out_error)
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
    account.email_verified_at = 0;
    store_unit_init(&unit);
    store_insert_account(&unit, &account);
    if (account.email.len > 0)
        store_verify_email(&unit, account.id, account.email, account.created_at);
    add_event(&unit, account.id, note);
    rc = store_commit(store, &unit);
    if (rc == RC_EXISTS)
        return tell_taken(store, draft, out_error);
    if (rc == RC_OK)
        *out_id = account.id;
    return rc;
}

enum rc account_change_password(struct store *store, int64_t account_id,
                                const struct secret *password, struct password_cost cost,
                                const struct act_note *note, struct buffer *out_error)
{
    char hash[PASSWORD_HASH_BYTES_MAX];
    struct store_unit unit;
    enum rc rc;

    rc = account_password_check_text(password, out_error);
    if (rc != RC_OK)
        return rc;
    rc = password_hash(password, cost, hash);
    if (rc != RC_OK)
        return rc;
    store_unit_init(&unit);
    store_set_password_hash(&unit, account_id, str_of(hash));
    store_delete_all_links(&unit, account_id);
    add_event(&unit, account_id, note);
    notice_add(note->notice, &unit);
    return store_commit(store, &unit);
}
