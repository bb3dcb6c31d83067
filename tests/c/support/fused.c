#include "support/fused.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/fuse.h"

int steps_when_fused(lucid_scope *s, const char *what, lucid_fn f, const lucid_tensor *x, size_t nx)
{
    lucid_tensor y[2];
    int steps = 0;
    for (int on = 0; on < 2; on++) {
        lucid_scope *t = lucid_scope_new(s);
        (void)lucid_call(t, f, x, nx, &y[on], 1);
        y[on] = lucid_keep(t, y[on]);
        if (lucid_close(t) != LUCID_OK)
            fail_msg("%s: %s", what, lucid_error_message(s));
        lucid__set_fusion(on == 1);
        uint64_t before = lucid_get_stats().steps;
        assert_int_equal(lucid_eval(s, &y[on], 1), LUCID_OK);
        steps = (int)(lucid_get_stats().steps - before);
        lucid__set_fusion(true);
    }
    size_t bytes = (size_t)lucid_numel(y[0]) * lucid_dtype_size(lucid_dtype_of(y[0]));
    if (memcmp(lucid_data(s, y[0]), lucid_data(s, y[1]), bytes) != 0)
        fail_msg("%s: fused and unfused differ", what);
    return steps;
}
