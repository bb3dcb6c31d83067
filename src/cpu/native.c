#include "cpu/native.h"

#include <string.h>

#include "base/memory.h"

enum {
    MOST_INSTRS = 1024,
    WIDEST = 64, /* bytes of a vector */
};

lucid__native *lucid__native_new(const lucid__program *p)
{
    if (p->ninstrs == 0 || p->ninstrs > MOST_INSTRS)
        return NULL;
    lucid__native *native = lucid__calloc(1, sizeof *native);
    if (native && lucid__chains_begin(&native->chains) && lucid__native_find_chains(native, p) &&
        lucid__chains_write(&native->chains))
        return native;
    lucid__native_free(native);
    return NULL;
}

void lucid__native_free(lucid__native *native)
{
    if (!native)
        return;
    lucid__chains_free(&native->chains);
    lucid__free(native);
}

/* ---- reading the program ------------------------------------------------------------------------------ */

static int list_ports(const lucid__chain_port *ports, int n, uint16_t *regs)
{
    for (int i = 0; i < n; i++)
        regs[i] = (uint16_t)ports[i].reg;
    return n;
}

int lucid__instr_reads(const lucid__program *p, const lucid__instr *in, uint16_t *regs)
{
    int n = 0;
    if (in->op == LUCID__CHAIN) {
        const lucid__chain *c = &p->native->chains.at[in->imm].chain;
        return list_ports(c->in, c->nin, regs);
    }
    for (int j = 0; j < 3; j++)
        if (in->src[j] != in->dst)
            regs[n++] = in->src[j];
    return n;
}

int lucid__instr_writes(const lucid__program *p, const lucid__instr *in, uint16_t *regs)
{
    if (in->op == LUCID__CHAIN) {
        const lucid__chain *c = &p->native->chains.at[in->imm].chain;
        return list_ports(c->out, c->nout, regs);
    }
    regs[0] = in->dst;
    return 1;
}

/* ---- running ---------------------------------------------------------------------------------------- */

static size_t port_size(const lucid__chain *c, const lucid__chain_port *port)
{
    return port->truth ? 1 : lucid_dtype_size(c->dtype);
}

/* Fewer lanes than a vector has, on copies that are as long. */
static void run_rest(const lucid__made_chain *chain, void *const *table, int64_t done, int64_t rest,
                     int64_t width)
{
    const lucid__chain *c = &chain->chain;
    _Alignas(WIDEST) char near[LUCID__MOST_PORTS][WIDEST];
    void *moved[LUCID__MAX_REGISTERS];
    char(*copy)[WIDEST] = near;
    for (int i = 0; i < c->nin; i++, copy++) {
        size_t size = port_size(c, &c->in[i]);
        const char *from = (const char *)table[c->in[i].reg] + (size_t)done * size;
        memcpy(*copy, from, (size_t)rest * size);
        for (int64_t l = rest; l < width; l++)
            memcpy(*copy + (size_t)l * size, from, size);
        moved[c->in[i].reg] = *copy;
    }
    for (int i = 0; i < c->nout; i++)
        moved[c->out[i].reg] = *copy++;
    chain->run(moved, width, moved);
    for (int i = 0; i < c->nout; i++) {
        size_t size = port_size(c, &c->out[i]);
        memcpy((char *)table[c->out[i].reg] + (size_t)done * size, moved[c->out[i].reg],
               (size_t)rest * size);
    }
}

void lucid__native_run(const lucid__native *native, int64_t number, void *const *table, int64_t n,
                       void *const *next)
{
    const lucid__made_chain *chain = &native->chains.at[number];
    int64_t width = lucid__chain_width(native->chains.wide, chain->chain.dtype), rest = n % width;
    if (n > rest)
        chain->run(table, n - rest, next);
    if (rest > 0)
        run_rest(chain, table, n - rest, rest, width);
}
