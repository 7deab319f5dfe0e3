// SPDX-License-Identifier: Apache-2.0
// Plays schedules to the verilated ws_array, or with -DINPUTS_STAY to is_array: weights or inputs
// stay. Argument: 1 where cells have shadow registers. Standard input: for each case the number of
// streams, then a stream a line: cycle in which the first row of what stays is shifted in, cycle of
// the first row that streams, rows that stream, rows of the array in use, then what stays (rows in
// use x COLS) and what streams (rows x ROWS). Standard output: for each case the sums that left
// below, a line each: cycle in which the sum is to be seen, column, sum; "clash" where there were
// two at once; then "end".
#include "tests/rtl/player.hpp"

#ifdef INPUTS_STAY
#define STREAMS(port) a.w##port
#define STAYS(port)   a.x##port
#else
#define STREAMS(port) a.x##port
#define STAYS(port)   a.w##port
#endif

static const long STAYS_ON = -1000000; // instead of a cycle: what is there stays

struct stream {
    long shift, start, n, rows;
    std::vector<int8_t> stays, streams;

    bool read()
    {
        if (std::scanf("%ld %ld %ld %ld", &shift, &start, &n, &rows) != 4)
            return false;
        stays.resize(rows * COLS);
        streams.resize(n * ROWS);
        return read_values(stays) && read_values(streams);
    }

    long end() const
    {
        return start + n + ROWS + COLS + 1;
    }

    static void report(const Vmodel &a)
    {
        if (a.clash)
            std::puts("clash");
    }
};

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

int main(int argc, char **argv)
{
    return play_cases<stream>(argc, argv);
}
