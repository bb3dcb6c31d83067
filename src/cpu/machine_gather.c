/* The instruction gather. Positions are worked out for the lanes of the indices, which may be fewer than those of
 * the result: rows are then copied from each. */
#include <string.h>

#include "base/thread.h"
#include "cpu/index_walk.h"
#include "cpu/machine.h"
#include "prim/position_use.h"

/* Where no rows are copied, as many positions at once: they stay in the nearest cache. */
enum { TOGETHER = LUCID__INDEX_BLOCK };

/* ---- indices out of range ----------------------------------------------------------------------- */

static int64_t index_at(const lucid__machine *m, const lucid__instr *in, int j, int64_t lane)
{
    const void *x = m->reg[in->src[j]];
    bool narrow = m->program->tables[in->imm].dtype[j] == LUCID_INT32;
    return narrow ? ((const int32_t *)x)[lane] : ((const int64_t *)x)[lane];
}

/* The number of a lane among the points along some dims. */
static int64_t position_of(const lucid__machine *m, unsigned dims, int64_t lane)
{
    const lucid__program *p = m->program;
    int64_t at[LUCID_MAX_NDIM], position = 0;
    for (int i = p->ndim - 1; i >= 0; i--) {
        int d = m->order[i];
        if (!(dims >> d & 1))
            continue;
        at[d] = m->start[d] + lane % m->len[d];
        lane /= m->len[d];
    }
    for (int d = 0; d < p->ndim; d++)
        if (dims >> d & 1)
            position = position * p->dim[d] + at[d];
    return position;
}

static bool comes_first(const lucid__bad_index *a, const lucid__bad_index *b)
{
    if (!b->found || a->instr != b->instr)
        return !b->found || a->instr < b->instr;
    return a->position != b->position ? a->position < b->position : a->number < b->number;
}

/* Takes down what is wrong with a lane. */
static void complain(lucid__machine *m, const lucid__instr *in, int64_t lane)
{
    const lucid__table *t = &m->program->tables[in->imm];
    for (int j = 0; j < t->n; j++) {
        int64_t value = index_at(m, in, j, lane);
        lucid__bad_index bad = {.found = true,
                                .instr = (int)(in - m->program->instrs),
                                .position = position_of(m, m->program->over[in->src[0]], lane),
                                .number = j,
                                .value = value};
        if ((value < -t->size[j] || value >= t->size[j]) && comes_first(&bad, &m->bad))
            m->bad = bad;
    }
}

void lucid__report_bad_index(const lucid__bad_index *bad, lucid__bad_index *report)
{
    static lucid__mutex one = LUCID__MUTEX_INIT;
    lucid__lock(&one);
    if (comes_first(bad, report))
        *report = *bad;
    lucid__unlock(&one);
}

lucid_status lucid__bad_index_status(const lucid__program *p, const lucid__bad_index *bad,
                                     char *error, size_t error_size)
{
    const lucid__table *t = &p->tables[p->instrs[bad->instr].imm];
    return lucid__position_message(t->shown_dim + bad->number, bad->value, t->size[bad->number],
                                   error, error_size);
}

/* ---- positions ----------------------------------------------------------------------------------- */

/* The lanes of the indices, and where in the table they start from. */
typedef struct start {
    lucid_shape lanes;
    int64_t stride[LUCID_MAX_NDIM];
    bool same; /* all from its first element */
} start;

static start start_of(const lucid__machine *m, const lucid__table *t, unsigned by)
{
    start s = {.same = true};
    for (int i = 0; i < m->program->ndim; i++) {
        int d = m->order[i];
        if (!(by >> d & 1))
            continue;
        s.stride[s.lanes.ndim] = t->at.stride[d];
        s.lanes.dim[s.lanes.ndim++] = m->len[d];
        s.same &= t->at.stride[d] == 0;
    }
    return s;
}

/* Of n lanes from `first` on. False: an index is out of range. */
static bool locate(lucid__machine *m, const lucid__instr *in, const start *s, int64_t first,
                   int64_t n, int64_t *position)
{
    const lucid__table *t = &m->program->tables[in->imm];
    bool fits = true;
    if (s->same)
        memset(position, 0, (size_t)n * sizeof *position);
    else
        lucid__strided_offsets(&s->lanes, s->stride, first, n, position);
    for (int j = 0; j < t->n; j++) {
        bool narrow = t->dtype[j] == LUCID_INT32;
        const char *x = (const char *)m->reg[in->src[j]] +
                        (size_t)first * lucid_dtype_size((lucid_dtype)t->dtype[j]);
        const lucid__look_up *look_up = m->bodies->look_up;
        fits &= (narrow ? look_up->locate_int32 : look_up->locate_int64)(position, x, n, t->size[j],
                                                                         t->step[j]);
    }
    for (int64_t i = 0; !fits && i < n; i++)
        complain(m, in, first + i);
    return fits;
}

int64_t lucid__gather_scratch(const lucid__frame *f)
{
    const lucid__program *p = f->program;
    int64_t most = 0;
    for (int i = 0; i < p->ninstrs; i++)
        if (p->instrs[i].op == LUCID__gather) {
            int64_t lanes = lucid__frame_lanes(f, p->over[p->instrs[i].src[0]]);
            most = lanes > most ? lanes : most;
        }
    return most;
}

/* ---- elements ------------------------------------------------------------------------------------ */

/* The result's lanes as nested loops over positions and over the table: all but the last two, which are the block. */
typedef struct loops {
    int n;
    int64_t len[LUCID_MAX_NDIM], from[LUCID_MAX_NDIM], at[LUCID_MAX_NDIM];
} loops;

static loops loops_of(const lucid__machine *m, const lucid__table *t, unsigned over, unsigned by)
{
    loops l = {.n = 0};
    int64_t stride[LUCID_MAX_NDIM], lanes = 1;
    for (int i = m->program->ndim - 1; i >= 0; i--) {
        int d = m->order[i];
        stride[d] = by >> d & 1 ? lanes : 0;
        lanes *= by >> d & 1 ? m->len[d] : 1;
    }
    for (int i = 0; i < m->program->ndim; i++) {
        int d = m->order[i], k = l.n - 1;
        int64_t len = m->len[d], from = stride[d], at = by >> d & 1 ? 0 : t->at.stride[d];
        if (!(over >> d & 1) || len == 1)
            continue;
        if (k >= 0 && l.from[k] == from * len && l.at[k] == at * len) {
            l.len[k] *= len;
        } else {
            k = l.n++;
            l.len[k] = len;
        }
        l.from[k] = from;
        l.at[k] = at;
    }
    return l;
}

static void fetch(lucid__fetch *body, const loops *l, size_t size, const char *table,
                  const int64_t *position, char *to)
{
    int64_t index[LUCID_MAX_NDIM] = {0}, at = 0;
    int last = l->n - 1, outer = l->n > 2 ? l->n - 2 : 0;
    lucid__look_up_block b = {.rows = 1, .n = 1};
    if (l->n > 0)
        b.n = l->len[last], b.from = l->from[last], b.at = l->at[last];
    if (l->n > 1)
        b.rows = l->len[last - 1], b.from_row = l->from[last - 1], b.at_row = l->at[last - 1];
    for (;;) {
        body(to, table + at * (int64_t)size, position, &b);
        to += b.rows * b.n * (int64_t)size;
        int d = outer - 1;
        for (; d >= 0; d--) {
            at += l->at[d];
            position += l->from[d];
            if (++index[d] < l->len[d])
                break;
            at -= l->len[d] * l->at[d];
            position -= l->len[d] * l->from[d];
            index[d] = 0;
        }
        if (d < 0)
            return;
    }
}

static int64_t first_element(const lucid__machine *m, const lucid__table *t, unsigned over)
{
    int64_t at = t->at.offset;
    for (int d = 0; d < m->program->ndim; d++)
        at += over >> d & 1 ? m->start[d] * t->at.stride[d] : 0;
    return at;
}

void lucid__machine_gather(lucid__machine *m, const lucid__instr *in)
{
    const lucid__program *p = m->program;
    const lucid__table *t = &p->tables[in->imm];
    const unsigned over = p->over[in->dst], by = p->over[in->src[0]];
    const size_t size = lucid_dtype_size((lucid_dtype)t->at.dtype);
    const int64_t n = lucid__machine_lanes(m, by), all = lucid__machine_lanes(m, over);
    const start s = start_of(m, t, by);
    lucid__fetch *body = m->bodies->look_up->fetch[size];
    char *to = m->reg[in->dst];
    int64_t *position = t->at.slot < 0 ? m->reg[in->dst] : (void *)lucid__machine_scratch(m);
    bool fits = true;
    if (t->at.slot < 0) {
        (void)locate(m, in, &s, 0, n, position);
        return;
    }
    const char *table =
        (const char *)m->slots[t->at.slot] + first_element(m, t, over) * (int64_t)size;
    if (n < all) {
        const loops l = loops_of(m, t, over, by);
        fits = locate(m, in, &s, 0, n, position);
        if (fits)
            fetch(body, &l, size, table, position, to);
    }
    for (int64_t first = 0; n == all && first < n; first += TOGETHER) {
        lucid__look_up_block b = {.rows = 1, .n = n - first, .from = 1};
        b.n = b.n < TOGETHER ? b.n : TOGETHER;
        fits &= locate(m, in, &s, first, b.n, position);
        if (fits)
            body(to + (size_t)first * size, table, position, &b);
    }
    if (!fits) /* the program goes on to see whether there is one before */
        memset(to, 0, (size_t)all * size);
}
