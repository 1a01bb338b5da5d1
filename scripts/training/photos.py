"""Random crops of photographs of any size, with low-resolution inputs as people have them.

The pictures live on the device as bytes. Cutting, turning, reducing and damage are tensor operations
there on a whole batch, so that a GPU does not wait for the processor.
"""
import io
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from data import full_precision, queued, read_bytes
from jpeg import jpeg
from text import pages

# A share `fraction` of the inputs is damaged, the truth never. Each kind is on or off at random, so that
# any of them comes alone; `most` is a standard deviation, in pixels or in levels.
NO_DAMAGE = {"fraction": 0.0, "reduction": {"share": 0.4}, "blur": {"share": 0.4, "most": 1.2},
             "noise": {"share": 0.5, "most": 6.0}, "jpeg": {"share": 0.6, "quality": [50, 95]}}
TEXT_PAGES = 240
REDUCTIONS = ("bicubic", "area", "bilinear", "lanczos")
SUPPORT = {"bicubic": 2.0, "area": 0.5, "bilinear": 1.0, "lanczos": 3.0}


def load_photos(sources, least: int, limit: int = 0):
    """RGB pictures of folders or .tar files, in the order of their names; those with a side below
    `least` pixels cannot be cropped and are left out."""
    encoded = [data for source in sources for data in read_bytes(source)]

    def decode(data: bytes) -> Image.Image:
        return Image.open(io.BytesIO(data)).convert("RGB")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        photos = [photo for photo in pool.map(decode, encoded[:limit or None]) if min(photo.size) >= least]
    if not photos:
        raise SystemExit(f"no picture of {least} pixels or more in {', '.join(sources)}")
    return photos


def uniforms(seed: int, numbers: np.ndarray, count: int) -> np.ndarray:
    """[len(numbers), count] in [0, 1), a function of seed, number and column alone (SplitMix64)."""
    with np.errstate(over="ignore"):
        x = (numbers.astype(np.uint64)[:, None] * np.uint64(count) + np.arange(count, dtype=np.uint64)
             + np.uint64(seed) * np.uint64(0xD1342543DE82EF95)) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return ((x ^ (x >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / 2.0 ** 53


def reduction_matrix(kind: str, size: int, scale: int) -> Tensor:
    """[size/scale, size], the weights of Pillow's reduction along one side."""
    centre = (torch.arange(size // scale, dtype=torch.float64) + 0.5) * scale
    x = ((torch.arange(size, dtype=torch.float64) + 0.5)[None] - centre[:, None]) / scale
    a = x.abs()
    if kind == "bicubic":  # a = -0.5
        weight = torch.where(a < 1, 1.5 * a ** 3 - 2.5 * a ** 2 + 1, -0.5 * a ** 3 + 2.5 * a ** 2 - 4 * a + 2)
    elif kind == "area":
        weight = torch.ones_like(a)
    elif kind == "bilinear":
        weight = 1 - a
    else:
        weight = torch.sinc(x) * torch.sinc(x / 3)
    weight = torch.where(a < SUPPORT[kind], weight, torch.zeros_like(weight))
    return (weight / weight.sum(1, keepdim=True)).float()


def blurred(images: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur of [N,3,l,l] by standard deviations [N], as products with one matrix for each image."""
    place = torch.arange(images.shape[2], device=images.device, dtype=torch.float32)
    weight = torch.exp(-0.5 * ((place[:, None] - place)[None] / sigma.view(-1, 1, 1)) ** 2)
    weight = (weight / weight.sum(2, keepdim=True))[:, None]
    return weight @ images @ weight.transpose(2, 3)


def compressed(images: Tensor, quality: Tensor, origin: Tensor) -> Tensor:
    """JPEG of [N,3,l,l] whose grid of blocks begins anywhere: origin [N,2] in 0..15. A crop of a
    photograph rarely begins where a block does."""
    side = images.shape[2]
    wide = -(-(side + 15) // 16) * 16
    place = torch.arange(wide, device=images.device)[None] - origin.T[:, :, None]  # [2,N,wide]
    place = place.abs()
    place = torch.where(place >= side, 2 * (side - 1) - place, place).clamp(0, side - 1)  # reflected, as far as that goes
    number = torch.arange(len(images), device=images.device)[:, None, None]
    pixels = images.permute(0, 2, 3, 1)
    whole = jpeg(pixels[number, place[0][:, :, None], place[1][:, None, :]].permute(0, 3, 1, 2), quality)
    rows, columns = origin.T[:, :, None] + torch.arange(side, device=images.device)
    return whole.permute(0, 2, 3, 1)[number, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


class Photos:
    """Batches of crops. Which crop image number i of a run is, and its damage, is a function of the seed
    and i alone, so that a resumed run continues where it stopped; the noise itself is one of the batch.
    On a CPU the next batch is made while one is in use.

    text  share of crops that show rendered text
    """

    def __init__(self, photos, scale: int, crop: int, device, seed: int = 0, damage=None, text: float = 0.0):
        self.scale, self.crop, self.device, self.seed = scale, crop, torch.device(device), seed
        self.damage = {**NO_DAMAGE, **(damage or {})}
        unknown = set(self.damage) - set(NO_DAMAGE)
        if unknown:
            raise SystemExit(f"damage: unknown kind {', '.join(sorted(unknown))}")
        self.count = len(photos)
        areas = np.array([photo.width * photo.height for photo in photos], dtype=np.float64)
        share = (1 - text) * areas / areas.sum()
        if text > 0:
            photos = photos + pages(TEXT_PAGES, photos, max(384, crop))
            share = np.concatenate([share, np.full(TEXT_PAGES, text / TEXT_PAGES)])
        self.share = np.cumsum(share)
        self.sizes = np.array([(photo.height, photo.width) for photo in photos])
        self.starts = np.concatenate([[0], np.cumsum(self.sizes.prod(1))])
        pixels = torch.empty(int(self.starts[-1]), 3, dtype=torch.uint8)
        for start, photo in zip(self.starts, photos):
            pixels[start:start + photo.width * photo.height] = torch.from_numpy(np.asarray(photo).reshape(-1, 3).copy())
        self.pixels = pixels.to(self.device)
        self.matrices = torch.stack([reduction_matrix(kind, crop, scale) for kind in REDUCTIONS]).to(self.device)
        self.pool = ThreadPoolExecutor(1) if self.device.type == "cpu" else None
        self.next = None

    def cut(self, u: np.ndarray) -> Tensor:
        """uint8 [N,c,c,3], crops turned and mirrored at random; u [N,4]."""
        pick = np.minimum(np.searchsorted(self.share, u[:, 0], side="right"), len(self.sizes) - 1)
        top, left = ((u[:, 1 + k] * (self.sizes[pick, k] - self.crop + 1)).astype(np.int64) for k in (0, 1))
        turn = (u[:, 3] * 8).astype(np.int64)
        width = self.sizes[pick, 1]
        # A pixel's place is start + row step * i + column step * j; turns and mirrors are other steps.
        row_step, column_step = np.where(turn & 1, -width, width), np.where(turn & 2, -1, 1)
        start = self.starts[pick] + top * width + left
        start = start + (self.crop - 1) * (np.where(turn & 1, width, 0) + np.where(turn & 2, 1, 0))
        steps = np.where((turn & 4)[:, None], np.stack([column_step, row_step], 1), np.stack([row_step, column_step], 1))
        place = queued(torch.from_numpy(np.stack([start, steps[:, 0], steps[:, 1]])), self.device)
        along = torch.arange(self.crop, device=self.device)
        index = place[0][:, None, None] + place[1][:, None, None] * along[:, None] + place[2][:, None, None] * along
        return self.pixels[index]

    @torch.no_grad()
    def make(self, seen: int, size: int):
        with full_precision():
            return self.made(seen, size)

    def made(self, seen: int, size: int):
        """(low, high) in 0..255 for the images seen .. seen + size - 1 of the run."""
        u = uniforms(self.seed, np.arange(seen, seen + size), 16)
        high = self.cut(u[:, :4]).permute(0, 3, 1, 2).float()
        damage = self.damage
        on = u[:, 4] < damage["fraction"]

        def chosen(column: int, kind: str):
            """Which images this kind of damage befalls, and how much, in [0,1)."""
            index = np.nonzero(on & (u[:, column] < damage[kind]["share"]))[0]
            return index, u[index, column + 1]

        def tensor(values):
            return queued(torch.from_numpy(np.ascontiguousarray(values)), self.device)

        kinds = np.zeros(size, dtype=np.int64)
        index, amount = chosen(5, "reduction")
        kinds[index] = 1 + (amount * (len(REDUCTIONS) - 1)).astype(np.int64)
        matrix = self.matrices[tensor(kinds)][:, None]
        low = (matrix @ high @ matrix.transpose(2, 3)).round().clamp(0, 255)
        index, amount = chosen(7, "blur")
        if len(index):
            where = tensor(index)
            low[where] = blurred(low[where], tensor((0.05 + amount * (damage["blur"]["most"] - 0.05)).astype(np.float32)))
        index, amount = chosen(9, "noise")
        if len(index):
            generator = torch.Generator(self.device).manual_seed(self.seed * 7919 + seen)
            noise = torch.randn(len(index), *low.shape[1:], generator=generator, device=self.device)
            low[tensor(index)] += tensor((amount * damage["noise"]["most"]).astype(np.float32)).view(-1, 1, 1, 1) * noise
        low = low.round().clamp(0, 255)
        index, amount = chosen(11, "jpeg")
        if len(index):
            where = tensor(index)
            worst, best = damage["jpeg"]["quality"]
            quality = tensor(np.floor(worst + amount * (best + 1 - worst)).astype(np.float32))
            low[where] = compressed(low[where], quality, tensor((u[index, 13:15] * 16).astype(np.int64)))
        return low / 127.5 - 1, high / 127.5 - 1

    def batch(self, seen: int, size: int):
        """(low [N,3,c/s,c/s], high [N,3,c,c]) in [-1, 1] for the images seen .. seen + size - 1 of the run."""
        if self.pool is None:
            return self.make(seen, size)
        if self.next is None or self.next[0] != (seen, size):
            self.next = (seen, size), self.pool.submit(self.make, seen, size)
        made = self.next[1].result()
        self.next = (seen + size, size), self.pool.submit(self.make, seen + size, size)
        return made
