/*
 * daemon/backup_job.h: what `jeton backup` and `jeton restore` have in common: a file, a store, and
 * the key of the file.
 */
#ifndef JETON_DAEMON_BACKUP_JOB_H
#define JETON_DAEMON_BACKUP_JOB_H

#include "daemon/backup_file.h"
#include "daemon/master_key.h"
#include "daemon/options.h"
#include "daemon/sink.h"
#include "daemon/store_place.h"

enum { BACKUP_ERROR_BYTES = 1024 };

/* Options of both. */
#define BACKUP_OPTIONS                                                                             \
    { "data", "DIR", "the data folder", false },                                                   \
        { "database", "URL", "the PostgreSQL database: postgresql://…", false },                   \
        { "database-password-file", "FILE", "the password of that database", false },              \
        { "master-key-file", "FILE", "where the master key is, if not in the data folder",         \
          false },                                                                                 \
        { "key-file", "FILE", "the backup's own key: 32 to 1024 bytes", false },                   \
    {                                                                                              \
        "passphrase-stdin", NULL, "the backup's passphrase, a line from standard input", false     \
    }

struct backup_job {
    const char *name; /* "backup" */
    const char *path; /* of the file; "-" */
    struct options options;
    struct store_place place;
    struct master_key master_key;
    struct backup_file file;
    unsigned char key[STREAM_KEY_BYTES]; /* of the file */
    char error_bytes[BACKUP_ERROR_BYTES];
    struct buffer error;
    struct sink *out; /* for words, which is not where the backup goes */
    struct sink *err;
};

/* Reads the words: one argument, the file. An exit status; the line has been written. */
int backup_job_parse(struct backup_job *job, const struct option_spec *specs, int argc,
                     char *const *argv);

/* Names the store. The same. */
int backup_job_place(struct backup_job *job);

/* "jeton backup: …" and job->error. STATUS_REFUSED, or STATUS_USAGE with a hint. */
int backup_job_refuse(struct backup_job *job);
int backup_job_refuse_usage(struct backup_job *job);

void backup_job_help(const struct option_spec *specs, const char *synopsis, struct sink *out);

/* What the options say; BACKUP_KEY_MASTER when they say nothing. */
enum backup_key_kind backup_job_kind(const struct backup_job *job);

/* Opens the master key of the store; RC_INVALID. */
enum rc backup_job_open_master_key(struct backup_job *job) MUST_CHECK;

/* Fills job->key for the file's kind, cost and salt. */
enum rc backup_job_open_key(struct backup_job *job) MUST_CHECK;

/* Closes and wipes everything. */
void backup_job_close(struct backup_job *job);

#endif
