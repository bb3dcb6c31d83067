/* Products with a basis (prim/source_prims.c), which is how derivatives ask for all rows at once: the sum over the
 * space picks what the other operand has there. No product is left, and none of 0 and what is not finite. */
#include <string.h>

#include "engine/simplify_product.h"
#include "prim/prim.h"

enum { MAX = LUCID_MAX_NDIM, DEPTH = 24 };

/* Views of a basis. Element [i] is 1 where its row and its column, each offset + the sum of index * weight over
 * the dims of that kind, are the same number, and 0 elsewhere. */
typedef struct units {
    int64_t n; /* dims of the space */
    int ndim, kind[MAX];
    int64_t size[MAX], weight[MAX], offset[2];
} units;

enum { ROW, COLUMN, REPEATED };

static void set_dim(units *u, int d, int kind, int64_t size, int64_t weight)
{
    u->kind[d] = kind;
    u->size[d] = size;
    u->weight[d] = weight;
}

/* Dims may be cut, and come and go where they are 1. */
static bool reshape_units(units *u, const lucid_shape *to)
{
    const units from = *u;
    int d = -1;
    int64_t left = 1; /* of dim d */
    u->ndim = to->ndim;
    for (int i = 0; i < to->ndim; i++) {
        set_dim(u, i, REPEATED, 1, 0);
        if (to->dim[i] == 1)
            continue;
        while (left == 1)
            left = from.size[++d];
        if (left % to->dim[i] != 0)
            return false;
        left /= to->dim[i];
        set_dim(u, i, from.kind[d], to->dim[i], from.weight[d] * left);
    }
    return true;
}

static bool view_units(units *u, const lucid__op *op)
{
    const units from = *u;
    const lucid_shape *to = &op->out[0].shape;
    int lead = to->ndim - from.ndim;
    switch ((lucid__prim_id)op->prim) {
    case LUCID__reshape:
        return reshape_units(u, to);
    case LUCID__permute:
        for (int i = 0, d; i < to->ndim; i++) {
            d = (int)op->params[i];
            set_dim(u, i, from.kind[d], from.size[d], from.weight[d]);
        }
        return true;
    case LUCID__broadcast:
        u->ndim = to->ndim;
        for (int i = 0, d; i < to->ndim; i++) {
            d = i - lead;
            if (d < 0 || from.size[d] != to->dim[i])
                set_dim(u, i, REPEATED, to->dim[i], 0);
            else
                set_dim(u, i, from.kind[d], from.size[d], from.weight[d]);
        }
        return true;
    case LUCID__slice: /* starts, sizes, strides */
        for (int i = 0; i < to->ndim; i++) {
            if (op->params[2 * to->ndim + i] < 1)
                return false;
            u->size[i] = to->dim[i];
            if (u->kind[i] != REPEATED)
                u->offset[u->kind[i]] += op->params[i] * u->weight[i];
            u->weight[i] *= op->params[2 * to->ndim + i];
        }
        return true;
    default:
        return false;
    }
}

static bool units_of(const lucid__simplifier *z, lucid__operand r, units *u)
{
    const lucid__op *views[DEPTH];
    int n = 0;
    for (; !lucid__simplify_is(z, r, LUCID__basis); r = lucid__simplify_op(z, r)->in[0]) {
        const lucid__op *op = lucid__simplify_op(z, r);
        bool shows =
            r.op >= z->sk->nleaves && (op->prim == LUCID__reshape || op->prim == LUCID__permute ||
                                       op->prim == LUCID__broadcast || op->prim == LUCID__slice);
        if (!shows || n == DEPTH)
            return false;
        views[n++] = op;
    }
    int64_t size = lucid__simplify_aval(z, r)->shape.dim[0];
    *u = (units){.n = size, .ndim = 2};
    set_dim(u, 0, ROW, size, 1);
    set_dim(u, 1, COLUMN, size, 1);
    while (n > 0)
        if (!view_units(u, views[--n]))
            return false;
    return true;
}

/* The dims of a kind, outermost first. */
static lucid__names dims_of_kind(const units *u, int kind)
{
    lucid__names to = {0};
    for (int d = 0; d < u->ndim; d++) {
        if (u->kind[d] != kind || u->size[d] == 1)
            continue;
        int i = to.n++;
        for (; i > 0 && u->weight[to.at[i - 1]] < u->weight[d]; i--)
            to.at[i] = to.at[i - 1];
        to.at[i] = d;
    }
    return to;
}

static bool is_complete(const units *u, const lucid__names *dims, int kind)
{
    int64_t n = 1;
    for (int i = 0; i < dims->n; i++)
        n *= u->size[dims->at[i]];
    return n == u->n && u->offset[kind] == 0;
}

/* Rows or columns (`kind`) are summed over: what is left is y at the others. */
static bool pick(const lucid__product_dims *p, const units *u, int kind)
{
    const lucid__names over = dims_of_kind(u, kind), others = dims_of_kind(u, 1 - kind);
    uint32_t summed = 0, kept = 0;
    for (int i = 0; i < over.n; i++)
        summed |= 1u << over.at[i];
    for (int i = 0; i < others.n; i++)
        kept |= 1u << others.at[i];
    bool all = is_complete(u, &others, 1 - kind);
    if (summed != p->summed || !is_complete(u, &over, kind) || (kept & ~p->own) ||
        (others.n > 1 && !all))
        return false;
    lucid__names sorted = p->batches, shown = p->batches;
    int at = sorted.n;
    for (int i = 0; i < over.n; i++)
        lucid__add_name(&sorted, over.at[i]);
    lucid__add_names(&sorted, &p->cols, ~0u);
    for (int i = 0; i < others.n; i++)
        lucid__add_name(&shown, others.at[i]);
    lucid__add_names(&shown, &p->cols, ~0u);
    int cols = p->cols.n, n = at + 1 + cols;
    if (n > MAX || shown.n > MAX)
        return false;
    lucid__operand y = lucid__arranged(p, &p->y, &sorted);
    lucid__aval flat = {p->op->out[0].dtype, {.ndim = n}};
    for (int i = 0; i < at; i++)
        flat.shape.dim[i] = p->size[sorted.at[i]];
    flat.shape.dim[at] = u->n;
    for (int i = 0; i < cols; i++)
        flat.shape.dim[at + 1 + i] = p->size[p->cols.at[i]];
    y = lucid__reshaped(p, y, &flat);
    if (!all && p->z->ok) {
        int64_t params[3 * MAX] = {0};
        flat.shape.dim[at] = others.n > 0 ? u->size[others.at[0]] : 1;
        for (int i = 0; i < n; i++) {
            params[n + i] = flat.shape.dim[i];
            params[2 * n + i] = 1;
        }
        params[at] = u->offset[1 - kind];
        params[2 * n + at] = others.n > 0 ? u->weight[others.at[0]] : 1;
        y = lucid__simplify_add(p->z, LUCID__slice, &y, 1, params, 3 * n, &flat);
    }
    lucid__named picked = {.what = y};
    lucid__aval out = lucid__aval_over(p, &shown);
    if (p->z->ok)
        picked.what = lucid__reshaped(p, y, &out);
    memcpy(picked.name, shown.at, (size_t)shown.n * sizeof *shown.at);
    if (p->z->ok)
        lucid__replace_product(p, &picked);
    return true;
}

bool lucid__pick_by_basis(const lucid__product_dims *p)
{
    units u;
    return units_of(p->z, p->op->in[p->side], &u) && (pick(p, &u, ROW) || pick(p, &u, COLUMN));
}
