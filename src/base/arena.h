/*
 * base/arena.h: memory that lives exactly as long as one request.
 *
 * One slab, allocated once and used again and again. arena_alloc never answers NULL: what one
 * request may need is bounded by base/limits.h, and the slab is at least the sum of those bounds,
 * so an overrun is our bug and aborts. arena_reset wipes what was used: request memory holds
 * passwords and token values.
 */
#ifndef JETON_BASE_ARENA_H
#define JETON_BASE_ARENA_H

#include "base/str.h"

struct arena {
    char *slab;
    size_t slab_bytes;
    size_t used_bytes;
};

/* Allocates a slab; aborts when even base/reserve.h has no memory. The pages are touched only when
 * used. */
void arena_init(struct arena *arena, size_t slab_bytes);

void arena_deinit(struct arena *arena);

/* Zeroed memory, aligned for any type. It is none of its own to the compiler, as malloc's would be:
 * arena_rewind wipes it. */
void *arena_alloc(struct arena *arena, size_t bytes) __attribute__((returns_nonnull));

/* A copy of the view that lives in the arena and is followed by a NUL that does not count. */
struct str arena_copy(struct arena *arena, struct str view);

/* Formats into the arena. Never hand it a secret. */
struct str arena_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Wipes everything handed out so far and starts again. */
void arena_reset(struct arena *arena);

/* Wipes what was handed out since `used_bytes` was what it is given here: for work that is repeated
 * within one request. */
void arena_rewind(struct arena *arena, size_t used_bytes);

#endif
