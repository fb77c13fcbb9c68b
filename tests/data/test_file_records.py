"""Records that are made when they are asked for are those that a list would hold."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pretint.data.file_records import FileRecords, Lines
from pretint.data.record import Joined, Picked, Record, facts, fingerprint

NAMES = ["a.png", "below/b ü.png", "below/c.png", os.fsdecode(b"d\xff.png")]


@pytest.fixture
def lazy(tmp_path: Path) -> FileRecords:
    (tmp_path / "below").mkdir()
    for place, name in enumerate(NAMES):
        (tmp_path / name).write_bytes(bytes(place))
    return FileRecords(tmp_path, Lines(b"".join(os.fsencode(name) + b"\0" for name in NAMES), end=b"\0"))


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5), max_size=8))
def test_lines_are_the_strings(strings: list[str]) -> None:
    lines = Lines("".join(f"{one}\0" for one in strings).encode(), end=b"\0")
    assert [lines[i] for i in range(len(lines))] == strings


def test_lines_beyond_one_part() -> None:
    strings = [f"{i:07d}" for i in range(1 << 20)]  # 8 MB
    lines = Lines("".join(f"{one}\n" for one in strings).encode())
    assert len(lines) == len(strings)
    for place in (0, 524_287, 524_288, -1):
        assert lines[place] == strings[place]


def test_records_are_those_of_a_list(lazy: FileRecords, tmp_path: Path) -> None:
    plain = [Record(name, tmp_path / name) for name in NAMES]
    assert list(lazy) == plain
    assert lazy[1:3] == tuple(plain[1:3])
    assert lazy[-1] == plain[-1]
    assert list(facts(lazy)) == list(facts(plain))
    assert fingerprint(lazy) == fingerprint(plain)
    with pytest.raises(IndexError):
        lazy[4]


def test_a_relative_folder(lazy: FileRecords, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = FileRecords(Path(), Lines(b"a.png\0below/c.png\0", end=b"\0"))
    assert [fact.where for fact in facts(here)] == [str(record.path) for record in here] == ["a.png", "below/c.png"]


def test_a_file_that_is_gone(lazy: FileRecords, tmp_path: Path) -> None:
    (tmp_path / "a.png").unlink()
    assert next(facts(lazy))[2:4] == (-1, -1)


@given(st.lists(st.integers(0, 8), max_size=12))
def test_joined_lists_are_one(places: list[int]) -> None:
    lists = [[Record(f"{k}{i}", Path(f"{k}/{i}")) for i in range(k)] for k in (4, 0, 3, 2)]
    joined = Joined([(f"{place}/", records) for place, records in enumerate(lists)])
    whole = [Record(f"{place}/{r.id}", r.path) for place, records in enumerate(lists) for r in records]
    assert list(joined) == whole
    picked = Picked(joined, np.array(places, np.int64))
    assert list(picked) == [whole[place] for place in places]
    assert list(facts(picked)) == list(facts([whole[place] for place in places]))
    assert len(Joined([])) == 0
