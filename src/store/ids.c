#include "store/room.h"

/* How many ids are leased at once. What a process did not use is lost when it ends; the numbers of
 * accounts are seen by people, so their blocks are small. */
static const int64_t block_sizes[SEQUENCE_COUNT] = {
    [SEQUENCE_NOUN] = 16,
    [SEQUENCE_TOKEN] = 4096,
    [SEQUENCE_LONG_TOKEN] = 64,
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

static enum rc lease_block(struct store *store, enum store_sequence sequence)
{
    struct id_block *block = &store->ids[sequence];
    struct store_unit unit;
    struct store_step *step;
    int64_t first = 0;
    enum rc rc;

    store_unit_init(&unit);
    step = unit_add(&unit, STATEMENT_LEASE_IDS, RC_NOT_FOUND);
    step_int(step, sequence);
    step_int(step, block_sizes[sequence]);
    step->out_number = &first;
    rc = store_commit(store, &unit);
    if (rc == RC_NOT_FOUND)
        return RC_CORRUPT;
    if (rc != RC_OK)
        return rc;
    /* In this order, so that nobody sees the new end together with the old next: ids only grow,
     * and a comparison that was made with an old next fails at the exchange. */
    atomic_store(&block->end, 0);
    atomic_store(&block->next, first);
    atomic_store(&block->end, first + block_sizes[sequence]);
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
        rc = lease_block(store, sequence);
    pthread_mutex_unlock(&block->lock);
    return rc;
}
