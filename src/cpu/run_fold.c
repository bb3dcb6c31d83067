/* Programs with reduced dims, in the order that program.h lays down. Three ways to walk it, with the same
 * result bit for bit: short rows (several of them in a tile), long rows (lanes along the reduced dims, one
 * result at a time) and columns (lanes along the kept dims, many results at a time). */
#include <string.h>

#include "base/memory.h"
#include "base/thread.h"
#include "cpu/run_program.h"

enum { LANES = LUCID__FOLD_LANES, LANE_BYTES = 8 };

/* The loop space taken apart: kept dims in front, reduced dims behind. */
typedef struct fold {
    const lucid__program *p;
    void *const *slots;
    int nkept;
    int64_t kept, reduced;
    size_t size; /* bytes of an element of the result */
    lucid__body *combine;
    lucid__fold_body *fold_lanes;
    lucid__fold_rows_body *fold_rows;
} fold;

/* acc[0] = the accumulators 0 .. count - 1 combined pairwise. Each is `width` lanes. */
static void combine_lanes(const fold *f, char *acc, int64_t count, size_t stride, int64_t width)
{
    for (int64_t half = LANES / 2; half > 0; half /= 2)
        for (int64_t j = 0; j < half && j + half < count; j++)
            f->combine(acc + (size_t)j * stride, acc + (size_t)j * stride,
                       acc + (size_t)(j + half) * stride, NULL, width, 0);
}

static void set_identity(const fold *f, char *to, int64_t n)
{
    memset(to, 0, (size_t)n * f->size);
    bool one = f->p->fold == LUCID__prod || f->p->fold == LUCID__all;
    for (int64_t i = 0; one && i < n; i++)
        switch ((lucid_dtype)f->p->fold_dtype) {
        case LUCID_FLOAT32:
            ((float *)(void *)to)[i] = 1;
            break;
        case LUCID_FLOAT64:
            ((double *)(void *)to)[i] = 1;
            break;
        case LUCID_INT32:
            ((int32_t *)(void *)to)[i] = 1;
            break;
        case LUCID_INT64:
            ((int64_t *)(void *)to)[i] = 1;
            break;
        default:
            to[i] = 1;
            break;
        }
}

static void store_results(const lucid__machine *m, const fold *f, const void *results,
                          int64_t first, int64_t n)
{
    for (int i = 0; i < f->p->nstores; i++)
        lucid__machine_store(m, &f->p->stores[i], results, f->p->dim, f->nkept, first, n);
}

/* ---- long rows ------------------------------------------------------------------------------------- */

/* The index along each kept dim of result k, as a shift of the streams. */
static void shift_to(const fold *f, int64_t k, int64_t *shift)
{
    for (int i = 0; i < f->p->ndim; i++)
        shift[i] = 0;
    for (int i = f->nkept - 1; i >= 0; i--) {
        shift[i] = k % f->p->dim[i];
        k /= f->p->dim[i];
    }
}

/* One block of one row, n points from `first` on, to one element. */
static void row_block(lucid__machine *m, const fold *f, int64_t first, int64_t n, char *to)
{
    char acc[LANES * LANE_BYTES];
    for (int64_t done = 0; done < n; done += LUCID__TILE) {
        int64_t part = n - done < LUCID__TILE ? n - done : LUCID__TILE;
        lucid__machine_compute(m, f->p->dim + f->nkept, f->p->reduced, NULL, first + done, part);
        const char *x = m->reg[f->p->folded];
        int64_t used = 0;
        if (done == 0) { /* the first of each lane starts it */
            used = part < LANES ? part : LANES;
            memcpy(acc, x, (size_t)used * f->size);
        }
        int64_t groups = (part - used) / LANES;
        f->fold_lanes(acc, x + (size_t)used * f->size, groups);
        used += groups * LANES;
        if (used < part)
            f->combine(acc, acc, x + (size_t)used * f->size, NULL, part - used, 0);
    }
    combine_lanes(f, acc, n < LANES ? n : LANES, f->size, 1);
    memcpy(to, acc, f->size);
}

/* A machine for rows sees loads whose strides begin at the reduced dims. */
static void reduced_strides(const fold *f, lucid__stream *to)
{
    for (int i = 0; i < f->p->nloads; i++) {
        to[i] = f->p->loads[i];
        for (int j = 0; j < f->p->reduced; j++)
            to[i].stride[j] = f->p->loads[i].stride[f->nkept + j];
    }
}

/* Result k from its blocks, which may have been computed before. */
static void finish_row(const fold *f, char *blocks, int64_t count)
{
    for (int64_t b = 1; b < count; b++)
        f->combine(blocks, blocks, blocks + (size_t)b * f->size, NULL, 1, 0);
}

typedef struct row_machine {
    lucid__machine m;
    lucid__program p; /* with the loads below */
    lucid__stream loads[];
} row_machine;

static row_machine *new_row_machine(const fold *f)
{
    row_machine *r = lucid__malloc(sizeof *r + (size_t)(f->p->nloads + 1) * sizeof(lucid__stream));
    if (!r)
        return NULL;
    r->p = *f->p;
    r->p.loads = r->loads;
    memcpy(r->loads, f->p->loads, (size_t)f->p->nloads * sizeof *r->loads);
    if (lucid__machine_init(&r->m, &r->p, f->slots, f->reduced))
        return r;
    lucid__free(r);
    return NULL;
}

/* Moves the loads to result k. */
static void row_begin(row_machine *r, const fold *f, int64_t k)
{
    int64_t shift[LUCID_MAX_NDIM] = {0};
    shift_to(f, k, shift);
    reduced_strides(f, r->loads);
    for (int i = 0; i < f->p->nloads; i++)
        for (int j = 0; j < f->nkept; j++)
            r->loads[i].offset += shift[j] * f->p->loads[i].stride[j];
}

static lucid_status run_long_rows(const fold *f, int threads)
{
    int64_t blocks = (f->reduced + LUCID__FOLD_BLOCK - 1) / LUCID__FOLD_BLOCK;
    int64_t units = f->kept * blocks;
    char *partial = lucid__malloc((size_t)units * f->size);
    if (!partial)
        return LUCID_MEMORY_ERROR;
    atomic_bool failed = false;
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        row_machine *r = new_row_machine(f);
        int64_t current = -1;
        if (!r)
            atomic_store(&failed, true);
#pragma omp for schedule(static)
        for (int64_t u = 0; u < units; u++) {
            if (!r)
                continue;
            if (u / blocks != current)
                row_begin(r, f, current = u / blocks);
            int64_t first = u % blocks * LUCID__FOLD_BLOCK, left = f->reduced - first;
            row_block(&r->m, f, first, left < LUCID__FOLD_BLOCK ? left : LUCID__FOLD_BLOCK,
                      partial + (size_t)u * f->size);
        }
        if (r) {
            lucid__machine_free(&r->m);
            lucid__free(r);
        }
    }
    if (!atomic_load(&failed)) {
        lucid__machine m = {.program = f->p, .slots = f->slots};
        for (int64_t k = 0; k < f->kept; k++) {
            finish_row(f, partial + (size_t)(k * blocks) * f->size, blocks);
            if (blocks > 1)
                memmove(partial + (size_t)k * f->size, partial + (size_t)(k * blocks) * f->size,
                        f->size);
        }
        store_results(&m, f, partial, 0, f->kept);
    }
    lucid__free(partial);
    return atomic_load(&failed) ? LUCID_MEMORY_ERROR : LUCID_OK;
}

/* ---- short rows ------------------------------------------------------------------------------- */

/* Results first .. end - 1, as many rows at a time as a tile holds. */
static bool short_rows(const fold *f, int64_t first, int64_t end)
{
    lucid__machine m;
    _Alignas(64) char results[LUCID__TILE * LANE_BYTES];
    int64_t at_once = LUCID__TILE / f->reduced;
    if (!lucid__machine_init(&m, f->p, f->slots, LUCID__TILE))
        return false;
    for (int64_t k = first; k < end; k += at_once) {
        int64_t rows = end - k < at_once ? end - k : at_once;
        lucid__machine_compute(&m, f->p->dim, f->p->ndim, NULL, k * f->reduced, rows * f->reduced);
        f->fold_rows(results, m.reg[f->p->folded], rows, f->reduced);
        store_results(&m, f, results, k, rows);
    }
    lucid__machine_free(&m);
    return true;
}

static lucid_status run_short_rows(const fold *f, int threads)
{
    if (threads == 1)
        return short_rows(f, 0, f->kept) ? LUCID_OK : LUCID_MEMORY_ERROR;
    atomic_bool failed = false;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int t = 0; t < threads; t++)
        if (!short_rows(f, f->kept * t / threads, f->kept * (t + 1) / threads))
            atomic_store(&failed, true);
    return atomic_load(&failed) ? LUCID_MEMORY_ERROR : LUCID_OK;
}

/* ---- columns ----------------------------------------------------------------------------------- */

/* n results from result `first` on; acc holds LANES + 1 registers. */
static void columns(lucid__machine *m, const fold *f, int64_t first, int64_t n, char *acc)
{
    const size_t stride = (size_t)LUCID__TILE * LANE_BYTES;
    char *total = acc + LANES * stride;
    int64_t shift[LUCID_MAX_NDIM] = {0};
    for (int64_t i = 0; i < f->reduced; i++) {
        int64_t in_block = i % LUCID__FOLD_BLOCK, left = f->reduced - (i - in_block);
        lucid__machine_compute(m, f->p->dim, f->nkept, shift, first, n);
        const char *x = m->reg[f->p->folded];
        char *lane = acc + (size_t)(in_block % LANES) * stride;
        if (in_block < LANES)
            memcpy(lane, x, (size_t)n * f->size);
        else
            f->combine(lane, lane, x, NULL, n, 0);
        if (in_block + 1 == (left < LUCID__FOLD_BLOCK ? left : LUCID__FOLD_BLOCK)) {
            combine_lanes(f, acc, in_block + 1 < LANES ? in_block + 1 : LANES, stride, n);
            if (i == in_block) /* the first block */
                memcpy(total, acc, (size_t)n * f->size);
            else
                f->combine(total, total, acc, NULL, n, 0);
        }
        for (int d = f->p->ndim - 1; d >= f->nkept; d--) { /* the next reduced point */
            if (++shift[d] < f->p->dim[d])
                break;
            shift[d] = 0;
        }
    }
    store_results(m, f, total, first, n);
}

static lucid_status run_columns(const fold *f, int threads)
{
    int64_t tiles = (f->kept + LUCID__TILE - 1) / LUCID__TILE;
    atomic_bool failed = false;
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        lucid__machine m;
        bool ready = lucid__machine_init(&m, f->p, f->slots, f->kept);
        char *acc = lucid__malloc((size_t)(LANES + 1) * LUCID__TILE * LANE_BYTES);
        if (!ready || !acc)
            atomic_store(&failed, true);
#pragma omp for schedule(static)
        for (int64_t t = 0; t < tiles; t++) {
            int64_t first = t * LUCID__TILE, left = f->kept - first;
            if (ready && acc)
                columns(&m, f, first, left < LUCID__TILE ? left : LUCID__TILE, acc);
        }
        lucid__free(acc);
        if (ready)
            lucid__machine_free(&m);
    }
    return atomic_load(&failed) ? LUCID_MEMORY_ERROR : LUCID_OK;
}

/* ---- choice ------------------------------------------------------------------------------------- */

/* Columns read memory well when the kept dims are the inner ones, rows when the reduced ones are; and rows
 * that do not fill a vector leave its lanes idle. */
static bool prefer_columns(const fold *f)
{
    int for_columns = 0, for_rows = 0;
    if (f->kept < LANES || f->reduced < LANES)
        return f->kept >= LANES;
    for (int i = 0; i < f->p->nloads && f->nkept > 0; i++) {
        const int64_t *stride = f->p->loads[i].stride;
        int64_t along_row = stride[f->p->ndim - 1], along_kept = stride[f->nkept - 1];
        for_rows += along_row == 1;
        for_columns += along_row != 1 && along_kept == 1;
    }
    return for_columns > for_rows;
}

lucid_status lucid__run_fold(const lucid__program *p, void *const *slots)
{
    const lucid__bodies *bodies = lucid__bodies_get();
    fold f = {.p = p,
              .slots = slots,
              .nkept = p->ndim - p->reduced,
              .size = lucid_dtype_size((lucid_dtype)p->fold_dtype)};
    f.kept = lucid__product(p->dim, f.nkept);
    f.reduced = lucid__product(p->dim + f.nkept, p->reduced);
    f.combine = bodies->op[lucid__fold_combine((lucid__prim_id)p->fold)][p->fold_dtype];
    f.fold_lanes = bodies->fold[p->fold][p->fold_dtype];
    f.fold_rows = bodies->fold_rows[p->fold][p->fold_dtype];
    if (f.kept == 0)
        return LUCID_OK;
    if (f.reduced == 0) {
        char *identity = lucid__malloc((size_t)f.kept * f.size);
        if (!identity)
            return LUCID_MEMORY_ERROR;
        set_identity(&f, identity, f.kept);
        lucid__machine m = {.program = p, .slots = slots};
        store_results(&m, &f, identity, 0, f.kept);
        lucid__free(identity);
        return LUCID_OK;
    }
    int threads = lucid__threads_for(p, f.kept * f.reduced);
    if (prefer_columns(&f))
        return run_columns(&f, threads);
    bool fits = f.reduced <= LUCID__TILE / 2;
    return fits ? run_short_rows(&f, threads) : run_long_rows(&f, threads);
}
