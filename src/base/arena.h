/* Memory that is released all at once. */
#ifndef LUCID__ARENA_H
#define LUCID__ARENA_H

#include <stddef.h>

typedef struct lucid__arena lucid__arena;

lucid__arena *lucid__arena_new(void);                    /* NULL: out of memory */
void *lucid__arena_alloc(lucid__arena *a, size_t bytes); /* zeroed; NULL: out of memory */
size_t lucid__arena_bytes(const lucid__arena *a);        /* that it takes */
void lucid__arena_free(lucid__arena *a);                 /* NULL is fine */

#endif
