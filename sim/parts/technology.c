/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/parts/technology.h"

#include <math.h>
#include <string.h>

#include <glib.h>

static const double base_nm = 45;

/* From node `from` to node `to` an action's energy shrinks so many times. */
static const struct {
    double from_nm, to_nm, shrinks;
} trends[N_TECHNOLOGY] = {
    /* Jouppi et al., ISCA 2021: from 45 to 7 nm logic 3 to 4 times, SRAM 1.3 to 2.4 times */
    [TECHNOLOGY_LOGIC] = {45, 7, 3.5},
    [TECHNOLOGY_SRAM] = {45, 7, 1.8},
    /* Keckler et al., IEEE Micro 31(5), 2011, table 1: 256 bit over 10 mm, 310 pJ at 40 nm and 200
     * at 10 nm. Unconfirmed. */
    [TECHNOLOGY_WIRE] = {40, 10, 1.55},
};

double technology_factor(enum technology kind, double nm)
{
    const double per_e_fold =
        log(trends[kind].shrinks) / log(trends[kind].from_nm / trends[kind].to_nm);
    return exp(-per_e_fold * log(base_nm / nm));
}

/* 45 nm, 0.9 V: Horowitz, ISSCC 2014. bf16 is not in the table: as fp16. Nor is a 16-bit integer
 * multiplication: between those of 8 and 32 bit on a logarithmic scale. */
static const double add_int32_pj = 0.1, mul_int8_pj = 0.2, mul_int32_pj = 3.1;
static const double add_fp32_pj = 0.9, mul_fp16_pj = 1.1, mul_fp32_pj = 3.7;

double technology_mac_pj(enum number n, double nm)
{
    double pj = sqrt(mul_int8_pj * mul_int32_pj) + add_int32_pj;
    if (n == NUMBER_int8)
        pj = mul_int8_pj + add_int32_pj;
    else if (n == NUMBER_fp32)
        pj = mul_fp32_pj + add_fp32_pj;
    else if (n == NUMBER_bf16 || n == NUMBER_fp16)
        pj = mul_fp16_pj + add_fp32_pj;
    return pj * technology_factor(TECHNOLOGY_LOGIC, nm);
}

double technology_scale_pj(double nm)
{
    return (mul_int32_pj + add_int32_pj) * technology_factor(TECHNOLOGY_LOGIC, nm);
}

/* A 64-bit access, 45 nm: Horowitz, ISSCC 2014. */
static const struct {
    double kib, pj;
} srams[] = {{8, 10}, {32, 20}, {1024, 100}};

/* Between two sizes on logarithmic scales of both; beyond 1 MiB a memory is made of banks of that
 * size, below 8 KiB it is taken as 8 KiB. */
static double word_pj(double kib)
{
    if (kib <= srams[0].kib)
        return srams[0].pj;
    for (size_t i = 1; i < G_N_ELEMENTS(srams); i++) {
        if (kib > srams[i].kib)
            continue;
        const double at = log(kib / srams[i - 1].kib) / log(srams[i].kib / srams[i - 1].kib);
        return srams[i - 1].pj * pow(srams[i].pj / srams[i - 1].pj, at);
    }
    return srams[G_N_ELEMENTS(srams) - 1].pj;
}

/* The smallest of the table is cells alone; what a larger one takes more are the wires to them. */
double technology_sram_pj_per_byte(double bytes, double nm)
{
    const double cells = srams[0].pj, word_bytes = 8;
    const double wires = word_pj(bytes / 1024) - cells;
    return (cells * technology_factor(TECHNOLOGY_SRAM, nm) +
            wires * technology_factor(TECHNOLOGY_WIRE, nm)) /
           word_bytes;
}

double technology_dram_pj_per_byte(const char *standard)
{
    static const struct {
        const char *standard;
        double pj_per_bit;
    } rows[] = {
        {"DDR3", 1300.0 / 64}, /* Horowitz, ISSCC 2014: 1300 to 2600 pJ for 64 bit */
        {"DDR4", 20},          /* 15 to 25, unconfirmed */
        {"LPDDR4", 5.5},       /* 4 to 7, unconfirmed */
        {"HBM2", 3.9},         /* device and I/O */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        if (!strcmp(rows[i].standard, standard))
            return 8 * rows[i].pj_per_bit;
    return 0;
}

double technology_pcie_pj_per_byte(void)
{
    /* Synopsys DesignWare PHY for PCIe 3.0: as low as 50 mW a lane at 8 GT/s (SemiWiki, 24 May
     * 2015), 6.25 pJ a bit. The transmitter alone of one for PCIe 4.0 takes 1.93 (Bae et al.,
     * Electronics 10(1), 2021, 28 nm). */
    const double lane_mw = 50, lane_gb_s = 8.0 / 8;
    return lane_mw / lane_gb_s;
}
