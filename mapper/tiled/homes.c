/* SPDX-License-Identifier: Apache-2.0 */
/* Where activations live, and where everything lies in the activation memory. */
#include <inttypes.h>
#include <string.h>

#include "mapper/tiled/mapping.h"
#include "mapper/tiled/homes.h"
#include "sim/base/error.h"
#include "sim/base/size.h"

/* Where everything lies in the activation memory: values that stay for their lifetime, and slots
 * for chunks of those that do not. Addresses are given first-fit, largest first. */

/* Something that wants room: a value, a slot, or the weights of a layer that stay. */
struct item {
    int value, slot, weights; /* two of them -1 */
    uint64_t bytes, address;
    int first, last; /* layers, inclusive */
};

static uint64_t align_up(uint64_t bytes)
{
    return (bytes + HOMES_ALIGN_BYTES - 1) / HOMES_ALIGN_BYTES * HOMES_ALIGN_BYTES;
}

const struct plan_slot *homes_slot(const struct plan *p, const struct plan_layer *l, int value)
{
    const struct plan_group *g = &p->groups[l->group];
    for (int i = g->first_slot; i < g->first_slot + g->n_slot; i++)
        if (p->slots[i].value == value)
            return &p->slots[i];
    return NULL;
}

/* Rows of a chunk's value: those of the output's chunk, or as many of an input as the middle of an
 * image needs, where no edge is cut off. */
static int64_t slot_rows(const struct plan *p, const struct plan_layer *l, int value)
{
    const struct dims o = plan_dims(p, l->out);
    if (l->chunk_row == o.h)
        return plan_dims(p, value).h;
    if (plan_output_of(l, value) >= 0)
        return l->chunk_row;
    int j = 0;
    while (l->in[j] != value)
        j++;
    if (plan_is_mapped(p, l, j))
        return plan_dims(p, value).h;
    int64_t rows = 0;
    for (int64_t y = 0; y < o.h; y += l->chunk_row) {
        struct region r = {.n_image = 1, .row = y, .n_row = MIN(l->chunk_row, o.h - y)};
        int64_t row, n_row;
        plan_input_rows(p, l, j, &r, &row, &n_row);
        rows = MAX(rows, n_row);
    }
    return rows;
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
    return align_up((uint64_t)(slot_images(p, l, slot->value) * slot_rows(p, l, slot->value) *
                               plan_row_bytes(p, slot->value)));
}

int homes_slot_n_copy(const struct plan *p, const struct plan_layer *l,
                      const struct plan_slot *slot)
{
    return slot->crosses && plan_n_chunk(p, l) > 1 ? 2 : 1;
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

/* Items placed so far, in chains: by layer those that begin with it; and a segment tree over the
 * layers, n of them, whose node i has those that are there during all that lies below it, its
 * leaves from n on. An item overlaps what is there when it begins, and what begins before it ends.
 */
struct chained {
    int item, next; /* -1: the last */
};
struct placed {
    GArray *links;
    int n_layer;
    int *there, *begins; /* first links, by node and by layer; -1: none */
};

static void chain(struct placed *p, int *head, int item)
{
    const struct chained link = {item, *head};
    *head = (int)p->links->len;
    g_array_append_val(p->links, link);
}

static void note_placed(struct placed *p, const struct item *items, int i)
{
    chain(p, &p->begins[items[i].first], i);
    int left = items[i].first + p->n_layer, right = items[i].last + 1 + p->n_layer;
    for (; left < right; left /= 2, right /= 2) {
        if (left % 2)
            chain(p, &p->there[left++], i);
        if (right % 2)
            chain(p, &p->there[--right], i);
    }
}

/* Moves the item behind all of a chain that lie where it does; whether it did. */
static bool move_behind(const struct placed *p, int head, const struct item *items, struct item *it)
{
    bool moved = false;
    for (int i = head; i >= 0; i = g_array_index(p->links, struct chained, i).next) {
        const struct item *o = &items[g_array_index(p->links, struct chained, i).item];
        if (it->address < o->address + o->bytes && o->address < it->address + it->bytes) {
            it->address = o->address + o->bytes;
            moved = true;
        }
    }
    return moved;
}

/* The lowest address at which the item fits beside those placed before it. */
static bool place(struct placed *p, struct item *items, int i, uint64_t capacity_bytes)
{
    struct item *it = &items[i];
    it->address = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int node = it->first + p->n_layer; node > 0; node /= 2)
            moved = move_behind(p, p->there[node], items, it) || moved;
        for (int layer = it->first + 1; layer <= it->last; layer++)
            moved = move_behind(p, p->begins[layer], items, it) || moved;
    }
    note_placed(p, items, i);
    return it->bytes <= capacity_bytes && it->address <= capacity_bytes - it->bytes;
}

static int larger_first(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if ((x->weights < 0) != (y->weights < 0)) /* which can be streamed: where room is left */
        return x->weights < 0 ? -1 : 1;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    if (x->first != y->first)
        return x->first - y->first;
    return x->value != y->value       ? x->value - y->value
           : x->weights != y->weights ? x->weights - y->weights
                                      : x->slot - y->slot;
}

/* A group comes back to its first layer when it is through with its last: what any of them needs
 * as a whole must be there all the time. */
static struct item item_of_value(const struct plan *p, int v)
{
    const struct home *h = &p->homes[v];
    return (struct item){.value = v,
                         .slot = -1,
                         .weights = -1,
                         .bytes = h->size_bytes,
                         .first = p->groups[p->layers[h->first_layer].group].first,
                         .last = p->groups[p->layers[h->last_layer].group].last};
}

static struct item item_of_slot(const struct plan *p, const struct plan_group *g, int slot)
{
    const struct plan_slot *s = &p->slots[slot];
    const struct plan_layer *l = &p->layers[g->first];
    const struct home *h = &p->homes[s->value];
    return (struct item){.value = -1,
                         .slot = slot,
                         .weights = -1,
                         .bytes = homes_slot_bytes(p, l, s) * (uint64_t)homes_slot_n_copy(p, l, s),
                         .first = s->crosses ? g->first : h->first_layer,
                         .last = s->crosses ? g->last : h->last_layer};
}

/* From the first group that reads them to the last: a group comes back to each of its layers. */
static struct item item_of_weights(const struct plan *p, const struct plan_layer *l)
{
    int last = l->index;
    for (int i = l->index; i < p->n_layer; i++)
        if (p->layers[i].resident && p->layers[i].weights_of == l->index)
            last = i;
    return (struct item){.value = -1,
                         .slot = -1,
                         .weights = l->index,
                         .bytes = align_up(l->stored_bytes),
                         .first = p->groups[l->group].first,
                         .last = p->groups[p->layers[last].group].last};
}

static void collect(const struct plan *p, GArray *items)
{
    for (int i = 0; i < p->n_layer; i++) {
        if (!p->layers[i].resident || p->layers[i].weights_of != i)
            continue;
        const struct item it = item_of_weights(p, &p->layers[i]);
        g_array_append_val(items, it);
    }
    for (int v = 0; v < p->graph->n_value; v++) {
        if (!p->homes[v].used || !p->homes[v].resident)
            continue;
        const struct item it = item_of_value(p, v);
        g_array_append_val(items, it);
    }
    for (int i = 0; i < p->n_group; i++) {
        const struct plan_group *g = &p->groups[i];
        for (int j = g->first_slot; j < g->first_slot + g->n_slot; j++) {
            const struct item it = item_of_slot(p, g, j);
            g_array_append_val(items, it);
        }
    }
}

uint64_t homes_capacity(const struct plan *p)
{
    const struct machine *m = p->machine;
    const uint64_t own = m->memories[m->activation_memory].size_bytes;
    const uint64_t both = m->memories[m->weight_memory].size_bytes;
    if (!m->shares_memory || p->weight_bytes >= both) /* too many weights are told elsewhere */
        return own;
    return MIN(own, both - p->weight_bytes);
}

static bool place_items(struct plan *p, struct placed *placed, struct item *items, guint n,
                        int *first, int *last)
{
    const uint64_t capacity = homes_capacity(p);
    p->activation_bytes = 0;
    for (guint i = 0; i < n; i++) {
        if (!place(placed, items, (int)i, capacity)) {
            *first = items[i].first;
            *last = items[i].last;
            return false;
        }
        p->activation_bytes = MAX(p->activation_bytes, items[i].address + items[i].bytes);
        if (items[i].weights >= 0) {
            p->layers[items[i].weights].resident_address = items[i].address;
        } else if (items[i].value >= 0) {
            p->homes[items[i].value].address = items[i].address;
        } else {
            p->slots[items[i].slot].address = items[i].address;
            p->slots[items[i].slot].room_bytes = items[i].bytes;
        }
    }
    return true;
}

static bool place_all(struct plan *p, int *first, int *last)
{
    g_autoptr(GArray) items = g_array_new(FALSE, TRUE, sizeof(struct item));
    collect(p, items);
    g_array_sort(items, larger_first);
    g_autoptr(GArray) links = g_array_new(FALSE, FALSE, sizeof(struct chained));
    const size_t n = (size_t)p->n_layer;
    struct placed placed = {links, p->n_layer, g_new(int, 2 * n), g_new(int, n)};
    memset(placed.there, -1, 2 * n * sizeof(int));
    memset(placed.begins, -1, n * sizeof(int));
    const bool ok =
        place_items(p, &placed, (struct item *)(void *)items->data, items->len, first, last);
    g_free(placed.there);
    g_free(placed.begins);
    return ok;
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
        const uint64_t bytes = (uint64_t)(d.n * plan_image_bytes(p, v));
        p->homes[v].size_bytes =
            (bytes + HOMES_ALIGN_BYTES - 1) / HOMES_ALIGN_BYTES * HOMES_ALIGN_BYTES;
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

/* Whole images where they fit, else as many rows as do. */
static bool smallest_chunk(struct plan *p, struct plan_layer *l, int *unfuse, GError **error)
{
    const uint64_t capacity = homes_capacity(p);
    const struct dims o = plan_dims(p, l->out);
    l->n_turn = 1;
    l->chunk_image = is_streamed(p, l) ? plan_chunk_unit(l) : o.n;
    l->chunk_row = o.h;
    if (layer_stage_bytes(p, l) <= capacity)
        return true;
    const struct node *pool = plan_layer_pool(p, l);
    if (pool) {
        *unfuse = pool->index;
        return false;
    }
    for (l->chunk_row = o.h; l->chunk_row > 1 && layer_stage_bytes(p, l) > capacity;)
        l->chunk_row = int64_div_up(l->chunk_row, 2);
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
    return error_set(
        error, ERROR_UNSUPPORTED,
        "%s: layer '%s': one row of it needs %" PRIu64 " KiB of %s, which has %" PRIu64 " KiB",
        p->graph->nodes[l->nodes[0]].origin, l->name, (layer_stage_bytes(p, l) + 1023) / 1024,
        p->machine->memories[p->machine->activation_memory].name, capacity / 1024);
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
    l->n_turn = int64_div_up(o.n, images);
    l->chunk_image = int64_div_up(o.n, l->n_turn);
    l->chunk_row = o.h;
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
        const struct item it = item_of_weights(p, l);
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
