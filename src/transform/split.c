#include "transform/split.h"

#include <string.h>

/* ---- groups --------------------------------------------------------------------------------- */

bool lucid__split_begin(lucid_scope *s, lucid__split *split, int64_t first, int64_t count)
{
    *split = (lucid__split){.scope = s};
    lucid__group *all = lucid_alloc(s, sizeof *all);
    if (!all)
        return false;
    all->first = first;
    all->count = count;
    split->waiting = all;
    return true;
}

bool lucid__split_next(lucid__split *split)
{
    if (!split->waiting)
        return false;
    split->now = *split->waiting;
    split->waiting = split->now.next;
    split->asked = 0;
    split->version = 0;
    return true;
}

/* One more answer for the run going on. The array may be shared with groups that wait, so it is copied,
 * never extended. */
bool lucid__split_record(lucid__split *split, lucid_tensor answer)
{
    lucid__group *g = &split->now;
    lucid_tensor *answers = lucid_alloc(split->scope, (g->nanswers + 1) * sizeof *answers);
    answer = lucid_own(split->scope, answer);
    if (!answers || !answer.v)
        return false;
    if (g->nanswers > 0)
        memcpy(answers, g->answers, g->nanswers * sizeof *answers);
    answers[g->nanswers] = answer;
    g->answers = answers;
    g->nanswers++;
    split->asked = g->nanswers;
    return true;
}

bool lucid__split_recall(lucid__split *split, lucid_tensor *x)
{
    if (split->asked == split->now.nanswers)
        return false;
    *x = split->now.answers[split->asked++];
    return true;
}

static int64_t lane_at(const lucid__group *g, int64_t i)
{
    return g->lanes ? g->lanes[i] : g->first + i;
}

/* ---- narrowing ------------------------------------------------------------------------------ */

static bool more_versions(lucid__split *split)
{
    uint32_t capacity = split->capacity ? 2 * split->capacity : 8;
    int64_t **kept = lucid_alloc(split->scope, capacity * sizeof(*kept));
    int64_t *count = lucid_alloc(split->scope, capacity * sizeof *count);
    lucid_tensor *to_now = lucid_alloc(split->scope, capacity * sizeof *to_now);
    if (!kept || !count || !to_now)
        return false;
    if (split->version > 0) {
        memcpy(kept, split->kept, split->version * sizeof(*kept));
        memcpy(count, split->kept_count, split->version * sizeof *count);
    }
    split->kept = kept;
    split->kept_count = count;
    split->to_now = to_now;
    split->capacity = capacity;
    return true;
}

/* Goes on with the lanes at these positions of the present ones. */
static bool narrow(lucid__level *level, int64_t *positions, int64_t count)
{
    lucid__split *split = level->split;
    if (split->version == split->capacity && !more_versions(split))
        return false;
    split->kept[split->version] = positions;
    split->kept_count[split->version] = count;
    split->version++;
    for (uint32_t v = 0; v < split->version; v++)
        split->to_now[v] = (lucid_tensor){NULL};
    int64_t *lanes = lucid_alloc(split->scope, ((size_t)count + 1) * sizeof *lanes);
    if (!lanes)
        return false;
    for (int64_t i = 0; i < count; i++)
        lanes[i] = lane_at(&split->now, positions[i]);
    split->now.lanes = lanes;
    split->now.count = count;
    level->lane_ids = lanes;
    level->size = count;
    return true;
}

/* Positions, among the lanes of an old version, of those that are left. */
static lucid_tensor positions_since(lucid__split *split, uint32_t version)
{
    if (split->to_now[version].v)
        return split->to_now[version];
    lucid_scope t;
    lucid__scope_enter(&t, split->scope);
    int64_t count = split->now.count;
    int64_t *at = lucid_alloc(&t, ((size_t)count + 1) * sizeof *at);
    for (int64_t i = 0; at && i < count; i++) {
        int64_t p = i;
        for (uint32_t v = split->version; v-- > version;)
            p = split->kept[v][p];
        at[i] = p;
    }
    lucid_tensor index = {NULL};
    if (at)
        index = lucid_from_data(&t, at, LUCID_INT64, LUCID_SHAPE(count));
    index = lucid__scope_move(&t, index);
    lucid__scope_leave(&t);
    split->to_now[version] = index;
    return index;
}

void lucid__split_catch_up(lucid_scope *s, const lucid__level *level, lucid__value *batch)
{
    lucid__split *split = level->split;
    if (!split || batch->version == split->version || !lucid__ok(s))
        return;
    lucid_scope t;
    lucid__scope_enter(&t, s);
    lucid_tensor index = positions_since(split, batch->version);
    lucid_tensor inner = lucid_take(&t, (lucid_tensor){batch->inner}, index, batch->axis);
    if (inner.v) {
        lucid__value *old = batch->inner;
        batch->inner = lucid__value_retain(inner.v);
        batch->version = split->version;
        lucid__value_release(old);
    }
    lucid__scope_leave(&t);
}

/* ---- asking --------------------------------------------------------------------------------- */

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

/* The rows sorted into groups: the largest goes on, the others wait. */
static bool part(lucid_scope *s, lucid__level *level, const char *rows, const lucid__aval *aval,
                 int64_t count)
{
    lucid__split *split = level->split;
    size_t bytes = (size_t)lucid__numel(&aval->shape) * lucid_dtype_size(aval->dtype);
    int64_t *number = lucid_alloc(s, (size_t)count * sizeof *number);
    int64_t *first = lucid_alloc(s, (size_t)count * sizeof *first);
    if (!number || !first)
        return false;
    int64_t distinct = number_rows(s, rows, count, bytes, number, first);
    int64_t *size = distinct > 0 ? lucid_alloc(s, (size_t)distinct * sizeof *size) : NULL;
    if (!size)
        return false;
    int64_t largest = 0;
    for (int64_t i = 0; i < count; i++)
        size[number[i]]++;
    for (int64_t g = 1; g < distinct; g++)
        if (size[g] > size[largest])
            largest = g;
    /* Positions of each group's lanes, one list after the other. */
    int64_t **at = lucid_alloc(s, (size_t)distinct * sizeof(*at));
    int64_t *all = lucid_alloc(split->scope, (size_t)count * sizeof *all);
    if (!at || !all)
        return false;
    for (int64_t g = 0; g < distinct; g++) {
        at[g] = all;
        all += size[g];
        size[g] = 0;
    }
    for (int64_t i = 0; i < count; i++)
        at[number[i]][size[number[i]]++] = i;
    const lucid__group before = split->now;
    for (int64_t g = distinct; g-- > 0;) { /* so that earlier ones wait in front */
        if (g == largest)
            continue;
        split->now = before;
        lucid__group *group = lucid_alloc(split->scope, sizeof *group);
        int64_t *lanes = lucid_alloc(split->scope, (size_t)size[g] * sizeof *lanes);
        if (!group || !lanes ||
            !lucid__split_record(split, lucid_from_data(s, rows + (size_t)first[g] * bytes,
                                                        aval->dtype, aval->shape)))
            return false;
        for (int64_t i = 0; i < size[g]; i++)
            lanes[i] = lane_at(&before, at[g][i]);
        *group = split->now;
        group->lanes = lanes;
        group->count = size[g];
        group->next = split->waiting;
        split->waiting = group;
    }
    split->now = before;
    return lucid__split_record(split, lucid_from_data(s, rows + (size_t)first[largest] * bytes,
                                                      aval->dtype, aval->shape)) &&
           (distinct == 1 || narrow(level, at[largest], size[largest]));
}

lucid_tensor lucid__split_ask(lucid_scope *s, lucid__level *level, lucid__value *batch,
                              const char *what)
{
    lucid__split *split = level->split;
    lucid_tensor answer;
    if (lucid__split_recall(split, &answer))
        return answer;
    if (level->size == 0)
        return lucid__error(s, LUCID_VALUE_ERROR, "%s: the batch is empty, so there is no answer",
                            what);
    lucid__split_catch_up(s, level, batch);
    lucid_scope t;
    lucid__scope_enter(&t, s);
    lucid__value *v = batch->inner;
    while (v->kind == LUCID__DUAL)
        v = v->inner;
    lucid_tensor rows = lucid_movedim(&t, (lucid_tensor){v}, batch->axis, 0);
    const void *data = lucid_data(&t, rows);
    const char *none = ""; /* rows of no elements: all alike */
    bool ok = lucid__ok(s) && part(&t, level, data ? data : none, &batch->aval, level->size);
    lucid__scope_leave(&t);
    return ok ? split->now.answers[split->asked - 1] : (lucid_tensor){NULL};
}
