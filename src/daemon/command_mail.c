#include <stdio.h>

#include "base/clock.h"
#include "codec/json.h"
#include "daemon/change.h"

enum { ROW_JSON_BYTES = 1024 };

/* ---- list ---- */

static void write_json(struct command_context *context, const struct mail *mail)
{
    struct buffer text = buffer_over(arena_alloc(context->arena, ROW_JSON_BYTES), ROW_JSON_BYTES);
    struct json_out json = json_out_over(&text);
    char code[16];

    json_begin_object(&json);
    json_member_number(&json, STR("id"), mail->id);
    json_member_number(&json, STR("queued_at"), mail->at);
    json_member_number(&json, STR("next_at"), mail->next_at);
    json_member_number(&json, STR("until"), mail->until);
    json_member_number(&json, STR("attempts"), mail->attempt_count);
    json_member_string(&json, STR("last_code"), fetch_code_format(mail->last_code, code));
    json_end_object(&json);
    sink_str(context->out, buffer_str(&text));
    sink_text(context->out, "\n");
}

static void write_row(struct command_context *context, const struct mail *mail)
{
    struct sink *out = context->out;
    char memory[24];
    char code[16];

    snprintf(memory, sizeof(memory), "%lld", (long long)mail->id);
    sink_column(out, str_of(memory), 10);
    sink_time_column(out, mail->at, "-");
    snprintf(memory, sizeof(memory), "%lld", (long long)mail->attempt_count);
    sink_column(out, str_of(memory), 10);
    sink_time_column(out, mail->next_at, "-");
    sink_str(out, fetch_code_format(mail->last_code, code));
    sink_text(out, "\n");
}

static int run_list(struct command_context *context, const struct options *options)
{
    struct mail *rows = arena_alloc(context->arena, COMMAND_ROW_COUNT * sizeof(*rows));
    bool is_json = options_has(options, "json");
    size_t mark = context->arena->used_bytes;
    int64_t after_id = 0;
    size_t count;

    if (!is_json)
        sink_text(context->out,
                  "ID        QUEUED                ATTEMPTS  NEXT                  LAST CODE\n");
    do {
        enum rc rc;

        command_rewind(context, mark);
        rc = store_list_mails(context->store, after_id, context->arena, rows, COMMAND_ROW_COUNT,
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

/* ---- retry ---- */

static int run_retry(struct command_context *context, const struct options *options)
{
    struct store_unit unit;

    (void)options;
    store_unit_init(&unit);
    store_hasten_mails(&unit, clock_now_s());
    return change_commit(context, &unit);
}

/* ---- test ---- */

static struct str option_text(const struct options *options, const char *name)
{
    const char *text = options_find(options, name);

    return text != NULL ? str_of(text) : (struct str){ NULL, 0 };
}

/* The route that the options name, or else the server's; STATUS_DONE, or the line has been written.
 */
static int find_route(struct command_context *context, const struct options *options,
                      struct mail_route *memory, const struct mail_route **out_route)
{
    const struct mail_settings settings = {
        .smtp_url = option_text(options, "smtp-url"),
        .smtp_password_file = option_text(options, "smtp-password-file"),
        .smtp_ca_file = option_text(options, "smtp-ca-file"),
        .mail_from = option_text(options, "mail-from"),
    };
    char words[256];
    struct buffer error = buffer_over(words, sizeof(words));

    if (mail_settings_check(&settings, &error) != RC_OK)
        return command_usage(context, "--%.*s", STR_ARGS(buffer_str(&error)));
    *out_route = context->mail_route;
    if (settings.smtp_url.at != NULL) {
        mail_route_init(&settings, STR("http://localhost"), memory);
        *out_route = memory;
    }
    if (*out_route != NULL)
        return STATUS_DONE;
    return command_refuse(context, "no server that sends mail runs on this data folder; start one "
                                   "with --smtp-url and --mail-from, or name them here");
}

static int say_outcome(struct command_context *context, const struct helper_answer *answer)
{
    static const char *const words[] = {
        [FETCH_LATER] = "the SMTP server does not take the message now",
        [FETCH_NEVER] = "the SMTP server refuses the message",
        [FETCH_AWAY] = "the SMTP server could not be used",
    };
    char code[16];

    if (answer->outcome != FETCH_DONE)
        return command_refuse(context, "%s (%.*s): %s", words[answer->outcome],
                              STR_ARGS(fetch_code_format(answer->code, code)), answer->words);
    command_note(context, "the SMTP server has taken the message");
    return STATUS_DONE;
}

/* By the outbox, as every other mail. */
static int queue_test(struct command_context *context, struct str recipient)
{
    const struct outbox outbox = { .store = context->store, .master_key = context->master_key };
    const struct mail_draft draft = mail_test_draft(recipient);
    struct store_unit unit;
    enum rc rc;

    store_unit_init(&unit);
    rc = outbox_insert(&outbox, &draft, clock_now_s(), context->arena, &unit);
    if (rc == RC_INVALID)
        return command_usage(context, "this address cannot be written to");
    if (rc != RC_OK)
        return command_fault(context, rc);
    return change_commit(context, &unit);
}

static int run_test(struct command_context *context, const struct options *options)
{
    struct str recipient = str_of(options->arguments[0]);
    const struct mail_route *route;
    struct mail_route memory;
    struct helper_answer answer;
    char words[512];
    struct buffer error = buffer_over(words, sizeof(words));
    int status;

    if (mail_address_check(recipient) != RC_OK)
        return command_usage(context, "ADDRESS must be a mail address such as ada@example.org");
    if (options_has(options, "queue"))
        return queue_test(context, recipient);
    status = find_route(context, options, &memory, &route);
    if (status != STATUS_DONE)
        return status;
    if (mail_route_test(route, recipient, &answer, &error) != RC_OK)
        return command_refuse(context, "%.*s", STR_ARGS(buffer_str(&error)));
    return say_outcome(context, &answer);
}

/* ---- the table ---- */

static const struct option_spec options_list[] = {
    { "json", NULL, "a JSON object in each line", false },
    { 0 },
};

static const struct option_spec options_none[] = { { 0 } };

static const struct option_spec options_test[] = {
    { "queue", NULL, "put it into the queue, as other mail, and do not wait for it", false },
    { "smtp-url", "URL", "by this server instead of the one that the settings name", false },
    { "smtp-password-file", "FILE", "two lines, user and password, for that server", false },
    { "smtp-ca-file", "FILE", "certificates to trust there instead of the system's, PEM", false },
    { "mail-from", "SENDER", "who sends: ADDRESS or 'NAME <ADDRESS>'", false },
    { 0 },
};

const struct command commands_mail[] = {
    { "mail", "list", NULL, options_list, "lists the mails that wait to be sent", false, NULL,
      run_list },
    { "mail", "retry", NULL, options_none, "has all of them tried again now", true, NULL,
      run_retry },
    { "mail", "test", "ADDRESS", options_test, "sends one message and says how it went", false,
      NULL, run_test },
    { 0 },
};
