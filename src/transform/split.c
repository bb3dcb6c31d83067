/* The runs of a split: groups of lanes, their answers, and the narrowings within one run. Asking is in ask.c. */
#include "transform/split.h"

#include <string.h>

#include "base/dtype.h"
#include "prim/family.h"
#include "transform/split_rows.h"

enum { LIFTED = 16 };

typedef struct lucid__lifted {
    lucid__value *from, *to; /* one reference to each; NULL: none */
} lucid__lifted;

/* ---- groups --------------------------------------------------------------------------------- */

static void begin_run(lucid__split *split)
{
    split->narrowed = NULL;
    split->lifted = NULL;
    split->version = split->capacity = 0;
    split->asked = 0;
}

bool lucid__split_begin(lucid_scope *s, lucid__split *split, int64_t first, int64_t count)
{
    split->scope = s;
    split->first = first;
    split->count = count;
    split->max_paths = INT64_MAX;
    split->max_answers = SIZE_MAX;
    split->stand_in = false;
    split->runs = split->alone = 0;
    split->waiting = NULL;
    lucid__scope_enter(&split->run, s); /* whose scratch memory is best left alone */
    split->now = (lucid__group){0};
    split->replay = NULL;
    split->nreplay = 0;
    split->next_lifted = 0;
    begin_run(split);
    lucid__group *all = lucid_alloc(s, sizeof *all);
    if (!all)
        return false;
    all->count = count;
    split->waiting = all;
    return true;
}

static void forget_run(lucid__split *split)
{
    for (size_t i = 0; split->lifted && i < LIFTED; i++) {
        lucid__value_release(split->lifted[i].from);
        lucid__value_release(split->lifted[i].to);
    }
    lucid__scope_leave(&split->run);
    begin_run(split);
}

void lucid__split_end(lucid__split *split)
{
    forget_run(split);
}

/* The group that waits in front, or, when there were too many, one lane of it. */
static void take_group(lucid__split *split)
{
    lucid__group *g = split->waiting;
    split->now = *g;
    split->runs++;
    if (split->runs <= split->max_paths) {
        split->waiting = g->next;
        return;
    }
    split->alone++;
    split->now.count = 1;
    g->way.kept++;
    if (--g->count == 0)
        split->waiting = g->next;
}

const int64_t *lucid__split_take_lane(lucid__split *split)
{
    const lucid__group *g = split->waiting;
    if (g->count != 1 || g->nanswers != 1 || g->way.ntaken > 0 || !g->way.kept)
        return NULL;
    split->waiting = g->next;
    split->alone += ++split->runs > split->max_paths;
    return g->way.kept;
}

/* The answers of the group in the order they were given. */
static bool unroll_answers(lucid__split *split)
{
    size_t n = split->now.nanswers;
    split->nreplay = n;
    split->replay = lucid__alloc(&split->run, (n + 1) * sizeof *split->replay);
    for (const lucid__answer *a = split->now.last; split->replay && a; a = a->before)
        split->replay[--n] = a->x;
    return split->replay != NULL;
}

bool lucid__split_next(lucid__split *split, lucid__level *level)
{
    if (!split->waiting)
        return false;
    forget_run(split);
    lucid__scope_enter(&split->run, split->scope);
    take_group(split);
    level->split = split;
    level->size = split->count;
    if (!unroll_answers(split))
        return false;
    const lucid__narrowing *way = &split->now.way;
    if (!way->kept)
        return true;
    int64_t count = split->now.count;
    split->now.count = split->count;
    return lucid__split_narrow(split->scope, level, way->taken, way->ntaken, way->kept, count);
}

bool lucid__split_record(lucid__split *split, lucid_tensor x)
{
    lucid__answer *answer = lucid_alloc(split->scope, sizeof *answer);
    x = lucid_own(split->scope, x);
    if (!answer || !x.v)
        return false;
    *answer = (lucid__answer){split->now.last, x};
    split->now.last = answer;
    split->now.nanswers++;
    split->asked++;
    return true;
}

bool lucid__split_recall(lucid__split *split, lucid_tensor *x)
{
    if (split->asked >= split->nreplay)
        return false;
    *x = split->replay[split->asked++];
    return true;
}

/* ---- levels taken over ------------------------------------------------------------------------ */

bool lucid__split_has_taken(const lucid__level *l, uint64_t level)
{
    if (l->kind != LUCID__LEVEL_BATCH || !l->split)
        return false;
    for (uint32_t v = 0; v < l->split->version; v++)
        for (size_t i = 0; i < l->split->narrowed[v].ntaken; i++)
            if (l->split->narrowed[v].taken[i].level == level)
                return true;
    return false;
}

bool lucid__split_is_taken(const lucid_scope *s, uint64_t level)
{
    for (const lucid__level *l = s->session->top; l && s->session->takers > 0; l = l->below)
        if (lucid__split_has_taken(l, level))
            return true;
    return false;
}

/* Whoever has taken a level over, of those below `below`; itself when nobody has. */
static uint64_t taker_of(const lucid_scope *s, uint64_t level, uint64_t below)
{
    for (const lucid__level *l = s->session->top; l && s->session->takers > 0; l = l->below)
        if (l->id < below && l->id > level && lucid__split_has_taken(l, level))
            return taker_of(s, l->id, below);
    return level;
}

typedef struct level_list {
    uint64_t *at;
    size_t count, capacity;
} level_list;

static void add_level(level_list *list, uint64_t level)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->at[i] == level)
            return;
    if (list->count < list->capacity)
        list->at[list->count++] = level;
}

/* Recursion is as deep as transforms are nested. */
static void list_levels(lucid_scope *s, const lucid__value *v, bool primal_only, uint64_t below,
                        level_list *list)
{
    if (v->kind == LUCID__BATCH) {
        uint64_t level = taker_of(s, v->level, below);
        if (level < below)
            add_level(list, level);
        list_levels(s, v->inner, primal_only, below, list);
    } else if (v->kind == LUCID__DUAL) {
        list_levels(s, v->inner, primal_only, below, list);
        if (!primal_only && v->tangent)
            list_levels(s, v->tangent, primal_only, below, list);
    } else if (v->kind == LUCID__TAPE) {
        /* What is on a tape has a cotangent for each lane of the levels around the tape; what is on a
         * stage is one example of whatever the operation is applied to later. */
        const lucid__level *on = lucid__level_find(s, v->level);
        if (on && on->kind == LUCID__LEVEL_STAGE)
            return;
        for (const lucid__level *l = s->session->top; l; l = l->below)
            if (l->kind == LUCID__LEVEL_BATCH && l->id < v->level && l->id < below)
                add_level(list, taker_of(s, l->id, below));
    }
}

size_t lucid__split_levels_of(lucid_scope *s, const lucid__value *x, bool primal_only,
                              uint64_t below, uint64_t *levels, size_t capacity)
{
    level_list list = {.capacity = capacity};
    list.at = levels;
    list_levels(s, x, primal_only, below, &list);
    return list.count;
}

static lucid_tensor bind_lanes(lucid_scope *s, lucid__prim_id prim, lucid_tensor x,
                               const lucid__taken *t)
{
    int64_t params[] = {(int64_t)t->level, t->size, t->version};
    return x.v ? lucid__bind1(s, prim, &x, 1, params, 3) : x;
}

lucid_tensor lucid__lanes_out(lucid_scope *s, lucid_tensor x, const lucid__taken *from)
{
    return bind_lanes(s, LUCID__lanes_out, x, from);
}

lucid_tensor lucid__lanes_in(lucid_scope *s, lucid_tensor x, const lucid__taken *to)
{
    return bind_lanes(s, LUCID__lanes_in, x, to);
}

/* ---- narrowing ------------------------------------------------------------------------------ */

/* While values are gathered for a level, itself and those above do not lift. */
uint64_t lucid__hold_lifts(lucid_scope *s, const lucid__level *level)
{
    uint64_t before = s->session->lifts_below;
    s->session->lifts_below = before && before < level->id ? before : level->id;
    return before;
}

static bool more_versions(lucid__split *split)
{
    uint32_t capacity = split->capacity ? 2 * split->capacity : 8;
    lucid__narrowing *more = lucid_alloc(&split->run, capacity * sizeof *more);
    if (!more)
        return false;
    if (split->version > 0)
        memcpy(more, split->narrowed, split->version * sizeof *more);
    split->narrowed = more;
    split->capacity = capacity;
    return true;
}

bool lucid__split_narrow(lucid_scope *s, lucid__level *level, const lucid__taken *taken,
                         size_t ntaken, const int64_t *kept, int64_t count)
{
    lucid__split *split = level->split;
    int64_t *lanes = lucid_alloc(&split->run, ((size_t)count + 1) * sizeof *lanes);
    if (!lanes || (split->version == split->capacity && !more_versions(split)))
        return false;
    for (uint32_t v = 0; v < split->version; v++)
        split->narrowed[v].to_now = (lucid_tensor){NULL};
    for (int64_t i = 0; i < count; i++) {
        int64_t at = kept[i] % split->now.count;
        lanes[i] = level->lane_ids ? level->lane_ids[at] : split->first + at;
    }
    split->narrowed[split->version++] = (lucid__narrowing){
        .taken = taken, .ntaken = ntaken, .before = split->now.count, .kept = kept};
    if (ntaken > 0 && !level->takes) {
        level->takes = true;
        s->session->takers++;
    }
    split->now.count = count;
    level->lane_ids = lanes;
    level->size = count;
    return true;
}

lucid__taken *lucid__split_taken(lucid_scope *s, const lucid__split *split,
                                 const lucid__taken *more, size_t nmore, size_t *n)
{
    *n = nmore;
    for (uint32_t v = 0; v < split->version; v++)
        *n += split->narrowed[v].ntaken;
    lucid__taken *all = lucid_alloc(s, (*n + 1) * sizeof *all);
    size_t at = 0;
    for (size_t i = 0; all && i < nmore; i++)
        all[at++] = more[i];
    for (uint32_t v = split->version; all && v-- > 0;)
        for (size_t i = 0; i < split->narrowed[v].ntaken; i++)
            all[at++] = split->narrowed[v].taken[i];
    return all;
}

int64_t lucid__split_place(const lucid__split *split, int64_t row)
{
    int64_t total = row / split->now.count, i = row % split->now.count;
    for (uint32_t v = split->version; v-- > 0;) {
        const lucid__narrowing *w = &split->narrowed[v];
        total = total * lucid__taken_lanes(w->taken, w->ntaken) + w->kept[i] / w->before;
        i = w->kept[i] % w->before;
    }
    return total * split->count + i;
}

/* Makes dims 0 .. of the needed levels taken over since the version; *dims: how many. */
static lucid_tensor spread(lucid_scope *s, const lucid__split *split, uint32_t version,
                           const lucid__needs *n, lucid_tensor x, int *dims)
{
    *dims = 0;
    for (uint32_t v = version; v < split->version; v++)
        for (size_t k = split->narrowed[v].ntaken; k-- > 0;)
            if (lucid__is_needed(n, split->narrowed[v].taken[k].level)) {
                x = lucid__lanes_out(s, x, &split->narrowed[v].taken[k]);
                ++*dims;
            }
    return x;
}

/* The index when nothing was taken over, which many values share. */
static lucid_tensor shared_index(lucid_scope *s, lucid__split *split, uint32_t version)
{
    lucid__narrowing *w = &split->narrowed[version];
    if (!w->to_now.v) {
        const lucid__needs none = {.count = 0};
        w->to_now = lucid_own(&split->run, lucid__split_index(s, split, version, &none, true));
    }
    return w->to_now;
}

void lucid__split_catch_up(lucid_scope *s, const lucid__level *level, lucid__value *batch)
{
    lucid__split *split = level->split;
    if (!split || batch->version == split->version || !lucid__ok(s))
        return;
    lucid_scope t;
    lucid__scope_enter(&t, s);
    const uint64_t lifts = lucid__hold_lifts(s, level);
    lucid__needs n = {.count = 0};
    if (level->takes)
        n.count = lucid__split_levels_of(&t, batch->inner, false, level->id, n.levels, 32);
    lucid_tensor x = {batch->inner};
    int axis = batch->axis, dims = 0;
    if (n.count > 0) {
        axis = 0;
        x = spread(&t, split, batch->version, &n, lucid_movedim(&t, x, batch->axis, 0), &dims);
        x = dims > 0 ? lucid_flatten(&t, x, 0, dims) : x;
    }
    x = lucid_take(&t, x,
                   dims > 0 ? lucid__split_index(&t, split, batch->version, &n, true)
                            : shared_index(&t, split, batch->version),
                   axis);
    s->session->lifts_below = lifts;
    if (x.v) {
        lucid__value *old = batch->inner;
        batch->inner = lucid__value_retain(x.v);
        batch->axis = axis;
        batch->version = split->version;
        lucid__value_release(old);
    }
    lucid__scope_leave(&t);
}

/* ---- lifting -------------------------------------------------------------------------------- */

static lucid_tensor lift_anew(lucid_scope *s, const lucid__level *level, lucid_tensor x,
                              const lucid__needs *n)
{
    int dims;
    const uint64_t lifts = lucid__hold_lifts(s, level);
    lucid_tensor y = spread(s, level->split, 0, n, x, &dims);
    if (dims > 1)
        y = lucid_flatten(s, y, 0, dims - 1);
    y = lucid_take(s, y, lucid__split_index(s, level->split, 0, n, false), 0);
    s->session->lifts_below = lifts;
    return lucid__level_wrap(s, level, y, 0);
}

lucid_tensor lucid__split_lift_to(lucid_scope *s, const lucid__level *level, lucid_tensor x)
{
    lucid__split *split = level->split;
    lucid__needs n;
    n.count = lucid__split_levels_of(s, x.v, false, level->id, n.levels, 32);
    size_t needed = 0;
    for (size_t i = 0; i < n.count; i++)
        if (lucid__split_has_taken(level, n.levels[i]))
            n.levels[needed++] = n.levels[i];
    n.count = needed;
    if (needed == 0)
        return x;
    if (!split->lifted)
        split->lifted = lucid_alloc(&split->run, LIFTED * sizeof *split->lifted);
    if (!split->lifted)
        return (lucid_tensor){NULL};
    for (size_t i = 0; i < LIFTED; i++)
        if (split->lifted[i].from == x.v) /* a lagging one catches up when used */
            return lucid_own(s, (lucid_tensor){split->lifted[i].to});
    lucid_tensor y = lift_anew(s, level, x, &n);
    if (!y.v)
        return y;
    lucid__lifted *slot = &split->lifted[split->next_lifted++ % LIFTED];
    lucid__value *from = slot->from, *to = slot->to;
    *slot = (lucid__lifted){lucid__value_retain(x.v), lucid__value_retain(y.v)};
    lucid__value_release(from);
    lucid__value_release(to);
    return y;
}

/* Outermost first: what one run has lifted, one inside it may lift again. */
static lucid_tensor lift_from(lucid_scope *s, const lucid__level *l, lucid_tensor x, uint64_t limit)
{
    if (!l || !x.v)
        return x;
    x = lift_from(s, l->below, x, limit);
    const uint64_t below = s->session->lifts_below;
    bool lifts = x.v && l->takes && l->id <= limit && (below == 0 || l->id < below);
    return lifts && x.v->level > 0 && x.v->level < l->id ? lucid__split_lift_to(s, l, x) : x;
}

lucid_tensor lucid__split_lift(lucid_scope *s, lucid_tensor x, uint64_t limit)
{
    return s->session->takers > 0 ? lift_from(s, s->session->top, x, limit) : x;
}
