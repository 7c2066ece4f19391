#include "daemon/settings.h"

#include "daemon/config.h"

enum { THREAD_COUNT_MAX = 1024 };

const struct option_spec settings_options[] = {
    { "config", "FILE", "a YAML file with these same names", false },
    { "listen", "HOST:PORT", "plain HTTP; 127.0.0.1:8080 if none is given", true },
    { "tls-listen", "HOST:PORT", "HTTPS; needs a certificate and its key", true },
    { "tls-certificate", "FILE", "the certificate chain, PEM", false },
    { "tls-key", "FILE", "its private key, PEM, readable by this user alone", false },
    { "metrics-listen", "HOST:PORT", "Prometheus metrics, on a listener of their own", false },
    { "issuer", "URL", "the issuer identifier; http:// and the first address if not given", false },
    { "trusted-proxy", "NETWORK", "whose forwarding headers are believed", true },
    { "log-format", "FORMAT", "auto (default: text on a terminal), text or json", false },
    { "log-level", "LEVEL", "debug, info (default), warn or error", false },
    { "work-threads", "N", "threads that may wait for the store", false },
    { "hash-threads", "N", "threads that hash passwords", false },
    { "loops", "N", "event loops", false },
    { 0 },
};

static enum rc refuse_choice(struct buffer *out_error, const char *key, const char *choices)
{
    buffer_append_format(out_error, "%s must be %s", key, choices);
    return RC_INVALID;
}

static enum rc parse_log(const char *format, const char *level, struct settings *settings,
                         struct buffer *out_error)
{
    static const char *const formats[] = {
        [LOG_FORMAT_AUTO] = "auto", [LOG_FORMAT_TEXT] = "text", [LOG_FORMAT_JSON] = "json"
    };
    static const char *const levels[] = {
        [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"
    };
    size_t index;

    settings->log_format = LOG_FORMAT_AUTO;
    settings->log_level = LOG_INFO;
    if (format != NULL) {
        for (index = 0; index < 3 && strcmp(formats[index], format) != 0;)
            index++;
        if (index == 3)
            return refuse_choice(out_error, "log-format", "auto, text or json");
        settings->log_format = (enum log_format)index;
    }
    if (level != NULL) {
        for (index = 0; index < 4 && strcmp(levels[index], level) != 0;)
            index++;
        if (index == 4)
            return refuse_choice(out_error, "log-level", "debug, info, warn or error");
        settings->log_level = (enum log_level)index;
    }
    return RC_OK;
}

/* An option's occurrences, or else the file's list. */
static enum rc take_list(const struct options *options, const char *name, char *const *file_list,
                         unsigned file_count, const char **out_list, size_t *out_count,
                         struct buffer *out_error)
{
    const char *text;
    size_t count = 0;

    while ((text = options_find_nth(options, name, count)) != NULL) {
        if (count == SETTINGS_LIST_COUNT_MAX) {
            buffer_append_format(out_error, "there is at most %d of --%s", SETTINGS_LIST_COUNT_MAX,
                                 name);
            return RC_INVALID;
        }
        out_list[count++] = text;
    }
    for (; count == 0 && *out_count < file_count; (*out_count)++)
        out_list[*out_count] = file_list[*out_count];
    if (count > 0)
        *out_count = count;
    return RC_OK;
}

static enum rc take_lists(const struct options *options, const struct config_file *file,
                          struct settings *settings, struct buffer *out_error)
{
    enum rc rc;

    rc = take_list(options, "listen", file->listen, file->listen_count, settings->listen,
                   &settings->listen_count, out_error);
    if (rc == RC_OK)
        rc = take_list(options, "tls-listen", file->tls_listen, file->tls_listen_count,
                       settings->tls_listen, &settings->tls_listen_count, out_error);
    if (rc == RC_OK)
        rc = take_list(options, "trusted-proxy", file->trusted_proxy, file->trusted_proxy_count,
                       settings->trusted_proxy, &settings->trusted_proxy_count, out_error);
    return rc;
}

static const char *take_text(const struct options *options, const char *name, const char *file_text)
{
    const char *text = options_find(options, name);

    return text != NULL ? text : file_text;
}

static enum rc take_count(const struct options *options, const char *name, unsigned file_count,
                          unsigned *out_count, struct buffer *out_error)
{
    uint64_t count;
    enum rc rc;

    rc = options_number(options, name, 1, THREAD_COUNT_MAX, file_count, &count, out_error);
    if (rc != RC_OK)
        return rc;
    if (count > THREAD_COUNT_MAX) {
        buffer_append_format(out_error, "%s must be a number from 1 to %d", name, THREAD_COUNT_MAX);
        return RC_INVALID;
    }
    *out_count = (unsigned)count;
    return RC_OK;
}

static enum rc take_counts(const struct options *options, const struct config_file *file,
                           struct settings *settings, struct buffer *out_error)
{
    enum rc rc;

    rc =
        take_count(options, "work-threads", file->work_threads, &settings->work_threads, out_error);
    if (rc == RC_OK)
        rc = take_count(options, "hash-threads", file->hash_threads, &settings->hash_threads,
                        out_error);
    if (rc == RC_OK)
        rc = take_count(options, "loops", file->loops, &settings->loops, out_error);
    return rc;
}

static enum rc check_whole(const struct settings *settings, struct buffer *out_error)
{
    if (settings->data == NULL) {
        buffer_append_str(out_error, STR("--data DIR is needed"));
        return RC_INVALID;
    }
    if (settings->tls_listen_count > 0 &&
        (settings->tls_certificate == NULL || settings->tls_key == NULL)) {
        buffer_append_str(out_error, STR("tls-listen needs tls-certificate and tls-key"));
        return RC_INVALID;
    }
    return RC_OK;
}

enum rc settings_open(const struct options *options, struct settings *out_settings,
                      struct buffer *out_error)
{
    static const struct config_file nothing;
    struct settings *settings = out_settings;
    const char *path = options_find(options, "config");
    const struct config_file *file;
    enum rc rc = RC_OK;

    *settings = (struct settings){ 0 };
    if (path != NULL)
        rc = config_file_open(path, &settings->file, out_error);
    if (rc != RC_OK)
        return rc;
    file = settings->file != NULL ? settings->file : &nothing;
    settings->data = take_text(options, "data", file->data);
    settings->tls_certificate = take_text(options, "tls-certificate", file->tls_certificate);
    settings->tls_key = take_text(options, "tls-key", file->tls_key);
    settings->metrics_listen = take_text(options, "metrics-listen", file->metrics_listen);
    settings->issuer = take_text(options, "issuer", file->issuer);
    settings->master_key_file = take_text(options, "master-key-file", file->master_key_file);
    rc = take_lists(options, file, settings, out_error);
    if (rc == RC_OK)
        rc = take_counts(options, file, settings, out_error);
    if (rc == RC_OK)
        rc = parse_log(take_text(options, "log-format", file->log_format),
                       take_text(options, "log-level", file->log_level), settings, out_error);
    return rc == RC_OK ? check_whole(settings, out_error) : rc;
}

void settings_close(struct settings *settings)
{
    config_file_close(settings->file);
    settings->file = NULL;
}
