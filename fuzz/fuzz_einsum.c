/* Bytes are operand shapes and an equation. einsum must refuse it or agree with the definition: the
 * sum over all values of all letters of the product of the operands. */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "fuzz_input.h"
#include "support/host_array.h"
#include "support/samples.h"

enum { OPERANDS = 3, LETTERS = 26 * 2 };

static int letter(char c)
{
    return islower((unsigned char)c) ? c - 'a' : isupper((unsigned char)c) ? c - 'A' + 26 : -1;
}

typedef struct reference {
    size_t n;
    const host_array *x;
    char labels[OPERANDS + 1][128]; /* the last: of the output */
    int64_t size[LETTERS];          /* of those not used: 1 */
} reference;

/* False: "..." or something else that the reference does not speak of. */
static bool parse(reference *r, const char *equation)
{
    size_t k = 0, used = 0;
    bool arrow = false;
    int count[LETTERS] = {0};
    for (const char *c = equation; *c; c++) {
        if (isspace((unsigned char)*c))
            continue;
        if (*c == ',' || (*c == '-' && c[1] == '>')) {
            arrow |= *c == '-';
            c += *c == '-';
            used = 0;
            k = arrow ? r->n : k + 1;
        } else if (letter(*c) >= 0 && used < 100 && k <= r->n) {
            r->labels[k][used++] = *c;
            count[letter(*c)] += !arrow;
        } else {
            return false;
        }
    }
    /* Without an arrow: the letters that appear once, in alphabetical order, capitals first. */
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    used = 0;
    for (const char *c = alphabet; !arrow && *c; c++)
        if (count[letter(*c)] == 1)
            r->labels[r->n][used++] = *c;
    for (size_t i = 0; i < r->n; i++)
        for (int d = 0; d < r->x[i].shape.ndim; d++) {
            int64_t *size = &r->size[letter(r->labels[i][d])];
            int64_t here = r->x[i].shape.dim[d];
            *size = *size == 1 ? here : *size; /* a size of 1 broadcasts */
        }
    return true;
}

/* The position in an operand (or output) at these values of the letters. */
static int64_t position(const reference *r, const char *labels, const lucid_shape *shape,
                        const int64_t *at)
{
    int64_t p = 0;
    for (int d = 0; d < shape->ndim; d++)
        p = p * shape->dim[d] + (shape->dim[d] == 1 ? 0 : at[letter(labels[d])]);
    (void)r;
    return p;
}

static void sum_products(const reference *r, host_array *out)
{
    int64_t at[LETTERS] = {0};
    for (int l = 0; l < LETTERS; l++)
        if (r->size[l] == 0)
            return; /* nothing to sum */
    for (;;) {
        double product = 1;
        for (size_t i = 0; i < r->n; i++)
            product *= r->x[i].at[position(r, r->labels[i], &r->x[i].shape, at)];
        out->at[position(r, r->labels[r->n], &out->shape, at)] += product;
        int l = 0;
        while (l < LETTERS && ++at[l] >= r->size[l])
            at[l++] = 0;
        if (l == LETTERS)
            return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_bytes b = {data, size};
    size_t n = 1 + (size_t)fuzz_below(&b, OPERANDS), mark = host_mark();
    host_array x[OPERANDS];
    lucid_tensor in[OPERANDS];
    char equation[64];
    lucid_scope *s = lucid_open(NULL);
    for (size_t i = 0; i < n; i++) {
        lucid_shape shape = {.ndim = fuzz_below(&b, 4)};
        for (int d = 0; d < shape.ndim; d++)
            shape.dim[d] = fuzz_below(&b, 4);
        test_rng rng = rng_of(1, i, 0);
        x[i] = sample_input(&(lucid__sample_input){LUCID_FLOAT64, "normal", shape}, &rng);
        in[i] = host_to_tensor(s, &x[i]);
    }
    size_t length = b.left < sizeof equation - 1 ? b.left : sizeof equation - 1;
    memcpy(equation, b.at, length);
    equation[length] = '\0';
    lucid_tensor y = lucid_einsum(s, equation, in, n);
    bool accepted = lucid_error(s) == LUCID_OK;
    FUZZ_CHECK(accepted == !lucid_is_empty_handle(y), "an empty result without an error");
    FUZZ_CHECK(accepted || strncmp(lucid_error_message(s), "einsum", 6) == 0,
               "einsum \"%s\" fails with \"%s\"", equation, lucid_error_message(s));
    if (accepted) {
        host_array got = host_from_tensor(s, y);
        FUZZ_CHECK(lucid_error(s) == LUCID_OK, "einsum \"%s\": %s", equation,
                   lucid_error_message(s));
        reference r = {.n = n, .x = x};
        for (int l = 0; l < LETTERS; l++)
            r.size[l] = 1;
        if (parse(&r, equation)) {
            host_array want = host_like(&got);
            sum_products(&r, &want);
            for (int64_t i = 0; i < got.n; i++)
                FUZZ_CHECK(fabs(got.at[i] - want.at[i]) <= 1e-9 * (1 + fabs(want.at[i])),
                           "einsum \"%s\", element %lld: %g, expected %g", equation, (long long)i,
                           got.at[i], want.at[i]);
        }
    }
    (void)lucid_close(s);
    host_release(mark);
    return 0;
}
