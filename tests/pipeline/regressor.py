#!/usr/bin/env python3
"""Networks of others as regressors, by export_regressor.py.

    regressor.py RUN_PIPELINE SCRIPTS_FOLDER TINY_MODEL CASE

The networks are TorchScript files made here, so that spandrel is not needed. Ends with 77 where torch
is not at hand.
"""
import json
import os
import shutil
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

from compare import cpp_run

sys.path.insert(1, os.path.join(os.path.dirname(__file__), os.pardir))
from support.script import run_script  # noqa: E402


class Local(torch.nn.Module):
    """Sees two pixels around, values from 0 to `top`."""

    def __init__(self, scale: int = 2, top: float = 1.0):
        super().__init__()
        self.scale = scale
        self.top = top
        self.register_buffer("kernel", torch.full((3, 1, 5, 5), 0.004))

    def forward(self, x):
        large = F.interpolate(x, scale_factor=float(self.scale), mode="bilinear", align_corners=False)
        softer = F.conv2d(large, self.kernel, None, 1, 2, 1, 3) + 0.9 * large
        return (0.95 * softer + 0.025 * self.top).clamp(0.0, self.top)  # paler, by the range that it takes


class Global(Local):
    """Its every pixel depends on the whole picture."""

    def forward(self, x):
        return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False) * (0.5 + x.mean())


class Patched(Local):
    """Takes sides that are multiples of 6 only."""

    def forward(self, x):
        n, c, h, w = x.shape
        patches = x.reshape(n, c, h // 6, 6, w // 6, 6).reshape(n, c, h, w)
        return F.interpolate(patches, scale_factor=2.0, mode="bilinear", align_corners=False)


class Run:
    def __init__(self, program: str, scripts: str, tiny: str, folder: str):
        self.program, self.scripts, self.folder = program, scripts, folder
        self.like = os.path.join(folder, "like")
        shutil.copytree(tiny, self.like)
        path = os.path.join(self.like, "manifest.json")
        with open(path) as file:
            manifest = json.load(file)
        manifest["tile"] = {"size": 16, "overlap": 4}
        with open(path, "w") as file:
            json.dump(manifest, file)
        os.mkdir(os.path.join(folder, "pictures"))
        for i in range(2):
            small = np.random.default_rng(i).integers(0, 256, (8, 10, 3), dtype=np.uint8)
            Image.fromarray(small).resize((160, 128), Image.BICUBIC).save(os.path.join(folder, "pictures", f"{i}.png"))

    def export(self, network, *options, out="own", name="net.pt"):
        """What the script says, and its status."""
        weights = os.path.join(self.folder, name)
        if network is not None:
            torch.jit.script(network.eval()).save(weights)
        status, said = run_script(
            os.path.join(self.scripts, "export_regressor.py"), weights, "--like", self.like,
            "--pictures", os.path.join(self.folder, "pictures"), "--out", os.path.join(self.folder, out), *options)
        return said, status

    def manifest(self, out="own"):
        with open(os.path.join(self.folder, out, "manifest.json")) as file:
            return json.load(file)

    def made(self, network, *options):
        said, status = self.export(network, *options)
        assert status == 0, said
        return said

    def refused(self, text, network, *options, **names):
        before = sorted(os.listdir(self.folder))
        said, status = self.export(network, *options, **names)
        assert status != 0 and text in said and "Traceback" not in said, said
        assert set(os.listdir(self.folder)) - set(before) <= {"net.pt"}, os.listdir(self.folder)


def same_pictures(run: Run):
    for top in (1.0, 255.0):
        said = run.made(Local(top=top), "--overwrite", "--licence", "WTFPL")
        assert f"values 0 to {top:.0f}" in said and "dB PSNR on 2 pictures, tiny's own " in said, said
        lr, _, output = cpp_run(run.program, os.path.join(run.folder, "own"), 1, {"t": 0}, 16, 12)
        expected = Local(top=top)((lr + 1) / 2 * top) / top * 2 - 1
        assert float((output - expected).abs().max()) < 1e-4, float((output - expected).abs().max())
    manifest = run.manifest()
    assert manifest["name"] == "own" and manifest["version"] == "net" and "WTFPL" in manifest["training"]["licence"]
    assert manifest["tile"] == {"size": 16, "overlap": 8} or manifest["tile"]["overlap"] >= 4, manifest["tile"]
    cpp_run(run.program, os.path.join(run.folder, "own"), 1, {"t": 300}, 16, 12)  # with the other networks
    with open(os.path.join(run.folder, "own", "MODEL_CARD.md")) as file:
        assert "WTFPL" in file.read()


def tiles(run: Run):
    said = run.made(Global())
    assert "takes no tiles: looks at the whole picture" in said and "tile" not in run.manifest(), said


def multiples(run: Run):
    run.made(Patched())
    assert run.manifest()["size_multiple"] == 12, run.manifest()["size_multiple"]  # of 6 and the model's 4
    assert run.manifest()["tile"]["size"] % 24 == 0
    cpp_run(run.program, os.path.join(run.folder, "own"), 1, {"t": 0}, 10, 14)


def refusals(run: Run):
    run.refused("where the model enlarges 2 times", Local(scale=3))
    with open(os.path.join(run.folder, "text.pth"), "w") as file:
        file.write("no weights")
    run.refused("text.pth: ", None, name="text.pth")
    run.refused("absent.pth: no such file", None, name="absent.pth")
    run.made(Local())
    run.refused("--overwrite replaces it", Local())
    shutil.rmtree(os.path.join(run.folder, "pictures"))
    run.refused("holds no picture", Local(), "--overwrite")


def main():
    program, scripts, tiny, case = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        {"same_pictures": same_pictures, "tiles": tiles, "multiples": multiples, "refusals": refusals}[case](
            Run(program, scripts, tiny, folder))


if __name__ == "__main__":
    main()
