#!/usr/bin/env python3
"""Measures a model folder on reference photographs: PSNR, sharpness, consistency, Frechet distance.

    evaluate.py --model models/faces-x8 --data val.tar --limit 300 --features mobilenet_v2.pt \\
                --setting t=300,beta=0.8 --setting t=200,beta=0.8,nfe=4 --json figures.json --sheet sheet.png

Each --setting is one row: t, beta, nfe, guidance, eta, sampler, grid, start, weight_map (0 or 1). Bicubic and
the regressor alone, if the model has one, are always measured. The feature network is TorchScript,
RGB 0..255 -> [N,D].
"""
import argparse
import itertools
import json

from needs import need

need("torch", "numpy", "PIL")

import torch  # noqa: E402

from data import load_images, reduce, to_unit  # noqa: E402
from diffusion import bicubic  # noqa: E402
from plots import sheet  # noqa: E402
from reference import Model  # noqa: E402


def quantised(x):
    """What an 8-bit file of x holds, in [-1, 1]."""
    return ((x.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


def psnr(x, y) -> float:
    """Mean over images of the peak signal-to-noise ratio on RGB, in dB."""
    return float((10 * torch.log10(4.0 / ((x - y) ** 2).mean(dim=(1, 2, 3)))).mean())


def roughness(x) -> float:
    return float((x.diff(dim=2).abs().mean() + x.diff(dim=3).abs().mean()) / 2)


def frechet(a, b) -> float:
    a, b = a.double(), b.double()
    cov_a, cov_b = torch.cov(a.T), torch.cov(b.T)
    values, vectors = torch.linalg.eigh(cov_a)
    root = vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T
    middle = torch.linalg.eigvalsh(root @ cov_b @ root).clamp(min=0).sqrt().sum()
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + cov_a.trace() + cov_b.trace() - 2 * middle)


def parse_setting(text: str) -> dict:
    setting = {}
    for item in text.split(","):
        key, value = item.split("=")
        kind = {"t": int, "nfe": int, "beta": float, "eta": float, "guidance": float, "weight_map": lambda v: v != "0"}.get(key, str)
        setting[key] = kind(value)
    return setting


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True, nargs="+")
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--features", help="TorchScript feature network, for the Frechet distance")
    parser.add_argument("--feature-name", default="FD-MobileNetV2")
    parser.add_argument("--setting", action="append", default=[], type=parse_setting)
    parser.add_argument("--batch", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--json")
    parser.add_argument("--sheet", help="PNG of the first rows of every setting")
    parser.add_argument("--rows", type=int, default=8)
    args = parser.parse_args()
    model = Model(args.model, args.device)
    images = load_images(args.data, model.manifest["native_size"], args.limit).to(args.device)
    truth, low = to_unit(images), to_unit(reduce(images, model.scale))
    network = torch.jit.load(args.features, map_location=args.device).eval() if args.features else None

    def features(x):
        return torch.cat([network((part + 1) * 127.5) for part in x.split(args.batch)]).cpu()

    real = features(truth) if network else None
    rows, columns = [], []

    def measure(name: str, x):
        x = quantised(x)
        row = {"output": name, "PSNR dB": round(psnr(x, truth), 2),
               "sharpness": round(roughness(x) / roughness(truth), 3),
               "consistency MSE": round(float(((bicubic(x, low.shape[2:]) - low) ** 2).mean() * 127.5 ** 2), 2)}
        if network:
            row[args.feature_name] = round(frechet(features(x), real), 1)
        rows.append(row)
        columns.append((name, x[:args.rows]))
        print(json.dumps(row), flush=True)

    measure("bicubic", bicubic(low, truth.shape[2:]))
    if model.regressor is not None:
        measure("regressor", torch.cat([model.regressor(part) for part in low.split(args.batch)]))
    # The colour fix follows the method: networks are measured without it.
    defaults = {key: value for key, value in model.manifest["defaults"].items() if key != "color_fix"}
    for setting in args.setting:
        options = {**defaults, **setting}
        recommended = all(options[key] == defaults[key] for key in ("t", "nfe", "sampler"))
        if "guidance" not in setting and not (recommended and options.get("start") != "noise"):
            options["guidance"] = 1.0
        generator = torch.Generator().manual_seed(args.seed)
        parts = []
        for part in low.split(args.batch):
            shape = (len(part), *truth.shape[1:])
            noises = (torch.randn(shape, generator=generator).to(args.device) for _ in itertools.count())
            parts.append(model.upscale(part, noises, **options))
        measure(" ".join(f"{key}={value}" for key, value in setting.items()), torch.cat(parts))
    if args.sheet:
        sheet(args.sheet, [("input", low[:args.rows])] + columns + [("truth", truth[:args.rows])], 128)
    if args.json:
        protocol = (f"{len(images)} held-out images in order, noise seed {args.seed}, 8-bit outputs; PSNR on RGB; sharpness "
                    "is the mean absolute difference of neighbours against the truth's; consistency is the mean "
                    "squared error of the reduced output against the input, in grey levels")
        with open(args.json, "w") as file:
            json.dump({"protocol": protocol + ".", "rows": rows}, file, indent=1)


if __name__ == "__main__":
    main()
