#include "base/clock.h"
#include "token/keys.h"
#include "token/live.h"
#include "web/endpoint.h"

/* Prometheus text format 0.0.4. Labels come from our tables, never from requests. */

static void add_head(struct buffer *to, const char *name, const char *type, const char *help)
{
    buffer_append_format(to, "# HELP jeton_%s %s\n# TYPE jeton_%s %s\n", name, help, name, type);
}

static void add_number(struct buffer *to, const char *name, const char *type, const char *help,
                       uint64_t number)
{
    add_head(to, name, type, help);
    buffer_append_format(to, "jeton_%s %llu\n", name, (unsigned long long)number);
}

static uint64_t load(_Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add_answers(struct web *web, struct buffer *to)
{
    add_head(to, "answers_total", "counter", "Answers by endpoint and class of status.");
    for (size_t i = 0; i < endpoint_count; i++)
        for (int digit = 2; digit < STATUS_CLASS_COUNT; digit++)
            if (load(&web->counts[i].answers[digit]) > 0)
                buffer_append_format(to,
                                     "jeton_answers_total{endpoint=\"%s\",status=\"%dxx\"} %llu\n",
                                     endpoints[i].name, digit,
                                     (unsigned long long)load(&web->counts[i].answers[digit]));
}

static void add_latency_of(struct web *web, size_t index, struct buffer *to)
{
    const char *name = endpoints[index].name;
    unsigned long long sum = 0;

    for (size_t bucket = 0; bucket < LATENCY_BUCKET_COUNT; bucket++) {
        sum += load(&web->counts[index].latency[bucket]);
        if (bucket + 1 < LATENCY_BUCKET_COUNT)
            buffer_append_format(to,
                                 "jeton_answer_seconds_bucket{endpoint=\"%s\",le=\"%g\"} %llu\n",
                                 name, (double)web_latency_bounds_ns[bucket] / 1e9, sum);
        else
            buffer_append_format(
                to, "jeton_answer_seconds_bucket{endpoint=\"%s\",le=\"+Inf\"} %llu\n", name, sum);
    }
    buffer_append_format(to, "jeton_answer_seconds_sum{endpoint=\"%s\"} %.6f\n", name,
                         (double)load(&web->counts[index].latency_ns) / 1e9);
    buffer_append_format(to, "jeton_answer_seconds_count{endpoint=\"%s\"} %llu\n", name, sum);
}

static bool has_answers(struct web *web, size_t index)
{
    for (int digit = 0; digit < STATUS_CLASS_COUNT; digit++)
        if (load(&web->counts[index].answers[digit]) > 0)
            return true;
    return false;
}

static void add_latency(struct web *web, struct buffer *to)
{
    add_head(to, "answer_seconds", "histogram", "Time from a request's head to its answer.");
    for (size_t i = 0; i < endpoint_count; i++)
        if (has_answers(web, i))
            add_latency_of(web, i, to);
}

static void add_refusals(struct web *web, struct buffer *to)
{
    add_head(to, "refusals_total", "counter", "Answers that said no, by protocol error.");
    for (int error = 0; error < OAUTH_ERROR_COUNT; error++)
        if (load(&web->refusals[error]) > 0)
            buffer_append_format(to, "jeton_refusals_total{error=\"%.*s\",status=\"%d\"} %llu\n",
                                 STR_ARGS(oauth_error_wire((enum oauth_error)error)),
                                 oauth_error_status((enum oauth_error)error),
                                 (unsigned long long)load(&web->refusals[error]));
}

static void add_issued(struct web *web, struct buffer *to)
{
    add_head(to, "token_responses_total", "counter", "Successful token responses by grant type.");
    for (int type = 0; type < GRANT_TYPE_COUNT; type++)
        buffer_append_format(to, "jeton_token_responses_total{grant_type=\"%.*s\"} %llu\n",
                             STR_ARGS(grant_type_format((enum grant_type)type)),
                             (unsigned long long)load(&web->tokens_issued[type]));
}

static void add_store(struct web *web, struct buffer *to)
{
    const struct oauth_store_meters counts = oauth_read_store_meters(web->oauth);

    add_number(to, "store_commits_total", "counter", "Commits to disk.", counts.commits);
    add_number(to, "store_units_total", "counter", "Transactions that shared those commits.",
               counts.units);
    add_number(to, "store_unit_refusals_total", "counter", "Transactions a condition undid.",
               counts.unit_refusals);
    add_number(to, "store_faults_total", "counter", "Commits that failed.", counts.faults);
    add_number(to, "store_swept_rows_total", "counter", "Expired rows removed.", counts.swept_rows);
    add_number(to, "store_queue_depth", "gauge", "Transactions waiting.", counts.queue_depth);
    add_head(to, "store_commit_seconds_total", "counter", "Time spent in commits.");
    buffer_append_format(to, "jeton_store_commit_seconds_total %.6f\n",
                         (double)counts.commit_ns / 1e9);
    if (counts.disk_bytes > 0) {
        add_number(to, "store_disk_free_bytes", "gauge", "Room on the disk of the data folder.",
                   counts.disk_free_bytes);
        add_number(to, "store_disk_bytes", "gauge", "Size of that disk.", counts.disk_bytes);
    }
    add_number(to, "ready", "gauge", "1 when /readyz says 200.",
               oauth_check_ready(web->oauth) == OAUTH_READY && !atomic_load(&web->is_draining));
    add_number(to, "store_writable", "gauge", "1 when the store takes writes.",
               oauth_check_ready(web->oauth) != OAUTH_STORE_NOT_WRITABLE);
    add_number(to, "store_retries_total", "counter",
               "Transactions run again because one of their parts refused or was in the way.",
               counts.retries);
    add_number(to, "store_connections", "gauge", "Open connections to the store.",
               counts.connections);
}

static void add_seconds(struct buffer *to, const char *name, const char *help, int64_t ms)
{
    add_head(to, name, "gauge", help);
    buffer_append_format(to, "jeton_%s %.3f\n", name, (double)ms / 1e3);
}

/* Of a store that several servers share. */
static void add_feed(struct web *web, struct buffer *to)
{
    const struct oauth_feed_meters feed = oauth_read_feed_meters(web->oauth);

    if (!feed.is_shared)
        return;
    add_seconds(to, "store_feed_age_seconds",
                "Since the change feed was read to its end; answers are 503 from 1 on.",
                feed.age_ms);
    add_number(to, "store_feed_changes_total", "counter", "Changes read from the feed.",
               feed.changes);
    add_number(to, "store_feed_losses_total", "counter",
               "How often the feed could not be read for a second.", feed.losses);
    add_seconds(to, "store_clock_offset_seconds",
                "How far the database's clock is ahead of this machine's.", feed.clock_offset_ms);
}

static void add_mails(struct web *web, struct buffer *to)
{
    if (web->mail == NULL)
        return;
    add_number(to, "mails_sent_total", "counter", "Mails that the SMTP server has taken.",
               load(&web->mail->sent));
    add_number(to, "mails_failed_total", "counter", "Attempts that will be repeated.",
               load(&web->mail->failed));
    add_number(to, "mails_given_up_total", "counter", "Mails that were never taken.",
               load(&web->mail->given_up));
    add_number(to, "mails_queued", "gauge", "Mails that wait.", load(&web->mail->queued));
}

static void add_logouts(struct web *web, struct buffer *to)
{
    if (web->logouts == NULL)
        return;
    add_number(to, "logouts_sent_total", "counter", "Logout tokens that clients have taken.",
               load(&web->logouts->sent));
    add_number(to, "logouts_failed_total", "counter", "Attempts that will be repeated.",
               load(&web->logouts->failed));
    add_number(to, "logouts_given_up_total", "counter", "Logout tokens that were never taken.",
               load(&web->logouts->given_up));
    add_number(to, "logouts_queued", "gauge", "Logout tokens that wait.",
               load(&web->logouts->queued));
}

static void add_tokens(struct web *web, struct buffer *to)
{
    size_t records;
    size_t bytes;

    live_count(token_room_live(web->oauth->tokens), &records, &bytes);
    add_number(to, "live_tokens", "gauge", "Tokens in the live-token table.", records);
    add_number(to, "live_token_bytes", "gauge", "Memory of the live-token table.", bytes);
    add_number(to, "live_grants", "gauge", "Grants in memory.",
               grant_book_count(token_room_grants(web->oauth->tokens)));
    if (token_room_count_permanents(web->oauth->tokens, &records))
        add_number(to, "permanent_tokens", "gauge",
                   "Permanent tokens that live, as counted a minute ago.", records);
    add_number(to, "live_filled", "gauge", "1 when the table has been filled after the start.",
               token_room_is_filled(web->oauth->tokens));
}

static void add_lane(struct buffer *to, const char *name, const char *lane, uint64_t number)
{
    buffer_append_format(to, "jeton_%s{lane=\"%s\"} %llu\n", name, lane,
                         (unsigned long long)number);
}

static void add_http(struct web *web, struct buffer *to)
{
    const struct http_server *server = atomic_load(&web->server);
    struct http_counts counts;

    if (server == NULL)
        return;
    http_server_counts(server, &counts);
    add_number(to, "connections_open", "gauge", "Connections open.", counts.connections_open);
    add_number(to, "connections_accepted_total", "counter", "Connections accepted.",
               counts.connections_accepted);
    add_number(to, "connections_refused_total", "counter", "Connections over a cap.",
               counts.connections_refused);
    add_number(to, "requests_total", "counter", "Well-formed requests.", counts.requests);
    add_number(to, "requests_malformed_total", "counter", "Requests refused by the parser.",
               counts.requests_malformed);
    add_number(to, "timeouts_total", "counter", "Connections closed at a deadline.",
               counts.timeouts);
    add_number(to, "tls_handshakes_total", "counter", "TLS handshakes completed.",
               counts.tls_handshakes);
    add_number(to, "tls_handshake_failures_total", "counter", "TLS handshakes that failed.",
               counts.tls_handshake_failures);
    if (counts.certificate_expires_at != 0)
        add_number(to, "certificate_expires_seconds", "gauge", "When the TLS certificate expires.",
                   (uint64_t)counts.certificate_expires_at);
    add_head(to, "lane_queue_depth", "gauge", "Requests waiting for a thread, by lane.");
    add_lane(to, "lane_queue_depth", "work", counts.queue_depth[LANE_WORK]);
    add_lane(to, "lane_queue_depth", "hash", counts.queue_depth[LANE_HASH]);
    add_head(to, "lane_refusals_total", "counter", "Requests told 503, by lane.");
    add_lane(to, "lane_refusals_total", "work", counts.queue_refusals[LANE_WORK]);
    add_lane(to, "lane_refusals_total", "hash", counts.queue_refusals[LANE_HASH]);
}

static void add_keys(struct web *web, struct buffer *to)
{
    add_head(to, "signing_key_age_seconds", "gauge", "How long the key has been signing.");
    for (int alg = 0; alg < ALG_COUNT; alg++) {
        int64_t age_s =
            key_ring_age(token_room_keys(web->oauth->tokens), (enum signing_alg)alg, clock_now_s());

        if (age_s >= 0)
            buffer_append_format(to, "jeton_signing_key_age_seconds{alg=\"%.*s\"} %lld\n",
                                 STR_ARGS(signing_alg_format((enum signing_alg)alg)),
                                 (long long)age_s);
    }
}

static void add_outcome(struct buffer *to, const char *outcome, uint64_t number)
{
    buffer_append_format(to, "jeton_sign_in_tries_total{outcome=\"%s\"} %llu\n", outcome,
                         (unsigned long long)number);
}

static void add_sign_ins(struct web *web, struct buffer *to)
{
    struct throttle_counts counts;

    throttle_book_counts(web->oauth->door->throttle, &counts);
    add_head(to, "sign_in_tries_total", "counter", "Passwords, codes and secrets presented.");
    add_outcome(to, "right", counts.right);
    add_outcome(to, "wrong", counts.wrong);
    add_outcome(to, "held_up", counts.held_up);
    add_outcome(to, "turned_away", counts.turned_away);
}

/* The names that Prometheus's own libraries have for these. */
static void add_own(struct buffer *to, const char *name, const char *type, const char *help,
                    double number)
{
    buffer_append_format(to, "# HELP process_%s %s\n# TYPE process_%s %s\nprocess_%s %.2f\n", name,
                         help, name, type, name, number);
}

static void add_process(const struct web *web, struct buffer *to)
{
    struct process_use use;

    process_meters_read(&web->process, &use);
    add_own(to, "cpu_seconds_total", "counter", "Time on processors.", (double)use.cpu_ms / 1e3);
    add_own(to, "resident_memory_bytes", "gauge", "Memory.", (double)use.memory_bytes);
    add_own(to, "open_fds", "gauge", "Open descriptors.", (double)use.descriptors);
    add_own(to, "max_fds", "gauge", "Descriptors there may be.", (double)use.descriptors_max);
    add_own(to, "start_time_seconds", "gauge", "When it was started.",
            (double)web->process.started_at);
}

enum rc metrics_endpoint(struct web_call *call)
{
    struct buffer *body = &call->exchange->response.body;

    add_head(body, "build_info", "gauge", "Version of the running binary.");
    buffer_append_format(body, "jeton_build_info{version=\"%s\"} 1\n", JETON_VERSION);
    add_answers(call->web, body);
    add_latency(call->web, body);
    add_refusals(call->web, body);
    add_issued(call->web, body);
    add_tokens(call->web, body);
    add_store(call->web, body);
    add_feed(call->web, body);
    add_mails(call->web, body);
    add_logouts(call->web, body);
    add_http(call->web, body);
    add_keys(call->web, body);
    add_sign_ins(call->web, body);
    add_process(call->web, body);
    call->exchange->response.status = 200;
    http_add_header(call->exchange, STR("Content-Type"),
                    STR("text/plain; version=0.0.4; charset=utf-8"));
    return RC_OK;
}
