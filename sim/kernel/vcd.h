/* SPDX-License-Identifier: Apache-2.0 */
/* A waveform on its way from SystemC, which writes a dated file and hides write errors, to the
 * path that was asked for.
 *
 * Legal order: vcd_create(); SystemC opens STEM.vcd; vcd_unlink(), after which no way of dying
 * leaves the temporary file behind; SystemC writes the comment VCD_END last and closes;
 * vcd_deliver(). */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define VCD_END "accsim: end of the waveform"

/* Creates an empty temporary file beside `target` and sets *stem, to be freed, to its path without
 * ".vcd". The answer is a descriptor, or -1 with ERROR_OUTPUT when `target` cannot be written. */
int vcd_create(const char *target, char **stem, GError **error);

void vcd_unlink(const char *stem);

/* Writes the waveform, without date and ending at end_ps, to `target`; closes fd. */
bool vcd_deliver(int fd, const char *target, uint64_t end_ps, GError **error);
