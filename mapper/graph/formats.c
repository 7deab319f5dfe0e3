/* SPDX-License-Identifier: Apache-2.0 */
/* Number formats: what a layer makes is stored in its own format, and read so by the layers behind
 * it. A layer that states none has the machine's; one without a product keeps that of what it
 * reads. What comes from the host is stored as the first layer on the machine that reads it asks.
 */
#include "mapper/graph/formats.h"
#include "sim/base/error.h"

/* Kinds of arithmetic: the units of a machine turn none into another. */
enum arithmetic { ARITHMETIC_INTEGER, ARITHMETIC_FLEXPOINT, ARITHMETIC_FLOAT };

static enum arithmetic arithmetic_of(enum number n)
{
    if (number_is_float(n))
        return ARITHMETIC_FLOAT;
    return n == NUMBER_flex16 ? ARITHMETIC_FLEXPOINT : ARITHMETIC_INTEGER;
}

void formats_init(struct plan *p)
{
    p->formats = ARENA_ARRAY(p->arena, enum number, p->graph->n_value);
    for (int v = 0; v < p->graph->n_value; v++)
        p->formats[v] = NUMBER_COUNT; /* not known yet */
}

/* Maxima are handed on as they are, so a pooling of them changes no format. */
static bool keeps_format(const struct node *n)
{
    return n->traits->kind != TRAITS_PRODUCT && (n->precision < 0 || traits_is_largest(n->traits));
}

enum number formats_of_node(const struct plan *p, const struct plan_layer *l, const struct node *n)
{
    if (keeps_format(n) && l->n_in > 0 && p->formats[l->in[0]] != NUMBER_COUNT)
        return p->formats[l->in[0]];
    return n->precision < 0 ? p->machine->precision : (enum number)n->precision;
}

bool formats_set(struct plan *p, struct plan_layer *l, const struct node *n, GError **error)
{
    l->weight_format = n->weight_precision < 0 ? l->format : (enum number)n->weight_precision;
    const enum arithmetic own = arithmetic_of(l->format);
    bool mixed = n->traits->kind == TRAITS_PRODUCT && arithmetic_of(l->weight_format) != own;
    enum number other = l->weight_format;
    for (int j = 0; j < l->n_in; j++) {
        enum number *in = &p->formats[l->in[j]];
        if (*in == NUMBER_COUNT)
            *in = l->format;
        if (!mixed && arithmetic_of(*in) != own) {
            mixed = true;
            other = *in;
        }
    }
    if (mixed)
        return error_set(error, ERROR_UNSUPPORTED,
                         "%s: layer '%s': %s operands in a layer of %s: %s turns no integers into "
                         "floating-point numbers on the way",
                         n->origin, n->name, number_names[other], number_names[l->format],
                         p->machine->name);
    return true;
}

bool formats_meet(enum number value, enum number layer)
{
    return value == NUMBER_COUNT || arithmetic_of(value) == arithmetic_of(layer);
}

void formats_take(struct plan *p, int value, enum number layer)
{
    if (p->formats[value] == NUMBER_COUNT)
        p->formats[value] = layer;
}

void formats_finish(struct plan *p)
{
    for (int v = 0; v < p->graph->n_value; v++)
        if (p->formats[v] == NUMBER_COUNT)
            p->formats[v] = p->machine->precision;
}
