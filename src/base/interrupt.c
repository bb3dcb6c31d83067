#include "base/interrupt.h"

#include <time.h>

/* Nobody waits longer than this for an answer, plus what an iteration takes. */
enum { INTERVAL = 30 * 1000 * 1000, PATIENCE = 16 };

static atomic_bool never;
_Atomic(atomic_bool *) lucid__stop_flag = &never;
_Thread_local lucid__interrupt *lucid__evaluating __attribute__((tls_model("initial-exec")));

/* Some milliseconds too early is right enough for a tenth of the price. */
#if defined(CLOCK_MONOTONIC_COARSE)
#define CLOCK CLOCK_MONOTONIC_COARSE
#else
#define CLOCK CLOCK_MONOTONIC
#endif

static uint64_t now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

bool lucid__interrupt_look(lucid__interrupt *of)
{
    of->patience = PATIENCE;
    if (of->poll) {
        uint64_t time = now();
        if (of->due == 0)
            of->due = time + INTERVAL;
        if (time >= of->due) {
            of->due = UINT64_MAX; /* what is asked may evaluate something itself */
            if (of->poll(of->user))
                atomic_store_explicit(&of->wanted, true, memory_order_relaxed);
            of->due = now() + INTERVAL;
        }
    }
    return atomic_load_explicit(&of->wanted, memory_order_relaxed);
}

void lucid__evaluation_begins(lucid__interrupt *of)
{
    lucid__evaluating = of;
    atomic_store_explicit(&lucid__stop_flag, of ? &of->wanted : &never, memory_order_relaxed);
}
