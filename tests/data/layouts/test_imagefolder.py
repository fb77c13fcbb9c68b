"""A folder a class."""

from pathlib import Path

import pytest
from PIL import Image

from pretint.data.layouts import open_pool, open_source
from pretint.data.record import Record, fingerprint
from pretint.errors import DataError, OptionError


def _pictures(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(root / name)


def test_folders_are_classes(tmp_path: Path) -> None:
    _pictures(tmp_path, "dog/b.png", "cat/a.png", "cat/deep/c.png")
    source = open_source(tmp_path)
    assert source.layout == "imagefolder"
    assert source.classes == ("cat", "dog")
    assert {r.id: r.labels for r in source.split("all")} == {
        "cat/a.png": ("cat",),
        "cat/deep/c.png": ("cat",),
        "dog/b.png": ("dog",),
    }


def test_splits_and_chosen_classes(tmp_path: Path) -> None:
    _pictures(tmp_path, "train/cat/a.png", "train/dog/b.png", "validation/cat/c.png", "validation/dog/d.png")
    source = open_source(tmp_path, classes=["dog"])
    assert [(r.id, r.labels) for r in source.split("val")] == [
        ("validation/cat/c.png", ()),
        ("validation/dog/d.png", ("dog",)),
    ]
    assert len(source.split("all")) == 4
    with pytest.raises(OptionError, match="horse"):
        open_source(tmp_path, classes=["horse"])


def test_pictures_of_other_classes_are_left_out_where_one_class_is_needed(tmp_path: Path) -> None:
    _pictures(
        tmp_path,
        "train/cat/a.png",
        "train/cow/b.png",
        "train/cow/c.png",
        "train/dog/d.png",
        "val/cow/e.png",
        "val/dog/f.png",
    )
    source = open_source(tmp_path, classes=["dog", "cat"], task="labels", one_class=True)
    assert {name: [(r.id, r.labels) for r in source.split(name)] for name in ("train", "val")} == {
        "train": [("train/cat/a.png", ("cat",)), ("train/dog/d.png", ("dog",))],
        "val": [("val/dog/f.png", ("dog",))],
    }
    assert len(source.split("all")) == 3
    assert "left out: 3 of 6 pictures" in source.remark
    everything = open_source(tmp_path, task="labels", one_class=True)
    assert (len(everything.split("all")), everything.remark) == (6, "")


def test_a_picture_at_the_top_makes_it_plain_pictures(tmp_path: Path) -> None:
    _pictures(tmp_path, "cat/a.png", "dog/b.png", "c.png")
    assert open_source(tmp_path).layout == "pictures"


def test_records_made_when_asked_for_are_those_of_a_list(tmp_path: Path) -> None:
    _pictures(tmp_path, "test/cat/a.png", "testing/dog/b.png", "train/cat/c.png", "train/dog/d.png", "test/dog/e.png")
    _pictures(tmp_path, "testing/cat/f.png")
    source = open_source(tmp_path)
    assert [record.id for record in source.split("test")] == [
        "test/cat/a.png", "test/dog/e.png", "testing/cat/f.png", "testing/dog/b.png",
    ]  # fmt: skip
    for split in source.splits.values():
        plain = [Record(record.id, tmp_path / record.id, (record.id.split("/")[1],)) for record in split]
        assert list(split) == plain
        assert fingerprint(split) == fingerprint(plain)
    pool = open_pool([tmp_path])
    assert [(record.id, record.labels) for record in pool] == [("train/cat/c.png", None), ("train/dog/d.png", None)]
    assert fingerprint(pool) == fingerprint([Record(record.id, record.path) for record in pool])


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["cat/a.png", "dog/b.png", "cow/"], "cow holds no picture"),
        (["train/cat/a.png", "train/dog/b.png", "test/c.png"], "test holds no folder"),
        (["train/cat/a.png", "train/dog/b.png", "test/cat/c.png"], "test holds the folder cat alone"),
        (["cat/a.png", "dog/b.png", "c.png"], "holds pictures beside them"),
    ],
)
def test_why_folders_are_not_taken_for_classes(tmp_path: Path, names: list[str], told: str) -> None:
    for name in names:
        (tmp_path / name).mkdir(parents=True) if name.endswith("/") else _pictures(tmp_path, name)
    source = open_source(tmp_path, task="labels")
    with pytest.raises(DataError, match=rf"has no labels here.*not taken for classes, since .*{told}: every split"):
        source.classes_for("classification", "labels")
    with pytest.raises(DataError, match=rf"--layout imagefolder.*since .*{told}"):
        open_source(tmp_path, "imagefolder")


def test_plain_folders_of_pictures_get_no_such_words(tmp_path: Path) -> None:
    _pictures(tmp_path, "photos/a.png", "b.png")
    with pytest.raises(DataError, match=r"which classification needs$"):
        open_source(tmp_path, task="labels").classes_for("classification", "labels")
