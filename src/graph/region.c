#include "graph/region.h"

#include "base/memory.h"

lucid__region *lucid__region_new(lucid__region *outer)
{
    lucid__region *r = lucid__calloc(1, sizeof *r);
    if (!r)
        return NULL;
    atomic_init(&r->refs, 1);
    r->running = true;
    r->outer = lucid__region_retain(outer);
    return r;
}

lucid__region *lucid__region_retain(lucid__region *r)
{
    if (r)
        lucid__ref(&r->refs);
    return r;
}

/* What is only needed while it runs. */
static void forget(lucid__region *r)
{
    for (size_t i = r->from ? r->count : 0; i-- > 0;)
        lucid__node_release(r->from[i]);
    lucid__free(r->from);
    r->from = NULL;
    lucid__ptr_map_free(&r->by_from);
    for (size_t i = 0; i < r->nentries; i++)
        lucid__tape_entry_release(r->entries[i]);
    lucid__free(r->entries);
    r->entries = NULL;
    r->nentries = r->entry_capacity = 0;
}

/* Recursion is as deep as regions are nested. */
void lucid__region_release(lucid__region *r)
{
    if (!r || !lucid__unref(&r->refs))
        return;
    forget(r);
    for (size_t i = r->count; i-- > 0;) /* youngest first, as scopes do */
        lucid__node_release(r->copy[i]);
    lucid__free(r->copy);
    lucid__free(r->kept);
    lucid__ptr_map_free(&r->by_copy);
    lucid__region_release(r->outer);
    lucid__free(r);
}

/* ---- while it runs --------------------------------------------------------------------------- */

static bool make_room(lucid__region *r)
{
    if (r->count < r->capacity)
        return true;
    size_t capacity = r->capacity ? 2 * r->capacity : 64;
    lucid__node **from = lucid__realloc(r->from, capacity * sizeof(*from));
    if (from)
        r->from = from;
    lucid__node **copy = from ? lucid__realloc(r->copy, capacity * sizeof(*copy)) : NULL;
    if (copy)
        r->copy = copy;
    bool *kept = copy ? lucid__realloc(r->kept, capacity * sizeof *kept) : NULL;
    if (!kept)
        return false;
    r->kept = kept;
    r->capacity = capacity;
    return true;
}

/* The copy of a node in r or around it; the node itself when it is older than all of them. */
static lucid__node *copy_of(lucid__region *r, lucid__node *node, bool keep)
{
    for (; r; r = r->outer) {
        size_t at;
        if (!lucid__ptr_map_get(&r->by_from, node, &at))
            continue;
        r->kept[at] |= keep;
        return r->copy[at];
    }
    return node;
}

/* A pending node like `like`, with other inputs. */
static lucid__node *rebuilt(const lucid__node *like, const lucid__edge *in)
{
    size_t n = like->nout;
    lucid__aval *avals = n > 1 ? lucid__malloc(n * sizeof *avals) : &like->out[0].aval;
    if (!avals)
        return NULL;
    for (size_t k = 0; n > 1 && k < n; k++)
        avals[k] = like->out[k].aval;
    lucid__node *node =
        lucid__node_new(like->prim, in, like->nin, like->params, like->nparams, avals, like->nout);
    if (n > 1)
        lucid__free(avals);
    return node;
}

static bool add_copy(lucid__region *r, lucid__node *node)
{
    lucid__edge few[8], *in = few;
    if (!make_room(r))
        return false;
    if (node->nin > 8)
        in = lucid__malloc((size_t)node->nin * sizeof *in);
    if (!in)
        return false;
    for (int i = 0; i < node->nin; i++)
        in[i] = (lucid__edge){copy_of(r, node->in[i].node, false), node->in[i].out};
    lucid__node *copy = rebuilt(node, in);
    if (in != few)
        lucid__free(in);
    if (!copy)
        return false;
    if (!lucid__ptr_map_set(&r->by_from, node, r->count) ||
        !lucid__ptr_map_set(&r->by_copy, copy, r->count)) {
        lucid__node_release(copy);
        return false;
    }
    r->from[r->count] = lucid__node_retain(node);
    r->copy[r->count] = copy;
    r->kept[r->count++] = false;
    return true;
}

bool lucid__region_add_node(lucid__region *r, lucid__node *node)
{
    for (; r; r = r->outer)
        if (!add_copy(r, node))
            return false;
    return true;
}

bool lucid__region_add_entry(lucid__region *r, lucid__tape_entry *e)
{
    if (r->nentries == r->entry_capacity) {
        size_t capacity = r->entry_capacity ? 2 * r->entry_capacity : 64;
        lucid__tape_entry **more = lucid__realloc(r->entries, capacity * sizeof(*more));
        if (!more)
            return false;
        r->entries = more;
        r->entry_capacity = capacity;
    }
    r->entries[r->nentries++] = lucid__tape_entry_retain(e);
    return true;
}

/* ---- values with other nodes -------------------------------------------------------------------- */

typedef lucid__node *replace_node(void *ctx, lucid__node *node);

/* v with its nodes replaced: a new reference. Recursion is as deep as transforms are nested; a tangent on a
 * tape stays, for the entries behind it have their own residuals. */
static lucid__value *replaced(lucid__value *v, replace_node *replace, void *ctx)
{
    if (v->kind == LUCID__GRAPH) {
        lucid__node *node = replace(ctx, v->node);
        if (node == v->node)
            return lucid__value_retain(v);
        lucid__value *new = lucid__value_new_graph(lucid__node_retain(node), v->out);
        if (new) {
            new->weak = v->weak;
            new->alone = v->alone;
        }
        return new;
    }
    if (v->kind == LUCID__TAPE)
        return lucid__value_retain(v);
    lucid__value *inner = replaced(v->inner, replace, ctx), *new = NULL;
    if (inner && v->kind == LUCID__BATCH) {
        new = lucid__value_new_batch(v->level, inner, v->axis);
        if (new)
            new->version = v->version;
    } else if (inner) {
        lucid__value *tangent = replaced(v->tangent, replace, ctx);
        if (tangent)
            new = lucid__value_new_dual(v->level, inner, tangent);
        else
            lucid__value_release(inner);
    }
    return new;
}

/* ---- when it has run ---------------------------------------------------------------------------- */

static lucid__node *with_copy(void *region, lucid__node *node)
{
    return copy_of(region, node, true);
}

static bool trade_residuals(lucid__region *r, lucid__tape_entry *e)
{
    for (int i = 0; i < e->nin; i++) {
        lucid__value *v = e->in[i];
        if (v->kind == LUCID__TAPE)
            continue;
        lucid__value *copy = replaced(v, with_copy, r);
        if (!copy)
            return false;
        e->in[i] = copy;
        lucid__value_release(v);
    }
    if (!e->region)
        e->region = lucid__region_retain(r);
    return true;
}

/* Copies that are kept, or lead to those, stay. */
static bool drop_unneeded(lucid__region *r)
{
    bool *needed = lucid__calloc(r->count + 1, sizeof *needed);
    if (!needed)
        return false;
    for (size_t i = r->count; i-- > 0;) {
        if (!needed[i] && !r->kept[i]) {
            lucid__node_release(r->copy[i]);
            r->copy[i] = NULL;
            continue;
        }
        for (int j = 0; j < r->copy[i]->nin; j++) {
            const lucid__node *input = r->copy[i]->in[j].node;
            size_t at;
            if (lucid__ptr_map_get(&r->by_copy, input, &at)) {
                needed[at] = true;
                continue;
            }
            for (lucid__region *q = r->outer; q; q = q->outer)
                if (lucid__ptr_map_get(&q->by_copy, input, &at)) {
                    q->kept[at] = true;
                    break;
                }
        }
    }
    lucid__free(needed);
    return true;
}

bool lucid__region_close(lucid__region *r, bool trade)
{
    bool ok = trade;
    for (size_t i = 0; ok && i < r->nentries; i++)
        ok = trade_residuals(r, r->entries[i]);
    ok = ok && drop_unneeded(r);
    r->running = false;
    forget(r);
    return ok || !trade;
}

/* ---- instances ---------------------------------------------------------------------------------- */

/* Of a region that is still running, the nodes themselves are there. */
static lucid__node *with_fresh(void *instance, lucid__node *node)
{
    const lucid__instance *i = instance;
    for (const lucid__region *r = i->region; r; r = r->outer) {
        lucid__node *const *nodes = r->running ? r->from : i && i->region == r ? i->fresh : NULL;
        size_t at;
        if (nodes && lucid__ptr_map_get(&r->by_copy, node, &at) && nodes[at])
            return nodes[at];
        if (i && i->region == r)
            i = i->outer;
    }
    return node;
}

/* Somebody may still ask for any output of a node that is held. */
static void hold(lucid__node *node)
{
    for (int k = 0; k < node->nout; k++)
        lucid__node_add_reader(node, k);
}

static void let_go(lucid__node *node)
{
    for (int k = 0; k < node->nout; k++)
        lucid__node_drop_reader(node, k);
    lucid__node_release(node);
}

/* Copy `at` built anew. One that somebody computed is as good as new. */
static bool build(lucid__instance *i, size_t at, lucid__region *running)
{
    lucid__node *copy = i->region->copy[at];
    lucid__edge few[8], *in = few;
    if (lucid__node_is_ready(copy)) {
        i->fresh[at] = lucid__node_retain(copy);
        hold(copy);
        return true;
    }
    if (copy->nin > 8)
        in = lucid__malloc((size_t)copy->nin * sizeof *in);
    for (int j = 0; in && j < copy->nin; j++)
        in[j] = (lucid__edge){with_fresh(i, copy->in[j].node), copy->in[j].out};
    i->fresh[at] = in ? rebuilt(copy, in) : NULL;
    if (in != few)
        lucid__free(in);
    if (!i->fresh[at])
        return false;
    hold(i->fresh[at]);
    return lucid__region_add_node(running, i->fresh[at]);
}

lucid__instance *lucid__instance_new(lucid__region *r, lucid__instance *outer,
                                     lucid__region *running)
{
    lucid__instance *i = lucid__calloc(1, sizeof *i);
    if (!i)
        return NULL;
    *i = (lucid__instance){outer, lucid__region_retain(r),
                           lucid__calloc(r->count + 1, sizeof(lucid__node *))};
    bool ok = i->fresh != NULL;
    for (size_t at = 0; ok && at < r->count; at++)
        ok = !r->copy[at] || build(i, at, running);
    for (size_t at = 0; ok && at < r->count; at++)
        if (i->fresh[at] && !r->kept[at]) { /* needed on the way only */
            let_go(i->fresh[at]);
            i->fresh[at] = NULL;
        }
    if (ok)
        return i;
    (void)lucid__instance_end(i);
    return NULL;
}

lucid__instance *lucid__instance_end(lucid__instance *i)
{
    lucid__instance *outer = i->outer;
    for (size_t at = i->fresh ? i->region->count : 0; at-- > 0;)
        if (i->fresh[at])
            let_go(i->fresh[at]);
    lucid__free(i->fresh);
    lucid__region_release(i->region);
    lucid__free(i);
    return outer;
}

lucid__value *lucid__instance_value(lucid__instance *i, lucid__value *v)
{
    return replaced(v, with_fresh, i);
}
