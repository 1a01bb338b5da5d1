#!/usr/bin/python3
"""Makes the sample faces of docs/samples from two public-domain portraits.

    make_samples.py ASTRONAUT.png GRACE_HOPPER.jpg

The first file is skimage/data/astronaut.png of the scikit-image package, the second
mpl-data/sample_data/grace_hopper.jpg of matplotlib. docs/samples/README.md tells more.
"""

import sys
from pathlib import Path

from PIL import Image

SAMPLES = Path(__file__).resolve().parent.parent / "docs" / "samples"
# left, top, side in pixels: the eyes lie where aligned CelebA crops have them, 0.31 of the side
# apart and at 0.32 of its height.
CROPS = {"collins": (168, 66, 120), "hopper": (140, 106, 256)}


def main() -> None:
    if len(sys.argv) != 1 + len(CROPS):
        sys.exit(__doc__)
    for (name, (left, top, side)), source in zip(CROPS.items(), sys.argv[1:]):
        face = Image.open(source).convert("RGB").crop((left, top, left + side, top + side))
        face.info.clear()  # its colour profile is sRGB, which is what a picture without one is
        original = face.resize((128, 128), Image.BICUBIC)  # Pillow's bicubic antialiases
        original.save(SAMPLES / "truth" / f"{name}.png")
        original.resize((16, 16), Image.BICUBIC).save(SAMPLES / f"{name}.png")


if __name__ == "__main__":
    main()
