#include "support/samples.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dtype.h"
#include "prim/family.h"

/* ---- random numbers: splitmix64 (Steele, Lea, Flood 2014) ------------------------------------- */

uint64_t rng_next(test_rng *r)
{
    uint64_t z = r->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

int64_t rng_below(test_rng *r, int64_t n)
{
    return n > 0 ? (int64_t)(rng_next(r) % (uint64_t)n) : 0;
}

double rng_uniform(test_rng *r, double low, double high)
{
    return low + (high - low) * (double)(rng_next(r) >> 11) * 0x1p-53;
}

double rng_normal(test_rng *r)
{
    double u = 1 - rng_uniform(r, 0, 1), v = rng_uniform(r, 0, 1);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

test_rng rng_of(uint64_t seed, uint64_t part, uint64_t lane)
{
    test_rng r = {seed};
    r.state = rng_next(&r) ^ (part + 1) * UINT64_C(0xD6E8FEB86659FD93);
    r.state = rng_next(&r) ^ (lane + 1) * UINT64_C(0xA5A3564E27F8A10D);
    return r;
}

/* ---- elements one by one ---------------------------------------------------------------------- */

static double draw_nonzero(test_rng *r)
{
    double x = rng_normal(r);
    return x < 0 ? x - 0.3 : x + 0.3;
}

static double draw_bits(test_rng *r)
{
    return (double)(rng_next(r) >> 32);
}

typedef struct fill_rule {
    const char *name;
    double low, high;              /* uniform, when draw is NULL */
    double (*draw)(test_rng *rng); /* NULL: uniform */
    bool whole;
} fill_rule;

static const fill_rule fills[] = {
    {"normal", 0, 0, rng_normal, false}, {"positive", 0.2, 2, NULL, false},
    {"unit", -0.9, 0.9, NULL, false},    {"probability", 0.02, 0.98, NULL, false},
    {"above_one", 1.2, 3, NULL, false},  {"nonzero", 0, 0, draw_nonzero, false},
    {"bool", 0, 2, NULL, true},          {"integers", -5, 6, NULL, true},
    {"nonneg", 0, 6, NULL, true},        {"shift", 0, 8, NULL, true},
    {"bits", 0, 0, draw_bits, true},     {"zeros", 0, 0, NULL, false},
    {"ones", 1, 1, NULL, false},
};

static double draw(const fill_rule *f, lucid_dtype dtype, test_rng *r)
{
    double x = f->draw ? f->draw(r) : rng_uniform(r, f->low, f->high);
    if (f->whole)
        return floor(x);
    if (lucid__is_float(dtype))
        return host_round(dtype, x);
    x = f->low == f->high && f->draw == NULL ? x : round(x * 1.5);
    return strcmp(f->name, "nonzero") == 0 && x == 0 ? 1 : x;
}

/* ---- whole arrays ----------------------------------------------------------------------------- */

static void shuffle(double *x, int64_t n, test_rng *r)
{
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = rng_below(r, i + 1);
        double t = x[i];
        x[i] = x[j];
        x[j] = t;
    }
}

static void fill_distinct(host_array *a, test_rng *r)
{
    bool whole = !lucid__is_float(a->dtype);
    for (int64_t i = 0; i < a->n; i++) {
        int64_t half = a->n / 2;
        double rank = (double)(i - half);
        a->at[i] = whole ? rank : host_round(a->dtype, 0.5 * rank + rng_uniform(r, 0.1, 0.2));
    }
    shuffle(a->at, a->n, r);
}

static void fill_permutations(host_array *a, int64_t n, test_rng *r)
{
    int64_t row = a->shape.ndim > 0 ? a->shape.dim[a->shape.ndim - 1] : 1;
    double *order = calloc((size_t)n + 1, sizeof *order);
    for (int64_t at = 0; order && at < a->n; at += row) {
        for (int64_t i = 0; i < n; i++)
            order[i] = (double)i;
        shuffle(order, n, r);
        for (int64_t i = 0; i < row; i++)
            a->at[at + i] = order[i % n];
    }
    free(order);
}

typedef enum matrix_kind { SPD, TRIL, TRIU, WELLCOND } matrix_kind;

static void fill_matrix(double *m, int64_t rows, int64_t cols, matrix_kind kind, test_rng *r)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++) {
            bool zero = (kind == TRIL && j > i) || (kind == TRIU && j < i);
            double x = 0.5 * rng_normal(r), diagonal = rng_uniform(r, 1, 2);
            if (kind == WELLCOND)
                diagonal = x + (x < 0 ? -2 : 2);
            m[i * cols + j] = zero ? 0 : i == j ? diagonal : x;
        }
    if (kind != SPD)
        return;
    double *product = calloc((size_t)(rows * cols) + 1, sizeof *product);
    for (int64_t i = 0; product && i < rows; i++)
        for (int64_t j = 0; j < cols; j++) {
            product[i * cols + j] = i == j ? 0.5 : 0;
            for (int64_t k = 0; k < cols; k++)
                product[i * cols + j] += m[i * cols + k] * m[j * cols + k];
        }
    for (int64_t i = 0; product && i < rows * cols; i++)
        m[i] = product[i];
    free(product);
}

static void fill_matrices(host_array *a, matrix_kind kind, test_rng *r)
{
    int ndim = a->shape.ndim;
    if (ndim < 2 || a->n == 0)
        return;
    int64_t rows = a->shape.dim[ndim - 2], cols = a->shape.dim[ndim - 1];
    for (int64_t at = 0; at < a->n; at += rows * cols)
        fill_matrix(a->at + at, rows, cols, kind, r);
    for (int64_t i = 0; i < a->n; i++)
        a->at[i] = host_round(a->dtype, a->at[i]);
}

static const struct {
    const char *name;
    matrix_kind kind;
} matrices[] = {{"spd", SPD}, {"tril", TRIL}, {"triu", TRIU}, {"wellcond", WELLCOND}};

/* The number after the colon when fill starts with name and one; -1: it does not. */
static int64_t count_after(const char *fill, const char *name)
{
    size_t length = strlen(name);
    if (strncmp(fill, name, length) != 0 || fill[length] != ':')
        return -1;
    return strtoll(fill + length + 1, NULL, 10);
}

/* False: the name is unknown. a NULL only asks. */
static bool fill_array(const char *fill, host_array *a, test_rng *r)
{
    for (size_t k = 0; k < sizeof fills / sizeof *fills; k++)
        if (strcmp(fill, fills[k].name) == 0) {
            for (int64_t i = 0; a && i < a->n; i++)
                a->at[i] = draw(&fills[k], a->dtype, r);
            return true;
        }
    for (size_t k = 0; k < sizeof matrices / sizeof *matrices; k++)
        if (strcmp(fill, matrices[k].name) == 0) {
            if (a)
                fill_matrices(a, matrices[k].kind, r);
            return true;
        }
    if (strcmp(fill, "distinct") == 0) {
        if (a)
            fill_distinct(a, r);
        return true;
    }
    int64_t n = count_after(fill, "permutation");
    if (n > 0) {
        if (a)
            fill_permutations(a, n, r);
        return true;
    }
    n = count_after(fill, "index");
    for (int64_t i = 0; a && n > 0 && i < a->n; i++)
        a->at[i] = (double)(rng_below(r, n) - (rng_below(r, 4) == 0 ? n : 0));
    return n > 0;
}

bool sample_fill_known(const char *fill)
{
    return fill && fill_array(fill, NULL, NULL);
}

host_array sample_input(const lucid__sample_input *input, test_rng *rng)
{
    host_array a = host_new(input->dtype, input->shape);
    if (!input->fill || !fill_array(input->fill, &a, rng)) {
        (void)fprintf(stderr, "samples: no fill is called \"%s\"\n",
                      input->fill ? input->fill : "(null)");
        abort();
    }
    return a;
}

/* ---- samples of elementwise primitives by class ----------------------------------------------- */

#define FLOAT_UNARY \
    {1, 0, {{LUCID_FLOAT64, "normal", {2, {2, 3}}}}, {0}}, \
        {1, 0, {{LUCID_FLOAT64, "normal", {0, {0}}}}, {0}}, \
        {1, 0, {{LUCID_FLOAT64, "normal", {2, {0, 3}}}}, {0}}, \
    { \
        1, 0, {{LUCID_FLOAT32, "normal", {1, {5}}}}, \
        { \
            0 \
        } \
    }
#define UNARY(dtype, fill) \
    { \
        1, 0, {{dtype, fill, {2, {2, 3}}}}, \
        { \
            0 \
        } \
    }
#define FLOAT_BINARY \
    {2, \
     0, \
     {{LUCID_FLOAT64, "distinct", {2, {2, 3}}}, {LUCID_FLOAT64, "nonzero", {2, {2, 3}}}}, \
     {0}}, \
        {2, 0, {{LUCID_FLOAT64, "normal", {0, {0}}}, {LUCID_FLOAT64, "nonzero", {0, {0}}}}, {0}}, \
        {2, 0, {{LUCID_FLOAT64, "normal", {1, {0}}}, {LUCID_FLOAT64, "nonzero", {1, {0}}}}, {0}}, \
    { \
        2, 0, {{LUCID_FLOAT32, "normal", {1, {5}}}, {LUCID_FLOAT32, "nonzero", {1, {5}}}}, \
        { \
            0 \
        } \
    }
#define BINARY(dtype, fill) \
    { \
        2, 0, {{dtype, fill, {2, {2, 3}}}, {dtype, fill, {2, {2, 3}}}}, \
        { \
            0 \
        } \
    }

static const lucid__sample unary_float[] = {FLOAT_UNARY, LUCID__END_OF_SAMPLES};
static const lucid__sample unary_any[] = {FLOAT_UNARY, UNARY(LUCID_INT64, "integers"),
                                          UNARY(LUCID_INT32, "integers"), LUCID__END_OF_SAMPLES};
static const lucid__sample unary_logic[] = {UNARY(LUCID_BOOL, "bool"), LUCID__END_OF_SAMPLES};
static const lucid__sample unary_bits[] = {UNARY(LUCID_INT64, "integers"),
                                           UNARY(LUCID_BOOL, "bool"), LUCID__END_OF_SAMPLES};
static const lucid__sample binary_float[] = {FLOAT_BINARY, LUCID__END_OF_SAMPLES};
static const lucid__sample binary_any[] = {FLOAT_BINARY, BINARY(LUCID_INT64, "integers"),
                                           BINARY(LUCID_INT32, "integers"), LUCID__END_OF_SAMPLES};
static const lucid__sample binary_logic[] = {BINARY(LUCID_BOOL, "bool"), LUCID__END_OF_SAMPLES};
static const lucid__sample binary_bits[] = {BINARY(LUCID_INT64, "nonneg"), LUCID__END_OF_SAMPLES};

const char *elementwise_class(lucid__prim_id id)
{
    switch (id) {
#define LUCID_UNARY(name, class, doc) \
    case LUCID__##name: \
        return #class;
#define LUCID_BINARY LUCID_UNARY
#include "lucid_elementwise.def"
#undef LUCID_UNARY
#undef LUCID_BINARY
    default:
        return NULL;
    }
}

const lucid__sample *samples_of(lucid__prim_id id)
{
    const lucid__prim *p = lucid__prim_get(id);
    if (p->rules->samples)
        return p->rules->samples;
    const char *class = elementwise_class(id);
    if (!class)
        return lucid__families[p->family]->samples;
    bool unary = p->nin == 1;
    if (strcmp(class, "FLOAT") == 0)
        return unary ? unary_float : binary_float;
    if (strcmp(class, "LOGIC") == 0)
        return unary ? unary_logic : binary_logic;
    if (strcmp(class, "BITS") == 0)
        return unary ? unary_bits : binary_bits;
    return unary ? unary_any : binary_any;
}
