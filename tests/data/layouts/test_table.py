"""Pictures and labels.csv."""

from pathlib import Path

import pytest
from PIL import Image

from pretint.data.layouts import open_source
from pretint.errors import DataError, OptionError


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    for name in "ab":
        Image.new("RGB", (2, 2)).save(tmp_path / "pictures" / f"{name}.png")
    (tmp_path / "labels.csv").write_text(
        "\ufefffile,split,cat,dog\npictures/a.png,train,1,0\npictures/b.png,val,1,1\n", encoding="utf-8"
    )
    return tmp_path


def test_columns_are_classes(table: Path) -> None:
    source = open_source(table)
    assert (source.layout, source.classes) == ("table", ("cat", "dog"))
    assert [(r.id, r.labels) for r in source.split("all")] == [
        ("pictures/a.png", ("cat",)),
        ("pictures/b.png", ("cat", "dog")),
    ]
    assert [r.id for r in source.split("val")] == ["pictures/b.png"]
    assert open_source(table, classes=["dog"]).split("train")[0].labels == ()
    with pytest.raises(OptionError, match="horse"):
        open_source(table, classes=["horse"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name,cat\na,1\n", "file"),
        ("file,cat\npictures/a.png,2\n", "line 2.*'2'"),
        ("file,cat\npictures/a.png\n", "line 2.*''"),
        ("file,cat\npictures/a.png,1,1\n", "line 2.*no column"),
        ("file,cat,\npictures/a.png,1,1\n", "line 2.*no column"),
        ("file,cat,,\npictures/a.png,1,1,\n", "line 2.*no column"),
        ("file,cat\n../pictures/a.png,1\n", "line 2.*no path below"),
        ("file,cat\n/pictures/a.png,1\n", "line 2.*no path below"),
        ("file,cat\n,1\n", "line 2.*not there"),
        ("file,cat,cat\npictures/a.png,1,1\n", "each once"),
        ("file,cat\npictures/a.png,1\npictures/a.png,1\n", "line 3.*twice"),
        ("file,cat\npictures/a.png,1\n./pictures/a.png,0\n", "line 3.*twice"),
        ("file,cat\npictures/a.png,1\npictures/../pictures//a.png,0\n", "line 3.*twice"),
        ("file,cat\npictures/z.png,1\n", "line 2.*not there"),
        ("", "first line"),
        ("file;cat\npictures/a.png;1\n", "separated by ';'; save it with commas"),
        ("file\tcat\npictures/a.png\t1\n", r"separated by '\\t'; save it with commas"),
    ],
)
def test_faults_name_their_line(table: Path, text: str, told: str) -> None:
    (table / "labels.csv").write_text(text)
    with pytest.raises(DataError, match=rf"labels\.csv.*{told}"):
        open_source(table)


def test_empty_cells_at_the_right_are_nothing(table: Path) -> None:
    """As programs for tables write them where something was typed and removed."""
    plain = open_source(table)
    lines = (table / "labels.csv").read_text(encoding="utf-8-sig").splitlines()
    (table / "labels.csv").write_text("\n".join([*(f"{line},," for line in lines), ",,,,,"]) + "\n")
    assert open_source(table) == plain


def test_splits_go_by_their_usual_names(table: Path) -> None:
    text = (table / "labels.csv").read_text(encoding="utf-8-sig")
    plain = open_source(table)
    (table / "labels.csv").write_text(text.replace(",train,", ",Training ,").replace(",val,", ",VALIDATION,"))
    source = open_source(table)
    assert source == plain
    assert source.split("Validation") == source.split("val")
