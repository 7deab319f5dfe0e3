/* SPDX-License-Identifier: Apache-2.0 */
/* A program of somebody else's: one run through the installed library. */
#include <stdio.h>

#include "app/run/accsim.h"
#include "reports/report.h"

int main(void)
{
    struct accsim_options o = accsim_options_default();
    GError *error = NULL;
    o.arch = "tpu";
    o.net = "alexnet";
    o.mode = ACCSIM_TIMING;
    struct accsim *a = accsim_new(&o, &error);
    if (!a || !accsim_run(a, &error)) {
        fprintf(stderr, "%s\n", error->message);
        return 1;
    }
    char *json = report_json(accsim_record(a));
    puts(json);
    g_free(json);
    accsim_free(a);
    return 0;
}
