// SPDX-License-Identifier: Apache-2.0
// What the players of all arrays share: cases of streams are read, and each is played on a fresh
// model. A stream has read() and end(), the cycle by which its sums have left; drive() sets the
// model's inputs in a cycle, Stream::report() prints what else it tells.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <Vmodel.h>
#include <verilated.h>

static bool read_values(std::vector<int8_t> &list)
{
    for (auto &element : list) {
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

template <typename Stream> static void play(const std::vector<Stream> &streams, bool shadowed)
{
    Vmodel a;
    long end = 0;
    for (const Stream &s : streams)
        end = s.end();
    a.shadowed = shadowed;
    for (long now = 0; now < end; now++) {
        drive(a, streams, now);
        a.clk = 0;
        a.eval();
        const auto *sums = reinterpret_cast<const int32_t *>(&a.sum);
        for (int c = 0; c < COLS; c++)
            if (a.sum_valid >> c & 1)
                std::printf("%ld %d %d\n", now, c, sums[c]);
        Stream::report(a);
        a.clk = 1;
        a.eval();
    }
    std::puts("end");
}

template <typename Stream> static int play_cases(int argc, char **argv)
{
    const bool shadowed = argc > 1 && std::atoi(argv[1]);
    int n;
    while (std::scanf("%d", &n) == 1) {
        std::vector<Stream> streams(n);
        for (Stream &s : streams)
            if (!s.read())
                return 1;
        play(streams, shadowed);
    }
    return 0;
}
