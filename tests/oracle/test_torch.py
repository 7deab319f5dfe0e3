#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Networks that PyTorch wrote to ONNX files, with weights: the reference's outputs against
PyTorch's.

    tests/oracle/test_torch.py ACCSIM

Also torchvision's counts of the shipped networks. Skipped where there is no torch or torchvision.
"""
import csv
import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

SKIP = 77
try:
    import numpy
    import torch
    import torchvision
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(SKIP)

ROOT = pathlib.Path(__file__).resolve().parents[2]
# 1e-4 of the largest logit: sums in another order, thousands of layers deep.
TOLERANCE = 1e-4
NETS = {  # torchvision's name: image size, operator set
    "alexnet": (224, 13), "vgg16": (224, 9), "googlenet": (224, 13), "resnet50": (224, 11),
    "mobilenet_v2": (224, 13), "squeezenet1_1": (224, 16), "inception_v3": (299, 13),
    "densenet121": (224, 12),
}
# Ours and torchvision's, where they are the same network.
COUNTED = {"resnet18": "resnet18", "resnet50": "resnet50", "resnet152": "resnet152",
           "mobilenet-v2": "mobilenet_v2", "inception-v3": "inception_v3",
           "densenet121": "densenet121", "vgg16": "vgg16", "squeezenet": "squeezenet1_1"}
PLAIN = {"googlenet": {"aux_logits": True, "transform_input": False, "init_weights": False},
         "inception_v3": {"aux_logits": True, "transform_input": False, "init_weights": False}}


def make(name):
    torch.manual_seed(1)
    return getattr(torchvision.models, name)(**PLAIN.get(name, {}))


def settle(model, size):
    """Running statistics of a batch, so that the outputs of untrained layers stay in range."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    model.train()
    with torch.no_grad():
        model(torch.randn(4, 3, size, size))
    return model.eval()


class Layers(torch.nn.Module):
    """What image networks lack: recurrent layers, attention, embeddings, other convolutions."""

    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(100, 32)
        self.encode = torch.nn.TransformerEncoderLayer(32, 4, 64, batch_first=True,
                                                       activation="gelu")
        self.lstm = torch.nn.LSTM(32, 24, num_layers=2, batch_first=True, bidirectional=True)
        self.gru = torch.nn.GRU(48, 16, batch_first=True)
        self.conv1 = torch.nn.Conv1d(16, 8, 3, padding=1)
        self.up = torch.nn.ConvTranspose2d(1, 4, 3, stride=2, padding=1, output_padding=1)
        self.group = torch.nn.GroupNorm(2, 4)
        self.instance = torch.nn.InstanceNorm2d(4, affine=True)
        self.conv3 = torch.nn.Conv3d(1, 2, 3, padding=1)

    def forward(self, x):
        x = self.encode(self.embed(x))
        x, _ = self.lstm(x)
        x, _ = self.gru(x)
        x = self.conv1(x.transpose(1, 2))
        x = self.instance(self.group(self.up(x.unsqueeze(1))))
        x = torch.nn.functional.interpolate(x, scale_factor=1.5, mode="bilinear")
        x = torch.nn.functional.pixel_shuffle(x, 2)
        x = self.conv3(x.unsqueeze(1))
        values, _ = torch.topk(x.flatten(1), 10)
        return torch.cat([values, x.cumsum(2).mean(dim=(1, 2, 3))], 1)


def compare(program, folder, name, model, x, opset):
    file, feeds, out = folder / f"{name}.onnx", folder / "in.npz", folder / "out.npz"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, x, str(file), opset_version=opset, input_names=["x"],
                          output_names=["y"])
    with torch.no_grad():
        want = model(x).numpy()
    numpy.savez(feeds, x=x.numpy())
    result = subprocess.run([program, "--arch", "reference", "--net", file, "--input", feeds,
                             "--output", out, "--quiet"],
                            capture_output=True, text=True, check=False)
    file.unlink()
    if result.returncode:
        print(f"{name}: FAILED: {result.stderr}")
        return False
    error = numpy.abs(numpy.load(out)["y"] - want).max() / numpy.abs(want).max()
    print(f"{name}, operator set {opset}: relative error {error:.1e}")
    return error <= TOLERANCE


class Sequence(torch.nn.Module):
    """What a machine with every function between products computes as a whole."""

    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(100, 32)
        self.encode = torch.nn.TransformerEncoderLayer(32, 4, 64, batch_first=True,
                                                       activation="gelu")
        self.lstm = torch.nn.LSTM(32, 24, batch_first=True)
        self.last = torch.nn.Linear(24, 5)

    def forward(self, x):
        x, _ = self.lstm(self.encode(self.embed(x)))
        return self.last(x)


def check_machine(program, folder):
    """Embedding, attention and a recurrent layer as PyTorch writes them: nothing is the host's."""
    file = folder / "sequence.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(Sequence().eval(), torch.randint(0, 100, (2, 12)), str(file),
                          opset_version=14)
    result = subprocess.run([program, "--arch", "tpu-v2", "--net", file, "--batch", "2", "--quiet",
                             "--json", "-"], capture_output=True, text=True, check=False)
    if result.returncode:
        print(f"sequence on tpu-v2: FAILED: {result.stderr}")
        return False
    record = json.loads(result.stdout)
    host = [layer["name"] for layer in record["layers"] if "host" in layer]
    print(f"sequence on tpu-v2: {len(record['layers'])} layers, on the host {host}, exact: "
          f"{record['check']['exact']}, {record['check']['snr_db']:.1f} dB")
    return not host and record["check"]["exact"] and record["check"]["snr_db"] > 30


def count(model, x):
    """Parameters, and multiply-accumulates of convolutions and linear layers."""
    macs = 0

    def add(module, _, output):
        nonlocal macs
        macs += output.numel() * module.weight[0].numel()

    hooks = [m.register_forward_hook(add) for m in model.modules()
             if isinstance(m, (torch.nn.Conv2d, torch.nn.Linear))]
    with torch.no_grad():
        model.eval()(x)
    for hook in hooks:
        hook.remove()
    skipped = sum(p.numel() for n, p in model.named_parameters()
                  if n.startswith(("aux", "AuxLogits")))
    return macs, sum(p.numel() for p in model.parameters()) - skipped


def check_counts():
    with open(ROOT / "tests/reference/nets.csv", encoding="utf-8") as file:
        ours = {row["net"]: (int(row["macs"]), int(row["parameters"]))
                for row in csv.DictReader(file)}
    ok = True
    for net, name in COUNTED.items():
        size = NETS.get(name, (224,))[0]
        theirs = count(make(name), torch.randn(1, 3, size, size))
        print(f"{net}: {theirs[0]} multiply-accumulates, {theirs[1]} parameters")
        ok &= theirs == ours[net]
    return ok


def main():
    program = sys.argv[1]
    ok = check_counts()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        torch.manual_seed(1)
        ok &= compare(program, folder, "layers", Layers().eval(), torch.randint(0, 100, (2, 12)),
                      14)
        ok &= check_machine(program, folder)
        for name, (size, opset) in NETS.items():
            model = settle(make(name), size)
            ok &= compare(program, folder, name, model, torch.randn(1, 3, size, size), opset)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
