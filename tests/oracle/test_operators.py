#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Operators that ONNX's tests do not have, or only at a few sizes: against PyTorch in fp64.

    tests/oracle/test_operators.py ACCSIM

All of them are layers of one network, so that one run has every value. Skipped without torch.
"""
import pathlib
import subprocess
import sys
import tempfile

SKIP = 77
try:
    import numpy
    import torch
    import torch.nn.functional as F
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(SKIP)

BATCH = 3
DATA = numpy.random.default_rng(1)


def normal(*shape, low=None, high=None):
    x = DATA.standard_normal((BATCH, *shape))
    return (x if low is None else DATA.uniform(low, high, x.shape)).astype(numpy.float32)


def spread(n, low, high):
    """Signed numbers of every magnitude."""
    x = numpy.exp2(DATA.uniform(low, high, (BATCH, n))) * DATA.choice([-1, 1], (BATCH, n))
    return x.astype(numpy.float32)


A, B = normal(5, 7), normal(5, 7)
SQUARE = normal(6, 6)
POSITIVE = (SQUARE @ SQUARE.transpose(0, 2, 1) + 6 * numpy.eye(6)).astype(numpy.float32)
WIDE = spread(4096, -20, 6)
IMAGE = normal(8, 9, 11)
SCORES = normal(10)
CLASSES = DATA.integers(0, 10, BATCH)
PROBABLE, TARGET = normal(12, low=0.01, high=0.99), normal(12, low=0, high=1)
QUERY, KEY, VALUE = normal(6, 16), normal(9, 16), normal(9, 16)
INDICES = DATA.integers(0, 20, (BATCH, 4))


def attention(q, k, v, heads, causal):
    q, k, v = (x.reshape(*x.shape[:2], heads, -1).transpose(1, 2) for x in (q, k, v))
    scores = q @ k.transpose(2, 3) / q.shape[-1] ** 0.5
    if causal:
        later = k.shape[2] - q.shape[2]
        scores = scores.masked_fill(torch.ones(scores.shape).triu(later + 1).bool(), -float("inf"))
    return (torch.softmax(scores, -1) @ v).transpose(1, 2).flatten(2)


def rms(x):
    return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt()


# operator, attributes, inputs, parameters, what PyTorch says of them in fp64
CASES = [
    *((name, "", [WIDE], {}, function) for name, function in {
        "exp": torch.exp, "tanh": torch.tanh, "erf": torch.erf, "sigmoid": torch.sigmoid,
        "gelu": F.gelu, "swish": F.silu, "softplus": F.softplus, "square": torch.square,
        "mish": F.mish}.items()),
    ("log", "", [numpy.abs(spread(4096, -120, 120))], {}, torch.log),
    ("rsqrt", "", [numpy.abs(WIDE)], {}, torch.rsqrt),
    ("gelu", 'approximate = "tanh";', [WIDE], {},
     lambda x: 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))),
    ("softmax", "", [spread(1000, -3, 3)], {}, lambda x: torch.softmax(x, -1)),
    ("log_softmax", "", [spread(1000, -3, 3)], {}, lambda x: torch.log_softmax(x, -1)),
    ("squared_difference", "", [A, B], {}, lambda a, b: (a - b) ** 2),
    ("atan2", "", [A, B], {}, torch.atan2),
    ("reverse", "axes = [1];", [A], {}, lambda a: a.flip(1)),
    ("stack", "axis = 2;", [A, B], {}, lambda a, b: torch.stack([a, b], 2)),
    ("cumsum", "axis = 2; exclusive = true; reverse = true;", [A], {},
     lambda a: a.flip(2).cumsum(2).flip(2) - a),
    ("cumprod", "axis = 1;", [A], {}, lambda a: a.cumprod(1)),
    ("reduce_any", "axes = [1];", [(A > 1).astype(numpy.float32)], {},
     lambda a: (a != 0).any(1, keepdim=True)),
    ("reduce_all", "axes = [2];", [(A < 1.5).astype(numpy.float32)], {},
     lambda a: (a != 0).all(2, keepdim=True)),
    ("reduce_var", "axes = [1]; unbiased = true;", [A], {}, lambda a: a.var(1, keepdim=True)),
    ("norm", "axes = [1]; p = \"l1\";", [A], {}, lambda a: a.abs().sum(1)),
    ("norm", "axes = [1, 2]; p = \"l2\";", [A], {}, lambda a: a.norm(dim=(1, 2))),
    ("linspace", "start = -2; stop = 7.5; num = 13;", [], {},
     lambda: torch.linspace(-2, 7.5, 13, dtype=torch.float64)),
    ("range", "start = 3; limit = 10; delta = 1.5;", [], {}, lambda: torch.arange(3, 10, 1.5)),
    ("eye", "rows = 4; cols = 6; offset = 1;", [], {}, lambda: torch.eye(6)[1:5].eq(1).double()),
    ("zeros", "shape = [2, 3];", [], {}, lambda: torch.zeros(2, 3)),
    ("ones", "shape = [2, 3];", [], {}, lambda: torch.ones(2, 3)),
    ("trace", "", [SQUARE], {}, lambda a: a.diagonal(dim1=1, dim2=2).sum(1)),
    ("det", "", [SQUARE], {}, torch.linalg.det),
    ("inverse", "", [POSITIVE], {}, torch.linalg.inv),
    ("cholesky", "", [POSITIVE], {}, torch.linalg.cholesky),
    ("solve", "", [POSITIVE, normal(6, 2)], {}, torch.linalg.solve),
    ("tensordot", "axes_a = [0, 1]; axes_b = [0, 1];", [A, normal(5, 4)], {},
     lambda a, b: torch.tensordot(a, b, ([0, 1], [0, 1]))),
    ("einsum", 'equation = "bij,bkj->bik";', [A, B], {},
     lambda a, b: torch.einsum("bij,bkj->bik", a, b)),
    ("matmul", "", [A, normal(7, 3)], {}, torch.matmul),
    ("attention", "heads = 4;", [QUERY, KEY, VALUE], {},
     lambda q, k, v: attention(q, k, v, 4, False)),
    ("attention", "heads = 2; causal = true;", [QUERY, KEY, VALUE], {},
     lambda q, k, v: attention(q, k, v, 2, True)),
    ("embedding", "rows = 20; width = 6; padding_idx = 3;", [INDICES], {"weight": (20, 6)},
     lambda i, w: F.embedding(i.long(), torch.where(torch.arange(20)[:, None] == 3, 0.0, w))),
    ("rms_norm", "", [QUERY], {"scale": (16,)}, lambda x, w: rms(x) * w),
    ("layer_norm", "", [QUERY], {"scale": (16,), "bias": (16,)},
     lambda x, w, b: F.layer_norm(x, (16,), w, b)),
    ("group_norm", "groups = 4;", [IMAGE], {"scale": (8,), "bias": (8,)},
     lambda x, w, b: F.group_norm(x, 4, w, b)),
    ("instance_norm", "", [IMAGE], {"scale": (8,), "bias": (8,)},
     lambda x, w, b: F.instance_norm(x, weight=w, bias=b)),
    ("conv2d", "channels = 8; kernel = 3; pad = 1; groups = 8;", [IMAGE],
     {"weight": (8, 1, 3, 3), "bias": (8,)},
     lambda x, w, b: F.conv2d(x, w, b, padding=1, groups=8)),
    ("conv2d", "channels = 16; kernel = [5, 3]; stride = [2, 1]; pad = 2; groups = 8;", [IMAGE],
     {"weight": (16, 1, 5, 3), "bias": (16,)},
     lambda x, w, b: F.conv2d(x, w, b, stride=(2, 1), padding=2, groups=8)),
    ("conv2d", "channels = 12; kernel = 3; dilation = 2; bias = false;", [IMAGE],
     {"weight": (12, 8, 3, 3)}, lambda x, w: F.conv2d(x, w, dilation=2)),
    ("lp_pool", "kernel = 3; stride = 2; p = 3;", [numpy.abs(IMAGE)], {},
     lambda x: F.lp_pool2d(x, 3, 3, 2)),
    ("mse_loss", "", [A, B], {}, F.mse_loss),
    ("l1_loss", 'reduction = "sum";', [A, B], {}, lambda a, b: F.l1_loss(a, b, reduction="sum")),
    ("huber_loss", "delta = 0.7;", [A, B], {}, lambda a, b: F.huber_loss(a, b, delta=0.7)),
    ("bce_loss", "", [PROBABLE, TARGET], {}, F.binary_cross_entropy),
    ("kl_div_loss", 'reduction = "sum";', [numpy.log(PROBABLE), TARGET], {},
     lambda x, t: F.kl_div(x, t, reduction="sum")),
    ("cross_entropy", "", [SCORES, CLASSES], {}, lambda x, c: F.cross_entropy(x, c.long())),
    ("nll_loss", 'reduction = "none";', [SCORES, CLASSES], {},
     lambda x, c: F.nll_loss(x, c.long(), reduction="none")),
]
# Sums of fp32 in another order and functions within a few units in the last place, of the largest.
TOLERANCE = 2e-6
# These divide differences of near numbers, or go through a factorisation in fp32.
LOOSE = {"inverse": 1e-5, "solve": 1e-5, "det": 1e-5, "cholesky": 1e-5}


def layers_of(cases):
    """The text of the network, its inputs' and its parameters' tensors."""
    inputs, layers, data, weights = [], [], {}, {}
    for k, (op, attrs, tensors, parameters, _) in enumerate(cases):
        names = []
        for tensor in tensors:
            name = f"in{len(data)}"
            kind = "int64" if tensor.dtype == numpy.int64 else "fp32"
            dims = ", ".join(map(str, tensor.shape[1:]))
            inputs.append(f'{{ name = "{name}"; shape = [{dims}]; type = "{kind}"; }}')
            names.append(f'"{name}"')
            data[name] = tensor
        for name, shape in parameters.items():
            weights[f"l{k}.{name}"] = DATA.standard_normal(shape).astype(numpy.float32)
        layers.append(f'{{ name = "l{k}"; op = "{op}"; inputs = [{", ".join(names)}]; {attrs} }}')
    text = f"inputs = ({', '.join(inputs)});\nlayers = ({', '.join(layers)});\n"
    return text, data, weights


def run(accsim, folder, text, data, weights, *options):
    (folder / "all.net").write_text(text)
    arguments = ["--net", "all.net", "--batch", str(BATCH), "--output", "out.npz", "--quiet"]
    for name, tensors in (("input", data), ("weights", weights)):
        if tensors:
            numpy.savez(folder / f"{name}.npz", **tensors)
            arguments += [f"--{name}", f"{name}.npz"]
    subprocess.run([accsim, "--arch", "reference", *arguments, *options], cwd=folder, check=True)
    with numpy.load(folder / "out.npz") as archive:
        return {name: archive[name] for name in archive.files}


def check_cases(accsim, folder):
    text, data, weights = layers_of(CASES)
    got = run(accsim, folder, text, data, weights)
    n_input = wrong = 0
    for k, (op, attrs, tensors, parameters, function) in enumerate(CASES):
        arguments = [torch.from_numpy(t).double() for t in tensors]
        arguments += [torch.from_numpy(weights[f"l{k}.{name}"]).double() for name in parameters]
        want = numpy.asarray(function(*arguments), dtype=float)
        n_input += len(tensors)
        value = got[f"l{k}"].astype(float)
        same = value.shape == want.shape
        error = abs(value - want).max() / max(abs(want).max(), 1e-30) if same else numpy.inf
        if not error <= LOOSE.get(op, TOLERANCE):
            wrong += 1
            print(f"{op} {attrs}: off by {error:.3g} of the largest, {value.shape} {want.shape}")
    assert n_input == len(data)
    print(f"{len(CASES)} operators, {wrong} differ")
    return wrong


def check_factors(accsim, folder):
    """Factors may differ in sign: their products and shapes count."""
    tall = normal(7, 4)
    text = """inputs = ({ name = "a"; shape = [7, 4]; });
layers = ({ op = "qr"; inputs = ["a"]; outputs = ["q", "r"]; },
          { op = "svd"; inputs = ["a"]; outputs = ["u", "s", "v"]; },
          { op = "unstack"; axis = 1; inputs = ["a"];
            outputs = ["t0", "t1", "t2", "t3", "t4", "t5", "t6"]; });"""
    got = run(accsim, folder, text, {"a": tall}, {})
    eye = numpy.eye(4)
    numpy.testing.assert_allclose(got["q"] @ got["r"], tall, atol=5e-6)
    numpy.testing.assert_allclose(got["q"].transpose(0, 2, 1) @ got["q"], [eye] * BATCH, atol=5e-6)
    assert not numpy.tril(got["r"], -1).any()
    numpy.testing.assert_allclose(got["u"] * got["s"][:, None] @ got["v"], tall, atol=5e-6)
    numpy.testing.assert_allclose(got["s"], numpy.linalg.svd(tall)[1], rtol=1e-5)
    for i in range(7):
        numpy.testing.assert_array_equal(got[f"t{i}"], tall[:, i])


def check_random(accsim, folder):
    """A diagonal; moments within five of their standard errors, bounds, and the seed."""
    n = 100000
    text = f"""inputs = ( {{ name = "v"; shape = []; }} );
layers = (
    {{ name = "d"; op = "diag"; inputs = ["v"]; k = 1; }},
    {{ name = "u"; op = "random_uniform"; inputs = []; shape = [{n}]; low = -1; high = 3;
       seed = 1; }},
    {{ name = "n"; op = "random_normal"; inputs = []; shape = [{n}]; mean = 2; scale = 3;
       seed = 2; }},
    {{ name = "t"; op = "random_truncated_normal"; inputs = []; shape = [{n}]; seed = 3; }},
    {{ name = "r"; op = "range"; inputs = []; limit = 1000; }},
    {{ name = "s"; op = "shuffle"; inputs = ["r"]; seed = 4; }});"""
    vector = {"v": normal()}
    got = run(accsim, folder, text, vector, {})
    again = run(accsim, folder, text, vector, {})
    other = run(accsim, folder, text.replace("seed = 2", "seed = 5"), vector, {})
    numpy.testing.assert_array_equal(got["d"], numpy.diag(vector["v"], 1))
    for name in got:
        numpy.testing.assert_array_equal(got[name], again[name])
    assert (got["n"] != other["n"]).mean() > 0.99 and (got["u"] == other["u"]).all()
    # A normal distribution cut at two has variance 1 - 4 phi(2) / (2 Phi(2) - 1) = 0.7737.
    for name, mean, sigma, low, high in (("u", 1, 4 / 12**0.5, -1, 3), ("n", 2, 3, -20, 24),
                                         ("t", 0, 0.7737**0.5, -2, 2)):
        x = got[name].astype(float)
        assert low <= x.min() and x.max() <= high, name
        assert abs(x.mean() - mean) < 5 * sigma / n**0.5, name
        assert abs(x.std() / sigma - 1) < 5 / n**0.5, name
    assert (numpy.sort(got["s"]) == numpy.arange(1000)).all()
    assert (got["s"] != numpy.arange(1000)).mean() > 0.9


def main(accsim):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        wrong = check_cases(accsim, folder)
        check_factors(accsim, folder)
        check_random(accsim, folder)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(str(pathlib.Path(sys.argv[1]).resolve())))
