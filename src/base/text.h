/* Text written piece by piece, as snprintf writes it: what does not fit is counted, not written. */
#ifndef LUCID__TEXT_H
#define LUCID__TEXT_H

#include <stddef.h>

#include "lucid.h"

typedef struct lucid__text {
    char *to;
    size_t size;
    size_t length; /* of the whole text so far */
} lucid__text;

void lucid__put(lucid__text *t, const char *format, ...) LUCID_PRINTF(2, 3);

#endif
