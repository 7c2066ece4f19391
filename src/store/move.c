#include "store/move.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "store/move_sides.h"
#include "store/room.h"

enum { HOLD_TURN_COUNT = 50, HOLD_PAUSE_MS = 100 };

unsigned move_table_count(void)
{
    return COPY_TABLE_COUNT;
}

const char *move_table_name(unsigned table)
{
    return copy_table_spec((enum copy_table)table)->name;
}

/* ---- words ---------------------------------------------------------------------------------- */

enum rc move_explain(const struct move_end *side, const char *what, const char *table, enum rc rc,
                     struct buffer *out_error)
{
    struct str reason = str_of(rc_words(rc));

    if (rc == RC_OK || out_error->len > 0)
        return rc;
    if (rc_is_fault(rc) && side->session != NULL && side->driver->last_error(side->session).len > 0)
        reason = side->driver->last_error(side->session);
    buffer_append_format(out_error, "%.*s: cannot %s %s: %.*s", STR_ARGS(side->place->words), what,
                         table, STR_ARGS(reason));
    return rc;
}

enum rc move_refuse(struct buffer *out_error, const char *format, ...)
{
    va_list args;
    char line[512];

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    buffer_append_str(out_error, str_of(line));
    return RC_REFUSED;
}

/* ---- opening -------------------------------------------------------------------------------- */

/* Words of an engine far away do not say which of the two it is. */
static enum rc open_session(struct move_end *side, enum session_role role, struct buffer *out_error)
{
    size_t mark = out_error->len;
    enum rc rc;

    if (side->driver->is_shared)
        buffer_append_format(out_error, "%.*s: ", STR_ARGS(side->place->words));
    rc = side->driver->open(&side->config, role, &side->session, out_error);
    if (rc == RC_OK)
        out_error->len = mark;
    else if (rc == RC_EXISTS)
        buffer_append_str(out_error, STR("; stop that server first"));
    return rc;
}

/* What was killed a moment ago, an interrupted move before all, is gone in a moment. */
static enum rc hold(struct move_end *side, struct buffer *out_error)
{
    const struct timespec pause = { .tv_nsec = HOLD_PAUSE_MS * 1000000L };
    size_t mark = out_error->len;
    enum rc rc = RC_EXISTS;
    int turn;

    if (side->driver->hold_alone == NULL)
        return RC_OK;
    for (turn = 0; rc == RC_EXISTS && turn < HOLD_TURN_COUNT; turn++) {
        if (turn > 0)
            nanosleep(&pause, NULL);
        out_error->len = mark;
        buffer_append_format(out_error, "%.*s: ", STR_ARGS(side->place->words));
        rc = side->driver->hold_alone(side->session, out_error);
    }
    if (rc == RC_OK)
        out_error->len = mark;
    return rc;
}

enum rc move_end_read(struct move_end *side, struct buffer *out_error)
{
    return move_explain(side, "open", "it", open_session(side, SESSION_READER, out_error),
                        out_error);
}

/* A source that is not there must not be made by looking for it. */
static enum rc expect_store(struct move_end *side, struct buffer *out_error)
{
    int64_t version = 0;
    enum rc rc = move_end_read(side, out_error);

    if (rc != RC_OK)
        return rc;
    rc = move_explain(side, "find", "a store in it",
                      schema_read_version(side->driver, side->session, &version), out_error);
    side->driver->close(side->session);
    side->session = NULL;
    return rc;
}

/* The lists of columns are those of one schema. */
static enum rc bring_schema(struct move_end *side, struct buffer *out_error)
{
    const struct driver *driver = side->driver;
    int newest = driver->schema[driver->schema_step_count - 1].version;
    int64_t version = 0;
    enum rc rc = schema_migrate(driver, side->session, out_error);

    if (rc == RC_OK)
        rc = move_explain(side, "read", "its schema",
                          schema_read_version(side->driver, side->session, &version), out_error);
    if (rc == RC_OK && version != newest) {
        buffer_append_format(out_error,
                             "%.*s has schema %d and this program moves schema %d: run the newer "
                             "program",
                             STR_ARGS(side->place->words), (int)version, newest);
        rc = RC_INVALID;
    }
    return rc;
}

enum rc move_end_open(struct move_end *side, struct buffer *out_error)
{
    enum rc rc = open_session(side, SESSION_WRITER, out_error);

    if (rc == RC_OK)
        rc = hold(side, out_error);
    if (rc == RC_OK)
        rc = bring_schema(side, out_error);
    if (rc == RC_OK)
        rc = move_explain(side, "read", "its mark",
                          move_mark_read(side->driver, side->session, &side->mark), out_error);
    return move_explain(side, "open", "it", rc, out_error);
}

enum rc move_end_choose(struct move_end *side, const struct move_place *place,
                        struct buffer *out_error)
{
    side->place = place;
    side->config = place->config;
    side->config.is_move = true;
    return driver_choose(&side->config, &side->driver, out_error);
}

static enum rc open_source(struct move_end *side, const struct move_place *place,
                           struct buffer *out_error)
{
    enum rc rc = move_end_choose(side, place, out_error);

    if (rc == RC_OK)
        rc = expect_store(side, out_error);
    if (rc == RC_OK)
        rc = move_end_open(side, out_error);
    return rc;
}

enum rc move_open(const struct move_place *from, const struct move_place *to,
                  struct move **out_move, struct buffer *out_error)
{
    struct move *move = calloc(1, sizeof(*move));
    enum rc rc;

    if (move == NULL) {
        buffer_append_str(out_error, STR("no memory"));
        return RC_SYSTEM;
    }
    move->copied_table = COPY_TABLE_COUNT;
    rc = move_end_choose(&move->sides[MOVE_TARGET], to, out_error);
    if (rc == RC_OK)
        rc = open_source(&move->sides[MOVE_SOURCE], from, out_error);
    if (rc != RC_OK) {
        move_close(move);
        return rc;
    }
    *out_move = move;
    return RC_OK;
}

enum rc move_open_target(struct move *move, struct buffer *out_error)
{
    return move_end_open(&move->sides[MOVE_TARGET], out_error);
}

void move_close(struct move *move)
{
    int side;

    for (side = MOVE_TARGET; move != NULL && side >= MOVE_SOURCE; side--) {
        if (move->sides[side].session != NULL)
            move->sides[side].driver->close(move->sides[side].session);
    }
    free(move);
}

/* ---- judging -------------------------------------------------------------------------------- */

enum rc move_end_set_mark(struct move_end *side, const struct move_mark *mark,
                          struct buffer *out_error)
{
    enum rc rc = move_mark_write(side->driver, side->session, mark);

    if (rc == RC_OK)
        side->mark = *mark;
    return move_explain(side, "write", "its mark", rc, out_error);
}

static enum rc move_end_set_state(struct move_end *side, enum move_state state,
                                  struct buffer *out_error)
{
    struct move_mark mark = side->mark;

    mark.state = state;
    return move_end_set_mark(side, &mark, out_error);
}

/* The sequences stand in every store. */
enum rc move_end_find_row(struct move_end *side, const char **out_table, struct buffer *out_error)
{
    struct copy_cursor cursor = { 0 };
    unsigned table;

    *out_table = NULL;
    for (table = 0; table < COPY_sequence && *out_table == NULL; table++) {
        enum rc rc = copy_find_last(side->driver, side->session, (enum copy_table)table, &cursor);

        if (rc != RC_OK)
            return move_explain(side, "read", move_table_name(table), rc, out_error);
        if (cursor.has_key)
            *out_table = move_table_name(table);
    }
    return RC_OK;
}

static enum rc judge_source(const struct move_end *source, const struct move_end *target,
                            struct buffer *out_error)
{
    switch (source->mark.state) {
    case MOVED_NOT:
    case MOVED_LEAVING:
        return RC_OK;
    case MOVED_AWAY:
        if (target->mark.state == MOVED_ARRIVING && target->mark.move_id == source->mark.move_id)
            return RC_OK;
        return move_refuse(out_error, "this store has moved to %.*s already",
                           STR_ARGS(move_mark_place(&source->mark)));
    case MOVED_ARRIVING:
    case MOVED_CLEARING:
    case MOVED_RESTORING:
    default:
        return move_refuse(out_error, "the move into the source from %.*s is not complete",
                           STR_ARGS(move_mark_place(&source->mark)));
    }
}

static enum rc judge_target(const struct move_end *source, struct move_end *target,
                            struct str origin, enum move_stage *out_stage, struct buffer *out_error)
{
    const char *table = NULL;
    enum rc rc = RC_OK;

    if (target->mark.state == MOVED_NOT)
        rc = move_end_find_row(target, &table, out_error);
    if (rc != RC_OK)
        return rc;
    if (table != NULL)
        return move_refuse(out_error,
                           "%.*s is not empty (%s has rows): a move needs an empty store",
                           STR_ARGS(target->place->words), table);
    if (target->mark.state == MOVED_NOT) {
        *out_stage = MOVE_NEW;
        return RC_OK;
    }
    if (target->mark.state == MOVED_LEAVING || !str_equal(move_mark_origin(&target->mark), origin))
        return move_refuse(
            out_error,
            "%.*s belongs to the move of another store (%.*s): a move needs an empty one",
            STR_ARGS(target->place->words), STR_ARGS(move_mark_place(&target->mark)));
    if (target->mark.state == MOVED_AWAY)
        *out_stage = MOVE_BACK;
    else if (target->mark.state == MOVED_ARRIVING && source->mark.state != MOVED_NOT &&
             target->mark.move_id == source->mark.move_id)
        *out_stage = MOVE_RESUMED;
    else
        *out_stage = MOVE_ANEW;
    return RC_OK;
}

/* ---- beginning ------------------------------------------------------------------------------ */

static enum rc clear_table(struct move_end *side, enum copy_table table)
{
    const struct driver *driver = side->driver;
    uint64_t row_count = 1;
    enum rc rc = RC_OK;

    while (rc == RC_OK && row_count > 0) {
        rc = driver->begin(side->session, GATE_SCHEMA, 0);
        if (rc != RC_OK)
            return rc;
        rc = copy_clear_some(driver, side->session, table, &row_count);
        if (rc == RC_OK)
            rc = driver->commit(side->session, NULL, 0);
        if (rc != RC_OK)
            driver->rollback(side->session);
        else if (driver->upkeep != NULL)
            driver->upkeep(side->session);
    }
    return rc;
}

enum rc move_end_clear(struct move_end *side, struct buffer *out_error)
{
    unsigned table;

    for (table = 0; table < COPY_sequence; table++) {
        enum rc rc = clear_table(side, (enum copy_table)table);

        if (rc != RC_OK)
            return move_explain(side, "empty", move_table_name(table), rc, out_error);
    }
    return RC_OK;
}

static int64_t draw_move_id(void)
{
    uint64_t number = 0;

    while (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number) || number < 2)
        continue;
    return (int64_t)(number >> 1);
}

/*
 * The source's mark comes first: with it nobody opens the source any more, so that whoever was not
 * seen when it was taken is seen now. A number is drawn for each target that is begun with: a half
 * copy elsewhere has another one.
 */
static enum rc mark_source(struct move *move, struct str origin, struct buffer *out_error)
{
    struct move_end *source = &move->sides[MOVE_SOURCE];
    struct move_mark mark;
    enum rc rc;

    move_mark_set(&mark, MOVED_LEAVING, draw_move_id(), origin,
                  move->sides[MOVE_TARGET].place->words);
    rc = move_end_set_mark(source, &mark, out_error);
    if (rc == RC_OK)
        rc = hold(source, out_error);
    if (rc == RC_EXISTS) {
        move_mark_set(&mark, MOVED_NOT, 0, STR(""), STR(""));
        if (move_end_set_mark(source, &mark, out_error) != RC_OK)
            return rc; /* the line says why it was refused; the next move takes the mark over */
    }
    return rc;
}

static enum rc mark_target(struct move *move, enum move_stage stage, struct buffer *out_error)
{
    const struct move_end *source = &move->sides[MOVE_SOURCE];
    struct move_end *target = &move->sides[MOVE_TARGET];
    struct move_mark mark = source->mark;
    enum rc rc;

    move_mark_set(&mark, stage == MOVE_NEW ? MOVED_ARRIVING : MOVED_CLEARING, source->mark.move_id,
                  move_mark_origin(&source->mark), source->place->words);
    rc = move_end_set_mark(target, &mark, out_error);
    if (rc == RC_OK)
        rc = hold(target, out_error);
    if (rc != RC_OK || stage == MOVE_NEW)
        return rc;
    rc = move_end_clear(target, out_error);
    return rc == RC_OK ? move_end_set_state(target, MOVED_ARRIVING, out_error) : rc;
}

enum rc move_begin(struct move *move, struct str origin, enum move_stage *out_stage,
                   struct buffer *out_error)
{
    struct move_end *source = &move->sides[MOVE_SOURCE];
    struct move_end *target = &move->sides[MOVE_TARGET];
    enum move_stage stage = MOVE_NEW;
    enum rc rc;

    ASSERT(origin.len > 0 && origin.len <= MOVE_ORIGIN_BYTES_MAX);
    rc = judge_source(source, target, out_error);
    if (rc == RC_OK)
        rc = judge_target(source, target, origin, &stage, out_error);
    if (rc == RC_OK && source->mark.state == MOVED_AWAY)
        stage = MOVE_VERIFIED;
    if (rc == RC_OK && stage != MOVE_RESUMED && stage != MOVE_VERIFIED) {
        rc = mark_source(move, origin, out_error);
        if (rc == RC_OK)
            rc = mark_target(move, stage, out_error);
    }
    if (rc == RC_OK)
        *out_stage = stage;
    return rc;
}

/* ---- the end -------------------------------------------------------------------------------- */

enum rc move_end_number(struct move_end *side, struct buffer *out_error)
{
    unsigned table;

    for (table = 0; side->driver->number_behind != NULL && table < COPY_TABLE_COUNT; table++) {
        const struct copy_table_spec *spec = copy_table_spec((enum copy_table)table);
        enum rc rc = RC_OK;

        if (copy_table_is_numbered(spec))
            rc = side->driver->number_behind(side->session, str_of(spec->name),
                                             copy_column_name(spec, 0));
        if (rc != RC_OK)
            return move_explain(side, "number the rows of", spec->name, rc, out_error);
    }
    return RC_OK;
}

enum rc move_finish(struct move *move, struct buffer *out_error)
{
    struct move_end *source = &move->sides[MOVE_SOURCE];
    struct move_end *target = &move->sides[MOVE_TARGET];
    enum rc rc = RC_OK;

    if (source->mark.state != MOVED_AWAY) {
        rc = move_end_number(target, out_error);
        if (rc == RC_OK)
            rc = hold(source, out_error);
        if (rc == RC_OK)
            rc = hold(target, out_error);
        if (rc == RC_OK)
            rc = move_end_set_state(source, MOVED_AWAY, out_error);
    }
    return rc == RC_OK ? move_end_set_state(target, MOVED_NOT, out_error) : rc;
}

enum rc move_reject(struct move *move, struct buffer *out_error)
{
    return move_end_set_state(&move->sides[MOVE_TARGET], MOVED_CLEARING, out_error);
}

static enum rc undo(struct move_end *side, bool *out_had_left, struct buffer *out_error)
{
    enum move_state state = side->mark.state;
    enum rc rc;

    if (state == MOVED_NOT) {
        buffer_append_format(out_error, "%.*s is not marked as moved",
                             STR_ARGS(side->place->words));
        return RC_NOT_FOUND;
    }
    if (state != MOVED_LEAVING && state != MOVED_AWAY)
        return move_refuse(out_error,
                           "a move into %.*s is not complete: there is no way back for it",
                           STR_ARGS(side->place->words));
    rc = move_end_set_state(side, MOVED_NOT, out_error);
    if (rc == RC_OK)
        *out_had_left = state == MOVED_AWAY;
    return rc;
}

enum rc move_undo(const struct move_place *place, bool *out_had_left, struct buffer *out_error)
{
    struct move_end side = { 0 };
    enum rc rc = open_source(&side, place, out_error);

    if (rc == RC_OK)
        rc = undo(&side, out_had_left, out_error);
    if (side.session != NULL)
        side.driver->close(side.session);
    return rc;
}
