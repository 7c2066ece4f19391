#include "daemon/settings.h"

#include <stddef.h>
#include <stdio.h>

#include "daemon/config.h"

#define LOCKOUT_MODES      "throttle|timed|disable"
#define DPOP_NONCE_MODES   "offered|required"
#define SANDBOX_MODES      "on|off|required"
#define REGISTRATION_MODES "off|token|open"
#define AUDIT_LOGS         "none|log|syslog"
enum {
    LOCKOUT_DURATION_S = 1800,
    PERMANENT_DAY_COUNT_MAX = 36500,
    AUDIT_DAY_COUNT_MAX = 36500,
    DRAIN_DELAY_S_MAX = 3600,
    TOKEN_MEMORY_MIB_MAX = 1024 * 1024,
    CLIENT_REGISTRATION_COUNT_MAX = 1000000 /* each is in memory, as all clients are */
};

#define WORD_OF(standard) WORD_OF_##standard
#define WORD_OF_true      "on"
#define WORD_OF_false     "off"

const struct option_spec settings_options[] = {
    { "config", "FILE", "a YAML file with these same names", false },
    { "listen", "HOST:PORT", "plain HTTP; 127.0.0.1:8080 if none is given", true },
    { "tls-listen", "HOST:PORT", "HTTPS; needs a certificate and its key", true },
    { "tls-certificate", "FILE", "the certificate chain, PEM", false },
    { "tls-key", "FILE", "its private key, PEM, readable by this user alone", false },
    { "database-connections", "N", "to the database, from this process (default: 10)", false },
    { "metrics-listen", "HOST:PORT", "Prometheus metrics, on a listener of their own", false },
    { "issuer", "URL", "the issuer identifier; http:// and the first address if not given", false },
    { "trusted-proxy", "NETWORK", "whose forwarding headers are believed", true },
    { "drain-delay", "SECONDS", "after SIGTERM: serves on, while /readyz says no (default: 0)",
      false },
    { "log-format", "FORMAT", "auto (default: text on a terminal), text or json", false },
    { "log-level", "LEVEL", "debug, info (default), warn or error", false },
    { "work-threads", "N", "threads that may wait for the store", false },
    { "hash-threads", "N", "threads that hash passwords", false },
    { "loops", "N", "event loops", false },
    { "token-memory", "MIB", "for tokens that are answered about from memory (default: 1024)",
      false },
    { "lockout-mode", LOCKOUT_MODES, "what five failures in a row lead to (default: throttle)",
      false },
    { "lockout-duration", "SECONDS", "how long a timed lock lasts (default: 1800)", false },
    { "permanent-lifetime-max", "DAYS", "how long permanent tokens may live (default: 0, no limit)",
      false },
    { "audit-log", AUDIT_LOGS, "where audit events go besides the store (default: none)", false },
    { "audit-retention", "DAYS", "how long audit events are kept (default: 0, for ever)", false },
    { "dpop-nonce", DPOP_NONCE_MODES, "whether DPoP proofs need a nonce of ours (default: offered)",
      false },
    { "sandbox", SANDBOX_MODES, "what the server keeps itself from (default: on)", false },
    { "tls-client-listen", "HOST:PORT", "HTTPS that asks clients for a certificate (RFC 8705)",
      true },
    { "tls-client-ca", "FILE", "whose certificates clients may authenticate with, PEM", false },
    { "tls-client-certificate-header", "NAME",
      "of trusted proxies, with their client's certificate", false },
    { "fetch-network", "NETWORK", "a private one that clients' documents may be fetched from",
      true },
    { "fetch-ca-file", "FILE", "certificates to trust for that beside the system's, PEM", false },
    { "client-registration", REGISTRATION_MODES,
      "whether programs may register themselves as clients (default: off)", false },
    { "client-registration-max", "N", "how many such clients there may be (default: 10000)",
      false },
    { "client-registration-service", "SERVICE", "one that such clients may be for", true },
    { "client-id-documents", "on|off",
      "a client's id may be the URL of its metadata (default: off)", false },
    { "client-document-host", "HOST", "of such URLs; '*' for any", true },
    { "smtp-url", "URL", "smtp://HOST:PORT or smtps://HOST, which takes our mail", false },
    { "smtp-password-file", "FILE", "two lines, user and password, for that server", false },
    { "smtp-ca-file", "FILE", "certificates to trust there instead of the system's, PEM", false },
    { "mail-from", "SENDER", "who sends: ADDRESS or 'NAME <ADDRESS>'", false },
    { "registration", "on|off", "people may make accounts for themselves (default: off)", false },
    { "brand-name", "NAME", "what pages and mails call this server (default: Jeton)", false },
    { "brand-logo", "FILE", "a picture beside that name: SVG, PNG, JPEG, WebP or GIF", false },
    { "brand-color", "#RRGGBB", "of links and main buttons", false },
    { "brand-color-dark", "#RRGGBB", "the same where dark pages are preferred", false },
    { "registration-domain", "DOMAIN", "of their mail addresses; all if none is given", true },
#define HEADING(words) { "", NULL, words, false },
#define SWITCH(member, name, standard, words)                                                      \
    { name, "on|off", (standard) ? words " (default: on)" : words " (default: off)", false },
#define NUMBER(member, name, standard, min, max, unit, words)                                      \
    { name, unit, words " (default: " #standard ")", false },
#define TEXT(member, name, standard, argument, words) { name, argument, words, false },
#define TEXTS(member, name, argument, words)          { name, argument, words, true },
#define CHOICE(member, name, standard, choices, words)                                             \
    { name, choices, (standard) == 0 ? words " (default: the first)" : words, false },
#include "dialect/settings.def"
    { "check", NULL, "only says whether the server would start so", false },
    { "", NULL, "As for every command", false },
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

/* ---- settings whose text is the same in the file and on the command line ---- */

enum row_kind { ROW_SWITCH, ROW_NUMBER, ROW_TEXT, ROW_TEXTS, ROW_CHOICE };

/* Where a setting is in struct settings and in struct config_file, and what it may be. */
struct row {
    const char *name;
    enum row_kind kind;
    size_t offset;
    size_t file_offset;
    size_t file_count_offset; /* ROW_TEXTS */
    int64_t min, max;         /* ROW_NUMBER */
    const char *choices;      /* ROW_CHOICE */
};

#define AT(member)      offsetof(struct settings, member)
#define IN_FILE(member) offsetof(struct config_file, member)

static const struct row rows[] = {
    { "lockout-mode", ROW_CHOICE, AT(lockout.mode), IN_FILE(lockout_mode),
      .choices = LOCKOUT_MODES },
    { "lockout-duration", ROW_NUMBER, AT(lockout.duration_s), IN_FILE(lockout_duration), .min = 1,
      .max = THROTTLE_LOCK_S_MAX },
    { "permanent-lifetime-max", ROW_NUMBER, AT(permanent_days_max), IN_FILE(permanent_lifetime_max),
      .min = 0, .max = PERMANENT_DAY_COUNT_MAX },
    { "token-memory", ROW_NUMBER, AT(token_memory_mib), IN_FILE(token_memory), .min = 1,
      .max = TOKEN_MEMORY_MIB_MAX },
    { "drain-delay", ROW_NUMBER, AT(drain_delay_s), IN_FILE(drain_delay), .min = 0,
      .max = DRAIN_DELAY_S_MAX },
    { "audit-log", ROW_CHOICE, AT(audit.log), IN_FILE(audit_log), .choices = AUDIT_LOGS },
    { "audit-retention", ROW_NUMBER, AT(audit.retention_days), IN_FILE(audit_retention), .min = 0,
      .max = AUDIT_DAY_COUNT_MAX },
    { .name = "database", .kind = ROW_TEXT, AT(database_settings.uri), IN_FILE(database) },
    { .name = "database-password-file",
      .kind = ROW_TEXT,
      AT(database_settings.password_file),
      IN_FILE(database_password_file) },
    { "database-connections", ROW_NUMBER, AT(database_settings.connection_count),
      IN_FILE(database_connections), .min = DATABASE_CONNECTION_COUNT_MIN,
      .max = DATABASE_CONNECTION_COUNT_MAX },
    { "dpop-nonce", ROW_CHOICE, AT(dpop_nonce), IN_FILE(dpop_nonce), .choices = DPOP_NONCE_MODES },
    { "sandbox", ROW_CHOICE, AT(sandbox), IN_FILE(sandbox), .choices = SANDBOX_MODES },
    { .name = "tls-client-listen",
      .kind = ROW_TEXTS,
      AT(outside.client_listens),
      IN_FILE(tls_client_listen),
      IN_FILE(tls_client_listen_count) },
    { .name = "tls-client-ca", .kind = ROW_TEXT, AT(outside.client_ca), IN_FILE(tls_client_ca) },
    { .name = "tls-client-certificate-header",
      .kind = ROW_TEXT,
      AT(outside.certificate_header),
      IN_FILE(tls_client_certificate_header) },
    { .name = "fetch-network",
      .kind = ROW_TEXTS,
      AT(outside.networks),
      IN_FILE(fetch_network),
      IN_FILE(fetch_network_count) },
    { .name = "fetch-ca-file", .kind = ROW_TEXT, AT(outside.fetch_ca), IN_FILE(fetch_ca_file) },
    { "client-registration", ROW_CHOICE, AT(newcomers.registration), IN_FILE(client_registration),
      .choices = REGISTRATION_MODES },
    { "client-registration-max", ROW_NUMBER, AT(newcomers.count_max),
      IN_FILE(client_registration_max), .min = 1, .max = CLIENT_REGISTRATION_COUNT_MAX },
    { .name = "client-registration-service",
      .kind = ROW_TEXTS,
      AT(newcomers.services),
      IN_FILE(client_registration_service),
      IN_FILE(client_registration_service_count) },
    { .name = "client-id-documents",
      .kind = ROW_SWITCH,
      AT(newcomers.takes_documents),
      IN_FILE(client_id_documents) },
    { .name = "client-document-host",
      .kind = ROW_TEXTS,
      AT(newcomers.hosts),
      IN_FILE(client_document_host),
      IN_FILE(client_document_host_count) },
    { .name = "smtp-url", .kind = ROW_TEXT, AT(mail.smtp_url), IN_FILE(smtp_url) },
    { .name = "smtp-password-file",
      .kind = ROW_TEXT,
      AT(mail.smtp_password_file),
      IN_FILE(smtp_password_file) },
    { .name = "smtp-ca-file", .kind = ROW_TEXT, AT(mail.smtp_ca_file), IN_FILE(smtp_ca_file) },
    { .name = "mail-from", .kind = ROW_TEXT, AT(mail.mail_from), IN_FILE(mail_from) },
    { .name = "registration", .kind = ROW_SWITCH, AT(registration.is_on), IN_FILE(registration) },
    { .name = "registration-domain",
      .kind = ROW_TEXTS,
      AT(registration.domains),
      IN_FILE(registration_domain),
      IN_FILE(registration_domain_count) },
    { .name = "brand-name", .kind = ROW_TEXT, AT(brand_settings.name), IN_FILE(brand_name) },
    { .name = "brand-logo", .kind = ROW_TEXT, AT(brand_settings.logo), IN_FILE(brand_logo) },
    { .name = "brand-color", .kind = ROW_TEXT, AT(brand_settings.color), IN_FILE(brand_color) },
    { .name = "brand-color-dark",
      .kind = ROW_TEXT,
      AT(brand_settings.color_dark),
      IN_FILE(brand_color_dark) },
#define SWITCH(member, row_name, standard, words)                                                  \
    { .name = row_name, .kind = ROW_SWITCH, AT(dialects.member), IN_FILE(member) },
#define NUMBER(member, row_name, standard, least, most, unit, words)                               \
    { row_name, ROW_NUMBER, AT(dialects.member), IN_FILE(member), .min = (least), .max = (most) },
#define TEXT(member, row_name, standard, argument, words)                                          \
    { .name = row_name, .kind = ROW_TEXT, AT(dialects.member), IN_FILE(member) },
#define TEXTS(member, row_name, argument, words)                                                   \
    { .name = row_name,                                                                            \
      .kind = ROW_TEXTS,                                                                           \
      AT(dialects.member),                                                                         \
      IN_FILE(member),                                                                             \
      IN_FILE(member##_count) },
#define CHOICE(member, row_name, standard, words_of, words)                                        \
    { row_name, ROW_CHOICE, AT(dialects.member), IN_FILE(member), .choices = (words_of) },
#include "dialect/settings.def"
};

_Static_assert(sizeof(enum lockout_mode) == sizeof(unsigned), "a choice is an unsigned");
_Static_assert((int)SETTINGS_LIST_COUNT_MAX == (int)DIALECT_LIST_COUNT_MAX, "the same limit");

/* Begins an error: where the setting stands. */
static void blame(const struct settings *settings, const struct options *options, const char *name,
                  struct buffer *out_error)
{
    if (options_has(options, name) || settings->config_path == NULL)
        buffer_append_str(out_error, STR("--"));
    else
        buffer_append_format(out_error, "%s: line %lu: ", settings->config_path,
                             config_file_line(settings->config_path, name));
}

static bool parse_switch(struct str text, bool *out_is_on)
{
    bool is_on = str_equal(text, STR("on")) || str_equal(text, STR("true"));

    if (!is_on && !str_equal(text, STR("off")) && !str_equal(text, STR("false")))
        return false;
    *out_is_on = is_on;
    return true;
}

static bool parse_number(const struct row *row, struct str text, int64_t *out_number)
{
    uint64_t number;

    if (!str_parse_u64(text, (uint64_t)row->max, &number) || number < (uint64_t)row->min)
        return false;
    *out_number = (int64_t)number;
    return true;
}

/* The index of a word among those of "a|b|c". */
static bool parse_choice(const char *choices, struct str text, unsigned *out_index)
{
    struct str rest = str_of(choices);

    for (unsigned index = 0; rest.len > 0; index++) {
        size_t end = str_index_of(rest, '|');

        if (str_equal((struct str){ rest.at, end }, text)) {
            *out_index = index;
            return true;
        }
        rest = str_from(rest, end < rest.len ? end + 1 : end);
    }
    return false;
}

static void append_wish(const struct row *row, struct buffer *to)
{
    buffer_append_format(to, "%s must be ", row->name);
    if (row->kind == ROW_SWITCH)
        buffer_append_str(to, STR("on or off"));
    else if (row->kind == ROW_NUMBER)
        buffer_append_format(to, "a number from %lld to %lld", (long long)row->min,
                             (long long)row->max);
    else
        buffer_append_format(to, "one of %s", row->choices);
}

static bool parse_one(const struct row *row, struct str text, char *place)
{
    switch (row->kind) {
    case ROW_SWITCH:
        return parse_switch(text, (void *)place);
    case ROW_NUMBER:
        return parse_number(row, text, (void *)place);
    case ROW_CHOICE:
        return parse_choice(row->choices, text, (void *)place);
    case ROW_TEXT:
    case ROW_TEXTS:
        break;
    }
    memcpy(place, &text, sizeof(text));
    return true;
}

static enum rc take_row(const struct row *row, const struct options *options,
                        const struct config_file *file, struct settings *settings,
                        struct buffer *out_error)
{
    const char *from = (const char *)file;
    char *place = (char *)settings + row->offset;
    const char *text;

    if (row->kind == ROW_TEXTS) {
        struct dialect_texts *texts = (void *)place;
        unsigned count;
        char *const *list;

        memcpy(&count, from + row->file_count_offset, sizeof(count));
        memcpy(&list, from + row->file_offset, sizeof(list));
        return take_list(options, row->name, list, count, texts->at, &texts->count, out_error);
    }
    memcpy(&text, from + row->file_offset, sizeof(text));
    text = take_text(options, row->name, text);
    if (text == NULL || parse_one(row, str_of(text), place))
        return RC_OK;
    blame(settings, options, row->name, out_error);
    append_wish(row, out_error);
    return RC_INVALID;
}

/* An address there has to be one that mail can be sent to. */
static enum rc registration_check(const struct settings *settings, struct buffer *out_error)
{
    const struct dialect_texts *domains = &settings->registration.domains;
    char address[ACCOUNT_EMAIL_BYTES_MAX + 3];

    if (settings->registration.is_on && settings->mail.smtp_url.at == NULL) {
        buffer_append_str(out_error, STR("registration needs smtp-url"));
        return RC_INVALID;
    }
    for (size_t i = 0; i < domains->count; i++) {
        snprintf(address, sizeof(address), "a@%s", domains->at[i]);
        if (mail_address_check(str_of(address)) != RC_OK) {
            buffer_append_str(out_error, STR("registration-domain must be such as example.org"));
            return RC_INVALID;
        }
    }
    return RC_OK;
}

/* What the room that a group of settings is for finds wrong begins with a setting's name. */
static enum rc check_groups(struct settings *settings, const struct options *options,
                            struct buffer *out_error)
{
    char memory[512];
    char name[64];
    struct buffer words = buffer_over(memory, sizeof(memory));
    enum rc rc = database_settings_open(&settings->database_settings, &settings->database, &words);

    if (rc == RC_OK)
        rc = dialect_settings_check(&settings->dialects, &words);
    if (rc == RC_OK)
        rc = mail_settings_check(&settings->mail, &words);
    if (rc == RC_OK)
        rc = registration_check(settings, &words);
    if (rc == RC_OK)
        rc = newcomers_settings_check(&settings->newcomers, &words);
    if (rc == RC_OK)
        rc = brand_open(&settings->brand_settings, &settings->brand, &words);
    if (rc == RC_OK)
        return RC_OK;
    snprintf(name, sizeof(name), "%.*s", (int)str_index_of(buffer_str(&words), ' '), memory);
    blame(settings, options, name, out_error);
    buffer_append_str(out_error, buffer_str(&words));
    return rc;
}

static enum rc take_rows(const struct options *options, const struct config_file *file,
                         struct settings *settings, struct buffer *out_error)
{
    settings->dialects = dialect_settings_default;
    settings->lockout = (struct lockout){ LOCKOUT_THROTTLE, LOCKOUT_DURATION_S };
    settings->newcomers.count_max = ADMISSION_COUNT_DEFAULT;
    settings->database_settings.connection_count = DATABASE_CONNECTION_COUNT;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum rc rc = take_row(&rows[i], options, file, settings, out_error);

        if (rc != RC_OK)
            return rc;
    }
    return check_groups(settings, options, out_error);
}

static enum rc check_whole(const struct settings *settings, struct buffer *out_error)
{
    const struct database_settings *database = &settings->database_settings;
    bool is_tls = settings->tls_listen_count > 0 || settings->outside.client_listens.count > 0;

    if (settings->data == NULL && database->uri.len == 0) {
        buffer_append_str(out_error, STR("--data DIR or --database URL is needed"));
        return RC_INVALID;
    }
    if (database->password_file.len > 0 && database->uri.len == 0) {
        buffer_append_str(out_error, STR("database-password-file needs database"));
        return RC_INVALID;
    }
    if (is_tls && (settings->tls_certificate == NULL || settings->tls_key == NULL)) {
        buffer_append_format(out_error, "tls-%slisten needs tls-certificate and tls-key",
                             settings->tls_listen_count > 0 ? "" : "client-");
        return RC_INVALID;
    }
    if (!is_tls && (settings->tls_certificate != NULL || settings->tls_key != NULL)) {
        buffer_append_str(out_error, STR("tls-certificate and tls-key need tls-listen"));
        return RC_INVALID;
    }
    /* CA-09: nobody else is believed about whose certificate this is. */
    if (settings->outside.certificate_header.len > 0 && settings->trusted_proxy_count == 0) {
        buffer_append_str(out_error, STR("tls-client-certificate-header needs trusted-proxy"));
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
    if (rc == RC_OK)
        rc = take_rows(options, file, settings, out_error);
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

bool settings_has_file_database(const struct settings *settings)
{
    return settings->file != NULL && settings->database_settings.uri.at == settings->file->database;
}

void settings_close(struct settings *settings)
{
    database_close(&settings->database);
    brand_close(settings->brand);
    settings->brand = NULL;
    config_file_close(settings->file);
    settings->file = NULL;
}
