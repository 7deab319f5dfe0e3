/* SPDX-License-Identifier: Apache-2.0 */
#define SC_INCLUDE_DYNAMIC_PROCESSES
#include <systemc>

#include <cinttypes>
#include <cmath>
#include <cstring>
#include <glib.h>
#include <new>

extern "C" {
#include "sim/base/error.h"
#include "sim/kernel/sanitizer.h"
#include "sim/kernel/sk.h"
#include "sim/kernel/vcd.h"
}

using sc_core::sc_time;

struct sk_event {
    sc_core::sc_event event;
    char *name;
    int n_waiting; /* processes */
};

namespace
{

enum {
    STACK_BYTES = 64 * 1024,
    MAX_STACK_BYTES = 1 << 30,
    MAX_REPORTED = 32,      /* processes named in a deadlock report */
    CLOCK_CHECK_PERIOD = 64 /* activations between looks at the wall clock */
};

struct process {
    char *name;
    void (*fn)(void *arg);
    void *arg;
    void (*describe)(void *arg, GString *out);
    const sk_event *awaited; /* NULL while it runs or waits for time */
    uint64_t since_ps;       /* when the wait for `awaited` began */
    bool finished;
};

/* SystemC has one kernel a process, and so has this. */
struct kernel {
    uint64_t cycle_ps; /* 0 before sk_begin() */
    GPtrArray *processes;
    process *current; /* the one that runs */
    uint64_t now_cyc; /* since when it does */
    uint64_t n_activation;
    size_t n_unfinished;
    bool stopping;   /* no process is to go on */
    GError *failure; /* the first */
    gint64 deadline_us;
    double limit_s;
    sc_core::sc_trace_file *trace; /* NULL without a waveform */
    char *vcd_path;
    int vcd_fd;
};

kernel k;

/* Pausing and parking instead of sc_stop(), which would drop the last values of a waveform. */
void stop()
{
    k.stopping = true;
    if (k.current)
        sc_core::sc_pause();
}

G_GNUC_PRINTF(2, 3) void fail(accsim_error code, const char *format, ...)
{
    if (!k.failure) {
        va_list args;
        va_start(args, format);
        k.failure = g_error_new_valist(ACCSIM_ERROR, code, format, args);
        va_end(args);
    }
    stop();
}

/* Runs `action`; what it throws becomes the failure that sk_run() reports. */
template <typename Action> bool guarded(Action action) noexcept
{
    try {
        action();
        return true;
    } catch (const std::bad_alloc &) {
        fail(ERROR_LIMIT, "out of memory in the simulation kernel");
    } catch (const std::exception &e) {
        fail(ERROR_BUG, "simulation kernel: %s", e.what());
    } catch (...) {
        fail(ERROR_BUG, "simulation kernel: unknown exception");
    }
    return false;
}

bool take_failure(GError **error)
{
    g_propagate_error(error, k.failure);
    k.failure = nullptr;
    return false;
}

/* Never returns: a process that must not go on waits for what no one notifies. */
void park() noexcept
{
    for (;;)
        sc_core::wait();
}

void activate(process *p)
{
    k.current = p;
    k.now_cyc = sc_core::sc_time_stamp().value() / k.cycle_ps;
    k.n_activation++;
    if (k.deadline_us && k.n_activation % CLOCK_CHECK_PERIOD == 0 &&
        g_get_monotonic_time() > k.deadline_us && !k.stopping)
        fail(ERROR_LIMIT, "the simulation passed its time limit of %g s at cycle %" PRIu64,
             k.limit_s, sk_now());
    if (k.stopping)
        park();
}

/* The one place where a process sleeps. */
template <typename Action> void sleep(process *p, Action action)
{
    if (!guarded(action))
        park();
    activate(p);
}

void process_main(process *p)
{
    activate(p);
    p->fn(p->arg);
    p->finished = true;
    k.n_unfinished--;
}

void start(uint64_t duration_ps, sc_core::sc_starvation_policy policy)
{
    sc_core::sc_start(sc_time::from_value(duration_ps), policy);
    sanitizer_restore_main_stack();
}

void report_deadlock(GError **error)
{
    g_autoptr(GString) text = g_string_new(nullptr);
    g_string_append_printf(text,
                           "deadlock at cycle %" PRIu64 ": %zu process%s and nothing can "
                           "happen any more",
                           sk_now(), k.n_unfinished, k.n_unfinished == 1 ? " waits" : "es wait");
    size_t n_reported = 0;
    for (guint i = 0; i < k.processes->len && n_reported < MAX_REPORTED; i++) {
        auto *p = static_cast<const process *>(g_ptr_array_index(k.processes, i));
        if (p->finished)
            continue;
        n_reported++;
        g_string_append_printf(text, "\n  %s waits for '%s' since cycle %" PRIu64, p->name,
                               p->awaited->name, p->since_ps / k.cycle_ps);
        if (p->describe) {
            g_string_append(text, ": ");
            p->describe(p->arg, text);
        }
    }
    if (n_reported < k.n_unfinished)
        g_string_append_printf(text, "\n  and %zu more", k.n_unfinished - n_reported);
    g_set_error_literal(error, ACCSIM_ERROR, ERROR_BUG, text->str); /* has several lines */
}

/* Completes the waveform and moves it to its place. */
bool close_trace(GError **error)
{
    uint64_t end_ps = sc_core::sc_time_stamp().value();
    guarded([] {
        /* SystemC records a cycle's values when time leaves it, which it does not by itself at
         * the end. One picosecond reaches no other cycle unless a cycle is one. */
        k.stopping = true;
        if (k.cycle_ps > 1)
            start(1, sc_core::SC_RUN_TO_TIME);
        k.trace->write_comment(VCD_END);
        sc_core::sc_close_vcd_trace_file(k.trace);
    });
    k.trace = nullptr;
    if (k.failure)
        return take_failure(error);
    return vcd_deliver(k.vcd_fd, k.vcd_path, end_ps, error);
}

/* How the simulation ended, after SystemC returned. */
bool outcome(uint64_t limit_cyc, bool is_pending, GError **error)
{
    if (k.failure)
        return take_failure(error);
    if (k.stopping || k.n_unfinished == 0)
        return true;
    if (is_pending)
        return error_set(error, ERROR_LIMIT,
                         "the simulation passed its limit of %" PRIu64 " cycles", limit_cyc);
    report_deadlock(error);
    return false;
}

void open_trace(const char *stem)
{
    k.trace = sc_core::sc_create_vcd_trace_file(stem);
    k.trace->set_time_unit(1, sc_core::SC_PS);
    k.trace->write_comment("accsim"); /* opens the file, so that it can be unlinked now */
}

} // namespace

/* The library wants one; the program's main() is C and calls sc_start() by way of sk_run(). */
int sc_main(int, char **)
{
    return 0;
}

bool sk_begin(double clock_mhz, const char *vcd_file, GError **error)
{
    g_assert(k.cycle_ps == 0);
    double cycle_ps = std::round(1e6 / clock_mhz);
    g_assert(cycle_ps >= 0 && cycle_ps < 1e18);
    k.cycle_ps = MAX(static_cast<uint64_t>(cycle_ps), UINT64_C(1));
    k.processes = g_ptr_array_new();
    guarded([] {
        using namespace sc_core;
        sc_report_handler::set_actions(SC_INFO, SC_DO_NOTHING);
        sc_report_handler::set_actions(SC_WARNING, SC_DO_NOTHING);
        sc_report_handler::set_actions(SC_ERROR, SC_THROW);
        sc_report_handler::set_actions(SC_FATAL, SC_THROW);
    });
    if (vcd_file) {
        char *stem = nullptr;
        k.vcd_fd = vcd_create(vcd_file, &stem, error);
        if (k.vcd_fd < 0)
            return false;
        k.vcd_path = g_strdup(vcd_file);
        guarded([stem] { open_trace(stem); });
        vcd_unlink(stem);
        g_free(stem);
    }
    return k.failure ? take_failure(error) : true;
}

struct sk_event *sk_event_new(const char *name)
{
    sk_event *event = nullptr;
    guarded([&event] { event = new sk_event; });
    if (!event)
        g_error("out of memory for event '%s'", name);
    event->name = g_strdup(name);
    event->n_waiting = 0;
    return event;
}

void sk_spawn(const char *name, void (*fn)(void *arg), void *arg,
              void (*describe)(void *arg, GString *out), size_t stack_bytes)
{
    g_assert(k.cycle_ps > 0);
    size_t bytes = (stack_bytes ? stack_bytes : size_t{STACK_BYTES}) * SANITIZER_STACK_FACTOR;
    g_assert(bytes <= MAX_STACK_BYTES);
    auto *p = g_new0(process, 1);
    *p = {g_strdup(name), fn, arg, describe, nullptr, 0, false};
    g_ptr_array_add(k.processes, p);
    k.n_unfinished++;
    guarded([p, bytes] {
        sc_core::sc_spawn_options options;
        options.set_stack_size(static_cast<int>(bytes));
        sc_core::sc_spawn([p] { process_main(p); }, p->name, &options);
    });
}

void sk_trace(const char *name, const uint64_t *value, int bits)
{
    g_assert(bits >= 1 && bits <= 64);
    if (!k.trace)
        return;
    g_autofree char *word =
        g_strdelimit(g_strdup(name), " \t\n", '_'); /* a VCD name has no blank */
    guarded([word, value, bits] {
        sc_core::sc_trace(k.trace, reinterpret_cast<const sc_dt::uint64 &>(*value), word, bits);
    });
}

bool sk_run(uint64_t limit_cyc, double limit_s, GError **error)
{
    g_assert(k.cycle_ps > 0);
    if (k.failure)
        return take_failure(error);
    k.limit_s = limit_s;
    if (limit_s > 0)
        k.deadline_us = g_get_monotonic_time() + static_cast<gint64>(MIN(limit_s, 1e9) * 1e6);
    /* SystemC leaves what happens at the very end of a run undone: end just after the limit. */
    uint64_t until_ps = 0;
    if (limit_cyc == 0 || __builtin_mul_overflow(limit_cyc, k.cycle_ps, &until_ps) ||
        __builtin_add_overflow(until_ps, 1, &until_ps))
        until_ps = UINT64_MAX;
    bool is_pending = false;
    guarded([until_ps, &is_pending] {
        start(until_ps, sc_core::SC_EXIT_ON_STARVATION);
        is_pending = sc_core::sc_pending_activity();
    });
    k.current = nullptr;
    bool ok = outcome(limit_cyc, is_pending, error);
    if (k.trace && !close_trace(ok ? error : nullptr))
        return false;
    return ok;
}

void sk_wait(struct sk_event *event)
{
    process *p = k.current;
    g_assert(p);
    p->awaited = event;
    p->since_ps = sc_core::sc_time_stamp().value();
    event->n_waiting++;
    sleep(p, [event] { sc_core::wait(event->event); });
    event->n_waiting--;
    p->awaited = nullptr;
}

void sk_wait_cycles(uint64_t n_cyc)
{
    process *p = k.current;
    g_assert(p);
    if (n_cyc == 0)
        return;
    uint64_t delay_ps = 0, end_ps = 0;
    if (__builtin_mul_overflow(n_cyc, k.cycle_ps, &delay_ps) ||
        __builtin_add_overflow(delay_ps, sc_core::sc_time_stamp().value(), &end_ps) ||
        end_ps == UINT64_MAX) { /* the end of the longest run */
        fail(ERROR_LIMIT,
             "%s waits %" PRIu64 " cycles at cycle %" PRIu64
             ": time is counted in 64 bits of picoseconds",
             p->name, n_cyc, sk_now());
        park();
    }
    sleep(p, [delay_ps] { sc_core::wait(sc_time::from_value(delay_ps)); });
}

void sk_notify(struct sk_event *event)
{
    if (event->n_waiting > 0) /* else it costs a delta cycle for nothing */
        guarded([event] { event->event.notify(sc_core::SC_ZERO_TIME); });
}

uint64_t sk_now(void)
{
    return k.current ? k.now_cyc : sc_core::sc_time_stamp().value() / k.cycle_ps;
}

void sk_stop(void)
{
    guarded(stop);
}

uint64_t sk_n_activation(void)
{
    return k.n_activation;
}
