/* Products of tensors that need less than they ask for.
 *
 *   - x[p, o, s] = u[p, s] v[o, s], summed over s with y[s, i]: u times the small v y, without x. Such is a
 *     Jacobian: what depends on the point times what depends on the row. Sums of such with a v in common are
 *     one: u1 v + u2 v = (u1 + u2) v.
 *   - What an operand repeats is repeated afterwards.
 *
 * In the first case each addend is u (v y) in place of (u v) y, with as many roundings in another order; the sums
 * over s keep theirs. It is the one rule that does not keep every bit. */
#include <string.h>

#include "engine/simplify_product.h"
#include "prim/prim.h"

enum { MAX = LUCID_MAX_NDIM, DEPTH = 24, MAX_FACTORS = 12, LOOKS = 64, ROOM = 96 };

/* 2^doublings times the factors, and perhaps -1. */
typedef struct factors {
    int n, doublings;
    bool negative;
    lucid__named at[MAX_FACTORS];
} factors;

static lucid__operand input_named(const lucid__simplifier *z, const lucid__op *op, lucid__named *x)
{
    const lucid__named from = *x;
    const lucid_shape *in = &lucid__simplify_aval(z, op->in[0])->shape, *out = &op->out[0].shape;
    int lead = out->ndim - in->ndim;
    for (int d = 0, k = 0; d < in->ndim; d++) {
        x->name[d] = LUCID__NO_NAME;
        if (in->dim[d] == 1)
            continue;
        if (op->prim == LUCID__permute) {
            while (op->params[k] != d)
                k++;
            x->name[d] = from.name[k];
            k = 0;
        } else if (op->prim == LUCID__broadcast) {
            x->name[d] = from.name[d + lead];
        } else {
            while (out->dim[k] == 1)
                k++;
            x->name[d] = from.name[k++];
        }
    }
    return op->in[0];
}

/* Whether a reshape only moves dims of size 1. */
static bool keeps_dims(const lucid_shape *a, const lucid_shape *b)
{
    int i = 0, j = 0;
    for (;; i++, j++) {
        while (i < a->ndim && a->dim[i] == 1)
            i++;
        while (j < b->ndim && b->dim[j] == 1)
            j++;
        if (i == a->ndim || j == b->ndim)
            return i == a->ndim && j == b->ndim;
        if (a->dim[i] != b->dim[j])
            return false;
    }
}

/* The product of the factors whose bit in `which` is set, and of `more`, over these dims. */
static lucid__named multiply(const lucid__product_dims *p, const factors *f, uint32_t which,
                             const lucid__named *more, bool scaled, const lucid__names *dims)
{
    lucid__named to = {.what = {-1, 0}};
    lucid__aval aval = lucid__aval_over(p, dims);
    memcpy(to.name, dims->at, (size_t)dims->n * sizeof *dims->at);
    for (int i = 0; i <= f->n && p->z->ok; i++) {
        if (i < f->n ? !(which >> i & 1) : more == NULL)
            continue;
        lucid__operand in[2] = {to.what, lucid__spread(p, i < f->n ? &f->at[i] : more, dims)};
        to.what = in[0].op < 0 || !p->z->ok
                      ? in[1]
                      : lucid__simplify_add(p->z, LUCID__mul, in, 2, NULL, 0, &aval);
    }
    for (int i = 0; scaled && i < f->doublings && p->z->ok; i++) {
        lucid__operand in[2] = {to.what, to.what};
        to.what = lucid__simplify_add(p->z, LUCID__add, in, 2, NULL, 0, &aval);
    }
    if (scaled && f->negative && p->z->ok)
        to.what = lucid__simplify_add(p->z, LUCID__neg, &to.what, 1, NULL, 0, &aval);
    return to;
}

/* How far a value is taken apart: it may be reached in many ways. */
typedef struct search {
    const lucid__product_dims *p;
    int looks;
} search;

static bool collect(search *t, lucid__named x, factors *f, int depth);

static bool add_factor(factors *f, const lucid__named *x)
{
    if (f->n == MAX_FACTORS)
        return false;
    f->at[f->n++] = *x;
    return true;
}

static bool same_named(const lucid__simplifier *z, const lucid__named *a, const lucid__named *b)
{
    int n = lucid__simplify_aval(z, a->what)->shape.ndim;
    return a->what.op == b->what.op && a->what.out == b->what.out &&
           memcmp(a->name, b->name, (size_t)n * sizeof *a->name) == 0;
}

/* u1 v + u2 v, or a difference, where the u lie over fewer dims, as the factors v and u1 + u2. */
static bool collect_sum(search *t, const lucid__op *op, const lucid__named *x, factors *f,
                        int depth)
{
    const lucid__product_dims *p = t->p;
    factors side[2] = {{0}};
    for (int k = 0; k < 2; k++) {
        lucid__named in = *x;
        in.what = op->in[k];
        if (!collect(t, in, &side[k], depth - 1))
            return false;
    }
    uint32_t rest[2] = {(1u << side[0].n) - 1, (1u << side[1].n) - 1}, over = 0, all = 0;
    for (int i = 0; i < side[0].n; i++)
        for (int j = 0; j < side[1].n; j++)
            if ((rest[0] >> i & 1) && (rest[1] >> j & 1) &&
                same_named(p->z, &side[0].at[i], &side[1].at[j])) {
                rest[0] &= ~(1u << i);
                rest[1] &= ~(1u << j);
            }
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < side[k].n; i++) {
            all |= side[k].at[i].over;
            over |= rest[k] >> i & 1 ? side[k].at[i].over : 0;
        }
    if (rest[0] == 0 || rest[1] == 0 || over == all || !lucid__simplify_room(p->z, 2 * ROOM))
        return false;
    lucid__names dims = {0};
    for (int d = 0; d < MAX; d++)
        if (over >> d & 1)
            lucid__add_name(&dims, d);
    lucid__operand in[2];
    for (int k = 0; k < 2; k++)
        in[k] = multiply(p, &side[k], rest[k], NULL, true, &dims).what;
    lucid__aval aval = lucid__aval_over(p, &dims);
    lucid__named sum = {.over = over};
    memcpy(sum.name, dims.at, (size_t)dims.n * sizeof *dims.at);
    if (p->z->ok)
        sum.what = lucid__simplify_add(p->z, (lucid__prim_id)op->prim, in, 2, NULL, 0, &aval);
    bool fits = p->z->ok && add_factor(f, &sum);
    for (int i = 0; fits && i < side[0].n; i++)
        fits = (rest[0] >> i & 1) || add_factor(f, &side[0].at[i]);
    return fits;
}

/* Takes a value apart; x.what is it, x.name its dims. False: too many factors. */
static bool collect(search *t, lucid__named x, factors *f, int depth)
{
    const lucid__simplifier *z = t->p->z;
    for (; depth > 0 && x.what.op >= z->sk->nleaves && t->looks > 0; depth--, t->looks--) {
        const lucid__op *op = lucid__simplify_op(z, x.what);
        bool moves = op->prim == LUCID__permute || op->prim == LUCID__broadcast ||
                     (op->prim == LUCID__reshape &&
                      keeps_dims(&lucid__simplify_aval(z, op->in[0])->shape, &op->out[0].shape));
        bool sum = op->prim == LUCID__add || op->prim == LUCID__sub;
        bool twice = op->prim == LUCID__add && op->in[0].op == op->in[1].op &&
                     op->in[0].out == op->in[1].out;
        if (op->prim == LUCID__mul) {
            lucid__named first = x;
            first.what = op->in[0];
            x.what = op->in[1];
            if (!collect(t, first, f, depth - 1))
                return false;
        } else if (moves) {
            x.what = input_named(z, op, &x);
        } else if (op->prim == LUCID__neg || twice) {
            f->negative ^= op->prim == LUCID__neg;
            f->doublings += twice;
            x.what = op->in[0];
        } else if (sum && collect_sum(t, op, &x, f, depth)) {
            return true;
        } else {
            break;
        }
    }
    const lucid_shape *shape = &lucid__simplify_aval(z, x.what)->shape;
    x.over = 0;
    for (int d = 0; d < shape->ndim; d++)
        if (shape->dim[d] == 1)
            x.name[d] = LUCID__NO_NAME;
        else
            x.over |= 1u << x.name[d];
    return add_factor(f, &x);
}

/* The contraction becomes that of a and b, whose dims are batches, sums and own ones. */
static void contract(const lucid__product_dims *p, const lucid__named *a,
                     const lucid__names *a_dims, const lucid__named *b, const lucid__names *b_dims)
{
    const lucid__names *dims[2] = {a_dims, b_dims}, *common[2] = {&p->batches, &p->sums};
    int64_t params[2 + 4 * MAX] = {p->batches.n, p->sums.n};
    uint32_t both = 0;
    int n = 2;
    lucid__names out = p->batches;
    for (int role = 0; role < 2; role++)
        for (int i = 0; i < 2 * common[role]->n; i++) {
            const lucid__names *of = dims[i / common[role]->n];
            int name = common[role]->at[i % common[role]->n], d = 0;
            while (of->at[d] != name)
                d++;
            both |= 1u << name;
            params[n++] = d;
        }
    lucid__add_names(&out, a_dims, ~both);
    lucid__add_names(&out, b_dims, ~both);
    const lucid__operand in[2] = {a->what, b->what};
    lucid__aval aval = lucid__aval_over(p, &out);
    lucid__named result = {.what =
                               lucid__simplify_add(p->z, LUCID__contract, in, 2, params, n, &aval)};
    memcpy(result.name, out.at, (size_t)out.n * sizeof *out.at);
    if (p->z->ok)
        lucid__replace_product(p, &result);
}

/* Dims that no factor has in common with the others. */
static int components(const factors *f, uint32_t own, uint32_t *to)
{
    int n = 0;
    for (int i = 0; i < f->n; i++) {
        uint32_t all = f->at[i].over & own;
        if (all == 0)
            continue;
        int kept = 0;
        for (int k = 0; k < n; k++)
            if (to[k] & all)
                all |= to[k];
            else
                to[kept++] = to[k];
        to[kept] = all;
        n = kept + 1;
    }
    return n;
}

/* The dims whose factors y takes, so that least is multiplied; 0: y stays as it is. */
static uint32_t choose_moved(const lucid__product_dims *p, const uint32_t *part, int nparts,
                             uint32_t own, double most)
{
    uint32_t best = 0, shared = p->batch | p->summed;
    for (int i = 0; i < 2 * nparts; i++) {
        uint32_t moved = i < nparts ? part[i] : own & ~part[i - nparts];
        double work = lucid__volume_over(p, shared | (own & ~moved)) +
                      lucid__volume_over(p, shared | moved | p->y.over);
        if (moved != 0 && moved != own && work <= most) {
            best = moved;
            most = work;
        }
    }
    return best;
}

static bool reassociate(const lucid__product_dims *p)
{
    lucid__named x = {.what = p->op->in[p->side]};
    factors f = {0};
    uint32_t part[MAX_FACTORS];
    for (int d = 0; d < MAX; d++)
        x.name[d] = d;
    search t = {p, LOOKS};
    if (!collect(&t, x, &f, DEPTH))
        return false;
    int nparts = components(&f, p->own, part);
    uint32_t own = 0; /* that a factor has: the rest is repeated */
    for (int i = 0; i < nparts; i++)
        own |= part[i];
    uint32_t moved = 0;
    if (f.n > 1 && lucid__simplify_single_use(p->z, x.what))
        moved = choose_moved(p, part, nparts, own,
                             lucid__volume_over(p, p->batch | p->summed | own) * 3 / 4);
    if (moved == 0 && own == p->own)
        return false;
    lucid__names a = {0}, b = p->batches;
    const uint32_t kept = own & ~moved, shared = p->batch | p->summed;
    const bool b_is_less = moved && lucid__volume_over(p, shared | moved | p->y.over) <
                                        lucid__volume_over(p, shared | kept);
    for (int d = 0; d < lucid__simplify_aval(p->z, x.what)->shape.ndim; d++)
        if ((kept >> d & 1) || !lucid__has_name(&p->rows, d))
            lucid__add_name(&a, d);
    lucid__add_names(&b, &p->sums, ~0u);
    for (int i = p->batches.n; i < p->result.n; i++)
        if (lucid__has_name(&p->cols, p->result.at[i]) || (moved >> p->result.at[i] & 1))
            lucid__add_name(&b, p->result.at[i]);
    if (b.n > MAX)
        return false;
    uint32_t to_b = 0; /* factors; those over neither's own dims go where they cost less */
    for (int i = 0; i < f.n; i++)
        if (f.at[i].over & own ? f.at[i].over & moved : b_is_less)
            to_b |= 1u << i;
    const lucid__named u = multiply(p, &f, ~to_b, NULL, !b_is_less, &a);
    const lucid__named v = multiply(p, &f, to_b, &p->y, b_is_less, &b);
    if (!p->z->ok)
        return true;
    /* In the order of the result, if that is one of the two. */
    if (kept >> p->result.at[p->result.n - 1] & 1)
        contract(p, &v, &b, &u, &a);
    else
        contract(p, &u, &a, &v, &b);
    return true;
}

void lucid__simplify_contract(lucid__simplifier *z, int number)
{
    if (!lucid__simplify_reserve(z, 4 * ROOM))
        return;
    lucid__op *op = &z->sk->ops[number];
    for (int side = 0; side < 2 && lucid__simplify_room(z, ROOM); side++) {
        lucid__product_dims p;
        if (!lucid__name_dims(&p, z, op, side) || lucid__pick_by_basis(&p) || reassociate(&p))
            return;
    }
}
