/* From the code of a lane program to its registers: what nobody needs goes, blocks are put one after the
 * other, and cells get registers, as few as are alive at once (linear scan over the time from a cell's
 * definition to its last use). */
#include <stdlib.h>
#include <string.h>

#include "engine/lane_code.h"

enum { FOREVER = INT32_MAX, MOST_BYTES = 4096 };

static lucid__lane_cell *cell_of(lucid__lane_code *code, int cell)
{
    return &code->cells[cell];
}

/* The cell whose register this one has. */
static int root_of(const lucid__lane_code *code, int cell)
{
    while (code->cells[cell].same_as >= 0)
        cell = code->cells[cell].same_as;
    return cell;
}

/* ---- what is needed ----------------------------------------------------------------------------- */

typedef struct worklist {
    lucid__lane_code *code;
    int n;
    int *cells; /* of so many as there are */
} worklist;

static void need(worklist *w, int cell)
{
    if (cell < 0 || cell_of(w->code, cell)->live)
        return;
    cell_of(w->code, cell)->live = true;
    w->cells[w->n++] = cell;
}

static void need_all(worklist *w, const int *cells, int64_t n)
{
    for (int64_t i = 0; cells && i < n; i++)
        need(w, cells[i]);
}

static void need_part(worklist *w, const lucid__lane_part *part)
{
    need(w, part->active);
    need_all(w, part->result, part->nresults);
    need_all(w, part->phi, part->ncarry);
    need_all(w, part->init, part->ncarry);
    need_all(w, part->next, part->ncarry);
    for (int k = 0; k < part->nxs; k++)
        need_all(w, part->xs[k].whole, part->length * part->xs[k].n);
    for (int k = 0; k < part->nys; k++) {
        need_all(w, part->ys[k].slice, part->ys[k].n);
        need_all(w, part->ys[k].whole, part->length * part->ys[k].n);
    }
    if (part->prim == LUCID__while)
        need(w, part->condition);
    if (part->prim == LUCID__cond)
        need(w, part->index);
    for (int b = 0; b < part->nbranches; b++)
        need_all(w, part->branch_value[b], part->nresults);
}

static void need_op(worklist *w, lucid__lane_op *op)
{
    if (op->live)
        return;
    op->live = true;
    if (op->dst >= 0)
        cell_of(w->code, op->dst)->live = true;
    for (int i = 0; i < LUCID__LANE_SOURCES; i++)
        need(w, op->src[i]);
    if (op->table)
        need_all(w, op->table->regs, lucid__lane_table_size(op->table));
    if (op->matrix) {
        need_all(w, op->matrix->a, op->matrix->m * op->matrix->n);
        need_all(w, op->matrix->b, op->matrix->n * op->matrix->k);
    }
    if (op->part)
        need_part(w, op->part);
}

static bool find_needed(lucid__lane_code *code)
{
    worklist w = {.code = code};
    w.cells = lucid__lane_alloc(code, (size_t)code->ncells, sizeof *w.cells);
    if (!w.cells)
        return false;
    if (code->main)
        need_op(&w, code->cells[code->main->active].def);
    need_all(&w, code->results, code->nresults);
    for (int b = 0; b < code->nblocks; b++)
        for (lucid__lane_op *op = code->blocks[b].first; op; op = op->next)
            if (op->effect)
                need_op(&w, op);
    while (w.n > 0) {
        const lucid__lane_cell *c = cell_of(code, w.cells[--w.n]);
        need(&w, c->same_as);
        if (c->def)
            need_op(&w, c->def);
    }
    for (int b = 0; b < code->nblocks; b++) {
        lucid__lane_op **at = &code->blocks[b].first;
        while (*at) {
            if ((*at)->live || (*at)->kind == LUCID__LANE_TEST)
                at = &(*at)->next;
            else
                *at = (*at)->next;
        }
        code->blocks[b].last = at;
    }
    return true;
}

/* ---- order --------------------------------------------------------------------------------------- */

static bool reads(const lucid__lane_op *op, int cell)
{
    for (int i = 0; i < LUCID__LANE_SOURCES; i++)
        if (op->src[i] == cell)
            return true;
    for (int i = 0; i < 2 * op->nterms; i++)
        if (op->terms[i] == cell)
            return true;
    return false;
}

/* An operation that makes the next value of a carry goes behind the last that reads the old one, where that
 * is possible: it can then write over it. */
static void make_late(lucid__lane_code *code, const lucid__lane_part *part, int phi, int next)
{
    lucid__lane_op *op = cell_of(code, next)->def, *last = NULL;
    if (!op || op->block != part->block || op->part || op->matrix || cell_of(code, next)->is_phi)
        return;
    lucid__lane_block *block = &code->blocks[part->block];
    for (lucid__lane_op *p = op->next; p; p = p->next) {
        if (p->part || p->table || p->matrix || reads(p, next))
            break;
        if (reads(p, phi) || p == part->test)
            last = p;
    }
    for (const lucid__lane_op *p = last ? last->next : NULL; p; p = p->next)
        if (p->part || p->table || p->matrix || reads(p, phi))
            return; /* read once more: nothing is gained */
    if (!last)
        return;
    lucid__lane_op **at = &block->first;
    while (*at != op)
        at = &(*at)->next;
    *at = op->next;
    op->next = last->next;
    last->next = op;
    if (!op->next)
        block->last = &op->next;
}

static void order_block(lucid__lane_code *code, int block, int *time);

static void order_part(lucid__lane_code *code, lucid__lane_part *part, int *time)
{
    part->time_begin = *time;
    if (part->prim != LUCID__cond) {
        for (int i = 0; i < part->ncarry; i++)
            make_late(code, part, part->phi[i], part->next[i]);
        order_block(code, part->block, time);
        part->time_test = part->test ? part->test->time : part->time_begin;
    }
    for (int b = 0; b < part->nbranches; b++) {
        order_block(code, part->branch_block[b], time);
        part->branch_end[b] = ++*time;
    }
    part->time_end = ++*time;
}

static void order_block(lucid__lane_code *code, int block, int *time)
{
    for (lucid__lane_op *op = code->blocks[block].first; op; op = op->next) {
        op->time = ++*time;
        if (op->part)
            order_part(code, op->part, time);
    }
}

/* ---- lifetimes: what is read at time t is read at 2 t, what is written there at 2 t + 1 ------------- */

static void extend(lucid__lane_code *code, int cell, int from, int to)
{
    lucid__lane_cell *c = cell_of(code, root_of(code, cell));
    if (from < c->from)
        c->from = from;
    if (to > c->to)
        c->to = to;
}

/* A cell read in a block that runs again and again lives as long as that goes on. */
static void use(lucid__lane_code *code, int cell, int time, int block)
{
    if (cell < 0)
        return;
    int home = cell_of(code, cell)->block;
    int to = 2 * time;
    if (home == LUCID__BLOCK_ONCE && block != LUCID__BLOCK_ONCE)
        to = FOREVER;
    for (int b = block; b != home && b >= 0; b = code->blocks[b].parent) {
        const lucid__lane_block *inner = &code->blocks[b];
        if (inner->loop && 2 * inner->part->time_end + 1 > to)
            to = 2 * inner->part->time_end + 1;
    }
    extend(code, cell, INT32_MAX, to);
    if (to > cell_of(code, cell)->read)
        cell_of(code, cell)->read = to;
}

static void use_all(lucid__lane_code *code, const int *cells, int64_t n, int time, int block)
{
    for (int64_t i = 0; cells && i < n; i++)
        use(code, cells[i], time, block);
}

static void live_part(lucid__lane_code *code, const lucid__lane_part *part, int around)
{
    const int begin = part->time_begin, end = part->time_end;
    extend(code, part->active, 2 * begin, 2 * end + 1);
    use_all(code, part->init, part->ncarry, begin, around);
    use_all(code, part->next, part->ncarry, end, part->block);
    for (int i = 0; i < part->ncarry; i++) {
        extend(code, part->phi[i], 2 * begin, 0);
        if (part->outermost && part->prim == LUCID__while) /* lanes that are done are read there */
            use(code, part->phi[i], part->time_test, part->block);
    }
    for (int k = 0; k < part->nxs; k++) {
        use_all(code, part->xs[k].whole, part->length * part->xs[k].n, end, around);
        for (int64_t j = 0; j < part->xs[k].n; j++)
            extend(code, part->xs[k].slice[j], 2 * begin, 2 * end + 1);
    }
    for (int k = 0; k < part->nys; k++) {
        const lucid__lane_slice *y = &part->ys[k];
        use_all(code, y->slice, y->n, end, part->block);
        for (int64_t j = 0; y->whole && j < part->length * y->n; j++)
            extend(code, y->whole[j], 2 * begin, 2 * end + 1);
    }
    if (part->prim == LUCID__while)
        use(code, part->condition, part->outermost ? end : part->time_test, part->block);
    if (part->prim == LUCID__cond) {
        use(code, part->index, end, around);
        for (int i = 0; i < part->nresults; i++)
            extend(code, part->result[i], 2 * begin, 2 * end + 1);
        for (int b = 0; b < part->nbranches; b++)
            use_all(code, part->branch_value[b], part->nresults, part->branch_end[b],
                    part->branch_block[b]);
    }
    if (part->outermost)
        use_all(code, part->result, part->nresults, FOREVER / 2, around);
}

/* Some lanes' results are written before others' operands are read. */
static void live_matrix(lucid__lane_code *code, const lucid__lane_matrix *x, int time, int block)
{
    use_all(code, x->a, x->m * x->n, time, block);
    use_all(code, x->b, x->n * x->k, time, block);
    for (int k = 0; k < x->nout; k++)
        for (int64_t i = 0; i < x->size[k]; i++)
            extend(code, x->out[k][i], 2 * time, 0);
}

static void live_blocks(lucid__lane_code *code, int begin_time)
{
    for (int i = 0; i < code->ncells; i++) {
        lucid__lane_cell *c = cell_of(code, i);
        bool input = !c->def && !c->is_phi;
        c->from = !input ? INT32_MAX : c->block == LUCID__BLOCK_ONCE ? 0 : 2 * begin_time;
        c->to = 0;
    }
    for (int b = 0; b < code->nblocks; b++)
        for (const lucid__lane_op *op = code->blocks[b].first; op; op = op->next) {
            if (op->part) {
                live_part(code, op->part, b);
                continue;
            }
            for (int i = 0; i < LUCID__LANE_SOURCES; i++)
                use(code, op->src[i], op->time, b);
            use_all(code, op->terms, 2 * (int64_t)op->nterms, op->time, b);
            if (op->table) { /* what it writes must not be among them */
                use_all(code, op->table->regs, lucid__lane_table_size(op->table), op->time, b);
                extend(code, op->dst, 2 * op->time, 0);
            }
            if (op->matrix)
                live_matrix(code, op->matrix, op->time, b);
            if (op->dst >= 0)
                extend(code, op->dst, 2 * op->time + 1, 0);
        }
}

/* Where the old value of a carry is no longer read when the new one is made, they share a register. Lanes
 * of loops inside leave at different times, and must keep the old one. */
static void share_carries(lucid__lane_code *code, const lucid__lane_part *part)
{
    for (int i = 0; i < part->ncarry; i++) {
        lucid__lane_cell *phi = cell_of(code, part->phi[i]), *next = cell_of(code, part->next[i]);
        const lucid__lane_op *op = next->def;
        bool plain = op && !op->part && op->block == part->block && !next->is_phi;
        if (plain && next->same_as < 0 && phi->read < next->from &&
            (part->prim == LUCID__scan || part->outermost)) {
            next->same_as = part->phi[i];
            phi->to = next->to > phi->to ? next->to : phi->to;
        }
    }
}

static void carries(lucid__lane_code *code)
{
    for (int b = 0; b < code->nblocks; b++) {
        const lucid__lane_part *part = code->blocks[b].part;
        if (!part || !code->blocks[b].loop || !code->cells[part->active].live)
            continue;
        share_carries(code, part);
        for (int i = 0; i < part->ncarry; i++)
            extend(code, part->phi[i], 2 * part->time_begin, 2 * part->time_end + 1);
    }
}

/* ---- registers ------------------------------------------------------------------------------------- */

typedef struct interval {
    int from, cell;
} interval;

static int by_start(const void *x, const void *y)
{
    const interval *a = x, *b = y;
    return a->from != b->from ? (a->from < b->from ? -1 : 1) : a->cell - b->cell;
}

/* The one that became free last: its lines are in the nearest cache. */
static int take_register(lucid__lane_registers *r, size_t size, int from, int to)
{
    int best = -1;
    for (int i = 0; i < r->n; i++)
        if (r->size[i] == size && r->busy[i] < from && (best < 0 || r->busy[i] > r->busy[best]))
            best = i;
    if (best < 0) {
        best = r->n++;
        r->size[best] = (uint8_t)size;
    }
    r->busy[best] = to;
    return best;
}

static bool assign_registers(lucid__lane_code *code, lucid__lane_registers *r)
{
    int n = 0;
    interval *order = lucid__lane_alloc(code, (size_t)code->ncells, sizeof *order);
    r->size = lucid__lane_alloc(code, (size_t)code->ncells, sizeof *r->size);
    r->busy = lucid__lane_alloc(code, (size_t)code->ncells, sizeof *r->busy);
    if (!order || !r->size || !r->busy)
        return false;
    for (int i = 0; i < code->ncells; i++)
        if (code->cells[i].live && code->cells[i].same_as < 0 && code->cells[i].from < INT32_MAX)
            order[n++] = (interval){code->cells[i].from, i};
    qsort(order, (size_t)n, sizeof *order, by_start);
    for (int i = 0; i < n; i++) {
        lucid__lane_cell *c = cell_of(code, order[i].cell);
        int to = c->to > c->from ? c->to : c->from;
        c->reg = take_register(r, lucid__lane_size(c->dtype), c->from, to);
    }
    for (int i = 0; i < code->ncells; i++)
        if (code->cells[i].live)
            code->cells[i].reg = code->cells[root_of(code, i)].reg;
    for (int i = 0; i < r->n; i++)
        r->lane_bytes += r->busy[i] == FOREVER ? 0 : r->size[i];
    return true;
}

lucid__lane_program *lucid__lane_layout(lucid__lane_code *code, lucid__arena *arena,
                                        const lucid__lane_ends *ends)
{
    int time = 0;
    lucid__lane_registers r = {0};
    if (!find_needed(code))
        return NULL;
    lucid__lane_trees(code);
    if (!lucid__lane_ok(code))
        return NULL;
    order_block(code, LUCID__BLOCK_ONCE, &time);
    int begin_time = ++time;
    order_block(code, LUCID__BLOCK_BEGIN, &time);
    live_blocks(code, begin_time);
    use_all(code, code->results, code->nresults, FOREVER / 2, LUCID__BLOCK_BEGIN);
    carries(code);
    if (!assign_registers(code, &r))
        return NULL;
    if (r.lane_bytes > MOST_BYTES) {
        code->why_not = "too many values alive at once";
        return NULL;
    }
    return lucid__lane_write(code, arena, &r, ends);
}
