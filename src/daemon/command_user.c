#include "account/invitation.h"
#include "base/clock.h"
#include "codec/json.h"
#include "daemon/change.h"

/* ---- checks ---- */

/* An operator may set any password; a short one deserves a word. */
static void warn_if_weak(struct command_context *context)
{
    char bytes[256];
    struct buffer error = buffer_over(bytes, sizeof(bytes));

    if (account_password_check(context->input, &error) != RC_OK)
        command_note(context, "warning: this password would not be taken from its owner: %.*s",
                     STR_ARGS(buffer_str(&error)));
}

/* ---- add, passwd ---- */

static bool wants_password(const struct options *options)
{
    return options_has(options, "password-stdin");
}

static bool always(const struct options *options)
{
    (void)options;
    return true;
}

/* Whoever tried the name before there was an account does not hold up its owner. */
static int forgive_name(struct command_context *context, struct str name)
{
    enum rc rc = admin_forgive_name(context->store, context->throttle, name, clock_now_s());

    if (rc == RC_OK)
        return STATUS_DONE;
    return command_refuse(context,
                          "the account was added, but failed tries of its name could not be "
                          "forgotten (%s); run 'jeton user unlock'",
                          rc_words(rc));
}

static int note_invited(struct command_context *context, enum rc rc, const struct account *account,
                        const struct buffer *error)
{
    if (rc == RC_EXISTS)
        return command_refuse(context, "an account '%.*s' exists already; choose another name",
                              STR_ARGS(account->name));
    if (rc == RC_INVALID)
        return command_refuse(context, "%.*s", STR_ARGS(buffer_str(error)));
    if (rc != RC_OK)
        return command_fault(context, rc);
    command_note(context, "added account '%.*s' with id %lld; a mail with a link is on its way",
                 STR_ARGS(account->name), (long long)account->id);
    return STATUS_DONE;
}

/* Without a password: whoever it is for chooses one, by a link in a mail. */
static int invite(struct command_context *context, struct account *account)
{
    const struct admin admin = change_admin(context);
    __attribute__((cleanup(secret_cleanup))) struct secret value = { 0 };
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    char error_bytes[256];
    struct buffer error = buffer_over(error_bytes, sizeof(error_bytes));
    struct letter_head head;
    struct link link;
    enum rc rc;

    if (context->letters == NULL)
        return command_refuse(context, "--invite: no server that sends mail runs on this data "
                                       "folder; start one with --smtp-url and --mail-from");
    if (mail_address_check(account->email) != RC_OK)
        return command_usage(context, "--invite needs --email: the address that the link goes to");
    head = *context->letters;
    head.now = account->created_at;
    rc = invitation_draft(context->store, account, &link, &value);
    if (rc == RC_OK)
        rc = letter_write_link(&head, &link, account->name, &value, &letter);
    if (rc == RC_OK)
        rc = invitation_send(context->store, context->throttle, &admin, account, &link, letter.row,
                             &error);
    return note_invited(context, rc, account, &error);
}

static int run_add(struct command_context *context, const struct options *options)
{
    char error_bytes[256];
    struct buffer error = buffer_over(error_bytes, sizeof(error_bytes));
    struct account draft = {
        .name = str_of(options->arguments[0]),
        .full_name = change_option(options, "full-name", STR("")),
        .email = change_option(options, "email", STR("")),
        .is_admin = options_has(options, "admin"),
        .created_at = clock_now_s(),
    };
    const struct admin admin = change_admin(context);
    const struct act_note note = admin_note(&admin, "added");
    bool wants_invitation = options_has(options, "invite");
    int64_t id;
    enum rc rc;

    if (options_has(options, "password-stdin") == wants_invitation)
        return command_usage(context, "--password-stdin is needed, and the password is read from "
                                      "there; or --invite, and its owner chooses one");
    if (change_text_check(draft.full_name, ACCOUNT_FULL_NAME_BYTES_MAX, &error) != RC_OK)
        return command_refuse(context, "--full-name: %.*s", STR_ARGS(buffer_str(&error)));
    if (change_email_check(draft.email, &error) != RC_OK)
        return command_refuse(context, "--email: %.*s", STR_ARGS(buffer_str(&error)));
    if (wants_invitation)
        return invite(context, &draft);
    rc = account_create(context->store, &draft, context->input, context->checker->cost, &note, &id,
                        &error);
    if (rc == RC_EXISTS)
        return command_refuse(context, "an account '%s' exists already; choose another name",
                              options->arguments[0]);
    if (rc == RC_INVALID || rc == RC_REFUSED)
        return command_refuse(context, "%.*s", STR_ARGS(buffer_str(&error)));
    if (rc != RC_OK)
        return command_fault(context, rc);
    warn_if_weak(context);
    command_note(context, "added account '%s' with id %lld", options->arguments[0], (long long)id);
    return forgive_name(context, draft.name);
}

static int note_ended(struct command_context *context, const char *name, const char *what,
                      int64_t account_id)
{
    size_t count;
    enum rc rc = change_end_grants(context, account_id, 0, &count);

    if (rc != RC_OK)
        return command_refuse(context,
                              "'%s' is %s, but its living grants could not all be ended "
                              "(%s); run 'jeton token revoke --account'",
                              name, what, rc_words(rc));
    command_note(context, "'%s' is %s; grants ended: %zu", name, what, count);
    return STATUS_DONE;
}

static int run_passwd(struct command_context *context, const struct options *options)
{
    char error_bytes[256];
    struct buffer error = buffer_over(error_bytes, sizeof(error_bytes));
    __attribute__((cleanup(letter_deinit))) struct letter letter = { 0 };
    struct act_note note;
    struct account account;
    enum rc rc;
    int status;

    status = change_find_account(context, options->arguments[0], &account);
    if (status != STATUS_DONE)
        return status;
    rc = change_note(context, &account, "password changed", NEWS_PASSWORD, STR(""), &letter, &note);
    if (rc == RC_OK)
        rc = account_change_password(context->store, account.id, context->input,
                                     context->checker->cost, &note, &error);
    if (rc == RC_INVALID)
        return command_refuse(context, "%.*s", STR_ARGS(buffer_str(&error)));
    if (rc != RC_OK)
        return command_fault(context, rc);
    warn_if_weak(context);
    return note_ended(context, options->arguments[0], "given a new password", account.id);
}

/* ---- disable, enable, unlock ---- */

static int run_disable(struct command_context *context, const struct options *options)
{
    const struct admin admin = change_admin(context);
    struct account account;
    int status = change_find_account(context, options->arguments[0], &account);

    if (status == STATUS_DONE)
        status = change_answer(context, admin_disable(context->store, &admin, account.id, NULL));
    return status == STATUS_DONE
               ? note_ended(context, options->arguments[0], "disabled", account.id)
               : status;
}

static int run_enable(struct command_context *context, const struct options *options)
{
    const struct admin admin = change_admin(context);
    struct account account;
    int status = change_find_account(context, options->arguments[0], &account);

    if (status == STATUS_DONE)
        status = change_answer(
            context, admin_enable(context->store, context->throttle, &admin, &account, NULL));
    if (status == STATUS_DONE)
        command_note(context, "'%s' is enabled", options->arguments[0]);
    return status;
}

static int run_unlock(struct command_context *context, const struct options *options)
{
    const struct admin admin = change_admin(context);
    struct account account;
    int status = change_find_account(context, options->arguments[0], &account);

    if (status == STATUS_DONE)
        status = change_answer(context,
                               admin_unlock(context->store, context->throttle, &admin, &account));
    if (status == STATUS_DONE)
        command_note(context, "failed sign-ins of '%s' are forgotten", options->arguments[0]);
    return status;
}

/* ---- list, show ---- */

static void write_json(struct command_context *context, const struct account *account)
{
    struct buffer text = buffer_over(arena_alloc(context->arena, SINK_BYTES), SINK_BYTES);
    struct json_out json = json_out_over(&text);

    json_begin_object(&json);
    json_member_number(&json, STR("id"), account->id);
    json_member_string(&json, STR("name"), account->name);
    json_member_string(&json, STR("full_name"), account->full_name);
    json_member_string(&json, STR("email"), account->email);
    json_member_bool(&json, STR("admin"), account->is_admin);
    json_member_bool(&json, STR("disabled"), account->is_disabled);
    json_member_bool(&json, STR("has_password"), account->password_hash.len > 0);
    json_member_bool(&json, STR("second_factor"), account->has_second_factor);
    json_member_number(&json, STR("created_at"), account->created_at);
    change_write_owner(context, MANAGED_ACCOUNT, account->id, &json);
    json_end_object(&json);
    sink_str(context->out, buffer_str(&text));
    sink_text(context->out, "\n");
}

static struct str second_factor_word(const struct account *account)
{
    if (account->has_code_factor)
        return STR("totp");
    return account->has_second_factor ? STR("passkey") : STR("-");
}

static void write_row(struct command_context *context, const struct account *account)
{
    struct sink *out = context->out;
    char id[24];
    struct buffer digits = buffer_over(id, sizeof(id));

    buffer_append_u64(&digits, (uint64_t)account->id);
    sink_column(out, buffer_str(&digits), 8);
    sink_column(out, account->name, 24);
    sink_column(out, account->is_disabled ? STR("disabled") : STR("enabled"), 10);
    sink_column(out, account->is_admin ? STR("admin") : STR("-"), 7);
    sink_column(out, second_factor_word(account), 8);
    sink_time_column(out, account->created_at, "-");
    sink_column(out, account->email.len > 0 ? account->email : STR("-"), 24);
    sink_str(out, account->full_name);
    sink_text(out, "\n");
}

static int run_list(struct command_context *context, const struct options *options)
{
    struct account *rows = arena_alloc(context->arena, COMMAND_ROW_COUNT * sizeof(*rows));
    size_t mark = context->arena->used_bytes;
    bool is_json = options_has(options, "json");
    int64_t after_id = 0;
    size_t count;
    enum rc rc;

    if (!is_json)
        sink_text(context->out, "ID      NAME                    STATE     ROLE   FACTOR  CREATED"
                                "               EMAIL                   FULL NAME\n");
    do {
        command_rewind(context, mark);
        rc = store_list_accounts(context->store, after_id, context->arena, rows, COMMAND_ROW_COUNT,
                                 &count);
        if (rc != RC_OK)
            return command_fault(context, rc);
        for (size_t i = 0; i < count; i++)
            (is_json ? write_json : write_row)(context, &rows[i]);
        if (count > 0)
            after_id = rows[count - 1].id;
    } while (count > 0 && !context->out->is_closed);
    return STATUS_DONE;
}

static int write_factors(struct command_context *context, const struct account *account)
{
    struct factor *rows = arena_alloc(context->arena, FACTOR_COUNT_MAX * sizeof(*rows));
    size_t factor_count;
    size_t code_count;
    enum rc rc;

    rc = store_list_factors(context->store, account->id, context->arena, rows, &factor_count);
    if (rc == RC_OK)
        rc = store_count_recovery_codes(context->store, account->id, &code_count);
    if (rc != RC_OK)
        return command_fault(context, rc);
    if (factor_count == 0) {
        sink_text(context->out, "factor     none\n");
        return STATUS_DONE;
    }
    for (size_t i = 0; i < factor_count; i++) {
        char since[SINK_TIME_BYTES];

        sink_time_format(rows[i].created_at, since);
        sink_format(context->out, "factor     totp: %.*s, since %s\n", STR_ARGS(rows[i].name),
                    since);
    }
    sink_format(context->out, "recovery   %zu codes left\n", code_count);
    return STATUS_DONE;
}

static int run_show(struct command_context *context, const struct options *options)
{
    struct account account;
    struct sink *out = context->out;
    char at[SINK_TIME_BYTES];
    struct str owner;
    int status;

    status = change_find_account(context, options->arguments[0], &account);
    if (status != STATUS_DONE)
        return status;
    if (options_has(options, "json")) {
        write_json(context, &account);
        return STATUS_DONE;
    }
    sink_time_format(account.created_at, at);
    sink_format(out, "id         %lld\nname       %.*s\nfull name  %.*s\nemail      %.*s\n",
                (long long)account.id, STR_ARGS(account.name), STR_ARGS(account.full_name),
                STR_ARGS(account.email));
    sink_format(out, "role       %s\nstate      %s\npassword   %s\ncreated    %s\n",
                account.is_admin ? "admin" : "-", account.is_disabled ? "disabled" : "enabled",
                account.password_hash.len > 0 ? "set" : "none", at);
    owner = change_owner(context, MANAGED_ACCOUNT, account.id);
    if (owner.len > 0)
        sink_format(out, "managed by %.*s\n", STR_ARGS(owner));
    return write_factors(context, &account);
}

/* ---- the table ---- */

static const struct option_spec options_add[] = {
    { "password-stdin", NULL, "read the password from standard input, one line", false },
    { "invite", NULL, "instead: have a link sent by which its owner chooses a password", false },
    { "full-name", "TEXT", "the person's name", false },
    { "email", "ADDRESS", "the person's mail address", false },
    { "admin", NULL, "an administrator", false },
    { 0 },
};

static const struct option_spec options_passwd[] = {
    { "password-stdin", NULL, "read the password from standard input, one line (the default)",
      false },
    { 0 },
};

static const struct option_spec options_list[] = {
    { "json", NULL, "a JSON object in each line", false },
    { 0 },
};

static const struct option_spec options_none[] = { { 0 } };

const struct command commands_user[] = {
    { "user", "add", "NAME", options_add, "adds an account", true, wants_password, run_add },
    { "user", "passwd", "NAME", options_passwd, "sets a new password; ends sessions and grants",
      true, always, run_passwd },
    { "user", "disable", "NAME", options_none, "no sign-in any more; ends sessions and grants",
      true, NULL, run_disable },
    { "user", "enable", "NAME", options_none, "takes a disabling back", true, NULL, run_enable },
    { "user", "unlock", "NAME", options_none, "forgets failed sign-ins", true, NULL, run_unlock },
    { "user", "list", NULL, options_list, "lists the accounts", false, NULL, run_list },
    { "user", "show", "NAME", options_list, "shows one account", false, NULL, run_show },
    { 0 },
};
