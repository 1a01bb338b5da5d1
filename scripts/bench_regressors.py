#!/usr/bin/env python3
"""Times public super-resolution networks as regressors in srdiff against ONNX Runtime and OpenVINO.

    bench_regressors.py --networks imdn span compact rrdb --json regressors.json

IMDN (64 channels, 6 blocks), SPAN (48 channels), Real-ESRGAN's compact network (64 channels, 16 layers) and
ESRGAN's RRDB network (64 channels, 6 blocks of its 23), all but the first built by spandrel, with random weights:
time does not depend on their values. Needs
`pip install spandrel onnx onnxruntime openvino`; a runtime that is not there is left out. Each network is
written as export_regressor.py writes one, and srdiff runs it inside a copy of --model, whose scale is 4.
One picture, in float32, the same number of threads; every peer's output is compared with PyTorch's before it
is timed, and srdiff's x_sr too. The runtimes take turns, --repeats times, so that what else the machine does
slows all of them.
"""
import argparse
import importlib
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "scripts" / "training")]

from needs import need  # noqa: E402

need("torch", "numpy", "PIL")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402

from export_regressor import Regressor, written  # noqa: E402
from folders import read_manifest, sha256, write_json  # noqa: E402

NETWORKS = ("imdn", "span", "compact", "rrdb")
CALLS = 5  # of a peer in a turn; their median is the turn's figure


class DistillationBlock(torch.nn.Module):
    """A block of IMDN (Hui et al. 2019): each convolution hands a quarter of its channels on, and attention weighs
    channels by their contrast."""

    def __init__(self, width: int):
        super().__init__()
        self.kept = width // 4
        conv = torch.nn.Conv2d
        self.convolutions = torch.nn.ModuleList([conv(width, width, 3, 1, 1),
                                                 *(conv(width - self.kept, width, 3, 1, 1) for _ in range(2))])
        self.last = conv(width - self.kept, self.kept, 3, 1, 1)
        self.attention = torch.nn.Sequential(conv(width, width // 16, 1), torch.nn.ReLU(inplace=True),
                                             conv(width // 16, width, 1), torch.nn.Sigmoid())
        self.join = conv(width, width, 1)

    def forward(self, x):
        rest, parts = x, []
        for convolution in self.convolutions:
            part, rest = torch.split(torch.nn.functional.leaky_relu(convolution(rest), 0.05, inplace=True),
                                     (self.kept, x.shape[1] - self.kept), dim=1)
            parts.append(part)
        joined = torch.cat([*parts, self.last(rest)], 1)
        mean = joined.mean((2, 3), keepdim=True)
        contrast = (joined - mean).square().mean((2, 3), keepdim=True).sqrt() + mean
        return self.join(joined * self.attention(contrast)) + x


class Imdn(torch.nn.Module):
    def __init__(self, width: int = 64, blocks: int = 6, scale: int = 4):
        super().__init__()
        self.first = torch.nn.Conv2d(3, width, 3, 1, 1)
        self.blocks = torch.nn.ModuleList(DistillationBlock(width) for _ in range(blocks))
        self.join = torch.nn.Conv2d(width * blocks, width, 1)
        self.second = torch.nn.Conv2d(width, width, 3, 1, 1)
        self.last = torch.nn.Conv2d(width, 3 * scale ** 2, 3, 1, 1)
        self.shuffle = torch.nn.PixelShuffle(scale)

    def forward(self, x):
        features = x = self.first(x)
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        joined = torch.nn.functional.leaky_relu(self.join(torch.cat(outputs, 1)), 0.05, inplace=True)
        return self.shuffle(self.last(self.second(joined) + features))


def build(name: str):
    """The network with PyTorch's random weights."""
    torch.manual_seed(0)
    if name == "imdn":
        return Imdn().eval()
    kinds = {"span": ("SPAN.__arch.span", "SPAN", dict(num_in_ch=3, num_out_ch=3, feature_channels=48, upscale=4)),
             "compact": ("Compact.__arch.SRVGG", "SRVGGNetCompact",
                         dict(num_in_ch=3, num_out_ch=3, num_feat=64, num_conv=16, upscale=4)),
             "rrdb": ("ESRGAN.__arch.RRDB", "RRDBNet", dict(in_nc=3, out_nc=3, num_filters=64, num_blocks=6, scale=4))}
    module, kind, options = kinds[name]
    return getattr(importlib.import_module(f"spandrel.architectures.{module}"), kind)(**options).eval()


def onnx_call(kind: str, path: str, lr, threads: int):
    """(a call that gives the output, the runtime's name)"""
    if kind == "onnxruntime":
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda: session.run(None, {"lr": lr})[0], f"ONNX Runtime {onnxruntime.__version__}"
    import openvino
    core = openvino.Core()
    model = core.read_model(path)
    model.reshape({"lr": list(lr.shape)})
    compiled = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY",
                                                 "INFERENCE_PRECISION_HINT": "f32"})
    return lambda: compiled({"lr": lr})[0], f"OpenVINO {openvino.__version__.split('-')[0]}"


class Srdiff:
    """srdiff with the network as the regressor of a copy of --model."""

    def __init__(self, args, script, folder: str):
        self.args, self.folder = args, os.path.join(folder, "model")
        shutil.copytree(args.model, self.folder)
        manifest = read_manifest(self.folder)
        script.save(os.path.join(self.folder, "regressor.pt"))
        manifest["files"]["regressor"] = {"path": "regressor.pt", "sha256": sha256(os.path.join(self.folder, "regressor.pt"))}
        write_json(os.path.join(self.folder, "manifest.json"), manifest)
        words = [args.srdiff, "--version"]
        self.name = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split("\n")[0]

    def difference(self, picture: str, expected) -> float:
        """Levels of 8 bits between x_sr as srdiff writes it and the network's output."""
        out = os.path.join(os.path.dirname(self.folder), "out.png")
        words = [self.args.srdiff, "upscale", picture, out, "--model", self.folder, "--t", "0", "--tile", "0",
                 "--color-fix", "none", "--overwrite", "--quiet"]
        subprocess.run(words, check=True)
        made = np.asarray(Image.open(out)).astype(np.float32).transpose(2, 0, 1)
        return float(np.abs(made - np.clip((expected[0] + 1) * 127.5, 0, 255)).max())

    def seconds(self) -> float:
        words = [self.args.srdiff, "bench", "--model", self.folder, "--batch", "1", "--size", str(4 * self.args.side),
                 "--nfe", "1", "--threads", str(self.args.threads), "--repeats", str(CALLS), "--json", "--quiet"]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)["images"][0]["regressor_seconds"]


def call_seconds(call) -> float:
    seconds = []
    for _ in range(CALLS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def measure(name: str, args) -> dict:
    """Seconds of each turn, by runtime."""
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        picture = os.path.join(folder, "in.png")
        generator = np.random.default_rng(0)
        small = Image.fromarray(generator.integers(0, 256, (args.side // 8, args.side // 8, 3), dtype=np.uint8))
        small.resize((args.side, args.side), Image.BICUBIC).save(picture)
        lr = torch.from_numpy(np.asarray(Image.open(picture)).transpose(2, 0, 1).copy())[None] / 127.5 - 1
        regressor = Regressor(build(name), 0.0, 1.0).eval().requires_grad_(False)
        script = written(regressor, lr, ((24, 40),), name)
        expected = regressor(lr).numpy()
        ours = Srdiff(args, script, folder)
        print(f"{name}: srdiff's x_sr is {ours.difference(picture, expected):.2f} levels from PyTorch's", file=sys.stderr)
        path = os.path.join(folder, "regressor.onnx")
        torch.onnx.export(regressor, lr, path, opset_version=17, input_names=["lr"], output_names=["x_sr"])
        peers = {}
        for kind in args.peers:
            try:
                call, title = onnx_call(kind, path, lr.numpy(), args.threads)
            except ImportError as error:
                print(f"{kind}: left out: {error}", file=sys.stderr)
                continue
            error = float(np.abs(call() - expected).max())
            if not error < 1e-3:
                raise SystemExit(f"{title}: differs from PyTorch by {error:.2g} on {name}")
            peers[title] = call
        turns = {title: [] for title in (ours.name, *peers)}
        for _ in range(args.repeats):
            turns[ours.name].append(ours.seconds())
            for title, call in peers.items():
                turns[title].append(call_seconds(call))
    return turns


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--peers", nargs="+", choices=("onnxruntime", "openvino"), default=["onnxruntime", "openvino"])
    parser.add_argument("--model", default=str(ROOT / "models" / "photos-x4"), help="of scale 4, lends the other networks")
    parser.add_argument("--srdiff", default=str(ROOT / "build/default/apps/srdiff/srdiff"))
    parser.add_argument("--side", type=int, default=128, help="of the input, in pixels")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json")
    args = parser.parse_args()
    if importlib.util.find_spec("spandrel") is None:
        raise SystemExit(f"bench_regressors.py: {sys.executable} lacks spandrel: run {sys.executable} -m pip install spandrel")
    torch.set_num_threads(args.threads)
    found = {name: measure(name, args) for name in args.networks}
    print(f"| one picture of {args.side}x{args.side} pixels, {args.threads} threads | runtime | median ms | least to most "
          "| times srdiff's |\n|---|---|---|---|---|")
    for name, turns in found.items():
        base = next(iter(turns.values()))
        for title, values in turns.items():
            ratio = statistics.median(a / b for a, b in zip(values, base))
            print(f"| {name} | {title} | {1e3 * statistics.median(values):.1f} | {1e3 * min(values):.1f} to "
                  f"{1e3 * max(values):.1f} | {ratio:.2f} |")
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"side": args.side, "threads": args.threads, "seconds": found}, file, indent=1)


if __name__ == "__main__":
    main()
