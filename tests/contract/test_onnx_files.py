#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Models of ONNX on the command line: free dimensions, what is folded, what is refused and how.

    test_onnx_files.py [CLASS[.TEST]...]
"""
import json
import pathlib
import tempfile
import unittest

import numpy

import cli
import onnx_file as onnx

IMAGE = onnx.value_info("image", ["batch", 2, "height", 6])
OUT = onnx.value_info("y", [])
CONV = onnx.node("Conv", ["image", "w"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
WEIGHT = onnx.floats("w", [4, 2, 3, 3], [0.01 * i for i in range(72)])


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "model.onnx"

    def write(self, *nodes, inputs=(IMAGE,), initialisers=(WEIGHT,), opset=13):
        self.path.write_bytes(onnx.model(nodes, inputs, [OUT], initialisers, opset))

    def shown(self, *options):
        output = cli.succeed("show", "net", self.path, *options, "--json", "-")
        return json.loads(output)

    def refused(self, code, *patterns, options=()):
        result = cli.run("--arch", "reference", "--net", self.path, *options)
        message = cli.text(result.stderr)
        self.assertEqual(result.returncode, code, message)
        for pattern in ("model.onnx", *patterns):
            self.assertRegex(message, pattern)


class Shapes(Files):
    def test_free_dimensions_are_the_batch_and_those_given(self):
        self.write(CONV, onnx.node("Relu", ["c"], ["y"]))
        for options in (("--shape", "height=5"), ("--shape", "image=3x2x5x6")):
            net = self.shown(*options, "--batch", "3")
            conv = net["layers"][0]
            self.assertEqual(conv["shape"], [3, 4, 5, 6])
            self.assertEqual(conv["macs"], 3 * 4 * 5 * 6 * 18)
            self.assertEqual(conv["parameters"], 72)

    def test_the_batch_is_that_of_the_tensors(self):
        """The file's own where it is fixed, else that of what is fed; asked for another: refused."""
        relu = onnx.node("Relu", ["x"], ["y"])
        self.write(relu, inputs=(onnx.value_info("x", [4, 6]),), initialisers=())
        for options in ((), ("--batch", "4")):
            self.assertEqual(self.shown(*options)["batch"], 4)
        self.refused(2, "batch of 4", "--batch asks for 8", options=("--batch", "8"))
        record = cli.record("--arch", "tpu", "--net", str(self.path), "--mode", "timing")
        self.assertAlmostEqual(record["totals"]["inferences_per_second"],
                               4 / record["totals"]["seconds"])
        fed = str(self.path.with_name("in.npz"))
        numpy.savez(fed, x=numpy.ones((3, 6), numpy.float32))
        self.refused(2, "'x' is declared as 4x6.*3x6", options=("--input", fed))
        for leading in ("batch", 1):
            self.write(relu, inputs=(onnx.value_info("x", [leading, 6]),), initialisers=())
            fed_run = cli.record("--arch", "tpu", "--net", str(self.path), "--input", fed)
            self.assertEqual(fed_run["net"]["batch"], 3)
            self.refused(2, "batch of 3", "--batch asks for 5",
                         options=("--input", fed, "--batch", "5"))
            self.refused(2, "x=5x6.*3x6", options=("--input", fed, "--shape", "x=5x6"))
            self.refused(2, "declared as .x6, --shape is 2x7", options=("--shape", "x=2x7"))
            self.assertEqual(self.shown("--shape", "x=5x6")["batch"], 5)

    def test_a_free_dimension_that_nobody_gives_is_named(self):
        self.write(CONV, onnx.node("Relu", ["c"], ["y"]))
        self.refused(2, "'image'", "height", "--shape")

    def test_a_name_that_no_dimension_has_is_an_error(self):
        self.write(CONV, onnx.node("Relu", ["c"], ["y"]))
        options = ("--shape", "height=5", "--shape", "hieght=5")
        self.refused(2, "hieght", options=options)
        result = cli.run("--arch", "reference", "--net", "lenet5", "--shape", "height=5")
        self.assertEqual(result.returncode, 2)
        self.assertRegex(cli.text(result.stderr), "height=5.*lenet5")


class Folding(Files):
    def test_what_follows_from_constants_and_shapes_is_no_layer(self):
        self.write(
            CONV,
            onnx.node("Shape", ["c"], ["s"]),
            onnx.node("Gather", ["s", "zero"], ["n"], axis=0),
            onnx.node("Concat", ["n", "rest"], ["to"], axis=0),
            onnx.node("Identity", ["c"], ["same"]),
            onnx.node("Reshape", ["same", "to"], ["y"]),
            initialisers=(WEIGHT, onnx.ints("zero", [1], [0]), onnx.ints("rest", [1], [-1])),
        )
        net = self.shown("--shape", "height=5", "--batch", "3")
        self.assertEqual([layer["op"] for layer in net["layers"]], ["conv2d", "reshape"])
        self.assertEqual(net["layers"][1]["shape"], [3, 120])

    def test_the_machine_runs_it_exactly(self):
        self.write(CONV, onnx.node("Relu", ["c"], ["y"]))
        record = cli.record("--arch", "tpu", "--net", str(self.path), "--shape", "height=5")
        self.assertTrue(record["check"]["exact"])
        self.assertEqual(record["layers"][0]["op"], "conv2d+relu")
        self.assertGreater(record["layers"][0]["macs"], 0)


class Machine(Files):
    """What the reference runs, a machine runs, what it lacks on the host."""

    def exact(self, *options):
        for machine in ("tpu", "tpu-v3"):
            record = cli.record("--arch", machine, "--net", str(self.path), *options)
            self.assertTrue(record["check"]["exact"] and record["check"]["pass"], machine)

    def test_half_formats(self):
        """A convolution of one channel and a product, whose operators work in fp32 on the host."""
        image = onnx.value_info("image", [1, 1, 6, 70], onnx.FLOAT16)
        weight = onnx.halves("w", [1, 1, 3, 3], [0.25 * i for i in range(9)])
        conv = onnx.node("Conv", ["image", "w"], ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        self.write(conv, inputs=(image,), initialisers=(weight,))
        self.exact()

    def test_products_of_half_formats(self):
        pair = [onnx.value_info(name, [4, 4], onnx.FLOAT16) for name in "ab"]
        self.write(onnx.node("MatMul", ["a", "b"], ["y"]), inputs=pair, initialisers=())
        self.exact()

    def test_constant_operands(self):
        """Constants that operators written out read, and operands that became attributes."""
        x = onnx.value_info("x", [5, 2, 7])
        gru = onnx.node("GRU", ["x", "w", "r", "", "", "h"], ["y"], hidden_size=3)
        self.write(gru, inputs=(x,), initialisers=(
            onnx.floats("w", [1, 9, 7], [0.01 * i for i in range(63)]),
            onnx.floats("r", [1, 9, 3], [0.02 * i for i in range(27)]),
            onnx.floats("h", [1, 2, 3], [0.1 * i for i in range(6)])))
        self.exact()
        depth, values = onnx.ints("depth", [1], [3]), onnx.floats("values", [2], [0.0, 1.0])
        self.write(onnx.node("OneHot", ["i", "depth", "values"], ["o"]),
                   onnx.node("Relu", ["o"], ["y"]),
                   inputs=(onnx.value_info("i", [2], onnx.INT64),), initialisers=(depth, values))
        self.exact("--seed", "2")

    def test_a_reshape_alone(self):
        self.write(onnx.node("Flatten", ["image"], ["y"]), initialisers=())
        record = cli.record("--arch", "tpu", "--net", str(self.path), "--shape", "height=5")
        self.assertEqual((record["layers"], record["totals"].get("cycles", 0)), ([], 0))


class Refused(Files):
    def test_an_operator_without_counterpart_is_named_with_node_and_set(self):
        self.write(CONV, onnx.node("GridSample", ["c", "c"], ["y"], name="sampler"), opset=16)
        self.refused(3, "'GridSample'", "'sampler'", "16", options=("--shape", "height=5"))

    def test_a_domain_of_somebody_elses_is_named(self):
        self.write(CONV, onnx.node("Gelu", ["c"], ["y"], domain="com.example"))
        self.refused(3, "'Gelu'", "com.example", options=("--shape", "height=5"))

    def test_an_attribute_that_is_not_known_is_not_passed_over(self):
        self.write(CONV, onnx.node("Relu", ["c"], ["y"], name="r", leak=1))
        self.refused(3, "'Relu'", "'r'", "'leak'", options=("--shape", "height=5"))

    def test_an_operator_set_beyond_what_is_read(self):
        self.write(CONV, onnx.node("Relu", ["c"], ["y"]), opset=99)
        self.refused(3, "99", "17", options=("--shape", "height=5"))

    def test_a_value_that_nothing_makes(self):
        self.write(CONV, onnx.node("Relu", ["nowhere"], ["y"]))
        self.refused(2, "'nowhere'", options=("--shape", "height=5"))

    def test_a_cut_file_is_damaged(self):
        self.write(CONV, onnx.node("Relu", ["c"], ["y"]))
        self.path.write_bytes(self.path.read_bytes()[:-7])
        self.refused(2, "damaged")


if __name__ == "__main__":
    cli.main()
