/* SPDX-License-Identifier: Apache-2.0 */
/* A bump allocator over a list of chunks. A shared arena is one mapping that also holds its
 * bookkeeping, so that what a child allocates is not handed out again by its parent. */
#include "sim/base/arena.h"

#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include "sim/base/size.h"

enum {
    FIRST_CHUNK_BYTES = 4 << 10,
    LAST_CHUNK_BYTES = 1 << 20, /* chunks double up to here */
};

struct chunk {
    struct chunk *next;
    char *block; /* the first aligned byte */
    size_t used_bytes, size_bytes;
};

struct owned {
    struct owned *next;
    void *ptr;
    GDestroyNotify free_fn;
};

struct arena {
    struct chunk *chunks; /* the first one is bumped */
    struct owned *owned;
    size_t handed_bytes;
    size_t next_chunk_bytes;
    size_t mapped_bytes; /* 0: private */
};

static char *align_up(char *p)
{
    uintptr_t misaligned = (uintptr_t)p % ARENA_ALIGN_BYTES;
    return misaligned ? p + (ARENA_ALIGN_BYTES - misaligned) : p;
}

struct arena *arena_new(void)
{
    struct arena *a = g_new0(struct arena, 1);
    a->next_chunk_bytes = FIRST_CHUNK_BYTES;
    return a;
}

struct arena *arena_new_shared(size_t capacity_bytes)
{
    size_t head = sizeof(struct arena) + sizeof(struct chunk) + ARENA_ALIGN_BYTES;
    size_t mapped;
    if (!size_add(&mapped, capacity_bytes, head))
        return NULL;
    void *map = mmap(NULL, mapped, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return NULL;
    struct arena *a = map;
    struct chunk *c = (struct chunk *)(a + 1);
    c->block = align_up((char *)(c + 1));
    c->size_bytes = capacity_bytes;
    a->chunks = c;
    a->mapped_bytes = mapped;
    return a;
}

static struct chunk *chunk_new(size_t size_bytes)
{
    size_t whole;
    if (!size_add(&whole, size_bytes, sizeof(struct chunk) + ARENA_ALIGN_BYTES))
        return NULL;
    struct chunk *c = g_try_malloc0(whole);
    if (!c)
        return NULL;
    c->block = align_up((char *)(c + 1));
    c->size_bytes = size_bytes;
    return c;
}

/* A chunk with room for size_bytes. What is larger than a chunk gets one of its own, behind the
 * one being bumped, whose rest would be lost otherwise. */
static struct chunk *add_chunk(struct arena *a, size_t size_bytes)
{
    bool own = size_bytes > a->next_chunk_bytes / 2;
    struct chunk *c = chunk_new(own ? size_bytes : a->next_chunk_bytes);
    if (!c)
        return NULL;
    if (own && a->chunks) {
        c->next = a->chunks->next;
        a->chunks->next = c;
    } else {
        c->next = a->chunks;
        a->chunks = c;
    }
    if (!own && a->next_chunk_bytes < LAST_CHUNK_BYTES)
        a->next_chunk_bytes *= 2;
    return c;
}

void *arena_try_alloc(struct arena *a, size_t size_bytes)
{
    size_t rounded;
    if (!size_add(&rounded, MAX(size_bytes, 1), ARENA_ALIGN_BYTES - 1))
        return NULL;
    rounded -= rounded % ARENA_ALIGN_BYTES;
    struct chunk *c = a->chunks;
    /* The last block of a mapping may end before the rounded size does. */
    if (c && size_bytes <= c->size_bytes - c->used_bytes)
        rounded = MIN(rounded, c->size_bytes - c->used_bytes);
    else if (a->mapped_bytes)
        return NULL;
    else
        c = add_chunk(a, rounded);
    if (!c)
        return NULL;
    void *p = c->block + c->used_bytes;
    c->used_bytes += rounded;
    a->handed_bytes += size_bytes;
    return p;
}

void *arena_alloc(struct arena *a, size_t size_bytes)
{
    void *p = arena_try_alloc(a, size_bytes);
    if (!p)
        g_error("out of memory: %zu bytes asked of an arena of %zu", size_bytes, a->handed_bytes);
    return p;
}

void *arena_alloc_array(struct arena *a, size_t n, size_t elem_bytes)
{
    size_t size_bytes;
    if (!size_mul(&size_bytes, n, elem_bytes))
        g_error("out of memory: %zu elements of %zu bytes", n, elem_bytes);
    return arena_alloc(a, size_bytes);
}

char *arena_strdup(struct arena *a, const char *s)
{
    if (!s)
        return NULL;
    size_t size_bytes = strlen(s) + 1;
    return memcpy(arena_alloc(a, size_bytes), s, size_bytes);
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    return arena_strdup(a, text);
}

void *arena_own(struct arena *a, void *ptr, GDestroyNotify free_fn)
{
    g_assert(!a->mapped_bytes);
    struct owned *o = ARENA_NEW(a, struct owned);
    *o = (struct owned){a->owned, ptr, free_fn};
    a->owned = o;
    return ptr;
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    if (a->mapped_bytes) {
        munmap(a, a->mapped_bytes);
        return;
    }
    for (struct owned *o = a->owned; o; o = o->next)
        o->free_fn(o->ptr);
    for (struct chunk *c = a->chunks, *next; c; c = next) {
        next = c->next;
        g_free(c);
    }
    g_free(a);
}
