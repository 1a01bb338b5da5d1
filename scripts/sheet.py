"""Pictures in rows and columns with a title above each column."""

from PIL import Image, ImageDraw, ImageFont

GAP, HEAD = 8, 20  # pixels


def sheet(titles: list, rows: list, side: int = 128) -> Image.Image:
    """rows: lists of pictures, one a title; a picture of another size is enlarged pixel by pixel."""
    step = side + GAP
    page = Image.new("RGB", (GAP + step * len(titles), HEAD + step * len(rows)), "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default()
    for column, title in enumerate(titles):
        draw.text((GAP + column * step, 5), title, fill="black", font=font)
    for line, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            if picture.size != (side, side):
                picture = picture.resize((side, side), Image.NEAREST)
            page.paste(picture.convert("RGB"), (GAP + column * step, HEAD + line * step))
    return page
