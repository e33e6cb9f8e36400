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

#define PANEL 16 /* columns */
#define PANELS(width) ((4 * (width) + PANEL - 1) / PANEL)

#if defined(__GNUC__) || defined(__clang__)
typedef float Vector __attribute__((vector_size(32))); /* half of a panel's row */
#define ADD(to, a, b, n) \
    do { \
        float sums[PANEL], *g_ = (to); \
        memcpy(sums, &(a), 32), memcpy(sums + 8, &(b), 32); \
        if ((n) == PANEL) \
            for (int i_ = 0; i_ < PANEL; i_++) g_[i_] += sums[i_]; \
        else \
            for (int i_ = 0; i_ < (n); i_++) g_[i_] += sums[i_]; \
    } while (0)
#define PRODUCT_ATTRIBUTE
#define PRODUCT multiply_anywhere
#include "product.h"
#undef PRODUCT
#if defined(__x86_64__)
#undef PRODUCT_ATTRIBUTE
#define PRODUCT_ATTRIBUTE __attribute__((target("avx2,fma")))
#define PRODUCT multiply_with_avx2
#include "product.h"
#define HAS_AVX2 (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#define FAST HAS_AVX2
#define MULTIPLY (HAS_AVX2 ? multiply_with_avx2 : multiply_anywhere)
#else
#define FAST 1
#define MULTIPLY multiply_anywhere
#endif
#else
#define FAST 0
#define MULTIPLY multiply_plainly
static void multiply_plainly(
    float *gates, const float *states, const float *weights, Py_ssize_t rows,
    Py_ssize_t width, int to_and_fro)
{
    Py_ssize_t n = 4 * width;
    (void)to_and_fro;
    for (Py_ssize_t row = 0; row < rows; row++)
        for (Py_ssize_t i = 0; i < n; i++) {
            const float *w = weights + (i / PANEL * width) * PANEL + i % PANEL;
            for (Py_ssize_t k = 0; k < width; k++)
                gates[row * n + i] += states[2 * row * width + k] * w[k * PANEL];
        }
}
#endif

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
    const float *weights = b->weights + backward * PANELS(width) * PANEL * width;
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
        MULTIPLY(own, states + 2 * before * width, weights, known, width, step & 1);
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
        in[2].len != 8 * PANELS(width) * PANEL * width)
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

PyDoc_STRVAR(
    bilstm_doc,
    "bilstm(gates, rows, weights, sizes, states)\n\n"
    "Fill states, (n_rows, 2, width), out of what inputs give to the gates,\n"
    "(n_inputs, 2, 4 * width). rows: The input of each row, (n_rows,), int64.\n"
    "weights: Panels of 16 columns, (2, n_panels, width, 16), filled up with zeros.\n"
    "sizes: Rows of each step, int64; all else float32 and contiguous.");

static PyObject *bilstm(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    static const Py_ssize_t sizes[] = {4, 8, 4, 8, 4};
    Py_buffer buffers[5];
    int n = 0, result = 0;
    if (n_args != 5) {
        PyErr_SetString(PyExc_TypeError, "bilstm takes 5 arguments");
        return NULL;
    }
    while (n < 5 && !PyObject_GetBuffer(
                        args[n], &buffers[n], n == 4 ? PyBUF_WRITABLE : PyBUF_SIMPLE)) {
        if (buffers[n].itemsize != sizes[n]) result = -1;
        n++;
    }
    if (n == 5 && !result) {
        Py_BEGIN_ALLOW_THREADS
        result = run(buffers);
        Py_END_ALLOW_THREADS
    }
    if (n == 5 && result == -1)
        PyErr_SetString(
            PyExc_ValueError, "sizes of gates, rows, weights and states do not agree");
    if (result == -2) PyErr_NoMemory();
    int failed = n < 5 || result;
    while (n) PyBuffer_Release(&buffers[--n]);
    if (failed) return NULL;
    Py_RETURN_NONE;
}

static PyObject *is_fast(PyObject *module, PyObject *nothing)
{
    return PyBool_FromLong(FAST);
}

static PyMethodDef methods[] = {
    {"bilstm", (PyCFunction)(void (*)(void))bilstm, METH_FASTCALL, bilstm_doc},
    {"is_fast", is_fast, METH_NOARGS,
     "Whether products are about as fast here as PyTorch's, of many rows, too."},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_recurrence", "An LSTM's recurrence, compiled.", 0, methods,
    NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__recurrence(void) { return PyModuleDef_Init(&definition); }
