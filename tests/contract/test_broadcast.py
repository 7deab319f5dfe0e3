# SPDX-License-Identifier: Apache-2.0
"""Operands whose shape is not that of the result: values, cycles and bytes."""
import pathlib
import tempfile
import unittest

import cli

ROWS = """
inputs = ( {{ name = "x"; shape = [6, 12]; }} );
layers = (
  {{ name = "numbers"; op = "range"; limit = 12.5; start = 0.5; type = "fp32"; }},
  {{ name = "fc"; op = "fc"; inputs = "x"; features = 12; axis = -1; }},
  {{ name = "column"; op = "fc"; inputs = "x"; features = 1; axis = -1; }},
  {{ name = "it"; op = "{op}"; inputs = [{operands}]; }}
);
outputs = ["it", "column"];
"""
IMAGES = """
inputs = ( { name = "x"; shape = [6, 9, 10]; } );
layers = (
  { name = "conv"; op = "conv2d"; channels = 8; kernel = 3; pad = 1; },
  { name = "plane"; op = "conv2d"; inputs = "x"; channels = 1; kernel = 1; },
  { name = "pool"; op = "global_avgpool"; inputs = "conv"; },
  { name = "gate"; op = "mul"; inputs = ["conv", "pool"]; },
  { name = "sum"; op = "add"; inputs = ["plane", "gate"]; },
  { name = "relu"; op = "relu"; },
  { name = "both"; op = "sub"; inputs = ["pool", "plane"]; },
  { name = "last"; op = "add"; inputs = ["relu", "both"]; }
);
"""
PLANES = """
inputs = ( {{ name = "x"; shape = [6, 4, 4]; }} );
layers = (
  {{ name = "numbers"; op = "range"; limit = 96.5; start = 0.5; type = "fp32"; }},
  {{ name = "planes"; op = "reshape"; shape = [6, 4, 4]; }},
  {{ name = "it"; op = "{op}"; inputs = ["x", "planes"]; }}
);
"""
ALL = ("--set", "activation.functions=all")


class Broadcast(unittest.TestCase):
    def setUp(self):
        temp = tempfile.TemporaryDirectory()
        self.addCleanup(temp.cleanup)
        self.folder = pathlib.Path(temp.name)

    def run_text(self, text, *options):
        file = self.folder / f"{abs(hash(text))}.net"
        file.write_text(text)
        return cli.record("--arch", "tpu", "--net", str(file), *ALL, *options)

    def check(self, record):
        self.assertFalse([layer["name"] for layer in record["layers"] if "host" in layer])
        self.assertTrue(record["check"]["exact"])

    def test_every_format_is_exact_with_rows_columns_and_parameters(self):
        for form, snr in (("int8", 25), ("int16", 70), ("bf16", 35), ("fp32", 100), ("flex16", 50)):
            for op in ("add", "mul", "max"):
                for operands in ('"fc", "numbers"', '"column", "fc"', '"numbers", "column"'):
                    record = self.run_text(ROWS.format(op=op, operands=operands), "--batch", "2",
                                           "--set", f'array.formats=["{form}"]')
                    self.check(record)
                    self.assertGreater(record["check"]["snr_db"], snr, (form, op, operands))

    def test_images_are_exact_in_chunks_of_rows_and_images(self):
        for batch, sizes in ((1, (2, 3, 1000)), (3, (4, 1000))):
            for size_kib in sizes:
                for form in ("int8", "bf16"):
                    size = size_kib + 2 * (form == "bf16")
                    record = self.run_text(IMAGES, "--batch", str(batch), "--set",
                                           f'array.formats=["{form}"]', "--set",
                                           f"memory.unified_buffer.size_kib={size}")
                    self.check(record)

    def test_each_pixel_of_the_result_reads_the_operand_again(self):
        """Six rows of twelve values, over lanes of five: three beats a row, one of one value."""
        options = ("--mode", "timing", "--set", "array.cols=5", "--set", 'array.formats=["int8"]')
        busy = {}
        for other, values in (("fc", 12), ("numbers", 12), ("column", 1)):
            for op in ("add", "mul"):
                record = self.run_text(ROWS.format(op=op, operands=f'"fc", "{other}"'), *options)
                it = cli.layer(record, "it")
                self.assertEqual(it["bytes"]["unified_buffer"]["read"],
                                 6 * (12 + values) + 6 * 12)  # and its store
                unit = next(u for u in record["units"] if u["name"] == "activation_unit")
                busy[other, op] = unit["busy_cycles"]
        for op in ("add", "mul"):
            self.assertEqual(busy["fc", op], busy["numbers", op])
            self.assertEqual(busy["fc", op] - busy["column", op], 6 * (3 - 1))

    def test_the_analytic_model_counts_the_same(self):
        for operands in ('"fc", "numbers"', '"fc", "column"'):
            event, analytic = (
                cli.layer(self.run_text(ROWS.format(op="mul", operands=operands), "--mode",
                                        "timing", "--batch", "200", "--fidelity", fidelity),
                          "it")["cycles"]
                for fidelity in ("event", "analytic"))
            self.assertLess(abs(analytic / event - 1), 0.05)

    def test_channels_that_lie_apart_are_the_hosts(self):
        record = self.run_text(PLANES.format(op="add"), "--mode", "timing")
        self.assertEqual([layer["name"] for layer in record["layers"] if "host" in layer], ["it"])
        file = self.folder / "planes.net"
        file.write_text(PLANES.format(op="mul"))
        result = cli.run("--arch", "tpu", "--net", file, *ALL, "--set", "host.fallback=false")
        self.assertEqual(result.returncode, 3)
        self.assertRegex(cli.text(result.stderr), "'it'.*'mul': the channels of an operand .* "
                         "do not lie side by side")


if __name__ == "__main__":
    unittest.main()
