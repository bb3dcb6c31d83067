#include "generator_type.h"

#include "call_scope.h"

typedef struct generator_object {
    PyObject_HEAD lucid_generator *generator;
    bool owned;
} generator_object;

static PyTypeObject *generator_type;
static PyObject *process_generator;

static lucid_generator *generator_of(PyObject *self)
{
    return ((generator_object *)self)->generator;
}

/* -- drawing ---------------------------------------------------------------------------------- */

lucidpy_draw lucidpy_draw_begin(lucidpy_call *c, int i)
{
    lucidpy_draw draw = {NULL};
    PyObject *generator = c->arg[i];
    if (generator == Py_None)
        return draw;
    if (!Py_IS_TYPE(generator, generator_type)) {
        lucidpy_bad_argument(c, i, "a lucid.Generator");
        return draw;
    }
    draw.before = lucid_set_generator(c->s, generator_of(generator));
    return draw;
}

void lucidpy_draw_end(lucidpy_call *c, lucidpy_draw draw)
{
    if (draw.before)
        (void)lucid_set_generator(c->s, draw.before);
}

/* -- states ----------------------------------------------------------------------------------- */

static PyObject *state_object(const lucid_generator *generator)
{
    lucid_rng_state state = lucid_generator_state(generator);
    return Py_BuildValue("(KK)", (unsigned long long)state.seed, (unsigned long long)state.draw);
}

static void refuse_seed(PyObject *o)
{
    PyObject *type = PyType_GetName(Py_TYPE(o));
    if (type)
        PyErr_Format(PyExc_TypeError, "a seed of random numbers must be an int, not %U", type);
    Py_XDECREF(type);
}

static bool read_seed(PyObject *o, uint64_t *seed)
{
    PyObject *index = PyIndex_Check(o) && !PyBool_Check(o) ? PyNumber_Index(o) : NULL;
    if (!index) {
        if (!PyErr_Occurred())
            refuse_seed(o);
        return false;
    }
    /* Negative seeds count too: every 64-bit pattern is one. */
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(index, &overflow);
    *seed = overflow > 0 ? PyLong_AsUnsignedLongLong(index) : (unsigned long long)value;
    if (overflow < 0 || PyErr_Occurred()) {
        PyErr_Format(PyExc_ValueError, "a seed of random numbers must fit 64 bits, not %R", index);
        overflow = -1;
    }
    Py_DECREF(index);
    return overflow >= 0;
}

static bool set_state(lucid_generator *generator, PyObject *o)
{
    uint64_t seed, draw;
    if (!PyTuple_Check(o) || PyTuple_Size(o) != 2) {
        PyErr_SetString(PyExc_TypeError, "a state of random numbers is a pair (seed, draws)");
        return false;
    }
    if (!read_seed(PyTuple_GetItem(o, 0), &seed) || !read_seed(PyTuple_GetItem(o, 1), &draw))
        return false;
    lucid_generator_set_state(generator, (lucid_rng_state){.seed = seed, .draw = draw});
    return true;
}

/* -- the type --------------------------------------------------------------------------------- */

static PyObject *generator_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"seed", NULL};
    PyObject *given = NULL;
    uint64_t seed = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|O:Generator", names, &given))
        return NULL;
    if (given && !read_seed(given, &seed))
        return NULL;
    generator_object *self = PyObject_New(generator_object, type);
    if (!self)
        return NULL;
    self->owned = true;
    self->generator = lucid_generator_new(seed);
    if (!self->generator) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static void generator_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (((generator_object *)self)->owned)
        lucid_generator_free(generator_of(self));
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *generator_repr(PyObject *self)
{
    lucid_rng_state state = lucid_generator_state(generator_of(self));
    return PyUnicode_FromFormat("lucid.Generator(seed=%llu, draws=%llu)",
                                (unsigned long long)state.seed, (unsigned long long)state.draw);
}

static bool seed_with(lucid_generator *generator, PyObject *o)
{
    uint64_t seed;
    if (!read_seed(o, &seed))
        return false;
    lucid_generator_set_state(generator, (lucid_rng_state){.seed = seed});
    return true;
}

static PyObject *generator_manual_seed(PyObject *self, PyObject *o)
{
    return seed_with(generator_of(self), o) ? Py_NewRef(self) : NULL;
}

/* From the system's source of randomness, by way of os.urandom. */
static PyObject *seed_anew(lucid_generator *generator)
{
    PyObject *os = PyImport_ImportModule("os");
    PyObject *bytes = os ? PyObject_CallMethod(os, "urandom", "i", 8) : NULL;
    Py_XDECREF(os);
    const char *at = bytes ? PyBytes_AsString(bytes) : NULL;
    uint64_t seed = 0;
    for (int i = 0; at && i < 8; i++)
        seed = seed << 8 | (unsigned char)at[i];
    Py_XDECREF(bytes);
    if (!at)
        return NULL;
    lucid_generator_set_state(generator, (lucid_rng_state){.seed = seed});
    return PyLong_FromUnsignedLongLong(seed);
}

static PyObject *generator_seed(PyObject *self, PyObject *unused)
{
    (void)unused;
    return seed_anew(generator_of(self));
}

static PyObject *generator_initial_seed(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLongLong(lucid_generator_state(generator_of(self)).seed);
}

static PyObject *generator_get_state(PyObject *self, PyObject *unused)
{
    (void)unused;
    return state_object(generator_of(self));
}

static PyObject *generator_set_state(PyObject *self, PyObject *state)
{
    return set_state(generator_of(self), state) ? Py_NewRef(self) : NULL;
}

/* For pickle and copy: a generator of its own that stands where this one does; that of the process is itself. */
static PyObject *generator_reduce(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (self == process_generator)
        return PyUnicode_FromString("default_generator");
    PyObject *state = state_object(generator_of(self));
    PyObject *reduced = state ? Py_BuildValue("(O()O)", (PyObject *)Py_TYPE(self), state) : NULL;
    Py_XDECREF(state);
    return reduced;
}

static PyMethodDef generator_methods[] = {
    {"manual_seed", generator_manual_seed, METH_O,
     "manual_seed($self, seed, /)\n--\n\nStarts anew from the seed; returns the generator."},
    {"seed", generator_seed, METH_NOARGS,
     "seed($self, /)\n--\n\nStarts anew from a seed that nobody can guess; returns it."},
    {"initial_seed", generator_initial_seed, METH_NOARGS,
     "initial_seed($self, /)\n--\n\nThe seed."},
    {"get_state", generator_get_state, METH_NOARGS,
     "get_state($self, /)\n--\n\nWhere it stands: (seed, draws since)."},
    {"set_state", generator_set_state, METH_O,
     "set_state($self, state, /)\n--\n\nGoes back to what get_state gave; returns the generator."},
    {"__setstate__", generator_set_state, METH_O, NULL},
    {"__reduce__", generator_reduce, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static const char generator_doc[] =
    "Generator(seed=0)\n--\n\n"
    "A source of random numbers of its own, for the argument `generator` of random functions.\n\n"
    "Its numbers depend on the seed and on how many draws were made since, and on nothing else.";

static PyType_Slot generator_slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)generator_doc},
    {Py_tp_new, (void *)(uintptr_t)generator_new},
    {Py_tp_dealloc, (void *)(uintptr_t)generator_dealloc},
    {Py_tp_repr, (void *)(uintptr_t)generator_repr},
    {Py_tp_methods, generator_methods},
    {0, NULL},
};

static PyType_Spec generator_spec = {
    .name = "lucid.Generator",
    .basicsize = sizeof(generator_object),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = generator_slots,
};

bool lucidpy_random_init(PyObject *module)
{
    generator_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &generator_spec, NULL);
    if (!generator_type || PyModule_AddType(module, generator_type))
        return false;
    generator_object *self = PyObject_New(generator_object, generator_type);
    if (!self)
        return false;
    self->generator = lucidpy_generator();
    self->owned = false;
    process_generator = (PyObject *)self;
    return !PyModule_AddObjectRef(module, "default_generator", process_generator);
}

/* -- module functions: of the generator that is drawn from, which is the process's but while a function
 * is compiled ------------------------------------------------------------------------------------ */

PyObject *lucidpy_op_manual_seed(lucidpy_call *c)
{
    return seed_with(lucid_generator_of(c->s), c->arg[0]) ? Py_NewRef(process_generator) : NULL;
}

PyObject *lucidpy_op_seed(lucidpy_call *c)
{
    return seed_anew(lucid_generator_of(c->s));
}

PyObject *lucidpy_op_initial_seed(lucidpy_call *c)
{
    return PyLong_FromUnsignedLongLong(lucid_generator_state(lucid_generator_of(c->s)).seed);
}

PyObject *lucidpy_op_get_rng_state(lucidpy_call *c)
{
    return state_object(lucid_generator_of(c->s));
}

PyObject *lucidpy_op_set_rng_state(lucidpy_call *c)
{
    return set_state(lucid_generator_of(c->s), c->arg[0]) ? Py_NewRef(Py_None) : NULL;
}
