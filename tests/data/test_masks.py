"""Faults of masks are found before a training, each in one sentence."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pretint.data.masks import overlaid, read_pair, validate_masks
from pretint.data.record import Record
from pretint.errors import DataError

KNOWN = {0: 0, 1: 1, 255: 255}


def _pair(folder: Path, name: str, ids: np.ndarray, size: tuple[int, int] = (8, 6)) -> Record:
    Image.new("RGB", size).save(folder / f"{name}.jpg")
    Image.fromarray(ids.astype(np.uint8)).save(folder / f"{name}_mask.png")
    return Record(name, folder / f"{name}.jpg", mask=folder / f"{name}_mask.png")


def _good() -> np.ndarray:
    ids = np.zeros((6, 8))
    ids[2:4, 2:4] = 1
    return ids


def test_good_masks_pass(tmp_path: Path) -> None:
    records = [_pair(tmp_path, f"{i}", _good()) for i in range(3)]
    validate_masks(records, KNOWN)
    rgb, classes = read_pair(records[0], KNOWN)
    assert rgb.shape == (6, 8, 3)
    np.testing.assert_array_equal(classes, _good())


def test_each_fault_names_its_file(tmp_path: Path) -> None:
    good = _pair(tmp_path, "good", _good())
    with pytest.raises(DataError, match=r"bad_mask\.png: the mask is 8x6 but its picture .*bad\.jpg is 9x6"):
        validate_masks([good, _pair(tmp_path, "bad", _good(), (9, 6))], KNOWN)
    with pytest.raises(DataError, match="8x6"):
        read_pair(_pair(tmp_path, "bad", _good(), (9, 6)), KNOWN)
    with pytest.raises(DataError, match=r"odd_mask\.png.*class ids 7"):
        validate_masks([good, _pair(tmp_path, "odd", np.full((6, 8), 7))], KNOWN)
    with pytest.raises(DataError, match=r"bare\.jpg: this picture has no mask"):
        validate_masks([Record("bare", tmp_path / "bare.jpg")], KNOWN)


def test_objects_drawn_as_255_are_not_taken_for_void_in_silence(tmp_path: Path) -> None:
    records = [_pair(tmp_path, f"{i}", _good() * 255) for i in range(3)]
    with pytest.raises(DataError, match="void"):
        validate_masks(records, KNOWN)
    validate_masks(records, {0: 0, 255: 1})


def test_the_limit_spreads_over_all_records(tmp_path: Path) -> None:
    records = [_pair(tmp_path, f"{i}", _good()) for i in range(9)]
    odd = _pair(tmp_path, "odd", np.full((6, 8), 7))
    validate_masks([*records, odd], KNOWN, limit=2)
    with pytest.raises(DataError, match="odd_mask"):
        validate_masks([*records[:5], odd, *records[5:]], KNOWN, limit=2)
    with pytest.raises(DataError, match="odd_mask"):
        validate_masks([*records, odd], KNOWN, limit=None)


def test_objects_beyond_the_limit_are_looked_for(tmp_path: Path) -> None:
    empty = _pair(tmp_path, "empty", np.zeros((6, 8)))
    validate_masks([empty] * 7 + [_pair(tmp_path, "good", _good())] + [empty] * 2, KNOWN, limit=2)
    with pytest.raises(DataError, match=r"empty_mask\.png: this mask and 9 others hold one class alone"):
        validate_masks([empty] * 10, KNOWN, limit=2)


def test_a_mask_covers_half_of_its_picture() -> None:
    """VOC's colours: class 1 is (128, 0, 0), class 8 is (64, 0, 0), void is (224, 224, 192)."""
    rgb = np.full((1, 4, 3), 200, dtype=np.uint8)
    shown = overlaid(rgb, np.array([[0, 1, 8, 255]]))
    assert shown.tolist() == [[[200, 200, 200], [164, 100, 100], [132, 100, 100], [212, 212, 196]]]
