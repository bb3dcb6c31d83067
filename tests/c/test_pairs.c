/* Instructions that are two operations: which become one, and that they give the bits of two. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "engine/fuse.h"
#include "engine/group.h"
#include "lucid.h"

/* ---- the same bits --------------------------------------------------------------------------------- */

static const char *const first_names[] = {"add", "sub", "mul", "neg", "abs", "square"};
static const char *const then_names[] = {"add", "sub", "sub from", "mul", "neg"};

static lucid_tensor first_of(lucid_scope *s, int first, const lucid_tensor *x)
{
    switch (first) {
    case 0:
        return lucid_add(s, x[0], x[1]);
    case 1:
        return lucid_sub(s, x[0], x[1]);
    case 2:
        return lucid_mul(s, x[0], x[1]);
    case 3:
        return lucid_neg(s, x[0]);
    case 4:
        return lucid_abs(s, x[0]);
    default:
        return lucid_square(s, x[0]);
    }
}

static lucid_tensor both_of(lucid_scope *parent, int first, int then, const lucid_tensor *x)
{
    lucid_scope *s = lucid_scope_new(parent);
    lucid_tensor t = first_of(s, first, x), y;
    switch (then) {
    case 0:
        y = lucid_add(s, t, x[2]);
        break;
    case 1:
        y = lucid_sub(s, t, x[2]);
        break;
    case 2:
        y = lucid_sub(s, x[2], t);
        break;
    case 3:
        y = lucid_mul(s, t, x[2]);
        break;
    default:
        y = lucid_neg(s, t);
    }
    y = lucid_keep(s, y);
    assert_int_equal(lucid_close(s), LUCID_OK);
    return y;
}

enum { LENGTH = 137 };

static double number(int i, int k)
{
    static const double special[] = {0.0,   -0.0,  1.0, INFINITY, -INFINITY, NAN, 3e38,
                                     1e-45, -7.25, 0.1, 1.000001, -3.0,      2e19};
    return i % 3 == 0 ? special[(i / 3 + 5 * k) % 13] : sin(i * 0.7 + k) * (k + 1);
}

static bool is_nan(const char *at, size_t size)
{
    float f = 0;
    double d = 0;
    memcpy(size == 4 ? (void *)&f : (void *)&d, at, size);
    return isnan(f) || isnan(d);
}

static void two_operations_have_the_bits_of_two_instructions(void **state)
{
    (void)state;
    for (int dtype = LUCID_FLOAT32; dtype <= LUCID_FLOAT64; dtype++)
        for (int at = 0; at < 6 * 5; at++) {
            lucid_scope *s = lucid_open(NULL);
            lucid_tensor x[3], y[2];
            for (int k = 0; k < 3; k++) {
                double numbers[LENGTH];
                for (int i = 0; i < LENGTH; i++)
                    numbers[i] = number(i, k);
                x[k] = lucid_from_data(s, numbers, LUCID_FLOAT64, LUCID_SHAPE(LENGTH));
                x[k] = lucid_cast(s, x[k], (lucid_dtype)dtype);
            }
            assert_int_equal(lucid_eval(s, x, 3), LUCID_OK);
            for (int on = 0; on < 2; on++) {
                y[on] = both_of(s, at / 5, at % 5, x);
                lucid_cost cost = lucid_explanation_cost(lucid_explain(s, &y[on], 1, NULL));
                assert_true(cost.flops == 2 * LENGTH ||
                            (at / 5 == 3 && at % 5 == 4)); /* -(-x) is x */
                lucid__set_fusion(on == 1);
                assert_int_equal(lucid_eval(s, &y[on], 1), LUCID_OK);
                lucid__set_fusion(true);
            }
            size_t size = lucid_dtype_size((lucid_dtype)dtype);
            const char *a = lucid_data(s, y[0]), *b = lucid_data(s, y[1]);
            for (size_t i = 0; i < LENGTH; i++) {
                bool nan = is_nan(a + i * size, size) && is_nan(b + i * size, size);
                if (!nan && memcmp(a + i * size, b + i * size, size) != 0)
                    fail_msg("%s, then %s, of %s: element %zu differs", first_names[at / 5],
                             then_names[at % 5], lucid_dtype_name((lucid_dtype)dtype), i);
            }
            assert_int_equal(lucid_close(s), LUCID_OK);
        }
}

/* ---- which pairs ------------------------------------------------------------------------------------- */

static lucid__draft_value value(uint16_t op, int a, int b)
{
    lucid__draft_value v = {.nsrc = 2, .over = 1, .instr = {.op = op, .dtype = LUCID_FLOAT32}};
    v.instr.src[0] = (uint16_t)a;
    v.instr.src[1] = (uint16_t)b;
    return v;
}

/* The instructions of: t = op(x0, x1), then(t, x2) with t read and stored or not. */
static int instructions(uint16_t op, uint16_t then, uint8_t dtype, bool read_twice, bool stored)
{
    lucid__arena *arena = lucid__arena_new();
    assert_non_null(arena);
    lucid__step step;
    lucid__group g = {.ndim = 1, .dim = {5}};
    bool needed[2] = {true, stored};
    for (int i = 0; i < 3; i++) {
        lucid__stream from = {.slot = i, .dtype = dtype, .stride = {1}};
        lucid__draft_value v = {.loaded = true, .over = 1, .from = &from};
        assert_int_equal(lucid__group_add(&g, arena, &v), i);
    }
    lucid__draft_value t = value(op, 0, 1), y = value(then, 3, read_twice ? 3 : 2);
    t.instr.dtype = y.instr.dtype = dtype;
    assert_int_equal(lucid__group_add(&g, arena, &t), 3);
    assert_int_equal(lucid__group_add(&g, arena, &y), 4);
    for (int i = 0; i < 2; i++) {
        lucid__stream to = {.slot = 3 + i, .dtype = dtype, .stride = {1}};
        assert_true(lucid__group_output(&g, &to, 4 - i));
    }
    assert_true(lucid__group_finish(&g, arena, needed, &step));
    int n = step.program.ninstrs;
    lucid__group_free(&g);
    lucid__arena_free(arena);
    return n;
}

static void what_only_one_instruction_reads_is_made_by_it(void **state)
{
    (void)state;
    assert_int_equal(instructions(LUCID__mul, LUCID__add, LUCID_FLOAT32, false, false), 1);
    assert_int_equal(instructions(LUCID__sub, LUCID__mul, LUCID_FLOAT64, false, false), 1);
    assert_int_equal(instructions(LUCID__mul, LUCID__add, LUCID_FLOAT32, true, false), 2);
    assert_int_equal(instructions(LUCID__mul, LUCID__add, LUCID_FLOAT32, false, true), 2);
    assert_int_equal(instructions(LUCID__mul, LUCID__add, LUCID_INT32, false, false), 2);
    assert_int_equal(instructions(LUCID__div, LUCID__add, LUCID_FLOAT32, false, false), 2);
    assert_int_equal(instructions(LUCID__mul, LUCID__div, LUCID_FLOAT32, false, false), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_operations_have_the_bits_of_two_instructions),
        cmocka_unit_test(what_only_one_instruction_reads_is_made_by_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
