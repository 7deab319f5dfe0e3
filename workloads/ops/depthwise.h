/* SPDX-License-Identifier: Apache-2.0 */
/* The convolution of channels one by one, behind conv2d. */
#pragma once

#include "workloads/ops/ops.h"

bool depthwise_fits(const struct conv2d_attr *a, const struct shape *in);
void depthwise_run(const struct op_call *c);
