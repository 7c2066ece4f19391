/*
 * Moves between SQLite stores in folders of their own, and processes that end in the midst of one:
 * the calls that write are counted here, in libc's place, for the engine's library.
 */
#ifndef JETON_TEST_STORE_MOVING_H
#define JETON_TEST_STORE_MOVING_H

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "fixture.h"
#include "store/copy.h"
#include "store/move.h"

/* ---- the end of a process in the midst of its work ------------------------------------------ */

/* How many system calls that write are left, before the process ends as by kill -9; below 0: it
 * does not. These take the place of libc's for the engine's library. */
static int calls_left = -1;

enum { KILLED_STATUS = 77 };

static inline void count_call(void)
{
    if (calls_left >= 0 && calls_left-- == 0)
        _exit(KILLED_STATUS);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t offset)
{
    count_call();
    return syscall(SYS_pwrite64, fd, bytes, len, offset);
}

/* A process that is killed loses nothing that it wrote, so there is no disk to wait for. */
int fdatasync(int fd)
{
    (void)fd;
    count_call();
    return 0;
}

int fsync(int fd)
{
    return fdatasync(fd);
}

int ftruncate64(int fd, off64_t len)
{
    count_call();
    return (int)syscall(SYS_ftruncate, fd, len);
}

/* ---- two folders ---------------------------------------------------------------------------- */

struct pair {
    char from[64];
    char to[64];
    char other[64];
    char error[1024];
    enum move_stage stage;
};

static inline int setup(void **state)
{
    struct pair *pair = calloc(1, sizeof(*pair));

    if (pair == NULL)
        return -1;
    snprintf(pair->from, sizeof(pair->from), "/tmp/jeton-from-XXXXXX");
    snprintf(pair->to, sizeof(pair->to), "/tmp/jeton-to-XXXXXX");
    snprintf(pair->other, sizeof(pair->other), "/tmp/jeton-other-XXXXXX");
    *state = pair;
    return mkdtemp(pair->from) == NULL || mkdtemp(pair->to) == NULL || mkdtemp(pair->other) == NULL
               ? -1
               : 0;
}

static inline int teardown(void **state)
{
    struct pair *pair = *state;

    fixture_remove_files(pair->from);
    fixture_remove_files(pair->to);
    fixture_remove_files(pair->other);
    free(pair);
    return 0;
}

static inline struct move_place place_of(const char *dir)
{
    return (struct move_place){ .config = { .data_dir = str_of(dir) }, .words = str_of(dir) };
}

static inline enum rc open_served(struct pair *pair, const char *dir, bool is_read_only)
{
    struct buffer error = buffer_over(pair->error, sizeof(pair->error) - 1);
    const struct store_config config = { .data_dir = str_of(dir), .is_read_only = is_read_only };
    struct store *store;
    enum rc rc;

    memset(pair->error, 0, sizeof(pair->error));
    rc = store_open(&config, &store, &error);
    if (rc == RC_OK)
        store_close(store);
    return rc;
}

static inline void expect_refused_to_serve(struct pair *pair, const char *dir, const char *words)
{
    int is_read_only;

    for (is_read_only = 0; is_read_only < 2; is_read_only++) {
        assert_int_equal(open_served(pair, dir, is_read_only != 0), RC_INVALID);
        if (strstr(pair->error, words) == NULL)
            fail_msg("%s", pair->error);
    }
}

/* ---- a store with rows in every table ------------------------------------------------------- */

static char texts[64][32];

static inline struct store_param make_value(unsigned column, char type, int64_t row,
                                            bool may_be_null)
{
    struct store_param param = { .type = STORE_INT, .number = row * 100 + column };

    snprintf(texts[column], sizeof(texts[column]), "%u-%lld", column, (long long)row);
    if (type == 'I' || type == 'K') {
        if (column > 0 && row % 5 == 4)
            param.number = -1;
        return param;
    }
    param.type = type == 'T' ? STORE_TEXT : STORE_BLOB;
    param.bytes = str_of(texts[column]);
    if (may_be_null && row % 3 == 0)
        param = (struct store_param){ .type = STORE_NULL };
    else if (may_be_null && row % 3 == 1)
        param.bytes = STR("");
    return param;
}

static inline void fill_table(struct driver_session *session, enum copy_table table, int64_t count)
{
    const struct copy_table_spec *spec = copy_table_spec(table);
    struct store_param params[STORE_PARAM_COUNT_MAX];
    uint64_t row_count;
    int64_t row;
    unsigned column;

    for (row = 0; row < count; row++) {
        for (column = 0; column < spec->column_count; column++)
            params[column] =
                make_value(column, spec->types[column], row,
                           str_equal(copy_column_name(spec, column), STR("binding_thumbprint")));
        assert_int_equal(
            driver_sqlite.run(session, spec->insert, params, spec->column_count, &row_count, NULL),
            RC_OK);
    }
}

static inline void fill(struct pair *pair, const char *dir, int64_t count, int64_t token_count)
{
    const struct store_config config = { .data_dir = str_of(dir) };
    struct buffer error = buffer_over(pair->error, sizeof(pair->error));
    struct driver_session *session;
    unsigned table;

    assert_int_equal(open_served(pair, dir, false), RC_OK);
    assert_int_equal(driver_sqlite.open(&config, SESSION_WRITER, &session, &error), RC_OK);
    assert_int_equal(driver_sqlite.begin(session, GATE_ALONE, 0), RC_OK);
    for (table = 0; table < COPY_sequence; table++)
        fill_table(session, (enum copy_table)table, table == COPY_token ? token_count : count);
    assert_int_equal(driver_sqlite.run_text(session, "UPDATE sequence SET next = next + 7000"),
                     RC_OK);
    assert_int_equal(driver_sqlite.commit(session, NULL, 0), RC_OK);
    driver_sqlite.close(session);
}

static inline void run_text(const char *dir, const char *text)
{
    const struct store_config config = { .data_dir = str_of(dir) };
    char bytes[256];
    struct buffer error = buffer_over(bytes, sizeof(bytes));
    struct driver_session *session;

    assert_int_equal(driver_sqlite.open(&config, SESSION_WRITER, &session, &error), RC_OK);
    assert_int_equal(driver_sqlite.run_text(session, text), RC_OK);
    driver_sqlite.close(session);
}

/* ---- moves ---------------------------------------------------------------------------------- */

static inline enum rc copy_all(struct move *move, struct buffer *error)
{
    uint64_t count;
    unsigned table;
    enum rc rc = RC_OK;

    for (table = 0; rc == RC_OK && table < move_table_count(); table++) {
        for (count = 1; rc == RC_OK && count > 0;)
            rc = move_copy_some(move, table, &count, error);
    }
    return rc;
}

/* Whether both sides of a table have the same rows in the same order: RC_CORRUPT. */
static inline enum rc compare_table(struct move *move, unsigned table, struct buffer *error)
{
    char *source = malloc(COPY_PAGE_BYTES);
    struct str rows;
    uint64_t source_count = 1;
    uint64_t target_count = 0;
    enum rc rc = source == NULL ? RC_SYSTEM : RC_OK;

    while (rc == RC_OK && source_count > 0) {
        struct str kept = { source, 0 };

        rc = move_read_some(move, MOVE_SOURCE, table, &rows, &source_count, error);
        if (rc != RC_OK)
            break;
        memcpy(source, rows.at, rows.len);
        kept.len = rows.len;
        rc = move_read_some(move, MOVE_TARGET, table, &rows, &target_count, error);
        if (rc == RC_OK && (source_count != target_count || !str_equal(kept, rows)))
            rc = RC_CORRUPT;
    }
    free(source);
    return rc;
}

static inline enum rc compare_all(struct move *move, struct buffer *error)
{
    enum rc rc = RC_OK;
    unsigned table;

    for (table = 0; rc == RC_OK && table < move_table_count(); table++)
        rc = compare_table(move, table, error);
    if (rc == RC_CORRUPT && move_reject(move, error) != RC_OK)
        return RC_UNAVAILABLE;
    return rc;
}

static inline enum rc begin(struct pair *pair, const struct move_place *from,
                            const struct move_place *to, const char *origin, struct move **out_move,
                            struct buffer *error)
{
    enum rc rc;

    *out_move = NULL;
    rc = move_open(from, to, out_move, error);
    if (rc == RC_OK)
        rc = move_open_target(*out_move, error);
    if (rc == RC_OK)
        rc = move_begin(*out_move, str_of(origin), &pair->stage, error);
    return rc;
}

static inline enum rc run_move(struct pair *pair, const char *from_dir, const char *to_dir,
                               const char *origin)
{
    const struct move_place from = place_of(from_dir);
    const struct move_place to = place_of(to_dir);
    struct buffer error = buffer_over(pair->error, sizeof(pair->error) - 1);
    struct move *move;
    enum rc rc;

    memset(pair->error, 0, sizeof(pair->error));
    rc = begin(pair, &from, &to, origin, &move, &error);
    if (rc == RC_OK && pair->stage != MOVE_VERIFIED) {
        rc = copy_all(move, &error);
        if (rc == RC_OK)
            rc = compare_all(move, &error);
    }
    if (rc == RC_OK)
        rc = move_finish(move, &error);
    move_close(move);
    return rc;
}

/* Until it says so: who was killed while it closed the stores had done all. */
static inline enum rc complete_move(struct pair *pair, const char *from, const char *to)
{
    enum rc rc = run_move(pair, from, to, "one");

    return rc == RC_REFUSED && strstr(pair->error, "has moved to") != NULL ? RC_OK : rc;
}

/* Runs a move that ends after so many calls; whether it was killed. */
static inline bool run_killed(struct pair *pair, const char *from, const char *to, int call_count)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        calls_left = call_count;
        _exit(complete_move(pair, from, to) == RC_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == KILLED_STATUS);
    return WEXITSTATUS(status) == KILLED_STATUS;
}

/* The rows of two stores that are at rest, whatever their marks are. */
static inline void expect_same_rows(struct pair *pair, const char *a_dir, const char *b_dir)
{
    const char *dirs[2] = { a_dir, b_dir };
    struct driver_session *sessions[2];
    struct copy_page *pages[2] = { malloc(sizeof(*pages[0])), malloc(sizeof(*pages[0])) };
    struct buffer error = buffer_over(pair->error, sizeof(pair->error));
    unsigned table;
    int side;

    assert_true(pages[0] != NULL && pages[1] != NULL);
    for (side = 0; side < 2; side++) {
        const struct store_config config = { .data_dir = str_of(dirs[side]) };

        assert_int_equal(driver_sqlite.open(&config, SESSION_READER, &sessions[side], &error),
                         RC_OK);
    }
    for (table = 0; table < COPY_TABLE_COUNT; table++) {
        struct copy_cursor cursors[2] = { 0 };

        do {
            for (side = 0; side < 2; side++)
                assert_int_equal(copy_read(&driver_sqlite, sessions[side], (enum copy_table)table,
                                           &cursors[side], pages[side]),
                                 RC_OK);
            assert_int_equal(pages[0]->row_count, pages[1]->row_count);
            assert_int_equal(pages[0]->len, pages[1]->len);
            assert_memory_equal(pages[0]->bytes, pages[1]->bytes, pages[0]->len);
        } while (pages[0]->row_count > 0);
    }
    for (side = 0; side < 2; side++) {
        driver_sqlite.close(sessions[side]);
        free(pages[side]);
    }
}

static inline bool has_rows(struct pair *pair, const char *dir, enum copy_table table)
{
    const struct store_config config = { .data_dir = str_of(dir) };
    struct buffer error = buffer_over(pair->error, sizeof(pair->error));
    struct driver_session *session;
    struct copy_cursor cursor = { 0 };

    if (driver_sqlite.open(&config, SESSION_READER, &session, &error) != RC_OK)
        return false;
    if (copy_find_last(&driver_sqlite, session, table, &cursor) != RC_OK)
        cursor.has_key = false; /* there is no table yet */
    driver_sqlite.close(session);
    return cursor.has_key;
}

/* So that the target has the rows of a table, and not yet all that there are. */
static inline void kill_behind(struct pair *pair, enum copy_table table)
{
    int call_count = 40;

    do {
        assert_true(run_killed(pair, pair->from, pair->to, call_count));
        call_count += 5;
    } while (!has_rows(pair, pair->to, table));
}

#endif
