/* SPDX-License-Identifier: Apache-2.0 */
/* Batches, their order, and Debian's Fashion-MNIST where it is installed. */
#include <sys/resource.h>

#include "tests/unit/data_files.h"
#include "workloads/data/data_iter.h"
#include "workloads/data/shuffle.h"

START_TEST(test_a_shuffle_is_a_permutation)
{
    static const int64_t sizes[] = {1, 2, 3, 5, 16, 17, 1000, 60000};
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        const int64_t n = sizes[i];
        g_autofree bool *seen = g_new0(bool, n);
        const struct shuffle s = shuffle_make(n, 7, 3);
        for (int64_t k = 0; k < n; k++) {
            const int64_t to = shuffle_at(&s, k);
            ck_assert(to >= 0 && to < n && !seen[to]);
            seen[to] = true;
        }
    }
}
END_TEST

/* How many of 1000 places have the same sample in both orders. */
static int n_equal(struct shuffle a, struct shuffle b)
{
    int n = 0;
    for (int64_t i = 0; i < 1000; i++)
        n += shuffle_at(&a, i) == shuffle_at(&b, i);
    return n;
}

START_TEST(test_seed_and_epoch_alone_decide_the_order)
{
    const struct shuffle s = shuffle_make(1000, 1, 0);
    ck_assert_int_eq(n_equal(s, shuffle_make(1000, 1, 0)), 1000);
    /* Two random orders agree in 1 place on average; in 10 once in ten million. */
    ck_assert_int_lt(n_equal(s, shuffle_make(1000, 1, 1)), 10);
    ck_assert_int_lt(n_equal(s, shuffle_make(1000, 2, 0)), 10);
    int n_fixed = 0;
    for (int64_t i = 0; i < 1000; i++)
        n_fixed += shuffle_at(&s, i) == i;
    ck_assert_int_lt(n_fixed, 10);
}
END_TEST

START_TEST(test_every_order_of_four_is_as_likely)
{
    int count[24] = {0};
    for (uint64_t seed = 0; seed < 24000; seed++) {
        const struct shuffle s = shuffle_make(4, seed, 0);
        int64_t p[4];
        for (int64_t i = 0; i < 4; i++)
            p[i] = shuffle_at(&s, i);
        int rank = 0; /* in the order of the alphabet */
        for (int i = 0; i < 4; i++) {
            int smaller = 0;
            for (int j = i + 1; j < 4; j++)
                smaller += p[j] < p[i];
            rank = rank * (4 - i) + smaller;
        }
        count[rank]++;
    }
    double chi2 = 0;
    for (int i = 0; i < 24; i++)
        chi2 += (count[i] - 1000.0) * (count[i] - 1000.0) / 1000.0;
    ck_assert_double_lt(chi2, 60); /* 23 degrees of freedom: 49.7 once in a thousand */
}
END_TEST

enum { N_TRAIN = 23 };

static struct data_set *digits(char **folder)
{
    *folder = files_folder();
    files_write_digits(*folder, "train", "", N_TRAIN);
    return files_open(*folder, NULL);
}

static struct data_iter *make_iter(struct data_set *d, const struct data_iter_options *o,
                                   struct tensor *images, struct tensor *labels)
{
    GError *error = NULL;
    struct data_iter *it = data_iter_new(d, o, &error);
    ck_ok(it, error);
    ck_ok(data_iter_tensors(it, images, labels, &error), error);
    return it;
}

START_TEST(test_an_epoch_gives_each_sample_once)
{
    char *folder;
    struct data_set *d = digits(&folder);
    for (int drop_last = 0; drop_last < 2; drop_last++) {
        const struct data_iter_options o = {
            .batch = 4, .shuffle = true, .drop_last = drop_last, .seed = 5};
        struct tensor images, labels;
        struct data_iter *it = make_iter(d, &o, &images, &labels);
        ck_assert_int_eq(data_iter_batches(it), drop_last ? 5 : 6);
        int count[N_TRAIN] = {0}, n_batch = 0;
        GError *error = NULL;
        int64_t n, n_seen = 0;
        for (;; n_batch++, n_seen += n) {
            ck_ok(data_next(it, &images, &labels, &n, &error), error);
            if (n == 0)
                break;
            ck_assert_int_eq(n, n_batch < 5 ? 4 : 3);
            for (int64_t i = 0; i < n; i++) { /* the first byte of image k is 7 k */
                const float first = ((float *)images.data)[i * DIGIT_BYTES];
                const int k = (int)(first * 255 / 7 + 0.5f);
                count[k]++;
                ck_assert_int_eq(((int64_t *)labels.data)[i], k % 4);
            }
        }
        ck_assert_int_eq(n_seen, drop_last ? 20 : N_TRAIN);
        for (int k = 0; k < N_TRAIN; k++)
            ck_assert_int_le(count[k], 1);
        ck_assert_int_eq(((int64_t *)labels.data)[0], -1); /* nothing old is left */
        ck_assert_float_eq(((float *)images.data)[0], 0);
        tensor_clear(&images);
        tensor_clear(&labels);
        data_iter_free(it);
    }
    data_close(d);
    files_remove(folder);
}
END_TEST

START_TEST(test_any_batch_can_be_had_again)
{
    char *folder;
    struct data_set *d = digits(&folder);
    const struct augment_config turn = {.rotate_deg = 30, .flip = 0.5};
    const struct data_iter_options o = {.batch = 4, .shuffle = true, .seed = 9, .augment = &turn};
    struct tensor a, b, labels, other;
    struct data_iter *first = make_iter(d, &o, &a, &labels), *second = make_iter(d, &o, &b, &other);
    GError *error = NULL;
    int64_t n;
    data_iter_start(first, 2, 0);
    for (int k = 0; k <= 3; k++)
        ck_ok(data_next(first, &a, &labels, &n, &error), error);
    data_iter_start(second, 2, 3);
    ck_ok(data_next(second, &b, &other, &n, &error), error);
    ck_assert_mem_eq(a.data, b.data, tensor_bytes(&a));
    ck_assert_mem_eq(labels.data, other.data, tensor_bytes(&labels));
    data_iter_start(second, 1, 3);
    ck_ok(data_next(second, &b, &other, &n, &error), error);
    ck_assert_mem_ne(a.data, b.data, tensor_bytes(&a));
    struct tensor *all[] = {&a, &b, &labels, &other};
    for (int i = 0; i < 4; i++)
        tensor_clear(all[i]);
    data_iter_free(first);
    data_iter_free(second);
    data_close(d);
    files_remove(folder);
}
END_TEST

START_TEST(test_what_cannot_be_iterated_is_refused)
{
    static const struct {
        const char *text;
        struct data_iter_options o;
    } cases[] = {
        {"there is no test split", {.split = DATA_TEST, .batch = 1}},
        {"a batch of 0", {.batch = 0}},
        {"a batch of -1", {.batch = -1}},
        {"more than 2^40", {.batch = INT64_MAX}},
        {"fewer than a batch of 24", {.batch = 24, .drop_last = true}},
    };
    char *folder;
    struct data_set *d = digits(&folder);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        GError *error = NULL;
        ck_error(data_iter_new(d, &cases[i].o, &error), error, ERROR_INPUT, cases[i].text);
    }
    data_close(d);
    files_remove(folder);
}
END_TEST

/* A set of 8 GiB, which takes no place on disk, is read in an address space of 1 GiB. */
START_TEST(test_a_set_larger_than_memory_is_read)
{
#if defined(__SANITIZE_ADDRESS__)
    return; /* reserves terabytes of address space for itself */
#endif
    enum { N = 1 << 23, SIDE = 32 };
    char *folder = files_folder();
    const uint32_t dim[] = {N, SIDE, SIDE}, n_label = N;
    g_autofree uint8_t *labels = g_malloc0(N);
    files_write_idx(folder, "train-labels-idx1-ubyte", 1, &n_label, labels, N);
    files_write_idx(folder, "train-images-idx3-ubyte", 3, dim, NULL, 0);
    g_autofree char *path = files_path(folder, "train-images-idx3-ubyte");
    ck_assert_int_eq(truncate(path, 16 + (off_t)N * SIDE * SIDE), 0);
    const struct rlimit limit = {1 << 30, 1 << 30};
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    struct data_set *d = files_open(folder, NULL);
    const struct data_iter_options o = {.batch = 64, .shuffle = true};
    struct tensor images, of_labels;
    struct data_iter *it = make_iter(d, &o, &images, &of_labels);
    GError *error = NULL;
    int64_t n;
    for (int k = 0; k < 100; k++)
        ck_ok(data_next(it, &images, &of_labels, &n, &error), error);
    tensor_clear(&images);
    tensor_clear(&of_labels);
    data_iter_free(it);
    data_close(d);
    files_remove(folder);
}
END_TEST

START_TEST(test_debians_fashion_mnist)
{
    g_autofree char *path = data_known_path(data_known_find("fashion-mnist"), NULL);
    if (!path) {
        printf("dataset-fashion-mnist is not installed: not tested\n");
        return;
    }
    struct data_set *d = files_open("fashion-mnist", NULL);
    const struct data_info *info = data_describe(d);
    ck_assert_int_eq(info->n[DATA_TRAIN], 60000);
    ck_assert_int_eq(info->n[DATA_TEST], 10000);
    ck_assert_int_eq(info->n_class, 10);
    ck_assert_int_eq(info->shape.dim[1], 28);
    static const int first[] = {9, 0, 0, 3, 0, 2, 7, 2, 5, 5};
    const struct data_iter_options o = {.batch = 1000};
    struct tensor images, labels;
    struct data_iter *it = make_iter(d, &o, &images, &labels);
    int count[10] = {0};
    double sum = 0;
    GError *error = NULL;
    for (int k = 0; k < 60; k++) {
        int64_t n;
        ck_ok(data_next(it, &images, &labels, &n, &error), error);
        for (int64_t i = 0; i < n; i++) {
            const int64_t label = ((int64_t *)labels.data)[i];
            ck_assert(k > 0 || i >= 10 || label == first[i]);
            count[label]++;
        }
        for (int64_t i = 0; i < n * 784; i++)
            sum += ((float *)images.data)[i];
    }
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(count[i], 6000);
    ck_assert_double_eq_tol(sum / (60000.0 * 784), 0.2860, 5e-5); /* the mean as it is published */
    tensor_clear(&images);
    tensor_clear(&labels);
    data_iter_free(it);
    data_close(d);
}
END_TEST

TEST_MAIN("data_iter", test_a_shuffle_is_a_permutation, test_seed_and_epoch_alone_decide_the_order,
          test_every_order_of_four_is_as_likely, test_an_epoch_gives_each_sample_once,
          test_any_batch_can_be_had_again, test_what_cannot_be_iterated_is_refused,
          test_a_set_larger_than_memory_is_read, test_debians_fashion_mnist)
