#!/usr/bin/env python3
"""A checkpoint of the public SR3, converted by export_sr3.py, against that project's mathematics.

    sr3.py RUN_PIPELINE SCRIPTS_FOLDER TINY_MODEL CASE

The network and its sampling are written here a second time, as that project has them and with its
names, on random weights. Ends with 77 where torch is not at hand.
"""
import json
import math
import os
import sys
import tempfile

try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

from compare import cpp_run

CONFIG = """{
    "name": "sr_ffhq", // the name of the run
    "path": { //set the path
        "log": "logs//here", "say": "\\"// no comment\\"",
        // "resume_state": null
        "resume_state": "experiments/I7_E1" //pretrain model
    },
    "datasets": {
        "train": { "name": "FFHQ", "l_resolution": 16, "r_resolution": 32, "batch_size": 4 },
        "val": { "name": "CelebaHQ", "l_resolution": 16, "r_resolution": 32 }
    },
    "model": {
        "which_model_G": "sr3", // use the ddpm or sr3 network structure
        "unet": {
            "in_channel": 6, "out_channel": 3, "inner_channel": 16, "norm_groups": 8,
            "channel_multiplier": [1, 2, 4], "attn_res": [16], "res_blocks": 2, "dropout": 0.2
        },
        "beta_schedule": {
            "train": { "schedule": "linear", "n_timestep": 2000, "linear_start": 1e-6, "linear_end": 1e-2 },
            "val": { "schedule": "linear", "n_timestep": 24, "linear_start": 1e-4, "linear_end": 0.3 }
        },
        "diffusion": { "image_size": 32, "channels": 3, "conditional": true }
    }
}"""
INNER, GROUPS, WIDTHS, ATTENTION_LEVEL, BLOCKS = 16, 8, (16, 32, 64), 1, 2
STEPS, START, END = 24, 1e-4, 0.3


class Weights(dict):
    """Tensors by name; one that is missing is drawn at its first use."""

    def __init__(self, seed: int):
        super().__init__()
        self.generator = torch.Generator().manual_seed(seed)

    def get_or_draw(self, name: str, shape, scale: float, centre: float = 0.0):
        if name not in self:
            self[name] = torch.randn(shape, generator=self.generator) * scale + centre
        return self[name]

    def conv(self, name, x, outputs, kernel=3, bias=True, stride=1):
        shape = (outputs, x.shape[1], kernel, kernel)
        weight = self.get_or_draw(f"{name}.weight", shape, 1 / math.sqrt(shape[1] * kernel * kernel))
        offset = self.get_or_draw(f"{name}.bias", (outputs,), 0.1) if bias else None
        return F.conv2d(x, weight, offset, stride=stride, padding=kernel // 2)

    def linear(self, name, x, outputs):
        weight = self.get_or_draw(f"{name}.weight", (outputs, x.shape[-1]), 1 / math.sqrt(x.shape[-1]))
        return F.linear(x, weight, self.get_or_draw(f"{name}.bias", (outputs,), 0.1))

    def norm(self, name, x):
        scale = self.get_or_draw(f"{name}.weight", (x.shape[1],), 0.2, 1.0)
        return F.group_norm(x, GROUPS, scale, self.get_or_draw(f"{name}.bias", (x.shape[1],), 0.2))

    # The published U-Net from here on.

    def block(self, name, x, outputs):
        return self.conv(f"{name}.block.3", F.silu(self.norm(f"{name}.block.0", x)), outputs)

    def attention(self, name, x):
        n, c, h, w = x.shape
        query, key, value = self.conv(f"{name}.qkv", self.norm(f"{name}.norm", x), 3 * c, 1, False).chunk(3, 1)
        weight = torch.einsum("nchw,ncyx->nhwyx", query, key) / math.sqrt(c)
        weight = weight.reshape(n, h, w, h * w).softmax(-1).reshape(n, h, w, h, w)
        return x + self.conv(f"{name}.out", torch.einsum("nhwyx,ncyx->nchw", weight, value), c, 1)

    def residual(self, name, x, level, outputs, attend):
        inner = f"{name}.res_block"
        y = self.block(f"{inner}.block1", x, outputs)
        y = y + self.linear(f"{inner}.noise_func.noise_func.0", level, outputs)[:, :, None, None]
        y = self.block(f"{inner}.block2", y, outputs)
        y = y + (x if x.shape[1] == outputs else self.conv(f"{inner}.res_conv", x, outputs, 1))
        return self.attention(f"{name}.attn", y) if attend else y

    def embed(self, level):
        half = INNER // 2
        angle = level[:, None] * torch.exp(-math.log(1e4) * torch.arange(half) / half)[None]
        encoding = torch.cat([angle.sin(), angle.cos()], 1)
        hidden = F.silu(self.linear("noise_level_mlp.1", encoding, 4 * INNER))
        return self.linear("noise_level_mlp.3", hidden, INNER)

    def unet(self, x, noise_level):
        level = self.embed(noise_level)
        x = self.conv("downs.0", x, INNER)
        stack, index = [x], 1
        for depth, width in enumerate(WIDTHS):
            for _ in range(BLOCKS):
                x = self.residual(f"downs.{index}", x, level, width, depth == ATTENTION_LEVEL)
                stack.append(x)
                index += 1
            if depth + 1 < len(WIDTHS):
                x = self.conv(f"downs.{index}.conv", x, width, stride=2)
                stack.append(x)
                index += 1
        x = self.residual("mid.0", x, level, WIDTHS[-1], True)
        x = self.residual("mid.1", x, level, WIDTHS[-1], False)
        index = 0
        for depth in reversed(range(len(WIDTHS))):
            for _ in range(BLOCKS + 1):
                x = torch.cat([x, stack.pop()], 1)
                x = self.residual(f"ups.{index}", x, level, WIDTHS[depth], depth == ATTENTION_LEVEL)
                index += 1
            if depth > 0:
                x = self.conv(f"ups.{index}.conv", x.repeat_interleave(2, 2).repeat_interleave(2, 3), WIDTHS[depth])
                index += 1
        return self.block("final_conv", x, 3)


def schedule():
    beta = torch.linspace(START, END, STEPS, dtype=torch.float64)
    return beta, torch.cumprod(1 - beta, 0)


def published_sampling(weights, condition, noise):
    """x_T to x_0, one ancestral step after the other; i counts from T - 1 down to 0."""
    beta, product = schedule()
    before = torch.cat([torch.ones(1, dtype=torch.float64), product[:-1]])
    x = noise[0]
    for i in reversed(range(STEPS)):
        level = product[i].sqrt().float().repeat(len(x))
        eps = weights.unet(torch.cat([condition, x], 1), level)
        x0 = ((1 / product[i]).sqrt().float() * x - (1 / product[i] - 1).sqrt().float() * eps).clamp(-1, 1)
        mean = ((beta[i] * before[i].sqrt() / (1 - product[i])).float() * x0
                + ((1 - before[i]) * (1 - beta[i]).sqrt() / (1 - product[i])).float() * x)
        deviation = (beta[i] * (1 - before[i]) / (1 - product[i])).sqrt().float()
        x = mean + deviation * noise[STEPS - i] if i > 0 else mean
    return x


def save_checkpoint(weights, path):
    """The state of the public GaussianDiffusion: the network's and the schedule's buffers."""
    state = {f"denoise_fn.{name}": value for name, value in weights.items()}
    beta, product = schedule()
    for name, value in (("betas", beta), ("alphas_cumprod", product), ("sqrt_alphas_cumprod", product.sqrt())):
        state[name] = value.float()
    torch.save(state, path)


class Case:
    def __init__(self, folder, program, tiny):
        self.folder, self.program, self.tiny = folder, program, tiny
        self.model = self.path("sr3")
        self.weights = Weights(seed=3)
        with torch.no_grad():
            self.weights.unet(torch.zeros(1, 6, 32, 32), torch.ones(1))  # draws them
        save_checkpoint(self.weights, self.path("I7_E1_gen.pth"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def convert(self, config=CONFIG, *words):
        """Runs the converter; what it refuses the checkpoint with, or None."""
        with open(self.path("config.json"), "w") as file:
            file.write(config)
        sys.argv = ["export_sr3.py", "--weights", self.path("I7_E1_gen.pth"), "--config", self.path("config.json"),
                    "--out", self.model, *words]
        try:
            export_sr3.main()
        except SystemExit as refusal:
            print(refusal)
            return str(refusal)

    def manifest(self):
        with open(os.path.join(self.model, "manifest.json")) as file:
            return json.load(file)

    @torch.no_grad()
    def case_network(self):
        """The converted network's output."""
        assert self.convert() is None
        converted = torch.jit.load(os.path.join(self.model, "denoiser.pt"))
        condition, x = torch.rand(2, 2, 3, 32, 48) * 2 - 1
        level = torch.tensor([0.999, 0.3])
        expected = self.weights.unet(torch.cat([condition, x], 1), level)
        close(converted(condition, x, level), expected)

    @torch.no_grad()
    def case_sampling(self):
        """The C++ tool's picture after all steps from noise."""
        assert self.convert() is None
        assert self.manifest()["schedule"] == {"kind": "linear", "T": STEPS, "beta_start": START, "beta_end": END}
        lr, noise, output = cpp_run(self.program, self.model, 2, {"start": "noise", "sampler": "ddpm", "nfe": STEPS},
                                    16, 12)
        size = [2 * side for side in lr.shape[2:]]
        condition = F.interpolate(lr, size=size, mode="bicubic", align_corners=False, antialias=True).clamp(-1, 1)
        close(output, published_sampling(self.weights, condition, noise))

    def case_lent_regressor(self):
        """With another model's regressor and weight map the predicted start runs."""
        assert self.convert(CONFIG, "--regressor-from", self.tiny) is None
        files = self.manifest()["files"]
        assert list(files) == ["regressor", "weight_map", "denoiser"], files
        output = cpp_run(self.program, self.model, 1, {"t": 6, "nfe": 3}, 16, 12)[2]
        assert output.shape == (1, 3, 32, 24) and output.std() > 0.05
        refusal = self.convert(CONFIG.replace('"r_resolution": 32', '"r_resolution": 64'), "--regressor-from", self.tiny)
        assert "4 times" in refusal

    def case_refusals(self):
        """What srdiff would compute otherwise than that project is not converted."""
        for there, here, reason in (
                ('"which_model_G": "sr3"', '"which_model_G": "ddpm"', "'ddpm'"),
                ('"schedule": "linear", "n_timestep": 24', '"schedule": "cosine", "n_timestep": 24', "'cosine'"),
                ('"conditional": true', '"conditional": false', "not a super-resolution network"),
                ('"channel_multiplier": [1, 2, 4]', '"channel_multiplier": [1, 2, 2]', "does not fit"),
                ('"res_blocks": 2', '"res_blocks": 1', "does not fit"),
                ('"unet"', '"net"', "has no 'unet'"),
                ('"which_model_G"', 'which_model_G', "is no JSON")):
            assert there in CONFIG
            assert reason in self.convert(CONFIG.replace(there, here))
            assert not os.path.exists(self.model)


def close(found, expected):
    difference = (found - expected).abs().max().item()
    print(f"max difference {difference:.2e}, values {expected.min():.2f} to {expected.max():.2f}")
    assert found.shape == expected.shape and expected.std() > 0.05
    assert difference <= 1e-5, difference


if __name__ == "__main__":
    program, scripts, tiny, case = sys.argv[1:]
    sys.path.insert(0, scripts)
    import export_sr3
    with tempfile.TemporaryDirectory() as scratch:
        getattr(Case(scratch, program, tiny), f"case_{case}")()
