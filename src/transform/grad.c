/* grad and grad_and_value: pull a cotangent of 1 through the tape of a scalar function. */
#include "base/dtype.h"
#include "base/memory.h"
#include "prim/family.h"
#include "transform/argnums.h"
#include "transform/tape.h"

typedef struct grad_self {
    const char *name;
    lucid__fn *f;
    lucid__argnums argnums;
    bool has_aux, with_value;
} grad_self;

static void destroy(void *self)
{
    grad_self *g = self;
    lucid__fn_release(g->f);
    lucid__argnums_free(&g->argnums);
}

static bool check_value(lucid_scope *s, const grad_self *g, const lucid_results *y)
{
    size_t values = y->count - y->aux;
    char text[LUCID__SHAPE_TEXT];
    if (values != 1) {
        (void)lucid_fail(s, LUCID_TYPE_ERROR,
                         "%s: the function must return one 0-d float, it returned %zu results%s",
                         g->name, values, g->has_aux ? "" : " (has_aux is not set)");
        return false;
    }
    const lucid__aval *aval = &y->at[0].x.v->aval;
    if (aval->shape.ndim != 0)
        (void)lucid_fail(s, LUCID_VALUE_ERROR,
                         "%s: the function must return a scalar, it returned shape %s; reduce it "
                         "(sum, mean) or use jacrev",
                         g->name, lucid__shape_text(&aval->shape, text, sizeof text));
    else if (!lucid__is_float(aval->dtype))
        (void)lucid_fail(s, LUCID_TYPE_ERROR, "%s: the function must return a float, not %s",
                         g->name, lucid_dtype_name(aval->dtype));
    return lucid__ok(s);
}

static lucid_status call(lucid_scope *s, const void *self, const lucid_tensor *x, size_t nx,
                         lucid_results *out)
{
    const grad_self *g = self;
    bool *active = lucid_alloc(s, (nx + 1) * sizeof *active);
    lucid_tensor *dx = lucid__alloc(s, (nx + 1) * sizeof *dx);
    lucid_results *y = lucid_results_new(s);
    if (!active || !dx || !y ||
        !lucid__argnums_select(s, g->name, g->f, &g->argnums, x, nx, active))
        return lucid_error(s);
    lucid__linear linear;
    if (!lucid__linearize(s, g->f, x, active, nx, g->has_aux, y, &linear))
        return lucid_error(s);
    if (check_value(s, g, y)) {
        lucid_tensor one = lucid_ones_like(s, y->at[0].x);
        lucid__linear_pull(s, &linear, &one, dx);
    }
    for (size_t k = 0; k < g->argnums.n && lucid__ok(s); k++) {
        int i = lucid__argnum(&g->argnums, k, nx);
        (void)lucid_results_push(s, out, dx[i].v ? dx[i] : lucid__zeros(s, &linear.x_avals[i]));
    }
    lucid__linear_release(&linear);
    if (g->with_value && lucid__ok(s))
        (void)lucid_results_push(s, out, y->at[0].x);
    for (size_t k = 1; lucid__ok(s) && k < y->count; k++)
        (void)lucid_results_push_aux(s, out, y->at[k].x);
    return lucid_error(s);
}

static lucid_fn make(lucid_scope *s, lucid_fn f, const lucid_grad_options *options,
                     const char *name, bool with_value)
{
    lucid__fn *object = NULL;
    if (!lucid__check_fn(s, name, f))
        return (lucid_fn){NULL};
    object = lucid__fn_alloc(name, sizeof(grad_self), call, destroy);
    if (object) {
        grad_self *g = (grad_self *)(void *)object->self;
        g->name = name;
        g->f = lucid__fn_retain(f.f);
        object->takes_numbers = true;
        lucid__fn_take_argument_names(object, f.f);
        g->has_aux = options && options->has_aux;
        g->with_value = with_value;
        if (!lucid__argnums_copy(&g->argnums, options ? options->argnums : (lucid_ints){0})) {
            lucid__fn_release(object);
            object = NULL;
        }
    }
    return lucid__own_fn(s, object);
}

lucid_fn lucid__grad_named(lucid_scope *s, lucid_fn f, const lucid_grad_options *options,
                           const char *name)
{
    return make(s, f, options, name, false);
}

lucid_fn lucid_grad(lucid_scope *s, lucid_fn f, const lucid_grad_options *options)
{
    return lucid__grad_named(s, f, options, "grad");
}

lucid_fn lucid_grad_and_value(lucid_scope *s, lucid_fn f, const lucid_grad_options *options)
{
    return make(s, f, options, "grad_and_value", true);
}
