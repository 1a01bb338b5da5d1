#!/usr/bin/python3
"""Lays what demo.sh made side by side: input, bicubic, x_sr, srdiff, original, a face a row.

    side_by_side.py PICTURE.png
"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "docs" / "samples"
OUT = ROOT / "out"
SIDE, GAP, HEAD = 128, 8, 20
TITLES = ["input, 16x16", "bicubic", "x_sr (regressor)", "srdiff, {} evaluations", "original"]


def row(name: str) -> list:
    low = Image.open(SAMPLES / f"{name}.png").convert("RGB")
    return [
        low.resize((SIDE, SIDE), Image.NEAREST),
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
    step = SIDE + GAP
    sheet = Image.new("RGB", (GAP + step * len(TITLES), HEAD + step * len(names)), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default()
    for column, title in enumerate(TITLES):
        draw.text((GAP + column * step, 5), title.format(evaluations), fill="black", font=font)
    for line, name in enumerate(names):
        for column, picture in enumerate(row(name)):
            sheet.paste(picture, (GAP + column * step, HEAD + line * step))
    sheet.save(sys.argv[1])


if __name__ == "__main__":
    main()
