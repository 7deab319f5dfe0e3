# SPDX-License-Identifier: Apache-2.0
"""Number formats of a machine: exact in every one, and as far from fp32 as their bits say.

    test_formats.py [CLASS[.TEST]...]
"""
import json
import pathlib
import re
import tempfile
import unittest

import cli

# Layers of two formats: 16-bit activations, weights of 8 bits where it is said.
MIXED = """
inputs = ( { name = "x"; shape = [8, 6, 6]; } );
layers = (
  { name = "a"; op = "conv2d"; channels = 16; kernel = 3; pad = 1;
    precision = "int16"; weight_precision = "int8"; },
  { name = "b"; op = "relu"; },
  { name = "c"; op = "conv2d"; channels = 8; kernel = 1; precision = "int16"; },
  { name = "d"; op = "avgpool"; kernel = 2; stride = 2; },
  { name = "e"; op = "fc"; features = 10; }
);
"""


def run(net, form, *options):
    return cli.record("--arch", "tpu", "--net", net, "--set", f'array.formats=["{form}"]', *options)


class Formats(unittest.TestCase):
    def snr(self, net, form):
        check = run(net, form)["check"]
        self.assertTrue(check["exact"], form)
        return check["snr_db"]

    def check_net(self, net):
        """Flexpoint's mantissas are twice as long as those of bf16, fp16's lie between."""
        snr = {form: self.snr(net, form)
               for form in ("int8", "int16", "bf16", "fp16", "fp32", "flex16")}
        self.assertGreater(snr["flex16"], snr["bf16"] - 0.5)
        self.assertGreater(snr["int16"], snr["int8"] + 30)  # 8 bits more are 48 dB
        self.assertGreater(snr["fp16"], snr["bf16"] + 12)  # 3 bits more are 18 dB
        self.assertGreater(snr["fp32"], 100)

    def test_mlp(self):
        self.check_net("mlp-mnist")

    def test_wide_integers_take_passes(self):
        """8 x 16 bit at half speed, 16 x 16 bit at a quarter."""
        narrow, half, quarter = (
            cli.record("--arch", "tpu", "--mode", "timing", "--set", "memory.weights.model=ideal",
                       "--set", "host.bandwidth_gb_s=1e6", "--net", net)["units"][0]["busy_cycles"]
            for net in (self.net("int8", "int8"), self.net("int16", "int8"),
                        self.net("int16", "int16")))
        self.assertEqual(half, 2 * narrow)
        self.assertEqual(quarter, 4 * narrow)

    def net(self, precision, weights):
        text = (f'inputs = ( {{ name = "x"; shape = [256]; }} );\n'
                f'layers = ( {{ name = "f"; op = "fc"; features = 256; '
                f'precision = "{precision}"; weight_precision = "{weights}"; }} );\n')
        file = pathlib.Path(self.folder) / f"{precision}-{weights}.net"
        file.write_text(text)
        return str(file)

    def setUp(self):
        temp = tempfile.TemporaryDirectory()
        self.addCleanup(temp.cleanup)
        self.folder = temp.name

    def test_layers_have_their_own(self):
        file = pathlib.Path(self.folder) / "mixed.net"
        file.write_text(MIXED)
        record = cli.record("--arch", "tpu", "--net", str(file))
        self.assertTrue(record["check"]["exact"])
        formats = [(layer["format"], layer.get("weight_format")) for layer in record["layers"]]
        self.assertEqual(formats,
                         [("int16", "int8"), ("int16", "int16"), ("int16", None), ("int8", "int8")])

    def test_integers_meet_no_floating_point(self):
        file = pathlib.Path(self.folder) / "mixed.net"
        file.write_text(MIXED)
        result = cli.run("--arch", "tpu", "--net", str(file),
                         "--set", 'array.formats=["bf16", "int16", "int8"]')
        self.assertEqual(result.returncode, 3)
        self.assertRegex(cli.text(result.stderr), "'e'.*int16 operands in a layer of bf16")

    def test_values_that_do_not_fit_are_counted(self):
        """Ranges are taken from the first eight images: the ninth to the last may exceed them."""
        record = cli.record("--arch", "tpu", "--net", "mlp-mnist", "--batch", "64")
        self.assertGreater(record["totals"]["saturated"], 0)
        self.assertEqual(record["totals"]["saturated"],
                         sum(layer.get("saturated", 0) for layer in record["layers"]))
        self.assertNotIn("saturated", run("mlp-mnist", "bf16")["totals"])


def functions():
    """(operator, kind) of those that activation.functions may list; rows of tables are
    test_lookup.py's."""
    lists = [cli.ROOT / "workloads/ops.def", *(cli.ROOT / "workloads/ops").glob("*.def")]
    names = [name for file in lists for name in re.findall(r"^FUNCTION\((\w+)\)",
                                                           file.read_text(), re.M)]
    kinds = ((name, json.loads(cli.text(cli.run("show", "op", name, "--json", "-").stdout))["kind"])
             for name in names)
    return [found for found in kinds if found[1] != "lookup"]


# Moves need to be told what goes where; "c" has images of 12 x 9 x 7, "r" 5 rows of 20 features.
MOVES = {
    ("slice", "c"): "starts = [1, 2]; ends = [11, 9]; axes = [1, 2]; steps = [2, 3];",
    ("slice", "r"): "starts = [1]; ends = [4]; axes = [1];",
    ("transpose", "c"): "perm = [0, 3, 1, 2];",
    ("transpose", "r"): "perm = [2, 0, 1];",
    ("reverse", "c"): "axes = [0, 3];",
    ("reverse", "r"): "axes = [1, 2];",
    ("expand", "c"): "shape = [2, 1, 1, 1, 1];",
    ("expand", "r"): "shape = [3, 1, 1, 1];",
    ("tile", "c"): "repeats = [1, 2, 1, 1];",
    ("tile", "r"): "repeats = [2, 1, 3];",
    ("concat", "c"): "axis = 3;",
    ("concat", "r"): "axis = 0;",
    ("split", "c"): 'axis = 1; split = [5, 4, 3]; outputs = ["c0", "c1", "c2"];',
    ("split", "r"): 'axis = 2; split = [13, 7]; outputs = ["r0", "r1"];',
    ("stack", "c"): "axis = 2;",
    ("stack", "r"): "axis = 3;",
}


def row_attributes(op, rows):
    """`rows`: the axis of channels, of images."""
    if not op.startswith("reduce"):
        return rows
    return f"axes = [{1 if rows else -1}]; keepdims = true;"


def functions_net():
    """Every function that the activation unit could have, side by side behind a convolution of
    images and behind a product of rows."""
    layers = ['{ name = "c"; op = "conv2d"; inputs = ["x"]; channels = 12; kernel = 3; pad = 1; }',
              '{ name = "r"; op = "fc"; inputs = ["y"]; features = 20; axis = -1; }']
    for op, kind in functions():
        if op == "pow":
            continue  # of numbers below 0 it is none: see test_a_normalisation_by_parts
        binary = op in ("sub", "mul", "div", "max", "min", "squared_difference", "concat", "stack")
        for value, rows in (("c", "axis = 1;"), ("r", "")):
            last_alone = op in ("layer_norm", "rms_norm", "scaled_softmax")
            if kind == "image" and value == "r" or last_alone and value == "c":
                continue
            inputs = f'["{value}", "{value}"]' if binary else f'["{value}"]'
            more = row_attributes(op, rows) if kind == "row" else MOVES.get((op, value), "")
            layers.append(f'{{ name = "{op}_{value}"; op = "{op}"; inputs = {inputs}; {more} }}')
    return ('inputs = ( { name = "x"; shape = [3, 9, 7]; }, { name = "y"; shape = [5, 16]; } );\n'
            "layers = (\n  " + ",\n  ".join(layers) + "\n);\n")


class Functions(unittest.TestCase):
    def test_every_function_is_exact_in_chunks(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "functions.net"
            file.write_text(functions_net())
            for form in ("int8", "int16", "bf16", "fp16", "flex16"):
                # The buffer holds the values of some images of the batch, not of all.
                record = run(str(file), form, "--batch", "6", "--set", "activation.functions=all",
                             "--set", "memory.unified_buffer.size_kib=24")
                self.assertGreater(len(record["layers"]), len(functions()))
                for layer in record["layers"]:
                    self.assertNotIn("host", layer, layer["name"])
                    self.assertTrue(layer["check"]["exact"], (form, layer["name"]))
                    if layer["op"] in ("sigmoid", "tanh", "softmax", "gelu"):
                        self.assertLess(layer["check"]["relative_l2_error"], 0.05, layer["name"])

    def test_moves_change_no_value(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "functions.net"
            file.write_text(functions_net())
            layers = run(str(file), "bf16", "--batch", "3",
                         "--set", "activation.functions=all")["layers"]
            error = {layer["name"]: layer["check"]["relative_l2_error"] for layer in layers}
            for op, value in MOVES:  # no more than their input's own
                self.assertLess(error[f"{op}_{value}"], 1.3 * error[value], op)

    def test_a_split_is_one_layer_and_no_slower_than_its_slices(self):
        """Parts that are read and parts that go to the host; 24 KiB hold some images of the batch."""
        net = """
        inputs = ( { name = "x"; shape = [8, 9, 7]; } );
        layers = (
          { name = "c"; op = "conv2d"; channels = 12; kernel = 3; pad = 1; },
          { name = "s"; op = "split"; axis = 1; split = [5, 4, 3]; outputs = ["p", "q", "r"]; },
          { name = "y"; op = "conv2d"; inputs = ["q"]; channels = 6; kernel = 1; }
        );
        outputs = ["p", "y", "r"];
        """
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "split.net"
            file.write_text(net)
            for kib in ("1024", "24"):
                for fidelity in ("event", "analytic"):
                    records = [run(str(file), "int8", "--batch", "6", "--fidelity", fidelity,
                                   "--set", f"activation.functions={functions}",
                                   "--set", f"memory.unified_buffer.size_kib={kib}")
                               for functions in ('["split"]', '["slice"]')]
                    for record, n_layer in zip(records, (3, 5)):
                        self.assertEqual(len(record["layers"]), n_layer)
                        self.assertTrue(record["check"]["exact"])
                    cycles = [record["totals"]["cycles"] for record in records]
                    self.assertLessEqual(cycles[0], cycles[1], (kib, fidelity))

    def test_a_normalisation_by_parts_is_exact(self):
        """As other frameworks write it: a mean, differences, their squares as powers, a mean, a
        root, quotients."""
        net = """
        inputs = ( { name = "x"; shape = [5, 16]; } );
        layers = (
          { name = "two"; op = "range"; start = 2.0; limit = 2.5; type = "fp32"; },
          { name = "little"; op = "range"; start = 0.01; limit = 0.5; type = "fp32"; },
          { name = "r"; op = "fc"; inputs = "x"; features = 20; axis = -1; },
          { name = "mean"; op = "reduce_mean"; axes = [-1]; keepdims = true; },
          { name = "difference"; op = "sub"; inputs = ["r", "mean"]; },
          { name = "square"; op = "pow"; inputs = ["difference", "two"]; },
          { name = "variance"; op = "reduce_mean"; axes = [2]; keepdims = true; },
          { name = "more"; op = "add"; inputs = ["variance", "little"]; },
          { name = "deviation"; op = "sqrt"; },
          { name = "y"; op = "div"; inputs = ["difference", "deviation"]; }
        );
        outputs = ["y"];
        """
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "norm.net"
            file.write_text(net)
            for form, snr in (("int8", 15), ("int16", 50), ("bf16", 30), ("fp32", 100)):
                for size_kib in (1, 100):
                    record = run(str(file), form, "--batch", "4",
                                 "--set", "activation.functions=all",
                                 "--set", f"memory.unified_buffer.size_kib={size_kib}")
                    self.assertTrue(record["check"]["exact"])
                    if size_kib == 100:
                        on_host = [layer["name"] for layer in record["layers"] if "host" in layer]
                        self.assertFalse(on_host)
                    self.assertGreater(record["check"]["snr_db"], snr, form)

    def test_a_transpose_takes_a_cycle_a_value_or_goes_by_squares(self):
        """200 x 150 values and squares of 16: 108 whole ones, 12 and 9 at two edges, one of 8 x 6
        in the corner, whose 6 columns leave behind it."""
        squares = (12 * 9 + 12 + 9) * 16 + 8 + 6
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "turned.net"
            file.write_text('inputs = ( { name = "x"; shape = [200, 150]; } );\n'
                            'layers = ( { name = "t"; op = "transpose"; perm = [0, 2, 1]; } );\n')
            for form, unit, cycles in (("int8", "false", 200 * 150), ("int8", "true", squares),
                                       ("bf16", "true", squares)):
                record = run(str(file), form, "--set", 'activation.functions=["transpose"]',
                             "--set", "array.cols=16", "--set", f"activation.transposes={unit}")
                self.assertTrue(record["check"]["exact"])
                (unit,) = (u for u in record["units"] if u["name"] == "activation_unit")
                busy = unit["busy_cycles"]
                self.assertLessEqual(cycles, busy)
                # the last columns of each chunk leave behind
                self.assertLessEqual(busy, 1.02 * cycles)

    def test_a_function_that_the_unit_lacks_runs_on_the_host(self):
        record = cli.record("--arch", "tpu", "--net", "lstm", "--mode", "timing")
        self.assertTrue(any("host" in layer for layer in record["layers"]))

    def test_the_tpus_lstm_stays_on_the_machine(self):
        record = cli.record("--arch", "tpu", "--net", "tpu-lstm0", "--mode", "timing")
        self.assertEqual([layer["op"] for layer in record["layers"] if "host" in layer],
                         ["softmax"])


class FormatsLarge(unittest.TestCase):
    def test_alexnet(self):
        Formats.check_net(Formats(), "alexnet")


if __name__ == "__main__":
    unittest.main()
