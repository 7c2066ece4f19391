#include "oauth/permanent.h"

static const struct {
    enum permanent_field field;
    const char *words;
} problems[PERMANENT_PROBLEM_COUNT] = {
#define PERMANENT_PROBLEM(name, its_field, its_words)                                              \
    [PERMANENT_##name] = { .field = its_field, .words = its_words },
#include "oauth/permanent.def"
#undef PERMANENT_PROBLEM
};

enum permanent_field permanent_problem_field(enum permanent_problem problem)
{
    return problems[problem].field;
}

const char *permanent_problem_words(enum permanent_problem problem)
{
    return problems[problem].words;
}
