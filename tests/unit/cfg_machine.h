/* SPDX-License-Identifier: Apache-2.0 */
/* A table of settings with one of each type, and files of them. */
#pragma once

#include <glib/gstdio.h>

#include "sim/base/error.h"
#include "sim/cfg/cfg.h"
#include "tests/unit/test.h"

static const char *const dataflows[] = {"ws", "os", "is", NULL};

struct machine {
    int64_t rows, limit;
    double clock_mhz;
    bool sparse;
    const char *name;
    int dataflow;
    struct cfg_ints kernel, pad;
    struct cfg_strings inputs;
};

#define ROW(path, type, member, ...)                                                               \
    {                                                                                              \
        path, type, offsetof(struct machine, member), __VA_ARGS__                                  \
    }
static const struct cfg_field fields[] = {
    ROW("array.rows", CFG_INT, rows, 1, 4096, NULL, NULL, "rows of the array", NULL),
    ROW("array.limit", CFG_INT, limit, -0x1p63, 0x1p63, "7", NULL, "a large number", NULL),
    ROW("clock_mhz", CFG_FLOAT, clock_mhz, 1, 10000, "700", "MHz", "clock", NULL),
    ROW("sparse", CFG_BOOL, sparse, 0, 0, "false", NULL, "skips zeroes", NULL),
    ROW("name", CFG_STRING, name, 0, 0, "", NULL, "name", NULL),
    ROW("dataflow", CFG_ENUM, dataflow, 0, 0, "ws", NULL, "dataflow", dataflows),
    ROW("kernel", CFG_INTS, kernel, 1, 16, "[3, 3]", NULL, "kernel", NULL),
    ROW("pad", CFG_INTS, pad, 0, 8, "", NULL, "padding", NULL),
    ROW("inputs", CFG_STRINGS, inputs, 0, 0, "", NULL, "inputs", NULL),
    {.path = NULL},
};

/* Each test is a process in a directory of its own, so that messages name "tpu.cfg". */
static char *dir;

static inline void enter_dir(void)
{
    dir = g_dir_make_tmp("accsim-test-XXXXXX", NULL);
    ck_assert_int_eq(g_chdir(dir), 0);
}

static inline void leave_dir(void)
{
    g_autofree char *command = g_strdup_printf("rm -r '%s'", dir);
    ck_assert_int_eq(g_chdir("/"), 0);
    ck_assert_int_eq(system(command), 0);
    g_free(dir);
}

static inline void write_file(const char *name, const char *text)
{
    ck_assert(g_file_set_contents(name, text, -1, NULL));
}

/* Loads tpu.cfg with this text and one --set (NULL: none), and applies it. */
static inline bool apply(const char *text, const char *set, struct machine *m, struct arena *arena,
                         GError **error)
{
    write_file("tpu.cfg", text);
    struct cfg *cfg = cfg_load("tpu.cfg", NULL, error);
    if (!cfg)
        return false;
    struct cfg_table table = {fields, m};
    bool ok = (!set || cfg_set(cfg, set, error)) && cfg_apply(cfg, &table, 1, arena, error);
    cfg_free(cfg);
    return ok;
}

static inline void ck_message(const char *text, const char *set, const char *message)
{
    struct machine m;
    struct arena *arena = arena_new();
    GError *error = NULL;
    ck_error(apply(text, set, &m, arena, &error), error, ERROR_INPUT, message);
    arena_free(arena);
}
