# SPDX-License-Identifier: Apache-2.0
"""Weights read from DRAM against the least that accumulators and unified buffer allow.

    test_traffic.py [CLASS[.TEST]...]

Worked out here from the shapes of the layers, not by the mapper: the sums of a block are as many rows as
the accumulators have entries, so each weight tile is read once for each 4,096 rows of the product, rounded
up; where all of K is one tile it stays for as many rows as there are. Layers that take turns on some images
read their tiles anew for each turn.
"""
import math
import re
import unittest

import cli

ROWS = COLS = 256
TILE_BYTES = ROWS * COLS
ENTRIES = 4096
BUFFER_BYTES = 24 << 20
BATCH = 16
LAYER = re.compile(r"^# \d+ (\S+): .*?, (\d+) x \(M (\d+), N (\d+), K (\d+)\)(.*)$", re.M)
TURNS = re.compile(r", (\d+) images at a time in turn")


def reads(groups, m, n, k, images):
    """Bytes of tiles of a layer of which so many images are computed at a time."""
    tiles_k, tiles_n = math.ceil(k / ROWS), math.ceil(n / COLS)
    blocks = 0
    for first in range(0, BATCH, images):
        rows = m // BATCH * min(images, BATCH - first)
        blocks += math.ceil(rows / ENTRIES) if tiles_k > 1 else 1
    return groups * blocks * tiles_k * tiles_n * TILE_BYTES


def run(net, objective):
    options = ("--arch", "tpu", "--net", net, "--batch", str(BATCH), "--set", f"mapper.objective={objective}")
    plan = cli.succeed("show", "plan", *options)
    record = cli.record(*options, "--mode", "timing")
    by_turns = by_accumulators = 0
    for match in LAYER.finditer(plan):
        shape = [int(match[i]) for i in (2, 3, 4, 5)]
        turns = TURNS.search(match[6])
        by_turns += reads(*shape, int(turns[1]) if turns else BATCH)
        by_accumulators += reads(*shape, BATCH)
    read = record["totals"]["bytes"]["weights"]["read"]
    needed = record["totals"]["compulsory_bytes"]["weights"]["read"]
    print(f"{net}, {objective}: {read / 1e6:.2f} MB of weights read; least with these turns "
          f"{by_turns / 1e6:.2f}, of the accumulators alone {by_accumulators / 1e6:.2f}, "
          f"compulsory {needed / 1e6:.2f}; {record['totals']['cycles']} cycles")
    return read, by_turns, by_accumulators, needed


class Traffic(unittest.TestCase):
    def test_weights_are_read_little_more_often_than_accumulators_and_buffer_ask_for(self):
        for net in ("alexnet", "resnet50"):
            read, by_turns, by_accumulators, needed = run(net, "cycles")
            self.assertGreaterEqual(read, by_turns)
            self.assertGreater(by_accumulators, needed)
            self.assertLessEqual(read, 1.05 * by_turns, net)

    def test_the_least_is_reached_when_asked_for(self):
        """But for 0.8 %: blocks are cut for the first turn, and a shorter last one has as many of them."""
        for net in ("alexnet", "resnet50"):
            read, by_turns, _, _ = run(net, "traffic")
            self.assertLessEqual(read, 1.01 * by_turns, net)

    def test_the_turns_of_resnet50_are_as_few_as_the_buffer_allows(self):
        """Of each image in the turn three values of 256 x 56 x 56 live during a sum, its two operands and
        its result; of all images what the turns begin with, 64 x 56 x 56, and end with, 512 x 28 x 28."""
        plan = cli.succeed("show", "plan", "--arch", "tpu", "--net", "resnet50", "--batch", str(BATCH))
        images = int(TURNS.search(plan)[1])
        whole = BATCH * (64 * 56 * 56 + 512 * 28 * 28)
        self.assertLessEqual(images * 3 * 256 * 56 * 56 + whole, BUFFER_BYTES)
        self.assertGreater((images + 1) * 3 * 256 * 56 * 56 + whole, BUFFER_BYTES)


if __name__ == "__main__":
    unittest.main()
