"""Photographs of one size as a uint8 tensor, with their low-resolution inputs."""
import io
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from diffusion import bicubic

SUFFIXES = (".webp", ".png", ".jpg", ".jpeg", ".bmp")


def read_bytes(source: str):
    """Encoded images of a folder or .tar file, in the order of their names."""
    if os.path.isdir(source):
        for name in sorted(os.listdir(source)):
            if name.lower().endswith(SUFFIXES):
                with open(os.path.join(source, name), "rb") as file:
                    yield file.read()
        return
    with tarfile.open(source) as archive:
        for member in sorted(archive.getmembers(), key=lambda m: m.name):
            if member.isfile() and member.name.lower().endswith(SUFFIXES):
                yield archive.extractfile(member).read()


def decode(data: bytes, size: int) -> np.ndarray:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    if image.size != (size, size):
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        image = image.resize((size, size), Image.BICUBIC, box=(left, top, left + side, top + side))
    return np.asarray(image).transpose(2, 0, 1)


def load_images(sources, size: int, limit: int = 0) -> Tensor:
    """uint8 [N,3,size,size]; images of another size are cropped square and reduced."""
    encoded = []
    for source in sources:
        for data in read_bytes(source):
            if limit and len(encoded) == limit:
                break
            encoded.append(data)
    if not encoded:
        raise SystemExit(f"no image in {', '.join(sources)}")
    images = np.empty((len(encoded), 3, size, size), dtype=np.uint8)

    def fill(i: int):
        images[i] = decode(encoded[i], size)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(fill, range(len(encoded))))
    return torch.from_numpy(images)


def to_unit(images: Tensor) -> Tensor:
    """uint8 -> float32 in [-1, 1]."""
    return images.float() / 127.5 - 1.0


def to_bytes(images: Tensor) -> Tensor:
    """Float in [-1, 1] -> uint8, rounded."""
    return ((images.float() + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)


def reduce(images: Tensor, scale: int) -> Tensor:
    """uint8 low-resolution images: antialiased bicubic, rounded to 8 bit (as Pillow makes them)."""
    size = (images.shape[2] // scale, images.shape[3] // scale)
    return torch.cat([bicubic(part.float(), size).round().clamp(0, 255).to(torch.uint8)
                      for part in images.split(512)])


class Faces:
    """Batches in a shuffled order that depends on the seed and the number of images seen alone,
    so that a resumed run continues where it stopped."""

    def __init__(self, images: Tensor, scale: int, device, seed: int = 0, flip: bool = True):
        self.high = images.to(device)
        self.low = reduce(self.high, scale)
        self.seed, self.flip, self.epoch, self.order = seed, flip, -1, None
        self.count = len(images)

    def batch(self, seen: int, size: int):
        """(low, high) in [-1, 1] for the images seen .. seen + size - 1 of the run."""
        count, picks, position = self.count, [], seen
        while position < seen + size:
            if position // count != self.epoch:
                self.epoch = position // count
                generator = torch.Generator().manual_seed(self.seed * 1000003 + self.epoch)
                self.order = torch.randperm(count, generator=generator)
            start = position % count
            picks.append(self.order[start:start + seen + size - position])
            position += len(picks[-1])
        index = torch.cat(picks).to(self.high.device)
        low, high = to_unit(self.low[index]), to_unit(self.high[index])
        if self.flip:
            generator = torch.Generator().manual_seed(self.seed * 7919 + seen)
            mask = (torch.rand(size, generator=generator) < 0.5).to(high.device).view(-1, 1, 1, 1)
            low, high = torch.where(mask, low.flip(3), low), torch.where(mask, high.flip(3), high)
        return low, high
