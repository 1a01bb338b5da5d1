"""Folders that appear whole or not at all: model folders and feature networks."""
import contextlib
import hashlib
import json
import os
import shutil
import tempfile


def sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def write_json(path: str, document: dict):
    with open(path, "w") as file:
        json.dump(document, file, indent=2)
        file.write("\n")


@contextlib.contextmanager
def replacing(out: str):
    """Yields a new folder to fill, which then takes the place of `out` in one step."""
    out = os.path.abspath(out)
    os.makedirs(os.path.dirname(out), exist_ok=True)
    folder = tempfile.mkdtemp(prefix=".export-", dir=os.path.dirname(out))
    os.chmod(folder, 0o755)
    try:
        yield folder
        old = folder + ".old"
        if os.path.exists(out):
            os.rename(out, old)
        os.rename(folder, out)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def read_manifest(folder: str) -> dict:
    try:
        with open(os.path.join(folder, "manifest.json")) as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        raise SystemExit(f"{folder}: is no model folder: {error}")


def file_of(folder: str, manifest: dict, kind: str) -> str:
    """The TorchScript file of a model folder's network."""
    if kind not in manifest.get("files", {}):
        raise SystemExit(f"{folder}: has no {kind}")
    return os.path.join(folder, manifest["files"][kind]["path"])


def run_of(manifest: dict, kind: str) -> dict:
    """How a model folder's manifest says that a network was trained: images, steps, seconds, loss."""
    training = manifest.get("training", {})
    return {"images": training.get("images_seen", {}).get(kind, 0), "steps": 0, "seconds": 0.0, "loss": None,
            **training.get("runs", {}).get(kind, {})}
