/* Machine code for x86-64: the few vector instructions that chains of elementwise operations need, with 512-bit
 * (EVEX) or 256-bit (VEX) vectors. Encodings: Intel 64 and IA-32 Architectures Software Developer's Manual,
 * volume 2, chapter 2. */
#ifndef LUCID__X86_CODE_H
#define LUCID__X86_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The general registers by their numbers. */
enum {
    LUCID__RAX,
    LUCID__RCX,
    LUCID__RDX,
    LUCID__RBX,
    LUCID__RSP,
    LUCID__RBP,
    LUCID__RSI,
    LUCID__RDI,
    LUCID__R11 = 11,
};

typedef struct lucid__code {
    uint8_t *bytes; /* NULL: only counted */
    size_t n, capacity;
    bool wide;      /* 512 bits */
    bool is_double; /* the lanes */
} lucid__code;

/* The operations, of the code's dtype where it matters. */
typedef enum lucid__vector_op {
    LUCID__V_ADD,
    LUCID__V_SUB,
    LUCID__V_MUL,
    LUCID__V_DIV,
    LUCID__V_MAX, /* a > b ? a : b */
    LUCID__V_MIN, /* a < b ? a : b */
    LUCID__V_AND,
    LUCID__V_AND_NOT, /* ~a & b */
    LUCID__V_OR,
    LUCID__V_XOR,
    LUCID__V_SQRT,        /* of b */
    LUCID__V_ROUND,       /* of b, with an immediate */
    LUCID__V_LOAD,        /* b */
    LUCID__V_ADD_PRODUCT, /* dst + a b, rounded once */
} lucid__vector_op;

/* A vector register, or the lanes of the array that a general register points to, from number rcx on or from the
 * first on. */
typedef enum lucid__x86_place {
    LUCID__IN_REGISTER,
    LUCID__IN_ARRAY,
    LUCID__AT_START,
} lucid__x86_place;

typedef struct lucid__x86_operand {
    lucid__x86_place place;
    int reg;
} lucid__x86_operand;

/* dst = op(a, b). a: ignored by what takes one operand; imm: by all but ROUND. */
void lucid__code_vector(lucid__code *c, lucid__vector_op op, int dst, int a, lucid__x86_operand b,
                        int imm);
void lucid__code_store(lucid__code *c, int base, int src);
/* The same bits in every lane. Changes rax. */
void lucid__code_constant(lucid__code *c, int dst, uint64_t bits);

/* Truth values are lanes of ones or of zeros. predicate: of the instruction VCMPPS. */
void lucid__code_compare(lucid__code *c, int dst, int a, int b, int predicate);
/* dst = mask ? yes : no. */
void lucid__code_select(lucid__code *c, int dst, int mask, int yes, int no);
/* From and to bytes that are 0 or 1. zero: a register whose lanes are 0; spare: one to be changed. */
void lucid__code_load_truth(lucid__code *c, int dst, lucid__x86_operand from, int zero);
void lucid__code_store_truth(lucid__code *c, int base, int src, int spare);

/* reg = the 64 bits at [from + offset]. */
void lucid__code_pointer(lucid__code *c, int reg, int from, int32_t offset);
/* Asks for the memory of lanes rcx, ... of the array that `base` points to. */
void lucid__code_prefetch(lucid__code *c, int base, bool single_bytes);
void lucid__code_push(lucid__code *c, int reg);
void lucid__code_pop(lucid__code *c, int reg);
/* rcx = 0. */
void lucid__code_begin(lucid__code *c);
/* rcx += step; while rcx < rsi, back to where the code had `start` bytes. */
void lucid__code_repeat(lucid__code *c, int step, size_t start);
void lucid__code_return(lucid__code *c);

#endif
