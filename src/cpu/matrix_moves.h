/* Matrices of T between memory and lanes; included by matrix_lanes.h. Element (i, j) of all lanes of an (r, c)
 * matrix stands at (i * c + j) * LANES. */

/* ---- moving in and out ------------------------------------------------------------------------ */

/* BLOCK neighbours of all lanes change places: elements at[l][0 .. BLOCK) become rows of lanes that
 * are `step` apart, and back. Pieces of 16 bytes make vectors as wide as there are, which are then
 * transposed inside of each 16 bytes, so that memory is read and written by whole vectors. */
#if HAS_SHUFFLE
enum {
    NAME(BLOCK) = 16 / sizeof(T),
    NAME(WIDE) = VECTOR_BYTES / sizeof(T),
};
typedef NAME(WIDE_VECTOR) NAME(wide);

static inline NAME(wide) NAME(gather)(const T *const *at)
{
    typedef NAME(v16) v16;
#define PIECE(q) (*(const v16 *)at[(q)*NAME(BLOCK)])
#if VECTOR_BYTES == 16
    return PIECE(0);
#else
    const NAME(v32) low = __builtin_shufflevector(PIECE(0), PIECE(1), COUNT_TO_32);
#if VECTOR_BYTES == 32
    return low;
#else
    const NAME(v32) high = __builtin_shufflevector(PIECE(2), PIECE(3), COUNT_TO_32);
    return __builtin_shufflevector(low, high, COUNT_TO_64);
#endif
#endif
#undef PIECE
}

static inline void NAME(scatter)(NAME(wide) x, T *const *at)
{
    typedef NAME(v16) v16;
    *(v16 *)at[0] = __builtin_shufflevector(x, x, PIECE_OF(0));
#if VECTOR_BYTES >= 32
    *(v16 *)at[NAME(BLOCK)] = __builtin_shufflevector(x, x, PIECE_OF(1));
#endif
#if VECTOR_BYTES >= 64
    *(v16 *)at[2 * NAME(BLOCK)] = __builtin_shufflevector(x, x, PIECE_OF(2));
    *(v16 *)at[3 * NAME(BLOCK)] = __builtin_shufflevector(x, x, PIECE_OF(3));
#endif
}

static inline void NAME(transpose)(NAME(wide) * x)
{
    enum { N = NAME(WIDE) };
    const NAME(wide) a = x[0], b = x[1];
#if LANES == 16
    const NAME(wide) c = x[2], d = x[3];
    const NAME(wide) ab = __builtin_shufflevector(a, b, EACH_PIECE(LOW_OF_4));
    const NAME(wide) ab2 = __builtin_shufflevector(a, b, EACH_PIECE(HIGH_OF_4));
    const NAME(wide) cd = __builtin_shufflevector(c, d, EACH_PIECE(LOW_OF_4));
    const NAME(wide) cd2 = __builtin_shufflevector(c, d, EACH_PIECE(HIGH_OF_4));
    x[0] = __builtin_shufflevector(ab, cd, EACH_PIECE(LOW_HALVES));
    x[1] = __builtin_shufflevector(ab, cd, EACH_PIECE(HIGH_HALVES));
    x[2] = __builtin_shufflevector(ab2, cd2, EACH_PIECE(LOW_HALVES));
    x[3] = __builtin_shufflevector(ab2, cd2, EACH_PIECE(HIGH_HALVES));
#else
    x[0] = __builtin_shufflevector(a, b, EACH_PIECE(LOW_OF_2));
    x[1] = __builtin_shufflevector(a, b, EACH_PIECE(HIGH_OF_2));
#endif
}

static inline void NAME(turn_in)(const T *const *from, int64_t e, T *to, int64_t step)
{
    for (int l = 0; l < LANES; l += NAME(WIDE)) {
        NAME(wide) x[NAME(BLOCK)];
        for (int b = 0; b < NAME(BLOCK); b++) {
            const T *at[VECTOR_BYTES];
            for (int q = 0; q < NAME(WIDE); q += NAME(BLOCK))
                at[q] = from[l + q + b] + e;
            x[b] = NAME(gather)(at);
        }
        NAME(transpose)(x);
        for (int b = 0; b < NAME(BLOCK); b++)
            *(NAME(wide) *)(to + b * step + l) = x[b];
    }
}

static inline void NAME(turn_out)(const T *from, int64_t step, T *const *to, int64_t e)
{
    for (int l = 0; l < LANES; l += NAME(WIDE)) {
        NAME(wide) x[NAME(BLOCK)];
        for (int b = 0; b < NAME(BLOCK); b++)
            x[b] = *(const NAME(wide) *)(from + b * step + l);
        NAME(transpose)(x);
        for (int b = 0; b < NAME(BLOCK); b++) {
            T *at[VECTOR_BYTES];
            for (int q = 0; q < NAME(WIDE); q += NAME(BLOCK))
                at[q] = to[l + q + b] + e;
            NAME(scatter)(x[b], at);
        }
    }
}

#if VECTOR_BYTES > 16
/* The same for as many elements as a vector holds: whole vectors there and back, so that a line of
 * memory is met once. Transposed by exchanging halves, then quarters, ... of pairs of vectors. */
static inline void NAME(transpose_whole)(NAME(wide) * x)
{
    enum { N = NAME(WIDE) };
#define EXCHANGE(step) \
    for (int i = 0; i < N; i++) \
        if (!(i & (step))) { \
            const NAME(wide) a = x[i], b = x[i + (step)]; \
            x[i] = __builtin_shufflevector(a, b, COUNTED(LOW_OF_PAIR, step)); \
            x[i + (step)] = __builtin_shufflevector(a, b, COUNTED(HIGH_OF_PAIR, step)); \
        }
    EXCHANGE(1)
    EXCHANGE(2)
#if VECTOR_BYTES / (64 / LANES) >= 8
    EXCHANGE(4)
#endif
#if VECTOR_BYTES / (64 / LANES) >= 16
    EXCHANGE(8)
#endif
#undef EXCHANGE
}

static inline void NAME(turn_in_whole)(const T *const *from, int64_t e, T *to, int64_t step)
{
    for (int l = 0; l < LANES; l += NAME(WIDE)) {
        NAME(wide) x[NAME(WIDE)];
        for (int b = 0; b < NAME(WIDE); b++)
            x[b] = *(const NAME(wide) *)(from[l + b] + e);
        NAME(transpose_whole)(x);
        for (int b = 0; b < NAME(WIDE); b++)
            *(NAME(wide) *)(to + b * step + l) = x[b];
    }
}

static inline void NAME(turn_out_whole)(const T *from, int64_t step, T *const *to, int64_t e)
{
    for (int l = 0; l < LANES; l += NAME(WIDE)) {
        NAME(wide) x[NAME(WIDE)];
        for (int b = 0; b < NAME(WIDE); b++)
            x[b] = *(const NAME(wide) *)(from + b * step + l);
        NAME(transpose_whole)(x);
        for (int b = 0; b < NAME(WIDE); b++)
            *(NAME(wide) *)(to[l + b] + e) = x[b];
    }
}
#else
#define NO_WHOLE_BLOCKS
#endif
#else
#define NO_WHOLE_BLOCKS
enum { NAME(BLOCK) = 1 };

static inline void NAME(turn_in)(const T *const *from, int64_t e, T *to, int64_t step)
{
    (void)step;
    LANE to[l] = from[l][e];
}

static inline void NAME(turn_out)(const T *from, int64_t step, T *const *to, int64_t e)
{
    (void)step;
    LANE to[l][e] = from[l];
}
#endif

/* n neighbours of every lane, from or to the places `at`; rows of lanes `step` apart. What is left
 * over at the end overlaps the block before it. */
static void NAME(spread)(T *lanes, int64_t step, int64_t n, const T *const *at)
{
    enum { BLOCK = NAME(BLOCK) };
    int64_t e = 0;
#ifndef NO_WHOLE_BLOCKS
    for (; e + NAME(WIDE) <= n; e += NAME(WIDE))
        NAME(turn_in_whole)(at, e, lanes + e * step, step);
#endif
    for (; e + BLOCK <= n; e += BLOCK)
        NAME(turn_in)(at, e, lanes + e * step, step);
    if (e < n && n >= BLOCK)
        NAME(turn_in)(at, n - BLOCK, lanes + (n - BLOCK) * step, step);
    for (; e < n && n < BLOCK; e++)
        LANE lanes[e * step + l] = at[l][e];
}

static void NAME(collect)(const T *lanes, int64_t n, int count, T *const *at)
{
    enum { BLOCK = NAME(BLOCK) };
    int64_t e = 0;
#ifndef NO_WHOLE_BLOCKS
    for (; count == LANES && e + NAME(WIDE) <= n; e += NAME(WIDE))
        NAME(turn_out_whole)(lanes + e * LANES, LANES, at, e);
#endif
    for (; count == LANES && e + BLOCK <= n; e += BLOCK)
        NAME(turn_out)(lanes + e * LANES, LANES, at, e);
    if (count == LANES && e < n && n >= BLOCK) {
        NAME(turn_out)(lanes + (n - BLOCK) * LANES, LANES, at, n - BLOCK);
        return;
    }
    for (; e < n; e++)
        for (int l = 0; l < count; l++)
            at[l][e] = lanes[e * LANES + l];
}

/* Whether the lanes lie next to each other in memory. */
static inline bool NAME(side_by_side)(int count, const void *const *at)
{
    bool yes = count == LANES;
    for (int l = 1; l < LANES; l++)
        yes &= (const T *)at[l] == (const T *)at[0] + l;
    return yes;
}

/* Into rows of lanes `apart` elements apart. Lanes without a matrix of their own repeat the first one. */
static void NAME(load)(T *restrict to, int64_t apart, int64_t rows, int64_t cols,
                       const lucid__lanes *w, const void *const *from, int64_t row, int64_t col,
                       int64_t first_col)
{
    const int count = w->count;
    const T *at[LANES];
    int64_t step = LANES, across = apart * LANES;
    if (w->in_registers) {
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < cols; j++) {
                const T *x = (const T *)from[i * row + (first_col + j) * col] + w->first_lane;
                LANE to[i * across + j * step + l] = x[l];
            }
        return;
    }
    LANE at[l] = (const T *)from[l < count ? l : 0] + first_col * col;
    if (NAME(side_by_side)(count, from)) {
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < cols; j++)
                LANE to[i * across + j * step + l] = at[0][i * row + j * col + l];
        return;
    }
    if (col != 1 && (row == 1 || cols == 1)) { /* by columns */
        int64_t t = rows;
        rows = cols, cols = t;
        t = row, row = col, col = t;
        step = across, across = LANES;
    } else if (col == 1 && row == cols && apart == cols) {
        cols *= rows;
        rows = 1;
    }
    for (int64_t i = 0; i < rows; i++) {
        if (col == 1)
            NAME(spread)(to + i * across, step, cols, at);
        for (int64_t j = 0; col != 1 && j < cols; j++)
            LANE to[i * across + j * step + l] = at[l][j * col];
        LANE at[l] += row;
    }
}

/* Into row-major matrices `apart` elements apart, with rows `row` apart, from column first_col on;
 * `across` is the distance of rows of lanes, in elements. */
static void NAME(store)(const T *restrict from, int64_t across, int64_t rows, int64_t cols,
                        const lucid__lanes *w, void *to, int64_t apart, int64_t row,
                        int64_t first_col)
{
    const int count = w->count;
    T *at[LANES];
    if (w->in_registers) {
        void *const *x = (void *const *)to + first_col;
        for (int64_t i = 0; i < rows; i++, x += row)
            for (int64_t j = 0; j < cols; j++)
                if (x[j])
                    LANE((T *)x[j] + w->first_lane)[l] = ELEMENT(from, across, i, j)[l];
        return;
    }
    LANE at[l] = (T *)to + (l < count ? l : 0) * apart + first_col;
    if (row == cols && across == cols) {
        cols *= rows;
        rows = 1;
    }
    if (apart == 1 && cols == 1 && count == LANES) {
        LANE at[0][l] = from[l];
        return;
    }
    for (int64_t i = 0; i < rows; i++) {
        NAME(collect)(ELEMENT(from, across, i, 0), cols, count, at);
        LANE at[l] += row;
    }
}

/* Output k of matrix l, which has `per` elements there. */
static inline T *NAME(output)(const lucid__lanes *w, int k, int l, int64_t per)
{
    return (T *)w->out[k] + l * per;
}

/* One matrix into row-major order, its rows in the order of perm unless that is NULL. */
static void NAME(copy)(T *restrict to, int64_t rows, int64_t cols, const T *from, int64_t row,
                       int64_t col, const int64_t *perm)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            to[i * cols + j] = from[(perm ? perm[i] : i) * row + j * col];
}
