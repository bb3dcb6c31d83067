/* Bytes are a shape and a few operations on it with any numbers at all, huge and negative ones
 * included. Each must be refused with an error or give what its definition says; small results are
 * computed and compared, element by element, with where their elements come from. */
#include <string.h>

#include "fuzz_input.h"
#include "support/host_array.h"

/* What is too large for memory is an error of lucid's own. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static int64_t any_number(fuzz_bytes *b)
{
    static const int64_t special[] = {INT64_MAX,        INT64_MIN,     INT64_MAX - 1,
                                      INT64_MAX / 2,    INT64_MIN + 1, INT64_C(1) << 32,
                                      INT64_C(1) << 62, 1000,          -(INT64_C(1) << 62)};
    uint8_t c = fuzz_byte(b);
    return c >= 240 ? special[(c - 240) % 9] : c % 12 - 4;
}

static lucid_shape any_shape(fuzz_bytes *b)
{
    lucid_shape shape = {.ndim = fuzz_below(b, 20) - 1};
    for (int i = 0; i < shape.ndim && i < LUCID_MAX_NDIM; i++)
        shape.dim[i] = any_number(b);
    return shape;
}

static void any_numbers(fuzz_bytes *b, int64_t *to)
{
    for (int i = 0; i < LUCID_MAX_NDIM; i++)
        to[i] = any_number(b);
}

static lucid_dims any_dims(fuzz_bytes *b)
{
    lucid_dims d = {.n = fuzz_below(b, 6)};
    for (int i = 0; i < d.n; i++)
        d.dim[i] = (int)any_number(b);
    d.all = fuzz_below(b, 8) == 0;
    d.keep = fuzz_below(b, 2) != 0;
    return d;
}

enum { SMALL = 4096 };

static bool is_small(lucid_tensor x)
{
    return lucid_numel(x) >= 0 && lucid_numel(x) <= SMALL;
}

/* Python's slice of a dim, from its own definition (PySlice_AdjustIndices). */
static int64_t slice_length(int64_t size, int64_t *start, int64_t stop, int64_t step)
{
    bool back = step < 0;
    int64_t low = back ? -1 : 0, high = back ? size - 1 : size;
    bool end = stop == LUCID_END;
    *start = *start < 0 ? *start + size : *start;
    *start = *start < low ? low : *start > high ? high : *start;
    if (end)
        stop = back ? -1 : size;
    else {
        stop = stop < 0 ? stop + size : stop;
        stop = stop < low ? low : stop > high ? high : stop;
    }
    if (back)
        return *start > stop ? (*start - stop - 1) / -step + 1 : 0;
    return *start < stop ? (stop - *start - 1) / step + 1 : 0;
}

static lucid_tensor checked_slice(lucid_scope *s, lucid_tensor x, fuzz_bytes *b)
{
    int dim = (int)any_number(b);
    int64_t start = any_number(b), stop = any_number(b), step = any_number(b);
    lucid_tensor y = lucid_slice(s, x, dim, start, stop, step);
    if (lucid_error(s) != LUCID_OK || step == INT64_MIN)
        return y;
    dim = dim < 0 ? dim + lucid_ndim(x) : dim;
    int64_t length = slice_length(lucid_size(x, dim), &start, stop, step);
    FUZZ_CHECK(lucid_size(y, dim) == length, "slice: %lld elements, expected %lld",
               (long long)lucid_size(y, dim), (long long)length);
    if (!is_small(x) || lucid_numel(y) == 0)
        return y;
    lucid_tensor first = lucid_select(s, y, dim, 0), same = lucid_select(s, x, dim, start);
    FUZZ_CHECK(lucid_bool(s, lucid_all(s, lucid_eq(s, first, same), LUCID_ALL)),
               "slice: the first element is another");
    first = lucid_select(s, y, dim, length - 1);
    same = lucid_select(s, x, dim, start + (length - 1) * step);
    FUZZ_CHECK(lucid_bool(s, lucid_all(s, lucid_eq(s, first, same), LUCID_ALL)),
               "slice: the last element is another");
    return y;
}

/* Padding and slicing the padding off again is nothing. */
static lucid_tensor checked_pad(lucid_scope *s, lucid_tensor x, fuzz_bytes *b)
{
    int64_t low[LUCID_MAX_NDIM], high[LUCID_MAX_NDIM];
    any_numbers(b, low);
    any_numbers(b, high);
    lucid_tensor y = lucid_pad(s, x, low, high);
    if (lucid_error(s) != LUCID_OK || !is_small(y) || !is_small(x))
        return y;
    lucid_tensor inner = y;
    for (int d = 0; d < lucid_ndim(x); d++)
        inner = lucid_slice(s, inner, d, low[d], low[d] + lucid_size(x, d), 1);
    FUZZ_CHECK(lucid_bool(s, lucid_all(s, lucid_eq(s, inner, x), LUCID_ALL)),
               "pad: the elements moved");
    FUZZ_CHECK(lucid_item(s, lucid_sum(s, y, LUCID_ALL)) ==
                   lucid_item(s, lucid_sum(s, x, LUCID_ALL)),
               "pad: not with zeros");
    return y;
}

/* Reshaping there and back is nothing; so is permuting. */
static lucid_tensor checked_reshape(lucid_scope *s, lucid_tensor x, fuzz_bytes *b)
{
    lucid_tensor y = lucid_reshape(s, x, any_shape(b));
    if (lucid_error(s) == LUCID_OK)
        FUZZ_CHECK(lucid_numel(y) == lucid_numel(x), "reshape: another number of elements");
    if (lucid_error(s) != LUCID_OK || !is_small(x))
        return y;
    lucid_tensor back = lucid_reshape(s, y, lucid_shape_of(x));
    FUZZ_CHECK(lucid_bool(s, lucid_all(s, lucid_eq(s, back, x), LUCID_ALL)),
               "reshape: the elements moved");
    return y;
}

static lucid_tensor checked_expand(lucid_scope *s, lucid_tensor x, fuzz_bytes *b)
{
    lucid_tensor y = lucid_expand(s, x, any_shape(b));
    if (lucid_error(s) != LUCID_OK || !is_small(y))
        return y;
    FUZZ_CHECK(lucid_bool(s, lucid_all(s, lucid_eq(s, y, x), LUCID_ALL)), "expand: other elements");
    return y;
}

static lucid_tensor one_operation(lucid_scope *s, lucid_tensor x, fuzz_bytes *b)
{
    int64_t list[2 * LUCID_MAX_NDIM];
    switch (fuzz_below(b, 20)) {
    case 0:
        return checked_slice(s, x, b);
    case 1:
        return checked_pad(s, x, b);
    case 2:
        return checked_reshape(s, x, b);
    case 3:
        return checked_expand(s, x, b);
    case 4:
        return lucid_permute(s, x, any_dims(b));
    case 5:
        list[0] = any_number(b);
        return lucid_transpose(s, x, (int)list[0], (int)any_number(b));
    case 6:
        list[0] = any_number(b);
        return lucid_movedim(s, x, (int)list[0], (int)any_number(b));
    case 7:
        return lucid_squeeze(s, x, any_dims(b));
    case 8:
        return lucid_unsqueeze(s, x, (int)any_number(b));
    case 9:
        list[0] = any_number(b);
        return lucid_flatten(s, x, (int)list[0], (int)any_number(b));
    case 10:
        list[0] = any_number(b);
        return lucid_select(s, x, (int)list[0], any_number(b));
    case 11:
        return lucid_concatenate(s, (lucid_tensor[]){x, x}, 2, (int)any_number(b));
    case 12:
        return lucid_stack(s, (lucid_tensor[]){x, x, x}, 3, (int)any_number(b));
    case 13:
        return lucid_flip(s, x, any_dims(b));
    case 14:
        list[0] = any_number(b);
        return lucid_roll(s, x, list[0], (int)any_number(b));
    case 15:
        return lucid_tile(s, x, any_shape(b));
    case 16:
        return lucid_tril(s, x, any_number(b));
    case 17:
        list[0] = any_number(b);
        list[1] = any_number(b);
        return lucid_diagonal(s, x, list[0], (int)list[1], (int)any_number(b));
    case 18:
        return lucid_sum(s, x, any_dims(b));
    default:
        return lucid_zeros(s, any_shape(b));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_bytes b = {data, size};
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = lucid_arange(s, 0, fuzz_below(&b, 4) * 12, 1, LUCID_FLOAT64);
    x = lucid_reshape(s, x, LUCID_SHAPE(2, 3, -1));
    for (int i = 0; i < 6 && b.left > 0 && lucid_error(s) == LUCID_OK; i++) {
        lucid_tensor y = one_operation(s, x, &b);
        bool ok = lucid_error(s) == LUCID_OK;
        FUZZ_CHECK(ok == !lucid_is_empty_handle(y), "an empty result without an error");
        if (!ok) /* refused: go on with what was there */
            lucid_clear_error(s);
        else
            x = y;
        if (!is_small(x))
            break;
        if (lucid_eval(s, &x, 1) != LUCID_OK)
            FUZZ_CHECK(lucid_error(s) == LUCID_MEMORY_ERROR, "%s", lucid_error_message(s));
    }
    (void)lucid_close(s);
    return 0;
}
