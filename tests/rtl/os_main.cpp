// SPDX-License-Identifier: Apache-2.0
// Plays schedules to the verilated os_array. Argument: 1 where cells have shadow registers. Standard
// input: for each case the number of streams, then a stream a line: cycle of its first values of K, how
// many, rows of the array in use, whether a sum begins with it, cycle in which the sums are moved
// down after it (-1: it is not the last), then its inputs (n x ROWS) and weights (n x COLS).
// Standard output as that of stay_main.cpp.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <Vmodel.h>
#include <verilated.h>

struct stream {
    long start, n, rows, begins, drain;
    std::vector<int8_t> x, w;
};

static bool read_stream(stream &s)
{
    if (std::scanf("%ld %ld %ld %ld %ld", &s.start, &s.n, &s.rows, &s.begins, &s.drain) != 5)
        return false;
    s.x.resize(s.n * ROWS);
    s.w.resize(s.n * COLS);
    for (auto *list : {&s.x, &s.w})
        for (auto &element : *list) {
            int value;
            if (std::scanf("%d", &value) != 1)
                return false;
            element = static_cast<int8_t>(value);
        }
    return true;
}

template <typename Port> static void put_byte(Port &port, int at, int8_t value)
{
    auto *bytes = reinterpret_cast<int8_t *>(&port);
    bytes[at] = value; // little-endian words, as Verilator's wide ports are
}

static void drive(Vmodel &a, const std::vector<stream> &streams, long now)
{
    a.valid = a.first = a.last = a.drain = 0;
    for (const stream &s : streams) {
        if (s.drain >= 0 && now == s.drain) {
            a.drain = 1;
            a.drain_exit = static_cast<uint16_t>(s.rows - 1);
        }
        if (now < s.start || now >= s.start + s.n)
            continue;
        const long k = now - s.start;
        a.valid = 1;
        a.first = s.begins && k == 0;
        a.last = s.drain >= 0 && k == s.n - 1;
        for (int r = 0; r < ROWS; r++)
            put_byte(a.x, r, s.x[k * ROWS + r]);
        for (int c = 0; c < COLS; c++)
            put_byte(a.w, c, s.w[k * COLS + c]);
    }
}

static void play(const std::vector<stream> &streams, bool shadowed)
{
    Vmodel a;
    long end = 0;
    for (const stream &s : streams)
        end = s.start + s.n + 2 * ROWS + COLS + 1;
    a.shadowed = shadowed;
    for (long now = 0; now < end; now++) {
        drive(a, streams, now);
        a.clk = 0;
        a.eval();
        const auto *sums = reinterpret_cast<const int32_t *>(&a.sum);
        for (int c = 0; c < COLS; c++)
            if (a.sum_valid >> c & 1)
                std::printf("%ld %d %d\n", now, c, sums[c]);
        a.clk = 1;
        a.eval();
    }
    std::puts("end");
}

int main(int argc, char **argv)
{
    const bool shadowed = argc > 1 && std::atoi(argv[1]);
    int n;
    while (std::scanf("%d", &n) == 1) {
        std::vector<stream> streams(n);
        for (stream &s : streams)
            if (!read_stream(s))
                return 1;
        play(streams, shadowed);
    }
    return 0;
}
