#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Weights that stay on the chip, where one memory can hold any operand."""
import pathlib
import re
import tempfile
import unittest

import cli

GEMM = ("--net", "gemm:8192x64x8192", "--mode", "timing")
STORED = 8192 * 128 * 2  # K x N in bf16, N filled up to a whole tile


def weights_read(record):
    """What parameters alone are read for: the inputs, which may come from the same memory, apart."""
    read = sum(b["read"] for name, b in record["totals"]["bytes"].items()
               if name != "unified_buffer")
    return read - 8192 * 8192 * 2


class Residency(unittest.TestCase):
    def record(self, *args):
        return cli.record(*args)

    def test_weights_are_read_close_to_once(self):
        record = self.record("--arch", "tpu-v3", *GEMM)
        self.assertLess(weights_read(record), 1.1 * STORED)

    def test_values_are_exact_and_both_models_agree(self):
        args = ("--arch", "tpu-v2", "--net", "gemm:2048x64x1024", "--set",
                "memory.unified_buffer.size_kib=1024")
        event = self.record(*args)
        self.assertTrue(event["check"]["exact"])
        analytic = self.record(*args, "--fidelity", "analytic")
        self.assertTrue(analytic["check"]["exact"])
        self.assertAlmostEqual(analytic["totals"]["cycles"] / event["totals"]["cycles"], 1,
                               delta=0.03)

    def test_a_mapping_keeps_them_or_not(self):
        with tempfile.TemporaryDirectory() as folder:
            saved = pathlib.Path(folder) / "a.map"
            before = self.record("--arch", "tpu-v3", *GEMM, "--save-mapping", saved)
            text = saved.read_text()
            self.assertIn('weights = "chip"', text)
            self.assertEqual(self.record("--arch", "tpu-v3", *GEMM, "--mapping",
                                         saved)["totals"]["cycles"], before["totals"]["cycles"])
            without = pathlib.Path(folder) / "b.map"
            without.write_text(text.replace(' weights = "chip";', ""))
            streamed = self.record("--arch", "tpu-v3", *GEMM, "--mapping", without)
            self.assertGreater(weights_read(streamed), 2 * weights_read(before) - STORED)

    def test_a_machine_that_cannot_is_told(self):
        with tempfile.TemporaryDirectory() as folder:
            saved = pathlib.Path(folder) / "a.map"
            cli.run("--arch", "tpu", "--net", "gemm:64x64x64", "--mode", "timing", "--save-mapping",
                    saved)
            saved.write_text(re.sub(r'name = "gemm";', 'name = "gemm"; weights = "chip";',
                                    saved.read_text(), count=1))
            result = cli.run("--arch", "tpu", "--net", "gemm:64x64x64", "--mode", "timing",
                             "--mapping", saved)
            self.assertEqual(result.returncode, 2)
            self.assertIn("\"memory\" is right", cli.text(result.stderr))


if __name__ == "__main__":
    cli.main()
