#include "oauth/error.h"

static const struct {
    struct str wire;
    int status;
} error_table[OAUTH_ERROR_COUNT] = {
#define OAUTH_ERROR(name, wire, status, source)                                                    \
    [OAUTH_##name] = { { wire, sizeof(wire) - 1 }, status },
#include "oauth/error.def"
#undef OAUTH_ERROR
};

struct str oauth_error_wire(enum oauth_error error)
{
    return error_table[error].wire;
}

int oauth_error_status(enum oauth_error error)
{
    return error_table[error].status;
}
