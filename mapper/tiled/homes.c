/* SPDX-License-Identifier: Apache-2.0 */
/* Where activations live, and where everything lies in the activation memory and outside it. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "mapper/tiled/homes.h"
#include "mapper/plan_input.h"
#include "mapper/tiled/mapping_asked.h"
#include "mapper/tiled/rooms.h"
#include "sim/base/error.h"
#include "sim/base/size.h"

/* Where everything lies in the activation memory: values that stay for their lifetime, and slots
 * for chunks of those that do not. */

const struct plan_slot *homes_slot(const struct plan *p, const struct plan_layer *l, int value)
{
    const struct plan_group *g = &p->groups[l->group];
    for (int i = g->first_slot; i < g->first_slot + g->n_slot; i++)
        if (p->slots[i].value == value)
            return &p->slots[i];
    return NULL;
}

/* Pixels of an image of a chunk's value, and channels of each: those of the output's chunk, or as
 * many of an input as the middle of an image needs, where no edge is cut off. */
static int64_t slot_elements(const struct plan *p, const struct plan_layer *l, int value)
{
    const struct dims o = plan_dims(p, l->out), d = plan_dims(p, value);
    if (l->chunk_row == o.h && l->chunk_col == o.w && l->chunk_channel == o.c)
        return dims_image(&d);
    if (plan_output_of(l, value) >= 0)
        return l->chunk_row * (l->chunk_col == o.w ? d.w : l->chunk_col) *
               (l->chunk_channel == o.c ? d.c : l->chunk_channel);
    int j = 0;
    while (l->in[j] != value)
        j++;
    if (plan_is_mapped(p, l, j))
        return dims_image(&d);
    struct region r = {.n_image = 1, .n_channel = l->chunk_channel}, needed = r;
    int64_t rows = 0, cols = 0;
    for (; r.row < o.h; r.row += l->chunk_row) {
        r.n_row = MIN(l->chunk_row, o.h - r.row);
        needed = plan_input_pixels(p, l, j, &r);
        rows = MAX(rows, needed.n_row);
    }
    for (; r.col < o.w; r.col += l->chunk_col) {
        r.n_col = MIN(l->chunk_col, o.w - r.col);
        needed = plan_input_pixels(p, l, j, &r);
        cols = MAX(cols, needed.n_col);
    }
    return rows * cols * needed.n_channel;
}

/* For how many images of a layer's chunk how many of an operand's are needed: the last that was
 * asked for. */
struct slot_need {
    int64_t chunk_image, chunk_row, n_image;
};

/* Images of a chunk's value. */
static int64_t slot_images(const struct plan *p, const struct plan_layer *l, int value)
{
    int j = 0;
    while (j < l->n_in && l->in[j] != value)
        j++;
    if (j == l->n_in || plan_output_of(l, value) >= 0 || !plan_is_mapped(p, l, j))
        return l->chunk_image;
    struct slot_need *need = &p->slot_needs[l->first_operand + j];
    if (need->chunk_image == l->chunk_image && need->chunk_row == l->chunk_row && l->n_turn <= 1)
        return need->n_image;
    int64_t most = 0;
    for (int64_t i = 0; i < plan_n_chunk(p, l); i++) {
        const struct region r = plan_chunk(p, l, i);
        int64_t skip;
        most = MAX(most, plan_input_region(p, l, j, &r, &skip).n_image);
    }
    if (l->n_turn <= 1)
        *need = (struct slot_need){l->chunk_image, l->chunk_row, most};
    return most;
}

uint64_t homes_slot_bytes(const struct plan *p, const struct plan_layer *l,
                          const struct plan_slot *slot)
{
    return rooms_align(
        (uint64_t)(slot_images(p, l, slot->value) * slot_elements(p, l, slot->value) *
                   plan_element_bytes(p, slot->value)));
}

int64_t homes_slot_n_shared(const struct plan *p, const struct plan_layer *l,
                            const struct plan_slot *slot)
{
    const bool shares = plan_output_of(l, slot->value) < 0 && plan_needs_all_channels(p, l);
    return shares ? plan_n_chunk_of_pixels(p, l) : 1;
}

int homes_slot_n_copy(const struct plan *p, const struct plan_layer *l,
                      const struct plan_slot *slot)
{
    return slot->crosses && plan_n_chunk(p, l) > homes_slot_n_shared(p, l, slot) ? 2 : 1;
}

bool homes_chunk_fits(const struct plan *p, const struct plan_layer *l)
{
    const struct plan_group *g = &p->groups[l->group];
    for (int i = g->first_slot; i < g->first_slot + g->n_slot; i++) {
        const struct plan_slot *slot = &p->slots[i];
        if (homes_slot_bytes(p, l, slot) * (uint64_t)homes_slot_n_copy(p, l, slot) >
            slot->room_bytes)
            return false;
    }
    return true;
}

static uint64_t layer_stage_bytes(const struct plan *p, const struct plan_layer *l)
{
    const struct plan_group *g = &p->groups[l->group];
    uint64_t sum = 0;
    for (int i = g->first_slot; i < g->first_slot + g->n_slot; i++)
        sum +=
            homes_slot_bytes(p, l, &p->slots[i]) * (uint64_t)homes_slot_n_copy(p, l, &p->slots[i]);
    return sum;
}

static void add_slot(struct plan *p, struct plan_group *g, int value)
{
    if (p->homes[value].resident || homes_slot(p, &p->layers[g->first], value))
        return;
    p->slots[p->n_slot++] = (struct plan_slot){.value = value, .crosses = !plan_is_local(p, value)};
    g->n_slot++;
}

/* Whether an earlier layer of the group, or an earlier operand, makes the value or reads it. */
static bool seen_in_group(const struct plan *p, const struct plan_layer *l, int i_in)
{
    const int value = l->in[i_in];
    for (int j = 0; j < i_in; j++)
        if (l->in[j] == value)
            return true;
    for (int i = p->groups[l->group].first; i < l->index; i++) {
        if (plan_output_of(&p->layers[i], value) >= 0)
            return true;
        for (int j = 0; j < p->layers[i].n_in; j++)
            if (p->layers[i].in[j] == value)
                return true;
    }
    return false;
}

static void find_crossings(struct plan *p, struct plan_layer *l)
{
    l->loads = 0;
    for (int j = 0; j < l->n_in; j++) {
        const struct home *h = &p->homes[l->in[j]];
        const bool first = !seen_in_group(p, l, j);
        if (first && (!h->resident || (h->loaded && h->first_layer == l->index)))
            l->loads |= UINT32_C(1) << j;
    }
    l->stores = 0;
    for (int k = 0; k < l->n_out; k++) {
        const struct home *out = &p->homes[l->outs[k]];
        if (out->stored || (!out->resident && !plan_is_local(p, l->outs[k])))
            l->stores |= UINT32_C(1) << k;
    }
}

static void place_slots(struct plan *p)
{
    p->n_slot = 0;
    for (int i = 0; i < p->n_group; i++) {
        struct plan_group *g = &p->groups[i];
        g->first_slot = p->n_slot;
        g->n_slot = 0;
        for (int j = g->first; j <= g->last && p->layers[j].kind != LAYER_HOST; j++) {
            struct plan_layer *l = &p->layers[j];
            for (int k = 0; k < l->n_in; k++)
                add_slot(p, g, l->in[k]);
            for (int k = 0; k < l->n_out; k++)
                add_slot(p, g, l->outs[k]);
            find_crossings(p, l);
        }
    }
}

/* A group comes back to its first layer when it is through with its last: what any of them needs
 * as a whole must be there all the time. */
static struct room room_of_value(const struct plan *p, int v)
{
    const struct home *h = &p->homes[v];
    return (struct room){.value = v,
                         .slot = -1,
                         .weights = -1,
                         .bytes = h->size_bytes,
                         .first = p->groups[p->layers[h->first_layer].group].first,
                         .last = p->groups[p->layers[h->last_layer].group].last};
}

static struct room room_of_slot(const struct plan *p, const struct plan_group *g, int slot)
{
    const struct plan_slot *s = &p->slots[slot];
    const struct plan_layer *l = &p->layers[g->first];
    const struct home *h = &p->homes[s->value];
    return (struct room){.value = -1,
                         .slot = slot,
                         .weights = -1,
                         .bytes = homes_slot_bytes(p, l, s) * (uint64_t)homes_slot_n_copy(p, l, s),
                         .first = s->crosses ? g->first : h->first_layer,
                         .last = s->crosses ? g->last : h->last_layer};
}

/* From the first group that reads them to the last: a group comes back to each of its layers. */
static struct room room_of_weights(const struct plan *p, const struct plan_layer *l)
{
    int last = l->index;
    for (int i = l->index; i < p->n_layer; i++)
        if (p->layers[i].resident && p->layers[i].weights_of == l->index)
            last = i;
    return (struct room){.value = -1,
                         .slot = -1,
                         .weights = l->index,
                         .bytes = rooms_align(l->stored_bytes),
                         .first = p->groups[l->group].first,
                         .last = p->groups[p->layers[last].group].last};
}

static void collect(const struct plan *p, GArray *rooms)
{
    for (int i = 0; i < p->n_layer; i++) {
        if (!p->layers[i].resident || p->layers[i].weights_of != i)
            continue;
        const struct room it = room_of_weights(p, &p->layers[i]);
        g_array_append_val(rooms, it);
    }
    for (int v = 0; v < p->graph->n_value; v++) {
        if (!p->homes[v].used || !p->homes[v].resident)
            continue;
        const struct room it = room_of_value(p, v);
        g_array_append_val(rooms, it);
    }
    for (int i = 0; i < p->n_group; i++) {
        const struct plan_group *g = &p->groups[i];
        for (int j = g->first_slot; j < g->first_slot + g->n_slot; j++) {
            const struct room it = room_of_slot(p, g, j);
            g_array_append_val(rooms, it);
        }
    }
}

uint64_t homes_capacity(const struct plan *p)
{
    const uint64_t size = machine_memory(p->machine, ROLE_ACTIVATIONS)->size_bytes;
    if (!machine_shares_weights(p->machine) || p->weight_bytes >= size)
        return size; /* too many weights are told elsewhere */
    return size - p->weight_bytes;
}

static bool place_all(struct plan *p, int *first, int *last)
{
    g_autoptr(GArray) rooms = g_array_new(FALSE, TRUE, sizeof(struct room));
    collect(p, rooms);
    struct room *r = (struct room *)(void *)rooms->data;
    const struct room *stuck =
        rooms_place(r, rooms->len, p->n_layer, homes_capacity(p), &p->activation_bytes);
    if (stuck) {
        *first = stuck->first;
        *last = stuck->last;
        return false;
    }
    for (guint i = 0; i < rooms->len; i++) {
        if (r[i].weights >= 0) {
            p->layers[r[i].weights].resident_address = r[i].address;
        } else if (r[i].value >= 0) {
            p->homes[r[i].value].address = r[i].address;
        } else {
            p->slots[r[i].slot].address = r[i].address;
            p->slots[r[i].slot].room_bytes = r[i].bytes;
        }
    }
    for (int i = 0; i < p->n_layer; i++) /* whoever reads the same weights finds them there */
        if (p->layers[i].resident)
            p->layers[i].resident_address = p->layers[p->layers[i].weights_of].resident_address;
    return true;
}

/* Where activations live. Every activation starts as resident for its lifetime. What does not fit
 * makes the largest activation alive beside it move to the host, from where its layers stream it
 * through slots, in chunks of images or, where one image is too large, of rows. */

static void extend(struct home *h, int layer)
{
    if (!h->used) {
        h->used = true;
        h->resident = true;
        h->first_layer = layer;
    }
    h->last_layer = layer;
}

/* The content of a state in the step after is wanted by the host's memory, where states are. */
static void store(struct plan *p, int value)
{
    struct home *h = &p->homes[p->roots[value]];
    h->stored = !h->loaded;
}

/* Who makes a value decides whether it has to come from the host, who wants it whether it goes. */
static void find_transfers(struct plan *p)
{
    for (int v = 0; v < p->graph->n_value; v++)
        p->homes[v].loaded = true;
    for (int i = 0; i < p->n_layer; i++)
        for (int k = 0; k < p->layers[i].n_out; k++)
            p->homes[p->layers[i].outs[k]].loaded = p->layers[i].kind == LAYER_HOST;
    for (int i = 0; i < p->graph->n_output; i++)
        store(p, p->graph->outputs[i]);
    for (int i = 0; i < p->graph->n_state; i++)
        store(p, p->graph->values[p->graph->states[i]].next);
}

/* What the network is given or gives and what the host reads or makes is where the host has it. */
static void find_outsides(struct plan *p)
{
    for (int i = 0; i < p->n_layer; i++)
        for (int j = 0; p->layers[i].kind == LAYER_HOST && j < p->layers[i].n_in; j++)
            p->homes[p->layers[i].in[j]].host_reads = true;
    for (int v = 0; v < p->graph->n_value; v++) {
        struct home *h = &p->homes[v];
        const bool known = h->loaded || h->stored || h->host_reads;
        h->outside = machine_index(p->machine, known ? ROLE_INPUTS : ROLE_SPILL);
    }
}

static void find_lifetimes(struct plan *p)
{
    for (int i = 0; i < p->n_layer; i++) {
        const struct plan_layer *l = &p->layers[i];
        for (int j = 0; j < l->n_in; j++) {
            struct home *h = &p->homes[l->in[j]];
            /* A layer on the host reads copies; what it reads must last until it is copied. */
            if (l->kind != LAYER_HOST || (h->used && !h->loaded))
                extend(h, i);
        }
        for (int k = 0; k < l->n_out && l->kind != LAYER_HOST; k++)
            extend(&p->homes[l->outs[k]], i);
    }
    for (int v = 0; v < p->graph->n_value; v++) {
        if (!p->homes[v].used)
            continue;
        struct dims d = plan_dims(p, v);
        p->homes[v].size_bytes = rooms_align((uint64_t)(d.n * plan_image_bytes(p, v)));
    }
}

void homes_find(struct plan *p)
{
    size_t n_operand = 0;
    p->homes = ARENA_ARRAY(p->arena, struct home, p->graph->n_value);
    p->groups = ARENA_ARRAY(p->arena, struct plan_group, p->n_layer);
    p->n_group = p->n_layer;
    for (int i = 0; i < p->n_layer; i++) {
        p->groups[i] = (struct plan_group){.first = i, .last = i};
        p->layers[i].group = i;
        p->layers[i].first_operand = (int)n_operand;
        n_operand += (size_t)(p->layers[i].n_in + p->layers[i].n_out);
    }
    p->slots = ARENA_ARRAY(p->arena, struct plan_slot, n_operand);
    p->slot_needs = ARENA_ARRAY(p->arena, struct slot_need, n_operand);
    find_transfers(p);
    find_outsides(p);
    find_lifetimes(p);
}

/* The largest resident activation alive in any of these layers, of those that a file does not want
 * on the chip, or of those that it does; -1: none. */
static int largest_beside(const struct plan *p, int first, int last, bool wanted)
{
    int found = -1;
    for (int v = 0; v < p->graph->n_value; v++) {
        const struct home *h = &p->homes[v];
        if (!h->used || !h->resident || wanted != (mapping_home(p->mapping, v) == MAPPING_CHIP))
            continue;
        const bool beside = p->groups[p->layers[h->first_layer].group].first <= last &&
                            first <= p->groups[p->layers[h->last_layer].group].last;
        if (beside && (found < 0 || h->size_bytes > p->homes[found].size_bytes))
            found = v;
    }
    return found;
}

static bool is_streamed(const struct plan *p, const struct plan_layer *l)
{
    return p->groups[l->group].n_slot > 0;
}

/* Half of a dimension that is cut in multiples of `unit`, where it is more than that. */
static int64_t half_of(int64_t part, int64_t unit)
{
    const int64_t half = int64_div_up(int64_div_up(part, 2), unit) * unit;
    return half < part ? half : part;
}

static void halve_rows(const struct plan *p, struct plan_layer *l)
{
    while (l->chunk_row > 1 && layer_stage_bytes(p, l) > homes_capacity(p))
        l->chunk_row = int64_div_up(l->chunk_row, 2);
}

/* Cycles of the memories: each chunk loads what it needs of the inputs, and where it has other
 * pixels than the one before its weights anew. */
static double pieces_cyc(const struct plan *p, const struct plan_layer *l)
{
    const double rate = machine_memory(p->machine, ROLE_WEIGHTS)->bytes_per_cyc;
    const int64_t n_chunk = plan_n_chunk(p, l), n_shared = plan_n_chunk_of_pixels(p, l);
    double cycles = rate > 0 && l->kind == LAYER_MATRIX
                        ? (double)l->stored_bytes * (double)(n_chunk / n_shared) / rate
                        : 0;
    for (int j = 0; j < l->n_in; j++) {
        const struct plan_slot *slot = homes_slot(p, l, l->in[j]);
        if (!slot)
            continue;
        const double loads = (double)(n_chunk / homes_slot_n_shared(p, l, slot));
        const struct dims d = plan_dims(p, l->in[j]);
        cycles += plan_outside_cyc(p, l->in[j]) * loads *
                  (double)(slot_images(p, l, l->in[j]) * slot_elements(p, l, l->in[j])) /
                  (double)(d.n * dims_image(&d));
    }
    return cycles;
}

/* With the layer's chunk_channel: as many images as fit, else rows of one, else columns of a row.
 * Whether any fit. */
static bool fit_pixels(const struct plan *p, struct plan_layer *l)
{
    const uint64_t capacity = homes_capacity(p);
    const struct dims o = plan_dims(p, l->out);
    l->chunk_image = 1;
    l->chunk_row = o.h;
    l->chunk_col = o.w;
    halve_rows(p, l);
    while (plan_cuts_columns(p, l) && l->chunk_col > 1 && layer_stage_bytes(p, l) > capacity)
        l->chunk_col = int64_div_up(l->chunk_col, 2);
    if (layer_stage_bytes(p, l) > capacity)
        return false;
    while (l->chunk_row == o.h && l->chunk_col == o.w && l->chunk_image < o.n) {
        const int64_t before = l->chunk_image;
        l->chunk_image = MIN(2 * before, o.n);
        if (layer_stage_bytes(p, l) <= capacity)
            continue;
        l->chunk_image = before;
        break;
    }
    return true;
}

/* Pieces of a row: by how many channels a chunk has, those that the memories take the fewest cycles
 * for. If there are none that fit, the smallest ones, and false. */
static bool cut_rows(const struct plan *p, struct plan_layer *l)
{
    const int64_t unit = l->kind == LAYER_MATRIX ? MAX(l->channel_unit, 1) : 1;
    struct plan_layer best = *l;
    double least = INFINITY;
    for (bool is_last = false; !is_last;) {
        if (fit_pixels(p, l) && pieces_cyc(p, l) < least) {
            least = pieces_cyc(p, l);
            best = *l;
        }
        const int64_t fewer = plan_cuts_channels(p, l) ? half_of(l->chunk_channel, unit) : 0;
        is_last = fewer == 0 || fewer == l->chunk_channel;
        l->chunk_channel = is_last ? l->chunk_channel : fewer;
    }
    if (!isinf(least))
        *l = best;
    return !isinf(least);
}

/* Whole images where they fit, else as many rows as do, else pieces of rows. */
static bool smallest_chunk(struct plan *p, struct plan_layer *l, int *unfuse, GError **error)
{
    const uint64_t capacity = homes_capacity(p);
    l->n_turn = 1;
    plan_chunk_whole(p, l);
    l->chunk_image = is_streamed(p, l) ? plan_chunk_unit(l) : l->chunk_image;
    if (layer_stage_bytes(p, l) <= capacity)
        return true;
    const struct node *pool = plan_layer_pool(p, l);
    if (pool) {
        *unfuse = pool->index;
        return false;
    }
    halve_rows(p, l);
    if (layer_stage_bytes(p, l) <= capacity)
        return true;
    const struct node *sum = plan_layer_sum(p, l);
    if (sum) {
        *unfuse = sum->index;
        return false;
    }
    if (l->permute || l->stationary_is_activation || l->broadcast) { /* the host can */
        *unfuse = l->nodes[0];
        return false;
    }
    if (cut_rows(p, l))
        return true;
    return error_set(error, ERROR_UNSUPPORTED,
                     "%s: layer '%s': %s needs %" PRIu64 " KiB of %s, which has %" PRIu64 " KiB",
                     p->graph->nodes[l->nodes[0]].origin, l->name,
                     plan_cuts_columns(p, l) || plan_cuts_channels(p, l)
                         ? "the smallest piece of one row of it"
                         : "one row of it",
                     (layer_stage_bytes(p, l) + 1023) / 1024,
                     machine_memory(p->machine, ROLE_ACTIVATIONS)->name, capacity / 1024);
}

/* Larger chunks load weights less often: doubles them as long as everything still fits. */
static void grow_chunks(struct plan *p)
{
    int first, last;
    for (int i = 0; i < p->n_layer; i++) {
        struct plan_layer *l = &p->layers[i];
        if (l->kind == LAYER_HOST || !plan_is_alone(p, l) || !is_streamed(p, l))
            continue;
        const struct dims o = plan_dims(p, l->out);
        while (l->chunk_row == o.h && l->chunk_image < o.n) {
            int64_t before = l->chunk_image;
            l->chunk_image = MIN(2 * before, o.n);
            if (place_all(p, &first, &last))
                continue;
            l->chunk_image = before;
            break;
        }
    }
    bool placed = place_all(p, &first, &last);
    g_assert(placed);
}

void homes_take_turns(const struct plan *p, struct plan_layer *l, int64_t images)
{
    const struct dims o = plan_dims(p, l->out);
    plan_chunk_whole(p, l);
    l->n_turn = int64_div_up(o.n, images);
    l->chunk_image = int64_div_up(o.n, l->n_turn);
}

/* A chunk more for the first group of several layers among these; false: there is none that has
 * more than an image in a chunk. */
static bool shrink_group(struct plan *p, int first, int last)
{
    for (int i = first; i <= last; i++) {
        struct plan_layer *l = &p->layers[i];
        const struct plan_group *g = &p->groups[l->group];
        if (plan_is_alone(p, l) || l->chunk_image == 1)
            continue;
        const int64_t batch = plan_dims(p, l->out).n;
        const int64_t image = MIN(l->chunk_image - 1, int64_div_up(batch, l->n_turn + 1));
        for (int j = g->first; j <= g->last; j++)
            homes_take_turns(p, &p->layers[j], image);
        return true;
    }
    return false;
}

static bool spill(struct plan *p, int first, int last, bool wanted)
{
    const int spilled = largest_beside(p, first, last, wanted);
    if (spilled >= 0)
        p->homes[spilled].resident = false;
    return spilled >= 0;
}

void homes_set_resident(struct plan *p, int layer, bool resident)
{
    for (int i = layer; i < p->n_layer; i++)
        if (p->layers[i].kind == LAYER_MATRIX && p->layers[i].weights_of == layer)
            p->layers[i].resident = resident;
}

/* The largest weights that stay during any of these layers are streamed instead. */
static bool drop_weights(struct plan *p, int first, int last)
{
    int found = -1;
    for (int i = 0; i < p->n_layer; i++) {
        const struct plan_layer *l = &p->layers[i];
        if (!l->resident || l->weights_of != i)
            continue;
        const struct room it = room_of_weights(p, l);
        if (it.first <= last && first <= it.last &&
            (found < 0 || l->stored_bytes > p->layers[found].stored_bytes))
            found = i;
    }
    if (found >= 0)
        homes_set_resident(p, found, false);
    return found >= 0;
}

/* What a file asks for goes last; mapping_kept() tells that it went. */
static bool make_room(struct plan *p, int first, int last)
{
    const bool asked = p->mapping && p->mapping->has_groups;
    return drop_weights(p, first, last) || (!asked && shrink_group(p, first, last)) ||
           spill(p, first, last, false) || (asked && shrink_group(p, first, last)) ||
           spill(p, first, last, true);
}

bool homes_fit(struct plan *p, int *unfuse, GError **error)
{
    *unfuse = -1;
    for (;;) {
        place_slots(p);
        for (int i = 0; i < p->n_layer; i++) {
            struct plan_layer *l = &p->layers[i];
            if (l->kind != LAYER_HOST && plan_is_alone(p, l) &&
                !smallest_chunk(p, l, unfuse, error))
                return false;
        }
        int first, last;
        if (place_all(p, &first, &last))
            break;
        if (!make_room(p, first, last)) /* for a group; a layer alone fits: smallest_chunk() */
            return p->mapping && mapping_no_room(p->mapping, p, first, last, error);
    }
    grow_chunks(p);
    return true;
}

struct homes_layout {
    struct plan_layer *layers;
    struct home *homes;
    struct plan_group *groups;
    struct plan_slot *slots;
    int n_group, n_slot;
};

struct homes_layout *homes_keep(const struct plan *p)
{
    struct homes_layout *l = g_new(struct homes_layout, 1);
    *l = (struct homes_layout){
        g_memdup2(p->layers, (gsize)p->n_layer * sizeof(*p->layers)),
        g_memdup2(p->homes, (gsize)p->graph->n_value * sizeof(*p->homes)),
        g_memdup2(p->groups, (gsize)p->n_group * sizeof(*p->groups)),
        g_memdup2(p->slots, (gsize)p->n_slot * sizeof(*p->slots)),
        p->n_group,
        p->n_slot,
    };
    return l;
}

void homes_restore(struct plan *p, const struct homes_layout *l)
{
    p->n_group = l->n_group;
    p->n_slot = l->n_slot;
    memcpy(p->layers, l->layers, (size_t)p->n_layer * sizeof(*p->layers));
    memcpy(p->homes, l->homes, (size_t)p->graph->n_value * sizeof(*p->homes));
    memcpy(p->groups, l->groups, (size_t)p->n_group * sizeof(*p->groups));
    if (p->n_slot)
        memcpy(p->slots, l->slots, (size_t)p->n_slot * sizeof(*p->slots));
}

void homes_layout_free(struct homes_layout *l)
{
    g_free(l->layers);
    g_free(l->homes);
    g_free(l->groups);
    g_free(l->slots);
    g_free(l);
}

/* Where what is not on the chip, or not all the time, lies in its memory outside. */

static bool is_ever_outside(const struct plan *p, int value)
{
    const struct home *h = &p->homes[value];
    return h->used && (h->loaded || h->stored || h->host_reads || !h->resident) &&
           !plan_is_local(p, value);
}

/* What the network is given is there from the begin of the run, and with what it gives to the end.
 */
static struct room room_outside(const struct plan *p, int value)
{
    struct room r = room_of_value(p, value);
    const struct home *h = &p->homes[value];
    r.first = h->loaded ? 0 : r.first;
    r.last = h->loaded || h->stored ? p->n_layer - 1 : r.last;
    return r;
}

/* Behind the parameters that lie in the same memory, those that are streamed among them. */
static uint64_t parameter_bytes(const struct plan *p, int memory)
{
    const struct machine *m = p->machine;
    return rooms_align((memory == machine_index(m, ROLE_WEIGHTS) ? p->weight_bytes : 0) +
                       (memory == machine_index(m, ROLE_INPUTS) ? p->streamed_bytes : 0));
}

static bool place_in(struct plan *p, int memory, GError **error)
{
    const struct machine_memory *m = &p->machine->memories[memory];
    const uint64_t before = parameter_bytes(p, memory);
    g_autoptr(GArray) rooms = g_array_new(FALSE, TRUE, sizeof(struct room));
    for (int v = 0; v < p->graph->n_value; v++) {
        if (!is_ever_outside(p, v) || p->homes[v].outside != memory)
            continue;
        const struct room r = room_outside(p, v);
        g_array_append_val(rooms, r);
    }
    uint64_t top = 0;
    struct room *r = (struct room *)(void *)rooms->data;
    const struct room *stuck = rooms_place(r, rooms->len, p->n_layer, UINT64_MAX, &top);
    g_assert(!stuck);
    for (guint i = 0; i < rooms->len; i++)
        p->homes[r[i].value].outside_address = before + r[i].address;
    if (m->size_bytes == 0 || before > m->size_bytes || before + top <= m->size_bytes)
        return true; /* too many weights are told elsewhere */
    return error_set(
        error, ERROR_UNSUPPORTED,
        "%s at batch %" PRId64 ": inputs, outputs and activations that find no room "
        "on the chip take %" PRIu64 " KiB of %s beside %" PRIu64 " KiB of parameters: %" PRIu64
        " KiB in all; %s has %" PRIu64 " KiB, memory.%s.size_kib",
        p->graph->name, p->graph->batch, (top + 1023) / 1024, m->name, (before + 1023) / 1024,
        (before + top + 1023) / 1024, p->machine->name, m->size_bytes / 1024, m->name);
}

bool homes_place_outside(struct plan *p, GError **error)
{
    const int inputs = machine_index(p->machine, ROLE_INPUTS),
              spill = machine_index(p->machine, ROLE_SPILL);
    return place_in(p, inputs, error) && (spill == inputs || place_in(p, spill, error));
}
