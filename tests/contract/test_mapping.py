# SPDX-License-Identifier: Apache-2.0
"""Mappings kept, edited and given back.

    test_mapping.py [CLASS[.TEST]...]
"""
import pathlib
import re
import tempfile
import unittest

import cli

TPU = ("--arch", "tpu")


class Mapping(unittest.TestCase):
    def setUp(self):
        temp = tempfile.TemporaryDirectory()
        self.addCleanup(temp.cleanup)
        self.file = pathlib.Path(temp.name) / "saved.map"

    def save(self, *options):
        return cli.succeed("show", "plan", *options, "--save-mapping", str(self.file))

    def refused(self, text, *patterns, exit=2):
        self.file.write_text(text)
        result = cli.run(*TPU, "--net", "alexnet", "--mode", "timing", "--mapping", str(self.file))
        self.assertEqual(result.returncode, exit)
        for pattern in patterns:
            self.assertRegex(cli.text(result.stderr), pattern)

    def test_given_back_it_is_the_same_program(self):
        for options in (("--net", "alexnet"), ("--net", "alexnet", "--batch", "200"),
                        ("--net", "mobilenet-v1", "--batch", "3"),
                        ("--net", "alexnet", "--set", "array.dataflow=os"),
                        ("--net", "alexnet", "--set", "array.dataflow=is", "--precision", "int16")):
            plan = self.save(*TPU, *options)
            again = cli.succeed("show", "plan", *TPU, *options, "--mapping", str(self.file))
            self.assertEqual(plan, again, options)

    def test_an_edited_block_takes_effect_and_stays_exact(self):
        self.save(*TPU, "--net", "alexnet")
        text = self.file.read_text()
        edited = re.sub(r'(name = "conv2"; block_rows = )\d+(.*?parts = )\d+', r"\g<1>100\g<2>1", text)
        self.assertNotEqual(text, edited)
        self.file.write_text(edited)
        plan = cli.succeed("show", "plan", *TPU, "--net", "alexnet", "--mapping", str(self.file))
        self.assertIn("blocks of 100 rows", plan)
        record = cli.record(*TPU, "--net", "alexnet", "--mapping", str(self.file))
        self.assertTrue(record["check"]["exact"])

    def test_pieces_take_effect_and_stay_exact(self):
        self.save(*TPU, "--net", "alexnet")
        text = self.file.read_text()
        self.file.write_text(re.sub(r'(name = "conv2"; block_rows = )\d+(.*?halves = )\w+(; parts = )\d+',
                                    r"\g<1>300\g<2>false\g<3>3", text))
        plan = cli.succeed("show", "plan", *TPU, "--net", "alexnet", "--mapping", str(self.file))
        self.assertIn("blocks of 300 rows, order nm, single accumulators in 3 parts", plan)
        record = cli.record(*TPU, "--net", "alexnet", "--mapping", str(self.file))
        self.assertTrue(record["check"]["exact"])

    def test_bad_mappings_are_refused(self):
        line = '{ name = "conv2"; block_rows = 64; order = "nm"; halves = true; chunk_images = 1; }'
        self.refused(f"layers = ( {line.replace('conv2', 'convv2')} );", r"saved\.map:1", "convv2", "conv2")
        self.refused(f"layers = ( {line.replace('conv2', 'norm1')} );", "norm1")
        self.refused(f"layers = ( {line.replace('64', '100000')} );", "conv2", "100000", "1 to 729")
        self.refused(f"layers = ( {line.replace('64', '0')} );", "block_rows")
        self.refused(f"layers = ( {line.replace('nm', 'no')} );", "order", "mn")
        self.refused(f"layers = ( {line.replace('images = 1', 'images = 2')} );", "chunk_images", "1 images")
        self.refused(f"layers = ( {line.replace('block_rows', 'rows')} );", "unknown setting 'rows'")
        self.refused(f"layers = ( {line}, {line} );", "conv2", "twice")
        self.refused(f"layers = ( {line.replace('halves', 'parts = 2; halves')} );", "conv2", "halves leave")
        parts = line.replace("true", "false; parts = 2")
        self.refused(f"layers = ( {parts} );", "conv2", "parts = 2", "at least 64 of block_rows = 64")
        self.refused(f"layers = ( {parts.replace('parts = 2', 'parts = 99')} );", "parts", "64")
        self.refused("layers = 5;", r"saved\.map:1", "layers")
        self.refused("blocks = ();", "blocks", "layers")
        self.refused("layers = ( 5 );", "group")
        self.refused("layers = ( {", r"saved\.map:1")

    def test_the_reference_has_none(self):
        result = cli.run("--arch", "reference", "--net", "xor", "--mapping", str(self.file))
        self.assertEqual(result.returncode, 2)


class Heuristic(unittest.TestCase):
    """The fast search's event cycles are within 10 % of the default's."""

    NETS = ("alexnet", "resnet50", "googlenet", "inception-v3", "mobilenet-v2", "squeezenet", "lenet5")
    LIMIT = 0.10

    def worst(self, nets):
        worst = -1, ""
        for net in nets:
            for batch in (1, 16):
                cycles = [cli.record(*TPU, "--net", net, "--batch", str(batch), "--mode", "timing", "--set",
                                     f"mapper.search={search}")["totals"]["cycles"]
                          for search in ("search", "heuristic")]
                worst = max(worst, (cycles[1] / cycles[0] - 1, f"{net}, batch {batch}"))
        print(f"heuristic: at most {worst[0]:+.1%}, {worst[1]}")
        self.assertLessEqual(worst[0], self.LIMIT, worst[1])

    def test_of_some_networks_it_is_within_10_percent(self):
        self.worst(self.NETS)


class HeuristicAll(Heuristic):
    NETS = tuple(path.stem for path in sorted((cli.ROOT / "workloads/nets").glob("*.net")))


if __name__ == "__main__":
    unittest.main()
