# SPDX-License-Identifier: Apache-2.0
"""Mappings kept, edited and given back.

    test_mapping.py [CLASS[.TEST]...]
"""
import json
import pathlib
import re
import tempfile
import unittest

import cli

TPU = ("--arch", "tpu")
# Little room: two groups take turns, everything else stays on the chip.
SQUEEZE = (*TPU, "--net", "squeezenet", "--batch", "4",
           "--set", "memory.unified_buffer.size_kib=1536")


def program(*options):
    """But for how many mappings were looked at: with a file that names the groups, fewer."""
    first, rest = cli.succeed("show", "plan", *options).split("\n", 1)
    assert "mappings of layers looked at" in first
    return rest


class Mapping(unittest.TestCase):
    def setUp(self):
        temp = tempfile.TemporaryDirectory()
        self.addCleanup(temp.cleanup)
        self.file = pathlib.Path(temp.name) / "saved.map"

    def save(self, *options):
        return program(*options, "--save-mapping", str(self.file))

    def refused(self, text, *patterns, options=(*TPU, "--net", "alexnet")):
        self.file.write_text(text)
        result = cli.run(*options, "--mode", "timing", "--mapping", str(self.file))
        self.assertEqual(result.returncode, 2)
        for pattern in patterns:
            self.assertRegex(cli.text(result.stderr), pattern)

    def layout(self):
        """What the file says of groups and values, without how layers are cut."""
        text = self.file.read_text()
        return text[text.index("groups = ("):]

    def edited(self, text, *changes):
        for old, new in changes:
            self.assertEqual(text.count(old), 1, old)
            text = text.replace(old, new)
        self.file.write_text(text)
        return self.record(*SQUEEZE, "--mapping", str(self.file))

    def record(self, *options):
        """Not of a run before with another text in the file."""
        return json.loads(cli.record_text(*options))

    def test_given_back_it_is_the_same_program(self):
        for options in (("--net", "alexnet"), ("--net", "alexnet", "--batch", "200"),
                        ("--net", "mobilenet-v1", "--batch", "3"),
                        ("--net", "resnet50", "--batch", "16"), ("--net", "vgg16", "--batch", "16"),
                        ("--net", "vgg16", "--batch", "2",
                         "--set", "memory.unified_buffer.size_kib=2048"),
                        SQUEEZE[2:],
                        ("--net", "alexnet", "--set", "array.dataflow=os"),
                        # 98 rows a block, or a whole number of times; SCALE-Sim counts all alike.
                        ("--net", "squeezenet", "--set", "array.dataflow=os", "--set",
                         "array.rows=98", "--set", "array.timing=scalesim"),
                        # The accumulators hold less than the array has columns.
                        ("--net", "gemm:29x12x139", "--set", "array.dataflow=is", "--set",
                         "accumulators.entries=64", "--set", "array.cols=101"),
                        ("--net", "alexnet", "--set", "array.dataflow=is", "--precision", "int16")):
            plan = self.save(*TPU, *options)
            text = self.file.read_text()
            again = program(*TPU, *options, "--mapping", str(self.file),
                            "--save-mapping", str(self.file))
            self.assertTrue(plan == again, options)
            self.assertEqual(text, self.file.read_text())

    def test_groups_and_homes_alone_give_the_same_program(self):
        plan = self.save(*SQUEEZE)
        self.file.write_text(self.layout())
        self.assertTrue(plan == program(*SQUEEZE, "--mapping", str(self.file)))

    def test_a_search_that_finds_other_groups_keeps_to_the_file(self):
        """Also where machine and network alone would lead elsewhere: here the traffic counts."""
        self.save(*SQUEEZE)
        text = self.layout()
        self.file.write_text(text)
        program(*SQUEEZE, "--set", "mapper.objective=traffic", "--mapping", str(self.file),
                "--save-mapping", str(self.file))
        self.assertEqual(text, self.layout())

    def test_an_edited_group_takes_effect_and_stays_exact(self):
        self.save(*SQUEEZE)
        text = self.layout()
        self.assertIn('first = "fire5"; last = "pool5"; images = 2;', text)
        record = self.edited(text, ("images = 2", "images = 1"))
        self.assertTrue(record["check"]["exact"])
        plan = program(*SQUEEZE, "--mapping", str(self.file))
        self.assertRegex(plan, r"# \d+ pool5: .*1 images at a time in turn")
        record = self.edited(text, ('last = "pool5"', 'last = "fire6_squeeze"'),
                             ('"pool5"; home = "chip"', '"pool5"; home = "turn"'))
        self.assertTrue(record["check"]["exact"])
        plan = program(*SQUEEZE, "--mapping", str(self.file))
        self.assertRegex(plan, r"# \d+ fire6_squeeze: .*2 images at a time in turn")

    def test_turns_are_as_equal_as_can_be_and_stay_exact(self):
        options = (*SQUEEZE[:4], "--batch", "7", "--set", "memory.unified_buffer.size_kib=12288")
        for images, most in ((5, 4), (3, 3)):  # 4 + 3, 3 + 2 + 2
            self.file.write_text(
                f'groups = ( {{ first = "conv1"; last = "fire4"; images = {images}; }} );')
            record = self.record(*options, "--mapping", str(self.file),
                                 "--save-mapping", str(self.file))
            self.assertTrue(record["check"]["exact"])
            self.assertIn(f"images = {most};", self.file.read_text())

    def test_an_activation_sent_to_the_host_takes_effect_and_stays_exact(self):
        """Its bytes cross the link twice more, out and back."""
        self.save(*SQUEEZE)
        text = self.layout()
        chip = self.edited(text)["totals"]["bytes"]["host"]
        for value, size in (("fire6", 4 * 384 * 13 * 13), ("pool3", 4 * 128 * 27 * 27)):
            record = self.edited(text, (f'"{value}"; home = "chip"', f'"{value}"; home = "host"'))
            host = record["totals"]["bytes"]["host"]
            self.assertTrue(record["check"]["exact"])
            self.assertGreaterEqual(host["write"] - chip["write"], size)
            self.assertLess(host["write"] - chip["write"], size + 4 * 256)
            self.assertEqual(host["write"] - chip["write"], host["read"] - chip["read"])

    def test_what_the_file_does_not_say_the_mapper_decides(self):
        self.file.write_text('values = ( { name = "fire6"; home = "host"; } );')
        record = self.record(*SQUEEZE, "--mapping", str(self.file),
                             "--save-mapping", str(self.file))
        self.assertTrue(record["check"]["exact"])
        self.assertIn('{ name = "fire6"; home = "host"; }', self.file.read_text())
        self.assertIn('first = "fire5"; last = "fire6"; images = 2;', self.file.read_text())
        self.file.write_text("groups = ();")
        record = self.record(*SQUEEZE, "--mapping", str(self.file),
                             "--save-mapping", str(self.file))
        self.assertTrue(record["check"]["exact"])
        self.assertIn('home = "host"', self.layout())
        self.assertNotIn("images", self.layout())
        self.file.write_text('groups = ( { first = "fire6_squeeze"; last = "fire6"; images = 1; } );')
        record = self.record(*SQUEEZE, "--mapping", str(self.file), "--save-mapping", str(self.file))
        self.assertTrue(record["check"]["exact"])
        self.assertIn('"fire6_relu_1x1"; home = "turn"', self.layout())

    def test_an_edited_block_takes_effect_and_stays_exact(self):
        self.save(*TPU, "--net", "alexnet")
        text = self.file.read_text()
        edited = re.sub(r'(name = "conv2"; block_rows = )\d+(.*?parts = )\d+', r"\g<1>100\g<2>1",
                        text)
        self.assertNotEqual(text, edited)
        self.file.write_text(edited)
        plan = cli.succeed("show", "plan", *TPU, "--net", "alexnet", "--mapping", str(self.file))
        self.assertIn("blocks of 100 rows", plan)
        record = cli.record(*TPU, "--net", "alexnet", "--mapping", str(self.file))
        self.assertTrue(record["check"]["exact"])

    def test_pieces_take_effect_and_stay_exact(self):
        self.save(*TPU, "--net", "alexnet")
        text = self.file.read_text()
        sharing = r'(name = "conv2"; block_rows = )\d+(.*?halves = )\w+(; parts = )\d+'
        self.file.write_text(re.sub(sharing, r"\g<1>300\g<2>false\g<3>3", text))
        plan = cli.succeed("show", "plan", *TPU, "--net", "alexnet", "--mapping", str(self.file))
        self.assertIn("blocks of 300 rows, order nm, single accumulators in 3 parts", plan)
        record = cli.record(*TPU, "--net", "alexnet", "--mapping", str(self.file))
        self.assertTrue(record["check"]["exact"])

    def test_bad_mappings_are_refused(self):
        line = '{ name = "conv2"; block_rows = 64; order = "nm"; halves = true; chunk_images = 1; }'
        self.refused(f"layers = ( {line.replace('conv2', 'convv2')} );", r"saved\.map:1", "convv2",
                     "conv2")
        self.refused(f"layers = ( {line.replace('64', '100000')} );", "conv2", "100000", "1 to 729")
        self.refused(f"layers = ( {line.replace('64', '0')} );", "block_rows")
        self.refused(f"layers = ( {line.replace('nm', 'no')} );", "order", "mn")
        self.refused(f"layers = ( {line.replace('images = 1', 'images = 2')} );", "chunk_images",
                     "1 images")
        self.refused(f"layers = ( {line.replace('block_rows', 'rows')} );",
                     "unknown setting 'rows'")
        self.refused(f"layers = ( {line}, {line} );", "conv2", "twice")
        self.refused(f"layers = ( {line.replace('halves', 'parts = 2; halves')} );", "conv2",
                     "halves leave")
        parts = line.replace("true", "false; parts = 2")
        self.refused(f"layers = ( {parts} );", "conv2", "parts = 2",
                     "at least 64 of block_rows = 64")
        self.refused(f"layers = ( {parts.replace('parts = 2', 'parts = 99')} );", "parts", "64")
        self.refused("layers = 5;", r"saved\.map:1", "layers")
        self.refused(f"layers = ( {line.replace('conv2', 'norm1')} );", "norm1", "block_rows",
                     "chunk_images")
        self.refused('layers = ( { name = "conv2"; } );', "conv2",
                     "'block_rows' is missing")
        self.refused("blocks = ();", "blocks", "layers")
        self.refused("layers = ( 5 );", "group")
        self.refused("layers = ( {", r"saved\.map:1")

    def test_bad_groups_and_homes_are_refused(self):
        group = '{ first = "conv1"; last = "fire2"; images = 2; }'
        value = '{ name = "fire6"; home = "host"; }'

        def bad(text, *patterns):
            self.refused(text, r"saved\.map:2\b", *patterns, options=SQUEEZE)

        def bad_group(old, new, *patterns):
            bad(f"groups = (\n{group.replace(old, new)} );", *patterns)

        def bad_value(old, new, *patterns):
            bad(f"values = (\n{value.replace(old, new)} );", *patterns)

        bad_group("\"fire2", "\"fire2_squeez", "fire2_squeez", "did you mean 'fire2_squeeze'")
        bad_group("fire2", "conv1", "last = 'conv1'", "two or more")
        bad_group("fire2", "prob", "prob", "host")
        bad_group("images = 2", "images = 4", "images = 4", "batch of 4")
        bad_group("images = 2", "images = 0", "images", "1 to")
        bad_group("images = 2; ", "", "images", "missing")
        bad_group("fire2", "pool3", "'conv1' to 'pool3'",
                  "images = 2: unified_buffer has room for 1")
        bad(f"groups = (\n{group}, {group.replace('conv1', 'fire2_squeeze')} );", "fire2_squeeze",
            "in a group already")
        bad_value("fire6", "fire66", "fire66", "did you mean 'fire6'")
        bad_value("host", "moon", "home", "moon", "chip.*host.*turn")
        bad_value("host", "turn", "fire6", "turn", "chip.*host")
        bad(f"values = (\n{value}, {value} );", "fire6", "twice")
        self.save(*SQUEEZE)
        text = self.layout()
        for old, new, *patterns in (
                ('"fire3"; home = "turn"', '"fire3"; home = "host"', "fire3", '"turn" or "chip"'),
                ('"fire3"; home = "turn"', '"fire3"; home = "chip"', "fire3",
                 "no room for its 1512 KiB", "turn"),
                ('last = "pool3"', 'last = "fire3"', "fire3", "turn", '"chip" or "host"')):
            self.refused(text.replace(old, new), r"saved\.map:\d+", *patterns, options=SQUEEZE)
        one = 'values = ( { name = "data"; home = "chip"; },\n{ name = "pool1"; home = "chip"; } );'
        self.refused(one, r"saved\.map:2\b", "pool1", "no room for its 784 KiB", '"host" is right',
                     options=(*TPU, "--net", "vgg16", "--batch", "1", "--set",
                              "memory.unified_buffer.size_kib=2048"))

    def test_the_reference_has_none(self):
        result = cli.run("--arch", "reference", "--net", "xor", "--mapping", str(self.file))
        self.assertEqual(result.returncode, 2)


class Heuristic(unittest.TestCase):
    """The fast search's event cycles are within 10 % of the default's."""

    NETS = ("alexnet", "resnet50", "googlenet", "inception-v3", "mobilenet-v2", "squeezenet",
            "lenet5")
    LIMIT = 0.10

    def worst(self, nets):
        worst = -1, ""
        for net in nets:
            for batch in (1, 16):
                cycles = [cli.record(*TPU, "--net", net, "--batch", str(batch), "--mode", "timing",
                                     "--set", f"mapper.search={search}")["totals"]["cycles"]
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
