#!/usr/bin/env python3
"""Checks the training code in a minute or two, on random images; needs torch, numpy and Pillow.

    selfcheck.py [NAME...]      all checks, or those that are named: selfcheck.py winograd round_trip
"""
import copy
import json
import math
import os
import subprocess
import sys
import tarfile
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from needs import need  # noqa: E402

need("torch", "numpy", "PIL")

import numpy as np  # noqa: E402
import torch  # noqa: E402

from configuration import read_config  # noqa: E402
from contrast import METHODS  # noqa: E402
from cpu import cpu_has_bf16, cpu_trains_in_bf16  # noqa: E402
import text  # noqa: E402
from data import Faces, load_framed, to_bytes, window_matrix  # noqa: E402
from diffusion import Schedule, bicubic, intermediate_state, target_of, x0_of  # noqa: E402
from export import by_methods  # noqa: E402
from flatten import flattened, named_as  # noqa: E402
from fused_norm import fuse_norms  # noqa: E402
from jpeg import jpeg  # noqa: E402
from networks import build, grow, parameters  # noqa: E402
from photos import Photos, blurred, compressed, reduction_matrix  # noqa: E402
from reference import Model, step_grid  # noqa: E402
from train import load_regressor  # noqa: E402

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
    return read_config(os.path.join(CONFIGS, name))


def check_configurations():
    """What a configuration extends fills in what it does not say; what cannot be read is told in one line."""
    with tempfile.TemporaryDirectory() as folder:
        def write(name, text):
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
            return os.path.join(folder, name)

        write("base.json", '{"name": "a", "scale": 4, "denoiser": {"lr": 1, "betas": [0.9, 0.99], "sampled": {"t": 3}}}')
        write("middle.json", '{"extends": "base.json", "name": "b", "denoiser": {"betas": [0.5]}}')
        top = write("top.json", '{"extends": "middle.json", "denoiser": {"sampled": {"share": 0.5}}}')
        assert read_config(top) == {"name": "b", "scale": 4, "denoiser": {"lr": 1, "betas": [0.5],
                                                                          "sampled": {"t": 3, "share": 0.5}}}
        spoiled = (write("loop.json", '{"extends": "loop.json"}'), write("cut.json", '{"name": '), write("list.json", "[]"),
                   write("orphan.json", '{"extends": "nothing.json"}'), os.path.join(folder, "none.json"))
        for path, word in zip(spoiled, ("itself", "configuration", "object", "nothing.json", "none.json")):
            try:
                read_config(path)
            except SystemExit as error:
                assert word in str(error) and len(str(error).splitlines()) == 1, error
            else:
                raise AssertionError(path)


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


def check_local_regressor():
    """Within its budget, local, bicubic while it is untrained; the older architecture is still built."""
    architecture = config("photos-x4-small.json")["regressor"]["architecture"]
    network = build("regressor", architecture).eval()
    weights = sum(value.numel() for name, value in network.named_parameters() if name.endswith("weight"))
    assert weights * 320 * 180 <= 45e9, weights  # multiplications for 1280x720
    assert network.size_multiple == 1
    low = torch.rand(1, 3, 9, 13) * 2 - 1
    with torch.no_grad():
        assert torch.equal(network(low), bicubic(low, (36, 52)))
        torch.nn.init.normal_(network.tail[1].weight, std=0.05)
        wide = torch.rand(1, 3, 8, 80) * 2 - 1
        changed = wide.clone()
        changed[..., 60:] *= -1
        reach = 2 * architecture["blocks"] + 2  # convolutions of 3x3
        difference = (network(wide) - network(changed)).abs().amax(dim=(0, 1, 2))
    assert float(difference[:4 * (60 - reach - 2)].max()) == 0 and float(difference[4 * 60:].max()) > 0
    flat = flattened(network)
    assert torch.equal(flat(low), network(low))
    older = dict(scale=4, widths=[16, 24], blocks=1, tail=[16])  # as in photos-x4
    assert build("regressor", older)(torch.rand(1, 3, 8, 8)).shape == (1, 3, 32, 32)


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
        torch.jit.script(network)  # as it is written, it compiles too
        assert len(list(flat.modules())) == 1
        parts = getattr(network, "methods", ())
        for method in ("forward", *parts):
            code = getattr(flat, method).code
            assert "torch.nn.functional" not in code, method
            assert ("conv2d" in code) == (method == ("body" if parts else "forward")), method  # no layer is written twice
        for n, h, w in ((1, 8, 8), (2, 16, 24)):
            image = torch.rand(n, 3, h, w)
            inputs = (image, image.flip(3), torch.linspace(0.9, 0.6, n)) if kind == "denoiser" else (image,)
            assert torch.equal(flat(*inputs), network(*inputs)), kind
            if kind == "denoiser":
                assert torch.equal(by_methods(flat, *inputs), flat(*inputs))
                check_parts(flat, network, *inputs)
        weights = named_as(network, flat.state_dict())
        assert all(torch.equal(weights[name], value) for name, value in network.state_dict().items())
        assert len(weights) == len(network.state_dict())


def check_parts(flat, network, condition, x_t, noise_level):
    """What docs/MODELS.md says of an exported denoiser's methods, and the engine's kernels compute."""
    embedding, scales = flat.encode_noise_level(noise_level)
    assert embedding.shape[0] == noise_level.shape[0] == scales.shape[1] and scales.dtype == torch.float32
    prepared, found = flat.prepare_input(condition, x_t, scales), torch.rand_like(condition)
    output = flat.finish_output(found, condition, x_t, scales)
    if network.residual_std == 0.0:
        assert scales.shape[0] == 0
        assert torch.equal(prepared, torch.cat([condition, x_t], 1)) and torch.equal(output, found)
        return
    a, c_in, c_skip, c_out = scales.reshape(4, -1, 1, 1, 1)
    residual = x_t / a - condition
    assert torch.equal(prepared, torch.cat([condition, c_in * residual], 1))
    assert torch.equal(output, condition + c_skip * residual + c_out * found)
    variance, data = 1 / noise_level.double() ** 2 - 1, network.residual_std ** 2  # Karras et al., table 1
    expected = (noise_level, (variance + data) ** -0.5, data / (variance + data), (variance * data / (variance + data)) ** 0.5)
    for row, value in zip(scales, expected):
        assert torch.allclose(row.double(), value.double(), rtol=1e-5), (row, value)


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
    flat = flattened(network)
    assert torch.equal(flat(condition, x_t, level), calibrated)
    assert torch.equal(by_methods(flat, condition, x_t, level), calibrated)


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


def check_bf16_processors():
    """bf16 is for processors that multiply in it, by the words of Linux's /proc/cpuinfo."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "cpuinfo")
        for line, has in (("flags\t\t: fpu avx2 avx512f avx512_bf16 avx512_vnni", True),
                          ("flags\t\t: fpu amx_bf16 amx_tile", True),
                          ("Features\t: fp asimd bf16 i8mm", True), ("flags\t\t: fpu avx2 avx512f avx512bw", False)):
            with open(path, "w") as file:
                file.write(f"processor\t: 0\n{line}\n")
            assert cpu_has_bf16(path) == (has and int(torch.__version__.split(".")[0]) >= 2), line
    assert not cpu_has_bf16(os.path.join(folder, "is not there"))
    assert not cpu_trains_in_bf16(os.path.join(folder, "is not there"))


def check_fused_norms():
    """The compiled norm gives the values and derivatives of PyTorch's, to the precision of bf16."""
    if not cpu_has_bf16():
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


def check_winograd():
    """Winograd's convolutions give the values and derivatives of PyTorch's, in whole and in cut tiles of 4x4 outputs, and
    leave alone what they are not made for."""
    from winograd import WinogradConv2d, use_winograd
    torch.manual_seed(0)
    plain = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3, padding=1), torch.nn.Conv2d(16, 48, 3, padding=1), torch.nn.SiLU(),
                                torch.nn.Conv2d(48, 48, 3, padding=1), torch.nn.Conv2d(48, 32, 3, stride=2, padding=1),
                                torch.nn.Conv2d(32, 32, 3, padding=1, bias=False), torch.nn.Conv2d(32, 32, 1))
    fast = copy.deepcopy(plain)
    count = use_winograd(fast)
    if count == 0:  # no compiler here, of which use_winograd has told
        return
    assert count == 2 and [isinstance(layer, WinogradConv2d) for layer in fast] == [False, True, False, True] + 3 * [False]
    assert fast.state_dict().keys() == plain.state_dict().keys()
    # 23 and 14 leave a part of a tile at the border, 2 and 1 fill none; 3 x 40 x 40 is more than one block of tiles.
    for shape in ((3, 3, 40, 40), (2, 3, 23, 14), (1, 3, 2, 1)):
        results = []
        for network in (plain, fast):
            network.zero_grad()
            images = torch.rand(shape, generator=torch.Generator().manual_seed(1)).requires_grad_()
            out = network(images)
            (out * torch.rand(out.shape, generator=torch.Generator().manual_seed(2))).sum().backward()
            results.append([out.detach(), images.grad, *(each.grad.clone() for each in network.parameters())])
        for ours, theirs in zip(*results):
            assert (ours - theirs).abs().max() <= 2e-5 * theirs.abs().max(), shape


def write_span(path: str, channels: int, half: bool):
    """A SPAN x4 with random weights as ncnn's two files, and its convolutions' weights in order."""
    generator = np.random.default_rng(0)
    shapes = ([(channels, 3, 3)] + [(channels, channels, 3)] * 19 + [(channels, 4 * channels, 1), (48, channels, 3)])
    lines, weights = ["7767517", "0 0", "MemoryData mean 0 1 mean 0=1 1=1 2=3"], []
    data = np.array([0.4, 0.5, 0.6], dtype="<f4").tobytes()
    for out, into, side in shapes:
        count = out * into * side * side
        lines.append(f"Convolution c 1 1 a b 0={out} 1={side} 4={side // 2} 5=1 6={count}")
        values = (generator.standard_normal(count) * 0.5 / math.sqrt(count / out)).astype("<f2" if half else "<f4")
        stored = values.tobytes()
        data += np.array([0x01306B47 if half else 0], dtype="<u4").tobytes() + stored + bytes(-len(stored) % 4)
        data += generator.standard_normal(out).astype("<f4").tobytes()
        weights.append(values.astype(np.float32).reshape(out, into, side, side))
    with open(path + ".param", "w") as file:
        file.write("\n".join(lines) + "\n")
    with open(path + ".bin", "wb") as file:
        file.write(data)
    return weights


def check_teacher():
    """SPAN's weights are read as they are stored; what it draws is fitted where it is nearer to the truth, as far as its share
    says, and held-out images are judged by the truth."""
    from types import SimpleNamespace
    from teacher import Span
    from train import RegressorTask
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "span")
        for half in (False, True):  # 3 channels: an odd number of halves
            weights = write_span(path, 3, half)
            span = Span(path + ".param")
            read = [span.first, *(each for block in span.blocks for each in block), span.last, span.join, span.enlarge]
            for convolution, wanted in zip(read, weights):
                assert np.array_equal(convolution.weight.detach().numpy(), wanted)
        low = torch.rand(2, 3, 8, 8) * 2 - 1
        drawn = span(low)
        assert drawn.shape == (2, 3, 32, 32)
        config = {"scale": 4, "regressor": {"training": {"teacher": 0.5}}}
        task = RegressorTask(config, SimpleNamespace(teacher=path + ".param"), torch.device("cpu"))
        # Of two images the teacher draws the first rightly; the second network output is the truth itself.
        high = torch.stack([drawn[0], torch.rand(3, 32, 32) * 2 - 1]).clamp(-1, 1).detach()
        task.lesson = lambda low, high: drawn.detach().clamp(-1, 1)
        out = torch.stack([high[0] + 0.3, high[1]]).requires_grad_()
        loss = task.loss(lambda low: out, low, high, None)
        assert torch.isclose(loss, torch.tensor(0.045), rtol=1e-4)  # the error from the truth, 0.3 squared, in the mean
        loss.backward()
        assert torch.allclose(out.grad[0], torch.full((3, 32, 32), 0.3 / (3 * 32 * 32)), rtol=1e-3)
        assert not out.grad[1].any()
        with torch.no_grad():
            assert torch.isclose(task.loss(lambda low: high + 0.1, low, high, None), torch.tensor(0.01), rtol=1e-3)
        # From the truth's own reduction it draws what SPAN draws of it.
        plain = RegressorTask(config, SimpleNamespace(teacher=path + ".param"), torch.device("cpu"))
        clean = to_bytes(bicubic(high, (8, 8))).float() / 127.5 - 1
        assert torch.allclose(plain.lesson(low, high), span(clean).clamp(-1, 1), atol=1e-5)
        with open(path + ".bin", "ab") as file:
            file.write(b"more")
        for wrong in (path + ".param", os.path.join(folder, "none.param")):
            try:
                Span(wrong)
                raise AssertionError("was read")
            except SystemExit as refusal:
                assert "no SPAN" in str(refusal)


def check_muon():
    """Its updates have singular values near 1, whatever the gradient's; a network learns by it; a run may change to it."""
    from muon import Muon, orthogonalised
    torch.manual_seed(0)
    for shape in ((8, 40), (40, 8)):
        values = torch.linalg.svdvals(orthogonalised(torch.randn(shape) * 1e-3))
        assert values.min() > 0.5 and values.max() < 1.3, shape
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.Conv2d(8, 8, 3, padding=1),
                                  torch.nn.Conv2d(8, 3, 3, padding=1))
    images, optimizer, losses = torch.rand(4, 3, 16, 16), Muon(network.parameters(), 1e-2, least=8), []
    assert [len(group["params"]) for group in optimizer.param_groups] == [1, 5]
    for _ in range(60):
        loss = torch.nn.functional.mse_loss(network(images), images)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0], losses
    again = Muon(network.parameters(), 1e-2, least=8)
    again.load_state_dict(optimizer.state_dict())
    assert again.state_dict()["state"].keys() == optimizer.state_dict()["state"].keys()
    try:
        again.load_state_dict(torch.optim.AdamW(network.parameters(), lr=1e-2).state_dict())
        raise AssertionError("another optimiser's state was taken")
    except ValueError:  # by which train.py knows
        pass


def check_feature_maps():
    """The maps of a traced MobileNetV2 with random weights are its own layers'; other networks are refused."""
    from feature_maps import FeatureMaps
    torch.manual_seed(0)
    own = FeatureMaps().eval().requires_grad_(False)
    tail = torch.nn.Conv2d(own.last.out_channels, 8, 1)  # what follows the layers that are used

    class Whole(torch.nn.Module):
        def __init__(self, maps):
            super().__init__()
            self.maps, self.tail = maps, tail

        def forward(self, x):
            return self.tail(self.maps(x)[-1])

    pictures = 255 * torch.rand(2, 3, 32, 48)
    with tempfile.TemporaryDirectory() as folder:
        whole, maps, other = (os.path.join(folder, name) for name in ("whole.pt", "maps.pt", "other.pt"))
        torch.jit.trace(Whole(own).eval(), pictures, check_trace=False).save(whole)
        torch.jit.trace(tail.eval(), torch.rand(1, tail.in_channels, 4, 4)).save(other)
        script = [sys.executable, os.path.join(HERE, "feature_maps.py"), "--out", maps, "--network"]
        subprocess.run(script + [whole], check=True, stderr=subprocess.DEVNULL)
        results = torch.jit.load(maps)(pictures)
        assert [tuple(each.shape[2:]) for each in results] == [(16, 24)] * 2 + [(8, 12)] * 2 + [(4, 6)] * 2
        for got, expected in zip(results, own(pictures)):
            assert torch.allclose(got, expected, atol=1e-4)
        refused = subprocess.run(script + [other], stderr=subprocess.PIPE, text=True, check=False)
        assert refused.returncode == 1 and "not MobileNetV2" in refused.stderr and "Traceback" not in refused.stderr


def check_sampled_states():
    """States as the sampler makes them have the noise of their level, and the perceptual loss ends where the truth is."""
    from types import SimpleNamespace
    from feature_maps import FeatureMaps
    from train import DenoiserTask
    torch.manual_seed(0)
    sampled = {"share": 0.5, "t": 300, "beta": 0.9, "nfe": [3, 4], "mse": 0.5, "perceptual": 2.0}
    config = {"schedule": {"kind": "linear", "T": 2000, "beta_start": 1e-6, "beta_end": 1e-2}, "parameterisation": "x0",
              "denoiser": {"architecture": {"residual_std": 0.1}, "training": {"perceptual": 1.0, "sampled": sampled}}}
    with tempfile.TemporaryDirectory() as folder:
        maps = os.path.join(folder, "maps.pt")
        torch.jit.script(FeatureMaps().eval().requires_grad_(False)).save(maps)
        task = DenoiserTask(config, SimpleNamespace(features=maps, regressor=None), torch.device("cpu"))
        for change, features, word in (({"shear": 1}, maps, "shear"), ({}, None, "--features"), ({}, folder, "feature_maps.py")):
            spoiled = json.loads(json.dumps(config))
            spoiled["denoiser"]["training"]["sampled"].update(change)
            try:
                DenoiserTask(spoiled, SimpleNamespace(features=features, regressor=None), torch.device("cpu"))
            except SystemExit as error:
                assert word in str(error), error
            else:
                raise AssertionError(word)
    low = torch.rand(4, 3, 16, 16) - 0.5
    high = bicubic(low, (64, 64)).clamp(-1, 1)
    generator = torch.Generator().manual_seed(3)
    grids = [step_grid(task.schedule, 300, nfe, "quadratic")[:-1] for nfe in sampled["nfe"]]
    steps = {t for grid in grids for t in grid}
    levels = {float(task.schedule.alpha_bar[t].sqrt()) for t in steps}
    met = set()
    for _ in range(60):  # a network that returns its condition leaves equation (1)'s noise, at every level
        x_t, level = task.sampled_state(lambda condition, x, level: condition, high, generator)
        noise = (x_t - level.view(-1, 1, 1, 1) * high).std() / (1 - level[0] ** 2).sqrt()
        assert abs(float(noise) - 0.9) < 0.03 and float(level[0]) in levels
        met.add(float(level[0]))
    assert met == levels
    assert float(task.loss_of_sampled(lambda condition, x, level: high, low, high, generator)) < 1e-6
    away = lambda condition, x, level: (high + 0.1)  # noqa: E731
    alone = task.distance((high + 0.1), high).mean()
    assert abs(float(task.loss_of_sampled(away, low, high, generator)) - float(0.5 * 1.0 + 2.0 * alone)) < 1e-3
    network = torch.nn.Conv2d(3, 3, 3, padding=1)
    loss = task.loss(lambda condition, x, level: network(x), low, high, generator)
    loss.backward()
    assert bool(torch.isfinite(loss)) and float(network.weight.grad.abs().sum()) > 0
    with torch.no_grad():  # held-out images: no sampled states, so that the same numbers give the same loss
        losses = {float(task.loss(lambda condition, x, level: x, low, high, torch.Generator().manual_seed(1))) for _ in range(2)}
    assert len(losses) == 1


def check_adversarial_states():
    """The discriminator learns to tell pictures apart, its slope leads to where it takes them for photographs, and
    neither the loss's value nor the length of what is pulled depends on how steep it is."""
    from types import SimpleNamespace
    from feature_maps import FeatureMaps
    from train import DenoiserTask
    torch.manual_seed(0)
    sampled = {"share": 0.5, "t": 300, "beta": 0.9, "nfe": [3], "mse": 0.5, "perceptual": 1.0, "adversarial": 0.5,
               "discriminator_lr": 2e-3, "discriminator_warmup": 20}
    config = {"schedule": {"kind": "linear", "T": 2000, "beta_start": 1e-6, "beta_end": 1e-2}, "parameterisation": "x0",
              "denoiser": {"architecture": {"residual_std": 0.1}, "training": {"sampled": sampled}}}
    with tempfile.TemporaryDirectory() as folder:
        maps = os.path.join(folder, "maps.pt")
        torch.jit.script(FeatureMaps().eval().requires_grad_(False)).save(maps)
        make = lambda: DenoiserTask(config, SimpleNamespace(features=maps, regressor=None), torch.device("cpu"))  # noqa: E731
        task, other = make(), make()
        sampled["perceptual"] = 0.0
        try:
            make()
        except SystemExit as error:
            assert "perceptual" in str(error), error
        else:
            raise AssertionError("an adversarial loss alone")
    truth = torch.rand(4, 3, 64, 64) * 2 - 1
    condition = bicubic(bicubic(truth, (32, 32)), (64, 64)).clamp(-1, 1)
    drawn = (condition + 0.01).requires_grad_()
    error = ((drawn - truth) ** 2).mean()
    own, = torch.autograd.grad(error, drawn, retain_graph=True)
    units = task.distance.units
    pulled = lambda: task.adversarial_part(error, drawn, units(drawn), units(truth), condition)  # noqa: E731
    told = []
    for k in range(40):
        part = pulled()
        slope, = torch.autograd.grad(part, drawn)
        trust = min(1.0, k / 20)
        assert float(part.detach()) == 0.0
        assert abs(float(slope.norm()) - trust * 0.5 * float(own.norm())) < 1e-3 * float(own.norm())
        task.step()
        told.append(task.figures()["discriminator"])
    assert told[-1] < 0.9 * told[0], told  # most of these maps, of random weights, are 0
    verdict = lambda images: float(sum(each.mean() for each in task.adversarial.discriminator(  # noqa: E731
        task.adversarial.maps(units(images)), task.adversarial.maps(units(condition)))).detach())
    with torch.no_grad():
        assert verdict(drawn - 0.05 * slope / slope.abs().max()) > verdict(drawn)
        assert verdict(truth) > verdict(drawn)
    assert pulled().requires_grad
    other.adversarial.lr = 1e-3  # what a changed configuration says
    other.restore(kept := task.state())
    assert [group["lr"] for group in other.adversarial.optimizer.param_groups] == [1e-3]
    assert other.adversarial.steps == 40 and kept.keys() == {"adversarial"}
    ours, theirs = (each.adversarial.discriminator.state_dict() for each in (task, other))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def smooth_picture(seed: int, size):
    """A picture [Pillow] of a few soft colours, which JPEG and reductions change by little."""
    from PIL import Image
    pixels = np.random.default_rng(seed).integers(60, 190, (3, 4, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize(size, Image.BICUBIC)


def check_cuts():
    """Crops are a function of seed and number, cut and turned rightly; inputs are Pillow's reductions."""
    from PIL import Image
    smooth = [smooth_picture(k, size) for k, size in enumerate(((90, 70), (64, 120), (200, 64)))]
    clean = Photos(smooth, 4, 64, "cpu", seed=3)
    low, high = clean.batch(10, 6)
    assert low.shape == (6, 3, 16, 16) and high.shape == (6, 3, 64, 64)
    again = Photos(smooth, 4, 64, "cpu", seed=3)
    assert torch.equal(again.batch(13, 3)[1], high[3:])  # a resumed run, or another batch size
    assert not torch.equal(Photos(smooth, 4, 64, "cpu", seed=4).batch(10, 6)[1], high)
    for kind, filter in (("bicubic", Image.BICUBIC), ("area", Image.BOX), ("bilinear", Image.BILINEAR),
                         ("lanczos", Image.LANCZOS)):
        picture = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        theirs = np.asarray(Image.fromarray(picture).resize((16, 16), filter)).astype(float)
        matrix = reduction_matrix(kind, 64, 4)
        ours = (matrix @ torch.from_numpy(picture).permute(2, 0, 1).float() @ matrix.T).round().clamp(0, 255)
        error = np.abs(ours.permute(1, 2, 0).numpy() - theirs)
        assert error.max() <= 1 and error.mean() < 0.4, (kind, error.mean())  # Pillow rounds between the two passes
    # A picture whose red tells the column and whose green the row shows where a crop lies and how it is turned.
    place = np.zeros((100, 80, 3), dtype=np.uint8)
    place[..., 0], place[..., 1] = np.arange(80)[None], np.arange(100)[:, None]
    crops = to_bytes(Photos([Image.fromarray(place)], 4, 64, "cpu").batch(0, 64)[1]).long()
    turns = set()
    for crop in crops:
        column, row = crop[0], crop[1]
        flipped = (column[0] == column[0, 0]).all()  # rows run along columns
        if flipped:
            column, row = column.T, row.T
        steps = int(column[0, 1] - column[0, 0]), int(row[1, 0] - row[0, 0])
        assert (column.diff(dim=1) == steps[0]).all() and (row.diff(dim=0) == steps[1]).all()
        assert set(steps) <= {1, -1} and (column.diff(dim=0) == 0).all() and (row.diff(dim=1) == 0).all()
        turns.add((bool(flipped), *steps))
    assert len(turns) == 8 and len(set(crops[:, 0].amin(dim=(1, 2)).tolist())) > 8


def check_jpeg():
    """JPEG in tensors is Pillow's to within rounding, 1.2 levels in the mean, and nearer to it than to another quality."""
    import io
    from PIL import Image
    pixels = np.asarray(smooth_picture(5, (64, 48))).astype(float)
    pixels += 25 * np.sin(np.arange(64) / 1.7)[None, :, None] * np.cos(np.arange(48) / 2.3)[:, None, None]
    pixels[10:30, 20:40] = (200, 30, 60)
    picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    tensor = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1).float()
    for quality in (30, 50, 75, 95):
        file = io.BytesIO()
        picture.save(file, format="JPEG", quality=quality)
        theirs = torch.from_numpy(np.asarray(Image.open(file).convert("RGB")).copy()).permute(2, 0, 1).float()
        ours, other = ((jpeg(tensor[None], torch.tensor([q]))[0] - theirs).abs() for q in (quality, quality - 10))
        assert ours.mean() < 1.2 and ours.max() <= 24, (quality, ours.mean(), ours.max())
        assert other.mean() > 1.3 * ours.mean(), (quality, ours.mean(), other.mean())
    # The grid begins anywhere: as if the crop lay in a larger picture, here its reflection.
    square = tensor[None, :, :32, :32]
    for origin in ((0, 0), (8, 3), (15, 15)):
        wide = torch.nn.functional.pad(square, (origin[1], 16 - origin[1], origin[0], 16 - origin[0]), mode="reflect")
        whole = jpeg(wide, torch.tensor([40.0]))[..., origin[0]:origin[0] + 32, origin[1]:origin[1] + 32]
        found = compressed(square, torch.tensor([40.0]), torch.tensor([origin]))
        assert torch.equal(found, whole), origin


def check_damage():
    """Each kind comes alone where the others are off, does what it says, and leaves the truth as it is."""
    smooth = [smooth_picture(k, (160, 120)) for k in range(3)]
    off = {kind: {"share": 0.0} for kind in ("reduction", "blur", "noise", "jpeg")}

    def inputs(damage, pictures=smooth):
        return [127.5 * (x + 1) for x in Photos(pictures, 4, 64, "cpu", seed=3, damage=damage).make(0, 60)]

    low, high = inputs(None)
    for kind, options in (("noise", {"most": 6.0}), ("jpeg", {"quality": [50, 50]}), ("blur", {"most": 1.2}),
                          ("reduction", {})):
        worse, truth = inputs({"fraction": 1.0, **off, kind: {"share": 1.0, **options}})
        assert torch.equal(truth, high)
        difference = (worse - low)[:, :, 3:-3, 3:-3]
        if kind == "noise":  # uniform from 0 to 6: a mean square of 12
            assert 9 < float(difference.square().mean()) < 15
        elif kind == "blur":
            assert float(worse.diff(dim=2).abs().mean()) < 0.98 * float(low.diff(dim=2).abs().mean())
        else:
            assert 0.02 < float(difference.abs().mean()) < 6, (kind, float(difference.abs().mean()))
    # The blur of a point has the standard deviation asked for.
    point = torch.zeros(1, 3, 33, 33)
    point[..., 16, 16] = 1
    row = blurred(point, torch.tensor([1.2]))[0, 0].sum(0)
    assert abs(float((row * (torch.arange(33) - 16) ** 2).sum()) - 1.44) < 0.01
    # As shipped: none at all in about two fifths.
    changed = (inputs(config("photos-x4.json")["damage"])[0] != low).flatten(1).any(1).float().mean()
    assert 0.4 < float(changed) < 0.75, changed
    try:
        Photos(smooth, 4, 64, "cpu", damage={"haze": {}})
    except SystemExit:
        return
    raise AssertionError("an unknown kind of damage was taken")


def check_text():
    """Pages are a function of their number, are written on, and one in ten crops shows one."""
    if not text.fonts():
        print("no fonts, text not checked")
        return
    pages = text.pages(3, [], 384)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(pages, text.pages(3, [], 384)))
    assert all(np.asarray(page).std() > 5 for page in pages)
    grey = [smooth_picture(0, (600, 500)).convert("L").convert("RGB")]
    source = Photos(grey, 4, 64, "cpu", text=0.5)
    coloured = source.make(0, 200)[1].std(dim=1).amax(dim=(1, 2)) > 0
    rough = source.make(0, 200)[1].diff(dim=3).abs().amax(dim=(1, 2, 3)) > 0.5
    assert 0.35 < float((coloured | rough).float().mean()) < 0.6


def check_framing():
    """Faces of two framings, moved and magnified: windows read what they should."""
    from PIL import Image
    whole = torch.tensor([0.0, 5.0, -9.0])
    picture = torch.rand(3, 1, 32, 32)
    side = torch.full((3,), 32.0)
    rows = window_matrix(side, 16 + whole, torch.ones(3), 32, 32, 0.8)
    moved = (rows[:, None] @ picture)[:, 0]
    assert torch.equal(moved[0], picture[0, 0]) and torch.equal(moved[1, :27], picture[1, 0, 5:])
    assert torch.equal(moved[1, 27:], picture[1, 0, 27:].flip(0)) and torch.equal(moved[2, :9], picture[2, 0, :9].flip(0))
    scale = torch.tensor([0.8, 1.0, 1.25])
    rows = window_matrix(torch.full((3,), 36.0), torch.full((3,), 18.0), scale, 32, 40, 0.8)
    assert (rows.sum(2) - 1).abs().max() < 1e-5 and float(rows[:, :, 36:].abs().max()) == 0
    ramp = (rows @ (torch.arange(40.0) + 0.5))[:, 8:24]
    assert torch.allclose(ramp.diff(dim=1), (1 / scale)[:, None].expand(3, 15), atol=0.02)
    assert torch.allclose(ramp.mean(1), torch.full((3,), 18.0), atol=0.02)
    with tempfile.TemporaryDirectory() as folder:
        for k, size in enumerate((32, 36, 200)):  # tight, wide, and one that is reduced
            Image.new("RGB", (size, size), (40 * k, 90, 200)).save(os.path.join(folder, f"{k}.png"))
        images, sides = load_framed([folder], 32)
    assert images.shape == (3, 3, 36, 36) and sides.tolist() == [32, 36, 32]
    source = Faces(images, 8, "cpu", seed=1, shift=20, scale=(0.8, 1.25), sides=sides, size=32)
    low, high = source.batch(0, 60)
    assert low.shape == (60, 3, 4, 4) and high.shape == (60, 3, 32, 32)
    assert float(to_bytes(high)[:, 1].float().min()) == 90 == float(to_bytes(high)[:, 1].float().max())  # never beyond a picture
    again = Faces(images, 8, "cpu", seed=1, shift=20, scale=(0.8, 1.25), sides=sides, size=32).batch(0, 60)
    assert torch.equal(again[1], high)
    still = Faces(images[:, :, :32, :32], 8, "cpu", flip=False).batch(0, 3)[1]
    assert sorted(to_bytes(still)[:, 0, 0, 0].tolist()) == [0, 40, 80]
    noise = (torch.rand(1, 3, 32, 32) * 255).to(torch.uint8).expand(200, -1, -1, -1)
    for moved in (0.0, 0.3, 1.0):
        high = Faces(noise, 8, "cpu", flip=False, shift=4, moved=moved).batch(0, 200)[1]
        changed = (to_bytes(high) != noise).flatten(1).any(1).float().mean()
        assert abs(float(changed) - moved) < 0.1, (moved, changed)  # one in 81 is moved by nothing


def check_on_a_gpu():
    """No tensor of the processor meets one of a GPU while batches are made: told by torch 2's fake tensors, which
    have a device and no values, so that no GPU is needed."""
    if torch.__version__.startswith("1."):
        return
    from torch._subclasses.fake_tensor import FakeTensorMode
    from unittest import mock
    import data
    import photos

    def at_once(value, device):  # pinned memory needs a driver
        return value.to(device)

    damage = {"fraction": 1.0, **{kind: {**photos.NO_DAMAGE[kind], "share": 1.0} for kind in ("reduction", "blur", "noise", "jpeg")}}
    pictures = [smooth_picture(0, (90, 80))]
    with mock.patch.object(data, "queued", at_once), mock.patch.object(photos, "queued", at_once), \
            mock.patch.object(torch, "Generator"), mock.patch.object(torch, "randn", lambda *size, generator, device:
                                                                     torch.zeros(size, device=device)):
        with FakeTensorMode(allow_non_fake_inputs=True):
            made = Photos(pictures, 4, 64, "cuda", damage=damage).batch(0, 8)
            faces = Faces(torch.zeros(4, 3, 36, 36, dtype=torch.uint8), 8, "cuda", shift=20, scale=(0.8, 1.25), grey=0.1,
                          sides=torch.full((4,), 36), size=32)
            framed = faces.changed(faces.images, faces.sides, None)
    assert all(tensor.device.type == "cuda" for tensor in (*made, framed))
    assert made[0].shape == (8, 3, 16, 16) and framed.shape == (4, 3, 32, 32)


def check_what_is_missing():
    """Without torch a program ends with one line that names its interpreter."""
    scripts = os.path.join(HERE, "..")
    for program in ("training/train.py", "training/export.py", "training/evaluate.py", "training/reference.py",
                    "training/selfcheck.py", "export_sr3.py", "export_inception.py", "export_lpips.py",
                    "export_efficientnet.py", "export_regressor.py"):
        done = subprocess.run([sys.executable, "-S", os.path.join(scripts, program), "--help"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)  # -S: without the folder that holds torch
        lines = done.stderr.strip().splitlines()
        assert done.returncode == 1 and len(lines) == 1, (program, done.stderr)
        assert sys.executable in lines[0] and "torch" in lines[0], lines


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
        self.config["detail"] = [{"detail": 1.0, "t": 600, "beta": 1.0, "nfe": 6}]
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

    def refused(self, program, *words):
        """What a program that must fail says."""
        done = subprocess.run([sys.executable, os.path.join(HERE, program), *words], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        assert done.returncode != 0, program
        return done.stdout

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
        words = ["--run-regressor", self.path("regressor"), "--run-weight-map", self.path("weight-map")]
        self.export("model", "denoiser", *words)
        with open(self.path("model", "manifest.json")) as file:
            before = file.read()
        assert json.loads(before)["detail"] == self.config["detail"]
        assert "--overwrite" in self.refused("export.py", "--run-denoiser", self.path("denoiser"), "--config",
                                             self.path("config.json"), "--out", self.path("model"), *words)
        assert "no model folder" in self.refused("export.py", "--run-denoiser", self.path("denoiser"), "--config",
                                                 self.path("config.json"), "--out", self.path("images"), "--overwrite")
        with open(self.path("model", "manifest.json")) as file:
            assert file.read() == before
        self.export("model", "denoiser", *words, "--overwrite")  # the second export replaces the first
        return state

    def budget_below_a_batch(self):
        """Three images of a batch of four: three are seen, 100 % told, and the curve is drawn."""
        done = subprocess.run([sys.executable, os.path.join(HERE, "train.py"), "regressor", "--config",
                               self.path("config.json"), "--data", self.path("images"), "--out", self.path("short"),
                               "--batch", "4", "--device", "cpu", "--max-images", "3"], stderr=subprocess.PIPE, text=True,
                              check=True)
        assert "100.0%  3 images" in done.stderr, done.stderr
        assert os.path.exists(self.path("short", "loss.png"))

    def rented(self, state):
        """The way to another machine and back, in small parts; the denoiser waits for the regressor."""
        self.write("plan.json", {**self.config, "condition": "bicubic"})
        common = f"--config {os.path.basename(self.folder)}/plan.json --data {os.path.basename(self.folder)}/images.tar --device cpu"
        with tarfile.open(self.path("images.tar"), "w") as archive:
            archive.add(self.path("images"), "images")
        with open(self.path("plan.txt"), "w") as file:
            file.write(f"# two stages\nregressor {common} --batch 4 --max-images 8 --out runs/regressor\n\n"
                       f"denoiser {common} --batch 4 --max-images 8 --out runs/denoiser\n")
        parts = self.path("parts")
        self.run("rented.py", "pack", parts, "faces", self.path("images.tar"), self.path("plan.json"), "--plan",
                 self.path("plan.txt"), "--mib", "1")
        names = [os.path.join(parts, name) for name in sorted(os.listdir(parts))]
        assert names and all(os.path.getsize(name) <= 2 ** 20 for name in names)
        work = self.path("there")
        for name in names:  # each by a command of its own
            self.run("rented.py", "unpack", work, name)
        there = os.path.join(work, "scripts", "training", "rented.py")
        self.run(there, "start", work, "faces")
        self.run(there, "watch", work, "--minutes", "3", "--every", "1")
        self.run(there, "send", work, self.path("back"), "--mib", "0.1")
        back = [os.path.join(self.path("back"), name) for name in sorted(os.listdir(self.path("back")))]
        assert len(back) > 1
        os.rename(back[1], back[1] + ".kept")
        assert "missing" in self.refused("rented.py", "receive", self.path("back"), self.path("received"))
        os.rename(back[1] + ".kept", back[1])
        self.run("rented.py", "receive", self.path("back"), self.path("received"))
        there = torch.load(os.path.join(work, "runs", "denoiser", "checkpoint.pt"), map_location="cpu")
        here = torch.load(self.path("received", "denoiser", "checkpoint.pt"), map_location="cpu")
        assert here["images"] == 8 and not here["optimizer"]
        for name, value in there["ema"].items():
            assert torch.equal(here["ema"][name], value.half().float()), name
        again = self.train("denoiser", "received/denoiser", "--max-images", "12", "--resume", config="plan.json")
        assert again["images"] == 12 and again["warm_from"] == 2
        self.export("from-there", "received/denoiser", "--run-regressor", self.path("received", "regressor"),
                    config="plan.json")

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
        # A model folder's regressor is built as its manifest says, whatever the config describes.
        other = {"regressor": {"architecture": {"scale": 8, "width": 8, "blocks": 1}}}
        low = torch.rand(1, 3, 4, 8)
        lent = load_regressor(self.path("model"), other, torch.device("cpu"))
        assert (lent(low) - model.regressor(low)).abs().max() < 1e-4
        for sampler, nfe, eta in (("ddim", 4, 1.0), ("dpmpp", 4, 0.0), ("ddpm", 10, 0.0)):
            noise = torch.randn(12, 2, 3, 32, 64)
            x0 = model.upscale(torch.rand(2, 3, 4, 8) * 2 - 1, noise, t=10, nfe=nfe, sampler=sampler, eta=eta)
            assert x0.shape == (2, 3, 32, 64) and math.isfinite(float(x0.sum())) and x0.abs().max() < 2


def check_round_trip():
    """Train a few steps, resume, export, load and sample, through the commands themselves."""
    with tempfile.TemporaryDirectory() as folder:
        trip = RoundTrip(folder)
        state = trip.train_and_export()
        trip.budget_below_a_batch()
        trip.go_on_and_grow(state)
        trip.rented(state)
        trip.export_public_checkpoint(state)
        trip.sample()


CHECKS = (check_configurations, check_networks, check_precision, check_flattened, check_mathematics, check_locality,
          check_preconditioning, check_calibration, check_growth, check_bf16_processors, check_fused_norms, check_winograd,
          check_teacher, check_muon, check_feature_maps, check_sampled_states, check_adversarial_states, check_local_regressor, check_cuts, check_jpeg,
          check_damage, check_text, check_framing, check_on_a_gpu, check_what_is_missing, check_round_trip)


def main():
    named = {check.__name__[len("check_"):]: check for check in CHECKS}
    unknown = [name for name in sys.argv[1:] if name not in named]
    if unknown:
        raise SystemExit(f"selfcheck.py: no check {unknown[0]!r}; there are {', '.join(named)}")
    for name in sys.argv[1:] or named:
        named[name]()
        print(f"{name}: ok", flush=True)


if __name__ == "__main__":
    main()
