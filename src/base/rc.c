#include "base/rc.h"

#include <stdio.h>
#include <stdlib.h>

enum rc_class { RC_CLASS_ANSWER, RC_CLASS_FAULT };

static const struct {
    const char *name;
    const char *words;
    enum rc_class class;
} rc_table[] = {
#define RC(name, class, words) [RC_##name] = { #name, words, RC_CLASS_##class },
#include "base/rc.def"
#undef RC
};

const char *rc_name(enum rc rc)
{
    return rc_table[rc].name;
}

const char *rc_words(enum rc rc)
{
    return rc_table[rc].words;
}

bool rc_is_fault(enum rc rc)
{
    return rc_table[rc].class == RC_CLASS_FAULT;
}

void rc_assert_failed(const char *promise, const char *file, int line)
{
    fprintf(stderr, "jeton: broken promise: %s (%s:%d)\n", promise, file, line);
    abort();
}
