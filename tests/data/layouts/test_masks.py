"""Pictures beside masks: classes, lists, faults."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pretint.data.layouts import open_source
from pretint.errors import DataError, OptionError


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for i, stem in enumerate("abc"):
        Image.new("RGB", (4, 3)).save(tmp_path / "images" / f"{stem}.jpg")
        Image.fromarray(np.full((3, 4), i, np.uint8)).save(tmp_path / "masks" / f"{stem}.png")
    (tmp_path / "classes.txt").write_text("background\ncytoplasm\nnucleus\n")
    (tmp_path / "train.txt").write_text("a\nb.jpg\n")
    (tmp_path / "README.txt").write_text("not a list\n")
    return tmp_path


def test_records_classes_and_lists(cells: Path) -> None:
    source = open_source(cells)
    assert source.layout == "masks"
    assert source.mask_classes == ("background", "cytoplasm", "nucleus")
    assert source.mask_map == {0: 0, 1: 1, 2: 2, 255: 255}
    assert [(r.id, r.mask) for r in source.split("train")] == [
        ("images/a.jpg", cells / "masks" / "a.png"),
        ("images/b.jpg", cells / "masks" / "b.png"),
    ]
    assert set(source.splits) == {"train", "all"}


def test_chosen_classes(cells: Path) -> None:
    source = open_source(cells, classes=["nucleus"])
    assert source.mask_classes == ("background", "nucleus")
    assert source.mask_map == {0: 0, 1: 255, 2: 1, 255: 255}
    assert open_source(cells, classes=["nucleus"], other_classes="background").mask_map[1] == 0
    with pytest.raises(OptionError, match="membrane"):
        open_source(cells, classes=["membrane"])


def test_numbered_classes_may_use_255(cells: Path) -> None:
    (cells / "classes.txt").write_text("0 background\n255 white cell\n")
    source = open_source(cells)
    assert source.mask_classes == ("background", "white cell")
    assert source.mask_map == {0: 0, 255: 1}


def test_without_classes_the_masks_are_asked(cells: Path) -> None:
    (cells / "classes.txt").unlink()
    assert open_source(cells, task="mask").mask_classes == ("background", "class 1", "class 2")


def test_without_a_task_masks_are_not_opened(cells: Path) -> None:
    (cells / "classes.txt").unlink()
    for mask in (cells / "masks").iterdir():
        mask.write_bytes(b"no picture")
    assert len(open_source(cells).split("all")) == len(list((cells / "images").iterdir()))


def test_faults(cells: Path) -> None:
    (cells / "train.txt").write_text("a\nmissing\n")
    with pytest.raises(DataError, match=r"train\.txt, line 2.*missing"):
        open_source(cells)
    (cells / "classes.txt").write_text("one\none\n")
    with pytest.raises(DataError, match=r"classes\.txt"):
        open_source(cells)
    Image.new("RGB", (4, 3)).save(cells / "images" / "a.png")
    with pytest.raises(DataError, match="same name"):
        open_source(cells)
