/* The instructions of a lane program, once its cells have registers. */
#include <string.h>

#include "engine/lane_code.h"

enum { CACHE = 32 << 10 };

typedef struct writer {
    lucid__lane_code *code;
    lucid__arena *arena;
    lucid__lane_program *p;
    lucid__lane_instr *instrs;
    lucid__lane_control *controls;
    lucid__lane_table *tables;
    lucid__lane_products *products;
    lucid__lane_matrix *matrices;
} writer;

static void *keep(writer *w, size_t count, size_t size)
{
    void *p = lucid__arena_alloc(w->arena, (count + 1) * size);
    if (!p)
        w->code->no_memory = true;
    return p;
}

static int reg(const writer *w, int cell)
{
    return cell < 0 || w->code->cells[cell].reg < 0 ? 0 : w->code->cells[cell].reg;
}

static const int *regs(writer *w, const int *cells, int64_t n)
{
    int *to = cells ? keep(w, (size_t)n, sizeof *to) : NULL;
    for (int64_t i = 0; to && i < n; i++)
        to[i] = w->code->cells[cells[i]].live ? w->code->cells[cells[i]].reg : -1;
    return to;
}

static lucid__lane_moves moves(writer *w, const int *to, const int *from, int n)
{
    lucid__lane_moves m = {0};
    lucid__lane_move *at = keep(w, (size_t)n, sizeof *at);
    for (int i = 0; at && i < n; i++)
        if (reg(w, to[i]) != reg(w, from[i]))
            at[m.n++] = (lucid__lane_move){reg(w, to[i]), reg(w, from[i])};
    m.at = at;
    return m;
}

static const lucid__lane_slice *slices(writer *w, const lucid__lane_slice *from, int n,
                                       int64_t length)
{
    lucid__lane_slice *to = keep(w, (size_t)n, sizeof *to);
    for (int k = 0; to && k < n; k++) {
        to[k] = from[k];
        to[k].slice = regs(w, from[k].slice, from[k].n);
        to[k].whole = regs(w, from[k].whole, from[k].n * length);
    }
    return to;
}

static lucid__lane_matrix matrix(writer *w, const lucid__lane_matrix *x)
{
    lucid__lane_matrix to = *x;
    to.a = regs(w, x->a, x->m * x->n);
    to.b = regs(w, x->b, x->n * x->k);
    for (int k = 0; k < x->nout; k++)
        to.out[k] = regs(w, x->out[k], x->size[k]);
    return to;
}

static void write_block(writer *w, int block);

static void write_part(writer *w, const lucid__lane_part *part)
{
    lucid__lane_control *c = &w->controls[part->control];
    *c = (lucid__lane_control){.prim = part->prim,
                               .first = w->p->ninstrs,
                               .condition = reg(w, part->condition),
                               .active = reg(w, part->active),
                               .enter = moves(w, part->phi, part->init, part->ncarry),
                               .back = moves(w, part->phi, part->next, part->ncarry),
                               .length = part->length,
                               .reverse = part->reverse,
                               .nxs = part->nxs,
                               .nys = part->nys,
                               .index = reg(w, part->index),
                               .nbranches = part->nbranches};
    c->xs = slices(w, part->xs, part->nxs, part->length);
    c->ys = slices(w, part->ys, part->nys, part->length);
    if (part->prim != LUCID__cond)
        write_block(w, part->block);
    c->test = part->test ? part->test->time : 0; /* where write_block met the mark */
    lucid__lane_branch *branch = keep(w, (size_t)part->nbranches, sizeof *branch);
    for (int b = 0; branch && b < part->nbranches; b++) {
        branch[b].first = w->p->ninstrs;
        write_block(w, part->branch_block[b]);
        branch[b].end = w->p->ninstrs;
        branch[b].out = moves(w, part->result, part->branch_value[b], part->nresults);
    }
    c->branches = branch;
    c->end = w->p->ninstrs;
}

static bool is_same(const writer *w, int cell, int block)
{
    return cell >= 0 && block != LUCID__BLOCK_ONCE &&
           w->code->cells[cell].block == LUCID__BLOCK_ONCE;
}

static void write_block(writer *w, int block)
{
    for (lucid__lane_op *op = w->code->blocks[block].first; op; op = op->next) {
        if (op->kind == LUCID__LANE_TEST) {
            op->time = w->p->ninstrs;
            continue;
        }
        lucid__lane_instr *in = &w->instrs[w->p->ninstrs++];
        *in = (lucid__lane_instr){.kind = op->kind,
                                  .dtype = op->dtype,
                                  .to = op->to,
                                  .op = op->prim,
                                  .dst = reg(w, op->dst),
                                  .imm = op->imm};
        for (int i = 0; i < LUCID__LANE_SOURCES; i++) {
            in->src[i] = reg(w, op->src[i]);
            in->same |= (uint8_t)(is_same(w, op->src[i], block) << i);
        }
        if (op->terms) {
            in->imm = w->p->nproducts++;
            w->products[in->imm] =
                (lucid__lane_products){.n = op->nterms,
                                       .first_same = is_same(w, op->terms[0], block),
                                       .second_same = is_same(w, op->terms[1], block),
                                       .regs = regs(w, op->terms, 2 * (int64_t)op->nterms)};
        }
        if (op->table) {
            w->tables[op->imm] = *op->table;
            w->tables[op->imm].regs = regs(w, op->table->regs, lucid__lane_table_size(op->table));
        }
        if (op->matrix)
            w->matrices[op->imm] = matrix(w, op->matrix);
        if (op->part && lucid__lane_ok(w->code))
            write_part(w, op->part);
    }
}

static const lucid__lane_stream *streams(writer *w, const lucid__lane_stream *from, int n)
{
    lucid__lane_stream *to = keep(w, (size_t)n, sizeof *to);
    for (int i = 0; to && i < n; i++) {
        to[i] = from[i];
        to[i].regs = regs(w, from[i].regs, from[i].n);
    }
    return to;
}

/* What a lane of a while loop brings along: what it began with and the loop reads, and its carry. */
static lucid__lane_moves fresh(writer *w)
{
    lucid__lane_code *code = w->code;
    lucid__lane_moves m = {0};
    lucid__lane_move *at = keep(w, (size_t)code->ncells, sizeof *at);
    m.at = at;
    if (!at || !code->main || code->main->prim != LUCID__while)
        return m;
    for (int i = 0; i < code->main->ncarry; i++)
        at[m.n++] = (lucid__lane_move){reg(w, code->main->phi[i]), reg(w, code->main->init[i])};
    for (int i = 0; i < code->ncells; i++) { /* alive past the begin of the loop: read in it */
        const lucid__lane_cell *c = &code->cells[i];
        if (c->live && c->block == LUCID__BLOCK_BEGIN && c->same_as < 0 && c->reg >= 0 &&
            i != code->main->active && c->to > 2 * code->main->time_begin)
            at[m.n++] = (lucid__lane_move){c->reg, c->reg};
    }
    return m;
}

static int count_ops(const lucid__lane_code *code, int block)
{
    int n = 0;
    for (const lucid__lane_op *op = code->blocks[block].first; op; op = op->next)
        n += op->kind != LUCID__LANE_TEST;
    return n;
}

/* Work beyond one step an instruction: more products, and those of matrices, roughly. */
static int count_more_products(const lucid__lane_code *code, int block)
{
    int64_t n = 0;
    for (const lucid__lane_op *op = code->blocks[block].first; op; op = op->next) {
        const lucid__lane_matrix *x = op->matrix;
        n += op->nterms > 1 ? op->nterms - 1 : 0;
        n += x ? x->m * x->n * (x->n + x->k) : 0;
    }
    return (int)(n < INT32_MAX / 2 ? n : INT32_MAX / 2);
}

static int tile_of(int64_t lane_bytes)
{
    int64_t tile = CACHE / (lane_bytes > 0 ? lane_bytes : 1) / 64 * 64;
    return (int)(tile < 64 ? 64 : tile > LUCID__LANE_TILE ? LUCID__LANE_TILE : tile);
}

lucid__lane_program *lucid__lane_write(lucid__lane_code *code, lucid__arena *arena,
                                       const lucid__lane_registers *r, const lucid__lane_ends *ends)
{
    writer w = {.code = code, .arena = arena};
    int total = 0;
    for (int b = 0; b < code->nblocks; b++)
        total += count_ops(code, b);
    w.p = keep(&w, 1, sizeof *w.p);
    w.instrs = keep(&w, (size_t)total, sizeof *w.instrs);
    w.controls = keep(&w, (size_t)code->ncontrols, sizeof *w.controls);
    w.tables = keep(&w, (size_t)code->ntables, sizeof *w.tables);
    w.products = keep(&w, (size_t)code->nproducts, sizeof *w.products);
    w.matrices = keep(&w, (size_t)code->nmatrices, sizeof *w.matrices);
    uint8_t *sizes = keep(&w, (size_t)r->n, sizeof *sizes);
    if (!lucid__lane_ok(code))
        return NULL;
    memcpy(sizes, r->size, (size_t)r->n);
    w.p->lanes = ends->lanes;
    w.p->nregs = r->n;
    w.p->reg_size = sizes;
    w.p->lane_bytes = r->lane_bytes;
    w.p->tile = tile_of(w.p->lane_bytes);
    w.p->instrs = w.instrs;
    w.p->controls = w.controls;
    w.p->tables = w.tables;
    w.p->products = w.products;
    w.p->matrices = w.matrices;
    w.p->ntables = code->ntables;
    w.p->ncontrols = code->ncontrols;
    w.p->nmatrices = code->nmatrices;
    write_block(&w, LUCID__BLOCK_ONCE);
    w.p->once_end = w.p->ninstrs;
    w.p->begin_end = w.p->once_end + count_ops(code, LUCID__BLOCK_BEGIN) - (code->main != NULL);
    write_block(&w, LUCID__BLOCK_BEGIN);
    w.p->nin = ends->nin;
    w.p->nout = ends->nout;
    w.p->in = streams(&w, ends->in, ends->nin);
    w.p->out = streams(&w, ends->out, ends->nout);
    w.p->fresh = fresh(&w);
    bool loop = code->main && code->main->prim != LUCID__cond;
    int main_block = loop ? code->main->block : LUCID__BLOCK_BEGIN;
    w.p->per_iteration = count_ops(code, main_block);
    w.p->work = w.p->per_iteration + count_more_products(code, main_block);
    return lucid__lane_ok(code) ? w.p : NULL;
}
