/* The gradient of a function of one example, for every example of a batch.
 *
 *     cc per_sample_gradient.c $(pkg-config --cflags --libs lucid) -o per_sample_gradient
 */
#include <stdio.h>

#include <lucid.h>

/* f(x) = sum of x_i^2, written for ONE example. Its gradient is 2 x. */
static lucid_status square_sum(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                               size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_sum(s, lucid_square(s, x[0]), LUCID_ALL);
    return LUCID_OK;
}

int main(void)
{
    lucid_scope *s = lucid_open(NULL);
    if (!s)
        return 1;
    lucid_tensor X = lucid_randn(s, LUCID_SHAPE(32, 4));

    lucid_fn f = lucid_fn_new(s, square_sum, 1, NULL);
    lucid_fn g = lucid_vmap(s, lucid_grad(s, f, NULL), NULL); /* NULL: the default options */
    lucid_tensor G = lucid_call1(s, g, X);
    lucid_print(s, G); /* (32, 4) */

    lucid_tensor error = lucid_abs(s, lucid_sub(s, G, lucid_mul(s, X, lucid_scalar(s, 2))));
    double largest = lucid_item(s, lucid_amax(s, error, LUCID_ALL));
    printf("largest difference from 2 X: %g\n", largest);

    /* Nothing above was checked on the way: the first error sticks to the scope. */
    if (lucid_error(s))
        fprintf(stderr, "lucid: %s\n", lucid_error_message(s));
    return lucid_close(s) != LUCID_OK || !(largest == 0);
}
