#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What is not published of the TPU v1 and calibrated to its counters, and the range that they
allow.

    tests/bench/tpu_counters.py      rows of docs/validation.md

Table 3 of Jouppi et al., ISCA 2017: the four counters that add up to 100 stay within 3 points.
"""
import json
import os
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
ACCSIM = os.environ.get("ACCSIM", str(ROOT / "build/accsim"))
POINTS = 3
MLP0 = ("tpu-mlp0", 200, (12.7, 53.9, 15.9, 17.5))
CNN0 = ("tpu-cnn0", 8, (78.2, 0.0, 0.0, 21.8))
WEIGHTS = 20e6
LAYERS = """name = "mlp0"; inputs = ( {{ name = "data"; shape = [{0}]; }} ); layers = (
  {{ repeat = {{ n = [0, 1, 2, 3, 4]; f = [{1}, {1}, {1}, {1}, {2}]; }}; layers = (
    {{ name = "fc${{n}}"; op = "fc"; features = "$f"; bias = false; }},
    {{ name = "relu${{n}}"; op = "relu"; }}
  ); }} );"""


def counters(net, batch, *sets):
    args = [ACCSIM, "--arch", "tpu", "--net", net, "--batch", str(batch), "--mode", "timing"]
    for item in sets:
        args += ["--set", item]
    out = subprocess.run([*args, "--json", "-"], capture_output=True, check=True).stdout
    record = json.loads(out)
    unit = next(u for u in record["units"] if "matrix" in u["name"])
    causes = ("weight_stall", "weight_shift", "non_matrix")
    cycles = [unit["busy_cycles"], *(unit["stalls"].get(c, 0) for c in causes)]
    return [100 * c / record["totals"]["cycles"] for c in cycles]


def fits(found, published):
    return all(abs(a - b) <= POINTS for a, b in zip(found, published))


def span(values, test):
    good = [v for v in values if test(v)]
    return f"{good[0]} to {good[-1]} of {values[0]} to {values[-1]}" if good else "none"


def mlp0_bytes(size):
    """MLP0 with so many bytes of input and output an inference, its weights kept."""
    hidden = next(h for h in range(3000, 256, -1) if WEIGHTS / h - 3 * h >= size)
    both = int(WEIGHTS / hidden - 3 * hidden)
    text = LAYERS.format(both - both // 3, hidden, both // 3)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "mlp0.net"
        path.write_text(text)
        return fits(counters(str(path), MLP0[1]), MLP0[2])


def main():
    rates = list(range(32, 257, 8))
    setting = "activation.values_per_cycle={}".format
    for name, batch, published in (MLP0, CNN0):
        found = span(rates, lambda v: fits(counters(name, batch, setting(v)), published))
        print(f"{name}: activation.values_per_cycle {found}")
    links = [x / 4 for x in range(16, 81)]
    for name, batch, published in (MLP0, CNN0):
        link = "host.bandwidth_gb_s={}".format
        found = span(links, lambda v: fits(counters(name, batch, link(v)), published))
        print(f"{name}: host.bandwidth_gb_s {found}")
    print(f"tpu-mlp0: bytes of input and output {span(list(range(2000, 9001, 250)), mlp0_bytes)}")


if __name__ == "__main__":
    main()
