/* The list of tables that a move copies is the schema's; both are read here. */
#include "fixture.h"
#include "store/copy.h"

/* The schema as no engine has it: a letter for each type, as in store/tables.def. */
static const struct schema_step schema[] = {
#define T_INT                      "I"
#define T_TEXT                     "T"
#define T_BYTES                    "B"
#define T_ID                       "K"
#define T_STRICT                   ""
#define SCHEMA_STEP(version, text) { version, text },
#include "store/schema.def"
#undef SCHEMA_STEP
};

enum {
    STEP_COUNT = sizeof(schema) / sizeof(schema[0]),
    TABLE_COUNT_MAX = 64,
    COLUMN_COUNT_MAX = 32
};

struct table {
    struct str name;
    unsigned column_count;
    struct str columns[COLUMN_COUNT_MAX];
    char types[COLUMN_COUNT_MAX + 1];
};

static struct table tables[TABLE_COUNT_MAX];
static unsigned table_count;

static struct table *find_table(struct str name)
{
    unsigned index;

    for (index = 0; index < table_count; index++) {
        if (str_equal(tables[index].name, name))
            return &tables[index];
    }
    return NULL;
}

static struct str take_word(struct str *rest)
{
    struct str word;

    *rest = str_trim(*rest);
    word = (struct str){ rest->at, 0 };
    while (word.len < rest->len && strchr(" (),", rest->at[word.len]) == NULL)
        word.len++;
    *rest = str_from(*rest, word.len);
    return word;
}

static void add_column(struct table *table, struct str definition)
{
    struct str name = take_word(&definition);
    struct str type = take_word(&definition);

    if (str_equal(name, STR("PRIMARY")) || str_equal(name, STR("UNIQUE")))
        return; /* a constraint of the table */
    assert_true(type.len == 1 && strchr("ITBK", type.at[0]) != NULL);
    assert_true(table->column_count < COLUMN_COUNT_MAX);
    table->types[table->column_count] = type.at[0];
    table->columns[table->column_count++] = name;
}

/* "(a I, b T, UNIQUE (a, b))" */
static void add_columns(struct table *table, struct str list)
{
    size_t start = 1;
    size_t at;
    int depth = 0;

    for (at = 0; at < list.len; at++) {
        depth += list.at[at] == '(' ? 1 : list.at[at] == ')' ? -1 : 0;
        if ((depth == 1 && list.at[at] == ',') || (depth == 0 && list.at[at] == ')')) {
            add_column(table, (struct str){ list.at + start, at - start });
            start = at + 1;
        }
    }
    assert_int_equal(depth, 0);
}

static void read_create(struct str rest)
{
    struct table *table = &tables[table_count++];

    assert_true(table_count <= TABLE_COUNT_MAX);
    if (str_starts_with(rest, STR("IF NOT EXISTS ")))
        rest = str_from(rest, 14);
    table->name = take_word(&rest);
    assert_true(table->name.len > 0);
    add_columns(table, str_trim(rest));
}

static void read_alter(struct str rest)
{
    struct table *table = find_table(take_word(&rest));

    assert_non_null(table);
    rest = str_trim(rest);
    assert_true(str_starts_with(rest, STR("ADD COLUMN "))); /* what else is to be taught here */
    add_column(table, str_from(rest, 11));
}

static void read_schema(void)
{
    size_t index;

    memset(tables, 0, sizeof(tables));
    table_count = 0;
    for (index = 0; index < STEP_COUNT; index++) {
        struct str text = str_of(schema[index].text);

        if (str_starts_with(text, STR("CREATE TABLE ")))
            read_create(str_from(text, 13));
        else if (str_starts_with(text, STR("ALTER TABLE ")))
            read_alter(str_from(text, 12));
    }
}

static bool stays_behind(struct str name)
{
    return str_equal(name, STR("schema_version")) || str_equal(name, STR("job")) ||
           str_equal(name, STR("moved"));
}

static void test_every_table_and_column_is_copied(void **state)
{
    unsigned copied_count = 0;
    unsigned index;

    (void)state;
    read_schema();
    for (index = 0; index < table_count; index++)
        copied_count += stays_behind(tables[index].name) ? 0 : 1;
    assert_int_equal(copied_count, COPY_TABLE_COUNT);
    for (index = 0; index < COPY_TABLE_COUNT; index++) {
        const struct copy_table_spec *spec = copy_table_spec((enum copy_table)index);
        const struct table *table = find_table(str_of(spec->name));
        unsigned column;

        assert_non_null(table);
        assert_int_equal(spec->column_count, table->column_count);
        for (column = 0; column < spec->column_count; column++) {
            struct str name = copy_column_name(spec, column);
            unsigned place = 0;

            while (place < table->column_count && !str_equal(table->columns[place], name))
                place++;
            if (place == table->column_count || table->types[place] != spec->types[column])
                fail_msg("%s, column %.*s", spec->name, STR_ARGS(name));
        }
    }
    assert_string_equal(copy_table_spec((enum copy_table)(COPY_TABLE_COUNT - 1))->name, "sequence");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_table_and_column_is_copied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
