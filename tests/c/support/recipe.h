/* Recipes: functions under test and the transforms of them, as data, so that a test says
 * `vmap(jvp(vjp(f)))` and runs it on host arrays. Each becomes one lucid_fn:
 *
 *     plain      f            x            -> y
 *     vjp(f)     nx + ny args x, ct        -> cotangents of x
 *     jvp(f)     2 nx args    x, dx        -> tangents of y
 *     linearize  as jvp, through lucid_linearize
 *     vmap(f)    as f, with options
 *     compiled   as f, through lucid_compile, called twice
 *
 * Every input has a tangent and every output a cotangent in these lists; those of integers are there,
 * but nobody reads them.
 */
#ifndef RECIPE_H
#define RECIPE_H

#include "support/host_array.h"

typedef enum recipe_kind {
    RECIPE_PLAIN,
    RECIPE_VJP,
    RECIPE_JVP,
    RECIPE_LINEARIZE,
    RECIPE_VMAP,
    RECIPE_COMPILED,
} recipe_kind;

typedef struct recipe {
    recipe_kind kind;
    const struct recipe *of;
    size_t nx, ny;
    lucid_function *function; /* PLAIN */
    void *user;
    const lucid_vmap_options *vmap;
} recipe;

recipe recipe_plain(lucid_function *function, void *user, size_t nx, size_t ny);
recipe recipe_vjp(const recipe *of);
recipe recipe_jvp(const recipe *of);
recipe recipe_linearize(const recipe *of);
recipe recipe_vmap(const recipe *of, const lucid_vmap_options *options);
recipe recipe_compiled(const recipe *of);

lucid_fn recipe_make(lucid_scope *s, const recipe *r);

/* Runs r on x in a root scope of its own. On failure returns its status, with the message in
 * recipe_message(). */
lucid_status recipe_run(const recipe *r, const host_array *x, host_array *y);
const char *recipe_message(void);
int64_t recipe_runs(void); /* so far */
/* As recipe_run, and a failure is a difference (differences.h). */
bool recipe_must_run(const recipe *r, const host_array *x, host_array *y);

/* The derivative of r at x in direction dx (floats only) by central differences of fourth order,
 * from values at +-h and +-2h. Meant for float64. */
bool finite_difference(const recipe *r, const host_array *x, const host_array *dx, double h,
                       host_array *dy);

enum { RECIPE_MAX = 24 }; /* arguments or results of any recipe */

#endif
