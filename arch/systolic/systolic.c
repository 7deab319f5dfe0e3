/* SPDX-License-Identifier: Apache-2.0 */
/* The family's table: settings, the machine that they make, what it can run. */
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "arch/systolic/systolic.h"
#include "arch/systolic/systolic_core.h"
#include "arch/systolic/systolic_count.h"
#include "mapper/values/permute.h"
#include "mapper/values/vector.h"
#include "sim/base/error.h"
#include "sim/parts/area.h"
#include "sim/parts/technology.h"

/* What the machine can run, and if not, why. */

static bool has_function(const struct systolic *s, const char *op)
{
    for (int i = 0; i < s->cfg.functions.n; i++)
        if (!strcmp(s->cfg.functions.v[i], "all") || !strcmp(s->cfg.functions.v[i], op))
            return true;
    return false;
}

static bool refuse(GString *why, const char *reason)
{
    g_string_assign(why, reason);
    return false;
}

static const char no_function[] = "it is not one of activation.functions";

static bool window_fits(const struct graph *g, const struct node *n, GString *why)
{
    const int64_t *dilation = n->traits->window.dilation;
    return (g->values[n->in[0]].shape.n_dim == 4 && dilation[0] == 1 && dilation[1] == 1) ||
           refuse(why, "only windows of images without dilation are pooled");
}

/* A node by itself. */
static bool runs(const struct systolic *s, const struct graph *g, const struct node *n,
                 GString *why)
{
    const struct traits *t = n->traits;
    if (t->kind == TRAITS_PRODUCT)
        return t->product.has_weights || s->cfg.stationary_from_buffer ||
               refuse(why, "weights come from their memory alone: "
                           "array.stationary_from_buffer is false");
    if (vector_is_function(t) || permute_is(g, n) || t->kind == TRAITS_LOOKUP)
        return has_function(s, n->op->name) ? vector_possible(g, n, why) : refuse(why, no_function);
    const int n_dim = g->values[n->in[0]].shape.n_dim;
    switch (t->kind) {
    case TRAITS_NORM: /* channels are innermost here: dimension 1 is, of images and of rows */
        return n_dim == 4 || n_dim == 2 ||
               refuse(why, "only channels of images or rows are normalised");
    case TRAITS_WINDOW:
        return window_fits(g, n, why);
    case TRAITS_ELEMENT:
        if (t->reads > 0)
            return vector_operands_fit(g, n, why);
        break;
    case TRAITS_JOIN:
        return true;
    default:
        break;
    }
    return refuse(why, "the activation unit has no such function");
}

/* What the activation unit does on the way out: Jouppi et al. 2017, figure 1: activation, then
 * normalise / pool. Normalisation needs neighbouring channels, which another tile or tower may
 * hold, so it is a pass of its own, pooled on its way out. */
static bool follows(const struct systolic *s, const struct graph *g, const int *nodes, int n,
                    GString *why)
{
    const struct traits *first = g->nodes[nodes[0]].traits;
    const struct node *last = &g->nodes[nodes[n - 1]];
    const bool has_weights = traits_has_weights(first);
    bool can = false;
    if (last->traits->kind == TRAITS_IMAGE) {
        can = has_weights; /* which it is folded into */
    } else if (last->traits->kind == TRAITS_ELEMENT && last->traits->element.adds) {
        can = has_weights && s->cfg.adds;
    } else if (traits_rectifies(last->traits)) {
        can = has_weights || (first->kind == TRAITS_ELEMENT && first->element.adds);
    } else if (last->traits->kind == TRAITS_ELEMENT) { /* with a ceiling */
        can = has_weights && runs(s, g, last, why);
    } else if (last->traits->kind == TRAITS_WINDOW) {
        can = traits_convolves(first) || first->kind == TRAITS_NORM;
        for (int i = 0; i < n - 1; i++)
            can |= traits_rectifies(g->nodes[nodes[i]].traits);
        can = can && window_fits(g, last, why);
    }
    return can || refuse(why, "the activation unit does not do it on the way out");
}

bool systolic_supports(const void *self, const struct graph *g, const int *nodes, int n,
                       const struct target_formats *formats, GString *why)
{
    (void)formats; /* any of array.formats */
    return n > 1 ? follows(self, g, nodes, n, why) : runs(self, g, &g->nodes[nodes[0]], why);
}

/* Energies that the machine's file does not give: from the tables of its process node. */

static const double not_given = -1;

static void fill(double *pj, double from_table)
{
    if (*pj < 0)
        *pj = from_table;
}

/* Whether the energies that the file gives make sense, else ERROR_INPUT names the file and the
 * setting. */
static bool check_energy(const struct systolic *s, const char *file, GError **error)
{
    for (const struct cfg_field *f = systolic_fields; f->path; f++) {
        if (f->type != CFG_FLOAT || !g_str_has_prefix(f->path, "energy."))
            continue;
        const double value = G_STRUCT_MEMBER(double, &s->cfg, f->offset);
        if (value < 0 && value != not_given)
            return error_set(error, ERROR_INPUT,
                             "%s: %s = %g: it is to be -1, which leaves it to the tables, or from "
                             "0 on",
                             file, f->path, value);
    }
    return true;
}

/* A byte of the memory that weights lie in: as given, else by its commands, else by its standard.
 * Weights in the unified buffer take what its other bytes take. */
static void fill_memory_energy(struct systolic *s, const char *standard)
{
    struct systolic_energy *e = &s->cfg.energy;
    double *read = systolic_has_dram(s) ? &e->dram_read_pj : &e->weight_byte_pj;
    const bool given = *read >= 0 || (systolic_has_dram(s) && e->dram_write_pj >= 0);
    s->has_prices = !given && dram_prices(s->memory, &s->prices);
    double from_tables = technology_dram_pj_per_byte(standard);
    if (s->cfg.shared)
        from_tables = e->buffer_byte_pj;
    fill(read, s->has_prices ? s->prices.read_pj_per_byte : from_tables);
    if (systolic_has_dram(s))
        fill(&e->dram_write_pj, s->has_prices ? s->prices.write_pj_per_byte : from_tables);
    s->read_byte_pj = *read;
    s->write_byte_pj = systolic_has_dram(s) ? e->dram_write_pj : 0;
}

/* Those that it leaves out. */
static void fill_energy(struct systolic *s)
{
    const struct systolic_cfg *c = &s->cfg;
    struct systolic_energy *e = &s->cfg.energy;
    const double nm = (double)c->technology_nm;
    const double tile_bytes = (double)(c->rows * c->cols) * (double)number_bytes(s->native);
    const char *standard = dram_standard_names[s->memory->standard];
    const double sum_bytes = 4;
    fill(&e->mac_pj, technology_mac_pj(s->native, nm));
    /* A memory a column of the array, for a tile's part of the FIFO and for its sums. */
    fill(&e->fifo_byte_pj,
         technology_sram_pj_per_byte(tile_bytes * (double)c->fifo_tiles / (double)c->cols, nm));
    fill(&e->buffer_byte_pj, technology_sram_pj_per_byte(c->buffer_kib * 1024, nm));
    fill(&e->accumulator_byte_pj,
         technology_sram_pj_per_byte((double)c->accumulators * sum_bytes, nm));
    fill(&e->activation_pj, technology_scale_pj(nm));
    fill_memory_energy(s, standard);
    /* Without lanes of its own a machine keeps in off-chip memory what does not fit on the die. */
    if (systolic_has_link(s))
        fill(&e->host_byte_pj, c->area.host_lanes > 0 ? technology_pcie_pj_per_byte()
                                                      : technology_dram_pj_per_byte(standard));
}

/* Once the die is known. */
static void fill_idle(struct systolic *s)
{
    double leakage_w = 0;
    for (int i = 0; i < s->machine->n_area; i++)
        leakage_w += s->machine->areas[i].leakage_w;
    fill(&s->cfg.energy.idle_w, leakage_w);
}

/* Without events a stream opens each row once, and refreshes come when they are due. */
static void expect_commands(const struct systolic *s, const struct record *r, double bytes,
                            double *n_activate, double *n_refresh)
{
    const struct dram_cfg *d = s->memory;
    const struct dram_standard *standard = &dram_standards[d->standard];
    *n_activate = bytes / standard->row_bytes;
    *n_refresh =
        record_seconds(r) / (standard->tREFI.ns * 1e-9) * (double)(d->n_channel * d->n_rank);
}

void systolic_price_memory(const struct systolic *s, struct record *r)
{
    const int memory = machine_index(s->machine, ROLE_WEIGHTS);
    struct record_dram *d = &r->drams[memory];
    const struct record_bytes moved = record_memory_bytes(r, memory);
    const double bytes = (double)moved.read + (double)moved.write;
    double n_activate = (double)d->activates, n_refresh = (double)d->refreshes;
    if (!s->has_prices || r->total_cyc == 0)
        return;
    if (!d->known)
        expect_commands(s, r, bytes, &n_activate, &n_refresh);
    d->priced = true;
    d->access_pj = (double)moved.read * s->prices.read_pj_per_byte +
                   (double)moved.write * s->prices.write_pj_per_byte;
    d->activate_pj = n_activate * s->prices.activate_pj;
    d->refresh_pj = n_refresh * s->prices.refresh_pj;
    d->background_pj = s->prices.background_w * record_seconds(r) * 1e12;
    for (int i = 0; i < r->n_layer; i++) {
        struct record_layer *l = &r->layers[i];
        const double own = (double)l->bytes[memory].read + (double)l->bytes[memory].write;
        const double of_bytes = bytes > 0 ? own / bytes : 0;
        const double of_time = (double)l->cycles / (double)r->total_cyc;
        systolic_spend(s, l->energy_pj, ENERGY_WEIGHTS,
                       of_bytes * d->activate_pj + of_time * (d->refresh_pj + d->background_pj));
    }
}

/* The die, block by block: docs/energy.md, "Area". */

static const double um2_per_mm2 = 1e6, sum_bits = 32, bits_per_byte = 8;

enum { MAX_AREA = 10 }; /* parts below, at most */

static void add(struct machine *m, const char *name, double mm2, double leakage_w)
{
    g_assert(m->n_area < MAX_AREA);
    if (mm2 > 0)
        m->areas[m->n_area++] = (struct record_area){name, mm2, leakage_w};
}

static void add_logic(const struct systolic *s, struct machine *m, const char *name,
                      double cells_um2)
{
    add(m, name, cells_um2 / s->cfg.area.logic_utilization / um2_per_mm2,
        area_logic_leakage_w(cells_um2, (double)s->cfg.technology_nm));
}

static void add_sram(const struct systolic *s, struct machine *m, const char *name, double bytes,
                     bool two_port)
{
    const double bits = bits_per_byte * bytes, nm = (double)s->cfg.technology_nm;
    const double cells_um2 = area_sram_cells_um2(bits, two_port, nm);
    add(m, name, cells_um2 / s->cfg.area.sram_efficiency / um2_per_mm2,
        area_sram_leakage_w(bits, two_port, nm));
}

/* A multiplier and an adder, and registers for what stays, for what passes by and for the sum; with
 * shadow registers for what will stay next. */
static double matrix_um2(const struct systolic *s)
{
    const struct systolic_cfg *c = &s->cfg;
    const double nm = (double)c->technology_nm, n_mac = (double)(c->rows * c->cols);
    const double operand_bits = bits_per_byte * (double)number_bytes(s->native);
    const double bits = (c->double_buffer ? 3 : 2) * operand_bits + sum_bits;
    return n_mac * (area_mac_um2(s->native, nm) + area_register_um2(bits, nm));
}

/* Each row's inputs enter a cycle behind those of the row above: a triangle of registers. */
static double setup_um2(const struct systolic *s)
{
    const double rows = (double)s->cfg.rows;
    const double bits = rows * (rows - 1) / 2 * bits_per_byte * (double)number_bytes(s->native);
    return area_register_um2(bits, (double)s->cfg.technology_nm);
}

static double activation_um2(const struct systolic *s)
{
    const double n_lane =
        (double)(s->cfg.activation_values > 0 ? s->cfg.activation_values : s->cfg.cols);
    return n_lane * area_lane_um2((double)s->cfg.technology_nm);
}

static double memory_phy_mm2(const struct systolic *s)
{
    const struct dram_cfg *d = s->memory;
    const int width_bits = d->standard > 0 ? dram_standards[d->standard].width_bits : 0;
    return area_memory_phy_mm2(dram_standard_names[d->standard],
                               (double)(d->n_channel * width_bits), (double)s->cfg.technology_nm);
}

/* On the die: of activations, and of weights where they share it, whose size is then for both. */
static double buffer_bytes(const struct systolic_cfg *c)
{
    return 1024 * (c->shared ? c->weights.size_kib : c->buffer_kib);
}

/* The die and its parts, into m. ERROR_INPUT where the shares of the die that the file gives leave
 * no room for them. */
static bool fill_area(const struct systolic *s, const char *file, struct machine *m,
                      struct arena *arena, GError **error)
{
    const struct systolic_cfg *c = &s->cfg;
    const double tile_bytes = (double)(c->rows * c->cols) * (double)number_bytes(s->native);
    const double entry_bytes = (double)c->cols * sum_bits / bits_per_byte;
    const double n = (double)c->n_array;
    m->areas = ARENA_ARRAY(arena, struct record_area, MAX_AREA);
    add_logic(s, m, "matrix_unit", n * matrix_um2(s));
    add_logic(s, m, "data_setup", n * setup_um2(s));
    add_logic(s, m, "activation_unit", n * activation_um2(s));
    add_sram(s, m, "unified_buffer", buffer_bytes(c), false);
    /* A sum is read, added to and written each cycle; a tile arrives while another leaves. */
    add_sram(s, m, "accumulators", n * (double)c->accumulators * entry_bytes, true);
    add_sram(s, m, "weight_fifo", n * (double)c->fifo_tiles * tile_bytes, true);
    add(m, "memory_phy", memory_phy_mm2(s), 0);
    add(m, "host_phy", area_pcie_phy_mm2((double)c->area.host_lanes), 0);
    double placed_mm2 = 0;
    for (int i = 0; i < m->n_area; i++)
        placed_mm2 += m->areas[i].mm2;
    if (c->area.placed <= c->area.control)
        return error_set(
            error, ERROR_INPUT,
            "%s: area.placed = %g leaves nothing beside area.control = %g: it is to be "
            "larger",
            file, c->area.placed, c->area.control);
    m->area_mm2 = c->area_mm2;
    if (m->area_mm2 <= 0)
        m->area_mm2 = placed_mm2 / (c->area.placed - c->area.control);
    add(m, "control", c->area.control * m->area_mm2, 0);
    /* add() leaves it out where a die is given that is smaller than its blocks. */
    add(m, "unplaced", m->area_mm2 * (1 - c->area.control) - placed_mm2, 0);
    return true;
}

/* What multipliers can be built for. */
static const char *const format_names[] = {"int8", "int16", "bf16", "fp16", "fp32", "flex16", NULL};
static const char *const dataflow_names[] = {"ws", "os", "is", NULL};
static const char *const edge_names[] = {"full", "trimmed", NULL};
static const char *const timing_names[] = {"overlapped", "scalesim", NULL};
static const char *const overflow_names[] = {"refuse", "stream", NULL};

#define FIELD(path, type, member, min, max, def, unit, help, names)                                \
    {                                                                                              \
        path, type, offsetof(struct systolic_cfg, member), min, max, def, unit, help, names        \
    }

const struct cfg_field systolic_fields[] = {
    FIELD("name", CFG_STRING, name, 0, 0, "", NULL, "what the machine is called", NULL),
    FIELD("family", CFG_STRING, family, 0, 0, NULL, NULL,
          "the family of machines that this one is of", NULL),
    FIELD("known_error", CFG_STRING, known_error, 0, 0, "", NULL,
          "a sentence: how far this machine's model is known to be off, and by what source", NULL),
    FIELD("clock_mhz", CFG_FLOAT, clock_mhz, 1, 1e5, NULL, "MHz", "clock of all on-chip units",
          NULL),
    FIELD("technology_nm", CFG_INT, technology_nm, 1, 1000, "28", "nm",
          "process node: area, and energies that are not given, follow from it", NULL),
    FIELD("array.rows", CFG_INT, rows, 1, 4096, NULL, NULL,
          "rows of the matrix unit: products summed a pass", NULL),
    FIELD("array.cols", CFG_INT, cols, 1, 4096, NULL, NULL,
          "columns of the matrix unit: outputs computed side by side", NULL),
    FIELD("array.count", CFG_INT, n_array, 1, MAX_ARRAY, "1", NULL,
          "equal arrays, each with its own weight FIFO, shadow registers, accumulators and "
          "activation unit; buffer, off-chip memory and host link are shared",
          NULL),
    FIELD("array.broadcast", CFG_BOOL, broadcast, 0, 0, "true", NULL,
          "with several arrays: a weight tile that some of them need next is read once for all of "
          "them; else once for each",
          NULL),
    FIELD("array.dataflow", CFG_ENUM, dataflow, 0, 0, "ws", NULL,
          "what stays in the array: ws, weights; os, sums; is, inputs", dataflow_names),
    FIELD(
        "array.edge", CFG_ENUM, edge, 0, 0, "full", NULL,
        "a tile at an edge pays for the whole array, or (trimmed) for the rows and columns it uses",
        edge_names),
    FIELD("array.timing", CFG_ENUM, timing, 0, 0, "overlapped", NULL,
          "the hardware, or (scalesim) what SCALE-Sim v3 counts: nothing overlaps, memory is ideal",
          timing_names),
    FIELD("array.formats", CFG_STRINGS, formats, 0, 0, "int8", NULL,
          "number formats of the operands that it multiplies; the first is its own, at full speed "
          "and unless asked otherwise, wider ones take several passes",
          format_names),
    FIELD("array.stationary_from_buffer", CFG_BOOL, stationary_from_buffer, 0, 0, "false", NULL,
          "the weight FIFO can be filled from the unified buffer too: products of two activations",
          NULL),
    FIELD("array.shifts_sideways", CFG_BOOL, shifts_sideways, 0, 0, "false", NULL,
          "weights shift in from the side too: a tile that lies transposed in the buffer enters a "
          "column a cycle; else it is turned on its way to the FIFO, a value a cycle",
          NULL),
    FIELD("array.double_buffer", CFG_BOOL, double_buffer, 0, 0, "true", NULL,
          "shadow registers take the next weight tile while the array computes", NULL),
    FIELD("accumulators.entries", CFG_INT, accumulators, 1, 1 << 20, NULL, NULL,
          "rows of 32-bit sums, one sum a column of the array; of each array", NULL),
    FIELD("weight_fifo.tiles", CFG_INT, fifo_tiles, 1, 1024, "4", NULL,
          "weight tiles on their way from memory or waiting for the array; of each array", NULL),
    FIELD("activation.values_per_cycle", CFG_INT, activation_values, 0, 1 << 20, "0", NULL,
          "sums that the activation unit takes from the accumulators a cycle, at most a row of "
          "them; 0: array.cols; of each array",
          NULL),
    FIELD("controller.queue_depth", CFG_INT, queue_depth, 1, 1 << 16, "64", NULL,
          "instructions waiting at each unit; one is issued a cycle", NULL),
    DRAM_FIELDS("memory.dram", struct systolic_cfg, dram, "", "", "0"),
    DRAM_FIELDS("memory.weights", struct systolic_cfg, weights, "", "", "0"),
    FIELD("memory.weights.overflow", CFG_ENUM, overflow, 0, 0, "refuse", NULL,
          "a network whose parameters do not fit is refused, or (stream) each layer whose find no "
          "room fetches them over the host link whenever it uses them",
          overflow_names),
    FIELD("memory.weights.shared", CFG_BOOL, shared, 0, 0, "false", NULL,
          "weights lie in the memory of activations, whose size size_kib then is: with overflow = "
          "\"stream\" activations take what they need and weights what is left, else weights come "
          "first",
          NULL),
    FIELD("memory.unified_buffer.size_kib", CFG_FLOAT, buffer_kib, 1, 1 << 24, NULL, "KiB",
          "on-chip memory of activations", NULL),
    FIELD("memory.unified_buffer.ports", CFG_INT, buffer_ports, 0, MAX_ARRAY, "0", NULL,
          "arrays that it gives a row of inputs in the same cycle; 0: all", NULL),
    FIELD("activation.functions", CFG_STRINGS, functions, 0, 0, "", NULL,
          "operators that the activation unit computes in fp32, beside relu, lrn, pools, add and "
          "concat; embedding and gather are rows of tables that the DMA engine reads; all: every "
          "one that there could be",
          op_function_names),
    FIELD(
        "activation.adds", CFG_BOOL, adds, 0, 0, "false", NULL,
        "a value of the unified buffer can be added to sums on their way out of the accumulators: "
        "additions behind products (residual connections) are no passes of their own",
        NULL),
    FIELD("activation.transposes", CFG_BOOL, transposes, 0, 0, "false", NULL,
          "a unit turns squares of array.cols x array.cols values, a row in and a row out a cycle; "
          "else a move that turns the innermost dimension takes a cycle a value",
          NULL),
    FIELD("host.fallback", CFG_BOOL, host_fallback, 0, 0, "false", NULL,
          "operators that the machine lacks run on the host", NULL),
    FIELD(
        "host.bandwidth_gb_s", CFG_FLOAT, host_bandwidth_gb_s, 0, 1e6, "0", "GB/s",
        "effective bandwidth of the link to the host, both directions one after another; 0, beside "
        "memory.dram: there is none, inputs and outputs lie in the DRAM",
        NULL),
    FIELD("host.latency_ns", CFG_FLOAT, host_latency_ns, 0, 1e9, "0", "ns",
          "start-up time of a transfer over the host link", NULL),
    FIELD("host.dma_setup_ns", CFG_FLOAT, dma_setup_ns, 0, 1e9, "0", "ns",
          "time in which the DMA engine takes a descriptor before its block moves", NULL),
    FIELD("host.gflops", CFG_FLOAT, host_gflops, 0, 1e9, "0", "GFLOPS",
          "operations that the host computes layers of its own at; 0: they take no time for them",
          NULL),
    FIELD(
        "host.memory_gb_s", CFG_FLOAT, host_memory_gb_s, 0, 1e6, "0", "GB/s",
        "bandwidth at which the host reads and writes what its layers work on; 0: it takes no time",
        NULL),
    FIELD("area_mm2", CFG_FLOAT, area_mm2, 0, 1e6, "0", "mm2",
          "area of the die; 0: by technology_nm, from built-in tables", NULL),
    FIELD("area.placed", CFG_FLOAT, area.placed, 0.01, 1, "0.79", NULL,
          "share of the die that its blocks take; the rest is between them", NULL),
    FIELD("area.control", CFG_FLOAT, area.control, 0, 0.5, "0.02", NULL,
          "share of the die that control takes", NULL),
    FIELD("area.logic_utilization", CFG_FLOAT, area.logic_utilization, 0.01, 1, "0.7", NULL,
          "share of a block of logic that its cells take", NULL),
    FIELD("area.sram_efficiency", CFG_FLOAT, area.sram_efficiency, 0.01, 1, "0.725", NULL,
          "share of a memory on the die that its bit cells take", NULL),
    FIELD("area.host_lanes", CFG_INT, area.host_lanes, 0, 64, "0", NULL,
          "lanes of PCIe whose drivers are on the die; 0: none are counted", NULL),
    FIELD("energy.mac_pj", CFG_FLOAT, energy.mac_pj, -1, 1e6, "-1", "pJ",
          "a multiplication and the addition of its product, dynamic; -1, here and below: by "
          "technology_nm, from built-in tables",
          NULL),
    FIELD("energy.weight_memory_pj_per_byte", CFG_FLOAT, energy.weight_byte_pj, -1, 1e6, "-1",
          "pJ/byte", "a byte read from memory.weights, device and I/O", NULL),
    FIELD("energy.dram_read_pj_per_byte", CFG_FLOAT, energy.dram_read_pj, -1, 1e6, "-1", "pJ/byte",
          "a byte read from memory.dram, device and I/O", NULL),
    FIELD("energy.dram_write_pj_per_byte", CFG_FLOAT, energy.dram_write_pj, -1, 1e6, "-1",
          "pJ/byte", "a byte written to memory.dram, device and I/O", NULL),
    FIELD("energy.weight_fifo_pj_per_byte", CFG_FLOAT, energy.fifo_byte_pj, -1, 1e6, "-1",
          "pJ/byte", "a weight byte written to the FIFO or read from it", NULL),
    FIELD("energy.unified_buffer_pj_per_byte", CFG_FLOAT, energy.buffer_byte_pj, -1, 1e6, "-1",
          "pJ/byte", "a byte read from or written to the unified buffer", NULL),
    FIELD("energy.accumulators_pj_per_byte", CFG_FLOAT, energy.accumulator_byte_pj, -1, 1e6, "-1",
          "pJ/byte", "a byte read from or written to the accumulators", NULL),
    FIELD("energy.activation_pj", CFG_FLOAT, energy.activation_pj, -1, 1e6, "-1", "pJ",
          "a value requantised, normalised or pooled", NULL),
    FIELD("energy.host_link_pj_per_byte", CFG_FLOAT, energy.host_byte_pj, -1, 1e6, "-1", "pJ/byte",
          "a byte over the host link, this die's end; -1: PCIe's where area.host_lanes are given, "
          "else a byte's of the off-chip memory's standard",
          NULL),
    FIELD("energy.idle_w", CFG_FLOAT, energy.idle_w, -1, 1e6, "-1", "W",
          "power of the die while nothing computes; -1: leakage alone, by technology_nm", NULL),
    FIELD("mapper.pack_groups", CFG_BOOL, pack_groups, 0, 0, "true", NULL,
          "groups of a convolution share tiles, block by block on their diagonals", NULL),
    FIELD("mapper.search", CFG_ENUM, search, 0, 0, "search", NULL,
          "how much of the mapping space is looked at", machine_search_names),
    FIELD("mapper.objective", CFG_ENUM, objective, 0, 0, "cycles", NULL,
          "what the search makes small: cycles of the run, or bytes over off-chip memory and link",
          machine_objective_names),
    {.path = NULL},
};

static const struct record_cause causes[N_CAUSE] = {
    [CAUSE_WEIGHT_STALL] = {"weight_stall", "the array waits for a tile from the weight memory",
                            false},
    [CAUSE_WEIGHT_SHIFT] = {"weight_shift", "the array waits while a tile is shifted in", false},
    [CAUSE_NON_MATRIX] = {"non_matrix", "the array waits for anything else or has nothing to do",
                          false},
    [CAUSE_RAW] = {"raw_stall", "what the next product waits for, the activation unit has not done",
                   true},
    [CAUSE_INPUT] = {"input_stall", "what the next product waits for, the host has not sent", true},
};

static const struct stat_desc components[N_ENERGY] = {
    [ENERGY_MATRIX] = {"matrix_unit", "pJ", "useful MACs, dynamic"},
    [ENERGY_WEIGHTS] = {"weight_memory", "pJ", "off-chip reads of weights, outside the die"},
    [ENERGY_FIFO] = {"weight_fifo", "pJ", "weights through the FIFO, dynamic"},
    [ENERGY_BUFFER] = {"unified_buffer", "pJ", "activations read and written, dynamic"},
    [ENERGY_ACCUMULATORS] = {"accumulators", "pJ", "partial sums read and written, dynamic"},
    [ENERGY_ACTIVATION] = {"activation_unit", "pJ", "values requantised, normalised, pooled"},
    [ENERGY_HOST] = {"host_link", "pJ",
                     "bytes over the host link: this end of PCIe, or off-chip memory"},
    [ENERGY_IDLE] = {"idle", "pJ", "power of the die while nothing computes, over the whole time"},
};
static const struct stat_desc dram_component = {"dram", "pJ",
                                                "off-chip reads and writes, outside the die"};

/* The components that the machine has. */
static void fill_components(struct systolic *s, struct machine *m, struct arena *arena)
{
    struct stat_desc *all = ARENA_ARRAY(arena, struct stat_desc, N_ENERGY);
    for (int i = 0; i < N_ENERGY; i++) {
        if ((i == ENERGY_WEIGHTS && s->cfg.shared) || (i == ENERGY_HOST && !systolic_has_link(s)))
            continue;
        s->components[i] = m->n_component;
        all[m->n_component++] =
            i == ENERGY_WEIGHTS && systolic_has_dram(s) ? dram_component : components[i];
    }
    m->components = all;
    if (s->cfg.shared)
        s->components[ENERGY_WEIGHTS] = s->components[ENERGY_BUFFER];
}

static int add_memory(struct machine *m, const struct machine_memory *memory)
{
    m->memories[m->n_memory] = *memory;
    return m->n_memory++;
}

/* The memory of weights, if it has one of its own; then the buffer; then the host's, if a link
 * leads there. */
static void fill_memories(struct systolic *s, struct machine *m, struct arena *arena)
{
    const struct systolic_cfg *c = &s->cfg;
    const bool dram = systolic_has_dram(s), link = systolic_has_link(s);
    struct machine_device *device = &m->devices[m->n_device++];
    m->memories = ARENA_ARRAY(arena, struct machine_memory, MOST_MEM);
    struct dram memory;
    dram_init(&memory, s->memory, s->clock_hz);
    s->stream_bytes_per_cyc = dram_stream_bytes_per_cyc(&memory);
    s->first_byte_cyc = memory.first_byte_cyc;
    const double rate = dram_bytes_per_cyc(&memory);
    dram_clear(&memory);
    int weights = -1;
    if (!c->shared)
        weights = add_memory(
            m, &(struct machine_memory){.name = dram ? "dram" : "weights",
                                        .help = dram ? "off-chip memory" : "off-chip weight memory",
                                        .parent = -1,
                                        .size_bytes = (uint64_t)(s->memory->size_kib * 1024),
                                        .bytes_per_cyc = rate,
                                        .place = PLACE_OFF_CHIP});
    /* A row of values in and one out a cycle, at each port; weights have one of their own. */
    const int buffer = add_memory(
        m, &(struct machine_memory){
               .name = "unified_buffer",
               .help = c->shared ? "on-chip activations and weights" : "on-chip activations",
               .size_bytes = (uint64_t)buffer_bytes(c),
               .bytes_per_cyc = 2.0 * (double)(systolic_path_bytes(s) * systolic_core_ports(s)) +
                                (c->shared ? rate : 0)});
    int host = -1;
    if (link)
        host = add_memory(
            m, &(struct machine_memory){.name = "host",
                                        .help = "host memory over the link",
                                        .parent = -1,
                                        .bytes_per_cyc = c->host_bandwidth_gb_s * 1e9 / s->clock_hz,
                                        .place = PLACE_HOST});
    const double burst_bytes = (double)systolic_burst_bytes(s);
    s->burst_cyc[BUS_MEMORY] =
        s->stream_bytes_per_cyc > 0 ? burst_bytes / s->stream_bytes_per_cyc : 0;
    s->burst_cyc[BUS_LINK] = link ? burst_bytes / m->memories[host].bytes_per_cyc : 0;
    device->name = "accelerator";
    device->roles[ROLE_ACTIVATIONS] = buffer;
    device->roles[ROLE_WEIGHTS] = c->shared ? buffer : weights;
    device->roles[ROLE_INPUTS] = link ? host : weights;
    device->roles[ROLE_SPILL] = dram ? weights : host;
    m->memories[buffer].parent = device->roles[ROLE_SPILL];
}

static void fill_machine(struct systolic *s, struct machine *m, struct arena *arena)
{
    const struct systolic_cfg *c = &s->cfg;
    m->clock_hz = s->clock_hz;
    fill_memories(s, m, arena);
    fill_components(s, m, arena);
    m->precision = s->native;
    for (int i = 0; i < c->formats.n; i++) {
        enum number n;
        const bool is_known = number_from_name(c->formats.v[i], &n);
        g_assert(is_known);
        m->peak_macs_per_cyc[n] =
            (double)(c->n_array * c->rows * c->cols) / (double)systolic_row_cyc(s, n, n);
    }
    m->host_fallback = c->host_fallback;
    m->interleaves = true;
    m->moves_free = c->timing == TIMING_SCALESIM;
    m->objective = (enum machine_objective)c->objective;
    m->search = (enum machine_search)c->search;
    m->streams_weights = c->overflow == OVERFLOW_STREAM;
    m->keeps_weights = c->stationary_from_buffer && !c->shared;
    m->known_error = c->known_error;
    m->causes = causes;
    m->n_cause = N_CAUSE;
}

/* One memory for everything, or one of weights and a link to the host: which of them the file
 * describes. */
static bool find_memory(struct systolic *s, const char *file, GError **error)
{
    const struct systolic_cfg *c = &s->cfg;
    const bool dram = dram_is_given(&c->dram), weights = dram_is_given(&c->weights);
    s->memory = dram ? &c->dram : &c->weights;
    if (dram && weights)
        return error_set(error, ERROR_INPUT,
                         "%s: memory.dram and memory.weights are both given: where weights have a "
                         "memory of their own that is memory.weights, where they share one with "
                         "activations memory.dram, and the other is left out",
                         file);
    if (!dram && !weights)
        return error_set(error, ERROR_INPUT,
                         "%s: neither memory.dram nor memory.weights is given: weights need a "
                         "memory, size_kib and bandwidth_gb_s of memory.dram, or of memory.weights "
                         "where they have one of their own",
                         file);
    if (dram && (c->shared || c->overflow == OVERFLOW_STREAM))
        return error_set(error, ERROR_INPUT,
                         "%s: memory.weights.%s is for memory.weights, and this machine has "
                         "memory.dram: it is to be %s",
                         file, c->shared ? "shared" : "overflow",
                         c->shared ? "false" : "\"refuse\"");
    if (!dram && !systolic_has_link(s))
        return error_set(error, ERROR_INPUT,
                         "%s: host.bandwidth_gb_s is missing: memory.weights holds weights alone, "
                         "inputs and outputs come and go over the host link; where they lie in the "
                         "memory of weights, that is memory.dram",
                         file);
    return dram_check(s->memory, file, dram ? "memory.dram" : "memory.weights", error);
}

static bool tile_fits(const struct systolic *s, const char *file, GError **error)
{
    const int64_t tile_bytes = s->cfg.rows * s->cfg.cols * (int64_t)number_bytes(s->native);
    return s->memory->size_kib * 1024 >= (double)tile_bytes ||
           error_set(error, ERROR_UNSUPPORTED,
                     "%s: memory.%s.size_kib = %g holds not one tile of %" PRId64
                     " bytes (array.rows x array.cols)",
                     file, systolic_has_dram(s) ? "dram" : "weights", s->memory->size_kib,
                     tile_bytes);
}

static void *systolic_create(const void *cfg, const char *file, struct machine *m,
                             struct arena *arena, GError **error)
{
    struct systolic *s = ARENA_NEW(arena, struct systolic);
    s->cfg = *(const struct systolic_cfg *)cfg;
    s->clock_hz = s->cfg.clock_mhz * 1e6;
    s->machine = m;
    const bool is_known = number_from_name(s->cfg.formats.v[0], &s->native);
    g_assert(is_known);
    if (!find_memory(s, file, error) || !check_energy(s, file, error))
        return NULL;
    fill_energy(s);
    if (!tile_fits(s, file, error))
        return NULL;
    if (s->cfg.timing == TIMING_SCALESIM && s->cfg.n_array > 1) {
        error_set(error, ERROR_INPUT,
                  "%s: array.timing = \"scalesim\" counts the cycles of one array; array.count is "
                  "%" PRId64 ": it must be 1, or array.timing \"overlapped\"",
                  file, s->cfg.n_array);
        return NULL;
    }
    fill_machine(s, m, arena);
    if (!fill_area(s, file, m, arena, error))
        return NULL;
    s->cfg.area_mm2 = m->area_mm2;
    fill_idle(s);
    return s;
}

static const void *systolic_settings(const void *self)
{
    return &((const struct systolic *)self)->cfg;
}

static const char *const totals[] = {"energy.idle_w", "area_mm2", NULL};

const struct arch_family arch_systolic = {
    .name = "systolic",
    .summary = "weight-, output- or input-stationary matrix array with a weight FIFO and an "
               "activation unit",
    .fields = systolic_fields,
    .cfg_size = sizeof(struct systolic_cfg),
    .totals = totals,
    .analytic = ANALYTIC_ESTIMATE,
    .analytic_share = 0.05,
    .create = systolic_create,
    .settings = systolic_settings,
    .choices = systolic_choices,
    .supports = systolic_supports,
    .prepare = systolic_prepare,
    .candidates = systolic_candidates,
    .check_choice = systolic_check_choice,
    .cost = systolic_cost,
    .bound = systolic_bound,
    .estimate = systolic_estimate,
    .lower = systolic_lower,
    .open = systolic_open,
    .load = systolic_load,
    .replay = systolic_replay,
    .build = systolic_build,
    .collect = systolic_collect,
    .close = systolic_close,
    .print = systolic_print,
};
