#!/usr/bin/env python3
"""Converts a checkpoint of the public SR3 implementation into a model folder.

    export_sr3.py --weights I640000_E37_gen.pth --config sr_sr3_16_128.json --out models/sr3-ffhq
    srdiff upscale in.png out.png --model models/sr3-ffhq --start noise --nfe 50

The implementation is Janspiry/Image-Super-Resolution-via-Iterative-Refinement, model "sr3"; its
JSON config is read with its // comments. A checkpoint has no regressor, so that the folder starts
from noise; --regressor-from lends it those of another model of the same scale and kind of picture:

    export_sr3.py ... --regressor-from models/faces-x8 --out models/sr3-ffhq

Its conditioning is srdiff's: at the step with t steps left the network is told sqrt(alpha_bar_t),
and was trained on levels drawn between sqrt(alpha_bar_{t-1}) and sqrt(alpha_bar_t). Its condition
is Pillow's bicubic rounded to 8 bits; srdiff does not round.
"""
import argparse
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "training"))

from export import Borrowed, export, load  # noqa: E402
from folders import file_of, may_write, read_manifest  # noqa: E402


def read_config(path: str) -> dict:
    """JSON with // comments, which do not begin inside a string."""
    with open(path) as file:
        text = file.read()
    bare = re.sub(r'("(?:[^"\\]|\\.)*")|//[^\n]*', lambda match: match[1] or "", text)
    try:
        return json.loads(bare)
    except ValueError as error:
        raise SystemExit(f"{path}: is no JSON with // comments: {error}")


def architecture_of(model: dict) -> dict:
    """The options of our U-Net, which has the same parameter names."""
    unet, size = model["unet"], model["diffusion"]["image_size"]
    multipliers = unet["channel_multiplier"]
    return {
        "inner": unet["inner_channel"], "widths": [unet["inner_channel"] * factor for factor in multipliers],
        "res_blocks": unet["res_blocks"], "norm_groups": unet.get("norm_groups") or 32,
        "attention": [i for i in range(len(multipliers)) if size // 2 ** i in unet["attn_res"]],
        "dropout": unet["dropout"],
    }


def check_supported(path: str, model: dict):
    unet, schedule = model["unet"], model["beta_schedule"]["val"]
    demands = (
        (model["which_model_G"] == "sr3", f"its network is '{model['which_model_G']}'; only 'sr3' is told the noise "
                                          "level, as srdiff does"),
        (model["diffusion"]["conditional"] and (unet["in_channel"], unet["out_channel"]) == (6, 3),
         "not a super-resolution network of RGB pictures (6 channels in, 3 out)"),
        (schedule["schedule"] == "linear",
         f"its noise schedule is '{schedule['schedule']}'; srdiff has linear ones only"),
    )
    for holds, reason in demands:
        if not holds:
            raise SystemExit(f"{path}: {reason}")


def our_config(path: str, theirs: dict, out: str, weights: str) -> dict:
    """What a training config of ours would say of the checkpoint."""
    model, data = theirs["model"], theirs["datasets"]["train"]
    check_supported(path, model)
    low, high = data["l_resolution"], data["r_resolution"]
    if high % low:
        raise SystemExit(f"{path}: {low} to {high} pixels is no whole factor")
    schedule = model["beta_schedule"]["val"]
    return {
        "name": os.path.basename(os.path.normpath(out)),
        "version": re.sub(r"(_gen)?\.pth$", "", os.path.basename(weights)),
        "task": "super-resolution", "description": f"SR3 on {data['name']}, {low}x{low} pixels to {high}x{high}",
        "data": data["name"], "licence": "follows the licence of the checkpoint",
        "scale": high // low, "native_size": high, "max_output_pixels": max(262144, high * high),
        "schedule": {"kind": "linear", "T": schedule["n_timestep"], "beta_start": schedule["linear_start"],
                     "beta_end": schedule["linear_end"]},
        "parameterisation": "eps", "denoiser": {"architecture": architecture_of(model)},
    }


def defaults(T: int, regressor: bool) -> dict:
    """The paper's 300 of 2000 steps; from noise 50 evaluations, where its tables end."""
    t, nfe = (round(0.15 * T), 8) if regressor else (T, 50)
    return {"t": t, "beta": 0.8, "sampler": "ddim", "nfe": min(nfe, t), "eta": 0.0, "grid": "uniform"}


def borrow(folder: str, config: dict) -> dict:
    """The regressor and weight map of another model folder."""
    other = read_manifest(folder)
    if other["scale"] != config["scale"]:
        raise SystemExit(f"{folder}: enlarges {other['scale']} times, the checkpoint {config['scale']} times")
    config["weight_map_channels"] = other["weight_map_channels"]
    config["description"] += f", regressor of {other['name']} {other['version']}"
    return {kind: Borrowed(file_of(folder, other, kind), other["size_multiple"])
            for kind in other["files"] if kind != "denoiser"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True, help="I..._E..._gen.pth")
    parser.add_argument("--config", required=True, help="the JSON config that it was trained with")
    parser.add_argument("--out", required=True, help="model folder to write")
    parser.add_argument("--regressor-from", metavar="FOLDER", help="model whose regressor and weight map it gets")
    parser.add_argument("--half", action="store_true", help="weights in fp16: half the size, not the same bits")
    parser.add_argument("--overwrite", action="store_true", help="replace the model folder that is there")
    args = parser.parse_args()
    try:
        config = our_config(args.config, read_config(args.config), args.out, args.weights)
    except KeyError as error:
        raise SystemExit(f"{args.config}: has no {error}; is it a config of the public SR3?")
    borrowed = borrow(args.regressor_from, config) if args.regressor_from else {}
    config["defaults"] = defaults(config["schedule"]["T"], "regressor" in borrowed)
    may_write(args.out, args.overwrite)
    try:
        network, state = load(args.weights, config)
    except RuntimeError as error:
        raise SystemExit(f"{args.weights}: does not fit {args.config}: {str(error).splitlines()[-1].strip()}")
    export(args.out, config, {"denoiser": (network, state, None)}, borrowed, figures={}, half=args.half)


if __name__ == "__main__":
    main()
