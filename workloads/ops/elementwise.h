/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that work element by element, with NumPy's broadcasting: the engine that moves blocks
 * of elements through a kernel, and the attributes. */
#pragma once

#include "workloads/op.h"

#define ELEMENTWISE_MAX_IN 3

/* What a kernel may need besides its operands. */
struct elementwise_scalars {
    double f[2];
    int64_t i[2];
};

/* n elements, each input in its canonical format; y may be one of the inputs. */
typedef void (*elementwise_fn)(void *y, const void *const *in, int64_t n,
                               const struct elementwise_scalars *s);

/* One pass. The inputs are converted to in_as, the result from out_as. */
struct elementwise {
    elementwise_fn fn;
    int n_in;
    const struct tensor *in[ELEMENTWISE_MAX_IN];
    enum number in_as[ELEMENTWISE_MAX_IN], out_as;
    struct tensor *out; /* of the broadcast shape */
    struct elementwise_scalars scalars;
};
void elementwise_run(const struct elementwise *e, struct pool_threads *threads);

/* The format that a number is computed in: fp32, fp64, int64 or uint64. */
enum number elementwise_canonical(enum number type);

/* alpha and beta of activations; each operator's table gives names and defaults. */
struct scalars_attr {
    double v[2];
};

struct gelu_attr {
    int approximate; /* 0: none, 1: tanh */
};

struct clip_attr {
    double min, max; /* where no inputs tell */
};

struct isinf_attr {
    bool detect_negative, detect_positive;
};

struct mod_attr {
    bool fmod; /* the sign of the dividend */
};

struct bitshift_attr {
    int direction; /* 0: left, 1: right */
};

struct cast_attr {
    int to; /* enum number */
};
