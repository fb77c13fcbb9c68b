"""Any folder of pictures, and what is said where there are none."""

import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pretint.data.layouts import LAYOUTS, open_pool, open_source
from pretint.data.layouts.pictures import pictures_below
from pretint.errors import DataError, OptionError


def _pictures(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(root / name, "PNG")
    return root


def test_all_folders_are_searched(tmp_path: Path) -> None:
    _pictures(tmp_path, "b.PNG", "sub/a.jpeg", "sub/deeper/c.tif", ".hidden/d.png", "._e.png")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    source = open_source(tmp_path)
    assert source.layout == "pictures"
    assert [r.id for r in source.split("all")] == ["b.PNG", "sub/a.jpeg", "sub/deeper/c.tif"]


def test_several_folders_make_one_pool_without_labels(tmp_path: Path) -> None:
    first, second = _pictures(tmp_path / "x", "a.png"), _pictures(tmp_path / "y", "cat/a.png", "dog/b.png")
    pool = open_pool([first, second])
    assert [r.id for r in pool] == ["0/a.png", "1/cat/a.png", "1/dog/b.png"]
    assert all(r.labels is None for r in pool)
    assert [r.id for r in open_pool([first])] == ["a.png"]


def test_the_test_pictures_of_a_folder_stay_out_of_the_pool(tmp_path: Path) -> None:
    plain, listed = _pictures(tmp_path / "x", "a.png"), _pictures(tmp_path / "y", "b.png", "c.png")
    (listed / "labels.csv").write_text("file,cat,split\nb.png,1,test\nc.png,0,\n")
    said: list[str] = []
    assert [r.id for r in open_pool([plain, listed], say=said.append)] == ["0/a.png", "1/c.png"]
    assert said == [f"{listed}: has no list train; taken are all but test, 1 of 2 pictures"]
    assert [r.id for r in open_pool([listed], "all")] == ["b.png", "c.png"]


def test_folders_that_hold_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        open_source(tmp_path / "gone")
    with pytest.raises(DataError, match="no pictures"):
        open_source(tmp_path)
    with pytest.raises(DataError, match="no pictures"):
        open_source(tmp_path, layout="pictures")
    (tmp_path / "photos-00.tar").write_bytes(b"")
    with pytest.raises(DataError, match=r"photos-00\.tar.*unpack"):
        open_source(tmp_path)
    with pytest.raises(DataError, match="a file"):
        open_source(tmp_path / "photos-00.tar")


def test_runs_and_studies_below_are_passed_over(tmp_path: Path) -> None:
    plain = _pictures(
        tmp_path / "plain", "a.png", "run/samples/1.png", "deep/study/runs/x/2.png", "job/b.png", "bad/c.png"
    )
    sorted_ = _pictures(tmp_path / "sorted", "cat/a.png", "dog/b.png", "run/samples/1.png")
    for folder in (plain, sorted_):
        (folder / "run" / "run.json").write_text('{"kind": "pretrain", "options": {}}')
    (plain / "deep" / "study" / "study.json").write_text('{"kind": "study", "options": {}, "findings": []}')
    (plain / "job" / "run.json").write_text('{"steps": 3}')  # somebody else's
    (plain / "bad" / "run.json").write_bytes(b"\xff{")
    assert [r.id for r in open_source(plain).split("all")] == ["a.png", "bad/c.png", "job/b.png"]
    assert [below.as_posix() for _, below in pictures_below(plain)] == ["a.png", "bad/c.png", "job/b.png"]
    source = open_source(sorted_)
    assert (source.layout, source.classes, len(source.split("all"))) == ("imagefolder", ("cat", "dog"), 2)
    assert [r.id for r in open_source(plain / "run").split("all")] == ["samples/1.png"]  # asked for by name


@pytest.mark.parametrize("layout", ["pictures", "imagefolder", "masks"])
def test_what_may_not_be_read_is_named(layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the lost+found of a disk; who runs the tests may be allowed to read everything."""
    names = {
        "pictures": ["a.png"], "imagefolder": ["cat/a.png", "dog/a.png"], "masks": ["images/a.png", "masks/a.png"],
    }[layout]  # fmt: skip
    forbidden = tmp_path / Path(names[0]).parent / "lost+found"
    _pictures(tmp_path, *names)
    forbidden.mkdir()
    scandir = os.scandir

    def guarded(path: Path | str) -> Any:
        if Path(path) == forbidden:
            raise PermissionError(13, "Permission denied", str(forbidden))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    for source in (open_source, lambda folder: list(pictures_below(folder))):
        with pytest.raises(DataError, match=r"lost\+found: may not be read"):
            source(tmp_path)


def test_layouts_by_name(tmp_path: Path) -> None:
    _pictures(tmp_path, "cat/a.png", "dog/b.png")
    assert open_source(tmp_path, layout="pictures").classes == ()
    with pytest.raises(OptionError, match="did you mean pictures"):
        open_source(tmp_path, layout="picture")
    assert LAYOUTS[-1] == "pictures"
