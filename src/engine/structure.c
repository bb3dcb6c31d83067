#include "engine/structure.h"

#include <string.h>

#include "base/memory.h"
#include "engine/fuse.h"
#include "engine/lower.h"
#include "prim/body.h"

/* A walk marks what it has met: base for "entered", base + 1 + k for leaf or node k when it has its
 * place. Leaves and nodes count separately. Every walk starts from a base above all earlier marks, so
 * that marks need no clearing. */
static int64_t base = 1;

typedef struct frame {
    lucid__node *node;
    int next_input;
} frame;

typedef struct finder {
    lucid__structure *st;
    frame *stack;
    size_t depth, stack_capacity, leaf_capacity, node_capacity;
} finder;

static bool grow(void *array, size_t *capacity, size_t needed, size_t size)
{
    if (needed <= *capacity)
        return true;
    size_t more = *capacity ? 2 * *capacity : 64;
    void *old;
    memcpy(&old, array, sizeof old);
    void *p = lucid__realloc(old, more * size);
    if (!p)
        return false;
    memcpy(array, &p, sizeof p);
    *capacity = more;
    return true;
}

/* A node seen for the first time: a leaf gets its place at once, another goes on the stack. */
static bool enter(finder *f, lucid__node *n)
{
    lucid__structure *st = f->st;
    if (n->mark >= base)
        return true;
    if (lucid__node_is_ready(n)) {
        if (!grow(&st->leaves, &f->leaf_capacity, st->nleaves + 1, sizeof *st->leaves))
            return false;
        n->mark = base + 1 + (int64_t)st->nleaves;
        st->leaves[st->nleaves++] = n;
        return true;
    }
    if (!grow(&f->stack, &f->stack_capacity, f->depth + 1, sizeof *f->stack))
        return false;
    n->mark = base;
    f->stack[f->depth++] = (frame){n, 0};
    return true;
}

/* Depth first, inputs before users, on a stack of our own: graphs can be deep. */
static bool walk(finder *f)
{
    lucid__structure *st = f->st;
    while (f->depth > 0) {
        frame *top = &f->stack[f->depth - 1];
        if (top->next_input < top->node->nin) {
            if (!enter(f, top->node->in[top->next_input++].node))
                return false;
            continue;
        }
        if (!grow(&st->nodes, &f->node_capacity, st->nnodes + 1, sizeof *st->nodes))
            return false;
        top->node->mark = base + 1 + (int64_t)st->nnodes;
        st->nodes[st->nnodes++] = top->node;
        f->depth--;
    }
    return true;
}

size_t lucid__structure_index(const lucid__structure *st, const lucid__node *node)
{
    size_t k = (size_t)(node->mark - st->base - 1);
    return lucid__node_is_ready(node) ? k : st->nleaves + k;
}

/* An output is wanted when it has more readers than users in this structure. */
static bool find_wanted(lucid__structure *st)
{
    st->first_out = lucid__malloc((st->nnodes + 1) * sizeof *st->first_out);
    if (!st->first_out)
        return false;
    size_t n = 0;
    for (size_t i = 0; i < st->nnodes; n += st->nodes[i++]->nout)
        st->first_out[i] = n;
    int *users = lucid__calloc(n, sizeof *users);
    st->wanted = lucid__malloc((n + 1) * sizeof *st->wanted);
    if (users && st->wanted) {
        for (size_t i = 0; i < st->nnodes; i++)
            for (int j = 0; j < st->nodes[i]->nin; j++) {
                const lucid__edge *in = &st->nodes[i]->in[j];
                size_t k = lucid__structure_index(st, in->node);
                if (k >= st->nleaves)
                    users[st->first_out[k - st->nleaves] + (size_t)in->out]++;
            }
        for (size_t i = 0; i < st->nnodes; i++) {
            lucid__node *node = st->nodes[i];
            for (int k = 0; k < node->nout; k++) {
                size_t at = st->first_out[i] + (size_t)k;
                int readers = atomic_load(node->nout > 1 ? &node->out[k].readers : &node->refs);
                st->wanted[at] = readers > users[at];
            }
        }
    }
    bool ok = users && st->wanted;
    lucid__free(users);
    return ok;
}

/* The bits of a leaf that is a number written in the program. Those that are computed or read are not looked at:
 * every coincidence of theirs would make another plan. */
static bool single_number(const lucid__node *leaf, uint64_t *bits)
{
    const lucid__output *out = &leaf->out[0];
    if (leaf->depth > 0 || out->aval.shape.ndim > 0 || !out->storage)
        return false;
    size_t size = lucid_dtype_size(out->aval.dtype);
    *bits = 0;
    memcpy(bits, (const char *)out->storage->buffer->data + out->storage->offset * (int64_t)size,
           size);
    return true;
}

static lucid__known known_number(lucid_dtype dtype, uint64_t bits)
{
    float single = 1;
    double wide = 1;
    uint64_t one = 1;
    if (dtype == LUCID_FLOAT32)
        memcpy(&one, &single, sizeof single);
    else if (dtype == LUCID_FLOAT64)
        memcpy(&one, &wide, sizeof wide);
    if (bits == one)
        return LUCID__ONE;
    bool minus_zero = (dtype == LUCID_FLOAT32 && bits == UINT64_C(1) << 31) ||
                      (dtype == LUCID_FLOAT64 && bits == UINT64_C(1) << 63);
    return bits == 0 ? LUCID__ZERO : minus_zero ? LUCID__MINUS_ZERO : LUCID__UNKNOWN;
}

/* The leaf that a value repeats or rearranges; none: nleaves. origin: of the nodes before it. */
static size_t origin_of(const lucid__structure *st, const lucid__edge *in, const size_t *origin)
{
    size_t k = lucid__structure_index(st, in->node);
    return k < st->nleaves ? k : origin[k - st->nleaves];
}

/* Forgets the numbers that no operation is simpler for: others than 1 in products, than 0 in sums. */
static bool keep_useful_numbers(lucid__structure *st)
{
    size_t *origin = lucid__malloc(st->nnodes * sizeof *origin);
    uint8_t *useful = lucid__calloc(st->nleaves + 1, sizeof *useful);
    enum { FACTOR = 1, TERM = 2 };
    for (size_t i = 0; origin && useful && i < st->nnodes; i++) {
        const lucid__node *node = st->nodes[i];
        int prim = node->prim;
        bool view = prim == LUCID__broadcast || prim == LUCID__reshape || prim == LUCID__permute ||
                    prim == LUCID__slice;
        bool factor = prim == LUCID__mul || prim == LUCID__div || prim == LUCID__floor_divide ||
                      prim == LUCID__where;
        bool term = prim == LUCID__add || prim == LUCID__sub || prim == LUCID__where;
        origin[i] = view ? origin_of(st, &node->in[0], origin) : st->nleaves;
        for (int j = 0; (factor || term) && j < node->nin; j++)
            useful[origin_of(st, &node->in[j], origin)] |=
                (uint8_t)((factor ? FACTOR : 0) | (term ? TERM : 0));
    }
    for (size_t i = 0; origin && useful && i < st->nleaves; i++)
        if (!(useful[i] & (st->known[i] == LUCID__ONE ? FACTOR : TERM)))
            st->known[i] = LUCID__UNKNOWN;
    bool ok = origin && useful;
    lucid__free(origin);
    lucid__free(useful);
    return ok;
}

/* Numbers that plans are made for: 0 and 1, and which are the same. Others may change from call to call. */
static bool look_at_numbers(lucid__structure *st)
{
    enum { RECENT = 32 };
    struct {
        int leaf;
        lucid_dtype dtype;
        uint64_t bits;
    } recent[RECENT];
    int count = 0;
    st->known = lucid__calloc(st->nleaves, sizeof *st->known);
    st->twin = lucid__malloc(st->nleaves * sizeof *st->twin);
    if (!st->known || !st->twin)
        return false;
    for (size_t i = 0; i < st->nleaves; i++) {
        uint64_t bits;
        lucid_dtype dtype = st->leaves[i]->out[0].aval.dtype;
        st->twin[i] = (int)i;
        if (!single_number(st->leaves[i], &bits))
            continue;
        st->known[i] = (uint8_t)known_number(dtype, bits);
        int k = count < RECENT ? count : RECENT;
        while (k > 0 && (recent[k - 1].dtype != dtype || recent[k - 1].bits != bits))
            k--;
        if (k > 0) {
            st->twin[i] = recent[k - 1].leaf;
            continue;
        }
        recent[count % RECENT].leaf = (int)i;
        recent[count % RECENT].dtype = dtype;
        recent[count++ % RECENT].bits = bits;
    }
    return true;
}

static bool write_words(lucid__structure *st)
{
    size_t n = 2 + st->nleaves;
    for (size_t i = 0; i < st->nleaves; i++)
        for (int k = 0; k < st->leaves[i]->nout; k++)
            n += 2 * lucid__aval_words(&st->leaves[i]->out[k].aval);
    for (size_t i = 0; i < st->nnodes; i++) {
        const lucid__node *node = st->nodes[i];
        n += 3 + (size_t)node->nparams + (size_t)node->nin;
        for (int k = 0; k < node->nout; k++)
            n += lucid__aval_words(&node->out[k].aval);
    }
    st->words = lucid__malloc(n * sizeof *st->words);
    if (!st->words)
        return false;
    int64_t *w = st->words;
    *w++ = (int64_t)st->nleaves << 2 | lucid__lanes_allowed() << 1 | lucid__fusion();
    *w++ = (int64_t)st->nnodes;
    for (size_t i = 0; i < st->nleaves; i++)
        *w++ = (int64_t)st->twin[i] << 8 | st->known[i];
    for (size_t i = 0; i < st->nleaves; i++)
        for (int k = 0; k < st->leaves[i]->nout; k++) {
            const lucid__output *out = &st->leaves[i]->out[k];
            w = lucid__aval_write(w, &out->aval);
            if (out->storage)
                memcpy(w, out->storage->stride, (size_t)out->aval.shape.ndim * sizeof *w);
            else
                memset(w, 0, (size_t)out->aval.shape.ndim * sizeof *w);
            w += out->aval.shape.ndim;
        }
    for (size_t i = 0; i < st->nnodes; i++) {
        const lucid__node *node = st->nodes[i];
        *w++ = ((int64_t)node->prim << 32) | node->nout;
        *w++ = ((int64_t)node->nparams << 32) | node->nin;
        memcpy(w, node->params, (size_t)node->nparams * sizeof *w);
        w += node->nparams;
        for (int j = 0; j < node->nin; j++)
            *w++ = (int64_t)(lucid__structure_index(st, node->in[j].node) << 16) | node->in[j].out;
        for (int k = 0; k < node->nout; k++) {
            int64_t *at = w;
            w = lucid__aval_write(w, &node->out[k].aval);
            *at |= (int64_t)lucid__structure_wants(st, i, k) << 32;
        }
    }
    st->nwords = (size_t)(w - st->words);
    return true;
}

bool lucid__structure_find(lucid_scope *s, lucid__node *const *roots, size_t n,
                           lucid__structure *st)
{
    *st = (lucid__structure){.base = base};
    finder f = {.st = st};
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++)
        ok = lucid__node_is_ready(roots[i]) || (enter(&f, roots[i]) && walk(&f));
    ok = ok && find_wanted(st) && look_at_numbers(st) && keep_useful_numbers(st) && write_words(st);
    lucid__free(f.stack);
    base += 2 + (int64_t)(st->nleaves > st->nnodes ? st->nleaves : st->nnodes);
    if (!ok)
        lucid__out_of_memory(s);
    return ok;
}

const lucid__output **lucid__structure_leaf_outputs(lucid_scope *s, const lucid__structure *st)
{
    size_t n = 0;
    for (size_t i = 0; i < st->nleaves; i++)
        n += st->leaves[i]->nout;
    const lucid__output **outputs = lucid_alloc(s, (n + 1) * sizeof(*outputs)), **at = outputs;
    for (size_t i = 0; outputs && i < st->nleaves; i++)
        for (int k = 0; k < st->leaves[i]->nout; k++)
            *at++ = &st->leaves[i]->out[k];
    return outputs;
}

void lucid__structure_free(lucid__structure *st)
{
    lucid__free(st->leaves);
    lucid__free(st->nodes);
    lucid__free(st->wanted);
    lucid__free(st->first_out);
    lucid__free(st->known);
    lucid__free(st->twin);
    lucid__free(st->words);
    *st = (lucid__structure){0};
}
