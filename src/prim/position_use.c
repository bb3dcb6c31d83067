#include "prim/position_use.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef struct use {
    const char *name, *what;
    bool checks;
} use;

static const use uses[LUCID__POSITION_USE_COUNT] = {
#define LUCID__INDEXES(name) [LUCID__FOR_##name] = {#name, NULL, false},
#define LUCID__NAMES_CLASS(name, what) [LUCID__FOR_##name] = {#name, what, false},
#define LUCID__CHECKS(name, what) [LUCID__FOR_##name] = {#name, what, true},
    LUCID__POSITION_USES
#undef LUCID__INDEXES
#undef LUCID__NAMES_CLASS
#undef LUCID__CHECKS
};

lucid__position_use lucid__position_use_named(const char *name, lucid__position_use otherwise)
{
    for (int i = 1; name && i < LUCID__POSITION_USE_COUNT; i++)
        if (!uses[i].checks && strcmp(uses[i].name, name) == 0)
            return (lucid__position_use)i;
    return otherwise;
}

lucid_status lucid__position_message(int shown, int64_t index, int64_t size, char *to, size_t room)
{
    const use *u = &uses[(shown >> 8) % LUCID__POSITION_USE_COUNT];
    int dim = shown & 0xFF;
    if (u->checks) {
        (void)snprintf(to, room, "%s: %s", u->name, u->what);
        return LUCID_VALUE_ERROR;
    }
    if (u->what)
        (void)snprintf(to, room,
                       "%s: %s %" PRId64 " is out of range: there are %" PRId64
                       " classes, 0 to %" PRId64,
                       u->name, u->what, index < 0 ? index + size : index, size, size - 1);
    else
        (void)snprintf(to, room,
                       "%s%sindex %" PRId64 " is out of range for dim %d of size %" PRId64,
                       u->name ? u->name : "", u->name ? ": " : "", index, dim, size);
    return LUCID_INDEX_ERROR;
}
