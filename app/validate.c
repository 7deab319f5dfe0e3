/* SPDX-License-Identifier: Apache-2.0 */
#include "app/validate.h"

#include <string.h>

#include <glib.h>

#include "sim/stat/power.h"

enum { PER_CENT = 100 };

static const struct record_unit *matrix_unit(const struct record *r)
{
    for (int i = 0; i < r->n_unit; i++)
        if (strstr(r->units[i].name, "matrix"))
            return &r->units[i];
    return NULL;
}

static double share(const struct record *r, double cycles)
{
    return PER_CENT * cycles / (double)r->total_cyc;
}

static bool stall(const char *cause, bool overlaps, const struct record *r, double *out)
{
    const struct record_unit *u = matrix_unit(r);
    for (int i = 0; u && i < u->n_cause; i++) {
        if (strcmp(u->causes[i].name, cause) || u->causes[i].overlaps != overlaps)
            continue;
        *out = share(r, (double)u->stall_cyc[i]);
        return true;
    }
    return false;
}

static bool component_w(const char *component, const struct record *r, double *out)
{
    for (int i = 0; i < r->n_component; i++) {
        if (strcmp(r->components[i].name, component))
            continue;
        *out = 0;
        for (int j = 0; j < r->n_layer; j++)
            *out += r->layers[j].energy_pj[i] * 1e-12 / record_seconds(r);
        return true;
    }
    return false;
}

/* Of all components but those named, with '+' between them. */
static bool power_without(const char *components, const struct record *r, double *out)
{
    g_auto(GStrv) names = g_strsplit(components, "+", -1);
    double left_w = record_energy_j(r) / record_seconds(r);
    for (int i = 0; names[i]; i++) {
        if (!component_w(names[i], r, out))
            return false;
        left_w -= *out;
    }
    *out = left_w;
    return true;
}

/* Of all parts named, % of the die. */
static bool area_share(const char *parts, const struct record *r, double *out)
{
    g_auto(GStrv) names = g_strsplit(parts, "+", -1);
    double sum_mm2 = 0;
    for (int i = 0; names[i]; i++) {
        int at = 0;
        while (at < r->n_area && strcmp(r->areas[at].name, names[i]))
            at++;
        if (at == r->n_area)
            return false;
        sum_mm2 += r->areas[at].mm2;
    }
    *out = PER_CENT * sum_mm2 / r->area_mm2;
    return true;
}

/* What stands after "KIND:"; NULL where the name is of another kind. */
static const char *argument(const char *name, const char *kind)
{
    const size_t n = strlen(kind);
    return strncmp(name, kind, n) == 0 && name[n] == ':' ? name + n + 1 : NULL;
}

static bool of_array(const char *name, const struct record *r, double *out)
{
    const struct record_unit *u = matrix_unit(r);
    if (!u)
        return false;
    if (!strcmp(name, "active"))
        *out = share(r, (double)u->busy_cyc);
    else if (!strcmp(name, "useful"))
        *out = share(r, u->useful_cyc);
    else if (!strcmp(name, "unused"))
        *out = share(r, (double)u->busy_cyc - u->useful_cyc);
    else
        return false;
    return true;
}

bool validate_quantity(const char *name, const struct record *r, const struct record *plain,
                       double *out)
{
    const char *arg;
    if (r->total_cyc == 0)
        return false;
    if ((arg = argument(name, "stall")))
        return stall(arg, false, r, out);
    if ((arg = argument(name, "overlapping")))
        return stall(arg, true, r, out);
    if ((arg = argument(name, "power_of")))
        return component_w(arg, r, out);
    if ((arg = argument(name, "power_without")))
        return power_without(arg, r, out);
    if ((arg = argument(name, "area_share")))
        return area_share(arg, r, out);
    if (!strcmp(name, "peak")) { /* a multiply and an add are two operations */
        *out = 2 * r->peak_macs_per_cycle * r->clock_hz * 1e-12;
        return true;
    }
    if (!strcmp(name, "area")) {
        *out = r->area_mm2;
        return r->area_mm2 > 0;
    }
    if (!strcmp(name, "power")) {
        *out = record_energy_j(r) / record_seconds(r);
        return true;
    }
    if (!strcmp(name, "peak_power")) {
        *out = power_peak_w(r);
        return r->n_power > 0;
    }
    if (!strcmp(name, "time")) {
        *out = record_seconds(r) * 1e6;
        return true;
    }
    if (!strcmp(name, "speedup")) {
        *out = record_seconds(plain) / record_seconds(r);
        return true;
    }
    return of_array(name, r, out);
}
