#!/usr/bin/python3
"""Ten pictures upscaled side by side: docs/images/photos.png.

    photo_gallery.py OUT.png [--srdiff PROGRAM] [--model NAME] [--keep FOLDER]

Nine are of scikit-image's package (python3-skimage; in the public domain or CC0), cut out and
reduced four times; the line drawing is drawn here.
"""
import argparse
import subprocess
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw

from sheet import sheet

ROOT = Path(__file__).resolve().parent.parent
DATA = Path("/usr/lib/python3/dist-packages/skimage/data")
SIDE, SCALE = 192, 4
# left, top, side of the original in pixels; another side is resized to SIDE first.
CROPS = {
    "face": ("astronaut.png", 148, 30, 192), "text": ("page.png", 0, 0, 191), "foliage": ("grass.png", 200, 60, 256),
    "night": ("rocket.jpg", 60, 230, 192), "stars": ("hubble_deep_field.jpg", 200, 300, 288),
    "cat": ("chelsea.png", 100, 20, 192), "cup": ("coffee.png", 250, 100, 256), "camera": ("camera.png", 200, 70, 192),
    "wheel": ("motorcycle_left.png", 450, 150, 224),
}


def line_drawing() -> Image.Image:
    """A house, a tree and a sun in black lines, drawn four times as large and reduced."""
    fine = 4
    page = Image.new("RGB", (SIDE * fine,) * 2, "white")
    draw = ImageDraw.Draw(page)

    def line(*points, width=1.5):
        draw.line([(x * fine, y * fine) for x, y in points], fill="black", width=round(width * fine), joint="curve")

    def circle(x, y, radius):
        draw.ellipse([(x - radius) * fine, (y - radius) * fine, (x + radius) * fine, (y + radius) * fine],
                     outline="black", width=round(1.5 * fine))

    line((30, 160), (30, 90), (70, 55), (110, 90), (110, 160), (30, 160), width=2.5)
    line((22, 97), (70, 55), (118, 97), width=2.5)
    for y in range(66, 92, 4):
        line((70 - (y - 58), y), (70 + (y - 58), y), width=0.8)
    line((60, 160), (60, 125), (80, 125), (80, 160))
    for left in (38, 88):
        line((left, 105), (left + 14, 105), (left + 14, 120), (left, 120), (left, 105))
        line((left + 7, 105), (left + 7, 120), width=1)
        line((left, 112), (left + 14, 112), width=1)
    line((150, 160), (150, 110), width=3)
    for x, y, radius in ((150, 95, 20), (138, 105, 12), (163, 104, 13)):
        circle(x, y, radius)
    circle(160, 35, 14)
    for dx, dy in ((1, 0), (0, 1), (-1, 0), (0, -1), (0.7, 0.7), (-0.7, 0.7), (0.7, -0.7), (-0.7, -0.7)):
        line((160 + 17 * dx, 35 + 17 * dy), (160 + 25 * dx, 35 + 25 * dy), width=1)
    for x in range(8, 186, 6):
        line((x, 160), (x + 4, 153), width=0.8)
    line((6, 160), (186, 160), width=2)
    return page.resize((SIDE, SIDE), Image.LANCZOS)


def originals() -> dict:
    pictures = {}
    for name, (file, left, top, side) in CROPS.items():
        cut = Image.open(DATA / file).convert("RGB").crop((left, top, left + side, top + side))
        pictures[name] = cut.resize((SIDE, SIDE), Image.BICUBIC)
    pictures["drawing"] = line_drawing()
    return pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--srdiff", default=str(ROOT / "build/default/apps/srdiff/srdiff"))
    parser.add_argument("--model", default="photos-x4")
    parser.add_argument("--keep", help="folder for the single pictures")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(args.keep or scratch)
        low = folder / "input"
        low.mkdir(parents=True, exist_ok=True)
        pictures = originals()
        for name, picture in pictures.items():
            picture.resize((SIDE // SCALE,) * 2, Image.BICUBIC).save(low / f"{name}.png")
        subprocess.run([args.srdiff, "upscale", str(low), str(folder / "srdiff"), "--model", args.model, "--overwrite"], check=True)
        rows = []
        for name, picture in pictures.items():
            small = Image.open(low / f"{name}.png")
            rows.append([small, small.resize((SIDE, SIDE), Image.BICUBIC), Image.open(folder / "srdiff" / f"{name}.png"), picture])
        titles = ["input, 48x48", "bicubic", "srdiff", "original"]
        # Two pictures a line, so that the sheet is not a column.
        half = (len(rows) + 1) // 2
        sheet(titles * 2, [a + b for a, b in zip(rows[:half], rows[half:])], SIDE).save(args.out, optimize=True)


if __name__ == "__main__":
    main()
