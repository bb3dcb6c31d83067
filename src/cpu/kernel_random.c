/* random_bits into memory. Most programs make their words themselves instead (random_words.h). */
#include "base/interrupt.h"
#include "base/shape.h"
#include "cpu/kernels.h"
#include "cpu/random_words.h"
#include "cpu/threads.h"

enum { PIECE = 1 << 14 }; /* words that are worth a thread */

lucid_status lucid__random_bits_kernel(const lucid__kernel_args *args)
{
    int64_t lanes = lucid__numel(&args->in[0].shape), all = lucid__numel(&args->out[0].shape);
    if (all == 0)
        return LUCID_OK;
    lucid__word_source source = lucid__word_source_new(args->in, all / lanes);
    uint32_t *to = args->out[0].data;
#pragma omp parallel for schedule(static) num_threads(lucid__team_if(all > 2 * PIECE))
    for (int64_t first = 0; first < all; first += PIECE) {
        if (lucid__stop())
            continue;
        lucid__random_words(&source, first, 1, all - first < PIECE ? all - first : PIECE,
                            to + first);
    }
    return LUCID_OK;
}
