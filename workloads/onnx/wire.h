/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of files that nobody vouches for. protobuf-c follows nested messages by recursion as
 * deep as a file says, and copies every tensor; so the file is walked first: its depth is bounded,
 * and raw data of tensors stay in it. */
#pragma once

#include <glib.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#define WIRE_MAX_DEPTH 64

struct wire {
    void *message;
    GMappedFile *map;
};

/* Unpacks a whole file of TensorProtos and what holds them; wire_clear() frees it. */
bool wire_read(struct wire *w, const char *file, const ProtobufCMessageDescriptor *type,
               GError **error);
void wire_clear(struct wire *w);

/* A tensor's raw data: how many bytes they are, and a copy, NULL where memory lacks. As long as
 * the file is not cleared. */
size_t wire_raw_bytes(const ProtobufCBinaryData *raw);
GBytes *wire_raw_copy(const ProtobufCBinaryData *raw);
