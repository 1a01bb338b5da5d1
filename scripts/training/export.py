#!/usr/bin/env python3
"""Writes a model folder from training runs: TorchScript files with fp16 weights, manifest, card.

    export.py --run-regressor runs/regressor --run-weight-map runs/weight-map \\
              --run-denoiser runs/denoiser --config configs/faces-x8.json --out models/faces-x8

Use the oldest torch that is to load the files: TorchScript is read by newer versions, not by older
ones. Regressor and weight map may be left out. An existing folder is replaced in one step.
--run-denoiser also takes a generator file (*_gen.pth) of the public SR3 implementation.
"""
import argparse
import datetime
import hashlib
import json
import math
import os
import shutil
import tempfile

import torch

from networks import build, parameters

KINDS = ("regressor", "weight_map", "denoiser")


def load(run: str, config: dict):
    if os.path.isfile(run):
        public = torch.load(run, map_location="cpu")
        prefix = "denoise_fn."
        weights = {k[len(prefix):]: v for k, v in public.items() if k.startswith(prefix)}
        state = {"kind": "denoiser", "config": config, "ema": weights, "images": 0, "steps": 0,
                 "seconds": 0.0, "curve": []}
    else:
        state = torch.load(os.path.join(run, "checkpoint.pt"), map_location="cpu")
    network = build(state["kind"], state["config"][state["kind"]]["architecture"])
    network.load_state_dict(state["ema"])
    return network.eval().requires_grad_(False), state


def sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def check(path: str, kind: str, network, scale: int, size: int):
    """The written file, computed in float32, against the network it came from."""
    loaded = torch.jit.load(path, map_location="cpu").float()
    high = torch.rand(1, 3, size, size) * 2 - 1
    inputs = {"regressor": (torch.rand(1, 3, size // scale, size // scale) * 2 - 1,),
              "weight_map": (high,), "denoiser": (high, high.flip(3), torch.tensor([0.9]))}[kind]
    with torch.no_grad():
        difference = float((loaded(*inputs) - network(*inputs)).abs().max())
    if not difference < 0.05:
        raise SystemExit(f"{path}: differs from the trained network by {difference:.3g}")


def model_card(manifest: dict, states: dict) -> str:
    lines = [f"# {manifest['name']} {manifest['version']}", "", manifest["description"] + ".", "",
             f"Data: {manifest['training']['data']}. Licence: {manifest['training']['licence']}.", "",
             f"Scale {manifest['scale']}, native output {manifest['native_size']}x{manifest['native_size']} px, "
             f"parameterisation {manifest['parameterisation']}, T = {manifest['schedule']['T']}. "
             "The TorchScript files hold fp16 weights and are computed in fp32. "
             "They are code: load only model files you trust.", "",
             "Not for identifying people: the tool invents plausible detail, it does not recover a person's.", "",
             "## Training", "", "| network | parameters | images seen | steps | minutes | last loss |",
             "|---|---|---|---|---|---|"]
    for kind, state in states.items():
        loss = f"{state['curve'][-1][1]:.5f}" if state["curve"] else "-"
        lines.append(f"| {kind} | {state['parameters'] / 1e6:.2f} M | {state['images']} | {state['steps']} | "
                     f"{state['seconds'] / 60:.0f} | {loss} |")
    lines += ["", "Loss curves: " + ", ".join(f"[{kind}](loss-{kind}.png)" for kind in states) + "."]
    if manifest["figures"]:
        lines += ["", "## Measured figures", "", manifest["figures"].get("protocol", ""), ""]
        rows = manifest["figures"].get("rows", [])
        if rows:
            keys = list(rows[0])
            lines += ["| " + " | ".join(keys) + " |", "|" + "---|" * len(keys)]
            lines += ["| " + " | ".join(str(row.get(key, "")) for key in keys) + " |" for row in rows]
    lines += ["", "Recommended defaults: " + ", ".join(f"{k} {v}" for k, v in manifest["defaults"].items()) + ".",
              "", "## Configuration", "", "```json",
              json.dumps(manifest["training"]["config"], indent=1), "```", ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for kind in KINDS:
        parser.add_argument(f"--run-{kind.replace('_', '-')}", required=kind == "denoiser")
    parser.add_argument("--config", required=True)
    parser.add_argument("--figures", help="JSON of evaluate.py, for the manifest and the card")
    parser.add_argument("--out", required=True, help="model folder")
    args = parser.parse_args()
    with open(args.config) as file:
        config = json.load(file)
    figures = {}
    if args.figures:
        with open(args.figures) as file:
            figures = json.load(file)
    out = os.path.abspath(args.out)
    os.makedirs(os.path.dirname(out), exist_ok=True)
    folder = tempfile.mkdtemp(prefix=".export-", dir=os.path.dirname(out))
    os.chmod(folder, 0o755)
    files, states, multiple = {}, {}, 1
    for kind in KINDS:
        run = getattr(args, f"run_{kind}")
        if not run:
            continue
        network, state = load(run, config)
        if state["config"][kind]["architecture"] != config[kind]["architecture"]:
            raise SystemExit(f"{run}: trained with another {kind} architecture than {args.config}")
        own = network.size_multiple
        if kind != "regressor":
            own = own // math.gcd(own, config["scale"])
        multiple = multiple * own // math.gcd(multiple, own)
        path = os.path.join(folder, f"{kind}.pt")
        half = build(kind, config[kind]["architecture"])
        half.load_state_dict(network.state_dict())
        torch.jit.script(half.half().eval().requires_grad_(False)).save(path)
        check(path, kind, network, config["scale"], config["native_size"])
        files[kind] = {"path": f"{kind}.pt", "sha256": sha256(path)}
        states[kind] = {**{k: state[k] for k in ("images", "steps", "seconds", "curve")},
                        "parameters": parameters(network)}
        if os.path.exists(os.path.join(run, "loss.png")):
            shutil.copy(os.path.join(run, "loss.png"), os.path.join(folder, f"loss-{kind}.png"))
    sections = {kind: config[kind] for kind in files}
    manifest = {
        "format": 1, "name": config["name"], "version": config["version"], "task": config["task"],
        "description": config["description"], "scale": config["scale"], "native_size": config["native_size"],
        "size_multiple": multiple, "max_output_pixels": config.get("max_output_pixels", 262144),
        "schedule": config["schedule"], "parameterisation": config["parameterisation"],
        "conditioning": "sqrt_alpha_bar", "value_range": [-1, 1], "weight_map_channels": 1,
        "files": files, "defaults": config["defaults"],
        "training": {"data": config["data"], "licence": config["licence"], "config": sections,
                     "images_seen": {kind: state["images"] for kind, state in states.items()},
                     "exported": datetime.date.today().isoformat(), "torch": str(torch.__version__)},
        "figures": figures,
    }
    with open(os.path.join(folder, "manifest.json"), "w") as file:
        json.dump(manifest, file, indent=2)
        file.write("\n")
    with open(os.path.join(folder, "MODEL_CARD.md"), "w") as file:
        file.write(model_card(manifest, states))
    old = None
    if os.path.exists(out):
        old = folder + ".old"
        os.rename(out, old)
    os.rename(folder, out)
    if old:
        shutil.rmtree(old)
    size = sum(os.path.getsize(os.path.join(out, name)) for name in os.listdir(out))
    print(f"{args.out}: {', '.join(files)}; {size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
