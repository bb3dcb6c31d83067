#include "base/buffer.h"

#include <string.h>

#include "base/memory.h"
#include "lucid.h"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

enum {
    ALIGNMENT = 64,
    HUGE_PAGE = 2 << 20, /* a page of the larger kind */
    CLASSES = 8 * 44,    /* eight size classes per power of two */
    LOOK_UP = 2,         /* classes above its own that a buffer may come from */
};

/* Kept buffers, by size class, last one first; and all of them by the time they were released. */
static lucid__mutex mutex = LUCID__MUTEX_INIT;
static lucid__buffer *free_list[CLASSES];
static lucid__buffer *newest, *oldest;
static size_t kept_bytes;
static _Atomic uint64_t live, peak;

/* ---- around a fork -------------------------------------------------------------------------------- */

/* So that the child does not find the lock taken by a thread it does not have. */
static void lock_kept(void)
{
    lucid__lock(&mutex);
}

static void unlock_kept(void)
{
    lucid__unlock(&mutex);
}

static void watch_forks(void)
{
    (void)pthread_atfork(lock_kept, unlock_kept, unlock_kept);
}

__attribute__((constructor)) void lucid__buffers_watch_forks(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, watch_forks);
}

/* ---- the list of kept buffers ----------------------------------------------------------------------- */

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

static void keep(lucid__buffer *b, int class)
{
    b->size_class = class;
    b->next = free_list[class];
    b->previous = NULL;
    if (b->next)
        b->next->previous = b;
    free_list[class] = b;
    b->older = newest;
    b->newer = NULL;
    *(newest ? &newest->newer : &oldest) = b;
    newest = b;
    kept_bytes += b->bytes;
}

static void unkeep(lucid__buffer *b)
{
    *(b->previous ? &b->previous->next : &free_list[b->size_class]) = b->next;
    if (b->next)
        b->next->previous = b->previous;
    *(b->newer ? &b->newer->older : &newest) = b->older;
    *(b->older ? &b->older->newer : &oldest) = b->newer;
    kept_bytes -= b->bytes;
}

static void free_block(lucid__buffer *b)
{
    lucid__free(b->memory);
    lucid__free(b);
}

/* Takes the oldest ones out until at most so many bytes are kept; they are freed after the lock. */
static lucid__buffer *shrink(size_t bytes)
{
    lucid__buffer *out = NULL;
    while (oldest && kept_bytes > bytes) {
        lucid__buffer *b = oldest;
        unkeep(b);
        b->next = out;
        out = b;
    }
    return out;
}

static void free_all(lucid__buffer *b)
{
    while (b) {
        lucid__buffer *next = b->next;
        free_block(b);
        b = next;
    }
}

static void drop_kept(void)
{
    lucid__lock(&mutex);
    lucid__buffer *out = shrink(0);
    lucid__unlock(&mutex);
    free_all(out);
}

void lucid_empty_cache(void)
{
    drop_kept();
    lucid__memory_give_back();
}

/* ---- buffers ---------------------------------------------------------------------------------------- */

static void count_live(size_t bytes)
{
    uint64_t now = atomic_fetch_add(&live, bytes) + bytes;
    uint64_t seen = atomic_load(&peak);
    while (now > seen && !atomic_compare_exchange_weak(&peak, &seen, now)) {}
}

/* Blocks that fill a page of the larger kind begin with one and ask for more of them: hundreds of times fewer
 * page faults when the memory is first touched, which takes the kernel a third of the time, and fewer misses of
 * the address cache later. Smaller ones would take memory that they do not use. */
static void *new_memory(size_t bytes, void **data)
{
    size_t alignment = bytes >= HUGE_PAGE ? HUGE_PAGE : ALIGNMENT;
    char *memory = lucid__malloc(bytes + alignment);
    if (!memory)
        return NULL;
    char *at = memory + (alignment - (uintptr_t)memory % alignment) % alignment;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (alignment == HUGE_PAGE)
        (void)madvise(at, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
    *data = at;
    return memory;
}

bool lucid__memory_is_fresh(const void *data, size_t bytes)
{
#if defined(__linux__)
    const long page = sysconf(_SC_PAGESIZE);
    if (page <= 0 || bytes < (size_t)page)
        return false;
    for (size_t i = 0; i < 3; i++) {
        char *at = (char *)(uintptr_t)data + i * ((bytes - 1) / 2);
        unsigned char present = 1;
        if (mincore(at - (uintptr_t)at % (size_t)page, 1, &present) != 0 || (present & 1))
            return false;
    }
    return true;
#else
    (void)data, (void)bytes;
    return false;
#endif
}

static lucid__buffer *new_block(size_t bytes)
{
    lucid__buffer *b = lucid__calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->memory = new_memory(bytes, &b->data);
    if (!b->memory) { /* what is kept may be what is missing */
        drop_kept();
        b->memory = new_memory(bytes, &b->data);
    }
    if (!b->memory) {
        lucid__free(b);
        return NULL;
    }
    b->bytes = bytes;
    return b;
}

static lucid__buffer *take_kept(int class)
{
    lucid__buffer *b = NULL;
    lucid__lock(&mutex);
    for (int c = class; c <= class + LOOK_UP && c < CLASSES && !b; c++)
        b = free_list[c];
    if (b)
        unkeep(b);
    lucid__unlock(&mutex);
    return b;
}

lucid__buffer *lucid__buffer_new(size_t bytes)
{
    lucid__buffer *b = NULL;
    if (bytes <= sizeof b->small) {
        b = lucid__malloc(sizeof *b);
        if (!b)
            return NULL;
        b->data = b->small;
        b->bytes = sizeof b->small;
    } else if (bytes > SIZE_MAX / 4) {
        return NULL;
    } else {
        int class = size_class(&bytes);
        b = take_kept(class);
        if (!b)
            b = new_block(bytes);
        if (!b)
            return NULL;
    }
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

/* The newest buffers stay, since they are the likeliest to be wanted again, and to be in a cache. */
static void keep_or_free(lucid__buffer *b)
{
    size_t bytes = b->bytes,
           most = LUCID__REUSES_MEMORY ? (size_t)lucid_get_memory_budget() / 2 : 0;
    int class = size_class(&bytes);
    lucid__buffer *out = b;
    if (b->bytes <= most && class < CLASSES) {
        lucid__lock(&mutex);
        keep(b, class);
        out = shrink(most);
        lucid__unlock(&mutex);
    } else {
        b->next = NULL;
    }
    free_all(out);
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
    if (b->data == b->small)
        lucid__free(b);
    else
        keep_or_free(b);
}

uint64_t lucid__buffer_bytes_live(void)
{
    return atomic_load(&live);
}

uint64_t lucid__buffer_bytes_peak(void)
{
    return atomic_load(&peak);
}

uint64_t lucid__buffer_bytes_kept(void)
{
    lucid__lock(&mutex);
    uint64_t bytes = kept_bytes;
    lucid__unlock(&mutex);
    return bytes;
}
