"""Sources name their splits; fingerprints name the data."""

from pathlib import Path

import pytest

from pretint.data.record import Record, Source, fingerprint
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
