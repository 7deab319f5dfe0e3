/* SPDX-License-Identifier: Apache-2.0 */
/* Random small networks as .net text: every operator, branches, several readers and outputs. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define RANDOM_NET_MAX_VALUE 16

struct random_value {
    char name[16];
    int64_t c, h, w; /* h 0: a row of c features */
    int n_reader;
};

struct random_net {
    GRand *rand;
    GString *text;
    struct random_value values[RANDOM_NET_MAX_VALUE];
    int n_value;
    bool is_mixed;   /* layers state int8 or int16 */
    bool broadcasts; /* operands have other shapes than results */
};

static inline int64_t pick(GRand *rand, int64_t lo, int64_t hi) /* both inclusive */
{
    return g_rand_int_range(rand, (gint32)lo, (gint32)hi + 1);
}

/* Of a window along one dimension. */
struct random_window {
    int64_t kernel, stride, before, after, dilation, n_out;
};

static inline struct random_window random_window(GRand *rand, int64_t size, bool is_pool, bool ceil)
{
    struct random_window w;
    int64_t slack;
    do {
        w = (struct random_window){.kernel = pick(rand, 1, 5),
                                   .stride = pick(rand, 1, 3),
                                   .before = pick(rand, 0, 2),
                                   .after = pick(rand, 0, 2),
                                   .dilation = is_pool ? 1 : pick(rand, 1, 2)};
        if (is_pool) {
            w.before = MIN(w.before, w.kernel - 1);
            w.after = MIN(w.after, w.kernel - 1);
        }
        slack = size + w.before + w.after - ((w.kernel - 1) * w.dilation + 1);
    } while (slack < 0);
    w.n_out = (ceil ? (slack + w.stride - 1) / w.stride : slack / w.stride) + 1;
    if (ceil && (w.n_out - 1) * w.stride >= size + w.before)
        w.n_out--;
    return w;
}

static inline struct random_value *random_add(struct random_net *n, const char *op,
                                              const struct random_value *in)
{
    struct random_value *v = &n->values[n->n_value];
    *v = (struct random_value){.c = in->c, .h = in->h, .w = in->w};
    g_snprintf(v->name, sizeof(v->name), "n%d", n->n_value++);
    g_string_append_printf(n->text, "  { name = \"%s\"; op = \"%s\"; inputs = [\"%s\"", v->name, op,
                           in->name);
    return v;
}

static inline void random_window_text(struct random_net *n, const struct random_window *y,
                                      const struct random_window *x)
{
    g_string_append_printf(n->text,
                           " kernel = [%d, %d]; stride = [%d, %d]; pad = [%d, %d, %d, %d];",
                           (int)y->kernel, (int)x->kernel, (int)y->stride, (int)x->stride,
                           (int)y->before, (int)x->before, (int)y->after, (int)x->after);
}

static inline void random_conv(struct random_net *n, struct random_value *in)
{
    const struct random_window y = random_window(n->rand, in->h, false, false);
    const struct random_window x = random_window(n->rand, in->w, false, false);
    int64_t groups = pick(n->rand, 1, 4);
    while (in->c % groups)
        groups--;
    struct random_value *v = random_add(n, "conv2d", in);
    *v = (struct random_value){
        .c = groups * pick(n->rand, 1, 24 / groups), .h = y.n_out, .w = x.n_out};
    g_snprintf(v->name, sizeof(v->name), "n%d", n->n_value - 1);
    g_string_append_printf(
        n->text, "]; channels = %d; groups = %d; dilation = [%d, %d]; bias = %s;", (int)v->c,
        (int)groups, (int)y.dilation, (int)x.dilation, pick(n->rand, 0, 3) ? "true" : "false");
    random_window_text(n, &y, &x);
}

static inline void random_pool(struct random_net *n, struct random_value *in)
{
    const bool is_max = pick(n->rand, 0, 2), ceil = pick(n->rand, 0, 1);
    const struct random_window y = random_window(n->rand, in->h, true, ceil);
    const struct random_window x = random_window(n->rand, in->w, true, ceil);
    struct random_value *v = random_add(n, is_max ? "maxpool" : "avgpool", in);
    v->h = y.n_out;
    v->w = x.n_out;
    g_string_append_printf(n->text, "]; ceil = %s;", ceil ? "true" : "false");
    if (!is_max)
        g_string_append_printf(n->text, " count_pad = %s;", pick(n->rand, 0, 1) ? "true" : "false");
    random_window_text(n, &y, &x);
}

/* Joins `in` with values of the same height and width (concat) or shape (add), itself included. */
static inline void random_join(struct random_net *n, struct random_value *in)
{
    const bool is_add = pick(n->rand, 0, 1);
    struct random_value *v = random_add(n, is_add ? "add" : "concat", in);
    int n_in = 1;
    const int most = is_add ? 2 : (int)pick(n->rand, 1, 4);
    for (int i = n->n_value - 2; i >= 0 && n_in < most; i--) {
        struct random_value *o = &n->values[i];
        if (o->h != in->h || o->w != in->w || (is_add && (o->c != in->c || o == in)))
            continue;
        g_string_append_printf(n->text, ", \"%s\"", o->name);
        o->n_reader++;
        v->c += is_add ? 0 : o->c;
        n_in++;
    }
    if (is_add && n_in == 1)
        g_string_append_printf(n->text, ", \"%s\"", in->name);
    g_string_append(n->text, "];");
}

static inline void random_row(struct random_net *n, struct random_value *in, bool is_fc)
{
    struct random_value *v = random_add(n, is_fc ? "fc" : "flatten", in);
    v->c = is_fc ? pick(n->rand, 1, 60) : in->c * MAX(in->h, 1) * MAX(in->w, 1);
    v->h = v->w = 0;
    g_string_append(n->text, "];");
    if (is_fc)
        g_string_append_printf(n->text, " features = %d;", (int)v->c);
}

static inline void random_same(struct random_net *n, struct random_value *in)
{
    static const char *const ops[] = {"relu", "relu", "relu", "lrn", "lrn", "dropout", "softmax"};
    const char *op = ops[pick(n->rand, 0, G_N_ELEMENTS(ops) - 1)];
    random_add(n, op, in);
    g_string_append(n->text, "];");
    if (g_str_equal(op, "lrn"))
        g_string_append_printf(n->text, " size = %d; alpha = %g; beta = 0.75; k = %g;",
                               (int)pick(n->rand, 1, 6), (double)pick(n->rand, 0, 20) / 10,
                               (double)pick(n->rand, 1, 3));
}

/* A value that numpy's rules broadcast to the shape of `in`: by place, row or channel, the latter a
 * constant or an image's own. Its name, to be freed. */
static inline char *random_operand(struct random_net *n, struct random_value *in)
{
    const bool is_image = in->h > 0;
    const int64_t kind = pick(n->rand, 0, is_image ? 3 : 1);
    if (kind == 0) {
        struct random_value *v = random_add(n, is_image ? "conv2d" : "fc", in);
        v->c = 1;
        g_string_append_printf(n->text, "]; %s = 1; },\n",
                               is_image ? "kernel = 1; channels" : "features");
    } else if (is_image && kind == 1) {
        struct random_value *v = random_add(n, "global_maxpool", in);
        v->h = v->w = 1;
        g_string_append(n->text, "]; },\n");
    } else {
        static const char range[] = "op = \"range\"; start = 0.5; type = \"fp32\"";
        const int count = (int)(kind == 2 ? in->w : in->c), i = n->n_value;
        g_string_append_printf(n->text, "  { name = \"v%d\"; %s; limit = %d.5; },\n", i, range,
                               count);
        g_string_append_printf(n->text,
                               "  { name = \"k%d\"; op = \"reshape\"; shape = [%d%s]; },\n", i,
                               count, kind == 3 ? ", 1, 1" : "");
        return g_strdup_printf("k%d", i);
    }
    n->values[n->n_value - 1].n_reader++;
    return g_strdup(n->values[n->n_value - 1].name);
}

static inline void random_broadcast(struct random_net *n, struct random_value *in)
{
    static const char *const ops[] = {"add", "mul", "sub", "max"};
    g_autofree char *operand = random_operand(n, in);
    struct random_value other = *in;
    const bool turned = pick(n->rand, 0, 1);
    if (turned)
        g_strlcpy(other.name, operand, sizeof(other.name));
    random_add(n, ops[pick(n->rand, 0, 3)], &other);
    g_string_append_printf(n->text, ", \"%s\"];", turned ? in->name : operand);
}

static inline void random_formats(struct random_net *n)
{
    static const char *const formats[] = {"machine", "int8", "int16"};
    if (n->is_mixed)
        g_string_append_printf(n->text, " precision = \"%s\"; weight_precision = \"%s\";",
                               formats[pick(n->rand, 0, 2)], formats[pick(n->rand, 0, 2)]);
    g_string_append(n->text, " },\n");
}

static inline void random_layer(struct random_net *n)
{
    /* The newest value mostly: chains are what fuses, older ones branch. */
    const int newest = n->n_value - 1;
    struct random_value *in = &n->values[pick(n->rand, 0, 2) ? newest : pick(n->rand, 0, newest)];
    const int64_t kind = pick(n->rand, 0, 11);
    in->n_reader++;
    if (n->broadcasts && kind % 2 && n->n_value + 2 <= RANDOM_NET_MAX_VALUE)
        random_broadcast(n, in);
    else if (in->h > 0 && kind < 4)
        random_conv(n, in);
    else if (in->h > 0 && kind < 6)
        random_pool(n, in);
    else if (kind < 8)
        random_join(n, in);
    else if (kind < 9)
        random_row(n, in, pick(n->rand, 0, 2));
    else
        random_same(n, in);
    random_formats(n);
}

/* The same seed gives the same text; the caller frees it. is_mixed: for machines of integers. */
static inline char *random_net_text(GRand *rand, int n_layer, bool is_mixed, bool broadcasts)
{
    struct random_net n = {.rand = rand,
                           .text = g_string_new("inputs = (\n"),
                           .is_mixed = is_mixed,
                           .broadcasts = broadcasts};
    const int n_input = (int)pick(rand, 1, 2);
    const int64_t h = pick(rand, 1, 14), w = pick(rand, 1, 14);
    for (int i = 0; i < n_input; i++) {
        struct random_value *v = &n.values[n.n_value++];
        *v = (struct random_value){.c = pick(rand, 1, 12), .h = h, .w = w};
        g_snprintf(v->name, sizeof(v->name), "x%d", i);
        g_string_append_printf(n.text, "  { name = \"%s\"; shape = [%d, %d, %d]; }%s\n", v->name,
                               (int)v->c, (int)h, (int)w, i + 1 < n_input ? "," : "");
    }
    g_string_append(n.text, ");\nlayers = (\n");
    /* The first layer computes something on every machine. */
    n.values[0].n_reader++;
    random_conv(&n, &n.values[0]);
    random_formats(&n);
    while (n.n_value < MIN(n_input + n_layer, RANDOM_NET_MAX_VALUE))
        random_layer(&n);
    g_string_truncate(n.text, n.text->len - 2);
    g_string_append(n.text, "\n);\n");
    return g_string_free(n.text, FALSE);
}

/* Rows of features: steps of a sequence. */
struct random_sequence {
    GRand *rand;
    GString *text;
    int64_t steps, width;
    int n_layer;
};

/* A layer that reads the one before; returns its number. */
static inline int sequence_add(struct random_sequence *q, const char *op, const char *attributes)
{
    g_string_append_printf(q->text, "  { name = \"s%d\"; op = \"%s\"; %s },\n", q->n_layer, op,
                           attributes);
    return q->n_layer++;
}

static inline int sequence_fc(struct random_sequence *q, int from, int64_t width)
{
    g_autofree char *a =
        g_strdup_printf("inputs = \"s%d\"; features = %d; axis = -1;", from, (int)width);
    return sequence_add(q, "fc", a);
}

static inline void sequence_recurrent(struct random_sequence *q)
{
    static const char *const ops[] = {"lstm", "gru", "rnn"};
    static const char *const directions[] = {"forward", "reverse", "bidirectional"};
    const int64_t direction = pick(q->rand, 0, 2), hidden = pick(q->rand, 1, 24);
    g_autofree char *a =
        g_strdup_printf("hidden = %d; layout = 1; direction = \"%s\"; bias = %s;", (int)hidden,
                        directions[direction], pick(q->rand, 0, 3) ? "true" : "false");
    sequence_add(q, ops[pick(q->rand, 0, 2)], a);
    q->width = direction == 2 ? 2 * hidden : hidden;
    g_autofree char *rows = g_strdup_printf("shape = [0, 0, %d];", (int)q->width);
    sequence_add(q, "reshape", rows);
}

static inline void sequence_attention(struct random_sequence *q)
{
    const int64_t heads = pick(q->rand, 1, 4), depth = heads * pick(q->rand, 1, 9);
    const int64_t width = heads * pick(q->rand, 1, 9);
    const int from = q->n_layer - 1;
    const int query = sequence_fc(q, from, depth), key = sequence_fc(q, from, depth);
    const int value = sequence_fc(q, from, width);
    g_autofree char *a =
        g_strdup_printf("inputs = [\"s%d\", \"s%d\", \"s%d\"]; heads = %d; causal = %s;", query,
                        key, value, (int)heads, pick(q->rand, 0, 1) ? "true" : "false");
    sequence_add(q, "attention", a);
    q->width = width;
}

static inline void sequence_parts(struct random_sequence *q)
{
    const int64_t first = pick(q->rand, 1, MAX(q->width - 1, 1));
    const int n = q->n_layer;
    if (q->width < 2)
        return;
    g_autofree char *split =
        g_strdup_printf("axis = -1; split = [%d, %d]; outputs = [\"s%da\", \"s%db\"];", (int)first,
                        (int)(q->width - first), n, n);
    sequence_add(q, "split", split);
    g_autofree char *join = g_strdup_printf("inputs = [\"s%db\", \"s%da\"]; axis = -1;", n, n);
    sequence_add(q, "concat", join);
}

static inline void sequence_move(struct random_sequence *q)
{
    const int64_t kind = pick(q->rand, 0, 3), last = q->n_layer - 1, steps = q->steps;
    g_autofree char *cut =
        g_strdup_printf("axes = [1]; starts = [%d]; ends = [%d];", (int)(steps / 3), (int)steps);
    g_autofree char *twice =
        g_strdup_printf("inputs = [\"s%d\", \"s%d\"]; axis = 1;", (int)last, (int)last);
    if (kind == 0) {
        sequence_add(q, "slice", cut);
        q->steps -= steps / 3;
    } else if (kind == 1) {
        sequence_add(q, "reverse", "axes = [1];");
    } else if (kind == 2) {
        sequence_add(q, "transpose", "perm = [0, 2, 1];");
        q->steps = q->width;
        q->width = steps;
    } else if (steps < 8) {
        sequence_add(q, "concat", twice);
        q->steps *= 2;
    }
}

static inline void sequence_same(struct random_sequence *q)
{
    static const char *const ops[] = {"sigmoid", "tanh", "gelu", "layer_norm", "mul", "add"};
    const int64_t kind = pick(q->rand, 0, 5);
    g_autofree char *twice =
        g_strdup_printf("inputs = [\"s%d\", \"s%d\"];", q->n_layer - 1, q->n_layer - 1);
    sequence_add(q, ops[kind], kind < 4 ? "" : twice);
}

/* Rows of a table, and products of them. */
static inline void sequence_look_up(struct random_sequence *q)
{
    const int64_t rows = pick(q->rand, 1, 50), padding = pick(q->rand, -1, rows - 1);
    g_string_append_printf(
        q->text,
        "inputs = ( { name = \"x\"; shape = [%d]; type = \"int%d\"; below = %d; } );\nlayers = (\n",
        (int)q->steps, pick(q->rand, 0, 1) ? 64 : 32, (int)rows);
    g_autofree char *table = g_strdup_printf("rows = %d; width = %d; padding_idx = %d;", (int)rows,
                                             (int)q->width, (int)padding);
    sequence_add(q, "embedding", table);
}

static inline void sequence_begin(struct random_sequence *q)
{
    g_string_append_printf(q->text,
                           "inputs = ( { name = \"x\"; shape = [%d, %d]; } );\nlayers = (\n",
                           (int)q->steps, (int)pick(q->rand, 1, 30));
    g_autofree char *first = g_strdup_printf("features = %d; axis = -1;", (int)q->width);
    sequence_add(q, "fc", first);
}

/* As random_net_text(), of recurrent layers, attention and moves between products, or (looks_up)
 * behind rows of a table. */
static inline char *random_sequence_text(GRand *rand, int n_layer, bool looks_up)
{
    void (*const kinds[])(struct random_sequence * q) = {
        sequence_recurrent, sequence_attention, sequence_parts, sequence_move, sequence_same};
    struct random_sequence q = {.rand = rand,
                                .text = g_string_new(NULL),
                                .steps = pick(rand, 1, 7),
                                .width = pick(rand, 1, 30)};
    (looks_up ? sequence_look_up : sequence_begin)(&q);
    for (int i = 0; i < n_layer; i++)
        kinds[pick(rand, 0, 4)](&q);
    sequence_fc(&q, q.n_layer - 1, pick(rand, 1, 40));
    g_string_truncate(q.text, q.text->len - 2);
    g_string_append(q.text, "\n);\n");
    return g_string_free(q.text, FALSE);
}
