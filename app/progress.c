/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L /* timer_create() in strict C11 */
#include "app/progress.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE_US = 1000000, INTERVAL_US = 100000, LINE_WIDTH = 40 };

/* A phase that tells no share, as mapping and simulating do, shows how long the run has taken. The
 * handler may neither allocate nor print: it writes a line that it puts together by hand. */
static void on_tick(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    struct progress *p = info->si_value.sival_ptr;
    const gint64 now_us = g_get_monotonic_time();
    if (now_us - p->start_us < PATIENCE_US || now_us - p->shown_us < PATIENCE_US)
        return;
    char line[LINE_WIDTH + 2] = "\r", digits[24];
    int n = 1, n_digit = 0;
    for (const char *c = p->phase; *c && n < LINE_WIDTH / 2; c++)
        line[n++] = *c;
    line[n++] = ' ';
    for (gint64 s = (now_us - p->start_us) / 1000000; s > 0; s /= 10)
        digits[n_digit++] = (char)('0' + s % 10);
    while (n_digit > 0 && n < LINE_WIDTH - 2)
        line[n++] = digits[--n_digit];
    line[n++] = ' ';
    line[n++] = 's';
    while (n <= LINE_WIDTH)
        line[n++] = ' ';
    const int saved = errno;
    (void)!write(STDERR_FILENO, line, (size_t)n);
    errno = saved;
}

static void start_ticking(struct progress *p)
{
    struct sigaction action = {.sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGRTMIN, &action, NULL);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    event.sigev_value.sival_ptr = p;
    const struct itimerspec second = {.it_interval.tv_sec = 1, .it_value.tv_sec = 1};
    p->ticks = timer_create(CLOCK_MONOTONIC, &event, &p->timer) == 0;
    if (p->ticks)
        timer_settime(p->timer, 0, &second, NULL);
}

void progress_begin(struct progress *p, bool quiet, bool verbose)
{
    *p = (struct progress){
        .is_live = !quiet && !verbose && isatty(STDERR_FILENO),
        .is_verbose = verbose && !quiet,
        .start_us = g_get_monotonic_time(),
    };
    if (p->is_live)
        start_ticking(p);
}

/* Notes the phase; with --verbose says it. */
static void say_phase(struct progress *p, const char *what, gint64 now_us)
{
    if (strncmp(p->phase, what, sizeof p->phase - 1) == 0)
        return;
    g_strlcpy(p->phase, what, sizeof p->phase);
    if (p->is_verbose)
        fprintf(stderr, "accsim: %8.3f s  %s\n", (double)(now_us - p->start_us) * 1e-6, what);
}

void progress_report(const char *what, double share, void *user)
{
    struct progress *p = user;
    gint64 now_us = g_get_monotonic_time();
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
    if (p->ticks)
        timer_delete(p->timer);
    /* By the clock and not by what was shown: a forked simulation shows progress of its own. */
    if (p->is_live && g_get_monotonic_time() - p->start_us >= PATIENCE_US)
        fprintf(stderr, "\r%*s\r", LINE_WIDTH, "");
}
