#include "daemon/backup_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/random.h"

/* The head: magic, version, kind of the key, memory and passes of Argon2id, salt, stream header. */
enum {
    VERSION = 1,
    VERSION_AT = 8,
    KIND_AT = 9,
    MEMORY_AT = 12,
    PASSES_AT = 16,
    SALT_AT = 20,
    STREAM_AT = SALT_AT + STREAM_SALT_BYTES
};

_Static_assert(STREAM_AT + STREAM_HEADER_BYTES == BACKUP_HEAD_BYTES, "the head");

static const char magic[] = "JETONBAK";

/* RFC 9106 4 has more for a machine of its own; this is what half a second takes. */
static const struct password_cost passphrase_cost = { 256 * 1024, 4 };

static enum rc explain(const struct backup_file *file, const char *what, struct buffer *out_error)
{
    buffer_append_format(out_error, "%s cannot be %s: %s", file->path, what, strerror(errno));
    return RC_SYSTEM;
}

static enum rc refuse(const struct backup_file *file, const char *words, struct buffer *out_error)
{
    buffer_append_format(out_error, "%s %s", file->path, words);
    return RC_INVALID;
}

static struct str head_str(const struct backup_file *file)
{
    return (struct str){ (const char *)file->head, sizeof(file->head) };
}

static void put_number(unsigned char *at, uint32_t number)
{
    for (int byte = 0; byte < 4; byte++)
        at[byte] = (unsigned char)(number >> (24 - 8 * byte));
}

static uint32_t get_number(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static enum rc set_path(struct backup_file *file, const char *path, struct buffer *out_error)
{
    file->is_standard = strcmp(path, "-") == 0;
    if ((size_t)snprintf(file->partial, sizeof(file->partial), "%s.partial", path) >=
        sizeof(file->partial)) {
        buffer_append_str(out_error, STR("the name of the file is too long"));
        return RC_INVALID;
    }
    snprintf(file->path, sizeof(file->path), "%s", file->is_standard ? "the backup" : path);
    return RC_OK;
}

/* ---- writing -------------------------------------------------------------------------------- */

static enum rc check_name(const char *path, bool may_replace, struct buffer *out_error)
{
    if (may_replace || access(path, F_OK) != 0)
        return RC_OK;
    buffer_append_format(out_error, "%s is there already: name another file, or --force", path);
    return RC_EXISTS;
}

static bool is_same_file(const char *path, int fd)
{
    struct stat named;
    struct stat opened;

    return lstat(path, &named) == 0 && fstat(fd, &opened) == 0 && named.st_dev == opened.st_dev &&
           named.st_ino == opened.st_ino;
}

/* Whoever writes a file has it locked; a file system without locks can tell of nobody. */
static bool is_written(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

static enum rc refuse_second(const struct backup_file *file, struct buffer *out_error)
{
    buffer_append_format(out_error,
                         "another backup is writing %s: wait for it, or name another file",
                         file->partial);
    return RC_EXISTS;
}

/* What an interrupted backup left is nobody's; what another one is writing is not touched. */
static enum rc remove_rest(struct backup_file *file, struct buffer *out_error)
{
    int fd = open(file->partial, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    enum rc rc = RC_OK;

    if (fd < 0 && errno == ENOENT)
        return RC_OK;
    if (fd >= 0 && is_written(fd))
        rc = refuse_second(file, out_error);
    else if ((fd < 0 || is_same_file(file->partial, fd)) && unlink(file->partial) != 0 &&
             errno != ENOENT)
        rc = explain(file, "written", out_error);
    if (fd >= 0)
        close(fd);
    return rc;
}

static enum rc open_partial(struct backup_file *file, struct buffer *out_error)
{
    enum rc rc = remove_rest(file, out_error);
    int fd;

    if (rc != RC_OK)
        return rc;
    fd = open(file->partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno == EEXIST ? refuse_second(file, out_error)
                               : explain(file, "written", out_error);
    /* Another one that began in this moment may have taken it for a rest. */
    if (is_written(fd) || !is_same_file(file->partial, fd)) {
        close(fd);
        return refuse_second(file, out_error);
    }
    file->fd = fd;
    return RC_OK;
}

enum rc backup_file_create(const char *path, enum backup_key_kind kind, bool may_replace,
                           struct backup_file *out_file, struct buffer *out_error)
{
    struct backup_file *file = out_file;
    enum rc rc;

    file->fd = -1;
    rc = set_path(file, path, out_error);
    if (rc != RC_OK)
        return rc;
    file->kind = kind;
    file->cost = kind == BACKUP_KEY_PASSPHRASE ? passphrase_cost : (struct password_cost){ 0, 0 };
    random_bytes(file->salt, sizeof(file->salt));
    if (file->is_standard) {
        file->fd = dup(STDOUT_FILENO);
        return file->fd >= 0 ? RC_OK : explain(file, "written", out_error);
    }
    rc = check_name(path, may_replace, out_error);
    if (rc == RC_OK)
        rc = open_partial(file, out_error);
    /* Again: whoever was writing it may have finished in between. */
    return rc == RC_OK ? check_name(path, may_replace, out_error) : rc;
}

static enum rc write_all(struct backup_file *file, const unsigned char *bytes, size_t count,
                         struct buffer *out_error)
{
    while (count > 0) {
        ssize_t written = write(file->fd, bytes, count);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return explain(file, "written", out_error);
        bytes += written;
        count -= (size_t)written;
        file->byte_count += (uint64_t)written;
    }
    return RC_OK;
}

enum rc backup_file_seal(struct backup_file *file, const unsigned char key[static STREAM_KEY_BYTES],
                         struct buffer *out_error)
{
    memcpy(file->head, magic, VERSION_AT);
    file->head[VERSION_AT] = VERSION;
    file->head[KIND_AT] = (unsigned char)file->kind;
    put_number(file->head + MEMORY_AT, file->cost.memory_kib);
    put_number(file->head + PASSES_AT, file->cost.passes);
    memcpy(file->head + SALT_AT, file->salt, sizeof(file->salt));
    stream_seal_begin(&file->stream, key, file->head + STREAM_AT);
    return write_all(file, file->head, sizeof(file->head), out_error);
}

static enum rc write_chunk(struct backup_file *file, bool is_last, struct buffer *out_error)
{
    stream_seal(&file->stream, (struct str){ (const char *)file->plain, file->len }, head_str(file),
                is_last, file->chunk);
    return write_all(file, file->chunk, file->len + STREAM_OVERHEAD_BYTES, out_error);
}

enum rc backup_file_write(struct backup_file *file, struct str bytes, struct buffer *out_error)
{
    while (bytes.len > 0) {
        size_t count = sizeof(file->plain) - file->len;
        enum rc rc;

        /* A full one is kept until it is known whether it is the last. */
        if (count == 0) {
            rc = write_chunk(file, false, out_error);
            if (rc != RC_OK)
                return rc;
            file->len = 0;
            continue;
        }
        count = bytes.len < count ? bytes.len : count;
        memcpy(file->plain + file->len, bytes.at, count);
        file->len += count;
        bytes = str_from(bytes, count);
    }
    return RC_OK;
}

static bool sync_folder(const struct backup_file *file)
{
    char path[PATH_MAX];
    bool is_synced;
    int fd;

    snprintf(path, sizeof(path), "%s", file->path);
    fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    is_synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return is_synced;
}

enum rc backup_file_finish(struct backup_file *file, struct buffer *out_error)
{
    enum rc rc = write_chunk(file, true, out_error);

    if (rc != RC_OK || file->is_standard)
        return rc;
    if (fsync(file->fd) != 0 || rename(file->partial, file->path) != 0)
        return explain(file, "written", out_error);
    file->partial[0] = '\0';
    return sync_folder(file) ? RC_OK : explain(file, "made to last", out_error);
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Fewer only at the end. */
static enum rc read_most(struct backup_file *file, unsigned char *out_bytes, size_t count,
                         size_t *out_count, struct buffer *out_error)
{
    size_t done = 0;

    while (done < count) {
        ssize_t got = read(file->fd, out_bytes + done, count - done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return explain(file, "read", out_error);
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *out_count = done;
    return RC_OK;
}

static enum rc parse_head(struct backup_file *file, struct buffer *out_error)
{
    const unsigned char *head = file->head;

    if (memcmp(head, magic, VERSION_AT) != 0) /* tidy: public */
        return refuse(file, "is no backup of Jeton", out_error);
    if (head[VERSION_AT] != VERSION || head[KIND_AT] > BACKUP_KEY_PASSPHRASE)
        return refuse(file, "is a backup of another version: use the program that wrote it",
                      out_error);
    file->kind = (enum backup_key_kind)head[KIND_AT];
    file->cost =
        (struct password_cost){ get_number(head + MEMORY_AT), get_number(head + PASSES_AT) };
    memcpy(file->salt, head + SALT_AT, sizeof(file->salt));
    return RC_OK;
}

enum rc backup_file_open(const char *path, struct backup_file *out_file, struct buffer *out_error)
{
    struct backup_file *file = out_file;
    size_t count = 0;
    enum rc rc;

    file->fd = -1;
    rc = set_path(file, path, out_error);
    file->partial[0] = '\0';
    if (rc != RC_OK)
        return rc;
    file->fd = file->is_standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0)
        return explain(file, "read", out_error);
    rc = read_most(file, file->head, sizeof(file->head), &count, out_error);
    if (rc == RC_OK && count < sizeof(file->head))
        return refuse(file, "is no backup of Jeton", out_error);
    return rc == RC_OK ? parse_head(file, out_error) : rc;
}

enum rc backup_file_unseal(struct backup_file *file,
                           const unsigned char key[static STREAM_KEY_BYTES],
                           struct buffer *out_error)
{
    if (!file->is_standard && lseek(file->fd, BACKUP_HEAD_BYTES, SEEK_SET) != BACKUP_HEAD_BYTES)
        return explain(file, "read", out_error);
    file->len = 0;
    file->taken = 0;
    file->has_last = false;
    file->byte_count = BACKUP_HEAD_BYTES;
    if (stream_open_begin(&file->stream, key, file->head + STREAM_AT) != RC_OK)
        return refuse(file, "is no backup of Jeton", out_error);
    return RC_OK;
}

static enum rc read_chunk(struct backup_file *file, struct buffer *out_error)
{
    size_t count = 0;
    enum rc rc = read_most(file, file->chunk, sizeof(file->chunk), &count, out_error);

    if (rc != RC_OK)
        return rc;
    if (count == 0)
        return refuse(file, "is cut off: its end is missing", out_error);
    if (stream_open(&file->stream, (struct str){ (const char *)file->chunk, count }, head_str(file),
                    file->plain, &file->has_last) != RC_OK)
        return refuse(file,
                      file->byte_count == BACKUP_HEAD_BYTES
                          ? "cannot be opened: it has another key, or was changed or cut off"
                          : "was changed or cut off: what follows is not what was written",
                      out_error);
    file->byte_count += count;
    file->len = count - STREAM_OVERHEAD_BYTES;
    file->taken = 0;
    return RC_OK;
}

enum rc backup_file_read(struct backup_file *file, void *out_bytes, size_t count,
                         struct buffer *out_error)
{
    unsigned char *to = out_bytes;

    while (count > 0) {
        size_t part = file->len - file->taken;
        enum rc rc;

        if (part == 0) {
            if (file->has_last)
                return refuse(file, "ends too early", out_error);
            rc = read_chunk(file, out_error);
            if (rc != RC_OK)
                return rc;
            continue;
        }
        part = part < count ? part : count;
        memcpy(to, file->plain + file->taken, part);
        file->taken += part;
        to += part;
        count -= part;
    }
    return RC_OK;
}

enum rc backup_file_expect_end(struct backup_file *file, struct buffer *out_error)
{
    unsigned char byte;
    size_t count = 0;
    enum rc rc = RC_OK;

    if (file->taken == file->len && !file->has_last)
        rc = read_chunk(file, out_error);
    if (rc == RC_OK && file->taken == file->len)
        rc = read_most(file, &byte, 1, &count, out_error);
    if (rc == RC_OK && (file->taken < file->len || count > 0))
        return refuse(file, "has more behind its end", out_error);
    return rc;
}

void backup_file_close(struct backup_file *file)
{
    /* While it is locked: later, the name may be another one's. */
    if (file->fd >= 0 && file->partial[0] != '\0' && !file->is_standard)
        unlink(file->partial);
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
    stream_end(&file->stream);
    explicit_bzero(file->plain, sizeof(file->plain));
}
