/* Contractions with named dims: what the rules for them are made of. */
#include <string.h>

#include "engine/simplify_product.h"
#include "prim/prim.h"

enum { MAX = LUCID_MAX_NDIM };

/* ---- named dims ------------------------------------------------------------------------------------ */

void lucid__add_name(lucid__names *to, int name)
{
    to->at[to->n++] = name;
}

void lucid__add_names(lucid__names *to, const lucid__names *from, uint32_t among)
{
    for (int i = 0; i < from->n; i++)
        if (among >> from->at[i] & 1)
            lucid__add_name(to, from->at[i]);
}

bool lucid__has_name(const lucid__names *list, int name)
{
    for (int i = 0; i < list->n; i++)
        if (list->at[i] == name)
            return true;
    return false;
}

double lucid__volume_over(const lucid__product_dims *p, uint32_t over)
{
    double n = 1;
    for (; over; over &= over - 1)
        n *= (double)p->size[__builtin_ctz(over)];
    return n;
}

static int find(const int64_t *list, int n, int64_t x)
{
    for (int i = 0; i < n; i++)
        if (list[i] == x)
            return i;
    return -1;
}

bool lucid__name_dims(lucid__product_dims *p, lucid__simplifier *z, lucid__op *op, int side)
{
    const lucid_shape *shape[2] = {&lucid__simplify_aval(z, op->in[side])->shape,
                                   &lucid__simplify_aval(z, op->in[1 - side])->shape};
    int nb = (int)op->params[0], nc = (int)op->params[1];
    const int64_t *b[2] = {op->params + 2 + side * nb, op->params + 2 + (1 - side) * nb};
    const int64_t *c[2] = {op->params + 2 + 2 * nb + side * nc,
                           op->params + 2 + 2 * nb + (1 - side) * nc};
    *p = (lucid__product_dims){.z = z, .op = op, .side = side, .y = {.what = op->in[1 - side]}};
    for (int i = 0; i < nb; i++)
        lucid__add_name(&p->batches, (int)b[0][i]);
    for (int i = 0; i < nc; i++)
        lucid__add_name(&p->sums, (int)c[0][i]);
    for (int d = 0; d < shape[0]->ndim; d++) {
        p->size[d] = shape[0]->dim[d];
        uint32_t bit = (uint32_t)(shape[0]->dim[d] > 1) << d;
        bool batch = find(b[0], nb, d) >= 0, summed = find(c[0], nc, d) >= 0;
        *(batch ? &p->batch : summed ? &p->summed : &p->own) |= bit;
        if (!batch && !summed)
            lucid__add_name(&p->rows, d);
    }
    for (int d = 0; d < shape[1]->ndim; d++) {
        int i = find(b[1], nb, d), k = find(c[1], nc, d);
        p->y.name[d] = i >= 0 ? (int)b[0][i] : k >= 0 ? (int)c[0][k] : MAX + d;
        p->size[p->y.name[d]] = shape[1]->dim[d];
        p->y.over |= 1u << p->y.name[d];
        if (i < 0 && k < 0)
            lucid__add_name(&p->cols, MAX + d);
    }
    p->result = p->batches;
    lucid__add_names(&p->result, side == 0 ? &p->rows : &p->cols, ~0u);
    lucid__add_names(&p->result, side == 0 ? &p->cols : &p->rows, ~0u);
    return lucid__numel(shape[0]) > 0 && lucid__numel(shape[1]) > 0;
}

/* ---- values ----------------------------------------------------------------------------------------- */

lucid__aval lucid__aval_over(const lucid__product_dims *p, const lucid__names *dims)
{
    lucid__aval aval = {p->op->out[0].dtype, {.ndim = dims->n}};
    for (int i = 0; i < dims->n; i++)
        aval.shape.dim[i] = p->size[dims->at[i]];
    return aval;
}

/* A view, unless it shows all as it is. */
static lucid__operand view(const lucid__product_dims *p, lucid__prim_id prim, lucid__operand x,
                           const int64_t *params, const lucid__aval *out)
{
    const lucid__aval *in = lucid__simplify_aval(p->z, x);
    bool same = lucid__shape_equal(&in->shape, &out->shape);
    for (int d = 0; prim == LUCID__permute && d < out->shape.ndim; d++)
        same &= params[d] == d;
    return same || !p->z->ok ? x
                             : lucid__simplify_add(p->z, prim, &x, 1, params, out->shape.ndim, out);
}

lucid__operand lucid__reshaped(const lucid__product_dims *p, lucid__operand x,
                               const lucid__aval *out)
{
    return view(p, LUCID__reshape, x, out->shape.dim, out);
}

lucid__operand lucid__arranged(const lucid__product_dims *p, const lucid__named *x,
                               const lucid__names *dims)
{
    lucid__aval aval = *lucid__simplify_aval(p->z, x->what), out = lucid__aval_over(p, dims);
    int64_t order[MAX];
    int n = aval.shape.ndim, at = 0;
    for (int i = 0; i < dims->n; i++) {
        int d = 0;
        while (d < n && x->name[d] != dims->at[i])
            d++;
        if (d < n)
            order[at++] = d;
        else
            out.shape.dim[i] = 1;
    }
    for (int d = 0; d < n; d++)
        if (find(order, at, d) < 0)
            order[at++] = d;
    const lucid_shape before = aval.shape;
    for (int d = 0; d < n; d++)
        aval.shape.dim[d] = before.dim[order[d]];
    return lucid__reshaped(p, view(p, LUCID__permute, x->what, order, &aval), &out);
}

lucid__operand lucid__spread(const lucid__product_dims *p, const lucid__named *x,
                             const lucid__names *dims)
{
    lucid__aval out = lucid__aval_over(p, dims);
    return view(p, LUCID__broadcast, lucid__arranged(p, x, dims), out.shape.dim, &out);
}

void lucid__replace_product(const lucid__product_dims *p, const lucid__named *x)
{
    lucid__operand y = lucid__arranged(p, x, &p->result);
    const lucid_shape *shape = &p->op->out[0].shape;
    lucid__simplify_become(p->z, p->op, LUCID__broadcast, &y, 1, shape->dim, shape->ndim);
}
