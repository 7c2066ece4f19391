#include "daemon/master_key.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/random.h"

enum { PATH_BYTES_MAX = 1024 };

/* What may be open: systemd shows a credential's access list in the bits of the group. */
enum { FILE_OPEN_BITS = 0077, CREDENTIAL_OPEN_BITS = 0037 };

static unsigned char *key_page_new(void)
{
    unsigned char *page =
        mmap(NULL, MASTER_KEY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ASSERT(page != MAP_FAILED);
    /* Both are the best that can be had; the process as a whole is not dumpable anyway. */
    (void)mlock(page, MASTER_KEY_BYTES);
    (void)madvise(page, MASTER_KEY_BYTES, MADV_DONTDUMP);
    return page;
}

static enum rc refuse(struct buffer *out_error, const char *path, const char *words)
{
    buffer_append_format(out_error, "the master key %s %s", path, words);
    return RC_INVALID;
}

static enum rc check_open(int fd, const char *path, mode_t open_bits, struct buffer *out_error)
{
    struct stat status;

    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return refuse(out_error, path, "is no regular file");
    if ((status.st_mode & open_bits) != 0)
        return refuse(out_error, path, "can be read or written by others; make it 0600");
    if (status.st_uid != geteuid() && status.st_uid != 0 && geteuid() != 0)
        return refuse(out_error, path, "belongs to another user");
    return RC_OK;
}

static enum rc read_key(int fd, const char *path, mode_t open_bits, struct master_key *out_key,
                        struct buffer *out_error)
{
    unsigned char one_more;
    ssize_t len;
    enum rc rc;

    rc = check_open(fd, path, open_bits, out_error);
    if (rc != RC_OK)
        return rc;
    out_key->bytes = key_page_new();
    len = read(fd, out_key->bytes, MASTER_KEY_BYTES);
    if (len == MASTER_KEY_BYTES && read(fd, &one_more, 1) == 0)
        return RC_OK;
    master_key_close(out_key);
    return refuse(out_error, path, "is not 32 bytes long");
}

/* When root works on a folder of another user, the key must stay readable by that user. */
static void give_to_owner(int fd, struct str data_dir)
{
    char folder[PATH_BYTES_MAX];
    struct stat status;

    snprintf(folder, sizeof(folder), "%.*s", STR_ARGS(data_dir));
    if (geteuid() == 0 && stat(folder, &status) == 0 && status.st_uid != 0 &&
        fchown(fd, status.st_uid, status.st_gid) != 0)
        return; /* the server will say so when it cannot read the key */
}

/* Made under another name first: a key that was written by half must never be found. */
static enum rc write_key(struct str data_dir, const char *path, const unsigned char *bytes,
                         struct buffer *out_error)
{
    char draft[PATH_BYTES_MAX + 8];
    bool is_written;
    int fd;

    snprintf(draft, sizeof(draft), "%s.new", path);
    (void)unlink(draft); /* of an interrupted try, and perhaps open to others */
    fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return refuse(out_error, path, strerror(errno));
    give_to_owner(fd, data_dir);
    is_written = write(fd, bytes, MASTER_KEY_BYTES) == MASTER_KEY_BYTES && fsync(fd) == 0;
    if (close(fd) == 0 && is_written && rename(draft, path) == 0)
        return RC_OK;
    refuse(out_error, path, strerror(errno));
    unlink(draft);
    return RC_INVALID;
}

static enum rc make_key(struct str data_dir, const char *path, struct master_key *out_key,
                        struct buffer *out_error)
{
    enum rc rc;

    out_key->bytes = key_page_new();
    random_bytes(out_key->bytes, MASTER_KEY_BYTES);
    rc = write_key(data_dir, path, out_key->bytes, out_error);
    if (rc != RC_OK)
        master_key_close(out_key);
    return rc;
}

/* The folder must remember the new name, or the store's seals outlive their key. */
static enum rc sync_folder(struct str data_dir, const char *path, struct buffer *out_error)
{
    char folder[PATH_BYTES_MAX];
    int fd;
    bool is_synced;

    snprintf(folder, sizeof(folder), "%.*s", STR_ARGS(data_dir));
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    is_synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return is_synced ? RC_OK : refuse(out_error, path, "could not be made to last");
}

/* What to do, in a store that has no key yet and in one that has. */
static enum rc refuse_missing(const char *path, bool is_new, struct buffer *out_error)
{
    if (!is_new)
        return refuse(out_error, path,
                      "is missing; put the one there that the store was sealed "
                      "with, from a backup or another server of this store");
    buffer_append_format(out_error,
                         "the master key %s is missing; for a new store make one with "
                         "(umask 077; head -c 32 /dev/urandom >%s), and keep a copy elsewhere",
                         path, path);
    return RC_INVALID;
}

static enum rc open_named(const char *path, mode_t open_bits, bool is_new,
                          struct master_key *out_key, struct buffer *out_error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum rc rc;

    if (fd < 0 && errno == ENOENT)
        return refuse_missing(path, is_new, out_error);
    if (fd < 0)
        return refuse(out_error, path, strerror(errno));
    rc = read_key(fd, path, open_bits, out_key, out_error);
    close(fd);
    return rc;
}

static enum rc open_in_folder(struct str data_dir, bool may_make, struct master_key *out_key,
                              bool *out_was_made, struct buffer *out_error)
{
    char path[PATH_BYTES_MAX];
    enum rc rc;

    if (snprintf(path, sizeof(path), "%.*s/master.key", STR_ARGS(data_dir)) >= PATH_BYTES_MAX)
        return refuse(out_error, "", "has too long a name");
    if (access(path, F_OK) == 0)
        return open_named(path, FILE_OPEN_BITS, may_make, out_key, out_error);
    if (!may_make)
        return refuse(out_error, path,
                      "is missing; name the one that this store was sealed with by "
                      "--master-key-file, or copy it there");
    rc = make_key(data_dir, path, out_key, out_error);
    if (rc == RC_OK)
        rc = sync_folder(data_dir, path, out_error);
    if (rc == RC_OK)
        *out_was_made = true;
    else
        master_key_close(out_key);
    return rc;
}

enum rc master_key_keep(const char *data, const char *file,
                        const unsigned char bytes[static MASTER_KEY_BYTES],
                        struct buffer *out_error)
{
    char path[PATH_BYTES_MAX];
    char folder[PATH_BYTES_MAX];
    struct str dir;
    int len = file != NULL ? snprintf(path, sizeof(path), "%s", file)
                           : snprintf(path, sizeof(path), "%s/master.key", data);
    enum rc rc;

    if (len < 0 || len >= PATH_BYTES_MAX)
        return refuse(out_error, "", "has too long a name");
    if (access(path, F_OK) == 0)
        return refuse(out_error, path, "is there already");
    snprintf(folder, sizeof(folder), "%s", path);
    dir = str_of(dirname(folder));
    rc = write_key(dir, path, bytes, out_error);
    return rc == RC_OK ? sync_folder(dir, path, out_error) : rc;
}

void master_key_remove(const char *data)
{
    char path[PATH_BYTES_MAX];

    if (snprintf(path, sizeof(path), "%s/master.key", data) < PATH_BYTES_MAX)
        unlink(path);
}

enum rc master_key_open(const char *data, const char *file, bool may_make,
                        struct master_key *out_key, bool *out_was_made, struct buffer *out_error)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    char path[PATH_BYTES_MAX];

    out_key->bytes = NULL;
    *out_was_made = false;
    if (file != NULL)
        return open_named(file, FILE_OPEN_BITS, may_make, out_key, out_error);
    if (credentials != NULL &&
        snprintf(path, sizeof(path), "%s/jeton-master-key", credentials) < PATH_BYTES_MAX &&
        access(path, F_OK) == 0)
        return open_named(path, CREDENTIAL_OPEN_BITS, may_make, out_key, out_error);
    if (data == NULL) {
        buffer_append_str(out_error,
                          STR("--data DIR or --master-key-file FILE is needed; with --database "
                              "the latter, the same 32 bytes on every server"));
        return RC_INVALID;
    }
    return open_in_folder(str_of(data), may_make, out_key, out_was_made, out_error);
}

void master_key_close(struct master_key *key)
{
    if (key->bytes == NULL)
        return;
    explicit_bzero(key->bytes, MASTER_KEY_BYTES);
    munmap(key->bytes, MASTER_KEY_BYTES);
    key->bytes = NULL;
}
