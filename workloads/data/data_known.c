/* SPDX-License-Identifier: Apache-2.0 */
/* Sets that can be named, and where they lie. */
#include <string.h>

#include "workloads/data/data.h"

#define PLACES(...) ((const char *const[]){__VA_ARGS__, NULL})

const struct data_known data_known[] = {
    {.name = "fashion-mnist",
     .summary = "clothes in grey, 28 x 28 (Xiao, Rasul, Vollgraf 2017)",
     .package = "dataset-fashion-mnist",
     .source = "https://github.com/zalandoresearch/fashion-mnist",
     .places = PLACES("fashion-mnist", "FashionMNIST/raw", "/usr/share/datasets/fashion-mnist")},
    {.name = "mnist",
     .summary = "handwritten digits in grey, 28 x 28 (LeCun, Bottou, Bengio, Haffner 1998)",
     .source = "http://yann.lecun.com/exdb/mnist/",
     .places = PLACES("mnist", "MNIST/raw", "mnist.npz")},
    {.name = "cifar10",
     .summary = "small photographs in colour, 32 x 32 (Krizhevsky 2009)",
     .source = "https://www.cs.toronto.edu/~kriz/cifar.html",
     .places = PLACES("cifar-10-batches-bin", "cifar10")},
    {.name = "cifar100",
     .summary = "small photographs in colour of 100 classes, 32 x 32 (Krizhevsky 2009)",
     .source = "https://www.cs.toronto.edu/~kriz/cifar.html",
     .places = PLACES("cifar-100-binary", "cifar100")},
    {.name = NULL},
};

const struct data_known *data_known_find(const char *name)
{
    for (const struct data_known *k = data_known; k->name; k++)
        if (strcmp(k->name, name) == 0)
            return k;
    return NULL;
}

char *data_known_path(const struct data_known *known, const char *const *dirs)
{
    static const char *const nowhere[] = {NULL};
    for (int i = 0; known->places[i]; i++) {
        const char *place = known->places[i];
        if (g_path_is_absolute(place) && g_file_test(place, G_FILE_TEST_EXISTS))
            return g_strdup(place);
        for (const char *const *dir = dirs ? dirs : nowhere; *dir && !g_path_is_absolute(place);
             dir++) {
            char *path = g_build_filename(*dir, place, NULL);
            if (g_file_test(path, G_FILE_TEST_EXISTS))
                return path;
            g_free(path);
        }
    }
    return NULL;
}

char *data_known_advice(const struct data_known *known)
{
    if (known->package)
        return g_strdup_printf("apt install %s", known->package);
    return g_strdup_printf("put the files of %s into %s/, here or in ACCSIM_PATH", known->source,
                           known->places[0]);
}
