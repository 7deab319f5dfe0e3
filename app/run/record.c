/* SPDX-License-Identifier: Apache-2.0 */
/* The record before the run: the machine, the network, the layers. */
#include "app/run/internal.h"
#include "sim/base/error.h"
#include "sim/base/size.h"

static const char *const mode_names[] = {"functional", "timing"};
static const char *const fidelity_names[] = {"event", "analytic"};

const char *accsim_version(void)
{
    return ACCSIM_VERSION;
}

/* Address space for the record itself and what a family adds to it: units, scalars, tables. */
enum { ADDED_BYTES = 64 << 20 };

static bool record_bytes(const struct record *r, size_t *bytes)
{
    return record_layers_bytes(r, r->n_layer, bytes) && size_add(bytes, *bytes, ADDED_BYTES);
}

static void describe_machine(const struct accsim *a, struct record *r)
{
    const struct machine *m = &a->machine->machine;
    r->arch_name = m->name;
    r->arch_family = m->family;
    r->arch_file = m->file;
    r->precision = number_names[m->precision];
    r->clock_hz = m->clock_hz;
    r->peak_macs_per_cycle = m->peak_macs_per_cyc[m->precision];
    r->known_error = m->known_error;
    r->settings = a->machine->settings;
    r->n_setting = a->machine->n_setting;
    r->n_cause = m->n_cause;
    r->causes = m->causes;
    r->n_memory = m->n_memory;
    r->n_component = m->n_component;
    r->components = m->components;
    r->area_mm2 = m->area_mm2;
    r->n_area = m->n_area;
    r->areas = m->areas;
    r->n_layer = a->plan->n_layer;
    r->n_mapping = a->plan->n_tried;
    r->map_seconds = a->plan->map_seconds;
}

static void describe_memories(const struct accsim *a, struct record *r)
{
    const struct machine *m = &a->machine->machine;
    struct stat_desc *memories = ARENA_ARRAY(r->arena, struct stat_desc, (size_t)m->n_memory);
    double *bytes_per_cyc = ARENA_ARRAY(r->arena, double, (size_t)m->n_memory);
    enum record_place *places = ARENA_ARRAY(r->arena, enum record_place, (size_t)m->n_memory);
    for (int i = 0; i < m->n_memory; i++) {
        memories[i] = (struct stat_desc){m->memories[i].name, "byte", m->memories[i].help};
        bytes_per_cyc[i] = m->moves_free ? 0 : m->memories[i].bytes_per_cyc;
        places[i] = m->memories[i].place;
    }
    r->memories = memories;
    r->memory_bytes_per_cyc = bytes_per_cyc;
    r->memory_place = places;
}

/* What the run asks to be other than in the files. */
static void describe_overrides(const struct accsim *a, struct record *r)
{
    while (a->options.set && a->options.set[r->n_override])
        r->n_override++;
    const char **overrides = ARENA_ARRAY(r->arena, const char *, (size_t)r->n_override);
    for (int i = 0; i < r->n_override; i++)
        overrides[i] = arena_strdup(r->arena, a->options.set[i]);
    r->overrides = overrides;
    r->mapping_file = arena_strdup(r->arena, a->options.mapping);
}

static void describe_layers(const struct accsim *a, struct record *r)
{
    for (int i = 0; i < r->n_layer; i++) {
        struct record_layer *to = &r->layers[i];
        const struct plan_layer *l = &a->plan->layers[i];
        to->index = i;
        to->name = l->name;
        to->op = l->op;
        to->shape = l->shape;
        to->macs = l->macs;
        to->streamed_bytes = plan_streamed_bytes(l);
        to->on_host = l->kind == LAYER_HOST;
        if (l->kind != LAYER_HOST && l->kind != LAYER_OWN)
            to->format = number_names[l->format];
        if (l->kind == LAYER_MATRIX)
            to->weight_format = number_names[l->weight_format];
    }
}

/* The CPU reference has no machine: its layers are the nodes, without cycles. */
static void describe_reference(const struct accsim *a, struct record *r)
{
    r->arch_name = r->arch_family = "reference";
    r->precision = number_names[NUMBER_fp32];
    r->known_error = "This is what machines are compared with: fp32 on the CPU, without cycles.";
    r->n_layer = a->graph->n_node;
}

static void describe_nodes(const struct accsim *a, struct record *r)
{
    const struct graph *g = a->graph;
    for (int i = 0; i < r->n_layer; i++) {
        struct record_layer *to = &r->layers[i];
        to->index = i;
        to->name = g->nodes[i].name;
        to->op = g->nodes[i].op->name;
        to->shape = shape_text(&g->values[g->nodes[i].out[0]].shape, 1, a->told);
        to->macs = g->nodes[i].macs;
        to->on_host = true;
    }
}

static void describe_run(const struct accsim *a, struct record *r)
{
    r->version = accsim_version();
    r->command = a->options.command ? a->options.command : "";
    r->mode = mode_names[a->options.mode];
    r->fidelity = fidelity_names[a->options.fidelity];
    r->seed = a->options.seed;
    r->net_name = a->graph->name;
    r->net_file = a->graph->file;
    r->batch = (uint64_t)a->graph->batch;
    r->net_layers = (uint64_t)a->asked->n_node;
    r->net_macs = graph_macs(a->asked) / (uint64_t)a->asked->batch;
    r->net_parameters = graph_parameters(a->asked);
    r->top1_agreement = -1;
}

/* In place of what was told before. */
bool make_record(struct accsim *a, GError **error)
{
    struct record r = {0};
    size_t bytes;
    describe_run(a, &r);
    if (a->machine)
        describe_machine(a, &r);
    else
        describe_reference(a, &r);
    arena_free(a->told);
    a->told = record_bytes(&r, &bytes) ? arena_new_shared(bytes) : NULL;
    a->record = NULL;
    if (!a->told)
        return error_set(error, ERROR_LIMIT, "no memory for the record of %s", a->graph->name);
    r.arena = a->told;
    r.layers = record_layers_new(a->told, &r, r.n_layer);
    r.drams = ARENA_ARRAY(a->told, struct record_dram, (size_t)r.n_memory);
    if (a->machine)
        describe_memories(a, &r);
    describe_overrides(a, &r);
    a->record = ARENA_NEW(a->told, struct record);
    *a->record = r;
    if (!a->machine) {
        describe_nodes(a, a->record);
        return true;
    }
    describe_layers(a, a->record);
    if (a->plan->is_tiled)
        plan_bound(a->plan, &a->target, a->record->layers);
    return true;
}
