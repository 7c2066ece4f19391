#include "store/backup_form.h"

enum { FORM_HEAD_BYTES = 9 };

/* ---- records -------------------------------------------------------------------------------- */

static void put_number(uint64_t number, struct buffer *to)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        buffer_append_byte(to, (char)(number >> shift & 0xff));
}

static void put_text(struct str text, struct buffer *to)
{
    put_number(text.len, to);
    buffer_append_str(to, text);
}

static uint64_t read_number(const char *bytes)
{
    uint64_t number = 0;

    for (unsigned byte = 0; byte < 8; byte++)
        number = number << 8 | (unsigned char)bytes[byte];
    return number;
}

static bool take_number(struct str *rest, int64_t *out_number)
{
    uint64_t number;

    if (rest->len < 8)
        return false;
    number = read_number(rest->at);
    *rest = str_from(*rest, 8);
    *out_number = (int64_t)number;
    return number <= INT64_MAX;
}

static bool take_text(struct str *rest, struct str *out_text)
{
    int64_t len;

    if (!take_number(rest, &len) || (uint64_t)len > rest->len)
        return false;
    *out_text = (struct str){ rest->at, (size_t)len };
    *rest = str_from(*rest, (size_t)len);
    return true;
}

void backup_head_format(const struct backup_head *head, struct buffer *to)
{
    put_number((uint64_t)head->schema, to);
    put_number((uint64_t)head->taken_at, to);
    put_text(head->version, to);
    put_text(head->origin, to);
    put_text(head->master_key, to);
}

void backup_table_format(const struct backup_table *table, struct buffer *to)
{
    put_text(table->name, to);
    put_text(table->columns, to);
    put_text(table->types, to);
}

void backup_sum_format(const struct backup_sum *sum, struct buffer *to)
{
    put_number((uint64_t)sum->row_count, to);
    put_text(sum->digest, to);
}

enum rc backup_head_parse(struct str record, struct backup_head *out_head)
{
    struct backup_head head;

    if (!take_number(&record, &head.schema) || !take_number(&record, &head.taken_at) ||
        !take_text(&record, &head.version) || !take_text(&record, &head.origin) ||
        !take_text(&record, &head.master_key) || record.len > 0 || head.taken_at == 0 ||
        (head.master_key.len != 0 && head.master_key.len != BACKUP_KEY_BYTES))
        return RC_INVALID;
    *out_head = head;
    return RC_OK;
}

enum rc backup_table_parse(struct str record, struct backup_table *out_table)
{
    struct backup_table table;

    if (!take_text(&record, &table.name) || !take_text(&record, &table.columns) ||
        !take_text(&record, &table.types) || record.len > 0)
        return RC_INVALID;
    *out_table = table;
    return RC_OK;
}

enum rc backup_sum_parse(struct str record, struct backup_sum *out_sum)
{
    struct backup_sum sum;

    if (!take_number(&record, &sum.row_count) || !take_text(&record, &sum.digest) ||
        record.len > 0 || (sum.digest.len != 0 && sum.digest.len != BACKUP_DIGEST_BYTES))
        return RC_INVALID;
    *out_sum = sum;
    return RC_OK;
}

enum rc backup_length_parse(struct str head, size_t *out_len)
{
    size_t len = 0;

    ASSERT(head.len == BACKUP_RECORD_HEAD_BYTES);
    for (size_t i = 1; i < head.len; i++)
        len = len << 8 | (unsigned char)head.at[i];
    if (len > (head.at[0] == 'P' ? (size_t)BACKUP_RECORD_BYTES_MAX : BACKUP_NAMES_BYTES_MAX))
        return RC_INVALID;
    *out_len = len;
    return RC_OK;
}

/* ---- tables --------------------------------------------------------------------------------- */

static bool find_table(struct str name, enum copy_table *out_table)
{
    for (unsigned table = 0; table < COPY_TABLE_COUNT; table++) {
        if (!str_equal(name, str_of(copy_table_spec((enum copy_table)table)->name)))
            continue;
        *out_table = (enum copy_table)table;
        return true;
    }
    return false;
}

static bool find_column(const struct copy_table_spec *spec, struct str name, unsigned *out_column)
{
    for (unsigned column = 0; column < spec->column_count; column++) {
        if (str_equal(name, copy_column_name(spec, column))) {
            *out_column = column;
            return true;
        }
    }
    return false;
}

static struct str take_name(struct str *rest)
{
    struct str name = { rest->at, str_index_of(*rest, ',') };

    *rest = str_from(*rest, name.len < rest->len ? name.len + 1 : name.len);
    return str_trim(name);
}

enum rc backup_map_make(struct str name, struct str columns, struct str types,
                        struct backup_map *out_map)
{
    struct backup_map map = { .column_count = 0 };
    const struct copy_table_spec *spec;
    uint32_t taken = 0;

    if (!find_table(name, &map.table))
        return RC_NOT_FOUND;
    spec = copy_table_spec(map.table);
    if (types.len == 0 || types.len > spec->column_count)
        return RC_INVALID;
    for (; map.column_count < types.len; map.column_count++) {
        unsigned column;

        if (!find_column(spec, take_name(&columns), &column) || (taken & 1u << column) != 0 ||
            spec->types[column] != types.at[map.column_count])
            return RC_INVALID;
        taken |= 1u << column;
        map.to[map.column_count] = (unsigned char)column;
    }
    if (columns.len > 0 || (~taken & ((1u << spec->key_column_count) - 1)) != 0)
        return RC_INVALID;
    *out_map = map;
    return RC_OK;
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* The letter that a value of a column of this type has. */
static char letter_of(char type)
{
    return type == 'K' ? 'I' : type;
}

static void set_default(char type, struct store_param *param)
{
    *param = (struct store_param){ .bytes = { "", 0 } };
    param->type = type == 'T' ? STORE_TEXT : type == 'B' ? STORE_BLOB : STORE_INT;
}

static bool take_value(struct str *rest, char type, struct store_param *out_param)
{
    uint64_t number;
    char letter;

    if (rest->len < FORM_HEAD_BYTES)
        return false;
    letter = rest->at[0];
    number = read_number(rest->at + 1);
    *rest = str_from(*rest, FORM_HEAD_BYTES);
    set_default(type, out_param);
    if (letter == 'N') {
        out_param->type = STORE_NULL;
        return number == 0;
    }
    if (letter != letter_of(type))
        return false;
    if (letter == 'I') {
        out_param->number = (int64_t)number;
        return true;
    }
    if (number > rest->len)
        return false;
    out_param->bytes = (struct str){ rest->at, (size_t)number };
    *rest = str_from(*rest, (size_t)number);
    return true;
}

enum rc backup_rows_parse(const struct backup_map *map, struct str rows, unsigned row_count,
                          struct copy_page *out_page)
{
    const struct copy_table_spec *spec = copy_table_spec(map->table);

    if (row_count > COPY_PAGE_ROW_COUNT)
        return RC_INVALID;
    out_page->len = 0;
    out_page->row_count = row_count;
    for (unsigned row = 0; row < row_count; row++) {
        struct store_param *params = out_page->rows[row];

        for (unsigned column = 0; column < spec->column_count; column++)
            set_default(spec->types[column], &params[column]);
        for (unsigned index = 0; index < map->column_count; index++) {
            unsigned column = map->to[index];

            if (!take_value(&rows, spec->types[column], &params[column]))
                return RC_INVALID;
        }
    }
    return rows.len == 0 ? RC_OK : RC_INVALID;
}
