/* SPDX-License-Identifier: Apache-2.0 */
/* The twin of a machine's arithmetic: each layer over whole tensors in the plainest order, which
 * check.exact compares with. */
#pragma once

#include "mapper/plan.h"
#include "mapper/values/quant.h"

/* The twin: the graph in the machine's arithmetic, layer by layer, without tiles or buffers;
 * check.exact compares with it. `host` has, by value of the graph, fp32 inputs and parameters.
 * Layers with skip[i] (NULL: none) are not computed: `machine`, by value, NHWC as stored, stands in
 * for their outputs. `visit` gets each output of each layer that was computed, in order: NHWC as
 * stored, or fp32 NCHW of a layer on the host; it is freed after the call. */
typedef bool (*twin_visit_fn)(int i_layer, int value, const void *data, size_t n_byte, void *user,
                              GError **error);
bool twin_run(const struct plan *p, const struct quant *q, const struct tensor *host,
              const bool *skip, void *const *machine, twin_visit_fn visit, void *user,
              GError **error);
