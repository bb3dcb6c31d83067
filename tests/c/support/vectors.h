/* Reading tests/vectors: see the README there for the format. */
#ifndef VECTORS_H
#define VECTORS_H

#include <stdio.h>

#include "lucid.h"

enum { VECTOR_WORDS = 512, VECTOR_APPLIES = 8, VECTOR_OPTIONS = 8, VECTOR_TENSORS = 8 };

typedef struct vector_tensor {
    lucid_dtype dtype;
    lucid_shape shape;
    double tolerance; /* of an output; 0: exact */
    void *data;
} vector_tensor;

typedef struct vector_apply {
    char *transform;
    int noptions;
    char *option[VECTOR_OPTIONS]; /* key=value */
} vector_apply;

typedef struct vector_case {
    char *name;
    int line;
    char *word[VECTOR_WORDS]; /* of the program */
    int nwords;
    vector_apply apply[VECTOR_APPLIES];
    int napplies;
    char *strategy[VECTOR_OPTIONS], *chunk_size[VECTOR_OPTIONS];
    int nstrategies, nchunk_sizes;
    uint64_t seed;
    long draws, paths; /* -1: not said */
    vector_tensor input[VECTOR_TENSORS], output[VECTOR_TENSORS];
    int ninputs, noutputs;
    char *error, *phrase; /* NULL: none expected */
} vector_case;

typedef struct vector_file {
    const char *path;
    char *text, *at; /* at: the next line */
    int line;
} vector_file;

/* All fail the running cmocka test on what they do not understand. */
void vector_open(vector_file *f, const char *path);
/* False at the end. The strings of a case stand in the file's text. */
bool vector_next(vector_file *f, vector_case *c);
void vector_case_clear(vector_case *c);
void vector_close(vector_file *f);

#endif
