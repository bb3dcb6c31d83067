/* Matrices in lane programs: factorisations and solutions of registers, by the loops that batches of matrices
 * have (matrix_lanes.h, matrix_decompose.h), as many lanes at a time as those take. */
#include "cpu/lane_machine.h"
#include "cpu/matrix_isa.h"

size_t lucid__lane_matrix_registers(const lucid__lane_matrix *x)
{
    int64_t n = x->m * x->n + (x->b ? x->n * x->k : 0);
    for (int k = 0; k < x->nout; k++)
        n += x->size[k];
    return (size_t)n;
}

const void **lucid__lane_matrix_resolve(const lucid__lane_machine *m, const lucid__lane_matrix *x,
                                        const void **to)
{
    for (int64_t i = 0; i < x->m * x->n; i++)
        *to++ = m->reg[x->a[i]];
    for (int64_t i = 0; x->b && i < x->n * x->k; i++)
        *to++ = m->reg[x->b[i]];
    for (int k = 0; k < x->nout; k++)
        for (int64_t i = 0; i < x->size[k]; i++)
            *to++ = x->out[k][i] < 0 ? NULL : m->reg[x->out[k][i]];
    return to;
}

static bool decomposes(lucid__prim_id prim)
{
    return prim == LUCID__qr || prim == LUCID__eigh || prim == LUCID__svd ||
           prim == LUCID__eigh_apart || prim == LUCID__svd_apart;
}

size_t lucid__lane_matrix_scratch(const lucid__lane_program *p)
{
    size_t most = 0;
    for (int i = 0; i < p->nmatrices; i++) {
        const lucid__lane_matrix *x = &p->matrices[i];
        size_t bytes =
            decomposes(x->prim) ? lucid__decompose_scratch(x->m, x->n) : lucid__lanes_scratch(x->n);
        most = bytes > most ? bytes : most;
    }
    return most;
}

static lucid__lanes_fn *loops_of(lucid__prim_id prim, int dtype)
{
    const lucid__matrix_isa *isa = lucid__matrix_isa_get();
    switch (prim) {
    case LUCID__cholesky:
        return isa->cholesky[dtype];
    case LUCID__triangular_solve:
        return isa->triangular_solve[dtype];
    case LUCID__lu:
        return isa->lu[dtype];
    case LUCID__qr:
        return isa->qr[dtype];
    case LUCID__eigh:
    case LUCID__eigh_apart:
        return isa->eigh[dtype];
    case LUCID__svd:
    case LUCID__svd_apart:
        return isa->svd[dtype];
    default: /* solve, inv */
        return isa->solve[dtype];
    }
}

/* Gives the outputs their registers; those that can be left out and that nobody reads are. */
static void give_outputs(const lucid__lane_matrix *x, const void *const *at, lucid__lanes *w)
{
    const uint32_t optional = lucid__cpu_backend.kernels[x->prim].optional;
    bool read[4] = {false};
    for (int k = 0; k < x->nout; k++)
        for (int64_t i = 0; i < x->size[k]; i++)
            read[k] |= x->out[k][i] >= 0;
    if (x->prim == LUCID__svd || x->prim == LUCID__svd_apart) /* U and V come together */
        read[0] = read[2] = read[0] || read[2];
    for (int k = 0; k < x->nout; k++) {
        w->out[k] = read[k] || !(optional >> k & 1) ? (void *)(uintptr_t)at : NULL;
        at += x->size[k];
    }
}

void lucid__lane_matrix_run(const lucid__lane_machine *m, const lucid__lane_exec *e,
                            const lucid__lane_instr *in, int64_t n)
{
    const lucid__lane_matrix *x = &m->program->matrices[in->imm];
    const bool inverse = x->prim == LUCID__inv;
    lucid__lanes w = {.m = x->m,
                      .n = x->n,
                      .k = inverse ? x->n : x->k,
                      .count = LUCID__LANE_BYTES / (int)lucid_dtype_size((lucid_dtype)in->dtype),
                      .in_registers = true,
                      .a = e->terms,
                      .b = e->terms + x->m * x->n,
                      .a_row = x->transpose ? 1 : x->n,
                      .a_col = x->transpose ? x->n : 1,
                      .b_row = x->k,
                      .b_col = 1,
                      .upper = x->upper != x->transpose,
                      .unit = x->unit,
                      .b_is_one = inverse,
                      .order = x->order,
                      .scratch = m->scratch};
    give_outputs(x, w.b + (x->b ? x->n * x->k : 0), &w);
    lucid__lanes_fn *run = loops_of(x->prim, in->dtype);
    for (; w.first_lane < n; w.first_lane += w.count)
        run(&w);
}
