/* Many products of tiny matrices: by any instruction set, in any layout, an entry of the batch has the bits that
 * it has alone, nothing else is written, and nothing behind the operands is read (the sanitizers see that). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/dtype.h"
#include "cpu/matrix_isa.h"

static uint64_t random_state = 1;

static uint32_t random_bits(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(random_state >> 33);
}

/* n numbers in memory that ends behind them. */
static void *numbers(lucid_dtype dtype, int64_t n)
{
    char *data = malloc((size_t)n * lucid_dtype_size(dtype));
    assert_non_null(data);
    for (int64_t i = 0; i < n; i++) {
        const double x = (double)random_bits() / 1e9 - 1;
        const int64_t whole = (int64_t)(random_bits() % 2001) - 1000;
        char *to = data + (size_t)i * lucid_dtype_size(dtype);
        if (dtype == LUCID_FLOAT32)
            memcpy(to, &(float){(float)x}, 4);
        else if (dtype == LUCID_FLOAT64)
            memcpy(to, &x, 8);
        else
            memcpy(to, &whole, lucid_dtype_size(dtype));
    }
    return data;
}

/* rows x cols, row-major or not, with gaps or not. Returns how many elements one matrix spans. */
static int64_t lay_out(int64_t rows, int64_t cols, int how, int64_t *row, int64_t *col)
{
    const int64_t gap = how & 2 ? 1 : 0;
    *row = how & 1 ? 1 : cols + gap;
    *col = how & 1 ? rows + gap : 1;
    return (rows - 1) * *row + (cols - 1) * *col + 1;
}

static void check(const lucid__matrix_isa *isa, lucid_dtype dtype, const int64_t *mnk, int how,
                  int64_t count)
{
    lucid__product p = {.m = mnk[0], .n = mnk[1], .k = mnk[2], .c_row = mnk[1]};
    const int64_t of_a = lay_out(p.m, p.k, how, &p.a_row, &p.a_col);
    const int64_t of_b = lay_out(p.k, p.n, how >> 2, &p.b_row, &p.b_col);
    /* Entries one after the other, with one element between, or all the same. */
    const int64_t a_step = how % 5 == 0 ? 0 : of_a + how % 2;
    const int64_t b_step = how % 7 == 0 ? 0 : of_b + how % 3, size = p.m * p.n;
    const size_t bytes = lucid_dtype_size(dtype);
    char *a = numbers(dtype, (count - 1) * a_step + of_a);
    char *b = numbers(dtype, (count - 1) * b_step + of_b);
    char *c = malloc((size_t)(count * size) * bytes), *one = malloc((size_t)size * bytes);
    char *scratch = malloc(((size_t)lucid__product_scratch(&p) + 1) * bytes);
    assert_true(c && one && scratch);
    isa->multiply[dtype](&p, count, false, a, a_step, b, b_step, c, size, scratch);
    for (int64_t e = 0; e < count; e++) {
        isa->multiply[dtype](&p, 1, false, a + (size_t)(e * a_step) * bytes, 0,
                             b + (size_t)(e * b_step) * bytes, 0, one, size, scratch);
        if (memcmp(one, c + (size_t)(e * size) * bytes, (size_t)size * bytes) != 0)
            fail_msg("%s, %s: (%d, %d) x (%d, %d), layout %d: entry %d of %d differs", isa->name,
                     lucid_dtype_name(dtype), (int)p.m, (int)p.k, (int)p.k, (int)p.n, how, (int)e,
                     (int)count);
    }
    free(a), free(b), free(c), free(one), free(scratch);
}

static void entries_are_what_they_are_alone(void **state)
{
    (void)state;
    const lucid__matrix_isa *isa[3] = {lucid__matrix_isa_get(), NULL, NULL};
#if defined(__x86_64__)
    extern const lucid__matrix_isa lucid__matrix_v2, lucid__matrix_v3;
    isa[1] = &lucid__matrix_v2;
    if (strcmp(lucid_instruction_set(), "v2") != 0)
        isa[2] = &lucid__matrix_v3;
#endif
    const lucid_dtype dtypes[] = {LUCID_FLOAT32, LUCID_FLOAT64, LUCID_INT32, LUCID_INT64};
    for (int i = 0; i < 3 && isa[i]; i++)
        for (int t = 0; t < 4; t++)
            for (int64_t at = 0; at < 6 * 6 * 9; at++)
                for (int round = 0; round < 4; round++) {
                    const int64_t mnk[3] = {1 + at % 6, 1 + at / 6 % 6, 1 + at / 36};
                    check(isa[i], dtypes[t], mnk, (int)(random_bits() % 16),
                          1 + (int64_t)(random_bits() % 150));
                }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_what_they_are_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
