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
#include "store/shared.h"

enum {
    READER_COUNT_MAX = 64,
    READER_COUNT = 4,
    LISTENER_COUNT_MAX = 8,
    QUEUE_BATCH_COUNT = STORE_QUEUE_COUNT_MAX / STORE_BATCH_COUNT_MAX + 1, /* one is being run */
    SWEEP_TABLE_COUNT = 20
};

/* How a unit is run: with the others of its batch, or by itself behind a savepoint. */
enum unit_way { UNIT_TOGETHER, UNIT_BY_ITSELF };

/* One unit that waits, on the stack of the thread that waits. */
struct waiting {
    struct store_unit *unit;
    int64_t since_ns; /* monotonic */
    enum unit_way way;
    enum rc answer;
};

struct batch_memory;

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

struct reader {
    struct driver_session *session; /* NULL: none, or it is being opened */
    uint64_t generation;            /* of the feed, before it was opened */
    bool is_borrowed;
    int64_t since_ns; /* of who borrowed it, as of patience_from_ns */
};

struct reader_pool {
    pthread_mutex_t lock;
    pthread_cond_t returned;
    unsigned max_count;
    unsigned open_count; /* open or being opened */
    struct reader readers[READER_COUNT_MAX];
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
    int64_t behind[SWEEP_TABLE_COUNT];         /* the key that each table was swept up to */
    int64_t rests_until_ms[SWEEP_TABLE_COUNT]; /* monotonic: no page is paid for before */
    unsigned table;
    int64_t row_debt;           /* rows to look at, earned by units that were committed */
    int64_t next_ms;            /* monotonic: when a page is due without any debt       */
    uint64_t uncommitted_count; /* rows that leave with the transaction */
    /* Where several processes write, one of them sweeps: */
    int64_t ours_until_ms; /* monotonic: as long as it is this one */
    int64_t claim_at_ms;   /* monotonic: when it asks next whether it is */
};

struct listener {
    void (*on_change)(void *context, const struct store_change *change);
    void *context;
};

struct change_row {
    int64_t seq;
    int64_t at;
    int64_t kind;
    int64_t key;
};

/* What is known of the change feed of a shared store. */
struct feed {
    pthread_t thread;
    bool has_thread;
    _Atomic bool is_stopping;
    _Atomic int64_t read_at_ms; /* clock_boot_ms: when the last reading to the end began */
    _Atomic int64_t told_seq;   /* the number of the last row that was told */
    _Atomic int64_t clock_offset_ms;
    _Atomic uint64_t change_count, loss_count;
    _Atomic uint64_t generation; /* of the connection: readers' that are older are closed */
    /* The thread's own: */
    struct driver_session *session; /* NULL: there is no connection */
    struct change_row last;         /* that was read; seq 0: none   */
    int64_t clock_at_ms;            /* monotonic: when the clocks are compared next */
    bool is_away;                   /* it is counted as a loss */
};

struct store_meters {
    _Atomic uint64_t commits, units, unit_refusals, faults, swept_rows, queue_depth, commit_ns,
        retries;
};

struct store {
    const struct driver *driver;
    bool has_feed; /* memory of it is as good as the feed: it is shared, and written here */
    struct store_config config;
    char *data_dir; /* what config.data_dir refers to */
    char *database; /* what config.database refers to */
    int64_t schema_version;
    struct store_restored restored; /* as it was opened */
    struct driver_session *writer;
    pthread_t writer_thread;
    _Atomic int health; /* the writer's, enum driver_health */
    struct queue queue;
    struct sweep sweep;
    struct reader_pool readers;
    struct id_block ids[SEQUENCE_COUNT];
    struct batch_memory *batch_memory;
    int64_t holder; /* of jobs: this process */
    struct listener listeners[LISTENER_COUNT_MAX];
    unsigned listener_count;
    pthread_mutex_t listener_lock; /* while they are told */
    pthread_mutex_t error_lock;
    char last_error[STORE_ERROR_BYTES]; /* under error_lock */
    struct feed feed;
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

/* store.c: starts a thread of this room, which takes no signals. RC_SYSTEM */
enum rc store_start_thread(struct store *store, void *(*thread_main)(void *context),
                           const char *name, pthread_t *out_thread,
                           struct buffer *out_error) MUST_CHECK;

/* batch.c: runs the units, commits them, tells the listeners; all answers stand afterwards. */
void batch_run(struct store *store, struct batch *batch);
/* Keeps why something failed, for store_last_error. Any thread. */
void store_note_error(struct store *store, struct str words);
/* NULL: no memory. Released with free. */
struct batch_memory *batch_memory_new(void);
/* Tells the listeners of one change; the caller holds listener_lock. */
void store_tell(struct store *store, const struct store_change *change);

/*
 * feed.c: the thread that follows the change feed of a shared store. It notes the end of the feed
 * before it returns, so whatever is read afterwards is followed from there on. Nothing to do for a
 * store that is not shared.
 */
enum rc feed_start(struct store *store, struct buffer *out_error) MUST_CHECK;
void feed_stop(struct store *store);

/* feed.c: a number of milliseconds between the two, so that processes do not keep step. */
int64_t store_jitter_ms(int64_t least, int64_t most);

/* driver.c: the engine that a configuration names; PostgreSQL's is loaded. RC_INVALID. */
enum rc driver_choose(const struct store_config *config, const struct driver **out_driver,
                      struct buffer *out_error) MUST_CHECK;

/* ids.c: leases, within the writer's transaction, the next block of a sequence that is half used,
 * so that nobody waits for one; ids_settle gives it out after the commit. */
enum rc ids_lease_ahead(struct store *store, struct id_lease *out_lease) MUST_CHECK;
void ids_settle(struct store *store, const struct id_lease *lease);

/* Gives out no more of what was leased: the store may have lost that it was. */
void ids_forget(struct store *store);

/* sweep.c: looks at pages that are due, within the writer's transaction; at none where another
 * process sweeps. */
enum rc sweep_some(struct store *store, unsigned unit_count, bool *out_is_productive) MUST_CHECK;

/* Asks, within the writer's transaction, that this process be the one that sweeps, for a while. */
enum rc sweep_claim(struct store *store) MUST_CHECK;

/* What was swept since the last call has left, or is still there. */
void sweep_settle(struct store *store, bool is_committed);

/*
 * migrate.c: the schema forward, or only a check of it. A schema that a newer program made is left
 * as it is, and will do if it says so (schema_version.runs_from). Other processes may migrate at
 * the same time, and older ones run on.
 */
enum rc schema_migrate(const struct driver *driver, struct driver_session *session,
                       struct buffer *out_error) MUST_CHECK;
enum rc schema_check(const struct driver *driver, struct driver_session *session,
                     bool accepts_older, struct buffer *out_error) MUST_CHECK;
enum rc schema_read_version(const struct driver *driver, struct driver_session *session,
                            int64_t *out_version) MUST_CHECK;

/* move_mark.c: refuses a store that a move has marked. RC_INVALID */
enum rc move_check_mark(const struct driver *driver, struct driver_session *session,
                        struct buffer *out_error) MUST_CHECK;

/*
 * patience.c: how long a client may be made to wait for a shared store. A request that needs it
 * more than once waits no longer for all than for one: patience_from_ns is now, less what this
 * thread has waited in its turn (base/clock.h) so far; patience_end ends a wait that began there.
 */
int64_t patience_from_ns(void);
void patience_end(int64_t from_ns);

/* pool.c: a session that reads, for as long as one query takes. */
enum rc reader_borrow(struct store *store, struct driver_session **out_session) MUST_CHECK;
void reader_return(struct store *store, struct driver_session *session);
/* The first of them, before anybody borrows one. */
void reader_add(struct store *store, struct driver_session *session);
void readers_close(struct store *store);
/* Closes those that nobody uses and that have lost their connections. */
void readers_tend(struct store *store);

#endif
