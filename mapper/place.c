/* SPDX-License-Identifier: Apache-2.0 */
/* Where everything lies in the activation memory: values that stay for their lifetime, and slots
 * for chunks of those that do not. Addresses are given first-fit, largest first. */
#include "mapper/passes.h"
#include "sim/base/size.h"

/* Something that wants room: a value, or a slot. */
struct item {
    int value; /* -1: a slot */
    int slot;
    uint64_t bytes, address;
    int first, last; /* layers, inclusive */
};

static uint64_t align_up(uint64_t bytes)
{
    return (bytes + PLACE_ALIGN_BYTES - 1) / PLACE_ALIGN_BYTES * PLACE_ALIGN_BYTES;
}

const struct plan_slot *slot_of(const struct plan *p, const struct plan_layer *l, int value)
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
    const struct dims o = dims_of(&p->graph->values[l->out].shape);
    if (l->chunk_row == o.h)
        return dims_of(&p->graph->values[value].shape).h;
    if (value == l->out)
        return l->chunk_row;
    int j = 0;
    while (l->in[j] != value)
        j++;
    if (plan_is_mapped(p, l, j))
        return dims_of(&p->graph->values[value].shape).h;
    int64_t rows = 0;
    for (int64_t y = 0; y < o.h; y += l->chunk_row) {
        struct region r = {.n_image = 1, .row = y, .n_row = MIN(l->chunk_row, o.h - y)};
        int64_t row, n_row;
        plan_input_rows(p, l, j, &r, &row, &n_row);
        rows = MAX(rows, n_row);
    }
    return rows;
}

/* Images of a chunk's value. */
static int64_t slot_images(const struct plan *p, const struct plan_layer *l, int value)
{
    int j = 0;
    while (j < l->n_in && l->in[j] != value)
        j++;
    if (j == l->n_in || value == l->out || !plan_is_mapped(p, l, j))
        return l->chunk_image;
    int64_t most = 0;
    for (int64_t i = 0; i < plan_n_chunk(p, l); i++) {
        const struct region r = plan_chunk(p, l, i);
        int64_t skip;
        most = MAX(most, plan_input_region(p, l, j, &r, &skip).n_image);
    }
    return most;
}

uint64_t slot_bytes(const struct plan *p, const struct plan_layer *l, const struct plan_slot *slot)
{
    return align_up((uint64_t)(slot_images(p, l, slot->value) * slot_rows(p, l, slot->value) *
                               plan_row_bytes(p, slot->value)));
}

int slot_n_copy(const struct plan *p, const struct plan_layer *l, const struct plan_slot *slot)
{
    return slot->crosses && plan_n_chunk(p, l) > 1 ? 2 : 1;
}

uint64_t layer_stage_bytes(const struct plan *p, const struct plan_layer *l)
{
    const struct plan_group *g = &p->groups[l->group];
    uint64_t sum = 0;
    for (int i = g->first_slot; i < g->first_slot + g->n_slot; i++)
        sum += slot_bytes(p, l, &p->slots[i]) * (uint64_t)slot_n_copy(p, l, &p->slots[i]);
    return sum;
}

static void add_slot(struct plan *p, struct plan_group *g, int value)
{
    if (p->homes[value].resident || slot_of(p, &p->layers[g->first], value))
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
        if (p->layers[i].out == value)
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
    const struct home *out = &p->homes[l->out];
    l->stores = out->stored || (!out->resident && !plan_is_local(p, l->out));
}

void place_slots(struct plan *p)
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
            add_slot(p, g, l->out);
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
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    if (x->first != y->first)
        return x->first - y->first;
    return x->value != y->value ? x->value - y->value : x->slot - y->slot;
}

/* A group comes back to its first layer when it is through with its last: what any of them needs
 * as a whole must be there all the time. */
static struct item item_of_value(const struct plan *p, int v)
{
    const struct home *h = &p->homes[v];
    return (struct item){.value = v,
                         .slot = -1,
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
                         .bytes = slot_bytes(p, l, s) * (uint64_t)slot_n_copy(p, l, s),
                         .first = s->crosses ? g->first : h->first_layer,
                         .last = s->crosses ? g->last : h->last_layer};
}

static void collect(const struct plan *p, GArray *items)
{
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

uint64_t place_capacity(const struct plan *p)
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
    const uint64_t capacity = place_capacity(p);
    p->activation_bytes = 0;
    for (guint i = 0; i < n; i++) {
        if (!place(placed, items, (int)i, capacity)) {
            *first = items[i].first;
            *last = items[i].last;
            return false;
        }
        p->activation_bytes = MAX(p->activation_bytes, items[i].address + items[i].bytes);
        if (items[i].value >= 0) {
            p->homes[items[i].value].address = items[i].address;
        } else {
            p->slots[items[i].slot].address = items[i].address;
            p->slots[items[i].slot].room_bytes = items[i].bytes;
        }
    }
    return true;
}

bool place_all(struct plan *p, int *first, int *last)
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
