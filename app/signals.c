/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L /* sigaction() in strict C11 */
#include "app/signals.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "sim/base/error.h"

static void on_interrupt(int signal)
{
    (void)signal;
    _exit(ERROR_INTERRUPTED);
}

/* g_assert() has said what failed; GLib aborts by SIGTRAP where it has run out of memory. */
static void on_bug(int signal)
{
    (void)signal;
    _exit(ERROR_BUG);
}

void signals_install(void)
{
    const struct {
        int signal;
        void (*handler)(int);
    } table[] = {{SIGINT, on_interrupt},
                 {SIGTERM, on_interrupt},
                 {SIGABRT, on_bug},
                 {SIGTRAP, on_bug},
                 {SIGPIPE, SIG_IGN},
                 {SIGXFSZ, SIG_IGN}}; /* a file as large as it may be: the write fails instead */
    for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
        struct sigaction old, action = {.sa_handler = table[i].handler};
        sigemptyset(&action.sa_mask);
        if (sigaction(table[i].signal, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(table[i].signal, &action, NULL);
    }
}

static void mask(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGALRM); /* of limits.c */
    sigprocmask(how, &set, NULL);
}

void signals_hold(void)
{
    mask(SIG_BLOCK);
}

void signals_release(void)
{
    mask(SIG_UNBLOCK);
}
