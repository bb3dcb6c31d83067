#include "support/vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const dtype_names[] = {"bool", "int32", "int64", "float32", "float64"};

static void wrong(const vector_file *f, const char *what, const char *word)
{
    fail_msg("%s:%d: %s \"%s\"", f->path, f->line, what, word ? word : "");
}

void vector_open(vector_file *f, const char *path)
{
    *f = (vector_file){.path = path};
    FILE *in = fopen(path, "rb");
    if (!in)
        fail_msg("cannot open %s", path);
    (void)fseek(in, 0, SEEK_END);
    long size = ftell(in);
    rewind(in);
    f->text = malloc((size_t)size + 1);
    assert_non_null(f->text);
    assert_int_equal(fread(f->text, 1, (size_t)size, in), size);
    (void)fclose(in);
    f->text[size] = 0;
    f->at = f->text;
}

void vector_close(vector_file *f)
{
    free(f->text);
}

/* The next line with those that continue it, without comments; NULL at the end. */
static char *next_line(vector_file *f)
{
    char *line = f->at, *at = line;
    if (!*line)
        return NULL;
    for (; *at; at++) {
        f->line += *at == '\n';
        if (*at == '#')
            while (*at && *at != '\n')
                *at++ = ' ';
        if (*at == '\n') {
            *at = ' ';
            if (at[1] != ' ')
                break;
        }
    }
    f->at = *at ? at + 1 : at;
    if (*at)
        *at = 0;
    return line;
}

static char *next_word(char **at)
{
    *at += strspn(*at, " ");
    if (!**at)
        return NULL;
    char *word = *at;
    *at += strcspn(*at, " ");
    if (**at)
        *(*at)++ = 0;
    return word;
}

static int words(const vector_file *f, char *at, char **to, int most)
{
    int n = 0;
    for (char *word; (word = next_word(&at)); to[n++] = word)
        if (n == most)
            wrong(f, "too many words at", word);
    return n;
}

static void store(const vector_file *f, vector_tensor *t, size_t i, const char *word)
{
    char *end;
    if (t->dtype == LUCID_FLOAT32 || t->dtype == LUCID_FLOAT64) {
        double x = strtod(word, &end);
        if (t->dtype == LUCID_FLOAT64)
            ((double *)t->data)[i] = x;
        else
            ((float *)t->data)[i] = (float)x;
    } else {
        long long x = strtoll(word, &end, 10);
        if (t->dtype == LUCID_INT64)
            ((int64_t *)t->data)[i] = x;
        else if (t->dtype == LUCID_INT32)
            ((int32_t *)t->data)[i] = (int32_t)x;
        else
            ((bool *)t->data)[i] = x != 0;
    }
    if (*end)
        wrong(f, "not a number:", word);
}

static void read_tensor(const vector_file *f, char *at, vector_tensor *t, bool output)
{
    char *dtype = next_word(&at), *sizes = next_word(&at);
    t->dtype = LUCID_NO_DTYPE;
    for (int i = 0; dtype && i < (int)LUCID_NO_DTYPE; i++)
        if (strcmp(dtype, dtype_names[i]) == 0)
            t->dtype = (lucid_dtype)i;
    if (t->dtype == LUCID_NO_DTYPE || !sizes)
        wrong(f, "not a dtype with sizes:", dtype);
    t->shape = (lucid_shape){0, {0}};
    size_t n = 1;
    for (char *size = sizes; *size && *sizes != '-'; size += *size == 'x') {
        int64_t dim = strtoll(size, &size, 10);
        t->shape.dim[t->shape.ndim++] = dim;
        n *= (size_t)dim;
    }
    if (output) {
        char *tolerance = next_word(&at);
        if (!tolerance)
            wrong(f, "an output without a tolerance", "");
        t->tolerance = strcmp(tolerance, "exact") == 0 ? 0 : strtod(tolerance, NULL);
    }
    t->data = calloc(n + 1, sizeof(double));
    assert_non_null(t->data);
    for (size_t i = 0; i < n; i++) {
        char *word = next_word(&at);
        if (!word)
            wrong(f, "too few elements", "");
        store(f, t, i, word);
    }
    if (next_word(&at))
        wrong(f, "too many elements", "");
}

static void statement(const vector_file *f, vector_case *c, const char *key, char *at)
{
    if (strcmp(key, "program") == 0) {
        c->nwords = words(f, at, c->word, VECTOR_WORDS);
    } else if (strcmp(key, "apply") == 0) {
        assert_true(c->napplies < VECTOR_APPLIES);
        vector_apply *a = &c->apply[c->napplies++];
        a->transform = next_word(&at);
        a->noptions = words(f, at, a->option, VECTOR_OPTIONS);
    } else if (strcmp(key, "strategies") == 0) {
        c->nstrategies = words(f, at, c->strategy, VECTOR_OPTIONS);
    } else if (strcmp(key, "chunk_sizes") == 0) {
        c->nchunk_sizes = words(f, at, c->chunk_size, VECTOR_OPTIONS);
    } else if (strcmp(key, "seed") == 0) {
        c->seed = strtoull(at, NULL, 10);
    } else if (strcmp(key, "draws") == 0) {
        c->draws = strtol(at, NULL, 10);
    } else if (strcmp(key, "paths") == 0) {
        c->paths = strtol(at, NULL, 10);
    } else if (strcmp(key, "input") == 0) {
        assert_true(c->ninputs < VECTOR_TENSORS);
        read_tensor(f, at, &c->input[c->ninputs++], false);
    } else if (strcmp(key, "output") == 0) {
        assert_true(c->noutputs < VECTOR_TENSORS);
        read_tensor(f, at, &c->output[c->noutputs++], true);
    } else if (strcmp(key, "error") == 0) {
        c->error = next_word(&at);
        c->phrase = at + strspn(at, " ");
        for (size_t n = strlen(c->phrase); n > 0 && c->phrase[n - 1] == ' '; n--)
            c->phrase[n - 1] = 0;
    } else {
        wrong(f, "unknown", key);
    }
}

bool vector_next(vector_file *f, vector_case *c)
{
    *c = (vector_case){.draws = -1, .paths = -1};
    for (char *line; (line = next_line(f));) {
        char *key = next_word(&line);
        if (!key)
            continue;
        bool begins = strcmp(key, "case") == 0;
        if (begins == (c->name != NULL))
            wrong(f, begins ? "no end before" : "outside of a case:", key);
        if (strcmp(key, "end") == 0)
            return true;
        if (!begins) {
            statement(f, c, key, line);
            continue;
        }
        c->name = next_word(&line);
        c->line = f->line;
        if (!c->name)
            wrong(f, "no name:", key);
    }
    if (c->name)
        wrong(f, "no end of", c->name);
    return false;
}

void vector_case_clear(vector_case *c)
{
    for (int i = 0; i < c->ninputs; i++)
        free(c->input[i].data);
    for (int i = 0; i < c->noutputs; i++)
        free(c->output[i].data);
}
