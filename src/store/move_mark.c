#include "store/move_mark.h"

#include "base/clock.h"
#include "store/room.h"

static void take_bytes(struct str bytes, size_t size, char *out_bytes, size_t *out_len)
{
    *out_len = bytes.len < size ? bytes.len : size;
    if (*out_len > 0)
        memmove(out_bytes, bytes.at, *out_len);
}

void move_mark_set(struct move_mark *mark, enum move_state state, int64_t move_id,
                   struct str origin, struct str place)
{
    mark->state = state;
    mark->move_id = move_id;
    take_bytes(origin, sizeof(mark->origin), mark->origin, &mark->origin_len);
    take_bytes(place, sizeof(mark->place), mark->place, &mark->place_len);
}

enum rc move_mark_read(const struct driver *driver, struct driver_session *session,
                       struct move_mark *out_mark)
{
    bool has_row = false;
    enum rc rc = driver->query(session, STATEMENT_FIND_MOVE, NULL, 0);

    if (rc == RC_OK)
        rc = driver->next(session, &has_row);
    if (rc == RC_OK && has_row)
        move_mark_set(out_mark, (enum move_state)driver->column_int(session, 0),
                      driver->column_int(session, 1), driver->column_bytes(session, 2),
                      driver->column_bytes(session, 3));
    else if (rc == RC_OK)
        move_mark_set(out_mark, MOVED_NOT, 0, STR(""), STR(""));
    driver->finish(session);
    return rc;
}

enum rc move_mark_write(const struct driver *driver, struct driver_session *session,
                        const struct move_mark *mark)
{
    const struct store_param params[] = {
        { .type = STORE_INT, .number = mark->state },
        { .type = STORE_INT, .number = mark->move_id },
        { .type = STORE_BLOB, .bytes = move_mark_origin(mark) },
        { .type = STORE_TEXT, .bytes = move_mark_place(mark) },
        { .type = STORE_INT, .number = clock_now_s() },
    };
    bool is_there = mark->state != MOVED_NOT;
    uint64_t row_count;
    enum rc rc = driver->begin(session, GATE_SCHEMA, 0);

    if (rc != RC_OK)
        return rc;
    rc = driver->run(session, is_there ? STATEMENT_PUT_MOVE : STATEMENT_DELETE_MOVE, params,
                     is_there ? 5 : 0, &row_count, NULL);
    if (rc == RC_OK)
        rc = driver->commit(session, NULL, 0);
    if (rc != RC_OK)
        driver->rollback(session);
    return rc;
}

enum rc move_check_mark(const struct driver *driver, struct driver_session *session,
                        struct buffer *out_error)
{
    struct move_mark mark;
    enum rc rc = move_mark_read(driver, session, &mark);

    if (rc != RC_OK) {
        buffer_append_format(out_error, "cannot see whether the store has moved: %s", rc_words(rc));
        return rc;
    }
    if (mark.state == MOVED_NOT)
        return RC_OK;
    move_mark_explain(mark.state, move_mark_place(&mark), out_error);
    return RC_INVALID;
}
