#!/usr/bin/python3
"""Lays what demo.sh made side by side: input, bicubic, x_sr, srdiff, original, a face a row.

    side_by_side.py PICTURE.png
"""

import sys
from pathlib import Path

from PIL import Image

from sheet import sheet

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "docs" / "samples"
OUT = ROOT / "out"
SIDE = 128


def row(name: str) -> list:
    low = Image.open(SAMPLES / f"{name}.png").convert("RGB")
    return [
        low,
        low.resize((SIDE, SIDE), Image.BICUBIC),
        Image.open(OUT / "steps" / name / "x_sr.png"),
        Image.open(OUT / f"{name}.png"),
        Image.open(SAMPLES / "truth" / f"{name}.png"),
    ]


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    names = sorted(path.stem for path in SAMPLES.glob("*.png"))
    evaluations = len(list((OUT / "steps" / names[0]).glob("x0_*.png")))
    titles = ["input, 16x16", "bicubic", "x_sr (regressor)", f"srdiff, {evaluations} evaluations", "original"]
    sheet(titles, [row(name) for name in names], SIDE).save(sys.argv[1])


if __name__ == "__main__":
    main()
