# SPDX-License-Identifier: Apache-2.0
"""Residual additions that the activation unit does on the way out of a product.

    test_residual.py [CLASS[.TEST]...]
"""
import pathlib
import tempfile
import unittest

import cli

# A block whose input is added, one whose input is projected, a sum that a pooling follows, and a
# block of rows of features, whose sum nothing cuts off. What relu follows before the sum, what is
# broadcast and what is read twice are sums of their own.
NET = """
inputs = ( { name = "x"; shape = [6, 9, 7]; }, { name = "z"; shape = [5, 20]; } );
layers = (
  { name = "a"; op = "conv2d"; inputs = ["x"]; channels = 10; kernel = 1; },
  { name = "m"; op = "conv2d"; channels = 7; kernel = 1; },
  { name = "b"; op = "conv2d"; channels = 10; kernel = 3; pad = 1; bias = false; },
  { name = "bn"; op = "batch_norm"; },
  { name = "s1"; op = "add"; inputs = ["bn", "a"]; },
  { name = "r1"; op = "relu"; },
  { name = "p"; op = "conv2d"; channels = 12; kernel = 1; },
  { name = "c"; op = "conv2d"; inputs = ["r1"]; channels = 12; kernel = 3; pad = 1; groups = 2; },
  { name = "s2"; op = "add"; inputs = ["p", "c"]; },
  { name = "pool"; op = "maxpool"; kernel = 2; },
  { name = "u"; op = "fc"; inputs = ["z"]; features = 30; axis = -1; },
  { name = "g"; op = "relu"; },
  { name = "v"; op = "fc"; features = 20; axis = -1; },
  { name = "s3"; op = "add"; inputs = ["z", "v"]; },
  { name = "w"; op = "fc"; features = 20; axis = -1; },
  { name = "h"; op = "relu"; },
  { name = "s4"; op = "add"; inputs = ["h", "s3"]; }
);
"""
FUSED = {"b": "conv2d+batch_norm+add+relu", "c": "conv2d+add", "v": "fc+add"}
ADDS = ("--set", "activation.adds=true")


class Residual(unittest.TestCase):
    def setUp(self):
        temp = tempfile.TemporaryDirectory()
        self.addCleanup(temp.cleanup)
        self.file = pathlib.Path(temp.name) / "residual.net"
        self.file.write_text(NET)

    def run_net(self, *options, arch="tpu"):
        return cli.record("--arch", arch, "--net", str(self.file), "--batch", "3", *options)

    def test_sums_join_the_products_before_them(self):
        record = self.run_net(*ADDS)
        ops = {layer["name"]: layer["op"] for layer in record["layers"]}
        self.assertEqual({name: ops[name] for name in FUSED}, FUSED)
        self.assertEqual(ops["s4"], "add")
        self.assertTrue(record["check"]["exact"])
        self.assertGreater(record["check"]["snr_db"], 15)
        apart = {layer["name"]: layer["op"] for layer in self.run_net()["layers"]}
        self.assertEqual(apart["s1"], "add+relu")

    def test_every_format_is_exact(self):
        for form, snr in (("int16", 60), ("bf16", 30), ("fp16", 45), ("fp32", 100),
                          ("flex16", 45)):
            record = self.run_net(*ADDS, "--set", f'array.formats=["{form}"]')
            self.assertTrue(record["check"]["exact"], form)
            self.assertGreater(record["check"]["snr_db"], snr, form)

    def test_every_dataflow_is_exact_and_the_analytic_model_near(self):
        for flow in ("ws", "os", "is"):
            for count in (1, 3):
                cycles = []
                for fidelity in ("event", "analytic"):
                    record = self.run_net(*ADDS, "--set", "array.rows=8", "--set", "array.cols=6",
                                          "--set", f"array.dataflow={flow}", "--set",
                                          f"array.count={count}", "--fidelity", fidelity)
                    self.assertTrue(record["check"]["exact"], (flow, count))
                    cycles.append(record["totals"]["cycles"])
                self.assertLess(abs(cycles[1] / cycles[0] - 1), 0.03, (flow, count, cycles))

    def test_chunks_and_spills_carry_the_operand(self):
        for kib in ("4", "8"):
            for fidelity in ("event", "analytic"):
                record = self.run_net(*ADDS, "--set", f"memory.unified_buffer.size_kib={kib}",
                                      "--fidelity", fidelity)
                self.assertTrue(record["check"]["exact"], (kib, fidelity))

    def test_it_takes_less_time_than_a_pass_of_its_own(self):
        def written(record):
            return record["totals"]["bytes"]["unified_buffer"]["write"]
        for arch in ("tpu-v2", "nnp-t1000"):
            fused = cli.record("--arch", arch, "--net", "resnet18", "--mode", "timing")
            apart = cli.record("--arch", arch, "--net", "resnet18", "--mode", "timing",
                               "--set", "activation.adds=false")
            self.assertLess(len(fused["layers"]), len(apart["layers"]))
            self.assertLess(fused["totals"]["cycles"], apart["totals"]["cycles"])
            self.assertLess(written(fused), written(apart))

    def test_what_is_added_is_read_once(self):
        fused, apart = (
            {layer["name"]: layer for layer in self.run_net(*options)["layers"]}
            for options in (ADDS, ()))
        def read(layers, *names):
            return sum(layers[name]["bytes"]["unified_buffer"]["read"] for name in names)
        images = 3 * 9 * 7 * 10  # in int8; the sum alone reads its product again
        self.assertEqual(read(apart, "b", "s1") - read(fused, "b"), images)


if __name__ == "__main__":
    unittest.main()
