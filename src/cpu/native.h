/* The native form of a program: where elementwise operations follow each other, their chain is machine code
 * (chain_code.h) instead of one pass over the lanes each. The bits are the same.
 *
 * It is a program too, whose instructions LUCID__CHAIN run chains; only what passes between chains and other
 * instructions has registers. It is made, in some microseconds, when a program has done work enough to win
 * them back. There is none without the instruction set or where a process may not make code.
 */
#ifndef LUCID__NATIVE_H
#define LUCID__NATIVE_H

#include "cpu/chains.h"
#include "engine/program.h"

enum { LUCID__CHAIN = LUCID__PRIM_COUNT }; /* an instruction's op; imm: which chain */

struct lucid__native {
    lucid__program program;
    lucid__chains chains;
    bool *asks; /* of each register: the stream's memory is asked for by a chain */
};
typedef struct lucid__native lucid__native;

/* The registers that an instruction of any program reads, or those that it writes; how many. */
enum { LUCID__MOST_PORTS = 64 };
int lucid__instr_reads(const lucid__program *p, const lucid__instr *in, uint16_t *regs);
int lucid__instr_writes(const lucid__program *p, const lucid__instr *in, uint16_t *regs);

/* NULL: none is possible, or worth it. */
lucid__native *lucid__native_new(const lucid__program *p);
/* The program with its chains, which have no code yet. False: there are none, or no memory. (native_chains.c) */
bool lucid__native_find_chains(lucid__native *native, const lucid__program *p);
/* NULL is fine. */
void lucid__native_free(lucid__native *native);
/* Runs chain `number` on n lanes; table[r]: where the lanes of register r are, next[r]: those that come next. */
void lucid__native_run(const lucid__native *native, int64_t number, void *const *table, int64_t n,
                       void *const *next);

#endif
