# SPDX-License-Identifier: Apache-2.0
"""Off-chip bytes of a plan against the least that accumulators and unified buffer allow.

    test_traffic.py [CLASS[.TEST]...]

The least is worked out here from the shapes of the layers, the size of the buffer and lifetimes, by
dynamic programming over all ways to cut the row of layers into groups, to divide the batch into
turns of each group, and to keep each value that crosses a cut on the chip or to send it to the
host. docs/mapping.md says what is assumed.
"""
import itertools
import math
import typing
import unittest

import cli

SIDE = 256  # rows and columns of the array
ENTRIES = 4096
BUFFER_BYTES = 24 << 20
BATCH = 16


class Layer(typing.NamedTuple):
    """It makes a value of its name; what is fused into it is part of it."""
    name: str
    reads: tuple  # values
    size: int  # bytes of an image of its value
    product: tuple = None  # groups, and an image's M, N, K
    on_host: bool = False

    def macs(self):
        return math.prod(self.product) if self.product else 0


class Net(typing.NamedTuple):
    inputs: dict  # bytes of an image, by name
    layers: list
    outputs: tuple


def alexnet():
    return Net({"data": 3 * 227 * 227}, [
        Layer("conv1", ("data",), 96 * 55 * 55, (1, 55 * 55, 96, 3 * 11 * 11)),
        Layer("norm1", ("conv1",), 96 * 27 * 27),
        Layer("conv2", ("norm1",), 256 * 27 * 27, (2, 27 * 27, 128, 48 * 5 * 5)),
        Layer("norm2", ("conv2",), 256 * 13 * 13),
        Layer("conv3", ("norm2",), 384 * 13 * 13, (1, 13 * 13, 384, 256 * 3 * 3)),
        Layer("conv4", ("conv3",), 384 * 13 * 13, (2, 13 * 13, 192, 192 * 3 * 3)),
        Layer("conv5", ("conv4",), 256 * 6 * 6, (2, 13 * 13, 128, 192 * 3 * 3)),
        Layer("fc6", ("conv5",), 4096, (1, 1, 4096, 256 * 6 * 6)),
        Layer("fc7", ("fc6",), 4096, (1, 1, 4096, 4096)),
        Layer("fc8", ("fc7",), 1000, (1, 1, 1000, 4096)),
    ], ("fc8",))


def resnet50():
    layers = [Layer("conv1", ("data",), 64 * 56 * 56, (1, 112 * 112, 64, 3 * 7 * 7))]
    value, channels, side = "conv1", 64, 56
    stages = (64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)
    for stage, (width, n_block, stride) in enumerate(stages):
        for block in range(n_block):
            out, wide, name = side // (1 if block else stride), 4 * width, f"{stage}.{block}."
            layers += [
                Layer(name + "1", (value,), width * side**2, (1, side**2, width, channels)),
                Layer(name + "2", (name + "1",), width * out**2, (1, out**2, width, 9 * width)),
                Layer(name + "3", (name + "2",), wide * out**2, (1, out**2, wide, width)),
            ]
            if block == 0:
                layers.append(Layer(name + "skip", (value,), wide * out**2,
                                    (1, out**2, wide, channels)))
                value = name + "skip"
            layers.append(Layer(name + "sum", (name + "3", value), wide * out**2))
            value, channels, side = name + "sum", wide, out
    layers += [Layer("pool", (value,), 2048, on_host=True),
               Layer("fc", ("pool",), 1000, (1, 1, 1000, 2048))]
    return Net({"data": 3 * 224 * 224}, layers, ("fc",))


def tile_bytes(layer, images, alternating=False):
    """Bytes of weight tiles that a layer reads for so many images: each tile once for each block of
    as many rows as the accumulators have entries; once where all of K is one tile. alternating:
    every other block goes through its tiles of K backwards, and finds the first one in the
    array."""
    if not layer.product:
        return 0
    groups, m, n, k = layer.product
    tiles_k = math.ceil(k / SIDE)
    blocks = math.ceil(m * images / ENTRIES) if tiles_k > 1 else 1
    tiles = blocks * tiles_k - (blocks - 1 if alternating else 0)
    return groups * math.ceil(n / SIDE) * tiles * SIDE * SIDE


class Way(typing.NamedTuple):
    """The best one to a cut with some values on the chip."""
    total: float
    weights: int
    link: int


def subsets(values):
    return (frozenset(s) for n in range(len(values) + 1) for s in itertools.combinations(values, n))


class Least:
    """Way over all layers; `cuts` holds those to each cut, by the values that stay on the chip
    there."""

    def __init__(self, net, alternating=False):
        self.net = net
        self.size = {**net.inputs, **{layer.name: layer.size for layer in net.layers}}
        self.from_host = {*net.inputs, *(layer.name for layer in net.layers if layer.on_host)}
        self.made = {layer.name: i for i, layer in enumerate(net.layers)}
        self.last = {value: i for i, layer in enumerate(net.layers) for value in layer.reads}
        self.tiles = [[tile_bytes(layer, n, alternating) for n in range(BATCH + 1)]
                      for layer in net.layers]
        self.turns = {}
        self.cuts = [{} for _ in range(len(net.layers) + 1)]
        self.cuts[0][frozenset()] = Way(0, 0, 0)
        for first, layer in enumerate(net.layers):
            if layer.on_host:
                self.host_layer(first)
            else:
                self.groups_from(first)
        self.way = min(self.cuts[-1].values())

    def add(self, cut, on_chip, before, weights, link):
        way = Way(before.total + weights + link, before.weights + weights, before.link + link)
        if on_chip not in self.cuts[cut] or way < self.cuts[cut][on_chip]:
            self.cuts[cut][on_chip] = way

    def whole(self, values):
        return BATCH * sum(self.size[v] for v in values)

    def host_layer(self, i):
        """What it reads is there already, or is sent."""
        for on_chip, way in self.cuts[i].items():
            kept = frozenset(v for v in on_chip if self.last[v] > i)
            self.add(i + 1, kept, way, 0, self.whole(on_chip & set(self.net.layers[i].reads)))

    def weights(self, first, end, most):
        """Of layers [first, end) with at most so many images a turn, the batch divided for the
        fewest bytes."""
        key = first, end, most
        if key not in self.turns:
            turn = [sum(self.tiles[i][n] for i in range(first, end)) for n in range(BATCH + 1)]
            least = [0]
            for images in range(1, BATCH + 1):
                turns = range(1, min(most, images) + 1)
                least.append(min(least[images - n] + turn[n] for n in turns))
            self.turns[key] = least[BATCH]
        return self.turns[key]

    def groups_from(self, first):
        """All groups that begin here, a layer more at a time. spans: where in the group each of its
        values is alive if it is not on the chip as a whole."""
        spans, live, read = {}, [], set()
        for end in range(first + 1, len(self.net.layers) + 1):
            layer, at = self.net.layers[end - 1], end - 1
            if layer.on_host:
                return
            live.append(0)
            for value in (*layer.reads, layer.name):
                begin, until = spans.get(value, (at, at - 1))
                for i in range(until + 1, end):
                    live[i - first] += self.size[value]
                spans[value] = begin, at
            read.update(layer.reads)
            for on_chip in self.cuts[first]:
                self.group(first, end, on_chip, spans, live, read)

    def group(self, first, end, on_chip, spans, live, read):
        crossing = [v for v in spans
                    if self.made.get(v, -1) >= first and self.last.get(v, -1) >= end]
        for kept in subsets(crossing):
            whole = on_chip | kept
            alive = list(live)
            for value in whole & spans.keys():
                for i in range(spans[value][0], spans[value][1] + 1):
                    alive[i - first] -= self.size[value]
            room, image = BUFFER_BYTES - self.whole(whole), max(alive)
            if room < image:
                continue
            images = BATCH if image == 0 else min(BATCH, room // image)
            made = {layer.name for layer in self.net.layers[first:end]}
            loads = [v for v in read if v in self.from_host or (v not in made and v not in on_chip)]
            stores = [v for v in made if v in self.net.outputs or (v in crossing and v not in kept)]
            stays = frozenset(v for v in whole if self.last[v] >= end)
            self.add(end, stays, self.cuts[first][on_chip], self.weights(first, end, images),
                     self.whole(loads) + self.whole(stores))


def plan_bytes(name, objective):
    """Of weights and of the link in a run, those that are compulsory, and the MACs of an image."""
    record = cli.record("--arch", "tpu", "--net", name, "--batch", str(BATCH), "--set",
                        f"mapper.objective={objective}", "--mode", "timing")
    moved, needed = ((totals["weights"]["read"], totals["host"]["read"] + totals["host"]["write"])
                     for totals in (record["totals"]["bytes"],
                                    record["totals"]["compulsory_bytes"]))
    return moved, needed, record["net"]["macs"], record["totals"]["cycles"]


class Traffic(unittest.TestCase):
    NETS = {"alexnet": alexnet(), "resnet50": resnet50()}

    @classmethod
    def setUpClass(cls):
        cls.least = {name: Least(net).way for name, net in cls.NETS.items()}

    def check(self, name, objective, limit):
        (weights, link), needed, macs, cycles = plan_bytes(name, objective)
        net, least = self.NETS[name], self.least[name]
        self.assertEqual(macs, sum(layer.macs() for layer in net.layers))
        print(f"{name}, {objective}: {weights / 1e6:.2f} MB of weights + {link / 1e6:.2f} MB over "
              f"the link; least {least.weights / 1e6:.2f} + {least.link / 1e6:.2f}, of the "
              "accumulators alone "
              f"{sum(tile_bytes(layer, BATCH) for layer in net.layers) / 1e6:.2f}, compulsory "
              f"{needed[0] / 1e6:.2f} + {needed[1] / 1e6:.2f}; {cycles} cycles")
        self.assertGreaterEqual(weights + link, least.total)
        self.assertGreaterEqual(least.weights, needed[0])
        self.assertGreaterEqual(least.link, needed[1])
        self.assertLessEqual(weights + link, limit * least.total)
        self.assertLessEqual(weights, limit * least.weights)

    def test_off_chip_bytes_are_within_5_percent_of_the_least(self):
        for name in self.NETS:
            self.check(name, "cycles", 1.05)

    def test_the_least_is_reached_when_asked_for(self):
        for name in self.NETS:
            self.check(name, "traffic", 1)

    def test_a_smaller_buffer_makes_the_least_larger(self):
        """That the least depends on the buffer at all: with half of it there are more turns."""
        self.addCleanup(globals().__setitem__, "BUFFER_BYTES", BUFFER_BYTES)
        globals()["BUFFER_BYTES"] = BUFFER_BYTES // 2
        self.assertGreater(Least(self.NETS["resnet50"]).way.total,
                           1.02 * self.least["resnet50"].total)

    def test_what_alternating_blocks_would_save(self):
        """Not held: printed."""
        for name, net in self.NETS.items():
            way = Least(net, alternating=True).way
            print(f"{name}: {way.weights / 1e6:.2f} MB of weights if every other block went "
                  "through K backwards")
            self.assertLess(way.total, self.least[name].total)


if __name__ == "__main__":
    unittest.main()
