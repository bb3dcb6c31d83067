/* jacrev: vmap of the pullback over a basis of cotangents. jacfwd: vmap of jvp over a basis of
 * tangents (the primal work does not depend on the basis, so it is done once). hessian: jacfwd of
 * grad. No loops over rows; chunk_size bounds how many are computed at once. */
#include <string.h>

#include "base/dtype.h"
#include "base/memory.h"
#include "prim/family.h"
#include "transform/argnums.h"
#include "transform/tape.h"
#include "transform/vmap.h"

typedef struct jacobian_self {
    const char *name;
    lucid__fn *f;
    lucid__argnums argnums;
    int64_t chunk_size;
} jacobian_self;

static void destroy(void *self)
{
    jacobian_self *j = self;
    lucid__fn_release(j->f);
    lucid__argnums_free(&j->argnums);
}

/* The unit vectors of a space of this shape: (numel, shape...). */
static lucid_tensor basis(lucid_scope *s, const lucid__aval *aval)
{
    if (aval->shape.ndim >= LUCID_MAX_NDIM)
        return lucid__error(s, LUCID_VALUE_ERROR, "jacobian: more than %d dims", LUCID_MAX_NDIM);
    int64_t n = lucid__numel(&aval->shape);
    lucid_shape shape = lucid__shape_insert(&aval->shape, 0, n);
    int64_t params[2] = {aval->dtype, n};
    return lucid_reshape(s, lucid__bind1(s, LUCID__basis, NULL, 0, params, 2), shape);
}

/* out.shape + arg.shape. */
static bool join(lucid_scope *s, const lucid_shape *out, const lucid_shape *arg, lucid_shape *to)
{
    if (out->ndim + arg->ndim > LUCID_MAX_NDIM) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "jacobian: the result has more than %d dims",
                         LUCID_MAX_NDIM);
        return false;
    }
    *to = *out;
    for (int i = 0; i < arg->ndim; i++)
        to->dim[to->ndim++] = arg->dim[i];
    return true;
}

/* An inner function of this file, called through a hidden vmap over the rows of one basis. */
static bool map_basis(lucid_scope *s, lucid__fn_call *call, const void *self, size_t self_size,
                      int64_t chunk_size, int out_dim, lucid_tensor rows, lucid_results *out)
{
    lucid__fn *object = lucid__fn_alloc("jacobian", self_size, call, NULL);
    if (object)
        memcpy(object->self, self, self_size);
    lucid_fn row = lucid__own_fn(s, object);
    lucid_fn mapped = lucid__vmap(s, row,
                                  &(lucid_vmap_options){.chunk_size = chunk_size,
                                                        .out_dims = {&out_dim, 1},
                                                        .strategy = LUCID_STRATEGY_VECTORIZED},
                                  true);
    return lucid_call_listing(s, mapped, &rows, 1, out) == LUCID_OK;
}

/* ---- reverse -------------------------------------------------------------------------------- */

typedef struct pull_self {
    const lucid__linear *linear;
    const lucid__argnums *argnums;
    size_t k; /* the output whose cotangent is the argument */
} pull_self;

static lucid_status pull(lucid_scope *s, const void *self, const lucid_tensor *x, size_t nx,
                         lucid_results *out)
{
    const pull_self *p = self;
    const lucid__linear *linear = p->linear;
    lucid_tensor *dy = lucid_alloc(s, (linear->ny + linear->nx) * sizeof *dy);
    if (!dy || nx != 1)
        return lucid_error(s);
    lucid_tensor *dx = dy + linear->ny;
    dy[p->k] = x[0];
    lucid__linear_pull(s, linear, dy, dx);
    for (size_t j = 0; j < p->argnums->n && lucid__ok(s); j++) {
        int i = lucid__argnum(p->argnums, j, linear->nx);
        (void)lucid_results_push(s, out, dx[i].v ? dx[i] : lucid__zeros(s, &linear->x_avals[i]));
    }
    return lucid_error(s);
}

static void reverse_rows(lucid_scope *s, const jacobian_self *self, const lucid__linear *linear,
                         size_t k, lucid_results *out)
{
    lucid_scope child;
    lucid__scope_enter(&child, s);
    const lucid__aval *y = &linear->y_avals[k];
    pull_self p = {linear, &self->argnums, k};
    lucid_results *rows = lucid_results_new(&child);
    bool flat = linear->y[k] == NULL; /* constant or not a float: no row to compute */
    if (rows && !flat)
        (void)map_basis(&child, pull, &p, sizeof p, self->chunk_size, 0, basis(&child, y), rows);
    for (size_t j = 0; j < self->argnums.n && lucid__ok(s); j++) {
        const lucid__aval *x = &linear->x_avals[lucid__argnum(&self->argnums, j, linear->nx)];
        lucid__aval aval = {.dtype = x->dtype};
        if (!join(s, &y->shape, &x->shape, &aval.shape))
            break;
        (void)lucid_results_push(
            s, out,
            flat ? lucid__zeros(&child, &aval)
                 : lucid_reshape(&child, lucid_results_at(rows, j), aval.shape));
    }
    lucid__scope_leave(&child);
}

static lucid_status call_reverse(lucid_scope *s, const void *self, const lucid_tensor *x, size_t nx,
                                 lucid_results *out)
{
    const jacobian_self *j = self;
    bool *active = lucid_alloc(s, (nx + 1) * sizeof *active);
    lucid_results *y = lucid_results_new(s);
    if (!active || !y || !lucid__argnums_select(s, j->name, j->f, &j->argnums, x, nx, active))
        return lucid_error(s);
    lucid__linear linear;
    if (!lucid__linearize(s, j->f, x, active, nx, false, y, &linear))
        return lucid_error(s);
    for (size_t k = 0; k < linear.ny && lucid__ok(s); k++)
        reverse_rows(s, j, &linear, k, out);
    for (size_t k = linear.ny; k < y->count && lucid__ok(s); k++)
        (void)lucid_results_push_aux(s, out, y->at[k].x);
    lucid__linear_release(&linear);
    return lucid_error(s);
}

/* ---- forward -------------------------------------------------------------------------------- */

typedef struct push_self {
    lucid__fn *f;
    const lucid_tensor *x;
    size_t nx;
    int i; /* the argument whose tangent is the argument */
} push_self;

static lucid_status push(lucid_scope *s, const void *self, const lucid_tensor *dx, size_t n,
                         lucid_results *out)
{
    const push_self *p = self;
    lucid_tensor *tangents = lucid_alloc(s, p->nx * sizeof *tangents);
    lucid_results *y = lucid_results_new(s), *dy = lucid_results_new(s);
    if (!tangents || !y || !dy || n != 1)
        return lucid_error(s);
    tangents[p->i] = dx[0];
    if (lucid_jvp_listing(s, (lucid_fn){p->f}, p->x, tangents, p->nx, y, dy) != LUCID_OK)
        return lucid_error(s);
    for (size_t k = 0; k < dy->count; k++)
        (void)lucid_results_push(s, out, dy->at[k].x);
    /* Auxiliary results do not depend on the tangent: the same for every row. */
    for (size_t k = dy->count; k < y->count; k++)
        (void)lucid_results_push_at(s, out, y->at[k].x, LUCID_NONE);
    if (lucid__ok(s))
        out->aux = y->aux;
    return lucid_error(s);
}

static lucid_status call_forward(lucid_scope *s, const void *self, const lucid_tensor *x, size_t nx,
                                 lucid_results *out)
{
    const jacobian_self *j = self;
    bool *active = lucid_alloc(s, (nx + 1) * sizeof *active);
    lucid_results **columns = lucid_alloc(s, j->argnums.n * sizeof(*columns));
    if (!active || !columns || !lucid__argnums_select(s, j->name, j->f, &j->argnums, x, nx, active))
        return lucid_error(s);
    for (size_t a = 0; a < j->argnums.n; a++) {
        push_self p = {j->f, x, nx, lucid__argnum(&j->argnums, a, nx)};
        columns[a] = lucid_results_new(s);
        if (!columns[a] || !map_basis(s, push, &p, sizeof p, j->chunk_size, -1,
                                      basis(s, &x[p.i].v->aval), columns[a]))
            return lucid_error(s);
    }
    const lucid_results *first = columns[0];
    size_t ny = first->count - first->aux;
    for (size_t k = 0; k < ny; k++)
        for (size_t a = 0; a < j->argnums.n && lucid__ok(s); a++) {
            if (columns[a]->count != first->count)
                return lucid_fail(s, LUCID_VALUE_ERROR,
                                  "jacfwd: the function returned different numbers of results");
            lucid_tensor column = columns[a]->at[k].x;
            lucid_shape out_shape =
                lucid__shape_remove(&column.v->aval.shape, column.v->aval.shape.ndim - 1);
            lucid_shape shape;
            int i = lucid__argnum(&j->argnums, a, nx);
            if (!join(s, &out_shape, &x[i].v->aval.shape, &shape))
                continue;
            if (!lucid__is_float(column.v->aval.dtype)) /* a result that has no derivative */
                column = lucid_cast(s, column, x[i].v->aval.dtype);
            (void)lucid_results_push(s, out, lucid_reshape(s, column, shape));
        }
    for (size_t k = ny; k < first->count && lucid__ok(s); k++)
        (void)lucid_results_push_aux(s, out, first->at[k].x);
    return lucid_error(s);
}

/* ---- the transforms ------------------------------------------------------------------------- */

static lucid_fn make(lucid_scope *s, lucid_fn f, const lucid_grad_options *options,
                     const char *name, lucid__fn_call *call)
{
    if (!lucid__check_fn(s, name, f))
        return (lucid_fn){NULL};
    if (options && options->chunk_size < 0 && options->chunk_size != LUCID_AUTO_CHUNK) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR,
                         "%s: chunk_size must be >= 1, 0 (all rows) or LUCID_AUTO_CHUNK, not %lld",
                         name, (long long)options->chunk_size);
        return (lucid_fn){NULL};
    }
    lucid__fn *object = lucid__fn_alloc(name, sizeof(jacobian_self), call, destroy);
    if (object) {
        jacobian_self *j = (jacobian_self *)(void *)object->self;
        j->name = name;
        j->f = lucid__fn_retain(f.f);
        object->takes_numbers = true;
        lucid__fn_take_argument_names(object, f.f);
        j->chunk_size = options ? options->chunk_size : 0;
        if (!lucid__argnums_copy(&j->argnums, options ? options->argnums : (lucid_ints){0})) {
            lucid__fn_release(object);
            object = NULL;
        }
    }
    return lucid__own_fn(s, object);
}

lucid_fn lucid_jacrev(lucid_scope *s, lucid_fn f, const lucid_grad_options *options)
{
    return make(s, f, options, "jacrev", call_reverse);
}

lucid_fn lucid_jacfwd(lucid_scope *s, lucid_fn f, const lucid_grad_options *options)
{
    return make(s, f, options, "jacfwd", call_forward);
}

lucid_fn lucid_hessian(lucid_scope *s, lucid_fn f, const lucid_grad_options *options)
{
    lucid_fn gradient = lucid__grad_named(s, f, options, "hessian");
    return make(s, gradient, options, "hessian", call_forward);
}
