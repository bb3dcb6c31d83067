/* Orthogonal factorisations of small matrices of T: reflections (QR), symmetric eigenvalues, singular
 * values. Included by isa_matrix.c twice per float T, for W matrices side by side: a full set of lanes,
 * or one matrix by itself (W 1). Element (i, j) of an (r, c) matrix stands at (i * c + j) * W.
 *
 * A matrix has the same bits alone and in company. Sums are added up in an order that depends on their
 * length alone, and no expression leaves the compiler a choice which product of two to round: where
 * usual formulas have c x - s y, these have x - s (y + h x). A matrix that is done is rotated by angles
 * of zero until its company is, which changes nothing but the sign of zeros; so results end with an
 * addition of zero. */

#define EACH _Pragma("omp simd") for (int l = 0; l < W; l++)
#define AT(m, cols, i, j) ((m) + ((i) * (cols) + (j)) * W)

/* ---- rows ---------------------------------------------------------------------------------------- */

typedef T NAME(vec)
    __attribute__((vector_size((W == 1 ? 4 : W) * sizeof(T)), aligned(sizeof(T)), may_alias));

/* The dot product of x and y, in four parts that are added up last: elements 0, 4, 8, ..., then
 * 1, 5, 9, ... */
static inline void NAME(inner)(int64_t n, const T *x, const T *y, T *to)
{
    enum { VECS = W == 1 ? 1 : 4 };
    NAME(vec) sum[VECS] = {{0}};
    int64_t k = 0;
    for (; k + 4 <= n; k += 4)
        for (int p = 0; p < VECS; p++)
            sum[p] += ((const NAME(vec) *)(x + k * W))[p] * ((const NAME(vec) *)(y + k * W))[p];
    T part[4 * W];
    for (int p = 0; p < VECS; p++)
        ((NAME(vec) *)part)[p] = sum[p];
    for (int r = 0; k + r < n; r++)
        EACH part[r * W + l] += x[(k + r) * W + l] * y[(k + r) * W + l];
    EACH to[l] = (part[l] + part[W + l]) + (part[2 * W + l] + part[3 * W + l]);
}

/* x -= f v. */
static inline void NAME(less)(int64_t n, const T *restrict f, const T *restrict v, T *restrict x)
{
    for (int64_t k = 0; k < n; k++)
        EACH x[k * W + l] -= f[l] * v[k * W + l];
}

/* x *= f. */
static inline void NAME(times)(int64_t n, const T *restrict f, T *restrict x)
{
    for (int64_t k = 0; k < n; k++)
        EACH x[k * W + l] *= f[l];
}

/* Rotates x and y by the angle of sine s, with h = s / (1 + cosine): the rows of Rutishauser, "The
 * Jacobi method for real symmetric matrices" (1966). */
static inline void NAME(rotate)(int64_t n, const T *restrict s, const T *restrict h, T *restrict x,
                                T *restrict y)
{
    for (int64_t k = 0; k < n; k++)
        EACH
        {
            const T u = x[k * W + l], v = y[k * W + l];
            x[k * W + l] = u - s[l] * (v + h[l] * u);
            y[k * W + l] = v + s[l] * (u - h[l] * v);
        }
}

/* The rotation that makes a symmetric [p g; g q] diagonal, with q - p = d; its tangent t is the smaller
 * of the two there are. None where not `on`. */
static inline void NAME(angle)(const INDEX *restrict on, const T *restrict d, const T *restrict g,
                               T *restrict t, T *restrict s, T *restrict h)
{
    EACH
    {
        const T theta = d[l] / (g[l] + g[l]);
        const T tangent = (theta < 0 ? -1 : 1) / (ABS(theta) + SQRT(theta * theta + 1));
        const T cosine = 1 / SQRT(tangent * tangent + 1), sine = tangent * cosine;
        t[l] = on[l] ? tangent : 0;
        s[l] = on[l] ? sine : 0;
        h[l] = on[l] ? sine / (1 + cosine) : 0;
    }
}

static inline bool NAME(any)(const INDEX *on)
{
    INDEX any = 0;
    for (int l = 0; l < W; l++)
        any |= on[l];
    return any != 0;
}

/* Where `on`, x and y change places. */
static inline void NAME(swap)(int64_t n, const INDEX *restrict on, T *restrict x, T *restrict y)
{
    for (int64_t k = 0; k < n; k++)
        EACH
        {
            const T u = x[k * W + l], v = y[k * W + l];
            x[k * W + l] = on[l] ? v : u;
            y[k * W + l] = on[l] ? u : v;
        }
}

static inline void NAME(one)(int64_t n, T *a)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            EACH AT(a, n, i, j)[l] = i == j;
}

/* to (c, r) becomes the transpose of a (r, c). */
static inline void NAME(transposed)(int64_t r, int64_t c, const T *restrict a, T *restrict to)
{
    for (int64_t i = 0; i < r; i++)
        for (int64_t j = 0; j < c; j++)
            EACH AT(to, r, j, i)[l] = AT(a, c, i, j)[l];
}

/* -1 where the element of largest magnitude is negative (the first of several), 1 elsewhere. */
static inline void NAME(sign_of_largest)(int64_t n, const T *x, T *sign)
{
    T best[W];
    EACH best[l] = 0;
    EACH sign[l] = 1;
    for (int64_t k = 0; k < n; k++)
        EACH
        {
            const T u = x[k * W + l];
            const bool more = ABS(u) > best[l];
            sign[l] = more ? (u < 0 ? -1 : 1) : sign[l];
            best[l] = more ? ABS(u) : best[l];
        }
}

/* ---- powers of two ------------------------------------------------------------------------------- */

/* up is about as large as `big` >= 0, and down its inverse: powers of two, so that products with them
 * are exact. */
static inline void NAME(powers)(const T *big, T *down, T *up)
{
    EACH
    {
        INDEX bits;
        memcpy(&bits, &big[l], sizeof bits);
        bits &= EXPONENT;
        bits = bits < EXPONENT_ONE ? EXPONENT_ONE : bits;
        bits = bits > EXPONENT - 2 * EXPONENT_ONE ? EXPONENT - 2 * EXPONENT_ONE : bits;
        const INDEX inverse = EXPONENT - EXPONENT_ONE - bits;
        memcpy(&up[l], &bits, sizeof bits);
        memcpy(&down[l], &inverse, sizeof inverse);
    }
}

static inline void NAME(largest)(int64_t n, const T *x, T *big)
{
    for (int64_t k = 0; k < n; k++)
        EACH big[l] = ABS(x[k * W + l]) > big[l] ? ABS(x[k * W + l]) : big[l];
}

/* nil becomes NaN where x is not finite. */
static inline void NAME(note_strange)(int64_t n, const T *x, T *nil)
{
    for (int64_t k = 0; k < n; k++)
        EACH nil[l] += 0 * x[k * W + l];
}

/* x f + nil: the last thing done to a result. */
static inline void NAME(finish)(int64_t n, const T *f, const T *nil, T *x)
{
    for (int64_t k = 0; k < n; k++)
        EACH x[k * W + l] = x[k * W + l] * f[l] + nil[l];
}

/* ---- reflections ----------------------------------------------------------------------------------- */

/* Columns stand as rows here: c is (cols, m). Column j is reflected onto its own direction by
 * H = I - tau v v', v_j = 1 (Golub & Van Loan, Matrix Computations, 5.1), for the first k columns, and
 * the later columns with it. Leaves R on and above the diagonal, the v below it. Signs are LAPACK's: a
 * diagonal element has the sign opposite to what the column had there, and a column with nothing below
 * the diagonal stays as it is. */
static void NAME(reflect)(int64_t k, int64_t cols, int64_t m, T *c, T *tau)
{
    for (int64_t j = 0; j < k; j++) {
        T *v = AT(c, m, j, j), *t = tau + j * W, big[W], down[W], up[W], rest[W], beta[W], f[W];
        EACH big[l] = 0;
        NAME(largest)(m - j, v, big);
        NAME(powers)(big, down, up);
        NAME(times)(m - j, down, v);
        NAME(inner)(m - j - 1, v + W, v + W, rest);
        EACH
        {
            const T alpha = v[l], length = SQRT(alpha * alpha + rest[l]);
            const T b = alpha < 0 ? length : -length;
            const bool none = rest[l] == 0;
            t[l] = none ? 0 : (b - alpha) / b;
            f[l] = none ? 0 : 1 / (alpha - b);
            beta[l] = (none ? alpha : b) * up[l];
            v[l] = 1;
        }
        NAME(times)(m - j - 1, f, v + W);
        for (int64_t i = j + 1; i < cols; i++) {
            T *x = AT(c, m, i, j);
            NAME(inner)(m - j, v, x, f);
            EACH f[l] *= t[l];
            NAME(less)(m - j, f, v, x);
        }
        EACH v[l] = beta[l];
    }
}

/* The first k columns of H_1 ... H_k in place of what NAME(reflect) left. */
static void NAME(unfold)(int64_t k, int64_t m, T *c, const T *tau)
{
    for (int64_t j = k; j-- > 0;) {
        T *v = AT(c, m, j, j), f[W];
        const T *t = tau + j * W;
        EACH v[l] = 1;
        for (int64_t i = j + 1; i < k; i++) {
            T *x = AT(c, m, i, j);
            NAME(inner)(m - j, v, x, f);
            EACH f[l] *= t[l];
            NAME(less)(m - j, f, v, x);
        }
        EACH f[l] = -t[l];
        NAME(times)(m - j, f, v);
        EACH v[l] += 1;
        for (int64_t i = 0; i < j; i++)
            EACH AT(c, m, j, i)[l] = 0;
    }
}

/* ---- symmetric eigenvalues ------------------------------------------------------------------------- */

enum { NAME(SWEEPS) = 30 }; /* more than any matrix needs; convergence is quadratic */

/* One sweep of Jacobi's method (Golub & Van Loan 8.5) over the upper triangle of a; the rows of v are
 * rotated along. False: all that is off the diagonal was negligible beside it. */
static bool NAME(jacobi_sweep)(int64_t n, T *a, T *v)
{
    bool moved = false;
    for (int64_t p = 0; p < n; p++)
        for (int64_t q = p + 1; q < n; q++) {
            T *pp = AT(a, n, p, p), *qq = AT(a, n, q, q), *g = AT(a, n, p, q);
            T d[W], t[W], s[W], h[W];
            INDEX on[W];
            EACH on[l] = ABS(g[l]) > TINY && g[l] * g[l] > EPSILON * EPSILON * ABS(pp[l] * qq[l]);
            if (!NAME(any)(on))
                continue;
            moved = true;
            EACH d[l] = qq[l] - pp[l];
            NAME(angle)(on, d, g, t, s, h);
            EACH pp[l] -= t[l] * g[l];
            EACH qq[l] += t[l] * g[l];
            EACH g[l] = on[l] ? 0 : g[l];
            for (int64_t k = 0; k < p; k++)
                NAME(rotate)(1, s, h, AT(a, n, k, p), AT(a, n, k, q));
            for (int64_t k = p + 1; k < q; k++)
                NAME(rotate)(1, s, h, AT(a, n, p, k), AT(a, n, k, q));
            NAME(rotate)(n - q - 1, s, h, AT(a, n, p, q + 1), AT(a, n, q, q + 1));
            if (v)
                NAME(rotate)(n, s, h, AT(v, n, p, 0), AT(v, n, q, 0));
        }
    return moved;
}

/* The symmetric matrix whose upper triangle is a's: w, ascending, and the rows of v unless it is NULL.
 * A matrix that is not finite gives NaN. a is lost. */
static void NAME(eigen)(int64_t n, T *a, T *w, T *v)
{
    T nil[W], big[W], down[W], up[W], sign[W];
    EACH nil[l] = 0;
    EACH big[l] = 0;
    for (int64_t i = 0; i < n; i++) {
        NAME(note_strange)(n - i, AT(a, n, i, i), nil);
        NAME(largest)(n - i, AT(a, n, i, i), big);
    }
    NAME(powers)(big, down, up);
    for (int64_t i = 0; i < n; i++)
        NAME(times)(n - i, down, AT(a, n, i, i));
    if (v)
        NAME(one)(n, v);
    for (int sweep = 0; sweep < NAME(SWEEPS) && NAME(jacobi_sweep)(n, a, v); sweep++)
        continue;
    for (int64_t i = 0; i < n; i++)
        EACH w[i * W + l] = AT(a, n, i, i)[l];
    NAME(finish)(n, up, nil, w);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i + 1; j < n; j++) {
            INDEX on[W];
            EACH on[l] = w[j * W + l] < w[i * W + l];
            if (!NAME(any)(on))
                continue;
            NAME(swap)(1, on, w + i * W, w + j * W);
            if (v)
                NAME(swap)(n, on, AT(v, n, i, 0), AT(v, n, j, 0));
        }
    for (int64_t i = 0; v && i < n; i++) {
        NAME(sign_of_largest)(n, AT(v, n, i, 0), sign);
        NAME(finish)(n, sign, nil, AT(v, n, i, 0));
    }
}

/* ---- singular values ------------------------------------------------------------------------------- */

/* One sweep of one-sided Jacobi (Hestenes 1958; Golub & Van Loan 8.6.3): makes the rows of g (n, m)
 * orthogonal to each other, and rotates those of v along. */
static bool NAME(hestenes_sweep)(int64_t n, int64_t m, T *g, T *v)
{
    const T tolerance = EPSILON * EPSILON * (T)m;
    bool moved = false;
    for (int64_t p = 0; p < n; p++)
        for (int64_t q = p + 1; q < n; q++) {
            T *x = AT(g, m, p, 0), *y = AT(g, m, q, 0);
            T xx[W], xy[W], yy[W], d[W], t[W], s[W], h[W];
            INDEX on[W];
            NAME(inner)(m, x, x, xx);
            NAME(inner)(m, x, y, xy);
            NAME(inner)(m, y, y, yy);
            EACH on[l] = ABS(xy[l]) > TINY && xy[l] * xy[l] > tolerance * (xx[l] * yy[l]);
            if (!NAME(any)(on))
                continue;
            moved = true;
            EACH d[l] = yy[l] - xx[l];
            NAME(angle)(on, d, xy, t, s, h);
            NAME(rotate)(m, s, h, x, y);
            if (v)
                NAME(rotate)(n, s, h, AT(v, n, p, 0), AT(v, n, q, 0));
        }
    return moved;
}

/* g (n, m), n <= m, becomes n orthonormal rows u with v' diag(w) u = g, w descending, v (n, n)
 * orthogonal; v NULL: only w is wanted. Rows that belong to no singular value but 0 complete the
 * others: the reflections of the rows there are give them. tau: n * W elements of scratch. The largest
 * element of each row of u (of_v: of v) is positive. */
static void NAME(singular)(int64_t n, int64_t m, T *g, T *w, T *v, bool of_v, T *tau)
{
    T nil[W], big[W], down[W], up[W], sign[W];
    EACH nil[l] = 0;
    EACH big[l] = 0;
    NAME(note_strange)(n * m, g, nil);
    NAME(largest)(n * m, g, big);
    NAME(powers)(big, down, up);
    NAME(times)(n * m, down, g);
    if (v)
        NAME(one)(n, v);
    for (int sweep = 0; sweep < NAME(SWEEPS) && NAME(hestenes_sweep)(n, m, g, v); sweep++)
        continue;
    for (int64_t i = 0; i < n; i++) {
        T *x = w + i * W;
        NAME(inner)(m, AT(g, m, i, 0), AT(g, m, i, 0), x);
        EACH x[l] = SQRT(x[l]);
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i + 1; j < n; j++) {
            INDEX on[W];
            EACH on[l] = w[j * W + l] > w[i * W + l];
            if (!NAME(any)(on))
                continue;
            NAME(swap)(1, on, w + i * W, w + j * W);
            if (v) {
                NAME(swap)(m, on, AT(g, m, i, 0), AT(g, m, j, 0));
                NAME(swap)(n, on, AT(v, n, i, 0), AT(v, n, j, 0));
            }
        }
    for (int64_t i = 0; v && i < n; i++) {
        T f[W];
        EACH f[l] = w[i * W + l] > 0 ? 1 / w[i * W + l] : 0;
        NAME(times)(m, f, AT(g, m, i, 0));
    }
    NAME(finish)(n, up, nil, w);
    if (!v)
        return;
    /* Orthonormal already where w is not 0; then R is a diagonal of signs. */
    NAME(reflect)(n, n, m, g, tau);
    T *signs = tau + n * W;
    for (int64_t i = 0; i < n; i++)
        EACH signs[i * W + l] = AT(g, m, i, i)[l] < 0 ? -1 : 1;
    NAME(unfold)(n, m, g, tau);
    for (int64_t i = 0; i < n; i++) {
        T *u = AT(g, m, i, 0), *own = AT(v, n, i, 0), f[W];
        NAME(times)(m, signs + i * W, u);
        if (of_v)
            NAME(sign_of_largest)(n, own, sign);
        else
            NAME(sign_of_largest)(m, u, sign);
        EACH f[l] = sign[l];
        NAME(finish)(m, f, nil, u);
        NAME(finish)(n, f, nil, own);
    }
}

#undef EACH
#undef AT
