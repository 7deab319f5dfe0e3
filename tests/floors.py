#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that every include runs down the floors of docs/architecture.md, and that names of
families and operators are compared at home alone.

    tests/floors.py [ROOT]
    tests/floors.py --headers ROOT CC FLAGS...    every header compiles alone
"""
import pathlib
import re
import subprocess
import sys

# Folder: floor. Subfolders share their folder's row, but those of arch/, each a family.
FLOORS = {
    "sim/base": 0,
    "sim/cfg": 1,
    "sim/stat": 1,
    "workloads/tensor": 1,
    "sim/kernel": 2,
    "sim/parts": 2,
    "workloads": 2,
    "workloads/data": 2,
    "reports": 2,
    "workloads/ref": 3,
    "workloads/train": 3,
    "mapper": 3,
    "arch": 4,
    "app/run": 5,
    "app/explore": 6,
    "app": 7,
    "tests": 8,
}
SYSTEMC_FILE = "sim/kernel/sk.cpp"
SUFFIXES = {".c", ".h", ".cpp", ".hpp", ".def"}
SYSTEMC = re.compile(r"(systemc|sysc/|tlm)")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)
COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'', re.S)
COMPARISON = re.compile(r"\b\w*(cmp|equal|streq|prefix|suffix|strstr)\w*\s*\(")


def row_of(path):
    """The row of a file: the longest folder of FLOORS that holds it, or "arch/FAMILY"."""
    parts = path.parent.parts
    if len(parts) > 1 and parts[0] == "arch":
        return f"arch/{parts[1]}"
    for n in range(len(parts), 0, -1):
        folder = "/".join(parts[:n])
        if folder in FLOORS:
            return folder
    return None


def floor_of(row):
    return FLOORS[row.split("/")[0] if row.startswith("arch/") else row]


def is_family(row):
    return row.startswith("arch/")


def without_comments(text):
    """The code with its comments blanked; line numbers stay."""

    def blank(match):
        found = match.group()
        return re.sub(r"[^\n]", " ", found) if found[0] == "/" else found

    return COMMENT.sub(blank, text)


def why_not(own, other):
    """Why a file of row `own` may not include one of row `other`; None where it may."""
    if own == other or own == "tests" or (is_family(own) and other == "arch"):
        return None
    if is_family(other):
        return f"{other}/ is a family: only its own files and tests include it"
    if floor_of(other) < floor_of(own):
        return None
    return f"{other}/ (floor {floor_of(other)}) is not below {own}/ (floor {floor_of(own)})"


def check_includes(root, path, code):
    own = row_of(path)
    for match in INCLUDE.finditer(code):
        line = code.count("\n", 0, match.start(2)) + 1
        bracket, name = match.groups()
        if bracket == "<":
            if SYSTEMC.match(name) and path.as_posix() != SYSTEMC_FILE:
                yield line, f"only {SYSTEMC_FILE} includes <{name}>"
            continue
        target = pathlib.PurePosixPath(name)
        if not (root / target).is_file():
            yield line, f'"{name}" is no file from the top of the tree'
            continue
        other = row_of(target)
        reason = why_not(own, other) if other else "it is on no floor"
        if reason:
            yield line, f'"{name}": {reason}'


def check_family_names(path, code, families):
    """A family's name is compared in arch/ alone; elsewhere it would grow an `else if` chain."""
    if row_of(path) == "tests" or path.parts[0] == "arch":
        return
    position = 0
    for statement in re.split(r"(?<=[;{}])", code):
        for family in families:
            if f'"{family}"' in statement and COMPARISON.search(statement):
                line = code.count("\n", 0, position + statement.index(f'"{family}"')) + 1
                yield line, f'the family "{family}" is compared outside arch/'
        position += len(statement)


def operator_names(root):
    """What ops.def and the lists that it includes name."""
    names = set()
    for file in sorted(root.glob("workloads/ops.def")) + sorted(root.glob("workloads/ops/*.def")):
        names |= set(re.findall(r"^(?:OP|FUNCTION)\((\w+)\)", file.read_text(), re.M))
    return names


def check_operator_names(path, code, operators):
    """The mapper reads what an operator says of itself (struct traits), never which one it is: an
    operator's name stands in none of its strings, and no operator is taken by its name."""
    if path.parts[0] != "mapper":
        return
    for match in re.finditer(r'"((?:[^"\\\n]|\\.)*)"|\bop_find\s*\(|&op_\w+', code):
        line = code.count("\n", 0, match.start()) + 1
        if match[1] is None:
            yield line, f"the mapper takes an operator by its name: {match[0]}"
        elif match[1] in operators:
            yield line, f'the operator "{match[1]}" is named in mapper/'
    position = 0
    for statement in re.split(r"(?<=[;{}])", code):
        if "op->name" in statement and COMPARISON.search(statement):
            line = code.count("\n", 0, position + statement.index("op->name")) + 1
            yield line, "an operator's name is compared in mapper/"
        position += len(statement)


def sources(root):
    for top in sorted({folder.split("/")[0] for folder in FLOORS}):
        for file in sorted((root / top).rglob("*")):
            if file.suffix in SUFFIXES and file.is_file():
                yield pathlib.PurePosixPath(file.relative_to(root).as_posix())


def check_floors(root):
    """The faults of a tree, as "file:line: message"."""
    families_def = root / "arch/families.def"
    families = []
    if families_def.is_file():
        families = re.findall(r"^FAMILY\((\w+)\)", families_def.read_text(), re.M)
    operators = operator_names(root)
    faults = []
    for path in sources(root):
        if row_of(path) is None:
            faults.append(f"{path}:1: this folder is on no floor")
            continue
        code = without_comments((root / path).read_text(encoding="utf-8"))
        found = list(check_includes(root, path, code)) + list(
            check_family_names(path, code, families)
        ) + list(check_operator_names(path, code, operators))
        faults += [f"{path}:{line}: {message}" for line, message in found]
    return faults


def check_headers(root, compiler):
    """Each header compiles alone, so that the order of includes never matters."""
    faults = []
    for path in sources(root):
        if path.suffix != ".h":
            continue
        command = [*compiler, "-I", str(root), "-fsyntax-only", "-x", "c", str(root / path)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            faults.append(result.stderr.strip())
    return faults


def main(arguments):
    if arguments and arguments[0] == "--headers":
        faults = check_headers(pathlib.Path(arguments[1]), arguments[2:])
    else:
        faults = check_floors(pathlib.Path(arguments[0] if arguments else "."))
        n_named = sum("operator" in fault and fault.startswith("mapper/") for fault in faults)
        print(f"{n_named} names of operators in mapper/")
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
