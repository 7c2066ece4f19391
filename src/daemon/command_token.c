#include "account/audit.h"
#include "base/clock.h"
#include "codec/base62.h"
#include "codec/json.h"
#include "daemon/audit_line.h"
#include "daemon/change.h"
#include "daemon/token_at.h"
#include "daemon/token_why.h"
#include "oauth/token_facts.h"

enum { ROW_JSON_BYTES = 256 * 1024 };

/* ---- which token is meant ---- */

static bool has_no_id(const struct options *options)
{
    return !options_has(options, "id");
}

static bool wants_value(const struct options *options)
{
    return has_no_id(options) && !options_has(options, "account") &&
           !options_has(options, "client") && !options_has(options, "service");
}

static int find_by_id(struct command_context *context, const struct options *options,
                      struct token *out_row)
{
    char error_bytes[256];
    struct buffer error = buffer_over(error_bytes, sizeof(error_bytes));
    uint64_t id;
    enum rc rc;

    if (options_number(options, "id", 1, INT64_MAX, 0, &id, &error) != RC_OK)
        return command_usage(context, "%.*s", STR_ARGS(buffer_str(&error)));
    rc = store_find_token(context->store, (int64_t)id, out_row);
    if (rc == RC_NOT_FOUND)
        return command_refuse(context,
                              "there is no token %llu; it may have expired and left the "
                              "store",
                              (unsigned long long)id);
    return rc == RC_OK ? STATUS_DONE : command_fault(context, rc);
}

/* jt + kind + '_' + 43 + 6, with a checksum that fits; whatever its prefix. */
static bool is_whole_value(struct str value)
{
    char crc[BASE62_CRC_TEXT_BYTES];
    size_t body_bytes;

    if (value.len <= BASE62_BLOCK_TEXT_BYTES + BASE62_CRC_TEXT_BYTES)
        return false;
    body_bytes = value.len - BASE62_CRC_TEXT_BYTES;
    base62_encode_crc(crc32_of((struct str){ value.at, body_bytes }), crc);
    return memcmp(crc, value.at + body_bytes, sizeof(crc)) == 0;
}

/* Why a value leads to no row. */
static const char *describe_stranger(struct str value)
{
    if (str_index_of(value, '.') < value.len)
        return "it is no JWT of this installation, or its token has left the store";
    if (!is_whole_value(value))
        return "its checksum is wrong: it was cut, mistyped, or is no token of ours";
    return "it was not made here, its secret differs, or it expired and has left the store";
}

/* *out_why is set when the value leads to no row; out_row is then untouched. */
static int find_by_value(struct command_context *context, struct token *out_row,
                         const char **out_why)
{
    struct str value = str_trim(secret_expose(context->input));
    struct token_room *room = context->open_room(context);
    enum rc rc;

    *out_why = NULL;
    if (room == NULL)
        return STATUS_REFUSED;
    rc = token_facts_find_row(room, value, out_row);
    if (rc == RC_NOT_FOUND) {
        *out_why = describe_stranger(value);
        return STATUS_DONE;
    }
    return rc == RC_OK ? STATUS_DONE : command_fault(context, rc);
}

static int64_t account_id_of(struct command_context *context, const char *name, int *out_status)
{
    struct account account = { 0 };
    enum rc rc;

    *out_status = STATUS_DONE;
    if (name == NULL)
        return 0;
    rc = store_find_account_by_name(context->store, str_of(name), context->arena, &account);
    if (rc == RC_NOT_FOUND)
        *out_status = command_refuse(context, "there is no account '%s'", name);
    else if (rc != RC_OK)
        *out_status = command_fault(context, rc);
    return account.id;
}

static int64_t client_id_of(struct command_context *context, const char *name, int *out_status)
{
    struct catalog_client *entry;
    int64_t id;
    enum rc rc;

    *out_status = STATUS_DONE;
    if (name == NULL)
        return 0;
    rc = catalog_find_client(context->catalog, str_of(name), true, &entry);
    if (rc != RC_OK) {
        *out_status = rc == RC_NOT_FOUND ? command_refuse(context, "there is no client '%s'", name)
                                         : command_fault(context, rc);
        return 0;
    }
    id = entry->client.id;
    catalog_client_put(entry);
    return id;
}

/* ---- list ---- */

static const char *state_text(const struct token_facts *facts)
{
    static const char *const texts[] = {
        [TOKEN_FACTS_LIVING] = "living",   [TOKEN_FACTS_SPENT] = "spent",
        [TOKEN_FACTS_EXPIRED] = "expired", [TOKEN_FACTS_ENDED] = "ended",
        [TOKEN_FACTS_REVOKED] = "revoked",
    };

    return texts[token_facts_state_of(facts, clock_now_s())];
}

static struct str subject_text(const struct token_facts *facts)
{
    return facts->account.id != 0 ? facts->account.name : STR("-");
}

static void write_json(struct command_context *context, const struct token_facts *facts)
{
    struct buffer text = buffer_over(arena_alloc(context->arena, ROW_JSON_BYTES), ROW_JSON_BYTES);
    struct json_out json = json_out_over(&text);

    json_begin_object(&json);
    json_member_number(&json, STR("id"), facts->row.id);
    json_member_string(&json, STR("kind"), token_kind_format(facts->row.kind));
    json_member_string(&json, STR("format"), token_format_format(facts->row.format));
    json_member_string(&json, STR("state"), str_of(state_text(facts)));
    json_member_string(&json, STR("account"), facts->account.name);
    json_member_string(&json, STR("client"), facts->client.client_id);
    if (facts->permanent.id != 0)
        json_member_string(&json, STR("name"), facts->permanent.name);
    json_member_number(&json, STR("grant"), facts->row.grant_id);
    if (facts->has_grant) {
        json_member_string(&json, STR("scope"), facts->grant.scope);
        json_member_words(&json, STR("audience"), facts->grant.audience);
    }
    json_member_number(&json, STR("issued_at"), facts->row.issued_at);
    json_member_number(&json, STR("expires_at"), facts->row.expires_at);
    json_end_object(&json);
    sink_str(context->out, buffer_str(&text));
    sink_text(context->out, "\n");
}

static void write_row(struct command_context *context, const struct token_facts *facts)
{
    struct sink *out = context->out;
    char id[24];
    struct buffer digits = buffer_over(id, sizeof(id));

    buffer_append_u64(&digits, (uint64_t)facts->row.id);
    sink_column(out, buffer_str(&digits), 18);
    sink_column(out, token_kind_format(facts->row.kind), 10);
    sink_column(out, token_format_format(facts->row.format), 12);
    sink_column(out, str_of(state_text(facts)), 9);
    sink_time_column(out, facts->row.issued_at, "-");
    sink_time_column(out, facts->row.expires_at, "never");
    sink_column(out, subject_text(facts), 20);
    sink_column(out, facts->client.client_id, 24);
    sink_column(out, facts->permanent.id != 0 ? facts->permanent.name : STR("-"), 20);
    sink_str(out, facts->has_grant ? facts->grant.scope : STR("-"));
    sink_text(out, "\n");
}

/* One page; 0 for account and client: any. */
static enum rc list_page(struct command_context *context, const struct token *rows, size_t count,
                         int64_t account_id, int64_t client_id, bool is_json)
{
    size_t mark = context->arena->used_bytes;

    for (size_t i = 0; i < count; i++) {
        struct token_facts facts;
        enum rc rc;

        command_rewind(context, mark);
        rc = token_facts_read(context->store, &rows[i], context->arena, &facts);
        if (rc != RC_OK)
            return rc;
        if ((account_id != 0 && (!facts.has_grant || facts.grant.account_id != account_id)) ||
            (client_id != 0 && (!facts.has_grant || facts.grant.client_id != client_id)))
            continue;
        (is_json ? write_json : write_row)(context, &facts);
    }
    command_rewind(context, mark);
    return RC_OK;
}

static int run_list(struct command_context *context, const struct options *options)
{
    struct token *rows = arena_alloc(context->arena, COMMAND_ROW_COUNT * sizeof(*rows));
    bool is_json = options_has(options, "json");
    int64_t account_id;
    int64_t client_id;
    int64_t after_id = 0;
    size_t count;
    enum rc rc;
    int status;

    account_id = account_id_of(context, options_find(options, "account"), &status);
    if (status != STATUS_DONE)
        return status;
    client_id = client_id_of(context, options_find(options, "client"), &status);
    if (status != STATUS_DONE)
        return status;
    if (!is_json)
        sink_text(context->out, "ID                KIND      FORMAT      STATE    ISSUED"
                                "                EXPIRES               ACCOUNT             "
                                "CLIENT                  NAME                SCOPE\n");
    do {
        rc = store_list_tokens(context->store, after_id, clock_now_s(), rows, COMMAND_ROW_COUNT,
                               &count);
        if (rc == RC_OK)
            rc = list_page(context, rows, count, account_id, client_id, is_json);
        if (rc != RC_OK)
            return command_fault(context, rc);
        if (count > 0)
            after_id = rows[count - 1].id;
    } while (count > 0 && !context->out->is_closed);
    return STATUS_DONE;
}

/* ---- revoke ---- */

static int revoke_one(struct command_context *context, const struct token *row)
{
    const struct admin admin = change_admin(context);
    struct token_facts facts;
    enum rc rc = token_facts_read(context->store, row, context->arena, &facts);
    int status;

    if (rc != RC_OK)
        return command_fault(context, rc);
    status = change_answer(context, token_facts_revoke(context->store, &admin, &facts));
    if (status == STATUS_DONE)
        command_note(context,
                     row->kind == TOKEN_REFRESH ? "token %lld and its whole family are revoked"
                                                : "token %lld is revoked",
                     (long long)row->id);
    return status;
}

static int revoke_many(struct command_context *context, const struct options *options)
{
    const char *service = options_find(options, "service");
    int64_t account_id;
    int64_t client_id;
    size_t count;
    enum rc rc;
    int status;

    account_id = account_id_of(context, options_find(options, "account"), &status);
    if (status != STATUS_DONE)
        return status;
    client_id = client_id_of(context, options_find(options, "client"), &status);
    if (status != STATUS_DONE)
        return status;
    if (service != NULL && (account_id != 0 || client_id != 0))
        return command_usage(context, "--service stands alone");
    rc = service != NULL ? change_end_grants_of_service(context, str_of(service), &count)
                         : change_end_grants(context, account_id, client_id, &count);
    if (rc != RC_OK)
        return command_refuse(context, "not every grant could be ended: %s; run this again",
                              rc_words(rc));
    command_note(context, "grants ended, with all their tokens: %zu", count);
    return STATUS_DONE;
}

static int run_revoke(struct command_context *context, const struct options *options)
{
    struct token row;
    const char *why = NULL;
    int status;

    if (options_has(options, "id") &&
        (options_has(options, "account") || options_has(options, "client") ||
         options_has(options, "service")))
        return command_usage(context, "--id stands alone");
    if (!wants_value(options) && !options_has(options, "id"))
        return revoke_many(context, options);
    if (options_has(options, "id"))
        status = find_by_id(context, options, &row);
    else
        status = find_by_value(context, &row, &why);
    if (status != STATUS_DONE)
        return status;
    if (why != NULL)
        return command_refuse(context, "nothing to revoke: %s", why);
    return revoke_one(context, &row);
}

/* ---- explain ---- */

static int run_explain(struct command_context *context, const struct options *options)
{
    struct token_facts facts;
    struct token row;
    struct sink *out = context->out;
    const char *why = NULL;
    char at[SINK_TIME_BYTES];
    int64_t moment = 0;
    enum rc rc;
    int status;

    if (options_has(options, "at") &&
        audit_time_read(str_of(options_find(options, "at")), &moment) != RC_OK)
        return command_usage(context, "--at is a time as 2026-11-22T06:13:28Z, or Unix seconds");
    if (options_has(options, "at") && token_why_is_asked(options))
        return command_usage(context, "--at goes without --service, --scope and --address");
    if (!token_why_has_address(options))
        return command_usage(context, "--address is an IPv4 or IPv6 address");
    status = options_has(options, "id") ? find_by_id(context, options, &row)
                                        : find_by_value(context, &row, &why);
    if (status != STATUS_DONE)
        return status;
    if (why != NULL) {
        sink_format(out, "because   %s\nactive    no\n", why);
        return STATUS_DONE;
    }
    rc = token_facts_read(context->store, &row, context->arena, &facts);
    if (rc != RC_OK)
        return command_fault(context, rc);
    sink_time_format(facts.row.issued_at, at);
    sink_format(out, "id        %lld\nkind      %.*s\nformat    %.*s\nissued    %s\n",
                (long long)facts.row.id, STR_ARGS(token_kind_format(facts.row.kind)),
                STR_ARGS(token_format_format(facts.row.format)), at);
    sink_time_format(facts.row.expires_at, at);
    sink_format(out, "expires   %s\naccount   %.*s\nclient    %.*s\n",
                facts.row.expires_at == 0 ? "never" : at, STR_ARGS(subject_text(&facts)),
                STR_ARGS(facts.client.client_id));
    if (facts.has_grant) {
        sink_format(out, "grant     %lld\nscope     %.*s\naudience  ", (long long)facts.grant.id,
                    STR_ARGS(facts.grant.scope));
        sink_str(out, facts.grant.audience);
        sink_text(out, "\n");
    }
    return options_has(options, "at") ? token_at_explain(context, &facts, moment)
                                      : token_why_explain(context, options, &facts);
}

/* ---- the table ---- */

static const struct option_spec options_list[] = {
    { "account", "NAME", "only this account's", false },
    { "client", "ID", "only this client's", false },
    { "json", NULL, "a JSON object in each line", false },
    { 0 },
};

static const struct option_spec options_revoke[] = {
    { "id", "N", "the token of this id; without it the value is read from standard input", false },
    { "account", "NAME", "end every grant of this account", false },
    { "client", "ID", "end every grant of this client (with --account: of both)", false },
    { "service", "ID", "end every grant for this service", false },
    { 0 },
};

static const struct option_spec options_explain[] = {
    { "id", "N", "the token of this id; without it the value is read from standard input", false },
    { "at", "TIME", "whether it was valid then: 2026-11-22T06:13:28Z, or Unix seconds", false },
    { "service", "ID", "whether it is good for this service", false },
    { "scope", "WORDS", "whether it allows all of these", false },
    { "address", "ADDRESS", "whether it may be used from there", false },
    { 0 },
};

const struct command commands_token[] = {
    { "token", "list", NULL, options_list, "lists the tokens that have not expired", false, NULL,
      run_list },
    { "token", "revoke", NULL, options_revoke, "revokes a token, or all of somebody's", true,
      wants_value, run_revoke },
    { "token", "explain", NULL, options_explain, "says what a token is, and why it is refused",
      false, has_no_id, run_explain },
    { 0 },
};
