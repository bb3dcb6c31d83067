#include "cpu/lane_machine.h"

#include <string.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "cpu/native_lanes.h"

/* ---- bodies --------------------------------------------------------------------------------------- */

static void run_body(const lucid__lane_exec *e, int64_t n)
{
    e->body(e->d, e->src[0], e->src[1], e->src[2], n, e->imm);
}

#define COPY_AND_FILL(size, T) \
    static void copy##size(const lucid__lane_exec *e, int64_t n) \
    { \
        memcpy(e->d, e->src[0], (size_t)n * sizeof(T)); \
    } \
    static void fill##size(const lucid__lane_exec *e, int64_t n) \
    { \
        T *to = e->d; \
        for (int64_t i = 0; i < n; i++) \
            to[i] = (T)(uint64_t)e->imm; \
    }
COPY_AND_FILL(1, uint8_t)
COPY_AND_FILL(4, uint32_t)
COPY_AND_FILL(8, uint64_t)

static lucid__lane_body *const copies[9] = {[1] = copy1, [4] = copy4, [8] = copy8};
static lucid__lane_body *const fills[9] = {[1] = fill1, [4] = fill4, [8] = fill8};

static void where_bool(const lucid__lane_exec *e, int64_t n)
{
    lucid__bodies_get()->op[LUCID__where][LUCID_BOOL](e->d, e->src[0], e->src[1], e->src[2], n, 0);
}

static void philox(const lucid__lane_exec *e, int64_t n)
{
    enum { TILE = LUCID__PHILOX_TILE };
    const int64_t *seed = e->src[0], *draw = e->src[1], *lane = e->src[2];
    char *to = e->d;
    lucid__philox_tile t;
    memset(&t, 0, sizeof t);
    for (int64_t first = 0; first < n; first += TILE) {
        int64_t count = n - first < TILE ? n - first : TILE;
        for (int64_t i = 0; i < count; i++) {
            uint32_t counter[4];
            lucid__philox_counter((uint32_t)e->imm, (uint64_t)draw[first + i],
                                  (uint64_t)lane[first + i], counter);
            for (int k = 0; k < 4; k++)
                t.counter[k][i] = counter[k];
            t.key[0][i] = (uint32_t)(uint64_t)seed[first + i];
            t.key[1][i] = (uint32_t)((uint64_t)seed[first + i] >> 32);
        }
        lucid__bodies_get()->philox(&t);
        memcpy(to + 16 * first, t.word, 16 * (size_t)count);
    }
}

static void word(const lucid__lane_exec *e, int64_t n)
{
    const uint32_t *from = (const uint32_t *)e->src[0] + e->imm;
    uint32_t *to = e->d;
    for (int64_t i = 0; i < n; i++)
        to[i] = from[4 * i];
}

/* Registers are as long as whole vectors. */
static void run_chain(const lucid__lane_exec *e, int64_t n)
{
    void *const *table = (void *const *)e->terms;
    e->chain->run(table, (n + e->imm - 1) / e->imm * e->imm, table);
}

static void choose_body(const lucid__lane_machine *m, const lucid__lane_instr *in,
                        lucid__lane_exec *e)
{
    const lucid__bodies *bodies = lucid__bodies_get();
    size_t size = lucid_dtype_size((lucid_dtype)in->dtype);
    int is_double = in->dtype == LUCID_FLOAT64;
    int64_t f = in->imm & 3, g = in->imm >> 2 & 3, h = in->imm >> 4 & 3;
    switch ((lucid__lane_kind)in->kind) {
    case LUCID__LANE_COPY:
        e->run = copies[size];
        break;
    case LUCID__LANE_FILL:
        e->run = fills[size];
        break;
    case LUCID__LANE_PRODUCTS:
        e->run = m->isa->products[is_double];
        break;
    case LUCID__LANE_TREE2:
        e->run = m->isa->tree2[is_double][f][g];
        break;
    case LUCID__LANE_TREE3:
        e->run = m->isa->tree3[is_double][f][g][h];
        break;
    case LUCID__LANE_PHILOX:
        e->run = philox;
        break;
    case LUCID__LANE_WORD:
        e->run = word;
        break;
    case LUCID__LANE_PICK:
    case LUCID__LANE_MATRIX:
    case LUCID__LANE_CONTROL:
        break;
    default:
        e->run = m->isa->op[in->op][in->dtype];
        e->body =
            in->op == LUCID__cast ? bodies->cast[in->dtype][in->to] : bodies->op[in->op][in->dtype];
        if (!e->run)
            e->run = run_body;
        break;
    }
}

/* ---- machines ------------------------------------------------------------------------------------ */

static void resolve(lucid__lane_machine *m)
{
    const lucid__lane_program *p = m->program;
    const void **term = m->terms;
    for (int i = 0; i < p->ninstrs; i++) {
        const lucid__lane_instr *in = &p->instrs[i];
        lucid__lane_exec *e = &m->code[i];
        *e = (lucid__lane_exec){.d = m->reg[in->dst], .imm = in->imm};
        for (int k = 0; k < LUCID__LANE_SOURCES; k++) {
            e->src[k] = m->reg[in->src[k]];
            e->vary[k] = !(in->same >> k & 1);
        }
        choose_body(m, in, e);
        if (in->kind == LUCID__LANE_PRODUCTS) {
            const lucid__lane_products *sum = &p->products[in->imm];
            e->terms = term;
            e->imm = sum->n;
            e->vary[1] = !sum->first_same;
            e->vary[2] = !sum->second_same;
            for (int k = 0; k < 2 * sum->n; k++)
                *term++ = m->reg[sum->regs[k]];
        }
        if (in->kind == LUCID__LANE_MATRIX) {
            e->terms = term;
            term = lucid__lane_matrix_resolve(m, &p->matrices[in->imm], term);
        }
    }
    const lucid__lane_native *native = lucid__native_after == INT64_MAX ? NULL : p->native;
    for (int i = 0; native && i < native->chains.n; i++) {
        lucid__lane_exec *e = &m->code[native->first[i]];
        e->run = run_chain;
        e->chain = &native->chains.at[i];
        e->skip = native->count[i] - 1;
        e->imm = lucid__chain_width(native->chains.wide, e->chain->chain.dtype);
        e->terms = (const void *const *)(const void *)m->reg;
    }
    m->blend[1] = where_bool;
    m->blend[4] = m->isa->op[LUCID__where][LUCID_INT32];
    m->blend[8] = m->isa->op[LUCID__where][LUCID_INT64];
}

/* Registers lie a line more than their lanes apart: a power of two would put them on the same lines of the
 * cache. */
static size_t reg_bytes(const lucid__lane_machine *m, int reg)
{
    const size_t group = LUCID__LANE_GROUP;
    size_t lanes = (size_t)m->capacity * m->program->reg_size[reg];
    return (lanes + group - 1) / group * group + group / 2;
}

bool lucid__lane_machine_init(lucid__lane_machine *m, const lucid__lane_program *p,
                              const lucid__view *in, const lucid__view *out, int64_t capacity)
{
    *m = (lucid__lane_machine){.program = p, .isa = lucid__lane_isa_get(), .capacity = capacity};
    size_t bytes = 2 * LUCID__LANE_GROUP; /* to align, and behind the shortest */
    bytes += lucid__lane_matrix_scratch(p);
    for (int r = 0; r < p->nregs; r++)
        bytes += reg_bytes(m, r);
    m->memory = lucid__calloc(1, bytes);
    m->reg = lucid__malloc((size_t)(p->nregs + 1) * sizeof *m->reg);
    m->code = lucid__malloc((size_t)(p->ninstrs + 1) * sizeof *m->code);
    size_t terms = 1;
    for (int k = 0; k < p->nproducts; k++)
        terms += 2 * (size_t)p->products[k].n;
    for (int k = 0; k < p->nmatrices; k++)
        terms += lucid__lane_matrix_registers(&p->matrices[k]);
    m->terms = lucid__malloc(terms * sizeof *m->terms);
    m->in = lucid__malloc((size_t)(p->nin + p->nout + 1) * sizeof *m->in);
    if (!m->memory || !m->reg || !m->code || !m->terms || !m->in)
        return false;
    m->out = m->in + p->nin;
    char *at = m->memory + (64 - (uintptr_t)m->memory % 64);
    for (int r = 0; r < p->nregs; r++) {
        m->reg[r] = at;
        at += reg_bytes(m, r);
    }
    m->scratch = at;
    resolve(m);
    if (!lucid__lane_ports_init(m, in, out))
        return false;
    for (int i = 0; i < p->nin; i++)
        if (p->lanes >= 0 && !p->in[i].per_lane && !p->in[i].stepped)
            lucid__lane_port_load(m, &m->in[i], 0, capacity);
    lucid__lane_machine_run(m, 0, p->once_end, capacity, NULL);
    return true;
}

void lucid__lane_machine_free(lucid__lane_machine *m)
{
    lucid__free(m->memory);
    lucid__free(m->reg);
    lucid__free(m->code);
    lucid__free(m->terms);
    lucid__free(m->in);
    lucid__free(m->tables);
}

void lucid__lane_machine_begin(lucid__lane_machine *m, int64_t first, int64_t n)
{
    const lucid__lane_program *p = m->program;
    m->first = first;
    for (int i = 0; i < p->nin; i++)
        if ((p->lanes < 0 || p->in[i].per_lane) && !p->in[i].stepped)
            lucid__lane_port_load(m, &m->in[i], first, n);
    lucid__lane_machine_run(m, p->once_end, p->begin_end, n, NULL);
}

/* ---- running --------------------------------------------------------------------------------------- */

void lucid__lane_machine_moves(lucid__lane_machine *m, const lucid__lane_moves *moves, int64_t n)
{
    for (int i = 0; i < moves->n; i++) {
        const lucid__lane_move *move = &moves->at[i];
        memcpy(m->reg[move->to], m->reg[move->from], (size_t)n * m->program->reg_size[move->to]);
    }
}

/* Only for the lanes with a mask. */
static void blend(lucid__lane_machine *m, const lucid__lane_moves *moves, int64_t n,
                  const bool *mask)
{
    for (int i = 0; i < moves->n; i++) {
        char *to = m->reg[moves->at[i].to];
        const lucid__lane_exec e = {
            .d = to, .src = {mask, m->reg[moves->at[i].from], to}, .vary = {1, 1, 1}};
        m->blend[m->program->reg_size[moves->at[i].to]](&e, n);
    }
}

static void both(bool *to, const bool *with, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] &= with[i];
}

static bool any(const bool *mask, int64_t n)
{
    return memchr(mask, 1, (size_t)n) != NULL;
}

/* Iterations of few lanes and instructions are so short that looking for an interruption would show. */
int lucid__lane_machine_patience(const lucid__lane_machine *m, int64_t n)
{
    enum { LONG = 1 << 14, SOME = 63 };
    return m->program->work * (double)n > LONG ? 0 : SOME;
}

/* All lanes that the mask names go on until each of them is done. */
static void run_while(lucid__lane_machine *m, const lucid__lane_control *c, int64_t n,
                      const bool *mask)
{
    bool *active = (bool *)m->reg[c->active];
    const bool *condition = (const bool *)m->reg[c->condition];
    lucid__lane_machine_moves(m, &c->enter, n);
    if (mask)
        memcpy(active, mask, (size_t)n);
    else
        memset(active, 1, (size_t)n);
    const int patience = lucid__lane_machine_patience(m, n);
    for (int i = 0; (i & patience) != 0 || !lucid__stop(); i++) {
        lucid__lane_machine_run(m, c->first, c->test, n, active);
        both(active, condition, n);
        if (!any(active, n))
            return;
        lucid__lane_machine_run(m, c->test, c->end, n, active);
        blend(m, &c->back, n, active);
    }
}

/* The slice of step t between registers. */
static void copy_slice(lucid__lane_machine *m, const lucid__lane_slice *s, int64_t t, int64_t n,
                       bool load)
{
    for (int64_t j = 0; j < s->n; j++) {
        int slice = s->slice[j], whole = s->whole[t * s->n + j];
        if (slice < 0)
            continue;
        memcpy(m->reg[load ? slice : whole], m->reg[load ? whole : slice],
               (size_t)n * m->program->reg_size[slice]);
    }
}

static void run_scan(lucid__lane_machine *m, const lucid__lane_control *c, int64_t n,
                     const bool *mask)
{
    const int patience = lucid__lane_machine_patience(m, n);
    lucid__lane_machine_moves(m, &c->enter, n);
    for (int64_t done = 0; done < c->length; done++) {
        if ((done & patience) == 0 && done > 0 && lucid__stop())
            return;
        int64_t t = c->reverse ? c->length - 1 - done : done;
        for (int k = 0; k < c->nxs; k++)
            if (c->xs[k].whole)
                copy_slice(m, &c->xs[k], t, n, true);
            else
                lucid__lane_load_step(m, c, &c->xs[k], done, n);
        lucid__lane_machine_run(m, c->first, c->end, n, mask);
        for (int k = 0; k < c->nys; k++)
            if (c->ys[k].whole)
                copy_slice(m, &c->ys[k], t, n, false);
            else
                lucid__lane_store_step(m, c, &c->ys[k], done, n);
        lucid__lane_machine_moves(m, &c->back, n);
    }
}

/* Branch by branch, those that some lane takes; each lane gets the results of its own. */
static void run_cond(lucid__lane_machine *m, const lucid__lane_control *c, int64_t n,
                     const bool *mask)
{
    bool *active = (bool *)m->reg[c->active];
    const int64_t *index = (const int64_t *)(const void *)m->reg[c->index];
    const int64_t last = c->nbranches - 1;
    for (int64_t b = 0; b <= last; b++) {
        const lucid__lane_branch *branch = &c->branches[b];
        for (int64_t i = 0; i < n; i++) {
            int64_t k = index[i] < 0 ? 0 : index[i] > last ? last : index[i];
            active[i] = k == b;
        }
        if (mask)
            both(active, mask, n);
        if (!any(active, n))
            continue;
        lucid__lane_machine_run(m, branch->first, branch->end, n, active);
        blend(m, &branch->out, n, active);
    }
}

/* Where in the table lane i points; a lane that does not take part may point anywhere. */
static int64_t place_in(lucid__lane_machine *m, const lucid__lane_exec *e,
                        const lucid__lane_table *t, int64_t i, bool counts)
{
    int64_t at = 0;
    for (int d = 0; d < t->ndim; d++) {
        int64_t index = ((const int64_t *)e->src[d])[i], k = index < 0 ? index + t->dim[d] : index;
        if (k < 0 || k >= t->dim[d]) {
            if (counts && !m->bad_table) {
                m->bad_table = t;
                m->bad_index = index;
                m->bad_dim = d;
            }
            return -1;
        }
        at = at * t->dim[d] + k;
    }
    return at;
}

static void pick(lucid__lane_machine *m, const lucid__lane_exec *e, const lucid__lane_instr *in,
                 int64_t n, const bool *mask)
{
    const lucid__lane_table *t = &m->program->tables[in->imm];
    size_t size = m->program->reg_size[in->dst];
    bool varies = false;
    for (int d = 0; d < t->ndim; d++)
        varies |= e->vary[d] != 0;
    if (!varies) { /* the same register for all lanes */
        int64_t at = place_in(m, e, t, 0, !mask || any(mask, n));
        if (at < 0)
            memset(e->d, 0, (size_t)n * size);
        else
            memcpy(e->d, m->reg[t->regs[at]], (size_t)n * size);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t at = place_in(m, e, t, i, !mask || mask[i]);
        char *to = (char *)e->d + (size_t)i * size;
        if (at < 0)
            memset(to, 0, size);
        else
            memcpy(to, m->reg[t->regs[at]] + (size_t)i * size, size);
    }
}

void lucid__lane_machine_run(lucid__lane_machine *m, int from, int end, int64_t n, const bool *mask)
{
    const lucid__lane_exec *code = m->code;
    for (int i = from; i < end; i++) {
        if (code[i].run) {
            code[i].run(&code[i], n);
            i += code[i].skip;
            continue;
        }
        const lucid__lane_instr *in = &m->program->instrs[i];
        if (in->kind == LUCID__LANE_PICK) {
            pick(m, &code[i], in, n, mask);
            continue;
        }
        if (in->kind == LUCID__LANE_MATRIX) {
            lucid__lane_matrix_run(m, &code[i], in, n);
            continue;
        }
        const lucid__lane_control *c = &m->program->controls[code[i].imm];
        if (c->prim == LUCID__while)
            run_while(m, c, n, mask);
        else if (c->prim == LUCID__scan)
            run_scan(m, c, n, mask);
        else
            run_cond(m, c, n, mask);
        i = c->end - 1;
    }
}
