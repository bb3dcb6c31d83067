#include "transform/entries.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { FEW = LUCID__FEW_ENTRIES };

/* 1: it is new, 0: it is not, -1: out of memory. */
static int is_new(lucid__entries *e, const lucid__tape_entry *entry)
{
    if (e->count < FEW) {
        for (size_t i = 0; i < e->count; i++)
            if (e->at[i] == entry)
                return 0;
        return 1;
    }
    int added = 1;
    for (size_t i = 0; e->count == FEW && i < FEW && added >= 0; i++)
        added = lucid__ptr_set_add(&e->seen, e->at[i]);
    return added < 0 ? added : lucid__ptr_set_add(&e->seen, entry);
}

static bool grow(lucid__entries *e)
{
    size_t capacity = 2 * e->capacity;
    bool few = e->at == e->few;
    lucid__tape_entry **more = lucid__realloc(few ? NULL : e->at, capacity * sizeof(*more));
    if (!more)
        return false;
    if (few)
        memcpy(more, e->few, sizeof e->few);
    e->at = more;
    e->capacity = capacity;
    return true;
}

static bool add(lucid__entries *e, lucid__tape_entry *entry)
{
    int added = is_new(e, entry);
    if (added <= 0)
        return added == 0;
    if (e->count == e->capacity && !grow(e))
        return false;
    e->at[e->count++] = entry;
    return true;
}

/* Few are put in order here: they are found nearly backwards, and the library's function has to be asked. */
static bool sort_few(lucid__tape_entry **at, size_t n)
{
    for (size_t i = 1; n <= FEW && i < n; i++) {
        lucid__tape_entry *e = at[i];
        size_t k = i;
        for (; k > 0 && at[k - 1]->order > e->order; k--)
            at[k] = at[k - 1];
        at[k] = e;
    }
    return n <= FEW;
}

static int by_order(const void *a, const void *b)
{
    uint64_t x = (*(lucid__tape_entry *const *)a)->order;
    uint64_t y = (*(lucid__tape_entry *const *)b)->order;
    return (x > y) - (x < y);
}

void lucid__entries_free(lucid__entries *e)
{
    if (e->first != e->few_first)
        lucid__free(e->first);
    if (e->at != e->few)
        lucid__free(e->at);
    lucid__ptr_set_free(&e->seen);
}

bool lucid__entries_find(lucid_scope *s, lucid__entries *e, uint64_t level, lucid__value *const *y,
                         size_t ny)
{
    e->level = level;
    e->at = e->few;
    e->count = e->nvalues = 0;
    e->capacity = FEW;
    e->first = e->few_first;
    e->seen = (lucid__ptr_set){0};
    bool ok = true;
    for (size_t k = 0; k < ny && ok; k++)
        if (lucid__entries_level_of(e, y[k]))
            ok = add(e, y[k]->entry);
    for (size_t i = 0; i < e->count && ok; i++)
        for (int j = 0; j < e->at[i]->nin && ok; j++)
            if (lucid__entries_level_of(e, e->at[i]->in[j]))
                ok = add(e, e->at[i]->in[j]->entry);
    if (ok) {
        if (!sort_few(e->at, e->count))
            qsort(e->at, e->count, sizeof *e->at, by_order);
        if (e->count > FEW)
            e->first = lucid__malloc(e->count * sizeof *e->first);
        ok = e->first != NULL;
    }
    for (size_t i = 0; ok && i < e->count; i++) {
        e->first[i] = e->nvalues;
        e->nvalues += e->at[i]->nout;
    }
    if (!ok)
        lucid__out_of_memory(s);
    return ok;
}

size_t lucid__entries_number(const lucid__entries *e, const lucid__value *v)
{
    size_t low = 0, high = e->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (e->at[mid]->order < v->entry->order)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == e->count || e->at[low] != v->entry)
        return SIZE_MAX;
    return e->first[low] + (size_t)v->out;
}
