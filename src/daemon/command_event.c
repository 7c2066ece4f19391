#include <arpa/inet.h>

#include "codec/json.h"
#include "daemon/change.h"

enum { ROW_JSON_BYTES = 16 * 1024 };

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

static struct str address_text(const unsigned char address[static 16],
                               char out_text[static INET6_ADDRSTRLEN])
{
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
    bool is_ipv4 = memcmp(address, mapped, sizeof(mapped)) == 0;

    for (size_t i = 0; i < 16; i++) {
        if (address[i] != 0) {
            inet_ntop(is_ipv4 ? AF_INET : AF_INET6, is_ipv4 ? address + 12 : address, out_text,
                      INET6_ADDRSTRLEN);
            return str_of(out_text);
        }
    }
    return STR("");
}

static void write_client(struct command_context *context, struct json_out *json, int64_t client_id)
{
    struct catalog_client *entry;

    if (catalog_find_client_by_id(context->catalog, client_id, true, &entry) == RC_OK) {
        json_member_string(json, STR("client"), entry->client.client_id);
        catalog_client_put(entry);
    }
    json_member_number(json, STR("client_id"), client_id);
}

/* A service's number stands where a client's does. */
static void write_service(struct command_context *context, struct json_out *json, int64_t id)
{
    struct service service;

    if (store_find_service(context->store, id, context->arena, &service) == RC_OK)
        json_member_string(json, STR("service"), service.service_id);
}

static void write_json(struct command_context *context, struct event_names *names,
                       const struct event *event)
{
    struct buffer text = buffer_over(arena_alloc(context->arena, ROW_JSON_BYTES), ROW_JSON_BYTES);
    struct json_out json = json_out_over(&text);
    char address[INET6_ADDRSTRLEN];
    char at[SINK_TIME_BYTES];
    struct str from = address_text(event->address, address);

    sink_time_format(event->at, at);
    json_begin_object(&json);
    json_member_number(&json, STR("id"), event->id);
    json_member_string(&json, STR("at"), str_of(at));
    json_member_string(&json, STR("event"), event_kind_format(event->kind));
    if (event->account_id != 0) {
        json_member_string(&json, STR("account"), account_name(context, names, event->account_id));
        json_member_number(&json, STR("account_id"), event->account_id);
    }
    if (event->client_id != 0 && event->kind == EVENT_SERVICE_CHANGED)
        write_service(context, &json, event->client_id);
    else if (event->client_id != 0)
        write_client(context, &json, event->client_id);
    if (event->token_id != 0)
        json_member_number(&json, STR("token_id"), event->token_id);
    if (from.len > 0)
        json_member_string(&json, STR("address"), from);
    if (event->detail.len > 0)
        json_member_string(&json, STR("detail"), event->detail);
    json_end_object(&json);
    sink_str(context->out, buffer_str(&text));
    sink_text(context->out, "\n");
}

static int run_export(struct command_context *context, const struct options *options)
{
    struct event *rows = arena_alloc(context->arena, COMMAND_ROW_COUNT * sizeof(*rows));
    struct event_names names = { 0 };
    char error_bytes[256];
    struct buffer error = buffer_over(error_bytes, sizeof(error_bytes));
    size_t mark = context->arena->used_bytes;
    int64_t before_id = INT64_MAX;
    uint64_t left;
    size_t count;
    enum rc rc;

    if (options_number(options, "last", 1, INT64_MAX, INT64_MAX, &left, &error) != RC_OK)
        return command_usage(context, "%.*s", STR_ARGS(buffer_str(&error)));
    do {
        command_rewind(context, mark);
        rc = store_list_events(context->store, before_id, context->arena, rows, COMMAND_ROW_COUNT,
                               &count);
        if (rc != RC_OK)
            return command_fault(context, rc);
        for (size_t i = 0; i < count && left > 0; i++, left--) {
            size_t row_mark = context->arena->used_bytes;

            write_json(context, &names, &rows[i]);
            command_rewind(context, row_mark);
        }
        if (count > 0)
            before_id = rows[count - 1].id;
    } while (count > 0 && left > 0 && !context->out->is_closed);
    return STATUS_DONE;
}

static const struct option_spec options_export[] = {
    { "last", "N", "only the newest N events", false },
    { 0 },
};

const struct command commands_event[] = {
    { "audit", "export", NULL, options_export,
      "writes the audit trail, newest first, a JSON object in each line", false, NULL, run_export },
    { 0 },
};
