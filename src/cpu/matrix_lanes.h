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

enum { NAME(COLUMNS) = 8 };     /* right-hand sides taken at a time */
enum { NAME(FEW) = LANES / 4 }; /* matrices that are not worth the lanes */

/* ---- moving in and out ------------------------------------------------------------------------ */

/* BLOCK elements of BLOCK lanes change places between rows of the one and columns of the other:
 * from[l][e] becomes to[e][l], rows so far apart. */
#if HAS_SHUFFLE
enum { NAME(BLOCK) = 16 / sizeof(T) };

static inline void NAME(turn)(const T *const *from, T *const *to)
{
    typedef NAME(v16) vec;
    const vec a = *(const vec *)from[0], b = *(const vec *)from[1];
#if LANES == 16
    const vec c = *(const vec *)from[2], d = *(const vec *)from[3];
    const vec ab = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    const vec ab2 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    const vec cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    const vec cd2 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    *(vec *)to[0] = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
    *(vec *)to[1] = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
    *(vec *)to[2] = __builtin_shufflevector(ab2, cd2, 0, 1, 4, 5);
    *(vec *)to[3] = __builtin_shufflevector(ab2, cd2, 2, 3, 6, 7);
#else
    *(vec *)to[0] = __builtin_shufflevector(a, b, 0, 2);
    *(vec *)to[1] = __builtin_shufflevector(a, b, 1, 3);
#endif
}
#else
enum { NAME(BLOCK) = 1 };

static inline void NAME(turn)(const T *const *from, T *const *to)
{
    *to[0] = *from[0];
}
#endif

/* n neighbours of every lane, from or to the places `at`. */
static void NAME(spread)(T *lanes, int64_t n, const T *const *at)
{
    int64_t e = 0;
    for (; e + NAME(BLOCK) <= n; e += NAME(BLOCK))
        for (int l = 0; l < LANES; l += NAME(BLOCK)) {
            const T *from[NAME(BLOCK)];
            T *to[NAME(BLOCK)];
            for (int b = 0; b < NAME(BLOCK); b++) {
                from[b] = at[l + b] + e;
                to[b] = lanes + (e + b) * LANES + l;
            }
            NAME(turn)(from, to);
        }
    for (; e < n; e++)
        LANE lanes[e * LANES + l] = at[l][e];
}

static void NAME(collect)(const T *lanes, int64_t n, int count, T *const *at)
{
    int64_t e = 0;
    for (; count == LANES && e + NAME(BLOCK) <= n; e += NAME(BLOCK))
        for (int l = 0; l < LANES; l += NAME(BLOCK)) {
            const T *from[NAME(BLOCK)];
            T *to[NAME(BLOCK)];
            for (int b = 0; b < NAME(BLOCK); b++) {
                from[b] = lanes + (e + b) * LANES + l;
                to[b] = at[l + b] + e;
            }
            NAME(turn)(from, to);
        }
    for (; e < n; e++)
        for (int l = 0; l < count; l++)
            at[l][e] = lanes[e * LANES + l];
}

/* Lanes without a matrix of their own repeat the first one. */
static void NAME(load)(T *restrict to, int64_t rows, int64_t cols, int count,
                       const void *const *from, int64_t row, int64_t col, int64_t first_col)
{
    const T *at[LANES];
    LANE at[l] = (const T *)from[l < count ? l : 0] + first_col * col;
    if (col == 1 && row == cols) {
        cols *= rows;
        rows = 1;
    }
    for (int64_t i = 0; i < rows; i++) {
        if (col == 1)
            NAME(spread)(ELEMENT(to, cols, i, 0), cols, at);
        for (int64_t j = 0; col != 1 && j < cols; j++)
            LANE ELEMENT(to, cols, i, j)[l] = at[l][j * col];
        LANE at[l] += row;
    }
}

/* Into row-major matrices with rows `row` apart, from column first_col on. */
static void NAME(store)(const T *restrict from, int64_t rows, int64_t cols, int count,
                        void *const *to, int64_t row, int64_t first_col)
{
    T *at[LANES];
    LANE at[l] = (T *)to[l < count ? l : 0] + first_col;
    if (row == cols) {
        cols *= rows;
        rows = 1;
    }
    for (int64_t i = 0; i < rows; i++) {
        NAME(collect)(ELEMENT(from, cols, i, 0), cols, count, at);
        LANE at[l] += row;
    }
}

/* One matrix into row-major order, its rows in the order of perm unless that is NULL. */
static void NAME(copy)(T *restrict to, int64_t rows, int64_t cols, const T *from, int64_t row,
                       int64_t col, const int64_t *perm)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            to[i * cols + j] = from[(perm ? perm[i] : i) * row + j * col];
}

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
    const int64_t n = w->n;
    if (w->count <= NAME(FEW)) {
        for (int l = 0; l < w->count; l++) {
            NAME(copy)(w->out[0][l], n, n, w->a[l], w->a_row, w->a_col, NULL);
            NAME(cholesky_alone)(n, w->out[0][l]);
        }
        return;
    }
    T *a = w->scratch, one[LANES], zero[LANES];
    LANE one[l] = 1;
    NAME(load)(a, n, n, w->count, w->a, w->a_row, w->a_col, 0);
    for (int64_t j = 0; j < n; j++) {
        T *row = ELEMENT(a, n, j, 0), *d = ELEMENT(a, n, j, j);
        NAME(reduce)(j, row, LANES, row, LANES, n * LANES, d, n * LANES, n - j);
        LANE one[l] = d[l] > 0 ? one[l] : (T)NAN;
        LANE d[l] = SQRT(d[l]);
        for (int64_t i = j + 1; i < n; i++) {
            T *f = ELEMENT(a, n, i, j);
            LANE f[l] /= d[l];
        }
    }
    /* In a lane that failed, one is NaN, and so is everything times it. */
    LANE zero[l] = 0 * one[l];
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            T *x = ELEMENT(a, n, i, j);
            if (j > i)
                LANE x[l] = zero[l];
            else
                LANE x[l] *= one[l];
        }
    NAME(store)(a, n, n, w->count, w->out[0], n, 0);
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

/* Exchanges row j with row p[l] in each lane. */
static void NAME(exchange)(T *restrict a, INDEX *restrict perm, int64_t n, int64_t j,
                           const INDEX *restrict p)
{
    enum { SMALL = 8 }; /* up to here, looking at every row costs less than leaving the vectors */
    if (n > SMALL) {
        for (int l = 0; l < LANES; l++) {
            if (p[l] == (INDEX)j)
                continue;
            for (int64_t c = 0; c < n; c++) {
                T *x = ELEMENT(a, n, j, c) + l, *y = ELEMENT(a, n, (int64_t)p[l], c) + l, t = *x;
                *x = *y;
                *y = t;
            }
            INDEX *x = perm + j * LANES + l, *y = perm + (int64_t)p[l] * LANES + l, t = *x;
            *x = *y;
            *y = t;
        }
        return;
    }
    for (int64_t i = j + 1; i < n; i++) {
        INDEX here[LANES], *pi = perm + i * LANES, *pj = perm + j * LANES;
        LANE here[l] = p[l] == (INDEX)i;
        for (int64_t c = 0; c < n; c++) {
            T *x = ELEMENT(a, n, j, c), *y = ELEMENT(a, n, i, c), t[LANES];
            LANE t[l] = x[l];
            LANE x[l] = here[l] ? y[l] : x[l];
            LANE y[l] = here[l] ? t[l] : y[l];
        }
        INDEX t[LANES];
        LANE t[l] = pj[l];
        LANE pj[l] = here[l] ? pi[l] : pj[l];
        LANE pi[l] = here[l] ? t[l] : pi[l];
    }
}

/* Crout's order: column j from row j on, the exchange, then row j of U. */
static void NAME(factor)(T *restrict a, INDEX *restrict perm, T *restrict sign, int64_t n)
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
            const T *x = ELEMENT(a, n, i, j);
            LANE p[l] = ABS(x[l]) > best[l] ? (INDEX)i : p[l];
            LANE best[l] = ABS(x[l]) > best[l] ? ABS(x[l]) : best[l];
        }
        LANE sign[l] = p[l] == (INDEX)j ? sign[l] : -sign[l];
        NAME(exchange)(a, perm, n, j, p);
        for (int64_t i = j + 1; i < n; i++) {
            T *f = ELEMENT(a, n, i, j);
            LANE f[l] = d[l] == 0 ? f[l] : f[l] / d[l];
        }
        NAME(reduce)
        (j, ELEMENT(a, n, j, 0), LANES, ELEMENT(a, n, 0, j + 1), n * LANES, LANES, d + LANES, LANES,
         n - j - 1);
    }
}

static void NAME(store_perm)(const INDEX *perm, int64_t n, int count, void *const *to)
{
    for (int l = 0; l < count; l++)
        for (int64_t i = 0; i < n; i++)
            ((int64_t *)to[l])[i] = (int64_t)perm[i * LANES + l];
}

static void NAME(lu)(const lucid__lanes *w)
{
    const int64_t n = w->n;
    if (w->count <= NAME(FEW)) {
        for (int l = 0; l < w->count; l++) {
            NAME(copy)(w->out[0][l], n, n, w->a[l], w->a_row, w->a_col, NULL);
            *(T *)w->out[2][l] = (T)NAME(factor_alone)(n, w->out[0][l], w->out[1][l]);
        }
        return;
    }
    T *a = w->scratch, sign[LANES];
    INDEX *perm = (INDEX *)(a + n * n * LANES);
    NAME(load)(a, n, n, w->count, w->a, w->a_row, w->a_col, 0);
    NAME(factor)(a, perm, sign, n);
    NAME(store)(a, n, n, w->count, w->out[0], n, 0);
    NAME(store_perm)(perm, n, w->count, w->out[1]);
    for (int l = 0; l < w->count; l++)
        *(T *)w->out[2][l] = sign[l];
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
    if (w->count <= NAME(FEW)) {
        for (int l = 0; l < w->count; l++) {
            NAME(copy)(w->out[0][l], n, w->k, w->b[l], w->b_row, w->b_col, NULL);
            NAME(substitute)
            (n, w->k, w->a[l], w->a_row, w->a_col, w->upper, w->unit, w->out[0][l], w->k);
        }
        return;
    }
    T *a = w->scratch, *x = a + n * n * LANES;
    NAME(load)(a, n, n, w->count, w->a, w->a_row, w->a_col, 0);
    for (int64_t first = 0; first < w->k; first += NAME(COLUMNS)) {
        int64_t k = w->k - first < NAME(COLUMNS) ? w->k - first : NAME(COLUMNS);
        NAME(load)(x, n, k, w->count, w->b, w->b_row, w->b_col, first);
        NAME(substitute_lanes)(a, n, k, w->upper, w->unit, x);
        NAME(store)(x, n, k, w->count, w->out[0], w->k, first);
    }
}

static void NAME(solve)(const lucid__lanes *w)
{
    const int64_t n = w->n;
    if (w->count <= NAME(FEW)) {
        for (int l = 0; l < w->count; l++) {
            T *x = w->out[0][l], *lu = w->out[1][l];
            NAME(copy)(lu, n, n, w->a[l], w->a_row, w->a_col, NULL);
            (void)NAME(factor_alone)(n, lu, w->out[2][l]);
            NAME(copy)(x, n, w->k, w->b[l], w->b_row, w->b_col, w->out[2][l]);
            NAME(substitute)(n, w->k, lu, n, 1, false, true, x, w->k);
            NAME(substitute)(n, w->k, lu, n, 1, true, false, x, w->k);
        }
        return;
    }
    T *a = w->scratch, sign[LANES], *x = a + n * n * LANES;
    INDEX *perm = (INDEX *)(x + n * NAME(COLUMNS) * LANES);
    NAME(load)(a, n, n, w->count, w->a, w->a_row, w->a_col, 0);
    NAME(factor)(a, perm, sign, n);
    NAME(store)(a, n, n, w->count, w->out[1], n, 0);
    NAME(store_perm)(perm, n, w->count, w->out[2]);
    for (int64_t first = 0; first < w->k; first += NAME(COLUMNS)) {
        int64_t k = w->k - first < NAME(COLUMNS) ? w->k - first : NAME(COLUMNS);
        for (int l = 0; l < LANES; l++) {
            const T *b = (const T *)w->b[l < w->count ? l : 0] + first * w->b_col;
            for (int64_t i = 0; i < n; i++)
                for (int64_t c = 0; c < k; c++)
                    ELEMENT(x, k, i, c)
            [l] = b[(int64_t)perm[i * LANES + l] * w->b_row + c * w->b_col];
        }
        NAME(substitute_lanes)(a, n, k, false, true, x);
        NAME(substitute_lanes)(a, n, k, true, false, x);
        NAME(store)(x, n, k, w->count, w->out[0], w->k, first);
    }
}

#undef LANE
#undef ELEMENT
