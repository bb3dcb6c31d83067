/* Long reductions: the points that make one result are more than a box can hold. All reductions are over the
 * same dims here. What does not lie over those dims is called a result, all else a point.
 *
 * Stage 0 goes over all points, box by box, with what can be computed from loads alone; its reductions give
 * results, and results of those; stage 1 goes over the points again with what these allow, and so on. What a
 * later stage needs of an earlier one's points it computes again: the same bits, for less than it would cost
 * to keep them in memory. */
#include <string.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/thread.h"
#include "cpu/native.h"
#include "cpu/run_program.h"
#include "cpu/threads.h"

enum {
    COLUMNS = 512,
    FEW_COLUMNS = 128,
    ELEMENT = 8,
    SHARE = 16 * LUCID__FOLD_BLOCK, /* points that one thread adds up: a node of the tree */
};

/* What each stage does, as numbers of loads and instructions. */
typedef struct stage {
    int nloads, npoints, nfolds, nresults;
    uint16_t *loads, *points,
        *folds;        /* loads and instructions over the points, and the reductions */
    uint16_t *results; /* instructions on results, before the points */
} stage;

struct lucid__stages {
    const lucid__program *p;
    void *const *slots; /* of one run */
    int nstages;
    stage *stages;
    uint16_t *numbers;           /* memory of the lists */
    uint8_t *store_stage;        /* of each store */
    int last, before_last;       /* the innermost reduced dims; -1: there is none */
    int64_t inner, chunk, width; /* points behind a result; of a box at once; results of a box */
    int64_t levels;              /* of the tree of a reduction */
    int most_folds;
    lucid__boxes tiles; /* of the results */
    lucid__frame frame;
    lucid__bad_index *bad; /* of one run */
};
typedef struct lucid__stages run;

enum { NEAR_BYTES = 8192 };

typedef struct worker {
    lucid__machine m;
    char *acc;
    _Alignas(max_align_t) char near[NEAR_BYTES]; /* memory of few accumulators */
} worker;

/* ---- what to do when ------------------------------------------------------------------------------ */

static bool over_points(const lucid__program *p, int reg)
{
    return (p->over[reg] & p->folded) != 0;
}

/* when[i]: the stage whose points, or before whose points, instruction i can run. */
static int find_stages(const lucid__program *p, uint8_t *when, uint8_t *store_stage)
{
    uint8_t of_reg[LUCID__MAX_REGISTERS] = {0};
    int last = 0;
    for (int i = 0; i < p->ninstrs; i++) {
        const lucid__instr *in = &p->instrs[i];
        uint16_t regs[LUCID__MOST_PORTS];
        uint8_t at = 0;
        for (int j = lucid__instr_reads(p, in, regs) - 1; j >= 0; j--)
            at = of_reg[regs[j]] > at ? of_reg[regs[j]] : at;
        when[i] = at;
        at = (uint8_t)(at + lucid__is_fold(in->op));
        for (int j = lucid__instr_writes(p, in, regs) - 1; j >= 0; j--)
            of_reg[regs[j]] = at;
        last = at > last ? at : last;
    }
    for (int i = 0; i < p->nstores; i++)
        store_stage[i] = of_reg[p->stores[i].reg];
    return last + 1;
}

/* Backwards from the reductions and stores of stage s: which points they need. */
static void list_stage(run *r, int s, const uint8_t *when, uint16_t **numbers)
{
    const lucid__program *p = r->p;
    stage *to = &r->stages[s];
    bool needed[LUCID__MAX_REGISTERS] = {false};
    for (int i = 0; i < p->nstores; i++)
        needed[p->stores[i].reg] |= r->store_stage[i] == s && over_points(p, p->stores[i].reg);
    to->points = *numbers;
    to->folds = to->points + p->ninstrs;
    to->results = to->folds + p->ninstrs;
    to->loads = to->results + p->ninstrs;
    *numbers = to->loads + p->nloads;
    for (int i = p->ninstrs - 1; i >= 0; i--) {
        const lucid__instr *in = &p->instrs[i];
        bool fold = lucid__is_fold(in->op);
        if (!fold && !over_points(p, in->dst) && when[i] == s)
            to->results[to->nresults++] = (uint16_t)i;
        uint16_t regs[LUCID__MOST_PORTS];
        int written = lucid__instr_writes(p, in, regs);
        bool used = false;
        for (int j = 0; j < written; j++)
            used |= needed[regs[j]];
        if (fold ? when[i] != s : !over_points(p, in->dst) || !used)
            continue;
        to->points[to->npoints++] = (uint16_t)i;
        if (fold)
            to->folds[to->nfolds++] = (uint16_t)i;
        for (int j = 0; j < written; j++)
            needed[regs[j]] = false;
        for (int j = lucid__instr_reads(p, in, regs) - 1; j >= 0; j--)
            needed[regs[j]] = true;
    }
    for (int i = 0; i < p->nloads; i++)
        if (needed[i] && over_points(p, i))
            to->loads[to->nloads++] = (uint16_t)i;
    if (to->nfolds > r->most_folds)
        r->most_folds = to->nfolds;
}

/* In the lists of a stage. */
static size_t numbers_of(const lucid__program *p)
{
    return 3 * (size_t)p->ninstrs + (size_t)p->nloads;
}

static bool prepare(run *r)
{
    const lucid__program *p = r->p;
    uint8_t *when = lucid__calloc((size_t)p->ninstrs + (size_t)p->nstores + 1, 1);
    if (!when)
        return false;
    r->store_stage = when + p->ninstrs;
    r->nstages = find_stages(p, when, r->store_stage);
    size_t each = numbers_of(p);
    r->stages = lucid__calloc((size_t)r->nstages, sizeof *r->stages);
    r->numbers = lucid__malloc((size_t)r->nstages * each * sizeof *r->numbers);
    bool ok = r->stages && r->numbers;
    uint16_t *numbers = r->numbers;
    for (int s = 0; ok && s < r->nstages; s++)
        list_stage(r, s, when, &numbers);
    r->store_stage = ok ? r->store_stage : NULL;
    if (!ok)
        lucid__free(when);
    return ok;
}

/* ---- one tile of results --------------------------------------------------------------------------- */

/* The box of points from number `at` on, no further than `end`: part of a row, or whole rows. */
static int64_t next_box(const run *r, lucid__machine *m, int64_t at, int64_t end)
{
    const lucid__program *p = r->p;
    int64_t rest = at, n;
    for (int d = p->ndim - 1; d >= 0; d--)
        if (p->folded >> d & 1) {
            m->start[d] = rest % p->dim[d];
            rest /= p->dim[d];
            m->len[d] = 1;
        }
    int64_t row = p->dim[r->last], left = end - at, rows = 1;
    n = row - m->start[r->last];
    n = n < left ? n : left;
    n = n < r->chunk ? n : r->chunk;
    m->len[r->last] = n;
    if (n == row && r->before_last >= 0) {
        int64_t most = r->chunk < left ? r->chunk / row : left / row;
        rows = p->dim[r->before_last] - m->start[r->before_last];
        rows = rows < most ? rows : most;
        rows = rows < 1 ? 1 : rows;
        m->len[r->before_last] = rows;
    }
    return n * rows;
}

/* Whether this is the box that writes a store which lacks some dims: the first one along those. */
static bool writes(const lucid__machine *m, const lucid__stream *t, unsigned dims)
{
    unsigned missing = dims & ~m->program->over[t->reg];
    for (; missing; missing &= missing - 1)
        if (m->start[__builtin_ctz(missing)] != 0)
            return false;
    return true;
}

static void run_points(const run *r, worker *w, int s, lucid__fold *folds)
{
    const lucid__program *p = r->p;
    const stage *now = &r->stages[s];
    lucid__machine *m = &w->m;
    const unsigned all = (1u << p->ndim) - 1;
    for (int i = 0; i < p->nstores; i++)
        if (r->store_stage[i] == s && p->over[p->stores[i].reg] == all)
            lucid__machine_aim(m, &p->stores[i]);
    for (int i = 0; i < now->nloads; i++)
        lucid__machine_load(m, &p->loads[now->loads[i]]);
    int fold = now->nfolds;
    for (int i = now->npoints - 1; i >= 0; i--) {
        const lucid__instr *in = &p->instrs[now->points[i]];
        if (lucid__is_fold(in->op))
            lucid__fold_add(&folds[--fold], m->reg[in->src[0]], lucid__machine_lanes(m, p->folded));
        else
            lucid__machine_execute(m, now->points[i]);
    }
    for (int i = 0; i < p->nstores; i++)
        if (r->store_stage[i] == s && over_points(p, p->stores[i].reg) &&
            writes(m, &p->stores[i], all))
            lucid__machine_store(m, &p->stores[i]);
}

/* What one reduction keeps: accumulators, the nodes of the tree, and the results. */
static size_t fold_bytes(const run *r)
{
    return (size_t)(LUCID__FOLD_LANES + r->levels + 1) * (size_t)r->width * ELEMENT;
}

/* Points first .. end - 1 of stage s, with the reductions' results in folds[..].total. `first` is the first
 * of a block, and nobody adds what comes before. */
static void run_range(const run *r, worker *w, int s, int64_t first, int64_t end,
                      lucid__fold *folds)
{
    const lucid__program *p = r->p;
    const stage *now = &r->stages[s];
    for (int i = 0; i < now->nfolds; i++) {
        const lucid__instr *in = &p->instrs[now->folds[i]];
        char *acc = w->acc + (size_t)i * fold_bytes(r);
        char *total = acc + fold_bytes(r) - (size_t)r->width * ELEMENT;
        folds[i] =
            lucid__fold_begin(&w->m, in, lucid__machine_lanes(&w->m, p->over[in->dst]), acc, total);
    }
    for (int64_t at = first; at < end && !lucid__stop();) {
        at += next_box(r, &w->m, at, end);
        lucid__machine_moved(&w->m);
        run_points(r, w, s, folds);
    }
    for (int i = 0; i < now->nfolds; i++)
        lucid__fold_end(&folds[i]);
    for (int i = 0; i < p->nstores; i++) /* later stages may compute points again, elsewhere */
        if (r->store_stage[i] == s && p->stores[i].reg >= p->nloads &&
            over_points(p, p->stores[i].reg))
            w->m.reg[p->stores[i].reg] = lucid__machine_own(&w->m, p->stores[i].reg);
}

static void run_results(const run *r, worker *w, int s)
{
    const stage *now = &r->stages[s];
    for (int i = now->nresults - 1; i >= 0; i--)
        lucid__machine_execute(&w->m, now->results[i]);
}

static void begin_tile(const run *r, worker *w, int64_t tile)
{
    lucid__boxes_seek(&r->tiles, &w->m, tile);
    for (int i = 0; i < r->p->nloads; i++)
        if (!over_points(r->p, i))
            lucid__machine_load(&w->m, &r->p->loads[i]);
    run_results(r, w, 0);
}

/* Keeps the results of a reduction in their register. */
static void keep_result(const run *r, worker *w, int s, int i, const lucid__fold *f)
{
    const lucid__instr *in = &r->p->instrs[r->stages[s].folds[i]];
    memcpy(w->m.reg[in->dst], f->total, (size_t)f->width * f->size);
}

static void end_tile(const run *r, worker *w)
{
    const lucid__program *p = r->p;
    const unsigned outer = ((1u << p->ndim) - 1) & ~p->folded;
    for (int i = 0; i < p->nstores; i++)
        if (!over_points(p, p->stores[i].reg) && writes(&w->m, &p->stores[i], outer))
            lucid__machine_store(&w->m, &p->stores[i]);
}

static bool has_points(const run *r, int s)
{
    return r->stages[s].npoints > 0 || r->stages[s].nloads > 0;
}

/* All of a tile, on one thread. */
static void run_tile(const run *r, worker *w, lucid__fold *folds, int64_t tile)
{
    begin_tile(r, w, tile);
    for (int s = 0; s < r->nstages; s++) {
        if (s > 0)
            run_results(r, w, s);
        if (!has_points(r, s))
            continue;
        run_range(r, w, s, 0, r->inner, folds);
        for (int i = 0; i < r->stages[s].nfolds; i++)
            keep_result(r, w, s, i, &folds[i]);
    }
    end_tile(r, w);
}

/* ---- threads --------------------------------------------------------------------------------------- */

static void free_acc(worker *w)
{
    if (w->acc != w->near)
        lucid__free(w->acc);
    w->acc = NULL;
}

static bool worker_init(const run *r, worker *w)
{
    size_t bytes = (size_t)r->most_folds * fold_bytes(r);
    bytes += (size_t)r->most_folds * sizeof(lucid__fold) + 64;
    w->acc = bytes <= sizeof w->near ? w->near : lucid__malloc(bytes);
    if (w->acc && lucid__machine_init(&w->m, &r->frame, r->slots, r->bad))
        return true;
    free_acc(w);
    return false;
}

static void worker_free(worker *w)
{
    if (w->acc)
        lucid__machine_free(&w->m);
    free_acc(w);
}

/* Behind the accumulators. */
static lucid__fold *folds_of(const run *r, const worker *w)
{
    size_t bytes = (size_t)r->most_folds * fold_bytes(r);
    return (lucid__fold *)(void *)(w->acc + (bytes + 15) / 16 * 16);
}

/* Tiles first .. end - 1. */
static bool run_some_tiles(const run *r, int64_t first, int64_t end)
{
    worker w;
    if (!worker_init(r, &w))
        return false;
    for (int64_t tile = first; tile < end && !lucid__stop(); tile++)
        run_tile(r, &w, folds_of(r, &w), tile);
    worker_free(&w);
    return true;
}

/* Many tiles: each thread does its own. */
static bool run_tiles(const run *r, int threads)
{
    const int64_t count = r->tiles.count;
    if (threads <= 1)
        return run_some_tiles(r, 0, count);
    atomic_bool failed = false;
    atomic_int finished = 0;
#pragma omp parallel num_threads(lucid__team(threads))
    {
#pragma omp for schedule(static) nowait
        for (int t = 0; t < threads; t++)
            if (!run_some_tiles(r, count * t / threads, count * (t + 1) / threads))
                atomic_store(&failed, true);
        lucid__team_finish(&finished);
    }
    return !atomic_load(&failed);
}

/* The results of n nodes of one level, `each` bytes apart: pairwise, into the first. */
static void combine_nodes(const lucid__fold *f, char *node, int64_t n, size_t each)
{
    for (; n > 1; n -= n / 2) {
        for (int64_t i = 0; i < n / 2; i++)
            f->combine(node + (size_t)i * each, node + (size_t)(2 * i) * each,
                       node + (size_t)(2 * i + 1) * each, NULL, f->width, 0);
        if (n % 2)
            memmove(node + (size_t)(n / 2) * each, node + (size_t)(n - 1) * each, each);
    }
}

static int64_t count_shares(const run *r)
{
    return (r->inner + SHARE - 1) / SHARE;
}

/* Shares first .. end - 1 of a stage, by worker t. */
static void run_some_shares(const run *r, worker *workers, int t, int64_t first, int64_t end, int s,
                            char *partial)
{
    worker *w = &workers[t];
    const size_t each = (size_t)r->width * ELEMENT;
    for (int i = 0; t > 0 && i < r->p->nregs; i++)
        if (!over_points(r->p, i))
            w->m.reg[i] = workers[0].m.reg[i];
    for (int64_t b = first; b < end && !lucid__stop(); b++) {
        int64_t from = b * SHARE, to = from + SHARE;
        lucid__fold *folds = folds_of(r, w);
        run_range(r, w, s, from, to < r->inner ? to : r->inner, folds);
        for (int i = 0; i < r->stages[s].nfolds; i++)
            memcpy(partial + (size_t)(i * count_shares(r) + b) * each, folds[i].total,
                   (size_t)folds[i].width * folds[i].size);
    }
}

/* One stage by several threads, each with a copy of the results so far, in shares of so many blocks; then what the
 * shares make together. */
static void run_shares(const run *r, worker *workers, int threads, int s, char *partial)
{
    const stage *now = &r->stages[s];
    const int64_t shares = count_shares(r);
    const size_t each = (size_t)r->width * ELEMENT;
    atomic_int finished = 0;
#pragma omp parallel num_threads(lucid__team(threads))
    {
#pragma omp for schedule(static) nowait
        for (int t = 0; t < threads; t++)
            run_some_shares(r, workers, t, shares * t / threads, shares * (t + 1) / threads, s,
                            partial);
        lucid__team_finish(&finished);
    }
    if (lucid__stopping())
        return;
    for (int i = 0; i < now->nfolds; i++) {
        lucid__fold f = folds_of(r, &workers[0])[i];
        f.total = partial + (size_t)(i * shares) * each;
        combine_nodes(&f, f.total, shares, each);
        keep_result(r, &workers[0], s, i, &f);
    }
}

/* Few tiles: the threads share the points of each. */
static bool share_tiles(const run *r, int threads)
{
    worker *workers = lucid__calloc((size_t)threads, sizeof *workers);
    char *partial =
        lucid__malloc((size_t)(r->most_folds * count_shares(r)) * (size_t)r->width * ELEMENT + 1);
    bool ok = workers && partial;
    for (int t = 0; ok && t < threads; t++)
        ok = worker_init(r, &workers[t]);
    for (int64_t tile = 0; ok && tile < r->tiles.count && !lucid__stop(); tile++) {
        for (int t = threads - 1; t > 0; t--)
            lucid__boxes_seek(&r->tiles, &workers[t].m, tile);
        begin_tile(r, &workers[0], tile);
        for (int s = 0; s < r->nstages; s++) {
            if (s > 0)
                run_results(r, &workers[0], s);
            if (has_points(r, s))
                run_shares(r, workers, threads, s, partial);
        }
        end_tile(r, &workers[0]);
    }
    for (int t = 0; workers && t < threads; t++)
        worker_free(&workers[t]);
    lucid__free(workers);
    lucid__free(partial);
    return ok;
}

/* ---- the run --------------------------------------------------------------------------------------- */

/* How much of the loop space a box is. */
static void cut(run *r)
{
    const lucid__program *p = r->p;
    lucid__frame *f = &r->frame;
    const unsigned outer = ((1u << p->ndim) - 1) & ~p->folded;
    int64_t lanes = lucid__lanes_for(p);
    int at = 0;
    r->last = r->before_last = -1;
    for (int d = 0; d < p->ndim; d++)
        if (p->folded >> d & 1) {
            f->order[at++] = d;
            f->size[d] = 1;
            r->before_last = r->last;
            r->last = d;
        }
    for (int d = 0; d < p->ndim; d++)
        if (outer >> d & 1)
            f->order[at++] = d;
    int64_t bytes = lucid__prefers_columns(p) ? lucid__limits.cache_bytes : 0;
    r->tiles = lucid__boxes_cut(f, p, outer, bytes, COLUMNS);
    r->width = 1;
    for (int d = 0; d < p->ndim; d++)
        r->width *= outer >> d & 1 ? f->size[d] : 1;
    /* Columns are read where they stand if there are many of them, or if a box has them all. */
    r->chunk = r->width > FEW_COLUMNS || r->width > lanes ? 1 : lanes / r->width;
    if (r->chunk > LUCID__FOLD_BLOCK) /* boxes of whole blocks, which are added up at once */
        r->chunk -= r->chunk % LUCID__FOLD_BLOCK;
    r->inner = lucid__points(p, p->folded);
    r->levels = lucid__fold_levels(r->inner);
    int64_t row = p->dim[r->last];
    f->size[r->last] = row < r->chunk ? row : r->chunk;
    if (r->before_last >= 0 && row <= r->chunk) {
        int64_t rows = r->chunk / row, all = p->dim[r->before_last];
        f->size[r->before_last] = rows < all ? rows : all;
    }
}

void lucid__stages_free(lucid__stages *r)
{
    if (!r)
        return;
    if (r->store_stage)
        lucid__free(r->store_stage - r->p->ninstrs);
    lucid__free(r->stages);
    lucid__free(r->numbers);
    lucid__frame_free(&r->frame);
    lucid__free(r);
}

lucid__stages *lucid__stages_new(const lucid__program *p)
{
    lucid__stages *r = lucid__calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->p = p;
    bool ok = prepare(r);
    if (ok) {
        cut(r);
        ok = lucid__frame_init(&r->frame, p);
    }
    if (ok)
        return r;
    lucid__stages_free(r);
    return NULL;
}

size_t lucid__stages_bytes(const lucid__stages *r)
{
    const lucid__program *p = r->p;
    return sizeof *r + lucid__frame_bytes(p) + (size_t)p->ninstrs + (size_t)p->nstores +
           (size_t)r->nstages * (sizeof *r->stages + numbers_of(p) * sizeof *r->numbers);
}

lucid_status lucid__run_stages(const lucid__stages *prepared, void *const *slots, int threads,
                               lucid__bad_index *bad)
{
    run r = *prepared;
    r.slots = slots;
    r.bad = bad;
    bool ok = threads > 1 && r.tiles.count < threads && count_shares(&r) >= threads
                  ? share_tiles(&r, threads)
                  : run_tiles(&r, r.tiles.count < threads ? (int)r.tiles.count : threads);
    return ok ? LUCID_OK : LUCID_MEMORY_ERROR;
}
