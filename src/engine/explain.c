/* Takes a plan down as an explanation, and tells it as text and as JSON. */
#include "engine/explain.h"

#include <inttypes.h>
#include <string.h>

#include "engine/fuse.h"
#include "prim/prim.h"

/* ---- taking down ----------------------------------------------------------------------------------- */

typedef struct taker {
    lucid_scope *s;
    lucid__told_slot *slot;
} taker;

/* Memory for at least one. */
static void *many(const taker *t, int n, size_t size)
{
    return lucid_alloc(t->s, (size_t)(n > 0 ? n : 1) * size);
}

static void see(const taker *t, int at, lucid_dtype dtype, const lucid_shape *shape)
{
    lucid__told_slot *slot = &t->slot[at];
    bool seen = slot->dtype != LUCID_NO_DTYPE;
    if (!seen || lucid__numel(shape) >= lucid__numel(&slot->shape)) {
        slot->dtype = dtype;
        slot->shape = *shape;
    }
}

/* The dims of a program's space that are in `over`. */
static lucid_shape space_of(const lucid__program *p, unsigned over)
{
    lucid_shape space = {0};
    for (int d = 0; d < p->ndim; d++)
        if (over >> d & 1)
            space.dim[space.ndim++] = p->dim[d];
    return space;
}

/* Words are an operation, too, and what they are made from is read. */
static bool take_words(const taker *t, const lucid__words *w, lucid__told_step *to, int *load,
                       lucid__told_op *op)
{
    int *src = many(t, 3, sizeof *src);
    if (!src)
        return false;
    for (int k = 0; k < 3; k++) {
        src[k] = ~to->nloads;
        load[to->nloads++] = w->in[k].slot;
    }
    op[to->nops++] =
        (lucid__told_op){.name = lucid__prim_get(LUCID__random_bits)->name, .nsrc = 3, .src = src};
    return true;
}

/* What is read in parts is an operation, too. */
static bool take_parts(const taker *t, const lucid__parts *parts, lucid__told_step *to, int *load,
                       lucid__told_op *op)
{
    int *src = many(t, parts->n, sizeof *src);
    if (!src)
        return false;
    for (int k = 0; k < parts->n; k++) {
        src[k] = ~to->nloads;
        load[to->nloads++] = parts->part[k].from.slot;
    }
    const char *name = lucid__prim_get((lucid__prim_id)parts->made_for)->name;
    op[to->nops++] = (lucid__told_op){.name = name, .nsrc = parts->n, .src = src};
    return true;
}

/* A table is read, beside what names positions in it. */
static bool take_gather(const taker *t, const lucid__program *p, const lucid__instr *in, int *maker,
                        lucid__told_step *to, int *load, lucid__told_op *op)
{
    const lucid__table *table = &p->tables[in->imm];
    int *src = many(t, table->n + 1, sizeof *src), n = 0;
    if (!src)
        return false;
    if (table->at.slot >= 0) {
        src[n++] = ~to->nloads;
        load[to->nloads++] = table->at.slot;
    }
    for (int j = 0; j < table->n; j++)
        src[n++] = maker[in->src[j]];
    maker[in->dst] = to->nops;
    op[to->nops++] =
        (lucid__told_op){.name = lucid__prim_get(LUCID__gather)->name, .nsrc = n, .src = src};
    return true;
}

/* The second operation of an instruction; the first is the last of op[]. */
static bool take_second(const taker *t, const lucid__instr *in, int nfirst, int *maker,
                        lucid__told_op *op, int *nops)
{
    const lucid__prim *of = lucid__prim_get((lucid__prim_id)in->then);
    int *src = many(t, of->nin, sizeof *src);
    if (!src)
        return false;
    src[in->turned] = *nops - 1;
    if (of->nin == 2)
        src[!in->turned] = maker[in->src[nfirst]];
    maker[in->dst] = *nops;
    op[(*nops)++] = (lucid__told_op){.name = of->name, .nsrc = of->nin, .src = src};
    return true;
}

/* The operations of a program, each register followed to the operation that wrote it last; what is repeated
 * along a dim is what it was. */
static bool take_program(const taker *t, const lucid__program *p, lucid__told_step *to)
{
    int maker[LUCID__MAX_REGISTERS];
    int *load = many(t, LUCID__MAX_PARTS * p->nloads + p->ntables, sizeof *load);
    int *store = many(t, p->nstores, sizeof *store);
    int *store_op = many(t, p->nstores, sizeof *store_op);
    lucid__told_op *op = many(t, p->nloads + 2 * p->ninstrs, sizeof *op);
    if (!load || !store || !store_op || !op)
        return false;
    to->nstores = p->nstores;
    to->load = load, to->store = store, to->store_op = store_op, to->op = op;
    to->space = space_of(p, (1u << p->ndim) - 1);
    for (int i = 0; i < p->nloads; i++) {
        const lucid__stream *from = &p->loads[i];
        maker[from->reg] = from->words || from->parts ? to->nops : ~to->nloads;
        if (!from->words && !from->parts)
            load[to->nloads++] = from->slot;
        else if (!(from->words ? take_words(t, from->words, to, load, op)
                               : take_parts(t, from->parts, to, load, op)))
            return false;
    }
    for (int i = 0; i < p->ninstrs; i++) {
        const lucid__instr *in = &p->instrs[i];
        if (in->op == LUCID__broadcast) {
            maker[in->dst] = maker[in->src[0]];
            continue;
        }
        if (in->op == LUCID__gather) {
            if (!take_gather(t, p, in, maker, to, load, op))
                return false;
            continue;
        }
        const lucid__prim *of = lucid__prim_get((lucid__prim_id)in->op);
        int *src = many(t, of->nin, sizeof *src);
        if (!src)
            return false;
        for (int j = 0; j < of->nin; j++)
            src[j] = maker[in->src[j]];
        maker[in->dst] = to->nops;
        op[to->nops++] = (lucid__told_op){.name = of->name, .nsrc = of->nin, .src = src};
        if (in->then && !take_second(t, in, of->nin, maker, op, &to->nops))
            return false;
    }
    for (int i = 0; i < p->nstores; i++) {
        lucid_shape kept = space_of(p, p->over[p->stores[i].reg]);
        store[i] = p->stores[i].slot;
        store_op[i] = maker[p->stores[i].reg];
        see(t, store[i], (lucid_dtype)p->stores[i].dtype, &kept);
    }
    return true;
}

/* Outputs that nobody reads, and that are left out therefore, are not told. */
static bool take_kernel(const taker *t, const lucid__plan *plan, const lucid__step *step,
                        lucid__told_step *to)
{
    to->nloads = step->nin;
    to->nops = 1;
    int *load = many(t, step->nin, sizeof *load), *src = many(t, step->nin, sizeof *src);
    int *store = many(t, step->nout, sizeof *store);
    int *store_op = many(t, step->nout, sizeof *store_op);
    lucid__told_op *op = many(t, 1, sizeof *op);
    if (!load || !src || !store || !store_op || !op)
        return false;
    to->load = load, to->store = store, to->store_op = store_op, to->op = op;
    to->space = step->out[0].aval.shape;
    *op = (lucid__told_op){.name = to->name, .nsrc = step->nin, .src = src};
    for (int i = 0; i < step->nin; i++) {
        const lucid__location *in = &step->in[i];
        bool repeats = false;
        for (int d = 0; d < in->aval.shape.ndim; d++)
            repeats |= in->stride[d] == 0;
        if (!repeats) /* programs see fewer dims, where they can walk several as one */
            see(t, in->slot, in->aval.dtype, &in->aval.shape);
        load[i] = in->slot;
        src[i] = ~i;
    }
    for (int k = 0; k < step->nout; k++) {
        const lucid__location *out = &step->out[k];
        if (plan->slots[out->slot].left_out)
            continue;
        store[to->nstores++] = out->slot;
        see(t, out->slot, out->aval.dtype, &out->aval.shape);
    }
    return !step->region || lucid__take_region(t->s, step, to);
}

/* How a loop or a choice runs. */
static const char *how(const taker *t, const lucid__step *step)
{
    enum { SIZE = 160 };
    char *text = many(t, SIZE, 1);
    if (!text)
        return NULL;
    lucid__text to = {text, SIZE, 0};
    const lucid__lane_program *p = step->lanes;
    if (p)
        lucid__put(&to, " (%d registers, %d lanes a tile, %d instructions%s)", p->nregs, p->tile,
                   p->per_iteration,
                   step->region || step->prim == LUCID__cond ? "" : " an iteration");
    else if (step->why_no_lanes)
        lucid__put(&to, " (operation by operation: %s)", step->why_no_lanes);
    else
        text[0] = '\0';
    return text;
}

static void take_slots(const taker *t, const lucid__plan *plan, const lucid__structure *st)
{
    int at = 0;
    for (int k = 0; k < plan->nslots; k++)
        t->slot[k] = (lucid__told_slot){
            .dtype = LUCID_NO_DTYPE, .input = -1, .made_by = plan->slots[k].made_by};
    for (size_t i = 0; i < st->nleaves; i++)
        for (int k = 0; k < st->leaves[i]->nout; k++, at++) {
            static const lucid_shape single = {0};
            const lucid__aval *aval = &st->leaves[i]->out[k].aval;
            t->slot[at].input = at;
            see(t, at, aval->dtype, lucid__node_is_number(st->leaves[i]) ? &single : &aval->shape);
        }
    for (int i = 0; i < plan->nresults; i++) {
        const lucid__location *l = &plan->results[i].location;
        t->slot[l->slot].result = true;
        see(t, l->slot, l->aval.dtype, &l->aval.shape);
    }
}

lucid_explanation *lucid__explain_plan(lucid_scope *s, const lucid__plan *plan,
                                       const lucid__structure *st, const lucid__backend *backend,
                                       const double *seconds)
{
    taker t = {.s = s};
    lucid_explanation *e = many(&t, 1, sizeof *e);
    lucid__told_step *told = many(&t, plan->nsteps, sizeof *told);
    t.slot = many(&t, plan->nslots, sizeof *t.slot);
    if (!e || !told || !t.slot)
        return NULL;
    *e = (lucid_explanation){.s = s, .nsteps = plan->nsteps, .nslots = plan->nslots};
    e->step = told;
    e->slot = t.slot;
    e->measured = seconds != NULL;
    e->fusion = lucid__fusion();
    e->nchoices = plan->nchoices;
    memcpy(e->choice, plan->choices, sizeof e->choice);
    take_slots(&t, plan, st);
    for (int i = 0; i < plan->nsteps; i++) {
        const lucid__step *step = &plan->steps[i];
        told[i].program = step->kind == LUCID__STEP_PROGRAM;
        told[i].name = lucid__prim_get(step->prim)->name;
        told[i].layout = step->layout;
        told[i].how = how(&t, step);
        told[i].work = lucid__step_work(plan, step, backend);
        if (!told[i].how)
            return NULL;
        if (!(told[i].program ? take_program(&t, &step->program, &told[i])
                              : take_kernel(&t, plan, step, &told[i])))
            return NULL;
        if (seconds) {
            told[i].measured = seconds[i];
            told[i].estimated = lucid__step_seconds(step, &told[i].work, backend);
        }
        e->cost.bytes_read += told[i].work.bytes_read;
        e->cost.bytes_written += told[i].work.bytes_written;
        e->cost.flops += told[i].work.flops;
        e->cost.estimated_seconds += told[i].estimated;
        e->cost.measured_seconds += told[i].measured;
    }
    e->cost.dispatches = (size_t)plan->nsteps;
    if (seconds)
        e->speed = *backend->speed();
    return e;
}

/* ---- pieces ---------------------------------------------------------------------------------------- */

const char *lucid__layout_name(lucid__layout layout)
{
    static const char *const name[] = {[LUCID__LANES_ELEMENTS] = "elements",
                                       [LUCID__LANES_BATCH] = "batch",
                                       [LUCID__LANES_LIBRARY] = "library"};
    return name[layout];
}

void lucid__put_quantity(lucid__text *t, double n, const char *unit)
{
    static const char *const prefix[] = {"", "k", "M", "G", "T", "P"};
    int p = 0;
    for (; n >= 999.5 && p < 5; p++)
        n /= 1000;
    lucid__put(t, "%.3g %s%s", n, prefix[p], unit);
}

void lucid__put_seconds(lucid__text *t, double seconds)
{
    if (seconds < 1e-3)
        lucid__put(t, "%.3g us", seconds * 1e6);
    else if (seconds < 1)
        lucid__put(t, "%.3g ms", seconds * 1e3);
    else
        lucid__put(t, "%.3g s", seconds);
}

void lucid__put_shape(lucid__text *t, const lucid_shape *shape)
{
    lucid__put(t, "(");
    for (int i = 0; i < shape->ndim; i++)
        lucid__put(t, "%s%" PRId64, i ? ", " : "", shape->dim[i]);
    lucid__put(t, shape->ndim == 1 ? ",)" : ")");
}

void lucid__put_ops(lucid__text *t, const lucid__told_step *step)
{
    for (int i = 0; i < step->nops; i++) {
        int times = 0;
        bool first = true;
        for (int j = 0; j < step->nops; j++) {
            bool same = step->op[j].name == step->op[i].name;
            first &= !(same && j < i);
            times += same;
        }
        if (!first)
            continue;
        lucid__put(t, "%s%s", i ? ", " : "", step->op[i].name);
        if (times > 1)
            lucid__put(t, " x %d", times);
    }
    if (step->nops == 0)
        lucid__put(t, "copy (%s)", step->name);
}

/* Of the step's results: what its FLOPs are counted against. */
static lucid_dtype float_of(const lucid_explanation *e, const lucid__told_step *step)
{
    return step->nstores > 0 ? e->slot[step->store[0]].dtype : LUCID_BOOL;
}

double lucid__bandwidth_share(const lucid_explanation *e, const lucid__told_step *step)
{
    double bytes = step->work.bytes_read + step->work.bytes_written;
    double rate = lucid__bandwidth(&e->speed, &step->work);
    return step->measured > 0 && rate > 0 ? bytes / rate / step->measured : 0;
}

double lucid__peak_share(const lucid_explanation *e, const lucid__told_step *step)
{
    double rate = e->speed.flops_per_second[float_of(e, step)];
    return step->measured > 0 && rate > 0 ? step->work.flops / rate / step->measured : 0;
}

/* ---- text ------------------------------------------------------------------------------------------- */

static void put_work(lucid__text *t, double read, double written, double flops)
{
    lucid__put(t, "reads ");
    lucid__put_quantity(t, read, "B");
    lucid__put(t, ", writes ");
    lucid__put_quantity(t, written, "B");
    if (flops > 0) {
        lucid__put(t, ", ");
        lucid__put_quantity(t, flops, "FLOP");
    }
}

static void put_times(lucid__text *t, double measured, double estimated)
{
    lucid__put(t, "; takes ");
    lucid__put_seconds(t, measured);
    lucid__put(t, ", estimated ");
    lucid__put_seconds(t, estimated);
}

static void put_text_step(lucid__text *t, const lucid_explanation *e, int number)
{
    const lucid__told_step *step = &e->step[number];
    lucid__put(t, "%4d  %s  ", number + 1, step->program ? "program" : "kernel ");
    lucid__put_ops(t, step);
    lucid__put(t, step->program ? " over " : " -> ");
    lucid__put_shape(t, &step->space);
    lucid__put(t, ", lanes = %s%s: ", lucid__layout_name(step->layout), step->how);
    put_work(t, step->work.bytes_read, step->work.bytes_written, step->work.flops);
    if (e->measured) {
        put_times(t, step->measured, step->estimated);
        lucid__put(t, ", %.0f %% of the bandwidth, %.0f %% of the peak",
                   100 * lucid__bandwidth_share(e, step), 100 * lucid__peak_share(e, step));
    }
    lucid__put(t, "\n");
}

static void put_machine(lucid__text *t, const lucid__speed *speed)
{
    lucid__put(t, "machine: %d thread%s, ", speed->threads, speed->threads == 1 ? "" : "s");
    lucid__put_quantity(t, speed->bytes_per_second, "B/s copying, ");
    lucid__put_quantity(t, speed->cached_bytes_per_second, "B/s up to ");
    lucid__put_quantity(t, speed->cached_bytes, "B");
    for (int d = LUCID_FLOAT32; d <= LUCID_FLOAT64; d++) {
        lucid__put(t, ", ");
        lucid__put_quantity(t, speed->flops_per_second[d], "FLOP/s in ");
        lucid__put(t, "%s products", lucid_dtype_name((lucid_dtype)d));
    }
    lucid__put(t, "\n");
}

static void put_text(lucid__text *t, const lucid_explanation *e)
{
    const lucid_cost *c = &e->cost;
    lucid__put(t, "%zu dispatch%s: ", c->dispatches, c->dispatches == 1 ? "" : "es");
    put_work(t, c->bytes_read, c->bytes_written, c->flops);
    if (!e->fusion)
        lucid__put(t, ", fusion off");
    if (e->measured)
        put_times(t, c->measured_seconds, c->estimated_seconds);
    lucid__put(t, "\n");
    for (int i = 0; i < e->nchoices; i++) {
        lucid__put_choice(t, &e->choice[i]);
        lucid__put(t, "\n");
    }
    if (e->measured)
        put_machine(t, &e->speed);
    for (int i = 0; i < e->nsteps; i++)
        put_text_step(t, e, i);
}

/* ---- JSON: names are those of primitives and dtypes, which need no escapes -------------------------- */

static void put_json_shape(lucid__text *t, const lucid_shape *shape)
{
    lucid__put(t, "[");
    for (int i = 0; i < shape->ndim; i++)
        lucid__put(t, "%s%" PRId64, i ? ", " : "", shape->dim[i]);
    lucid__put(t, "]");
}

static void put_json_work(lucid__text *t, double read, double written, double flops,
                          const lucid_explanation *e, double measured, double estimated)
{
    lucid__put(t, "\"bytes_read\": %.0f, \"bytes_written\": %.0f, \"flops\": %.0f", read, written,
               flops);
    if (e->measured)
        lucid__put(t, ", \"measured_seconds\": %.3e, \"estimated_seconds\": %.3e", measured,
                   estimated);
}

static void put_json_step(lucid__text *t, const lucid_explanation *e, const lucid__told_step *step)
{
    lucid__put(t, "{\"kind\": \"%s\", \"ops\": [", step->program ? "program" : "kernel");
    for (int i = 0; i < step->nops; i++)
        lucid__put(t, "%s\"%s\"", i ? ", " : "", step->op[i].name);
    lucid__put(t, "], \"made_for\": \"%s\", \"shape\": ", step->name);
    put_json_shape(t, &step->space);
    lucid__put(t, ", \"lanes\": \"%s\", ", lucid__layout_name(step->layout));
    put_json_work(t, step->work.bytes_read, step->work.bytes_written, step->work.flops, e,
                  step->measured, step->estimated);
    if (e->measured)
        lucid__put(t, ", \"bandwidth_share\": %.4f, \"peak_share\": %.4f",
                   lucid__bandwidth_share(e, step), lucid__peak_share(e, step));
    lucid__put(t, "}");
}

static void put_json(lucid__text *t, const lucid_explanation *e)
{
    const lucid_cost *c = &e->cost;
    lucid__put(t, "{\"dispatches\": %zu, \"fusion\": %s, ", c->dispatches,
               e->fusion ? "true" : "false");
    put_json_work(t, c->bytes_read, c->bytes_written, c->flops, e, c->measured_seconds,
                  c->estimated_seconds);
    if (e->measured)
        lucid__put(t,
                   ", \"machine\": {\"threads\": %d, \"bytes_per_second\": %.4e, "
                   "\"cached_bytes\": %.0f, \"cached_bytes_per_second\": %.4e, "
                   "\"float32_flops_per_second\": %.4e, \"float64_flops_per_second\": %.4e}",
                   e->speed.threads, e->speed.bytes_per_second, e->speed.cached_bytes,
                   e->speed.cached_bytes_per_second, e->speed.flops_per_second[LUCID_FLOAT32],
                   e->speed.flops_per_second[LUCID_FLOAT64]);
    lucid__put(t, ", \"choices\": [");
    for (int i = 0; i < e->nchoices; i++) {
        lucid__put(t, i ? ", " : "");
        lucid__put_choice_json(t, &e->choice[i]);
    }
    lucid__put(t, "], \"steps\": [");
    for (int i = 0; i < e->nsteps; i++) {
        lucid__put(t, i ? ", " : "");
        put_json_step(t, e, &e->step[i]);
    }
    lucid__put(t, "]}");
}

/* ---------------------------------------------------------------------------------------------------- */

lucid_cost lucid_explanation_cost(const lucid_explanation *e)
{
    return e ? e->cost : (lucid_cost){0};
}

const char *lucid_explanation_as(lucid_scope *s, const lucid_explanation *e,
                                 lucid_explain_format format)
{
    typedef void put_fn(lucid__text * t, const lucid_explanation *e);
    static put_fn *const formats[] = {[LUCID_EXPLAIN_TEXT] = put_text,
                                      [LUCID_EXPLAIN_JSON] = put_json,
                                      [LUCID_EXPLAIN_SVG] = lucid__put_svg,
                                      [LUCID_EXPLAIN_HTML] = lucid__put_html};
    if (!e || !lucid__ok(s))
        return "";
    if ((size_t)format >= sizeof formats / sizeof *formats) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR,
                         "explanation_as: format must be one of LUCID_EXPLAIN_..., not %d",
                         (int)format);
        return "";
    }
    lucid__text count = {NULL, 0, 0};
    formats[format](&count, e);
    lucid__text text = {lucid_alloc(s, count.length + 1), count.length + 1, 0};
    if (!text.to)
        return "";
    formats[format](&text, e);
    return text.to;
}
