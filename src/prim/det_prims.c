/* det, and what its derivatives need at matrices that are singular or nearly so.
 *
 * d det(A) = tr(adj(A) dA). The adjugate is a polynomial of the elements, but as det(A) A^-1 it divides by
 * zero at a singular A. So up to three of the smallest singular values are raised by a constant change of
 * rank three, B = A + X Y': then det(A) = det(B) det(K), K = I - Y' B^-1 X (3, 3), the matrix determinant
 * lemma, in which nothing is divided by what is small, and both factors are differentiated as often as
 * wanted. Where more than three singular values are zero, det, its gradient, its Hessian and its third
 * derivative all are. */
#include "prim/linalg_prims.h"

enum { RAISED = 3 }; /* singular values at most */

/* What det_border says of a matrix, in the last dim of its third output. */
typedef enum border_number {
    RATIO = 0,           /* of the raised singular values: before / after; 1 where none is raised */
    SCALE = RAISED,      /* what the matrix is multiplied with, a power of two; 0: it is left out */
    REST = RAISED + 1,   /* times the identity is added: 1 where the matrix is left out, else 0 */
    FACTOR = RAISED + 2, /* SCALE^(1 - n); 0 where the matrix is left out */
    NUMBERS = RAISED + 3,
} border_number;

static lucid_tensor turned(lucid_scope *s, lucid_tensor x)
{
    return lucid_transpose(s, x, -1, -2);
}

/* ---- det_border: outputs X (n, 3), Y (n, 3) and the numbers above --------------------------------- */

static bool det_border_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                             lucid__aval *out)
{
    (void)s, (void)c;
    int last = in->shape.ndim - 1;
    out[0] = out[1] = *in;
    out[0].shape.dim[last] = out[1].shape.dim[last] = RAISED;
    out[2] = (lucid__aval){in->dtype, lucid__shape_remove(&in->shape, last)};
    out[2].shape.dim[last - 1] = NUMBERS;
    return true;
}

static const lucid__sample det_border_samples[] = {
    {1, 0, {{LUCID_FLOAT64, "wellcond", {2, {4, 4}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "wellcond", {3, {2, 3, 3}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "normal", {3, {0, 4, 4}}}}, {0}},
    {1, 0, {{LUCID_FLOAT32, "wellcond", {2, {5, 5}}}}, {0}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_det_border = {
    .infer = det_border_infer,
    .zero_derivative = true,
    .samples = det_border_samples,
    .doc =
        "The change of rank three, X Y', that makes a nearly singular matrix regular; zeros for a "
        "regular one.",
};

/* ---- det ------------------------------------------------------------------------------------------ */

static bool det_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in, lucid__aval *out)
{
    (void)s, (void)c;
    int last = in->shape.ndim - 1;
    *out = (lucid__aval){in->dtype, lucid__shape_remove(&in->shape, last)};
    out->shape = lucid__shape_remove(&out->shape, last - 1);
    return true;
}

/* Number k (..., 1, 1). */
static lucid_tensor number_of(lucid_scope *s, lucid_tensor numbers, int64_t k)
{
    return lucid_unsqueeze(s, lucid_slice(s, numbers, -1, k, k + 1, 1), -1);
}

/* The cofactors of k (3, 3), whose rows are the cross products of the two others. *det (1, 1). */
static lucid_tensor cofactors_of_three(lucid_scope *s, lucid_tensor k, lucid_tensor *det)
{
    lucid_tensor one = lucid_roll(s, k, -1, -2), two = lucid_roll(s, k, -2, -2);
    lucid_tensor left = lucid_mul(s, lucid_roll(s, one, -1, -1), lucid_roll(s, two, -2, -1));
    lucid_tensor right = lucid_mul(s, lucid_roll(s, one, -2, -1), lucid_roll(s, two, -1, -1));
    lucid_tensor cofactors = lucid_sub(s, left, right);
    lucid_tensor row =
        lucid_mul(s, lucid_slice(s, k, -2, 0, 1, 1), lucid_slice(s, cofactors, -2, 0, 1, 1));
    *det = lucid_sum(s, row, LUCID_DIMS_KEEP(-1));
    return cofactors;
}

/* The transpose of the adjugate of a, right at singular matrices as are its derivatives:
 * adj(A) = det(B) (det(K) B^-1 + B^-1 X adj(K) Y' B^-1). */
static lucid_tensor cofactors(lucid_scope *s, lucid_tensor a)
{
    const lucid_tensor constant = lucid_detach(s, a);
    lucid_tensor border[LUCID__MAX_OUTPUTS] = {{NULL}};
    const lucid__call c = {.prim = LUCID__det_border, .nin = 1, .in = &constant};
    if (!lucid__ok(s))
        return (lucid_tensor){NULL};
    lucid__bind(s, &c, border);
    lucid_tensor x = border[0], y = border[1], numbers = border[2];
    int64_t n = lucid_size(a, -1);
    lucid_dtype dtype = lucid_dtype_of(a);
    lucid_tensor b = lucid_add(s, lucid_mul(s, a, number_of(s, numbers, SCALE)),
                               lucid_matmul(s, x, turned(s, y)));
    b = lucid_add(
        s, b, lucid_mul(s, lucid_cast(s, lucid_eye(s, n, n), dtype), number_of(s, numbers, REST)));
    lucid_tensor inverse = lucid_inv(s, b), det_b = lucid__bind1(s, LUCID__det, &b, 1, NULL, 0);
    lucid_tensor right = lucid_matmul(s, inverse, x);
    lucid_tensor left = lucid_matmul(s, turned(s, y), inverse);
    /* The value of K is known better than by this difference: it is diagonal. */
    lucid_tensor one = lucid_cast(s, lucid_eye(s, RAISED, RAISED), dtype);
    lucid_tensor moved = lucid_matmul(s, turned(s, y), right);
    lucid_tensor ratios = lucid_unsqueeze(s, lucid_slice(s, numbers, -1, RATIO, RAISED, 1), -1);
    lucid_tensor k =
        lucid_add(s, lucid_sub(s, lucid_detach(s, moved), moved), lucid_mul(s, one, ratios));
    lucid_tensor det_k, of_k = cofactors_of_three(s, k, &det_k);
    lucid_tensor factor = lucid_mul(s, number_of(s, numbers, FACTOR),
                                    lucid_unsqueeze(s, lucid_unsqueeze(s, det_b, -1), -1));
    lucid_tensor raised = lucid_matmul(s, right, lucid_matmul(s, turned(s, of_k), left));
    return turned(s, lucid_mul(s, lucid_add(s, lucid_mul(s, inverse, det_k), raised), factor));
}

static void det_jvp(lucid_scope *s, const lucid__call *c, const lucid_tensor *y,
                    const lucid_tensor *dx, lucid_tensor *dy)
{
    (void)y;
    if (lucid_size(c->in[0], -1) == 0)
        return; /* 1, whatever the matrix is */
    dy[0] = lucid_sum(s, lucid_mul(s, dx[0], cofactors(s, c->in[0])), LUCID_DIMS(-2, -1));
}

static const lucid__sample det_samples[] = {
    {1, 0, {{LUCID_FLOAT64, "wellcond", {2, {4, 4}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "wellcond", {3, {2, 3, 3}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "normal", {2, {1, 1}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "normal", {2, {0, 0}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "normal", {3, {0, 4, 4}}}}, {0}},
    {1, 0, {{LUCID_FLOAT32, "wellcond", {2, {5, 5}}}}, {0}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_det = {
    .infer = det_infer,
    .jvp = det_jvp,
    .why_not = "it is not linear",
    .samples = det_samples,
    .doc = "The determinant, by LU with partial pivoting. Derivatives are right at singular "
           "matrices, too.",
};
