/*
 * daemon/settings.h: what `jeton serve` was told, on its command line and in its file.
 *
 * The file is YAML with the names of the options. An option of the command line replaces the one of
 * the file. What is unknown, of the wrong type or out of range is refused with its key and, in the
 * file, its line; nothing is ignored. Memory: startup; freed when the server has ended.
 */
#ifndef JETON_DAEMON_SETTINGS_H
#define JETON_DAEMON_SETTINGS_H

#include "account/throttle.h"
#include "base/log.h"
#include "daemon/audit_sealer.h"
#include "daemon/cage.h"
#include "daemon/database.h"
#include "daemon/mail_route.h"
#include "daemon/newcomers.h"
#include "daemon/options.h"
#include "daemon/outside.h"
#include "web/web.h"

enum { SETTINGS_LIST_COUNT_MAX = 16 };

/* Whether DPoP proofs may carry a nonce of ours, or must (RFC 9449 8). */
enum dpop_nonce { DPOP_NONCE_OFFERED, DPOP_NONCE_REQUIRED };

struct settings {
    const char *data; /* NULL: none, beside a database */
    struct database_settings database_settings;
    struct database database; /* what they say, read and checked */
    const char *listen[SETTINGS_LIST_COUNT_MAX];
    size_t listen_count;
    const char *tls_listen[SETTINGS_LIST_COUNT_MAX];
    size_t tls_listen_count;
    const char *trusted_proxy[SETTINGS_LIST_COUNT_MAX];
    size_t trusted_proxy_count;
    const char *tls_certificate;
    const char *tls_key;
    const char *metrics_listen;  /* NULL: none */
    const char *issuer;          /* NULL: from the first address */
    const char *master_key_file; /* NULL: a credential, or the data folder */
    enum log_format log_format;
    enum log_level log_level;
    unsigned work_threads; /* 0: the server's choice, as for the next two */
    unsigned hash_threads;
    unsigned loops;
    struct lockout lockout;
    struct audit_settings audit;
    int64_t drain_delay_s;
    int64_t token_memory_mib;
    int64_t permanent_days_max; /* of permanent tokens' life; 0: no limit */
    unsigned dpop_nonce;        /* enum dpop_nonce */
    unsigned sandbox;           /* enum sandbox */
    struct outside_settings outside;
    struct newcomers_settings newcomers;
    struct mail_settings mail;
    struct web_registration registration;
    struct brand_settings brand_settings;
    struct brand *brand; /* what they say, read and checked */
    struct dialect_settings dialects;
    const char *config_path;  /* NULL: no file */
    struct config_file *file; /* what the texts may point into */
};

extern const struct option_spec settings_options[];

/* RC_INVALID with one line in out_error. out_settings is then to be closed too. */
enum rc settings_open(const struct options *options, struct settings *out_settings,
                      struct buffer *out_error) MUST_CHECK;

/*
 * Begins an error about a value that turned out to be wrong: "FILE: line N: " when it stands in the
 * file, nothing when it was an option.
 */
void settings_blame(const struct settings *settings, const char *key, const char *value,
                    struct buffer *out_error);

/* Whether the database's URI stands in the file, and not on the command line. */
bool settings_has_file_database(const struct settings *settings);

void settings_close(struct settings *settings);

#endif
