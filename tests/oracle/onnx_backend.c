/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the test models of ONNX's backends (the package libonnx-testdata) on the reference, at the
 * tests' own tolerances, and says of each whether it passed, was refused, or gave a wrong value.
 *
 *   onnx_backend DATA [TEST...]
 *
 * DATA has folders node, pytorch-converted, pytorch-operator and simple. The last line
 * of each counts them, for a script to read; with MACHINE in the environment, what passes runs on
 * that machine too, and has to be what its own arithmetic gives without tiles. "operator NAME: P of
 * N" tells of each ONNX operator how many of the folders' models that hold it pass. */
#include <math.h>
#include <onnx.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/run/accsim.h"
#include "sim/base/error.h"
#include "workloads/onnx/onnx.h"
#include "workloads/ref/ref.h"
#include "workloads/tensor/npy.h"

/* As onnx.backend.test.runner has them. */
#define RELATIVE 1e-3
#define ABSOLUTE 1e-7
#define MAX_FILE 32

enum verdict { PASSED, REFUSED, OPEN, WRONG, N_VERDICT };
static const char *const words[] = {"passed", "refused", "open", "WRONG"};

/* Tests whose data decide nothing; not counted as passed. */
static const struct {
    const char *part, *why;
} open_tests[] = {
    {"bernoulli", "drawn at random"},
    {"castlike_BFLOAT16_to_FLOAT", "the data have another shape than the model declares"},
    {"FLOAT_to_BFLOAT16", "the data cut bits off; ONNX since 1.13 rounds to nearest, as we do"},
};

struct tensors {
    struct tensor at[MAX_FILE];
    char *name[MAX_FILE];
    int n;
};

static void read_tensors(const char *dir, const char *stem, struct tensors *t)
{
    for (t->n = 0; t->n < MAX_FILE; t->n++) {
        g_autofree char *base = g_strdup_printf("%s_%d.pb", stem, t->n);
        g_autofree char *file = g_build_filename(dir, base, NULL);
        if (!g_file_test(file, G_FILE_TEST_EXISTS) ||
            !onnx_read_tensor(file, &t->at[t->n], &t->name[t->n], NULL))
            return;
    }
}

static void clear_tensors(struct tensors *t)
{
    for (int i = 0; i < t->n; i++) {
        tensor_clear(&t->at[i]);
        g_free(t->name[i]);
    }
}

/* The test data have bf16 as uint16. */
static void read_bf16(struct tensor *t, enum number type)
{
    if (type == NUMBER_bf16 && t->type == NUMBER_uint16)
        t->type = NUMBER_bf16;
}

static bool is_close(const struct tensor *x, struct tensor *want, char **why)
{
    read_bf16(want, x->type);
    if (x->type != want->type || !shape_equal(&x->shape, &want->shape)) {
        struct arena *a = arena_new();
        *why = g_strdup_printf("%s %s instead of %s %s", number_names[x->type],
                               shape_text(&x->shape, 0, a), number_names[want->type],
                               shape_text(&want->shape, 0, a));
        arena_free(a);
        return false;
    }
    for (int64_t i = 0; i < shape_count(&x->shape); i++) {
        const double a = number_get_fp64(x->data, x->type, (size_t)i);
        const double b = number_get_fp64(want->data, want->type, (size_t)i);
        bool same =
            a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= ABSOLUTE + RELATIVE * fabs(b);
        if (!same) {
            *why = g_strdup_printf("element %ld is %g instead of %g", (long)i, a, b);
            return false;
        }
    }
    return true;
}

static bool feed(struct values *v, struct tensors *in)
{
    const struct graph *g = v->graph;
    for (int i = 0; i < g->n_input && i < in->n; i++) {
        struct tensor *to = &v->at[g->inputs[i]];
        GError *error = NULL;
        read_bf16(&in->at[i], g->values[g->inputs[i]].type);
        if (!tensor_alloc(to, in->at[i].type, &in->at[i].shape, &error))
            return false;
        memcpy(to->data, in->at[i].data, tensor_bytes(to));
    }
    return true;
}

/* Whether the machine runs it, what it lacks on the host, and each layer is exact. */
static enum verdict run_on_machine(const char *machine, const struct graph *g,
                                   const struct values *feeds, char **why, GError **error)
{
    struct accsim_options o = accsim_options_default();
    o.arch = machine;
    o.graph = g;
    o.values = feeds;
    struct accsim *a = accsim_new(&o, error);
    enum verdict verdict = WRONG;
    if (a && accsim_run(a, error)) {
        const struct record_check *check = &accsim_record(a)->check;
        verdict = !check->has_exact || check->exact ? PASSED : WRONG;
        if (verdict == WRONG)
            *why = g_strdup("the machine's values differ from its own arithmetic");
    }
    accsim_free(a);
    return verdict;
}

static enum verdict run_set(const char *model, const char *dir, char **why)
{
    struct tensors in, want;
    read_tensors(dir, "input", &in);
    read_tensors(dir, "output", &want);
    g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
    for (int i = 0; i < in.n; i++)
        if (in.name[i])
            g_hash_table_insert(known, in.name[i], &in.at[i]);
    const struct net_options options = {.batch = 1, .any_batch = true, .known = known};
    GError *error = NULL;
    enum verdict verdict = WRONG;
    struct graph *read = onnx_read(model, &options, &error);
    /* What the model became can be copied, as it is for other batches and for machines. */
    struct graph *g = read ? graph_rebatch(read, read->batch, &error) : NULL;
    graph_free(read);
    if (g) {
        struct values *feeds = values_new(g), *fetches = values_new(g);
        if (feed(feeds, &in) && ref_run(g, 1, feeds, fetches, NULL, NULL, NULL, &error)) {
            verdict = want.n == g->n_output ? PASSED : WRONG;
            for (int i = 0; verdict == PASSED && i < g->n_output; i++)
                verdict = is_close(&fetches->at[g->outputs[i]], &want.at[i], why) ? PASSED : WRONG;
        }
        const char *machine = g_getenv("MACHINE");
        if (verdict == PASSED && machine)
            verdict = run_on_machine(machine, g, feeds, why, &error);
        values_free(feeds);
        values_free(fetches);
        graph_free(g);
    }
    if (error) {
        verdict = error->code == ERROR_UNSUPPORTED ? REFUSED : WRONG;
        *why = g_strdup(error->message);
        g_error_free(error);
    }
    clear_tensors(&in);
    clear_tensors(&want);
    return verdict;
}

static enum verdict run_test(const char *dir, char **why)
{
    g_autofree char *model = g_build_filename(dir, "model.onnx", NULL);
    enum verdict verdict = PASSED;
    int i;
    for (i = 0; verdict == PASSED; i++) {
        g_autofree char *base = g_strdup_printf("test_data_set_%d", i);
        g_autofree char *set = g_build_filename(dir, base, NULL);
        if (!g_file_test(set, G_FILE_TEST_IS_DIR))
            break;
        verdict = run_set(model, set, why);
    }
    if (i == 0) {
        verdict = WRONG;
        *why = g_strdup("there is no test_data_set_0");
    }
    for (size_t i = 0; i < G_N_ELEMENTS(open_tests); i++)
        if (verdict == WRONG && strstr(dir, open_tests[i].part)) {
            verdict = OPEN;
            g_free(*why);
            *why = g_strdup(open_tests[i].why);
        }
    return verdict;
}

static int compare(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct tally {
    int n, n_passed;
};

/* Adds a model's verdict to each operator that its graph names, once. */
static void count_operators(const char *dir, bool passed, GHashTable *tallies)
{
    g_autofree char *file = g_build_filename(dir, "model.onnx", NULL);
    g_autofree char *bytes = NULL;
    gsize n = 0;
    if (!g_file_get_contents(file, &bytes, &n, NULL))
        return;
    Onnx__ModelProto *m = onnx__model_proto__unpack(NULL, n, (const uint8_t *)bytes);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (size_t i = 0; m && m->graph && i < m->graph->n_node; i++) {
        char *name = m->graph->node[i]->op_type;
        if (!name || !g_hash_table_add(seen, name))
            continue;
        struct tally *t = g_hash_table_lookup(tallies, name);
        if (!t) {
            t = g_new0(struct tally, 1);
            g_hash_table_insert(tallies, g_strdup(name), t);
        }
        t->n++;
        t->n_passed += passed;
    }
    if (m)
        onnx__model_proto__free_unpacked(m, NULL);
}

static void print_operators(GHashTable *tallies)
{
    GList *names = g_list_sort(g_hash_table_get_keys(tallies), (GCompareFunc)strcmp);
    for (GList *l = names; l; l = l->next) {
        const struct tally *t = g_hash_table_lookup(tallies, l->data);
        printf("operator %s: %d of %d\n", (char *)l->data, t->n_passed, t->n);
    }
    g_list_free(names);
}

static int run_folder(const char *data, const char *folder, char **only, GHashTable *tallies)
{
    g_autofree char *path = g_build_filename(data, folder, NULL);
    GDir *dir = g_dir_open(path, 0, NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    int counts[N_VERDICT] = {0};
    const char *name;
    while (dir && (name = g_dir_read_name(dir)))
        g_ptr_array_add(names, g_strdup(name));
    if (dir)
        g_dir_close(dir);
    g_ptr_array_sort(names, compare);
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *test = g_build_filename(path, names->pdata[i], NULL);
        g_autofree char *why = NULL;
        if (only[0] && !g_strv_contains((const char *const *)only, names->pdata[i]))
            continue;
        enum verdict v = run_test(test, &why);
        counts[v]++;
        count_operators(test, v == PASSED, tallies);
        if (v != PASSED || only[0])
            printf("%s %s/%s: %s\n", words[v], folder, (char *)names->pdata[i], why ? why : "");
        fflush(stdout);
    }
    printf("%s: %d passed, %d refused, %d open, %d wrong\n", folder, counts[PASSED],
           counts[REFUSED], counts[OPEN], counts[WRONG]);
    return counts[WRONG];
}

int main(int argc, char **argv)
{
    static const char *const folders[] = {"node", "pytorch-converted", "pytorch-operator",
                                          "simple"};
    int n_wrong = 0;
    if (argc < 2) {
        fprintf(stderr, "usage: onnx_backend DATA [TEST...]\n");
        return 2;
    }
    g_autoptr(GHashTable) tallies = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (size_t i = 0; i < G_N_ELEMENTS(folders); i++)
        n_wrong += run_folder(argv[1], folders[i], argv + 2, tallies);
    print_operators(tallies);
    return n_wrong > 0;
}
