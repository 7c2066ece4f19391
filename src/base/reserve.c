#include "base/reserve.h"

#include <malloc.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE_COUNT = 6, RESERVE_BYTES = 25 << 20 };

struct block {
    struct block *next;
};

/* Blocks of one size stand together. */
static const struct {
    size_t block_bytes;
    size_t end; /* within the reserve */
} sizes[SIZE_COUNT] = {
    { 128, 256 << 10 },    { 512, 512 << 10 },     { 4 << 10, 768 << 10 },
    { 32 << 10, 1 << 20 }, { 256 << 10, 9 << 20 }, { 2 << 20, RESERVE_BYTES },
};

/* Pages that are never touched cost nothing, and are not in the file of the program either. */
static alignas(64) unsigned char reserve[RESERVE_BYTES];
static struct block *given_back[SIZE_COUNT]; /* under the lock, as is the next one */
static size_t used_bytes[SIZE_COUNT];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool is_own(const void *block)
{
    return (uintptr_t)block - (uintptr_t)reserve < sizeof(reserve);
}

static size_t size_index_of(const void *block)
{
    size_t place = (uintptr_t)block - (uintptr_t)reserve;
    size_t index = 0;

    while (place >= sizes[index].end)
        index++;
    return index;
}

static struct block *take(size_t index)
{
    size_t begin = index == 0 ? 0 : sizes[index - 1].end;
    struct block *block;

    pthread_mutex_lock(&lock);
    block = given_back[index];
    if (block != NULL) {
        given_back[index] = block->next;
        block->next = NULL;
    } else if (begin + used_bytes[index] < sizes[index].end) {
        block = (struct block *)(void *)(reserve + begin + used_bytes[index]);
        used_bytes[index] += sizes[index].block_bytes;
    }
    pthread_mutex_unlock(&lock);
    return block;
}

/* What is not used is all zero. */
static void *take_for(size_t bytes)
{
    struct block *block = NULL;

    for (size_t index = 0; block == NULL && index < SIZE_COUNT; index++) {
        if (bytes <= sizes[index].block_bytes)
            block = take(index);
    }
    return block;
}

void *reserve_alloc(size_t bytes)
{
    void *block = malloc(bytes);

    if (block == NULL)
        block = take_for(bytes);
    return block;
}

void *reserve_zalloc(size_t bytes)
{
    void *block = calloc(1, bytes);

    if (block == NULL)
        block = take_for(bytes);
    return block;
}

void *reserve_realloc(void *old, size_t bytes)
{
    void *block;
    size_t kept;

    if (old == NULL)
        return reserve_alloc(bytes);
    if (!is_own(old)) {
        block = realloc(old, bytes);
        if (block != NULL)
            return block;
    }
    kept = is_own(old) ? sizes[size_index_of(old)].block_bytes : malloc_usable_size(old);
    block = reserve_alloc(bytes);
    if (block == NULL)
        return NULL;
    memcpy(block, old, kept < bytes ? kept : bytes);
    reserve_free(old);
    return block;
}

void reserve_free(void *block)
{
    struct block *freed = block;
    size_t index;

    if (!is_own(block)) {
        free(block);
        return;
    }
    index = size_index_of(block);
    explicit_bzero(block, sizes[index].block_bytes);
    pthread_mutex_lock(&lock);
    freed->next = given_back[index];
    given_back[index] = freed;
    pthread_mutex_unlock(&lock);
}
