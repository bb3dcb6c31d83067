#include "prim/control.h"

lucid__control lucid__control_read(const lucid__call *c)
{
    const int64_t *p = c->params;
    lucid__control ctl = {.nin = c->nin,
                          .nout = (int)p[0],
                          .lanes = p[1],
                          .length = p[2],
                          .reverse = p[3] != 0,
                          .nconsts = (int)p[4],
                          .ncarry = (int)p[5],
                          .nxs = (int)p[6],
                          .nbodies = (int)p[7]};
    ctl.in_flags = p + LUCID__CONTROL_HEAD;
    ctl.out_flags = ctl.in_flags + ctl.nin;
    ctl.bodies = ctl.out_flags + ctl.nout;
    return ctl;
}

const int64_t *lucid__control_body_at(const int64_t *at, lucid__control_body *b)
{
    *b = (lucid__control_body){.nin = (int)at[0], .from = at + 1, .words = at + 1 + at[0]};
    return b->words + b->words[0];
}
