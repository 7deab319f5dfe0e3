# SPDX-License-Identifier: Apache-2.0
"""What the contract tests share: running accsim and reading its record.

The program is the one named by the environment variable ACCSIM, else build/accsim.
"""
import functools
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ACCSIM = os.environ.get("ACCSIM", str(ROOT / "build/accsim"))
SKIPPED = 77  # what CTest is told to read as a skip
ESCAPE = b"\x1b"
SMALL = ("--arch", "tpu.cfg", "--net", "gemm:4x8x16")
ON_TPU = ("--arch", "tpu.cfg")
TWO_MEMORIES = str(ROOT / "tests/contract/two-memories.cfg")


def environment(**changes):
    """The caller's environment without what would change accsim's answers."""
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "ACCSIM_PATH")}
    return {**kept, "LC_ALL": "C", **changes}


def run(*args, program=ACCSIM, cwd=None, timeout=600, stdout=subprocess.PIPE, user=None):
    """One run of accsim, with its outputs as bytes."""
    return subprocess.run(
        [program, *map(str, args)],
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=timeout,
        user=user,
        check=False,
    )


def text(output):
    return output.decode("utf-8", errors="replace")


def succeed(*args, **options):
    """The standard output of a run that exits 0."""
    result = run(*args, **options)
    if result.returncode != 0:
        raise AssertionError(f"{args}: exit {result.returncode}\n{text(result.stderr)}")
    return text(result.stdout)


def record_text(*args):
    """The JSON of a run as text."""
    return succeed(*args, "--json", "-")


@functools.lru_cache(maxsize=None)
def record(*args):
    """The record of a run; equal arguments are run once."""
    return json.loads(record_text(*args))


def alexnet(*args):
    return record("--arch", "tpu.cfg", "--net", "alexnet", *args)


def comparable(json_text):
    """A record's text without what may differ between two equal runs."""
    return re.sub(r'"(host_seconds|command)":\s*("(?:[^"\\]|\\.)*"|[-+.\deE]+)', "", json_text)


def layer(rec, name):
    return next(found for found in rec["layers"] if found["name"] == name)


def matrix_unit(rec):
    return next(unit for unit in rec["units"] if "matrix" in unit["name"])


def seconds(rec, cycles):
    return cycles / rec["arch"]["clock_hz"]


def setting(rec, path):
    """A machine's setting as a number, from flat ("array.rows") or nested settings."""
    value = rec["arch"]["settings"]
    if path in value:
        value = value[path]
    else:
        for key in path.split("."):
            value = value[key]
    return float(value)


class InFolder(unittest.TestCase):
    """Tests that run accsim in an empty folder."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_here(self, *args, **options):
        return run(*args, cwd=self.folder, **options)


def main():
    """unittest's, with CTest's skip where nothing but skips was run."""
    program = unittest.main(argv=sys.argv, exit=False)
    result = program.result
    if result.testsRun and len(result.skipped) == result.testsRun:
        print(result.skipped[0][1], file=sys.stderr)
        sys.exit(SKIPPED)
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)
