"""Hashes of pictures that hardly change when a picture is encoded anew, resized, squashed, mirrored, brightened or made grey.

A picture is made grey and reduced to 64 x 64 pixels whatever its shape, so that squashing changes nothing; the hash is the signs of the
lowest 16 x 16 coefficients of its cosine transform (DCT-II) but for the mean: 255 bits. Near copies differ in few of them, strangers in
about half. Mirroring flips the signs of the odd horizontal frequencies, so the hash of the mirror image is one XOR away.

From the DCT hashes of Zauner (2010, "Implementation and Benchmarking of Perceptual Image Hash Functions"). Differs from them: 255 bits
instead of 64, and the threshold is 0 instead of the median, which is what makes mirroring exact. docs/log.md holds what other hashes gave.

Each picture is hashed in three views: the whole, without a rim of 4 % a side, and the square in its middle. A crop of a picture is then
near to one of these, whichever of the two pictures was cropped.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dct, dctn

SIDE = 64
"""Pixels of the reduced picture's side."""
VIEWS = 3
"""Views of each picture: whole, without its rim, middle square."""
WORDS = 4
"""64-bit words of one view's hash."""
SIZE = VIEWS * WORDS * 8
"""Bytes of a picture's hashes."""

_RIM = 0.04
_FREQUENCIES = 16
_LEAST_CONTRAST = 2.0
_KEPT = np.arange(_FREQUENCIES**2).reshape(_FREQUENCIES, _FREQUENCIES) > 0  # all but the mean
_COSINES = dct(np.eye(SIDE), axis=0)[:_FREQUENCIES]  # (16, 64): the lowest rows of the transform
_ODD = np.broadcast_to(np.arange(_FREQUENCIES) % 2 == 1, _KEPT.shape)
_FINEST = 24
_SMOOTH = 4


def views(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The three views of a picture in grey.

    Args:
        rgb: uint8 (H, W, 3) of any size.

    Returns:
        uint8 (3, 64, 64): whole, without its rim, middle square.
    """
    grey = Image.fromarray(rgb).convert("L")
    width, height = grey.size
    right, below = (width - min(grey.size)) / 2, (height - min(grey.size)) / 2
    boxes = (
        (0.0, 0.0, float(width), float(height)),
        (_RIM * width, _RIM * height, (1 - _RIM) * width, (1 - _RIM) * height),
        (right, below, width - right, height - below),
    )
    reduced = [np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box)) for box in boxes]
    return np.stack(reduced)


def hashes(rgb: NDArray[np.uint8]) -> bytes:
    """The hashes of a picture's three views.

    Args:
        rgb: uint8 (H, W, 3) of any size.

    Returns:
        ``SIZE`` bytes for :func:`words`; none for a picture of hardly more than one grey (a standard deviation below 2 of 255), whose
        signs would be noise.
    """
    grey = views(rgb)
    if grey[0].std() < _LEAST_CONTRAST:
        return b""
    coefficients = _COSINES @ grey.astype(np.float64) @ _COSINES.T  # (3, 16, 16)
    return np.packbits(coefficients[:, _KEPT] > 0, axis=-1).tobytes()


def words(found: bytes | NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Hashes of N pictures, joined or (N, SIZE), as uint64 (N, VIEWS, WORDS)."""
    return np.frombuffer(found, np.uint64).reshape(-1, VIEWS, WORDS)


def mirrored(found: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The hashes (..., WORDS) of the mirror images."""
    return found ^ np.packbits(_ODD[_KEPT]).view(np.uint64)


def similarity(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """How alike the detail of two views is: the correlation, in [-1, 1], of their cosine coefficients.

    Taken are the lowest 24 x 24 but for the smoothest (the sum of both frequencies below 4): those are alike in any two meadows below a
    sky. 0 where one of the two has no detail.

    Args:
        one, other: uint8 (64, 64), as :func:`views` gives them.
    """
    down, across = np.mgrid[:_FINEST, :_FINEST]
    detail = down + across >= _SMOOTH
    a, b = (dctn(view.astype(np.float64), norm="ortho")[:_FINEST, :_FINEST][detail] for view in (one, other))
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size else 0.0
