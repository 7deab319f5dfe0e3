# SPDX-License-Identifier: Apache-2.0
"""Products of two activations on machines whose weights may come from the unified buffer."""
import pathlib
import re
import tempfile
import unittest

import cli

NET = """
inputs = ( {{ name = "x"; shape = [{steps}, 24]; }} );
layers = (
  {{ name = "qkv"; op = "fc"; features = 72; axis = -1; }},
  {{ name = "parts"; op = "split"; axis = -1; outputs = ["q", "k", "v"]; }},
  {{ name = "a"; op = "attention"; inputs = ["q", "k", "v"]; heads = 3; causal = true; }},
  {{ name = "o"; op = "fc"; features = 24; axis = -1; }},
  {{ name = "sum"; op = "add"; inputs = ["o", "x"]; }},
  {{ name = "n"; op = "layer_norm"; }},
  {{ name = "b"; op = "attention"; inputs = ["n", "n", "n"]; heads = 2; }}
);
"""
SETTINGS = ("--set", "activation.functions=all", "--set", "array.stationary_from_buffer=true")


class Attention(unittest.TestCase):
    def setUp(self):
        temp = tempfile.TemporaryDirectory()
        self.addCleanup(temp.cleanup)
        self.folder = pathlib.Path(temp.name)

    def run_net(self, steps, form, *options):
        file = self.folder / f"{steps}.net"
        file.write_text(NET.format(steps=steps))
        return cli.record("--arch", "tpu", "--net", str(file), *SETTINGS,
                          "--set", f'array.formats=["{form}"]', *options)

    def check(self, record):
        self.assertFalse([layer["name"] for layer in record["layers"] if "host" in layer])
        self.assertTrue(record["check"]["exact"])

    def test_every_format_is_exact(self):
        for form, snr in (("int8", 15), ("int16", 55), ("bf16", 30), ("fp16", 45), ("fp32", 100),
                          ("flex16", 40)):
            record = self.run_net(9, form, "--batch", "3")
            self.check(record)
            self.assertGreater(record["check"]["snr_db"], snr, form)

    def test_every_dataflow_is_exact_and_the_analytic_model_near(self):
        for flow in ("ws", "os", "is"):
            for count, steps in ((1, 9), (3, 21)):
                cycles = []
                for fidelity in ("event", "analytic"):
                    record = self.run_net(steps, "bf16", "--batch", "2", "--set", "array.rows=8",
                                          "--set", "array.cols=6",
                                          "--set", f"array.dataflow={flow}",
                                          "--set", f"array.count={count}", "--fidelity", fidelity)
                    self.check(record)
                    cycles.append(record["totals"]["cycles"])
                self.assertLess(abs(cycles[1] / cycles[0] - 1), 0.1, (flow, count, cycles))

    def test_matrices_that_do_not_fit_take_turns(self):
        """Nothing of it is the host's, every chunk exact, the analytic model as near as with room
        for all."""
        for flow in ("ws", "os", "is"):
            for count, form, size_kib in ((1, "int8", 2), (3, "int8", 4), (1, "bf16", 4),
                                          (3, "bf16", 12)):
                cycles = []
                for fidelity in ("event", "analytic"):
                    record = self.run_net(9, form, "--batch", "4",
                                          "--set", f"array.dataflow={flow}",
                                          "--set", f"array.count={count}", "--set", "array.rows=8",
                                          "--set", "array.cols=6",
                                          "--set", f"memory.unified_buffer.size_kib={size_kib}",
                                          "--fidelity", fidelity)
                    self.check(record)
                    cycles.append(record["totals"]["cycles"])
                self.assertLess(abs(cycles[1] / cycles[0] - 1), 0.15, (flow, count, form, cycles))

    def test_a_mapping_has_whole_matrices(self):
        saved, net = self.folder / "a.map", self.folder / "9.net"
        options = ("--batch", "4", "--set", "memory.unified_buffer.size_kib=2")
        net.write_text(NET.format(steps=9))
        plan = ("show", "plan", "--arch", "tpu", "--net", net, *SETTINGS, *options)
        # The first line counts what was looked at.
        programs = [cli.succeed(*plan, *mapping).splitlines()[1:]
                    for mapping in (("--save-mapping", saved), ("--mapping", saved))]
        self.assertEqual(*programs)
        text = saved.read_text()
        line = next(line for line in text.splitlines() if "a.scores" in line)
        images = int(re.search(r"chunk_images = (\d+)", line)[1])
        self.assertEqual(images % 9, 0)
        self.assertLess(images, 4 * 3 * 9)
        saved.write_text(text.replace(line, line.replace(f"chunk_images = {images}",
                                                         "chunk_images = 10")))
        result = cli.run(*plan, "--mapping", saved)
        self.assertEqual(result.returncode, 2)
        self.assertRegex(cli.text(result.stderr), r"a\.map:\d+: layer 'a\.scores': "
                                                  "chunk_images = 10: whole matrices of 9 rows")

    def product(self, turned, *options, rows=16, k=8):
        """A stack of 6 products, 16 x 8 by 8 x 24, on an array of 8 x 8."""
        second = f"24, {k}" if turned else f"{k}, 24"
        file = self.folder / f"product-{turned}-{k}.net"
        file.write_text(f'inputs = ( {{ name = "x"; shape = [{rows}, {k}]; }}, '
                        f'{{ name = "y"; shape = [{second}]; }} );\nlayers = ( '
                        '{ name = "it"; op = "batched_product"; inputs = ["x", "y"]; '
                        f'transpose = {str(turned).lower()}; }} );\n')
        return cli.record("--arch", "tpu", "--net", str(file), "--batch", "6", *SETTINGS,
                          "--set", "array.rows=8", "--set", "array.cols=8",
                          "--set", "host.bandwidth_gb_s=1e5", "--set", "weight_fifo.tiles=2",
                          *options)

    def test_a_transposed_tile_is_turned_a_value_a_cycle_or_enters_from_the_side(self):
        sideways = ("--set", "array.shifts_sideways=true")
        for fidelity in ("event", "analytic"):
            plain, turned, side = (
                self.product(*case, "--fidelity", fidelity)["totals"]["cycles"]
                for case in ((False,), (True,), (True, *sideways)))
            self.assertEqual(side, plain)  # as many columns as rows
            self.assertGreaterEqual(turned, 18 * 64)
            self.assertLess(turned, 18 * 64 + 100)
            # 12 columns enter in 12 cycles where 8 rows do in 8; the two rows of a product hide
            # neither.
            wide = (*sideways, "--set", "array.cols=12", "--fidelity", fidelity)
            plain, side = (self.product(case, *wide, rows=2, k=32)["totals"]["cycles"]
                           for case in (False, True))
            self.assertLessEqual(abs(side - plain - 6 * 2 * 4 * 4), 8)
        self.check(self.product(True))
        self.check(self.product(True, *sideways))

    def test_weights_made_by_a_layer_come_from_no_memory(self):
        for fidelity in ("event", "analytic"):
            for layer in self.run_net(9, "int8", "--mode", "timing",
                                      "--fidelity", fidelity)["layers"]:
                if layer["op"] == "batched_product":
                    self.assertEqual(layer["bytes"].get("weights", {}).get("read", 0), 0)
                    self.assertGreater(layer["bytes"]["unified_buffer"]["read"], 2 * 9 * 24)

    def test_the_tpu_v1_has_no_such_path(self):
        file = self.folder / "a.net"
        file.write_text(NET.format(steps=9))
        record = cli.record("--arch", "tpu", "--net", str(file), "--mode", "timing",
                            "--set", "activation.functions=all")
        self.assertEqual([layer["name"] for layer in record["layers"] if "host" in layer],
                         ["a", "b"])

    def test_shipped_networks_are_all_the_machines(self):
        for machine in ("tpu-v2", "tpu-v3", "nnp-t1000", "lakecrest", "systolic-128",
                        "systolic-32"):
            for net in ("bert-base", "gpt2-small", "gpt2-small-decode", "lstm", "gru",
                        "mobilenet-v2"):
                record = cli.record("--arch", machine, "--net", net, "--mode", "timing",
                                    "--fidelity", "analytic", "--set", "mapper.search=heuristic")
                self.assertEqual([layer["name"] for layer in record["layers"] if "host" in layer],
                                 [], (machine, net))

    def test_a_recurrent_network_is_exact_on_them(self):
        for machine in ("nnp-t1000", "lakecrest", "systolic-128", "systolic-32"):
            record = cli.record("--arch", machine, "--net", "lstm",
                                "--set", "mapper.search=heuristic")
            self.assertTrue(record["check"]["exact"], machine)
            self.assertGreater(record["check"]["snr_db"], 25, machine)


class Host(unittest.TestCase):
    """Layers on the host take the time that its rates give."""

    def cycles(self, net, *options):
        return cli.record("--arch", "tpu", "--net", net, "--mode", "timing", *options)

    def test_time_is_what_the_rates_say(self):
        for fidelity in ("event", "analytic"):
            free, slow = (self.cycles("bert-base", "--fidelity", fidelity,
                                      "--set", f"host.gflops={rate}",
                                      "--set", "host.memory_gb_s=0") for rate in (0, 100))
            self.assertNotIn("host_cycles", free["totals"])
            # 2 x 128 x 128 x 768 multiply-accumulates in each attention, at 7 cycles for 1000
            # operations
            attention = [layer for layer in slow["layers"] if layer["op"] == "attention"]
            self.assertEqual({layer["host_cycles"] for layer in attention},
                             {-(-4 * 128 * 128 * 768 * 7 // 1000)})
            more = slow["totals"]["cycles"] - free["totals"]["cycles"]
            self.assertGreaterEqual(more, 0.95 * slow["totals"]["host_cycles"])
            self.assertLessEqual(more, 1.05 * slow["totals"]["host_cycles"])

    def test_bytes_of_a_look_up_are_those_of_the_rows_found(self):
        record = self.cycles("bert-base", "--set", "host.gflops=0", "--set", "host.memory_gb_s=10")
        word = next(layer for layer in record["layers"] if layer["name"] == "word")
        byte = 128 * 8 + 2 * 128 * 768 * 4  # indices; rows read and written
        self.assertEqual(word["host_cycles"], -(-byte * 7 // 100))

    def test_the_report_tells_the_hosts_share(self):
        text = cli.succeed("--arch", "tpu", "--net", "lenet5", "--mode", "timing")
        self.assertRegex(text, r"host +computes 1 layer in \d+ cycles?, \d")
        text = cli.succeed("--arch", "tpu", "--net", "lenet5", "--mode", "timing",
                           "--set", "host.gflops=0", "--set", "host.memory_gb_s=0")
        self.assertRegex(text, r"host +computes 1 of \d+ layers in no time, as no rate of it")


if __name__ == "__main__":
    unittest.main()
