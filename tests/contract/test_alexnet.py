# SPDX-License-Identifier: Apache-2.0
"""AlexNet on the TPU v1: what must hold of its cycles and values.

    test_alexnet.py [CLASS[.TEST]...]
"""
import csv
import tempfile
import unittest

import cli

TIMING = ("--mode", "timing")
BATCHES = (1, 16, 200)
FC6_WEIGHT_BYTES = 37_748_736
BIASES = 96 + 256 + 384 + 384 + 256 + 4096 + 4096 + 1000
TILES_AHEAD = 6  # 4 in the weight FIFO, 2 in the array: what an earlier layer's time can hide


def timing(*args, batch=1):
    return cli.alexnet(*TIMING, "--batch", str(batch), *args)


def doubled(path, *args, batch=1):
    """The same run with one setting doubled."""
    value = 2 * cli.setting(timing(batch=batch), path)
    return timing("--set", f"{path}={value!r}", *args, batch=batch)


def published():
    with open(cli.ROOT / "tests/reference/alexnet.csv", encoding="utf-8") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return {row["layer"]: row for row in rows}


class Sums(unittest.TestCase):
    def test_macs_and_parameters_are_the_published_networks(self):
        for batch in (1, 3):
            record = timing(batch=batch)
            for name, row in published().items():
                self.assertEqual(cli.layer(record, name)["macs"], batch * int(row["macs"]), name)
            self.assertEqual(record["net"]["macs"], 724_406_816)
            self.assertEqual(record["net"]["parameters"], 60_965_224)
            self.assertEqual(record["totals"]["macs"], batch * 724_406_816)

    def test_layers_cycles_add_up(self):
        for batch in BATCHES:
            for fidelity in ("event", "analytic"):
                with self.subTest(f"batch {batch} {fidelity}"):
                    record = timing("--fidelity", fidelity, batch=batch)
                    cycles = sum(layer["cycles"] for layer in record["layers"])
                    self.assertEqual(cycles, record["totals"]["cycles"])

    def test_units_cycles_add_up(self):
        for batch in BATCHES:
            record = timing(batch=batch)
            matrix = cli.matrix_unit(record)
            with self.subTest(f"batch {batch}"):
                cycles = matrix["busy_cycles"] + sum(matrix["stalls"].values())
                self.assertEqual(cycles, record["totals"]["cycles"])
            self.assertLessEqual(
                set(matrix["stalls"]), {"weight_stall", "weight_shift", "non_matrix"}
            )
            self.assertLessEqual(set(matrix["overlapping"]), {"raw_stall", "input_stall"})

    def test_cycles_do_not_depend_on_values(self):
        for batch in (1, 3):
            of_timing, of_values = timing(batch=batch), cli.alexnet("--batch", str(batch))
            self.assertEqual(of_timing["totals"]["cycles"], of_values["totals"]["cycles"])
            for fast, full in zip(of_timing["layers"], of_values["layers"], strict=True):
                self.assertEqual(fast["cycles"], full["cycles"], fast["name"])

    def test_seconds_and_utilization_follow_from_cycles(self):
        record = timing()
        totals = record["totals"]
        self.assertAlmostEqual(
            totals["seconds"] * record["arch"]["clock_hz"], totals["cycles"], places=3
        )
        used = totals["macs"] / (totals["cycles"] * record["arch"]["peak_macs_per_cycle"])
        self.assertAlmostEqual(totals["utilization"], used, places=6)


class Bounds(unittest.TestCase):
    """Nothing is faster than the hardware could be."""

    def test_no_layer_beats_the_peak(self):
        for batch in BATCHES:
            record = timing(batch=batch)
            self.assertEqual(record["arch"]["peak_macs_per_cycle"], 256 * 256)
            for layer in record["layers"]:
                if layer["macs"]:
                    with self.subTest(f"batch {batch} {layer['name']}"):
                        work = layer["cycles"] * record["arch"]["peak_macs_per_cycle"]
                        self.assertGreaterEqual(work, layer["macs"])

    def test_one_product_on_two_arrays_has_a_bound(self):
        record = cli.record("--arch", "systolic-32", "--net", "gemm:1x1x1", "--mode", "timing",
                            "--set", "array.count=2")
        self.assertEqual(record["totals"]["bound_cycles"], 1)

    def test_no_layer_beats_the_weight_memory(self):
        for batch in BATCHES:
            record = timing(batch=batch)
            bytes_per_cycle = (
                cli.setting(record, "memory.weights.bandwidth_gb_s")
                * 1e9
                / record["arch"]["clock_hz"]
            )
            for name, row in published().items():
                with self.subTest(f"batch {batch} {name}"):
                    layer = cli.layer(record, name)
                    read = layer["bytes"]["weights"]["read"]
                    # Biases are no tiles: a 256th of the smallest layer's parameters at most.
                    self.assertGreaterEqual(read, 0.99 * int(row["parameters"]))
                    # Where layers take turns on some images, each turn reads all of the weights
                    # and finds the first tiles there.
                    turns = max(1, read // int(row["parameters"]))
                    ahead = turns * TILES_AHEAD * 256 * 256
                    self.assertGreaterEqual(layer["cycles"], (read - ahead) / bytes_per_cycle)

    def test_nothing_is_below_the_bound_that_it_states(self):
        for batch in BATCHES:
            for fidelity in ("event", "analytic"):
                record = timing("--fidelity", fidelity, batch=batch)
                for row in [record["totals"], *record["layers"]]:
                    with self.subTest(f"batch {batch} {fidelity} {row.get('name', 'total')}"):
                        bound = row.get("bound_cycles", 0)
                        self.assertEqual(bound > 0, not row.get("host", False))
                        self.assertGreaterEqual(row["cycles"], bound)
                        if bound:
                            gap = row["cycles"] / bound - 1
                            self.assertAlmostEqual(row["gap"], gap, places=9)
                        for name, least in row.get("compulsory_bytes", {}).items():
                            for way in ("read", "write"):
                                self.assertGreaterEqual(row["bytes"][name][way], least[way], name)

    def test_the_bound_is_arithmetic_on_the_network(self):
        record = timing()
        conv1, fc6 = (cli.layer(record, name) for name in ("conv1", "fc6"))
        self.assertEqual(conv1["bound_cycles"], 55 * 55 * 2)  # rows x tiles of 363 x 96 weights
        # 36 x 16 tiles, but for the 5 that lie in FIFO and shadow registers when fc6 begins
        self.assertEqual(fc6["bound_cycles"], int((36 * 16 - 5) * 65536 * 700 / 34e3))
        self.assertEqual(fc6["compulsory_bytes"]["weights"]["read"], FC6_WEIGHT_BYTES)
        self.assertEqual(
            record["totals"]["compulsory_bytes"],
            {
                "weights": {"read": 60_965_224 - BIASES, "write": 0},
                "host": {"read": 3 * 227 * 227, "write": 1000},
            },
        )

    def test_fc6_is_bound_by_its_weights(self):
        record = timing("--set", "memory.weights.model=fixed")
        fc6 = cli.layer(record, "fc6")
        took = cli.seconds(record, fc6["cycles"])
        least = FC6_WEIGHT_BYTES / (cli.setting(record, "memory.weights.bandwidth_gb_s") * 1e9)
        self.assertEqual(fc6["bound"], "memory")
        self.assertLess(abs(took / least - 1), 0.03, f"{took} s against {least} s")


class Traffic(unittest.TestCase):
    """What does not fit is computed some images at a time, not sent to the host and back."""

    def test_nothing_but_inputs_and_outputs_crosses_the_link(self):
        for batch in BATCHES:
            totals = timing(batch=batch)["totals"]
            self.assertEqual(totals["bytes"]["host"], totals["compulsory_bytes"]["host"])

    def test_batch_200_is_near_its_bound(self):
        self.assertLess(timing(batch=200)["totals"]["gap"], 0.15)


class Trends(unittest.TestCase):
    """What a change of the hardware does."""

    def test_twice_the_weight_bandwidth_speeds_batch_1_up(self):
        ratio = (
            timing()["totals"]["cycles"]
            / doubled("memory.weights.bandwidth_gb_s")["totals"]["cycles"]
        )
        self.assertTrue(1.5 <= ratio <= 2.0, ratio)

    def test_twice_the_weight_bandwidth_leaves_compute_bound_layers(self):
        # The same program: cheaper weights let the search cut smaller blocks, which drain sooner.
        with tempfile.TemporaryDirectory() as folder:
            file = f"{folder}/alexnet.map"
            before = timing("--save-mapping", file, batch=16)
            after = doubled("memory.weights.bandwidth_gb_s", "--mapping", file, batch=16)
        compute_bound = [
            layer
            for layer in before["layers"]
            if layer["op"].startswith("conv2d") and layer["bound"] == "compute"
        ]
        self.assertTrue(compute_bound)
        for layer in compute_bound:
            with self.subTest(layer["name"]):
                change = cli.layer(after, layer["name"])["cycles"] / layer["cycles"]
                self.assertLess(abs(change - 1), 0.02, change)

    def test_twice_the_clock_does_not_speed_fc6_up(self):
        before, after = timing(), doubled("clock_mhz")
        self.assertEqual(after["arch"]["clock_hz"], 2 * before["arch"]["clock_hz"])
        ratio = cli.seconds(before, cli.layer(before, "fc6")["cycles"]) / cli.seconds(
            after, cli.layer(after, "fc6")["cycles"]
        )
        self.assertLess(ratio, 1.02)

    def test_the_analytic_model_agrees_with_the_events(self):
        for batch in BATCHES:
            event = timing(batch=batch)
            analytic = timing("--fidelity", "analytic", batch=batch)
            total = event["totals"]["cycles"]
            with self.subTest(f"batch {batch}"):
                self.assertLess(abs(analytic["totals"]["cycles"] / total - 1), 0.05)
            for layer in event["layers"]:
                if layer["cycles"] > 0.01 * total:
                    with self.subTest(f"batch {batch} {layer['name']}"):
                        cycles = cli.layer(analytic, layer["name"])["cycles"]
                        self.assertLess(abs(cycles / layer["cycles"] - 1), 0.10)


class Banks(unittest.TestCase):
    """The weight memory with rows, banks and refresh."""

    BANK = ("--set", "memory.weights.model=bank")

    def test_they_cost_what_refresh_and_rows_do(self):
        for batch in BATCHES:
            ratio = (
                timing(*self.BANK, batch=batch)["totals"]["cycles"]
                / timing(batch=batch)["totals"]["cycles"]
            )
            with self.subTest(f"batch {batch}"):
                self.assertTrue(0.999 <= ratio <= 1.06, ratio)  # tRFC / tREFI is 0.033

    def test_every_burst_is_counted_once(self):
        record = timing(*self.BANK)
        (memory,) = record["memories"]
        self.assertEqual((memory["name"], memory["standard"]), ("weights", "DDR3"))
        bursts = sum(memory[f"row_{kind}"] for kind in ("hits", "misses", "conflicts"))
        read = record["totals"]["dram_read_bytes"]
        self.assertEqual(bursts * 64, read)
        rows = read / 8192  # each tile has addresses of its own: every row is opened at least once
        self.assertTrue(rows <= memory["activates"] <= 1.1 * rows, memory)
        refreshes = cli.seconds(record, record["totals"]["cycles"]) / 7.8e-6 * 2
        self.assertLess(abs(memory["refreshes"] - refreshes), 2)
        self.assertGreater(memory["busy_cycles"], memory["peak_cycles"])
        self.assertNotIn("memories", timing())

    def test_the_analytic_model_agrees_with_the_events(self):
        for batch in BATCHES:
            event = timing(*self.BANK, batch=batch)["totals"]["cycles"]
            analytic = timing(*self.BANK, "--fidelity", "analytic", batch=batch)["totals"]["cycles"]
            with self.subTest(f"batch {batch}"):
                self.assertLess(abs(analytic / event - 1), 0.05)

    def test_twice_the_bandwidth_of_more_channels_never_slows(self):
        wide = ("--set", "memory.weights.channels=4", "--set", "memory.weights.bandwidth_gb_s=68")
        before, after = timing(*self.BANK), timing(*self.BANK, *wide)
        self.assertLess(after["totals"]["cycles"], before["totals"]["cycles"])


class Exact(unittest.TestCase):
    """Tiling changes no bit; quantisation leaves 20 dB."""

    def check(self, batch, rows=256, cols=256):
        record = cli.alexnet(
            *("--batch", str(batch)),
            *("--set", f"array.rows={rows}", "--set", f"array.cols={cols}"),
        )
        self.assertEqual([layer["name"] for layer in record["layers"] if layer["macs"]],
                         list(published()))
        for layer in record["layers"]:
            if layer["macs"]:
                with self.subTest(f"batch {batch} {rows} x {cols} {layer['name']}"):
                    self.assertIs(layer["check"]["exact"], True)
                    self.assertIs(layer["check"]["pass"], True)
        self.assertIs(record["check"]["pass"], True)
        self.assertGreaterEqual(record["check"]["snr_db"], 20)

    def test_as_built(self):
        for batch in (1, 3):
            self.check(batch)

    def test_8x8(self):
        for batch in (1, 3):
            self.check(batch, 8, 8)

    def test_12x20(self):
        for batch in (1, 3):
            self.check(batch, 12, 20)

    def test_64x256(self):
        for batch in (1, 3):
            self.check(batch, 64, 256)


class ExactLarge(Exact):
    """The same for batches that are cut into chunks."""

    test_as_built = test_8x8 = test_12x20 = test_64x256 = None

    def test_batch_16(self):
        self.check(16)

    def test_batch_200(self):
        self.check(200)


if __name__ == "__main__":
    cli.main()
