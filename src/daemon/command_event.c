#include "account/audit.h"
#include "daemon/audit_line.h"
#include "daemon/change.h"

/* Which events are written. */
struct wish {
    uint64_t left;
    int64_t since, until;
    const char *kind;   /* NULL: all */
    int64_t account_id; /* 0: all    */
};

/* The names behind an event's numbers, kept from row to row: they repeat. */
struct event_names {
    int64_t account_id;
    char account[ACCOUNT_NAME_BYTES_MAX + 1];
    size_t account_bytes;
};

static struct str account_name(struct command_context *context, struct event_names *names,
                               int64_t account_id)
{
    struct account account;

    if (account_id != names->account_id) {
        names->account_id = account_id;
        names->account_bytes = 0;
        if (store_find_account(context->store, account_id, context->arena, &account) == RC_OK &&
            account.name.len <= ACCOUNT_NAME_BYTES_MAX) {
            memcpy(names->account, account.name.at, account.name.len);
            names->account_bytes = account.name.len;
        }
    }
    return (struct str){ names->account, names->account_bytes };
}

static void write_client(struct command_context *context, struct json_out *json, int64_t client_id)
{
    struct catalog_client *entry;

    if (catalog_find_client_by_id(context->catalog, client_id, true, &entry) == RC_OK) {
        json_member_string(json, STR("client"), entry->client.client_id);
        catalog_client_put(entry);
    }
}

/* A service's number stands where a client's does. */
static void write_service(struct command_context *context, struct json_out *json, int64_t id)
{
    struct service service;

    if (store_find_service(context->store, id, context->arena, &service) == RC_OK)
        json_member_string(json, STR("service"), service.service_id);
}

static void write_json(struct command_context *context, struct event_names *names,
                       const struct trail_event *event)
{
    size_t mark = context->arena->used_bytes;
    struct buffer text =
        buffer_over(arena_alloc(context->arena, AUDIT_LINE_BYTES), AUDIT_LINE_BYTES);
    struct json_out json = json_out_over(&text);

    json_begin_object(&json);
    audit_line_members(event, &json);
    if (event->account_id != 0)
        json_member_string(&json, STR("account"), account_name(context, names, event->account_id));
    if (event->client_id != 0 && event->kind == EVENT_SERVICE_CHANGED)
        write_service(context, &json, event->client_id);
    else if (event->client_id != 0)
        write_client(context, &json, event->client_id);
    json_end_object(&json);
    sink_str(context->out, buffer_str(&text));
    sink_text(context->out, "\n");
    command_rewind(context, mark);
}

static bool is_wished(const struct wish *wish, const struct trail_event *event)
{
    return event->at >= wish->since && event->at <= wish->until &&
           (wish->account_id == 0 || event->account_id == wish->account_id) &&
           (wish->kind == NULL ||
            str_equal(event_kind_format((enum event_kind)event->kind), str_of(wish->kind)));
}

/* ---- what is wished for ---- */

static int read_time(struct command_context *context, const struct options *options,
                     const char *name, int64_t *out_at)
{
    const char *text = options_find(options, name);

    if (text == NULL || audit_time_read(str_of(text), out_at) == RC_OK)
        return STATUS_DONE;
    return command_usage(context, "--%s is a time as 2026-11-22T06:13:28Z, or Unix seconds", name);
}

static int read_account(struct command_context *context, const char *name, int64_t *out_id)
{
    struct account account;
    enum rc rc;

    if (name == NULL)
        return STATUS_DONE;
    rc = store_find_account_by_name(context->store, str_of(name), context->arena, &account);
    if (rc == RC_NOT_FOUND)
        return command_refuse(context, "there is no account of that name");
    if (rc != RC_OK)
        return command_fault(context, rc);
    *out_id = account.id;
    return STATUS_DONE;
}

static bool is_kind(const char *text)
{
    for (int kind = EVENT_TOKEN_ISSUED; kind <= EVENT_AUDIT_TRIMMED; kind++) {
        if (str_equal(event_kind_format((enum event_kind)kind), str_of(text)))
            return true;
    }
    return false;
}

static int read_wish(struct command_context *context, const struct options *options,
                     struct wish *wish)
{
    char error_bytes[256];
    struct buffer error = buffer_over(error_bytes, sizeof(error_bytes));
    int status = read_time(context, options, "since", &wish->since);

    if (status == STATUS_DONE)
        status = read_time(context, options, "until", &wish->until);
    if (status == STATUS_DONE)
        status = read_account(context, options_find(options, "account"), &wish->account_id);
    if (status != STATUS_DONE)
        return status;
    wish->kind = options_find(options, "kind");
    if (wish->kind != NULL && !is_kind(wish->kind))
        return command_usage(context, "--kind is an event as the lines name it, such as signed_in");
    if (options_number(options, "last", 1, INT64_MAX, INT64_MAX, &wish->left, &error) != RC_OK)
        return command_usage(context, "%.*s", STR_ARGS(buffer_str(&error)));
    return STATUS_DONE;
}

/* ---- lists ---- */

static int write_down(struct command_context *context, struct wish *wish)
{
    struct event *rows = arena_alloc(context->arena, COMMAND_ROW_COUNT * sizeof(*rows));
    struct event_names names = { 0 };
    size_t mark = context->arena->used_bytes;
    int64_t before_id = INT64_MAX;
    size_t count;

    do {
        enum rc rc;

        command_rewind(context, mark);
        rc = store_list_events(context->store, before_id, context->arena, rows, COMMAND_ROW_COUNT,
                               &count);
        if (rc != RC_OK)
            return command_fault(context, rc);
        for (size_t i = 0; i < count && wish->left > 0; i++) {
            const struct event *row = &rows[i];
            const struct trail_event event = { row->id,
                                               row->at,
                                               row->kind,
                                               row->account_id,
                                               row->client_id,
                                               row->token_id,
                                               { (const char *)row->address, sizeof(row->address) },
                                               row->detail };

            before_id = row->id;
            if (!is_wished(wish, &event))
                continue;
            write_json(context, &names, &event);
            wish->left--;
        }
    } while (count > 0 && wish->left > 0 && !context->out->is_closed);
    return STATUS_DONE;
}

/* Oldest first, with after_id < id <= last_id. */
static int write_up(struct command_context *context, struct wish *wish, int64_t after_id,
                    int64_t last_id)
{
    size_t begin = context->arena->used_bytes;
    struct trail_event *rows = arena_alloc(context->arena, COMMAND_ROW_COUNT * sizeof(*rows));
    struct event_names names = { 0 };
    size_t mark = context->arena->used_bytes;
    size_t count;

    do {
        enum rc rc;

        command_rewind(context, mark);
        rc = store_list_trail(context->store, after_id, last_id, context->arena, rows,
                              COMMAND_ROW_COUNT, &count);
        if (rc != RC_OK)
            return command_fault(context, rc);
        for (size_t i = 0; i < count; i++) {
            after_id = rows[i].id;
            if (is_wished(wish, &rows[i]))
                write_json(context, &names, &rows[i]);
        }
    } while (count > 0 && !context->out->is_closed);
    command_rewind(context, begin);
    return STATUS_DONE;
}

static int write_with_checkpoints(struct command_context *context, struct wish *wish)
{
    struct checkpoint checkpoint = { .number = 0 };
    char bytes[1024];
    int status = STATUS_DONE;

    for (;;) {
        int64_t after_id = checkpoint.last_event_id;
        struct buffer line = buffer_over(bytes, sizeof(bytes));
        size_t count;
        enum rc rc =
            store_list_checkpoints(context->store, checkpoint.number, &checkpoint, 1, &count);

        if (rc != RC_OK)
            return command_fault(context, rc);
        if (count == 0 || checkpoint.is_open)
            return write_up(context, wish, after_id, INT64_MAX);
        if (checkpoint.trimmed_at == 0)
            status = write_up(context, wish, after_id, checkpoint.last_event_id);
        if (status != STATUS_DONE || context->out->is_closed)
            return status;
        audit_line_checkpoint(&checkpoint, &line);
        sink_str(context->out, buffer_str(&line));
        sink_text(context->out, "\n");
    }
}

static int run_export(struct command_context *context, const struct options *options)
{
    struct wish wish = { .until = INT64_MAX };
    bool is_up = options_has(options, "oldest-first");
    int status = read_wish(context, options, &wish);

    if (status != STATUS_DONE)
        return status;
    if (options_has(options, "last") && is_up)
        return command_usage(context, "--last begins with the newest");
    if (!options_has(options, "with-checkpoints"))
        return is_up ? write_up(context, &wish, 0, INT64_MAX) : write_down(context, &wish);
    if (options_has(options, "last") || wish.since != 0 || wish.until != INT64_MAX ||
        wish.kind != NULL || wish.account_id != 0)
        return command_usage(context, "--with-checkpoints needs every event");
    return write_with_checkpoints(context, &wish);
}

static const struct option_spec options_export[] = {
    { "last", "N", "only the newest N events", false },
    { "since", "TIME", "only from then on: 2026-11-22T06:13:28Z, or Unix seconds", false },
    { "until", "TIME", "only up to then", false },
    { "kind", "EVENT", "only events of that name", false },
    { "account", "NAME", "only events of this account", false },
    { "oldest-first", NULL, "in the order in which they were written", false },
    { "with-checkpoints", NULL, "all, oldest first, to be checked with 'audit verify --file'",
      false },
    { 0 },
};

const struct command commands_event[] = {
    { "audit", "export", NULL, options_export,
      "writes the audit trail, newest first, a JSON object in each line", false, NULL, run_export },
    { 0 },
};
