"""Looks are kept by path, size and time of change, come back as they were, and damage only costs another look."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from pretint.data.layouts import open_source
from pretint.data.looks import UNSEEN, Look, Looks, forget_faults
from pretint.data.picture_hash import SIZE
from pretint.data.record import Record
from pretint.errors import ResourceError
from tests.conftest import files_up_to

PLAIN = Look("", 1.5, 0.25, -3.0, 1e-9)
HASHED = Look("", 30.0, 20.0, 5.0, -5.0, bytes(range(SIZE)))
BROKEN = Look("a.png: cannot be read — it is cut off")


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    names = ("a.png", "b.png", "c.png", "d.png")
    for place, name in enumerate(names):
        (tmp_path / name).write_bytes(bytes(place + 1))
    return [Record(name, tmp_path / name) for name in names]


def _filled(records: list[Record], file: Path, hashes: bool = True) -> Looks:
    looks = Looks.none_of(records)
    looks.fill(file, hashes=hashes, cache=True)
    return looks


def _kept(records: list[Record], file: Path, *seen: Look) -> None:
    looks = _filled(records, file)
    for place, one in enumerate(seen):
        looks.put(place, one)
    looks.save(file)


def test_what_was_seen_comes_back_in_any_order(records: list[Record], tmp_path: Path) -> None:
    file = tmp_path / "deep" / "looks.safetensors"
    _kept(records, file, BROKEN, HASHED, PLAIN)
    looks = _filled([records[i] for i in (2, 3, 0, 1, 0)], file)
    assert looks[0] == PLAIN
    assert looks.state[1] == UNSEEN
    assert looks[2:] == [BROKEN, HASHED, BROKEN]
    bare = _filled(records, file, hashes=False)
    assert bare[0] == BROKEN
    assert bare[1][:5] == HASHED[:5]


def test_a_second_save_adds_and_forgets_nothing(records: list[Record], tmp_path: Path) -> None:
    file = tmp_path / "looks.safetensors"
    _kept(records[:2], file, BROKEN, HASHED)
    _kept(records[2:], file, PLAIN, BROKEN._replace(fault="other"))
    looks = _filled(records, file)
    assert list(looks) == [BROKEN, HASHED, PLAIN, BROKEN._replace(fault="other")]
    assert looks.kept.all()


def test_a_fault_is_the_caches_own_and_can_be_forgotten(records: list[Record], tmp_path: Path) -> None:
    file = tmp_path / "looks.safetensors"
    forget_faults(file)
    assert not file.exists()
    _kept(records, file, BROKEN, HASHED, BROKEN._replace(fault="no route to host"), PLAIN)
    other = Looks.none_of(records)
    other.fill(file, hashes=True, cache=False)
    assert (other.state == UNSEEN).tolist() == [True, False, True, False]
    assert (other.faults, other[1], other[3]) == ({}, HASHED, PLAIN)
    assert _filled(records, file)[2].fault == "no route to host"
    forget_faults(file)
    looks = _filled(records, file)
    assert (looks.state == UNSEEN).tolist() == [True, False, True, False]
    assert (looks[1], looks[3]) == (HASHED, PLAIN)


def test_a_full_disk_is_told_and_leaves_what_was_there(records: list[Record], tmp_path: Path) -> None:
    file = tmp_path / "looks.safetensors"
    _kept(records[:1], file, HASHED)
    with files_up_to(100), pytest.raises(ResourceError, match=r"looks\.safetensors: cannot be written .*make room"):
        _kept(records[1:], file, PLAIN)
    assert _filled(records, file)[0] == HASHED
    assert [path.name for path in tmp_path.glob("looks*")] == [file.name]


def test_a_file_that_changed_is_unknown(records: list[Record], tmp_path: Path) -> None:
    file = tmp_path / "looks.safetensors"
    _kept(records, file, *[PLAIN] * 4)
    records[0].path.write_bytes(b"longer than it was")
    os.utime(records[1].path, ns=(0, 1))
    records[2].path.unlink()
    assert (_filled(records, file).state == UNSEEN).tolist() == [True, True, True, False]


def test_a_folder_is_known_by_whatever_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative to where one stands, back and forth, through a link: what is looked at once is known to every verb."""
    (tmp_path / "photos" / "sub").mkdir(parents=True)
    for name in ("a.png", "sub/b.png"):
        (tmp_path / "photos" / name).write_bytes(b"1")
    (tmp_path / "link").symlink_to("photos")
    file = tmp_path / "looks.safetensors"
    monkeypatch.chdir(tmp_path)
    _kept(list(open_source("photos").split("all")), file, HASHED, PLAIN)
    monkeypatch.chdir(tmp_path / "photos" / "sub")
    for named in (tmp_path / "photos", Path(".."), Path("../../photos"), tmp_path / "link"):
        assert list(_filled(list(open_source(named).split("all")), file)) == [HASHED, PLAIN]
    assert list(_filled([Record("b", Path("b.png")), Record("a", Path("../a.png"))], file)) == [PLAIN, HASHED]


def test_a_file_that_is_gone_is_never_known(records: list[Record], tmp_path: Path) -> None:
    records[0].path.unlink()
    _kept(records, tmp_path / "looks.safetensors", *[PLAIN] * 4)
    assert (_filled(records, tmp_path / "looks.safetensors").state == UNSEEN).tolist() == [True, False, False, False]


@given(st.integers(0, 2000))
def test_damage_costs_a_look_and_no_more(place: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "a.png"
        picture.write_bytes(b"1")
        file = Path(folder) / "looks.safetensors"
        _kept([Record("a", picture)], file, HASHED)
        content = bytearray(file.read_bytes())
        content[place % len(content)] ^= 0xFF
        file.write_bytes(content)
        looks = _filled([Record("a", picture)], file)
        assert looks.state[0] == UNSEEN or looks[0] == HASHED
        file.write_bytes(content[: place % len(content)])
        assert _filled([Record("a", picture)], file).state[0] == UNSEEN


def test_other_files_are_passed_over(records: list[Record], tmp_path: Path) -> None:
    for content in (b"", b"path\tbytes\n"):
        (tmp_path / "looks").write_bytes(content)
        assert (_filled(records, tmp_path / "looks").state == UNSEEN).all()
    save_file({"key": np.zeros(3)}, tmp_path / "other.safetensors")
    for name in ("other.safetensors", "none.safetensors"):
        assert (_filled(records, tmp_path / name).state == UNSEEN).all()
