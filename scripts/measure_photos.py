#!/usr/bin/python3
"""Measures the model of photographs with the tool itself: the tables of docs/RESULTS.md.

    measure_photos.py quality PHOTOS OUT [--features NAME] [--limit N] [--setting="--t 100 --nfe 4"]... [--damage jpeg50]
    measure_photos.py text OUT [--size 24]          needs tesseract-ocr, fonts-dejavu-core, fonts-liberation
        both: [--beside "SPAN=a command that enlarges the folder {low} into {out}"]...
    measure_photos.py seams PHOTO OUT
    measure_photos.py memory OUT [--megapixels 1,4,12]

PHOTOS is a folder or .tar of true photographs. Needs Pillow and numpy; --srdiff names the program.
Every table is printed as Markdown and kept in OUT as JSON.
"""
import argparse
import io
import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

ROOT = Path(__file__).resolve().parent.parent
MODEL = "photos-x4"
SCALE = 4
REGRESSOR = ["--t", "0"]


def run(program: str, *arguments: str) -> dict:
    """The tool's JSON."""
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{shlex.join([program, *arguments])} ended with {done.returncode}")
    return json.loads(done.stdout) if done.stdout else {}


def table(rows: list) -> str:
    keys = list(rows[0])
    lines = ["| " + " | ".join(keys) + " |", "|" + "---|" * len(keys)]
    return "\n".join(lines + ["| " + " | ".join(str(row.get(key, "")) for key in keys) + " |" for row in rows])


def keep(out: Path, name: str, rows: list) -> None:
    print(table(rows), flush=True)
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.json").write_text(json.dumps(rows, indent=1) + "\n")


def beside(args, out: Path) -> list:
    """Runs the commands of --beside; (label, folder below OUT) of each."""
    made = []
    for text in args.beside:
        label, _, command = text.partition("=")
        if not label or "{low}" not in command or "{out}" not in command:
            sys.exit(f"--beside {text}: wants LABEL=COMMAND with {{low}} and {{out}} in it")
        folder = f"beside-{len(made)}"
        shutil.rmtree(out / folder, ignore_errors=True)
        (out / folder).mkdir()
        filled = [part.format(low=out / "low", out=out / folder) for part in shlex.split(command)]
        if subprocess.run(filled, stdout=subprocess.DEVNULL).returncode:
            sys.exit(f"{shlex.join(filled)} failed")
        made.append((label, folder))
    return made


# --- quality

def photographs(source: str):
    """(name, picture) in the order of the names."""
    if os.path.isdir(source):
        for path in sorted(Path(source).iterdir()):
            yield path.stem, Image.open(path).convert("RGB")
        return
    with tarfile.open(source) as archive:
        for member in sorted(archive.getmembers(), key=lambda m: m.name):
            if member.isfile():
                yield Path(member.name).stem, Image.open(io.BytesIO(archive.extractfile(member).read())).convert("RGB")


def damaged(low: Image.Image, damage: str, random: np.random.Generator) -> Image.Image:
    """jpegQUALITY (4:2:0), noiseLEVELS or blurPIXELS, the last two standard deviations; "" leaves it as it is."""
    kind, amount = damage.rstrip("0123456789."), damage.lstrip("abcdefghijklmnopqrstuvwxyz")
    if kind == "jpeg":
        file = io.BytesIO()
        low.save(file, format="JPEG", quality=int(amount))
        return Image.open(file).convert("RGB")
    if kind == "noise":
        noisy = np.asarray(low) + random.normal(0, float(amount), (low.height, low.width, 3))
        return Image.fromarray(noisy.round().clip(0, 255).astype(np.uint8))
    if kind == "blur":
        return low.filter(ImageFilter.GaussianBlur(float(amount)))
    if kind:
        sys.exit(f"--damage {damage}: none of jpegN, noiseN and blurN")
    return low


def make_references(source: str, out: Path, limit: int, damage: str = "") -> float:
    """OUT/truth, cropped to multiples of the scale, OUT/low, and what Pillow makes of the reduced pictures.
    Returns the megapixels of all."""
    for folder in ("truth", "low", "bicubic", "lanczos"):
        shutil.rmtree(out / folder, ignore_errors=True)  # another run's pictures would be measured too
        (out / folder).mkdir(parents=True)
    pixels, random = 0, np.random.default_rng(0)
    for number, (name, photo) in enumerate(photographs(source)):
        if limit and number == limit:
            break
        width, height = (side // SCALE * SCALE for side in photo.size)
        photo = photo.crop((0, 0, width, height))
        if (out / "truth" / f"{name}.png").exists():
            sys.exit(f"{source}: two photographs are called {name}; rename one")
        low = damaged(photo.resize((width // SCALE, height // SCALE), Image.BICUBIC), damage, random)
        photo.save(out / "truth" / f"{name}.png")
        low.save(out / "low" / f"{name}.png")
        low.resize(photo.size, Image.BICUBIC).save(out / "bicubic" / f"{name}.png")
        low.resize(photo.size, Image.LANCZOS).save(out / "lanczos" / f"{name}.png")
        pixels += width * height
    return pixels / 1e6


def grey(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L")).astype(np.float64)


def box(picture: np.ndarray, side: int) -> np.ndarray:
    """The mean of side x side neighbours, where they all are."""
    total = np.pad(picture.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    return (total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]) / side ** 2


def traces(out: Path, pictures: Path) -> dict:
    """What is left of damage. Flat noise: root mean square of what a 7x7 mean takes away, where the truth's standard
    deviation in 15x15 is below 2 levels. Grid step: the mean step between output neighbours where JPEG's blocks of
    8 input pixels meet, over that wherever input pixels meet."""
    noise, flat_pixels, steps, all_steps = 0.0, 0, 0.0, 0.0
    for path in sorted((out / "truth").iterdir()):
        truth, picture = grey(path), grey(pictures / path.name)
        flat = np.sqrt(np.maximum(box(truth ** 2, 15) - box(truth, 15) ** 2, 0)) < 2
        rough = picture[3:-3, 3:-3] - box(picture, 7)
        noise += float((rough[4:-4, 4:-4][flat] ** 2).sum())
        flat_pixels += int(flat.sum())
        for each in (picture, picture.T):
            step = np.abs(np.diff(each, axis=0)).mean(axis=1)
            steps += float(step[8 * SCALE - 1::8 * SCALE].mean())
            all_steps += float(step[SCALE - 1::SCALE].mean())
    return {"flat noise, levels": round((noise / max(1, flat_pixels)) ** 0.5, 2), "grid step": round(steps / all_steps, 3)}


def quality(args) -> None:
    out = Path(args.out)
    megapixels = make_references(args.photos, out, args.limit, args.damage)
    common = ["eval", "--reference", str(out / "truth"), "--json", "--patch", str(args.patch), "--quiet",
              "--metrics", "psnr-y,ssim-y,sharpness,consistency" + (",fid,kid" if args.features else "")]
    if args.features:
        common += ["--features", args.features]
    rows = []

    def measure(label: str, folder: str, seconds: float = 0.0) -> None:
        document = run(args.srdiff, *common, "--output", str(out / folder), "--scale", str(SCALE))
        figures = {key: figure["value"] for key, figure in document["figures"].items()}
        row = {"output": label, "PSNR-Y dB": round(figures["psnr-y"], 2), "SSIM-Y": round(figures["ssim-y"], 4)}
        if args.features:
            row |= {"FD": round(figures["fid"], 2), "KID x 1000": round(1000 * figures["kid"], 2)}
        row |= {"sharpness": round(figures["sharpness"], 3),
                "consistency, levels": round(255 * (figures["consistency"] / 1e5) ** 0.5, 2), **traces(out, out / folder)}
        if seconds:
            row["s / megapixel"] = round(seconds / megapixels, 2)
        rows.append(row)
        print(json.dumps(row), file=sys.stderr, flush=True)

    def upscale(label: str, folder: str, *arguments: str) -> None:
        shutil.rmtree(out / folder, ignore_errors=True)
        begun = time.time()
        run(args.srdiff, "upscale", str(out / "low"), str(out / folder), "--model", args.model, "--format", "png", "--quiet",
            *arguments)
        measure(label, folder, time.time() - begun)

    if not args.only_settings:
        measure("bicubic", "bicubic")
        measure("Lanczos", "lanczos")
        for label, folder in beside(args, out):
            measure(label, folder)
        upscale("regressor alone", "regressor", *REGRESSOR)
    for setting in args.setting or [""]:
        name = "srdiff" + (" " + setting if setting else "")
        upscale(name, name.replace(" ", "_"), *shlex.split(setting))
    rows.append({"output": "truth", **traces(out, out / "truth")})
    keep(out, args.name, rows)


# --- text

TEXT = """Alice was beginning to get very tired of sitting by her sister on the bank, and of having
nothing to do: once or twice she had peeped into the book her sister was reading, but it had no
pictures or conversations in it, and what is the use of a book, thought Alice, without pictures
or conversations? So she was considering in her own mind (as well as she could, for the hot day
made her feel very sleepy and stupid), whether the pleasure of making a daisy-chain would be worth
the trouble of getting up and picking the daisies, when suddenly a White Rabbit with pink eyes ran
close by her.""".split()
FACES = ("dejavu/DejaVuSans", "dejavu/DejaVuSerif", "liberation/LiberationSans-Regular", "liberation/LiberationSerif-Regular")


def distance(a: str, b: str) -> int:
    """Insertions, deletions and exchanges of letters that make b of a."""
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a):
        before, row[0] = row[0], i + 1
        for j, other in enumerate(b):
            before, row[j + 1] = row[j + 1], min(row[j + 1] + 1, row[j] + 1, before + (letter != other))
    return row[-1]


def text_page(face: str, size: int) -> tuple:
    """A page of black text on white, and what it says."""
    font = ImageFont.truetype(f"/usr/share/fonts/truetype/{face}.ttf", size)
    image = Image.new("RGB", (32 * size, 32 * size), "white")
    draw, line, lines = ImageDraw.Draw(image), "", []
    for word in [*TEXT, None]:
        longer = f"{line} {word}".strip()
        if word is None or draw.textlength(longer, font) > image.width - 2 * size:
            draw.text((size, size + int(1.6 * size) * len(lines)), line, fill="black", font=font)
            lines.append(line)
            longer = word
        line = longer
    return image.crop((0, 0, image.width, (size + int(1.6 * size) * len(lines) + size) // SCALE * SCALE)), " ".join(lines)


def text(args) -> None:
    out = Path(args.out)
    shutil.rmtree(out, ignore_errors=True)
    for folder in ("truth", "low", "bicubic"):
        (out / folder).mkdir(parents=True)
    said = {}
    for face in FACES:
        image, said[f"{Path(face).name}.png"] = text_page(face, args.size)
        low = image.resize((image.width // SCALE, image.height // SCALE), Image.BICUBIC)
        for folder, picture in (("truth", image), ("low", low), ("bicubic", low.resize(image.size, Image.BICUBIC))):
            picture.save(out / folder / f"{Path(face).name}.png")
    for folder, arguments in (("regressor", REGRESSOR), ("srdiff", [])):
        run(args.srdiff, "upscale", str(out / "low"), str(out / folder), "--model", args.model, "--format", "png", "--quiet",
            *arguments)
    rows = []
    for label, folder in [(name, name) for name in ("truth", "bicubic", "regressor", "srdiff")] + beside(args, out):
        wrong = 0
        for name, words in said.items():
            read = subprocess.run(["tesseract", str(out / folder / name), "-", "--psm", "6"], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True, check=True).stdout
            wrong += min(len(words), distance(words, " ".join(read.split())))
        rows.append({"output": label, "wrong characters": f"{100 * wrong / sum(map(len, said.values())):.1f} %"})
    keep(out, "text", rows)


# --- seams

def gradient(width: int = 400, height: int = 300) -> Image.Image:
    """A smooth sky-like gradient, dithered by nothing but rounding."""
    y, x = np.mgrid[0:height, 0:width]
    blue = 140 + 90 * y / height + 10 * np.sin(x / 90)
    return Image.fromarray(np.stack([blue * 0.55, blue * 0.8, blue], axis=2).round().astype(np.uint8))


def steps_at(picture: np.ndarray, borders: list, axis: int) -> float:
    """Mean absolute difference of neighbours across the borders over that anywhere."""
    difference = np.abs(np.diff(picture, axis=axis)).mean(axis=(1 - axis, 2))
    return float(difference[[b - 1 for b in borders]].mean() / difference.mean())


def hand_overs(length: int, tile: int, overlap: int) -> list:
    """Output rows or columns where one tile of that side hands over to the next: the middles of overlaps."""
    step = tile - overlap
    tiles = max(1, 1 + -(-(length - tile) // step))
    return [(number * step + overlap // 2) * SCALE for number in range(1, tiles)]


def seams(args) -> None:
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    photo = Image.open(args.photo).convert("RGB")
    photo.thumbnail((400, 400), Image.BICUBIC)
    rows = []
    for label, picture in (("gradient", gradient()), ("photograph", photo)):
        source = out / f"{label}.png"
        picture.save(source)
        whole, _ = upscaled(args, source, out / f"{label}-whole.png", "--tile", "0")
        for tile in args.tiles:
            tiled, sides = upscaled(args, source, out / f"{label}-{tile}.png", "--tile", tile, "--tile-overlap",
                                    str(args.overlap))
            excess = []
            for axis, (length, side) in enumerate(zip(reversed(picture.size), reversed(sides))):
                borders = hand_overs(length, side, args.overlap)
                excess.append(round(steps_at(tiled, borders, axis) / steps_at(whole, borders, axis), 3) if borders else "")
            rows.append({"picture": label, "tile": tile if tile != "auto" else f"fitted: {sides[0]}x{sides[1]}",
                         "mean difference, levels": round(float(np.abs(tiled - whole).mean()), 3),
                         "largest": int(np.abs(tiled - whole).max()),
                         "gradient at borders, across rows": excess[0], "across columns": excess[1]})
    keep(out, "seams", rows)


def upscaled(args, source: Path, target: Path, *arguments: str) -> tuple:
    """The output's levels, and the sides of a tile."""
    report = run(args.srdiff, "upscale", str(source), str(target), "--model", args.model, "--quiet", "--overwrite",
                 "--json", *arguments)
    return np.asarray(Image.open(target).convert("RGB")).astype(np.float64), report["tile_size"]


# --- memory

def memory(args) -> None:
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for megapixels in args.megapixels:
        width = round((megapixels * 1e6 * 4 / 3) ** 0.5) // 4 * 4
        source, target = out / "in.png", out / "out.png"
        gradient(width, width * 3 // 4).save(source)
        start = time.time()
        # A fork of this process for each size, so that its children's peak is that run's alone.
        if os.fork() == 0:
            run(args.srdiff, "upscale", str(source), str(target), "--model", args.model, "--quiet",
                *shlex.split(args.options))
            (out / "peak").write_text(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
            os._exit(0)
        if os.wait()[1]:
            sys.exit(1)
        picture = width * SCALE * (width * 3 // 4) * SCALE * 3
        rows.append({"input": f"{width}x{width * 3 // 4}", "output megapixels": round(picture / 3e6),
                     "peak MB": round(int((out / "peak").read_text()) * 1024 / 1e6), "output, raw MB": round(picture / 1e6),
                     "minutes": round((time.time() - start) / 60, 1)})
        print(rows[-1], file=sys.stderr, flush=True)
    keep(out, "memory", rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, function, *positional: str):
        sub = commands.add_parser(name)
        for argument in (*positional, "out"):
            sub.add_argument(argument)
        sub.add_argument("--srdiff", default=str(ROOT / "build/default/apps/srdiff/srdiff"))
        sub.add_argument("--model", default=MODEL)
        sub.set_defaults(run=function)
        return sub

    sub = command("quality", quality, "photos")
    sub.add_argument("--features", help="feature network for the distances over patches")
    sub.add_argument("--limit", type=int, default=0)
    sub.add_argument("--damage", default="", help="of the inputs: jpeg75, noise5, blur1 and the like")
    sub.add_argument("--patch", type=int, default=96)
    sub.add_argument("--setting", action="append", help="options of srdiff; may be given again")
    sub.add_argument("--beside", action="append", default=[], help="LABEL=COMMAND, another program to measure as well")
    sub.add_argument("--only-settings", action="store_true", help="no bicubic, Lanczos and regressor")
    sub.add_argument("--name", default="quality", help="of the JSON file")
    sub = command("seams", seams, "photo")
    sub.add_argument("--tiles", type=lambda text: text.split(","), default=["auto", "64", "96", "128"])
    sub.add_argument("--overlap", type=int, default=16)
    sub = command("text", text)
    sub.add_argument("--size", type=int, default=24, help="of the letters, in pixels of the truth")
    sub.add_argument("--beside", action="append", default=[], help="LABEL=COMMAND, another program to measure as well")
    sub = command("memory", memory)
    sub.add_argument("--megapixels", type=lambda text: [float(n) for n in text.split(",")], default=[1, 4, 12])
    sub.add_argument("--options", default="", help="of srdiff, such as --options='--threads 1'")
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
