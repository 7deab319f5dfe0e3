/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/parts/sram.h"

#include <glib.h>
#include <stdlib.h>

bool sram_init(struct sram *s, const char *name, size_t size_bytes, bool with_data)
{
    *s = (struct sram){.name = name, .size_bytes = size_bytes};
    if (with_data)
        s->data = calloc(MAX(size_bytes, 1), 1); /* untouched pages cost nothing */
    return s->data || !with_data;
}

void sram_clear(struct sram *s)
{
    free(s->data);
    *s = (struct sram){.name = s->name};
}

static uint8_t *locate(const struct sram *s, size_t addr, size_t bytes)
{
    if (addr > s->size_bytes || bytes > s->size_bytes - addr)
        g_error("access outside memory '%s': %zu bytes at %zu of %zu", s->name, bytes, addr,
                s->size_bytes);
    return s->data ? s->data + addr : NULL;
}

const uint8_t *sram_read(struct sram *s, size_t addr, size_t bytes)
{
    s->read_bytes += bytes;
    return locate(s, addr, bytes);
}

uint8_t *sram_write(struct sram *s, size_t addr, size_t bytes)
{
    s->write_bytes += bytes;
    return locate(s, addr, bytes);
}
