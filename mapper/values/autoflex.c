/* SPDX-License-Identifier: Apache-2.0 */
#include "mapper/values/autoflex.h"

#include <glib.h>
#include <math.h>

/* Constants of the prediction: Koester et al., section 3.3. */
#define ALPHA 2.0
#define BETA  3.0
#define GAMMA 100.0

static const double mantissa_max = 32767;

static float power_of_two(int exponent)
{
    return ldexpf(1, CLAMP(exponent, -31, 0));
}

float autoflex_scale(double max_abs)
{
    int exponent = 0;
    frexp(max_abs, &exponent); /* max_abs < 2^exponent */
    exponent -= AUTOFLEX_MANTISSA_BITS - 1;
    if (rint(ldexp(max_abs, -exponent)) > mantissa_max)
        exponent++;
    return max_abs > 0 && isfinite(max_abs) ? power_of_two(exponent) : 1;
}

void autoflex_start(struct autoflex *a, double max_abs)
{
    *a = (struct autoflex){.scale = autoflex_scale(max_abs)};
}

static double predicted(const struct autoflex *a)
{
    double max = 0, sum = 0, squares = 0;
    for (int i = 0; i < a->n; i++) {
        max = MAX(max, a->recent[i]);
        sum += a->recent[i];
        squares += a->recent[i] * a->recent[i];
    }
    const double variance = squares / a->n - (sum / a->n) * (sum / a->n);
    return ALPHA * (max + BETA * sqrt(MAX(variance, 0)) + GAMMA * a->scale);
}

bool autoflex_observe(struct autoflex *a, double max_abs)
{
    const double mantissa = rint(max_abs / a->scale);
    const bool overflow = mantissa > mantissa_max;
    const double kept = MIN(mantissa, mantissa_max) * a->scale;
    a->recent[a->next] = overflow ? 2 * kept : kept;
    a->next = (a->next + 1) % AUTOFLEX_RECENT;
    a->n = MIN(a->n + 1, AUTOFLEX_RECENT);
    a->scale = power_of_two((int)ceil(log2(predicted(a))) - AUTOFLEX_MANTISSA_BITS + 1);
    return overflow;
}
