/* An element has the same bits wherever it stands and whatever stands beside it: bodies that work on groups of
 * lanes, or have a shorter form for groups without seldom numbers, must not show it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/differences.h"
#include "support/elementwise_reference.h"
#include "support/samples.h"

enum { COUNT = 700 };

/* Numbers in (0, 1), one in `seldom` of them near an end, and from `quiet` on none. */
static lucid_tensor numbers(lucid_scope *s, lucid_dtype dtype, uint64_t part, int seldom, int quiet)
{
    test_rng rng = rng_of(11, part, (uint64_t)seldom);
    double x[COUNT];
    for (int i = 0; i < COUNT; i++) {
        double far = dtype == LUCID_FLOAT64 ? 300 : 37, half = 0.5;
        bool is_seldom = rng_below(&rng, seldom) == 0 && i < quiet;
        half *= pow(10, -(is_seldom ? rng_uniform(&rng, 3, far) : rng_uniform(&rng, 0, 2.8)));
        x[i] = rng_below(&rng, 2) == 0 ? half : 1 - half;
    }
    return lucid_cast(s, lucid_from_data(s, x, LUCID_FLOAT64, LUCID_SHAPE(COUNT)), dtype);
}

static void check(const elementwise_reference *op, lucid_dtype dtype, int seldom)
{
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x[2], y[2];
    for (uint64_t k = 0; k < 2; k++)
        x[k] = numbers(s, dtype, k, seldom, COUNT - 200);
    checking("%s %s, one in %d is seldom", op->name, lucid_dtype_name(dtype), seldom);
    for (int turn = 0; turn < 2; turn++) {
        /* The second time in the other order, from another place on. */
        lucid_tensor in[2] = {x[0], x[1]};
        for (int k = 0; k < 2 && turn == 1; k++)
            in[k] = lucid_slice(s, lucid_flip(s, x[k], LUCID_DIMS(0)), 0, 3, LUCID_END, 1);
        y[turn] =
            op->unary_builder ? op->unary_builder(s, in[0]) : op->binary_builder(s, in[0], in[1]);
    }
    size_t size = lucid_dtype_size(dtype);
    const char *all = lucid_data(s, y[0]), *turned = lucid_data(s, y[1]);
    if (!all || !turned)
        difference("%s", lucid_error_message(s));
    for (int i = 0; all && turned && i < COUNT - 3; i++)
        if (memcmp(all + (size_t)i * size, turned + (size_t)(COUNT - 4 - i) * size, size) != 0)
            difference("element %d has other bits among others", i);
    for (int i = 0; all && i < COUNT; i += 5) {
        lucid_scope *t = lucid_scope_new(s);
        lucid_tensor one[2] = {lucid_select(t, x[0], 0, i), lucid_select(t, x[1], 0, i)};
        lucid_tensor z = op->unary_builder ? op->unary_builder(t, one[0])
                                           : op->binary_builder(t, one[0], one[1]);
        const void *alone = lucid_data(t, z);
        if (!alone || memcmp(all + (size_t)i * size, alone, size) != 0)
            difference("element %d has other bits alone", i);
        (void)lucid_close(t);
    }
    (void)lucid_close(s);
}

static void test_places(void **state)
{
    (void)state;
    differences_begin();
    for (size_t k = 0; k < elementwise_reference_count; k++)
        for (int seldom = 4; seldom < 1000 && elementwise_references[k].class == CLASS_FLOAT;
             seldom *= 5) {
            check(&elementwise_references[k], LUCID_FLOAT32, seldom);
            check(&elementwise_references[k], LUCID_FLOAT64, seldom);
        }
    differences_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_places)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
