/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/transfers.h"

#include <string.h>

#include "mapper/plan_input.h"
#include "mapper/values/host.h"
#include "mapper/values/quant.h"
#include "sim/base/error.h"

static size_t value_bytes(const struct plan *p, int value)
{
    return (size_t)(plan_dims(p, value).n * plan_image_bytes(p, value));
}

bool transfers_init(struct transfers *t, const struct plan *p, GError **error)
{
    *t = (struct transfers){.plan = p, .host = g_new0(void *, p->graph->n_value)};
    for (int i = 0; i < p->n_step; i++) {
        const struct plan_step *s = &p->steps[i];
        if ((s->kind != STEP_LOAD && s->kind != STEP_STORE) || t->host[s->value])
            continue;
        const size_t bytes = value_bytes(p, s->value);
        if (!(t->host[s->value] = g_try_malloc0(bytes))) {
            transfers_clear(t);
            return error_set(error, ERROR_LIMIT, "no memory for %zu MiB of modelled memory",
                             bytes >> 20);
        }
    }
    return true;
}

void transfers_clear(struct transfers *t)
{
    for (int v = 0; t->host && v < t->plan->graph->n_value; v++)
        g_free(t->host[v]);
    g_free(t->host);
    *t = (struct transfers){0};
}

static void to_host(const struct transfers *t, int value)
{
    storage_to_nhwc(t->host[value], &t->values->host[value],
                    quant_storage(t->plan, t->values->quant, value));
}

void transfers_begin(const struct transfers *t)
{
    const struct graph *g = t->plan->graph;
    for (int v = 0; v < g->n_value; v++)
        if (t->host[v] && g->values[v].kind != VALUE_NODE)
            to_host(t, v);
}

void transfers_forget(const struct transfers *t)
{
    for (int v = 0; v < t->plan->graph->n_value; v++)
        if (t->host[v])
            memset(t->host[v], 0, value_bytes(t->plan, v));
}

size_t transfers_extent(const struct transfers *t, const struct plan_step *s)
{
    const struct pitch here = plan_pitch(t->plan, s->value, &s->region);
    return region_extent(&s->region, &here, plan_element_bytes(t->plan, s->value));
}

/* A step's region in host memory. */
static uint8_t *host_at(const struct transfers *t, const struct plan_step *s,
                        const struct pitch *whole)
{
    const int64_t size = plan_element_bytes(t->plan, s->value);
    return (uint8_t *)t->host[s->value] + region_begin(&s->region, whole, size);
}

void transfers_in(const struct transfers *t, const struct plan_step *s, void *at)
{
    const struct pitch whole = plan_pitch_whole(t->plan, s->value);
    const struct pitch here = plan_pitch(t->plan, s->value, &s->region);
    region_copy(&s->region, plan_element_bytes(t->plan, s->value), at, &here, host_at(t, s, &whole),
                &whole);
}

void transfers_out(const struct transfers *t, const struct plan_step *s, const void *at)
{
    const struct pitch whole = plan_pitch_whole(t->plan, s->value);
    const struct pitch here = plan_pitch(t->plan, s->value, &s->region);
    region_copy(&s->region, plan_element_bytes(t->plan, s->value), host_at(t, s, &whole), &whole,
                at, &here);
}

bool transfers_on_host(const struct transfers *t, const struct plan_layer *l, GError **error)
{
    struct arch_values *values = t->values;
    if (!host_compute(t->plan, values->quant, l, values->host, t->host, error))
        return false;
    const struct node *n = &t->plan->graph->nodes[l->nodes[0]];
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] >= 0 && t->host[n->out[i]]) /* layers on the machine read it */
            to_host(t, n->out[i]);
    return true;
}

void transfers_keep(const struct transfers *t, const struct plan_step *s, const uint8_t *memory)
{
    const struct plan *p = t->plan;
    const struct plan_layer *l = &p->layers[s->layer];
    for (int k = 0; k < l->n_out; k++) {
        const int v = l->outs[k];
        const bool stores = l->stores >> k & 1;
        if (!t->values->out[v] || (s->kind == STEP_STORE ? v != s->value : stores))
            continue;
        const struct region r =
            s->kind == STEP_STORE ? s->region : plan_output_region(p, l, k, &s->region);
        const struct pitch whole = plan_pitch_whole(p, v);
        const struct pitch here = stores ? whole : plan_pitch(p, v, &r);
        const int64_t size = plan_element_bytes(p, v), at = region_begin(&r, &whole, size);
        region_copy(&r, size, (uint8_t *)t->values->out[v] + at, &whole,
                    stores ? (const uint8_t *)t->host[v] + at : memory + s->out_address[k], &here);
    }
}
