/* SPDX-License-Identifier: Apache-2.0 */
/* The DMA engine's blocks in bursts, in turn with tiles that others ask of the same memory or link.
 */
#include "sim/parts/cycles.h"
#include "sim/parts/dma.h"
#include "tests/unit/dram_choices.h"
#include "tests/unit/test.h"

enum { BURST = 640 };
#define CLOCK_HZ 700e6

/* 10 bytes a cycle, so that a burst takes 64, as a tile here; 70 cycles to the first byte. */
static const struct dram_cfg fixed_cfg = {
    .size_kib = 1024, .bandwidth_gb_s = 7, .latency_ns = 100, .model = DRAM_FIXED};

struct bench {
    struct dram dram;
    struct link link;
    struct arbiter memory, host;
    struct dma dma;
};

static void bench_init(struct bench *b, const struct dram_cfg *cfg, double setup_ns)
{
    dram_init(&b->dram, cfg, CLOCK_HZ);
    link_init(&b->link, 7, 100, CLOCK_HZ);
    arbiter_init(&b->memory, &b->dram, NULL, BURST, true);
    arbiter_init(&b->host, NULL, &b->link, BURST, true);
    dma_init(&b->dma, setup_ns, CLOCK_HZ);
}

static void bench_clear(struct bench *b)
{
    arbiter_clear(&b->memory);
    arbiter_clear(&b->host);
    dram_clear(&b->dram);
}

static void begin(struct bench *b, uint64_t bytes, bool is_write, uint64_t now_cyc)
{
    const struct dram_request block = {.bytes = bytes, .is_write = is_write};
    dma_begin(&b->dma, &b->memory, &block, now_cyc);
}

/* When the block has arrived, looked for as a process does. */
static uint64_t finish(struct bench *b, uint64_t now_cyc)
{
    uint64_t at_cyc;
    while (!dma_arrival(&b->dma, now_cyc, &at_cyc))
        now_cyc = at_cyc;
    return at_cyc;
}

static uint64_t ask_tile(struct arbiter *a, uint64_t now_cyc)
{
    const struct dram_request r = {.bytes = BURST, .address = 1 << 16};
    return arbiter_ask(a, &r, now_cyc);
}

static uint64_t find_tile(struct arbiter *a, uint64_t number, uint64_t now_cyc)
{
    uint64_t at_cyc;
    while (!arbiter_arrival(a, number, now_cyc, &at_cyc)) {
        ck_assert_uint_gt(at_cyc, now_cyc);
        now_cyc = at_cyc;
    }
    return at_cyc;
}

START_TEST(test_descriptors_are_set_up_one_after_the_other)
{
    struct bench b;
    bench_init(&b, &fixed_cfg, 100);
    begin(&b, 640, true, 0);
    ck_assert_uint_eq(finish(&b, 0), 70 + 64);
    begin(&b, 640, true, 134);
    ck_assert_uint_eq(finish(&b, 134), 2 * (70 + 64));
    ck_assert_uint_eq(b.dma.n_block, 2);
    bench_clear(&b);
}
END_TEST

START_TEST(test_a_block_alone_moves_without_a_pause)
{
    struct dram_cfg cfg = fixed_cfg;
    cfg.bandwidth_gb_s = 34; /* 640 bytes take 13.2 cycles */
    for (uint64_t bytes = 1; bytes < 100 * BURST; bytes = 3 * bytes + 7) {
        struct bench b;
        bench_init(&b, &cfg, 0);
        begin(&b, bytes, true, 5);
        ck_assert_uint_eq(finish(&b, 5),
                          5 + cycles_ceil((double)bytes * cycles_per_byte(34, CLOCK_HZ)));
        ck_assert_uint_eq(b.dram.write_bytes, bytes);
        bench_clear(&b);
    }
}
END_TEST

START_TEST(test_a_read_block_pays_the_latency_once)
{
    struct bench b;
    bench_init(&b, &fixed_cfg, 0);
    begin(&b, 10 * BURST, false, 0);
    ck_assert_uint_eq(finish(&b, 0), 640 + 70);
    ck_assert_uint_eq(b.dram.read_bytes, 10 * BURST);
    bench_clear(&b);
}
END_TEST

START_TEST(test_a_tile_waits_for_the_burst_that_moves)
{
    struct bench b;
    bench_init(&b, &fixed_cfg, 0);
    begin(&b, 3 * BURST, true, 0);
    const uint64_t tile = ask_tile(&b.memory, 10);
    ck_assert_uint_eq(find_tile(&b.memory, tile, 10), 2 * 64 + 70);
    ck_assert_uint_eq(finish(&b, 10), 4 * 64);
    bench_clear(&b);
}
END_TEST

/* The second burst is asked for when the first has been moved, in cycle 64. */
START_TEST(test_a_tile_goes_before_the_next_burst_one_cycle_early_and_behind_it_on_time)
{
    for (uint64_t cyc = 63; cyc <= 64; cyc++) {
        struct bench b;
        bench_init(&b, &fixed_cfg, 0);
        begin(&b, 3 * BURST, true, 0);
        const uint64_t tile = ask_tile(&b.memory, cyc);
        ck_assert_uint_eq(find_tile(&b.memory, tile, cyc), (cyc < 64 ? 2 : 3) * 64 + 70);
        ck_assert_uint_eq(finish(&b, cyc), 4 * 64);
        bench_clear(&b);
    }
}
END_TEST

/* Three tiles that come together and three bursts: each of them waits for one of the others. */
START_TEST(test_tiles_and_bursts_take_turns)
{
    struct bench b;
    uint64_t tiles[3];
    bench_init(&b, &fixed_cfg, 0);
    begin(&b, 3 * BURST, true, 0);
    for (int i = 0; i < 3; i++)
        tiles[i] = ask_tile(&b.memory, 1);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(find_tile(&b.memory, tiles[i], 1), 2 * (uint64_t)(i + 1) * 64 + 70);
    ck_assert_uint_eq(finish(&b, 1), 5 * 64);
    bench_clear(&b);
}
END_TEST

/* A block that begins while tiles wait has its turn behind the first of them. */
START_TEST(test_a_block_does_not_wait_for_tiles_that_wait)
{
    struct bench b;
    uint64_t tiles[4];
    bench_init(&b, &fixed_cfg, 0);
    for (int i = 0; i < 4; i++)
        tiles[i] = ask_tile(&b.memory, 0);
    begin(&b, BURST, true, 10);
    ck_assert_uint_eq(finish(&b, 10), 2 * 64);
    ck_assert_uint_eq(find_tile(&b.memory, tiles[0], 10), 64 + 70);
    ck_assert_uint_eq(find_tile(&b.memory, tiles[3], 10), 5 * 64 + 70);
    bench_clear(&b);
}
END_TEST

/* Between two tiles that come when they are needed the memory is the block's. */
START_TEST(test_bursts_fill_the_gaps_between_tiles)
{
    struct bench b;
    bench_init(&b, &fixed_cfg, 0);
    begin(&b, 100 * BURST, true, 0);
    for (uint64_t i = 1; i <= 20; i++)
        ck_assert_uint_le(find_tile(&b.memory, ask_tile(&b.memory, 320 * i), 320 * i),
                          320 * i + 2 * 64 + 70);
    ck_assert_uint_eq(finish(&b, 6400), (100 + 20) * 64);
    bench_clear(&b);
}
END_TEST

/* As long as all bytes take, whoever asked for them, and the same however often one looks. */
START_TEST(test_it_does_not_matter_when_one_looks)
{
    for (uint32_t seed = 1; seed < 200; seed++) {
        GRand *rand = g_rand_new_with_seed(seed);
        struct dram_cfg cfg = fixed_cfg;
        cfg.bandwidth_gb_s = g_rand_double_range(rand, 1, 40);
        struct bench seldom, often;
        bench_init(&seldom, &cfg, 0);
        bench_init(&often, &cfg, 0);
        const uint64_t bytes = (uint64_t)g_rand_int_range(rand, 1, 40 * BURST);
        begin(&seldom, bytes, seed % 2, 3);
        begin(&often, bytes, seed % 2, 3);
        uint64_t now_cyc = 3, tiles[30];
        for (int i = 0; i < 30; i++) {
            for (const uint64_t until_cyc = now_cyc + (uint64_t)g_rand_int_range(rand, 0, 300);
                 now_cyc < until_cyc; now_cyc++)
                arbiter_catch_up(&often.memory, now_cyc);
            tiles[i] = ask_tile(&seldom.memory, now_cyc);
            ck_assert_uint_eq(ask_tile(&often.memory, now_cyc), tiles[i]);
        }
        ck_assert_uint_eq(finish(&seldom, now_cyc), finish(&often, now_cyc));
        for (int i = 29; i >= 0; i--)
            ck_assert_uint_eq(find_tile(&seldom.memory, tiles[i], now_cyc),
                              find_tile(&often.memory, tiles[i], now_cyc));
        bench_clear(&seldom);
        bench_clear(&often);
        g_rand_free(rand);
    }
}
END_TEST

/* More tiles wait than there was room for at first. */
START_TEST(test_any_number_of_tiles_waits)
{
    struct bench b;
    bench_init(&b, &fixed_cfg, 0);
    begin(&b, 10000 * BURST, true, 0);
    for (uint64_t i = 0; i < 5000; i++)
        ask_tile(&b.memory, 1);
    ck_assert_uint_eq(find_tile(&b.memory, 4999, 1), 10000 * 64 + 70);
    ck_assert_uint_eq(finish(&b, 1), 15000 * 64);
    bench_clear(&b);
}
END_TEST

START_TEST(test_a_memory_without_blocks_answers_at_once)
{
    struct bench b;
    uint64_t at_cyc;
    bench_init(&b, &fixed_cfg, 0);
    b.memory.has_blocks = false;
    for (uint64_t i = 0; i < 10; i++) {
        ask_tile(&b.memory, 0);
        ck_assert(arbiter_arrival(&b.memory, i, 0, &at_cyc));
        ck_assert_uint_eq(at_cyc, (i + 1) * 64 + 70);
    }
    bench_clear(&b);
}
END_TEST

START_TEST(test_a_block_over_a_link_pays_its_start_up_once)
{
    struct bench b;
    bench_init(&b, &fixed_cfg, 0);
    const struct dram_request block = {.bytes = 10 * BURST};
    dma_begin(&b.dma, &b.host, &block, 0);
    const uint64_t tile = ask_tile(&b.host, 133); /* the first burst ends in cycle 134 */
    ck_assert_uint_eq(find_tile(&b.host, tile, 133), 134 + 70 + 64);
    ck_assert_uint_eq(finish(&b, 133), 2 * 70 + 11 * 64);
    ck_assert_uint_eq(b.dram.read_bytes + b.dram.write_bytes, 0);
    bench_clear(&b);
}
END_TEST

START_TEST(test_a_block_from_an_ideal_memory_is_there_at_once)
{
    struct dram_cfg cfg = fixed_cfg;
    cfg.model = DRAM_IDEAL;
    struct bench b;
    bench_init(&b, &cfg, 0);
    begin(&b, 1000 * BURST, false, 7);
    ck_assert_uint_eq(finish(&b, 7), 7);
    bench_clear(&b);
}
END_TEST

/* Rows are opened while the burst before moves: in bursts the block takes as long as one request
 * does, but for a part of the time to a first byte where a burst begins in rows of the one before.
 */
START_TEST(test_rows_of_the_next_burst_are_opened_while_one_moves)
{
    static const struct dram_cfg cfg = {.size_kib = 8 << 20,
                                        .bandwidth_gb_s = 34,
                                        .latency_ns = 50,
                                        .model = DRAM_BANKS,
                                        .standard = DDR3,
                                        .n_channel = 2,
                                        .n_rank = 1};
    struct bench b;
    struct dram whole;
    bench_init(&b, &cfg, 0);
    b.memory.burst_bytes = 4096;
    dram_init(&whole, &cfg, CLOCK_HZ);
    const struct dram_request all = {.bytes = 1 << 20};
    begin(&b, 1 << 20, false, 0);
    const uint64_t in_bursts = finish(&b, 0), at_once = dram_access(&whole, &all, 0);
    ck_assert_uint_ge(in_bursts + 1, at_once);
    ck_assert_uint_le(in_bursts, at_once + at_once / 50);
    bench_clear(&b);
    dram_clear(&whole);
}
END_TEST

TEST_MAIN("dma", test_descriptors_are_set_up_one_after_the_other,
          test_a_block_alone_moves_without_a_pause, test_a_read_block_pays_the_latency_once,
          test_a_tile_waits_for_the_burst_that_moves,
          test_a_tile_goes_before_the_next_burst_one_cycle_early_and_behind_it_on_time,
          test_tiles_and_bursts_take_turns, test_a_block_does_not_wait_for_tiles_that_wait,
          test_bursts_fill_the_gaps_between_tiles, test_it_does_not_matter_when_one_looks,
          test_any_number_of_tiles_waits, test_a_memory_without_blocks_answers_at_once,
          test_a_block_over_a_link_pays_its_start_up_once,
          test_a_block_from_an_ideal_memory_is_there_at_once,
          test_rows_of_the_next_burst_are_opened_while_one_moves)
