#include "daemon/backup_job.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/digest.h"
#include "daemon/command.h"
#include "daemon/input.h"

enum { KEY_FILE_BYTES_MIN = 32 };

int backup_job_refuse(struct backup_job *job)
{
    char bytes[BACKUP_ERROR_BYTES];
    struct buffer line = buffer_over(bytes, sizeof(bytes));
    struct str words = buffer_str(&job->error);

    /* One event, one line: whatever an engine said. */
    for (size_t i = 0; i < words.len; i++)
        buffer_append_byte(&line, (unsigned char)words.at[i] < 0x20 ? ' ' : words.at[i]);
    sink_flush(job->out);
    sink_format(job->err, "jeton: %s: %.*s\n", job->name, STR_ARGS(str_trim(buffer_str(&line))));
    return STATUS_REFUSED;
}

int backup_job_refuse_usage(struct backup_job *job)
{
    sink_format(job->err, "jeton: %s: %.*s; see 'jeton %s --help'\n", job->name,
                STR_ARGS(buffer_str(&job->error)), job->name);
    return STATUS_USAGE;
}

void backup_job_help(const struct option_spec *specs, const char *synopsis, struct sink *out)
{
    sink_text(out, synopsis);
    for (const struct option_spec *spec = specs; spec->name != NULL; spec++) {
        char left[64];

        snprintf(left, sizeof(left), "  --%s%s%s", spec->name, spec->argument != NULL ? " " : "",
                 spec->argument != NULL ? spec->argument : "");
        sink_column(out, str_of(left), 32);
        sink_format(out, "%s\n", spec->help);
    }
}

int backup_job_parse(struct backup_job *job, const struct option_spec *specs, int argc,
                     char *const *argv)
{
    job->error = buffer_over(job->error_bytes, sizeof(job->error_bytes));
    job->file.fd = -1;
    if (options_parse(specs, NULL, argc, argv, &job->options, &job->error) != RC_OK)
        return backup_job_refuse_usage(job);
    if (options_has(&job->options, "help"))
        return STATUS_DONE;
    if (job->options.argument_count != 1)
        buffer_append_str(&job->error, STR("one FILE is needed"));
    else if (options_has(&job->options, "key-file") &&
             options_has(&job->options, "passphrase-stdin"))
        buffer_append_str(&job->error, STR("a backup has one key: --key-file or "
                                           "--passphrase-stdin"));
    if (job->error.len > 0)
        return backup_job_refuse_usage(job);
    job->path = job->options.arguments[0];
    return STATUS_DONE;
}

int backup_job_place(struct backup_job *job)
{
    const char *folder = options_find(&job->options, "data");
    const char *uri = options_find(&job->options, "database");
    enum rc rc = RC_INVALID;

    if (folder == NULL && uri == NULL)
        buffer_append_str(&job->error, STR("--data DIR or --database URL is needed"));
    else if (uri == NULL)
        rc = store_place_folder(folder, &job->place, &job->error);
    else
        rc = store_place_database(uri, options_find(&job->options, "database-password-file"),
                                  &job->place, &job->error);
    if (rc != RC_OK)
        return backup_job_refuse_usage(job);
    if (job->place.database.has_password)
        sink_text(job->err,
                  "jeton: --database has a password in it, and " DATABASE_PASSWORD_ADVICE "\n");
    return STATUS_DONE;
}

/* ---- keys ----------------------------------------------------------------------------------- */

enum backup_key_kind backup_job_kind(const struct backup_job *job)
{
    if (options_has(&job->options, "passphrase-stdin"))
        return BACKUP_KEY_PASSPHRASE;
    return options_has(&job->options, "key-file") ? BACKUP_KEY_FILE : BACKUP_KEY_MASTER;
}

enum rc backup_job_open_master_key(struct backup_job *job)
{
    bool was_made;

    if (job->master_key.bytes != NULL)
        return RC_OK;
    return master_key_open(options_find(&job->options, "data"),
                           options_find(&job->options, "master-key-file"), false, &job->master_key,
                           &was_made, &job->error);
}

static enum rc read_key_file(struct backup_job *job)
{
    const char *path = options_find(&job->options, "key-file");
    unsigned char bytes[SECRET_BYTES_MAX + 1];
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = -1;

    /* LG-05 */
    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
        (status.st_mode & 0077) == 0)
        len = read(fd, bytes, sizeof(bytes));
    if (fd >= 0)
        close(fd);
    if (len < KEY_FILE_BYTES_MIN || len > SECRET_BYTES_MAX) {
        explicit_bzero(bytes, sizeof(bytes));
        buffer_append_format(&job->error,
                             "the key file %s must be a file of 32 to 1024 bytes that nobody else "
                             "can read or write; make one with (umask 077; head -c 32 "
                             "/dev/urandom >%s)",
                             path, path);
        return RC_INVALID;
    }
    hkdf_sha256((struct str){ (const char *)bytes, (size_t)len }, STR("backup key file"), job->key);
    explicit_bzero(bytes, sizeof(bytes));
    return RC_OK;
}

static enum rc read_passphrase(struct backup_job *job)
{
    AUTO(secret) passphrase = { 0 };
    enum rc rc = input_read(&passphrase, &job->error);

    if (rc != RC_OK)
        return rc;
    rc = stream_key_of_passphrase(&passphrase, job->file.cost, job->file.salt, job->key);
    if (rc == RC_INVALID)
        buffer_append_format(&job->error, "%s asks for more work than is done for a passphrase",
                             job->file.path);
    else if (rc != RC_OK)
        buffer_append_str(&job->error, STR("no memory to work out the key of the passphrase"));
    return rc;
}

enum rc backup_job_open_key(struct backup_job *job)
{
    static const char *const words[] = {
        [BACKUP_KEY_MASTER] = ("the master key of its store: give neither --key-file nor "
                               "--passphrase-stdin"),
        [BACKUP_KEY_FILE] = "a key file: name it with --key-file",
        [BACKUP_KEY_PASSPHRASE] = "a passphrase: give it with --passphrase-stdin",
    };
    enum rc rc;

    if (job->file.kind != backup_job_kind(job)) {
        buffer_append_format(&job->error, "%s was made with %s", job->file.path,
                             words[job->file.kind]);
        return RC_INVALID;
    }
    if (job->file.kind == BACKUP_KEY_FILE)
        return read_key_file(job);
    if (job->file.kind == BACKUP_KEY_PASSPHRASE)
        return read_passphrase(job);
    rc = backup_job_open_master_key(job);
    if (rc == RC_OK)
        hkdf_sha256((struct str){ (const char *)job->master_key.bytes, MASTER_KEY_BYTES },
                    STR("backup"), job->key);
    return rc;
}

void backup_job_close(struct backup_job *job)
{
    backup_file_close(&job->file);
    explicit_bzero(job->key, sizeof(job->key));
    master_key_close(&job->master_key);
    store_place_close(&job->place);
}
