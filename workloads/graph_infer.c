/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a node's outputs before the graph runs: types, shapes, MACs, and the elements
 * where the inputs' are known (constant folding). */
#include <string.h>

#include "sim/base/error.h"
#include "workloads/graph_draft.h"
#include "workloads/message.h"
#include "workloads/threads.h"

/* Folding must not make a small file fill the memory; known inputs of a run are shapes. */
#define FOLD_MAX_ELEMENTS  (INT64_C(1) << 26)
#define KNOWN_MAX_ELEMENTS (INT64_C(1) << 16)

struct infer {
    struct operand in[OP_MAX_IN], out[OP_MAX_OUT];
    const struct operand *in_refs[OP_MAX_IN];
    struct op_infer call;
};

static void gather(const struct graph_draft *d, struct draft_node *n, struct infer *f)
{
    enum number type = NUMBER_fp32;
    for (int i = n->n_input - 1; i >= 0; i--) {
        f->in_refs[i] = NULL;
        if (n->in[i] < 0)
            continue;
        f->in[i] = DRAFT_VALUE(d, n->in[i])->what;
        f->in_refs[i] = &f->in[i];
        type = f->in[i].type;
    }
    for (int i = 0; i < n->n_out; i++)
        f->out[i] = (struct operand){.type = type};
    f->call = (struct op_infer){
        .attr = n->attr, .in = f->in_refs, .n_in = n->n_input, .out = f->out, .n_out = n->n_out};
}

/* What `why` says, behind the layer's name and with its own code. */
static bool pass_error(const struct draft_node *n, GError *why, GError **error)
{
    message_layer(error, n->origin, n->name, "%s", why->message);
    if (error)
        (*error)->code = why->code;
    g_error_free(why);
    return false;
}

static bool check_known(const struct draft_node *n, const struct infer *f, GError **error)
{
    const struct op *op = n->op;
    for (int i = 0; i < n->n_input; i++) {
        const struct operand *in = f->in_refs[i];
        bool is_told = i < 32 && (op->known >> i & 1);
        if (!in)
            continue;
        if (!in->known && (is_told || (i < 32 && (op->shaped_by >> i & 1)))) {
            message_layer(error, n->origin, n->name,
                          "the shape of its output depends on the elements of '%s', which are not "
                          "known before the run",
                          n->inputs[i]);
            if (error)
                (*error)->code = ERROR_UNSUPPORTED;
            return false;
        }
        if (!is_told && !op->takes_empty && shape_count(&in->shape) == 0) {
            message_layer(error, n->origin, n->name,
                          "input '%s' has no elements, which operator "
                          "'%s' does not take",
                          n->inputs[i], op->name);
            if (error)
                (*error)->code = ERROR_UNSUPPORTED;
            return false;
        }
    }
    return true;
}

/* The parameters that the builder did not give. */
static bool make_params(struct graph *g, struct draft_node *n, int i_node, const struct infer *f,
                        GError **error)
{
    struct op_param params[OP_MAX_PARAM];
    const struct op *op = n->op;
    n->n_in = n->n_data = n->n_input;
    if (!op->params)
        return true;
    int n_param = op->params(&f->call, params);
    g_assert(n_param <= OP_MAX_PARAM);
    n->n_data = op->max_data;
    n->n_in = MAX(op->max_data + n_param, n->n_input);
    for (int i = n->n_input; i < op->max_data; i++)
        n->in[i] = -1;
    for (int i = MAX(0, n->n_input - op->max_data); i < n_param; i++) {
        const struct op_param *p = &params[i];
        const char *name = arena_printf(g->arena, "%s.%s", n->name, p->suffix), *why;
        if (!shape_check(&p->shape, &why))
            return message_layer(error, n->origin, n->name, "%s: %s", p->suffix, why);
        const struct draft_value v = {.name = name,
                                      .kind = VALUE_PARAM,
                                      .what = {.type = NUMBER_fp32, .shape = p->shape},
                                      .is_ready = true,
                                      .node = i_node,
                                      .fan_in = p->fan_in,
                                      .is_statistic = p->is_statistic,
                                      .center = p->center,
                                      .spread = p->spread};
        n->in[op->max_data + i] = draft_add_value(g, v);
        if (n->in[op->max_data + i] < 0)
            return message_layer(error, n->origin, n->name,
                                 "'%s' is the name of both a layer or input and a parameter", name);
    }
    return true;
}

static bool count_macs(struct graph_draft *d, struct draft_node *n, const struct infer *f,
                       GError **error)
{
    n->macs = n->op->macs ? n->op->macs(&f->call) : 0;
    if (n->macs <= INT64_MAX && n->macs + d->macs <= INT64_MAX) {
        d->macs += n->macs;
        return true;
    }
    return message_layer(error, n->origin, n->name, "more than 2^63 - 1 multiply-accumulates");
}

static bool set_outputs(struct graph_draft *d, const struct draft_node *n, const struct infer *f,
                        GError **error)
{
    for (int i = 0; i < n->n_out; i++) {
        const char *why;
        if (n->out[i] < 0)
            continue;
        if (!shape_fits(&f->out[i].shape, &why))
            return message_layer(error, n->origin, n->name, "output: %s", why);
        struct draft_value *v = DRAFT_VALUE(d, n->out[i]);
        v->what = f->out[i];
        v->what.known = NULL;
        v->is_ready = true;
    }
    return true;
}

/* What infer() has taken into the attributes is not read any more. */
static void drop_known(const struct graph_draft *d, struct draft_node *n)
{
    for (int i = 0; i < MIN(n->n_input, 32); i++) {
        if (n->in[i] < 0 || !(n->op->known >> i & 1))
            continue;
        n->is_told |= !DRAFT_VALUE(d, n->in[i])->is_constant;
        n->in[i] = -1;
    }
}

bool draft_infer(struct graph *g, int i_node, GError **error)
{
    struct graph_draft *d = g->draft;
    struct draft_node *n = DRAFT_NODE(d, i_node);
    struct infer f;
    gather(d, n, &f);
    GError *why = NULL;
    if (!check_known(n, &f, error))
        return false;
    if (!op_check_types(n->op, f.in_refs, n->n_input, &why) || !n->op->infer(&f.call, &why))
        return pass_error(n, why, error);
    if (!set_outputs(d, n, &f, error) || !make_params(g, n, i_node, &f, error) ||
        !count_macs(d, n, &f, error))
        return false;
    drop_known(d, n);
    n->is_ready = true;
    return draft_fold(g, n, error);
}

/* Whether all inputs are known, and whether they are so in every run. */
static bool inputs_known(const struct graph_draft *d, const struct draft_node *n, bool *is_constant)
{
    *is_constant = !n->is_told;
    if (n->op->is_random)
        return false;
    for (int i = 0; i < n->n_in; i++) {
        if (n->in[i] < 0 || n->op->from_shapes)
            continue;
        const struct draft_value *v = DRAFT_VALUE(d, n->in[i]);
        if (!v->what.known)
            return false;
        *is_constant &= v->is_constant;
    }
    return true;
}

static bool is_wise(const struct graph_draft *d, const struct draft_node *n, bool is_constant)
{
    int64_t n_elem = 0, n_read = 0;
    for (int i = 0; i < n->n_out; i++)
        n_elem += n->out[i] < 0 ? 0 : shape_count(&DRAFT_VALUE(d, n->out[i])->what.shape);
    for (int i = 0; i < n->n_in; i++)
        n_read += n->in[i] < 0 ? 0 : shape_count(&DRAFT_VALUE(d, n->in[i])->what.shape);
    int64_t most = is_constant ? MAX(n_read, FOLD_MAX_ELEMENTS) : KNOWN_MAX_ELEMENTS;
    return n->op->shaped_by || n_elem <= most;
}

static bool compute(struct graph *g, struct draft_node *n, GError **error)
{
    struct graph_draft *d = g->draft;
    struct tensor in[OP_MAX_IN], out[OP_MAX_OUT] = {0};
    const struct tensor *in_refs[OP_MAX_IN];
    struct tensor *out_refs[OP_MAX_OUT];
    for (int i = 0; i < n->n_in; i++) {
        const struct operand *o = n->in[i] < 0 ? NULL : &DRAFT_VALUE(d, n->in[i])->what;
        if (o)
            in[i] = (struct tensor){o->type, o->shape, (void *)o->known};
        in_refs[i] = o ? &in[i] : NULL;
    }
    bool ok = true;
    for (int i = 0; i < n->n_out; i++) {
        const struct operand *o = n->out[i] < 0 ? NULL : &DRAFT_VALUE(d, n->out[i])->what;
        ok = ok && (!o || tensor_alloc(&out[i], o->type, &o->shape, error));
        out_refs[i] = o ? &out[i] : NULL;
    }
    struct pool_threads *threads = threads_new(1);
    const struct op_call call = {n->attr, out_refs, n->n_out, in_refs, n->n_in, n->n_data, threads};
    ok = ok && op_run(n->op, &call, error);
    threads_free(threads);
    for (int i = 0; i < n->n_out; i++) {
        if (!out[i].data)
            continue;
        GBytes *data = g_bytes_new_take(out[i].data, tensor_bytes(&out[i]));
        if (ok)
            draft_set_data(g, DRAFT_VALUE(d, n->out[i]), data);
        g_bytes_unref(data);
    }
    return ok;
}

bool draft_fold(struct graph *g, struct draft_node *n, GError **error)
{
    bool is_constant;
    if (!inputs_known(g->draft, n, &is_constant) || !is_wise(g->draft, n, is_constant))
        return true;
    GError *why = NULL;
    if (!compute(g, n, &why))
        return pass_error(n, why, error);
    n->is_folded = is_constant;
    for (int i = 0; is_constant && i < n->n_out; i++)
        if (n->out[i] >= 0)
            DRAFT_VALUE(g->draft, n->out[i])->is_constant = true;
    return true;
}
