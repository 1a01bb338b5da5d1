"""Loss curves and sample sheets as PNG, with Pillow alone."""
import math
import os

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw

from data import to_bytes


def save_png(image: Image.Image, path: str):
    temporary = path + ".part"
    image.save(temporary, format="PNG")
    os.replace(temporary, path)


def sheet(path: str, columns, size: int):
    """One row an image, one column a (title, float tensor [N,1 or 3,h,w] in [-1,1])."""
    tiles = []
    for _, images in columns:
        images = images.detach().float().cpu()
        if images.shape[1] == 1:
            images = images.expand(-1, 3, -1, -1)
        tiles.append(F.interpolate(images, size=(size, size), mode="nearest"))
    grid = torch.stack(tiles)
    count = grid.shape[1]
    pixels = to_bytes(grid).permute(1, 3, 0, 4, 2).reshape(count * size, len(columns) * size, 3)
    page = Image.new("RGB", (len(columns) * size, count * size + 14), "white")
    page.paste(Image.fromarray(pixels.numpy()), (0, 14))
    draw = ImageDraw.Draw(page)
    for i, (title, _) in enumerate(columns):
        draw.text((i * size + 3, 1), title, fill="black")
    save_png(page, path)


def loss_curve(path: str, records, title: str):
    """records: [(images seen, loss)]; the loss on a logarithmic axis."""
    points = [(seen, loss) for seen, loss in records if loss > 0 and math.isfinite(loss)]
    if not points:
        return
    width, height, left, bottom = 720, 400, 70, 30
    page = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(page)
    logs = [math.log10(loss) for _, loss in points]
    low, high, last = min(logs), max(logs) + 1e-6, points[-1][0]

    def place(seen: float, value: float):
        return (left + (width - left - 15) * seen / last,
                20 + (height - bottom - 25) * (high - value) / (high - low))

    for k in range(5):
        value = low + (high - low) * k / 4
        y = place(0, value)[1]
        draw.line([(left, y), (width - 15, y)], fill="#dddddd")
        draw.text((4, y - 6), f"{10 ** value:.3g}", fill="black")
        draw.text((place(last * k / 4, low)[0] - 20, height - bottom + 8), f"{last * k // 4}", fill="black")
    places = [place(seen, value) for (seen, _), value in zip(points, logs)]
    draw.line(places, fill="#1f5fbf", width=2)
    x, y = places[-1]
    draw.ellipse([x - 3, y - 3, x + 3, y + 3], fill="#1f5fbf")  # one point alone makes no line
    draw.text((left, 3), f"{title}: loss against images seen", fill="black")
    save_png(page, path)
