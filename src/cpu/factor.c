#include "cpu/factor.h"

#include <string.h>

#include "base/interrupt.h"
#include "cpu/blas.h"
#include "cpu/matrix_isa.h"

typedef struct job {
    lucid_dtype dtype;
    int64_t row; /* rows of the matrix are so far apart */
    int threads;
    void *scratch;
} job;

static void *at(const job *q, void *a, int64_t i, int64_t j)
{
    return (char *)a + (i * q->row + j) * (int64_t)lucid_dtype_size(q->dtype);
}

/* C (m, n) -= A (m, k) B (k, n), or A B^T with B (n, k). */
static void subtract(const job *q, int64_t m, int64_t n, int64_t k, const void *a, const void *b,
                     bool b_transposed, void *c)
{
    lucid__gemm(q->dtype, m, n, k, -1, (lucid__blas_matrix){a, false, q->row},
                (lucid__blas_matrix){b, b_transposed, q->row}, 1, c, q->row, q->threads);
}

/* ---- cholesky ------------------------------------------------------------------------------ */

size_t lucid__cholesky_scratch(void)
{
    return lucid__lanes_scratch(LUCID__LANES_MAX_SIZE) +
           sizeof(double) * LUCID__LANES_MAX_SIZE * LUCID__LANES_MAX_SIZE;
}

/* A small one: alone in its lane. */
static bool cholesky_base(const job *q, int64_t n, void *a)
{
    size_t size = lucid_dtype_size(q->dtype);
    char *result = (char *)q->scratch + lucid__lanes_scratch(LUCID__LANES_MAX_SIZE);
    const void *const matrices[1] = {a};
    const lucid__lanes w = {.n = n,
                            .count = 1,
                            .alone = true,
                            .a = matrices,
                            .a_row = q->row,
                            .a_col = 1,
                            .out = {result},
                            .scratch = q->scratch};
    lucid__matrix_isa_get()->cholesky[q->dtype](&w);
    for (int64_t i = 0; i < n; i++)
        memcpy(at(q, a, i, 0), result + (size_t)(i * n) * size, (size_t)(i + 1) * size);
    /* NaN all over says that it failed. */
    return q->dtype == LUCID_FLOAT32 ? *(float *)(void *)result == *(float *)(void *)result
                                     : *(double *)(void *)result == *(double *)(void *)result;
}

static int64_t half(int64_t n, int64_t unit)
{
    int64_t units = (n + unit - 1) / unit;
    return units / 2 * unit;
}

/* The lower triangle of C (n, n) -= A A^T with A (n, k). */
static void subtract_square(const job *q, int64_t n, int64_t k, void *a, void *c)
{
    enum { WHOLE = 64 };
    if (n <= WHOLE) {
        subtract(q, n, n, k, a, a, true, c);
        return;
    }
    int64_t n1 = half(n, WHOLE);
    void *below = at(q, a, n1, 0);
    subtract_square(q, n1, k, a, c);
    subtract(q, n - n1, n1, k, below, a, true, at(q, c, n1, 0));
    subtract_square(q, n - n1, k, below, at(q, c, n1, n1));
}

/* [A11 .; A21 A22]: L11 from A11, L21 = A21 L11^-T, L22 from A22 - L21 L21^T. */
static bool cholesky(const job *q, int64_t n, void *a)
{
    if (lucid__stop_now())
        return false;
    if (n <= LUCID__LANES_MAX_SIZE)
        return cholesky_base(q, n, a);
    int64_t n1 = half(n, LUCID__LANES_MAX_SIZE), n2 = n - n1;
    void *a21 = at(q, a, n1, 0), *a22 = at(q, a, n1, n1);
    if (!cholesky(q, n1, a))
        return false;
    lucid__trsm_solve(q->dtype, (lucid__trsm){.right = true, .transpose = true}, n1, n2, a, q->row,
                      a21, q->row, q->threads);
    subtract_square(q, n2, n1, a21, a22);
    return cholesky(q, n2, a22);
}

bool lucid__cholesky_factor(lucid_dtype dtype, int64_t n, void *a, int64_t a_row, void *scratch,
                            int threads)
{
    const job q = {dtype, a_row, threads, scratch};
    return cholesky(&q, n, a);
}

/* ---- lu ------------------------------------------------------------------------------------ */

enum { PANEL = 16 };

size_t lucid__lu_scratch(int64_t n)
{
    return (size_t)n * (sizeof(int64_t) + PANEL * sizeof(double));
}

/* A panel is eliminated in memory of its own: in place, its rows may lie so that they fight for the
 * same few lines of the cache. */
static void panel(const job *q, int64_t m, int64_t n, void *a, int64_t *pivots)
{
    size_t bytes = (size_t)n * lucid_dtype_size(q->dtype);
    char *own = q->scratch;
    for (int64_t i = 0; i < m; i++)
        memcpy(own + (size_t)i * bytes, at(q, a, i, 0), bytes);
    lucid__matrix_isa_get()->panel[q->dtype](m, n, own, n, pivots);
    for (int64_t i = 0; i < m; i++)
        memcpy(at(q, a, i, 0), own + (size_t)i * bytes, bytes);
}

/* Exchanges rows j and pivots[j] of a, one after the other, in `cols` columns. */
static void exchange(const job *q, int64_t n, const int64_t *pivots, void *a, int64_t cols)
{
    size_t bytes = (size_t)cols * lucid_dtype_size(q->dtype);
    for (int64_t j = 0; j < n; j++) {
        if (pivots[j] == j)
            continue;
        char *x = at(q, a, j, 0), *y = at(q, a, pivots[j], 0), t[256];
        for (size_t done = 0; done < bytes; done += sizeof t) {
            size_t part = bytes - done < sizeof t ? bytes - done : sizeof t;
            memcpy(t, x + done, part);
            memcpy(x + done, y + done, part);
            memcpy(y + done, t, part);
        }
    }
}

/* [A11 A12; A21 A22] with A11 (n1, n1), tall: the left columns, then U12 = L11^-1 A12, then the right
 * columns of A22 - L21 U12. */
static void lu(const job *q, int64_t m, int64_t n, void *a, int64_t *pivots)
{
    if (lucid__stop_now()) { /* what follows reads them */
        for (int64_t j = 0; j < n; j++)
            pivots[j] = j;
        return;
    }
    if (n <= PANEL) {
        panel(q, m, n, a, pivots);
        return;
    }
    int64_t n1 = half(n, PANEL), n2 = n - n1;
    void *a12 = at(q, a, 0, n1), *a21 = at(q, a, n1, 0), *a22 = at(q, a, n1, n1);
    lu(q, m, n1, a, pivots);
    exchange(q, n1, pivots, a12, n2);
    lucid__trsm_solve(q->dtype, (lucid__trsm){.unit = true}, n1, n2, a, q->row, a12, q->row,
                      q->threads);
    subtract(q, m - n1, n2, n1, a21, a12, false, a22);
    lu(q, m - n1, n2, a22, pivots + n1);
    exchange(q, n2, pivots + n1, a21, n1);
    for (int64_t j = n1; j < n; j++)
        pivots[j] += n1;
}

int lucid__lu_factor(lucid_dtype dtype, int64_t n, void *a, int64_t a_row, int64_t *perm,
                     void *scratch, int threads)
{
    int64_t *pivots = scratch;
    const job q = {dtype, a_row, threads, pivots + n};
    int sign = 1;
    lu(&q, n, n, a, pivots);
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
