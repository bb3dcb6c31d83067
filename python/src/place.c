#include "place.h"

/* -- what operations do to a place ------------------------------------------------------------ */

/* A dim that may count from the end; -1: there is none, and the operation fails anyway. */
static int find_dim(const lucidpy_place *p, int dim)
{
    int at = dim < 0 ? dim + p->shape.ndim : dim;
    return at >= 0 && at < p->shape.ndim ? at : -1;
}

static void drop(lucidpy_place *p, int dim)
{
    p->shape.ndim--;
    for (int d = dim; d < p->shape.ndim; d++) {
        p->shape.dim[d] = p->shape.dim[d + 1];
        p->stride[d] = p->stride[d + 1];
    }
}

void lucidpy_place_select(lucidpy_place *p, int dim, int64_t index)
{
    int at = p->of ? find_dim(p, dim) : -1;
    if (at < 0)
        return;
    p->offset += (index < 0 ? index + p->shape.dim[at] : index) * p->stride[at];
    drop(p, at);
}

void lucidpy_place_slice(lucidpy_place *p, int dim, int64_t start, int64_t step, int64_t size)
{
    int at = p->of ? find_dim(p, dim) : -1;
    if (at < 0)
        return;
    int64_t n = p->shape.dim[at], last = step > 0 ? n : n - 1;
    if (start < 0)
        start = start < -n ? (step > 0 ? 0 : -1) : start + n;
    start = start > last ? last : start;
    if (size > 0)
        p->offset += start * p->stride[at];
    if (size > 1)
        p->stride[at] *= step;
    p->shape.dim[at] = size;
}

void lucidpy_place_permute(lucidpy_place *p, lucid_dims order)
{
    if (!p->of || order.n != p->shape.ndim)
        return;
    const lucidpy_place old = *p;
    for (int d = 0; d < order.n; d++) {
        int from = find_dim(&old, order.dim[d]);
        p->shape.dim[d] = from < 0 ? 0 : old.shape.dim[from];
        p->stride[d] = from < 0 ? 0 : old.stride[from];
    }
}

void lucidpy_place_transpose(lucidpy_place *p, int dim0, int dim1)
{
    int a = p->of ? find_dim(p, dim0) : -1, b = p->of ? find_dim(p, dim1) : -1;
    if (a < 0 || b < 0)
        return;
    int64_t size = p->shape.dim[a], stride = p->stride[a];
    p->shape.dim[a] = p->shape.dim[b];
    p->stride[a] = p->stride[b];
    p->shape.dim[b] = size;
    p->stride[b] = stride;
}

void lucidpy_place_expand(lucidpy_place *p, lucid_shape shape)
{
    int more = shape.ndim - p->shape.ndim;
    if (!p->of || more < 0)
        return;
    for (int d = shape.ndim - 1; d >= 0; d--) {
        bool repeated = d < more || p->shape.dim[d - more] != shape.dim[d];
        p->stride[d] = repeated ? 0 : p->stride[d - more];
    }
    p->shape = shape;
}

void lucidpy_place_diagonal(lucidpy_place *p, int64_t offset, int dim1, int dim2)
{
    int a = p->of ? find_dim(p, dim1) : -1, b = p->of ? find_dim(p, dim2) : -1;
    if (a < 0 || b < 0 || a == b)
        return;
    if (offset < -p->shape.dim[a] || offset > p->shape.dim[b]) /* an empty one, wherever it is */
        offset = p->shape.dim[b];
    int64_t down = offset < 0 ? -offset : 0, right = offset > 0 ? offset : 0;
    int64_t rows = p->shape.dim[a] - down, columns = p->shape.dim[b] - right;
    int64_t size = rows < columns ? rows : columns, stride = p->stride[a] + p->stride[b];
    if (size > 0)
        p->offset += down * p->stride[a] + right * p->stride[b];
    drop(p, a > b ? a : b);
    drop(p, a > b ? b : a);
    p->shape.dim[p->shape.ndim] = size > 0 ? size : 0;
    p->stride[p->shape.ndim++] = stride;
}

static int64_t numel(const lucid_shape *shape)
{
    int64_t n = 1;
    for (int d = 0; d < shape->ndim; d++)
        n *= shape->dim[d];
    return n;
}

/* Strides of `to` over the same elements: dims that lie one within the other in memory are a run, and every
 * run must be made of whole new dims. From the last dim to the first. */
static bool restride(const lucidpy_place *p, const lucid_shape *to, int64_t *stride)
{
    int64_t unit = p->shape.ndim ? p->stride[p->shape.ndim - 1] : 1, run = 1, taken = 1;
    int at = to->ndim - 1;
    for (int d = p->shape.ndim - 1; d >= 0; d--) {
        run *= p->shape.dim[d];
        if (d > 0 && (p->shape.dim[d - 1] == 1 || p->stride[d - 1] == run * unit))
            continue;
        for (; at >= 0 && (taken < run || to->dim[at] == 1); at--) {
            stride[at] = taken * unit;
            taken *= to->dim[at];
        }
        if (taken != run)
            return false;
        unit = d > 0 ? p->stride[d - 1] : 1;
        run = taken = 1;
    }
    for (; at >= 0; at--) /* of a 0-d tensor */
        stride[at] = 1;
    return true;
}

void lucidpy_place_reshape(lucidpy_place *p, lucid_shape shape)
{
    int64_t stride[LUCID_MAX_NDIM] = {0};
    if (!p->of)
        return;
    if (numel(&shape) && !restride(p, &shape, stride)) {
        p->of = NULL;
        return;
    }
    p->shape = shape;
    for (int d = 0; d < shape.ndim; d++)
        p->stride[d] = stride[d];
}

/* -- comparing -------------------------------------------------------------------------------- */

bool lucidpy_place_overlaps(const lucidpy_place *p)
{
    bool repeats = false;
    for (int d = 0; d < p->shape.ndim; d++)
        repeats |= p->shape.dim[d] > 1 && p->stride[d] == 0;
    return repeats && numel(&p->shape) > 0;
}

bool lucidpy_place_same(const lucidpy_place *a, const lucidpy_place *b)
{
    bool same = a->offset == b->offset && a->shape.ndim == b->shape.ndim;
    for (int d = 0; same && d < a->shape.ndim; d++)
        same = a->shape.dim[d] == b->shape.dim[d] &&
               (a->shape.dim[d] == 1 || a->stride[d] == b->stride[d]);
    return same;
}

/* -- reading and writing ---------------------------------------------------------------------- */

/* The elements as a box of the base, which is seen in dims that fit: those of more than one element, the
 * largest stride first, and one more for what is within the smallest stride. */
typedef struct box {
    lucid_shape dims; /* of the base */
    int64_t start[LUCID_MAX_NDIM], stop[LUCID_MAX_NDIM], step[LUCID_MAX_NDIM];
    lucid_dims order;   /* which kept dim of the view each dim of the box is */
    lucid_dims flipped; /* kept dims of the view that run backwards */
    lucid_shape kept;   /* the view's dims of more than one element that are not repeated */
} box;

static void sort_by_stride(lucid_dims *order, int64_t *stride)
{
    for (int k = 1; k < order->n; k++)
        for (int j = k; j > 0 && stride[j] > stride[j - 1]; j--) {
            int64_t t = stride[j];
            stride[j] = stride[j - 1];
            stride[j - 1] = t;
            int d = order->dim[j];
            order->dim[j] = order->dim[j - 1];
            order->dim[j - 1] = d;
        }
}

/* False: the elements are no such box. */
static bool find_box(const lucidpy_place *p, int64_t elements, box *b)
{
    int64_t offset = p->offset, stride[LUCID_MAX_NDIM], within = elements;
    *b = (box){.flipped = {.n = 0}};
    for (int d = 0; d < p->shape.ndim; d++) {
        if (p->shape.dim[d] == 1 || p->stride[d] == 0)
            continue;
        int k = b->order.n++;
        b->order.dim[k] = b->kept.ndim;
        stride[k] = p->stride[d];
        if (stride[k] < 0) {
            offset += stride[k] * (p->shape.dim[d] - 1);
            stride[k] = -stride[k];
            b->flipped.dim[b->flipped.n++] = b->kept.ndim;
        }
        b->kept.dim[b->kept.ndim++] = p->shape.dim[d];
    }
    sort_by_stride(&b->order, stride);
    for (int k = 0; k <= b->order.n; k++) {
        int64_t unit = k < b->order.n ? stride[k] : 1, size = 1;
        if (k < b->order.n)
            size = b->kept.dim[b->order.dim[k]];
        if (k == LUCID_MAX_NDIM || within % unit || offset / unit + size > within / unit)
            return k == LUCID_MAX_NDIM && within == 1;
        b->dims.dim[b->dims.ndim++] = within / unit;
        b->start[k] = offset / unit;
        b->stop[k] = b->start[k] + size;
        b->step[k] = 1;
        offset %= unit;
        within = unit;
    }
    return true;
}

/* The positions of the kept dims' elements in the base, for what is no box. */
static lucid_tensor positions(lucid_scope *s, const lucidpy_place *p)
{
    int kept = 0, n = 0;
    for (int d = 0; d < p->shape.ndim; d++)
        kept += p->shape.dim[d] != 1 && p->stride[d] != 0;
    lucid_tensor at = lucid_from_data(s, &p->offset, LUCID_INT64, LUCID_SCALAR_SHAPE);
    for (int d = 0; d < p->shape.ndim; d++) {
        if (p->shape.dim[d] == 1 || p->stride[d] == 0)
            continue;
        lucid_shape line = {.ndim = kept - n++, .dim = {p->shape.dim[d]}};
        for (int k = 1; k < line.ndim; k++)
            line.dim[k] = 1;
        lucid_tensor steps = lucid_arange(s, 0, (double)p->shape.dim[d], 1, LUCID_INT64);
        steps = lucid_mul(s, steps, lucid_scalar_int(s, p->stride[d]));
        at = lucid_add(s, at, lucid_reshape(s, steps, line));
    }
    return at;
}

lucid_tensor lucidpy_place_read(lucid_scope *s, lucid_tensor base, const lucidpy_place *p)
{
    box b;
    lucid_tensor y;
    if (numel(&p->shape) == 0) {
        y = lucid_slice(s, lucid_reshape(s, base, LUCID_SHAPE(-1)), 0, 0, 0, 1);
        return lucid_reshape(s, y, p->shape);
    }
    if (find_box(p, lucid_numel(base), &b)) {
        lucid_shape sorted = {.ndim = b.order.n};
        lucid_dims back = {.n = b.order.n};
        for (int k = 0; k < b.order.n; k++) {
            sorted.dim[k] = b.stop[k] - b.start[k];
            back.dim[b.order.dim[k]] = k;
        }
        y = lucid_reshape(s, base, b.dims);
        for (int k = 0; k < b.dims.ndim; k++)
            y = lucid_slice(s, y, k, b.start[k], b.stop[k], 1);
        y = lucid_permute(s, lucid_reshape(s, y, sorted), back);
        y = b.flipped.n ? lucid_flip(s, y, b.flipped) : y;
    } else {
        y = lucid_take(s, lucid_reshape(s, base, LUCID_SHAPE(-1)), positions(s, p), 0);
    }
    lucid_shape once = p->shape;
    for (int d = 0; d < once.ndim; d++)
        once.dim[d] = p->stride[d] == 0 && once.dim[d] > 1 ? 1 : once.dim[d];
    return lucid_expand(s, lucid_reshape(s, y, once), p->shape);
}

lucid_tensor lucidpy_place_write(lucid_scope *s, lucid_tensor base, const lucidpy_place *p,
                                 lucid_tensor y)
{
    if (lucid_numel(y) == 0)
        return base;
    box b;
    lucid_tensor seen;
    if (find_box(p, lucid_numel(base), &b)) {
        y = lucid_reshape(s, y, b.kept);
        y = b.flipped.n ? lucid_flip(s, y, b.flipped) : y;
        lucid_shape part = {.ndim = b.dims.ndim};
        for (int k = 0; k < part.ndim; k++)
            part.dim[k] = b.stop[k] - b.start[k];
        y = lucid_reshape(s, lucid_permute(s, y, b.order), part);
        seen = lucid_slice_put(s, lucid_reshape(s, base, b.dims), b.start, b.stop, b.step, y);
    } else {
        lucid_tensor at = positions(s, p), flat = lucid_reshape(s, base, LUCID_SHAPE(-1));
        y = lucid_reshape(s, y, lucid_shape_of(at));
        seen = lucid_index_put(s, flat, &at, 1, y, false);
    }
    return lucid_reshape(s, seen, lucid_shape_of(base));
}
