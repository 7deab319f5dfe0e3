/* SPDX-License-Identifier: Apache-2.0 */
/* Branches and loops, written out where the condition and the number of rounds are known. */
#include <string.h>

#include "sim/base/error.h"
#include "workloads/onnx/convert.h"

#define MAX_DEPTH 16
#define MAX_ROUND 4096

static Onnx__GraphProto *body_of(const struct onnx_node *n, const char *name)
{
    const Onnx__AttributeProto *p = onnx_attr(n, name);
    return p ? p->g : NULL;
}

/* A value of the inner scope under a name of the outer one. */
struct result {
    const char *value;
    GPtrArray *sequence;
};

static bool take_result(const struct onnx_node *n, const Onnx__ValueInfoProto *p, struct result *r,
                        GError **error)
{
    const char *name = p->name ? p->name : "";
    r->sequence = onnx_sequence(n->o, name);
    r->value = r->sequence ? NULL : onnx_value(n->o, name);
    if (r->sequence)
        g_ptr_array_ref(r->sequence);
    return r->sequence || r->value ||
           error_set(error, ERROR_INPUT, "%s: nothing in node '%s' makes '%s'", n->o->file, n->name,
                     name);
}

static void set_result(struct onnx *o, const char *name, const struct result *r)
{
    if (r->sequence)
        onnx_set_sequence(o, name, r->sequence);
    else
        onnx_set_value(o, name, r->value);
}

/* Output i of the node. */
static bool give(struct onnx_node *n, int i, const struct result *r, GError **error)
{
    if (i >= n->n_out || n->p->output[i][0] == '\0') {
        g_clear_pointer((GPtrArray **)&r->sequence, g_ptr_array_unref);
        return true;
    }
    if (r->value)
        return onnx_alias(n, i, r->value, error);
    onnx_set_sequence(n->o, n->p->output[i], r->sequence);
    return true;
}

static bool enter(struct onnx_node *n, const char *prefix, GError **error)
{
    if (n->o->depth == MAX_DEPTH)
        return onnx_refuse(n, error, "nesting deeper than %d", MAX_DEPTH);
    n->o->depth++;
    onnx_push_scope(n->o, prefix);
    return true;
}

static void leave(struct onnx_node *n)
{
    n->o->depth--;
    onnx_pop_scope(n->o);
}

bool onnx_convert_branch(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    (void)row;
    int64_t condition;
    int n_v;
    if (n->n_in != 1 || !onnx_known_ints(n, 0, &condition, 1, &n_v))
        return onnx_refuse(n, error, "a condition that is not known before the run");
    Onnx__GraphProto *body = body_of(n, condition ? "then_branch" : "else_branch");
    if (!body || (int)body->n_output < n->n_out)
        return onnx_refuse(n, error, "a branch without its outputs");
    g_autofree char *prefix = g_strconcat(n->name, "/", NULL);
    if (!enter(n, prefix, error))
        return false;
    struct result r[OP_MAX_OUT] = {0};
    bool ok = onnx_import_nodes(n->o, body, error);
    for (int i = 0; ok && i < n->n_out; i++)
        ok = take_result(n, body->output[i], &r[i], error);
    leave(n);
    for (int i = 0; ok && i < n->n_out; i++)
        ok = give(n, i, &r[i], error);
    return ok;
}

/* A loop's state: values that one round hands to the next, and what rounds leave behind. */
struct rounds {
    Onnx__GraphProto *body;
    int64_t n_round;
    int n_state, n_scan;
    struct result state[OP_MAX_OUT];
    GPtrArray *scans[OP_MAX_OUT];
};

static bool set_scalar(struct onnx_node *n, const char *name, enum number type, int64_t value,
                       GError **error)
{
    const struct shape scalar = {0};
    const uint8_t truth = value != 0;
    const char *made = onnx_made_name(n);
    GBytes *data = type == NUMBER_bool ? g_bytes_new(&truth, 1) : g_bytes_new(&value, 8);
    onnx_set_value(n->o, name, made);
    return onnx_add_constant(n, made, type, &scalar, data, error);
}

static bool inner_known(const struct onnx_node *n, const char *name, int64_t *out)
{
    const char *value = onnx_value(n->o, name);
    struct operand what;
    if (!value || !graph_peek(n->o->g, value, &what) || !what.known)
        return false;
    *out = number_get_int64(what.known, what.type, 0);
    return true;
}

/* Round i in a scope of its own. */
static bool run_round(struct onnx_node *n, struct rounds *l, int64_t i, int64_t *condition,
                      GError **error)
{
    const Onnx__GraphProto *b = l->body;
    bool ok = set_scalar(n, b->input[0]->name, NUMBER_int64, i, error) &&
              set_scalar(n, b->input[1]->name, NUMBER_bool, *condition, error);
    for (int k = 0; k < l->n_state; k++)
        set_result(n->o, b->input[2 + k]->name, &l->state[k]);
    ok = ok && onnx_import_nodes(n->o, l->body, error);
    if (ok && !inner_known(n, b->output[0]->name, condition))
        ok = onnx_refuse(n, error, "a condition that is not known before the run");
    for (int k = 0; ok && k < l->n_state; k++)
        ok = take_result(n, b->output[1 + k], &l->state[k], error);
    for (int k = 0; ok && k < l->n_scan; k++) {
        struct result r;
        ok = take_result(n, b->output[1 + l->n_state + k], &r, error) &&
             (r.value || onnx_refuse(n, error, "a sequence for each round"));
        if (ok)
            g_ptr_array_add(l->scans[k], (void *)r.value);
    }
    return ok;
}

/* What each round left, one after the other along a new first dimension. */
static bool stack(struct onnx_node *n, int i_out, GPtrArray *values, GError **error)
{
    if (i_out >= n->n_out || n->out[i_out][0] == '\0')
        return true;
    if (values->len == 0 || values->len > OP_MAX_IN)
        return onnx_refuse(n, error, "a loop that leaves %u values", values->len);
    struct onnx_attrs a;
    onnx_attrs_init(&a);
    onnx_attrs_int(&a, "axis", 0);
    bool ok = onnx_emit(n, "stack", &a, (const char *const *)values->pdata, (int)values->len,
                        &n->out[i_out], 1, error);
    onnx_attrs_clear(&a);
    return ok;
}

static bool run_rounds(struct onnx_node *n, struct rounds *l, int64_t condition, GError **error)
{
    bool ok = true;
    for (int64_t i = 0; ok && i < l->n_round && condition; i++) {
        if (i == MAX_ROUND)
            return onnx_refuse(n, error, "a loop of more than %d rounds", MAX_ROUND);
        g_autofree char *prefix = g_strdup_printf("%s/%" G_GINT64_FORMAT "/", n->name, i);
        ok = enter(n, prefix, error);
        if (ok) {
            ok = run_round(n, l, i, &condition, error);
            leave(n);
        }
    }
    for (int k = 0; ok && k < l->n_state; k++)
        ok = give(n, k, &l->state[k], error);
    for (int k = 0; ok && k < l->n_scan; k++)
        ok = stack(n, l->n_state + k, l->scans[k], error);
    return ok;
}

static bool prepare(struct onnx_node *n, struct rounds *l, int64_t *condition, GError **error)
{
    int n_v;
    l->n_round = INT64_MAX;
    *condition = 1;
    if ((onnx_has(n, 0) && !onnx_known_ints(n, 0, &l->n_round, 1, &n_v)) ||
        (onnx_has(n, 1) && !onnx_known_ints(n, 1, condition, 1, &n_v)))
        return onnx_refuse(n, error, "a loop whose length is not known before the run");
    l->body = body_of(n, "body");
    l->n_state = (int)n->p->n_input - 2;
    if (!l->body || l->n_state < 0 || (int)l->body->n_input != l->n_state + 2 ||
        (int)l->body->n_output < l->n_state + 1 || l->body->n_output > OP_MAX_OUT)
        return onnx_refuse(n, error, "a body of other inputs and outputs");
    for (size_t i = 0; i < l->body->n_input; i++)
        if (!l->body->input[i]->name)
            return onnx_refuse(n, error, "an input without a name");
    for (int k = 2; k < l->n_state + 2; k++)
        if (!onnx_has(n, k) && !onnx_sequence(n->o, n->p->input[k]))
            return onnx_refuse(n, error, "no tensor for input %d", k);
    l->n_scan = (int)l->body->n_output - 1 - l->n_state;
    for (int k = 0; k < l->n_state; k++) {
        GPtrArray *sequence = onnx_sequence(n->o, n->p->input[2 + k]);
        l->state[k] = (struct result){sequence ? NULL : n->in[2 + k],
                                      sequence ? g_ptr_array_ref(sequence) : NULL};
    }
    return true;
}

bool onnx_convert_loop(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    (void)row;
    struct rounds l = {0};
    int64_t condition;
    if (!prepare(n, &l, &condition, error))
        return false;
    for (int k = 0; k < l.n_scan; k++)
        l.scans[k] = g_ptr_array_new();
    bool ok = run_rounds(n, &l, condition, error);
    for (int k = 0; k < l.n_scan; k++)
        g_ptr_array_unref(l.scans[k]);
    return ok;
}
