/* Asking a batched value for one answer: lanes sorted by what they would answer. */
#include <string.h>

#include "transform/split.h"

enum { MAX_LEVELS = 32 };

lucid__level *lucid__split_level(const lucid_scope *s)
{
    for (lucid__level *l = s->session->top; l; l = l->below)
        if (l->kind == LUCID__LEVEL_BATCH && l->split && l->size > 0)
            return l;
    return NULL;
}

/* ---- sorting -------------------------------------------------------------------------------- */

/* Numbers the distinct rows in the order they appear: number[i] for row i. Returns how many; -1: out of
 * memory. */
static int64_t number_rows(lucid_scope *s, const char *rows, int64_t count, size_t bytes,
                           int64_t *number, int64_t *first)
{
    size_t capacity = 16;
    while (capacity < 2 * (size_t)count)
        capacity *= 2;
    int64_t *table = lucid_alloc(s, capacity * sizeof *table); /* number + 1; 0: free */
    if (!table)
        return -1;
    int64_t distinct = 0;
    for (int64_t i = 0; i < count; i++) {
        const char *row = rows + (size_t)i * bytes;
        uint64_t h = UINT64_C(0xCBF29CE484222325); /* FNV-1a */
        for (size_t k = 0; k < bytes; k++)
            h = (h ^ (unsigned char)row[k]) * UINT64_C(0x100000001B3);
        size_t slot = (size_t)(h ^ (h >> 32)) & (capacity - 1);
        while (table[slot] &&
               memcmp(rows + (size_t)first[table[slot] - 1] * bytes, row, bytes) != 0)
            slot = (slot + 1) & (capacity - 1);
        if (!table[slot]) {
            first[distinct] = i;
            table[slot] = ++distinct;
        }
        number[i] = table[slot] - 1;
    }
    return distinct;
}

/* What lanes answer: rows for the rectangle of some levels, to be taken over if they disagree, and the lanes
 * of the run. */
typedef struct answers {
    const char *rows;
    const lucid__aval *aval;
    size_t bytes; /* of a row */
    int64_t count;
    const lucid__taken *taken;
    size_t ntaken;
} answers;

static lucid_tensor answer_at(lucid_scope *s, const answers *a, int64_t row)
{
    return lucid_from_data(s, a->rows + (size_t)row * a->bytes, a->aval->dtype, a->aval->shape);
}

/* Puts a group aside, in front of those that wait. */
static bool wait(lucid_scope *s, lucid__split *split, const answers *a, const int64_t *rows,
                 int64_t count)
{
    const lucid__group before = split->now;
    const size_t asked = split->asked;
    lucid__group *group = lucid_alloc(split->scope, sizeof *group);
    int64_t *kept = lucid_alloc(split->scope, (size_t)count * sizeof *kept);
    size_t ntaken;
    lucid__taken *taken = lucid__split_taken(split->scope, split, a->taken, a->ntaken, &ntaken);
    if (!group || !kept || !taken || !lucid__split_record(split, answer_at(s, a, rows[0])))
        return false;
    for (int64_t i = 0; i < count; i++)
        kept[i] = lucid__split_place(split, rows[i]);
    *group = split->now;
    group->way = (lucid__narrowing){.taken = taken, .ntaken = ntaken, .kept = kept};
    group->count = count;
    group->next = split->waiting;
    split->waiting = group;
    split->now = before;
    split->asked = asked;
    return true;
}

/* The rows sorted into groups: the largest goes on, the others wait. */
static bool part(lucid_scope *s, lucid__level *level, const answers *a)
{
    lucid__split *split = level->split;
    int64_t *number = lucid_alloc(s, (size_t)a->count * sizeof *number);
    int64_t *first = lucid_alloc(s, (size_t)a->count * sizeof *first);
    if (!number || !first)
        return false;
    int64_t distinct = number_rows(s, a->rows, a->count, a->bytes, number, first);
    int64_t *size = distinct > 0 ? lucid_alloc(s, (size_t)distinct * sizeof *size) : NULL;
    if (!size)
        return false;
    if (distinct == 1)
        return lucid__split_record(split, answer_at(s, a, 0));
    int64_t largest = 0;
    for (int64_t i = 0; i < a->count; i++)
        size[number[i]]++;
    for (int64_t g = 1; g < distinct; g++)
        if (size[g] > size[largest])
            largest = g;
    /* The rows of each group, one list after the other. */
    int64_t **at = lucid_alloc(s, (size_t)distinct * sizeof(*at));
    int64_t *all = lucid_alloc(&split->run, (size_t)a->count * sizeof *all);
    if (!at || !all)
        return false;
    for (int64_t g = 0; g < distinct; g++) {
        at[g] = all;
        all += size[g];
        size[g] = 0;
    }
    for (int64_t i = 0; i < a->count; i++)
        at[number[i]][size[number[i]]++] = i;
    for (int64_t g = distinct; g-- > 0;) /* so that earlier ones wait in front */
        if (g != largest && !wait(s, split, a, at[g], size[g]))
            return false;
    lucid__taken *taken = lucid_alloc(&split->run, (a->ntaken + 1) * sizeof *taken);
    if (taken && a->ntaken > 0)
        memcpy(taken, a->taken, a->ntaken * sizeof *taken);
    return taken && lucid__split_record(split, answer_at(s, a, at[largest][0])) &&
           lucid__split_narrow(s, level, taken, a->ntaken, at[largest], size[largest]);
}

/* ---- asking --------------------------------------------------------------------------------- */

static lucid_tensor primal(lucid_tensor x)
{
    while (x.v && x.v->kind == LUCID__DUAL)
        x.v = x.v->inner;
    return x;
}

/* x with its lanes at this level as dim 0, and the rectangle of the levels before them; `rows` in all. */
static lucid_tensor all_rows(lucid_scope *s, lucid__level *level, lucid_tensor x,
                             const lucid__taken *taken, size_t n, int64_t rows)
{
    lucid_shape example = x.v->aval.shape;
    bool own = x.v->level == level->id;
    if (own) {
        lucid__split_catch_up(s, level, x.v);
        x = lucid_movedim(s, primal((lucid_tensor){x.v->inner}), x.v->axis, 0);
    } else { /* all lanes of this level answer alike */
        lucid_shape one = lucid__shape_insert(&example, 0, 1);
        lucid_shape many = lucid__shape_insert(&example, 0, level->size);
        x = lucid_expand(s, lucid_reshape(s, x, one), many);
    }
    for (size_t i = n; i-- > 0 && lucid__ok(s);)
        x = primal(lucid__lanes_out(s, x, &taken[i]));
    lucid_shape shape = lucid__shape_insert(&example, 0, rows);
    return lucid_reshape(s, x, shape);
}

/* The enclosing levels that x depends on, and how many rows there are. */
static bool find_levels(lucid_scope *s, const lucid__level *level, lucid_tensor x,
                        lucid__taken *taken, size_t *n, int64_t *rows)
{
    uint64_t levels[MAX_LEVELS];
    size_t count = lucid__split_levels_of(s, x.v, true, UINT64_MAX, levels, MAX_LEVELS);
    *n = 0;
    *rows = level->size;
    for (size_t i = 0; i < count; i++) {
        const lucid__level *l = levels[i] == level->id ? NULL : lucid__level_find(s, levels[i]);
        if (!l)
            continue;
        taken[(*n)++] = (lucid__taken){l->id, l->size, l->split->version};
        if (__builtin_mul_overflow(*rows, l->size, rows))
            (void)lucid_fail(s, LUCID_VALUE_ERROR, "vmap: too many lanes together");
    }
    return lucid__ok(s);
}

lucid_tensor lucid__too_many_answers(lucid_scope *s, bool stand_in, size_t n, const char *what)
{
    return lucid__error(s, LUCID_RUNTIME_ERROR,
                        stand_in
                            ? "%s: the batch is empty, and the example of ones that stands in for "
                              "it has asked for %zu answers and goes on; return before the loop "
                              "when there is nothing to do"
                            : "%s: the function has asked batched values for %zu answers in one "
                              "run and goes on: does a loop never end for some lane (NaN)? "
                              "strategy=\"isolated\" knows no such limit",
                        what, n);
}

lucid_tensor lucid__split_ask(lucid_scope *s, lucid__level *level, lucid_tensor x, const char *what)
{
    lucid__split *split = level->split;
    lucid_tensor answer;
    if (lucid__split_recall(split, &answer))
        return answer;
    if (split->now.nanswers >= split->max_answers)
        return lucid__too_many_answers(s, split->stand_in, split->now.nanswers, what);
    lucid_scope t;
    lucid__scope_enter(&t, s);
    lucid__taken taken[MAX_LEVELS];
    answers a = {.taken = taken, .aval = &x.v->aval};
    bool ok = false;
    x = primal(lucid__split_lift(&t, primal(x), level->id));
    if (x.v && find_levels(&t, level, x, taken, &a.ntaken, &a.count)) {
        const uint64_t lifts = lucid__hold_lifts(s, level);
        x = all_rows(&t, level, x, taken, a.ntaken, a.count);
        s->session->lifts_below = lifts;
        a.bytes = x.v ? (size_t)lucid__numel(&a.aval->shape) * lucid_dtype_size(a.aval->dtype) : 0;
        a.rows = lucid_data(&t, x);
        if (!a.rows)
            a.rows = ""; /* rows of no elements: all alike */
        ok = lucid__ok(s) && part(&t, level, &a);
    }
    lucid__scope_leave(&t);
    return ok ? split->now.last->x : (lucid_tensor){NULL};
}
