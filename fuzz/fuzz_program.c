/* Bytes are a random program (tests/c/support/random_program.h), its inputs and a vmap; what the vmap
 * gives must be what the loop over examples gives. */
#include "fuzz_input.h"
#include "support/differences.h"
#include "support/random_program.h"
#include "support/recipe.h"

enum { LANES = 3, MAX_ARGS = 2 };

static void check(const recipe *f, size_t nx, const int *axis, const lucid_vmap_options *options,
                  host_array x[LANES][MAX_ARGS])
{
    host_array y[LANES], in[RECIPE_MAX], got[RECIPE_MAX];
    for (int b = 0; b < LANES; b++) {
        host_array one[RECIPE_MAX];
        for (size_t i = 0; i < nx; i++)
            one[i] = x[axis[i] < 0 ? 0 : b][i];
        lucid_status status = recipe_run(f, one, &y[b]);
        FUZZ_CHECK(status == LUCID_OK, "one example: %s", recipe_message());
    }
    for (size_t i = 0; i < nx; i++) {
        host_array lanes[LANES];
        for (int b = 0; b < LANES; b++)
            lanes[b] = x[b][i];
        in[i] = axis[i] < 0 ? x[0][i] : host_stack(lanes, LANES, axis[i]);
    }
    recipe v = recipe_vmap(f, options);
    lucid_status status = recipe_run(&v, in, got);
    FUZZ_CHECK(status == LUCID_OK, "vmap: %s", recipe_message());
    host_array want = host_stack(y, LANES, 0);
    FUZZ_CHECK(same("vmap against the loop", &got[0], &want, 1e-7), "they differ");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 200)
        return 0;
    choices c = {.bytes = data, .size = size, .bytes_only = true};
    size_t nx = 1 + (size_t)choose(&c, MAX_ARGS), mark = host_mark();
    int in_dims[MAX_ARGS], axis[MAX_ARGS];
    host_array x[LANES][MAX_ARGS];
    differences_begin();
    for (size_t i = 0; i < nx; i++) {
        lucid_shape shape = {.ndim = (int)choose(&c, 4)};
        for (int d = 0; d < shape.ndim; d++)
            shape.dim[d] = choose(&c, 4);
        axis[i] = i > 0 && choose(&c, 2) ? -1 : (int)choose(&c, shape.ndim + 1);
        in_dims[i] = axis[i] < 0 ? LUCID_NONE : axis[i];
        for (int b = 0; b < LANES; b++) {
            test_rng rng = rng_of(size, i, (uint64_t)b);
            x[b][i] = sample_input(&(lucid__sample_input){LUCID_FLOAT64, "normal", shape}, &rng);
        }
    }
    const lucid_vmap_options options = {.in_dims = {in_dims, nx},
                                        .chunk_size = choose(&c, LANES),
                                        .strategy = (lucid_strategy)choose(&c, 3)};
    bool scalar = choose(&c, 4) == 3;
    int steps = 1 + (int)choose(&c, 8);
    /* Smooth: near a kink the two ways may round to either side of it. */
    program p = {.start = c, .steps = steps, .smooth = true};
    recipe f = recipe_plain(scalar ? program_run_to_scalar : program_run, &p, nx, 1);
    check(&f, nx, axis, &options, x);
    host_release(mark);
    return 0;
}
