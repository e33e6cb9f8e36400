/* The recurrence of a bidirectional LSTM over sequences that are packed time-major.

Source: Hochreiter and Schmidhuber (1997); gates as PyTorch orders them: input, forget,
cell, output. */

#include "kernels.h"

FOR_EACH_CPU
static void activate(
    const float *gates, float *cells, float *states, Py_ssize_t width)
{
    const float *forget = gates + width, *cell = forget + width, *output = cell + width;
    for (Py_ssize_t i = 0; i < width; i++) {
        float c = sigmoid(forget[i]) * cells[i] + sigmoid(gates[i]) * tangent(cell[i]);
        cells[i] = c;
        states[i] = sigmoid(output[i]) * tangent(c);
    }
}

/* What a batch is, and room to work in. */
typedef struct {
    const float *gates, *weights;
    const int64_t *rows, *sizes;
    float *states, *room;
    Py_ssize_t n_steps, n_rows, width;
} Batch;

/* One direction, out of room for the gates and cells of sizes[0] rows.
sizes: Sequences at each step, none less than at the step after it. */
static void recur(const Batch *b, int backward)
{
    Py_ssize_t row = backward ? b->n_rows : 0, before = 0, known = 0, width = b->width;
    const float *gates = b->gates + backward * 4 * width;
    const float *weights = b->weights + backward * PANELS(4 * width) * PANEL * width;
    float *states = b->states + backward * width, *own = b->room;
    float *cells = own + (b->n_steps ? b->sizes[0] : 0) * 4 * width;
    for (Py_ssize_t step = 0; step < b->n_steps; step++) {
        Py_ssize_t n = (Py_ssize_t)b->sizes[backward ? b->n_steps - 1 - step : step];
        if (backward) row -= n;
        for (Py_ssize_t i = 0; i < n; i++) {
            const float *g = gates + 8 * (Py_ssize_t)b->rows[row + i] * width;
            memcpy(own + 4 * i * width, g, 4 * width * sizeof(float));
        }
        if (known > n) known = n;
        MULTIPLY(
            own, states + 2 * before * width, weights, known, width, 4 * width,
            2 * width, step & 1);
        float *h = states + 2 * row * width;
        for (Py_ssize_t i = 0; i < n; i++)
            activate(
                own + 4 * i * width, cells + i * width, h + 2 * i * width, width);
        known = n, before = row;
        if (!backward) row += n;
    }
}

static int run(const Py_buffer *in)
{
    Batch b = {
        in[0].buf, in[2].buf, in[1].buf, in[3].buf, in[4].buf, NULL,
        in[3].len / 8, in[1].len / 8, 0};
    Py_ssize_t n_rows = 0, most = b.n_steps ? (Py_ssize_t)b.sizes[0] : 0;
    for (Py_ssize_t t = 0; t < b.n_steps; n_rows += b.sizes[t++])
        if (b.sizes[t] < 1 || b.sizes[t] > b.sizes[t ? t - 1 : 0]) return -1;
    Py_ssize_t width = b.width = n_rows ? in[4].len / (8 * n_rows) : 0;
    if (n_rows != b.n_rows || in[4].len != 8 * n_rows * width ||
        in[2].len != 8 * PANELS(4 * width) * PANEL * width)
        return -1;
    Py_ssize_t n_gates = width ? in[0].len / (32 * width) : 0;
    if (in[0].len != 32 * n_gates * width) return -1;
    for (Py_ssize_t row = 0; row < n_rows; row++)
        if (b.rows[row] < 0 || b.rows[row] >= n_gates) return -1;
    for (int backward = 0; backward < 2; backward++) {
        b.room = PyMem_RawCalloc((size_t)(5 * most * width) + 1, sizeof(float));
        if (!b.room) return -2;
        recur(&b, backward);
        PyMem_RawFree(b.room);
    }
    return 0;
}

/* Y += X W^T. in: X, panels of W, Y. */
static int multiply(const Py_buffer *in)
{
    if (in[0].ndim != 2 || in[2].ndim != 2) return -1;
    Py_ssize_t rows = in[2].shape[0], n = in[2].shape[1], width = in[0].shape[1];
    if (in[0].shape[0] != rows || in[1].len != 4 * PANELS(n) * PANEL * width) return -1;
    MULTIPLY(in[2].buf, in[0].buf, in[1].buf, rows, width, n, width, 0);
    return 0;
}

PyDoc_STRVAR(
    bilstm_doc,
    "bilstm(gates, rows, weights, sizes, states)\n\n"
    "Fill states, (n_rows, 2, width), out of what inputs give to the gates,\n"
    "(n_inputs, 2, 4 * width). rows: The input of each row, (n_rows,), int64.\n"
    "weights: Panels of 16 columns, (2, n_panels, width, 16), filled up with zeros.\n"
    "sizes: Rows of each step, int64; all else float32 and contiguous.");

static PyObject *bilstm(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    return with_buffers(
        args, n_args, "fifiF", run, "sizes of gates, rows, weights and states do not agree");
}

PyDoc_STRVAR(
    add_product_doc,
    "add_product(X, weights, Y)\n\n"
    "Add X W^T to Y, (n_rows, n_columns), of X, (n_rows, width), all float32 and\n"
    "contiguous. weights: W in panels of 16 columns, (n_panels, width, 16).");

static PyObject *add_product(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    return with_buffers(
        args, n_args, "ffF", multiply, "sizes of X, weights and Y do not agree");
}

static PyObject *is_fast(PyObject *module, PyObject *nothing)
{
    return PyBool_FromLong(FAST);
}

static PyMethodDef methods[] = {
    {"bilstm", (PyCFunction)(void (*)(void))bilstm, METH_FASTCALL, bilstm_doc},
    {"add_product", (PyCFunction)(void (*)(void))add_product, METH_FASTCALL,
     add_product_doc},
    {"is_fast", is_fast, METH_NOARGS,
     "Whether products are about as fast here as PyTorch's, of many rows, too."},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_recurrence", "An LSTM's recurrence, compiled.", 0, methods,
    NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__recurrence(void) { return PyModuleDef_Init(&definition); }
