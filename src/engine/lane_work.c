/* How much lane programs compute. */
#include "base/dtype.h"
#include "engine/work.h"

static lucid__view matrix_view(lucid_dtype dtype, int64_t m, int64_t n)
{
    lucid__view v = {.dtype = dtype, .shape = {2, {m, n}}};
    lucid__strides(&v.shape, v.stride);
    return v;
}

/* As much as the kernel takes for one matrix. */
static double matrix_flops(const lucid__lane_matrix *x, lucid_dtype dtype,
                           const lucid__backend *backend)
{
    lucid__work_rule *rule = backend->kernels[x->prim].work;
    const lucid__view in[2] = {matrix_view(dtype, x->m, x->n), matrix_view(dtype, x->n, x->k)};
    const lucid__view out = in[0];
    const lucid__kernel_args args = {.nin = x->b ? 2 : 1, .in = in, .out = &out};
    return rule ? rule(&args).flops : 0;
}

static double range_flops(const lucid__lane_program *p, int first, int end,
                          const lucid__backend *backend);

/* A scan's steps; one iteration of a while, whose number nobody knows; the branch that takes most. */
static double control_flops(const lucid__lane_program *p, const lucid__lane_control *c,
                            const lucid__backend *backend)
{
    double most = 0;
    if (c->prim == LUCID__scan)
        return (double)c->length * range_flops(p, c->first, c->end, backend);
    if (c->prim == LUCID__while)
        return range_flops(p, c->first, c->end, backend);
    for (int b = 0; b < c->nbranches; b++) {
        double flops = range_flops(p, c->branches[b].first, c->branches[b].end, backend);
        most = flops > most ? flops : most;
    }
    return most;
}

static double instr_flops(const lucid__lane_program *p, const lucid__lane_instr *in,
                          const lucid__backend *backend)
{
    switch ((lucid__lane_kind)in->kind) {
    case LUCID__LANE_ELEMENTWISE:
        return lucid__computes(in->op, in->dtype);
    case LUCID__LANE_PRODUCTS:
        return 2.0 * p->products[in->imm].n;
    case LUCID__LANE_TREE2:
        return 2;
    case LUCID__LANE_TREE3:
        return 3;
    case LUCID__LANE_MATRIX:
        return matrix_flops(&p->matrices[in->imm], (lucid_dtype)in->dtype, backend);
    case LUCID__LANE_CONTROL:
        return control_flops(p, &p->controls[in->imm], backend);
    default:
        return 0;
    }
}

/* Of one lane. What a control repeats or chooses follows it. */
static double range_flops(const lucid__lane_program *p, int first, int end,
                          const lucid__backend *backend)
{
    double flops = 0;
    for (int i = first; i < end; i++) {
        flops += instr_flops(p, &p->instrs[i], backend);
        if (p->instrs[i].kind == LUCID__LANE_CONTROL)
            i = p->controls[p->instrs[i].imm].end - 1;
    }
    return flops;
}

double lucid__lane_flops(const lucid__lane_program *p, const lucid__backend *backend)
{
    double lanes = p->lanes == LUCID__NO_LANES ? 1 : (double)p->lanes;
    return range_flops(p, 0, p->once_end, backend) +
           lanes * range_flops(p, p->once_end, p->ninstrs, backend);
}
