/*
 * daemon/backup_reader.h: a backup read record by record (store/backup_form.h), with the counts and
 * digests that it has of itself compared.
 */
#ifndef JETON_DAEMON_BACKUP_READER_H
#define JETON_DAEMON_BACKUP_READER_H

#include "daemon/backup_file.h"
#include "store/backup_form.h"
#include "store/restore.h"

struct backup_reader {
    struct backup_file *file;
    struct backup_head head; /* points into head_bytes */
    char head_bytes[BACKUP_NAMES_BYTES_MAX];
    char letter;       /* of the record that was read last */
    struct str record; /* and what it holds, in bytes      */
    char *bytes;
    int64_t row_count; /* of all tables */
    unsigned table_count;
};

/* Reads the head; the file has its key. RC_INVALID with one line, here and below. */
enum rc backup_reader_open(struct backup_file *file, struct backup_reader *out_reader,
                           struct buffer *out_error) MUST_CHECK;

/* Reads all tables to the end, into a store or for themselves alone. Once. */
enum rc backup_reader_run(struct backup_reader *reader, struct restore *restore_or_null,
                          struct buffer *out_error) MUST_CHECK;

/* Wipes; it may never have been opened. */
void backup_reader_close(struct backup_reader *reader);

#endif
