/* Writing at positions that repeat: every element takes what comes to it in row-major order of the values, with any
 * number of threads, however long rows are and however they lie in memory; alone and under vmap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lucid.h"

typedef struct scattered {
    int64_t lanes, size, rows, length; /* y (lanes, size, length), v (lanes, rows, length) */
    bool add, shared_index, turned, spread_zeros;
} scattered;

static lucid_status write(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                          size_t ny, void *user)
{
    (void)nx, (void)ny;
    const scattered *c = user;
    y[0] = c->add ? lucid_index_add(s, x[0], 0, x[1], x[2])
                  : lucid_index_put(s, x[0], &x[1], 1, x[2], false);
    return LUCID_OK;
}

static lucid_tensor ready(lucid_scope *s, lucid_tensor x)
{
    if (lucid_eval(s, &x, 1) != LUCID_OK)
        fail_msg("%s", lucid_error_message(s));
    return x;
}

/* One value after the other. */
static void one_by_one(const scattered *c, float *y, const int64_t *index, const float *v)
{
    for (int64_t b = 0; b < c->lanes; b++)
        for (int64_t r = 0; r < c->rows; r++) {
            int64_t to = index[(c->shared_index ? 0 : b * c->rows) + r];
            to = to < 0 ? to + c->size : to;
            for (int64_t k = 0; k < c->length; k++) {
                float *at = &y[(b * c->size + to) * c->length + k];
                float e = v[(b * c->rows + r) * c->length + k];
                *at = c->add ? *at + e : e;
            }
        }
}

static void check(const scattered *c)
{
    lucid_scope *s = lucid_open(NULL);
    const lucid_shape of_y = LUCID_SHAPE(c->lanes, c->size, c->length);
    const lucid_shape of_v = LUCID_SHAPE(c->lanes, c->rows, c->length);
    lucid_shape of_i = LUCID_SHAPE(c->lanes, c->rows);
    if (c->shared_index)
        of_i = LUCID_SHAPE(c->rows);
    lucid_tensor x[3];
    x[0] = c->spread_zeros ? lucid_expand(s, lucid_scalar(s, 0), of_y) : lucid_randn(s, of_y);
    x[0] = ready(s, lucid_cast(s, x[0], LUCID_FLOAT32));
    x[1] = ready(s, lucid_randint(s, -c->size, c->size, of_i));
    if (c->turned) /* the same numbers, the other way round in memory */
        x[2] = lucid_transpose(
            s, ready(s, lucid_randn(s, LUCID_SHAPE(c->length, c->rows, c->lanes))), 0, 2);
    else
        x[2] = ready(s, lucid_randn(s, of_v));
    size_t bytes = (size_t)lucid_numel(x[0]) * sizeof(float);
    float *expected = malloc(bytes);
    assert_non_null(expected);
    memcpy(expected, lucid_data(s, x[0]), bytes);
    one_by_one(c, expected, lucid_data(s, x[1]), lucid_data(s, x[2]));
    lucid_fn f = lucid_fn_new(s, write, 1, (void *)(uintptr_t)c);
    f = lucid_vmap(
        s, f, &(lucid_vmap_options){.in_dims = LUCID_INTS(0, c->shared_index ? LUCID_NONE : 0, 0)});
    for (int threads = 1; threads <= 5; threads += 2) {
        lucid_tensor y;
        lucid_set_num_threads(threads);
        assert_int_equal(lucid_call(s, f, x, 3, &y, 1), LUCID_OK);
        if (memcmp(lucid_data(s, y), expected, bytes) != 0)
            fail_msg("%s %d rows of %d to %d, %d lanes, %d threads", c->add ? "add" : "put",
                     (int)c->rows, (int)c->length, (int)c->size, (int)c->lanes, threads);
    }
    free(expected);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void values_come_in_their_order(void **state)
{
    (void)state;
    static const int64_t of[][4] = {{1, 7, 40000, 1},  {1, 50000, 40000, 1}, {1, 1, 513, 65},
                                    {1, 11, 5000, 8},  {1, 999, 3000, 13},   {1, 40, 900, 64},
                                    {1, 5, 20, 33000}, {2, 9, 9000, 5},      {40, 6, 300, 4},
                                    {700, 3, 70, 1},   {3, 100, 600, 40},    {5, 4, 0, 3}};
    const int threads = lucid_get_num_threads();
    for (size_t i = 0; i < sizeof of / sizeof *of; i++)
        for (int how = 0; how < 16; how++) {
            scattered c = {.lanes = of[i][0],
                           .size = of[i][1],
                           .rows = of[i][2],
                           .length = of[i][3],
                           .add = how & 1,
                           .shared_index = how & 2,
                           .turned = how & 4,
                           .spread_zeros = how & 8};
            check(&c);
        }
    lucid_set_num_threads(threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_in_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
