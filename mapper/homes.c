/* SPDX-License-Identifier: Apache-2.0 */
/* Where activations live. Every activation starts as resident for its lifetime; addresses are
 * given first-fit, largest first. What does not fit makes the largest activation alive beside it
 * move to the host, from where its layers stream it through staging buffers, in chunks of images
 * or, where one image is too large, of rows. */
#include <inttypes.h>
#include <string.h>

#include "mapper/passes.h"
#include "sim/base/error.h"
#include "sim/base/size.h"

enum { ALIGN_BYTES = 256 }; /* a row of the widest path into the memory */

/* Something that wants room: an activation, or (value -1) the staging buffers of a layer. */
struct item {
    int value, layer;
    uint64_t bytes, address;
    int first, last; /* layers, inclusive */
};

static uint64_t align_up(uint64_t bytes)
{
    return (bytes + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
}

static void extend(struct home *h, int layer)
{
    if (!h->used) {
        h->used = true;
        h->resident = true;
        h->first_layer = layer;
    }
    h->last_layer = layer;
}

/* Who makes a value decides whether it has to come from the host, who wants it whether it goes. */
static void find_transfers(struct plan *p)
{
    for (int v = 0; v < p->graph->n_value; v++)
        p->homes[v].loaded = true;
    for (int i = 0; i < p->n_layer; i++)
        p->homes[p->layers[i].out].loaded = p->layers[i].kind == LAYER_HOST;
    for (int i = 0; i < p->graph->n_output; i++) {
        struct home *h = &p->homes[p->roots[p->graph->outputs[i]]];
        h->stored = !h->loaded;
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
        if (l->kind != LAYER_HOST)
            extend(&p->homes[l->out], i);
    }
    for (int v = 0; v < p->graph->n_value; v++) {
        if (!p->homes[v].used)
            continue;
        struct dims d = dims_of(&p->graph->values[v].shape);
        p->homes[v].size_bytes = align_up((uint64_t)(d.n * plan_image_bytes(p, v)));
    }
}

int64_t stage_slot_bytes(const struct plan *p, const struct plan_layer *l, int i_in)
{
    const int value = i_in < 0 ? l->out : l->in[i_in];
    if (p->homes[value].resident)
        return 0;
    int64_t rows = l->chunk_row;
    if (i_in >= 0) {
        /* The middle of an image needs the most rows: no edge is cut off. */
        const struct dims o = dims_of(&p->graph->values[l->out].shape);
        rows = 0;
        for (int64_t y = 0; y < o.h; y += l->chunk_row) {
            struct region r = {.n_image = 1, .row = y, .n_row = MIN(l->chunk_row, o.h - y)};
            int64_t row, n_row;
            plan_input_rows(p, l, i_in, &r, &row, &n_row);
            rows = MAX(rows, n_row);
        }
    }
    return (int64_t)align_up((uint64_t)(l->chunk_image * rows * plan_row_bytes(p, value)));
}

uint64_t layer_stage_bytes(const struct plan *p, const struct plan_layer *l)
{
    uint64_t sum = 0;
    for (int j = -1; j < l->n_in; j++)
        sum += (uint64_t)stage_slot_bytes(p, l, j);
    return plan_n_chunk(p, l) > 1 ? 2 * sum : sum;
}

static bool overlaps(const struct item *a, const struct item *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest address at which the item fits beside those placed before it. */
static bool place(struct item *items, int i, uint64_t capacity_bytes)
{
    struct item *it = &items[i];
    uint64_t address = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int j = 0; j < i; j++) {
            const struct item *o = &items[j];
            if (overlaps(it, o) && address < o->address + o->bytes &&
                o->address < address + it->bytes) {
                address = o->address + o->bytes;
                moved = true;
            }
        }
    }
    it->address = address;
    return it->bytes <= capacity_bytes && address <= capacity_bytes - it->bytes;
}

static int larger_first(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->first != y->first ? x->first - y->first : x->value - y->value;
}

/* Gives addresses to all. On failure *failed is the item that found no room. */
static bool place_all(struct plan *p, struct item *failed)
{
    const uint64_t capacity = p->machine->memories[p->machine->activation_memory].size_bytes;
    g_autoptr(GArray) items = g_array_new(FALSE, TRUE, sizeof(struct item));
    for (int v = 0; v < p->graph->n_value; v++) {
        const struct home *h = &p->homes[v];
        struct item it = {.value = v,
                          .layer = -1,
                          .bytes = h->size_bytes,
                          .first = h->first_layer,
                          .last = h->last_layer};
        if (h->used && h->resident)
            g_array_append_val(items, it);
    }
    for (int i = 0; i < p->n_layer; i++) {
        struct item it = {.value = -1, .layer = i, .first = i, .last = i};
        if (p->layers[i].kind != LAYER_HOST && (it.bytes = layer_stage_bytes(p, &p->layers[i])) > 0)
            g_array_append_val(items, it);
    }
    struct item *at = (struct item *)(void *)items->data;
    g_array_sort(items, larger_first);
    for (guint i = 0; i < items->len; i++) {
        if (!place(at, (int)i, capacity)) {
            *failed = at[i];
            return false;
        }
        if (at[i].value >= 0) {
            p->homes[at[i].value].address = at[i].address;
        } else {
            p->layers[at[i].layer].stage_address = at[i].address;
            p->layers[at[i].layer].stage_bytes = at[i].bytes;
        }
    }
    return true;
}

/* The largest resident activation alive together with the item; -1: none. */
static int largest_beside(const struct plan *p, const struct item *failed)
{
    int found = -1;
    for (int v = 0; v < p->graph->n_value; v++) {
        const struct home *h = &p->homes[v];
        const struct item it = {.first = h->first_layer, .last = h->last_layer};
        if (h->used && h->resident && overlaps(&it, failed) &&
            (found < 0 || h->size_bytes > p->homes[found].size_bytes))
            found = v;
    }
    return found;
}

bool layer_has_transfers(const struct plan *p, const struct plan_layer *l)
{
    const struct home *out = &p->homes[l->out];
    bool has = out->stored || !out->resident;
    for (int j = 0; j < l->n_in; j++) {
        const struct home *h = &p->homes[l->in[j]];
        has |= !h->resident || (h->loaded && h->first_layer == l->index);
    }
    return has;
}

static bool is_streamed(const struct plan *p, const struct plan_layer *l)
{
    for (int j = 0; j < l->n_in; j++)
        if (!p->homes[l->in[j]].resident)
            return true;
    return !p->homes[l->out].resident;
}

/* Whole images where they fit, else as many rows as do. */
static bool smallest_chunk(struct plan *p, struct plan_layer *l, int *unfuse, GError **error)
{
    const uint64_t capacity = p->machine->memories[p->machine->activation_memory].size_bytes;
    const struct dims o = dims_of(&p->graph->values[l->out].shape);
    l->chunk_image = is_streamed(p, l) ? 1 : o.n;
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
    return error_set(
        error, ERROR_UNSUPPORTED,
        "%s: layer '%s': one row of it needs %" PRIu64 " KiB of %s, which has %" PRIu64 " KiB",
        p->graph->nodes[l->nodes[0]].origin, l->name, (layer_stage_bytes(p, l) + 1023) / 1024,
        p->machine->memories[p->machine->activation_memory].name, capacity / 1024);
}

/* Larger chunks load weights less often: doubles them as long as everything still fits. */
static void grow_chunks(struct plan *p)
{
    struct item failed;
    for (int i = 0; i < p->n_layer; i++) {
        struct plan_layer *l = &p->layers[i];
        if (l->kind == LAYER_HOST || !is_streamed(p, l))
            continue;
        const struct dims o = dims_of(&p->graph->values[l->out].shape);
        while (l->chunk_row == o.h && l->chunk_image < o.n) {
            int64_t before = l->chunk_image;
            l->chunk_image = MIN(2 * before, o.n);
            if (place_all(p, &failed))
                continue;
            l->chunk_image = before;
            break;
        }
    }
    bool placed = place_all(p, &failed);
    g_assert(placed);
}

bool homes_place(struct plan *p, int *unfuse, GError **error)
{
    *unfuse = -1;
    p->homes = ARENA_ARRAY(p->arena, struct home, p->graph->n_value);
    find_transfers(p);
    find_lifetimes(p);
    for (;;) {
        for (int i = 0; i < p->n_layer; i++)
            if (p->layers[i].kind != LAYER_HOST && !smallest_chunk(p, &p->layers[i], unfuse, error))
                return false;
        struct item failed;
        if (place_all(p, &failed))
            break;
        int spilled = largest_beside(p, &failed);
        g_assert(spilled >= 0); /* a staging buffer alone fits: smallest_chunk() saw to it */
        p->homes[spilled].resident = false;
    }
    grow_chunks(p);
    return true;
}
