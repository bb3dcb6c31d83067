/* Simplification: rewriting a sketch before it is lowered. Operations are met in order, so the inputs of each
 * are as simple as they get. A rule either finds that another value is the same, or makes the operation
 * another one. All keep every bit, signed zeros and NaN included; what does not is not here (x * 0, x + 0 with
 * x = -0, sums in another order).
 *
 * Last, an operation that has been met before is replaced by the first of its kind: common subexpressions. */
#include <string.h>

#include "engine/sketch.h"
#include "prim/prim.h"

typedef struct simplifier {
    lucid__sketch *sk;
    int *table; /* of operations by hash; open addressing, -1: free */
    size_t mask;
    int *order; /* the new one */
    int norder, order_capacity;
    bool ok; /* there was memory */
} simplifier;

static const lucid__operand none = {-1, 0};

/* ---- operations -------------------------------------------------------------------------------- */

static lucid__op *op_of(const simplifier *z, lucid__operand r)
{
    return &z->sk->ops[r.op];
}

static const lucid__aval *aval_of(const simplifier *z, lucid__operand r)
{
    return lucid__sketch_aval(z->sk, r);
}

static bool is(const simplifier *z, lucid__operand r, lucid__prim_id prim)
{
    return r.op >= z->sk->nleaves && op_of(z, r)->prim == prim;
}

static bool same_ref(lucid__operand a, lucid__operand b)
{
    return a.op == b.op && a.out == b.out;
}

static bool same_aval(const lucid__aval *a, const lucid__aval *b)
{
    return a->dtype == b->dtype && lucid__shape_equal(&a->shape, &b->shape);
}

static void *memory(simplifier *z, size_t bytes)
{
    void *p = z->ok ? lucid__arena_alloc(z->sk->arena, bytes) : NULL;
    z->ok &= p != NULL;
    return p;
}

static void emit(simplifier *z, int op)
{
    if (z->norder == z->order_capacity) {
        int capacity = 2 * z->order_capacity + 16;
        int *more = memory(z, (size_t)capacity * sizeof *more);
        if (!more)
            return;
        if (z->norder > 0)
            memcpy(more, z->order, (size_t)z->norder * sizeof *more);
        z->order = more;
        z->order_capacity = capacity;
    }
    z->order[z->norder++] = op;
}

static uint64_t mix(uint64_t h, uint64_t x)
{
    h = (h ^ x) * UINT64_C(0xD6E8FEB86659FD93);
    return h ^ h >> 32;
}

static bool same_op(const lucid__op *a, const lucid__op *b)
{
    if (a->prim != b->prim || a->nin != b->nin || a->nparams != b->nparams || a->nout != b->nout ||
        (a->nparams > 0 &&
         memcmp(a->params, b->params, (size_t)a->nparams * sizeof *a->params) != 0))
        return false;
    for (int j = 0; j < a->nin; j++)
        if (!same_ref(a->in[j], b->in[j]))
            return false;
    return same_aval(&a->out[0], &b->out[0]);
}

/* The first operation that is the same, which may be this one. */
static int first_of(simplifier *z, int number)
{
    const lucid__op *op = &z->sk->ops[number];
    uint64_t h = mix(op->prim, (uint64_t)op->nin);
    for (int j = 0; j < op->nin; j++)
        h = mix(h, (uint64_t)op->in[j].op << 8 | (uint64_t)op->in[j].out);
    for (int j = 0; j < op->nparams; j++)
        h = mix(h, (uint64_t)op->params[j]);
    for (size_t at = h & z->mask;; at = (at + 1) & z->mask) {
        if (z->table[at] < 0) {
            z->table[at] = number;
            return number;
        }
        if (same_op(&z->sk->ops[z->table[at]], op))
            return z->table[at];
    }
}

/* A new operation of one output, or one that is there already. Room was made for it. */
static lucid__operand add_op(simplifier *z, lucid__prim_id prim, const lucid__operand *in, int nin,
                             const int64_t *params, int nparams, const lucid__aval *out)
{
    lucid__sketch *sk = z->sk;
    lucid__op op = {
        .prim = (uint16_t)prim, .nout = 1, .nin = nin, .nparams = nparams, .instead = none};
    int64_t *own = memory(z, (size_t)nparams * sizeof *own);
    op.in = memory(z, (size_t)nin * sizeof *op.in);
    op.out = memory(z, sizeof *op.out);
    if (!z->ok || sk->nops == sk->op_capacity) {
        z->ok = false;
        return none;
    }
    if (nparams > 0)
        memcpy(own, params, (size_t)nparams * sizeof *own);
    if (nin > 0)
        memcpy(op.in, in, (size_t)nin * sizeof *op.in);
    op.params = own;
    op.out[0] = *out;
    sk->ops[sk->nops] = op;
    int first = first_of(z, sk->nops);
    if (first == sk->nops)
        emit(z, sk->nops++);
    return (lucid__operand){first, 0};
}

/* Makes operation `op` another one. */
static void become(simplifier *z, lucid__op *op, lucid__prim_id prim, const lucid__operand *in,
                   int nin, const int64_t *params, int nparams)
{
    int64_t *own = memory(z, (size_t)nparams * sizeof *own);
    lucid__operand *refs = memory(z, (size_t)nin * sizeof *refs);
    if (!z->ok)
        return;
    if (nparams > 0)
        memcpy(own, params, (size_t)nparams * sizeof *own);
    if (nin > 0)
        memcpy(refs, in, (size_t)nin * sizeof *refs);
    op->prim = (uint16_t)prim;
    op->in = refs;
    op->nin = nin;
    op->params = own;
    op->nparams = nparams;
}

/* ---- numbers ----------------------------------------------------------------------------------- */

/* What is known of a value that is one number everywhere. */
static lucid__known known(const simplifier *z, lucid__operand r)
{
    while (is(z, r, LUCID__broadcast) || is(z, r, LUCID__reshape) || is(z, r, LUCID__permute) ||
           is(z, r, LUCID__slice))
        r = op_of(z, r)->in[0];
    if (r.op < z->sk->nleaves)
        return (lucid__known)z->sk->structure->known[r.op];
    if (!is(z, r, LUCID__constant))
        return LUCID__UNKNOWN;
    int64_t number = op_of(z, r)->params[0];
    return number == 0 ? LUCID__ZERO : number == 1 ? LUCID__ONE : LUCID__UNKNOWN;
}

static bool is_float(const lucid__op *op)
{
    return op->out[0].dtype == LUCID_FLOAT32 || op->out[0].dtype == LUCID_FLOAT64;
}

/* ---- elementwise operations --------------------------------------------------------------------- */

/* Whether every value of dtype `a` survives a cast to `b` and back. */
static bool fits_in(lucid_dtype a, lucid_dtype b)
{
    if (a == b || a == LUCID_BOOL)
        return true;
    if (a == LUCID_INT32)
        return b == LUCID_INT64 || b == LUCID_FLOAT64;
    return a == LUCID_FLOAT32 && b == LUCID_FLOAT64;
}

/* A cast to the own dtype stays: it is what makes elements row-major. */
static lucid__operand same_as_cast(const simplifier *z, const lucid__op *op)
{
    lucid__operand x = op->in[0];
    if (aval_of(z, x)->dtype == op->out[0].dtype || !is(z, x, LUCID__cast))
        return none;
    lucid__operand before = op_of(z, x)->in[0];
    bool back = aval_of(z, before)->dtype == op->out[0].dtype;
    return back && fits_in(op->out[0].dtype, aval_of(z, x)->dtype) ? before : none;
}

/* x + 0: never -0. */
static bool adds_zero(const simplifier *z, lucid__operand r)
{
    return is(z, r, LUCID__add) && known(z, op_of(z, r)->in[1]) == LUCID__ZERO;
}

static lucid__operand same_as_elementwise(const simplifier *z, const lucid__op *op)
{
    const lucid__operand *in = op->in;
    lucid__known second = op->nin > 1 ? known(z, in[1]) : LUCID__UNKNOWN;
    switch ((lucid__prim_id)op->prim) {
    case LUCID__mul:
        if (second == LUCID__ONE)
            return in[0];
        return known(z, in[0]) == LUCID__ONE ? in[1] : none;
    case LUCID__div:
    case LUCID__floor_divide:
        return second == LUCID__ONE && (op->prim == LUCID__div || !is_float(op)) ? in[0] : none;
    case LUCID__sub: /* -0 - 0 is -0, but -0 - -0 is 0 */
        return second == LUCID__ZERO ? in[0] : none;
    case LUCID__add: { /* -0 + -0 is -0, but -0 + 0 is 0 */
        lucid__known zero = is_float(op) ? LUCID__MINUS_ZERO : LUCID__ZERO;
        if (second == zero || (second == LUCID__ZERO && adds_zero(z, in[0])))
            return in[0];
        return known(z, in[0]) == zero ? in[1] : none;
    }
    case LUCID__neg:
        return is(z, in[0], LUCID__neg) ? op_of(z, in[0])->in[0] : none;
    case LUCID__logical_not:
        return is(z, in[0], LUCID__logical_not) ? op_of(z, in[0])->in[0] : none;
    case LUCID__abs:
        return is(z, in[0], LUCID__abs) ? in[0] : none;
    case LUCID__cast:
        return same_as_cast(z, op);
    case LUCID__where: {
        lucid__known chosen = known(z, in[0]);
        if (same_ref(in[1], in[2]) || chosen == LUCID__ONE)
            return in[1];
        return chosen == LUCID__ZERO ? in[2] : none;
    }
    default:
        return none;
    }
}

/* ---- shapes -------------------------------------------------------------------------------------- */

static bool is_whole(const lucid__op *op, const lucid__aval *x)
{
    int n = x->shape.ndim;
    for (int d = 0; d < n; d++)
        if (op->params[d] != 0 || op->params[2 * n + d] != 1 ||
            op->out[0].shape.dim[d] != x->shape.dim[d])
            return false;
    return true;
}

static lucid__operand same_as_shape(const simplifier *z, const lucid__op *op)
{
    const lucid__aval *x = aval_of(z, op->in[0]);
    switch ((lucid__prim_id)op->prim) {
    case LUCID__reshape:
    case LUCID__broadcast:
        return same_aval(x, &op->out[0]) ? op->in[0] : none;
    case LUCID__permute:
        for (int d = 0; d < op->nparams; d++)
            if (op->params[d] != d)
                return none;
        return op->in[0];
    case LUCID__slice:
        return is_whole(op, x) ? op->in[0] : none;
    case LUCID__pad:
        return same_aval(x, &op->out[0]) ? op->in[0] : none;
    case LUCID__concatenate:
        return op->nin == 1 ? op->in[0] : none;
    default: /* reductions over no dims */
        return op->nparams == 0 && same_aval(x, &op->out[0]) ? op->in[0] : none;
    }
}

/* A view of a view of the same kind is one. */
static void compose(simplifier *z, lucid__op *op)
{
    int64_t params[3 * LUCID_MAX_NDIM];
    int n = op->nparams;
    if (!is(z, op->in[0], (lucid__prim_id)op->prim))
        return;
    const lucid__op *first = op_of(z, op->in[0]);
    memcpy(params, op->params, (size_t)n * sizeof *params);
    if (op->prim == LUCID__permute)
        for (int d = 0; d < n; d++)
            params[d] = first->params[op->params[d]];
    if (op->prim == LUCID__slice)
        for (int d = 0; d < n / 3; d++) {
            params[d] = first->params[d] + op->params[d] * first->params[2 * n / 3 + d];
            params[2 * n / 3 + d] = op->params[2 * n / 3 + d] * first->params[2 * n / 3 + d];
        }
    become(z, op, (lucid__prim_id)op->prim, first->in, 1, params, n);
}

/* ---- pieces: sums of pads -------------------------------------------------------------------------
 *
 * The derivative of x[0] * x[1] is a sum of two pads. Both are pieces of numbers and zeros side by side, so the
 * sum is, too: their concatenation, in which a + 0 stands where only one has numbers. (Not a: that may be -0.)
 */

enum { MAX_PIECES = 64 };

typedef struct piece {
    lucid__operand what; /* op < 0: zeros */
    int64_t size;
} piece;

typedef struct pieces {
    int dim, n;
    piece at[MAX_PIECES];
} pieces;

static void add_piece(pieces *p, lucid__operand what, int64_t size)
{
    if (size == 0)
        return;
    if (what.op < 0 && p->n > 0 && p->at[p->n - 1].what.op < 0)
        p->at[p->n - 1].size += size;
    else if (p->n < MAX_PIECES)
        p->at[p->n++] = (piece){what, size};
    else
        p->n = MAX_PIECES + 1; /* too many */
}

/* A value as pieces along one dim; false: it is not. */
static bool pieces_of(const simplifier *z, const lucid__op *op, pieces *p)
{
    *p = (pieces){.dim = -1};
    if (op->prim == LUCID__pad) {
        int n = op->nparams / 3;
        const int64_t *size = aval_of(z, op->in[0])->shape.dim;
        for (int d = 0; d < n; d++) {
            if (op->params[2 * n + d] != 0 && size[d] > 1)
                return false;
            if (op->params[d] == 0 && op->params[n + d] == 0)
                continue;
            if (p->dim >= 0 || op->params[d] < 0 || op->params[n + d] < 0)
                return false;
            p->dim = d;
        }
        if (p->dim < 0)
            return false;
        add_piece(p, none, op->params[p->dim]);
        add_piece(p, op->in[0], size[p->dim]);
        add_piece(p, none, op->params[n + p->dim]);
        return true;
    }
    if (op->prim != LUCID__concatenate || op->nin > MAX_PIECES)
        return false;
    p->dim = (int)op->params[0];
    for (int j = 0; j < op->nin; j++) {
        bool zeros = is(z, op->in[j], LUCID__constant) && known(z, op->in[j]) == LUCID__ZERO;
        add_piece(p, zeros ? none : op->in[j], aval_of(z, op->in[j])->shape.dim[p->dim]);
    }
    return p->n <= MAX_PIECES;
}

/* Only what nobody else uses: it would be made twice. */
static bool take_apart(const simplifier *z, lucid__operand r, pieces *p)
{
    const lucid__op *op = op_of(z, r);
    int node = r.op - z->sk->nleaves;
    bool wanted = node >= 0 && node < (int)z->sk->structure->nnodes &&
                  lucid__structure_wants(z->sk->structure, (size_t)node, 0);
    return node >= 0 && op->users <= 1 && !wanted && pieces_of(z, op, p);
}

/* The sum of two lists of pieces; false: numbers of one meet part of the other's. */
static bool add_pieces(const pieces *a, const pieces *b, pieces *sum, bool *both)
{
    int i = 0, j = 0;
    int64_t used_a = 0, used_b = 0;
    *sum = (pieces){.dim = a->dim};
    if (a->dim != b->dim)
        return false;
    while (i < a->n && j < b->n) {
        const piece *p = &a->at[i], *q = &b->at[j];
        int64_t left_a = p->size - used_a, left_b = q->size - used_b;
        int64_t size = left_a < left_b ? left_a : left_b;
        bool zero_a = p->what.op < 0, zero_b = q->what.op < 0;
        if ((!zero_a && size != p->size) || (!zero_b && size != q->size))
            return false;
        /* Where both have numbers, add_op puts their sum; noted by the index of both. */
        both[sum->n < MAX_PIECES ? sum->n : 0] = !zero_a && !zero_b;
        add_piece(sum, zero_a ? q->what : p->what, size);
        if (sum->n > MAX_PIECES)
            return false;
        used_a += size, used_b += size;
        if (used_a == p->size)
            i++, used_a = 0;
        if (used_b == q->size)
            j++, used_b = 0;
    }
    return true;
}

/* The piece of b that begins at `start`. */
static lucid__operand piece_at(const pieces *b, int64_t start)
{
    int i = 0;
    for (int64_t at = 0; at < start; i++)
        at += b->at[i].size;
    return b->at[i].what;
}

static lucid__operand zeros_like(simplifier *z, const lucid__aval *aval)
{
    int64_t zero = 0;
    return add_op(z, LUCID__constant, NULL, 0, &zero, 1, aval);
}

static void join_pads(simplifier *z, int number)
{
    lucid__op *op = &z->sk->ops[number];
    pieces a, b, sum;
    bool both[MAX_PIECES] = {false};
    if (!take_apart(z, op->in[0], &a) || !take_apart(z, op->in[1], &b) ||
        !add_pieces(&a, &b, &sum, both))
        return;
    if (z->sk->nops + 2 * sum.n > z->sk->op_capacity) /* the room that add_op needs */
        return;
    lucid__operand parts[MAX_PIECES];
    int64_t at = 0, dim = sum.dim;
    for (int i = 0; i < sum.n; i++) {
        lucid__aval aval = op->out[0];
        aval.shape.dim[dim] = sum.at[i].size;
        if (sum.at[i].what.op < 0) {
            parts[i] = zeros_like(z, &aval);
        } else {
            lucid__operand in[2] = {sum.at[i].what,
                                    both[i] ? piece_at(&b, at) : zeros_like(z, &aval)};
            parts[i] = z->ok ? add_op(z, LUCID__add, in, 2, NULL, 0, &aval) : none;
        }
        if (!z->ok)
            return;
        at += sum.at[i].size;
    }
    become(z, &z->sk->ops[number], LUCID__concatenate, parts, sum.n, &dim, 1);
}

/* Few single elements among zeros are a choice at every position: elementwise, and part of any program. */
static void choose_positions(simplifier *z, int number)
{
    enum { FEW = 8 };
    pieces p;
    int chosen = 0;
    bool gaps = z->sk->ops[number].prim == LUCID__pad;
    const lucid__aval out = z->sk->ops[number].out[0];
    if (!pieces_of(z, &z->sk->ops[number], &p) || lucid__numel(&out.shape) == 0 ||
        z->sk->nops + 3 * FEW + 2 > z->sk->op_capacity)
        return;
    for (int i = 0; i < p.n; i++) {
        bool zeros = p.at[i].what.op < 0;
        if (!zeros && p.at[i].size != 1)
            return;
        chosen += !zeros;
        gaps |= zeros && p.at[i].size > 1;
    }
    if (!gaps || chosen == 0 || chosen > FEW)
        return;
    int n = out.shape.ndim;
    int64_t params[LUCID_MAX_NDIM + 2] = {LUCID_INT64, p.dim}, at = 0;
    lucid__aval counted = {LUCID_INT64, out.shape}, test = {LUCID_BOOL, out.shape};
    memcpy(params + 2, out.shape.dim, (size_t)n * sizeof *params);
    lucid__operand index = add_op(z, LUCID__iota, NULL, 0, params, n + 2, &counted);
    lucid__operand rest = z->ok ? zeros_like(z, &out) : none;
    for (int i = 0; i < p.n && z->ok; at += p.at[i++].size) {
        lucid__operand in[3] = {index, none, rest};
        if (p.at[i].what.op < 0)
            continue;
        in[1] = add_op(z, LUCID__constant, NULL, 0, &at, 1, &counted);
        in[0] = z->ok ? add_op(z, LUCID__eq, in, 2, NULL, 0, &test) : none;
        in[1] =
            z->ok ? add_op(z, LUCID__broadcast, &p.at[i].what, 1, out.shape.dim, n, &out) : none;
        if (--chosen == 0 && z->ok)
            become(z, &z->sk->ops[number], LUCID__where, in, 3, NULL, 0);
        else if (z->ok)
            rest = add_op(z, LUCID__where, in, 3, NULL, 0, &out);
    }
}

/* ---- all of it ------------------------------------------------------------------------------------ */

static lucid__operand same_as(const simplifier *z, const lucid__op *op)
{
    switch (lucid__prim_get((lucid__prim_id)op->prim)->family) {
    case LUCID__ELEMENTWISE:
        return same_as_elementwise(z, op);
    case LUCID__SHAPE:
        return same_as_shape(z, op);
    case LUCID__REDUCTION:
        return op->prim == LUCID__argmax || op->prim == LUCID__argmin ? none : same_as_shape(z, op);
    default:
        return none;
    }
}

static void resolve_inputs(const simplifier *z, lucid__op *op)
{
    for (int j = 0; j < op->nin; j++)
        op->in[j] = lucid__sketch_resolve(z->sk, op->in[j]);
}

/* The operation stays, unless it is there already. */
static void settle(simplifier *z, int number)
{
    int first = z->ok ? first_of(z, number) : number;
    if (first != number)
        z->sk->ops[number].instead = (lucid__operand){first, 0};
    else
        emit(z, number);
}

static void simplify(simplifier *z, int number)
{
    lucid__op *op = &z->sk->ops[number];
    resolve_inputs(z, op);
    if (op->prim == LUCID__reshape || op->prim == LUCID__permute || op->prim == LUCID__broadcast ||
        op->prim == LUCID__slice)
        compose(z, op);
    if (op->prim == LUCID__add)
        join_pads(z, number);
    op = &z->sk->ops[number];
    lucid__operand same = same_as(z, op);
    if (same.op >= 0)
        op->instead = same;
    else
        settle(z, number);
}

/* Makes room for new operations; single numbers that are the same become one leaf. */
static bool begin(simplifier *z)
{
    lucid__sketch *sk = z->sk;
    int room = sk->nops + sk->nops / 2 + 64;
    lucid__op *ops = memory(z, (size_t)(sk->nops + room) * sizeof *ops);
    size_t size = 64;
    while (size < 2 * (size_t)(sk->nops + room))
        size *= 2;
    z->table = memory(z, size * sizeof *z->table);
    if (!z->ok)
        return false;
    z->mask = size - 1;
    memcpy(ops, sk->ops, (size_t)sk->nops * sizeof *ops);
    sk->ops = ops;
    sk->op_capacity = sk->nops + room;
    for (int i = 0; i < sk->nleaves; i++)
        if (sk->structure->twin[i] != i)
            sk->ops[i].instead = (lucid__operand){sk->structure->twin[i], 0};
    return true;
}

/* One pass over the operations in their order, by a rule that may put new ones in front of each. */
static void pass(simplifier *z, void (*rule)(simplifier *z, int number))
{
    const int *order = z->sk->order;
    int n = z->sk->norder;
    z->order = NULL;
    z->norder = z->order_capacity = 0;
    memset(z->table, 0xff, (z->mask + 1) * sizeof *z->table); /* -1 */
    for (int i = 0; i < n && z->ok; i++)
        rule(z, order[i]);
    z->sk->order = z->order;
    z->sk->norder = z->norder;
}

/* Pads that are still there: sums have had their chance. */
static void finish(simplifier *z, int number)
{
    resolve_inputs(z, &z->sk->ops[number]);
    choose_positions(z, number);
    settle(z, number);
}

bool lucid__simplify(lucid__sketch *sk)
{
    simplifier z = {.sk = sk, .ok = true};
    if (!begin(&z))
        return false;
    pass(&z, simplify);
    if (z.ok)
        lucid__sketch_prune(sk);
    if (z.ok)
        pass(&z, finish);
    return z.ok;
}
