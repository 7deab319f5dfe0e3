/* SPDX-License-Identifier: Apache-2.0 */
/* Sets in NumPy's format. */
#include "tests/unit/data_files.h"
#include "workloads/tensor/npy.h"

enum { N = 5, H = 2, W = 3 };

static struct tensor make(enum number type, int n_dim, const int64_t *dim)
{
    const struct shape shape = shape_make(n_dim, dim);
    struct tensor t;
    GError *error = NULL;
    ck_ok(tensor_alloc(&t, type, &shape, &error), error);
    const int64_t n = shape_count(&shape);
    g_autofree int64_t *values = g_new(int64_t, n);
    for (int64_t i = 0; i < n; i++)
        values[i] = i;
    number_convert(t.data, type, values, NUMBER_int64, (size_t)n);
    return t;
}

/* Writes arrays as FOLDER/set.npz and frees them; returns the path. */
static char *write_npz(const char *folder, const char *const *names, struct tensor *t, int n)
{
    char *path = files_path(folder, "set.npz");
    const struct tensor *pointers[4];
    for (int i = 0; i < n; i++)
        pointers[i] = &t[i];
    GError *error = NULL;
    ck_ok(npy_write_npz(path, names, pointers, n, &error), error);
    for (int i = 0; i < n; i++)
        tensor_clear(&t[i]);
    return path;
}

START_TEST(test_npz_is_read_in_any_format_of_numbers)
{
    static const char *const names[] = {"x_train", "y_train", "x_test", "y_test"};
    static const enum number types[] = {NUMBER_uint8, NUMBER_fp32, NUMBER_fp64, NUMBER_int16};
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        char *folder = files_folder();
        struct tensor t[] = {
            make(types[i], 3, (const int64_t[]){N, H, W}),
            make(NUMBER_uint8, 1, (const int64_t[]){N}),
            make(types[i], 4, (const int64_t[]){2, 1, H, W}),
            make(NUMBER_int64, 2, (const int64_t[]){2, 1}),
        };
        g_autofree char *path = write_npz(folder, names, t, 4);
        struct data_set *d = files_open(path, NULL);
        const struct data_info *info = data_describe(d);
        ck_assert_str_eq(info->format, "npy");
        ck_assert_int_eq(info->n[DATA_TRAIN], N);
        ck_assert_int_eq(info->n[DATA_TEST], 2);
        ck_assert_int_eq(info->n_class, N);
        float image[H * W];
        int64_t label;
        GError *error = NULL;
        ck_ok(data_read(d, DATA_TRAIN, 3, image, &label, &error), error);
        ck_assert_int_eq(label, 3);
        const float number = 3 * H * W + 4;
        ck_assert_float_eq(image[4], types[i] == NUMBER_uint8 ? number / 255.0f : number);
        data_close(d);
        files_remove(folder);
    }
}
END_TEST

START_TEST(test_npz_that_is_wrong_is_refused)
{
    static const char *const named[] = {"x_train", "y_train"};
    static const char *const unnamed[] = {"a", "b"};
    static const struct {
        const char *text;
        const char *const *names;
        enum number label;
        int n_dim;
        int64_t dim[6], label_dim[2];
    } cases[] = {
        {"member 'x_train.npy': No such file", unnamed, NUMBER_uint8, 3, {N, H, W}, {N, 1}},
        {"4 labels, but there are 5 images", named, NUMBER_uint8, 3, {N, H, W}, {4, 1}},
        {"labels are fp32; integers", named, NUMBER_fp32, 3, {N, H, W}, {N, 1}},
        {"2 labels a sample", named, NUMBER_uint8, 3, {N, H, W}, {N, 2}},
        {"5 dimensions", named, NUMBER_uint8, 5, {N, 1, 1, H, W}, {N, 1}},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        char *folder = files_folder();
        struct tensor t[] = {make(NUMBER_fp32, cases[i].n_dim, cases[i].dim),
                             make(cases[i].label, 2, cases[i].label_dim)};
        g_autofree char *path = write_npz(folder, cases[i].names, t, 2);
        files_refused(path, cases[i].text);
        files_remove(folder);
    }
}
END_TEST

START_TEST(test_a_negative_label_is_no_class)
{
    static const char *const names[] = {"x", "y"};
    char *folder = files_folder();
    struct tensor t[] = {make(NUMBER_fp32, 2, (const int64_t[]){N, W}),
                         make(NUMBER_int32, 1, (const int64_t[]){N})};
    ((int32_t *)t[1].data)[2] = -7;
    g_autofree char *path = write_npz(folder, names, t, 2);
    files_refused(path, "label -7 of sample 2 is no class");
    files_remove(folder);
}
END_TEST

START_TEST(test_features_without_labels_are_a_set)
{
    static const char *const names[] = {"x"};
    char *folder = files_folder();
    struct tensor t[] = {make(NUMBER_fp32, 2, (const int64_t[]){N, W})};
    g_autofree char *path = write_npz(folder, names, t, 1);
    struct data_set *d = files_open(path, NULL);
    const struct shape shape = shape_make(3, (const int64_t[]){W, 1, 1});
    ck_assert(shape_equal(&data_describe(d)->shape, &shape));
    ck_assert_int_eq(data_describe(d)->n_class, 0);
    float x[W];
    int64_t label = 0;
    GError *error = NULL;
    ck_ok(data_read(d, DATA_TRAIN, N - 1, x, &label, &error), error);
    ck_assert_int_eq(label, -1);
    ck_assert_float_eq(x[0], (N - 1) * W);
    data_close(d);
    files_remove(folder);
}
END_TEST

/* The header of a .npy of bytes, [n, 2, 3], then `size` zeros. */
static void write_npy(const char *folder, const char *name, const char *shape, size_t size)
{
    g_autoptr(GString) s = g_string_new(NULL);
    g_string_append_len(s, "\x93NUMPY\x01\x00\x00\x00", 10);
    g_string_append_printf(s, "{'descr': '|u1', 'fortran_order': False, 'shape': %s}\n", shape);
    s->str[8] = (char)(s->len - 10);
    g_string_set_size(s, s->len + size);
    memset(s->str + s->len - size, 0, size);
    files_write(folder, name, s->str, s->len);
}

START_TEST(test_a_folder_of_npy_is_a_set)
{
    char *folder = files_folder();
    write_npy(folder, "x_train.npy", "(5, 2, 3)", 30);
    write_npy(folder, "y_train.npy", "(5,)", 5);
    struct data_set *d = files_open(folder, NULL);
    ck_assert_int_eq(data_describe(d)->n[DATA_TRAIN], 5);
    ck_assert_int_eq(data_describe(d)->n_class, 1);
    data_close(d);
    files_remove(folder);
}
END_TEST

START_TEST(test_npy_that_is_wrong_is_refused)
{
    static const struct {
        const char *text, *shape;
        size_t size;
    } cases[] = {
        {"bytes, but there are", "(5, 2, 3)", 29},
        {"bytes, but there are", "(5, 2, 3)", 31},
        {"bytes, but there are", "(1000, 1000, 1000)", 30},
        {"bad header", "(5, 2, 3", 30},
        {"more than 2^40", "(99999999, 99999999, 9)", 30},
        {"one number is no set", "()", 1},
        {"a sample of 33554432 numbers", "(1, 33554432)", 33554432},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        char *folder = files_folder();
        write_npy(folder, "x.npy", cases[i].shape, cases[i].size);
        files_refused(folder, cases[i].text);
        g_autofree char *path = files_path(folder, "x.npy");
        files_refused(path, cases[i].text);
        files_write(folder, "x.npy", "rubbish!", 8);
        files_refused(folder, "x.npy: not an array");
        files_remove(folder);
    }
}
END_TEST

START_TEST(test_what_is_no_set_is_refused)
{
    char *folder = files_folder();
    files_refused(folder, "no data set; known are a folder with train-images-idx3-ubyte");
    g_autofree char *archive = files_path(folder, "x.npz");
    files_write(folder, "x.npz", "PK, but no more", 15);
    files_refused(archive, "x.npz: Not a zip archive");
    files_refused("nosuch", "no file, folder or data set 'nosuch'");
    files_refused("fashion-mnits", "did you mean 'fashion-mnist'?");
    files_remove(folder);
}
END_TEST

TEST_MAIN("data_npy", test_npz_is_read_in_any_format_of_numbers, test_npz_that_is_wrong_is_refused,
          test_a_negative_label_is_no_class, test_features_without_labels_are_a_set,
          test_a_folder_of_npy_is_a_set, test_npy_that_is_wrong_is_refused,
          test_what_is_no_set_is_refused)
