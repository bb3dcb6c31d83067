#include "cpu/chain_code.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "prim/prim.h"

enum {
    WIDE_REGISTERS = 32,
    NARROW_REGISTERS = 16,
    MOST_CONSTANTS = 12,
    NOWHERE = -1,
};

/* Predicates of comparisons, none of which signals; Intel's manual, VCMPPS. */
enum {
    EQUAL = 0x00,
    UNORDERED = 0x03,
    NOT_EQUAL = 0x04, /* or unordered */
    ORDERED_NOT_EQUAL = 0x0c,
    LESS = 0x11,
    LESS_EQUAL = 0x12,
    GREATER_EQUAL = 0x1d,
    GREATER = 0x1e,
};

/* Ways to round, of VROUNDPS; none signals that it was inexact. */
enum { TO_NEAREST = 0x08, DOWN = 0x09, UP = 0x0a, TO_ZERO = 0x0b };

/* Registers that hold pointers for the whole loop, those that a callee must keep last. */
static const int pointers[] = {0, 8, 9, 10, 3, 5, 12, 13, 14, 15};
enum { POINTERS = sizeof pointers / sizeof *pointers, OWN_POINTERS = 4 };

typedef struct emitter {
    lucid__code *code;
    const lucid__chain *chain;
    int now;           /* the operation */
    bool fails;        /* too few registers */
    int *place, *last; /* of each value: its register, and the last operation that reads it */
    int owner[WIDE_REGISTERS]; /* of each register: a value, or what follows */
    uint64_t constant[MOST_CONSTANTS];
    int constant_place[MOST_CONSTANTS], nconstants;
    int npointers;
    int pointer_of[POINTERS]; /* what the pointers point to */
} emitter;

enum { FREE = -1, TAKEN = -2 };

int lucid__chain_width(bool wide, lucid_dtype dtype)
{
    return (wide ? 64 : 32) / (int)lucid_dtype_size(dtype);
}

int lucid__chain_operands(int op)
{
    return op == LUCID__CHAIN_COPY          ? 1
           : op == LUCID__CHAIN_ADD_PRODUCT ? 3
           : op == LUCID__constant          ? 0
                                            : lucid__prim_get((lucid__prim_id)op)->nin;
}

bool lucid__chain_takes(int op, lucid_dtype dtype)
{
    switch (op) {
    case LUCID__logical_not:
    case LUCID__logical_and:
    case LUCID__logical_or:
    case LUCID__logical_xor:
        return dtype == LUCID_BOOL;
    case LUCID__constant:
    case LUCID__neg:
    case LUCID__abs:
    case LUCID__sign:
    case LUCID__square:
    case LUCID__reciprocal:
    case LUCID__sqrt:
    case LUCID__root:
    case LUCID__rsqrt:
    case LUCID__floor:
    case LUCID__ceil:
    case LUCID__round:
    case LUCID__trunc:
    case LUCID__powi:
    case LUCID__add:
    case LUCID__sub:
    case LUCID__mul:
    case LUCID__div:
    case LUCID__maximum:
    case LUCID__minimum:
    case LUCID__where:
        return dtype == LUCID_FLOAT32 || dtype == LUCID_FLOAT64;
    default:
        return lucid__chain_gives_truth(op) && (dtype == LUCID_FLOAT32 || dtype == LUCID_FLOAT64);
    }
}

bool lucid__chain_gives_truth(int op)
{
    switch (op) {
    case LUCID__isnan:
    case LUCID__isinf:
    case LUCID__isfinite:
    case LUCID__eq:
    case LUCID__ne:
    case LUCID__lt:
    case LUCID__le:
    case LUCID__gt:
    case LUCID__ge:
    case LUCID__logical_not:
    case LUCID__logical_and:
    case LUCID__logical_or:
    case LUCID__logical_xor:
        return true;
    default:
        return false;
    }
}

/* ---- registers ---------------------------------------------------------------------------------- */

static int registers(const emitter *e)
{
    return e->code->wide ? WIDE_REGISTERS : NARROW_REGISTERS;
}

static int take(emitter *e, int owner)
{
    for (int r = 0; r < registers(e); r++)
        if (e->owner[r] == FREE) {
            e->owner[r] = owner;
            return r;
        }
    e->fails = true;
    return 0;
}

static void give_back(emitter *e, int reg)
{
    e->owner[reg] = FREE;
}

/* The register with these bits in every lane, which has them from the start. */
static int constant(emitter *e, uint64_t bits)
{
    for (int i = 0; i < e->nconstants; i++)
        if (e->constant[i] == bits)
            return e->constant_place[i];
    if (e->nconstants == MOST_CONSTANTS) {
        e->fails = true;
        return 0;
    }
    e->constant[e->nconstants] = bits;
    return e->constant_place[e->nconstants++] = take(e, TAKEN);
}

static int number(emitter *e, double x)
{
    uint64_t bits = 0;
    float single = (float)x;
    if (e->code->is_double)
        memcpy(&bits, &x, sizeof x);
    else
        memcpy(&bits, &single, sizeof single);
    return constant(e, bits);
}

static int sign_bit(emitter *e)
{
    return constant(e, e->code->is_double ? 1ULL << 63 : 1ULL << 31);
}

static int all_ones(emitter *e)
{
    return constant(e, e->code->is_double ? UINT64_MAX : UINT32_MAX);
}

/* The general register that points to the lanes of entry `reg` of the table. */
static int pointer(emitter *e, int reg)
{
    for (int i = 0; i < e->npointers; i++)
        if (e->pointer_of[i] == reg)
            return pointers[i];
    if (e->npointers < POINTERS) {
        e->pointer_of[e->npointers] = reg;
        return pointers[e->npointers++];
    }
    lucid__code_pointer(e->code, LUCID__R11, LUCID__RDI, 8 * reg);
    return LUCID__R11;
}

static lucid__x86_operand in_memory(emitter *e, const lucid__chain_port *in)
{
    return (lucid__x86_operand){in->fixed ? LUCID__AT_START : LUCID__IN_ARRAY, pointer(e, in->reg)};
}

static void load(emitter *e, int value)
{
    const lucid__chain_port *in = &e->chain->in[value];
    int zero = in->truth ? number(e, 0) : 0, to = take(e, value);
    const lucid__x86_operand from = in_memory(e, in);
    e->place[value] = to;
    if (in->truth)
        lucid__code_load_truth(e->code, to, from, zero);
    else
        lucid__code_vector(e->code, LUCID__V_LOAD, to, 0, from, 0);
}

static const lucid__chain_op *current(const emitter *e)
{
    return &e->chain->ops[e->now];
}

/* The register of source i of the operation. */
static int source(emitter *e, int i)
{
    int value = current(e)->src[i];
    if (e->place[value] == NOWHERE)
        load(e, value);
    return e->place[value];
}

/* Source i as the last operand of an instruction: from memory, if that is where it is and nobody wants it
 * again. */
static lucid__x86_operand last_operand(emitter *e, int i)
{
    int value = current(e)->src[i];
    if (e->place[value] == NOWHERE && e->last[value] == e->now && !e->chain->in[value].truth)
        return in_memory(e, &e->chain->in[value]);
    return (lucid__x86_operand){LUCID__IN_REGISTER, source(e, i)};
}

static lucid__x86_operand in_register(int reg)
{
    return (lucid__x86_operand){LUCID__IN_REGISTER, reg};
}

static void release_sources(emitter *e)
{
    for (int i = 0; i < lucid__chain_operands(current(e)->op); i++) {
        int value = current(e)->src[i], place = e->place[value];
        if (place != NOWHERE && e->last[value] == e->now && e->owner[place] == value)
            give_back(e, place);
    }
}

static int result(emitter *e)
{
    int value = e->chain->nin + e->now;
    return e->place[value] = take(e, value);
}

/* ---- operations --------------------------------------------------------------------------------- */

/* One instruction, whose result may take the place of an operand. */
static void one(emitter *e, lucid__vector_op op, int a, lucid__x86_operand b, int imm)
{
    release_sources(e);
    lucid__code_vector(e->code, op, result(e), a, b, imm);
}

static void of_two(emitter *e, lucid__vector_op op)
{
    int a = source(e, 0);
    one(e, op, a, last_operand(e, 1), 0);
}

/* The maximum and the minimum are NaN if the first operand is, which the instructions do not see. */
static void extreme(emitter *e, lucid__vector_op op)
{
    int x = source(e, 0), y = source(e, 1), to = result(e), unordered = take(e, TAKEN);
    lucid__code_compare(e->code, unordered, x, x, UNORDERED);
    lucid__code_vector(e->code, op, to, x, in_register(y), 0);
    lucid__code_select(e->code, to, unordered, x, to);
    give_back(e, unordered);
    release_sources(e);
}

static void compare(emitter *e, int predicate)
{
    int a = source(e, 0), b = source(e, 1);
    release_sources(e);
    lucid__code_compare(e->code, result(e), a, b, predicate);
}

/* |x| against infinity. */
static void compare_size(emitter *e, int predicate)
{
    int x = source(e, 0), to = result(e), sign = sign_bit(e), infinity = number(e, INFINITY);
    lucid__code_vector(e->code, LUCID__V_AND_NOT, to, sign, in_register(x), 0);
    lucid__code_compare(e->code, to, to, infinity, predicate);
    release_sources(e);
}

/* 1 with the sign of x, or x if it is 0 or NaN. */
static void sign(emitter *e)
{
    int x = source(e, 0), to = result(e), other = take(e, TAKEN);
    int minus = sign_bit(e), zero = number(e, 0), plus_one = number(e, 1);
    lucid__code_compare(e->code, other, x, zero, ORDERED_NOT_EQUAL);
    lucid__code_vector(e->code, LUCID__V_AND, to, minus, in_register(x), 0);
    lucid__code_vector(e->code, LUCID__V_OR, to, to, in_register(plus_one), 0);
    lucid__code_select(e->code, to, other, to, x);
    give_back(e, other);
    release_sources(e);
}

/* By squaring, as the instruction body does it. */
static void power(emitter *e)
{
    int64_t imm = current(e)->imm;
    uint64_t n = imm < 0 ? 0 - (uint64_t)imm : (uint64_t)imm;
    int x = source(e, 0), to = result(e), square = take(e, TAKEN), plus_one = number(e, 1);
    bool begun = false;
    lucid__code_vector(e->code, LUCID__V_LOAD, square, 0, in_register(x), 0);
    for (; n; n >>= 1) {
        if (n & 1)
            lucid__code_vector(e->code, LUCID__V_MUL, to, begun ? to : plus_one,
                               in_register(square), 0);
        begun |= n & 1;
        if (n > 1)
            lucid__code_vector(e->code, LUCID__V_MUL, square, square, in_register(square), 0);
    }
    if (!begun)
        lucid__code_vector(e->code, LUCID__V_LOAD, to, 0, in_register(plus_one), 0);
    if (imm < 0)
        lucid__code_vector(e->code, LUCID__V_DIV, to, plus_one, in_register(to), 0);
    give_back(e, square);
    release_sources(e);
}

static void where(emitter *e)
{
    int mask = source(e, 0), yes = source(e, 1), no = source(e, 2);
    release_sources(e);
    lucid__code_select(e->code, result(e), mask, yes, no);
}

/* Onto the sum where it is, if nobody else reads it, or onto a copy. */
static void add_product(emitter *e)
{
    int value = e->chain->nin + e->now, sum = current(e)->src[0], to = source(e, 0);
    int a = source(e, 1);
    lucid__x86_operand b = last_operand(e, 2);
    if (e->last[sum] == e->now && e->owner[to] == sum && a != to &&
        !(b.place == LUCID__IN_REGISTER && b.reg == to)) {
        lucid__code_vector(e->code, LUCID__V_ADD_PRODUCT, to, a, b, 0);
        e->place[sum] = NOWHERE; /* the register goes over to the result */
        release_sources(e);
        e->owner[to] = value;
        e->place[value] = to;
        return;
    }
    int copy = result(e);
    lucid__code_vector(e->code, LUCID__V_LOAD, copy, 0, in_register(to), 0);
    lucid__code_vector(e->code, LUCID__V_ADD_PRODUCT, copy, a, b, 0);
    release_sources(e);
}

static void operation(emitter *e)
{
    int a;
    switch ((int)current(e)->op) {
    case LUCID__constant:
        e->place[e->chain->nin + e->now] = number(e, (double)current(e)->imm);
        break;
    case LUCID__add:
        of_two(e, LUCID__V_ADD);
        break;
    case LUCID__sub:
        of_two(e, LUCID__V_SUB);
        break;
    case LUCID__mul:
        of_two(e, LUCID__V_MUL);
        break;
    case LUCID__div:
        of_two(e, LUCID__V_DIV);
        break;
    case LUCID__logical_and:
        of_two(e, LUCID__V_AND);
        break;
    case LUCID__logical_or:
        of_two(e, LUCID__V_OR);
        break;
    case LUCID__logical_xor:
        of_two(e, LUCID__V_XOR);
        break;
    case LUCID__square:
        a = source(e, 0);
        one(e, LUCID__V_MUL, a, in_register(a), 0);
        break;
    case LUCID__logical_not:
        a = all_ones(e);
        one(e, LUCID__V_XOR, a, last_operand(e, 0), 0);
        break;
    case LUCID__neg:
        a = sign_bit(e);
        one(e, LUCID__V_XOR, a, last_operand(e, 0), 0);
        break;
    case LUCID__abs:
        a = sign_bit(e);
        one(e, LUCID__V_AND_NOT, a, last_operand(e, 0), 0);
        break;
    case LUCID__reciprocal:
        a = number(e, 1);
        one(e, LUCID__V_DIV, a, last_operand(e, 0), 0);
        break;
    case LUCID__sqrt:
    case LUCID__root:
        one(e, LUCID__V_SQRT, 0, last_operand(e, 0), 0);
        break;
    case LUCID__rsqrt:
        a = number(e, 1);
        one(e, LUCID__V_SQRT, 0, last_operand(e, 0), 0);
        lucid__code_vector(e->code, LUCID__V_DIV, e->place[e->chain->nin + e->now], a,
                           in_register(e->place[e->chain->nin + e->now]), 0);
        break;
    case LUCID__floor:
        one(e, LUCID__V_ROUND, 0, last_operand(e, 0), DOWN);
        break;
    case LUCID__ceil:
        one(e, LUCID__V_ROUND, 0, last_operand(e, 0), UP);
        break;
    case LUCID__round:
        one(e, LUCID__V_ROUND, 0, last_operand(e, 0), TO_NEAREST);
        break;
    case LUCID__trunc:
        one(e, LUCID__V_ROUND, 0, last_operand(e, 0), TO_ZERO);
        break;
    case LUCID__maximum:
        extreme(e, LUCID__V_MAX);
        break;
    case LUCID__minimum:
        extreme(e, LUCID__V_MIN);
        break;
    case LUCID__sign:
        sign(e);
        break;
    case LUCID__powi:
        power(e);
        break;
    case LUCID__isnan:
        a = source(e, 0);
        release_sources(e);
        lucid__code_compare(e->code, result(e), a, a, UNORDERED);
        break;
    case LUCID__isinf:
        compare_size(e, EQUAL);
        break;
    case LUCID__isfinite:
        compare_size(e, LESS);
        break;
    case LUCID__eq:
        compare(e, EQUAL);
        break;
    case LUCID__ne:
        compare(e, NOT_EQUAL);
        break;
    case LUCID__lt:
        compare(e, LESS);
        break;
    case LUCID__le:
        compare(e, LESS_EQUAL);
        break;
    case LUCID__gt:
        compare(e, GREATER);
        break;
    case LUCID__ge:
        compare(e, GREATER_EQUAL);
        break;
    case LUCID__CHAIN_COPY:
        one(e, LUCID__V_LOAD, 0, last_operand(e, 0), 0);
        break;
    case LUCID__CHAIN_ADD_PRODUCT:
        add_product(e);
        break;
    case LUCID__where:
        where(e);
        break;
    default: /* lucid__chain_takes says that there is no other */
        (void)result(e);
        e->fails = true;
        break;
    }
}

/* ---- the loop ------------------------------------------------------------------------------------- */

static void store_results(emitter *e)
{
    int value = e->chain->nin + e->now, place = e->place[value];
    for (int k = 0; k < e->chain->nout; k++) {
        const lucid__chain_port *out = &e->chain->out[k];
        if (out->value != value)
            continue;
        int to = pointer(e, out->reg);
        if (out->truth) {
            int spare = take(e, TAKEN);
            lucid__code_store_truth(e->code, to, place, spare);
            give_back(e, spare);
        } else {
            lucid__code_store(e->code, to, place);
        }
    }
    if (e->last[value] == NOWHERE && e->owner[place] == value)
        give_back(e, place);
}

static void ask_ahead(emitter *e, const lucid__chain_port *ports, int n)
{
    for (int i = 0; i < n; i++) {
        if (!ports[i].far)
            continue;
        lucid__code_pointer(e->code, LUCID__R11, LUCID__RDX, 8 * ports[i].reg);
        lucid__code_prefetch(e->code, LUCID__R11, ports[i].truth);
    }
}

static void loop(emitter *e)
{
    const int64_t lanes = lucid__chain_width(e->code->wide, e->chain->dtype);
    for (int i = 0; i < e->chain->nin + e->chain->nops; i++)
        e->place[i] = NOWHERE;
    for (int r = 0; r < WIDE_REGISTERS; r++)
        e->owner[r] = FREE;
    for (int i = 0; i < e->nconstants; i++)
        e->constant_place[i] = take(e, TAKEN);
    for (int i = OWN_POINTERS; i < e->npointers; i++)
        lucid__code_push(e->code, pointers[i]);
    for (int i = 0; i < e->nconstants; i++)
        lucid__code_constant(e->code, e->constant_place[i], e->constant[i]);
    for (int i = 0; i < e->npointers; i++)
        lucid__code_pointer(e->code, pointers[i], LUCID__RDI, 8 * e->pointer_of[i]);
    lucid__code_begin(e->code);
    size_t start = e->code->n;
    ask_ahead(e, e->chain->in, e->chain->nin);
    ask_ahead(e, e->chain->out, e->chain->nout);
    for (e->now = 0; e->now < e->chain->nops && !e->fails; e->now++) {
        operation(e);
        store_results(e);
    }
    lucid__code_repeat(e->code, (int)lanes, start);
    for (int i = e->npointers - 1; i >= OWN_POINTERS; i--)
        lucid__code_pop(e->code, pointers[i]);
    lucid__code_return(e->code);
}

bool lucid__chain_emit(lucid__code *code, const lucid__chain *chain)
{
    size_t nvalues = (size_t)chain->nin + (size_t)chain->nops;
    emitter e = {.code = code, .chain = chain};
    e.place = lucid__malloc(2 * nvalues * sizeof *e.place);
    if (!e.place)
        return false;
    e.last = e.place + nvalues;
    for (size_t i = 0; i < nvalues; i++)
        e.last[i] = NOWHERE;
    for (int i = 0; i < chain->nops; i++)
        for (int k = 0; k < lucid__chain_operands(chain->ops[i].op); k++)
            e.last[chain->ops[i].src[k]] = i;
    code->is_double = chain->dtype == LUCID_FLOAT64;
    /* Once to find the constants and pointers, which are there from the start in the second. */
    const lucid__code before = *code;
    code->bytes = NULL;
    loop(&e);
    *code = before;
    code->is_double = chain->dtype == LUCID_FLOAT64;
    if (!e.fails)
        loop(&e);
    lucid__free(e.place);
    return !e.fails;
}
