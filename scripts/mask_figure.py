#!/usr/bin/python3
"""A picture upscaled with and without a mask, side by side: docs/images/mask.png.

    mask_figure.py OUT.png [--srdiff PROGRAM] [--model NAME]

Text beside leaves, and a face, of the originals in docs/images/photos.png (photo_gallery.py), reduced
four times. Text and face are to stay as they are; the rest may grow.
"""
import argparse
import subprocess
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from sheet import GAP, HEAD, sheet

ROOT = Path(__file__).resolve().parent.parent
SIDE, SCALE = 192, 4
ROWS = {"face": 0, "text": 1, "foliage": 2}  # of the gallery's left half; its fourth column has the originals


def original(name: str) -> Image.Image:
    left, top = GAP + 3 * (SIDE + GAP), HEAD + ROWS[name] * (SIDE + GAP)
    return Image.open(ROOT / "docs/images/photos.png").convert("RGB").crop((left, top, left + SIDE, top + SIDE))


def pictures() -> dict:
    """name -> (picture, mask), both of the output's size."""
    beside = original("text")
    beside.paste(original("foliage").crop((SIDE // 2, 0, SIDE, SIDE)), (SIDE // 2, 0))
    hard = Image.new("L", (SIDE, SIDE), 0)
    hard.paste(255, (SIDE // 2, 0, SIDE, SIDE))
    soft = Image.new("L", (SIDE, SIDE), 255)
    ImageDraw.Draw(soft).ellipse((48, 20, 150, 160), fill=0)
    return {"beside": (beside, hard), "face": (original("face"), soft.filter(ImageFilter.GaussianBlur(8)))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--srdiff", default=str(ROOT / "build/default/apps/srdiff/srdiff"))
    parser.add_argument("--model", default="photos-x4")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, (picture, mask) in pictures().items():
            small = picture.resize((SIDE // SCALE,) * 2, Image.BICUBIC)
            small.save(folder / f"{name}.png")
            mask.save(folder / "mask.png")

            def made(*options: str) -> Image.Image:
                out = folder / "out.png"
                subprocess.run([args.srdiff, "upscale", str(folder / f"{name}.png"), str(out), "--model", args.model,
                                "--overwrite", "--quiet", *options], check=True)
                with Image.open(out) as result:
                    return result.convert("RGB")

            masked = made("--mask", str(folder / "mask.png"), "--save-weight-map", str(folder / "w.png"))
            with Image.open(folder / "w.png") as weights:
                rows.append([small, made("--t", "0"), made(), mask, masked, weights.convert("RGB")])
    titles = ["input, 48x48", "--t 0", "srdiff", "mask", "srdiff --mask", "--save-weight-map"]
    sheet(titles, rows, SIDE).save(args.out, optimize=True)


if __name__ == "__main__":
    main()
