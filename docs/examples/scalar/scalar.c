/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest family: some multipliers that work through fully connected layers, one step of the
 * plan after the other; weights are streamed past them once a step. */
#include <stddef.h>

#include "arch/arch.h"
#include "arch/shares.h"
#include "arch/transfers.h"
#include "mapper/values/quant.h"
#include "sim/base/error.h"
#include "sim/kernel/sk.h"

struct scalar_cfg {
    const char *name, *family;
    double clock_mhz, weight_bytes_per_cyc, host_bytes_per_cyc;
    int64_t lanes;
    bool host_fallback;
    int search;
};

#define FIELD(path, type, member, min, max, def, unit, help, names)                                \
    {                                                                                              \
        path, type, offsetof(struct scalar_cfg, member), min, max, def, unit, help, names          \
    }
static const struct cfg_field scalar_fields[] = {
    FIELD("name", CFG_STRING, name, 0, 0, "", NULL, "what the machine is called", NULL),
    FIELD("family", CFG_STRING, family, 0, 0, NULL, NULL, "scalar", NULL),
    FIELD("clock_mhz", CFG_FLOAT, clock_mhz, 1, 1e5, NULL, "MHz", "clock", NULL),
    FIELD("lanes", CFG_INT, lanes, 1, 1 << 20, NULL, NULL, "multipliers", NULL),
    FIELD("weight_bytes_per_cyc", CFG_FLOAT, weight_bytes_per_cyc, 1e-3, 1e6, "8", "byte/cycle",
          "bandwidth of the weight memory", NULL),
    FIELD("host_bytes_per_cyc", CFG_FLOAT, host_bytes_per_cyc, 1e-3, 1e6, "8", "byte/cycle",
          "bandwidth of the link to the host", NULL),
    FIELD("host.fallback", CFG_BOOL, host_fallback, 0, 0, "true", NULL,
          "operators that the machine lacks run on the host", NULL),
    FIELD("mapper.search", CFG_ENUM, search, 0, 0, "search", NULL,
          "how much of the mapping space is looked at", machine_search_names),
    {.path = NULL},
};

enum { MEM_WEIGHTS, MEM_BUFFER, MEM_HOST, N_MEM };

extern const struct arch_family arch_scalar;

static const struct record_cause causes[] = {
    {"non_matrix", "the multipliers have nothing to do", false},
};

static void *scalar_create(const void *cfg, const char *file, struct machine *m,
                           struct arena *arena, GError **error)
{
    (void)file, (void)error;
    struct scalar_cfg *s = ARENA_NEW(arena, struct scalar_cfg);
    *s = *(const struct scalar_cfg *)cfg;
    m->clock_hz = s->clock_mhz * 1e6;
    m->memories = ARENA_ARRAY(arena, struct machine_memory, N_MEM);
    m->memories[MEM_WEIGHTS] = (struct machine_memory){.name = "weights",
                                                       .help = "parameters",
                                                       .parent = -1,
                                                       .size_bytes = 1ull << 40,
                                                       .bytes_per_cyc = s->weight_bytes_per_cyc,
                                                       .place = PLACE_OFF_CHIP};
    m->memories[MEM_BUFFER] = (struct machine_memory){
        .name = "buffer", .help = "activations", .parent = MEM_HOST, .size_bytes = 1 << 24};
    m->memories[MEM_HOST] = (struct machine_memory){.name = "host",
                                                    .help = "host memory",
                                                    .parent = -1,
                                                    .bytes_per_cyc = s->host_bytes_per_cyc,
                                                    .place = PLACE_HOST};
    m->n_memory = N_MEM;
    m->devices[0] = (struct machine_device){.name = "scalar",
                                            .roles = {[ROLE_ACTIVATIONS] = MEM_BUFFER,
                                                      [ROLE_WEIGHTS] = MEM_WEIGHTS,
                                                      [ROLE_INPUTS] = MEM_HOST,
                                                      [ROLE_SPILL] = MEM_HOST}};
    m->n_device = 1;
    m->precision = NUMBER_int8;
    m->peak_macs_per_cyc[NUMBER_int8] = (double)s->lanes;
    m->host_fallback = s->host_fallback;
    m->search = (enum machine_search)s->search;
    m->causes = causes;
    m->n_cause = 1;
    return s;
}

/* Fully connected layers, and rectifiers on their way out. */
static bool scalar_supports(const void *self, const struct graph *g, const int *nodes, int n,
                            const struct target_formats *formats, GString *why)
{
    (void)self, (void)formats;
    const struct traits *first = g->nodes[nodes[0]].traits;
    bool can = traits_has_weights(first) && !traits_convolves(first);
    for (int i = 1; i < n; i++)
        can &= traits_rectifies(g->nodes[nodes[i]].traits);
    if (!can)
        g_string_assign(why, "it has multipliers for fully connected layers alone");
    return can;
}

/* Cycles of a computation: its products, or its weights where they take longer. */
static double compute_cyc(const struct scalar_cfg *s, const struct plan_layer *l, int64_t rows)
{
    const double weights = (double)(l->gemm.n * l->gemm.k);
    return MAX((double)rows * weights / (double)s->lanes, weights / s->weight_bytes_per_cyc);
}

/* Weights are read once a chunk; a layer on the host has no chunks. */
static uint64_t weight_bytes(const struct plan *p, const struct plan_layer *l)
{
    return l->kind == LAYER_MATRIX ? (uint64_t)(plan_n_chunk(p, l) * l->gemm.n * l->gemm.k) : 0;
}

static double value_bytes(const struct plan *p, int value, int64_t n_image)
{
    return (double)(n_image * plan_image_bytes(p, value));
}

/* What a layer moves over the link to the host, as the mapper plans it. */
static struct record_bytes host_bytes(const struct plan *p, const struct plan_layer *l)
{
    struct record_bytes bytes = {0, 0};
    for (int j = 0; j < l->n_in; j++) {
        const struct home *h = &p->homes[l->in[j]];
        const uint64_t n = (uint64_t)value_bytes(p, l->in[j], plan_dims(p, l->in[j]).n);
        if (l->kind != LAYER_HOST && h->loaded && h->first_layer == l->index)
            bytes.read += n;
        else if (l->kind == LAYER_HOST && !h->loaded && !h->stored)
            bytes.write += n;
    }
    if (l->kind == LAYER_MATRIX && p->homes[l->out].stored)
        bytes.write += (uint64_t)value_bytes(p, l->out, plan_dims(p, l->out).n);
    return bytes;
}

/* What the search compares, and the analytic model adds up: products, or weights where they take
 * longer, and the link, which does nothing meanwhile. */
static struct cost scalar_cost(const void *self, const struct plan *p, const struct plan_layer *l,
                               bool follows)
{
    (void)follows;
    const struct scalar_cfg *s = self;
    const struct record_bytes host = host_bytes(p, l);
    struct cost c = {.cycles = (double)(host.read + host.write) / s->host_bytes_per_cyc,
                     .parameter_bytes = (double)weight_bytes(p, l)};
    for (int64_t i = 0; l->kind == LAYER_MATRIX && i < plan_n_chunk(p, l); i++)
        c.cycles += compute_cyc(s, l, plan_chunk(p, l, i).n_image);
    c.end_cyc = c.cycles;
    return c;
}

/* The steps themselves are the program; they must find every activation in the buffer. */
static bool scalar_lower(const void *self, struct plan *p, GError **error)
{
    (void)self;
    for (int v = 0; v < p->graph->n_value; v++)
        if (p->homes[v].used && !p->homes[v].resident)
            return error_set(error, ERROR_UNSUPPORTED, "%s: '%s' does not fit into the buffer",
                             p->graph->name, p->graph->values[v].name);
    p->program = p->steps;
    return true;
}

struct scalar_run {
    struct arena *arena;
    const struct scalar_cfg *cfg;
    const struct plan *plan;
    const char *prefix;
    int8_t *buffer; /* NULL in timing mode */
    struct transfers transfers;
    struct shares *shares;
    GError *error;
};

static void multiply(struct scalar_run *r, const struct plan_step *st)
{
    const struct plan_layer *l = &r->plan->layers[st->layer];
    const struct quant_layer *q = &r->transfers.values->quant->layers[st->layer];
    const int8_t *x = r->buffer + st->in_address[0], *w = q->weight;
    int8_t *y = r->buffer + st->address;
    const int8_t lo = plan_layer_cut(r->plan, l).at_zero ? 0 : -127;
    for (int64_t i = 0; i < st->region.n_image; i++)
        for (int64_t n = 0; n < l->gemm.n; n++) {
            int64_t sum = q->bias[n];
            for (int64_t k = 0; k < l->gemm.k; k++)
                sum += x[i * l->gemm.k + k] * w[n * l->gemm.k + k];
            y[i * l->gemm.n + n] = requant_clamp(requant_round(sum, q->requant[n]), lo);
        }
}

/* The values of one of the plan's steps. */
static bool execute(struct scalar_run *r, const struct plan_step *st, GError **error)
{
    int8_t *at = r->buffer + st->address;
    switch (st->kind) {
    case STEP_LOAD:
        transfers_in(&r->transfers, st, at);
        return true;
    case STEP_STORE:
        transfers_out(&r->transfers, st, at);
        transfers_keep(&r->transfers, st, (uint8_t *)r->buffer);
        return true;
    case STEP_COMPUTE:
        multiply(r, st);
        transfers_keep(&r->transfers, st, (uint8_t *)r->buffer);
        return true;
    case STEP_HOST:
        return transfers_on_host(&r->transfers, &r->plan->layers[st->layer], error);
    case STEP_WEIGHTS: /* of machines whose memory of activations holds them */
        break;
    }
    g_assert_not_reached();
}

static uint64_t step_cyc(const struct scalar_run *r, const struct plan_step *st)
{
    const struct plan_layer *l = &r->plan->layers[st->layer];
    double cycles = 0;
    if (st->kind == STEP_COMPUTE)
        cycles = compute_cyc(r->cfg, l, st->region.n_image);
    else if (st->kind != STEP_HOST)
        cycles = value_bytes(r->plan, st->value, st->region.n_image) / r->cfg->host_bytes_per_cyc;
    return (uint64_t)(cycles + 0.999999);
}

static void sequencer(void *arg)
{
    struct scalar_run *r = arg;
    for (int i = 0; i < r->plan->n_step; i++) {
        const struct plan_step *st = &r->plan->steps[i];
        const uint64_t start_cyc = sk_now();
        sk_wait_cycles(step_cyc(r, st));
        if (r->buffer && !execute(r, st, &r->error)) {
            sk_stop();
            return;
        }
        shares_note(r->shares, st->turn, start_cyc, sk_now(), st->kind == STEP_COMPUTE);
    }
}

static void *scalar_open(const void *self, const struct plan *p, const char *prefix, GError **error)
{
    (void)error;
    struct arena *arena = arena_new();
    struct scalar_run *r = ARENA_NEW(arena, struct scalar_run);
    *r = (struct scalar_run){.arena = arena, .cfg = self, .plan = p};
    r->prefix = arena_strdup(arena, prefix);
    return r;
}

/* Weights are streamed from where they are; the rest of the machine's memories are made once. */
static bool scalar_load(void *run, struct arch_values *values, GError **error)
{
    struct scalar_run *r = run;
    if (!r->buffer) {
        if (!transfers_init(&r->transfers, r->plan, error))
            return false;
        r->buffer =
            ARENA_ARRAY(r->arena, int8_t, r->plan->machine->memories[MEM_BUFFER].size_bytes);
    }
    r->transfers.values = values;
    return true;
}

static bool scalar_replay(void *run, int64_t step, GError **error)
{
    (void)step;
    struct scalar_run *r = run;
    transfers_begin(&r->transfers);
    for (int i = 0; i < r->plan->n_step; i++)
        if (!execute(r, &r->plan->steps[i], error))
            return false;
    return true;
}

static bool scalar_build(void *run, int64_t first_step, int64_t n_step, GError **error)
{
    (void)first_step, (void)n_step, (void)error;
    struct scalar_run *r = run;
    r->shares = shares_new(r->arena, r->plan->turn_layer, r->plan->n_turn);
    if (r->buffer)
        transfers_begin(&r->transfers);
    sk_spawn(arena_printf(r->arena, "%ssequencer", r->prefix), sequencer, r, NULL, 0);
    return true;
}

/* What follows from the cycles of each layer. */
static void finish(const struct scalar_cfg *s, const struct plan *p, struct record *r)
{
    uint64_t idle_cyc = 0;
    struct record_unit unit = {
        .name = "matrix_lanes", .causes = causes, .n_cause = 1, .stall_cyc = &idle_cyc};
    for (int i = 0; i < r->n_layer; i++) {
        struct record_layer *l = &r->layers[i];
        const bool is_matrix = p->layers[i].kind == LAYER_MATRIX;
        l->peak_macs_per_cycle = is_matrix ? (double)s->lanes : 0;
        l->bytes[MEM_WEIGHTS].read = weight_bytes(p, &p->layers[i]);
        l->bytes[MEM_HOST] = host_bytes(p, &p->layers[i]);
        const uint64_t busy = is_matrix ? MIN(l->cycles, l->macs / (uint64_t)s->lanes) : 0;
        l->stall_cyc[0] = l->cycles - busy;
        l->bound = 2 * busy > l->cycles ? BOUND_COMPUTE : BOUND_MEMORY;
        unit.busy_cyc += busy;
        idle_cyc += l->stall_cyc[0];
    }
    record_add_unit(r, &unit);
}

static bool scalar_collect(void *run, struct record *r, GError **error)
{
    struct scalar_run *from = run;
    if (from->error) {
        g_propagate_error(error, g_steal_pointer(&from->error));
        return false;
    }
    shares_collect(from->shares, r);
    finish(from->cfg, from->plan, r);
    return true;
}

static bool scalar_estimate(const void *self, const struct plan *p, struct record *r,
                            GError **error)
{
    (void)error;
    arch_sum_costs(&arch_scalar, self, p, r);
    finish(self, p, r);
    return true;
}

static void scalar_close(void *run)
{
    struct scalar_run *r = run;
    g_clear_error(&r->error);
    if (r->buffer)
        transfers_clear(&r->transfers);
    arena_free(r->arena);
}

static char *scalar_print(const void *self, const struct plan *p)
{
    static const char *const kinds[] = {"load", "store", "compute", "host"};
    (void)self;
    GString *out = g_string_new(NULL);
    for (int i = 0; i < p->n_step; i++)
        g_string_append_printf(out, "%4d  %-8s%s\n", i, kinds[p->steps[i].kind],
                               p->layers[p->steps[i].layer].name);
    return g_string_free(out, FALSE);
}

const struct arch_family arch_scalar = {
    .name = "scalar",
    .summary = "some multipliers and a stream of weights",
    .fields = scalar_fields,
    .cfg_size = sizeof(struct scalar_cfg),
    .analytic = ANALYTIC_ESTIMATE,
    .analytic_share = 0.01,
    .create = scalar_create,
    .supports = scalar_supports,
    .cost = scalar_cost,
    .estimate = scalar_estimate,
    .lower = scalar_lower,
    .open = scalar_open,
    .load = scalar_load,
    .replay = scalar_replay,
    .build = scalar_build,
    .collect = scalar_collect,
    .close = scalar_close,
    .print = scalar_print,
};
