/* One operation recorded on a tape (transform/tape.h) or a stage (transform/stage.h).
 *
 * Its inputs are values: those of the tape's own level are the linear ones, the others are constants
 * (residuals). Entries refer backwards only, so what nothing refers to any more goes away by itself,
 * and `order`, which is larger than that of any input, sorts any set of them topologically. An entry without a primitive is
 * a leaf: an argument of the linear function.
 *
 * An entry with `pull` is a linear map given by its pullback (transform/tape_function.h): the first nparams
 * inputs are linear, the others are what the function gets in front of the cotangents. */
#ifndef LUCID__TAPE_ENTRY_H
#define LUCID__TAPE_ENTRY_H

#include "graph/scope.h"

typedef struct lucid__tape_entry lucid__tape_entry;

enum { LUCID__FUNCTION = UINT16_MAX };

struct lucid__tape_entry {
    lucid__refs refs;
    uint16_t prim; /* LUCID__LEAF (node.h), a primitive, or LUCID__FUNCTION */
    uint16_t nout;
    int nin;
    int nparams;
    uint64_t order;
    lucid__value *grad;     /* leaves of lucid_requires_grad: what was gathered so far; else NULL */
    struct lucid__fn *pull; /* NULL but for LUCID__FUNCTION */
    struct lucid__region *region; /* whose copies the residuals are (region.h); NULL: none */
    lucid__value **in;
    int64_t *params;
    lucid__aval *avals; /* of the outputs */
};

/* Inputs get one reference each. NULL: out of memory. */
lucid__tape_entry *lucid__tape_entry_new(lucid_scope *s, int prim, lucid__value *const *in, int nin,
                                         const int64_t *params, int nparams,
                                         const lucid__aval *avals, int nout);
lucid__tape_entry *lucid__tape_entry_retain(lucid__tape_entry *e);
void lucid__tape_entry_release(lucid__tape_entry *e);

#endif
