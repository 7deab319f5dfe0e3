/* SPDX-License-Identifier: Apache-2.0 */
/* Whole streams of requests against a plain walk of every burst. */
#include "sim/parts/dram.h"
#include "tests/unit/dram_choices.h"
#include "tests/unit/dram_plain.h"

struct stream {
    GRand *random;
    uint64_t address, size;
    int64_t now_clk;
};

/* Runs of a few to many bytes, most of them behind one another, some behind a pause. */
static struct dram_request next_request(struct stream *s)
{
    struct dram_request r = {.is_write = g_rand_int_range(s->random, 0, 4) == 0};
    r.bytes = (uint64_t)1 << g_rand_int_range(s->random, 4, 17);
    if (g_rand_int_range(s->random, 0, 3) == 0)
        r.bytes = (uint64_t)g_rand_int_range(s->random, 1, 5000);
    if (g_rand_int_range(s->random, 0, 3) == 0)
        s->address = (uint64_t)g_rand_double_range(s->random, 0, (double)s->size);
    if (g_rand_int_range(s->random, 0, 3) == 0)
        s->address &= ~(uint64_t)0xffff;
    r.address = s->address;
    s->address += r.bytes;
    const int pause = g_rand_int_range(s->random, 0, 20);
    s->now_clk += pause == 0  ? g_rand_int_range(s->random, 0, 100000)
                  : pause < 5 ? g_rand_int_range(s->random, 0, 1000)
                              : 0;
    return r;
}

/* `slower`: what part of the standard's highest rate. */
static void compare_with_plain(int standard, int64_t n_channel, int64_t n_rank, int mapping,
                               double slower, guint32 seed, int n_request)
{
    struct dram_choice c = fastest(standard, n_channel, n_rank, mapping);
    c.bandwidth_gb_s *= slower;
    struct dram_bank *b = dram_bank_new(&c);
    struct plain *p = plain_new(&b->spec, dram_mapping_names[mapping]);
    struct stream s = {.random = g_rand_new_with_seed(seed),
                       .size = (uint64_t)(c.size_kib * 1024) * 2}; /* wraps around */
    for (int i = 0; i < n_request; i++) {
        const struct dram_request r = next_request(&s);
        const int64_t fast = dram_bank_access(b, r.address, r.bytes, r.is_write, s.now_clk);
        const int64_t slow = plain_access(p, r.address, r.bytes, r.is_write, s.now_clk);
        ck_assert_msg(fast == slow,
                      "%s, %s, %d channels, %d ranks, seed %u, request %d: %" PRId64
                      " clocks instead of %" PRId64,
                      dram_standard_names[standard], dram_mapping_names[mapping], (int)n_channel,
                      (int)n_rank, seed, i, fast, slow);
    }
    const struct dram_counts n = b->counts;
    ck_assert_uint_eq(n.n_hit, p->n.n_hit);
    ck_assert_uint_eq(n.n_miss, p->n.n_miss);
    ck_assert_uint_eq(n.n_conflict, p->n.n_conflict);
    ck_assert_uint_eq(n.n_activate, p->n.n_activate);
    g_rand_free(s.random);
    plain_free(p);
    dram_bank_free(b);
}

START_TEST(test_batches_equal_a_plain_walk_of_every_burst)
{
    for (int i = 1; i < N_STANDARD; i++)
        for (int m = 0; m < N_MAPPING; m++)
            for (int64_t n_channel = 1; n_channel <= 3; n_channel++)
                for (int64_t n_rank = 1; n_rank <= 2; n_rank++)
                    compare_with_plain(i, n_channel, n_rank, m, 1,
                                       (guint32)(i * 1000 + m * 100 + n_channel * 10 + n_rank), 25);
}
END_TEST

START_TEST(test_slow_clocks_and_many_ranks_equal_a_plain_walk)
{
    for (int i = 1; i < N_STANDARD; i++)
        for (int m = 0; m < N_MAPPING; m++) {
            const struct dram_standard *s = &dram_standards[i];
            compare_with_plain(i, 2, 1, m, s->rate_min_mts / s->rate_max_mts, 7, 20);
            compare_with_plain(i, 1, m == BANKS_LOW ? DRAM_MAX_RANK : 3, m, 1, 8, 20);
        }
}
END_TEST

static int n_run(const struct dram_bank *b)
{
    int n = 0;
    for (int64_t i = 0; i < b->spec.extent[DRAM_CH]; i = b->run_end[i])
        n++;
    return n;
}

START_TEST(test_channels_that_are_alike_are_one)
{
    const struct dram_choice c = fastest(HBM2, 8, 1, GROUPS_LOW);
    struct dram_bank *b = dram_bank_new(&c);
    dram_bank_access(b, 0, 32768, false, 0);
    ck_assert_int_eq(n_run(b), 1);
    dram_bank_access(b, 32768, 32, false, 0); /* a burst of the first one */
    ck_assert_int_eq(n_run(b), 2);
    dram_bank_access(b, 65536, 32768, false, 0);
    ck_assert_int_eq(n_run(b), 2);
    dram_bank_access(b, 32768 + 32, 7 * 32, false, 1000); /* the other seven catch up */
    ck_assert_int_eq(n_run(b), 2);
    dram_bank_access(b, 0, 256, false, 2000); /* time has made them alike again */
    ck_assert_int_eq(n_run(b), 1);
    dram_bank_free(b);
}
END_TEST

/* Tiles of whole rounds and others over many channels: once in a while all are alike. */
START_TEST(test_runs_of_channels_equal_a_plain_walk)
{
    const struct dram_choice c = fastest(HBM2, 8, 1, GROUPS_LOW);
    struct dram_bank *b = dram_bank_new(&c);
    struct plain *p = plain_new(&b->spec, dram_mapping_names[GROUPS_LOW]);
    int n_one = 0, n_more = 0;
    int64_t now_clk = 0;
    for (uint64_t i = 0; i < 150; i++) {
        const uint64_t bytes = i < 50 ? 32768 : 10000;
        const uint64_t address = (i * 7 % 60) * bytes;
        now_clk += i % 20 == 0 ? 2000 : 100;
        ck_assert_int_eq(dram_bank_access(b, address, bytes, i % 9 == 0, now_clk),
                         plain_access(p, address, bytes, i % 9 == 0, now_clk));
        n_one += n_run(b) == 1;
        n_more += n_run(b) > 1;
    }
    ck_assert_int_ge(n_one, 50);
    ck_assert_int_ge(n_more, 50);
    ck_assert_uint_eq(b->counts.n_hit, p->n.n_hit);
    ck_assert_uint_eq(b->counts.n_activate, p->n.n_activate);
    plain_free(p);
    dram_bank_free(b);
}
END_TEST

TEST_MAIN("dram_streams", test_batches_equal_a_plain_walk_of_every_burst,
          test_slow_clocks_and_many_ranks_equal_a_plain_walk, test_channels_that_are_alike_are_one,
          test_runs_of_channels_equal_a_plain_walk)
