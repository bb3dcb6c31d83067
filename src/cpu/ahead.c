#include "cpu/ahead.h"

#include "cpu/native.h"
#include "cpu/run_program.h"

enum {
    LINE_BYTES = 64,
    FAR_BYTES = 1 << 20, /* more than the nearer caches hold */
    LEAST_BETWEEN = 3,   /* instructions: fewer pass so fast that the processor does foresee */
};

static const lucid__stream *stream_of(const lucid__program *p, int i)
{
    return i < p->nloads ? &p->loads[i] : &p->stores[i - p->nloads];
}

static int64_t size_of(const lucid__stream *t)
{
    return (int64_t)lucid_dtype_size((lucid_dtype)t->dtype);
}

bool lucid__ahead_is_useful(const lucid__program *p)
{
    int64_t bytes = 0;
    for (int i = 0; i < p->nloads + p->nstores; i++) {
        const lucid__stream *t = stream_of(p, i);
        bytes += t->words ? 0 : lucid__times(lucid__points(p, p->over[t->reg]), size_of(t));
    }
    return (p->native || p->ninstrs >= LEAST_BETWEEN) && bytes >= FAR_BYTES;
}

void lucid__ahead_begin(lucid__ahead *a, lucid__machine *m)
{
    const lucid__program *p = m->program;
    const int d = a->dim;
    int64_t lines = 0;
    a->nruns = a->at = a->share = 0;
    m->next = NULL;
    if (d < 0 || m->start[d] + 2 * m->size[d] > p->dim[d])
        return;
    for (int i = 0; i < p->nloads + p->nstores; i++) {
        const lucid__stream *t = stream_of(p, i);
        const char *here = lucid__machine_in_place(m, t);
        const bool moves = here && (p->over[t->reg] >> d & 1);
        char *next = (char *)m->reg[t->reg] + (moves ? m->size[d] * t->stride[d] * size_of(t) : 0);
        a->next[t->reg] = next;
        if (!moves || (p->native && p->native->asks[t->reg]) || a->nruns == LUCID__MOST_AHEAD)
            continue;
        int64_t n = lucid__machine_lanes(m, p->over[t->reg]) * size_of(t) / LINE_BYTES;
        a->run[a->nruns].from = next;
        a->run[a->nruns++].lines = n;
        lines += n;
    }
    m->next = a->next;
    a->share = (int)(lines / p->ninstrs + 1);
}

void lucid__ahead_some(lucid__ahead *a)
{
    int left = a->share;
    while (left > 0 && a->at < a->nruns) {
        const char *from = a->run[a->at].from;
        int some = a->run[a->at].lines < left ? (int)a->run[a->at].lines : left;
        for (int i = 0; i < some; i++, from += LINE_BYTES)
            __builtin_prefetch(from);
        a->run[a->at].from = from;
        a->run[a->at].lines -= some;
        left -= some;
        a->at += a->run[a->at].lines == 0;
    }
}
