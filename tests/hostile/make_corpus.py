#!/usr/bin/env python3
"""make_corpus.py FOLDER: odd and malformed pictures, the same bytes each time. Those of JPEG XL, AVIF
and HEIC come from the folder samples/; SRDIFF_FORMATS names the endings of those that are good, by
default all of "jxl avif heic": a build may lack their libraries.

    good-ENDING-*  valid: must be read, as Pillow reads them (or as sample_shows says)
    bad-ENDING-*   must be refused
    odd-ENDING-*   damaged where a decoder may forgive it, or without a counterpart in Pillow: must be
                   read or refused

No two have one stem, so that a tool can write them all in one format to one folder.
"""
import io
import os
import random
import struct
import sys
import zlib

import numpy as np
from PIL import Image, ImageCms

from containers import adam7, big_tiff, bmp, packed, png, png_chunk, tiff, tiff_entries

W, H = 21, 17


def scene(channels, bits=8):
    """[H,W,channels] smooth, each channel with a direction of its own."""
    y, x = np.mgrid[0:H, 0:W]
    u, v = x / (W - 1), y / (H - 1)
    wave = 0.08 * np.sin(7 * u + 4 * v)
    planes = [u, v, 1 - u, 0.15 + 0.85 * v][:channels]
    values = np.clip(np.stack(planes, -1) * 0.8 + 0.1 + wave[..., None], 0, 1)
    return np.rint(values * (2 ** bits - 1)).astype(int)


def rows(samples, bits):
    return [packed(list(row.ravel()), bits) for row in samples]


RGB = Image.fromarray(scene(3).astype("uint8"))
GREY = Image.fromarray(scene(1)[..., 0].astype("uint8"))
RGBA = Image.fromarray(scene(4).astype("uint8"))


def saved(picture, kind, **options):
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def exif(orientation):
    data = Image.Exif()
    data[0x0112] = orientation
    return data.tobytes()


def good_png():
    for bits in (1, 2, 4, 8, 16):
        grey = scene(1, bits)
        yield f"grey{bits}.png", png(W, H, bits, 0, rows(grey, bits))
        yield f"grey{bits}-interlaced.png", png(W, H, bits, 0, adam7(grey, bits), interlace=1)
    for bits in (8, 16):
        for kind, channels, name in ((2, 3, "rgb"), (6, 4, "rgba")):
            yield f"{name}{bits}.png", png(W, H, bits, kind, rows(scene(channels, bits), bits))
            yield (f"{name}{bits}-interlaced.png",
                   png(W, H, bits, kind, adam7(scene(channels, bits), bits), interlace=1))
        grey_alpha = scene(4, bits)[..., [0, 3]]
        yield f"grey-alpha{bits}.png", png(W, H, bits, 4, rows(grey_alpha, bits))
    for bits in (1, 2, 4, 8):
        count = 2 ** bits
        palette = png_chunk(b"PLTE", bytes(i * 37 % 256 for i in range(3 * count)))
        index = scene(1, bits)
        yield f"palette{bits}.png", png(W, H, bits, 3, rows(index, bits), before=palette)
        opacity = png_chunk(b"tRNS", bytes(i * 91 % 256 for i in range(count)))
        yield (f"palette{bits}-trns.png",
               png(W, H, bits, 3, rows(index, bits), before=palette + opacity))
    grey = scene(1)
    key = struct.pack(">H", int(grey[4, 5, 0]))
    yield "grey8-trns.png", png(W, H, 8, 0, rows(grey, 8), before=png_chunk(b"tRNS", key))
    rgb = scene(3)
    key = struct.pack(">3H", *map(int, rgb[4, 5]))
    yield "rgb8-trns.png", png(W, H, 8, 2, rows(rgb, 8), before=png_chunk(b"tRNS", key))
    yield "many-idat.png", png(W, H, 8, 2, rows(rgb, 8), split=3)
    yield "unknown-chunk.png", png(W, H, 8, 2, rows(rgb, 8), before=png_chunk(b"juNk", b"x" * 99))
    yield "trailing.png", png(W, H, 8, 2, rows(rgb, 8)) + b"more" * 50
    one_bit = rows(scene(1, 1), 1)
    yield "one-bit-trns255.png", png(W, H, 1, 0, one_bit,
                                     before=png_chunk(b"tRNS", struct.pack(">H", 255)))
    yield "one-pixel-wide.png", png(1, H, 8, 0, rows(scene(1)[:, :1], 8))
    yield "one-pixel-high.png", png(W, 1, 8, 0, rows(scene(1)[:1], 8))
    yield "gamma.png", png(W, H, 8, 2, rows(rgb, 8),
                           before=png_chunk(b"gAMA", struct.pack(">I", 45455)))
    animation = png_chunk(b"acTL", struct.pack(">II", 2, 0))
    yield "animated.png", png(W, H, 8, 2, rows(rgb, 8), before=animation)
    yield "flat.png", png(2000, 2000, 1, 0, [b"\0" * 250] * 2000)
    for bomb in (b"zTXt", b"iTXt"):
        text = zlib.compress(b"\0" * 20_000_000, 9)
        text = b"Comment\0" + (b"\0" if bomb == b"zTXt" else b"\1\0\0\0") + text
        yield f"{bomb.decode()}-bomb.png", png(W, H, 8, 2, rows(rgb, 8),
                                               before=png_chunk(bomb, text))
    profile = b"p\0\0" + zlib.compress(b"\0" * 50_000_000, 9)
    yield "profile-bomb.png", png(W, H, 8, 2, rows(rgb, 8), before=png_chunk(b"iCCP", profile))


def good_jpeg():
    for name, options in (("444", {"subsampling": 0}), ("420", {"subsampling": 2}),
                          ("progressive", {"progressive": True}), ("quality1", {"quality": 1}),
                          ("optimised", {"optimize": True})):
        yield f"{name}.jpg", saved(RGB, "JPEG", **{"quality": 95, **options})
    yield "grey.jpg", saved(GREY, "JPEG", quality=95)
    yield "grey-progressive.jpg", saved(GREY, "JPEG", quality=95, progressive=True)
    plain = saved(RGB, "JPEG", quality=95)
    yield "comment.jpg", plain[:2] + b"\xff\xfe\x00\x07hello" + plain[2:]
    yield "fill-bytes.jpg", plain[:2] + b"\xff\xff\xff" + plain[2:]
    yield "bytes-before-end.jpg", plain[:-2] + b"\0" * 50 + plain[-2:]
    yield "trailing.jpg", plain + b"\0more" * 40
    tables = plain.index(b"\xff\xdb")
    yield "stray-bytes.jpg", plain[:tables] + b"\0\x12" + plain[tables:]
    yield "two-pictures.jpg", plain + saved(GREY, "JPEG")
    yield "cmyk.jpg", saved(RGB.convert("CMYK"), "JPEG", quality=95, subsampling=0)


def good_webp():
    yield "lossy.webp", saved(RGB, "WEBP", quality=90)
    yield "lossless.webp", saved(RGB, "WEBP", lossless=True)
    yield "grey.webp", saved(GREY, "WEBP", lossless=True)
    yield "alpha-lossless.webp", saved(RGBA, "WEBP", lossless=True, exact=True)
    yield "alpha-lossy.webp", saved(RGBA, "WEBP", quality=90, exact=True)
    for name, options in (("lossless", {"lossless": True}), ("lossy", {"quality": 95})):
        for picture in (RGB, RGBA):
            yield (f"animated-{name}-{picture.mode}.webp",
                   saved(picture, "WEBP", save_all=True, exact=True,
                         append_images=[picture.rotate(90)], **options))


def good_tiff():
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        yield f"rgb-{compression}.tiff", saved(RGB, "TIFF", compression=compression)
        yield f"grey-{compression}.tiff", saved(GREY, "TIFF", compression=compression)
    yield "jpeg.tiff", saved(RGB, "TIFF", compression="jpeg", quality=95)
    yield "group4.tiff", saved(GREY.convert("1"), "TIFF", compression="group4")
    yield "one-bit.tiff", saved(GREY.convert("1"), "TIFF")
    for bits in (1, 2, 4):
        samples = scene(1, bits)
        data = b"".join(rows(samples, bits))
        yield f"grey{bits}.tiff", tiff(tiff_entries(W, H, 1, bits, 1, len(data)), data)
        yield f"white-is-zero{bits}.tiff", tiff(tiff_entries(W, H, 1, bits, 0, len(data)), data)
        palette = [(i * 37 + channel * 91) % 256 * 257 for channel in range(3)
                   for i in range(2 ** bits)]
        yield f"palette{bits}.tiff", tiff(
            tiff_entries(W, H, 1, bits, 3, len(data), t320=(3, palette)), data)
    data = scene(3).astype("uint8").tobytes()
    yield "bigtiff.tiff", big_tiff(tiff_entries(W, H, 3, 8, 2, len(data)), data)
    yield "cmyk.tiff", saved(RGB.convert("CMYK"), "TIFF")
    yield "grey-alpha.tiff", saved(Image.merge("LA", (GREY, GREY.rotate(180))), "TIFF")
    data = scene(4).astype("uint8").tobytes()
    yield "extra-channel.tiff", tiff(
        tiff_entries(W, H, 4, 8, 2, len(data), t338=(3, [0])), data)
    yield "palette.tiff", saved(RGB.quantize(16), "TIFF")
    yield "rgba.tiff", saved(RGBA, "TIFF")
    for kind, name in ((0, "no"), (1, "premultiplied"), (2, "straight")):
        for order in "<>":
            data = scene(4)
            if kind == 1:
                data[..., :3] = np.rint(data[..., :3] * data[..., 3:] / 255)
            data = data.astype("uint8").tobytes()
            yield (f"{name}-alpha{ord(order)}.tiff",
                   tiff(tiff_entries(W, H, 4, 8, 2, len(data), t338=(3, [kind])), data, order))
    deep = Image.fromarray(scene(1, 16)[..., 0].astype("uint16"))
    yield "grey16.tiff", saved(deep, "TIFF")
    for order, name in (("<", "little"), (">", "big")):
        data = scene(3).astype("uint8").tobytes()
        yield f"{name}.tiff", tiff(tiff_entries(W, H, 3, 8, 2, len(data)), data, order)
        data = scene(3, 16).astype(order + "u2").tobytes()
        yield f"{name}16.tiff", tiff(tiff_entries(W, H, 3, 16, 2, len(data)), data, order)
    data = scene(1).astype("uint8").tobytes()
    yield "white-is-zero.tiff", tiff(tiff_entries(W, H, 1, 8, 0, len(data)), data)
    data = scene(3).astype("uint8").tobytes()
    yield "two-pages.tiff", tiff(tiff_entries(W, H, 3, 8, 2, len(data)), data, pages=2)
    tile = np.zeros((32, 32, 3), "uint8")
    tile[:H, :W] = scene(3)
    entries = tiff_entries(W, H, 3, 8, 2, 0, t322=(3, [32]), t323=(3, [32]), t324=(4, "data"),
                           t325=(4, [tile.size]))
    for tag in (273, 278, 279):
        del entries[tag]
    yield "tiled.tiff", tiff(entries, tile.tobytes())


def good_bmp():
    yield "rgb.bmp", saved(RGB, "BMP")
    yield "grey.bmp", saved(GREY, "BMP")
    yield "one-bit.bmp", saved(GREY.convert("1"), "BMP")
    yield "palette.bmp", saved(RGB.quantize(16), "BMP")
    bgr = scene(3).astype("uint8")[..., ::-1]
    lines = [row.tobytes().ljust((3 * W + 3) // 4 * 4, b"\0") for row in bgr]
    yield "top-down.bmp", bmp(W, -H, 24, b"".join(lines))
    wide = np.concatenate([bgr, np.full((H, W, 1), 77, "uint8")], 2)[::-1].tobytes()
    yield "unused-fourth.bmp", bmp(W, H, 32, wide)
    palette = bytes(value for i in range(16) for value in (i * 17, 255 - i * 17, i * 5, 0))
    nibbles = [packed(list(row.ravel()), 4).ljust(12, b"\0") for row in scene(1, 4)[::-1]]
    yield "four-bit.bmp", bmp(W, H, 4, b"".join(nibbles), palette)
    grey = bytes(value for i in range(256) for value in (i, i, i, 0))
    runs = b"".join(b"".join(bytes((1, int(value))) for value in row.ravel()) + b"\0\0"
                    for row in scene(1)[::-1]) + b"\0\1"
    yield "rle8.bmp", bmp(W, H, 8, runs, grey, compression=1)
    padded = b"".join(b"".join(bytes((1, int(value))) for value in row.ravel()) + b"\3\0\0\0"
                      for row in scene(1)[::-1]) + b"\0\1"
    yield "rle8-padded-rows.bmp", bmp(W, H, 8, padded, grey, compression=1)
    long_runs = b"".join(bytes((W + 9, row * 9)) + b"\0\0" for row in range(H)) + b"\0\1"
    yield "rle8-run-crosses-edge.bmp", bmp(W, H, 8, long_runs, grey, compression=1)
    nibbles = b"".join(bytes((W, row * 13 % 256)) + b"\0\0" for row in range(H)) + b"\0\1"
    yield "rle4.bmp", bmp(W, H, 4, nibbles, palette, compression=2)
    for name, depths in (("555", (5, 5, 5)), ("565", (5, 6, 5))):
        r, g, b = (np.rint(scene(3)[::-1, :, c] / 255 * (2 ** depths[c] - 1)).astype(int)
                   for c in range(3))
        words = np.zeros((H, W + 1), "<u2")
        words[:, :W] = (r << depths[1] + 5) + (g << 5) + b
        masks = () if name == "555" else (0xF800, 0x7E0, 0x1F)
        yield f"{name}.bmp", bmp(W, H, 16, words.tobytes(), compression=3 if masks else 0,
                                 masks=masks)
    opaque = np.concatenate([bgr, np.full((H, W, 1), 255, "uint8")], 2)[::-1].tobytes()
    yield "masks.bmp", bmp(W, H, 32, opaque, compression=3, masks=(0xFF0000, 0xFF00, 0xFF))
    lines = b"".join(row.tobytes().ljust(64, b"\0") for row in bgr[::-1])
    yield "os2.bmp", bmp(W, H, 24, lines, header=12)


def good_orientations():
    for orientation in range(1, 9):
        data = exif(orientation)
        yield f"turned{orientation}.jpg", saved(RGB, "JPEG", quality=95, subsampling=0, exif=data)
        yield f"turned{orientation}.png", saved(RGB, "PNG", exif=data)
        yield f"turned{orientation}.webp", saved(RGB, "WEBP", lossless=True, exif=data)
        yield f"turned{orientation}.tiff", saved(RGB, "TIFF", tiffinfo={274: orientation})
        deep = scene(3, 16).astype("<u2").tobytes()
        yield f"turned{orientation}-16.tiff", tiff(
            tiff_entries(W, H, 3, 16, 2, len(deep), t274=(3, [orientation])), deep)


SAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "samples")
FORMATS = os.environ.get("SRDIFF_FORMATS", "jxl avif heic").split()
UPRIGHT = {2: Image.FLIP_LEFT_RIGHT, 3: Image.ROTATE_180, 4: Image.FLIP_TOP_BOTTOM,
           5: Image.TRANSPOSE, 6: Image.ROTATE_270, 7: Image.TRANSVERSE, 8: Image.ROTATE_90}


def sample(name):
    with open(os.path.join(SAMPLES, name), "rb") as file:
        return file.read()


def samples(wanted=True):
    for name in sorted(os.listdir(SAMPLES)):
        if (name.rsplit(".", 1)[1] in FORMATS) == wanted:
            yield name, sample(name)


def sample_shows(name):
    """What a file of samples/ shows, and by how much a channel may differ from it."""
    stem, ending = name.split(".")
    lossy = {"lossy.jxl": 40, "halved-colour.avif": 40, "halved-colour.heic": 40, "limited.avif": 5,
             "premultiplied.avif": 8, "exif6.heic": 24, "ten-bit.avif": 2, "twelve-bit.avif": 2}
    if stem.startswith("turned"):
        return RGB.transpose(UPRIGHT[int(stem[6:])]), 2
    picture = {"grey": GREY, "grey16": GREY, "rgba": RGBA, "rgba16": RGBA, "premultiplied": RGBA,
               "greya": Image.merge("LA", (GREY, RGBA.getchannel("A")))}.get(stem, RGB)
    return (RGBA if name == "twelve-bit.avif" else picture), lossy.get(name, 2)


def good_samples():
    yield from samples()


def samples_without_library():
    yield from samples(wanted=False)


def good_names():
    plain = saved(RGB, "PNG")
    for ending, data in (("png", saved(RGB, "JPEG", quality=95)), ("jpg", plain),
                         ("tiff", saved(RGB, "WEBP", lossless=True)), ("webp", plain),
                         ("bmp", saved(RGB, "TIFF")), ("gif", plain), ("", plain)):
        yield "misnamed" + ("." + ending if ending else ""), data
    for name in (" spaces in  it ", "quote'\"`", "$HOME;&|*?[x]", "-rf", "grüße", "笑顔\U0001f600",
                 "new\nline", "tab\tbell\a", "escape\x1b[31mred", "\u202eright-to-left",
                 "x" * (255 - len("good-png-.png"))):
        yield f"{name}.png", plain
    yield b"not-utf8-\xff\xfe.png", plain


def bad_format():
    """No picture at all, or one of a format that is not read."""
    yield "empty.png", b""
    yield "zeros.png", b"\0" * 1000
    yield "text.jpg", b"this is no picture\n" * 20
    yield "picture.gif", saved(GREY, "GIF")
    yield "picture.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>'
    yield "picture.jp2", b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0" * 60
    yield "picture.heic", b"\0\0\0\x18ftypheic" + b"\0" * 60


def bad_png():
    plain = saved(RGB, "PNG")
    yield "signature.png", plain[:8]
    scan = rows(scene(3), 8)
    for name, width, height in (("0x0", 0, 0), ("0-wide", 0, H), ("0-high", W, 0),
                                ("2g", 2 ** 31 - 1, 1), ("4g", 2 ** 32 - 1, 2 ** 32 - 1),
                                ("huge", 20000, 20000), ("long", 1, 2_000_000)):
        yield f"size-{name}.png", png(width, height, 8, 2, scan)
    yield "more-rows.png", png(W, H + 5, 8, 2, scan)
    yield "wider.png", png(W + 5, H, 8, 2, scan)
    yield "no-pixels.png", png(W, H, 8, 2, [])
    yield "bits3.png", png(W, H, 3, 2, scan)
    yield "colour-type5.png", png(W, H, 8, 5, scan)
    yield "no-palette.png", png(W, H, 8, 3, rows(scene(1), 8))
    yield "no-idat.png", plain[:plain.index(b"IDAT") - 4] + plain[-12:]
    yield "no-ihdr.png", plain[:8] + plain[33:]
    yield "chunk-length.png", plain[:8] + b"\x7f\xff\xff\xff" + plain[12:]
    yield "bomb.png", png(12000, 12000, 1, 0, [b"\0" * 1500] * 12000)


def bad_jpeg():
    yield "signature.jpg", b"\xff\xd8\xff"
    segments = b"\xff\xfe\0\4xx" * 64000
    yield "64000-segments.jpg", saved(RGB, "JPEG")[:2] + segments + saved(RGB, "JPEG")[2:]
    progressive = saved(RGB, "JPEG", progressive=True)
    scan = progressive[progressive.rindex(b"\xff\xda"):-2]
    yield "3000-scans.jpg", progressive[:-2] + scan * 3000 + progressive[-2:]
    jpeg = saved(RGB, "JPEG", quality=95)
    frame = jpeg.index(b"\xff\xc0")
    for name, height, width in (("0x0", 0, 0), ("huge", 65500, 65500), ("bomb", 5000, 5000)):
        yield (f"size-{name}.jpg",
               jpeg[:frame + 5] + struct.pack(">HH", height, width) + jpeg[frame + 9:])
    yield "no-frame.jpg", jpeg[:frame] + jpeg[jpeg.index(b"\xff\xda"):]
    yield "no-end.jpg", jpeg[:-2]
    yield "cut-scan.jpg", jpeg[:-150] + jpeg[-2:]
    progressive = saved(RGB, "JPEG", quality=95, progressive=True)
    yield "cut-scan-progressive.jpg", progressive[:-150] + progressive[-2:]
    yield "twelve-bit.jpg", jpeg[:frame + 4] + b"\x0c" + jpeg[frame + 5:]


def bad_webp():
    yield "signature.webp", b"RIFF\4\0\0\0WEBP"
    webp = saved(RGB, "WEBP", lossless=True)
    yield "huge.webp", webp[:21] + struct.pack("<I", 0x0fffffff) + webp[25:]
    yield "extended-huge.webp", (b"RIFF" + struct.pack("<I", 22 + len(webp)) + b"WEBPVP8X\n\0\0\0"
                                 + b"\0" * 4 + b"\xff\xff\xff\xff\xff\xff" + webp[12:])
    yield "no-picture.webp", b"RIFF\x0c\0\0\0WEBPJUNK\0\0\0\0"


def bad_tiff():
    yield "signature.tiff", b"II*\0\x08\0\0\0"
    yield "int32.tiff", saved(GREY.convert("I"), "TIFF")
    data = scene(3).astype("uint8").tobytes()
    for name, changes in (
            ("huge", {"t256": (4, [60000]), "t257": (4, [60000])}),
            ("bomb", {"t256": (4, [9000]), "t257": (4, [9000])}),
            ("0x0", {"t256": (3, [0])}),
            ("4g", {"t256": (4, [2 ** 32 - 1]), "t257": (4, [2 ** 32 - 1])}),
            ("wide-type", {"t256": (16, [60000]), "t257": (16, [60000])}),
            ("samples", {"t277": (3, [65535])}),
            ("bits", {"t258": (3, [7, 9, 11])}),
            ("compression", {"t259": (3, [4711])}),
            ("offset", {"t273": (4, [0xfffffff0])})):
        yield f"{name}.tiff", tiff(tiff_entries(W, H, 3, 8, 2, len(data), **changes), data)
    huge_tile = tiff_entries(W, H, 3, 8, 2, 0, t322=(4, [2 ** 24]), t323=(4, [64]),
                             t324=(4, "data"), t325=(4, [len(data)]))
    for tag in (273, 278, 279):
        del huge_tile[tag]
    yield "tile-bomb.tiff", tiff(huge_tile, data)
    yield "no-directory.tiff", b"II*\0\xff\xff\0\0" + data
    yield "no-entries.tiff", b"II*\0\x08\0\0\0\0\0\0\0\0\0"


def bad_bmp():
    yield "signature.bmp", b"BM"
    black = b"\0" * 64 * H
    for name, width, height, bits in (("huge", 60000, 60000, 24), ("2g", 2 ** 31 - 1, 1, 24),
                                      ("negative", -W, H, 24), ("lowest", W, -2 ** 31, 24),
                                      ("bits", W, H, 13), ("0x0", 0, 0, 24)):
        yield f"{name}.bmp", bmp(width, height, bits, black)


def resized(data, width, height):
    """An AVIF or HEIC whose items all declare another size."""
    parts = data.split(b"ispe\0\0\0\0")
    size = struct.pack(">II", width, height)
    return parts[0] + b"".join(b"ispe\0\0\0\0" + size + part[8:] for part in parts[1:])


def bad_samples():
    yield "signature.jxl", b"\xff\x0a"
    yield "container-signature.jxl", b"\0\0\0\x0cJXL \r\n\x87\n"
    yield "no-codestream.jxl", sample("container.jxl")[:32]
    # A codestream of 1,000,000 x 1,000,000 pixels, which says no more.
    yield "huge.jxl", bytes.fromhex("ff0a7e420f007e420f00") + b"\0" * 60
    for name in ("rgb.avif", "rgb.heic"):
        kind = name[4:]
        yield f"huge.{kind}", resized(sample(name), 60000, 60000)
        yield f"bomb.{kind}", resized(sample(name), 12000, 12000)
        yield f"0x0.{kind}", resized(sample(name), 0, 0)
        yield f"4g.{kind}", resized(sample(name), 2 ** 32 - 1, 2 ** 32 - 1)
        yield f"no-meta.{kind}", sample(name).replace(b"meta", b"free")
        yield f"no-data.{kind}", sample(name).replace(b"mdat", b"free")[:-200]


    # The tiles' canvas, which the file states beside the picture's size.
    canvas = struct.pack(">HH", W, H)
    assert sample("grey.heic").count(canvas) == 1
    yield "canvas.heic", sample("grey.heic").replace(canvas, struct.pack(">HH", 28744, 22899))


def bases():
    """One of each kind, for cutting and flipping."""
    return {"plain.png": saved(RGB, "PNG"), "alpha.png": saved(RGBA, "PNG"),
            "turned.png": saved(RGB, "PNG", exif=exif(6)),
            "interlaced.png": png(W, H, 8, 2, adam7(scene(3), 8), interlace=1),
            "plain.jpg": saved(RGB, "JPEG", quality=90),
            "turned.jpg": saved(RGB, "JPEG", quality=90, exif=exif(6)),
            "progressive.jpg": saved(RGB, "JPEG", quality=90, progressive=True),
            "lossy.webp": saved(RGB, "WEBP", quality=90, exif=exif(6)),
            "lossless.webp": saved(RGBA, "WEBP", lossless=True),
            "plain.tiff": saved(RGB, "TIFF"), "lzw.tiff": saved(RGBA, "TIFF", compression="tiff_lzw"),
            "jpeg.tiff": saved(RGB, "TIFF", compression="jpeg"),
            "plain.bmp": saved(RGB, "BMP"), "palette.bmp": saved(RGB.quantize(16), "BMP"),
            **{"base-" + name: sample(name) for name in (
                "rgb.jxl", "lossy.jxl", "turned5.jxl", "rgba.avif", "ten-bit.avif", "rgb.heic")}}


def cut():
    for name in ("plain.png", "plain.jpg", "lossy.webp", "plain.tiff", "plain.bmp", "base-rgb.jxl",
                 "base-turned5.jxl", "base-rgba.avif", "base-rgb.heic"):
        data = bases()[name]
        for part in range(1, 13):
            yield f"cut{part:02}-{name}", data[:max(1, len(data) * part // 13)]
        yield f"cut-last-{name}", data[:-1]


def hurt():
    """So damaged that a part can still be read, for --accept-damaged."""
    generator = random.Random(3)
    busy = Image.frombytes("RGB", (64, 64), bytes(generator.randrange(60, 200) for _ in range(64 * 64 * 3)))
    no_codes = b"\xff\0" * 20  # of JPEG: ones alone are none

    def cut_off(data):
        return data[:len(data) * 3 // 4]

    def spoilt(data, with_what, middle=None):
        middle = len(data) * 5 // 8 if middle is None else middle
        return data[:middle] + with_what + data[middle + len(with_what):]

    for mode in ("L", "RGB", "RGBA", "P"):
        yield f"hurt-cut-{mode}.png", cut_off(saved(busy.convert(mode), "PNG"))
    yield "hurt-spoilt.png", spoilt(saved(busy, "PNG"), bytes(20))
    deep = np.asarray(busy.convert("L"), int) * 257
    yield "hurt-cut-16.png", cut_off(png(64, 64, 16, 0, rows(deep[..., None], 16)))
    colours = np.asarray(busy, int)
    yield "hurt-cut-interlaced.png", cut_off(png(64, 64, 8, 2, adam7(colours, 8), interlace=1))
    for mode in ("L", "RGB", "CMYK"):
        yield f"hurt-cut-{mode}.jpg", cut_off(saved(busy.convert(mode), "JPEG", quality=90))
    yield "hurt-cut-progressive.jpg", cut_off(saved(busy, "JPEG", progressive=True))
    yield "hurt-spoilt.jpg", spoilt(saved(busy, "JPEG", quality=90), no_codes)
    restarting = saved(busy, "JPEG", quality=90, restart_marker_rows=1)
    yield "hurt-spoilt-restarting.jpg", spoilt(restarting, no_codes)
    for mode in ("1", "L", "RGB", "RGBA", "P", "LAB", "CMYK"):
        of_mode = ImageCms.applyTransform(busy, ImageCms.buildTransform(
            ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")) \
            if mode == "LAB" else busy.convert(mode)
        data = saved(of_mode, "TIFF", compression="tiff_lzw", strip_size=1)
        strips = Image.open(io.BytesIO(data)).tag_v2[273]  # not what tells of them, of which little is left then
        yield f"hurt-spoilt-{mode}.tiff", spoilt(data, b"\xff" * 20, strips[len(strips) * 5 // 8])
    yield "hurt-cut.bmp", cut_off(saved(busy, "BMP"))


def without_counterpart():
    """What Pillow does not turn into RGB, or not as others do."""
    yield "lab.tiff", saved(RGB.convert("LAB"), "TIFF")
    yield "float.tiff", saved(GREY.convert("F"), "TIFF")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    yield "cmyk-profile.jpg", saved(RGB.convert("CMYK"), "JPEG", icc_profile=profile)
    history = "".join(f'<rdf:li stEvt:action="saved" stEvt:when="{i}" stEvt:changed="/"/>'
                      for i in range(3000))
    packet = ('<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
              'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
              'rdf:about="" xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/" '
              'xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#">'
              f"<xmpMM:History><rdf:Seq>{history}</rdf:Seq></xmpMM:History>"
              "</rdf:Description></rdf:RDF></x:xmpmeta>")
    text = b"XML:com.adobe.xmp\0\0\0\0\0" + packet.encode()
    yield "long-history.png", png(W, H, 8, 2, rows(scene(3), 8), before=png_chunk(b"iTXt", text))


def forgivable():
    data = scene(3).astype("uint8").tobytes()
    lie = tiff_entries(W, H, 3, 8, 2, len(data), t279=(4, [0xfffffff0]))
    yield "strip-bytes.tiff", tiff(lie, data)
    for name in ("rgb.avif", "rgb.heic"):  # libavif stretches the picture
        yield "wider." + name[4:], resized(sample(name), W + 40, H)


def flipped():
    for name, data in bases().items():
        generator = random.Random(name)
        for number in range(10):
            damaged = bytearray(data)
            for _ in range(1 + number // 3 * 2):
                # The headers are where a flip does most.
                reach = len(damaged) if number % 2 else min(len(damaged), 120)
                damaged[generator.randrange(reach)] ^= 1 << generator.randrange(8)
            yield f"flip{number}-{name}", bytes(damaged)


def write_all(folder):
    os.makedirs(folder, exist_ok=True)
    count = 0
    sources = (("good", (good_png, good_jpeg, good_webp, good_tiff, good_bmp, good_orientations,
                         good_samples, good_names)),
               ("bad", (bad_format, bad_png, bad_jpeg, bad_webp, bad_tiff, bad_bmp, bad_samples,
                        samples_without_library, cut, hurt)),
               ("odd", (without_counterpart, forgivable, flipped)))
    for prefix, makers in sources:
        for maker in makers:
            for name, data in maker():
                name = os.fsencode(name)
                ending = os.path.splitext(name)[1][1:]
                path = os.path.join(os.fsencode(folder),
                                    b"-".join((prefix.encode(), ending, name)))
                if os.path.exists(path):
                    raise SystemExit(f"{path!r} is made twice")
                with open(path, "wb") as file:
                    file.write(data)
                count += 1
    return count


if __name__ == "__main__":
    print(write_all(sys.argv[1]), "files")
