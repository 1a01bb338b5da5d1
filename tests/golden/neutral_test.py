#!/usr/bin/env python3
"""neutral_test.py SRDIFF: patterns of black and white by photos-x4 stay neutral within 8 levels."""

import os
import random
import subprocess
import sys
import tempfile

from PIL import Image

SIDE = 48


def board(x: int, y: int) -> int:
    return 255 * ((x + y) % 2)


def halftone(x: int, y: int) -> int:
    return 255 * (random.Random(97 * y + x).random() < 0.15)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for pattern in (board, halftone):
            source, made = (os.path.join(folder, f"{name}-{pattern.__name__}.png") for name in ("in", "out"))
            grey = Image.new("L", (SIDE, SIDE))
            grey.putdata([pattern(x, y) for y in range(SIDE) for x in range(SIDE)])
            grey.convert("RGB").save(source)
            subprocess.run([sys.argv[1], "upscale", "--model", "photos-x4", source, made], check=True)
            apart = max(max(pixel) - min(pixel) for pixel in Image.open(made).convert("RGB").getdata())
            print(f"{pattern.__name__}: channels {apart} levels apart at most")
            if apart > 8:
                sys.exit(f"{pattern.__name__}: channels {apart} levels apart")


if __name__ == "__main__":
    main()
