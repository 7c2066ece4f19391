/*
 * store/room.h: what the files of this room share and nobody else sees.
 *
 * A store is a driver, one session that writes and belongs to the writer's thread, a pool of
 * sessions that read, the queue of units that wait for the next commit, and the blocks of ids.
 */
#ifndef JETON_STORE_ROOM_H
#define JETON_STORE_ROOM_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/driver.h"

enum {
    READER_COUNT_MAX = 64,
    READER_COUNT = 4,
    LISTENER_COUNT_MAX = 8,
    QUEUE_BATCH_COUNT = STORE_QUEUE_COUNT_MAX / STORE_BATCH_COUNT_MAX + 1, /* one is being run */
    SWEEP_TABLE_COUNT = 19
};

/* One unit that waits, on the stack of the thread that waits. */
struct waiting {
    struct store_unit *unit;
    enum rc answer;
};

/*
 * Units that will be committed together. Who waits remembers the generation it joined; the writer
 * raises it when the answers stand, and wakes all of the batch with one system call.
 */
struct batch {
    _Atomic uint32_t generation;
    unsigned count;
    struct waiting *waiting[STORE_BATCH_COUNT_MAX];
};

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    bool is_writer_idle;
    bool is_closing;
    uint64_t head; /* the batch that is run next, or now */
    uint64_t tail; /* the batch that new units join      */
    struct batch batches[QUEUE_BATCH_COUNT];
};

struct reader_pool {
    pthread_mutex_t lock;
    pthread_cond_t returned;
    unsigned max_count;
    unsigned open_count; /* open or being opened */
    unsigned free_count;
    struct driver_session *free[READER_COUNT_MAX];
};

/* The ids of a sequence that were leased and not given out yet: next..end-1, then the reserve. */
struct id_block {
    _Atomic int64_t next;
    _Atomic int64_t end;
    _Atomic int64_t ahead; /* first of a block that the writer leased in time; 0: none */
    pthread_mutex_t lock;  /* of who opens a block */
};

/* What a transaction leases ahead: first ids, 0 for none. */
struct id_lease {
    int64_t first[SEQUENCE_COUNT];
};

struct sweep {
    int64_t behind[SWEEP_TABLE_COUNT]; /* the key that each table was swept up to */
    unsigned table;
    int64_t row_debt;           /* rows to look at, earned by units that were committed */
    int64_t next_ms;            /* monotonic: when a page is due without any debt       */
    uint64_t uncommitted_count; /* rows that leave with the transaction */
};

struct listener {
    void (*on_change)(void *context, const struct store_change *change);
    void *context;
};

struct store_meters {
    _Atomic uint64_t commits, units, unit_refusals, faults, swept_rows, queue_depth, commit_ns;
};

struct store {
    const struct driver *driver;
    struct store_config config;
    char *data_dir; /* what config.data_dir refers to */
    struct driver_session *writer;
    pthread_t writer_thread;
    _Atomic int health; /* the writer's, enum driver_health */
    struct queue queue;
    struct sweep sweep;
    struct reader_pool readers;
    struct id_block ids[SEQUENCE_COUNT];
    struct listener listeners[LISTENER_COUNT_MAX];
    unsigned listener_count;
    struct store_meters meters;
};

/* unit.c: the next step of a unit, for the verbs. */
struct store_step *unit_add(struct store_unit *unit, enum statement statement,
                            enum rc answer_if_none);
void step_int(struct store_step *step, int64_t number);
void step_text(struct store_step *step, struct str text);
void step_blob(struct store_step *step, struct str bytes);
/* Tells the listeners after the commit; with unit_tell only those of this process. */
void unit_change(struct store_unit *unit, enum store_change_kind kind, int64_t key);
void unit_tell(struct store_unit *unit, enum store_change_kind kind, int64_t key);
/* The two columns of a binding: its kind and its thumbprint, NULL without one. */
void step_binding(struct store_unit *unit, struct store_step *step, const struct binding *binding);
/* Copied into the unit. */
void step_own_blob(struct store_unit *unit, struct store_step *step, const void *bytes, size_t len);

/* writer.c: the thread. */
void *writer_main(void *context);

/* batch.c: runs the units, commits them, tells the listeners; all answers stand afterwards. */
void batch_run(struct store *store, struct batch *batch);

/* ids.c: leases, within the writer's transaction, the next block of a sequence that is half used,
 * so that nobody waits for one; ids_settle gives it out after the commit. */
enum rc ids_lease_ahead(struct store *store, struct id_lease *out_lease) MUST_CHECK;
void ids_settle(struct store *store, const struct id_lease *lease);

/* sweep.c: looks at pages that are due, within the writer's transaction. */
enum rc sweep_some(struct store *store, unsigned unit_count, bool *out_is_productive) MUST_CHECK;

/* What was swept since the last call has left, or is still there. */
void sweep_settle(struct store *store, bool is_committed);

/* migrate.c: the schema forward, or only a check of it. */
enum rc schema_migrate(const struct driver *driver, struct driver_session *session,
                       struct buffer *out_error) MUST_CHECK;
enum rc schema_check(const struct driver *driver, struct driver_session *session,
                     struct buffer *out_error) MUST_CHECK;

/* pool.c: a session that reads, for as long as one query takes. */
enum rc reader_borrow(struct store *store, struct driver_session **out_session) MUST_CHECK;
void reader_return(struct store *store, struct driver_session *session);
void readers_close(struct store *store);

#endif
