/* How much of a thread's stack is left. Whatever recurses as deep as programs are nested (transforms, loops, functions)
 * asks first and fails with an error, since a stack that overflows takes the process along. */
#ifndef LUCID__STACK_H
#define LUCID__STACK_H

#include <stdbool.h>
#include <stdint.h>

/* The lowest address that may be reached; before a thread's first question above all addresses. */
extern _Thread_local uintptr_t lucid__stack_lowest __attribute__((tls_model("initial-exec")));

/* Finds it, once per thread. */
bool lucid__stack_look(uintptr_t here);

/* Whether so little is left that nothing but the error and what ends functions should run. */
static inline bool lucid__stack_is_low(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    return here < lucid__stack_lowest && lucid__stack_look(here);
}

#endif
