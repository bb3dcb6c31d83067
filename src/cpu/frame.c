/* Frames: how large the registers of a box are, where they are, and what runs each instruction. */
#include "base/memory.h"
#include "cpu/machine.h"
#include "cpu/native.h"
#include "cpu/run_program.h"

static size_t size_of(uint8_t dtype)
{
    return lucid_dtype_size((lucid_dtype)dtype);
}

static size_t widest(const lucid__program *p)
{
    size_t size = 1;
    for (int i = 0; i < p->nloads; i++)
        size = size_of(p->loads[i].dtype) > size ? size_of(p->loads[i].dtype) : size;
    for (int i = 0; i < p->ninstrs; i++) {
        const lucid__instr *in = &p->instrs[i];
        size_t to = in->op == LUCID__cast ? size_of(in->to) : 0;
        size = size_of(in->dtype) > size ? size_of(in->dtype) : size;
        size = to > size ? to : size;
    }
    return size;
}

/* What goes lane by lane. */
static lucid__instr_body *body_of(const lucid__bodies *bodies, const lucid__instr *in)
{
    if (in->op == LUCID__CHAIN)
        return NULL;
    if (in->then)
        return lucid__pair_body(bodies, in);
    switch ((lucid__prim_id)in->op) {
    case LUCID__iota:
    case LUCID__constant:
    case LUCID__broadcast:
    case LUCID__gather:
        return NULL;
    case LUCID__cast:
        return bodies->cast[in->dtype][in->to];
    default:
        return lucid__is_fold(in->op) ? NULL : bodies->op[in->op][in->dtype];
    }
}

/* Whether a stream has one element for all the points it lies over. */
static bool stands_still(const lucid__program *p, const lucid__stream *t)
{
    for (int d = 0; d < p->ndim; d++)
        if ((p->over[t->reg] >> d & 1) && t->stride[d] != 0)
            return false;
    return true;
}

int64_t lucid__frame_lanes(const lucid__frame *f, unsigned dims)
{
    int64_t n = 1;
    for (; dims; dims &= dims - 1)
        n *= f->size[__builtin_ctz(dims)];
    return n;
}

size_t lucid__frame_bytes(const lucid__program *p)
{
    return (size_t)p->nregs * sizeof(size_t) + (size_t)p->ninstrs * sizeof(lucid__instr_body *) +
           (size_t)p->nloads * sizeof(bool) + 1;
}

bool lucid__frame_init(lucid__frame *f, const lucid__program *p)
{
    const lucid__bodies *bodies = lucid__bodies_get();
    f->program = p;
    f->own = lucid__malloc(lucid__frame_bytes(p));
    if (!f->own)
        return false;
    f->body = (lucid__instr_body **)(void *)(f->own + p->nregs);
    f->uniform = (bool *)(void *)(f->body + p->ninstrs);
    f->has_words = false;
    size_t width = widest(p), total = 0;
    for (int r = 0; r < p->nregs; r++) {
        f->own[r] = total;
        /* Registers a power of two apart would fall on the same lines of the cache. */
        total += ((size_t)lucid__frame_lanes(f, p->over[r]) * width + 63) / 64 * 64 + 64;
    }
    size_t scratch = p->folded ? (size_t)lucid__frame_lanes(f, (1u << p->ndim) - 1) * width : 0;
    size_t positions = (size_t)lucid__gather_scratch(f) * sizeof(int64_t);
    f->scratch = total;
    f->bytes = total + (scratch > positions ? scratch : positions);
    for (int i = 0; i < p->ninstrs; i++)
        f->body[i] = body_of(bodies, &p->instrs[i]);
    for (int i = 0; i < p->nloads; i++) {
        const lucid__stream *t = &p->loads[i];
        f->uniform[i] =
            !t->words && !t->parts && stands_still(p, t) && lucid__frame_lanes(f, p->over[i]) > 1;
        f->has_words |= t->words != NULL;
    }
    return true;
}

void lucid__frame_free(lucid__frame *f)
{
    lucid__free(f->own);
    f->own = NULL;
}
