/* SPDX-License-Identifier: Apache-2.0 */
#include "app/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE_US = 1000000, INTERVAL_US = 100000, LINE_WIDTH = 40 };

void progress_begin(struct progress *p, bool quiet, bool verbose)
{
    *p = (struct progress){
        .is_live = !quiet && !verbose && isatty(STDERR_FILENO),
        .is_verbose = verbose && !quiet,
        .start_us = g_get_monotonic_time(),
    };
}

static void say_phase(struct progress *p, const char *what, gint64 now_us)
{
    if (strncmp(p->phase, what, sizeof p->phase - 1) == 0)
        return;
    g_strlcpy(p->phase, what, sizeof p->phase);
    fprintf(stderr, "accsim: %8.3f s  %s\n", (double)(now_us - p->start_us) * 1e-6, what);
}

void progress_report(const char *what, double share, void *user)
{
    struct progress *p = user;
    gint64 now_us = g_get_monotonic_time();
    if (p->is_verbose)
        say_phase(p, what, now_us);
    bool is_due = now_us - p->start_us >= PATIENCE_US && now_us - p->shown_us >= INTERVAL_US;
    if (!p->is_live || !is_due)
        return;
    p->shown_us = now_us;
    char line[LINE_WIDTH + 1];
    snprintf(line, sizeof line, "%s %3.0f %%", what, CLAMP(share, 0, 1) * 100);
    fprintf(stderr, "\r%-*s", LINE_WIDTH, line);
}

void progress_end(struct progress *p)
{
    /* By the clock and not by what was shown: a forked simulation shows progress of its own. */
    if (p->is_live && g_get_monotonic_time() - p->start_us >= PATIENCE_US)
        fprintf(stderr, "\r%*s\r", LINE_WIDTH, "");
}
