#include <string.h>

#include "base/dtype.h"
#include "base/memory.h"
#include "engine/lane_code.h"
#include "prim/custom_call.h"

/* ---- bodies ------------------------------------------------------------------------------------- */

/* Some cells: the elements of a value. */
typedef struct value {
    int64_t n;
    int *cells;
} value;

static value new_value(lucid__lane_code *code, const lucid__aval *aval, int64_t n, int block)
{
    value v = {.n = n};
    if (n < 0 || n > LUCID__MAX_CELLS) {
        if (lucid__lane_ok(code))
            code->why_not = "too many scalars in its bodies";
        return (value){0};
    }
    v.cells = lucid__lane_alloc(code, (size_t)n, sizeof *v.cells);
    for (int64_t i = 0; v.cells && i < n; i++)
        v.cells[i] = lucid__lane_cell_new(code, aval->dtype, block);
    return v;
}

/* One operation of a body. */
static void run_op(lucid__lane_code *code, const lucid__body *body, const lucid__body_op *op,
                   int **values)
{
    for (int k = 0; k < op->nout && lucid__lane_ok(code); k++) {
        int64_t n = lucid__numel(&body->avals[op->first_out + k].shape);
        if (n < 0 || n > LUCID__MAX_CELLS)
            code->why_not = "too many scalars in its bodies";
        else
            values[op->first_out + k] = lucid__lane_alloc(code, (size_t)n, sizeof(int));
    }
    if (lucid__lane_ok(code))
        lucid__lane_apply(code, body, op, values);
}

/* The operations of a body, in the current block; returns the cells of each output. */
static int **run_body(lucid__lane_code *code, const lucid__control_body *b, const value *frame,
                      lucid__body *body)
{
    if (!lucid__lane_ok(code))
        return NULL;
    if (!lucid__body_read(code->s, b->words, body)) {
        code->no_memory = true;
        return NULL;
    }
    int **values = lucid__lane_alloc(code, (size_t)body->nvalues, sizeof(int *));
    int **out = lucid__lane_alloc(code, (size_t)body->nout, sizeof(int *));
    if (!values || !out)
        return NULL;
    for (int i = 0; i < body->nin; i++)
        values[i] = frame[b->from[i]].cells;
    const int64_t *at = body->ops;
    for (int i = 0, v = body->nin; i < body->nops && lucid__lane_ok(code); i++) {
        lucid__body_op op;
        at = lucid__body_op_at(at, &v, &op);
        run_op(code, body, &op, values);
    }
    for (int k = 0; k < body->nout; k++)
        out[k] = values[body->out[k]];
    return lucid__lane_ok(code) ? out : NULL;
}

/* ---- loops and branches ------------------------------------------------------------------------- */

static int count_cells(const value *v, int n)
{
    int64_t total = 0;
    for (int i = 0; i < n; i++)
        total += v[i].n;
    return (int)total;
}

/* Room for the carry; phi in the block of the body, which frame[k] then names. */
static bool begin_carry(lucid__lane_code *code, lucid__lane_part *part, const value *carry, int n,
                        value *frame)
{
    part->ncarry = count_cells(carry, n);
    size_t size = (size_t)part->ncarry;
    part->phi = lucid__lane_alloc(code, size, sizeof(int));
    part->init = lucid__lane_alloc(code, size, sizeof(int));
    part->next = lucid__lane_alloc(code, size, sizeof(int));
    part->result = lucid__lane_alloc(code, size, sizeof(int));
    if (!lucid__lane_ok(code))
        return false;
    int at = 0;
    for (int k = 0; k < n; k++) {
        frame[k] = (value){carry[k].n, part->phi + at};
        for (int64_t j = 0; j < carry[k].n; j++, at++) {
            int init = carry[k].cells[j];
            part->init[at] = init;
            part->phi[at] =
                lucid__lane_cell_new(code, (lucid_dtype)code->cells[init].dtype, part->block);
            if (lucid__lane_ok(code))
                code->cells[part->phi[at]].is_phi = true;
        }
    }
    return lucid__lane_ok(code);
}

static bool is_phi_of(const lucid__lane_part *part, int cell)
{
    for (int i = 0; i < part->ncarry; i++)
        if (part->phi[i] == cell)
            return true;
    return false;
}

/* Takes the carry's next values from outputs of the body. One that is another of the old values is copied
 * first, so that the moves back do not get in each other's way. */
static void end_carry(lucid__lane_code *code, lucid__lane_part *part, int **out, const value *carry,
                      int n)
{
    int at = 0;
    for (int k = 0; k < n; k++)
        for (int64_t j = 0; j < carry[k].n && lucid__lane_ok(code); j++, at++) {
            int next = out[k][j];
            if (next != part->phi[at] && is_phi_of(part, next)) {
                lucid_dtype dtype = (lucid_dtype)code->cells[next].dtype;
                lucid__lane_op copy = {.kind = LUCID__LANE_COPY,
                                       .dtype = (uint8_t)dtype,
                                       .to = (uint8_t)dtype,
                                       .src = {next, -1, -1, -1}};
                copy.dst = lucid__lane_cell_new(code, dtype, code->block);
                lucid__lane_op *p = lucid__lane_append(code, &copy);
                if (p)
                    code->cells[copy.dst].def = p;
                next = copy.dst;
            }
            part->next[at] = next;
        }
}

static lucid__lane_part *new_part(lucid__lane_code *code, lucid__prim_id prim)
{
    lucid__lane_part *part = lucid__lane_alloc(code, 1, sizeof *part);
    if (!part)
        return NULL;
    part->prim = prim;
    part->control = code->ncontrols++;
    part->active = lucid__lane_cell_new(code, LUCID_BOOL, code->block);
    return part;
}

/* The control itself comes after what its bodies put in front of it. */
static void finish_part(lucid__lane_code *code, lucid__lane_part *part, int nresults)
{
    const lucid__lane_op control = {.kind = LUCID__LANE_CONTROL,
                                    .dst = -1,
                                    .src = {-1, -1, -1, -1},
                                    .imm = part->control,
                                    .part = part};
    lucid__lane_op *op = lucid__lane_append(code, &control);
    if (!op)
        return;
    part->nresults = nresults;
    for (int i = 0; i < nresults; i++)
        code->cells[part->result[i]].def = op;
    for (int k = 0; k < part->nys; k++)
        for (int64_t j = 0; part->ys[k].whole && j < part->length * part->ys[k].n; j++)
            code->cells[part->ys[k].whole[j]].def = op;
    code->cells[part->active].def = op;
}

/* After the loop a carry is in the register that it had in it. */
static void carry_results(lucid__lane_code *code, lucid__lane_part *part)
{
    for (int i = 0; i < part->ncarry && lucid__lane_ok(code); i++) {
        lucid_dtype dtype = (lucid_dtype)code->cells[part->phi[i]].dtype;
        part->result[i] = lucid__lane_cell_new(code, dtype, code->block);
        code->cells[part->result[i]].same_as = part->phi[i];
    }
}

static int loop_block(lucid__lane_code *code, lucid__lane_part *part)
{
    int block = lucid__lane_block_new(code, true);
    if (lucid__lane_ok(code))
        code->blocks[block].part = part;
    return block;
}

static void loop_while(lucid__lane_code *code, lucid__lane_part *part, const lucid__control *ctl,
                       value *frame)
{
    int outside = code->block;
    value *carry = frame + ctl->nconsts;
    value *inner =
        lucid__lane_alloc(code, (size_t)ctl->nconsts + (size_t)ctl->ncarry, sizeof *inner);
    part->block = loop_block(code, part);
    if (!inner || !lucid__lane_ok(code))
        return;
    memcpy(inner, frame, (size_t)ctl->nconsts * sizeof *inner);
    if (!begin_carry(code, part, carry, ctl->ncarry, inner + ctl->nconsts))
        return;
    code->block = part->block;
    lucid__control_body condition, step;
    lucid__body body;
    (void)lucid__control_body_at(lucid__control_body_at(ctl->bodies, &condition), &step);
    int **out = run_body(code, &condition, inner, &body);
    if (out) {
        part->condition = out[0][0];
        const lucid__lane_op mark = {
            .kind = LUCID__LANE_TEST, .dst = -1, .src = {part->condition, -1, -1, -1}};
        part->test = lucid__lane_append(code, &mark);
        out = run_body(code, &step, inner, &body);
    }
    if (out)
        end_carry(code, part, out, carry, ctl->ncarry);
    code->block = outside;
    carry_results(code, part);
    finish_part(code, part, part->ncarry);
}

/* `whole` of xs k: frame[nconsts + ncarry + k], or nothing when they are in memory. */
static void loop_scan(lucid__lane_code *code, lucid__lane_part *part, const lucid__control *ctl,
                      value *frame, const lucid__aval *in)
{
    int outside = code->block, nstate = ctl->nconsts + ctl->ncarry;
    value *carry = frame + ctl->nconsts;
    value *inner = lucid__lane_alloc(code, (size_t)nstate + (size_t)ctl->nxs, sizeof *inner);
    part->block = loop_block(code, part);
    part->length = ctl->length;
    part->reverse = ctl->reverse;
    part->xs = lucid__lane_alloc(code, (size_t)ctl->nxs, sizeof *part->xs);
    part->ys = lucid__lane_alloc(code, (size_t)lucid__control_nys(ctl), sizeof *part->ys);
    if (!inner || !lucid__lane_ok(code))
        return;
    memcpy(inner, frame, (size_t)ctl->nconsts * sizeof *inner);
    if (!begin_carry(code, part, carry, ctl->ncarry, inner + ctl->nconsts))
        return;
    for (int k = 0; k < ctl->nxs; k++) {
        value *x = &inner[nstate + k];
        *x = new_value(code, &in[nstate + k], frame[nstate + k].n, part->block);
        part->xs[part->nxs++] = (lucid__lane_slice){
            .n = x->n, .slice = x->cells, .whole = frame[nstate + k].cells, .stream = nstate + k};
        for (int64_t j = 0; j < x->n && lucid__lane_ok(code); j++)
            code->cells[x->cells[j]].is_phi = true;
    }
    code->block = part->block;
    lucid__control_body step;
    lucid__body body;
    (void)lucid__control_body_at(ctl->bodies, &step);
    int **out = run_body(code, &step, inner, &body);
    if (out)
        end_carry(code, part, out, carry, ctl->ncarry);
    code->block = outside;
    for (int k = 0; out && k < lucid__control_nys(ctl) && lucid__lane_ok(code); k++) {
        const lucid__aval *aval = &body.avals[body.out[ctl->ncarry + k]];
        lucid__lane_slice *y = &part->ys[part->nys++];
        *y = (lucid__lane_slice){.n = lucid__numel(&aval->shape),
                                 .slice = out[ctl->ncarry + k],
                                 .stream = ctl->ncarry + k};
        if (!part->outermost)
            y->whole = new_value(code, aval, lucid__times(y->n, part->length), outside).cells;
    }
    carry_results(code, part);
    finish_part(code, part, part->ncarry);
}

static void branches(lucid__lane_code *code, lucid__lane_part *part, const lucid__control *ctl,
                     value *frame)
{
    int outside = code->block;
    part->index = frame[0].cells[0];
    part->nbranches = ctl->nbodies;
    part->branch_block = lucid__lane_alloc(code, (size_t)ctl->nbodies, sizeof(int));
    part->branch_value = lucid__lane_alloc(code, (size_t)ctl->nbodies, sizeof(int *));
    part->branch_end = lucid__lane_alloc(code, (size_t)ctl->nbodies, sizeof(int));
    const int64_t *at = ctl->bodies;
    int nresults = 0;
    for (int b = 0; b < ctl->nbodies && lucid__lane_ok(code); b++) {
        lucid__control_body branch;
        lucid__body body;
        at = lucid__control_body_at(at, &branch);
        part->branch_block[b] = lucid__lane_block_new(code, false);
        code->block = part->branch_block[b];
        int **out = run_body(code, &branch, frame + 1, &body);
        code->block = outside;
        if (!out)
            return;
        value all = {0};
        for (int k = 0; k < body.nout; k++)
            all.n += lucid__numel(&body.avals[body.out[k]].shape);
        nresults = (int)all.n;
        part->branch_value[b] = lucid__lane_alloc(code, (size_t)all.n, sizeof(int));
        if (b == 0)
            part->result = lucid__lane_alloc(code, (size_t)all.n, sizeof(int));
        for (int k = 0, i = 0; lucid__lane_ok(code) && k < body.nout; k++) {
            const lucid__aval *aval = &body.avals[body.out[k]];
            for (int64_t j = 0; j < lucid__numel(&aval->shape); j++, i++) {
                part->branch_value[b][i] = out[k][j];
                if (b == 0)
                    part->result[i] = lucid__lane_cell_new(code, aval->dtype, outside);
            }
        }
    }
    finish_part(code, part, nresults);
}

static lucid__lane_part *control_part(lucid__lane_code *code, lucid__prim_id prim, bool outermost,
                                      const lucid__control *ctl, value *frame,
                                      const lucid__aval *in)
{
    lucid__lane_part *part = new_part(code, prim);
    if (!part || !lucid__lane_ok(code))
        return NULL;
    part->outermost = outermost;
    if (prim == LUCID__while)
        loop_while(code, part, ctl, frame);
    else if (prim == LUCID__scan)
        loop_scan(code, part, ctl, frame, in);
    else
        branches(code, part, ctl, frame);
    return lucid__lane_ok(code) ? part : NULL;
}

/* Elements that one lane has of a value. */
static int64_t per_lane(const lucid__control *ctl, const lucid__aval *aval, bool flagged)
{
    lucid_shape shape = aval->shape;
    if (flagged && ctl->lanes >= 0)
        shape = lucid__shape_remove(&shape, 0);
    return lucid__numel(&shape);
}

/* Elements that one lane has of a step's slice of it. */
static int64_t per_step(const lucid__control *ctl, const lucid__aval *aval, bool flagged)
{
    lucid_shape shape = aval->shape;
    for (int d = 0; d < 1 + (flagged && ctl->lanes >= 0); d++)
        shape = lucid__shape_remove(&shape, 0);
    return lucid__numel(&shape);
}

/* Programs are made and run by functions that call themselves for what is inside, on small stacks too. */
enum { MOST_NESTED = 64 };

/* One after the other for the lanes that it may have of its own. */
void lucid__lane_control_op(lucid__lane_code *code, const lucid__body *body,
                            const lucid__body_op *op, int **values)
{
    const lucid__call call = {
        .prim = op->prim, .nin = op->nin, .nparams = op->nparams, .params = op->params};
    lucid__control ctl = lucid__control_read(&call);
    int64_t lanes = ctl.lanes < 0 ? 1 : ctl.lanes;
    if (code->blocks[code->block].depth > MOST_NESTED)
        code->why_not = "loops are nested too deeply";
    value *frame = lucid__lane_alloc(code, (size_t)op->nin, sizeof *frame);
    lucid__aval *in = lucid__lane_alloc(code, (size_t)op->nin, sizeof *in);
    if (!frame || !in || !lucid__lane_ok(code))
        return;
    int first_xs = op->prim == LUCID__scan ? ctl.nconsts + ctl.ncarry : op->nin;
    for (int64_t lane = 0; lane < lanes && lucid__lane_ok(code); lane++) {
        for (int i = 0; i < op->nin; i++) {
            bool flagged = ctl.in_flags[i] & LUCID__PER_LANE;
            in[i] = body->avals[op->in[i]];
            frame[i].n = per_lane(&ctl, &in[i], flagged);
            frame[i].cells = values[op->in[i]];
            if (flagged && ctl.lanes >= 0)
                frame[i].cells += lane * frame[i].n;
            if (i >= first_xs) /* of one step, also when there is none */
                frame[i].n = per_step(&ctl, &in[i], flagged);
        }
        const lucid__lane_part *part = control_part(code, op->prim, false, &ctl, frame, in);
        for (int k = 0, at = 0; part && k < op->nout; k++) {
            bool flagged = ctl.out_flags[k] & LUCID__PER_LANE;
            int64_t n = per_lane(&ctl, &body->avals[op->first_out + k], flagged);
            int *to = values[op->first_out + k];
            if (flagged && ctl.lanes >= 0)
                to += lane * n;
            bool is_ys = op->prim == LUCID__scan && k >= ctl.ncarry;
            const int *from = is_ys ? part->ys[k - ctl.ncarry].whole : part->result + at;
            memcpy(to, from, (size_t)n * sizeof *to);
            at += is_ys ? 0 : (int)n;
        }
    }
}

void lucid__lane_custom_op(lucid__lane_code *code, const lucid__body_op *op, int **values)
{
    lucid__custom_part f;
    (void)lucid__custom_part_at(lucid__custom_read(op->params).bodies, &f);
    value *frame = lucid__lane_alloc(code, (size_t)op->nin, sizeof *frame);
    int64_t *from = lucid__lane_alloc(code, (size_t)f.nin, sizeof *from);
    if (!frame || !from)
        return;
    for (int i = 0; i < op->nin; i++)
        frame[i].cells = values[op->in[i]];
    for (int i = 0; i < f.nin; i++) /* its arguments are the first inputs of the operation */
        from[i] = f.from[i] < f.nargs ? f.from[i] : f.from[i] - f.nargs;
    const lucid__control_body b = {f.nin, from, f.words};
    lucid__body body;
    int **out = run_body(code, &b, frame, &body);
    for (int k = 0; out && k < op->nout; k++)
        memcpy(values[op->first_out + k], out[k],
               (size_t)lucid__numel(&body.avals[body.out[k]].shape) * sizeof(int));
}

/* ---- the whole ---------------------------------------------------------------------------------- */

/* Whether an example has elements, whose dims begin with `first`, and they are all in one place. A value without
 * elements is at no place: it has no cell that a value which begins there could be. */
static bool is_one_number(const lucid__location *x, int first)
{
    for (int d = first; d < x->aval.shape.ndim; d++) {
        int64_t size = x->aval.shape.dim[d];
        if (size == 0 || (x->stride[d] != 0 && size > 1))
            return false;
    }
    return true;
}

static bool same_place(const lucid__location *x, const lucid__location *y, int first)
{
    if (x->slot != y->slot || x->offset != y->offset || x->aval.dtype != y->aval.dtype ||
        (first > 0 && x->stride[0] != y->stride[0]))
        return false;
    if (is_one_number(x, first) && is_one_number(y, first))
        return true;
    for (int d = 0; d < x->aval.shape.ndim; d++)
        if (x->stride[d] != y->stride[d])
            return false;
    return lucid__shape_equal(&x->aval.shape, &y->aval.shape);
}

/* The cells of input i. What lies in one place is one cell, in this input and with those before it. */
static value place_input(lucid__lane_code *code, int64_t lanes, int i, const lucid__location *in,
                         const value *frame, lucid__lane_stream *streams)
{
    const bool flagged = streams[i].per_lane;
    lucid_shape shape = in[i].aval.shape;
    if (flagged)
        shape = lucid__shape_remove(&shape, 0);
    int64_t n = lucid__numel(&shape);
    bool one = is_one_number(&in[i], flagged);
    value v = {.n = n}, from = {0};
    for (int j = 0; j < i && !from.cells; j++)
        if (streams[j].per_lane == flagged && same_place(&in[i], &in[j], flagged))
            from = frame[j];
    if (!from.cells) {
        from = new_value(code, &in[i].aval, one ? 1 : n,
                         flagged || lanes < 0 ? LUCID__BLOCK_BEGIN : LUCID__BLOCK_ONCE);
        streams[i].n = from.n;
        streams[i].regs = from.cells;
    }
    v.cells = one && from.cells ? lucid__lane_alloc(code, (size_t)n, sizeof *v.cells) : from.cells;
    for (int64_t k = 0; one && v.cells && k < n; k++)
        v.cells[k] = from.cells[0];
    return v;
}

/* Inputs become cells; the xs of a scan stay in memory, and only the size of a step's slice is known. */
static void place_inputs(lucid__lane_code *code, const lucid__call *c, const lucid__control *ctl,
                         const lucid__location *in, value *frame, lucid__lane_stream *streams)
{
    int first_xs = c->prim == LUCID__scan ? ctl->nconsts + ctl->ncarry : c->nin;
    for (int i = 0; i < c->nin && lucid__lane_ok(code); i++) {
        bool flagged = (ctl->in_flags[i] & LUCID__PER_LANE) && ctl->lanes >= 0;
        streams[i] = (lucid__lane_stream){.per_lane = flagged, .stepped = i >= first_xs};
        if (i >= first_xs) {
            frame[i] = (value){.n = per_step(ctl, &in[i].aval, flagged)};
            streams[i].n = frame[i].n;
        } else {
            frame[i] = place_input(code, ctl->lanes, i, in, frame, streams);
        }
    }
}

static void place_outputs(const lucid__lane_code *code, const lucid__control *ctl, int nout,
                          const lucid__location *out, lucid__lane_stream *streams)
{
    const lucid__lane_part *part = code->main;
    const int *result = part->result;
    for (int k = 0; k < nout; k++) {
        bool flagged = (ctl->out_flags[k] & LUCID__PER_LANE) && ctl->lanes >= 0;
        bool stepped = part->prim == LUCID__scan && k >= ctl->ncarry;
        streams[k] = (lucid__lane_stream){.per_lane = flagged, .stepped = stepped};
        streams[k].n = stepped ? part->ys[k - ctl->ncarry].n : per_lane(ctl, &out[k].aval, flagged);
        streams[k].regs = stepped ? NULL : result;
        result += stepped ? 0 : streams[k].n;
    }
}

static lucid__lane_program *build(lucid__lane_code *code, lucid__arena *arena, const lucid__call *c,
                                  const lucid__location *in, int nout, const lucid__location *out)
{
    lucid__control ctl = lucid__control_read(c);
    value *frame = lucid__lane_alloc(code, (size_t)c->nin, sizeof *frame);
    lucid__lane_stream *ins = lucid__lane_alloc(code, (size_t)c->nin, sizeof *ins);
    lucid__lane_stream *outs = lucid__lane_alloc(code, (size_t)nout, sizeof *outs);
    lucid__aval *avals = lucid__lane_alloc(code, (size_t)c->nin, sizeof *avals);
    code->block = lucid__lane_block_new(code, false);
    code->block = lucid__lane_block_new(code, false);
    if (!lucid__lane_ok(code))
        return NULL;
    (void)lucid__lane_cell_new(code, LUCID_BOOL, LUCID__BLOCK_ONCE); /* cell 0 */
    place_inputs(code, c, &ctl, in, frame, ins);
    for (int i = 0; i < c->nin; i++)
        avals[i] = in[i].aval;
    code->main = control_part(code, c->prim, true, &ctl, frame, avals);
    if (!code->main)
        return NULL;
    place_outputs(code, &ctl, nout, out, outs);
    const lucid__lane_ends ends = {ctl.lanes, c->nin, nout, ins, outs};
    return lucid__lane_layout(code, arena, &ends);
}

/* Straight-line code, in the block that each lane begins with. */
static lucid__lane_program *build_region(lucid__lane_code *code, lucid__arena *arena,
                                         const lucid__lane_region *region,
                                         const lucid__location *in)
{
    const lucid__body *body = &region->body;
    lucid__lane_ends ends = {.lanes = region->lanes, .nin = body->nin, .nout = body->nout};
    value *frame = lucid__lane_alloc(code, (size_t)body->nin, sizeof *frame);
    int **values = lucid__lane_alloc(code, (size_t)body->nvalues, sizeof *values);
    ends.in = lucid__lane_alloc(code, (size_t)body->nin, sizeof *ends.in);
    ends.out = lucid__lane_alloc(code, (size_t)body->nout, sizeof *ends.out);
    code->block = lucid__lane_block_new(code, false);
    code->block = lucid__lane_block_new(code, false);
    if (!lucid__lane_ok(code))
        return NULL;
    (void)lucid__lane_cell_new(code, LUCID_BOOL, LUCID__BLOCK_ONCE); /* cell 0 */
    for (int i = 0; i < body->nin && lucid__lane_ok(code); i++) {
        ends.in[i].per_lane = region->in[i].dim >= 0;
        frame[i] = place_input(code, region->lanes, i, in, frame, ends.in);
        values[i] = frame[i].cells;
    }
    for (int i = 0; i < body->nops && lucid__lane_ok(code); i++)
        run_op(code, body, &region->body_ops[i], values);
    if (!lucid__lane_ok(code))
        return NULL;
    for (int k = 0; k < body->nout; k++) {
        const lucid__aval *aval = &body->avals[body->out[k]];
        ends.out[k] = (lucid__lane_stream){.per_lane = region->out[k].dim >= 0,
                                           .n = lucid__numel(&aval->shape),
                                           .regs = values[body->out[k]]};
        code->nresults += (int)ends.out[k].n;
    }
    code->results = lucid__lane_alloc(code, (size_t)code->nresults, sizeof *code->results);
    for (int k = 0, at = 0; code->results && k < body->nout; at += (int)ends.out[k++].n)
        memcpy(code->results + at, ends.out[k].regs, (size_t)ends.out[k].n * sizeof(int));
    return lucid__lane_ok(code) ? lucid__lane_layout(code, arena, &ends) : NULL;
}

/* What a program is for: an operation, or a region. */
typedef struct source {
    const lucid__lane_region *region;
    lucid__call call;
    const lucid__location *in, *out;
    int nout;
} source;

static lucid__lane_program *make(lucid_scope *s, lucid__arena *arena, const source *from,
                                 const char **why_not)
{
    lucid_scope child;
    *why_not = NULL;
    lucid__scope_enter(&child, s);
    lucid__arena *scratch = lucid__arena_new();
    lucid__lane_code *code = scratch ? lucid__arena_alloc(scratch, sizeof *code) : NULL;
    lucid__lane_program *program = NULL;
    bool no_memory = !code;
    if (code) {
        code->s = &child;
        code->scratch = scratch;
        program = from->region ? build_region(code, arena, from->region, from->in)

                               : build(code, arena, &from->call, from->in, from->nout, from->out);
        no_memory = code->no_memory;
        *why_not = no_memory ? NULL : code->why_not;
    }
    lucid__arena_free(scratch);
    if (no_memory)
        lucid__out_of_memory(&child);
    lucid__scope_leave(&child);
    return program;
}

lucid__lane_program *lucid__lane_program_new(lucid_scope *s, lucid__arena *arena,
                                             const lucid__call *c, const lucid__location *in,
                                             int nout, const lucid__location *out,
                                             const char **why_not)
{
    return make(s, arena, &(source){.call = *c, .in = in, .out = out, .nout = nout}, why_not);
}

lucid__lane_program *lucid__lane_program_of_region(lucid_scope *s, lucid__arena *arena,
                                                   const lucid__lane_region *region,
                                                   const lucid__location *in, const char **why_not)
{
    return make(s, arena, &(source){.region = region, .in = in}, why_not);
}
