#!/usr/bin/env python3
"""Makes somebody else's super-resolution network the regressor of a model.

    export_regressor.py RealESRNet_x4plus.pth --like models/photos-x4 --pictures photos --out models/mine
    srdiff upscale in.png out.png --model models/mine

WEIGHTS is a TorchScript file, or anything that spandrel knows (PyPI; the script runs without it on
TorchScript files). The network takes RGB pictures, NCHW, and enlarges them as much as the model of
--like does, which lends the other networks and its settings. By trial on the pictures of --pictures
the script finds out which range of values the network takes, what its sides must be multiples of,
and how far it looks, so that tiles overlap enough; one that looks at the whole picture takes none.
It says how its PSNR compares with that of the model's own regressor: a denoiser trained behind that
one does best behind a network that leaves it the same to do.
"""
import argparse
import math
import os
import shutil
import sys
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "training"))

from needs import need  # noqa: E402

need("torch", "numpy", "PIL")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402

from folders import file_of, may_write, read_manifest, replacing, sha256, write_json  # noqa: E402

warnings.filterwarnings("ignore")  # of TorchScript, and of tracing, whose result is compared below

# What a network's values may mean: name, from our [-1,1], back to it.
RANGES = (("0 to 1", lambda x: (x + 1) / 2, lambda y: y * 2 - 1),
          ("-1 to 1", lambda x: x, lambda y: y),
          ("0 to 255", lambda x: (x + 1) * 127.5, lambda y: y / 127.5 - 1))
LEVEL = 2 / 255     # one 8-bit level, in [-1,1]
LARGEST_TILE = 512


class Regressor(torch.nn.Module):
    """The network as srdiff calls it: [-1,1] in and out, of float32."""

    def __init__(self, network, low: float, high: float):
        super().__init__()
        self.network = network
        self.low = low
        self.span = high - low

    def forward(self, lr):
        return (self.network((lr + 1.0) * (0.5 * self.span) + self.low) - self.low) * (2.0 / self.span) - 1.0


def load(path: str):
    """(network, what made it, multiple of its sides, the ranges that its values may have)"""
    if not os.path.isfile(path):
        raise SystemExit(f"{path}: no such file")
    try:
        return torch.jit.load(path, map_location="cpu").float().eval(), "a TorchScript file", 1, RANGES
    except RuntimeError:
        pass
    try:
        import spandrel
    except ImportError:
        raise SystemExit(f"{path}: is no TorchScript file; other weights need spandrel: "
                         f"{sys.executable} -m pip install spandrel")
    try:
        found = spandrel.ModelLoader(device="cpu").load_from_file(path)
    except Exception as error:  # its own errors have no common class
        raise SystemExit(f"{path}: spandrel cannot read it: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
    if not isinstance(found, spandrel.ImageModelDescriptor) or (found.input_channels, found.output_channels) != (3, 3):
        raise SystemExit(f"{path}: is no network from RGB pictures to RGB pictures")
    return found.model.float().eval(), found.architecture.name, max(found.size_requirements.multiple_of, 1), RANGES[:1]


def pictures_of(folder: str, scale: int, multiple: int, most: int = 12):
    """(lr, truth) of the middles of the folder's first pictures, [1,3,h,w] in [-1,1]; lr is reduced as
    srdiff reduces, and rounded to 8 bits."""
    pairs = []
    side = scale * multiple * max(160 // (scale * multiple), 1)
    for name in sorted(os.listdir(folder) if os.path.isdir(folder) else []):
        try:
            picture = Image.open(os.path.join(folder, name)).convert("RGB")
        except OSError:
            continue
        width, height = (min(length, 2 * side) // (scale * multiple) * scale * multiple for length in picture.size)
        if min(width, height) < 4 * scale * multiple:
            continue
        left, top = (picture.width - width) // 2, (picture.height - height) // 2
        picture = picture.crop((left, top, left + width, top + height))
        small = picture.resize((width // scale, height // scale), Image.BICUBIC)
        pairs.append(tuple(torch.from_numpy(np.asarray(each).copy()).permute(2, 0, 1)[None] / 127.5 - 1
                           for each in (small, picture)))
        if len(pairs) == most:
            break
    if not pairs:
        raise SystemExit(f"{folder}: holds no picture that is large enough to try the network on")
    return pairs


def psnr(network, pairs) -> float:
    errors = [float((network(lr).clamp(-1, 1) - truth).square().mean()) for lr, truth in pairs]
    return sum(10 * math.log10(4 / max(error, 1e-10)) for error in errors) / len(errors)


def choose_range(path: str, network, ranges, pairs, scale: int):
    """The range in which the network's output is nearest to the truth."""
    best = None
    for name, into, back in ranges:
        reached = psnr(lambda lr: back(network(into(lr))), pairs)
        if best is None or reached > best[0]:
            best = (reached, name, float(into(torch.tensor(-1.0))), float(into(torch.tensor(1.0))))
    bicubic = psnr(lambda lr: torch.nn.functional.interpolate(lr, scale_factor=scale, mode="bicubic", antialias=True), pairs)
    if best[0] < min(bicubic - 6, 25):
        raise SystemExit(f"{path}: is {best[0]:.1f} dB from the truth, bicubic {bicubic:.1f}: its colours or values are "
                         "not those of pictures in RGB")
    return best[1:], bicubic


def written(network, lr, sizes, path: str):
    """The network as TorchScript for any size: scripted, or traced where that follows no size."""
    try:
        return torch.jit.freeze(torch.jit.script(network).eval())
    except Exception:  # of the compiler, of many classes
        pass
    try:
        traced = torch.jit.freeze(torch.jit.trace(network, lr, check_trace=False).eval())
    except Exception as error:
        raise SystemExit(f"{path}: cannot be written as TorchScript: {str(error).strip().splitlines()[0]}")
    for height, width in sizes:
        other = torch.rand(1, 3, height, width) * 2 - 1
        try:
            difference = float((traced(other) - network(other)).abs().max())
        except RuntimeError:
            difference = math.inf
        if not difference < 1e-3:
            raise SystemExit(f"{path}: cannot be written as TorchScript for pictures of any size: what it computes "
                             "depends on theirs")
    return traced


def side_multiple(network, claimed: int, scale: int, path: str) -> int:
    """What low-resolution sides must be multiples of. The network's output must have the model's scale."""
    factors = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 24, 32, 48, 64)
    for multiple in (factor * claimed for factor in factors):
        try:
            for height, width in ((3 * multiple, 5 * multiple), (4 * multiple, 3 * multiple)):
                height, width = (max(side, -(-16 // multiple) * multiple) for side in (height, width))
                output = network(torch.zeros(1, 3, height, width))
                shape = list(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
                if shape != [1, 3, scale * height, scale * width]:
                    raise SystemExit(f"{path}: makes {shape} of [1, 3, {height}, {width}], where the model enlarges "
                                     f"{scale} times")
            return multiple
        except RuntimeError:
            continue
    raise SystemExit(f"{path}: runs on no sides that are multiples of up to {factors[-1] * claimed}")


def reach(network, multiple: int, scale: int):
    """How many low-resolution pixels from a cut its output is within a level of the uncut one; None where it
    looks at the whole picture."""
    side = max(256 // multiple, 1) * multiple
    generator = torch.Generator().manual_seed(1)
    small = torch.rand(1, 3, side // 4, side // 2, generator=generator) * 2 - 1
    whole = torch.nn.functional.interpolate(small, size=(side // 2 // multiple * multiple or multiple, side), mode="bicubic")
    whole = (0.5 * whole + torch.linspace(-0.5, 0.5, side)).clamp(-1, 1)  # a part has another mean than the whole
    cut = whole[..., :side // 2 // multiple * multiple]
    if cut.shape[3] == 0:
        return None
    difference = (network(whole)[..., :cut.shape[3] * scale] - network(cut)).abs().amax((0, 1, 2))
    beyond = (difference > LEVEL).nonzero()
    if len(beyond) == 0:
        return 0
    distance = cut.shape[3] - int(beyond[0]) // scale
    return distance if distance < cut.shape[3] * 3 // 4 else None


def tile_of(distance, multiple: int, like: dict):
    """The tile and its overlap, or nothing. A tile gives nothing to the blend in an overlap's outer quarter."""
    theirs = like.get("tile")
    if distance is None or theirs is None:
        return None
    overlap = max(theirs["overlap"], -(-4 * distance // multiple) * multiple)
    step = 2 * multiple
    size = max(-(-theirs["size"] // step) * step, -(-2 * overlap // step) * step)
    return {"size": size, "overlap": -(-overlap // multiple) * multiple} if size <= LARGEST_TILE else None


def manifest_of(like: dict, name: str, version: str, files: dict, multiple: int, tile, text: str, licence: str) -> dict:
    manifest = {**like, "name": name, "version": version, "size_multiple": multiple, "files": files, "figures": {},
                "description": f"{like['description']}; {text}"}
    manifest.pop("tile", None)
    if tile:
        manifest["tile"] = tile
    else:  # attention and memory are for pictures of this size
        manifest["max_output_pixels"] = min(like["max_output_pixels"], 1 << 22)
    training = like.get("training", {})
    manifest["training"] = {**training, "licence": f"regressor: {licence}; the rest: {training.get('licence', 'not said')}"}
    for field in ("runs", "images_seen", "config"):
        if isinstance(manifest["training"].get(field), dict):
            manifest["training"][field] = {k: v for k, v in manifest["training"][field].items() if k != "regressor"}
    return manifest


def card(manifest: dict, like: dict, report: list) -> str:
    return "\n".join([f"# {manifest['name']} {manifest['version']}", "", manifest["description"] + ".", "",
                      f"Licence: {manifest['training']['licence']}.", "",
                      f"Weight map, denoiser and settings are those of {like['name']} {like['version']}. "
                      "The TorchScript files are code: load only model files you trust.", "",
                      "## Regressor", "", *(f"- {line}" for line in report), ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", metavar="WEIGHTS")
    parser.add_argument("--like", required=True, metavar="FOLDER", help="model that lends the other networks")
    parser.add_argument("--pictures", required=True, metavar="FOLDER", help="true pictures to try the network on")
    parser.add_argument("--licence", default="follows the licence of the weights", help="of the weights, for the card")
    parser.add_argument("--out", required=True, help="model folder to write")
    parser.add_argument("--overwrite", action="store_true", help="replace the model folder that is there")
    args = parser.parse_args()
    like = read_manifest(args.like)
    kept = {kind: file_of(args.like, like, kind) for kind in like["files"] if kind != "regressor"}
    own = torch.jit.load(file_of(args.like, like, "regressor"), map_location="cpu").float().eval()
    may_write(args.out, args.overwrite)
    scale = like["scale"]
    with torch.no_grad():
        network, made_by, claimed, ranges = load(args.weights)
        multiple = side_multiple(network, claimed, scale, args.weights)
        together = math.lcm(multiple, like["size_multiple"])
        pairs = pictures_of(args.pictures, scale, together)
        (values, low, high), bicubic = choose_range(args.weights, network, ranges, pairs, scale)
        regressor = Regressor(network, low, high).eval().requires_grad_(False)
        script = written(regressor, pairs[0][0], ((4 * together, 6 * together), (7 * together, 4 * together)), args.weights)
        if any(not bool(torch.isfinite(script(lr)).all()) for lr, _ in pairs):
            raise SystemExit(f"{args.weights}: gives values that are not finite")
        distance = reach(script, together, scale)
        tile = tile_of(distance, together, like)
        ours, theirs = psnr(script, pairs), psnr(own, pairs)
    report = [f"{made_by}, {sum(p.numel() for p in network.parameters()) / 1e6:.2f} M parameters, values {values}",
              f"{ours:.2f} dB PSNR on {len(pairs)} pictures, {like['name']}'s own {theirs:.2f}, bicubic {bicubic:.2f}",
              f"looks {distance} pixels far: tiles of {tile['size']} overlap by {tile['overlap']}" if tile else
              "takes no tiles: " + ("looks at the whole picture" if distance is None else f"looks {distance} pixels far")]
    name = os.path.basename(os.path.normpath(args.out))
    with replacing(args.out) as folder:
        files = {}
        for kind in like["files"]:
            path = os.path.join(folder, f"{kind}.pt")
            if kind == "regressor":
                script.save(path)
            else:
                shutil.copy(kept[kind], path)
            files[kind] = {"path": f"{kind}.pt", "sha256": sha256(path)}
        version = os.path.splitext(os.path.basename(args.weights))[0]
        manifest = manifest_of(like, name, version, files, together, tile,
                               f"regressor {version} ({made_by})", args.licence)
        write_json(os.path.join(folder, "manifest.json"), manifest)
        with open(os.path.join(folder, "MODEL_CARD.md"), "w") as file:
            file.write(card(manifest, like, report))
    print("\n".join([f"{args.out}: written", *report]))


if __name__ == "__main__":
    main()
