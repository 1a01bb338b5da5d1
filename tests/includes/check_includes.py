#!/usr/bin/env python3
"""check_includes.py ROOT: whether the sources keep to the rooms of CONTRIBUTING.md; lists what does
not.

It fails where a room includes a room above it, where a source lies in no room, where a room above
the engine asks for a device by its name, where the library names an option of the command line, and
where a file is too long. A public header belongs to the room that has its source.
"""
import re
import sys
from pathlib import Path

BELOW = {  # room -> the rooms that it may include beside itself; a public header counts as its room
    "base": (),
    "engine/graph": ("base",),
    "engine/cpu/simd": ("base",),
    "engine/cpu": ("engine/cpu/simd", "engine/graph", "base"),
    "engine/cuda/kernels": ("base",),
    "engine/cuda": ("engine/cuda/kernels", "engine/graph", "base"),
    "engine": ("engine/cpu", "engine/cuda", "base"),
    "method": ("engine", "base"),
    "models": ("method", "engine", "base"),
    "images": ("base",),
    "pipeline": ("models", "images", "method", "engine", "base"),
}
BELOW["batch"] = BELOW["evaluation"] = ("pipeline", *BELOW["pipeline"])
BELOW["benchmark"] = ("engine/cpu", "engine/cuda", *BELOW["batch"])
PUBLIC = {  # headers of include/srdiff without a source of their own
    "logging": "base", "metadata": "images", "image": "images",
}
INCLUDE = re.compile(r'^\s*#include "([^"]+)"', re.M)
DEVICE = re.compile(r"\bis_cpu\b|\bis_cuda\b|\bSRDIFF_CUDA\b")
OPTION = re.compile(r"--[a-z][\w-]*")
STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
MOST_LINES = 450


def room_of(name: str, root: Path) -> str:
    """The room of an included file: "base/file_io.h" or "srdiff/error.h"."""
    folder, _, file = name.rpartition("/")
    if folder != "srdiff":
        return folder
    stem = Path(file).stem
    found = [p.parent.relative_to(root / "src").as_posix() for p in (root / "src").rglob(stem + ".cc")]
    at_home = [room for room in found if "/" not in room]
    return PUBLIC.get(stem) or (at_home[0] if len(at_home) == 1 else f"no room has {stem}.cc alone")


def include_faults(path: Path, where: str, text: str, root: Path):
    room = room_of("srdiff/" + path.name, root) if where.startswith("include/") else \
        path.parent.relative_to(root / "src").as_posix()
    if room not in BELOW:
        yield f"{where}: lies in no room ({room})"
        return
    for name in INCLUDE.findall(text):
        other = room_of(name, root)
        if other != room and other not in BELOW[room]:
            yield f"{where}: {room} must not include {name} of {other}"


def faults_of(path: Path, root: Path):
    """What a file breaks, a message for each."""
    where = path.relative_to(root).as_posix()
    text = path.read_text(encoding="utf-8")
    if not where.startswith("apps/"):
        yield from include_faults(path, where, text, root)
    found = DEVICE.search(text)
    if found and not where.startswith("src/engine/"):
        yield f"{where}: {found[0]} is a question for engine/backend.h"
    if not where.startswith("apps/"):
        code = re.sub(r"//.*", "", text)
        for option in OPTION.findall(" ".join(STRING.findall(code))):
            yield f"{where}: names {option}, which is the command line's: see ErrorCode"
    lines = text.count("\n")
    if lines > MOST_LINES:
        yield f"{where}: {lines} lines; at most {MOST_LINES}"


def faults(root: Path):
    folders = [root / "src", root / "include/srdiff", root / "apps"]
    for path in sorted(p for folder in folders for p in folder.rglob("*.*")):
        if path.suffix not in (".h", ".cc", ".cu", ".cuh"):
            continue
        yield from faults_of(path, root)


if __name__ == "__main__":
    found = list(faults(Path(sys.argv[1])))
    print("\n".join(found) or "every include goes down")
    sys.exit(1 if found else 0)
