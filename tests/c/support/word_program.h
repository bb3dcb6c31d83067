/* The programs of tests/vectors: words in postfix, run on a stack of tensors. */
#ifndef WORD_PROGRAM_H
#define WORD_PROGRAM_H

#include "lucid.h"

enum { WORD_GENERATORS = 4 };

/* A program and the generators of its own, which live as long as the case. */
typedef struct word_program {
    char *const *word;
    int nwords;
    struct {
        uint64_t seed;
        lucid_generator *generator;
    } own[WORD_GENERATORS];
    int nown;
} word_program;

/* A lucid_listing_function with a word_program as user. A word that it does not know fails the running
 * cmocka test. */
lucid_status word_program_run(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_results *y,
                              void *user);
void word_program_clear(word_program *p);

#endif
