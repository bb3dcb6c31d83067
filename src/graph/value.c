#include "graph/value.h"

#include "base/memory.h"
#include "graph/node.h"
#include "graph/tape_entry.h"

static lucid__value *new_value(lucid__value_kind kind, uint64_t level)
{
    lucid__value *v = lucid__malloc(sizeof *v);
    if (!v)
        return NULL;
    atomic_init(&v->refs, 1);
    v->kind = (uint8_t)kind;
    v->weak = false;
    v->alone = (uint8_t)LUCID_NO_DTYPE;
    v->version = 0;
    v->level = level;
    return v;
}

lucid__value *lucid__value_retain(lucid__value *v)
{
    if (v)
        lucid__ref(&v->refs);
    return v;
}

/* Recursion is into tangents, as deep as transforms that have some are nested; chains of nodes and of tape entries are
 * released iteratively by their own functions. */
void lucid__value_release(lucid__value *v)
{
    while (v && lucid__unref(&v->refs)) {
        lucid__value *inner = NULL;
        switch ((lucid__value_kind)v->kind) {
        case LUCID__GRAPH:
            lucid__node_drop_reader(v->node, v->out);
            lucid__node_release(v->node);
            break;
        case LUCID__DUAL:
            lucid__value_release(v->tangent);
            inner = v->inner;
            break;
        case LUCID__BATCH:
            inner = v->inner;
            break;
        case LUCID__TAPE:
            lucid__tape_entry_release(v->entry);
            break;
        }
        lucid__free(v);
        v = inner;
    }
}

lucid__value *lucid__value_new_graph(lucid__node *node, int out)
{
    lucid__value *v = new_value(LUCID__GRAPH, 0);
    if (!v) {
        lucid__node_release(node);
        return NULL;
    }
    lucid__node_add_reader(node, out);
    v->aval = node->out[out].aval;
    v->node = node;
    v->out = out;
    return v;
}

lucid__value *lucid__value_new_batch(uint64_t level, lucid__value *inner, int axis)
{
    lucid__value *v = new_value(LUCID__BATCH, level);
    if (!v) {
        lucid__value_release(inner);
        return NULL;
    }
    v->aval.dtype = inner->aval.dtype;
    lucid__shape_remove_into(&inner->aval.shape, axis, &v->aval.shape);
    v->weak = inner->weak;
    v->alone = inner->alone;
    v->inner = inner;
    v->axis = axis;
    return v;
}

lucid__value *lucid__value_new_dual(uint64_t level, lucid__value *primal, lucid__value *tangent)
{
    lucid__value *v = new_value(LUCID__DUAL, level);
    if (!v) {
        lucid__value_release(primal);
        lucid__value_release(tangent);
        return NULL;
    }
    v->aval = primal->aval;
    v->weak = primal->weak;
    v->alone = primal->alone;
    v->inner = primal;
    v->tangent = tangent;
    return v;
}

lucid__value *lucid__value_new_tape(uint64_t level, lucid__tape_entry *entry, int out,
                                    const lucid__aval *aval)
{
    lucid__value *v = new_value(LUCID__TAPE, level);
    if (!v) {
        lucid__tape_entry_release(entry);
        return NULL;
    }
    v->aval = *aval;
    v->entry = entry;
    v->out = out;
    return v;
}
