#!/usr/bin/python3
"""Makes the paper's Figures 2 and 3 from the tool's own output.

    make_figures.py --tool build/default/apps/srdiff/srdiff --truth DIR --out docs/images

Figure 2: bicubic, DDIM with 8 evaluations from noise, srdiff with 8 from the predicted intermediate
state, ground truth. Figure 3: low resolution, x_sr, W. --truth holds pictures of the model's output
size; they are reduced as docs/RESULTS.md says. --rows limits them.
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", required=True, help="the srdiff program")
    parser.add_argument("--truth", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--model", default="faces-x8")
    parser.add_argument("--rows", type=int, default=8)
    args = parser.parse_args()
    info = json.loads(subprocess.run([args.tool, "models", "info", args.model, "--json"], check=True,
                                     capture_output=True, text=True).stdout)
    pictures = sorted(p for p in args.truth.iterdir() if p.suffix in {".png", ".webp"})[:args.rows]
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
    args.out.mkdir(parents=True, exist_ok=True)
    sheet(["bicubic", f"DDIM-{NFE} from noise", f"srdiff, {NFE} evaluations", "ground truth"],
          second).save(args.out / "figure2.png")
    sheet(["low resolution", "x_sr", "W"], third).save(args.out / "figure3.png")


if __name__ == "__main__":
    main()
