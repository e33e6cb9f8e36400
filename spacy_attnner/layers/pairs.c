/* What ordered pairs of spans are by themselves, in prediction.

See `pairs.py` and `pair_context.py` for the formula. */

#include "kernels.h"

#if defined(__GNUC__) || defined(__clang__)

#define BLOCK 64 /* pairs whose features are multiplied at a time */
#define LANES 16
#define INLINE __attribute__((always_inline)) static inline
#define ROUND_UP(n) (((n) + LANES - 1) / LANES * LANES)
typedef float Lanes __attribute__((vector_size(4 * LANES)));

enum { BEFORE, IN_HEAD, BETWEEN, IN_TAIL, AFTER, N_PLACES };

/* Spans, pairs and contexts are of tokens; keys are (hidden, stride), the number of a
token in a row being that of its column; all else has a row for each. */
typedef struct {
    Py_ssize_t hidden, n_heads, n_spans, n_pairs, n_tokens, stride, n_buckets;
    const int64_t *spans, *pairs, *contexts, *distances;
    const float *heads, *tails, *own_heads, *own_tails, *head_queries, *tail_queries;
    const float *keys, *values, *place, *table, *weights;
    float *Y;
    int product, attention, between;
} Pairs;

/* scores += q K of n words, rounded up; keys: Of the head's first word. */
INLINE void add_scores(
    float *scores, const float *query, const float *keys, Py_ssize_t stride,
    Py_ssize_t size, Py_ssize_t n)
{
    for (Py_ssize_t i = 0; i < n; i += LANES) {
        const float *key = keys + i;
        Lanes sum, x;
        memcpy(&sum, scores + i, sizeof(sum));
        for (Py_ssize_t j = 0; j < size; j++, key += stride) {
            memcpy(&x, key, sizeof(x));
            sum += query[j] * x;
        }
        memcpy(scores + i, &sum, sizeof(sum));
    }
}

/* exp(scores - the largest) of n words, zeros behind them; returns their sum. */
INLINE float weigh(float *scores, Py_ssize_t n)
{
    float top = scores[0], total = 0.0f, lanes[LANES];
    for (Py_ssize_t i = 1; i < n; i++) top = scores[i] > top ? scores[i] : top;
    Py_ssize_t end = ROUND_UP(n);
    for (Py_ssize_t i = n; i < end; i++) scores[i] = top;
    for (Py_ssize_t i = 0; i < end; i++) {
        float score = scores[i] - top; /* sums of less would be slow denormals */
        scores[i] = exponential(score < -60.0f ? -60.0f : score);
    }
    for (Py_ssize_t i = n; i < end; i++) scores[i] = 0.0f;
    Lanes sum = {0}, x;
    for (Py_ssize_t i = 0; i < end; i += LANES) {
        memcpy(&x, scores + i, sizeof(x));
        sum += x;
    }
    memcpy(lanes, &sum, sizeof(sum));
    for (int i = 0; i < LANES; i++) total += lanes[i];
    return total;
}

INLINE void fill(float *row, Py_ssize_t from, Py_ssize_t to, float value)
{
    for (Py_ssize_t i = from; i < to; i++) row[i] = value;
}

INLINE Py_ssize_t inside(int64_t place, int64_t first, int64_t end)
{
    return (Py_ssize_t)((place < first ? first : place > end ? end : place) - first);
}

/* What a pair reads of its context, (hidden,). scores: Room for a head's. */
INLINE void read_context(
    const Pairs *b, Py_ssize_t pair, float *query, float *scores, float *to)
{
    Py_ssize_t hidden = b->hidden, size = hidden / b->n_heads;
    const int64_t *own = b->pairs + 2 * pair, *context = b->contexts + 2 * pair;
    const int64_t *head = b->spans + 2 * own[0], *tail = b->spans + 2 * own[1];
    int64_t first = context[0], end = context[1];
    Py_ssize_t n = (Py_ssize_t)(end - first);
    const float *q = b->head_queries + own[0] * hidden;
    const float *r = b->tail_queries + own[1] * hidden;
    for (Py_ssize_t i = 0; i < hidden; i++) query[i] = q[i] + r[i];
    int64_t begin = head[0] < tail[0] ? head[0] : tail[0];
    int64_t behind = head[1] > tail[1] ? head[1] : tail[1];
    for (Py_ssize_t h = 0; h < b->n_heads; h++) {
        const float *place = b->place + h;
        Py_ssize_t H = b->n_heads, from = inside(begin, first, end);
        Py_ssize_t until = inside(behind, first, end);
        fill(scores, 0, from, place[BEFORE * H]);
        fill(scores, from, until, place[BETWEEN * H]);
        fill(scores, until, ROUND_UP(n), place[AFTER * H]);
        fill(scores, inside(tail[0], first, end), inside(tail[1], first, end),
             place[IN_TAIL * H]);
        fill(scores, inside(head[0], first, end), inside(head[1], first, end),
             place[IN_HEAD * H]);
        add_scores(
            scores, query + h * size, b->keys + h * size * b->stride + first, b->stride,
            size, n);
        float total = weigh(scores, n);
        for (Py_ssize_t i = h * size; i < (h + 1) * size; i += LANES) {
            const float *value = b->values + first * hidden + i;
            Lanes sum = {0}, x;
            for (Py_ssize_t j = 0; j < n; j++, value += hidden) {
                memcpy(&x, value, sizeof(x));
                sum += scores[j] * x;
            }
            sum /= total;
            memcpy(to + i, &sum, sizeof(sum));
        }
    }
}

/* The largest values between head and tail, (hidden,); zeros where nothing is. */
INLINE void read_between(const Pairs *b, Py_ssize_t pair, float *to)
{
    const int64_t *own = b->pairs + 2 * pair;
    const int64_t *head = b->spans + 2 * own[0], *tail = b->spans + 2 * own[1];
    int64_t first = head[1] < tail[1] ? head[1] : tail[1];
    int64_t end = head[0] > tail[0] ? head[0] : tail[0];
    Py_ssize_t hidden = b->hidden;
    if (first >= end) {
        memset(to, 0, hidden * sizeof(float));
        return;
    }
    memcpy(to, b->values + first * hidden, hidden * sizeof(float));
    for (const float *value = b->values + (first + 1) * hidden;
         value < b->values + end * hidden; value += hidden)
        for (Py_ssize_t i = 0; i < hidden; i++)
            to[i] = value[i] > to[i] ? value[i] : to[i];
}

/* Features of some pairs, a row each, and what their spans and distances add. */
FOR_EACH_CPU
static void read_pairs(
    const Pairs *b, Py_ssize_t start, Py_ssize_t n, float *query, float *scores,
    float *features)
{
    Py_ssize_t hidden = b->hidden;
    for (Py_ssize_t pair = start; pair < start + n; pair++) {
        const int64_t *own = b->pairs + 2 * pair;
        Py_ssize_t i_head = (Py_ssize_t)own[0] * hidden;
        Py_ssize_t i_tail = (Py_ssize_t)own[1] * hidden;
        const float *head = b->heads + i_head, *tail = b->tails + i_tail;
        const float *h = b->own_heads + i_head, *t = b->own_tails + i_tail;
        const float *distance = b->table + b->distances[pair] * hidden;
        float *y = b->Y + pair * hidden;
        for (Py_ssize_t i = 0; i < hidden; i++) y[i] = h[i] + t[i] + distance[i];
        if (b->product) {
            for (Py_ssize_t i = 0; i < hidden; i++) features[i] = head[i] * tail[i];
            features += hidden;
        }
        if (b->attention) {
            read_context(b, pair, query, scores, features);
            features += hidden;
        }
        if (b->between) {
            read_between(b, pair, features);
            features += hidden;
        }
    }
}

FOR_EACH_CPU
static void rectify(float *y, Py_ssize_t n)
{
    for (Py_ssize_t i = 0; i < n; i++) y[i] = y[i] > 0.0f ? y[i] : 0.0f;
}

/* Whether all that is numbered is there; the longest context. */
static int is_sound(const Pairs *b, Py_ssize_t *longest)
{
    for (Py_ssize_t i = 0; i < b->n_spans; i++) {
        const int64_t *span = b->spans + 2 * i;
        if (span[0] < 0 || span[0] > span[1] || span[1] > b->n_tokens) return 0;
    }
    for (Py_ssize_t i = 0; i < b->n_pairs; i++) {
        const int64_t *own = b->pairs + 2 * i, *context = b->contexts + 2 * i;
        if (own[0] < 0 || own[0] >= b->n_spans || own[1] < 0 || own[1] >= b->n_spans)
            return 0;
        if (context[0] < 0 || context[0] >= context[1] || context[1] > b->n_tokens)
            return 0;
        if (b->distances[i] < 0 || b->distances[i] >= b->n_buckets) return 0;
        if (context[1] - context[0] > *longest)
            *longest = (Py_ssize_t)(context[1] - context[0]);
    }
    return 1;
}

enum {
    SIZES, SPANS, PAIRS, CONTEXTS, DISTANCES, HEADS, TAILS, OWN_HEADS, OWN_TAILS,
    HEAD_QUERIES, TAIL_QUERIES, KEYS, VALUES, PLACE, TABLE, WEIGHTS, RESULT
};

static int check_and_run(const Py_buffer *in)
{
    if (in[SIZES].len != 5 * 8) return -1;
    const int64_t *sizes = in[SIZES].buf;
    Py_ssize_t hidden = (Py_ssize_t)sizes[0], row = 4 * hidden, longest = 0;
    int product = sizes[2] != 0, attention = sizes[3] != 0, between = sizes[4] != 0;
    Py_ssize_t width = (product + attention + between) * hidden;
    if (sizes[0] < 1 || sizes[1] < 1 || hidden % (sizes[1] * LANES)) return -1;
    Pairs b = {
        hidden, (Py_ssize_t)sizes[1], in[SPANS].len / 16, in[PAIRS].len / 16,
        in[VALUES].len / row, in[KEYS].len / row, in[TABLE].len / row,
        in[SPANS].buf, in[PAIRS].buf, in[CONTEXTS].buf, in[DISTANCES].buf,
        in[HEADS].buf, in[TAILS].buf, in[OWN_HEADS].buf, in[OWN_TAILS].buf,
        in[HEAD_QUERIES].buf, in[TAIL_QUERIES].buf, in[KEYS].buf, in[VALUES].buf,
        in[PLACE].buf, in[TABLE].buf, in[WEIGHTS].buf, in[RESULT].buf,
        product, attention, between};
    for (int i = HEADS; i <= TAIL_QUERIES; i++)
        if (in[i].len != b.n_spans * row && (attention || i < HEAD_QUERIES)) return -1;
    if (in[CONTEXTS].len != 16 * b.n_pairs || in[DISTANCES].len != 8 * b.n_pairs ||
        in[RESULT].len != b.n_pairs * row ||
        in[PLACE].len != 4 * N_PLACES * b.n_heads ||
        in[WEIGHTS].len != PANELS(hidden) * PANEL * width * 4 ||
        (attention && b.stride < b.n_tokens + LANES) || !is_sound(&b, &longest))
        return -1;
    size_t room = (size_t)(hidden + ROUND_UP(longest) + BLOCK * width);
    float *query = PyMem_RawMalloc((room + 1) * sizeof(float));
    if (!query) return -2;
    float *scores = query + hidden, *features = scores + ROUND_UP(longest);
    for (Py_ssize_t i = 0; i < b.n_pairs; i += BLOCK) {
        Py_ssize_t n = b.n_pairs - i < BLOCK ? b.n_pairs - i : BLOCK;
        read_pairs(&b, i, n, query, scores, features);
        if (width)
            MULTIPLY(b.Y + i * hidden, features, b.weights, n, width, hidden, width, 0);
        rectify(b.Y + i * hidden, n * hidden);
    }
    PyMem_RawFree(query);
    return 0;
}

PyDoc_STRVAR(
    features_doc,
    "features(sizes, spans, pairs, contexts, distances, heads, tails, own_heads,\n"
    "    own_tails, head_queries, tail_queries, keys, values, place, table, weights,\n"
    "    Y)\n\n"
    "Fill Y, (n_pairs, hidden). sizes: hidden, n_heads, and whether there are the\n"
    "product, attention, between. spans, pairs, contexts: (n, 2). distances: Rows of\n"
    "the table, (n_buckets, hidden). heads, tails: Of spans, (n_spans, hidden), so what\n"
    "they add by themselves, and their shares of queries, scaled. keys: (hidden,\n"
    "n_tokens + 16 or more). values: (n_tokens, hidden). place: (5, n_heads). weights:\n"
    "Of the features, in panels. Integers are int64, all else float32.");

static PyObject *features(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    return with_buffers(
        args, n_args, "iiiiifffffffffffF", check_and_run,
        "sizes of spans, pairs, tokens and weights do not agree");
}

/* y = own + relu(y) */
FOR_EACH_CPU
static void add_rectified(float *y, const float *own, Py_ssize_t n)
{
    for (Py_ssize_t i = 0; i < n; i++) y[i] = own[i] + (y[i] > 0.0f ? y[i] : 0.0f);
}

/* y = heads + tails, of n pairs */
FOR_EACH_CPU
static void add_spans(
    float *y, const float *heads, const float *tails, const int64_t *pairs,
    Py_ssize_t n, Py_ssize_t hidden)
{
    for (; n > 0; n--, pairs += 2, y += hidden) {
        const float *head = heads + pairs[0] * hidden;
        const float *tail = tails + pairs[1] * hidden;
        for (Py_ssize_t i = 0; i < hidden; i++) y[i] = head[i] + tail[i];
    }
}

/* in: pairs, own, heads, tails, panels of weights, Y. */
static int add_them(const Py_buffer *in)
{
    if (in[1].ndim != 2 || in[2].ndim != 2) return -1;
    Py_ssize_t n_pairs = in[1].shape[0], hidden = in[1].shape[1];
    Py_ssize_t n_spans = in[2].shape[0];
    const int64_t *pairs = in[0].buf;
    const float *own = in[1].buf;
    float *Y = in[5].buf;
    if (in[0].len != 16 * n_pairs || in[2].len != 4 * n_spans * hidden ||
        in[3].len != in[2].len || in[5].len != in[1].len ||
        in[4].len != 4 * PANELS(hidden) * PANEL * hidden)
        return -1;
    for (Py_ssize_t i = 0; i < 2 * n_pairs; i++)
        if (pairs[i] < 0 || pairs[i] >= n_spans) return -1;
    for (Py_ssize_t i = 0; i < n_pairs; i += BLOCK) {
        Py_ssize_t n = n_pairs - i < BLOCK ? n_pairs - i : BLOCK;
        float *y = Y + i * hidden;
        add_spans(y, in[2].buf, in[3].buf, pairs + 2 * i, n, hidden);
        MULTIPLY(y, own + i * hidden, in[4].buf, n, hidden, hidden, hidden, 0);
        add_rectified(y, own + i * hidden, n * hidden);
    }
    return 0;
}

PyDoc_STRVAR(
    add_others_doc,
    "add_others(pairs, own, heads, tails, weights, Y)\n\n"
    "Fill Y, (n_pairs, hidden), with own + relu(own W^T + heads + tails). pairs:\n"
    "(n_pairs, 2), int64. heads, tails: Of spans, (n_spans, hidden). weights: W in\n"
    "panels of 16 columns.");

static PyObject *add_others(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    return with_buffers(
        args, n_args, "iffffF", add_them,
        "sizes of pairs, spans and weights do not agree");
}

#endif

static PyMethodDef methods[] = {
#ifdef LANES
    {"features", (PyCFunction)(void (*)(void))features, METH_FASTCALL, features_doc},
    {"add_others", (PyCFunction)(void (*)(void))add_others, METH_FASTCALL,
     add_others_doc},
#endif
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_pairs", "Features of pairs, compiled.", 0, methods,
    NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__pairs(void) { return PyModuleDef_Init(&definition); }
