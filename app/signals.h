/* SPDX-License-Identifier: Apache-2.0 */
/* Signals of the whole program. */
#pragma once

/* SIGINT and SIGTERM end it with 130, a failed assertion with 70; a closed pipe is an error of
 * the write and no signal. Signals that the parent had ignored stay ignored. */
void signals_install(void);

/* Puts SIGINT, SIGTERM and the time limit off while a file is written, so that no half of it is
 * left. */
void signals_hold(void);
void signals_release(void);
