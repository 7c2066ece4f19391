/*
 * daemon/database.h: the shared store that a server or a command works on, as --database names it.
 *
 * It is a connection URI, "postgresql://USER@HOST[:PORT][,…]/NAME?option=value&…", which libpq
 * takes: several hosts, TLS and time-outs stand there as its manual has them. Looked at here is
 * what keeps a secret from being shown: logs and errors name the hosts and the database alone, and
 * a URI that could be read in two ways is refused, as half a password might be taken for a host.
 *
 * The password may come from a file of its own, and otherwise from libpq's places (PGPASSFILE).
 *
 * A data folder that is used beside a database holds a file "database" with those names: then
 * nobody makes an SQLite store there by leaving --database away, and a store that was moved from
 * there is not taken for the present one.
 */
#ifndef JETON_DAEMON_DATABASE_H
#define JETON_DAEMON_DATABASE_H

#include "base/buffer.h"
#include "base/rc.h"

enum { DATABASE_URI_BYTES_MAX = 4096, DATABASE_PLACE_BYTES_MAX = 256 };

/* As jeton.yaml(5) has them; texts end with a NUL. */
struct database_settings {
    struct str uri;           /* empty: there is no database */
    struct str password_file; /* empty: none */
    int64_t connection_count; /* at most, of this process */
};

enum {
    DATABASE_CONNECTION_COUNT = 10,
    DATABASE_CONNECTION_COUNT_MIN = 3, /* one that reads, the one that writes, the feed's */
    DATABASE_CONNECTION_COUNT_MAX = 64
};

/* What to tell whoever put a password into the URI. */
#define DATABASE_PASSWORD_ADVICE                                                                   \
    "everybody on this machine can read it there: put it into a file, --database-password-file"

struct database {
    char uri[DATABASE_URI_BYTES_MAX];     /* for the store, with the password; wiped when closed */
    char place[DATABASE_PLACE_BYTES_MAX]; /* for people: "db1:5432,db2/jeton" */
    bool has_password;                    /* the URI as it was written has one */
};

/*
 * Takes a URI.
 *
 * password_file   one line, the password; NULL: none
 *
 * Answers: RC_OK · RC_INVALID with one line in out_error that shows nothing of the URI, and begins
 *          with the setting's name, "database" or "database-password-file", and a space
 */
enum rc database_open(const char *uri, const char *password_file, struct database *out_database,
                      struct buffer *out_error) MUST_CHECK;

/* The same of settings; nothing to do without a URI. */
enum rc database_settings_open(const struct database_settings *settings,
                               struct database *out_database, struct buffer *out_error) MUST_CHECK;

/* The number of connections that read; 0 without a database: the store's choice. */
static inline unsigned database_reader_count(const struct database_settings *settings)
{
    return settings->uri.len == 0
               ? 0
               : (unsigned)settings->connection_count - (DATABASE_CONNECTION_COUNT_MIN - 1);
}

/* Wipes; it may never have been opened. */
void database_close(struct database *database);

/* For AUTO(database). */
static inline void database_cleanup(struct database *database)
{
    database_close(database);
}

/*
 * Whether a data folder goes with a database, or, without one, may hold an SQLite store. A folder
 * with an SQLite store that nobody has moved goes with none.
 *
 * Answers: RC_OK · RC_EXISTS a server that uses a database holds the folder · RC_INVALID; but for
 *          RC_OK there is one line in out_error
 */
enum rc database_check_folder(const struct database *database_or_null, const char *data,
                              struct buffer *out_error) MUST_CHECK;

/*
 * Notes in a data folder which database it goes with; makes the folder.
 *
 * Answers: RC_OK · RC_INVALID with one line in out_error.  Faults: RC_UNAVAILABLE
 */
enum rc database_mark_folder(const struct database *database, const char *data,
                             struct buffer *out_error) MUST_CHECK;

/* Takes the note back, for a store that was moved into the folder again. RC_SYSTEM. */
enum rc database_unmark_folder(const char *data, struct buffer *out_error) MUST_CHECK;

#endif
