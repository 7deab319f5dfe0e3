/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/message.h"

#include <stdarg.h>

#include "sim/base/error.h"
#include "sim/cfg/cfg.h"

bool message_layer(GError **error, const char *origin, const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    return error_set(error, ERROR_INPUT, "%s%slayer '%s': %s", origin ? origin : "",
                     origin ? ": " : "", name, what);
}

char *message_suggest(const char *word, const char *const *names, size_t n)
{
    const char *nearest = cfg_nearest(word, names, n);
    return nearest ? g_strdup_printf(", did you mean '%s'?", nearest) : g_strdup("");
}
