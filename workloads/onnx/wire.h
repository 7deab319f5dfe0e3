/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of files that nobody vouches for. protobuf-c follows nested messages by recursion as
 * deep as a file says; so the depth is looked at first. */
#pragma once

#include <glib.h>
#include <protobuf-c/protobuf-c.h>

#define WIRE_MAX_DEPTH 64

/* Unpacks a whole file; NULL on error. Freed with protobuf_c_message_free_unpacked(). */
void *wire_read(const char *file, const ProtobufCMessageDescriptor *type, GError **error);
