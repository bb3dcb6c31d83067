/* The machine code of several chains, in memory of its own. */
#ifndef LUCID__CHAINS_H
#define LUCID__CHAINS_H

#include "base/arena.h"
#include "cpu/chain_code.h"

typedef struct lucid__made_chain {
    lucid__chain chain;
    lucid__chain_fn *run;
} lucid__made_chain;

typedef struct lucid__chains {
    lucid__arena *arena; /* for the chains, and what else lives as long */
    int n;
    lucid__made_chain *at;
    bool wide;
    void *code;
    size_t code_bytes, bytes; /* of the code; of all, once it is written */
} lucid__chains;

/* Points times instructions after which a program gets its native form. Tests set 0, and INT64_MAX for never;
 * the environment variable LUCID_NATIVE=0 says never, too. This and what follows only under the engine's lock. */
extern int64_t lucid__native_after;
/* Vectors of 512 bits where there are some; tests set it to false. */
extern bool lucid__native_wide;
/* Chains of all native forms that were made. */
extern int64_t lucid__native_chains_made;

/* Counts work that a program is about to do, points times instructions. True once: it is time to make its
 * native form. */
bool lucid__native_due(double *done, bool *tried, double work);

/* Sets `wide` and makes the arena. False: out of memory, or there can be no code here. */
bool lucid__chains_begin(lucid__chains *chains);
/* Memory of all native forms there are; from any thread. */
uint64_t lucid__native_bytes(void);
/* Whether the chain has a result, and registers enough for all of it. */
bool lucid__chain_has_code(const lucid__chains *chains, const lucid__chain *chain);
/* Writes the code of all chains. False: out of memory, or the process may not make code. */
bool lucid__chains_write(lucid__chains *chains);
void lucid__chains_free(lucid__chains *chains);

#endif
