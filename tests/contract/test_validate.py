# SPDX-License-Identifier: Apache-2.0
"""accsim validate: the shipped figures hold, and one that does not is told and fails.

    test_validate.py [CLASS[.TEST]...]
"""
import csv
import io
import json
import pathlib
import tempfile
import unittest

import cli

HEADING = "arch,net,batch,set,quantity,value,unit,low,high,source\n"
SMALL = "tpu,gemm:4x8x16,1,,{},{},us,{},{},made up\n"
COUNTERS = ("active", "stall:weight_stall", "stall:weight_shift", "stall:non_matrix")


class Validate(unittest.TestCase):
    """Shipped figures, and files of one's own."""

    def figures_of(self, text):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = pathlib.Path(folder.name) / "systolic-reference.csv"
        path.write_text(text, encoding="utf-8")
        return cli.run("validate", "systolic", "--json", "-", cwd=folder.name)

    def test_the_shipped_figures_hold(self):
        doc = json.loads(cli.succeed("validate", "systolic", "--json", "-"))
        self.assertEqual(doc["schema"], "accsim-validate/1")
        self.assertEqual(doc["failed"], 0)
        self.assertEqual(doc["judged"], sum("pass" in f for f in doc["figures"]))
        self.assertGreater(doc["judged"], 15)

    def test_counters_of_the_tpu_are_within_3_points_and_add_up(self):
        doc = json.loads(cli.succeed("validate", "--json", "-"))
        for net in ("tpu-mlp0", "tpu-cnn0"):
            rows = {f["quantity"]: f for f in doc["figures"]
                    if f["net"] == net and "set" not in f}
            self.assertAlmostEqual(sum(rows[c]["simulated"] for c in COUNTERS), 100, places=6)
            for counter in COUNTERS:
                with self.subTest(f"{net} {counter}"):
                    self.assertLess(abs(rows[counter]["error"]), 3)
                    self.assertTrue(rows[counter]["pass"])

    def test_a_600x600_layer_uses_61_per_cent_of_nine_tiles(self):
        record = cli.record("--arch", "tpu", "--net", "gemm:200x600x600", "--mode", "timing")
        unit = next(u for u in record["units"] if "matrix" in u["name"])
        self.assertEqual(record["totals"]["dram_read_bytes"], 9 * 65536)
        used = record["totals"]["macs"] / (unit["busy_cycles"] * 65536)
        self.assertAlmostEqual(used, 0.61, places=2)

    def test_csv_has_a_row_a_figure(self):
        rows = list(csv.DictReader(io.StringIO(cli.succeed("validate", "--csv", "-"))))
        doc = json.loads(cli.succeed("validate", "--json", "-"))
        self.assertEqual(len(rows), len(doc["figures"]))
        self.assertEqual({r["verdict"] for r in rows}, {"ok", "told"})

    def test_a_figure_that_is_off_fails(self):
        for low, high, code in (("", "0.001", 1), ("1000", "", 1), ("", "1000", 0), ("", "", 0)):
            result = self.figures_of(HEADING + SMALL.format("time", 1, low, high))
            with self.subTest(f"{low} to {high}"):
                self.assertEqual(result.returncode, code, result.stderr)
                doc = json.loads(result.stdout)
                self.assertEqual(doc["failed"], code)

    def test_a_bad_file_is_refused_by_line(self):
        for text, said in (
            ("arch,net\n", "line 1"),
            (HEADING + "tpu,gemm:4x8x16\n", "line 2: 2 cells"),
            (HEADING + SMALL.format("time", "much", "", ""), "line 2: value"),
            (HEADING + SMALL.format("weight", 1, "", ""), "no quantity 'weight'"),
            (HEADING + SMALL.format("stall:sleep", 1, "", ""), "no quantity 'stall:sleep'"),
        ):
            with self.subTest(said):
                result = self.figures_of(text)
                self.assertEqual(result.returncode, 2)
                self.assertIn(said, cli.text(result.stderr))
                self.assertEqual(result.stdout, b"")

    def test_an_unknown_family_is_refused(self):
        result = cli.run("validate", "quantum")
        self.assertEqual(result.returncode, 2)
        self.assertIn("quantum", cli.text(result.stderr))


if __name__ == "__main__":
    unittest.main()
