#include "transform/pieces.h"

#include <string.h>

#include "prim/family.h"
#include "transform/split.h"

static bool out_dim_of(lucid_scope *s, const lucid__vmap_self *self, const lucid_results *r,
                       size_t k, int *dim)
{
    *dim = r->at[k].out_dim;
    if (*dim != LUCID__OUT_DIM_DEFAULT)
        return true;
    if (self->n_out > 1 && self->n_out != r->count) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "vmap: out_dims has %zu entries for %zu results",
                         self->n_out, r->count);
        return false;
    }
    *dim = self->n_out == 0 ? 0 : self->n_out == 1 ? self->out_dims[0] : self->out_dims[k];
    return true;
}

static int wrap_out_dim(lucid_scope *s, const lucid__vmap_self *self, size_t k, int dim,
                        const lucid_shape *shape)
{
    char name[LUCID__PLACE_TEXT], text[LUCID__SHAPE_TEXT];
    int at = lucid__wrap_dim(dim, shape->ndim + 1);
    if (at < 0)
        (void)lucid_fail(
            s, LUCID_VALUE_ERROR,
            "vmap: out_dim %d is out of range for a %d-D tensor: %s has shape %s per "
            "example and one dim more with its batch; its out_dim must be from %d to %d",
            dim, shape->ndim + 1, lucid__result_name(self->f, k, name),
            lucid__shape_text(shape, text, sizeof text), -shape->ndim - 1, shape->ndim);
    return at;
}

static lucid_tensor fail_depends(lucid_scope *s, const lucid__vmap_self *self, size_t k,
                                 const lucid_shape *shape)
{
    char name[LUCID__PLACE_TEXT], text[LUCID__SHAPE_TEXT];
    return lucid__error(s, LUCID_VALUE_ERROR,
                        "vmap: %s (shape %s per example) depends on the batch, but its out_dim is "
                        "None; give it an int out_dim, or compute it from what is not mapped alone",
                        lucid__result_name(self->f, k, name),
                        lucid__shape_text(shape, text, sizeof text));
}

/* Result k of a run, without its level, its lanes at the out_dim. */
static lucid_tensor unwrap(lucid_scope *s, const lucid__vmap_self *self, const lucid__level *level,
                           lucid_tensor y, size_t k, int dim)
{
    if (!lucid__level_owns_or_outer(s, level, y))
        return (lucid_tensor){NULL};
    bool batched = y.v->level == level->id;
    if (batched)
        lucid__split_catch_up(s, level, y.v);
    bool depends = batched || (level->split && level->split->version > 0);
    if (dim == LUCID_NONE) {
        if (depends)
            return fail_depends(s, self, k, &y.v->aval.shape);
        return y;
    }
    int at = wrap_out_dim(s, self, k, dim, &y.v->aval.shape);
    if (at < 0)
        return (lucid_tensor){NULL};
    return batched ? lucid__batch_at(s, (lucid_tensor){y.v->inner}, y.v->axis, at, level->size)
                   : lucid__batch_at(s, y, -1, at, level->size);
}

void lucid__pieces_begin(lucid_scope *s, lucid__pieces *p)
{
    *p = (lucid__pieces){.scope = s, .in_order = true};
    p->last = &p->first;
}

/* The first piece says how many results there are and where their lanes go. */
static bool pieces_match(lucid_scope *s, const lucid__vmap_call *call, lucid__pieces *p,
                         const lucid_results *r)
{
    if (p->count > 0) {
        if (r->count != p->nresults)
            (void)lucid_fail(
                s, LUCID_VALUE_ERROR,
                "vmap: the function returned %zu results for some lanes and %zu for others",
                p->nresults, r->count);
        return lucid__ok(s);
    }
    p->nresults = r->count;
    p->naux = r->aux;
    p->dim = lucid_alloc(p->scope, (r->count + 1) * sizeof *p->dim);
    for (size_t k = 0; p->dim && k < r->count; k++)
        if (!out_dim_of(s, call->self, r, k, &p->dim[k]))
            return false;
    return p->dim != NULL;
}

void lucid__pieces_add(lucid_scope *s, const lucid__vmap_call *call, lucid__pieces *p,
                       const lucid__level *level, const lucid_results *r)
{
    if (!pieces_match(s, call, p, r))
        return;
    lucid__piece *new = lucid_alloc(p->scope, sizeof *new + r->count * sizeof(lucid_tensor));
    if (!new)
        return;
    for (size_t k = 0; k < r->count && lucid__ok(s); k++)
        new->y[k] = lucid_own(p->scope, unwrap(s, call->self, level, r->at[k].x, k, p->dim[k]));
    new->first = level->first;
    new->size = level->size;
    if (level->lane_ids) { /* which may end before the pieces do */
        new->lanes = lucid_alloc(p->scope, ((size_t)level->size + 1) * sizeof *new->lanes);
        if (!new->lanes)
            return;
        memcpy(new->lanes, level->lane_ids, (size_t)level->size * sizeof *new->lanes);
    }
    p->in_order &= !new->lanes &&new->first == p->lanes;
    p->lanes += new->size;
    *p->last = new;
    p->last = &new->next;
    p->count++;
}

/* Where in the pieces each lane is. */
static lucid_tensor places_of_lanes(lucid_scope *s, const lucid__pieces *p)
{
    int64_t *at = lucid_alloc(s, ((size_t)p->lanes + 1) * sizeof *at), next = 0;
    for (const lucid__piece *q = p->first; at && q; q = q->next)
        for (int64_t i = 0; i < q->size; i++)
            at[q->lanes ? q->lanes[i] : q->first + i] = next++;
    return at ? lucid_from_data(s, at, LUCID_INT64, LUCID_SHAPE(p->lanes)) : (lucid_tensor){NULL};
}

/* The shapes of one result must agree on all lanes. */
static bool check_shapes(lucid_scope *s, const lucid__vmap_self *self, const lucid_tensor *parts,
                         size_t n, size_t k, int dim)
{
    for (size_t i = 1; i < n; i++) {
        lucid_shape a = parts[0].v->aval.shape, b = parts[i].v->aval.shape;
        int at = lucid__wrap_dim(dim, a.ndim);
        char ta[LUCID__SHAPE_TEXT], tb[LUCID__SHAPE_TEXT], name[LUCID__PLACE_TEXT];
        if (a.ndim == b.ndim)
            b.dim[at] = a.dim[at];
        if (lucid__shape_equal(&a, &b))
            continue;
        a = lucid__shape_remove(&a, at);
        b = lucid__shape_remove(&parts[i].v->aval.shape,
                                lucid__wrap_dim(dim, parts[i].v->aval.shape.ndim));
        (void)lucid_fail(s, LUCID_VALUE_ERROR,
                         "vmap: %s has shape %s on some lanes and %s on others; every example must "
                         "give the same shape (pad it, or return what has a fixed size)",
                         lucid__result_name(self->f, k, name), lucid__shape_text(&a, ta, sizeof ta),
                         lucid__shape_text(&b, tb, sizeof tb));
        return false;
    }
    return true;
}

/* The pieces in lane order. */
void lucid__pieces_end(lucid_scope *s, const lucid__vmap_self *self, const lucid__pieces *p,
                       lucid_results *out)
{
    lucid_tensor *parts = lucid_alloc(s, (p->count + 1) * sizeof *parts);
    lucid_tensor places = p->in_order ? (lucid_tensor){NULL} : places_of_lanes(s, p);
    for (size_t k = 0; parts && k < p->nresults && lucid__ok(s); k++) {
        size_t n = 0;
        for (const lucid__piece *at = p->first; at; at = at->next)
            parts[n++] = at->y[k];
        lucid_tensor y = parts[0];
        if (p->dim[k] != LUCID_NONE && check_shapes(s, self, parts, n, k, p->dim[k])) {
            if (n > 1)
                y = lucid_concatenate(s, parts, n, p->dim[k]);
            if (places.v)
                y = lucid_take(s, y, places, p->dim[k]);
        }
        (void)(k < p->nresults - p->naux ? lucid_results_push(s, out, y)
                                         : lucid_results_push_aux(s, out, y));
    }
}
