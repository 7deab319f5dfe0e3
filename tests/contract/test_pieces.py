#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Layers of which not even a row fits into the chip's memory: pieces of rows."""
import pathlib
import re
import tempfile
import unittest

import cli

# Windows, elements, products and what is pooled, normalised or joined; rows of 300 pixels.
WIDE = """
inputs = ( { name = "x"; shape = [40, 3, 300]; }, { name = "y"; shape = [40, 3, 300]; } );
layers = (
  { name = "lrn"; op = "lrn"; inputs = ["x"]; size = 5; },
  { name = "largest"; op = "maxpool"; kernel = 3; stride = 2; pad = 1; },
  { name = "mean"; op = "avgpool"; inputs = ["y"]; kernel = [1, 3]; stride = [1, 2]; pad = [0, 1]; },
  { name = "conv"; op = "conv2d"; inputs = ["x"]; channels = 30; kernel = [2, 3]; pad = [0, 1];
    stride = [1, 2]; },
  { name = "pooled"; op = "maxpool"; kernel = 2; },
  { name = "sum"; op = "add"; inputs = ["x", "y"]; },
  { name = "curve"; op = "sigmoid"; },
  { name = "depthwise"; op = "conv2d"; channels = 40; groups = 40; kernel = 3; pad = 1; },
  { name = "grouped"; op = "conv2d"; inputs = ["y"]; channels = 20; groups = 4; kernel = [3, 1];
    pad = [1, 0]; },
  { name = "same"; op = "conv2d"; inputs = ["y"]; channels = 40; kernel = 1; },
  { name = "residual"; op = "add"; inputs = ["same", "x"]; },
  { name = "joined"; op = "concat"; inputs = ["x", "same"]; },
  { name = "scaled"; op = "batch_norm"; inputs = ["y"]; },
  { name = "parts"; op = "softmax"; inputs = ["y"]; axis = 1; }
);
outputs = ["largest", "mean", "pooled", "depthwise", "grouped", "residual", "joined", "scaled",
           "parts"];
"""
# Rows of features have one pixel.
FEATURES = """
inputs = ( { name = "x"; shape = [2500]; } );
layers = (
  { name = "first"; op = "fc"; features = 7000; },
  { name = "relu"; op = "relu"; },
  { name = "curve"; op = "tanh"; inputs = ["first"]; },
  { name = "sum"; op = "add"; inputs = ["relu", "curve"]; },
  { name = "last"; op = "fc"; features = 4200; }
);
"""
CONV = "conv:2x64x3x512x96,3x3,1,1"
STEPS = "conv:2x64x1x700x300,1x1,2,0"
GEMM = "gemm:16x9000x512"
# Machine, network, KiB, more settings.
CASES = (
    ("tpu", CONV, 64), ("tpu", CONV, 24), ("tpu", STEPS, 20), ("tpu", GEMM, 12),
    ("tpu", CONV, 24, "--set", "array.dataflow=os"), ("tpu", CONV, 24, "--set", "array.dataflow=is"),
    ("tpu", GEMM, 12, "--set", "array.dataflow=os"), ("tpu", GEMM, 12, "--set", "array.dataflow=is"),
    ("tpu", GEMM, 24, "--precision", "int16"),
    ("systolic-32", CONV, 16), ("systolic-32", STEPS, 12), ("systolic-32", GEMM, 8),
    ("tpu-v2", CONV, 48), ("tpu-v2", GEMM, 24), ("nnp-t1000", CONV, 64), ("nnp-t1000", GEMM, 24),
    ("systolic-32", "gemm:44x3200x64", 6),
    ("tpu", WIDE, 24), ("systolic-32", WIDE, 10), ("tpu-v2", WIDE, 40), ("nnp-t1000", WIDE, 20),
    ("tpu", FEATURES, 8), ("systolic-32", FEATURES, 8), ("tpu-v2", FEATURES, 16),
)


class Pieces(unittest.TestCase):
    def setUp(self):
        temp = tempfile.TemporaryDirectory()
        self.addCleanup(temp.cleanup)
        self.folder = pathlib.Path(temp.name)
        self.saved = self.folder / "saved.map"

    def options(self, machine, net, kib, *more):
        if "layers" in net:
            file = self.folder / "made.net"
            file.write_text(net)
            net = file
        return ("--arch", machine, "--net", net, "--set", f"memory.unified_buffer.size_kib={kib}",
                *more)

    def program(self, *options):
        return cli.succeed("show", "plan", *options).split("\n", 1)[1]

    def test_values_are_exact_and_both_models_agree(self):
        for case in CASES:
            options = self.options(*case)
            event = cli.json.loads(cli.record_text(*options))
            analytic = cli.json.loads(cli.record_text(*options, "--mode", "timing", "--fidelity",
                                                      "analytic"))
            totals = event["totals"]
            self.assertTrue(event["check"]["exact"], case)
            # What a layer of WIDE begins with counts: each takes few thousand cycles.
            self.assertAlmostEqual(analytic["totals"]["cycles"] / totals["cycles"], 1,
                                   delta=0.04 if case[1] == WIDE else 0.03, msg=str(case))
            self.assertEqual(analytic["totals"]["bytes"], totals["bytes"])
            self.assertLessEqual(totals.get("bound_cycles", 0), totals["cycles"])
            for memory, least in totals.get("compulsory_bytes", {}).items():
                moved = totals["bytes"][memory]
                self.assertGreaterEqual(moved["read"], least["read"], case)
                self.assertGreaterEqual(moved["write"], least["write"], case)

    def test_pieces_lie_within_the_memory(self):
        for machine, net, kib, *more in CASES:
            plan = self.program(*self.options(machine, net, kib, *more))
            self.assertTrue(re.search(r" columns=| channels=", plan), (machine, net, kib))
            for address, size in re.findall(r"_Host_Memory +ub=0x(\w+) bytes=(\d+)", plan):
                self.assertLessEqual(int(address, 16) + int(size), kib * 1024)

    def test_channels_of_a_product_share_its_inputs(self):
        """Loaded once, and each weight is read once."""
        record = cli.record(*self.options("tpu", "gemm:1x9000x512", 4), "--mode", "timing")
        moved = record["totals"]["bytes"]
        self.assertEqual(moved["host"], {"read": 512, "write": 9000})
        self.assertEqual(moved["weights"]["read"], 512 * 36 * 256)

    def test_given_back_it_is_the_same_program(self):
        for case in CASES:
            options = self.options(*case)
            plan = self.program(*options, "--save-mapping", self.saved)
            text = self.saved.read_text()
            self.assertTrue(re.search("chunk_columns|chunk_channels", text), case)
            again = self.program(*options, "--mapping", self.saved, "--save-mapping", self.saved)
            self.assertTrue(plan == again, case)
            self.assertEqual(text, self.saved.read_text())

    def test_edited_pieces_take_effect_and_stay_exact(self):
        options = self.options("tpu", CONV, 64)
        for text in ("chunk_columns = 50", "chunk_rows = 1; chunk_columns = 13",
                     "chunk_columns = 30; chunk_images = 1"):
            self.write(text)
            record = cli.json.loads(cli.record_text(*options, "--mapping", self.saved))
            self.assertTrue(record["check"]["exact"], text)
            columns = re.search(r"columns = (\d+)", text)[1]
            self.assertIn(f"columns=0+{int(columns) + 1}",
                          self.program(*options, "--mapping", self.saved))
        options = self.options("tpu", GEMM, 12)
        self.write("chunk_channels = 256", "gemm")
        record = cli.json.loads(cli.record_text(*options, "--mapping", self.saved))
        self.assertTrue(record["check"]["exact"])

    def write(self, text, layer="conv"):
        self.saved.write_text(f'layers = ( {{ name = "{layer}"; block_rows = 8; {text}; }} );')

    def test_bad_pieces_are_refused(self):
        for case, layer, text, *patterns in (
                (CONV, "conv", "chunk_columns = 513", "512, or a multiple of 1 below"),
                (CONV, "conv", "chunk_columns = 512", "no room for chunks of 1 rows, 512 columns"),
                (CONV, "conv", "chunk_channels = 32", "chunk_channels", "multiple of 256 below"),
                (GEMM, "gemm", "chunk_columns = 2", "it is not cut there: 1 is right"),
                (GEMM, "gemm", "chunk_rows = 0", "chunk_rows")):
            self.write(text, layer)
            result = cli.run(*self.options("tpu", case, 24), "--mapping", self.saved)
            self.assertEqual(result.returncode, 2, text)
            for pattern in patterns:
                self.assertRegex(cli.text(result.stderr), pattern)

    def test_what_is_not_cut_is_refused_by_name(self):
        net = ('inputs = ( { name = "x"; shape = [3000]; } ); layers = ( { name = "r"; op = "relu";'
               ' }, { name = "both"; op = "concat"; inputs = ["x", "r"]; } );')
        result = cli.run(*self.options("tpu", net, 4))
        self.assertEqual(result.returncode, 3)
        self.assertRegex(cli.text(result.stderr), "layer 'both': one row of it needs")


if __name__ == "__main__":
    cli.main()
