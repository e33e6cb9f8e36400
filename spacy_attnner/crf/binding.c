/* Python's way to the recursions of `loop.c`: buffers in, buffers filled.

Who calls (`compiled.py`) sees to it that buffers are contiguous and of the right kind;
their sizes are checked here. The GIL is released while a batch is computed. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "loop.c"

enum { TRANSITIONS, START, END, EMISSIONS, LENGTHS, N_INPUTS };

/* The inputs that all functions begin with. */
typedef struct {
    Py_buffer buffers[N_INPUTS + 3]; /* and up to three outputs */
    int n_buffers, n, n_tags;
    Py_ssize_t n_sequences, n_tokens, longest;
    const long long *lengths;
    Scores emissions;
    Params params;
    double *memory; /* three tables, work space, states of the longest sequence */
} Batch;

static void release(Batch *batch)
{
    for (int i = 0; i < batch->n_buffers; i++) PyBuffer_Release(&batch->buffers[i]);
    PyMem_RawFree(batch->memory);
}

static Scores scores_of(const Py_buffer *buffer)
{
    Scores scores = {buffer->buf, buffer->itemsize == 8};
    return scores;
}

static int has_size(const Py_buffer *buffer, Py_ssize_t n_items)
{
    return (buffer->itemsize == 8 || buffer->itemsize == 4) &&
           buffer->len == n_items * buffer->itemsize;
}

static int sizes_agree(Batch *batch)
{
    const Py_buffer *own = batch->buffers;
    Py_ssize_t n_tags = own[START].itemsize ? own[START].len / own[START].itemsize : 0;
    batch->n_tags = (int)n_tags;
    batch->n = batch->n_tags / 4;
    batch->lengths = own[LENGTHS].buf;
    batch->n_sequences = own[LENGTHS].len / 8;
    for (Py_ssize_t i = 0; i < batch->n_sequences; i++) {
        if (batch->lengths[i] < 0) return 0;
        batch->n_tokens += batch->lengths[i];
        if (batch->lengths[i] > batch->longest) batch->longest = batch->lengths[i];
    }
    return own[LENGTHS].itemsize == 8 && n_tags % 4 == 1 && n_tags < 20000 && has_size(&own[START], n_tags) &&
           has_size(&own[END], n_tags) && has_size(&own[TRANSITIONS], n_tags * n_tags) &&
           has_size(&own[EMISSIONS], batch->n_tokens * n_tags);
}

/* Take the inputs and some outputs of 8 bytes an item, of which there have to be so
many for each token and for each sequence; returns 0 with an exception set if it fails.
states: of how many tokens there has to be room for states. */
static int take(
    Batch *batch, PyObject *const *args, Py_ssize_t n_args, int n_outputs,
    int keep_states)
{
    memset(batch, 0, sizeof(*batch));
    if (n_args < N_INPUTS + n_outputs) {
        PyErr_SetString(PyExc_TypeError, "too few arguments");
        return 0;
    }
    for (int i = 0; i < N_INPUTS + n_outputs; i++) {
        int flags = i < N_INPUTS ? PyBUF_SIMPLE : PyBUF_WRITABLE;
        if (PyObject_GetBuffer(args[i], &batch->buffers[i], flags)) {
            release(batch);
            return 0;
        }
        batch->n_buffers++;
    }
    if (!sizes_agree(batch)) {
        release(batch);
        PyErr_SetString(PyExc_ValueError, "sizes of scores and lengths do not agree");
        return 0;
    }
    Scores *params[] = {
        &batch->params.transitions, &batch->params.start, &batch->params.end};
    for (int i = TRANSITIONS; i <= END; i++) *params[i] = scores_of(&batch->buffers[i]);
    batch->emissions = scores_of(&batch->buffers[EMISSIONS]);
    size_t size = 3 * TABLE_SIZE((size_t)batch->n) + WORK_SIZE((size_t)batch->n);
    if (keep_states) size += (size_t)batch->longest * batch->n_tags;
    batch->memory = PyMem_RawMalloc(size * sizeof(double));
    if (!batch->memory) {
        release(batch);
        PyErr_NoMemory();
        return 0;
    }
    return 1;
}

static void *output(Batch *batch, int i, Py_ssize_t n_items)
{
    Py_buffer *buffer = &batch->buffers[N_INPUTS + i];
    if (buffer->itemsize == 8 && buffer->len == n_items * 8) return buffer->buf;
    PyErr_SetString(PyExc_ValueError, "an output has another size than its inputs");
    return NULL;
}

static Table table_of(Batch *batch, int which)
{
    double *memory = batch->memory + which * TABLE_SIZE((size_t)batch->n);
    return table_in(memory, batch->n, which == 2);
}

static void run_lattices(Batch *batch, double *alpha, double *gamma, double *log_z)
{
    Table forward = table_of(batch, 1), backward = table_of(batch, 2);
    double *work = batch->memory + 3 * TABLE_SIZE((size_t)batch->n);
    const double *emissions = batch->emissions.values;
    fill_table(forward, batch->params, 1.0, 1);
    fill_table(backward, batch->params, 1.0, 1);
    for (Py_ssize_t i = 0; i < batch->n_sequences; i++) {
        long long n_tokens = batch->lengths[i], size = n_tokens * batch->n_tags;
        lattice(forward, emissions, n_tokens, alpha, NULL, work);
        lattice(backward, emissions, n_tokens, gamma, log_z + i, work);
        emissions += size, alpha += size, gamma += size;
    }
}

PyDoc_STRVAR(
    forward_backward_doc,
    "forward_backward(transitions, start, end, emissions, lengths, alpha, gamma, log_z)\n\n"
    "Fill alpha, gamma and log_z, all float64, as the emissions are.");

static PyObject *forward_backward(
    PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    Batch batch;
    if (!take(&batch, args, n_args, 3, 0)) return NULL;
    double *alpha = output(&batch, 0, batch.n_tokens * batch.n_tags);
    double *gamma = output(&batch, 1, batch.n_tokens * batch.n_tags);
    double *log_z = output(&batch, 2, batch.n_sequences);
    if (!batch.emissions.wide && !PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "emissions are not float64");
    if (!PyErr_Occurred()) {
        Py_BEGIN_ALLOW_THREADS
        run_lattices(&batch, alpha, gamma, log_z);
        Py_END_ALLOW_THREADS
    }
    release(&batch);
    if (PyErr_Occurred()) return NULL;
    Py_RETURN_NONE;
}

static Scores after(Scores scores, long long n_items)
{
    scores.values = (const char *)scores.values + n_items * (scores.wide ? 8 : 4);
    return scores;
}

/* scores: of entities, at their last token; NULL for the path alone. */
static void run_decode(
    Batch *batch, double temperature, double offset, long long *tags, double *scores)
{
    Table best = table_of(batch, 0);
    Table forward = table_of(batch, 1), backward = table_of(batch, 2);
    double *work = batch->memory + 3 * TABLE_SIZE((size_t)batch->n);
    double *states = work + WORK_SIZE((size_t)batch->n);
    Scores emissions = batch->emissions;
    fill_table(best, batch->params, 1.0, 0);
    if (scores) {
        fill_table(forward, batch->params, temperature, 1);
        fill_table(backward, batch->params, temperature, 1);
    }
    for (Py_ssize_t i = 0; i < batch->n_sequences; i++) {
        long long n_tokens = batch->lengths[i];
        best_path(best, emissions, n_tokens, states, tags, work);
        if (scores) {
            entity_scores(
                forward, backward, emissions, n_tokens, temperature, offset, tags,
                scores, work);
            scores += n_tokens;
        }
        emissions = after(emissions, n_tokens * batch->n_tags);
        tags += n_tokens;
    }
}

PyDoc_STRVAR(
    viterbi_doc,
    "viterbi(transitions, start, end, emissions, lengths, tags)\n\n"
    "Fill tags, int64, with the best paths.");

static PyObject *viterbi(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    Batch batch;
    if (!take(&batch, args, n_args, 1, 1)) return NULL;
    long long *tags = output(&batch, 0, batch.n_tokens);
    if (tags) {
        Py_BEGIN_ALLOW_THREADS
        run_decode(&batch, 1.0, 0.0, tags, NULL);
        Py_END_ALLOW_THREADS
    }
    release(&batch);
    if (!tags) return NULL;
    Py_RETURN_NONE;
}

/* (first token, last token, label, probability) of each entity. */
static PyObject *entities(const long long *tags, const double *scores, Py_ssize_t n)
{
    PyObject *found = PyList_New(0);
    Py_ssize_t first = 0;
    for (Py_ssize_t t = 0; found && t < n; t++) {
        if (!tags[t]) continue;
        int kind = (int)((tags[t] - 1) % 4), label = (int)((tags[t] - 1) / 4);
        if (kind == 0 || kind == 3) first = t;
        if (kind < 2) continue;
        PyObject *entity = Py_BuildValue("(nnid)", first, t, label, scores[t]);
        if (!entity || PyList_Append(found, entity)) Py_CLEAR(found);
        Py_XDECREF(entity);
    }
    return found;
}

PyDoc_STRVAR(
    decode_doc,
    "decode(transitions, start, end, emissions, lengths, temperature, offset)\n\n"
    "The entities of the best paths as tuples: first flat token, last one, label,\n"
    "probability at the temperature, its log-odds shifted by the offset.");

static PyObject *decode(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    Batch batch;
    PyObject *found = NULL;
    if (n_args != N_INPUTS + 2) {
        PyErr_SetString(PyExc_TypeError, "decode takes 7 arguments");
        return NULL;
    }
    double temperature = PyFloat_AsDouble(args[N_INPUTS]);
    double offset = PyFloat_AsDouble(args[N_INPUTS + 1]);
    if (PyErr_Occurred() || !take(&batch, args, n_args, 0, 1)) return NULL;
    long long *tags = PyMem_RawMalloc(16 * (size_t)batch.n_tokens);
    if (tags) {
        double *scores = (double *)(tags + batch.n_tokens);
        Py_BEGIN_ALLOW_THREADS
        run_decode(&batch, temperature, offset, tags, scores);
        Py_END_ALLOW_THREADS
        found = entities(tags, scores, batch.n_tokens);
    } else
        PyErr_NoMemory();
    PyMem_RawFree(tags);
    release(&batch);
    return found;
}

static PyMethodDef methods[] = {
    {"forward_backward", (PyCFunction)(void (*)(void))forward_backward, METH_FASTCALL,
     forward_backward_doc},
    {"viterbi", (PyCFunction)(void (*)(void))viterbi, METH_FASTCALL, viterbi_doc},
    {"decode", (PyCFunction)(void (*)(void))decode, METH_FASTCALL, decode_doc},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_loop", "The CRF's recursions, compiled.", 0, methods,
    NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__loop(void) { return PyModuleDef_Init(&definition); }
