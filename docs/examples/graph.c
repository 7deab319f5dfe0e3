/* A graph of one's own: y = relu(W x + b) + 1, on the CPU reference and on the TPU.
 *
 *     cc graph.c -o graph $(pkg-config --cflags --libs accsim) && ./graph */
#include <stdio.h>

#include "app/run/accsim.h"
#include "workloads/ops/ops.h"

static bool build(struct graph *g, GError **error)
{
    const int64_t width = 4;
    const struct shape weight = {2, {3, width}}, one = {1, {3}};
    const float ones[] = {1, 1, 1};
    GBytes *data = g_bytes_new(ones, sizeof(ones));
    const char *const product[] = {"x", "W"}, *const sum[] = {"y0", "one"}, *const relu[] = {"Wx"};
    bool ok =
        graph_add_input(g, "x", 1, &width, error) >= 0 && /* a placeholder [batch, 4] */
        graph_add_variable(g, "W", &weight, width, error) &&
        graph_add_constant(g, "one", NUMBER_fp32, &one, data, error) &&
        graph_add_node(g, "Wx", &op_fc, &(struct fc_attr){.axis = 1}, product, 2, NULL, error) &&
        graph_add_node(g, "y0", op_find("relu"), NULL, relu, 1, NULL, error) &&
        graph_add_node(g, "y", op_find("add"), NULL, sum, 2, NULL, error);
    g_bytes_unref(data);
    return ok && graph_finish(g, NULL, 0, error);
}

int main(void)
{
    GError *error = NULL;
    const float x[] = {1, 2, 3, 4}, w[] = {1, 0, 0, 0, 0, -1, 0, 0, 1, 1, 1, 1};
    struct graph *g = graph_new("mine", NULL, 1);
    struct accsim_options o = accsim_options_default();
    if (!build(g, &error))
        return fprintf(stderr, "%s\n", error->message), 1;
    struct values *feeds = values_new(g), *fetches = values_new(g);
    values_set(feeds, "x", x, NULL);
    values_set(feeds, "W", w, NULL);
    if (!accsim_evaluate(g, feeds, fetches, 1, &error))
        return fprintf(stderr, "%s\n", error->message), 1;
    const float *y = values_get(fetches, "y")->data;
    printf("reference %g %g %g\n", y[0], y[1], y[2]); /* 2 1 11 */
    o.arch = "tpu", o.graph = g, o.values = feeds;
    struct accsim *a = accsim_new(&o, &error);
    if (!a || !accsim_run(a, &error))
        return fprintf(stderr, "%s\n", error->message), 1;
    printf("tpu %llu cycles\n", (unsigned long long)accsim_record(a)->total_cyc);
}
