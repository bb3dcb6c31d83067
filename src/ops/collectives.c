/* psum and its like: the vmap is found by the name of its axis. */
#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "ops/builder.h"
#include "ops/numbers.h"
#include "transform/lane.h"

#define EMPTY ((lucid_tensor){NULL})

static bool is_named(const lucid__level *l)
{
    return (l->kind == LUCID__LEVEL_BATCH || l->kind == LUCID__LEVEL_LANE) && l->name;
}

/* "b", "model": the names in scope, innermost first. */
static void list_names(const lucid_scope *s, char *to, size_t size)
{
    size_t at = 0;
    to[0] = '\0';
    for (const lucid__level *l = s->session->top; l && at < size; l = l->below)
        if (is_named(l))
            at += (size_t)snprintf(to + at, size - at, "%s\"%s\"", at > 0 ? ", " : "", l->name);
    if (at == 0)
        (void)snprintf(to, size, "none");
}

/* The innermost running vmap of this name; NULL with an error. */
static const lucid__level *named(lucid_scope *s, const char *op, const char *axis)
{
    if (!lucid__ok(s))
        return NULL;
    if (!axis) {
        (void)lucid_fail(s, LUCID_TYPE_ERROR, "%s: the name of the axis is NULL", op);
        return NULL;
    }
    for (const lucid__level *l = s->session->top; l; l = l->below)
        if (is_named(l) && strcmp(l->name, axis) == 0)
            return l;
    char names[256];
    list_names(s, names, sizeof names);
    (void)lucid_fail(s, LUCID_VALUE_ERROR,
                     "%s: no axis \"%s\" is in scope here (in scope: %s); call it inside "
                     "%s\"%s\"%s",
                     op, axis, names,
                     lucid__wording(s, "a lucid_vmap with .axis_name = ", "vmap(..., axis_name="),
                     axis, lucid__wording(s, "", ")"));
    return NULL;
}

static lucid_tensor collective(lucid_scope *s, lucid__prim_id prim, lucid_tensor x,
                               const char *axis)
{
    const char *name = lucid__prim_get(prim)->name;
    if (!lucid__check(s, name, x))
        return EMPTY;
    const lucid__level *level = named(s, name, axis);
    if (!level)
        return EMPTY;
    int64_t params[] = {(int64_t)level->id, level->lanes};
    return lucid__bind1(s, prim, &x, 1, params, 2);
}

/* As lucid_sum: bool and int32 are added up in int64. */
lucid_tensor lucid_psum(lucid_scope *s, lucid_tensor x, const char *axis)
{
    if (!lucid__check(s, "psum", x))
        return EMPTY;
    if (!lucid__is_float(x.v->aval.dtype))
        (void)lucid__keep_or_cast(s, "psum", &x, 1, LUCID_INT64);
    return collective(s, LUCID__psum, x, axis);
}

lucid_tensor lucid_pmean(lucid_scope *s, lucid_tensor x, const char *axis)
{
    if (!lucid__check(s, "pmean", x))
        return EMPTY;
    const lucid__level *level = named(s, "pmean", axis);
    if (!level)
        return EMPTY;
    lucid_tensor sum = collective(s, LUCID__psum, lucid__as_float(s, x), axis);
    return lucid_div(s, sum, lucid__number(s, (double)level->lanes, sum));
}

lucid_tensor lucid_pmax(lucid_scope *s, lucid_tensor x, const char *axis)
{
    return collective(s, LUCID__pmax, x, axis);
}

lucid_tensor lucid_pmin(lucid_scope *s, lucid_tensor x, const char *axis)
{
    return collective(s, LUCID__pmin, x, axis);
}

lucid_tensor lucid_all_gather(lucid_scope *s, lucid_tensor x, const char *axis, int dim)
{
    if (!lucid__check(s, "all_gather", x))
        return EMPTY;
    int at = lucid__dim(s, "all_gather", dim, lucid_ndim(x) + 1);
    if (at < 0)
        return EMPTY;
    lucid_tensor y = collective(s, LUCID__all_gather, x, axis);
    return lucid_movedim(s, y, 0, at);
}

lucid_tensor lucid_axis_index(lucid_scope *s, const char *axis)
{
    const lucid__level *level = named(s, "axis_index", axis);
    return level ? lucid__strong(s, lucid__lane_index(s, level)) : EMPTY;
}

int64_t lucid_axis_size(lucid_scope *s, const char *axis)
{
    const lucid__level *level = named(s, "axis_size", axis);
    return level ? level->lanes : -1;
}
