/* SPDX-License-Identifier: Apache-2.0 */
/* The program as text: a layer's header, then an instruction a line. */
#include <inttypes.h>

#include "arch/systolic/systolic.h"
#include "arch/systolic/systolic_choice.h"
#include "arch/systolic/systolic_core.h"

const char *const systolic_unit_names[N_UNIT] = {"host", "weights", "matrix", "activation",
                                                 "inputs"};

static const char *const insn_names[N_INSN] = {
    [INSN_READ_HOST] = "Read_Host_Memory",
    [INSN_WRITE_HOST] = "Write_Host_Memory",
    [INSN_READ_PARAMETERS] = "Read_Parameters",
    [INSN_READ_ROWS] = "Read_Rows",
    [INSN_HOST_OPERATOR] = "(host computes)",
    [INSN_READ_WEIGHTS] = "Read_Weights",
    [INSN_SHIFT_INPUTS] = "Shift_Inputs",
    [INSN_MATRIX_MULTIPLY] = "MatrixMultiply",
    [INSN_CONVOLVE] = "Convolve",
    [INSN_ACTIVATE] = "Activate",
    [INSN_NORMALIZE_POOL] = "Normalize_Pool",
    [INSN_SYNC_SET] = "Sync set",
    [INSN_SYNC_WAIT] = "Sync wait",
};

/* Rows and columns of the product that a block is: its column tile, or, where inputs stay, the
 * range of its columns. */
static void print_block(const struct systolic *s, const struct insn *in, GString *out)
{
    g_string_append_printf(out, " rows=%" PRId64 "+%" PRId64 " group=%d", in->m0, in->m, in->group);
    if (s->cfg.dataflow == FLOW_IS)
        g_string_append_printf(out, " outputs=%" PRId64 "+%" PRId64, in->n0, in->n);
    else
        g_string_append_printf(out, " cols=%d", in->tile_n);
}

/* "matrix", or with several arrays "matrix[3]", "matrix[0-3]", "matrix[0,2]". */
static char *unit_text(const struct systolic *s, enum unit unit, uint64_t arrays)
{
    GString *out = g_string_new(systolic_unit_names[unit]);
    if (s->cfg.n_array <= 1 || unit == UNIT_HOST)
        return g_string_free(out, FALSE);
    const char *before = "[";
    for (int i = 0; i < MAX_ARRAY; i++) {
        if (!(arrays >> i & 1))
            continue;
        int last = i;
        while (last + 1 < MAX_ARRAY && arrays >> (last + 1) & 1)
            last++;
        g_string_append_printf(out, last > i ? "%s%d-%d" : "%s%d", before, i, last);
        before = ",";
        i = last;
    }
    g_string_append_c(out, ']');
    return g_string_free(out, FALSE);
}

static void print_wait(const struct systolic *s, const struct plan *p, const struct insn *in,
                       GString *out)
{
    const bool all = in->on_array == ALL_ARRAYS;
    const uint64_t n = (uint64_t)s->cfg.n_array;
    g_autofree char *on =
        unit_text(s, in->on, all ? UINT64_MAX >> (MAX_ARRAY - n) : UINT64_C(1) << in->on_array);
    if (!all) {
        g_string_append_printf(out, " %s >= %" PRIu64, on, in->count);
        return;
    }
    g_string_append_printf(out, " %s >=", on);
    const uint64_t *done = ((const struct program *)p->program)->done + in->count * n;
    for (uint64_t i = 0; i < n; i++)
        g_string_append_printf(out, "%c%" PRIu64, i ? ',' : ' ', done[i]);
}

/* Of a value that is not moved in whole rows. */
static void print_piece(const struct plan *p, const struct plan_step *st, GString *out)
{
    const struct dims d = plan_dims(p, st->value);
    const struct region *r = &st->region;
    if (r->n_col < d.w)
        g_string_append_printf(out, " columns=%" PRId64 "+%" PRId64, r->col, r->n_col);
    if (r->n_channel < d.c)
        g_string_append_printf(out, " channels=%" PRId64 "+%" PRId64, r->channel, r->n_channel);
}

void systolic_insn_print(const struct systolic *s, const struct plan *p, const struct insn *in,
                         GString *out)
{
    const struct plan_step *st = &p->steps[in->step];
    g_autofree char *unit = unit_text(s, in->unit, in->arrays);
    g_string_append_printf(out, "%-*s  %-18s", s->cfg.n_array > 1 ? 16 : 10, unit,
                           insn_names[in->op]);
    switch ((enum opcode)in->op) {
    case INSN_READ_HOST:
    case INSN_WRITE_HOST:
        g_string_append_printf(out,
                               " ub=0x%" PRIx64 " bytes=%" PRIu64 " value=%s images=%" PRId64
                               "+%" PRId64 " rows=%" PRId64 "+%" PRId64,
                               st->address, in->count, p->graph->values[st->value].name,
                               st->region.image, st->region.n_image, st->region.row,
                               st->region.n_row);
        print_piece(p, st, out);
        break;
    case INSN_READ_PARAMETERS:
        g_string_append_printf(out, " tiles=%" PRIu64 " to ub=0x%" PRIx64 " bytes=%" PRIu64,
                               p->layers[in->layer].weight_address, st->address, in->count);
        break;
    case INSN_READ_ROWS:
        g_string_append_printf(
            out, " table=%" PRIu64 " indices=ub=0x%" PRIx64 " to ub=0x%" PRIx64 " rows=%" PRIu64,
            p->layers[in->layer].weight_address, st->in_address[0], st->address, in->count);
        break;
    case INSN_READ_WEIGHTS:
        g_string_append_printf(out, " tile=%" PRId64 " repeat=%" PRIu32, in->first, in->repeat);
        break;
    case INSN_SHIFT_INPUTS:
        g_string_append_printf(
            out, " ub=0x%" PRIx64 " rows=%" PRId64 "+%" PRId64 " group=%d repeat=%" PRIu32,
            st->in_address[0], in->m0, in->m, in->group, in->repeat);
        break;
    case INSN_MATRIX_MULTIPLY:
    case INSN_CONVOLVE:
        g_string_append_printf(out, " ub=0x%" PRIx64 " acc=%" PRId64, st->in_address[0], in->first);
        print_block(s, in, out);
        g_string_append_printf(out, " repeat=%" PRIu32 "%s%s", in->repeat,
                               in->reuse ? " same-tile" : "",
                               in->reuse_weights ? " same-weights" : "");
        if (in->k0 > 0)
            g_string_append_printf(out, " k=%d", in->k0);
        break;
    case INSN_ACTIVATE:
        g_string_append_printf(out, " acc=%" PRId64 " ub=0x%" PRIx64, in->first, st->address);
        if (p->layers[in->layer].added)
            g_string_append_printf(out, " added=ub=0x%" PRIx64,
                                   st->in_address[p->layers[in->layer].added]);
        print_block(s, in, out);
        break;
    case INSN_NORMALIZE_POOL:
        g_string_append_printf(out, " ub=0x%" PRIx64 " to ub=0x%" PRIx64, st->in_address[0],
                               st->address);
        for (int k = 1; k < p->layers[in->layer].n_out; k++)
            g_string_append_printf(out, ",0x%" PRIx64, st->out_address[k]);
        g_string_append_printf(out, " cycles=%" PRIu64, in->count);
        break;
    case INSN_SYNC_WAIT:
        print_wait(s, p, in, out);
        break;
    case INSN_HOST_OPERATOR:
    case INSN_SYNC_SET:
    case N_INSN:
        break;
    }
}

/* A layer in full the first time, then by its name: groups come back to it. */
static void print_layer(const struct plan *p, const struct plan_layer *l, bool again, GString *out)
{
    g_string_append_printf(out, "# %d %s", l->index, l->name);
    if (!again)
        g_string_append_printf(out, ": %s -> %s", l->op, l->shape);
    if (!again && l->kind == LAYER_MATRIX)
        g_string_append_printf(out,
                               ", %" PRId64 " x (M %" PRId64 ", N %" PRId64 ", K %" PRId64
                               "), blocks of %" PRId64 " rows, order %s, %s accumulators",
                               l->gemm.groups, l->gemm.m, l->gemm.n, l->gemm.k,
                               systolic_choice(l)->block_m,
                               systolic_loop_order_names[systolic_choice(l)->order],
                               systolic_choice(l)->double_buffer ? "double-buffered" : "single");
    if (!again && l->kind == LAYER_MATRIX && !systolic_choice(l)->double_buffer &&
        systolic_choice(l)->parts > 1)
        g_string_append_printf(out, " in %" PRId64 " parts", systolic_choice(l)->parts);
    if (!again && l->resident)
        g_string_append_printf(out, ", weights stay in the unified buffer");
    if (!again && l->streamed)
        g_string_append_printf(out, ", %" PRIu64 " bytes of weights over the host link",
                               plan_streamed_bytes(l));
    if (!again && l->n_turn > 1)
        g_string_append_printf(out, ", %" PRId64 " images at a time in turn with layers %d to %d",
                               l->chunk_image, p->groups[l->group].first, p->groups[l->group].last);
    g_string_append_c(out, '\n');
}

char *systolic_print(const void *self, const struct plan *p)
{
    GString *out = g_string_new(NULL);
    g_autofree bool *seen = g_new0(bool, (gsize)p->n_layer);
    int layer = -1;
    uint64_t i = 0;
    struct insn in;
    for (size_t at = 0; systolic_program_next(p->program, &at, ALL_OPS, &in); i++) {
        if (in.layer != layer) {
            layer = in.layer;
            print_layer(p, &p->layers[layer], seen[layer], out);
            seen[layer] = true;
        }
        g_string_append_printf(out, "%6" PRIu64 "  ", i);
        systolic_insn_print(self, p, &in, out);
        g_string_append_c(out, '\n');
    }
    return g_string_free(out, FALSE);
}
