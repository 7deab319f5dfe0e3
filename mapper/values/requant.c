/* SPDX-License-Identifier: Apache-2.0 */
#include "mapper/values/requant.h"

#include <glib.h>
#include <math.h>

struct requant requant_make(double factor)
{
    g_assert(factor >= 0 && factor <= 0x1p29);
    int exponent;
    const double fraction = frexp(factor, &exponent); /* [0.5, 1) */
    int shift = 31 - exponent;
    int64_t mult = (int64_t)llrint(ldexp(fraction, 31));
    if (mult == (int64_t)1 << 31) {
        mult >>= 1;
        shift--;
    }
    /* What rounds to nothing in any 32-bit sum. */
    if (factor == 0 || shift > 62)
        return (struct requant){.mult = 0, .shift = 1};
    return (struct requant){.mult = (int32_t)mult, .shift = shift};
}

void requant_make_two(double a, double b, struct requant out[2])
{
    a = MIN(a, 0x1p28);
    b = MIN(b, 0x1p28);
    const int shift = requant_make(MAX(MAX(a, b), 0x1p-30)).shift;
    out[0] = (struct requant){(int32_t)llrint(ldexp(a, shift) * 0.5), shift - 1};
    out[1] = (struct requant){(int32_t)llrint(ldexp(b, shift) * 0.5), shift - 1};
}
