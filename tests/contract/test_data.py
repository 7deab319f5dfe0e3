#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Data sets on the command line: what is listed, and what a network takes of one.

    test_data.py [CLASS[.TEST]...]
"""
import gzip
import json
import os
import pathlib
import struct
import tempfile
import unittest
from unittest import mock

import cli

ON_TPU = ("--arch", "tpu.cfg", "--quiet")
PERCEPTRON = (*ON_TPU, "--net", "mlp-mnist")
FASHION = pathlib.Path("/usr/share/datasets/fashion-mnist")


def idx(dims, data):
    """An IDX file of bytes."""
    return bytes([0, 0, 8, len(dims)]) + struct.pack(f">{len(dims)}I", *dims) + data


def write_digits(folder, n, pack=False):
    """n images of 28 x 28 in each split, labelled i mod 10."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("train", "t10k"):
        images = bytes((i + 7 * at) % 256 for i in range(n) for at in range(784))
        for name, content in (
            ("images-idx3", idx((n, 28, 28), images)),
            ("labels-idx1", idx((n,), bytes(i % 10 for i in range(n)))),
        ):
            path = folder / f"{part}-{name}-ubyte{'.gz' if pack else ''}"
            path.write_bytes(gzip.compress(content) if pack else content)


class InFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def listed(self, name):
        shown = cli.succeed("list", "datasets", "--json", "-", cwd=self.folder)
        return next(found for found in json.loads(shown)["items"] if found["name"] == name)

    def refused(self, pattern, *args):
        result = cli.run(*args, cwd=self.folder)
        self.assertEqual(result.returncode, 2, cli.text(result.stderr))
        self.assertRegex(cli.text(result.stderr), pattern)


class Listed(InFolder):
    def test_a_set_that_is_not_here_says_how_it_can_be_had(self):
        found = self.listed("cifar10")
        self.assertNotIn("file", found)
        self.assertRegex(found["install"], "https://.*cifar")
        self.assertIn("cifar", cli.succeed("list", "datasets", cwd=self.folder))

    def test_a_set_in_the_working_directory_is_described(self):
        for pack in (False, True):
            write_digits(self.folder / "mnist", 12, pack)
            found = self.listed("mnist")
            self.assertEqual((found["train"], found["test"]), (12, 12))
            self.assertEqual(found["shape"], [1, 28, 28])
            self.assertEqual(found["classes"], 10)
            self.assertEqual(found["format"], "idx")
            self.assertIn("1x28x28", cli.succeed("list", "datasets", cwd=self.folder))

    def test_accsim_path_is_searched(self):
        write_digits(self.folder / "sets/mnist", 3)
        environment = cli.environment(ACCSIM_PATH=str(self.folder / "sets"))
        with mock.patch.object(cli, "environment", lambda: environment):
            self.assertEqual(self.listed("mnist")["file"], str(self.folder / "sets/mnist"))

    def test_a_broken_set_is_listed_with_what_is_wrong(self):
        write_digits(self.folder / "mnist", 12)
        os.truncate(self.folder / "mnist/t10k-images-idx3-ubyte", 100)
        self.assertRegex(self.listed("mnist")["error"], "t10k-images.*bytes, but there are 100")
        self.assertIn("t10k-images", cli.succeed("list", "datasets", cwd=self.folder))


class Inputs(InFolder):
    def test_the_first_test_images_are_the_inputs(self):
        write_digits(self.folder / "digits", 4)
        for file in (self.folder / "digits").glob("train*"):
            file.unlink()  # the inputs are of the test split
        header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 784), }".ljust(117) + "\n"
        pixels = [(i + 7 * at) % 256 / 255 for i in range(3) for at in range(784)]
        (self.folder / "same.npy").write_bytes(
            b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + header.encode()
            + struct.pack(f"<{3 * 784}f", *pixels)
        )
        outputs = []
        for spec in ("digits", "same.npy"):
            args = ("--batch", 3, "--input", spec, "--output", f"{spec}.npz")
            cli.succeed(*PERCEPTRON, *args, cwd=self.folder)
            outputs.append((self.folder / f"{spec}.npz").read_bytes())
        self.assertEqual(*outputs)

    def test_a_set_calibrates(self):
        write_digits(self.folder / "mnist", 4)
        args = ("--batch", 2, "--input", "mnist", "--calibrate", "mnist")
        cli.succeed(*PERCEPTRON, *args, cwd=self.folder)

    def test_what_does_not_fit_is_refused(self):
        write_digits(self.folder / "mnist", 4)
        for pattern, args in (
            ("1x28x28.*3x227x227", (*ON_TPU, "--net", "alexnet", "--input", "mnist")),
            ("4 samples, fewer than a batch of 5", (*PERCEPTRON, "--batch", 5, "--input", "mnist")),
            ("cifar10.*is not here.*https", (*PERCEPTRON, "--input", "cifar10")),
            ("did you mean 'mnist'", (*PERCEPTRON, "--input", "mnits")),
            ("no data set; known are", (*PERCEPTRON, "--input", ".")),
            ("nosuch.npz: No such file", (*PERCEPTRON, "--input", "nosuch.npz")),
        ):
            with self.subTest(pattern):
                self.refused(pattern, *args)


@unittest.skipUnless(FASHION.is_dir(), "dataset-fashion-mnist is not installed")
class FashionMnist(InFolder):
    def test_debians_is_found_and_runs(self):
        found = self.listed("fashion-mnist")
        self.assertEqual((found["train"], found["test"]), (60000, 10000))
        self.assertEqual((found["shape"], found["classes"]), ([1, 28, 28], 10))
        self.assertEqual(found["file"], str(FASHION))
        cli.succeed(*PERCEPTRON, "--batch", 16, "--input", "fashion-mnist", cwd=self.folder)


if __name__ == "__main__":
    cli.main()
