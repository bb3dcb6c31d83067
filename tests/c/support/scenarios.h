/* Representative uses of the library, each a whole program on its own: for failing allocations and
 * for threads. */
#ifndef SCENARIOS_H
#define SCENARIOS_H

#include "lucid.h"

typedef struct scenario {
    const char *name;
    /* Builds and evaluates in s; the checksum of what came out goes to *sum. Errors stay in s. */
    void (*run)(lucid_scope *s, double *sum);
} scenario;

extern const scenario scenarios[];
extern const size_t scenario_count;

#endif
