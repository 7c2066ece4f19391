#include "daemon/command_backup.h"

#include "base/clock.h"
#include "crypto/digest.h"
#include "daemon/backup_job.h"
#include "daemon/backup_reader.h"
#include "daemon/command.h"
#include "daemon/house.h"
#include "store/backup.h"

enum { ORIGIN_BYTES_MAX = 128 };

static const struct option_spec options_backup[] = {
    BACKUP_OPTIONS,
    { "include-master-key", NULL, "put the master key in: with --key-file or --passphrase-stdin",
      false },
    { "force", NULL, "replace a file of that name", false },
    { "verify", NULL, "read a backup to its end and compare its digests; writes nothing", false },
    { "help", NULL, "show this help", false },
    { 0 },
};

static const char synopsis[] =
    "jeton backup FILE --data DIR | --database URL [option…]\n"
    "jeton backup --verify FILE [option…]\n"
    "writes all of a store, as it is now, to an encrypted file; servers may run. FILE '-' is\n"
    "standard output. Without --key-file and --passphrase-stdin the file is encrypted under the\n"
    "master key, which is not in it.\n\n";

struct writer {
    struct backup_job *job;
    struct move *move;
    int64_t taken_at;
    int64_t row_count;
    unsigned char digest[SHA256_BYTES];
    unsigned char origin_bytes[ORIGIN_BYTES_MAX];
    struct buffer origin;
};

/* ---- records -------------------------------------------------------------------------------- */

static enum rc write_record(struct writer *writer, char letter, struct str first, struct str second)
{
    struct backup_job *job = writer->job;
    size_t len = first.len + second.len;
    char head[BACKUP_RECORD_HEAD_BYTES] = { letter };
    enum rc rc;

    for (int byte = 0; byte < 4; byte++)
        head[1 + byte] = (char)(len >> (24 - 8 * byte) & 0xff);
    rc = backup_file_write(&job->file, (struct str){ head, sizeof(head) }, &job->error);
    if (rc == RC_OK)
        rc = backup_file_write(&job->file, first, &job->error);
    return rc == RC_OK ? backup_file_write(&job->file, second, &job->error) : rc;
}

static enum rc write_head(struct writer *writer)
{
    struct backup_job *job = writer->job;
    struct backup_head head = { .schema = backup_schema(),
                                .taken_at = writer->taken_at,
                                .version = STR(JETON_VERSION),
                                .origin = buffer_str(&writer->origin) };
    char bytes[512];
    struct buffer record = buffer_over(bytes, sizeof(bytes));
    enum rc rc;

    if (options_has(&job->options, "include-master-key"))
        head.master_key = (struct str){ (const char *)job->master_key.bytes, MASTER_KEY_BYTES };
    backup_head_format(&head, &record);
    ASSERT(!record.overflow);
    rc = write_record(writer, 'H', buffer_str(&record), STR(""));
    explicit_bzero(bytes, sizeof(bytes));
    return rc;
}

static enum rc write_page(struct writer *writer, struct str rows, uint64_t row_count)
{
    char head[4];

    for (int byte = 0; byte < 4; byte++)
        head[byte] = (char)(row_count >> (24 - 8 * byte) & 0xff);
    return write_record(writer, 'P', (struct str){ head, sizeof(head) }, rows);
}

static enum rc write_sum(struct writer *writer, char letter, int64_t row_count, struct str digest)
{
    const struct backup_sum sum = { .row_count = row_count, .digest = digest };
    char bytes[64];
    struct buffer record = buffer_over(bytes, sizeof(bytes));

    backup_sum_format(&sum, &record);
    return write_record(writer, letter, buffer_str(&record), STR(""));
}

static enum rc write_rows(struct writer *writer, unsigned table, int64_t *out_row_count)
{
    struct digest_stream *stream = digest_stream_new();
    struct str rows = STR("");
    uint64_t count = 1;
    int64_t total = 0;
    enum rc rc = RC_OK;

    while (rc == RC_OK && count > 0) {
        rc = move_read_some(writer->move, MOVE_SOURCE, table, &rows, &count, &writer->job->error);
        if (rc != RC_OK || count == 0)
            break;
        digest_stream_add(stream, rows);
        rc = write_page(writer, rows, count);
        total += (int64_t)count;
    }
    digest_stream_end(stream, writer->digest);
    *out_row_count = total;
    return rc;
}

static enum rc write_table(struct writer *writer, unsigned table)
{
    const struct backup_table names = { .name = str_of(move_table_name(table)),
                                        .columns = backup_columns(table),
                                        .types = backup_types(table) };
    char bytes[BACKUP_NAMES_BYTES_MAX];
    struct buffer record = buffer_over(bytes, sizeof(bytes));
    int64_t row_count = 0;
    enum rc rc;

    backup_table_format(&names, &record);
    ASSERT(!record.overflow);
    rc = write_record(writer, 'T', buffer_str(&record), STR(""));
    if (rc == RC_OK)
        rc = write_rows(writer, table, &row_count);
    if (rc == RC_OK)
        rc = write_sum(writer, 'S', row_count,
                       (struct str){ (const char *)writer->digest, SHA256_BYTES });
    writer->row_count += row_count;
    return rc;
}

/* ---- the backup ----------------------------------------------------------------------------- */

static enum rc open_store(struct writer *writer)
{
    struct backup_job *job = writer->job;
    enum rc rc;

    /* What was acknowledged until now is in it. */
    writer->taken_at = clock_now_s();
    rc = backup_open(&job->place.place, &writer->move, &job->error);
    if (rc == RC_OK)
        rc = move_find_sealed_value(writer->move, STR(SECRET_CHECK_KEY_NAME), &writer->origin,
                                    &job->error);
    if (rc == RC_NOT_FOUND)
        buffer_append_format(&job->error, "%s is empty: there is nothing to back up",
                             job->place.words);
    return rc;
}

/* A backup under a key that opens nothing of the store would be found out too late. */
static enum rc open_keys(struct writer *writer)
{
    struct backup_job *job = writer->job;
    bool needs_master =
        job->file.kind == BACKUP_KEY_MASTER || options_has(&job->options, "include-master-key");
    enum rc rc = needs_master ? backup_job_open_master_key(job) : RC_OK;

    if (rc == RC_OK && needs_master)
        rc = house_check_key(&job->master_key, buffer_str(&writer->origin), "", &job->error);
    return rc == RC_OK ? backup_job_open_key(job) : rc;
}

static enum rc write_all(struct writer *writer)
{
    struct backup_job *job = writer->job;
    enum rc rc = backup_file_seal(&job->file, job->key, &job->error);

    if (rc == RC_OK)
        rc = write_head(writer);
    for (unsigned table = 0; rc == RC_OK && table < move_table_count(); table++)
        rc = write_table(writer, table);
    if (rc == RC_OK)
        rc = write_sum(writer, 'E', writer->row_count, STR(""));
    return rc == RC_OK ? backup_file_finish(&job->file, &job->error) : rc;
}

static void tell_key(struct backup_job *job)
{
    static const char *const words[] = {
        [BACKUP_KEY_MASTER] = ("THE MASTER KEY IS NOT IN IT, and without that nobody can read "
                               "or restore it: keep a copy of the master key elsewhere.\n"),
        [BACKUP_KEY_FILE] = "It opens with the key file alone: keep a copy of that elsewhere.\n",
        [BACKUP_KEY_PASSPHRASE] = "It opens with the passphrase alone.\n",
    };

    sink_text(job->out, words[job->file.kind]);
    if (job->file.kind == BACKUP_KEY_MASTER)
        return;
    sink_text(job->out, options_has(&job->options, "include-master-key")
                            ? "The master key is in it.\n"
                            : "THE MASTER KEY IS NOT IN IT, and the restored store needs it: keep "
                              "a copy of it elsewhere.\n");
}

static enum rc back_up(struct backup_job *job)
{
    struct writer writer = { .job = job };
    char at[SINK_TIME_BYTES];
    enum rc rc;

    writer.origin = buffer_over(writer.origin_bytes, sizeof(writer.origin_bytes));
    rc = open_store(&writer);
    if (rc == RC_OK)
        rc = backup_file_create(job->path, backup_job_kind(job),
                                options_has(&job->options, "force"), &job->file, &job->error);
    if (rc == RC_OK)
        rc = open_keys(&writer);
    if (rc == RC_OK)
        rc = write_all(&writer);
    move_close(writer.move);
    if (rc != RC_OK)
        return rc;
    sink_time_format(writer.taken_at, at);
    sink_format(job->out, "%s: %lld rows of %u tables of %s, as of %s, %llu bytes\n",
                job->file.path, (long long)writer.row_count, move_table_count(), job->place.words,
                at, (unsigned long long)job->file.byte_count);
    tell_key(job);
    return RC_OK;
}

/* ---- the check ------------------------------------------------------------------------------ */

static enum rc verify(struct backup_job *job)
{
    static struct backup_reader reader;
    char at[SINK_TIME_BYTES];
    enum rc rc = backup_file_open(job->path, &job->file, &job->error);

    if (rc == RC_OK)
        rc = backup_job_open_key(job);
    if (rc == RC_OK)
        rc = backup_file_unseal(&job->file, job->key, &job->error);
    if (rc == RC_OK)
        rc = backup_reader_open(&job->file, &reader, &job->error);
    if (rc != RC_OK)
        return rc;
    rc = backup_reader_run(&reader, NULL, &job->error);
    if (rc == RC_OK) {
        sink_time_format(reader.head.taken_at, at);
        sink_format(job->out,
                    "%s is complete: %lld rows of %u tables as of %s, schema %d, by jeton %.*s%s\n",
                    job->file.path, (long long)reader.row_count, reader.table_count, at,
                    (int)reader.head.schema, STR_ARGS(reader.head.version),
                    reader.head.master_key.len > 0 ? ", with the master key" : "");
    }
    backup_reader_close(&reader);
    return rc;
}

static int check_words(struct backup_job *job, bool is_check)
{
    if (options_has(&job->options, "include-master-key") &&
        backup_job_kind(job) == BACKUP_KEY_MASTER)
        buffer_append_str(&job->error, STR("--include-master-key needs --key-file or "
                                           "--passphrase-stdin: a file under the master key "
                                           "cannot bring it along"));
    else if (is_check && strcmp(job->path, "-") == 0 &&
             options_has(&job->options, "passphrase-stdin"))
        buffer_append_str(&job->error, STR("standard input is the file or the passphrase"));
    if (job->error.len > 0)
        return backup_job_refuse_usage(job);
    return is_check ? STATUS_DONE : backup_job_place(job);
}

int backup_run(int argc, char *const *argv, struct sink *out, struct sink *err)
{
    static struct backup_job job;
    bool is_check;
    int status;
    enum rc rc;

    job.name = "backup";
    job.out = out;
    job.err = err;
    status = backup_job_parse(&job, options_backup, argc, argv);
    if (status != STATUS_DONE)
        return status;
    if (options_has(&job.options, "help")) {
        backup_job_help(options_backup, synopsis, out);
        return STATUS_DONE;
    }
    is_check = options_has(&job.options, "verify");
    status = check_words(&job, is_check);
    if (status != STATUS_DONE)
        return status;
    if (!is_check && strcmp(job.path, "-") == 0)
        job.out = err;
    rc = is_check ? verify(&job) : back_up(&job);
    backup_job_close(&job);
    return rc == RC_OK ? STATUS_DONE : backup_job_refuse(&job);
}
