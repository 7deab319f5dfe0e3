/* SPDX-License-Identifier: Apache-2.0 */
/* On-chip memory with contents: bytes that processes read and write, counted. Timing belongs to
 * the unit at its port; what is checked here is that no access leaves the memory, which would be
 * a bug of the mapper. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sram {
    const char *name;
    uint8_t *data; /* NULL in timing-only runs: accesses are counted, nothing is stored */
    size_t size_bytes;
    uint64_t read_bytes, write_bytes;
};

/* With `with_data`, contents are zero; false when there is no memory for them. */
bool sram_init(struct sram *s, const char *name, size_t size_bytes, bool with_data);
void sram_clear(struct sram *s);

/* Count an access and give the address of its data (NULL in timing-only runs). Asserts that
 * [addr, addr + bytes) lies inside. */
const uint8_t *sram_read(struct sram *s, size_t addr, size_t bytes);
uint8_t *sram_write(struct sram *s, size_t addr, size_t bytes);
