/* The form of a backup, read with suspicion: what we wrote is read, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/backup_form.h"

enum { RECORD_BYTES = 512 };

#define KEY    "0123456789abcdef0123456789abcdef"
#define DIGEST "fedcba9876543210fedcba9876543210"

/* A record in memory of exactly its size, so that a sanitizer sees a read past it. */
struct exact {
    struct str view;
    char *at;
};

static struct exact exact_of(struct str record, size_t len)
{
    struct exact exact = { .at = malloc(len == 0 ? 1 : len) };

    assert_non_null(exact.at);
    memcpy(exact.at, record.at, len < record.len ? len : record.len);
    if (len > record.len)
        exact.at[record.len] = 'x';
    exact.view = (struct str){ exact.at, len };
    return exact;
}

typedef enum rc parse_record(struct str record);

static enum rc parse_head(struct str record)
{
    struct backup_head head;

    return backup_head_parse(record, &head);
}

static enum rc parse_table(struct str record)
{
    struct backup_table table;

    return backup_table_parse(record, &table);
}

static enum rc parse_sum(struct str record)
{
    struct backup_sum sum;

    return backup_sum_parse(record, &sum);
}

/* Good as it is; not a byte less, nor a byte more. */
static void check_lengths(struct str record, parse_record *parse)
{
    for (size_t len = 0; len <= record.len + 1; len++) {
        struct exact exact = exact_of(record, len);

        assert_int_equal(parse(exact.view), len == record.len ? RC_OK : RC_INVALID);
        free(exact.at);
    }
}

static void test_head(void **state)
{
    const struct backup_head written = { 6, 1700000000, STR("0.1.0"), STR("sealed value"),
                                         STR(KEY) };
    char memory[RECORD_BYTES];
    struct buffer record = buffer_over(memory, sizeof(memory));
    struct backup_head read;

    (void)state;
    backup_head_format(&written, &record);
    assert_int_equal(backup_head_parse(buffer_str(&record), &read), RC_OK);
    assert_int_equal(read.schema, 6);
    assert_int_equal(read.taken_at, 1700000000);
    assert_true(str_equal(read.version, written.version));
    assert_true(str_equal(read.origin, written.origin));
    assert_true(str_equal(read.master_key, written.master_key));
    check_lengths(buffer_str(&record), parse_head);
}

static enum rc parse_formatted_head(const struct backup_head *head)
{
    char memory[RECORD_BYTES];
    struct buffer record = buffer_over(memory, sizeof(memory));

    backup_head_format(head, &record);
    return parse_head(buffer_str(&record));
}

static void test_heads_that_are_none(void **state)
{
    struct backup_head head = { 6, 1700000000, STR(""), STR(""), STR("") };

    (void)state;
    assert_int_equal(parse_formatted_head(&head), RC_OK); /* the key is not in it */
    head.master_key = STR("short");
    assert_int_equal(parse_formatted_head(&head), RC_INVALID);
    head.master_key = STR(KEY "x");
    assert_int_equal(parse_formatted_head(&head), RC_INVALID);
    head.master_key = STR(KEY);
    head.taken_at = 0;
    assert_int_equal(parse_formatted_head(&head), RC_INVALID);
    head.taken_at = -1;
    assert_int_equal(parse_formatted_head(&head), RC_INVALID);
    head.taken_at = 1;
    head.schema = INT64_MIN;
    assert_int_equal(parse_formatted_head(&head), RC_INVALID);
}

/* A length that only fits when it wraps round. */
static void test_lengths_beyond_the_record(void **state)
{
    const struct backup_table table = { STR("name"), STR("name"), STR("T") };
    char memory[RECORD_BYTES];
    struct buffer record = buffer_over(memory, sizeof(memory));

    (void)state;
    backup_table_format(&table, &record);
    assert_int_equal(parse_table(buffer_str(&record)), RC_OK);
    memset(memory, 0xff, 8);
    assert_int_equal(parse_table(buffer_str(&record)), RC_INVALID);
    memory[0] = 0x7f;
    assert_int_equal(parse_table(buffer_str(&record)), RC_INVALID);
}

static void test_table_and_sum(void **state)
{
    const struct backup_table table = { STR("account"), STR("id, name"), STR("KT") };
    const struct backup_sum sum = { 3, STR(DIGEST) };
    char memory[RECORD_BYTES];
    struct buffer record = buffer_over(memory, sizeof(memory));
    struct backup_table read_table;
    struct backup_sum read_sum;

    (void)state;
    backup_table_format(&table, &record);
    assert_int_equal(backup_table_parse(buffer_str(&record), &read_table), RC_OK);
    assert_true(str_equal(read_table.name, table.name));
    assert_true(str_equal(read_table.columns, table.columns));
    assert_true(str_equal(read_table.types, table.types));
    check_lengths(buffer_str(&record), parse_table);
    record = buffer_over(memory, sizeof(memory));
    backup_sum_format(&sum, &record);
    assert_int_equal(backup_sum_parse(buffer_str(&record), &read_sum), RC_OK);
    assert_int_equal(read_sum.row_count, 3);
    assert_true(str_equal(read_sum.digest, sum.digest));
    check_lengths(buffer_str(&record), parse_sum);
    record = buffer_over(memory, sizeof(memory));
    backup_sum_format(&(struct backup_sum){ 3, STR("no digest") }, &record);
    assert_int_equal(parse_sum(buffer_str(&record)), RC_INVALID);
    record = buffer_over(memory, sizeof(memory));
    backup_sum_format(&(struct backup_sum){ 3, STR("") }, &record);
    assert_int_equal(parse_sum(buffer_str(&record)), RC_OK); /* of the end */
}

static void check_length(char letter, uint32_t len, enum rc expected)
{
    const char head[BACKUP_RECORD_HEAD_BYTES] = { letter, (char)(len >> 24), (char)(len >> 16),
                                                  (char)(len >> 8), (char)len };
    size_t read = 1;

    assert_int_equal(backup_length_parse((struct str){ head, sizeof(head) }, &read), expected);
    assert_int_equal(read, expected == RC_OK ? len : 1);
}

static void test_only_pages_are_long(void **state)
{
    (void)state;
    check_length('P', BACKUP_RECORD_BYTES_MAX, RC_OK);
    check_length('P', (uint32_t)BACKUP_RECORD_BYTES_MAX + 1, RC_INVALID);
    check_length('P', UINT32_MAX, RC_INVALID);
    check_length('T', BACKUP_NAMES_BYTES_MAX, RC_OK);
    check_length('T', BACKUP_NAMES_BYTES_MAX + 1, RC_INVALID);
    check_length('H', 0, RC_OK);
    check_length('E', BACKUP_RECORD_BYTES_MAX, RC_INVALID);
}

/* ---- tables --------------------------------------------------------------------------------- */

static enum rc map(const char *name, const char *columns, const char *types)
{
    struct backup_map made;

    return backup_map_make(str_of(name), str_of(columns), str_of(types), &made);
}

static void test_every_table_of_ours_is_known(void **state)
{
    struct backup_map made;

    (void)state;
    for (unsigned table = 0; table < COPY_TABLE_COUNT; table++) {
        const struct copy_table_spec *spec = copy_table_spec((enum copy_table)table);

        assert_int_equal(
            backup_map_make(str_of(spec->name), str_of(spec->columns), str_of(spec->types), &made),
            RC_OK);
        assert_int_equal(made.table, table);
        assert_int_equal(made.column_count, spec->column_count);
        for (unsigned column = 0; column < spec->column_count; column++)
            assert_int_equal(made.to[column], column);
    }
}

/* An older backup has fewer columns, and may have them in another order. */
static void test_columns_may_lack(void **state)
{
    struct backup_map made;

    (void)state;
    assert_int_equal(backup_map_make(STR("token"), STR("digest,id"), STR("BK"), &made), RC_OK);
    assert_int_equal(made.column_count, 2);
    assert_int_equal(made.to[0], 6);
    assert_int_equal(made.to[1], 0);
}

static void test_tables_that_are_refused(void **state)
{
    (void)state;
    assert_int_equal(map("sqlite_master", "id", "K"), RC_NOT_FOUND);
    assert_int_equal(map("", "id", "K"), RC_NOT_FOUND);
    assert_int_equal(map("token", "id", ""), RC_INVALID);
    assert_int_equal(map("token", "", "K"), RC_INVALID);
    assert_int_equal(map("token", "id, nothing", "KT"), RC_INVALID);
    assert_int_equal(map("token", "id, id", "KK"), RC_INVALID);
    assert_int_equal(map("token", "id, kind", "KT"), RC_INVALID);
    assert_int_equal(map("token", "id, kind", "K"), RC_INVALID);
    assert_int_equal(map("token", "kind", "I"), RC_INVALID); /* the key is missing */
    assert_int_equal(
        map("token", "id, kind, format, grant_id, issued_at, expires_at, digest, id", "KIIIIIBK"),
        RC_INVALID);
    assert_int_equal(map("managed", "kind, source", "IT"), RC_INVALID); /* a half of the key */
}

/* ---- rows ----------------------------------------------------------------------------------- */

static void append_value(struct buffer *row, char letter, uint64_t number, struct str bytes)
{
    buffer_append_byte(row, letter);
    for (int shift = 56; shift >= 0; shift -= 8)
        buffer_append_byte(row, (char)(number >> shift & 0xff));
    buffer_append_str(row, bytes);
}

static enum rc read_rows(const char *columns, const char *types, const struct buffer *rows,
                         unsigned row_count, struct copy_page *page)
{
    struct exact exact = exact_of(buffer_str(rows), rows->len);
    struct backup_map made;
    enum rc rc;

    assert_int_equal(backup_map_make(STR("account"), str_of(columns), str_of(types), &made), RC_OK);
    rc = backup_rows_parse(&made, exact.view, row_count, page);
    if (rc == RC_OK && row_count > 0) /* texts point into the record */
        page->rows[0][1].bytes = STR("");
    free(exact.at);
    return rc;
}

static void test_rows(void **state)
{
    struct copy_page *page = *state;
    char memory[RECORD_BYTES];
    struct buffer rows = buffer_over(memory, sizeof(memory));
    struct backup_map made;

    append_value(&rows, 'T', 3, STR("ada"));
    append_value(&rows, 'I', 7, STR(""));
    append_value(&rows, 'T', 0, STR(""));
    append_value(&rows, 'I', (uint64_t)INT64_MIN, STR(""));
    assert_int_equal(backup_map_make(STR("account"), STR("name, id"), STR("TK"), &made), RC_OK);
    assert_int_equal(backup_rows_parse(&made, buffer_str(&rows), 2, page), RC_OK);
    assert_int_equal(page->row_count, 2);
    assert_int_equal(page->len, 0);
    assert_int_equal(page->rows[0][0].number, 7);
    assert_true(str_equal(page->rows[0][1].bytes, STR("ada")));
    assert_int_equal(page->rows[1][0].number, INT64_MIN);
    assert_int_equal(page->rows[1][1].bytes.len, 0);
    /* What the backup does not have is empty, or 0. */
    assert_int_equal(page->rows[0][5].type, STORE_TEXT);
    assert_int_equal(page->rows[0][5].bytes.len, 0);
    assert_int_equal(page->rows[0][6].type, STORE_INT);
    assert_int_equal(page->rows[0][6].number, 0);
}

static void test_no_value(void **state)
{
    struct copy_page *page = *state;
    char memory[RECORD_BYTES];
    struct buffer rows = buffer_over(memory, sizeof(memory));

    append_value(&rows, 'N', 0, STR(""));
    assert_int_equal(read_rows("id", "K", &rows, 1, page), RC_OK);
    assert_int_equal(page->rows[0][0].type, STORE_NULL);
    memory[8] = 1;
    assert_int_equal(read_rows("id", "K", &rows, 1, page), RC_INVALID);
}

static void test_rows_that_are_none(void **state)
{
    struct copy_page *page = *state;
    char memory[RECORD_BYTES];
    struct buffer rows = buffer_over(memory, sizeof(memory));

    append_value(&rows, 'I', 7, STR(""));
    append_value(&rows, 'T', 3, STR("ada"));
    assert_int_equal(read_rows("id, name", "KT", &rows, 1, page), RC_OK);
    assert_int_equal(read_rows("id, name", "KT", &rows, 0, page), RC_INVALID); /* more */
    assert_int_equal(read_rows("id, name", "KT", &rows, 2, page), RC_INVALID); /* fewer */
    for (rows.len = 0; rows.len < 2 * 9 + 3; rows.len++)
        assert_int_equal(read_rows("id, name", "KT", &rows, 1, page), RC_INVALID);
    memory[9] = 'B'; /* bytes in a column of text */
    assert_int_equal(read_rows("id, name", "KT", &rows, 1, page), RC_INVALID);
    memory[9] = 'T';
    memset(memory + 10, 0xff, 8); /* longer than everything */
    assert_int_equal(read_rows("id, name", "KT", &rows, 1, page), RC_INVALID);
    rows.len = 0;
    assert_int_equal(read_rows("id, name", "KT", &rows, 0, page), RC_OK);
    assert_int_equal(read_rows("id", "K", &rows, COPY_PAGE_ROW_COUNT + 1, page), RC_INVALID);
}

/* Too large for a stack. */
static int make_page(void **state)
{
    *state = calloc(1, sizeof(struct copy_page));
    return *state == NULL ? -1 : 0;
}

static int free_page(void **state)
{
    free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_heads_that_are_none),
        cmocka_unit_test(test_lengths_beyond_the_record),
        cmocka_unit_test(test_table_and_sum),
        cmocka_unit_test(test_only_pages_are_long),
        cmocka_unit_test(test_every_table_of_ours_is_known),
        cmocka_unit_test(test_columns_may_lack),
        cmocka_unit_test(test_tables_that_are_refused),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_no_value),
        cmocka_unit_test(test_rows_that_are_none),
    };

    return cmocka_run_group_tests(tests, make_page, free_page);
}
