# SPDX-License-Identifier: Apache-2.0
"""Models of ONNX byte by byte: as much of onnx.proto as the tests need, without a library."""
import struct

FLOAT, INT64, FLOAT16 = 1, 7, 10


def varint(n):
    out = b""
    n &= 2**64 - 1
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    """An integer, a text or a message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def value_info(name, dims, kind=FLOAT):
    """Dimensions are numbers, or names of free ones."""
    shape = b"".join(field(1, field(1 if isinstance(d, int) else 2, d)) for d in dims)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, shape)))


def floats(name, dims, values):
    head = b"".join(field(1, d) for d in dims) + field(2, FLOAT) + field(8, name)
    return head + field(9, struct.pack(f"<{len(values)}f", *values))


def halves(name, dims, values):
    head = b"".join(field(1, d) for d in dims) + field(2, FLOAT16) + field(8, name)
    return head + field(9, struct.pack(f"<{len(values)}e", *values))


def ints(name, dims, values):
    head = b"".join(field(1, d) for d in dims) + field(2, INT64) + field(8, name)
    return head + field(9, struct.pack(f"<{len(values)}q", *values))


def attribute(name, value):
    """An integer or a list of them."""
    if isinstance(value, int):
        return field(1, name) + field(3, value) + field(20, 2)
    return field(1, name) + b"".join(field(8, v) for v in value) + field(20, 7)


def node(op, inputs, outputs, name="", domain="", **attributes):
    return (
        b"".join(field(1, i) for i in inputs)
        + b"".join(field(2, o) for o in outputs)
        + field(3, name)
        + field(4, op)
        + b"".join(field(5, attribute(k, v)) for k, v in attributes.items())
        + field(7, domain)
    )


def model(nodes, inputs, outputs, initialisers=(), opset=13):
    graph = (
        b"".join(field(1, n) for n in nodes)
        + field(2, "g")
        + b"".join(field(5, t) for t in initialisers)
        + b"".join(field(11, i) for i in inputs)
        + b"".join(field(12, o) for o in outputs)
    )
    return field(1, 8) + field(7, graph) + field(8, field(2, opset))
