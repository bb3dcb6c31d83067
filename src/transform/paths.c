#include "transform/paths.h"

#include "base/memory.h"
#include "transform/split.h"

enum { KEPT_RUNS = 4096 };

static bool is_vmap(const lucid__level *l)
{
    return (l->kind == LUCID__LEVEL_BATCH || l->kind == LUCID__LEVEL_LANE) && !l->hidden;
}

void lucid__paths_begin(lucid_scope *s)
{
    for (const lucid__level *l = s->session->top; l; l = l->below)
        if (is_vmap(l))
            return;
    if (s->session->paths.paused > 0)
        return;
    s->session->paths.sum = (lucid_paths){0};
    s->session->paths.kept = 0;
}

int64_t lucid__paths_runs(const lucid_scope *s)
{
    return s->session->paths.sum.runs;
}

/* Lanes of every vmap around, but for those that the lanes of another one stand for too. */
static int64_t lanes_around(const lucid_scope *s)
{
    int64_t lanes = 1;
    for (const lucid__level *l = s->session->top; l; l = l->below)
        if (l->kind == LUCID__LEVEL_BATCH && !l->hidden && !lucid__split_is_taken(s, l->id) &&
            __builtin_mul_overflow(lanes, l->size, &lanes))
            return INT64_MAX;
    return lanes;
}

/* A list that cannot grow for want of memory stays as it is. */
static void keep(lucid__path_log *log, int64_t lanes)
{
    if (log->kept == log->capacity && log->capacity < KEPT_RUNS) {
        size_t capacity = log->capacity ? 2 * log->capacity : 16;
        int64_t *more = lucid__realloc(log->each, capacity * sizeof *more);
        if (more) {
            log->each = more;
            log->capacity = capacity;
        }
    }
    if (log->kept < log->capacity)
        log->each[log->kept++] = lanes;
}

void lucid__paths_note(lucid_scope *s, const lucid__level *level, int64_t runs)
{
    lucid__path_log *log = &s->session->paths;
    if (level->hidden || log->paused > 0 || !lucid__ok(s) || runs != log->sum.runs)
        return;
    int64_t lanes = lanes_around(s);
    log->sum.runs++;
    log->sum.lanes += lanes;
    keep(log, lanes);
}

void lucid__paths_alone(lucid_scope *s, int64_t lanes)
{
    if (s->session->paths.paused == 0)
        s->session->paths.sum.alone += lanes;
}

lucid_paths lucid_last_paths(const lucid_scope *s, int64_t *each, size_t n)
{
    if (!s)
        return (lucid_paths){0};
    const lucid__path_log *log = &s->session->paths;
    for (size_t i = 0; each && i < n && i < log->kept; i++)
        each[i] = log->each[i];
    return log->sum;
}
