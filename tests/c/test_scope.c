/* Scopes: who owns what, how errors stick, and that nothing is left at the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lucid.h"

static uint64_t live_before;

static int remember(void **state)
{
    (void)state;
    live_before = lucid_get_stats().bytes_live;
    return 0;
}

static int nothing_left(void **state)
{
    (void)state;
    return lucid_get_stats().bytes_live == live_before ? 0 : -1;
}

static void test_child_releases_its_tensors(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    uint64_t before = lucid_get_stats().bytes_live;
    for (int i = 0; i < 3; i++) {
        lucid_scope *child = lucid_scope_new(s);
        lucid_tensor x = lucid_ones(child, LUCID_SHAPE(1000));
        assert_true(lucid_item(child, lucid_sum(child, x, LUCID_ALL)) == 1000);
        assert_int_equal(lucid_close(child), LUCID_OK);
        assert_true(lucid_get_stats().bytes_live == before);
    }
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_kept_tensor_survives(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL), *child = lucid_scope_new(s),
                *grandchild = lucid_scope_new(child);
    lucid_tensor x = LUCID_VECTOR(grandchild, 1, 2, 3);
    x = lucid_keep(child, lucid_keep(grandchild, lucid_mul(grandchild, x, x)));
    (void)lucid_close(grandchild);
    (void)lucid_close(child);
    assert_true(lucid_item(s, lucid_sum(s, x, LUCID_ALL)) == 14);
    assert_true(lucid_keep(s, x).v == x.v);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_retained_tensor_outlives_its_root(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = lucid_retain(lucid_exp(s, lucid_zeros(s, LUCID_SHAPE(4))));
    assert_int_equal(lucid_close(s), LUCID_OK);
    s = lucid_open(NULL);
    assert_true(lucid_item(s, lucid_sum(s, lucid_own(s, x), LUCID_ALL)) == 4);
    lucid_release(x);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_first_error_sticks(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL), *child = lucid_scope_new(s);
    lucid_tensor x = lucid_reshape(child, lucid_zeros(child, LUCID_SHAPE(4)), LUCID_SHAPE(3));
    assert_true(lucid_is_empty_handle(x));
    char first[256];
    (void)strncpy(first, lucid_error_message(s), sizeof first - 1);
    first[sizeof first - 1] = '\0';
    /* What comes after neither runs nor changes the message. */
    x = lucid_add(child, x, lucid_zeros(child, LUCID_SHAPE(2)));
    assert_true(lucid_is_empty_handle(x));
    assert_int_equal(lucid_fail(s, LUCID_TYPE_ERROR, "another"), LUCID_VALUE_ERROR);
    assert_string_equal(lucid_error_message(child), first);
    lucid_print(child, x);
    assert_int_equal(lucid_close(child), LUCID_VALUE_ERROR);
    lucid_clear_error(s);
    assert_string_equal(lucid_error_message(s), "");
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_empty_handles_are_safe(void **state)
{
    (void)state;
    lucid_tensor none = {NULL};
    lucid_scope *s = lucid_open(NULL);
    assert_true(lucid_is_empty_handle(none));
    assert_int_equal(lucid_ndim(none), 0);
    assert_int_equal(lucid_size(none, 0), -1);
    assert_int_equal(lucid_numel(none), 0);
    assert_int_equal(lucid_dtype_of(none), LUCID_NO_DTYPE);
    assert_int_equal(lucid_shape_of(none).ndim, 0);
    lucid_release(lucid_retain(none));
    lucid_release_fn(lucid_retain_fn((lucid_fn){NULL}));
    assert_true(lucid_is_empty_handle(lucid_own(s, none)));
    assert_true(lucid_is_empty_handle(lucid_keep(s, none)));
    assert_false(lucid_is_recorded(none));
    assert_true(lucid_is_empty_handle(lucid_grad_of(s, none)));
    assert_int_equal(lucid_close(s), LUCID_OK);
    assert_int_equal(lucid_close(NULL), LUCID_MEMORY_ERROR);
    assert_int_equal(lucid_error(NULL), LUCID_MEMORY_ERROR);
    assert_non_null(lucid_error_message(NULL));
}

static void test_scratch_memory(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    for (size_t bytes = 0; bytes < 5000; bytes += 97) {
        unsigned char *p = lucid_alloc(s, bytes);
        assert_non_null(p);
        assert_true((uintptr_t)p % sizeof(double) == 0);
        for (size_t i = 0; i < bytes; i++)
            assert_int_equal(p[i], 0);
        memset(p, 1, bytes);
    }
    assert_null(lucid_alloc(s, SIZE_MAX));
    assert_int_equal(lucid_close(s), LUCID_MEMORY_ERROR);
}

static void count_release(void *owner)
{
    ++*(int *)owner;
}

static void test_foreign_memory(void **state)
{
    (void)state;
    int released = 0;
    double data[6] = {1, 2, 3, 4, 5, 6};
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = lucid_from_memory(s, data, LUCID_FLOAT64, LUCID_SHAPE(3, 2),
                                       (const int64_t[]){1, 3}, count_release, &released);
    double back[6];
    assert_int_equal(lucid_read(s, x, back, sizeof back), LUCID_OK);
    assert_true(back[0] == 1 && back[1] == 4 && back[2] == 2 && back[5] == 6);
    lucid_tensor row = lucid_retain(lucid_select(s, x, 0, 1));
    assert_int_equal(lucid_close(s), LUCID_OK);
    s = lucid_open(NULL);
    assert_true(lucid_item(s, lucid_sum(s, row, LUCID_ALL)) == 7);
    (void)lucid_close(s);
    lucid_release(row);
    assert_int_equal(released, 1);
    /* Also when it cannot be used. */
    s = lucid_open(NULL);
    x = lucid_from_memory(s, data, LUCID_FLOAT64, LUCID_SHAPE(-3), NULL, count_release, &released);
    assert_true(lucid_is_empty_handle(x));
    assert_int_equal(lucid_close(s), LUCID_VALUE_ERROR);
    assert_int_equal(released, 2);
}

/* A chain far longer than any call stack is deep: built, computed and released. */
static void test_long_chain(void **state)
{
    (void)state;
    enum { LENGTH = 200000 };
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = lucid_retain(lucid_zeros(s, LUCID_SHAPE(2)));
    for (int i = 0; i < LENGTH; i++) {
        lucid_scope *step = lucid_scope_new(s);
        lucid_tensor y = lucid_retain(lucid_add(step, x, lucid_scalar(step, 1)));
        lucid_release(x);
        x = y;
        (void)lucid_close(step);
    }
    assert_true(lucid_item(s, lucid_select(s, x, 0, 1)) == LENGTH);
    lucid_release(x);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* The same for a tape: a history of that length, walked backwards. */
static void test_long_history(void **state)
{
    (void)state;
    enum { LENGTH = 20000 };
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor w = lucid_requires_grad(s, lucid_ones(s, LUCID_SCALAR_SHAPE));
    lucid_tensor x = lucid_retain(w);
    for (int i = 0; i < LENGTH; i++) {
        lucid_scope *step = lucid_scope_new(s);
        lucid_tensor y = lucid_retain(lucid_add(step, x, w));
        lucid_release(x);
        x = y;
        (void)lucid_close(step);
    }
    assert_int_equal(lucid_backward(s, x, (lucid_tensor){NULL}), LUCID_OK);
    assert_true(lucid_item(s, lucid_grad_of(s, w)) == LENGTH + 1);
    lucid_release(x);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_function_releases_its_user(void **state)
{
    (void)state;
    int released = 0;
    lucid_scope *s = lucid_open(NULL);
    lucid_fn f = lucid_fn_new_listing(s, NULL, &released, count_release);
    assert_null(f.f);
    assert_int_equal(released, 1);
    assert_int_equal(lucid_close(s), LUCID_TYPE_ERROR);
}

/* The elements of a transposed tensor lie row-major in a copy; whoever keeps them retains that. */
static void test_row_major_elements_outlive_the_scope(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = lucid_reshape(s, lucid_arange(s, 0, 6, 1, LUCID_INT64), LUCID_SHAPE(2, 3));
    lucid_tensor kept = lucid_retain(lucid_row_major(s, lucid_transpose(s, x, 0, 1)));
    const int64_t *data = lucid_data(s, kept);
    lucid_tensor other = lucid_full(s, LUCID_SHAPE(3, 2), lucid_scalar_int(s, 7));
    assert_non_null(lucid_data(s, other));
    assert_int_equal(lucid_close(s), LUCID_OK);
    static const int64_t expected[] = {0, 3, 1, 4, 2, 5};
    assert_memory_equal(data, expected, sizeof expected);
    lucid_release(kept);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, remember, nothing_left)
    const struct CMUnitTest tests[] = {
        TEST(test_child_releases_its_tensors),
        TEST(test_row_major_elements_outlive_the_scope),
        TEST(test_kept_tensor_survives),
        TEST(test_retained_tensor_outlives_its_root),
        TEST(test_first_error_sticks),
        TEST(test_empty_handles_are_safe),
        TEST(test_scratch_memory),
        TEST(test_foreign_memory),
        TEST(test_long_chain),
        TEST(test_long_history),
        TEST(test_function_releases_its_user),
    };
    return cmocka_run_group_tests_name("scopes", tests, NULL, NULL);
}
