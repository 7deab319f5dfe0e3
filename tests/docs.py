#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks what the manual says.

    docs.py [CLASS[.TEST]...]

Links and files that it names are there, commands in blocks marked `sh run` exit 0 and print the
block marked `text shown` below them, tables and picture are those of the program, the example
family compiles. ACCSIM names the program; CC and
CFLAGS the compiler.
"""
import importlib.machinery
import importlib.util
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
ACCSIM = os.environ.get("ACCSIM", str(ROOT / "build/accsim"))
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
MAX_LINES = 250
TOPS = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"build"}
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.M | re.S)
# Files that a recipe makes up; F stands for a family, O and N for names.
MADE_UP = {
    "workloads/ops/abs.c",
    "arch/systolic/tpu-half.cfg",
    "tests/unit/test_F.c",
    "docs/F.md",
    "arch/scalar/*.c",
}
PLANNED = {"workloads/train", "app/explore"}


def text_of(page):
    return page.read_text(encoding="utf-8")


def anchor(heading):
    """As GitHub makes them."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


def anchors(page):
    return {anchor(h) for h in re.findall(r"^#+ (.*)$", BLOCK.sub("", text_of(page)), re.M)}


class Pages(unittest.TestCase):
    def test_links_lead_somewhere(self):
        for page in PAGES:
            for link in re.findall(r"\]\(([^)\s]+)\)", BLOCK.sub("", text_of(page))):
                if "://" in link:
                    continue
                path, _, fragment = link.partition("#")
                target = (page.parent / path).resolve() if path else page
                with self.subTest(f"{page.name}: {link}"):
                    self.assertTrue(target.exists())
                    if fragment:
                        self.assertIn(fragment, anchors(target))

    def test_named_files_exist(self):
        for page in PAGES:
            for path in re.findall(r"`([\w.-]+(?:/[\w.*-]+)+/?)`", text_of(page)):
                path = path.rstrip("/")
                if path.split("/")[0] not in TOPS or path in MADE_UP | PLANNED:
                    continue
                with self.subTest(f"{page.name}: {path}"):
                    self.assertTrue(list(ROOT.glob(path)))

    def test_a_page_is_short(self):
        for page in PAGES:
            self.assertLessEqual(len(text_of(page).splitlines()), MAX_LINES, page.name)

    def test_every_page_is_in_the_index(self):
        index = text_of(ROOT / "docs/README.md")
        for page in sorted((ROOT / "docs").glob("*.md")):
            if page.name != "README.md":
                self.assertIn(f"]({page.name})", index)

    def test_nothing_outside_the_tree_is_named(self):
        for page in [*PAGES, ROOT / "docs/accsim.1"]:
            self.assertIsNone(re.search(r"/work\b|/home/|/root/|/tmp/", text_of(page)), page.name)


class Commands(unittest.TestCase):
    """Each block runs in a folder that looks like the tree, with the program under test."""

    @staticmethod
    def commands():
        """Page, command, and the part of what it prints that the page shows; "": none."""
        for page in PAGES:
            blocks = [(kind.split(), body) for kind, body in BLOCK.findall(text_of(page))]
            for (kind, body), (next_kind, next_body) in zip(blocks, [*blocks[1:], ([], "")]):
                if kind == ["sh", "run"]:
                    *first, last = body.splitlines()
                    yield from ((page, command, "") for command in first)
                    yield page, last, next_body if next_kind == ["text", "shown"] else ""

    def test_marked_commands_succeed_and_print_what_is_shown(self):
        blocks = list(self.commands())
        self.assertTrue(any(expected for _, _, expected in blocks))
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            for path in ROOT.iterdir():
                if path.name in TOPS:
                    (folder / path.name).symlink_to(path)
            (folder / "build").mkdir()
            (folder / "build/accsim").symlink_to(pathlib.Path(ACCSIM).resolve())
            for page, command, expected in blocks:
                with self.subTest(f"{page.name}: {command}"):
                    result = subprocess.run(
                        ["sh", "-ec", command],
                        cwd=folder,
                        env=dict(os.environ, ACCSIM=ACCSIM),
                        stdin=subprocess.DEVNULL,
                        capture_output=True,
                        check=False,
                    )
                    shown = (result.stdout + result.stderr).decode(errors="replace")
                    self.assertEqual(result.returncode, 0, shown)
                    self.assertIn(" ".join(expected.split()), " ".join(shown.split()))


class Generated(unittest.TestCase):
    maxDiff = None

    def test_tables_are_the_programs(self):
        result = subprocess.run(
            [sys.executable, ROOT / "docs/tables", "--check"],
            env=dict(os.environ, ACCSIM=ACCSIM),
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_the_picture_is_the_programs(self):
        """But for how long it took and how the values compare: floats differ between processors."""
        loader = importlib.machinery.SourceFileLoader("make", str(ROOT / "docs/pictures/make"))
        make = importlib.util.module_from_spec(importlib.util.spec_from_loader("make", loader))
        loader.exec_module(make)
        arguments = ["--arch", "tpu.cfg", "--net", "alexnet"]
        try:
            shown = make.SGR.sub("", make.terminal_output([ACCSIM, *arguments]))
        except OSError as error:
            self.skipTest(f"no terminal can be had: {error}")
        drawn = make.text_of(text_of(make.PICTURE))
        changing = re.compile(r"^values .*?\n(?=\S)|^simulated in .*", re.M | re.S)
        self.assertEqual(
            changing.sub("", drawn), changing.sub("", shown), "run docs/pictures/make"
        )

    def test_the_picture_is_small(self):
        self.assertLess((ROOT / "docs/pictures/alexnet-tpu.svg").stat().st_size, 100_000)


class Examples(unittest.TestCase):
    def test_the_example_family_compiles(self):
        if "CC" not in os.environ:
            self.skipTest("CC names no compiler")
        flags = shlex.split(os.environ.get("CFLAGS", ""))
        for source in sorted((ROOT / "docs/examples").rglob("*.c")):
            result = subprocess.run(
                [os.environ["CC"], "-std=gnu11", "-Wall", "-Wextra", "-Werror", *flags]
                + ["-I", ROOT, "-fsyntax-only", source],
                capture_output=True,
                text=True,
                check=False,
            )
            self.assertEqual(result.returncode, 0, result.stderr)


if __name__ == "__main__":
    unittest.main()
