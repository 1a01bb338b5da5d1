#!/usr/bin/env python3
"""Makes a feature network of the weights that pytorch-fid computes the FID with.

    export_inception.py --weights pt_inception-2015-12-05-6726825d.pth --out features/inception-v3-fid
    srdiff eval --features inception-v3-fid ...

The weights are a release file of github.com/mseitzer/pytorch-fid; bring them yourself. This is
Inception v3 as ported from TensorFlow for the FID: its average pools do not count the padding, its
last block pools by the maximum, and pictures are resized to 299 px without antialiasing.
Other weights of this layout need a --name of their own: a figure named FID is comparable.
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

NAME = "inception-v3-fid"
SHA256_START = "6726825d"  # as in the file's name
INPUT = {"size": 299, "resize": "bilinear", "mean": [0.5] * 3, "std": [0.5] * 3}


class Unit(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel, stride: int = 1, padding=0):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


def average(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def maximum(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, stride=1, padding=1)


def halve(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, stride=2)


class Mixed(nn.Module):
    """Chains of convolutions side by side, and a pool, whose outputs are concatenated.

    chains  name of a chain -> its units (suffix of the name, outputs, kernel[, stride]); a list of
            two units takes the place of one where a chain forks
    pool    comes last, with a convolution to pool_outputs behind it unless that is 0
    """

    def __init__(self, inputs: int, chains: dict, pool, pool_outputs: int):
        super().__init__()
        self.chains, self.pool, self.project = [], pool, pool_outputs > 0
        for name, steps in chains.items():
            chain, width = [], inputs
            for step in steps:
                fork = step if isinstance(step, list) else [step]
                chain.append([self.add(name, width, *unit) for unit in fork])
                width = sum(unit[1] for unit in fork)
            self.chains.append(chain)
        if self.project:
            self.add("branch_pool", inputs, "", pool_outputs, (1, 1))

    def add(self, chain: str, inputs: int, suffix: str, outputs: int, kernel, stride: int = 1) -> str:
        padding = tuple(side // 2 for side in kernel) if stride == 1 else 0
        self.add_module(chain + suffix, Unit(inputs, outputs, kernel, stride, padding))
        return chain + suffix

    def forward(self, x: Tensor) -> Tensor:
        results = []
        for chain in self.chains:
            y = x
            for fork in chain:
                y = torch.cat([getattr(self, unit)(y) for unit in fork], 1)
            results.append(y)
        y = self.pool(x)
        return torch.cat(results + [self.branch_pool(y) if self.project else y], 1)


ONE, THREE, FIVE, ROW, COLUMN = (1, 1), (3, 3), (5, 5), (1, 7), (7, 1)


def fork(number: int) -> list:
    return [(f"_{number}a", 384, (1, 3)), (f"_{number}b", 384, (3, 1))]


def block_a(inputs: int, pool_outputs: int) -> Mixed:
    return Mixed(inputs, {
        "branch1x1": [("", 64, ONE)],
        "branch5x5": [("_1", 48, ONE), ("_2", 64, FIVE)],
        "branch3x3dbl": [("_1", 64, ONE), ("_2", 96, THREE), ("_3", 96, THREE)],
    }, average, pool_outputs)


def block_b() -> Mixed:
    return Mixed(288, {
        "branch3x3": [("", 384, THREE, 2)],
        "branch3x3dbl": [("_1", 64, ONE), ("_2", 96, THREE), ("_3", 96, THREE, 2)],
    }, halve, 0)


def block_c(width: int) -> Mixed:
    return Mixed(768, {
        "branch1x1": [("", 192, ONE)],
        "branch7x7": [("_1", width, ONE), ("_2", width, ROW), ("_3", 192, COLUMN)],
        "branch7x7dbl": [("_1", width, ONE), ("_2", width, COLUMN), ("_3", width, ROW),
                         ("_4", width, COLUMN), ("_5", 192, ROW)],
    }, average, 192)


def block_d() -> Mixed:
    return Mixed(768, {
        "branch3x3": [("_1", 192, ONE), ("_2", 320, THREE, 2)],
        "branch7x7x3": [("_1", 192, ONE), ("_2", 192, ROW), ("_3", 192, COLUMN), ("_4", 192, THREE, 2)],
    }, halve, 0)


def block_e(inputs: int, pool) -> Mixed:
    return Mixed(inputs, {
        "branch1x1": [("", 320, ONE)],
        "branch3x3": [("_1", 384, ONE), fork(2)],
        "branch3x3dbl": [("_1", 448, ONE), ("_2", 384, THREE), fork(3)],
    }, pool, 192)


class Inception(nn.Module):
    """[N,3,299,299] in [-1,1] -> [N,2048]: Szegedy et al. 2015 (arXiv 1512.00567), the FID's variant."""

    def __init__(self):
        super().__init__()
        self.Conv2d_1a_3x3 = Unit(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Unit(32, 32, 3)
        self.Conv2d_2b_3x3 = Unit(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Unit(64, 80, 1)
        self.Conv2d_4a_3x3 = Unit(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = block_a(192, 32), block_a(256, 64), block_a(288, 64)
        self.Mixed_6a = block_b()
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = map(block_c, (128, 160, 160, 192))
        self.Mixed_7a = block_d()
        self.Mixed_7b, self.Mixed_7c = block_e(1280, average), block_e(2048, maximum)

    def forward(self, x: Tensor) -> Tensor:
        x = halve(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))))
        x = halve(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)))
        x = self.Mixed_6a(self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(x))))
        return self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x))).mean(dim=(2, 3))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True, help="state dict with pytorch-fid's names")
    parser.add_argument("--out", required=True, help="folder to write")
    parser.add_argument("--name", help=f"name in figures ({NAME} for pytorch-fid's own weights)")
    args = parser.parse_args()
    known = sha256(args.weights).startswith(SHA256_START)
    if not known and args.name in (None, NAME):
        raise SystemExit(f"{args.weights}: not pytorch-fid's weights (their SHA-256 starts with {SHA256_START}); "
                         "figures of other weights are no FID: give another --name")
    network = Inception()
    load_weights(network, torch.load(args.weights, map_location="cpu", weights_only=True), args.weights, unused="fc.")
    write_feature_folder(args.out, network, {
        "name": args.name or NAME, "version": "2015-12-05" if known else sha256(args.weights)[:8],
        "input": INPUT,
        "source": "pt_inception-2015-12-05-6726825d.pth of github.com/mseitzer/pytorch-fid" if known
        else os.path.basename(args.weights),
        "licence": "Apache-2.0" if known else "not stated",
    })


if __name__ == "__main__":
    main()
