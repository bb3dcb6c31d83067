#include "cpu/run_program.h"

#include <string.h>

#include "base/memory.h"
#include "base/thread.h"
#include "cpu/threads.h"

/* Streams and instructions times points that are worth a thread: some 20 microseconds, a few times what it
 * costs to start one and wait for it. */
enum { WORK_PER_THREAD = 1 << 17 };

int64_t lucid__product(const int64_t *dim, int ndim)
{
    int64_t n = 1;
    for (int i = 0; i < ndim; i++)
        n = lucid__times(n, dim[i]);
    return n;
}

int lucid__threads_for(const lucid__program *p, int64_t points)
{
    int64_t useful = points / (WORK_PER_THREAD / (p->nloads + p->ninstrs + p->nstores));
    int all = lucid__num_threads();
    return useful < 2 ? 1 : useful < all ? (int)useful : all;
}

/* A block of elements in a strided stream; the lanes that stand for it are row after row. */
typedef struct block {
    int64_t rows, row_stride, n, stride;
} block;

#define MOVE(type) \
    do { \
        type *x = (type *)(void *)lanes, *y = (type *)(void *)memory; \
        for (int64_t r = 0; r < b.rows; r++, x += b.n, y += b.row_stride) \
            if (load && b.stride == 1) \
                for (int64_t i = 0; i < b.n; i++) \
                    x[i] = y[i]; \
            else if (load) \
                for (int64_t i = 0; i < b.n; i++) \
                    x[i] = y[i * b.stride]; \
            else \
                for (int64_t i = 0; i < b.n; i++) \
                    y[i * b.stride] = x[i]; \
    } while (0)

/* Between memory and lanes, by the size of an element. */
static void move_block(char *memory, char *lanes, block b, size_t size, bool load)
{
    if (b.stride == 1 && b.rows == 1)
        memcpy(load ? lanes : memory, load ? memory : lanes, (size_t)b.n * size);
    else if (size == 4)
        MOVE(uint32_t);
    else if (size == 8)
        MOVE(uint64_t);
    else
        MOVE(uint8_t);
}
#undef MOVE

/* ---- machines ----------------------------------------------------------------------------------- */

/* The register's own lanes; a register can also stand for lanes in a stream's memory. */
static char *own_lanes(const lucid__machine *m, int reg)
{
    return m->memory + (64 - (uintptr_t)m->memory % 64) + (size_t)reg * m->lanes_bytes;
}

static size_t stream_size(const lucid__stream *t)
{
    return lucid_dtype_size((lucid_dtype)t->dtype);
}

static size_t widest(const lucid__program *p)
{
    size_t size = 1;
    for (int i = 0; i < p->nloads; i++)
        size = stream_size(&p->loads[i]) > size ? stream_size(&p->loads[i]) : size;
    for (int i = 0; i < p->ninstrs; i++) {
        const lucid__instr *in = &p->instrs[i];
        uint8_t dtype = in->op == LUCID__cast && in->to > in->dtype ? in->to : in->dtype;
        size_t bytes = lucid_dtype_size((lucid_dtype)dtype);
        size = bytes > size ? bytes : size;
    }
    return size;
}

static char *stream_base(const lucid__machine *m, const lucid__stream *t)
{
    return (char *)m->slots[t->slot] + t->offset * (int64_t)stream_size(t);
}

static void fill_uniform(lucid__machine *m, const lucid__stream *t, int64_t lanes)
{
    for (int d = 0; d < m->program->ndim; d++)
        if (t->stride[d] != 0)
            return;
    m->uniform[t->reg] = true;
    move_block(stream_base(m, t), m->reg[t->reg], (block){.rows = 1, .n = lanes}, stream_size(t),
               true);
}

bool lucid__machine_init(lucid__machine *m, const lucid__program *p, void *const *slots,
                         int64_t lanes)
{
    m->program = p;
    m->bodies = lucid__bodies_get();
    m->slots = slots;
    if (lanes > LUCID__TILE)
        lanes = LUCID__TILE;
    /* Registers a power of two apart would fall on the same lines of the cache. */
    m->lanes_bytes = ((size_t)lanes * widest(p) + 63) / 64 * 64 + 64;
    m->memory = lucid__malloc((size_t)p->nregs * m->lanes_bytes + 64);
    if (!m->memory)
        return false;
    for (int r = 0; r < p->nregs; r++)
        m->reg[r] = own_lanes(m, r);
    for (int i = 0; i < p->nloads; i++) {
        m->uniform[i] = false;
        fill_uniform(m, &p->loads[i], lanes);
    }
    return true;
}

void lucid__machine_free(lucid__machine *m)
{
    lucid__free(m->memory);
}

/* ---- moving lanes ----------------------------------------------------------------------------- */

/* Element offset of point `first` and the index of each dim there. */
static int64_t locate(const int64_t *dim, int ndim, const int64_t *stride, int64_t first,
                      int64_t *index)
{
    int64_t at = 0;
    for (int i = ndim - 1; i >= 0; i--) {
        index[i] = first % dim[i];
        first /= dim[i];
        at += index[i] * stride[i];
    }
    return at;
}

/* Steps from the end of an inner row to the start of the next; returns the change of offset. */
static int64_t next_row(const int64_t *dim, int ndim, const int64_t *stride, int64_t *index)
{
    int64_t change = 0;
    for (int i = ndim - 2; i >= 0; i--) {
        change += stride[i];
        if (++index[i] < dim[i])
            break;
        change -= dim[i] * stride[i];
        index[i] = 0;
    }
    return change;
}

/* Copies the lanes of points first .. first + n - 1 between a strided stream and dense lanes: parts of
 * inner rows, and whole ones many at a time. */
static void transfer(char *memory, const int64_t *stride, const int64_t *dim, int ndim,
                     int64_t first, int64_t n, char *lanes, size_t size, bool load)
{
    int64_t index[LUCID_MAX_NDIM] = {0};
    int last = ndim - 1;
    int64_t at = locate(dim, ndim, stride, first, index);
    if (ndim == 0) {
        move_block(memory, lanes, (block){.rows = 1, .n = n}, size, load);
        return;
    }
    for (int64_t done = 0; done < n;) {
        block b = {.rows = 1, .n = dim[last] - index[last], .stride = stride[last]};
        if (b.n > n - done)
            b.n = n - done;
        if (b.n == dim[last] && last > 0) {
            int64_t rows = (n - done) / b.n, left = dim[last - 1] - index[last - 1];
            b.rows = rows < left ? rows : left;
            b.row_stride = stride[last - 1];
        }
        move_block(memory + at * (int64_t)size, lanes + done * (int64_t)size, b, size, load);
        done += b.rows * b.n;
        if (done == n)
            break;
        at -= index[last] * b.stride;
        index[last] = 0;
        if (b.rows > 1) { /* next_row steps over the last of them */
            index[last - 1] += b.rows - 1;
            at += (b.rows - 1) * b.row_stride;
        }
        at += next_row(dim, ndim, stride, index);
    }
}

/* Where n points from `first` on stand in memory, if they do so one after the other; or NULL. */
static char *dense_lanes(const lucid__stream *t, char *base, const int64_t *dim, int ndim,
                         int64_t first, int64_t n)
{
    int64_t run = 1; /* points that the inner dims put in a row */
    for (int d = ndim - 1; d >= 0 && t->stride[d] == run; d--)
        run *= dim[d];
    if (n > run || first % run + n > run)
        return NULL;
    int64_t index[LUCID_MAX_NDIM];
    return base + locate(dim, ndim, t->stride, first, index) * (int64_t)stream_size(t);
}

static void load(lucid__machine *m, const lucid__stream *t, const int64_t *dim, int ndim,
                 const int64_t *shift, int64_t first, int64_t n)
{
    size_t size = stream_size(t);
    char *base = stream_base(m, t);
    if (m->uniform[t->reg])
        return;
    if (shift)
        for (int i = 0; i < m->program->ndim; i++)
            base += shift[i] * t->stride[i] * (int64_t)size;
    m->reg[t->reg] = dense_lanes(t, base, dim, ndim, first, n); /* read in place */
    if (m->reg[t->reg])
        return;
    m->reg[t->reg] = own_lanes(m, t->reg);
    transfer(base, t->stride, dim, ndim, first, n, m->reg[t->reg], size, true);
}

void lucid__machine_store(const lucid__machine *m, const lucid__stream *to, const void *lanes,
                          const int64_t *dim, int ndim, int64_t first, int64_t n)
{
    transfer(stream_base(m, to), to->stride, dim, ndim, first, n,
             (char *)(uintptr_t)lanes, /* only read */
             stream_size(to), false);
}

/* ---- instructions ------------------------------------------------------------------------------ */

/* The index along loop dim `axis` of each point, or one value for all, as a dtype. */
static void iota_lanes(const lucid__instr *in, void *to, const int64_t *dim, int ndim,
                       const int64_t *shift, int64_t first, int64_t n)
{
    int64_t inner = 1;
    for (int i = (int)in->imm + 1; i < ndim; i++)
        inner = lucid__times(inner, dim[i]);
    int64_t size = in->imm < ndim ? dim[in->imm] : 1;
    int64_t base = shift ? shift[in->imm] : 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t value = base + (first + i) / inner % size;
        switch ((lucid_dtype)in->dtype) {
        case LUCID_BOOL:
            ((bool *)to)[i] = value != 0;
            break;
        case LUCID_INT32:
            ((int32_t *)to)[i] = (int32_t)value;
            break;
        case LUCID_INT64:
            ((int64_t *)to)[i] = value;
            break;
        case LUCID_FLOAT32:
            ((float *)to)[i] = (float)value;
            break;
        default:
            ((double *)to)[i] = (double)value;
            break;
        }
    }
}

static void execute(lucid__machine *m, const lucid__instr *in, const int64_t *dim, int ndim,
                    const int64_t *shift, int64_t first, int64_t n)
{
    void *d = m->reg[in->dst];
    if (in->op == LUCID__iota) {
        iota_lanes(in, d, dim, ndim, shift, first, n);
    } else if (in->op == LUCID__constant) { /* zeros */
        memset(d, 0, (size_t)n * lucid_dtype_size((lucid_dtype)in->dtype));
    } else {
        lucid__body *body = in->op == LUCID__cast ? m->bodies->cast[in->dtype][in->to]
                                                  : m->bodies->op[in->op][in->dtype];
        body(d, m->reg[in->src[0]], m->reg[in->src[1]], m->reg[in->src[2]], n, in->imm);
    }
}

void lucid__machine_compute(lucid__machine *m, const int64_t *dim, int ndim, const int64_t *shift,
                            int64_t first, int64_t n)
{
    const lucid__program *p = m->program;
    for (int i = 0; i < p->nloads; i++)
        load(m, &p->loads[i], dim, ndim, shift, first, n);
    for (int i = 0; i < p->ninstrs; i++)
        execute(m, &p->instrs[i], dim, ndim, shift, first, n);
}

/* ---- elementwise programs ------------------------------------------------------------------------ */

/* Instructions write straight into memory where a store is dense; what is stored elsewhere too, or
 * comes unchanged from a load, is copied. */
static void run_tile(lucid__machine *m, int64_t first, int64_t n)
{
    const lucid__program *p = m->program;
    for (int i = 0; i < p->nstores; i++) {
        const lucid__stream *t = &p->stores[i];
        if (t->reg < p->nloads)
            continue;
        m->reg[t->reg] = dense_lanes(t, stream_base(m, t), p->dim, p->ndim, first, n);
        if (!m->reg[t->reg])
            m->reg[t->reg] = own_lanes(m, t->reg);
    }
    lucid__machine_compute(m, p->dim, p->ndim, NULL, first, n);
    for (int i = 0; i < p->nstores; i++) {
        const lucid__stream *t = &p->stores[i];
        const char *at = dense_lanes(t, stream_base(m, t), p->dim, p->ndim, first, n);
        if (!at || at != m->reg[t->reg])
            lucid__machine_store(m, t, m->reg[t->reg], p->dim, p->ndim, first, n);
    }
}

/* Tiles first .. end - 1. False: out of memory. */
static bool run_tiles(const lucid__program *p, void *const *slots, int64_t points, int64_t first,
                      int64_t end)
{
    lucid__machine m;
    if (!lucid__machine_init(&m, p, slots, points))
        return false;
    for (int64_t t = first; t < end; t++) {
        int64_t at = t * LUCID__TILE, left = points - at;
        run_tile(&m, at, left < LUCID__TILE ? left : LUCID__TILE);
    }
    lucid__machine_free(&m);
    return true;
}

static lucid_status run_map(const lucid__program *p, void *const *slots)
{
    int64_t points = lucid__product(p->dim, p->ndim);
    int64_t tiles = (points + LUCID__TILE - 1) / LUCID__TILE;
    int threads = lucid__threads_for(p, points);
    if (threads == 1)
        return run_tiles(p, slots, points, 0, tiles) ? LUCID_OK : LUCID_MEMORY_ERROR;
    atomic_bool failed = false;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int t = 0; t < threads; t++)
        if (!run_tiles(p, slots, points, tiles * t / threads, tiles * (t + 1) / threads))
            atomic_store(&failed, true);
    return atomic_load(&failed) ? LUCID_MEMORY_ERROR : LUCID_OK;
}

lucid_status lucid__run_program(const lucid__program *p, void *const *slots)
{
    if (p->reduced > 0)
        return lucid__run_fold(p, slots);
    return run_map(p, slots);
}
