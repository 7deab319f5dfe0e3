/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/parts/dram_spec.h"

#include <glib.h>
#include <math.h>

#include "sim/parts/dram_channel.h"

const struct dram_standard dram_standards[] = {
    {.name = "none"},
#define DRAM_STANDARD(NAME, ...) {.name = #NAME, __VA_ARGS__},
#include "sim/parts/dram_standards.def"
};

const char *const dram_standard_names[] = {
    "none",
#define DRAM_STANDARD(NAME, ...) #NAME,
#include "sim/parts/dram_standards.def"
    NULL,
};
_Static_assert(G_N_ELEMENTS(dram_standard_names) == G_N_ELEMENTS(dram_standards) + 1,
               "one name a standard, and NULL");

const char *const dram_mapping_names[] = {
#define DRAM_MAPPING(NAME, ...) #NAME,
#include "sim/parts/dram_mappings.def"
    NULL,
};

static const enum dram_digit orders[][DRAM_N_DIGIT] = {
#define CH                      DRAM_CH
#define BG                      DRAM_BG
#define BA                      DRAM_BA
#define RA                      DRAM_RA
#define CO                      DRAM_CO
#define RO                      DRAM_RO
#define DRAM_MAPPING(NAME, ...) {__VA_ARGS__},
#include "sim/parts/dram_mappings.def"
#undef CH
#undef BG
#undef BA
#undef RA
#undef CO
#undef RO
};

/* A setting written as 17.1 GB/s may stand for 17.066. */
#define RATE_SLACK 0.005

static double rate_mts(const struct dram_choice *c)
{
    return c->bandwidth_gb_s * 1e3 * 8 /
           ((double)c->n_channel * dram_standards[c->standard].width_bits);
}

static double row_count(const struct dram_choice *c)
{
    const struct dram_standard *s = &dram_standards[c->standard];
    return floor(c->size_kib * 1024 /
                 ((double)(c->n_channel * c->n_rank * s->n_group * s->n_bank) * s->row_bytes));
}

/* "3 to 7 channels": what would carry the bandwidth; "" where no whole number of them does. */
static char *channels_that_do(const struct dram_choice *c)
{
    const struct dram_standard *s = &dram_standards[c->standard];
    const double all_mts = rate_mts(c) * (double)c->n_channel;
    const int least = (int)ceil(all_mts / (s->rate_max_mts * (1 + RATE_SLACK)));
    const int most = (int)floor(all_mts / s->rate_min_mts);
    if (least > most)
        return g_strdup("");
    if (least == most)
        return g_strdup_printf(": %d channel%s would do", least, least == 1 ? "" : "s");
    return g_strdup_printf(": %d to %d channels would do", least, most);
}

static char *wrong_rate(const struct dram_choice *c)
{
    const struct dram_standard *s = &dram_standards[c->standard];
    g_autofree char *remedy = channels_that_do(c);
    return g_strdup_printf("bandwidth_gb_s = %g over channels = %d of %d bit is %.0f MT/s, and %s "
                           "has %g to %g%s",
                           c->bandwidth_gb_s, (int)c->n_channel, s->width_bits, rate_mts(c),
                           s->name, s->rate_min_mts, s->rate_max_mts, remedy);
}

char *dram_spec_check(const struct dram_choice *c)
{
    if (c->standard < 1) {
        g_autofree char *all = g_strjoinv(", ", (char **)(dram_standard_names + 1));
        return g_strdup_printf("model = \"bank\" needs standard: one of %s", all);
    }
    const struct dram_standard *s = &dram_standards[c->standard];
    const double rate = rate_mts(c);
    if (rate > s->rate_max_mts * (1 + RATE_SLACK) || rate < s->rate_min_mts * (1 - RATE_SLACK))
        return wrong_rate(c);
    if (row_count(c) < 1)
        return g_strdup_printf(
            "size_kib = %g holds not one row of each bank of %s: channels = %d x "
            "ranks = %d x %d banks x %d bytes",
            c->size_kib, s->name, (int)c->n_channel, (int)c->n_rank, s->n_group * s->n_bank,
            s->row_bytes);
    return NULL;
}

/* Rounded as JEDEC does for DDR4: a fortieth of a clock is within the clock's tolerance. */
static int64_t clocks(struct dram_time t, double clock_hz)
{
    return MAX(t.min_clk, (int64_t)ceil(t.ns * clock_hz / 1e9 - 0.025));
}

static void make_rules(struct dram_spec *s)
{
    const struct dram_timing *n = &s->n;
    const struct dram_rule rules[] = {
#define DRAM_RULE(BEFORE, AFTER, LEVEL, CLOCKS) {DRAM_##BEFORE, DRAM_##AFTER, DRAM_##LEVEL, CLOCKS},
#include "sim/parts/dram_rules.def"
    };
    _Static_assert(G_N_ELEMENTS(rules) <= DRAM_MAX_RULE, "DRAM_MAX_RULE");
    int n_rule = 0;
    s->longest_clk = n->FAW;
    for (int c = 0; c < DRAM_N_COMMAND; c++) {
        s->first_rule[c] = n_rule;
        for (size_t i = 0; i < G_N_ELEMENTS(rules); i++)
            if (rules[i].before == (enum dram_command)c) {
                s->longest_clk = MAX(s->longest_clk, rules[i].clk);
                s->rules[n_rule++] = rules[i];
            }
    }
    s->first_rule[DRAM_N_COMMAND] = n_rule;
    g_assert(n_rule == G_N_ELEMENTS(rules));
}

static int bank_index(const struct dram_spec *s, const int64_t digit[DRAM_N_DIGIT])
{
    return (int)((digit[DRAM_RA] * s->extent[DRAM_BG] + digit[DRAM_BG]) * s->extent[DRAM_BA] +
                 digit[DRAM_BA]);
}

static void make_banks(struct dram_spec *s)
{
    s->n_bank_rank = (int)(s->extent[DRAM_BG] * s->extent[DRAM_BA]);
    s->n_bank = (int)s->extent[DRAM_RA] * s->n_bank_rank;
    s->n_group = (int)(s->extent[DRAM_RA] * s->extent[DRAM_BG]);
    g_assert(s->n_bank <= DRAM_MAX_BANK);
    for (int i = 0; i < s->n_bank; i++) {
        s->group_of[i] = (uint8_t)(i / s->extent[DRAM_BA]);
        s->rank_of[i] = (uint8_t)(i / s->n_bank_rank);
    }
}

/* Splits the order at the column: digits below it rotate with each burst. */
static void make_order(struct dram_spec *s, const enum dram_digit order[DRAM_N_DIGIT])
{
    enum dram_digit inner[DRAM_N_DIGIT];
    int n_digit = 0, i = 0;
    s->interleaved = order[0] == DRAM_CH;
    g_assert(s->interleaved || order[DRAM_N_DIGIT - 1] == DRAM_CH);
    for (; order[i] != DRAM_CO; i++)
        if (order[i] != DRAM_CH)
            inner[n_digit++] = order[i];
    for (i++; i < DRAM_N_DIGIT; i++)
        if (order[i] != DRAM_CH)
            s->outer[s->n_outer++] = order[i];
    s->n_inner = 1;
    for (i = 0; i < n_digit; i++) {
        s->n_inner *= (int)s->extent[inner[i]];
        s->rank_is_inner |= inner[i] == DRAM_RA && s->extent[DRAM_RA] > 1;
    }
    for (int j = 0; j < s->n_inner; j++) {
        int64_t digit[DRAM_N_DIGIT] = {0};
        int64_t rest = j;
        for (i = 0; i < n_digit; i++) {
            digit[inner[i]] = rest % s->extent[inner[i]];
            rest /= s->extent[inner[i]];
        }
        s->inner_bank[j] = (uint8_t)bank_index(s, digit);
    }
    for (i = 0; i < s->n_outer && s->extent[s->outer[i]] == 1;)
        i++;
    s->row_is_next = i == s->n_outer || s->outer[i] == DRAM_RO;
}

void dram_spec_init(struct dram_spec *s, const struct dram_choice *c)
{
    const struct dram_standard *std = &dram_standards[c->standard];
    *s = (struct dram_spec){.standard = std};
    s->clock_hz = rate_mts(c) * 1e6 / std->beats_per_clk;
    s->n.BL = std->n_beat / std->beats_per_clk;
#define TIMING(NAME) s->n.NAME = clocks(std->t##NAME, s->clock_hz);
    DRAM_TIMINGS(TIMING)
#undef TIMING
    /* Where the clock is slow, the least number of clocks stands for more time than a part has. */
    s->n.RC = MAX(s->n.RC, s->n.RAS + s->n.RP);
    g_assert(s->n.RFC + s->n.RC < s->n.REFI);
    make_rules(s);
    s->burst_bytes = std->n_beat * std->width_bits / 8;
    s->extent[DRAM_CH] = c->n_channel;
    s->extent[DRAM_RA] = c->n_rank;
    s->extent[DRAM_BG] = std->n_group;
    s->extent[DRAM_BA] = std->n_bank;
    s->extent[DRAM_CO] = std->row_bytes / s->burst_bytes;
    s->extent[DRAM_RO] = (int64_t)row_count(c);
    make_banks(s);
    make_order(s, orders[c->mapping]);
}

double dram_spec_peak_bytes_per_s(const struct dram_spec *s)
{
    return (double)(s->extent[DRAM_CH] * s->burst_bytes) * s->clock_hz / (double)s->n.BL;
}

double dram_spec_latency_ns(const struct dram_spec *s)
{
    return (double)(s->n.RCD + s->n.CL) / s->clock_hz * 1e9;
}

/* Clocks of one burst from each of the inner banks in turn. */
static double round_clk(const struct dram_spec *s)
{
    int64_t sum = 0;
    for (int i = 0; i < s->n_inner; i++) {
        const int a = s->inner_bank[i], b = s->inner_bank[(i + 1) % s->n_inner];
        sum += s->rank_of[a] != s->rank_of[b]     ? s->n.BL + s->n.RTR
               : s->group_of[a] == s->group_of[b] ? s->n.CCD_L
                                                  : s->n.CCD_S;
    }
    int64_t busiest = 0;
    for (int i = 0; i < s->n_inner; i++) {
        int64_t n_same = 0;
        for (int j = 0; j < s->n_inner; j++)
            n_same += s->group_of[s->inner_bank[i]] == s->group_of[s->inner_bank[j]];
        busiest = MAX(busiest, n_same);
    }
    return (double)MAX(sum, busiest * s->n.CCD_L);
}

double dram_spec_stream_bytes_per_s(const struct dram_spec *s)
{
    const struct dram_timing *n = &s->n;
    const double round = round_clk(s), inner = s->n_inner;
    const double n_round = (double)s->extent[DRAM_CO];
    /* Rows of the next stripe are opened while this one streams: as far ahead as the controller
     * sees, or, in the same banks, only after their last column, a round before. The activates of
     * its banks may come at a larger distance than its bursts. */
    const double act = MAX((double)n->RRD_S, (double)n->FAW / 4);
    const double ahead = s->row_is_next ? round : DRAM_QUEUE / inner * round;
    const double open = (double)((s->row_is_next ? n->RTP : 0) + n->RP + n->RCD);
    const double apart = (inner - 1) * MAX(act - round / inner, 0);
    const double shown = MAX(open + apart - ahead, 0);
    const double bursts_per_clk = inner * n_round / (n_round * round + shown);
    const double n_refresh = s->rank_is_inner ? (double)s->extent[DRAM_RA] : 1;
    const double refresh = n_refresh * (double)(n->RTP + n->RP + n->RFC + n->RCD);
    const double share = 1 - refresh / (double)n->REFI;
    return (double)(s->extent[DRAM_CH] * s->burst_bytes) * bursts_per_clk * share * s->clock_hz;
}
