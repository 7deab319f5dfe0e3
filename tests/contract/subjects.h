/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of all families are run on: a machine file with a network around one operator. */
#pragma once

#include <glib/gstdio.h>
#include <unistd.h>

#include "app/run/accsim.h"
#include "arch/arch.h"
#include "sim/base/error.h"
#include "tests/unit/test.h"
#include "workloads/net.h"
#include "workloads/op.h"

#ifndef SOURCE_DIR /* the build gives it: the top of the tree */
#define SOURCE_DIR "."
#endif

/* A network around one operator: large enough that its cycles are not those of starting up. */
struct op_case {
    const char *op, *input, *attributes;
};

static const struct op_case op_cases[] = {
    {"conv2d", "32, 28, 28", "channels = 64; kernel = 3; pad = 1;"},
    {"fc", "2048", "features = 1024;"},
    {"relu", "64, 28, 28", ""},
    {"lrn", "64, 28, 28", "size = 5;"},
    {"maxpool", "64, 28, 28", "kernel = 3; stride = 2;"},
    {"avgpool", "64, 28, 28", "kernel = 2;"},
    {"dropout", "64, 28, 28", ""},
    {"softmax", "1000", ""},
    {"flatten", "64, 28, 28", ""},
    {"add", "64, 28, 28", "inputs = [\"x\", \"x\"];"},
    {"concat", "64, 28, 28", "inputs = [\"x\", \"x\"];"},
    {"batched_product", "64, 256", "inputs = [\"x\", \"x\"]; transpose = true;"},
};

/* The operator's own layer and, since a view alone computes nothing, one behind it that does. */
static inline char *net_text(const struct op_case *c)
{
    return g_strdup_printf("inputs = ( { name = \"x\"; shape = [%s]; } );\nlayers = (\n"
                           "  { name = \"it\"; op = \"%s\"; %s },\n"
                           "  { name = \"last\"; op = \"fc\"; features = 16; }\n);\n",
                           c->input, c->op, c->attributes);
}

/* Operators without a row here read rows of features, with attributes as they are by default. */
static inline char *case_text(const struct op *op)
{
    for (size_t i = 0; i < G_N_ELEMENTS(op_cases); i++)
        if (!strcmp(op_cases[i].op, op->name))
            return net_text(&op_cases[i]);
    g_autoptr(GString) inputs = g_string_new("inputs = [");
    for (int i = 0; i < MAX(op->min_data, 1); i++)
        g_string_append_printf(inputs, "%s\"x\"", i ? ", " : "");
    g_string_append(inputs, "];");
    return net_text(&(struct op_case){op->name, "16384", inputs->str});
}

/* One machine file with one operator's network. */
struct subject {
    const char *family, *arch; /* arch: path of a .cfg */
    const struct op *op;       /* NULL: no network yet */
    const char *net;
    const char *const *set; /* NULL: the machine as it is */
};

static inline struct accsim_options options(const struct subject *s, const char *const *set)
{
    struct accsim_options o = accsim_options_default();
    o.arch = s->arch;
    o.net = s->net;
    o.batch = 2;
    o.set = set;
    o.time_limit_s = 60;
    return o;
}

static inline struct accsim *run(const struct subject *s, const struct accsim_options *o)
{
    GError *error = NULL;
    struct accsim *a = accsim_new(o, &error);
    ck_assert_msg(a != NULL, "%s, %s: %s", s->arch, s->op->name, a ? "" : error->message);
    const bool ok = accsim_run(a, &error);
    ck_assert_msg(ok, "%s, %s: %s", s->arch, s->op->name, ok ? "" : error->message);
    return a;
}

/* The folder of a family: of arch/, or an example. The caller frees it. */
static inline char *family_dir(const char *family)
{
    char *dir = g_strdup_printf(SOURCE_DIR "/arch/%s", family);
    if (g_file_test(dir, G_FILE_TEST_IS_DIR))
        return dir;
    g_free(dir);
    return g_strdup_printf(SOURCE_DIR "/docs/examples/%s", family);
}

/* The machine that is tested: the one that $MACHINE names ("tpu"), or each .cfg beside the sources
 * of each family in turn. */
static inline void for_machines(void (*fn)(const struct subject *s))
{
    const char *chosen = g_getenv("MACHINE");
    int n_tested = 0;
    for (int i = 0; arch_families[i]; i++) {
        g_autofree char *dir = family_dir(arch_families[i]->name);
        GDir *d = g_dir_open(dir, 0, NULL);
        int n_file = 0;
        ck_assert_ptr_nonnull(d);
        for (const char *name; (name = g_dir_read_name(d));) {
            if (!g_str_has_suffix(name, ".cfg"))
                continue;
            n_file++;
            g_autofree char *base = g_strndup(name, strlen(name) - strlen(".cfg"));
            if (chosen && strcmp(base, chosen))
                continue;
            g_autofree char *arch = g_build_filename(dir, name, NULL);
            fn(&(struct subject){.family = arch_families[i]->name, .arch = arch});
            n_tested++;
        }
        g_dir_close(d);
        ck_assert_msg(n_file > 0, "%s has no machine", dir);
    }
    ck_assert_msg(n_tested > 0, "there is no machine '%s'", chosen);
}

/* Whether it is the last machine of its family by name, on which what does not depend on sizes and
 * takes long is tried. */
static inline bool is_sample(const struct subject *s)
{
    g_autofree char *dir = g_path_get_dirname(s->arch), *own = g_path_get_basename(s->arch);
    GDir *d = g_dir_open(dir, 0, NULL);
    bool is_last = true;
    for (const char *name; (name = g_dir_read_name(d));)
        is_last &= !g_str_has_suffix(name, ".cfg") || strcmp(name, own) <= 0;
    g_dir_close(d);
    return is_last;
}

static inline bool has_setting(const char *family, const char *path)
{
    const struct cfg_field *f = arch_find(family)->fields;
    while (f->path && strcmp(f->path, path))
        f++;
    return f->path != NULL;
}

static inline bool has_case(const struct op *op)
{
    for (size_t i = 0; i < G_N_ELEMENTS(op_cases); i++)
        if (!strcmp(op_cases[i].op, op->name))
            return true;
    return false;
}

/* Rows of features in, the same rows out. */
static inline bool keeps_shape(const struct graph *g)
{
    const struct value *x = graph_find_value(g, "x"), *it = graph_find_value(g, "it");
    return x && it && it->kind == VALUE_NODE && shape_equal(&x->shape, &it->shape);
}

/* Whether the machine, as it is set, runs the operator, be it on the host. What it does not is
 * refused by the layer's name. */
static inline bool runs(const struct subject *s)
{
    GError *error = NULL;
    struct accsim_options o = options(s, s->set);
    o.mode = ACCSIM_TIMING;
    o.fidelity = ACCSIM_ANALYTIC;
    struct accsim *a = accsim_new(&o, &error);
    if (!a)
        ck_error(false, error, ERROR_UNSUPPORTED, "layer 'it'");
    accsim_free(a);
    return a != NULL;
}

/* Calls fn for each operator that the machine runs; at least one does. */
static inline void for_ops(const struct subject *machine, void (*fn)(const struct subject *s))
{
    int n_run = 0;
    for (int i = 0; op_table[i]; i++) {
        g_autofree char *text = case_text(op_table[i]);
        g_autofree char *file = g_strdup_printf("%s/families-%d-%08x.net", g_get_tmp_dir(),
                                                (int)getpid(), g_str_hash(text));
        g_assert_true(g_file_set_contents(file, text, -1, NULL));
        struct graph *g = net_read(file, 2, NULL); /* the batch of options() */
        const bool fits = g && (has_case(op_table[i]) || keeps_shape(g));
        graph_free(g);
        if (!fits) { /* integers, matrices or attributes are asked for: nothing for a machine */
            ck_assert_msg(op_table[i]->kind != TRAITS_PRODUCT, "operator '%s' has no case",
                          op_table[i]->name);
            g_unlink(file);
            continue;
        }
        struct subject s = *machine;
        s.op = op_table[i];
        s.net = file;
        if (runs(&s)) {
            fn(&s);
            n_run++;
        }
        g_unlink(file);
    }
    ck_assert_msg(n_run > 0, "%s runs no operator", machine->arch);
}
