/* What `product.h` computes, with AVX-512: a row of a panel is one vector.

Eight sums are kept in registers, of as many rows as there are, so that they wait less
for each other. */

#define AVX512 __attribute__((target("avx512f")))
#define L1 24576 /* bytes of rows that stay in the first cache */
typedef float Wide __attribute__((vector_size(4 * PANEL)));

/* So many rows and panels next to each other, both constant; of each row so many sums
that they wait less for each other. */
AVX512 __attribute__((always_inline)) static inline void multiply_rows(
    float *to, const float *from, const float *weights, int rows, int panels,
    Py_ssize_t width, Py_ssize_t n, Py_ssize_t s, Py_ssize_t columns)
{
    int depth = 8 / rows, count = rows * panels;
    Wide sums[16] = {{0}}, x;
    Py_ssize_t j = 0;
    for (; j + depth <= width; j += depth)
#pragma GCC unroll 8
        for (int d = 0; d < depth; d++)
#pragma GCC unroll 2
            for (int p = 0; p < panels; p++) {
                memcpy(&x, weights + (p * width + j + d) * PANEL, sizeof(x));
#pragma GCC unroll 8
                for (int r = 0; r < rows; r++)
                    sums[d * count + p * rows + r] += from[r * s + j + d] * x;
            }
    for (; j < width; j++)
#pragma GCC unroll 2
        for (int p = 0; p < panels; p++) {
            memcpy(&x, weights + (p * width + j) * PANEL, sizeof(x));
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) sums[p * rows + r] += from[r * s + j] * x;
        }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++, to += n)
#pragma GCC unroll 2
        for (int p = 0; p < panels; p++) {
            Wide sum = sums[p * rows + r];
#pragma GCC unroll 8
            for (int d = 1; d < depth; d++) sum += sums[d * count + p * rows + r];
            ADD(to + p * PANEL, sum, p + 1 == panels ? columns : PANEL);
        }
}

/* All rows with some panels, of which the last has so many columns. */
AVX512 __attribute__((always_inline)) static inline void multiply_panels(
    float *to, const float *from, const float *weights, int panels, Py_ssize_t rows,
    Py_ssize_t width, Py_ssize_t n, Py_ssize_t s, Py_ssize_t columns)
{
    for (; rows >= 8; rows -= 8, to += 8 * n, from += 8 * s)
        multiply_rows(to, from, weights, 8, panels, width, n, s, columns);
    if (rows & 4) {
        multiply_rows(to, from, weights, 4, panels, width, n, s, columns);
        to += 4 * n, from += 4 * s;
    }
    if (rows & 2) {
        multiply_rows(to, from, weights, 2, panels, width, n, s, columns);
        to += 2 * n, from += 2 * s;
    }
    if (rows & 1) multiply_rows(to, from, weights, 1, panels, width, n, s, columns);
}

AVX512 static void multiply_with_avx512(
    float *to, const float *from, const float *weights, Py_ssize_t rows,
    Py_ssize_t width, Py_ssize_t n, Py_ssize_t s, int to_and_fro)
{
    Py_ssize_t n_panels = PANELS(n), n_pairs = (n_panels + 1) / 2;
    Py_ssize_t block = L1 / 4 / (width ? width : 1) / 8 * 8;
    if (block < 8) block = 8;
    for (; rows > 0; rows -= block, to += block * n, from += block * s) {
        Py_ssize_t some = rows < block ? rows : block;
        for (Py_ssize_t i = 0; i < n_pairs; i++) {
            Py_ssize_t p = 2 * (to_and_fro ? n_pairs - 1 - i : i);
            const float *panels = weights + p * PANEL * width;
            float *g = to + p * PANEL;
            Py_ssize_t left = n - p * PANEL;
            if (left > PANEL)
                multiply_panels(
                    g, from, panels, 2, some, width, n, s,
                    left < 2 * PANEL ? left - PANEL : PANEL);
            else multiply_panels(g, from, panels, 1, some, width, n, s, left);
        }
        to_and_fro = !to_and_fro;
    }
}
