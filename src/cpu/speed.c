#include "cpu/speed.h"

#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "cpu/blas.h"
#include "cpu/instr.h"
#include "cpu/native.h"
#include "cpu/run_program.h"
#include "cpu/threads.h"
#include "engine/work.h"

enum {
    RUNS = 8,          /* of which the fastest counts */
    LONG = 16 << 20,   /* bytes of a copy: beyond the caches that belong to one core */
    SHORT = 512 << 10, /* bytes that one core moves, read and written together: within them */
    LANES = 512,       /* of an instruction: its operands stay in the nearest cache */
};

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- memory ------------------------------------------------------------------------------------- */

/* Of copies of `part` bytes per thread, done `times` times over. 0: out of memory. */
static double copy_bytes_per_second(int threads, size_t part, int times)
{
    char *from = lucid__malloc(part * (size_t)threads), *to = lucid__malloc(part * (size_t)threads);
    double best = 0;
    for (int run = 0; from && to && run <= RUNS; run++) { /* the first brings the pages in */
        double start = now();
#pragma omp parallel for num_threads(lucid__team(threads))
        for (int t = 0; t < threads; t++) {
            if (run == 0)
                memset(from + (size_t)t * part, 1, part);
            for (int i = 0; i < times; i++)
                memcpy(to + (size_t)t * part, from + (size_t)t * part, part);
        }
        double rate = 2 * (double)part * threads * times / (now() - start);
        best = run > 0 && rate > best ? rate : best;
    }
    lucid__free(from);
    lucid__free(to);
    return best;
}

/* ---- arithmetic ----------------------------------------------------------------------------------- */

/* 0: out of memory. */
static double product_flops_per_second(lucid_dtype dtype, int threads)
{
    enum { N = 512 };
    char *memory = lucid__calloc((size_t)3 * N * N, lucid_dtype_size(dtype));
    threads = memory ? lucid__blas_begin(threads) : 0;
    if (threads == 0) {
        lucid__free(memory);
        return 0;
    }
    size_t bytes = lucid_dtype_size(dtype) * N * N;
    lucid__blas_matrix a = {memory, false, N}, b = {memory + bytes, false, N};
    double best = 0;
    for (int run = 0; run <= RUNS; run++) {
        double start = now();
        lucid__gemm(dtype, N, N, N, 1, a, b, 0, memory + 2 * bytes, N, threads);
        double rate = 2.0 * N * N * N / (now() - start);
        best = run > 0 && rate > best ? rate : best;
    }
    lucid__blas_end();
    lucid__free(memory);
    return best;
}

const lucid__speed *lucid__cpu_speed(void)
{
    static lucid__speed speed;
    int threads = lucid__num_threads();
    static bool known; /* all of it: there was memory enough */
    if (!known || speed.threads != threads) {
        speed.threads = threads;
        speed.bytes_per_second = copy_bytes_per_second(threads, LONG / (size_t)threads, 1);
        speed.cached_bytes_per_second = copy_bytes_per_second(threads, SHORT / 2, 64);
        speed.cached_bytes = (double)SHORT * threads;
        known = speed.bytes_per_second > 0 && speed.cached_bytes_per_second > 0;
        for (int d = LUCID_FLOAT32; d <= LUCID_FLOAT64; d++) {
            speed.flops_per_second[d] = product_flops_per_second((lucid_dtype)d, threads);
            known = known && speed.flops_per_second[d] > 0;
        }
    }
    return &speed;
}

/* ---- instructions ----------------------------------------------------------------------------------- */

enum { PAIRS = LUCID__PAIR_OPS * LUCID__PAIR_THENS };

/* Numbers between 1 and 2, which every function takes the ordinary way. */
static void fill(void *lanes, lucid_dtype dtype)
{
    for (int i = 0; i < LANES; i++) {
        if (dtype == LUCID_FLOAT32)
            ((float *)lanes)[i] = 1 + (float)i / LANES;
        else if (dtype == LUCID_FLOAT64)
            ((double *)lanes)[i] = 1 + (double)i / LANES;
        else if (dtype == LUCID_INT64)
            ((int64_t *)lanes)[i] = 1 + i % 2;
        else if (dtype == LUCID_INT32)
            ((int32_t *)lanes)[i] = 1 + i % 2;
        else
            ((bool *)lanes)[i] = true;
    }
}

/* Seconds of one lane; measured when it is first asked for. */
static double body_seconds(lucid__instr_body *body, int op, lucid_dtype dtype, int to)
{
    enum { REPEAT = 32 };
    static double known[LUCID__PRIM_COUNT + PAIRS][LUCID_NO_DTYPE][LUCID_NO_DTYPE];
    double *seconds = &known[op][dtype][to];
    _Alignas(64) double x[LANES], y[LANES], z[LANES], out[LANES];
    if (*seconds > 0 || !body)
        return *seconds;
    fill(x, dtype);
    fill(y, dtype);
    fill(z, dtype);
    if (op == LUCID__where)
        fill(x, LUCID_BOOL);
    double best = 1;
    for (int run = 0; run <= RUNS; run++) {
        double start = now();
        for (int i = 0; i < REPEAT; i++)
            body(out, x, y, z, LANES, 2);
        double took = now() - start;
        best = run > 0 && took < best ? took : best;
    }
    *seconds = best / (REPEAT * LANES);
    return *seconds;
}

/* Of one lane, on numbers and truth values in the nearest cache, or nearly so if they are many. 0: out of
 * memory. */
static double chain_seconds(const lucid__native *native, int64_t number)
{
    enum { REPEAT = 8 };
    const lucid__chain *c = &native->chains.at[number].chain;
    const size_t each = LANES * lucid_dtype_size(c->dtype);
    char *memory = lucid__malloc((size_t)(c->nin + c->nout) * each);
    void *table[LUCID__MAX_REGISTERS];
    double best = 0;
    for (int i = 0; memory && i < c->nin + c->nout; i++) {
        const lucid__chain_port *port = i < c->nin ? &c->in[i] : &c->out[i - c->nin];
        table[port->reg] = memory + (size_t)i * each;
        fill(table[port->reg], port->truth ? LUCID_BOOL : c->dtype);
    }
    for (int run = 0; memory && run <= RUNS; run++) {
        double start = now();
        for (int i = 0; i < REPEAT; i++)
            lucid__native_run(native, number, table, LANES, table);
        double took = now() - start;
        best = run == 0 || took < best ? took : best;
    }
    lucid__free(memory);
    return best / (REPEAT * LANES);
}

/* Reductions as the operation that combines two partial results; what only moves, nothing. */
static double instr_seconds(const lucid__program *p, const lucid__instr *in)
{
    if (p->native && in->op == LUCID__CHAIN)
        return chain_seconds(p->native, in->imm);
    const lucid__bodies *bodies = lucid__bodies_get();
    int op = lucid__is_fold(in->op) ? (int)lucid__fold_combine((lucid__prim_id)in->op) : in->op;
    lucid_dtype dtype = (lucid_dtype)in->dtype;
    if (in->then) {
        int pair = LUCID__PAIR_THENS * lucid__pair_op(op) + lucid__pair_then(in->then, in->turned);
        return body_seconds(lucid__pair_body(bodies, in), LUCID__PRIM_COUNT + pair, dtype,
                            (int)dtype);
    }
    if (op == LUCID__cast)
        return body_seconds(bodies->cast[dtype][in->to], op, dtype, in->to);
    return body_seconds(bodies->op[op][dtype], op, dtype, (int)dtype);
}

double lucid__cpu_program_seconds(const lucid__program *p)
{
    const lucid__program *form = p->native ? &p->native->program : p;
    double seconds = 0;
    for (int i = 0; i < form->ninstrs; i++) {
        const lucid__instr *in = &form->instrs[i];
        seconds += instr_seconds(form, in) * lucid__instr_points(form, in);
    }
    return seconds / lucid__threads_for(p, lucid__points(p, (1u << p->ndim) - 1));
}
