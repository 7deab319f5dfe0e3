#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The timing of the systolic array against RTL: what an event run does and when, played to the array
in tests/rtl/ under Verilator.

    tests/oracle/test_rtl.py ACCSIM FOLDER few|all

Of each random product the shifts of weights, the streams of inputs and the starts of Activate are read
from the run's waveform. The RTL must give every sum then, bit for bit, and Activate must begin in the
cycle in which the last sum is there. A shift or a stream one cycle early must spoil sums: the model
is not slower than the array either. Skipped without Verilator.
"""
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIP = 77
# Rows, columns, products for each of double and single buffering.
FEW = [(2, 2, 8), (4, 3, 8), (3, 5, 8)]
ALL = FEW + [(8, 8, 40), (16, 16, 40), (5, 16, 40), (16, 4, 40), (7, 2, 40), (2, 9, 40), (12, 11, 40)]
PERIOD_PS = 1000
SAME_TILE = -1000000
MATRIX = re.compile(r"\s*\d+\s+matrix\s+MatrixMultiply .*rows=\d+\+(\d+) group=0 cols=(\d+) "
                    r"repeat=(\d+)( same-tile)?$")
ACTIVATE = re.compile(r"\s*(\d+)\s+activation\s+Activate ")


def build(folder, rows, cols, double):
    """The array of that size as a program."""
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / f"ws_{rows}x{cols}_{'double' if double else 'single'}"
    sizes = f"-GROWS={rows} -GCOLS={cols} -GDOUBLE={int(double)}".split()
    subprocess.run(
        ["verilator", "--cc", "--exe", "--build", "-Wall", "-Wno-DECLFILENAME", "-Wno-UNUSEDSIGNAL",
         *sizes, "-CFLAGS", f"-DROWS={rows} -DCOLS={cols} -O1", "--top-module", "ws_array",
         "-Mdir", out, ROOT / "tests/rtl/ws_array.v", ROOT / "tests/rtl/ws_main.cpp"],
        check=True, stdout=subprocess.DEVNULL)
    return out / "Vws_array"


def begun(vcd):
    """By unit, the cycles in which it began something."""
    names, starts, scope, now = {}, {}, None, 0
    for line in vcd.read_text().splitlines():
        words = line.split()
        if line.startswith("$scope"):
            scope = words[2]
        elif line.startswith("$var") and words[4].startswith("begun"):
            names[words[3]] = scope
            starts[scope] = []
        elif line.startswith("#"):
            now = int(line[1:])
        elif line.startswith("b") and words[1] in names and int(words[0][1:], 2) > 0:
            starts[names[words[1]]].append(now // PERIOD_PS)
    return starts


class Product:
    """One GEMM: what the machine does of it, with values."""

    def __init__(self, accsim, folder, rows, cols, double, rand):
        self.rows, self.cols, self.double = rows, cols, double
        # A cell without a shadow register takes a weight at the end of the cycle in which it uses the
        # one before for the last time: there the array would allow one cycle more than is asked.
        self.early = 1 if double else 2
        self.m, self.n, self.k = (rand.randint(1, limit) for limit in (40, 3 * cols, 4 * rows))
        self.accumulators = rand.choice([8, 16, 64])
        options = ["--arch", "tpu", "--net", f"gemm:{self.m}x{self.n}x{self.k}"]
        for setting in (f"array.rows={rows}", f"array.cols={cols}", "clock_mhz=1000",
                        f"array.double_buffer={str(double).lower()}", "memory.weights.model=ideal",
                        f"accumulators.entries={self.accumulators}", "host.bandwidth_gb_s=1e6",
                        "controller.queue_depth=4096"):
            options += ["--set", setting]
        vcd = folder / "run.vcd"
        subprocess.run([accsim, *options, "--mode", "timing", "--quiet", "--vcd", vcd], check=True)
        plan = subprocess.run([accsim, "show", "plan", *options], check=True, text=True,
                              stdout=subprocess.PIPE).stdout
        self.starts = begun(vcd)
        # No input is 0: each shows whether its weight is the right one.
        self.a = [[rand.randint(1, 127) * rand.choice((-1, 1)) for _ in range(self.k)]
                  for _ in range(self.m)]
        self.b = [[rand.randint(-128, 127) for _ in range(self.n)] for _ in range(self.k)]
        self.read_plan(plan)

    def read_plan(self, plan):
        """The tiles in order, and the Activate of each block with its place in the program."""
        self.tiles, self.activates = [], []
        rows_done = {}  # by column: rows in the program count from the start of their chunk
        streams, shifts = iter(self.starts["matrix_unit"]), iter(self.starts["shift"])
        for line in plan.splitlines():
            if match := MATRIX.match(line):
                m, column, repeat = map(int, match.groups()[:3])
                m0 = rows_done.get(column, 0)
                rows_done[column] = m0 + m
                for i in range(repeat):
                    shift = None if match[4] else next(shifts)
                    self.tiles.append((shift, next(streams), m0, m, column, i))
                self.block = len(self.tiles) - 1
            elif match := ACTIVATE.match(line):
                self.activates.append((int(match[1]), self.block, m))
        assert next(streams, None) is None and next(shifts, None) is None

    def values(self, tile):
        """Weights and inputs of a tile, padded with zeros."""
        _, _, m0, m, column, i = tile
        ks = [i * self.rows + r for r in range(self.rows)]
        ns = [column * self.cols + c for c in range(self.cols)]
        w = [[self.b[k][n] if k < self.k and n < self.n else 0 for n in ns] for k in ks]
        x = [[row[k] if k < self.k else 0 for k in ks] for row in self.a[m0:m0 + m]]
        return w, x

    def schedule(self, early_shift=None, early_stream=None):
        """As ws_main.cpp reads it. A product with the tile before streams on without a new shift."""
        lines = []
        for i, tile in enumerate(self.tiles):
            shift, stream, _, m, _, _ = tile
            w, x = self.values(tile)
            shift = SAME_TILE if shift is None else shift - self.early * (i == early_shift)
            lines.append(f"{shift} {stream - (i == early_stream)} {m} "
                         + " ".join(str(v) for row in w + x for v in row))
        return f"{len(lines)}\n" + "\n".join(lines) + "\n"

    def check(self, sums):
        """Sums by cycle and column; the cycle after each tile's last one."""
        done, at = [], {(now, c): v for now, c, v in sums}
        assert len(at) == len(sums) == self.cols * sum(tile[3] for tile in self.tiles)
        total = [[0] * self.n for _ in range(self.m)]
        for tile in self.tiles:
            _, stream, m0, m, column, _ = tile
            for r in range(m):
                for c in range(self.cols):
                    value = at[stream + r + self.rows + c, c]
                    if column * self.cols + c < self.n:
                        total[m0 + r][column * self.cols + c] += value
            done.append(stream + m - 1 + self.rows + self.cols - 1 + 1)
        want = [[sum(x * row[n] for x, row in zip(xs, self.b)) for n in range(self.n)]
                for xs in self.a]
        return total == want, done

    def check_activates(self, done):
        """Each begins when its sums are there, it is issued and the unit is free: not a cycle later."""
        free = 0
        for (issued, block, m), start in zip(self.activates, self.starts["activation_unit"]):
            assert start == max(done[block], issued, free), (start, done[block], issued, free)
            free = start + m

    def tight(self):
        """Shifts and streams that the array alone held back, to be tried a cycle early."""
        found = []
        for i in range(1, len(self.tiles)):
            shift, stream, *_, piece = self.tiles[i]
            _, before, _, m, _, piece_before = self.tiles[i - 1]
            # The lowest row of cells is the first to be spoiled: both tiles must use it.
            is_whole = (max(piece, piece_before) + 1) * self.rows <= self.k
            if shift is not None and stream == shift + self.rows and stream > before + m:
                found.append({"early_stream": i})
            if shift is not None and is_whole and shift == (before if self.double else before + m):
                found.append({"early_shift": i})
        return found


def play(program, schedules):
    output = subprocess.run([program], input="".join(schedules), text=True, check=True,
                            stdout=subprocess.PIPE).stdout
    cases = output.split("end\n")[:-1]
    return [[tuple(map(int, line.split())) for line in case.splitlines()] for case in cases]


def check_size(accsim, program, folder, size, double, rand):
    rows, cols, n = size
    products = [Product(accsim, folder, rows, cols, double, rand) for _ in range(n)]
    for p, sums in zip(products, play(program, [p.schedule() for p in products])):
        same, done = p.check(sums)
        assert same, f"{p.m}x{p.n}x{p.k} on {rows}x{cols}: other sums"
        p.check_activates(done)
    early = [(p, e) for p in products for e in rand.sample(p.tight(), min(2, len(p.tight())))]
    for (p, e), sums in zip(early, play(program, [p.schedule(**e) for p, e in early])):
        at = {(now, c): v for now, c, v in sums}
        spoiled = len(at) != len(sums) or not is_same(p, at, e)
        assert spoiled, f"{p.m}x{p.n}x{p.k} on {rows}x{cols}: {e} goes unnoticed"
    return n, len(early)


def is_same(p, at, early):
    """Whether the sums of a spoiled schedule are the right ones all the same."""
    for i, tile in enumerate(p.tiles):
        stream = tile[1] - (i == early.get("early_stream"))
        w, x = p.values(tile)
        for r, row in enumerate(x):
            for c in range(p.cols):
                want = sum(v * w[k][c] for k, v in enumerate(row))
                if at.get((stream + r + p.rows + c, c)) != want:
                    return False
    return True


def main(accsim, folder, which):
    if not shutil.which("verilator"):
        print("skipped: Verilator is not installed")
        return SKIP
    rand = random.Random(1)
    n_equal = n_early = 0
    for size in ALL if which == "all" else FEW:
        for double in (True, False):
            program = build(pathlib.Path(folder), *size[:2], double)
            with tempfile.TemporaryDirectory() as scratch:
                n, early = check_size(accsim, program, pathlib.Path(scratch), size, double, rand)
            n_equal += n
            n_early += early
    assert n_early > n_equal / 4
    print(f"{n_equal} products equal in cycles and bits; {n_early} times a cycle early was too early")
    return 0


if __name__ == "__main__":
    sys.exit(main(str(pathlib.Path(sys.argv[1]).resolve()), *sys.argv[2:]))
