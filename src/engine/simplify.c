/* Simplification: rewriting a sketch before it is lowered. Operations are met in order, so the inputs of each
 * are as simple as they get. A rule either finds that another value is the same, or makes the operation
 * another one. All keep every bit, signed zeros and NaN included; what does not is not here (x * 0, x + 0 with
 * x = -0, sums in another order).
 *
 * Last, an operation that has been met before is replaced by the first of its kind: common subexpressions. */
#include <string.h>

#include "base/interrupt.h"
#include "engine/simplify.h"
#include "prim/prim.h"

static const lucid__operand none = {-1, 0};

/* ---- operations -------------------------------------------------------------------------------- */

static bool same_ref(lucid__operand a, lucid__operand b)
{
    return a.op == b.op && a.out == b.out;
}

static void *memory(lucid__simplifier *z, size_t bytes)
{
    void *p = z->ok ? lucid__arena_alloc(z->sk->arena, bytes) : NULL;
    z->ok &= p != NULL;
    return p;
}

static void emit(lucid__simplifier *z, int op)
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

static bool commutes(const lucid__op *op)
{
    return op->prim == LUCID__add || op->prim == LUCID__mul;
}

static bool same_op(const lucid__op *a, const lucid__op *b)
{
    if (a->prim != b->prim || a->nin != b->nin || a->nparams != b->nparams || a->nout != b->nout ||
        (a->nparams > 0 &&
         memcmp(a->params, b->params, (size_t)a->nparams * sizeof *a->params) != 0))
        return false;
    bool same = true, turned = commutes(a);
    for (int j = 0; j < a->nin; j++) {
        same &= same_ref(a->in[j], b->in[j]);
        turned &= same_ref(a->in[j], b->in[a->nin - 1 - j]);
    }
    return (same || turned) && lucid__aval_equal(&a->out[0], &b->out[0]);
}

static uint64_t hash_of(const lucid__op *op)
{
    uint64_t h = mix(op->prim, (uint64_t)op->nin), inputs = 0;
    for (int j = 0; j < op->nin; j++) {
        uint64_t in = (uint64_t)op->in[j].op << 8 | (uint64_t)op->in[j].out;
        inputs = commutes(op) ? inputs + mix(1, in) : mix(inputs, in);
    }
    h = mix(h, inputs);
    for (int j = 0; j < op->nparams; j++)
        h = mix(h, (uint64_t)op->params[j]);
    return h;
}

/* The first operation that is the same, which may be this one. */
static int first_of(lucid__simplifier *z, int number)
{
    const lucid__op *op = &z->sk->ops[number];
    for (size_t at = hash_of(op) & z->mask;; at = (at + 1) & z->mask) {
        if (z->table[at] < 0) {
            z->table[at] = number;
            return number;
        }
        if (same_op(&z->sk->ops[z->table[at]], op))
            return z->table[at];
    }
}

/* A table that is at most half full when all the room for operations is used. */
static bool grow_table(lucid__simplifier *z)
{
    size_t size = z->table ? z->mask + 1 : 64;
    while (size < 2 * (size_t)z->sk->op_capacity)
        size *= 2;
    if (z->table && size == z->mask + 1)
        return true;
    const int *old = z->table;
    const size_t before = old ? z->mask + 1 : 0;
    z->table = memory(z, size * sizeof *z->table);
    if (!z->ok)
        return false;
    z->mask = size - 1;
    memset(z->table, 0xff, size * sizeof *z->table); /* -1 */
    for (size_t i = 0; i < before; i++)
        if (old[i] >= 0)
            (void)first_of(z, old[i]);
    return true;
}

bool lucid__simplify_reserve(lucid__simplifier *z, int ops)
{
    lucid__sketch *sk = z->sk;
    if (sk->op_capacity - sk->nops >= ops)
        return true;
    int capacity = sk->nops + sk->nops / 2 + ops;
    lucid__op *more = memory(z, (size_t)capacity * sizeof *more);
    if (!z->ok)
        return false;
    memcpy(more, sk->ops, (size_t)sk->nops * sizeof *more);
    sk->ops = more;
    sk->op_capacity = capacity;
    return grow_table(z);
}

/* A new operation of one output, or one that is there already. Room was made for it. */
lucid__operand lucid__simplify_add(lucid__simplifier *z, lucid__prim_id prim,
                                   const lucid__operand *in, int nin, const int64_t *params,
                                   int nparams, const lucid__aval *out)
{
    lucid__sketch *sk = z->sk;
    lucid__op op = {
        .prim = (uint16_t)prim, .nout = 1, .nin = nin, .nparams = nparams, .instead = none};
    int64_t *own = memory(z, (size_t)nparams * sizeof *own);
    op.in = memory(z, (size_t)nin * sizeof *op.in);
    lucid__aval *own_out = memory(z, sizeof *own_out);
    if (!z->ok || sk->nops == sk->op_capacity) {
        z->ok = false;
        return none;
    }
    if (nparams > 0)
        memcpy(own, params, (size_t)nparams * sizeof *own);
    if (nin > 0)
        memcpy(op.in, in, (size_t)nin * sizeof *op.in);
    op.params = own;
    *own_out = *out;
    op.out = own_out;
    sk->ops[sk->nops] = op;
    int first = first_of(z, sk->nops);
    if (first == sk->nops)
        emit(z, sk->nops++);
    return (lucid__operand){first, 0};
}

/* Makes operation `op` another one. */
void lucid__simplify_become(lucid__simplifier *z, lucid__op *op, lucid__prim_id prim,
                            const lucid__operand *in, int nin, const int64_t *params, int nparams)
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

bool lucid__simplify_single_use(const lucid__simplifier *z, lucid__operand r)
{
    int node = r.op - z->sk->nleaves;
    bool wanted = node >= 0 && node < (int)z->sk->structure->nnodes &&
                  lucid__structure_wants(z->sk->structure, (size_t)node, 0);
    return node >= 0 && lucid__simplify_op(z, r)->users <= 1 && !wanted;
}

/* ---- numbers ----------------------------------------------------------------------------------- */

/* What is known of a value that is one number everywhere. */
lucid__known lucid__simplify_known(const lucid__simplifier *z, lucid__operand r)
{
    while (lucid__simplify_is(z, r, LUCID__broadcast) || lucid__simplify_is(z, r, LUCID__reshape) ||
           lucid__simplify_is(z, r, LUCID__permute) || lucid__simplify_is(z, r, LUCID__slice))
        r = lucid__simplify_op(z, r)->in[0];
    if (r.op < z->sk->nleaves)
        return (lucid__known)z->sk->structure->known[r.op];
    if (!lucid__simplify_is(z, r, LUCID__constant))
        return LUCID__UNKNOWN;
    int64_t number = lucid__simplify_op(z, r)->params[0];
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
static lucid__operand same_as_cast(const lucid__simplifier *z, const lucid__op *op)
{
    lucid__operand x = op->in[0];
    if (lucid__simplify_aval(z, x)->dtype == op->out[0].dtype ||
        !lucid__simplify_is(z, x, LUCID__cast))
        return none;
    lucid__operand before = lucid__simplify_op(z, x)->in[0];
    bool back = lucid__simplify_aval(z, before)->dtype == op->out[0].dtype;
    return back && fits_in(op->out[0].dtype, lucid__simplify_aval(z, x)->dtype) ? before : none;
}

/* x + 0: never -0. */
static bool adds_zero(const lucid__simplifier *z, lucid__operand r)
{
    return lucid__simplify_is(z, r, LUCID__add) &&
           lucid__simplify_known(z, lucid__simplify_op(z, r)->in[1]) == LUCID__ZERO;
}

static lucid__operand same_as_elementwise(const lucid__simplifier *z, const lucid__op *op)
{
    const lucid__operand *in = op->in;
    lucid__known second = op->nin > 1 ? lucid__simplify_known(z, in[1]) : LUCID__UNKNOWN;
    switch ((lucid__prim_id)op->prim) {
    case LUCID__mul:
        if (second == LUCID__ONE)
            return in[0];
        return lucid__simplify_known(z, in[0]) == LUCID__ONE ? in[1] : none;
    case LUCID__div:
    case LUCID__floor_divide:
        return second == LUCID__ONE && (op->prim == LUCID__div || !is_float(op)) ? in[0] : none;
    case LUCID__sub: /* -0 - 0 is -0, but -0 - -0 is 0 */
        return second == LUCID__ZERO ? in[0] : none;
    case LUCID__add: { /* -0 + -0 is -0, but -0 + 0 is 0 */
        lucid__known zero = is_float(op) ? LUCID__MINUS_ZERO : LUCID__ZERO;
        if (second == zero || (second == LUCID__ZERO && adds_zero(z, in[0])))
            return in[0];
        return lucid__simplify_known(z, in[0]) == zero ? in[1] : none;
    }
    case LUCID__neg:
        return lucid__simplify_is(z, in[0], LUCID__neg) ? lucid__simplify_op(z, in[0])->in[0]
                                                        : none;
    case LUCID__logical_not:
        return lucid__simplify_is(z, in[0], LUCID__logical_not)
                   ? lucid__simplify_op(z, in[0])->in[0]
                   : none;
    case LUCID__abs:
        return lucid__simplify_is(z, in[0], LUCID__abs) ? in[0] : none;
    case LUCID__cast:
        return same_as_cast(z, op);
    case LUCID__where: {
        lucid__known chosen = lucid__simplify_known(z, in[0]);
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

static lucid__operand same_as_shape(const lucid__simplifier *z, const lucid__op *op)
{
    const lucid__aval *x = lucid__simplify_aval(z, op->in[0]);
    switch ((lucid__prim_id)op->prim) {
    case LUCID__reshape:
    case LUCID__broadcast:
        return lucid__aval_equal(x, &op->out[0]) ? op->in[0] : none;
    case LUCID__permute:
        for (int d = 0; d < op->nparams; d++)
            if (op->params[d] != d)
                return none;
        return op->in[0];
    case LUCID__slice:
        return is_whole(op, x) ? op->in[0] : none;
    case LUCID__pad:
        return lucid__aval_equal(x, &op->out[0]) ? op->in[0] : none;
    case LUCID__concatenate:
        return op->nin == 1 ? op->in[0] : none;
    default: /* reductions over no dims */
        return op->nparams == 0 && lucid__aval_equal(x, &op->out[0]) ? op->in[0] : none;
    }
}

/* A view of a view of the same kind is one. */
static void compose(lucid__simplifier *z, lucid__op *op)
{
    int64_t params[3 * LUCID_MAX_NDIM];
    int n = op->nparams;
    if (!lucid__simplify_is(z, op->in[0], (lucid__prim_id)op->prim))
        return;
    const lucid__op *first = lucid__simplify_op(z, op->in[0]);
    memcpy(params, op->params, (size_t)n * sizeof *params);
    if (op->prim == LUCID__permute)
        for (int d = 0; d < n; d++)
            params[d] = first->params[op->params[d]];
    if (op->prim == LUCID__slice)
        for (int d = 0; d < n / 3; d++) {
            params[d] = first->params[d] + op->params[d] * first->params[2 * n / 3 + d];
            params[2 * n / 3 + d] = op->params[2 * n / 3 + d] * first->params[2 * n / 3 + d];
        }
    lucid__simplify_become(z, op, (lucid__prim_id)op->prim, first->in, 1, params, n);
}

/* ---- all of it ------------------------------------------------------------------------------------ */

static lucid__operand same_as(const lucid__simplifier *z, const lucid__op *op)
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

static void resolve_inputs(const lucid__simplifier *z, lucid__op *op)
{
    for (int j = 0; j < op->nin; j++)
        op->in[j] = lucid__sketch_resolve(z->sk, op->in[j]);
}

/* The operation stays, unless it is there already. */
static void settle(lucid__simplifier *z, int number)
{
    int first = z->ok ? first_of(z, number) : number;
    if (first != number)
        z->sk->ops[number].instead = (lucid__operand){first, 0};
    else
        emit(z, number);
}

static void simplify(lucid__simplifier *z, int number)
{
    lucid__op *op = &z->sk->ops[number];
    resolve_inputs(z, op);
    if (op->prim == LUCID__reshape || op->prim == LUCID__permute || op->prim == LUCID__broadcast ||
        op->prim == LUCID__slice)
        compose(z, op);
    if (op->prim == LUCID__add)
        lucid__join_pads(z, number);
    else if (op->prim == LUCID__contract)
        lucid__simplify_contract(z, number);
    op = &z->sk->ops[number];
    lucid__operand same = same_as(z, op);
    if (same.op >= 0)
        op->instead = same;
    else
        settle(z, number);
}

/* Single numbers that are the same become one leaf. */
static bool begin(lucid__simplifier *z)
{
    lucid__sketch *sk = z->sk;
    if (!lucid__simplify_reserve(z, 64) || !grow_table(z))
        return false;
    for (int i = 0; i < sk->nleaves; i++)
        if (sk->structure->twin[i] != i)
            sk->ops[i].instead = (lucid__operand){sk->structure->twin[i], 0};
    return true;
}

/* One pass over the operations in their order, by a rule that may put new ones in front of each. */
static void pass(lucid__simplifier *z, void (*rule)(lucid__simplifier *z, int number))
{
    const int *order = z->sk->order;
    int n = z->sk->norder;
    z->order = NULL;
    z->norder = z->order_capacity = 0;
    memset(z->table, 0xff, (z->mask + 1) * sizeof *z->table); /* -1 */
    for (int i = 0; i < n && z->ok; i++) {
        rule(z, order[i]);
        z->ok = z->ok && !lucid__stop();
    }
    z->sk->order = z->order;
    z->sk->norder = z->norder;
}

/* Pads that are still there: sums have had their chance. */
static void finish(lucid__simplifier *z, int number)
{
    resolve_inputs(z, &z->sk->ops[number]);
    lucid__choose_positions(z, number);
    settle(z, number);
}

static void take_apart(lucid__simplifier *z, int number)
{
    resolve_inputs(z, &z->sk->ops[number]);
    lucid__take_stacks_apart(z, number);
    lucid__operand same = same_as(z, &z->sk->ops[number]);
    if (same.op >= 0)
        z->sk->ops[number].instead = same;
    else
        settle(z, number);
}

static bool has_stacks(const lucid__sketch *sk)
{
    bool any = false;
    for (int i = 0; i < sk->norder; i++)
        any |= sk->ops[sk->order[i]].prim == LUCID__concatenate;
    return any;
}

bool lucid__simplify(lucid__sketch *sk)
{
    lucid__simplifier z = {.sk = sk, .ok = true};
    if (!begin(&z))
        return false;
    pass(&z, simplify);
    if (z.ok)
        lucid__sketch_prune(sk);
    if (z.ok && has_stacks(sk)) {
        pass(&z, take_apart);
        if (z.ok)
            lucid__sketch_prune(sk);
    }
    if (z.ok)
        pass(&z, finish);
    return z.ok;
}
