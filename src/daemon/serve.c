#include "daemon/serve.h"

#include <malloc.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/audit_sealer.h"
#include "daemon/check.h"
#include "daemon/confine.h"
#include "daemon/control.h"
#include "daemon/database_watch.h"
#include "daemon/entrance.h"
#include "daemon/logout_sender.h"
#include "daemon/mailer.h"
#include "daemon/process.h"
#include "daemon/restart.h"
#include "daemon/settings.h"
#include "fetch/launcher.h"
#include "http/http.h"
#include "oauth/proof.h"
#include "store/shared.h"
#include "web/web.h"

enum { ERROR_BYTES = 512 };

/* Everything that a running server has, in the order in which it is opened. */
struct server {
    struct settings settings;
    struct house house;
    struct database_watch *database_watch; /* NULL: not shared */
    struct entrance entrance;
    struct http_server *http;
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
    struct audit_sealer *audit_sealer;
    struct control_server *control;
    pthread_t signal_thread;
    bool has_signal_thread;
    bool is_open; /* what the signal thread may begin with; written before `begin` */
    sem_t begin;  /* it may take signals, or, when it restarts, run the next program */
    sem_t told;   /* it has taken the last one */
    struct restart restart;
    char listeners[RESTART_LISTENERS_BYTES]; /* for the next program */
    bool restarts; /* told to: the signal thread writes it before `told` */
    struct buffer *error;
};

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

static enum rc open_http(struct server *server)
{
    struct http_config config;
    char bytes[ERROR_BYTES];
    struct buffer words = buffer_over(bytes, sizeof(bytes));
    enum rc rc = entrance_open(&server->settings, &server->outside, &server->entrance, &config,
                               server->error);

    if (rc != RC_OK)
        return rc;
    config.serve = serve_exchange;
    config.done = done_exchange;
    config.context = server;
    rc = http_server_open(&config, &server->http, &words);
    if (rc != RC_OK)
        entrance_blame(&server->entrance, &server->settings, buffer_str(&words), server->error);
    return rc;
}

/* ---- signals ---- */

static void set_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR2);
}

/* Before the certificate: a fresh TLS context takes the authorities that count then. */
static void reload_client_ca(struct server *server)
{
    struct str file = server->settings.outside.client_ca;
    char bytes[ERROR_BYTES];
    struct buffer error = buffer_over(bytes, sizeof(bytes));

    if (server->outside.trust == NULL)
        return;
    if (certificate_trust_reload(server->outside.trust, &error) == RC_OK)
        log_event(LOG_INFO, "client_ca_reloaded", LOG_STR("file", file));
    else
        log_event(LOG_ERROR, "client_ca_kept", LOG_STR("why", buffer_str(&error)));
}

static void reload_tls(struct server *server)
{
    char bytes[ERROR_BYTES];
    struct buffer error = buffer_over(bytes, sizeof(bytes));

    reload_client_ca(server);
    if (server->settings.tls_listen_count + server->settings.outside.client_listens.count == 0)
        return;
    if (http_server_reload_tls(server->http, &error) == RC_OK)
        log_event(LOG_INFO, "certificate_reloaded",
                  LOG_TEXT("file", server->settings.tls_certificate));
    else
        log_event(LOG_ERROR, "certificate_kept", LOG_STR("why", buffer_str(&error)));
}

/* Who sends requests here finds out by /readyz, and gets answers meanwhile. */
static void await_drain_delay(struct server *server)
{
    int64_t until_ms = clock_monotonic_ms() + server->settings.drain_delay_s * 1000;
    sigset_t set;
    int64_t left_ms;

    set_signals(&set);
    while ((left_ms = until_ms - clock_monotonic_ms()) > 0) {
        const struct timespec left = { .tv_sec = left_ms / 1000,
                                       .tv_nsec = left_ms % 1000 * 1000000 };
        int number = sigtimedwait(&set, NULL, &left);

        if (number == SIGHUP)
            reload_tls(server);
        if (number == SIGTERM || number == SIGINT)
            return; /* told again: at once */
    }
}

static void stop_senders(struct server *server)
{
    if (server->mailer != NULL)
        mailer_begin_stop(server->mailer);
    logout_sender_begin_stop(server->logout_sender);
}

static void stop(struct server *server, int number)
{
    log_event(LOG_INFO, "stopping", LOG_INT("signal", number),
              LOG_INT("drain_delay", server->settings.drain_delay_s));
    process_notify("STOPPING=1");
    web_begin_drain(server->web);
    await_drain_delay(server);
    stop_senders(server);
    http_server_stop(server->http);
}

/* False: the program at our path would not start, and so this one goes on. */
static bool begin_restart(struct server *server)
{
    const char *program = server->restart.program;
    char bytes[ERROR_BYTES];
    struct buffer why = buffer_over(bytes, sizeof(bytes));

    if (restart_check(&server->restart, &why) != RC_OK) {
        log_event(LOG_ERROR, "restart_refused", LOG_TEXT("program", program),
                  LOG_STR("why", buffer_str(&why)));
        return false;
    }
    log_event(LOG_INFO, "restarting", LOG_TEXT("program", program));
    process_notify_reloading();
    server->restarts = true;
    stop_senders(server);
    http_server_hand_over(server->http);
    return true;
}

static void await(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0)
        continue;
}

/* Until it is told to end, in one way or the other. */
static void take_signals(struct server *server)
{
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
        if (number != SIGUSR2) {
            stop(server, number);
            return;
        }
        if (begin_restart(server))
            return;
    }
}

/* The one thread that may run another program: see decision 0016. */
static void *signal_main(void *context)
{
    struct server *server = context;

    confine_signal_thread(&server->settings);
    await(&server->begin);
    if (!server->is_open)
        return NULL;
    take_signals(server);
    sem_post(&server->told);
    if (!server->restarts)
        return NULL;
    await(&server->begin); /* for all that stood open to be closed */
    restart_run(&server->restart, server->listeners);
    return NULL;
}

/* Before the cage, which it stays out of, and before anything that it serves is open. */
static bool start_signal_thread(struct server *server)
{
    sem_init(&server->begin, 0, 0);
    sem_init(&server->told, 0, 0);
    server->has_signal_thread =
        pthread_create(&server->signal_thread, NULL, signal_main, server) == 0;
    return server->has_signal_thread;
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
    const struct settings *settings = &server->settings;
    const struct house_config config = {
        .data = settings->data,
        .database = settings->database_settings.uri.len > 0 ? &settings->database : NULL,
        .master_key_file = settings->master_key_file,
        .reader_count = database_reader_count(&settings->database_settings),
        .is_server = true,
    };
    sigset_t stop_signals;
    enum rc rc;

    sigemptyset(&stop_signals);
    sigaddset(&stop_signals, SIGTERM);
    sigaddset(&stop_signals, SIGINT);
    rc = database_await_house(&config, &stop_signals, &server->house, server->error);
    if (rc == RC_OK)
        rc = database_watch_start(server->house.store, settings->database.place,
                                  &server->database_watch);
    if (rc == RC_OK)
        throttle_set_lockout(server->house.throttle, server->settings.lockout);
    if (rc == RC_OK && server->house.master_key_was_made)
        log_event(LOG_WARN, "master_key_made", LOG_TEXT("data", settings->data),
                  LOG_TEXT("advice", "master.key in the data folder opens all that is sealed in "
                                     "the store, and every other server of the store needs it: "
                                     "keep a copy of it elsewhere"));
    return rc;
}

/* A rolling upgrade, or a step back to an older program. */
static void say_schema(const struct server *server)
{
    struct store_schema_view schema;

    store_view_schema(server->house.store, &schema);
    if (schema.version > schema.known_version)
        log_event(LOG_INFO, "schema_is_newer", LOG_INT("schema", schema.version),
                  LOG_INT("known", schema.known_version));
}

/* Told at every start: what was ended in between is to be looked at. */
static void say_restored(const struct server *server)
{
    struct store_restored restored = store_restored(server->house.store);

    if (restored.at != 0)
        log_event(LOG_WARN, "store_was_restored", LOG_INT("taken_at", restored.taken_at),
                  LOG_INT("restored_at", restored.at));
}

static enum rc open_mailer(struct server *server)
{
    const struct mail_settings *settings = &server->settings.mail;

    server->outbox = (struct outbox){ .store = server->house.store,
                                      .master_key = server->house.master_key.bytes };
    if (settings->smtp_url.at == NULL)
        return RC_OK;
    mail_route_init(settings, str_of(server->entrance.issuer), &server->mail_route);
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
    rc = house_open_room(&server->house, str_of(server->entrance.issuer),
                         (size_t)server->settings.token_memory_mib << 20);
    if (rc != RC_OK)
        return fault(server, rc, "the keys and tokens cannot be read");
    rc = proof_book_new(server->house.master_key.bytes,
                        server->settings.dpop_nonce == DPOP_NONCE_REQUIRED,
                        store_restored(server->house.store).at, &server->proofs);
    if (rc != RC_OK)
        return fault(server, rc, "the keys of nonces");
    server->oauth = (struct oauth){ .store = server->house.store,
                                    .catalog = server->house.catalog,
                                    .tokens = server->house.room,
                                    .secrets = &server->house.checker,
                                    .door = &server->house.door,
                                    .issuer = str_of(server->entrance.issuer),
                                    .root = oauth_root_of(str_of(server->entrance.issuer)),
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
    rc = entrance_name(&server->settings, http_server_port(server->http, 0), &server->entrance,
                       server->error);
    if (rc == RC_OK)
        rc = open_mailer(server);
    if (rc == RC_OK)
        rc = open_web(server);
    if (rc == RC_OK &&
        ((server->mailer != NULL && mailer_start(server->mailer, &server->letters) != RC_OK) ||
         logout_sender_start(server->logout_sender) != RC_OK))
        return fault(server, RC_SYSTEM, "a thread");
    if (rc == RC_OK)
        rc = audit_sealer_start(server->house.store, &server->settings.audit,
                                server->house.master_key.bytes, &server->audit_sealer);
    if (rc == RC_OK && server->settings.data != NULL)
        rc = control_server_open(server->settings.data, &server->house, &server->control,
                                 server->error);
    if (rc != RC_OK)
        return rc;
    process_lock_memory();
    return RC_OK;
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
    audit_sealer_stop(server->audit_sealer); /* behind all that writes events */
    database_watch_stop(server->database_watch);
    if (server->house.store != NULL)
        house_close(&server->house);
    settings_close(&server->settings);
}

static void say_ready(const struct server *server)
{
    char line[ENTRANCE_TEXT_BYTES + 16];
    int len = snprintf(line, sizeof(line), "ready %s\n", server->entrance.address);
    ssize_t written;

    say_schema(server);
    say_restored(server);
    confine_say(&server->settings);
    entrance_warn(&server->entrance, &server->settings);
    log_event(
        LOG_INFO, "started", LOG_TEXT("version", JETON_VERSION),
        LOG_TEXT("issuer", server->entrance.issuer),
        LOG_STR("data", server->settings.data != NULL ? str_of(server->settings.data) : STR("")),
        LOG_TEXT("database", server->settings.database.place));
    written = write(STDERR_FILENO, line, (size_t)len);
    (void)written; /* nowhere to say so */
    process_notify("READY=1");
    (void)malloc_trim(0); /* what starting took and gave back: a megabyte and a half */
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

static int check(struct settings *settings, struct buffer *error)
{
    enum rc rc = check_settings(settings, error);

    settings_close(settings);
    if (rc == RC_OK) {
        write_stdout(STR("the server would start so\n"));
        return STATUS_DONE;
    }
    if (error->len == 0)
        buffer_append_str(error, str_of(rc_words(rc)));
    fprintf(stderr, "jeton: serve: %.*s\n", STR_ARGS(buffer_str(error)));
    return STATUS_REFUSED;
}

/* Comes back only when nothing could be started in this one's place. */
static int restart(struct server *server)
{
    struct buffer text = buffer_over(server->listeners, sizeof(server->listeners) - 1);
    /* Without them the next program opens its own: better late than never. */
    enum rc rc = http_server_leave_listeners(server->http, &text);

    close_all(server);
    launcher_close();
    if (rc != RC_OK)
        log_event(LOG_ERROR, "listeners_lost", LOG_TEXT("why", rc_words(rc)));
    sem_post(&server->begin);
    pthread_join(server->signal_thread, NULL);
    log_event(LOG_ERROR, "stopped", LOG_TEXT("version", JETON_VERSION),
              LOG_TEXT("why", "no program could be run"));
    return STATUS_REFUSED;
}

static enum rc open_caged(struct server *server)
{
    enum rc rc;

    if (!start_signal_thread(server))
        return fault(server, RC_SYSTEM, "a thread");
    rc = confine_server(&server->settings, server->error);
    return rc == RC_OK ? open_all(server) : rc;
}

static int serve(struct server *server)
{
    enum rc rc = open_caged(server);

    server->is_open = rc == RC_OK;
    if (server->has_signal_thread)
        sem_post(&server->begin);
    if (rc != RC_OK) {
        if (rc != RC_SPENT) /* told to stop before it could begin */
            fprintf(stderr, "jeton: serve: %.*s\n", STR_ARGS(buffer_str(server->error)));
        if (server->has_signal_thread)
            pthread_join(server->signal_thread, NULL);
        close_all(server);
        return rc == RC_SPENT ? STATUS_DONE : STATUS_REFUSED;
    }
    say_ready(server);
    http_server_run(server->http);
    await(&server->told);
    if (server->restarts)
        return restart(server);
    pthread_join(server->signal_thread, NULL);
    close_all(server);
    log_event(LOG_INFO, "stopped", LOG_TEXT("version", JETON_VERSION));
    return STATUS_DONE;
}

int serve_run(int argc, char *const *argv)
{
    enum { OPTIONS_AT = 2 };     /* behind "jeton serve" */
    static struct server server; /* one in a process, and too large for a stack */
    static struct options options;
    char error_bytes[ERROR_BYTES];
    struct buffer error = buffer_over(error_bytes, sizeof(error_bytes));

    if (options_parse(settings_options, command_common_options, argc - OPTIONS_AT,
                      argv + OPTIONS_AT, &options, &error) != RC_OK)
        return fail_usage(&error);
    if (options_has(&options, "help"))
        return help();
    if (options.argument_count > 0) {
        buffer_append_str(&error, STR("there is an argument too many"));
        return fail_usage(&error);
    }
    if (!options_has(&options, "check"))
        confine_launcher();
    if (settings_open(&options, &server.settings, &error) != RC_OK) {
        settings_close(&server.settings);
        return fail_usage(&error);
    }
    log_init(server.settings.log_level, server.settings.log_format);
    if (options_has(&options, "check"))
        return check(&server.settings, &error);
    entrance_warn_of_password(&server.settings);
    block_signals();
    server.error = &error;
    restart_init(argc, argv, &server.restart);
    return serve(&server);
}
