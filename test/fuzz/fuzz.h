/*
 * fuzz/fuzz.h: what every fuzz target has in common.
 *
 * A target gives whatever bytes come to one parser, and ASSERTs what must hold of every answer:
 * views lie inside what they are views of, encode and decode are inverse, a refusal leaves nothing.
 * With -Dfuzz=true libFuzzer calls it; in every other build replay_main.c does, with the files of
 * test/fuzz/corpus/<name>/. A target is one file and one line in meson.build.
 */
#ifndef JETON_FUZZ_FUZZ_H
#define JETON_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/rc.h"

/* One input. Always returns 0; what must not happen aborts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as a view. */
static inline struct str fuzz_input(const uint8_t *data, size_t size)
{
    return (struct str){ (const char *)data, size };
}

/* A wiped arena of four mebibytes, the same one for input after input. */
static inline struct arena *fuzz_arena(void)
{
    static struct arena arena;

    if (arena.slab == NULL)
        arena_init(&arena, 4 * 1024 * 1024);
    arena_reset(&arena);
    return &arena;
}

/* True when the view lies inside; an empty one may point anywhere. */
static inline bool fuzz_is_within(struct str view, struct str whole)
{
    return view.len == 0 || (view.at >= whole.at && view.len <= whole.len &&
                             (size_t)(view.at - whole.at) <= whole.len - view.len);
}

/* True for a view into the input or into what the arena has handed out. */
static inline bool fuzz_is_owned(struct str view, struct str input, const struct arena *arena)
{
    return fuzz_is_within(view, input) ||
           fuzz_is_within(view, (struct str){ arena->slab, arena->used_bytes });
}

#endif
