/*
 * daemon/config.h: the configuration file: YAML, read against a schema. The only user of libcyaml.
 */
#ifndef JETON_DAEMON_CONFIG_H
#define JETON_DAEMON_CONFIG_H

#include "base/buffer.h"
#include "base/rc.h"

/* The file's settings; what it does not say is NULL or 0. */
struct config_file {
    char *data;
    char *database;
    char *database_password_file;
    char *database_connections;
    char **listen;
    unsigned listen_count;
    char **tls_listen;
    unsigned tls_listen_count;
    char **trusted_proxy;
    unsigned trusted_proxy_count;
    char *tls_certificate;
    char *tls_key;
    char *metrics_listen;
    char *issuer;
    char *master_key_file;
    unsigned log_format; /* enum log_format + 1; 0: not said */
    unsigned log_level;  /* enum log_level + 1; 0: not said  */
    unsigned work_threads;
    unsigned hash_threads;
    unsigned loops;
    char *lockout_mode;
    char *lockout_duration;
    char *drain_delay;
    char *token_memory;
    char *permanent_lifetime_max;
    char *audit_log;
    char *audit_retention;
    char *dpop_nonce;
    char *sandbox;
    char **tls_client_listen;
    unsigned tls_client_listen_count;
    char *tls_client_ca;
    char *tls_client_certificate_header;
    char **fetch_network;
    unsigned fetch_network_count;
    char *fetch_ca_file;
    char *client_registration;
    char *client_registration_max;
    char **client_registration_service;
    unsigned client_registration_service_count;
    char *client_id_documents;
    char **client_document_host;
    unsigned client_document_host_count;
    char *smtp_url;
    char *smtp_password_file;
    char *smtp_ca_file;
    char *mail_from;
    char *registration;
    char **registration_domain;
    unsigned registration_domain_count;
    char *brand_name;
    char *brand_logo;
    char *brand_color;
    char *brand_color_dark;
/* The dialects' settings, as they are written. */
#define SWITCH(member, name, standard, words)                 char *member;
#define NUMBER(member, name, standard, min, max, unit, words) char *member;
#define CHOICE(member, name, standard, choices, words)        char *member;
#define TEXT(member, name, standard, argument, words)         char *member;
#define TEXTS(member, name, argument, words)                                                       \
    char **member;                                                                                 \
    unsigned member##_count;
#include "dialect/settings.def"
};

enum { CONFIG_THREAD_COUNT_MAX = 1024 };

/*
 * Reads a file; an empty one is fine (*out_file is then NULL).
 *
 * out_error    on RC_INVALID: one line that names the file, the line and the key
 */
enum rc config_file_open(const char *path, struct config_file **out_file,
                         struct buffer *out_error) MUST_CHECK;

/* The line on which a key stands, for an error that is found later; 0 when it cannot be told. */
unsigned long config_file_line(const char *path, const char *key);

void config_file_close(struct config_file *file);

#endif
