# SPDX-License-Identifier: Apache-2.0
"""Every shipped network on the TPU: every layer exact, and matrix layers on the machine.

    test_nets.py [CLASS[.TEST]...]
"""
import unittest

import cli

# Recurrent layers are the host's as a whole, and their last layer reads a value that lies in
# another order.
HOST_MATRIX = {"lstm", "gru"}
LARGE = {"vgg16", "resnet152", "bert-base", "gpt2-small", "gpt2-small-decode"}


def nets():
    return [item["name"] for item in cli.record("list", "nets")["items"]]


class Exact(unittest.TestCase):
    def check(self, names):
        for net in names:
            with self.subTest(net):
                run = cli.record("--arch", "tpu", "--net", net)
                self.assertTrue(run["check"]["pass"])
                self.assertTrue(run["check"]["exact"])
                products = [layer for layer in run["layers"]
                            if layer["macs"] and layer["op"].split("+")[0] in ("conv2d", "fc")]
                self.assertTrue(products or net in HOST_MATRIX)
                for layer in products:
                    self.assertTrue(layer["check"]["exact"], layer["name"])
                    if net not in HOST_MATRIX:
                        self.assertGreater(layer["cycles"], 0, layer["name"])

    def test_small_nets(self):
        self.check(net for net in nets() if net not in LARGE)


class ExactLarge(unittest.TestCase):
    def test_large_nets(self):
        Exact.check(self, LARGE)


if __name__ == "__main__":
    unittest.main()
