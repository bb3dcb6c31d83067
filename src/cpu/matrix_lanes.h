/* Factorisations and solutions of small systems of T; included by isa_matrix.c once per float T, after
 * matrix_product.h.
 *
 * Many matrices go side by side, one per lane: in scratch, element (i, j) of all lanes of an (r, c)
 * matrix stands at (i * c + j) * LANES, so every loop over lanes is one or a few vector instructions,
 * and branches become selections. Few matrices go one by one, with vectors along their rows. Either
 * way an element sees the same operations in the same order: it loses its products one after the
 * other and is then divided; so the bits do not depend on the company. */

#define LANE _Pragma("omp simd") for (int l = 0; l < LANES; l++)
#define ELEMENT(m, cols, i, j) ((m) + ((i) * (cols) + (j)) * LANES)

enum { NAME(COLUMNS) = 8 }; /* right-hand sides taken at a time */

#include "cpu/matrix_moves.h"

/* ---- the inner loops --------------------------------------------------------------------------- */

/* x_i -= f_0 g_i0, then f_1 g_i1, ... k of them, for `count` elements x_i; lane by lane. */
static void NAME(reduce)(int64_t k, const T *f, int64_t f_step, const T *g, int64_t g_step,
                         int64_t g_next, T *x, int64_t x_next, int64_t count)
{
    typedef NAME(v64) vec;
    int64_t i = 0;
    for (; i + 4 <= count; i += 4, g += 4 * g_next, x += 4 * x_next) {
        const T *p = f, *q = g, *q1 = g + g_next, *q2 = q1 + g_next, *q3 = q2 + g_next;
        vec *x0 = (vec *)x, *x1 = (vec *)(x + x_next), *x2 = (vec *)(x + 2 * x_next),
            *x3 = (vec *)(x + 3 * x_next);
        vec s0 = *x0, s1 = *x1, s2 = *x2, s3 = *x3;
        for (int64_t n = 0, at = 0; n < k; n++, p += f_step, at += g_step) {
            const vec u = *(const vec *)p;
            s0 -= u * *(const vec *)(q + at);
            s1 -= u * *(const vec *)(q1 + at);
            s2 -= u * *(const vec *)(q2 + at);
            s3 -= u * *(const vec *)(q3 + at);
        }
        *x0 = s0, *x1 = s1, *x2 = s2, *x3 = s3;
    }
    for (; i < count; i++, g += g_next, x += x_next) {
        vec s0 = *(vec *)x;
        for (int64_t n = 0; n < k; n++)
            s0 -= *(const vec *)(f + n * f_step) * *(const vec *)(g + n * g_step);
        *(vec *)x = s0;
    }
}

/* to -= f from, along a row of one matrix. */
static inline void NAME(subtract)(int64_t n, T f, const T *restrict from, T *restrict to)
{
    for (int64_t j = 0; j < n; j++)
        to[j] -= f * from[j];
}

/* ---- cholesky ------------------------------------------------------------------------------ */

static void NAME(cholesky_alone)(int64_t n, T *restrict a)
{
    bool bad = false;
    for (int64_t j = 0; j < n; j++) {
        T column[MAX_N], d = a[j * n + j];
        bad |= !(d > 0);
        d = SQRT(d);
        a[j * n + j] = d;
        for (int64_t i = j + 1; i < n; i++) {
            column[i] = a[i * n + j] / d;
            a[i * n + j] = column[i];
            NAME(subtract)(i - j, column[i], column + j + 1, a + i * n + j + 1);
        }
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = bad ? 0 : i + 1; j < n; j++)
            a[i * n + j] = bad ? (T)NAN : 0;
}

static void NAME(cholesky)(const lucid__lanes *w)
{
    const int64_t n = w->n, ld = n | 1; /* rows a power of two apart would be in each other's way */
    if (w->alone) {
        for (int l = 0; l < w->count; l++) {
            T *to = NAME(output)(w, 0, l, n * n);
            NAME(copy)(to, n, n, w->a[l], w->a_row, w->a_col, NULL);
            NAME(cholesky_alone)(n, to);
        }
        return;
    }
    T *a = w->scratch, one[LANES], zero[LANES];
    LANE one[l] = 1;
    NAME(load)(a, ld, n, n, w, w->a, w->a_row, w->a_col, 0);
    for (int64_t j = 0; j < n; j++) {
        T *row = ELEMENT(a, ld, j, 0), *d = ELEMENT(a, ld, j, j);
        NAME(reduce)(j, row, LANES, row, LANES, ld * LANES, d, ld * LANES, n - j);
        LANE one[l] = d[l] > 0 ? one[l] : (T)NAN;
        LANE d[l] = SQRT(d[l]);
        for (int64_t i = j + 1; i < n; i++) {
            T *f = ELEMENT(a, ld, i, j);
            LANE f[l] /= d[l];
        }
    }
    /* In a lane that failed, one is NaN, and so is everything times it. */
    LANE zero[l] = 0 * one[l];
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            T *x = ELEMENT(a, ld, i, j);
            if (j > i)
                LANE x[l] = zero[l];
            else
                LANE x[l] *= one[l];
        }
    NAME(store)(a, ld, n, n, w, w->out[0], n * n, n, 0);
}

/* ---- lu ------------------------------------------------------------------------------------ */

/* Elimination of a tall matrix (m, n), pivots of largest magnitude: row pivots[j] is exchanged with
 * row j. A column of zeros is left as it is, so that the factors of a singular matrix are finite. */
static void NAME(panel)(int64_t m, int64_t n, void *data, int64_t row, int64_t *pivots)
{
    T *a = data;
    for (int64_t j = 0; j < n; j++) {
        int64_t p = j;
        T best = ABS(a[j * row + j]);
        for (int64_t i = j + 1; i < m; i++) {
            T x = ABS(a[i * row + j]);
            p = x > best ? i : p;
            best = x > best ? x : best;
        }
        pivots[j] = p;
        for (int64_t c = 0; c < n && p != j; c++) {
            T t = a[j * row + c];
            a[j * row + c] = a[p * row + c];
            a[p * row + c] = t;
        }
        const T *from = a + j * row, d = from[j];
        for (int64_t i = j + 1; i < m; i++) {
            T *to = a + i * row, f = d == 0 ? to[j] : to[j] / d;
            to[j] = f;
            NAME(subtract)(n - j - 1, f, from + j + 1, to + j + 1);
        }
    }
}

/* Returns the sign of the permutation. */
static int NAME(factor_alone)(int64_t n, T *a, int64_t *perm)
{
    int64_t pivots[MAX_N];
    int sign = 1;
    NAME(panel)(n, n, a, n, pivots);
    for (int64_t i = 0; i < n; i++)
        perm[i] = i;
    for (int64_t j = 0; j < n; j++) {
        int64_t p = pivots[j], t = perm[j];
        sign = p == j ? sign : -sign;
        perm[j] = perm[p];
        perm[p] = t;
    }
    return sign;
}

/* Up to here, looking at every row costs less than leaving the vectors. */
enum { NAME(SMALL) = 8 };

/* Where `here`, the rows x and y of `cols` elements change places. */
static inline void NAME(exchange_rows)(const INDEX *restrict here, T *restrict x, T *restrict y,
                                       int64_t cols)
{
    for (int64_t c = 0; c < cols; c++, x += LANES, y += LANES) {
        T t[LANES];
        LANE t[l] = x[l];
        LANE x[l] = here[l] ? y[l] : x[l];
        LANE y[l] = here[l] ? t[l] : y[l];
    }
}

/* Exchanges row j with row p[l] in each lane; so too of x (n, k), whose rows go along. */
static void NAME(exchange)(T *restrict a, INDEX *restrict perm, int64_t n, int64_t j,
                           const INDEX *restrict p, T *restrict x, int64_t k)
{
    if (n > NAME(SMALL)) {
        for (int l = 0; l < LANES; l++) {
            if (p[l] == (INDEX)j)
                continue;
            for (int64_t c = 0; c < n; c++) {
                T *u = ELEMENT(a, n, j, c) + l, *v = ELEMENT(a, n, (int64_t)p[l], c) + l, t = *u;
                *u = *v;
                *v = t;
            }
            INDEX *u = perm + j * LANES + l, *v = perm + (int64_t)p[l] * LANES + l, t = *u;
            *u = *v;
            *v = t;
        }
        return;
    }
    for (int64_t i = j + 1; i < n; i++) {
        INDEX here[LANES], t[LANES], *pi = perm + i * LANES, *pj = perm + j * LANES;
        LANE here[l] = p[l] == (INDEX)i;
        NAME(exchange_rows)(here, ELEMENT(a, n, j, 0), ELEMENT(a, n, i, 0), n);
        NAME(exchange_rows)(here, ELEMENT(x, k, j, 0), ELEMENT(x, k, i, 0), k);
        LANE t[l] = pj[l];
        LANE pj[l] = here[l] ? pi[l] : pj[l];
        LANE pi[l] = here[l] ? t[l] : pi[l];
    }
}

/* Crout's order: column j from row j on, the exchange, then row j of U. Up to SMALL the rows of x are
 * exchanged too. */
static void NAME(factor)(T *restrict a, INDEX *restrict perm, T *restrict sign, int64_t n,
                         T *restrict x, int64_t k)
{
    LANE sign[l] = 1;
    for (int64_t i = 0; i < n; i++)
        LANE perm[i * LANES + l] = (INDEX)i;
    for (int64_t j = 0; j < n; j++) {
        T best[LANES], *d = ELEMENT(a, n, j, j);
        INDEX p[LANES];
        NAME(reduce)
        (j, ELEMENT(a, n, 0, j), n * LANES, ELEMENT(a, n, j, 0), LANES, n * LANES, d, n * LANES,
         n - j);
        LANE best[l] = ABS(d[l]);
        LANE p[l] = (INDEX)j;
        for (int64_t i = j + 1; i < n; i++) {
            const T *y = ELEMENT(a, n, i, j);
            LANE p[l] = ABS(y[l]) > best[l] ? (INDEX)i : p[l];
            LANE best[l] = ABS(y[l]) > best[l] ? ABS(y[l]) : best[l];
        }
        LANE sign[l] = p[l] == (INDEX)j ? sign[l] : -sign[l];
        NAME(exchange)(a, perm, n, j, p, x, k);
        for (int64_t i = j + 1; i < n; i++) {
            T *f = ELEMENT(a, n, i, j);
            LANE f[l] = d[l] == 0 ? f[l] : f[l] / d[l];
        }
        NAME(reduce)
        (j, ELEMENT(a, n, j, 0), LANES, ELEMENT(a, n, 0, j + 1), n * LANES, LANES, d + LANES, LANES,
         n - j - 1);
    }
}

static void NAME(store_perm)(const lucid__lanes *w, const INDEX *perm, void *to)
{
    const int64_t n = w->n;
    for (int64_t i = 0; w->in_registers && i < n; i++) {
        int64_t *x = ((void *const *)to)[i];
        for (int l = 0; x && l < LANES; l++)
            x[w->first_lane + l] = (int64_t)perm[i * LANES + l];
    }
    for (int l = 0; !w->in_registers && l < w->count; l++)
        for (int64_t i = 0; i < n; i++)
            ((int64_t *)to)[l * n + i] = (int64_t)perm[i * LANES + l];
}

/* The outputs of lu; what is NULL among the last two is not wanted. */
static void NAME(lu)(const lucid__lanes *w)
{
    const int64_t n = w->n;
    T *signs = w->out[2];
    if (w->alone) {
        for (int l = 0; l < w->count; l++) {
            int64_t unwanted[MAX_N];
            T *lu = NAME(output)(w, 0, l, n * n);
            NAME(copy)(lu, n, n, w->a[l], w->a_row, w->a_col, NULL);
            int sign =
                NAME(factor_alone)(n, lu, w->out[1] ? (int64_t *)w->out[1] + l * n : unwanted);
            if (signs)
                signs[l] = (T)sign;
        }
        return;
    }
    T *a = w->scratch, sign[LANES], no_columns[1];
    INDEX *perm = (INDEX *)(a + n * n * LANES);
    NAME(load)(a, n, n, n, w, w->a, w->a_row, w->a_col, 0);
    NAME(factor)(a, perm, sign, n, no_columns, 0);
    NAME(store)(a, n, n, n, w, w->out[0], n * n, n, 0);
    if (w->out[1])
        NAME(store_perm)(w, perm, w->out[1]);
    if (w->out[2])
        NAME(store)(sign, 1, 1, 1, w, w->out[2], 1, 1, 0);
}

/* ---- substitution --------------------------------------------------------------------------- */

/* One matrix, any number of columns. */
static void NAME(substitute)(int64_t n, int64_t k, const void *a_data, int64_t a_row, int64_t a_col,
                             bool upper, bool unit, void *x_data, int64_t x_row)
{
    enum { BLOCK = 128 }; /* columns that stay in the cache */
    const T *a = a_data;
    for (int64_t first = 0; first < k; first += BLOCK) {
        int64_t cols = k - first < BLOCK ? k - first : BLOCK;
        T *x = (T *)x_data + first;
        for (int64_t step = 0; step < n; step++) {
            int64_t i = upper ? n - 1 - step : step;
            T *to = x + i * x_row;
            for (int64_t done = 0; done < step; done++) {
                int64_t p = upper ? n - 1 - done : done;
                NAME(subtract)(cols, a[i * a_row + p * a_col], x + p * x_row, to);
            }
            const T d = unit ? 1 : a[i * a_row + i * a_col];
            for (int64_t c = 0; c < cols && !unit; c++)
                to[c] /= d;
        }
    }
}

/* The same in lanes: for lower a from the first row on, for upper from the last. */
static void NAME(substitute_lanes)(const T *a, int64_t n, int64_t k, bool upper, bool unit, T *x)
{
    const int64_t sign = upper ? -1 : 1, start = upper ? n - 1 : 0;
    for (int64_t step = 0; step < n; step++) {
        int64_t i = start + sign * step;
        T *to = ELEMENT(x, k, i, 0);
        const T *d = ELEMENT(a, n, i, i);
        NAME(reduce)
        (step, ELEMENT(a, n, i, start), sign * LANES, ELEMENT(x, k, start, 0), sign * k * LANES,
         LANES, to, LANES, k);
        for (int64_t c = 0; c < k && !unit; c++)
            LANE to[c * LANES + l] /= d[l];
    }
}

static void NAME(triangular_solve)(const lucid__lanes *w)
{
    const int64_t n = w->n;
    if (w->alone) {
        for (int l = 0; l < w->count; l++) {
            T *x = NAME(output)(w, 0, l, n * w->k);
            NAME(copy)(x, n, w->k, w->b[l], w->b_row, w->b_col, NULL);
            NAME(substitute)(n, w->k, w->a[l], w->a_row, w->a_col, w->upper, w->unit, x, w->k);
        }
        return;
    }
    T *a = w->scratch, *x = a + n * n * LANES;
    NAME(load)(a, n, n, n, w, w->a, w->a_row, w->a_col, 0);
    for (int64_t first = 0; first < w->k; first += NAME(COLUMNS)) {
        int64_t k = w->k - first < NAME(COLUMNS) ? w->k - first : NAME(COLUMNS);
        NAME(load)(x, k, n, k, w, w->b, w->b_row, w->b_col, first);
        NAME(substitute_lanes)(a, n, k, w->upper, w->unit, x);
        NAME(store)(x, k, n, k, w, w->out[0], n * w->k, w->k, first);
    }
}

/* Columns first .. first + k - 1 of the right-hand sides, rows in the order of perm. */
static void NAME(load_permuted)(const lucid__lanes *w, const INDEX *perm, int64_t first, int64_t k,
                                T *x)
{
    const int64_t n = w->n;
    for (int l = 0; !w->b_is_one && l < LANES; l++)
        for (int64_t i = 0; i < n; i++) {
            const int64_t row = (int64_t)perm[i * LANES + l] * w->b_row;
            T *to = ELEMENT(x, k, i, 0) + l;
            for (int64_t c = 0; c < k; c++) {
                const int64_t at = row + (first + c) * w->b_col;
                to[c * LANES] = w->in_registers ? ((const T *)w->b[at])[w->first_lane + l]
                                                : ((const T *)w->b[l < w->count ? l : 0])[at];
            }
        }
    for (int64_t i = 0; w->b_is_one && i < n; i++)
        for (int64_t c = 0; c < k; c++)
            LANE ELEMENT(x, k, i, c)[l] = perm[i * LANES + l] == (INDEX)(first + c) ? 1 : 0;
}

static void NAME(solve_alone)(const lucid__lanes *w, int l)
{
    const int64_t n = w->n, k = w->k;
    int64_t own_perm[MAX_N], *perm = w->out[2] ? (int64_t *)w->out[2] + l * n : own_perm;
    T *x = NAME(output)(w, 0, l, n * k);
    T *lu = w->out[1] ? NAME(output)(w, 1, l, n * n) : w->scratch;
    NAME(copy)(lu, n, n, w->a[l], w->a_row, w->a_col, NULL);
    (void)NAME(factor_alone)(n, lu, perm);
    if (w->b_is_one)
        for (int64_t i = 0; i < n; i++)
            for (int64_t c = 0; c < k; c++)
                x[i * k + c] = perm[i] == c ? 1 : 0;
    else
        NAME(copy)(x, n, k, w->b[l], w->b_row, w->b_col, perm);
    NAME(substitute)(n, k, lu, n, 1, false, true, x, k);
    NAME(substitute)(n, k, lu, n, 1, true, false, x, k);
}

/* The outputs of solve; what is NULL among the last two is not wanted. */
static void NAME(solve)(const lucid__lanes *w)
{
    const int64_t n = w->n;
    if (w->alone) {
        for (int l = 0; l < w->count; l++)
            NAME(solve_alone)(w, l);
        return;
    }
    T *a = w->scratch, sign[LANES], *x = a + n * n * LANES;
    INDEX *perm = (INDEX *)(x + n * NAME(COLUMNS) * LANES);
    const bool along = n <= NAME(SMALL) && w->k <= NAME(COLUMNS) && !w->b_is_one;
    NAME(load)(a, n, n, n, w, w->a, w->a_row, w->a_col, 0);
    if (along)
        NAME(load)(x, w->k, n, w->k, w, w->b, w->b_row, w->b_col, 0);
    NAME(factor)(a, perm, sign, n, x, along ? w->k : 0);
    if (w->out[1])
        NAME(store)(a, n, n, n, w, w->out[1], n * n, n, 0);
    if (w->out[2])
        NAME(store_perm)(w, perm, w->out[2]);
    for (int64_t first = 0; first < w->k; first += NAME(COLUMNS)) {
        int64_t k = w->k - first < NAME(COLUMNS) ? w->k - first : NAME(COLUMNS);
        if (!along)
            NAME(load_permuted)(w, perm, first, k, x);
        NAME(substitute_lanes)(a, n, k, false, true, x);
        NAME(substitute_lanes)(a, n, k, true, false, x);
        NAME(store)(x, k, n, k, w, w->out[0], n * w->k, w->k, first);
    }
}

#undef LANE
#undef NO_WHOLE_BLOCKS
#undef ELEMENT
