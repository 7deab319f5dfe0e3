# SPDX-License-Identifier: Apache-2.0
"""Parameters that the weight memory has no room for: refused, or streamed over the host link.

    test_streaming.py [CLASS[.TEST]...]
"""
import json
import pathlib
import tempfile
import unittest

import cli

NET = """
inputs = ( { name = "x"; shape = [48]; } );
layers = (
  { name = "fc1"; op = "fc"; features = 40; bias = true; },
  { name = "relu1"; op = "relu"; },
  { name = "fc2"; op = "fc"; features = 56; bias = true; },
  { name = "fc3"; op = "fc"; features = 20; bias = true; },
  { name = "fc4"; op = "fc"; features = 8; bias = true; }
);
"""
WEIGHTS = {"fc1": 48 * 40, "fc2": 40 * 56, "fc3": 56 * 20, "fc4": 20 * 8}
ARRAY = ("--set", "array.rows=16", "--set", "array.cols=16", "--set", "array.edge=trimmed")
STREAM = ("--set", "memory.weights.overflow=stream")


def room(size_bytes):
    return ("--set", f"memory.weights.size_kib={size_bytes / 1024}")


def streamed(record):
    return {layer["name"]: layer["streamed_weight_bytes"] for layer in record["layers"]
            if "streamed_weight_bytes" in layer}


def read(record, memory):
    return {layer["name"]: layer["bytes"].get(memory, {"read": 0})["read"]
            for layer in record["layers"]}


class Streaming(unittest.TestCase):
    def setUp(self):
        temp = tempfile.TemporaryDirectory()
        self.addCleanup(temp.cleanup)
        self.folder = pathlib.Path(temp.name)
        self.net = str(self.folder / "four.net")
        pathlib.Path(self.net).write_text(NET, encoding="utf-8")

    def options(self, *more):
        return ("--arch", cli.TWO_MEMORIES, "--net", self.net, "--precision", "int8",
                "--set", 'array.formats=["int8"]', *ARRAY, *more)

    def run_net(self, *more):
        return cli.record(*self.options(*more))

    def test_refused_with_what_would_be_right(self):
        fits = sum(WEIGHTS.values())
        self.assertEqual(streamed(self.run_net(*room(fits))), {})
        result = cli.run("run", *self.options(*room(fits - 1)))
        self.assertEqual(result.returncode, 3)
        message = cli.text(result.stderr)
        self.assertIn("its weights fill 5 KiB", message)
        self.assertIn('memory.weights.overflow = "stream"', message)

    def test_an_unknown_word_is_refused_with_those_that_there_are(self):
        result = cli.run("run", *self.options("--set", "memory.weights.overflow=spill"))
        self.assertEqual(result.returncode, 2)
        self.assertIn("refuse", cli.text(result.stderr))

    def test_layers_stay_in_order_as_far_as_they_fit_as_a_whole(self):
        for size, stay in ((1920, ["fc1"]), (1919, ["fc3", "fc4"]), (2080, ["fc1", "fc4"]),
                           (2079, ["fc1"]), (1920 + 2240 + 160, ["fc1", "fc2", "fc4"])):
            with self.subTest(size=size):
                record = self.run_net(*STREAM, *room(size))
                self.assertEqual(streamed(record),
                                 {n: b for n, b in WEIGHTS.items() if n not in stay})
                self.assertTrue(record["check"]["exact"])

    def test_edge_tiles_are_stored_without_padding_only_where_they_are_trimmed(self):
        whole = {n: k * m * 256 for n, k, m in (("fc1", 3, 3), ("fc2", 3, 4), ("fc3", 4, 2),
                                                ("fc4", 2, 1))}
        record = self.run_net(*STREAM, *room(1024), "--set", "array.edge=full")
        self.assertEqual(streamed(record), {n: b for n, b in whole.items() if b > 1024})
        self.assertEqual(read(record, "host")["fc2"], whole["fc2"])

    def test_values_are_exact_and_bytes_those_of_the_weights(self):
        for flow in ("ws", "os", "is"):
            for count in (1, 3):
                for edge in ("trimmed", "full"):
                    with self.subTest(flow=flow, count=count, edge=edge):
                        options = ("--set", f"array.dataflow={flow}", "--batch", "5",
                                   "--set", f"array.count={count}", "--set", f"array.edge={edge}")
                        record = self.run_net(*STREAM, *room(1024), *options)
                        self.assertTrue(record["check"]["exact"])
                        self.assertIn("fc2", streamed(record))
                        self.same_traffic(record, options)

    def same_traffic(self, record, options):
        """The same mapping where all fits reads from the memory what here comes over the link."""
        mapping = str(self.folder / "mapping")
        cli.succeed("run", *self.options(*STREAM, *room(1024), *options, "--save-mapping", mapping))
        other = self.run_net(*options, "--mapping", mapping)
        link, memory = read(record, "host"), read(record, "weights")
        for name in WEIGHTS:
            both = link[name] + memory[name]
            self.assertEqual(both, read(other, "weights")[name] + read(other, "host")[name], name)
            if name in streamed(record):
                self.assertEqual(memory[name], 0)
        pj = cli.setting(record, "energy.host_link_pj_per_byte")
        for layer in record["layers"]:
            moved = sum(layer["bytes"]["host"].values())
            self.assertAlmostEqual(layer["energy"]["host_link"] * 1e12, moved * float(pj))

    def test_weights_cross_once_a_turn(self):
        """Eight images, of which the accumulators hold sums of two: each turn fetches anew."""
        one = self.run_net(*STREAM, *room(1024), "--batch", "8", "--mode", "timing")
        four = self.run_net(*STREAM, *room(1024), "--batch", "8", "--mode", "timing",
                            "--set", "accumulators.entries=2", "--set", "mapper.search=heuristic")
        for name, turns in (("fc2", 4), ("fc3", 4)):
            self.assertEqual(read(one, "host")[name], WEIGHTS[name])
            self.assertEqual(read(four, "host")[name], turns * WEIGHTS[name])

    def test_event_and_analytic_agree_and_a_faster_link_helps(self):
        seconds = []
        for rate in (0.1, 0.4, 1.6):
            options = (*STREAM, *room(1024), "--mode", "timing", "--set",
                       f"host.bandwidth_gb_s={rate}", "--batch", "4")
            event, analytic = (self.run_net(*options, "--fidelity", f)["totals"]["cycles"]
                               for f in ("event", "analytic"))
            self.assertLess(abs(analytic / event - 1), 0.1)
            seconds.append(event)
        self.assertGreater(seconds[0], 3.5 * seconds[1])
        self.assertGreater(seconds[1], seconds[2])

    def test_a_streamed_layer_takes_its_bytes_at_the_rate_of_the_link(self):
        record = cli.record("--arch", "edge-tpu", "--net", "gemm:1x4096x4096", "--mode", "timing")
        rate = 0.4e9 / record["arch"]["clock_hz"]
        moved = 4096 * 4096 + 2 * 4096
        self.assertEqual(record["totals"]["bytes"]["host"], {"read": 4096 * 4097, "write": 4096})
        self.assertGreaterEqual(record["totals"]["cycles"], moved / rate)
        self.assertLess(record["totals"]["cycles"], 1.01 * moved / rate)
        self.assertGreaterEqual(record["totals"]["cycles"], record["totals"]["bound_cycles"])
        self.assertLess(record["totals"]["gap"], 0.01)

    def test_the_plan_and_the_text_say_what_is_streamed(self):
        options = self.options(*STREAM, *room(1920))
        plan = json.loads(cli.succeed("show", "plan", *options, "--json", "-"))["lines"]
        (line,) = (s for s in plan if s.startswith("# 1 fc2:"))
        self.assertIn("2240 bytes of weights over the host link", line)
        (line,) = (s for s in plan if s.startswith("# 0 fc1:"))
        self.assertNotIn("over the host link", line)
        self.assertIn("of 3 layers, which the weight memory has no room for",
                      " ".join(cli.succeed("run", *options).split()))

    def test_networks_larger_than_the_edge_tpu_run_on_it(self):
        for net, most in (("resnet50", 25.6e6), ("vgg16", 138.4e6), ("alexnet", 61e6),
                          ("inception-v3", 24e6), ("densenet121", 8e6)):
            with self.subTest(net):
                options = ("--arch", "edge-tpu", "--net", net, "--mode", "timing")
                event, analytic = (cli.record(*options, "--fidelity", f)
                                   for f in ("event", "analytic"))
                self.assertAlmostEqual(
                    analytic["totals"]["cycles"] / event["totals"]["cycles"], 1, delta=0.01)
                size = sum(streamed(event).values())
                self.assertGreater(size, most - 8.5e6 * 1.0 if most > 9e6 else 0)
                self.assertLess(size, most)

    def test_tables_are_streamed_too(self):
        table = self.folder / "table.net"
        table.write_text("""
inputs = ( { name = "ids"; shape = [20]; type = "int64"; below = 100; } );
layers = (
  { name = "fits"; op = "embedding"; inputs = "ids"; rows = 100; width = 16; },
  { name = "word"; op = "embedding"; inputs = "ids"; rows = 100; width = 48; },
  { name = "fc"; op = "fc"; features = 7; axis = -1; }
);
""", encoding="utf-8")
        options = ("--arch", cli.TWO_MEMORIES, "--net", str(table), "--set", 'array.formats=["int8"]',
                   "--set", 'activation.functions=["embedding"]', *ARRAY, *STREAM, *room(2304))
        record = cli.record(*options)
        self.assertTrue(record["check"]["exact"])
        self.assertEqual(streamed(record), {"word": 4864})
        self.assertEqual(read(record, "weights")["word"], 0)
        self.assertGreaterEqual(read(record, "host")["word"], 20 * 48)
        faster = cli.record(*options, "--set", "host.bandwidth_gb_s=1000", "--mode", "timing")
        self.assertLess(cli.layer(faster, "word")["cycles"], cli.layer(record, "word")["cycles"])


# Between conv1 and conv2 lie 16 x 12 x 12 values, the most that is alive with conv1's input.
CONVS = """
inputs = ( { name = "x"; shape = [8, 12, 12]; } );
layers = (
  { name = "conv1"; op = "conv2d"; channels = 16; kernel = 3; pad = 1; },
  { name = "conv2"; op = "conv2d"; channels = 8; kernel = 3; pad = 1; stride = 2; },
  { name = "fc"; op = "fc"; features = 10; }
);
"""
KERNELS = {"conv1": 8 * 9 * 16, "conv2": 16 * 9 * 8, "fc": 8 * 6 * 6 * 10}
ALIVE = (8 + 16) * 12 * 12  # both are multiples of 256, and so is their sum: 3456 -> 3584
SHARED = ("--set", "memory.weights.shared=true", "--set", "memory.unified_buffer.size_kib=1000")


class Shared(unittest.TestCase):
    """One memory for weights and activations."""

    def setUp(self):
        temp = tempfile.TemporaryDirectory()
        self.addCleanup(temp.cleanup)
        self.net = str(pathlib.Path(temp.name) / "convs.net")
        pathlib.Path(self.net).write_text(CONVS, encoding="utf-8")

    def options(self, size_bytes, *more):
        return ("--arch", cli.TWO_MEMORIES, "--net", self.net, "--precision", "int8",
                "--set", 'array.formats=["int8"]', *ARRAY, *SHARED, *room(size_bytes),
                *more)

    def run_net(self, size_bytes, *more):
        return cli.record(*self.options(size_bytes, *more))

    def test_weights_have_what_activations_leave(self):
        alive = -(-ALIVE // 256) * 256
        for left, stay in ((5184, ["conv1", "conv2", "fc"]), (5183, ["conv1", "conv2"]),
                           (2304, ["conv1", "conv2"]), (2303, ["conv1"]), (1152, ["conv1"]),
                           (1151, [])):
            with self.subTest(left=left):
                record = self.run_net(alive + left, *STREAM)
                self.assertEqual(streamed(record),
                                 {n: b for n, b in KERNELS.items() if n not in stay})
                self.assertTrue(record["check"]["exact"])
                spilled = sum(layer["bytes"]["host"]["write"] for layer in record["layers"])
                self.assertEqual(spilled, 10)

    def test_where_none_may_be_streamed_activations_have_what_weights_leave(self):
        kernels = sum(KERNELS.values())
        whole = self.run_net(kernels + 4096)
        self.assertEqual(whole["totals"]["bytes"]["host"]["write"], 10)
        tight = self.run_net(kernels + 2048)
        self.assertGreater(tight["totals"]["bytes"]["host"]["write"], 10)
        for record in (whole, tight):
            self.assertTrue(record["check"]["exact"])
            self.assertEqual(streamed(record), {})
        result = cli.run("run", *self.options(kernels - 1))
        self.assertEqual(result.returncode, 3)
        self.assertIn("memory.weights.overflow", cli.text(result.stderr))

    def test_all_dataflows_and_batches_are_exact(self):
        for flow in ("ws", "os", "is"):
            for batch in (1, 3, 8):
                for size in (2048, 5000, 9000):
                    with self.subTest(flow=flow, batch=batch, size=size):
                        options = ("--set", f"array.dataflow={flow}", "--batch", batch)
                        record = self.run_net(size, *STREAM, *options)
                        self.assertTrue(record["check"]["exact"])
                        analytic = self.run_net(size, *STREAM, *options, "--mode", "timing",
                                                "--fidelity", "analytic")
                        ratio = analytic["totals"]["cycles"] / record["totals"]["cycles"]
                        self.assertLess(abs(ratio - 1), 0.06)

    def test_a_saved_mapping_gives_the_same_run(self):
        with tempfile.TemporaryDirectory() as folder:
            mapping = str(pathlib.Path(folder) / "mapping")
            options = (*STREAM, "--batch", "5", "--mode", "timing")
            one = self.run_net(6000, *options)
            cli.succeed("run", *self.options(6000, *options, "--save-mapping", mapping))
            other = self.run_net(6000, *options, "--mapping", mapping)
        self.assertEqual(streamed(one), streamed(other))
        self.assertEqual(one["totals"]["cycles"], other["totals"]["cycles"])

    def test_the_link_is_as_busy_as_what_it_carries(self):
        record = self.run_net(4096, *STREAM, "--mode", "timing")
        link = next(u for u in record["units"] if u["name"] == "host_link")
        moved = sum(record["totals"]["bytes"]["host"].values())
        rate = cli.setting(record, "host.bandwidth_gb_s") * 1e9 / record["arch"]["clock_hz"]
        transfers = cli.setting(record, "host.latency_ns") + cli.setting(
            record, "host.dma_setup_ns")
        self.assertGreaterEqual(link["busy_cycles"], moved / rate)
        self.assertEqual(transfers, 0)
        self.assertLess(link["busy_cycles"], moved / rate + 1)


if __name__ == "__main__":
    cli.main()
