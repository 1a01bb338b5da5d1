#!/usr/bin/env python3
"""Makes the reference faces of tests/golden: generated, of no real person.

    make_golden_faces.py PHOTOGRAPHS SRDIFF OUT [COUNT]

PHOTOGRAPHS is a folder of aligned faces in all poses. They are sorted into COUNT groups by their
looks at 16x16 pixels; for each, the mean over the 12 faces nearest to its centre, which shows nobody,
is upscaled by SRDIFF with the model faces-x8. OUT gets COUNT lossless WebP pictures of 128 pixels.
"""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

NEAREST = 12  # to a group's centre, whose mean is taken
SIDE = 16


def small_pictures(folder):
    files = sorted(path for path in pathlib.Path(folder).rglob("*")
                   if path.suffix in {".webp", ".png", ".jpg"})
    return np.stack([np.asarray(Image.open(path).convert("RGB").resize((SIDE, SIDE), Image.BICUBIC),
                                np.float64) for path in files])


def centres(points, count, rounds=30):
    """k-means from centres that lie far apart."""
    random = np.random.default_rng(0)
    chosen = [points[random.integers(len(points))]]
    while len(chosen) < count:
        distance = np.min([((points - c) ** 2).sum(1) for c in chosen], 0)
        chosen.append(points[random.choice(len(points), p=distance / distance.sum())])
    for _ in range(rounds):
        squares = (points ** 2).sum(1)[:, None] - 2 * points @ np.stack(chosen).T \
            + (np.stack(chosen) ** 2).sum(1)
        group = squares.argmin(1)
        chosen = [points[group == i].mean(0) if (group == i).any() else c
                  for i, c in enumerate(chosen)]
    return chosen


def main(photographs, srdiff, out, count="20"):
    pictures = small_pictures(photographs)
    points = pictures.reshape(len(pictures), -1)
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for index, centre in enumerate(centres(points, int(count))):
            nearest = ((points - centre) ** 2).sum(1).argsort()[:NEAREST]
            mean = pictures[nearest].mean(0).round().astype(np.uint8)
            small, large = f"{scratch}/small.png", f"{scratch}/large.png"
            Image.fromarray(mean).save(small)
            subprocess.run([srdiff, "upscale", "--quiet", "--model", "faces-x8", "--seed",
                            str(index), small, large], check=True)
            Image.open(large).save(out / f"{index:02}.webp", lossless=True, method=6)


if __name__ == "__main__":
    main(*sys.argv[1:])
