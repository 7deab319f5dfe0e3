#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The worked example of docs/quantisation.md: a layer of two features over three inputs, first in
integers as one does it by hand, then by accsim; both must agree.

    docs/examples/quantisation.py

ACCSIM names the program, else build/accsim. Exits 1 where the two differ.
"""
import ast
import math
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
ACCSIM = os.environ.get("ACCSIM", str(ROOT / "build/accsim"))

X = [1.27, -0.64, 0.30]
W = [[0.254, -0.100, 0.040], [-0.050, 0.127, 0.020]]
B = [0.01, 0.30]
NET = """
name = "by-hand";
inputs = ( { name = "data"; shape = [3]; } );
layers = ( { name = "fc"; op = "fc"; features = 2; }, { name = "relu"; op = "relu"; } );
"""


def fp32(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def clamp(y, low):
    return max(low, min(127, y))


def scale_of(values):
    return fp32(max(abs(fp32(v)) for v in values) / 127)


def quantised(values, scale):
    return [clamp(round(fp32(fp32(v) * fp32(1 / scale))), -127) for v in values]


def requant(factor):
    """factor as mult / 2^shift with 31 bits of mult."""
    fraction, exponent = math.frexp(factor)
    return round(fraction * 2**31), 31 - exponent


def by_hand():
    s_x = scale_of(X)
    x = quantised(X, s_x)
    real = [max(0.0, sum(a * b for a, b in zip(X, row)) + bias) for row, bias in zip(W, B)]
    s_y = scale_of(real)
    print(f"inputs      s_x = {s_x:.6g}   x = {x}")
    print(f"fp32        y = {[round(v, 5) for v in real]}   s_y = {s_y:.6g}")
    y = []
    for j, row in enumerate(W):
        s_w = scale_of(row)
        w = quantised(row, s_w)
        bias = round(fp32(fp32(B[j]) / (s_x * s_w)))
        acc = sum(a * b for a, b in zip(x, w)) + bias
        mult, shift = requant(s_x * s_w / s_y)
        exact = acc * mult / 2**shift
        y.append(clamp((acc * mult + (1 << (shift - 1))) >> shift, 0))
        print(f"feature {j}   s_w = {s_w:.6g}   w = {w}   bias = {bias}   acc = {acc}")
        print(f"            mult = {mult}   shift = {shift}   {exact:.3f} -> {y[j]}")
    values = [fp32(v * s_y) for v in y]
    error = sum((a - b) ** 2 for a, b in zip(values, real))
    snr = 10 * math.log10(sum(b * b for b in real) / error)
    print(f"output      q = {y}   y = {[round(v, 5) for v in values]}   SNR = {snr:.1f} dB")
    return values


def npy(values, shape):
    """A .npy file of fp32."""
    head = repr({"descr": "<f4", "fortran_order": False, "shape": shape}).encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    body = struct.pack(f"<{len(values)}f", *values)
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + body


def read_npy(data):
    n_head = struct.unpack_from("<H", data, 8)[0]
    shape = ast.literal_eval(data[10 : 10 + n_head].decode())["shape"]
    return list(struct.unpack_from(f"<{math.prod(shape)}f", data, 10 + n_head))


def by_machine():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "by-hand.net").write_text(NET, encoding="utf-8")
        (folder / "x.npy").write_bytes(npy(X, (1, 3)))
        with zipfile.ZipFile(folder / "w.npz", "w") as weights:
            weights.writestr("fc.weight.npy", npy(W[0] + W[1], (2, 3)))
            weights.writestr("fc.bias.npy", npy(B, (2,)))
        options = "--arch tpu --net by-hand.net --input x.npy --weights w.npz --output y.npz"
        subprocess.run([ACCSIM, *options.split(), "--quiet"], cwd=folder, check=True)
        with zipfile.ZipFile(folder / "y.npz") as output:
            (member,) = output.namelist()
            return read_npy(output.read(member))


def main():
    hand, machine = by_hand(), by_machine()
    print(f"accsim      y = {[round(v, 5) for v in machine]}")
    return 0 if hand == machine else 1


if __name__ == "__main__":
    sys.exit(main())
