#include "cpu/matrix_work.h"

#include <omp.h>
#include <stdio.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "cpu/blas.h"
#include "cpu/threads.h"
#include "engine/force.h"

/* ---- operands ------------------------------------------------------------------------------ */

/* Matrices first .. first + count - 1 of a strided operand. */
void lucid__matrices_of(const lucid__view *v, int64_t first, int64_t count, const void **to)
{
    int64_t offset = 0, index[LUCID_MAX_NDIM];
    int last = v->shape.ndim - 3;
    if (last <= 0) {
        const int64_t size = (int64_t)lucid_dtype_size(v->dtype);
        const int64_t step = last < 0 ? 0 : v->stride[0] * size;
        for (int64_t l = 0; l < count; l++)
            to[l] = (const char *)v->data + (first + l) * step;
        return;
    }
    for (int d = last; d >= 0; d--) {
        index[d] = d > 0 ? first % v->shape.dim[d] : first;
        first = d > 0 ? first / v->shape.dim[d] : 0;
        offset += index[d] * v->stride[d];
    }
    for (int64_t l = 0; l < count; l++) {
        to[l] = (const char *)v->data + offset * (int64_t)lucid_dtype_size(v->dtype);
        for (int d = last; d >= 0; d--) {
            offset += v->stride[d];
            if (++index[d] < v->shape.dim[d])
                break;
            offset -= index[d] * v->stride[d];
            index[d] = 0;
        }
    }
}

const void *lucid__matrix_of(const lucid__view *v, int64_t e)
{
    const void *to;
    lucid__matrices_of(v, e, 1, &to);
    return to;
}

/* Output k of matrix e; NULL: it is not wanted. */
void *lucid__matrix_output(const lucid__matrix_work *w, int k, int64_t e)
{
    char *data = w->args->out[k].data;
    return data ? data + e * w->out_bytes[k] : NULL;
}

/* Columns first .. first + cols - 1 of (rows, ...), to the same columns of row-major memory whose rows
 * are to_row apart; rows in the order of perm unless it is NULL. */
void lucid__copy_columns(lucid_dtype dtype, int64_t rows, int64_t cols, int64_t first,
                         const void *from, int64_t row, int64_t col, const int64_t *perm, void *to,
                         int64_t to_row)
{
    for (int64_t i = 0; i < rows; i++) {
        int64_t source = (perm ? perm[i] : i) * row + first * col, target = i * to_row + first;
        if (dtype == LUCID_FLOAT32)
            for (int64_t j = 0; j < cols; j++)
                ((float *)to)[target + j] = ((const float *)from)[source + j * col];
        else
            for (int64_t j = 0; j < cols; j++)
                ((double *)to)[target + j] = ((const double *)from)[source + j * col];
    }
}

void lucid__matrix_set(lucid_dtype dtype, void *p, int64_t i, double value)
{
    if (dtype == LUCID_FLOAT32)
        ((float *)p)[i] = (float)value;
    else
        ((double *)p)[i] = value;
}

/* ---- small matrices in lanes ------------------------------------------------------------------ */

static void run_lanes(const lucid__matrix_work *w, int64_t first, int64_t count, void *scratch)
{
    const lucid__kernel_args *args = w->args;
    const lucid__view *a = &args->in[0], *b = args->nin > 1 ? &args->in[1] : NULL;
    const void *at_a[LUCID__MAX_LANES], *at_b[LUCID__MAX_LANES];
    lucid__lanes q;
    q.a = at_a;
    q.b = at_b;
    q.in_registers = false;
    q.first_lane = 0;
    q.order = w->order;
    q.m = w->m;
    q.n = w->n;
    q.k = w->k;
    q.upper = w->upper;
    q.unit = w->unit;
    q.b_is_one = w->b_is_one;
    q.scratch = scratch;
    q.a_row = w->transpose ? lucid__col_stride(a) : lucid__row_stride(a);
    q.a_col = w->transpose ? lucid__row_stride(a) : lucid__col_stride(a);
    q.b_row = b ? lucid__row_stride(b) : 0;
    q.b_col = b ? lucid__col_stride(b) : 0;
    const int64_t at_once = LUCID__LANE_BYTES / (int64_t)lucid_dtype_size(w->dtype);
    const lucid__forced_layout forced = lucid__layout_forced();
    for (int64_t end = first + count; first < end; first += at_once) {
        q.count = (int)(end - first < at_once ? end - first : at_once);
        q.alone =
            forced == LUCID__FORCE_NONE ? q.count <= at_once / 4 : forced == LUCID__FORCE_ELEMENTS;
        lucid__matrices_of(a, first, q.count, at_a);
        if (b)
            lucid__matrices_of(b, first, q.count, at_b);
        for (int k = 0; k < 4; k++)
            q.out[k] = k < w->nout ? lucid__matrix_output(w, k, first) : NULL;
        w->lanes(&q);
    }
}

/* ---- dealing out ----------------------------------------------------------------------------- */

static void run_part(const lucid__matrix_work *w, int64_t part, void *scratch)
{
    int64_t first = part * w->together, left = w->units - first;
    if (!lucid__stop_now())
        w->run(w, first, left < w->together ? left : w->together, scratch);
}

lucid_status lucid__matrix_out_of_memory(const lucid__matrix_work *w)
{
    (void)snprintf(w->args->error, w->args->error_size, "linear algebra: out of memory");
    return LUCID_MEMORY_ERROR;
}

lucid_status lucid__matrix_deal(lucid__matrix_work *w)
{
    enum { LEAST_WORK = 1 << 14 };
    bool nothing = true; /* to write, however many empty matrices there are */
    for (int k = 0; k < w->nout; k++)
        nothing &= !w->args->out[k].data || w->out_bytes[k] == 0;
    if (nothing)
        return LUCID_OK;
    int64_t parts = (w->units + w->together - 1) / w->together;
    int threads = w->most_threads > 0 ? w->most_threads : lucid_get_num_threads();
    bool enough = w->cost * (double)w->units > LEAST_WORK;
    /* Few large units: the threads go into each. */
    bool inside = w->together == 1 && !w->pieces && parts < threads;
    int team = !enough || inside || threads <= 1 ? 1 : parts < threads ? (int)parts : threads;
    w->threads = inside ? threads : 1;
    /* Whole cache lines, so that threads do not share one. */
    size_t bytes = (w->scratch + 127) / 64 * 64;
    char *memory = lucid__malloc(bytes * (size_t)team + 64);
    if (!memory)
        return lucid__matrix_out_of_memory(w);
    char *scratch = memory + (64 - (uintptr_t)memory % 64);
    if (team == 1) {
        for (int64_t part = 0; part < parts; part++)
            run_part(w, part, scratch);
    } else {
        atomic_int finished = 0;
#pragma omp parallel num_threads(lucid__team(team))
        {
#pragma omp for schedule(dynamic, parts / (8 * team) + 1) nowait
            for (int64_t part = 0; part < parts; part++)
                run_part(w, part, scratch + (size_t)omp_get_thread_num() * bytes);
            lucid__team_finish(&finished);
        }
    }
    lucid__free(memory);
    return LUCID_OK;
}

lucid__matrix_work lucid__matrix_work_of(const lucid__kernel_args *args, int nout)
{
    const lucid__view *a = &args->in[0];
    int nd = a->shape.ndim;
    lucid__matrix_work w = {.args = args,
                            .dtype = a->dtype,
                            .m = a->shape.dim[nd - 2],
                            .n = a->shape.dim[nd - 1],
                            .batch = 1,
                            .nout = nout};
    for (int d = 0; d < nd - 2; d++)
        w.batch = lucid__times(w.batch, a->shape.dim[d]);
    if (args->nin > 1)
        w.k = args->in[1].shape.dim[nd - 1];
    w.units = w.batch;
    w.together = 1;
    w.cost = (double)w.n * (double)w.n * (double)(w.n + w.k);
    return w;
}

lucid_status lucid__run_large_matrices(lucid__matrix_work *w, lucid__matrix_unit_fn *large,
                                       size_t scratch)
{
    w->run = large;
    w->scratch = scratch;
    w->most_threads = lucid__blas_begin(lucid_get_num_threads());
    if (w->most_threads == 0)
        return lucid__matrix_out_of_memory(w);
    lucid_status status = lucid__matrix_deal(w);
    lucid__blas_end();
    return status;
}

lucid_status lucid__run_small_matrices(lucid__matrix_work *w, lucid__lanes_fn *lanes,
                                       size_t scratch)
{
    enum { GROUPS = 8 }; /* of lanes, that a thread takes at a time */
    const int64_t at_once = LUCID__LANE_BYTES / (int64_t)lucid_dtype_size(w->dtype);
    w->lanes = lanes;
    w->run = run_lanes;
    w->together = w->units > 4 * GROUPS * at_once ? GROUPS * at_once : at_once;
    w->scratch = scratch;
    return lucid__matrix_deal(w);
}

void lucid__matrix_work_output(lucid__matrix_work *w, int k, int64_t elements)
{
    w->out_bytes[k] = elements * (int64_t)lucid_dtype_size(w->args->out[k].dtype);
}
