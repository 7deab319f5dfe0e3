#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Inputs of the TPU v1's area, and the range that the published shares of its die allow.

    tests/bench/tpu_area.py          rows of docs/energy.md

Figure 2 of Jouppi et al., ISCA 2017: buffers, compute, I/O and control within 5 points.
"""
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
ACCSIM = os.environ.get("ACCSIM", str(ROOT / "build/accsim"))
POINTS = 5
SHARES = (
    (37, ("unified_buffer", "accumulators", "weight_fifo")),
    (30, ("matrix_unit", "data_setup", "activation_unit")),
    (10, ("memory_phy", "host_phy")),
    (2, ("control",)),
)
SCANS = (  # per cent
    ("placed", range(50, 101)),
    ("control", range(0, 21)),
    ("logic_utilization", range(30, 101)),
    ("sram_efficiency", range(30, 101)),
)


def fits(setting):
    args = [ACCSIM, "show", "arch", "tpu", "--json", "-", "--set", setting]
    doc = json.loads(subprocess.run(args, capture_output=True, check=True).stdout)
    return all(
        abs(100 * sum(doc["area"].get(p, 0) for p in parts) / doc["area_mm2"] - share) <= POINTS
        for share, parts in SHARES
    )


def main():
    for name, values in SCANS:
        good = [v / 100 for v in values if fits(f"area.{name}={v / 100}")]
        span = f"{good[0]} to {good[-1]}" if good else "none"
        print(f"area.{name}: {span} of {values[0] / 100} to {values[-1] / 100}")


if __name__ == "__main__":
    main()
