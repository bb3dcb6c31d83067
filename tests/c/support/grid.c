#include "support/grid.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "support/differences.h"
#include "support/recipe.h"
#include "support/reference.h"
#include "support/samples.h"

enum { B = GRID_LANES, MAX = RECIPE_MAX };

/* ---- the primitive as a function -------------------------------------------------------------- */

typedef struct subject {
    lucid__prim_id id;
    const lucid__prim *prim;
    const lucid__sample *sample;
    int number;
    recipe f;
    bool differentiable; /* some input and some output is a float */
    bool smooth;         /* and the primitive is not piecewise constant */
    bool exact;          /* float64 throughout: finite differences mean something */
    /* Per lane: inputs, tangents of them, cotangents of the outputs, and the outputs. */
    host_array x[B][MAX], t[B][MAX], ct[B][MAX], y[B][MAX];
} subject;

static const int64_t *params_of(const subject *p)
{
    const int64_t *const *words = p->prim->rules->long_params;
    return words ? words[p->number] : p->sample->params;
}

static lucid_status apply(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                          size_t ny, void *user)
{
    const subject *p = user;
    lucid__call c = {p->id, (int)nx, p->sample->nparams, x, params_of(p)};
    (void)ny;
    lucid__bind(s, &c, y);
    return lucid_error(s);
}

static host_array random_like(const host_array *x, test_rng *rng)
{
    host_array t = host_like(x);
    for (int64_t i = 0; lucid__is_float(t.dtype) && i < t.n; i++)
        t.at[i] = host_round(t.dtype, rng_normal(rng));
    return t;
}

static bool any_float(const host_array *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (lucid__is_float(x[i].dtype))
            return true;
    return false;
}

static bool no_float32(const host_array *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (x[i].dtype == LUCID_FLOAT32)
            return false;
    return true;
}

/* A function of a symmetric matrix alone is only meant for symmetric directions. */
static void symmetrise(host_array *t)
{
    int64_t n = t->shape.dim[t->shape.ndim - 1];
    for (int64_t at = 0; at < t->n; at += n * n)
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < i; j++)
                t->at[at + j * n + i] = t->at[at + i * n + j];
}

#define CHECKING(p, ...) checking_at(p, __VA_ARGS__)
static void checking_at(const subject *p, const char *what, const char *detail)
{
    checking("%s, sample %d, %s%s%s", p->prim->name, p->number, what, detail[0] ? ": " : "",
             detail);
}

/* False: the primitive does not even run. */
static bool subject_init(subject *p, lucid__prim_id id, const lucid__sample *sample, int number,
                         uint64_t seed)
{
    memset(p, 0, sizeof *p);
    p->id = id;
    p->prim = lucid__prim_get(id);
    p->sample = sample;
    p->number = number;
    size_t nx = (size_t)sample->nin, ny = (size_t)lucid__outputs_of(id, params_of(p));
    p->f = recipe_plain(apply, p, nx, ny);
    CHECKING(p, "value", "");
    for (int b = 0; b < B; b++) {
        for (size_t i = 0; i < nx; i++) {
            test_rng rng = rng_of(seed + (uint64_t)number, i, (uint64_t)b);
            p->x[b][i] = sample_input(&sample->in[i], &rng);
            p->t[b][i] = random_like(&p->x[b][i], &rng);
            if (nx == 1 && strcmp(sample->in[i].fill, "spd") == 0)
                symmetrise(&p->t[b][i]);
        }
        if (!recipe_must_run(&p->f, p->x[b], p->y[b]))
            return false;
        for (size_t k = 0; k < ny; k++) {
            test_rng rng = rng_of(seed + (uint64_t)number, 100 + k, (uint64_t)b);
            p->ct[b][k] = random_like(&p->y[b][k], &rng);
        }
    }
    p->differentiable = any_float(p->x[0], nx) && any_float(p->y[0], ny);
    p->smooth = p->differentiable && !p->prim->rules->zero_derivative;
    p->exact = p->differentiable && no_float32(p->x[0], nx) && no_float32(p->y[0], ny);
    return true;
}

static double tolerance_of(const subject *p)
{
    return p->exact || !p->differentiable ? same_maths(LUCID_FLOAT64)
                                          : 10 * same_maths(LUCID_FLOAT32);
}

/* Arguments of a transform: x's and more, per lane. */
typedef struct arguments {
    size_t n;
    host_array at[B][MAX];
} arguments;

static void append(arguments *a, const host_array (*from)[MAX], size_t n)
{
    for (int b = 0; b < B; b++)
        for (size_t i = 0; i < n; i++)
            a->at[b][a->n + i] = from[b][i];
    a->n += n;
}

static arguments arguments_of(const subject *p, bool tangents, bool cotangents)
{
    arguments a = {0};
    append(&a, p->x, p->f.nx);
    if (tangents)
        append(&a, p->t, p->f.nx);
    if (cotangents)
        append(&a, p->ct, p->f.ny);
    return a;
}

/* ---- vmap against the loop over examples ------------------------------------------------------ */

enum { FRONT, BACK, MIDDLE, MIXED, AXIS_MODES };

/* Where argument i of ndim dims carries its batch, counted from the front. */
static int axis_for(int mode, int ndim, size_t i)
{
    switch (mode) {
    case FRONT:
        return 0;
    case BACK:
        return ndim;
    case MIDDLE:
        return (ndim + 1) / 2;
    default:
        return (int)(i + 1) % (ndim + 1);
    }
}

/* A mapping: which arguments, along which axes, in how many lanes. */
typedef struct mapping {
    int in_dims[MAX], axis[MAX], out_dim;
    lucid_vmap_options options;
    char text[160];
} mapping;

static void describe(mapping *m, size_t n)
{
    size_t used = (size_t)snprintf(m->text, sizeof m->text, "in_dims (");
    for (size_t i = 0; i < n && used < sizeof m->text; i++)
        used +=
            (size_t)(m->in_dims[i] == LUCID_NONE
                         ? snprintf(m->text + used, sizeof m->text - used, "None, ")
                         : snprintf(m->text + used, sizeof m->text - used, "%d, ", m->in_dims[i]));
    if (used < sizeof m->text)
        (void)snprintf(m->text + used, sizeof m->text - used, "), out_dim %d", m->out_dim);
}

static void map_arguments(mapping *m, const arguments *a, uint32_t mapped, int mode)
{
    *m = (mapping){.out_dim = mode == BACK ? -1 : 0};
    for (size_t i = 0; i < a->n; i++) {
        int ndim = a->at[0][i].shape.ndim;
        m->axis[i] = (mapped >> i) & 1 ? axis_for(mode, ndim, i) : -1;
        /* Counted from the end in every other mode. */
        m->in_dims[i] = m->axis[i] < 0                  ? LUCID_NONE
                        : mode == BACK || mode == MIXED ? m->axis[i] - ndim - 1
                                                        : m->axis[i];
    }
    m->options = (lucid_vmap_options){.in_dims = {m->in_dims, a->n}, .out_dims = {&m->out_dim, 1}};
    describe(m, a->n);
}

static void stack_arguments(const mapping *m, const arguments *a, int64_t lanes, host_array *x)
{
    for (size_t i = 0; i < a->n; i++) {
        host_array of_lane[B];
        for (int b = 0; b < B; b++)
            of_lane[b] = a->at[b][i];
        x[i] = m->axis[i] < 0 ? a->at[0][i] : host_stack(of_lane, lanes, m->axis[i]);
    }
}

/* Results of f lane by lane: lane b sees its own values of the mapped arguments and lane 0's of the
 * others. */
static bool run_lanes(const recipe *f, const arguments *a, uint32_t mapped, host_array (*y)[MAX])
{
    for (int b = 0; b < B; b++) {
        host_array x[MAX];
        for (size_t i = 0; i < a->n; i++)
            x[i] = a->at[(mapped >> i) & 1 ? b : 0][i];
        if (!recipe_must_run(f, x, y[b]))
            return false;
    }
    return true;
}

static host_array stack_lanes(host_array (*y)[MAX], size_t k, int64_t lanes, int axis)
{
    host_array of_lane[B];
    for (int b = 0; b < B; b++)
        of_lane[b] = y[b][k];
    return host_stack(of_lane, lanes, axis);
}

static bool check_mapping(const subject *p, const char *what, const recipe *f, const arguments *a,
                          const mapping *m, int64_t lanes, host_array (*lane)[MAX])
{
    recipe v = recipe_vmap(f, &m->options);
    host_array x[MAX], y[MAX];
    CHECKING(p, what, m->text);
    stack_arguments(m, a, lanes, x);
    if (!recipe_must_run(&v, x, y))
        return false;
    for (size_t k = 0; k < f->ny; k++) {
        int axis = m->out_dim < 0 ? lane[0][k].shape.ndim : 0;
        host_array want = stack_lanes(lane, k, lanes, axis);
        (void)same(f->ny > 1 && k > 0 ? "a later result" : "the result", &y[k], &want,
                   tolerance_of(p));
    }
    return true;
}

/* One subset of the arguments, at all axes; true when it runs. */
static bool check_subset(const subject *p, const char *what, const recipe *f, const arguments *a,
                         uint32_t mapped, int modes)
{
    host_array lane[B][MAX];
    CHECKING(p, what, "single runs");
    if (!run_lanes(f, a, mapped, lane))
        return false;
    for (int mode = 0; mode < modes; mode++) {
        mapping m;
        map_arguments(&m, a, mapped, mode);
        if (!check_mapping(p, what, f, a, &m, B, lane))
            return false;
        if (mode == FRONT) { /* no lane at all, one lane, lanes in chunks, one after the other */
            (void)check_mapping(p, what, f, a, &m, 0, lane);
            (void)check_mapping(p, what, f, a, &m, 1, lane);
            m.options.chunk_size = 2;
            (void)check_mapping(p, what, f, a, &m, B, lane);
            m.options.chunk_size = 0;
            m.options.strategy = LUCID_STRATEGY_ISOLATED;
            (void)check_mapping(p, what, f, a, &m, B, lane);
        }
    }
    return true;
}

static uint32_t all_of(size_t n)
{
    return (UINT32_C(1) << n) - 1;
}

static void check_value(const subject *p)
{
    host_array want[MAX];
    lucid__call c = {p->id, (int)p->f.nx, p->sample->nparams, NULL, params_of(p)};
    for (size_t k = 0; k < p->f.ny; k++)
        want[k] = host_like(&p->y[0][k]);
    CHECKING(p, "value", "");
    if (!reference_run(&c, p->x[0], want))
        return;
    for (size_t k = 0; k < p->f.ny; k++)
        (void)same("against plain loops", &p->y[0][k], &want[k], tolerance_of(p));
}

static void check_vmap(const subject *p)
{
    arguments a = arguments_of(p, false, false);
    for (uint32_t mapped = 1; mapped <= all_of(a.n); mapped++)
        if (!check_subset(p, "vmap", &p->f, &a, mapped, AXIS_MODES))
            return;
}

/* vmap of a function of (x, more): all arguments, the x's alone, the others alone, each one. */
static void check_vmap_of(const subject *p, const char *what, const recipe *f, const arguments *a)
{
    uint32_t all = all_of(a->n), xs = all_of(p->f.nx);
    if (check_subset(p, what, f, a, all, AXIS_MODES) && check_subset(p, what, f, a, xs, BACK + 1))
        (void)check_subset(p, what, f, a, all & ~xs, BACK + 1);
}

/* The batch of a vmap as examples of an outer one: 3 lanes of rows of 3 examples, rotated so that no
 * two lanes are alike. */
static void check_vmap_of_vmap(const subject *p, const recipe *f, const arguments *a)
{
    static const int inner_modes[] = {FRONT, BACK}, outer_modes[] = {BACK, FRONT};
    for (size_t k = 0; k < 2; k++) {
        mapping m;
        map_arguments(&m, a, all_of(a->n), inner_modes[k]);
        arguments rows = {.n = a->n};
        for (int b = 0; b < B; b++) {
            arguments turned = *a;
            for (int c = 0; c < B; c++)
                memcpy(turned.at[c], a->at[(b + c) % B], sizeof turned.at[c]);
            stack_arguments(&m, &turned, B, rows.at[b]);
        }
        recipe inner = recipe_vmap(f, &m.options);
        (void)check_subset(p, "vmap of vmap", &inner, &rows, all_of(a->n), outer_modes[k] + 1);
    }
}

/* ---- derivatives ------------------------------------------------------------------------------ */

/* Runs r; true when it works. A failure that gives the primitive's own reason is `unsupported`. */
static grid_outcome attempt(const subject *p, const recipe *r, const host_array *x, host_array *y)
{
    if (recipe_run(r, x, y) == LUCID_OK)
        return p->prim->rules->zero_derivative ? GRID_ZERO : GRID_WORKS;
    const char *why = p->prim->rules->why_not;
    if (why && strstr(recipe_message(), why))
        return GRID_UNSUPPORTED;
    difference("%s", recipe_message());
    return GRID_NOT_TRIED;
}

static void check_zero(const host_array *y, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        host_array zero = host_like(&y[k]);
        (void)same("a zero derivative", &y[k], &zero, 0);
    }
}

static double scale_of(const host_array *x, const host_array *y, size_t n)
{
    double scale = 1;
    for (size_t i = 0; i < n; i++)
        scale += host_largest(&x[i]) * host_largest(&y[i]) * (double)x[i].n;
    return scale;
}

static double dots(const host_array *x, const host_array *y, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += host_dot(&x[i], &y[i]);
    return sum;
}

/* jvp of f at a in direction t against finite differences. */
static bool check_against_differences(const recipe *f, const host_array *x, const host_array *t,
                                      const host_array *dy)
{
    host_array want[MAX], finer[MAX];
    if (!finite_difference(f, x, t, 2e-4, want) || !finite_difference(f, x, t, 5e-5, finer))
        return false;
    for (size_t k = 0; k < f->ny; k++) {
        /* Where two steps disagree, as near a singular matrix, they say less. */
        double off = 0, scale = fmax(1, host_largest(&finer[k]));
        for (int64_t i = 0; i < want[k].n; i++)
            off = fmax(off, fabs(want[k].at[i] - finer[k].at[i]));
        (void)same("against finite differences", &dy[k], &finer[k],
                   fmax(FINITE_DIFFERENCE_TOLERANCE, off / scale));
    }
    return true;
}

/* <ct, J t> = <J^T ct, t> */
static void check_adjoint(const subject *p, const host_array *ct, const host_array *jt, size_t ny,
                          const host_array *jtct, const host_array *t, size_t nx)
{
    (void)same_number("<ct, J t> = <J^T ct, t>", dots(jtct, t, nx), dots(ct, jt, ny),
                      p->exact ? 1e-9 : 1e-3, fmin(scale_of(ct, jt, ny), scale_of(jtct, t, nx)));
}

/* First derivatives of f at lane 0; true when both exist. */
static bool check_first(const subject *p, grid_support *support)
{
    recipe jvp = recipe_jvp(&p->f), vjp = recipe_vjp(&p->f), lin = recipe_linearize(&p->f);
    arguments xt = arguments_of(p, true, false), xc = arguments_of(p, false, true);
    host_array dy[MAX], dy2[MAX], dx[MAX];
    CHECKING(p, "jvp", "");
    support->jvp = attempt(p, &jvp, xt.at[0], dy);
    if (support->jvp != GRID_WORKS && support->jvp != GRID_ZERO)
        return false;
    if (support->jvp == GRID_ZERO)
        check_zero(dy, p->f.ny);
    else if (p->exact)
        (void)check_against_differences(&p->f, p->x[0], p->t[0], dy);
    CHECKING(p, "linearize", "");
    if (recipe_must_run(&lin, xt.at[0], dy2))
        for (size_t k = 0; k < p->f.ny; k++)
            (void)same("against jvp", &dy2[k], &dy[k], tolerance_of(p));
    CHECKING(p, "vjp", "");
    support->vjp = attempt(p, &vjp, xc.at[0], dx);
    if (support->vjp != GRID_WORKS && support->vjp != GRID_ZERO)
        return false;
    if (support->vjp == GRID_ZERO)
        check_zero(dx, p->f.nx);
    check_adjoint(p, p->ct[0], dy, p->f.ny, dx, p->t[0], p->f.nx);
    return true;
}

/* Derivatives of the pullback g(x, ct) = J(x)^T ct: forward against finite differences, reverse
 * against forward. */
static void check_second(const subject *p)
{
    recipe g = recipe_vjp(&p->f), jvp = recipe_jvp(&g), vjp = recipe_vjp(&g);
    host_array x[MAX], xt[MAX], xw[MAX], dg[MAX], dx[MAX], *t = xt + g.nx, *w = xw + g.nx;
    for (size_t i = 0; i < g.nx; i++) {
        test_rng rng = rng_of(17, i, 0);
        x[i] = i < p->f.nx ? p->x[0][i] : p->ct[0][i - p->f.nx];
        xt[i] = xw[i] = x[i];
        t[i] = i < p->f.nx ? p->t[0][i] : random_like(&x[i], &rng);
    }
    for (size_t i = 0; i < p->f.nx; i++)
        w[i] = p->t[1][i];
    CHECKING(p, "jvp of vjp", "");
    if (!recipe_must_run(&jvp, xt, dg))
        return;
    if (p->exact)
        (void)check_against_differences(&g, x, t, dg);
    CHECKING(p, "vjp of vjp", "");
    if (recipe_must_run(&vjp, xw, dx))
        check_adjoint(p, w, dg, g.ny, dx, t, g.nx);
    if (p->smooth)
        return;
    check_zero(dg, g.ny);
}

/* The pullback of vmap(f) is that of f in every lane; arguments that all lanes share get the sum. */
static void check_vjp_of_vmap(const subject *p, uint32_t mapped, int mode)
{
    size_t nx = p->f.nx, ny = p->f.ny;
    arguments in = arguments_of(p, false, false), both = arguments_of(p, false, true);
    recipe pull = recipe_vjp(&p->f);
    host_array lane[B][MAX], x[MAX], dx[MAX];
    mapping m;
    map_arguments(&m, &in, mapped, mode);
    CHECKING(p, "vjp of vmap", m.text);
    if (!run_lanes(&pull, &both, mapped | (all_of(ny) << nx), lane))
        return;
    recipe v = recipe_vmap(&p->f, &m.options), g = recipe_vjp(&v);
    stack_arguments(&m, &in, B, x);
    for (size_t k = 0; k < ny; k++) {
        host_array ct[B];
        for (int b = 0; b < B; b++)
            ct[b] = p->ct[b][k];
        x[nx + k] = host_stack(ct, B, m.out_dim < 0 ? ct[0].shape.ndim : 0);
    }
    if (!recipe_must_run(&g, x, dx))
        return;
    for (size_t i = 0; i < nx; i++) {
        host_array want = host_like(&lane[0][i]);
        if (m.axis[i] >= 0)
            want = stack_lanes(lane, i, B, m.axis[i]);
        else
            for (int b = 0; b < B; b++)
                for (int64_t j = 0; j < want.n; j++)
                    want.at[j] += lane[b][i].at[j];
        (void)same("the cotangent", &dx[i], &want, tolerance_of(p));
    }
}

static void check_derivatives_mapped(const subject *p)
{
    recipe jvp = recipe_jvp(&p->f), vjp = recipe_vjp(&p->f), second = recipe_jvp(&vjp);
    arguments xt = arguments_of(p, true, false), xc = arguments_of(p, false, true);
    check_vmap_of(p, "vmap of jvp", &jvp, &xt);
    check_vmap_of(p, "vmap of vjp", &vjp, &xc);
    check_vmap_of_vmap(p, &vjp, &xc);
    for (uint32_t mapped = 1; mapped <= all_of(p->f.nx); mapped++)
        for (int mode = FRONT; mode <= BACK; mode++)
            check_vjp_of_vmap(p, mapped, mode);
    arguments both = xc;
    for (int b = 0; b < B; b++)
        for (size_t i = 0; i < xc.n; i++) {
            test_rng rng = rng_of(23, i, (uint64_t)b);
            both.at[b][xc.n + i] = random_like(&xc.at[b][i], &rng);
        }
    both.n = 2 * xc.n;
    (void)check_subset(p, "vmap of jvp of vjp", &second, &both, all_of(both.n), AXIS_MODES);
}

/* ---- one sample ------------------------------------------------------------------------------- */

void grid_check(lucid__prim_id id, const lucid__sample *sample, int number, uint64_t seed,
                grid_support *support)
{
    static subject p; /* a few hundred kilobytes */
    size_t mark = host_mark();
    int before = differences_count();
    if (!subject_init(&p, id, sample, number, seed)) {
        host_release(mark);
        return;
    }
    check_value(&p);
    if (sample->nin > 0) {
        arguments a = arguments_of(&p, false, false);
        check_vmap(&p);
        check_vmap_of_vmap(&p, &p.f, &a);
        support->vmap = differences_count() == before ? GRID_WORKS : support->vmap;
    }
    if (p.differentiable && check_first(&p, support)) {
        check_second(&p);
        check_derivatives_mapped(&p);
    }
    host_release(mark);
}

static void note(grid_outcome *to, grid_outcome outcome)
{
    if (outcome != GRID_NOT_TRIED)
        *to = outcome;
}

void grid_probe(lucid__prim_id id, const lucid__sample *sample, int number, grid_support *support)
{
    static subject p;
    size_t mark = host_mark();
    host_array y[MAX], x[MAX];
    if (subject_init(&p, id, sample, number, 1) && sample->nin > 0) {
        arguments a = arguments_of(&p, false, false);
        mapping m;
        map_arguments(&m, &a, all_of(a.n), FRONT);
        recipe vmap = recipe_vmap(&p.f, &m.options);
        stack_arguments(&m, &a, B, x);
        grid_outcome outcome = attempt(&p, &vmap, x, y);
        note(&support->vmap, outcome == GRID_ZERO ? GRID_WORKS : outcome);
    }
    if (p.differentiable) {
        recipe jvp = recipe_jvp(&p.f), vjp = recipe_vjp(&p.f);
        arguments xt = arguments_of(&p, true, false), xc = arguments_of(&p, false, true);
        note(&support->jvp, attempt(&p, &jvp, xt.at[0], y));
        note(&support->vjp, attempt(&p, &vjp, xc.at[0], y));
    }
    host_release(mark);
}
