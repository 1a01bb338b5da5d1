"""Random crops of photographs of any size, with low-resolution inputs that may be mildly damaged."""
import io
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image, ImageFilter

from data import queued, read_bytes, to_unit

# A share `fraction` of the inputs is damaged as a camera or a website would; the truth never is.
NO_DAMAGE = {"fraction": 0.0, "jpeg": [70, 95], "blur": 0.7, "noise": 2.5}


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


def damaged(low: Image.Image, random: np.random.Generator, damage: dict) -> Image.Image:
    """Slight blur, sensor noise and JPEG, in the order in which they happen; each may be left out."""
    if random.random() < 0.5:
        low = low.filter(ImageFilter.GaussianBlur(random.uniform(0, damage["blur"])))
    if random.random() < 0.5:
        noise = random.normal(0, random.uniform(0, damage["noise"]), (low.height, low.width, 3))
        low = Image.fromarray((np.asarray(low) + noise).round().clip(0, 255).astype(np.uint8))
    if random.random() < 0.8:
        file = io.BytesIO()
        low.save(file, format="JPEG", quality=int(random.integers(damage["jpeg"][0], damage["jpeg"][1] + 1)))
        low = Image.open(file).convert("RGB")
    return low


class Photos:
    """Batches of crops. Image number i of a run is a function of the seed and i alone, so that a
    resumed run continues where it stopped. The next batch is made while one is in use."""

    def __init__(self, photos, scale: int, crop: int, device, seed: int = 0, damage=None):
        self.photos, self.scale, self.crop, self.device, self.seed = photos, scale, crop, device, seed
        self.damage = {**NO_DAMAGE, **(damage or {})}
        areas = np.array([photo.width * photo.height for photo in photos], dtype=np.float64)
        self.share = np.cumsum(areas / areas.sum())
        self.pool = ThreadPoolExecutor(min(8, max(1, os.cpu_count() - 1)))
        self.count = len(photos)
        self.next = None

    def pair(self, number: int):
        """uint8 (low [3,c/s,c/s], high [3,c,c]) of image `number` of the run."""
        random = np.random.default_rng((self.seed, number))
        pick = min(int(np.searchsorted(self.share, random.random(), side="right")), len(self.photos) - 1)
        photo = self.photos[pick]
        left = int(random.integers(photo.width - self.crop + 1))
        top = int(random.integers(photo.height - self.crop + 1))
        high = photo.crop((left, top, left + self.crop, top + self.crop))
        turn = int(random.integers(8))
        if turn & 1:
            high = high.transpose(Image.FLIP_LEFT_RIGHT)
        if turn >> 1:
            high = high.transpose((Image.ROTATE_90, Image.ROTATE_180, Image.ROTATE_270)[(turn >> 1) - 1])
        low = high.resize((self.crop // self.scale,) * 2, Image.BICUBIC)  # Pillow's antialiases
        if random.random() < self.damage["fraction"]:
            low = damaged(low, random, self.damage)
        return tuple(np.asarray(image).transpose(2, 0, 1) for image in (low, high))

    def start(self, seen: int, size: int):
        return (seen, size), [self.pool.submit(self.pair, seen + i) for i in range(size)]

    def batch(self, seen: int, size: int):
        """(low, high) in [-1, 1] for the images seen .. seen + size - 1 of the run."""
        if self.next is None or self.next[0] != (seen, size):
            self.next = self.start(seen, size)
        pairs = [future.result() for future in self.next[1]]
        self.next = self.start(seen + size, size)
        return tuple(to_unit(queued(torch.from_numpy(np.stack(images)), self.device)) for images in zip(*pairs))
