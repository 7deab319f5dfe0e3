/* SPDX-License-Identifier: Apache-2.0 */
/* Copies in which each dimension is mapped by itself: expand, tile, reverse, slice, pad. */
#include <stddef.h>
#include <string.h>

#include "sim/base/error.h"
#include "sim/base/size.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/layout.h"

#define LD G_GINT64_FORMAT

/* Runs the copy when every map has been made. */
static bool finish(struct mapped *m, bool ok, const struct op_call *c)
{
    if (ok)
        mapped_run(m, c->threads);
    mapped_clear(m);
    return ok;
}

static const struct cfg_field expand_fields[] = {
    {"shape", CFG_INTS, offsetof(struct reshape_attr, shape), 0, 0x1p40, "", NULL,
     "Shape to broadcast with; a second input overrides it.", NULL},
    {0},
};

static bool expand_infer(const struct op_infer *c, GError **error)
{
    struct reshape_attr *a = c->attr;
    if (!infer_ints(c, 1, &a->shape, error))
        return false;
    if (a->shape.n > SHAPE_MAX_DIM)
        return error_set(error, ERROR_INPUT, "the shape has more than %d dimensions",
                         SHAPE_MAX_DIM);
    const struct operand like = {.shape = shape_make(a->shape.n, a->shape.v)};
    const struct operand *in[] = {c->in[0], &like};
    const struct op_infer both = {NULL, in, 2, c->out, 1};
    return infer_broadcast(&both, &c->out[0].shape, error);
}

static const struct cfg_field tile_fields[] = {
    {"repeats", CFG_INTS, offsetof(struct axes_attr, axes), 0, 0x1p40, "", NULL,
     "Copies along each dimension; a second input overrides it.", NULL},
    {0},
};

static bool tile_infer(const struct op_infer *c, GError **error)
{
    struct axes_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape;
    struct shape *out = &c->out[0].shape;
    if (!infer_ints(c, 1, &a->axes, error))
        return false;
    if (a->axes.n != in->n_dim)
        return error_set(error, ERROR_INPUT, "%d repeats, the input has %d dimensions", a->axes.n,
                         in->n_dim);
    out->n_dim = in->n_dim;
    for (int d = 0; d < in->n_dim; d++)
        if (a->axes.v[d] < 0 || !int64_mul(&out->dim[d], in->dim[d], a->axes.v[d]))
            return error_set(error, ERROR_INPUT, "repeat %" LD " of dimension %d", a->axes.v[d], d);
    return true;
}

static bool tile_forward(const struct op_call *c, GError **error)
{
    struct mapped m = mapped_of(c);
    bool ok = true;
    for (int d = 0; ok && d < m.out.n_dim; d++) {
        if (m.in.dim[d] == m.out.dim[d])
            continue;
        int64_t *map = mapped_dim(&m, d, error);
        ok = map != NULL;
        for (int64_t i = 0; ok && i < m.out.dim[d]; i++)
            map[i] = i % m.in.dim[d];
    }
    return finish(&m, ok, c);
}

/* A dimension of 1 is what is repeated. */
static bool expand_forward(const struct op_call *c, GError **error)
{
    return tile_forward(c, error);
}

static const struct cfg_field reverse_fields[] = {
    {"axes", CFG_INTS, offsetof(struct axes_attr, axes), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, NULL,
     NULL, "Dimensions, negative ones counted from the end.", NULL},
    {0},
};

static bool reverse_infer(const struct op_infer *c, GError **error)
{
    bool flags[SHAPE_MAX_DIM] = {false};
    return infer_axes(&((struct axes_attr *)c->attr)->axes, c->in[0]->shape.n_dim, flags, error) &&
           infer_as_first(c, error);
}

static bool reverse_forward(const struct op_call *c, GError **error)
{
    struct mapped m = mapped_of(c);
    bool flags[SHAPE_MAX_DIM] = {false};
    bool ok = infer_axes(&((const struct axes_attr *)c->attr)->axes, m.out.n_dim, flags, error);
    for (int d = 0; ok && d < m.out.n_dim; d++) {
        int64_t *map = flags[d] ? mapped_dim(&m, d, error) : NULL;
        ok = map || !flags[d];
        for (int64_t i = 0; map && i < m.out.dim[d]; i++)
            map[i] = m.out.dim[d] - 1 - i;
    }
    return finish(&m, ok, c);
}

#define BOUND(name, def, text)                                                                     \
    {                                                                                              \
#name, CFG_INTS, offsetof(struct slice_attr, name), -0x1p63, 0x1p62, def, NULL, text, NULL \
    }
static const struct cfg_field slice_fields[] = {
    BOUND(starts, "", "First index of each axis; negative counts from the end."),
    BOUND(ends, "", "Index behind the last one."),
    BOUND(axes, "", "Dimensions that are cut; all from the first on where none are named."),
    BOUND(steps, "", "Step between indices, 1 where none is given; negative runs backwards."),
    {0},
};

/* First index, step and count along one dimension. */
struct cut {
    int64_t start, step, n;
};

static struct cut cut_of(int64_t start, int64_t end, int64_t step, int64_t dim)
{
    start = start < 0 ? (start < -dim ? -1 : start + dim) : start;
    end = end < 0 ? (end < -dim ? -1 : end + dim) : end;
    if (step > 0) {
        start = CLAMP(start, 0, dim);
        end = CLAMP(end, 0, dim);
        return (struct cut){start, step, end > start ? int64_div_up(end - start, step) : 0};
    }
    start = CLAMP(start, -1, dim - 1);
    end = CLAMP(end, -1, dim - 1);
    uint64_t back = 0 - (uint64_t)step;
    int64_t span = start - end;
    int64_t n = span <= 0 ? 0 : back >= (uint64_t)span ? 1 : int64_div_up(span, (int64_t)back);
    return (struct cut){start, step, n};
}

static bool cuts_of(const struct slice_attr *a, const struct shape *in, struct cut *cuts,
                    GError **error)
{
    if (a->starts.n == 0 || a->starts.n != a->ends.n || a->starts.n > in->n_dim ||
        (a->axes.n && a->axes.n != a->starts.n) || (a->steps.n && a->steps.n != a->starts.n))
        return error_set(error, ERROR_INPUT,
                         "starts, ends, axes and steps have %d, %d, %d and %d numbers, the input "
                         "%d dimensions",
                         a->starts.n, a->ends.n, a->axes.n, a->steps.n, in->n_dim);
    bool flags[SHAPE_MAX_DIM] = {false};
    if (!infer_axes(&a->axes, in->n_dim, flags, error))
        return false;
    for (int d = 0; d < in->n_dim; d++)
        cuts[d] = (struct cut){0, 1, in->dim[d]};
    for (int i = 0; i < a->starts.n; i++) {
        int64_t d = a->axes.n ? a->axes.v[i] : i, step = a->steps.n ? a->steps.v[i] : 1;
        d = d < 0 ? d + in->n_dim : d;
        if (step == 0)
            return error_set(error, ERROR_INPUT, "a step is 0");
        cuts[d] = cut_of(a->starts.v[i], a->ends.v[i], step, in->dim[d]);
    }
    return true;
}

static bool slice_infer(const struct op_infer *c, GError **error)
{
    struct slice_attr *a = c->attr;
    struct cfg_ints *const lists[] = {&a->starts, &a->ends, &a->axes, &a->steps};
    struct cut cuts[SHAPE_MAX_DIM];
    for (int i = 0; i < 4; i++)
        if (!infer_ints(c, i + 1, lists[i], error))
            return false;
    if (!cuts_of(a, &c->in[0]->shape, cuts, error))
        return false;
    c->out[0].shape.n_dim = c->in[0]->shape.n_dim;
    for (int d = 0; d < c->in[0]->shape.n_dim; d++)
        c->out[0].shape.dim[d] = cuts[d].n;
    return true;
}

static bool slice_forward(const struct op_call *c, GError **error)
{
    struct mapped m = mapped_of(c);
    struct cut cuts[SHAPE_MAX_DIM];
    bool ok = cuts_of(c->attr, &c->in[0]->shape, cuts, error);
    for (int d = 0; ok && d < m.out.n_dim; d++) {
        if (m.in.dim[d] == m.out.dim[d] && cuts[d].step == 1)
            continue;
        int64_t *map = mapped_dim(&m, d, error);
        ok = map != NULL;
        for (int64_t i = 0; ok && i < m.out.dim[d]; i++)
            map[i] = cuts[d].start + i * cuts[d].step;
    }
    return finish(&m, ok, c);
}

static const char *const pad_modes[] = {"constant", "reflect", "edge", "wrap", NULL};
static const struct cfg_field pad_fields[] = {
    {"pads", CFG_INTS, offsetof(struct pad_attr, pads), -0x1p40, 0x1p40, "", NULL,
     "Elements added before each dimension, then behind each; negative ones are taken away. A "
     "second input overrides it.",
     NULL},
    {"axes", CFG_INTS, offsetof(struct pad_attr, axes), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, "", NULL,
     "Dimensions that `pads` tells of; all where none are named.", NULL},
    {"mode", CFG_ENUM, offsetof(struct pad_attr, mode), 0, 0, "constant", NULL,
     "What is added: a constant, the mirrored inside, the nearest element, or the other end.",
     pad_modes},
    {"value", CFG_FLOAT, offsetof(struct pad_attr, value), -1e300, 1e300, "0.0", NULL,
     "The constant, where no third input gives it.", NULL},
    {0},
};

/* Elements added before and behind each dimension. */
static bool sides_of(const struct pad_attr *a, const struct shape *in, int64_t (*sides)[2],
                     GError **error)
{
    int n = a->axes.n ? a->axes.n : in->n_dim;
    bool flags[SHAPE_MAX_DIM] = {false};
    if (a->pads.n != 2 * n)
        return error_set(error, ERROR_INPUT, "%d pads for %d dimensions", a->pads.n, n);
    if (!infer_axes(&a->axes, in->n_dim, flags, error))
        return false;
    memset(sides, 0, (size_t)in->n_dim * sizeof(*sides));
    for (int i = 0; i < n; i++) {
        int64_t d = a->axes.n ? a->axes.v[i] : i;
        d = d < 0 ? d + in->n_dim : d;
        sides[d][0] = a->pads.v[i];
        sides[d][1] = a->pads.v[n + i];
    }
    return true;
}

static bool pad_infer(const struct op_infer *c, GError **error)
{
    struct pad_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape;
    const struct operand *value = infer_input(c, 2);
    int64_t sides[SHAPE_MAX_DIM][2];
    if (!infer_ints(c, 1, &a->pads, error) || !infer_ints(c, 3, &a->axes, error) ||
        !sides_of(a, in, sides, error))
        return false;
    if (value && (value->type != c->in[0]->type || shape_count(&value->shape) != 1))
        return error_set(error, ERROR_INPUT,
                         "the constant is no single number of the input's "
                         "format");
    c->out[0].shape.n_dim = in->n_dim;
    for (int d = 0; d < in->n_dim; d++) {
        const int64_t most = a->mode == PAD_REFLECT ? in->dim[d] - 1
                             : a->mode == PAD_WRAP  ? in->dim[d]
                                                    : INT64_C(1) << 40;
        for (int side = 0; side < 2; side++)
            if (sides[d][side] > most || sides[d][side] < -in->dim[d] || in->dim[d] == 0)
                return error_set(error, ERROR_INPUT, "pad %" LD " of dimension %d, which is %" LD,
                                 sides[d][side], d, in->dim[d]);
        c->out[0].shape.dim[d] = in->dim[d] + sides[d][0] + sides[d][1];
    }
    return true;
}

static int64_t pad_index(int64_t i, int64_t dim, int mode)
{
    if (i >= 0 && i < dim)
        return i;
    switch (mode) {
    case PAD_REFLECT:
        return i < 0 ? -i : 2 * (dim - 1) - i;
    case PAD_EDGE:
        return i < 0 ? 0 : dim - 1;
    case PAD_WRAP:
        return i < 0 ? i + dim : i - dim;
    default:
        return -1;
    }
}

static bool pad_forward(const struct op_call *c, GError **error)
{
    const struct pad_attr *a = c->attr;
    struct mapped m = mapped_of(c);
    int64_t sides[SHAPE_MAX_DIM][2];
    uint64_t fill;
    bool ok = sides_of(a, &c->in[0]->shape, sides, error);
    if (c->n_in > 2 && c->in[2])
        memcpy(&fill, c->in[2]->data, m.size);
    else
        number_convert(&fill, c->in[0]->type, &a->value, NUMBER_fp64, 1);
    m.fill = &fill;
    for (int d = 0; ok && d < m.out.n_dim; d++) {
        if (sides[d][0] == 0 && sides[d][1] == 0)
            continue;
        int64_t *map = mapped_dim(&m, d, error);
        ok = map != NULL;
        for (int64_t i = 0; ok && i < m.out.dim[d]; i++)
            map[i] = pad_index(i - sides[d][0], m.in.dim[d], a->mode);
    }
    return finish(&m, ok, c);
}

#define OPERATOR(op_name, is, text, attr, most, known_bits)                                        \
    const struct op op_##op_name = {                                                               \
        .name = #op_name,                                                                          \
        .summary = text,                                                                           \
        .fields = op_name##_fields,                                                                \
        .attr_size = sizeof(struct attr),                                                          \
        .min_data = 1,                                                                             \
        .max_data = most,                                                                          \
        .types = OP_ANY,                                                                           \
        .known = known_bits,                                                                       \
        .kind = is,                                                                                \
        .takes_empty = true,                                                                       \
        .infer = op_name##_infer,                                                                  \
        .forward = op_name##_forward,                                                              \
    };
OPERATOR(expand, TRAITS_MOVE, "Its input repeated along dimensions of 1, as broadcasting does.",
         reshape_attr, 2, 1 << 1)
OPERATOR(tile, TRAITS_MOVE, "Copies of its input side by side.", axes_attr, 2, 1 << 1)
OPERATOR(reverse, TRAITS_MOVE, "Its input in the opposite order along some dimensions.", axes_attr,
         1, 0)
OPERATOR(slice, TRAITS_MOVE, "A part of its input: every step-th element between bounds.",
         slice_attr, 5, 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4)
OPERATOR(pad, TRAITS_OPAQUE, "Its input with elements added around it.", pad_attr, 4,
         1 << 1 | 1 << 3)
