#include "transform/split_rows.h"

bool lucid__is_needed(const lucid__needs *n, uint64_t level)
{
    for (size_t i = 0; i < n->count; i++)
        if (n->levels[i] == level)
            return true;
    return false;
}

int64_t lucid__taken_lanes(const lucid__taken *taken, size_t n)
{
    int64_t product = 1;
    for (size_t i = 0; i < n; i++)
        product *= taken[i].size;
    return product;
}

lucid__taken *lucid__taken_since(lucid_scope *s, const lucid__split *split, uint32_t version,
                                 lucid__needs *n)
{
    size_t most = 0, at = 0;
    for (uint32_t v = version; v < split->version; v++)
        most += split->narrowed[v].ntaken;
    if (most > LUCID__MOST_NEEDS) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "vmap: more than %d vmaps around lanes that parted",
                         LUCID__MOST_NEEDS);
        return NULL;
    }
    lucid__taken *taken = lucid_alloc(s, (most + 1) * sizeof *taken);
    for (uint32_t v = split->version; taken && v-- > version;)
        for (size_t k = 0; k < split->narrowed[v].ntaken; k++, at++) {
            taken[at] = split->narrowed[v].taken[k];
            n->levels[at] = taken[at].level;
        }
    n->count = at;
    return taken;
}

int64_t lucid__split_position(const lucid__split *split, uint32_t version, int64_t i,
                              const lucid__needs *n, bool own)
{
    int64_t total = 0;
    for (uint32_t v = split->version; v-- > version;) {
        const lucid__narrowing *w = &split->narrowed[v];
        int64_t p = w->kept[i], rest = p / w->before;
        int64_t unit = lucid__taken_lanes(w->taken, w->ntaken);
        for (size_t k = 0; k < w->ntaken; k++) {
            unit /= w->taken[k].size;
            if (lucid__is_needed(n, w->taken[k].level))
                total = total * w->taken[k].size + rest / unit % w->taken[k].size;
        }
        i = p % w->before;
        if (own && v == version)
            total = total * w->before + i;
    }
    return own && version == split->version ? i : total;
}

lucid_tensor lucid__split_index(lucid_scope *s, const lucid__split *split, uint32_t version,
                                const lucid__needs *n, bool own)
{
    int64_t count = split->now.count;
    int64_t *at = lucid_alloc(s, ((size_t)count + 1) * sizeof *at);
    for (int64_t i = 0; at && i < count; i++)
        at[i] = lucid__split_position(split, version, i, n, own);
    return at ? lucid_from_data(s, at, LUCID_INT64, LUCID_SHAPE(count)) : (lucid_tensor){NULL};
}
