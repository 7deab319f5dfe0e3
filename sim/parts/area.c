/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/parts/area.h"

#include <math.h>
#include <string.h>

#include <glib.h>

/* The same thing at several nodes, from the largest node down. */
struct point {
    double nm, value;
};

/* On logarithmic scales of both; beyond the ends as between the last two. */
static double at_node(const struct point *p, size_t n, double nm)
{
    size_t i = 1;
    while (i + 1 < n && nm < p[i].nm)
        i++;
    const double slope = log(p[i].value / p[i - 1].value) / log(p[i].nm / p[i - 1].nm);
    return p[i].value * pow(nm / p[i].nm, slope);
}

/* Gate pitch times metal pitch, nm2. 45 nm: FreePDK45, whose cells the tables below are of; from 28
 * nm on TSMC's, as WikiChip lists them (16 nm: the metal pitch is unconfirmed). Heights of cells in
 * tracks are taken to stay. */
static const struct point pitches[] = {
    {45, 190.0 * 140}, {28, 117.0 * 90}, {16, 90.0 * 64}, {7, 54.0 * 40}};

/* Six-transistor bit cell, um2, the dense one: TSMC's, WikiChip. */
static const struct point bit_cells[] = {
    {65, 0.525}, {40, 0.242}, {28, 0.127}, {16, 0.07}, {7, 0.027}};

double area_logic_factor(double nm)
{
    const size_t n = G_N_ELEMENTS(pitches);
    return at_node(pitches, n, nm) / pitches[0].value;
}

/* 45 nm, um2: Horowitz, ISSCC 2014, unconfirmed. bf16 is not in the table: as fp16. Nor is a 16-bit
 * integer multiplication: between those of 8 and 32 bit on a logarithmic scale. */
static const double add_int32_um2 = 137, mul_int8_um2 = 282, mul_int32_um2 = 3495;
static const double add_fp32_um2 = 4184, mul_fp16_um2 = 1640, mul_fp32_um2 = 7700;
/* A scan flip-flop of FreePDK45's open cell library, SDFF_X1: 4.37 x 1.4 um. A chip that is to be
 * tested has scan. */
static const double flip_flop_um2 = 6.118;

double area_mac_um2(enum number n, double nm)
{
    double um2 = sqrt(mul_int8_um2 * mul_int32_um2) + add_int32_um2;
    if (n == NUMBER_int8)
        um2 = mul_int8_um2 + add_int32_um2;
    else if (n == NUMBER_fp32)
        um2 = mul_fp32_um2 + add_fp32_um2;
    else if (n == NUMBER_bf16 || n == NUMBER_fp16)
        um2 = mul_fp16_um2 + add_fp32_um2;
    return um2 * area_logic_factor(nm);
}

double area_lane_um2(double nm)
{
    const double requantise = mul_int32_um2 + add_int32_um2;
    return (requantise + mul_fp32_um2 + add_fp32_um2) * area_logic_factor(nm);
}

double area_register_um2(double bits, double nm)
{
    return bits * flip_flop_um2 * area_logic_factor(nm);
}

/* Two more transistors: Chang et al., VLSI 2005: 30 % more than six. Unconfirmed. */
static double port_factor(bool two_port)
{
    return two_port ? 1.3 : 1;
}

static double bit_cell_um2(double nm)
{
    return at_node(bit_cells, G_N_ELEMENTS(bit_cells), nm);
}

double area_sram_cells_um2(double bits, bool two_port, double nm)
{
    return bits * port_factor(two_port) * bit_cell_um2(nm);
}

/* 45 nm, 1.1 V, 25 degrees C. Logic: the flip-flop DFF_X1 of FreePDK45's library, 79.1 nW on 4.522
 * um2, unconfirmed. SRAM: 823 uW of 512 x 64 bit, as CACTI has it for the same library
 * (fakeram45_512x64). A transistor leaks by its width, and the current of a width changed little
 * from node to node (unconfirmed): what a cell leaks shrinks with its length, not with its area. */
static const double logic_w_per_um2 = 79.1e-9 / 4.522, bit_w = 823.237e-6 / (512 * 64);

double area_logic_leakage_w(double cells_um2, double nm)
{
    const double factor = area_logic_factor(nm);
    return cells_um2 / factor * logic_w_per_um2 * sqrt(factor);
}

double area_sram_leakage_w(double bits, bool two_port, double nm)
{
    const double base_nm = pitches[0].nm;
    return bits * port_factor(two_port) * bit_w * sqrt(bit_cell_um2(nm) / bit_cell_um2(base_nm));
}

double area_memory_phy_mm2(const char *standard, double n_pin, double nm)
{
    static const struct {
        const char *standard;
        double mm2, pins, nm, logic_share; /* of it, what is no I/O and shrinks */
    } phys[] = {
        /* Synopsys DesignWare DDR3-2133 PHY, 16 bit, I/O included, as McPAT has it; DDR4 is taken
         * alike, unconfirmed. */
        {"DDR3", 1.3, 16, 40, 0.2},
        {"DDR4", 1.3, 16, 40, 0.2},
        /* Two HBM2 interfaces of a stack each, 29.8 mm2 at 14 nm (Feldmann et al., MICRO 2021,
         * table 2, unconfirmed); a die photo of AMD's Fiji (28 nm, HBM) has 30 to 60 for four
         * (3DCenter, 5 November 2015). The bumps, whose pitch is the stack's, take the room at each
         * node. */
        {"HBM", 29.8, 2 * 1024, 14, 0},
        {"HBM2", 29.8, 2 * 1024, 14, 0},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(phys); i++) {
        const double share = phys[i].logic_share;
        const double shrink = area_logic_factor(nm) / area_logic_factor(phys[i].nm);
        if (!strcmp(phys[i].standard, standard))
            return n_pin * phys[i].mm2 / phys[i].pins * (1 - share + share * shrink);
    }
    return 0;
}

double area_pcie_phy_mm2(double n_lane)
{
    /* Bae et al., Electronics 10(1), 2021: a transmitter of generation 4 at 28 nm. A receiver is
     * taken to be as large. */
    const double transmitter_mm2 = 0.23;
    return n_lane * 2 * transmitter_mm2;
}
