# SPDX-License-Identifier: Apache-2.0
"""What a person reads, held against tests/golden/cli_*.txt, letter by letter.

Values are left to other tests: goldens hold counts and at most three digits of anything else.
A change is made by ACCSIM_UPDATE_GOLDEN=1 /usr/bin/python3 tests/contract/test_golden.py, and read
as a diff.
"""
import os
import subprocess
import unittest

import cli

FOLDER = cli.ROOT / "tests/golden"
TPU = ("--arch", "tpu")
TIMING = (*TPU, "--mode", "timing")
PAGES = {
    "alexnet": (*TIMING, "--net", "alexnet"),
    "alexnet_batch16": (*TIMING, "--net", "alexnet", "--batch", "16"),
    "alexnet_analytic": (*TIMING, "--net", "alexnet", "--fidelity", "analytic"),
    "googlenet_csv": (*TIMING, "--net", "googlenet", "--csv", "-"),
    "mlp_values": (*TPU, "--net", "mlp-mnist"),
    "show_net": ("show", "net", "alexnet"),
    "show_op": ("show", "op", "conv2d"),
    "show_plan": ("show", "plan", *TPU, "--net", "conv:1x8x14x14x16,3x3,1,1"),
    "list_ops": ("list", "ops"),
    "list_nets": ("list", "nets"),
}


class Golden(unittest.TestCase):
    maxDiff = None

    def test_pages(self):
        for name, args in PAGES.items():
            with self.subTest(name):
                shown = subprocess.run(
                    [cli.ACCSIM, *args],
                    env=cli.environment(LC_ALL="C.UTF-8"),
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    check=True,
                ).stdout.decode()
                shown = shown.replace(str(cli.ROOT), "ROOT")
                path = FOLDER / f"cli_{name}.txt"
                if os.environ.get("ACCSIM_UPDATE_GOLDEN"):
                    path.write_text(shown, encoding="utf-8")
                self.assertEqual(shown, path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    unittest.main()
