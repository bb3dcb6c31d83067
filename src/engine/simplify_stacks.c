/* What is computed from a stack of few computed values, piece by piece: f(stack(a, b)) is stack(f(a), f(b)), and a sum
 * over the stack is a sum of its pieces in the order of program.h. So what a function puts together in between and
 * goes on with stays in the program that made it, with the same bits. */
#include <string.h>

#include "engine/program.h"
#include "engine/simplify.h"
#include "prim/prim.h"

enum {
    FEW = 4,
    LANES = 256, /* elements of a piece: an instruction on few costs as much as one on all pieces */
};

/* Whether a value is a leaf, or elements of one. */
static bool in_memory(const lucid__simplifier *z, lucid__operand r)
{
    r = lucid__sketch_resolve(z->sk, r);
    while (lucid__simplify_is(z, r, LUCID__broadcast) || lucid__simplify_is(z, r, LUCID__reshape) ||
           lucid__simplify_is(z, r, LUCID__permute) || lucid__simplify_is(z, r, LUCID__slice))
        r = lucid__sketch_resolve(z->sk, lucid__simplify_op(z, r)->in[0]);
    return r.op < z->sk->nleaves;
}

/* A stack along params[0] of values that are computed, all but one at most: that one may need a program of its own, as
 * what reads the stack would. */
static bool is_stack(const lucid__simplifier *z, lucid__operand r)
{
    if (!lucid__simplify_is(z, r, LUCID__concatenate))
        return false;
    const lucid__op *op = lucid__simplify_op(z, r);
    const int64_t dim = op->params[0];
    int ready = 0;
    if (op->nin > FEW || lucid__numel(&op->out[0].shape) / op->nin < LANES)
        return false;
    for (int j = 0; j < op->nin; j++) {
        if (lucid__simplify_aval(z, op->in[j])->shape.dim[dim] != 1)
            return false;
        ready += in_memory(z, op->in[j]);
    }
    return ready <= 1;
}

/* Whether piece after piece of a value can be had without making all of it: a stack of as many along that dim, elements
 * in memory, or the same for all pieces. */
static bool comes_apart(const lucid__simplifier *z, lucid__operand r, int64_t dim)
{
    if (is_stack(z, r))
        return lucid__simplify_op(z, r)->params[0] == dim;
    if (lucid__simplify_is(z, r, LUCID__constant) || in_memory(z, r))
        return true;
    if (!lucid__simplify_is(z, r, LUCID__broadcast))
        return false;
    const lucid_shape *all = &lucid__simplify_aval(z, r)->shape;
    const lucid_shape *x = &lucid__simplify_aval(z, lucid__simplify_op(z, r)->in[0])->shape;
    int64_t d = dim - all->ndim + x->ndim;
    return d < 0 || x->dim[d] == 1;
}

/* Piece j. There must be room for an operation. */
static lucid__operand piece_of(lucid__simplifier *z, lucid__operand r, int64_t dim, int64_t j)
{
    if (is_stack(z, r))
        return lucid__sketch_resolve(z->sk, lucid__simplify_op(z, r)->in[j]);
    lucid__aval aval = *lucid__simplify_aval(z, r);
    int64_t params[3 * LUCID_MAX_NDIM];
    const int n = aval.shape.ndim;
    for (int d = 0; d < n; d++) {
        params[d] = d == dim ? j : 0;
        params[n + d] = d == dim ? 1 : aval.shape.dim[d];
        params[2 * n + d] = 1;
    }
    aval.shape.dim[dim] = 1;
    if (lucid__simplify_is(z, r, LUCID__constant))
        return lucid__simplify_add(z, LUCID__constant, NULL, 0, lucid__simplify_op(z, r)->params, 1,
                                   &aval);
    return lucid__simplify_add(z, LUCID__slice, &r, 1, params, 3 * n, &aval);
}

/* Makes the operation the stack along `dim` of pieces that are its own operation on the pieces of its inputs, along
 * `from`. */
static void stack_of(lucid__simplifier *z, int number, int64_t from, int64_t dim, int n)
{
    lucid__operand parts[FEW], in[3];
    if (!lucid__simplify_reserve(z, 4 * FEW))
        return;
    const lucid__op op = z->sk->ops[number]; /* its arrays stay where they are */
    lucid__aval aval = op.out[0];
    aval.shape.dim[dim] = 1;
    for (int j = 0; j < n; j++) {
        for (int k = 0; k < op.nin && z->ok; k++)
            in[k] = piece_of(z, op.in[k], from, j);
        if (z->ok)
            parts[j] = lucid__simplify_add(z, (lucid__prim_id)op.prim, in, op.nin, op.params,
                                           op.nparams, &aval);
        if (!z->ok)
            return;
    }
    lucid__simplify_become(z, &z->sk->ops[number], LUCID__concatenate, parts, n, &dim, 1);
}

/* The sum of pieces, as the accumulators of a reduction come together. */
static void fold(lucid__simplifier *z, int number, lucid__operand stack)
{
    const lucid__op op = z->sk->ops[number];
    const int n = lucid__simplify_op(z, stack)->nin;
    const lucid__prim_id combine = lucid__fold_combine((lucid__prim_id)op.prim);
    lucid__operand at[FEW];
    if (n < 2 || !lucid__simplify_reserve(z, 2 * FEW))
        return;
    for (int j = 0; j < n && z->ok; j++) {
        lucid__operand piece = lucid__sketch_resolve(z->sk, lucid__simplify_op(z, stack)->in[j]);
        at[j] = lucid__simplify_add(z, LUCID__reshape, &piece, 1, op.out[0].shape.dim,
                                    op.out[0].shape.ndim, &op.out[0]);
    }
    for (int half = FEW / 2; half > 0; half /= 2)
        for (int j = 0; j < half && j + half < n && z->ok; j++) {
            const lucid__operand in[2] = {at[j], at[j + half]};
            if (half == 1)
                lucid__simplify_become(z, &z->sk->ops[number], combine, in, 2, NULL, 0);
            else
                at[j] = lucid__simplify_add(z, combine, in, 2, NULL, 0, &op.out[0]);
        }
}

static void reduce(lucid__simplifier *z, int number)
{
    const lucid__op *op = &z->sk->ops[number];
    const lucid__operand stack = op->in[0];
    if (!is_stack(z, stack))
        return;
    const int64_t from = lucid__simplify_op(z, stack)->params[0];
    int64_t before = 0;
    bool over = false;
    for (int i = 0; i < op->nparams; i++) {
        before += op->params[i] < from;
        over |= op->params[i] == from;
    }
    if (over && op->nparams == 1)
        fold(z, number, stack);
    else if (!over)
        stack_of(z, number, from, from - before, lucid__simplify_op(z, stack)->nin);
}

/* A slice that is one piece, or elements of one. */
static void choose(lucid__simplifier *z, int number)
{
    const lucid__op *op = &z->sk->ops[number];
    if (!is_stack(z, op->in[0]))
        return;
    const lucid__op *stack = lucid__simplify_op(z, op->in[0]);
    const int64_t dim = stack->params[0], j = op->params[dim];
    const int n = op->out[0].shape.ndim;
    int64_t params[3 * LUCID_MAX_NDIM];
    if (op->out[0].shape.dim[dim] != 1)
        return;
    memcpy(params, op->params, (size_t)op->nparams * sizeof *params);
    params[dim] = 0;
    params[n + dim] = 1;
    params[2 * n + dim] = 1;
    const lucid__operand piece = lucid__sketch_resolve(z->sk, stack->in[j]);
    lucid__simplify_become(z, &z->sk->ops[number], LUCID__slice, &piece, 1, params, op->nparams);
}

void lucid__take_stacks_apart(lucid__simplifier *z, int number)
{
    const lucid__op *op = &z->sk->ops[number];
    const lucid__family family = lucid__prim_get((lucid__prim_id)op->prim)->family;
    if (op->prim == LUCID__slice)
        choose(z, number);
    else if (family == LUCID__REDUCTION && lucid__is_fold(op->prim))
        reduce(z, number);
    if (family != LUCID__ELEMENTWISE)
        return;
    int stack = 0;
    while (stack < op->nin && !is_stack(z, op->in[stack]))
        stack++;
    if (stack == op->nin)
        return;
    const int64_t dim = lucid__simplify_op(z, op->in[stack])->params[0];
    for (int k = 0; k < op->nin; k++)
        if (!comes_apart(z, op->in[k], dim))
            return;
    stack_of(z, number, dim, dim, lucid__simplify_op(z, op->in[stack])->nin);
}
