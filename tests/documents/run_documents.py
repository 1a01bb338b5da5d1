#!/usr/bin/env python3
"""Runs the commands that a document shows, so that it cannot go out of date unnoticed.

    run_documents.py --srdiff PROGRAM --source REPOSITORY DOCUMENT...
    run_documents.py --check DOCUMENT...       only whether every block of commands is marked

A block of commands stands below one of these comments, which readers do not see:

    <!-- run -->                 in a scratch folder that holds what `inputs` makes
    <!-- not run: the reason -->

The blocks of one document run in order in one folder, each as a script that ends at its first error.
A document fails if a block with commands in it has no mark.
"""
import argparse
import os
import re
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

COMMAND = re.compile(r"((srdiff|cmake|export|apt-get|sbatch|parallel|find|python3|clang-format)\s|\./\S|scripts/\S|/usr/bin/|job=|#!/bin/)")
MARK = re.compile(r"<!-- (run|not run: (.*\S)) -->$")
LIMIT = 240  # seconds that a block may take, many times what one needs


def blocks(text: str):
    """(line number, mark or None, the lines) of each block of code, indented or fenced."""
    mark, code, begun, fenced = None, [], 0, False
    for number, line in enumerate([*text.split("\n"), "end"], 1):
        if line.startswith("```"):
            if not fenced:
                begun = number
            elif code:
                yield begun, mark, code
                mark, code = None, []
            fenced = not fenced
            continue
        if fenced or line.startswith("    "):
            begun = begun if code else number
            code.append(line if fenced else line[4:])
            continue
        if not line.strip():
            if code:
                code.append("")
            continue
        if code:
            yield begun, mark, code
            mark, code = None, []
        mark = MARK.match(line.strip())


def picture(path: Path, width: int, height: int, seed: int) -> None:
    """A PNG of soft colours, made here so that nothing but Python is needed."""
    rows = b"".join(b"\0" + bytes((seed * 40 + 5 * x + 3 * y * channel) % 200 + 20 for x in range(width) for channel in range(3))
                    for y in range(height))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks))


def inputs(folder: Path, source: Path, program: str, environment: dict) -> None:
    """What documents call photo.jpg, face.png, photos and so on."""
    for name in ("configs", "scripts", "models"):
        (folder / name).symlink_to(source / name)
    picture(folder / "in.png", 24, 20, 1)
    picture(folder / "face.png", 16, 16, 2)
    picture(folder / "photos/one.png", 20, 16, 3)
    picture(folder / "photos/trip/two.png", 16, 24, 4)
    for name in ("a.png", "b.png"):
        picture(folder / name, 32, 32, 5)
    for number in range(2):
        picture(folder / f"truth/{number}.png", 128, 128, 6 + number)
        picture(folder / f"upscaled/{number}.png", 128, 128, 8 + number)
    (folder / "srdiff.toml").write_text("[upscale]\nt = 300\n")
    # The tool writes the JPEGs, which Python alone cannot.
    picture(folder / "small.png", 12, 10, 9)
    for name in ("photo.jpg", "other.jpg"):
        subprocess.run([program, "upscale", "small.png", name, "--nfe", "1", "--quiet"], cwd=folder, check=True,
                       env=environment)
    (folder / "small.png").unlink()
    picture(folder / "mask.png", 96, 80, 10)  # of photo.jpg's size
    picture(folder / "masks/one.png", 20, 16, 11)
    stamp = folder / "last"
    stamp.touch()
    os.utime(stamp, (0, 0))


def unmarked(document: Path) -> list:
    return [f"{document}:{line}: commands without a mark: put <!-- run --> or <!-- not run: why --> above them"
            for line, mark, code in blocks(document.read_text()) if mark is None and any(map(COMMAND.match, code))]


def run(document: Path, program: str, source: Path) -> list:
    """What went wrong, a line each."""
    faults = []
    runnable = [(line, code) for line, mark, code in blocks(document.read_text()) if mark and mark[1] == "run"]
    print(f"{document}: {len(runnable)} blocks of commands to run", flush=True)
    if not runnable:
        return faults
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        environment = {**os.environ, "PATH": f"{Path(program).parent}:{os.environ['PATH']}",
                       "OMP_WAIT_POLICY": "passive", "SRDIFF_MODELS": str(source / "models")}
        inputs(folder, source, program, environment)
        for line, code in runnable:
            script = "set -e -o pipefail\n" + "\n".join(code)
            try:
                done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, timeout=LIMIT, text=True,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            except subprocess.TimeoutExpired:
                faults.append(f"{document}:{line}: still running after {LIMIT} seconds")
                continue
            if done.returncode:
                faults.append(f"{document}:{line}: ended with status {done.returncode}\n{done.stdout[-2000:]}")
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("documents", nargs="+", type=Path)
    parser.add_argument("--srdiff")
    parser.add_argument("--source", type=Path)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    faults = [fault for document in args.documents for fault in unmarked(document)]
    if not args.check:
        faults += [fault for document in args.documents for fault in run(document, os.path.abspath(args.srdiff), args.source)]
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
