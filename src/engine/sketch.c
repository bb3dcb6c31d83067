#include "engine/sketch.h"

#include <string.h>

static bool copy_node(lucid__sketch *sk, const lucid__node *node, lucid__op *to)
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
        to->in[j].op = (int)lucid__structure_index(sk->structure, node->in[j].node);
        to->in[j].out = node->in[j].out;
        sk->ops[to->in[j].op].users++;
    }
    return true;
}

bool lucid__sketch_new(lucid__sketch *sk, lucid__arena *arena, const lucid__structure *st)
{
    *sk = (lucid__sketch){.structure = st, .arena = arena, .nleaves = (int)st->nleaves};
    sk->nops = (int)(st->nleaves + st->nnodes);
    sk->op_capacity = sk->nops;
    sk->ops = lucid__arena_alloc(arena, (size_t)sk->op_capacity * sizeof *sk->ops);
    sk->order = lucid__arena_alloc(arena, st->nnodes * sizeof *sk->order);
    if (!sk->ops || !sk->order)
        return false;
    for (int i = 0; i < sk->nops; i++) {
        bool leaf = i < sk->nleaves;
        if (!copy_node(sk, leaf ? st->leaves[i] : st->nodes[i - sk->nleaves], &sk->ops[i]))
            return false;
        if (!leaf)
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
