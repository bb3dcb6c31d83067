/* Ending an evaluation early. Whoever wants one to end sets a flag of its session; boxes, tiles, steps and iterations
 * of loops look at the flag of the evaluation that runs, and are left out from then on. What they should have written
 * is not there, so the flag stays up until the evaluation has failed for it (lucid_fail takes it down). */
#ifndef LUCID__INTERRUPT_H
#define LUCID__INTERRUPT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of a session. Other threads and signal handlers touch `wanted` alone. */
typedef struct lucid__interrupt {
    atomic_bool wanted;
    bool (*poll)(void *user); /* asked now and then; NULL: nobody */
    void *user;
    uint64_t due; /* when poll is asked again, in nanoseconds */
    int patience; /* for how many more looks the clock is not read */
} lucid__interrupt;

/* Of the evaluation that runs, of which there is one at a time; never NULL. */
extern _Atomic(atomic_bool *) lucid__stop_flag;
/* What ends the evaluation of this thread; NULL: it has none, or helps another thread's. */
extern _Thread_local lucid__interrupt *lucid__evaluating __attribute__((tls_model("initial-exec")));

/* Asks whoever is to be asked, if it is time. True: there is to be an end. */
bool lucid__interrupt_look(lucid__interrupt *of);

/* Whether the evaluation that runs is to end: for its threads. */
static inline bool lucid__stopping(void)
{
    atomic_bool *flag = atomic_load_explicit(&lucid__stop_flag, memory_order_relaxed);
    return atomic_load_explicit(flag, memory_order_relaxed);
}

/* The same, in loops whose iterations take microseconds. */
static inline bool lucid__stop(void)
{
    lucid__interrupt *of = lucid__evaluating;
    return lucid__stopping() || (of && --of->patience < 0 && lucid__interrupt_look(of));
}

/* The same, in loops whose iterations may take milliseconds. */
static inline bool lucid__stop_now(void)
{
    lucid__interrupt *of = lucid__evaluating;
    return lucid__stopping() || (of && lucid__interrupt_look(of));
}

/* Which evaluation runs: of this thread from now on (NULL: it has ended). Under the engine's lock. */
void lucid__evaluation_begins(lucid__interrupt *of);

#endif
