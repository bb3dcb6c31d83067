#include "support/support_matrix.h"

#include "support/grid.h"
#include "support/samples.h"

static const char *const families[LUCID__FAMILY_COUNT] = {
    [LUCID__ELEMENTWISE] = "elementwise", [LUCID__SOURCE] = "source",
    [LUCID__RANDOM] = "random",           [LUCID__SHAPE] = "shape",
    [LUCID__REDUCTION] = "reduction",     [LUCID__CUMULATIVE] = "cumulative",
    [LUCID__CONTRACTION] = "contraction", [LUCID__INDEXING] = "indexing",
    [LUCID__LINALG] = "linear algebra",   [LUCID__CONTROL] = "control flow",
};

static const char *const outcomes[] = {
    [GRID_NOT_TRIED] = "–",
    [GRID_WORKS] = "yes",
    [GRID_ZERO] = "zero",
    [GRID_UNSUPPORTED] = "no",
};

static void print_row(FILE *to, lucid__prim_id id)
{
    const lucid__prim *prim = lucid__prim_get(id);
    const lucid__sample *samples = samples_of(id);
    grid_support support = {0};
    for (int k = 0; samples && samples[k].nin >= 0; k++)
        grid_probe(id, &samples[k], k, &support);
    bool refused = support.vmap == GRID_UNSUPPORTED || support.jvp == GRID_UNSUPPORTED ||
                   support.vjp == GRID_UNSUPPORTED;
    (void)fprintf(to, "| `%s` | %s | %s | %s | %s | %s |\n", prim->name, families[prim->family],
                  outcomes[support.vmap], outcomes[support.jvp], outcomes[support.vjp],
                  refused ? prim->rules->why_not : "");
}

void print_support_matrix(FILE *to)
{
    (void)fputs("# What every primitive supports\n"
                "\n"
                "Everything else is composed of these. **zero**: works, and the derivative is zero "
                "because the\n"
                "primitive is piecewise constant. **–**: the question does not arise (no input to "
                "map, or no float\n"
                "to differentiate). **no**: an error that gives the reason in the last column.\n"
                "\n"
                "`test_grid --matrix` prints this page by trying each primitive on its samples; "
                "a test keeps it\n"
                "up to date, and `scripts/support_matrix.sh` rewrites it.\n"
                "\n"
                "| primitive | family | vmap | jvp | vjp | why not |\n"
                "|---|---|---|---|---|---|\n",
                to);
    for (int id = 0; id < LUCID__PRIM_COUNT; id++)
        if (id != LUCID__constant &&
            lucid__prim_get((lucid__prim_id)id)->family != LUCID__COLLECTIVE &&
            lucid__prim_get((lucid__prim_id)id)->family != LUCID__RECORDED)
            print_row(to, (lucid__prim_id)id);
}
