#include "cpu/native_lanes.h"

#include "base/memory.h"
#include "cpu/lane_isa.h"
#include "prim/prim.h"

enum {
    MOST_INSTRS = 1 << 14,
    MOST_OPS = 256,    /* of a chain: its code stays in the nearest cache */
    MOST_PRODUCTS = 8, /* of a sum; longer ones are well off as they are */
    NOWHERE = -1,
};

typedef struct finder {
    const lucid__lane_program *p;
    lucid__lane_native *to;
    lucid__arena *scratch;
    bool *starts; /* instructions that begin a block: control goes there, or comes from elsewhere */
    bool *exposed; /* registers that something reads which was not written in the same block */
    int *seen;     /* of each register: the last block that wrote it */
    int *made_by; /* of each register: the operation of the chain that is made; NOWHERE: none has */
    int block;
    bool products; /* can be in chains */
    int wanted;    /* a register that is looked for */
    bool found;
    int *first, *count;
} finder;

/* ---- what instructions read and write ------------------------------------------------------------------ */

typedef void visitor(finder *f, int reg);

static void visit_all(finder *f, const int *regs, int64_t n, visitor *visit)
{
    for (int64_t i = 0; i < n; i++)
        if (regs[i] >= 0)
            visit(f, regs[i]);
}

static int sources_of(const lucid__lane_program *p, const lucid__lane_instr *in)
{
    switch ((lucid__lane_kind)in->kind) {
    case LUCID__LANE_ELEMENTWISE: {
        int n = lucid__prim_get((lucid__prim_id)in->op)->nin;
        return n < 0 ? 0 : n;
    }
    case LUCID__LANE_COPY:
    case LUCID__LANE_PRODUCTS:
    case LUCID__LANE_WORD:
        return 1;
    case LUCID__LANE_TREE2:
    case LUCID__LANE_PHILOX:
        return 3;
    case LUCID__LANE_TREE3:
        return 4;
    case LUCID__LANE_PICK:
        return p->tables[in->imm].ndim;
    default:
        return 0;
    }
}

static int64_t table_size(const lucid__lane_table *t)
{
    int64_t n = 1;
    for (int d = 0; d < t->ndim; d++)
        n *= t->dim[d];
    return n;
}

static void visit_reads(finder *f, const lucid__lane_instr *in, visitor *visit)
{
    const lucid__lane_program *p = f->p;
    visit_all(f, in->src, sources_of(p, in), visit);
    if (in->kind == LUCID__LANE_PRODUCTS)
        visit_all(f, p->products[in->imm].regs, 2 * (int64_t)p->products[in->imm].n, visit);
    if (in->kind == LUCID__LANE_PICK)
        visit_all(f, p->tables[in->imm].regs, table_size(&p->tables[in->imm]), visit);
    if (in->kind == LUCID__LANE_MATRIX) {
        const lucid__lane_matrix *x = &p->matrices[in->imm];
        visit_all(f, x->a, x->m * x->n, visit);
        if (x->b)
            visit_all(f, x->b, x->n * x->k, visit);
    }
}

static void visit_writes(finder *f, const lucid__lane_instr *in, visitor *visit)
{
    if (in->kind == LUCID__LANE_MATRIX) {
        const lucid__lane_matrix *x = &f->p->matrices[in->imm];
        for (int k = 0; k < x->nout; k++)
            visit_all(f, x->out[k], x->size[k], visit);
    } else if (in->kind != LUCID__LANE_CONTROL) {
        visit(f, in->dst);
    }
}

/* ---- blocks ------------------------------------------------------------------------------------------- */

static void expose(finder *f, int reg)
{
    f->exposed[reg] = true;
}

/* What is blended keeps the lanes that do not take part, so both sides count. */
static void expose_moves(finder *f, const lucid__lane_moves *moves)
{
    for (int i = 0; i < moves->n; i++) {
        expose(f, moves->at[i].from);
        expose(f, moves->at[i].to);
    }
}

static void expose_slices(finder *f, const lucid__lane_control *c, const lucid__lane_slice *s,
                          int n)
{
    for (int k = 0; k < n; k++) {
        visit_all(f, s[k].slice, s[k].n, expose);
        if (s[k].whole)
            visit_all(f, s[k].whole, s[k].n * c->length, expose);
    }
}

static void read_control(finder *f, const lucid__lane_control *c)
{
    f->starts[c->first] = f->starts[c->end] = true;
    expose_moves(f, &c->enter);
    expose_moves(f, &c->back);
    if (c->prim == LUCID__while) {
        f->starts[c->test] = true;
        expose(f, c->condition);
    }
    if (c->prim == LUCID__while || c->prim == LUCID__cond)
        expose(f, c->active);
    if (c->prim == LUCID__cond)
        expose(f, c->index);
    for (int b = 0; b < c->nbranches; b++) {
        f->starts[c->branches[b].first] = f->starts[c->branches[b].end] = true;
        expose_moves(f, &c->branches[b].out);
    }
    expose_slices(f, c, c->xs, c->nxs);
    expose_slices(f, c, c->ys, c->nys);
}

static void read_in_block(finder *f, int reg)
{
    if (f->seen[reg] != f->block)
        expose(f, reg);
}

static void written_in_block(finder *f, int reg)
{
    f->seen[reg] = f->block;
}

static void find_blocks(finder *f)
{
    const lucid__lane_program *p = f->p;
    f->starts[0] = f->starts[p->once_end] = f->starts[p->begin_end] = true;
    for (int i = 0; i < p->ninstrs; i++)
        if (p->instrs[i].kind == LUCID__LANE_CONTROL)
            read_control(f, &p->controls[p->instrs[i].imm]);
    expose_moves(f, &p->fresh);
    for (int i = 0; i < p->nout; i++)
        if (!p->out[i].stepped)
            visit_all(f, p->out[i].regs, p->out[i].n, expose);
    for (int i = 0; i < p->ninstrs; i++) {
        f->block += f->starts[i];
        visit_reads(f, &p->instrs[i], read_in_block);
        visit_writes(f, &p->instrs[i], written_in_block);
    }
}

static void look_for(finder *f, int reg)
{
    f->found |= reg == f->wanted;
}

/* Whether anything from instruction `at` on may read what the register has there. */
static bool is_live(finder *f, int reg, int at)
{
    enum { FAR = 512 };
    f->wanted = reg;
    for (int i = at; i < f->p->ninstrs && !f->starts[i]; i++) {
        const lucid__lane_instr *in = &f->p->instrs[i];
        f->found = i - at == FAR;
        visit_reads(f, in, look_for);
        if (f->found)
            return true;
        visit_writes(f, in, look_for);
        if (f->found)
            return false;
    }
    return f->exposed[reg];
}

/* ---- chains ------------------------------------------------------------------------------------------- */

/* A chain that is being made. Until it is whole, input i is -1 - i and operation j is j. */
typedef struct draft {
    finder *f;
    int nin, nops, nout;
    lucid__chain_port *in, *out;
    lucid__chain_op *ops;
    int *written; /* registers, each as often as it is */
    int nwritten;
} draft;

/* Whether the instruction bodies round a sum and its product once, as chains do: a compiler that hardly optimises
 * rounds twice. (1 + 2^-13)^2 is 1 + 2^-12 and a little, which only one rounding keeps. */
static bool rounds_products_once(void)
{
    enum { LANES = LUCID__LANE_GROUP / sizeof(float) };
    _Alignas(64) float sum[LANES], factor[LANES];
    const void *terms[] = {factor, factor};
    for (int i = 0; i < LANES; i++) {
        sum[i] = -1 - 0x1p-12F;
        factor[i] = 1 + 0x1p-13F;
    }
    const lucid__lane_exec e = {
        .d = sum, .src = {sum}, .vary = {1, 1, 1}, .terms = terms, .imm = 1};
    lucid__lane_isa_get()->products[0](&e, LANES);
    return sum[0] != 0;
}

/* The operations that an instruction is in a chain; 0: it is none for chains. */
static int ops_of(const finder *f, const lucid__lane_instr *in)
{
    const bool is_float = in->dtype == LUCID_FLOAT32 || in->dtype == LUCID_FLOAT64;
    switch ((lucid__lane_kind)in->kind) {
    case LUCID__LANE_ELEMENTWISE:
        return lucid__chain_takes(in->op, (lucid_dtype)in->dtype) && in->op != LUCID__constant;
    case LUCID__LANE_COPY:
        return is_float;
    case LUCID__LANE_TREE2:
        return 2;
    case LUCID__LANE_TREE3:
        return 3;
    case LUCID__LANE_PRODUCTS: {
        int n = f->p->products[in->imm].n;
        return f->products && n <= MOST_PRODUCTS ? n : 0;
    }
    default:
        return 0;
    }
}

static int operand(draft *d, int reg, bool fixed)
{
    if (d->f->made_by[reg] != NOWHERE)
        return d->f->made_by[reg];
    for (int i = 0; i < d->nin; i++)
        if (d->in[i].reg == reg && d->in[i].fixed == fixed)
            return -1 - i;
    d->in[d->nin] = (lucid__chain_port){
        .value = d->nin, .reg = reg, .fixed = fixed, .truth = d->f->p->reg_size[reg] == 1};
    return -1 - d->nin++;
}

static int source(draft *d, const lucid__lane_instr *in, int k)
{
    return operand(d, in->src[k], in->same >> k & 1);
}

static int add_op(draft *d, int op, int a, int b, int c)
{
    d->ops[d->nops] = (lucid__chain_op){.op = (uint16_t)op, .src = {a, b, c}};
    return d->nops++;
}

static int add_arithmetic(draft *d, int64_t which, int a, int b)
{
    static const uint16_t ops[] = {[LUCID__LANE_ADD] = LUCID__add,
                                   [LUCID__LANE_SUB] = LUCID__sub,
                                   [LUCID__LANE_MUL] = LUCID__mul,
                                   [LUCID__LANE_SUB_FROM] = LUCID__sub};
    return which == LUCID__LANE_SUB_FROM ? add_op(d, ops[which], b, a, 0)
                                         : add_op(d, ops[which], a, b, 0);
}

static int add_products(draft *d, const lucid__lane_instr *in)
{
    const lucid__lane_products *sum = &d->f->p->products[in->imm];
    int total = source(d, in, 0);
    for (int k = 0; k < sum->n; k++) {
        int x = operand(d, sum->regs[2 * k], sum->first_same);
        int y = operand(d, sum->regs[2 * k + 1], sum->second_same);
        total = add_op(d, LUCID__CHAIN_ADD_PRODUCT, total, x, y);
    }
    return total;
}

static int add_elementwise(draft *d, const lucid__lane_instr *in)
{
    int src[3] = {0};
    for (int k = 0; k < sources_of(d->f->p, in); k++)
        src[k] = source(d, in, k);
    int made = add_op(d, in->kind == LUCID__LANE_COPY ? (int)LUCID__CHAIN_COPY : in->op, src[0],
                      src[1], src[2]);
    d->ops[made].imm = in->imm;
    return made;
}

static void add_instr(draft *d, const lucid__lane_instr *in)
{
    const int64_t f = in->imm & 3, g = in->imm >> 2 & 3, h = in->imm >> 4 & 3;
    int made;
    if (in->kind == LUCID__LANE_TREE2 || in->kind == LUCID__LANE_TREE3) {
        int a = source(d, in, 0), b = source(d, in, 1), c = source(d, in, 2);
        int x = in->kind == LUCID__LANE_TREE3 ? source(d, in, 3) : 0;
        made = add_arithmetic(d, f, a, b);
        if (in->kind == LUCID__LANE_TREE3)
            c = add_arithmetic(d, h, c, x);
        made = add_arithmetic(d, g, made, c);
    } else if (in->kind == LUCID__LANE_PRODUCTS) {
        made = add_products(d, in);
    } else {
        made = add_elementwise(d, in);
    }
    d->f->made_by[in->dst] = made;
    d->written[d->nwritten++] = in->dst;
}

/* Registers that are read behind the chain, each once; forgets who made what. */
static void add_outputs(draft *d, int end)
{
    for (int i = 0; i < d->nwritten; i++) {
        int reg = d->written[i], made = d->f->made_by[reg];
        if (made != NOWHERE && is_live(d->f, reg, end))
            d->out[d->nout++] = (lucid__chain_port){
                .value = made, .reg = reg, .truth = d->f->p->reg_size[reg] == 1};
        d->f->made_by[reg] = NOWHERE;
    }
    for (int i = 0; i < d->nops; i++)
        for (int k = 0; k < lucid__chain_operands(d->ops[i].op); k++) {
            int *src = &d->ops[i].src[k];
            *src = *src < 0 ? -1 - *src : d->nin + *src;
        }
    for (int i = 0; i < d->nout; i++)
        d->out[i].value += d->nin;
}

/* Instructions first .. first + n - 1 as one chain. False: out of memory. */
static bool make_chain(finder *f, int first, int n, int nops, lucid__chain *c)
{
    const size_t most = 3 * (size_t)nops + 1;
    draft d = {.f = f,
               .in = lucid__arena_alloc(f->to->chains.arena, most * sizeof *d.in),
               .out = lucid__arena_alloc(f->to->chains.arena, (size_t)n * sizeof *d.out),
               .ops = lucid__arena_alloc(f->to->chains.arena, (size_t)nops * sizeof *d.ops),
               .written = lucid__arena_alloc(f->scratch, (size_t)n * sizeof *d.written)};
    if (!d.in || !d.out || !d.ops || !d.written)
        return false;
    lucid_dtype dtype = LUCID_FLOAT32;
    for (int i = first; i < first + n; i++) {
        add_instr(&d, &f->p->instrs[i]);
        if (f->p->instrs[i].dtype != LUCID_BOOL)
            dtype = (lucid_dtype)f->p->instrs[i].dtype;
    }
    add_outputs(&d, first + n);
    *c = (lucid__chain){.dtype = dtype,
                        .nin = d.nin,
                        .nops = d.nops,
                        .nout = d.nout,
                        .in = d.in,
                        .out = d.out,
                        .ops = d.ops};
    return true;
}

/* How many instructions from `at` on are for one chain, and the operations of each. */
static int longest(const finder *f, int at, int *ops)
{
    int n = 0, all = 0, dtype = LUCID_BOOL;
    for (int i = at; i < f->p->ninstrs && (i == at || !f->starts[i]); i++, n++) {
        const lucid__lane_instr *in = &f->p->instrs[i];
        ops[n] = ops_of(f, in);
        all += ops[n];
        bool other = in->dtype != LUCID_BOOL && dtype != LUCID_BOOL && in->dtype != dtype;
        if (ops[n] == 0 || other || all > MOST_OPS)
            break;
        dtype = in->dtype != LUCID_BOOL ? in->dtype : dtype;
    }
    return n;
}

/* All chains behind what runs once. */
static bool find_chains(finder *f)
{
    int ops[MOST_OPS + 1];
    for (int at = f->p->once_end; at < f->p->ninstrs;) {
        int n = longest(f, at, ops), made = 1;
        for (; n > 0; n /= 2) {
            int all = 0;
            for (int i = 0; i < n; i++)
                all += ops[i];
            lucid__chain *c = &f->to->chains.at[f->to->chains.n].chain;
            if (all < 2)
                break;
            if (!make_chain(f, at, n, all, c))
                return false;
            if (!lucid__chain_has_code(&f->to->chains, c))
                continue;
            f->first[f->to->chains.n] = at;
            f->count[f->to->chains.n++] = n;
            made = n;
            break;
        }
        at += made;
    }
    return f->to->chains.n > 0;
}

static bool make(finder *f)
{
    const size_t n = (size_t)f->p->ninstrs + 1, regs = (size_t)f->p->nregs + 1;
    f->starts = lucid__arena_alloc(f->scratch, n * sizeof *f->starts);
    f->exposed = lucid__arena_alloc(f->scratch, regs * sizeof *f->exposed);
    f->seen = lucid__arena_alloc(f->scratch, regs * sizeof *f->seen);
    f->made_by = lucid__arena_alloc(f->scratch, regs * sizeof *f->made_by);
    f->first = lucid__arena_alloc(f->to->chains.arena, n * sizeof *f->first);
    f->count = lucid__arena_alloc(f->to->chains.arena, n * sizeof *f->count);
    f->to->chains.at = lucid__arena_alloc(f->to->chains.arena, n * sizeof *f->to->chains.at);
    if (!f->starts || !f->exposed || !f->seen || !f->made_by || !f->first || !f->count ||
        !f->to->chains.at)
        return false;
    for (size_t r = 0; r < regs; r++)
        f->made_by[r] = NOWHERE;
    f->to->first = f->first;
    f->to->count = f->count;
    f->products = rounds_products_once();
    find_blocks(f);
    return find_chains(f);
}

static bool find(lucid__lane_native *native, const lucid__lane_program *p)
{
    finder f = {.p = p, .to = native, .scratch = lucid__arena_new()};
    bool ok = f.scratch && make(&f);
    lucid__arena_free(f.scratch);
    return ok;
}

lucid__lane_native *lucid__lane_native_new(const lucid__lane_program *p)
{
    if (p->ninstrs == 0 || p->ninstrs > MOST_INSTRS)
        return NULL;
    lucid__lane_native *native = lucid__calloc(1, sizeof *native);
    if (native && lucid__chains_begin(&native->chains) && find(native, p) &&
        lucid__chains_write(&native->chains))
        return native;
    lucid__lane_native_free(native);
    return NULL;
}

void lucid__lane_native_free(lucid__lane_native *native)
{
    if (!native)
        return;
    lucid__chains_free(&native->chains);
    lucid__free(native);
}
