#include "account/account.h"
#include "base/clock.h"
#include "daemon/change.h"
#include "daemon/import_read.h"

/* A file is read twice: first to see whether all of it is sound, and only then to store it. */
struct import {
    struct command_context *context;
    const char *file;
    const struct options *options;
    struct admin admin;
    bool is_update;
    bool is_writing;
    bool is_shown; /* what is told is told once */
    int status;    /* of the store; what follows is not tried */
    size_t bad_count;
    size_t row_count;
    size_t new_count;
    size_t updated_count;
    size_t present_count;
    size_t no_password_count;
    size_t factor_count; /* that come along */
    size_t left_factor_count;
    size_t attributes_count;
};

static void complain(void *context, size_t number, struct str name, const char *words)
{
    struct import *import = context;

    if (import->is_writing)
        return;
    import->bad_count++;
    if (number == 0) {
        command_note(import->context, "%s: %s", import->file, words);
        return;
    }
    command_note(import->context, "%s: %s %zu: '%.*s': %s", import->file,
                 strcmp(options_find(import->options, "format"), "keycloak") == 0 ? "user" : "line",
                 number, STR_ARGS(name), words);
}

/* Whether an address that counts as known is some other account's. */
static enum rc judge_address(struct import *import, const struct import_row *row,
                             bool *out_is_taken)
{
    struct command_context *context = import->context;
    struct account owner, own = { .id = 0 };
    enum rc rc = RC_NOT_FOUND;

    *out_is_taken = false;
    if (row->email_is_known && row->email.len > 0)
        rc = store_find_account_by_email(context->store, row->email, context->arena, &owner);
    if (rc != RC_OK)
        return rc == RC_NOT_FOUND ? RC_OK : rc;
    rc = store_find_account_by_name(context->store, row->name, context->arena, &own);
    *out_is_taken = owner.id != own.id;
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

static bool check(struct import *import, const struct import_row *row)
{
    char bytes[256];
    struct buffer error = buffer_over(bytes, sizeof(bytes));
    bool is_sound =
        account_name_check(row->name, &error) == RC_OK &&
        change_text_check(row->full_name, ACCOUNT_FULL_NAME_BYTES_MAX, &error) == RC_OK &&
        change_email_check(row->email, &error) == RC_OK;

    if (!is_sound)
        complain(import, row->number, row->name,
                 arena_format(import->context->arena, "%.*s", STR_ARGS(buffer_str(&error))).at);
    return is_sound;
}

static enum rc insert(struct import *import, const struct import_row *row)
{
    const struct account account = {
        .name = row->name,
        .full_name = row->full_name,
        .email = row->email,
        .email_verified_at = row->email_is_known ? import->admin.now : 0,
        .password_hash = row->hash,
        .is_disabled = row->is_disabled,
        .created_at = import->admin.now,
    };
    const struct admin_factors factors = { import->context->factor_keys, row->factors,
                                           row->factor_count };
    int64_t id;

    return admin_create_account(import->context->store, import->context->throttle, &import->admin,
                                &account, &factors, &id);
}

static void count_new(struct import *import, const struct import_row *row)
{
    import->new_count++;
    import->no_password_count += row->hash.len == 0;
    import->factor_count += row->factor_count > 0;
    import->left_factor_count += row->has_other_factor;
    import->attributes_count += row->has_attributes;
    for (size_t i = 0; import->is_shown && i < row->note_count; i++)
        command_note(import->context, "%s: user %zu: '%.*s': %s", import->file, row->number,
                     STR_ARGS(row->name), row->notes[i]);
}

/* What the file has to say; a password only where there is none, for the one that is there may be
 * newer. */
static enum rc update(struct import *import, const struct import_row *row,
                      const struct account *before)
{
    struct account after = *before;
    size_t count;
    enum rc rc;

    if (row->full_name.len > 0)
        after.full_name = row->full_name;
    if (row->email.len > 0 && row->email_is_known)
        after.email = row->email;
    if (before->password_hash.len == 0)
        after.password_hash = row->hash;
    after.is_disabled = row->is_disabled;
    if (str_equal(after.full_name, before->full_name) && str_equal(after.email, before->email) &&
        after.password_hash.len == before->password_hash.len &&
        after.is_disabled == before->is_disabled) {
        import->present_count++;
        return RC_OK;
    }
    import->updated_count++;
    if (!import->is_writing)
        return RC_OK;
    rc = admin_set_account(import->context->store, import->context->throttle, &import->admin,
                           before, &after);
    if (rc == RC_OK && after.is_disabled && !before->is_disabled)
        rc = change_end_grants(import->context, before->id, 0, &count);
    return rc;
}

static enum rc store_row(struct import *import, const struct import_row *row)
{
    struct account before;
    enum rc rc = store_find_account_by_name(import->context->store, row->name,
                                            import->context->arena, &before);

    if (rc == RC_OK && import->is_update)
        return update(import, row, &before);
    if (rc == RC_NOT_FOUND) {
        rc = import->is_writing ? insert(import, row) : RC_OK;
        if (rc == RC_OK)
            count_new(import, row);
        if (rc != RC_EXISTS) /* twice in the file */
            return rc;
        rc = RC_OK;
    }
    if (rc == RC_OK) {
        import->present_count++;
        if (import->is_shown)
            command_note(import->context, "%s: '%.*s' exists already and stays as it is",
                         import->file, STR_ARGS(row->name));
    }
    return rc;
}

static void take(void *context, const struct import_row *row)
{
    struct import *import = context;
    size_t mark = import->context->arena->used_bytes;
    bool is_taken;
    enum rc rc;

    if (import->status != STATUS_DONE)
        return;
    import->row_count++;
    rc = judge_address(import, row, &is_taken);
    if (rc == RC_OK && is_taken && import->is_writing) /* twice in the file */
        rc = RC_EXISTS;
    else if (rc == RC_OK && is_taken)
        complain(import, row->number, row->name, "its address is another account's");
    else if (rc == RC_OK)
        rc = import->is_writing || check(import, row) ? store_row(import, row) : RC_OK;
    if (rc == RC_EXISTS)
        import->status = command_refuse(import->context,
                                        "%s: '%.*s': the address is another's already; what "
                                        "stands before it is stored",
                                        import->file, STR_ARGS(row->name));
    else if (rc != RC_OK)
        import->status = change_answer(import->context, rc);
    command_rewind(import->context, mark);
}

static void report(const struct import *import)
{
    struct sink *out = import->context->out;

    sink_format(out, "%s %zu, %s %zu, %s %zu\n", import->is_writing ? "added" : "to add",
                import->new_count, import->is_writing ? "updated" : "to update",
                import->updated_count, "left as they are", import->present_count);
    if (import->no_password_count > 0)
        sink_format(out, "without a password: %zu; 'jeton user passwd' sets one\n",
                    import->no_password_count);
    if (import->factor_count > 0)
        sink_format(out, "with an authenticator that goes on: %zu\n", import->factor_count);
    if (import->left_factor_count > 0)
        sink_format(out, "with a second factor that stays behind: %zu\n",
                    import->left_factor_count);
    if (import->attributes_count > 0)
        sink_format(out, "with attributes that stay behind: %zu\n", import->attributes_count);
}

static void walk(struct import *import, enum import_format format, bool is_writing, bool is_shown)
{
    const struct import_sink sink = { .context = import, .take = take, .complain = complain };

    import->is_writing = is_writing;
    import->is_shown = is_shown;
    import->row_count = import->new_count = import->updated_count = 0;
    import->present_count = import->no_password_count = import->factor_count = 0;
    import->left_factor_count = import->attributes_count = 0;
    import_read(format, import->context->document, import->context->arena, &sink);
}

static int run_import(struct command_context *context, const struct options *options)
{
    const char *text = options_find(options, "format");
    bool is_dry = options_has(options, "dry-run");
    struct import import = { .context = context,
                             .file = options->arguments[0],
                             .options = options,
                             .admin = change_admin(context),
                             .is_update = options_has(options, "update") };
    enum import_format format;

    if (text == NULL || import_format_parse(str_of(text), &format) != RC_OK)
        return command_usage(context, "--format is needed: 'htpasswd', 'ldif' or 'keycloak'");
    walk(&import, format, false, is_dry);
    if (import.status != STATUS_DONE)
        return import.status;
    if (import.bad_count > 0)
        return command_refuse(context, "%s: nothing was stored: %zu of its entries cannot be taken",
                              import.file, import.bad_count);
    if (import.row_count == 0)
        return command_refuse(context, "%s: there is no account in it", import.file);
    if (!is_dry)
        walk(&import, format, true, true);
    if (import.status == STATUS_DONE)
        report(&import);
    return import.status;
}

static const struct option_spec options_import[] = {
    { "format", "FORMAT", "htpasswd, ldif or keycloak", false },
    { "dry-run", NULL, "check the file and say what would be done", false },
    { "update", NULL, "bring accounts that exist up to date; their passwords stay", false },
    { 0 },
};

const struct command commands_import[] = {
    { "user", "import", "FILE", options_import,
      "adds the accounts of another server, with their password hashes", true, NULL, run_import },
    { 0 },
};
