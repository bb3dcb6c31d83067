/* lucid: composable function transforms.
 *
 * `lucid_vmap` turns a function of ONE example into a function of a batch; `lucid_grad`, `lucid_vjp`,
 * `lucid_jvp`, `lucid_jacrev`, `lucid_jacfwd`, `lucid_hessian` and `lucid_linearize` differentiate
 * it; all of them nest in any order.
 *
 *     static lucid_status square_sum(lucid_scope *s, const lucid_tensor *x, size_t nx,
 *                                    lucid_tensor *y, size_t ny, void *user)
 *     {
 *         y[0] = lucid_sum(s, lucid_square(s, x[0]), LUCID_ALL);       // ONE example
 *         return LUCID_OK;
 *     }
 *
 *     int main(void)
 *     {
 *         lucid_scope *s = lucid_open(NULL);
 *         lucid_tensor X = lucid_randn(s, LUCID_SHAPE(32, 4));
 *         lucid_fn     f = lucid_fn_new(s, square_sum, 1, NULL);
 *         lucid_fn     g = lucid_vmap(s, lucid_grad(s, f, NULL), NULL);
 *         lucid_print(s, lucid_call1(s, g, X));                        // (32, 4)
 *         return lucid_close(s);                                       // first error, or 0
 *     }
 *
 * One page per concept:
 *     1  dtypes, shapes, dims    5  shapes and views         9  random numbers
 *     2  scopes and errors       6  reductions              10  functions and transforms
 *     3  tensors: in and out     7  indexing and sorting    11  control flow    13  the engine
 *     4  elementwise             8  linear algebra, nets    12  gradients without a function
 */
#ifndef LUCID_H
#define LUCID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define LUCID_API
#else
#define LUCID_API __attribute__((visibility("default")))
#endif

#if defined(__GNUC__)
#define LUCID_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define LUCID_PRINTF(fmt, args)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- 1. Dtypes, shapes, dims -------------------------------------------------------------- */

/* Operations on several tensors promote as torch does: bool < int32 < int64 < float32 < float64; a
 * 0-d tensor changes the dtype only by its kind (bool, integer, float), and a bare number
 * (`lucid_scalar` and its siblings) only by its kind too, after 0-d tensors. */
typedef enum lucid_dtype {
    LUCID_BOOL,
    LUCID_INT32,
    LUCID_INT64,
    LUCID_FLOAT32,
    LUCID_FLOAT64,
    LUCID_NO_DTYPE, /* "choose for me", where a function says it takes it */
} lucid_dtype;

LUCID_API const char *lucid_dtype_name(lucid_dtype dtype); /* "float32" */
LUCID_API size_t lucid_dtype_size(lucid_dtype dtype);      /* bytes of one element */

#define LUCID_MAX_NDIM 16

/* Sizes of a tensor, outermost first. LUCID_SHAPE() is the shape of a 0-d tensor. */
typedef struct lucid_shape {
    int ndim;
    int64_t dim[LUCID_MAX_NDIM];
} lucid_shape;

/* A list of dimensions to work on; negative ones count from the end. `keep`: reductions leave a
 * dimension of size 1 in place. LUCID_ALL: every dimension. */
typedef struct lucid_dims {
    int n;
    bool all;
    bool keep;
    int dim[LUCID_MAX_NDIM];
} lucid_dims;

/* A list of integers that the callee only reads. */
typedef struct lucid_ints {
    const int *at;
    size_t n;
} lucid_ints;

/* Literals for the arguments above (C only; in C++ write lucid_shape{2, {32, 4}}). */
#define LUCID_COUNT_(type, ...) (sizeof((type[]){__VA_ARGS__}) / sizeof(type))
#define LUCID_SHAPE(...) ((lucid_shape){(int)LUCID_COUNT_(int64_t, __VA_ARGS__), {__VA_ARGS__}})
#define LUCID_SCALAR_SHAPE ((lucid_shape){0, {0}})
#define LUCID_DIMS(...) \
    ((lucid_dims){.n = (int)LUCID_COUNT_(int, __VA_ARGS__), .dim = {__VA_ARGS__}})
#define LUCID_DIMS_KEEP(...) \
    ((lucid_dims){.n = (int)LUCID_COUNT_(int, __VA_ARGS__), .keep = true, .dim = {__VA_ARGS__}})
#define LUCID_ALL ((lucid_dims){.all = true})
#define LUCID_ALL_KEEP ((lucid_dims){.all = true, .keep = true})
#define LUCID_INTS(...) ((lucid_ints){(const int[]){__VA_ARGS__}, LUCID_COUNT_(int, __VA_ARGS__)})

/* An argument that is not mapped (in_dims, out_dims); "no dimension" for argmax. */
#define LUCID_NONE INT32_MIN
/* "To the end" for lucid_slice, in the direction of the step. */
#define LUCID_END INT64_MAX

/* ---- 2. Scopes and errors ----------------------------------------------------------------- */

/* A scope owns what is built in it; closing it releases that. The first failure sticks: later
 * builders do nothing and return an empty handle, which is safe to pass on, so a program checks once,
 * at the end. A root scope and its children belong to one thread; tensors may go between threads. */
typedef struct lucid_scope lucid_scope;

typedef enum lucid_status {
    LUCID_OK = 0,
    LUCID_VALUE_ERROR,    /* a wrong shape, dim, size or option */
    LUCID_TYPE_ERROR,     /* a wrong dtype, kind or number of arguments */
    LUCID_INDEX_ERROR,    /* an index out of range */
    LUCID_RUNTIME_ERROR,  /* not possible here, e.g. a random op under LUCID_RANDOMNESS_ERROR */
    LUCID_MEMORY_ERROR,   /* out of memory */
    LUCID_CALLBACK_ERROR, /* a function given to lucid failed by itself */
    LUCID_DIVERGED,       /* one answer was asked of a batched value, which has one per lane */
    LUCID_INTERRUPTED,    /* lucid_interrupt, or the poll function of the scope, asked for an end */
} lucid_status;

typedef struct lucid_tensor {
    struct lucid__value *v; /* NULL: the empty handle */
} lucid_tensor;

typedef struct lucid_fn {
    struct lucid__fn *f; /* NULL: the empty handle */
} lucid_fn;

typedef struct lucid_generator lucid_generator;

typedef enum lucid_language { LUCID_LANGUAGE_C, LUCID_LANGUAGE_PYTHON } lucid_language;

typedef struct lucid_open_options {
    uint64_t seed;              /* of this scope's own generator */
    lucid_generator *generator; /* or share this one, which must outlive the scope */
    lucid_dtype dtype;          /* see lucid_set_default_dtype; not given (LUCID_BOOL): float32 */
    lucid_language language;    /* in which error messages name options and functions */
    /* Called some thirty times a second while the scope and its children build, compute or wait for another
     * thread's evaluation, on their thread; true: as lucid_interrupt. NULL: nobody is asked. */
    bool (*poll)(void *user);
    void *poll_user;
} lucid_open_options;

/* A root scope; NULL options: seed 0. Returns NULL only when out of memory. */
LUCID_API lucid_scope *lucid_open(const lucid_open_options *options);
/* A child: closes before its parent does. Never NULL: out of memory is recorded in the parent, which
 * is then returned, and closing a returned parent once too often is harmless by count. */
LUCID_API lucid_scope *lucid_scope_new(lucid_scope *parent);
/* Releases what the scope owns; returns the first error of the whole family, or LUCID_OK. */
LUCID_API lucid_status lucid_close(lucid_scope *s);
/* Moves a handle to the parent scope, so that it survives this one. Returns it. */
LUCID_API lucid_tensor lucid_keep(lucid_scope *s, lucid_tensor x);
LUCID_API lucid_fn lucid_keep_fn(lucid_scope *s, lucid_fn f);
/* For owners outside any scope: counts a reference up and down. `lucid_own` puts one into a scope. */
LUCID_API lucid_tensor lucid_retain(lucid_tensor x);
LUCID_API void lucid_release(lucid_tensor x);
LUCID_API lucid_tensor lucid_own(lucid_scope *s, lucid_tensor x);
LUCID_API lucid_fn lucid_retain_fn(lucid_fn f);
LUCID_API void lucid_release_fn(lucid_fn f);
/* Scratch memory that lives as long as the scope; zeroed; NULL (and an error) when there is none. */
LUCID_API void *lucid_alloc(lucid_scope *s, size_t bytes);

/* The dtype of floats for which nothing else says one, float32 unless it is set: of zeros, ones, eye, linspace,
 * rand and randn, of bare floats where they meet no tensor, and of integers and bools that an operation turns
 * into floats. It belongs to a root scope and its children. LUCID_TYPE_ERROR: not a float. */
LUCID_API lucid_status lucid_set_default_dtype(lucid_scope *s, lucid_dtype dtype);
LUCID_API lucid_dtype lucid_get_default_dtype(const lucid_scope *s);

/* For functions made of several operations: what messages about values (a number that does not fit, an index out of
 * range) call all that is built in s, and in its children unless they say otherwise. The name must outlive s. */
LUCID_API void lucid_name_operation(lucid_scope *s, const char *name);

LUCID_API lucid_status lucid_error(const lucid_scope *s);
LUCID_API const char *lucid_status_name(lucid_status status);    /* "LUCID_VALUE_ERROR" */
LUCID_API const char *lucid_error_message(const lucid_scope *s); /* "" when there is none */
LUCID_API void lucid_clear_error(lucid_scope *s);
/* Transforms, loops and functions may be nested as deeply as the thread's stack allows. Beyond that there is the error
 * LUCID_RUNTIME_ERROR, and this is true. */
LUCID_API bool lucid_nested_too_deeply(const lucid_scope *s);
/* Whether that would be the next thing to happen: for functions that recurse themselves. */
LUCID_API bool lucid_stack_is_low(void);
/* Ends what an open scope and its family compute: an evaluation under way stops within some hundredths of a second, or
 * else the next operation or evaluation does not begin. It is then the error LUCID_INTERRUPTED, to be cleared as any
 * other; clearing an error also takes back an interruption that nothing has met yet. Values that were there stay, those
 * that were to be computed are pending and can be evaluated again. Any thread may call it, and signal handlers: it only
 * sets a flag. A single call of LAPACK (eigh, svd, qr of one matrix above 32 x 32) goes on to its end. */
LUCID_API void lucid_interrupt(lucid_scope *s);
/* Records an error (unless one is there already) and returns its status; for callbacks. */
LUCID_API lucid_status lucid_fail(lucid_scope *s, lucid_status status, const char *format, ...)
    LUCID_PRINTF(3, 4);

/* ---- 3. Tensors: in and out --------------------------------------------------------------- */

/* Shapes and dtypes are known at once; values are computed when somebody looks (`lucid_eval`,
 * `lucid_item`, `lucid_read`, `lucid_print`, ...). Inside a transform a tensor shows ONE example. */
LUCID_API bool lucid_is_empty_handle(lucid_tensor x);
LUCID_API int lucid_ndim(lucid_tensor x);
LUCID_API int64_t lucid_size(lucid_tensor x, int dim); /* -1 when dim is out of range */
LUCID_API int64_t lucid_numel(lucid_tensor x);
LUCID_API lucid_shape lucid_shape_of(lucid_tensor x);
LUCID_API lucid_dtype lucid_dtype_of(lucid_tensor x);

/* Bare numbers: 0-d, and weak in promotion (float tensor + lucid_scalar stays in its dtype). What is computed
 * from bare numbers alone is one, too, in double or int64: it is rounded once, where it meets a tensor, or takes
 * the default dtype (int64, bool) where it is read or returned from a function. LUCID_VALUE_ERROR where an
 * integer tensor meets a number that its dtype cannot hold; comparisons are exact instead. */
LUCID_API lucid_tensor lucid_scalar(lucid_scope *s, double value);
LUCID_API lucid_tensor lucid_scalar_int(lucid_scope *s, int64_t value);
LUCID_API lucid_tensor lucid_scalar_bool(lucid_scope *s, bool value);
/* Copies row-major data of the shape. A byte of a bool that is not 0 becomes 1. */
LUCID_API lucid_tensor lucid_from_data(lucid_scope *s, const void *data, lucid_dtype dtype,
                                       lucid_shape shape);
/* Uses memory of the caller in place, strides in elements (NULL: row-major). `release(owner)` runs
 * when the last tensor lets go, on any thread; it runs also when this call fails. Bools of which a byte is neither
 * 0 nor 1 are copied instead, as by lucid_from_data. */
LUCID_API lucid_tensor lucid_from_memory(lucid_scope *s, void *data, lucid_dtype dtype,
                                         lucid_shape shape, const int64_t *strides,
                                         void (*release)(void *owner), void *owner);
#define LUCID_VECTOR(s, ...) \
    lucid_from_data(s, (const float[]){__VA_ARGS__}, LUCID_FLOAT32, \
                    LUCID_SHAPE((int64_t)LUCID_COUNT_(float, __VA_ARGS__)))

LUCID_API lucid_tensor lucid_zeros(lucid_scope *s, lucid_shape shape);
LUCID_API lucid_tensor lucid_ones(lucid_scope *s, lucid_shape shape);
/* The dtype of value: the default dtype for lucid_scalar, int64 for lucid_scalar_int, bool for lucid_scalar_bool. */
LUCID_API lucid_tensor lucid_full(lucid_scope *s, lucid_shape shape, lucid_tensor value);
LUCID_API lucid_tensor lucid_zeros_like(lucid_scope *s, lucid_tensor x);
LUCID_API lucid_tensor lucid_ones_like(lucid_scope *s, lucid_tensor x);
LUCID_API lucid_tensor lucid_full_like(lucid_scope *s, lucid_tensor x, lucid_tensor value);
LUCID_API lucid_tensor lucid_eye(lucid_scope *s, int64_t rows, int64_t cols);
/* start, start + step, ... before end, nothing when that is behind. dtype LUCID_NO_DTYPE: int64 when
 * all three are whole, else the default dtype. LUCID_VALUE_ERROR: the dtype cannot hold an element. */
LUCID_API lucid_tensor lucid_arange(lucid_scope *s, double start, double end, double step,
                                    lucid_dtype dtype);
/* The same of integers, exact in 64 bits; LUCID_NO_DTYPE: int64. */
LUCID_API lucid_tensor lucid_arange_int(lucid_scope *s, int64_t start, int64_t end, int64_t step,
                                        lucid_dtype dtype);
/* count numbers from start to end, computed in double, in the default dtype or another; integers are cut off. */
LUCID_API lucid_tensor lucid_linspace(lucid_scope *s, double start, double end, int64_t count);
LUCID_API lucid_tensor lucid_linspace_of(lucid_scope *s, double start, double end, int64_t count,
                                         lucid_dtype dtype);

LUCID_API double lucid_item(lucid_scope *s, lucid_tensor x); /* the only element; NaN on error */
LUCID_API int64_t lucid_item_int(lucid_scope *s, lucid_tensor x); /* 0 on error */
LUCID_API bool lucid_bool(lucid_scope *s, lucid_tensor x);        /* false on error */
/* Copies the elements, row-major, in the dtype of x; `bytes` must be their exact size. */
LUCID_API lucid_status lucid_read(lucid_scope *s, lucid_tensor x, void *to, size_t bytes);
/* The elements in place, row-major; valid while x and s are. NULL on error. */
LUCID_API const void *lucid_data(lucid_scope *s, lucid_tensor x);
/* The value of x, computed and row-major in memory (x itself or a copy): its lucid_data stands there
 * for as long as this tensor is retained. */
LUCID_API lucid_tensor lucid_row_major(lucid_scope *s, lucid_tensor x);
LUCID_API void lucid_print(lucid_scope *s, lucid_tensor x); /* to standard output */
/* As snprintf: writes at most `size` bytes, returns the length of the whole text. */
LUCID_API size_t lucid_format(lucid_scope *s, lucid_tensor x, char *to, size_t size);

/* ---- 4. Elementwise ----------------------------------------------------------------------- */

/* Inputs broadcast against each other. The list with its meanings is lucid_elementwise.def:
 *     lucid_exp(s, x), lucid_tanh(s, x), lucid_add(s, x, y), lucid_lt(s, x, y), ... */
#define LUCID_UNARY(name, class, doc) \
    LUCID_API lucid_tensor lucid_##name(lucid_scope *s, lucid_tensor x);
#define LUCID_BINARY(name, class, doc) \
    LUCID_API lucid_tensor lucid_##name(lucid_scope *s, lucid_tensor x, lucid_tensor y);
#include "lucid_elementwise.def"
#undef LUCID_UNARY
#undef LUCID_BINARY

/* Floats lose their fraction on the way to integers; one beyond the range of the integers becomes the nearest
 * of them, and NaN 0. int64 to int32 keeps the low 32 bits. To bool: 0 alone is false. */
LUCID_API lucid_tensor lucid_cast(lucid_scope *s, lucid_tensor x, lucid_dtype dtype);
LUCID_API lucid_tensor lucid_pow(lucid_scope *s, lucid_tensor x, lucid_tensor y);
/* The derivative of order n of digamma, 0 <= n <= 99. */
LUCID_API lucid_tensor lucid_polygamma(lucid_scope *s, int64_t n, lucid_tensor x);
LUCID_API lucid_tensor lucid_where(lucid_scope *s, lucid_tensor cond, lucid_tensor x,
                                   lucid_tensor y);
/* Either bound may be the empty handle. On a bound the derivative is that of x. NaN where a bound is. */
LUCID_API lucid_tensor lucid_clamp(lucid_scope *s, lucid_tensor x, lucid_tensor low,
                                   lucid_tensor high);

/* ---- 5. Shapes and views ------------------------------------------------------------------ */

/* One size may be -1: worked out from the others. */
LUCID_API lucid_tensor lucid_reshape(lucid_scope *s, lucid_tensor x, lucid_shape shape);
LUCID_API lucid_tensor lucid_permute(lucid_scope *s, lucid_tensor x, lucid_dims order);
LUCID_API lucid_tensor lucid_transpose(lucid_scope *s, lucid_tensor x, int dim0, int dim1);
LUCID_API lucid_tensor lucid_movedim(lucid_scope *s, lucid_tensor x, int from, int to);
/* Broadcasts to the shape; -1 keeps a size. */
LUCID_API lucid_tensor lucid_expand(lucid_scope *s, lucid_tensor x, lucid_shape shape);
LUCID_API lucid_tensor lucid_squeeze(lucid_scope *s, lucid_tensor x, lucid_dims dims);
LUCID_API lucid_tensor lucid_unsqueeze(lucid_scope *s, lucid_tensor x, int dim);
LUCID_API lucid_tensor lucid_flatten(lucid_scope *s, lucid_tensor x, int first, int last);
/* Elements start, start + step, ... before stop, as Python slices: negative positions count from the
 * end, out-of-range ones are clipped, step may be negative. LUCID_END: as far as the step goes. */
LUCID_API lucid_tensor lucid_slice(lucid_scope *s, lucid_tensor x, int dim, int64_t start,
                                   int64_t stop, int64_t step);
LUCID_API lucid_tensor lucid_select(lucid_scope *s, lucid_tensor x, int dim, int64_t index);
/* Zeros before and after each dimension; `low` and `high` hold lucid_ndim(x) counts >= 0. */
LUCID_API lucid_tensor lucid_pad(lucid_scope *s, lucid_tensor x, const int64_t *low,
                                 const int64_t *high);
LUCID_API lucid_tensor lucid_concatenate(lucid_scope *s, const lucid_tensor *xs, size_t n, int dim);
LUCID_API lucid_tensor lucid_stack(lucid_scope *s, const lucid_tensor *xs, size_t n, int dim);
/* Writes ceil(size / length) pieces; `n` must be that count. */
LUCID_API lucid_status lucid_split(lucid_scope *s, lucid_tensor x, int64_t length, int dim,
                                   lucid_tensor *pieces, size_t n);
LUCID_API lucid_tensor lucid_flip(lucid_scope *s, lucid_tensor x, lucid_dims dims);
/* The last `shift` elements come first. dim LUCID_NONE: of the flattened x. */
LUCID_API lucid_tensor lucid_roll(lucid_scope *s, lucid_tensor x, int64_t shift, int dim);
LUCID_API lucid_tensor lucid_tile(lucid_scope *s, lucid_tensor x, lucid_shape repeats);
LUCID_API lucid_tensor lucid_tril(lucid_scope *s, lucid_tensor x, int64_t diagonal);
LUCID_API lucid_tensor lucid_triu(lucid_scope *s, lucid_tensor x, int64_t diagonal);
LUCID_API lucid_tensor lucid_diagonal(lucid_scope *s, lucid_tensor x, int64_t offset, int dim0,
                                      int dim1);
LUCID_API lucid_tensor lucid_diag_embed(lucid_scope *s, lucid_tensor x, int64_t offset);

/* ---- 6. Reductions ------------------------------------------------------------------------ */

/* Sums and products of bool and int32 are int64. An empty max, min, argmax or argmin is an error. The derivative of
 * amax and amin is shared evenly by the elements that tie; it goes to the NaN where there is one. */
LUCID_API lucid_tensor lucid_sum(lucid_scope *s, lucid_tensor x, lucid_dims dims);
LUCID_API lucid_tensor lucid_prod(lucid_scope *s, lucid_tensor x, lucid_dims dims);
LUCID_API lucid_tensor lucid_amax(lucid_scope *s, lucid_tensor x, lucid_dims dims);
LUCID_API lucid_tensor lucid_amin(lucid_scope *s, lucid_tensor x, lucid_dims dims);
LUCID_API lucid_tensor lucid_any(lucid_scope *s, lucid_tensor x, lucid_dims dims);
LUCID_API lucid_tensor lucid_all(lucid_scope *s, lucid_tensor x, lucid_dims dims);
/* First position of the extreme (of the first NaN, if any), int64. dim LUCID_NONE: of the flattened x. */
LUCID_API lucid_tensor lucid_argmax(lucid_scope *s, lucid_tensor x, int dim, bool keepdim);
LUCID_API lucid_tensor lucid_argmin(lucid_scope *s, lucid_tensor x, int dim, bool keepdim);
/* Of copies of one number: that number. */
LUCID_API lucid_tensor lucid_mean(lucid_scope *s, lucid_tensor x, lucid_dims dims);
/* correction: 1 divides by n - 1 (torch's default), 0 by n. In two passes, corrected for the rounded mean. */
LUCID_API lucid_tensor lucid_var(lucid_scope *s, lucid_tensor x, lucid_dims dims,
                                 double correction);
/* Derivative where the variance is 0: 0; twice as for lucid_norm. As there, squares do
 * not overflow or vanish: where the result is representable, it is right. */
LUCID_API lucid_tensor lucid_std(lucid_scope *s, lucid_tensor x, lucid_dims dims,
                                 double correction);
/* Of -inf alone: -inf, with derivative 0. */
LUCID_API lucid_tensor lucid_logsumexp(lucid_scope *s, lucid_tensor x, lucid_dims dims);
/* (sum |x|^order)^(1/order); order 2, 1, 0, INFINITY and -INFINITY included. Derivative at 0: 0. What is smooth in x
 * there though the norm of order 2 is not (its square, its cosine) has its second derivative, in any nesting;
 * that of the norm itself does not exist: a number past 1e12. */
LUCID_API lucid_tensor lucid_norm(lucid_scope *s, lucid_tensor x, double order, lucid_dims dims);
LUCID_API lucid_tensor lucid_cumsum(lucid_scope *s, lucid_tensor x, int dim);
LUCID_API lucid_tensor lucid_cumprod(lucid_scope *s, lucid_tensor x, int dim);

/* ---- 7. Indexing and sorting -------------------------------------------------------------- */

/* Indices are int32 or int64 tensors; negative ones count from the end; one out of range is an index
 * error when the value is computed. Writes return the new tensor: nothing is changed in place. */

/* x[i0, i1, ...] on the leading dims: the indices broadcast to K, the result is K + x.shape[n:]. */
LUCID_API lucid_tensor lucid_index(lucid_scope *s, lucid_tensor x, const lucid_tensor *index,
                                   size_t n);
/* x with x[i0, i1, ...] = values, or += values when `accumulate`. Where an index repeats, the last
 * value in row-major order stays. */
LUCID_API lucid_tensor lucid_index_put(lucid_scope *s, lucid_tensor x, const lucid_tensor *index,
                                       size_t n, lucid_tensor values, bool accumulate);
/* Rows of x along dim: index of any shape K gives x.shape[:dim] + K + x.shape[dim+1:]. */
LUCID_API lucid_tensor lucid_take(lucid_scope *s, lucid_tensor x, lucid_tensor index, int dim);
LUCID_API lucid_tensor lucid_take_along_dim(lucid_scope *s, lucid_tensor x, lucid_tensor index,
                                            int dim);
/* x with values added to (index_add) or put in place of (index_copy) its slices at a 1-d index. */
LUCID_API lucid_tensor lucid_index_add(lucid_scope *s, lucid_tensor x, int dim, lucid_tensor index,
                                       lucid_tensor values);
LUCID_API lucid_tensor lucid_index_copy(lucid_scope *s, lucid_tensor x, int dim, lucid_tensor index,
                                        lucid_tensor values);
/* x with the region x[start:stop:step, ...] replaced; all three hold lucid_ndim(x) positions as in
 * lucid_slice. `values` broadcast to the region. */
LUCID_API lucid_tensor lucid_slice_put(lucid_scope *s, lucid_tensor x, const int64_t *start,
                                       const int64_t *stop, const int64_t *step,
                                       lucid_tensor values);
/* The block of x of these sizes that begins at start[d] in dim d: one 0-d integer per dim of x, which may
 * depend on anything (a loop's counter, an example); a negative one counts from the end. A block that does
 * not lie in x as a whole is an index error. dynamic_update_slice: x with the block replaced by `update`. */
LUCID_API lucid_tensor lucid_dynamic_slice(lucid_scope *s, lucid_tensor x,
                                           const lucid_tensor *start, lucid_shape sizes);
LUCID_API lucid_tensor lucid_dynamic_update_slice(lucid_scope *s, lucid_tensor x,
                                                  lucid_tensor update, const lucid_tensor *start);
/* Looks at the values: (count, ndim) int64 positions of what is not zero, row-major. */
LUCID_API lucid_tensor lucid_nonzero(lucid_scope *s, lucid_tensor x);
LUCID_API lucid_tensor lucid_masked_select(lucid_scope *s, lucid_tensor x, lucid_tensor mask);
/* int64, one more dim. LUCID_INDEX_ERROR when it is computed: a class outside of 0 .. classes - 1. */
LUCID_API lucid_tensor lucid_one_hot(lucid_scope *s, lucid_tensor index, int64_t classes);
/* Stable; NaN sorts last (first when descending). `index` (may be NULL) receives the order, int64. */
LUCID_API lucid_tensor lucid_sort(lucid_scope *s, lucid_tensor x, int dim, bool descending,
                                  lucid_tensor *index);
LUCID_API lucid_tensor lucid_argsort(lucid_scope *s, lucid_tensor x, int dim, bool descending);
LUCID_API lucid_tensor lucid_topk(lucid_scope *s, lucid_tensor x, int64_t k, int dim, bool largest,
                                  lucid_tensor *index);

/* ---- 8. Linear algebra and nets ------------------------------------------------------------ */

/* Matrices stand in the last two dims; everything before is a batch. 1-d operands as in NumPy. */
LUCID_API lucid_tensor lucid_matmul(lucid_scope *s, lucid_tensor x, lucid_tensor y);
LUCID_API lucid_tensor lucid_dot(lucid_scope *s, lucid_tensor x, lucid_tensor y);
LUCID_API lucid_tensor lucid_outer(lucid_scope *s, lucid_tensor x, lucid_tensor y);
/* Letters, commas, "..." and an optional "->out"; a repeated letter in one operand is its diagonal. */
LUCID_API lucid_tensor lucid_einsum(lucid_scope *s, const char *equation, const lucid_tensor *xs,
                                    size_t n);
/* Contracts dims x_dims of x with y_dims of y, pair by pair. */
LUCID_API lucid_tensor lucid_tensordot(lucid_scope *s, lucid_tensor x, lucid_tensor y,
                                       lucid_dims x_dims, lucid_dims y_dims);
LUCID_API lucid_tensor lucid_trace(lucid_scope *s, lucid_tensor x);
/* Lower triangular L with L L^T = x; reads the lower triangle only. Not positive definite: NaN.
 * Gradients are symmetric, as x is meant to be. */
LUCID_API lucid_tensor lucid_cholesky(lucid_scope *s, lucid_tensor x);
/* Solves A x = b for triangular A (..., n, n), b (..., n, k); the other triangle is not read. */
LUCID_API lucid_tensor lucid_solve_triangular(lucid_scope *s, lucid_tensor a, lucid_tensor b,
                                              bool upper, bool unit_diagonal);
/* Solves A x = b, b (..., n) or (..., n, k) by LU with partial pivoting. Singular: inf or NaN. */
LUCID_API lucid_tensor lucid_solve(lucid_scope *s, lucid_tensor a, lucid_tensor b);
LUCID_API lucid_tensor lucid_inv(lucid_scope *s, lucid_tensor a);
/* Derivatives are cofactors, right at singular matrices, too; so are those of second and third order. */
LUCID_API lucid_tensor lucid_det(lucid_scope *s, lucid_tensor a);
/* log |det|; `sign` (may be NULL) receives the sign. Singular: -inf, sign 0, derivatives inf or NaN. */
LUCID_API lucid_tensor lucid_slogdet(lucid_scope *s, lucid_tensor a, lucid_tensor *sign);
/* x (..., m, n) = Q R: returns Q (..., m, k) with orthonormal columns, k = min(m, n), or m if
 * `complete`; r (may be NULL) receives R (..., k, n), upper triangular. Signs are LAPACK's. Derivatives
 * want the first min(m, n) columns to be independent: inf or NaN where they are not. */
LUCID_API lucid_tensor lucid_qr(lucid_scope *s, lucid_tensor x, bool complete, lucid_tensor *r);
/* Eigenvalues (..., n) of a symmetric matrix, ascending; reads its lower triangle, or its upper one.
 * `vectors` (may be NULL) receives orthonormal eigenvectors as columns, the element of largest
 * magnitude positive. Gradients are symmetric. Not finite: NaN.
 *
 * Derivatives at equal eigenvalues: those of functions of the matrix, V diag(f(w)) V', of projectors on all
 * vectors of a group, and of functions in which equal values count alike are right. Where derivatives of vectors
 * take part, once or k times, values closer than eps^(1/(k + 1)) of their size are moved that far apart, the
 * returned ones too, and results are good to about that: 1e-8 in float64 and 3e-4 in float32 for first
 * derivatives with vectors and for second ones of values alone, 1e-5 and 5e-3 for second ones with vectors.
 * In reverse mode the gradient of one of several equal values, or of one of their vectors, which do not exist,
 * is NaN; in forward mode tangents of single ones have no meaning. */
LUCID_API lucid_tensor lucid_eigh(lucid_scope *s, lucid_tensor x, bool upper,
                                  lucid_tensor *vectors);
/* Singular values (..., k) of x (..., m, n), descending, k = min(m, n). u (..., m, k) and vt (..., k, n)
 * (may be NULL) receive orthonormal columns and rows with x = U diag(w) V'; `full`: (..., m, m) and
 * (..., n, n). The element of largest magnitude in each of the first k columns of U is positive.
 * Derivatives at equal singular values: as for lucid_eigh. Not finite: NaN. */
LUCID_API lucid_tensor lucid_svd(lucid_scope *s, lucid_tensor x, bool full, lucid_tensor *u,
                                 lucid_tensor *vt);
/* In these, singular values up to tolerance times the largest count as 0; a negative tolerance stands
 * for max(m, n) times the machine epsilon. */
LUCID_API lucid_tensor lucid_matrix_rank(lucid_scope *s, lucid_tensor x, double tolerance);
/* Pseudo-inverse (..., n, m); derivatives of any order, along changes that keep the rank. */
LUCID_API lucid_tensor lucid_pinv(lucid_scope *s, lucid_tensor x, double tolerance);
/* The x of least norm among those with least |a x - b|: a (..., m, n), b (..., m) or (..., m, k). */
LUCID_API lucid_tensor lucid_lstsq(lucid_scope *s, lucid_tensor a, lucid_tensor b,
                                   double tolerance);
/* x multiplied with itself; negative: the inverse is. */
LUCID_API lucid_tensor lucid_matrix_power(lucid_scope *s, lucid_tensor x, int64_t power);
/* By scaling and squaring (Higham 2005); sums of magnitudes in a column up to about 3e5. */
LUCID_API lucid_tensor lucid_matrix_exp(lucid_scope *s, lucid_tensor x);

LUCID_API lucid_tensor lucid_relu(lucid_scope *s, lucid_tensor x); /* derivative at 0: 0 */
LUCID_API lucid_tensor lucid_leaky_relu(lucid_scope *s, lucid_tensor x, double negative_slope);
LUCID_API lucid_tensor lucid_elu(lucid_scope *s, lucid_tensor x, double alpha);
LUCID_API lucid_tensor lucid_sigmoid(lucid_scope *s, lucid_tensor x);
LUCID_API lucid_tensor lucid_logsigmoid(lucid_scope *s, lucid_tensor x);
/* x Phi(x), Hendrycks & Gimpel 2016; `tanh_approximation` as in that paper. */
LUCID_API lucid_tensor lucid_gelu(lucid_scope *s, lucid_tensor x, bool tanh_approximation);
LUCID_API lucid_tensor lucid_silu(lucid_scope *s, lucid_tensor x);
LUCID_API lucid_tensor lucid_softplus(lucid_scope *s, lucid_tensor x); /* log(1 + exp(x)) */
/* NaN where inf or NaN is among the elements, or all are -inf. */
LUCID_API lucid_tensor lucid_softmax(lucid_scope *s, lucid_tensor x, int dim);
LUCID_API lucid_tensor lucid_log_softmax(lucid_scope *s, lucid_tensor x, int dim);

typedef enum lucid_reduction { LUCID_MEAN, LUCID_SUM, LUCID_NO_REDUCTION } lucid_reduction;
/* logits (C) with a 0-d class, or (N, C) with (N) classes, or (N, C, d...) with (N, d...): integer
 * classes; or probabilities of the shape of logits. Where the class is `ignored` (-100 in the first form) the loss
 * is 0, and the mean is over the others: NaN where there are none. LUCID_INDEX_ERROR when it is computed: another
 * class below 0 or not below C. */
#define LUCID_IGNORED_CLASS (-100)
LUCID_API lucid_tensor lucid_cross_entropy(lucid_scope *s, lucid_tensor logits, lucid_tensor target,
                                           lucid_reduction reduction);
LUCID_API lucid_tensor lucid_cross_entropy_ignoring(lucid_scope *s, lucid_tensor logits,
                                                    lucid_tensor target, int64_t ignored,
                                                    lucid_reduction reduction);
/* -x of the target class: x (C), (N, C) or (N, C, d...) log-probabilities; classes as above. */
LUCID_API lucid_tensor lucid_nll_loss(lucid_scope *s, lucid_tensor x, lucid_tensor target,
                                      int64_t ignored, lucid_reduction reduction);
LUCID_API lucid_tensor lucid_mse_loss(lucid_scope *s, lucid_tensor x, lucid_tensor target,
                                      lucid_reduction reduction);
/* x W^T + b: x (..., in), weight (out, in), bias (out) or empty. */
LUCID_API lucid_tensor lucid_linear(lucid_scope *s, lucid_tensor x, lucid_tensor weight,
                                    lucid_tensor bias);
/* Over the last `ndim` dims; weight and bias of their shape or empty. */
LUCID_API lucid_tensor lucid_layer_norm(lucid_scope *s, lucid_tensor x, int ndim,
                                        lucid_tensor weight, lucid_tensor bias, double eps);
/* Zeroes each element with probability p and divides the others by 1 - p. A random op. */
LUCID_API lucid_tensor lucid_dropout(lucid_scope *s, lucid_tensor x, double p, bool training);

/* ---- 9. Random numbers --------------------------------------------------------------------- */

/* Philox4x32-10 (Salmon et al. 2011), keyed by the seed, counted by (draw, lane, element): under
 * vmap with randomness "different" lane b's numbers depend on the seed, the draw and b alone. */
LUCID_API lucid_generator *lucid_generator_new(uint64_t seed); /* NULL when out of memory */
LUCID_API void lucid_generator_free(lucid_generator *g);
typedef struct lucid_rng_state {
    uint64_t seed;
    uint64_t draw; /* random operations since the seed was set */
} lucid_rng_state;
LUCID_API lucid_rng_state lucid_generator_state(const lucid_generator *g);
LUCID_API void lucid_generator_set_state(lucid_generator *g, lucid_rng_state state);
LUCID_API lucid_generator *lucid_generator_of(lucid_scope *s); /* the one the scope draws from */
/* Draws from g (which must outlive its use) from now on; returns the one used so far. */
LUCID_API lucid_generator *lucid_set_generator(lucid_scope *s, lucid_generator *g);
LUCID_API void lucid_manual_seed(lucid_scope *s, uint64_t seed);

/* A random op makes one draw, when it is built; under vmap it obeys lucid_randomness. */
/* Uniform: the multiples of 2^-24 (float32) or 2^-53 (float64) in [0, 1). */
LUCID_API lucid_tensor lucid_rand(lucid_scope *s, lucid_shape shape);
LUCID_API lucid_tensor lucid_randn(lucid_scope *s, lucid_shape shape); /* standard normal */
LUCID_API lucid_tensor lucid_rand_of(lucid_scope *s, lucid_shape shape, lucid_dtype dtype);
LUCID_API lucid_tensor lucid_randn_of(lucid_scope *s, lucid_shape shape, lucid_dtype dtype);
/* int64 in [low, high), every number equally likely to a relative 2^-32. */
LUCID_API lucid_tensor lucid_randint(lucid_scope *s, int64_t low, int64_t high, lucid_shape shape);
/* Parameters that no distribution has are LUCID_VALUE_ERROR when the numbers are computed: NaN, a p outside of
 * [0, 1], a std below 0, a rate not above 0 (poisson: below 0), low above high, and but for poisson infinity. */
/* 1 with probability p, else 0, in the dtype of p. */
LUCID_API lucid_tensor lucid_bernoulli(lucid_scope *s, lucid_tensor p);
/* mean + std * a standard normal: differentiable in both. */
LUCID_API lucid_tensor lucid_normal(lucid_scope *s, lucid_tensor mean, lucid_tensor std);
/* low + (high - low) * a uniform number, below high: differentiable in both. */
LUCID_API lucid_tensor lucid_uniform(lucid_scope *s, lucid_tensor low, lucid_tensor high);
/* A standard exponential / rate, above 0: differentiable in rate. */
LUCID_API lucid_tensor lucid_exponential(lucid_scope *s, lucid_tensor rate);
/* Poisson numbers in the dtype of rate. The derivative is 0. */
LUCID_API lucid_tensor lucid_poisson(lucid_scope *s, lucid_tensor rate);
/* `count` positions, int64, drawn with the probabilities in the last dim of p, which need not add up to
 * 1: one that is 0 is not drawn, as long as there are others. LUCID_VALUE_ERROR when they are computed: none is above
 * 0, or one is negative or not finite. Without replacement all different. */
LUCID_API lucid_tensor lucid_multinomial(lucid_scope *s, lucid_tensor p, int64_t count,
                                         bool replacement);
/* 0 .. n - 1 in random order, int64. */
LUCID_API lucid_tensor lucid_randperm(lucid_scope *s, int64_t n);

/* ---- 10. Functions and transforms ---------------------------------------------------------- */

/* A function takes nx tensors and fills ny. It must leave no y empty, and returns LUCID_OK or the
 * status of a failure (see lucid_fail). Everything it builds in `s` is released after it, but for y. */
typedef lucid_status lucid_function(lucid_scope *s, const lucid_tensor *x, size_t nx,
                                    lucid_tensor *y, size_t ny, void *user);
LUCID_API lucid_fn lucid_fn_new(lucid_scope *s, lucid_function *function, size_t ny, void *user);

/* A list of results, for functions whose number of results is known only when they ran. */
typedef struct lucid_results lucid_results;
LUCID_API lucid_results *lucid_results_new(lucid_scope *s);
LUCID_API size_t lucid_results_count(const lucid_results *r);
LUCID_API lucid_tensor lucid_results_at(const lucid_results *r, size_t i);
/* Auxiliary results stand last: the transforms pass them through undifferentiated. */
LUCID_API size_t lucid_results_aux_count(const lucid_results *r);
LUCID_API lucid_status lucid_results_push(lucid_scope *s, lucid_results *r, lucid_tensor y);
LUCID_API lucid_status lucid_results_push_aux(lucid_scope *s, lucid_results *r, lucid_tensor y);
/* For a function right under lucid_vmap: this result's out_dim, over the option's. */
LUCID_API lucid_status lucid_results_push_at(lucid_scope *s, lucid_results *r, lucid_tensor y,
                                             int out_dim);

typedef lucid_status lucid_listing_function(lucid_scope *s, const lucid_tensor *x, size_t nx,
                                            lucid_results *y, void *user);
/* `release(user)` (may be NULL) runs when the function is released. */
LUCID_API lucid_fn lucid_fn_new_listing(lucid_scope *s, lucid_listing_function *function,
                                        void *user, void (*release)(void *user));

/* What messages call the arguments and results of f: writes number i as text ("params.w"), cut to
 * `size`. It runs only when there is something to say. Without one they are "argument 1", "result 0". A
 * transform of f calls its arguments as f does. `user` must live as long as f. */
typedef void lucid_naming(void *user, bool result, size_t i, char *to, size_t size);
LUCID_API void lucid_fn_set_naming(lucid_fn f, lucid_naming *naming, void *user);

#define LUCID_ARGS(...) (const lucid_tensor[]){__VA_ARGS__}, LUCID_COUNT_(lucid_tensor, __VA_ARGS__)
LUCID_API lucid_status lucid_call(lucid_scope *s, lucid_fn f, const lucid_tensor *x, size_t nx,
                                  lucid_tensor *y, size_t ny);
LUCID_API lucid_tensor lucid_call1(lucid_scope *s, lucid_fn f, lucid_tensor x);
LUCID_API lucid_status lucid_call_listing(lucid_scope *s, lucid_fn f, const lucid_tensor *x,
                                          size_t nx, lucid_results *y);

typedef enum lucid_randomness {
    LUCID_RANDOMNESS_ERROR,     /* a random op is an error */
    LUCID_RANDOMNESS_DIFFERENT, /* an independent draw per lane */
    LUCID_RANDOMNESS_SAME,      /* one draw shared by all lanes */
} lucid_randomness;

/* AUTO runs the function on batched values as VECTORIZED does; where its control flow asks them for one
 * answer (lucid_bool, lucid_item, ...) and the lanes disagree, the batch splits, and the function runs
 * once per path. It must be pure: what it does besides computing its results is done on every run. Under nested
 * vmaps the innermost one splits tuples of all their lanes, so that k paths are k runs at any depth. */
typedef enum lucid_strategy {
    LUCID_STRATEGY_AUTO,       /* vectorized, splitting where lanes part */
    LUCID_STRATEGY_VECTORIZED, /* the function runs once; asking for one answer is LUCID_DIVERGED */
    LUCID_STRATEGY_ISOLATED,   /* the function runs once per lane */
} lucid_strategy;

typedef struct lucid_vmap_options {
    lucid_ints in_dims;  /* one per argument, LUCID_NONE: not mapped; none given: 0 for all */
    lucid_ints out_dims; /* one per result, LUCID_NONE: must not be batched; none given: 0 */
    lucid_randomness randomness;
    int64_t chunk_size; /* at most so many lanes at once; 0: all; LUCID_AUTO_CHUNK */
    lucid_strategy strategy;
    const char *axis_name; /* for the collectives below; NULL: none */
    /* AUTO: lanes that still wait after so many runs of a chunk run one by one; 0: 1000. `alone`, unless it
     * is NULL, receives how many did, added to what it holds. */
    int64_t max_paths;
    int64_t *alone;
} lucid_vmap_options;
/* As many lanes at once as lucid_set_memory_budget allows. To see the bytes that they need, the function runs
 * once more for one lane, and where not all lanes fit, for a few guesses: what it asks values for is computed
 * then, and lucid_bytes_to_eval tells of its results. What a kernel takes for a moment is not counted. */
#define LUCID_AUTO_CHUNK INT64_MIN
LUCID_API lucid_fn lucid_vmap(lucid_scope *s, lucid_fn f, const lucid_vmap_options *options);

/* How the functions ran in the last call of a function made by lucid_vmap, vmaps inside it included: a run counts
 * when no other vmap ran inside it, for the lanes of all vmaps around that it was for. Receives the lanes of the
 * first n runs (of 4096) in order; `each` may be NULL. */
typedef struct lucid_paths {
    int64_t runs;  /* one, or one for each chunk, unless lanes parted */
    int64_t lanes; /* of all these runs */
    int64_t alone; /* runs for one lane because there were more than max_paths */
} lucid_paths;
LUCID_API lucid_paths lucid_last_paths(const lucid_scope *s, int64_t *each, size_t n);

/* Collectives: inside a function under lucid_vmap with axis_name "b", these join what its lanes hold.
 *
 *     y[0] = lucid_sub(s, x[0], lucid_pmean(s, x[0], "b"));         // one example, less the mean of all
 *     lucid_fn centred = lucid_vmap(s, f, &(lucid_vmap_options){.axis_name = "b"});
 *
 * Of two vmaps with one name the inner one is meant. A derivative is that of the function of the whole
 * batch: under lucid_vmap(lucid_grad(f)) lane b gets d (sum of all lanes' results) / d x_b. All lanes
 * must run together: LUCID_RUNTIME_ERROR when chunk_size or the isolated strategy keeps them apart, or
 * after they have parted; LUCID_VALUE_ERROR when no such axis is in scope. */
LUCID_API lucid_tensor lucid_psum(lucid_scope *s, lucid_tensor x, const char *axis);
LUCID_API lucid_tensor lucid_pmean(lucid_scope *s, lucid_tensor x, const char *axis);
LUCID_API lucid_tensor lucid_pmax(lucid_scope *s, lucid_tensor x, const char *axis);
LUCID_API lucid_tensor lucid_pmin(lucid_scope *s, lucid_tensor x, const char *axis);
/* The x of all lanes, along a new dim. */
LUCID_API lucid_tensor lucid_all_gather(lucid_scope *s, lucid_tensor x, const char *axis, int dim);
/* Which lane this is, 0-d int64, and how many there are (-1 on error): whichever way the lanes run. */
LUCID_API lucid_tensor lucid_axis_index(lucid_scope *s, const char *axis);
LUCID_API int64_t lucid_axis_size(lucid_scope *s, const char *axis);

typedef struct lucid_grad_options {
    lucid_ints argnums; /* which arguments; none given: the first */
    bool has_aux;       /* results after the first are auxiliary */
    int64_t chunk_size; /* jacrev, jacfwd, hessian: rows at once, as in lucid_vmap_options */
} lucid_grad_options;
/* f returns one 0-d float (and aux). Results: one gradient per argnum, then aux. */
LUCID_API lucid_fn lucid_grad(lucid_scope *s, lucid_fn f, const lucid_grad_options *options);
/* Results: the gradients, the value, then aux. */
LUCID_API lucid_fn lucid_grad_and_value(lucid_scope *s, lucid_fn f,
                                        const lucid_grad_options *options);
/* Results: per result of f and per argnum a tensor of shape result.shape + argument.shape; then aux. That of a
 * result of integers or bools is zeros of the argument's dtype. */
LUCID_API lucid_fn lucid_jacrev(lucid_scope *s, lucid_fn f, const lucid_grad_options *options);
LUCID_API lucid_fn lucid_jacfwd(lucid_scope *s, lucid_fn f, const lucid_grad_options *options);
/* Per argnum i and argnum j a tensor of shape argument_i.shape + argument_j.shape. */
LUCID_API lucid_fn lucid_hessian(lucid_scope *s, lucid_fn f, const lucid_grad_options *options);

/* Runs f at x; y receives its results. The function returned maps cotangents of y to cotangents of
 * x (ny in, nx out) and may be called any number of times, inside other transforms too. A cotangent has the
 * shape of its result, else LUCID_VALUE_ERROR; another dtype is cast. An x[i] of integers or bools is a constant
 * with cotangents of zero; LUCID_TYPE_ERROR when no x[i] is a float. */
LUCID_API lucid_fn lucid_vjp(lucid_scope *s, lucid_fn f, const lucid_tensor *x, size_t nx,
                             lucid_tensor *y, size_t ny);
LUCID_API lucid_fn lucid_vjp_listing(lucid_scope *s, lucid_fn f, const lucid_tensor *x, size_t nx,
                                     lucid_results *y);
/* As vjp, but the function returned maps tangents of x to tangents of y (nx in, ny out). Tangents have the
 * shapes of x, and are floats: else LUCID_VALUE_ERROR and LUCID_TYPE_ERROR. */
LUCID_API lucid_fn lucid_linearize(lucid_scope *s, lucid_fn f, const lucid_tensor *x, size_t nx,
                                   lucid_tensor *y, size_t ny);
LUCID_API lucid_fn lucid_linearize_listing(lucid_scope *s, lucid_fn f, const lucid_tensor *x,
                                           size_t nx, lucid_results *y);
/* y = f(x), dy = the derivative of f at x in direction dx; an empty dx[i] is zero. Errors and constants as
 * linearize. */
LUCID_API lucid_status lucid_jvp(lucid_scope *s, lucid_fn f, const lucid_tensor *x,
                                 const lucid_tensor *dx, size_t nx, lucid_tensor *y,
                                 lucid_tensor *dy, size_t ny);
LUCID_API lucid_status lucid_jvp_listing(lucid_scope *s, lucid_fn f, const lucid_tensor *x,
                                         const lucid_tensor *dx, size_t nx, lucid_results *y,
                                         lucid_results *dy);

/* Functions with rules of their own. The function returned takes the place of f; where it is not
 * transformed it is f. A rule sees the arguments, and may not use other values that a transform around it
 * differentiates or maps (LUCID_RUNTIME_ERROR). Rules are made of ordinary operations, so they can be
 * differentiated and mapped themselves. Inside a body of control flow
 * (lucid_scan, ...) or a compiled function derivative rules are kept, for four derivatives; a batching rule
 * cannot be, and is an error there.
 *
 * custom_jvp: the rule maps nx primals and nx tangents to the ny results and their ny tangents, in which it
 * is linear; both modes come from it. The tangent of an integer is zeros like it.
 *
 *     // y[0] = log(1 + exp(x)), y[1] = dx * (1 - 1 / (1 + exp(x))): no overflow in the derivative
 *     lucid_fn f = lucid_custom_jvp(s, lucid_fn_new(s, log1pexp, 1, NULL), lucid_fn_new(s, rule, 2, NULL));
 *
 * custom_vjp: fwd maps the arguments to the ny results and any number of residuals (ny 0: all but the
 * auxiliary results, which are the residuals); bwd maps residuals and ny cotangents to nx cotangents, what
 * it gives for integers does not matter. Forward mode transposes bwd where it is made of
 * operations that are linear in the cotangents, loops of a known number of steps and branches among them; where it
 * is not (a loop until convergence) it is LUCID_RUNTIME_ERROR: use custom_jvp, which serves both modes.
 * LUCID_VALUE_ERROR, LUCID_TYPE_ERROR: a rule gives other shapes, dtypes or numbers of results. */
LUCID_API lucid_fn lucid_custom_jvp(lucid_scope *s, lucid_fn f, lucid_fn jvp);
LUCID_API lucid_fn lucid_custom_vjp(lucid_scope *s, lucid_fn f, lucid_fn fwd, lucid_fn bwd,
                                    size_t ny);
/* custom_vmap: the rule computes `size` lanes at once; x[i] has them at dim 0 where mapped[i], else it is
 * the same in all. Results that are not mapped either are pushed with lucid_results_push_at(..., LUCID_NONE),
 * others with the dim of their lanes (lucid_results_push: 0). Derivatives are derived from f and the rule.
 * `release(user)` (may be NULL) runs when the function is released, and when this call fails. */
typedef lucid_status lucid_vmap_rule(lucid_scope *s, int64_t size, const bool *mapped,
                                     const lucid_tensor *x, size_t nx, lucid_results *y,
                                     void *user);
LUCID_API lucid_fn lucid_custom_vmap(lucid_scope *s, lucid_fn f, lucid_vmap_rule *rule, void *user,
                                     void (*release)(void *user));

/* f for arguments like x[0 .. nx - 1], with their shapes and dtypes: it is recorded now, and what it does to its
 * arguments is done again on every call without calling it. A call computes its results at once, by a plan that
 * is found once; under transforms, and on tensors that require grad, the operations of the record are applied.
 *
 *     lucid_fn step = lucid_compile(s, f, x, 2, NULL);              // at start-up; f runs here
 *     lucid_call(s, step, x, 2, y, 1);                              // and not here
 *
 * What f takes from outside (a tensor that it closes over, a number) is part of the record; what it does besides
 * happens once. It may not ask for values (lucid_item, lucid_bool): there are none yet; lucid_cond and its like do.
 * Random numbers are those that f would draw, from the generator of the scope, on every call anew.
 * LUCID_VALUE_ERROR, LUCID_TYPE_ERROR when it is called: arguments of other shapes, dtypes, or another number. */
typedef struct lucid_compile_options {
    /* NULL, or receives whether it can be called when the transforms that run now have ended: not if f uses
     * values of theirs from outside. */
    bool *lasting;
} lucid_compile_options;
LUCID_API lucid_fn lucid_compile(lucid_scope *s, lucid_fn f, const lucid_tensor *x, size_t nx,
                                 const lucid_compile_options *options);

/* f, but what its derivative in reverse mode needs is computed again when that runs, instead of being kept
 * from the first time: memory for time. Only what f read from outside is kept. f itself does not run again.
 * Nested ones keep their own inputs only while the outer one is walked. The same holds for all that is
 * built between begin and end, which nest.
 *
 *     for (int k = 0; k < layers; k++)
 *         h = lucid_call1(s, lucid_checkpoint(s, layer[k]), h);     // keeps h of each layer, no more
 *
 * A walk over such a tape computes the cotangents so far whenever it comes to another checkpoint. */
LUCID_API lucid_fn lucid_checkpoint(lucid_scope *s, lucid_fn f);
LUCID_API void lucid_checkpoint_begin(lucid_scope *s);
LUCID_API void lucid_checkpoint_end(lucid_scope *s);

/* Number of the innermost running transform, never reused; 0: none. A tensor made while another
 * number was current was captured from outside. */
LUCID_API uint64_t lucid_level(const lucid_scope *s);

/* ---- 11. Control flow ---------------------------------------------------------------------- */

/* Choices and loops whose direction depends on values, without asking for them. Functions are run once, to
 * see what they do: inside, a tensor has a shape and a dtype but no value yet. They may read tensors from
 * outside. Under vmap every lane goes its own way: it takes its own branch alone, and is done with a
 * while loop when its own condition says so. All can be differentiated forwards and backwards. Random
 * operations in a loop draw anew in every step.
 *
 *     static lucid_status newton(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
 *                                size_t ny, void *user);   // one step
 *     lucid_while(s, not_yet, step, &x, 1, NULL, &root);
 */

/* pred: one bool or number, true when not 0. x: the arguments of the branches, which must give results of
 * the same shapes and dtypes. */
LUCID_API lucid_status lucid_cond(lucid_scope *s, lucid_tensor pred, lucid_fn true_fn,
                                  lucid_fn false_fn, const lucid_tensor *x, size_t nx,
                                  lucid_tensor *y, size_t ny);
LUCID_API lucid_status lucid_cond_listing(lucid_scope *s, lucid_tensor pred, lucid_fn true_fn,
                                          lucid_fn false_fn, const lucid_tensor *x, size_t nx,
                                          lucid_results *y);
/* index: one integer; below 0 it counts as 0, past the last branch as the last. */
LUCID_API lucid_status lucid_switch(lucid_scope *s, lucid_tensor index, const lucid_fn *branches,
                                    size_t nbranches, const lucid_tensor *x, size_t nx,
                                    lucid_tensor *y, size_t ny);
LUCID_API lucid_status lucid_switch_listing(lucid_scope *s, lucid_tensor index,
                                            const lucid_fn *branches, size_t nbranches,
                                            const lucid_tensor *x, size_t nx, lucid_results *y);

typedef struct lucid_while_options {
    int64_t max_steps; /* stop after so many steps; 0: only when the condition says so */
    /* Reverse mode keeps the carry of every step, or of every k-th only, and repeats k steps; 0: all. */
    int64_t checkpoint_every;
} lucid_while_options;

/* carry = body(carry) while condition(carry), which gives one bool. init and y: n tensors, the carry. The
 * reverse derivative runs the loop again to learn how many steps it takes; inside another loop, a branch
 * or a compiled function that is not possible, and max_steps must be given. */
LUCID_API lucid_status lucid_while(lucid_scope *s, lucid_fn condition, lucid_fn body,
                                   const lucid_tensor *init, size_t n,
                                   const lucid_while_options *options, lucid_tensor *y);
/* carry = body(i, carry) for i = lower .. upper - 1: integers, of one element each. Bounds that are known
 * make a scan, others a while loop. */
LUCID_API lucid_status lucid_fori(lucid_scope *s, lucid_tensor lower, lucid_tensor upper,
                                  lucid_fn body, const lucid_tensor *init, size_t n,
                                  const lucid_while_options *options, lucid_tensor *y);

typedef struct lucid_scan_options {
    int64_t length; /* how many steps, when there are no xs to tell it */
    bool reverse;   /* from the last to the first */
} lucid_scan_options;

/* (carry, ys[t]) = f(carry, xs[t]) for each t along the first dim of the xs. The results are the final carry
 * and the ys, stacked along a first dim. */
LUCID_API lucid_status lucid_scan(lucid_scope *s, lucid_fn f, const lucid_tensor *init, size_t n,
                                  const lucid_tensor *xs, size_t nxs,
                                  const lucid_scan_options *options, lucid_tensor *carry,
                                  lucid_tensor *ys, size_t nys);
LUCID_API lucid_status lucid_scan_listing(lucid_scope *s, lucid_fn f, const lucid_tensor *init,
                                          size_t n, const lucid_tensor *xs, size_t nxs,
                                          const lucid_scan_options *options, lucid_results *y);
/* ys[t] = f(xs[t]), one after the other: a scan without a carry, for when vmap would need too much memory. */
LUCID_API lucid_status lucid_map(lucid_scope *s, lucid_fn f, const lucid_tensor *xs, size_t nxs,
                                 lucid_tensor *ys, size_t nys);
LUCID_API lucid_status lucid_map_listing(lucid_scope *s, lucid_fn f, const lucid_tensor *xs,
                                         size_t nxs, lucid_results *y);

/* ---- 12. Gradients without a function ------------------------------------------------------ */

/* x as a leaf: what is computed from it is recorded until nothing refers to it. */
LUCID_API lucid_tensor lucid_requires_grad(lucid_scope *s, lucid_tensor x);
LUCID_API bool lucid_is_recorded(lucid_tensor x);
/* Whether a running transform (grad, vjp, jvp, ...) takes the derivative of what is computed from x. */
LUCID_API bool lucid_is_differentiated(lucid_tensor x);
/* Adds d loss / d leaf into every leaf that loss came from; cotangent empty: loss must be 0-d. */
LUCID_API lucid_status lucid_backward(lucid_scope *s, lucid_tensor loss, lucid_tensor cotangent);
/* The gradient gathered by a leaf so far; empty handle: none yet, or not a leaf. */
LUCID_API lucid_tensor lucid_grad_of(lucid_scope *s, lucid_tensor leaf);
LUCID_API void lucid_set_grad(lucid_scope *s, lucid_tensor leaf, lucid_tensor grad);
/* The value alone: constant to every transform. */
LUCID_API lucid_tensor lucid_detach(lucid_scope *s, lucid_tensor x);
/* What is computed between these is constant to lucid_backward and to all transforms that run around them: grad,
 * jvp, ..., the body of a loop, a compiled function. A transform that begins between them differentiates as
 * ever. They nest; what fails between them ends them. */
LUCID_API void lucid_no_grad_begin(lucid_scope *s);
LUCID_API void lucid_no_grad_end(lucid_scope *s);

/* ---- 13. The engine ------------------------------------------------------------------------ */

/* Computes what is pending behind the tensors, all in one plan. */
LUCID_API lucid_status lucid_eval(lucid_scope *s, const lucid_tensor *xs, size_t n);

/* What computing the tensors takes: the programs and library calls ("dispatches"), what each fused, where
 * its SIMD lanes are, what it reads, writes and computes. The tensors stay as they are. */
typedef struct lucid_explain_options {
    /* Run it a few times, and hold the time of each step against what the machine can do. */
    bool measure;
} lucid_explain_options;

typedef struct lucid_explanation lucid_explanation; /* lives as long as its scope */
LUCID_API const lucid_explanation *lucid_explain(lucid_scope *s, const lucid_tensor *xs, size_t n,
                                                 const lucid_explain_options *options);

typedef enum lucid_explain_format {
    LUCID_EXPLAIN_TEXT, /* one line per step */
    LUCID_EXPLAIN_JSON,
    LUCID_EXPLAIN_SVG,  /* a picture of the graph, coloured by program */
    LUCID_EXPLAIN_HTML, /* one page: a table and the picture */
} lucid_explain_format;
/* Lives as long as the scope; "" on error. So:
 *     puts(lucid_explanation_as(s, lucid_explain(s, &y, 1, NULL), LUCID_EXPLAIN_TEXT)); */
LUCID_API const char *lucid_explanation_as(lucid_scope *s, const lucid_explanation *e,
                                           lucid_explain_format format);

typedef struct lucid_cost {
    size_t dispatches;
    double bytes_read, bytes_written; /* each operand of a step once */
    double flops;             /* on floats: one per element and operation, exp and its like too */
    double estimated_seconds; /* at the speed the machine was measured to have; 0: not measured */
    double measured_seconds;  /* without what happens between steps; 0: not measured */
} lucid_cost;
LUCID_API lucid_cost lucid_explanation_cost(const lucid_explanation *e); /* of all steps together */

/* The most tensor memory, in bytes, that computing the tensors would have in use at one time beside what
 * there is already. Nothing is computed. -1 on error. */
LUCID_API int64_t lucid_bytes_to_eval(lucid_scope *s, const lucid_tensor *xs, size_t n);
/* What chunks of LUCID_AUTO_CHUNK are fitted into. 0 (the default): a quarter of the memory of the machine,
 * or of its control group. LUCID_VALUE_ERROR when negative. */
LUCID_API lucid_status lucid_set_memory_budget(int64_t bytes);
LUCID_API int64_t lucid_get_memory_budget(void);

typedef struct lucid_stats {
    uint64_t plans_built, plans_reused;     /* plan cache misses and hits */
    uint64_t plans_kept, plans_most;        /* in the cache now, and its bound */
    uint64_t plans_bytes, plans_bytes_most; /* that those in the cache take, and its other bound */
    uint64_t steps;                         /* programs and library calls dispatched */
    uint64_t bytes_live, bytes_peak;        /* tensor memory now and at most */
    uint64_t bytes_kept;                    /* given back and kept for reuse */
} lucid_stats;
LUCID_API lucid_stats lucid_get_stats(void);
/* Memory of tensors that are gone is kept for the next ones, up to half of the memory budget; so are the small blocks that
 * operations are made of. This gives all of it back to the system, but for the small blocks of other threads, some
 * megabytes each, which they give back themselves later. lucid does so, too, before it says that it is out of memory. */
LUCID_API void lucid_empty_cache(void);
/* 0: as many as the machine has. They are OpenMP's. Where other processes want the processors too, let those that
 * wait go to sleep sooner: GOMP_SPINCOUNT=10000 in the environment, which GNU's OpenMP reads when the program
 * starts; from Python it is so by itself. */
LUCID_API void lucid_set_num_threads(int n);
LUCID_API int lucid_get_num_threads(void);
LUCID_API const char *lucid_instruction_set(void); /* the one chosen at run time, e.g. "v4" */
LUCID_API const char *lucid_version(void);         /* "0.1.0" */

#ifdef __cplusplus
}
#endif

#endif
