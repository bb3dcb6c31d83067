/* Chains of elementwise operations as machine code: the bits of one pass over the lanes per operation, for every
 * operation and every kind of number, with vectors of either length. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cpu/native.h"
#include "lucid.h"
#include "support/both_ways.h"
#include "support/elementwise_reference.h"

/* Numbers of lanes around the lengths of vectors; another set for each length, as plans are kept by shape. */
static const int64_t lengths[2][7] = {{1, 3, 4, 7, 9, 33, 131}, {2, 8, 15, 16, 17, 63, 130}};

typedef lucid_tensor made_of(lucid_scope *s, const lucid_tensor *x, const void *what);

/* Evaluated interpreted, and native, where at least `chains` must be made. x: operands that are evaluated. */
static void compare_both(const char *name, made_of *f, const void *what, lucid_dtype dtype,
                         int64_t n, int chains)
{
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x[3], y[2];
    const int64_t usual = lucid__native_after;
    for (int k = 0; k < 3; k++)
        x[k] = corners(s, dtype, n, k);
    assert_int_equal(lucid_eval(s, x, 3), LUCID_OK);
    for (int native = 0; native < 2; native++) {
        lucid_scope *inner = lucid_scope_new(s);
        lucid__native_after = native ? 0 : INT64_MAX;
        int64_t before = lucid__native_chains_made;
        y[native] = lucid_keep(inner, f(inner, x, what));
        assert_int_equal(lucid_close(inner), LUCID_OK);
        if (lucid_eval(s, &y[native], 1) != LUCID_OK)
            fail_msg("%s: %s", name, lucid_error_message(s));
        if (lucid__native_chains_made - before < (native ? chains : 0))
            fail_msg("%s: %d chains, not %d", name, (int)(lucid__native_chains_made - before),
                     chains);
    }
    lucid__native_after = usual;
    char about[128];
    (void)snprintf(about, sizeof about, "%s of %s, %d lanes, %s vectors", name,
                   lucid_dtype_name(dtype), (int)n, lucid__native_wide ? "wide" : "narrow");
    same_bits(s, y[1], y[0], about);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* There is machine code on the machines whose instruction sets have names of their own. */
static bool possible(void)
{
    const char *isa = lucid_instruction_set();
    return strcmp(isa, "v3") == 0 || strcmp(isa, "v4") == 0;
}

static void for_all_lengths(const char *name, made_of *f, const void *what, int chains)
{
    for (int wide = 0; wide < 2; wide++) {
        lucid__native_wide = wide == 1;
        for (int i = 0; i < 7; i++)
            for (int dtype = LUCID_FLOAT32; dtype <= LUCID_FLOAT64; dtype++)
                compare_both(name, f, what, (lucid_dtype)dtype, lengths[wide][i],
                             possible() ? chains : 0);
    }
    lucid__native_wide = true;
}

/* ---- operations ------------------------------------------------------------------------------------ */

typedef struct operation_case {
    const elementwise_reference *op;
    bool alike; /* the second operand is the first one without its sign */
} operation_case;

/* The operation between two others that chains have; of truth values, both as operand and as result. */
static lucid_tensor operation(lucid_scope *s, const lucid_tensor *x, const void *what)
{
    const operation_case *c = what;
    lucid_tensor a = lucid_mul(s, x[0], x[2]), b = c->alike ? lucid_abs(s, a) : x[1], y;
    y = c->op->unary_builder ? c->op->unary_builder(s, a) : c->op->binary_builder(s, a, b);
    if (lucid_dtype_of(y) != LUCID_BOOL)
        return lucid_neg(s, lucid_mul(s, y, x[1]));
    return lucid_where(s, lucid_logical_not(s, y), x[1], lucid_neg(s, a));
}

static void every_operation(void **state)
{
    (void)state;
    for (size_t i = 0; i < elementwise_reference_count; i++)
        for (int alike = 0; alike < 2; alike++) {
            const operation_case c = {&elementwise_references[i], alike == 1};
            if (c.op->class != CLASS_BITS && !(alike && c.op->unary_builder))
                for_all_lengths(c.op->name, operation, &c, 1);
        }
}

static lucid_tensor power(lucid_scope *s, const lucid_tensor *x, const void *what)
{
    const int *n = what;
    return lucid_add(s, lucid_pow(s, x[0], lucid_scalar(s, *n)), x[1]);
}

static void whole_powers(void **state)
{
    (void)state;
    static const int powers[] = {-5, -2, -1, 0, 1, 2, 3, 4, 7, 10};
    for (size_t i = 0; i < sizeof powers / sizeof *powers; i++)
        for_all_lengths("pow", power, &powers[i], 0);
}

/* Truth values that come from memory and go there. */
static lucid_tensor truth(lucid_scope *s, const lucid_tensor *x, const void *what)
{
    (void)what;
    lucid_tensor less = lucid_lt(s, x[0], x[1]), finite = lucid_isfinite(s, x[2]);
    (void)lucid_eval(s, &less, 1);
    lucid_tensor both = lucid_logical_xor(s, less, lucid_logical_and(s, finite, less));
    return lucid_logical_or(s, both, lucid_ge(s, x[2], x[0]));
}

static void truth_in_memory(void **state)
{
    (void)state;
    for_all_lengths("truth", truth, NULL, 1);
}

/* ---- chains ------------------------------------------------------------------------------------------ */

enum { MANY = 40 };

/* All differences are needed until the end: more than there are registers. */
static lucid_tensor many_values(lucid_scope *s, const lucid_tensor *x, const void *what)
{
    (void)what;
    lucid_tensor t[MANY], sum = x[1];
    for (int i = 0; i < MANY; i++) {
        t[i] = lucid_sub(s, x[i % 3], lucid_mul(s, sum, x[2]));
        sum = lucid_add(s, sum, t[i]);
    }
    for (int i = 0; i < MANY; i++)
        sum = lucid_maximum(s, lucid_mul(s, sum, x[0]), lucid_div(s, t[i], sum));
    return sum;
}

static void more_values_than_registers(void **state)
{
    (void)state;
    for_all_lengths("many values", many_values, NULL, 2);
}

/* Operations that are not for chains before, between and behind; a row and a column broadcast. */
static lucid_tensor mixed(lucid_scope *s, const lucid_tensor *x, const void *what)
{
    (void)what;
    lucid_tensor row = lucid_reshape(s, x[0], LUCID_SHAPE(1, -1));
    lucid_tensor column = lucid_reshape(s, x[1], LUCID_SHAPE(-1, 1));
    lucid_tensor y = lucid_mul(s, lucid_add(s, row, column), lucid_scalar(s, 3));
    lucid_tensor z = lucid_exp(s, lucid_neg(s, lucid_square(s, y)));
    y = lucid_where(s, lucid_lt(s, z, y), lucid_tanh(s, y), lucid_abs(s, lucid_sub(s, z, row)));
    lucid_tensor whole = lucid_cast(s, lucid_gt(s, y, z), lucid_dtype_of(row));
    return lucid_add(s, lucid_sqrt(s, lucid_abs(s, y)), lucid_mul(s, whole, column));
}

static void among_other_operations(void **state)
{
    (void)state;
    for_all_lengths("mixed", mixed, NULL, 1);
}

/* A program is made native when it has done work enough, not before. */
static void only_much_work(void **state)
{
    (void)state;
    const int64_t usual = lucid__native_after, before = lucid__native_chains_made;
    const int most = possible() ? 1000 : 0;
    int runs = 0;
    lucid__native_after = 1000;
    while (lucid__native_chains_made == before && runs <= most) {
        lucid_scope *s = lucid_open(NULL);
        lucid_tensor x = lucid_ones(s, LUCID_SHAPE(20)), y;
        (void)lucid_eval(s, &x, 1);
        y = lucid_div(s, lucid_sqrt(s, x), lucid_floor(s, x)); /* 3 instructions */
        assert_int_equal(lucid_eval(s, &y, 1), LUCID_OK);
        assert_int_equal(lucid_close(s), LUCID_OK);
        runs++;
    }
    assert_true(!possible() || runs == 17);
    lucid__native_after = usual;
}

/* ---- lane programs ------------------------------------------------------------------------------------ */

typedef lucid_tensor two(lucid_scope *s, lucid_tensor x, lucid_tensor y);

static lucid_tensor sub_from(lucid_scope *s, lucid_tensor x, lucid_tensor y)
{
    return lucid_sub(s, y, x);
}

/* (a f b) g c and (a f b) g (c h d): trees of two or three operations, one for each carry; besides them
 * a sum of products with a number for all, a copy, a choice and a function that is none for chains. */
FUNCTION(trees)
{
    UNUSED;
    two *const ops[] = {lucid_add, lucid_sub, lucid_mul, sub_from};
    size_t at = 0;
    for (int f = 0; f < 3; f++)
        for (int g = 0; g < 4; g++, at++)
            y[at] = ops[g](s, ops[f](s, x[at], x[at + 1]), x[at + 2]);
    for (int f = 0; f < 3; f++)
        for (int g = 0; g < 3; g++, at++) {
            two *const h = ops[(f + g) % 3];
            y[at] = ops[g](s, ops[f](s, x[at], x[at + 1]), h(s, x[at + 2], x[0]));
        }
    lucid_tensor row = lucid_stack(s, (lucid_tensor[]){x[0], x[4], x[2]}, 3, 0);
    lucid_tensor weights = lucid_arange(s, 1, 4, 1, lucid_dtype_of(x[0]));
    y[at++] = lucid_matmul(s, row, lucid_neg(s, weights));
    y[at++] = x[0];
    y[at++] = lucid_where(s, lucid_lt(s, x[1], x[2]), x[3], lucid_maximum(s, x[4], x[5]));
    y[at] = lucid_tanh(s, lucid_mul(s, x[1], x[2]));
    return LUCID_OK;
}

enum { CARRIES = 3 * 4 + 3 * 3 + 4 };

FUNCTION(repeated_trees)
{
    UNUSED;
    lucid_tensor carry[CARRIES], last[CARRIES];
    for (int i = 0; i < CARRIES; i++)
        carry[i] = lucid_mul(s, x[i % 3], NUM(0.05 * (1 + i)));
    const lucid_scan_options options = {.length = 2};
    lucid_fn f = lucid_fn_new(s, trees, CARRIES, NULL);
    (void)lucid_scan(s, f, carry, CARRIES, NULL, 0, &options, last, NULL, 0);
    for (int i = 0; i < CARRIES; i++)
        y[i] = last[i];
    return LUCID_OK;
}

/* Numbers between -1 and 1, so that all that is computed of them tells one operation from another. */
static lucid_tensor ordinary(lucid_scope *s, lucid_dtype dtype, int64_t n, int k)
{
    lucid_tensor at = lucid_arange(s, k + 1, (double)(n + k + 1), 1, LUCID_FLOAT64);
    return lucid_cast(s, lucid_sin(s, lucid_mul(s, at, NUM(2.3 + k))), dtype);
}

/* both() runs lane programs both interpreted and native. */
static void lanes(void **state)
{
    (void)state;
    const int64_t before = lucid__native_chains_made;
    for (int64_t n = 1; n < 140; n += n < 20 ? 3 : 57)
        for (int dtype = LUCID_FLOAT32; dtype <= LUCID_FLOAT64; dtype++)
            for (int again = 0; again < 2; again++) { /* vectors of either length */
                lucid_scope *s = lucid_open(NULL);
                lucid_tensor x[3], y[CARRIES];
                for (int k = 0; k < 3; k++)
                    x[k] = ordinary(s, (lucid_dtype)dtype, n + 500 * again, k);
                both_vmapped(s, "trees", repeated_trees, CARRIES, NULL, x, 3, y);
                assert_int_equal(lucid_close(s), LUCID_OK);
            }
    assert_true(!possible() || lucid__native_chains_made > before);
}

/* What the cache of plans may take counts the code. */
static void code_is_part_of_its_plan(void **state)
{
    (void)state;
    uint64_t more[2];
    const int64_t usual = lucid__native_after;
    for (int native = 0; native < 2; native++) {
        lucid_scope *s = lucid_open(NULL);
        lucid_tensor x = ordinary(s, LUCID_FLOAT32, 777 + native, 0);
        assert_int_equal(lucid_eval(s, &x, 1), LUCID_OK);
        lucid_tensor y = lucid_mul(s, x, lucid_abs(s, lucid_add(s, x, NUM(2))));
        lucid__native_after = native ? 0 : INT64_MAX;
        uint64_t before = lucid_get_stats().plans_bytes;
        assert_int_equal(lucid_eval(s, &y, 1), LUCID_OK);
        more[native] = lucid_get_stats().plans_bytes - before;
        assert_int_equal(lucid_close(s), LUCID_OK);
    }
    lucid__native_after = usual;
    assert_true(!possible() || more[1] > more[0] + 100);
}

static lucid_tensor wave(lucid_scope *s, const lucid_tensor *x, const void *what)
{
    (void)what;
    return lucid_sub(s, lucid_mul(s, x[0], x[1]), lucid_abs(s, x[2]));
}

/* Hardened systems refuse memory that was writable to become executable: the interpreter goes on alone. */
static void where_no_code_can_be_made(void **state)
{
    (void)state;
    enum {
        SET_MDWE = 65,
        REFUSE_EXEC_GAIN = 1
    }; /* of Linux 6.3; older headers have no names for them */
    (void)fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (prctl(SET_MDWE, REFUSE_EXEC_GAIN, 0L, 0L, 0L) != 0)
            _exit(2); /* the kernel does not know it */
        const int64_t before = lucid__native_chains_made;
        compare_both("a wave", wave, NULL, LUCID_FLOAT32, 1234, 0);
        _exit(lucid__native_chains_made == before ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 2)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation),
        cmocka_unit_test(whole_powers),
        cmocka_unit_test(truth_in_memory),
        cmocka_unit_test(more_values_than_registers),
        cmocka_unit_test(among_other_operations),
        cmocka_unit_test(only_much_work),
        cmocka_unit_test(lanes),
        cmocka_unit_test(code_is_part_of_its_plan),
        cmocka_unit_test(where_no_code_can_be_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
