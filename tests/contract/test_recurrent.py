# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers on machines: written out by steps, exact, near the layer as it was."""
import pathlib
import tempfile
import unittest

import cli

NET = """
inputs = ( {{ name = "x"; shape = [{steps}, 20]; }} );
layers = (
  {{ name = "a"; op = "lstm"; hidden = 12; layout = 1; direction = "{direction}"; }},
  {{ name = "rows"; op = "reshape"; shape = [0, 0, {width}]; }},
  {{ name = "b"; op = "gru"; hidden = 10; layout = 1; }},
  {{ name = "rows2"; op = "reshape"; shape = [0, 0, 10]; }},
  {{ name = "c"; op = "rnn"; hidden = 9; layout = 1; direction = "reverse"; }},
  {{ name = "rows3"; op = "reshape"; shape = [0, 0, 9]; }},
  {{ name = "fc"; op = "fc"; features = 7; axis = -1; }}
);
"""


class Recurrent(unittest.TestCase):
    def setUp(self):
        temp = tempfile.TemporaryDirectory()
        self.addCleanup(temp.cleanup)
        self.folder = pathlib.Path(temp.name)

    def run_net(self, direction, steps, *options):
        width = 24 if direction == "bidirectional" else 12
        file = self.folder / f"{direction}-{steps}.net"
        file.write_text(NET.format(direction=direction, steps=steps, width=width))
        return cli.record("--arch", "tpu", "--net", str(file), *options)

    def test_every_layer_is_exact_and_the_output_near(self):
        for direction, steps, batch, form, snr in (
                ("forward", 6, 1, "int8", 25), ("bidirectional", 5, 3, "int16", 70),
                ("reverse", 1, 4, "int8", 25), ("forward", 7, 5, "bf16", 30),
                ("bidirectional", 4, 2, "fp32", 100), ("forward", 40, 2, "int16", 60)):
            record = self.run_net(direction, steps, "--batch", str(batch),
                                  "--set", f'array.formats=["{form}"]')
            self.assertFalse([layer["name"] for layer in record["layers"] if "host" in layer])
            self.assertTrue(record["check"]["exact"])
            self.assertGreater(record["check"]["snr_db"], snr, (direction, form))

    def test_a_small_buffer_is_exact_too(self):
        for size_kib in (4, 8):
            record = self.run_net("bidirectional", 6, "--batch", "5", "--set",
                                  f"memory.unified_buffer.size_kib={size_kib}")
            self.assertTrue(record["check"]["exact"])

    def test_steps_share_their_weights(self):
        """Twice the steps are no more bytes of tiles: those of the LSTM's state stay in the
        array."""
        few, many = (self.run_net("forward", steps, "--mode", "timing")["layers"]
                     for steps in (4, 8))
        state = [[layer for layer in layers
                  if layer["name"].startswith("a.") and layer["name"].endswith(".state")]
                 for layers in (few, many)]
        self.assertEqual([len(layers) for layers in state], [3, 7])
        read = [sum(layer["bytes"]["weights"]["read"] for layer in layers) for layers in state]
        self.assertEqual(read[0], read[1])

    def test_a_machine_without_a_function_leaves_the_layer_to_the_host(self):
        record = self.run_net("forward", 3, "--mode", "timing",
                              "--set", 'activation.functions=["tanh", "concat", "slice"]')
        host = [layer["op"] for layer in record["layers"] if "host" in layer]
        self.assertEqual([op for op in host if op in ("lstm", "gru", "rnn")], ["lstm", "gru"])

    def test_shipped_networks_have_nothing_recurrent_on_the_host(self):
        for net in ("lstm", "gru"):
            record = cli.record("--arch", "tpu", "--net", net, "--mode", "timing")
            self.assertEqual([layer["op"] for layer in record["layers"] if "host" in layer],
                             ["embedding", "softmax"])

    def test_what_the_network_is_stays_as_it_was(self):
        """Layers, products and parameters are those of the network as read."""
        record = self.run_net("forward", 3, "--mode", "timing")
        self.assertEqual(record["net"]["layers"], 7)
        self.assertEqual(record["net"]["parameters"],
                         4 * 12 * (20 + 12 + 2) + 3 * 10 * (12 + 10 + 2) + 9 * (10 + 9 + 2)
                         + 7 * 10)


if __name__ == "__main__":
    unittest.main()
