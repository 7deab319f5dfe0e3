#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a layer and an event cost as networks grow: user CPU of event runs in timing mode on the
TPU.

    tests/bench/growth.py          prints a table: networks of growing depth, then of growing batch
    tests/bench/growth.py --docs   writes it into docs/growth.md, draws docs/pictures/growth.svg

A network is so many convolutions, 3 x 3, of 64 channels of 14 x 14. The program's start, a network
of one layer, is told and taken off; of an event's cost, what an analytic run takes: that maps and
lowers the network all the same. The least of five runs counts. ACCSIM names the program, else
build/accsim.
"""
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
ACCSIM = os.environ.get("ACCSIM", str(ROOT / "build/accsim"))
DEPTHS = (256, 512, 1024, 2048, 4096)
BATCHES = (16, 64, 256, 1024)
DEPTH_OF_BATCHES = 128
RUNS = 5
PAGE, PICTURE = ROOT / "docs/growth.md", ROOT / "docs/pictures/growth.svg"
BEGIN, END = "<!-- growth -->\n", "<!-- end growth -->"


def network(depth):
    layers = ",\n".join(f'  {{ name = "c{i}"; op = "conv2d"; channels = 64; kernel = 3; pad = 1; }}'
                        for i in range(depth))
    return f'inputs = ( {{ name = "x"; shape = [64, 14, 14]; }} );\nlayers = (\n{layers}\n);\n'


def once(file, batch, fidelity):
    """User CPU seconds and events of a run."""
    command = [ACCSIM, "--arch", "tpu", "--net", file, "--batch", str(batch), "--mode", "timing",
               "--fidelity", fidelity, "--json", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        events = json.load(process.stdout)["totals"].get("events", 0)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command}: exit {process.returncode}")
    return usage.ru_utime, events


def measure(folder, depth, batch):
    """Least seconds of event runs and of analytic ones, and the events."""
    file = folder / f"depth-{depth}.net"
    file.write_text(network(depth))
    runs = [[once(file, batch, fidelity) for _ in range(RUNS)] for fidelity in ("event", "analytic")]
    return *(min(seconds for seconds, _ in of_one) for of_one in runs), runs[0][0][1]


def rows():
    """(what grows, depth, batch, seconds, events, us a layer, us an event, analytic seconds)"""
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        start, _, _ = measure(folder, 1, 1)
        cases = [("depth", depth, 1) for depth in DEPTHS]
        cases += [("batch", DEPTH_OF_BATCHES, batch) for batch in BATCHES]
        for what, depth, batch in cases:
            seconds, mapped, events = measure(folder, depth, batch)
            found.append((what, depth, batch, seconds, events,
                          1e6 * max(seconds - start, 0) / (depth - 1),
                          1e6 * max(seconds - mapped, 0) / events, mapped))
    return start, found


def table(start, found):
    lines = ["| layers | batch | user CPU | of it mapped | events | a layer | an event |",
             "|---|---|---|---|---|---|---|"]
    lines += [f"| {depth} | {batch} | {1e3 * seconds:.0f} ms | {1e3 * mapped:.0f} ms | {events:,} "
              f"| {layer:.0f} us | {event:.2f} us |"
              for _, depth, batch, seconds, events, layer, event, mapped in found]
    return "\n".join(lines) + f"\n\nThe start, taken off: {1e3 * start:.0f} ms.\n"


def scale(value, low, high, first, last):
    """On a logarithmic axis."""
    return first + (last - first) * math.log(value / low) / math.log(high / low)


def curve(points, x_range, y_range, box, color):
    left, top, right, bottom = box
    places = [(scale(x, *x_range, left, right), scale(max(y, y_range[0]), *y_range, bottom, top))
              for x, y in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in places)
    return f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>{dots}'


def panel(box, title, xs, points, y_range, unit):
    left, top, right, bottom = box
    parts = [f'<rect x="{left}" y="{top}" width="{right - left}" height="{bottom - top}" '
             'fill="none" stroke="#7d8590"/>',
             f'<text x="{left}" y="{top - 10}" fill="#d0d7de">{title}</text>']
    x_range = xs[0] / 1.3, xs[-1] * 1.3
    for x in xs:
        at = scale(x, *x_range, left, right)
        parts.append(f'<text x="{at:.1f}" y="{bottom + 18}" text-anchor="middle" '
                     f'fill="#7d8590">{x}</text>')
    y = y_range[0]
    while y <= y_range[1] * 1.001:
        at = scale(y, *y_range, bottom, top)
        parts.append(f'<path d="M{left} {at:.1f}H{right}" stroke="#7d8590" stroke-opacity="0.3"/>'
                     f'<text x="{left - 8}" y="{at + 4:.1f}" text-anchor="end" '
                     f'fill="#7d8590">{y:g} {unit}</text>')
        y *= 10
    parts.append(curve(points, x_range, y_range, box, "#56d4dd"))
    return "".join(parts)


def picture(found):
    by_depth = [row for row in found if row[0] == "depth"]
    by_batch = [row for row in found if row[0] == "batch"]
    depths, batches = [row[1] for row in by_depth], [row[2] for row in by_batch]
    left, right = (80, 50, 410, 200), (520, 50, 850, 200)
    low_left, low_right = (80, 270, 410, 420), (520, 270, 850, 420)
    body = [panel(left, "a layer, by layers at batch 1", depths,
                  [(r[1], r[5]) for r in by_depth], (10, 1000), "us"),
            panel(right, "an event, by layers at batch 1", depths,
                  [(r[1], r[6]) for r in by_depth], (0.1, 10), "us"),
            panel(low_left, f"{DEPTH_OF_BATCHES} layers, a layer, by batch", batches,
                  [(r[2], r[5]) for r in by_batch], (10, 10000), "us"),
            panel(low_right, f"{DEPTH_OF_BATCHES} layers, an event, by batch", batches,
                  [(r[2], r[6]) for r in by_batch], (0.1, 10), "us")]
    return ('<svg xmlns="http://www.w3.org/2000/svg" width="880" height="460" '
            'viewBox="0 0 880 460" '
            'font-family="ui-monospace,Menlo,Consolas,monospace" font-size="13">\n'
            '<title>User CPU a layer and an event as networks grow</title>\n'
            f'<rect width="880" height="460" rx="8" fill="#161b22"/>\n' + "\n".join(body)
            + "\n</svg>\n")


def main(*arguments):
    start, found = rows()
    text = table(start, found)
    print(text, end="")
    if arguments == ("--docs",):
        before, rest = PAGE.read_text().split(BEGIN)
        PAGE.write_text(before + BEGIN + text + END + rest.split(END)[1])
        PICTURE.write_text(picture(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
