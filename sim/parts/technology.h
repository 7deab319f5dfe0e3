/* SPDX-License-Identifier: Apache-2.0 */
/* Energy of single actions, from a table for 45 nm carried to other process nodes. Logic, SRAM and
 * wires shrink apart: each has a factor from 45 nm to a second node, interpolated on a logarithmic
 * scale of the node. Sources: docs/energy.md. */
#pragma once

#include "workloads/tensor/number.h"

enum technology { TECHNOLOGY_LOGIC, TECHNOLOGY_SRAM, TECHNOLOGY_WIRE, N_TECHNOLOGY };

/* Energy of an action of this kind at `nm`, relative to 45 nm. */
double technology_factor(enum technology kind, double nm);

/* pJ of a multiplication of two operands and the addition of the product to a 32-bit sum. */
double technology_mac_pj(enum number n, double nm);
/* pJ of a 32-bit multiplication and addition. */
double technology_scale_pj(double nm);
/* pJ a byte read from or written to a static memory of so many bytes. */
double technology_sram_pj_per_byte(double bytes, double nm);
/* pJ a byte of off-chip memory, device and I/O: it does not follow the die's node. `standard` is a
 * row of dram_standard_names; 0: no figure is known. */
double technology_dram_pj_per_byte(const char *standard);
/* pJ a byte over PCIe, one end's drivers and receivers, at full rate. It is kept at every node. */
double technology_pcie_pj_per_byte(void);
