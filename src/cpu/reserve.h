/* Whether the libraries below will get the memory and the threads that they take without asking: OpenBLAS and GNU's OpenMP end
 * the process where they cannot have them. So they are tried out first. */
#ifndef LUCID__RESERVE_H
#define LUCID__RESERVE_H

#include <stdbool.h>

/* How many more threads than the calling one can be made, up to `wanted`. */
int lucid__threads_available(int wanted);
/* Whether there is a reason to try out again what went well before. */
bool lucid__threads_may_fail(void);

/* For how many calls of the BLAS at a time there is memory, up to `wanted`; one that has been made goes on to have it. */
int lucid__blas_calls_available(int wanted);

#endif
