/* What the fuzz targets share. A target defines LLVMFuzzerTestOneInput; under libFuzzer that is all,
 * as a plain test standalone_main.c runs it on the files of its corpus. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The one way in which a target reports a finding. */
#define FUZZ_CHECK(condition, ...) \
    do { \
        if (!(condition)) { \
            (void)fprintf(stderr, __VA_ARGS__); \
            (void)fprintf(stderr, "\n"); \
            abort(); \
        } \
    } while (0)

typedef struct fuzz_bytes {
    const uint8_t *at;
    size_t left;
} fuzz_bytes;

static inline uint8_t fuzz_byte(fuzz_bytes *b)
{
    if (b->left == 0)
        return 0;
    b->left--;
    return *b->at++;
}

static inline int fuzz_below(fuzz_bytes *b, int n)
{
    return fuzz_byte(b) % n;
}

#endif
