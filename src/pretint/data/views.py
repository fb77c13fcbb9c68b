"""What of a picture the network sees: one declared cut and resize, the same from folders and shards. Loads no torch."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_RESAMPLING = {
    "area": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "nearest": Image.Resampling.NEAREST,
}
WINDOW = 8 / 9
"""Side of a window over the picture's shorter side: 128 of 144 pixels."""


@dataclass(frozen=True, kw_only=True)
class ViewOptions:
    crop: Literal["random", "window", "squash", "centre"] = "random"
    """What is cut out: a random rectangle, a random square of 8/9 of the shorter side, nothing (the whole picture squashed to a square), or
    the largest central square."""
    smallest: float = 0.5
    """Smallest part of the picture's area that a random crop may keep, in (0, 1]; of long pictures less, where no shape within --view.stretch has room for it."""
    stretch: float = 4 / 3
    """Largest ratio of the sides of a random crop, 1 or more; 1 keeps shapes as they are."""
    resize: Literal["area", "bilinear", "bicubic", "nearest"] = "bilinear"
    """How pixels are resampled; all but nearest smooth before they shrink. Masks always take the nearest pixel."""
    flip: bool = True
    """Mirror half of the pictures left to right."""

    def __post_init__(self) -> None:
        from pretint.errors import OptionError

        if not 0 < self.smallest <= 1:
            raise OptionError(
                f"--view.smallest {self.smallest}: the smallest part of the area lies above 0 and at most at 1"
            )
        if not self.stretch >= 1:
            raise OptionError(f"--view.stretch {self.stretch}: the largest ratio of the sides is 1 or more")

    def evaluation(self) -> "ViewOptions":
        """The same without chance: a random crop becomes the whole picture, a window the central square; nothing is mirrored."""
        without: dict[str, Literal["squash", "centre"]] = {"random": "squash", "window": "centre"}
        return replace(self, crop=without.get(self.crop, self.crop), flip=False)


def side_to_decode(size: int, options: ViewOptions) -> int:
    """Shorter side in pixels that a picture must keep when it is decoded, so that no crop of it is enlarged more than at full size."""
    if options.crop == "window":
        return math.ceil(size / WINDOW)
    if options.crop != "random":
        return size
    # Where crops have room, the smallest and most stretched has the shortest side; one that reaches from edge to edge of a long
    # picture has at least 1/stretch of its shorter side.
    return math.ceil(size / min(math.sqrt(options.smallest / options.stretch), 1 / options.stretch))


def view(
    rgb: NDArray[np.uint8] | Image.Image,
    mask: NDArray[np.int64] | None,
    size: int,
    options: ViewOptions,
    generator: np.random.Generator | None,
) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
    """Cut and resize a picture and its mask alike.

    Mirroring is not done here but on the device, for the whole batch.

    Args:
        rgb: uint8 (H, W, 3), or a picture of Pillow's in mode RGB.
        mask: class indices up to 255, (H, W), or None.
        size: side of the square that comes out, in pixels.
        options: what is cut out and how it is resized.
        generator: the picture's own stream; needed for random crops and windows only.

    Returns:
        rgb uint8 (size, size, 3) and mask int64 (size, size) or None.
    """
    width, height = rgb.size if isinstance(rgb, Image.Image) else rgb.shape[1::-1]
    box = _box(height, width, size, options, generator)
    left, top = int(box[0]), int(box[1])
    if box == (left, top, left + size, top + size):  # whole pixels, as many as are wanted: nothing to resample
        rows, columns = slice(top, top + size), slice(left, left + size)
        return np.asarray(rgb)[rows, columns], None if mask is None else mask[rows, columns]
    picture = rgb if isinstance(rgb, Image.Image) else Image.fromarray(rgb)
    picture = picture.resize((size, size), _RESAMPLING[options.resize], box=box)
    if mask is None:
        return np.asarray(picture), None
    ids = Image.fromarray(mask.astype(np.uint8)).resize((size, size), Image.Resampling.NEAREST, box=box)
    return np.asarray(picture), np.asarray(ids).astype(np.int64)


def _box(
    height: int, width: int, size: int, options: ViewOptions, generator: np.random.Generator | None
) -> tuple[float, float, float, float]:
    if options.crop == "squash":
        return 0, 0, width, height
    if options.crop == "centre":
        side = min(height, width)
        left, top = (width - side) / 2, (height - side) / 2
        if side == size:  # not half a pixel aside, which would resample, and so blur, what has its size already
            left, top = left // 1, top // 1
        return left, top, left + side, top + side
    if generator is None:
        raise ValueError("a random crop needs a generator")
    if options.crop == "window":
        # At whole pixels, so that of a picture that has 9/8 of the size a window is cut and not resampled.
        edge = min(height, width) * WINDOW
        x, y = (min(math.floor(generator.random() * (free + 1)), free) for free in (width - edge, height - edge))
        return x, y, x + edge, y + edge
    share = generator.uniform(options.smallest, 1)
    ratio = math.exp(generator.uniform(-1, 1) * math.log(options.stretch))
    wide, high = math.sqrt(share * height * width * ratio), math.sqrt(share * height * width / ratio)
    # A long picture has no room for that much in this shape: the largest rectangle of the shape is taken, so shapes stay within `stretch`.
    shrink = min(1, width / wide, height / high)
    wide, high = min(wide * shrink, width), min(high * shrink, height)  # rounding may exceed the picture
    left, top = generator.random() * (width - wide), generator.random() * (height - high)
    return left, top, min(left + wide, width), min(top + high, height)
