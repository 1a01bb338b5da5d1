#!/usr/bin/env python3
"""Makes the network of LPIPS, version 0.1, of its published weights.

    export_lpips.py --backbone alexnet-owt-7be5be79.pth --lin alex.pth --out features/lpips-alex
    export_lpips.py --backbone vgg16-397923af.pth --lin vgg.pth --out features/lpips-vgg
    export_lpips.py --weights state.pth --name lpips-alex --out features/lpips-alex
    srdiff eval --metrics lpips ...

Bring the weights yourself: the backbone is torchvision's for ImageNet, and the weights of its layers lie
in weights/v0.1 of github.com/richzhang/PerceptualSimilarity and of its package lpips on PyPI. In place
of both, --weights takes the state dict of that package's LPIPS. Which network it is shows in the weights.
Weights that are not known to be the published ones need a --name of their own: it stands in the figures.
"""
import argparse
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "training"))

from needs import need  # noqa: E402

need("torch")

import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from feature_folder import load_weights, sha256, write_network  # noqa: E402
from folders import replacing, write_json  # noqa: E402

# What red, green and blue in [-1,1] become is nearly what the backbones were trained on.
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


class Backbone:
    """The layers of a network for ImageNet, as torchvision numbers them: convolution, ReLU, pooling.

    layers    outputs of a convolution, which a ReLU follows, or "pool"
    first     side, stride and padding of the first convolution's kernel; `kernels` the later ones' sides
    taps      the ReLUs whose values LPIPS compares
    min_side  the smallest picture of which all of them have values
    known     starts of the SHA-256 of torchvision's files, as in their names, and that of the lin weights
    """

    def __init__(self, layers, first, kernels, pool, taps, min_side, known, known_lin):
        self.layers, self.first, self.kernels, self.pool = layers, first, kernels, pool
        self.taps, self.min_side, self.known, self.known_lin = taps, min_side, known, known_lin

    def modules(self) -> nn.Sequential:
        modules, inputs, later = [], 3, iter(self.kernels)
        for outputs in self.layers:
            if outputs == "pool":
                modules.append(nn.MaxPool2d(self.pool, 2))
                continue
            if inputs == 3:
                side, stride, padding = self.first
            else:
                side, stride = next(later), 1
                padding = side // 2
            modules += [nn.Conv2d(inputs, outputs, side, stride, padding), nn.ReLU()]
            inputs = outputs
        return nn.Sequential(*modules)

    def widths(self) -> list:
        return [module.out_channels for module in self.modules() if isinstance(module, nn.Conv2d)]


BACKBONES = {
    "alex": Backbone([64, "pool", 192, "pool", 384, 256, 256], (11, 4, 2), [5, 3, 3, 3], 3, [1, 4, 7, 9, 11], 31,
                     ("7be5be79", "4df8aa71"), "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0"),
    "vgg": Backbone([64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512],
                    (3, 1, 1), [3] * 12, 2, [3, 8, 15, 22, 29], 16,
                    ("397923af",), "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868"),
}


class Lpips(nn.Module):
    """Two batches of pictures [N,3,H,W], RGB in [-1,1] -> [N]: Zhang et al. 2018 (arXiv 1801.03924), equation 1."""

    def __init__(self, backbone: Backbone):
        super().__init__()
        self.features, self.taps = backbone.modules(), backbone.taps
        widths = [self.features[tap - 1].out_channels for tap in self.taps]
        self.lins = nn.ModuleList([nn.Conv2d(width, 1, 1, bias=False) for width in widths])
        self.register_buffer("shift", torch.tensor(SHIFT).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(SCALE).view(1, 3, 1, 1), persistent=False)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        x = (torch.cat([a, b]) - self.shift) / self.scale
        layers = []
        for index, module in enumerate(self.features):
            x = module(x)
            if index in self.taps:
                of_a, of_b = (x / (x.pow(2).sum(1, keepdim=True).sqrt() + 1e-10)).chunk(2)
                layers.append(self.lins[len(layers)]((of_a - of_b).pow(2)).mean(dim=(1, 2, 3)))
        return torch.stack(layers).sum(0)


def read(path: str) -> dict:
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise SystemExit(f"{path}: {error.strerror or error}")
    except Exception as error:  # pickle's, of what is no file of weights
        raise SystemExit(f"{path}: holds no weights that torch.load takes ({type(error).__name__})")
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise SystemExit(f"{path}: is no state dict")
    return weights


def of_package(weights: dict, path: str) -> dict:
    """A state dict of the package's LPIPS, by torchvision's names and lin0 to lin4."""
    for name, expected in (("scaling_layer.shift", SHIFT), ("scaling_layer.scale", SCALE)):
        if name not in weights or not torch.allclose(weights[name].flatten(), torch.tensor(expected)):
            raise SystemExit(f"{path}: is no state dict of LPIPS 0.1 ({name})")
    result = {}
    for name, value in weights.items():
        words = name.split(".")
        if words[0] == "net":  # net.slice2.3.weight
            result[".".join(["features", *words[2:]])] = value
        elif words[0].startswith("lin") and words[0] != "lins":  # of lins.0 the package has lin0 too
            result[name] = value
    return result


def kind_of(weights: dict, path: str) -> str:
    """Which backbone's these are."""
    widths = [value.shape[0] for name, value in weights.items() if name.startswith("features.") and value.dim() == 4]
    for kind, backbone in BACKBONES.items():
        if widths == backbone.widths():
            return kind
    raise SystemExit(f"{path}: are not the weights of torchvision's AlexNet or VGG16")


def lins_of(weights: dict, path: str) -> dict:
    """The weights of LPIPS's layers, lin0.model.1.weight and so on, by our names."""
    result = {}
    for name, value in weights.items():
        match = re.fullmatch(r"lin(\d+)\.model\.1\.weight", name)
        if not match:
            raise SystemExit(f"{path}: has an unknown {name}; these are not the weights of LPIPS's layers")
        result[f"lins.{match[1]}.weight"] = value
    return result


def network_of(kind: str, features: dict, path: str, lins: dict, lin_path: str) -> Lpips:
    network = Lpips(BACKBONES[kind])
    state = network.state_dict()
    for weights, source in ((features, path), (lins, lin_path)):
        for name, value in weights.items():
            if name in state and value.shape != state[name].shape:
                raise SystemExit(f"{source}: {name} is {list(value.shape)} where LPIPS of {kind} has "
                                 f"{list(state[name].shape)}")
    load_weights(network, {**features, **lins}, path if path == lin_path else f"{path} and {lin_path}",
                 unused="classifier.")
    return network.eval()


@torch.no_grad()
def write_folder(out: str, network: Lpips, min_side: int, manifest: dict):
    def pair(count, height, width):
        return torch.rand(2, count, 3, height, width).mul(2).sub(1).unbind()

    with replacing(out) as folder:
        entry = write_network(folder, "lpips.pt", network, pair(2, 64, 64),
                              [pair(1, min_side, min_side), pair(3, 70, 93)])
        write_json(os.path.join(folder, "manifest.json"),
                   {"kind": "lpips", **manifest, "min_side": min_side, "file": entry})
    print(f"{out}: {manifest['name']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", help="torchvision's AlexNet or VGG16")
    parser.add_argument("--lin", help="the weights of its layers, version 0.1")
    parser.add_argument("--weights", help="in place of both: a state dict of the package lpips")
    parser.add_argument("--out", required=True, help="folder to write")
    parser.add_argument("--name", help="name in figures (lpips-alex, lpips-vgg for the published weights)")
    args = parser.parse_args()
    if (args.weights is None) == (args.backbone is None) or (args.backbone is None) != (args.lin is None):
        parser.error("name --backbone and --lin, or --weights")
    if args.weights:
        path = lin_path = args.weights
        weights = of_package(read(path), path)
        features = {name: value for name, value in weights.items() if name.startswith("features.")}
        lins = lins_of({name: value for name, value in weights.items() if name not in features}, path)
    else:
        path, lin_path = args.backbone, args.lin
        features, lins = read(path), lins_of(read(lin_path), lin_path)
    kind = kind_of(features, path)
    backbone = BACKBONES[kind]
    known = path != lin_path and sha256(path).startswith(backbone.known) and sha256(lin_path) == backbone.known_lin
    if not known and args.name is None:
        raise SystemExit(f"{path}: not known to be LPIPS's published weights (by the SHA-256 of torchvision's file "
                         "and of the layers' weights); give a --name, which the figures have")
    network = network_of(kind, features, path, lins, lin_path)
    files = " and ".join(dict.fromkeys(os.path.basename(name) for name in (path, lin_path)))
    write_folder(args.out, network, backbone.min_side, {
        "name": args.name or f"lpips-{kind}", "version": "0.1", "source": files,
        "licence": "BSD-3-Clause (torchvision), BSD-2-Clause (LPIPS)" if known else "not stated",
    })


if __name__ == "__main__":
    main()
