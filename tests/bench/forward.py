#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The CPU reference's forward pass against PyTorch's, one thread each, in one run.

    tests/bench/forward.py FORWARD [NET...]

Prints, for batch 1 and 8, both processor times and their ratio (the goal is 1.0), OpenBLAS's share
of the reference's time, and its peak memory beside weights and the two largest activations (goal
1.3). Figures, no verdict.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import warnings

# torch.set_num_threads() does not reach OpenBLAS, which would take every core.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import torch
import torchvision

ROOT = pathlib.Path(__file__).resolve().parents[2]
NETS = ("alexnet", "vgg16", "resnet50", "mobilenet_v2", "bert-base")
REPEATS = {1: 7, 8: 3}
TOKENS, HIDDEN, HEADS, INNER, LAYERS, WORDS = 128, 768, 12, 3072, 12, 30522


class Bert(torch.nn.Module):
    """What workloads/nets/bert-base.net computes."""

    def __init__(self):
        super().__init__()
        self.word = torch.nn.Embedding(WORDS, HIDDEN)
        self.position = torch.nn.Embedding(512, HIDDEN)
        self.segment = torch.nn.Embedding(2, HIDDEN)
        self.norm = torch.nn.LayerNorm(HIDDEN)
        layer = torch.nn.TransformerEncoderLayer(HIDDEN, HEADS, INNER, activation="gelu",
                                                 batch_first=True)
        self.encoder = torch.nn.TransformerEncoder(layer, LAYERS)
        self.pooler = torch.nn.Linear(HIDDEN, HIDDEN)

    def forward(self, ids):
        x = self.word(ids) + self.position(torch.arange(TOKENS)) + self.segment(ids % 2)
        x = self.encoder(self.norm(x))
        return x, torch.tanh(self.pooler(x[:, 0]))


def best(model, x, repeats):
    times = []
    with torch.inference_mode():
        for _ in range(repeats + 1):
            start = time.process_time()
            model(x)
            times.append(time.process_time() - start)
    return min(times)


def measure(program, folder, net):
    if net == "bert-base":
        model, file = Bert().eval(), ROOT / "workloads/nets/bert-base.net"
    else:
        model, file = getattr(torchvision.models, net)().eval(), folder / f"{net}.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(model, torch.randn(1, 3, 224, 224), str(file), opset_version=13)
    for batch, repeats in REPEATS.items():
        x = (torch.randint(0, WORDS, (batch, TOKENS)) if net == "bert-base"
             else torch.randn(batch, 3, 224, 224))
        theirs = best(model, x, repeats)
        ours = json.loads(subprocess.run([program, file, str(batch), str(repeats)], check=True,
                                         capture_output=True, text=True).stdout)
        memory = ours["peak_bytes"] / (ours["weight_bytes"] + ours["activation_bytes"])
        print(f"{net:14} {batch:5} {theirs * 1e3:9.1f} ms {ours['seconds'] * 1e3:9.1f} ms "
              f"{ours['seconds'] / theirs:6.2f} {ours['blas_seconds'] / ours['seconds']:9.0%} "
              f"{memory:8.2f}", flush=True)
    if net != "bert-base":
        file.unlink()


def main():
    torch.manual_seed(1)
    torch.set_num_threads(1)
    print(f"network        batch      PyTorch     reference  ratio  OpenBLAS   memory    "
          f"(PyTorch {torch.__version__}, one thread)")
    with tempfile.TemporaryDirectory() as folder:
        for net in sys.argv[2:] or NETS:
            measure(sys.argv[1], pathlib.Path(folder), net)


if __name__ == "__main__":
    main()
