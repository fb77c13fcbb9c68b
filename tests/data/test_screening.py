"""Broken and colourless pictures are found, named and counted."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab

from pretint.data.record import Record
from pretint.data.screening import Screening, screen
from pretint.errors import DataError, ResourceError

RNG = np.random.default_rng(0)


def _colours() -> np.ndarray:
    return np.asarray(Image.fromarray(RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((64, 64)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    photo = _colours()
    grey = photo.mean(axis=2, keepdims=True)
    pictures = {
        "colour0.png": photo,
        "colour1.png": _colours(),
        "grey.png": np.repeat(grey, 3, axis=2),
        "noisy_grey.png": grey + RNG.integers(-3, 4, photo.shape),
        "sepia.png": grey * [1.0, 0.85, 0.65],
        "bluish.png": grey * 0.6 + [20, 40, 90],
    }
    for name, pixels in pictures.items():
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(tmp_path / name)
    # One red thing on a grey ground is a picture with a colour.
    spot = np.repeat(grey, 3, axis=2).astype(np.uint8)
    spot[20:40, 20:40] = [200, 30, 30]
    Image.fromarray(spot).save(tmp_path / "spot.png")
    (tmp_path / "broken.png").write_bytes(b"nothing")
    return tmp_path


def _records(folder: Path) -> list[Record]:
    return [Record(p.name, p) for p in sorted(folder.iterdir()) if p.suffix == ".png"]


def test_what_is_amiss_is_found(folder: Path, tmp_path: Path) -> None:
    records = _records(folder)
    found = screen(records, most_broken=0.5)
    assert [r.id for r in found.kept] == ["colour0.png", "colour1.png", "spot.png"]
    assert [r.id for r in found.readable] == [r.id for r in records if r.id != "broken.png"]
    assert set(found.grey) == {"grey.png", "noisy_grey.png", "sepia.png", "bluish.png"}
    assert set(found.tinted) == {"sepia.png", "bluish.png"}
    ((name, why),) = found.broken
    assert name == "broken.png"
    assert str(folder / "broken.png") in why

    found.write_list(tmp_path / "list.tsv")
    lines = (tmp_path / "list.tsv").read_text().splitlines()
    assert lines[0] == "id\twhat\twhy"
    assert {tuple(line.split("\t")[:2]) for line in lines[1:]} == {
        ("broken.png", "broken"),
        ("grey.png", "grey"),
        ("noisy_grey.png", "grey"),
        ("sepia.png", "tinted"),
        ("bluish.png", "tinted"),
    }
    found.write_list(tmp_path / "list.tsv", keep_grey=True)
    assert len((tmp_path / "list.tsv").read_text().splitlines()) == 2


def test_a_list_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def of(name: str) -> Screening:
        return Screening((), (), (("broken.png", name),), (), (), [0.0, 0.0], [0.0, 0.0])

    path = tmp_path / "list.tsv"
    of("once").write_list(path)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResourceError, match=r"list\.tsv: cannot be written \(No space left on device\)"):
        of("again").write_list(path)
    assert path.read_text() == "id\twhat\twhy\nbroken.png\tbroken\tonce\n"


def test_mean_colour_is_scikit_images(folder: Path) -> None:
    names = ("colour0.png", "colour1.png", "sepia.png")
    found = screen([Record(name, folder / name) for name in names])
    means = []
    for name in names:
        small = Image.open(folder / name).resize((32, 32), Image.Resampling.BOX)
        means.append(rgb2lab(np.asarray(small))[..., 1:].mean(axis=(0, 1)))
    np.testing.assert_allclose(found.mean_ab, np.mean(means[:2], axis=0) / 128, atol=1e-4)
    np.testing.assert_allclose(found.mean_ab_readable, np.mean(means, axis=0) / 128, atol=1e-4)


def test_too_many_broken_pictures_stop(folder: Path) -> None:
    with pytest.raises(DataError, match=r"1 of 8 .*5%.*broken\.png"):
        screen(_records(folder))


def test_no_colour_at_all_keeps_nothing(folder: Path) -> None:
    found = screen([Record("grey.png", folder / "grey.png")])
    assert found.kept == ()
    assert found.mean_ab == [0, 0]


def test_cache_is_used_and_kept_up_to_date(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records, cache = _records(folder), folder / "deep" / "cache.tsv"
    opened: list[Path] = []
    from pretint.data import looking

    read_rgb = looking.read_rgb

    def counting(path: Path, at_least: int | None = None) -> np.ndarray:
        opened.append(path)
        return read_rgb(path, at_least)

    monkeypatch.setattr(looking, "read_rgb", counting)
    first = screen(records, cache=cache, most_broken=0.5)
    assert len(opened) == 8
    opened.clear()
    assert screen(records, cache=cache, most_broken=0.5) == first
    assert opened == []
    Image.fromarray(_colours()).resize((70, 70)).save(folder / "broken.png")
    assert len(screen(records, cache=cache).kept) == 4
    assert opened == [folder / "broken.png"]
    cache.write_text("rubbish\n")
    assert len(screen(records, cache=cache).kept) == 4


def test_processes_change_nothing_and_progress_is_told(tmp_path: Path) -> None:
    for i in range(150):
        Image.fromarray(RNG.integers(0, 256, (4, 4, 3), dtype=np.uint8)).save(tmp_path / f"{i:03}.png")
    records = _records(tmp_path)
    told: list[tuple[int, int]] = []
    assert screen(records, workers=2, progress=lambda done, total: told.append((done, total))) == screen(records)
    assert told == [(64, 150), (128, 150), (150, 150)]
