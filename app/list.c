/* SPDX-License-Identifier: Apache-2.0 */
/* accsim list: what can be named on the command line or in files. */
#include <string.h>

#include "app/app.h"
#include "app/emit.h"
#include "app/table.h"
#include "workloads/data/data.h"
#include "workloads/net.h"

enum { MAX_SUMMARY = 512 };

/* Takes the table and the items over. */
static bool emit_list(const struct options *o, const char *kind, struct table *t, json_t *items,
                      GError **error)
{
    json_t *doc = emit_doc("accsim-list/1");
    json_put_text(doc, "kind", kind);
    json_object_set_new(doc, "items", items);
    GString *text = g_string_new(NULL);
    table_print(t, text);
    return emit(o, text, doc, error);
}

static void collect(const char *dir, const char *ending, GTree *found)
{
    GDir *d = g_dir_open(dir, 0, NULL); /* one that is not there has nothing to list */
    const char *file;
    while (d && (file = g_dir_read_name(d))) {
        if (!g_str_has_suffix(file, ending))
            continue;
        char *name = g_strndup(file, strlen(file) - strlen(ending));
        if (g_tree_lookup(found, name))
            g_free(name);
        else
            g_tree_insert(found, name, g_build_filename(dir, file, NULL));
    }
    if (d)
        g_dir_close(d);
}

static int compare_names(gconstpointer a, gconstpointer b, gpointer user)
{
    (void)user;
    return strcmp(a, b);
}

/* NAME -> DIR/NAME.ending, sorted; of two with one name the one that would be found first. */
static GTree *find_files(char **dirs, const char *ending)
{
    GTree *found = g_tree_new_full(compare_names, NULL, g_free, g_free);
    for (int i = 0; dirs[i]; i++)
        collect(dirs[i], ending, found);
    return found;
}

/* The first line of a file's comment, after the licence; the caller frees it. NULL: none. */
static char *comment_line(const char *file)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents(file, &text, NULL, NULL))
        return NULL;
    g_auto(GStrv) lines = g_strsplit(text, "\n", 8);
    for (int i = 0; lines[i] && lines[i][0] == '#'; i++) {
        char *line = g_strstrip(lines[i] + strspn(lines[i], "#"));
        if (*line && !g_str_has_prefix(line, "SPDX-"))
            return g_strndup(line, MAX_SUMMARY);
    }
    return NULL;
}

/* A file that cannot be loaded is listed with what is wrong with it. */
static json_t *broken_item(const char *name, const char *path, GError *error)
{
    json_t *item = json_object();
    json_put_text(item, "name", name);
    json_put_text(item, "file", path);
    json_put_text(item, "error", error->message);
    g_error_free(error);
    return item;
}

/* The string at `key`; NULL where there is none. */
static const char *item_string(const json_t *item, const char *key)
{
    return json_string_value(json_object_get(item, key));
}

struct archs {
    char *const *dirs;
    json_t *items;
};

/* GTraverseFunc; `user` are the archs. */
static gboolean add_arch(gpointer name, gpointer path, gpointer user)
{
    const struct archs *archs = user;
    GError *error = NULL;
    struct cfg *cfg = cfg_load(path, archs->dirs, &error);
    if (!cfg) {
        json_array_append_new(archs->items, broken_item(name, path, error));
        return FALSE;
    }
    const char *family = cfg_peek_string(cfg, "family");
    if (family) { /* else settings of something that is no machine */
        g_autofree char *summary = comment_line(path);
        json_t *item = json_object();
        json_put_text(item, "name", name);
        json_put_text(item, "family", family);
        json_put_text(item, "summary", summary);
        json_put_text(item, "file", path);
        json_array_append_new(archs->items, item);
    }
    cfg_free(cfg);
    return FALSE;
}

bool list_archs(const struct options *o, GError **error)
{
    g_auto(GStrv) dirs = accsim_arch_dirs();
    GTree *files = find_files(dirs, ".cfg");
    json_t *items = json_array();
    g_tree_foreach(files, add_arch, &(struct archs){dirs, items});
    g_tree_destroy(files);

    struct table *t = table_new("lll", (const char *const[]){"machine", "family", "summary"});
    size_t i;
    json_t *item;
    json_array_foreach(items, i, item)
    {
        const char *fault = item_string(item, "error");
        table_row(t, item_string(item, "name"), fault ? "-" : item_string(item, "family"),
                  fault ? fault : item_string(item, "summary"));
    }
    return emit_list(o, "archs", t, items, error);
}

static gboolean add_net(gpointer name, gpointer path, gpointer user)
{
    GError *error = NULL;
    struct graph *g = net_read(path, 1, &error);
    if (!g) {
        json_array_append_new(user, broken_item(name, path, error));
        return FALSE;
    }
    json_t *item = json_object();
    json_put_text(item, "name", name);
    json_put_count(item, "layers", (uint64_t)g->n_node);
    json_put_count(item, "macs", graph_macs(g));
    json_put_count(item, "parameters", graph_parameters(g));
    json_put_text(item, "source", g->source);
    json_put_text(item, "file", path);
    json_array_append_new(user, item);
    graph_free(g);
    return FALSE;
}

static uint64_t item_count(const json_t *item, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(item, key));
}

bool list_nets(const struct options *o, GError **error)
{
    g_auto(GStrv) dirs = accsim_net_dirs();
    GTree *files = find_files(dirs, ".net");
    json_t *items = json_array();
    g_tree_foreach(files, add_net, items);
    g_tree_destroy(files);

    static const char *const headings[] = {"network", "layers", "MACs", "parameters", "source"};
    struct table *t = table_new("lrrrl", headings);
    size_t i;
    json_t *item;
    json_array_foreach(items, i, item)
    {
        const char *fault = item_string(item, "error");
        if (fault)
            table_row(t, item_string(item, "name"), "-", "-", "-", fault);
        else
            table_row(t, item_string(item, "name"), number_count(item_count(item, "layers")).text,
                      number_count(item_count(item, "macs")).text,
                      number_count(item_count(item, "parameters")).text,
                      item_string(item, "source"));
    }
    return emit_list(o, "nets", t, items, error);
}

static void add_named(struct table *t, json_t *items, const char *name, const char *summary)
{
    json_t *item = json_object();
    json_put_text(item, "name", name);
    json_put_text(item, "summary", summary);
    json_array_append_new(items, item);
    table_row(t, name, summary);
}

bool list_ops(const struct options *o, GError **error)
{
    struct table *t = table_new("ll", (const char *const[]){"operator", "summary"});
    json_t *items = json_array();
    for (int i = 0; op_table[i]; i++)
        add_named(t, items, op_table[i]->name, op_table[i]->summary);
    return emit_list(o, "ops", t, items, error);
}

bool list_families(const struct options *o, GError **error)
{
    struct table *t = table_new("ll", (const char *const[]){"family", "summary"});
    json_t *items = json_array();
    for (int i = 0; i < accsim_n_family(); i++)
        add_named(t, items, accsim_family_name(i), accsim_family_summary(i));
    return emit_list(o, "families", t, items, error);
}

/* What the files of a set say of it. */
static void describe_set(json_t *item, const struct data_info *info)
{
    json_put_text(item, "format", info->format);
    json_put_count(item, "train", (uint64_t)info->n[DATA_TRAIN]);
    json_put_count(item, "test", (uint64_t)info->n[DATA_TEST]);
    json_t *shape = json_array();
    for (int i = 0; i < info->shape.n_dim; i++)
        json_array_append_new(shape, json_integer(info->shape.dim[i]));
    json_object_set_new(item, "shape", shape);
    if (info->n_class > 0)
        json_put_count(item, "classes", (uint64_t)info->n_class);
}

/* "1x28x28"; the caller frees it. */
static char *shape_words(const json_t *shape)
{
    GString *text = g_string_new(NULL);
    size_t i;
    json_t *dim;
    json_array_foreach(shape, i, dim)
    {
        g_string_append_printf(text, "%s%" JSON_INTEGER_FORMAT, i ? "x" : "",
                               json_integer_value(dim));
    }
    return g_string_free(text, FALSE);
}

static void add_set_row(struct table *t, const char *name, const json_t *item)
{
    const json_t *shape = json_object_get(item, "shape");
    const char *fault = item_string(item, "error");
    if (!shape) {
        table_row(t, name, "-", "-", "-", "-", fault ? fault : item_string(item, "install"));
        return;
    }
    g_autofree char *words = shape_words(shape);
    table_row(t, name, number_count(item_count(item, "train")).text,
              number_count(item_count(item, "test")).text, words,
              number_count(item_count(item, "classes")).text, item_string(item, "file"));
}

/* A set that is not here has the key "install", one that cannot be read "error". */
static json_t *set_item(const struct data_known *known, const char *const *dirs)
{
    json_t *item = json_object();
    json_put_text(item, "name", known->name);
    json_put_text(item, "summary", known->summary);
    json_put_text(item, "source", known->source);
    json_put_text(item, "package", known->package);
    g_autofree char *path = data_known_path(known, dirs);
    json_put_text(item, "file", path);
    if (!path) {
        g_autofree char *advice = data_known_advice(known);
        json_put_text(item, "install", advice);
        return item;
    }
    GError *error = NULL;
    struct data_set *d = data_open(path, NULL, NULL, &error);
    if (d)
        describe_set(item, data_describe(d));
    else
        json_put_text(item, "error", error->message);
    g_clear_error(&error);
    data_close(d);
    return item;
}

bool list_datasets(const struct options *o, GError **error)
{
    static const char *const headings[] = {"data set", "train",   "test",
                                           "shape",    "classes", "where"};
    g_auto(GStrv) dirs = accsim_data_dirs();
    struct table *t = table_new("lrrlrl", headings);
    json_t *items = json_array();
    for (const struct data_known *known = data_known; known->name; known++) {
        json_t *item = set_item(known, (const char *const *)dirs);
        add_set_row(t, known->name, item);
        json_array_append_new(items, item);
    }
    return emit_list(o, "datasets", t, items, error);
}
