/* Recursions of a linear-chain CRF over BILUO tags, each for one sequence.

Tags are numbered O = 0 and, for label l, B = 1 + 4l, I = 2 + 4l, L = 3 + 4l, U = 4 + 4l.
States are kept in another order, by places: closing..., U..., O, opening..., inner...
Going forward closing is L and opening B, going backward the reverse. After a closed
place (the first 2n + 1 of n labels) come U, O or an opening one of any label: a table of
(2n + 1) squared steps. After an open place come only inner and closing of its own label:
four steps a label. All of these groups are slices.

The same source is C for the CPU, where one thread does it all, and CUDA, where a block
does a sequence, its threads share the places and everything is in global memory.
Nothing is allocated here. */

#ifdef __CUDACC__
#define CORE static __device__
#define WHOLE CORE
#define FOR(k, n) for (int k = threadIdx.x; k < (n); k += blockDim.x)
#define SYNC() __syncthreads()
#define ONE_THREAD (threadIdx.x == 0)
#else
#include <math.h>
#define CORE static
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) && __GNUC__ >= 8
/* with what it calls, once for processors with wider vectors; the result is the same */
#define WHOLE __attribute__((flatten, target_clones("avx2", "default"))) static
#else
#define WHOLE CORE
#endif
#define FOR(k, n) for (int k = 0; k < (n); k++)
#define SYNC()
#define ONE_THREAD 1
#endif
#ifdef _MSC_VER
#define RESTRICT __restrict
#else
#define RESTRICT __restrict__
#endif

#define FORBIDDEN (-1e30)   /* as in chain.py */
#define LARGEST_GAP 150.0   /* nats; as in chain.py */
#define PREFERENCE 1e-8     /* nats; as in recursions.py */

#define N_TAGS(n) (4 * (n) + 1)
#define N_CLOSED(n) (2 * (n) + 1)
/* doubles of a table, and of the work space beside tables and states */
#define TABLE_SIZE(n) (N_CLOSED(n) * N_CLOSED(n) + 4 * (n) + 3 * N_TAGS(n))
#define WORK_SIZE(n) (3 * N_TAGS(n) + N_CLOSED(n))

/* Scores of n_rows tags or steps, float64 if wide, else float32. */
typedef struct {
    const void *values;
    int wide;
} Scores;

typedef struct {
    Scores transitions, start, end;
} Params;

/* What a recursion in one direction knows of a chain, by places.
step: from closed places (rows) to U, O, opening. inside: to closing from opening, to
closing from inner, to inner from opening, to inner from inner, for each label.
first, last: of the first token that it meets, and of the last. preference: What a place
is preferred by, so that of equal paths that of lower tags is best. */
typedef struct {
    int n, backward;
    double *step, *inside, *first, *last, *preference;
} Table;

CORE double score(Scores X, long long i)
{
    return X.wide ? ((const double *)X.values)[i] : ((const float *)X.values)[i];
}

CORE int tag_at(int place, int n, int backward)
{
    if (place < n) return 4 * place + (backward ? 1 : 3);
    if (place < 2 * n) return 4 * (place - n) + 4;
    if (place == 2 * n) return 0;
    if (place <= 3 * n) return 4 * (place - 2 * n - 1) + (backward ? 3 : 1);
    return 4 * (place - 3 * n - 1) + 2;
}

CORE Table table_in(double *memory, int n, int backward)
{
    Table table = {n, backward, memory, 0, 0, 0, 0};
    table.inside = table.step + N_CLOSED(n) * N_CLOSED(n);
    table.first = table.inside + 4 * n;
    table.last = table.first + N_TAGS(n);
    table.preference = table.last + N_TAGS(n);
    return table;
}

CORE double step_score(Table table, Params params, int from, int to)
{
    int a = tag_at(from, table.n, table.backward);
    int b = tag_at(to, table.n, table.backward);
    long long row = table.backward ? b : a, column = table.backward ? a : b;
    return score(params.transitions, row * N_TAGS(table.n) + column);
}

/* Fill a table with scores divided by a temperature; for sums, `step` with their exp. */
CORE void fill_table(Table table, Params params, double temperature, int sums)
{
    int n = table.n, m = N_CLOSED(n);
    Scores first = table.backward ? params.end : params.start;
    Scores last = table.backward ? params.start : params.end;
    for (int i = 0; i < m; i++) FOR(j, m) {
        double s = step_score(table, params, i, n + j) / temperature;
        table.step[i * m + j] = sums ? exp(s) : s;
    }
    FOR(c, 4 * n) {
        int label = c % n, inner = 3 * n + 1 + label;
        int from = c / n % 2 ? inner : 2 * n + 1 + label;
        int to = c / (2 * n) ? inner : label;
        table.inside[c] = step_score(table, params, from, to) / temperature;
    }
    FOR(k, N_TAGS(n)) {
        int tag = tag_at(k, n, table.backward);
        int goes_on = k < n || k > 3 * n, is_open = k > 2 * n;
        table.first[k] = goes_on ? FORBIDDEN : score(first, tag) / temperature;
        table.last[k] = is_open ? FORBIDDEN : score(last, tag) / temperature;
        table.preference[k] = PREFERENCE * (1.0 - (double)tag_at(k, n, 0) / N_TAGS(n));
    }
    SYNC();
}

CORE double largest(const double *X, int n)
{
    double top = X[0];
    for (int i = 1; i < n; i++) top = X[i] > top ? X[i] : top;
    return top;
}

CORE double log_add(double a, double b)
{
    double top = a > b ? a : b, below = a > b ? b - a : a - b;
    return below > -50.0 ? top + log1p(exp(below)) : top;
}

/* The log-sum of all that leads to each place, without its emission, from the state at
the token before; mass: room for the exp of the closed ones. */
CORE void sum_steps(
    Table table, const double *RESTRICT state, double *RESTRICT message,
    double *RESTRICT mass)
{
    int n = table.n, m = N_CLOSED(n);
    const double *opening = state + m, *inner = opening + n;
    const double *RESTRICT step = table.step, *inside = table.inside;
    double top = largest(state, m), *RESTRICT after = message + n;
    FOR(i, m) mass[i] = state[i] - top > -745.0 ? exp(state[i] - top) : 0.0;
    FOR(j, m) after[j] = 0.0;
    SYNC();
    for (int i = 0; i < m; i++) {
        double weight = mass[i];
        if (weight > 0.0) FOR(j, m) after[j] += weight * step[i * m + j];
    }
    FOR(j, m) after[j] = (after[j] > 0.0 ? log(after[j]) : FORBIDDEN) + top;
    FOR(l, n) {
        message[l] = log_add(opening[l] + inside[l], inner[l] + inside[n + l]);
        message[m + n + l] =
            log_add(opening[l] + inside[2 * n + l], inner[l] + inside[3 * n + l]);
    }
    SYNC();
}

/* As `sum_steps`, the best instead of the sum, by a table of scores. */
CORE void best_steps(
    Table table, const double *RESTRICT state, double *RESTRICT message)
{
    int n = table.n, m = N_CLOSED(n);
    const double *opening = state + m, *inner = opening + n;
    const double *RESTRICT step = table.step, *inside = table.inside;
    double *RESTRICT after = message + n;
    FOR(j, m) after[j] = state[0] + step[j];
    for (int i = 1; i < m; i++) {
        double before = state[i];
        FOR(j, m) {
            double s = before + step[i * m + j];
            after[j] = s > after[j] ? s : after[j];
        }
    }
    FOR(l, n) {
        double a = opening[l] + inside[l], b = inner[l] + inside[n + l];
        double c = opening[l] + inside[2 * n + l], d = inner[l] + inside[3 * n + l];
        message[l] = a > b ? a : b;
        message[m + n + l] = c > d ? c : d;
    }
    SYNC();
}

CORE double log_sum(const double *state, const double *last, int n_tags)
{
    double top = state[0] + last[0], sum = 0.0;
    for (int k = 1; k < n_tags; k++)
        top = state[k] + last[k] > top ? state[k] + last[k] : top;
    for (int k = 0; k < n_tags; k++) sum += exp(state[k] + last[k] - top);
    return top + log(sum);
}

/* The log-score of all prefixes that end in a tag or, backward, of all suffixes that
start in it, own emission included, (n_tokens, n_tags) like the emissions; and the
log-sum of all paths, if that is asked for. */
WHOLE void lattice(
    Table table, const double *emissions, long long n_tokens, double *out,
    double *log_z, double *work)
{
    int n_tags = N_TAGS(table.n);
    double *state = work, *message = state + n_tags, *mass = message + n_tags;
    for (long long s = 0; s < n_tokens; s++) {
        long long row = (table.backward ? n_tokens - 1 - s : s) * n_tags;
        if (s) sum_steps(table, state, message, mass);
        const double *reached = s ? message : table.first;
        FOR(k, n_tags) {
            int tag = tag_at(k, table.n, table.backward);
            out[row + tag] = state[k] = reached[k] + emissions[row + tag];
        }
        SYNC();
    }
    if (log_z && ONE_THREAD)
        *log_z = n_tokens ? log_sum(state, table.last, n_tags) : 0.0;
    SYNC();
}

CORE double bounded(double s, double temperature)
{
    s = (s > -LARGEST_GAP ? s : -LARGEST_GAP) / temperature;
    return s > -LARGEST_GAP ? s : -LARGEST_GAP;
}

/* A token's emissions by places, from its best one: bounded, divided, bounded again. */
CORE void bounded_row(
    Table table, Scores emissions, long long token, double temperature, double *out)
{
    int n = table.n, n_tags = N_TAGS(n), closing = table.backward ? 1 : 3;
    long long row = token * n_tags;
    double top = score(emissions, row);
    for (int k = 1; k < n_tags; k++) {
        double s = score(emissions, row + k);
        top = s > top ? s : top;
    }
    if (ONE_THREAD) out[2 * n] = bounded(score(emissions, row) - top, temperature);
    FOR(l, n) {
        long long own = row + 4 * l; /* the tag before its B */
        double *place = out + l;
        place[0] = bounded(score(emissions, own + closing) - top, temperature);
        place[n] = bounded(score(emissions, own + 4) - top, temperature);
        place[2 * n + 1] = bounded(score(emissions, own + 4 - closing) - top, temperature);
        place[3 * n + 1] = bounded(score(emissions, own + 2) - top, temperature);
    }
    SYNC();
}

/* The best place before another one, by the state there. */
CORE int place_before(Table table, const double *state, int place)
{
    int n = table.n, m = N_CLOSED(n), best = 0;
    if (place < n || place > 3 * n) {
        int label = place < n ? place : place - 3 * n - 1;
        const double *inside = table.inside + (place < n ? 0 : 2 * n) + label;
        int opening = m + label, inner = m + n + label;
        double a = state[opening] + (inside[0] + table.preference[opening]);
        double b = state[inner] + (inside[n] + table.preference[inner]);
        return a >= b ? opening : inner;
    }
    double top = FORBIDDEN * 1e3;
    for (int i = 0; i < m; i++) {
        double s = state[i] + (table.step[i * m + place - n] + table.preference[i]);
        if (s > top) top = s, best = i;
    }
    return best;
}

/* The best path (Viterbi). The way there keeps the best scores alone, in `states`,
(n_tokens, n_tags), from the best of the token before; where they came from is found on
the way back. table: forward, of scores, at a temperature of 1. */
WHOLE void best_path(
    Table table, Scores emissions, long long n_tokens, double *states, long long *tags,
    double *work)
{
    int n_tags = N_TAGS(table.n), place = 0;
    double *row = work, *message = row + n_tags, *state = states, top = FORBIDDEN * 1e3;
    for (long long t = 0; t < n_tokens; t++) {
        double before = t ? largest(state, n_tags) : 0.0;
        bounded_row(table, emissions, t, 1.0, row);
        if (t) best_steps(table, state, message);
        const double *reached = t ? message : table.first;
        state = states + t * n_tags;
        FOR(k, n_tags) state[k] = row[k] + (reached[k] - before);
        SYNC();
    }
    for (int k = 0; n_tokens && k < n_tags; k++) {
        double s = state[k] + (table.last[k] + table.preference[k]);
        if (s > top) top = s, place = k;
    }
    for (long long t = n_tokens - 1; t >= 0; t--) {
        if (ONE_THREAD) tags[t] = tag_at(place, table.n, 0);
        if (t) place = place_before(table, states + (t - 1) * n_tags, place);
    }
    SYNC();
}

/* Go on with the entity at a token, whose sum up to it is `run`; at its last token the
score, so far that of what comes after it, becomes its probability. */
CORE double follow_entity(
    Table forward, const double *state, const double *row, const long long *tags,
    long long t, double run, double log_z, double log_odds_offset, double *scores)
{
    int n = forward.n, m = N_CLOSED(n);
    int label = (int)(tags[t] - 1) / 4, kind = (int)(tags[t] - 1) % 4; /* B I L U */
    if (kind == 0) return state[m + label];
    if (kind == 3) run = state[n + label];
    if (kind == 1 || kind == 2) {
        int from_inner = tags[t - 1] != tags[t] - kind;
        run += forward.inside[(kind == 1 ? 2 * n : 0) + (from_inner ? n : 0) + label];
        run += row[kind == 1 ? m + n + label : label];
    }
    if (kind >= 2) {
        double p = exp(run + scores[t] - log_z);
        p = p < 1.0 ? p : 1.0;
        scores[t] = p / (p + (1.0 - p) * exp(-log_odds_offset));
    }
    return run;
}

/* The probability of each entity of a path, at its last token: all paths that run
through it. forward, backward: tables for sums. */
WHOLE void entity_scores(
    Table forward, Table backward, Scores emissions, long long n_tokens,
    double temperature, double log_odds_offset, const long long *tags, double *scores,
    double *work)
{
    int n = forward.n, n_tags = N_TAGS(n);
    double *row = work, *state = row + n_tags, *message = state + n_tags;
    double *mass = message + n_tags, run = 0.0;
    long long n_needed = n_tokens;
    while (n_needed && !tags[n_needed - 1]) n_needed--;
    if (!n_needed) return;
    for (long long t = n_tokens - 1; t >= 0; t--) {
        const double *reached = t < n_tokens - 1 ? message : backward.first;
        bounded_row(backward, emissions, t, temperature, row);
        if (t < n_tokens - 1) sum_steps(backward, state, message, mass);
        if (ONE_THREAD && tags[t] && (tags[t] - 1) % 4 >= 2) { /* L or U */
            int label = (int)(tags[t] - 1) / 4, unit = tags[t] % 4 == 0;
            scores[t] = reached[unit ? n + label : N_CLOSED(n) + label];
        }
        FOR(k, n_tags) state[k] = row[k] + reached[k];
        SYNC();
    }
    double log_z = log_sum(state, backward.last, n_tags);
    SYNC();
    for (long long t = 0; t < n_needed; t++) {
        const double *reached = t ? message : forward.first;
        bounded_row(forward, emissions, t, temperature, row);
        if (t) sum_steps(forward, state, message, mass);
        FOR(k, n_tags) state[k] = row[k] + reached[k];
        SYNC();
        if (ONE_THREAD && tags[t])
            run = follow_entity(
                forward, state, row, tags, t, run, log_z, log_odds_offset, scores);
        SYNC();
    }
}

#ifdef __CUDACC__
#ifdef __cplusplus
#define KERNEL extern "C" __global__ void
#else
#define KERNEL __global__ void
#endif

/* Three blocks fill the tables of the best path, of sums forward and backward. */
KERNEL crf_tables(
    const void *transitions, const void *start, const void *end, int wide, int n,
    double temperature, double *tables)
{
    Params params = {{transitions, wide}, {start, wide}, {end, wide}};
    int sums = blockIdx.x > 0;
    Table table = table_in(tables + blockIdx.x * TABLE_SIZE(n), n, blockIdx.x == 2);
    fill_table(table, params, sums ? temperature : 1.0, sums);
}

/* Two blocks a sequence: forward and backward. ends: the end of each sequence. */
KERNEL crf_lattice(
    double *tables, int n, const double *emissions, const long long *ends, double *alpha,
    double *gamma, double *log_z, double *work)
{
    int backward = blockIdx.x % 2, sequence = blockIdx.x / 2;
    long long begin = sequence ? ends[sequence - 1] : 0;
    lattice(
        table_in(tables + (1 + backward) * TABLE_SIZE(n), n, backward),
        emissions + begin * N_TAGS(n), ends[sequence] - begin,
        (backward ? gamma : alpha) + begin * N_TAGS(n), backward ? log_z + sequence : 0,
        work + blockIdx.x * WORK_SIZE(n));
}

/* A block a sequence. */
KERNEL crf_decode(
    double *tables, int n, const void *emissions, int wide, const long long *ends,
    double temperature, double log_odds_offset, double *states, long long *tags,
    double *scores, double *work)
{
    long long begin = blockIdx.x ? ends[blockIdx.x - 1] : 0;
    long long n_tokens = ends[blockIdx.x] - begin;
    Scores own = {(const char *)emissions + begin * N_TAGS(n) * (wide ? 8 : 4), wide};
    work += blockIdx.x * WORK_SIZE(n);
    best_path(
        table_in(tables, n, 0), own, n_tokens, states + begin * N_TAGS(n), tags + begin,
        work);
    entity_scores(
        table_in(tables + TABLE_SIZE(n), n, 0), table_in(tables + 2 * TABLE_SIZE(n), n, 1),
        own, n_tokens, temperature, log_odds_offset, tags + begin, scores + begin, work);
}
#endif
