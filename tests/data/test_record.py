"""Sources name their splits; fingerprints name the data."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pretint.data.record import Picked, Record, Source, Span, fingerprint, pick
from pretint.errors import DataError


@pytest.fixture
def records(tmp_path: Path) -> tuple[Record, ...]:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"12345")
    return tuple(Record(name, tmp_path / name, ("cat",)) for name in ("a.jpg", "b.jpg"))


def test_an_unknown_split_gets_a_suggestion(records: tuple[Record, ...]) -> None:
    source = Source("pictures", Path("data"), (), {"train": records, "all": records})
    assert source.split("train") == records
    with pytest.raises(DataError, match="did you mean train"):
        source.split("trian")


@pytest.mark.parametrize(
    ("lists", "training", "test"),
    [
        ({}, ("all", "abcdef"), ("all", "abcdef")),
        ({"train": "ab", "val": "cd", "test": "ef"}, ("train", "ab"), ("test", "ef")),
        ({"train": "ab", "val": "cd"}, ("train", "ab"), ("val", "cd")),
        ({"train": "ab"}, ("train", "ab"), ("all", "abcdef")),
        ({"test": "ef"}, ("all but test", "abcd"), ("test", "ef")),
        ({"val": "a"}, ("all but val", "bcdef"), ("val", "a")),
        ({"mine": "abc", "test": "fc", "val": "a"}, ("all but test and val", "bde"), ("test", "fc")),
    ],
)
def test_which_list_is_taken_where_none_is_named(
    lists: dict[str, str], training: tuple[str, str], test: tuple[str, str]
) -> None:
    splits = {name: tuple(Record(i, Path(i)) for i in ids) for name, ids in {**lists, "all": "abcdef"}.items()}
    source = Source("masks", Path("cells"), (), splits)
    for chosen, (name, ids) in ((source.training_split(), training), (source.test_split(), test)):
        assert (chosen.name, "".join(record.id for record in chosen.records)) == (name, ids)
    remark = source.training_split().remark
    assert remark == (
        f"cells: has no list train; taken are {training[0]}, {len(training[1])} of 6 pictures"
        if " but " in training[0]
        else ""
    )
    for name in splits:  # a name that is given is obeyed
        for chosen in (source.training_split(name), source.test_split(name)):
            assert chosen == (name, splits[name], "")


def test_nothing_is_left_to_train_on(records: tuple[Record, ...]) -> None:
    source = Source("imagefolder", Path("animals"), (), {"test": records[:1], "val": records[1:], "all": records})
    with pytest.raises(DataError, match=r"animals: has no list train, and every picture is in test or val.*--split"):
        source.training_split()
    for split in (source.training_split, source.test_split):
        with pytest.raises(DataError, match="did you mean test"):
            split("tets")


def test_lists_that_are_none_of_the_three_are_told_of(records: tuple[Record, ...]) -> None:
    source = Source("masks", Path("cells"), (), {"first": records[:1], "second": records[1:], "all": records})
    chosen = source.training_split()
    assert (chosen.name, chosen.records) == ("all", records)
    assert chosen.remark == "cells: has no list train, val or test; taken are all pictures, those of first, second too"


def test_an_empty_list_is_not_trained_on(records: tuple[Record, ...]) -> None:
    source = Source("masks", Path("cells"), (), {"train": (), "none": (), "all": records})
    for name in (None, "none"):
        with pytest.raises(DataError, match=f"cells: the list {name or 'train'} holds no picture"):
            source.training_split(name)


def test_fingerprint_follows_ids_labels_sizes_and_order_but_not_the_place(
    records: tuple[Record, ...], tmp_path: Path
) -> None:
    name = fingerprint(records)
    elsewhere = tmp_path / "moved"
    elsewhere.mkdir()
    moved = tuple(Record(r.id, r.path.rename(elsewhere / r.path.name), r.labels) for r in records)
    assert fingerprint(moved) == name
    assert fingerprint(moved[::-1]) != name
    assert fingerprint([Record(r.id, r.path, ("dog",)) for r in moved]) != name
    moved[0].path.write_bytes(b"123456")
    assert fingerprint(moved) != name
    moved[0].path.unlink()
    with pytest.raises(DataError, match=r"a\.jpg"):
        fingerprint(moved)


def test_fingerprint_of_pictures_in_a_file_of_many_is_that_of_their_files(tmp_path: Path) -> None:
    contents = {"a.jpg": b"12345", "b.jpg": b"123"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    tar = tmp_path / "0.tar"
    tar.write_bytes(b"12345123")
    files = [Record(name, tmp_path / name) for name in contents]
    spans = [Record("a.jpg", tar, span=Span(tar, "a.jpg", 0, 5)), Record("b.jpg", tar, span=Span(tar, "b.jpg", 5, 3))]
    assert fingerprint(spans) == fingerprint(files)
    assert fingerprint(spans[:1]) != fingerprint(files)
    tar.unlink()
    with pytest.raises(DataError, match=r"0\.tar"):
        fingerprint(spans)


@given(st.lists(st.integers(0, 9)), st.slices(12))
def test_picked_records_are_those_at_the_places(places: list[int], part: slice) -> None:
    records = tuple(Record(str(i), Path(str(i))) for i in range(10))
    whole = pick(records, places)
    assert whole == tuple(records[i] for i in places)
    lazy = Picked(records, np.array(places, np.int64))
    assert tuple(lazy) == whole
    assert lazy[part] == whole[part]
    again = pick(lazy, range(len(places))[::-1])
    assert isinstance(again, Picked)
    assert tuple(again) == whole[::-1]
