/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/base/error.h"

#include <stdarg.h>

GQuark accsim_error_quark(void)
{
    return g_quark_from_static_string("accsim");
}

bool error_set(GError **error, enum accsim_error code, const char *format, ...)
{
    if (error) {
        va_list args;
        va_start(args, format);
        GError *made = g_error_new_valist(ACCSIM_ERROR, code, format, args);
        va_end(args);
        g_strdelimit(made->message, "\n\r", ' '); /* names come from outside */
        g_propagate_error(error, made);
    }
    return false;
}
