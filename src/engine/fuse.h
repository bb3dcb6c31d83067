/* Fusion: steps over the same points become one program, whose intermediate values stay in registers and
 * reach memory only when something else wants them. */
#ifndef LUCID__FUSE_H
#define LUCID__FUSE_H

#include "engine/draft_steps.h"

/* Gives the plan its steps: fewer than the drafts, which each do one thing, with the same bits. What the drafts'
 * arena holds is scratch memory. False and an error in s: out of memory. */
bool lucid__fuse(lucid_scope *s, lucid__plan *plan, lucid__draft_steps *drafts);

/* Lets programs make the words that only programs read, unless they ask for each more than twice (fuse_words.c).
 * False: out of memory. */
bool lucid__words_in_place(lucid__plan *plan, lucid__draft_steps *drafts);

/* Lets programs that read what was copied together from several places read these instead, if nobody else wants it in
 * one place (fuse_parts.c). False: out of memory. */
bool lucid__parts_in_place(lucid__plan *plan, lucid__draft_steps *drafts);
/* The parts as a program with these dims sees them that reads their elements as t does; NULL: it cannot, or out of
 * memory. */
const lucid__parts *lucid__parts_resolve(const lucid__parts *parts, const lucid__stream *t,
                                         const int64_t *dim, int ndim, lucid__arena *arena);

/* Whether plans fuse; if not, every step does one thing. On, unless the environment has LUCID_FUSION=0: a
 * program that behaves the same both ways is not wrong because of fusion. The same numbers come out. */
bool lucid__fusion(void);
void lucid__set_fusion(bool on);

#endif
