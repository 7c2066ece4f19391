#include "daemon/change.h"

#include "account/grants_end.h"
#include "base/clock.h"

enum { SECRET_BYTES_ADVISED = 16 };

struct admin change_admin(struct command_context *context)
{
    return (struct admin){ .by = arena_format(context->arena, "uid %u", context->uid),
                           .now = clock_now_s(),
                           .arena = context->arena };
}

struct str change_detail(struct command_context *context, const char *act)
{
    const struct admin admin = change_admin(context);

    return admin_detail(&admin, act);
}

enum rc change_note(struct command_context *context, const struct account *account, const char *act,
                    enum letter_news news, struct str factor, struct letter *out_letter,
                    struct act_note *out_note)
{
    const struct letter_change change = {
        .news = news, .username = account->name, .recipient = account->email, .factor = factor
    };
    const struct admin admin = change_admin(context);
    struct letter_head head;
    enum rc rc = RC_OK;

    *out_note = admin_note(&admin, act);
    if (context->letters == NULL || account->email_verified_at == 0)
        return RC_OK;
    head = *context->letters;
    head.now = out_note->now;
    rc = letter_write_change(&head, &change, out_letter);
    out_note->notice = out_letter->row;
    return rc;
}

int change_answer(struct command_context *context, enum rc rc)
{
    if (rc == RC_OK)
        return STATUS_DONE;
    if (rc == RC_EXISTS)
        return command_refuse(context, "that name is taken already; choose another");
    if (rc_is_fault(rc))
        return command_fault(context, rc);
    return command_refuse(context, "%s; somebody else changed it at the same time, try again",
                          rc_words(rc));
}

int change_commit(struct command_context *context, struct store_unit *unit)
{
    return change_answer(context, store_commit(context->store, unit));
}

int change_find_account(struct command_context *context, const char *name,
                        struct account *out_account)
{
    enum rc rc =
        store_find_account_by_name(context->store, str_of(name), context->arena, out_account);

    if (rc == RC_NOT_FOUND)
        return command_refuse(context, "there is no account '%s'; 'jeton user list' shows all",
                              name);
    return rc == RC_OK ? STATUS_DONE : command_fault(context, rc);
}

/* ---- grants ---- */

enum rc change_end_grants(struct command_context *context, int64_t account_id, int64_t client_id,
                          size_t *out_count)
{
    const struct grants_filter filter = { .account_id = account_id, .client_id = client_id };

    return grants_end(context->store, &filter, change_detail(context, "ended"), clock_now_s(),
                      out_count);
}

enum rc change_end_grants_of_service(struct command_context *context, struct str service_id,
                                     size_t *out_count)
{
    const struct grants_filter filter = { .service_id = service_id };

    return grants_end(context->store, &filter, change_detail(context, "ended"), clock_now_s(),
                      out_count);
}

/* ---- secrets ---- */

struct registry_desk change_desk(struct command_context *context, const struct admin *admin)
{
    return (struct registry_desk){ context->store, context->throttle, admin };
}

int change_secret(struct command_context *context, bool is_chosen, struct str *out_hash,
                  struct secret *out_made)
{
    char *hash = arena_alloc(context->arena, PASSWORD_HASH_BYTES_MAX);
    const struct secret *chosen = context->input;
    enum rc rc;

    if (!is_chosen) {
        registry_make_secret(context->checker, out_made, hash);
        *out_hash = str_of(hash);
        return STATUS_DONE;
    }
    if (chosen->len == 0)
        return command_refuse(context, "a secret may not be empty; give one on standard input");
    if (!str_is_utf8(secret_expose(chosen)) || str_has_control(secret_expose(chosen)))
        return command_refuse(context, "a secret must be UTF-8 without control characters");
    if (chosen->len < SECRET_BYTES_ADVISED)
        command_note(context, "warning: a secret of fewer than %d bytes may be guessed",
                     SECRET_BYTES_ADVISED);
    rc = password_hash(chosen, context->checker->cost, hash);
    if (rc != RC_OK)
        return command_fault(context, rc);
    *out_hash = str_of(hash);
    return STATUS_DONE;
}

/* ---- words ---- */

static enum rc refuse(struct buffer *out_error, struct str words)
{
    buffer_append_str(out_error, words);
    return RC_INVALID;
}

/* The option that a field is given by; the id is the argument. */
static const char *const field_options[REGISTRY_FIELD_COUNT] = {
    [REGISTRY_ID] = "",
    [REGISTRY_NAME] = "--name: ",
    [REGISTRY_SCOPE] = "--scope: ",
    [REGISTRY_LIFETIME] = "--lifetime: ",
    [REGISTRY_GRANTS] = "--grant: ",
    [REGISTRY_SERVICES] = "",
    [REGISTRY_REDIRECT_URIS] = "--redirect-uri: ",
    [REGISTRY_REFRESH_LIFETIME] = "--refresh-lifetime: ",
    [REGISTRY_REFRESH_IDLE_LIFETIME] = "--refresh-idle-lifetime: ",
};

int change_refuse_faults(struct command_context *context, const struct registry_faults *faults)
{
    const struct registry_fault *fault = &faults->list[0];
    char bytes[REDIRECT_URI_BYTES_MAX + 256];
    struct buffer words = buffer_over(bytes, sizeof(bytes));

    registry_fault_write(fault, &words);
    return command_refuse(context, "%s%.*s", field_options[registry_problem_field(fault->problem)],
                          STR_ARGS(buffer_str(&words)));
}

enum rc change_email_check(struct str email, struct buffer *out_error)
{
    size_t at = str_index_of(email, '@');
    enum rc rc;

    if (email.len == 0)
        return RC_OK;
    rc = change_text_check(email, ACCOUNT_EMAIL_BYTES_MAX, out_error);
    if (rc != RC_OK)
        return rc;
    if (at == 0 || at + 1 >= email.len || str_index_of(email, ' ') < email.len) {
        buffer_append_str(out_error, STR("it must look like name@example.com"));
        return RC_INVALID;
    }
    return RC_OK;
}

enum rc change_duration_parse(struct str text, int64_t most_s, int64_t *out_s,
                              struct buffer *out_error)
{
    static const struct {
        char letter;
        int64_t s;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 24 * 3600 } };
    int64_t unit_s = 1;
    uint64_t count;

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (text.len > 1 && text.at[text.len - 1] == units[i].letter) {
            unit_s = units[i].s;
            text.len--;
            break;
        }
    }
    if (!str_parse_u64(text, (uint64_t)(most_s / unit_s), &count)) {
        buffer_append_format(out_error,
                             "a duration is a number of seconds, or such as 15m, 1h or 7d; "
                             "at most %lld days",
                             (long long)(most_s / (24 * 3600)));
        return RC_INVALID;
    }
    *out_s = (int64_t)count * unit_s;
    return RC_OK;
}

int change_option_list(struct command_context *context, const struct options *options,
                       const char *name, char separator, struct str *out_list)
{
    const char *text;
    size_t bytes = 1;
    struct buffer list;

    for (size_t i = 0; (text = options_find_nth(options, name, i)) != NULL; i++) {
        if (text[0] == '\0' || strchr(text, separator) != NULL)
            return command_refuse(context, "--%s takes one value at a time, not '%s'", name, text);
        bytes += strlen(text) + 1;
    }
    list = buffer_over(arena_alloc(context->arena, bytes), bytes);
    for (size_t i = 0; (text = options_find_nth(options, name, i)) != NULL; i++) {
        if (i > 0)
            buffer_append_byte(&list, separator);
        buffer_append_str(&list, str_of(text));
    }
    *out_list = buffer_str(&list);
    return STATUS_DONE;
}

enum rc change_text_check(struct str text, size_t bytes_max, struct buffer *out_error)
{
    if (text.len > bytes_max) {
        buffer_append_format(out_error, "it may have at most %zu bytes", bytes_max);
        return RC_INVALID;
    }
    if (!str_is_utf8(text) || str_has_control(text))
        return refuse(out_error, STR("it must be UTF-8 without control characters"));
    return RC_OK;
}

struct str change_option(const struct options *options, const char *name, struct str fallback)
{
    const char *text = options_find(options, name);

    return text == NULL ? fallback : str_of(text);
}

/* For people: a store that cannot be read says so with the noun itself. */
struct str change_owner(struct command_context *context, enum managed_kind kind, int64_t noun_id)
{
    struct str source;

    return admin_find_owner(context->store, kind, noun_id, context->arena, &source) == RC_OK
               ? source
               : STR("");
}

void change_write_owner(struct command_context *context, enum managed_kind kind, int64_t noun_id,
                        struct json_out *json)
{
    struct str source = change_owner(context, kind, noun_id);

    if (source.len > 0)
        json_member_string(json, STR("managed_by"), source);
}
