/* SPDX-License-Identifier: Apache-2.0 */
/* A family with a plan of its own: neurons that integrate and fire, a tick a step. Layers are
 * worked off one after the other; a product takes time only for inputs that are not 0, the spikes,
 * so that cycles depend on values. Nothing is tiled, calibrated or quantised. */
#include <stddef.h>
#include <string.h>

#include "arch/arch.h"
#include "spikes_neurons.h"
#include "sim/base/error.h"
#include "sim/kernel/sk.h"
#include "workloads/ops/ops.h"

struct spikes_cfg {
    const char *name, *family;
    double clock_mhz, rate;
    int64_t lanes, ticks;
};

#define FIELD(path, type, member, min, max, def, unit, help)                                       \
    {                                                                                              \
        path, type, offsetof(struct spikes_cfg, member), min, max, def, unit, help, NULL           \
    }
static const struct cfg_field spikes_fields[] = {
    FIELD("name", CFG_STRING, name, 0, 0, "", NULL, "what the machine is called"),
    FIELD("family", CFG_STRING, family, 0, 0, NULL, NULL, "spikes"),
    FIELD("clock_mhz", CFG_FLOAT, clock_mhz, 1, 1e5, NULL, "MHz", "clock"),
    FIELD("lanes", CFG_INT, lanes, 1, 1 << 20, NULL, NULL, "neurons updated side by side"),
    FIELD("ticks", CFG_INT, ticks, 1, 1 << 20, "1", NULL, "steps of a presentation"),
    FIELD("rate", CFG_FLOAT, rate, 0, 1, "1", NULL, "share of inputs that spike, if not computed"),
    {.path = NULL},
};

enum { MEM_SYNAPSES, MEM_NEURONS, N_MEM };

static void *spikes_create(const void *cfg, const char *file, struct machine *m,
                           struct arena *arena, GError **error)
{
    (void)file, (void)error;
    struct spikes_cfg *s = ARENA_NEW(arena, struct spikes_cfg);
    *s = *(const struct spikes_cfg *)cfg;
    m->clock_hz = s->clock_mhz * 1e6;
    m->memories = ARENA_ARRAY(arena, struct machine_memory, N_MEM);
    m->memories[MEM_SYNAPSES] =
        (struct machine_memory){.name = "synapses",
                                .help = "weights",
                                .parent = -1,
                                .size_bytes = 1ull << 40,
                                .bytes_per_cyc = (double)s->lanes * sizeof(float)};
    m->memories[MEM_NEURONS] = (struct machine_memory){
        .name = "neurons", .help = "values and states", .parent = -1, .size_bytes = 1ull << 40};
    m->n_memory = N_MEM;
    m->devices[0] = (struct machine_device){.name = "spikes",
                                            .roles = {[ROLE_ACTIVATIONS] = MEM_NEURONS,
                                                      [ROLE_WEIGHTS] = MEM_SYNAPSES,
                                                      [ROLE_INPUTS] = MEM_NEURONS,
                                                      [ROLE_SPILL] = MEM_NEURONS}};
    m->n_device = 1;
    m->precision = NUMBER_fp32;
    m->peak_macs_per_cyc[NUMBER_fp32] = (double)s->lanes;
    return s;
}

static bool spikes_supports(const void *self, const struct graph *g, const int *nodes, int n_node,
                            const struct target_formats *formats, GString *why)
{
    static const char *const ops[] = {"fc", "add", "sub", "mul", "sign", "relu", NULL};
    (void)self, (void)formats;
    const struct node *n = &g->nodes[nodes[0]];
    g_string_assign(why, "neurons add, subtract, multiply, compare with 0 and sum up inputs");
    return n_node == 1 && (!n->op->forward || g_strv_contains(ops, n->op->name)) && n->n_out == 1 &&
           g->values[n->out[0]].type == NUMBER_fp32;
}

/* A layer is a node; the layers are the program. */
static struct plan *spikes_plan(const void *self, const struct graph *g, const struct target *t,
                                GError **error)
{
    g_autoptr(GString) why = g_string_new(NULL);
    const struct target_formats formats = {NUMBER_fp32, NUMBER_fp32};
    for (int i = 0; i < g->n_node; i++) {
        if (spikes_supports(self, g, &i, 1, &formats, why))
            continue;
        error_set(error, ERROR_UNSUPPORTED, "%s: layer '%s' does not run on %s: %s",
                  g->nodes[i].origin, g->nodes[i].name, t->machine->name, why->str);
        return NULL;
    }
    struct plan *p = plan_begin(g, t->machine);
    plan_add_layers(p);
    p->times_by_value = true;
    p->n_run_step = ((const struct spikes_cfg *)self)->ticks;
    return p;
}

struct spikes_layer {
    uint64_t macs, cycles, start_cyc, end_cyc;
};

struct spikes_run {
    struct spikes_neurons neurons;
    const struct spikes_cfg *cfg;
    const struct plan *plan;
    char *name;
    struct arch_values *values;
    int64_t n_step; /* of events */
    struct spikes_layer *layers;
    GError *error;
};

static void spikes_close(void *run)
{
    struct spikes_run *r = run;
    values_free(r->neurons.v);
    g_clear_error(&r->error);
    g_free(r->layers);
    g_free(r->name);
    g_free(r);
}

static void *spikes_open(const void *self, const struct plan *p, const char *prefix, GError **error)
{
    struct spikes_run *r = g_new0(struct spikes_run, 1);
    *r = (struct spikes_run){.neurons = {.sum = spikes_sum}, .cfg = self, .plan = p};
    r->name = g_strdup_printf("%ssequencer", prefix);
    r->layers = g_new0(struct spikes_layer, p->n_layer);
    if (spikes_neurons_init(&r->neurons, p->graph, error))
        return r;
    spikes_close(r);
    return NULL;
}

static bool spikes_load(void *run, struct arch_values *values, GError **error)
{
    struct spikes_run *r = run;
    r->values = values;
    return spikes_neurons_take(&r->neurons, values->host, false, error);
}

static bool spikes_save(void *run, struct arch_values *values, GError **error)
{
    (void)error;
    spikes_neurons_save(&((struct spikes_run *)run)->neurons, values->host);
    return true;
}

/* What so many spikes take: each a row of synapses, to as many neurons at once as there are lanes.
 * An operator without products takes one pass over its neurons, a view none. */
static void count(const struct spikes_cfg *s, const struct graph *g, const struct node *n,
                  uint64_t n_spike, struct spikes_layer *to)
{
    const bool is_fc = n->op == &op_fc;
    const uint64_t neurons = (uint64_t)(is_fc ? g->values[n->in[1]].shape.dim[0]
                                              : shape_count(&g->values[n->out[0]].shape));
    const uint64_t passes = is_fc ? n_spike : n->op->forward != NULL;
    to->macs += is_fc ? n_spike * neurons : 0;
    to->cycles += passes * ((neurons + (uint64_t)s->lanes - 1) / (uint64_t)s->lanes);
}

/* A layer of a tick has its values; where there is a clock, its time passes. */
static bool layer_done(const struct graph *g, int value, const struct tensor *t, void *user,
                       GError **error)
{
    (void)error;
    struct spikes_run *r = user;
    const struct node *n = &g->nodes[g->values[value].node];
    const struct tensor *x = &r->neurons.v->at[n->in[0]];
    struct spikes_layer *l = &r->layers[n->index];
    const uint64_t before = l->cycles;
    uint64_t n_spike = 0;
    if (r->values->host[value].data)
        memcpy(r->values->host[value].data, t->data, tensor_bytes(t));
    if (r->n_step == 0)
        return true;
    for (int64_t k = 0; k < shape_count(&x->shape); k++)
        n_spike += ((const float *)x->data)[k] != 0;
    count(r->cfg, g, n, n_spike, l);
    l->start_cyc = l->end_cyc > 0 ? l->start_cyc : sk_now();
    sk_wait_cycles(l->cycles - before);
    l->end_cyc = sk_now();
    return true;
}

static bool spikes_replay(void *run, int64_t step, GError **error)
{
    (void)step;
    struct spikes_run *r = run;
    return spikes_neurons_tick(&r->neurons, r->values->host, layer_done, r, error);
}

static void sequencer(void *arg)
{
    struct spikes_run *r = arg;
    for (int64_t i = 0; i < r->n_step && !r->error; i++)
        spikes_replay(r, i, &r->error);
}

static bool spikes_build(void *run, int64_t first_step, int64_t n_step, GError **error)
{
    (void)first_step, (void)error;
    struct spikes_run *r = run;
    r->n_step = n_step;
    sk_spawn(r->name, sequencer, r, NULL, 0);
    return true;
}

static void tell(const struct spikes_layer *from, const struct spikes_cfg *s, struct record *r)
{
    for (int i = 0; i < r->n_layer; i++) {
        struct record_layer *l = &r->layers[i];
        l->peak_macs_per_cycle = from[i].macs > 0 ? (double)s->lanes : 0;
        l->macs = from[i].macs;
        l->cycles = from[i].cycles;
        l->start_cycle = from[i].start_cyc;
        l->end_cycle = from[i].end_cyc;
        l->bytes[MEM_SYNAPSES].read = from[i].macs * sizeof(float);
        l->bound = BOUND_COMPUTE;
        r->total_cyc += l->cycles;
    }
}

static bool spikes_collect(void *run, struct record *r, GError **error)
{
    struct spikes_run *from = run;
    if (from->error) {
        g_propagate_error(error, g_steal_pointer(&from->error));
        return false;
    }
    tell(from->layers, from->cfg, r);
    return true;
}

static bool spikes_estimate(const void *self, const struct plan *p, struct record *r,
                            GError **error)
{
    (void)error;
    const struct spikes_cfg *s = self;
    g_autofree struct spikes_layer *layers = g_new0(struct spikes_layer, p->n_layer);
    for (int i = 0; i < p->n_layer; i++) {
        const struct node *n = &p->graph->nodes[i];
        const double x = s->rate * (double)shape_count(&p->graph->values[n->in[0]].shape);
        for (int64_t k = 0; k < s->ticks; k++)
            count(s, p->graph, n, (uint64_t)(x + 0.5), &layers[i]);
    }
    tell(layers, s, r);
    return true;
}

static struct executor *spikes_twin(const void *self, const struct plan *p, GError **error)
{
    (void)self;
    return spikes_twin_new(p->graph, error);
}

const struct arch_family arch_spikes = {
    .name = "spikes",
    .summary = "neurons that integrate and fire, a tick a step",
    .fields = spikes_fields,
    .cfg_size = sizeof(struct spikes_cfg),
    .analytic = ANALYTIC_BOUND, /* where no more inputs spike than `rate` says */
    .create = spikes_create,
    .plan = spikes_plan,
    .supports = spikes_supports,
    .estimate = spikes_estimate,
    .open = spikes_open,
    .load = spikes_load,
    .save = spikes_save,
    .replay = spikes_replay,
    .build = spikes_build,
    .collect = spikes_collect,
    .close = spikes_close,
    .twin = spikes_twin,
};
