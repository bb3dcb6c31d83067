#include "engine/lane_code.h"

#include <string.h>

/* ---- cells, blocks, operations ------------------------------------------------------------------- */

void *lucid__lane_alloc(lucid__lane_code *code, size_t count, size_t size)
{
    void *p = lucid__arena_alloc(code->scratch, (count + 1) * size);
    if (!p)
        code->no_memory = true;
    return p;
}

/* Makes room for one more in an array that grows; `old` stays in the arena. */
static void *grown(lucid__lane_code *code, void *old, int n, int *capacity, size_t size)
{
    if (n < *capacity)
        return old;
    int more = *capacity ? 2 * *capacity : 64;
    void *p = lucid__lane_alloc(code, (size_t)more, size);
    if (!p)
        return NULL;
    if (n > 0)
        memcpy(p, old, (size_t)n * size);
    *capacity = more;
    return p;
}

/* Cell 0 stands for any when something failed. */
int lucid__lane_cell_new(lucid__lane_code *code, lucid_dtype dtype, int block)
{
    if (!lucid__lane_ok(code))
        return 0;
    if (code->ncells >= LUCID__MAX_CELLS) {
        code->why_not = "too many scalars in its bodies";
        return 0;
    }
    lucid__lane_cell *cells =
        grown(code, code->cells, code->ncells, &code->cell_capacity, sizeof *cells);
    if (!cells)
        return 0;
    code->cells = cells;
    cells[code->ncells] =
        (lucid__lane_cell){.dtype = (uint8_t)dtype, .block = block, .same_as = -1, .reg = -1};
    return code->ncells++;
}

int lucid__lane_block_new(lucid__lane_code *code, bool loop)
{
    lucid__lane_block *blocks =
        grown(code, code->blocks, code->nblocks, &code->block_capacity, sizeof *blocks);
    if (!blocks)
        return 0;
    if (blocks != code->blocks) /* an empty list points into its block */
        for (int b = 0; b < code->nblocks; b++)
            if (!blocks[b].first)
                blocks[b].last = &blocks[b].first;
    code->blocks = blocks;
    lucid__lane_block *b = &blocks[code->nblocks];
    *b = (lucid__lane_block){.parent = code->nblocks > 0 ? code->block : -1, .loop = loop};
    b->depth = b->parent >= 0 ? blocks[b->parent].depth + 1 : 0;
    b->last = &b->first;
    return code->nblocks++;
}

static lucid__lane_op *append_to(lucid__lane_code *code, int block, const lucid__lane_op *op)
{
    lucid__lane_op *p = lucid__lane_alloc(code, 1, sizeof *p);
    if (!p)
        return NULL;
    *p = *op;
    p->next = p->same = NULL;
    p->block = block;
    *code->blocks[block].last = p;
    code->blocks[block].last = &p->next;
    return p;
}

lucid__lane_op *lucid__lane_append(lucid__lane_code *code, const lucid__lane_op *op)
{
    return lucid__lane_ok(code) ? append_to(code, code->block, op) : NULL;
}

static bool is_around(const lucid__lane_code *code, int outer, int inner)
{
    while (inner >= 0 && inner != outer)
        inner = code->blocks[inner].parent;
    return inner == outer;
}

/* The deeper one of a block and those that these cells are from. */
static int deepest(const lucid__lane_code *code, int to, const int *cells, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        int block = cells[i] < 0 ? to : code->cells[cells[i]].block;
        if (code->blocks[block].depth > code->blocks[to].depth)
            to = block;
    }
    return to;
}

/* Where an operation goes whose operands are known in block `to`. Out of a branch only if that also takes it
 * out of a loop, or makes it the same for every lane: a branch that nobody takes should cost nothing. */
static int block_for(const lucid__lane_code *code, int to)
{
    bool leaves_loop = false;
    for (int b = code->block; b != to; b = code->blocks[b].parent)
        leaves_loop |= code->blocks[b].loop;
    return to == LUCID__BLOCK_ONCE || leaves_loop ? to : code->block;
}

lucid__lane_op *lucid__lane_append_matrix(lucid__lane_code *code, const lucid__lane_matrix *x)
{
    if (!lucid__lane_ok(code))
        return NULL;
    int to = deepest(code, LUCID__BLOCK_ONCE, x->a, x->m * x->n);
    if (x->b)
        to = deepest(code, to, x->b, x->n * x->k);
    const uint8_t dtype = code->cells[x->a[0]].dtype;
    const lucid__lane_op op = {.kind = LUCID__LANE_MATRIX,
                               .dtype = dtype,
                               .to = dtype,
                               .dst = -1,
                               .src = {-1, -1, -1, -1},
                               .imm = code->nmatrices++,
                               .matrix = x};
    return append_to(code, block_for(code, to), &op);
}

static size_t hash_of(const lucid__lane_op *op)
{
    const uint64_t word[] = {op->kind,
                             op->prim,
                             ((uint64_t)op->dtype << 8) | op->to,
                             (uint64_t)op->imm,
                             (uint64_t)op->src[0],
                             (uint64_t)op->src[1],
                             (uint64_t)op->src[2]};
    uint64_t h = 0;
    for (size_t i = 0; i < sizeof word / sizeof *word; i++)
        h = (h ^ word[i]) * UINT64_C(0x9E3779B97F4A7C15) ^ (h >> 29);
    return (size_t)(h >> 40) % LUCID__LANE_HASH;
}

int lucid__lane_emit(lucid__lane_code *code, const lucid__lane_op *op, lucid_dtype out)
{
    if (!lucid__lane_ok(code))
        return 0;
    size_t h = hash_of(op);
    for (const lucid__lane_op *p = code->hash[h]; p; p = p->same)
        if (p->kind == op->kind && p->prim == op->prim && p->dtype == op->dtype &&
            p->to == op->to && p->imm == op->imm && memcmp(p->src, op->src, sizeof p->src) == 0 &&
            is_around(code, p->block, code->block))
            return p->dst;
    int block = block_for(code, deepest(code, LUCID__BLOCK_ONCE, op->src, LUCID__LANE_SOURCES));
    lucid__lane_op *p = append_to(code, block, op);
    int dst = lucid__lane_cell_new(code, out, block);
    if (!p || !lucid__lane_ok(code))
        return 0;
    p->dst = dst;
    code->cells[dst].def = p;
    p->same = code->hash[h];
    code->hash[h] = p;
    return dst;
}

int lucid__lane_elementwise(lucid__lane_code *code, lucid__prim_id prim, lucid_dtype dtype,
                            lucid_dtype out, int a, int b, int c)
{
    const lucid__lane_op op = {.kind = LUCID__LANE_ELEMENTWISE,
                               .prim = (uint16_t)prim,
                               .dtype = (uint8_t)dtype,
                               .to = (uint8_t)out,
                               .src = {a, b, c, -1}};
    return lucid__lane_emit(code, &op, out);
}

int lucid__lane_number(lucid__lane_code *code, lucid_dtype dtype, double value)
{
    union {
        float f;
        double d;
        int64_t i;
    } bits = {.i = 0};
    if (dtype == LUCID_FLOAT32)
        bits.f = (float)value;
    else if (dtype == LUCID_FLOAT64)
        bits.d = value;
    else if (dtype == LUCID_BOOL)
        bits.i = value != 0;
    else if (dtype == LUCID_INT32)
        bits.i = (int64_t)(uint32_t)(int32_t)value;
    else
        bits.i = (int64_t)value;
    const lucid__lane_op op = {.kind = LUCID__LANE_FILL,
                               .dtype = (uint8_t)dtype,
                               .to = (uint8_t)dtype,
                               .src = {-1, -1, -1, -1},
                               .imm = bits.i};
    return lucid__lane_emit(code, &op, dtype);
}
