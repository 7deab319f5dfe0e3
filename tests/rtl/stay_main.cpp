// SPDX-License-Identifier: Apache-2.0
// Plays schedules to the verilated ws_array, or with -DINPUTS_STAY to is_array: weights or inputs stay.
// Argument: 1 where cells have shadow registers. Standard input: for each case the number of
// streams, then a stream a line: cycle in which the first row of what stays is shifted in, cycle of
// the first row that streams, rows that stream, rows of the array in use, then what stays (rows in
// use x COLS) and what streams (rows x ROWS). Standard output: for each case the sums that left
// below, a line each: cycle in which the sum is to be seen, column, sum; "clash" where there were two
// at once; then "end".
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <Vmodel.h>
#include <verilated.h>

#ifdef INPUTS_STAY
#define STREAMS(port) a.w##port
#define STAYS(port) a.x##port
#else
#define STREAMS(port) a.x##port
#define STAYS(port) a.w##port
#endif

static const long STAYS_ON = -1000000; // instead of a cycle: what is there stays

struct stream {
    long shift, start, n, rows;
    std::vector<int8_t> stays, streams;
};

static bool read_stream(stream &s)
{
    if (std::scanf("%ld %ld %ld %ld", &s.shift, &s.start, &s.n, &s.rows) != 4)
        return false;
    s.stays.resize(s.rows * COLS);
    s.streams.resize(s.n * ROWS);
    for (auto *list : {&s.stays, &s.streams})
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
    STREAMS(_valid) = STREAMS(_swap) = STAYS(_valid) = 0;
    for (int r = 0; r < ROWS; r++)
        put_byte(STREAMS(), r, 0);
    for (const stream &s : streams) {
        if (now >= s.shift && now < s.shift + s.rows) {
            const int row = static_cast<int>(s.rows - 1 - (now - s.shift)); // the lowest goes first
            STAYS(_valid) = 1;
            STAYS(_row) = static_cast<uint16_t>(row);
            for (int c = 0; c < COLS; c++)
                put_byte(STAYS(), c, s.stays[row * COLS + c]);
        }
        if (now >= s.start && now < s.start + s.n) {
            STREAMS(_valid) = 1;
            STREAMS(_swap) = now == s.start && s.shift != STAYS_ON;
            STREAMS(_exit) = static_cast<uint16_t>(s.rows - 1);
            for (int r = 0; r < ROWS; r++)
                put_byte(STREAMS(), r, s.streams[(now - s.start) * ROWS + r]);
        }
    }
}

static void play(const std::vector<stream> &streams, bool shadowed)
{
    Vmodel a;
    long end = 0;
    for (const stream &s : streams)
        end = s.start + s.n + ROWS + COLS + 1;
    a.shadowed = shadowed;
    for (long now = 0; now < end; now++) {
        drive(a, streams, now);
        a.clk = 0;
        a.eval();
        const auto *sums = reinterpret_cast<const int32_t *>(&a.sum);
        for (int c = 0; c < COLS; c++)
            if (a.sum_valid >> c & 1)
                std::printf("%ld %d %d\n", now, c, sums[c]);
        if (a.clash)
            std::puts("clash");
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
