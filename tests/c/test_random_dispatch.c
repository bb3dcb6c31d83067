/* Random words are made inside the programs that use them, with the bits that the kernel gives: whichever
 * way a program walks them, under vmap and alone, for any number of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/fuse.h"
#include "lucid.h"

enum { ROWS = 37, COLUMNS = 59 };

/* ---- functions of one example x, (ROWS, COLUMNS) ---------------------------------------------------- */

static lucid_tensor total(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor z = lucid_randn(s, LUCID_SHAPE(ROWS, COLUMNS));
    return lucid_sum(s, lucid_mul(s, z, x), LUCID_ALL);
}

static lucid_tensor rows(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor z = lucid_randn_of(s, LUCID_SHAPE(ROWS, COLUMNS), LUCID_FLOAT64);
    return lucid_sum(s, lucid_mul(s, z, x), LUCID_DIMS(1));
}

static lucid_tensor columns(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor z = lucid_rand(s, LUCID_SHAPE(ROWS, COLUMNS));
    return lucid_sum(s, lucid_mul(s, z, x), LUCID_DIMS(0));
}

static lucid_tensor turned(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor z = lucid_rand(s, LUCID_SHAPE(COLUMNS, ROWS));
    return lucid_add(s, x, lucid_transpose(s, z, 0, 1));
}

static lucid_tensor backwards(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor z = lucid_rand(s, LUCID_SHAPE(ROWS, 2 * COLUMNS));
    z = lucid_slice(s, lucid_flip(s, z, LUCID_ALL), 1, 1, LUCID_END, 2);
    return lucid_add(s, x, z);
}

static lucid_tensor repeated(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor z = lucid_rand(s, LUCID_SHAPE(ROWS, 1));
    return lucid_add(s, x, lucid_mul(s, z, lucid_rand(s, LUCID_SHAPE(COLUMNS))));
}

static lucid_tensor one_number(lucid_scope *s, lucid_tensor x)
{
    return lucid_mul(s, x, lucid_randn(s, LUCID_SCALAR_SHAPE));
}

static lucid_tensor dropout(lucid_scope *s, lucid_tensor x)
{
    return lucid_dropout(s, x, 0.5, true);
}

static lucid_tensor integers(lucid_scope *s, lucid_tensor x)
{
    return lucid_add(s, x, lucid_randint(s, -3, 9, LUCID_SHAPE(ROWS, COLUMNS)));
}

static const struct {
    const char *name;
    lucid_tensor (*f)(lucid_scope *s, lucid_tensor x);
    int more; /* programs, where the same values are wanted over other points */
} table[] = {
    {"total", total, 0},           {"rows", rows, 0},           {"columns", columns, 0},
    {"turned", turned, 0},         {"backwards", backwards, 1}, {"repeated", repeated, 1},
    {"one number", one_number, 0}, {"dropout", dropout, 0},     {"integers", integers, 0},
};
enum { ENTRIES = sizeof table / sizeof *table };

/* ---- running them ------------------------------------------------------------------------------- */

static lucid_status apply(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                          size_t ny, void *user)
{
    (void)nx, (void)ny;
    y[0] = table[*(const int *)user].f(s, x[0]);
    return lucid_error(s);
}

typedef struct run {
    int entry, lanes; /* lanes 0: without vmap */
    bool fused;
    int threads;
    int steps; /* that it took */
    size_t bytes;
    char *data;
} run;

static void go(run *r)
{
    lucid_scope *s = lucid_open(&(lucid_open_options){.seed = 11});
    int64_t lanes = r->lanes > 0 ? r->lanes : 1;
    lucid_tensor x = lucid_arange(s, 0, (double)(lanes * ROWS * COLUMNS), 1, LUCID_FLOAT32);
    x = lucid_mul(s, x, lucid_scalar(s, 1e-3));
    if (r->lanes > 0)
        x = lucid_reshape(s, x, LUCID_SHAPE(lanes, ROWS, COLUMNS));
    else
        x = lucid_reshape(s, x, LUCID_SHAPE(ROWS, COLUMNS));
    assert_int_equal(lucid_eval(s, &x, 1), LUCID_OK);
    lucid_fn f = lucid_fn_new(s, apply, 1, &r->entry);
    if (r->lanes > 0)
        f = lucid_vmap(s, f, &(lucid_vmap_options){.randomness = LUCID_RANDOMNESS_DIFFERENT});
    lucid_scope *child = lucid_scope_new(s);
    lucid_tensor y = lucid_keep(child, lucid_call1(child, f, x));
    assert_int_equal(lucid_close(child), LUCID_OK);
    lucid__set_fusion(r->fused);
    lucid_set_num_threads(r->threads);
    uint64_t before = lucid_get_stats().steps;
    assert_int_equal(lucid_eval(s, &y, 1), LUCID_OK);
    r->steps = (int)(lucid_get_stats().steps - before);
    lucid__set_fusion(true);
    lucid_set_num_threads(0);
    y = lucid_row_major(s, y);
    r->bytes = (size_t)lucid_numel(y) * lucid_dtype_size(lucid_dtype_of(y));
    r->data = malloc(r->bytes);
    assert_int_equal(lucid_read(s, y, r->data, r->bytes), LUCID_OK);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* One program, and under vmap one more for the numbers of the lanes. */
static void words_are_made_in_programs(void **state)
{
    (void)state;
    const int lanes[] = {0, 1, 3, 40};
    for (int i = 0; i < ENTRIES; i++)
        for (size_t k = 0; k < sizeof lanes / sizeof *lanes; k++) {
            run by_kernel = {.entry = i, .lanes = lanes[k], .threads = 1};
            go(&by_kernel);
            for (int threads = 1; threads <= 3; threads += 2) {
                run made = {.entry = i, .lanes = lanes[k], .fused = true, .threads = threads};
                go(&made);
                if (made.steps > (lanes[k] > 0 ? 2 : 1) + table[i].more)
                    fail_msg("%s, %d lanes: %d dispatches", table[i].name, lanes[k], made.steps);
                assert_int_equal(made.bytes, by_kernel.bytes);
                if (memcmp(made.data, by_kernel.data, made.bytes) != 0)
                    fail_msg("%s, %d lanes, %d threads: not the bits of the kernel", table[i].name,
                             lanes[k], threads);
                free(made.data);
            }
            free(by_kernel.data);
        }
}

/* Words that somebody else reads stay in memory, and both see the same. */
static void what_is_kept_is_the_same(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor z = lucid_rand(s, LUCID_SHAPE(50, 30));
    lucid_tensor order = lucid_argsort(s, z, 1, false);
    lucid_tensor both[3] = {lucid_sum(s, z, LUCID_DIMS(1)), z, order};
    assert_int_equal(lucid_eval(s, both, 3), LUCID_OK);
    lucid_tensor again = lucid_sum(s, z, LUCID_DIMS(1));
    assert_true(lucid_bool(s, lucid_all(s, lucid_eq(s, again, both[0]), LUCID_ALL)));
    assert_int_equal(lucid_close(s), LUCID_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_made_in_programs),
        cmocka_unit_test(what_is_kept_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
