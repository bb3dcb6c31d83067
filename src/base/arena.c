#include "base/arena.h"

#include <string.h>

#include "base/memory.h"

typedef struct chunk {
    struct chunk *next;
    size_t used, size;
    max_align_t data[];
} chunk;

struct lucid__arena {
    chunk *chunks;
    size_t bytes;
};

lucid__arena *lucid__arena_new(void)
{
    return lucid__calloc(1, sizeof(lucid__arena));
}

void *lucid__arena_alloc(lucid__arena *a, size_t bytes)
{
    enum { CHUNK = 4096 };
    const size_t unit = sizeof(max_align_t);
    bytes = (bytes + unit - 1) / unit * unit;
    chunk *c = a->chunks;
    if (!c || c->size - c->used < bytes) {
        size_t size = bytes > CHUNK ? bytes : CHUNK;
        c = lucid__malloc(sizeof *c + size);
        if (!c)
            return NULL;
        c->next = a->chunks;
        c->used = 0;
        c->size = size;
        a->chunks = c;
        a->bytes += sizeof *c + size;
    }
    void *p = (char *)c->data + c->used;
    c->used += bytes;
    return memset(p, 0, bytes);
}

size_t lucid__arena_bytes(const lucid__arena *a)
{
    return sizeof *a + a->bytes;
}

void lucid__arena_free(lucid__arena *a)
{
    if (!a)
        return;
    while (a->chunks) {
        chunk *c = a->chunks;
        a->chunks = c->next;
        lucid__free(c);
    }
    lucid__free(a);
}
