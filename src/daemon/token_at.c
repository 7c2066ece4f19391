#include "daemon/token_at.h"

#include "daemon/audit_line.h"

/* What the trail tells of a token. */
struct past {
    int64_t revoked_at;      /* 0: no event says so */
    int64_t first_at;        /* of the oldest event that is kept; 0: none is */
    struct trail_event last; /* that names the token, up to the moment; id 0: none */
    char from[AUDIT_ADDRESS_BYTES];
    struct str address;
    size_t later_count; /* changes of its account or client since the moment */
};

static void take_event(struct past *past, const struct token_facts *facts, int64_t at,
                       const struct trail_event *event)
{
    bool is_change = event->kind == EVENT_ACCOUNT_CHANGED || event->kind == EVENT_CLIENT_CHANGED ||
                     event->kind == EVENT_ACCOUNT_LOCKED;

    if (past->first_at == 0)
        past->first_at = event->at;
    if (is_change && event->at > at &&
        ((event->account_id != 0 && event->account_id == facts->account.id) ||
         (event->client_id != 0 && event->client_id == facts->client.id)))
        past->later_count++;
    if (event->token_id != facts->row.id || event->kind == EVENT_AUDIT_TRIMMED)
        return;
    if (event->kind == EVENT_TOKEN_REVOKED && past->revoked_at == 0)
        past->revoked_at = event->at;
    if (event->at > at)
        return;
    past->last = *event;
    past->address = audit_address_text(event->address, past->from);
}

static enum rc read_past(struct command_context *context, const struct token_facts *facts,
                         int64_t at, struct past *past)
{
    struct trail_event *rows = arena_alloc(context->arena, COMMAND_ROW_COUNT * sizeof(*rows));
    size_t mark = context->arena->used_bytes;
    int64_t after_id = 0;
    size_t count;
    enum rc rc;

    do {
        command_rewind(context, mark);
        rc = store_list_trail(context->store, after_id, INT64_MAX, context->arena, rows,
                              COMMAND_ROW_COUNT, &count);
        for (size_t i = 0; rc == RC_OK && i < count; i++) {
            take_event(past, facts, at, &rows[i]);
            after_id = rows[i].id;
        }
    } while (rc == RC_OK && count > 0);
    command_rewind(context, mark);
    return rc;
}

static bool because(struct command_context *context, bool is_so, const char *text, int64_t at)
{
    char when[SINK_TIME_BYTES];

    if (!is_so)
        return false;
    sink_time_format(at, when);
    sink_format(context->out, "because   %s %s\n", text, when);
    return true;
}

static void write_use(struct command_context *context, const struct token_facts *facts,
                      const struct past *past, int64_t at)
{
    int64_t used_at =
        facts->permanent.id != 0 ? facts->permanent.last_used_at : facts->grant.last_used_at;
    char when[SINK_TIME_BYTES];

    if (past->last.id != 0) {
        sink_time_format(past->last.at, when);
        sink_format(context->out, "event     %.*s %s",
                    STR_ARGS(event_kind_format((enum event_kind)past->last.kind)), when);
        sink_format(context->out, past->address.len > 0 ? " from %.*s\n" : "%.*s\n",
                    STR_ARGS(past->address));
    }
    sink_time_format(used_at, when);
    if (used_at != 0 && used_at <= at)
        sink_format(context->out, "used      last %s\n", when);
    else if (used_at != 0)
        sink_format(context->out, "note      it was used later, %s; uses before are not kept\n",
                    when);
}

/* *out_is_known: what revoked it, if anything did, can be told. */
static int write_reasons(struct command_context *context, const struct token_facts *facts,
                         const struct past *past, int64_t at, bool *out_is_refused,
                         bool *out_is_known)
{
    const struct token *row = &facts->row;
    struct spent_token spent = { .at = 0 };
    enum rc rc = row->is_spent ? store_find_spent(context->store, row->id, &spent) : RC_OK;
    int64_t expires_at = row->expires_at;
    int64_t ended_at = facts->grant.ended_at;

    if (rc != RC_OK && rc != RC_NOT_FOUND)
        return command_fault(context, rc);
    *out_is_refused = because(context, row->issued_at > at, "it was issued later,", row->issued_at);
    *out_is_refused |=
        because(context, expires_at != 0 && expires_at <= at, "it had expired at", expires_at);
    *out_is_refused |=
        because(context, ended_at != 0 && ended_at <= at, "its grant was ended at", ended_at);
    *out_is_refused |= because(context, past->revoked_at != 0 && past->revoked_at <= at,
                               "it was revoked at", past->revoked_at);
    *out_is_refused |= because(context, row->is_spent && spent.at != 0 && spent.at <= at,
                               "it was used and rotated at", spent.at);
    if (at == row->issued_at || at == ended_at || at == past->revoked_at || at == spent.at)
        sink_text(context->out, "note      something happened within that second: times are whole "
                                "seconds, and this is as of its end\n");
    *out_is_known = facts->has_grant && (!row->is_revoked || past->revoked_at != 0) &&
                    (!row->is_spent || spent.at != 0);
    return STATUS_DONE;
}

int token_at_explain(struct command_context *context, const struct token_facts *facts, int64_t at)
{
    struct past past = { .revoked_at = 0 };
    char when[SINK_TIME_BYTES];
    bool is_refused;
    bool is_known;
    enum rc rc = read_past(context, facts, at, &past);
    int status;

    if (rc != RC_OK)
        return command_fault(context, rc);
    sink_time_format(at, when);
    sink_format(context->out, "at        %s\n", when);
    write_use(context, facts, &past, at);
    status = write_reasons(context, facts, &past, at, &is_refused, &is_known);
    if (status != STATUS_DONE)
        return status;
    sink_time_format(past.first_at, when);
    if (past.first_at == 0 || past.first_at > facts->row.issued_at)
        sink_text(context->out, "note      the audit trail does not go back to its beginning\n");
    if (past.later_count > 0)
        sink_format(context->out,
                    "note      its account or client was changed %zu times since; see 'jeton "
                    "audit export --since'\n",
                    past.later_count);
    sink_text(context->out, is_refused  ? "active    no\n"
                            : !is_known ? "active    not known: rows of it have left the store\n"
                                        : "active    yes, as far as its own rows tell\n");
    return STATUS_DONE;
}
