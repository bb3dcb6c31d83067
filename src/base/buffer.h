/* Reference-counted memory of tensors. Buffers that nobody uses any more are kept for reuse, because fresh
 * pages from the system cost more than most programs that fill them: at most half of the memory budget
 * (lucid_get_memory_budget), the newest ones; none when the system has no more to give. */
#ifndef LUCID__BUFFER_H
#define LUCID__BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "base/thread.h"

typedef struct lucid__buffer {
    lucid__refs refs;
    int size_class;
    void *data;
    size_t bytes;                 /* usable size, at least what was asked; 0: foreign memory */
    void (*release)(void *owner); /* of foreign memory */
    void *owner;
    void *memory; /* our own, which data lies in */
    /* While it is kept: its neighbours among those of its size and among all by age. */
    struct lucid__buffer *previous, *next, *older, *newer;
    max_align_t small[2]; /* data of scalars stands here */
} lucid__buffer;

/* Uninitialised, 64-byte aligned memory (scalars: 16). NULL: out of memory. */
lucid__buffer *lucid__buffer_new(size_t bytes);
/* Takes foreign memory; NULL: out of memory, and release is NOT called. */
lucid__buffer *lucid__buffer_wrap(void *data, void (*release)(void *owner), void *owner);
/* When the library is loaded, since who watches forks from the first use on may miss one that is under way. Those who
 * take buffers under a lock of their own call it before they watch forks themselves: a fork takes the locks of those
 * who came last first. */
void lucid__buffers_watch_forks(void);
lucid__buffer *lucid__buffer_retain(lucid__buffer *b);
void lucid__buffer_release(lucid__buffer *b); /* NULL is fine */

uint64_t lucid__buffer_bytes_live(void);
uint64_t lucid__buffer_bytes_peak(void);
uint64_t lucid__buffer_bytes_kept(void);

/* Whether large memory has never been written, as far as its first, middle and last page tell. False where the
 * system does not say. */
bool lucid__memory_is_fresh(const void *data, size_t bytes);

#endif
