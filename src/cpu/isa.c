/* Chooses the instruction bodies for the machine at run time. */
#include "base/thread.h"
#include "cpu/instr.h"

#if defined(__x86_64__)
extern const lucid__bodies lucid__bodies_v2, lucid__bodies_v3, lucid__bodies_v4;
#else
extern const lucid__bodies lucid__bodies_base;
#endif

static struct {
    const lucid__bodies *bodies;
    const char *name;
} chosen;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void choose(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
        chosen.bodies = &lucid__bodies_v4;
        chosen.name = "v4";
    } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
               __builtin_cpu_supports("bmi2")) {
        chosen.bodies = &lucid__bodies_v3;
        chosen.name = "v3";
    } else {
        chosen.bodies = &lucid__bodies_v2;
        chosen.name = "v2";
    }
#else
    chosen.bodies = &lucid__bodies_base;
    chosen.name = "base";
#endif
}

const lucid__bodies *lucid__bodies_get(void)
{
    (void)pthread_once(&once, choose);
    return chosen.bodies;
}

const char *lucid_instruction_set(void)
{
    (void)pthread_once(&once, choose);
    return chosen.name;
}

lucid__instr_body *lucid__pair_body(const lucid__bodies *bodies, const lucid__instr *in)
{
    return (*bodies->pair)[lucid__pair_op(in->op)][lucid__pair_then(in->then, in->turned)]
                          [in->dtype == LUCID_FLOAT64];
}
