#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What AlexNet on the TPU v1 costs to simulate, beside other simulators and this machine's rates,
and what memory with banks adds to a run.

    bench.py ACCSIM RATES

Tells and never judges: processors differ. Seconds are user CPU seconds, medians of several runs.
"""
import csv
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

REFERENCE = pathlib.Path(__file__).resolve().parents[1] / "reference"
NETWORK = ("--arch", "tpu.cfg", "--net", "alexnet", "--batch", "1")
MODES = (("timing", 9), ("functional", 5))  # and how often each is run
ARRAY_128 = (
    *("--arch", "tpu.cfg", "--set", "array.rows=128", "--set", "array.cols=128"),
    *("--set", 'array.formats=["bf16"]', "--set", "clock_mhz=1000"),
    *("--set", "memory.weights.standard=HBM2", "--set", "memory.weights.channels=32"),
    *("--set", "memory.weights.bandwidth_gb_s=614"),
)
# name, network and machine, mode, and how often each is run
MEMORY_RUNS = (
    ("GEMM 2048^3 on 128 x 128, bf16, HBM2", (*ARRAY_128, "--net", "gemm:2048x2048x2048"),
     ("--check", "none"), 5),
    ("the same without values", (*ARRAY_128, "--net", "gemm:2048x2048x2048"),
     ("--mode", "timing"), 9),
    ("ResNet-152, batch 64, tpu.cfg", ("--arch", "tpu.cfg", "--net", "resnet152", "--batch", "64"),
     ("--mode", "timing"), 3),
)


def measure(command):
    """User CPU seconds and peak memory in MB of a command with its children."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"bench: {' '.join(command)}: exit {process.returncode}")
    return usage.ru_utime, usage.ru_maxrss * 1024e-6


def median_of(command, n_run):
    seconds, peaks = zip(*(measure(command) for _ in range(n_run)))
    return statistics.median(seconds), max(peaks)


def read_csv(name):
    with open(REFERENCE / name, encoding="utf-8") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def read_rates(program):
    shown = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    return {name: float(value) for name, value in map(str.split, shown.splitlines())}


def read_record(accsim):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "run.json"
        command = [accsim, *NETWORK, "--mode", "timing", "--json", str(file)]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        return json.loads(file.read_text(encoding="utf-8"))


def seconds_text(low, high):
    return f"{low:g}" if low == high else f"{low:g}-{high:g}"


def print_costs(costs):
    print("AlexNet, batch 1, tpu.cfg (256 x 256 ws), one thread")
    for mode, (seconds, peak_mb) in costs.items():
        print(f"  {mode:<12}{seconds:9.3f} s{peak_mb:8.0f} MB")


def print_peers(costs):
    print("\nother simulators, and how many times the time of AlexNet here (timing | functional)")
    for row in read_csv("peers.csv"):
        low, high = float(row["seconds_low"]), float(row["seconds_high"])
        ratios = " | ".join(f"{low / max(costs[mode][0], 1e-3):.4g}x" for mode in costs)
        memory = f", {row['peak_mb']} MB" if row["peak_mb"] else ""
        print(f"  {row['peer']}: {row['work']}: {seconds_text(low, high)} s{memory}: {ratios}")
        print(f"      leaves out {row['leaves_out']}")


def print_rates(costs, rates, record):
    print("\nthis machine, one thread")
    for name, unit, scale, row in zip(
        ("sgemm_gflop_per_s", "sk_events_per_s"),
        ("GFLOP/s of sgemm 1024^3", "million timed waits/s of SystemC threads"),
        (1, 1e6),
        read_csv("rates.csv"),
    ):
        there = seconds_text(float(row["low"]), float(row["high"]))
        print(f"  {rates[name] / scale:.1f} {unit} ({there} where the others were measured)")
    events = record["totals"]["events"]
    alone_s = events / rates["sk_events_per_s"]
    share = alone_s / max(costs["timing"][0], 1e-3)
    print(f"  {events} SystemC events: alone {alone_s:.4f} s, {share:.0%} of timing mode")
    gflop = 2e-9 * record["totals"]["macs"]
    alone_s = gflop / rates["sgemm_gflop_per_s"]
    share = alone_s / costs["functional"][0]
    print(f"  {gflop:.2f} GFLOP: alone {alone_s:.4f} s, {share:.0%} of functional mode")


def print_memories(accsim):
    print("\nweight memory: fixed, bank, and their ratio")
    for name, run, mode, n_run in MEMORY_RUNS:
        command = [accsim, *run, *mode, "--quiet", "--set"]
        seconds = {"fixed": [], "bank": []}
        for _ in range(n_run):  # in turn, so that what else the computer does meets both
            for model, all_seconds in seconds.items():
                all_seconds.append(measure([*command, f"memory.weights.model={model}"])[0])
        fixed, bank = map(statistics.median, seconds.values())
        print(f"  {name}: {fixed:.3f} s, {bank:.3f} s: {bank / max(fixed, 1e-3):.2f}")


def main(accsim, rates_program):
    costs = {
        mode: median_of([accsim, *NETWORK, "--mode", mode, "--quiet"], n_run)
        for mode, n_run in MODES
    }
    print_costs(costs)
    print_memories(accsim)
    print_peers(costs)
    print_rates(costs, read_rates(rates_program), read_record(accsim))


if __name__ == "__main__":
    main(*sys.argv[1:])
