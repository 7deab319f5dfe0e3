/* SPDX-License-Identifier: Apache-2.0 */
/* One binary for any processor: a function marked VECTOR_CLONES is compiled for wider vectors too,
 * and the loader takes the widest that the processor has. For integer or element-wise loops only,
 * whose results do not depend on the width. Not under AddressSanitizer, which does not survive the
 * loader's choice, nor with clang, which clones otherwise. */
#pragma once

#if defined(__x86_64__) && defined(__linux__) && !defined(__SANITIZE_ADDRESS__) &&            \
    !defined(__clang__)
#define VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define VECTOR_CLONES
#endif
