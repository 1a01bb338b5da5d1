#!/usr/bin/env python3
"""Checks the training code in about a minute, on random images; needs torch, numpy and Pillow."""
import json
import math
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from needs import need  # noqa: E402

need("torch", "numpy", "PIL")

import numpy as np  # noqa: E402
import torch  # noqa: E402

from contrast import METHODS  # noqa: E402
from data import to_bytes  # noqa: E402
from diffusion import Schedule, intermediate_state, target_of, x0_of  # noqa: E402
from flatten import flattened, named_as  # noqa: E402
from fused_norm import cpu_trains_in_bf16, fuse_norms  # noqa: E402
from networks import build, grow, parameters  # noqa: E402
from photos import Photos  # noqa: E402
from reference import Model, step_grid  # noqa: E402

CONFIGS = os.path.join(HERE, "..", "..", "configs")


def sr3_names():
    """The parameter names of the public SR3 U-Net at 16 -> 128 px, written out from its layout."""
    names = {f"noise_level_mlp.{i}.{p}" for i in (1, 3) for p in ("weight", "bias")}

    def conv(prefix):
        names.update({f"{prefix}.weight", f"{prefix}.bias"})

    def stage(prefix, project, attention):
        for part in ("block1.block.0", "block1.block.3", "block2.block.0", "block2.block.3",
                     "noise_func.noise_func.0") + (("res_conv",) if project else ()):
            conv(f"{prefix}.res_block.{part}")
        if attention:
            conv(f"{prefix}.attn.norm")
            names.add(f"{prefix}.attn.qkv.weight")
            conv(f"{prefix}.attn.out")

    conv("downs.0")
    for level in range(5):
        for k in (1, 2):
            stage(f"downs.{3 * level + k}", k == 1 and level in (1, 2, 3), level == 3)
        if level < 4:
            conv(f"downs.{3 * level + 3}.conv")
    stage("mid.0", False, True)
    stage("mid.1", False, False)
    for level in range(5):  # coarsest first
        for k in range(3):
            stage(f"ups.{4 * level + k}", True, level == 1)
        if level < 4:
            conv(f"ups.{4 * level + 3}.conv")
    conv("final_conv.block.0")
    conv("final_conv.block.3")
    return names


def config(name):
    with open(os.path.join(CONFIGS, name)) as file:
        return json.load(file)


def check_networks():
    paper = config("paper-ffhq-16-128.json")
    denoiser = build("denoiser", paper["denoiser"]["architecture"])
    assert parameters(denoiser) == 97807491, parameters(denoiser)
    difference = set(denoiser.state_dict()) ^ sr3_names()
    assert not difference, sorted(difference)
    weight_map = build("weight_map", paper["weight_map"]["architecture"])
    assert 96e6 < parameters(weight_map) < 98e6, parameters(weight_map)
    faces = config("faces-x8.json")
    assert parameters(build("denoiser", faces["denoiser"]["architecture"])) <= 16e6
    total = sum(parameters(build(kind, faces[kind]["architecture"]))
                for kind in ("regressor", "weight_map", "denoiser"))
    assert 2 * total <= 48 * 2 ** 20, total


def check_precision():
    """The noise level is encoded in float32 whatever the type of the weights."""
    torch.manual_seed(0)
    options = dict(inner=32, widths=[32, 64], res_blocks=1, norm_groups=8, grid=4, head_dim=16)
    for encoding in ("sr3", "logsnr"):
        network = build("denoiser", dict(options, noise_encoding=encoding)).eval()
        for value in network.parameters():
            torch.nn.init.normal_(value, std=0.05)
        inputs = torch.rand(2, 3, 32, 48), torch.rand(2, 3, 32, 48), torch.tensor([0.9, 0.999])
        with torch.no_grad():
            exact = network(*inputs)
            low = network.to(torch.bfloat16)(*inputs)
        assert low.dtype == torch.float32
        error = (low - exact).norm() / exact.norm()
        assert error < 0.05, float(error)


def check_flattened():
    """A flattened network computes the same values at any size, and its weights find their way back."""
    torch.manual_seed(0)
    options = dict(inner=16, widths=[16, 32], res_blocks=1, grid=2, head_dim=8)
    architectures = (
        ("denoiser", dict(options, norm_groups=4, attention=[1], noise_encoding="logsnr", residual_std=0.1)),
        ("denoiser", dict(options, norm_groups=0, mid_attention=False, dropout=0.1)),
        ("weight_map", dict(options, norm_groups=4)),
        ("regressor", dict(scale=4, widths=[8, 16], blocks=1, tail=[8])),
    )
    for kind, architecture in architectures:
        network = build(kind, architecture).eval().requires_grad_(False)
        for value in network.parameters():
            torch.nn.init.normal_(value, std=0.2)
        flat = flattened(network)
        assert len(list(flat.modules())) == 1
        assert "torch.nn.functional" not in flat.code
        for n, h, w in ((1, 8, 8), (2, 16, 24)):
            image = torch.rand(n, 3, h, w)
            inputs = (image, image.flip(3), torch.full((n,), 0.9)) if kind == "denoiser" else (image,)
            assert torch.equal(flat(*inputs), network(*inputs)), kind
        weights = named_as(network, flat.state_dict())
        assert all(torch.equal(weights[name], value) for name, value in network.state_dict().items())
        assert len(weights) == len(network.state_dict())


def check_mathematics():
    schedule = Schedule()
    product, beta = 1.0, lambda i: 1e-6 + (1e-2 - 1e-6) * (i - 1) / 1999
    for i in range(1, 2001):
        product *= 1 - beta(i)
        assert abs(float(schedule.alpha_bar[i]) - product) < 1e-12
    for t, value in ((0, 1.0), (1, 1 - 1e-6), (300, 0.7987)):
        assert abs(float(schedule.alpha_bar[t]) - value) < 5e-5
    x0, eps = torch.randn(3, 3, 8, 8).double(), torch.randn(3, 3, 8, 8).double()
    level = schedule.alpha_bar[torch.tensor([1, 300, 2000])].sqrt()
    x_t = level.view(-1, 1, 1, 1) * x0 + (1 - level ** 2).sqrt().view(-1, 1, 1, 1) * eps
    for kind in ("eps", "x0", "v"):
        assert (x0_of(kind, target_of(kind, x0, eps, level), x_t, level) - x0).abs().max() < 1e-9
    w = torch.rand(3, 1, 8, 8)
    with_map = intermediate_state(x0.float(), eps.float(), 0.7987, 1.0, w)
    assert torch.equal(with_map, intermediate_state(x0.float(), eps.float(), 0.7987, 1.0))
    assert step_grid(schedule, 300, 8) == [300, 263, 225, 188, 150, 113, 75, 38, 0]
    for kind in ("uniform", "quadratic", "logsnr"):
        for t, nfe in ((300, 8), (300, 300), (8, 8), (2000, 50), (1, 1)):
            grid = step_grid(schedule, t, nfe, kind)
            assert grid[0] == t and grid[-1] == 0 and len(grid) == nfe + 1
            assert all(a > b for a, b in zip(grid, grid[1:])), grid
    for method in METHODS.values():
        target = method(torch.rand(2, 1, 32, 32))
        assert target.shape == (2, 1, 32, 32) and 0 <= target.min() and target.max() <= 1


def check_locality():
    """Without attention and group norm a far pixel does not matter, which tiles rely on."""
    torch.manual_seed(0)
    options = dict(inner=16, widths=[16, 32], res_blocks=1, norm_groups=0, mid_attention=False, grid=2)
    for norm, local in ((0, True), (8, False)):
        network = build("denoiser", dict(options, norm_groups=norm)).eval()
        for value in network.parameters():
            torch.nn.init.normal_(value, std=0.05)
        image = torch.rand(2, 1, 3, 16, 160) * 2 - 1
        changed = image.clone()
        changed[..., 150:] *= -1
        level = torch.tensor([0.9])
        with torch.no_grad():
            difference = (network(*image, level) - network(*changed, level)).abs()[..., :32].max()
        assert (float(difference) == 0) == local, (norm, float(difference))


def check_preconditioning():
    """Untrained, the network is the best linear estimate of the residual: no scale and no shift of
    it comes closer to x0 when residual and noise are independent."""
    std = 0.12
    network = build("denoiser", {"inner": 8, "widths": [8, 8], "res_blocks": 1, "norm_groups": 0, "mid_attention": False,
                                 "residual_std": std})
    generator = torch.Generator().manual_seed(1)
    condition, residual, noise = torch.randn(3, 1, 3, 128, 128, generator=generator)
    residual = std * residual
    for level in (0.999, 0.9, 0.3):
        a, s = level, math.sqrt(1 - level ** 2)
        with torch.no_grad():
            x0 = network(condition, a * (condition + residual) + s * noise, torch.tensor([level]))
        error = float(((x0 - condition - residual) ** 2).mean())
        best = 1 / (1 / std ** 2 + (a / s) ** 2)  # the variance that is left of r given r + s/a noise
        assert abs(error / best - 1) < 0.05, (level, error, best)


def check_calibration():
    """Below its level, and there alone, a calibrated network finds more noise; flattened it does too."""
    torch.manual_seed(0)
    network = build("denoiser", dict(inner=8, widths=[8, 8], res_blocks=1, norm_groups=4, residual_std=0.1)).eval()
    for value in network.requires_grad_(False).parameters():
        torch.nn.init.normal_(value, std=0.2)
    condition, x_t = torch.rand(2, 2, 3, 16, 16) * 2 - 1
    level = torch.tensor([0.995, 0.9])  # sqrt(1 - ab) / sqrt(ab) of 0.100 and 0.484
    plain = network(condition, x_t, level)
    network.calibrate(1.05, below=0.2)
    calibrated = network(condition, x_t, level)
    noise = x_t / 0.995 - plain
    assert torch.equal(calibrated[1], plain[1])
    assert (calibrated[0] - (x_t / 0.995 - 1.05 * noise)[0]).abs().max() < 1e-5
    assert torch.equal(flattened(network)(condition, x_t, level), calibrated)


def check_growth():
    """More blocks change nothing at first; a finer level reads what the input convolution read, and what
    cannot be matched is refused."""
    torch.manual_seed(0)
    options = dict(inner=24, widths=[24, 32], res_blocks=1, norm_groups=8, head_dim=16, grid=4, residual_std=0.1)
    small = build("denoiser", dict(options, attention=[1])).eval()
    for value in small.requires_grad_(False).parameters():
        torch.nn.init.normal_(value, std=0.1)
    inputs = torch.rand(2, 3, 32, 48), torch.rand(2, 3, 32, 48), torch.tensor([0.9, 0.5])
    deeper = build("denoiser", dict(options, attention=[1], res_blocks=[2, 3])).eval()
    grow(small, deeper)
    with torch.no_grad():
        assert torch.equal(deeper(*inputs), small(*inputs))
    finer = build("denoiser", dict(options, widths=[24, 24, 32], attention=[2], res_blocks=[0, 1, 1], grid=2)).eval()
    grow(small, finer)
    for name in ("weight", "bias"):
        assert torch.equal(getattr(finer.mid[1].res_block.block1.block[3], name),
                           getattr(small.mid[1].res_block.block1.block[3], name))
    with torch.no_grad():
        # Input that is zero but in the upper left quarter of one coarse cell: all of what that convolution reads of it.
        image = torch.zeros(1, 6, 32, 32)
        image[..., 12:14, 12:14] = torch.rand(2, 2)
        coarse = small.downs[0](torch.nn.functional.pixel_unshuffle(image, 4), None, [])
        fine = finer.downs[1](finer.downs[0](torch.nn.functional.pixel_unshuffle(image, 2), None, []), None, [])
    assert torch.allclose(fine[..., 3, 3], coarse[..., 3, 3], atol=1e-5)
    for other in (dict(options, widths=[24, 40]), dict(options, grid=2), dict(options, grid=8)):
        try:
            grow(small, build("denoiser", other))
        except (RuntimeError, ValueError):
            continue
        raise AssertionError(other)


def check_fused_norms():
    """The compiled norm gives the values and derivatives of PyTorch's, to the precision of bf16."""
    if not cpu_trains_in_bf16():
        return
    torch.manual_seed(0)
    options = dict(inner=32, widths=[32, 48], res_blocks=1, norm_groups=16, head_dim=16, grid=4)
    plain, fused = build("denoiser", options), build("denoiser", options)
    for value in plain.parameters():
        torch.nn.init.normal_(value, std=0.1)
    fused.load_state_dict(plain.state_dict())
    assert fuse_norms(fused) == 18
    assert fused.state_dict().keys() == plain.state_dict().keys()
    inputs = torch.rand(2, 3, 32, 48), torch.rand(2, 3, 32, 48), torch.tensor([0.9, 0.5])
    outputs = []
    for network in (plain, fused):
        outputs.append(network(*inputs))
        outputs[-1].square().mean().backward()
    assert (outputs[0] - outputs[1]).norm() < 0.01 * outputs[0].norm()
    for (name, a), b in zip(plain.named_parameters(), fused.parameters()):
        assert (a.grad - b.grad).norm() <= 0.05 * a.grad.norm() + 1e-6, name


def check_photos():
    """Crops are a function of seed and number, inputs are Pillow's reduction, damage is mild."""
    from PIL import Image
    random = np.random.default_rng(0)
    smooth = [Image.fromarray(random.integers(60, 190, (3, 4, 3), dtype=np.uint8)).resize(size, Image.BICUBIC)
              for size in ((90, 70), (64, 120), (200, 64))]
    clean = Photos(smooth, 4, 64, "cpu", seed=3)
    low, high = clean.batch(10, 6)
    assert low.shape == (6, 3, 16, 16) and high.shape == (6, 3, 64, 64)
    again = Photos(smooth, 4, 64, "cpu", seed=3)
    assert torch.equal(again.batch(13, 3)[1], high[3:])  # a resumed run, or another batch size
    assert not torch.equal(Photos(smooth, 4, 64, "cpu", seed=4).batch(10, 6)[1], high)
    pixels = np.asarray(Image.fromarray(to_bytes(high[0]).permute(1, 2, 0).numpy()).resize((16, 16), Image.BICUBIC))
    assert np.array_equal(to_bytes(low[0]).permute(1, 2, 0).numpy(), pixels)
    assert len({pair[1].tobytes() for pair in map(clean.pair, range(40))}) > 35  # crops and turns differ
    damage = Photos(smooth, 4, 64, "cpu", seed=3, damage={"fraction": 1.0})
    worse = [damage.pair(number) for number in range(40)]
    errors = [np.abs(pair[0].astype(float) - clean.pair(number)[0]).mean() for number, pair in enumerate(worse)]
    assert 0.3 < np.mean(errors) < 8, np.mean(errors)
    assert all(np.array_equal(pair[1], clean.pair(number)[1]) for number, pair in enumerate(worse))


class RoundTrip:
    """The commands on small networks and twelve random images, with all their files in one folder."""

    def __init__(self, folder):
        self.folder = folder
        self.config = config("faces-x8.json")
        self.config["native_size"] = 32
        self.config["regressor"]["architecture"].update(widths=[16, 24], blocks=1, tail=[16, 8])
        unet = dict(inner=16, widths=[16, 32], res_blocks=1, norm_groups=8, grid=4)
        self.config["weight_map"]["architecture"] = dict(unet, norm_groups=0, mid_attention=False)
        self.config["denoiser"]["architecture"] = dict(unet, inner=24, widths=[24, 32], attention=[1],
                                                       noise_encoding="logsnr", residual_std=0.1)
        self.write("config.json", self.config)
        self.write_images()

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, document):
        with open(self.path(name), "w") as file:
            json.dump(document, file)

    def write_images(self):
        from PIL import Image
        os.mkdir(self.path("images"))
        pixels = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
        for i, image in enumerate(pixels):
            Image.fromarray(image).save(self.path("images", f"{i}.png"))

    def run(self, program, *words):
        subprocess.run([sys.executable, os.path.join(HERE, program), *words], check=True, stdout=subprocess.DEVNULL)

    def train(self, kind, out, *options, config="config.json"):
        """Trains into the folder `out` and returns its checkpoint."""
        regressor = [] if kind == "regressor" else ["--regressor", self.path("regressor")]
        self.run("train.py", kind, "--config", self.path(config), "--data", self.path("images"), "--out",
                 self.path(out), "--batch", "4", "--device", "cpu", *regressor, *options)
        return torch.load(self.path(out, "checkpoint.pt"), map_location="cpu")

    def export(self, out, denoiser, *options, config="config.json"):
        self.run("export.py", "--run-denoiser", self.path(denoiser), "--config", self.path(config), "--out",
                 self.path(out), *options)

    def train_and_export(self):
        """Returns the denoiser's checkpoint."""
        for kind in ("regressor", "weight-map", "denoiser"):
            self.train(kind, kind, "--max-images", "8")
            state = self.train(kind, kind, "--max-images", "16", "--resume")
            assert state["images"] == 16 and state["steps"] == 4
            assert os.path.exists(self.path(kind, "samples.png"))
        for _ in range(2):  # the second export replaces the first
            self.export("model", "denoiser", "--run-regressor", self.path("regressor"), "--run-weight-map",
                        self.path("weight-map"))
        return state

    def go_on_and_grow(self, state):
        """Both start from the exported model, whose denoiser `state` is the checkpoint of."""
        again = self.train("denoiser", "again", "--initial", self.path("model"), "--max-images", "24")
        assert again["images"] == 24 and again["steps"] == again["warm_from"] + 2
        for name, value in state["ema"].items():
            assert torch.allclose(again["ema"][name], value, atol=2e-3), name
        finer = dict(res_blocks=[0, 1, 1], widths=[24, 24, 32], attention=[2], grid=2)
        section = self.config["denoiser"]
        self.write("larger.json", {**self.config, "denoiser": {
            **section, "architecture": {**section["architecture"], **finer}}})
        larger = self.train("denoiser", "larger", "--initial", self.path("model"), "--max-images", "8",
                            config="larger.json")
        assert larger["images"] == 8 and "after 16 images" in larger["grown_from"]
        self.export("larger-model", "larger", "--run-regressor", self.path("model"), "--run-weight-map",
                    self.path("model"), config="larger.json")
        with open(self.path("larger-model", "MODEL_CARD.md")) as file:
            assert f"grown from that of {larger['grown_from']}" in file.read()

    def export_public_checkpoint(self, state):
        weights = {f"denoise_fn.{name}": value for name, value in state["ema"].items()}
        self.write("public.json", {**self.config, "condition": "bicubic"})
        torch.save({**weights, "betas": torch.zeros(2000)}, self.path("I1_E1_gen.pth"))
        self.export("public", "I1_E1_gen.pth", config="public.json")
        assert Model(self.path("public")).regressor is None

    def sample(self):
        model = Model(self.path("model"))
        for sampler, nfe, eta in (("ddim", 4, 1.0), ("dpmpp", 4, 0.0), ("ddpm", 10, 0.0)):
            noise = torch.randn(12, 2, 3, 32, 64)
            x0 = model.upscale(torch.rand(2, 3, 4, 8) * 2 - 1, noise, t=10, nfe=nfe, sampler=sampler, eta=eta)
            assert x0.shape == (2, 3, 32, 64) and math.isfinite(float(x0.sum())) and x0.abs().max() < 2


def check_round_trip():
    """Train a few steps, resume, export, load and sample, through the commands themselves."""
    with tempfile.TemporaryDirectory() as folder:
        trip = RoundTrip(folder)
        state = trip.train_and_export()
        trip.go_on_and_grow(state)
        trip.export_public_checkpoint(state)
        trip.sample()


if __name__ == "__main__":
    for check in (check_networks, check_precision, check_flattened, check_mathematics, check_locality, check_preconditioning,
                  check_calibration, check_growth, check_fused_norms, check_photos, check_round_trip):
        check()
        print(f"{check.__name__}: ok")
