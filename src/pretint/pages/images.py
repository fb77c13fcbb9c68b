"""Grids of pictures with captions, as PNG files or as data URIs that an HTML page carries in itself. Loads no torch."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pretint.run_folder import write_atomically

_GAP = 6  # pixels between pictures
_INK, _PAPER, _EMPTY = (34, 34, 34), (255, 255, 255), (238, 238, 238)


@dataclass(frozen=True, kw_only=True)
class Row:
    """Pictures side by side: (H, W, 3) or (H, W), uint8 or floating point in [0, 1]; None leaves a cell empty."""

    pictures: Sequence[NDArray[Any] | None]
    caption: str = ""


def picture_grid(rows: Sequence[Row], *, cell: int = 128) -> Image.Image:
    """Rows of pictures, each row's caption above it.

    Args:
        rows: from top to bottom; they may differ in length.
        cell: side in pixels of the square that a picture is fitted into, its aspect kept. Small pictures are enlarged by
            repeating pixels, so that a grid shows what is there.
    Raises:
        ValueError: no pictures, or one of another shape, type or range.
    """
    across = max((len(row.pictures) for row in rows), default=0)
    if not across:
        raise ValueError("a grid needs at least one picture")
    font = ImageFont.load_default(max(11, cell // 10))
    line = round(font.getbbox("Ag")[3] * 1.3)
    width = _GAP + across * (cell + _GAP)
    height = _GAP + sum((line if row.caption else 0) + cell + _GAP for row in rows)
    grid = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(grid)
    top = _GAP
    for row in rows:
        if row.caption:
            draw.text((_GAP, top), _cut(row.caption, font, width - 2 * _GAP), _INK, font)
            top += line
        for number, picture in enumerate(row.pictures):
            left = _GAP + number * (cell + _GAP)
            if picture is None:
                grid.paste(_EMPTY, (left, top, left + cell, top + cell))
                continue
            fitted = _fitted(picture, cell)
            grid.paste(fitted, (left + (cell - fitted.width) // 2, top + (cell - fitted.height) // 2))
        top += cell + _GAP
    return grid


def write_png(picture: Image.Image, path: Path) -> None:
    """Write the file in one step: a page that is read while a run goes on never shows half of it.

    Raises:
        ResourceError: it cannot be written.
    """
    content = io.BytesIO()
    picture.save(content, format="PNG")
    write_atomically(path, content.getvalue())


def data_uri(picture: Image.Image | NDArray[Any], form: Literal["png", "jpeg"] = "png") -> str:
    """The picture as the value of an <img src>: png exact, jpeg (quality 90, full colour) several times smaller."""
    image = picture if isinstance(picture, Image.Image) else _image(picture)
    stream = io.BytesIO()
    if form == "jpeg":
        image.convert("RGB").save(stream, format="JPEG", quality=90, subsampling="4:4:4")
    else:
        image.save(stream, format="PNG", optimize=True)
    return f"data:image/{form};base64,{base64.b64encode(stream.getvalue()).decode()}"


def _fitted(picture: NDArray[Any], cell: int) -> Image.Image:
    image = _image(picture)
    scale = cell / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS)


def _image(picture: NDArray[Any]) -> Image.Image:
    array = np.asarray(picture)
    if array.size == 0 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        raise ValueError(f"a picture has shape (H, W, 3) or (H, W), got {array.shape}")
    if np.issubdtype(array.dtype, np.floating):
        if not (array.min() >= -1e-4 and array.max() <= 1 + 1e-4):
            raise ValueError(f"floating-point pictures lie in [0, 1], got {array.min():g} to {array.max():g}")
        array = (array.clip(0, 1) * 255).round().astype(np.uint8)
    if array.dtype != np.uint8:
        raise ValueError(f"a picture is uint8 or floating point, got {array.dtype}")
    return Image.fromarray(array).convert("RGB")


def _cut(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """One line that fits the width, with dots where letters are left out."""
    text = " ".join(text.split())
    if not isinstance(font, ImageFont.FreeTypeFont):  # Pillow without FreeType has a font for Latin-1 alone
        text = text.encode("latin-1", "replace").decode("latin-1")
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."
