/* Sums of pads. The derivative of x[0] * x[1] is a sum of two pads. Both are pieces of numbers and zeros side
 * by side, so the sum is, too: their concatenation, in which a + 0 stands where only one has numbers. (Not a:
 * that may be -0.) */
#include <string.h>

#include "engine/simplify.h"
#include "prim/prim.h"

static const lucid__operand none = {-1, 0};

enum { MAX_PIECES = 64 };

typedef struct piece {
    lucid__operand what; /* op < 0: zeros */
    int64_t size;
} piece;

typedef struct pieces {
    int dim, n;
    piece at[MAX_PIECES];
} pieces;

static void add_piece(pieces *p, lucid__operand what, int64_t size)
{
    if (size == 0)
        return;
    if (what.op < 0 && p->n > 0 && p->at[p->n - 1].what.op < 0)
        p->at[p->n - 1].size += size;
    else if (p->n < MAX_PIECES)
        p->at[p->n++] = (piece){what, size};
    else
        p->n = MAX_PIECES + 1; /* too many */
}

/* A value as pieces along one dim; false: it is not. */
static bool pieces_of(const lucid__simplifier *z, const lucid__op *op, pieces *p)
{
    *p = (pieces){.dim = -1};
    if (op->prim == LUCID__pad) {
        int n = op->nparams / 3;
        const int64_t *size = lucid__simplify_aval(z, op->in[0])->shape.dim;
        for (int d = 0; d < n; d++) {
            if (op->params[2 * n + d] != 0 && size[d] > 1)
                return false;
            if (op->params[d] == 0 && op->params[n + d] == 0)
                continue;
            if (p->dim >= 0 || op->params[d] < 0 || op->params[n + d] < 0)
                return false;
            p->dim = d;
        }
        if (p->dim < 0)
            return false;
        add_piece(p, none, op->params[p->dim]);
        add_piece(p, op->in[0], size[p->dim]);
        add_piece(p, none, op->params[n + p->dim]);
        return true;
    }
    if (op->prim != LUCID__concatenate || op->nin > MAX_PIECES)
        return false;
    p->dim = (int)op->params[0];
    for (int j = 0; j < op->nin; j++) {
        bool zeros = lucid__simplify_is(z, op->in[j], LUCID__constant) &&
                     lucid__simplify_known(z, op->in[j]) == LUCID__ZERO;
        add_piece(p, zeros ? none : op->in[j],
                  lucid__simplify_aval(z, op->in[j])->shape.dim[p->dim]);
    }
    return p->n <= MAX_PIECES;
}

/* Only what nobody else uses: it would be made twice. */
static bool take_apart(const lucid__simplifier *z, lucid__operand r, pieces *p)
{
    return lucid__simplify_single_use(z, r) && pieces_of(z, lucid__simplify_op(z, r), p);
}

/* The sum of two lists of pieces; false: numbers of one meet part of the other's. */
static bool add_pieces(const pieces *a, const pieces *b, pieces *sum, bool *both)
{
    int i = 0, j = 0;
    int64_t used_a = 0, used_b = 0;
    *sum = (pieces){.dim = a->dim};
    if (a->dim != b->dim)
        return false;
    while (i < a->n && j < b->n) {
        const piece *p = &a->at[i], *q = &b->at[j];
        int64_t left_a = p->size - used_a, left_b = q->size - used_b;
        int64_t size = left_a < left_b ? left_a : left_b;
        bool zero_a = p->what.op < 0, zero_b = q->what.op < 0;
        if ((!zero_a && size != p->size) || (!zero_b && size != q->size))
            return false;
        /* Where both have numbers, lucid__simplify_add puts their sum; noted by the index of both. */
        both[sum->n < MAX_PIECES ? sum->n : 0] = !zero_a && !zero_b;
        add_piece(sum, zero_a ? q->what : p->what, size);
        if (sum->n > MAX_PIECES)
            return false;
        used_a += size, used_b += size;
        if (used_a == p->size)
            i++, used_a = 0;
        if (used_b == q->size)
            j++, used_b = 0;
    }
    return true;
}

/* The piece of b that begins at `start`. */
static lucid__operand piece_at(const pieces *b, int64_t start)
{
    int i = 0;
    for (int64_t at = 0; at < start; i++)
        at += b->at[i].size;
    return b->at[i].what;
}

static lucid__operand zeros_like(lucid__simplifier *z, const lucid__aval *aval)
{
    int64_t zero = 0;
    return lucid__simplify_add(z, LUCID__constant, NULL, 0, &zero, 1, aval);
}

void lucid__join_pads(lucid__simplifier *z, int number)
{
    const lucid__operand *in = z->sk->ops[number].in;
    const lucid__aval out = z->sk->ops[number].out[0];
    pieces a, b, sum;
    bool both[MAX_PIECES] = {false};
    if (!take_apart(z, in[0], &a) || !take_apart(z, in[1], &b) || !add_pieces(&a, &b, &sum, both))
        return;
    if (!lucid__simplify_reserve(z, 2 * sum.n))
        return;
    lucid__operand parts[MAX_PIECES];
    int64_t at = 0, dim = sum.dim;
    for (int i = 0; i < sum.n; i++) {
        lucid__aval aval = out;
        aval.shape.dim[dim] = sum.at[i].size;
        if (sum.at[i].what.op < 0) {
            parts[i] = zeros_like(z, &aval);
        } else {
            lucid__operand both_of[2] = {sum.at[i].what,
                                         both[i] ? piece_at(&b, at) : zeros_like(z, &aval)};
            parts[i] =
                z->ok ? lucid__simplify_add(z, LUCID__add, both_of, 2, NULL, 0, &aval) : none;
        }
        if (!z->ok)
            return;
        at += sum.at[i].size;
    }
    lucid__simplify_become(z, &z->sk->ops[number], LUCID__concatenate, parts, sum.n, &dim, 1);
}

/* Few single elements among zeros are a choice at every position: elementwise, and part of any program. */
void lucid__choose_positions(lucid__simplifier *z, int number)
{
    enum { FEW = 8 };
    pieces p;
    int chosen = 0;
    bool gaps = z->sk->ops[number].prim == LUCID__pad;
    const lucid__aval out = z->sk->ops[number].out[0];
    if (!pieces_of(z, &z->sk->ops[number], &p) || lucid__numel(&out.shape) == 0 ||
        !lucid__simplify_reserve(z, 3 * FEW + 2))
        return;
    for (int i = 0; i < p.n; i++) {
        bool zeros = p.at[i].what.op < 0;
        if (!zeros && p.at[i].size != 1)
            return;
        chosen += !zeros;
        gaps |= zeros && p.at[i].size > 1;
    }
    if (!gaps || chosen == 0 || chosen > FEW)
        return;
    int n = out.shape.ndim;
    int64_t params[LUCID_MAX_NDIM + 2] = {LUCID_INT64, p.dim}, at = 0;
    lucid__aval counted = {LUCID_INT64, out.shape}, test = {LUCID_BOOL, out.shape};
    memcpy(params + 2, out.shape.dim, (size_t)n * sizeof *params);
    lucid__operand index = lucid__simplify_add(z, LUCID__iota, NULL, 0, params, n + 2, &counted);
    lucid__operand rest = z->ok ? zeros_like(z, &out) : none;
    for (int i = 0; i < p.n && z->ok; at += p.at[i++].size) {
        lucid__operand in[3] = {index, none, rest};
        if (p.at[i].what.op < 0)
            continue;
        in[1] = lucid__simplify_add(z, LUCID__constant, NULL, 0, &at, 1, &counted);
        in[0] = z->ok ? lucid__simplify_add(z, LUCID__eq, in, 2, NULL, 0, &test) : none;
        in[1] = z->ok ? lucid__simplify_add(z, LUCID__broadcast, &p.at[i].what, 1, out.shape.dim, n,
                                            &out)
                      : none;
        if (--chosen == 0 && z->ok)
            lucid__simplify_become(z, &z->sk->ops[number], LUCID__where, in, 3, NULL, 0);
        else if (z->ok)
            rest = lucid__simplify_add(z, LUCID__where, in, 3, NULL, 0, &out);
    }
}
