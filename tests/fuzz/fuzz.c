/* SPDX-License-Identifier: Apache-2.0 */
/* One reader under libFuzzer, chosen when it is built (FUZZ_NET, FUZZ_ONNX, FUZZ_NPY, FUZZ_IDX,
 * FUZZ_CSV): any bytes are a good file or an error, never a crash, a leak or a hang.
 *
 * Without libFuzzer main() replays the files of its arguments (tests/fuzz/CMakeLists.txt). */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workloads/data/data_iter.h"
#include "workloads/net.h"
#include "workloads/net_csv.h"
#include "workloads/onnx/onnx.h"
#include "workloads/tensor/npy.h"

#if defined(FUZZ_NET)
#define ENDING ".net"
#elif defined(FUZZ_ONNX)
#define ENDING ".onnx"
#elif defined(FUZZ_NPY)
#define ENDING ".npy"
#elif defined(FUZZ_IDX)
#define ENDING "/train-images-idx3-ubyte"
#else
#define ENDING ".csv"
#endif

#if defined(FUZZ_IDX)
/* Labels of as many zeros as the images say that they are, then a batch. */
static void read_set(const char *file, GError **error)
{
    g_autofree char *dir = g_path_get_dirname(file);
    g_autofree char *labels = g_build_filename(dir, "train-labels-idx1-ubyte", NULL);
    char head[8] = {0}, zeros[8 + 256] = {0, 0, 8, 1};
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, head, sizeof(head)) == (ssize_t)sizeof(head))
        memcpy(zeros + 4, head + 4, 4);
    close(fd);
    const size_t n = head[4] || head[5] || head[6] ? 0 : (unsigned char)head[7];
    g_file_set_contents(labels, zeros, (gssize)(8 + n), NULL);
    struct data_set *d = data_open(dir, NULL, NULL, error);
    if (d) {
        const struct data_iter_options o = {.split = DATA_TRAIN, .batch = 2};
        struct data_iter *it = data_iter_new(d, &o, NULL);
        struct tensor x = {0}, y = {0};
        int64_t got;
        if (it && data_iter_tensors(it, &x, &y, NULL))
            data_next(it, &x, &y, &got, NULL);
        tensor_clear(&x);
        tensor_clear(&y);
        data_iter_free(it);
    }
    data_close(d);
    unlink(labels);
}
#endif

static void read_one(const char *file)
{
    const struct net_options o = {.batch = 1, .any_batch = true};
    GError *error = NULL;
#if defined(FUZZ_NET)
    graph_free(net_read(file, o.batch, &error));
#elif defined(FUZZ_ONNX)
    graph_free(onnx_read(file, &o, &error));
#elif defined(FUZZ_NPY)
    GHashTable *table = npy_read(file, &error);
    if (table)
        g_hash_table_unref(table);
#elif defined(FUZZ_IDX)
    read_set(file, &error);
#else
    graph_free(net_csv_read(file, &o, &error));
#endif
    (void)o;
    g_clear_error(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static char file[64];
    if (!file[0]) {
        snprintf(file, sizeof(file), "/dev/shm/accsim-fuzz-%d" ENDING, (int)getpid());
        g_autofree char *dir = g_path_get_dirname(file);
        mkdir(dir, 0700);
    }
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
        abort();
    close(fd);
    read_one(file);
    unlink(file);
    return 0;
}

#ifndef FUZZ_ENGINE
int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char *bytes;
        gsize n;
        if (!g_file_get_contents(argv[i], &bytes, &n, NULL)) {
            fprintf(stderr, "%s cannot be read\n", argv[i]);
            return 2;
        }
        LLVMFuzzerTestOneInput((const uint8_t *)bytes, n);
        g_free(bytes);
    }
    printf("%d files replayed\n", argc - 1);
    return argc > 1 ? 0 : 2;
}
#endif
