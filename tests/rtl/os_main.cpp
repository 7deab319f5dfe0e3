// SPDX-License-Identifier: Apache-2.0
// Plays schedules to the verilated os_array. Argument: 1 where cells have shadow registers.
// Standard input: for each case the number of streams, then a stream a line: cycle of its first
// values of K, how many, rows of the array in use, whether a sum begins with it, cycle in which the
// sums are moved down after it (-1: it is not the last), then its inputs (n x ROWS) and weights (n
// x COLS). Standard output as that of stay_main.cpp.
#include "tests/rtl/player.hpp"

struct stream {
    long start, n, rows, begins, drain;
    std::vector<int8_t> x, w;

    bool read()
    {
        if (std::scanf("%ld %ld %ld %ld %ld", &start, &n, &rows, &begins, &drain) != 5)
            return false;
        x.resize(n * ROWS);
        w.resize(n * COLS);
        return read_values(x) && read_values(w);
    }

    long end() const
    {
        return start + n + 2 * ROWS + COLS + 1;
    }

    static void report(const Vmodel &)
    {
    }
};

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

static void report(const Vmodel &)
{
}

int main(int argc, char **argv)
{
    return play_cases<stream>(argc, argv);
}
