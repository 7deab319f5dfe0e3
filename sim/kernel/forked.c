/* SPDX-License-Identifier: Apache-2.0 */
/* A run in a child process: its limits, its result through a pipe, and what its death means.
 *
 * The pipe carries a struct verdict and then the text of the error. How a death without a verdict
 * is told: SIGINT and SIGTERM from outside are an interruption; SIGKILL that is not ours is taken
 * for the system's out-of-memory killer, a limit; any other signal is a bug. An allocation that
 * fails inside g_malloc() or an arena would abort the child: it is caught where GLib logs it, and
 * becomes a limit. One that fails elsewhere is told by whoever made it. */
#define _GNU_SOURCE /* sigabbrev_np, pipe2 */
#include "sim/kernel/sk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/base/error.h"

struct verdict {
    bool ok;
    int code;
};

/* What the child and the log handler in it need. */
struct child {
    int pipe_fd;
    uint64_t memory_limit_bytes;
};

enum ending { ENDED, TIMED_OUT, INTERRUPTED };

static bool write_all(int fd, const void *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        data = (const char *)data + n;
        size -= (size_t)n;
    }
    return true;
}

/* The end of the child. No atexit(): those handlers are the parent's to run. */
G_NORETURN static void leave(int pipe_fd, struct verdict v, const char *message)
{
    fflush(NULL); /* the parent's part was flushed before the fork */
    bool sent = write_all(pipe_fd, &v, sizeof(v)) && write_all(pipe_fd, message, strlen(message));
    _exit(sent ? 0 : ERROR_BUG);
}

static void on_log(const char *domain, GLogLevelFlags level, const char *message, void *user)
{
    const struct child *c = user;
    if ((level & G_LOG_LEVEL_ERROR) &&
        (strstr(message, "failed to allocate") || strstr(message, "out of memory"))) {
        char text[160] = "out of memory";
        if (c->memory_limit_bytes)
            snprintf(text, sizeof(text), "the run passed its memory limit of %.0f MiB",
                     (double)c->memory_limit_bytes / (1 << 20));
        leave(c->pipe_fd, (struct verdict){false, ERROR_LIMIT}, text);
    }
    g_log_default_handler(domain, level, message, NULL);
}

/* AddressSanitizer reserves terabytes of address space, which no limit would allow. */
static void limit_memory(uint64_t growth_bytes)
{
#ifdef __SANITIZE_ADDRESS__
    (void)growth_bytes;
#else
    uint64_t n_page = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    bool known = statm && fscanf(statm, "%" SCNu64, &n_page) == 1;
    if (statm)
        fclose(statm);
    uint64_t bytes = n_page * (uint64_t)sysconf(_SC_PAGESIZE);
    struct rlimit limit;
    if (!known || __builtin_add_overflow(bytes, growth_bytes, &bytes) ||
        getrlimit(RLIMIT_AS, &limit) != 0)
        return;
    limit.rlim_cur = MIN(limit.rlim_cur, bytes);
    setrlimit(RLIMIT_AS, &limit);
#endif
}

/* The signals that end a run: those that this program does not ignore. */
static void watched_signals(sigset_t *set)
{
    static const int candidates[] = {SIGINT, SIGTERM};
    sigemptyset(set);
    for (size_t i = 0; i < G_N_ELEMENTS(candidates); i++) {
        struct sigaction action;
        sigaction(candidates[i], NULL, &action);
        if (action.sa_handler != SIG_IGN)
            sigaddset(set, candidates[i]);
    }
}

G_NORETURN static void run_child(struct child *c, pid_t parent, const sigset_t *mask,
                                 bool (*fn)(void *arg, GError **error), void *arg)
{
    sigset_t watched;
    watched_signals(&watched);
    for (int s = 1; s < NSIG; s++)
        if (sigismember(&watched, s) == 1)
            signal(s, SIG_DFL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before the line above */
        _exit(ERROR_BUG);
    g_log_set_default_handler(on_log, c);
    if (c->memory_limit_bytes)
        limit_memory(c->memory_limit_bytes);
    GError *failure = NULL;
    bool ok = fn(arg, &failure);
    if (ok)
        leave(c->pipe_fd, (struct verdict){true, 0}, "");
    g_assert(failure);
    leave(c->pipe_fd, (struct verdict){false, failure->code}, failure->message);
}

/* Milliseconds to the deadline for poll(), -1 without one; rounded up, so as not to spin. */
static int wait_ms(gint64 deadline_us)
{
    if (!deadline_us)
        return -1;
    gint64 left_us = MAX(deadline_us - g_get_monotonic_time(), 0);
    return (int)MIN((left_us + 999) / 1000, G_MAXINT);
}

/* Reads what the child says until it closes its end, the deadline, or a signal. */
static enum ending listen_to(int pipe_fd, int signal_fd, gint64 deadline_us, GByteArray *said)
{
    struct pollfd fds[] = {{pipe_fd, POLLIN, 0}, {signal_fd, POLLIN, 0}};
    for (;;) {
        int n_ready = poll(fds, G_N_ELEMENTS(fds), wait_ms(deadline_us));
        if (n_ready < 0)
            continue; /* a signal that is none of ours */
        if (fds[1].revents & POLLIN) {
            struct signalfd_siginfo info;
            if (read(signal_fd, &info, sizeof(info)) == sizeof(info))
                return INTERRUPTED;
        }
        if (fds[0].revents) {
            guint8 buffer[4096];
            ssize_t n = read(pipe_fd, buffer, sizeof(buffer));
            if (n <= 0)
                return ENDED;
            g_byte_array_append(said, buffer, (guint)n);
        }
        if (deadline_us && g_get_monotonic_time() >= deadline_us)
            return TIMED_OUT;
    }
}

/* Waits for the child; 0 where its status is lost because this program ignores SIGCHLD. */
static int reap(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 0;
    return status;
}

static bool judge_death(int status, GError **error)
{
    if (!WIFSIGNALED(status))
        return error_set(error, ERROR_BUG, "the run ended without a result (exit status %d)",
                         WIFEXITED(status) ? WEXITSTATUS(status) : 0);
    int s = WTERMSIG(status);
    if (s == SIGINT || s == SIGTERM)
        return error_set(error, ERROR_INTERRUPTED, "interrupted by SIG%s", sigabbrev_np(s));
    if (s == SIGKILL)
        return error_set(error, ERROR_LIMIT,
                         "the run was killed by SIGKILL: most likely the system is out of memory");
    const char *name = sigabbrev_np(s);
    return error_set(error, ERROR_BUG, "the run died of SIG%s (%s)", name ? name : "?",
                     strsignal(s));
}

static bool judge(const GByteArray *said, int status, GError **error)
{
    struct verdict v;
    if (said->len < sizeof(v) || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return judge_death(status, error);
    memcpy(&v, said->data, sizeof(v));
    if (v.ok)
        return true;
    g_set_error(error, ACCSIM_ERROR, v.code, "%.*s", (int)(said->len - sizeof(v)),
                (const char *)said->data + sizeof(v)); /* as it came: a deadlock has lines */
    return false;
}

/* The parent's part, from the fork to the verdict. */
static bool supervise(pid_t pid, int pipe_fd, int signal_fd, double time_limit_s, GError **error)
{
    gint64 deadline_us = 0;
    if (time_limit_s > 0)
        deadline_us = g_get_monotonic_time() + (gint64)(MIN(time_limit_s, 1e9) * 1e6);
    g_autoptr(GByteArray) said = g_byte_array_new();
    enum ending ending = listen_to(pipe_fd, signal_fd, deadline_us, said);
    if (ending != ENDED)
        kill(pid, SIGKILL);
    int status = reap(pid);
    switch (ending) {
    case TIMED_OUT:
        return error_set(error, ERROR_LIMIT, "the run passed its time limit of %g s", time_limit_s);
    case INTERRUPTED:
        return error_set(error, ERROR_INTERRUPTED, "interrupted");
    case ENDED:
        break;
    }
    return judge(said, status, error);
}

bool sk_run_forked(bool (*fn)(void *arg, GError **error), void *arg, uint64_t memory_limit_bytes,
                   double time_limit_s, GError **error)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return error_set(error, ERROR_LIMIT, "cannot start a run: %s", g_strerror(errno));
    sigset_t watched, mask;
    watched_signals(&watched);
    sigprocmask(SIG_BLOCK, &watched, &mask);
    int signal_fd = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    fflush(NULL); /* or the child would write it a second time */
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        struct child c = {fds[1], memory_limit_bytes};
        close(fds[0]);
        run_child(&c, parent, &mask, fn, arg);
    }
    int reason = errno;
    close(fds[1]);
    bool ok = pid > 0 ? supervise(pid, fds[0], signal_fd, time_limit_s, error)
                      : error_set(error, ERROR_LIMIT, "cannot start a run: %s", g_strerror(reason));
    close(fds[0]);
    if (signal_fd >= 0)
        close(signal_fd);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    return ok;
}
