/* contract: any product of tensors as products of matrices, without copies where strides allow.
 *
 * Every dim plays one of four roles: batch, row (free in x), column (free in y), summed. Dims of one
 * role that lie in memory like one dim become one (collapse). Of what is left, the innermost row,
 * column and summed dim make the matrix product; further ones are loops around it. Only where the
 * matrices would then be small is an operand packed, one batch entry at a time. A matrix product goes
 * to the BLAS, or, when it is small, thin or of integers, to matrix_isa.h. */
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/dtype.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "cpu/blas.h"
#include "cpu/instr.h"
#include "cpu/kernels.h"
#include "cpu/matrix_isa.h"
#include "cpu/threads.h"
#include "engine/force.h"

enum { MAX = LUCID_MAX_NDIM };

/* A loop: its size, and what one step is in x, y and the result. */
typedef struct axis {
    int64_t size, x, y, out;
} axis;

/* No tensor here has more than MAX dims, so no list of them has. */
typedef struct axes {
    int n;
    axis at[MAX];
} axes;

/* ---- roles --------------------------------------------------------------------------------- */

static void push(axes *to, axis a)
{
    if (a.size != 1)
        to->at[to->n++] = a;
}

static axis last_of(const axes *a)
{
    return a->n > 0 ? a->at[a->n - 1] : (axis){.size = 1};
}

static int64_t volume(const axes *a)
{
    int64_t v = 1;
    for (int i = 0; i < a->n; i++)
        v *= a->at[i].size;
    return v;
}

static bool contains(const int64_t *dims, int64_t n, int64_t dim)
{
    for (int64_t i = 0; i < n; i++)
        if (dims[i] == dim)
            return true;
    return false;
}

typedef struct roles {
    axes batch, rows, cols, summed;
} roles;

static roles roles_of(const lucid__kernel_args *args)
{
    const lucid__view *x = &args->in[0], *y = &args->in[1];
    int64_t nb = args->params[0], nc = args->params[1];
    const int64_t *xb = args->params + 2, *yb = xb + nb, *xc = yb + nb, *yc = xc + nc;
    int64_t out[MAX];
    lucid__strides(&args->out->shape, out);
    roles r;
    r.batch.n = r.rows.n = r.cols.n = r.summed.n = 0;
    int d = 0;
    for (; d < nb; d++)
        push(&r.batch, (axis){x->shape.dim[xb[d]], x->stride[xb[d]], y->stride[yb[d]], out[d]});
    for (int i = 0; i < x->shape.ndim; i++)
        if (!contains(xb, nb, i) && !contains(xc, nc, i))
            push(&r.rows, (axis){x->shape.dim[i], x->stride[i], 0, out[d++]});
    for (int i = 0; i < y->shape.ndim; i++)
        if (!contains(yb, nb, i) && !contains(yc, nc, i))
            push(&r.cols, (axis){y->shape.dim[i], 0, y->stride[i], out[d++]});
    for (int i = 0; i < nc; i++)
        push(&r.summed, (axis){x->shape.dim[xc[i]], x->stride[xc[i]], y->stride[yc[i]], 0});
    return r;
}

/* Neighbours that lie in memory as one dim, in all three tensors, become one. */
static void collapse(axes *a)
{
    int n = 0;
    for (int i = 0; i < a->n; i++) {
        const axis in = a->at[i], before = n > 0 ? a->at[n - 1] : (axis){0};
        if (n > 0 && before.x == in.x * in.size && before.y == in.y * in.size &&
            before.out == in.out * in.size)
            a->at[n - 1] = (axis){before.size * in.size, in.x, in.y, in.out};
        else
            a->at[n++] = in;
    }
    a->n = n;
}

static int64_t magnitude(int64_t x)
{
    return x < 0 ? -x : x;
}

/* Summed dims may come in any order: outermost the largest stride in x (or in y). */
static void sort_summed(axes *a, bool by_y)
{
    for (int i = 1; i < a->n; i++)
        for (int j = i; j > 0; j--) {
            axis *p = &a->at[j - 1], *q = &a->at[j], t = *p;
            if (magnitude(by_y ? p->y : p->x) >= magnitude(by_y ? q->y : q->x))
                break;
            *p = *q;
            *q = t;
        }
}

/* Whether the dims lie like one for one operand alone. */
static bool is_whole(const axes *a, bool of_y)
{
    for (int i = 1; i < a->n; i++) {
        const axis *p = &a->at[i - 1], *q = &a->at[i];
        if (of_y ? p->y != q->y * q->size : p->x != q->x * q->size)
            return false;
    }
    return true;
}

/* ---- the plan ------------------------------------------------------------------------------ */

/* An operand that is brought into row-major order, per entry of the batch: (m, k) or (k, n). */
typedef struct packing {
    bool on;
    bool of_y;
    int64_t elements;
    axes dims;
} packing;

typedef struct plan {
    lucid_dtype dtype;
    size_t size; /* of an element */
    const char *x, *y;
    char *out;
    axes batch; /* loops around the product, and around `outer` */
    axes outer; /* summed dims around the product: it is added up over them */
    axis inner; /* the last dim of batch, split off: products one after the other */
    lucid__product p;
    packing pack[2];
    bool blas;
    int threads;
    int64_t entries; /* of batch */
    int64_t slices;  /* of one product's rows (columns, if there is one row) */
    int64_t scratch; /* elements per thread */
} plan;

/* A matrix that the BLAS takes as it is: unit stride one way, the other at least a row long. */
static bool blas_takes(int64_t rows, int64_t cols, int64_t row, int64_t col)
{
    bool plain = (col == 1 || cols == 1) && (row >= cols || rows == 1) && lucid__blas_fits(row);
    bool turned = (row == 1 || rows == 1) && (col >= rows || cols == 1) && lucid__blas_fits(col);
    return plain || turned;
}

static lucid__blas_matrix blas_matrix(const void *data, int64_t rows, int64_t cols, int64_t row,
                                      int64_t col)
{
    bool plain = (col == 1 || cols == 1) && (row >= cols || rows == 1);
    int64_t least = plain ? cols : rows, ld = plain ? row : col;
    return (lucid__blas_matrix){data, !plain, ld > least ? ld : least};
}

/* Below this many multiplications a loop around a product costs more than packing saves. */
enum { SMALL_PRODUCT = 16 * 16 * 16 };

/* Chooses the product, and which operands are packed for it. */
static void choose_product(plan *q, roles *r)
{
    collapse(&r->rows);
    collapse(&r->cols);
    axes by_x = r->summed, by_y = r->summed;
    sort_summed(&by_x, false);
    sort_summed(&by_y, true);
    bool x_whole = is_whole(&r->rows, false) && is_whole(&by_x, false);
    axes *summed = x_whole || !is_whole(&by_y, true) ? &by_x : &by_y;
    axes whole = *summed;
    collapse(&whole);
    lucid__product *p = &q->p;
    axis m = last_of(&r->rows), n = last_of(&r->cols), k = last_of(&whole);
    bool loops = r->rows.n > 1 || r->cols.n > 1 || whole.n > 1;
    if (!loops || (double)m.size * (double)n.size * (double)k.size >= SMALL_PRODUCT) {
        *p = (lucid__product){m.size, n.size, k.size, m.x, k.x, k.y, n.y, m.out, false, false};
        for (int i = 0; i < r->rows.n - 1; i++)
            push(&r->batch, r->rows.at[i]);
        for (int i = 0; i < r->cols.n - 1; i++)
            push(&r->batch, r->cols.at[i]);
        q->outer = whole;
        if (whole.n > 0)
            q->outer.n--;
        return;
    }
    /* One product over all dims: an operand that is not a matrix by itself is packed into one. */
    *p = (lucid__product){
        volume(&r->rows), volume(&r->cols), volume(summed), 0, 0, 0, 0, m.out, false, false};
    x_whole = is_whole(&r->rows, false) && is_whole(summed, false);
    bool y_whole = is_whole(&r->cols, true) && is_whole(summed, true);
    p->a_row = x_whole ? m.x : p->k;
    p->a_col = x_whole ? last_of(summed).x : 1;
    p->b_row = y_whole ? last_of(summed).y : p->n;
    p->b_col = y_whole ? n.y : 1;
    for (int side = 0; side < 2; side++) {
        packing *pack = &q->pack[side];
        pack->on = side == 0 ? !x_whole : !y_whole;
        pack->of_y = side == 1;
        pack->elements = side == 0 ? p->m * p->k : p->k * p->n;
        pack->dims = side == 0 ? r->rows : *summed;
        const axes *more = side == 0 ? summed : &r->cols;
        for (int i = 0; i < more->n; i++)
            push(&pack->dims, more->at[i]);
    }
}

/* A column vector is a row vector of the transposed product, and rows are what the loops are good
 * at. Possible where the result's rows lie next to each other. */
static void turn_column(plan *q)
{
    lucid__product *p = &q->p;
    if (p->n != 1 || p->m == 1 || p->c_row != 1)
        return;
    *p = (lucid__product){1, p->m, p->k, 0, p->b_row, p->a_col, p->a_row, p->m, false, false};
    const char *x = q->x;
    q->x = q->y;
    q->y = x;
    packing pack = q->pack[0];
    q->pack[0] = q->pack[1];
    q->pack[1] = pack;
    axes *lists[2] = {&q->batch, &q->outer};
    for (int l = 0; l < 2; l++)
        for (int i = 0; i < lists[l]->n; i++) {
            axis *a = &lists[l]->at[i];
            int64_t t = a->x;
            a->x = a->y;
            a->y = t;
        }
}

static void pack_single(plan *q, int side)
{
    packing *pack = &q->pack[side];
    lucid__product *p = &q->p;
    if (side == 0) {
        pack->dims = (axes){.n = 2, .at = {{p->m, p->a_row, 0, 0}, {p->k, p->a_col, 0, 0}}};
        p->a_row = p->k, p->a_col = 1;
    } else {
        pack->dims = (axes){.n = 2, .at = {{p->k, 0, p->b_row, 0}, {p->n, 0, p->b_col, 0}}};
        p->b_row = p->n, p->b_col = 1;
    }
    pack->on = true;
    pack->of_y = side == 1;
    pack->elements = side == 0 ? p->m * p->k : p->k * p->n;
}

/* Products of at most so many multiplications, or with so few summed, are not worth a BLAS call. */
enum { OWN_PRODUCT = 24 * 24 * 24, OWN_SUMMED = 4 };

/* OpenBLAS copies both operands of what its loops for small products do not take (about 100^3). Where x
 * is tall and y stays in the nearest cache, that costs more than it saves, if y's columns fill vectors. */
static bool is_tall(const lucid__product *p, size_t size)
{
    enum { SMALL = 100 * 100 * 100, CACHED = 32768, SUMMED = 64, FEW_SUMMED = 16 };
    const double row = (double)p->n * (double)size;
    if ((double)p->m * (double)p->n * (double)p->k < SMALL || row * (double)p->k > CACHED)
        return false;
    return p->k <= SUMMED && (p->n * (int64_t)size % 32 == 0 || (p->k <= FEW_SUMMED && row >= 64));
}

static bool is_own(const lucid__product *p, size_t size)
{
    const lucid__forced_layout forced = lucid__layout_forced();
    if (forced != LUCID__FORCE_NONE)
        return forced != LUCID__FORCE_LIBRARY;
    double work = (double)p->m * (double)p->n * (double)p->k;
    return p->m <= 1 || p->n <= 1 || p->k <= OWN_SUMMED || work <= OWN_PRODUCT || is_tall(p, size);
}

static void choose_routine(plan *q)
{
    const lucid__product *p = &q->p;
    q->blas = lucid__is_float(q->dtype) && !is_own(p, q->size) && lucid__blas_fits(p->m) &&
              lucid__blas_fits(p->n) && lucid__blas_fits(p->k) && lucid__blas_fits(p->c_row);
    for (int side = 0; q->blas && side < 2; side++) {
        bool takes = side == 0 ? blas_takes(p->m, p->k, p->a_row, p->a_col)
                               : blas_takes(p->k, p->n, p->b_row, p->b_col);
        if (!takes && !q->pack[side].on && q->outer.n == 0)
            pack_single(q, side);
        else if (!takes)
            q->blas = false;
    }
}

/* ---- running ------------------------------------------------------------------------------- */

static const char *step(const plan *q, const char *p, int64_t elements)
{
    return p + elements * (int64_t)q->size;
}

/* Copies an operand to row-major order, its last dim in the innermost loop. */
static void pack_operand(const plan *q, const packing *pack, const char *from, char *to)
{
    const axes *d = &pack->dims;
    int64_t index[MAX] = {0};
    const axis last = last_of(d);
    int64_t stride = pack->of_y ? last.y : last.x;
    for (;;) {
        if (q->size == 4)
            for (int64_t i = 0; i < last.size; i++)
                ((uint32_t *)(void *)to)[i] = ((const uint32_t *)(const void *)from)[i * stride];
        else
            for (int64_t i = 0; i < last.size; i++)
                ((uint64_t *)(void *)to)[i] = ((const uint64_t *)(const void *)from)[i * stride];
        to += last.size * (int64_t)q->size;
        int i = d->n - 2;
        for (; i >= 0; i--) {
            int64_t s = pack->of_y ? d->at[i].y : d->at[i].x;
            from = step(q, from, s);
            if (++index[i] < d->at[i].size)
                break;
            from = step(q, from, -s * d->at[i].size);
            index[i] = 0;
        }
        if (i < 0)
            return;
    }
}

/* Moves the three pointers to entry `index` of a list of loops. */
static void seek(const plan *q, const axes *a, int64_t index, const char **x, const char **y,
                 char **out)
{
    for (int i = a->n - 1; i >= 0; i--) {
        int64_t at = index % a->at[i].size;
        index /= a->at[i].size;
        *x = step(q, *x, at * a->at[i].x);
        *y = step(q, *y, at * a->at[i].y);
        *out += at * a->at[i].out * (int64_t)q->size;
    }
}

/* Products that are added up over `outer` so many at a time, one onto the other; more come together as a tree. */
enum { OUTER_BLOCK = 16 };

static bool has_tree(const plan *q)
{
    return !q->blas && volume(&q->outer) > OUTER_BLOCK;
}

/* Elements of a product on the way, and of the nodes of the tree (engine/program.h). */
static int64_t tree_elements(const plan *q)
{
    int64_t levels = 1;
    for (int64_t blocks = volume(&q->outer) / OUTER_BLOCK + 1; blocks > 0; blocks /= 2)
        levels++;
    return has_tree(q) ? levels * q->p.m * q->p.n : 0;
}

/* One product, the sum of many, with the memory of a tree. */
static void run_tree(const plan *q, const lucid__product *p, const char *x, const char *y,
                     char *out, char *tree, char *scratch)
{
    lucid__multiply_fn *multiply = lucid__matrix_isa_get()->multiply[q->dtype];
    lucid__instr_body *plus = lucid__bodies_get()->op[LUCID__add][q->dtype];
    const int64_t sums = volume(&q->outer), n = p->m * p->n;
    const size_t row = (size_t)p->n * q->size, each = (size_t)n * q->size;
    lucid__product part = *p;
    int64_t blocks = 0;
    part.c_row = p->n;
    part.large = part.fresh = false;
    char *sum = tree, *node = tree + each;
    for (int64_t first = 0; first < sums; first += OUTER_BLOCK, blocks++) {
        for (int64_t o = first; o < sums && o < first + OUTER_BLOCK; o++) {
            const char *a = x, *b = y;
            char *nowhere = out;
            seek(q, &q->outer, o, &a, &b, &nowhere);
            multiply(&part, 1, o > first, a, 0, b, 0, sum, 0, scratch);
        }
        int level = 0;
        for (; blocks >> level & 1; level++)
            plus(sum, node + (size_t)level * each, sum, NULL, n, 0);
        memcpy(node + (size_t)level * each, sum, each);
    }
    for (bool some = false; blocks; blocks &= blocks - 1, some = true) {
        char *other = node + (size_t)__builtin_ctzll((unsigned long long)blocks) * each;
        if (some)
            plus(sum, other, sum, NULL, n, 0);
        else
            memcpy(sum, other, each);
    }
    for (int64_t i = 0; i < p->m; i++)
        memcpy(out + i * p->c_row * (int64_t)q->size, sum + (size_t)i * row, row);
}

/* `count` products along the inner loop, of the given slice of rows or columns. */
static void run_products(const plan *q, const lucid__product *p, int64_t count, const char *x,
                         const char *y, char *out, char *scratch)
{
    lucid__multiply_fn *multiply = lucid__matrix_isa_get()->multiply[q->dtype];
    int64_t sums = volume(&q->outer);
    if (has_tree(q)) {
        for (int64_t e = 0; e < count; e++)
            run_tree(q, p, step(q, x, e * q->inner.x), step(q, y, e * q->inner.y),
                     out + e * q->inner.out * (int64_t)q->size, scratch,
                     scratch + tree_elements(q) * (int64_t)q->size);
        return;
    }
    const int64_t c_row = p->m > 1 ? p->c_row : p->n; /* the BLAS asks for it with one row, too */
    for (int64_t o = 0; o < sums; o++) {
        const char *a = x, *b = y;
        char *c = out;
        if (lucid__stop())
            return;
        seek(q, &q->outer, o, &a, &b, &c);
        if (!q->blas) {
            multiply(p, count, o > 0, a, q->inner.x, b, q->inner.y, c, q->inner.out, scratch);
            continue;
        }
        int threads = q->entries * q->inner.size < q->threads ? q->threads : 1;
        for (int64_t e = 0; e < count; e++)
            lucid__gemm(q->dtype, p->m, p->n, p->k, 1,
                        blas_matrix(step(q, a, e * q->inner.x), p->m, p->k, p->a_row, p->a_col),
                        blas_matrix(step(q, b, e * q->inner.y), p->k, p->n, p->b_row, p->b_col),
                        o > 0, c + e * q->inner.out * (int64_t)q->size, c_row, threads);
    }
}

/* One entry of the batch: packs what is to be packed, then the products. */
static void run_entry(const plan *q, int64_t entry, int64_t slice, int64_t first, int64_t count,
                      char *scratch)
{
    const char *operand[2] = {q->x, q->y};
    char *out = q->out;
    seek(q, &q->batch, entry, &operand[0], &operand[1], &out);
    operand[0] = step(q, operand[0], first * q->inner.x);
    operand[1] = step(q, operand[1], first * q->inner.y);
    out += first * q->inner.out * (int64_t)q->size;
    for (int side = 0; side < 2; side++)
        if (q->pack[side].on) {
            pack_operand(q, &q->pack[side], operand[side], scratch);
            operand[side] = scratch;
            scratch += q->pack[side].elements * (int64_t)q->size;
        }
    lucid__product p = q->p;
    bool by_rows = p.m > 1;
    int64_t length = by_rows ? p.m : p.n;
    int64_t from = length * slice / q->slices, to = length * (slice + 1) / q->slices;
    if (by_rows) {
        p.m = to - from;
        operand[0] = step(q, operand[0], from * p.a_row);
        out += from * p.c_row * (int64_t)q->size;
    } else {
        p.n = to - from;
        operand[1] = step(q, operand[1], from * p.b_col);
        out += from * (int64_t)q->size;
    }
    run_products(q, &p, count, operand[0], operand[1], out, scratch);
}

/* An operand that is the same for all entries is packed once, before. */
static lucid_status pack_shared(plan *q, void **memory)
{
    for (int side = 0; side < 2; side++) {
        packing *pack = &q->pack[side];
        bool shared = pack->on;
        for (int i = 0; i < q->batch.n; i++)
            shared &= (side == 0 ? q->batch.at[i].x : q->batch.at[i].y) == 0;
        if (!shared)
            continue;
        memory[side] = lucid__malloc((size_t)pack->elements * q->size);
        if (!memory[side])
            return LUCID_MEMORY_ERROR;
        pack_operand(q, pack, side == 0 ? q->x : q->y, memory[side]);
        pack->on = false;
        if (side == 0)
            q->x = memory[0];
        else
            q->y = memory[1];
    }
    return LUCID_OK;
}

static void run_part(const plan *q, int64_t part, int64_t run_length, char *scratch)
{
    if (lucid__stop())
        return;
    int64_t runs = (q->inner.size + run_length - 1) / run_length;
    int64_t slice = part % q->slices, rest = part / q->slices;
    int64_t first = rest % runs * run_length, left = q->inner.size - first;
    run_entry(q, rest / runs, slice, first, left < run_length ? left : run_length, scratch);
}

/* Work is dealt out in parts worth a thread: runs of products along the inner loop, or slices of
 * one product. How it is cut changes no result, because no sum is cut there. */
static lucid_status run(plan *q)
{
    enum { PART = 1 << 16, TILE = 64, PAST_CACHES = 32 << 20, INTERRUPTIBLE = 1 << 27 };
    const lucid__product *p = &q->p;
    q->entries = volume(&q->batch);
    double work = (double)p->m * (double)p->n * ((double)p->k + 1) * (double)volume(&q->outer);
    double products = (double)q->entries * (double)q->inner.size;
    double bytes = (double)p->m * (double)p->n * products * (double)q->size;
    q->p.large = bytes >= PAST_CACHES;
    q->p.fresh = q->p.large && lucid__memory_is_fresh(q->out, (size_t)bytes);
    int64_t run_length = work < PART ? (int64_t)(PART / work) : 1;
    if (q->pack[0].on || q->pack[1].on)
        run_length = 1;
    if (run_length > q->inner.size)
        run_length = q->inner.size;
    q->slices = 1;
    if (!q->blas && products < 4 * q->threads) {
        int64_t length = p->m > 1 ? p->m : p->n;
        int64_t most = (length + TILE - 1) / TILE;
        double wanted = work / PART;
        q->slices = wanted < (double)most ? (int64_t)wanted : most;
        int64_t enough =
            (int64_t)(work / INTERRUPTIBLE); /* so that a slice takes some hundredths of a second */
        enough = enough < most ? enough : most;
        enough = enough > 4 * q->threads ? enough : 4 * q->threads;
        if (q->slices > enough)
            q->slices = enough;
        if (q->slices < 1)
            q->slices = 1;
    }
    int64_t runs = (q->inner.size + run_length - 1) / run_length;
    int64_t parts = q->entries * runs * q->slices;
    /* A single large product is cut by lucid__gemm itself. */
    bool alone = q->threads <= 1 || parts <= 1 || work * products < 2 * PART ||
                 (q->blas && products < q->threads);
    int team = alone ? 1 : parts < q->threads ? (int)parts : q->threads;
    char *scratch = NULL;
    if (q->scratch > 0) {
        scratch = lucid__malloc((size_t)q->scratch * q->size * (size_t)team);
        if (!scratch)
            return LUCID_MEMORY_ERROR;
    }
    if (team == 1) {
        for (int64_t part = 0; part < parts; part++)
            run_part(q, part, run_length, scratch);
    } else {
        atomic_int finished = 0;
#pragma omp parallel num_threads(lucid__team(team))
        {
#pragma omp for schedule(dynamic, parts / (8 * team) + 1) nowait
            for (int64_t part = 0; part < parts; part++)
                run_part(q, part, run_length,
                         scratch ? scratch + omp_get_thread_num() * q->scratch * (int64_t)q->size
                                 : NULL);
            lucid__team_finish(&finished);
        }
    }
    lucid__free(scratch);
    return LUCID_OK;
}

/* Batch entries that share y are more rows of one product; those that share x, more columns, if there
 * are no rows to stand in between. */
static void fold_batch(roles *r)
{
    while (r->batch.n > 0 && last_of(&r->batch).y == 0) {
        memmove(r->rows.at + 1, r->rows.at, (size_t)r->rows.n++ * sizeof(axis));
        r->rows.at[0] = r->batch.at[--r->batch.n];
    }
    while (r->batch.n > 0 && r->rows.n == 0 && last_of(&r->batch).x == 0) {
        memmove(r->cols.at + 1, r->cols.at, (size_t)r->cols.n++ * sizeof(axis));
        r->cols.at[0] = r->batch.at[--r->batch.n];
    }
}

/* How roles that are not empty are multiplied. */
static plan choose(const lucid__kernel_args *args, roles *r)
{
    const lucid__view *out = args->out;
    plan q = {.dtype = out->dtype,
              .size = lucid_dtype_size(out->dtype),
              .x = args->in[0].data,
              .y = args->in[1].data,
              .out = out->data,
              .threads = lucid_get_num_threads()};
    fold_batch(r);
    choose_product(&q, r);
    q.batch = r->batch;
    collapse(&q.batch);
    choose_routine(&q);
    turn_column(&q);
    return q;
}

/* One multiplication and one addition per pair. */
lucid__kernel_work lucid__contract_work(const lucid__kernel_args *args)
{
    roles r = roles_of(args);
    double pairs = (double)lucid__numel(&args->out->shape) * (double)volume(&r.summed);
    bool blas = pairs > 0 && choose(args, &r).blas;
    return (lucid__kernel_work){blas ? LUCID__LANES_LIBRARY : LUCID__LANES_ELEMENTS,
                                lucid__is_float(args->out->dtype) ? 2 * pairs : 0};
}

lucid_status lucid__contract_kernel(const lucid__kernel_args *args)
{
    const lucid__view *out = args->out;
    int64_t count = lucid__numel(&out->shape);
    if (count == 0)
        return LUCID_OK;
    roles r = roles_of(args);
    if (volume(&r.summed) == 0) {
        memset(out->data, 0, (size_t)count * lucid_dtype_size(out->dtype));
        return LUCID_OK;
    }
    plan q = choose(args, &r);
    void *memory[2] = {NULL, NULL};
    lucid_status status = pack_shared(&q, memory);
    q.inner = (axis){.size = 1};
    if (!q.pack[0].on && !q.pack[1].on && q.batch.n > 0)
        q.inner = q.batch.at[--q.batch.n];
    q.scratch = q.blas ? 0 : lucid__product_scratch(&q.p) + tree_elements(&q);
    for (int side = 0; side < 2; side++)
        q.scratch += q.pack[side].on ? q.pack[side].elements : 0;
    if (status == LUCID_OK) {
        if (q.blas)
            q.threads = lucid__blas_begin(q.threads);
        status = q.threads > 0 ? run(&q) : LUCID_MEMORY_ERROR;
        if (q.blas && q.threads > 0)
            lucid__blas_end();
    }
    lucid__free(memory[0]);
    lucid__free(memory[1]);
    if (status != LUCID_OK)
        (void)snprintf(args->error, args->error_size, "contract: out of memory");
    return status;
}
