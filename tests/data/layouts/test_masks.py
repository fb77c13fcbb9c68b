"""Pictures beside masks: classes, lists, faults."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from pretint.data.layouts import open_source
from pretint.data.masks import read_pair
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
    (tmp_path / "._train.txt").write_bytes(b"\0\5\x16\7 not a list either")  # of another system
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


def test_a_byte_order_mark_is_no_part_of_a_name(cells: Path) -> None:
    """Windows' editors begin a file in UTF-8 with one."""
    plain = open_source(cells)
    for name in ("classes.txt", "train.txt"):
        (cells / name).write_bytes(b"\xef\xbb\xbf" + (cells / name).read_bytes())
    assert open_source(cells) == plain
    (cells / "classes.txt").write_bytes(b"\xef\xbb\xbf0 background\r\n2 nucleus\r\n")
    assert open_source(cells).mask_map == {0: 0, 2: 1, 255: 255}


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


def test_as_many_classes_as_an_index_tells_apart(cells: Path) -> None:
    """255 is void: the classes 0 to 254 come back as they stand in a mask, one more is refused where masks are read."""
    for stem in "abc":
        Image.new("RGB", (20, 15)).save(cells / "images" / f"{stem}.jpg")
        Image.fromarray(np.arange(300, dtype=np.uint16).reshape(15, 20)).save(cells / "masks" / f"{stem}.png")
    names = [f"c{i}" for i in range(300)]
    (cells / "classes.txt").write_text("\n".join(names))
    targets: tuple[Literal["mask", "labels"], ...] = ("mask", "labels")
    for target in targets:
        with pytest.raises(DataError, match=r"300 classes.*255.*--classes"):
            open_source(cells, task=target)
    assert len(open_source(cells).split("all")) == 3
    source = open_source(cells, classes=names[1:255], task="mask")
    record = source.split("all")[0]
    _, mask = read_pair(record, source.mask_map)
    assert mask.ravel().tolist() == [*range(255), *[255] * 45]
    (cells / "classes.txt").unlink()  # found ids: 0 to 299 without void
    with pytest.raises(DataError, match="299 classes"):
        open_source(cells, task="mask")


def test_more_classes_of_masks_leave_the_labels_of_a_table_alone(cells: Path) -> None:
    (cells / "classes.txt").write_text("\n".join(f"c{i}" for i in range(300)))
    (cells / "labels.csv").write_text("file,cell\nimages/a.jpg,1\n")
    assert open_source(cells, task="labels").split("train")[0].labels == ("cell",)


def test_the_splits_of_a_table_are_taken_over(cells: Path) -> None:
    """Else the pictures that it keeps for a test would be trained on."""
    (cells / "train.txt").unlink()
    rows = "file,age,split\nimages/b.jpg,37,test\n./images/a.jpg,8,train\nimages/c.jpg,5,\n"
    (cells / "labels.csv").write_text(rows)
    for task in (None, "mask"):
        source = open_source(cells, task=task)  # type: ignore[arg-type]
        listed = {name: [(r.id, r.mask) for r in records] for name, records in source.splits.items()}
        assert listed.keys() == {"train", "test", "all"}
        assert listed["train"] == [("images/a.jpg", cells / "masks" / "a.png")]
        assert listed["test"] == [("images/b.jpg", cells / "masks" / "b.png")]
        assert len(listed["all"]) == 3
    (cells / "labels.csv").write_text("file,cat,split\nimages/a.jpg,1,train\nimages/b.jpg,0,test\n")
    source = open_source(cells, task="labels")
    assert {name: [r.labels for r in records] for name, records in source.splits.items()} == {
        "train": [("cat",)], "test": [()], "all": [("cat",), (), None],
    }  # fmt: skip
    (cells / "train.txt").write_text("a\n")  # the same list twice is no fault
    assert len(open_source(cells).split("train")) == 1
    (cells / "train.txt").write_text("a\nb\n")
    with pytest.raises(DataError, match=r"train\.txt.*labels\.csv"):
        open_source(cells)
    for text in (
        "",
        "picture,split\nx,test\n",
        "file,cat\nelsewhere.png,2\n",
    ):  # none of splits, and no labels are wanted
        (cells / "labels.csv").write_text(text)
        assert [r.id for r in open_source(cells).split("train")] == ["images/a.jpg", "images/b.jpg"]
    (cells / "labels.csv").write_text("file,cat,split\nmasks/a.png,1,test\n")
    with pytest.raises(DataError, match=r"labels\.csv.*masks/a\.png.*test"):
        open_source(cells)


def test_without_a_task_masks_are_not_opened(cells: Path) -> None:
    (cells / "classes.txt").unlink()
    for mask in (cells / "masks").iterdir():
        mask.write_bytes(b"no picture")
    assert len(open_source(cells).split("all")) == len(list((cells / "images").iterdir()))


def test_faults(cells: Path) -> None:
    (cells / "train.txt").write_text("a\nmissing\n")
    with pytest.raises(DataError, match=r"train\.txt, line 2.*missing"):
        open_source(cells)
    for line in (".", "/", "..", "a/.."):
        (cells / "train.txt").write_text(f"a\n{line}\n")
        with pytest.raises(DataError, match=r"train\.txt, line 2: there is no picture"):
            open_source(cells)
    (cells / "classes.txt").write_text("one\none\n")
    with pytest.raises(DataError, match=r"classes\.txt"):
        open_source(cells)
    Image.new("L", (4, 3)).save(cells / "masks" / "a.tif")
    with pytest.raises(DataError, match=r"masks/a\.tif: a\.png has the same name"):
        open_source(cells)
    (cells / "masks" / "a.tif").unlink()
    Image.new("RGB", (4, 3)).save(cells / "images" / "a.png")
    with pytest.raises(DataError, match=r"images/a\.png: a\.jpg has the same name"):
        open_source(cells)


@pytest.mark.parametrize(("images", "masks"), [("image", "mask"), ("Images", "Masks"), ("images", "mask")])
def test_folders_that_are_called_nearly_so_are_named(cells: Path, images: str, masks: str) -> None:
    (cells / "images").rename(cells / images)
    (cells / "masks").rename(cells / masks)
    with pytest.raises(
        DataError, match=f"has no masks here, .*; {images}/ and {masks}/ must be called images/ and masks/"
    ):
        open_source(cells, task="mask").classes_for("segmentation", "mask")


def test_a_text_that_is_no_list_says_what_it_was_taken_for(cells: Path) -> None:
    (cells / "notes.txt").write_text("stained on Tuesday\nby hand\n")
    with pytest.raises(
        DataError, match=r"notes\.txt: names no picture .*every \.txt here but readme, license and classes"
    ):
        open_source(cells)


def test_a_table_with_semicolons_does_not_hide_its_splits(cells: Path) -> None:
    (cells / "labels.csv").write_text("file;split\nimages/c.jpg;test\n")
    with pytest.raises(DataError, match="separated by ';'"):
        open_source(cells, task="mask")


def test_classes_of_a_table_are_chosen_from_the_table(cells: Path) -> None:
    (cells / "labels.csv").write_text("file,cat,dog\nimages/a.jpg,1,0\nimages/b.jpg,0,1\nimages/c.jpg,1,1\n")
    source = open_source(cells, classes=["dog"], task="labels")
    assert source.classes == ("dog",)
    assert [r.labels for r in source.split("all")] == [(), ("dog",), ("dog",)]
    with pytest.raises(OptionError, match="nucleus"):
        open_source(cells, classes=["nucleus"], task="labels")
    assert open_source(cells, classes=["nucleus"], task="mask").mask_classes == ("background", "nucleus")


def test_masks_are_not_opened_where_a_table_gives_the_labels(cells: Path) -> None:
    (cells / "classes.txt").unlink()
    (cells / "masks" / "a.png").write_bytes(b"no picture")
    (cells / "labels.csv").write_text("file,cat\nimages/a.jpg,1\nimages/b.jpg,0\nimages/c.jpg,1\n")
    assert open_source(cells, task="labels").classes == ("cat",)
    with pytest.raises(DataError, match=r"a\.png"):
        open_source(cells, task="mask")


def test_lists_go_by_their_usual_names(cells: Path) -> None:
    (cells / "Testing.txt").write_text("c\n")
    (cells / "notes.txt").mkdir()  # no list
    source = open_source(cells)
    assert {name: [r.path.stem for r in records] for name, records in source.splits.items()} == {
        "train": ["a", "b"], "test": ["c"], "all": ["a", "b", "c"],
    }  # fmt: skip
    (cells / "test.txt").write_text("a\n")
    with pytest.raises(DataError, match=r"test\.txt: is a list of the same split as Testing\.txt"):
        open_source(cells)
