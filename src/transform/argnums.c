#include "transform/argnums.h"

#include "base/dtype.h"
#include "base/memory.h"
#include "graph/fn.h"
#include "graph/scope.h"

bool lucid__argnums_copy(lucid__argnums *to, lucid_ints from)
{
    static const int first = 0;
    if (from.n == 0)
        from = (lucid_ints){&first, 1};
    to->at = lucid__malloc(from.n * sizeof *to->at);
    if (!to->at)
        return false;
    to->n = from.n;
    for (size_t i = 0; i < from.n; i++)
        to->at[i] = from.at[i];
    return true;
}

void lucid__argnums_free(lucid__argnums *a)
{
    lucid__free(a->at);
    *a = (lucid__argnums){0};
}

int lucid__argnum(const lucid__argnums *a, size_t k, size_t nx)
{
    return a->at[k] < 0 ? a->at[k] + (int)nx : a->at[k];
}

bool lucid__argnums_select(lucid_scope *s, const char *name, const lucid__fn *f,
                           const lucid__argnums *a, const lucid_tensor *x, size_t nx, bool *active)
{
    for (size_t k = 0; k < a->n; k++) {
        int i = lucid__argnum(a, k, nx);
        if (i < 0 || (size_t)i >= nx) {
            (void)lucid_fail(s, LUCID_VALUE_ERROR,
                             "%s: argnum %d is out of range for a function called with %zu "
                             "arguments",
                             name, a->at[k], nx);
            return false;
        }
        lucid_dtype dtype = x[i].v->aval.dtype;
        if (!lucid__is_float(dtype)) {
            char place[LUCID__PLACE_TEXT];
            (void)lucid_fail(
                s, LUCID_TYPE_ERROR,
                "%s: %s is %s; only floats can be differentiated: cast it to a float, or "
                "leave it out of argnums",
                name, lucid__argument_name(f, "argument", (size_t)i, place),
                lucid_dtype_name(dtype));
            return false;
        }
        active[i] = true;
    }
    return lucid__ok(s);
}

bool lucid__check_fn(lucid_scope *s, const char *name, lucid_fn f)
{
    if (lucid__ok(s) && !f.f)
        (void)lucid_fail(s, LUCID_TYPE_ERROR, "%s: the function is an empty handle", name);
    return lucid__ok(s);
}
