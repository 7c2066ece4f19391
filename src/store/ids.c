#include "store/room.h"

/* How many ids are leased at once. What a process did not use is lost when it ends; the numbers of
 * accounts are seen by people, so their blocks are small. */
static const int64_t block_sizes[SEQUENCE_COUNT] = {
    [SEQUENCE_NOUN] = 16,
    [SEQUENCE_TOKEN] = 4096,
    [SEQUENCE_LONG_TOKEN] = 4096,
};

static bool take_id(struct id_block *block, int64_t *out_id)
{
    int64_t next = atomic_load(&block->next);

    while (next < atomic_load(&block->end)) {
        if (atomic_compare_exchange_weak(&block->next, &next, next + 1)) {
            *out_id = next;
            return true;
        }
    }
    return false;
}

/* The caller holds the block's lock. */
static void open_block(struct id_block *block, int64_t first, int64_t size)
{
    /* In this order, so that nobody sees the new end together with the old next: ids only grow,
     * and a comparison that was made with an old next fails at the exchange. */
    atomic_store(&block->end, 0);
    atomic_store(&block->next, first);
    atomic_store(&block->end, first + size);
}

static enum rc lease_block(struct store *store, enum store_sequence sequence, int64_t *out_first)
{
    UNINITIALIZED struct store_unit unit;
    struct store_step *step;
    int64_t first = 0;
    enum rc rc;

    store_unit_init(&unit);
    step = unit_add(&unit, STATEMENT_LEASE_IDS, RC_NOT_FOUND);
    step_int(step, sequence);
    step_int(step, block_sizes[sequence]);
    step->out_number = &first;
    rc = store_commit(store, &unit);
    if (rc == RC_OK)
        *out_first = first;
    return rc == RC_NOT_FOUND ? RC_CORRUPT : rc;
}

/* Opens the block that the writer leased ahead, or waits for one. The caller holds the lock. */
static enum rc next_block(struct store *store, enum store_sequence sequence)
{
    struct id_block *block = &store->ids[sequence];
    int64_t first = atomic_exchange(&block->ahead, 0);
    enum rc rc = first != 0 ? RC_OK : lease_block(store, sequence, &first);
    int64_t ahead;

    if (rc != RC_OK)
        return rc;
    open_block(block, first, block_sizes[sequence]);
    /* Leased ahead while this one was waited for, and before it: ids only grow, so it is lost. */
    ahead = atomic_load(&block->ahead);
    if (ahead != 0 && ahead < first)
        atomic_compare_exchange_strong(&block->ahead, &ahead, 0);
    return RC_OK;
}

enum rc store_next_id(struct store *store, enum store_sequence sequence, int64_t *out_id)
{
    struct id_block *block = &store->ids[sequence];
    enum rc rc = RC_OK;

    if (take_id(block, out_id))
        return RC_OK;
    pthread_mutex_lock(&block->lock);
    /* Another thread may have leased while this one waited, and others may have used all of it. */
    while (rc == RC_OK && !take_id(block, out_id))
        rc = next_block(store, sequence);
    pthread_mutex_unlock(&block->lock);
    return rc;
}

/* Half used, and no other in reserve. */
static bool wants_lease(const struct id_block *block, int64_t size)
{
    int64_t end = atomic_load(&block->end);

    return end != 0 && end - atomic_load(&block->next) < size / 2 &&
           atomic_load(&block->ahead) == 0;
}

enum rc ids_lease_ahead(struct store *store, struct id_lease *out_lease)
{
    enum rc rc = RC_OK;
    int sequence;

    *out_lease = (struct id_lease){ { 0 } };
    /* Of nouns one block at a time: their numbers are seen. */
    for (sequence = SEQUENCE_TOKEN; rc == RC_OK && sequence < SEQUENCE_COUNT; sequence++) {
        const struct store_param params[2] = {
            { .type = STORE_INT, .number = sequence },
            { .type = STORE_INT, .number = block_sizes[sequence] },
        };
        uint64_t row_count;

        if (wants_lease(&store->ids[sequence], block_sizes[sequence]))
            rc = store->driver->run(store->writer, STATEMENT_LEASE_IDS, params, 2, &row_count,
                                    &out_lease->first[sequence]);
    }
    return rc;
}

void ids_forget(struct store *store)
{
    int sequence;

    for (sequence = 0; sequence < SEQUENCE_COUNT; sequence++) {
        struct id_block *block = &store->ids[sequence];

        pthread_mutex_lock(&block->lock);
        atomic_store(&block->ahead, 0);
        atomic_store(&block->end, 0);
        pthread_mutex_unlock(&block->lock);
    }
}

void ids_settle(struct store *store, const struct id_lease *lease)
{
    int sequence;

    for (sequence = 0; sequence < SEQUENCE_COUNT; sequence++) {
        if (lease->first[sequence] != 0)
            atomic_store(&store->ids[sequence].ahead, lease->first[sequence]);
    }
}
