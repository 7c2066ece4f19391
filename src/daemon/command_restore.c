#include <stdio.h>

#include "base/clock.h"
#include "daemon/backup_job.h"
#include "daemon/backup_reader.h"
#include "daemon/backup_trail.h"
#include "daemon/command.h"
#include "daemon/command_backup.h"
#include "daemon/house.h"

enum { CLOCK_SKEW_S = 10 };

static const struct option_spec options_restore[] = {
    BACKUP_OPTIONS,
    { "keep-access-tokens", NULL, "access tokens stay good, also those revoked since the backup",
      false },
    { "revoked-since", "FILE", "lines of 'jeton audit export': what they say was ended, is again",
      false },
    { "help", NULL, "show this help", false },
    { 0 },
};

static const char synopsis[] =
    "jeton restore FILE --data DIR | --database URL [option…]\n"
    "makes a store of a backup, in a new data folder or an empty database. FILE '-' is standard\n"
    "input. Interrupted, it is started again and begins anew.\n\n";

struct restoring {
    struct backup_job *job;
    struct backup_reader reader;
    struct restore *restore;
    bool has_made_key;
    uint64_t revoked_count; /* by --revoked-since */
    int64_t at;
};

/* ---- before anything is written ------------------------------------------------------------- */

/* A file is read to its end first, so that a bad one leaves nothing behind. */
static enum rc check_file(struct restoring *restoring)
{
    struct backup_job *job = restoring->job;
    enum rc rc;

    if (job->file.is_standard)
        return RC_OK;
    rc = backup_file_unseal(&job->file, job->key, &job->error);
    if (rc == RC_OK)
        rc = backup_reader_open(&job->file, &restoring->reader, &job->error);
    if (rc != RC_OK)
        return rc;
    rc = backup_reader_run(&restoring->reader, NULL, &job->error);
    backup_reader_close(&restoring->reader);
    return rc;
}

/* The master key that the server will find has to be that of the backup. */
static enum rc check_master_key(struct restoring *restoring)
{
    struct backup_job *job = restoring->job;
    const struct backup_head *head = &restoring->reader.head;
    bool is_named = options_has(&job->options, "master-key-file");
    bool is_brought = head->master_key.len > 0 && !is_named && !store_place_has_key(&job->place);
    enum rc rc;

    if (is_brought)
        return RC_OK;
    rc = backup_job_open_master_key(job);
    if (rc == RC_OK)
        return house_check_key(&job->master_key, head->origin, "", &job->error);
    /* A named place where the one of the backup can be put. */
    return rc;
}

/* What is refused as being from before is known by its time. */
static enum rc check_clock(struct restoring *restoring)
{
    int64_t taken_at = restoring->reader.head.taken_at;
    char at[SINK_TIME_BYTES];

    if (clock_now_s() + CLOCK_SKEW_S >= taken_at)
        return RC_OK;
    sink_time_format(taken_at, at);
    buffer_append_format(&restoring->job->error,
                         "%s was made at %s, which is later than this machine's clock says: set it",
                         restoring->job->file.path, at);
    return RC_REFUSED;
}

static enum rc prepare(struct restoring *restoring)
{
    struct backup_job *job = restoring->job;
    enum rc rc = backup_file_open(job->path, &job->file, &job->error);

    if (rc == RC_OK)
        rc = backup_job_open_key(job);
    if (rc == RC_OK)
        rc = check_file(restoring);
    if (rc == RC_OK)
        rc = backup_file_unseal(&job->file, job->key, &job->error);
    if (rc == RC_OK)
        rc = backup_reader_open(&job->file, &restoring->reader, &job->error);
    if (rc == RC_OK)
        rc = check_clock(restoring);
    return rc == RC_OK ? check_master_key(restoring) : rc;
}

/* ---- the restore ---------------------------------------------------------------------------- */

static enum rc keep_master_key(struct restoring *restoring)
{
    struct backup_job *job = restoring->job;
    const struct backup_head *head = &restoring->reader.head;

    if (head->master_key.len == 0 || job->master_key.bytes != NULL || job->place.folder == NULL)
        return RC_OK;
    restoring->has_made_key = true;
    return master_key_keep(job->place.folder, NULL, (const unsigned char *)head->master_key.at,
                           &job->error);
}

static enum rc write_store(struct restoring *restoring)
{
    struct backup_job *job = restoring->job;
    const char *trail = options_find(&job->options, "revoked-since");
    const struct backup_head *head = &restoring->reader.head;
    char at[SINK_TIME_BYTES];
    char detail[64];
    enum rc rc = backup_reader_run(&restoring->reader, restoring->restore, &job->error);

    restoring->at = clock_now_s() > head->taken_at ? clock_now_s() : head->taken_at;
    if (rc == RC_OK && trail != NULL)
        rc = backup_trail_apply(trail, head->taken_at, restoring->at, restoring->restore,
                                &restoring->revoked_count, &job->error);
    if (rc == RC_OK)
        rc = keep_master_key(restoring);
    if (rc != RC_OK)
        return rc;
    sink_time_format(head->taken_at, at);
    snprintf(detail, sizeof(detail), "from a backup of %s", at);
    return restore_finish(restoring->restore, head->taken_at, restoring->at, str_of(detail),
                          &job->error);
}

static void tell_unknown(struct restoring *restoring, const char *taken_at)
{
    struct backup_job *job = restoring->job;
    bool keeps_access = options_has(&job->options, "keep-access-tokens");

    sink_format(job->out,
                "What happened after %s is not known in it. So everybody signs in again, and\n"
                "refresh tokens, codes, links in mails, recovery codes and mails that waited are "
                "not good any more.\n",
                taken_at);
    sink_text(job->out, keeps_access
                            ? "ACCESS TOKENS WERE KEPT: those revoked since are active again.\n"
                            : "Access tokens are not good any more, but for permanent ones.\n");
    sink_format(job->out,
                "PERMANENT TOKENS REVOKED BETWEEN %s AND NOW ARE ACTIVE AGAIN, passwords, secrets, "
                "second\nfactors, consents and disabled accounts are as they were: look at the "
                "export of your audit log.\n"
                "Signing keys made since are gone: what was signed with them is not good.\n",
                taken_at);
    if (options_has(&job->options, "revoked-since"))
        sink_format(job->out, "%llu events of --revoked-since were applied again.\n",
                    (unsigned long long)restoring->revoked_count);
}

static void tell(struct restoring *restoring)
{
    struct backup_job *job = restoring->job;
    char taken_at[SINK_TIME_BYTES];

    sink_time_format(restoring->reader.head.taken_at, taken_at);
    sink_format(job->out, "%s restored: %lld rows of %u tables, as of %s\n", job->place.words,
                (long long)restoring->reader.row_count, restoring->reader.table_count, taken_at);
    tell_unknown(restoring, taken_at);
    if (restoring->has_made_key)
        sink_format(job->out, "Its master key came with the backup: %s/master.key\n",
                    job->place.words);
    else
        sink_text(job->out, "Its server needs the master key, which is not in the backup's "
                            "store: see --master-key-file.\n");
}

static enum rc restore_all(struct backup_job *job)
{
    static struct restoring restoring;
    enum rc rc;

    restoring.job = job;
    rc = prepare(&restoring);
    if (rc == RC_OK)
        rc = restore_open(&job->place.place, options_has(&job->options, "keep-access-tokens"),
                          &restoring.restore, &job->error);
    if (rc == RC_OK) {
        rc = write_store(&restoring);
        if (rc != RC_OK && !rc_is_fault(rc))
            restore_give_up(restoring.restore);
    }
    restore_close(restoring.restore);
    if (rc == RC_OK)
        tell(&restoring);
    backup_reader_close(&restoring.reader);
    return rc;
}

int restore_run(int argc, char *const *argv, struct sink *out, struct sink *err)
{
    static struct backup_job job;
    int status;
    enum rc rc;

    job.name = "restore";
    job.out = out;
    job.err = err;
    status = backup_job_parse(&job, options_restore, argc, argv);
    if (status != STATUS_DONE)
        return status;
    if (options_has(&job.options, "help")) {
        backup_job_help(options_restore, synopsis, out);
        return STATUS_DONE;
    }
    if (strcmp(job.path, "-") == 0 && options_has(&job.options, "passphrase-stdin")) {
        buffer_append_str(&job.error, STR("standard input is the file or the passphrase"));
        return backup_job_refuse_usage(&job);
    }
    status = backup_job_place(&job);
    if (status != STATUS_DONE)
        return status;
    rc = restore_all(&job);
    backup_job_close(&job);
    return rc == RC_OK ? STATUS_DONE : backup_job_refuse(&job);
}
