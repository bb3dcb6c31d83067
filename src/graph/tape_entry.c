#include "graph/tape_entry.h"

#include <string.h>

#include "base/memory.h"
#include "graph/fn.h"
#include "graph/region.h"

static _Atomic uint64_t next_order = 1;

/* Inputs that were recorded in another session may have larger numbers than those left in this one's block; a
 * fresh block is beyond them. */
static uint64_t order_after(lucid__session *session, lucid__value *const *in, int nin)
{
    uint64_t order = lucid__number_take(&session->entry_orders, &next_order);
    for (int i = 0; i < nin; i++)
        if (in[i]->kind == LUCID__TAPE && in[i]->entry->order >= order) {
            session->entry_orders = (lucid__numbers){0, 0};
            return lucid__number_take(&session->entry_orders, &next_order);
        }
    return order;
}

lucid__tape_entry *lucid__tape_entry_new(lucid_scope *s, int prim, lucid__value *const *in, int nin,
                                         const int64_t *params, int nparams,
                                         const lucid__aval *avals, int nout)
{
    size_t types = (size_t)nout * sizeof(lucid__aval);
    size_t ins = (size_t)nin * sizeof(lucid__value *);
    size_t words = (size_t)nparams * sizeof(int64_t);
    lucid__tape_entry *e = lucid__malloc(sizeof *e + types + ins + words);
    if (!e)
        return NULL;
    atomic_init(&e->refs, 1);
    e->prim = (uint16_t)prim;
    e->nout = (uint16_t)nout;
    e->nin = nin;
    e->nparams = nparams;
    e->order = order_after(s->session, in, nin);
    e->grad = NULL;
    e->pull = NULL;
    e->region = NULL;
    e->avals = (lucid__aval *)(void *)(e + 1);
    e->in = (lucid__value **)(void *)(e->avals + nout);
    e->params = (int64_t *)(void *)(e->in + nin);
    memcpy(e->avals, avals, types);
    for (int i = 0; i < nin; i++)
        e->in[i] = lucid__value_retain(in[i]);
    if (nparams > 0)
        memcpy(e->params, params, words);
    return e;
}

lucid__tape_entry *lucid__tape_entry_retain(lucid__tape_entry *e)
{
    lucid__ref(&e->refs);
    return e;
}

/* A tape value whose only owner is the entry being released is taken apart here, so that the entry
 * behind it joins the list instead of being released recursively through lucid__value_release. The
 * list runs through `order`, which a dead entry no longer needs. */
void lucid__tape_entry_release(lucid__tape_entry *e)
{
    if (!e || !lucid__unref(&e->refs))
        return;
    e->order = 0;
    for (lucid__tape_entry *dead = e; dead;) {
        lucid__tape_entry *next = (lucid__tape_entry *)(uintptr_t)dead->order;
        for (int i = 0; i < dead->nin; i++) {
            lucid__value *v = dead->in[i];
            if (!v || v->kind != LUCID__TAPE) {
                lucid__value_release(v);
            } else if (lucid__unref(&v->refs)) {
                if (lucid__unref(&v->entry->refs)) {
                    v->entry->order = (uint64_t)(uintptr_t)next;
                    next = v->entry;
                }
                lucid__free(v);
            }
        }
        lucid__value_release(dead->grad);
        lucid__fn_release(dead->pull);
        lucid__region_release(dead->region);
        lucid__free(dead);
        dead = next;
    }
}
