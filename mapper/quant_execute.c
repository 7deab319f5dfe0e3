/* SPDX-License-Identifier: Apache-2.0 */
/* The integer twin: each layer over whole tensors in the plainest order, to compare a machine's
 * values with. Nothing here is shared with a machine's own arithmetic but the parameters. */
#include <string.h>

#include "mapper/host.h"
#include "mapper/plan.h"
#include "mapper/quant.h"
#include "sim/base/clones.h"
#include "sim/base/error.h"
#include "workloads/ops/ops.h"

struct twin {
    const struct plan *plan;
    const struct quant *quant;
    void **at;           /* by value: NHWC as stored */
    struct tensor *host; /* by value: fp32; what was given, and what layers on the host make */
};

VECTOR_CLONES static int32_t dot(const int8_t *a, const int8_t *b, int64_t n)
{
    int32_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (int16_t)a[i] * (int16_t)b[i];
    return sum;
}

/* round half up(x * mult / 2^shift), in two halves. */
static int64_t scaled(int64_t x, struct requant r)
{
    return (((x * r.mult) >> (r.shift - 1)) + 1) >> 1;
}

static int8_t clamped(int64_t y, int64_t lo)
{
    return (int8_t)CLAMP(y, lo, 127);
}

/* The inputs of one output pixel of one group, in the order of the weights. */
static void patch(const struct conv2d_attr *a, const struct dims *in, const int8_t *image,
                  int64_t group, int64_t oy, int64_t ox, int8_t *out)
{
    const int64_t channels = in->c / a->groups;
    for (int64_t r = 0; r < a->kernel.v[0]; r++) {
        for (int64_t s = 0; s < a->kernel.v[1]; s++, out += channels) {
            const int64_t y = oy * a->stride.v[0] + r * a->dilation.v[0] - a->pad.v[0];
            const int64_t x = ox * a->stride.v[1] + s * a->dilation.v[1] - a->pad.v[1];
            if (y < 0 || y >= in->h || x < 0 || x >= in->w)
                memset(out, 0, (size_t)channels);
            else
                memcpy(out, image + (y * in->w + x) * in->c + group * channels, (size_t)channels);
        }
    }
}

static void conv(const struct twin *t, const struct plan_layer *l, const struct node *n,
                 int8_t *out, int64_t lo)
{
    const struct conv2d_attr *a = n->attr;
    const struct quant_layer *q = &t->quant->layers[l->index];
    const struct dims in = dims_of(&t->plan->graph->values[l->in[0]].shape);
    const struct dims o = dims_of(&t->plan->graph->values[n->out[0]].shape);
    int8_t *window = g_malloc((gsize)l->gemm.k);
    for (int64_t i = 0; i < o.n * o.h * o.w; i++) {
        const int8_t *image = (int8_t *)t->at[l->in[0]] + i / (o.h * o.w) * dims_image(&in);
        for (int64_t g = 0; g < a->groups; g++) {
            patch(a, &in, image, g, i / o.w % o.h, i % o.w, window);
            for (int64_t c = g * l->gemm.n; c < (g + 1) * l->gemm.n; c++) {
                const int64_t sum =
                    (int64_t)dot(window, q->weight + c * l->gemm.k, l->gemm.k) + q->bias[c];
                out[i * o.c + c] = clamped(scaled(sum, q->requant[c]), lo);
            }
        }
    }
    g_free(window);
}

static void fc(const struct twin *t, const struct plan_layer *l, int8_t *out, int64_t lo)
{
    const struct quant_layer *q = &t->quant->layers[l->index];
    for (int64_t c = 0; c < l->gemm.n; c++) {
        for (int64_t i = 0; i < l->gemm.m; i++) {
            const int64_t sum = (int64_t)dot((int8_t *)t->at[l->in[0]] + i * l->gemm.k,
                                             q->weight + c * l->gemm.k, l->gemm.k) +
                                q->bias[c];
            out[i * l->gemm.n + c] = clamped(scaled(sum, q->requant[c]), lo);
        }
    }
}

static void lrn(const struct twin *t, const struct plan_layer *l, const struct node *n, int8_t *out)
{
    const struct lrn_attr *a = n->attr;
    const struct quant_layer *q = &t->quant->layers[l->index];
    const struct dims d = dims_of(&t->plan->graph->values[l->in[0]].shape);
    const int64_t low = (a->size - 1) / 2, high = a->size - 1 - low;
    for (int64_t i = 0; i < d.n * d.h * d.w; i++) {
        const int8_t *x = (int8_t *)t->at[l->in[0]] + i * d.c;
        for (int64_t c = 0; c < d.c; c++) {
            int64_t sum = 0;
            for (int64_t j = MAX(c - low, 0); j <= MIN(c + high, d.c - 1); j++)
                sum += x[j] * x[j];
            const struct requant one = {.mult = 1, .shift = QUANT_LRN_BITS};
            out[i * d.c + c] = clamped(scaled(x[c] * quant_lrn_factor(q, sum), one), -127);
        }
    }
}

/* Maxima, or means where q is given, over the windows of x. */
static void pool(const struct pool_attr *a, const struct dims *in, const struct dims *o,
                 const int8_t *x, const struct quant_layer *q, int8_t *out)
{
    for (int64_t i = 0; i < o->n * o->h * o->w; i++) {
        const int64_t y = i / o->w % o->h * a->stride.v[0] - a->pad.v[0];
        const int64_t left = i % o->w * a->stride.v[1] - a->pad.v[1];
        const int8_t *image = x + i / (o->h * o->w) * dims_image(in);
        for (int64_t c = 0; c < o->c; c++) {
            int64_t sum = 0, count = 0, max = -128;
            for (int64_t r = 0; r < a->kernel.v[0] * a->kernel.v[1]; r++) {
                const int64_t iy = y + r / a->kernel.v[1], ix = left + r % a->kernel.v[1];
                if (iy < 0 || iy >= in->h || ix < 0 || ix >= in->w)
                    continue;
                const int8_t v = image[(iy * in->w + ix) * in->c + c];
                sum += v;
                count++;
                max = MAX(max, v);
            }
            if (a->count_pad)
                count = MIN(a->kernel.v[0], in->h + a->pad.v[2] - y) *
                        MIN(a->kernel.v[1], in->w + a->pad.v[3] - left);
            out[i * o->c + c] = q ? clamped(scaled(sum, q->requant[count - 1]), -127) : (int8_t)max;
        }
    }
}

static void add(const struct twin *t, const struct plan_layer *l, int8_t *out, int64_t n,
                int64_t lo)
{
    const struct requant *r = t->quant->layers[l->index].requant;
    const int8_t *a = t->at[l->in[0]], *b = t->at[l->in[1]];
    for (int64_t i = 0; i < n; i++) {
        const struct requant one = {.mult = 1, .shift = r[0].shift};
        out[i] = clamped(scaled((int64_t)a[i] * r[0].mult + (int64_t)b[i] * r[1].mult, one), lo);
    }
}

static void concat(const struct twin *t, const struct plan_layer *l, int8_t *out)
{
    const struct dims o = dims_of(&t->plan->graph->values[l->out].shape);
    int64_t first = 0;
    for (int j = 0; j < l->n_in; j++) {
        const int64_t c_in = dims_of(&t->plan->graph->values[l->in[j]].shape).c;
        const struct requant r = t->quant->layers[l->index].requant[j];
        for (int64_t i = 0; i < o.n * o.h * o.w; i++)
            for (int64_t c = 0; c < c_in; c++)
                out[i * o.c + first + c] = clamped(scaled(((int8_t *)t->at[l->in[j]])[i * c_in + c], r), -127);
        first += c_in;
    }
}

/* One node over its whole input; lo is 0 where a ReLU follows. */
struct job {
    const struct twin *t;
    const struct plan_layer *l;
    const struct node *n;
    struct dims in, out;
    int64_t lo;
};

static void run_conv(const struct job *j, int8_t *out)
{
    conv(j->t, j->l, j->n, out, j->lo);
}

static void run_fc(const struct job *j, int8_t *out)
{
    fc(j->t, j->l, out, j->lo);
}

static void run_lrn(const struct job *j, int8_t *out)
{
    lrn(j->t, j->l, j->n, out);
}

static void run_maxpool(const struct job *j, int8_t *out)
{
    pool(j->n->attr, &j->in, &j->out, j->t->at[j->l->in[0]], NULL, out);
}

static void run_avgpool(const struct job *j, int8_t *out)
{
    pool(j->n->attr, &j->in, &j->out, j->t->at[j->l->in[0]], &j->t->quant->layers[j->l->index],
         out);
}

static void run_add(const struct job *j, int8_t *out)
{
    add(j->t, j->l, out, j->out.n * dims_image(&j->out), j->lo);
}

static void run_concat(const struct job *j, int8_t *out)
{
    concat(j->t, j->l, out);
}

static void run_relu(const struct job *j, int8_t *out)
{
    const struct requant r = j->t->quant->layers[j->l->index].requant[0];
    for (int64_t i = 0; i < j->out.n * dims_image(&j->out); i++)
        out[i] = clamped(scaled(((int8_t *)j->t->at[j->l->in[0]])[i], r), 0);
}

static const struct {
    const char *op;
    void (*run)(const struct job *j, int8_t *out);
} runs[] = {
    {"conv2d", run_conv},     {"fc", run_fc},   {"lrn", run_lrn},       {"maxpool", run_maxpool},
    {"avgpool", run_avgpool}, {"add", run_add}, {"concat", run_concat}, {"relu", run_relu},
};

static void first_node(const struct twin *t, const struct plan_layer *l, int8_t *out)
{
    const struct plan *p = t->plan;
    const struct node *n = &p->graph->nodes[l->nodes[0]];
    const struct job job = {.t = t,
                            .l = l,
                            .n = n,
                            .in = dims_of(&p->graph->values[l->in[0]].shape),
                            .out = dims_of(&p->graph->values[n->out[0]].shape),
                            .lo = plan_layer_node(p, l, "relu") ? 0 : -127};
    size_t i = 0;
    while (strcmp(runs[i].op, n->op->name))
        g_assert(++i < G_N_ELEMENTS(runs));
    runs[i].run(&job, out);
}

static bool layer(struct twin *t, const struct plan_layer *l, GError **error)
{
    const struct plan *p = t->plan;
    const struct node *first = &p->graph->nodes[l->nodes[0]];
    const struct node *last = plan_layer_pool(p, l);
    const struct dims d = dims_of(&p->graph->values[first->out[0]].shape);
    const struct dims o = dims_of(&p->graph->values[l->out].shape);
    int8_t *out = g_try_malloc((gsize)(d.n * dims_image(&d)));
    if (!out)
        return error_set(error, ERROR_LIMIT, "no memory to check layer '%s'", l->name);
    first_node(t, l, out);
    if (last) {
        int8_t *pooled = g_malloc((gsize)(o.n * dims_image(&o)));
        pool(last->attr, &d, &o, out, NULL, pooled);
        g_free(out);
        out = pooled;
    }
    t->at[l->out] = out;
    return true;
}

static void *new_value(const struct twin *t, int value, GError **error)
{
    const struct dims d = dims_of(&t->plan->graph->values[value].shape);
    void *q = g_try_malloc((gsize)(d.n * plan_image_bytes(t->plan, value)));
    if (!q)
        error_set(error, ERROR_LIMIT, "no memory to check '%s'",
                  t->plan->graph->values[value].name);
    return q;
}

static bool host_layer(struct twin *t, const struct plan_layer *l, GError **error)
{
    const struct graph *g = t->plan->graph;
    const struct node *n = &g->nodes[l->nodes[0]];
    for (int i = 0; i < n->n_out; i++) {
        const struct value *v = n->out[i] < 0 ? NULL : &g->values[n->out[i]];
        if (v && !tensor_alloc(&t->host[v->index], v->type, &v->shape, error))
            return false;
    }
    return host_compute(t->plan, t->quant, l, t->host, t->at, error);
}

/* What a layer on the machine reads of the host's is quantised there. */
static bool take_inputs(struct twin *t, const struct plan_layer *l, GError **error)
{
    for (int j = 0; j < l->n_in; j++) {
        const int v = l->in[j];
        if (t->at[v])
            continue;
        if (!(t->at[v] = new_value(t, v, error)))
            return false;
        quant_to_nhwc(t->at[v], &t->host[v], quant_storage(t->plan, t->quant, v));
    }
    return true;
}

static bool machine_layer(struct twin *t, const struct plan_layer *l, const void *instead,
                          GError **error)
{
    const struct dims o = dims_of(&t->plan->graph->values[l->out].shape);
    if (!instead)
        return take_inputs(t, l, error) && layer(t, l, error);
    if (!(t->at[l->out] = new_value(t, l->out, error)))
        return false;
    memcpy(t->at[l->out], instead, (size_t)(o.n * plan_image_bytes(t->plan, l->out)));
    return true;
}

/* A value is held until its last reader; layers on the host may read later than the machine does.
 */
static void forget(struct twin *t, int i_layer)
{
    const struct plan *p = t->plan;
    for (int v = 0; v < p->graph->n_value; v++)
        if (t->at[v] && p->homes[v].last_layer <= i_layer)
            g_clear_pointer(&t->at[v], g_free);
}

static bool execute_layer(struct twin *t, int i, const bool *skip, void *const *machine,
                          quant_visit_fn visit, void *user, GError **error)
{
    const struct plan_layer *l = &t->plan->layers[i];
    const bool skipped = skip && skip[i];
    const int64_t n = shape_count(&t->plan->graph->values[l->out].shape) *
                      plan_element_bytes(t->plan, l->out);
    if (l->kind == LAYER_HOST)
        return host_layer(t, l, error) &&
               visit(i, t->host[l->out].data, tensor_bytes(&t->host[l->out]), user, error);
    return machine_layer(t, l, skipped ? machine[i] : NULL, error) &&
           (skipped || visit(i, t->at[l->out], (size_t)n, user, error));
}

bool quant_execute(const struct plan *p, const struct quant *q, const struct tensor *host,
                   const bool *skip, void *const *machine, quant_visit_fn visit, void *user,
                   GError **error)
{
    struct twin t = {p, q, g_new0(void *, p->graph->n_value),
                     g_new0(struct tensor, p->graph->n_value)};
    bool ok = true;
    for (int v = 0; v < p->graph->n_value; v++)
        if (p->graph->values[v].kind != VALUE_NODE)
            t.host[v] = host[v];
    for (int i = 0; i < p->n_layer && ok; i++) {
        ok = execute_layer(&t, i, skip, machine, visit, user, error);
        forget(&t, i);
    }
    for (int v = 0; v < p->graph->n_value; v++) {
        g_free(t.at[v]);
        if (p->graph->values[v].kind == VALUE_NODE)
            tensor_clear(&t.host[v]);
    }
    g_free(t.at);
    g_free(t.host);
    return ok;
}
