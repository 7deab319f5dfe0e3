/* SPDX-License-Identifier: Apache-2.0 */
/* The seam to SystemC: C processes, events and cycles under SystemC's scheduler.
 *
 * sk.cpp is the only file that includes <systemc>. No exception crosses this interface and no
 * sc_time leaves it: time is a uint64_t number of cycles.
 *
 * Legal order, once a process: sk_begin(); sk_event_new() and sk_spawn() and sk_trace();
 * sk_run(). sk_wait(), sk_wait_cycles(), sk_notify(), sk_now() and sk_stop() are for running
 * processes. The kernel can be elaborated once a process, so a program that simulates more than
 * once, or wants to survive a crash of the model, calls sk_run_forked(). */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sk_event;

/* Starts elaboration. clock_mhz scales waveforms; vcd_file is NULL or the path of a waveform,
 * written without a date so that equal runs give equal files. */
bool sk_begin(double clock_mhz, const char *vcd_file, GError **error);

/* An event; `name` is copied, hierarchical with dots ("matrix_unit.done"). Owned by the kernel. */
struct sk_event *sk_event_new(const char *name);

/* A process: fn(arg) runs as a SystemC thread from cycle 0 and is finished when it returns.
 * `describe` (may be NULL) appends to a deadlock report what the process is doing
 * ("MatrixMultiply #12 of layer fc6"). stack_bytes 0 is 64 KiB. */
void sk_spawn(const char *name, void (*fn)(void *arg), void *arg,
              void (*describe)(void *arg, GString *out), size_t stack_bytes);

/* Records *value in the waveform under `name`, `bits` wide (1..64); ignored without a waveform. */
void sk_trace(const char *name, const uint64_t *value, int bits);

/* Runs until no process can go on. true when every process has finished or sk_stop() was called.
 * Otherwise an error: ERROR_BUG with a deadlock report (each unfinished process, the event it
 * waits for, since which cycle, and its description); ERROR_LIMIT when limit_cyc (0: none) or the
 * wall clock limit_s (0: none) was passed. */
bool sk_run(uint64_t limit_cyc, double limit_s, GError **error);

void sk_wait(struct sk_event *event);
void sk_wait_cycles(uint64_t n_cyc); /* 0 returns at once */
void sk_notify(
    struct sk_event *event);    /* wakes all that wait by now in the same cycle, next delta */
uint64_t sk_now(void);          /* cycles since the start */
void sk_stop(void);             /* ends the run: no process goes on beyond its present wait */
uint64_t sk_n_activation(void); /* how often processes were activated so far */

/* Runs fn(arg, &error) in a child process and waits for it. What fn writes into shared arenas is
 * seen here; nothing else is. Returns fn's result, its error passed through a pipe; a child that
 * dies gives ERROR_BUG with the signal's name, or ERROR_LIMIT where a limit killed it.
 * memory_limit_bytes (0: none) bounds the child's address space growth, time_limit_s (0: none) its
 * wall clock. SIGINT and SIGTERM received meanwhile end the child and give ERROR_INTERRUPTED.
 * The caller must own no live thread. */
bool sk_run_forked(bool (*fn)(void *arg, GError **error), void *arg, uint64_t memory_limit_bytes,
                   double time_limit_s, GError **error);
