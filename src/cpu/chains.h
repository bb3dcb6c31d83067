/* The machine code of several chains, in memory of its own. */
#ifndef LUCID__CHAINS_H
#define LUCID__CHAINS_H

#include "cpu/chain_code.h"

typedef struct lucid__made_chain {
    lucid__chain chain;
    lucid__chain_fn *run;
} lucid__made_chain;

typedef struct lucid__chains {
    int n;
    lucid__made_chain *at;
    bool wide;
    void *code;
    size_t code_bytes;
} lucid__chains;

/* Points times instructions after which a program gets its native form. Tests set 0, and INT64_MAX for never;
 * the environment variable LUCID_NATIVE=0 says never, too. This and what follows only under the engine's lock. */
extern int64_t lucid__native_after;
/* Vectors of 512 bits where there are some; tests set it to false. */
extern bool lucid__native_wide;
/* Chains of all native forms that were made. */
extern int64_t lucid__native_chains_made;

/* Whether there can be code here, and sets `wide`. */
bool lucid__chains_begin(lucid__chains *chains);
/* Writes the code of all chains. False: out of memory, or the process may not make code. */
bool lucid__chains_write(lucid__chains *chains);
void lucid__chains_free(lucid__chains *chains);

#endif
