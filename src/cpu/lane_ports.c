/* Lanes between memory and registers. */
#include <string.h>

#include "base/memory.h"
#include "cpu/lane_machine.h"

/* Bytes of a step that make it worth moving alone: a line of the cache. */
enum { LINE = 64 };

static int64_t steps_of(const lucid__lane_stream *stream, int64_t elements, size_t size,
                        int64_t length)
{
    if (!stream->stepped)
        return 0;
    int64_t steps = LINE / (int64_t)size / (elements > 0 ? elements : 1);
    steps = steps < length ? steps : length;
    return steps < 1 ? 1 : steps;
}

/* Strides of a view, split into the lanes', the steps' and those of the elements of one lane or step. */
static void find_elements(lucid__lane_port *port, int64_t *offset, const lucid__view *v,
                          const lucid__lane_stream *stream)
{
    int d = 0;
    if (stream->per_lane)
        port->lane_stride = v->stride[d++];
    if (stream->stepped)
        port->step_stride = v->stride[d++];
    for (int64_t j = 0; j < port->elements; j++) {
        int64_t rest = j, at = 0;
        for (int k = v->shape.ndim - 1; k >= d; k--) {
            at += rest % v->shape.dim[k] * v->stride[k];
            rest /= v->shape.dim[k];
        }
        offset[j] = at;
    }
    port->offset = offset;
}

static size_t rounded(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* What one port needs of memory; with `at`, takes it from there. */
static size_t place_port(lucid__lane_machine *m, lucid__lane_port *port, const lucid__view *v,
                         const lucid__lane_stream *stream, int64_t length, char *at)
{
    size_t size = lucid_dtype_size(v->dtype);
    int64_t elements = v->data ? stream->n : 0; /* none of a result that nobody wants */
    int64_t steps = steps_of(stream, elements, size, length);
    int64_t rows = (steps > 0 ? steps : 1) * elements;
    size_t row = steps > 0 ? rounded((size_t)m->capacity * size) + 64 : 0;
    size_t offsets = rounded((size_t)elements * sizeof(int64_t));
    size_t step_offsets = rounded((size_t)rows * sizeof(int64_t));
    size_t pointers = rounded((size_t)rows * sizeof(char *));
    if (at) {
        *port =
            (lucid__lane_port){.data = v->data, .size = size, .elements = elements, .steps = steps};
        find_elements(port, (int64_t *)(void *)at, v, stream);
        port->step_offset = (int64_t *)(void *)(at + offsets);
        port->lanes = (char **)(void *)(at + offsets + step_offsets);
        char *buffer = at + offsets + step_offsets + pointers;
        for (int64_t r = 0; r < rows; r++)
            if (steps > 0)
                port->lanes[r] = buffer + (size_t)r * row;
            else
                port->lanes[r] = stream->regs[r] < 0 ? NULL : m->reg[stream->regs[r]];
    }
    return offsets + step_offsets + pointers + (size_t)rows * row;
}

/* All ports one after the other. */
static size_t place_ports(lucid__lane_machine *m, const lucid__view *in, const lucid__view *out,
                          char *at)
{
    const lucid__lane_program *p = m->program;
    const lucid__lane_control *main = lucid__lane_main(p);
    int64_t length = main ? main->length : 0;
    size_t bytes = 0;
    for (int i = 0; i < p->nin; i++)
        bytes += place_port(m, &m->in[i], &in[i], &p->in[i], length, at ? at + bytes : NULL);
    for (int k = 0; k < p->nout; k++)
        bytes += place_port(m, &m->out[k], &out[k], &p->out[k], length, at ? at + bytes : NULL);
    return bytes;
}

bool lucid__lane_ports_init(lucid__lane_machine *m, const lucid__view *in, const lucid__view *out)
{
    size_t bytes = place_ports(m, in, out, NULL);
    m->tables = lucid__calloc(1, bytes + 64);
    if (!m->tables)
        return false;
    (void)place_ports(m, in, out, m->tables + (64 - (uintptr_t)m->tables % 64));
    return true;
}

void lucid__lane_port_load(const lucid__lane_machine *m, const lucid__lane_port *port,
                           int64_t first, int64_t n)
{
    if (!port->data)
        return;
    m->isa->load[port->size](port->data + first * port->lane_stride * (int64_t)port->size,
                             port->lane_stride, port->offset, port->lanes, port->elements, n);
}

/* ---- steps -------------------------------------------------------------------------------------- */

/* Offsets of the elements of the steps that the buffer holds, the first of them `done` in the order of the
 * scan; returns how many elements there are. */
static int64_t find_steps(lucid__lane_port *port, const lucid__lane_control *c, int64_t done)
{
    int64_t n = 0;
    for (int64_t s = done; s < done + port->steps && s < c->length; s++) {
        int64_t t = c->reverse ? c->length - 1 - s : s;
        for (int64_t j = 0; j < port->elements; j++)
            port->step_offset[n++] = t * port->step_stride + port->offset[j];
    }
    return n;
}

/* Lanes of a tile of n that have a result of their own; of what is the same for all, the first lane's is
 * taken. */
static int64_t lanes_to_write(const lucid__lane_machine *m, const lucid__lane_stream *stream,
                              int64_t n)
{
    return stream->per_lane ? n : m->first == 0 ? 1 : 0;
}

/* What nobody reads, or has no element, has no memory. */
static char *tile_start(const lucid__lane_machine *m, const lucid__lane_port *port)
{
    if (!port->data)
        return NULL;
    return port->data + m->first * port->lane_stride * (int64_t)port->size;
}

void lucid__lane_load_step(lucid__lane_machine *m, const lucid__lane_control *c,
                           const lucid__lane_slice *x, int64_t done, int64_t n)
{
    lucid__lane_port *port = &m->in[x->stream];
    if (done % port->steps == 0)
        m->isa->load[port->size](tile_start(m, port), port->lane_stride, port->step_offset,
                                 port->lanes, find_steps(port, c, done), n);
    char *const *row = port->lanes + done % port->steps * port->elements;
    for (int64_t j = 0; j < x->n; j++)
        if (x->slice[j] >= 0)
            memcpy(m->reg[x->slice[j]], row[j], (size_t)n * port->size);
}

void lucid__lane_store_step(lucid__lane_machine *m, const lucid__lane_control *c,
                            const lucid__lane_slice *y, int64_t done, int64_t n)
{
    lucid__lane_port *port = &m->out[y->stream];
    if (port->elements == 0)
        return;
    int64_t at = done % port->steps;
    char *const *row = port->lanes + at * port->elements;
    for (int64_t j = 0; j < y->n; j++)
        memcpy(row[j], m->reg[y->slice[j]], (size_t)n * port->size);
    if (at + 1 < port->steps && done + 1 < c->length)
        return;
    int64_t elements = find_steps(port, c, done - at);
    m->isa->store[port->size](tile_start(m, port), port->lane_stride, port->step_offset,
                              port->lanes, elements,
                              lanes_to_write(m, &m->program->out[y->stream], n));
}

/* ---- results ------------------------------------------------------------------------------------ */

void lucid__lane_machine_store(const lucid__lane_machine *m, int64_t n)
{
    for (int k = 0; k < m->program->nout; k++) {
        const lucid__lane_port *port = &m->out[k];
        if (port->steps == 0)
            m->isa->store[port->size](tile_start(m, port), port->lane_stride, port->offset,
                                      port->lanes, port->elements,
                                      lanes_to_write(m, &m->program->out[k], n));
    }
}

#define STORE_SOME(size, T) \
    static void store_some##size(const lucid__lane_port *port, const char *lanes, int64_t offset, \
                                 const int *slot, const int64_t *example, int64_t n) \
    { \
        const T *from = (const T *)(const void *)lanes; \
        T *to = (T *)(void *)port->data + offset; \
        for (int64_t i = 0; i < n; i++) \
            to[example[i] * port->lane_stride] = from[slot[i]]; \
    }
STORE_SOME(1, uint8_t)
STORE_SOME(4, uint32_t)
STORE_SOME(8, uint64_t)

static void store_some(const lucid__lane_port *port, const int *slot, const int64_t *example,
                       int64_t n)
{
    for (int64_t j = 0; j < port->elements; j++)
        (port->size == 4   ? store_some4
         : port->size == 8 ? store_some8
                           : store_some1)(port, port->lanes[j], port->offset[j], slot, example, n);
}

void lucid__lane_machine_store_some(const lucid__lane_machine *m, const int *slot,
                                    const int64_t *example, int64_t n)
{
    for (int k = 0; k < m->program->nout; k++) {
        bool per_lane = m->program->out[k].per_lane;
        if (per_lane)
            store_some(&m->out[k], slot, example, n);
        for (int64_t i = 0; !per_lane && i < n; i++) /* the same for all: of the first */
            if (example[i] == 0)
                store_some(&m->out[k], slot + i, example + i, 1);
    }
}
