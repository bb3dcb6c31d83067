#include "engine/run_plan.h"

#include <string.h>
#include <time.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "prim/prim.h"

static _Atomic uint64_t steps_run; /* written under the engine's lock, read without */

uint64_t lucid__plan_steps_run(void)
{
    return atomic_load(&steps_run);
}

typedef struct run {
    const lucid__plan *plan;
    const lucid__backend *backend;
    void **slots;            /* first byte of each slot's memory */
    lucid__buffer **buffers; /* per slot; leaves: borrowed */
} run;

static lucid__view view_of(const run *r, const lucid__location *l)
{
    lucid__view v = {.dtype = l->aval.dtype, .shape = l->aval.shape};
    if (!r->plan->slots[l->slot].left_out)
        v.data = (char *)r->slots[l->slot] + l->offset * (int64_t)lucid_dtype_size(l->aval.dtype);
    memcpy(v.stride, l->stride, (size_t)l->aval.shape.ndim * sizeof *v.stride);
    return v;
}

/* error: written by the kernel, through args.
 * NOLINTNEXTLINE(readability-non-const-parameter) */
static lucid_status run_kernel(const run *r, const lucid__step *step, char *error,
                               size_t error_size)
{
    enum { FEW = 12 };
    lucid__view few[FEW], *in = few;
    if (step->nin + step->nout > FEW)
        in = lucid__malloc((size_t)(step->nin + step->nout) * sizeof *in);
    if (!in)
        return LUCID_MEMORY_ERROR;
    lucid__view *out = in + step->nin;
    for (int i = 0; i < step->nin; i++)
        in[i] = view_of(r, &step->in[i]);
    for (int k = 0; k < step->nout; k++)
        out[k] = view_of(r, &step->out[k]);
    lucid__kernel_args args = {.params = step->params,
                               .nparams = step->nparams,
                               .nin = step->nin,
                               .in = in,
                               .out = out,
                               .error = error,
                               .error_size = error_size};
    lucid_status status = step->lanes ? r->backend->run_lanes(step->lanes, &args)
                                      : r->backend->kernels[step->prim].run(&args);
    if (in != few)
        lucid__free(in);
    return status;
}

static bool run_step(lucid_scope *s, run *r, int at)
{
    const lucid__plan *plan = r->plan;
    lucid__step *step = &plan->steps[at];
    if (lucid__stop()) {
        (void)lucid__interrupted(s);
        return false;
    }
    for (int k = step->first_made; k >= 0; k = plan->slots[k].next_made) {
        r->buffers[k] = lucid__buffer_new(plan->slots[k].bytes);
        if (!r->buffers[k]) {
            (void)lucid_fail(s, LUCID_MEMORY_ERROR,
                             "%s: out of memory: a result on the way needs %zu bytes; compute "
                             "fewer examples at a time (vmap's chunk_size), or in a smaller dtype",
                             lucid__operation(s, "eval"), plan->slots[k].bytes);
            return false;
        }
        r->slots[k] = r->buffers[k]->data;
    }
    char message[512];
    message[0] = '\0';
    lucid_status status =
        step->kind == LUCID__STEP_PROGRAM
            ? r->backend->run_program(&step->program, r->slots, message, sizeof message)
            : run_kernel(r, step, message, sizeof message);
    if (status == LUCID_MEMORY_ERROR)
        lucid__out_of_memory(s);
    else if (status == LUCID_INTERRUPTED || lucid__stopping())
        status = lucid__interrupted(s); /* what it should have written is not all there */
    else if (status != LUCID_OK)
        (void)lucid_fail(s, status, "%s", message);
    uint64_t before = atomic_load_explicit(&steps_run, memory_order_relaxed);
    atomic_store_explicit(&steps_run, before + 1, memory_order_relaxed);
    for (int k = step->first_dead; k >= 0; k = plan->slots[k].next_dead) {
        lucid__buffer_release(r->buffers[k]);
        r->buffers[k] = NULL;
    }
    return status == LUCID_OK;
}

static bool run_begin(lucid_scope *s, run *r, const lucid__plan *plan,
                      const lucid__output *const *leaves)
{
    size_t n = (size_t)plan->nslots + 1;
    *r = (run){.plan = plan, .backend = &lucid__cpu_backend};
    r->slots = lucid__malloc(n * (sizeof(void *) + sizeof(lucid__buffer *)));
    if (!r->slots) {
        lucid__out_of_memory(s);
        return false;
    }
    r->buffers = (lucid__buffer **)(r->slots + n);
    /* What has no element may have no memory; it gets an address all the same. */
    static max_align_t nothing[4];
    for (size_t k = 0; k < n; k++) {
        r->slots[k] = nothing;
        r->buffers[k] = NULL;
    }
    for (int k = 0; k < plan->nleaves; k++) {
        const lucid__storage *storage = &leaves[k]->storage;
        if (!storage->buffer)
            continue;
        char *data = storage->buffer->data;
        r->buffers[k] = storage->buffer;
        if (data)
            r->slots[k] = data + storage->offset * (int64_t)lucid_dtype_size(leaves[k]->aval.dtype);
    }
    return true;
}

/* A slot that no step writes (its value is empty) still needs some memory to stand for it. */
static bool store(run *r, const lucid__location *l, lucid__storage *to)
{
    if (!r->buffers[l->slot])
        r->buffers[l->slot] = lucid__buffer_new(r->plan->slots[l->slot].bytes);
    if (!r->buffers[l->slot])
        return false;
    to->buffer = lucid__buffer_retain(r->buffers[l->slot]);
    to->offset = l->offset;
    if (l->slot < r->plan->nleaves && to->buffer->data) {
        /* A view of a leaf counts from the leaf's first element, which may not be its buffer's. */
        ptrdiff_t start = (char *)r->slots[l->slot] - (char *)to->buffer->data;
        to->offset += start / (ptrdiff_t)lucid_dtype_size(l->aval.dtype);
    }
    memcpy(to->stride, l->stride, (size_t)l->aval.shape.ndim * sizeof *to->stride);
    return true;
}

static bool give_results(lucid_scope *s, run *r, lucid__storage *results)
{
    for (int i = 0; i < r->plan->nresults; i++)
        if (!store(r, &r->plan->results[i].location, &results[i])) {
            while (i-- > 0)
                lucid__buffer_release(results[i].buffer);
            lucid__out_of_memory(s);
            return false;
        }
    return true;
}

static void run_end(run *r)
{
    for (int k = r->plan->nleaves; r->slots && k < r->plan->nslots; k++)
        lucid__buffer_release(r->buffers[k]);
    lucid__free(r->slots);
}

bool lucid__plan_run(lucid_scope *s, const lucid__plan *plan, const lucid__output *const *leaves,
                     lucid__storage *results)
{
    run r;
    bool ok = run_begin(s, &r, plan, leaves);
    for (int i = 0; ok && i < plan->nsteps; i++)
        ok = run_step(s, &r, i);
    ok = ok && give_results(s, &r, results);
    run_end(&r);
    return ok;
}

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool lucid__plan_measure(lucid_scope *s, const lucid__plan *plan,
                         const lucid__output *const *leaves, double *seconds)
{
    enum { LEAST_RUNS = 3, MOST_RUNS = 100 };
    const double enough = 0.05;
    bool ok = true;
    double start = now();
    for (int i = 0; ok && (i < LEAST_RUNS || (i < MOST_RUNS && now() - start < enough)); i++) {
        run r;
        ok = run_begin(s, &r, plan, leaves);
        for (int k = 0; ok && k < plan->nsteps; k++) {
            double before = now();
            ok = run_step(s, &r, k);
            double took = now() - before;
            seconds[k] = i == 0 || took < seconds[k] ? took : seconds[k];
        }
        run_end(&r);
    }
    return ok;
}
