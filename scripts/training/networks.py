"""The three networks: regressor, weight map and denoiser.

All tensors are NCHW. Images are RGB float32 in [-1, 1] on the way in and out, whatever the
precision of the weights: a network casts its input to the type of its weights and returns float32.
Every class compiles with torch.jit.script and can be flattened (flatten.py); no size is baked in.
"""
import math
from typing import List, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from flatten import named_as


def positions(count: int, like: Tensor) -> Tensor:
    """0, 1, ... count - 1 on the device of `like`."""
    return torch.arange(count, dtype=torch.float32, device=like.device)


fx.wrap("positions")


class NoiseLevelEncoding(nn.Module):
    """Sinusoids of the noise level sqrt(alpha_bar) [N] -> [N, dim], always in float32.

    kind "sr3" encodes the level itself, as the public SR3 does. kind "logsnr" encodes half its log
    signal-to-noise ratio, which still tells the small noise levels apart (sqrt(alpha_bar) is 0.89
    at t = 300 and 1 at t = 0: next to no change).
    """

    def __init__(self, dim: int, kind: str = "sr3"):
        super().__init__()
        if kind not in ("sr3", "logsnr"):
            raise ValueError(f"noise_encoding: {kind!r} is neither 'sr3' nor 'logsnr'")
        self.count = dim // 2
        self.logsnr = kind == "logsnr"

    def forward(self, noise_level: Tensor) -> Tensor:
        level = noise_level.float()
        if self.logsnr:
            variance = (1.0 - level * level).clamp(1e-7, 1.0)
            level = 4.0 * (torch.log(level.clamp(min=1e-4)) - 0.5 * torch.log(variance))
        step = positions(self.count, level) / self.count
        angle = level.unsqueeze(1) * torch.exp(-math.log(1e4) * step).unsqueeze(0)
        return torch.cat([torch.sin(angle), torch.cos(angle)], dim=-1)


class CastLinear(nn.Linear):
    """A linear layer that takes float32 and computes in the type of its weights."""

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input.to(self.weight.dtype), self.weight, self.bias)


class NoiseAffine(nn.Module):
    """Adds a per-channel offset computed from the noise-level embedding."""

    def __init__(self, embedding: int, channels: int):
        super().__init__()
        self.noise_func = nn.Sequential(nn.Linear(embedding, channels))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        return x + self.noise_func(embedding).unsqueeze(-1).unsqueeze(-1)


class PixelNorm(nn.Module):
    """Layer norm over the channels of each position. Group norm takes its statistics from the whole
    image, so that a tile's result depends on all of the tile; with this norm a network stays local."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        channels_last = x.permute(0, 2, 3, 1)
        y = F.layer_norm(channels_last, [x.shape[1]], self.weight.to(x.dtype), self.bias.to(x.dtype), 1e-6)
        return y.permute(0, 3, 1, 2)


def norm_layer(groups: int, channels: int) -> nn.Module:
    """Group norm, or with 0 groups one that looks at single positions."""
    return nn.GroupNorm(groups, channels) if groups > 0 else PixelNorm(channels)


class Block(nn.Module):
    """Norm, SiLU, dropout, 3x3 convolution."""

    def __init__(self, channels: int, out: int, groups: int, dropout: float = 0.0, zero: bool = False):
        super().__init__()
        self.block = nn.Sequential(
            norm_layer(groups, channels),
            nn.SiLU(),
            nn.Dropout(dropout) if dropout > 0 else nn.Identity(),
            nn.Conv2d(channels, out, 3, padding=1),
        )
        if zero:
            nn.init.zeros_(self.block[3].weight)
            nn.init.zeros_(self.block[3].bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.block(x)


class ResidualBlock(nn.Module):
    has_noise: torch.jit.Final[bool]  # a constant, so that scripting drops the branch not taken

    def __init__(self, channels: int, out: int, embedding: int, groups: int, dropout: float):
        super().__init__()
        self.has_noise = embedding > 0
        self.noise_func = NoiseAffine(embedding, out) if embedding > 0 else nn.Identity()
        self.block1 = Block(channels, out, groups)
        self.block2 = Block(out, out, groups, dropout, zero=True)
        self.res_conv = nn.Conv2d(channels, out, 1) if channels != out else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = self.block1(x)
        if self.has_noise:
            h = self.noise_func(h, embedding)
        return self.block2(h) + self.res_conv(x)


class SelfAttention(nn.Module):
    """Attention over all positions; one head of all channels as in SR3, or heads of head_dim."""

    def __init__(self, channels: int, groups: int, head_dim: int = 0):
        super().__init__()
        if head_dim > 0 and channels % head_dim:
            raise ValueError(f"{channels} channels do not divide into heads of {head_dim}")
        self.heads = channels // head_dim if head_dim > 0 else 1
        self.dim = channels // self.heads
        self.norm = norm_layer(groups, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.size(0), x.size(1), x.size(2), x.size(3)
        qkv = self.qkv(self.norm(x)).reshape([n * self.heads, 3 * self.dim, h * w])
        parts = qkv.chunk(3, dim=1)
        query, key, value = parts[0], parts[1], parts[2]
        weight = torch.softmax(torch.bmm(query.transpose(1, 2), key) / math.sqrt(self.dim), dim=-1)
        y = torch.bmm(value, weight.to(value.dtype).transpose(1, 2)).reshape([n, c, h, w])
        return self.out(y) + x


# The layers of `downs`, `mid` and `ups` share one signature, so that a scripted loop can run them:
# `skips` is the stack of features that the way down leaves for the way up.


class InputConv(nn.Conv2d):
    def forward(self, input: Tensor, embedding: Tensor, skips: List[Tensor]) -> Tensor:
        x = F.conv2d(input.to(self.weight.dtype), self.weight, self.bias, padding=1)
        skips.append(x)
        return x


class Downsample(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor, embedding: Tensor, skips: List[Tensor]) -> Tensor:
        x = self.conv(x)
        skips.append(x)
        return x


class Upsample(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, embedding: Tensor, skips: List[Tensor]) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Stage(nn.Module):
    """A residual block and, if asked for, attention. `way` is "down", "middle" or "up"."""

    def __init__(self, channels: int, out: int, embedding: int, groups: int, dropout: float,
                 attention: bool, head_dim: int, way: str):
        super().__init__()
        self.push = way == "down"
        self.pop = way == "up"
        self.res_block = ResidualBlock(channels, out, embedding, groups, dropout)
        self.attend = attention
        self.attn = SelfAttention(out, groups, head_dim) if attention else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor, skips: List[Tensor]) -> Tensor:
        if self.pop:
            x = torch.cat([x, skips.pop()], dim=1)
        x = self.res_block(x, embedding)
        if self.attend:
            x = self.attn(x)
        if self.push:
            skips.append(x)
        return x


class UNet(nn.Module):
    """The U-Net of SR3. With the default options its parameter names are those of the public
    implementation (Janspiry/Image-Super-Resolution-via-Iterative-Refinement), so that its
    weights load; the options below are this project's.

    grid       works on grid x grid patches of pixels as channels (1: on pixels)
    widths     channels of each level, instead of inner x multipliers
    res_blocks residual blocks of each level on the way down, one more on the way up; a list gives each
               level its own number, 0 for a level that only hands its input on to the way up
    attention  indices of the levels that attend (0 is the finest)
    head_dim   channels of an attention head, 0 for a single head
    norm_groups    groups of group norm; 0: a norm over the channels of each position
    mid_attention  the coarsest level attends in the middle, as SR3's does

    Without attention and with norm_groups 0 the network is local: what lies further than its
    receptive field does not matter, so that tiles fit together.
    """

    def __init__(self, in_channels: int, out_channels: int, inner: int, widths: List[int],
                 res_blocks: Union[int, List[int]] = 2, attention: List[int] = (), norm_groups: int = 32,
                 dropout: float = 0.0, grid: int = 1, head_dim: int = 0, noise: bool = True,
                 noise_encoding: str = "sr3", mid_attention: bool = True):
        super().__init__()
        self.grid = grid
        self.size_multiple = grid * 2 ** (len(widths) - 1)
        self.res_blocks = [res_blocks] * len(widths) if isinstance(res_blocks, int) else list(res_blocks)
        if len(self.res_blocks) != len(widths):
            raise ValueError(f"{len(widths)} widths need as many res_blocks, not {len(self.res_blocks)}")
        embedding = inner if noise else 0
        if noise:
            self.noise_level_mlp = nn.Sequential(
                NoiseLevelEncoding(inner, noise_encoding), CastLinear(inner, 4 * inner),
                nn.SiLU(), nn.Linear(4 * inner, inner))
        else:
            self.noise_level_mlp = nn.Identity()

        def stage(channels: int, out: int, attend: bool, way: str) -> Stage:
            return Stage(channels, out, embedding, norm_groups, dropout, attend, head_dim, way)

        current, features = inner, [inner]
        downs: List[nn.Module] = [InputConv(in_channels * grid * grid, inner, 3, padding=1)]
        for level, width in enumerate(widths):
            for _ in range(self.res_blocks[level]):
                downs.append(stage(current, width, level in attention, "down"))
                features.append(width)
                current = width
            if level + 1 < len(widths):
                downs.append(Downsample(current))
                features.append(current)
        self.downs = nn.ModuleList(downs)
        self.mid = nn.ModuleList([stage(current, current, mid_attention, "middle"),
                                  stage(current, current, False, "middle")])
        ups: List[nn.Module] = []
        for level in reversed(range(len(widths))):
            for _ in range(self.res_blocks[level] + 1):
                ups.append(stage(current + features.pop(), widths[level], level in attention, "up"))
                current = widths[level]
            if level > 0:
                ups.append(Upsample(current))
        self.ups = nn.ModuleList(ups)
        self.final_conv = Block(current, out_channels * grid * grid, norm_groups, zero=True)

    def body(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Images [N,in_channels,H,W] and the noise level's embedding [N,inner] -> images in float32."""
        skips: List[Tensor] = []
        if self.grid > 1:
            x = F.pixel_unshuffle(x, self.grid)
        for layer in self.downs:
            x = layer(x, embedding, skips)
        for layer in self.mid:
            x = layer(x, embedding, skips)
        for layer in self.ups:
            x = layer(x, embedding, skips)
        x = self.final_conv(x).float()
        if self.grid > 1:
            x = F.pixel_shuffle(x, self.grid)
        return x


def per_image(scale: Tensor) -> Tensor:
    """[N] -> [N,1,1,1]"""
    return scale.reshape(-1, 1, 1, 1)


class Denoiser(UNet):
    """(condition, x_t) [N,3,H,W] and the noise level sqrt(alpha_bar_t) [N] -> eps, x0 or v.

    With residual_std > 0 it returns x0, preconditioned as in Karras et al. (arXiv 2206.00364,
    table 1) on the residual r = x0 - condition, whose standard deviation that is: the network
    corrects the best linear estimate of r from r + sigma * noise, sigma = sqrt(1 - ab) / sqrt(ab).
    Untrained it already returns that estimate, near the condition where there is much noise and
    near x_t where there is little.

    calibrate() is for sampling, not for training: the errors of earlier steps are noise that x_t has
    beside its own, so that a network that takes away as much as x_t should have leaves speckles.

    `methods` are the parts of the forward pass. In an exported file each is a TorchScript method of its own
    (flatten.py), which the engine calls by name (docs/MODELS.md): what depends on the noise level alone is
    then computed once a level, and the two ends have kernels of their own on a GPU.
    """

    methods = ("encode_noise_level", "prepare_input", "body", "finish_output")

    def __init__(self, residual_std: float = 0.0, **options):
        super().__init__(6, 3, **options)
        self.residual_std = residual_std
        self.noise_scale = 1.0
        self.noise_scale_below = 0.0

    def calibrate(self, noise_scale: float, below: float):
        """Multiplies the noise that is found in x_t where sqrt(1 - ab) / sqrt(ab) < below, as in Ning et al.
        (arXiv 2308.15321), whose factor is below 1."""
        if self.residual_std <= 0.0:
            raise ValueError("only a denoiser with residual_std is calibrated")
        self.noise_scale, self.noise_scale_below = noise_scale, below

    def encode_noise_level(self, noise_level: Tensor) -> Tuple[Tensor, Tensor]:
        """All that depends on the noise level alone: the embedding [N,inner], and the scales [4,N] in float32:
        a = sqrt(alpha_bar), c_in, c_skip and c_out of that table; [0,N] without residual_std."""
        embedding = self.noise_level_mlp(noise_level)
        if self.residual_std <= 0.0:
            return embedding, noise_level.new_zeros([0, noise_level.size(0)])
        a = noise_level.float().clamp(min=1e-4)
        variance = (1.0 - a * a).clamp(min=1e-7) / (a * a)
        total = variance + self.residual_std * self.residual_std
        c_skip = self.residual_std * self.residual_std / total
        c_out = self.residual_std * (variance / total).sqrt()
        if self.noise_scale != 1.0:
            # x0 - more * (x_t / a - x0), the noise found being x_t / a - x0, is x0 with these two scales.
            more = (self.noise_scale - 1.0) * ((1.0 - a * a).sqrt() / a < self.noise_scale_below).float()
            c_skip = (1.0 + more) * c_skip - more
            c_out = (1.0 + more) * c_out
        return embedding, torch.stack([a, total.rsqrt(), c_skip, c_out])

    def prepare_input(self, condition: Tensor, x_t: Tensor, scales: Tensor) -> Tensor:
        """What the body reads [N,6,H,W]: condition and c_in * (x_t / a - condition), or condition and x_t."""
        if self.residual_std <= 0.0:
            return torch.cat([condition, x_t], dim=1)
        base = condition.float()
        residual = x_t.float() / per_image(scales[0]) - base
        return torch.cat([base, per_image(scales[1]) * residual], dim=1)

    def finish_output(self, found: Tensor, condition: Tensor, x_t: Tensor, scales: Tensor) -> Tensor:
        """condition + c_skip * (x_t / a - condition) + c_out * found, or what the body found itself."""
        if self.residual_std <= 0.0:
            return found
        base = condition.float()
        residual = x_t.float() / per_image(scales[0]) - base
        return base + per_image(scales[2]) * residual + per_image(scales[3]) * found

    def forward(self, condition: Tensor, x_t: Tensor, noise_level: Tensor) -> Tensor:
        encoded = self.encode_noise_level(noise_level)
        prepared = self.prepare_input(condition, x_t, encoded[1])
        return self.finish_output(self.body(prepared, encoded[0]), condition, x_t, encoded[1])


class WeightMap(UNet):
    """x_sr [N,3,H,W] -> W [N,1,H,W] in [0,1], the expected contrast-enhanced |x_0 - x_sr|."""

    def __init__(self, **options):
        super().__init__(3, 1, noise=False, **options)

    def forward(self, x_sr: Tensor) -> Tensor:
        return torch.sigmoid(self.body(x_sr, x_sr))


class PlainResidual(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.silu(self.conv1(F.silu(x))))


class Regressor(nn.Module):
    """lr [N,3,h,w] -> x_sr [N,3,s*h,s*w], the mean-squared-error estimate; not clamped.

    A residual over antialiased bicubic. A U-Net without normalisation on the low-resolution grid
    (widths, finest first; it sees the whole face) and a pixel-shuffle tail (tail: channels at
    twice, four times, ... the low resolution, up to half the full one).
    """

    def __init__(self, scale: int, widths: List[int], blocks: int, tail: List[int]):
        super().__init__()
        if 2 ** (len(tail) + 1) != scale:
            raise ValueError(f"scale {scale} needs log2({scale}) - 1 tail widths, not {len(tail)}")
        self.scale = scale
        self.size_multiple = 2 ** (len(widths) - 1)
        self.head = nn.Conv2d(3, widths[0], 3, padding=1)

        def body(width: int) -> nn.Module:
            return nn.Sequential(*[PlainResidual(width) for _ in range(blocks)])

        self.downs = nn.ModuleList([body(width) for width in widths])
        self.shrink = nn.ModuleList([nn.Conv2d(a, b, 3, stride=2, padding=1)
                                     for a, b in zip(widths, widths[1:])] + [nn.Identity()])
        self.merge = nn.ModuleList([nn.Conv2d(a + b, b, 1)
                                    for a, b in zip(widths[:0:-1], widths[-2::-1])])
        self.ups = nn.ModuleList([body(width) for width in widths[-2::-1]])
        stages: List[nn.Module] = []
        width = widths[0]
        for out in tail:
            stages += [nn.Conv2d(width, 4 * out, 3, padding=1), nn.PixelShuffle(2), PlainResidual(out)]
            width = out
        stages += [nn.SiLU(), nn.Conv2d(width, 12, 3, padding=1), nn.PixelShuffle(2)]
        nn.init.zeros_(stages[-2].weight)
        nn.init.zeros_(stages[-2].bias)
        self.tail = nn.Sequential(*stages)

    def forward(self, lr: Tensor) -> Tensor:
        x = self.head(lr.to(self.head.weight.dtype))
        skips: List[Tensor] = []
        for body, shrink in zip(self.downs, self.shrink):
            x = body(x)
            skips.append(x)
            x = shrink(x)
        skips.pop()
        for merge, body in zip(self.merge, self.ups):
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = body(merge(torch.cat([x, skips.pop()], dim=1)))
        size = [lr.shape[2] * self.scale, lr.shape[3] * self.scale]
        base = F.interpolate(lr.float(), size=size, mode="bicubic", align_corners=False, antialias=True)
        return base + self.tail(x).float()


class LocalRegressor(nn.Module):
    """lr [N,3,h,w] -> x_sr [N,3,s*h,s*w], the mean-squared-error estimate; not clamped.

    A residual over antialiased bicubic, as `Regressor`, but small and for photographs in tiles: residual
    blocks of plain 3x3 convolutions of one width at the low resolution, and one pixel shuffle. Of SPAN's
    size and shape (arXiv 2311.12770) without its gates, which cost more time than they save weights.
    """

    def __init__(self, scale: int, width: int, blocks: int):
        super().__init__()
        self.scale = scale
        self.size_multiple = 1
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.Sequential(*[PlainResidual(width) for _ in range(blocks)])
        self.tail = nn.Sequential(nn.SiLU(), nn.Conv2d(width, 3 * scale * scale, 3, padding=1), nn.PixelShuffle(scale))
        self.initialise()

    def initialise(self):
        """Features of about unit size, so that SiLU bends them, and branches that are alive from the start.

        With PyTorch's own, far smaller ones and branches that begin at zero, 4,800 crops reached 26.33 dB on
        24 photographs; so they reach 26.65."""
        def normal(conv: nn.Conv2d, gain: float):
            nn.init.normal_(conv.weight, std=gain / math.sqrt(conv.weight[0].numel()))
            nn.init.zeros_(conv.bias)

        normal(self.head, 1.5)
        for block in self.body:
            normal(block.conv1, math.sqrt(2.0))
            normal(block.conv2, 0.2 * math.sqrt(2.0))
        normal(self.tail[1], 0.0)

    def forward(self, lr: Tensor) -> Tensor:
        x = self.tail(self.body(self.head(lr.to(self.head.weight.dtype))))
        size = [lr.shape[2] * self.scale, lr.shape[3] * self.scale]
        base = F.interpolate(lr.float(), size=size, mode="bicubic", align_corners=False, antialias=True)
        return base + x.float()


def levels_of(layers: nn.ModuleList, change: type) -> List[List[nn.Module]]:
    """The stages of `downs` or `ups`, level by level in the order of the list; `change` parts the levels."""
    levels: List[List[nn.Module]] = [[]]
    for layer in layers:
        if isinstance(layer, change):
            levels.append([])
        elif isinstance(layer, Stage):
            levels[-1].append(layer)
    return levels


@torch.no_grad()
def pass_on(stage: Stage):
    """Makes a new stage return what reaches it, without the skip if it takes one: its second convolution
    and its attention's output are zero from the start, so that res_conv alone is left to set."""
    if isinstance(stage.res_block.res_conv, nn.Conv2d):
        weight = stage.res_block.res_conv.weight
        weight.zero_()
        weight[:, :weight.shape[0], 0, 0] = torch.eye(weight.shape[0])
        stage.res_block.res_conv.bias.zero_()


@torch.no_grad()
def grow(small: UNet, large: UNet):
    """Gives `large`, freshly built, what `small` has learned: net2net (Chen et al., arXiv 1511.05641) for
    this U-Net. Levels are matched from the coarsest, which must have the same widths. Blocks that `large`
    has beyond those of `small` hand their input on, exactly so where a level of `small` has one. A finer
    level of `large`, on a grid of half the cells' side, begins with new blocks, and its first two
    convolutions read what the input convolution of `small` read, as far as they reach."""
    def copy(source: nn.Module, target: nn.Module):
        target.load_state_dict(source.state_dict())

    extra = len(large.res_blocks) - len(small.res_blocks)
    if extra not in (0, 1) or large.grid << extra != small.grid:
        raise ValueError("a network grows by blocks, or by one finer level on half the grid")
    copy(small.noise_level_mlp, large.noise_level_mlp)
    copy(small.mid, large.mid)
    changes = [[layer for layer in net.downs if isinstance(layer, Downsample)] for net in (small, large)]
    for source, target in zip(changes[0], changes[1][extra:]):
        copy(source, target)
    changes = [[layer for layer in net.ups if isinstance(layer, Upsample)] for net in (small, large)]
    for source, target in zip(*changes):
        copy(source, target)
    for old, new in zip(levels_of(small.downs, Downsample), levels_of(large.downs, Downsample)[extra:]):
        for stage in new[len(old):]:
            pass_on(stage)
        for source, target in zip(old, new):
            copy(source, target)
    for old, new in zip(levels_of(small.ups, Upsample), levels_of(large.ups, Upsample)):
        for stage in new[len(old) - 1:-1]:
            pass_on(stage)
        for source, target in zip(old, new[:len(old) - 1] + new[-1:]):
            copy(source, target)
    if extra == 0:
        copy(small.downs[0], large.downs[0])
        copy(small.final_conv, large.final_conv)
        return
    # The finer input convolution hands the cells on; the one that halves them takes the weights for its 3x3 of
    # them: the 2x2 of this coarse cell and the nearer row and column of the neighbours above and to the left.
    cells = large.downs[0].weight.shape[1]
    if large.downs[0].weight.shape[0] < cells:
        raise ValueError(f"the finer level needs at least {cells} channels, those of its input")
    large.downs[0].weight[:cells] = 0
    large.downs[0].weight[:cells, :, 1, 1] = torch.eye(cells)
    large.downs[0].bias[:cells] = 0
    halve = next(layer for layer in large.downs if isinstance(layer, Downsample)).conv
    weight = small.downs[0].weight
    images = cells // large.grid ** 2
    weight = weight.view(weight.shape[0], images, 2, large.grid, 2, large.grid, 3, 3)  # half, pixel; by row, column
    halve.weight.zero_()
    halve.bias.copy_(small.downs[0].bias)
    for row, (half_row, cell_row) in enumerate([(1, 0), (0, 1), (1, 1)]):
        for column, (half_column, cell_column) in enumerate([(1, 0), (0, 1), (1, 1)]):
            part = weight[:, :, half_row, :, half_column, :, cell_row, cell_column]
            halve.weight[:, :cells, row, column] = part.reshape(part.shape[0], cells)


def build(kind: str, architecture: dict) -> nn.Module:
    """A network from the `architecture` object of its config section. A regressor of one "width" is the local one."""
    if kind == "regressor" and "width" in architecture:
        return LocalRegressor(**architecture)
    return {"regressor": Regressor, "weight_map": WeightMap, "denoiser": Denoiser}[kind](**architecture)


def stored(path: str, kind: str, architecture: dict) -> nn.Module:
    """The network, for inference, with the float32 copies of a model folder's TorchScript weights."""
    network = build(kind, architecture)
    weights = torch.jit.load(path, map_location="cpu").float().state_dict()
    network.load_state_dict(named_as(network, weights))
    return network.eval().requires_grad_(False)


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())
