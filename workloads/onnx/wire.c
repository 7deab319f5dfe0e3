/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/onnx/wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "sim/base/error.h"

/* Wire types: https://protobuf.dev/programming-guides/encoding */
enum { WIRE_VARINT = 0, WIRE_I64 = 1, WIRE_LENGTH = 2, WIRE_I32 = 5 };

static bool read_varint(const uint8_t **at, const uint8_t *end, uint64_t *out)
{
    *out = 0;
    for (int shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

/* Moves behind a field's content; `inner` and `inner_end` tell a content of known length. */
static bool skip(const uint8_t **at, const uint8_t *end, unsigned wire_type, const uint8_t **inner)
{
    uint64_t n = wire_type == WIRE_I64 ? 8 : wire_type == WIRE_I32 ? 4 : 0;
    *inner = NULL;
    if (wire_type == WIRE_VARINT)
        return read_varint(at, end, &n);
    if (wire_type == WIRE_LENGTH && !read_varint(at, end, &n))
        return false;
    if ((wire_type != WIRE_LENGTH && n == 0) || n > (uint64_t)(end - *at))
        return false;
    *inner = wire_type == WIRE_LENGTH ? *at : NULL;
    *at += n;
    return true;
}

/* Is every message inside at most `depth` deep, and whole? */
static bool check(const ProtobufCMessageDescriptor *type, const uint8_t *at, const uint8_t *end,
                  int depth)
{
    while (at < end) {
        uint64_t tag;
        const uint8_t *inner;
        if (!read_varint(&at, end, &tag) || !skip(&at, end, tag & 7, &inner))
            return false;
        const ProtobufCFieldDescriptor *f =
            tag >> 3 <= UINT32_MAX
                ? protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3))
                : NULL;
        if (inner && f && f->type == PROTOBUF_C_TYPE_MESSAGE &&
            (depth == 0 || !check(f->descriptor, inner, at, depth - 1)))
            return false;
    }
    return true;
}

/* protobuf-c copies every tensor: what it has copied out of the file need not stay in memory. */
struct file_pages {
    void *start;
    size_t bytes, allocated;
};
#define DROP_EVERY (16 << 20)

static void *allocate(void *pages, size_t n)
{
    struct file_pages *p = pages;
    p->allocated += n;
    if (p->allocated >= DROP_EVERY) {
        madvise(p->start, p->bytes, MADV_DONTNEED);
        p->allocated = 0;
    }
    return malloc(n); /* and freed by protobuf-c's own free() */
}

static void release(void *pages, void *p)
{
    (void)pages;
    free(p);
}

static void *unpack(const ProtobufCMessageDescriptor *type, GMappedFile *map)
{
    struct file_pages pages = {.start = g_mapped_file_get_contents(map),
                               .bytes = g_mapped_file_get_length(map)};
    ProtobufCAllocator allocator = {allocate, release, &pages};
    madvise(pages.start, pages.bytes, MADV_DONTNEED); /* that check() has touched */
    return protobuf_c_message_unpack(type, &allocator, pages.bytes, pages.start);
}

void *wire_read(const char *file, const ProtobufCMessageDescriptor *type, GError **error)
{
    GError *why = NULL;
    g_autoptr(GMappedFile) map = g_mapped_file_new(file, FALSE, &why);
    if (!map) {
        error_set(error, ERROR_INPUT, "%s: %s", file, why->message);
        g_error_free(why);
        return NULL;
    }
    const uint8_t *data = (const uint8_t *)g_mapped_file_get_contents(map);
    size_t size = g_mapped_file_get_length(map);
    if (size == 0 || !check(type, data, data + size, WIRE_MAX_DEPTH)) {
        error_set(error, ERROR_INPUT, "%s: no ONNX file, or a damaged one", file);
        return NULL;
    }
    void *message = unpack(type, map);
    if (!message)
        error_set(error, ERROR_INPUT, "%s: no ONNX file, a damaged one, or no memory for it", file);
    return message;
}
