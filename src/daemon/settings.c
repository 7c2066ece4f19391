#include "daemon/settings.h"

#include "daemon/config.h"

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
    buffer_append_format(out_error, "--%s must be %s", key, choices);
    return RC_INVALID;
}

/* Index of text among count texts, or count. */
static size_t choice_index(const char *const *texts, size_t count, const char *text)
{
    size_t index = 0;

    while (index < count && strcmp(texts[index], text) != 0)
        index++;
    return index;
}

static enum rc take_log(const struct options *options, const struct config_file *file,
                        struct settings *settings, struct buffer *out_error)
{
    static const char *const formats[] = {
        [LOG_FORMAT_AUTO] = "auto", [LOG_FORMAT_TEXT] = "text", [LOG_FORMAT_JSON] = "json"
    };
    static const char *const levels[] = {
        [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"
    };
    const char *format = options_find(options, "log-format");
    const char *level = options_find(options, "log-level");
    size_t format_index = file->log_format > 0 ? file->log_format - 1 : LOG_FORMAT_AUTO;
    size_t level_index = file->log_level > 0 ? file->log_level - 1 : LOG_INFO;

    if (format != NULL)
        format_index = choice_index(formats, 3, format);
    if (format_index == 3)
        return refuse_choice(out_error, "log-format", "auto, text or json");
    if (level != NULL)
        level_index = choice_index(levels, 4, level);
    if (level_index == 4)
        return refuse_choice(out_error, "log-level", "debug, info, warn or error");
    settings->log_format = (enum log_format)format_index;
    settings->log_level = (enum log_level)level_index;
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

    rc = options_number(options, name, 0, CONFIG_THREAD_COUNT_MAX, file_count, &count, out_error);
    if (rc != RC_OK)
        return rc;
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

    *settings = (struct settings){ .config_path = path };
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
        rc = take_log(options, file, settings, out_error);
    return rc == RC_OK ? check_whole(settings, out_error) : rc;
}

/* Texts of the file are the library's own copies, so where a value came from shows in its place. */
static bool is_from_file(const struct config_file *file, const char *value)
{
    if (file == NULL)
        return false;
    for (unsigned i = 0; i < file->listen_count; i++) {
        if (file->listen[i] == value)
            return true;
    }
    for (unsigned i = 0; i < file->tls_listen_count; i++) {
        if (file->tls_listen[i] == value)
            return true;
    }
    for (unsigned i = 0; i < file->trusted_proxy_count; i++) {
        if (file->trusted_proxy[i] == value)
            return true;
    }
    return file->issuer == value || file->metrics_listen == value;
}

void settings_blame(const struct settings *settings, const char *key, const char *value,
                    struct buffer *out_error)
{
    if (is_from_file(settings->file, value))
        buffer_append_format(out_error, "%s: line %lu: ", settings->config_path,
                             config_file_line(settings->config_path, key));
}

void settings_close(struct settings *settings)
{
    config_file_close(settings->file);
    settings->file = NULL;
}
