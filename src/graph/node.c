#include "graph/node.h"

#include <string.h>

#include "base/memory.h"

lucid__node *lucid__node_alloc(int prim, int nin, const int64_t *params, int nparams, int nout)
{
    /* One block: node, outputs, inputs, parameters; all are 8-byte aligned. */
    size_t outs = (size_t)nout * sizeof(lucid__output);
    size_t ins = (size_t)nin * sizeof(lucid__edge);
    size_t words = (size_t)nparams * sizeof(int64_t);
    lucid__node *n = lucid__malloc(sizeof *n + outs + ins + words);
    if (!n)
        return NULL;
    atomic_init(&n->refs, 1);
    atomic_init(&n->ready, false);
    n->prim = (uint16_t)prim;
    n->nout = (uint16_t)nout;
    n->nin = 0;
    n->nparams = nparams;
    n->depth = 1;
    n->mark = 0;
    n->out = (lucid__output *)(void *)(n + 1);
    n->in = (lucid__edge *)(void *)(n->out + nout);
    n->params = (int64_t *)(void *)(n->in + nin);
    for (int i = 0; i < nout; i++) {
        n->out[i].storage.buffer = NULL;
        atomic_init(&n->out[i].readers, 0);
    }
    for (int i = 0; i < nparams; i++)
        n->params[i] = params[i];
    return n;
}

lucid__node *lucid__node_new(int prim, const lucid__edge *in, int nin, const int64_t *params,
                             int nparams, const lucid__aval *avals, int nout)
{
    lucid__node *n = lucid__node_alloc(prim, nin, params, nparams, nout);
    for (int k = 0; n && k < nout; k++)
        n->out[k].aval = avals[k];
    for (int i = 0; n && i < nin; i++)
        lucid__node_link(n, in[i].node, in[i].out);
    return n;
}

/* Without strides yet. */
static lucid__node *new_leaf(const lucid__aval *aval, lucid__buffer *buffer)
{
    lucid__node *n = lucid__node_alloc(LUCID__LEAF, 0, NULL, 0, 1);
    if (!n) {
        lucid__buffer_release(buffer);
        return NULL;
    }
    n->out[0].aval = *aval;
    n->out[0].storage.buffer = buffer;
    n->out[0].storage.offset = 0;
    atomic_store_explicit(&n->ready, true, memory_order_release);
    return n;
}

lucid__node *lucid__node_new_constant(const lucid__aval *aval, lucid__buffer *buffer,
                                      const int64_t *stride)
{
    lucid__node *n = new_leaf(aval, buffer);
    if (n && stride)
        memcpy(n->out[0].storage.stride, stride, (size_t)aval->shape.ndim * sizeof *stride);
    else if (n)
        lucid__strides(&aval->shape, n->out[0].storage.stride);
    return n;
}

lucid__node *lucid__node_new_number(const lucid__aval *aval, lucid__buffer *buffer)
{
    lucid__node *n = new_leaf(aval, buffer);
    if (!n)
        return NULL;
    n->depth = 0;
    for (int i = 0; i < aval->shape.ndim; i++)
        n->out[0].storage.stride[i] = 0;
    return n;
}

lucid__node *lucid__node_retain(lucid__node *n)
{
    lucid__ref(&n->refs);
    return n;
}

/* Lets go of the inputs of n, which nobody else sees. Inputs that die are linked through
 * their mark into a list instead of being released recursively. */
static lucid__node *drop_inputs(lucid__node *n, lucid__node *dead)
{
    for (int i = 0; i < n->nin; i++) {
        lucid__node *input = n->in[i].node;
        lucid__node_drop_reader(input, n->in[i].out);
        if (lucid__unref(&input->refs)) {
            input->mark = (int64_t)(intptr_t)dead;
            dead = input;
        }
    }
    n->nin = 0;
    return dead;
}

static void release_list(lucid__node *dead)
{
    while (dead) {
        lucid__node *n = dead;
        dead = drop_inputs(n, (lucid__node *)(intptr_t)n->mark);
        for (int i = 0; i < n->nout; i++)
            lucid__buffer_release(n->out[i].storage.buffer);
        lucid__free(n);
    }
}

void lucid__node_release(lucid__node *n)
{
    if (!n || !lucid__unref(&n->refs))
        return;
    n->mark = 0;
    release_list(n);
}

void lucid__node_set_ready(lucid__node *n)
{
    atomic_store_explicit(&n->ready, true, memory_order_release);
}

void lucid__node_drop_inputs(lucid__node *n)
{
    release_list(drop_inputs(n, NULL));
}
