/*
 * Runs a batch: all units in one transaction, each of them whole or not at all.
 *
 * Where the engine is a way off, the units' statements are sent together, and only then it is seen
 * which of them changed nothing. A unit that refuses, or is in the way of the others, is taken out
 * of their company: the transaction is run again, and that unit by itself behind a savepoint. Each
 * round takes at least one unit out, so there is an end to it.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "store/room.h"

enum { ROUND_COUNT_MAX = 16, RUN_COUNT_MAX = STORE_BATCH_COUNT_MAX * STORE_UNIT_STEP_COUNT_MAX };

/* What a batch is turned into; touched as far as it is needed. */
struct batch_memory {
    struct driver_run runs[RUN_COUNT_MAX];
    struct driver_run changes[RUN_COUNT_MAX];
    struct store_param change_params[RUN_COUNT_MAX][3];
};

static const bool is_concurrent[STATEMENT_COUNT] = {
#define STATEMENT(name, text)  [STATEMENT_##name] = false,
#define CONCURRENT(name, text) [STATEMENT_##name] = true,
#include "store/queries.def"
#undef CONCURRENT
#undef STATEMENT
};

struct batch_memory *batch_memory_new(void)
{
    return calloc(1, sizeof(struct batch_memory));
}

static enum gate gate_of(const struct batch *batch)
{
    unsigned index;
    unsigned step;

    for (index = 0; index < batch->count; index++) {
        const struct store_unit *unit = batch->waiting[index]->unit;

        for (step = 0; step < unit->step_count; step++) {
            if (!is_concurrent[unit->steps[step].statement])
                return GATE_ALONE;
        }
    }
    return GATE_BESIDE;
}

static int64_t deadline_of(const struct batch *batch)
{
    int64_t since_ns = batch->waiting[0]->since_ns;
    unsigned index;

    for (index = 1; index < batch->count; index++) {
        if (batch->waiting[index]->since_ns < since_ns)
            since_ns = batch->waiting[index]->since_ns;
    }
    return since_ns + STORE_ANSWER_MS * INT64_C(1000000);
}

/* Batches of other processes that change some of the same rows lock them in the same order, so that
 * one waits for the other and not each for the other. */
static void order_units(struct batch *batch)
{
    unsigned index;

    for (index = 1; index < batch->count; index++) {
        struct waiting *waiting = batch->waiting[index];
        unsigned place = index;

        for (; place > 0 && batch->waiting[place - 1]->unit->order > waiting->unit->order; place--)
            batch->waiting[place] = batch->waiting[place - 1];
        batch->waiting[place] = waiting;
    }
}

/*
 * True when a step behind the first may refuse: only then must what ran before it be undone. The
 * verbs put what may refuse first, so the common units need no savepoint.
 */
static bool unit_needs_savepoint(const struct store_unit *unit)
{
    unsigned index;

    for (index = 1; index < unit->step_count; index++) {
        if (unit->steps[index].answer_if_none != RC_OK)
            return true;
    }
    return false;
}

/* ---- one unit after the other --------------------------------------------------------------- */

/* Why a statement changed nothing, for steps that can tell. */
static enum rc ask_reason(struct store *store, const struct store_step *step)
{
    const struct driver *driver = store->driver;
    bool has_row = false;
    enum rc rc;

    if (step->reason < 0)
        return step->answer_if_none;
    rc =
        driver->query(store->writer, (enum statement)step->reason, step->params, step->param_count);
    if (rc == RC_OK)
        rc = driver->next(store->writer, &has_row);
    driver->finish(store->writer);
    if (rc != RC_OK)
        return rc;
    return has_row ? step->answer_if_none : RC_NOT_FOUND;
}

/* Runs the steps until one answers something else than RC_OK; *out_index is its place. */
static enum rc run_steps(struct store *store, const struct store_unit *unit, unsigned *out_index)
{
    for (*out_index = 0; *out_index < unit->step_count; (*out_index)++) {
        const struct store_step *step = &unit->steps[*out_index];
        uint64_t row_count = 0;
        enum rc rc =
            store->driver->run(store->writer, (enum statement)step->statement, step->params,
                               step->param_count, &row_count, step->out_number);

        if (rc == RC_OK && row_count == 0 && step->answer_if_none != RC_OK)
            rc = ask_reason(store, step);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

/*
 * Runs one unit; waiting->answer is what its caller will hear if the commit succeeds.
 *
 * Answers: RC_OK · RC_REFUSED the unit must be undone and has no savepoint: the batch is run again
 * Faults:  the driver's; behind a savepoint RC_BUSY is the unit's own
 */
static enum rc run_unit(struct store *store, struct waiting *waiting, bool has_savepoint)
{
    const struct driver *driver = store->driver;
    struct store_unit *unit = waiting->unit;
    unsigned index = 0;
    enum rc rc = has_savepoint ? driver->savepoint(store->writer) : RC_OK;
    enum rc answer;

    if (rc != RC_OK)
        return rc;
    answer = run_steps(store, unit, &index);
    if (rc_is_fault(answer) && !(has_savepoint && answer == RC_BUSY))
        return answer;
    waiting->answer = answer;
    unit->answered_step = index;
    if (!has_savepoint)
        return answer == RC_OK || index == 0 ? RC_OK : RC_REFUSED;
    return answer == RC_OK ? driver->savepoint_release(store->writer)
                           : driver->savepoint_undo(store->writer);
}

static enum rc run_units(struct store *store, struct batch *batch, enum unit_way way)
{
    unsigned index;

    for (index = 0; index < batch->count; index++) {
        struct waiting *waiting = batch->waiting[index];
        bool has_savepoint = way == UNIT_BY_ITSELF || unit_needs_savepoint(waiting->unit);
        enum rc rc = RC_OK;

        if (waiting->way == way)
            rc = run_unit(store, waiting, has_savepoint);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

/* ---- together ------------------------------------------------------------------------------- */

static size_t gather_runs(const struct batch *batch, struct driver_run *out_runs)
{
    size_t count = 0;
    unsigned index;
    unsigned number;

    for (index = 0; index < batch->count; index++) {
        const struct store_unit *unit = batch->waiting[index]->unit;

        for (number = 0; batch->waiting[index]->way == UNIT_TOGETHER && number < unit->step_count;
             number++) {
            const struct store_step *step = &unit->steps[number];

            out_runs[count++] = (struct driver_run){ .statement = (enum statement)step->statement,
                                                     .params = step->params,
                                                     .param_count = step->param_count,
                                                     .out_number = step->out_number };
        }
    }
    return count;
}

/* The unit whose statement stands at that place in what was gathered goes by itself from now on. */
static void single_out(struct batch *batch, size_t place)
{
    unsigned index;

    for (index = 0; index < batch->count; index++) {
        struct waiting *waiting = batch->waiting[index];

        if (waiting->way != UNIT_TOGETHER)
            continue;
        if (place < waiting->unit->step_count) {
            waiting->way = UNIT_BY_ITSELF;
            return;
        }
        place -= waiting->unit->step_count;
    }
}

/* Singles out every unit of which a statement changed no row and had to. */
static enum rc judge_runs(struct batch *batch, const struct driver_run *runs)
{
    enum rc rc = RC_OK;
    unsigned index;
    unsigned number;

    for (index = 0; index < batch->count; index++) {
        struct waiting *waiting = batch->waiting[index];

        if (waiting->way != UNIT_TOGETHER)
            continue;
        for (number = 0; number < waiting->unit->step_count; number++) {
            if (runs[number].row_count == 0 &&
                waiting->unit->steps[number].answer_if_none != RC_OK) {
                waiting->way = UNIT_BY_ITSELF;
                rc = RC_REFUSED;
            }
        }
        waiting->answer = RC_OK;
        runs += waiting->unit->step_count;
    }
    return rc;
}

static enum rc run_together(struct store *store, struct batch *batch)
{
    struct driver_run *runs = store->batch_memory->runs;
    size_t count = gather_runs(batch, runs);
    size_t failed = count;
    enum rc rc;

    if (count == 0)
        return RC_OK;
    rc = store->driver->run_all(store->writer, runs, count, &failed);
    if (rc == RC_OK)
        return judge_runs(batch, runs);
    if ((rc != RC_EXISTS && rc != RC_BUSY) || failed >= count)
        return rc;
    single_out(batch, failed);
    return RC_REFUSED;
}

/* ---- the transaction ------------------------------------------------------------------------ */

static size_t gather_changes(struct store *store, const struct batch *batch)
{
    struct batch_memory *memory = store->batch_memory;
    int64_t now = clock_now_s();
    size_t count = 0;
    unsigned index;
    unsigned number;

    for (index = 0; index < batch->count; index++) {
        const struct store_unit *unit = batch->waiting[index]->unit;

        for (number = 0; batch->waiting[index]->answer == RC_OK && number < unit->change_count;
             number++) {
            struct store_param *params = memory->change_params[count];

            if ((unit->told_changes & 1u << number) != 0)
                continue;
            params[0] = (struct store_param){ .type = STORE_INT, .number = now };
            params[1] =
                (struct store_param){ .type = STORE_INT, .number = unit->changes[number].kind };
            params[2] =
                (struct store_param){ .type = STORE_INT, .number = unit->changes[number].key };
            memory->changes[count++] = (struct driver_run){ .statement = STATEMENT_INSERT_CHANGE,
                                                            .params = params,
                                                            .param_count = 3 };
        }
    }
    return count;
}

static void note_fault(struct store *store, enum rc rc)
{
    if (rc_is_fault(rc) && rc != RC_BUSY)
        store_note_error(store, store->driver->last_error(store->writer));
}

/* One transaction over all units and a little of the sweep. */
static enum rc run_transaction(struct store *store, struct batch *batch)
{
    const struct driver *driver = store->driver;
    struct id_lease lease;
    bool is_productive;
    enum rc rc = driver->begin(store->writer, gate_of(batch), deadline_of(batch));

    if (rc != RC_OK) {
        note_fault(store, rc);
        return rc;
    }
    rc = driver->run_all != NULL ? run_together(store, batch)
                                 : run_units(store, batch, UNIT_TOGETHER);
    if (rc == RC_OK)
        rc = run_units(store, batch, UNIT_BY_ITSELF);
    if (rc == RC_OK)
        rc = sweep_some(store, batch->count, &is_productive);
    if (rc == RC_OK)
        rc = ids_lease_ahead(store, &lease);
    if (rc == RC_OK)
        rc = driver->commit(store->writer, store->batch_memory->changes,
                            gather_changes(store, batch));
    if (rc == RC_OK) {
        ids_settle(store, &lease);
    } else {
        note_fault(store, rc);
        driver->rollback(store->writer);
    }
    sweep_settle(store, rc == RC_OK);
    return rc;
}

static void set_way_of_all(struct batch *batch, enum unit_way way)
{
    unsigned index;

    for (index = 0; index < batch->count; index++)
        batch->waiting[index]->way = way;
}

/* Until it is committed or at fault. The deadline ends what takes too long, the count what does
 * not. */
static enum rc run_rounds(struct store *store, struct batch *batch)
{
    enum rc rc = RC_REFUSED;
    unsigned round;

    set_way_of_all(batch, UNIT_TOGETHER);
    if (store->driver->is_shared)
        order_units(batch);
    for (round = 0; (rc == RC_REFUSED || rc == RC_BUSY) && round < ROUND_COUNT_MAX; round++) {
        if (round + 1 == ROUND_COUNT_MAX ||
            (rc == RC_REFUSED && round > 0 && !store->driver->run_all))
            set_way_of_all(batch, UNIT_BY_ITSELF);
        rc = run_transaction(store, batch);
    }
    ASSERT(rc == RC_OK || rc_is_fault(rc));
    atomic_fetch_add(&store->meters.retries, round - 1);
    return rc;
}

void store_tell(struct store *store, const struct store_change *change)
{
    unsigned index;

    for (index = 0; index < store->listener_count; index++)
        store->listeners[index].on_change(store->listeners[index].context, change);
}

/* Before anybody hears that it was committed. */
static void tell_changes(struct store *store, const struct batch *batch)
{
    unsigned index;
    unsigned change;

    pthread_mutex_lock(&store->listener_lock);
    for (index = 0; index < batch->count; index++) {
        const struct store_unit *unit = batch->waiting[index]->unit;

        for (change = 0; batch->waiting[index]->answer == RC_OK && change < unit->change_count;
             change++)
            store_tell(store, &unit->changes[change]);
    }
    pthread_mutex_unlock(&store->listener_lock);
}

static void note_answers(struct store *store, struct batch *batch, enum rc rc)
{
    unsigned index;

    for (index = 0; index < batch->count; index++) {
        struct waiting *waiting = batch->waiting[index];

        if (rc != RC_OK)
            waiting->answer = rc;
        else if (waiting->answer != RC_OK)
            atomic_fetch_add(&store->meters.unit_refusals, 1);
    }
}

void batch_run(struct store *store, struct batch *batch)
{
    int64_t start_ns = clock_monotonic_ns();
    enum rc rc = run_rounds(store, batch);

    note_answers(store, batch, rc);
    if (rc == RC_OK)
        tell_changes(store, batch);
    atomic_store(&store->health, (int)store->driver->health(store->writer));
    atomic_fetch_add(&store->meters.units, batch->count);
    atomic_fetch_add(rc == RC_OK ? &store->meters.commits : &store->meters.faults, 1);
    atomic_fetch_add(&store->meters.commit_ns, (uint64_t)(clock_monotonic_ns() - start_ns));
}
