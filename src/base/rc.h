/*
 * base/rc.h: what a call can come back with.
 *
 * Three kinds of going wrong, each with one road. Our bug: ASSERT, which is on in release and
 * aborts. A fault (disk full, database gone): a code of class FAULT, passed on untouched and
 * logged once where the answer is made. An answer (not found, spent, refused): handled by the
 * immediate caller. The table is base/rc.def.
 */
#ifndef JETON_BASE_RC_H
#define JETON_BASE_RC_H

#include <stdbool.h>

#define MUST_CHECK __attribute__((warn_unused_result))

enum rc {
#define RC(name, class, words) RC_##name,
#include "base/rc.def"
#undef RC
};

/* Stable name for logs, "NOT_FOUND". */
const char *rc_name(enum rc rc);

/* A few words for a person, "no such record". */
const char *rc_words(enum rc rc);

/* True when the world broke: the code may only be passed on, and ends in a 5xx. */
bool rc_is_fault(enum rc rc);

/*
 * Aborts with file and line when a promise of our own code is broken. On in release: a token
 * server that has lost its footing must stop, not guess.
 */
#define ASSERT(promise)                                                                            \
    do {                                                                                           \
        if (!(promise))                                                                            \
            rc_assert_failed(#promise, __FILE__, __LINE__);                                        \
    } while (0)

_Noreturn void rc_assert_failed(const char *promise, const char *file, int line);

/*
 * Marks a large local that is filled before it is read, so that it is not also zeroed first. Every
 * other local is (-ftrivial-auto-var-init), which costs nothing for small ones.
 */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define UNINITIALIZED __attribute__((uninitialized))
#endif
#endif
#ifndef UNINITIALIZED
#define UNINITIALIZED
#endif

/* AUTO(type) declares a handle that type_cleanup(&handle) closes on every way out of the scope. */
#define AUTO(type) __attribute__((cleanup(type##_cleanup))) struct type

#endif
