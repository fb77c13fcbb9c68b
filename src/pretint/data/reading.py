"""Files of pictures and masks -> arrays. The one place that knows file formats.

What becomes of the odd ones:
    turned by EXIF      turned upright; an EXIF block that cannot be read counts as none
    16-bit, 32-bit grey scaled, never clipped: 255, 4095 or 65535 (the least of them that holds the picture's maximum) becomes white, so that
                        12-bit sensors in 16-bit files are not black; pictures with negative values, or more: their own range
    floats              0..1 when they lie there, else as above
    16-bit colour       the upper 8 bits (Pillow's own doing)
    transparent         laid on white: what lies below full transparency is arbitrary
    CMYK, Lab           Pillow's plain conversion; colour profiles (ICC) are not applied, also not those of RGB pictures
    grey                three equal planes
    several frames      the first
"""

import io
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pretint.data.record import VOID, Span
from pretint.errors import DataError

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"}
)
"""Endings of files that are taken for pictures, in lower case."""

_ORIENTATION = 0x0112
_EXIF = ("exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp")
"""Where Pillow notes what tells of a picture's orientation."""
_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_WHITE = (255, 4095, 65535)


def read_rgb(where: Path | Span, at_least: int | None = None) -> NDArray[np.uint8]:
    """A picture as sRGB, uint8 (H, W, 3).

    Args:
        where: the file, or the stretch of one; what it holds decides, not its ending.
        at_least: the shorter side may come out smaller than in the file, but not below this; JPEGs are then decoded at 1/2, 1/4 or 1/8,
            several times faster. None: full size.

    Raises:
        DataError: the file is missing, no picture, damaged or cut off.
    """
    return np.asarray(read_picture(where, at_least))


def read_picture(where: Path | Span, at_least: int | None = None) -> Image.Image | NDArray[np.uint8]:
    """As :func:`read_rgb`, in the form that is at hand without a further copy: plain pixels as an array, all else as Pillow's RGB."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd EXIF blocks and large pictures; neither is a fault here
        try:
            if isinstance(where, Span) and where.pixels is not None:
                return _plain_pixels(where, where.pixels)
            # As a stream: from a path, Pillow maps plain TIFFs into memory and scrambles those that are to be turned.
            with _open(where) as stream, Image.open(stream) as image:
                if at_least is not None and at_least < min(image.size):
                    image.draft(None, (at_least, at_least))
                image.load()
                turn = turn_of(image)
                upright = _to_rgb(image)
        except MemoryError:
            raise
        except Exception as error:  # decoders raise whatever broken bytes lead them into
            raise _unreadable(where, error) from error
    return upright if turn is None else upright.transpose(turn)


def turn_of(image: Image.Image) -> Image.Transpose | None:
    """What turns a loaded picture upright, by its EXIF; None: nothing. Loading turns a TIFF and forgets its orientation."""
    return _TURN.get(_orientation(image))


def _open(where: Path | Span) -> BinaryIO:
    return io.BytesIO(_bytes(where)) if isinstance(where, Span) else where.open("rb")


def _bytes(span: Span) -> bytes:
    # Not mapped into memory: where a mapped file is cut off meanwhile, the process is killed.
    file = os.open(span.path, os.O_RDONLY)
    try:
        content = os.pread(file, span.size, span.offset)
    finally:
        os.close(file)
    if len(content) < span.size:
        raise ValueError(f"{span.path.name} ends before it does")
    return content


def _plain_pixels(span: Span, shape: tuple[int, int]) -> NDArray[np.uint8]:
    count = shape[0] * shape[1] * 3
    if not 0 < count <= span.size:
        raise ValueError(f"{span.size} bytes do not hold {shape[1]}x{shape[0]} pixels")
    return np.frombuffer(_bytes(span), np.uint8, count, span.size - count).reshape(*shape, 3)


def read_mask(path: Path) -> NDArray[np.int64]:
    """The class ids of a mask as they stand in its file (palette index or grey value, no conversion), upright, int64 (H, W); of black and
    white, white is 1.

    Raises:
        DataError: the file is missing, damaged, of colours or fractions, a JPEG, or counts its greys from white.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with path.open("rb") as stream, Image.open(stream) as image:  # as a stream: see read_picture
                if image.mode not in ("1", "L", "P", "I;16", "I;16B", "I"):
                    kind = {"LA": "has transparency", "PA": "has transparency", "F": "holds fractions"}
                    raise DataError(
                        f"{path}: this mask {kind.get(image.mode, f'is a colour picture (mode {image.mode})')}; "
                        "a mask is a palette or grey picture whose values are class ids"
                    )
                if image.format == "JPEG":
                    raise DataError(
                        f"{path}: this mask is a JPEG, whose compression makes other ids of those at edges; save masks as PNG, "
                        "and from JPEGs by a threshold"
                    )
                if image.mode != "1" and "I" in _raw_mode(image).partition(";")[2]:
                    raise DataError(
                        f"{path}: this mask counts its greys from white, so that its ids are not what one sees; save it as PNG"
                    )
                stored, given = _highest(image)
                image.load()
                turn = turn_of(image)
                ids = np.asarray(image if turn is None else image.transpose(turn)).astype(np.int64)
        except DataError:
            raise
        except Exception as error:
            raise _unreadable(path, error) from error
    return ids if stored == given else (ids * stored + given // 2) // given


def _highest(image: Image.Image) -> tuple[int, int]:
    """The highest grey value that a file's kind can hold, and what Pillow makes of it: it stretches few bits to eight, and any PGM."""
    for coder, _, _, told in getattr(image, "tile", [])[:1]:
        if coder in ("ppm", "ppm_plain") and isinstance(told, tuple):
            return int(told[-1]), 65535 if image.mode == "I" else 255
    raw = _raw_mode(image)
    if image.mode == "L" and raw.startswith(("L;2", "L;4")):
        return 2 ** int(raw[2]) - 1, 255
    return 255, 255


def _raw_mode(image: Image.Image) -> str:
    """How a file lays out its pixels, in Pillow's terms; an I behind the semicolon is for those that count from white."""
    for _, _, _, told in getattr(image, "tile", [])[:1]:
        return str(told[0] if isinstance(told, tuple) else told)
    return ""


def picture_size(path: Path) -> tuple[int, int]:
    """(height, width) of a picture or mask, turned upright; its pixels are not decoded, unless a PNG has further words behind them.

    Raises:
        DataError: the file is missing or no picture.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(path) as image:
                width, height = image.size
                # In search of EXIF behind the pixels, Pillow decodes a PNG whole.
                if image.format == "PNG" and not any(key in image.info for key in _EXIF) and _ends_with_pixels(path):
                    return height, width
                # A TIFF's size is told as it is once turned.
                turned = _orientation(image) >= 5 and image.format != "TIFF"
                return (width, height) if turned else (height, width)
        except Exception as error:
            raise _unreadable(path, error) from error


def _ends_with_pixels(path: Path) -> bool:
    """Whether no chunk but the end stands behind a PNG's pixels; there may be EXIF, as such or in a chunk of text."""
    with path.open("rb") as file:
        file.seek(8)
        pixels = False
        while len(head := file.read(8)) == 8:
            kind = head[4:]
            if pixels and kind not in (b"IDAT", b"IEND"):
                return False
            pixels = pixels or kind == b"IDAT"
            file.seek(int.from_bytes(head[:4]) + 4, os.SEEK_CUR)
    return True


def ids_to_classes(ids: NDArray[np.int64], mask_map: Mapping[int, int], path: Path) -> NDArray[np.int64]:
    """Ids of a mask's file -> class indices, int64 (H, W), VOID where pixels count nowhere.

    Raises:
        DataError: the mask holds an id that the map does not know; ``path`` is named.
    """
    beyond = max(mask_map) + 1
    table = np.full(beyond + 1, -1, dtype=np.int64)  # the last place is for all ids that no class can have
    for file_id, index in mask_map.items():
        table[file_id] = index
    classes: NDArray[np.int64] = table[np.where((ids < 0) | (ids > beyond), beyond, ids)]
    if (classes < 0).any():
        unknown = np.unique(ids[classes < 0]).tolist()
        known = sorted(mask_map.keys() - {VOID})
        raise DataError(
            f"{path}: the mask holds the class ids {_listed(unknown)}, but known are only {_listed(known)}; "
            "name every id in classes.txt or mend the mask"
        )
    return classes


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:8])) + (", ..." if len(numbers) > 8 else "")


def _unreadable(path: Path | Span, error: Exception) -> DataError:
    if isinstance(error, FileNotFoundError | IsADirectoryError | PermissionError):
        why = {FileNotFoundError: "is missing", IsADirectoryError: "is a folder"}.get(type(error), "may not be read")
        return DataError(f"{path}: the picture {why}; put it back or take it off the list")
    if isinstance(error, UnidentifiedImageError):
        empty = (path.size if isinstance(path, Span) else path.stat().st_size) == 0
        return DataError(
            f"{path}: {'the file is empty' if empty else 'this is no picture that can be read'}; remove or replace it"
        )
    if isinstance(error, Image.DecompressionBombError):
        return DataError(
            f"{path}: the picture has too many pixels to be opened safely; scale it down or cut it into tiles"
        )
    return DataError(f"{path}: the picture is damaged or cut off ({error}); remove or replace it")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a broken EXIF block is no reason to lose the picture
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _deep_grey_to_rgb(image)
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture).convert("RGB")
    if image.mode == "RGB" and image.format == "JPEG":
        return image  # it is decoded and needs its file no more; convert would copy it
    return image.convert("RGB")


def _deep_grey_to_rgb(image: Image.Image) -> Image.Image:
    transparent = image.info.get("transparency")
    values = np.asarray(image).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("it holds values that are not numbers")
    low, high = float(values.min()), float(values.max())
    white = high
    if low >= 0:
        low = 0.0
        whites = (1, *_WHITE) if image.mode == "F" else _WHITE
        white = next((w for w in whites if high <= w), high)
    scale = 255 / (white - low) if white > low else 0
    grey = np.rint((values - low) * scale).astype(np.uint8)
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return Image.fromarray(grey).convert("RGB")
