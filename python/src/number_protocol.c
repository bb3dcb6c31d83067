#include "number_protocol.h"

#include "call_scope.h"
#include "convert.h"
#include "dtype_type.h"
#include "interchange.h"
#include "tensor_type.h"

#include <math.h>

typedef lucid_tensor builder(lucid_scope *s, lucid_tensor x, lucid_tensor y);

/* Both operands as tensors. 1, 0: leave it to the other operand, -1: an exception. */
static int operands(lucid_scope *s, PyObject *a, PyObject *b, lucid_tensor *x, lucid_tensor *y)
{
    int converted = lucidpy_convert(s, a, x);
    return converted == 1 ? lucidpy_convert(s, b, y) : converted;
}

static PyObject *apply(builder *build, PyObject *a, PyObject *b)
{
    lucid_scope *s = lucidpy_enter();
    if (!s)
        return NULL;
    lucid_tensor x, y;
    int converted = operands(s, a, b, &x, &y);
    if (converted == 1)
        return lucidpy_result(s, build(s, x, y));
    lucid_clear_error(s);
    lucidpy_leave(s);
    return converted == 0 ? Py_NewRef(Py_NotImplemented) : NULL;
}

static PyObject *apply_in_place(builder *build, PyObject *self, PyObject *other)
{
    lucid_scope *s = lucidpy_enter();
    if (!s)
        return NULL;
    lucid_tensor x, y;
    int converted = operands(s, self, other, &x, &y);
    bool written = converted == 1 && lucidpy_rebind(s, self, build(s, x, y));
    lucid_clear_error(s);
    lucidpy_leave(s);
    if (converted == 0)
        return Py_NewRef(Py_NotImplemented);
    return written ? Py_NewRef(self) : NULL;
}

static PyObject *apply_unary(lucid_tensor (*build)(lucid_scope *, lucid_tensor), PyObject *self)
{
    lucid_scope *s = lucidpy_enter();
    return s ? lucidpy_result(s, build(s, lucidpy_handle(self))) : NULL;
}

/* slot, name, builder. */
#define BINARY_OPERATORS(X) \
    X(add, lucid_add) \
    X(subtract, lucid_sub) \
    X(multiply, lucid_mul) \
    X(true_divide, lucid_div) \
    X(floor_divide, lucid_floor_divide) \
    X(remainder, lucid_remainder) \
    X(and, lucid_bitwise_and) \
    X(or, lucid_bitwise_or) \
    X(xor, lucid_bitwise_xor) \
    X(lshift, lucid_bitwise_left_shift) \
    X(rshift, lucid_bitwise_right_shift) \
    X(matrix_multiply, lucid_matmul)

#define DEFINE(name, build) \
    static PyObject *binary_##name(PyObject *a, PyObject *b) \
    { \
        return apply(build, a, b); \
    } \
    static PyObject *in_place_##name(PyObject *a, PyObject *b) \
    { \
        return apply_in_place(build, a, b); \
    }
BINARY_OPERATORS(DEFINE)
#undef DEFINE

static PyObject *power(PyObject *a, PyObject *b, PyObject *modulus)
{
    if (modulus != Py_None)
        return Py_NewRef(Py_NotImplemented);
    return apply(lucid_pow, a, b);
}

static PyObject *in_place_power(PyObject *a, PyObject *b, PyObject *modulus)
{
    if (modulus != Py_None)
        return Py_NewRef(Py_NotImplemented);
    return apply_in_place(lucid_pow, a, b);
}

static PyObject *divide_with_remainder(PyObject *a, PyObject *b)
{
    PyObject *quotient = binary_floor_divide(a, b), *rest = NULL, *both = NULL;
    if (quotient == Py_NotImplemented)
        return quotient;
    if (quotient)
        rest = binary_remainder(a, b);
    if (rest)
        both = PyTuple_Pack(2, quotient, rest);
    Py_XDECREF(quotient);
    Py_XDECREF(rest);
    return both;
}

static PyObject *negative(PyObject *self)
{
    return apply_unary(lucid_neg, self);
}

static PyObject *absolute(PyObject *self)
{
    return apply_unary(lucid_abs, self);
}

static PyObject *invert(PyObject *self)
{
    return apply_unary(lucid_bitwise_not, self);
}

static PyObject *positive(PyObject *self)
{
    return Py_NewRef(self);
}

/* An int beyond int64 as the nearest float, which compares as it does with every int64; others as they are. */
static PyObject *comparable(PyObject *o)
{
    int overflow = 0;
    if (PyLong_CheckExact(o))
        (void)PyLong_AsLongLongAndOverflow(o, &overflow);
    if (!overflow)
        return Py_NewRef(o);
    double value = PyLong_AsDouble(o);
    if (PyErr_Occurred()) {
        PyErr_Clear();
        value = overflow > 0 ? (double)INFINITY : -(double)INFINITY;
    }
    return PyFloat_FromDouble(value);
}

static PyObject *compare(PyObject *a, PyObject *b, int operation)
{
    static builder *const build[] = {
        [Py_LT] = lucid_lt, [Py_LE] = lucid_le, [Py_EQ] = lucid_eq,
        [Py_NE] = lucid_ne, [Py_GT] = lucid_gt, [Py_GE] = lucid_ge,
    };
    b = comparable(b);
    PyObject *result = b ? apply(build[operation], a, b) : NULL;
    Py_XDECREF(b);
    return result;
}

/* -- a concrete answer: the value is computed, without holding the GIL ------------------------- */

PyObject *lucidpy_item(lucid_scope *s, lucid_tensor x)
{
    PyObject *number = NULL;
    x = lucid_own(s, x); /* another thread may rebind its object meanwhile */
    if (!lucidpy_ok(s))
        return NULL;
    PyThreadState *state = lucidpy_let_go();
    switch (lucid_dtype_of(x)) {
    case LUCID_FLOAT32:
    case LUCID_FLOAT64: {
        double value = lucid_item(s, x);
        lucidpy_take_back(state);
        number = lucidpy_ok(s) ? PyFloat_FromDouble(value) : NULL;
        break;
    }
    case LUCID_INT32:
    case LUCID_INT64: {
        int64_t value = lucid_item_int(s, x);
        lucidpy_take_back(state);
        number = lucidpy_ok(s) ? PyLong_FromLongLong(value) : NULL;
        break;
    }
    case LUCID_BOOL:
    case LUCID_NO_DTYPE: {
        bool value = lucid_bool(s, x);
        lucidpy_take_back(state);
        number = lucidpy_ok(s) ? PyBool_FromLong(value) : NULL;
        break;
    }
    }
    lucidpy_free_released();
    return number;
}

static PyObject *item_of(PyObject *self)
{
    lucid_scope *s = lucidpy_enter();
    PyObject *number = s ? lucidpy_item(s, lucidpy_handle(self)) : NULL;
    if (s)
        lucidpy_leave(s);
    return number;
}

static PyObject *to_float(PyObject *self)
{
    if (!lucidpy_may_leave(lucidpy_handle(self), "float", false, NULL))
        return NULL;
    PyObject *number = item_of(self), *result = number ? PyNumber_Float(number) : NULL;
    Py_XDECREF(number);
    return result;
}

/* Inside a transform the whole part alone is asked for, on which more examples agree. */
static PyObject *to_int(PyObject *self)
{
    lucid_scope *s = lucidpy_enter();
    if (!s)
        return NULL;
    lucid_tensor x = lucidpy_handle(self);
    lucid_dtype dtype = lucid_dtype_of(x);
    if (lucid_level(s) && (dtype == LUCID_FLOAT32 || dtype == LUCID_FLOAT64) && lucid_numel(x) == 1)
        x = lucid_trunc(s, x);
    PyObject *number = lucidpy_item(s, x), *result = number ? PyNumber_Long(number) : NULL;
    Py_XDECREF(number);
    lucidpy_leave(s);
    return result;
}

static PyObject *to_index(PyObject *self)
{
    lucid_tensor x = lucidpy_handle(self);
    lucid_dtype dtype = lucid_dtype_of(x);
    if (lucid_ndim(x) != 0 || (dtype != LUCID_INT32 && dtype != LUCID_INT64)) {
        PyErr_Format(PyExc_TypeError,
                     "only a 0-d integer tensor can be used as an index, not a %d-D %s tensor",
                     lucid_ndim(x), lucid_dtype_name(dtype));
        return NULL;
    }
    return item_of(self);
}

static int to_bool(PyObject *self)
{
    lucid_scope *s = lucidpy_enter();
    if (!s)
        return -1;
    lucid_tensor x = lucid_own(s, lucidpy_handle(self));
    bool value;
    LUCIDPY_COMPUTE_BEGIN
    value = lucid_bool(s, x);
    LUCIDPY_COMPUTE_END
    int answer = lucidpy_ok(s) ? value : -1;
    lucidpy_leave(s);
    return answer;
}

const PyType_Slot lucidpy_number_slots[] = {
#define SLOTS(name, build) \
    {Py_nb_##name, LUCIDPY_SLOT(binary_##name)}, \
        {Py_nb_inplace_##name, LUCIDPY_SLOT(in_place_##name)},
    BINARY_OPERATORS(SLOTS)
#undef SLOTS
        {Py_nb_power, LUCIDPY_SLOT(power)},
    {Py_nb_inplace_power, LUCIDPY_SLOT(in_place_power)},
    {Py_nb_divmod, LUCIDPY_SLOT(divide_with_remainder)},
    {Py_nb_negative, LUCIDPY_SLOT(negative)},
    {Py_nb_positive, LUCIDPY_SLOT(positive)},
    {Py_nb_absolute, LUCIDPY_SLOT(absolute)},
    {Py_nb_invert, LUCIDPY_SLOT(invert)},
    {Py_tp_richcompare, LUCIDPY_SLOT(compare)},
    {Py_nb_float, LUCIDPY_SLOT(to_float)},
    {Py_nb_int, LUCIDPY_SLOT(to_int)},
    {Py_nb_index, LUCIDPY_SLOT(to_index)},
    {Py_nb_bool, LUCIDPY_SLOT(to_bool)},
    {0, NULL},
};
