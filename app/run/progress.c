/* SPDX-License-Identifier: Apache-2.0 */
#include "app/run/internal.h"

void progress(const struct accsim *a, const char *what, double share)
{
    if (a->options.progress)
        a->options.progress(what, share, a->options.progress_user);
}
