/* Blocks and buffers that are used again: contents, sizes, threads, how much is kept, and how many a call takes. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "lucid.h"

enum { MOST = 1100, BLOCKS = 600 };

/* ---- blocks --------------------------------------------------------------------------------------- */

static bool all_are(const unsigned char *p, size_t n, int value)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != value)
            return false;
    return true;
}

/* What comes back dirty must be zeros again, and blocks must not overlap. */
static void blocks_are_apart_and_zeroed(void **state)
{
    (void)state;
    unsigned char *p[MOST];
    for (int round = 0; round < 3; round++) {
        for (size_t n = 0; n < MOST; n++) {
            p[n] = lucid__calloc(1, n);
            assert_non_null(p[n]);
            assert_int_equal((uintptr_t)p[n] % _Alignof(max_align_t), 0);
            assert_true(all_are(p[n], n, 0));
            memset(p[n], (int)(n % 251) + 1, n);
        }
        for (size_t n = 0; n < MOST; n++)
            assert_true(all_are(p[n], n, (int)(n % 251) + 1));
        for (size_t n = 0; n < MOST; n++)
            lucid__free(p[(n * 7) % MOST]);
    }
    lucid__free(NULL);
    if (!LUCID__REUSES_MEMORY) /* sanitizers end the program there */
        return;
    assert_null(lucid__calloc(SIZE_MAX / 2, 3));
    assert_null(lucid__malloc(SIZE_MAX - 3));
}

static void a_block_grows_and_shrinks(void **state)
{
    (void)state;
    const size_t sizes[] = {1, 31, 32, 33, 479, 480, 481, 511, 512, 513, 4000, 100000, 600, 500, 5};
    unsigned char *p = NULL;
    size_t had = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        p = lucid__realloc(p, sizes[i]);
        assert_non_null(p);
        assert_true(all_are(p, had < sizes[i] ? had : sizes[i], 7));
        memset(p, 7, had = sizes[i]);
    }
    lucid__free(p);
}

/* Blocks of one thread are dropped by another, which then ends. */
static void *drop(void *blocks)
{
    void **p = blocks;
    for (int i = 0; i < BLOCKS; i++)
        lucid__free(p[i]);
    for (int i = 0; i < BLOCKS; i++)
        p[i] = lucid__malloc((size_t)i);
    return NULL;
}

static void blocks_go_between_threads(void **state)
{
    (void)state;
    void *p[BLOCKS];
    for (int i = 0; i < BLOCKS; i++)
        p[i] = lucid__malloc((size_t)i);
    for (int round = 0; round < 3; round++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, drop, p), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    for (int i = 0; i < BLOCKS; i++) {
        memset(p[i], 1, (size_t)i);
        lucid__free(p[i]);
    }
}

/* ---- buffers -------------------------------------------------------------------------------------- */

static void a_buffer_is_used_again(void **state)
{
    (void)state;
    const size_t sizes[] = {100, 5000, 3 << 20, 9 << 20};
    lucid_empty_cache();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        lucid__buffer *b = lucid__buffer_new(sizes[i]);
        void *data = b->data;
        assert_int_equal((uintptr_t)data % 64, 0);
        memset(data, 1, sizes[i]);
        lucid__buffer_release(b);
        if (!LUCID__REUSES_MEMORY)
            continue;
        assert_true(lucid_get_stats().bytes_kept >= sizes[i]);
        lucid__buffer *again =
            lucid__buffer_new(sizes[i] - sizes[i] / 10); /* a little less will do */
        assert_ptr_equal(again->data, data);
        lucid__buffer_release(again);
    }
    lucid_empty_cache();
    assert_int_equal(lucid_get_stats().bytes_kept, 0);
}

/* Bytes of the process that are in memory; 0: not known. */
static size_t resident(void)
{
    unsigned long pages = 0;
#if defined(__linux__)
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%*s %lu", &pages) != 1)
        pages = 0;
    if (file)
        (void)fclose(file);
#endif
    return pages * 4096;
}

/* Also when something in use lies behind it. */
static void small_blocks_go_back_to_the_system(void **state)
{
    (void)state;
    enum { MANY = 400 * 1000, BYTES = 200, ALLOWED = 20 << 20 };
    if (!LUCID__REUSES_MEMORY)
        return;
    void **blocks = lucid__malloc(MANY * sizeof *blocks);
    assert_non_null(blocks);
    memset(blocks, 0, MANY * sizeof *blocks);
    lucid_empty_cache();
    size_t before = resident();
    for (int i = 0; i < MANY; i++)
        memset(blocks[i] = lucid__malloc(BYTES), 1, BYTES);
    void *behind = lucid__malloc(BYTES);
    assert_true(before == 0 || resident() > before + MANY * BYTES / 2);
    for (int i = 0; i < MANY; i++)
        lucid__free(blocks[i]);
    lucid_empty_cache();
    assert_true(resident() <= before + ALLOWED);
    lucid__free(behind);
    lucid__free(blocks);
}

/* As much of a buffer as can be is in large pages, which begin at multiples of their size. */
static void a_buffer_of_a_large_page_begins_with_it(void **state)
{
    (void)state;
    const size_t page = 2 << 20, sizes[] = {page, page + page / 2, 2 * page, 5 * page};
    lucid_empty_cache();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        lucid__buffer *b = lucid__buffer_new(sizes[i]);
        assert_non_null(b);
        assert_int_equal((uintptr_t)b->data % page, 0);
        memset(b->data, 1, sizes[i]);
        lucid__buffer_release(b);
    }
    lucid_empty_cache();
}

static void fresh_memory_is_told_from_written(void **state)
{
    (void)state;
#if defined(__linux__)
    const size_t bytes =
        64 << 20; /* more than anything before, so that none is kept of this size */
    lucid__buffer *b = lucid__buffer_new(bytes);
    assert_non_null(b);
    char *data = b->data;
    assert_true(lucid__memory_is_fresh(data, bytes));
    data[bytes / 2 - 1] = 1;
    assert_false(lucid__memory_is_fresh(data, bytes));
    assert_true(lucid__memory_is_fresh(data, bytes / 4));
    memset(data, 1, bytes);
    assert_false(lucid__memory_is_fresh(data, bytes));
    lucid__buffer_release(b);
#endif
}

static void no_more_is_kept_than_half_of_the_budget(void **state)
{
    (void)state;
    enum { COUNT = 20, SIZE = 1 << 20 };
    lucid__buffer *b[COUNT];
    assert_int_equal(lucid_set_memory_budget(10 * (int64_t)SIZE), LUCID_OK);
    for (int i = 0; i < COUNT; i++)
        b[i] = lucid__buffer_new(SIZE);
    void *newest = b[COUNT - 1]->data;
    for (int i = 0; i < COUNT; i++)
        lucid__buffer_release(b[i]);
    if (LUCID__REUSES_MEMORY) {
        assert_int_equal(lucid_get_stats().bytes_kept, 5 * SIZE);
        b[0] = lucid__buffer_new(SIZE);
        assert_ptr_equal(b[0]->data, newest);
        lucid__buffer_release(b[0]);
    }
    assert_int_equal(lucid_set_memory_budget(SIZE / 4), LUCID_OK);
    lucid__buffer_release(lucid__buffer_new(1000)); /* the next one released shows it */
    assert_true(lucid_get_stats().bytes_kept <= SIZE / 8);
    assert_int_equal(lucid_set_memory_budget(0), LUCID_OK);
}

static void *take_and_release(void *unused)
{
    for (int i = 0; i < 2000; i++) {
        size_t n = 64u << (i % 9);
        lucid__buffer *b = lucid__buffer_new(n), *c = lucid__buffer_new(2 * n);
        memset(b->data, i, n);
        lucid__buffer_release(b);
        lucid__buffer_release(c);
        if (i % 500 == 0)
            lucid_empty_cache();
    }
    return unused;
}

static void threads_share_what_is_kept(void **state)
{
    (void)state;
    pthread_t thread[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, take_and_release, NULL), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
}

/* ---- small calls ------------------------------------------------------------------------------------ */

static lucid_status square_sum(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                               size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_sum(s, lucid_square(s, x[0]), LUCID_ALL);
    return LUCID_OK;
}

static void call(lucid_scope *s, lucid_fn g, lucid_tensor x)
{
    lucid_scope *inner = lucid_scope_new(s);
    lucid_tensor y = lucid_call1(inner, g, x);
    assert_int_equal(lucid_eval(inner, &y, 1), LUCID_OK);
    assert_int_equal(lucid_close(inner), LUCID_OK);
}

/* What a warm call of per-sample gradients takes: two blocks for each operation and value, and a few for
 * walking the tape. Scratch memory comes from scopes, and looking at the graph takes none. */
static void a_warm_call_takes_few_blocks(void **state)
{
    (void)state;
    if (!LUCID__REUSES_MEMORY)
        skip();
    enum { PLENTY = 100000, FEW = 48 };
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = lucid_randn(s, LUCID_SHAPE(32, 4));
    assert_int_equal(lucid_eval(s, &x, 1), LUCID_OK); /* or the second call has a plan to make */
    lucid_fn f = lucid_fn_new(s, square_sum, 1, NULL);
    lucid_fn g = lucid_vmap(s, lucid_grad(s, f, NULL), NULL);
    call(s, g, x);
    lucid__fail_allocations_after(PLENTY);
    call(s, g, x);
    int64_t left = lucid__allocations_left();
    lucid__fail_allocations_after(-1);
    assert_in_range(PLENTY - left, 1, FEW);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_apart_and_zeroed),
        cmocka_unit_test(a_block_grows_and_shrinks),
        cmocka_unit_test(blocks_go_between_threads),
        cmocka_unit_test(a_buffer_is_used_again),
        cmocka_unit_test(small_blocks_go_back_to_the_system),
        cmocka_unit_test(a_buffer_of_a_large_page_begins_with_it),
        cmocka_unit_test(fresh_memory_is_told_from_written),
        cmocka_unit_test(no_more_is_kept_than_half_of_the_budget),
        cmocka_unit_test(threads_share_what_is_kept),
        cmocka_unit_test(a_warm_call_takes_few_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
