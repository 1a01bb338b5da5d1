#!/usr/bin/python3
"""Makes the paper's Figures 2 and 3 from the tool's own output.

    make_figures.py --tool build/default/apps/srdiff/srdiff --truth DIR --out docs/images

Figure 2: bicubic, DDIM with 8 evaluations from noise, srdiff with 8 from the predicted intermediate
state, ground truth. Figure 3: low resolution, x_sr, W. --rows limits the pictures in both. --sheet N
makes faces.png as well: the tool's outputs for the first N, as the model recommends, beside the truth.
--truth holds pictures of the model's output size; they are reduced as docs/RESULTS.md says.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

from sheet import sheet

NFE = "8"


def upscale(tool: str, model: str, low: Path, out: Path, *options: str) -> Image.Image:
    subprocess.run([tool, "upscale", str(low), str(out), "--model", model, "--quiet", "--nfe", NFE, *options],
                   check=True)
    return Image.open(out).convert("RGB")


def side_by_side(tool: str, model: str, pictures: list, scale: int, out: Path, columns: int = 4) -> None:
    """Outputs beside the truth, `columns` pairs in a row."""
    with tempfile.TemporaryDirectory() as name:
        low, high = Path(name) / "low", Path(name) / "high"
        low.mkdir()
        for path in pictures:
            truth = Image.open(path).convert("RGB")
            truth.resize((truth.width // scale, truth.height // scale), Image.BICUBIC).save(low / f"{path.stem}.png")
        subprocess.run([tool, "upscale", str(low), str(high), "--model", model, "--quiet"], check=True)
        pairs = [picture for path in pictures
                 for picture in (Image.open(high / f"{path.stem}.png").convert("RGB"), Image.open(path).convert("RGB"))]
    rows = [pairs[i:i + 2 * columns] for i in range(0, len(pairs), 2 * columns)]
    sheet(["srdiff", "truth"] * columns, rows).save(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", required=True, help="the srdiff program")
    parser.add_argument("--truth", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--model", default="faces-x8")
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--sheet", type=int, default=0, metavar="N")
    args = parser.parse_args()
    info = json.loads(subprocess.run([args.tool, "models", "info", args.model, "--json"], check=True,
                                     capture_output=True, text=True).stdout)
    found = sorted(p for p in args.truth.iterdir() if p.suffix in {".png", ".webp"})
    pictures = found[:args.rows]
    args.out.mkdir(parents=True, exist_ok=True)
    if args.sheet:
        side_by_side(args.tool, args.model, found[:args.sheet], info["scale"], args.out / "faces.png")
    second, third = [], []
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for path in pictures:
            truth = Image.open(path).convert("RGB")
            side = truth.width // info["scale"]
            low = truth.resize((side, side), Image.BICUBIC)  # Pillow's bicubic antialiases
            low.save(scratch / "low.png")
            noise = upscale(args.tool, args.model, scratch / "low.png", scratch / "noise.png", "--start", "noise",
                            "--sampler", "ddim")
            ours = upscale(args.tool, args.model, scratch / "low.png", scratch / "ours.png", "--save-steps",
                           str(scratch / "steps"))
            second.append([low.resize(truth.size, Image.BICUBIC), noise, ours, truth])
            third.append([low] + [Image.open(scratch / "steps" / file).convert("RGB") for file in ("x_sr.png", "w.png")])
    sheet(["bicubic", f"DDIM-{NFE} from noise", f"srdiff, {NFE} evaluations", "ground truth"],
          second).save(args.out / "figure2.png")
    sheet(["low resolution", "x_sr", "W"], third).save(args.out / "figure3.png")


if __name__ == "__main__":
    main()
