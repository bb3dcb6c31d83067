#include "cpu/machine.h"

#include <string.h>

#include "base/memory.h"
#include "cpu/native.h"

/* ---- moving lanes ------------------------------------------------------------------------------- */

/* Rows of a block that are worth being walked across. */
enum { ENOUGH = 8 };

/* A block of elements in strided memory; the lanes that stand for it are row after row. */
typedef struct block {
    int64_t rows, row_stride, n, stride;
} block;

/* Between memory and lanes: along rows of the lanes, unless memory runs the other way. */
#define MOVE(type) \
    do { \
        type *x = (type *)(void *)lanes, *y = (type *)(void *)memory; \
        bool across = b.rows >= ENOUGH && b.stride != 0 && b.row_stride != 0 && \
                      magnitude(b.row_stride) < magnitude(b.stride); \
        if (across && load) \
            for (int64_t i = 0; i < b.n; i++, y += b.stride) \
                for (int64_t r = 0; r < b.rows; r++) \
                    x[r * b.n + i] = y[r * b.row_stride]; \
        else if (across) \
            for (int64_t i = 0; i < b.n; i++, y += b.stride) \
                for (int64_t r = 0; r < b.rows; r++) \
                    y[r * b.row_stride] = x[r * b.n + i]; \
        else \
            for (int64_t r = 0; r < b.rows; r++, x += b.n, y += b.row_stride) \
                if (load && b.stride == 0) { \
                    type one = y[0]; \
                    _Pragma("omp simd") for (int64_t i = 0; i < b.n; i++) x[i] = one; \
                } else if (load && b.stride == 1) \
                    _Pragma("omp simd") for (int64_t i = 0; i < b.n; i++) x[i] = y[i]; \
                else if (load) \
                    for (int64_t i = 0; i < b.n; i++) \
                        x[i] = y[i * b.stride]; \
                else if (b.stride == 1) \
                    _Pragma("omp simd") for (int64_t i = 0; i < b.n; i++) y[i] = x[i]; \
                else \
                    for (int64_t i = 0; i < b.n; i++) \
                        y[i * b.stride] = x[i]; \
    } while (0)

static int64_t magnitude(int64_t x)
{
    return x < 0 ? -x : x;
}

static void move_block(char *memory, char *lanes, block b, size_t size, bool load)
{
    if (b.stride == 1 && b.rows == 1)
        memcpy(load ? lanes : memory, load ? memory : lanes, (size_t)b.n * size);
    else if (size == 4)
        MOVE(uint32_t);
    else if (size == 8)
        MOVE(uint64_t);
    else
        MOVE(uint8_t);
}
#undef MOVE

/* Lanes as nested loops over strided memory, the innermost last. */
typedef struct loops {
    int n;
    int64_t len[LUCID_MAX_NDIM], stride[LUCID_MAX_NDIM];
} loops;

static void add_loop(loops *l, int64_t len, int64_t stride)
{
    if (len == 1)
        return;
    if (l->n > 0 && l->stride[l->n - 1] == stride * len) {
        l->len[l->n - 1] *= len;
        l->stride[l->n - 1] = stride;
        return;
    }
    l->len[l->n] = len;
    l->stride[l->n++] = stride;
}

/* Loops over these dims of the box, in the machine's order. */
static void add_dims(loops *l, const lucid__machine *m, unsigned dims, const int64_t *strides)
{
    for (int i = 0; i < m->program->ndim; i++)
        if (dims >> m->order[i] & 1)
            add_loop(l, m->len[m->order[i]], strides[m->order[i]]);
}

static bool is_dense(const loops *l)
{
    return l->n == 0 || (l->n == 1 && l->stride[0] == 1);
}

static void move(const loops *l, char *memory, char *lanes, size_t size, bool load)
{
    int64_t index[LUCID_MAX_NDIM] = {0};
    int outer = l->n > 2 ? l->n - 2 : 0, last = l->n - 1;
    block b = {1, 0, 1, 1};
    if (l->n > 0)
        b.n = l->len[last], b.stride = l->stride[last];
    if (l->n > 1)
        b.rows = l->len[last - 1], b.row_stride = l->stride[last - 1];
    for (;;) {
        move_block(memory, lanes, b, size, load);
        lanes += b.rows * b.n * (int64_t)size;
        int d = outer - 1;
        for (; d >= 0; d--) {
            memory += l->stride[d] * (int64_t)size;
            if (++index[d] < l->len[d])
                break;
            memory -= l->len[d] * l->stride[d] * (int64_t)size;
            index[d] = 0;
        }
        if (d < 0)
            return;
    }
}

/* ---- streams ------------------------------------------------------------------------------------ */

static size_t stream_size(const lucid__stream *t)
{
    return lucid_dtype_size((lucid_dtype)t->dtype);
}

static char *stream_base(const lucid__machine *m, const lucid__stream *t)
{
    return (char *)m->slots[t->slot] + t->offset * (int64_t)stream_size(t);
}

/* Where the first element of the box is, counted from the stream's own first one, and the loops over the
 * rest. */
static int64_t place(const lucid__machine *m, const lucid__stream *t, loops *l)
{
    unsigned over = m->program->over[t->reg];
    int64_t at = 0;
    l->n = 0;
    for (int i = 0; i < m->program->ndim; i++) {
        int d = m->order[i];
        if (!(over >> d & 1))
            continue;
        at += m->start[d] * t->stride[d];
        add_loop(l, m->len[d], t->stride[d]);
    }
    return at;
}

static char *locate(const lucid__machine *m, const lucid__stream *t, loops *l)
{
    return stream_base(m, t) + place(m, t, l) * (int64_t)stream_size(t);
}

/* Runs of words along the innermost loop. */
static void make_words(const lucid__machine *m, const lucid__stream *t)
{
    int64_t index[LUCID_MAX_NDIM] = {0};
    loops l;
    int64_t at = t->offset + place(m, t, &l);
    int last = l.n - 1;
    int64_t n = l.n > 0 ? l.len[last] : 1, stride = l.n > 0 ? l.stride[last] : 1;
    uint32_t *to = m->reg[t->reg];
    for (;; to += n) {
        lucid__random_words(&m->words[t->reg], at, stride, n, to);
        int d = last - 1;
        for (; d >= 0; d--) {
            at += l.stride[d];
            if (++index[d] < l.len[d])
                break;
            at -= l.len[d] * l.stride[d];
            index[d] = 0;
        }
        if (d < 0)
            return;
    }
}

void lucid__machine_load(lucid__machine *m, const lucid__stream *t)
{
    loops l;
    if (t->words) {
        make_words(m, t);
        return;
    }
    if (m->frame->uniform[t->reg])
        return;
    if (t->parts) {
        m->reg[t->reg] = lucid__machine_load_parts(m, t, lucid__machine_own(m, t->reg));
        return;
    }
    char *memory = locate(m, t, &l);
    if (is_dense(&l)) { /* read in place */
        m->reg[t->reg] = memory;
        return;
    }
    m->reg[t->reg] = lucid__machine_own(m, t->reg);
    move(&l, memory, m->reg[t->reg], stream_size(t), true);
}

void lucid__machine_aim(lucid__machine *m, const lucid__stream *t)
{
    loops l;
    if (t->reg < m->program->nloads)
        return;
    char *memory = locate(m, t, &l);
    m->reg[t->reg] = is_dense(&l) ? memory : lucid__machine_own(m, t->reg);
}

void lucid__machine_store(lucid__machine *m, const lucid__stream *t)
{
    loops l;
    char *memory = locate(m, t, &l);
    if (memory != m->reg[t->reg])
        move(&l, memory, m->reg[t->reg], stream_size(t), false);
    if (t->margin)
        lucid__machine_store_margin(m, t);
}

const char *lucid__machine_in_place(const lucid__machine *m, const lucid__stream *t)
{
    const char *lanes = m->reg[t->reg], *own = lucid__machine_own(m, t->reg);
    return t->words || lanes == own ? NULL : lanes;
}

/* ---- reductions ---------------------------------------------------------------------------------- */

lucid__fold lucid__fold_begin(const lucid__machine *m, const lucid__instr *in, int64_t width,
                              char *memory, char *total)
{
    lucid__prim_id combine = lucid__fold_combine((lucid__prim_id)in->op);
    size_t size = lucid_dtype_size((lucid_dtype)in->dtype);
    return (lucid__fold){.combine = m->bodies->op[combine][in->dtype],
                         .bodies = &(*m->bodies->fold)[in->op][in->dtype],
                         .size = size,
                         .width = width,
                         .acc = memory,
                         .nodes = memory + (size_t)(LUCID__FOLD_LANES * width) * size,
                         .total = total};
}

/* What the accumulators of a block of so many points make: in `total`. */
static void close_block(lucid__fold *f, int64_t points)
{
    int64_t count = points < LUCID__FOLD_LANES ? points : LUCID__FOLD_LANES;
    if (count == LUCID__FOLD_LANES) {
        f->bodies->close(f->total, f->acc, f->width);
        return;
    }
    for (int64_t half = LUCID__FOLD_LANES / 2; half > 0; half /= 2) {
        int64_t n = count - half < half ? count - half : half;
        if (n > 0)
            f->combine(f->acc, f->acc, f->acc + (size_t)(half * f->width) * f->size, NULL,
                       n * f->width, 0);
    }
    memcpy(f->total, f->acc, (size_t)f->width * f->size);
}

/* `total` is what the 2^level blocks that come next make: a node of the tree, which may complete others. */
static void add_node(lucid__fold *f, int level)
{
    const size_t step = (size_t)f->width * f->size;
    const int64_t blocks = f->done / LUCID__FOLD_BLOCK;
    for (; blocks >> level & 1; level++)
        f->combine(f->total, f->nodes + (size_t)level * step, f->total, NULL, f->width, 0);
    memcpy(f->nodes + (size_t)level * step, f->total, step);
}

/* One result: as many blocks of a row at once as are a node of the tree. Returns the number of points. */
static int64_t add_blocks(lucid__fold *f, const char *x, int64_t points)
{
    int64_t blocks = 1, before = f->done / LUCID__FOLD_BLOCK;
    int level = 0;
    for (; (before & blocks) == 0 && 2 * blocks * LUCID__FOLD_BLOCK <= points; level++)
        blocks *= 2;
    f->bodies->rows(f->total, x, 1, blocks * LUCID__FOLD_BLOCK);
    add_node(f, level);
    return blocks * LUCID__FOLD_BLOCK;
}

/* Some points of a block of which there are `at` already; returns how many. */
static int64_t add_to_block(lucid__fold *f, const char *x, int64_t at, int64_t points)
{
    const size_t step = (size_t)f->width * f->size;
    int64_t j = at % LUCID__FOLD_LANES, groups = points / LUCID__FOLD_LANES;
    if (j == 0 && at > 0 && groups > 0) {
        f->bodies->groups(f->acc, x, groups, f->width);
        return groups * LUCID__FOLD_LANES;
    }
    int64_t few = points < LUCID__FOLD_LANES - j ? points : LUCID__FOLD_LANES - j;
    char *acc = f->acc + (size_t)j * step;
    if (at < LUCID__FOLD_LANES) /* the first of each accumulator starts it */
        memcpy(acc, x, (size_t)few * step);
    else
        f->combine(acc, acc, x, NULL, few * f->width, 0);
    return few;
}

void lucid__fold_add(lucid__fold *f, const void *lanes, int64_t points)
{
    const char *x = lanes;
    while (points > 0) {
        int64_t at = f->done % LUCID__FOLD_BLOCK, room = LUCID__FOLD_BLOCK - at, n;
        if (at == 0 && f->width == 1 && points >= LUCID__FOLD_BLOCK) {
            n = add_blocks(f, x, points);
        } else {
            n = add_to_block(f, x, at, points < room ? points : room);
            if (n == room) {
                close_block(f, LUCID__FOLD_BLOCK);
                add_node(f, 0);
            }
        }
        x += (size_t)(n * f->width) * f->size;
        points -= n;
        f->done += n;
    }
}

void lucid__fold_end(lucid__fold *f)
{
    const size_t step = (size_t)f->width * f->size;
    int64_t rest = f->done % LUCID__FOLD_BLOCK, blocks = f->done / LUCID__FOLD_BLOCK;
    if (rest > 0)
        close_block(f, rest);
    for (bool some = rest > 0; blocks > 0; blocks &= blocks - 1, some = true) {
        const char *node = f->nodes + (size_t)__builtin_ctzll((unsigned long long)blocks) * step;
        if (some)
            f->combine(f->total, node, f->total, NULL, f->width, 0);
        else
            memcpy(f->total, node, step);
    }
}

/* `rows` results of `points` each, which lie one after the other. */
static void fold_rows(lucid__machine *m, const lucid__instr *in, const char *x, int64_t rows,
                      int64_t points)
{
    (*m->bodies->fold)[in->op][in->dtype].rows(m->reg[in->dst], x, rows, points);
}

/* What is reduced stands before, between or behind the dims that stay. */
static void fold_box(lucid__machine *m, const lucid__instr *in)
{
    const uint16_t *over = m->program->over;
    unsigned from = over[in->src[0]], to = over[in->dst];
    int64_t before = 1, points = 1, behind = 1, stride = 1;
    loops rows = {.n = 0};
    bool apart = false; /* reduced dims with others between them */
    for (int i = 0; i < m->program->ndim; i++) {
        int d = m->order[i];
        if (!(from >> d & 1) || m->len[d] == 1)
            continue;
        bool stays = to >> d & 1;
        apart |= !stays && behind > 1;
        if (!stays)
            points *= m->len[d];
        else if (points == 1)
            before *= m->len[d];
        else
            behind *= m->len[d];
    }
    const char *x = m->reg[in->src[0]];
    size_t size = lucid_dtype_size((lucid_dtype)in->dtype);
    if (apart) { /* brought into rows first */
        int64_t strides[LUCID_MAX_NDIM];
        for (int i = m->program->ndim - 1; i >= 0; i--) {
            int d = m->order[i];
            strides[d] = stride;
            stride *= from >> d & 1 ? m->len[d] : 1;
        }
        add_dims(&rows, m, from & to, strides);
        add_dims(&rows, m, from & ~to, strides);
        move(&rows, (char *)(uintptr_t)x, lucid__machine_scratch(m), size, true);
        fold_rows(m, in, lucid__machine_scratch(m), before * behind, points);
    } else if (behind == 1) {
        fold_rows(m, in, x, before, points);
    } else {
        char *result = m->reg[in->dst];
        for (int64_t b = 0; b < before; b++) {
            lucid__fold f = lucid__fold_begin(m, in, behind, lucid__machine_scratch(m),
                                              result + (size_t)(b * behind) * size);
            lucid__fold_add(&f, x + (size_t)(b * points * behind) * size, points);
            lucid__fold_end(&f);
        }
    }
}

/* ---- instructions -------------------------------------------------------------------------------- */

/* n lanes from `at` on: value, value + step, ... */
#define FILL(type, expression) \
    do { \
        type *x = (type *)to + at; \
        _Pragma("omp simd") for (int64_t i = 0; i < n; i++) x[i] = (type)(expression); \
    } while (0)

static void fill(lucid_dtype dtype, void *to, int64_t at, int64_t n, int64_t value, int64_t step)
{
    switch (dtype) {
    case LUCID_BOOL:
        FILL(bool, value + i * step != 0);
        break;
    case LUCID_INT32:
        FILL(int32_t, (uint32_t)value + (uint32_t)i * (uint32_t)step);
        break;
    case LUCID_INT64:
        FILL(int64_t, value + i * step);
        break;
    case LUCID_FLOAT32:
        FILL(float, value + i * step);
        break;
    default:
        FILL(double, value + i * step);
        break;
    }
}
#undef FILL

/* The index along one dim: runs of the lanes behind it, again for the lanes in front. */
static void count(const lucid__machine *m, const lucid__instr *in)
{
    const lucid_dtype dtype = (lucid_dtype)in->dtype;
    unsigned over = m->program->over[in->dst];
    int64_t before = 1, behind = 1, at = 0, n = m->len[in->imm], first = m->start[in->imm];
    bool seen = false;
    for (int i = 0; i < m->program->ndim; i++) {
        int d = m->order[i];
        if (d == in->imm)
            seen = true;
        else if (over >> d & 1)
            *(seen ? &behind : &before) *= m->len[d];
    }
    for (int64_t b = 0; b < before; b++)
        if (behind == 1)
            fill(dtype, m->reg[in->dst], b * n, n, first, 1);
        else
            for (int64_t k = 0; k < n; k++, at += behind)
                fill(dtype, m->reg[in->dst], at, behind, first + k, 0);
}

static void spread(const lucid__machine *m, const lucid__instr *in)
{
    unsigned from = m->program->over[in->src[0]], to = m->program->over[in->dst];
    int64_t strides[LUCID_MAX_NDIM], stride = 1;
    loops l = {.n = 0};
    for (int i = m->program->ndim - 1; i >= 0; i--) {
        int d = m->order[i];
        strides[d] = from >> d & 1 ? stride : 0;
        stride *= from >> d & 1 ? m->len[d] : 1;
    }
    add_dims(&l, m, to, strides);
    move(&l, m->reg[in->src[0]], m->reg[in->dst], lucid_dtype_size((lucid_dtype)in->dtype), true);
}

void lucid__machine_execute_other(lucid__machine *m, const lucid__instr *in, int64_t lanes)
{
    if (in->op == LUCID__CHAIN)
        lucid__native_run(m->program->native, in->imm, m->reg, lanes, m->next ? m->next : m->reg);
    else if (in->op == LUCID__iota)
        count(m, in);
    else if (in->op == LUCID__constant)
        fill((lucid_dtype)in->dtype, m->reg[in->dst], 0, lanes, in->imm, 0);
    else if (in->op == LUCID__broadcast)
        spread(m, in);
    else if (in->op == LUCID__gather)
        lucid__machine_gather(m, in);
    else
        fold_box(m, in);
}

/* ---- machines ----------------------------------------------------------------------------------- */

static lucid__word_source source_of(const lucid__machine *m, const lucid__words *w)
{
    lucid__view in[3];
    for (int i = 0; i < 3; i++) {
        in[i] = (lucid__view){
            .data = stream_base(m, &w->in[i]), .dtype = LUCID_INT64, .shape = {.ndim = w->ndim}};
        memcpy(in[i].shape.dim, w->dim, sizeof w->dim);
        memcpy(in[i].stride, w->in[i].stride, sizeof in[i].stride);
    }
    return lucid__word_source_new(in, w->per_lane);
}

static bool find_sources(lucid__machine *m)
{
    const lucid__program *p = m->program;
    for (int i = 0; i < p->nloads; i++) {
        if (!p->loads[i].words)
            continue;
        if (!m->words)
            m->words = lucid__malloc((size_t)p->nloads * sizeof *m->words);
        if (!m->words)
            return false;
        m->words[i] = source_of(m, p->loads[i].words);
    }
    return true;
}

bool lucid__machine_init(lucid__machine *m, const lucid__frame *f, void *const *slots,
                         lucid__bad_index *report)
{
    const lucid__program *p = f->program;
    m->program = p;
    m->frame = f;
    m->bad.found = false;
    m->report = report;
    m->next = NULL;
    m->bodies = lucid__bodies_get();
    m->slots = slots;
    memcpy(m->order, f->order, sizeof m->order);
    memcpy(m->size, f->size, sizeof m->size);
    memset(m->start, 0, sizeof m->start);
    memcpy(m->len, f->size, sizeof m->len);
    lucid__machine_moved(m);
    m->words = NULL;
    if (f->has_words && !find_sources(m))
        return false;
    m->block = f->bytes + 64 <= sizeof m->near ? m->near : lucid__malloc(f->bytes + 64);
    if (!m->block) {
        lucid__free(m->words);
        return false;
    }
    m->memory = m->block + (64 - (uintptr_t)m->block % 64) % 64;
    for (int r = 0; r < p->nregs; r++)
        m->reg[r] = lucid__machine_own(m, r);
    for (int i = 0; i < p->nloads; i++)
        if (f->uniform[i]) {
            const lucid__stream *t = &p->loads[i];
            loops l = {.n = 1, .len = {lucid__machine_lanes(m, p->over[i])}};
            move(&l, stream_base(m, t), m->reg[i], stream_size(t), true);
        }
    return true;
}

void lucid__machine_free(lucid__machine *m)
{
    if (m->block != m->near)
        lucid__free(m->block);
    lucid__free(m->words);
    if (m->bad.found)
        lucid__report_bad_index(&m->bad, m->report);
}
