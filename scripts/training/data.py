"""Photographs of one size as a uint8 tensor, with their low-resolution inputs."""
import io
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F
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


def queued(value: Tensor, device) -> Tensor:
    """The value on the device; to a GPU the copy is queued, where a plain one waits for all work before it."""
    return value.pin_memory().to(device, non_blocking=True) if torch.device(device).type == "cuda" else value.to(device)


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
    so that a resumed run continues where it stopped.

    Half of the images are mirrored where `flip` is set. `shift`: half of them are moved by up to so many
    pixels each way, the border reflected, for faces that were cropped a little differently; `grey`: this
    share loses its colour, as old photographs have none. The inputs are made from what comes out."""

    def __init__(self, images: Tensor, scale: int, device, seed: int = 0, flip: bool = True, shift: int = 0,
                 grey: float = 0.0):
        self.high = images.to(device)
        self.low = reduce(self.high, scale)
        self.scale, self.shift, self.grey = scale, shift, grey
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
        index = queued(torch.cat(picks), self.high.device)
        generator = torch.Generator().manual_seed(self.seed * 7919 + seen)
        mirrored = torch.rand(size, generator=generator) < 0.5
        low, high = self.low[index], self.high[index]
        if self.shift > 0 or self.grey > 0.0:
            high = self.changed(high, generator)
            low = reduce(high, self.scale)
        low, high = to_unit(low), to_unit(high)
        if self.flip:
            mask = queued(mirrored, high.device).view(-1, 1, 1, 1)
            low, high = torch.where(mask, low.flip(3), low), torch.where(mask, high.flip(3), high)
        return low, high

    def changed(self, high: Tensor, generator: torch.Generator) -> Tensor:
        size, side = len(high), high.shape[2:]
        draws = torch.rand(4, size, generator=generator)
        moved = (draws[0] < 0.5).long()
        origin = [queued(self.shift + moved * ((2 * self.shift + 1) * draw - self.shift).floor().long(), high.device)
                  for draw in draws[1:3]]
        rows, columns = (start.view(-1, 1) + torch.arange(length, device=high.device)
                         for start, length in zip(origin, side))
        wide = F.pad(high.float(), [self.shift] * 4, mode="reflect").to(torch.uint8)
        image = torch.arange(size, device=high.device).view(-1, 1, 1)
        high = wide.permute(0, 2, 3, 1)[image, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
        luma = (high * high.new_tensor([0.299, 0.587, 0.114], dtype=torch.float).view(3, 1, 1)).sum(1, keepdim=True)
        grey = queued(draws[3] < self.grey, high.device).view(-1, 1, 1, 1)
        return torch.where(grey, luma.round().to(torch.uint8), high)
