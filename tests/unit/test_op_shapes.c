/* SPDX-License-Identifier: Apache-2.0 */
/* What operators say of shapes: counts, and what does not fit. */
#include <stdint.h>

#include "sim/base/error.h"
#include "tests/unit/test.h"
#include "workloads/op.h"
#include "workloads/ops/layout.h"
#include "workloads/ops/ops.h"

START_TEST(test_counts_of_alexnet_conv2)
{
    struct conv2d_attr a = {
        .channels = 256, .kernel = {1, {5}}, .pad = {1, {2}}, .groups = 2, .bias = true};
    const struct operand image = {.type = NUMBER_fp32, .shape = {4, {3, 96, 27, 27}}};
    const struct operand *in[] = {&image};
    struct operand out;
    const struct op_infer infer = {&a, in, 1, &out, 1};
    GError *error = NULL;
    ck_ok(op_conv2d.infer(&infer, &error), error);
    ck_assert(shape_equal(&out.shape, &(struct shape){4, {3, 256, 27, 27}}));
    ck_assert_uint_eq(op_conv2d.macs(&infer), 3 * 223948800ULL);
    struct op_param params[OP_MAX_PARAM];
    ck_assert_int_eq(op_conv2d.params(&infer, params), 2);
    ck_assert(shape_equal(&params[0].shape, &(struct shape){4, {256, 48, 5, 5}}));
    ck_assert(shape_equal(&params[1].shape, &(struct shape){1, {256}}));
    ck_assert_int_eq(params[0].fan_in, 1200);
    ck_assert_int_eq(params[1].fan_in, 0);
    /* Normalised attributes stay as they are. */
    ck_ok(op_conv2d.infer(&infer, &error), error);
    ck_assert_int_eq(a.pad.n, 4);
    ck_assert_int_eq(a.kernel.n, 2);

    struct fc_attr fc = {.features = 4096};
    const struct op_infer rows = {&fc, in, 1, &out, 1};
    ck_ok(op_fc.infer(&rows, &error), error);
    ck_assert_uint_eq(op_fc.macs(&rows), 3ULL * 96 * 27 * 27 * 4096);
    ck_assert_int_eq(op_fc.params(&rows, params), 1);
}
END_TEST

static void check_refused(const struct op *op, void *attr, struct shape a, struct shape b,
                          const char *text)
{
    const struct operand first = {.shape = a}, second = {.shape = b};
    const struct operand *in[] = {&first, &second};
    struct operand out;
    const struct op_infer infer = {attr, in, op->min_data > 1 ? 2 : MIN(op->max_data, 2), &out, 1};
    GError *error = NULL;
    bool ok = op->infer(&infer, &error);
    ck_error(ok, error, ERROR_INPUT, text);
}

START_TEST(test_shape_errors_say_what_does_not_fit)
{
    const struct shape image = {4, {1, 4, 5, 5}}, row = {2, {1, 4}}, batch = {1, {3}};
    struct conv2d_attr conv = {.channels = 96, .kernel = {1, {11}}, .groups = 5};
    check_refused(&op_conv2d, &conv, image, row,
                  "kernel 11x11 is larger than the padded input 5x5");
    conv.kernel = (struct cfg_ints){1, {3}};
    check_refused(&op_conv2d, &conv, image, row, "channels 96 is not a multiple of groups 5");
    conv.groups = 3;
    check_refused(&op_conv2d, &conv, image, row,
                  "number of input channels 4 is not a multiple of groups 3");
    check_refused(&op_conv2d, &conv, row, row, "the input has 2 dimensions");
    conv.dilation = (struct cfg_ints){1, {3}};
    check_refused(&op_conv2d, &conv, image, row,
                  "kernel 3x3, dilated to 7x7, is larger than the padded input 5x5");
    conv.pad = (struct cfg_ints){3, {1, 1, 1}};
    check_refused(&op_conv2d, &conv, image, row, "pad has 3 numbers");
    conv.stride = (struct cfg_ints){1, {0}};
    check_refused(&op_conv2d, &conv, image, row, "stride 0 is not between 1 and 65536");
    conv = (struct conv2d_attr){
        .channels = INT32_MAX, .kernel = {1, {60000}}, .groups = 1, .pad = {1, {60000}}};
    check_refused(&op_conv2d, &conv, image, row, "weight: ");
    struct pool_attr pool = {.kernel = {1, {2}}, .pad = {1, {2}}};
    check_refused(&op_maxpool, &pool, image, row, "pad 2 is not smaller than the kernel's 2");
    struct concat_attr concat = {.axis = 1};
    check_refused(&op_concat, &concat, image, row, "input 2 has 2 dimensions, the first 4");
    check_refused(&op_concat, &concat, image, (struct shape){4, {1, 4, 5, 6}},
                  "dimension 3 of input 2 is 6, that of the first 5");
    concat.axis = -5;
    check_refused(&op_concat, &concat, image, image, "axis -5 is none of an input of 4 dimensions");
    struct softmax_attr softmax = {.axis = 2};
    check_refused(&op_softmax, &softmax, row, row, "axis 2 is none of an input of 2 dimensions");
    check_refused(&op_add, NULL, image, row, "1x4x5x5 and 1x4 do not fit together");
    struct fc_attr fc = {.features = 1};
    check_refused(&op_fc, &fc, batch, row, "no dimension behind the batch");
    struct axis_attr flat = {.axis = 3};
    check_refused(&op_flatten, &flat, batch, row, "axis 3 is none of an input of 1 dimensions");
}
END_TEST

START_TEST(test_tables_are_complete)
{
    int n = 0;
    for (const struct op *const *op = op_table; *op; op++, n++) {
        ck_assert_ptr_eq(op_find((*op)->name), *op);
        ck_assert_ptr_nonnull((*op)->summary);
        ck_assert_ptr_nonnull((*op)->infer);
        ck_assert((*op)->min_data >= 0 && (*op)->max_data <= OP_MAX_IN);
        ck_assert_int_eq((*op)->fields != NULL, (*op)->attr_size > 0);
        for (const struct cfg_field *f = (*op)->fields; f && f->path; f++) {
            ck_assert_uint_lt(f->offset, (*op)->attr_size);
            ck_assert_int_eq(f->help[strlen(f->help) - 1], '.');
        }
    }
    ck_assert_int_gt(n, 10);
    ck_assert_ptr_null(op_find("conv9d"));
}
END_TEST

TEST_MAIN("op_shapes", test_counts_of_alexnet_conv2, test_shape_errors_say_what_does_not_fit,
          test_tables_are_complete)
