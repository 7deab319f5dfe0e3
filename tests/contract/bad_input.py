# SPDX-License-Identifier: Apache-2.0
"""Bad input: each row is a run that must be refused, with its exit code and what its message must
hold. A row's files are written into the folder that the run is started in."""
import dataclasses
import struct

import cli

TPU = cli.ROOT / "arch/systolic/tpu.cfg"
BASE = f'base = "{TPU}";\n# a comment, so that what is wrong stands in line 3\n'
NET = ("--net", "gemm:4x8x16")
ARCH = ("--arch", "tpu.cfg")
INT64_OVERFLOW = "9223372036854775808"  # 2^63
LOOP_CFG = {"bad.cfg": "bad.cfg"}
LOOP_NET = {"bad.net": "other.net", "other.net": "bad.net"}
RUBBISH = b"\x7fELF\x00\x01\xff\xfe" + bytes(range(256))


@dataclasses.dataclass
class Row:
    name: str
    args: tuple
    exit: int
    patterns: tuple  # of the message
    files: dict = dataclasses.field(default_factory=dict)
    links: dict = dataclasses.field(default_factory=dict)


def machine_file(name, content, *patterns):
    """A machine's file that is refused."""
    if isinstance(content, str):
        content = content.encode()
    return Row(name, ("--arch", "bad.cfg", *NET), 2, patterns, {"bad.cfg": content})


def machine_setting(name, line, *patterns):
    """A line of a file derived from tpu.cfg; the message must name file and line."""
    return machine_file(name, f"{BASE}{line}\n", r"bad\.cfg:3\b", *patterns)


MACHINE_FILES = [
    Row("missing", ("--arch", "nosuch.cfg", *NET), 2, (r"nosuch\.cfg",)),
    Row("misspelt name", ("--arch", "tpuu", *NET), 2, ("tpuu",)),
    Row("folder", ("--arch", "/", *NET), 2, ("/.*director|folder",)),
    Row("a link to itself", ("--arch", "bad.cfg", *NET), 2, (r"bad\.cfg.*link",), {}, LOOP_CFG),
    Row("endless", ("--arch", "/dev/zero", *NET), 2, ("/dev/zero", "MiB")),
    Row("endless noise", ("--arch", "/dev/urandom", *NET), 2, ("/dev/urandom",)),
    Row("device of nothing", ("--arch", "/dev/null", *NET), 2, ("/dev/null",)),
    machine_file("empty", "", r"bad\.cfg"),
    machine_file("only spaces", " \n\n", r"bad\.cfg"),
    machine_file("rubbish", RUBBISH, r"bad\.cfg:\d+"),
    machine_file("zero byte", BASE.encode() + b"clock_mhz = 7\x0000.0;\n", r"bad\.cfg:3\b"),
    machine_file("no family", "clock_mhz = 700.0;\n", r"bad\.cfg", "family"),
    machine_file("unknown family", 'family = "systolik";\n', r"bad\.cfg:1\b", "systolik.*systolic"),
    machine_file("missing base", 'base = "nosuch.cfg";\n', r"bad\.cfg:1\b", r"nosuch\.cfg"),
    machine_file("its own base", 'base = "bad.cfg";\n', r"bad\.cfg"),
    machine_file("base of another type", "base = 5;\n", r"bad\.cfg:1\b", "base"),
    machine_file("deep nesting", "a = " + "{ a = " * 5000 + "1;" + "};" * 5000, r"bad\.cfg:1\b"),
    machine_file("huge", b" " * (17 << 20), r"bad\.cfg", "MiB"),
    machine_setting("syntax", "clock_mhz = = 5;"),
    machine_setting("open string", 'memory = { weights = { model = "fixed; }; };'),
    machine_setting("string astray", 'clock_mhz "fast";'),
    machine_setting("bare word", "clock_mhz = NaN;"),
    machine_setting("include", '@include "other.cfg"'),
    machine_setting("given twice", "clock_mhz = 1.0; clock_mhz = 2.0;", "duplicate"),
    machine_setting("unknown", "array = { row = 64; };", r"array\.row'", r"array\.rows"),
    machine_setting("unknown group", "aray = { rows = 64; };", r"aray", r"array"),
    machine_setting("string for a number", 'array = { rows = "many"; };', r"array\.rows"),
    machine_setting("number as a string", 'array = { rows = "64"; };', r"array\.rows"),
    machine_setting("truth for a number", "array = { rows = true; };", r"array\.rows"),
    machine_setting("fraction for a count", "array = { rows = 64.5; };", r"array\.rows"),
    machine_setting("group for a number", "array = { rows = { a = 1; }; };", r"array\.rows"),
    machine_setting("list for a number", "array = { rows = [64, 64]; };", r"array\.rows"),
    machine_setting("number for a group", "array = 5;", "array"),
    machine_setting("number for a string", "memory = { weights = { model = 5; }; };", "model"),
    machine_setting("number for a truth", "host = { fallback = 1; };", r"host\.fallback"),
    machine_setting(
        "no such choice",
        'memory = { weights = { model = "fixd"; }; };',
        r"memory\.weights\.model",
        "fixd",
        "ideal",
        "fixed",
    ),
    machine_setting("zero rows", "array = { rows = 0; };", r"array\.rows"),
    machine_setting("zero columns", "array = { cols = 0; };", r"array\.cols"),
    machine_setting("zero clock", "clock_mhz = 0.0;", "clock_mhz"),
    machine_setting("negative", "array = { rows = -1; };", r"array\.rows"),
    machine_setting("negative clock", "clock_mhz = -700.0;", "clock_mhz"),
    machine_setting(
        "negative bandwidth",
        "memory = { weights = { bandwidth_gb_s = -34.0; }; };",
        r"memory\.weights\.bandwidth_gb_s",
    ),
    machine_setting(
        "zero bandwidth",
        "memory = { weights = { bandwidth_gb_s = 0.0; }; };",
        r"memory\.weights\.bandwidth_gb_s",
    ),
    machine_setting(
        "zero size",
        "memory = { unified_buffer = { size_kib = 0; }; };",
        r"memory\.unified_buffer\.size_kib",
    ),
    machine_setting("2^63", f"array = {{ rows = {INT64_OVERFLOW}; }};"),
    machine_setting("2^63 with its suffix", f"array = {{ rows = {INT64_OVERFLOW}L; }};"),
    machine_setting("2^32 + 256", f"array = {{ rows = {2**32 + 256}; }};", r"array\.rows"),
    machine_setting("2^64 + 256", f"array = {{ rows = {2**64 + 256}; }};"),
    machine_setting("huge count", "array = { rows = 1e300; };", r"array\.rows"),
    machine_setting("huge clock", "clock_mhz = 1e300;", "clock_mhz"),
    machine_setting("beyond a double", "clock_mhz = 1e999;", "1e999"),
    machine_setting("NaN as a string", 'clock_mhz = "nan";', "clock_mhz"),
    machine_setting(
        "size beyond 64 bits of bytes",
        "memory = { weights = { size_kib = 9223372036854775807; }; };",
        r"memory\.weights\.size_kib",
    ),
]


def override(assignment, *patterns):
    return Row(assignment, (*ARCH, *NET, "--set", assignment), 2, ("--set", *patterns))


SETTINGS = [
    override("array.row=64", r"array\.row\b", r"array\.rows"),
    override('array.formats=["int8", "int9"]', r"array\.formats", "int9", "bf16"),
    override("array.formats=fp64", r"array\.formats", "fp64", "flex16"),
    override("array.formats=[]", r"array\.formats", "empty"),
    override("nosuch.key=1", r"nosuch\.key"),
    override("array.rows", r"array\.rows"),
    override("array.rows=", r"array\.rows"),
    override("=64"),
    override(""),
    override("array.rows=0", r"array\.rows"),
    override("array.rows=-1", r"array\.rows"),
    override("array.rows=64.5", r"array\.rows"),
    override("array.rows=many", r"array\.rows"),
    override('array.rows="64"', r"array\.rows"),
    override(f"array.rows={INT64_OVERFLOW}", r"array\.rows"),
    override("array.rows=1e300", r"array\.rows"),
    override("array.rows=nan", r"array\.rows"),
    override("array.rows=64;array.cols=8", r"array\.rows"),
    override("array=5", "array"),
    override("clock_mhz=nan", "clock_mhz"),
    override("clock_mhz=inf", "clock_mhz"),
    override("clock_mhz=0", "clock_mhz"),
    override("clock_mhz=-1", "clock_mhz"),
    override("clock_mhz=1e300", "clock_mhz"),
    override("clock_mhz=fast", "clock_mhz"),
    override("memory.weights.model=magic", r"memory\.weights\.model", "magic", "ideal"),
    override("memory.weights.standard=DDR9", r"memory\.weights\.standard", "DDR9", "HBM2"),
    override("memory.weights.mapping=CoRo", r"memory\.weights\.mapping", "RoBaRaCoBgCh"),
    override("memory.weights.ranks=9", r"memory\.weights\.ranks", "8"),
    override("memory.weights.bandwidth_gb_s=0", r"memory\.weights\.bandwidth_gb_s"),
    override("memory.unified_buffer.size_kib=0", r"memory\.unified_buffer\.size_kib"),
    override("mapper.search=magic", r"mapper\.search", "magic", "exhaustive"),
    override("host.fallback=maybe", r"host\.fallback"),
]


def net_file(name, content, *patterns):
    if isinstance(content, str):
        content = content.encode()
    return Row(name, (*ARCH, "--net", "bad.net"), 2, (r"bad\.net", *patterns), {"bad.net": content})


def layers(name, text, *patterns):
    """Layers behind a 3 x 32 x 32 image; the first stands in line 3, each in a line of its own."""
    head = 'inputs = ( { name = "data"; shape = [3, 32, 32]; } );\nlayers = (\n'
    return net_file(name, f"{head}{text}\n);\n", *patterns)


def conv(attributes):
    return f'{{ name = "c"; op = "conv2d"; {attributes} }}'


CONV = conv("channels = 8; kernel = 3;")

NET_FILES = [
    Row("missing", (*ARCH, "--net", "nosuch.net"), 2, (r"nosuch\.net",)),
    Row("misspelt name", (*ARCH, "--net", "alexnett"), 2, ("alexnett",)),
    Row("folder", (*ARCH, "--net", "/"), 2, ("/",)),
    Row("links in a circle", (*ARCH, "--net", "bad.net"), 2, (r"bad\.net.*link",), {}, LOOP_NET),
    Row("endless", (*ARCH, "--net", "/dev/zero"), 2, ("/dev/zero", "MiB")),
    Row("endless noise", (*ARCH, "--net", "/dev/urandom"), 2, ("/dev/urandom",)),
    Row("device of nothing", (*ARCH, "--net", "/dev/null"), 2, ("/dev/null",)),
    net_file("empty", ""),
    net_file("rubbish", RUBBISH, r"bad\.net:\d+"),
    net_file("syntax", "inputs = (\nlayers", r"bad\.net:\d+"),
    net_file(
        "no shape",
        'inputs = ( { name = "data"; } );\nlayers = ( { op = "relu"; } );\n',
        r"bad\.net:1\b",
        "shape",
    ),
    net_file("no layers", 'inputs = ( { name = "data"; shape = [3]; } );\n', "layers"),
    net_file("no inputs", f"layers = ( {CONV} );\n", "inputs"),
    net_file("layers of another type", "inputs = 5;\nlayers = 5;\n", r"bad\.net:1\b", "inputs"),
    net_file("unknown at the top", "layer = 5;\n", r"bad\.net:1\b", "layer.*layers"),
    layers("none", "", "layers"),
    layers("unknown operator", '{ name = "c"; op = "conv2x"; }', ":3:", "'c'", "conv2x.*conv2d"),
    layers("operator left out", '{ name = "c"; }', ":3:", "'c'", "op"),
    layers("operator of another type", '{ name = "c"; op = 5; }', ":3:", "'c'", "op"),
    layers("name of another type", '{ name = 5; op = "relu"; }', ":3:", "name"),
    layers(
        "unknown setting", conv("channel = 8; kernel = 3;"), ":3:", "'c'", "channel.*channels"
    ),
    layers("setting left out", conv("kernel = 3;"), ":3:", "'c'", "channels"),
    layers("string for a number", conv('channels = "8"; kernel = 3;'), ":3:", "'c'", "channels"),
    layers("fraction", conv("channels = 8.5; kernel = 3;"), ":3:", "'c'", "channels"),
    layers("zero channels", conv("channels = 0; kernel = 3;"), ":3:", "'c'", "channels"),
    layers("negative channels", conv("channels = -8; kernel = 3;"), ":3:", "'c'", "channels"),
    layers("2^63 channels", conv(f"channels = {INT64_OVERFLOW}; kernel = 3;"), ":3:"),
    layers("1e300 channels", conv("channels = 1e300; kernel = 3;"), ":3:", "'c'", "channels"),
    layers("zero stride", conv("channels = 8; kernel = 3; stride = 0;"), ":3:", "'c'", "stride"),
    layers("negative pad", conv("channels = 8; kernel = 3; pad = -1;"), ":3:", "'c'", "pad"),
    layers("zero groups", conv("channels = 8; kernel = 3; groups = 0;"), ":3:", "'c'", "groups"),
    layers("groups that do not fit", conv("channels = 8; kernel = 3; groups = 2;"), ":3:", "'c'"),
    layers("kernel larger than the image", conv("channels = 8; kernel = 33;"), ":3:", "'c'", "33"),
    layers("kernel of five sizes", conv("channels = 8; kernel = [1, 1, 1, 1, 1];"), ":3:", "'c'"),
    layers("unknown precision", conv('channels = 8; kernel = 3; precision = "int9";'), "int9"),
    layers("same name twice", f"{CONV},\n{CONV}", ":4:", "'c'"),
    layers("a layer named as the input", '{ name = "data"; op = "relu"; }', ":3:", "'data'"),
    layers(
        "unknown input", '{ name = "r"; op = "relu"; inputs = ["datum"]; }', ":3:", "datum"
    ),
    layers("reads itself", '{ name = "r"; op = "relu"; inputs = ["r"]; }', ":3:", "'?r'?"),
    layers(
        "cycle",
        '{ name = "one"; op = "add"; inputs = ["data", "two"]; },\n'
        '{ name = "two"; op = "relu"; inputs = ["one"]; }',
        ":[34]:",
        "one",
        "two",
        "cycl|circ|itself",
    ),
    layers(
        "shapes that cannot be added",
        f'{CONV},\n{{ name = "sum"; op = "add"; inputs = ["data", "c"]; }}',
        ":4:",
        "'sum'",
        "3x32x32|3 x 32 x 32",
    ),
    layers("add of one", '{ name = "sum"; op = "add"; }', ":3:", "'sum'"),
    layers(
        "relu of two", '{ name = "r"; op = "relu"; inputs = ["data", "data"]; }', ":3:", "'r'"
    ),
    net_file(
        "image of too many elements",
        f'inputs = ( {{ name = "data"; shape = [{2**31}, {2**31}, {2**31}]; }} );\n'
        'layers = ( { name = "r"; op = "relu"; } );\n',
        r"bad\.net:1\b",
        "data",
    ),
    net_file(
        "zero dimension",
        'inputs = ( { name = "data"; shape = [3, 0, 5]; } );\nlayers = ( { op = "relu"; } );\n',
        r"bad\.net:1\b",
        "shape",
    ),
    net_file(
        "shape of another type",
        'inputs = ( { name = "data"; shape = "big"; } );\nlayers = ( { op = "relu"; } );\n',
        r"bad\.net:1\b",
        "shape",
    ),
    net_file(
        "weights of too many elements",
        f'inputs = ( {{ name = "data"; shape = [{2**36}]; }} );\n'
        f'layers = ( {{ name = "f"; op = "fc"; features = {2**36}; }} );\n',
        "'f'",
    ),
    net_file(
        "unknown output",
        'inputs = ( { name = "data"; shape = [5]; } );\n'
        'layers = ( { name = "r"; op = "relu"; } );\noutputs = ["rr"];\n',
        "rr",
    ),
]


def shape(text, *patterns):
    return Row(text, (*ARCH, "--net", text), 2, patterns or (text.split(":", 1)[0],))


SHAPES = [
    shape("gemm:"),
    shape("gemm:4x8"),
    shape("gemm:4x8x16x2"),
    shape("gemm:4x8xK"),
    shape("gemm:0x8x16"),
    shape("gemm:-4x8x16"),
    shape("gemm:4.5x8x16"),
    shape(f"gemm:{INT64_OVERFLOW}x8x16"),
    shape(f"gemm:{2**62}x{2**62}x2"),
    shape("gemm:4x8x16 "),
    shape("conv:1x3x8x8x4"),
    shape("conv:1x3x8x8x4,3x3,0,0"),
    shape("conv:1x3x8x8x4,9x9,1,0"),
    shape("conv:1x3x8x8x4,3x3,1,0,2"),
    shape("conv:1x3x8x8x4,3x3,1,0,"),
    shape("pool:1x3x8x8"),
]


def option(*args, exit=2, patterns=()):
    """Options behind a run that is right."""
    return Row(" ".join(args)[:60], (*ARCH, *NET, *args), exit, patterns or (args[0].lstrip("-"),))


OPTIONS = [
    option("--batch", "0"),
    option("--batch", "-1"),
    option("--batch", "x", patterns=("batch.*x|x.*batch",)),
    option("--batch", "1.5"),
    option("--batch", ""),
    option("--batch", "3x"),
    option("--batch", "99999999999999999999"),
    option("--batch", INT64_OVERFLOW),
    option("--batch", str(2**62)),
    option("--layers", "nosuch", patterns=("nosuch", "gemm")),
    option("--layers", ""),
    option("--layers", "5-3"),
    option("--layers", "99"),
    option("--mode", "bogus", patterns=("bogus", "functional", "timing")),
    option("--fidelity", "bogus", patterns=("bogus", "event", "analytic")),
    option("--check", "bogus", patterns=("bogus", "full", "none")),
    option("--precision", "int9", patterns=("int9", "int8")),
    option("--precision", "fp32", exit=3, patterns=("gemm", "fp32", "int8")),
    option("--seed", "x"),
    option("--seed", "-1"),
    option("--seed", "99999999999999999999"),
    option("--threads", "0"),
    option("--threads", "-2"),
    option("--threads", "many"),
    option("--threads", "1000000000"),
    option("--memory-limit", "-5"),
    option("--memory-limit", "much"),
    option("--memory-limit", "99999999999999999999"),
    option("--time-limit", "-5"),
    option("--time-limit", "nan"),
    option("--time-limit", "soon"),
    option("--set"),
    option("--nosuch", patterns=("nosuch",)),
    option("--layers", ","),
    option("--layers", "-"),
    option("--layers", "-0"),
    option("--layers", "0-"),
    option("--layers", "0,,0"),
    option("--layers", "0-99999999999999999999"),
    option("--json", "-", "--csv", "-", patterns=("json", "csv")),
    option("--power", "-", "--csv", "-", patterns=("csv", "power")),
    option("--csv", "kept.json", patterns=("json", "csv")),
    option("--csv", "./kept.json", patterns=("json", "csv")),
    option("--csv", "new", "--vcd", "./new", patterns=("csv", "vcd")),
    option("--output", "out.npz", "--mode", "timing", patterns=("output", "timing|functional")),
    option("--vcd", "out.vcd", "--fidelity", "analytic", patterns=("vcd", "event|analytic")),
]


def memories(name, content, *patterns):
    """A machine whose memories do not fit together."""
    text = f'family = "systolic";\nclock_mhz = 700.0;\narray = {{ rows = 4; cols = 4; }};\n' \
        f"accumulators = {{ entries = 16; }};\n{content}\n"
    return machine_file(name, text, r"bad\.cfg", *patterns)


BUFFER = "unified_buffer = { size_kib = 64; };"
DRAM = "dram = { size_kib = 64; bandwidth_gb_s = 1.0; };"
WEIGHTS = "weights = { size_kib = 64; bandwidth_gb_s = 1.0; };"
MEMORIES = [
    memories("two memories of weights", f"memory = {{ {DRAM} {WEIGHTS} {BUFFER} }};",
             r"memory\.dram and memory\.weights", "left out"),
    memories("no memory of weights", f"memory = {{ {BUFFER} }};",
             r"neither memory\.dram nor memory\.weights", "size_kib", "bandwidth_gb_s"),
    memories("weights without a link", f"memory = {{ {WEIGHTS} {BUFFER} }};",
             r"host\.bandwidth_gb_s", r"memory\.dram"),
    memories("a DRAM of no bandwidth", f"memory = {{ dram = {{ size_kib = 64; }}; {BUFFER} }};",
             r"memory\.dram\.bandwidth_gb_s", "missing"),
    memories("a DRAM of no size", f"memory = {{ dram = {{ bandwidth_gb_s = 1.0; }}; {BUFFER} }};",
             r"memory\.dram\.size_kib", "missing"),
    memories("streaming into a DRAM",
             f'memory = {{ weights = {{ overflow = "stream"; }}; {DRAM} {BUFFER} }};',
             r"memory\.weights\.overflow", r"memory\.dram", "refuse"),
    memories("a DRAM that is shared",
             f"memory = {{ weights = {{ shared = true; }}; {DRAM} {BUFFER} }};",
             r"memory\.weights\.shared", r"memory\.dram", "false"),
]


BANKS = [
    option(
        *("--set", "memory.weights.model=bank", "--set", "memory.weights.bandwidth_gb_s=68"),
        patterns=(r"memory\.weights: bandwidth_gb_s = 68 over channels = 2", "4250 MT/s", "DDR3"),
    ),
    option(
        *("--set", "memory.weights.model=bank", "--set", "memory.weights.standard=none"),
        patterns=(r"memory\.weights: .*needs standard", "HBM2"),
    ),
    option(
        *("--set", "memory.weights.model=bank", "--set", "memory.weights.size_kib=64"),
        patterns=(r"memory\.weights: size_kib = 64 holds not one row",),
    ),
]


def npy(shape_text, count, kind="<f4"):
    """The bytes of an .npy file of `count` zeros."""
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape_text}, }}"
    header = header.ljust(117) + "\n"
    magic = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header))
    return magic + header.encode() + bytes(4 * count)


def tensor(name, option_name, content):
    file = "bad.npz" if option_name == "--weights" else "bad.npy"
    args = (*ARCH, *NET, option_name, file)
    return Row(f"{option_name} {name}", args, 2, (file,), {file: content} if content else {})


# gemm:4x8x16 reads a 4 x 16 input.
TENSORS = [
    tensor("missing", "--input", None),
    tensor("empty", "--input", b" "),
    tensor("rubbish", "--input", RUBBISH),
    tensor("cut short", "--input", npy("(4, 16)", 63)),
    tensor("too long", "--input", npy("(4, 16)", 65)),
    tensor("of another shape", "--input", npy("(4, 17)", 68)),
    tensor("of a huge shape", "--input", npy(f"({2**40}, {2**40})", 1)),
    tensor("of a negative shape", "--input", npy("(-4, -16)", 64)),
    tensor("of complex numbers", "--input", npy("(4, 8)", 64, "<c8")),
    tensor("of objects", "--input", npy("(4, 16)", 64, "|O")),
    Row("--input endless", (*ARCH, *NET, "--input", "/dev/zero"), 2, ("/dev/zero",)),
    Row("--weights endless", (*ARCH, *NET, "--weights", "/dev/urandom"), 2, ("/dev/urandom",)),
    Row("--calibrate folder", (*ARCH, *NET, "--calibrate", "/"), 2, ("/",)),
    tensor("missing", "--weights", None),
    tensor("rubbish", "--weights", RUBBISH),
    tensor("missing", "--calibrate", None),
    tensor("rubbish", "--calibrate", RUBBISH),
]


def too_large(name, *args, patterns):
    return Row(name, (*ARCH, *args), 3, patterns)


ALEXNET = ("--net", "alexnet", "--mode", "timing")
TOO_LARGE = [
    too_large(
        "a buffer smaller than one tile",
        *ALEXNET,
        *("--set", "memory.unified_buffer.size_kib=1"),
        patterns=("conv1", r"unified_buffer|unified buffer", r"\d+ (KiB|bytes)"),
    ),
    too_large(
        "a format that the machine lacks",
        *ALEXNET,
        *("--precision", "fp32"),
        patterns=("conv1", "fp32", "int8"),
    ),
    too_large(
        "a network with state",
        *("--net", str(cli.ROOT / "docs/examples/accumulator.net")),
        patterns=("accumulator", "'sum'", "tpu computes layer 'total' in int8"),
    ),
    too_large(
        "sums of 16-bit integers in accumulators of one entry",
        *("--net", "gemm:4x8x8", "--precision", "int16", "--set", "accumulators.entries=1"),
        patterns=("gemm", "int16", "two entries"),
    ),
    too_large(
        "an operator that the machine lacks, and no host to run it",
        *ALEXNET,
        *("--set", "host.fallback=false"),
        patterns=("prob", "softmax", r"host\.fallback"),
    ),
    too_large(
        "more weights than the weight memory holds",
        *("--net", "gemm:1x100000x100000", "--mode", "timing"),
        patterns=("gemm", "weight", r"\d+ (KiB|MiB|GiB|bytes)"),
    ),
    too_large(
        "a network larger than a shrunken weight memory",
        *ALEXNET,
        *("--set", "memory.weights.size_kib=1024"),
        patterns=("weight", r"\d+ (KiB|MiB|bytes)"),
    ),
    Row("activations larger than what parameters leave of a DRAM",
        ("--arch", "systolic-32", "--net", "gemm:4096x512x512", "--mode", "timing",
         "--set", "memory.dram.size_kib=2000"), 3,
        ("gemm:4096x512x512 at batch 1", r"4096 KiB of dram beside 256 KiB", "4352 KiB in all",
         r"has 2000 KiB, memory\.dram\.size_kib")),
]


def too_much(name, *args, patterns=("memory",)):
    """What a limit refuses, and at once."""
    return Row(name, (*ARCH, *args), 5, patterns)


CORPUS = cli.ROOT / "tests/fuzz/corpus"


def corpus_net(name, *patterns):
    """A network's file that the fuzzers start from: small, and much if it were believed."""
    return Row(name, (*ARCH, "--net", str(CORPUS / name)), 2, patterns)


BOMBS = [
    corpus_net("net/bomb.net", r"bomb\.net:1\b", r"2\^40 elements"),
    corpus_net("net/cycle.net", r"cycle\.net:1\b", "cycle: b -> a -> b"),
    corpus_net("net/repeats.net", r"repeats\.net:1\b", "more than 100000 layers"),
    corpus_net("onnx/bomb.onnx", r"bomb\.onnx", "'w'", r"2\^40 elements"),
    corpus_net("onnx/deep.onnx", r"deep\.onnx", "damaged"),
    corpus_net("onnx/same_outputs.onnx", r"same_outputs\.onnx", "another output"),
    corpus_net("csv/bad.csv", r"bad\.csv:1\b", "Layer name"),
    Row("npy", (*ARCH, *NET, "--input", str(CORPUS / "npy/bomb.npy")), 2, (r"bomb\.npy",)),
]

TIMING = ("--mode", "timing")
TOO_MUCH = [
    too_much("steps beyond any memory", "--net", f"gemm:{2**40}x1x1", *TIMING),
    too_much("values beyond any memory", "--net", "alexnet", "--batch", "1000000"),
    too_much("values of a huge product", "--net", "gemm:1000000000x256x256"),
    too_much("one MiB for values", "--net", "alexnet", "--memory-limit", "1"),
    Row(
        "50 MiB for the reference",
        ("--arch", "reference", "--net", "resnet152", "--memory-limit", "50"),
        5,
        (r"\d+ MiB", "limit is 50 MiB"),
    ),
    too_much(
        "one MiB for a program",
        *("--net", "alexnet", "--batch", "5000", "--memory-limit", "1", *TIMING),
    ),
    too_much(
        "a microsecond", "--net", "alexnet", "--time-limit", "1e-6", patterns=("time limit",)
    ),
    Row(
        "a millisecond for the reference",
        ("--arch", "reference", "--net", "alexnet", "--time-limit", "0.001"),
        5,
        ("time limit",),
    ),
]
