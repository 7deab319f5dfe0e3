/* SPDX-License-Identifier: Apache-2.0 */
/* What AddressSanitizer needs where SystemC's processes have stacks of their own; nothing in
 * other builds. */
#pragma once

/* Every local variable is padded. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZER_STACK_FACTOR 4
#else
#define SANITIZER_STACK_FACTOR 1
#endif

/* SystemC tells the sanitizer of each change of stack, but comes back to main's as one of no
 * size: tells it again. */
void sanitizer_restore_main_stack(void);
