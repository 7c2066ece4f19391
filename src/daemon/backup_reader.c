#include "daemon/backup_reader.h"

#include <stdlib.h>

#include "crypto/digest.h"
#include "store/backup.h"

static enum rc refuse(const struct backup_reader *reader, const char *words,
                      struct buffer *out_error)
{
    buffer_append_format(out_error, "%s %s", reader->file->path, words);
    return RC_INVALID;
}

static enum rc read_record(struct backup_reader *reader, struct buffer *out_error)
{
    char head[BACKUP_RECORD_HEAD_BYTES];
    size_t len = 0;
    enum rc rc = backup_file_read(reader->file, head, sizeof(head), out_error);

    if (rc != RC_OK)
        return rc;
    if (backup_length_parse((struct str){ head, sizeof(head) }, &len) != RC_OK)
        return refuse(reader, "has a record that is too long", out_error);
    reader->letter = head[0];
    reader->record = (struct str){ reader->bytes, len };
    return backup_file_read(reader->file, reader->bytes, len, out_error);
}

static enum rc read_head(struct backup_reader *reader, struct buffer *out_error)
{
    enum rc rc = read_record(reader, out_error);

    if (rc != RC_OK)
        return rc;
    if (reader->letter == 'H') {
        memcpy(reader->head_bytes, reader->bytes, reader->record.len);
        explicit_bzero(reader->bytes, reader->record.len); /* the master key, perhaps */
        rc = backup_head_parse((struct str){ reader->head_bytes, reader->record.len },
                               &reader->head);
    }
    if (reader->letter != 'H' || rc != RC_OK)
        return refuse(reader, "has no head", out_error);
    if (reader->head.schema <= backup_schema())
        return RC_OK;
    buffer_append_format(out_error,
                         "%s has schema %lld (jeton %.*s) and this program knows %d: use a newer "
                         "one",
                         reader->file->path, (long long)reader->head.schema,
                         STR_ARGS(reader->head.version), backup_schema());
    return RC_INVALID;
}

enum rc backup_reader_open(struct backup_file *file, struct backup_reader *out_reader,
                           struct buffer *out_error)
{
    enum rc rc;

    *out_reader = (struct backup_reader){ .file = file };
    out_reader->bytes = malloc(BACKUP_RECORD_BYTES_MAX);
    if (out_reader->bytes == NULL) {
        buffer_append_str(out_error, STR("no memory"));
        return RC_SYSTEM;
    }
    rc = read_head(out_reader, out_error);
    if (rc != RC_OK)
        backup_reader_close(out_reader);
    return rc;
}

void backup_reader_close(struct backup_reader *reader)
{
    if (reader->bytes == NULL)
        return;
    explicit_bzero(reader->head_bytes, sizeof(reader->head_bytes)); /* the master key, perhaps */
    free(reader->bytes);
    reader->bytes = NULL;
}

/* ---- tables --------------------------------------------------------------------------------- */

static enum rc take_page(struct backup_reader *reader, struct restore *restore_or_null,
                         struct digest_stream *digest, int64_t *row_count, struct buffer *out_error)
{
    struct str rows = reader->record;
    unsigned count = 0;

    if (rows.len < 4)
        return refuse(reader, "has a malformed page", out_error);
    for (int byte = 0; byte < 4; byte++)
        count = count << 8 | (unsigned char)rows.at[byte];
    rows = str_from(rows, 4);
    *row_count += count;
    digest_stream_add(digest, rows);
    return restore_or_null == NULL ? RC_OK : restore_rows(restore_or_null, rows, count, out_error);
}

static enum rc check_sum(struct backup_reader *reader, int64_t row_count,
                         const unsigned char *digest, struct buffer *out_error)
{
    struct backup_sum sum;

    if (reader->letter != 'S' || backup_sum_parse(reader->record, &sum) != RC_OK)
        return refuse(reader, "has a record where none belongs", out_error);
    if (sum.row_count != row_count || sum.digest.len != SHA256_BYTES ||
        memcmp(sum.digest.at, digest, SHA256_BYTES) != 0) /* tidy: public */
        return refuse(reader, "has rows that are not those that were read from the store",
                      out_error);
    reader->row_count += row_count;
    reader->table_count++;
    return RC_OK;
}

static enum rc run_table(struct backup_reader *reader, struct restore *restore_or_null,
                         struct buffer *out_error)
{
    unsigned char digest[SHA256_BYTES];
    struct digest_stream *stream;
    struct backup_table table;
    int64_t row_count = 0;
    enum rc rc = RC_OK;

    if (reader->letter != 'T' || backup_table_parse(reader->record, &table) != RC_OK)
        return refuse(reader, "has a record where none belongs", out_error);
    if (restore_or_null != NULL)
        rc = restore_table(restore_or_null, table.name, table.columns, table.types, out_error);
    if (rc != RC_OK)
        return rc;
    stream = digest_stream_new();
    do {
        rc = read_record(reader, out_error);
        if (rc == RC_OK && reader->letter == 'P')
            rc = take_page(reader, restore_or_null, stream, &row_count, out_error);
    } while (rc == RC_OK && reader->letter == 'P');
    digest_stream_end(stream, digest);
    return rc == RC_OK ? check_sum(reader, row_count, digest, out_error) : rc;
}

enum rc backup_reader_run(struct backup_reader *reader, struct restore *restore_or_null,
                          struct buffer *out_error)
{
    struct backup_sum end;
    enum rc rc = read_record(reader, out_error);

    while (rc == RC_OK && reader->letter != 'E') {
        rc = run_table(reader, restore_or_null, out_error);
        if (rc == RC_OK)
            rc = read_record(reader, out_error);
    }
    if (rc != RC_OK)
        return rc;
    if (backup_sum_parse(reader->record, &end) != RC_OK || end.row_count != reader->row_count)
        return refuse(reader, "has another number of rows than its end says", out_error);
    return backup_file_expect_end(reader->file, out_error);
}
