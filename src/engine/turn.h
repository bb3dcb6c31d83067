/* One evaluation at a time: who runs plans, or looks at them, waits for its turn. */
#ifndef LUCID__TURN_H
#define LUCID__TURN_H

/* The steps of control flow evaluate in their turn, so a thread may begin again what it has begun. */
void lucid__turn_begin(void);
void lucid__turn_end(void);

#endif
