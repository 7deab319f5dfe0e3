# SPDX-License-Identifier: Apache-2.0
"""The command line: what is printed where, exit codes, and bad input of every kind.

    test_cli.py [CLASS[.TEST]...]
"""
import csv
import io
import json
import os
import pty
import re
import subprocess

import bad_input
import cli

TIMING = ("--arch", "tpu.cfg", "--net", "alexnet", "--mode", "timing")
RUN_OPTIONS = """--arch --net --batch --set --mode --fidelity --check --precision --input --weights
    --calibrate --seed --threads --output --layers --json --csv --power --vcd --memory-limit
    --time-limit --quiet --verbose --no-color --help --version""".split()


class Refused(cli.InFolder):
    """Each row of bad_input fails as it says: its exit code, a message that names the culprit,
    nothing on standard output, and the file that stood at the output's path left as it was."""

    def check(self, row):
        for name in (*row.files, *row.links):
            (self.folder / name).unlink(missing_ok=True)
        for name, content in row.files.items():
            (self.folder / name).write_bytes(content)
        for name, target in row.links.items():
            (self.folder / name).symlink_to(target)
        kept = self.folder / "kept.json"
        kept.write_text("old")
        before = sorted(os.listdir(self.folder))
        result = self.run_here("--json", "kept.json", *row.args, timeout=120)
        message = cli.text(result.stderr)
        told = f"{' '.join(row.args)[:300]}\nexit {result.returncode}: {message[:1000]}"
        self.assertEqual(result.returncode, row.exit, told)
        for pattern in row.patterns:
            self.assertRegex(message, pattern, told)
        self.assertEqual(result.stdout, b"", told)
        self.assertEqual(kept.read_text(), "old", told)
        self.assertEqual(sorted(os.listdir(self.folder)), before, told)

    def check_all(self, rows):
        for row in rows:
            with self.subTest(row.name):
                self.check(row)

    def test_machine_files(self):
        self.check_all(bad_input.MACHINE_FILES)

    def test_settings(self):
        self.check_all(bad_input.SETTINGS)

    def test_net_files(self):
        self.check_all(bad_input.NET_FILES)

    def test_shapes(self):
        self.check_all(bad_input.SHAPES)

    def test_options(self):
        self.check_all(bad_input.OPTIONS)

    def test_banks(self):
        self.check_all(bad_input.BANKS)
        self.check_all(bad_input.MEMORIES)

    def test_tensors(self):
        self.check_all(bad_input.TENSORS)

    def test_bombs(self):
        self.check_all(bad_input.BOMBS)

    def test_too_large_for_the_machine(self):
        self.check_all(bad_input.TOO_LARGE)

    def test_too_much_for_a_limit(self):
        self.check_all(bad_input.TOO_MUCH)

    def test_an_input_is_not_overwritten(self):
        net = self.folder / "my.net"
        net.write_text((cli.ROOT / "workloads/nets/mlp-mnist.net").read_text())
        for option in ("--json", "--csv", "--power", "--output", "--vcd"):
            with self.subTest(option):
                result = self.run_here(*cli.ON_TPU, "--net", "my.net", option, net)
                self.assertEqual(result.returncode, 2)
                self.assertRegex(cli.text(result.stderr), rf"{option}.*my\.net")

    def test_a_pipe_that_nobody_writes_to(self):
        os.mkfifo(self.folder / "silent.net")
        result = self.run_here(*cli.ON_TPU, "--net", "silent.net", timeout=60)
        self.assertEqual(result.returncode, 2)
        self.assertRegex(cli.text(result.stderr), r"silent\.net")


class Usage(cli.InFolder):
    """Wrong usage that is not about a run."""

    def test_wrong_usage_exits_2_and_names_the_word(self):
        for args, pattern in (
            (("nosuch",), "nosuch"),
            (("--nosuch",), "nosuch"),
            (("show",), "arch|net|op|plan"),
            (("show", "nosuch", "x"), "nosuch"),
            (("show", "arch"), "arch"),
            (("show", "arch", "nosuch"), "nosuch"),
            (("show", "arch", "reference"), "reference.*no settings"),
            (("show", "plan", "--arch", "reference", "--net", "lenet5"), "reference.*no plan"),
            (("show", "net", "nosuch"), "nosuch"),
            (("show", "op", "conv2x"), "conv2x.*conv2d|conv2x"),
            (("show", "plan", "--arch", "tpu"), "net"),
            (("list",), "archs|nets|ops|families|datasets"),
            (("list", "nosuch"), "nosuch"),
            (("--arch",), "arch"),
            (("--arch", "tpu"), "net"),
            (("--net", "alexnet"), "arch"),
            ((*cli.SMALL, "stray"), "stray"),
            ((), "arch|usage"),
        ):
            with self.subTest(" ".join(args)):
                result = self.run_here(*args)
                self.assertEqual(result.returncode, 2, cli.text(result.stderr))
                self.assertRegex(cli.text(result.stderr), pattern)
                self.assertEqual(result.stdout, b"")


class Help(cli.InFolder):
    def test_version(self):
        project = (cli.ROOT / "CMakeLists.txt").read_text()
        version = re.search(r"project\(accsim VERSION ([\d.]+)", project).group(1)
        self.assertIn(version, cli.succeed("--version"))

    def test_the_help_of_run_names_every_option(self):
        for args in (("--help",), ("run", "--help")):
            shown = cli.succeed(*args)
            for option in RUN_OPTIONS:
                with self.subTest(f"{args} {option}"):
                    self.assertRegex(shown, rf"{option}\b")

    def test_help_names_the_subcommands(self):
        shown = cli.succeed("--help")
        for subcommand in ("run", "show", "list"):
            self.assertRegex(shown, rf"\b{subcommand}\b")

    def test_each_subcommand_has_help(self):
        for subcommand, words in (
            ("show", ("arch", "net", "op", "plan")),
            ("list", ("archs", "nets", "ops", "families", "datasets")),
        ):
            shown = cli.succeed(subcommand, "--help")
            for word in words:
                with self.subTest(f"{subcommand} {word}"):
                    self.assertRegex(shown, rf"\b{word}\b")

    def test_lists(self):
        for what, words in (
            ("archs", ["tpu"]),
            ("nets", ["alexnet"]),
            ("families", ["systolic"]),
            ("datasets", ["fashion-mnist", "cifar10"]),
            (
                "ops",
                """conv2d relu lrn dropout softmax flatten add concat""".split(),
            ),
        ):
            shown = cli.succeed("list", what)
            for word in words:
                with self.subTest(f"{what} {word}"):
                    self.assertRegex(shown, rf"\b{word}\b")

    def test_every_listed_op_can_be_shown(self):
        names = [o["name"] for o in json.loads(cli.succeed("list", "ops", "--json", "-"))["items"]]
        self.assertGreaterEqual(len(names), 11)
        for name in names:
            with self.subTest(name):
                self.assertIn(name, cli.succeed("show", "op", name))

    def test_show_net_gives_shapes_and_totals(self):
        shown = cli.succeed("show", "net", "alexnet").replace(",", "").replace("_", "")
        for number in ("724406816", "60965224", "37748736", "13x13"):
            with self.subTest(number):
                self.assertIn(number, shown)
        self.assertRegex(shown, r"256\s*x\s*13\s*x\s*13|13\s*x\s*13\s*x\s*256")

    def test_shipped_nets_have_their_published_counts(self):
        with open(cli.ROOT / "tests/reference/nets.csv", newline="") as f:
            published = list(csv.DictReader(f))
        listed = json.loads(cli.succeed("list", "nets", "--json", "-"))["items"]
        self.assertEqual({n["name"] for n in listed}, {row["net"] for row in published})
        for row in published:
            with self.subTest(row["net"]):
                net = json.loads(cli.succeed("show", "net", row["net"], "--json", "-"))
                self.assertEqual(net["totals"]["macs"], int(row["macs"]))
                self.assertEqual(net["totals"]["parameters"], int(row["parameters"]))

    def test_show_arch_gives_settings(self):
        for spelling in ("tpu", "tpu.cfg", str(cli.ROOT / "arch/systolic/tpu.cfg")):
            shown = cli.succeed("show", "arch", spelling)
            for path in ("array.rows", "clock_mhz", "memory.weights.bandwidth_gb_s"):
                with self.subTest(f"{spelling} {path}"):
                    self.assertIn(path, shown)

    def test_a_list_of_functions_may_be_empty_a_list_of_formats_not(self):
        shown = json.loads(
            cli.succeed("show", "arch", "tpu", "--set", "activation.functions=[]", "--json", "-")
        )
        functions = [s for s in shown["settings"] if s["path"] == "activation.functions"]
        self.assertEqual([s["value"] for s in functions], [[]])
        result = cli.run("show", "arch", "tpu", "--set", "array.formats=[]")
        self.assertEqual(result.returncode, 2)
        self.assertIn("array.formats = [] is empty", cli.text(result.stderr))

    def test_show_plan_gives_the_program(self):
        shown = cli.succeed("show", "plan", "--arch", "tpu", "--net", "alexnet", "--batch", "1")
        for word in ("conv1", "fc8", "Read_Weights", "Activate", "Write_Host_Memory"):
            with self.subTest(word):
                self.assertIn(word, shown)


class Report(cli.InFolder):
    def test_text_fits_100_columns_and_has_no_escapes(self):
        shown = cli.succeed(*TIMING)
        self.assertNotIn("\x1b", shown)
        self.assertLessEqual(max(map(len, shown.splitlines())), 100)
        for word in ("conv1", "fc8", "TPU|tpu"):
            self.assertRegex(shown, word)

    def test_a_changed_machine_says_so_and_keeps_no_claim(self):
        """Neither by --set nor by a file that is based on it; the mapper's settings change none."""
        changed = ("--set", "array.rows=32", "--set", "mapper.search=heuristic")
        shown = cli.succeed(*cli.SMALL, *changed)
        self.assertIn("on tpu with array.rows=32, mapper.search=heuristic", shown.splitlines()[0])
        arch = cli.record(*cli.SMALL, *changed)["arch"]
        self.assertEqual(arch["overrides"], ["array.rows=32", "mapper.search=heuristic"])
        claim = cli.record(*cli.SMALL)["arch"]["known_error"]
        self.assertEqual(cli.record(*cli.SMALL)["arch"]["overrides"], [])
        (self.folder / "mine.cfg").write_text('base = "tpu.cfg";\narray = { rows = 32; };\n')
        mine = cli.record("--arch", str(self.folder / "mine.cfg"), *cli.SMALL[2:])["arch"]
        self.assertEqual(mine["name"], "mine")
        for told, begin in ((arch["known_error"], "Changed: array.rows=32. How far"),
                            (mine["known_error"], "How far")):
            self.assertTrue(told.startswith(begin), told)
            self.assertIn(f"not known of this machine. Of the machine that it is made from: {claim}",
                          told)
            self.assertIn("energy.idle_w = 28 W", told)
        heuristic = cli.record(*cli.SMALL, *changed[2:])["arch"]
        self.assertEqual(heuristic["known_error"], claim)
        idle = cli.record(*cli.SMALL, "--set", "array.rows=32", "--set", "energy.idle_w=3")["arch"]
        self.assertNotIn("idle_w = ", idle["known_error"])

    def test_a_mapping_file_is_named(self):
        cli.succeed(*cli.SMALL, "--save-mapping", self.folder / "m.map")
        shown = cli.succeed(*cli.SMALL, "--mapping", self.folder / "m.map")
        self.assertIn("mapped by", shown.splitlines()[0])
        net = cli.record(*cli.SMALL, "--mapping", str(self.folder / "m.map"))["net"]
        self.assertEqual(net["mapping"], str(self.folder / "m.map"))

    def test_a_die_smaller_than_its_blocks_says_so(self):
        small = (*cli.SMALL, "--mode", "timing", "--set", "area_mm2=10")
        area = re.search(r"^area .*?(?=^\w)", cli.succeed(*small), re.M | re.S).group()
        self.assertRegex(area, r"10 mm\S+ as given, its blocks take \d+ mm")
        shares = [float(x) for x in re.findall(r"([\d.]+) %", area)]
        self.assertAlmostEqual(sum(shares), 100, delta=0.5)  # each is rounded to a tenth

    def on_terminal(self, *args, **changes):
        """What a run prints when its standard output is a terminal."""
        try:
            reader, writer = pty.openpty()
        except OSError as error:
            self.skipTest(f"no terminal can be had: {error}")
        with subprocess.Popen(
            [cli.ACCSIM, *args],
            env=cli.environment(TERM="xterm-256color", **changes),
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.DEVNULL,
        ):
            os.close(writer)
            shown = b""
            try:
                while chunk := os.read(reader, 4096):
                    shown += chunk
            except OSError:  # how a pseudo-terminal ends
                pass
            os.close(reader)
        return shown

    def test_colour_is_for_terminals_that_want_it(self):
        self.assertIn(b"conv1", self.on_terminal(*TIMING))
        self.assertNotIn(cli.ESCAPE, self.on_terminal(*TIMING, NO_COLOR="1"))
        self.assertNotIn(cli.ESCAPE, self.on_terminal(*TIMING, "--no-color"))

    def test_json_on_standard_output_is_json_alone(self):
        record = json.loads(cli.succeed(*TIMING, "--json", "-"))
        self.assertEqual(record["schema"], "accsim-run/1")

    def test_json_validates_against_its_schema(self):
        try:
            import jsonschema
        except ImportError:
            self.skipTest("python3-jsonschema is not installed")
        schema = json.loads((cli.ROOT / "reports/accsim-run-1.schema.json").read_text())
        for args in (
            cli.SMALL,
            TIMING,
            (*TIMING, "--fidelity", "analytic"),
            ("--arch", "tpu.cfg", "--net", "alexnet", "--batch", "3"),
            ("--arch", "reference", "--net", "alexnet"),
        ):
            with self.subTest(" ".join(args)):
                jsonschema.validate(cli.record(*args), schema)

    def test_csv_has_a_row_a_layer(self):
        rows = list(csv.reader(io.StringIO(cli.succeed(*TIMING, "--csv", "-"))))
        self.assertEqual({len(row) for row in rows}, {len(rows[0])})
        names = [layer["name"] for layer in cli.record(*TIMING)["layers"]]
        cells = [cell for row in rows[1:] for cell in row]
        for name in names:
            self.assertIn(name, cells)

    def test_power_has_a_row_an_interval_and_adds_up_to_the_energy(self):
        rows = list(csv.DictReader(io.StringIO(cli.succeed(*TIMING, "--power", "-"))))
        record = cli.record(*TIMING)
        self.assertEqual([float(row["power_w"]) for row in rows], record["power"]["watts"])
        starts = [float(row["start_seconds"]) for row in rows]
        ends = [float(row["end_seconds"]) for row in rows]
        self.assertEqual(starts, [0, *ends[:-1]])
        self.assertAlmostEqual(ends[-1] / record["totals"]["seconds"], 1, places=12)
        energy = sum(
            float(row["power_w"]) * (end - start) for row, start, end in zip(rows, starts, ends)
        )
        self.assertAlmostEqual(energy / record["totals"]["energy_j"], 1, places=9)

    def test_the_reference_has_no_power(self):
        shown = cli.succeed("--arch", "reference", "--net", "lenet5", "--power", "-")
        self.assertEqual(shown, "start_seconds,end_seconds,power_w\n")

    def test_files_are_written_and_say_the_same(self):
        result = self.run_here(
            *TIMING, "--json", "run.json", "--csv", "run.csv", "--power", "power.csv"
        )
        self.assertEqual(result.returncode, 0, cli.text(result.stderr))
        self.assertEqual(sorted(os.listdir(self.folder)), ["power.csv", "run.csv", "run.json"])
        written = (self.folder / "run.json").read_text()
        self.assertEqual(cli.comparable(written), cli.comparable(cli.record_text(*TIMING)))

    def test_a_link_is_followed(self):
        (self.folder / "link.json").symlink_to("target.json")
        self.assertEqual(self.run_here(*cli.SMALL, "--json", "link.json").returncode, 0)
        self.assertTrue((self.folder / "link.json").is_symlink())
        json.loads((self.folder / "target.json").read_text())

    def test_quiet_says_nothing_on_standard_error(self):
        result = self.run_here(*cli.SMALL, "--quiet")
        self.assertEqual((result.returncode, result.stderr), (0, b""))

    def test_waveform(self):
        for name in ("a.vcd", "b.vcd"):
            result = self.run_here(*cli.SMALL, "--mode", "timing", "--vcd", name)
            self.assertEqual(result.returncode, 0, cli.text(result.stderr))
        first = (self.folder / "a.vcd").read_bytes()
        self.assertIn(b"$timescale", first)
        self.assertEqual(first, (self.folder / "b.vcd").read_bytes())


if __name__ == "__main__":
    cli.main()
