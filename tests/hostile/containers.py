"""PNG, TIFF and BMP files by hand, for what Pillow does not write."""
import struct
import zlib


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, bits, colour_type, rows, before=b"", interlace=0, split=None):
    """rows: packed bytes without filter bytes, or whole scan data for an interlaced picture."""
    raw = rows if interlace else b"".join(b"\0" + row for row in rows)
    data = zlib.compress(raw, 9)
    pieces = [data] if split is None else [data[i:i + split] for i in range(0, len(data), split)]
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + before
            + b"".join(png_chunk(b"IDAT", piece) for piece in pieces) + png_chunk(b"IEND", b""))


def packed(values, bits):
    """One row of samples as PNG and TIFF pack them."""
    if bits == 16:
        return struct.pack(f">{len(values)}H", *values)
    text = "".join(format(value, f"0{bits}b") for value in values)
    text += "0" * (-len(text) % 8)
    return bytes(int(text[i:i + 8], 2) for i in range(0, len(text), 8))


def adam7(samples, bits):
    """Interlaced scan data of samples[y][x] = a tuple of channels."""
    height, width = len(samples), len(samples[0])
    data = b""
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
                           (1, 0, 2, 2), (0, 1, 1, 2)):
        for y in range(y0, height, dy):
            row = [value for x in range(x0, width, dx) for value in samples[y][x]]
            data += b"\0" + packed(row, bits) if row else b""
    return data


def big_tiff(entries, data):
    """As tiff, little-endian, with offsets of 8 bytes; offsets given as "data" point at data."""
    letters = {1: "B", 2: "B", 3: "H", 4: "I", 16: "Q"}
    out = b"II+\0\x08\0\0\0" + struct.pack("<Q", 16 + len(data)) + data
    extra_at = len(out) + 8 + 20 * len(entries) + 8
    directory, extra = struct.pack("<Q", len(entries)), b""
    for tag, (kind, values) in sorted(entries.items()):
        values = [16] if values == "data" else values
        blob = struct.pack(f"<{len(values)}{letters[kind]}", *values)
        directory += struct.pack("<HHQ", tag, kind, len(values))
        if len(blob) <= 8:
            directory += blob.ljust(8, b"\0")
        else:
            directory += struct.pack("<Q", extra_at + len(extra))
            extra += blob
    return out + directory + bytes(8) + extra


def tiff(entries, data, order="<", pages=1):
    """entries: {tag: (type, values)}; StripOffsets or TileOffsets given as "data" point at data."""
    letters = {1: "B", 2: "B", 3: "H", 4: "I", 5: "Q", 13: "I", 16: "Q"}
    out = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(data)) + data
    for page in range(pages):
        start = len(out)
        extra_at = start + 2 + 12 * len(entries) + 4
        directory, extra = struct.pack(order + "H", len(entries)), b""
        for tag, (kind, values) in sorted(entries.items()):
            values = [8] if values == "data" else values
            blob = struct.pack(f"{order}{len(values)}{letters[kind]}", *values)
            directory += struct.pack(order + "HHI", tag, kind, len(values))
            if len(blob) <= 4:
                directory += blob.ljust(4, b"\0")
            else:
                directory += struct.pack(order + "I", extra_at + len(extra))
                extra += blob
        following = extra_at + len(extra)
        out += directory + struct.pack(order + "I", following if page + 1 < pages else 0) + extra
    return out


def tiff_entries(width, height, samples, bits, photometric, size, **more):
    entries = {256: (3, [width]), 257: (3, [height]), 258: (3, [bits] * samples), 259: (3, [1]),
               262: (3, [photometric]), 273: (4, "data"), 277: (3, [samples]), 278: (3, [height]),
               279: (4, [size])}
    entries.update({int(tag[1:]): value for tag, value in more.items()})
    return entries


def bmp(width, height, bits, data, palette=b"", compression=0, header=40, masks=()):
    """masks: red, green, blue and perhaps alpha, behind a header of 40 bytes."""
    fields = struct.pack(f"<{len(masks)}I", *masks)
    offset = 14 + header + len(fields) + len(palette)
    colours = len(palette) // (3 if header == 12 else 4)
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(data),
                           2835, 2835, colours, 0)
    return (b"BM" + struct.pack("<IHHI", offset + len(data), 0, 0, offset) + info + fields + palette
            + data)
