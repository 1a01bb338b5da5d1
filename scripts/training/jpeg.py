"""What JPEG does to a picture, as tensor operations: no file, no gradient, on any device.

Baseline JPEG with the tables of the standard's annex K as libjpeg scales them by quality, chroma at half
the size (4:2:0), and libjpeg's smooth enlargement of it. Pillow's own files differ from it by rounding alone.
"""
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


def quantisers(table, quality: Tensor) -> Tensor:
    """[N,1,8,1,8], libjpeg's scaling of a table for qualities [N]."""
    scale = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)
    steps = ((quality.new_tensor(table) * scale[:, None] + 50) / 100).floor().clamp(1, 255)
    return steps.view(-1, 1, 8, 1, 8)


def coded(plane: Tensor, table, quality: Tensor) -> Tensor:
    """Planes [N,h,w] in 0..255 after quantisation of their 8x8 blocks."""
    k = torch.arange(8, device=plane.device, dtype=torch.float32)
    dct = torch.cos(math.pi / 8 * k[:, None] * (k + 0.5)) / 2
    dct[0] /= math.sqrt(2.0)
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
    offset = images.new_tensor([0.0, 128.0, 128.0]).view(3, 1, 1)
    ycc = (torch.einsum("oc,nchw->nohw", images.new_tensor(TO_YCC), images) + offset).round().clamp(0, 255)
    chroma = F.avg_pool2d(ycc[:, 1:], 2).round().flatten(0, 1)
    chroma = coded(chroma, CHROMA, quality.repeat_interleave(2)).view(len(images), 2, *chroma.shape[1:])
    # Bilinear with pixel centres is libjpeg's triangle filter: 3/4 of the nearer and 1/4 of the farther sample.
    chroma = F.interpolate(chroma, scale_factor=2.0, mode="bilinear", align_corners=False).round()
    ycc = torch.cat([coded(ycc[:, 0], LUMA, quality)[:, None], chroma], 1) - offset
    return torch.einsum("oc,nchw->nohw", images.new_tensor(TO_RGB), ycc).round().clamp(0, 255)
