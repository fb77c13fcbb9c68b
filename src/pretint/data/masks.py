"""Masks beside their pictures: class indices out of file ids, and the faults that would else show late in a training."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pretint.data.reading import ids_to_classes, picture_size, read_mask, read_rgb
from pretint.data.record import VOID, Record
from pretint.errors import DataError


def read_pair(record: Record, mask_map: Mapping[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """A picture uint8 (H, W, 3) and its class indices int64 (H, W), VOID where pixels count nowhere.

    Raises:
        DataError: a file cannot be read, the sizes differ, or an id is unknown.
    """
    require_masks([record])
    assert record.mask is not None
    rgb, ids = read_rgb(record.where), read_mask(record.mask)
    if rgb.shape[:2] != ids.shape:
        raise _size_mismatch(record, rgb.shape[:2], ids.shape)
    return rgb, ids_to_classes(ids, mask_map, record.mask)


def require_masks(records: Sequence[Record]) -> None:
    """Raises:
    DataError: a record has no mask.
    """
    bare = next((record for record in records if record.mask is None), None)
    if bare is not None:
        raise DataError(f"{bare.path}: this picture has no mask; add one or take it off the list")


def validate_masks(records: Sequence[Record], mask_map: Mapping[int, int], limit: int | None = 200) -> None:
    """Look at masks before a training: sizes of all from their heads, class ids of up to ``limit``, evenly spread over the records.

    Where these show one class alone, the others are read too until one shows a second.

    Raises:
        DataError: a mask is missing, unreadable, of another size than its picture, or holds unknown ids (of those that are read),
            or all masks hold one class only.
    """
    require_masks(records)
    for record in records:
        assert record.mask is not None
        picture, mask = picture_size(record.path), picture_size(record.mask)
        if picture != mask:
            raise _size_mismatch(record, picture, mask)
    count = len(records) if limit is None else min(limit, len(records))
    first = [i * len(records) // count for i in range(count)]
    found: set[int] = set()
    for number, place in enumerate([*first, *sorted(set(range(len(records))).difference(first))]):
        if number >= count and len(found - {VOID}) > 1:
            break
        path = records[place].mask
        assert path is not None
        found.update(np.unique(ids_to_classes(read_mask(path), mask_map, path)).tolist())
    if len(records) > 1 and len(found - {VOID}) < 2:
        void = " beside void (255); if 255 is an object here, say so in classes.txt" if VOID in found else ""
        raise DataError(
            f"{records[0].mask}: this mask and {len(records) - 1} others hold one class alone{void}; "
            "check that the masks are class ids, one for each class"
        )


def _size_mismatch(record: Record, picture: tuple[int, ...], mask: tuple[int, ...]) -> DataError:
    return DataError(
        f"{record.mask}: the mask is {mask[1]}x{mask[0]} but its picture {record.path} is {picture[1]}x{picture[0]}; "
        "masks and pictures must have the same size"
    )


def voc_palette() -> NDArray[np.uint8]:
    """Pascal VOC's colour map, (256, 3): bit k of the class index feeds bit 7 - k // 3 of channel k % 3."""
    indices = np.arange(256)
    palette = np.zeros((256, 3), dtype=np.uint8)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= ((indices >> channel & 1) << (7 - bit)).astype(np.uint8)
        indices = indices >> 3
    return palette


def overlaid(rgb: NDArray[np.uint8], classes: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    """A picture (H, W, 3) half covered by the colours of its class indices (H, W); the background, index 0, stays bare."""
    mixed = (rgb.astype(np.uint16) + voc_palette()[classes]) // 2
    return np.where((classes > 0)[..., None], mixed, rgb).astype(np.uint8)
