/* Making tensors. */
#include "call_scope.h"
#include "common_ops.h"
#include "convert.h"
#include "dtype_type.h"

/* Every creation function ends so: cast to argument `dtype`, record if argument `grad` says so. */
static lucid_tensor finish(lucidpy_call *c, int dtype, int grad, lucid_tensor x)
{
    x = lucidpy_cast_argument(c, dtype, x);
    c->leaf = lucidpy_flag(c, grad);
    return c->leaf ? lucid_requires_grad(c->s, x) : x;
}

/* -- from data -------------------------------------------------------------------------------- */

static lucid_tensor data_argument(lucidpy_call *c, int i, lucidpy_sharing sharing,
                                  lucid_dtype dtype)
{
    lucid_tensor x = {NULL};
    int converted = lucidpy_convert_to(c->s, c->arg[i], sharing, dtype, &x);
    if (converted == 0)
        lucidpy_bad_argument(c, i, "a number, a nested list, an array or a tensor");
    else if (converted < 0)
        lucidpy_fail_call(c);
    return x;
}

lucid_tensor lucidpy_op_tensor(lucidpy_call *c)
{
    return finish(c, 1, 2, data_argument(c, 0, LUCIDPY_COPY, lucidpy_dtype(c, 1)));
}

/* The tensor follows the memory of the array. */
static lucid_tensor over_array(lucidpy_call *c, PyObject *array, lucid_dtype dtype)
{
    lucid_tensor x = {NULL};
    if (!array || !lucidpy_follow_buffer(c->s, array, dtype, &x, &c->memory))
        lucidpy_fail_call(c);
    return dtype == LUCID_NO_DTYPE ? x : lucid_cast(c->s, x, dtype);
}

static lucid_tensor share(lucidpy_call *c, lucid_dtype dtype)
{
    PyObject *o = c->arg[0];
    if (PyObject_CheckBuffer(o))
        return over_array(c, o, dtype);
    PyObject *array = PyObject_CallMethod(o, "__array__", NULL);
    lucid_tensor x = over_array(c, array, dtype);
    Py_XDECREF(array);
    return x;
}

lucid_tensor lucidpy_op_as_tensor(lucidpy_call *c)
{
    lucid_dtype dtype = lucidpy_dtype(c, 1);
    if (lucidpy_is_tensor(c->arg[0])) {
        lucid_tensor x = lucidpy_tensor(c, 0);
        if (dtype == LUCID_NO_DTYPE || dtype == lucid_dtype_of(x))
            lucidpy_place_begin(&c->place, c->arg[0]); /* the same elements */
        return dtype == LUCID_NO_DTYPE ? x : lucid_cast(c->s, x, dtype);
    }
    return lucidpy_is_array(c->arg[0]) && lucid_error(c->s) == LUCID_OK
               ? share(c, dtype)
               : data_argument(c, 0, LUCIDPY_COPY, dtype);
}

lucid_tensor lucidpy_op_from_numpy(lucidpy_call *c)
{
    if (!lucidpy_is_tensor(c->arg[0]) && lucidpy_is_array(c->arg[0]))
        return share(c, LUCID_NO_DTYPE);
    lucidpy_bad_argument(c, 0, "an array");
    return (lucid_tensor){NULL};
}

lucid_tensor lucidpy_op_new_tensor(lucidpy_call *c)
{
    lucid_tensor like = lucidpy_tensor(c, 0);
    lucid_dtype dtype = lucidpy_is_none(c, 2) ? lucid_dtype_of(like) : lucidpy_dtype(c, 2);
    return finish(c, 2, 3, data_argument(c, 1, LUCIDPY_COPY, dtype));
}

/* -- of one value ----------------------------------------------------------------------------- */

/* `value` in a shape, in the dtype of argument i, or `otherwise` when that is None. */
static lucid_tensor filled(lucidpy_call *c, lucid_shape shape, double value, int i,
                           lucid_dtype otherwise)
{
    lucid_dtype dtype = lucidpy_dtype(c, i);
    lucid_tensor scalar =
        lucid_cast(c->s, lucid_scalar(c->s, value), dtype == LUCID_NO_DTYPE ? otherwise : dtype);
    return lucid_full(c->s, shape, scalar);
}

lucid_tensor lucidpy_op_zeros(lucidpy_call *c)
{
    lucid_shape shape = lucidpy_shape(c, 0);
    return finish(c, 1, 2, filled(c, shape, 0, 1, *lucidpy_default_dtype()));
}

lucid_tensor lucidpy_op_ones(lucidpy_call *c)
{
    lucid_shape shape = lucidpy_shape(c, 0);
    return finish(c, 1, 2, filled(c, shape, 1, 1, *lucidpy_default_dtype()));
}

lucid_tensor lucidpy_op_empty(lucidpy_call *c)
{
    return lucidpy_op_zeros(c);
}

lucid_tensor lucidpy_op_full(lucidpy_call *c)
{
    lucid_shape shape = lucidpy_shape(c, 0);
    lucid_tensor value = lucidpy_cast_argument(c, 2, lucidpy_tensor(c, 1));
    return finish(c, 2, 3, lucid_full(c->s, shape, value));
}

/* The shape of x filled with a value, in the dtype of argument i or of x. Unlike lucid_full_like it
 * casts before it fills, so that integers are not cut by a float32 in between. */
static lucid_tensor like(lucidpy_call *c, lucid_tensor x, lucid_tensor value, int i)
{
    lucid_dtype dtype = lucidpy_dtype(c, i);
    if (dtype == LUCID_NO_DTYPE)
        dtype = lucid_dtype_of(x);
    return lucid_full(c->s, lucid_shape_of(x), lucid_cast(c->s, value, dtype));
}

lucid_tensor lucidpy_op_zeros_like(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    return finish(c, 1, 2, like(c, x, lucid_scalar_int(c->s, 0), 1));
}

lucid_tensor lucidpy_op_ones_like(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    return finish(c, 1, 2, like(c, x, lucid_scalar_int(c->s, 1), 1));
}

lucid_tensor lucidpy_op_empty_like(lucidpy_call *c)
{
    return lucidpy_op_zeros_like(c);
}

lucid_tensor lucidpy_op_full_like(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    return finish(c, 2, 3, like(c, x, lucidpy_tensor(c, 1), 2));
}

/* (input, *size, dtype, requires_grad). */
static lucid_tensor of_size(lucidpy_call *c, double value)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    lucid_shape shape = lucidpy_shape(c, 1);
    return finish(c, 2, 3, filled(c, shape, value, 2, lucid_dtype_of(x)));
}

lucid_tensor lucidpy_op_new_zeros(lucidpy_call *c)
{
    return of_size(c, 0);
}

lucid_tensor lucidpy_op_new_ones(lucidpy_call *c)
{
    return of_size(c, 1);
}

lucid_tensor lucidpy_op_new_empty(lucidpy_call *c)
{
    return of_size(c, 0);
}

lucid_tensor lucidpy_op_new_full(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    lucid_shape shape = lucidpy_shape(c, 1);
    lucid_dtype dtype = lucidpy_dtype(c, 3);
    lucid_tensor value =
        lucid_cast(c->s, lucidpy_tensor(c, 2), dtype == LUCID_NO_DTYPE ? lucid_dtype_of(x) : dtype);
    return finish(c, 3, 4, lucid_full(c->s, shape, value));
}

/* -- of a rule -------------------------------------------------------------------------------- */

lucid_tensor lucidpy_op_eye(lucidpy_call *c)
{
    int64_t rows = lucidpy_int(c, 0), cols = lucidpy_is_none(c, 1) ? rows : lucidpy_int(c, 1);
    return finish(c, 2, 3, lucid_eye(c->s, rows, cols));
}

static bool is_whole(PyObject *o)
{
    return o == Py_None || (!PyFloat_Check(o) && lucidpy_is_integer(o));
}

lucid_tensor lucidpy_op_arange(lucidpy_call *c)
{
    lucid_dtype dtype = lucidpy_dtype(c, 3);
    bool one = lucidpy_is_none(c, 1);
    if (is_whole(c->arg[0]) && is_whole(c->arg[1]) && is_whole(c->arg[2])) {
        int64_t start = one ? 0 : lucidpy_int(c, 0), end = lucidpy_int(c, !one);
        return finish(c, 3, 4, lucid_arange_int(c->s, start, end, lucidpy_int(c, 2), dtype));
    }
    double start = one ? 0 : lucidpy_float(c, 0), end = lucidpy_float(c, !one);
    double step = lucidpy_float(c, 2);
    if (dtype == LUCID_NO_DTYPE)
        dtype = *lucidpy_default_dtype();
    return finish(c, 3, 4, lucid_arange(c->s, start, end, step, dtype));
}

lucid_tensor lucidpy_op_linspace(lucidpy_call *c)
{
    double start = lucidpy_float(c, 0), end = lucidpy_float(c, 1);
    int64_t count = lucidpy_int(c, 2);
    lucid_dtype dtype = lucidpy_dtype(c, 3);
    if (dtype == LUCID_NO_DTYPE)
        dtype = *lucidpy_default_dtype();
    return finish(c, 3, 4, lucid_linspace_of(c->s, start, end, count, dtype));
}

/* -- the default dtype ------------------------------------------------------------------------ */

PyObject *lucidpy_op_set_default_dtype(lucidpy_call *c)
{
    lucid_dtype dtype = lucidpy_dtype(c, 0);
    if (lucid_error(c->s) == LUCID_OK && lucid_set_default_dtype(c->s, dtype) == LUCID_OK)
        *lucidpy_default_dtype() = dtype;
    return lucidpy_ok(c->s) ? Py_NewRef(Py_None) : NULL;
}

PyObject *lucidpy_op_get_default_dtype(lucidpy_call *c)
{
    (void)c;
    return lucidpy_dtype_object(*lucidpy_default_dtype());
}
