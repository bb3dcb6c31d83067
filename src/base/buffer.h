/* Reference-counted memory of tensors. Freed buffers are kept for reuse up to a bound, because fresh
 * pages from the system cost more than most programs that fill them. */
#ifndef LUCID__BUFFER_H
#define LUCID__BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "base/thread.h"

typedef struct lucid__buffer {
    lucid__refs refs;
    void *data;
    size_t bytes;                 /* usable size, at least what was asked */
    void (*release)(void *owner); /* of foreign memory; NULL: our own */
    void *owner;
    struct lucid__buffer *next; /* in the list of free ones */
    max_align_t small[2];       /* data of scalars stands here */
} lucid__buffer;

/* Uninitialised, 64-byte aligned memory (scalars: 16). NULL: out of memory. */
lucid__buffer *lucid__buffer_new(size_t bytes);
/* Takes foreign memory; NULL: out of memory, and release is NOT called. */
lucid__buffer *lucid__buffer_wrap(void *data, void (*release)(void *owner), void *owner);
lucid__buffer *lucid__buffer_retain(lucid__buffer *b);
void lucid__buffer_release(lucid__buffer *b); /* NULL is fine */

uint64_t lucid__buffer_bytes_live(void);
uint64_t lucid__buffer_bytes_peak(void);

#endif
