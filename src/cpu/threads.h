#ifndef LUCID__THREADS_H
#define LUCID__THREADS_H

#include <stdatomic.h>
#include <stdbool.h>

/* Threads that a parallel region may use. */
int lucid__num_threads(void);

/* The same number, for a region that is about to begin: its threads are there, each on a processor of its
 * own as far as there are so many. */
int lucid__team(int threads);

/* For a region that is worth all threads, or none but this one. */
int lucid__team_if(bool parallel);

/* At the end of a parallel region, by each of its threads, which count themselves: the one whose evaluation it is waits
 * here for the others, because it is asked meanwhile whether to go on. A barrier would be deaf. */
void lucid__team_finish(atomic_int *finished);

#endif
