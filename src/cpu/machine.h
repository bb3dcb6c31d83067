/* A machine runs a program's instructions on one box of points at a time: a part of the loop space, from
 * `start` on, `len` points along each dim. The lanes of a register are the points of the box along the dims
 * that the register lies over, row-major in the machine's own order of the dims. */
#ifndef LUCID__MACHINE_H
#define LUCID__MACHINE_H

#include "cpu/instr.h"
#include "cpu/random_words.h"
#include "engine/program.h"
#include "lucid.h"

enum { LUCID__MACHINE_NEAR = 4096 };

/* An index that is out of range: the first one, of the first instruction that has any. */
typedef struct lucid__bad_index {
    bool found;
    int instr;
    int64_t position; /* row-major along the index's dims */
    int number;       /* which of the instruction's indices */
    int64_t value;
} lucid__bad_index;

/* What the machines of a program have in common that run boxes of one size: worked out once. */
typedef struct lucid__frame {
    const lucid__program *program;
    int order[LUCID_MAX_NDIM];    /* the dims as lanes have them, the last one innermost */
    int64_t size[LUCID_MAX_NDIM]; /* of the largest box */
    size_t bytes, scratch;        /* memory of a machine; where its scratch memory is */
    size_t *own;                  /* where in memory a register's own lanes are */
    lucid__instr_body **body; /* of each instruction that goes lane by lane; NULL: another one */
    bool *uniform;            /* loads: one number for all points, there from the start */
    bool has_words;           /* some loads make words */
} lucid__frame;

/* `order` and `size` are set. False: out of memory. */
bool lucid__frame_init(lucid__frame *f, const lucid__program *p);
void lucid__frame_free(lucid__frame *f);
/* The points of the largest box along some dims. */
int64_t lucid__frame_lanes(const lucid__frame *f, unsigned dims);
/* The bytes that its lists take. */
size_t lucid__frame_bytes(const lucid__program *p);

typedef struct lucid__machine {
    const lucid__program *program;
    const lucid__frame *frame;
    const lucid__bodies *bodies;
    void *const *slots;
    int order[LUCID_MAX_NDIM];    /* the dims as lanes have them, the last one innermost */
    int64_t size[LUCID_MAX_NDIM]; /* of the largest box */
    int64_t start[LUCID_MAX_NDIM], len[LUCID_MAX_NDIM];
    int64_t points;            /* of the box; lucid__machine_moved */
    char *block, *memory;      /* that from the first line of the cache on */
    lucid__word_source *words; /* of the loads that make words; NULL: there are none */
    void *const *next; /* of each stream's register: where lanes come next; NULL: nobody knows */
    void *reg[LUCID__MAX_REGISTERS]; /* where its lanes are now: its own, or in a stream's memory */
    lucid__bad_index bad, *report;   /* of this machine; of the whole run */
    _Alignas(max_align_t) char near[LUCID__MACHINE_NEAR]; /* memory of a small box */
} lucid__machine;

/* False: out of memory. report: what the run has found, which this machine adds to in the end. */
bool lucid__machine_init(lucid__machine *m, const lucid__frame *frame, void *const *slots,
                         lucid__bad_index *report);
void lucid__machine_free(lucid__machine *m);

/* A register's own lanes, and memory for what an instruction has on the way. */
static inline char *lucid__machine_own(const lucid__machine *m, int reg)
{
    return m->memory + m->frame->own[reg];
}

static inline char *lucid__machine_scratch(const lucid__machine *m)
{
    return m->memory + m->frame->scratch;
}

/* machine_parts.c. Where the lanes of a load in parts are: in `lanes`, unless they lie together in one part. */
void *lucid__machine_load_parts(const lucid__machine *m, const lucid__stream *t, char *lanes);

/* Writes the margin of a store, as far as it borders on the box. */
void lucid__machine_store_margin(const lucid__machine *m, const lucid__stream *t);

/* machine_gather.c. Lanes of scratch memory that the gathers of a program want. */
int64_t lucid__gather_scratch(const lucid__frame *f);
void lucid__machine_gather(lucid__machine *m, const lucid__instr *in);
void lucid__report_bad_index(const lucid__bad_index *bad, lucid__bad_index *report);
lucid_status lucid__bad_index_status(const lucid__program *p, const lucid__bad_index *bad,
                                     char *error, size_t error_size);

/* The points of the box along some dims. */
static inline int64_t lucid__machine_lanes(const lucid__machine *m, unsigned dims)
{
    int64_t n = 1;
    for (; dims; dims &= dims - 1)
        n *= m->len[__builtin_ctz(dims)];
    return n;
}

/* To be called when start or len have changed. */
static inline void lucid__machine_moved(lucid__machine *m)
{
    m->points = lucid__machine_lanes(m, (1u << m->program->ndim) - 1);
}

void lucid__machine_load(lucid__machine *m, const lucid__stream *t);
void lucid__machine_execute_other(lucid__machine *m, const lucid__instr *in, int64_t lanes);

/* Instruction i of the program. */
static inline void lucid__machine_execute(lucid__machine *m, int i)
{
    const lucid__program *p = m->program;
    const lucid__instr *in = &p->instrs[i];
    unsigned over = p->over[in->dst];
    int64_t n = over == (1u << p->ndim) - 1 ? m->points : lucid__machine_lanes(m, over);
    lucid__instr_body *body = m->frame->body[i];
    if (body)
        body(m->reg[in->dst], m->reg[in->src[0]], m->reg[in->src[1]], m->reg[in->src[2]], n,
             in->imm);
    else
        lucid__machine_execute_other(m, in, n);
}

/* Lets instructions write straight to memory where the lanes of a store lie there one after the other. */
void lucid__machine_aim(lucid__machine *m, const lucid__stream *t);
/* Where the lanes of a stream are in memory; NULL if they are elsewhere. */
const char *lucid__machine_in_place(const lucid__machine *m, const lucid__stream *t);
/* Writes what is not there yet. */
void lucid__machine_store(lucid__machine *m, const lucid__stream *t);

/* A reduction that goes on from box to box: `width` results side by side, whose points come one after the
 * other in the order of program.h. */
typedef struct lucid__fold {
    lucid__instr_body *combine;
    const lucid__fold_bodies *bodies;
    size_t size; /* of an element */
    int64_t width, done;
    char *acc; /* LUCID__FOLD_LANES times width elements (fewer, if there are fewer points) */
    char
        *nodes; /* width for each level of the tree; not used if all points are less than a block */
    char *total; /* width */
} lucid__fold;

/* Levels that the tree of a reduction over so many points has at most. */
static inline int64_t lucid__fold_levels(int64_t points)
{
    int64_t levels = 0;
    for (int64_t blocks = points / LUCID__FOLD_BLOCK; blocks > 0; blocks /= 2)
        levels++;
    return levels;
}

/* `memory`: the accumulators and, behind them, the nodes of the tree. */
lucid__fold lucid__fold_begin(const lucid__machine *m, const lucid__instr *in, int64_t width,
                              char *memory, char *total);
void lucid__fold_add(lucid__fold *f, const void *lanes, int64_t points);
/* Leaves the results in `total`. */
void lucid__fold_end(lucid__fold *f);

#endif
