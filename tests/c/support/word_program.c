#include "support/word_program.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DEPTH = 64, VARIABLES = 16, PARAMETERS = 8, NAME = 32 };

/* What stands on the stack: a tensor, or a block of words from .. to - 1. */
typedef struct entry {
    lucid_tensor x;
    int from, to;
} entry;

typedef struct machine {
    lucid_scope *s;
    word_program *p;
    const lucid_tensor *x;
    size_t nx;
    entry stack[DEPTH];
    int depth;
    struct {
        const char *name;
        lucid_tensor x;
    } variable[VARIABLES];
    int nvariables;
} machine;

/* A word's name and the numbers after its colon. */
typedef struct operation {
    char name[NAME];
    double at[PARAMETERS];
    int n;
} operation;

static bool ok(const machine *m)
{
    return lucid_error(m->s) == LUCID_OK;
}

static void push(machine *m, lucid_tensor x)
{
    assert_true(m->depth < DEPTH);
    m->stack[m->depth++] = (entry){.x = x};
}

static entry pop(machine *m)
{
    assert_true(m->depth > 0);
    return m->stack[--m->depth];
}

static lucid_tensor pop_tensor(machine *m)
{
    return pop(m).x;
}

/* ---- operations --------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    lucid_tensor (*build)(lucid_scope *s, lucid_tensor x);
} unary[] = {
#define LUCID_UNARY(name, class, doc) {#name, lucid_##name},
#define LUCID_BINARY(name, class, doc)
#include "lucid_elementwise.def"
#undef LUCID_UNARY
#undef LUCID_BINARY
    {"relu", lucid_relu},
    {"sigmoid", lucid_sigmoid},
    {"cholesky", lucid_cholesky},
    {"trace", lucid_trace},
    {"zeros_like", lucid_zeros_like},
    {"ones_like", lucid_ones_like},
    {"bernoulli", lucid_bernoulli},
    {"exponential", lucid_exponential},
    {"poisson", lucid_poisson},
};

static const struct {
    const char *name;
    lucid_tensor (*build)(lucid_scope *s, lucid_tensor x, lucid_tensor y);
} binary[] = {
#define LUCID_UNARY(name, class, doc)
#define LUCID_BINARY(name, class, doc) {#name, lucid_##name},
#include "lucid_elementwise.def"
#undef LUCID_UNARY
#undef LUCID_BINARY
    {"pow", lucid_pow},
    {"matmul", lucid_matmul},
    {"outer", lucid_outer},
    {"solve", lucid_solve},
    {"masked_select", lucid_masked_select},
    {"normal", lucid_normal},
    {"uniform", lucid_uniform},
};

static const struct {
    const char *name;
    lucid_tensor (*build)(lucid_scope *s, lucid_tensor x, lucid_dims dims);
} reductions[] = {
    {"sum", lucid_sum},   {"mean", lucid_mean},           {"amax", lucid_amax},
    {"amin", lucid_amin}, {"logsumexp", lucid_logsumexp}, {"any", lucid_any},
    {"all", lucid_all},
};

static const struct {
    const char *name;
    lucid_tensor (*build)(lucid_scope *s, lucid_tensor x, int dim);
} along[] = {
    {"softmax", lucid_softmax}, {"log_softmax", lucid_log_softmax}, {"cumsum", lucid_cumsum},
    {"cumprod", lucid_cumprod}, {"unsqueeze", lucid_unsqueeze},
};

static const struct {
    const char *name;
    lucid_dtype dtype;
} casts[] = {
    {"bool", LUCID_BOOL},       {"int32", LUCID_INT32},     {"int64", LUCID_INT64},
    {"float32", LUCID_FLOAT32}, {"float64", LUCID_FLOAT64},
};

static lucid_dims dims_of(const operation *o)
{
    lucid_dims d = {.n = o->n, .all = o->n == 0};
    for (int i = 0; i < o->n; i++)
        d.dim[i] = (int)o->at[i];
    return d;
}

static lucid_shape shape_from(const operation *o, int first)
{
    lucid_shape shape = {o->n - first, {0}};
    for (int i = first; i < o->n; i++)
        shape.dim[i - first] = (int64_t)o->at[i];
    return shape;
}

/* Words that stand in a table, by how they are called. */
static bool from_tables(machine *m, const operation *o)
{
    for (size_t i = 0; i < sizeof unary / sizeof *unary; i++)
        if (strcmp(o->name, unary[i].name) == 0) {
            push(m, unary[i].build(m->s, pop_tensor(m)));
            return true;
        }
    for (size_t i = 0; i < sizeof binary / sizeof *binary; i++)
        if (strcmp(o->name, binary[i].name) == 0) {
            lucid_tensor y = pop_tensor(m), x = pop_tensor(m);
            push(m, binary[i].build(m->s, x, y));
            return true;
        }
    for (size_t i = 0; i < sizeof reductions / sizeof *reductions; i++)
        if (strcmp(o->name, reductions[i].name) == 0) {
            push(m, reductions[i].build(m->s, pop_tensor(m), dims_of(o)));
            return true;
        }
    for (size_t i = 0; i < sizeof along / sizeof *along; i++)
        if (strcmp(o->name, along[i].name) == 0) {
            push(m, along[i].build(m->s, pop_tensor(m), (int)o->at[0]));
            return true;
        }
    for (size_t i = 0; i < sizeof casts / sizeof *casts; i++)
        if (strcmp(o->name, casts[i].name) == 0) {
            push(m, lucid_cast(m->s, pop_tensor(m), casts[i].dtype));
            return true;
        }
    return false;
}

static bool random_word(machine *m, const operation *o)
{
    lucid_scope *s = m->s;
    if (strcmp(o->name, "rand") == 0)
        push(m, lucid_rand(s, shape_from(o, 0)));
    else if (strcmp(o->name, "rand64") == 0)
        push(m, lucid_rand_of(s, shape_from(o, 0), LUCID_FLOAT64));
    else if (strcmp(o->name, "randn") == 0)
        push(m, lucid_randn(s, shape_from(o, 0)));
    else if (strcmp(o->name, "randn64") == 0)
        push(m, lucid_randn_of(s, shape_from(o, 0), LUCID_FLOAT64));
    else if (strcmp(o->name, "randint") == 0)
        push(m, lucid_randint(s, (int64_t)o->at[0], (int64_t)o->at[1], shape_from(o, 2)));
    else if (strcmp(o->name, "randperm") == 0)
        push(m, lucid_randperm(s, (int64_t)o->at[0]));
    else if (strcmp(o->name, "multinomial") == 0)
        push(m, lucid_multinomial(s, pop_tensor(m), (int64_t)o->at[0], o->at[1] != 0));
    else if (strcmp(o->name, "dropout") == 0)
        push(m, lucid_dropout(s, pop_tensor(m), o->at[0], true));
    else
        return false;
    return true;
}

static bool other_word(machine *m, const operation *o)
{
    lucid_scope *s = m->s;
    if (strcmp(o->name, "where") == 0) {
        lucid_tensor y = pop_tensor(m), x = pop_tensor(m), p = pop_tensor(m);
        push(m, lucid_where(s, p, x, y));
    } else if (strcmp(o->name, "reshape") == 0) {
        push(m, lucid_reshape(s, pop_tensor(m), shape_from(o, 0)));
    } else if (strcmp(o->name, "expand") == 0) {
        push(m, lucid_expand(s, pop_tensor(m), shape_from(o, 0)));
    } else if (strcmp(o->name, "transpose") == 0) {
        push(m, lucid_transpose(s, pop_tensor(m), (int)o->at[0], (int)o->at[1]));
    } else if (strcmp(o->name, "select") == 0) {
        push(m, lucid_select(s, pop_tensor(m), (int)o->at[0], (int64_t)o->at[1]));
    } else if (strcmp(o->name, "index") == 0) { /* x i index: x[i] */
        lucid_tensor i = pop_tensor(m), x = pop_tensor(m);
        push(m, lucid_index(s, x, &i, 1));
    } else if (strcmp(o->name, "index_put") == 0) { /* x i v index_put: x with x[i] = v */
        lucid_tensor v = pop_tensor(m), i = pop_tensor(m), x = pop_tensor(m);
        push(m, lucid_index_put(s, x, &i, 1, v, false));
    } else if (strcmp(o->name, "concatenate") == 0) { /* x y concatenate:DIM */
        lucid_tensor y = pop_tensor(m), x = pop_tensor(m);
        push(m, lucid_concatenate(s, (lucid_tensor[]){x, y}, 2, (int)o->at[0]));
    } else if (strcmp(o->name, "stack") == 0) { /* x y z stack:3 */
        int n = (int)o->at[0];
        lucid_tensor part[DEPTH];
        for (int i = n; i > 0; i--)
            part[i - 1] = pop_tensor(m);
        push(m, lucid_stack(s, part, (size_t)n, 0));
    } else if (strcmp(o->name, "sort") == 0) {
        push(m, lucid_sort(s, pop_tensor(m), (int)o->at[0], false, NULL));
    } else {
        return false;
    }
    return true;
}

/* ---- blocks ------------------------------------------------------------------------------------- */

static void run(machine *m, int from, int to);

static void run_block(machine *m, entry block)
{
    run(m, block.from, block.to);
}

static lucid_generator *own_generator(word_program *p, uint64_t seed)
{
    for (int i = 0; i < p->nown; i++)
        if (p->own[i].seed == seed)
            return p->own[i].generator;
    assert_true(p->nown < WORD_GENERATORS);
    p->own[p->nown].seed = seed;
    p->own[p->nown].generator = lucid_generator_new(seed);
    return p->own[p->nown++].generator;
}

static bool block_word(machine *m, const operation *o)
{
    if (strcmp(o->name, "if") == 0) {
        entry no = pop(m), yes = pop(m);
        run_block(m, lucid_bool(m->s, pop_tensor(m)) ? yes : no);
    } else if (strcmp(o->name, "while") == 0) {
        entry body = pop(m), p = pop(m);
        for (run_block(m, p); ok(m) && lucid_bool(m->s, pop_tensor(m)); run_block(m, p))
            run_block(m, body);
    } else if (strcmp(o->name, "times") == 0) {
        entry body = pop(m);
        for (int64_t n = lucid_item_int(m->s, pop_tensor(m)); n > 0 && ok(m); n--)
            run_block(m, body);
    } else if (strcmp(o->name, "own") == 0) {
        entry body = pop(m);
        lucid_generator *own = own_generator(m->p, (uint64_t)o->at[0]);
        lucid_generator *before = lucid_set_generator(m->s, own);
        run_block(m, body);
        (void)lucid_set_generator(m->s, before);
    } else {
        return false;
    }
    return true;
}

/* ---- control flow as operations ------------------------------------------------------------------ */

/* A block as a function of what it finds on its stack. */
typedef struct block_fn {
    const machine *m;
    entry block;
} block_fn;

static lucid_status call_block(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_results *y,
                               void *user)
{
    const block_fn *b = user;
    machine inside = *b->m;
    inside.s = s;
    inside.depth = 0;
    for (size_t i = 0; i < nx; i++)
        push(&inside, x[i]);
    run_block(&inside, b->block);
    for (int i = 0; i < inside.depth && ok(&inside); i++)
        (void)lucid_results_push(s, y, inside.stack[i].x);
    return lucid_error(s);
}

enum { BLOCKS = 4 };

/* The last n blocks of the stack as functions, which live as long as `users`. */
static void pop_functions(machine *m, block_fn *users, lucid_fn *f, int n)
{
    assert_true(n <= BLOCKS);
    for (int i = n; i-- > 0;) {
        users[i] = (block_fn){m, pop(m)};
        f[i] = lucid_fn_new_listing(m->s, call_block, &users[i], NULL);
    }
}

static void pop_tensors(machine *m, lucid_tensor *x, int n)
{
    assert_true(n <= DEPTH);
    for (int i = n; i-- > 0;)
        x[i] = pop_tensor(m);
}

static void push_all(machine *m, const lucid_results *y)
{
    for (size_t k = 0; ok(m) && k < lucid_results_count(y); k++)
        push(m, lucid_results_at(y, k));
}

static void push_tensors(machine *m, const lucid_tensor *x, int n)
{
    for (int k = 0; ok(m) && k < n; k++)
        push(m, x[k]);
}

static bool flow_word(machine *m, const operation *o)
{
    lucid_scope *s = m->s;
    block_fn users[BLOCKS];
    lucid_fn f[BLOCKS];
    lucid_tensor x[DEPTH], y[DEPTH];
    lucid_results *r = lucid_results_new(s);
    int n = (int)o->at[0], more = (int)o->at[1];
    const lucid_while_options options = {.max_steps = more, .checkpoint_every = (int64_t)o->at[2]};
    if (strcmp(o->name, "cond") == 0) { /* p x.. [ a ] [ b ] cond:N */
        pop_functions(m, users, f, 2);
        pop_tensors(m, x, n);
        (void)lucid_cond_listing(s, pop_tensor(m), f[0], f[1], x, (size_t)n, r);
        push_all(m, r);
    } else if (strcmp(o->name, "switch") == 0) { /* k x.. [ a ] [ b ] .. switch:N,BRANCHES */
        pop_functions(m, users, f, more);
        pop_tensors(m, x, n);
        (void)lucid_switch_listing(s, pop_tensor(m), f, (size_t)more, x, (size_t)n, r);
        push_all(m, r);
    } else if (strcmp(o->name, "loop") ==
               0) { /* c.. [ p ] [ a ] loop:N,MAX_STEPS,CHECKPOINT_EVERY */
        pop_functions(m, users, f, 2);
        pop_tensors(m, x, n);
        (void)lucid_while(s, f[0], f[1], x, (size_t)n, &options, y);
        push_tensors(m, y, n);
    } else if (strcmp(o->name, "fori") == 0) { /* lower upper c.. [ a ] fori:N,MAX_STEPS */
        pop_functions(m, users, f, 1);
        pop_tensors(m, x, n + 2);
        (void)lucid_fori(s, x[0], x[1], f[0], x + 2, (size_t)n, more ? &options : NULL, y);
        push_tensors(m, y, n);
    } else if (strcmp(o->name, "scan") == 0) { /* c.. xs.. [ a ] scan:N,M,REVERSE */
        pop_functions(m, users, f, 1);
        pop_tensors(m, x, n + more);
        (void)lucid_scan_listing(s, f[0], x, (size_t)n, x + n, (size_t)more,
                                 &(lucid_scan_options){.reverse = o->at[2] != 0}, r);
        push_all(m, r);
    } else if (strcmp(o->name, "map") == 0) { /* xs.. [ a ] map:M */
        pop_functions(m, users, f, 1);
        pop_tensors(m, x, n);
        (void)lucid_map_listing(s, f[0], x, (size_t)n, r);
        push_all(m, r);
    } else {
        return false;
    }
    return true;
}

/* ---- words -------------------------------------------------------------------------------------- */

static operation operation_of(const char *word)
{
    operation o = {.n = 0};
    size_t length = strcspn(word, ":");
    assert_true(length < NAME);
    memcpy(o.name, word, length);
    for (const char *at = word + length; *at && o.n < PARAMETERS;) {
        char *end;
        o.at[o.n++] = strtod(at + 1, &end);
        at = end;
    }
    return o;
}

static bool number(machine *m, const char *word)
{
    if (!isdigit((unsigned char)word[0]) && !(word[0] == '-' && isdigit((unsigned char)word[1])))
        return false;
    push(m, strpbrk(word, ".e") ? lucid_scalar(m->s, strtod(word, NULL))
                                : lucid_scalar_int(m->s, strtoll(word, NULL, 10)));
    return true;
}

static bool variable(machine *m, const char *word)
{
    bool set = strncmp(word, "->", 2) == 0;
    if (set)
        word += 2;
    int i = 0;
    while (i < m->nvariables && strcmp(m->variable[i].name, word) != 0)
        i++;
    if (set) {
        assert_true(i < VARIABLES);
        m->variable[i].name = word;
        m->variable[i].x = pop_tensor(m);
        m->nvariables += i == m->nvariables;
    } else if (i < m->nvariables) {
        push(m, m->variable[i].x);
    }
    return set || i < m->nvariables;
}

static bool argument(machine *m, const char *word)
{
    if (word[0] != 'x' || !isdigit((unsigned char)word[1]))
        return false;
    size_t i = strtoul(word + 1, NULL, 10);
    assert_true(i < m->nx);
    push(m, m->x[i]);
    return true;
}

/* The word that closes the block opened at `from`. */
static int end_of_block(const machine *m, int from)
{
    for (int i = from, open = 0; i < m->p->nwords; i++) {
        open += strcmp(m->p->word[i], "[") == 0;
        open -= strcmp(m->p->word[i], "]") == 0;
        if (open == 0)
            return i;
    }
    fail_msg("a block without an end");
    return 0;
}

static void run(machine *m, int from, int to)
{
    for (int i = from; i < to && ok(m); i++) {
        const char *word = m->p->word[i];
        if (strcmp(word, "[") == 0) {
            int end = end_of_block(m, i);
            assert_true(m->depth < DEPTH);
            m->stack[m->depth++] = (entry){.from = i + 1, .to = end};
            i = end;
            continue;
        }
        if (number(m, word) || argument(m, word) || variable(m, word))
            continue;
        operation o = operation_of(word);
        if (!block_word(m, &o) && !flow_word(m, &o) && !from_tables(m, &o) && !random_word(m, &o) &&
            !other_word(m, &o))
            fail_msg("unknown word %s", word);
    }
}

lucid_status word_program_run(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_results *y,
                              void *user)
{
    machine m = {.s = s, .p = user, .x = x, .nx = nx};
    run(&m, 0, m.p->nwords);
    for (int i = 0; i < m.depth && ok(&m); i++)
        (void)lucid_results_push(s, y, m.stack[i].x);
    return lucid_error(s);
}

void word_program_clear(word_program *p)
{
    for (int i = 0; i < p->nown; i++)
        lucid_generator_free(p->own[i].generator);
    p->nown = 0;
}
