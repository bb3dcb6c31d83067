#include "base/dtype.h"
#include "engine/lane_code.h"

/* Who reads a cell. */
typedef struct readers {
    int n;
    bool other; /* one that is not arithmetic of the same block */
} readers;

static bool is_arithmetic(const lucid__lane_op *op)
{
    return op && op->kind == LUCID__LANE_ELEMENTWISE && lucid__is_float((lucid_dtype)op->dtype) &&
           (op->prim == LUCID__add || op->prim == LUCID__sub || op->prim == LUCID__mul);
}

static int64_t arithmetic_of(const lucid__lane_op *op)
{
    return op->prim == LUCID__add   ? LUCID__LANE_ADD
           : op->prim == LUCID__sub ? LUCID__LANE_SUB
                                    : LUCID__LANE_MUL;
}

static void note(lucid__lane_code *code, readers *r, int cell, const lucid__lane_op *by)
{
    if (cell < 0)
        return;
    r[cell].n++;
    const lucid__lane_op *def = code->cells[cell].def;
    r[cell].other |= !is_arithmetic(by) || !def || def->block != by->block;
}

static void note_all(readers *r, const int *cells, int64_t n)
{
    for (int64_t i = 0; cells && i < n; i++) {
        r[cells[i]].n++;
        r[cells[i]].other = true;
    }
}

static void note_part(readers *r, const lucid__lane_part *part)
{
    const int single[] = {part->condition, part->index, part->active};
    note_all(r, single, 3);
    note_all(r, part->init, part->ncarry);
    note_all(r, part->next, part->ncarry);
    note_all(r, part->result, part->nresults);
    for (int k = 0; k < part->nxs; k++)
        note_all(r, part->xs[k].whole, part->length * part->xs[k].n);
    for (int k = 0; k < part->nys; k++)
        note_all(r, part->ys[k].slice, part->ys[k].n);
    for (int b = 0; b < part->nbranches; b++)
        note_all(r, part->branch_value[b], part->nresults);
}

/* The operation that makes a cell, if it can be done where the cell is read: nobody else reads it. */
static const lucid__lane_op *inner(lucid__lane_code *code, const readers *r, int cell,
                                   const lucid__lane_op *reader)
{
    const lucid__lane_op *op = code->cells[cell].def;
    bool takes = is_arithmetic(op) && op->block == reader->block && op->dtype == reader->dtype &&
                 !r[cell].other && r[cell].n == 1;
    return takes ? op : NULL;
}

/* Its operation is part of a tree now. */
static void drop(lucid__lane_code *code, int cell)
{
    code->cells[cell].def->live = false;
    code->cells[cell].live = false;
}

static void grow(lucid__lane_code *code, readers *r, lucid__lane_op *op)
{
    int left = op->src[0], right = op->src[1];
    const lucid__lane_op *a = inner(code, r, left, op), *b = inner(code, r, right, op);
    int64_t g = arithmetic_of(op);
    if (left == right)
        return;
    if (a && b) {
        op->imm = arithmetic_of(a) | g << 2 | arithmetic_of(b) << 4;
        op->kind = LUCID__LANE_TREE3;
        for (int i = 0; i < 2; i++) {
            op->src[i] = a->src[i];
            op->src[2 + i] = b->src[i];
        }
    } else if (a || b) {
        op->imm = arithmetic_of(a ? a : b) | (b && g == LUCID__LANE_SUB ? LUCID__LANE_SUB_FROM : g)
                                                 << 2;
        op->kind = LUCID__LANE_TREE2;
        op->src[0] = (a ? a : b)->src[0];
        op->src[1] = (a ? a : b)->src[1];
        op->src[2] = a ? right : left;
    }
    if (a)
        drop(code, left);
    if (b)
        drop(code, right);
}

/* ---- sums of products --------------------------------------------------------------------------- */

static bool is_same(const lucid__lane_code *code, int cell, int block)
{
    return block != LUCID__BLOCK_ONCE && code->cells[cell].block == LUCID__BLOCK_ONCE;
}

/* The sum that one goes on from, if nobody else reads it and its factors vary alike. */
static const lucid__lane_op *sum_before(const lucid__lane_code *code, const readers *r,
                                        const lucid__lane_op *op)
{
    int cell = op->src[0], block = op->block;
    const lucid__lane_op *before = code->cells[cell].def;
    bool takes = before && before->kind == LUCID__LANE_PRODUCTS && !before->terms &&
                 before->block == block && before->dtype == op->dtype && r[cell].n == 1;
    for (int i = 1; takes && i <= 2; i++)
        takes = is_same(code, before->src[i], block) == is_same(code, op->src[i], block);
    return takes ? before : NULL;
}

/* The operation becomes the whole sum that ends with it. */
static void gather_products(lucid__lane_code *code, const readers *r, lucid__lane_op *op)
{
    int n = 1;
    for (const lucid__lane_op *p = sum_before(code, r, op); p; p = sum_before(code, r, p))
        n++;
    int *terms = lucid__lane_alloc(code, 2 * (size_t)n, sizeof *terms);
    if (!terms)
        return;
    const lucid__lane_op *p = op;
    for (int k = n - 1; p; k--) {                        /* from the last */
        int first = is_same(code, p->src[1], op->block); /* the one that varies, if one does */
        terms[2 * k] = p->src[1 + first];
        terms[2 * k + 1] = p->src[2 - first];
        int start = p->src[0];
        p = sum_before(code, r, p);
        if (p)
            drop(code, start);
        op->src[0] = start;
    }
    op->src[1] = op->src[2] = -1;
    op->terms = terms;
    op->nterms = n;
    code->nproducts++;
}

static void grow_block(lucid__lane_code *code, readers *r, int block)
{
    int n = 0;
    for (const lucid__lane_op *op = code->blocks[block].first; op; op = op->next)
        n++;
    lucid__lane_op **ops = lucid__lane_alloc(code, (size_t)n, sizeof(*ops));
    if (!ops)
        return;
    n = 0;
    for (lucid__lane_op *op = code->blocks[block].first; op; op = op->next)
        ops[n++] = op;
    for (int i = n - 1; i >= 0; i--) /* what reads before what is read */
        if (ops[i]->live && is_arithmetic(ops[i]))
            grow(code, r, ops[i]);
        else if (ops[i]->live && ops[i]->kind == LUCID__LANE_PRODUCTS)
            gather_products(code, r, ops[i]);
    lucid__lane_op **at = &code->blocks[block].first;
    for (int i = 0; i < n; i++)
        if (ops[i]->live || ops[i]->kind == LUCID__LANE_TEST) {
            *at = ops[i];
            at = &ops[i]->next;
        }
    *at = NULL;
    code->blocks[block].last = at;
}

void lucid__lane_trees(lucid__lane_code *code)
{
    readers *r = lucid__lane_alloc(code, (size_t)code->ncells, sizeof *r);
    if (!r)
        return;
    note_all(r, code->results, code->nresults);
    for (int b = 0; b < code->nblocks; b++)
        for (const lucid__lane_op *op = code->blocks[b].first; op; op = op->next) {
            for (int i = 0; i < LUCID__LANE_SOURCES; i++)
                note(code, r, op->src[i], op);
            if (op->table)
                note_all(r, op->table->regs, lucid__lane_table_size(op->table));
            if (op->matrix) {
                note_all(r, op->matrix->a, op->matrix->m * op->matrix->n);
                note_all(r, op->matrix->b, op->matrix->n * op->matrix->k);
            }
            if (op->part)
                note_part(r, op->part);
        }
    for (int b = 0; b < code->nblocks; b++)
        grow_block(code, r, b);
}
