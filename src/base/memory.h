/* All memory of the library comes from here, so that tests can make any allocation fail. */
#ifndef LUCID__MEMORY_H
#define LUCID__MEMORY_H

#include <stddef.h>
#include <stdint.h>

void *lucid__malloc(size_t bytes);
void *lucid__calloc(size_t count, size_t size); /* NULL when count * size overflows */
void *lucid__realloc(void *p, size_t bytes);
void lucid__free(void *p);

/* Makes the n-th allocation from now (0: the next) and all after it fail; negative: none fails. */
void lucid__fail_allocations_after(int64_t n);
/* How many more would have succeeded; negative: one was made to fail. */
int64_t lucid__allocations_left(void);

#endif
