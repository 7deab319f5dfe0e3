/* SPDX-License-Identifier: Apache-2.0 */
/* Memory with the lifetime of a phase: a graph, a plan and a run each own an arena and die whole.
 *
 * What an arena holds is plain data; a GLib container in it is registered with arena_own(). All
 * blocks are zeroed and aligned to 64 bytes. Running out of address space ends the program the
 * way g_malloc() does; blocks sized by unchecked input come from arena_try_alloc(). */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdbool.h>

struct arena;

enum { ARENA_ALIGN_BYTES = 64 };

/* A private arena. */
struct arena *arena_new(void);

/* An arena whose pages are shared with children forked later, so that pointers stay valid on both
 * sides. `capacity_bytes` is reserved, not committed; allocations beyond it fail. Only one side
 * allocates at a time. NULL where the system refuses. */
struct arena *arena_new_shared(size_t capacity_bytes);

void *arena_alloc(struct arena *a, size_t size_bytes);
void *arena_try_alloc(struct arena *a, size_t size_bytes); /* NULL when there is no room */
void *arena_alloc_array(struct arena *a, size_t n, size_t elem_bytes); /* n * elem is checked */
char *arena_strdup(struct arena *a, const char *s);                    /* NULL gives NULL */
char *arena_printf(struct arena *a, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Calls free_fn(ptr) when the arena dies, last registered first. Returns ptr. Not for shared
 * arenas, whose two sides would both free. */
void *arena_own(struct arena *a, void *ptr, GDestroyNotify free_fn);

void arena_free(struct arena *a); /* NULL is ignored */

#define ARENA_NEW(a, type)      ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_alloc_array((a), (n), sizeof(type)))
