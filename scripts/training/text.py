"""Pages of rendered text, over plain grounds and over photographs, to train on as on photographs."""
import glob
import os

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# A folder beside `scripts`, where rented.py puts what it brings to a machine without fonts, and Debian's.
FOLDERS = (os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "fonts"), "/usr/share/fonts/truetype")
FAMILIES = ("dejavu", "liberation*", "noto")
SIZES = (8, 40)  # pixels
SYLLABLES = ("an be co da el fi gu ho in ja ki lo mer nach os pra qui res sta tion und ver wor xy zen th ing ed "
             "ough ll tt MM WA Re St Ko Za Th").split()


def fonts() -> list:
    """Latin faces of Debian's fonts-dejavu, fonts-liberation and, where there, fonts-noto-core."""
    for folder in FOLDERS:
        names = [name for family in FAMILIES for name in sorted(glob.glob(os.path.join(folder, family, "*.ttf")))]
        names = [name for name in names if os.path.basename(os.path.dirname(name)) != "noto"
                 or os.path.basename(name).split("-")[0] in ("NotoSans", "NotoSerif", "NotoSansMono")]
        if names:
            return names
    return []


def line(random: np.random.Generator, letters: int) -> str:
    """Made-up words, figures and signs."""
    words, length = [], 0
    while length < letters:
        kind = random.random()
        if kind < 0.15:
            word = str(random.integers(10 ** random.integers(1, 7)))
        else:
            word = "".join(random.choice(SYLLABLES, random.integers(1, 4)))
            word = word.upper() if kind < 0.3 else word.capitalize() if kind < 0.5 else word
        words.append(word + str(random.choice(["", "", "", ",", ".", ":", "?", "!", ")", " -", " &", " %"])))
        length += len(words[-1]) + 1
    return " ".join(words)


def page(number: int, photos, faces, extent: int) -> Image.Image:
    """Page `number` of extent x extent pixels, a function of the photographs [PIL] and font files given too."""
    random = np.random.default_rng((77, number))
    ground = random.random()
    colour = tuple(int(v) for v in random.integers(0, 256, 3))
    if ground < 0.4:
        colour = (255,) * 3 if ground < 0.25 else (int(random.integers(200, 256)),) * 3
    image = Image.new("RGB", (extent, extent), colour)
    if ground > 0.6 and photos:
        photo = photos[int(random.integers(len(photos)))]
        side = min(*photo.size, extent)
        image = photo.crop((0, 0, side, side)).resize((extent, extent), Image.BICUBIC)
    draw = ImageDraw.Draw(image)
    top = int(random.integers(0, 12))
    while top < extent:
        size = int(round(np.exp(random.uniform(*np.log(SIZES)))))
        font = ImageFont.truetype(str(random.choice(faces)), size)
        behind = np.asarray(image.crop((0, top, extent, min(extent, top + size + 1)))).mean()
        ink = (0, 0, 0) if behind > 127 else (255, 255, 255)
        if random.random() < 0.4:  # in colours too, that stand out from the ground
            share = random.uniform(0, 0.45)
            ink = tuple(int((1 - share) * a + share * b) for a, b in zip(ink, random.integers(0, 256, 3)))
        for _ in range(int(random.integers(1, 5))):
            draw.text((int(random.integers(-10, 30)), top), line(random, 2 * extent // size), fill=ink, font=font)
            top += int(size * random.uniform(1.15, 1.6)) + 1
        if random.random() < 0.2:
            draw.line((0, top, extent, top), fill=ink, width=int(random.integers(1, 4)))
            top += 6
    return image


def pages(count: int, photos, extent: int) -> list:
    faces = fonts()
    if not faces:
        raise SystemExit(f"no font below {FOLDERS[1]} to render text with: install fonts-dejavu-core or set \"text\" to 0")
    return [page(number, photos, faces, extent) for number in range(count)]
