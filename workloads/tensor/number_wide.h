/* SPDX-License-Identifier: Apache-2.0 */
/* What number.c leaves to number_wide.c: formats that fp64 does not hold. */
#pragma once

#include "workloads/tensor/number.h"

/* number_convert() where one of the formats is int64 or uint64. */
void number_convert_wide(void *dst, enum number to, const void *src, enum number from, size_t n);
