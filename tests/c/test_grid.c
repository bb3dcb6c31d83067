/* The grid: every primitive of prims.def, on each of its samples, through
 *
 *     its value                                                 against plain loops
 *     vmap over every subset of inputs, at the front, in the middle, at the end; in 0, 1 and 3 lanes;
 *     in chunks; isolated                                       against the loop over examples
 *     vmap of vmap, vmap of jvp, vmap of vjp, vjp of vmap, vmap of vmap of vjp, vmap of jvp of vjp
 *                                                               against the loop over examples
 *     jvp, jvp of vjp                                           against finite differences
 *     linearize                                                 against jvp
 *     vjp, vjp of vjp                                           <ct, J t> = <J^T ct, t>
 *
 * One cmocka test per primitive, so that a failure names it. A primitive is here because it stands in
 * prims.def; one without samples fails.
 *
 *     test_grid [--only PRIMITIVE] [--seed N]
 *     test_grid --matrix        prints docs/support.md
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/differences.h"
#include "support/grid.h"
#include "support/recipe.h"
#include "support/samples.h"
#include "support/support_matrix.h"

static uint64_t seed = 1;

static bool samples_fit(const lucid__prim *prim, const lucid__sample *sample, int number)
{
    checking("%s, sample %d", prim->name, number);
    if (prim->nin >= 0 && sample->nin != prim->nin)
        difference("has %d inputs, the primitive %d", sample->nin, prim->nin);
    for (int i = 0; i < sample->nin; i++)
        if (!sample_fill_known(sample->in[i].fill))
            difference("no fill is called \"%s\"", sample->in[i].fill);
    return differences_count() == 0;
}

static void test_primitive(void **state)
{
    lucid__prim_id id = *(const lucid__prim_id *)*state;
    const lucid__prim *prim = lucid__prim_get(id);
    const lucid__sample *samples = samples_of(id);
    grid_support support = {0};
    differences_begin();
    checking("%s", prim->name);
    if (!samples || samples->nin < 0)
        difference("has no samples; a primitive without samples is not tested");
    for (int k = 0; samples && samples[k].nin >= 0; k++)
        if (samples_fit(prim, &samples[k], k))
            grid_check(id, &samples[k], k, seed, &support);
    differences_end();
}

static void test_support_matrix(void **state)
{
    (void)state;
    static const char path[] = LUCID__SOURCE_DIR "/docs/support.md";
    FILE *now = tmpfile(), *file = fopen(path, "r");
    assert_non_null(now);
    print_support_matrix(now);
    rewind(now);
    bool equal = file != NULL;
    for (int a = 0, b = 0; equal && a != EOF; equal = a == b) {
        a = getc(now);
        b = getc(file);
    }
    (void)fclose(now);
    if (file)
        (void)fclose(file);
    if (!equal)
        fail_msg("docs/support.md is not what the primitives do; run scripts/support_matrix.sh");
}

int main(int argc, char **argv)
{
    const char *only = NULL;
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--matrix") == 0) {
            print_support_matrix(stdout);
            return 0;
        }
        if (more && strcmp(argv[i], "--only") == 0)
            only = argv[++i];
        else if (more && strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[++i], NULL, 10);
        else {
            (void)fprintf(stderr, "usage: test_grid [--only PRIMITIVE] [--seed N] | --matrix\n");
            return 2;
        }
    }
    static lucid__prim_id ids[LUCID__PRIM_COUNT];
    static struct CMUnitTest tests[LUCID__PRIM_COUNT + 1];
    size_t n = 0;
    for (int id = 0; id < LUCID__PRIM_COUNT; id++) {
        const char *name = lucid__prim_get((lucid__prim_id)id)->name;
        /* Collectives need a vmap to be in: test_named_axes.c. What stands in bodies alone: test_custom_bodies.c. */
        lucid__family family = lucid__prim_get((lucid__prim_id)id)->family;
        bool applies =
            id != LUCID__constant && family != LUCID__COLLECTIVE && family != LUCID__RECORDED;
        if (!applies || (only && strcmp(only, name) != 0))
            continue;
        ids[n] = (lucid__prim_id)id;
        tests[n] = (struct CMUnitTest){
            .name = name, .test_func = test_primitive, .initial_state = &ids[n]};
        n++;
    }
    if (n == 0) {
        (void)fprintf(stderr, "test_grid: no primitive is called %s\n", only);
        return 2;
    }
    if (!only)
        tests[n++] = (struct CMUnitTest){.name = "docs/support.md says what the primitives do",
                                         .test_func = test_support_matrix};
    int failed = _cmocka_run_group_tests("grid", tests, n, NULL, NULL);
    (void)printf("%lld runs of primitives and their transforms\n", (long long)recipe_runs());
    return failed;
}
