// SPDX-License-Identifier: Apache-2.0
// Plays schedules to the verilated array. Standard input: for each case the number of tiles, then a
// tile a line: cycle of its first weights, cycle of its first inputs, rows m, then its weights
// (ROWS x COLS) and its inputs (m x ROWS). Standard output: for each case the sums that left below, a
// line each: cycle in which the sum is to be seen, column, sum; then "end".
#include <cstdint>
#include <cstdio>
#include <vector>

#include <Vws_array.h>
#include <verilated.h>

static const long SAME_TILE = -1000000; // instead of a cycle: the weights stay

struct tile {
    long shift, stream, m;
    std::vector<int8_t> w, x;
};

static bool read_tile(tile &t)
{
    if (std::scanf("%ld %ld %ld", &t.shift, &t.stream, &t.m) != 3)
        return false;
    t.w.resize(ROWS * COLS);
    t.x.resize(t.m * ROWS);
    for (auto *list : {&t.w, &t.x})
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

static void drive(Vws_array &a, const std::vector<tile> &tiles, long now)
{
    a.x_valid = a.x_swap = a.w_valid = 0;
    for (int r = 0; r < ROWS; r++)
        put_byte(a.x, r, 0);
    for (const tile &t : tiles) {
        if (now >= t.shift && now < t.shift + ROWS) {
            const int row = static_cast<int>(ROWS - 1 - (now - t.shift)); // the lowest goes first
            a.w_valid = 1;
            a.w_row = static_cast<uint16_t>(row);
            for (int c = 0; c < COLS; c++)
                put_byte(a.w, c, t.w[row * COLS + c]);
        }
        if (now >= t.stream && now < t.stream + t.m) {
            a.x_valid = 1;
            a.x_swap = now == t.stream && t.shift != SAME_TILE;
            for (int r = 0; r < ROWS; r++)
                put_byte(a.x, r, t.x[(now - t.stream) * ROWS + r]);
        }
    }
}

static void play(const std::vector<tile> &tiles)
{
    Vws_array a;
    long end = 0;
    for (const tile &t : tiles)
        end = t.stream + t.m + ROWS + COLS + 1;
    for (long now = 0; now < end; now++) {
        drive(a, tiles, now);
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
    Verilated::commandArgs(argc, argv);
    int n;
    while (std::scanf("%d", &n) == 1) {
        std::vector<tile> tiles(n);
        for (tile &t : tiles)
            if (!read_tile(t))
                return 1;
        play(tiles);
    }
    return 0;
}
