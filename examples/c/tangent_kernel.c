/* The neural tangent kernel of a net (Jacot, Gabriel, Hongler 2018), two ways: from the Jacobians of the
 * net by its parameters, and from products with them, which keeps no Jacobian.
 *
 *     cc tangent_kernel.c $(pkg-config --cflags --libs lucid) -o tangent_kernel
 */
#include <stdio.h>

#include <lucid.h>

enum { INPUTS = 3, WIDTH = 64, OUTPUTS = 2, N1 = 4, N2 = 5 };

/* The parameters come first: weight0 (WIDTH, INPUTS), weight1 (OUTPUTS, WIDTH). */
enum { PARAMETERS = 2 };

/* ONE input (INPUTS) to (OUTPUTS). in: the parameters, x. */
static lucid_status predict(lucid_scope *s, const lucid_tensor *in, size_t nin, lucid_tensor *out,
                            size_t nout, void *user)
{
    (void)nin, (void)nout, (void)user;
    lucid_tensor hidden = lucid_tanh(s, lucid_matmul(s, in[0], in[PARAMETERS]));
    out[0] = lucid_matmul(s, in[1], hidden);
    return LUCID_OK;
}

/* ---- from Jacobians ------------------------------------------------------------------------------ */

/* Of every input of a batch: J[k] has the shape (n, OUTPUTS) + that of parameter k. */
static lucid_status jacobians(lucid_scope *s, const lucid_tensor *net, lucid_tensor x,
                              lucid_tensor *J)
{
    lucid_fn f = lucid_fn_new(s, predict, 1, NULL);
    f = lucid_jacrev(s, f, &(lucid_grad_options){.argnums = LUCID_INTS(0, 1)});
    f = lucid_vmap(s, f, &(lucid_vmap_options){.in_dims = LUCID_INTS(LUCID_NONE, LUCID_NONE, 0)});
    const lucid_tensor in[] = {net[0], net[1], x};
    return lucid_call(s, f, in, PARAMETERS + 1, J, PARAMETERS);
}

/* (N1, N2, OUTPUTS, OUTPUTS) */
static lucid_tensor kernel_by_jacobians(lucid_scope *s, const lucid_tensor *net, lucid_tensor x1,
                                        lucid_tensor x2)
{
    lucid_tensor J1[PARAMETERS], J2[PARAMETERS], kernel = lucid_scalar(s, 0);
    (void)jacobians(s, net, x1, J1);
    (void)jacobians(s, net, x2, J2);
    for (int k = 0; k < PARAMETERS && lucid_error(s) == LUCID_OK; k++) {
        const lucid_tensor pair[] = {J1[k], J2[k]};
        kernel = lucid_add(s, kernel, lucid_einsum(s, "aoij,bpij->abop", pair, 2));
    }
    return kernel;
}

/* ---- from products ------------------------------------------------------------------------------- */

/* The net as a function of its parameters alone, at the x in `user`. */
static lucid_status predict_at(lucid_scope *s, const lucid_tensor *net, size_t n, lucid_tensor *out,
                               size_t nout, void *user)
{
    (void)n;
    const lucid_tensor in[] = {net[0], net[1], *(lucid_tensor *)user};
    return predict(s, in, PARAMETERS + 1, out, nout, NULL);
}

/* What a column of the kernel of one pair needs: the net, its input on the left, and the pullback at the
 * one on the right. */
typedef struct pair {
    const lucid_tensor *net;
    lucid_tensor left;
    lucid_fn pullback;
} pair;

/* J1 (J2^T unit). */
static lucid_status column(lucid_scope *s, const lucid_tensor *unit, size_t n, lucid_tensor *out,
                           size_t nout, void *user)
{
    (void)n, (void)nout;
    pair *p = user;
    lucid_tensor direction[PARAMETERS], y;
    if (lucid_call(s, p->pullback, unit, 1, direction, PARAMETERS))
        return lucid_error(s);
    lucid_fn f = lucid_fn_new(s, predict_at, 1, &p->left);
    return lucid_jvp(s, f, p->net, direction, PARAMETERS, &y, out, 1);
}

/* ONE pair of inputs: (OUTPUTS, OUTPUTS). in: the parameters, left, right. */
static lucid_status kernel_of_pair(lucid_scope *s, const lucid_tensor *in, size_t nin,
                                   lucid_tensor *out, size_t nout, void *user)
{
    (void)nin, (void)nout, (void)user;
    lucid_tensor right = in[PARAMETERS + 1], y;
    lucid_fn f = lucid_fn_new(s, predict_at, 1, &right);
    pair p = {in, in[PARAMETERS], lucid_vjp(s, f, in, PARAMETERS, &y, 1)};
    lucid_fn columns = lucid_vmap(s, lucid_fn_new(s, column, 1, &p),
                                  &(lucid_vmap_options){.out_dims = LUCID_INTS(1)});
    out[0] = lucid_call1(s, columns, lucid_eye(s, OUTPUTS, OUTPUTS));
    return lucid_error(s);
}

/* All pairs: one vmap over the inputs on the right in one over those on the left. */
static lucid_tensor kernel_by_products(lucid_scope *s, const lucid_tensor *net, lucid_tensor x1,
                                       lucid_tensor x2)
{
    lucid_fn f = lucid_fn_new(s, kernel_of_pair, 1, NULL);
    f = lucid_vmap(
        s, f, &(lucid_vmap_options){.in_dims = LUCID_INTS(LUCID_NONE, LUCID_NONE, LUCID_NONE, 0)});
    f = lucid_vmap(
        s, f, &(lucid_vmap_options){.in_dims = LUCID_INTS(LUCID_NONE, LUCID_NONE, 0, LUCID_NONE)});
    const lucid_tensor in[] = {net[0], net[1], x1, x2};
    lucid_tensor kernel = {NULL};
    (void)lucid_call(s, f, in, PARAMETERS + 2, &kernel, 1);
    return kernel;
}

int main(void)
{
    lucid_scope *s = lucid_open(NULL);
    if (!s)
        return 1;
    const lucid_tensor net[PARAMETERS] = {
        lucid_randn_of(s, LUCID_SHAPE(WIDTH, INPUTS), LUCID_FLOAT64),
        lucid_randn_of(s, LUCID_SHAPE(OUTPUTS, WIDTH), LUCID_FLOAT64),
    };
    lucid_tensor x1 = lucid_randn_of(s, LUCID_SHAPE(N1, INPUTS), LUCID_FLOAT64);
    lucid_tensor x2 = lucid_randn_of(s, LUCID_SHAPE(N2, INPUTS), LUCID_FLOAT64);

    lucid_tensor a = kernel_by_jacobians(s, net, x1, x2), b = kernel_by_products(s, net, x1, x2);
    lucid_tensor difference = lucid_abs(s, lucid_sub(s, a, b));
    double largest = lucid_item(s, lucid_amax(s, lucid_abs(s, a), LUCID_ALL));
    double error = lucid_item(s, lucid_amax(s, difference, LUCID_ALL));
    printf("kernel (%d, %d, %d, %d), of the first pair:\n", N1, N2, OUTPUTS, OUTPUTS);
    lucid_print(s, lucid_select(s, lucid_select(s, a, 0, 0), 0, 0));
    printf("largest element %.2f, difference between the two ways %.1e\n", largest, error);

    if (lucid_error(s))
        fprintf(stderr, "lucid: %s\n", lucid_error_message(s));
    return lucid_close(s) != LUCID_OK || !(largest > 1 && error < 1e-10 * largest);
}
