#include "cpu/chains.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lucid.h"

int64_t lucid__native_after = 4 << 20;
bool lucid__native_wide = true;
int64_t lucid__native_chains_made;
static _Atomic uint64_t native_bytes;

bool lucid__native_due(double *done, bool *tried, double work)
{
    if (*tried || lucid__native_after == INT64_MAX)
        return false;
    *done += work;
    *tried = *done >= (double)lucid__native_after;
    return *tried;
}

bool lucid__chains_begin(lucid__chains *chains)
{
#if defined(__x86_64__)
    static int allowed = -1; /* not asked yet */
    if (allowed < 0) {
        const char *text = getenv("LUCID_NATIVE");
        allowed = !(text && strcmp(text, "0") == 0);
    }
    const char *isa = lucid_instruction_set();
    chains->wide = lucid__native_wide && strcmp(isa, "v4") == 0;
    if (!allowed || strcmp(isa, "v2") == 0)
        return false;
    chains->arena = lucid__arena_new();
    return chains->arena;
#else
    (void)chains;
    return false;
#endif
}

uint64_t lucid__native_bytes(void)
{
    return atomic_load(&native_bytes);
}

bool lucid__chain_has_code(const lucid__chains *chains, const lucid__chain *chain)
{
    lucid__code counted = {.wide = chains->wide};
    return chain->nout > 0 && lucid__chain_emit(&counted, chain);
}

static bool emit_all(lucid__chains *chains, lucid__code *code)
{
    for (int i = 0; i < chains->n; i++) {
        uint8_t *start = code->bytes ? code->bytes + code->n : NULL;
        if (!lucid__chain_emit(code, &chains->at[i].chain))
            return false;
        /* ISO C has no cast from data to code; POSIX does. */
        memcpy(&chains->at[i].run, &start, sizeof start);
    }
    return true;
}

/* Memory is either for writing or for running. */
bool lucid__chains_write(lucid__chains *chains)
{
    lucid__code code = {.wide = chains->wide};
    if (chains->n == 0 || !emit_all(chains, &code))
        return false;
    chains->code_bytes = code.n;
    void *memory = mmap(NULL, code.n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    chains->code = memory;
    code = (lucid__code){.bytes = memory, .capacity = chains->code_bytes, .wide = chains->wide};
    if (!emit_all(chains, &code) || mprotect(memory, chains->code_bytes, PROT_READ | PROT_EXEC))
        return false;
    lucid__native_chains_made += chains->n;
    chains->bytes = lucid__arena_bytes(chains->arena) + chains->code_bytes;
    atomic_fetch_add(&native_bytes, chains->bytes);
    return true;
}

void lucid__chains_free(lucid__chains *chains)
{
    if (chains->code)
        (void)munmap(chains->code, chains->code_bytes);
    atomic_fetch_sub(&native_bytes, chains->bytes);
    lucid__arena_free(chains->arena);
}
