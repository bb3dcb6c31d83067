#include "engine/force.h"

#include <string.h>

#include "base/thread.h"

static atomic_int forced;

lucid__forced_layout lucid__layout_forced(void)
{
    return (lucid__forced_layout)atomic_load_explicit(&forced, memory_order_relaxed);
}

void lucid__force_layout(lucid__forced_layout layout)
{
    atomic_store(&forced, (int)layout);
}

int lucid__forced_layout_of(const char *name)
{
    static const char *const names[] = {"none", "elements", "batch", "library"};
    for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}
