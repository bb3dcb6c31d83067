/* random_bits: see prim/random_prims.c for what the words are.
 *
 * The blocks of all lanes form one sequence, cut into tiles, so that lanes of one block only (a
 * scalar per example under vmap) go as fast as one lane of many. */
#include "cpu/kernels.h"

#include <string.h>

#include "cpu/instr.h"
#include "cpu/threads.h"

enum {
    TILE = LUCID__PHILOX_TILE,
    PARALLEL_BLOCKS = 16384, /* below, starting threads costs more than it saves */
};

/* Element `index` (row-major) of an int64 view. */
static uint64_t at(const lucid__view *v, int64_t index)
{
    int64_t offset = 0;
    for (int d = v->shape.ndim - 1; d > 0; d--) {
        offset += index % v->shape.dim[d] * v->stride[d];
        index /= v->shape.dim[d];
    }
    if (v->shape.ndim > 0)
        offset += index * v->stride[0];
    return (uint64_t)((const int64_t *)v->data)[offset];
}

typedef struct work {
    const lucid__view *in;
    int64_t words, blocks; /* per lane */
    uint32_t *out;
} work;

/* Counters and keys of blocks first .. first + count - 1. */
static void fill(const work *w, lucid__philox_tile *t, int64_t first, int count)
{
    int64_t lane = first / w->blocks, block = first % w->blocks;
    for (int i = 0; i < count; lane++, block = 0) {
        int64_t left = w->blocks - block;
        int run = left < count - i ? (int)left : count - i;
        uint64_t seed = at(&w->in[0], lane);
        uint32_t counter[4];
        lucid__philox_counter((uint32_t)block, at(&w->in[1], lane), at(&w->in[2], lane), counter);
#pragma omp simd
        for (int j = 0; j < run; j++) {
            t->counter[0][i + j] = counter[0] + (uint32_t)j;
            t->counter[1][i + j] = counter[1];
            t->counter[2][i + j] = counter[2];
            t->counter[3][i + j] = counter[3];
            t->key[0][i + j] = (uint32_t)seed;
            t->key[1][i + j] = (uint32_t)(seed >> 32);
        }
        i += run;
    }
}

static void store(const work *w, const lucid__philox_tile *t, int64_t first, int count)
{
    if (w->words % 4 == 0) { /* no gaps between lanes */
        memcpy(w->out + 4 * first, t->word, 4 * (size_t)count * sizeof(uint32_t));
        return;
    }
    int64_t lane = first / w->blocks, block = first % w->blocks;
    for (int i = 0; i < count; i++, block++) {
        if (block == w->blocks) {
            block = 0;
            lane++;
        }
        uint32_t *to = w->out + lane * w->words + 4 * block;
        int64_t left = w->words - 4 * block;
        for (int j = 0; j < 4 && j < left; j++)
            to[j] = t->word[4 * i + j];
    }
}

lucid_status lucid__random_bits_kernel(const lucid__kernel_args *args)
{
    int64_t lanes = lucid__numel(&args->in[0].shape), all = lucid__numel(&args->out[0].shape);
    if (all == 0)
        return LUCID_OK;
    int64_t words = all / lanes, blocks = words / 4 + (words % 4 != 0), total = lanes * blocks;
    const work w = {args->in, words, blocks, args->out[0].data};
    lucid__philox_run *run = lucid__bodies_get()->philox;
#pragma omp parallel for schedule(static) \
    num_threads(lucid__num_threads()) if (total >= PARALLEL_BLOCKS)
    for (int64_t first = 0; first < total; first += TILE) {
        lucid__philox_tile t;
        int count = total - first < TILE ? (int)(total - first) : TILE;
        if (count < TILE) /* the rest of the last tile is worked on too, and not looked at */
            memset(&t, 0, sizeof t);
        fill(&w, &t, first, count);
        run(&t);
        store(&w, &t, first, count);
    }
    return LUCID_OK;
}
