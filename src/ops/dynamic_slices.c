/* Blocks that begin where tensors say: dynamic_slice, dynamic_update_slice. */
#include <string.h>

#include "graph/node.h"
#include "ops/indexing.h"
#include "ops/numbers.h"

enum { MAX = LUCID_MAX_NDIM };

/* A block of x. Where its start in a dim is known already, a slice does; the other dims are indexed. */
typedef struct block {
    const char *name;
    lucid_tensor x;
    lucid_shape sizes;
    int64_t first[MAX], end[MAX], step[MAX]; /* known dims; the others whole */
    int n;                                   /* dims to index */
    int dim[MAX];
    lucid_tensor start[MAX];
} block;

static bool is_known(lucid_tensor x)
{
    return x.v->kind == LUCID__GRAPH && lucid__node_is_ready(x.v->node);
}

static bool check_start(lucid_scope *s, const char *name, lucid_tensor start, int dim)
{
    if (!lucid__check(s, name, start))
        return false;
    const lucid__aval *aval = &start.v->aval;
    char text[LUCID__SHAPE_TEXT];
    if (!lucid__is_int(aval->dtype) || aval->shape.ndim != 0)
        (void)lucid_fail(s, LUCID_TYPE_ERROR,
                         "%s: the start of dim %d must be one integer, not %s of shape %s", name,
                         dim, lucid_dtype_name(aval->dtype),
                         lucid__shape_text(&aval->shape, text, sizeof text));
    return lucid__ok(s);
}

static bool set_known(lucid_scope *s, block *b, int dim, int64_t start)
{
    int64_t extent = b->x.v->aval.shape.dim[dim], size = b->sizes.dim[dim];
    int64_t first = start < 0 ? start + extent : start;
    if (first >= 0 && first <= extent - size) {
        b->first[dim] = first;
        b->end[dim] = first + size;
        return true;
    }
    (void)lucid_fail(s, LUCID_INDEX_ERROR,
                     "%s: start %lld and size %lld are out of range for dim %d of size %lld",
                     b->name, (long long)start, (long long)size, dim, (long long)extent);
    return false;
}

static bool block_new(lucid_scope *s, block *b, const char *name, lucid_tensor x,
                      const lucid_tensor *start, lucid_shape sizes)
{
    const lucid_shape *shape = &x.v->aval.shape;
    *b = (block){.name = name, .x = x, .sizes = sizes};
    if (sizes.ndim != shape->ndim) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "%s: %d sizes for a %d-D tensor", name, sizes.ndim,
                         shape->ndim);
        return false;
    }
    if (shape->ndim > 0 && !start) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "%s: the list of starts is NULL", name);
        return false;
    }
    for (int d = 0; d < shape->ndim; d++) {
        if (sizes.dim[d] < 0 || sizes.dim[d] > shape->dim[d]) {
            (void)lucid_fail(s, LUCID_VALUE_ERROR,
                             "%s: size %lld of dim %d must be from 0 to %lld, the tensor's", name,
                             (long long)sizes.dim[d], d, (long long)shape->dim[d]);
            return false;
        }
        if (!check_start(s, name, start[d], d))
            return false;
        b->end[d] = shape->dim[d];
        b->step[d] = 1;
        if (is_known(start[d])) {
            if (!set_known(s, b, d, lucid_item_int(s, start[d])))
                return false;
            continue;
        }
        b->dim[b->n] = d;
        b->start[b->n++] = start[d];
    }
    return lucid__ok(s);
}

/* The part of x within the known starts. */
static lucid_tensor known_part(lucid_scope *s, const block *b)
{
    lucid_tensor x = b->x;
    for (int d = 0; d < b->sizes.ndim; d++)
        if (b->end[d] - b->first[d] != b->x.v->aval.shape.dim[d])
            x = lucid_slice(s, x, d, b->first[d], b->end[d], 1);
    return x;
}

/* Positions along indexed dim k, in a shape that broadcasts with those of the others. A negative start counts
 * from the end once, for the block as a whole; one before that stays, and is out of range. */
static lucid_tensor positions(lucid_scope *s, const block *b, int k)
{
    int dim = b->dim[k];
    int64_t extent = b->x.v->aval.shape.dim[dim];
    lucid_tensor zero = lucid_scalar_int(s, 0);
    lucid_tensor start = lucid_cast(s, b->start[k], LUCID_INT64);
    lucid_tensor before = lucid_lt(s, start, zero);
    lucid_tensor near = lucid_ge(s, start, lucid_scalar_int(s, -extent));
    lucid_tensor wrapped = lucid_add(s, start, lucid_scalar_int(s, extent));
    start = lucid_where(s, lucid_logical_and(s, before, near), wrapped, start);
    lucid_shape shape = {.ndim = b->n};
    for (int i = 0; i < b->n; i++)
        shape.dim[i] = i == k ? b->sizes.dim[dim] : 1;
    return lucid_reshape(s, lucid_add(s, lucid__index_range(s, b->sizes.dim[dim]), start), shape);
}

/* x with the indexed dims in front, or, with `back`, the other way around. */
static lucid_tensor indexed_first(lucid_scope *s, const block *b, lucid_tensor x, bool back)
{
    lucid_dims front = {.n = b->sizes.ndim};
    int at = b->n;
    for (int d = 0, k = 0; d < b->sizes.ndim; d++) {
        bool indexed = k < b->n && b->dim[k] == d;
        int place = indexed ? k++ : at++;
        front.dim[back ? d : place] = back ? place : d;
    }
    return lucid_permute(s, x, front);
}

static lucid_tensor read_block(lucid_scope *s, const block *b)
{
    lucid_tensor x = known_part(s, b), index[MAX];
    if (b->n == 0)
        return x;
    for (int k = 0; k < b->n; k++)
        index[k] = positions(s, b, k);
    x = lucid_index(s, indexed_first(s, b, x, false), index, (size_t)b->n);
    return indexed_first(s, b, x, true);
}

static lucid_tensor write_block(lucid_scope *s, const block *b, lucid_tensor update)
{
    if (b->n > 0) {
        lucid_tensor index[MAX], part = indexed_first(s, b, known_part(s, b), false);
        for (int k = 0; k < b->n; k++)
            index[k] = positions(s, b, k);
        update = indexed_first(s, b, update, false);
        part = lucid_index_put(s, part, index, (size_t)b->n, update, false);
        update = indexed_first(s, b, part, true);
    }
    return lucid_slice_put(s, b->x, b->first, b->end, b->step, update);
}

lucid_tensor lucid_dynamic_slice(lucid_scope *s, lucid_tensor x, const lucid_tensor *start,
                                 lucid_shape sizes)
{
    if (!lucid__check(s, "dynamic_slice", x))
        return (lucid_tensor){NULL};
    lucid_scope child;
    lucid__scope_enter(&child, s);
    block b;
    bool ok = block_new(&child, &b, "dynamic_slice", lucid__strong(&child, x), start, sizes);
    return lucid__leave_with(&child, ok ? read_block(&child, &b) : (lucid_tensor){NULL});
}

lucid_tensor lucid_dynamic_update_slice(lucid_scope *s, lucid_tensor x, lucid_tensor update,
                                        const lucid_tensor *start)
{
    const char *name = "dynamic_update_slice";
    if (!lucid__check(s, name, x) || !lucid__check(s, name, update))
        return (lucid_tensor){NULL};
    lucid_scope child;
    lucid__scope_enter(&child, s);
    block b;
    lucid_tensor y = {NULL};
    x = lucid__strong(&child, x);
    if (block_new(&child, &b, name, x, start, update.v->aval.shape))
        y = write_block(&child, &b, lucid_cast(&child, update, x.v->aval.dtype));
    return lucid__leave_with(&child, y);
}
