/* SPDX-License-Identifier: Apache-2.0 */
/* Renderings of a record. Each function reads the record alone and returns a string that the
 * caller frees with g_free(); none fails, writes or prints. Where something does not apply (a
 * layer that multiplies nothing, a run without checks) the text leaves a dash or the column out,
 * JSON leaves the key out and CSV leaves the field empty.
 *
 * Names are cleaned on the way: bytes that are no UTF-8 become U+FFFD, and the text replaces
 * control characters, so that a network's names cannot steer a terminal. */
#pragma once

#include <stdbool.h>

#include "sim/stat/record.h"

struct report_style {
    bool color;     /* ANSI colours; the app decides by the terminal */
    bool ascii;     /* no character beyond ASCII; the app decides by the locale */
    bool power;     /* a picture of the power over time */
    bool host_time; /* a last line with the time that the simulation itself took */
    int width;      /* columns; 0: 100 */
};

/* The table a person reads: layers, totals, and three sentences on what limits the run, what
 * would help, and how far the model is known to be off. */
char *report_text(const struct record *r, const struct report_style *style);

/* Schema accsim-run/1, see reports/accsim-run-1.schema.json. Floats have 17 digits and come back
 * bit for bit. A count beyond 2^63 - 1, which Jansson cannot hold, is a string of digits. */
char *report_json(const struct record *r);

enum report_csv_rows { REPORT_CSV_LAYERS, REPORT_CSV_TOTAL, REPORT_CSV_ALL };
extern const char *const report_csv_rows_names[]; /* NULL-terminated */

/* A header with the units in its names, a row a layer, a row `total`, or both; each row tells of
 * the run, too, so that those of many runs make one table. Fields are quoted by RFC 4180, lines end
 * with \n. */
char *report_csv(const struct record *r, enum report_csv_rows rows);

/* Power over time: a header with the units in its names, and a row for each of the equal intervals
 * of the run. Of a run without power the header alone. */
char *report_power_csv(const struct record *r);
