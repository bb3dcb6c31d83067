/* qr, eigh and svd of small matrices of T: in and out of the lanes, or one by one, around what
 * matrix_spectral.h does. Included by isa_matrix.c once per float T; ONE(x) is NAME(x) for a single
 * matrix. */

#define LANE _Pragma("omp simd") for (int l = 0; l < LANES; l++)

/* For derivatives: turns vectors of equal values, rows of (n, length[k]), and moves the values apart. Elements
 * are `step` apart; shift may be NULL. */
static void NAME(for_derivatives)(const lucid__lanes *w, lucid__spectrum kind, int64_t n,
                                  int64_t step, T *values, T *shift, T *const *rows,
                                  const int64_t *length, int count)
{
    const size_t end = lucid__decompose_scratch(kind == LUCID__EIGENVALUES ? n : w->m, w->n);
    double *memory = (double *)(void *)((char *)w->scratch + end) - 4 * n; /* unused till the end */
    for (int k = 0; k < count && w->order > 0; k++) {
        const lucid__vector_list v = {rows[k], length[k], length[k] * step, step};
        lucid__turn_equal(DTYPE, n, step, values, &v, 1);
    }
    lucid__move_apart(DTYPE, kind, w->order, n, step, values, shift, memory);
}

/* ---- one matrix ---------------------------------------------------------------------------------- */

static void NAME(qr_alone)(const lucid__lanes *w, int l)
{
    const int64_t m = w->m, n = w->n, k = m < n ? m : n;
    T *c = w->scratch, *tau = c + m * n, *r = (T *)w->out[1] + l * k * n;
    NAME(copy)(c, n, m, w->a[l], w->a_col, w->a_row, NULL);
    ONE(reflect)(k, n, m, c, tau);
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < n; j++)
            r[i * n + j] = i <= j ? c[j * m + i] : 0;
    if (!w->out[0])
        return;
    ONE(unfold)(k, m, c, tau);
    ONE(transposed)(k, m, c, (T *)w->out[0] + l * m * k);
}

static void NAME(eigh_alone)(const lucid__lanes *w, int l)
{
    const int64_t n = w->n;
    T *a = w->scratch, *v = w->out[1] ? a + n * n : NULL;
    NAME(copy)(a, n, n, w->a[l], w->a_col, w->a_row, NULL);
    ONE(eigen)(n, a, (T *)w->out[0] + l * n, v);
    if (w->order > 0 || w->out[2]) {
        T *shift = w->out[2] ? (T *)w->out[2] + l * n : NULL;
        NAME(for_derivatives)
        (w, LUCID__EIGENVALUES, n, 1, (T *)w->out[0] + l * n, shift, &v, &n, v != NULL);
    }
    if (v)
        ONE(transposed)(n, n, v, (T *)w->out[1] + l * n * n);
}

/* Up to three outputs of svd, of which the first and the last are both wanted or neither. */
static void NAME(svd_alone)(const lucid__lanes *w, int l)
{
    const int64_t m = w->m, n = w->n, k = m < n ? m : n, longer = m + n - k;
    const bool tall = m >= n;
    T *g = w->scratch, *own = w->out[0] ? g + m * n : NULL, *tau = g + m * n + k * k;
    NAME(copy)
    (g, k, longer, w->a[l], tall ? w->a_col : w->a_row, tall ? w->a_row : w->a_col, NULL);
    ONE(singular)(k, longer, g, (T *)w->out[1] + l * k, own, !tall, tau);
    if (w->order > 0 || w->out[3]) {
        T *shift = w->out[3] ? (T *)w->out[3] + l * k : NULL, *const rows[2] = {g, own};
        const int64_t length[2] = {longer, k};
        NAME(for_derivatives)
        (w, m == n ? LUCID__SQUARE : LUCID__RECTANGULAR, k, 1, (T *)w->out[1] + l * k, shift, rows,
         length, own ? 2 : 0);
    }
    if (!own)
        return;
    const T *right = tall ? own : g;
    T *to = (T *)w->out[2] + l * k * n;
    for (int64_t i = 0; i < k * n; i++)
        to[i] = right[i];
    ONE(transposed)(k, m, tall ? g : own, (T *)w->out[0] + l * m * k);
}

/* ---- in lanes ------------------------------------------------------------------------------------ */

static void NAME(qr)(const lucid__lanes *w)
{
    if (w->alone) {
        for (int l = 0; l < w->count; l++)
            NAME(qr_alone)(w, l);
        return;
    }
    const int64_t m = w->m, n = w->n, k = m < n ? m : n;
    T *c = w->scratch, *tau = c + m * n * LANES, *r = tau + k * LANES, *q = r;
    NAME(load)(c, m, n, m, w, w->a, w->a_col, w->a_row, 0);
    NAME(reflect)(k, n, m, c, tau);
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < n; j++)
            LANE r[(i * n + j) * LANES + l] = i <= j ? c[(j * m + i) * LANES + l] : 0;
    NAME(store)(r, n, k, n, w, w->out[1], k * n, n, 0);
    if (!w->out[0])
        return;
    NAME(unfold)(k, m, c, tau);
    NAME(transposed)(k, m, c, q);
    NAME(store)(q, k, m, k, w, w->out[0], m * k, k, 0);
}

static void NAME(eigh)(const lucid__lanes *w)
{
    if (w->alone) {
        for (int l = 0; l < w->count; l++)
            NAME(eigh_alone)(w, l);
        return;
    }
    const int64_t n = w->n;
    T *a = w->scratch, *values = a + n * n * LANES, *v = w->out[1] ? values + n * LANES : NULL;
    NAME(load)(a, n, n, n, w, w->a, w->a_col, w->a_row, 0);
    NAME(eigen)(n, a, values, v);
    if (w->order > 0 || w->out[2]) {
        T *shift = a; /* which is not needed any more */
        for (int l = 0; l < LANES; l++) {
            T *const rows = v ? v + l : NULL;
            NAME(for_derivatives)
            (w, LUCID__EIGENVALUES, n, LANES, values + l, shift + l, &rows, &n, v != NULL);
        }
        if (w->out[2])
            NAME(store)(shift, 1, n, 1, w, w->out[2], n, 1, 0);
    }
    NAME(store)(values, 1, n, 1, w, w->out[0], n, 1, 0);
    if (!v)
        return;
    NAME(transposed)(n, n, v, a);
    NAME(store)(a, n, n, n, w, w->out[1], n * n, n, 0);
}

static void NAME(svd)(const lucid__lanes *w)
{
    if (w->alone) {
        for (int l = 0; l < w->count; l++)
            NAME(svd_alone)(w, l);
        return;
    }
    const int64_t m = w->m, n = w->n, k = m < n ? m : n, longer = m + n - k;
    const bool tall = m >= n;
    T *g = w->scratch, *values = g + m * n * LANES, *tau = values + k * LANES;
    T *u = tau + 2 * k * LANES, *own = w->out[0] ? u + m * k * LANES : NULL;
    NAME(load)
    (g, longer, k, longer, w, w->a, tall ? w->a_col : w->a_row, tall ? w->a_row : w->a_col, 0);
    NAME(singular)(k, longer, g, values, own, !tall, tau);
    if (w->order > 0 || w->out[3]) {
        T *shift = tau; /* which is not needed any more */
        const int64_t length[2] = {longer, k};
        for (int l = 0; l < LANES; l++) {
            T *const rows[2] = {g + l, own ? own + l : NULL};
            NAME(for_derivatives)
            (w, m == n ? LUCID__SQUARE : LUCID__RECTANGULAR, k, LANES, values + l, shift + l, rows,
             length, own ? 2 : 0);
        }
        if (w->out[3])
            NAME(store)(shift, 1, k, 1, w, w->out[3], k, 1, 0);
    }
    NAME(store)(values, 1, k, 1, w, w->out[1], k, 1, 0);
    if (!own)
        return;
    NAME(store)(tall ? own : g, n, k, n, w, w->out[2], k * n, n, 0);
    NAME(transposed)(k, m, tall ? g : own, u);
    NAME(store)(u, k, m, k, w, w->out[0], m * k, k, 0);
}

#undef LANE
