#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The timing of the systolic array against RTL: what an event run does and when, played to the
arrays in tests/rtl/ under Verilator.

    tests/oracle/test_rtl.py ACCSIM FOLDER few|all [ws|os|is]

Of each random product, in each dataflow and with both kinds of edges, the shifts of what stays, the
streams and the starts of Activate are read from the run's waveform. The RTL must give every sum
then, bit for bit, and Activate must begin in the cycle in which the last sum is there. A shift, a
stream or a drain one cycle early must spoil sums: the model is not slower than the array either.
Skipped without Verilator.
"""
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
RTL = ROOT / "tests/rtl"
SKIP = 77
# Rows, columns, products in each dataflow with each of double and single buffering.
FEW = [(2, 2, 6), (4, 3, 6), (3, 5, 6)]
ALL = FEW + [(8, 8, 14), (16, 16, 14), (5, 16, 14), (16, 4, 14), (7, 2, 14), (2, 9, 14),
             (12, 11, 14)]
FLOWS = ("ws", "os", "is")
PERIOD_PS = 1000
STAYS_ON = -1000000
LOAD = re.compile(r"\s*\d+\s+host\s+Read_Host_Memory\s+ub=(0x[0-9a-f]+) .* images=(\d+)\+")
MATRIX = re.compile(r"\s*\d+\s+matrix\s+MatrixMultiply\s+ub=(?P<ub>0x[0-9a-f]+) .*"
                    r"rows=(?P<m0>\d+)\+(?P<m>\d+) group=0 "
                    r"(?:cols=(?P<cols>\d+)|outputs=(?P<n0>\d+)\+(?P<n>\d+)) repeat=(?P<repeat>\d+)"
                    r"(?P<same> same-tile)?(?: same-weights)?(?: k=(?P<k>\d+))?$")
ACTIVATE = re.compile(r"\s*(\d+)\s+activation\s+Activate ")


def compile_runtime(folder):
    """Verilator's own part of each program, once for all."""
    root = subprocess.run(["verilator", "--getenv", "VERILATOR_ROOT"], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()
    include = pathlib.Path(root) / "include"
    flags = ["-std=c++17", "-O1", f"-I{include}", f"-I{include}/vltstd", "-pthread"]
    objects = []
    for source in ("verilated.cpp", "verilated_threads.cpp"):
        if (include / source).exists():
            objects.append(folder / f"{source}.o")
            subprocess.run(["g++", *flags, "-c", include / source, "-o", objects[-1]], check=True)
    return flags, objects


def build(folder, runtime, flow, rows, cols):
    """The array of that size as a program."""
    flags, objects = runtime
    out = folder / f"{flow}_{rows}x{cols}"
    shutil.rmtree(out, ignore_errors=True)
    sources = [RTL / f"{flow}_array.v"] + [RTL / "ws_array.v"] * (flow != "ws")
    subprocess.run(
        ["verilator", "--cc", "--prefix", "Vmodel", "-Wall", "-Wno-DECLFILENAME",
         "-Wno-UNUSEDSIGNAL", f"-GROWS={rows}", f"-GCOLS={cols}", "--top-module", f"{flow}_array",
         "-Mdir", out, *sources],
        check=True, stdout=subprocess.DEVNULL)
    main = RTL / ("os_main.cpp" if flow == "os" else "stay_main.cpp")
    unit = out / "all.cpp"  # one translation unit: the headers take most of the time
    paths = (*sorted(out.glob("Vmodel*.cpp")), main)
    unit.write_text("".join(f'#include "{path}"\n' for path in paths))
    subprocess.run(["g++", *flags, f"-DROWS={rows}", f"-DCOLS={cols}",
                    *(["-DINPUTS_STAY"] if flow == "is" else []), f"-I{out}",
                    f"-I{RTL.parents[1]}", unit, *objects, "-o", out / "model"], check=True)
    return out / "model"


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


class Stream:
    """Rows that enter one after the other against a tile of weights: ks, ms and ns are the values
    of K, rows and columns of the product that take part."""

    def __init__(self, start, shift, ks, ms, ns):
        self.start, self.shift = start, shift  # shift None: what stays is there
        self.ks, self.ms, self.ns = ks, ms, ns
        self.begins = self.ends = True  # the stay of what stays


class Product:
    """One GEMM: what the machine does of it, with values."""

    def __init__(self, accsim, folder, flow, size, double, rand):
        self.flow, self.double = flow, double
        self.rows, self.cols = size
        self.trimmed = rand.random() < 0.5
        # A cell without a shadow register takes what stays at the end of the cycle in which it uses
        # what was there for the last time: there the array would allow one cycle more than asked.
        self.early = 1 if double else 2
        # With os, sums of few products move down more slowly than the next ones are made.
        deep = 1 if flow == "os" and rand.random() < 0.5 else 4
        self.m, self.n, self.k = (rand.randint(1, limit)
                                  for limit in (40, 3 * self.cols, deep * self.rows))
        self.accumulators = rand.choice([8, 16, 64])
        options = ["--arch", "tpu", "--net", f"gemm:{self.m}x{self.n}x{self.k}"]
        for setting in (f"array.rows={self.rows}", f"array.cols={self.cols}", "clock_mhz=1000",
                        f"array.double_buffer={str(double).lower()}", "memory.weights.model=ideal",
                        f"array.dataflow={flow}",
                        f"array.edge={'trimmed' if self.trimmed else 'full'}",
                        f"accumulators.entries={self.accumulators}", "host.bandwidth_gb_s=1e6",
                        "controller.queue_depth=4096"):
            options += ["--set", setting]
        self.name = " ".join(options)
        vcd = folder / "run.vcd"
        subprocess.run([accsim, *options, "--mode", "timing", "--quiet", "--vcd", vcd], check=True)
        plan = subprocess.run([accsim, "show", "plan", *options], check=True, text=True,
                              stdout=subprocess.PIPE).stdout
        self.starts = begun(vcd)
        # No operand is 0: each shows whether it met the right one.
        self.a = [[rand.randint(1, 127) * rand.choice((-1, 1)) for _ in range(self.k)]
                  for _ in range(self.m)]
        self.b = [[rand.randint(1, 127) * rand.choice((-1, 1)) for _ in range(self.n)]
                  for _ in range(self.k)]
        self.read_plan(plan)

    def ranges_of_k(self):
        return [range(k, min(k + self.rows, self.k)) for k in range(0, self.k, self.rows)]

    def block(self, ms, ns, ranges_of_k, same_tile, starts, shifts):
        """The streams of one instruction, as docs/dataflows.md has them."""
        found = []
        if self.flow == "ws":
            for ks in ranges_of_k:
                found.append(Stream(next(starts), None if same_tile else next(shifts), ks, ms, ns))
        elif self.flow == "os":
            for first in range(0, len(ms), self.rows):
                for ks in ranges_of_k:
                    found.append(Stream(next(starts), None, ks, ms[first:first + self.rows], ns))
                    found[-1].begins = ks.start == 0
                    found[-1].ends = ks.stop == self.k
        else:
            for ks in ranges_of_k:
                at = ns.start
                while at < ns.stop:  # as far as the tile of weights goes
                    end = min(ns.stop, (at // self.cols + 1) * self.cols)
                    shift = None if same_tile or at > ns.start else next(shifts)
                    found.append(Stream(next(starts), shift, ks, ms, range(at, end)))
                    found[-1].begins, found[-1].ends = at == ns.start, end == ns.stop
                    at = end
        return found

    def read_plan(self, plan):
        """The streams in order, and the Activate of each block with its place in the program."""
        self.streams, self.activates = [], []
        loads = {}  # by address: the first row of the product that lies there
        starts, shifts = iter(self.starts["matrix_unit"]), iter(self.starts["shift"])
        for line in plan.splitlines():
            if match := LOAD.match(line):
                loads[int(match[1], 16)] = int(match[2])
            elif match := MATRIX.match(line):
                n0, m = int(match["cols"] or 0) * self.cols, int(match["m"])
                ns = range(n0, min(n0 + self.cols, self.n))
                if match["n0"]:
                    ns = range(int(match["n0"]), int(match["n0"]) + int(match["n"]))
                ub = int(match["ub"], 16)  # of the chunk's first row; rows count from there
                base = max(a for a in loads if a <= ub)
                m0 = loads[base] + (ub - base) // self.k + int(match["m0"])
                ranges = self.ranges_of_k()
                if self.flow == "ws":  # an instruction may have some tiles of K alone
                    first = int(match["k"] or 0)
                    ranges = ranges[first:first + int(match["repeat"])]
                block = self.block(range(m0, m0 + m), ns, ranges, bool(match["same"]), starts,
                                   shifts)
                assert len(block) == int(match["repeat"]), (line, len(block))
                self.streams += block
                self.entries = len(ns) if self.flow == "is" else m
            elif match := ACTIVATE.match(line):
                self.activates.append((int(match[1]), len(self.streams) - 1, self.entries))
        assert next(starts, None) is None and next(shifts, None) is None

    def length(self, s):
        """Cycles in which the stream's rows enter."""
        return len({"ws": s.ms, "os": s.ks, "is": s.ns}[self.flow])

    def used_rows(self, s):
        """Rows of the array that are paid for."""
        return len(s.ms if self.flow == "os" else s.ks) if self.trimmed else self.rows

    def used_cols(self, s):
        return len(s.ms if self.flow == "is" else s.ns) if self.trimmed else self.cols

    def end(self, s):
        return s.start + self.length(s)

    def x(self, m, k):
        return self.a[m][k] if m is not None and k is not None else 0

    def w(self, k, n):
        return self.b[k][n] if k is not None and n is not None else 0

    @staticmethod
    def padded(items, size):
        return [*items, *[None] * (size - len(items))]

    def operands(self, s):
        """What stays (or with os the inputs), a row for a row; and what streams (weights)."""
        if self.flow == "ws":
            ks = self.padded(s.ks, self.rows)
            stays = [[self.w(k, n) for n in self.padded(s.ns, self.cols)] for k in ks]
            return stays[:self.used_rows(s)], [[self.x(m, k) for k in ks] for m in s.ms]
        if self.flow == "is":
            ks = self.padded(s.ks, self.rows)
            stays = [[self.x(m, k) for m in self.padded(s.ms, self.cols)] for k in ks]
            return stays[:self.used_rows(s)], [[self.w(k, n) for k in ks] for n in s.ns]
        return ([[self.x(m, k) for m in self.padded(s.ms, self.rows)] for k in s.ks],
                [[self.w(k, n) for n in self.padded(s.ns, self.cols)] for k in s.ks])

    def drain(self, s, start):
        """os: the lowest row has its last product then."""
        return start + self.length(s) + self.used_rows(s) - 1

    def schedule(self, early=None):
        """As the programs in tests/rtl/ read it. early: (what, index of a stream) a cycle early."""
        what, which = early or (None, None)
        lines = []
        for i, s in enumerate(self.streams):
            first, second = self.operands(s)
            start = s.start - (what == "stream" and i == which)
            if self.flow == "os":
                drain = self.drain(s, start) - (what == "drain" and i == which) if s.ends else -1
                head = f"{start} {self.length(s)} {self.used_rows(s)} {int(s.begins)} {drain}"
            else:
                shift = (STAYS_ON if s.shift is None
                         else s.shift - self.early * (what == "shift" and i == which))
                head = f"{shift} {start} {self.length(s)} {self.used_rows(s)}"
            lines.append(f"{head} " + " ".join(str(v) for row in first + second for v in row))
        return f"{len(lines)}\n" + "\n".join(lines) + "\n"

    def sums(self, s, i, early=None):
        """Of a stream: the cycle and column of each sum that it makes; its row and column of the
        product, None where they are padding."""
        what, which = early or (None, None)
        start = s.start - (what == "stream" and i == which)
        rows, columns = self.used_rows(s), range(self.used_cols(s))
        if self.flow == "os":
            drain = self.drain(s, start) - (what == "drain" and i == which)
            ms, ns = self.padded(s.ms, rows), self.padded(s.ns, self.cols)
            return [(drain + c + rows - 1 - r, c, ms[r], ns[c])
                    for r in range(rows) for c in columns if s.ends]
        if self.flow == "ws":
            ns = self.padded(s.ns, self.cols)
            return [(start + j + rows + c, c, m, ns[c])
                    for j, m in enumerate(s.ms) for c in columns]
        ms = self.padded(s.ms, self.cols)
        return [(start + j + rows + c, c, ms[c], n) for j, n in enumerate(s.ns) for c in columns]

    def value(self, s, m, n):
        ks = range(self.k) if self.flow == "os" else s.ks
        return sum(self.a[m][k] * self.b[k][n] for k in ks)

    def check(self, output):
        """Whether each sum is there in its cycle and each product adds up; the cycle after each
        stream's last sum."""
        at, clash = output
        if clash:
            return False, []
        done, total, n_sum = [], [[0] * self.n for _ in range(self.m)], 0
        for i, s in enumerate(self.streams):
            last = 0
            for now, c, m, n in self.sums(s, i):
                n_sum += 1
                last = max(last, now)
                if (now, c) not in at:
                    return False, []
                if m is not None and n is not None:
                    if at[now, c] != self.value(s, m, n):
                        return False, []
                    total[m][n] += at[now, c]
            done.append(last + 1)
        if not self.trimmed and n_sum != len(at):
            return False, []
        want = [[sum(x * row[n] for x, row in zip(xs, self.b)) for n in range(self.n)]
                for xs in self.a]
        return total == want, done

    def check_activates(self, done):
        """Each begins when its sums are there, it is issued and the unit is free: not a cycle
        later."""
        free = 0
        for (issued, i, entries), start in zip(self.activates, self.starts["activation_unit"]):
            assert start == max(done[i], issued, free), (self.name, start, done[i], issued, free)
            free = start + entries

    def tight(self):
        """Shifts, streams and drains that the array alone held back, to be tried a cycle early."""
        return self.tight_os() if self.flow == "os" else self.tight_stay()

    def differ(self, i, j, row):
        """Whether what stays during two streams differs in a row: few values may be equal by
        chance."""
        return self.operands(self.streams[i])[0][row] != self.operands(self.streams[j])[0][row]

    def tight_stay(self):
        found, stay = [], None  # stay: index of the stream with which what is in the array began
        for i, s in enumerate(self.streams):
            if i > 0:
                before = self.streams[i - 1]
                free, is_later = self.end(before), s.start > self.end(before)
                was, now = self.used_rows(before), self.used_rows(s)
                # One sum of this and one of the stream before would be at a column's foot at once.
                if is_later and s.start == free + was - now:
                    found.append(("stream", i))
                elif (s.shift is not None and is_later and s.start == s.shift + now
                      and self.differ(stay, i, 0)):
                    found.append(("stream", i))
                # The lowest row of cells is the first to be spoiled: both must use it.
                whole = min(len(self.streams[stay].ks), len(s.ks)) >= now
                limit = self.streams[stay].start if self.double else free
                if (s.shift is not None and whole and s.shift == limit
                        and self.differ(stay, i, now - 1)):
                    found.append(("shift", i))
            if s.shift is not None:
                stay = i
        return found

    def tight_os(self):
        found, block = [], None  # block: the last stream of the sums before
        for i, s in enumerate(self.streams):
            if block is not None:
                was, now = self.used_rows(block), self.used_rows(s)
                is_later = s.start > self.end(self.streams[i - 1])
                end = self.end(block) + was + max(0, was - now)
                follows = s.begins and not self.double and s.start == self.end(block) + was - 1
                if is_later and (follows or (s.ends and self.end(s) == end)):
                    found.append(("stream", i))
            if s.ends:
                block = s
                if len(s.ms) == self.used_rows(s):  # else the lowest row has padding alone
                    found.append(("drain", i))
        return found


def play(program, double, schedules):
    output = subprocess.run([program, str(int(double))], input="".join(schedules), text=True,
                            check=True, stdout=subprocess.PIPE).stdout
    found = []
    for case in output.split("end\n")[:-1]:
        lines = [line.split() for line in case.splitlines()]
        sums = [tuple(map(int, line)) for line in lines if line != ["clash"]]
        found.append(({(now, c): v for now, c, v in sums}, len(sums) < len(lines)))
    return found


def is_spoiled(p, output, early):
    at, clash = output
    if clash:
        return True
    return any(at.get((now, c)) != p.value(s, m, n) for i, s in enumerate(p.streams)
               for now, c, m, n in p.sums(s, i, early) if m is not None and n is not None)


def check_size(accsim, program, folder, flow, size, double, rand):
    rows, cols, n = size
    products = [Product(accsim, folder, flow, (rows, cols), double, rand) for _ in range(n)]
    for p, output in zip(products, play(program, double, [p.schedule() for p in products])):
        same, done = p.check(output)
        assert same, f"{p.name}: other sums"
        p.check_activates(done)
    early = []
    for p in products:
        tight = p.tight()
        kinds = sorted({what for what, _ in tight})
        early += [(p, rand.choice([e for e in tight if e[0] == what])) for what in kinds]
    for (p, e), output in zip(early, play(program, double, [p.schedule(e) for p, e in early])):
        assert is_spoiled(p, output, e), f"{p.name}: {e} goes unnoticed"
    return n, [what for _, (what, _) in early]


def main(accsim, folder, which, *flows):
    if not shutil.which("verilator") or not shutil.which("g++"):
        print("skipped: Verilator or a C++ compiler is not installed")
        return SKIP
    folder = pathlib.Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    runtime = compile_runtime(folder)
    for flow in flows or FLOWS:
        rand, n_equal, early = random.Random(flow), 0, []
        for size in ALL if which == "all" else FEW:
            program = build(folder, runtime, flow, *size[:2])
            for double in (True, False):
                with tempfile.TemporaryDirectory() as scratch:
                    n, found = check_size(accsim, program, pathlib.Path(scratch), flow, size,
                                          double, rand)
                n_equal += n
                early += [(what, double) for what in found]
        # A model slower than the array would leave nothing that the array alone holds back.
        for what in ("drain" if flow == "os" else "shift", "stream"):
            for double in (True, False):
                assert early.count((what, double)) >= n_equal / 16, (flow, what, double, len(early))
        early = [what for what, _ in early]
        kinds = ", ".join(f"{early.count(what)} {what}s" for what in sorted(set(early)))
        print(f"{flow}: {n_equal} products equal in cycles and bits; a cycle early was too early "
              f"in {kinds}")
    return 0


if __name__ == "__main__":
    sys.exit(main(str(pathlib.Path(sys.argv[1]).resolve()), *sys.argv[2:]))
