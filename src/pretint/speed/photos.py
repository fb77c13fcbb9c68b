"""Made pictures that are as heavy as photos: soft colours, edges and grain. Numpy and Pillow alone.

A JPEG of 500 x 375 pixels of theirs has about 70 kB at quality 90, as photos of the web have; how long a picture takes to
decode follows from its bytes and its pixels, not from what it shows.
"""

from pathlib import Path

import numpy as np
from PIL import Image

LARGE = (500, 375)
"""Width and height of the photos of COCO and VOC, about."""
_GRAIN = 0.018
_QUALITY = 90


def photo(seed: int, width: int, height: int) -> Image.Image:
    """One picture, the same for a seed at all times."""
    draws = np.random.default_rng(seed)
    planes = np.zeros((height, width, 3), np.float32)
    weight = 0.55
    for lumps in (3, 7, 17, 41, 97):
        for plane in range(3):
            rough = Image.fromarray(draws.random((lumps, lumps), np.float32))
            planes[..., plane] += weight * np.asarray(rough.resize((width, height), Image.Resampling.BICUBIC))
        weight *= 0.5
    # Outlines: where a smooth surface crosses a level, the picture turns darker at once.
    surface = Image.fromarray(draws.random((9, 9), np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    planes *= np.where(np.asarray(surface) * 6 % 1 > 0.5, 1.0, 0.6)[..., None].astype(np.float32)
    planes += draws.normal(0, _GRAIN, (height, width, 1)).astype(np.float32)
    return Image.fromarray((planes.clip(0, 1) * 255).astype(np.uint8))


def write(folder: Path, count: int, size: tuple[int, int] = LARGE) -> Path:
    """``count`` JPEGs of a size (width, height) in a new folder."""
    folder.mkdir()
    for i in range(count):
        photo(i, *size).save(folder / f"{i:04d}.jpg", quality=_QUALITY)
    return folder


def write_large(path: Path, megapixels: float) -> Path:
    """One JPEG of 4:3 with so many million pixels, tiled from a small picture: as heavy, and soon made."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = round(megapixels * 1e6 / height)
    tile = photo(0, min(width, 1000), min(height, 750))
    picture = Image.new("RGB", (width, height))
    for top in range(0, height, tile.height):
        for left in range(0, width, tile.width):
            picture.paste(tile, (left, top))
    picture.save(path, quality=_QUALITY)
    return path
