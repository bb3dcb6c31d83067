/* lucid from C, as one of the processes that bench/run.py drives; bench/worker.py says what the
 * commands are. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "workloads.h"

enum { MAX_TENSORS = 8, MAX_SAMPLES = 4096 };

typedef struct worker {
    const workload *work;
    lucid_scope *scope; /* holds the inputs and the function */
    lucid_tensor x[MAX_TENSORS];
    lucid_fn f;
} worker;

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void reply(const char *text)
{
    (void)puts(text);
    (void)fflush(stdout);
}

/* One whole call with its evaluation; with a file, the results are written to it. */
static bool call(const worker *w, FILE *to)
{
    if (!w->work)
        return false; /* nothing is loaded yet */
    lucid_tensor y[MAX_TENSORS];
    lucid_scope *s = lucid_scope_new(w->scope);
    (void)lucid_call(s, w->f, w->x, w->work->nx, y, w->work->ny);
    (void)lucid_eval(s, y, w->work->ny);
    bool ok = true;
    for (size_t k = 0; to && k < w->work->ny && lucid_error(s) == LUCID_OK; k++) {
        size_t n = (size_t)lucid_numel(y[k]), size = lucid_dtype_size(lucid_dtype_of(y[k]));
        const void *data = lucid_data(s, y[k]);
        (void)fprintf(to, "%s %zu\n", lucid_dtype_name(lucid_dtype_of(y[k])), n);
        ok = ok && data && fwrite(data, size, n, to) == n;
    }
    return lucid_close(s) == LUCID_OK && ok;
}

/* ---- commands ----------------------------------------------------------------------------------- */

static lucid_dtype dtype_named(const char *name)
{
    for (int d = 0; d < LUCID_NO_DTYPE; d++)
        if (strcmp(name, lucid_dtype_name((lucid_dtype)d)) == 0)
            return (lucid_dtype)d;
    return LUCID_NO_DTYPE;
}

/* FILE DTYPE SIZExSIZE... IN_DIM: one input. */
static lucid_tensor read_input(lucid_scope *s, char **rest, int *in_dim)
{
    const char *path = strtok_r(NULL, " ", rest), *name = strtok_r(NULL, " ", rest);
    char *sizes = strtok_r(NULL, " ", rest), *dim = strtok_r(NULL, " ", rest);
    lucid_tensor x = {NULL};
    lucid_shape shape = {0};
    if (!path || !name || !sizes || !dim || dtype_named(name) == LUCID_NO_DTYPE)
        return x;
    *in_dim = *dim == '-' ? LUCID_NONE : (int)strtol(dim, NULL, 10);
    size_t n = 1, size = lucid_dtype_size(dtype_named(name));
    for (char *at = sizes; *at && shape.ndim < LUCID_MAX_NDIM; at += *at == 'x') {
        shape.dim[shape.ndim] = strtoll(at, &at, 10);
        n *= (size_t)shape.dim[shape.ndim++];
    }
    void *data = calloc(n, size);
    FILE *from = fopen(path, "rb");
    if (data && from && fread(data, size, n, from) == n)
        x = lucid_from_data(s, data, dtype_named(name), shape);
    if (from)
        (void)fclose(from);
    free(data);
    return x;
}

static bool load(worker *w, char *line)
{
    char *rest = line;
    int in_dims[MAX_TENSORS];
    const char *kind = strtok_r(NULL, " ", &rest);
    const workload *work = kind ? workload_find(kind) : NULL;
    (void)lucid_close(w->scope);
    *w = (worker){.work = work, .scope = lucid_open(NULL)};
    if (!work)
        return lucid_fail(w->scope, LUCID_VALUE_ERROR, "has no such function") == LUCID_OK;
    for (size_t i = 0; i < work->nx; i++)
        w->x[i] = read_input(w->scope, &rest, &in_dims[i]);
    w->f = workload_make(w->scope, work, (lucid_ints){in_dims, work->nx});
    return lucid_error(w->scope) == LUCID_OK;
}

/* Samples for so many seconds: the time of one call each, from runs long enough for the clock. */
static bool sample(const worker *w, double seconds)
{
    static double times[MAX_SAMPLES];
    const double shortest = 2e-4;
    int calls = 1, count = 0;
    for (double end = now() + seconds; count == 0 || (now() < end && count < MAX_SAMPLES);) {
        double start = now();
        for (int i = 0; i < calls; i++)
            if (!call(w, NULL))
                return false;
        double took = now() - start;
        if (took < shortest && calls < 1 << 20) {
            calls *= 2;
            count = 0;
            continue;
        }
        times[count++] = took / calls;
    }
    for (int i = 0; i < count; i++)
        (void)printf("%s%.9f", i ? " " : "", times[i]);
    reply("");
    return true;
}

static bool save(const worker *w, const char *path)
{
    FILE *to = fopen(path, "wb");
    bool ok = to && call(w, to);
    if (to)
        ok = fclose(to) == 0 && ok;
    return ok;
}

/* Bytes by the kernel's account of this process; 0: there is none. */
static long long memory(const char *field)
{
    char line[256];
    long long kilobytes = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, field, strlen(field)) == 0)
            kilobytes = strtoll(line + strlen(field), NULL, 10);
    if (status)
        (void)fclose(status);
    return 1024 * kilobytes;
}

static bool obey(worker *w, char *line)
{
    double start = now();
    if (strncmp(line, "load ", 5) == 0) {
        if (!load(w, line + 5))
            return false;
        reply("ok");
    } else if (strcmp(line, "first") == 0) {
        if (!call(w, NULL))
            return false;
        (void)printf("%.9f", now() - start);
        reply("");
    } else if (strncmp(line, "sample ", 7) == 0) {
        return sample(w, strtod(line + 7, NULL));
    } else if (strncmp(line, "save ", 5) == 0) {
        if (!save(w, line + 5))
            return false;
        reply("ok");
    } else if (strcmp(line, "memory") == 0) {
        (void)printf("%lld %lld", memory("VmHWM:"), memory("VmRSS:"));
        reply("");
    } else if (strcmp(line, "dispatches") == 0) {
        uint64_t before = lucid_get_stats().steps;
        if (!call(w, NULL))
            return false;
        (void)printf("%llu", (unsigned long long)(lucid_get_stats().steps - before));
        reply("");
    } else if (strcmp(line, "ready") == 0) {
        reply(lucid_version());
    } else {
        return false;
    }
    return true;
}

int main(void)
{
    static char line[1 << 16];
    worker w = {.scope = lucid_open(NULL)};
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        if (obey(&w, line))
            continue;
        const char *why = lucid_error_message(w.scope);
        (void)printf("error %s", *why ? why : line);
        reply("");
        lucid_clear_error(w.scope);
    }
    return lucid_close(w.scope) == LUCID_OK ? 0 : 1;
}
