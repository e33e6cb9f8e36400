/* What `DocumentContext` adds to the tokens of documents, in prediction.

See `group_context.py` for the formula. */

#include "kernels.h"

#define BLOCK 64 /* rows that are multiplied at a time, and stay in the cache */
/* A group of documents ends where it has so many tokens, or so many documents. */
#define GROUP_TOKENS 128
#define GROUP_DOCUMENTS 32

/* A linear layer: weights in panels, and a bias or NULL. */
typedef struct {
    const float *panels, *bias;
    Py_ssize_t width, columns;
} Linear;

/* The layers, of which those of words or of the document may be missing (NULL). */
typedef struct {
    Linear mix, word_score, word_value, word_mix, score, value, state_mix;
    Py_ssize_t width, n_heads, value_width;
} Layers;

/* Room for a group of documents; sums and totals are of the words of all of them. */
typedef struct {
    float *mixed, *tokens, *weights, *values, *states, *sums, *totals;
} Room;

static void apply(
    const Linear *layer, const float *X, Py_ssize_t rows, float *Y, int turn)
{
    Py_ssize_t n = layer->columns;
    for (Py_ssize_t row = 0; row < rows; row++)
        if (layer->bias) memcpy(Y + row * n, layer->bias, n * sizeof(float));
        else memset(Y + row * n, 0, n * sizeof(float));
    for (Py_ssize_t row = 0; row < rows; row += BLOCK) {
        Py_ssize_t some = rows - row < BLOCK ? rows - row : BLOCK, width = layer->width;
        const float *from = X + row * width;
        MULTIPLY(Y + row * n, from, layer->panels, some, width, n, width, turn);
        turn = !turn;
    }
}

/* exp(5 tanh(x / 5)) */
FOR_EACH_CPU
static void weigh(float *scores, Py_ssize_t n)
{
    for (Py_ssize_t i = 0; i < n; i++)
        scores[i] = exponential(5.0f * tangent(scores[i] / 5.0f));
}

/* y += a x */
FOR_EACH_CPU
static void add_scaled(float *y, float a, const float *x, Py_ssize_t n)
{
    for (Py_ssize_t i = 0; i < n; i++) y[i] += a * x[i];
}

FOR_EACH_CPU
static void finish(
    float *Y, const float *X, const float *mixed, const float *state, Py_ssize_t rows,
    Py_ssize_t width)
{
    for (Py_ssize_t row = 0; row < rows; row++)
        for (Py_ssize_t i = 0; i < width; i++) {
            Py_ssize_t j = row * width + i;
            Y[j] = X[j] + tangent(mixed[j] + state[i]);
        }
}

/* The states of n documents, mixed. ends: Of the documents, counted as `first` is.
Weighted tokens are averaged before they become values; room->values holds those of
every head for each head's average. */
static void find_states(
    const Layers *l, const float *X, int64_t first, const int64_t *ends, Py_ssize_t n,
    Room *room, int turn)
{
    Py_ssize_t width = l->width, H = l->n_heads, size = l->value_width, part = size / H;
    Py_ssize_t row = 0, rows = (Py_ssize_t)(ends[n - 1] - first);
    float *means = room->tokens, *values = room->values, *mean = means;
    apply(&l->score, X, rows, room->weights, turn);
    weigh(room->weights, rows * H);
    memset(means, 0, n * H * width * sizeof(float));
    for (Py_ssize_t i = 0; i < n; row = (Py_ssize_t)(ends[i++] - first))
        for (Py_ssize_t h = 0; h < H; h++, mean += width) {
            double total = 0.0;
            for (Py_ssize_t j = row; j < ends[i] - first; j++) {
                float weight = room->weights[j * H + h];
                add_scaled(mean, weight, X + j * width, width);
                total += weight;
            }
            for (Py_ssize_t k = 0; k < width; k++) mean[k] = (float)(mean[k] / total);
        }
    apply(&l->value, means, n * H, values, turn);
    for (Py_ssize_t i = 0; i < n * H; i++)
        memmove(
            values + i * part, values + i * size + i % H * part, part * sizeof(float));
    apply(&l->state_mix, values, n, room->states, turn);
}

/* Add to mixed tokens what the other places of their words say. rows: Tokens of the
group, n of them; groups: their words, numbered through all documents. */
static void add_repeats(
    const Layers *l, const float *X, const int64_t *rows, const int64_t *groups,
    Py_ssize_t n, Room *room, int turn)
{
    Py_ssize_t width = l->width, H = l->n_heads, size = l->value_width, part = size / H;
    float *X_own = room->tokens, *weights = room->weights, *values = room->values;
    for (Py_ssize_t i = 0; i < n; i++)
        memcpy(X_own + i * width, X + rows[i] * width, width * sizeof(float));
    apply(&l->word_score, X_own, n, weights, turn);
    weigh(weights, n * H);
    apply(&l->word_value, X_own, n, values, turn);
    for (Py_ssize_t i = 0; i < n * H; i++) {
        float *value = values + i * part, weight = weights[i];
        Py_ssize_t group = groups[i / H] * H + i % H;
        for (Py_ssize_t j = 0; j < part; j++) value[j] *= weight;
        add_scaled(room->sums + group * part, 1.0f, value, part);
        room->totals[group] += weight;
    }
    for (Py_ssize_t i = 0; i < n * H; i++) {
        float *value = values + i * part;
        Py_ssize_t group = groups[i / H] * H + i % H;
        float total = room->totals[group] - weights[i];
        const float *sum = room->sums + group * part;
        for (Py_ssize_t j = 0; j < part; j++) value[j] = (sum[j] - value[j]) / total;
    }
    apply(&l->word_mix, values, n, X_own, turn);
    for (Py_ssize_t i = 0; i < n; i++)
        add_scaled(room->mixed + rows[i] * width, 1.0f, X_own + i * width, width);
}

/* A batch: ends of documents, and tokens whose words have other places, with these
words' numbers, all counted through the batch. */
typedef struct {
    const float *X;
    float *Y;
    int64_t *ends, *rows, *groups;
    Py_ssize_t n_documents, n_rows;
} Batch;

/* The first document behind a group that begins with one. */
static Py_ssize_t group_end(const Batch *b, Py_ssize_t start, int64_t first)
{
    Py_ssize_t i = start;
    while (i < b->n_documents && i < start + GROUP_DOCUMENTS)
        if (b->ends[i++] >= first + GROUP_TOKENS) break;
    return i;
}

static void run(const Layers *l, const Batch *b, Room *room)
{
    Py_ssize_t row = 0, width = l->width, next;
    int64_t first = 0;
    int turn = 0;
    for (Py_ssize_t i = 0; i < b->n_documents; i = next, turn = !turn) {
        next = group_end(b, i, first);
        int64_t end = b->ends[next - 1], own = first;
        Py_ssize_t n = (Py_ssize_t)(end - first), start = row;
        const float *X = b->X + first * width;
        while (row < b->n_rows && b->rows[row] < end) b->rows[row++] -= first;
        memset(room->states, 0, (next - i) * width * sizeof(float));
        if (l->score.panels) find_states(l, X, first, b->ends + i, next - i, room, turn);
        apply(&l->mix, X, n, room->mixed, turn);
        if (l->word_score.panels && row > start)
            add_repeats(
                l, X, b->rows + start, b->groups + start, row - start, room, turn);
        for (Py_ssize_t j = i; j < next; own = b->ends[j++]) {
            const float *mixed = room->mixed + (own - first) * width;
            const float *state = room->states + (j - i) * width;
            Py_ssize_t at = own * width, some = (Py_ssize_t)(b->ends[j] - own);
            finish(b->Y + at, b->X + at, mixed, state, some, width);
        }
        first = end;
    }
}

/* Room in one piece for documents of at most `most` tokens; NULL without memory. */
static float *find_room(const Layers *l, Py_ssize_t most, Py_ssize_t n_groups, Room *r)
{
    Py_ssize_t width = l->width, H = l->n_heads, n = l->value_width;
    Py_ssize_t tokens = most + GROUP_TOKENS, heads = GROUP_DOCUMENTS * H;
    Py_ssize_t rows = tokens > heads ? tokens : heads;
    Py_ssize_t sizes[] = {tokens * width, rows * width, tokens * H, rows * n,
                          GROUP_DOCUMENTS * width, n_groups * n, n_groups * H};
    float **parts[] = {&r->mixed, &r->tokens, &r->weights, &r->values, &r->states,
                       &r->sums, &r->totals};
    size_t total = 1;
    for (int i = 0; i < 7; i++) total += (size_t)sizes[i];
    float *room = PyMem_RawCalloc(total, sizeof(float)), *next = room;
    for (int i = 0; room && i < 7; next += sizes[i++]) *parts[i] = next;
    return room;
}

/* A layer out of two buffers; whether they are of these sizes, or both empty. */
static int is_linear(
    const Py_buffer *in, Py_ssize_t width, Py_ssize_t columns, Linear *layer)
{
    layer->width = width, layer->columns = columns;
    layer->panels = in[0].len ? in[0].buf : NULL;
    layer->bias = in[1].len ? in[1].buf : NULL;
    return (!in[0].len || in[0].len == 4 * PANELS(columns) * PANEL * width) &&
           (!in[1].len || in[1].len == 4 * columns);
}

/* Whether documents are not empty, and rows and groups are in bounds. */
static int is_batch(const Batch *b, Py_ssize_t n_tokens, Py_ssize_t *most, Py_ssize_t *n_groups)
{
    int64_t end = 0, before = -1;
    for (Py_ssize_t i = 0; i < b->n_documents; end = b->ends[i++]) {
        if (b->ends[i] <= end || b->ends[i] > n_tokens) return 0;
        if (b->ends[i] - end > *most) *most = (Py_ssize_t)(b->ends[i] - end);
    }
    for (Py_ssize_t i = 0; i < b->n_rows; before = b->rows[i++]) {
        if (b->rows[i] <= before || b->rows[i] >= n_tokens) return 0;
        if (b->groups[i] < 0 || b->groups[i] >= b->n_rows) return 0;
        if (b->groups[i] >= *n_groups) *n_groups = (Py_ssize_t)b->groups[i] + 1;
    }
    return end == n_tokens;
}

static int check_and_run(const Py_buffer *in)
{
    if (in->len != 3 * 8) return -1;
    const int64_t *own = (in++)->buf;
    Py_ssize_t width = own[0], n_heads = own[1], n = own[2];
    Layers l = {.width = width, .n_heads = n_heads, .value_width = n};
    Batch b = {in[0].buf, in[1].buf, in[2].buf, in[3].buf, in[4].buf,
               in[2].len / 8, in[3].len / 8};
    if (width < 1 || n_heads < 1 || n % n_heads || in[0].len != in[1].len ||
        in[0].len % (4 * width) || in[3].len != in[4].len)
        return -1;
    Py_ssize_t most = 0, n_groups = 0;
    if (!is_batch(&b, in[0].len / (4 * width), &most, &n_groups)) return -1;
    in += 5;
    if (!is_linear(in, width, width, &l.mix) || !l.mix.panels ||
        !is_linear(in + 2, width, n_heads, &l.word_score) ||
        !is_linear(in + 4, width, n, &l.word_value) ||
        !is_linear(in + 6, n, width, &l.word_mix) ||
        !is_linear(in + 8, width, n_heads, &l.score) ||
        !is_linear(in + 10, width, n, &l.value) ||
        !is_linear(in + 12, n, width, &l.state_mix))
        return -1;
    if (!l.word_score.panels != !l.word_value.panels ||
        !l.word_score.panels != !l.word_mix.panels ||
        !l.score.panels != !l.value.panels || !l.score.panels != !l.state_mix.panels)
        return -1;
    Room room;
    float *all = find_room(&l, most, n_groups, &room);
    if (!all) return -2;
    run(&l, &b, &room);
    PyMem_RawFree(all);
    return 0;
}

PyDoc_STRVAR(
    mix_in_doc,
    "mix_in(sizes, X, Y, ends, rows, groups, *layers)\n\n"
    "Fill Y, (n_tokens, width), which may be X. sizes: width, heads and width of values,\n"
    "int64. ends: Of documents, int64. rows: Tokens whose word has other places in its\n"
    "document, int64, which are overwritten; groups: Their words. layers: Panels of 16\n"
    "columns and bias of the mix of tokens; of scores, values and their mix for words\n"
    "and for documents, empty where these are not asked.");

static PyObject *mix_in(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    return with_buffers(
        args, n_args, "ifFiIiffffffffffffff", check_and_run,
        "sizes of tokens, words and layers do not agree");
}

static PyMethodDef methods[] = {
    {"mix_in", (PyCFunction)(void (*)(void))mix_in, METH_FASTCALL, mix_in_doc},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_context", "The context of documents, compiled.", 0, methods,
    NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__context(void) { return PyModuleDef_Init(&definition); }
