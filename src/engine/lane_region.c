/* Which dim is the batch: dims are classes (union-find), those that an operation makes of another's elements one
 * for one belong together, and the class that most values have is tried first. A region grows along the order
 * of the operations; who depends on an operation that has to stay outside, stays outside, too, so that the
 * region can run as one step. */
#include "engine/lane_region.h"

#include <string.h>

#include "engine/lane_region_cost.h"
#include "prim/prim.h"

static const double WORTH_IT = 0.8, CLEARLY = 0.6, LEAST_GAIN = 1e-5; /* estimates are rough */

enum {
    LEAST_LANES = 64,
    MOST_ELEMENTS = 1 << 10, /* of a value of one example */
    MOST_CELLS = 6 << 10,    /* in all, about */
};

typedef struct finder {
    lucid__sketch *sk;
    int *first_value; /* of operation i */
    int *first_dim;   /* of value v */
    int *parent;      /* of each dim */
    int *count;       /* of values with a dim of the class */
    bool *looked_at;  /* operations, for a region that was found */
    const int *region_of;
    const lucid__lane_region *regions;     /* taken so far */
    int ntried, tried[LUCID__MAX_REGIONS]; /* classes of which no operation is fit */
    bool *wanted;                          /* values, as results */
} finder;

static void *many(const finder *f, size_t n, size_t size)
{
    return lucid__arena_alloc(f->sk->arena, (n + 1) * size);
}

static lucid__operand input(const finder *f, const lucid__op *op, int i)
{
    return lucid__sketch_resolve(f->sk, op->in[i]);
}

static int value_of(const finder *f, lucid__operand r)
{
    return f->first_value[r.op] + r.out;
}

/* ---- classes of dims --------------------------------------------------------------------------- */

static int root_of(const finder *f, int dim)
{
    while (f->parent[dim] != dim)
        dim = f->parent[dim] = f->parent[f->parent[dim]];
    return dim;
}

static int dim_at(const finder *f, lucid__operand r, int d)
{
    return f->first_dim[value_of(f, r)] + d;
}

/* The dim of a value that is of the class; -1: none, -2: several. */
static int batch_of(const finder *f, lucid__operand r, int class)
{
    int found = -1;
    for (int d = 0; d < lucid__sketch_aval(f->sk, r)->shape.ndim; d++)
        if (root_of(f, dim_at(f, r, d)) == class)
            found = found == -1 ? d : -2;
    return found;
}

static void join_dims(const finder *f, int number)
{
    const lucid__op *op = &f->sk->ops[number];
    for (int i = 0; i < op->nin; i++) {
        lucid__operand r = input(f, op, i);
        for (int d = 0; d < lucid__sketch_aval(f->sk, r)->shape.ndim; d++) {
            int to = lucid__dim_passes(f->sk, op, i, d);
            for (int k = 0; to >= 0 && k < op->nout; k++)
                if (to < op->out[k].shape.ndim)
                    f->parent[root_of(f, dim_at(f, (lucid__operand){number, k}, to))] =
                        root_of(f, dim_at(f, r, d));
        }
    }
}

static bool prepare(finder *f)
{
    const lucid__sketch *sk = f->sk;
    int values = 0, dims = 0;
    f->first_value = many(f, (size_t)sk->nops, sizeof *f->first_value);
    if (!f->first_value)
        return false;
    for (int i = 0; i < sk->nops; i++) {
        f->first_value[i] = values;
        values += i < sk->nleaves || sk->ops[i].live ? sk->ops[i].nout : 0;
    }
    f->first_dim = many(f, (size_t)values, sizeof *f->first_dim);
    f->wanted = many(f, (size_t)values, sizeof *f->wanted);
    f->looked_at = many(f, (size_t)sk->nops, sizeof *f->looked_at);
    if (!f->first_dim || !f->wanted || !f->looked_at)
        return false;
    for (int i = 0; i < sk->nops; i++)
        for (int k = 0; (i < sk->nleaves || sk->ops[i].live) && k < sk->ops[i].nout; k++) {
            f->first_dim[f->first_value[i] + k] = dims;
            dims += sk->ops[i].out[k].shape.ndim;
        }
    f->parent = many(f, (size_t)dims, sizeof *f->parent);
    f->count = many(f, (size_t)dims, sizeof *f->count);
    if (!f->parent || !f->count)
        return false;
    for (int d = 0; d < dims; d++)
        f->parent[d] = d;
    for (int i = 0; i < sk->norder; i++)
        join_dims(f, sk->order[i]);
    const lucid__structure *st = sk->structure;
    for (size_t i = 0; i < st->nnodes; i++)
        for (int k = 0; k < st->nodes[i]->nout; k++)
            if (lucid__structure_wants(st, i, k)) {
                lucid__operand r = {sk->nleaves + (int)i, k};
                f->wanted[value_of(f, lucid__sketch_resolve(sk, r))] = true;
            }
    return true;
}

static bool was_tried(const finder *f, int class)
{
    for (int i = 0; i < f->ntried; i++)
        if (f->tried[i] == class)
            return true;
    return false;
}

/* The class that most of the values have, of those that were not looked at, with at least so many lanes; -1:
 * none. */
static int commonest_class(finder *f, int64_t least, int64_t *lanes)
{
    int best = -1;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < f->sk->norder; i++) {
            const lucid__op *op = &f->sk->ops[f->sk->order[i]];
            if (f->looked_at[f->sk->order[i]] || op->nin == 0)
                continue;
            for (int d = 0; d < op->out[0].shape.ndim; d++) {
                int class = root_of(f, dim_at(f, (lucid__operand){f->sk->order[i], 0}, d));
                if (pass == 0)
                    f->count[class] = 0;
                else if (batch_of(f, (lucid__operand){f->sk->order[i], 0}, class) >= 0)
                    f->count[class]++;
            }
        }
    for (int i = 0; i < f->sk->norder; i++) {
        const lucid__op *op = &f->sk->ops[f->sk->order[i]];
        for (int d = 0; !f->looked_at[f->sk->order[i]] && op->nin > 0 && d < op->out[0].shape.ndim;
             d++) {
            int class = root_of(f, dim_at(f, (lucid__operand){f->sk->order[i], 0}, d));
            int64_t size = op->out[0].shape.dim[d];
            if (f->count[class] > 0 && size >= least && !was_tried(f, class) &&
                (best < 0 || f->count[class] > f->count[best] ||
                 (f->count[class] == f->count[best] && size > *lanes))) {
                best = class;
                *lanes = size;
            }
        }
    }
    return best;
}

/* ---- growing -------------------------------------------------------------------------------------- */

typedef struct growth {
    finder *f;
    lucid__lane_region *region;
    int class;
    bool *inside, *after; /* operations: of the region; depend on it, but are outside */
    int64_t cells;
} growth;

static int64_t of_one(const lucid__aval *aval, int dim, int64_t lanes)
{
    int64_t n = lucid__numel(&aval->shape);
    return dim >= 0 ? n / lanes : n;
}

/* Whether the operation does its work for each lane alone, on few elements. */
static bool is_fit(const growth *g, int number)
{
    const finder *f = g->f;
    const lucid__op *op = &f->sk->ops[number];
    int64_t cells = lucid__lane_region_cells(f->sk, op);
    int dim = batch_of(f, (lucid__operand){number, 0}, g->class);
    if (f->looked_at[number] || dim < 0 || cells < 0 ||
        g->cells + cells / g->region->lanes > MOST_CELLS)
        return false;
    for (int k = 0; k < op->nout; k++) {
        int64_t n = of_one(&op->out[k], dim, g->region->lanes);
        if (batch_of(f, (lucid__operand){number, k}, g->class) != dim || n <= 0 ||
            n > MOST_ELEMENTS)
            return false;
    }
    if (op->prim == LUCID__basis || (op->prim == LUCID__iota && op->params[1] == dim))
        return false; /* not the same for all lanes */
    for (int i = 0; i < op->nin; i++) {
        lucid__operand r = input(f, op, i);
        int at = batch_of(f, r, g->class);
        if (at < -1 || (at >= 0 && lucid__dim_passes(f->sk, op, i, at) != dim) ||
            of_one(lucid__sketch_aval(f->sk, r), at, g->region->lanes) > MOST_ELEMENTS)
            return false;
        /* only these take what is the same for all beside what is not */
        if (at < 0 && op->prim != LUCID__contract && op->prim != LUCID__broadcast &&
            op->prim != LUCID__gather)
            return false;
    }
    return true;
}

/* Whether an operation (or another of its own region: they run as one step) reads what the region makes; late:
 * through something outside of it. */
static bool depends_on(const growth *g, int number, bool *late)
{
    const finder *f = g->f;
    const lucid__lane_region *own =
        f->region_of[number] < 0 ? NULL : &f->regions[f->region_of[number]];
    bool depends = false;
    *late = false;
    for (int i = 0; i < (own ? own->nops : 1); i++) {
        const lucid__op *op = &f->sk->ops[own ? own->ops[i] : number];
        for (int j = 0; j < op->nin; j++) {
            int from = input(f, op, j).op;
            *late |= g->after[from];
            depends |= g->inside[from] || g->after[from];
        }
    }
    return depends;
}

static bool grow(growth *g)
{
    const lucid__sketch *sk = g->f->sk;
    g->inside = many(g->f, (size_t)sk->nops, sizeof *g->inside);
    g->after = many(g->f, (size_t)sk->nops, sizeof *g->after);
    g->region->ops = many(g->f, (size_t)sk->norder, sizeof *g->region->ops);
    if (!g->inside || !g->after || !g->region->ops)
        return false;
    for (int i = 0; i < sk->norder; i++) {
        int number = sk->order[i];
        bool late, depends = depends_on(g, number, &late);
        if (!late && is_fit(g, number)) {
            g->inside[number] = true;
            g->region->ops[g->region->nops++] = number;
            g->cells += lucid__lane_region_cells(sk, &sk->ops[number]) / g->region->lanes;
        } else {
            g->after[number] = depends;
        }
    }
    return true;
}

/* ---- the body -------------------------------------------------------------------------------------- */

typedef struct writer {
    growth *g;
    lucid__aval *avals;
    int *number; /* of value v in the body, plus 1; 0: it has none yet */
    int nvalues, value_capacity, nbody_ops;
} writer;

static lucid__aval aval_of_one(const lucid__aval *aval, int dim)
{
    lucid__aval one = *aval;
    if (dim >= 0)
        one.shape = lucid__shape_remove(&aval->shape, dim);
    return one;
}

static bool is_source(const writer *w, lucid__operand r)
{
    const lucid__sketch *sk = w->g->f->sk;
    return r.op >= sk->nleaves && sk->ops[r.op].nin == 0 &&
           lucid__numel(&sk->ops[r.op].out->shape) <= MOST_ELEMENTS;
}

static bool write_op(writer *w, int number);

/* The number of an input's value; -1: out of memory. What has no inputs itself is made anew. */
static int64_t read_value(writer *w, lucid__operand r)
{
    const finder *f = w->g->f;
    int *number = &w->number[value_of(f, r)];
    if (*number == 0 && is_source(w, r) && !write_op(w, r.op))
        return -1;
    return *number - 1;
}

/* A dim of size 1 that becomes the batch is no dim of one example. */
static int64_t without_dim(writer *w, int64_t value, int dim)
{
    lucid__body_op *to = &w->g->region->body_ops[w->nbody_ops];
    int64_t *in = many(w->g->f, 1, sizeof *in);
    if (!in)
        return -1;
    in[0] = value;
    w->avals[w->nvalues] = aval_of_one(&w->avals[value], dim);
    *to = (lucid__body_op){
        .prim = LUCID__reshape, .nin = 1, .nout = 1, .in = in, .first_out = w->nvalues++};
    w->nbody_ops++;
    return in[0] < 0 ? -1 : to->first_out;
}

static bool write_op(writer *w, int number)
{
    const growth *g = w->g;
    const finder *f = g->f;
    const lucid__op *op = &f->sk->ops[number];
    int64_t *in = many(f, (size_t)op->nin, sizeof *in);
    int *in_dim = many(f, (size_t)op->nin, sizeof *in_dim);
    int out_dim = batch_of(f, (lucid__operand){number, 0}, g->class), nparams = 0;
    if (!in || !in_dim)
        return false;
    for (int i = 0; i < op->nin; i++) {
        lucid__operand r = input(f, op, i);
        in[i] = read_value(w, r);
        in_dim[i] = batch_of(f, r, g->class);
        int lead = op->out[0].shape.ndim - lucid__sketch_aval(f->sk, r)->shape.ndim;
        if (op->prim == LUCID__broadcast && in_dim[i] < 0 && out_dim >= lead && in[i] >= 0)
            in[i] = without_dim(w, in[i], out_dim - lead);
        if (in[i] < 0)
            return false;
    }
    const int64_t *params = lucid__params_of_one(f->sk, op, in_dim, out_dim, &nparams);
    if (!params)
        return false;
    g->region->body_ops[w->nbody_ops++] = (lucid__body_op){.prim = (lucid__prim_id)op->prim,
                                                           .nin = op->nin,
                                                           .nparams = nparams,
                                                           .nout = op->nout,
                                                           .in = in,
                                                           .params = params,
                                                           .first_out = w->nvalues};
    for (int k = 0; k < op->nout; k++) {
        w->number[f->first_value[number] + k] = w->nvalues + 1;
        w->avals[w->nvalues++] = aval_of_one(&op->out[k], out_dim);
    }
    return true;
}

/* The values that the region reads from outside, each once, are its first. */
static void list_inputs(writer *w)
{
    const growth *g = w->g;
    lucid__lane_region *region = g->region;
    for (int i = 0; i < region->nops; i++) {
        const lucid__op *op = &g->f->sk->ops[region->ops[i]];
        for (int j = 0; j < op->nin; j++) {
            lucid__operand r = input(g->f, op, j);
            int *number = &w->number[value_of(g->f, r)], dim = batch_of(g->f, r, g->class);
            if (*number > 0 || g->inside[r.op] || (dim < 0 && is_source(w, r)))
                continue;
            region->in[region->nin++] = (lucid__lane_region_value){r, dim};
            w->avals[w->nvalues++] = aval_of_one(lucid__sketch_aval(g->f->sk, r), dim);
            *number = w->nvalues;
        }
    }
}

static void list_outputs(const growth *g, const bool *read_outside)
{
    lucid__lane_region *region = g->region;
    for (int i = 0; i < region->nops; i++) {
        const lucid__op *op = &g->f->sk->ops[region->ops[i]];
        for (int k = 0; k < op->nout; k++) {
            lucid__operand r = {region->ops[i], k};
            int v = value_of(g->f, r);
            if (g->f->wanted[v] || read_outside[v])
                region->out[region->nout++] =
                    (lucid__lane_region_value){r, batch_of(g->f, r, g->class)};
        }
    }
}

static bool write_body(growth *g)
{
    finder *f = g->f;
    lucid__lane_region *region = g->region;
    int values = value_of(f, (lucid__operand){f->sk->nops - 1, f->sk->ops[f->sk->nops - 1].nout});
    int inputs = 0, outputs = 0;
    for (int i = 0; i < region->nops; i++) {
        inputs += f->sk->ops[region->ops[i]].nin;
        outputs += f->sk->ops[region->ops[i]].nout;
    }
    /* An operation may ask for a source and a reshape for each of its inputs. */
    size_t most = (size_t)region->nops + 3 * (size_t)inputs;
    writer w = {.g = g};
    w.number = many(f, (size_t)values, sizeof *w.number);
    w.avals = many(f, (size_t)outputs + 3 * (size_t)inputs, sizeof *w.avals);
    region->body_ops = many(f, most, sizeof *region->body_ops);
    region->in = many(f, (size_t)inputs, sizeof *region->in);
    region->out = many(f, (size_t)outputs, sizeof *region->out);
    bool *read_outside = many(f, (size_t)values, sizeof *read_outside);
    int64_t *out = many(f, (size_t)outputs, sizeof *out);
    if (!w.number || !w.avals || !region->body_ops || !region->in || !region->out ||
        !read_outside || !out)
        return false;
    for (int i = 0; i < f->sk->norder; i++) {
        const lucid__op *op = &f->sk->ops[f->sk->order[i]];
        for (int j = 0; !g->inside[f->sk->order[i]] && j < op->nin; j++)
            read_outside[value_of(f, input(f, op, j))] = true;
    }
    list_inputs(&w);
    for (int i = 0; i < region->nops; i++)
        if (!write_op(&w, region->ops[i]))
            return false;
    list_outputs(g, read_outside);
    for (int k = 0; k < region->nout; k++)
        out[k] = w.number[value_of(f, region->out[k].at)] - 1;
    region->body = (lucid__body){.nin = region->nin,
                                 .nvalues = w.nvalues,
                                 .nops = w.nbody_ops,
                                 .nout = region->nout,
                                 .avals = w.avals,
                                 .out = out};
    return true;
}

/* ---- the order --------------------------------------------------------------------------------------- */

/* What does not depend on the region goes in front of it, the rest behind. */
static bool put_together(const growth *g)
{
    lucid__sketch *sk = g->f->sk;
    int *order = many(g->f, (size_t)sk->norder, sizeof *order), n = 0;
    if (!order)
        return false;
    for (int part = 0; part < 3; part++)
        for (int i = 0; i < sk->norder; i++) {
            int number = sk->order[i];
            int belongs = g->inside[number] ? 1 : g->after[number] ? 2 : 0;
            if (belongs == part)
                order[n++] = number;
        }
    memcpy(sk->order, order, (size_t)n * sizeof *order);
    return true;
}

/* Whether it does more than name elements anew. */
static bool computes(const lucid__lane_region *region)
{
    for (int i = 0; i < region->body.nops; i++) {
        lucid__prim_id prim = region->body_ops[i].prim;
        lucid__family family = lucid__prim_get(prim)->family;
        if (prim == LUCID__pad || prim == LUCID__concatenate ||
            (family != LUCID__SHAPE && family != LUCID__SOURCE))
            return true;
    }
    return false;
}

/* What may be one program stays one if something is left outside, unless much is gained. */
static bool is_worth_it(const growth *g)
{
    const lucid__sketch *sk = g->f->sk;
    bool complete = true;
    for (int i = 0; i < sk->norder; i++) {
        const lucid__op *op = &sk->ops[sk->order[i]];
        lucid__family family = lucid__prim_get((lucid__prim_id)op->prim)->family;
        complete &= g->inside[sk->order[i]] || family == LUCID__SHAPE || family == LUCID__SOURCE;
    }
    const lucid__lane_region *r = g->region;
    if (r->kernels == 0 && !complete)
        return r->together <= CLEARLY * r->apart && r->apart - r->together > LEAST_GAIN;
    return r->together <= WORTH_IT * r->apart;
}

int lucid__lane_regions_find(lucid__sketch *sk, bool forced, lucid__lane_region *regions,
                             int *region_of, lucid__lane_region *left, int *nleft)
{
    finder f = {.sk = sk, .region_of = region_of, .regions = regions};
    int found = 0;
    *nleft = 0;
    for (int i = 0; i < sk->nops; i++)
        region_of[i] = -1;
    if (!prepare(&f))
        return -1;
    for (int trial = 0; trial < LUCID__MAX_REGIONS; trial++) {
        lucid__lane_region region = {0};
        growth g = {.f = &f, .region = &region};
        g.class = commonest_class(&f, forced ? 1 : LEAST_LANES, &region.lanes);
        if (g.class < 0)
            break;
        if (!grow(&g))
            return -1;
        if (region.nops == 0) {
            f.tried[f.ntried++] = g.class;
            continue;
        }
        if (!write_body(&g))
            return -1;
        for (int i = 0; i < region.nops; i++)
            f.looked_at[region.ops[i]] = true;
        if (!lucid__lane_region_estimate(sk->arena, &region))
            return -1;
        if (!computes(&region) || (!forced && !is_worth_it(&g))) {
            if (region.nops > 1 && region.kernels > 0) /* or else it is one program */
                left[(*nleft)++] = region;
            continue;
        }
        if (!put_together(&g))
            return -1;
        for (int i = 0; i < region.nops; i++)
            region_of[region.ops[i]] = found;
        regions[found++] = region;
    }
    return found;
}
