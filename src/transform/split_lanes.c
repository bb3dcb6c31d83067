/* lanes_out and lanes_in (prim/lanes_prims.c) at their level, or at one inside it that has taken it over since:
 * there a lane is a tuple, and knows in one of its places which lane of that level it is. */
#include "prim/family.h"
#include "transform/split_rows.h"

static lucid_tensor fail_dims(lucid_scope *s)
{
    return lucid__error(
        s, LUCID_VALUE_ERROR,
        "vmap: a tensor with the lanes of all vmaps around it has more than %d dims",
        LUCID_MAX_NDIM);
}

/* Rows for the lanes of an old version from those of the present ones: zeros for lanes that are gone. Only
 * cotangents come this way, of what was put together before the lanes parted. Of levels taken over since,
 * the tuples become lanes again. */
static lucid_tensor rows_of_version(lucid_scope *s, const lucid__level *level, lucid_tensor y,
                                    uint32_t version, int64_t size)
{
    const lucid__split *split = level->split;
    lucid__needs n = {.count = 0};
    const lucid__taken *taken = lucid__taken_since(s, split, version, &n);
    if (!taken || !y.v)
        return (lucid_tensor){NULL};
    lucid__aval aval = y.v->aval;
    if (aval.shape.ndim + (int)n.count > LUCID_MAX_NDIM)
        return fail_dims(s);
    aval.shape.dim[0] = lucid__taken_lanes(taken, n.count) * size;
    lucid_tensor index = lucid__split_index(s, split, version, &n, true);
    y = lucid_index_add(s, lucid__zeros(s, &aval), 0, index, y);
    aval.shape.dim[0] = size;
    for (size_t i = n.count; i-- > 0;)
        aval.shape = lucid__shape_insert(&aval.shape, 0, taken[i].size);
    y = lucid_reshape(s, y, aval.shape);
    for (size_t i = 0; i < n.count; i++)
        y = lucid__lanes_in(s, y, &taken[i]);
    return y;
}

/* Row at[i] of those that lane i has, as a value of the level. */
static lucid_tensor row_of_each(lucid_scope *s, const lucid__level *level, lucid_tensor x,
                                int64_t rows, int64_t *at)
{
    if (!at || !x.v)
        return (lucid_tensor){NULL};
    for (int64_t i = 0; i < level->size; i++)
        at[i] += i * rows;
    lucid_tensor index = lucid_from_data(s, at, LUCID_INT64, LUCID_SHAPE(level->size));
    return lucid__level_wrap(s, level, lucid_take(s, lucid_flatten(s, x, 0, 1), index, 0), 0);
}

/* x: a value of the level, its lanes in front; rows for the lanes of an old version come next. */
static lucid_tensor own_row(lucid_scope *s, const lucid__level *level, lucid_tensor x,
                            uint32_t version, int64_t size)
{
    const lucid__needs none = {.count = 0};
    int64_t *at = lucid_alloc(s, ((size_t)level->size + 1) * sizeof *at);
    for (int64_t i = 0; at && i < level->size; i++)
        at[i] = lucid__split_position(level->split, version, i, &none, true);
    return row_of_each(s, level, x, size, at);
}

/* Where tuples stand in the rectangle of all levels taken over and the lanes there were. */
typedef struct standing {
    int64_t *place;        /* of each tuple */
    int64_t *tuple;        /* 1 + that at each place; 0: it is not in this run */
    int64_t unit, ntuples; /* unit: from one lane of the level spoken of to the next */
} standing;

static bool find_standing(lucid_scope *s, const lucid__split *split, uint64_t level, standing *t)
{
    lucid__needs n = {.count = 0};
    const lucid__taken *taken = lucid__taken_since(s, split, 0, &n);
    if (!taken)
        return false;
    int64_t places = lucid__taken_lanes(taken, n.count) * split->count;
    *t = (standing){.unit = split->count, .ntuples = split->now.count};
    for (size_t k = n.count; k-- > 0 && taken[k].level != level;)
        t->unit *= taken[k].size;
    t->place = lucid_alloc(s, ((size_t)t->ntuples + 1) * sizeof *t->place);
    t->tuple = lucid_alloc(s, ((size_t)places + 1) * sizeof *t->tuple);
    if (!t->place || !t->tuple)
        return false;
    for (int64_t i = 0; i < t->ntuples; i++) {
        t->place[i] = lucid__split_position(split, 0, i, &n, true);
        t->tuple[t->place[i]] = i + 1;
    }
    return true;
}

/* For each tuple the rows of those that differ from it in their lane of a level taken over alone: zeros for
 * those that are not in this run. */
static lucid_tensor rows_of_others(lucid_scope *s, const lucid__level *level, const standing *t,
                                   lucid_tensor x, int64_t size)
{
    int64_t *at = lucid_alloc(s, ((size_t)(t->ntuples * size) + 1) * sizeof *at);
    if (!at || !x.v)
        return (lucid_tensor){NULL};
    if (x.v->aval.shape.ndim >= LUCID_MAX_NDIM)
        return fail_dims(s);
    for (int64_t i = 0; i < t->ntuples; i++)
        for (int64_t lane = 0; lane < size; lane++) {
            int64_t first = t->place[i] - t->place[i] / t->unit % size * t->unit;
            int64_t other = t->tuple[first + lane * t->unit];
            at[i * size + lane] = other ? other - 1 : t->ntuples;
        }
    lucid__aval aval = x.v->aval;
    aval.shape.dim[0] = 1;
    lucid_tensor with_zeros[2] = {x, lucid__zeros(s, &aval)};
    lucid_tensor index = lucid_from_data(s, at, LUCID_INT64, LUCID_SHAPE(t->ntuples, size));
    x = lucid_take(s, lucid_concatenate(s, with_zeros, 2, 0), index, 0);
    return lucid__level_wrap(s, level, x, 0);
}

/* At a level that has taken that of the operation over. */
static lucid_tensor apply_taken(lucid_scope *s, const lucid__level *level, const lucid__call *c,
                                lucid_tensor x)
{
    const int64_t size = c->params[1];
    standing t;
    if (!find_standing(s, level->split, (uint64_t)c->params[0], &t))
        return (lucid_tensor){NULL};
    if (c->prim == LUCID__lanes_out)
        return rows_of_others(s, level, &t, x, size);
    for (int64_t i = 0; i < t.ntuples; i++)
        t.place[i] = t.place[i] / t.unit % size;
    return row_of_each(s, level, x, size, t.place);
}

static lucid_tensor apply(lucid_scope *s, const lucid__level *level, const lucid__call *c)
{
    const int64_t size = c->params[1];
    const uint32_t version = (uint32_t)c->params[2];
    lucid_tensor x = c->in[0];
    bool batched = x.v->level == level->id;
    if (batched) {
        lucid__split_catch_up(s, level, x.v);
        x = lucid__batch_at(s, (lucid_tensor){x.v->inner}, x.v->axis, 0, level->size);
    }
    if ((uint64_t)c->params[0] != level->id)
        return apply_taken(s, level, c, x);
    if (c->prim == LUCID__lanes_out) {
        x = batched ? x : lucid__batch_at(s, x, -1, 0, level->size);
        bool old = x.v && level->split && level->split->version != version;
        return old ? rows_of_version(s, level, x, version, size) : x;
    }
    if (batched)
        return own_row(s, level, x, version, size);
    x = lucid__level_wrap(s, level, x, 0);
    if (x.v)
        x.v->version = version;
    return x;
}

void lucid__lanes_apply(lucid_scope *s, const lucid__level *level, const lucid__call *c,
                        lucid_tensor *out)
{
    const uint64_t lifts = lucid__hold_lifts(s, level);
    out[0] = apply(s, level, c);
    s->session->lifts_below = lifts;
}
