/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/onnx/wire.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <onnx.pb-c.h>

#include "sim/base/error.h"

/* Wire types: https://protobuf.dev/programming-guides/encoding */
enum { WIRE_VARINT = 0, WIRE_I64 = 1, WIRE_LENGTH = 2, WIRE_I32 = 5 };

#define RAW_DATA 9 /* the field's number in TensorProto (onnx.proto) */

/* What protobuf-c unpacks instead of raw data. */
struct part {
    const uint8_t *data;
    size_t n;
};

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

/* Moves behind a field's content; `inner` tells a content of known length. */
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

/* A length is written before the content is known, so in as many bytes as any length may take. */
#define LENGTH_BYTES 5

static bool write_length(GByteArray *to, size_t at)
{
    const size_t n = to->len - at - LENGTH_BYTES;
    for (int i = 0; i < LENGTH_BYTES; i++)
        to->data[at + (size_t)i] = (uint8_t)((n >> 7 * i & 0x7f) | (i + 1 < LENGTH_BYTES) << 7);
    return n <= INT32_MAX; /* protobuf-c's own limit */
}

static bool copy_message(const ProtobufCMessageDescriptor *type, const uint8_t *at,
                         const uint8_t *end, int depth, GByteArray *to);

/* A content in place of the one that the file has. */
static bool copy_content(const ProtobufCMessageDescriptor *nested, const struct part *content,
                         int depth, GByteArray *to)
{
    static const uint8_t length[LENGTH_BYTES] = {0};
    const size_t begin = to->len;
    g_byte_array_append(to, length, sizeof(length));
    if (!nested)
        g_byte_array_append(to, (const uint8_t *)content, sizeof(*content));
    else if (depth == 0 ||
             !copy_message(nested, content->data, content->data + content->n, depth - 1, to))
        return false;
    return write_length(to, begin);
}

/* Copies a message without raw data; false where it is nested too deep, or not whole. */
static bool copy_message(const ProtobufCMessageDescriptor *type, const uint8_t *at,
                         const uint8_t *end, int depth, GByteArray *to)
{
    while (at < end) {
        const uint8_t *field = at, *content, *inner;
        uint64_t tag;
        if (!read_varint(&at, end, &tag) || tag >> 3 > UINT32_MAX)
            return false;
        content = at;
        if (!skip(&at, end, tag & 7, &inner))
            return false;
        const ProtobufCFieldDescriptor *f =
            protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
        const bool is_message = inner && f && f->type == PROTOBUF_C_TYPE_MESSAGE;
        const bool is_raw =
            inner && type == &onnx__tensor_proto__descriptor && tag >> 3 == RAW_DATA;
        const uint8_t *copied = is_message || is_raw ? content : at;
        if (copied - field > UINT32_MAX - (int64_t)to->len)
            return false;
        g_byte_array_append(to, field, (guint)(copied - field));
        const struct part part = {inner, (size_t)(at - inner)};
        if ((is_message || is_raw) &&
            !copy_content(is_message ? f->descriptor : NULL, &part, depth, to))
            return false;
    }
    return true;
}

/* Pages of the file that have been read need not stay in memory. */
static void drop_pages(const uint8_t *data, size_t n)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t begin = (uintptr_t)data / page * page;
    madvise((void *)begin, (uintptr_t)data + n - begin, MADV_DONTNEED);
}

static void *unpack(const ProtobufCMessageDescriptor *type, GMappedFile *map)
{
    const uint8_t *data = (const uint8_t *)g_mapped_file_get_contents(map);
    const size_t n = g_mapped_file_get_length(map);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    if (n == 0 || !copy_message(type, data, data + n, WIRE_MAX_DEPTH, bytes))
        return NULL;
    drop_pages(data, n);
    return protobuf_c_message_unpack(type, NULL, bytes->len, bytes->data);
}

bool wire_read(struct wire *w, const char *file, const ProtobufCMessageDescriptor *type,
               GError **error)
{
    GError *why = NULL;
    *w = (struct wire){.map = g_mapped_file_new(file, FALSE, &why)};
    if (!w->map) {
        error_set(error, ERROR_INPUT, "%s: %s", file, why->message);
        g_error_free(why);
        return false;
    }
    w->message = unpack(type, w->map);
    if (w->message)
        return true;
    wire_clear(w);
    return error_set(error, ERROR_INPUT, "%s: no ONNX file, a damaged one, or no memory for it",
                     file);
}

void wire_clear(struct wire *w)
{
    if (w->message)
        protobuf_c_message_free_unpacked(w->message, NULL);
    g_mapped_file_unref(w->map);
    *w = (struct wire){0};
}

static struct part part_of(const ProtobufCBinaryData *raw)
{
    struct part part;
    g_assert(raw->len == sizeof(part));
    memcpy(&part, raw->data, sizeof(part));
    return part;
}

size_t wire_raw_bytes(const ProtobufCBinaryData *raw)
{
    return part_of(raw).n;
}

/* The file's pages are dropped behind the copy, so that nothing large is in memory twice. */
#define COPY_BYTES ((size_t)16 << 20)
#define DROP_BYTES ((size_t)64 << 10) /* less is not worth a system call */

GBytes *wire_raw_copy(const ProtobufCBinaryData *raw)
{
    const struct part part = part_of(raw);
    uint8_t *copy = g_try_malloc(MAX(part.n, 1));
    for (size_t at = 0; copy && at < part.n; at += COPY_BYTES) {
        const size_t n = MIN(COPY_BYTES, part.n - at);
        memcpy(copy + at, part.data + at, n);
        if (n >= DROP_BYTES)
            drop_pages(part.data + at, n);
    }
    return copy ? g_bytes_new_take(copy, part.n) : NULL;
}
