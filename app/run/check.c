/* SPDX-License-Identifier: Apache-2.0 */
/* Every layer against two judges: its twin in the machine's numbers, bit for bit, and the fp32
 * reference, by its error. A layer passes when its bits are right: how far int8 is from fp32 is
 * told, not judged. Of a run of several steps the values of the last one count. */
#include <math.h>
#include <string.h>

#include "app/run/internal.h"
#include "mapper/values/twin.h"
#include "sim/base/error.h"
#include "workloads/ref/ref.h"

enum { SAMPLE_EVERY = 4 }; /* --check sample: one layer of so many has a twin computed */

/* Sums over a comparison. */
struct comparison {
    double max_abs, error2, reference2;
    int64_t n_image, n_same_top;
};

struct checker {
    struct accsim *a;
    int *layer_of; /* by value: the layer that makes it; -1: none */
    int judged;    /* value whose SNR is the network's */
    struct comparison network;
};

static bool compare_bits(int i_layer, int value, const void *data, size_t n_byte, void *user,
                         GError **error)
{
    (void)error;
    struct accsim *a = user;
    const struct plan_layer *l = &a->plan->layers[i_layer];
    struct record_check *c = &a->record->layers[i_layer].check;
    const void *machine =
        l->kind == LAYER_HOST ? a->io.host[value].data : (const void *)a->io.out[value];
    c->exact = (c->exact || !c->done) && !memcmp(machine, data, n_byte); /* all outputs */
    c->pass = c->exact;
    c->done = c->has_exact = true;
    progress(a, "checking bits", (double)(i_layer + 1) / a->plan->n_layer);
    return true;
}

/* The machine's value as fp32 NCHW; NULL where a copy cannot be had. */
static float *machine_value(const struct accsim *a, int i_layer, int value,
                            const struct tensor *like)
{
    struct tensor t = {like->type, like->shape, g_try_malloc(MAX(tensor_bytes(like), 1))};
    if (t.data)
        read_io(a, &a->io, i_layer, value, &t);
    return t.data;
}

static int64_t index_of_max(const float *x, int64_t n)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

static struct comparison compare(const float *machine, const struct tensor *t)
{
    const int64_t n = t->type == NUMBER_fp32 ? shape_count(&t->shape) : 0;
    struct comparison c = {.n_image = n > 0 && t->shape.n_dim > 0 ? t->shape.dim[0] : 0};
    const float *x = t->data;
    const int64_t per_image = c.n_image ? n / c.n_image : 0;
    for (int64_t i = 0; i < n; i++) {
        const double e = (double)machine[i] - x[i];
        c.max_abs = MAX(c.max_abs, fabs(e));
        c.error2 += e * e;
        c.reference2 += (double)x[i] * x[i];
    }
    for (int64_t i = 0; i < c.n_image; i++)
        c.n_same_top += index_of_max(machine + i * per_image, per_image) ==
                        index_of_max(x + i * per_image, per_image);
    return c;
}

/* Of several outputs the worst is told. */
static void put(struct record_check *check, const struct comparison *c)
{
    const double relative = c->reference2 > 0 ? sqrt(c->error2 / c->reference2) : 0;
    check->done = true;
    check->reference = "fp32 OpenBLAS";
    check->max_abs_error = MAX(check->max_abs_error, c->max_abs);
    check->relative_l2_error = MAX(check->relative_l2_error, relative);
}

static bool compare_fp32(const struct graph *g, int value, const struct tensor *t, void *user,
                         GError **error)
{
    struct checker *k = user;
    const int i = k->layer_of[value];
    progress(k->a, "checking values", (double)value / g->n_value);
    if (i < 0 || (!k->a->record->layers[i].check.done && value != k->judged))
        return true; /* without a twin there is nothing to judge a layer by */
    g_autofree float *machine = machine_value(k->a, i, value, t);
    if (!machine)
        return error_set(error, ERROR_LIMIT, "no memory to check layer '%s'",
                         k->a->plan->layers[i].name);
    const struct comparison c = compare(machine, t);
    struct record_check *check = &k->a->record->layers[i].check;
    if (check->done)
        put(check, &c);
    if (value == k->judged)
        k->network = c;
    return true;
}

/* The output of the network before any softmax. */
static int judged_value(const struct plan *p)
{
    const struct graph *g = p->graph;
    int value = g->outputs[0];
    while (g->values[value].kind == VALUE_NODE && g->nodes[g->values[value].node].n_in > 0 &&
           !strcmp(g->nodes[g->values[value].node].op->name, "softmax"))
        value = g->nodes[g->values[value].node].in[0];
    return p->roots ? p->roots[value] : value;
}

static void judge(struct checker *k)
{
    struct record *r = k->a->record;
    r->check.has_exact = r->check.exact = r->check.pass = true;
    for (int i = 0; i < r->n_layer; i++) {
        const struct record_check *c = &r->layers[i].check;
        r->check.pass &= !c->done || c->pass;
        r->check.exact &= !c->done || c->exact;
    }
    put(&r->check, &k->network);
    if (k->network.n_image == 0)
        return;
    r->has_snr = true;
    r->snr_db = 10 * log10(k->network.reference2 / k->network.error2);
    const struct shape *s = &k->a->graph->values[k->judged].shape;
    if (s->n_dim >= 2 && s->dim[1] > 1 && shape_count_from(s, 1) == s->dim[1])
        r->top1_agreement = (double)k->network.n_same_top / (double)k->network.n_image;
}

/* As many steps as the run had, the last one watched. */
static bool step_through(struct checker *k, struct executor *e, executor_visit_fn visit,
                         GError **error)
{
    const int64_t n = k->a->plan->n_run_step;
    bool ok = e->load(e->self, k->a->values, error);
    for (int64_t i = 0; ok && i < n; i++)
        ok = e->step(e->self, k->a->values, NULL, NULL, i == n - 1 ? visit : NULL, k, error);
    return ok;
}

/* Of an executor: the value as the graph has it, which what is stored becomes without a loss. */
static bool compare_twin(const struct graph *g, int value, const struct tensor *t, void *user,
                         GError **error)
{
    struct checker *k = user;
    const int i = k->layer_of[value];
    progress(k->a, "checking bits", (double)value / g->n_value);
    g_autofree void *machine = i < 0 ? NULL : machine_value(k->a, i, value, t);
    if (i < 0)
        return true;
    if (!machine)
        return error_set(error, ERROR_LIMIT, "no memory to check layer '%s'",
                         k->a->plan->layers[i].name);
    struct record_check *c = &k->a->record->layers[i].check;
    c->done = c->has_exact = true;
    c->exact = c->pass = !memcmp(machine, t->data, tensor_bytes(t));
    return true;
}

static bool check_with_twin(struct checker *k, GError **error)
{
    struct accsim *a = k->a;
    const struct arch_family *f = a->machine->family;
    struct executor *twin = f->twin ? f->twin(a->machine->self, a->plan, error)
                                    : ref_new(a->graph, a->options.threads, error);
    const bool ok = twin && step_through(k, twin, compare_twin, error);
    executor_free(twin);
    return ok;
}

static bool check_bits(struct checker *k, GError **error)
{
    struct accsim *a = k->a;
    g_autofree bool *skip = NULL;
    if (a->machine->family->twin || !a->plan->is_tiled)
        return check_with_twin(k, error);
    if (a->options.check == ACCSIM_CHECK_SAMPLE) {
        skip = g_new0(bool, a->plan->n_layer);
        for (int i = 0; i < a->plan->n_layer; i++)
            skip[i] = i % SAMPLE_EVERY != 0 && i != a->plan->n_layer - 1;
    }
    return twin_run(a->plan, a->quant, a->io.host, skip, a->io.out, compare_bits, a, error);
}

bool check_values(struct accsim *a, GError **error)
{
    const struct graph *g = a->graph;
    g_autofree int *layer_of = g_new(int, g->n_value);
    struct checker k = {.a = a, .layer_of = layer_of, .judged = judged_value(a->plan)};
    for (int v = 0; v < g->n_value; v++)
        k.layer_of[v] = -1;
    for (int i = 0; i < a->plan->n_layer; i++)
        for (int j = 0; j < a->plan->layers[i].n_out; j++)
            k.layer_of[a->plan->layers[i].outs[j]] = i;
    for (int i = 0; i < a->record->n_layer; i++)
        a->record->layers[i].check = (struct record_check){0};
    if (!check_bits(&k, error))
        return false;
    struct executor *ref = ref_new(g, a->options.threads, error);
    const bool ok = ref && step_through(&k, ref, compare_fp32, error);
    executor_free(ref);
    if (ok)
        judge(&k);
    return ok;
}
