# SPDX-License-Identifier: Apache-2.0
"""The floors check finds what it is for: each wrong tree below has one fault."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import floors  # noqa: E402

GOOD = {
    "sim/base/error.h": "",
    "sim/cfg/cfg.h": '#include "sim/base/error.h"\n',
    "workloads/ops.def": "OP(fc)\n",
    "workloads/ops/elementwise.def": "OP(relu)\nFUNCTION(exp)\n",
    "mapper/plan.c": 'const char *s = "a relu";\n/* "relu" */\n',
    "workloads/ops/relu.c": '#include "workloads/tensor/tensor.h"\n',
    "workloads/tensor/tensor.h": '#include "sim/base/error.h"\n/* #include "app/main.h" */\n',
    "sim/kernel/sk.cpp": "#include <systemc>\n",
    "arch/arch.h": "",
    "arch/families.def": "FAMILY(systolic)\nFAMILY(vliw)\n",
    "arch/systolic/systolic.h": '#include "arch/arch.h"\n#include "sim/cfg/cfg.h"\n',
    "arch/systolic/systolic.c": '#include "arch/systolic/systolic.h"\nchar *s = "systolic";\n',
    "arch/vliw/vliw.h": "",
    "app/run/run.c": '#include "arch/arch.h"\n',
    "reports/json.c": 'void f(void) { put("vliw", 1); g_strcmp0(a, b); }\n',
    "tests/unit/test_systolic.c": '#include "arch/systolic/systolic.h"\n',
}
WRONG = (
    ("up", "sim/base/error.h", '#include "sim/cfg/cfg.h"\n', "is not below"),
    ("beside", "sim/cfg/cfg.h", '#include "workloads/tensor/tensor.h"\n', "is not below"),
    ("folder to its parent", "workloads/tensor/t.h", '#include "workloads/op.h"\n', "is no file"),
    ("siblings", "arch/vliw/vliw.h", '#include "arch/systolic/systolic.h"\n', "is a family"),
    ("a family from above", "app/run/x.c", '#include "arch/vliw/vliw.h"\n', "is a family"),
    ("tests", "app/main.c", '#include "tests/unit/test_systolic.c"\n', "is not below"),
    ("systemc", "sim/kernel/other.cpp", "#include <systemc.h>\n", "only sim/kernel/sk.cpp"),
    ("no floor", "sim/util/util.c", "", "on no floor"),
    ("family's name", "app/main.c", 'int f = !strcmp(name, "vliw");\n', "compared outside arch/"),
    ("operator's name", "mapper/a.c", 'int f = is(name, "relu");\n', '"relu" is named in'),
    ("part of a name", "mapper/a.c", 'int f = strstr(op->name, "pool");\n', "name is compared in"),
    ("a table of names", "mapper/a.c", 'const char *const n[] = {"exp"};\n', '"exp" is named in'),
    ("an operator found", "mapper/graph/a.c", "f(op_find(name));\n", "takes an operator"),
    ("an operator taken", "mapper/graph/a.c", "f(&op_fc);\n", "takes an operator"),
)


class Floors(unittest.TestCase):
    def faults(self, files):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, content in files.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(content)
            return floors.check_floors(root)

    def test_a_good_tree_has_no_fault(self):
        self.assertEqual(self.faults(GOOD), [])

    def test_each_wrong_tree_has_one(self):
        for name, path, content, message in WRONG:
            with self.subTest(name):
                faults = self.faults({**GOOD, path: content})
                self.assertEqual(len(faults), 1, faults)
                self.assertIn(message, faults[0])
                self.assertTrue(faults[0].startswith(f"{path}:1: "), faults[0])


if __name__ == "__main__":
    unittest.main()
