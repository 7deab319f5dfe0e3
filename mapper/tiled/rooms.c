/* SPDX-License-Identifier: Apache-2.0 */
#include "mapper/tiled/rooms.h"

#include <stdlib.h>
#include <string.h>

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

static void note_placed(struct placed *p, const struct room *items, int i)
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
static bool move_behind(const struct placed *p, int head, const struct room *items, struct room *it)
{
    bool moved = false;
    for (int i = head; i >= 0; i = g_array_index(p->links, struct chained, i).next) {
        const struct room *o = &items[g_array_index(p->links, struct chained, i).item];
        if (it->address < o->address + o->bytes && o->address < it->address + it->bytes) {
            it->address = o->address + o->bytes;
            moved = true;
        }
    }
    return moved;
}

/* The lowest address at which the item fits beside those placed before it. */
static bool place(struct placed *p, struct room *items, int i, uint64_t capacity_bytes)
{
    struct room *it = &items[i];
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
    const struct room *x = a, *y = b;
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

const struct room *rooms_place(struct room *rooms, guint n, int n_layer, uint64_t capacity_bytes,
                               uint64_t *top_bytes)
{
    const struct room *stuck = NULL;
    *top_bytes = 0;
    if (n == 0)
        return NULL;
    g_autoptr(GArray) links = g_array_new(FALSE, FALSE, sizeof(struct chained));
    const size_t n_head = (size_t)n_layer;
    struct placed placed = {links, n_layer, g_new(int, 2 * n_head), g_new(int, n_head)};
    memset(placed.there, -1, 2 * n_head * sizeof(int));
    memset(placed.begins, -1, n_head * sizeof(int));
    qsort(rooms, n, sizeof(*rooms), larger_first);
    for (guint i = 0; i < n && !stuck; i++) {
        if (place(&placed, rooms, (int)i, capacity_bytes))
            *top_bytes = MAX(*top_bytes, rooms[i].address + rooms[i].bytes);
        else
            stuck = &rooms[i];
    }
    g_free(placed.there);
    g_free(placed.begins);
    return stuck;
}
