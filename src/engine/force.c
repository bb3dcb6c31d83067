#include "engine/force.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"

enum { NOT_ASKED = -1 };

static atomic_int forced = NOT_ASKED;

/* What the environment says. A name that there is not would force nothing in silence. */
static lucid__forced_layout asked_for(void)
{
    static const char *const names[] = {"none", "elements", "batch", "library"};
    const char *text = getenv("LUCID_LAYOUT");
    for (int i = 0; text && i < (int)(sizeof names / sizeof *names); i++)
        if (strcmp(names[i], text) == 0)
            return (lucid__forced_layout)i;
    if (text)
        (void)fprintf(stderr, "lucid: LUCID_LAYOUT=%s: it can be none, elements, batch, library\n",
                      text);
    return LUCID__FORCE_NONE;
}

lucid__forced_layout lucid__layout_forced(void)
{
    int now = atomic_load_explicit(&forced, memory_order_relaxed);
    if (now == NOT_ASKED) {
        int layout = (int)asked_for();
        /* A choice that was made meanwhile stays. */
        now = atomic_compare_exchange_strong(&forced, &now, layout) ? layout : now;
    }
    return (lucid__forced_layout)now;
}

void lucid__force_layout(lucid__forced_layout layout)
{
    atomic_store(&forced, (int)layout);
}

bool lucid__lanes_allowed(void)
{
    lucid__forced_layout layout = lucid__layout_forced();
    return layout == LUCID__FORCE_NONE || layout == LUCID__FORCE_BATCH;
}
