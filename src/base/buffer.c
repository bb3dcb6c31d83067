#include "base/buffer.h"

#include <string.h>

#include "base/memory.h"

enum {
    ALIGNMENT = 64,
    CLASSES = 8 * 44, /* eight size classes per power of two */
};
static const size_t kept_bytes_limit = (size_t)256 << 20;

static lucid__mutex mutex = LUCID__MUTEX_INIT;
static lucid__buffer *free_list[CLASSES];
static size_t kept_bytes;
static _Atomic uint64_t live, peak;

/* Rounds up to the size class and returns its number; sizes within a class are interchangeable. */
static int size_class(size_t *bytes)
{
    size_t n = *bytes < 64 ? 64 : *bytes;
    int log = 63 - __builtin_clzll((unsigned long long)n);
    size_t step = (size_t)1 << (log - 3);
    size_t rounded = (n + step - 1) / step * step;
    *bytes = rounded;
    log = 63 - __builtin_clzll((unsigned long long)rounded);
    return (log - 6) * 8 + (int)((rounded >> (log - 3)) & 7);
}

static void count_live(size_t bytes)
{
    uint64_t now = atomic_fetch_add(&live, bytes) + bytes;
    uint64_t seen = atomic_load(&peak);
    while (now > seen && !atomic_compare_exchange_weak(&peak, &seen, now)) {}
}

/* Our own memory: the header in front, the data at the next aligned address. */
static lucid__buffer *new_block(size_t bytes)
{
    lucid__buffer *b = lucid__malloc(sizeof *b + ALIGNMENT + bytes);
    if (!b)
        return NULL;
    memset(b, 0, sizeof *b);
    uintptr_t at = (uintptr_t)(b + 1);
    b->data = (char *)(b + 1) + (ALIGNMENT - at % ALIGNMENT) % ALIGNMENT;
    b->bytes = bytes;
    return b;
}

lucid__buffer *lucid__buffer_new(size_t bytes)
{
    lucid__buffer *b = NULL;
    if (bytes <= sizeof b->small) {
        b = lucid__calloc(1, sizeof *b);
        if (!b)
            return NULL;
        b->data = b->small;
        b->bytes = sizeof b->small;
    } else if (bytes > SIZE_MAX / 4) {
        return NULL;
    } else {
        int c = size_class(&bytes);
        lucid__lock(&mutex);
        if (c < CLASSES && free_list[c]) {
            b = free_list[c];
            free_list[c] = b->next;
            kept_bytes -= b->bytes;
        }
        lucid__unlock(&mutex);
        if (!b)
            b = new_block(bytes);
        if (!b)
            return NULL;
    }
    b->next = NULL;
    atomic_init(&b->refs, 1);
    count_live(b->bytes);
    return b;
}

lucid__buffer *lucid__buffer_wrap(void *data, void (*release)(void *owner), void *owner)
{
    lucid__buffer *b = lucid__calloc(1, sizeof *b);
    if (!b)
        return NULL;
    atomic_init(&b->refs, 1);
    b->data = data;
    b->release = release;
    b->owner = owner;
    return b;
}

lucid__buffer *lucid__buffer_retain(lucid__buffer *b)
{
    lucid__ref(&b->refs);
    return b;
}

void lucid__buffer_release(lucid__buffer *b)
{
    if (!b || !lucid__unref(&b->refs))
        return;
    if (b->bytes == 0) { /* foreign */
        if (b->release)
            b->release(b->owner);
        lucid__free(b);
        return;
    }
    atomic_fetch_sub(&live, b->bytes);
    if (b->data == b->small) {
        lucid__free(b);
        return;
    }
    size_t bytes = b->bytes;
    int c = size_class(&bytes);
    lucid__lock(&mutex);
    if (c < CLASSES && kept_bytes + b->bytes <= kept_bytes_limit) {
        b->next = free_list[c];
        free_list[c] = b;
        kept_bytes += b->bytes;
        b = NULL;
    }
    lucid__unlock(&mutex);
    lucid__free(b);
}

uint64_t lucid__buffer_bytes_live(void)
{
    return atomic_load(&live);
}

uint64_t lucid__buffer_bytes_peak(void)
{
    return atomic_load(&peak);
}
