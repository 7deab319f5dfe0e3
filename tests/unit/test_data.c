/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of records: IDX, CIFAR, NumPy. */
#include "tests/unit/data_files.h"

/* Reads every sample of a split of files_write_digits(). */
static void check_digits(struct data_set *d, enum data_split split)
{
    GError *error = NULL;
    for (int64_t i = 0; i < data_describe(d)->n[split]; i++) {
        float image[DIGIT_BYTES];
        int64_t label;
        ck_ok(data_read(d, split, i, image, &label, &error), error);
        ck_assert_int_eq(label, i % 4);
        for (int at = 0; at < DIGIT_BYTES; at++)
            ck_assert_float_eq(image[at], (float)digit_byte(i, at) / 255.0f);
    }
}

START_TEST(test_idx_is_read_plain_and_packed)
{
    static const char *const endings[] = {"", ".gz"};
    for (size_t i = 0; i < G_N_ELEMENTS(endings); i++) {
        char *folder = files_folder();
        files_write_digits(folder, "train", endings[i], 9);
        files_write_digits(folder, "t10k", endings[i], 5);
        struct data_set *d = files_open(folder, NULL);
        const struct data_info *info = data_describe(d);
        ck_assert_str_eq(info->format, "idx");
        ck_assert_int_eq(info->n[DATA_TRAIN], 9);
        ck_assert_int_eq(info->n[DATA_TEST], 5);
        ck_assert_int_eq(info->n_class, 4);
        const struct shape shape = shape_make(3, (const int64_t[]){1, DIGIT_H, DIGIT_W});
        ck_assert(shape_equal(&info->shape, &shape));
        check_digits(d, DATA_TEST);
        check_digits(d, DATA_TRAIN);
        data_close(d);
        files_remove(folder);
    }
}
END_TEST

START_TEST(test_idx_that_is_wrong_is_refused)
{
    static const uint8_t zeros[64];
    static const struct {
        const char *text;
        uint32_t dim[3];
        size_t size;
    } cases[] = {
        {"describes 40 bytes, but there are 39", {4, 3, 2}, 23},
        {"describes 40 bytes, but there are 41", {4, 3, 2}, 25},
        {"4 labels, but there are 3 images", {3, 3, 2}, 18},
        {"a dimension is less than 1", {4, 0, 2}, 0},
        {"more than 2^40 elements", {0xffffffff, 0xffffffff, 0xffffffff}, 24},
        {"more than 2^40 elements", {0x80000000, 0x80000000, 4}, 24},
        {"bytes, but there are", {1000000, 1000, 1000}, 24},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        char *folder = files_folder();
        files_write_digits(folder, "train", "", 4);
        files_write_idx(folder, "train-images-idx3-ubyte", 3, cases[i].dim, zeros, cases[i].size);
        files_refused(folder, cases[i].text);
        files_remove(folder);
    }
}
END_TEST

START_TEST(test_idx_with_a_wrong_header_is_refused)
{
    static const struct {
        const char *text;
        uint8_t bytes[20];
        size_t size;
    } cases[] = {
        {"begins with 01 00", {1, 0, 8, 3}, 20},
        {"numbers of type 0x0d", {0, 0, 0x0d, 3}, 20},
        {"2 dimensions", {0, 0, 8, 2}, 20},
        {"cut short", {0, 0, 8, 3, 0, 0}, 6},
        {"cut short", {0}, 0},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        char *folder = files_folder();
        files_write_digits(folder, "train", "", 4);
        files_write(folder, "train-images-idx3-ubyte", cases[i].bytes, cases[i].size);
        files_refused(folder, cases[i].text);
        files_remove(folder);
    }
}
END_TEST

START_TEST(test_idx_without_labels_is_refused)
{
    char *folder = files_folder();
    files_write_digits(folder, "train", "", 4);
    g_autofree char *labels = files_path(folder, "train-labels-idx1-ubyte");
    g_unlink(labels);
    files_refused(folder, "the labels are missing");
    files_remove(folder);
}
END_TEST

/* Leaves the first `size` bytes of a file. */
static void cut(const char *folder, const char *name, size_t size)
{
    g_autofree char *path = files_path(folder, name);
    ck_assert_int_eq(truncate(path, (off_t)size), 0);
}

START_TEST(test_packed_idx_is_held_to_its_header)
{
    static const struct {
        const char *text;
        uint32_t n;
        size_t size;
    } cases[] = {{"cut short", 4, 23}, {"bytes follow", 4, 25}};
    GError *error = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        static const uint8_t zeros[64];
        char *folder = files_folder();
        files_write_digits(folder, "train", ".gz", 4);
        files_write_idx(folder, "train-images-idx3-ubyte.gz", 3,
                        (const uint32_t[]){cases[i].n, 3, 2}, zeros, cases[i].size);
        struct data_set *d = files_open(folder, NULL);
        float image[DIGIT_BYTES];
        int64_t label;
        ck_error(data_read(d, DATA_TRAIN, 0, image, &label, &error), error, ERROR_INPUT,
                 cases[i].text);
        data_close(d);
        files_remove(folder);
    }
}
END_TEST

START_TEST(test_packed_idx_cannot_hold_more_than_deflate_packs)
{
    char *folder = files_folder();
    files_write_digits(folder, "train", ".gz", 4);
    files_write_idx(folder, "train-images-idx3-ubyte.gz", 3, (const uint32_t[]){4, 30000, 30000},
                    (const uint8_t *)"", 1);
    files_refused(folder, "cannot be packed into");
    files_remove(folder);
}
END_TEST

START_TEST(test_packed_idx_that_is_cut_short_is_refused)
{
    char *folder = files_folder();
    files_write_digits(folder, "train", ".gz", 40);
    cut(folder, "train-images-idx3-ubyte.gz", 60);
    GError *error = NULL;
    struct data_set *d = files_open(folder, NULL);
    float image[DIGIT_BYTES];
    int64_t label;
    ck_error(data_read(d, DATA_TRAIN, 0, image, &label, &error), error, ERROR_INPUT, "cut short");
    data_close(d);
    cut(folder, "train-labels-idx1-ubyte.gz", 20);
    files_refused(folder, "cut short");
    files_remove(folder);
}
END_TEST

START_TEST(test_a_file_that_shrinks_is_an_error)
{
    char *folder = files_folder();
    files_write_digits(folder, "train", "", 40);
    struct data_set *d = files_open(folder, NULL);
    float image[DIGIT_BYTES];
    int64_t label;
    GError *error = NULL;
    ck_ok(data_read(d, DATA_TRAIN, 0, image, &label, &error), error);
    cut(folder, "train-images-idx3-ubyte", 100);
    ck_error(data_read(d, DATA_TRAIN, 30, image, &label, &error), error, ERROR_INPUT,
             "became shorter");
    data_close(d);
    files_remove(folder);
}
END_TEST

/* n records of CIFAR: labels i % n_class, all pixels of record i the byte i. */
static void write_cifar(const char *folder, const char *name, int n_label, int n, int n_class)
{
    const size_t record = (size_t)n_label + 3072;
    g_autofree uint8_t *bytes = g_malloc0((size_t)n * record);
    for (int i = 0; i < n; i++) {
        memset(bytes + (size_t)i * record, i, record);
        bytes[(size_t)i * record + (size_t)n_label - 1] = (uint8_t)(i % n_class);
    }
    files_write(folder, name, bytes, (size_t)n * record);
}

static char *cifar10(int n_last)
{
    char *folder = files_folder();
    for (int i = 1; i <= 5; i++) {
        g_autofree char *name = g_strdup_printf("data_batch_%d.bin", i);
        write_cifar(folder, name, 1, i == 5 ? n_last : 12, 10);
    }
    write_cifar(folder, "test_batch.bin", 1, 3, 10);
    return folder;
}

START_TEST(test_cifar_is_read_across_its_files)
{
    char *folder = cifar10(7);
    struct data_set *d = files_open(folder, NULL);
    const struct data_info *info = data_describe(d);
    ck_assert_str_eq(info->format, "cifar");
    ck_assert_int_eq(info->n[DATA_TRAIN], 4 * 12 + 7);
    ck_assert_int_eq(info->n[DATA_TEST], 3);
    ck_assert_int_eq(info->n_class, 10);
    g_autofree float *image = g_new(float, 3072);
    GError *error = NULL;
    for (int64_t i = 0; i < info->n[DATA_TRAIN]; i++) {
        int64_t label;
        ck_ok(data_read(d, DATA_TRAIN, i, image, &label, &error), error);
        ck_assert_int_eq(label, i % 12 % 10);
        ck_assert_float_eq(image[0], (float)(i % 12) / 255.0f);
        ck_assert_float_eq(image[3071], (float)(i % 12) / 255.0f);
    }
    data_close(d);
    files_remove(folder);
}
END_TEST

START_TEST(test_cifar100_has_fine_labels)
{
    char *folder = files_folder();
    write_cifar(folder, "train.bin", 2, 4, 100);
    write_cifar(folder, "test.bin", 2, 2, 100);
    struct data_set *d = files_open(folder, NULL);
    ck_assert_int_eq(data_describe(d)->n_class, 100);
    g_autofree float *image = g_new(float, 3072);
    int64_t label;
    GError *error = NULL;
    ck_ok(data_read(d, DATA_TRAIN, 3, image, &label, &error), error);
    ck_assert_int_eq(label, 3);
    data_close(d);
    files_remove(folder);
}
END_TEST

START_TEST(test_cifar_that_is_wrong_is_refused)
{
    char *folder = cifar10(7);
    cut(folder, "data_batch_3.bin", 3073 * 12 - 1);
    files_refused(folder, "no whole number of records of 3073");
    cut(folder, "data_batch_3.bin", 0);
    files_refused(folder, "no whole number of records");
    g_autofree char *path = files_path(folder, "data_batch_3.bin");
    g_unlink(path);
    files_refused(folder, "data_batch_3.bin: No such file");
    files_remove(folder);
}
END_TEST

START_TEST(test_a_label_beyond_the_classes_is_an_error)
{
    char *folder = cifar10(7);
    write_cifar(folder, "test_batch.bin", 1, 30, 30);
    struct data_set *d = files_open(folder, NULL);
    g_autofree float *image = g_new(float, 3072);
    int64_t label;
    GError *error = NULL;
    ck_ok(data_read(d, DATA_TEST, 9, image, &label, &error), error);
    ck_error(data_read(d, DATA_TEST, 10, image, &label, &error), error, ERROR_INPUT,
             "test sample 10 has the label 10");
    data_close(d);
    files_remove(folder);
}
END_TEST

TEST_MAIN("data", test_idx_is_read_plain_and_packed, test_idx_that_is_wrong_is_refused,
          test_idx_with_a_wrong_header_is_refused, test_idx_without_labels_is_refused,
          test_packed_idx_is_held_to_its_header,
          test_packed_idx_cannot_hold_more_than_deflate_packs,
          test_packed_idx_that_is_cut_short_is_refused, test_a_file_that_shrinks_is_an_error,
          test_cifar_is_read_across_its_files, test_cifar100_has_fine_labels,
          test_cifar_that_is_wrong_is_refused, test_a_label_beyond_the_classes_is_an_error)
