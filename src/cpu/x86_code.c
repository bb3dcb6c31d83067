#include "cpu/x86_code.h"

/* ---- bytes ---------------------------------------------------------------------------------------- */

static void byte(lucid__code *c, int value)
{
    if (c->bytes && c->n < c->capacity)
        c->bytes[c->n] = (uint8_t)value;
    c->n++;
}

static void bytes(lucid__code *c, uint64_t value, int n)
{
    for (int i = 0; i < n; i++)
        byte(c, (int)(value >> (8 * i) & 0xff));
}

/* ---- vector instructions -------------------------------------------------------------------------- */

enum map { MAP_0F = 1, MAP_0F38, MAP_0F3A };
enum prefix { NO_PREFIX, PREFIX_66, PREFIX_F3 };

typedef struct vector_instr {
    enum map map;
    enum prefix prefix;
    bool w;
    int opcode;
} vector_instr;

static lucid__x86_operand in_register(int reg)
{
    return (lucid__x86_operand){.reg = reg};
}

/* A bit that the encodings hold inverted. */
static int inverted(int value, int bit, int at)
{
    return ((value >> bit & 1) ^ 1) << at;
}

/* The operands behind the opcode: a register, [base + rcx scale], or [base]. */
static void operands(lucid__code *c, int reg, lucid__x86_operand b, int log2_scale)
{
    enum { NO_INDEX = 4 };
    if (b.place == LUCID__IN_REGISTER) {
        byte(c, 0xc0 | (reg & 7) << 3 | (b.reg & 7));
        return;
    }
    byte(c, 0x40 | (reg & 7) << 3 | 4);
    byte(c,
         log2_scale << 6 | (b.place == LUCID__IN_ARRAY ? LUCID__RCX : NO_INDEX) << 3 | (b.reg & 7));
    byte(c, 0);
}

/* mask: the number of the mask register that is used; 0: none. */
static void evex(lucid__code *c, vector_instr i, int reg, int a, lucid__x86_operand b, int scale,
                 int mask)
{
    int x = b.place == LUCID__IN_REGISTER ? inverted(b.reg, 4, 6) : 1 << 6;
    byte(c, 0x62);
    byte(c, inverted(reg, 3, 7) | x | inverted(b.reg, 3, 5) | inverted(reg, 4, 4) | (int)i.map);
    byte(c, i.w << 7 | (~a & 15) << 3 | 1 << 2 | (int)i.prefix);
    byte(c, 2 << 5 | inverted(a, 4, 3) | mask);
    byte(c, i.opcode);
    operands(c, reg, b, scale);
}

static void vex(lucid__code *c, vector_instr i, int reg, int a, lucid__x86_operand b, int scale,
                bool wide)
{
    byte(c, 0xc4);
    byte(c, inverted(reg, 3, 7) | 1 << 6 | inverted(b.reg, 3, 5) | (int)i.map);
    byte(c, i.w << 7 | (~a & 15) << 3 | wide << 2 | (int)i.prefix);
    byte(c, i.opcode);
    operands(c, reg, b, scale);
}

/* In the code's own width. */
static void vector(lucid__code *c, vector_instr i, int reg, int a, lucid__x86_operand b, int scale)
{
    if (c->wide)
        evex(c, i, reg, a, b, scale, 0);
    else
        vex(c, i, reg, a, b, scale, true);
}

static int scale_of(const lucid__code *c)
{
    return c->is_double ? 3 : 2;
}

/* An instruction whose form for doubles has the prefix 66, and W where there is EVEX. */
static vector_instr packed(const lucid__code *c, int opcode)
{
    return (vector_instr){MAP_0F, c->is_double ? PREFIX_66 : NO_PREFIX, c->is_double && c->wide,
                          opcode};
}

void lucid__code_vector(lucid__code *c, lucid__vector_op op, int dst, int a, lucid__x86_operand b,
                        int imm)
{
    static const uint8_t opcodes[] = {
        [LUCID__V_ADD] = 0x58, [LUCID__V_SUB] = 0x5c,     [LUCID__V_MUL] = 0x59,
        [LUCID__V_DIV] = 0x5e, [LUCID__V_MAX] = 0x5f,     [LUCID__V_MIN] = 0x5d,
        [LUCID__V_AND] = 0x54, [LUCID__V_AND_NOT] = 0x55, [LUCID__V_OR] = 0x56,
        [LUCID__V_XOR] = 0x57, [LUCID__V_SQRT] = 0x51,    [LUCID__V_LOAD] = 0x10,
    };
    if (op == LUCID__V_ROUND) { /* VROUND, and VRNDSCALE with the same opcodes */
        vector_instr i = {MAP_0F3A, PREFIX_66, c->is_double && c->wide, c->is_double ? 9 : 8};
        vector(c, i, dst, 0, b, scale_of(c));
        byte(c, imm);
        return;
    }
    if (op == LUCID__V_ADD_PRODUCT) { /* vfmadd231 */
        vector(c, (vector_instr){MAP_0F38, PREFIX_66, c->is_double, 0xb8}, dst, a, b, scale_of(c));
        return;
    }
    bool one = op == LUCID__V_SQRT || op == LUCID__V_LOAD;
    vector(c, packed(c, opcodes[op]), dst, one ? 0 : a, b, scale_of(c));
}

void lucid__code_store(lucid__code *c, int base, int src)
{
    vector(c, packed(c, 0x11), src, 0, (lucid__x86_operand){LUCID__IN_ARRAY, base}, scale_of(c));
}

void lucid__code_constant(lucid__code *c, int dst, uint64_t bits)
{
    const int size = c->is_double ? 8 : 4;
    if (c->is_double)
        byte(c, 0x48);
    byte(c, 0xb8); /* mov rax, bits */
    bytes(c, bits, size);
    if (c->wide) { /* vpbroadcast zmm, rax */
        evex(c, (vector_instr){MAP_0F38, PREFIX_66, c->is_double, 0x7c}, dst, 0,
             in_register(LUCID__RAX), 0, 0);
        return;
    }
    /* vmov xmm, rax; vpbroadcast ymm, xmm */
    vex(c, (vector_instr){MAP_0F, PREFIX_66, c->is_double, 0x6e}, dst, 0, in_register(LUCID__RAX),
        0, false);
    vex(c, (vector_instr){MAP_0F38, PREFIX_66, false, c->is_double ? 0x59 : 0x58}, dst, 0,
        in_register(dst), 0, true);
}

/* ---- truth ------------------------------------------------------------------------------------------ */

enum { MASK = 1 }; /* the mask register that EVEX forms pass through */

/* Between the lanes of a register and the mask register. */
static void mask_to_lanes(lucid__code *c, int dst)
{
    evex(c, (vector_instr){MAP_0F38, PREFIX_F3, c->is_double, 0x38}, dst, 0, in_register(MASK), 0,
         0);
}

static void lanes_to_mask(lucid__code *c, int src)
{
    evex(c, (vector_instr){MAP_0F38, PREFIX_F3, c->is_double, 0x39}, MASK, 0, in_register(src), 0,
         0);
}

void lucid__code_compare(lucid__code *c, int dst, int a, int b, int predicate)
{
    vector(c, packed(c, 0xc2), c->wide ? MASK : dst, a, in_register(b), 0);
    byte(c, predicate);
    if (c->wide)
        mask_to_lanes(c, dst);
}

void lucid__code_select(lucid__code *c, int dst, int mask, int yes, int no)
{
    if (c->wide) { /* vblendm */
        lanes_to_mask(c, mask);
        evex(c, (vector_instr){MAP_0F38, PREFIX_66, c->is_double, 0x65}, dst, no, in_register(yes),
             0, MASK);
        return;
    }
    vex(c, (vector_instr){MAP_0F3A, PREFIX_66, false, c->is_double ? 0x4b : 0x4a}, dst, no,
        in_register(yes), 0, true); /* vblendv */
    byte(c, mask << 4);
}

void lucid__code_load_truth(lucid__code *c, int dst, lucid__x86_operand from, int zero)
{
    vector(c, (vector_instr){MAP_0F38, PREFIX_66, false, c->is_double ? 0x32 : 0x31}, dst, 0, from,
           0);     /* vpmovzxb */
    if (c->wide) { /* vptestm */
        evex(c, (vector_instr){MAP_0F38, PREFIX_66, c->is_double, 0x27}, MASK, dst,
             in_register(dst), 0, 0);
        mask_to_lanes(c, dst);
    } else if (c->is_double) { /* vpcmpgt */
        vex(c, (vector_instr){MAP_0F38, PREFIX_66, false, 0x37}, dst, dst, in_register(zero), 0,
            true);
    } else {
        vex(c, (vector_instr){MAP_0F, PREFIX_66, false, 0x66}, dst, dst, in_register(zero), 0,
            true);
    }
}

void lucid__code_store_truth(lucid__code *c, int base, int src, int spare)
{
    const lucid__x86_operand to = {LUCID__IN_ARRAY, base}, t = in_register(spare);
    if (c->wide) { /* vpabs, vpmov to bytes */
        evex(c, (vector_instr){MAP_0F38, PREFIX_66, c->is_double, c->is_double ? 0x1f : 0x1e},
             spare, 0, in_register(src), 0, 0);
        evex(c, (vector_instr){MAP_0F38, PREFIX_F3, false, c->is_double ? 0x32 : 0x31}, spare, 0,
             to, 0, 0);
        return;
    }
    /* vextracti128, then packed until a lane is a byte, and vpabsb */
    vex(c, (vector_instr){MAP_0F3A, PREFIX_66, false, 0x39}, src, 0, t, 0, true);
    byte(c, 1);
    vex(c, (vector_instr){MAP_0F, PREFIX_66, false, 0x6b}, spare, src, t, 0, false);
    if (c->is_double)
        vex(c, (vector_instr){MAP_0F, PREFIX_66, false, 0x6b}, spare, spare, t, 0, false);
    vex(c, (vector_instr){MAP_0F, PREFIX_66, false, 0x63}, spare, spare, t, 0, false);
    vex(c, (vector_instr){MAP_0F38, PREFIX_66, false, 0x1c}, spare, 0, t, 0, false);
    vex(c, (vector_instr){MAP_0F, PREFIX_66, false, c->is_double ? 0x7e : 0xd6}, spare, 0, to, 0,
        false); /* vmovd or vmovq */
}

/* ---- around the loop ----------------------------------------------------------------------------------- */

void lucid__code_pointer(lucid__code *c, int reg, int from, int32_t offset)
{
    byte(c, 0x48 | reg >> 3 << 2 | from >> 3);
    byte(c, 0x8b);
    byte(c, 0x80 | (reg & 7) << 3 | (from & 7));
    bytes(c, (uint32_t)offset, 4);
}

void lucid__code_prefetch(lucid__code *c, int base, bool single_bytes)
{
    if (base >= 8)
        byte(c, 0x41);
    bytes(c, 0x180f, 2); /* prefetcht0 */
    operands(c, 1, (lucid__x86_operand){LUCID__IN_ARRAY, base}, single_bytes ? 0 : scale_of(c));
}

void lucid__code_push(lucid__code *c, int reg)
{
    if (reg >= 8)
        byte(c, 0x41);
    byte(c, 0x50 | (reg & 7));
}

void lucid__code_pop(lucid__code *c, int reg)
{
    if (reg >= 8)
        byte(c, 0x41);
    byte(c, 0x58 | (reg & 7));
}

void lucid__code_begin(lucid__code *c)
{
    byte(c, 0x31); /* xor ecx, ecx */
    byte(c, 0xc9);
}

void lucid__code_repeat(lucid__code *c, int step, size_t start)
{
    bytes(c, 0xc18348, 3); /* add rcx, step */
    byte(c, step);
    bytes(c, 0xf13948, 3); /* cmp rcx, rsi */
    bytes(c, 0x8c0f, 2);   /* jl */
    bytes(c, (uint32_t)(start - (c->n + 4)), 4);
}

void lucid__code_return(lucid__code *c)
{
    bytes(c, 0x77f8c5, 3); /* vzeroupper */
    byte(c, 0xc3);
}
