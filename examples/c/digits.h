/* Reads the 8x8 images of handwritten digits in examples/data/digits.csv. */
#ifndef DIGITS_H
#define DIGITS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { DIGITS_COUNT = 1797, DIGITS_PIXELS = 64, DIGITS_CLASSES = 10 };

struct digits {
    float image[DIGITS_COUNT][DIGITS_PIXELS]; /* grey values from 0 to 1 */
    int64_t label[DIGITS_COUNT];
};

/* One number from 0 to `largest`, with the comma or end of line after it. */
static inline bool digits_number(FILE *file, int largest, int *number)
{
    return fscanf(file, "%d%*1[,]", number) == 1 && *number >= 0 && *number <= largest;
}

/* False, with a message on standard error, if the file is not there or is not of that form. */
static inline bool digits_read(const char *path, struct digits *digits)
{
    FILE *file = fopen(path, "r");
    if (!file) {
        perror(path);
        return false;
    }
    int row, number = 0;
    bool good = true;
    for (row = 0; row < DIGITS_COUNT && good; row++) {
        for (int i = 0; i < DIGITS_PIXELS && good; i++) {
            good = digits_number(file, 16, &number);
            digits->image[row][i] = (float)number / 16;
        }
        good = good && digits_number(file, DIGITS_CLASSES - 1, &number);
        digits->label[row] = number;
    }
    if (!good)
        fprintf(stderr, "%s: line %d: expected %d numbers from 0 to 16, then a digit\n", path, row,
                DIGITS_PIXELS);
    (void)fclose(file);
    return good;
}

#endif
