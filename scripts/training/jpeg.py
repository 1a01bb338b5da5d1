"""What JPEG does to a picture, as tensor operations: no file, no gradient, on any device.

Baseline JPEG with the tables of the standard's annex K as libjpeg scales them by quality, chroma at half
the size (4:2:0), and libjpeg's smooth enlargement of it. Pillow's own files differ from it by rounding alone.
"""
import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

LUMA = [16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
        14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
        49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99]
CHROMA = [17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
          47, 66, 99, 99, 99, 99, 99, 99] + [99] * 32
TO_YCC = [[0.299, 0.587, 0.114], [-0.168735892, -0.331264108, 0.5], [0.5, -0.418687589, -0.081312411]]
TO_RGB = [[1.0, 0.0, 1.402], [1.0, -0.344136286, -0.714136286], [1.0, 1.772, 0.0]]


@functools.lru_cache(maxsize=None)
def constants(device):
    """The tables, both colour matrices, the DCT's matrix and the colours' offset: copied to a device once."""
    k = torch.arange(8, dtype=torch.float32)
    dct = torch.cos(math.pi / 8 * k[:, None] * (k + 0.5)) / 2
    dct[0] /= math.sqrt(2.0)
    lists = (torch.tensor(value, dtype=torch.float32) for value in (LUMA, CHROMA, TO_YCC, TO_RGB))
    return tuple(value.to(device) for value in (*lists, dct, torch.tensor([0.0, 128.0, 128.0]).view(3, 1, 1)))


def quantisers(table: Tensor, quality: Tensor) -> Tensor:
    """[N,1,8,1,8], libjpeg's scaling of a table for qualities [N]."""
    scale = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)
    steps = ((table * scale[:, None] + 50) / 100).floor().clamp(1, 255)
    return steps.view(-1, 1, 8, 1, 8)


def coded(plane: Tensor, table: Tensor, quality: Tensor, dct: Tensor) -> Tensor:
    """Planes [N,h,w] in 0..255 after quantisation of their 8x8 blocks."""
    n, h, w = plane.shape
    blocks = (plane - 128).view(n, h // 8, 8, w // 8, 8)
    steps = quantisers(table, quality)
    values = torch.einsum("ur,nyrxc,vc->nyuxv", dct, blocks, dct)
    values = (values / steps).round() * steps
    blocks = torch.einsum("ur,nyuxv,vc->nyrxc", dct, values, dct)
    return (blocks.reshape(n, h, w) + 128).round().clamp(0, 255)


@torch.no_grad()
def jpeg(images: Tensor, quality: Tensor) -> Tensor:
    """Float [N,3,h,w] in 0..255, sides multiples of 16, and qualities [N] -> the same after JPEG, whole numbers."""
    if images.shape[2] % 16 or images.shape[3] % 16:
        raise ValueError("sides must be multiples of 16")
    quality = quality.to(images.device, torch.float32)
    luma, colour, to_ycc, to_rgb, dct, offset = constants(images.device)
    ycc = (torch.einsum("oc,nchw->nohw", to_ycc, images) + offset).round().clamp(0, 255)
    chroma = F.avg_pool2d(ycc[:, 1:], 2).round().flatten(0, 1)
    chroma = coded(chroma, colour, quality.repeat_interleave(2), dct).view(len(images), 2, *chroma.shape[1:])
    # Bilinear with pixel centres is libjpeg's triangle filter: 3/4 of the nearer and 1/4 of the farther sample.
    chroma = F.interpolate(chroma, scale_factor=2.0, mode="bilinear", align_corners=False).round()
    ycc = torch.cat([coded(ycc[:, 0], luma, quality, dct)[:, None], chroma], 1) - offset
    return torch.einsum("oc,nchw->nohw", to_rgb, ycc).round().clamp(0, 255)
