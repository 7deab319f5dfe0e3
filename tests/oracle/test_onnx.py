#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""ONNX's backend tests on the reference: at least as many pass as ever did, none gives a wrong
value.

    tests/oracle/test_onnx.py ONNX_BACKEND    the program made of onnx_backend.c
"""
import pathlib
import re
import subprocess
import sys

DATA = pathlib.Path("/usr/lib/python3/dist-packages/onnx/backend/test/data")
# Folder: tests, and how many of them have passed. More is welcome: raise the figure.
FOLDERS = {"node": (932, 826), "pytorch-converted": (82, 82), "pytorch-operator": (35, 35),
           "simple": (23, 15)}
LINE = re.compile(r"^([a-z-]+): (\d+) passed, (\d+) refused, (\d+) open, (\d+) wrong$", re.M)
SKIP = 77


def main():
    if not DATA.is_dir():
        print("skipped: libonnx-testdata is not installed")
        return SKIP
    result = subprocess.run([sys.argv[1], DATA], stdout=subprocess.PIPE, text=True, check=False)
    counts = {m[1]: tuple(map(int, m.groups()[1:])) for m in LINE.finditer(result.stdout)}
    failures = [line for line in result.stdout.splitlines() if line.startswith("WRONG")]
    for folder, (n, least) in FOLDERS.items():
        passed, *_, wrong = counts.get(folder, (0, 0, 0, 0))
        print(f"{folder}: {passed} of {sum(counts.get(folder, (0,)))} pass")
        if sum(counts.get(folder, (0,))) != n or passed < least or wrong:
            failures.append(f"{folder}: expected {least} of {n} and none wrong")
    print("\n".join(failures))
    return 1 if failures or result.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
