"""Photographs of one size as a uint8 tensor, with their low-resolution inputs."""
import contextlib
import io
import math
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


@contextlib.contextmanager
def full_precision():
    """Matrix products in float32 proper: TF32, which training uses, has half a level of 8 bits as its error."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def reduce(images: Tensor, scale: int) -> Tensor:
    """uint8 low-resolution images: antialiased bicubic, rounded to 8 bit (as Pillow makes them)."""
    size = (images.shape[2] // scale, images.shape[3] // scale)
    return torch.cat([bicubic(part.float(), size).round().clamp(0, 255).to(torch.uint8)
                      for part in images.split(512)])


WIDER = 1.25  # square pictures up to so many times the size keep theirs: what lies around the window to train on


def load_framed(sources, size: int, limit: int = 0):
    """Pictures in more than one framing: uint8 [N,3,S,S], each in the upper left corner, and their sides [N].

    S is the largest side. Squares of `size` to WIDER times that stay as they are, others are cropped square
    and resized to `size`."""
    encoded = [data for source in sources for data in read_bytes(source)][:limit or None]
    if not encoded:
        raise SystemExit(f"no image in {', '.join(sources)}")

    def side_of(data: bytes) -> int:
        width, height = Image.open(io.BytesIO(data)).size
        return width if width == height and size <= width <= WIDER * size else size

    sides = torch.tensor([side_of(data) for data in encoded])
    largest = int(sides.max())
    images = np.zeros((len(encoded), 3, largest, largest), dtype=np.uint8)

    def fill(i: int):
        side = int(sides[i])
        images[i, :, :side, :side] = decode(encoded[i], side)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(fill, range(len(encoded))))
    return torch.from_numpy(images), sides


def window_matrix(side: Tensor, centre: Tensor, scale: Tensor, size: int, largest: int, least: float) -> Tensor:
    """[N,size,largest], the weights with which a row of `size` pixels is read out of one of side[N] pixels.

    The window is centred at `centre` pixels and magnified by `scale`: bicubic (a = -0.5), antialiased where it
    reduces, to `least` at the least. Beyond the picture its reflection is read. At scale 1 and a whole shift each
    weight is 0 or 1."""
    place = torch.arange(size, device=centre.device, dtype=torch.float32) + 0.5 - size / 2
    place = centre[:, None] + place / scale[:, None]
    stretch = (1 / scale).clamp(min=1.0)[:, None, None]
    taps = 2 * math.ceil(2 / min(1.0, least)) + 1
    first = (place[..., None] - 2 * stretch).floor()
    index = first + torch.arange(taps, device=centre.device)
    x = ((index + 0.5 - place[..., None]) / stretch).abs()
    near, far = 1.5 * x ** 3 - 2.5 * x ** 2 + 1, -0.5 * x ** 3 + 2.5 * x ** 2 - 4 * x + 2
    weight = torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))
    weight = weight / weight.sum(2, keepdim=True)
    side = side.to(index.dtype)[:, None, None]
    index = index.remainder(2 * side)  # the border pixel counts twice, so that any distance reflects into the picture
    index = torch.where(index >= side, 2 * side - 1 - index, index).long()
    matrix = torch.zeros(len(place), size, largest, device=centre.device)
    return matrix.scatter_add_(2, index, weight)


class Faces:
    """Batches in a shuffled order that depends on the seed and the number of images seen alone,
    so that a resumed run continues where it stopped.

    Half of the images are mirrored where `flip` is set. For faces that were framed differently, `shift`: the share
    `moved` of them is moved by up to so many pixels each way, and `scale` [least, most]: such a share is magnified by
    a factor between these, even in its logarithm; what lies beyond a picture is its reflection. `grey`: this share
    loses its colour, as old photographs have none. The inputs are made from what comes out.

    images  uint8 [N,3,S,S]; sides [N], where given, are their own, below S
    size    of what comes out, the middle of a larger image
    """

    def __init__(self, images: Tensor, factor: int, device, seed: int = 0, flip: bool = True, shift: int = 0,
                 grey: float = 0.0, scale=(1.0, 1.0), moved: float = 0.5, sides: Tensor = None, size: int = 0):
        self.images = images.to(device)
        self.size = size or images.shape[2]
        self.sides = torch.full((len(images),), images.shape[2]) if sides is None else sides
        self.factor, self.shift, self.grey, self.scale, self.moved = factor, shift, grey, scale, moved
        self.framed = shift > 0 or tuple(scale) != (1.0, 1.0) or bool((self.sides != self.size).any())
        self.changes = self.framed or grey > 0.0
        self.low = None if self.changes else reduce(self.images, factor)
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
        picked = torch.cat(picks)
        index = queued(picked, self.images.device)
        generator = torch.Generator().manual_seed(self.seed * 7919 + seen)
        mirrored = torch.rand(size, generator=generator) < 0.5
        high = self.images[index]
        if self.changes:
            high = self.changed(high, self.sides[picked], generator)
            low = reduce(high, self.factor)
        else:
            low = self.low[index]
        low, high = to_unit(low), to_unit(high)
        if self.flip:
            mask = queued(mirrored, high.device).view(-1, 1, 1, 1)
            low, high = torch.where(mask, low.flip(3), low), torch.where(mask, high.flip(3), high)
        return low, high

    def changed(self, high: Tensor, sides: Tensor, generator: torch.Generator) -> Tensor:
        draws = torch.rand(6, len(high), generator=generator)
        if self.framed:
            scale = draws[4].mul(math.log(self.scale[1] / self.scale[0])).exp() * self.scale[0]
            scale = torch.where(draws[5] < self.moved, scale, torch.ones_like(scale))
            moved = (draws[0] < self.moved).float()
            shift = moved * ((2 * self.shift + 1) * draws[1:3] - self.shift).floor()
            # A window of even size in a picture of odd side would lie between its pixels.
            centre = ((sides + self.size) // 2 - self.size / 2 + shift / scale)
            with full_precision():
                parts = [queued(value, high.device) for value in (sides, centre[0], centre[1], scale)]
                rows, columns = (window_matrix(parts[0], parts[1 + k], parts[3], self.size, high.shape[2],
                                               self.scale[0])[:, None]
                                 for k in (0, 1))
                high = (rows @ high.float() @ columns.transpose(2, 3)).round().clamp(0, 255).to(torch.uint8)
        luma = (high * high.new_tensor([0.299, 0.587, 0.114], dtype=torch.float).view(3, 1, 1)).sum(1, keepdim=True)
        grey = queued(draws[3] < self.grey, high.device).view(-1, 1, 1, 1)
        return torch.where(grey, luma.round().to(torch.uint8), high)
