/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes, tensor memory and seeded random numbers. */
#include "workloads/tensor/tensor.h"

#include <inttypes.h>

#include "sim/base/clones.h"
#include "sim/base/error.h"
#include "sim/base/mix.h"
#include "sim/base/size.h"

#define SHAPE_MAX_COUNT (INT64_C(1) << 40)

struct shape shape_make(int n_dim, const int64_t *dim)
{
    g_assert(n_dim >= 0 && n_dim <= SHAPE_MAX_DIM);
    struct shape s = {.n_dim = n_dim};
    for (int i = 0; i < n_dim; i++)
        s.dim[i] = dim[i];
    return s;
}

bool shape_equal(const struct shape *a, const struct shape *b)
{
    if (a->n_dim != b->n_dim)
        return false;
    for (int i = 0; i < a->n_dim; i++) {
        if (a->dim[i] != b->dim[i])
            return false;
    }
    return true;
}

int64_t shape_count(const struct shape *s)
{
    return shape_count_from(s, 0);
}

int64_t shape_count_from(const struct shape *s, int from)
{
    int64_t count = 1;
    for (int i = from; i < s->n_dim; i++) {
        const bool fits = int64_mul(&count, count, s->dim[i]);
        g_assert(fits);
    }
    return count;
}

static bool check_dims(const struct shape *s, int64_t least, const char **why)
{
    if (s->n_dim < 0 || s->n_dim > SHAPE_MAX_DIM) {
        *why = "a shape has at most " G_STRINGIFY(SHAPE_MAX_DIM) " dimensions";
        return false;
    }
    int64_t count = 1;
    for (int i = 0; i < s->n_dim; i++) {
        if (s->dim[i] < least) {
            *why = least ? "a dimension is less than 1" : "a dimension is negative";
            return false;
        }
        if (!int64_mul(&count, count, MAX(s->dim[i], 1)) || count > SHAPE_MAX_COUNT) {
            *why = "more than 2^40 elements";
            return false;
        }
    }
    return true;
}

bool shape_check(const struct shape *s, const char **why)
{
    return check_dims(s, 1, why);
}

bool shape_fits(const struct shape *s, const char **why)
{
    return check_dims(s, 0, why);
}

const char *shape_text(const struct shape *s, int from, struct arena *a)
{
    if (from >= s->n_dim)
        return "scalar";
    GString *text = g_string_new(NULL);
    for (int i = from; i < s->n_dim; i++)
        g_string_append_printf(text, "%s%" PRId64, i > from ? "x" : "", s->dim[i]);
    const char *copy = arena_strdup(a, text->str);
    g_string_free(text, TRUE);
    return copy;
}

size_t tensor_bytes(const struct tensor *t)
{
    return (size_t)shape_count(&t->shape) * number_bytes(t->type);
}

bool tensor_alloc(struct tensor *t, enum number type, const struct shape *shape, GError **error)
{
    *t = (struct tensor){.type = type, .shape = *shape};
    const size_t size_bytes = tensor_bytes(t);
    t->data = g_try_malloc(MAX(size_bytes, 1)); /* an empty tensor has data too */
    if (!t->data)
        return error_set(error, ERROR_LIMIT, "no memory for a tensor of %zu bytes", size_bytes);
    return true;
}

void tensor_clear(struct tensor *t)
{
    g_free(t->data);
    t->data = NULL;
}

/* Three rounds of a 32-bit hash (triple32, https://github.com/skeeto/hash-prospector) of a counter;
 * a second key between the rounds keeps one stream from being another one shifted. 24 of the bits
 * make a float exactly. */
VECTOR_CLONES
static void fill_block(float *x, uint32_t n, float scale, uint32_t key_0, uint32_t key_1)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t h = i + key_0;
        h = (h ^ h >> 17) * 0xed5ad4bb;
        h = (h ^ h >> 11) * 0xac4c1b51 ^ key_1;
        h = (h ^ h >> 15) * 0x31848bab;
        h ^= h >> 14;
        x[i] = (float)((int32_t)(h >> 8) - (1 << 23)) * scale;
    }
}

void tensor_fill_uniform(float *x, size_t n, float amplitude, uint64_t seed, uint64_t stream)
{
    const size_t block = (size_t)1 << 30; /* far below the 2^32 values of a counter */
    const uint64_t key = mix64(mix64(seed + MIX64_STEP) + stream);
    for (size_t i_block = 0; i_block * block < n; i_block++) {
        const size_t left = n - i_block * block;
        const uint64_t k = mix64(key + i_block * MIX64_STEP);
        fill_block(x + i_block * block, (uint32_t)MIN(left, block), amplitude * 0x1p-23f,
                   (uint32_t)k, (uint32_t)(k >> 32));
    }
}

uint64_t tensor_stream(const char *name)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (const char *c = name; *c; c++)
        h = (h ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    return h;
}
