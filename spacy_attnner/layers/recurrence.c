/* The recurrence of a bidirectional LSTM over sequences that are packed time-major.

Source: Hochreiter and Schmidhuber (1997); gates as PyTorch orders them: input, forget,
cell, output. Exponentials are those of Cephes, in arithmetic that compilers turn into
vector instructions without being allowed to change it. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) && __GNUC__ >= 8
#define FOR_EACH_CPU __attribute__((target_clones("avx2", "default")))
#else
#define FOR_EACH_CPU
#endif

#define ROUNDS 12582912.0f /* 1.5 * 2^23: a number added to it loses its fraction */

/* exp(x), or at least exp(-87); infinity from 88.4 on. Relative error 2e-7. */
static inline float exponential(float x)
{
    x = x < -87.0f ? -87.0f : x; /* NaN stays */
    x = x > 89.0f ? 89.0f : x;
    float rounded = x * 1.44269504f + ROUNDS, n = rounded - ROUNDS, power;
    float r = x - n * 0.693359375f + n * 2.12194440e-4f; /* n * log(2), in two parts */
    float y = 1.9875691500e-4f;
    y = y * r + 1.3981999507e-3f;
    y = y * r + 8.3334519073e-3f;
    y = y * r + 4.1665795894e-2f;
    y = y * r + 1.6666665459e-1f;
    y = y * r + 5.0000001201e-1f;
    y = y * r * r + r + 1.0f;
    uint32_t bits;
    memcpy(&bits, &rounded, 4);
    bits = (bits + 127) << 23; /* the exponent of 2^n */
    memcpy(&power, &bits, 4);
    return y * power;
}

static inline float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }

static inline float tangent(float x)
{
    float large = 1.0f - 2.0f / (1.0f + exponential(2.0f * x)), z = x * x;
    float y = -5.70498872745e-3f;
    y = y * z + 2.06390887954e-2f;
    y = y * z - 5.37397155531e-2f;
    y = y * z + 1.33314422036e-1f;
    y = y * z - 3.33332819422e-1f;
    float small = y * z * x + x;
    return z < 0.390625f ? small : large;
}

/* gates += states * weights. The weights of four units at a time meet all rows, so that
they come from the first cache. */
FOR_EACH_CPU
static void multiply(
    float *gates, const float *states, const float *weights, Py_ssize_t rows,
    Py_ssize_t width)
{
    Py_ssize_t n = 4 * width, j = 0;
    for (; j + 4 <= width; j += 4)
        for (Py_ssize_t row = 0; row < rows; row++) {
            const float *w = weights + j * n, *h = states + 2 * row * width + j;
            float *g = gates + 2 * row * n, a = h[0], b = h[1], c = h[2], d = h[3];
            for (Py_ssize_t i = 0; i < n; i++)
                g[i] += a * w[i] + b * w[n + i] + c * w[2 * n + i] + d * w[3 * n + i];
        }
    for (; j < width; j++)
        for (Py_ssize_t row = 0; row < rows; row++) {
            const float *w = weights + j * n, a = states[2 * row * width + j];
            float *g = gates + 2 * row * n;
            for (Py_ssize_t i = 0; i < n; i++) g[i] += a * w[i];
        }
}

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

/* One direction; gates and states are those of the first row, each of two directions.
sizes: Sequences at each step, none less than at the step after it. */
static void recur(
    float *gates, float *states, const float *weights, const int64_t *sizes,
    Py_ssize_t n_steps, Py_ssize_t n_rows, Py_ssize_t width, int backward, float *cells)
{
    Py_ssize_t row = backward ? n_rows : 0, before = 0, known = 0;
    for (Py_ssize_t step = 0; step < n_steps; step++) {
        Py_ssize_t rows = (Py_ssize_t)sizes[backward ? n_steps - 1 - step : step];
        if (backward) row -= rows;
        if (known > rows) known = rows;
        float *g = gates + 8 * row * width, *h = states + 2 * row * width;
        multiply(g, states + 2 * before * width, weights, known, width);
        for (Py_ssize_t i = 0; i < rows; i++)
            activate(g + 8 * i * width, cells + i * width, h + 2 * i * width, width);
        known = rows, before = row;
        if (!backward) row += rows;
    }
}

static int run(const Py_buffer *in)
{
    float *gates = in[0].buf, *states = in[3].buf;
    const float *weights = in[1].buf;
    const int64_t *sizes = in[2].buf;
    Py_ssize_t n_steps = in[2].len / 8, n_rows = 0, most = n_steps ? sizes[0] : 0;
    for (Py_ssize_t t = 0; t < n_steps; n_rows += sizes[t++])
        if (sizes[t] < 1 || sizes[t] > sizes[t ? t - 1 : 0]) return -1;
    Py_ssize_t width = n_rows ? in[3].len / (8 * n_rows) : 0;
    if (in[3].len != 8 * n_rows * width || in[0].len != 4 * in[3].len ||
        in[1].len != 32 * width * width)
        return -1;
    for (int backward = 0; backward < 2; backward++) {
        float *cells = PyMem_RawCalloc((size_t)(most * width) + 1, sizeof(float));
        if (!cells) return -2;
        recur(
            gates + backward * 4 * width, states + backward * width,
            weights + backward * 4 * width * width, sizes, n_steps, n_rows, width,
            backward, cells);
        PyMem_RawFree(cells);
    }
    return 0;
}

PyDoc_STRVAR(
    bilstm_doc,
    "bilstm(gates, weights, sizes, states)\n\n"
    "Fill states, (n_rows, 2, width), out of what the inputs give to the gates,\n"
    "(n_rows, 2, 4 * width), which are overwritten. weights: (2, width, 4 * width);\n"
    "sizes: rows of each step, int64; all else float32 and contiguous.");

static PyObject *bilstm(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    Py_buffer buffers[4];
    int n = 0, result = -1;
    if (n_args != 4) {
        PyErr_SetString(PyExc_TypeError, "bilstm takes 4 arguments");
        return NULL;
    }
    while (n < 4 && !PyObject_GetBuffer(
                        args[n], &buffers[n], n % 3 ? PyBUF_SIMPLE : PyBUF_WRITABLE))
        n++;
    if (n == 4 && buffers[0].itemsize == 4 && buffers[1].itemsize == 4 &&
        buffers[2].itemsize == 8 && buffers[3].itemsize == 4) {
        Py_BEGIN_ALLOW_THREADS
        result = run(buffers);
        Py_END_ALLOW_THREADS
    }
    if (n == 4 && result == -1)
        PyErr_SetString(
            PyExc_ValueError, "sizes of gates, weights and states do not agree");
    if (result == -2) PyErr_NoMemory();
    while (n) PyBuffer_Release(&buffers[--n]);
    if (result) return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"bilstm", (PyCFunction)(void (*)(void))bilstm, METH_FASTCALL, bilstm_doc},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_recurrence", "An LSTM's recurrence, compiled.", 0, methods,
    NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__recurrence(void) { return PyModuleDef_Init(&definition); }
