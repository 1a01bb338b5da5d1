#!/usr/bin/env python3
"""check_includes.py ROOT: which room of src/ includes which; fails where one includes upwards.

CONTRIBUTING.md draws the graph. A public header belongs to the room that has its source.
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
    "engine": ("engine/cpu", "engine/cuda", "engine/cuda/kernels", "base"),
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


def room_of(name: str, root: Path) -> str:
    """The room of an included file: "base/file_io.h" or "srdiff/error.h"."""
    folder, _, file = name.rpartition("/")
    if folder != "srdiff":
        return folder
    stem = Path(file).stem
    found = [p.parent.relative_to(root / "src").as_posix() for p in (root / "src").rglob(stem + ".cc")]
    at_home = [room for room in found if "/" not in room]
    return PUBLIC.get(stem) or (at_home[0] if len(at_home) == 1 else f"no room has {stem}.cc alone")


def faults(root: Path):
    for path in sorted([*(root / "src").rglob("*.*"), *(root / "include/srdiff").glob("*.h")]):
        if path.suffix not in (".h", ".cc", ".cu", ".cuh"):
            continue
        where = path.relative_to(root).as_posix()
        room = room_of("srdiff/" + path.name, root) if path.parent.name == "srdiff" else \
            path.parent.relative_to(root / "src").as_posix()
        if room not in BELOW:
            yield f"{where}: lies in no room ({room})"
            continue
        for name in INCLUDE.findall(path.read_text(encoding="utf-8")):
            other = room_of(name, root)
            if other != room and other not in BELOW[room]:
                yield f"{where}: {room} must not include {name} of {other}"


if __name__ == "__main__":
    found = list(faults(Path(sys.argv[1])))
    print("\n".join(found) or "every include goes down")
    sys.exit(1 if found else 0)
