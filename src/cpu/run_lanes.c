/* Lane programs over all examples. Scans and branches go tile by tile. The lanes of a while loop leave when
 * they are done and others take their places, so that a tile is full as long as there are any: a few slow
 * examples among many quick ones cost what they cost alone. */
#include <string.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/thread.h"
#include "cpu/lane_machine.h"
#include "cpu/native_lanes.h"
#include "cpu/threads.h"
#include "prim/position_use.h"

/* Instructions times lanes that are worth a thread, as in run_program.c; nobody knows how many iterations a
 * while loop has. */
enum { WORK_PER_THREAD = 1 << 17, ITERATIONS = 16 };

typedef struct job {
    const lucid__lane_program *p;
    const lucid__lane_control *main;
    const lucid__kernel_args *args;
    int64_t lanes, tile;
    _Atomic int64_t next; /* the first example that nobody has taken */
    atomic_bool failed;
    atomic_bool out_of_range; /* an index; the first to find one tells it */
    lucid_status told;        /* by that one */
} job;

/* What went wrong in a machine is told once. */
static void tell(job *j, const lucid__lane_machine *m)
{
    if (!m->bad_table || atomic_exchange(&j->out_of_range, true))
        return;
    j->told =
        lucid__position_message(m->bad_table->shown_dim + m->bad_dim, m->bad_index,
                                m->bad_table->dim[m->bad_dim], j->args->error, j->args->error_size);
}

/* The next examples, at most so many; 0: none are left. */
static int64_t take(job *j, int64_t most, int64_t *first)
{
    *first = atomic_fetch_add_explicit(&j->next, most, memory_order_relaxed);
    int64_t left = j->lanes - *first;
    return left <= 0 ? 0 : left < most ? left : most;
}

/* ---- scan, cond --------------------------------------------------------------------------------- */

static void run_tiles(job *j)
{
    lucid__lane_machine m;
    bool ready = lucid__lane_machine_init(&m, j->p, j->args->in, j->args->out, j->tile);
    int64_t first, n;
    if (!ready)
        atomic_store(&j->failed, true);
    while (ready && !m.bad_table && !lucid__stop() && (n = take(j, j->tile, &first)) > 0) {
        lucid__lane_machine_begin(&m, first, n);
        lucid__lane_machine_run(&m, j->p->begin_end, j->p->ninstrs, n, NULL);
        lucid__lane_machine_store(&m, n);
    }
    tell(j, &m);
    lucid__lane_machine_free(&m);
}

/* ---- while -------------------------------------------------------------------------------------- */

/* A thread at work on a loop. Lanes begin in one machine, a tile at a time, and run in another. */
typedef struct worker {
    job *j;
    lucid__lane_machine begin, loop;
    int64_t begun, used; /* lanes that began; those of them that run or have run */
    int64_t n;           /* lanes that run */
    int64_t example[LUCID__LANE_TILE];
    int done[LUCID__LANE_TILE]; /* lanes */
    int64_t done_example[LUCID__LANE_TILE];
} worker;

/* Lanes that have begun and wait; 0: all have run. */
static int64_t waiting(worker *w)
{
    if (w->used == w->begun) {
        int64_t first;
        w->begun = take(w->j, w->j->tile, &first);
        w->used = 0;
        if (w->begun > 0)
            lucid__lane_machine_begin(&w->begin, first, w->begun);
    }
    return w->begun - w->used;
}

/* New lanes behind those that run. */
static void fill_up(worker *w)
{
    int64_t left;
    while (w->n < w->j->tile && (left = waiting(w)) > 0) {
        const lucid__lane_moves *fresh = &w->j->p->fresh;
        int64_t count = left < w->j->tile - w->n ? left : w->j->tile - w->n;
        for (int i = 0; i < fresh->n; i++) {
            size_t size = w->j->p->reg_size[fresh->at[i].to];
            memcpy(w->loop.reg[fresh->at[i].to] + (size_t)w->n * size,
                   w->begin.reg[fresh->at[i].from] + (size_t)w->used * size, (size_t)count * size);
        }
        for (int64_t i = 0; i < count; i++)
            w->example[w->n + i] = w->begin.first + w->used + i;
        w->n += count;
        w->used += count;
    }
}

#define PUT(T) \
    for (int64_t i = 0; i < n; i++) \
    ((T *)(void *)to)[slot[i]] = ((const T *)(const void *)from)[source ? source[i] : i]

/* Lanes source[i] (NULL: i) of one register to lanes slot[i] of another. */
static void put_lanes(char *to, const char *from, size_t size, const int *slot, const int *source,
                      int64_t n)
{
    if (size == 4)
        PUT(uint32_t);
    else if (size == 8)
        PUT(uint64_t);
    else
        PUT(uint8_t);
}

/* Other lanes take the places of the `count` that are done: new ones, and when there are none left, those
 * at the end. */
static void replace(worker *w, int64_t count)
{
    const lucid__lane_moves *fresh = &w->j->p->fresh;
    const int *slot = w->done;
    int64_t left;
    while (count > 0 && (left = waiting(w)) > 0) {
        int64_t n = left < count ? left : count;
        for (int i = 0; i < fresh->n; i++) {
            size_t size = w->j->p->reg_size[fresh->at[i].to];
            put_lanes(w->loop.reg[fresh->at[i].to],
                      w->begin.reg[fresh->at[i].from] + (size_t)w->used * size, size, slot, NULL,
                      n);
        }
        for (int64_t i = 0; i < n; i++)
            w->example[slot[i]] = w->begin.first + w->used + i;
        w->used += n;
        slot += n;
        count -= n;
    }
    int source[LUCID__LANE_TILE];
    int64_t kept = w->n - count, holes = 0;
    for (int64_t from = w->n, last = count; holes < count && slot[holes] < kept; holes++) {
        from--;
        while (last > 0 && slot[last - 1] == from) { /* done as well */
            last--;
            from--;
        }
        source[holes] = (int)from;
    }
    for (int i = 0; i < fresh->n && holes > 0; i++) {
        char *lanes = w->loop.reg[fresh->at[i].to];
        put_lanes(lanes, lanes, w->j->p->reg_size[fresh->at[i].to], slot, source, holes);
    }
    for (int64_t i = 0; i < holes; i++)
        w->example[slot[i]] = w->example[source[i]];
    w->n = kept;
}

/* Lists the lanes whose condition is false, and writes their results. */
static int64_t finish(worker *w, const bool *condition)
{
    int64_t count = 0;
    const char *start = (const char *)condition, *end = start + w->n, *at = start;
    while (at < end && (at = memchr(at, 0, (size_t)(end - at)))) {
        w->done[count] = (int)(at - start);
        w->done_example[count++] = w->example[at - start];
        at++;
    }
    if (count > 0)
        lucid__lane_machine_store_some(&w->loop, w->done, w->done_example, count);
    return count;
}

static void run_loop(worker *w)
{
    const lucid__lane_control *c = w->j->main;
    const bool *condition = (const bool *)w->loop.reg[c->condition];
    fill_up(w);
    for (int i = 0; w->n > 0 && !w->loop.bad_table && !w->begin.bad_table; i++) {
        if ((i & lucid__lane_machine_patience(&w->loop, w->n)) == 0 && lucid__stop())
            return;
        lucid__lane_machine_run(&w->loop, c->first, c->test, w->n, NULL);
        int64_t done = finish(w, condition);
        if (done < w->n) {
            lucid__lane_machine_run(&w->loop, c->test, c->end, w->n, done > 0 ? condition : NULL);
            lucid__lane_machine_moves(&w->loop, &c->back, w->n);
        }
        if (done > 0)
            replace(w, done);
    }
}

static void run_queue(job *j)
{
    worker *w = lucid__calloc(1, sizeof *w);
    if (!w) {
        atomic_store(&j->failed, true);
        return;
    }
    w->j = j;
    bool ready = lucid__lane_machine_init(&w->begin, j->p, j->args->in, j->args->out, j->tile);
    ready = lucid__lane_machine_init(&w->loop, j->p, j->args->in, j->args->out, j->tile) && ready;
    if (ready)
        run_loop(w);
    else
        atomic_store(&j->failed, true);
    tell(j, &w->begin);
    tell(j, &w->loop);
    lucid__lane_machine_free(&w->begin);
    lucid__lane_machine_free(&w->loop);
    lucid__free(w);
}

/* ---- all ----------------------------------------------------------------------------------------- */

/* Instructions times lanes, as far as they are known. */
static double work_of(const job *j)
{
    double iterations = !j->main                        ? 1
                        : j->main->prim == LUCID__while ? ITERATIONS
                        : j->main->prim == LUCID__scan  ? (double)j->main->length
                                                        : 1;
    return (double)j->lanes * iterations * (double)(j->p->work + 1);
}

static int threads_for(const job *j)
{
    double useful = work_of(j) / WORK_PER_THREAD, tiles = (double)j->lanes / 16;
    useful = useful < tiles ? useful : tiles;
    int all = lucid__num_threads();
    return useful < 2 ? 1 : useful < all ? (int)useful : all;
}

/* Lanes of a tile: every thread should have some, in whole vectors. */
static int64_t tile_for(const job *j, int threads)
{
    int64_t share = (j->lanes + threads - 1) / threads;
    share = (share + 15) / 16 * 16;
    if (j->lanes == 1)
        share = 1;
    return share < j->p->tile ? share : j->p->tile;
}

void lucid__forget_lanes(lucid__lane_program *p)
{
    lucid__lane_native_free(p->native);
    p->native = NULL;
}

lucid_status lucid__run_lanes(lucid__lane_program *p, const lucid__kernel_args *args)
{
    job j = {
        .p = p, .main = lucid__lane_main(p), .args = args, .lanes = p->lanes < 0 ? 1 : p->lanes};
    int threads = threads_for(&j);
    if (lucid__native_due(&p->done, &p->native_tried, work_of(&j)))
        p->native = lucid__lane_native_new(p);
    j.tile = tile_for(&j, threads);
    bool loop = j.main && j.main->prim == LUCID__while;
    if (threads == 1) {
        (loop ? run_queue : run_tiles)(&j);
    } else {
        atomic_int finished = 0;
#pragma omp parallel num_threads(lucid__team(threads))
        {
            (loop ? run_queue : run_tiles)(&j);
            lucid__team_finish(&finished);
        }
    }
    return atomic_load(&j.failed)         ? LUCID_MEMORY_ERROR
           : atomic_load(&j.out_of_range) ? j.told
                                          : LUCID_OK;
}
