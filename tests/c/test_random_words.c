/* Words of random_bits by range and stride, against one block of Philox at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/philox.h"
#include "cpu/random_words.h"

enum { ROWS = 3, COLUMNS = 5, LANES = ROWS * COLUMNS };

static const int64_t seed = INT64_C(0x123456789ABCDEF0);
static int64_t draws[2 * LANES], lanes[LANES];

/* Lane l of the shape (ROWS, COLUMNS) has draw draws[2 * l], read from the last one to the first, and
 * lane number lanes[l]. */
static uint32_t word_of(int64_t words, int64_t at)
{
    int64_t l = at / words, e = at % words;
    uint32_t counter[4], word[4], key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    lucid__philox_counter((uint32_t)(e / 4), (uint64_t)draws[2 * (LANES - 1 - l)],
                          (uint64_t)lanes[l], counter);
    lucid__philox(counter, key, word);
    return word[e % 4];
}

static lucid__word_source source(int64_t words)
{
    lucid__view in[3];
    for (int i = 0; i < 3; i++)
        in[i] = (lucid__view){.dtype = LUCID_INT64, .shape = {2, {ROWS, COLUMNS}}};
    in[0].data = (void *)(uintptr_t)&seed;
    in[1].data = draws + 2 * (LANES - 1);
    in[1].stride[0] = -2 * COLUMNS;
    in[1].stride[1] = -2;
    in[2].data = lanes;
    in[2].stride[0] = COLUMNS;
    in[2].stride[1] = 1;
    return lucid__word_source_new(in, words);
}

static int make(void **unused)
{
    (void)unused;
    for (int i = 0; i < LANES; i++) {
        draws[2 * i] = 7 * i;
        lanes[i] = i * INT64_C(0x100000001);
    }
    return 0;
}

static void check(int64_t words, int64_t first, int64_t stride, int64_t n)
{
    lucid__word_source s = source(words);
    uint32_t *to = malloc((size_t)(n + 1) * sizeof *to); /* exactly, for the sanitizers */
    lucid__random_words(&s, first, stride, n, to);
    for (int64_t i = 0; i < n; i++)
        assert_int_equal(to[i], word_of(words, first + i * stride));
    free(to);
}

static void test_ranges(void **unused)
{
    (void)unused;
    const int64_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 63, 64, 65, 256, 257};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        int64_t words = sizes[k], all = LANES * words;
        for (int64_t first = 0; first < all; first += 1 + all / 37)
            for (int64_t n = 0; first + n <= all; n += 1 + all / 23)
                check(words, first, 1, n);
        check(words, 0, 1, all);
    }
}

static void test_strides(void **unused)
{
    (void)unused;
    for (int64_t words = 1; words < 12; words++) {
        int64_t all = LANES * words;
        for (int64_t stride = 2; stride < 9; stride++)
            check(words, 1 % all, stride, (all - 1 % all - 1) / stride + 1);
        check(words, all - 1, -1, all);
        check(words, all - 1, 0, 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_strides),
    };
    return cmocka_run_group_tests(tests, make, NULL);
}
