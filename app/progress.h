/* SPDX-License-Identifier: Apache-2.0 */
/* Progress on standard error: one line that is rewritten, on a terminal and after a second; with
 * --verbose a plain line for each phase, anywhere. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <time.h>

struct progress {
    bool is_live, is_verbose, ticks;
    timer_t timer;             /* while it ticks: a second */
    gint64 start_us, shown_us; /* of g_get_monotonic_time() */
    char phase[64];
};

void progress_begin(struct progress *p, bool quiet, bool verbose);
/* An accsim_progress_fn; `user` is the struct progress. */
void progress_report(const char *what, double share, void *user);
/* Leaves the line empty, for whatever is printed next. */
void progress_end(struct progress *p);
