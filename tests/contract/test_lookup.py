# SPDX-License-Identifier: Apache-2.0
"""Rows of tables by indices, on machines that have them: values, bytes and cycles."""
import pathlib
import struct
import tempfile
import unittest

import cli
import onnx_file as onnx

NET = """
inputs = ( {{ name = "ids"; shape = [{n}]; type = "int64"; below = {below}; }} );
layers = (
  {{ name = "word"; op = "embedding"; inputs = "ids"; rows = 1000; width = 48; padding_idx = 3; }},
  {{ name = "places"; op = "range"; limit = {n}; type = "int64"; }},
  {{ name = "place"; op = "embedding"; inputs = "places"; rows = 1000; width = 48; }},
  {{ name = "sum"; op = "add"; inputs = ["word", "place"]; }},
  {{ name = "fc"; op = "fc"; features = 7; axis = -1; }}
);
"""
HAS = ("--set", 'activation.functions=["embedding", "gather"]')


def npy(ids):
    """A .npy file of int64."""
    head = f"{{'descr': '<i8', 'fortran_order': False, 'shape': (1, {len(ids)}), }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    magic = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head))
    return magic + head.encode() + struct.pack(f"<{len(ids)}q", *ids)


class Lookup(unittest.TestCase):
    def setUp(self):
        temp = tempfile.TemporaryDirectory()
        self.addCleanup(temp.cleanup)
        self.folder = pathlib.Path(temp.name)

    def net(self, n=20, below=1000):
        file = self.folder / f"{n}-{below}.net"
        file.write_text(NET.format(n=n, below=below))
        return str(file)

    def run_net(self, *options, n=20, below=1000):
        return cli.record("--arch", "tpu", "--net", self.net(n, below), *HAS, *options)

    def test_every_format_is_exact_and_nothing_is_left_to_the_host(self):
        least = {"int8": 25, "int16": 70, "bf16": 35, "fp16": 50, "fp32": 100, "flex16": 60}
        for form, snr in least.items():
            # a small range of indices has the one that gives zeros among them
            record = self.run_net("--batch", "3", "--set", f'array.formats=["{form}"]', below=5)
            self.assertFalse([layer["name"] for layer in record["layers"] if "host" in layer])
            self.assertTrue(record["check"]["exact"])
            self.assertGreater(record["check"]["snr_db"], snr, form)

    def test_a_small_buffer_is_exact_too(self):
        for size_kib in (1, 2):
            record = self.run_net("--batch", "4", "--set",
                                  f"memory.unified_buffer.size_kib={size_kib}")
            self.assertTrue(record["check"]["exact"])

    def test_bytes_are_those_of_the_rows_found(self):
        for fidelity in ("event", "analytic"):
            record = self.run_net("--batch", "2", "--mode", "timing", "--fidelity", fidelity)
            word, place = cli.layer(record, "word"), cli.layer(record, "place")
            self.assertEqual(word["bytes"]["weights"]["read"], 2 * 20 * 48)
            self.assertEqual(place["bytes"]["weights"]["read"], 20 * 48)
            # rows, and the indices, eight bytes each, on their way from the host
            self.assertEqual(word["bytes"]["unified_buffer"],
                             {"read": 2 * 20 * 8, "write": 2 * 20 * (48 + 8)})
            self.assertGreater(word["energy"]["weight_memory"], 0)

    def test_cycles_by_hand(self):
        """An address a cycle where the memory is fast; the bytes at its rate where it is slow."""
        rate, latency = "memory.weights.bandwidth_gb_s", "memory.weights.latency_ns"
        fast = ("--set", f"{rate}=1000", "--set", f"{latency}=100")
        slow = ("--set", f"{rate}=0.7", "--set", f"{latency}=0")
        for options, rows in ((fast, 199 + 1 + 70), (slow, 200 * 48)):
            for fidelity, issue in (("event", 4), ("analytic", 0)):
                record = self.run_net("--mode", "timing", "--fidelity", fidelity, "--layers",
                                      "word", *options, n=200)
                cycles = cli.layer(record, "word")["cycles"]
                # bytes of an index, of a row
                load, store = (-(-200 * size * 7 // 100) for size in (8, 48))
                self.assertLessEqual(abs(cycles - (load + rows + store)), issue + 2)

    def test_no_cycle_depends_on_values(self):
        bank = ("--set", "memory.weights.model=bank")
        for options in ((), bank):
            timed = self.run_net("--mode", "timing", *options)["totals"]["cycles"]
            for seed in ("1", "2"):
                self.assertEqual(self.run_net("--seed", seed, *options)["totals"]["cycles"], timed)

    def test_rows_that_lie_apart_take_the_memory_longer(self):
        """Constants are looked up where they are, one behind the other, others all over."""
        record = self.run_net("--mode", "timing", "--set", "memory.weights.model=bank", n=500)
        word, place = (cli.layer(record, name)["cycles"] for name in ("word", "place"))
        self.assertGreater(word, 1.5 * place)

    def test_an_index_beyond_the_table_is_an_error_that_names_it(self):
        for ids, found in (([1, 2, 1000], "1000"), ([5, -1, 2], "-1")):
            file = self.folder / "ids.npy"
            file.write_bytes(npy(ids))
            net = self.net(3)
            for fidelity in ("event", "analytic"):
                for form in ("int8", "bf16"):
                    result = cli.run("--arch", "tpu", "--net", net, *HAS, "--input", file,
                                     "--fidelity", fidelity, "--set", f'array.formats=["{form}"]')
                    self.assertEqual(result.returncode, 2)
                    self.assertRegex(cli.text(result.stderr), f"net:4: layer 'word': index {found} "
                                     "of a table of 1000 rows")

    def test_a_machine_without_it_leaves_it_to_the_host_or_says_what_is_missing(self):
        record = cli.record("--arch", "tpu", "--net", self.net(), "--mode", "timing")
        host = [layer["name"] for layer in record["layers"] if "host" in layer]
        self.assertEqual(host, ["word", "place"])
        result = cli.run("--arch", "tpu", "--net", self.net(), "--set", "host.fallback=false")
        self.assertEqual(result.returncode, 3)
        self.assertRegex(cli.text(result.stderr),
                         "'word'.*'embedding'.*not one of activation.functions")

    def test_gather_of_a_parameters_rows_counts_back_from_its_end(self):
        file = self.folder / "g.onnx"
        table = onnx.floats("table", [6, 4], [0.5 * i for i in range(24)])
        wanted = onnx.ints("wanted", [3], [-1, 0, -6])
        nodes = (onnx.node("Gather", ["table", "ids"], ["rows"], axis=0),
                 onnx.node("Gather", ["table", "wanted_ids"], ["more"], axis=0),
                 onnx.node("Add", ["rows", "more"], ["y"]))
        inputs = [onnx.value_info(name, [3], onnx.INT64) for name in ("ids", "wanted_ids")]
        file.write_bytes(onnx.model(nodes, inputs, [onnx.value_info("y", [])], (table, wanted)))
        ids = self.folder / "ids.npz"
        import numpy
        numpy.savez(ids, ids=numpy.array([5, -2, 1]), wanted_ids=numpy.array([-1, 0, -6]))
        out = self.folder / "out.npz"
        record = cli.record("--arch", "tpu", "--net", str(file), *HAS, "--set",
                            'array.formats=["fp32"]', "--input", str(ids), "--output", str(out))
        self.assertFalse([layer["name"] for layer in record["layers"] if "host" in layer])
        self.assertTrue(record["check"]["exact"])
        rows = 0.5 * numpy.arange(24).reshape(6, 4)
        numpy.testing.assert_array_equal(numpy.load(out)["y"], rows[[5, -2, 1]] + rows[[-1, 0, -6]])

    def test_gather_of_activations_by_constants_is_a_move(self):
        file = self.folder / "m.onnx"
        nodes = (onnx.node("Abs", ["x"], ["a"]),
                 onnx.node("Gather", ["a", "wanted"], ["y"], axis=1))
        wanted = onnx.ints("wanted", [3], [-1, 0, 2])
        file.write_bytes(onnx.model(nodes, [onnx.value_info("x", ["batch", 4, 5])],
                                    [onnx.value_info("y", [])], (wanted,)))
        import numpy
        x = numpy.linspace(-1, 1, 40, dtype=numpy.float32).reshape(2, 4, 5)
        given, out = self.folder / "x.npz", self.folder / "y.npz"
        numpy.savez(given, x=x)
        record = cli.record("--arch", "tpu", "--net", str(file), "--batch", "2", "--set",
                            'activation.functions=["abs", "gather"]', "--set",
                            'array.formats=["fp32"]', "--input", str(given), "--output", str(out))
        self.assertFalse([layer["name"] for layer in record["layers"] if "host" in layer])
        self.assertTrue(record["check"]["exact"])
        numpy.testing.assert_array_equal(numpy.load(out)["y"], abs(x)[:, [-1, 0, 2]])
        # a row of five values, as it is, in a cycle
        unit = next(u for u in record["units"] if u["name"] == "activation_unit")
        self.assertEqual(unit["busy_cycles"], 2 * 4 + 2 * 3)


if __name__ == "__main__":
    unittest.main()
