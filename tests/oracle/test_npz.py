# SPDX-License-Identifier: Apache-2.0
"""numpy reads the tensors that accsim writes, and accsim those that numpy writes."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "contract"))
import cli  # noqa: E402

try:
    import numpy
except ImportError:
    numpy = None


@unittest.skipUnless(numpy, "python3-numpy is not installed")
class Npz(unittest.TestCase):
    def test_a_product_of_numpys_tensors_is_numpys_product(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            random = numpy.random.default_rng(1)
            a = random.standard_normal((4, 16), dtype=numpy.float32)
            b = random.standard_normal((8, 16), dtype=numpy.float32)
            numpy.save(folder / "a.npy", a)
            numpy.savez_compressed(folder / "w.npz", **{"gemm.weight": b})
            result = cli.run(
                *("--arch", "reference", "--net", "gemm:4x8x16", "--input", "a.npy"),
                *("--weights", "w.npz", "--output", "out.npz"),
                cwd=folder,
            )
            self.assertEqual(result.returncode, 0, cli.text(result.stderr))
            with numpy.load(folder / "out.npz") as archive:
                (product,) = (archive[name] for name in archive.files)
        # Sixteen products in fp32, whatever their order.
        numpy.testing.assert_allclose(product, a @ b.T, rtol=1e-5, atol=1e-5)


if __name__ == "__main__":
    cli.main()
