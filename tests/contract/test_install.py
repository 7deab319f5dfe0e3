# SPDX-License-Identifier: Apache-2.0
"""What `cmake --install` and `cpack` put in place works away from the source tree.

    test_install.py [CLASS[.TEST]...]

ACCSIM_BUILD names the build folder; CMAKE, CPACK and CC the tools that made it.
"""
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile
import unittest

import cli

BUILD = os.environ.get("ACCSIM_BUILD", str(cli.ROOT / "build"))
CMAKE = os.environ.get("CMAKE", "cmake")
CPACK = os.environ.get("CPACK", "cpack")
CC = os.environ.get("CC", "cc")


def tool(*args, **changes):
    """The standard output of a program that must exit 0."""
    result = subprocess.run(
        list(map(str, args)), env=cli.environment(**changes), capture_output=True, check=False
    )
    if result.returncode != 0:
        raise AssertionError(f"{args}: {cli.text(result.stdout + result.stderr)}")
    return cli.text(result.stdout)


class Installed(unittest.TestCase):
    """Installed for /usr, as a packager does: below a folder that is not /usr yet."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name).resolve()
        tool(CMAKE, "--install", BUILD, "--prefix", "/usr", DESTDIR=cls.folder)
        cls.prefix = cls.folder / "usr"
        cls.program = cls.prefix / "bin/accsim"

    def record(self, *args):
        shown = cli.succeed(*args, "--json", "-", program=self.program, cwd=self.folder)
        return json.loads(shown)

    def test_machines_and_nets_are_the_installed_ones(self):
        for kind, folder in (("archs", "arch"), ("nets", "nets")):
            with self.subTest(kind):
                files = [item["file"] for item in self.record("list", kind)["items"]]
                self.assertTrue(files)
                folders = {str(pathlib.Path(file).parent) for file in files}
                self.assertEqual(folders, {str(self.prefix / "share/accsim" / folder)})

    def test_the_source_tree_is_not_looked_at(self):
        for args in (("show", "arch", "nosuch"), ("show", "net", "nosuch")):
            result = cli.run(*args, program=self.program, cwd=self.folder)
            message = cli.text(result.stderr)
            self.assertIn(str(self.prefix / "share/accsim"), message)
            self.assertNotIn(str(cli.ROOT), message)

    def test_a_run_is_that_of_the_build(self):
        args = ("--arch", "tpu", "--net", "alexnet", "--mode", "timing")
        installed, built = self.record(*args), cli.record(*args)
        self.assertEqual(installed["layers"], built["layers"])

    def test_manual_and_schema_are_there(self):
        for file in ("man/man1/accsim.1", "accsim/accsim-run-1.schema.json"):
            self.assertTrue((self.prefix / "share" / file).is_file(), file)

    def test_a_program_uses_the_library(self):
        (config,) = self.prefix.glob("lib/**/accsim.pc")
        found = {"PKG_CONFIG_PATH": str(config.parent)}
        flags = shlex.split(tool("pkg-config", "--cflags", "--libs", "accsim", **found))
        self.assertNotIn(str(cli.ROOT), " ".join(flags))
        source = pathlib.Path(__file__).parent / "use_library.c"
        program = self.folder / "use_library"
        tool(CC, "-Wall", "-Werror", source, "-o", program, *flags)
        shown = tool(program, LD_LIBRARY_PATH=str(config.parents[1]))
        record = json.loads(shown)
        tool(CC, "-Wall", "-Werror", cli.ROOT / "docs/examples/graph.c", "-o", program, *flags)
        own = tool(program, LD_LIBRARY_PATH=str(config.parents[1]))
        self.assertRegex(own, r"^reference 2 1 11\ntpu \d+ cycles$")
        self.assertEqual(record["schema"], "accsim-run/1")
        self.assertTrue(record["net"]["file"].startswith(str(self.prefix)))


class Package(unittest.TestCase):
    def test_the_package_holds_the_program_and_needs_its_libraries(self):
        if not shutil.which(CPACK) or not shutil.which("dpkg-deb"):
            self.skipTest("there is no cpack or dpkg-deb")
        with tempfile.TemporaryDirectory() as folder:
            tool(CPACK, "-G", "DEB", "--config", f"{BUILD}/CPackConfig.cmake", "-B", folder)
            (package,) = pathlib.Path(folder).glob("accsim_*.deb")
            listed = tool("dpkg-deb", "--contents", package)
            needed = tool("dpkg-deb", "--field", package, "Depends")
        for file in ("bin/accsim", "share/accsim/arch/tpu.cfg", "include/accsim/app/run/accsim.h"):
            self.assertIn(f"./usr/{file}\n", listed)
        if shutil.which("dpkg-shlibdeps"):
            for library in ("libsystemc", "libopenblas", "libglib2.0"):
                self.assertIn(library, needed)


if __name__ == "__main__":
    cli.main()
