#!/usr/bin/env python3
"""check.py CONVERT_ALL: the corpus through the library. What make_corpus.py calls good must come
out as Pillow reads it, what it calls bad must be refused in one line that names the file, and
nothing may crash or hang. Then the same with damaged pictures accepted: good ones are the same
bytes, and of PNGs and JPEGs that are cut some are read."""
import os
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin

import make_corpus

PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = 2 ** 30  # the bombs
SECONDS = 300  # for all of them; a hang, not a slow machine


def eight_bit_rgba(path):
    picture = Image.open(path)
    if picture.format != "TIFF":  # which Pillow turns when it loads it
        picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I"):  # 16-bit grey
        picture = Image.fromarray(np.rint(np.asarray(picture, float) / 257).astype("uint8"))
    return np.asarray(picture.convert("RGBA"), int)


def expected_picture(path):
    """As eight_bit_rgba reads it, with what a channel may differ; what Pillow does not read, as
    make_corpus.py knows it."""
    name = os.path.basename(path)
    if name.endswith((".jxl", ".avif", ".heic")):
        picture, tolerance = make_corpus.sample_shows(name.split("-", 2)[2])
        return np.asarray(picture.convert("RGBA"), int), tolerance
    return eight_bit_rgba(path), 2


def problem_of_good(path, output, answer):
    if answer != "done":
        return answer
    (expected, tolerance), found = expected_picture(path), eight_bit_rgba(output)
    if expected.shape != found.shape:
        return f"{found.shape}, not {expected.shape}"
    if np.abs(expected[..., 3] - found[..., 3]).max() > 1:
        return "another alpha"
    seen = expected[..., 3:] > 0
    worst = (np.abs(expected - found)[..., :3] * seen).max()
    return f"another picture: a channel differs by {worst}" if worst > tolerance else None


def problem(name, path, output, answer):
    if name.startswith("good-"):
        return problem_of_good(path, output, answer)
    if answer == "done":
        return "was taken for a picture" if name.startswith("bad-") else None
    refused, _, message = answer.partition(" ")
    if refused != "refused" or not message.isprintable() or name not in message:
        return f"was not refused in one line that names it: {answer!r}"
    return None


def compare(corpus, answers, output_of):
    """answers: what was said of each file, by its name. Prints what is wrong; returns how much."""
    problems = 0
    for name, answer in answers.items():
        found = problem(name, os.path.join(corpus, name), output_of(name), answer)
        if found:
            problems += 1
            print(f"{name!r}: {found}")
    done = sum(answer == "done" for answer in answers.values())
    print(f"{len(answers)} files: {done} read, {len(answers) - done} refused, {problems} wrong")
    return problems


def through_library(convert_all, corpus, outputs, *options):
    names = sorted(os.listdir(corpus))
    run = subprocess.run([convert_all, *options, outputs, *(os.path.join(corpus, name) for name in names)],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=SECONDS)
    lines = run.stdout.decode().splitlines()
    if run.returncode or len(lines) != len(names):
        last = names[min(len(lines), len(names) - 1)]
        raise SystemExit(f"status {run.returncode} after {len(lines)} lines, at {last!r}")
    answers = {name: line.partition(" ")[2] for name, line in zip(names, lines)}
    written = {name: f"{index}.png" for index, name in enumerate(names)}
    left = set(os.listdir(outputs)) - {written[name] for name in names if answers[name] == "done"}
    return answers, lambda name: os.path.join(outputs, written[name]), left


def damaged(convert_all, corpus, outputs, strict_answers, strict_output_of):
    """What is wrong where damaged pictures are accepted."""
    answers, output_of, left = through_library(convert_all, corpus, outputs, "--accept-damaged")
    problems = [f"left over: {sorted(left)}"] if left else []
    for name, answer in answers.items():
        if strict_answers[name] == "done":
            if answer != "done" or not same_bytes(output_of(name), strict_output_of(name)):
                problems.append(f"{name!r}: another picture where damage is accepted: {answer}")
        elif answer != "done":
            message = answer.partition(" ")[2]
            if not message.isprintable() or name not in message:
                problems.append(f"{name!r}: not refused in one line that names it: {answer!r}")
    read = [name for name in answers if answers[name] == "done" != strict_answers[name]]
    print(f"{len(read)} damaged files read")
    problems += [f"{name!r}: was not read: {answer}" for name, answer in answers.items()
                 if "-hurt-" in name and answer != "done"]
    return problems


def same_bytes(a, b):
    with open(a, "rb") as first, open(b, "rb") as second:
        return first.read() == second.read()


def main(convert_all):
    with tempfile.TemporaryDirectory(prefix="srdiff-hostile-") as work:
        corpus, outputs = os.path.join(work, "corpus"), os.path.join(work, "outputs")
        accepted = os.path.join(work, "accepted")
        os.mkdir(outputs)
        os.mkdir(accepted)
        make_corpus.write_all(corpus)
        answers, output_of, left = through_library(convert_all, corpus, outputs)
        if compare(corpus, answers, output_of) or left:
            raise SystemExit(f"FAILED; left over: {sorted(left)}")
        if found := damaged(convert_all, corpus, accepted, answers, output_of):
            raise SystemExit("FAILED; " + "\n".join(found))


if __name__ == "__main__":
    main(sys.argv[1])
