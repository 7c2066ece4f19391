/*
 * daemon/backup_file.h: the file of a backup: a head in the clear, and chunks that are encrypted.
 *
 * The head says with which kind of key the file was made: one that is derived from the master key,
 * from the bytes of a key file, or from a passphrase (Argon2id, with its costs and salt). It is
 * bound to every chunk. Chunks are full but the last one, which says that it is: a file that was
 * cut off, or changed anywhere, is refused where that is read.
 *
 * A file is written as NAME.partial, 0600, which is locked meanwhile, and gets its name when all of
 * it is on disk. "-" is standard output, or input.
 */
#ifndef JETON_DAEMON_BACKUP_FILE_H
#define JETON_DAEMON_BACKUP_FILE_H

#include <limits.h>

#include "base/buffer.h"
#include "crypto/stream.h"

enum backup_key_kind { BACKUP_KEY_MASTER = 0, BACKUP_KEY_FILE = 1, BACKUP_KEY_PASSPHRASE = 2 };

enum { BACKUP_HEAD_BYTES = 60, BACKUP_CHUNK_BYTES = 64 * 1024 };

struct backup_file {
    int fd;
    bool is_standard; /* output or input */
    enum backup_key_kind kind;
    struct password_cost cost;
    unsigned char salt[STREAM_SALT_BYTES];
    struct stream stream;
    unsigned char head[BACKUP_HEAD_BYTES];
    char path[PATH_MAX];
    char partial[PATH_MAX];
    uint64_t byte_count; /* of the file, so far */
    bool has_last;
    size_t len;   /* of plain */
    size_t taken; /* of plain, by whoever reads */
    unsigned char plain[BACKUP_CHUNK_BYTES];
    unsigned char chunk[BACKUP_CHUNK_BYTES + STREAM_OVERHEAD_BYTES];
};

/*
 * Begins a file, which has no key yet: backup_file_seal gives it one. Its kind, cost and salt are
 * set.
 *
 * Answers: RC_OK · RC_EXISTS there is such a file, and it is not to be replaced, or another backup
 * is writing it · RC_INVALID.
 * One line in out_error but for RC_OK
 */
enum rc backup_file_create(const char *path, enum backup_key_kind kind, bool may_replace,
                           struct backup_file *out_file, struct buffer *out_error) MUST_CHECK;
enum rc backup_file_seal(struct backup_file *file, const unsigned char key[static STREAM_KEY_BYTES],
                         struct buffer *out_error) MUST_CHECK;

enum rc backup_file_write(struct backup_file *file, struct str bytes,
                          struct buffer *out_error) MUST_CHECK;

/* Writes the end, waits for the disk, and gives the file its name. */
enum rc backup_file_finish(struct backup_file *file, struct buffer *out_error) MUST_CHECK;

/*
 * Reads the head. RC_INVALID: it is no backup, or one of a newer program.
 */
enum rc backup_file_open(const char *path, struct backup_file *out_file,
                         struct buffer *out_error) MUST_CHECK;
/* Begins to read with a key; goes back to the beginning of a file that was read already. */
enum rc backup_file_unseal(struct backup_file *file,
                           const unsigned char key[static STREAM_KEY_BYTES],
                           struct buffer *out_error) MUST_CHECK;

/* RC_INVALID: it ends before that, was changed, or has another key. */
enum rc backup_file_read(struct backup_file *file, void *out_bytes, size_t count,
                         struct buffer *out_error) MUST_CHECK;

/* RC_INVALID: there is more. */
enum rc backup_file_expect_end(struct backup_file *file, struct buffer *out_error) MUST_CHECK;

/* Closes; removes what was not finished. */
void backup_file_close(struct backup_file *file);

#endif
