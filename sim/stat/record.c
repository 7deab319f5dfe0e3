/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/stat/record.h"

#include <glib.h>
#include <string.h>

#include "sim/base/arena.h"
#include "sim/base/error.h"
#include "sim/base/size.h"

const char *const record_bound_names[] = {
    [BOUND_NONE] = NULL,         [BOUND_COMPUTE] = "compute", [BOUND_MEMORY] = "memory",
    [BOUND_LATENCY] = "latency", [BOUND_SYNC] = "sync",
};
_Static_assert(sizeof(record_bound_names) / sizeof(record_bound_names[0]) == BOUND_SYNC + 1,
               "a name for every bound");

static const double J_PER_PJ = 1e-12;

/* A layer's arrays follow one another in a block of 8-byte words. */
static size_t words_of_layer(const struct record *r)
{
    const size_t bytes_words = sizeof(struct record_bytes) / sizeof(uint64_t);
    return (size_t)r->n_cause + 2 * bytes_words * (size_t)r->n_memory + (size_t)r->n_component;
}

struct record_layer *record_layers_new(struct arena *arena, const struct record *r, int n)
{
    const size_t n_word = words_of_layer(r);
    struct record_layer *layers = ARENA_ARRAY(arena, struct record_layer, (size_t)n);
    uint64_t *at = arena_alloc_array(arena, (size_t)n, n_word * sizeof(*at));
    for (int i = 0; i < n; i++, at += n_word) {
        struct record_layer *l = &layers[i];
        l->stall_cyc = at;
        l->bytes = (struct record_bytes *)(l->stall_cyc + r->n_cause);
        l->compulsory = l->bytes + r->n_memory;
        l->energy_pj = (double *)(l->compulsory + r->n_memory);
    }
    return layers;
}

bool record_layers_bytes(const struct record *r, int n, size_t *bytes)
{
    return size_mul(bytes, (size_t)n,
                    sizeof(struct record_layer) + words_of_layer(r) * sizeof(uint64_t)) &&
           size_add(bytes, *bytes, 2 * ARENA_ALIGN_BYTES);
}

/* The same n elements where there is room for one more: it doubles at each power of two. */
static void *grown(struct arena *arena, void *array, int n, size_t elem_bytes)
{
    if (n & (n - 1))
        return array;
    void *larger = arena_alloc_array(arena, (size_t)MAX(2 * n, 1), elem_bytes);
    return n > 0 ? memcpy(larger, array, (size_t)n * elem_bytes) : larger;
}

void record_add_unit(struct record *r, const struct record_unit *u)
{
    struct record_unit *added;
    r->units = grown(r->arena, r->units, r->n_unit, sizeof(*r->units));
    added = &r->units[r->n_unit++];
    *added = *u;
    added->stall_cyc = ARENA_ARRAY(r->arena, uint64_t, (size_t)u->n_cause);
    for (int i = 0; i < u->n_cause; i++)
        added->stall_cyc[i] = u->stall_cyc[i];
}

void record_add_scalar(struct record *r, const struct stat_desc *desc, struct record_value v)
{
    r->scalars = grown(r->arena, r->scalars, r->n_scalar, sizeof(*r->scalars));
    r->scalars[r->n_scalar++] = (struct record_scalar){desc, v};
}

struct record_value *record_add_table(struct record *r, struct record_layer *l,
                                      const struct record_table_desc *desc, int n_row,
                                      GError **error)
{
    struct record_table **tables = l ? &l->tables : &r->tables;
    int *n_table = l ? &l->n_table : &r->n_table;
    struct record_value *cells = NULL;
    size_t bytes;
    if (size_mul(&bytes, (size_t)n_row, (size_t)desc->n_column) &&
        size_mul(&bytes, bytes, sizeof(*cells)))
        cells = arena_try_alloc(r->arena, bytes);
    if (!cells) {
        error_set(error, ERROR_LIMIT, "no memory for the %d rows of table '%s'", n_row, desc->name);
        return NULL;
    }
    *tables = grown(r->arena, *tables, *n_table, sizeof(**tables));
    (*tables)[(*n_table)++] = (struct record_table){desc, n_row, cells};
    return cells;
}

bool record_saturated(const struct record *r, uint64_t *n)
{
    bool has = false;
    *n = 0;
    for (int i = 0; i < r->n_layer; i++) {
        has |= r->layers[i].has_saturated;
        *n += r->layers[i].saturated;
    }
    return has;
}

uint64_t record_host_cyc(const struct record *r)
{
    uint64_t sum = 0;
    for (int i = 0; i < r->n_layer; i++)
        sum += r->layers[i].host_cyc;
    return sum;
}

uint64_t record_macs(const struct record *r)
{
    uint64_t sum = 0;
    for (int i = 0; i < r->n_layer; i++)
        sum += r->layers[i].macs;
    return sum;
}

double record_layer_energy_j(const struct record *r, const struct record_layer *l)
{
    double sum_pj = 0;
    for (int i = 0; i < r->n_component; i++)
        sum_pj += l->energy_pj[i];
    return sum_pj * J_PER_PJ;
}

double record_energy_j(const struct record *r)
{
    double sum_j = 0;
    for (int i = 0; i < r->n_layer; i++)
        sum_j += record_layer_energy_j(r, &r->layers[i]);
    return sum_j;
}

double record_seconds(const struct record *r)
{
    return r->clock_hz > 0 ? (double)r->total_cyc / r->clock_hz : 0;
}

bool record_is_dram(const struct record *r, int i_memory)
{
    bool has_own = false;
    for (int i = 0; i < r->n_memory; i++)
        has_own |= r->memory_place[i] == PLACE_OFF_CHIP;
    return r->memory_place[i_memory] == (has_own ? PLACE_OFF_CHIP : PLACE_HOST);
}

struct record_bytes record_dram_bytes(const struct record *r, const struct record_bytes *bytes)
{
    struct record_bytes sum = {0, 0};
    for (int i = 0; i < r->n_memory; i++) {
        sum.read += record_is_dram(r, i) ? bytes[i].read : 0;
        sum.write += record_is_dram(r, i) ? bytes[i].write : 0;
    }
    return sum;
}

struct record_bytes record_off_chip_bytes(const struct record *r, const struct record_bytes *bytes)
{
    struct record_bytes sum = {0, 0};
    for (int i = 0; i < r->n_memory; i++) {
        sum.read += r->memory_place[i] != PLACE_ON_CHIP ? bytes[i].read : 0;
        sum.write += r->memory_place[i] != PLACE_ON_CHIP ? bytes[i].write : 0;
    }
    return sum;
}

struct record_bytes record_memory_bytes(const struct record *r, int i_memory)
{
    g_assert(i_memory >= 0 && i_memory < r->n_memory);
    struct record_bytes sum = {0, 0};
    for (int i = 0; i < r->n_layer; i++) {
        sum.read += r->layers[i].bytes[i_memory].read;
        sum.write += r->layers[i].bytes[i_memory].write;
    }
    return sum;
}

struct record_bytes record_compulsory_bytes(const struct record *r, int i_memory)
{
    g_assert(i_memory >= 0 && i_memory < r->n_memory);
    struct record_bytes sum = {0, 0};
    for (int i = 0; i < r->n_layer; i++) {
        sum.read += r->layers[i].compulsory[i_memory].read;
        sum.write += r->layers[i].compulsory[i_memory].write;
    }
    return sum;
}

uint64_t record_bound_cyc(const struct record *r)
{
    uint64_t bound_cyc = 0;
    for (int i = 0; i < r->n_layer; i++)
        bound_cyc += r->layers[i].bound_cyc;
    for (int i = 0; i < r->n_memory; i++) {
        const struct record_bytes bytes = record_compulsory_bytes(r, i);
        const double rate = r->memory_bytes_per_cyc[i];
        if (rate > 0)
            bound_cyc =
                MAX(bound_cyc, (uint64_t)(((double)bytes.read + (double)bytes.write) / rate));
    }
    return bound_cyc;
}

double record_gap(uint64_t cycles, uint64_t bound_cyc)
{
    return bound_cyc > 0 ? (double)cycles / (double)bound_cyc - 1 : -1;
}

static double utilization(uint64_t macs, uint64_t cycles, double peak_macs_per_cycle)
{
    double possible_macs = (double)cycles * peak_macs_per_cycle;
    return possible_macs > 0 ? (double)macs / possible_macs : 0;
}

double record_layer_utilization(const struct record_layer *l)
{
    return utilization(l->macs, l->cycles, l->peak_macs_per_cycle);
}

double record_utilization(const struct record *r)
{
    return utilization(record_macs(r), r->total_cyc, r->peak_macs_per_cycle);
}
