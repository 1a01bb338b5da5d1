#!/usr/bin/env python3
"""Makes and examines the pictures of the command-line tests.

    pictures.py make FILE WxH [MODE]       a smooth coloured picture; MODE is rgb, grey, rgba,
                                           rgb16, grey16, rgba16 (PNG only)
    pictures.py many FOLDER COUNT          0.png, 1.png, ... of 8x8 pixels, each another
    pictures.py png FILE WxH [KIND]        a PNG by hand: KIND header (no pixel follows), black
    pictures.py describe FILE              "png 40x48 rgb 8": format, size, channels, bits
    pictures.py same A B [TOLERANCE]       fails where a channel differs by more (8 bit)
    pictures.py enlarged SMALL LARGE       fails unless LARGE, reduced, looks like SMALL
"""
import math
import os
import struct
import sys
import zlib
from random import Random

from PIL import Image, ImageChops

PNG_CHANNELS = {0: "grey", 2: "rgb", 3: "palette", 4: "greya", 6: "rgba"}


def size_of(text):
    return tuple(int(number) for number in text.split("x"))


def pixel(x, y, width, height, channel):
    """A value in [0,1]; each channel has its own direction, so that a swap or a flip shows."""
    u, v = x / max(width - 1, 1), y / max(height - 1, 1)
    wave = 0.1 * math.sin(9 * u + 5 * v)
    return min(1.0, max(0.0, (u, v, 1 - u, 0.2 + 0.8 * v)[channel] * 0.8 + 0.1 + wave))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_png(path, width, height, bits, colour_type, pixels):
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
                   + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b""))


def make(path, size, mode="rgb"):
    width, height = size_of(size)
    name, bits = (mode[:-2], 16) if mode.endswith("16") else (mode, 8)
    channels = {"grey": (0,), "rgb": (0, 1, 2), "rgba": (0, 1, 2, 3)}[name]
    top = 2 ** bits - 1
    rows = [[round(pixel(x, y, width, height, c) * top) for x in range(width) for c in channels]
            for y in range(height)]
    if path.endswith(".png"):
        letter = "H" if bits == 16 else "B"
        raw = b"".join(b"\0" + struct.pack(f">{len(row)}{letter}", *row) for row in rows)
        write_png(path, width, height, bits, {1: 0, 3: 2, 4: 6}[len(channels)], raw)
        return
    picture = Image.frombytes({"grey": "L"}.get(name, name.upper()), (width, height),
                              b"".join(map(bytes, rows)))
    lossy = {"quality": 95, "subsampling": 0} if path.endswith(("jpg", "jpeg")) else {}
    picture.save(path, **({"lossless": True} if path.endswith("webp") else lossy))


def many(folder, count):
    os.mkdir(folder)
    for number in range(int(count)):
        random = Random(number)
        Image.frombytes("RGB", (8, 8), random.randbytes(192)).save(f"{folder}/{number}.png")


def png(path, size, kind="header"):
    width, height = size_of(size)
    write_png(path, width, height, 8, 0, b"\0" * ((width + 1) * height) if kind == "black" else b"")


def describe(path):
    with open(path, "rb") as file:
        head = file.read(26)
    if head.startswith(b"\x89PNG"):
        width, height, bits, colour_type = struct.unpack(">IIBB", head[16:26])
        print(f"png {width}x{height} {PNG_CHANNELS[colour_type]} {bits}")
        return
    picture = Image.open(path)
    picture.load()
    channels, bits = {"L": ("grey", 8), "I;16": ("grey", 16)}.get(picture.mode, (picture.mode.lower(), 8))
    print(f"{picture.format.lower()} {picture.width}x{picture.height} {channels} {bits}")


def eight_bit(path, mode):
    picture = Image.open(path)
    if picture.mode.startswith("I"):  # 16-bit grey, which Pillow would cut off at 255
        picture = picture.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    return picture.convert(mode)


def largest_difference(a, b):
    if a.mode != b.mode or a.size != b.size:
        raise SystemExit(f"{a.mode} {a.size} against {b.mode} {b.size}")
    extrema = ImageChops.difference(a, b).getextrema()
    return max(high for _, high in (extrema if isinstance(extrema[0], tuple) else (extrema,)))


def same(a, b, tolerance="0"):
    found = largest_difference(eight_bit(a, "RGBA"), eight_bit(b, "RGBA"))
    if found > int(tolerance):
        raise SystemExit(f"{a} and {b} differ by up to {found}")


def enlarged(small, large):
    low, high = eight_bit(small, "RGB"), eight_bit(large, "RGB")
    found = largest_difference(low, high.resize(low.size, Image.BOX))
    if found > 60:
        raise SystemExit(f"{large}, reduced, differs from {small} by up to {found}")


if __name__ == "__main__":
    actions = {action.__name__: action for action in (make, many, png, describe, same, enlarged)}
    actions[sys.argv[1]](*sys.argv[2:])
