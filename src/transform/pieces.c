#include "transform/pieces.h"

#include <string.h>

#include "prim/family.h"

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
                        "%s; give it an int out_dim, or compute it from what is not mapped alone",
                        lucid__result_name(self->f, k, name),
                        lucid__shape_text(shape, text, sizeof text),
                        lucid__wording(s, "LUCID_NONE", "None"));
}

/* What a value of s wraps that is not looked at again; if nobody else has it, s gets that. */
static lucid_tensor inner_of(lucid_scope *s, lucid__value *batch)
{
    lucid__value *inner = batch->inner;
    if (!lucid__value_is_alone(batch))
        return (lucid_tensor){inner};
    batch->inner = NULL;
    return lucid__own(s, inner);
}

/* Result k of a run, without its level: its lanes at the out_dim, or at dim 0 when they have parted. */
static lucid_tensor unwrap(lucid_scope *s, const lucid__vmap_self *self, const lucid__level *level,
                           lucid_tensor y, size_t k, int dim)
{
    if (!lucid__level_owns_or_outer(s, level, y))
        return (lucid_tensor){NULL};
    bool parted = (level->split && level->split->version > 0) || level->place;
    if (level->takes && y.v->level < level->id)
        y = lucid__split_lift_to(s, level, y);
    if (!y.v)
        return y;
    bool batched = y.v->level == level->id;
    if (batched)
        lucid__split_catch_up(s, level, y.v);
    if (dim == LUCID_NONE)
        return batched || parted ? fail_depends(s, self, k, &y.v->aval.shape) : y;
    int at = wrap_out_dim(s, self, k, dim, &y.v->aval.shape);
    if (at < 0)
        return (lucid_tensor){NULL};
    at = parted ? 0 : at;
    return batched ? lucid__batch_at(s, inner_of(s, y.v), y.v->axis, at, level->size)
                   : lucid__batch_at(s, y, -1, at, level->size);
}

void lucid__pieces_begin(lucid_scope *s, lucid__pieces *p)
{
    *p = (lucid__pieces){.scope = s};
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
    p->dim = lucid__alloc(p->scope, (r->count + 1) * sizeof *p->dim);
    for (size_t k = 0; p->dim && k < r->count; k++)
        if (!out_dim_of(s, call->self, r, k, &p->dim[k]))
            return false;
    return p->dim != NULL;
}

static lucid__piece *new_piece(lucid__pieces *p)
{
    lucid__piece *piece = lucid_alloc(p->scope, sizeof *piece + p->nresults * sizeof(lucid_tensor));
    if (!piece)
        return NULL;
    *p->last = piece;
    p->last = &piece->next;
    p->count++;
    return piece;
}

void lucid__pieces_add(lucid_scope *s, const lucid__vmap_call *call, lucid__pieces *p,
                       const lucid__level *level, const lucid_results *r)
{
    lucid__piece *piece = pieces_match(s, call, p, r) ? new_piece(p) : NULL;
    if (!piece)
        return;
    for (size_t k = 0; k < r->count && lucid__ok(s); k++)
        piece->y[k] =
            lucid__scope_give(s, unwrap(s, call->self, level, r->at[k].x, k, p->dim[k]), p->scope);
    piece->size = level->size;
    piece->places = level->place;
    if (!level->split || level->split->version == 0)
        return;
    int64_t *places = lucid_alloc(p->scope, ((size_t)level->size + 1) * sizeof *places);
    for (int64_t i = 0; places && i < level->size; i++)
        places[i] = lucid__split_place(level->split, i);
    piece->places = places;
    piece->taken = lucid__split_taken(p->scope, level->split, NULL, 0, &piece->ntaken);
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

/* ---- parts of a split ------------------------------------------------------------------------ */

/* All the levels that some part has taken over. */
typedef struct rectangle {
    lucid__taken *taken;
    size_t n;
    int64_t rows; /* of all of them and the lanes of the split */
} rectangle;

static bool has(const lucid__taken *taken, size_t n, uint64_t level, size_t *at)
{
    for (*at = 0; *at < n; ++*at)
        if (taken[*at].level == level)
            return true;
    return false;
}

static bool unite(lucid_scope *s, const lucid__pieces *parts, int64_t lanes, rectangle *r)
{
    size_t most = 0, at;
    for (const lucid__piece *q = parts->first; q; q = q->next)
        most += q->ntaken;
    *r = (rectangle){.taken = lucid_alloc(s, (most + 1) * sizeof *r->taken), .rows = lanes};
    for (const lucid__piece *q = parts->first; r->taken && q; q = q->next)
        for (size_t i = 0; i < q->ntaken; i++)
            if (!has(r->taken, r->n, q->taken[i].level, &at)) {
                r->taken[r->n++] = q->taken[i];
                r->rows *= q->taken[i].size;
            }
    return r->taken != NULL;
}

/* Where in the rectangle a row of a part stands: its levels as the part has them, the others counted by
 * `copy`. */
static int64_t place_in(const rectangle *r, const lucid__piece *q, int64_t lanes, int64_t copy,
                        int64_t place)
{
    int64_t total = 0, copies = 1;
    for (size_t i = 0; i < r->n; i++) {
        size_t at;
        if (!has(q->taken, q->ntaken, r->taken[i].level, &at))
            copies *= r->taken[i].size;
    }
    for (size_t i = 0; i < r->n; i++) {
        int64_t size = r->taken[i].size, index;
        size_t at;
        if (has(q->taken, q->ntaken, r->taken[i].level, &at)) {
            int64_t unit = lanes;
            for (size_t k = at + 1; k < q->ntaken; k++)
                unit *= q->taken[k].size;
            index = place / unit % size;
        } else {
            copies /= size;
            index = copy / copies % size;
        }
        total = total * size + index;
    }
    return total * lanes + place % lanes;
}

/* A part's result with rows for the levels that it has not taken over, too: the first outermost. */
static lucid_tensor complete(lucid_scope *s, const rectangle *r, const lucid__piece *q,
                             lucid_tensor y, int64_t *copies)
{
    int dims = 0;
    *copies = 1;
    for (size_t i = r->n; i-- > 0;) {
        size_t at;
        if (has(q->taken, q->ntaken, r->taken[i].level, &at))
            continue;
        *copies *= r->taken[i].size;
        if (y.v)
            y = lucid__lanes_out(s, y, &r->taken[i]);
        dims++;
    }
    return dims > 0 && y.v ? lucid_flatten(s, y, 0, dims) : y;
}

/* For each place in the rectangle, the row of the parts one after the other. */
static lucid_tensor rows_in_order(lucid_scope *s, const rectangle *r, const lucid__pieces *parts,
                                  int64_t lanes)
{
    int64_t *at = lucid_alloc(s, ((size_t)r->rows + 1) * sizeof *at), next = 0, copies;
    for (const lucid__piece *q = parts->first; at && q; q = q->next) {
        (void)complete(s, r, q, (lucid_tensor){NULL}, &copies);
        for (int64_t c = 0; c < copies; c++)
            for (int64_t i = 0; i < q->size; i++)
                at[place_in(r, q, lanes, c, q->places[i])] = next++;
    }
    return at ? lucid_from_data(s, at, LUCID_INT64, LUCID_SHAPE(r->rows)) : (lucid_tensor){NULL};
}

/* Rows in order become values of the levels that were taken over, lanes at dim 0. */
static lucid_tensor give_back(lucid_scope *s, const rectangle *r, lucid_tensor y, int64_t lanes)
{
    if (r->n == 0 || !y.v)
        return y;
    lucid_shape shape = lucid__shape_remove(&y.v->aval.shape, 0);
    if (shape.ndim + 1 + (int)r->n > LUCID_MAX_NDIM)
        return lucid__error(
            s, LUCID_VALUE_ERROR,
            "vmap: a result with the lanes of all vmaps around it has more than %d dims",
            LUCID_MAX_NDIM);
    shape = lucid__shape_insert(&shape, 0, lanes);
    for (size_t i = r->n; i-- > 0;)
        shape = lucid__shape_insert(&shape, 0, r->taken[i].size);
    y = lucid_reshape(s, y, shape);
    for (size_t i = 0; i < r->n; i++)
        y = lucid__lanes_in(s, y, &r->taken[i]);
    return y;
}

static void join_parts(lucid_scope *s, const lucid__vmap_call *call, const lucid__split *split,
                       const lucid__pieces *parts, const lucid__pieces *to, lucid__piece *whole)
{
    rectangle r;
    lucid_tensor *part = lucid_alloc(s, parts->count * sizeof *part);
    if (!part || !unite(s, parts, split->count, &r))
        return;
    lucid_tensor order = rows_in_order(s, &r, parts, split->count);
    for (size_t k = 0; k < parts->nresults && lucid__ok(s); k++) {
        size_t n = 0;
        int64_t copies;
        for (const lucid__piece *q = parts->first; q; q = q->next)
            part[n++] = q->y[k];
        if (!check_shapes(s, call->self, part, n, k, 0))
            return;
        n = 0;
        for (const lucid__piece *q = parts->first; q; q = q->next, n++)
            part[n] = complete(s, &r, q, part[n], &copies);
        lucid_tensor y = lucid_take(s, lucid_concatenate(s, part, n, 0), order, 0);
        y = give_back(s, &r, y, split->count);
        if (y.v)
            y = lucid_movedim(s, y, 0, parts->dim[k]);
        whole->y[k] = lucid_own(to->scope, y);
    }
}

void lucid__pieces_join(lucid_scope *s, const lucid__vmap_call *call, const lucid__split *split,
                        const lucid__pieces *parts, lucid__pieces *to)
{
    if (to->count == 0) {
        to->nresults = parts->nresults;
        to->naux = parts->naux;
        to->dim = lucid__alloc(to->scope, (parts->nresults + 1) * sizeof *to->dim);
        if (!to->dim)
            return;
        for (size_t k = 0; k < parts->nresults; k++)
            to->dim[k] = parts->dim[k];
    } else if (to->nresults != parts->nresults) {
        (void)lucid_fail(
            s, LUCID_VALUE_ERROR,
            "vmap: the function returned %zu results for some lanes and %zu for others",
            to->nresults, parts->nresults);
        return;
    }
    lucid__piece *whole = new_piece(to);
    if (!whole)
        return;
    whole->size = split->count;
    if (parts->first->places)
        join_parts(s, call, split, parts, to, whole);
    else /* nobody parted */
        for (size_t k = 0; k < parts->nresults; k++)
            whole->y[k] = lucid__scope_give(parts->scope, parts->first->y[k], to->scope);
}

/* ---- all lanes --------------------------------------------------------------------------------- */

void lucid__pieces_end(lucid_scope *s, const lucid__vmap_self *self, const lucid__pieces *p,
                       lucid_results *out)
{
    lucid_tensor *parts = lucid__alloc(s, (p->count + 1) * sizeof *parts);
    for (size_t k = 0; parts && k < p->nresults && lucid__ok(s); k++) {
        size_t n = 0;
        for (const lucid__piece *at = p->first; at; at = at->next)
            parts[n++] = at->y[k];
        lucid_tensor y = parts[0];
        bool mapped = p->dim[k] != LUCID_NONE;
        if (mapped && n > 1 && check_shapes(s, self, parts, n, k, p->dim[k]))
            y = lucid_concatenate(s, parts, n, p->dim[k]);
        if (mapped && p->stand_in)
            y = lucid_slice(s, y, p->dim[k], 0, 0, 1);
        (void)(k < p->nresults - p->naux ? lucid_results_push(s, out, y)
                                         : lucid_results_push_aux(s, out, y));
    }
}
