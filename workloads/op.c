/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/op.h"
#include "workloads/ops/ops.h"

#include <string.h>

#include "sim/base/error.h"

const struct op *const op_table[] = {
#define OP(name)       &op_##name,
#define FUNCTION(name) OP(name)
#include "workloads/ops.def"
#undef FUNCTION
#undef OP
    NULL,
};

const char *const op_function_names[] = {
    "all",
#define OP(name)
#define FUNCTION(name) #name,
#include "workloads/ops.def"
#undef FUNCTION
#undef OP
    NULL,
};

const struct op *op_find(const char *name)
{
    for (const struct op *const *op = op_table; *op; op++)
        if (strcmp((*op)->name, name) == 0)
            return *op;
    return NULL;
}

void *op_default_attr(const struct op *op, struct arena *a, GError **error)
{
    config_t doc;
    config_init(&doc);
    void *attr = arena_alloc(a, MAX(op->attr_size, 1));
    struct cfg *cfg = cfg_from_group(op->name, config_root_setting(&doc), error);
    const struct cfg_table table = {op->fields, attr};
    bool ok = cfg && (!op->fields || cfg_apply(cfg, &table, 1, a, error));
    cfg_free(cfg);
    config_destroy(&doc);
    return ok ? attr : NULL;
}

static bool is_half(enum number n)
{
    return n == NUMBER_fp16 || n == NUMBER_bf16;
}

static bool admits(enum op_types types, enum number n, bool is_first)
{
    switch (types) {
    case OP_FP32:
        return is_first ? n == NUMBER_fp32 || is_half(n) : n != NUMBER_fp64;
    case OP_FLOAT:
        return !is_first || number_is_float(n);
    case OP_NUMBER:
        return !is_first || n != NUMBER_bool;
    case OP_ANY:
        return true;
    }
    return false;
}

bool op_check_types(const struct op *op, const struct operand *const *in, int n_in, GError **error)
{
    for (int i = 0; i < n_in; i++)
        if (in[i] && !admits(op->types, in[i]->type, i == 0))
            return error_set(error, ERROR_UNSUPPORTED, "operator '%s' does not take %s as input %d",
                             op->name, number_names[in[i]->type], i + 1);
    return true;
}

uint64_t op_product(int n, const int64_t *counts)
{
    uint64_t product = 1;
    for (int i = 0; i < n; i++)
        if (__builtin_mul_overflow(product, (uint64_t)counts[i], &product))
            return UINT64_MAX;
    return product;
}

/* The tensors of one call in fp32 instead of the half formats. */
struct widened {
    struct tensor in[OP_MAX_IN], out[OP_MAX_OUT];
    const struct tensor *in_refs[OP_MAX_IN];
    struct tensor *out_refs[OP_MAX_OUT];
};

static bool widen(struct widened *w, const struct op_call *c, GError **error)
{
    for (int i = 0; i < c->n_in; i++) {
        const struct tensor *t = w->in_refs[i] = c->in[i];
        if (!t || !is_half(t->type))
            continue;
        if (!tensor_alloc(&w->in[i], NUMBER_fp32, &t->shape, error))
            return false;
        number_convert(w->in[i].data, NUMBER_fp32, t->data, t->type,
                       (size_t)shape_count(&t->shape));
        w->in_refs[i] = &w->in[i];
    }
    for (int i = 0; i < c->n_out; i++) {
        const struct tensor *t = w->out_refs[i] = c->out[i];
        if (!t || !is_half(t->type))
            continue;
        if (!tensor_alloc(&w->out[i], NUMBER_fp32, &t->shape, error))
            return false;
        w->out_refs[i] = &w->out[i];
    }
    return true;
}

static bool run_widened(const struct op *op, const struct op_call *c, GError **error)
{
    g_autofree struct widened *w = g_new0(struct widened, 1);
    struct op_call call = *c;
    call.in = w->in_refs;
    call.out = w->out_refs;
    bool ok = widen(w, c, error) && op->forward(&call, error);
    for (int i = 0; ok && i < c->n_out; i++)
        if (w->out[i].data)
            number_convert(c->out[i]->data, c->out[i]->type, w->out[i].data, NUMBER_fp32,
                           (size_t)shape_count(&w->out[i].shape));
    for (int i = 0; i < c->n_in; i++)
        tensor_clear(&w->in[i]);
    for (int i = 0; i < c->n_out; i++)
        tensor_clear(&w->out[i]);
    return ok;
}

static bool reads_half(const struct op_call *c)
{
    for (int i = 0; i < c->n_in; i++)
        if (c->in[i] && is_half(c->in[i]->type))
            return true;
    return false;
}

bool op_run(const struct op *op, const struct op_call *call, GError **error)
{
    if (!op->forward) {
        memcpy(call->out[0]->data, call->in[0]->data, tensor_bytes(call->out[0]));
        return true;
    }
    if ((op->types == OP_FP32 || op->widens) && reads_half(call))
        return run_widened(op, call, error);
    return op->forward(call, error);
}
