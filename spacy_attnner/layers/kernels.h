/* What the compiled layers compute with: exponentials, and products with weights.

Exponentials are those of Cephes, in arithmetic that compilers turn into vector
instructions without being allowed to change it. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) && __GNUC__ >= 8
#define FOR_EACH_CPU __attribute__((target_clones("avx512f", "avx2", "default")))
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
#define PANELS(columns) (((columns) + PANEL - 1) / PANEL)

#if defined(__GNUC__) || defined(__clang__)
typedef float Vector __attribute__((vector_size(32))); /* half of a panel's row */
/* to += n of the numbers of a panel's row, which is one vector, or two */
#define ADD(to, row, n) \
    do { \
        float sums_[PANEL], *g_ = (to); \
        memcpy(sums_, &(row), sizeof(sums_)); \
        if ((n) == PANEL) \
            for (int i_ = 0; i_ < PANEL; i_++) g_[i_] += sums_[i_]; \
        else \
            for (int i_ = 0; i_ < (n); i_++) g_[i_] += sums_[i_]; \
    } while (0)
#define ADD2(to, a, b, n) \
    do { \
        float both[PANEL]; \
        memcpy(both, &(a), 32), memcpy(both + 8, &(b), 32); \
        ADD(to, both, n); \
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
#include "product512.h"
#define HAS_AVX512 __builtin_cpu_supports("avx512f")
#define HAS_AVX2 (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#define FAST HAS_AVX2
#define MULTIPLY \
    (HAS_AVX512 ? multiply_with_avx512 \
     : HAS_AVX2 ? multiply_with_avx2   \
                : multiply_anywhere)
#else
#define FAST 1
#define MULTIPLY multiply_anywhere
#endif
#else
#define FAST 0
#define MULTIPLY multiply_plainly
static void multiply_plainly(
    float *to, const float *from, const float *weights, Py_ssize_t rows,
    Py_ssize_t width, Py_ssize_t n, Py_ssize_t s, int to_and_fro)
{
    (void)to_and_fro;
    for (Py_ssize_t row = 0; row < rows; row++)
        for (Py_ssize_t i = 0; i < n; i++) {
            const float *w = weights + (i / PANEL * width) * PANEL + i % PANEL;
            for (Py_ssize_t k = 0; k < width; k++)
                to[row * n + i] += from[row * s + k] * w[k * PANEL];
        }
}
#endif

#define MOST_BUFFERS 24

/* Call a function with contiguous buffers, one for each letter of `kinds`: of float32
(f) or int64 (i), a capital where it writes. It returns 0, -1 where their sizes do not
agree, or -2 without memory. */
static PyObject *with_buffers(
    PyObject *const *args, Py_ssize_t n_args, const char *kinds,
    int (*function)(const Py_buffer *), const char *flaw)
{
    Py_buffer buffers[MOST_BUFFERS];
    int n = 0, result = 0, wanted = (int)strlen(kinds);
    if (n_args != wanted) {
        PyErr_Format(PyExc_TypeError, "%d arguments are wanted", wanted);
        return NULL;
    }
    while (n < wanted) {
        int written = kinds[n] == 'F' || kinds[n] == 'I';
        int size = kinds[n] == 'f' || kinds[n] == 'F' ? 4 : 8;
        int flags = PyBUF_ND | (written ? PyBUF_WRITABLE : 0);
        if (PyObject_GetBuffer(args[n], &buffers[n], flags)) break;
        if (buffers[n++].itemsize != size) result = -1;
    }
    int failed = n < wanted;
    if (!failed && !result) {
        Py_BEGIN_ALLOW_THREADS
        result = function(buffers);
        Py_END_ALLOW_THREADS
    }
    if (!failed && result == -1) PyErr_SetString(PyExc_ValueError, flaw);
    if (!failed && result == -2) PyErr_NoMemory();
    while (n) PyBuffer_Release(&buffers[--n]);
    if (failed || result) return NULL;
    Py_RETURN_NONE;
}
