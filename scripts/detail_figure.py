#!/usr/bin/python3
"""The sample faces and a photograph along the dial of --detail: docs/images/detail.png.

    detail_figure.py OUT.png [--srdiff PROGRAM]

The faces are docs/samples; the photograph is the foliage of docs/images/photos.png (photo_gallery.py),
reduced four times.
"""
import argparse
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

from mask_figure import SCALE, SIDE, original
from sheet import sheet

ROOT = Path(__file__).resolve().parent.parent
DETAILS = ("0", "0.25", "0.5", "0.75", "1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--srdiff", default=str(ROOT / "build/default/apps/srdiff/srdiff"))
    args = parser.parse_args()
    samples = ROOT / "docs/samples"
    inputs = []  # name, model, input, truth
    for path in sorted(samples.glob("*.png")):
        inputs.append((path.stem, "faces-x8", Image.open(path), Image.open(samples / "truth" / path.name)))
    foliage = original("foliage")
    inputs.append(("foliage", "photos-x4", foliage.resize((SIDE // SCALE,) * 2, Image.BICUBIC), foliage))
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, model, low, truth in inputs:
            source, out = Path(scratch) / f"{name}.png", Path(scratch) / "out.png"
            low.save(source)
            row = [low.convert("RGB").resize((SIDE, SIDE), Image.BICUBIC)]
            for detail in DETAILS:
                subprocess.run([args.srdiff, "upscale", str(source), str(out), "--model", model, "--detail", detail,
                                "--overwrite", "--quiet"], check=True)
                with Image.open(out) as made:
                    row.append(made.convert("RGB").resize((SIDE, SIDE), Image.BICUBIC))
            rows.append([*row, truth.convert("RGB").resize((SIDE, SIDE), Image.BICUBIC)])
    titles = ["bicubic", *(f"--detail {detail}" for detail in DETAILS), "truth"]
    sheet(titles, rows, SIDE).save(args.out, optimize=True)


if __name__ == "__main__":
    main()
