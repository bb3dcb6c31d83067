/* The kernels of contractions and linear systems against plain loops, on operands of every layout:
 * permuted, broadcast, reversed, spaced out. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/dtype.h"
#include "base/shape.h"
#include "cpu/kernels.h"
#include "cpu/matrix_isa.h"

/* ---- numbers and operands ---------------------------------------------------------------------- */

static uint64_t state = 1;

static int64_t below(int64_t n)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((state >> 33) % (uint64_t)n);
}

static double number(void)
{
    return (double)below(2001) / 1000 - 1;
}

static double get(const lucid__view *v, int64_t at)
{
    switch (v->dtype) {
    case LUCID_INT32:
        return ((const int32_t *)v->data)[at];
    case LUCID_INT64:
        return (double)((const int64_t *)v->data)[at];
    case LUCID_FLOAT32:
        return (double)((const float *)v->data)[at];
    default:
        return ((const double *)v->data)[at];
    }
}

static void put(const lucid__view *v, int64_t at, double x)
{
    switch (v->dtype) {
    case LUCID_INT32:
        ((int32_t *)v->data)[at] = (int32_t)x;
        break;
    case LUCID_INT64:
        ((int64_t *)v->data)[at] = (int64_t)x;
        break;
    case LUCID_FLOAT32:
        ((float *)v->data)[at] = (float)x;
        break;
    default:
        ((double *)v->data)[at] = x;
    }
}

enum { TENSORS = 16 };
static void *owned[TENSORS];
static int nowned;

/* A tensor whose dims lie in memory in any order, some backwards, some spaced out, some repeated. */
static lucid__view tensor(lucid_dtype dtype, lucid_shape shape, bool plain)
{
    lucid__view v = {.dtype = dtype, .shape = shape};
    int order[LUCID_MAX_NDIM];
    for (int i = 0; i < shape.ndim; i++) {
        order[i] = i;
        int j = plain ? i : (int)below(i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    int64_t size = 1, first = 0;
    for (int i = shape.ndim; i-- > 0;) {
        int d = order[i];
        int64_t kind = plain ? 9 : below(10), n = shape.dim[d];
        if (kind == 0) {
            v.stride[d] = 0;
            continue;
        }
        int64_t spaced = kind == 1 ? 2 : 1;
        v.stride[d] = kind == 2 ? -size : size * spaced;
        first += kind == 2 && n > 0 ? (n - 1) * size : 0;
        size *= (n > 0 ? n : 1) * spaced + (kind == 3 ? 1 : 0);
    }
    size_t bytes = lucid_dtype_size(dtype);
    char *memory = malloc((size_t)size * bytes);
    assert_non_null(memory);
    owned[nowned++] = memory;
    v.data = memory;
    for (int64_t i = 0; i < size; i++)
        put(&v, i, lucid__is_float(dtype) ? number() : (double)(below(11) - 5));
    v.data = memory + (size_t)first * bytes;
    return v;
}

static void release(void)
{
    while (nowned > 0)
        free(owned[--nowned]);
}

static int64_t offset(const lucid__view *v, const int64_t *index)
{
    int64_t at = 0;
    for (int d = 0; d < v->shape.ndim; d++)
        at += index[d] * v->stride[d];
    return at;
}

static void run(lucid__kernel_fn *kernel, const lucid__view *in, int nin, const lucid__view *out,
                const int64_t *params, int nparams)
{
    char error[200] = "";
    const lucid__kernel_args args = {.params = params,
                                     .nparams = nparams,
                                     .nin = nin,
                                     .in = in,
                                     .out = out,
                                     .error = error,
                                     .error_size = sizeof error};
    assert_int_equal(kernel(&args), LUCID_OK);
}

static double at2(const lucid__view *v, int64_t e, int64_t i, int64_t j)
{
    const int64_t index[LUCID_MAX_NDIM] = {e, i, j};
    return get(v, offset(v, index));
}

static void put2(const lucid__view *v, int64_t e, int64_t i, int64_t j, double x)
{
    const int64_t index[LUCID_MAX_NDIM] = {e, i, j};
    put(v, offset(v, index), x);
}

/* Strided matrices (batch, n, n) without repeated elements, so that they can be filled. */
static lucid__view matrices(lucid_dtype dtype, int64_t batch, int64_t n, int64_t k)
{
    lucid__view v;
    int tries = 0;
    do {
        v = tensor(dtype, LUCID_SHAPE(batch, n, k), tries++ > 8);
    } while ((v.stride[0] == 0 && batch > 1) || (v.stride[1] == 0 && n > 1) ||
             (v.stride[2] == 0 && k > 1));
    return v;
}

static lucid__view plain3(lucid_dtype dtype, int64_t batch, int64_t n, int64_t k)
{
    return tensor(dtype, LUCID_SHAPE(batch, n, k), true);
}

/* ---- contract ------------------------------------------------------------------------------ */

typedef struct product {
    int nb, nc, nf[2];
    int64_t params[2 + 4 * LUCID_MAX_NDIM];
    int nparams;
    lucid_shape shape[2], out;
} product;

/* Deals the roles out to the dims of both operands at random. */
static product random_product(int64_t largest)
{
    product p = {.nb = (int)below(3), .nc = (int)below(3), .nf = {(int)below(3), (int)below(3)}};
    int64_t shared[8] = {0}, dims[2][8] = {{0}}, free_size[2][8] = {{0}};
    for (int i = 0; i < p.nb + p.nc; i++)
        shared[i] = below(12) == 0 ? below(2) : 1 + below(largest);
    for (int side = 0; side < 2; side++) {
        int n = p.nb + p.nc + p.nf[side];
        for (int i = 0; i < n; i++) {
            dims[side][i] = i;
            int64_t j = below(i + 1);
            dims[side][i] = dims[side][j];
            dims[side][j] = i;
        }
        p.shape[side].ndim = n;
        for (int i = 0; i < n; i++)
            p.shape[side].dim[dims[side][i]] =
                i < p.nb + p.nc ? shared[i] : (below(12) == 0 ? 0 : 1 + below(largest));
        int64_t *to = free_size[side];
        for (int d = 0; d < n; d++) {
            bool is_free = true;
            for (int i = 0; i < p.nb + p.nc; i++)
                is_free &= dims[side][i] != d;
            if (is_free)
                *to++ = p.shape[side].dim[d];
        }
    }
    p.params[0] = p.nb;
    p.params[1] = p.nc;
    p.nparams = 2;
    for (int part = 0; part < 4; part++)
        for (int i = 0; i < (part < 2 ? p.nb : p.nc); i++)
            p.params[p.nparams++] = dims[part % 2][part < 2 ? i : p.nb + i];
    for (int i = 0; i < p.nb; i++)
        p.out.dim[p.out.ndim++] = shared[i];
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < p.nf[side]; i++)
            p.out.dim[p.out.ndim++] = free_size[side][i];
    return p;
}

/* Element `at` of the result, and the sum of the magnitudes of its products. */
static double plain_product(const product *p, const lucid__view *x, const lucid__view *y,
                            const int64_t *at, double *magnitude)
{
    int64_t index[2][LUCID_MAX_NDIM] = {{0}}, k[LUCID_MAX_NDIM] = {0};
    const int64_t *role[4] = {p->params + 2, NULL, NULL, NULL};
    role[1] = role[0] + p->nb;
    role[2] = role[1] + p->nb;
    role[3] = role[2] + p->nc;
    const lucid__view *v[2] = {x, y};
    int o = 0;
    for (; o < p->nb; o++)
        for (int side = 0; side < 2; side++)
            index[side][role[side][o]] = at[o];
    for (int side = 0; side < 2; side++)
        for (int d = 0; d < p->shape[side].ndim; d++) {
            bool is_free = true;
            for (int i = 0; i < p->nb; i++)
                is_free &= role[side][i] != d;
            for (int i = 0; i < p->nc; i++)
                is_free &= role[2 + side][i] != d;
            if (is_free)
                index[side][d] = at[o++];
        }
    double sum = 0;
    *magnitude = 0;
    for (;;) {
        for (int i = 0; i < p->nc; i++)
            for (int side = 0; side < 2; side++)
                index[side][role[2 + side][i]] = k[i];
        bool empty = false;
        for (int i = 0; i < p->nc; i++)
            empty |= p->shape[0].dim[role[2][i]] == 0;
        if (empty)
            return 0;
        double term = get(v[0], offset(v[0], index[0])) * get(v[1], offset(v[1], index[1]));
        sum += term;
        *magnitude += fabs(term);
        int i = p->nc;
        while (i-- > 0) {
            if (++k[i] < p->shape[0].dim[role[2][i]])
                break;
            k[i] = 0;
        }
        if (i < 0)
            return sum;
    }
}

static void check_product(lucid_dtype dtype, int64_t largest, bool plain)
{
    product p = random_product(largest);
    lucid__view in[2] = {tensor(dtype, p.shape[0], plain), tensor(dtype, p.shape[1], plain)};
    lucid__view out = tensor(dtype, p.out, true);
    run(lucid__contract_kernel, in, 2, &out, p.params, p.nparams);
    double eps = dtype == LUCID_FLOAT32 ? 1e-6 : dtype == LUCID_FLOAT64 ? 1e-14 : 0;
    int64_t count = lucid__numel(&p.out), step = count > 2000 ? 1 + count / 997 : 1;
    for (int64_t e = 0; e < count; e += step) {
        int64_t at[LUCID_MAX_NDIM] = {0}, rest = e;
        for (int d = p.out.ndim; d-- > 0;) {
            at[d] = rest % p.out.dim[d];
            rest /= p.out.dim[d];
        }
        double magnitude, expected = plain_product(&p, &in[0], &in[1], at, &magnitude);
        double got = get(&out, e);
        if (!(fabs(got - expected) <= eps * (magnitude + 1) * 4)) {
            char a[LUCID__SHAPE_TEXT], b[LUCID__SHAPE_TEXT];
            print_error("%s %s x %s: %g, expected %g\n", lucid_dtype_name(dtype),
                        lucid__shape_text(&p.shape[0], a, sizeof a),
                        lucid__shape_text(&p.shape[1], b, sizeof b), got, expected);
            fail();
        }
    }
    release();
}

static void any_product_of_any_layout(void **unused)
{
    (void)unused;
    const lucid_dtype dtypes[] = {LUCID_FLOAT32, LUCID_FLOAT64, LUCID_INT32, LUCID_INT64};
    for (int round = 0; round < 2000; round++)
        check_product(dtypes[round % 4], 6, round % 3 == 0);
    for (int round = 0; round < 120; round++)
        check_product(dtypes[round % 4], 20, round % 3 == 0);
}

static void check_matmul(lucid_dtype dtype, int64_t m, int64_t n, int64_t k, bool ta, bool tb)
{
    lucid_shape xs = ta ? LUCID_SHAPE(k, m) : LUCID_SHAPE(m, k);
    lucid_shape ys = tb ? LUCID_SHAPE(n, k) : LUCID_SHAPE(k, n);
    lucid__view in[2] = {tensor(dtype, xs, true), tensor(dtype, ys, true)};
    lucid__view out = tensor(dtype, LUCID_SHAPE(m, n), true);
    const int64_t params[] = {0, 1, ta ? 0 : 1, tb ? 1 : 0};
    run(lucid__contract_kernel, in, 2, &out, params, 4);
    for (int64_t i = 0; i < m; i += 1 + m / 13)
        for (int64_t j = 0; j < n; j += 1 + n / 17) {
            double sum = 0;
            for (int64_t l = 0; l < k; l++)
                sum += get(&in[0], ta ? l * m + i : i * k + l) *
                       get(&in[1], tb ? j * k + l : l * n + j);
            double eps = dtype == LUCID_FLOAT32 ? 1e-6 : dtype == LUCID_FLOAT64 ? 1e-15 : 0;
            assert_true(fabs(get(&out, i * n + j) - sum) <= eps * (double)(k + 10));
        }
    release();
}

static void matrix_products_of_all_sizes(void **unused)
{
    (void)unused;
    const lucid_dtype dtypes[] = {LUCID_FLOAT32, LUCID_FLOAT64, LUCID_INT32, LUCID_INT64};
    const int64_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 12, 16, 17, 31, 33, 64, 100, 257};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    for (int round = 0; round < 1200; round++)
        check_matmul(dtypes[round % 4], sizes[below(SIZES)], sizes[below(SIZES)],
                     sizes[below(SIZES)], below(2) == 0, below(2) == 0);
}

/* Results larger than the caches, of few products per element: written past them where rows allow. */
static void large_results_of_few_products(void **unused)
{
    (void)unused;
    for (int64_t k = 1; k <= 5; k++)
        for (int round = 0; round < 2; round++) {
            lucid_dtype dtype = round ? LUCID_FLOAT32 : LUCID_FLOAT64;
            int64_t batch = round ? 70 : 40, m = 301, n = k % 2 ? 448 : 451;
            lucid__view in[2] = {plain3(dtype, batch, m, k), plain3(dtype, batch, k, n)};
            lucid__view out = plain3(dtype, batch, m, n);
            const int64_t params[] = {1, 1, 0, 0, 2, 1};
            run(lucid__contract_kernel, in, 2, &out, params, 6);
            for (int64_t at = 0; at < batch * m * n; at += 977) {
                int64_t e = at / (m * n), i = at / n % m, j = at % n;
                double sum = 0;
                for (int64_t l = 0; l < k; l++)
                    sum += at2(&in[0], e, i, l) * at2(&in[1], e, l, j);
                assert_true(fabs(get(&out, at) - sum) < (round ? 1e-6 : 1e-14));
            }
            release();
        }
}

/* The same bits with 1, 2, 3 and 7 threads. out: one tensor per output and number of threads. */
static void same_with_any_threads(lucid__kernel_fn *kernel, const lucid__view *in, int nin,
                                  lucid__view out[4][3], int nout, const int64_t *params,
                                  int nparams)
{
    const int threads[] = {1, 2, 3, 7};
    for (int t = 0; t < 4; t++) {
        lucid_set_num_threads(threads[t]);
        run(kernel, in, nin, out[t], params, nparams);
        for (int k = 0; k < nout; k++) {
            size_t bytes = lucid_dtype_size(out[t][k].dtype);
            assert_memory_equal(out[0][k].data, out[t][k].data,
                                (size_t)lucid__numel(&out[t][k].shape) * bytes);
        }
    }
    lucid_set_num_threads(0);
}

static void the_number_of_threads_changes_no_product(void **unused)
{
    (void)unused;
    const int64_t sizes[][3] = {{300, 200, 70}, {1, 3000, 500},  {3000, 1, 500},
                                {40, 40, 3000}, {2000, 500, 2},  {150, 333, 333},
                                {98, 106, 101}, {132, 140, 135}, {170, 160, 181}};
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        const int64_t *z = sizes[i / 2];
        lucid_dtype dtype = i % 2 ? LUCID_FLOAT64 : LUCID_FLOAT32;
        lucid__view in[2] = {tensor(dtype, LUCID_SHAPE(z[0], z[2]), true),
                             tensor(dtype, LUCID_SHAPE(z[2], z[1]), true)};
        lucid__view out[4][3];
        for (int t = 0; t < 4; t++)
            out[t][0] = tensor(dtype, LUCID_SHAPE(z[0], z[1]), true);
        const int64_t params[] = {0, 1, 1, 0};
        same_with_any_threads(lucid__contract_kernel, in, 2, out, 1, params, 4);
        release();
    }
}

/* ---- linear systems ------------------------------------------------------------------------ */

static void close_to(double got, double expected, lucid_dtype dtype, int64_t n)
{
    double eps = dtype == LUCID_FLOAT32 ? 2e-5 : 4e-14;
    if (!(fabs(got - expected) <= eps * (double)(n + 1) * (1 + fabs(expected)))) {
        print_error("%s n = %d: %g, expected %g\n", lucid_dtype_name(dtype), (int)n, got, expected);
        fail();
    }
}

static const int64_t system_sizes[] = {0,  1,  2,  3,  4,  7,   8,   9,  16,
                                       31, 32, 33, 50, 64, 128, 129, 200};
enum { SYSTEM_SIZES = sizeof system_sizes / sizeof *system_sizes };

static void check_cholesky(lucid_dtype dtype, int64_t batch, int64_t n)
{
    lucid__view a = matrices(dtype, batch, n, n), l = plain3(dtype, batch, n, n);
    for (int64_t e = 0; e < batch; e++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) /* above the diagonal: not to be read */
                put2(&a, e, i, j, j > i ? (double)NAN : i == j ? 1 + (double)n : number());
    run(lucid__cholesky_kernel, &a, 1, &l, NULL, 0);
    for (int64_t e = 0; e < batch; e++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) {
                double sum = 0;
                for (int64_t c = 0; c <= j; c++)
                    sum += at2(&l, e, i, c) * at2(&l, e, j, c);
                if (j > i)
                    assert_true(at2(&l, e, i, j) == 0);
                else
                    close_to(sum, at2(&a, e, i, j), dtype, n);
            }
    release();
}

static void cholesky_gives_the_factor(void **unused)
{
    (void)unused;
    for (int i = 0; i < SYSTEM_SIZES; i++)
        for (int64_t batch = 0; batch < 40; batch += 1 + system_sizes[i] / 4 + batch / 3) {
            check_cholesky(LUCID_FLOAT32, batch, system_sizes[i]);
            check_cholesky(LUCID_FLOAT64, batch, system_sizes[i]);
        }
}

static void cholesky_of_others_is_nan_alone(void **unused)
{
    (void)unused;
    const int64_t sizes[] = {1, 3, 20, 40, 190};
    for (int i = 0; i < 5; i++) {
        int64_t n = sizes[i];
        lucid__view a = plain3(LUCID_FLOAT64, 3, n, n), l = plain3(LUCID_FLOAT64, 3, n, n);
        for (int64_t e = 0; e < 3; e++)
            for (int64_t r = 0; r < n; r++)
                for (int64_t c = 0; c < n; c++)
                    put2(&a, e, r, c, r != c ? 0 : e == 1 && r == n - 1 ? -1 : 4);
        run(lucid__cholesky_kernel, &a, 1, &l, NULL, 0);
        for (int64_t e = 0; e < 3; e++)
            for (int64_t r = 0; r < n; r++)
                for (int64_t c = 0; c < n; c++) {
                    double x = at2(&l, e, r, c);
                    assert_true(e == 1 ? x != x : x == (r == c ? 2 : 0));
                }
        release();
    }
}

static void check_lu(lucid_dtype dtype, int64_t batch, int64_t n)
{
    lucid__view a = matrices(dtype, batch, n, n);
    lucid__view out[3] = {plain3(dtype, batch, n, n),
                          tensor(LUCID_INT64, LUCID_SHAPE(batch, n), true),
                          tensor(dtype, LUCID_SHAPE(batch), true)};
    run(lucid__lu_kernel, &a, 1, out, NULL, 0);
    for (int64_t e = 0; e < batch; e++) {
        const int64_t *perm = (const int64_t *)out[1].data + e * n;
        int sign = 1;
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = i + 1; j < n; j++) {
                assert_int_not_equal(perm[i], perm[j]);
                sign = perm[i] > perm[j] ? -sign : sign;
            }
        assert_true(get(&out[2], e) == sign);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) {
                double sum = 0;
                for (int64_t c = 0; c <= j && c <= i; c++)
                    sum += (c == i ? 1 : at2(&out[0], e, i, c)) * at2(&out[0], e, c, j);
                close_to(sum, at2(&a, e, perm[i], j), dtype, n);
                if (i > j)
                    assert_true(fabs(at2(&out[0], e, i, j)) <= 1);
            }
    }
    release();
}

static void lu_gives_the_factors(void **unused)
{
    (void)unused;
    for (int i = 0; i < SYSTEM_SIZES; i++)
        for (int64_t batch = 0; batch < 40; batch += 1 + system_sizes[i] / 4 + batch / 3) {
            check_lu(LUCID_FLOAT32, batch, system_sizes[i]);
            check_lu(LUCID_FLOAT64, batch, system_sizes[i]);
        }
}

static void check_solve(lucid_dtype dtype, int64_t batch, int64_t n, int64_t k)
{
    lucid__view in[2] = {matrices(dtype, batch, n, n),
                         tensor(dtype, LUCID_SHAPE(batch, n, k), false)};
    for (int64_t e = 0; e < batch; e++) /* well conditioned, and rows are exchanged */
        for (int64_t i = 0; i < n; i++)
            put2(&in[0], e, i, (i + 1) % n, 2 + (double)n / 4);
    lucid__view out[3] = {plain3(dtype, batch, n, k), plain3(dtype, batch, n, n),
                          tensor(LUCID_INT64, LUCID_SHAPE(batch, n), true)};
    run(lucid__solve_kernel, in, 2, out, NULL, 0);
    for (int64_t e = 0; e < batch; e++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < k; j += 1 + k / 20) {
                double sum = 0;
                for (int64_t c = 0; c < n; c++)
                    sum += at2(&in[0], e, i, c) * at2(&out[0], e, c, j);
                close_to(sum, at2(&in[1], e, i, j), dtype, n);
            }
    release();
}

static void solve_solves(void **unused)
{
    (void)unused;
    const int64_t columns[] = {0, 1, 2, 9, 16, 700};
    for (int i = 0; i < SYSTEM_SIZES; i++)
        for (int64_t batch = 0; batch < 40; batch += 1 + system_sizes[i] / 4 + batch / 3)
            for (int k = 0; k < 6; k += 1 + (system_sizes[i] > 50)) {
                check_solve(LUCID_FLOAT32, batch, system_sizes[i], columns[k]);
                check_solve(LUCID_FLOAT64, batch, system_sizes[i], columns[k]);
            }
}

/* Well conditioned, and rows are exchanged. */
static void check_inv(lucid_dtype dtype, int64_t batch, int64_t n)
{
    lucid__view a = matrices(dtype, batch, n, n), x = plain3(dtype, batch, n, n);
    for (int64_t e = 0; e < batch; e++)
        for (int64_t i = 0; i < n; i++)
            put2(&a, e, i, (i + 1) % n, 2 + (double)n / 4);
    run(lucid__inv_kernel, &a, 1, &x, NULL, 0);
    for (int64_t e = 0; e < batch; e++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j += 1 + n / 20) {
                double sum = 0;
                for (int64_t c = 0; c < n; c++)
                    sum += at2(&a, e, i, c) * at2(&x, e, c, j);
                close_to(sum, i == j, dtype, n);
            }
    release();
}

static void inv_inverts(void **unused)
{
    (void)unused;
    for (int i = 0; i < SYSTEM_SIZES; i++)
        for (int64_t batch = 0; batch < 40; batch += 1 + system_sizes[i] / 4 + batch / 3) {
            check_inv(LUCID_FLOAT32, batch, system_sizes[i]);
            check_inv(LUCID_FLOAT64, batch, system_sizes[i]);
        }
}

/* Outputs that nobody reads have no memory; the others are the same without them. */
static void outputs_may_be_left_out(void **unused)
{
    (void)unused;
    const int64_t sizes[] = {1, 3, 8, 9, 30, 140}, columns[] = {1, 20, 100};
    for (int round = 0; round < 36; round++) {
        int64_t n = sizes[round % 6], k = columns[round / 6 % 3], batch = round < 18 ? 21 : 2;
        lucid_dtype dtype = round % 2 ? LUCID_FLOAT64 : LUCID_FLOAT32;
        lucid__view in[2] = {plain3(dtype, batch, n, n), plain3(dtype, batch, n, k)}, out[2][3];
        for (int t = 0; t < 2; t++) {
            out[t][0] = plain3(dtype, batch, n, k);
            out[t][1] = plain3(dtype, batch, n, n);
            out[t][2] = tensor(LUCID_INT64, LUCID_SHAPE(batch, n), true);
        }
        size_t bytes = (size_t)(batch * n * k) * lucid_dtype_size(dtype);
        run(lucid__solve_kernel, in, 2, out[0], NULL, 0);
        out[1][1].data = out[1][2].data = NULL;
        run(lucid__solve_kernel, in, 2, out[1], NULL, 0);
        assert_memory_equal(out[0][0].data, out[1][0].data, bytes);
        for (int t = 0; t < 2; t++) {
            out[t][0] = plain3(dtype, batch, n, n);
            out[t][1] = tensor(LUCID_INT64, LUCID_SHAPE(batch, n), true);
            out[t][2] = tensor(dtype, LUCID_SHAPE(batch), true);
        }
        bytes = (size_t)(batch * n * n) * lucid_dtype_size(dtype);
        run(lucid__lu_kernel, in, 1, out[0], NULL, 0);
        out[1][1].data = out[1][2].data = NULL;
        run(lucid__lu_kernel, in, 1, out[1], NULL, 0);
        assert_memory_equal(out[0][0].data, out[1][0].data, bytes);
        release();
    }
}

static void check_triangular(lucid_dtype dtype, int64_t batch, int64_t n, int64_t k, int how)
{
    bool upper = how & 1, transpose = how & 2, unit = how & 4;
    lucid__view in[2] = {matrices(dtype, batch, n, n),
                         tensor(dtype, LUCID_SHAPE(batch, n, k), false)};
    for (int64_t e = 0; e < batch; e++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) {
                bool read = upper ? j > i : j < i;
                double x = i == j ? (unit ? (double)NAN : 2) : number() / (double)n;
                put2(&in[0], e, i, j, i == j || read ? x : (double)NAN);
            }
    lucid__view x = plain3(dtype, batch, n, k);
    const int64_t params[] = {upper, transpose, unit};
    run(lucid__triangular_solve_kernel, in, 2, &x, params, 3);
    for (int64_t e = 0; e < batch; e++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < k; j += 1 + k / 20) {
                double sum = 0;
                for (int64_t c = 0; c < n; c++) {
                    int64_t r = transpose ? c : i, s = transpose ? i : c;
                    if (r == s || (upper ? s > r : s < r))
                        sum += (r == s && unit ? 1 : at2(&in[0], e, r, s)) * at2(&x, e, c, j);
                }
                close_to(sum, at2(&in[1], e, i, j), dtype, n);
            }
    release();
}

static void triangular_solve_solves(void **unused)
{
    (void)unused;
    const int64_t columns[] = {0, 1, 3, 16, 600};
    int how = 0;
    for (int i = 0; i < SYSTEM_SIZES; i++)
        for (int64_t batch = 0; batch < 40; batch += 1 + system_sizes[i] / 4 + batch / 3)
            for (int k = 0; k < 5; k++) {
                check_triangular(LUCID_FLOAT32, batch, system_sizes[i], columns[k], how % 8);
                check_triangular(LUCID_FLOAT64, batch, system_sizes[i], columns[k], how++ % 8);
            }
}

/* Matrix b of a batch gives the same bits as alone, and so does a column among others. */
static void company_changes_nothing(void **unused)
{
    (void)unused;
    const int64_t sizes[] = {2, 4, 9, 20, 64};
    for (int i = 0; i < 5; i++) {
        int64_t n = sizes[i], batch = 21, k = 40;
        lucid__view in[2] = {plain3(LUCID_FLOAT32, batch, n, n),
                             plain3(LUCID_FLOAT32, batch, n, k)};
        lucid__view out[3] = {plain3(LUCID_FLOAT32, batch, n, k),
                              plain3(LUCID_FLOAT32, batch, n, n),
                              tensor(LUCID_INT64, LUCID_SHAPE(batch, n), true)};
        run(lucid__solve_kernel, in, 2, out, NULL, 0);
        lucid__view one[2] = {in[0], in[1]};
        lucid__view alone[3] = {plain3(LUCID_FLOAT32, 1, n, 1), plain3(LUCID_FLOAT32, 1, n, n),
                                tensor(LUCID_INT64, LUCID_SHAPE(1, n), true)};
        const int64_t e = 17, c = 23;
        one[0].shape = LUCID_SHAPE(1, n, n);
        one[0].data = (float *)in[0].data + e * n * n;
        one[1].shape = LUCID_SHAPE(1, n, 1);
        one[1].data = (float *)in[1].data + e * n * k + c;
        run(lucid__solve_kernel, one, 2, alone, NULL, 0);
        for (int64_t r = 0; r < n; r++)
            assert_true(at2(&alone[0], 0, r, 0) == at2(&out[0], e, r, c));
        assert_memory_equal(alone[1].data, (float *)out[1].data + e * n * n,
                            (size_t)(n * n) * sizeof(float));
        release();
    }
}

static void the_number_of_threads_changes_no_solution(void **unused)
{
    (void)unused;
    const int64_t sizes[][2] = {{5, 2000}, {60, 300}, {150, 400}, {300, 200}, {500, 1}};
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        int64_t n = sizes[i / 2][0], k = sizes[i / 2][1];
        lucid_dtype dtype = i % 2 ? LUCID_FLOAT64 : LUCID_FLOAT32;
        lucid__view in[2] = {plain3(dtype, 1, n, n), plain3(dtype, 1, n, k)};
        for (int64_t r = 0; r < n; r++)
            put2(&in[0], 0, r, r, (double)n);
        lucid__view out[4][3];
        for (int t = 0; t < 4; t++) {
            out[t][0] = plain3(dtype, 1, n, k);
            out[t][1] = plain3(dtype, 1, n, n);
            out[t][2] = tensor(LUCID_INT64, LUCID_SHAPE(1, n), true);
        }
        same_with_any_threads(lucid__solve_kernel, in, 2, out, 3, NULL, 0);
        const int64_t params[] = {1, 1, 0};
        same_with_any_threads(lucid__triangular_solve_kernel, in, 2, out, 1, params, 3);
        for (int t = 0; t < 4; t++)
            out[t][0] = out[t][1];
        same_with_any_threads(lucid__cholesky_kernel, in, 1, out, 1, NULL, 0);
        release();
    }
}

#if defined(__x86_64__)
/* L L' is the matrix, whatever the instruction set, for one matrix and for full and ragged lanes. */
static void check_isa(const lucid__matrix_isa *isa, lucid_dtype dtype, int64_t n, int64_t count)
{
    lucid__view a = plain3(dtype, count, n, n), l = plain3(dtype, count, n, n);
    const int64_t bytes = n * n * (int64_t)lucid_dtype_size(dtype);
    char *scratch = malloc(lucid__lanes_scratch(n) + 64);
    assert_non_null(scratch);
    const void *matrices[LUCID__MAX_LANES];
    lucid__lanes w = {.n = n,
                      .count = (int)count,
                      .alone = count < 3,
                      .a = matrices,
                      .a_row = n,
                      .a_col = 1,
                      .out = {l.data}};
    w.scratch = scratch + (64 - (uintptr_t)scratch % 64);
    for (int64_t e = 0; e < count; e++) {
        matrices[e] = (const char *)a.data + e * bytes;
        for (int64_t i = 0; i < n; i++)
            put2(&a, e, i, i, 2 + (double)n);
    }
    isa->cholesky[dtype](&w);
    for (int64_t e = 0; e < count; e++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j <= i; j++) {
                double sum = 0;
                for (int64_t c = 0; c < n; c++)
                    sum += at2(&l, e, i, c) * at2(&l, e, j, c);
                close_to(sum, at2(&a, e, i, j), dtype, n);
            }
    free(scratch);
    release();
}

static void every_instruction_set_agrees(void **unused)
{
    (void)unused;
    extern const lucid__matrix_isa lucid__matrix_v2, lucid__matrix_v3, lucid__matrix_v4;
    const lucid__matrix_isa *isa[3] = {&lucid__matrix_v2, NULL, NULL};
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        isa[1] = &lucid__matrix_v3;
    if (strcmp(lucid_instruction_set(), "v4") == 0)
        isa[2] = &lucid__matrix_v4;
    for (int i = 0; i < 3; i++)
        for (int64_t n = 1; isa[i] && n <= 20; n++)
            for (int64_t count = 1; count <= 16; count += 3) {
                check_isa(isa[i], LUCID_FLOAT32, n, count);
                check_isa(isa[i], LUCID_FLOAT64, n, (count + 1) / 2);
            }
}
#endif

/* Singular systems end in inf or NaN, and their factors are finite. */
static void singular_systems_are_no_error(void **unused)
{
    (void)unused;
    const int64_t sizes[] = {1, 2, 5, 12, 140};
    for (int i = 0; i < 5; i++) {
        int64_t n = sizes[i];
        lucid__view in[2] = {plain3(LUCID_FLOAT64, 1, n, n), plain3(LUCID_FLOAT64, 1, n, 1)};
        for (int64_t r = 0; r < n; r++) {
            for (int64_t c = 0; c < n; c++)
                put2(&in[0], 0, r, c, 1);
            put2(&in[1], 0, r, 0, (double)r + 1);
        }
        if (n == 1)
            put2(&in[0], 0, 0, 0, 0);
        lucid__view out[3] = {plain3(LUCID_FLOAT64, 1, n, 1), plain3(LUCID_FLOAT64, 1, n, n),
                              tensor(LUCID_INT64, LUCID_SHAPE(1, n), true)};
        run(lucid__solve_kernel, in, 2, out, NULL, 0);
        assert_true(!isfinite(at2(&out[0], 0, n - 1, 0)));
        for (int64_t r = 0; r < n * n; r++)
            assert_true(isfinite(get(&out[1], r)) != 0);
        release();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_product_of_any_layout),
        cmocka_unit_test(matrix_products_of_all_sizes),
        cmocka_unit_test(large_results_of_few_products),
        cmocka_unit_test(the_number_of_threads_changes_no_product),
        cmocka_unit_test(cholesky_gives_the_factor),
        cmocka_unit_test(cholesky_of_others_is_nan_alone),
        cmocka_unit_test(lu_gives_the_factors),
        cmocka_unit_test(solve_solves),
        cmocka_unit_test(inv_inverts),
        cmocka_unit_test(outputs_may_be_left_out),
        cmocka_unit_test(triangular_solve_solves),
        cmocka_unit_test(company_changes_nothing),
        cmocka_unit_test(the_number_of_threads_changes_no_solution),
        cmocka_unit_test(singular_systems_are_no_error),
#if defined(__x86_64__)
        cmocka_unit_test(every_instruction_set_agrees),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
