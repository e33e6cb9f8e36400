/* to += from * weights, a function of the name and with the attribute that are defined
where this is included: once for any processor, once for one with AVX2.

to: (rows, n), contiguous. from: Rows of `width` numbers, s apart.
weights: In panels of PANEL columns, (n_panels, width, PANEL), the last one filled up.
to_and_fro: Whether to go through the panels from the last to the first: weights that
are larger than a cache are partly still there when the next call turns around. */

PRODUCT_ATTRIBUTE
static void PRODUCT(
    float *to, const float *from, const float *weights, Py_ssize_t rows,
    Py_ssize_t width, Py_ssize_t n, Py_ssize_t s, int to_and_fro)
{
    Py_ssize_t n_panels = PANELS(n);
    for (Py_ssize_t i = 0; i < n_panels; i++) {
        Py_ssize_t p = to_and_fro ? n_panels - 1 - i : i, row = 0;
        Py_ssize_t columns = n - p * PANEL < PANEL ? n - p * PANEL : PANEL;
        const float *panel = weights + p * PANEL * width;
        float *g = to + p * PANEL;
        for (; row + 4 <= rows; row += 4, g += 4 * n) {
            const float *h = from + row * s, *w = panel;
            Vector a = {0}, b = a, c = a, d = a, e = a, f = a, k = a, l = a, x, y;
            for (Py_ssize_t j = 0; j < width; j++, w += PANEL) {
                memcpy(&x, w, sizeof(x)), memcpy(&y, w + 8, sizeof(y));
                a += h[j] * x, b += h[j] * y;
                c += h[s + j] * x, d += h[s + j] * y;
                e += h[2 * s + j] * x, f += h[2 * s + j] * y;
                k += h[3 * s + j] * x, l += h[3 * s + j] * y;
            }
            ADD2(g, a, b, columns);
            ADD2(g + n, c, d, columns);
            ADD2(g + 2 * n, e, f, columns);
            ADD2(g + 3 * n, k, l, columns);
        }
        for (; row < rows; row++, g += n) { /* four sums at once: they wait less */
            const float *h = from + row * s, *w = panel;
            Vector a = {0}, b = a, c = a, d = a, e = a, f = a, k = a, l = a, x, y;
            Py_ssize_t j = 0;
            for (; j + 4 <= width; j += 4, w += 4 * PANEL) {
                memcpy(&x, w, sizeof(x)), memcpy(&y, w + 8, sizeof(y));
                a += h[j] * x, b += h[j] * y;
                memcpy(&x, w + 16, sizeof(x)), memcpy(&y, w + 24, sizeof(y));
                c += h[j + 1] * x, d += h[j + 1] * y;
                memcpy(&x, w + 32, sizeof(x)), memcpy(&y, w + 40, sizeof(y));
                e += h[j + 2] * x, f += h[j + 2] * y;
                memcpy(&x, w + 48, sizeof(x)), memcpy(&y, w + 56, sizeof(y));
                k += h[j + 3] * x, l += h[j + 3] * y;
            }
            for (; j < width; j++, w += PANEL) {
                memcpy(&x, w, sizeof(x)), memcpy(&y, w + 8, sizeof(y));
                a += h[j] * x, b += h[j] * y;
            }
            a = (a + c) + (e + k), b = (b + d) + (f + l);
            ADD2(g, a, b, columns);
        }
    }
}
