/* docs/support.md: which transform every primitive supports, found out by trying. */
#ifndef SUPPORT_MATRIX_H
#define SUPPORT_MATRIX_H

#include <stdio.h>

void print_support_matrix(FILE *to);

#endif
