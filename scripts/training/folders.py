"""Folders that appear whole or not at all: model folders and feature networks."""
import contextlib
import hashlib
import json
import os
import shutil
import signal
import tempfile
import threading


def sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def write_json(path: str, document: dict):
    with open(path, "w") as file:
        json.dump(document, file, indent=2)
        file.write("\n")


@contextlib.contextmanager
def signals_wait():
    """SIGINT and SIGTERM that come meanwhile take effect at the end.

    Blocking them in this thread would not do: the system would hand them to one of torch's threads."""
    if threading.current_thread() is not threading.main_thread():  # Python lets no other set handlers
        yield
        return
    came, handlers = [], {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            handlers[number] = signal.signal(number, lambda number, frame: came.append(number))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


@contextlib.contextmanager
def replacing(out: str):
    """Yields a new folder to fill, which then takes the place of `out` in one step; a link stays one."""
    out = os.path.realpath(out)
    os.makedirs(os.path.dirname(out), exist_ok=True)
    folder = tempfile.mkdtemp(prefix=".export-", dir=os.path.dirname(out))
    os.chmod(folder, 0o755)
    try:
        yield folder
        old = folder + ".old"
        with signals_wait():
            if os.path.exists(out):
                os.rename(out, old)
            try:
                os.rename(folder, out)
            except BaseException:
                if os.path.exists(old):
                    os.rename(old, out)
                raise
            shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def may_write(out: str, overwrite: bool):
    """Ends the program where `out` holds something: a model folder is replaced only when told so, others never."""
    if not os.path.exists(out) or (os.path.isdir(out) and not os.listdir(out)):
        return
    if not os.path.exists(os.path.join(out, "manifest.json")):
        raise SystemExit(f"{out}: is there and is no model folder; choose another name")
    if not overwrite:
        raise SystemExit(f"{out}: holds a model already; --overwrite replaces it")


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
