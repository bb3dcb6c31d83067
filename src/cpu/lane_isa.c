#include "cpu/lane_isa.h"

#include <string.h>

#if defined(__x86_64__)
extern const lucid__lane_isa lucid__lanes_v2, lucid__lanes_v3, lucid__lanes_v4;
static const lucid__lane_isa *const built[] = {&lucid__lanes_v2, &lucid__lanes_v3,
                                               &lucid__lanes_v4};
#else
extern const lucid__lane_isa lucid__lanes_base;
static const lucid__lane_isa *const built[] = {&lucid__lanes_base};
#endif

const lucid__lane_isa *lucid__lane_isa_get(void)
{
    const char *name = lucid_instruction_set();
    for (size_t i = 1; i < sizeof built / sizeof *built; i++)
        if (strcmp(built[i]->name, name) == 0)
            return built[i];
    return built[0];
}
