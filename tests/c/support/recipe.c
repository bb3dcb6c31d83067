#include "support/recipe.h"

#include <stdio.h>

#include "base/dtype.h"
#include "support/differences.h"

recipe recipe_plain(lucid_function *function, void *user, size_t nx, size_t ny)
{
    return (recipe){.kind = RECIPE_PLAIN, .nx = nx, .ny = ny, .function = function, .user = user};
}

recipe recipe_vjp(const recipe *of)
{
    return (recipe){.kind = RECIPE_VJP, .of = of, .nx = of->nx + of->ny, .ny = of->nx};
}

recipe recipe_jvp(const recipe *of)
{
    return (recipe){.kind = RECIPE_JVP, .of = of, .nx = 2 * of->nx, .ny = of->ny};
}

recipe recipe_linearize(const recipe *of)
{
    return (recipe){.kind = RECIPE_LINEARIZE, .of = of, .nx = 2 * of->nx, .ny = of->ny};
}

recipe recipe_vmap(const recipe *of, const lucid_vmap_options *options)
{
    return (recipe){.kind = RECIPE_VMAP, .of = of, .nx = of->nx, .ny = of->ny, .vmap = options};
}

recipe recipe_compiled(const recipe *of)
{
    return (recipe){.kind = RECIPE_COMPILED, .of = of, .nx = of->nx, .ny = of->ny};
}

/* ---- the transforms as functions --------------------------------------------------------------- */

typedef struct made {
    const recipe *r;
    lucid_fn inner;
} made;

static lucid_status run_vjp(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                            size_t ny, void *user)
{
    const made *m = user;
    const recipe *f = m->r->of;
    lucid_tensor value[RECIPE_MAX];
    lucid_fn pull = lucid_vjp(s, m->inner, x, f->nx, value, f->ny);
    return lucid_call(s, pull, x + f->nx, nx - f->nx, y, ny);
}

static lucid_status run_jvp(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                            size_t ny, void *user)
{
    const made *m = user;
    lucid_tensor value[RECIPE_MAX];
    return lucid_jvp(s, m->inner, x, x + nx / 2, nx / 2, value, y, ny);
}

static lucid_status run_linearize(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                  size_t ny, void *user)
{
    const made *m = user;
    lucid_tensor value[RECIPE_MAX];
    lucid_fn linear = lucid_linearize(s, m->inner, x, nx / 2, value, ny);
    return lucid_call(s, linear, x + nx / 2, nx / 2, y, ny);
}

/* The second call finds the plan of the first; the generator is put back for it. */
static lucid_status run_compiled(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                 size_t ny, void *user)
{
    const made *m = user;
    lucid_fn f = lucid_compile(s, m->inner, x, nx, NULL);
    lucid_rng_state before = lucid_generator_state(lucid_generator_of(s));
    (void)lucid_call(s, f, x, nx, y, ny);
    lucid_generator_set_state(lucid_generator_of(s), before);
    return lucid_call(s, f, x, nx, y, ny);
}

lucid_fn recipe_make(lucid_scope *s, const recipe *r)
{
    static lucid_function *const functions[] = {[RECIPE_VJP] = run_vjp,
                                                [RECIPE_JVP] = run_jvp,
                                                [RECIPE_LINEARIZE] = run_linearize,
                                                [RECIPE_COMPILED] = run_compiled};
    if (r->kind == RECIPE_PLAIN)
        return lucid_fn_new(s, r->function, r->ny, r->user);
    lucid_fn inner = recipe_make(s, r->of);
    if (r->kind == RECIPE_VMAP)
        return lucid_vmap(s, inner, r->vmap);
    made *m = lucid_alloc(s, sizeof *m);
    if (!m)
        return (lucid_fn){NULL};
    *m = (made){r, inner};
    return lucid_fn_new(s, functions[r->kind], r->ny, m);
}

/* ---- running ----------------------------------------------------------------------------------- */

static char message[1024];
static int64_t runs;

int64_t recipe_runs(void)
{
    return runs;
}

const char *recipe_message(void)
{
    return message;
}

lucid_status recipe_run(const recipe *r, const host_array *x, host_array *y)
{
    lucid_tensor in[RECIPE_MAX], out[RECIPE_MAX];
    lucid_scope *s = lucid_open(NULL);
    runs++;
    lucid_fn f = recipe_make(s, r);
    for (size_t i = 0; i < r->nx; i++)
        in[i] = host_to_tensor(s, &x[i]);
    (void)lucid_call(s, f, in, r->nx, out, r->ny);
    (void)lucid_eval(s, out, r->ny);
    for (size_t k = 0; k < r->ny && lucid_error(s) == LUCID_OK; k++)
        y[k] = host_from_tensor(s, out[k]);
    (void)snprintf(message, sizeof message, "%s", lucid_error_message(s));
    return lucid_close(s);
}

bool recipe_must_run(const recipe *r, const host_array *x, host_array *y)
{
    lucid_status status = recipe_run(r, x, y);
    if (status != LUCID_OK)
        difference("failed with status %d: %s", (int)status, message);
    return status == LUCID_OK;
}

bool finite_difference(const recipe *r, const host_array *x, const host_array *dx, double h,
                       host_array *dy)
{
    static const double at[4] = {1, -1, 2, -2}, weight[4] = {8, -8, -1, 1};
    for (int k = 0; k < 4; k++) {
        host_array moved[RECIPE_MAX], y[RECIPE_MAX] = {{0}};
        for (size_t i = 0; i < r->nx; i++)
            moved[i] = host_moved(&x[i], &dx[i], at[k] * h);
        if (!recipe_must_run(r, moved, y))
            return false;
        for (size_t j = 0; j < r->ny; j++) {
            if (k == 0)
                dy[j] = host_like(&y[j]);
            for (int64_t i = 0; lucid__is_float(y[j].dtype) && i < y[j].n; i++)
                dy[j].at[i] += weight[k] * y[j].at[i] / (12 * h);
        }
    }
    return true;
}
