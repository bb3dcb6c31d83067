/* The chains of a program: in which order operations follow each other, where chains end, and the program that
 * has them. */
#include <string.h>

#include "cpu/native.h"
#include "prim/prim.h"

enum { LEAST_CHAIN = 2, NOWHERE = -1 };

/* An operation of the program, one of a pair each. Its operands and its result are values: first those of the
 * loads, then one for each operation. */
typedef struct op {
    lucid__instr instr;
    int src[3], nsrc;
    uint16_t over;
    bool native, done;
    int item;
} op;

/* One operation, or a chain. */
typedef struct item {
    int first, n; /* in the order of execution */
    int chain;    /* its number; NOWHERE: an operation */
} item;

typedef struct maker {
    const lucid__program *p;
    lucid__native *to;
    lucid__arena *scratch;
    int nops, nitems, nvalues;
    op *ops;
    int *order; /* the operations, as they are executed */
    item *items;
    /* Of each value: */
    uint8_t *dtype;
    bool *stored;
    int *last, *reg; /* the last item that reads it; its register */
    uint16_t *over;
} maker;

/* ---- operations ----------------------------------------------------------------------------------- */

static int value_of(const maker *k, int at)
{
    return k->p->nloads + at;
}

static uint8_t result_dtype(const lucid__instr *in)
{
    if (in->op == LUCID__cast)
        return in->to;
    return lucid__chain_gives_truth(in->op) ? LUCID_BOOL : in->dtype;
}

static bool is_native(const maker *k, const op *o)
{
    const uint16_t all = (uint16_t)((1u << k->p->ndim) - 1);
    bool native = lucid__chain_takes(o->instr.op, (lucid_dtype)o->instr.dtype) && o->over == all;
    for (int i = 0; i < o->nsrc; i++)
        native = native && k->over[o->src[i]] == all;
    return native;
}

static int add_op(maker *k, const lucid__instr *in, int op_id, const int *src, int nsrc,
                  uint16_t over)
{
    op *o = &k->ops[k->nops];
    int value = value_of(k, k->nops++);
    *o = (op){.instr = *in, .nsrc = nsrc, .over = over};
    o->instr.op = (uint16_t)op_id;
    o->instr.then = 0;
    memcpy(o->src, src, (size_t)nsrc * sizeof *src);
    k->over[value] = over;
    k->dtype[value] = result_dtype(&o->instr);
    o->native = is_native(k, o);
    return value;
}

/* Of the first operation of an instruction. */
static int operands_of(const lucid__program *p, const lucid__instr *in)
{
    if (in->op == LUCID__gather)
        return p->tables[in->imm].n;
    bool source = in->op == LUCID__iota || in->op == LUCID__constant;
    return source ? 0 : lucid__prim_get((lucid__prim_id)in->op)->nin;
}

/* The program in values; a pair as two operations. */
static void list_ops(maker *k)
{
    const lucid__program *p = k->p;
    int now[LUCID__MAX_REGISTERS]; /* the value that each register has */
    for (int i = 0; i < p->nloads; i++) {
        now[i] = i;
        k->dtype[i] = p->loads[i].dtype;
        k->over[i] = p->over[i];
    }
    for (int i = 0; i < p->ninstrs; i++) {
        const lucid__instr *in = &p->instrs[i];
        int src[3], n = operands_of(p, in);
        for (int j = 0; j < n; j++)
            src[j] = now[in->src[j]];
        int value = add_op(k, in, in->op, src, n, p->over[in->dst]);
        if (in->then) {
            int two = lucid__prim_get((lucid__prim_id)in->then)->nin;
            int operands[2] = {value, two == 2 ? now[in->src[n]] : 0};
            if (in->turned) {
                operands[0] = operands[1];
                operands[1] = value;
            }
            value = add_op(k, in, in->then, operands, two, p->over[in->dst]);
        }
        now[in->dst] = value;
    }
    for (int i = 0; i < p->nstores; i++) {
        k->reg[i] = now[p->stores[i].reg]; /* for a while: the value of each store */
        k->stored[k->reg[i]] = true;
    }
}

/* ---- order ------------------------------------------------------------------------------------------ */

static op *producer(const maker *k, int value)
{
    return value < k->p->nloads ? NULL : &k->ops[value - k->p->nloads];
}

static bool is_ready(const maker *k, const op *o)
{
    for (int i = 0; i < o->nsrc; i++) {
        const op *from = producer(k, o->src[i]);
        if (from && !from->done)
            return false;
    }
    return true;
}

/* Marks, among what is not done, the chain operations that the next others wait for. False: no others are
 * left. */
static bool mark_needed(const maker *k, bool *waits, bool *needed)
{
    bool left = false;
    for (int i = 0; i < k->nops; i++) {
        const op *o = &k->ops[i];
        waits[i] = needed[i] = false;
        for (int j = 0; !o->done && j < o->nsrc; j++) {
            const op *from = producer(k, o->src[j]);
            waits[i] |= from && !from->done && (!from->native || waits[from - k->ops]);
        }
        needed[i] = !o->done && !o->native && !waits[i];
        left |= needed[i];
    }
    for (int i = k->nops - 1; i >= 0; i--)
        for (int j = 0; needed[i] && j < k->ops[i].nsrc; j++) {
            const op *from = producer(k, k->ops[i].src[j]);
            if (from && !from->done)
                needed[from - k->ops] = true;
        }
    return left;
}

/* All that is no chain operation as soon as it can be; chain operations as late as others allow, so that they
 * are many in a row. */
static bool put_in_order(maker *k)
{
    bool *waits = lucid__arena_alloc(k->scratch, 2 * (size_t)k->nops * sizeof *waits);
    if (!waits)
        return false;
    bool *needed = waits + k->nops;
    for (int n = 0; n < k->nops;) {
        for (int i = 0; i < k->nops; i++)
            if (!k->ops[i].done && !k->ops[i].native && is_ready(k, &k->ops[i])) {
                k->ops[i].done = true;
                k->order[n++] = i;
            }
        bool others = mark_needed(k, waits, needed);
        for (int i = 0; i < k->nops; i++)
            if (!k->ops[i].done && k->ops[i].native && (needed[i] || !others)) {
                k->ops[i].done = true;
                k->order[n++] = i;
            }
    }
    return true;
}

/* ---- chains ------------------------------------------------------------------------------------------- */

static const op *ordered(const maker *k, int at)
{
    return &k->ops[k->order[at]];
}

/* Whether anything outside the operations first .. first + n - 1 of the order reads the value. */
static bool leaves(const maker *k, int value, int first, int n)
{
    if (k->stored[value])
        return true;
    for (int i = first + n; i < k->nops; i++)
        for (int j = 0; j < ordered(k, i)->nsrc; j++)
            if (ordered(k, i)->src[j] == value)
                return true;
    return false;
}

static int add_input(const maker *k, lucid__chain *c, lucid__chain_port *in, int *value, int from)
{
    for (int i = 0; i < c->nin; i++)
        if (value[i] == from)
            return i;
    value[c->nin] = from;
    in[c->nin] = (lucid__chain_port){.value = c->nin,
                                     .reg = from, /* for a while: the value */
                                     .truth = k->dtype[from] == LUCID_BOOL};
    return c->nin++;
}

/* Ports name values of the program where registers will stand. False: out of memory. */
static bool make_chain(const maker *k, int first, int n, lucid__chain *c)
{
    lucid__arena *arena = k->to->chains.arena;
    lucid__chain_port *in = lucid__arena_alloc(arena, 3 * (size_t)n * sizeof *in);
    lucid__chain_port *out = lucid__arena_alloc(arena, (size_t)n * sizeof *out);
    lucid__chain_op *ops = lucid__arena_alloc(arena, (size_t)n * sizeof *ops);
    int *value = lucid__arena_alloc(k->scratch, 3 * (size_t)n * sizeof *value);
    if (!in || !out || !ops || !value)
        return false;
    *c = (lucid__chain){.dtype = LUCID_FLOAT32, .nops = n, .in = in, .out = out, .ops = ops};
    for (int i = 0; i < n; i++) { /* all inputs first, as they are numbered first */
        const op *o = ordered(k, first + i);
        if (o->instr.dtype != LUCID_BOOL)
            c->dtype = (lucid_dtype)o->instr.dtype;
        for (int j = 0; j < o->nsrc; j++) {
            const op *from = producer(k, o->src[j]);
            if (!from || from->item != k->nitems)
                (void)add_input(k, c, in, value, o->src[j]);
        }
    }
    for (int i = 0; i < n; i++) {
        const op *o = ordered(k, first + i);
        int result = value_of(k, k->order[first + i]);
        ops[i] = (lucid__chain_op){.op = o->instr.op, .imm = o->instr.imm};
        for (int j = 0; j < o->nsrc; j++) {
            int inside = NOWHERE;
            for (int b = 0; b < i && inside == NOWHERE; b++)
                if (value_of(k, k->order[first + b]) == o->src[j])
                    inside = c->nin + b;
            ops[i].src[j] = inside != NOWHERE ? inside : add_input(k, c, in, value, o->src[j]);
        }
        if (leaves(k, result, first, n))
            out[c->nout++] = (lucid__chain_port){
                .value = c->nin + i, .reg = result, .truth = k->dtype[result] == LUCID_BOOL};
    }
    return true;
}

static bool same_dtype(const maker *k, int first, int at)
{
    int dtype = LUCID_BOOL;
    for (int i = first; i <= at; i++) {
        int other = ordered(k, i)->instr.dtype;
        if (other != LUCID_BOOL && dtype != LUCID_BOOL && other != dtype)
            return false;
        dtype = other != LUCID_BOOL ? other : dtype;
    }
    return true;
}

static void add_item(maker *k, int first, int n, int chain)
{
    k->items[k->nitems++] = (item){.first = first, .n = n, .chain = chain};
}

/* The order in items: chains as long as their registers reach. */
static bool cut_chains(maker *k)
{
    for (int at = 0; at < k->nops;) {
        int n = 0;
        while (at + n < k->nops && ordered(k, at + n)->native && same_dtype(k, at, at + n))
            n++;
        for (; n >= LEAST_CHAIN; n /= 2) {
            lucid__made_chain *chain = &k->to->chains.at[k->to->chains.n];
            for (int i = 0; i < n; i++)
                k->ops[k->order[at + i]].item = k->nitems;
            if (!make_chain(k, at, n, &chain->chain))
                return false;
            if (chain->chain.nin + chain->chain.nout <= LUCID__MOST_PORTS &&
                lucid__chain_has_code(&k->to->chains, &chain->chain))
                break;
        }
        bool chained = n >= LEAST_CHAIN;
        n = chained ? n : 1;
        k->ops[k->order[at]].item = k->nitems;
        add_item(k, at, n, chained ? k->to->chains.n++ : NOWHERE);
        at += n;
    }
    return true;
}

/* ---- registers ------------------------------------------------------------------------------------------ */

static void find_last(maker *k)
{
    for (int v = 0; v < k->nvalues; v++)
        k->last[v] = NOWHERE;
    for (int i = 0; i < k->nitems; i++)
        for (int b = 0; b < k->items[i].n; b++) {
            const op *o = ordered(k, k->items[i].first + b);
            for (int j = 0; j < o->nsrc; j++)
                k->last[o->src[j]] = i;
        }
}

static bool can_share(const maker *k, int value)
{
    const uint16_t all = (uint16_t)((1u << k->p->ndim) - 1);
    return value >= k->p->nloads && !k->stored[value] && k->over[value] == all;
}

/* A register that nothing needs any more when this item runs. free_at[r]: the last item that reads it; -2: it
 * is not for sharing. */
static int find_register(maker *k, int value, int at, int *free_at)
{
    lucid__program *g = &k->to->program;
    int r = g->nregs;
    for (int i = k->p->nloads; can_share(k, value) && i < g->nregs; i++)
        if (free_at[i] >= NOWHERE && free_at[i] < at) {
            r = i;
            break;
        }
    if (r == LUCID__MAX_REGISTERS)
        return NOWHERE;
    g->nregs += r == g->nregs;
    g->over[r] = k->over[value];
    int last = k->last[value] > at ? k->last[value] : at;
    free_at[r] = can_share(k, value) ? last : -2;
    return k->reg[value] = r;
}

static uint16_t reg_of(const maker *k, int value)
{
    return (uint16_t)k->reg[value];
}

/* A port from a value to its register. */
static void place_port(maker *k, lucid__chain_port *port)
{
    int value = port->reg;
    port->far = value < k->p->nloads ? !k->p->loads[value].words : k->stored[value];
    port->reg = reg_of(k, value);
    k->to->asks[port->reg] |= port->far;
}

static bool add_chain(maker *k, int at, int *free_at)
{
    lucid__program *g = &k->to->program;
    lucid__chain *c = &k->to->chains.at[k->items[at].chain].chain;
    /* The arrays are this maker's own. */
    lucid__chain_port *in = (lucid__chain_port *)(uintptr_t)c->in;
    lucid__chain_port *out = (lucid__chain_port *)(uintptr_t)c->out;
    for (int i = 0; i < c->nin; i++)
        place_port(k, &in[i]);
    for (int i = 0; i < c->nout; i++) {
        if (find_register(k, out[i].reg, at, free_at) == NOWHERE)
            return false;
        place_port(k, &out[i]);
    }
    uint16_t dst = (uint16_t)out[0].reg;
    g->instrs[g->ninstrs++] = (lucid__instr){.op = LUCID__CHAIN,
                                             .dtype = (uint8_t)c->dtype,
                                             .to = (uint8_t)c->dtype,
                                             .dst = dst,
                                             .src = {dst, dst, dst},
                                             .imm = k->items[at].chain};
    return true;
}

static bool add_single(maker *k, int at, int *free_at)
{
    lucid__program *g = &k->to->program;
    const op *o = ordered(k, k->items[at].first);
    lucid__instr in = o->instr;
    int r = find_register(k, value_of(k, k->order[k->items[at].first]), at, free_at);
    if (r == NOWHERE)
        return false;
    in.dst = (uint16_t)r;
    for (int j = 0; j < 3; j++)
        in.src[j] = j < o->nsrc ? reg_of(k, o->src[j]) : in.dst;
    if (in.op == LUCID__gather)
        g->tables[in.imm].at.reg = in.dst;
    g->instrs[g->ninstrs++] = in;
    return true;
}

static bool write_program(maker *k)
{
    const lucid__program *p = k->p;
    lucid__program *g = &k->to->program;
    lucid__arena *arena = k->to->chains.arena;
    int *free_at = lucid__arena_alloc(k->scratch, LUCID__MAX_REGISTERS * sizeof *free_at);
    int *store_value = lucid__arena_alloc(k->scratch, (size_t)p->nstores * sizeof *store_value);
    *g = *p;
    g->native = k->to;
    g->cut = NULL;
    g->ninstrs = 0;
    g->nregs = p->nloads;
    g->instrs = lucid__arena_alloc(arena, (size_t)k->nitems * sizeof *g->instrs);
    g->stores = lucid__arena_alloc(arena, (size_t)p->nstores * sizeof *g->stores);
    g->tables = lucid__arena_alloc(arena, (size_t)(p->ntables + 1) * sizeof *g->tables);
    g->over = lucid__arena_alloc(arena, LUCID__MAX_REGISTERS * sizeof *g->over);
    k->to->asks = lucid__arena_alloc(arena, LUCID__MAX_REGISTERS * sizeof *k->to->asks);
    if (!free_at || !store_value || !k->to->asks || !g->instrs || !g->stores || !g->tables ||
        !g->over)
        return false;
    for (int i = 0; i < p->ntables; i++)
        g->tables[i] = p->tables[i];
    memcpy(store_value, k->reg, (size_t)p->nstores * sizeof *store_value);
    find_last(k);
    for (int i = 0; i < p->nloads; i++) {
        k->reg[i] = i;
        g->over[i] = p->over[i];
        free_at[i] = -2;
    }
    for (int i = 0; i < k->nitems; i++)
        if (!(k->items[i].chain == NOWHERE ? add_single(k, i, free_at) : add_chain(k, i, free_at)))
            return false;
    for (int i = 0; i < p->nstores; i++) {
        g->stores[i] = p->stores[i];
        g->stores[i].reg = reg_of(k, store_value[i]);
    }
    return true;
}

/* ---- all of it ---------------------------------------------------------------------------------------- */

static bool make(maker *k)
{
    const lucid__program *p = k->p;
    const size_t most = 2 * (size_t)p->ninstrs, values = most + (size_t)p->nloads + 1;
    k->ops = lucid__arena_alloc(k->scratch, most * sizeof *k->ops);
    k->order = lucid__arena_alloc(k->scratch, most * sizeof *k->order);
    k->items = lucid__arena_alloc(k->scratch, most * sizeof *k->items);
    k->dtype = lucid__arena_alloc(k->scratch, values * sizeof *k->dtype);
    k->stored = lucid__arena_alloc(k->scratch, values * sizeof *k->stored);
    k->last = lucid__arena_alloc(k->scratch, values * sizeof *k->last);
    k->reg = lucid__arena_alloc(k->scratch, (values + (size_t)p->nstores) * sizeof *k->reg);
    k->over = lucid__arena_alloc(k->scratch, values * sizeof *k->over);
    k->to->chains.at = lucid__arena_alloc(k->to->chains.arena, most * sizeof *k->to->chains.at);
    if (!k->ops || !k->order || !k->items || !k->dtype || !k->stored || !k->last || !k->reg ||
        !k->over || !k->to->chains.at)
        return false;
    list_ops(k);
    k->nvalues = value_of(k, k->nops);
    for (int i = 0; i < k->nops; i++)
        k->ops[i].item = NOWHERE;
    return put_in_order(k) && cut_chains(k) && k->to->chains.n > 0 && write_program(k);
}

bool lucid__native_find_chains(lucid__native *native, const lucid__program *p)
{
    maker k = {.p = p, .to = native, .scratch = lucid__arena_new()};
    bool ok = k.scratch && make(&k);
    lucid__arena_free(k.scratch);
    return ok;
}
