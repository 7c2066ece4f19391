/*
 * base/reserve.h: memory for what cannot be refused half-way, when the system gives none.
 *
 * Digests, MACs, signatures and arenas have no answer "no memory": a caller that went on without
 * one would be wrong, and a server that ended would take everybody with it. Their short-lived
 * blocks come from malloc, and when that has nothing, from blocks that were put aside when the
 * process began. What is kept, or may be refused, does not belong here: it is asked of malloc, and
 * its caller answers that the server is short of memory. Safe from any thread.
 */
#ifndef JETON_BASE_RESERVE_H
#define JETON_BASE_RESERVE_H

#include <stddef.h>

/* Bytes that are not cleared; NULL when the reserve is used up as well, or has no block so large.
 */
void *reserve_alloc(size_t bytes);

/* The same, cleared. */
void *reserve_zalloc(size_t bytes);

/* As realloc; the old block is still good when this answers NULL. */
void *reserve_realloc(void *old, size_t bytes);

/* Gives a block back to where it came from; NULL is fine. */
void reserve_free(void *block);

#endif
