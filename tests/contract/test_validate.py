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

    def test_quantities_and_ranges_break_between_words(self):
        shown = cli.succeed("validate", "systolic")
        self.assertLessEqual(max(map(len, shown.splitlines())), 100)
        for text in ("tpu-mlp0 +active", r"9\.7\.\.15\.7", "stall: weight\\b", "activation\\b"):
            self.assertRegex(shown, text)

    def test_a_bound_may_lack_an_end(self):
        cases = (("", "1000", "<= 1000"), ("0.1", "", ">= 0.1"), ("1", "1000", "1..1000"))
        for low, high, said in cases:
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder) / "systolic-reference.csv"
                path.write_text(HEADING + SMALL.format("time", 1, low, high), encoding="utf-8")
                self.assertIn(said, cli.text(cli.run("validate", cwd=folder).stdout))

    def test_a_figure_that_is_off_fails(self):
        for low, high, code in (("", "0.001", 1), ("1000", "", 1), ("", "1000", 0), ("", "", 0)):
            result = self.figures_of(HEADING + SMALL.format("time", 1, low, high))
            with self.subTest(f"{low} to {high}"):
                self.assertEqual(result.returncode, code, result.stderr)
                doc = json.loads(result.stdout)
                self.assertEqual(doc["failed"], code)

    def test_cells_may_have_commas_and_quotation_marks(self):
        text = SMALL.format("time", 1, "", "").replace("made up", '"made ""up"", by hand"')
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "systolic-reference.csv"
            path.write_text(HEADING + text, encoding="utf-8")
            (figure,) = json.loads(cli.run("validate", "--json", "-", cwd=folder).stdout)["figures"]
            shown = cli.text(cli.run("validate", "--csv", "-", cwd=folder).stdout)
        self.assertEqual(figure["source"], 'made "up", by hand')
        (row,) = csv.DictReader(io.StringIO(shown))
        self.assertEqual(row["source"], 'made "up", by hand')
        self.assertEqual(row["verdict"], "told")

    def test_a_bad_file_is_refused_by_line(self):
        for text, said in (
            ("arch,net\n", "line 1"),
            (HEADING + "tpu,gemm:4x8x16\n", "line 2: 2 cells"),
            (HEADING + 'tpu,"gemm:4x8x16\n', "line 2: a quoted cell"),
            (HEADING + 'tpu,"gemm"x\n', "line 2: a quoted cell"),
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


class Stalls(unittest.TestCase):
    """What overlaps non-matrix cycles."""

    def test_gates_hold_up_the_next_product_however_deep_queues_are(self):
        """The product behind a gate's vector layers needs their result; its Sync wait is behind
        theirs in full queues."""
        for depth in (16, 64, 256):
            record = cli.record(
                *("--arch", "tpu", "--net", "tpu-lstm0", "--batch", "64", "--mode", "timing"),
                *("--set", f"controller.queue_depth={depth}"),
            )
            layers = {layer["name"]: layer for layer in record["layers"]}
            with self.subTest(depth):
                for name in ("new1", "kept1"):
                    waited = layers[name]["overlapping"]["raw_stall"]
                    self.assertEqual(waited, layers[name]["cycles"])
                self.assertGreater(layers["kept1"]["overlapping"]["input_stall"], 0)

    def test_each_is_within_the_non_matrix_cycles(self):
        for arch, net, batch in (
            *(("tpu", "tpu-mlp0", 200), ("tpu", "tpu-cnn0", 8), ("tpu", "tpu-lstm0", 64)),
            *(("tpu-v3", "alexnet", 2), ("nnp-t1000", "alexnet", 2), ("tpu-v2", "bert-base", 1)),
        ):
            record = cli.record(
                "--arch", arch, "--net", net, "--batch", str(batch), "--mode", "timing"
            )
            matrix = record["units"][0]
            for cause, cycles in matrix["overlapping"].items():
                with self.subTest(f"{net} {arch} {cause}"):
                    self.assertLessEqual(cycles, matrix["stalls"]["non_matrix"])


class Power(unittest.TestCase):
    """Power over the time of a run."""

    def test_its_integral_is_the_energy(self):
        for args in (
            ("--net", "alexnet", "--batch", "2"),
            ("--net", "tpu-lstm1", "--batch", "4"),
            ("--net", "alexnet", "--fidelity", "analytic"),
            ("--net", "alexnet", "--set", "array.timing=scalesim"),
            ("--net", "mobilenet-v1", "--set", "array.dataflow=is", "--set", "energy.idle_w=0"),
            ("--net", "gemm:1x1x1"),
        ):
            with self.subTest(" ".join(args)):
                record = cli.record("--arch", "tpu", *args, "--mode", "timing")
                totals, power = record["totals"], record["power"]
                watts, interval_s = power["watts"], power["interval_seconds"]
                self.assertLessEqual(len(watts), 128)
                self.assertAlmostEqual(len(watts) * interval_s / totals["seconds"], 1, places=9)
                self.assertAlmostEqual(sum(watts) * interval_s / totals["energy_j"], 1, places=9)
                self.assertEqual(totals["peak_power_w"], max(watts))
                self.assertGreaterEqual(totals["peak_power_w"], totals["power_w"] * (1 - 1e-9))

    def test_no_interval_is_above_what_all_units_take_at_once(self):
        """At the full rate of each: MACs, 34 GB/s of weights, 256 bytes in and out of the buffer,
        sums read and written, a value a lane and cycle."""
        for net, batch in (("alexnet", 1), ("tpu-cnn0", 8), ("resnet50", 2), ("tpu-mlp0", 200)):
            record = cli.record(
                "--arch", "tpu", "--net", net, "--batch", str(batch), "--mode", "timing"
            )
            pj = {k: v for k, v in record["arch"]["settings"].items() if k.startswith("energy.")}
            cycle_pj = (
                65536 * pj["energy.mac_pj"]
                + 2 * 256 * pj["energy.unified_buffer_pj_per_byte"]
                + 3 * 1024 * pj["energy.accumulators_pj_per_byte"]
                + 256 * pj["energy.activation_pj"]
            )
            byte_pj = (
                pj["energy.weight_memory_pj_per_byte"] + 2 * pj["energy.weight_fifo_pj_per_byte"]
            )
            link_w = pj["energy.host_link_pj_per_byte"] * 10e9 * 1e-12
            most_w = 28 + cycle_pj * 700e6 * 1e-12 + byte_pj * 34e9 * 1e-12 + link_w
            with self.subTest(net):
                self.assertLess(record["totals"]["peak_power_w"], most_w)
                self.assertGreater(record["totals"]["peak_power_w"], 28)

    def test_each_byte_over_the_host_link_has_a_price(self):
        """PCIe's of a machine with lanes of its own: 50 mW at 8 Gb/s."""
        for arch, sets, pj in (
            ("tpu", (), 50),
            ("tpu", ("energy.host_link_pj_per_byte=7",), 7),
            ("tpu", ("area.host_lanes=0", "memory.weights.standard=none"), 0),
            ("edge-tpu", (), 50),
        ):
            for fidelity in ("event", "analytic"):
                with self.subTest(f"{arch} {sets} {fidelity}"):
                    args = ("--arch", arch, "--net", "gemm:64x300x500", "--fidelity", fidelity)
                    record = cli.record(
                        *args, "--mode", "timing", *(x for s in sets for x in ("--set", s))
                    )
                    moved = sum(record["totals"]["bytes"]["host"].values())
                    self.assertEqual(moved, 64 * (300 + 500))
                    self.assertAlmostEqual(
                        record["totals"]["energy"]["host_link"], moved * pj * 1e-12, places=15
                    )

    def test_each_byte_of_a_dram_for_all_has_a_price(self):
        """HBM2's 3.9 pJ a bit, or what is given for a byte read and a byte written."""
        for sets, read_pj, write_pj in (
            ((), 31.2, 31.2),
            (("energy.dram_read_pj_per_byte=7", "energy.dram_write_pj_per_byte=11"), 7, 11),
        ):
            for fidelity in ("event", "analytic"):
                with self.subTest(f"{sets} {fidelity}"):
                    record = cli.record(
                        *("--arch", "tpu-v2", "--net", "gemm:64x300x500", "--fidelity", fidelity),
                        *("--mode", "timing", *(x for s in sets for x in ("--set", s))),
                    )
                    totals = record["totals"]
                    moved = totals["bytes"]["dram"]
                    self.assertEqual(moved["write"], 2 * 64 * 300)
                    self.assertGreaterEqual(moved["read"], 2 * (64 * 500 + 300 * 500))
                    self.assertEqual(totals["dram_read_bytes"], moved["read"])
                    self.assertEqual(totals["dram_write_bytes"], moved["write"])
                    pj = moved["read"] * read_pj + moved["write"] * write_pj
                    self.assertAlmostEqual(totals["energy"]["dram"], pj * 1e-12, places=15)
                    self.assertNotIn("host_link", totals["energy"])
                    self.assertNotIn("weight_memory", totals["energy"])

    def test_power_is_low_while_only_the_host_link_works(self):
        """Much input, little to compute: the array waits first."""
        watts = cli.record("--arch", "tpu", "--net", "gemm:4096x2048x256", "--mode", "timing")[
            "power"
        ]["watts"]
        self.assertLess(watts[0], min(max(watts) / 1.15, 31))


class Banks(unittest.TestCase):
    """Commands of DRAM with rows and banks have prices."""

    def run_bank(self, *sets, net="alexnet", fidelity="event"):
        args = [x for s in ("memory.weights.model=bank", *sets) for x in ("--set", s)]
        return cli.record(
            "--arch", "tpu", "--net", net, "--mode", "timing", "--fidelity", fidelity, *args
        )

    def test_the_component_is_the_sum_of_the_commands(self):
        record = self.run_bank()
        (memory,) = record["memories"]
        self.assertEqual(set(memory["energy"]), {"access", "activate", "refresh", "background"})
        total = record["totals"]["energy"]["weight_memory"]
        self.assertAlmostEqual(sum(memory["energy"].values()) / total, 1, places=9)
        self.assertAlmostEqual(
            sum(layer["energy"]["weight_memory"] for layer in record["layers"]) / total, 1, places=9
        )
        pj = record["arch"]["settings"]["energy.weight_memory_pj_per_byte"]
        read = record["totals"]["dram_read_bytes"]
        self.assertAlmostEqual(memory["energy"]["access"] / (read * pj * 1e-12), 1, places=9)

    def test_an_activate_costs_the_same_in_any_order(self):
        stream, banks = self.run_bank(), self.run_bank("memory.weights.mapping=RoCoRaBaCh")
        for record in (stream, banks):
            (memory,) = record["memories"]
            self.assertAlmostEqual(
                memory["energy"]["activate"] / memory["activates"], 11.30e-9, delta=0.01e-9
            )

    def test_background_and_refresh_go_with_time_and_ranks(self):
        one, two = self.run_bank(), self.run_bank("memory.weights.ranks=2")
        for record, n_rank in ((one, 1), (two, 2)):
            (memory,) = record["memories"]
            power_w = memory["energy"]["background"] / record["totals"]["seconds"]
            self.assertAlmostEqual(power_w, n_rank * 16 * 1.35 * 0.041, places=9)

    def test_the_closed_forms_cost_about_the_same(self):
        event, analytic = self.run_bank(), self.run_bank(fidelity="analytic")
        costs = [r["totals"]["energy"]["weight_memory"] for r in (event, analytic)]
        self.assertAlmostEqual(costs[1] / costs[0], 1, delta=0.01)

    def test_a_price_that_is_given_is_for_bytes_alone(self):
        record = self.run_bank("energy.weight_memory_pj_per_byte=100")
        self.assertNotIn("energy", record["memories"][0])
        self.assertAlmostEqual(
            record["totals"]["energy"]["weight_memory"],
            record["totals"]["dram_read_bytes"] * 100e-12,
            places=12,
        )


class Area(unittest.TestCase):
    """The die of a machine, part by part."""

    def area(self, *sets):
        args = [x for s in sets for x in ("--set", s)]
        doc = json.loads(cli.succeed("show", "arch", "tpu", "--json", "-", *args))
        return doc["area_mm2"], doc["area"]

    def test_the_parts_make_the_die(self):
        for sets in ((), ("technology_nm=7",), ("area_mm2=300",), ("area.control=0",)):
            die, parts = self.area(*sets)
            with self.subTest(sets):
                self.assertAlmostEqual(sum(parts.values()), die, places=9)
                self.assertEqual("control" in parts, sets != ("area.control=0",))

    def test_a_given_die_keeps_its_blocks(self):
        _, parts = self.area()
        die, in_given = self.area("area_mm2=300")
        self.assertEqual(die, 300)
        self.assertEqual(in_given["matrix_unit"], parts["matrix_unit"])
        self.assertGreater(in_given["unplaced"], parts["unplaced"])

    def test_each_part_follows_its_settings(self):
        _, parts = self.area()
        for setting, part, times in (
            ("array.rows=128", "matrix_unit", 0.5),
            ("memory.unified_buffer.size_kib=49152", "unified_buffer", 2),
            ("accumulators.entries=2048", "accumulators", 0.5),
            ("weight_fifo.tiles=8", "weight_fifo", 2),
            ("activation.values_per_cycle=64", "activation_unit", 0.5),
            ("memory.weights.channels=1", "memory_phy", 0.5),
            ("area.host_lanes=8", "host_phy", 0.5),
        ):
            with self.subTest(setting):
                _, changed = self.area(setting)
                self.assertAlmostEqual(changed[part] / parts[part], times, places=9)
        _, single = self.area("array.double_buffer=false")
        self.assertLess(single["matrix_unit"], parts["matrix_unit"])
        self.assertNotIn("memory_phy", self.area("memory.weights.standard=GDDR5")[1])
        _, stacks = self.area("memory.weights.standard=HBM2", "memory.weights.channels=64")
        self.assertAlmostEqual(stacks["memory_phy"], 4 * 14.9, places=9)

    def test_reports_tell_it(self):
        die, parts = self.area()
        record = cli.record("--arch", "tpu", "--net", "gemm:1x2x3", "--mode", "timing")
        self.assertAlmostEqual(record["totals"]["area_mm2"], die, places=9)
        self.assertEqual(list(record["totals"]["area"]), list(parts))
        for part, mm2 in parts.items():
            self.assertAlmostEqual(record["totals"]["area"][part], mm2, places=9)

    def settings(self, *sets):
        args = [x for s in sets for x in ("--set", s)]
        doc = json.loads(cli.succeed("show", "arch", "tpu", "--json", "-", *args))
        return doc, {s["path"]: s for s in doc["settings"]}

    def test_what_is_left_to_the_machine_is_shown_as_it_worked_it_out(self):
        doc, settings = self.settings("energy.idle_w=-1", "energy.activation_pj=3")
        leakage_w = sum(doc["leakage_w"].values())
        self.assertAlmostEqual(settings["energy.idle_w"]["value"], leakage_w, places=9)
        self.assertEqual(settings["area_mm2"]["value"], doc["area_mm2"])
        for path, setting in settings.items():
            derived = path == "area_mm2" or (
                path.startswith("energy.")
                and path != "energy.activation_pj"
                and "dram" not in path  # this machine has none
            )
            with self.subTest(path):
                self.assertEqual(setting.get("is_derived", False), derived)
                if derived:
                    self.assertGreater(setting["value"], 0)
        self.assertEqual(settings["energy.activation_pj"]["value"], 3)
        record = cli.record("--arch", "tpu", "--net", "gemm:1x2x3", "--mode", "timing")
        self.assertAlmostEqual(record["arch"]["settings"]["energy.mac_pj"], 0.218, places=3)
        self.assertIn("energy.mac_pj", record["arch"]["derived"])
        self.assertNotIn("energy.idle_w", record["arch"]["derived"])

    def test_idle_power_is_leakage_where_it_is_not_given(self):
        run = ("--arch", "tpu", "--net", "gemm:64x256x256", "--mode", "timing", "--set")
        doc, _ = self.settings()
        for idle_w, expected in ((28, 28), (0, 0), (-1, sum(doc["leakage_w"].values()))):
            with self.subTest(idle_w):
                record = cli.record(*run, f"energy.idle_w={idle_w}")
                totals = record["totals"]
                self.assertAlmostEqual(
                    totals["energy"]["idle"] / totals["seconds"], expected, places=9
                )
                for layer in record["layers"]:
                    self.assertAlmostEqual(
                        layer["energy"]["idle"],
                        expected * layer["cycles"] / record["arch"]["clock_hz"],
                        places=12,
                    )

    def test_an_energy_below_nothing_is_refused(self):
        for value, code in (("-1", 0), ("0", 0), ("-0.5", 2)):
            result = cli.run("show", "arch", "tpu", "--set", f"energy.mac_pj={value}")
            with self.subTest(value):
                self.assertEqual(result.returncode, code)
                self.assertEqual("energy.mac_pj = -0.5" in cli.text(result.stderr), code == 2)

    def test_a_die_of_control_alone_is_refused(self):
        result = cli.run("show", "arch", "tpu", "--set", "area.placed=0.02")
        self.assertEqual(result.returncode, 2)
        self.assertIn("area.placed = 0.02", cli.text(result.stderr))


if __name__ == "__main__":
    unittest.main()
