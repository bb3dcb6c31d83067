/* cholesky, solve_triangular, solve, inv, det, slogdet. */
#include "ops/composite.h"
#include "prim/linalg_prims.h"

enum { MAX = LUCID_MAX_NDIM };
#define EMPTY ((lucid_tensor){NULL})

/* ---- checks -------------------------------------------------------------------------------- */

/* a as floats, when it holds square matrices. */
static lucid_tensor square(lucid_scope *s, const char *name, lucid_tensor a)
{
    if (!lucid__check(s, name, a))
        return EMPTY;
    const lucid_shape *shape = &a.v->aval.shape;
    char text[LUCID__SHAPE_TEXT];
    if (shape->ndim < 2 || shape->dim[shape->ndim - 1] != shape->dim[shape->ndim - 2])
        return lucid__error(s, LUCID_VALUE_ERROR,
                            "%s: the matrix has shape %s, expected (..., n, n)", name,
                            lucid__shape_text(shape, text, sizeof text));
    return lucid__as_float(s, a);
}

/* Whether b (..., n, k) has rows for a (..., n, n), and the batch shape that both broadcast to.
 * `vectors`: it came as (..., n). */
static bool match(lucid_scope *s, const char *name, lucid_tensor a, lucid_tensor b, bool vectors,
                  lucid_shape *batch)
{
    const lucid_shape *as = &a.v->aval.shape, *bs = &b.v->aval.shape;
    bool fits = bs->ndim >= 2 && bs->dim[bs->ndim - 2] == as->dim[as->ndim - 1];
    batch->ndim = (as->ndim > bs->ndim ? as->ndim : bs->ndim) - 2;
    for (int i = 1; fits && i <= batch->ndim; i++) {
        int64_t p = i <= as->ndim - 2 ? as->dim[as->ndim - 2 - i] : 1;
        int64_t q = i <= bs->ndim - 2 ? bs->dim[bs->ndim - 2 - i] : 1;
        fits = p == q || p == 1 || q == 1;
        batch->dim[batch->ndim - i] = p == 1 ? q : p;
    }
    char at[LUCID__SHAPE_TEXT], bt[LUCID__SHAPE_TEXT];
    lucid_shape given = *bs;
    given.ndim -= vectors;
    if (!fits)
        (void)lucid_fail(s, LUCID_VALUE_ERROR,
                         "%s: shapes %s and %s do not fit: expected (..., n, n) and (..., n%s)",
                         name, lucid__shape_text(as, at, sizeof at),
                         lucid__shape_text(&given, bt, sizeof bt), vectors ? "" : ", k");
    return fits;
}

/* ---- one matrix, or one per right-hand side ----------------------------------------------------- */

static lucid_tensor with_batch(lucid_scope *s, lucid_tensor x, const lucid_shape *batch)
{
    lucid_shape shape = *batch;
    const lucid_shape *own = &x.v->aval.shape;
    shape.dim[shape.ndim++] = own->dim[own->ndim - 2];
    shape.dim[shape.ndim++] = own->dim[own->ndim - 1];
    return lucid_expand(s, x, shape);
}

/* Applies triangular_solve or solve. One matrix for a whole batch of right-hand sides has them as
 * columns: (..., n, k) goes in as (n, ... * k). */
static lucid_tensor apply(lucid_scope *s, const char *name, lucid__prim_id prim, lucid_tensor a,
                          lucid_tensor b, bool vectors, const int64_t *params, int nparams)
{
    lucid_shape batch;
    lucid_tensor in[2] = {a, b};
    if (!lucid__ok(s) || !lucid__promote(s, name, in, 2) ||
        !match(s, name, in[0], in[1], vectors, &batch))
        return EMPTY;
    int nb = batch.ndim;
    if (lucid_ndim(a) > 2 || nb == 0) {
        in[0] = with_batch(s, in[0], &batch);
        in[1] = with_batch(s, in[1], &batch);
        return lucid__bind1(s, prim, in, 2, params, nparams);
    }
    lucid_tensor rows_first = lucid_movedim(s, in[1], -2, 0);
    if (!rows_first.v)
        return EMPTY;
    const lucid_shape apart = rows_first.v->aval.shape;
    int64_t columns = 1;
    for (int i = 1; i < apart.ndim; i++)
        columns = lucid__times(columns, apart.dim[i]);
    in[1] = lucid_reshape(s, rows_first, (lucid_shape){2, {apart.dim[0], columns}});
    lucid_tensor x = lucid__bind1(s, prim, in, 2, params, nparams);
    return lucid_movedim(s, lucid_reshape(s, x, apart), 0, -2);
}

/* ---- builders ------------------------------------------------------------------------------ */

lucid_tensor lucid_cholesky(lucid_scope *s, lucid_tensor x)
{
    x = square(s, "cholesky", x);
    return lucid__ok(s) ? lucid__bind1(s, LUCID__cholesky, &x, 1, NULL, 0) : EMPTY;
}

lucid_tensor lucid_solve_triangular(lucid_scope *s, lucid_tensor a, lucid_tensor b, bool upper,
                                    bool unit_diagonal)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "solve_triangular", a))
        return EMPTY;
    a = square(&t, "solve_triangular", a);
    if (!lucid__check(&t, "solve_triangular", b))
        return lucid__leave(&t, EMPTY);
    const int64_t params[3] = {upper, false, unit_diagonal};
    return lucid__leave(
        &t, apply(&t, "solve_triangular", LUCID__triangular_solve, a, b, false, params, 3));
}

/* b is one vector, or a batch of them shaped like a without its last dim. */
static bool is_vectors(lucid_tensor a, lucid_tensor b)
{
    const lucid_shape *as = &a.v->aval.shape, *bs = &b.v->aval.shape;
    const lucid_shape rows = lucid__shape_remove(as, as->ndim - 1);
    return bs->ndim == 1 || lucid__shape_equal(&rows, bs);
}

lucid_tensor lucid_solve(lucid_scope *s, lucid_tensor a, lucid_tensor b)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "solve", a))
        return EMPTY;
    a = square(&t, "solve", a);
    if (!lucid__check(&t, "solve", b) || !a.v)
        return lucid__leave(&t, EMPTY);
    bool vectors = is_vectors(a, b);
    if (vectors)
        b = lucid_unsqueeze(&t, b, -1);
    lucid_tensor x = apply(&t, "solve", LUCID__solve, a, b, vectors, NULL, 0);
    return lucid__leave(&t, vectors ? lucid_squeeze(&t, x, LUCID_DIMS(-1)) : x);
}

lucid_tensor lucid_inv(lucid_scope *s, lucid_tensor a)
{
    a = square(s, "inv", a);
    return lucid__ok(s) ? lucid__bind1(s, LUCID__inv, &a, 1, NULL, 0) : EMPTY;
}

/* Up to 3 x 3 as a polynomial of the elements, whose derivatives of any order are right at singular
 * matrices too:  a d - b c,  and the first row times the cross product of the others. */
static lucid_tensor small_det(lucid_scope *s, lucid_tensor a, int64_t n)
{
    lucid_tensor row[3];
    for (int64_t i = 0; i < n; i++)
        row[i] = lucid_select(s, a, -2, i);
    if (n == 1)
        return lucid_select(s, row[0], -1, 0);
    if (n == 2) {
        lucid_tensor terms = lucid_mul(s, row[0], lucid_flip(s, row[1], LUCID_DIMS(-1)));
        return lucid_sub(s, lucid_select(s, terms, -1, 0), lucid_select(s, terms, -1, 1));
    }
    /* With r(x)[i] = x[i + 1] (mod 3), the cross product of x and y is r(x r(y) - y r(x)). */
    lucid_tensor cross = lucid_sub(s, lucid_mul(s, row[1], lucid_roll(s, row[2], -1, -1)),
                                   lucid_mul(s, row[2], lucid_roll(s, row[1], -1, -1)));
    return lucid_sum(s, lucid_mul(s, lucid_roll(s, row[0], 1, -1), cross), LUCID_DIMS(-1));
}

/* The diagonal of U, and the sign of the row exchanges. */
static lucid_tensor lu_diagonal(lucid_scope *s, lucid_tensor a, lucid_tensor *sign)
{
    lucid_tensor out[LUCID__MAX_OUTPUTS] = {EMPTY};
    const lucid__call c = {.prim = LUCID__lu, .nin = 1, .in = &a};
    *sign = EMPTY;
    if (!lucid__ok(s))
        return EMPTY;
    lucid__bind(s, &c, out);
    *sign = out[2];
    return lucid_diagonal(s, out[0], 0, -2, -1);
}

lucid_tensor lucid_det(lucid_scope *s, lucid_tensor a)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "det", a))
        return EMPTY;
    a = square(&t, "det", a);
    int64_t n = lucid_size(a, -1);
    if (lucid__ok(&t) && n >= 1 && n <= 3)
        return lucid__leave(&t, small_det(&t, a, n));
    return lucid__leave(&t, lucid__ok(&t) ? lucid__bind1(&t, LUCID__det, &a, 1, NULL, 0) : EMPTY);
}

lucid_tensor lucid_slogdet(lucid_scope *s, lucid_tensor a, lucid_tensor *sign)
{
    lucid_scope t;
    if (sign)
        *sign = EMPTY;
    if (!lucid__enter(&t, s, "slogdet", a))
        return EMPTY;
    a = square(&t, "slogdet", a);
    lucid_tensor exchanges, diagonal = lu_diagonal(&t, a, &exchanges);
    lucid_tensor logs = lucid_log(&t, lucid_abs(&t, diagonal));
    if (sign) {
        lucid_tensor signs = lucid_prod(&t, lucid_sign(&t, diagonal), LUCID_DIMS(-1));
        *sign = lucid_mul(&t, exchanges, signs);
        *sign = lucid__ok(&t) ? lucid__scope_move(&t, *sign) : EMPTY;
    }
    return lucid__leave(&t, lucid_sum(&t, logs, LUCID_DIMS(-1)));
}
