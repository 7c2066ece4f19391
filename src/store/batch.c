#include "base/clock.h"
#include "store/room.h"

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

static enum rc run_changes(struct store *store, const struct store_unit *unit, int64_t now)
{
    unsigned index;

    for (index = 0; index < unit->change_count; index++) {
        const struct store_param params[3] = {
            { .type = STORE_INT, .number = now },
            { .type = STORE_INT, .number = unit->changes[index].kind },
            { .type = STORE_INT, .number = unit->changes[index].key },
        };
        uint64_t row_count;
        enum rc rc = RC_OK;

        if ((unit->told_changes & 1u << index) == 0)
            rc = store->driver->run(store->writer, STATEMENT_INSERT_CHANGE, params, 3, &row_count,
                                    NULL);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
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
 * Answers: RC_OK · RC_REFUSED the unit must be undone and has no savepoint: the batch is run again,
 * carefully.  Faults: the driver's
 */
static enum rc run_unit(struct store *store, struct waiting *waiting, bool is_careful, int64_t now)
{
    const struct driver *driver = store->driver;
    struct store_unit *unit = waiting->unit;
    bool has_savepoint = is_careful || unit_needs_savepoint(unit);
    unsigned index = 0;
    enum rc rc = has_savepoint ? driver->savepoint(store->writer) : RC_OK;
    enum rc answer;

    if (rc != RC_OK)
        return rc;
    answer = run_steps(store, unit, &index);
    if (answer == RC_OK)
        answer = run_changes(store, unit, now);
    if (rc_is_fault(answer))
        return answer;
    waiting->answer = answer;
    unit->answered_step = index;
    if (!has_savepoint)
        return answer == RC_OK || index == 0 ? RC_OK : RC_REFUSED;
    return answer == RC_OK ? driver->savepoint_release(store->writer)
                           : driver->savepoint_undo(store->writer);
}

static enum rc run_units(struct store *store, struct batch *batch, bool is_careful)
{
    int64_t now = clock_now_s();
    unsigned index;

    for (index = 0; index < batch->count; index++) {
        enum rc rc = run_unit(store, batch->waiting[index], is_careful, now);

        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

/* One transaction over all units and a little of the sweep. */
static enum rc run_transaction(struct store *store, struct batch *batch, bool is_careful)
{
    const struct driver *driver = store->driver;
    struct id_lease lease;
    bool is_productive;
    enum rc rc = driver->begin(store->writer);

    if (rc != RC_OK)
        return rc;
    rc = run_units(store, batch, is_careful);
    if (rc == RC_OK)
        rc = ids_lease_ahead(store, &lease);
    if (rc == RC_OK)
        rc = sweep_some(store, batch->count, &is_productive);
    if (rc == RC_OK)
        rc = driver->commit(store->writer);
    if (rc == RC_OK)
        ids_settle(store, &lease);
    else
        driver->rollback(store->writer);
    sweep_settle(store, rc == RC_OK);
    return rc;
}

static void tell_listeners(struct store *store, const struct store_unit *unit)
{
    unsigned change;
    unsigned index;

    for (change = 0; change < unit->change_count; change++) {
        for (index = 0; index < store->listener_count; index++)
            store->listeners[index].on_change(store->listeners[index].context,
                                              &unit->changes[change]);
    }
}

void batch_run(struct store *store, struct batch *batch)
{
    int64_t start_ns = clock_monotonic_ns();
    enum rc rc = run_transaction(store, batch, false);
    unsigned index;

    if (rc == RC_REFUSED)
        rc = run_transaction(store, batch, true);
    ASSERT(rc == RC_OK || rc_is_fault(rc));
    for (index = 0; index < batch->count; index++) {
        struct waiting *waiting = batch->waiting[index];

        if (rc != RC_OK)
            waiting->answer = rc;
        else if (waiting->answer == RC_OK)
            tell_listeners(store, waiting->unit);
        else
            atomic_fetch_add(&store->meters.unit_refusals, 1);
    }
    atomic_store(&store->health, (int)store->driver->health(store->writer));
    atomic_fetch_add(&store->meters.units, batch->count);
    atomic_fetch_add(rc == RC_OK ? &store->meters.commits : &store->meters.faults, 1);
    atomic_fetch_add(&store->meters.commit_ns, (uint64_t)(clock_monotonic_ns() - start_ns));
}
