/* One evaluation at a time: who runs plans, or looks at them, waits for its turn. */
#ifndef LUCID__TURN_H
#define LUCID__TURN_H

#include "graph/scope.h"

/* The steps of control flow evaluate in their turn, so a thread may begin again what it has begun. False: the
 * session was interrupted while it waited, and there is an error in s; then there is no turn to end. */
bool lucid__turn_begin(lucid_scope *s);
void lucid__turn_end(void);
#endif
