/* Lanes of many blocks go one by one. Those of few form one sequence of blocks, cut into tiles, so that lanes of
 * one block only (a scalar per example under vmap) go as fast. */
#include "cpu/random_words.h"

#include "base/shape.h"
#include "cpu/instr.h"

enum { TILE = LUCID__PHILOX_TILE, NOT_STEADY = -1, MANY_BLOCKS = 16 };

lucid__word_source lucid__word_source_new(const lucid__view in[3], int64_t words)
{
    lucid__word_source s = {.words = words, .blocks = words / 4 + (words % 4 != 0)};
    for (int i = 0; i < 3; i++) {
        bool same = true;
        for (int d = 0; d < in[i].shape.ndim; d++)
            same = same && (in[i].stride[d] == 0 || in[i].shape.dim[d] == 1);
        s.in[i] = in[i];
        s.step[i] = same ? 0 : lucid__is_contiguous(&in[i].shape, in[i].stride) ? 1 : NOT_STEADY;
    }
    return s;
}

/* Element `lane` (row-major) of an input. */
static uint64_t at(const lucid__word_source *s, int i, int64_t lane)
{
    const lucid__view *v = &s->in[i];
    int64_t offset = lane * s->step[i];
    if (s->step[i] == NOT_STEADY) {
        offset = 0;
        for (int d = v->shape.ndim - 1; d >= 0; d--) {
            offset += lane % v->shape.dim[d] * v->stride[d];
            lane /= v->shape.dim[d];
        }
    }
    return (uint64_t)((const int64_t *)v->data)[offset];
}

/* The counter and key of one block. */
static void set(lucid__philox_tile *t, int i, uint32_t block, uint64_t seed, uint64_t draw,
                uint64_t lane)
{
    uint32_t counter[4];
    lucid__philox_counter(block, draw, lane, counter);
    for (int k = 0; k < 4; k++)
        t->counter[k][i] = counter[k];
    t->key[0][i] = (uint32_t)seed;
    t->key[1][i] = (uint32_t)(seed >> 32);
}

/* One block from each of `count` lanes. */
static void fill_lanes(const lucid__word_source *s, lucid__philox_tile *t, int64_t lane, int count)
{
    if (s->step[0] == NOT_STEADY || s->step[1] == NOT_STEADY || s->step[2] == NOT_STEADY) {
        for (int i = 0; i < count; i++)
            set(t, i, 0, at(s, 0, lane + i), at(s, 1, lane + i), at(s, 2, lane + i));
        return;
    }
    const int64_t *x[3];
    for (int k = 0; k < 3; k++)
        x[k] = (const int64_t *)s->in[k].data + lane * s->step[k];
    for (int i = 0; i < count; i++)
        set(t, i, 0, (uint64_t)x[0][i * s->step[0]], (uint64_t)x[1][i * s->step[1]],
            (uint64_t)x[2][i * s->step[2]]);
}

/* `count` blocks from number `block` of a lane on, and on through the lanes behind it. */
static void fill(const lucid__word_source *s, lucid__philox_tile *t, int64_t lane, int64_t block,
                 int count)
{
    for (int i = 0; i < count; lane++, block = 0) {
        int64_t left = s->blocks - block;
        int run = left < count - i ? (int)left : count - i;
        uint64_t seed = at(s, 0, lane);
        uint32_t counter[4];
        lucid__philox_counter((uint32_t)block, at(s, 1, lane), at(s, 2, lane), counter);
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

/* Lanes of many blocks. */
static void rows(const lucid__word_source *s, int64_t first, int64_t n, uint32_t *to)
{
    lucid__philox_row *run = lucid__bodies_get()->philox_row;
    int64_t lane = first / s->words, word = first % s->words;
    for (; n > 0; lane++, word = 0) {
        int64_t length = s->words - word < n ? s->words - word : n;
        uint64_t seed = at(s, 0, lane);
        const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
        uint32_t counter[4];
        lucid__philox_counter((uint32_t)(word / 4), at(s, 1, lane), at(s, 2, lane), counter);
        run(counter, key, (int)(word % 4), length, to);
        to += length;
        n -= length;
    }
}

/* Tiles of blocks that follow each other; of the first one words may be left out in front, of the last
 * behind, and of each lane's last. */
static void consecutive(const lucid__word_source *s, int64_t first, int64_t n, uint32_t *to)
{
    lucid__philox_tile t = {0};
    lucid__philox_run *run = lucid__bodies_get()->philox;
    int64_t lane = first / s->words, word = first % s->words;
    int64_t last = first + n - 1, last_word = last % s->words;
    int64_t blocks = (last / s->words - lane) * s->blocks + last_word / 4 - word / 4 + 1;
    for (; n > 0; blocks -= TILE) {
        int count = blocks < TILE ? (int)blocks : TILE;
        if (s->blocks == 1)
            fill_lanes(s, &t, lane, count);
        else
            fill(s, &t, lane, word / 4, count);
        run(&t);
        if (s->words == 1) {
            for (int i = 0; i < count; i++)
                to[i] = t.word[4 * i];
            to += count;
            n -= count;
            lane += count;
            continue;
        }
        for (int block = 0; block < TILE && n > 0;) {
            int64_t in_lane = s->words - word, in_tile = 4 * (TILE - block) - word % 4;
            int64_t length = in_lane < in_tile ? in_lane : in_tile;
            length = length < n ? length : n;
            const uint32_t *from = t.word + 4 * block + word % 4;
            for (int64_t i = 0; i < length; i++)
                to[i] = from[i];
            block += (int)((word % 4 + length + 3) / 4);
            to += length;
            n -= length;
            word += length;
            if (word == s->words) {
                word = 0;
                lane++;
            }
        }
    }
}

/* Each word from a block of its own. */
static void scattered(const lucid__word_source *s, int64_t first, int64_t stride, int64_t n,
                      uint32_t *to)
{
    lucid__philox_tile t = {0};
    lucid__philox_run *run = lucid__bodies_get()->philox;
    for (int64_t done = 0; done < n; done += TILE) {
        int count = n - done < TILE ? (int)(n - done) : TILE;
        int in_block[TILE];
        for (int i = 0; i < count; i++) {
            int64_t f = first + (done + i) * stride, lane = f / s->words, word = f % s->words;
            set(&t, i, (uint32_t)(word / 4), at(s, 0, lane), at(s, 1, lane), at(s, 2, lane));
            in_block[i] = (int)(word % 4);
        }
        run(&t);
        for (int i = 0; i < count; i++)
            to[done + i] = t.word[4 * i + in_block[i]];
    }
}

void lucid__random_words(const lucid__word_source *s, int64_t first, int64_t stride, int64_t n,
                         uint32_t *to)
{
    if (stride == 1 && s->blocks >= MANY_BLOCKS)
        rows(s, first, n, to);
    else if (stride == 1)
        consecutive(s, first, n, to);
    else
        scattered(s, first, stride, n, to);
}
