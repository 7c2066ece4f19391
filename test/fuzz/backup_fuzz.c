/*
 * Whatever a backup's records hold, texts and values lie within them, and a page has as many rows
 * as it says. The input is a row of records, as they stand in the file once it is decrypted.
 */
#include "fuzz.h"

#include "store/backup_form.h"

static struct copy_page page;

static void check_rows(const struct backup_map *map, struct str record)
{
    const struct copy_table_spec *spec = copy_table_spec(map->table);
    unsigned count = 0;

    if (record.len < 4)
        return;
    for (int byte = 0; byte < 4; byte++)
        count = count << 8 | (unsigned char)record.at[byte];
    if (backup_rows_parse(map, str_from(record, 4), count, &page) != RC_OK)
        return;
    ASSERT(page.row_count == count);
    for (unsigned row = 0; row < count; row++) {
        for (unsigned column = 0; column < spec->column_count; column++)
            ASSERT(fuzz_is_within(page.rows[row][column].bytes, record));
    }
}

static void check_table(struct str record, struct backup_map *map, bool *has_map)
{
    struct backup_table table;

    *has_map = false;
    if (backup_table_parse(record, &table) != RC_OK)
        return;
    ASSERT(fuzz_is_within(table.name, record) && fuzz_is_within(table.columns, record) &&
           fuzz_is_within(table.types, record));
    *has_map = backup_map_make(table.name, table.columns, table.types, map) == RC_OK;
    ASSERT(!*has_map || map->column_count <= STORE_PARAM_COUNT_MAX);
}

static void check_others(struct str record)
{
    struct backup_head head;
    struct backup_sum sum;

    if (backup_head_parse(record, &head) == RC_OK)
        ASSERT(fuzz_is_within(head.origin, record) && fuzz_is_within(head.master_key, record) &&
               head.taken_at > 0);
    if (backup_sum_parse(record, &sum) == RC_OK)
        ASSERT(fuzz_is_within(sum.digest, record) && sum.row_count >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = fuzz_input(data, size);
    struct backup_map map;
    bool has_map = false;

    while (rest.len >= BACKUP_RECORD_HEAD_BYTES) {
        struct str head = { rest.at, BACKUP_RECORD_HEAD_BYTES };
        struct str record;
        size_t len = 0;

        if (backup_length_parse(head, &len) != RC_OK)
            return 0;
        rest = str_from(rest, BACKUP_RECORD_HEAD_BYTES);
        if (len > rest.len)
            return 0;
        record = (struct str){ rest.at, len };
        rest = str_from(rest, len);
        if (head.at[0] == 'T')
            check_table(record, &map, &has_map);
        else if (head.at[0] == 'P' && has_map)
            check_rows(&map, record);
        else
            check_others(record);
    }
    return 0;
}
