/* scatter_add, scatter: the output starts as a copy of y, then takes the rows of v in row-major order. Each element
 * of the output is written by one thread, in that order: threads share out the leading dims b; where there are few
 * such slabs, the elements of the rows; and where these are short, the places that rows go to, of which every thread
 * takes its own from the whole list. */
#include <string.h>

#include "base/dtype.h"
#include "base/interrupt.h"
#include "cpu/index_walk.h"
#include "cpu/instr.h"
#include "cpu/kernels.h"
#include "cpu/threads.h"

enum {
    PARALLEL = 1 << 15,
    LINE = 16,  /* elements of a row that are worth a thread: a line of the cache */
    SHARED = 8, /* elements of a row that make picking out one's own rows pay */
    BLOCK = LUCID__INDEX_BLOCK,
};

typedef struct scattering {
    lucid__index_walk walk;
    lucid__row row; /* of v: dims merged */
    lucid__write_rows *write;
    const lucid__view *v;
    size_t size; /* of an element */
    char *out;
} scattering;

/* Copies y, which may be one number, in front of everything else. */
static void copy_in(const lucid__view *y, char *out)
{
    lucid__row all = lucid__row_new(y, 0);
    const size_t size = lucid_dtype_size(y->dtype);
    if (all.ndim == 0 || (all.ndim == 1 && all.stride[0] == 1 && all.count <= PARALLEL)) {
        memcpy(out, y->data, (size_t)all.count * size);
        return;
    }
    lucid__write_rows *put = lucid__bodies_get()->look_up->put[size];
    const int last = all.ndim - 1;
    const int64_t n = all.dim[last], runs = all.count / n;
    lucid_shape outer = {.ndim = last};
    memcpy(outer.dim, all.dim, (size_t)last * sizeof *outer.dim);
    /* Long runs in pieces, short ones together. */
    const int64_t piece = n < PARALLEL ? n : PARALLEL, pieces = (n + piece - 1) / piece;
    const int64_t blocks = (runs + BLOCK - 1) / BLOCK;
#pragma omp parallel for collapse(2) num_threads(lucid__team_if(all.count > PARALLEL))
    for (int64_t b = 0; b < blocks; b++)
        for (int64_t p = 0; p < pieces; p++) {
            if (lucid__stop())
                continue;
            int64_t at[BLOCK], to[BLOCK], first = b * BLOCK, from = p * piece;
            int64_t few = runs - first < BLOCK ? runs - first : BLOCK;
            lucid__strided_offsets(&outer, all.stride, first, few, at);
            for (int64_t i = 0; i < few; i++) {
                at[i] += from * all.stride[last];
                to[i] = (first + i) * n + from;
            }
            put(out, to, y->data, at, few, n - from < piece ? n - from : piece, all.stride[last]);
        }
}

/* Elements from .. from + length - 1 of n rows: along the last dim of the rows, once for each position in front. */
static void write_block(const scattering *s, const int64_t *to, const int64_t *at, int64_t n,
                        int64_t from, int64_t length)
{
    const lucid__row *row = &s->row;
    const char *v = s->v->data;
    const int last = row->ndim - 1;
    if (last <= 0) {
        const int64_t stride = last < 0 ? 1 : row->stride[0];
        s->write(s->out + from * (int64_t)s->size, to, v + from * stride * (int64_t)s->size, at, n,
                 length, stride);
        return;
    }
    lucid_shape outer = {.ndim = last};
    memcpy(outer.dim, row->dim, (size_t)last * sizeof *outer.dim);
    const int64_t each = row->dim[last], count = row->count / each;
    for (int64_t k = 0; k < count; k++) {
        int64_t where = 0;
        lucid__strided_offsets(&outer, row->stride, k, 1, &where);
        s->write(s->out + k * each * (int64_t)s->size, to, v + where * (int64_t)s->size, at, n,
                 each, row->stride[last]);
    }
}

/* Which part of the work: positions, elements of the rows, and places of the output that they go to. */
typedef struct share {
    int64_t first, end, from, length, low, high;
} share;

/* Keeps the rows that go to low .. high - 1, in their order. */
static int64_t pick(int64_t *to, int64_t *at, int64_t n, int64_t low, int64_t high)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t where = to[i], what = at[i];
        to[kept] = where;
        at[kept] = what;
        kept += (where >= low) & (where < high);
    }
    return kept;
}

/* False: an index is out of range. */
static bool write_share(const scattering *s, share mine, bool all_places)
{
    bool all_fit = true;
    for (int64_t first = mine.first; first < mine.end && !lucid__stop(); first += BLOCK) {
        int64_t to[BLOCK], at[BLOCK], n = mine.end - first < BLOCK ? mine.end - first : BLOCK;
        lucid__strided_offsets(&s->walk.positions, s->v->stride, first, n, at);
        if (!lucid__index_offsets(&s->walk, first, n, to)) {
            all_fit = false;
            continue;
        }
        if (!all_places)
            n = pick(to, at, n, mine.low, mine.high);
        if (mine.length > 0)
            write_block(s, to, at, n, mine.from, mine.length);
    }
    return all_fit;
}

static lucid_status scatter(const lucid__kernel_args *args, lucid__write_rows *write)
{
    const lucid__view *y = args->in, *v = args->in + 1;
    const int nb = (int)args->params[0];
    scattering s = {.walk = lucid__index_walk_new(args, y, 2, true),
                    .write = write,
                    .v = v,
                    .size = lucid_dtype_size(y->dtype),
                    .out = args->out->data};
    s.row = lucid__row_new(v, s.walk.positions.ndim);
    const int64_t count = s.walk.count, elements = lucid__numel(&y->shape);
    if (elements > 0)
        copy_in(y, s.out);
    if (count == 0)
        return LUCID_OK;
    int64_t slabs = 1;
    for (int i = 0; i < nb; i++)
        slabs = lucid__times(slabs, s.walk.positions.dim[i]);
    const bool parallel = count * (s.row.count > 0 ? s.row.count : 1) > PARALLEL;
    const int threads = parallel ? lucid__num_threads() : 1;
    /* Slabs of few positions go to a thread together. */
    const int64_t per_slab = count / slabs;
    const int64_t together = per_slab < BLOCK ? BLOCK / per_slab : 1;
    const int64_t per_group = together * per_slab, groups = (count + per_group - 1) / per_group;
    int64_t piece = s.row.count, places = 1;
    if (groups < threads && s.row.ndim == 1 && s.row.count >= threads * LINE)
        piece = ((s.row.count + threads - 1) / threads + LINE - 1) / LINE * LINE;
    else if (groups < threads)
        places = s.row.count >= SHARED ? threads : 1;
    const int64_t pieces = piece > 0 ? (s.row.count + piece - 1) / piece : 1;
    const int64_t parts = pieces * places;
    bool all_fit = true;
    atomic_int finished = 0;
#pragma omp parallel num_threads(lucid__team_if(parallel)) reduction(&& : all_fit)
    {
#pragma omp for collapse(2) nowait
        for (int64_t g = 0; g < groups; g++)
            for (int64_t p = 0; p < parts; p++) {
                int64_t end = (g + 1) * per_group, left = s.row.count - p % pieces * piece;
                int64_t place = p / pieces;
                share mine = {.first = g * per_group,
                              .end = end < count ? end : count,
                              .from = p % pieces * piece,
                              .length = left < piece ? left : piece,
                              .low = elements / places * place,
                              .high =
                                  place == places - 1 ? elements : elements / places * (place + 1)};
                all_fit = write_share(&s, mine, places == 1) && all_fit;
            }
        lucid__team_finish(&finished);
    }
    return all_fit ? LUCID_OK : lucid__index_report(&s.walk, args);
}

lucid_status lucid__scatter_add_kernel(const lucid__kernel_args *args)
{
    return scatter(args, lucid__bodies_get()->look_up->add[args->in[0].dtype]);
}

lucid_status lucid__scatter_kernel(const lucid__kernel_args *args)
{
    return scatter(args, lucid__bodies_get()->look_up->put[lucid_dtype_size(args->in[0].dtype)]);
}
