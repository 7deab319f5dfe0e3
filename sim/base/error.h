/* SPDX-License-Identifier: Apache-2.0 */
/* The one error domain of accsim.
 *
 * A failure that the user caused travels up as a GError whose code is the exit status of
 * docs/reports.md; only main() prints it and exits. A failure of ours is a g_assert. The message of
 * a GError names file, line and setting, says what was wrong and what would be right, in one
 * line without a trailing full stop or newline. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define ACCSIM_ERROR accsim_error_quark()
GQuark accsim_error_quark(void);

enum accsim_error {
    ERROR_CHECK = 1,       /* done, but a value differs */
    ERROR_INPUT = 2,       /* wrong usage; an input missing, unreadable or bad */
    ERROR_UNSUPPORTED = 3, /* this machine cannot run this network */
    ERROR_OUTPUT = 4,      /* an output could not be written */
    ERROR_LIMIT = 5,       /* a limit of time or memory was reached */
    ERROR_BUG = 70,        /* a bug of ours, a deadlock included */
    ERROR_INTERRUPTED = 130,
};

/* Sets *error (when error is not NULL) and returns false, so that a caller may
 * `return error_set(error, ERROR_INPUT, "%s:%d: ...", file, line);`. */
bool error_set(GError **error, enum accsim_error code, const char *format, ...) G_GNUC_PRINTF(3, 4);
