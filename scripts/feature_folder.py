"""What the exporters of the networks of `srdiff eval` share: the folders that it takes.

For --features, manifest.json says how a picture becomes the network's input: 8-bit RGB / 255, resized
to size x size (align_corners=False), then (x - mean) / std; TorchScript [N,3,S,S] float32 -> [N,D].
"""
import os
import sys
import zipfile

import torch
from torch import nn

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "training"))

from folders import replacing, sha256, write_json  # noqa: E402


def load_weights(network: nn.Module, weights: dict, path: str, unused: str = "\0"):
    """Loads by name; only keys that start with `unused` may be left over. Exits otherwise."""
    result = network.load_state_dict(weights, strict=False)
    odd = [key for key in result.unexpected_keys if not key.startswith(unused)]
    missing = [key for key in result.missing_keys if not key.endswith("num_batches_tracked")]
    for what, keys in (("has no", missing), ("has an unknown", odd)):
        if keys:
            raise SystemExit(f"{path}: {what} {keys[0]}; these are not the weights of this network")


def drop_debug_members(path: str):
    """Source lines with this checkout's path: the file, and its hash, must not depend on it."""
    with zipfile.ZipFile(path) as archive:
        members = [(entry, archive.read(entry)) for entry in archive.infolist()
                   if not entry.filename.endswith(".debug_pkl")]
    with zipfile.ZipFile(path, "w") as archive:
        for entry, data in members:
            archive.writestr(zipfile.ZipInfo(entry.filename), data)


@torch.no_grad()
def write_network(folder: str, file: str, network: nn.Module, inputs: tuple, others: list) -> dict:
    """Writes a network as TorchScript, traced on `inputs`; its entry in a manifest. Exits unless what was
    written gives on all of `others`, tuples of inputs too, what the network gives."""
    path = os.path.join(folder, file)
    # As it is: folding batch normalisation into the convolutions saves next to no time, and the
    # features would no longer be the original's bit for bit.
    torch.jit.trace(network, inputs, check_trace=False).save(path)
    drop_debug_members(path)
    written = torch.jit.load(path)
    for other in others:
        expected = network(*other)
        error = (written(*other) - expected).norm() / expected.norm()
        if not error < 1e-5:
            raise SystemExit(f"{file}: the written network differs from the original by {error:.3g}")
    return {"path": file, "sha256": sha256(path)}


@torch.no_grad()
def write_feature_folder(out: str, network: nn.Module, manifest: dict):
    """Writes a network and its manifest, in which `dimensions` and `file` are filled in here."""
    size = manifest["input"]["size"]
    example = torch.rand(2, 3, size, size) * 2 - 1
    network.eval()
    dimensions = network(example).shape[1]
    with replacing(out) as folder:
        entry = write_network(folder, "features.pt", network, (example,), [(example[:1],)])
        write_json(os.path.join(folder, "manifest.json"),
                   {**manifest, "dimensions": dimensions, "file": entry})
    print(f"{out}: {manifest['name']}, {dimensions} dimensions")
