/* SPDX-License-Identifier: Apache-2.0 */
/* Limits on this process; the simulation's child has its own, see sk_run_forked(). */
#pragma once

#include <time.h>

/* Memory that cannot be had ends the program as a limit, and not as a bug. */
void limits_install(void);

/* A limit of time: from limits_begin() to limits_end(), after so many seconds (0: never), the
 * program ends with exit status 5, whatever it is at. A file that is being written is finished
 * first. */
struct time_limit {
    timer_t timer;
    char message[96]; /* "" without a limit */
};
void limits_begin(struct time_limit *limit, double seconds);
void limits_end(struct time_limit *limit);
