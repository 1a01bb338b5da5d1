#!/usr/bin/env python3
"""Writes a model folder from training runs: TorchScript files with fp16 weights, manifest, card.

    export.py --run-regressor runs/regressor --run-weight-map runs/weight-map \\
              --run-denoiser runs/denoiser --config configs/faces-x8.json --out models/faces-x8

A model folder in a run's place lends its network, whose file is copied as it is, or with --rewrite
written anew from its weights.

Use the oldest torch that is to load the files: TorchScript is read by newer versions, not by older
ones. Regressor and weight map may be left out. With --overwrite an existing model folder is replaced, in one step.
--run-denoiser also takes a generator file (*_gen.pth) of the public SR3 implementation.
"""
import argparse
import datetime
import json
import math
import os
import shutil
from typing import NamedTuple

from needs import need

need("torch")

import torch  # noqa: E402

from configuration import read_config  # noqa: E402
from diffusion import condition_of  # noqa: E402
from flatten import flattened  # noqa: E402
from folders import file_of, may_write, read_manifest, replacing, run_of, sha256, write_json  # noqa: E402
from networks import build, parameters, stored  # noqa: E402

KINDS = ("regressor", "weight_map", "denoiser")


class Borrowed(NamedTuple):
    """A network of another model folder."""
    path: str        # its TorchScript file
    multiple: int    # that folder's size multiple
    network: object = None
    state: dict = {}    # as `load` returns it, without weights; empty: the card does not speak of it
    picture: str = ""   # of its loss


def load(run: str, config: dict):
    if os.path.isfile(run):
        public = torch.load(run, map_location="cpu", weights_only=True)
        prefix = "denoise_fn."
        weights = {k[len(prefix):]: v for k, v in public.items() if k.startswith(prefix)}
        state = {"kind": "denoiser", "config": config, "ema": weights, "images": 0, "steps": 0,
                 "seconds": 0.0, "curve": []}
    else:
        checkpoint = os.path.join(run, "checkpoint.pt")
        if not os.path.exists(checkpoint):
            raise SystemExit(f"{run}: holds no checkpoint.pt of a training run and no manifest.json of a model")
        state = torch.load(checkpoint, map_location="cpu")
    network = build(state["kind"], state["config"][state["kind"]]["architecture"])
    network.load_state_dict(state["ema"])
    return network.eval().requires_grad_(False), state


def borrow(folder: str, kind: str, config: dict) -> Borrowed:
    manifest = read_manifest(folder)
    path = file_of(folder, manifest, kind)
    training = manifest.get("training", {})
    ours = config[kind]["architecture"]
    if training.get("config", {}).get(kind, {}).get("architecture") != ours:
        raise SystemExit(f"{folder}: its {kind} has not the config's architecture")
    theirs = {"schedule": manifest["schedule"], "parameterisation": manifest["parameterisation"],
              "condition": condition_of(manifest), kind: training["config"][kind]}
    network = stored(path, kind, ours)
    run = run_of(manifest, kind)
    state = {"config": {**config, **theirs}, **run, "curve": [] if run["loss"] is None else [(run["images"], run["loss"])],
             "parameters": parameters(network)}
    picture = os.path.join(folder, f"loss-{kind}.png")
    return Borrowed(path, manifest["size_multiple"], network, state, picture if os.path.exists(picture) else "")


def average_with(folder: str, kind: str, network, state: dict):
    """Makes the network's weights the means of its own and a model folder's: where a run went on from
    those, a longer memory than its moving average had. The state says with what."""
    manifest = read_manifest(folder)
    architecture = state["config"][kind]["architecture"]
    other = stored(file_of(folder, manifest, kind), kind, architecture).state_dict()
    network.load_state_dict({name: (value + other[name]) / 2 for name, value in network.state_dict().items()})
    state["averaged_with"] = f"{manifest['name']} {manifest['version']}"


def input_multiple(kind: str, network, scale: int) -> int:
    """What the low-resolution sides must be multiples of for this network."""
    own = network.size_multiple
    return own if kind == "regressor" else own // math.gcd(own, scale)


def section_of(kind: str, state: dict, config: dict) -> dict:
    """A network's section of the config that it was trained with. The calibration alone is chosen at export."""
    section = {key: value for key, value in state["config"][kind].items() if key != "calibration"}
    chosen = config[kind].get("calibration")
    return {**section, "calibration": chosen} if chosen else section


def by_methods(denoiser, condition, x_t, noise_level):
    """The forward pass of an exported denoiser, as the engine makes it of the file's other methods."""
    embedding, scales = denoiser.encode_noise_level(noise_level)
    found = denoiser.body(denoiser.prepare_input(condition, x_t, scales), embedding)
    return denoiser.finish_output(found, condition, x_t, scales)


def write_network(path: str, kind: str, network, section: dict, config: dict, half: bool):
    """The TorchScript file, checked against the network it came from as it will be computed."""
    written = build(kind, section["architecture"])
    written.load_state_dict(network.state_dict())
    if "calibration" in section:
        for each in (network, written):
            each.calibrate(**section["calibration"])
    flattened((written.half() if half else written).eval().requires_grad_(False)).save(path)
    loaded = torch.jit.load(path, map_location="cpu").float()
    size = config["native_size"]
    high, low = torch.rand(1, 3, size, size) * 2 - 1, torch.rand(1, 3, *[size // config["scale"]] * 2) * 2 - 1
    inputs = {"regressor": (low,), "weight_map": (high,),
              "denoiser": (high, high.flip(3), torch.tensor([0.9]))}[kind]
    with torch.no_grad():
        result = loaded(*inputs)
        difference = float((result - network(*inputs)).abs().max())
        if not difference < (0.05 if half else 1e-4):
            raise SystemExit(f"{path}: differs from the trained network by {difference:.3g}")
        if kind == "denoiser" and not torch.equal(by_methods(loaded, *inputs), result):
            raise SystemExit(f"{path}: its methods {', '.join(network.methods)} do not add up to its forward pass")


def table(rows: list) -> list:
    """Objects with the same keys as the lines of a Markdown table."""
    keys = list(rows[0]) if rows else []
    lines = ["| " + " | ".join(keys) + " |", "|" + "---|" * len(keys)] if rows else []
    return lines + ["| " + " | ".join(str(row.get(key, "")) for key in keys) + " |" for row in rows]


def precision_of(path: str) -> str:
    halved = any(value.dtype == torch.half for value in torch.jit.load(path, map_location="cpu").state_dict().values())
    return "fp16" if halved else "fp32"


def weights_held(precisions: dict) -> str:
    """In words: a lent file is a copy, and may hold its weights otherwise than the files beside it."""
    held = sorted(set(precisions.values()))
    if len(held) == 1:
        return f"{held[0]} weights"
    return " and ".join(f"{each} weights ({', '.join(kind for kind, its in precisions.items() if its == each)})"
                        for each in held)


def model_card(manifest: dict, states: dict, precisions: dict) -> str:
    lines = [f"# {manifest['name']} {manifest['version']}", "", manifest["description"] + ".", "",
             f"Data: {manifest['training']['data']}. Licence: {manifest['training']['licence']}.", "",
             f"Scale {manifest['scale']}, native output {manifest['native_size']}x{manifest['native_size']} px, "
             f"parameterisation {manifest['parameterisation']}, T = {manifest['schedule']['T']}. "
             f"The TorchScript files hold {weights_held(precisions)} and are computed in fp32. "
             "They are code: load only model files you trust.", "",
             "Not for identifying people: the tool invents plausible detail, it does not recover a person's.", "",
             "## Training", "", "| network | parameters | images seen | steps | minutes | last loss |",
             "|---|---|---|---|---|---|"]
    for kind, state in states.items():
        loss = f"{state['curve'][-1][1]:.5f}" if state["curve"] else "-"
        lines.append(f"| {kind} | {state['parameters'] / 1e6:.2f} M | {state['images'] or '-'} | {state['steps'] or '-'} | "
                     f"{round(state['seconds'] / 60) or '-'} | {loss} |")
    curves = [f"[{kind}](loss-{kind}.png)" for kind, state in states.items() if state["curve"]]
    if curves:
        lines += ["", "Loss curves: " + ", ".join(curves) + "."]
    for kind, state in states.items():
        if state.get("grown_from"):
            lines += ["", f"The {kind} was grown from that of {state['grown_from']}."]
        if state.get("averaged_with"):
            lines += ["", f"The {kind}'s weights are the means of this run's and those of {state['averaged_with']}."]
    if manifest["figures"]:
        lines += ["", "## Measured figures", "", manifest["figures"].get("protocol", ""), "",
                  *table(manifest["figures"].get("rows", []))]
        for comparison in manifest["figures"].get("comparisons", []):
            lines += ["", comparison["text"], "", *table(comparison["rows"])]
    lines += ["", "Recommended defaults: " + ", ".join(f"{k} {v}" for k, v in manifest["defaults"].items()) + ".",
              "", "## Configuration", "", "```json",
              json.dumps(manifest["training"]["config"], indent=1), "```", ""]
    return "\n".join(lines)


def export(out: str, config: dict, networks: dict, borrowed: dict, figures: dict, half: bool):
    """Writes the model folder `out`.

    networks  kind -> (network, its state as `load` returns it, a picture of its loss or None)
    borrowed  kind -> Borrowed
    half      weights of `networks` in fp16; otherwise as they are
    """
    files, states, multiple = {}, {}, 1
    with replacing(out) as folder:
        for kind, (network, state, picture) in networks.items():
            multiple = math.lcm(multiple, input_multiple(kind, network, config["scale"]))
            section = section_of(kind, state, config)
            write_network(os.path.join(folder, f"{kind}.pt"), kind, network, section, config, half)
            states[kind] = {**{k: state[k] for k in ("images", "steps", "seconds", "curve")}, "config": {kind: section},
                            "averaged_with": state.get("averaged_with"), "grown_from": state.get("grown_from"),
                            "parameters": parameters(network)}
            if picture:
                shutil.copy(picture, os.path.join(folder, f"loss-{kind}.png"))
        for kind, other in borrowed.items():
            multiple = math.lcm(multiple, other.multiple)
            shutil.copy(other.path, os.path.join(folder, f"{kind}.pt"))
            if other.state:
                states[kind] = other.state
            if other.picture:
                shutil.copy(other.picture, os.path.join(folder, f"loss-{kind}.png"))
        states = {kind: states[kind] for kind in KINDS if kind in states}
        for kind in KINDS:
            if kind in networks or kind in borrowed:
                files[kind] = {"path": f"{kind}.pt", "sha256": sha256(os.path.join(folder, f"{kind}.pt"))}
        manifest = manifest_of(config, files, states, multiple, figures)
        write_json(os.path.join(folder, "manifest.json"), manifest)
        with open(os.path.join(folder, "MODEL_CARD.md"), "w") as file:
            file.write(model_card(manifest, states, {kind: precision_of(os.path.join(folder, f"{kind}.pt"))
                                                     for kind in files}))
        size = sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))
    print(f"{out}: {', '.join(files)}; {size / 2**20:.1f} MiB")


def run_entry(state: dict) -> dict:
    """How a network was trained, as `run_of` reads it."""
    entry = {"images": state["images"], "steps": state["steps"], "seconds": round(state["seconds"]),
             "loss": round(state["curve"][-1][1], 6)}
    entry.update({key: state[key] for key in ("grown_from", "averaged_with") if state.get(key)})
    return entry


def manifest_of(config: dict, files: dict, states: dict, multiple: int, figures: dict) -> dict:
    sections = {kind: state["config"][kind] for kind, state in states.items()}
    runs = {kind: run_entry(state) for kind, state in states.items() if state["curve"]}
    optional = {key: config[key] for key in ("tile", "detail") if key in config}
    return {
        "format": 1, "name": config["name"], "version": config["version"], "task": config["task"],
        "description": config["description"], "scale": config["scale"], "native_size": config["native_size"],
        "size_multiple": multiple, "max_output_pixels": config.get("max_output_pixels", 262144),
        **optional,
        "schedule": config["schedule"], "parameterisation": config["parameterisation"],
        "condition": condition_of(config), "conditioning": "sqrt_alpha_bar", "value_range": [-1, 1],
        "weight_map_channels": config.get("weight_map_channels", 1),
        "files": files, "defaults": config["defaults"],
        "training": {"data": config["data"], "licence": config["licence"], "config": sections,
                     "images_seen": {kind: state["images"] for kind, state in states.items()}, "runs": runs,
                     "exported": datetime.date.today().isoformat(), "torch": str(torch.__version__)},
        "figures": figures,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for kind in KINDS:
        parser.add_argument(f"--run-{kind.replace('_', '-')}", required=kind == "denoiser")
    parser.add_argument("--config", required=True)
    parser.add_argument("--figures", help="JSON of evaluate.py, for the manifest and the card: a protocol, rows, and "
                                          "where wanted comparisons, each a text with rows")
    parser.add_argument("--average-with", metavar="FOLDER",
                        help="model folder whose denoiser is averaged with the run's")
    parser.add_argument("--rewrite", action="store_true", help="write the networks of model folders anew")
    parser.add_argument("--out", required=True, help="model folder")
    parser.add_argument("--overwrite", action="store_true", help="replace the model folder that is there")
    args = parser.parse_args()
    may_write(args.out, args.overwrite)
    config = read_config(args.config)
    figures = {}
    if args.figures:
        with open(args.figures) as file:
            figures = json.load(file)
    networks, borrowed = {}, {}
    for kind in KINDS:
        run = getattr(args, f"run_{kind}")
        if not run:
            continue
        if os.path.exists(os.path.join(run, "manifest.json")):
            if kind == "denoiser" and args.average_with:
                raise SystemExit(f"{run}: is a model folder; --average-with needs a training run's denoiser")
            borrowed[kind] = borrow(run, kind, config)
            network, state = None, borrowed[kind].state
        else:
            network, state = load(run, config)
        if state["config"][kind]["architecture"] != config[kind]["architecture"]:
            raise SystemExit(f"{run}: trained with another {kind} architecture than {args.config}")
        trained = {**state["config"], "condition": condition_of(state["config"])}
        described = {**config, "condition": condition_of(config)}
        for field in ("schedule", "parameterisation", "condition") if kind == "denoiser" else ():
            if trained[field] != described[field]:
                raise SystemExit(f"{run}: trained with {field} {trained[field]}, but {args.config} has {described[field]}")
        if kind in borrowed and args.rewrite:
            lent = borrowed.pop(kind)
            networks[kind] = (lent.network, state, lent.picture or None)
            continue
        if kind in borrowed:
            continue
        if kind == "denoiser" and args.average_with:
            average_with(args.average_with, kind, network, state)
        picture = os.path.join(run, "loss.png")
        networks[kind] = (network, state, picture if os.path.exists(picture) else None)
    if condition_of(config) == "x_sr" and "regressor" not in {**networks, **borrowed}:
        raise SystemExit(f"{args.config}: the denoiser is conditioned on x_sr: give --run-regressor")
    export(args.out, config, networks, borrowed, figures=figures, half=True)


if __name__ == "__main__":
    main()
