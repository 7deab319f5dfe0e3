/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L /* timers and siginfo_t in strict C11 */
#include "app/limits.h"

#include <glib.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sim/base/error.h"

static void on_log(const char *domain, GLogLevelFlags level, const char *message, void *user)
{
    if (!(level & G_LOG_LEVEL_ERROR) || !strstr(message, "failed to allocate")) {
        g_log_default_handler(domain, level, message, user);
        return;
    }
    fprintf(stderr, "accsim: error: out of memory (%s)\n", message);
    _exit(ERROR_LIMIT);
}

void limits_install(void)
{
    g_log_set_default_handler(on_log, NULL);
}

/* The timer brings the message along: the handler may not make one. */
static void on_timeout(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    const char *message = info->si_value.sival_ptr;
    (void)!write(STDERR_FILENO, message, strlen(message));
    _exit(ERROR_LIMIT);
}

void limits_begin(struct time_limit *limit, double seconds)
{
    *limit = (struct time_limit){.message = ""};
    if (seconds <= 0)
        return;
    struct sigaction action = {.sa_sigaction = on_timeout, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(SIGALRM, &action, NULL);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    event.sigev_value.sival_ptr = limit->message;
    struct itimerspec when = {.it_value.tv_sec = (time_t)seconds};
    when.it_value.tv_nsec = (long)MAX(1, fmod(seconds, 1) * 1e9); /* 0 would be never */
    if (timer_create(CLOCK_MONOTONIC, &event, &limit->timer) != 0)
        return;
    g_snprintf(limit->message, sizeof limit->message,
               "%saccsim: error: the run passed its time limit of %g s\n",
               isatty(STDERR_FILENO) ? "\r" : "", seconds);
    timer_settime(limit->timer, 0, &when, NULL);
}

void limits_end(struct time_limit *limit)
{
    if (*limit->message)
        timer_delete(limit->timer);
}
