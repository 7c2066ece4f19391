#include "daemon/token_why.h"

#include "base/clock.h"
#include "codec/network.h"
#include "daemon/audit_line.h"
#include "http/http.h"
#include "store/trail.h"

enum { ADDRESS_BITS = 128, EVENT_PAGE_COUNT = 64 };

/* A token, and what is asked of it. */
struct question {
    struct command_context *context;
    struct sink *out;
    const struct token_facts *facts;
    int64_t now;
    struct str service_id; /* empty: any */
    struct str scope;      /* empty: none */
    struct str address_text;
    unsigned char address[NETWORK_ADDRESS_BYTES]; /* of a text that is not empty */
    bool is_refused;
};

static void because(struct question *question, bool is_so, const char *text)
{
    if (!is_so)
        return;
    sink_format(question->out, "because   %s\n", text);
    question->is_refused = true;
}

/* at: 0 for no reason. */
static void because_at(struct question *question, const char *text, int64_t at)
{
    char when[SINK_TIME_BYTES];

    if (at == 0)
        return;
    sink_time_format(at, when);
    sink_format(question->out, "because   %s %s\n", text, when);
    question->is_refused = true;
}

/* because BEFORE TEXT AFTER, of what somebody else wrote. */
static void because_of(struct question *question, const char *before, struct str text,
                       const char *after)
{
    sink_format(question->out, "because   %s", before);
    sink_str(question->out, str_has_control(text) ? STR("-") : text);
    sink_format(question->out, "%s\n", after);
    question->is_refused = true;
}

/* ---- who ended it ---- */

/* An event that says so: of this token, or of the moment when its grant ended. */
static bool is_end(const struct token_facts *facts, const struct event *event)
{
    bool ends_grant = event->kind == EVENT_GRANT_ENDED || event->kind == EVENT_REFRESH_REUSED ||
                      event->kind == EVENT_CODE_REUSED || event->kind == EVENT_ACCOUNT_CHANGED ||
                      event->kind == EVENT_CLIENT_CHANGED || event->kind == EVENT_RESTORED ||
                      event->kind == EVENT_ACCOUNT_LOCKED || event->kind == EVENT_SIGNED_OUT;

    if (event->kind == EVENT_TOKEN_REVOKED)
        return event->token_id == facts->row.id;
    return ends_grant && facts->grant.ended_at != 0 && event->at == facts->grant.ended_at &&
           (event->token_id == 0 || event->token_id == facts->row.id ||
            event->account_id == facts->grant.account_id);
}

static void write_end(struct question *question, const struct event *event)
{
    char from[AUDIT_ADDRESS_BYTES];
    char when[SINK_TIME_BYTES];
    struct str address = audit_address_text(
        (struct str){ (const char *)event->address, sizeof(event->address) }, from);

    sink_time_format(event->at, when);
    sink_format(question->out, "event     %.*s %s", STR_ARGS(event_kind_format(event->kind)), when);
    if (address.len > 0)
        sink_format(question->out, " from %.*s", STR_ARGS(address));
    if (event->detail.len > 0 && !str_has_control(event->detail)) {
        sink_text(question->out, ", ");
        sink_str(question->out, event->detail);
    }
    sink_text(question->out, "\n");
}

/* Newest first, back to when it cannot have been. */
static int explain_end(struct question *question)
{
    struct command_context *context = question->context;
    const struct token_facts *facts = question->facts;
    const struct event_filter filter = { .account_id = facts->account.id,
                                         .client_id =
                                             facts->account.id == 0 ? facts->client.id : 0 };
    struct event *rows = arena_alloc(context->arena, EVENT_PAGE_COUNT * sizeof(*rows));
    int64_t oldest_at = facts->row.is_revoked ? facts->row.issued_at : facts->grant.ended_at;
    size_t mark = context->arena->used_bytes;
    int64_t before_id = INT64_MAX;
    size_t count;

    if (!facts->row.is_revoked && facts->grant.ended_at == 0)
        return STATUS_DONE;
    do {
        enum rc rc;

        command_rewind(context, mark);
        rc = store_search_events(context->store, &filter, before_id, context->arena, rows,
                                 EVENT_PAGE_COUNT, &count);
        if (rc != RC_OK)
            return command_fault(context, rc);
        for (size_t i = 0; i < count; i++) {
            before_id = rows[i].id;
            if (is_end(facts, &rows[i]))
                write_end(question, &rows[i]);
        }
    } while (count == EVENT_PAGE_COUNT && rows[count - 1].at >= oldest_at);
    command_rewind(context, mark);
    return STATUS_DONE;
}

/* ---- what it is tied to ---- */

/* The last use may be noted a minute late. */
static void write_session(struct question *question, const struct session *session)
{
    char from[NETWORK_ADDRESS_TEXT_BYTES_MAX];
    char last_used[SINK_TIME_BYTES];
    struct buffer address = buffer_over(from, sizeof(from));

    network_format_address(session->address, &address);
    sink_time_format(session->last_active_at, last_used);
    sink_format(question->out, "session   begun at %.*s by ", STR_ARGS(buffer_str(&address)));
    sink_str(question->out, session->device.len == 0 || str_has_control(session->device)
                                ? STR("-")
                                : session->device);
    sink_format(question->out,
                ", last used %s\nnote      it is good only together with its session", last_used);
    if (session->address_bits == ADDRESS_BITS)
        sink_text(question->out, ", from that address");
    else if (session->address_bits > 0)
        sink_format(question->out, ", from that address's network (%u of %d bits)",
                    session->address_bits, (int)ADDRESS_BITS);
    sink_text(question->out, "\n");
}

static bool is_tied_elsewhere(const struct question *question, const struct session *session)
{
    struct network tied = { .prefix_bits = session->address_bits };

    memcpy(tied.bytes, session->address, sizeof(tied.bytes));
    return question->address_text.len > 0 && session->address_bits > 0 &&
           !network_has(&tied, question->address);
}

/* What a session token needs beside itself. */
static int explain_session(struct question *question)
{
    struct command_context *context = question->context;
    const struct token_facts *facts = question->facts;
    struct session session;
    enum rc rc;

    if (!facts->has_grant || !facts->grant.is_session)
        return STATUS_DONE;
    rc = store_find_session(context->store, facts->grant.id, context->arena, &session);
    if (rc == RC_NOT_FOUND) {
        because(question, true, "its session has left the store");
        return STATUS_DONE;
    }
    if (rc != RC_OK)
        return command_fault(context, rc);
    write_session(question, &session);
    because_at(question, "its session has been unused too long since",
               session.last_active_at + session.idle_s <= question->now ? session.last_active_at
                                                                        : 0);
    if (is_tied_elsewhere(question, &session))
        because_of(question, "its session is not tied to ", question->address_text, "");
    return STATUS_DONE;
}

static bool is_zero(const unsigned char address[static 16])
{
    static const unsigned char zeros[16];

    return memcmp(address, zeros, sizeof(zeros)) == 0;
}

/* Whether one of the networks of a permanent token has the address. */
static bool is_allowed_from(struct str networks, const unsigned char *address)
{
    struct str word;

    while (str_next_word(&networks, &word)) {
        struct network network;

        if (network_parse(word, &network) == RC_OK && network_has(&network, address))
            return true;
    }
    return false;
}

static void explain_addresses(struct question *question, struct str networks)
{
    if (networks.len == 0)
        return;
    sink_text(question->out, "note      it is good only from ");
    sink_str(question->out, networks);
    sink_text(question->out, "\n");
    if (question->address_text.len > 0 && !is_allowed_from(networks, question->address))
        because_of(question, "it may not be used from ", question->address_text, "");
}

/* When it was used is saved a minute late. */
static void explain_permanent(struct question *question)
{
    const struct permanent *permanent = &question->facts->permanent;
    char from[NETWORK_ADDRESS_TEXT_BYTES_MAX];
    char last_used[SINK_TIME_BYTES];
    struct buffer address = buffer_over(from, sizeof(from));

    because(question, question->facts->row.kind == TOKEN_PERMANENT && permanent->id == 0,
            "what limits it has left the store");
    if (permanent->id == 0)
        return;
    sink_time_format(permanent->last_used_at, last_used);
    sink_text(question->out, "name      ");
    sink_str(question->out, permanent->name);
    sink_text(question->out, "\nused      ");
    if (permanent->last_used_at == 0) {
        sink_text(question->out, "never\n");
    } else if (is_zero(permanent->last_used_address)) {
        sink_format(question->out, "%s from an address that was not told\n", last_used);
    } else {
        network_format_address(permanent->last_used_address, &address);
        sink_format(question->out, "%s from %.*s\n", last_used, STR_ARGS(buffer_str(&address)));
    }
    explain_addresses(question, permanent->addresses);
}

/* ---- what it is for ---- */

static int explain_services(struct question *question)
{
    struct command_context *context = question->context;
    const struct grant *grant = &question->facts->grant;
    struct str rest = grant->audience;
    struct str service_id;

    while (question->facts->has_grant && str_next_word(&rest, &service_id)) {
        struct catalog_service *entry;
        enum rc rc = catalog_find_service(context->catalog, service_id, true, &entry);

        if (rc == RC_NOT_FOUND)
            continue;
        if (rc != RC_OK)
            return command_fault(context, rc);
        if (entry->service.is_disabled)
            because_of(question, "the service ", service_id, " is disabled");
        catalog_service_put(entry);
    }
    if (question->service_id.len > 0 && !str_has_word(grant->audience, question->service_id))
        because_of(question, "it is not for the service ", question->service_id, "");
    return STATUS_DONE;
}

static void explain_scope(struct question *question)
{
    struct str rest = question->scope;
    struct str word;

    while (str_next_word(&rest, &word))
        if (!str_has_word(question->facts->grant.scope, word))
            because_of(question, "its scope lacks ", word, "");
}

static void explain_state(struct question *question)
{
    const struct token_facts *facts = question->facts;
    const struct token *row = &facts->row;

    if (row->issued_at > question->now)
        sink_format(question->out,
                    "note      it was issued %lld s ahead of this machine's clock: services that "
                    "read it themselves may refuse it until then\n",
                    (long long)(row->issued_at - question->now));
    because(question, row->is_revoked, "it was revoked");
    because(question, row->is_spent, "it was used and rotated");
    because_at(question, "it expired at",
               row->expires_at != 0 && row->expires_at <= question->now ? row->expires_at : 0);
    because(question, !facts->has_grant, "its grant has left the store");
    if (!facts->has_grant)
        return;
    because_at(question, "its grant was ended at", facts->grant.ended_at);
    because(question, facts->account.is_disabled, "the account is disabled");
    because(question, facts->client.is_disabled, "the client is disabled");
}

bool token_why_is_asked(const struct options *options)
{
    return options_has(options, "service") || options_has(options, "scope") ||
           options_has(options, "address");
}

bool token_why_has_address(const struct options *options)
{
    unsigned char ignored[NETWORK_ADDRESS_BYTES];

    return !options_has(options, "address") ||
           network_parse_address(str_of(options_find(options, "address")), ignored);
}

static void read_question(struct question *question, const struct options *options)
{
    if (options_has(options, "service"))
        question->service_id = str_of(options_find(options, "service"));
    if (options_has(options, "scope"))
        question->scope = str_of(options_find(options, "scope"));
    if (!options_has(options, "address"))
        return;
    question->address_text = str_of(options_find(options, "address"));
    (void)network_parse_address(question->address_text, question->address);
}

int token_why_explain(struct command_context *context, const struct options *options,
                      const struct token_facts *facts)
{
    struct question question = {
        .context = context, .out = context->out, .facts = facts, .now = clock_now_s()
    };
    int status;

    read_question(&question, options);
    explain_state(&question);
    status = explain_end(&question);
    explain_permanent(&question);
    if (status == STATUS_DONE)
        status = explain_session(&question);
    explain_scope(&question);
    if (status == STATUS_DONE)
        status = explain_services(&question);
    if (status != STATUS_DONE)
        return status;
    sink_text(context->out, question.is_refused ? "active    no\n" : "active    yes\n");
    return STATUS_DONE;
}
