#include "daemon/serve.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "codec/uri.h"
#include "daemon/control.h"
#include "daemon/house.h"
#include "daemon/logout_sender.h"
#include "daemon/mailer.h"
#include "daemon/process.h"
#include "daemon/settings.h"
#include "http/http.h"
#include "oauth/proof.h"
#include "web/web.h"

enum {
    LISTENER_COUNT_MAX = 3 * SETTINGS_LIST_COUNT_MAX + 1,
    ERROR_BYTES = 512,
    ADDRESS_BYTES = 512
};

/* Everything that a running server has, in the order in which it is opened. */
struct server {
    struct settings settings;
    struct house house;
    struct http_listener listeners[LISTENER_COUNT_MAX];
    char inherited[LISTENER_COUNT_MAX][16]; /* "fd:3" */
    size_t listener_count;
    struct http_network proxies[SETTINGS_LIST_COUNT_MAX];
    struct http_server *http;
    char address[ADDRESS_BYTES]; /* "http://127.0.0.1:8080" */
    char issuer[ADDRESS_BYTES];
    struct oauth oauth;
    struct proof_book *proofs;
    struct outside outside;
    struct newcomers newcomers;
    struct web *web;
    struct outbox outbox;
    struct mail_route mail_route;
    struct mail_meters mail_meters;
    struct mailer *mailer; /* NULL: no mail is sent */
    struct logout_meters logout_meters;
    struct logout_sender *logout_sender;
    struct letter_head letters;
    struct control_server *control;
    pthread_t signal_thread;
    bool has_signal_thread;
    struct buffer *error;
};

static enum rc refuse(struct buffer *out_error, const char *before, const char *value,
                      const char *after)
{
    buffer_append_format(out_error, "%s%s%s", before, value, after);
    return RC_INVALID;
}

/* ---- listeners ---- */

static void add_listener(struct server *server, const char *address, bool is_tls, int tag)
{
    ASSERT(server->listener_count < LISTENER_COUNT_MAX);
    server->listeners[server->listener_count++] =
        (struct http_listener){ .address = str_of(address), .is_tls = is_tls, .tag = tag };
}

/* What the service manager hands over stands in for a missing --listen. */
static void add_inherited(struct server *server)
{
    unsigned count = http_inherited_count();

    for (unsigned i = 0; i < count && i < SETTINGS_LIST_COUNT_MAX; i++) {
        snprintf(server->inherited[i], sizeof(server->inherited[i]), "fd:%u", 3 + i);
        add_listener(server, server->inherited[i], false, WEB_LISTENER_PUBLIC);
    }
}

static bool has_tls(const struct settings *settings)
{
    return settings->tls_listen_count > 0 || settings->outside.client_listens.count > 0;
}

static void add_listeners(struct server *server)
{
    const struct settings *settings = &server->settings;

    for (size_t i = 0; i < settings->listen_count; i++)
        add_listener(server, settings->listen[i], false, WEB_LISTENER_PUBLIC);
    for (size_t i = 0; i < settings->tls_listen_count; i++)
        add_listener(server, settings->tls_listen[i], true, WEB_LISTENER_PUBLIC);
    for (size_t i = 0; i < settings->outside.client_listens.count; i++) {
        add_listener(server, settings->outside.client_listens.at[i], true, WEB_LISTENER_PUBLIC);
        server->listeners[server->listener_count - 1].asks_certificate = true;
    }
    if (server->listener_count == 0)
        add_inherited(server);
    if (server->listener_count == 0)
        add_listener(server, "127.0.0.1:8080", false, WEB_LISTENER_PUBLIC);
    if (settings->metrics_listen != NULL)
        add_listener(server, settings->metrics_listen, false, WEB_LISTENER_METRICS);
}

static enum rc parse_proxies(struct server *server)
{
    const struct settings *settings = &server->settings;

    for (size_t i = 0; i < settings->trusted_proxy_count; i++) {
        if (http_network_parse(str_of(settings->trusted_proxy[i]), &server->proxies[i]) == RC_OK)
            continue;
        settings_blame(settings, "trusted-proxy", settings->trusted_proxy[i], server->error);
        return refuse(server->error, "trusted-proxy: '", settings->trusted_proxy[i],
                      "' is no network such as 10.0.0.0/8, 2001:db8::/32 or 'unix'");
    }
    return RC_OK;
}

/* serve and done are asked for before the issuer, and so the web, can be known: the port may be the
 * kernel's choice. Nothing is served until then. */
static enum http_verdict serve_exchange(void *context, struct http_exchange *exchange)
{
    return web_serve(((struct server *)context)->web, exchange);
}

static void done_exchange(void *context, const struct http_exchange *exchange)
{
    web_done(((struct server *)context)->web, exchange);
}

/* The server names a bad listener by its address; its place in the file is ours to name. */
static void blame_listener(struct server *server, struct str words)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        const struct http_listener *listener = &server->listeners[i];
        const char *key = listener->tag == WEB_LISTENER_METRICS ? "metrics-listen"
                          : listener->asks_certificate          ? "tls-client-listen"
                          : listener->is_tls                    ? "tls-listen"
                                                                : "listen";

        if (str_starts_with(words, STR("listen ")) &&
            str_starts_with(str_from(words, strlen("listen ")), listener->address)) {
            settings_blame(&server->settings, key, listener->address.at, server->error);
            return;
        }
    }
}

static enum rc open_http(struct server *server)
{
    const struct settings *settings = &server->settings;
    struct http_config config = {
        .listeners = server->listeners,
        .trusted_proxies = server->proxies,
        .trusted_proxy_count = settings->trusted_proxy_count,
        .tls_certificate_file = settings->tls_certificate,
        .tls_key_file = settings->tls_key,
        .client_trust = server->outside.trust,
        .certificate_header = str_of(server->outside.header),
        .loop_count = settings->loops,
        .work_thread_count = settings->work_threads,
        .hash_thread_count = settings->hash_threads,
        .serve = serve_exchange,
        .done = done_exchange,
        .context = server,
    };
    char bytes[ERROR_BYTES];
    struct buffer words = buffer_over(bytes, sizeof(bytes));
    enum rc rc;

    rc = parse_proxies(server);
    if (rc != RC_OK)
        return rc;
    add_listeners(server);
    config.listener_count = server->listener_count;
    if (!has_tls(settings))
        config.tls_certificate_file = config.tls_key_file = NULL;
    rc = http_server_open(&config, &server->http, &words);
    if (rc != RC_OK) {
        blame_listener(server, buffer_str(&words));
        buffer_append_str(server->error, buffer_str(&words));
    }
    return rc;
}

/* ---- the address and the issuer ---- */

/* The host of "HOST:PORT", "[::1]:PORT"; empty for a Unix socket or an inherited one. */
static struct str host_of(struct str address)
{
    size_t at = address.len;

    if (str_starts_with(address, STR("unix:")) || str_starts_with(address, STR("fd:")))
        return STR("");
    while (at > 0 && address.at[at - 1] != ':')
        at--;
    return (struct str){ address.at, at > 0 ? at - 1 : 0 };
}

static bool is_loopback(struct str host)
{
    return str_equal(host, STR("localhost")) || str_equal(host, STR("[::1]")) ||
           str_starts_with(host, STR("127."));
}

static bool is_wildcard(struct str host)
{
    return str_equal(host, STR("*")) || str_equal(host, STR("0.0.0.0")) ||
           str_equal(host, STR("[::]"));
}

/* What to tell people to open: a wildcard is no address that one can go to. */
static void format_address(struct server *server)
{
    const struct http_listener *first = &server->listeners[0];
    struct str host = host_of(first->address);
    unsigned port = http_server_port(server->http, 0);

    if (port == 0) {
        snprintf(server->address, sizeof(server->address), "%.*s", STR_ARGS(first->address));
        return;
    }
    if (host.len == 0 || is_wildcard(host))
        host = STR("localhost");
    snprintf(server->address, sizeof(server->address), "%s://%.*s:%u",
             first->is_tls ? "https" : "http", STR_ARGS(host), port);
}

static enum rc choose_issuer(struct server *server)
{
    const char *chosen = server->settings.issuer;
    bool is_url = str_starts_with(str_of(server->address), STR("http"));

    if (chosen == NULL && !is_url)
        return refuse(server->error, "", "--issuer URL is needed: the first listener has no port",
                      "");
    if (chosen == NULL && issuer_check(str_of(server->address)) != RC_OK)
        return refuse(server->error, "--issuer URL is needed: ", server->address,
                      " may not be an issuer, as it is neither https nor a loopback host");
    if (chosen != NULL && issuer_check(str_of(chosen)) != RC_OK) {
        settings_blame(&server->settings, "issuer", chosen, server->error);
        return refuse(server->error, "issuer: '", chosen,
                      "' must be https:// (http:// only for a loopback host), with a host, without "
                      "query, fragment, user or a slash at its end"); /* RFC 8414 2 */
    }
    if (chosen != NULL && strlen(chosen) >= sizeof(server->issuer))
        return refuse(server->error, "issuer: ", "it is longer than 511 bytes", "");
    snprintf(server->issuer, sizeof(server->issuer), "%s",
             chosen != NULL ? chosen : server->address);
    return RC_OK;
}

/* Tokens in clear on a network: allowed, but never silently. */
static void warn_of_plain_listeners(const struct server *server)
{
    if (server->settings.trusted_proxy_count > 0)
        return;
    for (size_t i = 0; i < server->listener_count; i++) {
        struct str host = host_of(server->listeners[i].address);

        if (!server->listeners[i].is_tls && host.len > 0 && !is_loopback(host))
            log_event(LOG_WARN, "listens_in_clear",
                      LOG_STR("address", server->listeners[i].address),
                      LOG_TEXT("advice", "use --tls-listen, or a reverse proxy and "
                                         "--trusted-proxy"));
    }
}

/* ---- signals ---- */

static void set_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

static void reload_tls(struct server *server)
{
    char bytes[ERROR_BYTES];
    struct buffer error = buffer_over(bytes, sizeof(bytes));

    if (!has_tls(&server->settings))
        return;
    if (http_server_reload_tls(server->http, &error) == RC_OK)
        log_event(LOG_INFO, "certificate_reloaded",
                  LOG_TEXT("file", server->settings.tls_certificate));
    else
        log_event(LOG_ERROR, "certificate_kept", LOG_STR("why", buffer_str(&error)));
}

static void *signal_main(void *context)
{
    struct server *server = context;
    sigset_t set;
    int number;

    set_signals(&set);
    for (;;) {
        if (sigwait(&set, &number) != 0)
            continue;
        if (number == SIGHUP) {
            reload_tls(server);
            continue;
        }
        log_event(LOG_INFO, "stopping", LOG_INT("signal", number));
        process_notify("STOPPING=1");
        web_begin_drain(server->web);
        if (server->mailer != NULL)
            mailer_begin_stop(server->mailer);
        logout_sender_begin_stop(server->logout_sender);
        http_server_stop(server->http);
        return NULL;
    }
}

/* Before the first thread: every one inherits the mask, and only signal_main takes them. */
static void block_signals(void)
{
    sigset_t set;

    set_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* ---- opening ---- */

static enum rc fault(struct server *server, enum rc rc, const char *what)
{
    if (server->error->len == 0)
        buffer_append_format(server->error, "%s: %s", what, rc_words(rc));
    return rc;
}

static enum rc open_house(struct server *server)
{
    enum rc rc = house_open(server->settings.data, server->settings.master_key_file, &server->house,
                            server->error);

    if (rc == RC_OK)
        throttle_set_lockout(server->house.throttle, server->settings.lockout);
    if (rc == RC_OK && server->house.master_key_was_made)
        log_event(LOG_WARN, "master_key_made", LOG_TEXT("data", server->settings.data),
                  LOG_TEXT("advice", "master.key in the data folder opens all that is sealed in "
                                     "the store: keep a copy of it elsewhere"));
    return rc;
}

static enum rc open_mailer(struct server *server)
{
    const struct mail_settings *settings = &server->settings.mail;

    server->outbox = (struct outbox){ .store = server->house.store,
                                      .master_key = server->house.master_key.bytes };
    if (settings->smtp_url.at == NULL)
        return RC_OK;
    mail_route_init(settings, str_of(server->issuer), &server->mail_route);
    server->house.mail_route = &server->mail_route;
    return mailer_open(&server->mail_route, &server->outbox, &server->mail_meters, &server->mailer,
                       server->error);
}

static enum rc open_web(struct server *server)
{
    struct web_config config = { .oauth = &server->oauth,
                                 .dialects = &server->settings.dialects,
                                 .permanent_days_max = server->settings.permanent_days_max,
                                 .mail = server->mailer != NULL ? &server->mail_meters : NULL,
                                 .logouts = &server->logout_meters,
                                 .registration = &server->settings.registration,
                                 .brand = server->settings.brand,
                                 .outbox = server->mailer != NULL ? &server->outbox : NULL };
    enum rc rc;

    server->logout_sender =
        logout_sender_new(server->house.store, &server->oauth, &server->logout_meters);
    newcomers_init(&server->settings.newcomers, &server->newcomers);
    rc = house_open_room(&server->house, str_of(server->issuer));
    if (rc != RC_OK)
        return fault(server, rc, "the keys and tokens cannot be read");
    rc = proof_book_new(server->house.master_key.bytes,
                        server->settings.dpop_nonce == DPOP_NONCE_REQUIRED, &server->proofs);
    if (rc != RC_OK)
        return fault(server, rc, "the keys of nonces");
    server->oauth = (struct oauth){ .store = server->house.store,
                                    .catalog = server->house.catalog,
                                    .tokens = server->house.room,
                                    .secrets = &server->house.checker,
                                    .door = &server->house.door,
                                    .issuer = str_of(server->issuer),
                                    .root = oauth_root_of(str_of(server->issuer)),
                                    .subject_key = server->house.subject_key,
                                    .proofs = server->proofs,
                                    .fetcher = server->outside.fetcher,
                                    .admission = &server->newcomers.admission,
                                    .client_trust = server->outside.trust };
    rc = oauth_prepare(&server->oauth);
    if (rc != RC_OK)
        return fault(server, rc, "the store cannot be written");
    rc = web_open(&config, &server->web, server->error);
    if (rc != RC_OK)
        return fault(server, rc, "the endpoints");
    web_set_server(server->web, server->http);
    if (server->mailer == NULL)
        return RC_OK;
    server->letters = web_letter_head(server->web);
    server->house.letters = &server->letters;
    return RC_OK;
}

static enum rc open_all(struct server *server)
{
    enum rc rc;

    rc = open_house(server);
    if (rc == RC_OK)
        rc = outside_open(&server->settings.outside, &server->outside, server->error);
    if (rc == RC_OK)
        rc = open_http(server);
    if (rc != RC_OK)
        return fault(server, rc, "the server cannot start");
    format_address(server);
    rc = choose_issuer(server);
    if (rc == RC_OK)
        rc = open_mailer(server);
    if (rc == RC_OK)
        rc = open_web(server);
    if (rc == RC_OK &&
        ((server->mailer != NULL && mailer_start(server->mailer, &server->letters) != RC_OK) ||
         logout_sender_start(server->logout_sender) != RC_OK))
        return fault(server, RC_SYSTEM, "a thread");
    if (rc == RC_OK)
        rc = control_server_open(server->settings.data, &server->house, &server->control,
                                 server->error);
    if (rc != RC_OK)
        return rc;
    server->has_signal_thread =
        pthread_create(&server->signal_thread, NULL, signal_main, server) == 0;
    process_lock_memory();
    return server->has_signal_thread ? RC_OK : fault(server, RC_SYSTEM, "a thread");
}

/* In the reverse order. The control socket goes first: its commands use all the rest. */
static void close_all(struct server *server)
{
    if (server->control != NULL)
        control_server_close(server->control);
    if (server->http != NULL)
        http_server_close(server->http);
    if (server->web != NULL)
        web_close(server->web);
    if (server->logout_sender != NULL)
        logout_sender_free(server->logout_sender);
    proof_book_free(server->proofs);
    outside_close(&server->outside);
    if (server->mailer != NULL)
        mailer_close(server->mailer);
    if (server->house.store != NULL)
        house_close(&server->house);
    settings_close(&server->settings);
}

static void say_ready(const struct server *server)
{
    char line[ADDRESS_BYTES + 16];
    int len = snprintf(line, sizeof(line), "ready %s\n", server->address);
    ssize_t written;

    warn_of_plain_listeners(server);
    log_event(LOG_INFO, "started", LOG_TEXT("version", JETON_VERSION),
              LOG_TEXT("issuer", server->issuer), LOG_TEXT("data", server->settings.data));
    written = write(STDERR_FILENO, line, (size_t)len);
    (void)written; /* nowhere to say so */
    process_notify("READY=1");
}

/* ---- the command ---- */

static void write_stdout(struct str text)
{
    ssize_t written = write(STDOUT_FILENO, text.at, text.len);

    (void)written;
}

static bool take_stdout(void *context, struct str bytes)
{
    (void)context;
    write_stdout(bytes);
    return true;
}

static int help(void)
{
    static const struct command row = { .noun = "serve",
                                        .verb = "",
                                        .options = settings_options,
                                        .summary = "answers requests until it is told to stop" };
    struct sink out;

    sink_init(&out, take_stdout, NULL);
    command_help(&row, &out);
    sink_flush(&out);
    return STATUS_DONE;
}

static int fail_usage(const struct buffer *error)
{
    fprintf(stderr, "jeton: serve: %.*s; see 'jeton serve --help'\n", STR_ARGS(buffer_str(error)));
    return STATUS_USAGE;
}

static int serve(struct server *server)
{
    if (open_all(server) != RC_OK) {
        fprintf(stderr, "jeton: serve: %.*s\n", STR_ARGS(buffer_str(server->error)));
        close_all(server);
        return STATUS_REFUSED;
    }
    say_ready(server);
    http_server_run(server->http);
    pthread_join(server->signal_thread, NULL);
    close_all(server);
    log_event(LOG_INFO, "stopped", LOG_TEXT("version", JETON_VERSION));
    return STATUS_DONE;
}

int serve_run(int argc, char *const *argv)
{
    static struct server server; /* one in a process, and too large for a stack */
    static struct options options;
    char error_bytes[ERROR_BYTES];
    struct buffer error = buffer_over(error_bytes, sizeof(error_bytes));

    if (options_parse(settings_options, command_common_options, argc, argv, &options, &error) !=
        RC_OK)
        return fail_usage(&error);
    if (options_has(&options, "help"))
        return help();
    if (options.argument_count > 0) {
        buffer_append_str(&error, STR("there is an argument too many"));
        return fail_usage(&error);
    }
    if (options_has(&options, "database")) {
        buffer_append_str(&error, STR("--database is not offered by this version; use --data DIR"));
        return fail_usage(&error);
    }
    if (settings_open(&options, &server.settings, &error) != RC_OK) {
        settings_close(&server.settings);
        return fail_usage(&error);
    }
    log_init(server.settings.log_level, server.settings.log_format);
    block_signals();
    server.error = &error;
    return serve(&server);
}
