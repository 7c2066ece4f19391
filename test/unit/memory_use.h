/*
 * How much of the heap is in use, with and without a sanitizer: for tests of what must not grow by
 * what somebody else chooses (fault class 41).
 */
#ifndef JETON_TEST_MEMORY_USE_H
#define JETON_TEST_MEMORY_USE_H

#include <malloc.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MEMORY_IS_SANITIZED 1
#endif
#endif

#ifdef MEMORY_IS_SANITIZED
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

static inline size_t memory_in_use(void)
{
#ifdef MEMORY_IS_SANITIZED
    return __sanitizer_get_current_allocated_bytes();
#else
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
#endif
}

/* How many distinct values are tried: a million, and a tenth of that where all is slow. */
#ifdef MEMORY_IS_SANITIZED
enum { VALUE_COUNT = 100 * 1000 };
#else
enum { VALUE_COUNT = 1000 * 1000 };
#endif

#endif
