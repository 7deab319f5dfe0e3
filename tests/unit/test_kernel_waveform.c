/* SPDX-License-Identifier: Apache-2.0 */
/* Waveforms of runs that end in whatever way. */
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sim/base/error.h"
#include "tests/unit/kernel_scene.h"
#include "tests/unit/test.h"

static bool run_with_waveform(void *arg, GError **error)
{
    struct scene s = {.value = 3};
    if (!sk_begin(1000, arg, error))
        return false;
    sk_trace("chip.unit.value", &s.value, 5);
    sk_trace("busy now", &s.n_item, 1);
    sk_spawn("stopper", stop_at_7, &s, NULL, 0);
    return sk_run(0, 0, error);
}

static bool deadlock_with_waveform(void *arg, GError **error)
{
    struct scene s = {.done = sk_event_new("done")};
    if (!sk_begin(1000, arg, error))
        return false;
    sk_trace("item", &s.n_item, 1);
    sk_spawn("producer", produce_at_cycle_5, &s, NULL, 0);
    sk_spawn("stuck", wait_forever, &s, NULL, 0);
    return sk_run(0, 0, error);
}

static int n_file(const char *dir)
{
    int n = 0;
    GDir *d = g_dir_open(dir, 0, NULL);
    while (g_dir_read_name(d))
        n++;
    g_dir_close(d);
    return n;
}

static void remove_dir(const char *dir, const char *file)
{
    g_unlink(file);
    g_rmdir(dir);
}

START_TEST(test_waveform_is_complete_and_undated)
{
    GError *error = NULL;
    g_autofree char *dir = g_dir_make_tmp("accsim-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "wave.of.run", NULL);
    g_autofree char *text = NULL;
    ck_ok(sk_run_forked(run_with_waveform, path, 0, 0, &error), error);
    ck_assert(g_file_get_contents(path, &text, NULL, NULL));
    ck_assert_int_eq(n_file(dir), 1);
    ck_assert_str_eq(text, "$version\n accsim\n$end\n\n"
                           "$timescale\n     1 ps\n$end\n\n"
                           "$scope module SystemC $end\n"
                           "$var wire    1  aaaab  busy_now       $end\n"
                           "$scope module chip $end\n"
                           "$scope module unit $end\n"
                           "$var wire    5  aaaaa  value [4:0]  $end\n"
                           "$upscope $end\n"
                           "$upscope $end\n"
                           "$upscope $end\n"
                           "$enddefinitions  $end\n\n"
                           "$comment\nAll initial values are dumped below at time 0 sec = 0 "
                           "timescale units.\n$end\n\n"
                           "$dumpvars\nb11 aaaaa\n0aaaab\n$end\n\n"
                           "#7000\nb1001 aaaaa\n\n#7000\n");
    remove_dir(dir, path);
}
END_TEST

START_TEST(test_waveform_of_a_deadlock_is_written)
{
    GError *error = NULL;
    g_autofree char *dir = g_dir_make_tmp("accsim-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "wave.vcd", NULL);
    g_autofree char *text = NULL;
    ck_error(sk_run_forked(deadlock_with_waveform, path, 0, 0, &error), error, ERROR_BUG,
             "deadlock at cycle 123");
    ck_assert(g_file_get_contents(path, &text, NULL, NULL));
    ck_assert_ptr_nonnull(strstr(text, "#5000\n1aaaaa\n\n#123000\n"));
    remove_dir(dir, path);
}
END_TEST

START_TEST(test_waveform_that_cannot_be_written_is_an_error)
{
    static char *const paths[] = {"/dev/full", "/nonexistent/wave.vcd", "/tmp"};
    GError *error = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++)
        ck_error(sk_run_forked(run_with_waveform, paths[i], 0, 0, &error), error, ERROR_OUTPUT,
                 paths[i]);
}
END_TEST

static bool run_on_a_full_disk(void *arg, GError **error)
{
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){500, 500});
    return run_with_waveform(arg, error);
}

START_TEST(test_waveform_cut_short_by_a_full_disk_is_an_error)
{
    GError *error = NULL;
    g_autofree char *dir = g_dir_make_tmp("accsim-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "wave.vcd", NULL);
    ck_error(sk_run_forked(run_on_a_full_disk, path, 0, 0, &error), error, ERROR_OUTPUT,
             "the waveform is incomplete");
    ck_assert_int_eq(n_file(dir), 0);
    remove_dir(dir, path);
}
END_TEST

static bool kill_self_with_waveform(void *arg, GError **error)
{
    bool ok = sk_begin(1000, arg, error);
    raise(SIGKILL);
    return ok;
}

START_TEST(test_a_killed_run_leaves_no_file)
{
    GError *error = NULL;
    g_autofree char *dir = g_dir_make_tmp("accsim-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "wave.vcd", NULL);
    ck_error(sk_run_forked(kill_self_with_waveform, path, 0, 0, &error), error, ERROR_LIMIT,
             "SIGKILL");
    ck_assert_int_eq(n_file(dir), 0);
    remove_dir(dir, path);
}
END_TEST

TEST_MAIN("kernel_waveform", test_waveform_is_complete_and_undated,
          test_waveform_of_a_deadlock_is_written, test_waveform_that_cannot_be_written_is_an_error,
          test_waveform_cut_short_by_a_full_disk_is_an_error, test_a_killed_run_leaves_no_file)
