# SPDX-License-Identifier: Apache-2.0
"""What a run leaves behind: values, the same bytes each time, outputs that cannot be written, limits
and interrupts.

    test_outputs.py [CLASS[.TEST]...]
"""
import hashlib
import json
import os
import pathlib
import pty
import re
import signal
import struct
import subprocess
import time
import zipfile

import cli

FULL = pathlib.Path("/dev/full")
NOBODY = 65534


def read_npz(path):
    """The arrays of an .npz of fp32 tensors: name -> (shape, values)."""
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            data = archive.read(name)
            assert data[:6] == b"\x93NUMPY"
            size = struct.unpack_from("<H", data, 8)[0]
            header = data[10 : 10 + size].decode()
            assert "'<f4'" in header and "False" in header, header
            shape = tuple(map(int, re.findall(r"\d+", header[header.index("(") :])))
            count = (len(data) - 10 - size) // 4
            arrays[name.removesuffix(".npy")] = (
                shape,
                struct.unpack_from(f"<{count}f", data, 10 + size),
            )
    return arrays


class Values(cli.InFolder):
    def test_the_output_is_a_distribution_over_classes(self):
        result = self.run_here(
            "--arch", "tpu.cfg", "--net", "alexnet", "--batch", "3", "--output", "out.npz"
        )
        self.assertEqual(result.returncode, 0, cli.text(result.stderr))
        ((shape, values),) = read_npz(self.folder / "out.npz").values()
        self.assertEqual(shape, (3, 1000))
        for row in range(3):
            # A float's rounding, a thousand times.
            self.assertAlmostEqual(sum(values[1000 * row : 1000 * (row + 1)]), 1.0, places=4)

    def test_only_the_layers_asked_for_are_run(self):
        record = cli.alexnet("--mode", "timing", "--layers", "conv1,fc6")
        self.assertEqual(
            [layer["name"] for layer in record["layers"] if layer["macs"]], ["conv1", "fc6"]
        )

    def test_the_reference_gives_values_without_cycles(self):
        record = cli.record("--arch", "reference", "--net", "alexnet")
        self.assertNotIn("cycles", record["totals"])

    def test_the_reference_runs_a_first_step(self):
        for net, name, size in (("accumulator", "total", 4), ("lstm-step", "h_new", 16)):
            file = cli.ROOT / f"docs/examples/{net}.net"
            result = self.run_here(
                *("--arch", "reference", "--net", file, "--batch", "2", "--output", "out.npz")
            )
            self.assertEqual(result.returncode, 0, cli.text(result.stderr))
            arrays = read_npz(self.folder / "out.npz")
            self.assertEqual({name: shape for name, (shape, _) in arrays.items()}, {name: (2, size)})

    def test_states_of_a_network_are_shown(self):
        file = cli.ROOT / "docs/examples/lstm-step.net"
        result = self.run_here("show", "net", file, "--json", "net.json")
        self.assertEqual(result.returncode, 0, cli.text(result.stderr))
        states = json.loads((self.folder / "net.json").read_text())["states"]
        self.assertEqual(
            [(s["name"], s["shape"], s["next"]) for s in states],
            [("h", [1, 16], "h_new"), ("c", [1, 16], "c_new")],
        )


class Repeated(cli.InFolder):
    def outcome(self, name, *args, **options):
        result = self.run_here(
            *("--arch", "tpu.cfg", "--net", "alexnet", "--batch", "2"),
            *("--json", f"{name}.json", "--csv", f"{name}.csv", "--output", f"{name}.npz"),
            *args,
            **options,
        )
        self.assertEqual(result.returncode, 0, cli.text(result.stderr))
        return (
            cli.comparable((self.folder / f"{name}.json").read_text()),
            (self.folder / f"{name}.csv").read_text(),
            hashlib.sha256((self.folder / f"{name}.npz").read_bytes()).hexdigest(),
        )


class Repeatable(Repeated):
    """The same seed gives the same bytes, for any number of threads."""

    def test_threads_change_no_bit(self):
        one = self.outcome("one")
        self.assertEqual(one, self.outcome("again"))
        self.assertEqual(one, self.outcome("two", "--threads", "2"))

    def test_another_seed_gives_other_values(self):
        one, other = self.outcome("one"), self.outcome("other", "--seed", "2")
        self.assertNotEqual(one[2], other[2])


class Builds(Repeated):
    def test_release_and_sanitizer_builds_give_the_same_bytes(self):
        sanitized = os.environ.get("ACCSIM_ASAN", "")
        if not os.access(sanitized, os.X_OK):
            self.skipTest("there is no sanitizer build")
        self.assertEqual(self.outcome("release"), self.outcome("asan", program=sanitized))


class Outputs(cli.InFolder):
    """An output that cannot be written exits 4, names the file and leaves nothing behind."""

    OPTIONS = {
        "--json": cli.SMALL,
        "--csv": cli.SMALL,
        "--power": cli.SMALL,
        "--output": cli.SMALL,
        "--vcd": (*cli.SMALL, "--mode", "timing"),
    }

    def check(self, args, target, **options):
        before = sorted(os.listdir(self.folder))
        result = self.run_here(*args, target, **options)
        message = cli.text(result.stderr)
        self.assertEqual(result.returncode, 4, message)
        self.assertIn(str(target), message)
        self.assertEqual(sorted(os.listdir(self.folder)), before)

    def check_all(self, target, **options):
        for option, args in self.OPTIONS.items():
            with self.subTest(option):
                self.check((*args, option), target, **options)

    def test_a_folder_that_is_missing(self):
        self.check_all(pathlib.Path("/nonexistent/out"))

    def test_a_folder_in_place_of_a_file(self):
        (self.folder / "taken").mkdir()
        self.check_all("taken")

    def test_a_full_disk(self):
        if not FULL.exists():
            self.skipTest("there is no /dev/full")
        self.check_all(FULL)

    def test_the_shells_limit_on_files(self):
        result = subprocess.run(
            ["sh", "-c", 'ulimit -f 1 && exec "$@"', "sh", cli.ACCSIM, "--net", "alexnet"]
            + ["--arch", "tpu", "--mode", "timing", "--quiet", "--json", "out.json"],
            cwd=self.folder,
            env=cli.environment(),
            capture_output=True,
            timeout=60,
            check=False,
        )
        self.assertEqual(result.returncode, 4, cli.text(result.stderr))
        self.assertIn("cannot write 'out.json'", cli.text(result.stderr))
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_full_disk_behind_standard_output(self):
        if not FULL.exists():
            self.skipTest("there is no /dev/full")
        for args in (cli.SMALL, (*cli.SMALL, "--json", "-"), (*cli.SMALL, "--csv", "-"), ("list", "ops")):
            with self.subTest(" ".join(args)), open(FULL, "wb") as full:
                self.assertEqual(self.run_here(*args, stdout=full).returncode, 4)

    def test_a_pipe_that_nobody_reads(self):
        os.mkfifo(self.folder / "pipe")
        self.check((*cli.SMALL, "--json"), "pipe", timeout=60)

    def test_a_closed_pipe_behind_standard_output_is_no_news(self):
        for args in (cli.SMALL, ("show", "plan", *cli.SMALL), ("list", "ops", "--json", "-"), ("--help",)):
            with self.subTest(" ".join(args)):
                reader, writer = os.pipe()
                os.close(reader)
                with open(writer, "wb") as closed:
                    result = self.run_here(*args, stdout=closed)
                self.assertEqual((result.returncode, result.stderr), (4, b""))

    def test_one_file_by_two_names(self):
        (self.folder / "link").symlink_to("new")
        result = self.run_here(*cli.SMALL, "--json", "new", "--csv", "link")
        self.assertEqual(result.returncode, 2)
        self.assertEqual(os.listdir(self.folder), ["link"])

    def test_no_permission(self):
        (self.folder / "closed").mkdir(mode=0o555)
        if os.geteuid() != 0:
            self.check_all("closed/out")
            return
        self.folder.chmod(0o755)
        try:  # root may write anywhere, so be somebody else
            self.run_here("--version", user=NOBODY)
        except PermissionError:
            self.skipTest("only root can run this build, and root may write anywhere")
        self.check_all("closed/out", user=NOBODY)


class Limits(cli.InFolder):
    BIG = ("--arch", "tpu.cfg", "--net", "alexnet", "--batch", "200", "--json", "out.json")

    def test_time(self):
        result = self.run_here(*self.BIG, "--time-limit", "1")
        self.assertEqual(result.returncode, 5, cli.text(result.stderr))
        self.assertRegex(cli.text(result.stderr), r"time")
        self.assertEqual(os.listdir(self.folder), [])

    def test_what_takes_long_tells_how_long_it_took(self):
        try:
            reader, writer = pty.openpty()
        except OSError as error:
            self.skipTest(f"no terminal can be had: {error}")
        with open(writer, "wb") as terminal:
            subprocess.run(  # all its mappings take minutes
                [cli.ACCSIM, "--arch", "tpu", "--net", "gemm:9000x2x138", "--fidelity", "analytic"]
                + ["--mode", "timing", "--set", "mapper.search=exhaustive", "--set", "array.rows=3"]
                + ["--time-limit", "2.5"],
                env=cli.environment(TERM="xterm"),
                stdout=subprocess.DEVNULL,
                stderr=terminal,
                timeout=60,
                check=False,
            )
            shown = os.read(reader, 4096)
        os.close(reader)
        self.assertRegex(shown, rb"\rmapping 2 s +")

    def test_memory(self):
        result = self.run_here(*self.BIG, "--memory-limit", "64")
        self.assertEqual(result.returncode, 5, cli.text(result.stderr))
        self.assertRegex(cli.text(result.stderr), r"memory")
        self.assertEqual(os.listdir(self.folder), [])

    def test_the_shells_limit_on_memory(self):
        if os.environ.get("ACCSIM_SANITIZED"):
            self.skipTest("a sanitizer reserves terabytes")
        for mib in (100, 200, 400):
            with self.subTest(mib):
                result = subprocess.run(
                    ["sh", "-c", 'ulimit -v "$0" && exec "$@"', str(mib << 10), cli.ACCSIM]
                    + ["--arch", "tpu.cfg", "--net", "alexnet"],
                    env=cli.environment(OPENBLAS_NUM_THREADS="1"),
                    capture_output=True,
                    timeout=60,
                    check=False,
                )
                self.assertEqual(result.returncode, 5, cli.text(result.stderr))

    def test_interrupt(self):
        with subprocess.Popen(
            [cli.ACCSIM, *self.BIG],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            time.sleep(1)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(timeout=60), 130)
        self.assertEqual(os.listdir(self.folder), [])


if __name__ == "__main__":
    cli.main()
