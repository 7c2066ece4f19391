#include "store/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum rc folder_path(struct str dir, const char *name, char out_path[static FOLDER_PATH_BYTES_MAX],
                    struct buffer *out_error)
{
    int len = -1;

    if (dir.len > 0 && dir.len < FOLDER_PATH_BYTES_MAX && memchr(dir.at, 0, dir.len) == NULL)
        len = snprintf(out_path, FOLDER_PATH_BYTES_MAX, "%.*s/%s", STR_ARGS(dir), name);
    if (len < 0 || len >= FOLDER_PATH_BYTES_MAX) {
        buffer_append_format(out_error, "the name of the data folder is empty or too long");
        return RC_INVALID;
    }
    return RC_OK;
}

/* When root works on a folder of another user, what it makes must stay usable by that user. */
static void give_to_owner(int fd, struct str dir)
{
    char path[FOLDER_PATH_BYTES_MAX];
    char ignored[1];
    struct buffer error = buffer_over(ignored, sizeof(ignored));
    struct stat status;

    if (geteuid() != 0 || folder_path(dir, ".", path, &error) != RC_OK || stat(path, &status) != 0)
        return;
    if (status.st_uid != 0 && fchown(fd, status.st_uid, status.st_gid) != 0)
        return; /* the next one to open the file will be told */
}

static enum rc refuse_open_mode(const char *path, mode_t mode, mode_t allowed,
                                struct buffer *out_error)
{
    buffer_append_format(out_error,
                         "%s is open to others (mode %04o): chmod %04o it, and think about who may "
                         "have read it",
                         path, (unsigned)(mode & 07777), (unsigned)allowed);
    return RC_INVALID;
}

/* Who forgot `sudo -u` is told of it. */
static enum rc report(const char *verb, const char *path, struct buffer *out_error)
{
    int error = errno;

    buffer_append_format(out_error, "cannot %s %s: %s%s", verb, path, strerror(error),
                         error == EACCES ? "; run this as the user whose data folder it is" : "");
    return error == ENOENT || error == ENOTDIR ? RC_INVALID : RC_UNAVAILABLE;
}

/* A folder that was just made is on disk only when the one above it is. */
static enum rc sync_parent(struct str dir, struct buffer *out_error)
{
    char path[FOLDER_PATH_BYTES_MAX];
    enum rc rc = folder_path(dir, "..", path, out_error);
    int fd;

    if (rc != RC_OK)
        return rc;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return RC_OK; /* one may write into a folder that one may not read */
    if (fsync(fd) != 0) {
        buffer_append_format(out_error, "cannot sync %s: %s", path, strerror(errno));
        rc = RC_UNAVAILABLE;
    }
    close(fd);
    return rc;
}

enum rc folder_check(struct str dir, bool may_make, struct buffer *out_error)
{
    char path[FOLDER_PATH_BYTES_MAX];
    struct stat status;
    enum rc rc = folder_path(dir, ".", path, out_error);

    if (rc != RC_OK)
        return rc;
    path[dir.len] = '\0';
    if (may_make && mkdir(path, 0700) == 0)
        rc = sync_parent(dir, out_error);
    else if (may_make && errno != EEXIST)
        return report("make the data folder", path, out_error);
    if (rc != RC_OK)
        return rc;
    if (stat(path, &status) != 0)
        return report("open the data folder", path, out_error);
    if (!S_ISDIR(status.st_mode)) {
        buffer_append_format(out_error, "%s is not a folder", path);
        return RC_INVALID;
    }
    /* Others may see that the folder is there (the files are closed to them), but who may write
     * into it could put other files in the place of ours. */
    if ((status.st_mode & 0022) != 0)
        return refuse_open_mode(path, status.st_mode, 0700, out_error);
    return RC_OK;
}

enum rc folder_file_check(struct str dir, const char *name, bool may_make, struct buffer *out_error)
{
    char path[FOLDER_PATH_BYTES_MAX];
    struct stat status;
    enum rc rc = folder_path(dir, name, path, out_error);
    int fd;

    if (rc != RC_OK)
        return rc;
    if (may_make) {
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 && errno != EEXIST)
            return report("make", path, out_error);
        if (fd >= 0) {
            give_to_owner(fd, dir);
            close(fd);
        }
    }
    if (lstat(path, &status) != 0) {
        if (errno == ENOENT && !may_make)
            return RC_NOT_FOUND;
        return report("open", path, out_error);
    }
    if (!S_ISREG(status.st_mode)) {
        buffer_append_format(out_error, "%s is not a plain file", path);
        return RC_INVALID;
    }
    if ((status.st_mode & 0077) != 0)
        return refuse_open_mode(path, status.st_mode, 0600, out_error);
    return RC_OK;
}

static void report_holder(int fd, struct str dir, struct buffer *out_error)
{
    char text[32] = { 0 };
    ssize_t len = pread(fd, text, sizeof(text) - 1, 0);
    uint64_t pid = 0;

    if (len > 0 && str_parse_u64(str_trim((struct str){ text, (size_t)len }), INT32_MAX, &pid))
        buffer_append_format(out_error, "process %u holds %.*s", (unsigned)pid, STR_ARGS(dir));
    else
        buffer_append_format(out_error, "another process holds %.*s", STR_ARGS(dir));
}

enum rc folder_lock(struct str dir, int *out_fd, struct buffer *out_error)
{
    char path[FOLDER_PATH_BYTES_MAX];
    enum rc rc = folder_file_check(dir, "lock", true, out_error);
    int fd;

    if (rc == RC_OK)
        rc = folder_path(dir, "lock", path, out_error);
    if (rc != RC_OK)
        return rc;
    fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return report("open", path, out_error);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        report_holder(fd, dir, out_error);
        close(fd);
        return RC_EXISTS;
    }
    /* Only for the message above; the lock does not depend on it. */
    if (ftruncate(fd, 0) != 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0)
        (void)lseek(fd, 0, SEEK_SET);
    *out_fd = fd;
    return RC_OK;
}
