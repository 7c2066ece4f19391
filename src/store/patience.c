#include "base/clock.h"
#include "store/room.h"

/* Of the turn that it was last asked in. */
static _Thread_local int64_t turn_ns;
static _Thread_local int64_t waited_ns;

int64_t patience_from_ns(void)
{
    int64_t now_ns = clock_monotonic_ns();
    int64_t began_ns = clock_turn_ns();

    if (began_ns != turn_ns) {
        turn_ns = began_ns;
        waited_ns = 0;
    }
    return now_ns - waited_ns;
}

void patience_end(int64_t from_ns)
{
    waited_ns = clock_monotonic_ns() - from_ns;
}
