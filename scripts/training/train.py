#!/usr/bin/env python3
"""Trains one of the three networks. The run folder holds everything needed to go on or to export.

    train.py regressor  --config configs/faces-x8.json --data train.tar --out runs/regressor
    train.py weight-map --config ... --data ... --out runs/weight-map --regressor runs/regressor
    train.py denoiser   --config ... --data ... --out runs/denoiser   (--regressor if it is conditioned on x_sr)

--resume continues from the run's checkpoint.pt; --initial starts from the weights of a model folder.
Ctrl-C or SIGTERM writes a checkpoint and ends.
"""
import argparse
import contextlib
import json
import math
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from needs import need

need("torch", "numpy", "PIL")

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

from adversarial import AdversarialLoss  # noqa: E402
from configuration import read_config  # noqa: E402
from contrast import weight_target  # noqa: E402
from cpu import cpu_trains_in_bf16  # noqa: E402
from data import Faces, load_framed, load_images, queued, to_bytes, to_unit  # noqa: E402
from diffusion import Schedule, bicubic, condition_of, intermediate_state, per_image, target_of, x0_of  # noqa: E402
from folders import file_of, read_manifest, run_of  # noqa: E402
from fused_norm import fuse_norms  # noqa: E402
from muon import Muon  # noqa: E402
from networks import build, grow, parameters, stored  # noqa: E402
from perceptual import PerceptualDistance  # noqa: E402
from photos import Photos, load_photos  # noqa: E402
from plots import loss_curve, sheet  # noqa: E402
from reference import sample, step_grid  # noqa: E402
from teacher import Span  # noqa: E402
from winograd import use_winograd  # noqa: E402

DEFAULTS = {
    "images": 100000,           # budget, unless --max-images or --max-minutes is given
    "batch": 16, "lr": 5e-4, "weight_decay": 0.0, "betas": [0.9, 0.99], "grad_clip": 1.0,
    "warmup": 200,              # steps
    "decay_from": 0.5,          # fraction of the budget at which the rate starts down a cosine to 0
    "ema": 0.999, "bf16": True,  # bf16 on a CPU only where it takes less time than float32 (cpu.py)
    "optimizer": "adamw",       # adamw | muon (muon.py)
    "loss": "mse",              # of the regressor: mse | log
    "teacher": 0.0,             # of the regressor: share of what --teacher draws in what is fitted
    "perceptual": 0.0,          # of the denoiser: weight of the distance of x̂_0 in the space of --features
    "sampled": {},              # of the denoiser: states that the sampler itself made (SAMPLED)
    "channels_last": "always", "compile": "cuda",  # never | cuda | always
    "fused_norms": True,        # on a CPU, in bf16: one pass for a group norm and its SiLU (fused_norm.py)
    "winograd": True,           # on a CPU, in float32: 3x3 convolutions with a quarter of the multiplications (winograd.py)
    "flip": True, "shift": 0, "grey": 0.0, "scale": [1.0, 1.0], "moved": 0.5,  # what else is done to images (data.py)
    "checkpoint_minutes": 3, "sheet_minutes": 6, "seed": 0,
    "val_images": 256, "val_minutes": 3,  # the loss on the first held-out images, by the averaged weights
}

# A denoiser learns from states of the truth and is given those of x_sr, and of its own estimates from the second step
# on. A share of the images is therefore taken from x_sr by equation (1) with `beta`, and through some of the steps that
# one of `nfe` evaluations from t make. There the truth is not what x_t says, so that the squared error alone would teach
# the mean of what may be: it has a small weight beside the perceptual distance. Where much may be, as with faces enlarged
# eight times, the distance teaches a mean too; `adversarial` adds the slope of a discriminator's verdict, so many times
# as long as that of the others together.
SAMPLED = {"share": 0.0, "t": 300, "beta": 0.95, "nfe": [4], "grid": "quadratic", "mse": 0.3, "perceptual": 2.0,
           "adversarial": 0.0, "discriminator_lr": 4e-4, "discriminator_warmup": 200}


def atomic_save(value, path: str):
    torch.save(value, path + ".part")
    os.replace(path + ".part", path)


def load_regressor(folder: str, config: dict, device):
    """The regressor of a run folder (its averaged weights) or of a model folder, ready for inference."""
    checkpoint = os.path.join(folder, "checkpoint.pt")
    if os.path.exists(checkpoint):
        state = torch.load(checkpoint, map_location="cpu")
        network = build("regressor", state["config"][state["kind"]]["architecture"])
        network.load_state_dict(state["ema"])
    elif os.path.exists(os.path.join(folder, "manifest.json")):
        manifest = read_manifest(folder)  # its regressor may be of another architecture than the config's
        section = manifest.get("training", {}).get("config", {}).get("regressor", config["regressor"])
        network = stored(file_of(folder, manifest, "regressor"), "regressor", section["architecture"])
    else:
        raise SystemExit(f"{folder} holds neither checkpoint.pt nor manifest.json: not a run, not a model folder")
    return network.to(device).eval().requires_grad_(False)


def wanted(settings: dict, setting: str, device) -> bool:
    return settings[setting] in ("always", device.type)


def compiles(settings: dict, device) -> bool:
    return wanted(settings, "compile", device) and hasattr(torch, "compile")


def differences(before, now, name: str = "") -> list:
    """In words, where two objects of a config differ."""
    if isinstance(before, dict) and isinstance(now, dict):
        return [line for key in sorted(before.keys() | now.keys())
                for line in differences(before.get(key), now.get(key), f"{name}.{key}" if name else key)]
    told = ["its default" if value is None else json.dumps(value) for value in (before, now)]
    return [] if before == now else [f"{name} {told[0]}, not {told[1]}"]


def fixed_in(config: dict, kind: str) -> dict:
    """What a run cannot change on its way: what its network is and is trained for. `training` may change, and
    the calibration is no matter of training."""
    section = {key: value for key, value in config[kind].items() if key not in ("training", "calibration")}
    whole = {"scale": config["scale"], kind: section}
    if kind == "denoiser":
        whole.update(schedule=config["schedule"], parameterisation=config["parameterisation"],
                     condition=condition_of(config))
    return whole


def learning_rate(settings: dict, step: int, progress: float) -> float:
    rate = settings["lr"] * min(1.0, (step + 1) / settings["warmup"])
    start = settings["decay_from"]
    if progress > start:
        rate *= 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - start) / (1 - start))))
    return rate


class Task:
    """What a network is fitted to. What it trains beside the network takes its step after each batch, tells figures for
    the log and is kept in the checkpoint."""

    regressor = None  # the final one, of a network that is trained behind it
    teacher = None  # a finished network that draws what is fitted

    def step(self):
        pass

    def figures(self) -> dict:
        return {}

    def state(self) -> dict:
        return {}

    def restore(self, state: dict):
        pass


def squared_errors(images, truth):
    """[N], the mean of each image."""
    return ((images - truth) ** 2).mean(dim=(1, 2, 3))


class RegressorTask(Task):
    """Mean squared error; with "loss": "log" the logarithm of each image's.

    Then a crop counts as the decibels of its PSNR do. By plain MSE one of text, or a damaged one, has several times the
    gradient of others: where three fifths of the crops are damaged and a tenth is text, 4,800 crops taught 0.16 dB
    less for clean inputs.

    A teacher's picture is nearer to the mean of what may be than the truth is, so that it leaves less chance in the slope.
    It draws from the truth's own reduction, also where `low` is damaged: the mean of its pictures over what may have been
    damaged so is what a regressor is to draw. Where it is farther from the truth than the regressor it has no say."""

    def __init__(self, config, args, device):
        settings = {**DEFAULTS, **config["regressor"].get("training", {})}
        self.log, self.share = settings["loss"] == "log", settings["teacher"]
        if self.share > 0:
            if not args.teacher:
                raise SystemExit("the config's \"teacher\" needs --teacher FILE.param, a SPAN x4 of ncnn (teacher.py)")
            if config["scale"] != 4:
                raise SystemExit("a teacher enlarges four times; the config's scale is another")
            self.teacher = Span(args.teacher).to(device, memory_format=torch.channels_last).eval().requires_grad_(False)

    @torch.no_grad()
    def lesson(self, low, high):
        """What the teacher draws, [N,3,H,W] in [-1,1]."""
        clean = to_unit(to_bytes(bicubic(high, low.shape[2:])))
        return self.teacher(clean.to(memory_format=torch.channels_last)).clamp(-1, 1)

    def loss(self, network, low, high, generator):
        drawn = network(low)
        errors = squared_errors(drawn, high)
        missed = errors
        if self.teacher is not None and torch.is_grad_enabled():
            taught = self.lesson(low, high)
            share = self.share * (squared_errors(taught, high) < errors).float()
            missed = squared_errors(drawn, high + per_image(share) * (taught - high))
        # 3e-4 is 41 dB, from where on it does not matter. The value that is reported stays the mean squared error.
        weights = 0.02 / (errors.detach() + 3e-4) if self.log else torch.ones_like(errors)
        slope = (weights * missed).mean()
        return slope + (errors.mean() - slope).detach()

    @torch.no_grad()
    def columns(self, network, low, high):
        return [("bicubic", bicubic(low, high.shape[2:])), ("regressor", network(low)), ("truth", high)]


class WeightMapTask(Task):
    def __init__(self, config, args, device):
        if not args.regressor:
            raise SystemExit("weight-map needs --regressor FOLDER, the final regressor's run or model folder")
        self.regressor = load_regressor(args.regressor, config, device)
        self.contrast = config["weight_map"]["contrast"]

    def pair(self, low, high):
        with torch.no_grad():
            x_sr = self.regressor(low).clamp(-1, 1)
            return x_sr, weight_target(high, x_sr, self.contrast)

    def loss(self, network, low, high, generator):
        x_sr, target = self.pair(low, high)
        return F.mse_loss(network(x_sr), target)

    @torch.no_grad()
    def columns(self, network, low, high):
        x_sr, target = self.pair(low, high)
        return [("x_sr", x_sr), ("W", 2 * network(x_sr) - 1), ("target", 2 * target - 1), ("truth", high)]


def noise_like(images, generator):
    """Normal noise of the images' shape, on a GPU by its own generator."""
    return torch.randn(images.shape, generator=None if images.is_cuda else generator, device=images.device)


class DenoiserTask(Task):
    def __init__(self, config, args, device):
        self.schedule = Schedule(**config["schedule"])
        self.parameterisation = config["parameterisation"]
        section = config["denoiser"]
        self.levels = section.get("noise_levels", {"dense_t": 0, "dense_fraction": 0.0})
        self.min_snr = section.get("min_snr_gamma", 0.0)
        self.l1 = section.get("loss", "l2") == "l1"
        self.residual_std = section["architecture"].get("residual_std", 0.0)
        if self.residual_std > 0 and self.parameterisation != "x0":
            raise SystemExit("a denoiser with residual_std returns x0: set parameterisation to x0")
        settings = {**DEFAULTS, **section.get("training", {})}
        self.perceptual, self.sampled = settings["perceptual"], {**SAMPLED, **settings["sampled"]}
        unknown = set(self.sampled) - set(SAMPLED)
        if unknown:
            raise SystemExit(f"unknown setting of the denoiser's sampled states: {', '.join(sorted(unknown))}")
        self.distance = None
        if self.perceptual > 0 or self.sampled["share"] * self.sampled["perceptual"] > 0:
            if not args.features:
                raise SystemExit("the config's perceptual loss needs --features FILE.pt, the maps that feature_maps.py makes")
            self.distance = PerceptualDistance(args.features, device)
        self.adversarial = None
        if self.sampled["share"] * self.sampled["adversarial"] > 0:
            if self.sampled["perceptual"] <= 0:
                raise SystemExit("the adversarial loss of sampled states needs a perceptual one beside it")
            self.adversarial = AdversarialLoss(self.distance, self.sampled["discriminator_lr"],
                                               self.sampled["discriminator_warmup"], device)
        if condition_of(config) == "x_sr":
            if not args.regressor:
                raise SystemExit("a denoiser conditioned on x_sr needs --regressor FOLDER, the final regressor's run "
                                 "or model folder")
            self.regressor = load_regressor(args.regressor, config, device)
            # Compiled for the batches of training, not again for those of samples and held-out images.
            self.trained_beside = torch.compile(self.regressor) if compiles(settings, device) else self.regressor
        # An aligned image comes back every epoch with the same x_sr; on a CPU that is worth keeping. Crops and
        # images that were moved or made grey hardly ever come back, and keeping them would fill the memory.
        returns = "crops" not in config and all(settings[name] == DEFAULTS[name] for name in ("shift", "grey", "scale"))
        self.known = {} if device.type == "cpu" and returns else None

    def condition(self, low, size):
        """What the denoiser is given beside x_t, as at inference: bicubic or x_sr, clamped to [-1,1]."""
        if self.regressor is None:
            return bicubic(low, size).clamp(-1, 1)
        regressor = self.trained_beside if torch.is_grad_enabled() else self.regressor
        with torch.no_grad():
            if self.known is None:
                return regressor(low).clamp(-1, 1)
            keys = [image.numpy().tobytes() for image in to_bytes(low)]
            new = [i for i, key in enumerate(keys) if key not in self.known]
            if new:
                for i, x_sr in zip(new, to_bytes(self.regressor(low[new]))):
                    self.known[keys[i]] = x_sr.clone()
            return to_unit(torch.stack([self.known[key] for key in keys]))

    def draw_levels(self, count: int, generator):
        """sqrt(alpha_bar) in float64, continuous as in SR3: uniform between two neighbouring steps.

        A share `dense_fraction` of the steps is dense_t u^dense_power with uniform u, the others are uniform
        in 1..T. With a power of 2 the dense ones lie as the quadratic grid's from dense_t."""
        u = torch.rand(3, count, generator=generator, dtype=torch.float64)
        dense = u[0] < self.levels["dense_fraction"]
        t = torch.where(dense, self.levels["dense_t"] * u[1] ** self.levels.get("dense_power", 1.0),
                        self.schedule.T * u[1]).long() + 1
        root = self.schedule.alpha_bar.sqrt()
        return root[t] + (root[t - 1] - root[t]) * u[2]

    def loss(self, network, low, high, generator):
        # Held-out images are judged by the states of the truth alone, so that runs can be compared.
        own = round(self.sampled["share"] * len(high)) if torch.is_grad_enabled() else 0
        total = own * self.loss_of_sampled(network, low[:own], high[:own], generator) if own > 0 else 0.0
        if own < len(high):
            total = total + (len(high) - own) * self.loss_of_truth(network, low[own:], high[own:], generator)
        return total / len(high)

    def sampled_state(self, network, condition, generator):
        """x_t as the sampler makes it and its level [N], after a random number of its steps, none of them too."""
        settings = self.sampled
        counts = settings["nfe"]
        nfe = counts[int(torch.randint(len(counts), (1,), generator=generator))]
        grid = step_grid(self.schedule, settings["t"], nfe, settings["grid"])
        steps = int(torch.randint(nfe, (1,), generator=generator))
        noise = noise_like(condition, generator)
        x = intermediate_state(condition, noise, float(self.schedule.alpha_bar[grid[0]]), settings["beta"])
        with torch.no_grad():
            x = sample(network, self.schedule, self.parameterisation, condition, x, grid[:steps + 1], "ddim")
        return x, self.schedule.alpha_bar[grid[steps]].sqrt().expand(len(x)).to(x.device)

    def loss_of_sampled(self, network, low, high, generator):
        """Of x_t that the sampler makes. The squared error counts alike at every level, in units of what x_sr lacks."""
        condition = self.condition(low, high.shape[2:])
        x_t, level = self.sampled_state(network, condition, generator)
        output = network(condition, x_t, level.float())
        x_0 = x0_of(self.parameterisation, output.double(), x_t.double(), level).float()
        error = self.sampled["mse"] * squared_errors(x_0, high) / (self.residual_std or 1.0) ** 2
        if self.sampled["perceptual"] > 0:
            with torch.no_grad():
                real = self.distance.units(high)
            drawn = self.distance.units(x_0)
            error = error + self.sampled["perceptual"] * self.distance.between(drawn, real)
        error = error.mean()
        if self.adversarial is not None:
            error = error + self.adversarial_part(error, x_0, drawn, real, condition)
        return error

    def adversarial_part(self, error, x_0, drawn, real, condition):
        """0, with the discriminator's slope at x_0, whose length is set by that of the error. `drawn` and `real` are the
        perceptual distance's units of x_0 and of the truth."""
        own, = torch.autograd.grad(error, x_0, retain_graph=True)
        slope, trust = self.adversarial.pull(x_0, drawn, real, condition)
        weight = trust * self.sampled["adversarial"] * own.norm() / slope.norm().clamp(min=1e-12)
        return ((x_0 - x_0.detach()) * (weight * slope)).sum()

    def step(self):
        if self.adversarial is not None:
            self.adversarial.step()

    def figures(self) -> dict:
        return {} if self.adversarial is None else {"discriminator": round(self.adversarial.told, 4)}

    def state(self) -> dict:
        return {} if self.adversarial is None else {"adversarial": self.adversarial.state()}

    def restore(self, state: dict):
        if self.adversarial is not None and "adversarial" in state:
            self.adversarial.restore(state["adversarial"])

    def loss_of_truth(self, network, low, high, generator):
        """Of x_t that the truth makes."""
        level = self.draw_levels(len(high), generator)
        eps = noise_like(high, generator)
        level = queued(level, high.device)
        alpha, sigma = level.float(), (1 - level ** 2).sqrt().float()
        x_t = per_image(alpha) * high + per_image(sigma) * eps
        condition = self.condition(low, high.shape[2:])
        output = network(condition, x_t, alpha)
        target = target_of(self.parameterisation, high, eps, level).float()
        error = (output - target).abs() if self.l1 else (output - target) ** 2
        error = error.mean(dim=(1, 2, 3))
        if self.residual_std > 0:  # every noise level counts alike, as in the paper of `scales`
            c_out = self.residual_std * sigma / (sigma ** 2 + (self.residual_std * alpha) ** 2).sqrt()
            error = error / (c_out if self.l1 else c_out ** 2)
        if self.min_snr > 0:
            snr = (alpha / sigma) ** 2
            divisor = {"eps": snr, "x0": torch.ones_like(snr), "v": snr + 1}[self.parameterisation]
            error = error * snr.clamp(max=self.min_snr) / divisor
        if self.perceptual > 0:
            x_0 = x0_of(self.parameterisation, output, x_t, level)
            error = error + self.perceptual * self.distance(x_0, high)
        return error.mean()

    @torch.no_grad()
    def columns(self, network, low, high):
        condition = self.condition(low, high.shape[2:])
        noise = torch.randn(high.shape, generator=torch.Generator().manual_seed(1)).to(high.device)
        t = min(300, self.schedule.T)
        level = self.schedule.alpha_bar[t].sqrt().expand(len(high)).to(high.device)
        x_t = (per_image(level) * high + per_image((1 - level ** 2).sqrt()) * noise).float()
        x0 = x0_of(self.parameterisation, network(condition, x_t, level.float()), x_t, level.float())
        grid = step_grid(self.schedule, self.schedule.T, 20, "quadratic")
        full = sample(network, self.schedule, self.parameterisation, condition, noise, grid, "ddim")
        return [("condition", condition), (f"x_{t}", x_t), ("its x0", x0), ("20 from noise", full),
                ("truth", high)]


TASKS = {"regressor": RegressorTask, "weight_map": WeightMapTask, "denoiser": DenoiserTask}


class Trainer:
    def __init__(self, args):
        self.args, self.kind = args, args.network.replace("-", "_")
        self.config = read_config(args.config)
        self.settings = {**DEFAULTS, **self.config[self.kind].get("training", {})}
        unknown = set(self.settings) - set(DEFAULTS)
        if unknown:
            raise SystemExit(f"{args.config}: unknown training setting {', '.join(sorted(unknown))}")
        self.device = torch.device(args.device or ("cuda" if torch.cuda.is_available() else "cpu"))
        if self.device.type == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
            torch.backends.cudnn.benchmark = True
        os.makedirs(args.out, exist_ok=True)
        torch.manual_seed(self.settings["seed"])
        layout = self.layout()
        self.network = build(self.kind, self.config[self.kind]["architecture"]).to(self.device, memory_format=layout)
        self.ema = build(self.kind, self.config[self.kind]["architecture"]).to(self.device, memory_format=layout)
        self.ema.load_state_dict(self.network.state_dict())
        self.ema.eval().requires_grad_(False)
        self.trains_in_bf16 = self.settings["bf16"] and (self.device.type == "cuda" or cpu_trains_in_bf16())
        self.speed_up(self.network)
        self.optimizer = self.make_optimizer()
        self.steps = self.images = self.warm_from = 0
        self.seconds = 0.0
        self.task_state = {}
        self.grown_from = None  # the model whose smaller network this one began with
        self.curve = []
        self.stop = False
        held = os.path.exists(self.path("checkpoint.pt"))
        if args.resume and held:
            self.resume()
        elif held:
            raise SystemExit(f"{args.out} already holds a run: --resume it or choose another folder")
        elif args.initial:
            self.start_from(args.initial)
        if self.images > 0:  # a new leg must not draw the numbers of the first again; CUDA's generator is seeded too
            torch.manual_seed(self.settings["seed"] + self.images)
        with open(self.path("config.json"), "w") as file:
            json.dump(self.config, file, indent=2)

    def path(self, name: str) -> str:
        return os.path.join(self.args.out, name)

    def layout(self):
        return torch.channels_last if wanted(self.settings, "channels_last", self.device) else torch.contiguous_format

    def make_optimizer(self):
        name, lr, betas = self.settings["optimizer"], self.settings["lr"], tuple(self.settings["betas"])
        if name == "muon":
            return Muon(self.network.parameters(), lr, betas)
        if name != "adamw":
            raise SystemExit(f"{self.args.config}: the optimizer {name!r} is neither adamw nor muon")
        return torch.optim.AdamW(self.network.parameters(), lr=lr, betas=betas,
                                 weight_decay=self.settings["weight_decay"], **self.fused())

    def fused(self) -> dict:
        """The one-pass optimiser where this torch has it for the device."""
        try:
            probe = torch.nn.Parameter(torch.zeros(1, device=self.device))
            probe.grad = torch.zeros_like(probe)
            torch.optim.AdamW([probe], fused=True).step()
            return {"fused": True}
        except (RuntimeError, TypeError):
            return {}

    def resume(self):
        state = torch.load(self.path("checkpoint.pt"), map_location="cpu")
        if state["kind"] != self.kind:
            raise SystemExit(f"{self.args.out}: holds a run of the {state['kind']}, not of the {self.kind}")
        changed = differences(fixed_in(state["config"], self.kind), fixed_in(self.config, self.kind))
        if changed:
            raise SystemExit(f"{self.args.out}: cannot go on with {self.args.config}, it was trained with "
                             f"{'; '.join(changed)}")
        self.network.load_state_dict(state["network"])
        self.ema.load_state_dict(state["ema"])
        self.steps, self.images, self.seconds = state["steps"], state["images"], state["seconds"]
        self.warm_from = state.get("warm_from", 0)
        if not self.restore_optimizer(state["optimizer"]):
            self.warm_from = self.steps
        self.task_state = state.get("task", {})
        self.grown_from = state.get("grown_from")
        self.curve = [tuple(point) for point in state["curve"]]
        print(f"resuming after {self.images} images, {self.seconds / 60:.1f} minutes", file=sys.stderr)

    def restore_optimizer(self, state: dict) -> bool:
        """False where it starts anew: of a run that came from another machine by rented.py, as its averaged weights alone,
        and of one that had another optimiser."""
        if not state:
            return False
        try:
            self.optimizer.load_state_dict(state)
        except ValueError:
            print("the run had another optimiser; this one starts anew", file=sys.stderr)
            return False
        for group in self.optimizer.param_groups:  # the state brought the last leg's
            group.update(betas=tuple(self.settings["betas"]), weight_decay=self.settings["weight_decay"])
        return True

    def start_from(self, folder: str):
        """The weights of a model folder, which are averages, and its counts; the optimiser starts anew.

        A denoiser or weight map of a smaller architecture lends what it has learned (`grow`); counts start anew."""
        manifest = read_manifest(folder)
        path = file_of(folder, manifest, self.kind)
        ours = self.config[self.kind]["architecture"]
        theirs = manifest.get("training", {}).get("config", {}).get(self.kind, {}).get("architecture", ours)
        try:
            network = stored(path, self.kind, theirs)
            if theirs != ours:
                grow(network, self.network)
                self.ema.load_state_dict(self.network.state_dict())
                self.grown_from = (f"{manifest['name']} {manifest['version']}, {parameters(network) / 1e6:.2f} M "
                                   f"parameters after {run_of(manifest, self.kind)['images']} images")
                print(f"grown from {path}, {parameters(network) / 1e6:.2f} M parameters", file=sys.stderr)
                return
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise SystemExit(f"{path}: no {self.kind} of the config's architecture to start from: {error}")
        for copy in (self.network, self.ema):
            copy.load_state_dict(network.state_dict())
        run = run_of(manifest, self.kind)
        self.steps, self.images, self.seconds = run["steps"], run["images"], run["seconds"]
        self.warm_from, self.grown_from = self.steps, run.get("grown_from")
        print(f"starting from {path} after {self.images} images, {self.seconds / 60:.1f} minutes", file=sys.stderr)

    def diverged(self, what: str) -> SystemExit:
        """The last words of a run whose numbers are lost: what is left of it, and what to do."""
        path = self.path("checkpoint.pt")
        remedy = (f"{path} stands as it was: lower the config's lr and go on from it with --resume"
                  if os.path.exists(path) else "no checkpoint was written: start again with a lower lr in the config")
        return SystemExit(f"{what} not finite; {remedy}")

    def checkpoint(self):
        cpu = lambda network: {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
        network, ema = cpu(self.network), cpu(self.ema)
        # The loss is looked at only in reports, and a run may diverge after its last one.
        for value in (*network.values(), *ema.values()):
            if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                raise self.diverged("the weights are")
        atomic_save({"kind": self.kind, "config": self.config, "network": network, "ema": ema,
                     "optimizer": self.optimizer.state_dict(), "steps": self.steps, "images": self.images,
                     "seconds": self.seconds, "warm_from": self.warm_from, "curve": self.curve,
                     "grown_from": self.grown_from, "task": self.task.state(),
                     "torch": str(torch.__version__)},
                    self.path("checkpoint.pt"))
        loss_curve(self.path("loss.png"), self.curve, self.kind)

    def progress(self) -> float:
        """Fraction of the budget spent: minutes of all legs together if given, else images."""
        if self.args.max_minutes:
            return self.seconds / (60 * self.args.max_minutes)
        return self.images / (self.args.max_images or self.settings["images"])

    def speed_up(self, network):
        """What this project has compiled for a CPU takes the place of PyTorch's operators."""
        if self.device.type != "cpu":
            return
        setting, replace = ("fused_norms", fuse_norms) if self.trains_in_bf16 else ("winograd", use_winograd)
        if self.settings[setting]:
            replace(network)

    def autocast(self):
        if self.trains_in_bf16:
            return torch.autocast(self.device.type, dtype=torch.bfloat16, cache_enabled=self.pool is None)
        return contextlib.nullcontext()

    def start_workers(self):
        """On the CPU each core takes its share of the batch: threads that meet once a step lose far
        less to other busy processes than threads that meet in every layer."""
        workers = self.args.workers or (torch.get_num_threads() if self.device.type == "cpu" else 1)
        seed = self.settings["seed"] + self.images + 1
        self.generators = [torch.Generator().manual_seed(seed + 1000003 * k) for k in range(workers)]
        self.pool = None
        if workers > 1:
            torch.set_num_threads(1)
            self.pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))

    def backward(self, network, low, high):
        """Adds the gradients of one batch and returns its loss."""
        def part(low, high, generator):
            with self.autocast():
                loss = self.task.loss(network, low, high, generator) * (len(low) / total)
            loss.backward()
            return loss.detach()

        total = len(low)
        if self.pool is None:
            return part(low, high, self.generators[0])
        count = len(self.generators)
        return sum(self.pool.map(part, low.tensor_split(count), high.tensor_split(count), self.generators))

    def update_ema(self):
        decay = min(self.settings["ema"], (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            averages = list(self.ema.parameters())
            torch._foreach_mul_(averages, decay)
            torch._foreach_add_(averages, list(self.network.parameters()), alpha=1 - decay)

    def sources(self):
        """Where batches come from, one batch for the sample sheet, and one held out or None."""
        scale, size, shown = self.config["scale"], self.config["native_size"], 8
        count = max(shown, self.settings["val_images"])
        if "crops" not in self.config:
            images, sides = load_framed(self.args.data, size, self.args.limit)
            options = {name: self.settings[name] for name in ("flip", "shift", "grey", "scale", "moved")}
            faces = Faces(images, scale, self.device, self.settings["seed"], sides=sides, size=size, **options)
            held_out = Faces(load_images([self.args.val if self.args.val else self.args.data[0]], size, count),
                             scale, self.device, flip=False)
            pairs = to_unit(held_out.low), to_unit(held_out.images)
            return faces, [images[:shown] for images in pairs], pairs if self.args.val else None
        crop = self.config["crops"][self.kind]
        photos = load_photos(self.args.data, crop, self.args.limit)
        source = Photos(photos, scale, crop, self.device, self.settings["seed"], self.config.get("damage"),
                        self.config.get("text", 0.0))
        if not self.args.val:
            return source, Photos(photos, scale, crop, self.device).batch(0, shown), None
        held_out = load_photos([self.args.val], size)
        return (source, Photos(held_out, scale, size, self.device).batch(0, shown),
                Photos(held_out, scale, crop, self.device).batch(0, count))

    def run(self):
        source, self.sheet_batch, self.held_out = self.sources()
        self.task = TASKS[self.kind](self.config, self.args, self.device)
        for finished in (self.task.regressor, self.task.teacher):
            if finished is not None:
                self.speed_up(finished)
        self.task.restore(self.task_state)
        compiled = compiles(self.settings, self.device)
        run_network = torch.compile(self.network) if compiled else self.network
        layout = self.layout()
        batch = self.args.batch or self.settings["batch"]
        if not self.args.max_minutes:  # a budget below one batch is kept, not overdrawn
            batch = max(1, min(batch, (self.args.max_images or self.settings["images"]) - self.images))
        print(f"{self.kind}: {parameters(self.network) / 1e6:.2f} M parameters, {source.count} images, "
              f"batch {batch}, {self.device}, {'bf16' if self.trains_in_bf16 else 'float32'}, torch {torch.__version__}", file=sys.stderr, flush=True)
        self.start_workers()
        self.network.train()
        mark = saved = sheeted = tested = reported = time.time()
        total, count, first = 0.0, 0, self.images
        while self.progress() < 1 and not self.stop:
            rate = learning_rate(self.settings, self.steps - self.warm_from, self.progress())
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            low, high = source.batch(self.images, batch)
            loss = self.backward(run_network, low.contiguous(memory_format=layout),
                                 high.contiguous(memory_format=layout))
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings["grad_clip"])
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            self.task.step()
            self.update_ema()
            self.steps += 1
            self.images += batch
            total, count = total + loss, count + 1
            now = time.time()
            self.seconds += now - mark
            mark = now
            if now - reported > (1 if sys.stderr.isatty() else 20):
                self.tell(total, rate, count, batch, now - reported)
                total, count, reported = 0.0, 0, now
            if now - saved > 60 * self.settings["checkpoint_minutes"]:
                self.checkpoint()
                saved = time.time()
            if now - sheeted > 60 * self.settings["sheet_minutes"]:
                self.samples()
                sheeted = time.time()
            if now - tested > 60 * self.settings["val_minutes"]:
                self.test()
                tested = time.time()
        if count:
            self.tell(total, rate, count, batch, time.time() - reported)
        self.checkpoint()
        self.test()
        self.samples()
        print(f"\n{'stopped' if self.stop else 'finished'}: {self.images - first} images in this leg, "
              f"{self.images} in all, {self.seconds / 60:.1f} minutes", file=sys.stderr)

    def log(self, **values):
        with open(self.path("log.jsonl"), "a") as file:
            file.write(json.dumps({"steps": self.steps, "images": self.images, **values,
                                   "minutes": round(self.seconds / 60, 2)}) + "\n")

    @torch.no_grad()
    def test(self):
        """The averaged network's loss on held-out images: the same noise and levels every time. Where it
        rises while the training's falls, the network learns its images by heart."""
        if self.held_out is None:
            return
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(1)
            generator = torch.Generator().manual_seed(1)
            parts = zip(*(images.split(32) for images in self.held_out))
            loss = sum(float(self.task.loss(self.ema, low, high, generator)) * len(low) for low, high in parts)
        loss /= len(self.held_out[0])
        self.log(val_loss=round(loss, 6))
        print(f"{self.kind}: loss {loss:.5f} on {len(self.held_out[0])} held-out images", file=sys.stderr, flush=True)

    def tell(self, total, rate: float, count: int, batch: int, seconds: float):
        mean = float(total) / count
        if not math.isfinite(mean):
            raise self.diverged("the loss is")
        self.report(mean, rate, count * batch / max(seconds, 1e-3))

    def report(self, loss: float, rate: float, speed: float):
        self.curve.append((self.images, loss))
        done = min(1.0, self.progress())  # the last batch may go beyond the budget
        self.log(loss=round(loss, 6), lr=rate, **self.task.figures())
        bar = "#" * int(24 * done)
        end = "\r" if sys.stderr.isatty() else "\n"
        print(f"{self.kind} [{bar:<24}] {100 * done:5.1f}%  {self.images} images  loss {loss:.5f}  "
              f"lr {rate:.1e}  {speed:.0f} images/s", end=end, file=sys.stderr, flush=True)

    def samples(self):
        try:
            sheet(self.path("samples.png"), self.task.columns(self.ema, *self.sheet_batch), self.config["native_size"])
        except OSError as error:  # a full disk must not end a training run
            print(f"no sample sheet: {error}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=["regressor", "weight-map", "denoiser"])
    parser.add_argument("--config", required=True)
    parser.add_argument("--data", required=True, nargs="+", help="folders or .tar files of images")
    parser.add_argument("--val", help="folder or .tar file of held-out images: sample sheet and val_loss")
    parser.add_argument("--out", required=True, help="run folder")
    parser.add_argument("--regressor", help="run or model folder of the regressor (weight-map, and a denoiser on x_sr)")
    parser.add_argument("--features", help="the maps of a perceptual loss, a file of feature_maps.py (denoiser)")
    parser.add_argument("--teacher", help="a SPAN x4 of ncnn, its .param file (regressor; teacher.py)")
    parser.add_argument("--resume", action="store_true", help="continue the run, if there is one")
    parser.add_argument("--initial", help="model folder to start from, where there is no run to resume")
    parser.add_argument("--max-minutes", type=float, help="budget of all legs together, instead of images")
    parser.add_argument("--max-images", type=int, help="budget in images, instead of the config's")
    parser.add_argument("--batch", type=int, help="batch size, instead of the config's")
    parser.add_argument("--limit", type=int, default=0, help="use the first N images only")
    parser.add_argument("--device")
    parser.add_argument("--workers", type=int, help="threads that share a batch (default: the cores on a CPU)")
    trainer = Trainer(parser.parse_args())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: setattr(trainer, "stop", True))
    trainer.run()


if __name__ == "__main__":
    main()
