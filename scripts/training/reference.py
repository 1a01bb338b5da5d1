#!/usr/bin/env python3
"""The pipeline in plain Python: what the C++ library is compared with. Literal, not fast.

    reference.py --model models/faces-x8 --lr in.png --noise noise.npy --out x0.npy

--noise is float32 [K,N,3,H,W]: index 0 is the start noise, then one for each step that needs some.
The input's sides must be multiples of the model's; the output is float32 [N,3,H,W] in [-1,1].
"""
import argparse
import json
import math
import os

from needs import need

need("torch", "numpy")

import numpy as np  # noqa: E402
import torch  # noqa: E402

from diffusion import Schedule, bicubic, condition_of, intermediate_state, x0_of  # noqa: E402


def round_half_up(value: float) -> int:
    return math.floor(value + 0.5)


def step_grid(schedule: Schedule, t: int, nfe: int, kind: str = "uniform"):
    """t = tau_0 > tau_1 > ... > tau_nfe = 0."""
    if kind == "uniform":
        grid = [round_half_up(t * (1 - i / nfe)) for i in range(nfe + 1)]
    elif kind == "quadratic":
        grid = [round_half_up(t * (1 - i / nfe) ** 2) for i in range(nfe + 1)]
    elif kind == "logsnr":
        ab = schedule.alpha_bar
        half = [0.5 * math.log(float(ab[i]) / (1 - float(ab[i]))) for i in range(1, t + 1)]
        points = [half[t - 1] + (half[0] - half[t - 1]) * i / max(nfe - 1, 1) for i in range(nfe)]
        grid = [min(range(1, t + 1), key=lambda k: abs(half[k - 1] - p)) for p in points] + [0]
    else:
        raise ValueError(f"grid {kind!r} is not uniform, quadratic or logsnr")
    for i in range(nfe - 1, -1, -1):
        grid[i] = max(grid[i], grid[i + 1] + 1)
    grid[0] = t
    return grid


def sample(denoise, schedule: Schedule, parameterisation: str, condition, x, grid, sampler: str,
           eta: float = 0.0, noises=None, guidance: float = 1.0, x_sr=None):
    """Runs x from step grid[0] to 0; `noises` yields the noise of the steps that need it.

    Each x_0 becomes x_sr + guidance * (x_0 - x_sr).
    """
    ab = schedule.alpha_bar
    previous_x0, previous_h = None, 0.0
    for t, s in zip(grid, grid[1:]):
        a_t, a_s = float(ab[t]), float(ab[s])
        level = torch.full((len(x),), a_t ** 0.5, dtype=torch.float32, device=x.device)
        output = denoise(condition, x, level)
        # The level is exact here; x0_of's float32 one loses sqrt(1 - alpha_bar) near t = 0.
        exact = level.double()
        exact[:] = a_t ** 0.5
        x0 = x0_of(parameterisation, output.double(), x.double(), exact)
        if guidance != 1.0:
            x0 = x_sr.double() + guidance * (x0 - x_sr.double())
        x0 = x0.clamp(-1, 1).float()
        if sampler == "ddim":
            eps = (x - a_t ** 0.5 * x0) / (1 - a_t) ** 0.5
            sigma = eta * ((1 - a_s) / (1 - a_t)) ** 0.5 * (1 - a_t / a_s) ** 0.5
            x = a_s ** 0.5 * x0 + (1 - a_s - sigma ** 2) ** 0.5 * eps
            if sigma > 0:
                x = x + sigma * next(noises)
        elif sampler == "ddpm":
            beta = 1 - a_t / a_s
            mean = a_s ** 0.5 * beta / (1 - a_t) * x0 + (1 - beta) ** 0.5 * (1 - a_s) / (1 - a_t) * x
            x = mean
            if s > 0:
                x = x + (beta * (1 - a_s) / (1 - a_t)) ** 0.5 * next(noises)
        elif sampler == "dpmpp":
            if s == 0:
                x = x0
                continue
            h = 0.5 * (math.log(a_s / (1 - a_s)) - math.log(a_t / (1 - a_t)))
            d = x0
            if previous_x0 is not None:
                ratio = previous_h / h
                d = (1 + 0.5 / ratio) * x0 - 0.5 / ratio * previous_x0
            x = ((1 - a_s) / (1 - a_t)) ** 0.5 * x - a_s ** 0.5 * math.expm1(-h) * d
            previous_x0, previous_h = x0, h
        else:
            raise ValueError(f"sampler {sampler!r} is not ddim, ddpm or dpmpp")
    return x


class Model:
    """The TorchScript networks and the manifest of a model folder, computed in float32."""

    def __init__(self, folder: str, device="cpu"):
        with open(os.path.join(folder, "manifest.json")) as file:
            self.manifest = json.load(file)
        options = dict(self.manifest["schedule"])
        self.schedule = Schedule(**options)
        self.scale = self.manifest["scale"]
        self.parameterisation = self.manifest["parameterisation"]
        self.condition = condition_of(self.manifest)
        for kind in ("regressor", "weight_map", "denoiser"):
            entry = self.manifest["files"].get(kind)
            network = entry and torch.jit.load(os.path.join(folder, entry["path"]), map_location=device)
            setattr(self, kind, network and network.float().eval())

    @torch.no_grad()
    def upscale(self, lr, noise, t=300, beta=0.8, sampler="ddim", nfe=8, eta=0.0, grid="uniform",
                start="predicted", weight_map=True, guidance=1.0):
        """lr [N,3,h,w] in [-1,1], noise [K,N,3,H,W] -> x_0 [N,3,H,W] in [-1,1]."""
        noises = iter(noise)
        x_sr = self.regressor(lr).clamp(-1, 1) if (start != "noise" or self.condition == "x_sr" or guidance != 1.0) else None
        enlarged = bicubic(lr, (lr.shape[2] * self.scale, lr.shape[3] * self.scale)).clamp(-1, 1)
        condition = x_sr if self.condition == "x_sr" else enlarged
        if t == 0 and start != "noise":
            return x_sr
        if start == "noise":
            t = self.schedule.T
            x = next(noises)
        else:
            use_map = weight_map and start == "predicted" and self.weight_map is not None
            weight = self.weight_map(x_sr) if use_map else None
            x = intermediate_state(x_sr, next(noises), float(self.schedule.alpha_bar[t]), beta, weight)
        if sampler == "ddpm":
            nfe = t
        steps = step_grid(self.schedule, t, nfe, grid)
        return sample(self.denoiser, self.schedule, self.parameterisation, condition, x, steps,
                      sampler, eta, noises, guidance, x_sr)


def read_low(path: str):
    if path.endswith(".npy"):
        return torch.from_numpy(np.load(path)).float()
    from PIL import Image
    pixels = np.asarray(Image.open(path).convert("RGB"), dtype=np.float32).transpose(2, 0, 1)
    return torch.from_numpy(pixels.copy())[None] / 127.5 - 1.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="model folder")
    parser.add_argument("--lr", required=True, help=".npy float32 [N,3,h,w] in [-1,1], or an image file")
    parser.add_argument("--noise", help=".npy float32 [K,N,3,H,W]")
    parser.add_argument("--seed", type=int, help="draw the noise with numpy instead")
    parser.add_argument("--t", type=int, default=300)
    parser.add_argument("--beta", type=float, default=0.8)
    parser.add_argument("--sampler", default="ddim", choices=["ddim", "ddpm", "dpmpp"])
    parser.add_argument("--nfe", type=int, default=8)
    parser.add_argument("--guidance", type=float, default=1.0)
    parser.add_argument("--eta", type=float, default=0.0)
    parser.add_argument("--grid", default="uniform", choices=["uniform", "quadratic", "logsnr"])
    parser.add_argument("--start", default="predicted", choices=["predicted", "sr", "noise"])
    parser.add_argument("--no-weight-map", action="store_true")
    parser.add_argument("--out", required=True, help=".npy float32 [N,3,H,W]")
    args = parser.parse_args()
    if (args.noise is None) == (args.seed is None):
        parser.error("give either --noise or --seed")
    model, lr = Model(args.model), read_low(args.lr)
    if args.noise:
        noise = torch.from_numpy(np.load(args.noise)).float()
    else:
        t = model.schedule.T if args.start == "noise" else args.t
        steps = 1 + (t if args.sampler == "ddpm" else args.nfe)
        shape = (steps, lr.shape[0], 3, lr.shape[2] * model.scale, lr.shape[3] * model.scale)
        noise = torch.from_numpy(np.random.default_rng(args.seed).standard_normal(shape, dtype=np.float32))
    x0 = model.upscale(lr, noise, args.t, args.beta, args.sampler, args.nfe, args.eta, args.grid,
                       args.start, not args.no_weight_map, args.guidance)
    np.save(args.out, x0.numpy())


if __name__ == "__main__":
    main()
