#!/usr/bin/env python3
"""check_tool.py SRDIFF: the corpus through `srdiff upscale` as one folder, with the model `tiny`
(which $SRDIFF_MODELS leads to). Status 1, good pictures enlarged, every other one failed with a
reason in one line, no file left over, and nothing on standard error but srdiff's own lines."""
import json
import os
import re
import subprocess
import sys
import tempfile

from PIL import Image, ImageOps

import check
import make_corpus

TOO_LARGE = {"good-png-flat.png"}  # for the tiny model


def name_of(text):
    """A name as reports have it: backslashes doubled, bytes outside UTF-8 as \\xHH."""
    raw = re.sub(rb"\\(\\|x[0-9a-f]{2})",
                 lambda found: b"\\" if found[1] == b"\\" else bytes([int(found[1][1:], 16)]),
                 text.encode())
    return os.path.basename(os.fsdecode(raw))


def expected_size(path):
    if path.endswith((".jxl", ".avif", ".heic")):
        height, width, _ = check.expected_picture(path)[0].shape
        return 2 * width, 2 * height
    picture = Image.open(path)
    if picture.format != "TIFF":
        picture = ImageOps.exif_transpose(picture)
    picture.load()
    return tuple(2 * side for side in picture.size)


def problem(corpus, outputs, line):
    name, kind = name_of(line["input"]), name_of(line["input"]).split("-")[0]
    if line["status"] == "done":
        if kind == "good":
            size = Image.open(os.path.join(outputs, name_of(line["output"]))).size
            expected = expected_size(os.path.join(corpus, name))
            return None if size == expected else f"{size}, not {expected}"
        return "was taken for a picture" if kind == "bad" else None
    if kind == "good" and name not in TOO_LARGE:
        return line["reason"]
    return None if line["reason"] and line["reason"].isprintable() else "no reason in one line"


def main(srdiff):
    with tempfile.TemporaryDirectory(prefix="srdiff-hostile-") as work:
        corpus, outputs, report = (os.path.join(work, name) for name in ("in", "out", "r.jsonl"))
        count = make_corpus.write_all(corpus)
        run = subprocess.run([srdiff, "upscale", corpus, outputs, "--model", "tiny", "--nfe", "1",
                              "--glob", "*", "--format", "png", "--report", report],
                             stderr=subprocess.PIPE, timeout=check.SECONDS)
        with open(report, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        problems = {name_of(line["input"]): found for line in lines
                    if (found := problem(corpus, outputs, line))}
        problems.update((line, "on standard error") for line in run.stderr.decode().splitlines()
                        if not line.startswith(("srdiff: ", "  ")) or not line.isprintable())
        done = {name_of(line["output"]) for line in lines if line["status"] == "done"}
        left = [name for name in os.listdir(outputs) if name not in done
                and not name.startswith(".srdiff.journal")]
        for name, found in problems.items():
            print(f"{name!r}: {found}")
        print(f"status {run.returncode}, {len(lines)} of {count} in the report, {len(done)} done")
        if problems or left or run.returncode != 1 or len(lines) != count:
            raise SystemExit(f"FAILED; left over: {left}")


if __name__ == "__main__":
    main(sys.argv[1])
