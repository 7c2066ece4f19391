#include "store/backup.h"

#include <stdlib.h>

#include "store/move_sides.h"
#include "store/room.h"

int backup_schema(void)
{
    return driver_sqlite.schema[driver_sqlite.schema_step_count - 1].version;
}

struct str backup_columns(unsigned table)
{
    return str_of(copy_table_spec((enum copy_table)table)->columns);
}

struct str backup_types(unsigned table)
{
    return str_of(copy_table_spec((enum copy_table)table)->types);
}

/* The first query fixes what is seen: it is the one that reads the mark. */
static enum rc begin(struct move_end *source, struct buffer *out_error)
{
    const struct driver *driver = source->driver;
    static const char *const texts[] = { "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
                                         "SET LOCAL statement_timeout = 0",
                                         "SET LOCAL idle_in_transaction_session_timeout = 0" };
    enum rc rc = RC_OK;

    if (!driver->is_shared)
        rc = driver->run_text(source->session, "BEGIN");
    for (size_t i = 0; rc == RC_OK && driver->is_shared && i < sizeof(texts) / sizeof(*texts); i++)
        rc = driver->run_text(source->session, texts[i]);
    if (rc == RC_OK)
        rc = move_mark_read(driver, source->session, &source->mark);
    if (rc == RC_OK && source->mark.state != MOVED_NOT) {
        move_mark_explain(source->mark.state, move_mark_place(&source->mark), out_error);
        rc = RC_INVALID;
    }
    return move_explain(source, "read", "its mark", rc, out_error);
}

static enum rc expect_schema(struct move_end *source, struct buffer *out_error)
{
    int64_t version = 0;
    enum rc rc =
        move_explain(source, "read", "its schema",
                     schema_read_version(source->driver, source->session, &version), out_error);

    if (rc != RC_OK || version == backup_schema())
        return rc;
    buffer_append_format(out_error,
                         "%.*s has schema %d and this program backs schema %d up: use the program "
                         "that serves it",
                         STR_ARGS(source->place->words), (int)version, backup_schema());
    return RC_INVALID;
}

enum rc backup_open(const struct move_place *from, struct move **out_move, struct buffer *out_error)
{
    struct move *move = calloc(1, sizeof(*move));
    struct move_end *source;
    enum rc rc;

    if (move == NULL) {
        buffer_append_str(out_error, STR("no memory"));
        return RC_SYSTEM;
    }
    source = &move->sides[MOVE_SOURCE];
    rc = move_end_choose(source, from, out_error);
    if (rc == RC_OK)
        rc = move_end_read(source, out_error);
    if (rc == RC_OK)
        rc = expect_schema(source, out_error);
    if (rc == RC_OK)
        rc = begin(source, out_error);
    if (rc != RC_OK) {
        move_close(move);
        return rc;
    }
    *out_move = move;
    return RC_OK;
}
