/* Loads of what lies in several places, and stores with zeros around them. */
#include <string.h>

#include "cpu/machine.h"

/* The lanes of one part as nested loops over memory and over the register. */
typedef struct loops {
    int n;
    int64_t len[LUCID_MAX_NDIM], from[LUCID_MAX_NDIM], to[LUCID_MAX_NDIM];
} loops;

static void add_loop(loops *l, int64_t len, int64_t from, int64_t to)
{
    int k = l->n - 1;
    if (len == 1)
        return;
    if (k >= 0 && l->from[k] == from * len && l->to[k] == to * len) {
        l->len[k] *= len;
    } else {
        k = l->n++;
        l->len[k] = len;
    }
    l->from[k] = from;
    l->to[k] = to;
}

/* Rows of n elements. */
#define COPY(type) \
    do { \
        const type *x = (const type *)(const void *)memory; \
        type *y = (type *)(void *)lanes; \
        for (int64_t r = 0; r < rows; r++, x += row_from, y += row_to) \
            if (to == 1 && from == 1) \
                _Pragma("omp simd") for (int64_t i = 0; i < n; i++) y[i] = x[i]; \
            else \
                for (int64_t i = 0; i < n; i++) \
                    y[i * to] = x[i * from]; \
    } while (0)

static void copy(const loops *l, size_t size, const char *memory, char *lanes)
{
    int64_t index[LUCID_MAX_NDIM] = {0};
    const int last = l->n - 1, outer = l->n > 2 ? l->n - 2 : 0;
    const int64_t n = last >= 0 ? l->len[last] : 1, rows = last > 0 ? l->len[last - 1] : 1;
    const int64_t from = last >= 0 ? l->from[last] : 1, to = last >= 0 ? l->to[last] : 1;
    const int64_t row_from = last > 0 ? l->from[last - 1] : 0;
    const int64_t row_to = last > 0 ? l->to[last - 1] : 0;
    for (;;) {
        if (size == 4)
            COPY(uint32_t);
        else if (size == 8)
            COPY(uint64_t);
        else
            COPY(uint8_t);
        int d = outer - 1;
        for (; d >= 0; d--) {
            memory += l->from[d] * (int64_t)size;
            lanes += l->to[d] * (int64_t)size;
            if (++index[d] < l->len[d])
                break;
            memory -= l->len[d] * l->from[d] * (int64_t)size;
            lanes -= l->len[d] * l->to[d] * (int64_t)size;
            index[d] = 0;
        }
        if (d < 0)
            return;
    }
}

/* Where the points that the box and a part have in common begin, and loops over them. False: there are none.
 * all: they are the whole box. */
static bool meet(const lucid__machine *m, unsigned over, const lucid__part *part, int64_t *from,
                 int64_t *to, loops *l, bool *all)
{
    const lucid__program *p = m->program;
    int64_t stride[LUCID_MAX_NDIM], lanes = 1;
    for (int i = p->ndim - 1; i >= 0; i--) {
        int d = m->order[i];
        stride[d] = lanes;
        lanes *= over >> d & 1 ? m->len[d] : 1;
    }
    *l = (loops){.n = 0};
    *from = part->from.offset;
    *to = 0;
    *all = true;
    for (int i = 0; i < p->ndim; i++) {
        int d = m->order[i];
        if (!(over >> d & 1))
            continue;
        int64_t low = part->low[d] - m->start[d], high = part->high[d] - m->start[d];
        low = low < 0 ? 0 : low;
        high = high > m->len[d] ? m->len[d] : high;
        if (low >= high)
            return false;
        *all &= high - low == m->len[d];
        *from += (m->start[d] + low) * part->from.stride[d];
        *to += low * stride[d];
        add_loop(l, high - low, part->from.stride[d], stride[d]);
    }
    return true;
}

void *lucid__machine_load_parts(const lucid__machine *m, const lucid__stream *t, char *lanes)
{
    const lucid__parts *parts = t->parts;
    const unsigned over = m->program->over[t->reg];
    const size_t size = lucid_dtype_size((lucid_dtype)t->dtype);
    bool zeros = parts->holes;
    for (int k = 0; k < parts->n; k++) {
        const lucid__stream *of = &parts->part[k].from;
        int64_t from, to;
        loops l;
        bool all;
        if (!meet(m, over, &parts->part[k], &from, &to, &l, &all))
            continue;
        char *memory = (char *)m->slots[of->slot] + from * (int64_t)size;
        if (all && (l.n == 0 || (l.n == 1 && l.from[0] == 1)))
            return memory;
        if (zeros && !all)
            memset(lanes, 0, (size_t)lucid__machine_lanes(m, over) * size);
        zeros = false;
        copy(&l, size, memory, lanes + to * (int64_t)size);
        if (all)
            return lanes;
    }
    if (zeros)
        memset(lanes, 0, (size_t)lucid__machine_lanes(m, over) * size);
    return lanes;
}

/* ---- margins ------------------------------------------------------------------------------------- */

/* A box of memory along some dims. */
typedef struct slab {
    int n;
    int64_t len[LUCID_MAX_NDIM], stride[LUCID_MAX_NDIM];
} slab;

static void clear(const slab *b, size_t size, char *memory)
{
    int64_t index[LUCID_MAX_NDIM] = {0};
    const int last = b->n - 1, outer = b->n > 2 ? b->n - 2 : 0;
    const int64_t n = b->len[last], stride = b->stride[last] * (int64_t)size;
    const int64_t rows = last > 0 ? b->len[last - 1] : 1;
    const int64_t row = last > 0 ? b->stride[last - 1] * (int64_t)size : 0;
    for (;;) {
        for (int64_t r = 0; r < rows; r++)
            if (b->stride[last] == 1)
                memset(memory + r * row, 0, (size_t)n * size);
            else
                for (int64_t i = 0; i < n; i++)
                    memset(memory + r * row + i * stride, 0, size);
        int d = outer - 1;
        for (; d >= 0; d--) {
            memory += b->stride[d] * (int64_t)size;
            if (++index[d] < b->len[d])
                break;
            memory -= b->len[d] * b->stride[d] * (int64_t)size;
            index[d] = 0;
        }
        if (d < 0)
            return;
    }
}

void lucid__machine_store_margin(const lucid__machine *m, const lucid__stream *t)
{
    const lucid__program *p = m->program;
    const size_t size = lucid_dtype_size((lucid_dtype)t->dtype);
    char *memory = (char *)m->slots[t->slot] + t->offset * (int64_t)size;
    slab b = {.n = 0};
    for (int d = 0; d < p->ndim; d++) {
        if (!(p->over[t->reg] >> d & 1))
            continue;
        memory += m->start[d] * t->stride[d] * (int64_t)size;
        b.len[b.n] = m->len[d];
        b.stride[b.n++] = t->stride[d];
    }
    /* Dim after dim: what has been written grows by the slabs before and behind it. */
    for (int d = 0, k = 0; d < p->ndim; d++) {
        int64_t low, high, len = m->len[d];
        if (!(p->over[t->reg] >> d & 1))
            continue;
        lucid__margin_along(t->margin, t->stride[d], &low, &high);
        const int64_t step = t->stride[d] * (int64_t)size;
        low = m->start[d] == 0 ? low : 0;
        high = m->start[d] + len == p->dim[d] ? high : 0;
        if (high > 0) {
            b.len[k] = high;
            clear(&b, size, memory + len * step);
        }
        if (low > 0) {
            b.len[k] = low;
            memory -= low * step;
            clear(&b, size, memory);
        }
        b.len[k++] = low + len + high;
    }
}
