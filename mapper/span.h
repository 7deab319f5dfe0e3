/* SPDX-License-Identifier: Apache-2.0 */
/* What consecutive layers that take turns need of the activation memory and of the link, worked out
 * as one layer after the other joins them; private to mapper/ (groups.c). */
#pragma once

#include "mapper/plan.h"

/* Which values are alive during which layers. */
struct lifetimes {
    const struct plan *plan;
    GArray **alive;      /* by layer */
    double *image_bytes; /* by value */
};

struct need {
    double whole_bytes; /* of values that stay as a whole */
    double image_bytes; /* an image's, of what crosses the ends of the span or the host link */
    double link_bytes;  /* of all images */
};

/* What layers [first, end) need, where what crosses each end is resident or not. */
struct span {
    int first, end;
    bool resident[2];
    struct need need;
    double *live; /* by layer, the caller's: bytes of an image of what only these layers know, */
    double peak;  /* and the most of them at a time */
};

void lifetimes_find(struct lifetimes *t, const struct plan *p);
void lifetimes_free(struct lifetimes *t);

/* Another layer joins the span. */
void span_extend(const struct lifetimes *t, struct span *s);

/* Whether a value is needed on both sides of a cut, before layer `cut`. */
static inline bool span_crosses(const struct home *h, int cut)
{
    return h->first_layer < cut && cut <= h->last_layer;
}
