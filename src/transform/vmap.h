#ifndef LUCID__VMAP_H
#define LUCID__VMAP_H

#include "transform/level.h"

/* lucid_vmap; hidden: random operations inside act as if it were not there (jacobians). */
lucid_fn lucid__vmap(lucid_scope *s, lucid_fn f, const lucid_vmap_options *options, bool hidden);

#endif
