#include "engine/structure.h"

#include <string.h>

#include "base/memory.h"
#include "engine/force.h"
#include "engine/fuse.h"
#include "engine/lower.h"

/* A walk marks what it has met: base for "entered", base + 1 + k for leaf or node k when it has its
 * place. Leaves and nodes count separately. Every walk starts from a base above all earlier marks, so
 * that marks need no clearing. */
static int64_t base = 1;

typedef struct frame {
    lucid__node *node;
    int next_input;
} frame;

/* The memory of a structure. It is kept for the next one (when evaluations nest, each has its own): a small
 * graph is looked at without allocating anything. */
struct lucid__structure_memory {
    lucid__node **leaves, **nodes;
    frame *stack;
    char *rest; /* everything of a known size, one after the other */
    size_t leaf_capacity, node_capacity, stack_capacity, rest_capacity;
};

enum { MOST_KEPT = 4096 }; /* entries of an array that is kept */
static struct lucid__structure_memory *spare;

static void memory_free(struct lucid__structure_memory *m)
{
    if (!m)
        return;
    lucid__free(m->leaves);
    lucid__free(m->nodes);
    lucid__free(m->stack);
    lucid__free(m->rest);
    lucid__free(m);
}

static void memory_give_back(struct lucid__structure_memory *m)
{
    bool keep = LUCID__REUSES_MEMORY && m && m->leaf_capacity <= MOST_KEPT &&
                m->node_capacity <= MOST_KEPT && m->stack_capacity <= MOST_KEPT &&
                m->rest_capacity <= 64 * MOST_KEPT;
    struct lucid__structure_memory *old = keep ? spare : m;
    spare = keep ? m : spare;
    memory_free(old);
}

typedef struct finder {
    lucid__structure *st;
    struct lucid__structure_memory *memory;
    size_t depth;
    size_t nwords, nouts,
        nleaf_outs; /* as many words as it takes at most, and outputs of nodes, of leaves */
} finder;

static bool grow_array(void *array, size_t *capacity, size_t needed, size_t size)
{
    size_t more = needed > 64 ? 2 * needed : 64;
    void *old;
    memcpy(&old, array, sizeof old);
    void *p = more <= SIZE_MAX / size ? lucid__realloc(old, more * size) : NULL;
    if (!p)
        return false;
    memcpy(array, &p, sizeof p);
    *capacity = more;
    return true;
}

static inline bool grow(void *array, size_t *capacity, size_t needed, size_t size)
{
    return needed <= *capacity || grow_array(array, capacity, needed, size);
}

/* A node seen for the first time: a leaf gets its place at once, another goes on the stack. */
static inline bool enter(finder *f, lucid__node *n)
{
    lucid__structure *st = f->st;
    struct lucid__structure_memory *m = f->memory;
    if (n->mark >= base)
        return true;
    if (lucid__node_is_ready(n)) {
        if (!grow(&m->leaves, &m->leaf_capacity, st->nleaves + 1, sizeof *m->leaves))
            return false;
        n->mark = base + 1 + (int64_t)st->nleaves;
        m->leaves[st->nleaves++] = n;
        f->nleaf_outs += n->nout;
        for (int k = 0; k < n->nout; k++)
            f->nwords += 2 + 2 * (size_t)n->out[k].aval.shape.ndim;
        return true;
    }
    if (!grow(&m->stack, &m->stack_capacity, f->depth + 1, sizeof *m->stack))
        return false;
    n->mark = base;
    m->stack[f->depth++] = (frame){n, 0};
    return true;
}

/* Depth first, inputs before users, on a stack of our own: graphs can be deep. */
static bool walk(finder *f)
{
    lucid__structure *st = f->st;
    struct lucid__structure_memory *m = f->memory;
    while (f->depth > 0) {
        frame *top = &m->stack[f->depth - 1];
        lucid__node *node = top->node;
        if (top->next_input < node->nin) {
            if (!enter(f, node->in[top->next_input++].node))
                return false;
            continue;
        }
        if (!grow(&m->nodes, &m->node_capacity, st->nnodes + 1, sizeof *m->nodes))
            return false;
        node->mark = base + 1 + (int64_t)st->nnodes;
        m->nodes[st->nnodes++] = node;
        f->nwords += 2 + (size_t)node->nparams + (size_t)node->nin;
        f->nouts += node->nout;
        f->depth--;
    }
    return true;
}

/* Memory for the rest of the structure, the largest items first. */
static bool make_room(finder *f)
{
    lucid__structure *st = f->st;
    f->nwords += 2 + f->nouts / 64 + 1;
    size_t bytes = f->nwords * sizeof *st->words + (st->nnodes + 1) * sizeof *st->first_out +
                   st->nnodes * sizeof *st->origin + f->nouts * sizeof *st->users +
                   st->nleaves * sizeof *st->twin + f->nouts * sizeof *st->wanted + 2 * st->nleaves;
    struct lucid__structure_memory *m = f->memory;
    if (!grow(&m->rest, &m->rest_capacity, bytes, 1))
        return false;
    st->leaves = m->leaves;
    st->nodes = m->nodes;
    st->words = (int64_t *)(void *)m->rest;
    st->first_out = (size_t *)(void *)(st->words + f->nwords);
    st->origin = st->first_out + st->nnodes + 1;
    st->users = (int *)(void *)(st->origin + st->nnodes);
    st->twin = st->users + f->nouts;
    st->wanted = (bool *)(st->twin + st->nleaves);
    st->known = (uint8_t *)st->wanted + f->nouts;
    st->useful = st->known + st->nleaves;
    return true;
}

const lucid__output **lucid__structure_leaf_outputs(lucid_scope *s, const lucid__structure *st)
{
    size_t n = 0;
    for (size_t i = 0; i < st->nleaves; i++)
        n += st->leaves[i]->nout;
    const lucid__output **outputs = lucid__alloc(s, (n + 1) * sizeof(*outputs)), **at = outputs;
    for (size_t i = 0; outputs && i < st->nleaves; i++)
        for (int k = 0; k < st->leaves[i]->nout; k++)
            *at++ = &st->leaves[i]->out[k];
    return outputs;
}

/* The bits of a leaf that is a number written in the program. Those that are computed or read are not looked at:
 * every coincidence of theirs would make another plan. */
static bool single_number(const lucid__node *leaf, uint64_t *bits)
{
    const lucid__output *out = &leaf->out[0];
    if (!lucid__node_is_number(leaf))
        return false;
    size_t size = lucid_dtype_size(out->aval.dtype);
    *bits = 0;
    memcpy(bits, (const char *)out->storage.buffer->data + out->storage.offset * (int64_t)size,
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

/* Numbers that plans are made for: 0 and 1, and which are the same. Others may change from call to call. */
static void look_at_numbers(lucid__structure *st)
{
    enum { RECENT = 32 };
    struct {
        int leaf;
        lucid_dtype dtype;
        uint64_t bits;
    } recent[RECENT];
    int count = 0;
    for (size_t i = 0; i < st->nleaves; i++) {
        uint64_t bits;
        lucid_dtype dtype = st->leaves[i]->out[0].aval.dtype;
        st->twin[i] = (int)i;
        st->known[i] = LUCID__UNKNOWN;
        st->useful[i] = 0;
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
}

/* What knowing a number helps with: a product by 1, a sum with 0. */
enum { FACTOR = 1, TERM = 2, VIEW = 4 };

static const uint8_t help[LUCID__PRIM_COUNT] = {
    [LUCID__mul] = FACTOR,          [LUCID__div] = FACTOR,   [LUCID__floor_divide] = FACTOR,
    [LUCID__where] = FACTOR | TERM, [LUCID__add] = TERM,     [LUCID__sub] = TERM,
    [LUCID__broadcast] = VIEW,      [LUCID__reshape] = VIEW, [LUCID__permute] = VIEW,
    [LUCID__slice] = VIEW,
};

/* The words of the nodes; on the way, which of their outputs the others use, and which numbers help. The
 * shapes of their outputs follow from the rest. */
static int64_t *write_nodes(lucid__structure *st, int64_t *w)
{
    const size_t none = st->nleaves;
    size_t nouts = 0;
    for (size_t i = 0; i < st->nnodes; i++) {
        const lucid__node *node = st->nodes[i];
        const uint8_t helps = help[node->prim];
        size_t origin = none; /* the leaf that the node repeats or rearranges */
        st->first_out[i] = nouts;
        for (int k = 0; k < node->nout; k++)
            st->users[nouts++] = 0;
        *w++ = (int64_t)node->prim << 32 | node->nout;
        *w++ = (int64_t)node->nparams << 32 | node->nin;
        for (int j = 0; j < node->nparams; j++)
            *w++ = node->params[j];
        for (int j = 0; j < node->nin; j++) {
            const lucid__edge *in = &node->in[j];
            size_t k = lucid__structure_index(st, in->node), from = k;
            if (k >= none) {
                st->users[st->first_out[k - none] + (size_t)in->out]++;
                from = st->origin[k - none];
            }
            if (j == 0 && helps == VIEW)
                origin = from;
            if (from < none)
                st->useful[from] |= helps;
            *w++ = (int64_t)(k << 16) | in->out;
        }
        st->origin[i] = origin;
    }
    st->first_out[st->nnodes] = nouts;
    return w;
}

static int64_t *write_leaves(lucid__structure *st, int64_t *w)
{
    for (size_t i = 0; i < st->nleaves; i++) {
        const lucid__node *leaf = st->leaves[i];
        if (!(st->useful[i] & (st->known[i] == LUCID__ONE ? FACTOR : TERM)))
            st->known[i] = LUCID__UNKNOWN;
        for (int k = 0; k < leaf->nout; k++) {
            const lucid__output *out = &leaf->out[k];
            const lucid__aval *aval = &out->aval;
            *w++ = (int64_t)st->twin[i] << 8 | st->known[i];
            const bool number = lucid__node_is_number(leaf);
            *w++ = (int64_t)aval->dtype << 32 | (int64_t)number << 9 |
                   (int64_t)(out->storage.buffer != NULL) << 8 | aval->shape.ndim;
            for (int d = 0; d < aval->shape.ndim; d++) {
                *w++ = aval->shape.dim[d];
                if (!number)
                    *w++ = out->storage.buffer ? out->storage.stride[d] : 0;
            }
        }
    }
    return w;
}

/* An output is wanted when it has more readers than users in this structure. One bit for each. */
static int64_t *write_wanted(lucid__structure *st, int64_t *w)
{
    uint64_t bits = 0;
    size_t n = 0;
    for (size_t i = 0; i < st->nnodes; i++) {
        lucid__node *node = st->nodes[i];
        for (int k = 0; k < node->nout; k++, n++) {
            int readers = atomic_load(node->nout > 1 ? &node->out[k].readers : &node->refs);
            bool wanted = readers > st->users[n];
            st->wanted[n] = wanted;
            bits |= (uint64_t)wanted << (n & 63);
            if ((n & 63) == 63) {
                *w++ = (int64_t)bits;
                bits = 0;
            }
        }
    }
    *w++ = (int64_t)bits;
    return w;
}

static void write_words(lucid__structure *st)
{
    int64_t *w = st->words;
    *w++ = (int64_t)st->nleaves << 3 | (int64_t)lucid__layout_forced() << 1 | lucid__fusion();
    *w++ = (int64_t)st->nnodes;
    w = write_nodes(st, w);
    w = write_leaves(st, w);
    w = write_wanted(st, w);
    st->nwords = (size_t)(w - st->words);
}

bool lucid__structure_find(lucid_scope *s, lucid__node *const *roots, size_t n,
                           lucid__structure *st)
{
    *st = (lucid__structure){.base = base};
    finder f = {.st = st, .memory = spare};
    spare = NULL;
    if (!f.memory)
        f.memory = lucid__calloc(1, sizeof *f.memory);
    st->memory = f.memory;
    bool ok = f.memory != NULL;
    for (size_t i = 0; i < n && ok; i++)
        ok = lucid__node_is_ready(roots[i]) || (enter(&f, roots[i]) && walk(&f));
    ok = ok && make_room(&f);
    base += 2 + (int64_t)(st->nleaves > st->nnodes ? st->nleaves : st->nnodes);
    if (!ok) {
        lucid__out_of_memory(s);
        return false;
    }
    look_at_numbers(st);
    write_words(st);
    return true;
}

void lucid__structure_free(lucid__structure *st)
{
    memory_give_back(st->memory);
    *st = (lucid__structure){0};
}
