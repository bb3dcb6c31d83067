/* einsum: sums of products named by letters, pair by pair through contract. */
#include <string.h>

#include "ops/products.h"

enum { MAX = LUCID_MAX_NDIM, ELLIPSIS = 128, LABELS = ELLIPSIS + MAX };
#define EMPTY ((lucid_tensor){NULL})

/* What each dim is called: a letter, or ELLIPSIS + k for the k-th dim from the end of "...". */
typedef struct labels {
    int n;
    unsigned char at[MAX];
} labels;

typedef struct operand {
    lucid_tensor x;
    labels dims;
} operand;

typedef struct einsum {
    const char *equation;
    operand *operands;
    size_t n;
    labels out;
    int64_t size[LABELS]; /* -1: not used */
    bool in_out[LABELS];
} einsum;

static int find(const labels *l, unsigned char label)
{
    for (int i = 0; i < l->n; i++)
        if (l->at[i] == label)
            return i;
    return -1;
}

/* ---- reading the equation -------------------------------------------------------------------- */

static const char *skip_spaces(const char *p)
{
    while (*p == ' ')
        p++;
    return p;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* One term, up to ',', "->" or the end. dims >= 0: how many the operand has, which "..." fills up;
 * -1: the output, whose "..." stands for `wide` dims. NULL: an error is recorded. */
static const char *read_term(lucid_scope *s, const einsum *e, const char *p, int dims, int wide,
                             labels *to)
{
    labels before = {0}, after = {0};
    bool dots = false;
    for (p = skip_spaces(p); *p && *p != ',' && *p != '-'; p = skip_spaces(p)) {
        if (p[0] == '.' && p[1] == '.' && p[2] == '.' && !dots) {
            dots = true;
            p += 3;
            continue;
        }
        labels *part = dots ? &after : &before;
        if (!is_letter(*p) || before.n + after.n == MAX) {
            (void)lucid_fail(s, LUCID_VALUE_ERROR,
                             "einsum: '%c' at position %d of \"%s\": expected a letter, \"...\", "
                             "',' or \"->\"",
                             *p, (int)(p - e->equation), e->equation);
            return NULL;
        }
        part->at[part->n++] = (unsigned char)*p++;
    }
    int named = before.n + after.n, filled = dims < 0 ? wide : dims - named;
    if (dims >= 0 && (filled < 0 || (filled > 0 && !dots))) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR,
                         "einsum: a term of \"%s\" names %d dims, its operand has %d", e->equation,
                         named, dims);
        return NULL;
    }
    *to = before;
    if (!dots)
        filled = 0;
    if (named + filled > MAX) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "einsum: the result of \"%s\" has too many dims",
                         e->equation);
        return NULL;
    }
    for (int i = 0; i < filled; i++)
        to->at[to->n++] = (unsigned char)(ELLIPSIS + filled - 1 - i);
    for (int i = 0; i < after.n; i++)
        to->at[to->n++] = after.at[i];
    return p;
}

/* Sizes of the labels; 1 goes with any size. */
static bool read_sizes(lucid_scope *s, einsum *e)
{
    for (int l = 0; l < LABELS; l++)
        e->size[l] = -1;
    for (size_t i = 0; i < e->n; i++)
        for (int d = 0; d < e->operands[i].dims.n; d++) {
            unsigned char label = e->operands[i].dims.at[d];
            int64_t size = e->operands[i].x.v->aval.shape.dim[d], *known = &e->size[label];
            if (*known >= 0 && *known != size && *known != 1 && size != 1) {
                (void)lucid_fail(
                    s, LUCID_VALUE_ERROR, "einsum: in \"%s\" %s%c has sizes %lld and %lld",
                    e->equation, label < ELLIPSIS ? "" : "a dim of ",
                    label < ELLIPSIS ? label : '.', (long long)*known, (long long)size);
                return false;
            }
            if (*known < 0 || *known == 1)
                *known = size;
        }
    return true;
}

/* Without "->": what "..." stands for, then the letters that appear once, sorted. */
static bool implicit_output(lucid_scope *s, einsum *e, int wide)
{
    int count[ELLIPSIS] = {0};
    for (size_t i = 0; i < e->n; i++)
        for (int d = 0; d < e->operands[i].dims.n; d++)
            if (e->operands[i].dims.at[d] < ELLIPSIS)
                count[e->operands[i].dims.at[d]]++;
    for (int i = 0; i < wide; i++)
        e->out.at[e->out.n++] = (unsigned char)(ELLIPSIS + wide - 1 - i);
    for (int l = 0; l < ELLIPSIS; l++) {
        if (count[l] != 1)
            continue;
        if (e->out.n == MAX) {
            (void)lucid_fail(s, LUCID_VALUE_ERROR, "einsum: the result of \"%s\" has too many dims",
                             e->equation);
            return false;
        }
        e->out.at[e->out.n++] = (unsigned char)l;
    }
    return true;
}

static bool read_output(lucid_scope *s, einsum *e, const char *p, int wide)
{
    if (!*p)
        return implicit_output(s, e, wide);
    p = p[1] == '>' ? read_term(s, e, p + 2, -1, wide, &e->out) : p;
    if (p && *p)
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "einsum: '%c' at position %d of \"%s\" is too much",
                         *p, (int)(p - e->equation), e->equation);
    if (!lucid__ok(s))
        return false;
    for (int i = 0; i < e->out.n; i++) {
        unsigned char label = e->out.at[i];
        const char *why = e->size[label] < 0 ? "is in no operand" : "appears twice";
        if (e->size[label] >= 0 && find(&e->out, label) == i)
            continue;
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "einsum: '%c' in the output of \"%s\" %s", label,
                         e->equation, why);
        return false;
    }
    return true;
}

static bool read_equation(lucid_scope *s, einsum *e, const lucid_tensor *xs)
{
    const char *p = e->equation;
    int wide = 0;
    for (size_t i = 0; i < e->n; i++) {
        operand *o = &e->operands[i];
        o->x = xs[i];
        p = read_term(s, e, p, o->x.v->aval.shape.ndim, 0, &o->dims);
        if (!p)
            return false;
        for (int d = 0; d < o->dims.n; d++)
            if (o->dims.at[d] >= ELLIPSIS + wide)
                wide = o->dims.at[d] - ELLIPSIS + 1;
        bool more = i + 1 < e->n;
        if (more != (*p == ',')) {
            (void)lucid_fail(s, LUCID_VALUE_ERROR,
                             "einsum: \"%s\" has %s terms than operands (%zu)", e->equation,
                             more ? "fewer" : "more", e->n);
            return false;
        }
        p += more;
    }
    if (!read_sizes(s, e) || !read_output(s, e, p, wide))
        return false;
    for (int i = 0; i < e->out.n; i++)
        e->in_out[e->out.at[i]] = true;
    return true;
}

/* ---- one operand --------------------------------------------------------------------------- */

static void remove_label(labels *l, int at)
{
    memmove(l->at + at, l->at + at + 1, (size_t)(l->n - at - 1));
    l->n--;
}

/* A label that an operand repeats is its diagonal; lucid_diagonal puts it last. */
static void take_diagonals(lucid_scope *s, operand *o)
{
    for (int i = 0; i < o->dims.n && lucid__ok(s); i++)
        for (int j = i + 1; j < o->dims.n; j++) {
            if (o->dims.at[i] != o->dims.at[j])
                continue;
            const lucid_shape *shape = &o->x.v->aval.shape;
            unsigned char label = o->dims.at[i];
            /* A size of 1 goes with any: that dim is dropped instead. */
            int drop = shape->dim[i] == shape->dim[j] ? -1 : shape->dim[i] == 1 ? i : j;
            if (drop >= 0) {
                o->x = lucid_reshape(s, o->x, lucid__shape_remove(shape, drop));
                remove_label(&o->dims, drop);
            } else {
                o->x = lucid_diagonal(s, o->x, 0, i, j);
                remove_label(&o->dims, j);
                remove_label(&o->dims, i);
                o->dims.at[o->dims.n++] = label;
            }
            i = -1;
            break;
        }
}

/* Dims of size 1 whose label is larger elsewhere count for nothing. */
static void drop_ones(lucid_scope *s, const einsum *e, operand *o)
{
    for (int i = o->dims.n - 1; i >= 0 && lucid__ok(s); i--) {
        const lucid_shape *shape = &o->x.v->aval.shape;
        if (shape->dim[i] == 1 && e->size[o->dims.at[i]] != 1) {
            o->x = lucid_reshape(s, o->x, lucid__shape_remove(shape, i));
            remove_label(&o->dims, i);
        }
    }
}

static bool needed(const einsum *e, unsigned char label, const operand *a, const operand *b)
{
    if (e->in_out[label])
        return true;
    for (size_t i = 0; i < e->n; i++) {
        const operand *o = &e->operands[i];
        if (o != a && o != b && o->x.v && find(&o->dims, label) >= 0)
            return true;
    }
    return false;
}

/* Sums over the dims that nobody else asks for. */
static void sum_up(lucid_scope *s, const einsum *e, operand *o, const operand *partner)
{
    lucid_dims dims = {0};
    labels rest = {0};
    for (int i = 0; i < o->dims.n; i++) {
        bool keep = needed(e, o->dims.at[i], o, partner) ||
                    (partner && find(&partner->dims, o->dims.at[i]) >= 0);
        if (keep)
            rest.at[rest.n++] = o->dims.at[i];
        else
            dims.dim[dims.n++] = i;
    }
    if (dims.n == 0)
        return;
    lucid_dtype dtype = lucid_dtype_of(o->x); /* sum would widen int32 */
    o->x = lucid_sum(s, o->x, dims);
    if (dtype == LUCID_INT32)
        o->x = lucid_cast(s, o->x, dtype);
    o->dims = rest;
}

/* ---- pairs --------------------------------------------------------------------------------- */

/* a becomes the product of both, b is used up. */
static void multiply(lucid_scope *s, const einsum *e, operand *a, operand *b)
{
    sum_up(s, e, a, b);
    sum_up(s, e, b, a);
    lucid__dim_list batch[2] = {{0}, {0}}, summed[2] = {{0}, {0}};
    labels out = {0};
    for (int i = 0; i < a->dims.n; i++) {
        int j = find(&b->dims, a->dims.at[i]);
        if (j < 0)
            continue;
        bool shared = needed(e, a->dims.at[i], a, b);
        lucid__dim_list *list = shared ? batch : summed;
        list[0].at[list[0].n++] = i;
        list[1].at[list[1].n++] = j;
        if (shared)
            out.at[out.n++] = a->dims.at[i];
    }
    if (a->dims.n + b->dims.n - batch[0].n - 2 * summed[0].n > MAX) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR,
                         "einsum: a product within \"%s\" has more than %d dims", e->equation, MAX);
        return;
    }
    const operand *both[2] = {a, b};
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < both[side]->dims.n; i++)
            if (find(&both[1 - side]->dims, both[side]->dims.at[i]) < 0)
                out.at[out.n++] = both[side]->dims.at[i];
    a->x = lucid__contract(s, a->x, b->x, batch, summed);
    a->dims = out;
    b->x = EMPTY;
}

/* Elements of the product of a and b, once what nobody else needs is summed up. */
static double product_size(const einsum *e, const operand *a, const operand *b)
{
    double size = 1;
    for (int i = 0; i < a->dims.n; i++)
        if (needed(e, a->dims.at[i], a, b))
            size *= (double)e->size[a->dims.at[i]];
    for (int i = 0; i < b->dims.n; i++)
        if (find(&a->dims, b->dims.at[i]) < 0 && needed(e, b->dims.at[i], a, b))
            size *= (double)e->size[b->dims.at[i]];
    return size;
}

/* The pair with the smallest product goes first; of equals, the leftmost. */
static operand *multiply_all(lucid_scope *s, einsum *e)
{
    for (size_t left = e->n; left > 1 && lucid__ok(s); left--) {
        operand *best_a = NULL, *best_b = NULL;
        double best = 0;
        for (size_t i = 0; i < e->n; i++)
            for (size_t j = i + 1; e->operands[i].x.v && j < e->n; j++) {
                if (!e->operands[j].x.v)
                    continue;
                double size = product_size(e, &e->operands[i], &e->operands[j]);
                if (best_a && size >= best)
                    continue;
                best = size;
                best_a = &e->operands[i];
                best_b = &e->operands[j];
            }
        if (!best_a)
            return NULL;
        multiply(s, e, best_a, best_b);
    }
    for (size_t i = 0; i < e->n; i++)
        if (e->operands[i].x.v)
            return &e->operands[i];
    return NULL;
}

/* ---- the whole ----------------------------------------------------------------------------- */

static lucid_tensor run(lucid_scope *s, einsum *e)
{
    for (size_t i = 0; i < e->n; i++) {
        take_diagonals(s, &e->operands[i]);
        if (!lucid__ok(s))
            return EMPTY;
        drop_ones(s, e, &e->operands[i]);
    }
    operand *o = multiply_all(s, e);
    if (!o || !lucid__ok(s))
        return EMPTY;
    sum_up(s, e, o, NULL);
    /* Every label that an operand has in full is left; put them in order. */
    lucid_dims order = {.n = e->out.n};
    for (int i = 0; i < e->out.n; i++)
        order.dim[i] = find(&o->dims, e->out.at[i]);
    return lucid_permute(s, o->x, order);
}

lucid_tensor lucid_einsum(lucid_scope *s, const char *equation, const lucid_tensor *xs, size_t n)
{
    if (!lucid__ok(s))
        return EMPTY;
    if (!equation || n == 0 || !xs)
        return lucid__error(s, LUCID_TYPE_ERROR, "einsum: expected an equation and its operands");
    if (!lucid__check_all(s, "einsum", xs, n))
        return EMPTY;
    lucid_scope t;
    lucid__scope_enter(&t, s);
    einsum e = {.equation = equation, .n = n};
    e.operands = lucid_alloc(&t, n * sizeof *e.operands);
    lucid_tensor *cast = lucid_alloc(&t, n * sizeof *cast);
    if (!e.operands || !cast)
        return lucid__leave(&t, EMPTY);
    memcpy(cast, xs, n * sizeof *cast);
    if (!lucid__product_dtypes(&t, "einsum", cast, n) || !read_equation(&t, &e, cast))
        return lucid__leave(&t, EMPTY);
    return lucid__leave(&t, run(&t, &e));
}
