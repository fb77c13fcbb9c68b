"""The format of shards: tars that ``tarfile`` reads, an index that says where each picture lies, names that WebDataset can hold."""

import io
import json
import tarfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pretint.data import shards
from pretint.data.file_records import Lines
from pretint.data.layouts import open_source
from pretint.data.layouts.pictures import walk
from pretint.data.record import pick
from pretint.data.shards import ROW, member, member_names, open_shards, walk_order
from pretint.errors import DataError

NAME = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="/"), min_size=1, max_size=150)


@settings(max_examples=25)
@given(st.lists(st.tuples(NAME, st.binary(max_size=1500)), max_size=5))
def test_members_make_a_tar(files: list[tuple[str, bytes]]) -> None:
    tar, places = b"", []
    for name, content in files:
        written, begin = member(f"below/{name}.jpg", content)
        places.append(len(tar) + begin)
        tar += written
    whole = tar + shards.END_OF_TAR
    with tarfile.open(fileobj=io.BytesIO(whole)) as read:
        assert [(m.name, read.extractfile(m).read()) for m in read.getmembers()] == [  # type: ignore[union-attr]
            (f"below/{name}.jpg", content) for name, content in files
        ]
        assert [m.offset_data for m in read.getmembers()] == places
    for place, (_, content) in zip(places, files, strict=True):
        assert whole[place : place + len(content)] == content


def test_names_have_one_dot_and_are_all_different() -> None:
    ids = ["a.png", "a.jpg", "a_2.jpg", "b.c.jpg", "b_c.png", "v1.2/x.y.jpg", "line\nfeed.jpg", "raw\udcff.jpg", "bare"]
    assert list(member_names(ids, ".jpg")) == [
        "a.jpg", "a_2.jpg", "a_2_2.jpg", "b_c.jpg", "b_c_2.jpg", "v1.2/x_y.jpg", "line_feed.jpg", "raw_.jpg", "bare.jpg",
    ]  # fmt: skip


@settings(max_examples=50)
@given(st.lists(st.text("ab._\n/", min_size=1, max_size=6)))
def test_any_names_do(ids: list[str]) -> None:
    names = list(member_names(ids, ".ppm"))
    assert len(set(names)) == len(ids)
    for name in names:
        assert name.rpartition("/")[2].count(".") == 1
        assert "\n" not in name


@given(st.lists(st.lists(st.sampled_from(["x.jpg", "x_jpg", "x", "y.png"]), min_size=1, max_size=3), unique_by=tuple))
def test_no_name_is_a_folder_of_another(parts: list[list[str]]) -> None:
    """Else a tar could not be unpacked: a file and a folder of one name."""
    names = list(member_names(["/".join(one) for one in parts], ".jpg"))
    assert len(set(names)) == len(parts)
    assert not {name for name in names for other in names if other.startswith(f"{name}/")}


def test_the_order_is_that_of_a_walk_through_the_files(tmp_path: Path) -> None:
    names = ["b.jpg", "a/b.jpg", "a/b/c.jpg", "a/a.jpg", "a.jpg", "b/a/z.jpg", "b-/x.jpg", "B.jpg"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert sorted(names, key=walk_order) == [path.relative_to(tmp_path).as_posix() for path in walk(tmp_path)]


def _folder(root: Path, count: int = 3, **changes: object) -> Path:
    """A folder of shards, written by hand: a tar of 10 bytes for each picture."""
    root.mkdir()
    (root / "0.tar").write_bytes(bytes(10 * count))
    rows = np.zeros(count, ROW)
    rows["offset"], rows["size"] = 10 * np.arange(count), 10
    rows["height"], rows["width"] = 1, 3
    np.save(root / "index.npy", rows)
    (root / "names.txt").write_text("".join(f"{i:07d}.jpg\n" for i in range(count)))
    tars = [{"name": "0.tar", "bytes": 10 * count, "pictures": count}]
    description = {"version": 1, "state": "finished", "format": "jpeg", "tars": tars} | changes
    (root / "shards.json").write_text(json.dumps(description))
    return root


def test_records_say_where_a_picture_lies(tmp_path: Path) -> None:
    second = open_shards(_folder(tmp_path / "jpeg")).records()[1]
    assert (second.id, second.path, second.labels) == ("0000001.jpg", tmp_path / "jpeg" / "0.tar", None)
    assert second.span is not None
    assert (second.span.path, second.span.offset, second.span.size, second.span.pixels) == (second.path, 10, 10, None)
    assert str(second.where) == str(tmp_path / "jpeg" / "0.tar" / "0000001.jpg")
    plain = open_shards(_folder(tmp_path / "raw", format="raw")).records()[2]
    assert plain.span is not None
    assert plain.span.pixels == (1, 3)


def _cut(folder: Path) -> None:
    (folder / "0.tar").write_bytes(bytes(29))


def _beyond(folder: Path) -> None:
    rows = np.load(folder / "index.npy")
    rows["offset"][1] = 21
    np.save(folder / "index.npy", rows)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_cut, r"0\.tar: the shard has another size"),
        (lambda folder: (folder / "0.tar").unlink(), r"0\.tar: the shard is missing"),
        (lambda folder: (folder / "names.txt").write_text("a.jpg\n"), "do not belong together"),
        (lambda folder: (folder / "names.txt").unlink(), r"names\.txt"),
        (lambda folder: (folder / "names.txt").write_bytes(b"\xff\n\n\n"), "index cannot be read"),
        (lambda folder: np.save(folder / "index.npy", np.zeros(3)), "do not belong together"),
        (lambda folder: np.save(folder / "index.npy", np.array([{}]), allow_pickle=True), "index cannot be read"),
        (lambda folder: (folder / "index.npy").write_bytes(b""), "index cannot be read"),
        (_beyond, "beyond the end"),
        (lambda folder: (folder / "shards.json").write_text("{"), r"shards\.json: is damaged"),
        (lambda folder: (folder / "shards.json").write_text('{"version": 2}'), "version 2"),
        (lambda folder: (folder / "shards.json").write_text('{"version": 1, "state": "running"}'), "--resume"),
    ],
)
def test_what_is_damaged_is_told(damage, told: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = _folder(tmp_path / "shards")
    damage(folder)
    with pytest.raises(DataError, match=told):
        open_shards(folder)


@given(st.lists(st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\n"), max_size=5)))
def test_lines_are_those_of_the_text(lines: list[str]) -> None:
    found = Lines("".join(f"{line}\n" for line in lines).encode())
    assert len(found) == len(lines)
    assert [found[i] for i in range(-len(lines), len(lines))] == lines + lines
    with pytest.raises(IndexError):
        found[len(lines)]


def test_records_are_a_list(tmp_path: Path) -> None:
    records = open_shards(_folder(tmp_path / "shards", 5)).records()
    ids = [f"{i:07d}.jpg" for i in range(5)]
    assert [record.id for record in records] == ids
    assert records[-1] == records[4]
    assert [record.id for record in records[1:4:2]] == ids[1:4:2]
    with pytest.raises(IndexError):
        records[5]


@pytest.mark.long
def test_a_million_pictures_take_little_memory(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "shards", 1_000_000)
    tracemalloc.start()
    chosen = pick(open_source(folder).split("all"), range(0, 1_000_000, 2))
    assert chosen[-1].id == "0999998.jpg"
    assert tracemalloc.get_traced_memory()[0] < 80e6
    tracemalloc.stop()
