/* SPDX-License-Identifier: Apache-2.0 */
#include "mapper/region.h"

#include <string.h>

struct region region_whole(const struct dims *d)
{
    return (struct region){.n_image = d->n, .n_row = d->h, .n_col = d->w, .n_channel = d->c};
}

int64_t region_elements(const struct region *r)
{
    return r->n_image * r->n_row * r->n_col * r->n_channel;
}

bool region_has_images(const struct region *r, const struct dims *d)
{
    return r->n_row == d->h && r->n_col == d->w && r->n_channel == d->c;
}

struct pitch region_pitch(const struct region *r, int64_t size_bytes)
{
    struct pitch p;
    p.pixel = r->n_channel * size_bytes;
    p.row = r->n_col * p.pixel;
    p.image = r->n_row * p.row;
    return p;
}

int64_t region_begin(const struct region *r, const struct pitch *pitch, int64_t size_bytes)
{
    return r->image * pitch->image + r->row * pitch->row + r->col * pitch->pixel +
           r->channel * size_bytes;
}

size_t region_extent(const struct region *r, const struct pitch *pitch, int64_t size_bytes)
{
    return (size_t)((r->n_image - 1) * pitch->image + (r->n_row - 1) * pitch->row +
                    (r->n_col - 1) * pitch->pixel + r->n_channel * size_bytes);
}

/* n runs of so many bytes. */
static void copy_runs(int64_t n, size_t bytes, char *to, int64_t to_pitch, const char *from,
                      int64_t from_pitch)
{
    for (int64_t i = 0; i < n; i++)
        memcpy(to + i * to_pitch, from + i * from_pitch, bytes);
}

/* Runs are as long as they lie side by side here and there. */
void region_copy(const struct region *r, int64_t size_bytes, void *to, const struct pitch *to_pitch,
                 const void *from, const struct pitch *from_pitch)
{
    const struct pitch alone = region_pitch(r, size_bytes);
    const bool rows = to_pitch->pixel == alone.pixel && from_pitch->pixel == alone.pixel;
    const bool images = rows && to_pitch->row == alone.row && from_pitch->row == alone.row;
    for (int64_t i = 0; i < r->n_image; i++) {
        char *t = (char *)to + i * to_pitch->image;
        const char *f = (const char *)from + i * from_pitch->image;
        if (images) {
            memcpy(t, f, (size_t)alone.image);
            continue;
        }
        for (int64_t y = 0; y < r->n_row; y++, t += to_pitch->row, f += from_pitch->row)
            copy_runs(rows ? 1 : r->n_col, (size_t)(rows ? alone.row : alone.pixel), t,
                      to_pitch->pixel, f, from_pitch->pixel);
    }
}
