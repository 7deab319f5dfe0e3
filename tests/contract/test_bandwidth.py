#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs of the shipped networks on the shipped machines: no memory moves more than its bandwidth
allows, and the analytic model is near the events. All from the records."""
import json
import pathlib
import unittest

import cli

ROOT = pathlib.Path(__file__).resolve().parents[2]
MACHINES = sorted(path.stem for path in (ROOT / "arch").glob("*/*.cfg"))
NETS = sorted(path.stem for path in (ROOT / "workloads/nets").glob("*.net"))
UNSUPPORTED = 3


def totals(machine, net, batch, fidelity):
    """The totals and the settings of a run; None where the machine cannot."""
    result = cli.run("--arch", machine, "--net", net, "--batch", batch, "--mode", "timing",
                     "--fidelity", fidelity, "--json", "-", "--quiet")
    if result.returncode == UNSUPPORTED:
        return None
    if result.returncode != 0:
        raise AssertionError(f"{machine}, {net}: {cli.text(result.stderr)}")
    record = json.loads(result.stdout)
    return record["totals"], record["arch"]["settings"]


def limits(moved, settings):
    """Bytes a second by memory, of those that have a limit."""
    for name in moved:
        path = "host" if name == "host" else f"memory.{name}"
        gb_s = settings.get(f"{path}.bandwidth_gb_s", 0)
        if gb_s:
            yield name, 1e9 * gb_s


class Few(unittest.TestCase):
    batch = 1
    nets = ("gemm:8192x64x8192", "lenet5", "alexnet", "mobilenet-v2")

    def test_memories_move_what_they_can_and_models_agree(self):
        for machine in MACHINES:
            n_run = 0
            for net in self.nets:
                runs = [totals(machine, net, self.batch, fidelity)
                        for fidelity in ("event", "analytic")]
                self.assertEqual(runs[0] is None, runs[1] is None, (machine, net))
                if runs[0] is None:
                    continue
                n_run += 1
                for run in runs:
                    self.within_bandwidth(f"{machine}, {net}", *run)
                event, analytic = (run[0]["cycles"] for run in runs)
                # A cycle of two dozen is more than 3 %.
                self.assertLessEqual(abs(analytic - event), max(1, 0.03 * event), (machine, net))
            self.assertGreater(n_run, len(self.nets) / 2, machine)

    def within_bandwidth(self, run, figures, settings):
        moved = figures["bytes"]
        checked = dict(limits(moved, settings))
        self.assertTrue(checked, run)
        for name, limit in checked.items():
            self.assertLessEqual(sum(moved[name].values()), limit * figures["seconds"], (run, name))
        off_chip = set(moved) - {"unified_buffer"}
        own = off_chip - {"host"} or off_chip  # the host's memory counts where there is no other
        for way in ("read", "write"):
            self.assertEqual(figures[f"dram_{way}_bytes"],
                             sum(moved[name][way] for name in own), run)


class All(Few):
    nets = NETS


class Batch16(All):
    batch = 16


class Batch64(All):
    batch = 64


if __name__ == "__main__":
    unittest.main()
