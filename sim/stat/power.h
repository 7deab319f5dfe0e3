/* SPDX-License-Identifier: Apache-2.0 */
/* Power over the time of a run, in up to RECORD_MAX_POWER equal intervals of the record. */
#pragma once

#include "sim/stat/record.h"

/* Once total_cyc and clock_hz are known; nothing has power yet. */
void power_begin(struct record *r);
/* Energy, spent evenly from one cycle to another; at an instant where they are the same. */
void power_add(struct record *r, double start_cyc, double end_cyc, double pj);
double power_interval_s(const struct record *r); /* 0: there are none */
double power_peak_w(const struct record *r);
