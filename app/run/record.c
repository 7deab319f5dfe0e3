/* SPDX-License-Identifier: Apache-2.0 */
/* The record before the run: the machine, the network, the layers. */
#include <string.h>

#include "app/run/internal.h"
#include "sim/base/error.h"
#include "sim/base/size.h"

static const char *const mode_names[] = {"functional", "timing"};
static const char *const fidelity_names[] = {"event", "analytic"};

const char *accsim_version(void)
{
    return ACCSIM_VERSION;
}

/* Room for the record. */
static bool record_bytes(const struct accsim *a, size_t *bytes)
{
    const size_t n_layer = a->plan ? (size_t)a->plan->n_layer : (size_t)a->graph->n_node;
    return size_mul(bytes, n_layer, sizeof(struct record_layer) + 256) &&
           size_add(bytes, *bytes, 1 << 20);
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
    memcpy(r->causes, m->causes, sizeof(r->causes));
    memcpy(r->cause_overlaps, m->cause_overlaps, sizeof(r->cause_overlaps));
    r->n_memory = m->n_memory;
    for (int i = 0; i < m->n_memory; i++) {
        r->memories[i] = (struct stat_desc){m->memories[i].name, "byte", m->memories[i].help};
        r->memory_bytes_per_cyc[i] = m->moves_free ? 0 : m->memories[i].bytes_per_cyc;
    }
    r->dram_memory = m->shares_memory ? m->host_memory : m->weight_memory; /* off the chip */
    r->n_component = m->n_component;
    memcpy(r->components, m->components, sizeof(r->components));
    r->area_mm2 = m->area_mm2;
    r->n_area = m->n_area;
    memcpy(r->areas, m->areas, sizeof(r->areas));
}

static void describe_layers(const struct accsim *a, struct record *r)
{
    r->n_layer = a->plan->n_layer;
    r->n_mapping = a->plan->n_tried;
    r->map_seconds = a->plan->map_seconds;
    r->layers = ARENA_ARRAY(a->told, struct record_layer, (size_t)r->n_layer);
    for (int i = 0; i < r->n_layer; i++) {
        const struct plan_layer *l = &a->plan->layers[i];
        r->layers[i] = (struct record_layer){.index = i,
                                             .name = l->name,
                                             .op = l->op,
                                             .shape = l->shape,
                                             .macs = l->macs,
                                             .streamed_bytes = plan_streamed_bytes(l),
                                             .on_host = l->kind == LAYER_HOST};
        if (l->kind == LAYER_HOST || l->kind == LAYER_OWN)
            continue;
        r->layers[i].format = number_names[l->format];
        if (l->kind == LAYER_MATRIX)
            r->layers[i].weight_format = number_names[l->weight_format];
    }
}

/* The CPU reference has no machine: its layers are the nodes, without cycles. */
static void describe_nodes(const struct accsim *a, struct record *r)
{
    const struct graph *g = a->graph;
    r->arch_name = r->arch_family = "reference";
    r->precision = number_names[NUMBER_fp32];
    r->known_error = "This is what machines are compared with: fp32 on the CPU, without cycles.";
    r->dram_memory = -1;
    r->n_layer = g->n_node;
    r->layers = ARENA_ARRAY(a->told, struct record_layer, (size_t)r->n_layer);
    for (int i = 0; i < g->n_node; i++)
        r->layers[i] = (struct record_layer){
            .index = i,
            .name = g->nodes[i].name,
            .op = g->nodes[i].op->name,
            .shape = shape_text(&g->values[g->nodes[i].out[0]].shape, 1, a->told),
            .macs = g->nodes[i].macs,
            .on_host = true};
}

bool make_record(struct accsim *a, GError **error)
{
    size_t bytes;
    arena_free(a->told);
    a->told = record_bytes(a, &bytes) ? arena_new_shared(bytes) : NULL;
    a->record = NULL;
    if (!a->told)
        return error_set(error, ERROR_LIMIT, "no memory for the record of %s", a->graph->name);
    struct record *r = a->record = ARENA_NEW(a->told, struct record);
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
    if (a->machine) {
        describe_machine(a, r);
        describe_layers(a, r);
        if (a->plan->is_tiled)
            plan_bound(a->plan, &a->target, r->layers);
    } else {
        describe_nodes(a, r);
    }
    return true;
}
