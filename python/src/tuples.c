#include "tuples.h"

#include "call_scope.h"
#include "submodule.h"

static PyStructSequence_Field values_indices[] = {
    {"values", "The elements."},
    {"indices", "Where they stand along the dim, int64."},
    {NULL, NULL},
};

static PyStructSequence_Field sign_logabsdet[] = {
    {"sign", "-1, 0 or 1."},
    {"logabsdet", "The logarithm of the absolute value of the determinant."},
    {NULL, NULL},
};

static PyStructSequence_Field q_r[] = {
    {"Q", "Orthonormal columns."},
    {"R", "Upper triangular."},
    {NULL, NULL},
};

static PyStructSequence_Field values_vectors[] = {
    {"eigenvalues", "In ascending order."},
    {"eigenvectors", "Orthonormal columns."},
    {NULL, NULL},
};

static PyStructSequence_Field u_s_vh[] = {
    {"U", "Orthonormal columns."},
    {"S", "The singular values, in descending order."},
    {"Vh", "Orthonormal rows."},
    {NULL, NULL},
};

static PyStructSequence_Field least_squares[] = {
    {"solution", "Of least norm."},
    {"residuals", "Sums of squares left over, per column."},
    {"rank", "int64."},
    {"singular_values", "In descending order."},
    {NULL, NULL},
};

static PyStructSequence_Desc descriptions[LUCIDPY_NAMED_COUNT] = {
    [LUCIDPY_MAX] = {"lucid.return_types.max", "What max returns over a dim.", values_indices, 2},
    [LUCIDPY_MIN] = {"lucid.return_types.min", "What min returns over a dim.", values_indices, 2},
    [LUCIDPY_SORT] = {"lucid.return_types.sort", "What sort returns.", values_indices, 2},
    [LUCIDPY_TOPK] = {"lucid.return_types.topk", "What topk returns.", values_indices, 2},
    [LUCIDPY_SLOGDET] = {"lucid.return_types.slogdet", "What slogdet returns.", sign_logabsdet, 2},
    [LUCIDPY_QR] = {"lucid.return_types.qr", "What qr returns.", q_r, 2},
    [LUCIDPY_EIGH] = {"lucid.return_types.eigh", "What eigh returns.", values_vectors, 2},
    [LUCIDPY_SVD] = {"lucid.return_types.svd", "What svd returns.", u_s_vh, 3},
    [LUCIDPY_LSTSQ] = {"lucid.return_types.lstsq", "What lstsq returns.", least_squares, 4},
};

static PyTypeObject *types[LUCIDPY_NAMED_COUNT];

bool lucidpy_tuples_init(PyObject *module)
{
    PyObject *home = lucidpy_add_submodule(module, "return_types");
    bool ok = home != NULL;
    for (int i = 0; ok && i < LUCIDPY_NAMED_COUNT; i++) {
        types[i] = PyStructSequence_NewType(&descriptions[i]);
        ok = types[i] && !PyModule_AddType(home, types[i]);
    }
    Py_XDECREF(home);
    return ok;
}

PyObject *lucidpy_tuple(lucid_scope *s, const lucid_tensor *xs, size_t n)
{
    if (!lucidpy_ok(s))
        return NULL;
    PyObject *tuple = PyTuple_New((Py_ssize_t)n);
    for (size_t i = 0; tuple && i < n; i++) {
        PyObject *x = lucidpy_wrap(s, xs[i]);
        if (!x || PyTuple_SetItem(tuple, (Py_ssize_t)i, x))
            Py_CLEAR(tuple);
    }
    return tuple;
}

PyObject *lucidpy_named_tuple(lucid_scope *s, lucidpy_named which, const lucid_tensor *xs, int n)
{
    if (!lucidpy_ok(s))
        return NULL;
    PyObject *all = PyStructSequence_New(types[which]);
    for (int i = 0; all && i < n; i++) {
        PyObject *x = lucidpy_wrap(s, xs[i]);
        if (x)
            PyStructSequence_SetItem(all, i, x);
        else
            Py_CLEAR(all);
    }
    return all;
}

PyObject *lucidpy_named_pair(lucid_scope *s, lucidpy_named which, lucid_tensor first,
                             lucid_tensor second)
{
    return lucidpy_named_tuple(s, which, (lucid_tensor[]){first, second}, 2);
}
