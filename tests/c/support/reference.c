#include "support/reference.h"

#include <math.h>
#include <string.h>

enum { MAX = LUCID_MAX_NDIM };

/* ---- positions --------------------------------------------------------------------------------- */

typedef struct position {
    int64_t at[MAX];
} position;

static position position_of(const lucid_shape *shape, int64_t i)
{
    position p = {{0}};
    for (int d = shape->ndim - 1; d >= 0; d--) {
        p.at[d] = i % shape->dim[d];
        i /= shape->dim[d];
    }
    return p;
}

static int64_t index_of(const lucid_shape *shape, const int64_t *at)
{
    int64_t i = 0;
    for (int d = 0; d < shape->ndim; d++)
        i = i * shape->dim[d] + at[d];
    return i;
}

/* An element and those after it along a dim: x[start + k * stride]. */
typedef struct line {
    int64_t start, stride, size;
} line;

/* Line number i of those along dim, in row-major order of the other dims. */
static line line_of(const lucid_shape *shape, int dim, int64_t i)
{
    line l = {.stride = 1, .size = shape->dim[dim]};
    for (int d = dim + 1; d < shape->ndim; d++)
        l.stride *= shape->dim[d];
    l.start = i / l.stride * l.stride * l.size + i % l.stride;
    return l;
}

static int64_t lines_along(const host_array *x, int dim)
{
    return x->n > 0 ? x->n / x->shape.dim[dim] : 0;
}

/* ---- shape primitives --------------------------------------------------------------------------- */

static void run_permute(const lucid__call *c, const host_array *x, host_array *y)
{
    for (int64_t i = 0; i < y->n; i++) {
        position out = position_of(&y->shape, i), in = {{0}};
        for (int d = 0; d < y->shape.ndim; d++)
            in.at[c->params[d]] = out.at[d];
        y->at[i] = x->at[index_of(&x->shape, in.at)];
    }
}

static void run_broadcast(const lucid__call *c, const host_array *x, host_array *y)
{
    (void)c;
    int lead = y->shape.ndim - x->shape.ndim;
    for (int64_t i = 0; i < y->n; i++) {
        position out = position_of(&y->shape, i), in = {{0}};
        for (int d = 0; d < x->shape.ndim; d++)
            in.at[d] = x->shape.dim[d] == 1 ? 0 : out.at[lead + d];
        y->at[i] = x->at[index_of(&x->shape, in.at)];
    }
}

static void run_slice(const lucid__call *c, const host_array *x, host_array *y)
{
    int n = x->shape.ndim;
    for (int64_t i = 0; i < y->n; i++) {
        position p = position_of(&y->shape, i);
        for (int d = 0; d < n; d++)
            p.at[d] = c->params[d] + p.at[d] * c->params[2 * n + d];
        y->at[i] = x->at[index_of(&x->shape, p.at)];
    }
}

static void run_pad(const lucid__call *c, const host_array *x, host_array *y)
{
    int n = x->shape.ndim;
    for (int64_t i = 0; i < x->n; i++) {
        position p = position_of(&x->shape, i);
        for (int d = 0; d < n; d++)
            p.at[d] = c->params[d] + p.at[d] * (1 + c->params[2 * n + d]);
        y->at[index_of(&y->shape, p.at)] = x->at[i];
    }
}

static void run_concatenate(const lucid__call *c, const host_array *x, host_array *y)
{
    int64_t before = 0, dim = c->params[0];
    for (int k = 0; k < c->nin; k++) {
        for (int64_t i = 0; i < x[k].n; i++) {
            position p = position_of(&x[k].shape, i);
            p.at[dim] += before;
            y->at[index_of(&y->shape, p.at)] = x[k].at[i];
        }
        before += x[k].shape.dim[dim];
    }
}

static void run_iota(const lucid__call *c, const host_array *x, host_array *y)
{
    (void)x;
    for (int64_t i = 0; i < y->n; i++)
        y->at[i] = (double)position_of(&y->shape, i).at[c->params[1]];
}

static void run_basis(const lucid__call *c, const host_array *x, host_array *y)
{
    (void)x;
    for (int64_t i = 0; i < y->n; i++)
        y->at[i] = i / c->params[1] == i % c->params[1];
}

/* ---- reductions ---------------------------------------------------------------------------------- */

static double fold(lucid__prim_id prim, double a, double x)
{
    switch (prim) {
    case LUCID__sum:
        return a + x;
    case LUCID__prod:
        return a * x;
    case LUCID__amax:
        return isnan(x) || x > a ? x : a;
    case LUCID__amin:
        return isnan(x) || x < a ? x : a;
    case LUCID__any:
        return a != 0 || x != 0;
    default:
        return a != 0 && x != 0;
    }
}

static void run_reduction(const lucid__call *c, const host_array *x, host_array *y)
{
    bool first[4096] = {false};
    double start = c->prim == LUCID__prod || c->prim == LUCID__all ? 1 : 0;
    bool extreme = c->prim == LUCID__amax || c->prim == LUCID__amin;
    for (int64_t i = 0; i < y->n; i++)
        y->at[i] = start;
    for (int64_t i = 0; i < x->n; i++) {
        position p = position_of(&x->shape, i), q = {{0}};
        for (int d = 0, r = 0, k = 0; d < x->shape.ndim; d++) {
            if (r < c->nparams && c->params[r] == d)
                r++;
            else
                q.at[k++] = p.at[d];
        }
        int64_t to = index_of(&y->shape, q.at);
        bool starts = extreme && !first[to];
        y->at[to] = starts ? x->at[i] : fold(c->prim, y->at[to], x->at[i]);
        first[to] = true;
    }
}

static void run_arg(const lucid__call *c, const host_array *x, host_array *y)
{
    int dim = (int)c->params[0];
    for (int64_t i = 0; i < y->n; i++) {
        line l = line_of(&x->shape, dim, i);
        int64_t best = 0;
        for (int64_t k = 1; k < l.size; k++) {
            double a = x->at[l.start + best * l.stride], b = x->at[l.start + k * l.stride];
            bool better = c->prim == LUCID__argmax ? b > a : b < a;
            best = better || (isnan(b) && !isnan(a)) ? k : best;
        }
        y->at[i] = (double)best;
    }
}

static void run_cumulative(const lucid__call *c, const host_array *x, host_array *y)
{
    int dim = (int)c->params[0];
    for (int64_t i = 0; i < lines_along(x, dim); i++) {
        line l = line_of(&x->shape, dim, i);
        double sum = c->prim == LUCID__cumprod;
        for (int64_t k = 0; k < l.size; k++) {
            int64_t at = l.start + (c->params[1] ? l.size - 1 - k : k) * l.stride;
            sum = c->prim == LUCID__cumprod ? sum * x->at[at] : sum + x->at[at];
            y->at[at] = sum;
        }
    }
}

/* Whether a comes before b: NaN is the largest. */
static bool before(double a, double b, bool descending)
{
    if (isnan(a) || isnan(b))
        return descending ? isnan(a) && !isnan(b) : !isnan(a) && isnan(b);
    return descending ? a > b : a < b;
}

/* Insertion sort: stable, and too simple to be wrong. */
static void run_sort(const lucid__call *c, const host_array *x, host_array *y)
{
    int dim = (int)c->params[0];
    for (int64_t i = 0; i < lines_along(x, dim); i++) {
        line l = line_of(&x->shape, dim, i);
        for (int64_t k = 0; k < l.size; k++) {
            int64_t j = k;
            double value = x->at[l.start + k * l.stride];
            for (; j > 0; j--) {
                int64_t left = l.start + (j - 1) * l.stride;
                if (!before(value, y[0].at[left], c->params[1] != 0))
                    break;
                y[0].at[left + l.stride] = y[0].at[left];
                y[1].at[left + l.stride] = y[1].at[left];
            }
            y[0].at[l.start + j * l.stride] = value;
            y[1].at[l.start + j * l.stride] = (double)k;
        }
    }
}

/* ---- contraction --------------------------------------------------------------------------------- */

static int role_of(const int64_t *dims, int64_t n, int d)
{
    for (int i = 0; i < n; i++)
        if (dims[i] == d)
            return i;
    return -1;
}

/* The sum over all pairs of elements that agree in the batch and the contracted dims. */
static void run_contract(const lucid__call *c, const host_array *x, host_array *y)
{
    int64_t nb = c->params[0], nc = c->params[1];
    const int64_t *b[2] = {c->params + 2, c->params + 2 + nb},
                  *sum[2] = {b[1] + nb, b[1] + nb + nc};
    for (int64_t i = 0; i < x[0].n; i++)
        for (int64_t j = 0; j < x[1].n; j++) {
            position p[2] = {position_of(&x[0].shape, i), position_of(&x[1].shape, j)}, out = {{0}};
            bool meet = true;
            for (int64_t k = 0; k < nb; k++) {
                meet &= p[0].at[b[0][k]] == p[1].at[b[1][k]];
                out.at[k] = p[0].at[b[0][k]];
            }
            for (int64_t k = 0; k < nc; k++)
                meet &= p[0].at[sum[0][k]] == p[1].at[sum[1][k]];
            int64_t at = nb;
            for (int side = 0; side < 2; side++)
                for (int d = 0; d < x[side].shape.ndim; d++)
                    if (role_of(b[side], nb, d) < 0 && role_of(sum[side], nc, d) < 0)
                        out.at[at++] = p[side].at[d];
            if (meet)
                y->at[index_of(&y->shape, out.at)] += x[0].at[i] * x[1].at[j];
        }
}

/* ---- indexing ------------------------------------------------------------------------------------ */

/* Element i of v [b.., K.., R..] belongs to this element of x [b.., N1..Nm, R..]. */
static int64_t indexed(const lucid__call *c, const host_array *x, const host_array *index,
                       const lucid_shape *v, int64_t i, int m)
{
    int nb = (int)c->params[0], k = index[0].shape.ndim - nb;
    position p = position_of(v, i), q = {{0}};
    int64_t row = index_of(&index[0].shape, p.at);
    for (int d = 0; d < nb; d++)
        q.at[d] = p.at[d];
    for (int d = 0; d < m; d++) {
        int64_t to = (int64_t)index[d].at[row];
        q.at[nb + d] = to < 0 ? to + x->shape.dim[nb + d] : to;
    }
    for (int d = nb + k; d < v->ndim; d++)
        q.at[d - k + m] = p.at[d];
    return index_of(&x->shape, q.at);
}

static void run_gather(const lucid__call *c, const host_array *x, host_array *y)
{
    for (int64_t i = 0; i < y->n; i++)
        y->at[i] = x[0].at[indexed(c, &x[0], x + 1, &y->shape, i, c->nin - 1)];
}

static void run_scatter(const lucid__call *c, const host_array *x, host_array *y)
{
    memcpy(y->at, x[0].at, (size_t)y->n * sizeof *y->at);
    for (int64_t i = 0; i < x[1].n; i++) {
        double *to = &y->at[indexed(c, &x[0], x + 2, &x[1].shape, i, c->nin - 2)];
        *to = c->prim == LUCID__scatter ? x[1].at[i] : host_round(y->dtype, *to + x[1].at[i]);
    }
}

/* ---- linear algebra, matrix by matrix ------------------------------------------------------------ */

#define M(a, cols, i, j) ((a)[(i) * (cols) + (j)])

static void cholesky(const double *a, double *l, int64_t n)
{
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = j; i < n; i++) {
            double sum = M(a, n, i, j);
            for (int64_t k = 0; k < j; k++)
                sum -= M(l, n, i, k) * M(l, n, j, k);
            M(l, n, i, j) = i == j ? sqrt(sum) : sum / M(l, n, j, j);
        }
}

/* x from op(A) x = b by substitution. */
static void triangular_solve(const double *a, const double *b, double *x, int64_t n, int64_t cols,
                             const int64_t *params)
{
    bool upper = params[0], transpose = params[1], unit = params[2];
    bool forward = upper == transpose;
    for (int64_t col = 0; col < cols; col++)
        for (int64_t step = 0; step < n; step++) {
            int64_t i = forward ? step : n - 1 - step;
            double sum = M(b, cols, i, col);
            for (int64_t done = 0; done < step; done++) {
                int64_t j = forward ? done : n - 1 - done;
                sum -= (transpose ? M(a, n, j, i) : M(a, n, i, j)) * M(x, cols, j, col);
            }
            M(x, cols, i, col) = unit ? sum : sum / M(a, n, i, i);
        }
}

static double lu(const double *a, double *f, double *perm, int64_t n)
{
    double sign = 1;
    memcpy(f, a, (size_t)(n * n) * sizeof *f);
    for (int64_t i = 0; i < n; i++)
        perm[i] = (double)i;
    for (int64_t k = 0; k < n; k++) {
        int64_t best = k;
        for (int64_t i = k + 1; i < n; i++)
            best = fabs(M(f, n, i, k)) > fabs(M(f, n, best, k)) ? i : best;
        for (int64_t j = 0; best != k && j < n; j++) {
            double t = M(f, n, k, j);
            M(f, n, k, j) = M(f, n, best, j);
            M(f, n, best, j) = t;
        }
        if (best != k) {
            double t = perm[k];
            perm[k] = perm[best];
            perm[best] = t;
            sign = -sign;
        }
        for (int64_t i = k + 1; i < n; i++) {
            M(f, n, i, k) /= M(f, n, k, k);
            for (int64_t j = k + 1; j < n; j++)
                M(f, n, i, j) -= M(f, n, i, k) * M(f, n, k, j);
        }
    }
    return sign;
}

typedef struct matrices {
    int64_t count, n, cols; /* so many (n, n), and right-hand sides (n, cols) */
} matrices;

static matrices matrices_of(const lucid__call *c, const host_array *x)
{
    int64_t n = x[0].shape.dim[x[0].shape.ndim - 1];
    return (matrices){.count = x[0].n > 0 ? x[0].n / (n * n) : 0,
                      .n = n,
                      .cols = c->nin > 1 ? x[1].shape.dim[x[1].shape.ndim - 1] : 0};
}

static void run_cholesky(const lucid__call *c, const host_array *x, host_array *y)
{
    matrices m = matrices_of(c, x);
    for (int64_t k = 0; k < m.count; k++)
        cholesky(x[0].at + k * m.n * m.n, y[0].at + k * m.n * m.n, m.n);
}

static void run_triangular_solve(const lucid__call *c, const host_array *x, host_array *y)
{
    matrices m = matrices_of(c, x);
    for (int64_t k = 0; k < m.count; k++)
        triangular_solve(x[0].at + k * m.n * m.n, x[1].at + k * m.n * m.cols,
                         y[0].at + k * m.n * m.cols, m.n, m.cols, c->params);
}

static void run_lu(const lucid__call *c, const host_array *x, host_array *y)
{
    matrices m = matrices_of(c, x);
    for (int64_t k = 0; k < m.count; k++)
        y[2].at[k] = lu(x[0].at + k * m.n * m.n, y[0].at + k * m.n * m.n, y[1].at + k * m.n, m.n);
    for (int64_t k = 0; m.n == 0 && k < y[2].n; k++)
        y[2].at[k] = 1; /* of no row */
}

/* ---- control flow: what the words of its samples say ------------------------------------------------ */

static void run_cond(const lucid__call *c, const host_array *x, host_array *y)
{
    (void)c;
    y->at[0] = x[0].at[0] <= 0 ? sin(x[1].at[0]) * x[2].at[0] : x[1].at[0] - x[2].at[0];
}

static void run_while(const lucid__call *c, const host_array *x, host_array *y)
{
    (void)c;
    y[0].at[0] = x[2].at[0];
    for (y[1].at[0] = x[3].at[0]; y[1].at[0] < x[0].at[0]; y[1].at[0] += x[1].at[0])
        y[0].at[0] = sin(y[0].at[0]);
}

static void run_scan(const lucid__call *c, const host_array *x, host_array *y)
{
    double carry = x[1].at[0];
    for (int64_t k = 0; k < y[1].n; k++) {
        int64_t t = c->params[3] ? y[1].n - 1 - k : k;
        double next = tanh(x[0].at[0] * carry + x[2].at[t]);
        y[1].at[t] = next * carry;
        carry = next;
    }
    y[0].at[0] = carry;
}

/* ---- the table ----------------------------------------------------------------------------------- */

static void run_reshape(const lucid__call *c, const host_array *x, host_array *y)
{
    (void)c;
    memcpy(y->at, x->at, (size_t)y->n * sizeof *y->at);
}

static const struct {
    const char *name;
    void (*run)(const lucid__call *c, const host_array *x, host_array *y);
} references[] = {
    {"iota", run_iota},
    {"basis", run_basis},
    {"reshape", run_reshape},
    {"permute", run_permute},
    {"broadcast", run_broadcast},
    {"slice", run_slice},
    {"pad", run_pad},
    {"concatenate", run_concatenate},
    {"sum", run_reduction},
    {"prod", run_reduction},
    {"amax", run_reduction},
    {"amin", run_reduction},
    {"any", run_reduction},
    {"all", run_reduction},
    {"argmax", run_arg},
    {"argmin", run_arg},
    {"cumsum", run_cumulative},
    {"cumprod", run_cumulative},
    {"sort", run_sort},
    {"contract", run_contract},
    {"gather", run_gather},
    {"scatter_add", run_scatter},
    {"scatter", run_scatter},
    {"cholesky", run_cholesky},
    {"triangular_solve", run_triangular_solve},
    {"lu", run_lu},
    {"cond", run_cond},
    {"while", run_while},
    {"scan", run_scan},
};

bool reference_run(const lucid__call *c, const host_array *x, host_array *y)
{
    const char *name = lucid__prim_get(c->prim)->name;
    for (size_t k = 0; k < sizeof references / sizeof *references; k++)
        if (strcmp(name, references[k].name) == 0) {
            references[k].run(c, x, y);
            return true;
        }
    return false;
}
