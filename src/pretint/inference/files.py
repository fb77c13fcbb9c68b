"""One picture file to one coloured picture file, with what still holds of its metadata.

Written as PNG or as JPEG (quality 95, colour at full resolution); kept are EXIF, an RGB colour profile and transparency
(PNG only). The file appears whole or not at all: if something fails there is a sentence, never a grey picture.
"""

import io
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from pretint.data.reading import read_rgb, turn_of
from pretint.errors import DataError, OptionError, ResourceError, WeightsError
from pretint.inference.full_resolution import AbPredictor, predict_ab, recolour
from pretint.training.memory import is_out_of_memory

JPEG_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif"})
_JPEG_LONGEST = 65500  # pixels a side: what libjpeg takes, of the 65535 that the format could tell
_JPEG_EXIF_ROOM = 65533  # bytes in one JPEG segment

# What a TIFF says of how its pixels are stored; it stands among the EXIF tags there and would describe another file.
_STORAGE_TAGS = frozenset(
    {0x00FE, 0x00FF, *range(0x0100, 0x0104), 0x0106, 0x010A, 0x0111, *range(0x0115, 0x0119), 0x011C, 0x013D, 0x0140}
    | {*range(0x0142, 0x0146), 0x014A, 0x0152, 0x0153, 0x015B, 0x0201, 0x0202, 0x0211, 0x0212, 0x0213, 0x02BC, 0x8773}
)
_FOLDERS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)


def colorize_file(source: Path, target: Path, ab_predictor: AbPredictor, size: int) -> None:
    """Colours `source` at full resolution and writes `target`, replacing it in one step.

    Args:
        source: a picture of any kind that `read_rgb` takes.
        target: .png or .jpg (.jpeg, .jpe, .jfif) in an existing folder; never the source itself.
        ab_predictor: the network, see `full_resolution.predict_ab`.
        size: short side of what the network sees, in pixels.
    Raises:
        DataError: the source cannot be read, or is too large for a JPEG.
        OptionError: the target has another ending, or is the source.
        ResourceError: memory runs out, or the target cannot be written.
        WeightsError: the network predicts values that are not numbers.
    """
    kind = _kind(target)
    if target.exists() and source.exists() and target.samefile(source):
        raise OptionError(f"{target}: this is the original, which is never overwritten; choose another --out")
    try:
        pixels, metadata = _coloured(source, kind, ab_predictor, size)
        _write(target, kind, pixels, metadata)
    except WeightsError as error:
        raise WeightsError(f"{source}: {error}") from error
    except Exception as error:
        if is_out_of_memory(error):
            raise ResourceError(
                f"{source}: memory ran out while this picture was coloured; scale it down, or close other programs"
            ) from error
        raise


def default_name(source: Path) -> str:
    """What a coloured picture is called in another folder: JPEGs stay JPEGs, everything else becomes PNG."""
    return source.name if source.suffix.lower() in JPEG_SUFFIXES else f"{source.stem}.png"


def _kind(target: Path) -> str:
    suffix = target.suffix.lower()
    if suffix in JPEG_SUFFIXES:
        return "JPEG"
    if suffix == ".png":
        return "PNG"
    raise OptionError(f"{target}: pictures are written as .png or .jpg; give the output one of these endings")


def _coloured(
    source: Path, kind: str, ab_predictor: AbPredictor, size: int
) -> tuple[NDArray[np.uint8], dict[str, bytes]]:
    rgb = read_rgb(source)
    height, width = rgb.shape[:2]
    if kind == "JPEG" and max(height, width) > _JPEG_LONGEST:
        raise DataError(f"{source}: {width}x{height} is too large for a JPEG; give the output the ending .png")
    ab = predict_ab(rgb, ab_predictor, size)
    metadata = _metadata(source, kind, width, height)
    transparent = _rgba(source) if kind == "PNG" else None
    if transparent is None:
        return recolour(rgb, ab), metadata
    # The network saw the picture on white. The file's own colours are joined, else its soft edges would be laid on
    # white twice: here and again, by the alpha kept beside them, wherever the result is shown.
    del rgb
    transparent[..., :3] = recolour(np.ascontiguousarray(transparent[..., :3]), ab)
    return transparent, metadata


def _rgba(source: Path) -> NDArray[np.uint8] | None:
    """The picture with its transparency, upright, (H, W, 4); None if it has none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # As a stream: from a path, Pillow maps plain TIFFs into memory and scrambles those that are to be turned.
        with source.open("rb") as stream, Image.open(stream) as image:
            # A 16-bit grey picture can name one grey that is transparent; there is no 8-bit picture to hold that.
            if not image.has_transparency_data or image.mode.startswith(("I", "F")):
                return None
            image.load()
            turn, picture = turn_of(image), image.convert("RGBA")
    return np.array(picture if turn is None else picture.transpose(turn))


def _metadata(source: Path, kind: str, width: int, height: int) -> dict[str, bytes]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(source) as image:
            found = {"exif": _exif(image, width, height), "icc_profile": _profile(image)}
    if kind == "JPEG" and len(found["exif"]) > _JPEG_EXIF_ROOM:
        del found["exif"]
    return {name: value for name, value in found.items() if value}


def _exif(image: Image.Image, width: int, height: int) -> bytes:
    """EXIF for the turned picture, or nothing if the file has none or one that cannot be read.

    Rebuilt tag by tag, which leaves out the thumbnail: it shows the uncoloured picture.
    """
    try:
        old, new = image.getexif(), Image.Exif()
        for tag, value in old.items():
            if tag not in _STORAGE_TAGS:
                new[tag] = _as_it_was(old.get_ifd(tag) if tag in _FOLDERS else value)
        if ExifTags.Base.Orientation in new:
            new[ExifTags.Base.Orientation] = 1
        details: dict[int, Any] = new.get(ExifTags.IFD.Exif, {})
        for size_tag, pixels in ((ExifTags.Base.ExifImageWidth, width), (ExifTags.Base.ExifImageHeight, height)):
            if size_tag in details:
                details[size_tag] = pixels
        return new.tobytes() if len(new) else b""
    except Exception:  # Pillow raises many kinds on malformed blocks, and a picture is worth more than its EXIF
        return b""


class _Latin1(str):
    """A text of EXIF, which Pillow reads as Latin-1, whatever it is, and would write as ASCII with question marks."""

    def encode(self, encoding: str = "", errors: str = "") -> bytes:
        """The bytes that it was read from."""
        return super().encode("latin-1", "replace")


def _as_it_was(value: Any) -> Any:
    if isinstance(value, dict):
        return {tag: _as_it_was(one) for tag, one in value.items()}
    return _Latin1(value) if isinstance(value, str) else value


def _profile(image: Image.Image) -> bytes:
    """The colour profile where it still describes the file's numbers, else nothing."""
    profile: bytes = image.info.get("icc_profile") or b""
    # The result is RGB. A grey or CMYK profile would make a reader refuse or misread it, and after Pillow's plain
    # conversion from CMYK or Lab no profile of the source is true. RGB numbers are taken as they are, so theirs stays.
    is_rgb = profile[16:20] == b"RGB " and image.mode not in ("CMYK", "LAB", "YCbCr", "HSV")
    return profile if is_rgb else b""


class _Checked(io.BufferedWriter):
    """A file that Pillow's encoders do not write to past Python: they take a write that a full disk cut short for a whole one."""

    def fileno(self) -> int:
        raise io.UnsupportedOperation


def _write(target: Path, kind: str, pixels: NDArray[np.uint8], metadata: dict[str, bytes]) -> None:
    options: dict[str, Any] = {"quality": 95, "subsampling": "4:4:4"}
    if kind == "PNG":
        options = {"compress_level": 3}  # a tenth more bytes than Pillow's 6, in less than half the time
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with _Checked(io.FileIO(unfinished, "w")) as file:
            Image.fromarray(pixels).save(file, format=kind, **options, **metadata)
        unfinished.replace(target)
    except OSError as error:
        raise ResourceError(
            f"{target}: the picture cannot be written ({error.strerror or error}); make room or choose another --out"
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
