/* An explanation as a picture: one card per step, coloured apart, with the step's operations inside it
 * from what it reads (top) to what it writes (bottom); cards stand below those whose results they read.
 * Labels are names of primitives and dtypes and numbers, which need no escapes. */
#include <string.h>

#include "engine/explain.h"

enum {
    MOST_CARDS = 200, /* of a picture; the rest is counted */
    MOST_BOXES = 60,  /* of a card; beyond, its operations are listed */
    CHAR = 7,         /* width of a character */
    BOX = 20,         /* height of a box */
    GAP_X = 12,       /* between boxes */
    GAP_Y = 22,
    LINE = 16,    /* of text */
    PAD = 12,     /* between a card's edge and what is in it */
    BETWEEN = 56, /* rows of cards */
    WRAP = 56,    /* characters of a list of operations in a line */
};

static const char *const fill_of[] = {"#e8f1fb", "#fdeeee", "#eef7ee", "#f4effa", "#fff6e0",
                                      "#e6f6f5", "#fbeaf5", "#f3f3e2", "#eceff4", "#fdf0e6"};
static const char *const line_of[] = {"#2e6f95", "#c23b4e", "#4d8060", "#7d6b91", "#a87400",
                                      "#1f7f7b", "#a03f82", "#716f33", "#52627a", "#b05724"};
enum { COLOURS = sizeof fill_of / sizeof *fill_of };

typedef struct box {
    int x, y, w;
} box;

typedef struct card {
    int rank, x, y, w, h;
    double order; /* within the rank: where it gets its inputs from */
    bool listed;
    int rows;               /* of operations */
    box *load, *op, *store; /* within the card */
    int *row;               /* of each operation, from 1 */
} card;

typedef struct picture {
    const lucid_explanation *e;
    lucid_scope *s; /* scratch */
    int ncards, ranks, width, height;
    card *card;
    box *input; /* by slot; w 0: not shown */
} picture;

/* ---- labels -------------------------------------------------------------------------------------- */

typedef struct label {
    char text[256];
} label;

static lucid__text into(label *l)
{
    l->text[0] = '\0';
    return (lucid__text){l->text, sizeof l->text, 0};
}

static label slot_label(const picture *p, int slot)
{
    const lucid__told_slot *of = &p->e->slot[slot];
    label l;
    lucid__text t = into(&l);
    if (of->input >= 0)
        lucid__put(&t, "in %d ", of->input);
    lucid__put(&t, "%s ", of->dtype == LUCID_NO_DTYPE ? "" : lucid_dtype_name(of->dtype));
    lucid__put_shape(&t, &of->shape);
    return l;
}

/* Line 0: what kind of step; 1: where; 2: bytes and FLOPs; 3: times. */
static label head_label(const picture *p, int i, int line)
{
    const lucid__told_step *step = &p->e->step[i];
    label l;
    lucid__text t = into(&l);
    if (line == 0) {
        lucid__put(&t, "%d  %s", i + 1, step->program ? "program" : "kernel");
    } else if (line == 1) {
        lucid__put(&t, step->program ? "over " : "-> ");
        lucid__put_shape(&t, &step->space);
        lucid__put(&t, ", lanes = %s", lucid__layout_name(step->layout));
    } else if (line == 2) {
        lucid__put(&t, "reads ");
        lucid__put_quantity(&t, step->work.bytes_read, "B");
        lucid__put(&t, ", writes ");
        lucid__put_quantity(&t, step->work.bytes_written, "B");
        if (step->work.flops > 0) {
            lucid__put(&t, ", ");
            lucid__put_quantity(&t, step->work.flops, "FLOP");
        }
    } else {
        lucid__put(&t, "takes ");
        lucid__put_seconds(&t, step->measured);
        lucid__put(&t, ", estimated ");
        lucid__put_seconds(&t, step->estimated);
    }
    return l;
}

static int head_lines(const picture *p)
{
    return p->e->measured ? 4 : 3;
}

static int width_of(const char *text)
{
    return (int)strlen(text) * CHAR + 2 * GAP_X;
}

/* ---- inside a card ------------------------------------------------------------------------------- */

/* Boxes side by side; returns the width of all. */
static int row_width(const box *at, const int *row, int n, int which)
{
    int w = -GAP_X;
    for (int i = 0; i < n; i++)
        if (!row || row[i] == which)
            w += at[i].w + GAP_X;
    return w > 0 ? w : 0;
}

static int middle(const box *b)
{
    return b->x + b->w / 2;
}

/* Where an operation's inputs are, on average. */
static int drawn_to(const card *c, const lucid__told_op *op)
{
    long sum = 0;
    for (int j = 0; j < op->nsrc; j++)
        sum += middle(op->src[j] >= 0 ? &c->op[op->src[j]] : &c->load[~op->src[j]]);
    return op->nsrc > 0 ? (int)(sum / op->nsrc) : c->w / 2;
}

/* The boxes of a row, in the order of their wishes and where they wish to be, as far as there is room; without
 * wishes in the middle. */
static void place_boxes(card *c, box *at, const int *row, const int *wish, int n, int which, int y)
{
    int order[MOST_BOXES], count = 0;
    for (int i = 0; i < n; i++) {
        if (row && row[i] != which)
            continue;
        int j = count++;
        for (; j > 0 && wish && wish[order[j - 1]] > wish[i]; j--)
            order[j] = order[j - 1];
        order[j] = i;
    }
    int free = wish ? PAD : (c->w - row_width(at, row, n, which)) / 2;
    for (int j = 0; j < count; j++) {
        box *b = &at[order[j]];
        int x = wish ? wish[order[j]] - b->w / 2 : free;
        b->x = x > free ? x : free;
        b->y = y;
        free = b->x + b->w + GAP_X;
    }
    int end = c->w - PAD; /* what stands out there is pushed back, from the last one on */
    for (int j = count - 1; j >= 0; j--) {
        box *b = &at[order[j]];
        b->x = b->x + b->w > end ? end - b->w : b->x;
        end = b->x - GAP_X;
    }
}

static void place_inside(const picture *p, card *c, const lucid__told_step *step)
{
    int y = PAD + head_lines(p) * LINE + PAD, wish[MOST_BOXES] = {0};
    place_boxes(c, c->load, NULL, NULL, step->nloads, 0, y);
    y += step->nloads > 0 ? BOX + GAP_Y : 0;
    for (int r = 1; r <= c->rows; r++, y += BOX + GAP_Y) {
        for (int i = 0; i < step->nops; i++)
            if (c->row[i] == r)
                wish[i] = drawn_to(c, &step->op[i]);
        place_boxes(c, c->op, c->row, wish, step->nops, r, y);
    }
    for (int i = 0; i < step->nstores; i++) {
        int from = step->store_op[i];
        wish[i] = middle(from >= 0 ? &c->op[from] : &c->load[~from]);
    }
    place_boxes(c, c->store, NULL, wish, step->nstores, 0, y);
    c->h = y + BOX + PAD;
}

static bool fill_card(const picture *p, int i)
{
    card *c = &p->card[i];
    const lucid__told_step *step = &p->e->step[i];
    for (int line = 0; line < head_lines(p); line++) {
        label l = head_label(p, i, line);
        int w = width_of(l.text);
        c->w = w > c->w ? w : c->w;
    }
    c->listed = step->nloads + step->nops + step->nstores > MOST_BOXES;
    if (c->listed) {
        lucid__text ops = {NULL, 0, 0};
        lucid__put_ops(&ops, step);
        int lines = (int)ops.length / WRAP + 1;
        c->w = c->w > WRAP * CHAR + 2 * PAD ? c->w : WRAP * CHAR + 2 * PAD;
        c->h = PAD + (head_lines(p) + lines + 1) * LINE + PAD;
        return true;
    }
    c->load = lucid_alloc(p->s, MOST_BOXES * sizeof *c->load);
    c->op = lucid_alloc(p->s, MOST_BOXES * sizeof *c->op);
    c->store = lucid_alloc(p->s, MOST_BOXES * sizeof *c->store);
    c->row = lucid_alloc(p->s, MOST_BOXES * sizeof *c->row);
    if (!c->load || !c->op || !c->store || !c->row)
        return false;
    for (int j = 0; j < step->nloads; j++)
        c->load[j].w = width_of(slot_label(p, step->load[j]).text);
    for (int j = 0; j < step->nstores; j++)
        c->store[j].w = width_of(slot_label(p, step->store[j]).text);
    for (int j = 0; j < step->nops; j++) {
        const lucid__told_op *op = &step->op[j];
        c->op[j].w = width_of(op->name);
        c->row[j] = 1;
        for (int k = 0; k < op->nsrc; k++)
            if (op->src[k] >= 0 && c->row[op->src[k]] >= c->row[j])
                c->row[j] = c->row[op->src[k]] + 1;
        c->rows = c->row[j] > c->rows ? c->row[j] : c->rows;
    }
    int most = row_width(c->load, NULL, step->nloads, 0);
    int stores = row_width(c->store, NULL, step->nstores, 0);
    most = stores > most ? stores : most;
    for (int r = 1; r <= c->rows; r++) {
        int w = row_width(c->op, c->row, step->nops, r);
        most = w > most ? w : most;
    }
    c->w = most + 2 * PAD > c->w ? most + 2 * PAD : c->w;
    place_inside(p, c, step);
    return true;
}

/* ---- cards ----------------------------------------------------------------------------------------- */

/* Whether the step writes the slot. */
static bool writes(const lucid__told_step *step, int slot)
{
    for (int j = 0; j < step->nstores; j++)
        if (step->store[j] == slot)
            return true;
    return false;
}

static void rank_cards(picture *p)
{
    for (int i = 0; i < p->ncards; i++) {
        const lucid__told_step *step = &p->e->step[i];
        for (int j = 0; j < step->nloads; j++)
            for (int k = 0; k < i; k++)
                if (writes(&p->e->step[k], step->load[j]) && p->card[k].rank >= p->card[i].rank)
                    p->card[i].rank = p->card[k].rank + 1;
        p->ranks = p->card[i].rank >= p->ranks ? p->card[i].rank + 1 : p->ranks;
    }
}

/* One row of cards from y on; returns where it ends. */
static int place_rank(picture *p, int rank, int y)
{
    int order[MOST_CARDS], count = 0, x = PAD, lowest = y;
    for (int i = 0; i < p->ncards; i++) {
        card *c = &p->card[i];
        if (c->rank != rank)
            continue;
        int makers = 0;
        const lucid__told_step *step = &p->e->step[i];
        for (int j = 0; j < step->nloads; j++)
            for (int k = 0; k < i; k++)
                if (writes(&p->e->step[k], step->load[j])) {
                    c->order += p->card[k].x + p->card[k].w / 2.0;
                    makers++;
                }
        c->order /= makers > 0 ? makers : 1;
        int j = count++;
        for (; j > 0 && p->card[order[j - 1]].order > c->order; j--)
            order[j] = order[j - 1];
        order[j] = i;
    }
    for (int j = 0; j < count; j++) {
        card *c = &p->card[order[j]];
        c->x = x;
        c->y = y;
        x += c->w + 2 * GAP_X;
        lowest = y + c->h > lowest ? y + c->h : lowest;
    }
    p->width = x > p->width ? x : p->width;
    return lowest;
}

static int place_inputs(picture *p)
{
    int x = PAD;
    for (int i = 0; i < p->ncards; i++) {
        const lucid__told_step *step = &p->e->step[i];
        for (int j = 0; j < step->nloads; j++) {
            box *b = &p->input[step->load[j]];
            const lucid__told_slot *of = &p->e->slot[step->load[j]];
            if (of->input < 0 || of->shape.ndim == 0 || b->w > 0) /* single numbers go without */
                continue;
            *b = (box){x, PAD, width_of(slot_label(p, step->load[j]).text)};
            x += b->w + GAP_X;
        }
    }
    p->width = x > p->width ? x : p->width;
    return x > PAD ? PAD + BOX : 0;
}

static void centre(picture *p)
{
    int end = 0;
    for (int k = 0; k < p->e->nslots; k++)
        end = p->input[k].x + p->input[k].w > end ? p->input[k].x + p->input[k].w : end;
    for (int k = 0; k < p->e->nslots; k++)
        p->input[k].x += (p->width - end - PAD) / 2;
    for (int r = 0; r < p->ranks; r++) {
        end = 0;
        for (int i = 0; i < p->ncards; i++) {
            const card *c = &p->card[i];
            end = c->rank == r && c->x + c->w > end ? c->x + c->w : end;
        }
        for (int i = 0; i < p->ncards; i++)
            p->card[i].x += p->card[i].rank == r ? (p->width - end - PAD) / 2 : 0;
    }
}

static bool lay_out(picture *p)
{
    p->ncards = p->e->nsteps < MOST_CARDS ? p->e->nsteps : MOST_CARDS;
    p->card = lucid_alloc(p->s, ((size_t)p->ncards + 1) * sizeof *p->card);
    p->input = lucid_alloc(p->s, ((size_t)p->e->nslots + 1) * sizeof *p->input);
    if (!p->card || !p->input)
        return false;
    for (int i = 0; i < p->ncards; i++)
        if (!fill_card(p, i))
            return false;
    rank_cards(p);
    p->width = 200;
    int y = place_inputs(p);
    for (int r = 0; r < p->ranks; r++)
        y = place_rank(p, r, y + (y > 0 ? BETWEEN : PAD));
    p->height = y + PAD + (p->e->nsteps > p->ncards ? 2 * LINE : 0);
    p->width += PAD;
    centre(p);
    return true;
}

/* ---- drawing --------------------------------------------------------------------------------------- */

static void put_line(lucid__text *t, int x0, int y0, int x1, int y1, const char *colour)
{
    int bend = (y1 - y0) / 2;
    lucid__put(t,
               "<path d=\"M%d %dC%d %d %d %d %d %d\" fill=\"none\" stroke=\"%s\" "
               "stroke-opacity=\"0.5\"/>\n",
               x0, y0, x0, y0 + bend, x1, y1 - bend, x1, y1, colour);
}

static void put_box(lucid__text *t, const box *b, const char *text, int round, const char *fill,
                    const char *line, int stroke)
{
    lucid__put(t,
               "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"%d\" fill=\"%s\" "
               "stroke=\"%s\" stroke-width=\"%d\"/>"
               "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
               b->x, b->y, b->w, BOX, round, fill, line, stroke, middle(b), b->y + BOX - 6, text);
}

static box moved(const card *c, const box *b)
{
    return (box){b->x + c->x, b->y + c->y, b->w};
}

static void put_inner_lines(lucid__text *t, const picture *p, int i)
{
    const card *c = &p->card[i];
    const lucid__told_step *step = &p->e->step[i];
    for (int j = 0; j < step->nops + step->nstores; j++) {
        bool store = j >= step->nops;
        box to = moved(c, store ? &c->store[j - step->nops] : &c->op[j]);
        int nsrc = store ? 1 : step->op[j].nsrc;
        for (int k = 0; k < nsrc; k++) {
            int src = store ? step->store_op[j - step->nops] : step->op[j].src[k];
            box from = moved(c, src >= 0 ? &c->op[src] : &c->load[~src]);
            int x = middle(&to) + (nsrc > 1 ? (2 * k - nsrc + 1) * 4 : 0);
            put_line(t, middle(&from), from.y + BOX, x, to.y, line_of[i % COLOURS]);
        }
    }
}

static void put_list(lucid__text *t, const picture *p, int i)
{
    const card *c = &p->card[i];
    lucid__text count = {NULL, 0, 0};
    lucid__put_ops(&count, &p->e->step[i]);
    lucid__text ops = {lucid_alloc(p->s, count.length + 1), count.length + 1, 0};
    if (!ops.to)
        return;
    lucid__put_ops(&ops, &p->e->step[i]);
    int y = c->y + PAD + (head_lines(p) + 1) * LINE;
    for (size_t at = 0; at < ops.length; at += WRAP, y += LINE)
        lucid__put(t, "<text x=\"%d\" y=\"%d\">%.*s</text>\n", c->x + PAD, y, (int)WRAP,
                   ops.to + at);
}

static void put_ground(lucid__text *t, const picture *p, int i)
{
    const card *c = &p->card[i];
    lucid__put(t,
               "<rect class=\"step\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"8\" "
               "fill=\"%s\" stroke=\"%s\"%s/>\n",
               c->x, c->y, c->w, c->h, fill_of[i % COLOURS], line_of[i % COLOURS],
               p->e->step[i].program ? "" : " stroke-dasharray=\"5 3\"");
}

static void put_card(lucid__text *t, const picture *p, int i)
{
    const card *c = &p->card[i];
    const lucid__told_step *step = &p->e->step[i];
    const char *fill = fill_of[i % COLOURS], *line = line_of[i % COLOURS];
    for (int l = 0; l < head_lines(p); l++)
        lucid__put(t, "<text x=\"%d\" y=\"%d\" fill=\"%s\"%s>%s</text>\n", c->x + PAD,
                   c->y + PAD + (l + 1) * LINE - 4, line, l == 0 ? " font-weight=\"bold\"" : "",
                   head_label(p, i, l).text);
    if (c->listed) {
        put_list(t, p, i);
        return;
    }
    put_inner_lines(t, p, i);
    for (int j = 0; j < step->nloads; j++) {
        box b = moved(c, &c->load[j]);
        put_box(t, &b, slot_label(p, step->load[j]).text, BOX / 2, fill, line, 1);
    }
    for (int j = 0; j < step->nops; j++) {
        box b = moved(c, &c->op[j]);
        put_box(t, &b, step->op[j].name, 4, "white", line, 1);
    }
    for (int j = 0; j < step->nstores; j++) {
        box b = moved(c, &c->store[j]);
        bool result = p->e->slot[step->store[j]].result;
        put_box(t, &b, slot_label(p, step->store[j]).text, BOX / 2, fill, line, result ? 3 : 1);
    }
}

/* Where a card receives load j, or gives store j. */
static box port(const picture *p, int i, int j, bool store)
{
    const card *c = &p->card[i];
    if (!c->listed)
        return moved(c, store ? &c->store[j] : &c->load[j]);
    return (box){c->x, store ? c->y + c->h - BOX : c->y, c->w};
}

static void put_lines_between(lucid__text *t, const picture *p)
{
    static const char grey[] = "#888888";
    for (int i = 0; i < p->ncards; i++) {
        const lucid__told_step *step = &p->e->step[i];
        for (int j = 0; j < step->nloads; j++) {
            box to = port(p, i, j, false);
            const box *input = &p->input[step->load[j]];
            if (input->w > 0)
                put_line(t, middle(input), input->y + BOX, middle(&to), to.y, grey);
            for (int k = 0; k < i; k++)
                for (int l = 0; l < p->e->step[k].nstores; l++)
                    if (p->e->step[k].store[l] == step->load[j]) {
                        box from = port(p, k, l, true);
                        put_line(t, middle(&from), from.y + BOX, middle(&to), to.y, grey);
                    }
        }
    }
}

void lucid__put_svg(lucid__text *t, const lucid_explanation *e)
{
    picture p = {.e = e, .s = e->s};
    if (!lay_out(&p))
        return;
    const int choices_at = p.height;
    p.height += e->nchoices * LINE + (e->nchoices > 0 ? LINE / 2 : 0);
    lucid__put(t,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
               "viewBox=\"0 0 %d %d\" font-family=\"monospace\" font-size=\"11\">\n"
               "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
               p.width, p.height, p.width, p.height);
    for (int i = 0; i < p.ncards; i++)
        put_ground(t, &p, i);
    put_lines_between(t, &p);
    for (int i = 0; i < p.ncards; i++)
        put_card(t, &p, i);
    for (int k = 0; k < e->nslots; k++)
        if (p.input[k].w > 0)
            put_box(t, &p.input[k], slot_label(&p, k).text, BOX / 2, "white", "#555555", 1);
    for (int i = 0; i < e->nchoices; i++) {
        lucid__put(t, "<text x=\"%d\" y=\"%d\">", (int)PAD, choices_at + i * LINE + LINE / 2);
        lucid__put_choice(t, &e->choice[i]);
        lucid__put(t, "</text>\n");
    }
    if (e->nsteps > p.ncards)
        lucid__put(t, "<text x=\"%d\" y=\"%d\">and %d more steps</text>\n", (int)PAD,
                   choices_at - PAD, e->nsteps - p.ncards);
    lucid__put(t, "</svg>\n");
}

/* ---- a page ------------------------------------------------------------------------------------------ */

static void put_cell(lucid__text *t, double n, const char *unit)
{
    lucid__put(t, "<td>");
    if (n > 0)
        lucid__put_quantity(t, n, unit);
    lucid__put(t, "</td>");
}

static void put_row(lucid__text *t, const lucid_explanation *e, int i)
{
    const lucid__told_step *step = &e->step[i];
    lucid__put(t, "<tr style=\"background:%s\"><td>%d</td><td>%s</td><td class=\"ops\">",
               fill_of[i % COLOURS], i + 1, step->program ? "program" : "kernel");
    lucid__put_ops(t, step);
    lucid__put(t, "</td><td>");
    lucid__put_shape(t, &step->space);
    lucid__put(t, "</td><td>%s</td>", lucid__layout_name(step->layout));
    put_cell(t, step->work.bytes_read, "B");
    put_cell(t, step->work.bytes_written, "B");
    put_cell(t, step->work.flops, "FLOP");
    if (e->measured) {
        double all = e->cost.measured_seconds, share = all > 0 ? step->measured / all : 0;
        lucid__put(t, "<td>");
        lucid__put_seconds(t, step->measured);
        lucid__put(t,
                   "</td><td><div class=\"bar\" style=\"width:%.0fpx;background:%s\"></div></td>"
                   "<td>",
                   100 * share, line_of[i % COLOURS]);
        lucid__put_seconds(t, step->estimated);
        lucid__put(t, "</td><td>%.0f %%</td><td>%.0f %%</td>",
                   100 * lucid__bandwidth_share(e, step), 100 * lucid__peak_share(e, step));
    }
    lucid__put(t, "</tr>\n");
}

void lucid__put_html(lucid__text *t, const lucid_explanation *e)
{
    const lucid_cost *c = &e->cost;
    lucid__put(t,
               "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>"
               "<title>lucid: explanation</title><style>\n"
               ".lucid-explanation{font:13px/1.4 system-ui,sans-serif;color:#222}\n"
               ".lucid-explanation table{border-collapse:collapse;margin:1em 0}\n"
               ".lucid-explanation td,.lucid-explanation th{padding:3px 10px;text-align:right;"
               "border-bottom:1px solid #ddd;vertical-align:top}\n"
               ".lucid-explanation td.ops{text-align:left;max-width:40em}\n"
               ".lucid-explanation .bar{height:1em}\n"
               ".lucid-explanation .graph{overflow:auto}\n"
               "</style></head>\n<body><div class=\"lucid-explanation\">\n"
               "<p><b>%zu dispatch%s</b>: reads ",
               c->dispatches, c->dispatches == 1 ? "" : "es");
    lucid__put_quantity(t, c->bytes_read, "B");
    lucid__put(t, ", writes ");
    lucid__put_quantity(t, c->bytes_written, "B");
    lucid__put(t, ", ");
    lucid__put_quantity(t, c->flops, "FLOP");
    if (e->measured) {
        lucid__put(t, "; takes ");
        lucid__put_seconds(t, c->measured_seconds);
        lucid__put(t, ", estimated ");
        lucid__put_seconds(t, c->estimated_seconds);
    }
    lucid__put(t,
               "</p>\n<table><thead><tr><th></th><th></th><th>operations</th><th>over</th>"
               "<th>lanes</th><th>reads</th><th>writes</th><th>computes</th>%s</tr></thead>\n"
               "<tbody>\n",
               e->measured ? "<th>takes</th><th></th><th>estimated</th><th>of bandwidth</th>"
                             "<th>of peak</th>"
                           : "");
    for (int i = 0; i < e->nsteps && i < MOST_CARDS; i++)
        put_row(t, e, i);
    lucid__put(t, "</tbody></table>\n");
    if (e->nsteps > MOST_CARDS)
        lucid__put(t, "<p>and %d more steps</p>\n", e->nsteps - MOST_CARDS);
    lucid__put(t, "<div class=\"graph\">\n");
    lucid__put_svg(t, e);
    lucid__put(t, "</div></div></body></html>\n");
}
