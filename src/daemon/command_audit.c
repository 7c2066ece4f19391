#include "account/trail.h"
#include "base/clock.h"
#include "daemon/audit_file.h"
#include "daemon/audit_line.h"
#include "daemon/command.h"

enum { ERROR_BYTES = 256, LATE_S = 600 };

static void write_hex(struct command_context *context, const unsigned char *bytes, size_t len)
{
    char text[2 * 32];
    struct buffer hex = buffer_over(text, sizeof(text));

    audit_hex_append(bytes, len, &hex);
    sink_str(context->out, buffer_str(&hex));
    sink_text(context->out, "\n");
}

static void write_report(struct command_context *context, const struct trail_report *report)
{
    char at[SINK_TIME_BYTES];

    sink_time_format(report->last.at, at);
    sink_format(context->out, "checked %lld events in %lld checkpoints",
                (long long)report->event_count, (long long)report->checkpoint_count);
    if (report->last.number > 0) {
        sink_format(context->out, ", last %lld at %s\n", (long long)report->last.number, at);
        sink_format(context->out, "checkpoint %lld:", (long long)report->last.number);
        write_hex(context, report->last.digest, DIGEST_BYTES);
    } else {
        sink_text(context->out, "\n");
    }
    if (report->trimmed_at > 0) {
        sink_time_format(report->trimmed_until, at);
        sink_format(context->out, "note: events until %s were removed as configured\n", at);
    }
    if (report->later_count > 0) {
        sink_time_format(report->later_since, at);
        sink_format(context->out, "note: %lld events since %s have no checkpoint yet%s\n",
                    (long long)report->later_count, at,
                    report->later_since < clock_now_s() - LATE_S
                        ? "; a running server makes one within seconds"
                        : "");
    }
}

static void write_findings(struct command_context *context, const struct trail_report *report,
                           struct str findings)
{
    struct str rest = findings;

    while (rest.len > 0) {
        size_t end = str_index_of(rest, '\n');

        command_refuse(context, "%.*s", (int)end, rest.at);
        rest = str_from(rest, end < rest.len ? end + 1 : end);
    }
    if (report->finding_count > TRAIL_FINDING_COUNT_MAX)
        command_refuse(context, "and %lld more",
                       (long long)report->finding_count - TRAIL_FINDING_COUNT_MAX);
}

static int check(struct command_context *context, const struct trail_key *key,
                 const struct audit_verify_wish *wish)
{
    struct trail_head noted = { .number = wish->number };
    char *memory = arena_alloc(context->arena, TRAIL_FINDINGS_BYTES);
    struct buffer findings = buffer_over(memory, TRAIL_FINDINGS_BYTES);
    struct trail_report report;
    enum rc rc;

    if (wish->has_key &&
        memcmp(wish->public_key, key->public_bytes, TRAIL_KEY_BYTES) != 0) /* tidy: public */
        return command_refuse(context, "this server's audit key is another one");
    memcpy(noted.digest, wish->digest, DIGEST_BYTES);
    rc = trail_check(context->store, key, wish->has_checkpoint ? &noted : NULL, &report, &findings);
    if (rc != RC_OK && rc != RC_REFUSED)
        return command_fault(context, rc);
    write_findings(context, &report, buffer_str(&findings));
    write_report(context, &report);
    return rc == RC_OK ? STATUS_DONE : STATUS_REFUSED;
}

static int run_verify(struct command_context *context, const struct options *options)
{
    char bytes[ERROR_BYTES];
    struct buffer error = buffer_over(bytes, sizeof(bytes));
    struct audit_verify_wish wish;
    struct trail_key key;
    enum rc rc;
    int status;

    if (audit_verify_read(options, &wish, &error) != RC_OK)
        return command_usage(context, "%.*s", STR_ARGS(buffer_str(&error)));
    rc = trail_key_open(context->master_key, &key);
    if (rc != RC_OK)
        return command_fault(context, rc);
    status = check(context, &key, &wish);
    trail_key_close(&key);
    return status;
}

static int run_key(struct command_context *context, const struct options *options)
{
    struct trail_key key;
    enum rc rc = trail_key_open(context->master_key, &key);

    (void)options;
    if (rc != RC_OK)
        return command_fault(context, rc);
    write_hex(context, key.public_bytes, TRAIL_KEY_BYTES);
    trail_key_close(&key);
    return STATUS_DONE;
}

static const struct option_spec options_none[] = { { 0 } };

const struct command commands_audit[] = {
    { "audit", "verify", NULL, audit_verify_options, "checks that nobody changed the audit trail",
      false, NULL, run_verify },
    { "audit", "key", NULL, options_none, "prints the public key of its checkpoints", false, NULL,
      run_key },
    { 0 },
};
