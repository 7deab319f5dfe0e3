/* SPDX-License-Identifier: Apache-2.0 */
/* State and timing rules. Each rule with its source is in docs/systolic.md. */
#include <math.h>

#include "arch/systolic/systolic_core.h"
#include "mapper/plan_input.h"
#include "mapper/values/host.h"
#include "mapper/values/permute.h"
#include "mapper/values/vector.h"
#include "sim/base/size.h"

void systolic_core_init(struct systolic_core *c, const struct systolic *s)
{
    const bool link = systolic_has_link(s);
    dram_init(&c->memory, s->memory, s->clock_hz);
    if (link)
        link_init(&c->host, s->cfg.host_bandwidth_gb_s, s->cfg.host_latency_ns, s->clock_hz);
    const uint64_t burst = systolic_burst_bytes(s);
    arbiter_init(&c->memory_ports, &c->memory, NULL, burst,
                 systolic_has_dram(s) || s->machine->keeps_weights);
    if (link)
        arbiter_init(&c->host_ports, NULL, &c->host, burst, true);
    dma_init(&c->dma, s->cfg.dma_setup_ns, s->clock_hz);
}

/* As long as a tile: where both are waited for, weights and activations have half of the bandwidth
 * each. But as much at least as one transaction moves: bursts of AXI and read requests of PCIe end
 * at 4 KiB (AMBA AXI, A3.4.1; PCI Express Base, Max_Read_Request_Size). */
uint64_t systolic_burst_bytes(const struct systolic *s)
{
    const uint64_t transaction_bytes = 4096;
    return MAX((uint64_t)(s->cfg.rows * s->cfg.cols) * number_bytes(s->native), transaction_bytes);
}

int64_t systolic_core_ports(const struct systolic *s)
{
    const int64_t ports = s->cfg.buffer_ports;
    return ports > 0 ? MIN(ports, s->cfg.n_array) : s->cfg.n_array;
}

uint64_t systolic_buffer_ready(struct systolic_core *c, const struct systolic *s, uint64_t cycles,
                               uint64_t now_cyc)
{
    const uint64_t ports = (uint64_t)systolic_core_ports(s);
    if (ports == (uint64_t)s->cfg.n_array)
        return now_cyc + cycles;
    c->buffer_busy_ports = MAX(c->buffer_busy_ports, now_cyc * ports) + cycles;
    return MAX(now_cyc + cycles, (c->buffer_busy_ports + ports - 1) / ports);
}

uint64_t systolic_share_cyc(const struct systolic *s, uint64_t cycles)
{
    const uint64_t n = (uint64_t)s->cfg.n_array;
    return (cycles + n - 1) / n;
}

void systolic_core_clear(struct systolic_core *c)
{
    arbiter_clear(&c->memory_ports);
    arbiter_clear(&c->host_ports);
    dram_clear(&c->memory);
}

/* Pieces of native width that an operand is cut into. */
static uint64_t pieces(const struct systolic *s, enum number n)
{
    return (uint64_t)int64_div_up(number_bits[n], number_bits[s->native]);
}

uint64_t systolic_tile_bytes(const struct systolic *s, const struct plan_layer *l)
{
    return (uint64_t)(s->cfg.rows * s->cfg.cols) * number_bytes(l->weight_format);
}

int64_t systolic_tile_pitch(const struct systolic *s, const struct plan_layer *l, int64_t i_n)
{
    const int64_t cols = s->cfg.cols;
    return s->cfg.edge == EDGE_TRIMMED && !l->stationary_is_activation
               ? MIN(cols, l->gemm.n - i_n * cols)
               : cols;
}

uint64_t systolic_tile_address(const struct systolic *s, const struct plan_layer *l, int64_t group,
                               int64_t i_n, int64_t i_k)
{
    const int64_t rows = s->cfg.rows, cols = s->cfg.cols;
    int64_t k = l->gemm.k, n = l->gemm.n;
    if (s->cfg.edge == EDGE_FULL || l->stationary_is_activation) {
        k = int64_div_up(k, rows) * rows;
        n = int64_div_up(n, cols) * cols;
    }
    const int64_t before =
        (group * n + i_n * cols) * k + i_k * rows * systolic_tile_pitch(s, l, i_n);
    return l->weight_address + (uint64_t)before * number_bytes(l->weight_format);
}

struct arbiter *systolic_weight_ports(struct systolic_core *c, const struct plan_layer *l)
{
    return l->streamed ? &c->host_ports : &c->memory_ports;
}

struct arbiter *systolic_transfer_ports(struct systolic_core *c, const struct systolic *s,
                                        const struct plan *p, int value)
{
    return systolic_crosses_link(s, p, value) ? &c->host_ports : &c->memory_ports;
}

uint64_t systolic_read_row(struct systolic_core *c, const struct plan_layer *l,
                           const struct dram_request *r, uint64_t now_cyc)
{
    arbiter_catch_up(systolic_weight_ports(c, l), now_cyc);
    return l->streamed ? link_send(&c->host, r->bytes, now_cyc)
                       : dram_access(&c->memory, r, now_cyc);
}

uint64_t systolic_row_cyc(const struct systolic *s, enum number in, enum number weight)
{
    if (s->cfg.timing == TIMING_SCALESIM) /* which counts a product as one, whatever its format */
        return 1;
    return pieces(s, in) * pieces(s, weight);
}

uint64_t systolic_rows_cyc(const struct systolic *s, const struct plan *p,
                           const struct plan_layer *l, int64_t rows)
{
    return (uint64_t)rows * systolic_row_cyc(s, p->formats[l->in[0]], l->weight_format);
}

uint64_t systolic_sum_bytes(const struct plan *p, const struct plan_layer *l)
{
    return 4 * (uint64_t)plan_sum_words(p, l);
}

uint64_t systolic_shift_cyc(const struct systolic *s, const struct plan *p,
                            const struct plan_layer *l, int64_t rows)
{
    const bool is = s->cfg.dataflow == FLOW_IS;
    return (uint64_t)rows * pieces(s, is ? p->formats[l->in[0]] : l->weight_format);
}

/* Sums of a stream of ws or is leave below, as many rows after their inputs as the stream uses.
 * With os a block of sums is moved down, `rows` of them, once the lowest has its last product; they
 * are all gone, or have moved on to shadow registers, when the next block needs their place. */
uint64_t systolic_stream_start(const struct systolic *s, const struct in_array *before,
                               int64_t rows, uint64_t stream_cyc, bool begins, bool ends)
{
    uint64_t start = 0;
    if (!before->any)
        return 0;
    const uint64_t was = (uint64_t)before->rows, is = (uint64_t)rows;
    if (s->cfg.dataflow != FLOW_OS)
        return before->end_cyc + was > is ? before->end_cyc + was - is : 0;
    if (begins && !s->cfg.double_buffer)
        start = before->end_cyc + was - 1;
    const uint64_t end = before->end_cyc + was + (was > is ? was - is : 0);
    if (ends && end > stream_cyc)
        start = MAX(start, end - stream_cyc);
    return start;
}

uint64_t systolic_activate_cyc(const struct systolic *s, const struct plan *p,
                               const struct plan_layer *l, int64_t m)
{
    const int64_t values = s->cfg.activation_values ? s->cfg.activation_values : s->cfg.cols;
    const int64_t row_bytes =
        l->added ? s->cfg.cols * plan_element_bytes(p, l->in[l->added]) : 0; /* read beside */
    const int64_t path_cyc = 1 + int64_div_up(row_bytes, systolic_path_bytes(s));
    return (uint64_t)MAX(m * path_cyc, int64_div_up(m * s->cfg.cols, values));
}

bool systolic_shifts_sideways(const struct systolic *s, const struct plan_layer *l)
{
    return l->turned && s->cfg.shifts_sideways;
}

uint64_t systolic_buffer_tile_cyc(const struct systolic *s, const struct plan_layer *l,
                                  uint64_t bytes)
{
    if (l->turned && !s->cfg.shifts_sideways)
        return bytes / number_bytes(l->weight_format);
    return (uint64_t)int64_div_up((int64_t)bytes, systolic_path_bytes(s));
}

uint64_t systolic_host_cyc(const struct systolic *s, const struct plan *p,
                           const struct plan_layer *l)
{
    const struct host_work work = host_work(p, l);
    const double by_rate = s->cfg.host_gflops > 0 ? work.operations / s->cfg.host_gflops : 0;
    const double by_bytes = s->cfg.host_memory_gb_s > 0 ? work.bytes / s->cfg.host_memory_gb_s : 0;
    return (uint64_t)ceil(MAX(by_rate, by_bytes) * 1e-9 * s->clock_hz);
}

int64_t systolic_path_bytes(const struct systolic *s)
{
    return s->cfg.cols * (int64_t)number_bytes(s->native);
}

uint64_t systolic_pixel_cyc(const struct systolic *s, const struct plan *p,
                            const struct plan_layer *l, int i_in, const struct region *out)
{
    const int64_t c = plan_channels_read(p, l, i_in, out);
    return (uint64_t)int64_div_up(c * plan_element_bytes(p, l->in[i_in]), systolic_path_bytes(s));
}

uint64_t systolic_reads(const struct plan *p, const struct plan_layer *l)
{
    return (uint64_t)MAX(plan_layer_traits(p, l)->reads, 1);
}

uint64_t systolic_vector_cyc(const struct systolic *s, const struct plan *p,
                             const struct plan_step *st)
{
    const struct plan_layer *l = &p->layers[st->layer];
    const uint64_t reads = systolic_reads(p, l);
    uint64_t cycles = 0;
    if (l->permute)
        return permute_beats(p, l, &st->region, systolic_path_bytes(s), s->cfg.transposes);
    for (int j = 0; j < l->n_in; j++)
        cycles += (uint64_t)plan_pixels_read(p, l, j, &st->region) * reads *
                  systolic_pixel_cyc(s, p, l, j, &st->region);
    return cycles;
}

uint64_t systolic_shift_start(uint64_t arrival_cyc, uint64_t shadow_free_cyc)
{
    return MAX(arrival_cyc, shadow_free_cyc);
}
