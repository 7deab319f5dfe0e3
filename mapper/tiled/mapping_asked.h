/* SPDX-License-Identifier: Apache-2.0 */
/* What a mapping file asks of a layout: homes of activations, and groups. mapping.h reads it; those
 * who lay out keep to it as far as it fits. */
#pragma once

#include "mapper/plan.h"
#include "sim/cfg/cfg.h"

/* Where a file wants an activation. */
enum mapping_home {
    MAPPING_CHIP, /* whole in the activation memory for its lifetime */
    MAPPING_HOST, /* in host memory; chunks of it come and go */
    MAPPING_TURN, /* nowhere as a whole: one group makes it and reads it */
    MAPPING_FREE, /* the file does not say */
};
extern const char *const mapping_home_names[];

/* A group of several layers that a file asks for. */
struct mapping_group {
    int first, last;    /* layers */
    int64_t images;     /* of a chunk */
    const char *origin; /* where the file says so: "FILE:LINE" */
};

/* A file, and what it says of the layout of the plan's present layers. */
struct mapping {
    const char *file;
    config_t doc;
    struct arena *arena;
    bool has_groups; /* `groups` are all that there are; else the mapper finds some */
    struct mapping_group *groups;
    int n_group;
    enum mapping_home *homes; /* by value */
    const char **origins;     /* by value: where the file says so; NULL: it does not */
};

/* Where the file wants a value; m NULL: there is no file. */
static inline enum mapping_home mapping_home(const struct mapping *m, int value)
{
    return m ? m->homes[value] : MAPPING_FREE;
}

/* Whether the plan is as the file says; else ERROR_INPUT names file and line, and what would be
 * right. */
bool mapping_kept(const struct mapping *m, const struct plan *p, GError **error);
/* Sets the error that the file keeps so much on the chip that layers [first, last] find no room
 * even for one image. Returns false. */
bool mapping_no_room(const struct mapping *m, const struct plan *p, int first, int last,
                     GError **error);
