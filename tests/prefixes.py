#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that the external names of each family's folder begin with the family's name, so that any
two families link, and those of the mapper with the name of a file or folder of it.

    tests/prefixes.py NM ROOT ARCHIVE...
"""
import pathlib
import subprocess
import sys

DEFINED = set("TDBRVWC")


def symbols(nm, archive):
    """(object, name) of each external definition in an archive."""
    text = subprocess.run([nm, "-g", archive], check=True, capture_output=True, text=True).stdout
    member = ""
    for line in text.splitlines():
        words = line.split()
        if line.endswith(":"):
            member = line[:-1].removesuffix(".o")
        elif len(words) == 3 and words[1] in DEFINED and not words[2].startswith("__"):  # ours
            yield member, words[2].split(".")[0]


def prefixes(root, archive):
    """For the objects of an archive, by file name: what their names may begin with."""
    room = pathlib.Path(archive).stem.removeprefix("lib")
    folders = {"arch": ["arch", "arch/*"], "mapper": ["mapper", "mapper/*"]}[room]
    stems = {}
    for folder in folders:
        for path in root.glob(f"{folder}/*.c"):
            stems[path.name] = path
    found = {}
    for name, path in stems.items():
        family = path.parent.name if room == "arch" and path.parent.name != "arch" else None
        found[name] = (f"{family}_", f"arch_{family}") if family else (
            tuple(f"{p}_" for p in {path.stem, path.parent.name, room, "plan",
                                    path.stem.split("_")[0]}))
    return found


def main():
    nm, root, archives = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
    bad = []
    n = 0
    for archive in archives:
        allowed = prefixes(root, archive)
        for member, name in symbols(nm, archive):
            n += 1
            if not name.startswith(allowed[member]):
                bad.append(f"{member}: {name} begins with none of {', '.join(allowed[member])}")
    print("\n".join(bad))
    print(f"{n} external names, {len(bad)} without their prefix")
    return 1 if bad or n == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
