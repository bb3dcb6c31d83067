/* Whole programs (support/scenarios.h) in which the n-th allocation fails, for every n until one
 * passes untouched. Each must end with LUCID_MEMORY_ERROR or the right result, crash never, leak
 * nothing (tensor memory here; all memory under the leak checker of the sanitizer build), and leave
 * the library ready for the next one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "cpu/native.h"
#include "support/differences.h"
#include "support/scenarios.h"

enum { MOST = 100000 }; /* a scenario that allocates more is not small */

typedef struct outcome {
    lucid_status status;
    double sum;
    char message[128];
} outcome;

static outcome run(const scenario *c)
{
    outcome o = {.status = LUCID_OK};
    lucid_scope *s = lucid_open(NULL);
    if (s)
        c->run(s, &o.sum);
    (void)snprintf(o.message, sizeof o.message, "%s", lucid_error_message(s));
    o.status = lucid_close(s);
    return o;
}

static bool equal(double a, double b)
{
    return fabs(a - b) <= 1e-12 * (1 + fabs(b));
}

/* True when the n-th allocation was not reached any more. */
static bool fail_nth(const scenario *c, int64_t n, double want)
{
    uint64_t before = lucid_get_stats().bytes_live;
    checking("%s, allocation %lld fails", c->name, (long long)n);
    lucid__fail_allocations_after(n);
    outcome o = run(c);
    bool untouched = lucid__allocations_left() >= 0;
    lucid__fail_allocations_after(-1);
    if (o.status != LUCID_OK && o.status != LUCID_MEMORY_ERROR)
        difference("status %d: %s", (int)o.status, o.message);
    if (o.status == LUCID_OK && !equal(o.sum, want))
        difference("no error, but %.17g instead of %.17g", o.sum, want);
    if (untouched && o.status != LUCID_OK)
        difference("an error without a cause: %s", o.message);
    uint64_t after = lucid_get_stats().bytes_live;
    if (after != before)
        difference("%llu bytes live, %llu before", (unsigned long long)after,
                   (unsigned long long)before);
    return untouched;
}

static void test_scenario(void **state)
{
    const scenario *c = *state;
    differences_begin();
    checking("%s", c->name);
    outcome good = run(c);
    if (good.status != LUCID_OK)
        difference("fails by itself: %s", good.message);
    int64_t n = 0;
    while (n < MOST && differences_count() < 20 && good.status == LUCID_OK &&
           !fail_nth(c, n, good.sum))
        n++;
    checking("%s, after %lld failed runs", c->name, (long long)n);
    outcome again = run(c);
    if (again.status != LUCID_OK || !equal(again.sum, good.sum))
        difference("the next run gives status %d (%s), %.17g instead of %.17g", (int)again.status,
                   again.message, again.sum, good.sum);
    print_message("%s: %lld allocations, each made to fail once\n", c->name, (long long)n);
    differences_end();
}

int main(void)
{
    static struct CMUnitTest tests[64];
    lucid__native_after = 0;
    for (size_t i = 0; i < scenario_count; i++)
        tests[i] = (struct CMUnitTest){.name = scenarios[i].name,
                                       .test_func = test_scenario,
                                       .initial_state = (void *)(uintptr_t)&scenarios[i]};
    return _cmocka_run_group_tests("failing allocations", tests, scenario_count, NULL, NULL);
}
