#!/usr/bin/env python3
"""The network of LPIPS, converted by export_lpips.py, against the published mathematics.

    lpips.py SRDIFF SCRIPTS_FOLDER CASE

The distance is written here a second time, on random weights in the layout of the published ones.
Ends with 77 where torch is not at hand.
"""
import csv
import json
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import torch
    import torch.nn.functional as F
    from PIL import Image
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

sys.path.insert(1, os.path.join(os.path.dirname(__file__), os.pardir))
from support.script import run_script  # noqa: E402

SIZES = ((31, 31), (64, 48), (70, 113), (100, 37), (16, 16))  # height, width; VGG16 alone takes the last

# Convolutions by their number in torchvision's `features`: inputs, outputs, side.
ALEX = {0: (3, 64, 11), 3: (64, 192, 5), 6: (192, 384, 3), 8: (384, 256, 3), 10: (256, 256, 3)}
VGG = {0: (3, 64, 3), 2: (64, 64, 3), 5: (64, 128, 3), 7: (128, 128, 3), 10: (128, 256, 3), 12: (256, 256, 3),
       14: (256, 256, 3), 17: (256, 512, 3), 19: (512, 512, 3), 21: (512, 512, 3), 24: (512, 512, 3),
       26: (512, 512, 3), 28: (512, 512, 3)}
WIDTHS = {"alex": [64, 192, 384, 256, 256], "vgg": [64, 128, 256, 512, 512]}
SHIFT, SCALE = (torch.tensor(values).view(1, 3, 1, 1) for values in ((-.030, -.088, -.188), (.458, .448, .450)))


def random_weights(kind: str):
    """Two state dicts: torchvision's, and that of the layers."""
    torch.manual_seed(5)
    backbone = {}
    for number, (inputs, outputs, side) in (ALEX if kind == "alex" else VGG).items():
        backbone[f"features.{number}.weight"] = torch.randn(outputs, inputs, side, side) / (inputs * side**2 / 2) ** 0.5
        backbone[f"features.{number}.bias"] = torch.randn(outputs) * 0.1
    backbone["classifier.1.weight"] = torch.zeros(4, 4)
    lins = {f"lin{i}.model.1.weight": torch.rand(1, width, 1, 1) for i, width in enumerate(WIDTHS[kind])}
    return backbone, lins


def layers_of(kind: str, weights: dict, x):
    """The values that LPIPS compares, of torchvision's network."""
    def conv(x, number, stride=1, padding=1):
        return F.relu(F.conv2d(x, weights[f"features.{number}.weight"], weights[f"features.{number}.bias"], stride,
                               padding))
    if kind == "alex":
        layers = [conv(x, 0, 4, 2)]
        layers.append(conv(F.max_pool2d(layers[-1], 3, 2), 3, 1, 2))
        layers.append(conv(F.max_pool2d(layers[-1], 3, 2), 6))
        layers.append(conv(layers[-1], 8))
        return layers + [conv(layers[-1], 10)]
    layers = []
    for block in ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28)):
        x = F.max_pool2d(layers[-1], 2, 2) if layers else x
        for number in block:
            x = conv(x, number)
        layers.append(x)
    return layers


def published(kind: str, backbone: dict, lins: dict, a, b) -> float:
    of_a, of_b = (layers_of(kind, backbone, (x - SHIFT) / SCALE) for x in (a, b))
    distance = 0.0
    for i, (x, y) in enumerate(zip(of_a, of_b)):
        x, y = (values / (torch.sqrt(torch.sum(values ** 2, 1, keepdim=True)) + 1e-10) for values in (x, y))
        distance += F.conv2d((x - y) ** 2, lins[f"lin{i}.model.1.weight"]).mean().item()
    return distance


class Case:
    def __init__(self, folder: str, program: str, scripts: str):
        self.folder, self.program, self.scripts = folder, program, scripts
        os.chdir(folder)
        os.environ["SRDIFF_FEATURES"] = os.path.join(folder, "features")

    def export(self, *words):
        return run_script(os.path.join(self.scripts, "export_lpips.py"), *words)

    def exported(self, kind: str, out: str, name: str = "random"):
        backbone, lins = random_weights(kind)
        torch.save(backbone, "backbone.pth")
        torch.save(lins, "lins.pth")
        status, said = self.export("--backbone", "backbone.pth", "--lin", "lins.pth", "--name", name, "--out", out)
        assert status == 0, said
        return backbone, lins

    def pictures(self, sizes):
        for number, (height, width) in enumerate(sizes):
            random = np.random.default_rng(number)
            a = random.integers(0, 256, (height, width, 3))
            b = np.clip(a + random.normal(0, 10 + 20 * number, a.shape), 0, 255)
            for folder, values in (("a", a), ("b", b)):
                os.makedirs(folder, exist_ok=True)
                Image.fromarray(values.astype(np.uint8)).save(f"{folder}/{number}.png")

    def evaluate(self, *words):
        done = subprocess.run([self.program, "eval", "--quiet", "--json", "--reference", "a", "--output", "b",
                               "--csv", "each.csv", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return done.returncode, done.stderr, json.loads(done.stdout) if done.stdout else None

    def same_figures(self, kind: str, words: tuple, backbone: dict, lins: dict):
        """The tool's figure of each picture, and their mean, to 1e-5."""
        status, said, document = self.evaluate(*words)
        assert status == 0, said
        values = []
        with open("each.csv") as file:
            for row in csv.DictReader(file):
                a, b = (torch.from_numpy(np.asarray(Image.open(f"{folder}/{row['image']}.png"), np.float32))
                        .permute(2, 0, 1)[None] / 127.5 - 1 for folder in "ab")
                values.append(published(kind, backbone, lins, a, b))
                print(f"{kind} {tuple(a.shape[2:])}: {float(row['lpips']):.7f} here, {values[-1]:.7f} published")
                assert abs(float(row["lpips"]) - values[-1]) <= 1e-5
        figure = document["figures"]["lpips"]
        assert len(values) == document["images"] and 0.01 < min(values) and max(values) > 2 * min(values), values
        assert abs(figure["value"] - np.mean(values)) <= 1e-5 and figure["better"] == "lower", figure
        return document

    def case_alex(self):
        backbone, lins = self.exported("alex", "features/lpips-alex")  # where it is looked for
        self.pictures(SIZES[:4])
        document = self.same_figures("alex", ("--metrics", "lpips"), backbone, lins)
        assert document["figures"]["lpips"]["name"] == "LPIPS (random)" and document["lpips"]["version"] == "0.1"
        self.pictures(SIZES)
        status, said, _ = self.evaluate("--metrics", "lpips")
        assert status == 1 and "4.png: a picture of 16x16 pixels is too small for LPIPS (random)" in said, said

    def case_vgg(self):
        backbone, lins = self.exported("vgg", "vgg")
        self.pictures(SIZES[1:])
        self.same_figures("vgg", ("--lpips", "./vgg"), backbone, lins)

    def case_package(self):
        """The package's state dict gives the network that both files give."""
        backbone, lins = self.exported("alex", "both")
        slices = {0: 1, 3: 2, 6: 3, 8: 4, 10: 5}
        state = {"scaling_layer.shift": SHIFT, "scaling_layer.scale": SCALE, **lins}
        for name, value in backbone.items():
            words = name.split(".")
            if words[0] == "features":
                state[f"net.slice{slices[int(words[1])]}.{words[1]}.{words[2]}"] = value
        for name, value in lins.items():
            state[name.replace("lin", "lins.", 1)] = value
        torch.save(state, "state.pth")
        status, said = self.export("--weights", "state.pth", "--name", "random", "--out", "state")
        assert status == 0, said
        pair = torch.rand(2, 1, 3, 50, 60).mul(2).sub(1).unbind()
        one, other = (torch.jit.load(f"{folder}/lpips.pt")(*pair) for folder in ("both", "state"))
        assert torch.equal(one, other) and one.shape == (1,) and one > 0.05, (one, other)

    def case_refusals(self):
        self.exported("alex", "good")
        before = sorted(os.listdir("."))
        backbone, lins = random_weights("vgg")
        torch.save(backbone, "vgg.pth")
        torch.save({**lins, "lin5.model.1.weight": lins["lin4.model.1.weight"]}, "six.pth")
        torch.save({name: value for name, value in lins.items() if "lin3" not in name}, "four.pth")
        with open("text.pth", "w") as file:
            file.write("no weights")
        files = ("--backbone", "backbone.pth", "--lin", "lins.pth")
        for words, reason in (
                (files, "give a --name"),
                (("--backbone", "vgg.pth", "--lin", "lins.pth", "--name", "x"), "lins.pth: lins.1.weight is [1, 192"),
                (("--backbone", "vgg.pth", "--lin", "four.pth", "--name", "x"), "has no lins.3.weight"),
                (("--backbone", "vgg.pth", "--lin", "six.pth", "--name", "x"), "has an unknown lins.5.weight"),
                (("--backbone", "lins.pth", "--lin", "lins.pth", "--name", "x"), "not the weights of torchvision's"),
                (("--backbone", "vgg.pth", "--lin", "vgg.pth", "--name", "x"), "has an unknown features.0.weight"),
                (("--weights", "vgg.pth", "--name", "x"), "vgg.pth: is no state dict of LPIPS 0.1"),
                (("--weights", "text.pth", "--name", "x"), "text.pth: holds no weights"),
                (("--weights", "absent.pth", "--name", "x"), "absent.pth: No such file"),
                ((*files, "--weights", "text.pth"), "name --backbone and --lin, or --weights")):
            status, said = self.export(*words, "--out", "out")
            assert status != 0 and reason in said and "Traceback" not in said, said
        assert set(os.listdir(".")) - set(before) == {"vgg.pth", "six.pth", "four.pth", "text.pth"}, os.listdir(".")


if __name__ == "__main__":
    program, scripts, case = sys.argv[1:]
    with tempfile.TemporaryDirectory() as scratch, torch.no_grad():
        getattr(Case(scratch, program, scripts), f"case_{case}")()
