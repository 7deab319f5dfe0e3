/* SPDX-License-Identifier: Apache-2.0 */
/* Area of a die's parts, from published cells and macros carried to other process nodes. Logic
 * shrinks with the pitches of gates and wires, SRAM with its bit cell, and of an interface its pads
 * do not shrink at all. Sources: docs/energy.md, "Area". */
#pragma once

#include <stdbool.h>

#include "workloads/tensor/number.h"

/* Cells alone, without the room between them. um2. */
double area_logic_factor(double nm); /* of the same cells, relative to 45 nm */
double area_mac_um2(enum number n, double nm);
double area_lane_um2(double nm); /* what requantises a sum and applies a function in fp32 */
double area_register_um2(double bits, double nm);
/* Bit cells alone; `two_port`: one is read while another is written. */
double area_sram_cells_um2(double bits, bool two_port, double nm);

/* Leakage of these cells, W: at 25 degrees C and a nominal supply. */
double area_logic_leakage_w(double cells_um2, double nm);
double area_sram_leakage_w(double bits, bool two_port, double nm);

/* mm2, pads and drivers included. */
/* Of so many data pins to memory of a standard; 0: no figure is known. */
double area_memory_phy_mm2(const char *standard, double n_pin, double nm);
double area_pcie_phy_mm2(double n_lane);
