#include "cpu/run_program.h"

#include <string.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/thread.h"
#include "cpu/ahead.h"
#include "cpu/native.h"
#include "cpu/threads.h"

enum {
    /* Streams and instructions times points that are worth a thread: some 20 microseconds, a few times what
     * it costs to start one and wait for it. */
    WORK_PER_THREAD = 1 << 17,
    WORDS_WORK = 8, /* to make a word is as much */
    GATHER_WORK = 2,
    MOST_LANES = 4096,
    LEAST_COLUMNS = 64,
    LINE = 16, /* elements that share a line of the cache, and then some */
};

lucid__box_limits lucid__limits = {
    .cache_bytes = 32 << 10, .whole_bytes = 256 << 10, .least_lanes = 128};

static int64_t useful_threads(const lucid__program *p, int64_t points)
{
    int work = p->nloads + p->ninstrs + p->nstores;
    for (int i = 0; i < p->nloads; i++)
        work += p->loads[i].words ? WORDS_WORK : 0;
    work += p->ntables * GATHER_WORK;
    return points / (WORK_PER_THREAD / work + 1);
}

static int threads_of(int64_t useful)
{
    if (useful < 2)
        return 1;
    int all = lucid__num_threads();
    return useful < all ? (int)useful : all;
}

int lucid__threads_for(const lucid__program *p, int64_t points)
{
    return threads_of(useful_threads(p, points));
}

/* Of the registers over all dims. */
static int64_t element_bytes(const lucid__program *p)
{
    const unsigned all = (1u << p->ndim) - 1;
    for (int i = 0; i < p->nloads; i++)
        if (lucid_dtype_size((lucid_dtype)p->loads[i].dtype) > 4 && p->over[i] == all)
            return 8;
    for (int i = 0; i < p->ntables; i++)
        if (lucid_dtype_size((lucid_dtype)p->tables[i].at.dtype) > 4)
            return 8;
    for (int i = 0; i < p->ninstrs; i++)
        if (p->instrs[i].op == LUCID__cast && p->over[p->instrs[i].dst] == all &&
            lucid_dtype_size((lucid_dtype)p->instrs[i].to) > 4)
            return 8;
    return 4;
}

/* Bytes of the registers over all dims, per lane. */
static int64_t lane_bytes(const lucid__program *p)
{
    const unsigned all = (1u << p->ndim) - 1;
    int64_t n = 0;
    for (int r = 0; r < p->nregs; r++)
        n += p->over[r] == all;
    return (n > 0 ? n : 1) * element_bytes(p);
}

int64_t lucid__lanes_for(const lucid__program *p)
{
    int64_t lanes = lucid__limits.cache_bytes / lane_bytes(p) / LINE * LINE;
    return lanes < lucid__limits.least_lanes ? lucid__limits.least_lanes
           : lanes > MOST_LANES              ? MOST_LANES
                                             : lanes;
}

/* ---- boxes -------------------------------------------------------------------------------------- */

/* Bytes of all registers for boxes of that size. */
static double box_bytes(const lucid__program *p, const int64_t *size)
{
    double bytes = 0;
    for (int r = 0; r < p->nregs; r++) {
        double lanes = 1;
        for (unsigned rest = p->over[r]; rest; rest &= rest - 1)
            lanes *= (double)size[__builtin_ctz(rest)];
        bytes += lanes;
    }
    return bytes * (double)element_bytes(p);
}

/* How many points along dim d there is room for. */
static int64_t room(const lucid__program *p, int64_t *size, int d, int64_t bytes)
{
    size[d] = 1;
    double one = box_bytes(p, size);
    size[d] = 2;
    double more = box_bytes(p, size) - one;
    double n = more > 0 ? 1 + ((double)bytes - one) / more : (double)p->dim[d];
    return n < 1 ? 1 : n < (double)p->dim[d] ? (int64_t)n : p->dim[d];
}

/* The dims that most instructions do not lie over come last in the numbering: what these compute then stays
 * for many boxes. */
static void order_boxes(const lucid__program *p, lucid__boxes *b)
{
    int absent[LUCID_MAX_NDIM] = {0};
    for (int k = 0; k < b->n; k++)
        for (int i = 0; i < p->ninstrs; i++)
            absent[b->dim[k]] += !(p->over[p->instrs[i].dst] >> b->dim[k] & 1);
    for (int k = 1; k < b->n; k++)
        for (int j = k; j > 0 && absent[b->dim[j - 1]] > absent[b->dim[j]]; j--) {
            int dim = b->dim[j];
            int64_t parts = b->parts[j];
            b->dim[j] = b->dim[j - 1], b->parts[j] = b->parts[j - 1];
            b->dim[j - 1] = dim, b->parts[j - 1] = parts;
        }
}

lucid__boxes lucid__boxes_cut(lucid__frame *f, const lucid__program *p, unsigned dims,
                              int64_t bytes, int64_t inner)
{
    lucid__boxes b = {.count = 1};
    for (int d = 0; d < p->ndim; d++)
        if (dims >> d & 1)
            f->size[d] = 1;
    for (int i = p->ndim - 1; i >= 0; i--) {
        int d = f->order[i];
        if (!(dims >> d & 1))
            continue;
        int64_t size = p->dim[d], most = room(p, f->size, d, bytes);
        most = most < inner ? most : inner;
        inner = MOST_LANES;
        if (size > most) { /* parts of about the same size, of whole groups of lanes */
            int64_t count = (size + most - 1) / most;
            size = (size + count - 1) / count;
            size = size > LINE ? (size + LINE - 1) / LINE * LINE : size;
        }
        f->size[d] = size;
    }
    for (int d = 0; d < p->ndim; d++) {
        int64_t parts = dims >> d & 1 ? (p->dim[d] + f->size[d] - 1) / f->size[d] : 1;
        if (parts == 1)
            continue;
        b.dim[b.n] = d;
        b.parts[b.n++] = parts;
        b.count *= parts;
    }
    order_boxes(p, &b);
    return b;
}

void lucid__boxes_seek(const lucid__boxes *b, lucid__machine *m, int64_t number)
{
    for (int i = b->n - 1; i >= 0; i--) {
        int d = b->dim[i];
        int64_t at = number % b->parts[i], size = m->size[d];
        number /= b->parts[i];
        m->start[d] = at * size;
        int64_t left = m->program->dim[d] - m->start[d];
        m->len[d] = left < size ? left : size;
    }
    lucid__machine_moved(m);
}

/* ---- whole boxes --------------------------------------------------------------------------------- */

/* The dims along which this box differs from the last one: in where it starts, and in how long it is. */
typedef struct changes {
    unsigned start, len;
} changes;

/* Moves on to a box. */
static changes go_to(lucid__machine *m, const lucid__boxes *b, int64_t number)
{
    int64_t start[LUCID_MAX_NDIM], len[LUCID_MAX_NDIM];
    changes c = {0, 0};
    for (int i = 0; i < b->n; i++) {
        start[i] = m->start[b->dim[i]];
        len[i] = m->len[b->dim[i]];
    }
    lucid__boxes_seek(b, m, number);
    for (int i = 0; i < b->n; i++) {
        int d = b->dim[i];
        c.start |= (unsigned)(m->start[d] != start[i]) << d;
        c.len |= (unsigned)(m->len[d] != len[i]) << d;
    }
    return c;
}

/* Whether a load has other lanes than in the last box. */
static bool loads_anew(const lucid__machine *m, const lucid__stream *t, changes c)
{
    unsigned over = m->program->over[t->reg];
    if (over & c.len)
        return true;
    for (unsigned rest = over & c.start; rest; rest &= rest - 1)
        if (t->stride[__builtin_ctz(rest)] != 0)
            return true;
    return false;
}

/* What does not lie over the dims that moved is there already: values per column, for all boxes of rows.
 * It is written to memory by the first box that has it. */
static void run_box(lucid__machine *m, changes c, bool first, lucid__ahead *next)
{
    const lucid__program *p = m->program;
    const unsigned all = (1u << p->ndim) - 1, dims = c.start | c.len;
    for (int i = 0; i < p->nstores; i++)
        if (p->over[p->stores[i].reg] == all)
            lucid__machine_aim(m, &p->stores[i]);
    for (int i = 0; i < p->nloads; i++)
        if (first || loads_anew(m, &p->loads[i], c))
            lucid__machine_load(m, &p->loads[i]);
    lucid__ahead_begin(next, m);
    for (int i = 0; i < p->ninstrs; i++) {
        lucid__ahead_some(next);
        if (first || (p->over[p->instrs[i].dst] & dims))
            lucid__machine_execute(m, i);
    }
    for (int i = 0; i < p->nstores; i++) {
        unsigned over = p->over[p->stores[i].reg];
        bool once = true;
        for (int d = 0; d < p->ndim; d++)
            once &= (over >> d & 1) || m->start[d] == 0;
        if (once)
            lucid__machine_store(m, &p->stores[i]);
    }
}

static _Atomic uint64_t cut_bytes;

/* How a program is run. It stays that as long as the limits do. */
typedef struct lucid__cut {
    lucid__box_limits limits;
    lucid__stages *stages; /* and not as follows; NULL: whole boxes */
    int64_t threads;       /* that are useful */
    int ahead;             /* the dim along which memory is asked for; -1: it is not */
    lucid__boxes boxes;
    lucid__frame frame;
} lucid__cut;

/* Boxes first .. end - 1. False: out of memory. */
static bool run_boxes(const lucid__cut *cut, void *const *slots, int64_t first, int64_t end,
                      lucid__bad_index *bad)
{
    lucid__machine m;
    if (first >= end)
        return true;
    if (!lucid__machine_init(&m, &cut->frame, slots, bad))
        return false;
    lucid__ahead next;
    lucid__ahead_init(&next, cut->ahead);
    for (int64_t i = first; i < end && !lucid__stop(); i++) {
        changes c = go_to(&m, &cut->boxes, i);
        run_box(&m, c, i == first, &next);
    }
    lucid__machine_free(&m);
    return true;
}

static lucid_status run_whole(const lucid__cut *cut, void *const *slots, int threads,
                              lucid__bad_index *bad)
{
    const int64_t count = cut->boxes.count;
    threads = count < threads ? (int)count : threads;
    if (threads <= 1)
        return run_boxes(cut, slots, 0, count, bad) ? LUCID_OK : LUCID_MEMORY_ERROR;
    atomic_bool failed = false;
    atomic_int finished = 0;
#pragma omp parallel num_threads(lucid__team(threads))
    {
#pragma omp for schedule(static) nowait
        for (int t = 0; t < threads; t++)
            if (!run_boxes(cut, slots, count * t / threads, count * (t + 1) / threads, bad))
                atomic_store(&failed, true);
        lucid__team_finish(&finished);
    }
    return atomic_load(&failed) ? LUCID_MEMORY_ERROR : LUCID_OK;
}

/* A dim, not the last, along which more streams are dense than along the last: boxes as deep as a line of
 * the cache then read and write whole lines both ways. -1: none. */
static int other_way(const lucid__program *p)
{
    int last = p->ndim - 1;
    for (int i = 0; i < p->nloads + p->nstores; i++) {
        const lucid__stream *t = i < p->nloads ? &p->loads[i] : &p->stores[i - p->nloads];
        unsigned over = p->over[t->reg];
        if (!(over >> last & 1) || (t->stride[last] >= -1 && t->stride[last] <= 1))
            continue;
        for (int d = 0; d < last; d++)
            if ((over >> d & 1) && (t->stride[d] == 1 || t->stride[d] == -1))
                return d;
    }
    return -1;
}

static bool cut_whole(lucid__cut *cut, const lucid__program *p, bool columns)
{
    const unsigned all = (1u << p->ndim) - 1;
    lucid__frame *f = &cut->frame;
    int64_t most = MOST_LANES;
    int64_t bytes = lucid__limits.cache_bytes;
    int at = 0;
    /* The outer dims in front of the reduced ones, or behind them. */
    for (int pass = 0; pass < 2; pass++)
        for (int d = 0; d < p->ndim; d++)
            if ((p->folded >> d & 1) == ((pass == 1) != columns))
                f->order[at++] = d;
    memcpy(f->size, p->dim, sizeof f->size);
    if (columns && lane_bytes(p) * lucid__points(p, p->folded) * LINE > bytes)
        bytes = lane_bytes(p) * lucid__points(p, p->folded) * LINE;
    int other = p->folded || p->ndim < 2 ? -1 : other_way(p);
    if (other >= 0) { /* that dim next to the last one, so that it gets the lanes left */
        most = lucid__lanes_for(p) / LINE;
        most = most < LINE ? LINE : most;
        memmove(f->order + other, f->order + other + 1,
                (size_t)(p->ndim - 2 - other) * sizeof *f->order);
        f->order[p->ndim - 2] = other;
    }
    cut->boxes = lucid__boxes_cut(f, p, all & ~p->folded, bytes, most);
    const lucid__boxes *b = &cut->boxes;
    cut->ahead = b->n > 0 && lucid__ahead_is_useful(p) ? b->dim[b->n - 1] : -1;
    return lucid__frame_init(f, p);
}

/* ---- choice ------------------------------------------------------------------------------------- */

/* Columns read memory well when the outer dims are the inner ones there, rows when the reduced ones are; and
 * rows that do not fill a vector leave its lanes idle. */
bool lucid__prefers_columns(const lucid__program *p)
{
    const unsigned all = (1u << p->ndim) - 1;
    int64_t outer = lucid__points(p, all & ~p->folded), inner = lucid__points(p, p->folded);
    int for_columns = 0, for_rows = 0, along_row = -1, along_column = -1;
    if (outer < LUCID__FOLD_LANES || inner < LUCID__FOLD_LANES)
        return outer >= LUCID__FOLD_LANES;
    for (int d = 0; d < p->ndim; d++)
        *(p->folded >> d & 1 ? &along_row : &along_column) = d;
    for (int i = 0; i < p->nloads + p->ntables; i++) {
        const lucid__stream *t = i < p->nloads ? &p->loads[i] : &p->tables[i - p->nloads].at;
        unsigned over = p->over[t->reg];
        bool row = (over >> along_row & 1) && t->stride[along_row] == 1;
        bool column = (over >> along_column & 1) && t->stride[along_column] == 1;
        for_rows += row;
        for_columns += column && !row;
    }
    return for_columns > for_rows;
}

/* Whether results of reductions come back to the points. */
static bool has_consumers(const lucid__program *p)
{
    for (int i = 0; i < p->ninstrs; i++) {
        const lucid__instr *in = &p->instrs[i];
        if (in->op == LUCID__broadcast && (p->folded & p->over[in->dst] & ~p->over[in->src[0]]))
            return true;
    }
    return false;
}

/* The program in the form that it is best run in. */
static lucid__program *native_form(lucid__program *p, int64_t points)
{
    if (lucid__native_after == INT64_MAX)
        return p;
    if (lucid__native_due(&p->done, &p->native_tried, p->ninstrs * (double)points))
        p->native = lucid__native_new(p);
    return p->native ? &p->native->program : p;
}

static size_t bytes_of(const lucid__program *p)
{
    const lucid__stages *stages = p->cut->stages;
    return sizeof *p->cut + (stages ? lucid__stages_bytes(stages) : lucid__frame_bytes(p));
}

static void free_cut(lucid__program *p)
{
    if (!p->cut)
        return;
    atomic_fetch_sub(&cut_bytes, bytes_of(p));
    lucid__frame_free(&p->cut->frame);
    lucid__stages_free(p->cut->stages);
    lucid__free(p->cut);
    p->cut = NULL;
}

static bool in_stages(const lucid__program *p, bool columns)
{
    if (!p->folded || p->uneven)
        return false;
    bool again = has_consumers(p);
    int64_t inner = lucid__points(p, p->folded), bytes = lane_bytes(p);
    return inner > (columns ? again ? lucid__limits.whole_bytes / bytes / LEAST_COLUMNS : -1
                    : again ? lucid__limits.whole_bytes / bytes
                            : lucid__lanes_for(p));
}

/* How p is run, which is the program or its native form: as it was found when it first was. NULL: out of memory. */
static const lucid__cut *cut_of(lucid__program *p, int64_t points, const lucid__program *program)
{
    const lucid__box_limits *l = &lucid__limits;
    if (p->cut && p->cut->limits.cache_bytes == l->cache_bytes &&
        p->cut->limits.whole_bytes == l->whole_bytes &&
        p->cut->limits.least_lanes == l->least_lanes)
        return p->cut;
    free_cut(p);
    lucid__cut *cut = lucid__calloc(1, sizeof *cut);
    if (!cut)
        return NULL;
    bool columns = p->folded && lucid__prefers_columns(p);
    cut->limits = *l;
    cut->threads = useful_threads(program, points);
    bool ok = in_stages(p, columns) ? (cut->stages = lucid__stages_new(p)) != NULL
                                    : cut_whole(cut, p, columns);
    if (!ok) {
        lucid__free(cut);
        return NULL;
    }
    p->cut = cut;
    atomic_fetch_add(&cut_bytes, bytes_of(p));
    return cut;
}

uint64_t lucid__bytes_with_programs(void)
{
    return atomic_load(&cut_bytes) + lucid__native_bytes();
}

lucid_status lucid__run_program(lucid__program *program, void *const *slots, char *error,
                                size_t error_size)
{
    int64_t points = lucid__points(program, (1u << program->ndim) - 1);
    lucid__program *p = native_form(program, points);
    const lucid__cut *cut = cut_of(p, points, program);
    if (!cut)
        return LUCID_MEMORY_ERROR;
    lucid__bad_index bad = {.found = false};
    int threads = threads_of(cut->threads);
    lucid_status status = cut->stages ? lucid__run_stages(cut->stages, slots, threads, &bad)
                                      : run_whole(cut, slots, threads, &bad);
    if (status != LUCID_OK || !bad.found)
        return status;
    return lucid__bad_index_status(p, &bad, error, error_size);
}

void lucid__forget_program(lucid__program *p)
{
    free_cut(p);
    if (p->native)
        free_cut(&p->native->program);
    lucid__native_free(p->native);
    p->native = NULL;
}
