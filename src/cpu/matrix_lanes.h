/* Factorisations and solutions of small systems of T, one matrix per lane; included by isa_matrix.c
 * once per float T. A matrix (r, c) in scratch has element (i, j) of all lanes at (i * c + j) * LANES,
 * so every loop over lanes is one or a few vector instructions, and branches become selections.
 * LANES is a constant: lanes without a matrix of their own repeat the first one. */

/* The rows of one element, all lanes of it. */
#define LANE for (int l = 0; l < LANES; l++)
#define ELEMENT(m, cols, i, j) ((m) + ((i) * (cols) + (j)) * LANES)

enum { NAME(COLUMNS) = 8 }; /* right-hand sides taken at a time */

static void NAME(load)(T *restrict to, int64_t rows, int64_t cols, int count,
                       const void *const *from, int64_t row, int64_t col, int64_t first_col)
{
    for (int l = 0; l < LANES; l++) {
        const T *x = (const T *)from[l < count ? l : 0] + first_col * col;
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < cols; j++)
                ELEMENT(to, cols, i, j)[l] = x[i * row + j * col];
    }
}

/* Into row-major matrices with rows `row` apart, from column first_col on. */
static void NAME(store)(const T *restrict from, int64_t rows, int64_t cols, int count,
                        void *const *to, int64_t row, int64_t first_col)
{
    for (int l = 0; l < count; l++) {
        T *x = (T *)to[l] + first_col;
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < cols; j++)
                x[i * row + j] = ELEMENT(from, cols, i, j)[l];
    }
}

/* y -= f x, lane by lane, over a row of n elements. */
static inline void NAME(subtract)(int64_t n, const T *restrict f, const T *restrict x,
                                  T *restrict y)
{
    for (int64_t j = 0; j < n; j++, x += LANES, y += LANES)
        LANE y[l] -= f[l] * x[l];
}

/* ---- cholesky ------------------------------------------------------------------------------ */

static void NAME(cholesky)(const lucid__lanes *w)
{
    const int64_t n = w->n;
    T *a = w->scratch, bad[LANES] = {0};
    NAME(load)(a, n, n, w->count, w->a, w->a_row, w->a_col, 0);
    for (int64_t j = 0; j < n; j++) {
        T *d = ELEMENT(a, n, j, j);
        LANE bad[l] = d[l] > 0 ? bad[l] : 1;
        LANE d[l] = SQRT(d[l]);
        for (int64_t i = j + 1; i < n; i++) {
            T *f = ELEMENT(a, n, i, j);
            LANE f[l] /= d[l];
        }
        for (int64_t i = j + 1; i < n; i++)
            for (int64_t c = j + 1; c <= i; c++) {
                const T *f = ELEMENT(a, n, i, j), *g = ELEMENT(a, n, c, j);
                T *x = ELEMENT(a, n, i, c);
                LANE x[l] -= f[l] * g[l];
            }
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            T *x = ELEMENT(a, n, i, j);
            LANE x[l] = bad[l] != 0 ? (T)NAN : j > i ? 0 : x[l];
        }
    NAME(store)(a, n, n, w->count, w->out[0], n, 0);
}

/* ---- lu ------------------------------------------------------------------------------------ */

/* Exchanges row j with row p[l] in each lane, from column 0 to n. */
static void NAME(exchange)(T *restrict a, INDEX *restrict perm, int64_t n, int64_t j,
                           const INDEX *restrict p)
{
    enum { FEW = 8 }; /* up to here, looking at every row costs less than leaving the vectors */
    if (n > FEW) {
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

/* Right-looking elimination, pivots of largest magnitude. A column of zeros is left as it is, so that
 * the factors of a singular matrix are finite. */
static void NAME(factor)(T *restrict a, INDEX *restrict perm, T *restrict sign, int64_t n)
{
    LANE sign[l] = 1;
    for (int64_t i = 0; i < n; i++)
        LANE perm[i * LANES + l] = (INDEX)i;
    for (int64_t j = 0; j < n; j++) {
        T best[LANES], *d = ELEMENT(a, n, j, j);
        INDEX p[LANES];
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
            NAME(subtract)(n - j - 1, f, d + LANES, f + LANES);
        }
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

static void NAME(forward)(const T *restrict a, int64_t n, int64_t k, bool unit, T *restrict x)
{
    for (int64_t i = 0; i < n; i++) {
        T *to = ELEMENT(x, k, i, 0);
        const T *d = ELEMENT(a, n, i, i);
        for (int64_t p = 0; p < i; p++)
            NAME(subtract)(k, ELEMENT(a, n, i, p), ELEMENT(x, k, p, 0), to);
        for (int64_t c = 0; c < k && !unit; c++)
            LANE to[c * LANES + l] /= d[l];
    }
}

static void NAME(backward)(const T *restrict a, int64_t n, int64_t k, bool unit, T *restrict x)
{
    for (int64_t i = n; i-- > 0;) {
        T *to = ELEMENT(x, k, i, 0);
        const T *d = ELEMENT(a, n, i, i);
        for (int64_t p = n; p-- > i + 1;)
            NAME(subtract)(k, ELEMENT(a, n, i, p), ELEMENT(x, k, p, 0), to);
        for (int64_t c = 0; c < k && !unit; c++)
            LANE to[c * LANES + l] /= d[l];
    }
}

static void NAME(triangular_solve)(const lucid__lanes *w)
{
    const int64_t n = w->n;
    T *a = w->scratch, *x = a + n * n * LANES;
    NAME(load)(a, n, n, w->count, w->a, w->a_row, w->a_col, 0);
    for (int64_t first = 0; first < w->k; first += NAME(COLUMNS)) {
        int64_t k = w->k - first < NAME(COLUMNS) ? w->k - first : NAME(COLUMNS);
        NAME(load)(x, n, k, w->count, w->b, w->b_row, w->b_col, first);
        (w->upper ? NAME(backward) : NAME(forward))(a, n, k, w->unit, x);
        NAME(store)(x, n, k, w->count, w->out[0], w->k, first);
    }
}

static void NAME(solve)(const lucid__lanes *w)
{
    const int64_t n = w->n;
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
        NAME(forward)(a, n, k, true, x);
        NAME(backward)(a, n, k, false, x);
        NAME(store)(x, n, k, w->count, w->out[0], w->k, first);
    }
}

/* ---- one matrix, many columns ---------------------------------------------------------------- */

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
            T *restrict to = x + i * x_row;
            for (int64_t done = 0; done < step; done++) {
                int64_t p = upper ? n - 1 - done : done;
                const T f = a[i * a_row + p * a_col], *restrict from = x + p * x_row;
                for (int64_t c = 0; c < cols; c++)
                    to[c] -= f * from[c];
            }
            const T d = unit ? 1 : a[i * a_row + i * a_col];
            for (int64_t c = 0; c < cols && !unit; c++)
                to[c] /= d;
        }
    }
}

/* The same elimination as `factor`, of one tall matrix. */
static void NAME(panel)(int64_t m, int64_t n, void *data, int64_t row, int64_t *pivots)
{
    T *a = data;
    for (int64_t j = 0; j < n; j++) {
        int64_t p = j;
        for (int64_t i = j + 1; i < m; i++)
            p = ABS(a[i * row + j]) > ABS(a[p * row + j]) ? i : p;
        pivots[j] = p;
        for (int64_t c = 0; c < n && p != j; c++) {
            T t = a[j * row + c];
            a[j * row + c] = a[p * row + c];
            a[p * row + c] = t;
        }
        const T *restrict from = a + j * row, d = from[j];
        for (int64_t i = j + 1; i < m; i++) {
            T *restrict to = a + i * row, f = d == 0 ? to[j] : to[j] / d;
            to[j] = f;
            for (int64_t c = j + 1; c < n; c++)
                to[c] -= f * from[c];
        }
    }
}

#undef LANE
#undef ELEMENT
