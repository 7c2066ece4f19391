#include "daemon/entrance.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "codec/uri.h"
#include "token/token_room.h"
#include "web/web.h"

static enum rc refuse(struct buffer *out_error, const char *before, const char *value,
                      const char *after)
{
    buffer_append_format(out_error, "%s%s%s", before, value, after);
    return RC_INVALID;
}

/* ---- listeners ---- */

static void add_listener(struct entrance *entrance, const char *address, bool is_tls, int tag)
{
    ASSERT(entrance->listener_count < ENTRANCE_COUNT_MAX);
    entrance->listeners[entrance->listener_count++] =
        (struct http_listener){ .address = str_of(address), .is_tls = is_tls, .tag = tag };
}

/* What the service manager hands over stands in for a missing --listen. */
static void add_inherited(struct entrance *entrance)
{
    unsigned count = http_inherited_count();

    for (unsigned i = 0; i < count && i < SETTINGS_LIST_COUNT_MAX; i++) {
        snprintf(entrance->inherited[i], sizeof(entrance->inherited[i]), "fd:%u", 3 + i);
        add_listener(entrance, entrance->inherited[i], false, WEB_LISTENER_PUBLIC);
    }
}

static bool has_tls(const struct settings *settings)
{
    return settings->tls_listen_count > 0 || settings->outside.client_listens.count > 0;
}

static void add_listeners(const struct settings *settings, struct entrance *entrance)
{
    for (size_t i = 0; i < settings->listen_count; i++)
        add_listener(entrance, settings->listen[i], false, WEB_LISTENER_PUBLIC);
    for (size_t i = 0; i < settings->tls_listen_count; i++)
        add_listener(entrance, settings->tls_listen[i], true, WEB_LISTENER_PUBLIC);
    for (size_t i = 0; i < settings->outside.client_listens.count; i++) {
        add_listener(entrance, settings->outside.client_listens.at[i], true, WEB_LISTENER_PUBLIC);
        entrance->listeners[entrance->listener_count - 1].asks_certificate = true;
    }
    if (entrance->listener_count == 0)
        add_inherited(entrance);
    if (entrance->listener_count == 0)
        add_listener(entrance, "127.0.0.1:8080", false, WEB_LISTENER_PUBLIC);
    if (settings->metrics_listen != NULL)
        add_listener(entrance, settings->metrics_listen, false, WEB_LISTENER_METRICS);
}

static enum rc parse_proxies(const struct settings *settings, struct entrance *entrance,
                             struct buffer *out_error)
{
    for (size_t i = 0; i < settings->trusted_proxy_count; i++) {
        if (http_network_parse(str_of(settings->trusted_proxy[i]), &entrance->proxies[i]) == RC_OK)
            continue;
        settings_blame(settings, "trusted-proxy", settings->trusted_proxy[i], out_error);
        return refuse(out_error, "trusted-proxy: '", settings->trusted_proxy[i],
                      "' is no network such as 10.0.0.0/8, 2001:db8::/32 or 'unix'");
    }
    return RC_OK;
}

/* The server names a bad listener by its address; its place in the file is ours to name. */
static void blame_listener(const struct entrance *entrance, const struct settings *settings,
                           struct str words, struct buffer *out_error)
{
    for (size_t i = 0; i < entrance->listener_count; i++) {
        const struct http_listener *listener = &entrance->listeners[i];
        const char *key = listener->tag == WEB_LISTENER_METRICS ? "metrics-listen"
                          : listener->asks_certificate          ? "tls-client-listen"
                          : listener->is_tls                    ? "tls-listen"
                                                                : "listen";

        if (str_starts_with(words, STR("listen ")) &&
            str_starts_with(str_from(words, strlen("listen ")), listener->address)) {
            settings_blame(settings, key, listener->address.at, out_error);
            return;
        }
    }
}

enum rc entrance_open(const struct settings *settings, const struct outside *outside,
                      struct entrance *out_entrance, struct http_config *out_config,
                      struct buffer *out_error)
{
    struct entrance *entrance = out_entrance;
    enum rc rc;

    *entrance = (struct entrance){ .listener_count = 0 };
    rc = parse_proxies(settings, entrance, out_error);
    if (rc != RC_OK)
        return rc;
    add_listeners(settings, entrance);
    *out_config = (struct http_config){
        .listeners = entrance->listeners,
        .listener_count = entrance->listener_count,
        .trusted_proxies = entrance->proxies,
        .trusted_proxy_count = settings->trusted_proxy_count,
        .tls_certificate_file = has_tls(settings) ? settings->tls_certificate : NULL,
        .tls_key_file = has_tls(settings) ? settings->tls_key : NULL,
        .client_trust = outside->trust,
        .certificate_header = str_of(outside->header),
        .loop_count = settings->loops,
        .work_thread_count = settings->work_threads,
        .hash_thread_count = settings->hash_threads,
    };
    return RC_OK;
}

void entrance_blame(const struct entrance *entrance, const struct settings *settings,
                    struct str words, struct buffer *out_error)
{
    blame_listener(entrance, settings, words, out_error);
    buffer_append_str(out_error, words);
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
static void format_address(struct entrance *entrance, unsigned port)
{
    const struct http_listener *first = &entrance->listeners[0];
    struct str host = host_of(first->address);

    if (port == 0) {
        snprintf(entrance->address, sizeof(entrance->address), "%.*s", STR_ARGS(first->address));
        return;
    }
    if (host.len == 0 || is_wildcard(host))
        host = STR("localhost");
    snprintf(entrance->address, sizeof(entrance->address), "%s://%.*s:%u",
             first->is_tls ? "https" : "http", STR_ARGS(host), port);
}

static enum rc choose_issuer(const struct settings *settings, struct entrance *entrance,
                             struct buffer *out_error)
{
    const char *chosen = settings->issuer;
    bool is_url = str_starts_with(str_of(entrance->address), STR("http"));

    if (chosen == NULL && !is_url)
        return refuse(out_error, "", "--issuer URL is needed: the first listener has no port", "");
    if (chosen == NULL && issuer_check(str_of(entrance->address)) != RC_OK)
        return refuse(out_error, "--issuer URL is needed: ", entrance->address,
                      " may not be an issuer, as it is neither https nor a loopback host");
    if (chosen != NULL && issuer_check(str_of(chosen)) != RC_OK) {
        settings_blame(settings, "issuer", chosen, out_error);
        return refuse(out_error, "issuer: '", chosen,
                      "' must be https:// (http:// only for a loopback host), with a host, without "
                      "query, fragment, user or a slash at its end"); /* RFC 8414 2 */
    }
    if (chosen != NULL && strlen(chosen) >= sizeof(entrance->issuer))
        return refuse(out_error, "issuer: ", "it is longer than 511 bytes", "");
    snprintf(entrance->issuer, sizeof(entrance->issuer), "%s",
             chosen != NULL ? chosen : entrance->address);
    return RC_OK;
}

enum rc entrance_name(const struct settings *settings, unsigned port, struct entrance *entrance,
                      struct buffer *out_error)
{
    format_address(entrance, port);
    return choose_issuer(settings, entrance, out_error);
}

enum rc entrance_check_name(const struct settings *settings, struct entrance *entrance,
                            struct buffer *out_error)
{
    struct str address = entrance->listeners[0].address;
    struct str host = host_of(address);
    uint64_t port = 0;

    if (host.len > 0 && !str_parse_u64(str_from(address, host.len + 1), 65535, &port))
        port = 0;
    if (port == 0 && !str_starts_with(address, STR("unix:")))
        port = 1; /* some port */
    return entrance_name(settings, (unsigned)port, entrance, out_error);
}

/* Tokens in clear on a network: allowed, but never silently. */
void entrance_warn(const struct entrance *entrance, const struct settings *settings)
{
    if (settings->trusted_proxy_count > 0)
        return;
    for (size_t i = 0; i < entrance->listener_count; i++) {
        struct str host = host_of(entrance->listeners[i].address);

        if (!entrance->listeners[i].is_tls && host.len > 0 && !is_loopback(host))
            log_event(LOG_WARN, "listens_in_clear",
                      LOG_STR("address", entrance->listeners[i].address),
                      LOG_TEXT("advice", "use --tls-listen, or a reverse proxy and "
                                         "--trusted-proxy"));
    }
}

void entrance_warn_of_password(const struct settings *settings)
{
    if (settings->database.has_password)
        log_event(LOG_WARN, "database_password_in_sight",
                  LOG_TEXT("where", settings_has_file_database(settings) ? settings->config_path
                                                                         : "--database"),
                  LOG_TEXT("advice", settings_has_file_database(settings)
                                         ? "this file is no place for secrets: put it into one of "
                                           "its own, database-password-file"
                                         : DATABASE_PASSWORD_ADVICE));
}
