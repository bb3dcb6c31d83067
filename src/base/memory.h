/* All memory of the library comes from here, so that tests can make any allocation fail. */
#ifndef LUCID__MEMORY_H
#define LUCID__MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* Whether memory that is given back is kept for those who want some next. Not under a sanitizer, which sees
 * what is wrong with memory only if it is freed when nobody uses it any more. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LUCID__REUSES_MEMORY 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LUCID__REUSES_MEMORY 0
#endif
#endif
#ifndef LUCID__REUSES_MEMORY
#define LUCID__REUSES_MEMORY 1
#endif

/* Aligned for any type. A block may be freed by another thread than the one that took it. */
void *lucid__malloc(size_t bytes);
void *lucid__calloc(size_t count, size_t size); /* NULL when count * size overflows */
void *lucid__realloc(void *p, size_t bytes);
void lucid__free(void *p);

/* Makes the n-th allocation from now (0: the next) and all after it fail; negative: none fails. */
void lucid__fail_allocations_after(int64_t n);
/* How many more would have succeeded; negative: one was made to fail. */
int64_t lucid__allocations_left(void);

#endif
