#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/rc.h"
#include "base/reserve.h"

enum { ARENA_ALIGN_BYTES = 16 };

void arena_init(struct arena *arena, size_t slab_bytes)
{
    *arena = (struct arena){ .slab = reserve_zalloc(slab_bytes), .slab_bytes = slab_bytes };
    ASSERT(arena->slab != NULL);
}

void arena_deinit(struct arena *arena)
{
    if (arena->slab != NULL)
        arena_reset(arena);
    reserve_free(arena->slab);
    *arena = (struct arena){ 0 };
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    size_t rounded = (bytes + ARENA_ALIGN_BYTES - 1) & ~(size_t)(ARENA_ALIGN_BYTES - 1);
    void *at = arena->slab + arena->used_bytes;

    ASSERT(rounded >= bytes && rounded <= arena->slab_bytes - arena->used_bytes);
    arena->used_bytes += rounded;
    return at;
}

struct str arena_copy(struct arena *arena, struct str view)
{
    char *copy = arena_alloc(arena, view.len + 1);

    if (view.len > 0)
        memcpy(copy, view.at, view.len);
    return (struct str){ copy, view.len };
}

struct str arena_format(struct arena *arena, const char *format, ...)
{
    size_t room = arena->slab_bytes - arena->used_bytes;
    char *text = arena->slab + arena->used_bytes;
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text, room, format, args);
    va_end(args);
    ASSERT(len >= 0 && (size_t)len < room);
    /* The text stands where the allocation begins already. */
    return (struct str){ arena_alloc(arena, (size_t)len + 1), (size_t)len };
}

void arena_reset(struct arena *arena)
{
    arena_rewind(arena, 0);
}

void arena_rewind(struct arena *arena, size_t used_bytes)
{
    ASSERT(used_bytes <= arena->used_bytes);
    if (arena->used_bytes == used_bytes)
        return;
    /* explicit_bzero also leaves the slab zeroed, as arena_alloc promises. */
    explicit_bzero(arena->slab + used_bytes, arena->used_bytes - used_bytes);
    arena->used_bytes = used_bytes;
}
