/* Linear algebra. */
#include "call_scope.h"
#include "common_ops.h"
#include "tuples.h"

static int ndim_of(lucid_tensor x)
{
    return lucid_is_empty_handle(x) ? 0 : lucid_ndim(x);
}

lucid_tensor lucidpy_op_inner(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), y = lucidpy_tensor(c, 1);
    if (ndim_of(x) == 0 || ndim_of(y) == 0)
        return lucid_mul(c->s, x, y);
    return lucid_tensordot(c->s, x, y, LUCID_DIMS(-1), LUCID_DIMS(-1));
}

/* x times argument i, unless that is its default. */
static lucid_tensor scaled(lucidpy_call *c, int i, lucid_tensor x)
{
    return c->arg[i] == c->signature->at[i].fallback ? x : lucid_mul(c->s, x, lucidpy_tensor(c, i));
}

/* Whether two operands have the numbers of dims that the operation is defined for. */
static bool have_ndims(lucidpy_call *c, lucid_tensor a, int a_ndim, lucid_tensor b, int b_ndim)
{
    if (lucid_error(c->s) == LUCID_OK && (ndim_of(a) != a_ndim || ndim_of(b) != b_ndim))
        lucid_fail(c->s, LUCID_VALUE_ERROR,
                   "%s: expected a %d-D and a %d-D tensor, not a %d-D and a %d-D one (matmul takes "
                   "others)",
                   c->name, a_ndim, b_ndim, ndim_of(a), ndim_of(b));
    return lucid_error(c->s) == LUCID_OK;
}

/* Arguments i and i + 1 multiplied. */
static lucid_tensor product(lucidpy_call *c, int i, int a_ndim, int b_ndim)
{
    lucid_tensor a = lucidpy_tensor(c, i), b = lucidpy_tensor(c, i + 1);
    return have_ndims(c, a, a_ndim, b, b_ndim) ? lucid_matmul(c->s, a, b) : a;
}

lucid_tensor lucidpy_op_mm(lucidpy_call *c)
{
    return product(c, 0, 2, 2);
}

lucid_tensor lucidpy_op_bmm(lucidpy_call *c)
{
    lucid_tensor a = lucidpy_tensor(c, 0), b = lucidpy_tensor(c, 1);
    if (have_ndims(c, a, 3, b, 3) && lucid_size(a, 0) != lucid_size(b, 0))
        lucid_fail(c->s, LUCID_VALUE_ERROR, "bmm: %lld and %lld matrices; expected as many",
                   (long long)lucid_size(a, 0), (long long)lucid_size(b, 0));
    return lucid_matmul(c->s, a, b);
}

lucid_tensor lucidpy_op_mv(lucidpy_call *c)
{
    return product(c, 0, 2, 1);
}

lucid_tensor lucidpy_op_addmm(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), a = lucidpy_tensor(c, 1), b = lucidpy_tensor(c, 2);
    if (!have_ndims(c, a, 2, b, 2))
        return x;
    return lucid_add(c->s, scaled(c, 3, x), scaled(c, 4, lucid_matmul(c->s, a, b)));
}

lucid_tensor lucidpy_op_einsum(lucidpy_call *c)
{
    lucid_tensor none = {NULL};
    if (!PyUnicode_Check(c->arg[0]))
        return lucidpy_bad_argument(c, 0, "a string"), none;
    const char *equation = PyUnicode_AsUTF8AndSize(c->arg[0], NULL);
    if (!equation)
        return lucidpy_fail_call(c), none;
    size_t n;
    const lucid_tensor *xs = lucidpy_tensors(c, 1, &n);
    return lucid_einsum(c->s, equation, xs, n);
}

lucid_tensor lucidpy_op_tensordot(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), y = lucidpy_tensor(c, 1);
    lucid_dims x_dims = {0}, y_dims = {0};
    if (PyLong_Check(c->arg[2])) {
        int64_t n = lucidpy_int(c, 2);
        if (n < 0 || n > ndim_of(x) || n > ndim_of(y))
            return lucid_fail(c->s, LUCID_VALUE_ERROR,
                              "tensordot: cannot contract %lld dims of a %d-D and a %d-D tensor",
                              (long long)n, ndim_of(x), ndim_of(y)),
                   x;
        for (int k = 0; k < (int)n; k++) {
            x_dims.dim[x_dims.n++] = ndim_of(x) - (int)n + k;
            y_dims.dim[y_dims.n++] = k;
        }
        return lucid_tensordot(c->s, x, y, x_dims, y_dims);
    }
    PyObject *pair = PySequence_Tuple(c->arg[2]);
    if (!pair || PyTuple_Size(pair) != 2) {
        PyErr_Clear();
        Py_XDECREF(pair);
        return lucidpy_bad_argument(c, 2, "an int or a pair of lists of ints"), x;
    }
    PyObject *whole = c->arg[2];
    c->arg[2] = PyTuple_GetItem(pair, 0);
    x_dims = lucidpy_dims(c, 2, -1);
    c->arg[2] = PyTuple_GetItem(pair, 1);
    y_dims = lucidpy_dims(c, 2, -1);
    c->arg[2] = whole;
    Py_DECREF(pair);
    x_dims.all = y_dims.all = false; /* empty lists contract nothing */
    return lucid_tensordot(c->s, x, y, x_dims, y_dims);
}

static lucid_tensor transposed(lucid_scope *s, lucid_tensor x)
{
    return lucid_transpose(s, x, -2, -1);
}

/* (input, other, upper, left, unitriangular). */
lucid_tensor lucidpy_op_solve_triangular(lucidpy_call *c)
{
    lucid_scope *s = c->s;
    lucid_tensor a = lucidpy_tensor(c, 0), b = lucidpy_tensor(c, 1);
    bool upper = lucidpy_flag(c, 2), left = lucidpy_flag(c, 3), unit = lucidpy_flag(c, 4);
    if (left)
        return lucid_solve_triangular(s, a, b, upper, unit);
    /* x A = b is A^T x^T = b^T. */
    return transposed(s,
                      lucid_solve_triangular(s, transposed(s, a), transposed(s, b), !upper, unit));
}

/* Tolerances: None is the default of the library. */
static double tolerance(lucidpy_call *c, int i)
{
    if (lucidpy_is_none(c, i))
        return -1;
    double value = lucidpy_float(c, i);
    if (!(value >= 0))
        lucid_fail(c->s, LUCID_VALUE_ERROR, "%s: the tolerance must be >= 0, not %g", c->name,
                   value);
    return value;
}

PyObject *lucidpy_op_qr(lucidpy_call *c)
{
    static const char *const modes[] = {"reduced", "complete", "r", NULL};
    int mode = lucidpy_word(c, 1, modes);
    lucid_tensor r, q = lucid_qr(c->s, lucidpy_tensor(c, 0), mode == 1, &r);
    if (mode == 2)
        q = lucid_cast(c->s, lucid_zeros(c->s, LUCID_SHAPE(0)), lucid_dtype_of(r));
    return lucidpy_named_pair(c->s, LUCIDPY_QR, q, r);
}

/* Whether argument 1 says 'U'. */
static bool is_upper(lucidpy_call *c)
{
    static const char *const triangles[] = {"L", "U", NULL};
    return lucidpy_word(c, 1, triangles) == 1;
}

PyObject *lucidpy_op_eigh(lucidpy_call *c)
{
    lucid_tensor vectors, values = lucid_eigh(c->s, lucidpy_tensor(c, 0), is_upper(c), &vectors);
    return lucidpy_named_pair(c->s, LUCIDPY_EIGH, values, vectors);
}

lucid_tensor lucidpy_op_eigvalsh(lucidpy_call *c)
{
    return lucid_eigh(c->s, lucidpy_tensor(c, 0), is_upper(c), NULL);
}

PyObject *lucidpy_op_svd(lucidpy_call *c)
{
    lucid_tensor all[3];
    all[1] = lucid_svd(c->s, lucidpy_tensor(c, 0), lucidpy_flag(c, 1), &all[0], &all[2]);
    return lucidpy_named_tuple(c->s, LUCIDPY_SVD, all, 3);
}

lucid_tensor lucidpy_svdvals(lucid_scope *s, lucid_tensor x)
{
    return lucid_svd(s, x, false, NULL, NULL);
}

lucid_tensor lucidpy_op_pinv(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    return lucid_pinv(c->s, x, tolerance(c, 1));
}

lucid_tensor lucidpy_op_pinverse(lucidpy_call *c)
{
    return lucidpy_op_pinv(c);
}

lucid_tensor lucidpy_op_matrix_rank(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    return lucid_matrix_rank(c->s, x, tolerance(c, 1));
}

/* What nobody looks at is never computed. */
PyObject *lucidpy_op_lstsq(lucidpy_call *c)
{
    lucid_scope *s = c->s;
    lucid_tensor a = lucidpy_tensor(c, 0), b = lucidpy_tensor(c, 1);
    double least = tolerance(c, 2);
    lucid_tensor x = lucid_lstsq(s, a, b, least), all[4] = {x};
    bool vector = ndim_of(b) == 1 || ndim_of(b) == ndim_of(a) - 1;
    lucid_tensor columns = vector ? lucid_unsqueeze(s, x, -1) : x;
    lucid_tensor left =
        lucid_sub(s, lucid_matmul(s, a, columns), vector ? lucid_unsqueeze(s, b, -1) : b);
    all[1] = lucid_sum(s, lucid_square(s, left), LUCID_DIMS(-2));
    if (vector)
        all[1] = lucid_squeeze(s, all[1], LUCID_DIMS(-1));
    all[2] = lucid_matrix_rank(s, a, least);
    all[3] = lucidpy_svdvals(s, a);
    return lucidpy_named_tuple(s, LUCIDPY_LSTSQ, all, 4);
}

lucid_tensor lucidpy_op_matrix_power(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    return lucid_matrix_power(c->s, x, lucidpy_int(c, 1));
}

PyObject *lucidpy_op_slogdet(lucidpy_call *c)
{
    lucid_tensor sign = {NULL};
    lucid_tensor log = lucid_slogdet(c->s, lucidpy_tensor(c, 0), &sign);
    return lucidpy_named_pair(c->s, LUCIDPY_SLOGDET, sign, log);
}

lucid_tensor lucidpy_op_vecdot(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), y = lucidpy_tensor(c, 1);
    return lucid_sum(c->s, lucid_mul(c->s, x, y), lucidpy_dims(c, 2, -1));
}

lucid_tensor lucidpy_op_cross(lucidpy_call *c)
{
    lucid_scope *s = c->s;
    lucid_tensor x = lucidpy_tensor(c, 0), y = lucidpy_tensor(c, 1);
    int dim = lucidpy_dim(c, 2);
    if (lucid_error(s) == LUCID_OK && (lucid_size(x, dim) != 3 || lucid_size(y, dim) != 3))
        lucid_fail(s, LUCID_VALUE_ERROR, "cross: dim %d must have size 3 in both tensors", dim);
    /* z[i] = x[i+1] y[i+2] - x[i+2] y[i+1], indices modulo 3. */
    lucid_tensor x1 = lucid_roll(s, x, -1, dim), x2 = lucid_roll(s, x, -2, dim);
    lucid_tensor y1 = lucid_roll(s, y, -1, dim), y2 = lucid_roll(s, y, -2, dim);
    return lucid_sub(s, lucid_mul(s, x1, y2), lucid_mul(s, x2, y1));
}
