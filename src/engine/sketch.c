#include "engine/sketch.h"

#include <string.h>

#include "prim/prim_id.h"

/* stands_for: of each leaf, the operation that its readers read. */
static bool copy_node(lucid__sketch *sk, const lucid__node *node, const int *stands_for,
                      lucid__op *to)
{
    *to = (lucid__op){.prim = node->prim,
                      .nout = node->nout,
                      .nin = lucid__node_is_ready(node) ? 0 : node->nin,
                      .nparams = node->nparams,
                      .params = node->params,
                      .instead = {-1, 0}};
    to->in = lucid__arena_alloc(sk->arena, (size_t)to->nin * sizeof *to->in);
    to->out = &node->out[0].aval;
    if (to->nout != 1) {
        lucid__aval *out = lucid__arena_alloc(sk->arena, (size_t)to->nout * sizeof *out);
        for (int k = 0; out && k < to->nout; k++)
            out[k] = node->out[k].aval;
        to->out = out;
    }
    if (!to->out || !to->in)
        return false;
    for (int j = 0; j < to->nin; j++) {
        int from = (int)lucid__structure_index(sk->structure, node->in[j].node);
        to->in[j].op = from < sk->nleaves ? stands_for[from] : from;
        to->in[j].out = node->in[j].out;
        sk->ops[to->in[j].op].users++;
    }
    return true;
}

/* The graph has a number that is repeated as a leaf of its own (graph/node.h). Here it is the single number and a
 * broadcast of it, so that rules know one when they see it, and the same ones are one leaf. */
static bool repeat_number(lucid__sketch *sk, int leaf)
{
    lucid__op *number = &sk->ops[leaf], *op = &sk->ops[sk->nops];
    lucid__aval *single = lucid__arena_alloc(sk->arena, sizeof *single);
    *op = (lucid__op){.prim = LUCID__broadcast,
                      .nout = 1,
                      .nin = 1,
                      .nparams = number->out->shape.ndim,
                      .params = number->out->shape.dim,
                      .out = number->out,
                      .instead = {-1, 0}};
    op->in = lucid__arena_alloc(sk->arena, sizeof *op->in);
    if (!single || !op->in)
        return false;
    single->dtype = number->out->dtype;
    op->in[0].op = leaf;
    number->out = single;
    number->users = 1;
    sk->order[sk->norder++] = sk->nops++;
    return true;
}

static bool is_repeated(const lucid__node *leaf)
{
    return lucid__node_is_number(leaf) && leaf->out[0].aval.shape.ndim > 0;
}

bool lucid__sketch_new(lucid__sketch *sk, lucid__arena *arena, const lucid__structure *st)
{
    *sk = (lucid__sketch){.structure = st, .arena = arena, .nleaves = (int)st->nleaves};
    const int known = (int)(st->nleaves + st->nnodes);
    int repeated = 0;
    for (int i = 0; i < sk->nleaves; i++)
        repeated += is_repeated(st->leaves[i]);
    sk->nops = known;
    sk->op_capacity = known + repeated;
    sk->ops = lucid__arena_alloc(arena, (size_t)sk->op_capacity * sizeof *sk->ops);
    sk->order = lucid__arena_alloc(arena, (st->nnodes + (size_t)repeated) * sizeof *sk->order);
    int *stands_for = lucid__arena_alloc(arena, (st->nleaves + 1) * sizeof *stands_for);
    if (!sk->ops || !sk->order || !stands_for)
        return false;
    for (int i = 0; i < sk->nleaves; i++) {
        stands_for[i] = is_repeated(st->leaves[i]) ? sk->nops : i;
        if (!copy_node(sk, st->leaves[i], stands_for, &sk->ops[i]) ||
            (stands_for[i] != i && !repeat_number(sk, i)))
            return false;
    }
    for (int i = sk->nleaves; i < known; i++) {
        if (!copy_node(sk, st->nodes[i - sk->nleaves], stands_for, &sk->ops[i]))
            return false;
        sk->order[sk->norder++] = i;
    }
    return true;
}

void lucid__sketch_prune(lucid__sketch *sk)
{
    for (int i = 0; i < sk->nops; i++)
        sk->ops[i].live = false;
    for (size_t i = 0; i < sk->structure->nnodes; i++)
        for (int k = 0; k < sk->structure->nodes[i]->nout; k++)
            if (lucid__structure_wants(sk->structure, i, k)) {
                lucid__operand r = {sk->nleaves + (int)i, k};
                sk->ops[lucid__sketch_resolve(sk, r).op].live = true;
            }
    for (int i = sk->norder - 1; i >= 0; i--) {
        const lucid__op *op = &sk->ops[sk->order[i]];
        for (int j = 0; op->live && j < op->nin; j++)
            sk->ops[lucid__sketch_resolve(sk, op->in[j]).op].live = true;
    }
    int n = 0;
    for (int i = 0; i < sk->norder; i++)
        if (sk->ops[sk->order[i]].live)
            sk->order[n++] = sk->order[i];
    sk->norder = n;
}
