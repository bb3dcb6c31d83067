#include "engine/draft_steps.h"

#include <stddef.h>
#include <string.h>

#include "base/memory.h"

/* A stream with the strides of its program's dims alone. */
enum { STREAM_HEAD = offsetof(lucid__stream, stride) };
_Static_assert(STREAM_HEAD + sizeof((lucid__stream){0}.stride) == sizeof(lucid__stream),
               "the strides are not last");

/* Its dims and streams follow: loads, then the store. */
typedef struct packed_program {
    lucid__instr instr;
    lucid__table *table;
    uint16_t over[LUCID__DRAFT_LOADS + 1];
    uint16_t folded;
    uint8_t ndim, nloads, ninstrs;
    bool uneven;
    int64_t dim[];
} packed_program;

typedef struct lucid__draft_step {
    const lucid__step *kernel; /* NULL: */
    packed_program *program;   /* NULL, too: it was left out */
    uint16_t made_for;
    bool overwrites;
} lucid__draft_step;

bool lucid__draft_steps_init(lucid__draft_steps *d)
{
    *d = (lucid__draft_steps){.arena = lucid__arena_new()};
    return d->arena != NULL;
}

void lucid__draft_steps_free(lucid__draft_steps *d)
{
    lucid__arena_free(d->arena);
    lucid__free(d->list);
    *d = (lucid__draft_steps){0};
}

static size_t stream_size(const packed_program *p)
{
    return STREAM_HEAD + p->ndim * sizeof(int64_t);
}

static char *stream_at(packed_program *p, int j)
{
    return (char *)(p->dim + p->ndim) + (size_t)j * stream_size(p);
}

static void pack_stream(packed_program *p, int j, const lucid__stream *t)
{
    memcpy(stream_at(p, j), t, stream_size(p));
}

static void unpack_stream(packed_program *p, int j, lucid__stream *to)
{
    memset(to->stride, 0, sizeof to->stride);
    memcpy(to, stream_at(p, j), stream_size(p));
}

static packed_program *pack(lucid__arena *arena, const lucid__program *g)
{
    size_t dims = (size_t)g->ndim * sizeof(int64_t);
    size_t streams = (size_t)(g->nloads + g->nstores) * (STREAM_HEAD + dims);
    packed_program *p = lucid__arena_alloc(arena, sizeof *p + dims + streams);
    if (!p)
        return NULL;
    p->ndim = (uint8_t)g->ndim;
    p->nloads = (uint8_t)g->nloads;
    p->ninstrs = (uint8_t)g->ninstrs;
    p->folded = g->folded;
    p->uneven = g->uneven;
    p->table = g->ntables > 0 ? g->tables : NULL;
    if (g->ninstrs > 0)
        p->instr = g->instrs[0];
    memcpy(p->over, g->over, (size_t)g->nregs * sizeof *p->over);
    memcpy(p->dim, g->dim, dims);
    for (int j = 0; j < g->nloads; j++)
        pack_stream(p, j, &g->loads[j]);
    pack_stream(p, g->nloads, &g->stores[0]);
    return p;
}

bool lucid__draft_steps_replace(lucid__draft_steps *d, int i, const lucid__step *step)
{
    lucid__draft_step *to = &d->list[i];
    *to = (lucid__draft_step){.made_for = (uint16_t)step->prim, .overwrites = step->overwrites};
    if (step->kind == LUCID__STEP_KERNEL) {
        lucid__step *kernel = lucid__arena_alloc(d->arena, sizeof *kernel);
        if (kernel)
            *kernel = *step;
        to->kernel = kernel;
    } else {
        to->program = pack(d->arena, &step->program);
    }
    return to->kernel || to->program;
}

bool lucid__draft_steps_add(lucid__draft_steps *d, const lucid__step *step)
{
    if (d->count == d->capacity) {
        int capacity = d->capacity ? 2 * d->capacity : 16;
        lucid__draft_step *more = lucid__realloc(d->list, (size_t)capacity * sizeof *more);
        if (!more)
            return false;
        d->list = more;
        d->capacity = capacity;
    }
    bool ok = lucid__draft_steps_replace(d, d->count, step);
    d->count += ok;
    return ok;
}

const lucid__step *lucid__draft_steps_get(const lucid__draft_steps *d, int i,
                                          lucid__draft_room *room)
{
    const lucid__draft_step *from = &d->list[i];
    packed_program *p = from->program;
    if (!p)
        return from->kernel;
    room->step = (lucid__step){.kind = LUCID__STEP_PROGRAM,
                               .prim = (lucid__prim_id)from->made_for,
                               .overwrites = from->overwrites};
    room->step.program = (lucid__program){.ndim = p->ndim,
                                          .nloads = p->nloads,
                                          .ninstrs = p->ninstrs,
                                          .nstores = 1,
                                          .nregs = p->nloads + p->ninstrs,
                                          .ntables = p->table != NULL,
                                          .loads = room->loads,
                                          .stores = &room->store,
                                          .tables = p->table,
                                          .instrs = &room->instr,
                                          .over = room->over,
                                          .folded = p->folded,
                                          .uneven = p->uneven};
    memcpy(room->step.program.dim, p->dim, p->ndim * sizeof *p->dim);
    memcpy(room->over, p->over, sizeof room->over);
    room->instr = p->instr;
    for (int j = 0; j < p->nloads; j++)
        unpack_stream(p, j, &room->loads[j]);
    unpack_stream(p, p->nloads, &room->store);
    return &room->step;
}

void lucid__draft_steps_set_load(lucid__draft_steps *d, int i, int j, const lucid__stream *t)
{
    pack_stream(d->list[i].program, j, t);
}

void lucid__draft_steps_leave_out(lucid__draft_steps *d, int i)
{
    d->list[i] = (lucid__draft_step){0};
}
