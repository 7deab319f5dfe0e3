#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What every shipped network costs on every shipped machine in timing mode: user CPU and peak memory
of one run with its children, worst first.

    tests/bench/table.py [--batch N,N...] [--machine NAME,NAME...] [--rows N] [--csv FILE]

Beside the whole of an event run stand what the same run takes without events (mapping and lowering,
--fidelity analytic), how far the analytic cycles are off, and what the run's events take at the rate
of the kernel alone, which no model can go below. ACCSIM names the program, else build/accsim, and
RATES the program that measures the kernel, else build/tests/bench/rates.
"""
import argparse
import csv
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ACCSIM = os.environ.get("ACCSIM", str(ROOT / "build/accsim"))
RATES = os.environ.get("RATES", str(ROOT / "build/tests/bench/rates"))
UNSUPPORTED = 3
# Batch: seconds and MB at most; where the events alone take longer, twice what they take.
LIMITS = {1: (1.0, 500), 16: (1.0, 500), 64: (4.0, 1000)}
COLUMNS = ("machine", "net", "batch", "cycles", "events", "user_s", "without_events_s",
           "events_alone_s", "peak_mb", "analytic_off_percent", "within")


def once(machine, net, batch, fidelity):
    """User seconds, peak MB and the totals of a run; None where the machine cannot."""
    command = [ACCSIM, "--arch", machine, "--net", net, "--batch", str(batch), "--mode", "timing",
               "--fidelity", fidelity, "--json", "-", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        output, errors = process.stdout.read(), process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode == UNSUPPORTED:
        return None
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit {process.returncode}\n{errors.decode()}")
    return usage.ru_utime, usage.ru_maxrss / 1000, json.loads(output)["totals"]


def events_a_second():
    """Timed waits a second of the kernel alone."""
    try:
        output = subprocess.run([RATES], check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0.0
    return float(dict(line.split() for line in output.splitlines())["sk_events_per_s"])


def measure(machine, net, batch, rate):
    event = once(machine, net, batch, "event")
    if not event:
        return None
    analytic = once(machine, net, batch, "analytic")
    cycles, n_event = event[2].get("cycles", 0), event[2].get("events", 0)
    off = 100 * (analytic[2].get("cycles", 0) / cycles - 1) if cycles else 0.0
    alone = n_event / rate if rate else 0.0
    seconds, memory = LIMITS.get(batch, LIMITS[64])
    within = event[0] <= max(seconds, 2 * alone) and event[1] <= memory
    return dict(zip(COLUMNS, (machine, net, batch, cycles, n_event, round(event[0], 3),
                              round(analytic[0], 3), round(alone, 3), round(event[1]),
                              round(off, 2), within)))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", default="1,16,64")
    parser.add_argument("--machine", default="")
    parser.add_argument("--rows", type=int, default=20, help="rows of a batch that are shown")
    parser.add_argument("--csv", help="all rows, to a file")
    options = parser.parse_args()
    machines = options.machine.split(",") if options.machine else sorted(
        path.stem for path in (ROOT / "arch").glob("*/*.cfg"))
    nets = sorted(path.stem for path in (ROOT / "workloads/nets").glob("*.net"))
    rate = events_a_second()
    print(f"the kernel alone: {rate:.3g} timed waits a second" if rate
          else "no rate of the kernel: build the target rates")
    every = []
    for batch in map(int, options.batch.split(",")):
        rows = [row for machine in machines for net in nets
                if (row := measure(machine, net, batch, rate))]
        rows.sort(key=lambda row: -row["user_s"])
        every += rows
        out = sum(not row["within"] for row in rows)
        seconds, memory = LIMITS.get(batch, LIMITS[64])
        print(f"\nbatch {batch}: {len(rows)} pairs, {out} over {seconds:g} s (or twice what their "
              f"events take) or {memory} MB; {sum(row['user_s'] for row in rows):.1f} s in all")
        print("  ".join(COLUMNS))
        for row in rows[:options.rows]:
            print("  ".join(str(row[name]) for name in COLUMNS))
        rows.sort(key=lambda row: -abs(row["analytic_off_percent"]))
        print("analytic farthest from event: " + ", ".join(
            f"{row['net']} on {row['machine']} {row['analytic_off_percent']:+.2f} %"
            for row in rows[:8]))
    if options.csv:
        with open(options.csv, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(every)


if __name__ == "__main__":
    main()
