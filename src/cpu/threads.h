#ifndef LUCID__THREADS_H
#define LUCID__THREADS_H

/* Threads that a parallel region may use. */
int lucid__num_threads(void);

#endif
