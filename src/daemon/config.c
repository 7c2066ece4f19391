#include "daemon/config.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "daemon/settings.h"

enum { FILE_BYTES_MAX = 64 * 1024, TEXT_BYTES_MAX = 4096 };

static const cyaml_schema_value_t text_value = { CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1,
                                                                    TEXT_BYTES_MAX) };

#define FIELD_TEXT(name, member)                                                                   \
    CYAML_FIELD_STRING_PTR(name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct config_file,     \
                           member, 1, TEXT_BYTES_MAX)
/* One that may be empty. */
#define FIELD_ANY_TEXT(name, member)                                                               \
    CYAML_FIELD_STRING_PTR(name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct config_file,     \
                           member, 0, TEXT_BYTES_MAX)
#define FIELD_TEXTS(name, member)                                                                  \
    CYAML_FIELD_SEQUENCE(name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct config_file,       \
                         member, &text_value, 1, SETTINGS_LIST_COUNT_MAX)
#define FIELD_COUNT(name, member)                                                                  \
    CYAML_FIELD_UINT(name, CYAML_FLAG_OPTIONAL, struct config_file, member)
#define FIELD_CHOICE(name, member, choices)                                                        \
    CYAML_FIELD_ENUM(name, CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct config_file, member,    \
                     choices, sizeof(choices) / sizeof(choices[0]))

static const cyaml_strval_t log_formats[] = {
    { "auto", LOG_FORMAT_AUTO + 1 },
    { "text", LOG_FORMAT_TEXT + 1 },
    { "json", LOG_FORMAT_JSON + 1 },
};

static const cyaml_strval_t log_levels[] = {
    { "debug", LOG_DEBUG + 1 },
    { "info", LOG_INFO + 1 },
    { "warn", LOG_WARN + 1 },
    { "error", LOG_ERROR + 1 },
};

static const cyaml_schema_field_t fields[] = {
    FIELD_TEXT("data", data),
    FIELD_TEXT("database", database),
    FIELD_TEXT("database-password-file", database_password_file),
    FIELD_TEXT("database-connections", database_connections),
    FIELD_TEXTS("listen", listen),
    FIELD_TEXTS("tls-listen", tls_listen),
    FIELD_TEXTS("trusted-proxy", trusted_proxy),
    FIELD_TEXT("tls-certificate", tls_certificate),
    FIELD_TEXT("tls-key", tls_key),
    FIELD_TEXT("metrics-listen", metrics_listen),
    FIELD_TEXT("issuer", issuer),
    FIELD_TEXT("master-key-file", master_key_file),
    FIELD_CHOICE("log-format", log_format, log_formats),
    FIELD_CHOICE("log-level", log_level, log_levels),
    FIELD_COUNT("work-threads", work_threads),
    FIELD_COUNT("hash-threads", hash_threads),
    FIELD_COUNT("loops", loops),
    FIELD_TEXT("lockout-mode", lockout_mode),
    FIELD_TEXT("lockout-duration", lockout_duration),
    FIELD_TEXT("drain-delay", drain_delay),
    FIELD_TEXT("audit-log", audit_log),
    FIELD_TEXT("audit-retention", audit_retention),
    FIELD_TEXT("token-memory", token_memory),
    FIELD_TEXT("permanent-lifetime-max", permanent_lifetime_max),
    FIELD_TEXT("dpop-nonce", dpop_nonce),
    FIELD_TEXT("sandbox", sandbox),
    FIELD_TEXTS("tls-client-listen", tls_client_listen),
    FIELD_TEXT("tls-client-ca", tls_client_ca),
    FIELD_TEXT("tls-client-certificate-header", tls_client_certificate_header),
    FIELD_TEXTS("fetch-network", fetch_network),
    FIELD_TEXT("fetch-ca-file", fetch_ca_file),
    FIELD_TEXT("client-registration", client_registration),
    FIELD_TEXT("client-registration-max", client_registration_max),
    FIELD_TEXTS("client-registration-service", client_registration_service),
    FIELD_TEXT("client-id-documents", client_id_documents),
    FIELD_TEXTS("client-document-host", client_document_host),
    FIELD_TEXT("smtp-url", smtp_url),
    FIELD_TEXT("smtp-password-file", smtp_password_file),
    FIELD_TEXT("smtp-ca-file", smtp_ca_file),
    FIELD_TEXT("mail-from", mail_from),
    FIELD_TEXT("registration", registration),
    FIELD_TEXTS("registration-domain", registration_domain),
    FIELD_TEXT("brand-name", brand_name),
    FIELD_TEXT("brand-logo", brand_logo),
    FIELD_TEXT("brand-color", brand_color),
    FIELD_TEXT("brand-color-dark", brand_color_dark),
/* Their texts are looked at by settings.c, together with those of the command line. */
#define SWITCH(member, name, standard, words)                 FIELD_TEXT(name, member),
#define NUMBER(member, name, standard, min, max, unit, words) FIELD_TEXT(name, member),
#define CHOICE(member, name, standard, choices, words)        FIELD_TEXT(name, member),
#define TEXT(member, name, standard, argument, words)         FIELD_ANY_TEXT(name, member),
#define TEXTS(member, name, argument, words)                  FIELD_TEXTS(name, member),
#include "dialect/settings.def"
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER,
                                                                 struct config_file, fields) };

/* What the library said went wrong: its first words, and where. */
struct complaint {
    char words[256];
    char key[64];
    unsigned long line;
    bool has_words;
};

/* The library talks in several lines: the fault, then the path to it from the inside out. */
__attribute__((format(printf, 3, 0))) static void hear(cyaml_log_t level, void *context,
                                                       const char *format, va_list args)
{
    struct complaint *complaint = context;
    char text[512];
    const char *at;

    (void)level;
    vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\n")] = '\0';
    at = strstr(text, "(line: ");
    if (at != NULL && complaint->line == 0)
        complaint->line = strtoul(at + strlen("(line: "), NULL, 10);
    at = strstr(text, "in mapping field '");
    if (at != NULL && complaint->key[0] == '\0') {
        at += strlen("in mapping field '");
        snprintf(complaint->key, sizeof(complaint->key), "%.*s", (int)strcspn(at, "'"), at);
    }
    if (!complaint->has_words) {
        at = strncmp(text, "Load: ", 6) == 0 ? text + 6 : text;
        snprintf(complaint->words, sizeof(complaint->words), "%.255s", at);
        complaint->has_words = true;
    }
}

/* Whether a line begins with the key, quoted or not, and a colon. */
static bool has_key(struct str line, struct str key)
{
    size_t colon = str_index_of(line, ':');
    struct str name = str_trim((struct str){ line.at, colon });

    if (name.len >= 2 && (name.at[0] == '"' || name.at[0] == '\''))
        name = (struct str){ name.at + 1, name.len - 2 };
    return colon < line.len && str_equal(name, key);
}

/* For an unknown key the library names the line before it. */
static unsigned long line_of_key(struct str text, struct str key)
{
    for (unsigned long line = 1; text.len > 0; line++) {
        size_t len = str_index_of(text, '\n');

        if (has_key(str_trim((struct str){ text.at, len }), key))
            return line;
        text = str_from(text, len < text.len ? len + 1 : len);
    }
    return 0;
}

/* The library speaks of its own types; what it says otherwise is clear enough. */
static struct str in_our_words(struct str words)
{
    static const struct {
        const char *begin, *ours;
    } rows[] = {
        { "Expecting SEQUENCE", "must be a list, such as [ \"first\", \"second\" ]" },
        { "Expecting STRING", "must be one text" },
        { "Expecting MAPPING", "every line must be NAME: VALUE" },
        { "STRING length < 1", "may not be empty; what begins with # has to be quoted" },
        { "Mapping field already seen", "stands twice" },
        { "Insufficient entries", "may not be an empty list" },
        { "Excessive entries", "has too many entries" },
        { "Backtrace", "may not be an alias" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (str_starts_with(words, str_of(rows[i].begin)))
            return str_of(rows[i].ours);
    return words;
}

static enum rc refuse(const char *path, struct str text, const struct complaint *complaint,
                      struct buffer *out_error)
{
    struct str unexpected = STR("Unexpected key: ");
    struct str words = str_of(complaint->words);
    unsigned long line = complaint->line;

    if (str_starts_with(words, unexpected)) {
        struct str key = str_from(words, unexpected.len);
        unsigned long found = line_of_key(text, key);

        buffer_append_format(out_error, "%s: line %lu: unknown key '%.*s'", path,
                             found != 0 ? found : line, STR_ARGS(key));
        return RC_INVALID;
    }
    buffer_append_format(out_error, "%s: ", path);
    if (line != 0)
        buffer_append_format(out_error, "line %lu: ", line);
    buffer_append_format(out_error, "%s%s%.*s", complaint->key,
                         complaint->key[0] != '\0' ? ": " : "", STR_ARGS(in_our_words(words)));
    return RC_INVALID;
}

static enum rc read_file(const char *path, char *out_bytes, size_t max, size_t *out_len,
                         struct buffer *out_error)
{
    FILE *file = fopen(path, "re");
    size_t len;

    if (file == NULL) {
        buffer_append_format(out_error, "%s: cannot be read: %s", path, strerror(errno));
        return RC_INVALID;
    }
    len = fread(out_bytes, 1, max, file);
    if (ferror(file) != 0 || len == max) {
        buffer_append_format(out_error, "%s: %s", path,
                             len == max ? "is larger than 64 KiB" : "cannot be read");
        fclose(file);
        return RC_INVALID;
    }
    fclose(file);
    *out_len = len;
    return RC_OK;
}

/* Some number of threads is too many by mistake. */
static enum rc check_counts(const char *path, struct str text, const struct config_file *file,
                            struct buffer *out_error)
{
    const struct {
        const char *key;
        unsigned count;
    } rows[] = { { "work-threads", file->work_threads },
                 { "hash-threads", file->hash_threads },
                 { "loops", file->loops } };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].count > CONFIG_THREAD_COUNT_MAX) {
            buffer_append_format(out_error, "%s: line %lu: %s: at most %d", path,
                                 line_of_key(text, str_of(rows[i].key)), rows[i].key,
                                 CONFIG_THREAD_COUNT_MAX);
            return RC_INVALID;
        }
    }
    return RC_OK;
}

static cyaml_config_t library_config(struct complaint *complaint)
{
    return (cyaml_config_t){ .log_fn = hear,
                             .log_ctx = complaint,
                             .mem_fn = cyaml_mem,
                             .log_level = CYAML_LOG_WARNING,
                             .flags = CYAML_CFG_NO_ALIAS };
}

enum rc config_file_open(const char *path, struct config_file **out_file, struct buffer *out_error)
{
    struct complaint complaint = { 0 };
    cyaml_config_t config = library_config(&complaint);
    char *text = malloc(FILE_BYTES_MAX);
    cyaml_data_t *file = NULL;
    cyaml_err_t result;
    size_t len;
    enum rc rc;

    ASSERT(text != NULL);
    rc = read_file(path, text, FILE_BYTES_MAX, &len, out_error);
    if (rc == RC_OK) {
        result = cyaml_load_data((const uint8_t *)text, len, &config, &schema, &file, NULL);
        /* Its warnings are of what it would ignore. */
        if (result != CYAML_OK && !complaint.has_words)
            snprintf(complaint.words, sizeof(complaint.words), "%s", cyaml_strerror(result));
        if (result != CYAML_OK || complaint.has_words)
            rc = refuse(path, (struct str){ text, len }, &complaint, out_error);
        else if (file != NULL)
            rc = check_counts(path, (struct str){ text, len }, file, out_error);
    }
    free(text);
    if (rc != RC_OK)
        config_file_close(file);
    else
        *out_file = file;
    return rc;
}

unsigned long config_file_line(const char *path, const char *key)
{
    char words[256];
    struct buffer error = buffer_over(words, sizeof(words));
    char *text = malloc(FILE_BYTES_MAX);
    unsigned long line = 0;
    size_t len;

    ASSERT(text != NULL);
    if (read_file(path, text, FILE_BYTES_MAX, &len, &error) == RC_OK)
        line = line_of_key((struct str){ text, len }, str_of(key));
    free(text);
    return line;
}

void config_file_close(struct config_file *file)
{
    struct complaint complaint = { 0 };
    cyaml_config_t config = library_config(&complaint);

    if (file != NULL)
        cyaml_free(&config, &schema, file, 0);
}
