#include "cpu/run_program.h"

#include <string.h>

#include "base/memory.h"
#include "base/thread.h"
#include "cpu/threads.h"

enum { LANE_BYTES = 8, POINTS_PER_THREAD = 1 << 14 };

int64_t lucid__product(const int64_t *dim, int ndim)
{
    int64_t n = 1;
    for (int i = 0; i < ndim; i++)
        n *= dim[i];
    return n;
}

int lucid__threads_for(int64_t points)
{
    int64_t useful = points / POINTS_PER_THREAD;
    int all = lucid__num_threads();
    return useful < 2 ? 1 : useful < all ? (int)useful : all;
}

bool lucid__machine_init(lucid__machine *m, const lucid__program *p, void *const *slots)
{
    m->program = p;
    m->bodies = lucid__bodies_get();
    m->slots = slots;
    m->memory = lucid__malloc((size_t)p->nregs * LUCID__TILE * LANE_BYTES + 64);
    if (!m->memory)
        return false;
    uintptr_t skew = (uintptr_t)m->memory % 64;
    for (int r = 0; r < p->nregs; r++)
        m->reg[r] = m->memory + (64 - skew) + (size_t)r * LUCID__TILE * LANE_BYTES;
    return true;
}

void lucid__machine_free(lucid__machine *m)
{
    lucid__free(m->memory);
}

/* ---- moving lanes ----------------------------------------------------------------------------- */

/* Copies n elements with strides in elements. */
static void copy_lanes(char *to, int64_t to_stride, const char *from, int64_t from_stride,
                       int64_t n, size_t size)
{
#define COPY(type) \
    do { \
        type *d = (type *)(void *)to; \
        const type *a = (const type *)(const void *)from; \
        for (int64_t i = 0; i < n; i++) \
            d[i * to_stride] = a[i * from_stride]; \
    } while (0)
    if (to_stride == 1 && from_stride == 1)
        memcpy(to, from, (size_t)n * size);
    else if (size == 4)
        COPY(uint32_t);
    else if (size == 8)
        COPY(uint64_t);
    else
        COPY(uint8_t);
#undef COPY
}

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

/* Copies the lanes of points first .. first + n - 1 between a strided stream and dense lanes. */
static void transfer(char *memory, const int64_t *stride, const int64_t *dim, int ndim,
                     int64_t first, int64_t n, char *lanes, size_t size, bool load)
{
    int64_t index[LUCID_MAX_NDIM];
    int last = ndim - 1;
    int64_t at = locate(dim, ndim, stride, first, index);
    int64_t inner = ndim > 0 ? stride[last] : 0;
    for (int64_t done = 0; done < n;) {
        int64_t run = ndim > 0 ? dim[last] - index[last] : n;
        if (run > n - done)
            run = n - done;
        char *element = memory + at * (int64_t)size;
        if (load)
            copy_lanes(lanes + done * (int64_t)size, 1, element, inner, run, size);
        else
            copy_lanes(element, inner, lanes + done * (int64_t)size, 1, run, size);
        done += run;
        if (done == n)
            break;
        at -= index[last] * inner;
        index[last] = 0;
        at += next_row(dim, ndim, stride, index);
    }
}

static char *stream_base(const lucid__machine *m, const lucid__stream *t)
{
    return (char *)m->slots[t->slot] + t->offset * (int64_t)lucid_dtype_size((lucid_dtype)t->dtype);
}

/* Whether n points from `first` on stand one after the other in memory. */
static bool dense(const lucid__stream *t, const int64_t *dim, int ndim, int64_t first, int64_t n)
{
    return ndim > 0 && t->stride[ndim - 1] == 1 && first % dim[ndim - 1] + n <= dim[ndim - 1];
}

static void load(lucid__machine *m, const lucid__stream *t, const int64_t *dim, int ndim,
                 const int64_t *shift, int64_t first, int64_t n)
{
    size_t size = lucid_dtype_size((lucid_dtype)t->dtype);
    char *base = stream_base(m, t);
    if (shift)
        for (int i = 0; i < m->program->ndim; i++)
            base += shift[i] * t->stride[i] * (int64_t)size;
    if (dense(t, dim, ndim, first, n)) { /* read in place */
        int64_t index[LUCID_MAX_NDIM];
        m->reg[t->reg] = base + locate(dim, ndim, t->stride, first, index) * (int64_t)size;
        return;
    }
    char *own =
        m->memory + (64 - (uintptr_t)m->memory % 64) + (size_t)t->reg * LUCID__TILE * LANE_BYTES;
    m->reg[t->reg] = own;
    transfer(base, t->stride, dim, ndim, first, n, own, size, true);
}

void lucid__machine_store(const lucid__machine *m, const lucid__stream *to, const void *lanes,
                          const int64_t *dim, int ndim, int64_t first, int64_t n)
{
    size_t size = lucid_dtype_size((lucid_dtype)to->dtype);
    transfer(stream_base(m, to), to->stride, dim, ndim, first, n,
             (char *)(uintptr_t)lanes, /* only read */
             size, false);
}

/* ---- instructions ------------------------------------------------------------------------------ */

/* The index along loop dim `axis` of each point, or one value for all, as a dtype. */
static void iota_lanes(const lucid__instr *in, void *to, const int64_t *dim, int ndim,
                       const int64_t *shift, int64_t first, int64_t n)
{
    int64_t inner = 1;
    for (int i = (int)in->imm + 1; i < ndim; i++)
        inner *= dim[i];
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

/* Instructions write straight into memory where a store is dense; what is stored elsewhere, or
 * comes unchanged from a load, is copied. */
static void run_tile(lucid__machine *m, int64_t first, int64_t n)
{
    const lucid__program *p = m->program;
    bool direct[LUCID__MAX_REGISTERS] = {false};
    for (int i = 0; i < p->nstores; i++) {
        const lucid__stream *t = &p->stores[i];
        if (p->ninstrs == 0 || t->reg < p->nloads || direct[t->reg] ||
            !dense(t, p->dim, p->ndim, first, n))
            continue;
        int64_t index[LUCID_MAX_NDIM];
        int64_t at = locate(p->dim, p->ndim, t->stride, first, index);
        m->reg[t->reg] = stream_base(m, t) + at * (int64_t)lucid_dtype_size((lucid_dtype)t->dtype);
        direct[t->reg] = true;
    }
    lucid__machine_compute(m, p->dim, p->ndim, NULL, first, n);
    for (int i = 0; i < p->nstores; i++)
        if (!direct[p->stores[i].reg])
            lucid__machine_store(m, &p->stores[i], m->reg[p->stores[i].reg], p->dim, p->ndim, first,
                                 n);
}

/* A dense store may point a register at memory for one tile only: the last tile of a row may not be
 * dense, and then the register must be its own again. */
static void reset_registers(lucid__machine *m)
{
    char *own = m->memory + (64 - (uintptr_t)m->memory % 64);
    for (int r = 0; r < m->program->nregs; r++)
        m->reg[r] = own + (size_t)r * LUCID__TILE * LANE_BYTES;
}

static lucid_status run_map(const lucid__program *p, void *const *slots)
{
    int64_t points = lucid__product(p->dim, p->ndim);
    int64_t tiles = (points + LUCID__TILE - 1) / LUCID__TILE;
    int threads = lucid__threads_for(points);
    atomic_bool failed = false;
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        lucid__machine m;
        bool ready = lucid__machine_init(&m, p, slots);
        if (!ready)
            atomic_store(&failed, true);
#pragma omp for schedule(static)
        for (int64_t t = 0; t < tiles; t++) {
            int64_t first = t * LUCID__TILE, left = points - first;
            if (!ready)
                continue;
            reset_registers(&m);
            run_tile(&m, first, left < LUCID__TILE ? left : LUCID__TILE);
        }
        if (ready)
            lucid__machine_free(&m);
    }
    return atomic_load(&failed) ? LUCID_MEMORY_ERROR : LUCID_OK;
}

lucid_status lucid__run_program(const lucid__program *p, void *const *slots)
{
    if (p->reduced > 0)
        return lucid__run_fold(p, slots);
    return run_map(p, slots);
}
