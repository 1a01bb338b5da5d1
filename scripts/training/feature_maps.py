#!/usr/bin/env python3
"""Makes the file that the perceptual loss of train.py compares pictures by (`--features`): the first layers
of a MobileNetV2.

    feature_maps.py --network mobilenet_v2.pt --out maps.pt

mobilenet_v2.pt is MobileNetV2 1.0 as a traced TorchScript file, batch norms folded into the convolutions. The
result takes RGB [N,3,H,W] in [0,255], H and W multiples of 8, and returns six maps of halves, quarters and eighths of
that size: what ReLU6 leaves of the first convolution and of five blocks' widest layers.

Do not take the network here that measures the results: figures in its space would say how well its
own loss was minimised.
"""
import argparse
import os
import sys
from typing import List

from needs import need

need("torch")

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import Tensor, nn  # noqa: E402

# Of the first convolution and the blocks; of what follows them, the next one's widest layer is used alone.
WIDTHS = (32, 16, 24, 24, 32, 32)
STRIDES = (2, 1, 2, 1, 2, 1)


class Bottleneck(nn.Module):
    """Widen six times and ReLU6, 3x3 in each channel and ReLU6, narrow; plus the input where sizes are alike."""

    def __init__(self, channels: int, out: int, stride: int):
        super().__init__()
        self.expand = nn.Conv2d(channels, 6 * channels, 1)
        self.depthwise = nn.Conv2d(6 * channels, 6 * channels, 3, stride, groups=6 * channels)
        self.project = nn.Conv2d(6 * channels, out, 1)
        self.stride, self.residual = stride, stride == 1 and channels == out

    def convolutions(self):
        return [self.expand, self.depthwise, self.project]

    def widest(self, x: Tensor) -> Tensor:
        return self.expand(x).clamp(0.0, 6.0)

    def forward(self, x: Tensor, widest: Tensor) -> Tensor:
        y = self.project(self.depthwise(padded(widest, self.stride)).clamp(0.0, 6.0))
        return x + y if self.residual else y


def padded(x: Tensor, stride: int) -> Tensor:
    """For a 3x3 convolution as TensorFlow pads it: with stride 2 behind the last row and column only."""
    before = 1 if stride == 1 else 0
    return F.pad(x, [before, 1, before, 1])


class FeatureMaps(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, WIDTHS[0], 3, 2)
        self.depthwise = nn.Conv2d(WIDTHS[0], WIDTHS[0], 3, groups=WIDTHS[0])
        self.project = nn.Conv2d(WIDTHS[0], WIDTHS[1], 1)
        self.blocks = nn.ModuleList(Bottleneck(*shape) for shape in zip(WIDTHS[1:], WIDTHS[2:], STRIDES[2:]))
        self.last = nn.Conv2d(WIDTHS[-1], 6 * WIDTHS[-1], 1)

    def convolutions(self):
        blocks = [each for block in self.blocks for each in block.convolutions()]
        return [self.first, self.depthwise, self.project, *blocks, self.last]

    def forward(self, images: Tensor) -> List[Tensor]:
        x = self.first(padded(images / 127.5 - 1.0, 2)).clamp(0.0, 6.0)
        maps = [x]
        x = self.project(self.depthwise(padded(x, 1)).clamp(0.0, 6.0))
        for block in self.blocks:
            widest = block.widest(x)
            maps.append(widest)
            x = block(x, widest)
        maps.append(self.last(x).clamp(0.0, 6.0))
        return maps


def folded_convolutions(path: str):
    """Weight and bias of each convolution of a traced file, in the order in which they run."""
    graph = torch.jit.freeze(torch.jit.load(path, map_location="cpu").eval()).inlined_graph
    for node in graph.findAllNodes("aten::_convolution") + graph.findAllNodes("aten::conv2d"):
        inputs = list(node.inputs())
        weight, bias = inputs[1].toIValue(), inputs[2].toIValue()
        if not isinstance(weight, Tensor) or not isinstance(bias, Tensor):
            raise SystemExit(f"{path}: a convolution has no constant weight and bias; fold the batch norms and trace it "
                             "again")
        yield weight, bias


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", required=True, help="MobileNetV2 1.0, traced")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    maps = FeatureMaps().eval().requires_grad_(False)
    try:
        found = list(folded_convolutions(args.network))
    except (RuntimeError, ValueError, OSError) as error:
        raise SystemExit(f"{args.network}: no TorchScript file: {str(error).splitlines()[0]}")
    wanted = maps.convolutions()
    for layer, pair in zip(wanted, found):
        if [tuple(each.shape) for each in pair] != [tuple(layer.weight.shape), tuple(layer.bias.shape)]:
            raise SystemExit(f"{args.network}: not MobileNetV2 1.0: a convolution's weight is {tuple(pair[0].shape)} where "
                             f"that has {tuple(layer.weight.shape)}")
        layer.weight.copy_(pair[0])
        layer.bias.copy_(pair[1])
    if len(found) < len(wanted):
        raise SystemExit(f"{args.network}: not MobileNetV2 1.0: {len(found)} convolutions")
    torch.jit.script(maps).save(args.out + ".part")
    os.replace(args.out + ".part", args.out)
    print(f"{args.out}: {len(maps.blocks) + 2} maps", file=sys.stderr)


if __name__ == "__main__":
    main()
